"""What is looked at in a repository each day, who hears what was found, and what is kept of it?

What is found is told once. What could not be read is no proof that all is well: what was found before stands, and the
next look begins where this one did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from commands import audit
from commands.audit import Found, Scope
from commands.errors import Rejected
from commands.places import WORKED, known
from commands.ports import Audited, Entry, EntryPhase, Look, Message, Proposed, Repositories, World, Writes
from commands.record import BOT
from commands.reply import Line, Mark, Reply
from policy.document import Policy
from policy.glob import alike
from policy.model import Sha, Unknown

KIND = "audit"
LOOKS_BACK = timedelta(days=90)
"""What was merged before that and left lying about is nobody's news any more."""
SHOWN = 20
"""So many are named in one message; the ledger has them all."""
COMPARED = 500
"""Branches, each with a request of its own: what people promote needs GitHub's patience, too."""
TAGS = 30
"""Each is a request or two, and what was released longer ago nobody promotes."""

_Fact = TypeVar("_Fact")


def due(scope: Scope, before: Audited | None, at: datetime) -> bool:
    """Whether it is time to look over the repository again."""
    return before is None or at - before.at >= scope.audit.every


@dataclass(slots=True)
class _Eyes:
    """Somebody who looks over one repository, and what was seen so far."""

    world: World
    repositories: Repositories
    policy: Policy
    name: str
    scope: Scope
    before: Audited | None
    at: datetime
    found: list[Found] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    """Kind → why it could not be looked at."""
    again: set[str] = field(default_factory=set)
    """Keys of what happened and will be found by the next look, too: that begins where this one did."""

    async def read(self, kind: str, what: str, reading: Awaitable[_Fact]) -> _Fact | None:
        """What it gave; None: it could not be had, and that is noted for this kind."""
        got = await known(what, reading)
        if isinstance(got, Unknown):
            self.unread.setdefault(kind, got.why)
            return None
        return got

    # What is so -----------------------------------------------------------------------------------------------------

    async def standing(self, branches: Mapping[str, Sha], proposed: Iterable[Proposed]) -> None:
        """Everything that is so until somebody mends it."""
        wants, scope = self.scope.wants, self.scope
        if wants("branches"):
            self.found += audit.missing_branches(scope, branches)
        if wants("protection"):
            guarded = alike(scope.audit.protected)
            lacking: dict[str, tuple[str, ...]] = {}
            for name in branches:
                if name in scope.shared or guarded(name):
                    guards = self.world.code.unprotected(self.name, name)
                    lacking[name] = await self.read("protection", f"the protection of {name}", guards) or ()
            self.found += audit.unprotected(lacking)
            for name, wanted in scope.checks.items():
                if wanted and name in branches:
                    reading = self.repositories.required(self.name, name)
                    required = await self.read("protection", f"the required checks of {name}", reading)
                    self.found += audit.not_required(name, wanted, required) if required is not None else ()
        if wants("environments"):
            there = await self.read("environments", "the environments", self.repositories.environments(self.name))
            self.found += audit.misnamed_environments(scope, there or ())
        if wants("workflows"):
            parts = await self.read("workflows", "the workflows", self.repositories.uses(self.name))
            self.found += audit.moving_parts(parts or {})
        if wants("tags"):
            self.found += await self._moved_tags()
        if wants("proposals"):
            self.found += audit.proposals(scope, proposed)

    async def _moved_tags(self) -> Iterable[Found]:
        """The newest release tags that promotions looked at, and where they are now."""
        seen = await self.read("tags", "which tags were seen before", self.world.store.newest_tags(self.name, TAGS))
        named = {one.name: one.commit for one in seen or ()}
        now: dict[str, Sha | None] = {}
        for name in named:
            found = await known(f"the tag {name}", self.world.code.tagged(self.name, name))
            if isinstance(found, Unknown):
                self.unread.setdefault("tags", found.why)
            else:
                now[name] = None if found is None else found.commit
        return audit.moved_tags(named, now)

    # What happened --------------------------------------------------------------------------------------------------

    async def happened(self, branches: Mapping[str, Sha]) -> dict[str, Sha]:
        """What came to long-lived branches since the last look; where the next look at each begins."""
        begins = dict(self.before.heads) if self.before is not None else {}
        heads: dict[str, Sha] = {}
        for name in self.scope.long_lived(branches):
            now, then = branches[name], begins.get(name)
            if then is None and begins and not await self._begins(name, now):
                continue
            read = then is None or then == now or await self._came(name, then, now)
            heads[name] = now if read or then is None else then
        return heads

    async def _begins(self, name: str, now: Sha) -> bool:
        """A branch that was not there before; False where it could not be told what it begins with."""
        scope = self.scope
        if not (scope.wants("pushes") and scope.trunk and alike(scope.audit.released)(name)):
            return True
        reading = self.world.code.not_passed(self.name, scope.trunk, now)
        red = await self.read("pushes", f"what {name} was cut from", reading)
        self.found += audit.cut(scope, name, red or ())
        return red is not None

    async def _came(self, name: str, then: Sha, now: Sha) -> bool:
        """False where not all of it could be read."""
        scope, code = self.scope, self.world.code
        compared = await self.read("rewrites", f"what became of {name}", code.compare(self.name, then, now))
        if compared is None:
            return False
        lost = tuple(audit.rewritten(name, then, now, compared)) if scope.wants("rewrites") else ()
        self.found += lost
        if not (scope.wants("pushes") or scope.wants("merges")):
            return True
        green = any("merged_green" in gate.require for gate in scope.gates)
        look = frozenset({Look.CHECKS} if green else ())
        changes = await self.read("pushes", f"what came to {name}", code.changes(self.name, then, now, look, name))
        if changes is None:
            self.again |= {each.key for each in lost}
            return False
        if scope.wants("pushes"):
            self.found += audit.pushed(scope, name, changes)
        if scope.wants("merges"):
            self.found += audit.merged_by_commit(scope, name, changes)
        return True

    # What lies about ------------------------------------------------------------------------------------------------

    async def lying_about(self, branches: Mapping[str, Sha], proposed: tuple[Proposed, ...]) -> tuple[Found, ...]:
        """Branches that nobody needs, or that should not live so long."""
        scope, found = self.scope, list[Found]()
        trunk = branches.get(scope.trunk)
        if scope.wants("short_lived") and trunk is not None:
            like = alike(scope.audit.short_lived)
            names = [name for name in branches if like(name) and name not in scope.shared]
            if len(names) > COMPARED:
                says = f"{len(names)} branches are short-lived ones; I look at the first {COMPARED} by name"
                self.unread.setdefault("short_lived", says)
            for name in sorted(names)[:COMPARED]:
                reading = self.repositories.unmerged(self.name, trunk, branches[name])
                unmerged = await self.read("short_lived", f"what {name} holds", reading)
                found += audit.too_old(scope, self.at, name, unmerged, proposed) if unmerged is not None else ()
        if scope.wants("merged"):
            found += audit.not_deleted(scope, self.at, branches, proposed)
        if scope.wants("released"):
            found += audit.not_closed(scope, self.at, branches, await self._live())
        return tuple(found)

    async def _live(self) -> dict[Sha, datetime]:
        """What production got, as far as GitHub's records go back, and when it first did."""
        live: dict[Sha, datetime] = {}
        for environment in self.scope.environments:
            if self.policy.environments[environment].production:
                reading = self.world.code.deployments(self.name, environment)
                for each in await self.read("released", f"what {environment} got", reading) or ():
                    if each.state in WORKED:
                        live[each.commit] = min(each.updated_at, live.get(each.commit, each.updated_at))
        return live


