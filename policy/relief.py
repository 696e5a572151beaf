"""Which exceptions could be had for what blocks, and from whom?"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from policy import wording
from policy.case import Case
from policy.document import ExceptionKind, Slot
from policy.facts import Deed, ExceptionRecord, Facts, Verdict
from policy.finding import Applied, Remedy, RemedyKind
from policy.gates import Waivable
from policy.judge import Judging
from policy.model import Human, Person, Unknown
from policy.rulebook import Rule
from policy.seating import not_ours
from policy.terms import Terms, seats
from policy.votes import Count, count, who_could_fill


def exceptions_for(judging: Judging) -> Iterator[tuple[Remedy, tuple[int, ...]]]:
    """One for each kind that may waive something of what blocks and that somebody can grant, and what it waives."""
    case = judging.case
    for name, places in _reached(judging):
        asking = case.once(_Askings).of(name)
        if asking is not None:
            rules = tuple(judging.rules[place].requires for place in places)
            asks = "" if asking.asked_by.human == case.facts.asked_by.human else f"{asking.asked_by.name} asks for it, "
            grants = f"{wording.listed(asking.able, 'or')} can grant it"
            says = f"an exception ({name}) for {wording.listed(rules)}: {asks}{grants}"
            applied = _granted(case, name, rules, asking)
            yield Remedy(RemedyKind.EXCEPTION, says, asking.able, applied=applied), places


def beyond_reach(judging: Judging) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each kind that could waive something of what blocks and that nobody could get, and what that is."""
    for name, places in _reached(judging):
        if judging.case.once(_Askings).of(name) is None:
            yield name, tuple(judging.rules[place].requires for place in places)


def _reached(judging: Judging) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each kind of exception that may waive something of what blocks, and where that stands."""
    if judging.case.question.deed is Deed.PROMOTE and not isinstance(judging.facts.exceptions, Unknown):
        for name, kind in judging.case.policy.exceptions.items():
            places = tuple(place for place in judging.blockers if _reaches(kind, judging.rules[place]))
            if places:
                yield name, places


def _reaches(kind: ExceptionKind, rule: Rule) -> bool:
    may = rule.waivable is Waivable.EXCEPTION or (rule.waivable is Waivable.EMERGENCY and kind.emergency)
    return may and rule.requires in kind.waives


class _Asking(NamedTuple):
    """Who could ask for an exception of some kind, and who could grant it."""

    asked_by: Person
    able: tuple[Human, ...]
    slots: tuple[Slot, ...]
    nobody_agreed: Count
    """On such an exception, so far."""

    def granting(self, besides: AbstractSet[Human | None] = frozenset()) -> tuple[Human, ...]:
        """As few of them as it takes, others than these where there are such."""
        others = [human for human in self.able if human not in besides]
        return who_could_fill(self.nobody_agreed, self.slots, others) or ()


class _Askings:
    """For each kind of exception, who could ask for it and who could grant it."""

    __slots__ = ("_asked_by", "_found", "_people", "_policy")

    def __init__(self, case: Case) -> None:
        self._policy = case.policy
        self._asked_by = case.facts.asked_by
        self._people = case.facts.people
        self._found: dict[str, _Asking | None] = {}

    def of(self, kind: str) -> _Asking | None:
        """None: nobody who may ask finds enough others who may grant it."""
        if kind not in self._found:
            able = (self._with(kind, person) for person in self._who_may_ask())
            self._found[kind] = next((asking for asking in able if asking.granting()), None)
        return self._found[kind]

    def _who_may_ask(self) -> Iterator[Person]:
        roles, mine = self._policy.may.exception, self._asked_by
        people = {} if isinstance(self._people, Unknown) else self._people
        for person in (mine, *(people[human] for human in sorted(people) if human != mine.human)):
            if person.human is not None and not not_ours(person) and not person.roles.isdisjoint(roles):
                yield person

    def _with(self, kind: str, asked_by: Person) -> _Asking:
        """Neither they nor whoever asks for the promotion have a say in it."""
        slots = self._policy.exceptions[kind].approvals
        people = {} if isinstance(self._people, Unknown) else self._people
        others = {human: person for human, person in people.items() if human != self._asked_by.human}
        terms = Terms(seats(slots), timedelta())
        nobody = count((), terms=terms, plan="", asked_by=asked_by, asked_at=_EVER, people=others, at=_EVER)
        return _Asking(
            asked_by, tuple(nobody.table.could(role for slot in slots for role in slot.roles)), slots, nobody
        )


_EVER = datetime.max.replace(tzinfo=UTC)
"""Nobody voted on what nobody asked for, so the instant does not matter."""


def _granted(case: Case, name: str, rules: tuple[str, ...], asking: _Asking) -> Applied:
    """Granted to begin at once, by people who do not also agree to the promotion where there are such."""
    kind, at = case.policy.exceptions[name], case.at

    def applied(facts: Facts) -> Facts:
        agreeing = {vote.voter.human for vote in facts.votes if vote.verdict is Verdict.APPROVE}
        people = {} if isinstance(facts.people, Unknown) else facts.people
        record = ExceptionRecord(
            id="X-?",
            kind=name,
            waives=frozenset(rules),
            environment=case.question.target,
            service=case.question.service,
            digest=None if isinstance(facts.candidate, Unknown) else facts.candidate.digest,
            asked_by=asking.asked_by,
            asked_at=at,
            starts_at=at,
            ends_at=None if kind.longest is None else at + kind.longest,
            fields=dict.fromkeys(kind.fields, "said"),
            uses=kind.uses,
            granted_by=tuple(people[human] for human in asking.granting(agreeing) if human in people),
            granted_at=at,
        )
        known = () if isinstance(facts.exceptions, Unknown) else facts.exceptions
        return replace(facts, exceptions=(*known, record))

    return applied
