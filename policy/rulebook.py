"""Which rules judge what? In the order people read them: those that no policy can leave out, and the path's gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from policy.case import Case
from policy.document import Path, Policy
from policy.facts import Deed, Question
from policy.finding import Finding
from policy.gates import ChecksGate, Mode, SoakGate, Waivable
from policy.rules import approval, asker, candidate, checks, expiry, freeze, hold, known_good, road, soak, window

Judge = Callable[[Case], Finding]

REQUIRED_CHECKS = "required-checks"
SOAK = "soak"


class Rule(NamedTuple):
    """One requirement."""

    requires: str
    """Its name, the same that its findings bear."""
    judge: Judge
    turns_with_time: bool = False
    """True where waiting alone can turn it from unmet to met."""
    waivable: Waivable = Waivable.NEVER
    mode: Mode = Mode.BLOCK
    source: str = ""


class Kind(NamedTuple):
    """How gates of one kind are judged."""

    judge: Callable[[str, Any, Case], Finding]
    """(name of the gate, the gate, the case)."""
    turns_with_time: bool = False


KINDS: Mapping[str, Kind] = {
    "checks": Kind(checks.required_checks),
    "soak": Kind(soak.soaked, turns_with_time=True),
}
"""Every kind of gate (`policy/gates.py`), and the rule that judges it."""

MAY_ASK = Rule(asker.MAY_ASK, asker.may_ask)

FIRST = (
    MAY_ASK,
    Rule(road.ALLOWED_PATH, road.allowed_path),
    Rule(candidate.SAME_DIGEST, candidate.same_digest),
    Rule(candidate.SOMETHING_TO_PROMOTE, candidate.something_to_promote),
    Rule(candidate.COMMIT_KNOWN, candidate.commit_known),
)
LAST = (
    Rule(window.WINDOW, window.within_window, turns_with_time=True, waivable=Waivable.EXCEPTION),
    Rule(freeze.NO_FREEZE, freeze.no_freeze, turns_with_time=True, waivable=Waivable.EXCEPTION),
    Rule(hold.NO_HOLD, hold.no_hold),
    Rule(expiry.NOT_EXPIRED, expiry.not_expired),
    Rule(approval.SECOND_PERSON, approval.second_person),
    Rule(approval.APPROVALS, approval.approved),
)
OTHERS: Mapping[Deed, tuple[Rule, ...]] = {
    Deed.ROLLBACK: (
        MAY_ASK,
        Rule(known_good.KNOWN_GOOD_TARGET, known_good.known_good_target),
        Rule(window.WINDOW, window.rollback_waits_for_no_window),
        Rule(freeze.NO_FREEZE, freeze.rollback_waits_for_no_freeze),
    ),
    Deed.FREEZE: (MAY_ASK,),
    Deed.LIFT: (MAY_ASK,),
}


def rules_for(policy: Policy, question: Question) -> tuple[Rule, ...]:
    """All that judge this question, in reading order; none: nothing of the kind is ever allowed."""
    if question.deed is not Deed.PROMOTE:
        return OTHERS.get(question.deed, ())
    path = policy.path(question.service, question.source or "", question.target)
    return (*FIRST, *(_gates(policy, path) if path else ()), *LAST)


def _gates(policy: Policy, path: Path) -> Iterator[Rule]:
    if path.gates.checks:
        yield _rule(REQUIRED_CHECKS, ChecksGate(kind="checks", names=path.gates.checks))
    if path.gates.soak is not None:
        yield _rule(SOAK, SoakGate(kind="soak", environment=path.source, lasts=path.gates.soak))
    for name in path.requires:
        yield _rule(name, policy.gates[name])


def _rule(name: str, gate: Any) -> Rule:  # noqa: ANN401 (any of the union)
    kind = KINDS[gate.kind]

    def judge(case: Case) -> Finding:
        return kind.judge(name, gate, case)

    return Rule(name, judge, kind.turns_with_time, gate.waivable, gate.mode, gate.source)
