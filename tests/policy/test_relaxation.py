"""What may relax what guards a branch, by whose leave, and what can never be meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.policy_file import read_policy
from policy.case import case
from policy.document import ExceptionKind
from policy.exceptions import Relaxation, objections, relaxation, title, why_not_ask
from policy.facts import Deed, ExceptionRecord, Question
from policy.finding import Standing
from policy.loosened import loosened
from policy.model import Human, Person
from policy.rules.exception import exception_allowed
from tests.policy.good import ALL_GOOD, but

POLICY = read_policy(Path(__file__).parents[2] / "deploy/policies/seed000.yaml").policy
AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
OMAR = Person("slack:T0ACME/U0OMAR", Human("omar"), "omar", roles=frozenset({"release_owner"}))
ASKED = ExceptionRecord(
    id="X-1",
    kind="relaxation",
    waives=frozenset(),
    environment="prod",
    service="web",
    digest=None,
    asked_by=OMAR,
    asked_at=AT,
    starts_at=AT,
    ends_at=AT + timedelta(hours=1),
    fields={"relax": "checks, reviews", "branch": "main", "pr": "#60", "reason": "x"},
)


def said(**fields: str) -> ExceptionRecord:
    return replace(ASKED, fields={**ASKED.fields, **fields})


def test_what_it_relaxes_is_read_from_what_was_said() -> None:
    assert relaxation(ASKED) == Relaxation("main", ("checks", "reviews"), 60)
    assert relaxation(said(pr="")) == Relaxation("main", ("checks", "reviews"), None)
    assert relaxation(replace(ASKED, waives=frozenset({"window"}))) is None
    assert objections(ASKED, POLICY) == ()
    assert title(ASKED, POLICY) == "Exception: checks, reviews of main relaxed for acme/app"
    assert title(said(**{"policy-reference": "1.21.3"}), POLICY) == "Exception: 1.21.3 for acme/app"


def test_no_pull_request_need_be_named() -> None:
    fields = {name: text for name, text in ASKED.fields.items() if name != "pr"}
    assert objections(replace(ASKED, fields=fields), POLICY) == ()


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (said(relax="force_push"), "relaxation may not relax force_push, only checks, up_to_date"),
        (said(relax=" "), "it says nothing that would be relaxed"),
        (replace(ASKED, fields={"reason": "x"}), "it says nothing that would be relaxed"),
        (said(branch=""), "prod has the branch main, and none was named"),
        (said(branch="stage"), "prod has the branch main, and stage was named"),
        (said(pr="sixty"), "sixty is no number of a pull request"),
        (replace(ASKED, service=None), "it must say for which service it is"),
        (replace(ASKED, environment="dev"), "dev has the branch Dev, and main was named"),
        (replace(ASKED, ends_at=None), "it must end, 4 h after it begins at the latest"),
        (replace(ASKED, ends_at=AT + timedelta(hours=4, seconds=1)), "it may last 4 h, and would last longer"),
    ],
)
def test_what_nobody_could_grant_is_said(record: ExceptionRecord, says: str) -> None:
    assert any(says in one for one in objections(record, POLICY)), objections(record, POLICY)


def test_what_may_be_relaxed_is_said_with_its_branch_and_its_end() -> None:
    asking = Question(Deed.EXCEPTION, "web", "prod", kind="relaxation")
    facts = but(ALL_GOOD, asked_by=OMAR, wanted=said(relax="checks"))
    finding = exception_allowed(case(asking, facts, POLICY, AT))
    assert (finding.standing, finding.reason) == (
        Standing.MET,
        "relaxation may relax checks of main until Sun 1 Mar 2026 11:00 UTC",
    )


def test_only_whom_it_names_may_ask() -> None:
    kind = POLICY.exceptions["relaxation"]
    assert why_not_ask(kind, OMAR) == ""
    assert why_not_ask(kind, replace(OMAR, roles=frozenset({"engineer"}))) == (
        "only release owner may ask for it, and omar is none"
    )
    assert why_not_ask(POLICY.exceptions["freeze_merge"], replace(OMAR, roles=frozenset())) == ""


RELAXES: dict[str, Any] = {"relaxes": ["checks"], "approvals": [{"role": "release_owner"}], "longest": "PT4H"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"waives": ["window"]}, "either waives rules or relaxes"),
        ({"relaxes": []}, "either waives rules or relaxes"),
        ({"longest": None}, "ends by the clock"),
        ({"uses": 1}, "ends by the clock"),
        ({"emergency": True}, "ends by the clock"),
        ({"relaxes": [], "waives": ["window"], "runbook": {"file": "a", "branch": "b"}}, "only what relaxes"),
    ],
)
def test_a_kind_that_makes_no_sense_is_refused(changed: dict[str, Any], says: str) -> None:
    ExceptionKind.model_validate(RELAXES)
    with pytest.raises(ValidationError, match=says):
        ExceptionKind.model_validate(RELAXES | changed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"relaxes": ("checks", "force_push")}, "it may relax force_push now"),
        ({"asked_by": ()}, "whoever may ask for exceptions may ask for it now"),
        ({"asked_by": ("release_owner", "engineer")}, "engineer may ask for it now"),
        ({"runbook": None}, "it is written down in no runbook any more"),
    ],
)
def test_a_kind_that_relaxes_more_is_a_loosening(changed: dict[str, Any], says: str) -> None:
    raw = POLICY.model_dump(mode="python", by_alias=True) | {"assumed": {}}
    raw["exceptions"]["relaxation"] |= {"relaxes": ("checks",)}
    strict = type(POLICY).model_validate(raw)
    raw["exceptions"]["relaxation"] |= changed
    loose = type(POLICY).model_validate(raw)
    assert [one.says for one in loosened(strict, loose, AT)] == [says]
    assert says not in [one.says for one in loosened(loose, strict, AT)]


def test_a_new_kind_that_relaxes_is_a_loosening() -> None:
    raw = POLICY.model_dump(mode="python", by_alias=True) | {"assumed": {}}
    raw["exceptions"]["guards"] = raw["exceptions"]["relaxation"] | {"relaxes": ("checks",)}
    (says,) = [one.says for one in loosened(POLICY, type(POLICY).model_validate(raw), AT)]
    assert says == "a new kind of exception, which may relax checks"
