"""What is known right now? Facts and the plan that follows from them, read from the world side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from commands import branch_plan, database, way_back
from commands.evidence import UNSEEN, YET, authors, evidence, places, reviewers
from commands.operation import Operation
from commands.places import Seen, known, seen, site_of
from commands.plan import Plan, PlannedBranch, PlannedHealth, PlannedStep, PlannedTrigger
from commands.ports import Comparison, Running, Site, World
from commands.probing import planned_probes
from policy.document import ActivePolicy, Model, Path, Policy, Rollout, Step
from policy.facts import Candidate, EmergencyRecord, Facts, KnownGood, Question, Serving, Vote
from policy.model import Digest, Person, Sha, Unknown, short
from policy.required import required

TRIGGER = "trigger"
"""Key in what an operation has seen: the trigger that asked for it."""
LEAVES = "leaves"
"""The same: the revision that this trigger spoke of, and so the one to be taken back."""
ATTEMPTS = 9
"""So many revisions of one digest may have failed to come up before a new one takes the last name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, as far as the facts turn on it."""

    question: Question
    by: Person
    at: datetime
    expires_at: datetime
    version: str = ""
    """The candidate that was named; empty: what the source environment serves."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What was said for it, its reason too."""
    confirmed: frozenset[str] = frozenset()
    emergency: EmergencyRecord | None = None
    votes: tuple[Vote, ...] = ()
    trigger: str = ""
    """The policy's trigger that asks by itself; empty: somebody asks."""
    leaves: str = ""
    """The revision that the trigger spoke of; empty: the newcomer."""
    manifest: str = ""
    """Hash of the set that it is part of, hex; empty: it goes alone."""


def asked(operation: Operation, by: Person, votes: tuple[Vote, ...] = ()) -> Asked:
    """What the operation was asked for. Who asked may have lost roles since, so `by` is them as they are now."""
    return Asked(
        operation.question,
        by,
        operation.asked_at,
        operation.expires_at,
        operation.version,
        said(operation.fields, operation.reason),
        operation.confirmed,
        operation.emergency,
        votes,
        operation.seen.get(TRIGGER, ""),
        operation.seen.get(LEAVES, ""),
        "" if operation.plan is None else operation.plan.manifest,
    )


