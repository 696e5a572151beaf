"""All rules together: when it opens, what is noted, and what holds for any facts at all."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.case import Case
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import (
    Candidate,
    Check,
    CheckState,
    Deed,
    ExceptionRecord,
    Facts,
    Freeze,
    Hold,
    KnownGood,
    Question,
    Serving,
    Verdict,
)
from policy.finding import Decision, Finding, Remedy, RemedyKind, Standing, met, unmet
from policy.gates import Waivable
from policy.model import AccountKind, Human, Person, Place, Unknown
from policy.rulebook import Rule, rules_for, rules_on
from tests.policy.good import (
    ACTIVE,
    ALL_GOOD,
    COMMIT,
    DOCUMENT,
    EVERYBODY,
    GOOD_ROLLBACK,
    HOUR,
    INES,
    MAYA,
    NEW,
    NOW,
    OLD,
    OLGA,
    OMAR,
    OTHER_PLAN,
    PLAN,
    PROMOTION,
    RAJ,
    ROLLBACK,
    but,
    person,
    policy_with,
    vote,
)
from tests.policy.over import over

DAY = timedelta(days=1)


def freeze(starts_at: datetime, ends_at: datetime, **changes: Any) -> Freeze:
    values: dict[str, Any] = {"id": "fr_1", "environment": "prod", "service": None, "reason": "quiet", "owner": "ines"}
    return Freeze(starts_at=starts_at, ends_at=ends_at, **{**values, **changes})


def waits(decision: Decision) -> dict[str, datetime | None]:
    return {
        finding.rule: remedy.at
        for finding in decision.findings
        for remedy in finding.remedies
        if remedy.kind is RemedyKind.WAIT
    }


# Silence and faults -------------------------------------------------------------------------------------------------


def test_an_empty_rulebook_allows_nothing() -> None:
    assert not decide(PROMOTION, ALL_GOOD, ACTIVE, NOW, ()).allowed


def broken(*_: object) -> NoReturn:
    raise ZeroDivisionError


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize("turns_with_time", [True, False])
def test_a_rule_that_fails_is_unknown_and_blocks(turns_with_time: bool) -> None:
    rules = (*rules_for(ACTIVE.policy, PROMOTION), Rule("broken", broken, turns_with_time))
    decision = decide(PROMOTION, ALL_GOOD, ACTIVE, NOW, rules)
    assert [finding.rule for finding in decision.blockers] == ["broken"]
    assert decision.blockers[0].standing is Standing.UNKNOWN
    assert decision.blockers[0].reason == "this could not be judged, for a fault of the bot's (ZeroDivisionError)"
    assert decision.earliest is None


def test_every_rule_of_the_book_finds_something_under_its_own_name() -> None:
    for deed in Deed:
        question = Question(deed, "checkout", "prod", "stage")
        rules = rules_for(ACTIVE.policy, question)
        decision = decide(question, ALL_GOOD, ACTIVE, NOW)
        assert [finding.rule for finding in decision.findings] == [rule.requires for rule in rules]


def test_an_instant_without_a_zone_is_no_reason_to_fall_over() -> None:
    assert not decide(PROMOTION, ALL_GOOD, ACTIVE, datetime(2026, 11, 24, 9)).allowed  # noqa: DTZ001


def test_the_decision_names_the_policy_and_the_instant() -> None:
    decision = decide(PROMOTION, ALL_GOOD, ACTIVE, NOW)
    assert (decision.policy_hash, decision.at) == (ACTIVE.hash, NOW)


# When it opens ------------------------------------------------------------------------------------------------------


def test_what_is_allowed_needs_no_opening() -> None:
    assert decide(PROMOTION, ALL_GOOD, ACTIVE, NOW).earliest is None


def test_a_freeze_that_ends_at_night_opens_with_the_window() -> None:
    ends = datetime(2026, 11, 24, 23, tzinfo=UTC)  # midnight in Berlin
    opens = datetime(2026, 11, 25, 8, tzinfo=UTC)
    decision = decide(PROMOTION, but(freezes=(freeze(NOW, ends),)), ACTIVE, NOW)
    assert decision.earliest == opens
    assert waits(decision) == {"no-freeze": opens}
    assert "wait until Wed 25 Nov 2026 09:00 CET" in [remedy.says for remedy in decision.blockers[0].remedies]


def test_soak_window_and_freeze_open_together_or_not_at_all() -> None:
    friday = datetime(2026, 11, 27, 11, 30, tzinfo=UTC)
    serving = Serving("checkout-r-new", NEW, friday - 23 * HOUR, COMMIT)  # soaked at 12:30, after the window
    monday, tuesday = datetime(2026, 11, 30, 8, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)
    facts = but(source_serving=serving, freezes=(freeze(monday - HOUR, tuesday),), expires_at=None, votes=())
    decision = decide(PROMOTION, facts, ACTIVE, friday)
    assert decision.earliest == tuesday
    assert waits(decision) == {"soak": tuesday}
    assert decide(PROMOTION, replace(facts, freezes=()), ACTIVE, friday).earliest == monday


def test_freezes_that_follow_each_other_open_after_the_last() -> None:
    chain = (
        freeze(NOW + HOUR, NOW + 3 * HOUR),
        freeze(NOW - HOUR, NOW + 2 * HOUR),
        freeze(NOW + 3 * HOUR, NOW + 4 * HOUR),
    )
    assert decide(PROMOTION, but(freezes=chain), ACTIVE, NOW).earliest == NOW + 4 * HOUR


def test_other_blockers_do_not_hide_when_time_opens() -> None:
    facts = but(freezes=(freeze(NOW, NOW + HOUR),), votes=(), checks={})
    assert decide(PROMOTION, facts, ACTIVE, NOW).earliest == NOW + HOUR


def test_where_a_time_bound_rule_is_unknown_no_opening_is_known() -> None:
    sunday = datetime(2026, 11, 29, 9, tzinfo=UTC)
    decision = decide(PROMOTION, but(freezes=Unknown("the books are closed")), ACTIVE, sunday)
    assert decision.earliest is None
    assert waits(decision) == {}


def test_no_waiting_helps_a_candidate_that_is_not_served() -> None:
    sunday = datetime(2026, 11, 29, 9, tzinfo=UTC)
    decision = decide(PROMOTION, but(source_serving=Serving("x", OLD, NOW - 48 * HOUR)), ACTIVE, sunday)
    assert decision.earliest is None
    assert waits(decision) == {}


# Notes --------------------------------------------------------------------------------------------------------------


def test_each_vote_that_does_not_count_is_noted_with_its_reason() -> None:
    votes = (vote(MAYA), vote(OMAR), vote(OLGA), vote(RAJ, plan=OTHER_PLAN), vote(INES, Verdict.REJECT))
    notes = decide(PROMOTION, but(votes=votes), ACTIVE, NOW).notes
    assert notes == (
        "maya's approval does not count: maya asked for it, so cannot agree to it",
        "raj's approval does not count: raj voted on plan 91cc000, and the plan is 3f2a91c",
        "ines's rejection does not count: ines is no release manager; the rejection is a comment",
        "omar agrees too; it was not needed",
        "the window closes Tue 24 Nov 2026 17:00 CET",
    )


def test_a_freeze_that_is_coming_is_noted() -> None:
    coming = freeze(NOW + HOUR, NOW + DAY)
    notes = decide(PROMOTION, but(freezes=(coming, freeze(NOW - DAY, NOW - HOUR))), ACTIVE, NOW).notes
    assert notes[-1] == "a freeze by ines begins Tue 24 Nov 2026 11:00 CET"


def test_an_approval_that_will_have_lapsed_by_then_is_noted() -> None:
    facts = but(freezes=(freeze(NOW, NOW + DAY),), expires_at=None)
    decision = decide(PROMOTION, facts, ACTIVE, NOW)
    assert decision.earliest == NOW + DAY
    assert decision.notes == (
        "it could start on Wed 25 Nov 2026 10:00 CET, but by then the approvals will have lapsed",
    )
    in_time = replace(facts, freezes=(freeze(NOW, NOW + HOUR),))
    assert decide(PROMOTION, in_time, ACTIVE, NOW).notes == ()


def test_a_request_that_will_have_expired_by_then_is_noted() -> None:
    decision = decide(PROMOTION, but(freezes=(freeze(NOW, NOW + HOUR),), expires_at=NOW + HOUR), ACTIVE, NOW)
    assert decision.notes == (
        "it could start on Tue 24 Nov 2026 11:00 CET, but this request expires on Tue 24 Nov 2026 11:00 CET: ask again then",
    )


# What a gate does where it is not met ---------------------------------------------------------------------------------


def asking(mode: str, source: str = "L12") -> ActivePolicy:
    """The policy with one gate more on its path to production."""
    gate = {"kind": "checks", "names": ["lint"], "mode": mode, "source": source}
    to_prod = {**DOCUMENT["paths"][1], "requires": ["tidy"]}
    document = {**DOCUMENT, "gates": {"tidy": gate}, "paths": [DOCUMENT["paths"][0], to_prod]}
    return ActivePolicy(policy=Policy.model_validate(document), hash="1" * 64)


def linted(state: CheckState | None, **changes: Any) -> Facts:
    """All is good but for that one check; None: it never ran."""
    known = {name: Check(name, CheckState.PASSED) for name in ("build", "unit-tests")}
    return but(checks=known if state is None else {**known, "lint": Check("lint", state)}, **changes)


def tidy(active: ActivePolicy, facts: Facts) -> tuple[Finding, Decision]:
    decision = decide(PROMOTION, facts, active, NOW)
    return decision.findings[decision.findings.index(next(f for f in decision.findings if f.rule == "tidy"))], decision


@pytest.mark.requirement("D-04", "S3-32")
@pytest.mark.parametrize(
    ("mode", "state", "standing", "allowed"),
    [
        ("block", CheckState.PASSED, Standing.MET, True),
        ("block", CheckState.FAILED, Standing.UNMET, False),
        ("block", None, Standing.UNKNOWN, False),
        ("acknowledge", CheckState.PASSED, Standing.MET, True),
        ("acknowledge", CheckState.FAILED, Standing.UNMET, False),
        ("acknowledge", None, Standing.UNKNOWN, False),
        ("warn", CheckState.PASSED, Standing.MET, True),
        ("warn", CheckState.FAILED, Standing.WARNING, True),
        ("warn", None, Standing.WARNING, True),
    ],
)
def test_what_a_gate_does_where_it_is_not_met_is_the_policys_to_say(
    mode: str, state: CheckState | None, standing: Standing, allowed: bool
) -> None:
    finding, decision = tidy(asking(mode), linted(state))
    assert (finding.standing, decision.allowed) == (standing, allowed)


@pytest.mark.requirement("D-16")
def test_what_blocks_says_what_was_seen_where_that_is_written_and_what_would_help() -> None:
    finding, _ = tidy(asking("block"), linted(CheckState.FAILED))
    assert (finding.reason, finding.source) == ("lint failed on 9f1c2ab", "L12")
    assert [remedy.says for remedy in finding.remedies] == ["lint passes on 9f1c2ab"]


def test_a_warning_says_what_was_seen_and_asks_nothing_of_anybody() -> None:
    finding, decision = tidy(asking("warn"), linted(CheckState.FAILED))
    assert (finding.reason, finding.source, finding.remedies) == ("lint failed on 9f1c2ab", "L12", ())
    assert decision.ways == ()


@pytest.mark.requirement("S4-316")
def test_what_must_be_seen_blocks_until_somebody_who_agrees_says_to_have_seen_it() -> None:
    active, failed = asking("acknowledge"), linted(CheckState.FAILED)
    finding, decision = tidy(active, failed)
    assert finding.reason == "lint failed on 9f1c2ab; somebody who agrees must say that they saw it"
    assert [remedy.says for remedy in finding.remedies] == [
        "lint passes on 9f1c2ab",
        "omar agrees and says to have seen tidy",
    ]
    assert decision.waits_for_people_only
    for by, counts in ((OMAR, True), (OLGA, True), (MAYA, False), (RAJ, False)):
        seen = replace(vote(by), confirms=frozenset({"tidy"}))
        finding, decision = tidy(active, replace(failed, votes=(vote(OMAR, at=NOW - 2 * HOUR), seen)))
        assert decision.allowed is counts
        if counts:
            assert finding.standing is Standing.WARNING
            assert finding.reason == f"lint failed on 9f1c2ab; {by.name} saw it"
            assert not finding.waits_for_people


def test_to_have_seen_something_else_is_not_enough() -> None:
    seen = replace(vote(OMAR), confirms=frozenset({"untidy"}))
    _, decision = tidy(asking("acknowledge"), linted(CheckState.FAILED, votes=(seen,)))
    assert not decision.allowed


def test_where_nobody_knows_who_may_agree_nobody_can_say_to_have_seen_it() -> None:
    finding, _ = tidy(asking("acknowledge"), linted(CheckState.FAILED, people=Unknown("no list")))
    assert finding.standing is Standing.UNMET
    assert not finding.waits_for_people
    assert [remedy.says for remedy in finding.remedies] == ["lint passes on 9f1c2ab"]


# What would help ------------------------------------------------------------------------------------------------------


def ways(decision: Decision) -> list[list[str]]:
    return [[remedy.says for remedy in way] for way in decision.ways]


def test_advice_that_does_not_help_is_not_shown() -> None:
    def useless(case: Case) -> Finding:
        broken_ = Remedy(RemedyKind.EVIDENCE, "raise", applied=broken)
        idle = Remedy(RemedyKind.EVIDENCE, "do nothing", applied=lambda facts: facts)
        never = Remedy(RemedyKind.EVIDENCE, "cannot be tried")
        helps = Remedy(RemedyKind.EVIDENCE, "say so", applied=lambda facts: replace(facts, confirmed=frozenset("x")))
        if case.facts.confirmed:
            return met("useless", "it was said")
        return unmet("useless", "it was not said", remedies=(broken_, idle, never, helps))

    rules = (*rules_for(ACTIVE.policy, PROMOTION), Rule("useless", useless))
    decision = decide(PROMOTION, ALL_GOOD, ACTIVE, NOW, rules)
    assert [remedy.says for remedy in decision.blockers[0].remedies] == ["say so"]
    assert ways(decision) == [["say so"]]


def test_the_smallest_sets_are_named_and_only_those_that_do_it() -> None:
    facts = but(
        votes=(), checks={"build": Check("build", CheckState.FAILED), "unit-tests": Check("it", CheckState.PASSED)}
    )
    decision = decide(PROMOTION, facts, ACTIVE, NOW)
    assert ways(decision) == [["build passes on 9f1c2ab", "olga or omar can agree"]]


def test_where_nothing_helps_one_rule_no_way_is_named() -> None:
    facts = but(votes=(), candidate=Unknown("the registry does not answer"))
    decision = decide(PROMOTION, facts, ACTIVE, NOW)
    assert decision.ways == ()
    (approvals,) = [finding for finding in decision.blockers if finding.rule == "approvals"]
    assert [remedy.says for remedy in approvals.remedies] == ["olga or omar can agree"]


def test_to_wait_is_a_way_and_what_will_have_lapsed_by_then_is_done_then() -> None:
    facts = but(freezes=(freeze(NOW, NOW + DAY),), expires_at=NOW + 22 * HOUR)
    decision = decide(PROMOTION, facts, ACTIVE, NOW)
    assert ways(decision) == [
        ["end the freeze fr_1 (olga or omar may)"],
    ]
    calendar = replace(facts, freezes=(), expires_at=NOW + 2 * HOUR)
    at_night = decide(PROMOTION, calendar, ACTIVE, NOW + 12 * HOUR)
    assert ways(at_night) == [["wait until Wed 25 Nov 2026 09:00 CET", "ask again", "olga or omar can agree"]]


def test_who_asks_anew_needs_everybody_anew() -> None:
    decision = decide(PROMOTION, but(expires_at=NOW), ACTIVE, NOW)
    assert ways(decision) == [["ask again", "olga or omar can agree"]]


EXCEPTIONS: dict[str, Any] = {
    "temporary": {"approvals": [{"role": "tech_lead"}], "waives": ["required-checks", "window"], "longest": "P1D"}
}


def with_exceptions(*roles: str) -> ActivePolicy:
    document = {**DOCUMENT, "exceptions": EXCEPTIONS, "may": {**DOCUMENT["may"], "exception": roles}}
    return ActivePolicy(policy=Policy.model_validate(document), hash="2" * 64)


def test_an_exception_that_could_be_had_is_named_with_who_could_grant_it() -> None:
    facts = but(
        checks={"build": Check("build", CheckState.FAILED), "unit-tests": Check("it", CheckState.PASSED)}, exceptions=()
    )
    decision = decide(PROMOTION, facts, with_exceptions("engineer"), NOW)
    granted = "an exception (temporary) for required-checks: raj can grant it"
    (remedy,) = [each for each in decision.blockers[0].remedies if each.kind is RemedyKind.EXCEPTION]
    assert (remedy.says, remedy.who) == (granted, ("raj",))
    assert ways(decision) == [["build passes on 9f1c2ab"], [granted]]


def test_who_asks_for_the_promotion_grants_no_exception_for_it() -> None:
    facts = but(asked_by=RAJ, checks={}, exceptions=())
    decision = decide(PROMOTION, facts, with_exceptions("engineer"), NOW)
    assert not any(remedy.kind is RemedyKind.EXCEPTION for finding in decision.findings for remedy in finding.remedies)
    assert decision.notes[0] == (
        "an exception (temporary) would do for required-checks, but nobody is there to ask for it and to grant it"
    )


def test_where_somebody_else_must_ask_for_the_exception_that_is_said() -> None:
    facts = but(checks={}, exceptions=())
    decision = decide(PROMOTION, facts, with_exceptions("release_manager"), NOW)
    assert ways(decision)[-1] == ["an exception (temporary) for required-checks: olga asks for it, raj can grant it"]


def test_an_exception_begins_when_one_waits_for_it_and_opens_what_it_waives() -> None:
    sunday = datetime(2026, 11, 29, 9, tzinfo=UTC)
    starts_at = sunday + 2 * HOUR
    record = ExceptionRecord(
        "X-4",
        "temporary",
        frozenset({"window"}),
        "prod",
        "checkout",
        None,
        MAYA,
        NOW,
        starts_at,
        starts_at + HOUR,
        granted_by=(RAJ,),
        granted_at=NOW,
    )
    facts = but(exceptions=(record,), votes=(), expires_at=None)
    active = with_exceptions("engineer")
    assert decide(PROMOTION, facts, active, sunday).earliest == starts_at
    during = decide(PROMOTION, facts, active, starts_at)
    assert [finding.by for finding in during.findings if finding.standing is Standing.WAIVED] == ["X-4"]
    assert (during.earliest, during.closes) == (None, starts_at + HOUR)
    assert "X-4 ends Sun 29 Nov 2026 13:00 CET" in during.notes
    assert decide(PROMOTION, facts, active, starts_at + HOUR).earliest == datetime(2026, 11, 30, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("waivable", "waived"), [(Waivable.EXCEPTION, True), (Waivable.EMERGENCY, False), (Waivable.NEVER, False)]
)
def test_what_only_an_emergency_may_waive_no_ordinary_exception_does(waivable: Waivable, waived: bool) -> None:
    record = ExceptionRecord(
        "X-4",
        "temporary",
        frozenset({"window"}),
        "prod",
        None,
        None,
        MAYA,
        NOW,
        NOW,
        None,
        granted_by=(RAJ,),
        granted_at=NOW,
    )
    rule = Rule("window", lambda _: unmet("window", "it is shut"), waivable=waivable)
    decision = decide(PROMOTION, but(exceptions=(record,)), with_exceptions("engineer"), NOW, (rule,))
    assert decision.allowed is waived
    assert decision.findings[0].reason == ("it is shut; waived by X-4" if waived else "it is shut")


def test_what_rests_on_another_rule_is_mended_with_it_even_later() -> None:
    gates = {
        "tidy": {"kind": "checks", "names": ["lint"]},
        "all": {"kind": "checklist", "checklist": "all"},
    }
    to_prod = {**DOCUMENT["paths"][1], "requires": ["all", "tidy"]}
    lists = {"all": [{"id": "tidy", "text": "It is tidy", "by": "gate", "gate": "tidy"}]}
    document = {**DOCUMENT, "gates": gates, "checklists": lists, "paths": [DOCUMENT["paths"][0], to_prod]}
    active = ActivePolicy(policy=Policy.model_validate(document), hash="4" * 64)
    failed = linted(CheckState.FAILED, expires_at=None)
    assert ways(decide(PROMOTION, failed, active, NOW)) == [["lint passes on 9f1c2ab"]]
    at_night = decide(PROMOTION, failed, active, NOW + 8 * HOUR)
    mended = ["wait until Wed 25 Nov 2026 09:00 CET", "lint passes on 9f1c2ab", "olga or omar can agree"]
    assert ways(at_night) == [mended]


def test_outside_the_window_a_change_is_told_that_it_may_be_an_emergency() -> None:
    emergency = {
        "approvals": [{"role": "incident_commander"}],
        "owes": [
            {"kind": "review", "says": "it is reviewed", "owner": "tech_lead", "within": "P1D", "by_others": True}
        ],
    }
    document = {
        **DOCUMENT,
        "may": {**DOCUMENT["may"], "emergency": ["engineer"]},
        "emergency": emergency,
        "change_types": {"feature": {"emergency_outside_window": True}},
    }
    active = ActivePolicy(policy=Policy.model_validate(document), hash="3" * 64)
    question = Question(Deed.PROMOTE, "checkout", "prod", "stage", "feature")
    told = "outside the window it can be asked for as an emergency, with incident, reason and rollback-plan"
    assert told in decide(question, but(obligations=()), active, NOW + 12 * HOUR).notes
    assert told not in decide(question, but(obligations=()), active, NOW).notes


# What closes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "closes", "note"),
    [
        ({}, datetime(2026, 11, 24, 16, tzinfo=UTC), "the window closes Tue 24 Nov 2026 17:00 CET"),
        ({"expires_at": NOW + HOUR}, NOW + HOUR, "the request expires Tue 24 Nov 2026 11:00 CET"),
        (
            {"votes": (vote(OMAR, at=NOW - 2 * HOUR),), "asked_at": NOW - DAY, "approval_lasts": "PT3H"},
            NOW + HOUR,
            "the approvals lapse Tue 24 Nov 2026 11:00 CET",
        ),
        (
            {"votes": (vote(OMAR, at=NOW - 2 * HOUR), vote(OLGA)), "approval_lasts": "PT3H"},
            NOW + 2 * HOUR,
            "the approvals lapse Tue 24 Nov 2026 12:00 CET",
        ),
        (
            {"freezes": (freeze(NOW + HOUR, NOW + DAY),)},
            NOW + HOUR,
            "a freeze by ines begins Tue 24 Nov 2026 11:00 CET",
        ),
    ],
)
def test_what_closes_first_is_named(changes: dict[str, Any], closes: datetime, note: str) -> None:
    lasts = changes.pop("approval_lasts", "PT24H")
    decision = decide(PROMOTION, but(**changes), policy_with(approval_lasts=lasts), NOW)
    assert decision.allowed
    assert decision.closes == closes
    assert note in decision.notes


# Whatever the facts -------------------------------------------------------------------------------------------------

MOMENTS = st.integers(-60 * 24, 60 * 24 * 9).map(lambda minutes: NOW + timedelta(minutes=minutes))
GONE = st.just(Unknown("it does not answer"))
PEOPLE: list[Person] = [
    *EVERYBODY.values(),
    person("gus", "release_manager", kind=AccountKind.GUEST),
    person("omar"),
    Person("github:7", OMAR.human, "omar-gh", roles=OMAR.roles),
    Person("slack:T0ACME/U9", None, "somebody", roles=OMAR.roles),
]
VOTES = st.builds(
    vote,
    st.sampled_from(PEOPLE),
    st.sampled_from(Verdict),
    MOMENTS,
    st.sampled_from([PLAN, PLAN, OTHER_PLAN]),
    st.just(""),
    st.none() | MOMENTS,
)
FREEZES = st.builds(
    freeze,
    MOMENTS,
    MOMENTS,
    environment=st.sampled_from(["prod", "stage"]),
    service=st.sampled_from([None, "checkout", "search"]),
    id=st.sampled_from(["fr_1", "fr_2", "fr_3", "fr_4", "fr_5"]),
)
FROZEN = st.lists(FREEZES, max_size=4, unique_by=lambda freeze: freeze.id).map(tuple)
"""No two are called the same."""
SERVING = st.builds(Serving, st.just("some-revision"), st.sampled_from([NEW, OLD]), MOMENTS)
CHECKS = st.dictionaries(
    st.sampled_from(["build", "unit-tests"]),
    st.sampled_from(CheckState).map(lambda state: Check("it", state)),
    min_size=1,
)
HOLDS = st.builds(
    Hold,
    st.just("ho_1"),
    st.just(Place("checkout", "prod")),
    st.sampled_from([NEW, OLD]),
    MOMENTS,
    st.just("it was bad"),
)
FACTS = st.builds(
    Facts,
    asked_by=st.sampled_from(PEOPLE),
    asked_at=MOMENTS,
    plan=st.sampled_from([PLAN, ""]),
    expires_at=st.none() | MOMENTS,
    candidate=GONE | st.builds(Candidate, st.sampled_from([NEW, OLD]), st.just(COMMIT) | GONE),
    source_serving=GONE | SERVING,
    target_serving=GONE | SERVING,
    checks=GONE | CHECKS,
    freezes=GONE | FROZEN,
    holds=GONE | st.lists(HOLDS, max_size=1).map(tuple),
    rollback_to=GONE | st.builds(KnownGood, st.just("old"), st.just(OLD), MOMENTS, st.just("release op_1")),
    votes=st.lists(VOTES, max_size=5).map(tuple),
    people=GONE | st.just(EVERYBODY),
)
"""Facts of every sort, most of them bad."""


def changed(changes: dict[str, Any]) -> Facts:
    return but(**changes)


NEARLY_GOOD = st.fixed_dictionaries(
    {},
    optional={
        "votes": st.lists(VOTES, max_size=4).map(lambda votes: (*ALL_GOOD.votes, *votes)),
        "freezes": FROZEN,
        "source_serving": SERVING,
        "expires_at": MOMENTS,
        "holds": st.lists(HOLDS, max_size=1).map(tuple),
    },
).map(changed)
ANY_FACTS = FACTS | NEARLY_GOOD
QUESTIONS = st.builds(
    Question,
    st.sampled_from(Deed),
    st.sampled_from(["checkout", "search", "nothing"]),
    st.sampled_from(["dev", "stage", "prod", "nowhere"]),
    st.sampled_from([None, "dev", "stage"]),
)
ANY_QUESTION = st.just(PROMOTION) | QUESTIONS
EACH = over(200)


@EACH
@given(question=ANY_QUESTION, facts=ANY_FACTS, at=MOMENTS)
def test_it_never_raises_and_says_the_same_twice(question: Question, facts: Facts, at: datetime) -> None:
    decision = decide(question, facts, ACTIVE, at)
    assert decision == decide(question, facts, ACTIVE, at)
    assert [finding.rule for finding in decision.findings] == [
        rule.requires for rule in rules_on(ACTIVE.policy, question, facts)
    ]
    assert not any("fault of the bot's" in finding.reason for finding in decision.findings)
    assert not any("could not be worked out" in note for note in decision.notes)


def read(finding: Finding) -> tuple[str, Standing, str, list[str]]:
    """The finding, as people read it."""
    return finding.rule, finding.standing, finding.reason, [remedy.says for remedy in finding.remedies]


@EACH
@given(facts=ANY_FACTS, at=MOMENTS, seed=st.integers())
def test_the_order_of_votes_of_freezes_and_of_rules_does_not_matter(facts: Facts, at: datetime, seed: int) -> None:
    shuffle = random.Random(seed)
    rules = list(rules_on(ACTIVE.policy, PROMOTION, facts))
    shuffle.shuffle(rules)
    votes = shuffle.sample(facts.votes, len(facts.votes))
    freezes = facts.freezes
    if not isinstance(freezes, Unknown):
        freezes = tuple(shuffle.sample(freezes, len(freezes)))
    one = decide(PROMOTION, facts, ACTIVE, at)
    other = decide(PROMOTION, replace(facts, votes=tuple(votes), freezes=freezes), ACTIVE, at, tuple(rules))
    assert (one.allowed, one.earliest, one.notes) == (other.allowed, other.earliest, other.notes)
    assert sorted(map(read, one.findings)) == sorted(map(read, other.findings))


@EACH
@given(facts=ANY_FACTS, at=MOMENTS, more=FREEZES)
def test_a_freeze_more_never_lets_anything_through(facts: Facts, at: datetime, more: Freeze) -> None:
    if isinstance(facts.freezes, Unknown) or more.id in {freeze.id for freeze in facts.freezes}:
        return
    frozen = replace(facts, freezes=(*facts.freezes, more))
    assert decide(PROMOTION, facts, ACTIVE, at).allowed or not decide(PROMOTION, frozen, ACTIVE, at).allowed


@EACH
@given(facts=ANY_FACTS, at=MOMENTS)
def test_what_is_not_known_never_lets_anything_through(facts: Facts, at: datetime) -> None:
    names = ("candidate", "source_serving", "target_serving", "checks", "freezes", "holds", "people")
    for name in names:
        gone: dict[str, Any] = {name: Unknown("gone")}
        assert not decide(PROMOTION, replace(facts, **gone), ACTIVE, at).allowed


@EACH
@given(facts=ANY_FACTS, at=MOMENTS)
def test_an_agreement_more_never_closes_anything(facts: Facts, at: datetime) -> None:
    if isinstance(facts.people, Unknown):
        return
    zoe = person("zoe", "release_manager")
    more = replace(
        facts, votes=(*facts.votes, vote(zoe, at=facts.asked_at)), people={**facts.people, Human("zoe"): zoe}
    )
    assert decide(PROMOTION, more, ACTIVE, at).allowed or not decide(PROMOTION, facts, ACTIVE, at).allowed


TURNING = {rule.requires for rule in rules_for(ACTIVE.policy, PROMOTION) if rule.turns_with_time}


def closed(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in findings} & TURNING


@EACH
@given(facts=ANY_FACTS, at=MOMENTS)
def test_an_opening_that_is_named_is_one_and_is_the_first(facts: Facts, at: datetime) -> None:
    decision = decide(PROMOTION, facts, ACTIVE, at)
    advised = set(waits(decision).values())
    if decision.earliest is None:
        assert not advised
        return
    assert advised == {decision.earliest}
    assert closed(decision.blockers)
    assert not closed(decide(PROMOTION, facts, ACTIVE, decision.earliest).blockers)
    before = at
    while before < decision.earliest:
        assert closed(decide(PROMOTION, facts, ACTIVE, before).blockers)
        before += max(timedelta(minutes=10), (decision.earliest - at) / 40)
    just_before = max(at, decision.earliest - timedelta(microseconds=1))
    assert closed(decide(PROMOTION, facts, ACTIVE, just_before).blockers)


@EACH
@given(facts=ANY_FACTS, at=MOMENTS)
def test_where_no_opening_is_named_there_is_none(facts: Facts, at: datetime) -> None:
    decision = decide(PROMOTION, facts, ACTIVE, at)
    if decision.earliest is None and closed(decision.blockers):
        for days in range(21):
            for hours in (8, 9, 13):
                later = decide(PROMOTION, facts, ACTIVE, at + timedelta(days=days, hours=hours))
                assert closed(later.blockers)


@EACH
@given(facts=FACTS, freezes=FROZEN, at=MOMENTS)
def test_a_rollback_turns_on_its_own_facts_alone(facts: Facts, freezes: tuple[Freeze, ...], at: datetime) -> None:
    rollback = replace(
        facts,
        asked_by=INES,
        rollback_to=GOOD_ROLLBACK.rollback_to,
        target_serving=GOOD_ROLLBACK.target_serving,
        holds=(),
        freezes=freezes,
    )
    assert decide(ROLLBACK, rollback, ACTIVE, at).allowed


def test_the_policy_alone_says_how_many_must_agree() -> None:
    two = policy_with(approvals=[{"role": "release_manager", "count": 2}])
    assert not decide(PROMOTION, ALL_GOOD, two, NOW).allowed
    assert decide(PROMOTION, but(votes=(vote(OMAR), vote(OLGA))), two, NOW).allowed
    assert isinstance(two.policy, Policy)