async def survey(
    world: World, repositories: Repositories, policy: Policy, name: str, scope: Scope, before: Audited | None
) -> Writes:
    """What is written because of what lies in the repository now; `Unavailable` where nobody tells its branches."""
    eyes = _Eyes(world, repositories, policy, name, scope, before, world.clock.now())
    try:
        branches = await repositories.branches(name)
    except Rejected as error:  # it would say the same in a minute
        return _unseen(eyes, f"the branches could not be read: {error}")
    list_now = before is None or before.listed_at is None or eyes.at - before.listed_at >= scope.audit.list_every
    since = eyes.at - timedelta(days=scope.audit.left_days) - LOOKS_BACK
    proposed = await eyes.read("proposals", "the pull requests", repositories.proposals(name, since))
    heads, _ = await asyncio.gather(eyes.happened(branches), eyes.standing(branches, proposed or ()))
    listed = await eyes.lying_about(branches, proposed) if list_now and proposed is not None else None
    return _written(eyes, heads, listed)


async def glance(
    world: World, repositories: Repositories, policy: Policy, name: str, scope: Scope, before: Audited
) -> Writes | None:
    """What is written because of how long-lived branches moved since somebody last looked; None: they did not."""
    eyes = _Eyes(world, repositories, policy, name, scope, before, world.clock.now())
    heads = await eyes.happened(await repositories.branches(name))
    if heads == before.heads:
        return None
    new = [each for each in dict.fromkeys(eyes.found) if each.key not in before.told]
    return Writes(
        entries=_entries(eyes, "found", {each.key: each.says for each in new}),
        messages=tuple(Message(channel, reply) for reply in _told(eyes, new, []) for channel in _channels(eyes)),
        audited=(replace(before, heads=heads, told=tuple(sorted({*before.told, *eyes.again}))),),
    )


