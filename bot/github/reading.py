"""What do we read in GitHub's answers? Only the fields we use; the rest may come and go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bot.github import written
from commands.errors import Unavailable
from commands.ports import Change, Comparison, Deployment, Link
from policy.facts import Check, CheckState
from policy.model import Digest, Sha, digest, sha

# https://docs.github.com/pull-requests, "about status checks": these three let a required check pass.
PASSING = frozenset({"success", "neutral", "skipped"})
WEB = "web-flow"
"""Who commits what is merged or edited on the host's own pages."""
# https://docs.github.com/pull-requests, "creating a commit with multiple authors"
_CO_AUTHOR = re.compile(
    r"^co-authored-by:[ \t]*(?P<name>[^<\n]*?)[ \t]*<(?P<address>[^<>\n]*)>[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_NO_REPLY = re.compile(r"(?:\d+\+)?(?P<login>[A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.github\.com", re.IGNORECASE)
_NEVER = datetime.max.replace(tzinfo=UTC)


_Read = TypeVar("_Read", bound=BaseModel)


def read(shape: type[_Read], said: Any) -> _Read:  # noqa: ANN401 - JSON
    """The answer, as far as we use it; `Unavailable` where it is another than we know."""
    try:
        return shape.model_validate(said)
    except ValidationError as error:
        raise Unavailable("GitHub's answer could not be understood.") from error


def read_all(shape: type[_Read], said: Iterable[Any]) -> list[_Read]:
    return [read(shape, one) for one in said]


class App(BaseModel):
    id: int


class CheckRun(BaseModel):
    id: int
    name: str
    status: str
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None
    app: App | None
    html_url: str | None = None
    details_url: str | None = None

    def check(self) -> Check:
        if self.status != "completed":
            state = CheckState.PENDING
        else:
            state = CheckState.PASSED if self.conclusion in PASSING else CheckState.FAILED
        saw = self.status if self.status != "completed" else self.conclusion or "no conclusion"
        return Check(self.name, state, self.html_url or self.details_url or "", saw, self.completed_at)

    @property
    def order(self) -> tuple[datetime, int]:
        """Later means newer; a run that has not started yet is the newest."""
        return self.started_at or self.completed_at or _NEVER, self.id


class CommitStatus(BaseModel):
    id: int
    context: str
    state: str
    target_url: str | None
    updated_at: datetime

    def check(self) -> Check:
        known = {"success": CheckState.PASSED, "pending": CheckState.PENDING}
        state = known.get(self.state, CheckState.FAILED)
        return Check(self.context, state, self.target_url or "", self.state, self.updated_at)


class DeploymentStatus(BaseModel):
    id: int
    state: str
    created_at: datetime


class DeploymentRead(BaseModel):
    id: int
    sha: str
    environment: str
    payload: Any = None
    updated_at: datetime
    production_environment: bool = False

    def word(self, name: str) -> str:
        """That string in the payload; empty where the payload is malformed or has none."""
        payload = self.payload
        if isinstance(payload, str):
            try:
                payload = json.loads(payload)
            except ValueError:
                return ""
        found = payload.get(name) if isinstance(payload, dict) else None
        return found if isinstance(found, str) else ""

    def digest(self) -> Digest | None:
        try:
            return digest(self.word("digest"))
        except ValueError:
            return None

    def deployment(self, newest: DeploymentStatus | None) -> Deployment:
        return Deployment(
            self.id,
            self.environment,
            sha(self.sha),
            self.digest(),
            self.word("operation"),
            newest.state if newest else "",
            newest.created_at if newest else self.updated_at,
            self.word("revision"),
            self.word("service"),
        )


class Author(BaseModel):
    login: str | None = None
    name: str | None = None


class Verification(BaseModel):
    verified: bool = False
    reason: str = ""


class GitCommit(BaseModel):
    message: str
    author: Author | None
    committer: Author | None = None
    verification: Verification | None = None


class Parent(BaseModel):
    sha: str


class CommitRead(BaseModel):
    sha: str
    commit: GitCommit
    author: Author | None
    committer: Author | None = None
    parents: list[Parent] = []

    @property
    def verified(self) -> bool:
        return self.commit.verification is not None and self.commit.verification.verified

    def link(self) -> Link:
        """The commit with those that it speaks of."""
        message = self.commit.message
        return Link(
            Sha(self.sha),
            message.split("\n", 1)[0],
            tuple(Sha(parent.sha) for parent in self.parents),
            written.picked_from(message),
            tuple(written.reverts(message)),
            tuple(written.origins(message)),
        )

    def change(self) -> Change:
        """The commit with everybody who had a hand in it; those without an account by the name that it gives."""
        author = _who(self.author, self.commit.author) or ("somebody", False)
        committer = _who(self.committer, self.commit.committer)
        hands = [
            author,
            *([committer] if committer and committer != (WEB, True) else []),
            *_co_authors(self.commit.message),
        ]
        others = dict.fromkeys(name for name, _ in hands[1:] if name != author[0])
        known = {name for name, account in hands if account}
        title = self.commit.message.split("\n", 1)[0]
        return Change(Sha(self.sha), title, author[0], tuple(others), frozenset({name for name, _ in hands} - known))


def _who(account: Author | None, named: Author | None) -> tuple[str, bool] | None:
    """Login, or else the name in the commit; and whether there is an account."""
    if account is not None and account.login:
        return account.login, True
    return (named.name, False) if named is not None and named.name else None


def _co_authors(message: str) -> Iterator[tuple[str, bool]]:
    """Those whom the message names; an account where their address is the one that the host gives out for it."""
    for found in _CO_AUTHOR.finditer(message):
        address = _NO_REPLY.fullmatch(found["address"])
        yield (address["login"], True) if address else (found["name"], False)


class ComparisonRead(BaseModel):
    ahead_by: int
    behind_by: int
    commits: list[CommitRead]

    def comparison(self) -> Comparison:
        return Comparison(self.ahead_by, self.behind_by, tuple(commit.change() for commit in self.commits))


def merged(runs: Iterable[CheckRun], statuses: Iterable[CommitStatus]) -> dict[str, Check]:
    """One check for each name: of every app's newest run and the newest commit status, the one that passes least."""
    newest_runs: dict[tuple[str, int], CheckRun] = {}
    for run in sorted(runs, key=lambda run: run.order):
        # GitHub's own `filter=latest` looks inside one check suite only; the same app may have several.
        newest_runs[run.name, run.app.id if run.app else 0] = run
    newest_statuses = {status.context: status for status in sorted(statuses, key=lambda one: (one.updated_at, one.id))}
    results: dict[str, Check] = {}
    for check in (*(run.check() for run in newest_runs.values()), *(one.check() for one in newest_statuses.values())):
        known = results.get(check.name)
        if known is None or _WORSE.index(check.state) < _WORSE.index(known.state):
            results[check.name] = check
    return results


_WORSE = (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED)
