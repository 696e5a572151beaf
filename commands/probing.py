"""Does what serves an environment answer as a path asks? Probed while a request waits, and kept for every look.

Nobody makes the bot send anything by asking why: only a request that waits sends, once for what serves there. Another
revision, other probes and an answer that is too old are probed again; what failed, when somebody says to check again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final

from commands.operation import Operation
from commands.places import Seen, known, seen, site_of
from commands.plan import PlannedProbe
from commands.ports import Entry, EntryPhase, Message, Probed, Shown, World, Writes
from commands.reply import Mark, Reply
from policy import evidence
from policy.age import stale
from policy.case import Case
from policy.document import Policy, Probe
from policy.finding import Decision, Standing
from policy.model import Digest, Place, Unknown, short
from policy.required import required

PROBING: Final = "probing"
"""Key in what was seen: what is about to be sent, and what came of it where nothing could be."""
WITHIN: Final = timedelta(seconds=60)
"""So long one set may take in all: a network that stalls holds nobody up for longer."""
PUT_OFF: Final = timedelta(seconds=30)
"""Until it is tried again where nothing could be sent."""
ENTRIES: Final = 200
"""So far back in the ledger somebody's word to check again is looked for."""
SETTLED: Final = frozenset({Standing.MET, Standing.NOT_APPLICABLE})
AT_ONCE: Final = timedelta(0)


def planned_probes(probes: Sequence[Probe]) -> tuple[PlannedProbe, ...]:
    """As they will be asked."""
    return tuple(
        PlannedProbe(
            probe.method,
            probe.path,
            probe.expect,
            probe.repeat,
            probe.within.total_seconds(),
            probe.body,
            probe.content_type,
        )
        for probe in probes
    )


def kind(name: str) -> str:
    """What the answers to a set are kept under."""
    return f"probes:{name}"


def mark(planned: Iterable[PlannedProbe]) -> str:
    """The same for the same questions."""
    return hashlib.sha256(json.dumps([asdict(probe) for probe in planned], sort_keys=True).encode()).hexdigest()


# What is known --------------------------------------------------------------------------------------------------------


async def probed(
    world: World, policy: Policy, service: str, gates: Mapping[str, Any], at: Mapping[str, Seen]
) -> Mapping[str, evidence.Probed] | Unknown:
    """By `set@environment`, what came back from the very revision that serves there now; nothing is sent."""
    rows = await known("what was probed before", world.store.shown(service))
    if isinstance(rows, Unknown):
        return rows
    found: dict[str, evidence.Probed] = {}
    for gate in gates.values():
        if gate.kind != "probe":
            continue
        serves = at[gate.environment].at
        if isinstance(serves, Unknown):
            return serves
        asked = mark(planned_probes(policy.probes.get(gate.probes, ())))
        for row in rows:
            same_place = (row.place.environment, row.what) == (gate.environment, kind(gate.probes))
            if same_place and (row.revision, row.asked) == (serves.revision.name, asked):
                failed, total = tuple(row.found["failed"]), row.found["total"]
                found[f"{gate.probes}@{gate.environment}"] = evidence.Probed(failed, total, row.at, row.digest)
    return found


# What is sent ---------------------------------------------------------------------------------------------------------


async def about_to_send(operation: Operation, decided: Sequence[tuple[Case, Decision]], world: World) -> Operation:
    """The operation, about to send the sets of probes whose answers are missing; as it was, where none are."""
    before, now = operation.seen.get(PROBING, {}), world.clock.now()
    if before.get("not_before") and now < datetime.fromisoformat(before["not_before"]):
        return operation
    missing = [one for case, decision in decided for one in _missing(case, decision)]
    if not missing:
        return operation
    resumed = await _resumed(operation, world)
    again = resumed > before.get("resumed", 0)
    sends = [what for what, failed_at in missing if failed_at is None or again or failed_at < operation.asked_at]
    if not sends:
        return operation
    sending = {"sends": sends, "resumed": resumed, "why": before.get("why", "")}
    return replace(operation, seen={**operation.seen, PROBING: sending})


def wanted(case: Case, decision: Decision) -> bool:
    """Whether answers are missing that a request would have sent for."""
    return bool(_missing(case, decision))


def _missing(case: Case, decision: Decision) -> list[tuple[list[str], datetime | None]]:
    """Service, environment, set and digest of what has no good answer that counts; and when what counts failed."""
    question, candidate, known_now = case.question, case.facts.candidate, case.facts.evidence.probes
    if isinstance(candidate, Unknown) or isinstance(known_now, Unknown):
        return []
    standing = {finding.rule: finding.standing for finding in decision.findings}
    found: list[tuple[list[str], datetime | None]] = []
    for name, gate in required(case.policy, question).gates.items():
        if gate.kind != "probe" or standing.get(name, Standing.MET) in SETTLED:
            continue
        row = known_now.get(f"{gate.probes}@{gate.environment}")
        counts = row is not None and not stale(row.at, gate, case)
        if row is not None and counts and not row.failed:  # it passed on something else: that stands in the finding
            continue
        what = [question.service, gate.environment, gate.probes, candidate.digest]
        found.append((what, row.at if row is not None and counts else None))
    return found


