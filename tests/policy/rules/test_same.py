"""Is it what serves there?"""

from __future__ import annotations

from typing import Any

import pytest

from policy.evidence import Built
from policy.facts import Candidate
from policy.finding import Standing
from policy.model import Sha
from tests.policy.good import COMMIT, NEW, OLD, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

OTHER = Sha("b3" + "0" * 38)
TREE, OTHER_TREE = "7ee" + "0" * 37, "7ef" + "0" * 37


@pytest.mark.requirement("S1-16", "S1-34", "S2-11", "S4-081", "S4-082", "S4-127")
@pytest.mark.parametrize(
    ("by", "built", "standing", "reason"),
    [
        ("digest", {"stage": Built(digest=NEW)}, MET, "stage serves the same digest, aaaaaaaaaaaa"),
        (
            "digest",
            {"stage": Built(digest=OLD)},
            UNMET,
            "stage serves bbbbbbbbbbbb, and the candidate is another digest, aaaaaaaaaaaa",
        ),
        ("digest", {"stage": Built(commit=COMMIT)}, UNKNOWN, "it is not known which digest stage serves"),
        ("digest", {"dev": Built(digest=NEW)}, UNKNOWN, "it is not known which digest stage serves"),
        ("commit", {"stage": Built(commit=COMMIT)}, MET, "stage serves the same commit, 9f1c2ab"),
        (
            "commit",
            {"stage": Built(commit=OTHER, digest=NEW)},
            UNMET,
            "stage serves b300000, and the candidate is another commit, 9f1c2ab",
        ),
        ("tree", {"stage": Built(tree=TREE, commit=OTHER)}, MET, "stage serves the same tree, 7ee0000"),
        (
            "tree",
            {"stage": Built(tree=OTHER_TREE, commit=COMMIT)},
            UNMET,
            "stage serves 7ef0000, and the candidate is another tree, 7ee0000",
        ),
        ("digest", GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_tree_commit_or_digest_are_the_same(by: str, built: Any, standing: Standing, reason: str) -> None:
    finding = judged(gate("same", by=by, environment="stage"), seeing(built=built, tree=TREE))
    assert (finding.standing, finding.reason) == (standing, reason)


def test_what_the_candidate_is_must_be_known() -> None:
    built = {"stage": Built(NEW, COMMIT, TREE)}
    assert judged(gate("same", by="tree", environment="stage"), seeing(built=built, tree=GONE)).standing is UNKNOWN
    unbuilt = seeing(but(candidate=Candidate(NEW, GONE)), built=built)
    assert judged(gate("same", by="commit", environment="stage"), unbuilt).standing is UNKNOWN
    assert judged(gate("same", by="digest", environment="stage"), unbuilt).standing is MET


@pytest.mark.requirement("S4-081")
def test_no_exception_lets_something_else_through() -> None:
    assert gate("same", by="digest", environment="stage").waivable == "never"


def test_what_would_help_changes_only_what_must_be_the_same() -> None:
    facts = seeing(built={"stage": Built(OLD, COMMIT), "prod": Built(OLD)})
    (remedy,) = judged(gate("same", by="digest", environment="stage"), facts).remedies
    assert remedy.says == "stage serves aaaaaaaaaaaa"
    assert remedy.applied is not None
    assert remedy.applied(facts).evidence.built == {"stage": Built(NEW, COMMIT), "prod": Built(OLD)}
