"""What stands in a repository's own release log? What each release and rollback came to, once, and for good.

It is written once everything is over, so nothing waits for it: where it cannot be written it is tried again, and then
people are told. The file is only ever added to, on top of what was read; a mark in it tells what stands there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from commands import tell, unasked
from commands.errors import Conflict, LostLease, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.gather import TRIGGER
from commands.hand import AT_ONCE
from commands.notes import escaped
from commands.operation import Effect, Operation, Phase
from commands.places import known, site_of
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, World, Writes
from commands.record import BOT
from commands.reply import Line, Mark, Reply, plain
from commands.vote import standing
from policy.document import Log, Policy
from policy.facts import Deed, Verdict, Vote
from policy.model import Person, Unknown, short
from policy.wording import listed

LASTS = timedelta(days=1)
TRIES = 12
AGAIN = timedelta(seconds=1)
"""After that it is tried again, and then after twice as long each time: for an hour in all."""
LOGGED = frozenset({Deed.PROMOTE, Deed.ROLLBACK, Deed.REWIND})
TOLD = frozenset({Phase.DONE, Phase.ROLLED_BACK, Phase.UNCERTAIN})
"""Ends that changed what serves, or may have."""


def kept(policy: Policy, operation: Operation) -> Log | None:
    """Where that is written down; None: nowhere."""
    place, source = operation.place, operation.question.source
    paths = [path for path in policy.paths if path.target == place.environment and path.serves(place.service)]
    return next((path.log for path in paths if path.log is not None and source in {None, path.source}), None)


def following(before: Operation, writes: Writes, policy: Policy, now: datetime) -> Writes:
    """The same; where it is the end of what belongs into a log, that is written down next."""
    ended = writes.operation
    if ended is None or before.over or not ended.over or not _belongs(ended) or kept(policy, ended) is None:
        return writes
    logs = replace(unasked.after(ended, Deed.LOG, now, LASTS), phase=Phase.RUNNING)
    return replace(writes, starts=(*writes.starts, (logs, AT_ONCE)))


def _belongs(ended: Operation) -> bool:
    moved = ended.seen.get("branch:0", {})
    changed = ended.phase in TOLD or ("commit" in moved and not moved.get("held"))
    return changed and ended.question.deed in LOGGED and ended.plan is not None and not ended.plan.parts


async def write(operation: Operation, fence: int, world: World) -> Writes:
    """One step of it."""
    policy, logged = world.policies.current().policy, await world.store.operation(operation.question.change)
    log = None if logged is None else kept(policy, logged)
    if logged is None or logged.plan is None or log is None:
        return Writes(operation=operation.ended(Phase.CANCELLED, "The policy names no log for it any more."))
    effect = operation.effect
    where = {"file": log.file, "branch": log.branch}
    if effect is None:
        doing = operation.doing(Effect("log:0", sent_at=world.clock.now(), fence=fence))
        return Writes(operation=doing, entries=(_entry(logged, EntryPhase.INTENT, "about to", where),), due=AT_ONCE)
    mark = f"<!-- release-bot {logged.id} -->"
    text = await entry(logged, operation.asked_at, world, mark)
    try:
        commit = await world.branches.append(
            logged.plan.repository,
            log.branch,
            log.file,
            text=text,
            mark=mark,
            title=f"Log {tell.title(logged)} ({logged.id})",
        )
    except LostLease:
        raise
    except (Conflict, OutcomeUnknown, Unavailable) as error:
        if effect.attempts < TRIES:
            again = replace(operation, effect=replace(effect, attempts=effect.attempts + 1, fence=fence))
            return Writes(operation=again, due=AGAIN * 2**effect.attempts)
        return _given_up(operation, logged, log, text, error)
    except Rejected as error:
        return _given_up(operation, logged, log, text, error)
    says = f"{Mark.YES.value} {tell.title(logged)}: written down in {log.file} on {log.branch} ({short(commit)})"
    return Writes(
        operation=operation.ended(Phase.DONE, ""),
        entries=(_entry(logged, EntryPhase.OUTCOME, "confirmed", {**where, "commit": commit}),),
        messages=(Message(logged.channel, Reply(says), operation=logged.id, slot="log"),),
    )


def _given_up(operation: Operation, logged: Operation, log: Log, text: str, error: ReleaseBotError) -> Writes:
    """Everybody reads what is missing there, to add it by hand; our own books have it anyway."""
    lines = tuple(Line(Mark.NOTE, line) for line in text.splitlines() if line)
    says = f"{Mark.NO.value} {tell.title(logged)}: {log.file} on {log.branch} could not be added to: {error} By hand:"
    happened = "not happened" if isinstance(error, Rejected) else "unknown"
    detail = {"file": log.file, "branch": log.branch, "says": str(error)}
    return Writes(
        operation=operation.ended(Phase.FAILED, str(error)),
        entries=(_entry(logged, EntryPhase.OUTCOME, happened, detail),),
        messages=(Message(logged.channel, Reply(says, lines=lines), operation=logged.id, slot="log"),),
    )


def _entry(logged: Operation, phase: EntryPhase, what: str, detail: dict[str, str]) -> Entry:
    question = logged.question
    target = {"service": question.service, "environment": question.target}
    return Entry("log", phase, what, BOT, logged.id, "log:0", target, detail=detail)


# What it says ---------------------------------------------------------------------------------------------------------


async def entry(logged: Operation, at: datetime, world: World, mark: str) -> str:
    """One entry of the log, in Markdown. What people said is escaped: it is nobody's heading and nobody's mark."""
    plan = logged.plan
    if plan is None:
        return ""
    what = _what(logged)
    title = f"## {at:%Y-%m-%d %H:%M} UTC: {plan.service} in {plan.target}, {what} {mark}"
    told = await _told(logged, plan, await world.store.votes(logged.id), world)
    return "\n".join(("", title, "", *(f"- {line}" for line in told), ""))


def _what(logged: Operation) -> str:
    deed, phase = logged.question.deed, logged.phase
    if phase is Phase.DONE:
        return {Deed.PROMOTE: "promoted", Deed.ROLLBACK: "rolled back"}.get(deed, "branch taken back")
    return {Phase.ROLLED_BACK: "promoted and taken back", Phase.UNCERTAIN: "ended in doubt"}.get(phase, phase.value)


async def _told(logged: Operation, plan: Plan, votes: Iterable[Vote], world: World) -> list[str]:
    policy, deed = world.policies.current().policy, logged.question.deed
    told = list(_ends(logged, plan))
    if deed is Deed.PROMOTE:
        base = await _base(plan, policy, world)
        told += [f"Came from: {plan.source}{f' ({base})' if base else ''}", f"Gates: {_gates(logged)}"]
    elif trigger := logged.seen.get(TRIGGER) or logged.reason:
        told.append(f"Trigger: {escaped(str(trigger))}")
    told += [f"{escaped(tell.name(key))}: {escaped(said)}" for key, said in logged.fields.items()]
    told += [f"{seen.mark.value} {escaped(plain(seen.text))}" for seen in tell.progress(logged)]
    if logged.note:
        told.append(escaped(logged.note))
    told.append(f"By: {_who(logged.asked_by, policy)}")
    agreed = [vote.voter for vote in standing(votes, plan.hash) if vote.verdict is Verdict.APPROVE]
    if agreed:
        told.append(f"Agreed: {listed([_who(one, policy) for one in agreed])}")
    return [*told, f"Recorded as {logged.id}, plan {plan.hash[:12]}, policy {plan.policy_hash[:12]}"]


def _ends(logged: Operation, plan: Plan) -> Iterator[str]:
    """From which commit to which, and what runs of it."""
    if plan.deed == Deed.REWIND and plan.branch is not None:
        yield f"{plan.branch.target}: from `{plan.branch.base}` to `{plan.branch.head}`"
        return
    there = logged.seen.get("branch:0", {}).get("commit") or plan.commit or "not known"
    left = plan.from_commit or "not known"
    names = ("From", "To") if plan.deed == Deed.ROLLBACK else ("Before", "Commit")
    for name, commit, digest in ((names[1], there, plan.digest), (names[0], left, plan.from_digest)):
        yield f"{name}: `{commit}` (`{digest}`)"


async def _base(plan: Plan, policy: Policy, world: World) -> str:
    """Where the candidate was tested; empty: that cannot be told now."""
    site = site_of(policy, plan.service, plan.source or "")
    running = site if isinstance(site, Unknown) else await known("it", world.runs.running(site))
    return "" if isinstance(running, Unknown) else running.address


def _gates(logged: Operation) -> str:
    """How each rule stood when it began."""
    return listed([f"{rule} {standing}" for rule, standing in logged.seen.get("decided", ())]) or "not known"


def _who(person: Person, policy: Policy) -> str:
    """By name and by account, here and on GitHub."""
    entry = policy.people.get(str(person.human)) if person.human is not None else None
    accounts = [person.account.rpartition("/")[2], *([entry.github] if entry is not None and entry.github else [])]
    return f"{escaped(person.name)} ({', '.join(map(escaped, accounts))})"
