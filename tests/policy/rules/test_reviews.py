"""Reviews of what is in the range."""

from __future__ import annotations

from typing import Any

import pytest

from policy.evidence import Changes, Commit, PullRequest
from policy.finding import Standing
from policy.model import Sha
from tests.policy.good import COMMIT
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

BY_PR = Commit(COMMIT, "feat: x", frozenset({"maya-gh"}), pull_request=12)
BARE = Commit(Sha("d1e2" + "0" * 36), "oops", frozenset({"maya-gh"}))


def pull_request(*approved_by: str, owners_missing: tuple[str, ...] = (), number: int = 12) -> PullRequest:
    return PullRequest(
        number,
        "feat: x",
        authors=frozenset({"maya-gh"}),
        approved_by=frozenset(approved_by),
        owners_missing=owners_missing,
    )


def changes(*pull_requests: PullRequest, commits: tuple[Commit, ...] = (BY_PR,), complete: bool = True) -> Changes:
    return Changes(commits, pull_requests, complete=complete)


STRICT = gate("reviews", at_least=2, codeowners=True)


@pytest.mark.requirement("S4-031", "S4-168", "S4-169", "S4-243")
@pytest.mark.parametrize(
    ("seen", "standing", "reason"),
    [
        (changes(pull_request("raj-gh")), UNMET, "#12 has 1 of 2 approvals"),
        (changes(pull_request("raj-gh", "lea-gh")), MET, "1 pull request, each with 2 approvals or more"),
        (changes(pull_request("raj-gh", "lea-gh", "tom-gh")), MET, None),
        (changes(pull_request("raj-gh", "maya-gh")), UNMET, "#12 has 1 of 2 approvals"),
        (changes(pull_request()), UNMET, "#12 has 0 of 2 approvals"),
        (
            changes(pull_request("raj-gh", "lea-gh", owners_missing=("auth/session.py",))),
            UNMET,
            "no owner of auth/session.py approved #12",
        ),
        (
            changes(
                pull_request("raj-gh", "lea-gh"), pull_request("raj-gh", owners_missing=("web/a", "web/b"), number=13)
            ),
            UNMET,
            "#13 has 1 of 2 approvals; no owner of web/a and web/b approved #13",
        ),
        (
            changes(pull_request("raj-gh", "lea-gh"), commits=(BY_PR, BARE)),
            UNMET,
            "d1e2000 came by no pull request, so nobody reviewed it",
        ),
        (changes(commits=()), MET, None),
        (changes(pull_request("raj-gh", "lea-gh"), complete=False), UNKNOWN, None),
        (changes(pull_request("raj-gh"), complete=False), UNMET, "#12 has 1 of 2 approvals"),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_each_pull_request_was_reviewed_by_others(seen: Any, standing: Standing, reason: str | None) -> None:
    finding = judged(STRICT, seeing(changes=seen))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_owners_count_only_where_the_policy_asks_for_them() -> None:
    seen = seeing(changes=changes(pull_request("raj-gh", owners_missing=("auth/session.py",))))
    assert judged(gate("reviews"), seen).standing is MET
    assert judged(gate("reviews", codeowners=True), seen).standing is UNMET
    assert judged(gate("reviews", at_least=2), seen).reason == "#12 has 1 of 2 approvals"


def test_what_would_help_names_the_pull_requests() -> None:
    lacking = changes(pull_request("raj-gh"), pull_request("raj-gh", owners_missing=("web/a",), number=13))
    (remedy,) = judged(STRICT, seeing(changes=lacking)).remedies
    assert remedy.says == "others than its authors approve #12 and #13, an owner of each path among them"


def test_a_commit_that_nobody_reviewed_cannot_be_mended_for_this_candidate() -> None:
    assert not judged(STRICT, seeing(changes=changes(commits=(BARE,)))).remedies
    assert not judged(STRICT, seeing(changes=changes(pull_request(), complete=False))).remedies
