"""May older code serve again with the database as it is now?"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policy import wording
from policy.case import Case
from policy.document import Backwards, Policy
from policy.facts import DESPITE, Facts, Shipped
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unmet
from policy.model import AccountKind, Unknown, short
from policy.rules.expiry import asked_anew
from policy.wording import All, At, Roles

DATABASE_GOES_BACK = "database-goes-back"


class _Declared(NamedTuple):
    """One release that speaks against it."""

    shipped: Shipped
    zone: ZoneInfo

    def __str__(self) -> str:
        shipped = self.shipped
        return f"{short(shipped.digest)} ({shipped.by}, {At(shipped.at, self.zone)}) declared {shipped.declared}"


def forward_only(policy: Policy, declared: str) -> bool:
    """Whether what served before a release that declares so works no more, even while its rollout is under way."""
    return bool(declared) and _way(policy.rollback.database, declared) == "forward"


def database_goes_back(case: Case) -> Finding:
    """No release that it goes back over declared that the database cannot go back; or somebody answers for it."""
    over, rules, asker = case.facts.goes_over, case.policy.rollback.database, case.facts.asked_by
    against = All(tuple(_Declared(each, case.zone) for each in over if _forbids(each, rules)))
    if not over:
        return not_applicable(DATABASE_GOES_BACK, "no release that it goes back over declared a change of the database")
    if not against.names:
        declared = All(tuple(dict.fromkeys(each.declared for each in over)))
        return met(DATABASE_GOES_BACK, "what it goes back over declared {}", declared)
    if DESPITE not in case.facts.confirmed or case.facts.trigger:
        says = "{}, so the database cannot go back; mend it by another release, or switch it off by its flag"
        return unmet(DATABASE_GOES_BACK, says, against, remedies=_overriding(case))
    if not asker.roles.isdisjoint(rules.override):
        return met(DATABASE_GOES_BACK, "{}, and {} goes back over it all the same", against, asker.name)
    if not rules.override:
        return unmet(DATABASE_GOES_BACK, "{}, and the policy lets nobody go back over it", against)
    says = "{}, and {} is no {}, who may go back over it"
    return unmet(DATABASE_GOES_BACK, says, against, asker.name, Roles(rules.override), remedies=_overriding(case))


def _forbids(shipped: Shipped, rules: Backwards) -> bool:
    way = _way(rules, shipped.declared)
    return way == "forward" or (way == "rollout" and shipped.finished)


def _way(rules: Backwards, declared: str) -> str:
    """A word that the policy does not know speaks against it."""
    return rules.declares.get(declared, "forward")


def _overriding(case: Case) -> tuple[Remedy, ...]:
    """Who could go back over it all the same, and what they say; nothing where nobody can."""
    roles, people, facts = case.policy.rollback.database.override, case.facts.people, case.facts
    if facts.trigger:
        return ()
    stated = facts.confirmed | {DESPITE}
    if not facts.asked_by.roles.isdisjoint(roles):
        who = () if facts.asked_by.human is None else (facts.asked_by.human,)
        says = f"say despite:{DESPITE} and why"
        return (Remedy(RemedyKind.SAY, says, who, applied=lambda facts: replace(facts, confirmed=stated)),)
    able = tuple(
        human
        for human, person in sorted(({} if type(people) is Unknown else people).items())
        if person.active and person.kind is AccountKind.HUMAN and not person.roles.isdisjoint(roles)
    )
    if not able or type(people) is Unknown:
        return ()

    def applied(facts: Facts) -> Facts:
        agreed = {vote.voter.human for vote in facts.votes}
        asks = next((human for human in able if human not in agreed), able[0])
        return asked_anew(case)(replace(facts, asked_by=people[asks], confirmed=stated))

    wanted = wording.listed(map(wording.role, roles), "or")
    says = f"ask with despite:{DESPITE} and why, as {wanted}: {wording.listed(able, 'or')}"
    return (Remedy(RemedyKind.ROLE, says, able, applied=applied),)
