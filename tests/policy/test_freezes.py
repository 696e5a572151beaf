"""Freezes: people's and the calendar's, until when they hold, who lets a promotion through, and how one is declared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy import freezes
from policy.case import Case, case
from policy.decide import decide
from policy.document import ActivePolicy
from policy.evidence import Authors
from policy.facts import Facts, Freeze, Verdict
from policy.finding import Decision, RemedyKind, Standing
from policy.model import Human, Place, Unknown
from policy.rules.freeze import in_the_way
from tests.policy.good import GOOD_ROLLBACK, HOUR, INES, MAYA, NOW, OLGA, OMAR, PROMOTION, ROLLBACK, but, vote
from tests.policy.people import (
    ACTIVE,
    DANA,
    DAY,
    EVERYBODY,
    FINE,
    FREEZING,
    TICK,
    decided,
    found,
    freeze,
    policy,
    wanted,
)

MET, UNMET = Standing.MET, Standing.UNMET
MINUTE = timedelta(minutes=1)


def frozen(*these: Freeze, **changes: Any) -> Facts:
    return but(FINE, **{"freezes": these, **changes})


# People's -------------------------------------------------------------------------------------------------------------


UTC_POLICY = policy(timezone="UTC")
MARCH_2 = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.requirement("S0-21")
def test_it_blocks_until_its_end_and_says_which_it_is() -> None:
    facts = frozen(freeze(starts_at=MARCH_2 - 3 * DAY, ends_at=MARCH_2))
    for at, standing in ((MARCH_2 - 3 * DAY - TICK, MET), (MARCH_2 - 3 * DAY, UNMET), (MARCH_2, MET)):
        assert found("no-freeze", decide(PROMOTION, facts, UTC_POLICY, at)).standing is standing
    finding = found("no-freeze", decide(PROMOTION, facts, UTC_POLICY, MARCH_2 - TICK))
    assert finding.standing is UNMET
    says = "ines froze prod until Mon 2 Mar 2026 00:00 UTC, or the books are closed: month end (F-7)"
    assert finding.reason == says


FREEZES = [
    ("prod, every service", {}, {"checkout→prod", "search→prod"}),
    ("prod, one service", {"service": "checkout"}, {"checkout→prod"}),
    ("another environment", {"environment": "stage"}, set[str]()),
]


@pytest.mark.requirement("S0-22", "S4-145")
@pytest.mark.parametrize(("scope", "blocks"), [row[1:] for row in FREEZES], ids=[row[0] for row in FREEZES])
def test_it_blocks_what_it_is_for_and_nothing_else(scope: dict[str, Any], blocks: set[str]) -> None:
    facts = frozen(freeze(**scope))
    blocked = {
        f"{service}→prod"
        for service in ("checkout", "search")
        if found("no-freeze", decided(replace(PROMOTION, service=service), facts)).standing is UNMET
    }
    assert blocked == blocks
    to_stage = replace(PROMOTION, source="dev", target="stage")
    assert (found("no-freeze", decided(to_stage, facts)).standing is UNMET) is (scope.get("environment") == "stage")


def test_a_rollback_waits_for_none() -> None:
    facts = but(GOOD_ROLLBACK, freezes=(freeze(),), people=EVERYBODY)
    assert found("no-freeze", decided(ROLLBACK, facts)).standing is Standing.NOT_APPLICABLE


@pytest.mark.requirement("S4-150")
@pytest.mark.parametrize(
    ("at", "holds"),
    [(-TICK, False), (timedelta(0), True), (60 * MINUTE - TICK, True), (60 * MINUTE, False)],
)
def test_one_that_nobody_agreed_to_yet_holds_at_once_and_lapses(at: timedelta, holds: bool) -> None:
    began_at = datetime(2026, 11, 24, 11, 20, tzinfo=UTC)
    provisional = freeze(
        starts_at=began_at, ends_at=began_at + DAY, approved=False, lapses_at=began_at + HOUR, exit_criteria=""
    )
    decision = decide(PROMOTION, frozen(provisional), UTC_POLICY, began_at + at)
    assert (found("no-freeze", decision).standing is UNMET) is holds
    if holds:
        says = "ines froze prod until Tue 24 Nov 2026 12:20 UTC: month end (F-7; nobody agreed to it yet)"
        assert found("no-freeze", decision).reason == says


@pytest.mark.requirement("S4-143")
def test_one_that_needs_agreement_holds_only_once_somebody_agreed() -> None:
    waiting = freeze(approved=False)
    assert found("no-freeze", decided(facts=frozen(waiting))).standing is MET
    assert found("no-freeze", decided(facts=frozen(replace(waiting, approved=True)))).standing is UNMET


def test_what_would_help_is_to_wait_for_the_last_or_that_people_end_them_all() -> None:
    longer = freeze(id="F-8", starts_at=NOW + HOUR, ends_at=NOW + 3 * HOUR)
    finding = found("no-freeze", decided(facts=frozen(freeze(), longer)))
    assert [(each.kind, each.at) for each in finding.remedies if each.kind is RemedyKind.WAIT] == [
        (RemedyKind.WAIT, NOW + 3 * HOUR)
    ]
    both = found("no-freeze", decided(facts=frozen(freeze(), replace(longer, starts_at=NOW))))
    (lift,) = [each for each in both.remedies if each.kind is RemedyKind.LIFT]
    assert lift.says == "end the freezes F-7 and F-8 (ines, olga or omar may)"
    assert lift.who == ("ines", "olga", "omar")


def test_what_people_declared_must_be_known() -> None:
    facts = but(FINE, freezes=Unknown("the books do not answer"))
    assert found("no-freeze", decided(facts=facts)).standing is Standing.UNKNOWN
    assert freezes.holding(at(facts)) == Unknown("the books do not answer")


def at(facts: Facts, active: ActivePolicy = ACTIVE, now: datetime = NOW) -> Case:
    return case(PROMOTION, facts, active.policy, now)


# The calendar's -------------------------------------------------------------------------------------------------------

CALENDAR: list[dict[str, Any]] = [
    {
        "name": "month-end",
        "when": [{"month_end": {"last_business_days": 2}}],
        "environments": ["prod"],
        "reason": "the books are closed",
    },
    {
        "name": "holidays",
        "when": [{"holidays": "national"}],
        "environments": ["prod"],
        "services": ["checkout"],
        "reason": "nobody is here",
    },
    {
        "name": "nights",
        "when": [{"weekly": {"days": ["sat"], "start": "22:00", "end": "06:00"}}],
        "environments": ["prod"],
        "timezone": "UTC",
        "reason": "the batch runs",
    },
]
BY_CALENDAR = policy(
    freezes={"calendar": CALENDAR},
    calendars={"national": {"days": {"2026-12-25": "Christmas", "2026-12-26": "Boxing Day"}}},
)


def names(now: datetime, service: str = "checkout", active: ActivePolicy = BY_CALENDAR) -> list[str]:
    held = freezes.holding(case(replace(PROMOTION, service=service), frozen(), active.policy, now))
    assert not isinstance(held, Unknown)
    return [freeze.id for freeze in held]


def berlin(day: str, clock: str = "12:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}+00:00") - timedelta(hours=1)  # in winter


@pytest.mark.requirement("S3-53")
def test_the_last_business_days_of_march_are_frozen_by_name() -> None:
    facts = frozen()
    now = datetime(2026, 3, 31, 9, tzinfo=UTC)
    finding = found("no-freeze", decide(PROMOTION, facts, BY_CALENDAR, now))
    assert finding.standing is UNMET
    says = "month-end-2026-03 freezes prod until Wed 1 Apr 2026 00:00 CEST: the books are closed"
    assert finding.reason == says
    assert RemedyKind.LIFT not in {each.kind for each in finding.remedies}, "nobody can end what the calendar says"
    for declared in ((), Unknown("the books do not answer")):
        frozen_then = case(PROMOTION, but(facts, freezes=declared), BY_CALENDAR.policy, now)
        assert freezes.thaws(frozen_then) == datetime(2026, 3, 31, 22, tzinfo=UTC)


@pytest.mark.requirement("S3-53")
@pytest.mark.parametrize(
    ("now", "service", "held"),
    [
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), "checkout", []),
        (datetime(2026, 3, 29, 22, tzinfo=UTC), "checkout", ["month-end-2026-03"]),
        (datetime(2026, 3, 31, 21, 59, tzinfo=UTC), "search", ["month-end-2026-03"]),
        (datetime(2026, 3, 31, 22, tzinfo=UTC), "checkout", []),
        (berlin("2026-12-25", "00:00") - TICK, "checkout", []),
        (berlin("2026-12-25", "00:00"), "checkout", ["holidays-2026-12-25"]),
        (berlin("2026-12-25"), "search", []),
        (berlin("2026-12-26"), "checkout", ["holidays-2026-12-25"]),
        (berlin("2026-12-27", "00:00"), "checkout", ["nights-2026-12-26"]),
        (datetime(2026, 12, 26, 22, tzinfo=UTC), "checkout", ["holidays-2026-12-25", "nights-2026-12-26"]),
        (datetime(2026, 12, 27, 5, 59, tzinfo=UTC), "checkout", ["nights-2026-12-26"]),
        (datetime(2026, 12, 27, 6, tzinfo=UTC), "checkout", []),
    ],
)
def test_each_is_named_by_when_it_began(now: datetime, service: str, held: list[str]) -> None:
    assert names(now, service) == held


def test_days_around_the_turn_of_a_month_are_one_freeze_of_the_month_that_ends() -> None:
    turn = [{**CALENDAR[0], "when": [{"month_end": {"last_business_days": 1, "first_business_days": 1}}]}]
    active = policy(freezes={"calendar": turn})
    for day, held in (("2026-11-29", []), ("2026-11-30", ["month-end-2026-11"]), ("2026-12-01", ["month-end-2026-11"])):
        assert names(berlin(day), active=active) == held
    assert names(berlin("2026-12-02"), active=active) == []


def test_of_two_spells_on_one_day_each_has_its_own_beginning() -> None:
    twice = [
        {"weekly": {"days": ["tue"], "start": start, "end": end}}
        for start, end in (("08:00", "09:00"), ("10:00", "11:00"))
    ]
    active = policy(freezes={"calendar": [{**CALENDAR[0], "when": twice}]})
    (second,) = freezes.recurring(active.policy, Place("checkout", "prod"))
    freeze = second.as_of("prod", NOW + 30 * MINUTE)
    assert freeze is not None
    assert (freeze.starts_at, freeze.ends_at) == (NOW, NOW + HOUR)


def test_days_of_more_than_one_kind_are_named_by_the_day() -> None:
    mixed = [{**CALENDAR[0], "when": [*CALENDAR[0]["when"], {"dates": {"days": ["2026-11-24"]}}]}]
    assert names(NOW, active=policy(freezes={"calendar": mixed})) == ["month-end-2026-11-24"]


def test_a_long_one_is_named_by_its_first_day() -> None:
    december = [{"interval": {"start": "2026-12-01T17:00", "end": "2027-01-07T09:00"}}]
    active = policy(freezes={"calendar": [{**CALENDAR[0], "name": "year-end", "when": december}]})
    for day in ("2026-12-02", "2026-12-24", "2027-01-06"):
        assert names(berlin(day), active=active) == ["year-end-2026-12-01"]


def daily(start: str, end: str) -> list[dict[str, Any]]:
    return [{"weekly": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": start, "end": end}}]


@pytest.mark.parametrize(
    ("now", "held"),
    [
        (berlin("2026-11-24", "22:00") - TICK, []),
        (berlin("2026-11-24", "22:00"), ["nights-2026-11-24"]),
        (berlin("2026-11-24", "23:00"), ["nights-2026-11-24"]),
        (berlin("2026-11-25", "02:00"), ["nights-2026-11-24"]),
        (berlin("2026-11-25", "06:00") - TICK, ["nights-2026-11-24"]),
        (berlin("2026-11-25", "06:00"), []),
    ],
)
def test_one_that_comes_every_night_is_named_by_the_evening_it_began(now: datetime, held: list[str]) -> None:
    active = policy(freezes={"calendar": [{**CALENDAR[0], "name": "nights", "when": daily("22:00", "06:00")}]})
    assert names(now, active=active) == held


def test_one_that_was_there_before_anybody_looked_keeps_its_name_from_day_to_day() -> None:
    active = policy(freezes={"calendar": [{**CALENDAR[0], "name": "closed", "when": daily("00:00", "24:00")}]})
    assert names(NOW, active=active) == names(NOW + DAY, active=active) == ["closed-always"]
    (closed,) = freezes.recurring(active.policy, Place("checkout", "prod"))
    freeze = closed.as_of("prod", NOW)
    assert freeze is not None
    assert (freeze.starts_at, freeze.ends_at) == (freezes.EVER, freezes.FOREVER)


def test_one_without_an_end_has_none() -> None:
    always = daily("00:00", "24:00")
    active = policy(freezes={"calendar": [{**CALENDAR[0], "name": "closed", "when": always}]})
    decision = decided(active=active)
    finding = found("no-freeze", decision)
    assert finding.reason.endswith(" freezes prod for good: the books are closed")
    assert not {RemedyKind.WAIT, RemedyKind.LIFT} & {each.kind for each in finding.remedies}
    assert decision.earliest is None


def test_peoples_and_the_calendars_are_waited_for_together() -> None:
    now = datetime(2026, 3, 31, 9, tzinfo=UTC)
    after = datetime(2026, 4, 1, 10, tzinfo=UTC)
    facts = frozen(freeze(starts_at=now + HOUR, ends_at=after))
    assert freezes.thaws(case(PROMOTION, facts, BY_CALENDAR.policy, now)) == after
    both = found("no-freeze", decide(PROMOTION, frozen(freeze(starts_at=now, ends_at=after)), BY_CALENDAR, now))
    assert RemedyKind.LIFT not in {each.kind for each in both.remedies}


def test_it_is_known_when_it_thaws_but_for_those_that_are_let_through() -> None:
    longer = freeze(id="F-8", ends_at=NOW + 3 * HOUR)
    both = at(frozen(freeze(), longer))
    assert freezes.thaws(both) == NOW + 3 * HOUR
    assert freezes.thaws(both, [longer]) == NOW + 2 * HOUR
    assert freezes.thaws(both, [freeze(), longer]) == NOW


# Letting a promotion through ------------------------------------------------------------------------------------------

OVERRIDE = policy(freezes={"override": [{"role": "release_owner"}], "override_fields": ["incident", "rollback-target"]})
SAID = {"incident": "INC-7", "rollback-target": "checkout-r-old"}


def naming(*ids: str, by: Any = DANA, **changes: Any) -> Any:
    return replace(vote(by, **changes), confirms=frozenset(ids))


def let_through(*votes: Any, **changes: Any) -> Decision:
    facts = frozen(freeze(), **{"votes": (vote(OMAR), *votes), "fields": SAID, **changes})
    return decided(facts=facts, active=OVERRIDE)


@pytest.mark.requirement("S0-21")
def test_only_an_approval_by_whom_the_policy_names_that_names_the_freeze_lets_it_through() -> None:
    decision = let_through(naming("F-7"))
    assert decision.allowed
    assert found("no-freeze", decision).reason.endswith("(F-7); dana lets this through")
    assert not any("dana" in note for note in decision.notes), "her vote counts, for the freeze"
    for votes in ((), (vote(DANA),), (naming("F-8"),), (naming("F-7", by=OLGA),), (naming("F-7", by=MAYA),)):
        refused = let_through(*votes)
        assert [finding.rule for finding in refused.blockers] == ["no-freeze"]


def test_it_counts_like_any_vote_does() -> None:
    for spoiled in ({"plan": "91cc" + "0" * 60}, {"at": NOW - 30 * HOUR}, {"withdrawn_at": NOW - MINUTE}):
        assert not let_through(naming("F-7", **spoiled)).allowed
    assert not let_through(naming("F-7"), people={**EVERYBODY, Human("dana"): replace(DANA, active=False)}).allowed
    assert not let_through(naming("F-7"), asked_by=replace(DANA, roles=DANA.roles | {"engineer"})).allowed


@pytest.mark.requirement("S0-24")
@pytest.mark.parametrize("field", ["incident", "rollback-target"])
def test_not_before_all_is_said_that_the_policy_wants_said_for_it(field: str) -> None:
    for said in ("", "  "):
        refused = let_through(naming("F-7"), fields={**SAID, field: said})
        assert [finding.rule for finding in refused.blockers] == ["no-freeze"]
        helped = [each for each in found("no-freeze", refused).remedies if each.kind is RemedyKind.APPROVE]
        assert [each.says for each in helped] == [f"say {field}:, and dana can agree to go through F-7"]
        assert not found("no-freeze", refused).waits_for_people


@pytest.mark.parametrize(
    ("cast", "why"),
    [
        (vote(DANA), "dana's approval does not count: dana is no release manager"),
        (naming("F-7", by=INES), "ines's approval does not count: ines is no release manager"),
        (
            replace(naming("F-7"), verdict=Verdict.REJECT),
            "dana's rejection does not count: dana is no release manager; the rejection is a comment",
        ),
    ],
)
def test_a_vote_that_counts_for_nothing_says_so_here_too(cast: Any, why: str) -> None:
    decision = let_through(cast)
    assert [finding.rule for finding in decision.blockers] == ["no-freeze"]
    assert why in decision.notes


def test_who_wrote_it_lets_it_through_no_freeze_even_where_nobody_else_must_agree() -> None:
    to_stage = replace(PROMOTION, source="dev", target="stage")
    facts = frozen(freeze(environment="stage"), votes=(naming("F-7"),), fields=SAID)
    assert found("no-freeze", decided(to_stage, facts, OVERRIDE)).standing is MET
    by_dana = but(facts, authors=Authors(frozenset({Human("dana")})))
    assert found("no-freeze", decided(to_stage, by_dana, OVERRIDE)).standing is UNMET


def test_it_waits_for_them_once_all_is_said() -> None:
    waiting = let_through()
    finding = found("no-freeze", waiting)
    assert finding.waits_for_people
    assert waiting.waits_for_people_only
    (advice,) = [each for each in finding.remedies if each.kind is RemedyKind.APPROVE]
    assert (advice.says, advice.who) == ("dana can agree to go through F-7", ("dana",))
    assert [freeze.id for freeze in in_the_way(at(frozen(freeze(), fields=SAID), OVERRIDE))] == ["F-7"]
    assert in_the_way(at(frozen(freeze(), fields=SAID))) == (), "where nobody may let it through nobody is asked"


def test_each_of_several_must_be_named() -> None:
    other = freeze(id="F-9")
    facts = {"freezes": (freeze(), other)}
    assert found("no-freeze", let_through(naming("F-7"), **facts)).reason.count("froze") == 1
    assert not let_through(naming("F-7"), **facts).allowed
    assert let_through(naming("F-7", "F-9"), **facts).allowed


def test_so_many_as_the_policy_wants_must_name_it() -> None:
    two = policy(freezes={"override": [{"any_of": ["release_owner", "incident_commander"], "count": 2}]})
    one = frozen(freeze(), votes=(vote(OMAR), naming("F-7")))
    assert not decided(facts=one, active=two).allowed
    assert decided(facts=but(one, votes=(*one.votes, naming("F-7", by=INES))), active=two).allowed
    (advice,) = [
        each for each in found("no-freeze", decided(facts=one, active=two)).remedies if each.kind is RemedyKind.APPROVE
    ]
    assert advice.says == "dana and ines can agree to go through F-7"


def test_an_approver_who_may_lets_it_through_with_the_same_vote() -> None:
    owner = replace(OMAR, roles=OMAR.roles | {"release_owner"})
    people = {**EVERYBODY, Human("omar"): owner}
    facts = frozen(freeze(), votes=(naming("F-7", by=owner),), fields=SAID, people=people)
    decision = decided(facts=facts, active=OVERRIDE)
    assert decision.allowed
    assert found("approvals", decision).standing is MET


# Declaring one --------------------------------------------------------------------------------------------------------

DECLARED = policy(
    freezes={
        "fields": ["exit", "re-enable-plan"],
        "provisional": "PT1H",
        "approvals": [{"any_of": ["release_manager", "incident_commander"]}],
        "reason": True,
    }
)


def declared(*votes: Any, **changes: Any) -> Decision:
    plan = {"re-enable-plan": "one service after the other"}
    asked = freeze(**{"fields": plan, "approved": False, **changes})
    return decide(FREEZING, but(FINE, asked_by=INES, wanted=asked, votes=votes), DECLARED, NOW)


@pytest.mark.requirement("S4-143", "S4-144")
@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"exit_criteria": ""}, "exit"),
        ({"exit_criteria": " "}, "exit"),
        ({"reason": "  "}, "reason"),
        ({"fields": {}}, "re-enable-plan"),
        ({"reason": "", "exit_criteria": "", "fields": {}}, "reason, exit and re-enable-plan"),
    ],
)
def test_one_is_refused_while_anything_is_left_unsaid(changes: dict[str, Any], missing: str) -> None:
    decision = declared(vote(OMAR, reason="yes"), **changes)
    assert [finding.rule for finding in decision.blockers] == ["freeze-complete"]
    finding = found("freeze-complete", decision)
    assert finding.reason == f"missing: {missing}"
    assert [each.kind for each in finding.remedies] == [RemedyKind.SAY]


@pytest.mark.requirement("S4-143")
def test_somebody_else_agrees_to_it() -> None:
    assert declared(vote(OMAR, reason="yes")).allowed
    for votes in ((), (vote(INES, reason="mine"),), (vote(OMAR),), (vote(EVERYBODY[Human("quinn")], reason="yes"),)):
        waiting = declared(*votes)
        assert not waiting.allowed
        assert waiting.waits_for_people_only


def test_to_end_one_takes_only_somebody_who_may() -> None:
    ending = but(FINE, asked_by=OMAR, votes=())
    assert decide(FREEZING, ending, DECLARED, NOW).allowed
    assert not decide(FREEZING, but(ending, asked_by=MAYA), DECLARED, NOW).allowed


def test_what_is_no_freeze_does_not_come_into_force_as_one() -> None:
    odd = but(FINE, asked_by=INES, wanted=wanted(), votes=(vote(OMAR, reason="yes"),))
    assert found("freeze-complete", decide(FREEZING, odd, DECLARED, NOW)).standing is Standing.UNKNOWN