def said(fields: Mapping[str, str], reason: str) -> dict[str, str]:
    """Everything that was said, by key."""
    return {**fields, **({"reason": reason} if reason else {})}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a decision and its telling need."""

    facts: Facts
    plan: Plan | Unknown
    comparison: Comparison | Unknown | None
    """Between what serves the target and the candidate; for reading."""
    serving_was_verified: KnownGood | None = None
    """What serves the target, where its deployment is recorded as a success: the way back, if GitHub is away."""
    not_yet: str = ""
    """What its branch waits for before it may move, a sentence without its end; empty: nothing."""


async def _nothing(why: Unknown) -> Unknown:
    return why


async def _comparison(world: World, repository: str, base: Sha | None, head: Sha | Unknown) -> Comparison | Unknown:
    if isinstance(head, Unknown):
        return head
    if base is None:
        return Unknown("the commit that serves now is not recorded")
    return await known("the difference", world.code.compare(repository, base, head))


async def promotion(world: World, active: ActivePolicy, asks: Asked) -> Gathered:
    """All that a promotion turns on, and the plan, if one can be made."""
    policy, question = active.policy, asks.question
    source, target = question.source or "", question.target
    facts = _as_asked(asks)
    if question.service not in policy.services:  # the policy may have changed since it was asked
        gone = Unknown(f"the policy knows no service {question.service}")
        return Gathered(facts, gone, None)
    service, path = policy.services[question.service], policy.path(question.service, source, target)
    gates = required(policy, question).gates
    now = world.clock.now()
    async with asyncio.TaskGroup() as reading:
        looks = {
            environment: reading.create_task(seen(world, policy, question.service, environment))
            for environment in {source, target, *places(policy, gates)}
        }
        freezes = reading.create_task(known("the freezes", world.store.freezes(now)))
        holds = reading.create_task(known("the holds", world.store.holds(question.service)))
        exceptions = reading.create_task(known("the exceptions", world.store.exceptions(now)))
        owed = reading.create_task(known("what is owed", world.store.obligations(question.service)))
        people = reading.create_task(known("who holds which role", world.people.holders(tuple(policy.roles))))
    at = {environment: look.result() for environment, look in looks.items()}
    candidate = _candidate(at[source], asks.version)
    commit = candidate if isinstance(candidate, Unknown) else candidate.commit
    checks, comparison, found, name, way = await asyncio.gather(
        _nothing(commit)
        if isinstance(commit, Unknown)
        else known("the checks", world.code.checks(service.repository, commit)),
        _comparison(world, service.repository, at[target].commit, commit),
        evidence(world, policy, question, gates, candidate, at),
        _free_name(world, policy, question, candidate),
        branch_plan.way(world, policy, question, path, candidate),
    )
    found = database.as_said(policy, asks.fields, found)
    declared = database.declared(policy, asks.fields, found)
    facts = replace(
        facts,
        candidate=candidate,
        source_serving=at[source].serving,
        target_serving=at[target].serving,
        checks=checks,
        freezes=freezes.result(),
        holds=holds.result(),
        exceptions=exceptions.result(),
        obligations=owed.result(),
        people=people.result(),
        authors=authors(policy, comparison),
        reviewers=reviewers(policy, question, found.changes),
        evidence=found,
    )
    plan = _promotion_plan(active, asks, path, candidate, at[source], at[target], name, declared, way.branch)
    return Gathered(_with_plan(facts, plan), plan, comparison, at[target].verified, way.not_yet)


def _as_asked(asks: Asked) -> Facts:
    """What people said, and nothing of the world yet."""
    return Facts(
        asked_by=asks.by,
        asked_at=asks.at,
        expires_at=asks.expires_at,
        votes=asks.votes,
        fields=asks.fields,
        confirmed=asks.confirmed,
        emergency=asks.emergency,
        reviewers=YET,
        evidence=UNSEEN,
    )


def _candidate(source: Seen, version: str) -> Candidate | Unknown:
    if isinstance(source.at, Unknown):
        return source.at
    if source.at.split:
        return Unknown(f"the traffic of {source.environment} is split, so it serves no one thing")
    serves, commit = source.at.revision.digest, source.built_from()
    found = Candidate(serves, commit)
    wanted = version.lower().removeprefix("sha256:")
    if not wanted:
        return found
    names = [serves.removeprefix("sha256:"), *([] if isinstance(commit, Unknown) else [commit])]
    if len(wanted) >= way_back.MIN_VERSION and any(name.startswith(wanted) for name in names):
        return found
    where = source.environment
    return Unknown(f"{where} serves {short(serves)}, not {version}; only what it serves can be promoted")


def _with_plan(facts: Facts, plan: Plan | Unknown) -> Facts:
    return facts if isinstance(plan, Unknown) else replace(facts, plan=plan.hash)


def _promotion_plan(
    active: ActivePolicy,
    asks: Asked,
    path: Path | None,
    candidate: Candidate | Unknown,
    source: Seen,
    target: Seen,
    name: str,
    declared: str,
    branch: PlannedBranch | Unknown | None,
) -> Plan | Unknown:
    question = asks.question
    if path is None:
        return Unknown("there is no such path")
    if isinstance(source.at, Unknown):
        return source.at
    if isinstance(candidate, Unknown):
        return candidate
    if isinstance(target.at, Unknown):
        return target.at
    if isinstance(branch, Unknown):
        return branch
    service = active.policy.services[question.service]
    return Plan(
        deed="promote",
        service=question.service,
        source=question.source,
        target=question.target,
        digest=candidate.digest,
        image=source.at.revision.image,
        commit=None if isinstance(candidate.commit, Unknown) else candidate.commit,
        revision=name,
        from_digest=target.at.revision.digest,
        from_revision=target.at.revision.name,
        from_commit=target.commit,
        repository=service.repository,
        policy_hash=active.hash,
        site=service.cloud_run[question.target],
        production=active.policy.environments[question.target].production,
        container=service.container,
        style=path.rollout.style,
        steps=tuple(_step(step, active.policy) for step in path.rollout.steps),
        smoke=planned_probes(path.rollout.smoke),
        health=planned_health(path.rollout, active.policy),
        triggers=planned_triggers(path.rollout, active.policy),
        watch_seconds=0 if path.rollout.watch is None else int(path.rollout.watch.total_seconds()),
        inconclusive=path.rollout.inconclusive,
        deploy_within_seconds=int(path.rollout.deploy_within.total_seconds()),
        model=path.model.value,
        branch=branch,
        change=question.change,
        emergency="" if asks.emergency is None else asks.emergency.id,
        split=target.at.split,
        database=declared,
        fields=dict(asks.fields),
        confirmed=tuple(sorted(asks.confirmed)),
        manifest=asks.manifest,
    )


def revision_name(site: Site, candidate: Digest, attempt: int = 1) -> str:
    """The same digest gets the same name, so that creating it twice is once. A later attempt has its number.

    It begins with what the service is called where it runs, which may be another name than the policy's.
    """
    return f"{site.rpartition('/')[2]}-r-{short(candidate)}{f'-{attempt}' if attempt > 1 else ''}"


async def _free_name(world: World, policy: Policy, question: Question, candidate: Candidate | Unknown) -> str:
    """The first name of the candidate that no broken revision has: a name is never made twice."""
    site = site_of(policy, question.service, question.target)
    if isinstance(candidate, Unknown) or isinstance(site, Unknown):
        return ""
    for attempt in range(1, ATTEMPTS):
        name = revision_name(site, candidate.digest, attempt)
        found = await known(name, world.runs.revision(site, name))
        if found is None or isinstance(found, Unknown) or found.ready is not False:
            return name
    return revision_name(site, candidate.digest, ATTEMPTS)


def _step(step: Step, policy: Policy) -> PlannedStep:
    probes = () if step.probes is None else policy.probes[step.probes]
    return PlannedStep(step.percent, int(step.hold.total_seconds()), step.min_requests, planned_probes(probes))


def planned_triggers(rollout: Rollout, policy: Policy) -> tuple[PlannedTrigger, ...]:
    """What takes it back by itself, in the policy's order."""
    return tuple(
        PlannedTrigger(
            name,
            trigger.signal,
            trigger.above,
            0 if trigger.lasts is None else int(trigger.lasts.total_seconds()),
            trigger.min_requests,
            () if trigger.probes is None else planned_probes(policy.probes[trigger.probes]),
            trigger.in_a_row,
            trigger.every.total_seconds(),
            trigger.during,
            trigger.then,
        )
        for name, trigger in rollout.triggers.items()
    )


