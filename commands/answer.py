"""What becomes of somebody's words? The one way in: words, person, world in; everything that is to be written out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from commands import (
    exception,
    family,
    freeze,
    grant,
    hotfix,
    owed,
    promote,
    remind,
    rollback,
    status,
    steer,
    switched,
    together,
    vote,
)
from commands.asking import Asking, whisper
from commands.catalogue import understand
from commands.errors import Misunderstood, Rejected, ReleaseBotError
from commands.help import help_about
from commands.intent import (
    Approve,
    DryRun,
    EndFreeze,
    Help,
    Intent,
    ListExceptions,
    ListFreezes,
    Log,
    PortFix,
    Promote,
    PromoteSeveral,
    Reject,
    RequestException,
    RevokeException,
    Rollback,
    RollbackSeveral,
    Settle,
    StartFreeze,
    StartHotfix,
    Status,
    Steer,
    Switched,
    Why,
    Withdraw,
)
from commands.ports import Request, World, Writes
from commands.reply import Reply
from commands.resolve import Setting
from policy.document import Policy
from policy.model import AccountKind, Person


async def answer(request: Request, world: World) -> Writes:
    """What is written because of these words. Raises only `Unavailable`: nothing was done, and asking again is safe."""
    active = world.policies.current()
    try:
        intent = understand(request.words, Setting(active.policy, request.channel, world.clock.now()))
        person = await world.people.person(request.account)
        writes = await _act(intent, Asking(_of_this_workspace(person), request, world, active))
        goes = tuple(whisper(request, reply) for reply in _what_goes(request.words, active.policy))
        starts = remind.follows(writes, request.channel, world.clock.now())
        writes = replace(writes, messages=(*writes.messages, *goes), starts=(*writes.starts, *starts))
    except (Misunderstood, Rejected) as error:
        writes = Writes(messages=(whisper(request, Reply(str(error))),))
    return replace(writes, answers=request.id)


def _what_goes(words: str, policy: Policy) -> Iterator[Reply]:
    """What the policy says of words that it takes out of use, once for each."""
    for word in dict.fromkeys(re.findall(r"\w[\w.-]*\w", words.partition("reason:")[0])):
        goes = policy.deprecation(word)
        if goes is not None:
            yield Reply(
                f"`{word}` goes: do not begin using it after {goes.adopt_until}; it works until {goes.works_until}. "
                f"{goes.instead.rstrip('.')}."
            )


def _of_this_workspace(person: Person) -> Person:
    if person.kind in {AccountKind.BOT, AccountKind.STRANGER} or not person.active:
        raise Rejected("I answer only people of this workspace.")
    return person


def apology(request: Request, error: ReleaseBotError) -> Writes:
    """What is said where the work could not be done."""
    reply = Reply(f"{error} Nothing was done; say it again in a moment.")
    return Writes(messages=(whisper(request, reply),), answers=request.id)


async def _act(intent: Intent, asking: Asking) -> Writes:
    match intent:
        case Promote():
            return await promote.ask(intent, asking)
        case PromoteSeveral():
            return await together.ask(intent, asking)
        case Rollback() | RollbackSeveral() | Switched():
            return await _goes_back(intent, asking)
        case StartFreeze() | EndFreeze():
            return await (
                freeze.start(intent, asking) if isinstance(intent, StartFreeze) else freeze.end(intent, asking)
            )
        case RequestException():
            return await exception.request(intent, asking)
        case RevokeException():
            return await exception.revoke(intent, asking)
        case Settle():
            return await owed.settle(intent, asking)
        case StartHotfix() | PortFix():
            return await hotfix.ask(intent, asking)
        case Approve() | Reject() | Withdraw():
            return await _votes(intent, asking)
        case Steer():
            return await steer.steer(intent, asking)
        case DryRun() | ListFreezes() | ListExceptions() | Status() | Why() | Log() | Help():
            return asking.privately(await _look(intent, asking))


async def _goes_back(intent: Rollback | RollbackSeveral | Switched, asking: Asking) -> Writes:
    """One service, several, or none, where somebody switched a flag instead."""
    match intent:
        case Rollback():
            return await rollback.ask(intent, asking)
        case RollbackSeveral():
            return await family.ask(intent, asking)
        case Switched():
            return await switched.record(intent, asking)


async def _votes(intent: Approve | Reject | Withdraw, asking: Asking) -> Writes:
    """On a freeze or an exception, or else on a request."""
    on_record = grant.is_record(intent.operation)
    match intent:
        case Approve():
            return await (grant.approve if on_record else vote.approve)(intent, asking)
        case Reject():
            return await (grant.reject if on_record else vote.reject)(intent, asking)
        case Withdraw():
            return await (grant.withdraw if on_record else vote.withdraw)(intent, asking)


async def _look(intent: DryRun | ListFreezes | ListExceptions | Status | Why | Log | Help, asking: Asking) -> Reply:
    match intent:
        case DryRun(promote=wanted):
            if isinstance(wanted, PromoteSeveral):
                return await together.dry_run(wanted, asking)
            return await promote.dry_run(wanted, asking)
        case ListFreezes():
            return await status.freezes(asking)
        case ListExceptions():
            return await status.exceptions(asking)
        case Status():
            return await status.status(intent, asking)
        case Why():
            return await status.why(intent, asking)
        case Log():
            return await status.log(intent, asking)
        case Help():
            return help_about(intent.topic)
