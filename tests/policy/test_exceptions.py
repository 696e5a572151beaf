"""Exceptions: what they let through, to the microsecond, who may ask for what, and who grants it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policy.agreement import Duty, Hotfix
from policy.decide import decide
from policy.document import ActivePolicy
from policy.evidence import NOTHING, Tag
from policy.exceptions import BUILT_IN, doubted, missing, objections, title, waivers
from policy.facts import Check, CheckState, Deed, ExceptionRecord, Facts, Question, Serving, Verdict
from policy.finding import RemedyKind, Standing
from policy.fits import NEVER_WAIVED
from policy.gates import Waivable
from policy.model import Human, Person, Unknown
from policy.rulebook import rules_for
from tests.policy.good import COMMIT, HOUR, MAYA, NEW, NOW, OLD, OLGA, OMAR, PLAN, PROMOTION, RAJ, ROLLBACK, but, vote
from tests.policy.people import (
    ACTIVE,
    ASKING,
    CALM,
    DAY,
    EVERYBODY,
    FINE,
    FREEZING,
    MAY_NOT,
    TICK,
    URGENT,
    at,
    decided,
    emergency,
    exception,
    found,
    freeze,
    policy,
    wanted,
)

RED = {
    "build": Check("build", CheckState.FAILED),
    "unit-tests": Check("unit-tests", CheckState.PASSED),
    "sast": Check("sast", CheckState.PASSED),
}


def red(*records: ExceptionRecord, **changes: Any) -> Facts:
    """`unit` is not met, and these exceptions stand in our books."""
    return but(FINE, **{"checks": RED, "exceptions": records, **changes})


UNIT = policy({"requires": ["unit", "sast"], "gates": {"soak": "PT24H", "window": "office_hours"}})


def standing(facts: Facts, rule: str = "unit", active: ActivePolicy = UNIT) -> Standing:
    return found(rule, decided(facts=facts, active=active)).standing


WAIVED, UNMET = Standing.WAIVED, Standing.UNMET


@pytest.mark.requirement("S4-315", "S4-099")
def test_a_gate_that_is_not_met_passes_only_by_an_exception_in_force() -> None:
    assert standing(red()) is UNMET
    assert not decided(facts=red(), active=UNIT).allowed
    decision = decided(facts=red(exception()), active=UNIT)
    assert decision.allowed
    waived = found("unit", decision)
    assert (waived.standing, waived.by, waived.source) == (WAIVED, "X-4", "1.21.3.1")
    assert waived.reason == "build failed on 9f1c2ab; waived by X-4 until Wed 25 Nov 2026 10:00 CET"


IN_FORCE: list[tuple[str, dict[str, Any], bool]] = [
    ("as it was granted", {}, True),
    ("nobody granted it", {"granted_at": None}, False),
    ("granted in a moment", {"granted_at": NOW + TICK}, False),
    ("granted right now", {"granted_at": NOW}, True),
    ("begins in a moment", {"starts_at": NOW + TICK}, False),
    ("begins right now", {"starts_at": NOW}, True),
    ("ends in a moment", {"ends_at": NOW + TICK}, True),
    ("ends right now", {"ends_at": NOW}, False),
    ("ended a moment ago", {"ends_at": NOW - TICK}, False),
    ("permanent", {"ends_at": None}, True),
    ("revoked in a moment", {"revoked_at": NOW + TICK}, True),
    ("revoked right now", {"revoked_at": NOW}, False),
    ("one use, unused", {"uses": 1}, True),
    ("one use, used", {"uses": 1, "used": ("op_1",)}, False),
    ("another environment", {"environment": "stage"}, False),
    ("another service", {"service": "search"}, False),
    ("every service", {"service": None}, True),
    ("this candidate", {"digest": NEW}, True),
    ("another candidate", {"digest": OLD}, False),
    ("another rule", {"waives": frozenset({"soak"})}, False),
    ("a kind that the policy does not know any more", {"kind": "gone"}, False),
    ("a kind that does not reach the rule", {"kind": "merge"}, False),
]


@pytest.mark.requirement("S4-318", "S4-077", "S4-155")
@pytest.mark.parametrize(("changes", "counts"), [row[1:] for row in IN_FORCE], ids=[row[0] for row in IN_FORCE])
def test_it_counts_exactly_where_and_while_it_is_in_force(changes: dict[str, Any], counts: bool) -> None:
    assert standing(red(exception(**changes))) is (WAIVED if counts else UNMET)


MARCH = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.mark.requirement("S4-318", "S4-099")
@pytest.mark.parametrize(("used_at", "counts"), [(MARCH - TICK, True), (MARCH, False), (MARCH + TICK, False)])
def test_at_the_very_instant_of_its_end_it_is_as_if_there_were_none(used_at: datetime, counts: bool) -> None:
    checks = {**RED, "build": Check("build", CheckState.PASSED), "sast": Check("sast", CheckState.FAILED)}
    record = exception(
        kind="outage", waives=frozenset({"sast"}), **dict.fromkeys(("starts_at", "granted_at"), FEBRUARY)
    )
    facts = red(replace(record, ends_at=MARCH), checks=checks)
    finding = found("sast", decide(PROMOTION, facts, UNIT, used_at))
    assert (finding.standing is WAIVED) is counts
    assert ("waived by X-4 until Tue 10 Mar 2026 01:00 CET" in finding.reason) is counts


FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)


@pytest.mark.requirement("S4-077")
def test_when_the_exception_ended_yesterday_a_tag_that_is_not_signed_blocks_again() -> None:
    gates = {"signed": {"kind": "tag", "pattern": r"^v\d+\.\d+\.\d+$", "signed": True}}
    kinds = {"legacy": {"waives": ["signed"], "approvals": [{"role": "release_manager"}]}}
    active = policy({"requires": ["signed"]}, gates=gates, exceptions=kinds, emergency=None, may=MAY_NOT)
    unsigned = replace(NOTHING, tag=Tag("v1.4.3", COMMIT, annotated=True, first_commit=COMMIT))
    legacy = exception(id="X-8", kind="legacy", waives=frozenset({"signed"}))
    for ends_at, counts in ((NOW + DAY, True), (NOW - DAY, False)):
        facts = but(FINE, evidence=unsigned, exceptions=(replace(legacy, ends_at=ends_at),))
        assert decided(facts=facts, active=active).allowed is counts
        assert standing(facts, "signed", active) is (WAIVED if counts else UNMET)


def test_of_two_the_stronger_and_the_longer_one_is_named() -> None:
    longer = exception(id="X-5", ends_at=NOW + 2 * DAY)
    strong = exception(id="X-3", kind="outage", ends_at=NOW + HOUR, waives=frozenset({"unit", "sast"}))
    for records in ((exception(), longer), (longer, exception())):
        assert waivers(at(facts=red(*records)))["unit"].by == "X-5"
    for records in ((strong, longer), (longer, strong)):
        assert waivers(at(facts=red(*records)))["unit"].by == "X-3"
    forever, later = exception(id="X-9", ends_at=None), exception(id="X-1", ends_at=None, starts_at=NOW - HOUR)
    assert waivers(at(facts=red(forever, longer)))["unit"].by == "X-9"
    for records in ((forever, later), (later, forever)):
        assert waivers(at(facts=red(*records)))["unit"].by == "X-1"
    stronger = replace(strong, id="X-2", ends_at=NOW + 2 * HOUR)
    for records in ((strong, stronger), (stronger, strong)):
        assert waivers(at(facts=red(*records)))["unit"].by == "X-2"


def test_what_is_not_known_waives_nothing() -> None:
    facts = but(FINE, exceptions=Unknown("the books do not answer"))
    assert waivers(at(facts=facts)) == {}
    assert waivers(at(ROLLBACK, red(exception()))) == {}
    assert decided(facts=facts).allowed, "and hinders nothing that stands without"


@pytest.mark.requirement("S4-112", "S4-174")
def test_a_security_gate_is_waived_only_by_an_emergency_exception() -> None:
    checks = {**RED, "build": Check("build", CheckState.PASSED), "sast": Check("sast", CheckState.FAILED)}
    both = frozenset({"unit", "sast"})
    plain = red(exception(waives=both), checks=checks)
    assert standing(plain, "sast") is UNMET
    assert standing(red(exception(kind="outage", waives=both), checks=checks), "sast") is WAIVED
    assert objections(wanted(waives=frozenset({"sast"})), ACTIVE.policy) == (
        "sast needs an emergency exception (outage)",
    )


def test_it_is_said_which_exceptions_reach_what_only_an_emergency_may_waive() -> None:
    kinds = {
        "plain": {"waives": ["unit"], "approvals": [{"role": "qa"}]},
        "other": {"waives": ["unit"], "emergency": True, "approvals": [{"role": "qa"}]},
        "one": {"waives": ["sast"], "emergency": True, "approvals": [{"role": "qa"}]},
    }
    asking = wanted(kind="plain", waives=frozenset({"sast"}))
    assert objections(asking, policy(exceptions=kinds).policy) == ("sast needs an emergency exception (one)",)
    del kinds["one"]
    assert objections(asking, policy(exceptions=kinds).policy) == ("sast needs an emergency",)


def test_what_is_never_waived_is_not_waived_whatever_the_record_says() -> None:
    everything = frozenset(rule.requires for rule in rules_for(UNIT.policy, PROMOTION))
    kinds = {
        "all": {"waives": ["unit", "sast", "window", "no-freeze"], "emergency": True, "approvals": [{"role": "qa"}]}
    }
    active = policy({"requires": ["unit", "sast"]}, exceptions=kinds)
    facts = but(
        FINE,
        exceptions=(exception(kind="all", waives=everything),),
        asked_by=replace(MAYA, roles=frozenset()),
        votes=(),
        source_serving=Unknown("no"),
        target_serving=Unknown("no"),
        freezes=(freeze(),),
    )
    decision = decided(facts=facts, active=active)
    waived = {finding.rule for finding in decision.findings if finding.standing is WAIVED}
    assert waived == {"no-freeze", "sast"}
    assert {"may-ask", "second-person", "approvals", "same-digest"} <= {each.rule for each in decision.blockers}


def test_of_the_rules_that_are_no_gates_it_is_known_which_may_be_waived() -> None:
    questions = (PROMOTION, URGENT, ASKING, FREEZING, ROLLBACK, Question(Deed.LIFT, "checkout", "prod"))
    owes = Duty(kind="forward-port", says="it is everywhere", owner="release_manager", within=HOUR)
    policy = ACTIVE.policy.model_copy(update={"hotfix": Hotfix(owes=owes)})
    rules = {rule for question in questions for rule in rules_for(policy, question)}
    able = {rule.requires for rule in rules if rule.waivable is not Waivable.NEVER}
    assert able == set(BUILT_IN)
    assert {rule.requires for rule in rules} - able == set(NEVER_WAIVED)


# Emergencies ----------------------------------------------------------------------------------------------------------


def test_an_emergency_waives_what_the_policy_says_until_it_ends() -> None:
    by = waivers(at(URGENT, but(FINE, emergency=emergency())))
    assert {rule: (waiver.by, waiver.emergency) for rule, waiver in by.items()} == dict.fromkeys(
        ("window", "no-freeze", "soak", "sast"), ("E-1", True)
    )
    for ends_at, counts in ((NOW + TICK, True), (NOW, False)):
        assert bool(waivers(at(URGENT, but(FINE, emergency=emergency(ends_at=ends_at))))) is counts
    assert waivers(at(PROMOTION, but(FINE, emergency=emergency()))) == {}, "an ordinary change rests on none"
    assert waivers(at(URGENT, red(exception()))).keys() == {"unit"}, "nor an emergency without a record"
    assert waivers(at(URGENT, but(FINE, emergency=emergency()), CALM)) == {}


# Whoever granted it ---------------------------------------------------------------------------------------------------

GRANTED_BY_OMAR = exception(id="X-6", granted_by=(OMAR,))


@pytest.mark.requirement("S4-322")
def test_who_granted_what_it_rests_on_does_not_count_as_agreeing_to_it() -> None:
    decision = decided(facts=red(GRANTED_BY_OMAR), active=UNIT)
    assert [finding.rule for finding in decision.blockers] == ["second-person", "approvals"]
    assert found("unit", decision).by == "X-6"
    assert found("approvals", decision).remedies[0].who == ("olga",)
    note = "omar's approval does not count: omar granted an exception that this rests on, so cannot agree to it"
    assert note in decision.notes
    assert decided(facts=red(GRANTED_BY_OMAR, votes=(vote(OLGA),)), active=UNIT).allowed


def test_who_granted_it_is_still_who_granted_it_under_another_name() -> None:
    """Renamed under `people`, omar agrees with the account that granted it, and then with another one."""
    renamed = replace(OMAR, human=Human("otto"), name="otto")
    people = {**EVERYBODY, Human("otto"): renamed}
    for voter in (renamed, replace(renamed, account="slack:T0ACME/U1OTTO")):
        decision = decided(facts=red(GRANTED_BY_OMAR, votes=(vote(voter),), people=people), active=UNIT)
        assert [finding.rule for finding in decision.blockers] == ["second-person", "approvals"]
    same = replace(OLGA, human=Human("otto"), name="otto")
    people = {**EVERYBODY, Human("otto"): same}
    assert decided(facts=red(GRANTED_BY_OMAR, votes=(vote(same),), people=people), active=UNIT).allowed


def test_nobody_rests_on_what_they_granted_themselves() -> None:
    asked_by_raj = red(exception(), asked_by=RAJ)
    assert standing(asked_by_raj) is UNMET, "raj granted it"
    other_account = replace(RAJ, account="slack:T0ACME/U1RAJ")
    assert standing(red(exception(), asked_by=other_account)) is UNMET
    assert standing(red(exception(granted_by=(replace(RAJ, human=None),)), asked_by=RAJ)) is UNMET
    strangers = [Person(f"slack:T0ACME/{name}", None, name, roles=RAJ.roles) for name in ("U8", "U9")]
    assert standing(red(exception(granted_by=strangers[:1]), asked_by=strangers[1])) is WAIVED, "two accounts of nobody"
    assert standing(red(exception(granted_by=(RAJ, OLGA)), asked_by=RAJ)) is UNMET
    assert standing(red(exception(granted_by=(OLGA,)), asked_by=RAJ)) is WAIVED


def test_who_granted_what_it_does_without_counts() -> None:
    assert decided(facts=but(FINE, exceptions=(GRANTED_BY_OMAR,))).allowed
    other = exception(id="X-7")
    both = decided(facts=red(GRANTED_BY_OMAR, other), active=UNIT)
    assert both.allowed, "where somebody else's exception does, omar's vote counts"
    assert found("unit", both).by == "X-7"


def test_only_those_are_in_doubt_who_granted_it_and_agree() -> None:
    nobody = (frozenset[Human](),)
    assert doubted(at(facts=red(GRANTED_BY_OMAR))) == (*nobody, frozenset({"omar"}))
    assert doubted(at(facts=red(GRANTED_BY_OMAR, votes=(vote(OMAR, Verdict.REJECT),)))) == nobody
    assert doubted(at(facts=red(GRANTED_BY_OMAR, votes=(vote(OLGA),)))) == nobody
    both = exception(granted_by=(RAJ, OMAR))
    assert doubted(at(facts=red(both))) == (*nobody, frozenset({"omar"})), "he and raj granted it together"
    stranger = replace(OMAR, human=None)
    moved = {**EVERYBODY, Human("omar"): replace(OMAR, account="slack:T0ACME/U1OMAR")}
    before = exception(granted_by=(stranger,))
    assert doubted(at(facts=red(before, people=moved))) == (*nobody, frozenset({"omar"})), "by the account that he had"
    unlinked = exception(granted_by=(stranger,))
    assert doubted(at(facts=red(unlinked, votes=(vote(stranger),)))) == nobody, "their vote counts for nothing anyway"


def test_of_those_who_granted_and_agreed_as_few_as_possible_are_left_out() -> None:
    """Another exception for the same rule never turns a yes into a no."""
    by_olga = exception(id="X-8", granted_by=(OLGA,), waives=frozenset({"unit", "soak"}))
    soaking = Serving("checkout-r-new", NEW, NOW - HOUR, COMMIT)
    votes = (vote(OMAR), vote(OLGA))
    facts = red(by_olga, votes=votes, source_serving=soaking)
    assert decided(facts=facts, active=UNIT).allowed
    assert decided(facts=red(by_olga, GRANTED_BY_OMAR, votes=votes, source_serving=soaking), active=UNIT).allowed


# Asking for one -------------------------------------------------------------------------------------------------------


def asked(record: ExceptionRecord, active: ActivePolicy = ACTIVE, **changes: Any) -> Any:
    question = replace(ASKING, kind=record.kind)
    facts = but(FINE, **{"wanted": record, "votes": (), "plan": PLAN, **changes})
    return decide(question, facts, active, NOW)


OBJECTIONS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "gone"}, "there is no kind of exception gone; kinds are temporary, permanent, outage and merge"),
    ({"waives": frozenset()}, "it names no rule; temporary may waive unit, soak, window and no-freeze"),
    ({"waives": frozenset({"same-image"})}, "same-image is never waived"),
    ({"waives": frozenset({"approvals"})}, "approvals is never waived"),
    ({"waives": frozenset({"second-person"})}, "second-person is never waived"),
    ({"waives": frozenset({"nothing"})}, "nothing is never waived"),
    ({"waives": frozenset({"sast"})}, "sast needs an emergency exception (outage)"),
    ({"waives": frozenset({"nothing-overdue"})}, "nothing-overdue is never waived"),
    (
        {"waives": frozenset({"required-checks"})},
        "temporary does not reach required-checks; temporary may waive unit, soak, window and no-freeze",
    ),
    ({"environment": ""}, "it must say for which environment it is; there are dev, stage and prod"),
    ({"service": "shop"}, "there is no service shop; there are checkout and search"),
    ({"ends_at": None}, "it must end, 720 h after it begins at the latest"),
    ({"ends_at": NOW - 2 * HOUR}, "it ends before it begins"),
    ({"starts_at": NOW - 4 * HOUR, "ends_at": NOW - 3 * HOUR}, "it ends before it begins"),
    ({"starts_at": NOW + HOUR, "ends_at": NOW + HOUR}, "it ends before it begins"),
    ({"ends_at": NOW - 2 * HOUR + 30 * DAY + TICK}, "it may last 720 h, and would last longer"),
    (
        {"kind": "outage", "uses": 2},
        "at most 1 promotion may rest on it",
    ),
    ({"kind": "outage"}, "at most 1 promotion may rest on it"),
]


@pytest.mark.requirement("S4-315")
@pytest.mark.parametrize(("changes", "says"), OBJECTIONS, ids=[says for _, says in OBJECTIONS])
def test_what_nobody_can_grant_is_refused_with_the_reason(changes: dict[str, Any], says: str) -> None:
    decision = asked(wanted(**changes))
    assert not decision.allowed
    assert says in found("exception-allowed", decision).reason
    assert found("exception-allowed", decision).standing is UNMET


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ends_at": NOW - 2 * HOUR + 30 * DAY},
        {"service": None},
        {"kind": "permanent", "ends_at": None, "fields": {"reason": "never will", "reconsider-at": "the next audit"}},
        {"kind": "permanent", "ends_at": NOW + 900 * DAY, "fields": {"reason": "said", "reconsider-at": "said"}},
        {"kind": "outage", "uses": 1, "waives": frozenset({"unit", "sast"})},
        {"kind": "merge", "waives": frozenset({"no-freeze"}), "fields": {"reason": "legal", "rollback-target": "r-3"}},
    ],
)
def test_what_its_kind_may_waive_can_be_granted(changes: dict[str, Any]) -> None:
    record = wanted(**changes)
    assert objections(record, ACTIVE.policy) == ()
    decision = asked(record)
    assert [finding.rule for finding in decision.blockers] == ["second-person", "approvals"]
    assert decision.waits_for_people_only


@pytest.mark.parametrize("said", ["", "  "])
def test_what_is_left_unsaid_is_named_in_the_order_of_the_policy(said: str) -> None:
    record = wanted(fields={"controls": said, "reason": "said"})
    assert missing(record, ACTIVE.policy.exceptions["temporary"]) == ("risk", "controls", "remediation")
    decision = asked(record, votes=(vote(OMAR, reason="fine"),))
    finding = found("exception-complete", decision)
    assert (finding.standing, finding.reason) == (UNMET, "missing: risk, controls and remediation")
    assert [(each.kind, each.says, each.who) for each in finding.remedies] == [
        (RemedyKind.SAY, "say risk:, controls: and remediation:", ("maya",))
    ]
    assert not decision.allowed, "whoever agreed to it"


@pytest.mark.requirement("S4-322", "S4-315")
def test_who_asks_for_it_does_not_grant_it() -> None:
    record = wanted(asked_by=RAJ)
    alone = asked(record, asked_by=RAJ, votes=(vote(RAJ, reason="mine"),))
    assert not alone.allowed
    assert alone.waits_for_people_only
    assert asked(record, asked_by=RAJ, votes=(vote(OMAR, reason="fine"),)).allowed
    assert not asked(record, asked_by=RAJ, votes=(vote(OMAR),)).allowed, "this kind asks for a reason"


def test_a_request_that_nobody_knows_is_not_granted() -> None:
    assert not asked(wanted(), wanted=None).allowed
    assert not asked(wanted(), wanted=freeze()).allowed
    other = decide(ASKING, but(FINE, wanted=wanted(kind="merge"), votes=(vote(OMAR, reason="x"),)), ACTIVE, NOW)
    assert found("exception-complete", other).standing is Standing.UNKNOWN


def test_to_revoke_one_takes_only_somebody_who_may() -> None:
    revoking = replace(ASKING, kind="")
    assert decide(revoking, but(FINE, votes=()), ACTIVE, NOW).allowed
    assert not decide(revoking, but(FINE, votes=(), asked_by=EVERYBODY[Human("quinn")]), ACTIVE, NOW).allowed


@pytest.mark.requirement("S4-324")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Exception: 1.21.3.1 for acme/checkout"),
        ({"waives": frozenset({"unit", "soak"})}, "Exception: soak, 1.21.3.1 for acme/checkout"),
        ({"service": None}, "Exception: 1.21.3.1 for every service"),
        ({"service": "gone"}, "Exception: 1.21.3.1 for gone"),
        ({"waives": frozenset({"sast"})}, "Exception: sast for acme/checkout"),
        ({"fields": {"policy-reference": "1.29.3"}}, "Exception: 1.29.3 for acme/checkout"),
    ],
)
def test_it_is_titled_by_what_it_waives_and_for_whom(changes: dict[str, Any], says: str) -> None:
    assert title(wanted(**changes), ACTIVE.policy) == says


# As the policies that people signed say it ----------------------------------------------------------------------------

KINDS: dict[str, dict[str, Any]] = {
    "merge": {"fields": ["reason", "reference", "rollback-target"], "reasons": ["incident", "legal", "regulatory"]},
    "relaxation": {"fields": ["reason", "pr"], "longest": "PT4H"},
    "temporary": {
        "fields": [
            *("owner", "policy-reference", "scope", "risk-impact", "risk-likelihood", "risk-compliance", "controls"),
            *("remediation", "evidence", "rollback"),
        ],
        "longest": "P90D",
    },
    "permanent": {
        "fields": ["owner", "why-not-feasible", "controls", "reconsider-at", "reconsider-criteria"],
        "longest": None,
    },
    "bypass": {"fields": ["rationale", "scope", "remediation-date"]},
    "quarantine": {"fields": ["test", "suite", "ticket", "rationale", "high-risk-covered"]},
    "one-time": {"fields": ["reason", "follow-up"], "uses": 1},
    "skipped-review": {"fields": ["risk-acceptance-by", "follow-up"]},
    "release-only": {"fields": ["why-not-on-main", "approver", "reconcile"]},
    "early-backport": {"fields": ["rationale", "follow-up-ticket"]},
    "no-branch": {"fields": ["rationale"]},
    "no-flag": {"fields": ["ticket", "rationale", "reversible"]},
    "no-secret-manager": {"fields": ["controls", "timeline"]},
    "no-tagging": {"fields": ["rationale", "migration-plan", "owner", "date"]},
    "break-glass": {"fields": ["incident", "reason"], "longest": "PT4H", "approvals": [{"role": "on_call"}]},
}
SIGNED = policy(
    exceptions={
        name: {"waives": ["unit"], "approvals": [{"role": "release_manager"}], **kind} for name, kind in KINDS.items()
    }
)


def said_for(kind: str, **changes: str | None) -> dict[str, str]:
    """Every field of that kind, but for those that are None."""
    first = KINDS[kind].get("reasons", ["said"])[0]
    fields = {field: first if field == "reason" else "said" for field in KINDS[kind]["fields"]}
    return {field: said for field, said in {**fields, **changes}.items() if said is not None}


def signed(kind: str, **changes: Any) -> Any:
    uses = KINDS[kind].get("uses")
    record = wanted(**{"kind": kind, "ends_at": NOW + HOUR, "fields": said_for(kind), "uses": uses, **changes})
    return asked(record, SIGNED, votes=(vote(OMAR, reason="fine"),))


UNSAID = [
    pytest.param("merge", "rollback-target", marks=pytest.mark.requirement("S0-24")),
    pytest.param("bypass", "remediation-date", marks=pytest.mark.requirement("S4-111")),
    pytest.param("permanent", "reconsider-at", marks=pytest.mark.requirement("S4-319")),
    pytest.param("temporary", "risk-likelihood", marks=pytest.mark.requirement("S4-320")),
    pytest.param("one-time", "follow-up", marks=pytest.mark.requirement("S4-323")),
    pytest.param("skipped-review", "risk-acceptance-by", marks=pytest.mark.requirement("S4-174")),
    pytest.param("release-only", "reconcile", marks=pytest.mark.requirement("S4-197")),
    pytest.param("early-backport", "follow-up-ticket", marks=pytest.mark.requirement("S4-199")),
    pytest.param("no-branch", "rationale", marks=pytest.mark.requirement("S4-212")),
    pytest.param("no-flag", "ticket"),
    pytest.param("no-secret-manager", "timeline", marks=pytest.mark.requirement("S4-258")),
    pytest.param("no-tagging", "owner", marks=pytest.mark.requirement("S4-335")),
]


@pytest.mark.parametrize(("kind", "field"), UNSAID)
def test_each_kind_is_refused_without_what_it_asks_for(kind: str, field: str) -> None:
    ends: dict[str, Any] = {"ends_at": None} if kind == "permanent" else {}
    assert signed(kind, **ends).allowed
    for said in (None, " "):
        refused = signed(kind, fields=said_for(kind, **{field: said}), **ends)
        assert not refused.allowed
        assert found("exception-complete", refused).reason == f"missing: {field}"


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("relaxation", marks=pytest.mark.requirement("S0-36")),
        pytest.param("quarantine", marks=pytest.mark.requirement("S4-108")),
        pytest.param("one-time", marks=pytest.mark.requirement("S4-323")),
        pytest.param("temporary", marks=pytest.mark.requirement("S4-318")),
    ],
)
def test_what_is_not_permanent_must_end(kind: str) -> None:
    assert signed(kind).allowed
    endless = signed(kind, ends_at=None)
    assert not endless.allowed
    assert found("exception-allowed", endless).reason.startswith("it must end, ")


@pytest.mark.requirement("S0-23")
def test_a_reason_that_is_none_of_those_named_is_refused_with_those_that_are() -> None:
    refused = signed("merge", fields=said_for("merge", reason="marketing deadline"))
    assert not refused.allowed
    says = "the reason is incident, legal or regulatory, not marketing deadline"
    assert found("exception-allowed", refused).reason == says
    assert signed("merge", fields=said_for("merge", reason="legal")).allowed
    unsaid = signed("merge", fields=said_for("merge", reason=None))
    assert found("exception-allowed", unsaid).standing is Standing.MET, (
        "what is missing is said once, by the other rule"
    )


@pytest.mark.requirement("S4-162")
def test_break_glass_is_granted_by_whom_its_kind_names_and_by_nobody_else() -> None:
    assert not signed("break-glass").allowed, "omar is a release manager"
    record = wanted(kind="break-glass", ends_at=NOW + HOUR, fields=said_for("break-glass"))
    assert asked(record, SIGNED, votes=(vote(EVERYBODY[Human("dana")], reason="go"),)).allowed
