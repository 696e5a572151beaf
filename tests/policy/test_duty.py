"""What is owed: by when, by whom, and what it stops once it is overdue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy import duty
from policy.document import Duty, Policy
from policy.facts import Facts, Obligation
from policy.finding import RemedyKind, Standing
from policy.model import AccountKind, Human, Person, Place, Unknown
from tests.policy.good import HOUR, NOW, OMAR, PROMOTION, RAJ, but, person
from tests.policy.people import (
    ACTIVE,
    CALM,
    DAY,
    FINE,
    TICK,
    URGENT,
    decided,
    emergency,
    exception,
    found,
    policy,
)

REVIEW = Duty(kind="review", says="review it", owner="release_manager", business_days=1, by_others=True)
HOLIDAYS = policy(calendars={"one": {"days": {"2026-03-09": "a holiday"}}, "two": {"days": {"2026-03-10": "another"}}})
FRIDAY = "2026-03-06T14:30"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DUE: list[tuple[str, dict[str, Any], str, Policy, str]] = [
    ("a Friday's is due on Monday", {}, FRIDAY, ACTIVE.policy, "2026-03-09T16:00"),
    ("late on Friday too", {}, "2026-03-06T22:59", ACTIVE.policy, "2026-03-09T16:00"),
    ("in the policy's zone it is Saturday", {}, "2026-03-06T23:00", ACTIVE.policy, "2026-03-09T16:00"),
    ("a Saturday's", {}, "2026-03-07T10:00", ACTIVE.policy, "2026-03-09T16:00"),
    ("a Sunday's", {}, "2026-03-08T10:00", ACTIVE.policy, "2026-03-09T16:00"),
    ("a Monday's is due on Tuesday", {}, "2026-03-09T10:00", ACTIVE.policy, "2026-03-10T16:00"),
    ("over days of any calendar", {}, FRIDAY, HOLIDAYS.policy, "2026-03-11T16:00"),
    ("three days later", {"business_days": 3}, FRIDAY, ACTIVE.policy, "2026-03-11T16:00"),
    ("six days later", {"business_days": 6}, FRIDAY, ACTIVE.policy, "2026-03-16T16:00"),
    ("on the same day", {"business_days": 0}, FRIDAY, ACTIVE.policy, "2026-03-06T16:00"),
    ("its hour has come", {"business_days": 0}, "2026-03-06T16:00", ACTIVE.policy, "2026-03-09T16:00"),
    ("just before its hour", {"business_days": 0}, "2026-03-06T15:59", ACTIVE.policy, "2026-03-06T16:00"),
    ("on a day that is none", {"business_days": 0}, "2026-03-07T10:00", ACTIVE.policy, "2026-03-09T16:00"),
    ("at another hour", {"by": "09:30"}, FRIDAY, ACTIVE.policy, "2026-03-09T08:30"),
    ("at the end of the day", {"by": "24:00"}, FRIDAY, ACTIVE.policy, "2026-03-09T23:00"),
    ("over the change of the clock", {}, "2026-03-27T12:00", ACTIVE.policy, "2026-03-30T15:00"),
    ("in another zone", {}, FRIDAY, policy(timezone="America/New_York").policy, "2026-03-09T21:00"),
]


@pytest.mark.requirement("S4-154")
@pytest.mark.parametrize(
    ("changes", "began_at", "rules", "due_at"), [row[1:] for row in DUE], ids=[row[0] for row in DUE]
)
def test_it_is_due_at_that_hour_of_that_business_day(
    changes: dict[str, Any], began_at: str, rules: Policy, due_at: str
) -> None:
    owed = REVIEW.model_copy(update=changes)
    assert duty.due_at(owed, moment(began_at), rules) == moment(due_at)


def test_or_so_long_after_it_began() -> None:
    within = Duty(kind="validation", says="attach the run", owner="qa", within=timedelta(hours=24))
    assert duty.due_at(within, moment(FRIDAY), ACTIVE.policy) == moment(FRIDAY) + DAY


def test_it_is_due_after_it_began_whatever_the_day() -> None:
    for days in range(3):
        owed = REVIEW.model_copy(update={"business_days": days})
        for hour in range(24 * 8):
            began_at = moment(FRIDAY) + hour * HOUR
            assert began_at < duty.due_at(owed, began_at, ACTIVE.policy) <= began_at + (days + 4) * DAY


OWED = Obligation(
    id="O-1",
    kind="review",
    about="E-1",
    service="checkout",
    environment="prod",
    owner="release_manager",
    due_at=NOW,
    says="review the emergency",
    takers=frozenset({Human("omar")}),
)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (OMAR, "took part, so cannot settle it"),
        (person("olga", "release_manager"), ""),
        (RAJ, "is no release manager"),
        (person("olga", "release_manager", active=False), "is not active any more"),
        (person("ci", "release_manager", kind=AccountKind.BOT), "is a bot; only humans agree"),
        (
            Person("slack:T0ACME/U9", None, "x", roles=frozenset({"release_manager"})),
            "is linked to nobody that the policy knows",
        ),
    ],
)
def test_who_holds_the_role_and_took_no_part_settles_it(who: Person, why: str) -> None:
    assert duty.why_not(OWED, who) == why


def test_a_human_can_owe_it_by_name() -> None:
    mine = replace(OWED, owner="raj")
    assert duty.why_not(mine, RAJ) == ""
    assert duty.why_not(mine, person("olga", "release_manager")) == "is no raj"


def test_an_exception_owes_what_its_kind_says_once_it_is_granted() -> None:
    (owed,) = duty.of_exception(exception(), ACTIVE.policy)
    assert (owed.about, owed.kind, owed.owner, owed.service) == ("X-4", "remediation", "engineer", "checkout")
    assert owed.due_at == NOW - HOUR + 7 * DAY
    assert owed.takers == frozenset(), "who took part may do it"
    assert duty.of_exception(exception(granted_at=None), ACTIVE.policy) == ()
    assert duty.of_exception(exception(kind="gone"), ACTIVE.policy) == ()
    by_others = policy(
        exceptions={
            "temporary": {
                "waives": ["unit"],
                "approvals": [{"role": "tech_lead"}],
                "owes": [REVIEW.model_dump(exclude_none=True), REVIEW.model_dump(exclude_none=True)],
            }
        }
    )
    unlinked = replace(RAJ, human=None)
    one, other = duty.of_exception(exception(service=None, granted_by=(RAJ, unlinked)), by_others.policy)
    assert one.takers == {"maya", "raj"}, "an account of nobody took no part as anybody"
    assert one.service is None
    assert one.id != other.id


# What it stops --------------------------------------------------------------------------------------------------------


def owing(*these: Obligation, **changes: Any) -> Facts:
    return but(FINE, **{"obligations": these, **changes})


STOPS: list[tuple[str, dict[str, Any], bool]] = [
    ("due right now", {}, True),
    ("due in a moment", {"due_at": NOW + TICK}, False),
    ("due a moment ago", {"due_at": NOW - TICK}, True),
    ("another service's", {"service": "search"}, False),
    ("every service's", {"service": None}, True),
    ("settled", {"settled_at": NOW - HOUR}, False),
    ("settled right now", {"settled_at": NOW}, False),
    ("settled in a moment", {"settled_at": NOW + TICK}, True),
    ("one that blocks nothing", {"blocks": False}, False),
    ("from another environment", {"environment": "stage"}, True),
]


@pytest.mark.parametrize(("changes", "stops"), [row[1:] for row in STOPS], ids=[row[0] for row in STOPS])
def test_what_is_overdue_stops_ordinary_changes_of_production(changes: dict[str, Any], stops: bool) -> None:
    facts = owing(replace(OWED, **changes))
    assert (found("nothing-overdue", decided(facts=facts)).standing is Standing.UNMET) is stops
    assert decided(facts=facts).allowed is not stops


def test_it_names_what_is_owed_since_when_from_whom_and_who_may_settle_it() -> None:
    later = replace(OWED, id="O-2", due_at=NOW - HOUR, says="attach the run", owner="engineer", takers=frozenset())
    finding = found("nothing-overdue", decided(facts=owing(OWED, later)))
    assert finding.reason == (
        "attach the run (O-2, from E-1) was due on Tue 24 Nov 2026 09:00 CET from engineer; "
        "review the emergency (O-1, from E-1) was due on Tue 24 Nov 2026 10:00 CET from release manager"
    )
    (advice,) = finding.remedies
    assert advice.kind is RemedyKind.SETTLE
    assert advice.says == "settle O-2 and O-1 (lea, maya, olga or raj may)"


def test_where_nobody_is_left_who_may_settle_it_no_help_is_promised() -> None:
    facts = owing(replace(OWED, takers=frozenset({Human("omar"), Human("olga")})))
    assert found("nothing-overdue", decided(facts=facts)).remedies == ()


def test_emergencies_and_other_environments_do_not_wait_for_it() -> None:
    facts = owing(OWED, emergency=emergency())
    assert found("nothing-overdue", decided(URGENT, facts)).standing is Standing.NOT_APPLICABLE
    to_stage = replace(PROMOTION, source="dev", target="stage")
    assert found("nothing-overdue", decided(to_stage, facts)).standing is Standing.NOT_APPLICABLE


def test_where_it_is_not_known_what_is_owed_nothing_goes() -> None:
    facts = but(FINE, obligations=Unknown("the books do not answer"))
    finding = found("nothing-overdue", decided(facts=facts))
    assert (finding.standing, finding.reason) == (Standing.UNKNOWN, "the books do not answer")


def test_where_nothing_can_ever_be_owed_nothing_is_looked_for() -> None:
    never = policy(emergency=None, exceptions={}, may=CALM.policy.may.model_dump(exclude={"emergency", "exception"}))
    assert "nothing-overdue" not in {finding.rule for finding in decided(active=never).findings}


def test_a_record_that_was_opened_in_a_hurry_is_to_be_completed_with_the_first_that_an_emergency_owes() -> None:
    rules, place = ACTIVE.policy, Place("checkout", "prod")
    (owed,) = duty.to_complete("E-1", ("incident", "scope"), place, NOW, rules)
    review, validation = duty.of_emergency("E-1", place, NOW, (OMAR,), rules)
    assert owed.says == "the record of E-1 was completed with incident and scope"
    assert (owed.kind, owed.about, owed.due_at, owed.owner) == ("record", "E-1", review.due_at, review.owner)
    assert (owed.takers, review.takers) == (frozenset(), frozenset({OMAR.human}))
    assert owed.due_at != validation.due_at
    assert duty.to_complete("E-1", (), place, NOW, rules) == ()
    assert duty.to_complete("E-1", ("incident",), place, NOW, CALM.policy) == ()
    assert duty.of_emergency("E-1", place, NOW, (OMAR,), CALM.policy) == ()
    assert len({owed.id, review.id, validation.id}) == 3
    assert all(len(each.id) == len("O-") + 10 for each in (owed, review, validation))


# Of hotfixes --------------------------------------------------------------------------------------------------------


def test_for_each_branch_that_must_get_a_fix_something_is_owed_of_its_own() -> None:
    owes = {"kind": "forward-port", "says": "the hotfix is merged", "owner": "engineer", "business_days": 1}
    place, began = Place("checkout", "prod"), moment(FRIDAY)
    fixing = policy(hotfix={"owes": owes}).policy
    into_main = duty.of_hotfix("op_1", place, "5c1d234 into main", began, fixing)
    into_old = duty.of_hotfix("op_1", place, "5c1d234 into release/1.4", began, fixing)
    assert into_main is not None
    assert into_old is not None
    assert (into_main.says, into_main.about) == ("the hotfix is merged: 5c1d234 into main", "op_1")
    assert into_main.id != into_old.id
    assert into_main.due_at == moment("2026-03-09T16:00")
    assert duty.of_hotfix("op_1", place, "5c1d234 into main", began, ACTIVE.policy) is None
