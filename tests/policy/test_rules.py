"""Each rule at its boundaries: from facts with nothing wrong, one thing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy.decide import decide
from policy.document import ActivePolicy
from policy.facts import Candidate, Check, CheckState, Deed, Facts, Freeze, Hold, KnownGood, Question, Serving, Verdict
from policy.finding import Decision, Finding, RemedyKind, Standing
from policy.model import AccountKind, Person, Place, Unknown
from policy.rulebook import rules_for
from tests.policy.good import (
    ACTIVE,
    ALL_GOOD,
    COMMIT,
    EVERYBODY,
    GOOD_ROLLBACK,
    HOUR,
    INES,
    MAYA,
    NEW,
    NOW,
    OLD,
    OLDER,
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

GONE = Unknown("it does not answer")
TICK = timedelta(microseconds=1)


def judged(
    facts: Facts = ALL_GOOD,
    question: Question = PROMOTION,
    active: ActivePolicy = ACTIVE,
    at: datetime = NOW,
) -> Decision:
    return decide(question, facts, active, at)


def found(rule: str, decision: Decision) -> Finding:
    (finding,) = [finding for finding in decision.findings if finding.rule == rule]
    return finding


def blockers(decision: Decision) -> list[str]:
    return [finding.rule for finding in decision.blockers]


def test_with_nothing_wrong_it_is_allowed() -> None:
    decision = judged()
    assert decision.allowed
    assert [finding.rule for finding in decision.findings] == [
        rule.requires for rule in rules_for(ACTIVE.policy, PROMOTION)
    ]


def check(name: str, state: CheckState, saw: str = "") -> dict[str, Check]:
    passed = {each: Check(each, CheckState.PASSED) for each in ("build", "unit-tests", "not-required")}
    return {**passed, name: Check(name, state, saw=saw)}


def freeze(starts: timedelta, ends: timedelta, environment: str = "prod", service: str | None = None) -> Freeze:
    return Freeze("fr_1", environment, service, NOW + starts, NOW + ends, "month end", "ines", "the books are closed")


HERE = Place("checkout", "prod")


def hold(place: Place = HERE, digest: Any = NEW) -> Hold:
    return Hold("ho_1", place, digest, NOW - 2 * HOUR, "7 % errors at 10 %")


def serving(digest: Any, since: datetime = NOW - 48 * HOUR) -> Serving:
    return Serving("some-revision", digest, since)


MET, UNMET, UNKNOWN, NA = Standing.MET, Standing.UNMET, Standing.UNKNOWN, Standing.NOT_APPLICABLE

TABLE: list[tuple[str, dict[str, Any], Standing, str | None]] = [
    # who asks
    ("may-ask", {}, MET, "maya is engineer"),
    ("may-ask", {"asked_by": INES}, UNMET, "ines is no engineer or release manager"),
    ("may-ask", {"asked_by": person("gus", "engineer", kind=AccountKind.GUEST)}, UNMET, "gus is a guest"),
    ("may-ask", {"asked_by": person("ci", "engineer", kind=AccountKind.BOT)}, UNMET, "ci is a bot; only humans ask"),
    (
        "may-ask",
        {"asked_by": person("eve", "engineer", kind=AccountKind.STRANGER)},
        UNMET,
        "eve is of another workspace",
    ),
    ("may-ask", {"asked_by": person("maya", "engineer", active=False)}, UNMET, "maya is not active any more"),
    (
        "may-ask",
        {"asked_by": Person("slack:T0ACME/U9", None, "someone", roles=frozenset({"engineer"}))},
        UNMET,
        "someone's account is linked to nobody that the policy knows",
    ),
    # what is promoted
    ("same-digest", {}, MET, "stage serves aaaaaaaaaaaa"),
    ("same-digest", {"source_serving": serving(OLD)}, UNMET, "aaaaaaaaaaaa is not what stage serves (bbbbbbbbbbbb)"),
    ("same-digest", {"source_serving": GONE}, UNKNOWN, "it does not answer"),
    ("same-digest", {"candidate": GONE}, UNKNOWN, "it does not answer"),
    ("something-to-promote", {}, MET, "prod serves bbbbbbbbbbbb"),
    ("something-to-promote", {"target_serving": serving(NEW)}, UNMET, "prod already serves aaaaaaaaaaaa"),
    ("something-to-promote", {"target_serving": GONE}, UNKNOWN, "it does not answer"),
    ("something-to-promote", {"candidate": GONE}, UNKNOWN, "it does not answer"),
    ("commit-known", {}, MET, "aaaaaaaaaaaa was built from 9f1c2ab"),
    ("commit-known", {"candidate": Candidate(NEW, GONE)}, UNKNOWN, "it does not answer"),
    ("commit-known", {"candidate": GONE}, UNKNOWN, "it does not answer"),
    # its checks
    ("required-checks", {}, MET, "build passed and unit-tests passed on 9f1c2ab"),
    (
        "required-checks",
        {"checks": check("not-required", CheckState.FAILED)},
        MET,
        "build passed and unit-tests passed on 9f1c2ab",
    ),
    (
        "required-checks",
        {"checks": check("build", CheckState.FAILED, "timed_out")},
        UNMET,
        "build failed (timed_out) and unit-tests passed on 9f1c2ab",
    ),
    (
        "required-checks",
        {"checks": check("unit-tests", CheckState.PENDING)},
        UNMET,
        "build passed and unit-tests has not finished on 9f1c2ab",
    ),
    (
        "required-checks",
        {"checks": {"build": Check("build", CheckState.PASSED)}},
        UNKNOWN,
        "build passed and unit-tests has no result on 9f1c2ab",
    ),
    (
        "required-checks",
        {"checks": {"build": Check("build", CheckState.FAILED, saw="failure")}},
        UNMET,
        "build failed (failure) and unit-tests has no result on 9f1c2ab",
    ),
    ("required-checks", {"checks": GONE}, UNKNOWN, "it does not answer"),
    ("required-checks", {"candidate": Candidate(NEW, GONE)}, UNKNOWN, "checks belong to a commit: it does not answer"),
    # how long it has served
    ("soak", {"source_serving": serving(NEW, NOW - 24 * HOUR - TICK)}, MET, None),
    ("soak", {"source_serving": serving(NEW, NOW - 24 * HOUR)}, MET, None),
    ("soak", {"source_serving": serving(NEW, NOW - 24 * HOUR + TICK)}, UNMET, None),
    (
        "soak",
        {"source_serving": serving(NEW, NOW + HOUR)},
        UNMET,
        "stage has served it for 0 s of 24 h, since Tue 24 Nov 2026 11:00 CET",
    ),
    ("soak", {"source_serving": serving(OLD)}, UNMET, "stage does not serve aaaaaaaaaaaa, so it does not soak"),
    ("soak", {"source_serving": GONE}, UNKNOWN, "it does not answer"),
    ("soak", {"candidate": GONE}, UNKNOWN, "it does not answer"),
    # freezes
    ("no-freeze", {}, MET, "nothing freezes checkout@prod"),
    ("no-freeze", {"freezes": (freeze(TICK, HOUR),)}, MET, None),
    (
        "no-freeze",
        {"freezes": (freeze(timedelta(0), HOUR),)},
        UNMET,
        "ines froze prod until Tue 24 Nov 2026 11:00 CET, or the books are closed: month end (fr_1)",
    ),
    ("no-freeze", {"freezes": (freeze(-HOUR, TICK),)}, UNMET, None),
    ("no-freeze", {"freezes": (freeze(-HOUR, timedelta(0)),)}, MET, None),
    ("no-freeze", {"freezes": (freeze(HOUR, -HOUR),)}, MET, None),
    ("no-freeze", {"freezes": (freeze(-HOUR, HOUR, service="checkout"),)}, UNMET, None),
    ("no-freeze", {"freezes": (freeze(-HOUR, HOUR, service="search"),)}, MET, None),
    ("no-freeze", {"freezes": (freeze(-HOUR, HOUR, environment="stage"),)}, MET, None),
    ("no-freeze", {"freezes": GONE}, UNKNOWN, "it does not answer"),
    # holds
    ("no-hold", {}, MET, "aaaaaaaaaaaa was not taken back from prod"),
    (
        "no-hold",
        {"holds": (hold(),)},
        UNMET,
        "aaaaaaaaaaaa was taken back from prod on Tue 24 Nov 2026 08:00 CET: 7 % errors at 10 % (ho_1)",
    ),
    ("no-hold", {"holds": (hold(digest=OLD),)}, MET, None),
    ("no-hold", {"holds": (hold(Place("checkout", "stage")),)}, MET, None),
    ("no-hold", {"holds": (hold(Place("search", "prod")),)}, MET, None),
    ("no-hold", {"holds": GONE}, UNKNOWN, "it does not answer"),
    ("no-hold", {"candidate": GONE}, UNKNOWN, "it does not answer"),
    # the request
    ("not-expired", {"expires_at": NOW + TICK}, MET, None),
    ("not-expired", {"expires_at": NOW}, UNMET, "the request expired on Tue 24 Nov 2026 10:00 CET"),
    ("not-expired", {"expires_at": None}, NA, "this request does not expire"),
    # who agreed
    ("second-person", {}, MET, "omar agreed; maya asked"),
    ("second-person", {"votes": ()}, UNMET, "somebody other than maya must agree"),
    ("second-person", {"votes": (vote(MAYA),)}, UNMET, "somebody other than maya must agree"),
    ("second-person", {"votes": (vote(RAJ),)}, UNMET, "somebody other than maya must agree"),
    ("second-person", {"people": GONE}, UNKNOWN, "it does not answer"),
    ("approvals", {}, MET, "omar as release manager agreed to plan 3f2a91c"),
    ("approvals", {"votes": ()}, UNMET, "a release manager must agree to plan 3f2a91c"),
    ("approvals", {"asked_by": OMAR}, UNMET, "a release manager must agree to plan 3f2a91c"),
    ("approvals", {"plan": OTHER_PLAN}, UNMET, "a release manager must agree to plan 91cc000"),
    ("approvals", {"plan": ""}, UNKNOWN, "there is no plan yet that anybody could agree to"),
    (
        "approvals",
        {"votes": (vote(OMAR), vote(OLGA, Verdict.REJECT, reason="not today"))},
        UNMET,
        "omar as release manager agreed to plan 3f2a91c; olga rejected it: not today",
    ),
    ("approvals", {"votes": (vote(OMAR), vote(RAJ, Verdict.REJECT))}, MET, None),
    ("approvals", {"people": GONE}, UNKNOWN, "it does not answer"),
]


@pytest.mark.requirement("S0-11", "S0-12", "S2-11", "S3-14", "D-04", "D-09")
@pytest.mark.parametrize(("rule", "changes", "standing", "reason"), TABLE)
def test_one_thing_changed(rule: str, changes: dict[str, Any], standing: Standing, reason: str | None) -> None:
    decision = judged(but(**changes))
    finding = found(rule, decision)
    assert finding.standing is standing
    assert reason is None or finding.reason == reason
    assert decision.allowed is not bool(decision.blockers)
    if standing in {UNMET, UNKNOWN}:
        assert not decision.allowed


@pytest.mark.requirement("S2-26")
@pytest.mark.parametrize(
    ("at", "standing", "reason"),
    [
        ("2026-11-24T07:59:59Z", UNMET, "closed, next Tue 24 Nov 2026 09:00 CET"),
        ("2026-11-24T08:00:00Z", MET, "open until Tue 24 Nov 2026 17:00 CET"),
        ("2026-11-24T15:59:59Z", MET, "open until Tue 24 Nov 2026 17:00 CET"),
        ("2026-11-24T16:00:00Z", UNMET, "closed, next Wed 25 Nov 2026 09:00 CET"),
        ("2026-11-27T12:00:00Z", UNMET, "closed, next Mon 30 Nov 2026 09:00 CET"),
    ],
)
def test_the_window_opens_at_its_first_instant_and_closes_at_its_last(at: str, standing: Standing, reason: str) -> None:
    finding = found("window", judged(at=datetime.fromisoformat(at)))
    says = "office_hours is Mon–Thu 09:00–17:00 and Fri 09:00–13:00 (Europe/Berlin)"
    assert (finding.standing, finding.reason) == (standing, f"{says}, {reason}")


def test_a_window_that_never_opens_again_has_no_advice_to_wait() -> None:
    document = ACTIVE.policy.model_dump(by_alias=True)
    past = {"interval": {"start": "2026-01-01T00:00", "end": "2026-01-02T00:00"}}
    document["windows"] = {"office_hours": {"allow": [past]}}
    active = ActivePolicy.model_validate({"policy": document, "hash": "e" * 64})
    decision = judged(active=active)
    finding = found("window", decision)
    assert finding.standing is UNMET
    assert finding.reason.endswith("closed, and no opening is known")
    assert not finding.remedies
    assert decision.earliest is None


@pytest.mark.requirement("S0-05", "S2-19", "S4-127")
@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (Question(Deed.PROMOTE, "checkout", "prod", "dev"), "no path dev→prod; allowed from dev: stage"),
        (
            Question(Deed.PROMOTE, "checkout", "stage", "prod"),
            "prod→stage leads back, and nothing is promoted backwards; use rollback",
        ),
        (Question(Deed.PROMOTE, "nothing", "prod", "stage"), "no service nothing; there are checkout and search"),
        (Question(Deed.PROMOTE, "search", "stage", "dev"), "dev→stage is not for search; it is for checkout"),
        (Question(Deed.PROMOTE, "search", "prod", "stage"), "search has no Cloud Run service in prod"),
        (Question(Deed.PROMOTE, "checkout", "prod"), "no path nowhere→prod; allowed from None: none"),
    ],
)
def test_what_is_no_path_is_refused_and_says_what_is(question: Question, reason: str) -> None:
    decision = judged(question=question)
    assert found("allowed-path", decision).reason == reason
    assert not decision.allowed


@pytest.mark.requirement("S0-22", "S2-25")
def test_a_path_that_asks_for_little_says_what_it_does_not_ask_for() -> None:
    to_stage = Question(Deed.PROMOTE, "checkout", "stage", "dev")
    decision = judged(but(freezes=(freeze(-HOUR, HOUR),), votes=()), to_stage, at=NOW + timedelta(days=5))
    standings = {finding.rule: finding.reason for finding in decision.findings if finding.standing is NA}
    assert standings == {
        "window": "dev→stage may start at any time",
        "second-person": "dev→stage needs nobody's agreement",
        "approvals": "dev→stage needs nobody's agreement",
    }
    assert {finding.rule for finding in decision.findings}.isdisjoint({"required-checks", "soak"})
    assert blockers(decision) == ["not-expired"]


def test_everything_that_is_missing_is_said_at_once() -> None:
    decision = judged(
        but(
            asked_by=INES,
            votes=(),
            holds=(hold(),),
            freezes=(freeze(-HOUR, HOUR),),
            checks={},
            source_serving=serving(OLD),
        )
    )
    assert blockers(decision) == [
        "may-ask",
        "same-digest",
        "required-checks",
        "soak",
        "no-freeze",
        "no-hold",
        "second-person",
        "approvals",
    ]


# Who can help -------------------------------------------------------------------------------------------------------


def remedies(finding: Finding) -> list[tuple[RemedyKind, str, tuple[str, ...]]]:
    return [(remedy.kind, remedy.says, remedy.who) for remedy in finding.remedies]


def test_the_asker_is_never_among_those_who_can_help() -> None:
    finding = found("approvals", judged(but(votes=(vote(OMAR),), asked_by=OMAR)))
    assert remedies(finding) == [(RemedyKind.APPROVE, "olga can agree", ("olga",))]


def test_those_who_can_agree_are_named() -> None:
    decision = judged(but(votes=()))
    assert remedies(found("approvals", decision)) == [(RemedyKind.APPROVE, "olga or omar can agree", ("olga", "omar"))]
    assert decision.waits_for_people_only


def test_a_rejection_says_who_can_take_it_back() -> None:
    finding = found("approvals", judged(but(votes=(vote(OMAR, Verdict.REJECT, reason="no"),))))
    says = "omar withdraws the rejection and olga or omar can agree"
    assert remedies(finding) == [(RemedyKind.APPROVE, says, ("omar", "olga"))]


def test_too_few_people_for_the_slots_is_said_before_anybody_waits() -> None:
    active = policy_with(approvals=[{"role": "release_manager", "count": 2}])
    finding = found("approvals", judged(but(asked_by=OMAR, votes=()), active=active))
    assert finding.reason == (
        "2 release managers must agree to plan 3f2a91c; and that cannot come: only olga could help"
    )
    finding = found("approvals", judged(but(asked_by=OMAR, votes=(vote(OLGA),)), active=active))
    assert finding.reason == (
        "olga as release manager agreed to plan 3f2a91c; a release manager must still agree to plan 3f2a91c; "
        "and that cannot come: nobody else may"
    )


def test_slots_of_different_roles_are_filled_by_different_humans() -> None:
    active = policy_with(approvals=[{"role": "release_manager"}, {"role": "tech_lead"}])
    assert judged(but(votes=(vote(OMAR), vote(RAJ))), active=active).allowed
    both = person("raj", "tech_lead", "release_manager")
    decision = judged(but(votes=(vote(both),), people={**EVERYBODY, both.human: both}), active=active)
    assert found("approvals", decision).standing is UNMET


def test_somebody_without_the_role_is_told_who_has_it() -> None:
    finding = found("may-ask", judged(but(asked_by=INES)))
    assert remedies(finding) == [
        (
            RemedyKind.ROLE,
            "somebody who is engineer or release manager asks: maya, olga, omar or raj",
            ("maya", "olga", "omar", "raj"),
        )
    ]


def test_a_freeze_says_who_may_end_it() -> None:
    finding = found("no-freeze", judged(but(freezes=(freeze(-HOUR, HOUR),))))
    assert remedies(finding)[1:] == [(RemedyKind.LIFT, "end the freeze fr_1 (olga or omar may)", ("olga", "omar"))]


# Rolling back, freezing, lifting ------------------------------------------------------------------------------------


def test_a_rollback_works_while_almost_nothing_is_known() -> None:
    facts = Facts(asked_by=INES, asked_at=NOW, rollback_to=GOOD_ROLLBACK.rollback_to)
    sunday_night = datetime(2026, 11, 29, 2, tzinfo=UTC)
    decision = judged(facts, ROLLBACK, at=sunday_night)
    assert decision.allowed
    assert {finding.rule: finding.standing for finding in decision.findings} == {
        "may-ask": MET,
        "known-good-target": MET,
        "database-goes-back": NA,
        "window": NA,
        "no-freeze": NA,
    }


@pytest.mark.requirement("S4-278")
@pytest.mark.parametrize(
    ("changes", "standing", "reason"),
    [
        ({}, MET, "checkout-r-old (bbbbbbbbbbbb) was verified on Mon 23 Nov 2026 10:00 CET (release op_1)"),
        ({"rollback_to": Unknown("c3… was never verified here")}, UNKNOWN, "c3… was never verified here"),
        (
            {"target_serving": Serving("checkout-r-old", OLD, NOW)},
            UNMET,
            "prod already serves checkout-r-old (bbbbbbbbbbbb)",
        ),
        (
            {"holds": (hold(digest=OLD),)},
            UNMET,
            "bbbbbbbbbbbb was taken back from prod on Tue 24 Nov 2026 08:00 CET: 7 % errors at 10 % (ho_1)",
        ),
        ({"holds": (hold(digest=OLDER), hold(Place("search", "prod"), OLD))}, MET, None),
        ({"holds": GONE}, MET, None),
        (
            {"target_serving": GONE},
            MET,
            "checkout-r-old (bbbbbbbbbbbb) was verified on Mon 23 Nov 2026 10:00 CET (release op_1); what serves now is not known",
        ),
    ],
)
def test_a_rollback_leads_to_what_was_verified(changes: dict[str, Any], standing: Standing, reason: str | None) -> None:
    decision = judged(but(GOOD_ROLLBACK, **changes), ROLLBACK)
    finding = found("known-good-target", decision)
    assert finding.standing is standing
    assert reason is None or finding.reason == reason
    assert decision.allowed is (standing is MET)


def test_a_rollback_ignores_freezes_and_windows() -> None:
    facts = but(GOOD_ROLLBACK, freezes=(freeze(-HOUR, HOUR),))
    decision = judged(facts, ROLLBACK, at=datetime(2026, 11, 29, 2, tzinfo=UTC))
    assert decision.allowed
    assert found("no-freeze", decision).reason == "a rollback does not wait for freezes"
    assert found("window", decision).reason == "a rollback does not wait for windows"


@pytest.mark.parametrize(
    ("deed", "allowed"),
    [
        (Deed.PROMOTE, {"maya", "raj", "omar", "olga"}),
        (Deed.ROLLBACK, {"ines"}),
        (Deed.FREEZE, {"omar", "olga"}),
        (Deed.LIFT, {"omar", "olga"}),
    ],
)
def test_each_deed_has_its_own_roles(deed: Deed, allowed: set[str]) -> None:
    question = Question(deed, "checkout", "prod", "stage" if deed is Deed.PROMOTE else None)
    may = {
        each.name
        for each in EVERYBODY.values()
        if found("may-ask", judged(replace(ALL_GOOD, asked_by=each), question)).standing is MET
    }
    assert may == allowed


def test_a_deed_that_no_role_may_is_for_nobody() -> None:
    document = ACTIVE.policy.model_dump(by_alias=True)
    document["may"] = {"promote": ["engineer"]}
    active = ActivePolicy.model_validate({"policy": document, "hash": "e" * 64})
    finding = found("may-ask", judged(GOOD_ROLLBACK, ROLLBACK, active))
    assert finding.standing is UNMET
    assert finding.reason == "nobody may rollback: the policy names no role"


def test_good_facts_of_one_deed_do_not_let_another_through() -> None:
    assert not judged(ALL_GOOD, ROLLBACK).allowed
    assert not judged(GOOD_ROLLBACK, PROMOTION).allowed


def test_what_was_verified_is_told_with_its_source() -> None:
    target = KnownGood("checkout-r-old", OLD, NOW - HOUR, "GitHub deployment 17", COMMIT)
    finding = found("known-good-target", judged(but(GOOD_ROLLBACK, rollback_to=target), ROLLBACK))
    assert finding.reason.endswith("(GitHub deployment 17)")


def test_a_plan_of_its_own_is_what_votes_bind_to() -> None:
    assert PLAN != OTHER_PLAN
    assert not judged(but(votes=(vote(OMAR, plan=OTHER_PLAN),))).allowed