async def _resumed(operation: Operation, world: World) -> int:
    """Where in the ledger somebody last said to look at it again; 0: nobody did."""
    rows = await world.store.history(operation.question.service, ENTRIES)
    return max((row.seq for row in rows if row.operation == operation.id and row.what == "resume"), default=0)


def is_about_to_send(operation: Operation) -> bool:
    return bool(operation.seen.get(PROBING, {}).get("sends"))


async def send(operation: Operation, world: World) -> Writes:
    """The next set was sent and what came back is kept, or why it could not be; then everything is decided again."""
    sending = operation.seen[PROBING]
    (service, environment, name, digest), *rest = sending["sends"]
    shown = await _sent(world, Place(service, environment), name, Digest(digest))
    if isinstance(shown, Unknown):
        why = f"The {name} probes were not sent to {environment}: {shown.why}."
        not_before = (world.clock.now() + PUT_OFF).isoformat()
        put_off = {**sending, "sends": [], "not_before": not_before, "why": why}
        told = () if sending["why"] == why else (Message(operation.channel, Reply(why), operation=operation.id),)
        return Writes(operation=_with(operation, put_off), messages=told, due=AT_ONCE)
    entry = Entry.of(
        operation,
        "operation",
        EntryPhase.OBSERVATION,
        "probed",
        also={"service": service, "revision": shown.revision, "digest": shown.digest},
        detail={"environment": environment, "probes": name, "commit": shown.commit or "", **shown.found},
    )
    return Writes(
        operation=_with(operation, {**sending, "sends": rest, "why": ""}),
        entries=(entry,),
        messages=(Message(operation.channel, Reply(_told(shown, name)), operation=operation.id),),
        shown=(shown,),
        due=AT_ONCE,
    )


def _with(operation: Operation, sending: Mapping[str, Any]) -> Operation:
    return replace(operation, seen={**operation.seen, PROBING: dict(sending)})


async def _sent(world: World, place: Place, name: str, digest: Digest) -> Shown | Unknown:
    """What the environment answered while it served exactly that, from the first request to the last."""
    policy = world.policies.current().policy
    site = site_of(policy, place.service, place.environment)
    if isinstance(site, Unknown):
        return site
    looked = await seen(world, policy, place.service, place.environment)
    if isinstance(looked.at, Unknown):
        return looked.at
    running, revision = looked.at.running, looked.at.revision
    if running.whole != revision.name:
        return Unknown("its traffic is split")
    if revision.digest != digest:
        return Unknown(f"it serves {short(revision.digest)}, not {short(digest)}")
    if not running.address:
        return Unknown("its address is not known")
    planned, asked = planned_probes(policy.probes.get(name, ())), list[tuple[PlannedProbe, Probed]]()
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            for probe in planned:
                asked.append((probe, await world.probes.probe(running.address, probe)))
    except TimeoutError:
        late = Probed(ok=False, saw=(0,), slowest_ms=0)
        asked += [(probe, late) for probe in planned[len(asked) :]]
    after = await known(f"what {place.environment} serves", world.runs.running(site))
    if isinstance(after, Unknown):
        return after
    if after.whole != revision.name:
        return Unknown("what it serves was changed meanwhile")
    commit = looked.built_from()
    return Shown(
        place,
        kind(name),
        revision.name,
        digest,
        None if isinstance(commit, Unknown) else commit,
        world.clock.now(),
        mark(planned),
        {
            "failed": [_failure(probe, came) for probe, came in asked if not came.ok],
            "total": len(asked),
            "answers": [_answer(probe, came) for probe, came in asked],
        },
    )


def _answer(probe: PlannedProbe, came: Probed) -> dict[str, Any]:
    """Statuses and how long they took; of what was said, nothing is kept."""
    return {"probe": f"{probe.method} {probe.path}", "saw": list(came.saw), "slowest_ms": round(came.slowest_ms)}


def _failure(probe: PlannedProbe, came: Probed) -> str:
    """`/db/health 503 instead of 200`."""
    wrong = dict.fromkeys(status for status in came.saw if status not in probe.expect)
    said = ", ".join(str(status) if status else "no answer" for status in wrong) or "no answer in time"
    return f"{probe.path} {said} instead of {' or '.join(map(str, probe.expect))}"


def _told(shown: Shown, name: str) -> str:
    """What came back, for the thread."""
    failed, total = shown.found["failed"], shown.found["total"]
    where = f"{shown.place.service} in {shown.place.environment} ({short(shown.digest)})"
    if failed:
        says = f"{len(failed)} of {total} {name} probes failed: {'; '.join(failed)}"
        return f"{Mark.NO.value} {where}: {says}. Check again sends them once more."
    return f"{Mark.YES.value} {where}: {total} of {total} {name} probes passed: {answers(shown)}."


def answers(shown: Shown) -> str:
    """`GET /health 200, POST /api/chat 200 429 ×15`."""
    said = []
    for one in shown.found["answers"]:
        times = f" ×{len(one['saw'])}" if len(one["saw"]) > 1 else ""
        said.append(f"{one['probe']} {' '.join(map(str, dict.fromkeys(one['saw'])))}{times}")
    return ", ".join(said)
