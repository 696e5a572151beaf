"""Branches that the change came by, one fact at a time."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from policy.document import Policy
from policy.evidence import Branches, Changes, Commit, PullRequest
from policy.finding import Standing
from policy.gates import BranchGate
from policy.model import Sha, Unknown
from policy.rules.branch import of_proposals, of_the_range
from tests.policy.good import COMMIT, DOCUMENT, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

STAGE_TO_MAIN = Policy.model_validate(
    {
        **DOCUMENT,
        "environments": {
            "dev": {"rank": 0, "branch": "Dev"},
            "stage": {"rank": 1, "branch": "stage"},
            "prod": {"rank": 2, "production": True, "branch": "main"},
        },
    }
)
"""stage→prod leads from the branch `stage` to the branch `main`."""


def sha(start: str) -> Sha:
    return Sha(start + "0" * (40 - len(start)))


def pull_request(number: int, head: str, base: str, **more: Any) -> PullRequest:
    return PullRequest(number, "a change", head=head, base=base, **more)


def commit(start: str, by: int | None = 12, **more: Any) -> Commit:
    return Commit(sha(start), "a change", pull_request=by, **more)


def found(branches: Any = None, changes: Any = None, facts: Any = None, **asked: Any) -> tuple[Standing, str]:
    evidence = {"branches": branches or Branches(), "changes": changes or Changes(branch="main")}
    finding = judged(gate("branch", **asked), seeing(facts or but(), **evidence), policy=STAGE_TO_MAIN)
    return finding.standing, finding.reason


HELD: list[tuple[str, Branches, str]] = [
    (
        "protected",
        Branches(unprotected={"stage": ("direct push allowed",)}),
        "stage is not protected: direct push allowed",
    ),
    (
        "protected",
        Branches(unprotected={"main": ("allow_force_pushes", "allow_deletions")}),
        "main is not protected: allow_force_pushes, allow_deletions",
    ),
    (
        "protected",
        Branches(unprotected={"main": ("integration-test is not required any more",)}),
        "main is not protected: integration-test is not required any more",
    ),
    (
        "up_to_date",
        Branches(behind=(sha("c0ffee1"),)),
        "stage is behind main by 1 commit (c0ffee1) that no promotion merged",
    ),
    (
        "up_to_date",
        Branches(behind=(sha("c0ffee1"),), strict=True),
        "stage is behind main by 1 commit (c0ffee1) and its protection takes nothing that is",
    ),
    (
        "up_to_date",
        Branches(behind=(sha("c0ffee1"),), strict=GONE),
        "stage is behind main by 1 commit (c0ffee1) that no promotion merged",
    ),
    (
        "no_merge_commits",
        Branches(merge_commits=(sha("abc"), sha("abd"))),
        "main holds merges that stage lacks: 2 commits (abc0000, abd0000)",
    ),
    ("on_source", Branches(not_on_source=(sha("e5"),)), "main holds 1 commit (e500000) that stage lacks"),
    (
        "on_source",
        Branches(not_on_source=(COMMIT, sha("e5"))),
        "stage does not hold the candidate, 9f1c2ab; main holds 1 commit (e500000) that stage lacks",
    ),
    (
        "cherry_picks_only",
        Branches(not_picked=(sha("5c1d"),)),
        "taken after the cut-off without a cherry-pick: 1 commit (5c1d000)",
    ),
    ("no_late_features", Branches(late_features=("#140",)), "features taken after the cut-off: #140"),
    (
        "cut_from_production",
        Branches(not_from_production=tuple(sha(f"a{n:x}") for n in range(12))),
        "it holds 12 commits (a000000, a100000, a200000, a300000, a400000 and 7 more) that production lacks and the fix does not need",
    ),
    (
        "cut_from_production",
        Branches(not_from_production=tuple(sha(f"a{n:x}") for n in range(5))),
        "it holds 5 commits (a000000, a100000, a200000, a300000, a400000) that production lacks and the fix does not need",
    ),
    ("green", Branches(red=("unit-test",)), "unit-test fails on the head of stage"),
]


@pytest.mark.requirement(
    "S0-02",
    "S0-08",
    "S0-09",
    "S0-10",
    "S1-01",
    "S1-02",
    "S1-25",
    "S4-029",
    "S4-030",
    "S4-041",
    "S4-107",
    "S4-166",
    "S4-189",
    "S4-192",
)
@pytest.mark.parametrize(("word", "branches", "reason"), HELD)
def test_what_is_wrong_with_a_branch_is_named(word: str, branches: Branches, reason: str) -> None:
    assert found(branches, require=[word]) == (UNMET, reason)
    assert found(Branches(), require=[word])[0] is MET
    assert found(GONE, require=[word]) == (UNKNOWN, "it does not answer")
    others = {each for each, _, _ in HELD} - {word}
    assert found(branches, require=sorted(others))[0] is MET, "nothing else is said of it"


CAME: list[tuple[dict[str, Any], Changes, str]] = [
    (
        {"require": ["pull_requests_only"]},
        Changes((commit("9f1c"), commit("d1e2", None))),
        "d1e2000 came by no pull request",
    ),
    (
        {"require": ["no_forbidden_targets"], "forbid": ["feature/**→stage", "feature/**→main", "Dev→main"]},
        Changes(pull_requests=(pull_request(41, "feature/x", "main"), pull_request(42, "feature/y", "Dev"))),
        "#41 went where it must not: feature/x→main",
    ),
    (
        {"require": ["no_forbidden_targets"], "forbid": ["feature/**→stage", "Dev→main"]},
        Changes(pull_requests=(pull_request(43, "Dev", "main"),)),
        "#43 went where it must not: Dev→main",
    ),
    (
        {"require": ["merged_green"]},
        Changes(pull_requests=(pull_request(14, "feature/x", "main", failed=("unit-test",)),)),
        "#14 was merged although unit-test had not passed",
    ),
    (
        {"require": ["signed_commits"]},
        Changes((commit("9f1c", verified=True), commit("aa"), commit("ab"))),
        "no verified signature on 2 commits (aa00000, ab00000)",
    ),
]


@pytest.mark.requirement("S0-05", "S0-06", "S4-014", "S4-038", "S4-043", "S4-044", "S4-176")
@pytest.mark.parametrize(("asked", "changes", "reason"), CAME)
def test_what_is_wrong_with_what_came_by_it_is_named(asked: dict[str, Any], changes: Changes, reason: str) -> None:
    assert found(changes=changes, **asked) == (UNMET, reason)
    clean = Changes((commit("9f1c", verified=True),), (pull_request(44, "feature/z", "Dev"),))
    assert found(changes=clean, **asked)[0] is MET
    assert found(changes=GONE, **asked) == (UNKNOWN, "it does not answer")
    cut = Changes(clean.commits, clean.pull_requests, complete=False)
    assert found(changes=cut, **asked)[0] is UNKNOWN
    finding = judged(gate("branch", **asked), seeing(changes=changes, branches=Branches()))
    assert not finding.remedies, "what was merged was merged; only another candidate helps"


NAMES = [
    r"^main$",
    r"^feature/[A-Z]+-[0-9]+-[a-z0-9-]+→main$",
    r"^release/[0-9]+\.[0-9]+$",
    r"^hotfix/[0-9]+\.[0-9]+\.[0-9]+-[A-Z]+-[0-9]+$",
    r"^chore/[A-Z]+-[0-9]+-[a-z0-9-]+$",
    r"^backport/[A-Z]+-[0-9]+-to-([0-9]+\.[0-9]+)→release/\1$",
]


@pytest.mark.requirement("S4-045", "S4-047", "S4-048", "S4-049")
@pytest.mark.parametrize(
    ("head", "base", "standing"),
    [
        ("feature/PROJ-1234-add-invoice-export", "main", MET),
        ("feature/add-export", "main", UNMET),
        ("feature/PROJ-1234-add-invoice-export", "release/1.8", UNMET),
        ("hotfix/1.8.3-PROJ-8821", "release/1.8", MET),
        ("hotfix/1.4.3-INC12345", "release/1.4", UNMET),
        ("chore/ABC-555-dep-bump", "main", MET),
        ("backport/ABC-9-to-1.6", "release/1.6", MET),
        ("backport/ABC-9-to-1.6", "release/1.7", UNMET),
        ("feature/PROJ-1234-add-invoice-export\n", "main", UNMET),
    ],
)
def test_branches_are_called_as_the_policy_says(head: str, base: str, standing: Standing) -> None:
    changes = Changes(pull_requests=(pull_request(13, head, base),), branch="main")
    seen, reason = found(changes=changes, require=["naming"], names=NAMES)
    assert seen is standing
    if standing is UNMET:
        assert reason == f"#13 came by a branch that is not called as it must be: {head}→{base}"


@pytest.mark.requirement("S4-046")
@pytest.mark.parametrize(
    ("branch", "standing", "reason"),
    [
        ("release/1.8", MET, None),
        ("release/1.8.0", UNMET, "release/1.8.0 is no name for a branch to promote from"),
        ("main", MET, None),
        ("", UNMET, "it is not known which branch it was built from"),
    ],
)
def test_so_is_the_one_that_the_candidate_comes_from(branch: str, standing: Standing, reason: str | None) -> None:
    seen, says = found(changes=Changes(branch=branch), require=["naming"], names=NAMES)
    assert seen is standing
    assert reason is None or says == reason


def test_what_is_wrong_and_what_is_not_known_block_together_and_what_is_wrong_is_said() -> None:
    wrong = Branches(unprotected={"main": ("direct push allowed",)})
    assert found(wrong, GONE, require=["protected", "merged_green"]) == (
        UNMET,
        "main is not protected: direct push allowed",
    )
    finding = judged(gate("branch", require=["protected", "merged_green"]), seeing(branches=wrong, changes=GONE))
    assert not finding.remedies, "nobody knows whether protecting it would do"


def test_of_what_is_not_known_the_first_is_said() -> None:
    unknown = {"branches": GONE, "changes": Unknown("nor these")}
    assert found(**unknown, require=["protected", "naming"], names=["x"]) == (UNKNOWN, "it does not answer")
    assert found(**unknown, require=["naming", "protected"], names=["x"]) == (UNKNOWN, "nor these")


def test_what_is_wrong_with_those_that_could_be_read_is_said_though_more_there_are() -> None:
    some = Changes(commits=(commit("c3", by=None),), complete=False, branch="main")
    assert found(changes=some, require=["pull_requests_only"])[0] is UNMET
    assert found(changes=Changes(complete=False, branch="main"), require=["pull_requests_only"])[0] is UNKNOWN


def test_several_things_that_can_be_mended_are_one_remedy() -> None:
    wrong = Branches(unprotected={"main": ("direct push allowed",)}, red=("unit-test",), behind=(sha("c0"),))
    (remedy,) = judged(gate("branch", require=["protected", "green"]), seeing(branches=wrong)).remedies
    assert remedy.says == "the branches are protected as the policy wants and the head of the source is green again"
    assert not judged(gate("branch", require=["protected", "up_to_date"]), seeing(branches=wrong)).remedies


def test_what_was_seen_is_said() -> None:
    assert found(require=["protected", "up_to_date"]) == (MET, "seen on the branches: protected and up to date")


@pytest.mark.parametrize(
    "asked",
    [{"require": ["naming"]}, {"require": ["no_forbidden_targets"]}, {"require": ["green"], "names": ["^main$"]}],
)
def test_names_without_naming_and_naming_without_names_are_mistakes(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="go together"):
        gate("branch", **asked)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (GONE, "stage is behind prod by 1 commit (c000000) that no promotion merged"),
        (Changes(), "stage is behind prod by 1 commit (c000000) that no promotion merged"),
        (Changes(branch="main"), "main is behind prod by 1 commit (c000000) that no promotion merged"),
    ],
)
def test_where_no_branch_is_named_the_candidates_or_the_environment_stands_for_it(changes: Any, reason: str) -> None:
    seen = seeing(branches=Branches(behind=(sha("c0"),)), changes=changes)
    assert judged(gate("branch", require=["up_to_date"]), seen).reason == reason


def test_what_is_in_order_is_not_blamed_and_keeps_nothing_else_from_being_mended() -> None:
    asked = gate("branch", require=["pull_requests_only", "up_to_date", "protected"])
    open_main = Branches(unprotected={"main": ("direct push allowed",)})
    finding = judged(asked, seeing(branches=open_main, changes=Changes(branch="main")), policy=STAGE_TO_MAIN)
    assert (finding.standing, finding.reason) == (UNMET, "main is not protected: direct push allowed")
    assert [remedy.says for remedy in finding.remedies] == ["the branches are protected as the policy wants"]


def test_what_is_in_order_does_not_make_known_what_is_not() -> None:
    cut_short = Changes(branch="main", complete=False)
    assert found(require=["protected", "pull_requests_only"], changes=cut_short)[0] is UNKNOWN


def asks(**says: Any) -> BranchGate:
    asked = gate("branch", **says)
    assert isinstance(asked, BranchGate)
    return asked


def test_what_came_is_looked_at_whatever_branch_it_is_promoted_from() -> None:
    """By the daily look: neither what its branch is called, nor what only its host knows, is asked there."""
    came = Changes(commits=(commit("c3", by=None),), pull_requests=(pull_request(12, "x", "main"),))
    every = asks(require=["pull_requests_only", "naming", "protected"], names=["^stage$"])
    assert of_the_range(every, came) == ("c300000 came by no pull request",)
    assert of_the_range(asks(require=["naming", "protected"], names=["^stage$"]), came) == ()


def test_of_an_open_pull_request_it_is_looked_at_where_it_goes_and_how_its_branch_is_called() -> None:
    odd = Changes(pull_requests=(pull_request(12, "x", "main"),))
    named = asks(require=["naming"], names=["^feature/.*"])
    kept = asks(require=["no_forbidden_targets"], forbid=["*→main"])
    assert of_proposals(named, odd) == ("#12 came by a branch that is not called as it must be: x→main",)
    assert of_proposals(kept, odd) == ("#12 went where it must not: x→main",)
    assert of_proposals(asks(require=["protected"]), odd) == ()
    assert of_proposals(named, Changes(pull_requests=(pull_request(12, "feature/x", "main"),))) == ()
