"""What is waived here and now, by whose leave, and what may be asked to be waived?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import combinations
from types import MappingProxyType
from typing import Final, NamedTuple

from policy import wording
from policy.case import Case
from policy.document import ExceptionKind, Policy
from policy.facts import EMERGENCY, Deed, ExceptionRecord, Verdict
from policy.gates import Waivable
from policy.model import Human, Person, Unknown
from policy.required import NO_HOTFIX_LOST, REQUIRED_CHECKS, SOAK

BUILT_IN: Mapping[str, Waivable] = MappingProxyType(
    {
        REQUIRED_CHECKS: Waivable.EXCEPTION,
        SOAK: Waivable.EXCEPTION,
        NO_HOTFIX_LOST: Waivable.EXCEPTION,
        "window": Waivable.EXCEPTION,
        "no-freeze": Waivable.EXCEPTION,
    }
)
"""Rules that no gate stands for, and what may waive them. Whatever else is no gate is never waived."""


class Waiver(NamedTuple):
    """Leave to go on although a rule says no."""

    by: str
    """`X-4`, `E-1`."""
    ends_at: datetime | None
    """From this instant on it is as if there were none; None: permanent."""
    emergency: bool
    """It also reaches what only an emergency may waive."""


NONE: Mapping[str, Waiver] = MappingProxyType({})


def waivers(case: Case) -> Mapping[str, Waiver]:
    """Rule → what waives it in this case. What is not known waives nothing."""
    facts = case.facts
    if not facts.exceptions and facts.emergency is None:
        return NONE
    granted = [record for record in _in_force(case) if not _doubted(record, case) - case.barred]
    found: dict[str, Waiver] = {}
    for record in sorted(granted, key=_reach):
        kind = case.policy.exceptions[record.kind]
        for rule in record.waives.intersection(kind.waives):
            if rule not in found or kind.emergency or not found[rule].emergency:
                found[rule] = Waiver(record.id, record.ends_at, kind.emergency)
    emergency, declared = case.policy.emergency, facts.emergency
    if case.question.change == EMERGENCY and emergency and declared and case.at < declared.ends_at:
        found.update(dict.fromkeys(emergency.waives, Waiver(declared.id, declared.ends_at, emergency=True)))
    return found


def _in_force(case: Case) -> Iterator[ExceptionRecord]:
    """The exceptions that cover this very promotion at this instant; nobody rests on what they granted themselves."""
    facts, question = case.facts, case.question
    if type(facts.exceptions) is Unknown or question.deed is not Deed.PROMOTE:
        return
    digest = None if type(facts.candidate) is Unknown else facts.candidate.digest
    for record in facts.exceptions:
        if (
            record.kind in case.policy.exceptions
            and record.environment == question.target
            and record.service in {None, question.service}
            and (record.digest is None or record.digest == digest)
            and record.holds(case.at)
            and not any(_same(person, facts.asked_by) for person in record.granted_by)
        ):
            yield record


def _same(one: Person, other: Person) -> bool:
    return one.account == other.account or (one.human is not None and one.human == other.human)


def _reach(record: ExceptionRecord) -> tuple[bool, datetime, str]:
    """Of two that waive the same rule, the one that lasts longer comes last."""
    return record.ends_at is None, record.ends_at or record.starts_at, record.id


# Who granted it does not also agree to what rests on it ---------------------------------------------------------------


def doubted(case: Case) -> tuple[frozenset[Human], ...]:
    """Whom to leave out of the count, tried one after the other until it is allowed; the last leaves out all.

    Somebody who granted an exception that a promotion rests on does not count as agreeing to it. Where they did both,
    either it does without the exception, or without their vote.
    """
    if not case.facts.exceptions or not case.facts.votes:
        return _NONE_DOUBTED
    both = sorted({human for record in _in_force(case) for human in _doubted(record, case)})
    return tuple(frozenset(some) for number in range(len(both) + 1) for some in combinations(both, number))


_NONE_DOUBTED: Final = (frozenset[Human](),)


def _doubted(record: ExceptionRecord, case: Case) -> set[Human]:
    """Who granted it, and says yes to this promotion as well."""
    votes = [vote for vote in case.facts.votes if vote.verdict is Verdict.APPROVE]
    return {vote.voter.human for vote in votes if vote.voter.human is not None and _granted(record, vote.voter, case)}


def _granted(record: ExceptionRecord, voter: Person, case: Case) -> bool:
    """The account or the human, as either was then or is now: who is renamed under `people` stays who they are."""
    people = {} if type(case.facts.people) is Unknown else case.facts.people
    now = voter if voter.human is None else people.get(voter.human, voter)
    return any(_same(person, voter) or _same(person, now) for person in record.granted_by)


# What may be asked ----------------------------------------------------------------------------------------------------


def waivable(rule: str, policy: Policy) -> Waivable | None:
    """What may waive that rule; None: there is no such rule, or none that could ever be waived."""
    gate = policy.gates.get(rule)
    return BUILT_IN.get(rule) if gate is None else gate.waivable


class Relaxation(NamedTuple):
    """What of a branch's protection is to be relaxed, and until which pull request is over."""

    branch: str
    what: tuple[str, ...]
    """Words of `Relaxes`, each once, sorted."""
    pull: int | None


