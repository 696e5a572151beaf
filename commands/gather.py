"""What is known right now? Facts and the plan that follows from them, read from the world side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from commands.errors import ReleaseBotError
from commands.plan import Plan, PlannedHealth, PlannedProbe, PlannedStep
from commands.ports import Comparison, Deployment, Revision, Running, Site, World
from policy.document import ActivePolicy, Path, Policy, Rollout
from policy.facts import Candidate, Check, Facts, KnownGood, Question, Serving, Vote
from policy.model import Digest, Person, Sha, Unknown, short

Fact = TypeVar("Fact")

ATTEMPTS = 9
"""So many revisions of one digest may have failed to come up before a new one takes the last name."""
MIN_VERSION = 7
"""Fewer letters of a digest or commit could name a neighbour."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a decision and its telling need."""

    facts: Facts
    plan: Plan | Unknown
    comparison: Comparison | Unknown | None
    """Between what serves the target and the candidate; for reading."""
    serving_was_verified: KnownGood | None = None
    """What serves the target, where its deployment is recorded as a success: the way back, if GitHub is away."""


async def known(what: str, reading: Awaitable[Fact]) -> Fact | Unknown:
    """What the reading gave, or why it could not be had."""
    try:
        return await reading
    except ReleaseBotError as error:
        return Unknown(f"{what} could not be read: {error}")


@dataclass(frozen=True, slots=True)
class At:
    """What one place serves, with all that its platform says of it."""

    running: Running
    revision: Revision


async def _at(world: World, site: Site) -> At | Unknown:
    """What serves there; Unknown while the traffic is split or being changed."""
    running = await world.runs.running(site)
    if running.whole is None:
        split = ", ".join(f"{share.revision} {share.percent} %" for share in running.serving if share.percent)
        return Unknown(f"its traffic is split: {split or 'nothing serves'}")
    revision = await world.runs.revision(site, running.whole)
    return Unknown(f"{running.whole} serves but cannot be found") if revision is None else At(running, revision)


def site_of(policy: Policy, service: str, environment: str) -> Site | Unknown:
    found = policy.services[service].cloud_run.get(environment) if service in policy.services else None
    return Site(found) if found else Unknown(f"the policy names no Cloud Run service for {service} in {environment}")


async def _serving(world: World, policy: Policy, service: str, environment: str) -> At | Unknown:
    site = site_of(policy, service, environment)
    if isinstance(site, Unknown):
        return site
    found = await known(f"{service} in {environment}", _at(world, site))
    return Unknown(f"{service} in {environment}: {found.why}") if isinstance(found, Unknown) else found


def _commit(revision: Revision, deployments: Sequence[Deployment] | Unknown, environment: str) -> Sha | Unknown:
    """The commit that the digest was built from, by the deployment record of the environment it comes from."""
    if isinstance(deployments, Unknown):
        return deployments
    records = [record for record in deployments if record.digest == revision.digest]
    if not records:
        return Unknown(f"GitHub has no deployment of {short(revision.digest)} to {environment}")
    newest = records[0]
    if newest.state != "success":
        return Unknown(
            f"the newest deployment of {short(revision.digest)} to {environment} is {newest.state or 'unfinished'}"
        )
    if revision.commit is not None and revision.commit != newest.commit:
        return Unknown(f"two records disagree on its commit: {short(revision.commit)} and {short(newest.commit)}")
    return newest.commit


def _since(at: At, deployments: Sequence[Deployment] | Unknown) -> datetime:
    """Since when it has served at the latest: its creation, or a deployment that succeeded after that."""
    times = [at.revision.created_at]
    if not isinstance(deployments, Unknown):
        times += [d.updated_at for d in deployments if d.digest == at.revision.digest and d.state == "success"][:1]
    return max(times)


async def _nothing(why: Unknown) -> Unknown:
    return why


async def _comparison(world: World, repository: str, base: Sha | None, head: Sha | Unknown) -> Comparison | Unknown:
    if isinstance(head, Unknown):
        return head
    if base is None:
        return Unknown("the commit that serves now is not recorded")
    return await known("the difference", world.code.compare(repository, base, head))


