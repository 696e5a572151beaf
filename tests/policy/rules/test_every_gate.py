"""What holds for gates of every kind, whatever the facts."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from inspect import getsource
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.document import Policy
from policy.evidence import Evidence
from policy.facts import Candidate, Facts
from policy.finding import BLOCKING
from policy.gates import GATES, AnyGate
from policy.model import Digest, Human, Sha, Unknown
from policy.rulebook import KINDS
from tests.policy.good import ALL_GOOD, COMMIT, DOCUMENT, MAYA, NEW, NOW, OLD, but
from tests.policy.over import over
from tests.policy.rules.judging import UNKNOWN, gate, judged

DAY = timedelta(days=1)

EXAMPLES: Mapping[str, AnyGate] = {
    example.kind: example
    for example in (
        gate("checks", names=["build"], optional=["lint"], excused={"dast": "no-dast"}, max_attempts=2, max_age="P1D"),
        gate("workflow", workflow="build", inputs={"MODE": "stage"}, max_age="P1D"),
        gate("reviews", at_least=2, codeowners=True),
        gate(
            "branch",
            require=[
                "pull_requests_only",
                "up_to_date",
                "protected",
                "no_forbidden_targets",
                "naming",
                "no_merge_commits",
                "on_source",
                "cherry_picks_only",
                "no_late_features",
                "cut_from_production",
                "green",
                "merged_green",
                "signed_commits",
            ],
            names=["^stage$", "^build→stage$"],
            forbid=["stage→**"],
        ),
        gate("fast_forward"),
        gate("same", by="digest", environment="stage"),
        gate("soak", environment="stage", lasts="P1D"),
        gate("number", report="build", op=">=", value=90, unit="%", max_age="P1D"),
        gate("signal", signal="build", op="<", value=200, unit="ms", max_age="P1D"),
        gate("alerts", sources=["build"], at_most={"high": 0}, max_age="P1D"),
        gate("probe", probes="smoke", environment="stage", max_age="P1D"),
        gate("settings", environments=["stage", "prod"]),
        gate("parity", left="stage", right="prod", shape=["build"]),
        gate("tag", pattern=r"^v\d+\.\d+\.\d+$", signed=True, created_by=["build"], semver=True),
        gate("signature", subjects=["tag", "image"], signed_by=["build"]),
        gate("evidence", items=["build"], max_age="P1D"),
        gate("attestation", predicates=["build"], builders=["stage"]),
        gate("record", fields=["summary"]),
        gate("checklist", checklist="go"),
        gate("signoff", role="tech_lead"),
        gate("issues", labels=["build"], at_most=1),
        gate("rollback_ready"),
        gate("database", allows=["build"], down_required=True, contract_after="P1D"),
        gate("flags"),
        gate("image", names=["build"]),
        gate("pull_request", fields=["build"], one_of=["stage", "prod"]),
        gate("attest", statement="Nothing else changed", by=["requester", "approver"]),
        gate("lost_changes", look_for=["hotfix", "reverted_promotion"]),
        gate("manifest"),
        gate("order", environment="stage", max_age="P1D"),
        gate("repository", files=["build"], owned=["stage"], touched=["build"], untouched=["prod"]),
    )
}
"""One gate of each kind that asks for as much as it can."""

POLICY = Policy.model_validate(
    {
        **DOCUMENT,
        "probes": {"smoke": [{"path": "/health"}]},
        "checklists": {"go": [{"id": "told", "text": "Everybody was told", "by": "requester"}]},
    }
)
OF_PEOPLE = {"record", "attest", "checklist", "signoff"}
"""They ask what somebody said: that nobody said it is known."""
WAITING = Unknown("the {} says {0} and {nothing}")
"""What comes from outside may look like a template."""


def all_kinds() -> list[Any]:
    return [pytest.param(kind, id=kind) for kind in KINDS]


def test_each_kind_has_an_example_and_a_rule() -> None:
    assert KINDS.keys() == GATES.keys() == EXAMPLES.keys()


@pytest.mark.requirement("S4-013", "D-04")
@pytest.mark.parametrize("kind", all_kinds())
def test_where_nobody_looked_it_blocks_and_says_so(kind: str) -> None:
    finding = judged(EXAMPLES[kind], Facts(MAYA, NOW), policy=POLICY)
    assert finding.standing in BLOCKING
    assert finding.standing is UNKNOWN or kind in OF_PEOPLE


@pytest.mark.requirement("S4-013", "D-04")
@pytest.mark.parametrize("kind", all_kinds())
def test_where_nothing_answers_it_is_unknown_and_says_why(kind: str) -> None:
    silent: dict[str, Any] = {field.name: WAITING for field in fields(Evidence) if field.name != "alerts_at"}
    gone = Evidence(**silent)
    finding = judged(EXAMPLES[kind], but(evidence=gone, checks=WAITING), policy=POLICY)
    if kind not in OF_PEOPLE:
        assert (finding.standing, finding.remedies) == (UNKNOWN, ())
        assert WAITING.why in finding.reason


# Whatever the evidence ----------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *("", "build", "lint", "dast", "stage", "prod", "tag", "image", "hotfix", "reverted_promotion", "smoke@stage"),
        *("v1.4.2", "v1.4.3", "v2.0.0", "verified", "deployed", "{}", "{0} {x}"),
    ]
)
MOMENTS = st.sampled_from([NOW, NOW - DAY, NOW - DAY + timedelta(microseconds=1), NOW - 9 * DAY, NOW + DAY])
SIMPLE: Mapping[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(0, 3),
    float: st.sampled_from([0.0, 89.99, 90.0, 199.9, 200.0]),
    bool: st.booleans(),
    datetime: MOMENTS,
    NoneType: st.none(),
    Digest: st.sampled_from([NEW, OLD]),
    Sha: st.sampled_from([COMMIT, Sha("e5" + "0" * 38)]),
    Human: st.sampled_from([Human("maya"), Human("raj")]),
    Unknown: st.just(WAITING),
}


@cache
def anything(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of that type, out of a few that gates look for and some that look like templates."""
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    inner = [part for part in get_args(annotation) if part is not Ellipsis]
    match get_origin(annotation):
        case origin if origin in {Union, UnionType}:
            return st.one_of(*map(anything, inner))
        case origin if origin in {tuple, frozenset}:
            return st.lists(anything(inner[0]), max_size=2).map(origin)
        case origin if origin is not None and issubclass(origin, Mapping):
            return st.dictionaries(anything(inner[0]), anything(inner[1]), max_size=4)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    assert isinstance(annotation, type)
    assert is_dataclass(annotation)
    hints = get_type_hints(annotation)
    return st.builds(annotation, **{field.name: anything(hints[field.name]) for field in fields(annotation)})


