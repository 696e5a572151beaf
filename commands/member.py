"""One of several that are promoted as one candidate: whose votes count for it, and is the set what it was?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from commands import fields, manifest
from commands.errors import Unavailable
from commands.gather import Gathered
from commands.operation import PART_OF, Operation
from commands.places import known, seen
from commands.plan import Plan
from commands.ports import World
from policy.document import ActivePolicy, Policy
from policy.evidence import CheckState
from policy.evidence import Manifest as Tested
from policy.facts import Question, Vote
from policy.model import Sha, Unknown, short
from policy.required import required

VERSION = r"v?\d+\.\d+\.\d+.*"
INPUT = "manifest_sha256"
"""What a run that tests a set says of itself: the set's hash."""


async def votes(operation: Operation, world: World) -> tuple[Vote, ...]:
    """Those on it; for one of a set those on the whole."""
    return await world.store.votes(str(operation.seen[PART_OF]) if operation.of_a_set else operation.id)


async def as_part(gathered: Gathered, operation: Operation, world: World, active: ActivePolicy) -> Gathered:
    """What was gathered for one of a set, with what is known of the set; who agreed to the whole agreed to each part of
    it, as long as that is the very part. Under another policy it is judged by that, and stays what it is."""
    whole, plan = await world.store.operation(str(operation.seen[PART_OF])), gathered.plan
    if whole is None or whole.plan is None or isinstance(plan, Unknown):
        return gathered
    the_same = [part for part in whole.plan.parts if part == replace(plan, policy_hash=part.policy_hash)]
    if not the_same:
        return gathered
    return of(
        replace(gathered, plan=the_same[0]),
        whole.plan,
        await tested(world, active, [operation.question], whole.plan.parts),
    )


async def broken(operation: Operation, world: World) -> str:
    """What of its set does not serve what it was pinned to, of all that should by now, one sentence; empty: nothing."""
    whole, policy = await world.store.operation(str(operation.seen[PART_OF])), world.policies.current().policy
    begun = True
    for part in () if whole is None or whole.plan is None else whole.plan.parts:
        begun = begun and part.service != operation.question.service
        if part.service == operation.question.service or not (begun or part.digest == part.from_digest):
            continue
        if part.service not in policy.services:
            return f"The policy knows no service {part.service} any more."
        serving = (await seen(world, policy, part.service, part.target)).serving
        if isinstance(serving, Unknown):
            raise Unavailable(f"{serving.why}.")
        if serving.digest != part.digest:
            return f"{part.service} serves {short(serving.digest)} by now, not {short(part.digest)}."
    return ""


def of(gathered: Gathered, whole: Plan, found: Tested | Unknown | None) -> Gathered:
    """The same: votes on the whole count, and the set is evidence."""
    facts = gathered.facts
    return replace(gathered, facts=replace(facts, plan=whole.hash, evidence=replace(facts.evidence, manifest=found)))


async def tested(
    world: World, active: ActivePolicy, questions: Sequence[Question], parts: Sequence[Plan]
) -> Tested | Unknown | None:
    """The set, which set the integration tests ran against last, and what breaks those that need it; None: no gate of
    these paths asks."""
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
    breaks = await _breaks(world, active.policy, parts)
    if isinstance(breaks, Unknown):
        return breaks
    ours = {part.service for part in parts}
    planned = any(part.fields.get(fields.PLANNED, "").strip() for part in parts)
    return Tested(
        pinned.hash,
        incomplete=manifest.lacking(parts),
        tested=against,
        unreleased=tuple(f"{name} {majors}" for name, majors in breaks.items() if name not in ours),
        uncoordinated=() if planned else tuple(f"{name} {majors}" for name, majors in breaks.items() if name in ours),
    )


async def _breaks(world: World, policy: Policy, parts: Sequence[Plan]) -> dict[str, str] | Unknown:
    """Services that some of these need and whose first number grows, with both: `1→2`. One that is no part of the set
    is looked at where the set comes from: what waits there is not released yet."""
    ours = {part.service: part for part in parts}
    needed = dict.fromkeys(name for part in parts for name in policy.manifest.depends_on.get(part.service, ()))
    found: dict[str, str] = {}
    for name in needed:
        repository = policy.services[name].repository
        if name in ours:
            commits: list[Sha | None] = [ours[name].from_commit, ours[name].commit]
        else:
            whole = parts[0]
            there = [await seen(world, policy, name, place) for place in (whole.target, whole.source or "")]
            commits = [one.commit for one in there]
        majors = [await _major(world, repository, name, commit) for commit in commits]
        before, after = majors
        if isinstance(before, Unknown) or isinstance(after, Unknown):
            return next(each for each in majors if isinstance(each, Unknown))
        if after > before:
            found[name] = f"{before}→{after}"
    return found


async def _major(world: World, repository: str, name: str, commit: Sha | None) -> int | Unknown:
    """The first number of its release tag."""
    if commit is None:
        return Unknown(f"the commit of {name} is not known, nor whether it breaks those that need it")
    tag = await known(f"the tags of {name}", world.code.tag(repository, commit, VERSION, None))
    if isinstance(tag, Unknown):
        return tag
    if tag is None:
        return Unknown(
            f"{name} at {short(commit)} bears no release tag that tells whether it breaks those that need it"
        )
    return int(tag.name.removeprefix("v").partition(".")[0])


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
