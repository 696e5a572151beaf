"""Sign-offs: one more person with a role of their own, where the change asks for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations, product
from typing import Any

import pytest

from policy.case import case
from policy.document import ActivePolicy
from policy.evidence import NOTHING, Changes, PullRequest
from policy.facts import Facts, Verdict
from policy.finding import Decision, RemedyKind, Standing
from policy.gates import SignoffGate
from policy.model import Human, Unknown
from policy.rules.signoff import signed_off
from tests.policy.good import HOUR, NOW, OMAR, PROMOTION, RAJ, but, person, vote
from tests.policy.people import EVERYBODY, FINE, MAY_NOT, QUINN, SAM, at, decided, exception, found, policy

MET, UNMET, UNKNOWN, NA = Standing.MET, Standing.UNMET, Standing.UNKNOWN, Standing.NOT_APPLICABLE

GATES: dict[str, dict[str, Any]] = {
    "sast": {"kind": "checks", "names": ["sast"], "waivable": "emergency"},
    "unit": {"kind": "checks", "names": ["build"]},
    "architecture": {
        "kind": "signoff",
        "role": "tech_lead",
        "title": "architecture review",
        "when": {"labels": ["new-feature"]},
    },
    "security": {
        "kind": "signoff",
        "role": "security_engineer",
        "title": "security review",
        "when": {"labels": ["security-sensitive"], "files": ["auth/**", "**/migrations/**"], "severities": ["sev1"]},
    },
    "ux": {"kind": "signoff", "role": "qa", "title": "UX review", "when": {"files": ["web/**"]}},
    "performance": {"kind": "signoff", "role": "on_call", "when": {"files": ["infra/**", "terraform/**"]}},
    "qa": {
        "kind": "signoff",
        "role": "qa",
        "title": "QA sign-off",
        "when": {"labels": ["risk:high", "customer-impacting", "data-migration"]},
    },
}
GONE = Unknown("no answer")
SIGNOFFS = [name for name, gate in GATES.items() if gate["kind"] == "signoff"]


def asking(**gates: dict[str, Any]) -> ActivePolicy:
    """The policy whose path to production requires these sign-offs."""
    kinds = {
        "temporary": {"waives": ["unit", *gates], "approvals": [{"role": "release_manager"}]},
        "outage": {"waives": ["sast"], "emergency": True, "approvals": [{"role": "release_manager"}]},
    }
    return policy({"requires": list(gates)}, gates={**GATES, **gates}, exceptions=kinds)


ACTIVE = asking(**{name: GATES[name] for name in SIGNOFFS})


def changing(*labels: str, files: tuple[str, ...] = (), number: int = 31, **changes: Any) -> Facts:
    """A change with one pull request that bears these labels, and touches these files."""
    pull_request = PullRequest(number, "a change", labels=frozenset(labels))
    evidence = replace(NOTHING, changes=Changes(pull_requests=(pull_request,), files=files))
    return but(FINE, **{"evidence": evidence, **changes})


def judged(facts: Facts, active: ActivePolicy = ACTIVE) -> Decision:
    return decided(facts=facts, active=active)


WHERE: list[Any] = [
    pytest.param(changing("new-feature"), "architecture", RAJ, id="a", marks=pytest.mark.requirement("S3-33")),
    pytest.param(
        changing(files=("auth/session.py",)), "security", SAM, id="b", marks=pytest.mark.requirement("S3-34", "S4-173")
    ),
    pytest.param(
        changing(files=("db/migrations/7.sql",)), "security", SAM, id="c", marks=pytest.mark.requirement("S3-34")
    ),
    pytest.param(
        changing(fields={"severity": "sev1"}), "security", SAM, id="d", marks=pytest.mark.requirement("S4-173")
    ),
    pytest.param(changing(files=("web/app.tsx",)), "ux", QUINN, id="e", marks=pytest.mark.requirement("S3-35")),
    pytest.param(
        changing(files=("infra/run.tf",)),
        "performance",
        EVERYBODY[Human("dana")],
        id="f",
        marks=pytest.mark.requirement("S3-36"),
    ),
    pytest.param(changing("data-migration"), "qa", QUINN, id="g", marks=pytest.mark.requirement("S4-060")),
]


@pytest.mark.parametrize(("facts", "gate", "who"), WHERE)
def test_where_the_change_asks_for_it_it_goes_only_with_that_role(facts: Facts, gate: str, who: Any) -> None:
    without = judged(facts)
    assert [finding.rule for finding in without.blockers] == [gate]
    assert without.waits_for_people_only
    other = person("zoe", "release_manager", "engineer")
    assert [finding.rule for finding in judged(but(facts, votes=(vote(OMAR), vote(other)))).blockers] == [gate]
    signed = judged(but(facts, votes=(vote(OMAR), vote(who))))
    assert signed.allowed
    assert found(gate, signed).reason.startswith(f"{who.name} signed it off as ")


def test_where_it_does_not_it_asks_for_nobody() -> None:
    assert judged(changing("docs", files=("README.md",))).allowed


@pytest.mark.requirement("S3-33")
def test_it_says_what_of_the_change_asks_for_it_and_who_can_help() -> None:
    finding = found("architecture", judged(changing("new-feature")))
    assert finding.reason == "architecture review is missing: a tech lead must agree for #31"
    (advice,) = [each for each in finding.remedies if each.kind is RemedyKind.APPROVE]
    assert (advice.says, advice.who) == ("raj can agree", ("raj",))
    files = tuple(f"auth/{number}.py" for number in range(5))
    many = found("security", judged(changing("security-sensitive", files=files)))
    assert many.reason.endswith("a security engineer must agree for #31, auth/0.py, auth/1.py and auth/2.py")
    by_severity = found("security", judged(changing(fields={"severity": "sev1"})))
    assert by_severity.reason == "security review is missing: a security engineer must agree"


def test_only_what_asks_for_it_is_named() -> None:
    both = found("security", judged(changing(files=("README.md", "auth/session.py"))))
    assert both.reason == "security review is missing: a security engineer must agree for auth/session.py"
    always = found("security", judged(changing("new-feature", files=("auth/session.py",)), EVERY))
    assert always.reason == "a sign-off is missing: a security engineer must agree"
    unseen = but(FINE, evidence=replace(NOTHING, changes=GONE), fields={"severity": "sev1"})
    assert found("security", judged(unseen)).reason == "security review is missing: a security engineer must agree"


def test_where_it_cannot_be_known_whether_the_change_asks_for_it_it_blocks() -> None:
    finding = found("architecture", judged(but(FINE, evidence=replace(NOTHING, changes=Unknown("no answer")))))
    assert finding.standing is UNKNOWN


GATE = SignoffGate(kind="signoff", role="security_engineer")
EVERY = asking(security={"kind": "signoff", "role": "security_engineer"})
BOTH = replace(SAM, roles=frozenset({"release_manager", "security_engineer"}))


def of_everybody(*more: Any) -> Any:
    return {**EVERYBODY, **{each.human: each for each in more}}


def test_one_that_no_seat_stands_for_is_not_known() -> None:
    finding = signed_off("another", SignoffGate(kind="signoff", role="qa"))(at(facts=FINE, active=EVERY))
    assert (finding.standing, finding.reason) == (UNKNOWN, "nobody was asked to sign it off")


def test_what_is_open_is_said_by_the_rule_that_asks_for_it_and_by_no_other() -> None:
    nobody = judged(but(FINE, votes=()), EVERY)
    assert found("approvals", nobody).reason == "a release manager must agree to plan 3f2a91c"
    assert [each.who for each in found("approvals", nobody).remedies] == [("olga", "omar")]
    assert found("security", nobody).reason == "a sign-off is missing: a security engineer must agree"
    assert [each.who for each in found("security", nobody).remedies if each.kind is RemedyKind.APPROVE] == [("sam",)]


def test_what_would_help_a_sign_off_is_no_more_than_it_takes() -> None:
    two = policy(
        {"requires": ["security"], "approvals": [{"role": "release_manager", "count": 3}]},
        gates={**GATES, "security": {"kind": "signoff", "role": "security_engineer"}},
        exceptions={"temporary": {"waives": ["security"], "approvals": [{"role": "qa"}]}},
        emergency=None,
        may=MAY_NOT,
    )
    asked = case(PROMOTION, but(FINE, votes=(vote(OMAR),)), two.policy, NOW)
    finding = signed_off("security", GATE)(asked)
    (advice,) = finding.remedies
    assert advice.says == "sam can agree"
    assert advice.applied is not None
    assert len(advice.applied(asked.facts).votes) == 2, "although the three release managers can never come together"


def test_those_who_may_not_be_alone_hold_up_no_sign_off() -> None:
    alone = policy(
        {"requires": ["security"], "separation": {"reviewers": "not_alone"}},
        gates={**GATES, "security": {"kind": "signoff", "role": "security_engineer"}},
        exceptions={"temporary": {"waives": ["security"], "approvals": [{"role": "qa"}]}},
        emergency=None,
        may=MAY_NOT,
    )
    reviewed = frozenset({Human("omar"), Human("olga"), Human("sam")})
    asked = case(PROMOTION, but(FINE, reviewers=reviewed), alone.policy, NOW)
    assert [each.says for each in signed_off("security", GATE)(asked).remedies] == ["sam can agree"]
    by_omar = case(PROMOTION, but(FINE, reviewers=frozenset({Human("omar")})), alone.policy, NOW)
    (advice,) = signed_off("security", GATE)(by_omar).remedies
    assert advice.applied is not None
    assert [each.voter.name for each in advice.applied(by_omar.facts).votes] == ["omar", "sam"]


def test_what_would_help_a_sign_off_takes_nobodys_rejection_back() -> None:
    against = (vote(EVERYBODY[Human("olga")], Verdict.REJECT), vote(OMAR))
    asked = case(PROMOTION, but(FINE, votes=against), EVERY.policy, NOW)
    (advice,) = signed_off("security", GATE)(asked).remedies
    assert advice.applied is not None
    assert advice.applied(asked.facts).votes[:2] == against


def test_nobody_fills_two_places() -> None:
    people = of_everybody(BOTH)
    alone = judged(but(FINE, votes=(vote(BOTH),), people=people), EVERY)
    assert not alone.allowed
    assert {finding.rule for finding in alone.blockers} == {"security"}, "their vote fills what the path asks for first"
    together = judged(but(FINE, votes=(vote(BOTH), vote(OMAR)), people=people), EVERY)
    assert together.allowed


def test_whoever_may_sign_it_off_may_reject_it() -> None:
    decision = judged(but(FINE, votes=(vote(OMAR), vote(SAM, Verdict.REJECT, reason="no"))), EVERY)
    assert "approvals" in {finding.rule for finding in decision.blockers}
    assert "sam rejected it: no" in found("approvals", decision).reason


LEAD = replace(RAJ, roles=frozenset({"release_manager", "tech_lead"}))


@pytest.mark.parametrize("lenient", ["warn", "waived", "spared"])
def test_where_it_only_warns_or_is_waived_it_takes_nobody_from_what_must_be(lenient: str) -> None:
    """Two who could fill three seats fill those that must be filled."""
    gate = {**GATES["security"], "when": None, "mode": "warn" if lenient == "warn" else "block"}
    kinds = {"temporary": {"waives": ["security"], "approvals": [{"role": "qa"}]}}
    active = policy(
        {"requires": ["security"], "approvals": [{"role": "release_manager"}, {"role": "tech_lead"}]},
        gates={**GATES, "security": gate},
        change_types={"hotfix": {"waives": ["security"]}},
        exceptions=kinds,
        emergency=None,
        may=MAY_NOT,
    )
    question = replace(PROMOTION, change="hotfix" if lenient == "spared" else "")
    waiver = exception(waives=frozenset({"security"}), granted_by=(QUINN,))
    facts = but(
        FINE,
        votes=(vote(BOTH, at=NOW - HOUR), vote(LEAD, at=NOW)),
        people=of_everybody(BOTH, LEAD),
        exceptions=(waiver,) if lenient == "waived" else (),
    )
    decision = decided(question, facts, active)
    assert decision.allowed
    lets_by = {"warn": Standing.WARNING, "waived": Standing.WAIVED, "spared": NA}[lenient]
    assert found("security", decision).standing is lets_by
    unwaived = but(facts, exceptions=())
    assert decided(PROMOTION, unwaived, active).allowed is (lenient == "warn")


def test_an_exception_that_is_there_changes_nothing_where_somebody_signed() -> None:
    signed = but(FINE, votes=(vote(OMAR), vote(SAM)), exceptions=(exception(waives=frozenset({"security"})),))
    assert found("security", judged(signed, EVERY)).standing is MET


def test_for_every_small_crowd_it_is_allowed_exactly_if_everybody_can_be_seated() -> None:
    roles = ("release_manager", "security_engineer", "qa")
    active = asking(security={"kind": "signoff", "role": "security_engineer"}, qa={"kind": "signoff", "role": "qa"})
    holding = [frozenset(some) for number in (1, 2, 3) for some in combinations(roles, number)]
    tried = 0
    for held in product(holding, repeat=3):
        crowd = [person(f"p{number}", *each) for number, each in enumerate(held)]
        facts = but(FINE, votes=tuple(map(vote, crowd)), people={each.human: each for each in crowd if each.human})
        seated = any(
            all(role in held[place] for role, place in zip(roles, order, strict=True))
            for order in permutations(range(3))
        )
        assert judged(facts, active).allowed is seated, held
        tried += 1
    assert tried == 7**3


def test_where_nobody_is_left_who_may_it_says_so_when_it_is_asked() -> None:
    asked_by_sam = but(FINE, asked_by=replace(SAM, roles=frozenset({"engineer", *SAM.roles})))
    finding = found("security", judged(asked_by_sam, EVERY))
    says = "a sign-off is missing: a security engineer must agree; and that cannot come: nobody else may"
    assert finding.reason == says
    assert RemedyKind.APPROVE not in {each.kind for each in finding.remedies}


def test_a_sign_off_lapses_like_any_approval() -> None:
    late = (vote(OMAR), vote(SAM, at=NOW - 24 * HOUR))
    facts = but(FINE, votes=late, asked_at=NOW - 48 * HOUR, expires_at=None)
    assert [finding.rule for finding in judged(facts, EVERY).blockers] == ["security"]