EVIDENCE_HINTS = get_type_hints(Evidence)
LOOKS_AT = {
    kind: [name for name in EVIDENCE_HINTS if re.search(rf"\b{name}\b", getsource(sys.modules[how.rule.__module__]))]
    for kind, how in KINDS.items()
}
"""Kind → the evidence that its module speaks of."""
FIELDS = st.dictionaries(st.sampled_from(["summary", "no-dast"]), WORDS)


@pytest.mark.parametrize("kind", all_kinds())
@over(100)
@given(data=st.data())
def test_whatever_the_facts_nothing_raises_and_what_would_help_does(kind: str, data: st.DataObject) -> None:
    """`judged` renders the finding, and tries each of its remedies."""
    evidence = Evidence(**{name: data.draw(anything(EVIDENCE_HINTS[name]), name) for name in LOOKS_AT[kind]})
    facts = replace(
        ALL_GOOD,
        evidence=evidence,
        checks=data.draw(anything(get_type_hints(Facts)["checks"]), "checks"),
        candidate=data.draw(st.sampled_from([ALL_GOOD.candidate, Candidate(NEW, WAITING), WAITING]), "candidate"),
        fields=data.draw(FIELDS, "fields"),
        confirmed=data.draw(st.sampled_from([frozenset(), frozenset({"the-gate", "go.told"})]), "confirmed"),
    )
    finding = judged(EXAMPLES[kind], facts, policy=POLICY)
    assert finding == judged(EXAMPLES[kind], facts, policy=POLICY)
