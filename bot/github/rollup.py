"""What does GitHub's other API say of a commit's checks? Asked so that two answers can be held against each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from bot.github.names import full
from bot.github.reading import App, CheckRun, CommitStatus, read
from commands.errors import Rejected
from policy.model import Sha

if TYPE_CHECKING:
    from bot.github.client import Client

PAGES_MAX = 30
_NEVER = datetime.min.replace(tzinfo=UTC)
QUERY = """
query ($owner: String!, $name: String!, $oid: GitObjectID!, $after: String) {
  repository(owner: $owner, name: $name) { object(oid: $oid) { ... on Commit { statusCheckRollup {
    contexts(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        ... on CheckRun {
          databaseId name status conclusion startedAt completedAt checkSuite { app { databaseId } }
        }
        ... on StatusContext { context state createdAt }
      }
    }
  } } } }
}
"""


class _App(BaseModel):
    databaseId: int | None = None  # noqa: N815 - GitHub's names


class _Suite(BaseModel):
    app: _App | None = None


class _Node(BaseModel):
    databaseId: int | None = None  # noqa: N815
    name: str = ""
    status: str = ""
    conclusion: str | None = None
    startedAt: datetime | None = None  # noqa: N815
    completedAt: datetime | None = None  # noqa: N815
    checkSuite: _Suite | None = None  # noqa: N815
    context: str = ""
    state: str = ""
    createdAt: datetime = _NEVER  # noqa: N815

    def run(self) -> CheckRun:
        app = self.checkSuite.app.databaseId if self.checkSuite and self.checkSuite.app else None
        return CheckRun(
            id=self.databaseId or 0,
            name=self.name,
            status=self.status.lower(),
            conclusion=self.conclusion.lower() if self.conclusion else None,
            started_at=self.startedAt,
            completed_at=self.completedAt,
            app=App(id=app) if app is not None else None,
        )

    def commit_status(self) -> CommitStatus:
        state = self.state.lower()
        return CommitStatus(id=0, context=self.context, state=state, target_url=None, updated_at=self.createdAt)


class _PageInfo(BaseModel):
    hasNextPage: bool  # noqa: N815
    endCursor: str | None = None  # noqa: N815


class _Contexts(BaseModel):
    pageInfo: _PageInfo  # noqa: N815
    nodes: list[_Node] = Field(default_factory=list)


class _Rollup(BaseModel):
    contexts: _Contexts


class _Commit(BaseModel):
    statusCheckRollup: _Rollup | None = None  # noqa: N815


class _Repository(BaseModel):
    object: _Commit


class _Answer(BaseModel):
    repository: _Repository


async def rolled_up(client: Client, repository: str, commit: Sha) -> tuple[list[CheckRun], list[CommitStatus]]:
    """All runs and statuses of the commit, as they come in its rollup."""
    owner, _, name = repository.partition("/")
    variables: dict[str, Any] = {"owner": owner, "name": name, "oid": full(commit), "after": None}
    runs: list[CheckRun] = []
    statuses: list[CommitStatus] = []
    for _ in range(PAGES_MAX):
        said = read(_Answer, await client.ask(repository, QUERY, variables)).repository.object.statusCheckRollup
        if said is None:
            return runs, statuses
        runs += [node.run() for node in said.contexts.nodes if node.name]
        statuses += [node.commit_status() for node in said.contexts.nodes if node.context]
        if not said.contexts.pageInfo.hasNextPage:
            return runs, statuses
        variables["after"] = said.contexts.pageInfo.endCursor
    raise Rejected(f"GitHub has more than {PAGES_MAX * 100} checks of one commit of {repository}.")
