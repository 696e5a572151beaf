"""What stands in one row of the ledger, and what do all the rows hash to? Pure: values in, bytes and hashes out.

A row is canonical JSON, stored as it is and never encoded a second time; the rows are the leaves of one RFC 6962 tree.
Free text and names stand in it only as salted commitments, so that they can be erased and every hash still holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.ports import Entry
from policy.finding import Decision, Finding
from policy.model import Person

VERSION = 1
"""Of the shape that `Draft` writes."""

ENTRY_MAX = 65_535  # bytes: the length prefix of an entry is 16 bits, https://c2sp.org/tlog-tiles
INTEGER_MAX = 2**53 - 1  # beyond it JSON readers disagree, https://www.rfc-editor.org/rfc/rfc8785#appendix-D

ACTOR_NAME = "actor.name"
REASONS = "decision.reasons"
FACTS = "decision.facts"
"""Private fields that we add ourselves: the actor's name, a JSON list of [rule, reason], and what `bot.facts_json`
writes of the question and the facts, so that it can be decided again."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotCanonical(ValueError):
    """A value that canonical bytes cannot hold: a bug of whoever wrote the entry."""


def micros(at: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The instant so many microseconds after 1970, aware UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


# Canonical bytes ----------------------------------------------------------------------------------------------------


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one encoding of `value`; `NotCanonical` for floats, odd keys, huge integers, lone surrogates and large rows.

    Within this profile sorted `json.dumps` writes what RFC 8785 does.
    """
    check(value)
    return _encode(value)


def check(value: object, where: str = "entry") -> None:
    """`value` can be written canonically, length aside."""
    match value:
        case None | bool():
            return
        case str():
            if not value.isascii():
                _utf8(value, where)
        case int():
            if abs(value) > INTEGER_MAX:
                message = f"{where}: {value} is beyond 2^53"
                raise NotCanonical(message)
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str) or not key.isascii():
                    message = f"{where}: the key {key!r} is not ASCII text"
                    raise NotCanonical(message)
                check(item, f"{where}.{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                check(item, f"{where}[{index}]")
        case _:
            message = f"{where}: {type(value).__name__} has no canonical form"
            raise NotCanonical(message)


def _utf8(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        message = f"{where}: half a character"
        raise NotCanonical(message) from error


def _encode(value: Mapping[str, Any]) -> bytes:
    data = _utf8(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "entry")
    if len(data) > ENTRY_MAX:
        message = f"entry: {len(data)} bytes are more than {ENTRY_MAX}"
        raise NotCanonical(message)
    return data


# Ids ----------------------------------------------------------------------------------------------------------------

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # https://github.com/ulid/spec


class Ulids:
    """Ids that sort by time, and each after the one before it, even where the clock stands still or goes back."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, at: datetime) -> str:
        """26 characters."""
        fresh = (micros(at) // 1000) << 80 | int.from_bytes(os.urandom(10), "big")
        self._last = fresh if fresh >> 80 > self._last >> 80 else self._last + 1
        return "".join(_CROCKFORD[self._last >> shift & 31] for shift in range(125, -1, -5))


# Rows ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Clear text behind one commitment; gone once it is erased."""

    field: str
    salt: bytes
    value: str

    @property
    def commitment(self) -> str:
        """HMAC-SHA256 of the value under its own random salt, hex."""
        return hmac.digest(self.salt, _utf8(self.value, self.field), "sha256").hex()


class Draft:
    """An entry that only lacks its place: checked, with its private parts already committed to."""

    __slots__ = ("_body", "disclosures", "entry")

    def __init__(self, entry: Entry, version: str) -> None:
        private = {ACTOR_NAME: entry.actor.name, **entry.private} if entry.actor.name else dict(entry.private)
        if entry.decision is not None:
            private[REASONS] = json.dumps(_reasons(entry.decision), ensure_ascii=False)
        if entry.question is not None and entry.facts is not None:
            from bot.facts_json import to_json  # taking down words can do without

            private[FACTS] = to_json(entry.question, entry.facts)
        self.entry = entry
        self.disclosures = tuple(
            Disclosure(name, os.urandom(32), value.replace("\0", "\ufffd"))  # PostgreSQL keeps no such text
            for name, value in private.items()
        )
        body: dict[str, Any] = {
            "v": VERSION,
            "kind": entry.kind,
            "phase": entry.phase.value,
            "what": entry.what,
            "actor": _actor(entry.actor),
            "app": {"version": version},
        }
        if entry.operation:
            body["op"] = entry.operation
        if entry.effect:
            body["effect"] = {"key": entry.effect}
        if entry.target:
            body["target"] = dict(entry.target)
        if entry.decision is not None:
            body["decision"] = decided(entry.decision)
        if entry.detail:
            body["detail"] = dict(entry.detail)
        if self.disclosures:
            body["pii"] = {each.field: each.commitment for each in self.disclosures}
        check(body)
        self._body = body

    def sealed(self, *, seq: int, id: str, at: int, cause: str = "", behind: int = 0) -> bytes:
        """The bytes of this entry at that place.

        `at` is in microseconds; `behind` says by how many the clock stands before the entry above.
        """
        body = {**self._body, "seq": seq, "id": id, "time": moment(at).isoformat(timespec="microseconds")}
        if cause:
            body["cause"] = cause
        if behind > 0:
            body["clock_behind"] = behind
        return _encode(body)


def _actor(person: Person) -> dict[str, Any]:
    return {
        "account": person.account,
        "human": person.human,
        "kind": person.kind.value,
        "active": person.active,
        "roles": sorted(person.roles),
    }


def decided(decision: Decision) -> dict[str, Any]:
    return {
        "allow": decision.allowed,
        "at": decision.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "policy_sha256": decision.policy_hash,
        "results": [_found(finding) for finding in decision.findings],
    }


def _found(finding: Finding) -> dict[str, str]:
    found = {"rule": finding.rule, "standing": finding.standing.value}
    return found | {"by": finding.by} if finding.by else found


def _reasons(decision: Decision) -> list[list[str]]:
    return [[finding.rule, finding.reason] for finding in decision.findings]


# The tree -----------------------------------------------------------------------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The roots of the perfect subtrees, largest first: all that appending needs."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self.hashes.pop(), node)
            size >>= 1
        self.hashes.append(node)
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self.hashes:
            return hashlib.sha256().digest()
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = node_hash(left, node)
        return node

    def copy(self) -> Frontier:
        return Frontier(self.size, self.hashes.copy())

    def to_bytes(self) -> bytes:
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """ValueError where `data` is not as long as `size` asks for."""
        if len(data) != 32 * size.bit_count():
            message = f"{len(data)} bytes are no frontier of {size} entries"
            raise ValueError(message)
        return cls(size, [data[start : start + 32] for start in range(0, len(data), 32)])


# Looking again ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """One row as it stands in the database, with the columns it is found by."""

    seq: int
    id: str
    kind: str
    phase: str
    operation: str
    effect: str
    service: str
    body: bytes
    leaf: bytes
    disclosures: Sequence[Disclosure] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking at every row found. It proves nothing about rows cut off together with their checkpoints."""

    size: int
    root: bytes
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(
    rows: Iterable[Stored], checkpoints: Iterable[tuple[int, bytes]], head: tuple[int, bytes, bytes]
) -> Verified:
    """The tree recomputed from the stored bytes, against checkpoints by size and the head (size, frontier, root)."""
    tree = Frontier()
    problems: list[str] = []
    marks = iter(checkpoints)
    mark = next(marks, None)
    for row in rows:
        problems += _row_problems(row, tree.size)
        tree.append(leaf_hash(row.body))
        while mark is not None and mark[0] <= tree.size:
            if mark[0] != tree.size or mark[1] != tree.root:
                problems.append(f"the checkpoint at {mark[0]} does not match the entries")
            mark = next(marks, None)
    if mark is not None:
        problems.append(f"the checkpoint at {mark[0]} lies beyond the {tree.size} entries")
    if head != (tree.size, tree.to_bytes(), tree.root):
        problems.append(f"the head speaks of {head[0]} entries and another root than the {tree.size} entries have")
    return Verified(tree.size, tree.root, tuple(problems))


def _row_problems(row: Stored, seq: int) -> Iterator[str]:
    if row.seq != seq:
        yield f"entry {row.seq} stands where {seq} should"
    if leaf_hash(row.body) != row.leaf:
        yield f"entry {row.seq} was changed after it was written"
    try:
        body = json.loads(row.body)
    except ValueError:
        yield f"entry {row.seq} is not JSON"
        return
    says = (
        body.get("seq"),
        body.get("id"),
        body.get("kind"),
        body.get("phase"),
        body.get("op", ""),
        body.get("effect", {}).get("key", ""),
        body.get("target", {}).get("service", ""),
    )
    if says != (row.seq, row.id, row.kind, row.phase, row.operation, row.effect, row.service):
        yield f"entry {row.seq} is filed under something it does not say"
    for each in row.disclosures:
        if body.get("pii", {}).get(each.field) != each.commitment:
            yield f"the clear text of {each.field} in entry {row.seq} is not what was committed to"
