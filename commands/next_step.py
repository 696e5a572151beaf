"""May another step of traffic be opened now? What closed since the release began holds it where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from commands.operation import Operation
from commands.plan import Plan
from commands.ports import World
from policy.decide import decide_again
from policy.facts import Candidate, Facts
from policy.finding import BLOCKING, Decision, Finding, Standing
from policy.model import Unknown
from policy.rulebook import rules_for
from policy.rules.freeze import NO_FREEZE
from policy.rules.hold import NO_HOLD
from policy.rules.window import WINDOW

AGAIN = frozenset({WINDOW, NO_FREEZE, NO_HOLD})
"""Rules that are decided again before each step. What else had to be met was met by the very thing that is shipped."""


class NextStep(NamedTuple):
    """What those rules say of it."""

    decision: Decision
    gone: tuple[str, ...]
    """What let it begin, exceptions and the emergency by id, and does not let it go on any more."""


async def decided(operation: Operation, plan: Plan, world: World) -> NextStep:
    """What those rules say now, under what is in force now. What let it begin lets it go on only while it holds."""
    active, now = world.policies.current(), world.clock.now()
    began = operation.began_at or now
    freezes, facts = await world.store.freezes(now), await _facts(operation, plan, world, began)
    facts = replace(facts, freezes=freezes)
    rules = [rule for rule in rules_for(active.policy, operation.question) if rule.requires in AGAIN]

    def at_its_beginning() -> dict[str, Finding]:
        findings = decide_again(operation.question, facts, active, began, rules).findings
        return {finding.rule: finding for finding in findings}

    then = at_its_beginning()
    if NO_FREEZE in then and then[NO_FREEZE].standing is not Standing.WAIVED:  # people let it through to its end
        facts = replace(facts, freezes=tuple(freeze for freeze in freezes if freeze.starts_at > began))
        then = at_its_beginning()
    closed = [rule for rule in rules if rule.requires not in then or then[rule.requires].standing not in BLOCKING]
    decision = decide_again(operation.question, facts, active, now, closed)
    gone = dict.fromkeys(then[each.rule].by for each in decision.blockers if each.rule in then)
    return NextStep(decision, tuple(id for id in gone if id))


async def _facts(operation: Operation, plan: Plan, world: World, began: datetime) -> Facts:
    """Only what those rules look at, all from our own books: where they cannot be read, the step is tried again."""
    return Facts(
        asked_by=operation.asked_by,
        asked_at=operation.asked_at,
        plan=plan.hash,
        candidate=Candidate(plan.digest, plan.commit or Unknown("its commit is not known")),
        emergency=operation.emergency,
        confirmed=operation.confirmed,
        holds=await world.store.holds(operation.question.service),
        exceptions=tuple(
            replace(record, used=tuple(use for use in record.used if use != operation.id))  # it rests on it already
            for record in await world.store.exceptions(began)
        ),
    )
