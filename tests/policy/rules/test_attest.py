"""Statements that no machine can see: whoever asked, whoever agrees, or both make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.facts import Verdict
from policy.finding import RemedyKind, Standing
from policy.model import Human, Unknown
from tests.policy.good import HOUR, INES, NOW, OLGA, OMAR, but, vote
from tests.policy.people import EVERYBODY, FINE, found, policy
from tests.policy.people import decided as decide
from tests.policy.rules.judging import gate, judged

MET, UNMET, UNKNOWN = Standing.MET, Standing.UNMET, Standing.UNKNOWN
SAYS = "The runbook was read"
STATED = frozenset({"the-gate"})


def stating(by: Any, *names: str, **changes: Any) -> Any:
    return replace(vote(by, **changes), confirms=frozenset(names))


WHO: list[tuple[tuple[str, ...], bool, bool, Standing]] = [
    (("requester",), True, False, MET),
    (("requester",), False, True, UNMET),
    (("approver",), True, False, UNMET),
    (("approver",), False, True, MET),
    (("requester", "approver"), True, False, UNMET),
    (("requester", "approver"), False, True, UNMET),
    (("requester", "approver"), True, True, MET),
]


@pytest.mark.parametrize(("by", "asker", "approver", "standing"), WHO)
def test_those_state_it_whom_the_policy_names(
    by: tuple[str, ...], asker: bool, approver: bool, standing: Standing
) -> None:
    facts = but(
        FINE,
        confirmed=STATED if asker else frozenset(),
        votes=(stating(OMAR, "the-gate") if approver else vote(OMAR),),
    )
    assert judged(gate("attest", statement=SAYS, by=by), facts).standing is standing


BY_BOTH = gate("attest", statement=SAYS, by=["requester", "approver"])
BY_APPROVER = gate("attest", statement=SAYS, by=["approver"])


def test_it_names_who_must_state_what_and_who_did() -> None:
    bare = judged(BY_BOTH, FINE)
    assert bare.reason == f"maya and somebody who agrees must state: {SAYS}"
    assert [each.says for each in bare.remedies] == [f"maya states: {SAYS} and omar agrees and states: {SAYS}"]
    full = judged(BY_BOTH, but(FINE, confirmed=STATED, votes=(stating(OMAR, "the-gate"), vote(OLGA))))
    assert full.reason == f"maya and omar stated: {SAYS}"


def test_only_what_those_state_counts_who_may_agree_and_do() -> None:
    for cast in (
        stating(INES, "the-gate"),
        stating(OMAR, "another-gate"),
        replace(stating(OMAR, "the-gate"), verdict=Verdict.REJECT),
        stating(OMAR, "the-gate", at=NOW - 24 * HOUR),
        stating(EVERYBODY[Human("maya")], "the-gate"),
    ):
        assert judged(BY_APPROVER, but(FINE, votes=(cast,))).standing is UNMET


def test_a_second_approver_may_state_it_as_well() -> None:
    assert judged(BY_APPROVER, but(FINE, votes=(vote(OMAR), stating(OLGA, "the-gate")))).standing is MET


def test_where_only_people_are_missing_it_waits_for_them() -> None:
    assert judged(BY_APPROVER, FINE).waits_for_people
    assert not judged(BY_BOTH, FINE).waits_for_people, "whoever asked must say more first"
    assert [each.kind for each in judged(BY_BOTH, FINE).remedies] == [RemedyKind.APPROVE]


def test_where_it_is_not_known_who_may_agree_it_is_not_known() -> None:
    facts = but(FINE, people=Unknown("Slack does not answer"))
    assert judged(BY_APPROVER, facts).standing is UNKNOWN
    by_asker = gate("attest", statement=SAYS, by=["requester"])
    assert judged(by_asker, but(facts, confirmed=STATED)).standing is MET


def test_where_nobody_may_agree_no_help_is_promised() -> None:
    nobody = but(FINE, votes=(), people={human: each for human, each in EVERYBODY.items() if human == "maya"})
    assert judged(BY_APPROVER, nobody).remedies == ()
    assert not judged(BY_APPROVER, nobody).waits_for_people


def test_those_are_named_who_could_state_it() -> None:
    by_asker = gate("attest", statement=SAYS, by=["requester"])

    def who(asked: Any, facts: Any) -> list[tuple[str, ...]]:
        return [each.who for each in judged(asked, facts).remedies]

    assert who(by_asker, FINE) == [("maya",)]
    assert who(BY_APPROVER, FINE) == [("omar",)]
    assert who(BY_APPROVER, but(FINE, votes=())) == [("olga", "omar")]
    assert who(BY_BOTH, FINE) == [("maya", "omar")]
    someone = replace(FINE.asked_by, human=None, name="someone")
    assert who(by_asker, but(FINE, asked_by=someone)) == [()]


def test_whoever_agrees_is_not_named_where_whoever_asked_must_state_it() -> None:
    by_asker = gate("attest", statement=SAYS, by=["requester"])
    facts = but(FINE, confirmed=STATED, votes=(stating(OMAR, "the-gate"),))
    assert judged(by_asker, facts).reason == f"maya stated: {SAYS}"


def test_with_everything_else_well_it_is_what_a_decision_turns_on() -> None:
    active = policy(
        {"requires": ["read"]},
        gates={
            "unit": {"kind": "checks", "names": ["build"]},
            "sast": {"kind": "checks", "names": ["build"]},
            "read": {"kind": "attest", "statement": SAYS, "by": ["approver"]},
        },
    )
    decision = decide(facts=FINE, active=active)
    assert [finding.rule for finding in decision.blockers] == ["read"]
    assert decision.waits_for_people_only
    assert found("read", decision).remedies
    assert decide(facts=but(FINE, votes=(stating(OMAR, "read"),)), active=active).allowed
