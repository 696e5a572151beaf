"""Did those agree who must?"""

from __future__ import annotations

from typing import Final, NamedTuple

from policy import votes, wording
from policy.case import Case
from policy.facts import Vote
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.model import Human, Unknown, short
from policy.votes import Count, Filled, counted, if_agreed

_made: Final = tuple.__new__

SECOND_PERSON = "second-person"
APPROVALS = "approvals"


def second_person(case: Case) -> Finding:
    """Somebody who may agree did, and is not the human who asked."""
    count, asker = case.once(counted), case.facts.asked_by
    if type(count) is Unknown:
        return unknown(SECOND_PERSON, "{}", count.why)
    if not count.table.terms.seats:
        return not_applicable(SECOND_PERSON, "{} needs nobody's agreement", _what(case))
    if asker.human is None:
        return unknown(SECOND_PERSON, "nobody can be told apart from {}: who that is is not known", asker.name)
    if count.filled:
        return met(SECOND_PERSON, "{} agreed; {} asked", _made(_Names, (count.filled,)), asker.name)
    says = "somebody other than {} must agree"
    return unmet(SECOND_PERSON, says, asker.name, remedies=case.once(_agreeing), waits_for_people=True)


def approved(case: Case) -> Finding:
    """Every seat is filled by a vote on exactly this plan, and nobody who may agree rejects it."""
    count, plan = case.once(counted), case.facts.plan
    if type(count) is Unknown:
        return unknown(APPROVALS, "{}", count.why)
    if not count.table.terms.seats:
        return not_applicable(APPROVALS, "{} needs nobody's agreement", _what(case))
    if not plan:
        return unknown(APPROVALS, "there is no plan yet that anybody could agree to")
    if count.complete:
        return met(APPROVALS, "{} agreed to plan {}", _made(_As, (count,)), short(plan))
    return unmet(APPROVALS, "{}", _made(_Short, (count, plan)), remedies=case.once(_agreeing), waits_for_people=True)


def agreeing(case: Case, count: Count, gate: str = "") -> tuple[Remedy, ...]:
    """Who would have to say what for this sign-off, or for the agreement itself, to stand; nothing where nobody can."""
    steps, who = _needed(count, gate)
    return (_made(Remedy, (RemedyKind.APPROVE, steps, who, None, if_agreed(case, gate))),) if steps else ()


class _Steps(NamedTuple):
    """What would have to be done."""

    against: tuple[Vote, ...]
    """Those who would have to take back their no."""
    able: tuple[Human, ...]
    """Those who could agree."""
    few: int
    """So many of them must; 0: nobody."""

    def __str__(self) -> str:
        steps = []
        if self.against:
            back = "withdraws the rejection" if len(self.against) == 1 else "withdraw their rejections"
            steps.append(f"{votes.names(self.against)} {back}")
        if self.few:
            enough = len(self.able) == self.few
            more = "" if enough or self.few == 1 else f", {self.few} of them are needed"
            steps.append(f"{wording.listed(self.able, 'and' if enough else 'or')} can agree{more}")
        return wording.listed(steps)


def _needed(count: Count, gate: str = "") -> tuple[_Steps | None, tuple[Human, ...]]:
    """What would have to be done, and who can do it; nothing where nobody can."""
    against, free = ((), count) if gate else (count.rejected, count.relented)
    willing = free.table.willing()
    able, few = free.helpers(gate, willing), 1
    if not able or not free.lacks_one(gate):
        still = free.still(gate, willing)
        if still is None or not (still or against):
            return None, ()
        able, few = (able or still) if still else (), len(still)
    who = able
    if against:
        who = tuple(dict.fromkeys([*(vote.voter.human for vote in against if vote.voter.human), *able]))
    return _made(_Steps, (against, able, few)), who


def needed_to_agree(case: Case) -> tuple[_Steps | None, tuple[Human, ...]]:
    """The same for the agreement itself."""
    count = case.once(counted)
    return _needed(count) if isinstance(count, Count) and case.facts.plan else (None, ())


def _agreeing(case: Case) -> tuple[Remedy, ...]:
    steps, who = case.once(needed_to_agree)
    return (_made(Remedy, (RemedyKind.APPROVE, steps, who, None, if_agreed(case))),) if steps else ()


def _what(case: Case) -> str:
    return case.path.name if case.path is not None else "this"


# In words -------------------------------------------------------------------------------------------------------------


class _Names(NamedTuple):
    """Who agreed."""

    filled: tuple[Filled, ...]

    def __str__(self) -> str:
        return votes.names(one.vote for one in self.filled)


class _As(NamedTuple):
    """Who agreed, and with which role."""

    agreed: Count

    def __str__(self) -> str:
        filled, _ = self.agreed.of("")
        return wording.listed(f"{one.vote.voter.name} as {wording.role(one.role)}" for one in filled)


class _Short(NamedTuple):
    """What there is, and what it falls short of."""

    agreed: Count
    plan: str

    def __str__(self) -> str:
        filled, still_open = self.agreed.of("")
        plan = f"plan {short(self.plan)}"
        parts = [f"{_As(self.agreed)} agreed to {plan}"] if filled else []
        if still_open:
            parts.append(f"{votes.missing(still_open)} must {'still ' if parts else ''}agree to {plan}")
        parts += [f"it needs {lacks}" for lacks in self.agreed.lacking]
        if (still_open or self.agreed.lacking) and self.agreed.relented.still() is None:
            helpers = self.agreed.helpers("")
            who = "nobody else may" if not helpers else f"only {wording.listed(helpers)} could help"
            parts.append(f"and that cannot come: {who}")
        for vote in self.agreed.rejected:
            parts.append(f"{vote.voter.name} rejected it" + (f": {vote.reason}" if vote.reason else ""))
        return "; ".join(parts)
