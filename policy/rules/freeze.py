"""Is it frozen? And may a freeze come into force?"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from policy import done, freezes, wording
from policy.case import Case
from policy.document import Policy
from policy.facts import Deed, Facts, Freeze, Question, Vote
from policy.finding import Applied, Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.model import Human, Unknown
from policy.votes import Filled, agreed_by, counted, filling, who_could_fill

_made: Final = tuple.__new__

NO_FREEZE = "no-freeze"
FREEZE_COMPLETE = "freeze-complete"


def no_freeze(case: Case) -> Finding:
    """No freeze covers this service in this environment at this instant, or those let it through who may.

    At its end a freeze is over.
    """
    active = freezes.holding(case)
    if type(active) is Unknown:
        return unknown(NO_FREEZE, "{}", active.why)
    if not active:
        return case.beforehand(_unfrozen)
    through = [(freeze, _let_through(case, freeze)) for freeze in active]
    blocking = tuple(freeze for freeze, by in through if by is None)
    if not blocking:
        says = "; ".join(["{}"] * len(through))
        return met(NO_FREEZE, says, *(_Through(_says(freeze, case), by or ()) for freeze, by in through))
    remedies = (*_wait(case, blocking, active), *_lift(case, blocking), *_let(case, blocking))
    people = any(remedy.kind is RemedyKind.APPROVE for remedy in remedies) and not _still_to_say(case)
    says = "; ".join(["{}"] * len(blocking))
    return unmet(
        NO_FREEZE, says, *(_says(freeze, case) for freeze in blocking), remedies=remedies, waits_for_people=people
    )


def _unfrozen(_: Policy, question: Question) -> Finding:
    return met(NO_FREEZE, "nothing freezes {}@{}", question.service, question.target)


def rollback_waits_for_no_freeze(_case: Case) -> Finding:
    return not_applicable(NO_FREEZE, "a rollback does not wait for freezes")


def in_the_way(case: Case) -> tuple[Freeze, ...]:
    """Those that hold and could be let through by people, but were not; they name its id when they agree."""
    if case.question.deed is not Deed.PROMOTE or not case.policy.freezes.override:
        return ()
    active = freezes.holding(case)
    if type(active) is Unknown:
        return ()
    return tuple(freeze for freeze in active if _let_through(case, freeze) is None)


def freeze_complete(case: Case) -> Finding:
    """Nothing is left unsaid that must be said of a freeze before it can come into force."""
    wanted = case.facts.wanted
    if wanted is None:
        return not_applicable(FREEZE_COMPLETE, "nothing new would be frozen")
    if not isinstance(wanted, Freeze):
        return unknown(FREEZE_COMPLETE, "what is asked for is no freeze")
    missing = freezes.unsaid(wanted, case.policy)
    if not missing:
        return met(FREEZE_COMPLETE, "all is said that must be said of it")
    says = f"say {wording.listed(f'{field}:' for field in missing)}"
    asker = case.facts.asked_by.human
    remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=_said_of(wanted, missing))
    return unmet(FREEZE_COMPLETE, "missing: {}", wording.All(missing), remedies=(remedy,))


def _said_of(wanted: Freeze, missing: tuple[str, ...]) -> Applied:
    fields = {**wanted.fields, **dict.fromkeys(missing, "said")}

    def applied(facts: Facts) -> Facts:
        return replace(facts, wanted=replace(wanted, fields=fields, reason=wanted.reason.strip() or "said"))

    return applied


# Letting it through ---------------------------------------------------------------------------------------------------


def _let_through(case: Case, freeze: Freeze) -> tuple[Filled, ...] | None:
    """Who let this promotion through that freeze; None: nobody did, or not all who must, or something is unsaid."""
    override, people = case.policy.freezes.override, case.facts.people
    if not override or type(people) is Unknown or _still_to_say(case):
        return None
    count = case.once(counted)
    if type(count) is Unknown:
        return None
    return filling(_naming(freeze.id, (*count.agreed, *count.heard)), override, people)


def _naming(id: str, votes: tuple[Vote, ...]) -> list[Vote]:
    return [vote for vote in votes if id in vote.confirms]


def _still_to_say(case: Case) -> tuple[str, ...]:
    said = case.facts.fields
    return tuple(field for field in case.policy.freezes.override_fields if not said.get(field, "").strip())


# What would help ------------------------------------------------------------------------------------------------------


def _wait(case: Case, blocking: tuple[Freeze, ...], active: tuple[Freeze, ...]) -> tuple[Remedy, ...]:
    over = freezes.thaws(case, [freeze for freeze in active if freeze not in blocking])
    if over is None:
        return ()
    return (_made(Remedy, (RemedyKind.WAIT, "wait", (), over, None)),)


def _lift(case: Case, blocking: tuple[Freeze, ...]) -> tuple[Remedy, ...]:
    """Those that people declared can be ended by people, one by one; where the calendar freezes too it is no help."""
    if any(map(freezes.by_the_calendar, blocking)):
        return ()
    ids = frozenset(freeze.id for freeze in blocking)

    def applied(facts: Facts) -> Facts:
        declared = () if type(facts.freezes) is Unknown else facts.freezes
        return done.but(facts, freezes=tuple(freeze for freeze in declared if freeze.id not in ids))

    able = freezes.who_may_end(case.facts, case.policy)
    return (_made(Remedy, (RemedyKind.LIFT, _made(_End, (blocking, able)), able, None, applied)),)


def _let(case: Case, blocking: tuple[Freeze, ...]) -> tuple[Remedy, ...]:
    """Who would have to agree, naming the freezes; nothing where nobody may, or too few."""
    override = case.policy.freezes.override
    count = case.once(counted) if override else None
    if count is None or type(count) is Unknown:
        return ()
    needed = who_could_fill(count, override)
    if needed is None:
        return ()
    ids, unsaid = tuple(freeze.id for freeze in blocking), _still_to_say(case)

    def applied(facts: Facts) -> Facts:
        now = counted(case.on(facts))
        who = None if type(now) is Unknown else who_could_fill(now, override, now.table.able)
        return agreed_by(done.said(*unsaid)(facts), who or (), case.at, *ids)

    able = tuple(count.table.could(role for slot in override for role in slot.roles))
    enough = len(able) == len(needed)
    more = "" if enough or len(needed) == 1 else f", {len(needed)} of them are needed"
    first = f"say {wording.listed(f'{field}:' for field in unsaid)}, and " if unsaid else ""
    through = f"can agree to go through {wording.listed(ids)}{more}"
    says = f"{first}{wording.listed(able, 'and' if enough else 'or')} {through}"
    return (Remedy(RemedyKind.APPROVE, says, able, applied=applied),)


# In words -------------------------------------------------------------------------------------------------------------


class _Through(NamedTuple):
    """A freeze and who lets it through."""

    freeze: freezes.Says
    by: tuple[Filled, ...]

    def __str__(self) -> str:
        who = wording.listed(one.vote.voter.name for one in self.by)
        return f"{self.freeze}; {who} let{'s' if len(self.by) == 1 else ''} this through"


class _End(NamedTuple):
    """Freezes, and who may end them."""

    blocking: tuple[Freeze, ...]
    able: tuple[Human, ...]

    def __str__(self) -> str:
        what = "the freeze" if len(self.blocking) == 1 else "the freezes"
        named = wording.listed(freeze.id for freeze in self.blocking)
        return f"end {what} {named}" + (f" ({wording.listed(self.able, 'or')} may)" if self.able else "")


def _says(freeze: Freeze, case: Case) -> freezes.Says:
    return _made(freezes.Says, (freeze, case.question, case.zone))