async def promotion(
    world: World,
    active: ActivePolicy,
    question: Question,
    *,
    asked_by: Person,
    asked_at: datetime,
    expires_at: datetime,
    version: str = "",
    votes: tuple[Vote, ...] = (),
) -> Gathered:
    """All that a promotion turns on, and the plan, if one can be made. `version`: the candidate that was named."""
    policy = active.policy
    source = question.source or ""
    if question.service not in policy.services:  # the policy may have changed since it was asked
        gone = Unknown(f"the policy knows no service {question.service}")
        return Gathered(Facts(asked_by, asked_at, expires_at=expires_at, votes=votes), gone, None)
    service, path = policy.services[question.service], policy.path(question.service, source, question.target)
    now = world.clock.now()
    may = policy.may
    roles = (
        sorted({*(role for slot in path.approvals for role in slot.roles), *may.promote, *may.freeze, *may.lift})
        if path
        else []
    )
    async with asyncio.TaskGroup() as reading:
        source_read = reading.create_task(_serving(world, policy, question.service, source))
        target_read = reading.create_task(_serving(world, policy, question.service, question.target))
        records = "GitHub's deployments"
        from_source_read = reading.create_task(known(records, world.code.deployments(service.repository, source)))
        from_target_read = reading.create_task(
            known(records, world.code.deployments(service.repository, question.target))
        )
        freezes_read = reading.create_task(known("the freezes", world.store.freezes(now)))
        holds_read = reading.create_task(known("the holds", world.store.holds(question.service)))
        people_read = reading.create_task(known("who holds which role", world.people.holders(roles)))
    at_source, at_target = source_read.result(), target_read.result()
    from_source, from_target = from_source_read.result(), from_target_read.result()
    candidate: Candidate | Unknown
    checks: Mapping[str, Check] | Unknown
    comparison: Comparison | Unknown
    if isinstance(at_source, Unknown):
        candidate, checks, comparison = at_source, at_source, at_source
    else:
        candidate = _candidate(at_source, from_source, source, version)
        commit = candidate if isinstance(candidate, Unknown) else candidate.commit
        base = _known_commit(at_target, from_target)
        checks, comparison = await asyncio.gather(
            _nothing(commit)
            if isinstance(commit, Unknown)
            else known("the checks", world.code.checks(service.repository, commit)),
            _comparison(world, service.repository, base, commit),
        )
    facts = Facts(
        asked_by=asked_by,
        asked_at=asked_at,
        expires_at=expires_at,
        candidate=candidate,
        source_serving=at_source if isinstance(at_source, Unknown) else _as_serving(at_source, from_source),
        target_serving=at_target if isinstance(at_target, Unknown) else _as_serving(at_target, from_target),
        checks=checks,
        freezes=freezes_read.result(),
        holds=holds_read.result(),
        votes=votes,
        people=people_read.result(),
    )
    name = await _free_name(world, policy, question, candidate)
    plan = _promotion_plan(
        active, question, path, candidate, at_source, at_target, _known_commit(at_target, from_target), name
    )
    return Gathered(_with_plan(facts, plan), plan, comparison, _verified(at_target, from_target))


def _verified(at: At | Unknown, records: Sequence[Deployment] | Unknown) -> KnownGood | None:
    if isinstance(at, Unknown) or isinstance(records, Unknown):
        return None
    for record in records:
        if record.digest == at.revision.digest and record.state == "success":
            source = f"GitHub deployment {record.id}"
            return KnownGood(at.revision.name, at.revision.digest, record.updated_at, source, record.commit)
    return None


def _candidate(at: At, records: Sequence[Deployment] | Unknown, source: str, version: str) -> Candidate | Unknown:
    commit = _commit(at.revision, records, source)
    found = Candidate(at.revision.digest, commit)
    wanted = version.lower().removeprefix("sha256:")
    if not wanted:
        return found
    names = [at.revision.digest.removeprefix("sha256:"), *([] if isinstance(commit, Unknown) else [commit])]
    if len(wanted) >= MIN_VERSION and any(name.startswith(wanted) for name in names):
        return found
    return Unknown(f"{source} serves {short(at.revision.digest)}, not {version}; only what it serves can be promoted")


def _known_commit(at: At | Unknown, records: Sequence[Deployment] | Unknown) -> Sha | None:
    if isinstance(at, Unknown):
        return None
    if at.revision.commit is not None:
        return at.revision.commit
    if isinstance(records, Unknown):
        return None
    return next((record.commit for record in records if record.digest == at.revision.digest), None)