def _unseen(eyes: _Eyes, why: str) -> Writes:
    """Nothing could be looked at, and what was found before stands."""
    before, key = eyes.before or Audited(eyes.name, eyes.at, {}), "unread branches"
    says = _told(eyes, [], [why] if key not in before.told else [])
    return Writes(
        messages=tuple(Message(channel, reply) for reply in says for channel in _channels(eyes)),
        audited=(replace(before, at=eyes.at, told=tuple(sorted({*before.told, key}))),),
    )


def _written(eyes: _Eyes, heads: Mapping[str, Sha], listed: tuple[Found, ...] | None) -> Writes:
    before, at = eyes.before, eyes.at
    told = before.told if before is not None else ()
    standing = {each.key for each in eyes.found if each.kind in audit.STANDING} | eyes.again
    unread = {f"unread {kind}": why for kind, why in eyes.unread.items()}
    kept = {key for key in told if key.partition(" ")[0] in eyes.unread}
    new = [each for each in dict.fromkeys(eyes.found) if each.key not in told]
    mended = [key for key in told if key not in standing | kept and key.partition(" ")[0] in audit.STANDING]
    nobody_knows = [why for key, why in unread.items() if key not in told]
    entries = (
        *_entries(eyes, "found", {each.key: each.says for each in new}),
        *_entries(eyes, "put right", {key: key for key in mended}),
        *_entries(eyes, "listed", {each.key: each.says for each in listed or ()}),
    )
    known_now = Audited(
        eyes.name,
        at,
        dict(heads),
        tuple(sorted(standing | kept | unread.keys())),
        (before.listed_at if before is not None else None) if listed is None else at,
        before.number if before is not None else 0,
    )
    says = [*_told(eyes, new, nobody_knows), *_listed(eyes, listed or ())]
    messages = tuple(Message(channel, reply) for reply in says for channel in _channels(eyes))
    return Writes(entries=entries, messages=messages, audited=(known_now,))


def _entries(eyes: _Eyes, what: str, says: Mapping[str, str]) -> tuple[Entry, ...]:
    """One for all of it: whoever looks for a release among the newest entries must still find it."""
    if not says:
        return ()
    target = {"repository": eyes.name, "service": eyes.scope.services[0]}
    kinds = [key.partition(" ")[0] for key in says]
    detail = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    private = {str(number): each for number, each in enumerate(says.values(), 1)}  # a branch may be called anything
    return (Entry(KIND, EntryPhase.OBSERVATION, what, BOT, target=target, detail=detail, private=private),)


def _told(eyes: _Eyes, new: list[Found], nobody_knows: list[str]) -> list[Reply]:
    if not new and not nobody_knows:
        return []
    lines = [Line(Mark.NO, each.says) for each in new] + [Line(Mark.UNKNOWN, why) for why in nobody_knows]
    says = [f"{_count(new)} not as the policy wants"] if new else []
    says += ["not all of it could be read"] if nobody_knows else []
    return [Reply(f"I looked over {eyes.name}: {', and '.join(says)}.", lines=_some(lines))]


def _listed(eyes: _Eyes, listed: tuple[Found, ...]) -> list[Reply]:
    lines = [Line(Mark.NOTE, each.says) for each in listed]
    return [Reply(f"What lies about in {eyes.name}", lines=_some(lines))] if lines else []


def _count(found: list[Found]) -> str:
    return "one thing is" if len(found) == 1 else f"{len(found)} things are"


def _some(lines: list[Line]) -> tuple[Line, ...]:
    more = len(lines) - SHOWN
    return (*lines[:SHOWN], *([Line(Mark.NOTE, f"and {more} more, on record")] if more > 0 else ()))


def _channels(eyes: _Eyes) -> tuple[str, ...]:
    """The one that the policy names, or else those of the services whose code lies there."""
    if eyes.scope.audit.channel is not None:
        return (eyes.scope.audit.channel,)
    channels = (eyes.policy.services[service].channel for service in eyes.scope.services)
    return tuple(dict.fromkeys(channel for channel in channels if channel is not None))
