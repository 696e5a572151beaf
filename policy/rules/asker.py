"""May this person ask for this at all?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unmet
from policy.model import AccountKind, Unknown

MAY_ASK = "may-ask"

_NOT_ONE_OF_US = {
    AccountKind.BOT: "is a bot; only humans ask",
    AccountKind.GUEST: "is a guest",
    AccountKind.STRANGER: "is of another workspace",
}


def may_ask(case: Case) -> Finding:
    """A human of ours, active, with a role that may ask for this deed."""
    question, facts, policy = case.question, case.facts, case.policy
    who, roles = facts.asked_by, getattr(policy.may, question.deed.value)
    if who.kind is not AccountKind.HUMAN:
        return unmet(MAY_ASK, f"{who.name} {_NOT_ONE_OF_US[who.kind]}")
    if who.human is None:
        remedy = Remedy(RemedyKind.ROLE, "link the account to a human under people in the policy")
        return unmet(MAY_ASK, f"{who.name}'s account is linked to nobody that the policy knows", remedies=(remedy,))
    if not who.active:
        return unmet(MAY_ASK, f"{who.name} is not active any more")
    held = sorted(who.roles & set(roles))
    if held:
        return met(MAY_ASK, f"{who.name} is {wording.listed(map(wording.role, held))}")
    wanted = wording.listed(map(wording.role, roles), "or")
    reason = f"{who.name} is no {wanted}" if roles else f"nobody may {question.deed.value}: the policy names no role"
    return unmet(MAY_ASK, reason, remedies=_others(facts, roles))


def _others(facts: Facts, roles: tuple[str, ...]) -> tuple[Remedy, ...]:
    """Who could ask instead, as far as is known."""
    if not roles:
        return ()
    people = {} if isinstance(facts.people, Unknown) else facts.people
    able = tuple(sorted(human for human, person in people.items() if person.active and person.roles & set(roles)))
    wanted = wording.listed(map(wording.role, roles), "or")
    says = f"somebody who is {wanted} asks" + (f": {wording.listed(able, 'or')}" if able else "")
    return (Remedy(RemedyKind.ROLE, says, able),)