def planned_health(rollout: Rollout, policy: Policy) -> PlannedHealth:
    bounds = rollout.health
    return PlannedHealth(
        max_error_percent=bounds.max_error_percent,
        max_p99_ms=bounds.max_p99.total_seconds() * 1000 if bounds.max_p99 else None,
        min_requests=bounds.min_requests,
        give_up_seconds=int(bounds.give_up_after.total_seconds()),
        delay_seconds=policy.measure.delay.total_seconds(),
        resolution_seconds=policy.measure.resolution.total_seconds(),
    )


async def rollback(world: World, active: ActivePolicy, asks: Asked, under_way: Operation | None = None) -> Gathered:
    """All that a rollback turns on: as little as possible, for it is wanted in an outage. `version`: what to go to.

    `under_way`: the promotion that is changing the place right now; what it brings is what people want rid of, even
    where none of the traffic has moved yet. Otherwise they would be taken behind what serves well.
    """
    policy, question = active.policy, asks.question
    facts = Facts(asks.by, asks.at, expires_at=asks.expires_at, trigger=asks.trigger, confirmed=asks.confirmed)
    site = site_of(policy, question.service, question.target)
    if isinstance(site, Unknown):
        return Gathered(replace(facts, target_serving=site, rollback_to=site), site, None)
    running, good, holds = await asyncio.gather(
        known(f"{question.service} in {question.target}", world.runs.running(site)),
        known("what was verified before", world.store.known_good(question.place)),
        known("the holds", world.store.holds(question.service)),
    )
    leaving: Serving | Unknown
    target: KnownGood | Unknown
    if isinstance(running, Unknown):
        leaving, brought_by, target = running, "", Unknown("what serves is not known")
    else:
        leaving, brought_by = await _leaving(world, site, running, good, asks, under_way)
        good, target = await _good_before(world, policy, site, good, leaving, asks)
    image = ""
    if isinstance(target, Unknown) and not isinstance(good, Unknown) and "redeploy" in policy.rollback.order:
        target, image = await _deployed_again(world, policy, question, running, good, leaving, asks.version, target)
    facts = replace(facts, target_serving=leaving, known_good=good, holds=holds, rollback_to=target)
    if isinstance(target, KnownGood) and not isinstance(good, Unknown):
        facts = replace(facts, goes_over=await database.goes_over(world, good, target, brought_by))
    if policy.going_back(question.service, question.target).approvals and not asks.trigger:
        people = await known("who holds which role", world.people.holders(tuple(policy.roles)))
        facts = replace(facts, votes=asks.votes, people=people)
    if isinstance(target, Unknown):
        return Gathered(facts, target, None)
    if isinstance(leaving, Unknown):
        return Gathered(facts, leaving, None)
    forward = branch_plan.behind(policy, question.place, leaving.commit, target.commit)
    branch = forward or await known("by what it came", branch_plan.brought(world, brought_by))
    model = Model.ARTIFACT if not branch else Model.BRANCH_MERGE if forward is None else Model.FAST_FORWARD
    plan = _rollback_plan(active, question, site, leaving, target, image)
    plan = replace(plan, model=model.value, branch=None if isinstance(branch, Unknown) else branch)
    return Gathered(_with_plan(facts, plan), plan, None)


