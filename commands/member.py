"""One of several that are promoted as one candidate: whose votes count for it, and is the set what it was?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from commands import manifest
from commands.gather import Gathered
from commands.operation import PART_OF, Operation
from commands.places import known
from commands.plan import Plan
from commands.ports import World
from policy.document import ActivePolicy
from policy.evidence import CheckState
from policy.evidence import Manifest as Tested
from policy.facts import Question, Vote
from policy.model import Unknown
from policy.required import required

INPUT = "manifest_sha256"
"""What a run that tests a set says of itself: the set's hash."""


async def votes(operation: Operation, world: World) -> tuple[Vote, ...]:
    """Those on it; for one of a set those on the whole."""
    return await world.store.votes(str(operation.seen[PART_OF]) if operation.of_a_set else operation.id)


async def as_part(gathered: Gathered, operation: Operation, world: World, active: ActivePolicy) -> Gathered:
    """What was gathered for one of a set, with what is known of the set; who agreed to the whole agreed to each part of
    it, as long as that is the very part."""
    whole = await world.store.operation(str(operation.seen[PART_OF]))
    if whole is None or whole.plan is None or gathered.plan not in whole.plan.parts:
        return gathered
    return of(gathered, whole.plan, await tested(world, active, [operation.question], whole.plan.parts))


def of(gathered: Gathered, whole: Plan, found: Tested | Unknown | None) -> Gathered:
    """The same: votes on the whole count, and the set is evidence."""
    facts = gathered.facts
    return replace(gathered, facts=replace(facts, plan=whole.hash, evidence=replace(facts.evidence, manifest=found)))


async def tested(
    world: World, active: ActivePolicy, questions: Sequence[Question], parts: Sequence[Plan]
) -> Tested | Unknown | None:
    """The set, and which set the integration tests ran against last; None: no gate of these paths asks."""
    policy = active.policy
    gates: list[Any] = [gate for question in questions for gate in required(policy, question).gates.values()]
    files = dict.fromkeys(gate.workflow for gate in gates if gate.kind == "manifest")
    pinned = manifest.of(parts)
    if not files:
        return None
    runs = await asyncio.gather(
        *(
            known(f"the runs of {file}", world.code.workflow(one.repository, file, one.commit))
            for file in files
            for one in pinned.pinned
        )
    )
    done = [run for run in runs if run is not None and not isinstance(run, Unknown)]
    passed = [run.inputs.get(INPUT, "") for run in done if run.state is CheckState.PASSED]
    if pinned.hash not in passed and (unread := next((run for run in runs if isinstance(run, Unknown)), None)):
        return unread
    against = pinned.hash if pinned.hash in passed else next(filter(None, passed), "")
    return Tested(pinned.hash, incomplete=manifest.lacking(parts), tested=against)


def changed(old: Plan, new: Plan) -> str:
    """Which of a set are not what they were, and what of them: `payments (digest, commit)`."""
    before = {part.service: part for part in old.parts}
    said = []
    for part in new.parts:
        was = before.get(part.service)
        if was is None or replace(was, manifest=part.manifest) != part:
            said.append(f"{part.service} ({'is new' if was is None else difference(was, part)})")
    return ", ".join(filter(None, said)) or difference(old, new)


def difference(old: Plan, new: Plan) -> str:
    """Which parts of a plan differ, by name."""
    before, after = old.to_dict(), new.to_dict()
    what = [name for name in before if before[name] != after[name]]
    only = [name for name in what if name not in {"manifest", "parts"}]
    return ", ".join(name.replace("_", " ") for name in only or what)
