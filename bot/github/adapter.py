"""What does GitHub know about a commit, and what do we write there? The port `Code`."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp

from bot.github import fixes, history, known, protection, reported
from bot.github.attested import Attested, verifying
from bot.github.connection import LOOKS, Connection
from bot.github.credentials import AppKey, PersonalToken
from bot.github.names import full
from bot.github.pace import Pace, StoodStill
from bot.github.pull_requests import PullRequests
from bot.github.reading import (
    CheckRun,
    CommitStatus,
    ComparisonRead,
    DeploymentRead,
    DeploymentStatus,
    merged,
    read,
)
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Clock, Comparison, Deployment, Link, Look, Opened, Written
from policy.evidence import Attestation, Changes, Issue, Measured, PullRequest, Repository, Tag, WorkflowRun
from policy.facts import Check
from policy.model import Digest, Sha, Unknown

if TYPE_CHECKING:
    from bot.github.client import Client

DEPLOYMENTS_READ = 20
"""Each costs a request for its statuses, and nobody goes back further."""
DESCRIPTION_MAX = 140  # https://docs.github.com/rest/deployments/statuses#create-a-deployment-status

_Found = TypeVar("_Found")


class GitHub:
    """GitHub, over one shared session that somebody else closes."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: PersonalToken | AppKey,
        clock: Clock,
        *,
        url: str = "https://api.github.com",
        pace: Pace | None = None,
        attested: Attested | None = None,
    ) -> None:
        self.connection = Connection(session, credentials, clock, url, pace or Pace())
        self._pace = self.connection.pace
        self._attested = attested or verifying()
        self._recording: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def _client(self) -> Client:
        return await self.connection.client()

    async def checks(self, repository: str, commit: Sha) -> Mapping[str, Check]:
        """Newest result of each check on exactly that commit, by name.

        Check runs of all suites (newest of each name and app; one under way counts before an older success) and
        commit statuses (newest of each context). Where several share a name, the one that passes least counts.
        """
        client, at = await self._client(), full(commit)
        runs, statuses = await asyncio.gather(
            client.pages(repository, f"/commits/{at}/check-runs", "check_runs", filter="latest"),
            client.pages(repository, f"/commits/{at}/status", "statuses"),
        )
        return merged([read(CheckRun, run) for run in runs], [read(CommitStatus, status) for status in statuses])

    async def deployments(self, repository: str, environment: str) -> tuple[Deployment, ...]:
        """The newest twenty or fewer, newest first, each with its newest status."""
        client = await self._client()
        listed = await client.read(repository, "/deployments", environment=environment, per_page=str(DEPLOYMENTS_READ))
        found = sorted((read(DeploymentRead, one) for one in listed), key=lambda one: one.id, reverse=True)
        newest = await asyncio.gather(*(self._newest(client, repository, one.id) for one in found))
        return tuple(one.deployment(status) for one, status in zip(found, newest, strict=True))

    async def compare(self, repository: str, base: Sha, head: Sha) -> Comparison:
        """How `head` stands to `base`."""
        client = await self._client()
        said = await client.read(repository, f"/compare/{full(base)}...{full(head)}")
        return read(ComparisonRead, said).comparison()

    async def head(self, repository: str, branch: str) -> Sha | None:
        """Where that branch stands; None: there is none that is called so letter by letter."""
        return await history.head(await self._client(), repository, branch)

    async def refs(self, repository: str, beginning: str) -> Mapping[str, Sha]:
        """Every branch or tag whose name begins so, by that name: `heads/main`, `tags/v1.4.2`."""
        return await fixes.refs(await self._client(), repository, beginning)

    async def written(self, repository: str, commit: Sha) -> Written:
        """The commit, with all that it says."""
        return await fixes.written(await self._client(), repository, commit)

    async def came_by(self, repository: str, commit: Sha) -> int | None:
        """The number of the merged pull request that it first came by."""
        return await fixes.came_by(await self._client(), repository, commit)

    async def opened(self, repository: str, number: int) -> Opened:
        """The pull request, as it stands."""
        return await fixes.opened(await self._client(), repository, number)

    async def trunk(self, repository: str) -> str:
        """The repository's default branch."""
        return await history.trunk(await self._client(), repository)

    async def holding(self, repository: str, commit: Sha, like: Sequence[str]) -> tuple[str, ...]:
        """The branches that stand at that commit, and of those that are called like one of these all that hold it."""
        return await history.holding(await self._client(), repository, commit, like)

    async def tree(self, repository: str, commit: Sha) -> str:
        """What the commit holds, by the id of its tree."""
        return await history.tree(await self._client(), repository, commit)

    async def lineage(self, repository: str, base: Sha, head: Sha) -> tuple[Link, ...]:
        """Every commit that `head` has and `base` lacks, oldest first."""
        found = await history.between(await self._client(), repository, base, head)
        if len(found.commits) < found.total:
            raise Unavailable(f"GitHub told only {len(found.commits)} of {found.total} commits of {repository}.")
        return tuple(one.link() for one in found.commits)

    async def changes(self, repository: str, base: Sha, head: Sha, look: frozenset[Look], branch: str) -> Changes:
        """What came between, with the pull requests that it came by; `branch` where that holds `head`."""
        return await history.changes(await self._client(), repository, base, head, look, branch)

    async def unprotected(self, repository: str, branch: str) -> tuple[str, ...]:
        """What may be done to the branch that a protected one forbids."""
        return await protection.lacks(await self._client(), repository, branch)

    async def not_passed(self, repository: str, branch: str, commit: Sha) -> tuple[str, ...]:
        """The checks that the branch requires and that commit has not passed; one that never ran is among them."""
        client = await self._client()
        return await protection.agreed(
            client, repository, await protection.required(client, repository, branch), commit
        )

    async def strict(self, repository: str, branch: str) -> bool:
        """Whether the branch takes nothing that lacks one of its commits."""
        return await protection.strict(await self._client(), repository, branch)

    async def unmergeable(self, repository: str, branch: str) -> str:
        """Why that branch takes no merge commit from us, one sentence; empty: nothing is known that forbids it."""
        return await protection.unmergeable(await self._client(), repository, branch)

    async def promotion(self, repository: str, source: str, target: str) -> PullRequest | None:
        """The open pull request from the one branch to the other, with what it says."""
        pulls = PullRequests(await self._client(), repository)
        found = await pulls.open_between(source, target)
        return None if found is None else await pulls.seen(found, frozenset())

    async def workflow(self, repository: str, file: str, commit: Sha) -> WorkflowRun | None:
        """The run of that workflow that was started last on exactly that commit."""
        return await known.workflow(await self._client(), repository, file, commit)

    async def tag(self, repository: str, commit: Sha, pattern: str, serving: Sha | None) -> Tag | None:
        """The highest tag on that commit that is called like the pattern."""
        return await known.tag(await self._client(), repository, commit, pattern, serving)

    async def tagged(self, repository: str, name: str) -> Tag | None:
        """That tag, wherever it is now."""
        return await known.tagged(await self._client(), repository, name)

    async def attestations(self, repository: str, digest: Digest, commit: Sha | Unknown) -> tuple[Attestation, ...]:
        """What is attested of that artifact, each verified as coming from that repository's commit or its equal."""
        return await self._attested.of(await self._client(), repository, digest, commit)

    async def alerts(self, repository: str, source: str) -> Mapping[str, tuple[str, ...]]:
        """Severity → names of what is open."""
        return await known.alerts(await self._client(), repository, source)

    async def numbers(self, repository: str, commit: Sha, reports: Sequence[str]) -> Mapping[str, Measured]:
        """By report, the one number that a check or status of that name on that commit says of itself."""
        return await reported.numbers(await self._client(), repository, commit, reports)

    async def issues(self, repository: str, labels: Sequence[str]) -> tuple[Issue, ...]:
        """The open ones with any of these labels."""
        return await known.issues(await self._client(), repository, labels)

    async def kept(self, repository: str, files: Sequence[str], owned: Sequence[str]) -> Repository:
        """Which of these files the default branch lacks, and which of these paths nobody owns there."""
        return await known.kept(await self._client(), repository, files, owned)

    async def record_deployment(
        self,
        repository: str,
        *,
        commit: Sha,
        environment: str,
        production: bool,
        operation: str,
        payload: Mapping[str, str],
        description: str,
        doubted: bool = False,
    ) -> int:
        """The id of the one deployment of this commit with this operation id: found, or else created."""
        client, at = await self._client(), full(commit)

        async def find() -> int | None:
            listed = await client.pages(repository, "/deployments", environment=environment, sha=at)
            known = [one for one in (read(DeploymentRead, one) for one in listed) if one.word("operation") == operation]
            return min((one.id for one in known), default=None)

        body = {
            "ref": at,
            "environment": environment,
            "production_environment": production,
            "transient_environment": False,
            "auto_merge": False,
            "required_contexts": [],
            "payload": {**payload, "operation": operation},
            "description": description[:DESCRIPTION_MAX],
        }
        async with self._recording[repository]:
            made = await self._once(repository, "/deployments", body, find, doubted=doubted)
            if isinstance(made, int):
                return made
            if isinstance(made, dict) and "id" not in made and isinstance(made.get("message"), str):
                # 202: it merged, and deployed nothing. https://docs.github.com/rest/deployments/deployments
                raise Rejected(f"GitHub recorded no deployment: {made['message']}")
            if not isinstance(made, dict) or not isinstance(made.get("id"), int):
                lost = OutcomeUnknown("GitHub's answer to a new deployment cannot be read.")
                return await self.connection.looked(find, lost)
            return int(made["id"])

    async def record_status(
        self,
        repository: str,
        deployment: int,
        *,
        state: str,
        description: str,
        log: str = "",
        address: str = "",
        doubted: bool = False,
    ) -> None:
        """That deployment's newest status is `state`; nothing is written where it already is."""
        client = await self._client()

        async def stands() -> bool | None:
            newest = await self._newest(client, repository, deployment)
            return True if newest is not None and newest.state == state else None

        async with self._recording[repository]:
            # GitHub itself would retire nothing of production, and elsewhere what other services serve
            body = {
                "state": state,
                "description": description[:DESCRIPTION_MAX],
                "auto_inactive": False,
                **({"log_url": log} if log else {}),
                **({"environment_url": address} if address else {}),
            }
            await self._once(repository, f"/deployments/{deployment}/statuses", body, stands, doubted=doubted)

    async def _once(
        self,
        repository: str,
        path: str,
        body: Mapping[str, Any],
        look: Callable[[], Awaitable[_Found | None]],
        *,
        doubted: bool,
    ) -> _Found | Any:  # noqa: ANN401 - JSON
        """What `look` finds; where it finds nothing, the answer to a write that was sent right after it had looked.

        GitHub takes no condition with these writes. Whoever stood still between the look and the write looks again:
        somebody else may have taken over and written meanwhile. Where it is doubted, two looks must find nothing, as
        one answer may be old.
        """
        client = await self._client()
        for _ in range(LOOKS):
            looked_at = self._pace.monotonic()
            found = await look()
            if found is None and doubted:
                found = await look()
            if found is not None:
                return found
            try:
                return await client.write(repository, path, body, until=looked_at + self.connection.FRESH)
            except OutcomeUnknown as lost:
                return await self.connection.looked(look, lost)
            except StoodStill:
                continue
        raise Unavailable("GitHub answers so slowly that nothing can be recorded safely; nothing was sent.")

    async def _newest(self, client: Client, repository: str, deployment: int) -> DeploymentStatus | None:
        listed = await client.pages(repository, f"/deployments/{deployment}/statuses")
        statuses = [read(DeploymentStatus, one) for one in listed]
        return max(statuses, key=lambda one: (one.created_at, one.id), default=None)