def _rollback_plan(
    active: ActivePolicy, question: Question, site: Site, leaving: Serving, target: KnownGood, image: str
) -> Plan:
    """Of its traffic; `image`: of what has to be deployed again, or empty."""
    policy, service = active.policy, active.policy.services[question.service]
    recovered = policy.rollback.recovered
    return Plan(
        deed="rollback",
        service=question.service,
        target=question.target,
        digest=target.digest,
        revision=target.revision,
        commit=target.commit,
        from_digest=leaving.digest,
        from_revision=leaving.revision,
        from_commit=leaving.commit,
        repository=service.repository,
        policy_hash=active.hash,
        site=site,
        production=policy.environments[question.target].production,
        image=image,
        container=service.container,
        steps=(PlannedStep(100, 0),),
        restore_within_seconds=int(policy.rollback.within.total_seconds()),
        recovered=() if recovered is None else planned_probes(policy.probes[recovered]),
    )


async def _good_before(
    world: World,
    policy: Policy,
    site: Site,
    good: tuple[KnownGood, ...] | Unknown,
    leaving: Serving | Unknown,
    asks: Asked,
) -> tuple[tuple[KnownGood, ...] | Unknown, KnownGood | Unknown]:
    """All that was verified there, and of it what it goes back to: GitHub is asked where our own books do not help."""
    if isinstance(good, Unknown):
        return good, good
    bad = None if isinstance(leaving, Unknown) else leaving.digest
    target = await way_back.choose(world, site, good, bad, asks.version)
    if isinstance(target, Unknown):
        repository = policy.services[asks.question.service].repository
        records = await known("GitHub's deployments", world.code.deployments(repository, asks.question.target))
        good = way_back.with_theirs(good, records)
        target = await way_back.choose(world, site, good, bad, asks.version)
    return good, target


async def _deployed_again(
    world: World,
    policy: Policy,
    question: Question,
    running: Running | Unknown,
    good: Sequence[KnownGood],
    leaving: Serving | Unknown,
    version: str,
    why: Unknown,
) -> tuple[KnownGood | Unknown, str]:
    """What was verified and is gone, under the name that it will have, and its image; or why nothing can be had."""
    site = site_of(policy, question.service, question.target)
    if isinstance(leaving, Unknown) or isinstance(running, Unknown) or isinstance(site, Unknown):
        return why, ""
    gone = await way_back.choose(world, site, good, leaving.digest, version, gone=True)
    image = "" if isinstance(gone, Unknown) else await _image_of(world, site, gone, leaving)
    if isinstance(gone, Unknown) or not image:
        return why, ""
    if running.whole != leaving.revision:  # what is being left would have to get all the traffic for it
        only = "it is deployed again only where one revision has all the traffic"
        return Unknown(f"{gone.revision} is gone, and {only}"), ""
    name = await _free_name(world, policy, question, Candidate(gone.digest, gone.commit or Unknown("not known")))
    return replace(gone, revision=name), image


async def _image_of(world: World, site: Site, gone: KnownGood, leaving: Serving) -> str:
    """The image that was verified. Where nobody kept it: its digest from where what serves has its image; or empty."""
    if gone.image.endswith(f"@{gone.digest}"):
        return gone.image
    serves = await known(leaving.revision, world.runs.revision(site, leaving.revision))
    return "" if serves is None or isinstance(serves, Unknown) else f"{serves.image.partition('@')[0]}@{gone.digest}"


async def _leaving(
    world: World,
    site: Site,
    running: Running,
    good: Sequence[KnownGood] | Unknown,
    asks: Asked,
    under_way: Operation | None,
) -> tuple[Serving | Unknown, str]:
    """What people want rid of, and the id of the release of ours that brought it in: of a split, the newcomer.

    Where a trigger spoke of one, that one it is, though a later release came in meanwhile.
    """
    if under_way is not None and (brings := under_way.plan) is not None:
        return Serving(brings.revision, brings.digest, asks.at, brings.commit), under_way.id
    name = asks.leaves or _newcomer(running, good)
    found = await known(name, world.runs.revision(site, name)) if name else Unknown("nothing serves")
    if found is None:
        return Unknown(f"{name} serves but cannot be found"), ""
    if isinstance(found, Unknown):
        return found, ""
    return Serving(name, found.digest, found.created_at, found.commit), found.operation


def _newcomer(running: Running, good: Sequence[KnownGood] | Unknown) -> str:
    takers = [share for share in running.serving if share.percent > 0]
    verified = set() if isinstance(good, Unknown) else {entry.revision for entry in good}
    new = [share for share in takers if share.revision not in verified]
    chosen = max(new or takers, key=lambda share: share.percent, default=None)
    return chosen.revision if chosen else ""
