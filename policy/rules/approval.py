"""Did those agree who must?"""

from __future__ import annotations

from policy import votes, wording
from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.model import Unknown, short

SECOND_PERSON = "second-person"
APPROVALS = "approvals"


def second_person(case: Case) -> Finding:
    """Somebody who may agree did, and is not the human who asked."""
    facts, at = case.facts, case.at
    path = case.path
    if path is None:
        return unknown(SECOND_PERSON, "without a path it is not known who must agree")
    if not path.approvals:
        return not_applicable(SECOND_PERSON, f"{path.name} needs nobody's agreement")
    if facts.asked_by.human is None:
        return unknown(SECOND_PERSON, f"nobody can be told apart from {facts.asked_by.name}: who that is is not known")
    count = votes.counted(facts, path, at)
    if isinstance(count, Unknown):
        return unknown(SECOND_PERSON, count.why)
    if count.filled:
        return met(SECOND_PERSON, f"{_who(count)} agreed; {facts.asked_by.name} asked")
    reason = f"somebody other than {facts.asked_by.name} must agree"
    return unmet(SECOND_PERSON, reason, remedies=_help(count), waits_for_people=True)


def approved(case: Case) -> Finding:
    """Every slot is filled by a vote on exactly this plan, and nobody who may agree rejects it."""
    facts, at = case.facts, case.at
    path = case.path
    if path is None:
        return unknown(APPROVALS, "without a path it is not known who must agree")
    if not path.approvals:
        return not_applicable(APPROVALS, f"{path.name} needs nobody's agreement")
    if not facts.plan:
        return unknown(APPROVALS, "there is no plan yet that anybody could agree to")
    count = votes.counted(facts, path, at)
    if isinstance(count, Unknown):
        return unknown(APPROVALS, count.why)
    plan = f"plan {short(facts.plan)}"
    agreed = wording.listed(f"{vote.voter.name} as {wording.role(role)}" for role, vote in count.filled)
    if count.complete:
        return met(APPROVALS, f"{agreed} agreed to {plan}")
    parts = [f"{agreed} agreed to {plan}"] if count.filled else []
    if count.open:
        parts.append(f"{votes.missing(count)} must {'still ' if parts else ''}agree to {plan}")
        if count.reachable < count.slots:
            who = "nobody else may" if not count.helpers else f"only {wording.listed(count.helpers)} could help"
            parts.append(f"and that cannot come: {who}")
    remedies = list(_help(count))
    for vote in count.rejected:
        parts.append(f"{vote.voter.name} rejected it" + (f": {vote.reason}" if vote.reason else ""))
        voter = (vote.voter.human,) if vote.voter.human else ()
        remedies.append(Remedy(RemedyKind.APPROVE, f"{vote.voter.name} withdraws the rejection", voter))
    return unmet(APPROVALS, "; ".join(parts), remedies=tuple(remedies), waits_for_people=True)


def _who(count: votes.Count) -> str:
    return votes.names(vote for _, vote in count.filled)


def _help(count: votes.Count) -> tuple[Remedy, ...]:
    """Who could fill an open slot now; nothing where nobody can."""
    if not count.open or not count.helpers:
        return ()
    says = f"{wording.listed(count.helpers, 'or')} can agree"
    return (Remedy(RemedyKind.APPROVE, says, count.helpers),)
