"""Which exceptions could be had for what blocks, and from whom?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import NamedTuple

from policy import wording
from policy.case import Case
from policy.document import Policy
from policy.done import but
from policy.facts import ExceptionRecord, Facts, Question, Verdict
from policy.finding import Applied, Remedy, RemedyKind
from policy.gates import Waivable
from policy.judge import Judging
from policy.model import Human, Person, Unknown
from policy.reading import WORKS, excepted
from policy.seating import Table, matching, not_ours
from policy.separation import NOBODY
from policy.terms import Terms, seats

Reached = tuple[tuple[str, tuple[int, ...]], ...]
"""Each kind of exception that may waive something of what blocks, and where that stands."""


def reached(judging: Judging) -> Reached:
    """All of them; a kind names no rule that it may not waive, or the policy would be refused."""
    if type(judging.facts.exceptions) is Unknown:
        return ()
    kinds, blocking = judging.case.policy.exceptions, [(judging.rules[at].requires, at) for at in judging.blockers]
    every = [(name, tuple([at for rule, at in blocking if rule in kind.waives])) for name, kind in kinds.items()]
    return tuple([(name, places) for name, places in every if places])


def exceptions_for(judging: Judging, reached: Reached) -> Iterator[tuple[Remedy, tuple[int, ...]]]:
    """One of each kind that somebody can grant, and what it waives."""
    case, askings = judging.case, judging.case.once(_Askings)
    for name, places in reached:
        asking = askings.of(name)
        if asking is not None:
            rules = tuple([judging.rules[place].requires for place in places])
            asks = "" if asking.asked_by.human == case.facts.asked_by.human else f"{asking.asked_by.name} asks for it, "
            able = tuple(asking.able)
            grants = f"{wording.listed(able, 'or')} can grant it"
            says = f"an exception ({name}) for {wording.listed(rules)}: {asks}{grants}"
            applied = _granted(case, name, rules, asking)
            yield Remedy(RemedyKind.EXCEPTION, says, able, applied=applied), places


def waives_no_more(judging: Judging) -> bool:
    """Whether it is sure what one exception more helps: what it reaches, and nothing else. It need not be tried alone.

    So it is where whoever grants it is not whoever asked, and no rule looks at exceptions but to be waived, be it at
    votes that count again or at seats that need not be filled then.
    """
    people, mine = judging.facts.people, judging.facts.asked_by
    others = () if type(people) is Unknown else [each for human, each in people.items() if human != mine.human]
    doubled = any(person.account == mine.account for person in others)
    return not doubled and not judging.rules.looking_at(excepted(judging.case))


def beyond_reach(judging: Judging, reached: Reached) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Those of them that nobody could get, and which rules they could waive."""
    for name, places in reached:
        if judging.case.once(_Askings).of(name) is None:
            yield name, tuple([judging.rules[place].requires for place in places])


def within_reach(judging: Judging) -> frozenset[int]:
    """Where those stand of which an exception could make something else, and perhaps more."""
    rules = judging.rules
    waivable = frozenset([place for place in judging.blockers if rules[place].waivable is not Waivable.NEVER])
    return rules.looking_at(excepted(judging.case)) | rules.resting_on(waivable) if waivable else waivable


class _Asking(NamedTuple):
    """Who could ask for an exception of some kind, and who could grant it."""

    asked_by: Person
    able: Mapping[Human, tuple[int, ...]]
    """Who of them could fill which of its seats."""
    terms: Terms
    fewest: tuple[Human, ...]
    """As few who could grant it as it takes; nobody where there are not so many."""

    def granting(self, besides: AbstractSet[Human | None]) -> tuple[Human, ...]:
        """The same, others than these where there are such."""
        if besides.isdisjoint(self.fewest):
            return self.fewest
        return _fewest(sorted(self.able, key=besides.__contains__), self.able, self.terms)


def _fewest(humans: Collection[Human], able: Mapping[Human, tuple[int, ...]], terms: Terms) -> tuple[Human, ...]:
    seated = matching(humans, able, terms)
    return tuple(sorted(seated.values())) if len(seated) == len(terms.seats) else ()


class _Askings:
    """For each kind of exception, who could ask for it and who could grant it."""

    __slots__ = ("_asking", "_found", "_granted", "_others")

    def __init__(self, case: Case) -> None:
        mine, roles = case.facts.asked_by, case.policy.may.exception
        people = {} if type(case.facts.people) is Unknown else case.facts.people
        self._granted = case.beforehand(_granted_by)
        self._others = {human: person for human, person in people.items() if human != mine.human}
        """Whoever asks for the promotion has no say in it."""
        others = [self._others[human] for human in sorted(self._others)]
        self._asking = [
            person
            for person in (mine, *others)
            if person.human is not None and not not_ours(person) and not person.roles.isdisjoint(roles)
        ]
        self._found: dict[Terms, _Asking | None] = {}

    def of(self, kind: str) -> _Asking | None:
        """None: nobody who may ask finds enough others who may grant it."""
        terms = self._granted[kind]
        if terms not in self._found:
            able = (self._with(terms, person) for person in self._asking)
            self._found[terms] = next((asking for asking in able if asking.fewest), None)
        return self._found[terms]

    def _with(self, terms: Terms, asked_by: Person) -> _Asking:
        able = Table(terms, NOBODY, asked_by, self._others, {}, frozenset()).willing()
        return _Asking(asked_by, able, terms, _fewest(able, able, terms))


WORKS[_Askings] = frozenset({"asked_by", "people"})


def _granted_by(policy: Policy, _question: Question) -> Mapping[str, Terms]:
    """Whom each kind of exception asks to grant it."""
    return {name: Terms(seats(kind.approvals), timedelta()) for name, kind in policy.exceptions.items()}


def _granted(case: Case, name: str, rules: tuple[str, ...], asking: _Asking) -> Applied:
    """Granted to begin at once, by people who do not also agree to the promotion where there are such."""
    kind, at = case.policy.exceptions[name], case.at

    def applied(facts: Facts) -> Facts:
        agreeing = {vote.voter.human for vote in facts.votes if vote.verdict is Verdict.APPROVE}
        people = {} if type(facts.people) is Unknown else facts.people
        record = ExceptionRecord(
            id="X-?",
            kind=name,
            waives=frozenset(rules),
            environment=case.question.target,
            service=case.question.service,
            digest=None if type(facts.candidate) is Unknown else facts.candidate.digest,
            asked_by=asking.asked_by,
            asked_at=at,
            starts_at=at,
            ends_at=None if kind.longest is None else at + kind.longest,
            fields=dict.fromkeys(kind.fields, "said"),
            uses=kind.uses,
            granted_by=tuple(people[human] for human in asking.granting(agreeing) if human in people),
            granted_at=at,
        )
        known = () if type(facts.exceptions) is Unknown else facts.exceptions
        return but(facts, exceptions=(*known, record))

    return applied
