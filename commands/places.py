"""What does a place serve, and what is recorded of it? Read side by side; what cannot be had is `Unknown`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from commands.errors import ReleaseBotError
from commands.ports import Deployment, Revision, Running, Site, World
from policy.document import Policy
from policy.facts import KnownGood, Serving
from policy.model import Sha, Unknown, short
from policy.rules.goes_back import forward_only

Fact = TypeVar("Fact")

WORKED = frozenset({"success", "inactive"})
"""States of a deployment that succeeded; `inactive` once the next one came: https://docs.github.com/rest/deployments"""


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
    split: tuple[tuple[str, int], ...] = ()
    """Where somebody ended a release of ours with its traffic split: each revision and its whole per cent."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One place, as its platform and GitHub know it."""

    environment: str
    at: At | Unknown
    deployments: Sequence[Deployment] | Unknown
    """To its environment, newest first."""
    named: frozenset[str] = frozenset()
    """How deployments of this service may call it: by its name, or not at all where its repository holds no other."""

    @property
    def commit(self) -> Sha | None:
        """What serves was built from this, by its own label or else by its deployment."""
        if isinstance(self.at, Unknown):
            return None
        return self.at.revision.commit or next((record.commit for record in self._records), None)

    @property
    def serving(self) -> Serving | Unknown:
        if isinstance(self.at, Unknown):
            return self.at
        revision = self.at.revision
        succeeded = [record.updated_at for record in self._records if record.state == "success"]
        since = max([revision.created_at, *succeeded[:1]])  # at the latest: nobody knows more of what others moved
        return Serving(revision.name, revision.digest, since, self.commit)

    @property
    def verified(self) -> KnownGood | None:
        """What serves, where its deployment is recorded as a success: the way back, if GitHub is away."""
        if isinstance(self.at, Unknown):
            return None
        revision = self.at.revision
        for record in self._records:
            # the same digest may have been made anew since, with other settings: that one nobody verified
            its_own = record.revision in {"", revision.name} and revision.created_at <= record.updated_at
            if record.state == "success" and its_own:
                source = f"GitHub deployment {record.id}"
                verified_at = record.updated_at
                return KnownGood(revision.name, revision.digest, verified_at, source, record.commit, revision.image)
        return None

    def built_from(self) -> Sha | Unknown:
        """The commit of what serves, by the newest record of its deployment here: a success, and undisputed."""
        if isinstance(self.at, Unknown):
            return self.at
        if isinstance(self.deployments, Unknown):
            return self.deployments
        revision, where = self.at.revision, self.environment
        if not self._records:
            return Unknown(f"GitHub has no deployment of {short(revision.digest)} to {where}")
        shown = next((one for one in self.deployments if one.state == "success" and self._of_it(one)), None)
        if shown is not None and shown.digest is not None and shown.digest != revision.digest:
            serves = f"{short(revision.digest)} serves there"
            return Unknown(f"what GitHub shows as deployed to {where} is {short(shown.digest)}, and {serves}")
        newest = self._records[0]
        if newest.state != "success":
            state = newest.state or "unfinished"
            return Unknown(f"the newest deployment of {short(revision.digest)} to {where} is {state}")
        if revision.commit is not None and revision.commit != newest.commit:
            return Unknown(f"two records disagree on its commit: {short(revision.commit)} and {short(newest.commit)}")
        return newest.commit

    def _of_it(self, record: Deployment) -> bool:
        """Whether it is for sure a deployment of this service, and says of what."""
        return record.digest is not None and record.service in self.named

    @property
    def _records(self) -> Sequence[Deployment]:
        """Of what serves, newest first."""
        if isinstance(self.at, Unknown) or isinstance(self.deployments, Unknown):
            return ()
        digest = self.at.revision.digest
        return [record for record in self.deployments if record.digest == digest]


def site_of(policy: Policy, service: str, environment: str) -> Site | Unknown:
    found = policy.services[service].cloud_run.get(environment) if service in policy.services else None
    return Site(found) if found else Unknown(f"the policy names no Cloud Run service for {service} in {environment}")


async def seen(world: World, policy: Policy, service: str, environment: str) -> Seen:
    """Everything about one place, read at once."""
    if service not in policy.services:  # the policy may have changed since it came there
        gone = Unknown(f"the policy knows no service {service}")
        return Seen(environment, gone, gone)
    repository = policy.services[service].repository
    at, deployments = await asyncio.gather(
        _serving(world, policy, service, environment),
        known("GitHub's deployments", world.code.deployments(repository, environment)),
    )
    alone = sum(other.repository == repository for other in policy.services.values()) == 1
    return Seen(environment, at, deployments, frozenset({service, ""} if alone else {service}))


async def _serving(world: World, policy: Policy, service: str, environment: str) -> At | Unknown:
    site = site_of(policy, service, environment)
    if isinstance(site, Unknown):
        return site
    found = await known(f"{service} in {environment}", _at(world, policy, site))
    return Unknown(f"{service} in {environment}: {found.why}") if isinstance(found, Unknown) else found


async def _left_split(world: World, policy: Policy, running: Running) -> tuple[str, tuple[tuple[str, int], ...]] | None:
    """The revision that works with the database as it is, and the split that somebody left; None: it is no such one."""
    shares: dict[str, int] = {}
    for line in running.serving:
        shares[line.revision] = shares.get(line.revision, 0) + line.percent
    shares = {name: percent for name, percent in shares.items() if percent}
    operation = await world.store.operation(running.operation) if running.operation and running.settled else None
    if operation is None or operation.plan is None or not operation.over:
        return None
    plan = operation.plan
    if dict(plan.split) == shares:  # it came after what was left, and its traffic went back to that
        return plan.from_revision, plan.split
    if operation.left != shares:
        return None
    return plan.revision if forward_only(policy, plan.database) else plan.from_revision, tuple(shares.items())


async def _at(world: World, policy: Policy, site: Site) -> At | Unknown:
    """What serves there; Unknown while the traffic is being changed, or split, unless a release of ours left it so."""
    running = await world.runs.running(site)
    left = await _left_split(world, policy, running) if running.whole is None else None
    if left is not None:
        name, split = left
        revision = await world.runs.revision(site, name)
        return Unknown(f"{name} serves but cannot be found") if revision is None else At(running, revision, split)
    if running.whole is None:
        shares = ", ".join(f"{share.revision} {share.percent} %" for share in running.serving if share.percent)
        return Unknown(f"its traffic is split: {shares or 'nothing serves'}")
    revision = await world.runs.revision(site, running.whole)
    return Unknown(f"{running.whole} serves but cannot be found") if revision is None else At(running, revision)
