"""May this person ask for this at all?"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from policy import wording
from policy.case import Case
from policy.document import Policy
from policy.facts import EMERGENCY, TOGETHER, Deed, Facts, Question
from policy.finding import Finding, Remedy, RemedyKind, met, unmet
from policy.model import AccountKind, Human, Unknown
from policy.rules.expiry import asked_anew
from policy.wording import Roles

_made: Final = tuple.__new__

MAY_ASK = "may-ask"

_HUMAN: Final = AccountKind.HUMAN
_NOT_ONE_OF_US = {
    AccountKind.BOT: "is a bot; only humans ask",
    AccountKind.GUEST: "is a guest",
    AccountKind.STRANGER: "is of another workspace",
}


class _Held(NamedTuple):
    """Which of the roles that may ask somebody holds."""

    held: frozenset[str]
    may: tuple[str, ...]

    def __str__(self) -> str:
        return str(Roles(tuple(role for role in self.may if role in self.held), "and"))


def may_ask(case: Case) -> Finding:
    """A human of ours, active, with a role that may ask for this deed."""
    if case.facts.trigger:
        return _asks_by_itself(case, case.facts.trigger)
    who, roles = case.facts.asked_by, case.beforehand(_roles)
    if who.kind is not _HUMAN:
        return unmet(MAY_ASK, "{} {}", who.name, _NOT_ONE_OF_US[who.kind], remedies=_others(case, roles))
    if who.human is None:
        says = "{}'s account is linked to nobody that the policy knows"
        return unmet(MAY_ASK, says, who.name, remedies=(*_linked(case, roles), *_others(case, roles)))
    if not who.active:
        return unmet(MAY_ASK, "{} is not active any more", who.name, remedies=_others(case, roles))
    if not who.roles.isdisjoint(roles):
        return met(MAY_ASK, "{} is {}", who.name, _made(_Held, (who.roles, roles)))
    if not roles:
        deed = "ask for an emergency" if case.question.change == EMERGENCY else case.question.deed
        return unmet(MAY_ASK, "nobody may {}: the policy names no role", deed)
    return unmet(MAY_ASK, "{} is no {}", who.name, Roles(roles), remedies=_others(case, roles))


def _asks_by_itself(case: Case, name: str) -> Finding:
    """A trigger of the policy that takes back what was released there, without anybody being asked."""
    question = case.question
    all_go_back = case.policy.manifest.if_one_fails == "back"  # whatever `groups` says by now: it went as one
    if name == TOGETHER and question.deed is Deed.ROLLBACK and all_go_back:
        return met(MAY_ASK, "another one of the set went bad, so all of it goes back")
    for path in case.policy.paths:
        trigger = path.rollout.triggers.get(name)
        takes_back = question.deed is Deed.ROLLBACK and trigger is not None and trigger.then == "back"
        if takes_back and path.target == question.target and path.serves(question.service):
            return met(MAY_ASK, "the trigger {} asks for it by itself", name)
    return unmet(MAY_ASK, "the policy has no trigger {} that takes it back", name)


def _roles(policy: Policy, question: Question) -> tuple[str, ...]:
    """Those that may ask for it."""
    may = policy.may
    roles: tuple[str, ...] = may.emergency if question.change == EMERGENCY else getattr(may, question.deed)
    return roles


def _linked(case: Case, roles: tuple[str, ...]) -> tuple[Remedy, ...]:
    """The account is made known as that of somebody who may."""
    if not roles:
        return ()
    wanted = wording.listed(map(wording.role, roles), "or")
    says = f"link the account to a human under people in the policy who is {wanted}"

    def applied(facts: Facts) -> Facts:
        known = replace(facts.asked_by, human=Human(facts.asked_by.account), roles=frozenset(roles))
        return asked_anew(case)(replace(facts, asked_by=known))

    return (Remedy(RemedyKind.ROLE, says, applied=applied),)


def _others(case: Case, roles: tuple[str, ...]) -> tuple[Remedy, ...]:
    """Who could ask instead; nothing where there is nobody, or nobody knows."""
    people = {} if type(case.facts.people) is Unknown else case.facts.people
    able = tuple(
        human
        for human, person in sorted(people.items())
        if person.active and person.kind is AccountKind.HUMAN and not person.roles.isdisjoint(roles)
    )
    if not able:
        return ()
    wanted = wording.listed(map(wording.role, roles), "or")

    def applied(facts: Facts) -> Facts:
        agreed = {vote.voter.human for vote in facts.votes}
        asks = next((human for human in able if human not in agreed), able[0])
        return asked_anew(case)(replace(facts, asked_by=people[asks]))

    says = f"somebody who is {wanted} asks: {wording.listed(able, 'or')}"
    return (Remedy(RemedyKind.ROLE, says, able, applied=applied),)