def _as_serving(at: At, records: Sequence[Deployment] | Unknown) -> Serving:
    return Serving(at.revision.name, at.revision.digest, _since(at, records), _known_commit(at, records))


def _with_plan(facts: Facts, plan: Plan | Unknown) -> Facts:
    return facts if isinstance(plan, Unknown) else replace(facts, plan=plan.hash)


def _promotion_plan(
    active: ActivePolicy,
    question: Question,
    path: Path | None,
    candidate: Candidate | Unknown,
    at_source: At | Unknown,
    at_target: At | Unknown,
    from_commit: Sha | None,
    name: str,
) -> Plan | Unknown:
    if path is None:
        return Unknown("there is no such path")
    if isinstance(at_source, Unknown):
        return at_source
    if isinstance(candidate, Unknown):
        return candidate
    if isinstance(at_target, Unknown):
        return at_target
    service = active.policy.services[question.service]
    return Plan(
        deed="promote",
        service=question.service,
        source=question.source,
        target=question.target,
        digest=candidate.digest,
        image=at_source.revision.image,
        commit=None if isinstance(candidate.commit, Unknown) else candidate.commit,
        revision=name,
        from_digest=at_target.revision.digest,
        from_revision=at_target.revision.name,
        from_commit=from_commit,
        repository=service.repository,
        policy_hash=active.hash,
        site=service.cloud_run[question.target],
        production=active.policy.environments[question.target].production,
        container=service.container,
        steps=tuple(PlannedStep(step.percent, int(step.hold.total_seconds())) for step in path.rollout.steps),
        smoke=tuple(
            PlannedProbe(probe.method, probe.path, probe.expect, probe.repeat, probe.within.total_seconds())
            for probe in path.rollout.smoke
        ),
        health=planned_health(path.rollout, active.policy),
        deploy_within_seconds=int(path.rollout.deploy_within.total_seconds()),
    )


def revision_name(service: str, candidate: Digest, attempt: int = 1) -> str:
    """The same digest gets the same name, so that creating it twice is once. A later attempt has its number."""
    return f"{service}-r-{short(candidate)}{f'-{attempt}' if attempt > 1 else ''}"


async def _free_name(world: World, policy: Policy, question: Question, candidate: Candidate | Unknown) -> str:
    """The first name of the candidate that no broken revision has: a name is never made twice."""
    site = site_of(policy, question.service, question.target)
    if isinstance(candidate, Unknown) or isinstance(site, Unknown):
        return ""
    for attempt in range(1, ATTEMPTS):
        name = revision_name(question.service, candidate.digest, attempt)
        found = await known(name, world.runs.revision(site, name))
        if found is None or isinstance(found, Unknown) or found.ready is not False:
            return name
    return revision_name(question.service, candidate.digest, ATTEMPTS)


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


async def rollback(
    world: World,
    active: ActivePolicy,
    question: Question,
    *,
    asked_by: Person,
    asked_at: datetime,
    expires_at: datetime,
    to: str = "",
    under_way: Plan | None = None,
) -> Gathered:
    """All that a rollback turns on: as little as possible, for it is wanted in an outage.

    `under_way`: the promotion that is changing the place right now; what it brings is what people want rid of, even
    where none of the traffic has moved yet. Otherwise they would be taken behind what serves well.
    """
    site = site_of(active.policy, question.service, question.target)
    if isinstance(site, Unknown):
        facts = Facts(asked_by, asked_at, expires_at=expires_at, target_serving=site, rollback_to=site)
        return Gathered(facts, site, None)
    running, good, holds = await asyncio.gather(
        known(f"{question.service} in {question.target}", world.runs.running(site)),
        known("what was verified before", world.store.known_good(question.place)),
        known("the holds", world.store.holds(question.service)),
    )
    target: KnownGood | Unknown
    leaving: Serving | Unknown
    if isinstance(running, Unknown):
        leaving, target = running, Unknown("what serves is not known")
    else:
        leaving = (
            Serving(under_way.revision, under_way.digest, asked_at, under_way.commit)
            if under_way is not None
            else await _leaving(world, site, running, good)
        )
        target = good if isinstance(good, Unknown) else await _choose(world, site, good, leaving, to)
        if isinstance(target, Unknown) and not isinstance(good, Unknown):
            good = await _with_theirs(world, active.policy, question, good)
            target = await _choose(world, site, good, leaving, to)
    facts = Facts(
        asked_by,
        asked_at,
        expires_at=expires_at,
        target_serving=leaving,
        known_good=good,
        holds=holds,
        rollback_to=target,
    )
    if isinstance(target, Unknown):
        return Gathered(facts, target, None)
    if isinstance(leaving, Unknown):
        return Gathered(facts, leaving, None)
    plan = Plan(
        deed="rollback",
        service=question.service,
        target=question.target,
        digest=target.digest,
        revision=target.revision,
        commit=target.commit,
        from_digest=leaving.digest,
        from_revision=leaving.revision,
        from_commit=leaving.commit,
        repository=active.policy.services[question.service].repository,
        policy_hash=active.hash,
        site=site,
        production=active.policy.environments[question.target].production,
        steps=(PlannedStep(100, 0),),
    )
    return Gathered(_with_plan(facts, plan), plan, None)


