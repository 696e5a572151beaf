"""What went wrong? Counted from what the worlds took and what the books say, with none of the bot's own code.

A clean run has nothing in any of these lists. What the worlds took is the truth; the books may only claim what is true,
and must not forget anything that people were told was taken.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import pairwise
from typing import Any

from bot.sandbox.google.engine import Write
from tests.chaos.books import Json, Kept
from tests.chaos.town import Answered, site

Shares = tuple[tuple[str, int], ...]
EFFECTS = frozenset({"deploy", "traffic"})
"""Kinds of entries that stand for a write to Cloud Run."""
ENDED = frozenset({"done", "rolled back", "failed", "cancelled", "expired", "rejected", "uncertain"})


@dataclass(frozen=True)
class Evidence:
    """All that there is to judge by."""

    entries: Sequence[Json]
    operations: Sequence[Kept]
    asked: Sequence[tuple[str, str, bool]]
    """(account, words, answered) of each request in the books."""
    unsent: Sequence[tuple[str, str]]
    """(channel, operation) of what was promised to be said and was not."""
    locks: Sequence[str]
    """Operations that still have a place to themselves."""
    writes: Sequence[Write]
    answered: Mapping[tuple[str, str], Sequence[Answered]]
    serving: Mapping[str, Mapping[str, int]]
    """Site → revision → per cent in effect."""
    deployments: Sequence[Json]
    """GitHub's, each with `payload` and `statuses`."""
    acknowledged: Mapping[tuple[str, str], int]
    """How often people were told that these words of theirs were taken, or were not told otherwise at once."""
    apologies: Mapping[str, int] = field(default_factory=dict)
    """How often each account was told that its words were not taken: of a click it hears that beside the answer."""


@dataclass
class Violations:
    """By kind, one line each."""

    lost: list[str] = field(default_factory=list)
    """Words that were acknowledged and do not stand in the books, or got no answer; operations without an end."""
    repeated: list[str] = field(default_factory=list)
    """Effects that took place twice, or in another order than was planned."""
    stale: list[str] = field(default_factory=list)
    """Writes that the world took from somebody whom a newer one had replaced, or after the end."""
    unintended: list[str] = field(default_factory=list)
    """Writes without an earlier intent."""
    unsettled: list[str] = field(default_factory=list)
    """Intents without exactly one outcome."""
    untrue: list[str] = field(default_factory=list)
    """Outcomes and ends that the world knows nothing of."""
    misled: list[str] = field(default_factory=list)
    """Users who were answered by a revision that had been rolled back."""
    unsaid: list[str] = field(default_factory=list)
    """Messages that were never sent, and places that nobody can have any more."""

    @property
    def count(self) -> int:
        return sum(len(getattr(self, each.name)) for each in fields(self))


TITLES = {
    "lost": "lost operations and words",
    "repeated": "repeated or disordered effects",
    "stale": "stale effects accepted by the world",
    "unintended": "effects without an earlier intent",
    "unsettled": "intents not settled",
    "untrue": "claims of what did not happen",
    "misled": "users on a rolled-back revision",
    "unsaid": "promises not kept: unsent words, places not given back",
}


def judge(seen: Evidence) -> Violations:
    """Everything that went wrong."""
    found = Violations()
    writes: dict[str, list[Write]] = defaultdict(list)
    for write in seen.writes:
        if write.accepted and write.operation:
            writes[write.operation].append(write)
    intents, outcomes = _effects(seen.entries, "intent"), _effects(seen.entries, "outcome")
    ends = _ends(seen.entries)
    _nothing_lost(seen, found)
    _nothing_stale(seen, ends, found)
    for one in seen.operations:
        _in_order(one, writes[one.id], intents[one.id], found)
        _intended(one, writes[one.id], intents[one.id], found)
        _settled(one, intents[one.id], outcomes[one.id], found)
        _happened(one, writes[one.id], intents[one.id], outcomes[one.id], found)
    strangers = writes.keys() - {one.id for one in seen.operations}
    found.unintended += [f"{one}: it is not in the books" for one in strangers if writes[one]]
    _github(seen, intents, found)
    _users(seen, ends, found)
    return found


# The books ----------------------------------------------------------------------------------------------------------


