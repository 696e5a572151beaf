"""What does CI do when a branch moves, and what comes to the lowest environment by itself?

Every new head has its checks, and its workflows on the branches of environments. What the lowest environment's branch
holds is built and deployed there at once; everywhere else only the bot deploys. All of it goes well, but for what a
build does to requests: a service says that of itself in its `behaviour.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.sandbox.configured import image
from bot.sandbox.github.world import GitHubWorld
from bot.sandbox.google.engine import Behaviour
from bot.sandbox.google.world import GoogleWorld
from policy.document import Model, Policy, Service

REGISTRY = "europe-docker.pkg.dev"


@dataclass(frozen=True, slots=True)
class Delivery:
    """CI and CD of one repository."""

    policy: Policy
    repository: str
    services: Mapping[str, Service]
    google: GoogleWorld
    github: GitHubWorld

    def begin(self) -> None:
        """From now on."""
        self.github.watch(self.moved)

    async def moved(self, repository: str, branch: str, stands: str) -> None:
        """What follows from that branch standing there."""
        if repository != self.repository:
            return
        await self.judged(branch, stands)
        if not await self._brings(stands):
            return
        lowest = min(self.policy.environments, key=lambda name: self.policy.environments[name].rank)
        if branch == self.policy.environments[lowest].branch:
            for name, service in self.services.items():
                if lowest in service.cloud_run:
                    await self._deliver(name, lowest, stands)

    async def _brings(self, commit: str) -> bool:
        """Whether it changes any service; notes and logs are not built."""
        (made,) = await self.github.repository(self.repository).git.commits(commit)
        if not made.parents:
            return True
        sides = [(commit, name) for name in self.services], [(made.parents[0], name) for name in self.services]
        now, before = [[await self.github.holds(self.repository, *one) for one in side] for side in sides]
        return now != before

    async def judged(self, branch: str, stands: str) -> None:
        """Every check of that commit has passed; on the branch of an environment, every workflow too."""
        for check in checks(self.policy):
            self.github.set_check(self.repository, stands, check, "success")
        if branch in {place.branch for place in self.policy.environments.values()}:
            for workflow, title in workflows(self.policy).items():
                await self.github.run_workflow(self.repository, workflow, branch, "success", title=title)

    async def _deliver(self, name: str, where: str, commit: str) -> None:
        """Built from that commit and serving there, unless this commit changes nothing of the service."""
        service, held = self.services[name], await self.github.holds(self.repository, commit, name)
        digest = "sha256:" + hashlib.sha256(f"{name} {held}".encode()).hexdigest()
        said = await self.github.file(self.repository, commit, f"{name}/behaviour.json")
        if said is not None:
            self.google.declare(digest, Behaviour(**json.loads(said)))
        self.deploy(service, name, where, digest, commit)

    def deploy(self, service: Service, name: str, where: str, digest: str, commit: str) -> None:
        site, at = service.cloud_run[where], self.github.now()
        revision = f"{site.rpartition('/')[2]}-r-{digest[7:19]}-{commit[:7]}"
        reference = f"{image(self.policy, self.repository, name, REGISTRY)}@{digest}"
        self.google.add_revision(
            site, reference, revision=revision, created_at=at, commit=commit, container=service.container or ""
        )
        payload = {"digest": digest, "revision": revision}
        production = self.policy.environments[where].production
        self.github.add_deployment(self.repository, commit, where, payload, "success", at, production=production)


def forwards(policy: Policy) -> bool:
    """Whether a branch moves forward there to promote."""
    return any(path.model is Model.FAST_FORWARD for path in policy.paths)


def merges(policy: Policy) -> bool:
    """Whether branches are merged there to promote."""
    return any(path.model is Model.BRANCH_MERGE for path in policy.paths)


def checks(policy: Policy) -> Sequence[str]:
    """Every check that some gate looks at."""
    named = [name for path in policy.paths for name in path.gates.checks]
    named += [name for gate in policy.gates.values() if gate.kind == "checks" for name in (*gate.names, *gate.excused)]
    return list(dict.fromkeys(named))


def workflows(policy: Policy) -> Mapping[str, str]:
    """Every workflow file that some gate looks at, and what its runs are called: with what it was started with."""
    asked = [gate for gate in policy.gates.values() if gate.kind == "workflow"]
    return {gate.workflow: " ".join(f"{key}={value}" for key, value in gate.inputs.items()) for gate in asked}
