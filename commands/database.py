"""What did releases declare that they do to the database, and may what served before serve again?"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from commands.operation import Operation, Phase, Step, Wish
from commands.ports import Site, World
from policy.document import Policy
from policy.evidence import Database, Evidence
from policy.facts import Deed, KnownGood, Shipped
from policy.model import Unknown
from policy.rules.goes_back import forward_only

WANTED_BACK = frozenset({Wish.ABORT, Wish.CANCEL, Wish.YIELD})
"""Somebody who may wants its traffic back, and answers for it."""


def said(policy: Policy, fields: Mapping[str, str]) -> str:
    """What whoever promotes says of it, as the policy spells it."""
    return fields.get(policy.rollback.database.said, "").strip().casefold()


def as_said(policy: Policy, fields: Mapping[str, str], found: Evidence) -> Evidence:
    """With what whoever promotes says of it, where nothing else tells."""
    word = said(policy, fields)
    return replace(found, database=Database(word)) if word and isinstance(found.database, Unknown) else found


def declared(policy: Policy, fields: Mapping[str, str], found: Evidence) -> str:
    """Said by whoever promotes, or found; empty: nobody declared anything."""
    return said(policy, fields) or ("" if isinstance(found.database, Unknown) else found.database.declared)


def asks_people(operation: Operation, policy: Policy) -> bool:
    """Whether its traffic does not go back by itself: some has moved, and what served before works no more."""
    plan, moment = operation.plan, operation.moment
    if plan is None or plan.deed != Deed.PROMOTE or operation.phase is not Phase.RUNNING:
        return False
    began = moment.index > 0 or moment.step is Step.JUDGE or operation.effect is not None
    moved = moment.step in {Step.SHIFT, Step.JUDGE} and began
    return moved and forward_only(policy, plan.database)


async def goes_over(world: World, good: Iterable[KnownGood], target: KnownGood, *others: str) -> tuple[Shipped, ...]:
    """Releases since that one was verified, as far as they declared something; `others`: ids of what is being left."""
    good = tuple(good)
    verified = {entry.revision for entry in good}
    ids = {*others, *(entry.source.rpartition(" ")[2] for entry in good if entry.verified_at > target.verified_at)}
    found: dict[str, Operation] = {}
    while ids := {id for id in ids if id.startswith("op_") and id not in found}:
        new = [each for each in await asyncio.gather(*map(world.store.operation, ids)) if each is not None]
        found |= {operation.id: operation for operation in new}
        ids = set(await asyncio.gather(*(_left_before(world, operation, verified) for operation in new)))
    shipped = (_shipped(operation) for operation in found.values())
    return tuple(sorted((each for each in shipped if each is not None), key=lambda each: each.at, reverse=True))


async def _left_before(world: World, operation: Operation, verified: Collection[str]) -> str:
    """The id of the release that it took the place of, where nobody had verified that one; or empty."""
    plan = operation.plan
    if plan is None or plan.deed != Deed.PROMOTE or plan.from_revision in verified:
        return ""
    before = await world.runs.revision(Site(plan.site), plan.from_revision)
    return "" if before is None else before.operation


def _shipped(operation: Operation) -> Shipped | None:
    plan = operation.plan
    if plan is None or plan.deed != Deed.PROMOTE or not plan.database:
        return None
    at, finished = operation.began_at or operation.asked_at, operation.phase is Phase.DONE
    return Shipped(plan.digest, plan.database, operation.asked_by.name, at, finished)
