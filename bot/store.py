"""How are our books kept? Requests, operations, votes, freezes, the ledger and what is still to be said, in plain SQL.

Everything that belongs together is one transaction; what is acknowledged is on disk. Leases go by the database's own
clock, everything that people see by the business clock, which can be moved in the sandbox.
"""

# ruff: noqa: S608  (statements are put together from constants of ours only; values are always bound)

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from bot import migrations, records
from bot.books import HEAD, Books, recorded, stored
from bot.database import NOTHING_DONE, Bell, Reader, Writer, dialect
from bot.dialect import Connection, Row
from bot.ledger import Draft, Ulids, Verified
from bot.ledger import micros as _micros
from bot.ledger import moment as _moment
from bot.ledger import verify as _verify
from commands.errors import LostLease, Rejected, ReleaseBotError, Unavailable
from commands.manifest import ManifestRecord
from commands.operation import Operation, Wish
from commands.ports import (
    Audited,
    Clock,
    Entry,
    EntryPhase,
    Lease,
    Message,
    Recorded,
    Request,
    SeenTag,
    Shown,
    Taken,
    Watched,
    Writes,
)
from commands.reply import Reply
from policy.facts import Deed, ExceptionRecord, Freeze, Hold, KnownGood, Obligation, Vote
from policy.model import Person, Place, Sha

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bot.listener import Listener

LEASE = 10.0  # seconds: a dead runner's work is taken over about 9 s later (measured, notes on durable operations)
PATIENCE = 2.0  # seconds: what is not on disk by then is refused while Slack's 3 s still allow an answer
ROOT = "root"
"""The slot that opens an operation's thread."""
SHUT_OUT = "shut out"
"""The slot of what tells an asker that the answer could not be posted where it belongs."""

FENCE = "fence"
"""What other processes hear of a newer fence, with operation and number."""

_LOST = "Somebody newer has taken this over."


@cache
def _operations() -> TypeAdapter[Operation]:
    from pydantic import TypeAdapter  # 0.1 s that taking down words can do without

    return TypeAdapter(Operation)


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that waits in the outbox."""

    id: int
    channel: str
    payload: dict[str, Any]
    operation: str = ""
    slot: str = ""
    thread: str = ""
    only_for: str = ""
    request: str = ""
    attempts: int = 0
    """Times it was tried in vain."""


@dataclass(frozen=True)
class Fenced:
    """A newer claim or wish: whoever carries the operation on under an older fence is to stop."""

    operation: str
    fence: int
    tell: Callable[[str, int], None]

    @property
    def words(self) -> str:
        return f"{FENCE} {self.operation} {self.fence}"

    def ring(self) -> None:
        self.tell(self.operation, self.fence)


@dataclass(frozen=True)
class _Here:
    """Rings a bell in this process only."""

    bell: Bell
    words: str = ""

    def ring(self) -> None:
        self.bell.set()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where something stands in Slack."""

    channel: str
    ts: str


