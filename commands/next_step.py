"""May another step of traffic be opened now? What closed since the release began holds it where it is."""

from __future__ import annotations

from datetime import datetime

from commands.operation import Operation
from commands.plan import Plan
from commands.ports import World
from policy.decide import decide_again
from policy.facts import Candidate, Facts, Freeze
from policy.finding import Decision
from policy.model import Unknown
from policy.rulebook import rules_for
from policy.rules.freeze import NO_FREEZE
from policy.rules.hold import NO_HOLD
from policy.rules.window import WINDOW

AGAIN = frozenset({WINDOW, NO_FREEZE, NO_HOLD})
"""Rules that are decided again before each step. What else had to be met was met by the very thing that is shipped."""


async def decided(operation: Operation, plan: Plan, world: World) -> Decision:
    """What those rules say now; what was let through when it began is let through until its end."""
    active, now = world.policies.current(), world.clock.now()
    began = operation.began_at or now
    facts = await _facts(operation, plan, world, began)
    rules = [rule for rule in rules_for(active.policy, operation.question) if rule.requires in AGAIN]
    then = {finding.rule for finding in decide_again(operation.question, facts, active, began, rules).blockers}
    closed = [rule for rule in rules if rule.requires not in then]
    return decide_again(operation.question, facts, active, now, closed)


async def _facts(operation: Operation, plan: Plan, world: World, began: datetime) -> Facts:
    """Only what those rules look at, all from our own books: where they cannot be read, the step is tried again."""
    now = world.clock.now()
    return Facts(
        asked_by=operation.asked_by,
        asked_at=operation.asked_at,
        plan=plan.hash,
        candidate=Candidate(plan.digest, plan.commit or Unknown("its commit is not known")),
        emergency=operation.emergency,
        confirmed=operation.confirmed,
        freezes=await _begun_since(world, now, began),
        holds=await world.store.holds(operation.question.service),
        exceptions=await world.store.exceptions(now),
    )


async def _begun_since(world: World, now: datetime, began: datetime) -> tuple[Freeze, ...]:
    return tuple(freeze for freeze in await world.store.freezes(now) if freeze.starts_at > began)
