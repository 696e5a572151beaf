"""What is going on? Status, freezes, why and log: they read, they change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from commands import bring, explain, member, owed, promote, relax, switched, tell, together, waived, watch
from commands.asking import Asking
from commands.consider import OPENS, gather_for
from commands.explain import texts
from commands.frozen import by_calendar, described, held, scope
from commands.intent import Log, PromoteSeveral, Status, Why
from commands.judged import judge
from commands.lacks import PORT
from commands.notice import KIND as DRIFT
from commands.notice import standing
from commands.operation import Operation, Phase
from commands.places import known, site_of
from commands.ports import Recorded, World
from commands.reply import Bold, Code, Line, Mark, Piece, Reply, Text, When
from commands.vote import find
from policy import duty
from policy.document import Policy
from policy.facts import Deed
from policy.model import Unknown, short


async def status(intent: Status, asking: Asking) -> Reply:
    """What serves where, what others changed there, what is under way, what is frozen or held."""
    world, policy = asking.world, asking.active.policy
    services = [intent.service] if intent.service else list(policy.services)
    ranked = sorted(policy.environments, key=lambda name: policy.environments[name].rank)
    places = [(service, environment) for service in services for environment in ranked]
    serving = await asyncio.gather(*(_serving(world, policy, service, environment) for service, environment in places))
    now = world.clock.now()
    asked = await world.store.open_operations()
    open_operations = [o for o in asked if not {*o.question.services}.isdisjoint(services)]
    declared = [f for f in await world.store.freezes(now) if f.service is None or f.service in services]
    freezes = [f for f in declared if f.holds(now)]
    holds = [hold for hold in await world.store.holds() if hold.place.service in services]
    lines = [Line(Mark.NOTE, line) for line in serving]
    watched = [each for each in await world.store.watched() if (each.place.service, each.place.environment) in places]
    lines += [Line(Mark.WARNING, standing(each)) for each in watched if each.changed]
    lines += [Line(Mark.NOTE, _under_way(operation, open_operations)) for operation in open_operations]
    timers = [one for one in await world.store.timers() if one.question.service in services]
    looks = [one for one in timers if one.question.deed is Deed.WATCH]
    lines += [switched.line(one) if switched.SWITCHED in one.seen else watch.line(one) for one in looks]
    lines += [bring.line(one) for one in timers if PORT in one.seen]
    lines += [relax.line(one) for one in timers if one.question.deed is Deed.RELAX]
    lines += [
        Line(
            Mark.NO,
            texts("❄ ", (Bold(scope(f)),), " frozen until ", (When(f.over_at),), f" by {f.owner}: {f.reason} ({f.id})"),
        )
        for f in freezes
    ]
    calendar = [line for line in by_calendar(policy, now) if line.mark is Mark.NO]
    lines += calendar
    lines += [Line(Mark.NO, held(hold)) for hold in holds]
    lines += [line for name in ranked for line in await _set(world, name, services)]
    about = intent.service or tell.count(len(services), "service")
    busy = f"{len(open_operations)} under way or waiting" if open_operations else "nothing under way"
    frozen = ", frozen" if freezes or calendar else ""
    return Reply(f"Status of {about}: {busy}{frozen}.", lines=tuple(lines))


async def _set(world: World, environment: str, services: Sequence[str]) -> tuple[Line, ...]:
    """The last set that any of these services went there with and that was verified as a whole."""
    for each in await world.store.manifests(environment):
        if each.verified_at is not None and not set(each.manifest.services).isdisjoint(services):
            says = f" ({each.manifest}) went to {environment} as one, and was well "
            return (Line(Mark.NOTE, texts((Code(each.manifest.id),), says, (When(each.verified_at),))),)
    return ()


async def _serving(world: World, policy: Policy, service: str, environment: str) -> Text:
    name: tuple[Piece, ...] = (Bold(f"{service} in {environment}"), ": ")
    site = site_of(policy, service, environment)
    if isinstance(site, Unknown):
        return (*name, "not deployed there")
    running = await known("it", world.runs.running(site))
    if isinstance(running, Unknown):
        return (*name, f"unknown: {running.why}")
    shares = [share for share in running.serving if share.percent]
    revisions = await asyncio.gather(*(known("it", world.runs.revision(site, share.revision)) for share in shares))
    parts = [
        f"{share.percent} % {share.revision}"
        + ("" if found is None or isinstance(found, Unknown) else f" ({short(found.digest)})")
        for share, found in zip(shares, revisions, strict=True)
    ]
    warning = "" if running.settled else ", being changed right now"
    trouble = f", not ready: {running.trouble}" if running.trouble else ""
    return (*name, f"{', '.join(parts) or 'nothing'}{warning}{trouble}")


def _under_way(operation: Operation, others: Sequence[Operation]) -> Text:
    """What it does or waits for, and how many asked for the same place before it."""
    line = [other for other in others if other.place == operation.place and other.question.deed is Deed.PROMOTE]
    number = line.index(operation) + 1 if operation in line else 1
    in_line = f", number {number} in line for {operation.place}" if number > 1 else ""
    opens = operation.seen.get(OPENS)
    when: Text = (", could begin ", When(datetime.fromisoformat(opens))) if opens and not operation.moving else ""
    held = tell.held_since(operation)
    for_what = "" if held is None else operation.seen[tell.HELD]["why"]
    since: Text = "" if held is None else (" since ", When(held), f": {for_what}")
    doing = f" {tell.title(operation)}: {tell.doing(operation)}"
    return texts((Code(operation.id),), doing, since, f", asked by {operation.asked_by.name}{in_line}", when)


async def freezes(asking: Asking) -> Reply:
    """Everything that is frozen, will be, or is held."""
    now = asking.world.clock.now()
    found, holds = await asking.world.store.freezes(now), await asking.world.store.holds()
    lines = [
        line
        for freeze in found
        for line in (Line(Mark.NO, f"{scope(freeze)}, by {freeze.owner}: {freeze.reason}"), *described(freeze))
    ]
    lines += [Line(Mark.NO, held(hold)) for hold in holds]
    lines += by_calendar(asking.active.policy, now)
    return Reply(
        f"I know of {tell.count(len(found), 'freeze')} and {tell.count(len(holds), 'hold')}."
        if lines
        else "Nothing is frozen or held.",
        lines=tuple(lines),
    )


async def exceptions(asking: Asking) -> Reply:
    """Everything that is waived or asked to be, and everything that is owed, overdue first."""
    store, now = asking.world.store, asking.world.clock.now()
    records, owes = await store.exceptions(now), owed.in_order(await store.obligations(), now)
    late = sum(1 for one in owes if duty.overdue(one, now))
    counted = f"I know of {tell.count(len(records), 'exception')} and {tell.count(len(owes), 'obligation')}"
    return Reply(
        f"{counted}{f', {late} of them overdue' if late else ''}." if records or owes else "Nothing is waived or owed.",
        lines=(*owed.lines(owes, now), *(waived.line(record, now) for record in records)),
        buttons=tuple(owed.done(one) for one in owes),
    )


async def why(intent: Why, asking: Asking) -> Reply:
    """Every rule for a promotion, met or not, and what would help."""
    world = asking.world
    now = world.clock.now()
    if intent.operation:
        operation = await find(intent.operation, asking)
        if operation.over or operation.moving or operation.phase is Phase.WATCHING:
            return Reply(
                tell.state(operation),
                lines=(*([Line(Mark.NOTE, operation.note)] if operation.note else []), *tell.progress(operation)),
            )
        if operation.is_a_set:
            return await together.why_waits(operation, asking)
        votes = await member.votes(operation, world)
        gathered = await gather_for(operation, world, asking.active, votes)
        judged = judge(operation.question, gathered, asking.active, now)
        title = f"{tell.title(operation)}: {explain.verdict(judged.decision)}."
        return Reply(title, lines=(*explain.findings(judged.decision, whole=True), *tell.emergency(judged)))
    asked = intent.promote
    if asked is None:
        return Reply("Say which promotion: `why checkout stage→prod`.")
    if isinstance(asked, PromoteSeveral):
        return await together.why(asked, asking)
    judged = await promote.look(promote.asked(asked, asking), asking)
    plan = judged.gathered.plan
    no = explain.unsaid(plan.why, judged.decision) if isinstance(plan, Unknown) else ""
    return Reply(
        f"{asked.service} {asked.source}→{asked.target}: {explain.verdict(judged.decision)}.",
        lines=(
            *explain.findings(judged.decision, whole=True),
            *tell.emergency(judged),
            *([Line(Mark.NO, no)] if no else []),
            *tell.changes(judged.gathered.comparison, judged.facts.evidence.changes),
        ),
    )


async def log(intent: Log, asking: Asking) -> Reply:
    """Who did what, newest first."""
    history = await asking.world.store.history(intent.service, intent.limit)
    lines = tuple(Line(Mark.NOTE, _told(row)) for row in history)
    return Reply(
        f"The last {len(lines)} entries about {intent.service}."
        if lines
        else f"Nothing is recorded about {intent.service}.",
        lines=lines,
    )


def _told(row: Recorded) -> Text:
    """`#41 Tue 24 Nov 09:30 maya: operation asked op_… 3f2a91cc → prod (reason)`."""
    about = [row.operation] if row.operation else []
    if digest := row.target.get("digest"):
        about.append(short(digest))
    if environment := row.target.get("environment"):
        about.append(f"→ {environment}")
    about += [row.target[key] for key in ("manifest", "freeze", "hold") if key in row.target]
    about += [f"({', '.join(row.detail['changed'])})"] if row.kind == DRIFT else []
    if reason := row.private.get("reason"):
        about.append(f"“{reason}”")
    return texts(
        f"#{row.seq} ", (When(row.at),), f" {row.actor_name}: {row.kind} {row.what} {' '.join(about)}".rstrip()
    )