async def _leaving(
    world: World, site: Site, running: Running, good: Sequence[KnownGood] | Unknown
) -> Serving | Unknown:
    """Of a split, the newcomer is what people want rid of: the revision that a release of ours brought in."""
    name = _newcomer(running, good)
    found = await known(name, world.runs.revision(site, name)) if name else Unknown("nothing serves")
    if found is None:
        return Unknown(f"{name} serves but cannot be found")
    return found if isinstance(found, Unknown) else Serving(name, found.digest, found.created_at, found.commit)


def _newcomer(running: Running, good: Sequence[KnownGood] | Unknown) -> str:
    takers = [share for share in running.serving if share.percent > 0]
    verified = set() if isinstance(good, Unknown) else {entry.revision for entry in good}
    new = [share for share in takers if share.revision not in verified]
    chosen = max(new or takers, key=lambda share: share.percent, default=None)
    return chosen.revision if chosen else ""


async def _with_theirs(
    world: World, policy: Policy, question: Question, own: tuple[KnownGood, ...]
) -> tuple[KnownGood, ...]:
    """What was verified before, newest first, by our own books and by GitHub's: asked where our own do not help."""
    repository = policy.services[question.service].repository
    records = await known("GitHub's deployments", world.code.deployments(repository, question.target))
    if isinstance(records, Unknown):
        return own
    named = {entry.revision for entry in own}
    theirs = (
        KnownGood(record.revision, record.digest, record.updated_at, f"GitHub deployment {record.id}", record.commit)
        for record in records
        if record.state in {"success", "inactive"}
        and record.digest
        and record.revision
        and record.revision not in named
    )
    return tuple(sorted((*own, *theirs), key=lambda entry: entry.verified_at, reverse=True))


def _named(entry: KnownGood, wanted: str) -> bool:
    """True for its revision, or for so much of its digest or commit that it names no neighbour."""
    names = (entry.digest.removeprefix("sha256:"), entry.commit or "")
    return wanted == entry.revision.lower() or (
        len(wanted) >= MIN_VERSION and any(name.startswith(wanted) for name in names)
    )


async def _choose(
    world: World, site: Site, good: Sequence[KnownGood], leaving: Serving | Unknown, to: str
) -> KnownGood | Unknown:
    """The newest verified one that still exists, is not what is being left, and is what was named, if anything was."""
    bad = None if isinstance(leaving, Unknown) else leaving.digest
    held = {hold.digest for hold in await world.store.holds()}
    wanted = to.lower().removeprefix("sha256:")
    if wanted and len({entry.digest for entry in good if _named(entry, wanted)}) > 1:
        return Unknown(f"{to} names more than one of those that were verified here")
    for entry in good:
        if wanted and not _named(entry, wanted):
            continue
        if entry.digest == bad or (entry.digest in held and not wanted):
            continue
        found = await known(entry.revision, world.runs.revision(site, entry.revision))
        if isinstance(found, Revision) and found.digest == entry.digest and found.ready is not False:
            return entry
    listed = ", ".join(list(dict.fromkeys(f"{entry.revision} ({short(entry.digest)})" for entry in good))[:5])
    if wanted:
        return Unknown(f"{to} was never verified here, or is gone; verified were {listed or 'none'}")
    return Unknown(f"no other verified revision is left; verified were {listed or 'none'}")