def relaxation(record: ExceptionRecord) -> Relaxation | None:
    """What it relaxes; None: it waives rules."""
    if record.waives or "relax" not in record.fields:
        return None
    pull = record.fields.get("pr", "").strip().removeprefix("#")
    what = tuple(sorted(set(record.fields["relax"].replace(",", " ").split())))
    return Relaxation(record.fields.get("branch", ""), what, int(pull) if pull.isdecimal() else None)


def missing(record: ExceptionRecord, kind: ExceptionKind) -> tuple[str, ...]:
    """What must still be said, in the order of the policy; blank says nothing."""
    return tuple(field for field in kind.fields if not record.fields.get(field, "").strip())


def objections(record: ExceptionRecord, policy: Policy) -> tuple[str, ...]:
    """Why nobody can grant it, whoever they are, each a sentence without the full stop; none: somebody can."""
    kind = policy.exceptions.get(record.kind)
    if kind is None:
        known = wording.listed(policy.exceptions) if policy.exceptions else "none"
        return (f"there is no kind of exception {record.kind}; kinds are {known}",)
    return (*_of_rules(record, kind, policy), *_of_scope(record, policy), *_of_time(record, kind))


def _of_rules(record: ExceptionRecord, kind: ExceptionKind, policy: Policy) -> Iterator[str]:
    if kind.relaxes:
        yield from _of_relaxing(record, kind, policy)
        return
    able = f"{record.kind} may waive {wording.listed(kind.waives)}"
    if not record.waives:
        yield f"it names no rule; {able}"
    for rule in sorted(record.waives):
        match waivable(rule, policy):
            case None | Waivable.NEVER:
                yield f"{rule} is never waived"
            case Waivable.EMERGENCY if not kind.emergency:
                others = [name for name, other in policy.exceptions.items() if rule in other.waives]
                needs = f"an emergency exception ({wording.listed(others, 'or')})" if others else "an emergency"
                yield f"{rule} needs {needs}"
            case _ if rule not in kind.waives:
                yield f"{record.kind} does not reach {rule}; {able}"
    reason = record.fields.get("reason", "").strip()
    if kind.reasons and reason and reason not in kind.reasons:
        yield f"the reason is {wording.listed(kind.reasons, 'or')}, not {reason}"


def _of_relaxing(record: ExceptionRecord, kind: ExceptionKind, policy: Policy) -> Iterator[str]:
    wanted, able = relaxation(record), wording.listed([one.value for one in kind.relaxes])
    if wanted is None or not wanted.what:
        yield f"it says nothing that would be relaxed; {record.kind} may relax {able}"
        return
    for word in wanted.what:
        if word not in {one.value for one in kind.relaxes}:
            yield f"{record.kind} may not relax {word}, only {able}"
    environment = policy.environments.get(record.environment)
    branch = environment.branch if environment is not None else None
    if branch != wanted.branch:
        has = f"the branch {branch}" if branch else "no branch"
        yield f"{record.environment} has {has}, and {wanted.branch or 'none'} was named"
    if record.service is None:
        yield "it must say for which service it is, for that says in which repository"
    if record.fields.get("pr", "").strip() and wanted.pull is None:
        yield f"{record.fields['pr']} is no number of a pull request"


def _of_scope(record: ExceptionRecord, policy: Policy) -> Iterator[str]:
    if record.environment not in policy.environments:
        known = wording.listed(policy.environments)
        yield f"it must say for which environment it is; there are {known}"
    if record.service is not None and record.service not in policy.services:
        yield f"there is no service {record.service}; there are {wording.listed(policy.services)}"


def _of_time(record: ExceptionRecord, kind: ExceptionKind) -> Iterator[str]:
    longest = kind.longest
    if record.ends_at is None:
        if longest is not None:
            yield f"it must end, {wording.lasting(longest)} after it begins at the latest"
    elif record.ends_at <= max(record.starts_at, record.asked_at):
        yield "it ends before it begins"
    elif longest is not None and record.ends_at - record.starts_at > longest:
        yield f"it may last {wording.lasting(longest)}, and would last longer"
    if kind.uses is not None and (record.uses is None or record.uses > kind.uses):
        yield f"at most {kind.uses} {'promotion' if kind.uses == 1 else 'promotions'} may rest on it"


def why_not_ask(kind: ExceptionKind, person: Person) -> str:
    """Why that person may not ask for one of that kind, a sentence without the full stop; empty: they may."""
    if not kind.asked_by or not person.roles.isdisjoint(kind.asked_by):
        return ""
    return f"only {wording.listed(map(wording.role, kind.asked_by), 'or')} may ask for it, and {person.name} is none"


def title(record: ExceptionRecord, policy: Policy) -> str:
    """`Exception: 1.21.3.1 for acme/api`: where the waived rules are written, or else their names; whose they are."""
    said = record.fields.get("policy-reference", "").strip()
    gates, relaxed = policy.gates, relaxation(record)
    if relaxed is not None:
        said = said or f"{', '.join(relaxed.what)} of {relaxed.branch} relaxed"
    what = said or ", ".join(gates[rule].source or rule if rule in gates else rule for rule in sorted(record.waives))
    service = policy.services.get(record.service or "")
    return f"Exception: {what} for {service.repository if service else record.service or 'every service'}"