def _effects(entries: Iterable[Json], phase: str) -> dict[str, list[Json]]:
    """By operation; without an effect an intent is the whole operation's: that it began."""
    found: dict[str, list[Json]] = defaultdict(list)
    for one in entries:
        if one["phase"] == phase and "effect" in one:
            found[one["op"]].append(one)
    return found


def _ends(entries: Iterable[Json]) -> dict[str, datetime]:
    """When each operation ended."""
    return {
        one["op"]: _instant(one)
        for one in entries
        if one["kind"] == "operation" and one["phase"] == "record" and one["what"] in ENDED and one.get("op")
    }


def _instant(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["time"])


def _nothing_lost(seen: Evidence, found: Violations) -> None:
    taken = Counter((account, words) for account, words, _ in seen.asked)
    apologies = Counter(seen.apologies)
    for (account, words), times in seen.acknowledged.items():
        if any(known[0] == account and known[1].startswith(words) for known in taken):
            continue
        apologies[account] -= 1
        if apologies[account] < 0:
            found.lost.append(f"{account} was told {times} times that “{words}” was taken")
    found.lost += [f"nobody answered {account}: {words}" for account, words, answered in seen.asked if not answered]
    found.lost += [f"{one.id} is still {one.phase}{_stands(one)}" for one in seen.operations if not one.over]
    found.unsaid += [f"something for {channel} about {operation or 'nothing'}" for channel, operation in seen.unsent]
    found.unsaid += [f"{one} still has its place" for one in seen.locks]


def _stands(one: Kept) -> str:
    """What it is, and what the books say of why it waits."""
    known = one.data.get("seen", {})
    unmet = [f"{rule} {standing}" for rule, standing in known.get("decided", ()) if standing in {"unmet", "unknown"}]
    says = (f"{one.kind} {one.service}", one.data.get("note"), known.get("waits"), ", ".join(unmet))
    return "".join(f"; {each}" for each in says if each)


# Cloud Run ----------------------------------------------------------------------------------------------------------


def _shares(write: Write) -> Shares:
    return _merged((revision, percent) for revision, percent, _ in write.traffic)


def _merged(pairs: Iterable[tuple[str, int]]) -> Shares:
    """Without what has no traffic, in order of revisions."""
    merged: Counter[str] = Counter()
    for revision, percent in pairs:
        merged[revision] += percent
    return tuple(sorted((revision, percent) for revision, percent in merged.items() if percent))


def _means(intent: Json) -> Shares:
    return _merged((each["revision"], each["percent"]) for each in intent.get("detail", {}).get("shares", ()))


def _nothing_stale(seen: Evidence, ends: Mapping[str, datetime], found: Violations) -> None:
    newest: dict[str, Write] = {}
    for write in seen.writes:
        if not write.accepted or not write.operation:
            continue
        before = newest.get(write.site)
        told = f"{write.operation} wrote {_shares(write)} to {write.site} with fence {write.fence} at {write.at}"
        if before is not None and write.fence < before.fence:
            found.stale.append(f"{told}, after {before.operation} with {before.fence}")
        elif write.operation in ends and write.at > ends[write.operation]:
            found.stale.append(f"{told}, {write.at - ends[write.operation]} after its end")
        if before is None or write.fence >= before.fence:
            newest[write.site] = write


def _in_order(one: Kept, writes: Sequence[Write], intents: Sequence[Json], found: Violations) -> None:
    """Shares of the candidate rise step by step; once they are back at nothing, they stay there."""
    new = Counter(write.new_revision for write in writes if write.new_revision)
    found.repeated += [f"{one.id} made {name} {times} times" for name, times in new.items() if times > 1]
    states: list[Shares] = []
    for write in writes:
        if not states or states[-1] != _shares(write):
            states.append(_shares(write))
    candidate = one.plan.get("revision", "")
    percents = [dict(state).get(candidate, 0) for state in states]
    way_there = percents[:-1] if len(percents) > 1 and percents[-1] == 0 else percents
    if any(later <= earlier for earlier, later in pairwise(way_there)):
        # The way back may be put right more than once, where a late write had undone it; each time is intended anew.
        keys = {each["effect"]["key"] for each in intents}
        if not any(key.rpartition(":")[2].isdigit() and key.count(":") > 2 for key in keys):
            found.repeated.append(f"{one.id} ({one.kind}, {one.phase}) gave {candidate} {percents} %")


