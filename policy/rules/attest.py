"""Did people state what no machine can see?"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from policy import wording
from policy.case import Case, Judge
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import AttestGate
from policy.model import Unknown
from policy.votes import Count, counted, if_confirmed

REQUESTER, APPROVER = "requester", "approver"


def attested(name: str, gate: AttestGate) -> Judge:
    """Whoever must state it does: the human who asked, somebody who agrees, or both."""
    requester, approver, statement = REQUESTER in gate.by, APPROVER in gate.by, gate.statement

    def judge(case: Case) -> Finding:
        facts = case.facts
        count = case.once(counted) if approver else None
        if type(count) is Unknown:
            return unknown(name, "{}", count.why)
        by_asker = requester and name not in facts.confirmed
        by_approver = count is not None and name not in count.confirmed
        if not by_asker and not by_approver:
            return met(name, "{} stated: {}", _Whose(name, gate, case), statement)
        who = " and ".join(
            [*([facts.asked_by.name] if by_asker else []), *(["somebody who agrees"] if by_approver else [])]
        )
        asked, agreed = ((name,) if by_asker else (), (name,) if by_approver else ())
        remedies = stating(case, asked, agreed, statement)
        waits = not by_asker and bool(remedies)
        return unmet(name, "{} must state: {}", who, statement, remedies=remedies, waits_for_people=waits)

    return judge


def stating(case: Case, asked: tuple[str, ...], agreed: tuple[str, ...], what: str) -> tuple[Remedy, ...]:
    """Whoever asked states the first of these, and somebody who agrees the others; nothing where nobody can agree."""
    facts, steps = case.facts, []
    who: tuple[str, ...] = (facts.asked_by.human,) if asked and facts.asked_by.human else ()
    if asked:
        steps.append(f"{facts.asked_by.name} states: {what}")
    if agreed:
        count = case.once(counted)
        able = () if type(count) is Unknown else _able(count)
        if not able:
            return ()
        who = (*who, *able)
        steps.append(f"{wording.listed(able, 'or')} agrees and states: {what}")

    def applied(facts: Facts) -> Facts:
        facts = replace(facts, confirmed=facts.confirmed.union(asked))
        return if_confirmed(case, *agreed)(facts) if agreed else facts

    kind = RemedyKind.APPROVE if agreed else RemedyKind.SAY
    return (Remedy(kind, wording.listed(steps), who, applied=applied),)


def _able(count: Count) -> tuple[str, ...]:
    """Who agrees already, or else could."""
    return tuple(count.table.able) or count.helpers()


class _Whose(NamedTuple):
    """Who states it."""

    name: str
    gate: AttestGate
    case: Case

    def __str__(self) -> str:
        facts, count = self.case.facts, self.case.once(counted)
        names = [facts.asked_by.name] if REQUESTER in self.gate.by else []
        if APPROVER in self.gate.by and isinstance(count, Count):
            names += [vote.voter.name for vote in count.agreed if self.name in vote.confirms]
        return wording.listed(names)