class Store:
    """Our own books: the port `commands.ports.Store`, and what worker, controller and outbox need beside it.

    Enter it, once the tables are up to date (`bot.migrations`). One for each process; several share the database.
    """

    def __init__(
        self,
        database_url: str,
        clock: Clock,
        render: Callable[[Reply], Mapping[str, Any]],
        *,
        version: str = "",
        lease: float = LEASE,
        patience: float = PATIENCE,
    ) -> None:
        """`render` turns a reply into the JSON that is sent; `version` is the program's, for the ledger; seconds."""
        self._clock = clock
        self._render = render
        self._version = version
        self._lease = lease
        self._me = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._url = database_url
        self._sql = dialect(database_url, busy=patience * 0.75)
        self._ids = Ulids()
        self._writer = Writer(self._sql, self._transaction, patience, self._me, HEAD)
        self._reader = Reader(self._sql, patience)
        self._open = AsyncExitStack()
        self.arrived = Bell("arrived")
        """Set when a request was taken that waits for an answer; whoever waits for it clears it."""
        self._ours = _Here(self.arrived)
        self.changed = Bell("changed")
        """Set when an operation may be due: a hint, `next_due` tells."""
        self.filled = Bell("filled")
        """Set when there is something to send."""
        self.fenced: Callable[[str, int], None] = lambda _operation, _fence: None
        """Called when an operation has a newer fence than before: a hint, its next write or heartbeat tells."""
        self.taken = 0
        """Requests taken down since the start."""
        self.committed = 0
        """Commits since the start."""

    @property
    def lease_seconds(self) -> float:
        return self._lease

    @property
    def shared(self) -> bool:
        """True where other processes may work with the same books."""
        return self._sql.SHARED

    async def __aenter__(self) -> Self:
        """`Rejected` where the tables are not this program's or their guards are gone."""
        if await asyncio.to_thread(migrations.needs_upgrade, self._url):
            raise Rejected("The database is not up to date; run `release-bot db upgrade` first.")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._writer)
            await stack.enter_async_context(self._reader)
            missing = await self._reader.read(migrations.missing_guards)
            if missing:
                names = ", ".join(sorted(missing))
                raise Rejected(f"The database has lost what keeps its records append-only: {names}.")
            if self._sql.SHARED:
                await stack.enter_async_context(self._listener())
            stack.push_async_callback(self._hand_over)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """What this process had in hand is free for others."""
        await self._open.aclose()

    def _listener(self) -> Listener:
        from bot.listener import Listener
        from bot.postgres import Postgres

        return Listener(cast("Postgres", self._sql), self._me, self._heard, self._missed)

    def _heard(self, words: str) -> None:
        """Another process wrote something."""
        what, *rest = words.split(" ")
        if what == FENCE and len(rest) == 2:
            self.fenced(rest[0], int(rest[1]))
        for bell in (self.arrived, self.changed, self.filled):
            if bell.words == what:
                bell.set()

    def _missed(self) -> None:
        """Whatever may have been written meanwhile is looked for."""
        for bell in (self.arrived, self.changed, self.filled):
            bell.set()

    async def _hand_over(self) -> None:
        """Requests and channels of ours are anybody's."""

        def work(books: Books) -> None:
            mine = {"me": self._me}
            books.run("UPDATE speakers SET lease_until = 0 WHERE owner = :me", mine)
            books.run(
                "UPDATE requests SET claimed_by = '', claimed_until = 0 WHERE answered_at IS NULL AND claimed_by = :me",
                mine,
            )
            books.rings |= {self.arrived, self.filled}

        with suppress(ReleaseBotError):  # they run out by themselves
            await self._writer.write(work)

    def _transaction(self, connection: Connection, head: Row | None) -> Books:
        return Books(connection, head, self._clock, self._ids, self._sql)

    @staticmethod
    def warm() -> None:
        """What reads and writes operations and records is made, which takes 0.3 s, so that the first need not."""
        _operations()
        records.warm()

    # What was asked -------------------------------------------------------------------------------------------------

    async def take(self, request: Request, actor: Person, *, answered: bool) -> bool:
        """It stands in the ledger on disk. False, and nothing is written, where it did already.

        `answered`: the answer is given on the spot, so nobody needs to look at it again.
        """
        detail = {
            "request": request.id,
            "via": request.via,
            "channel": request.channel,
            "thread": request.thread,
            "message": request.message,
        }
        words = request.words.replace("\0", "\ufffd")  # PostgreSQL keeps no such text
        draft = Draft(
            Entry(
                kind="command",
                phase=EntryPhase.REQUEST,
                what="asked",
                actor=actor,
                detail={name: value for name, value in detail.items() if value},
                private={"words": words},
            ),
            self._version,
        )

        def work(books: Books) -> bool:
            if books.one("SELECT 1 FROM requests WHERE id = :id", {"id": request.id}):
                return False
            seq, entry = books.append(draft)
            at = books.now if request.at is None else _micros(request.at)
            books.run(
                "INSERT INTO requests (id, seq, entry, words, account, channel, thread, message, via, at, answered_at,"
                " claimed_by, claimed_until) VALUES (:id, :seq, :entry, :words, :account, :channel, :thread, :message,"
                f" :via, :at, :answered_at, :me, {self._sql.NOW} + :lease)",
                {
                    "id": request.id,
                    "seq": seq,
                    "entry": entry,
                    "words": words,
                    "account": request.account,
                    "channel": request.channel,
                    "thread": request.thread,
                    "message": request.message,
                    "via": request.via,
                    "at": at,
                    "answered_at": books.now if answered else None,
                    "me": self._me,
                    "lease": self._lease_micros,
                },
            )
            if not answered:
                books.rings.add(self._ours)
            return True

        fresh = await self._writer.write(work)
        self.taken += fresh
        return fresh

    async def pending_requests(self, limit: int = 100) -> tuple[Request, ...]:
        """Those not answered that are this process's to answer, oldest first: taken here, or left by another.

        They are ours for a lease, and stay so while this is asked at least every third of it.
        """
        rows = await self._requests(limit)
        if any(row[0] for row in rows):
            await self._writer.write(self._claim_requests)
            rows = await self._requests(limit)
        return tuple(replace(Request(*row[2:9]), at=_moment(row[9])) for row in rows if row[1])

    async def _requests(self, limit: int) -> list[Row]:
        """Those that may be ours: whether they must be claimed, whether they are ours, and what they say."""
        now = self._sql.NOW
        return await self._all(
            f"SELECT claimed_until < {now} + :most, claimed_by = :me AND claimed_until > {now},"
            " id, words, account, channel, thread, message, via, at FROM requests"
            f" WHERE answered_at IS NULL AND (claimed_by = :me OR claimed_until <= {now}) ORDER BY seq LIMIT :limit",
            {"limit": limit, "me": self._me, "most": self._lease_micros * 2 // 3},
        )

    def _claim_requests(self, books: Books) -> None:
        books.run(
            f"UPDATE requests SET claimed_by = :me, claimed_until = {self._sql.NOW} + :lease"
            f" WHERE answered_at IS NULL AND (claimed_by = :me OR claimed_until <= {self._sql.NOW})",
            {"me": self._me, "lease": self._lease_micros},
        )

    # Writing --------------------------------------------------------------------------------------------------------

    async def commit(self, writes: Writes, lease: Lease | None = None) -> None:
        """All of it is on disk. See `commands.ports.Store` and `Writes`.

        With a lease, a step whose operation goes on at once (`due` of 0) keeps it. Where it took a place, it does so
        under a fence newer than that of whoever held the place before.
        """
        await self._commit(writes, lease)

    async def say_once(self, writes: Writes, since: int) -> int:
        """As `commit` of one entry; unless somebody wrote the same after `since`: then nothing is written.

        Its place in the ledger, either way.
        """
        (entry,) = writes.entries
        step = self._step(writes, None)

        def work(books: Books) -> int:
            rows = books.run(
                # the phase as a word of ours: the index holds only rows of one
                f"SELECT seq, body FROM entries WHERE phase = '{entry.phase.value}' AND kind = :kind AND seq > :since"
                " ORDER BY seq",
                {"kind": entry.kind, "since": since},
            ).fetchall()
            for seq, body in rows:
                said = recorded(books.connection, seq, body)
                if (said.what, said.target, said.detail, said.private) == (
                    entry.what, entry.target, entry.detail, entry.private,
                ):  # fmt: skip
                    return int(seq)
            self._write(books, step)
            return books.size - 1

        return await self._writer.write(work)

    async def carry_on(self, writes: Writes, lease: Lease) -> tuple[Operation, Lease] | None:
        """As `commit`; then the operation as it stands and a renewed lease, where the lease is kept."""
        return await self._commit(writes, lease)

    def _step(self, writes: Writes, lease: Lease | None) -> _Step:
        return _Step(
            writes=writes,
            lease=lease,
            drafts=tuple(Draft(entry, self._version) for entry in writes.entries),
            data="" if writes.operation is None else _operations().dump_json(writes.operation).decode(),
            starts=tuple(_operations().dump_json(operation).decode() for operation, _ in writes.starts),
            payloads=tuple(_json(self._render(message.reply)) for message in writes.messages),
            records=records.ready(writes),
        )

    async def _commit(self, writes: Writes, lease: Lease | None) -> tuple[Operation, Lease] | None:
        step = self._step(writes, lease)
        kept = await self._writer.write(lambda books: self._write(books, step))
        self.committed += 1
        if kept is None:
            return None
        row, ends = kept
        operation = _operation(row)
        return operation, Lease(operation.id, operation.fence, ends)

    def _write(self, books: Books, step: _Step) -> tuple[Row, float] | None:
        writes, lease = step.writes, step.lease
        cause = ""
        if writes.answers:
            values = {"now": books.now, "id": writes.answers}
            request = books.one(
                "UPDATE requests SET answered_at = :now WHERE id = :id AND answered_at IS NULL RETURNING entry", values
            )
            if request is None:
                if books.one("SELECT 1 FROM requests WHERE id = :id", values) is None:
                    raise ValueError(f"answers {writes.answers}, which was never taken")
                return None
            cause = request[0]
        kept: Row | None = None
        ends = time.monotonic() + self._lease
        if writes.operation is not None:
            if writes.creates:
                self._create(books, writes, writes.operation, step.data)
            elif lease is None or lease.operation != writes.operation.id:
                raise ValueError(f"{writes.operation.id} changes only under its own lease")
            else:
                kept = self._update(books, writes, writes.operation, step.data, lease)
        elif lease is not None:
            self._must_hold(books, lease)
        for (operation, after), data in zip(writes.starts, step.starts, strict=True):
            self._start(books, operation, after, data)
        for draft in step.drafts:
            books.append(draft, cause)
        records.keep(books, step.records)
        unheeded = self._signal(books, writes)
        self._say(books, writes.messages, step.payloads, unheeded)
        if kept is not None and (writes.wishes or writes.wakes or writes.votes):  # perhaps of this very operation
            kept = books.one(f"{_OPERATION} WHERE id = :id AND fence = :fence", {"id": kept[0], "fence": kept[3]})
        return None if kept is None else (kept, ends)

    def _create(self, books: Books, writes: Writes, operation: Operation, data: str) -> None:
        key = None if operation.over else _open_key(operation)
        made = books.run(
            "INSERT INTO operations (id, kind, service, environment, phase, over, data, asked_at, wish, fence, owner,"
            " lease_until, due_at, wake, attempts, trouble, open_key) VALUES (:id, :kind, :service, :environment,"
            " :phase, :over, :data, :asked_at, :wish, 0, NULL, 0, :due_at, 0, 0, '', :key) ON CONFLICT DO NOTHING",
            {
                "id": operation.id,
                "kind": operation.question.deed.value,
                "service": operation.place.service,
                "environment": operation.place.environment,
                "phase": operation.phase.value,
                "over": int(operation.over),
                "data": data,
                "asked_at": _micros(operation.asked_at),
                "wish": operation.wish.value,
                "due_at": None if operation.over else books.later(writes.due),
                "key": key,
            },
        )
        if made.rowcount != 1:
            other = books.one(
                "SELECT id FROM operations WHERE id = :id OR open_key = :key ORDER BY id = :id DESC LIMIT 1",
                {"id": operation.id, "key": key},
            )
            raise Taken("" if other is None else other[0])
        _take_place(books, writes.takes, operation.id)
        books.rings.add(self.changed)

    def _start(self, books: Books, operation: Operation, after: timedelta, data: str) -> None:
        """It is there, to be looked at so much later; one that was there already is left alone."""
        with suppress(Taken):
            self._create(books, Writes(due=after), operation, data)

    def _update(self, books: Books, writes: Writes, operation: Operation, data: str, lease: Lease) -> Row | None:
        """The operation as it stands where the lease is kept, under a newer fence if it took a place."""
        keep = writes.due is not None and writes.due <= timedelta(0) and not operation.over
        _take_place(books, writes.takes, operation.id)
        # drawn once the place is ours: newer than that of whoever held it before
        fence = books.fence() if keep and writes.takes is not None else lease.fence
        key = None if operation.over else _open_key(operation)
        # A signal that came after the claim must not be slept over. A key that somebody else has stays as it was.
        row = books.one(
            f"UPDATE operations SET phase = :phase, over = :over, data = :data, wish = :wish, fence = :newer,"
            f" attempts = 0, trouble = '',"
            f" owner = CASE WHEN :keep = 1 THEN owner END,"
            f" lease_until = CASE WHEN :keep = 1 THEN {self._sql.NOW} + :lease ELSE 0 END,"
            f" due_at = CASE WHEN :over = 1 THEN NULL WHEN wake = :seen THEN :due_at ELSE :now END,"
            f" open_key = CASE WHEN :over = 1 THEN NULL"
            f" WHEN EXISTS (SELECT 1 FROM operations AS other WHERE other.open_key = :key AND other.id <> :id)"
            f" THEN open_key ELSE :key END"
            f" WHERE id = :id AND fence = :fence AND over = 0 RETURNING {_COLUMNS}",
            {
                "phase": operation.phase.value,
                "over": int(operation.over),
                "data": data,
                "wish": operation.wish.value,
                "newer": fence,
                "keep": int(keep),
                "lease": self._lease_micros,
                "seen": operation.wake,
                "due_at": books.later(writes.due),
                "now": books.now,
                "key": key,
                "id": operation.id,
                "fence": lease.fence,
            },
        )
        if row is None:
            raise LostLease(_LOST)
        if operation.over:
            self._leave(books, operation.id, None)
        elif writes.leaves is not None:
            self._leave(books, operation.id, writes.leaves)
        if not keep:
            books.rings.add(self.changed)
        return row if keep else None

    @property
    def _lease_micros(self) -> int:
        return int(self._lease * 1_000_000)

    def _must_hold(self, books: Books, lease: Lease) -> None:
        held = books.one(
            "SELECT 1 FROM operations WHERE id = :id AND fence = :fence AND over = 0",
            {"id": lease.operation, "fence": lease.fence},
        )
        if held is None:
            raise LostLease(_LOST)

    def _leave(self, books: Books, operation: str, place: Place | None) -> None:
        """The operation holds that place (or any) no more, and those who may be waiting for it are woken."""
        only = "" if place is None else " AND service = :service AND environment = :environment"
        values = {"id": operation}
        if place is not None:
            values |= {"service": place.service, "environment": place.environment}
        freed = books.run(
            f"DELETE FROM place_locks WHERE operation = :id{only} RETURNING service, environment",
            values,
        ).fetchall()
        for service, environment in freed:
            books.run(
                "UPDATE operations SET wake = wake + 1, due_at = :now"
                " WHERE service = :service AND environment = :environment AND over = 0 AND id <> :id",
                {"now": books.now, "service": service, "environment": environment, "id": operation},
            )
            books.rings.add(self.changed)

    def _signal(self, books: Books, writes: Writes) -> frozenset[str]:
        """Whoever was voted on, wished for or woken is due now. Those are given of which something else is wanted, and
        stays so."""
        unheeded = set[str]()
        for operation, wish in writes.wishes:
            fence = books.fence()
            done = books.run(
                "UPDATE operations SET wish = :wish, fence = :fence, owner = NULL, lease_until = 0, wake = wake + 1,"
                " due_at = :now WHERE id = :id AND over = 0"
                # what came first stands where whoever said otherwise had not seen it: an abort, cancel or yield always,
                # leaving it as it stands against a pause and going on, a pause against letting it go on, and letting it
                # go on against a resume of a pause that is over
                " AND (wish = 'run' OR :wish NOT IN ('run', 'pause', 'continue', 'leave')"
                " OR (wish = 'pause' AND :wish <> 'continue') OR (wish = 'continue' AND :wish IN ('pause', 'leave')))",
                {"wish": wish.value, "fence": fence, "now": books.now, "id": operation},
            )
            if done.rowcount:
                books.rings.add(Fenced(operation, fence, self.fenced))
            else:
                unheeded.add(operation)
        for operation in (*writes.wakes, *(operation for operation, _ in writes.votes)):
            books.run(
                "UPDATE operations SET wake = wake + 1, due_at = :now WHERE id = :id AND over = 0",
                {"now": books.now, "id": operation},
            )
        if writes.wishes or writes.wakes or writes.votes:
            books.rings.add(self.changed)
        return frozenset(unheeded)

    def _say(
        self, books: Books, messages: Sequence[Message], payloads: Sequence[str], unheeded: frozenset[str]
    ) -> None:
        said = [
            {
                "channel": message.channel,
                "operation": message.operation,
                "slot": message.slot,
                "thread": message.thread,
                "only_for": message.only_for,
                "request": message.request,
                "payload": payload,
                "now": books.now,
            }
            for message, payload in zip(messages, payloads, strict=True)
            if not message.phase
            or (message.operation not in unheeded and self._is_in(books, message.operation, message.phase))
        ]
        if said:
            books.connection.executemany(
                "INSERT INTO outbox (channel, operation, slot, thread, only_for, request, payload, state, ts, attempts,"
                " at) VALUES (:channel, :operation, :slot, :thread, :only_for, :request, :payload, 'waiting', '', 0,"
                " :now)",
                said,
            )
            books.rings.add(self.filled)

    @staticmethod
    def _is_in(books: Books, operation: str, phase: str) -> bool:
        return books.one("SELECT phase FROM operations WHERE id = :id", {"id": operation}) == (phase,)

    # Claims ---------------------------------------------------------------------------------------------------------

    async def claim(self) -> tuple[Operation, Lease] | None:
        """The operation that has been due longest, now ours under a new fence; None: nothing is due."""

        def work(books: Books) -> tuple[Row, int, float] | None:
            ends = time.monotonic() + self._lease
            due = books.one(
                f"SELECT {_COLUMNS}, owner FROM operations"
                f" WHERE over = 0 AND due_at <= :now AND lease_until <= {self._sql.NOW}"
                f" ORDER BY due_at, id LIMIT 1 {self._sql.SKIP_LOCKED}",
                {"now": books.now},
            )
            if due is None:
                return None
            *row, owner = due
            fence = books.fence()
            books.run(
                f"UPDATE operations SET owner = :me, lease_until = {self._sql.NOW} + :lease, fence = :fence"
                f" WHERE id = :id",
                {"me": self._me, "lease": self._lease_micros, "fence": fence, "id": row[0]},
            )
            if owner is not None:  # it runs out there, too, but who was only slow need not wait for that
                books.rings.add(Fenced(row[0], fence, self.fenced))
            return tuple(row), fence, ends

        claimed = await self._writer.write(work)
        if claimed is None:
            return None
        row, fence, ends = claimed
        return replace(_operation(row), fence=fence), Lease(row[0], fence, ends)

    async def heartbeat(self, lease: Lease) -> Lease:
        """The same lease, good for its full length again; `LostLease` where a newer claim exists."""

        def work(books: Books) -> float:
            ends = time.monotonic() + self._lease
            done = books.run(
                f"UPDATE operations SET lease_until = {self._sql.NOW} + :lease"
                f" WHERE id = :id AND fence = :fence AND owner = :me",
                {"lease": self._lease_micros, "id": lease.operation, "fence": lease.fence, "me": self._me},
            )
            if done.rowcount != 1:
                raise LostLease(_LOST)
            return ends

        return replace(lease, ends=await self._writer.write(work))

    async def give_up(self, lease: Lease, after: timedelta, note: str) -> None:
        """The step failed: the lease is over, the operation untouched and due again after that long."""

        def work(books: Books) -> None:
            done = books.run(
                "UPDATE operations SET owner = NULL, lease_until = 0, attempts = attempts + 1, trouble = :note,"
                " due_at = :due_at WHERE id = :id AND fence = :fence AND over = 0",
                {"note": note[:500], "due_at": books.later(after), "id": lease.operation, "fence": lease.fence},
            )
            if done.rowcount != 1:
                raise LostLease(_LOST)
            books.rings.add(self.changed)

        await self._writer.write(work)

    async def let_go(self, operation: Operation, lease: Lease, after: timedelta = timedelta(0)) -> None:
        """The lease is over, the operation as it was and due again after that long, or now if it was woken meanwhile.

        Nothing where the lease was lost already.
        """

        def work(books: Books) -> None:
            books.run(
                "UPDATE operations SET owner = NULL, lease_until = 0,"
                " due_at = CASE WHEN wake = :seen THEN :due_at ELSE :now END"
                " WHERE id = :id AND fence = :fence AND over = 0 AND owner IS NOT NULL",
                {
                    "seen": operation.wake,
                    "due_at": books.later(after),
                    "now": books.now,
                    "id": lease.operation,
                    "fence": lease.fence,
                },
            )
            books.rings.add(self.changed)

        await self._writer.write(work)

    async def take_over(self) -> None:
        """Nobody holds a lease. Only for a process that is known to be the only one: the leases are a dead one's."""

        def work(books: Books) -> None:
            books.run("UPDATE operations SET owner = NULL, lease_until = 0 WHERE over = 0")
            books.run("UPDATE requests SET claimed_by = '', claimed_until = 0 WHERE answered_at IS NULL")
            books.run("UPDATE speakers SET lease_until = 0")

        await self._writer.write(work)

    async def next_due(self) -> float | None:
        """Seconds until something can be claimed, 0: now; None: never, unless something happens."""
        due, free = "due_at - :now", f"lease_until - {self._sql.NOW}"
        row = await self._one(
            f"SELECT min(CASE WHEN {due} > {free} THEN {due} ELSE {free} END) FROM operations"
            " WHERE over = 0 AND due_at IS NOT NULL",
            {"now": _micros(self._clock.now())},
        )
        return None if row is None or row[0] is None else max(0.0, row[0] / 1_000_000)

    # Reading --------------------------------------------------------------------------------------------------------

    async def operation(self, id: str) -> Operation | None:
        """By id, or by any beginning of it that is unique."""
        if not id:
            return None
        rows = await self._all(
            f"{_OPERATION} WHERE id >= :id AND id < :end ORDER BY id LIMIT 2", {"id": id, "end": id + "\U0010ffff"}
        )
        exact = [row for row in rows if row[0] == id]
        if exact or len(rows) == 1:
            return _operation((exact or rows)[0])
        return None

    async def open_operations(self, place: Place | None = None) -> tuple[Operation, ...]:
        """Those that somebody asked for and that are not over, oldest first."""
        where, values = _at(place)
        rows = await self._all(f"{_OPERATION} WHERE over = 0 AND {_ASKED}{where} ORDER BY asked_at, id", values)
        return tuple(map(_operation, rows))

    async def timers(self, place: Place | None = None) -> tuple[Operation, ...]:
        """Those that nobody asked for and that are not over: they wait for a time, or watch."""
        where, values = _at(place)
        rows = await self._all(f"{_OPERATION} WHERE over = 0 AND NOT {_ASKED}{where} ORDER BY asked_at, id", values)
        return tuple(map(_operation, rows))

    async def holder(self, place: Place) -> str:
        """Id of the operation that may change this place, or empty."""
        where, values = _at(place)
        row = await self._one(f"SELECT operation FROM place_locks WHERE 1 = 1{where}", values)
        return "" if row is None else str(row[0])

    async def votes(self, operation: str) -> tuple[Vote, ...]:
        """Every vote in the order of casting. A withdrawal has taken back all that human's votes on the same plan."""
        return records.votes(await self._all(records.VOTES, {"id": operation}))

    async def record_votes(self, record: str) -> tuple[Vote, ...]:
        """The same, on one freeze or exception."""
        return records.votes(await self._all(records.RECORD_VOTES, {"id": record}))

    async def freezes(self, at: datetime) -> tuple[Freeze, ...]:
        """Those not yet over at that instant, by start; those that nobody agreed to yet among them."""
        return tuple(map(records.freeze_in, await self._all(records.FREEZES, {"at": _micros(at)})))

    async def freeze(self, id: str) -> Freeze | None:
        """By its whole id, whatever became of it."""
        row = await self._one(records.FREEZE, {"id": id})
        return None if row is None else records.freeze_in(row)

    async def exceptions(self, at: datetime) -> tuple[ExceptionRecord, ...]:
        """Those neither ended nor revoked at that instant, by the time they were asked for, granted or not."""
        return tuple(map(records.exception, await self._all(records.EXCEPTIONS, {"at": _micros(at)})))

    async def exception(self, id: str) -> ExceptionRecord | None:
        """By its whole id, whatever became of it."""
        row = await self._one(records.EXCEPTION, {"id": id})
        return None if row is None else records.exception(row)

    async def obligations(self, service: str | None = None) -> tuple[Obligation, ...]:
        """Those that nobody settled, soonest due first; of one service with those that are owed for every one."""
        return tuple(map(records.obligation, await self._all(records.OBLIGATIONS, {"service": service})))

    async def holds(self, service: str | None = None) -> tuple[Hold, ...]:
        """Those not lifted, oldest first."""
        return tuple(map(records.hold, await self._all(records.HOLDS, {"service": service})))

    async def known_good(self, place: Place) -> tuple[KnownGood, ...]:
        """Newest first, one for each revision."""
        values = {"service": place.service, "environment": place.environment}
        return tuple(map(records.known_good, await self._all(records.KNOWN_GOOD, values)))

    async def manifests(self, environment: str) -> tuple[ManifestRecord, ...]:
        """Newest first: sets of several services that went there, or began to."""
        return tuple(map(records.manifest, await self._all(records.MANIFESTS, {"environment": environment})))

    async def watched(self) -> tuple[Watched, ...]:
        """Every place that was ever looked at, as it was last written down."""
        return tuple(map(records.watched, await self._all(records.WATCHED)))

    async def audited(self) -> tuple[Audited, ...]:
        """Every repository that was ever looked over, as it was last written down."""
        return tuple(map(records.audited, await self._all(records.AUDITED)))

    async def shown(self, service: str) -> tuple[Shown, ...]:
        """What was seen of it in each environment, the newest of its kind."""
        return tuple(map(records.shown, await self._all(records.SHOWN, {"service": service})))

    async def seen_tags(self, repository: str, commit: Sha, name: str = "") -> tuple[SeenTag, ...]:
        """Those that were first seen on that commit, and that of this name, by every service; oldest first."""
        values = {"repository": repository, "commit_sha": commit, "name": name}
        return tuple(map(records.seen_tag, await self._all(records.SEEN_TAGS, values)))

    async def newest_tags(self, repository: str, limit: int) -> tuple[SeenTag, ...]:
        """So many of those that were seen last for the first time, newest first."""
        values = {"repository": repository, "limit": limit}
        return tuple(map(records.seen_tag, await self._all(records.NEWEST_TAGS, values)))

    async def history(self, service: str, limit: int) -> tuple[Recorded, ...]:
        """Newest first: every entry whose target is that service."""
        return await self._entries(
            # said twice, for the index holds only rows that are about a service
            "service = :service AND service <> '' ORDER BY seq DESC LIMIT :limit",
            {"service": service, "limit": limit},
        )

    async def newest(self, limit: int) -> tuple[Recorded, ...]:
        """Newest first, whatever they are about."""
        return await self._entries("1 = 1 ORDER BY seq DESC LIMIT :limit", {"limit": limit})

    async def last_policy(self) -> tuple[str, int]:
        """Hash of the policy that decided when the ledger last spoke of one, and where; empty and -1: it never did."""
        row = await self._one(
            "SELECT body, seq FROM entries WHERE phase = 'config' AND kind = 'policy' ORDER BY seq DESC LIMIT 1"
        )
        return ("", -1) if row is None else (str(json.loads(row[0])["target"]["policy"]), row[1])

    async def permalink(self, operation: str) -> tuple[str, str]:
        """Channel and ts of its root message; empty strings while it is unsent."""
        row = await self._one("SELECT channel, ts FROM threads WHERE operation = :id", {"id": operation})
        return ("", "") if row is None else (row[0], row[1])

    async def _entries(self, where: str, values: Mapping[str, Any] | None = None) -> tuple[Recorded, ...]:
        def work(connection: Connection) -> list[Recorded]:
            rows = connection.execute(f"SELECT seq, body FROM entries WHERE {where}", values or {}).fetchall()
            return [recorded(connection, seq, body) for seq, body in rows]

        return tuple(await self._reader.read(work))

    async def _all(self, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        return await self._reader.read(lambda connection: connection.execute(sql, values or {}).fetchall())

    async def _one(self, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
        rows = await self._all(sql, values)
        return rows[0] if rows else None

    # The outbox -----------------------------------------------------------------------------------------------------

    async def channels_to_tell(self) -> frozenset[str]:
        """Channels that something waits to be sent to, whoever is to send it."""
        rows = await self._all("SELECT DISTINCT channel FROM outbox WHERE state = 'waiting'")
        return frozenset(row[0] for row in rows)

    async def speaks_in(self, channel: str) -> tuple[float, bool]:
        """Until when, on this process's monotonic clock, it and no other sends to that channel: for a lease from now;
        and whether another did before, of which something may still be on its way.

        Negative where another does: so many seconds until that ends, unless it goes on.
        """
        left = f"SELECT lease_until - {self._sql.NOW} FROM speakers WHERE channel = :channel"
        values = {"channel": channel, "me": self._me, "lease": self._lease_micros}
        other = await self._one(f"{left} AND owner <> :me AND lease_until > {self._sql.NOW}", values)
        if other is not None:  # whoever does not speak keeps nobody from writing
            return -max(0.02, float(other[0]) / 1_000_000), False

        def work(books: Books) -> tuple[float, bool]:
            ends = time.monotonic() + self._lease
            before = books.one("SELECT owner FROM speakers WHERE channel = :channel", values)
            done = books.run(
                f"INSERT INTO speakers (channel, owner, lease_until) VALUES (:channel, :me, {self._sql.NOW} + :lease)"
                " ON CONFLICT (channel) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until"
                f" WHERE speakers.owner = excluded.owner OR speakers.lease_until <= {self._sql.NOW}",
                values,
            )
            if done.rowcount == 1:
                return ends, before is not None and before[0] != self._me
            row = books.one(left, values)
            return -max(0.02, (0 if row is None else row[0]) / 1_000_000), False

        return await self._writer.write(work)

    async def unsent(self, channel: str, limit: int = 100) -> tuple[Unsent, ...]:
        """What waits to be sent to that channel, oldest first."""
        rows = await self._all(
            "SELECT id, channel, payload, operation, slot, thread, only_for, request, attempts FROM outbox"
            " WHERE state = 'waiting' AND channel = :channel ORDER BY id LIMIT :limit",
            {"channel": channel, "limit": limit},
        )
        return tuple(Unsent(row[0], row[1], json.loads(row[2]), *row[3:]) for row in rows)

    async def slot(self, operation: str, slot: str) -> Standing | None:
        """The message that stands under this slot."""
        row = await self._one(
            "SELECT channel, ts FROM slots WHERE operation = :operation AND slot = :slot",
            {"operation": operation, "slot": slot},
        )
        return None if row is None else Standing(*row)

    async def sent(self, message: Unsent, ts: str, replaced: Sequence[int] = ()) -> None:
        """It stands in Slack at `ts` (empty: only somebody saw it); `replaced` need not be sent any more.

        The first message of an operation opens its thread.
        """

        def work(books: Books) -> None:
            first = _settle(books, (message.id,), "sent", ts)
            _settle(books, replaced, "replaced", "")
            if not first or not message.operation or message.only_for:
                return
            place = {"operation": message.operation, "channel": message.channel, "ts": ts}
            root = message.slot == ROOT
            books.run(
                "INSERT INTO threads (operation, channel, ts) VALUES (:operation, :channel, :ts)"
                " ON CONFLICT (operation) DO "
                + ("UPDATE SET channel = excluded.channel, ts = excluded.ts" if root else "NOTHING"),
                place,
            )
            if message.slot:
                books.run(
                    "INSERT INTO slots (operation, slot, channel, ts) VALUES (:operation, :slot, :channel, :ts)"
                    " ON CONFLICT (operation, slot) DO UPDATE SET channel = excluded.channel, ts = excluded.ts",
                    place | {"slot": message.slot},
                )

        await self._writer.write(work)

    async def not_sent(self, message: Unsent) -> None:
        """One more try was in vain."""
        await self._writer.write(
            lambda books: (
                books.run("UPDATE outbox SET attempts = attempts + 1 WHERE id = :id", {"id": message.id}).rowcount
            )
        )

    async def never_sent(self, messages: Sequence[Unsent], tells: Reply | None = None) -> None:
        """They are given up. `tells` is whispered to whoever asked for one of them, once for each request."""
        payload = "" if tells is None else _json(self._render(tells))

        def work(books: Books) -> None:
            _settle(books, (message.id for message in messages), "given up", "")
            for message in messages if tells is not None else ():
                books.run(
                    "INSERT INTO outbox (channel, operation, slot, thread, only_for, request, payload, state, ts,"
                    " attempts, at) SELECT :channel, '', :slot, '', account, id, :payload, 'waiting', '', 0, :now"
                    " FROM requests WHERE id = :request"
                    f" AND NOT EXISTS (SELECT 1 FROM outbox WHERE request = :request AND slot = '{SHUT_OUT}')",
                    {
                        "channel": message.channel,
                        "slot": SHUT_OUT,
                        "payload": payload,
                        "now": books.now,
                        "request": message.request,
                    },
                )
                books.rings.add(self.filled)

        await self._writer.write(work)

    # Looking after ourselves ----------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Our books can be written and read; else `Unavailable`."""
        await self._writer.write(lambda books: books.one("SELECT size FROM ledger_head"))
        missing = await self._reader.read(migrations.missing_guards)
        if missing:
            raise Unavailable(NOTHING_DONE)

    async def verify(self) -> Verified:
        """Every row of the ledger looked at again: bytes, order, tree, checkpoints, guards."""
        return await asyncio.to_thread(self._verify)

    def _verify(self) -> Verified:
        connection = self._sql.connect(reading=True)
        try:
            connection.execute("BEGIN")
            found = _verify(
                stored(connection),
                connection.execute("SELECT size, root FROM checkpoints ORDER BY size"),
                connection.execute("SELECT size, frontier, root FROM ledger_head").fetchone() or (0, b"", b""),
            )
            missing = sorted(migrations.missing_guards(connection))
        finally:
            connection.close()
        return replace(found, problems=(*found.problems, *(f"the guard {name} is gone" for name in missing)))


# One transaction ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Step:
    """`Writes`, made ready outside the transaction."""

    writes: Writes
    lease: Lease | None
    drafts: tuple[Draft, ...]
    data: str
    starts: tuple[str, ...]
    payloads: tuple[str, ...]
    records: records.Ready


def _take_place(books: Books, place: Place | None, operation: str) -> None:
    if place is None:
        return
    values = {"service": place.service, "environment": place.environment, "operation": operation}
    holder = books.one(
        "INSERT INTO place_locks (service, environment, operation) VALUES (:service, :environment, :operation)"
        " ON CONFLICT (service, environment) DO UPDATE SET operation = place_locks.operation RETURNING operation",
        values,
    )
    if holder is not None and holder[0] != operation:
        raise Taken(holder[0])


def _settle(books: Books, ids: Iterable[int], state: Literal["sent", "replaced", "given up"], ts: str) -> int:
    """How many of them were still waiting."""
    return sum(
        books.run(
            "UPDATE outbox SET state = :state, ts = :ts, payload = '' WHERE id = :id AND state = 'waiting'",
            {"state": state, "ts": ts, "id": id},
        ).rowcount
        for id in ids
    )


# Rows to values -----------------------------------------------------------------------------------------------------

_COLUMNS = "id, data, wish, fence, wake, attempts"
_OPERATION = f"SELECT {_COLUMNS} FROM operations"
_ASKED = (
    f"(kind NOT IN ('{Deed.WATCH}', '{Deed.REMIND}', '{Deed.RELAX}', '{Deed.HOTFIX}', '{Deed.LOG}', '{Deed.PUBLISH}'))"
)


def _operation(row: Row) -> Operation:
    _, data, wish, fence, wake, attempts = row
    return replace(_operations().validate_json(data), wish=Wish(wish), fence=fence, wake=wake, attempts=attempts)


def _open_key(operation: Operation) -> str:
    digest = "" if operation.plan is None else operation.plan.digest
    question = operation.question
    by_itself = "" if operation.asked_by.human else " by itself"  # it is not kept waiting by what somebody asked for
    return f"{question.deed} {operation.place} {digest} {question.change}".rstrip() + by_itself


def _at(place: Place | None) -> tuple[str, dict[str, str]]:
    if place is None:
        return "", {}
    return " AND service = :service AND environment = :environment", {
        "service": place.service,
        "environment": place.environment,
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
