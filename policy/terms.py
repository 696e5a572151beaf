"""Who must agree? The places that humans fill, as the policy asks for them in one case."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from policy import wording
from policy.applies import Applies, applying
from policy.case import Case
from policy.document import Agreement, Policy, Slot
from policy.exceptions import waivers
from policy.facts import EMERGENCY, Deed, Question
from policy.gates import Mode, SignoffGate
from policy.model import Unknown
from policy.required import required


class Seat(NamedTuple):
    """One place that one human fills."""

    roles: tuple[str, ...]
    """Holders of any of them can."""
    gate: str = ""
    """The sign-off that asks for it; empty: the agreement itself."""

    @property
    def called(self) -> str:
        """`tech lead or devops lead`."""
        return wording.listed(map(wording.role, self.roles), "or")


class Terms(NamedTuple):
    """Who must agree, and how."""

    seats: tuple[Seat, ...]
    """Those that must be filled come first."""
    lasts: timedelta
    """A vote counts for so long."""
    reason: bool = False
    """Whoever agrees must say why."""
    optional: int = 0
    """So many of the seats, the last ones, may stay empty: what asks for them only warns, or is waived."""


_NOTHING_ASKED = Terms((), timedelta())


class _Asked(NamedTuple):
    """Who must agree to a question, whatever the facts."""

    terms: Terms
    signoffs: tuple[tuple[Seat, SignoffGate, Applies], ...] = ()
    to_freeze: bool = False
    to_go_back: bool = False


def seats(slots: Iterable[Slot]) -> tuple[Seat, ...]:
    """A place for each human that these ask for."""
    return tuple(Seat(slot.roles) for slot in slots for _ in range(slot.count))


def agreement(case: Case) -> Terms | Unknown:
    """Who must agree in this case: whom the path and the change's type name, and one more for each sign-off."""
    asked = case.beforehand(_asked)
    if type(asked) is Unknown:
        return asked
    if asked.to_freeze and case.facts.wanted is None:
        return _NOTHING_ASKED  # a freeze ends
    if asked.to_go_back and case.facts.trigger:
        return _NOTHING_ASKED  # what goes back by itself waits for nobody
    if not asked.signoffs:
        return asked.terms
    must: list[Seat] = []
    may: list[Seat] = []
    for seat, gate, applies in asked.signoffs:
        if case.once(applies) is None:
            lenient = gate.mode is not Mode.BLOCK or seat.gate in case.once(waivers)
            (may if lenient else must).append(seat)
    if not must and not may:
        return asked.terms
    return asked.terms._replace(seats=(*asked.terms.seats, *must, *may), optional=len(may))


def _asked(policy: Policy, question: Question) -> _Asked | Unknown:
    match question.deed:
        case Deed.PROMOTE:
            return _to_promote(policy, question)
        case Deed.REWIND:
            path = policy.path(question.service, question.source or "", question.target)
            if path is None:
                return Unknown("without a path it is not known who must agree")
            return _Asked(Terms(seats(path.approvals), path.approval_lasts, path.reason))
        case Deed.EXCEPTION if question.kind:
            kind = policy.exceptions.get(question.kind)
            return Unknown(f"there is no kind of exception {question.kind}") if kind is None else _Asked(_terms(kind))
        case Deed.ROLLBACK:
            return _Asked(_terms(policy.going_back(question.service, question.target)), to_go_back=True)
        case Deed.FREEZE:
            return _Asked(_terms(policy.freezes), to_freeze=True)
    return _Asked(_NOTHING_ASKED)


def _to_promote(policy: Policy, question: Question) -> _Asked | Unknown:
    path = policy.path(question.service, question.source or "", question.target)
    if path is None:
        return Unknown("without a path it is not known who must agree")
    gates, spared = required(policy, question)
    signoffs = tuple(
        (Seat((gate.role,), name), gate, applying(gate, name))
        for name, gate in gates.items()
        if isinstance(gate, SignoffGate) and name not in spared
    )
    if question.change == EMERGENCY:
        if policy.emergency is None:
            return Unknown("the policy knows no emergencies, so not who must agree to one")
        return _Asked(_terms(policy.emergency), signoffs)
    change = policy.change_types.get(question.change)
    if change is None and question.change:
        return Unknown(f"there is no change type {question.change}, so it is not known who must agree")
    slots = path.approvals
    if change is not None:
        slots = change.approvals if change.instead else (*slots, *change.approvals)
    return _Asked(Terms(seats(slots), path.approval_lasts, path.reason), signoffs)


def _terms(agreed: Agreement) -> Terms:
    return Terms(seats(agreed.approvals), agreed.approval_lasts, agreed.reason)