def _intended(one: Kept, writes: Sequence[Write], intents: Sequence[Json], found: Violations) -> None:
    for write in writes:
        earlier = (
            each
            for each in intents
            if each["kind"] in EFFECTS and _means(each) == _shares(write) and _instant(each) <= write.at
        )
        if next(earlier, None) is None:
            found.unintended.append(f"{one.id} wrote {_shares(write)} at {write.at}")


def _settled(one: Kept, intents: Sequence[Json], outcomes: Sequence[Json], found: Violations) -> None:
    begun = Counter(each["effect"]["key"] for each in intents)
    known = Counter(each["effect"]["key"] for each in outcomes)
    for key in begun | known:
        if begun[key] != known[key]:
            found.unsettled.append(f"{one.id} ({one.phase}), {key}: {begun[key]} intents, {known[key]} outcomes")


def _happened(
    one: Kept, writes: Sequence[Write], intents: Sequence[Json], outcomes: Sequence[Json], found: Violations
) -> None:
    means = {each["effect"]["key"]: _means(each) for each in intents}
    for each in outcomes:
        if each["what"] != "confirmed" or each["kind"] not in EFFECTS:
            continue
        meant = means.get(each["effect"]["key"])
        if not any(_shares(write) == meant and write.at <= _instant(each) for write in writes):
            found.untrue.append(f"{one.id} claims {each['effect']['key']}, {meant}, at {each['time']}")
    if one.phase == "done" and (not writes or _shares(writes[-1]) != ((one.plan["revision"], 100),)):
        last = _shares(writes[-1]) if writes else "nothing"
        found.untrue.append(f"{one.id} says done with {one.plan['revision']}, and its last write was {last}")


def _users(seen: Evidence, ends: Mapping[str, datetime], found: Violations) -> None:
    """Nobody is answered by what was left, and in the end everybody by what the last operation promised."""
    promised: dict[str, tuple[datetime, str, str]] = {}
    for one in seen.operations:
        if not one.plan or one.id not in ends or not one.data.get("began_at"):
            continue
        there, end = site(one.service), ends[one.id]
        if one.kind == "rollback":
            left, serves = one.plan["from_revision"], one.plan["revision"] if one.phase == "done" else ""
        else:
            left = one.plan["revision"] if one.phase in {"rolled back", "failed"} else ""
            serves = {"done": one.plan["revision"], "rolled back": one.plan["from_revision"]}.get(one.phase, "")
        if one.phase in {"done", "rolled back", "failed"} and left and (one.kind == "promote" or one.phase == "done"):
            late = [stretch for stretch in seen.answered.get((there, left), ()) if stretch.last > end]
            if late:
                span = max(stretch.last for stretch in late) - end
                users = sum(stretch.requests for stretch in late if stretch.first > end)
                found.misled.append(f"{left} answered until {span} after {one.id} ended: {users or 'some'} requests")
        if serves and (there not in promised or promised[there][0] < end):
            promised[there] = (end, serves, one.id)
        elif not serves and one.phase != "cancelled":
            promised.pop(there, None)
    for there, (_, revision, operation) in promised.items():
        if seen.serving[there] != {revision: 100}:
            found.misled.append(f"{there} serves {dict(seen.serving[there])}, and {operation} promised {revision}")


# GitHub -------------------------------------------------------------------------------------------------------------


def _github(seen: Evidence, intents: Mapping[str, Sequence[Json]], found: Violations) -> None:
    recorded: Counter[str] = Counter()
    for made in seen.deployments:
        payload: Any = made["payload"]
        payload = payload if isinstance(payload, dict) else json.loads(payload or "{}")
        operation = str(payload.get("operation", ""))
        if not operation.startswith("op_"):
            continue
        recorded[operation] += 1
        if not any(each["kind"] == "deployment" for each in intents.get(operation, ())):
            found.unintended.append(f"{operation}: GitHub deployment {made['id']}")
        states = Counter(status["state"] for status in made["statuses"])
        found.repeated += [
            f"{operation}: GitHub deployment {made['id']} became {state} {times} times"
            for state, times in states.items()
            if times > 1
        ]
    found.repeated += [f"{one}: {times} GitHub deployments" for one, times in recorded.items() if times > 1]
