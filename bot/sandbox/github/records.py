"""What does the local GitHub keep beside git's own objects and refs? Plain records, by repository."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.sandbox.github.git import Git


class Clock(Protocol):
    """Whatever tells the time; aware UTC."""

    def now(self) -> datetime: ...


@dataclass(slots=True)
class CheckRun:
    """One run of a check on a commit."""

    id: int
    suite: int
    app: str
    """The app's name; runs of one app on one commit share a suite unless told otherwise."""
    name: str
    sha: str
    status: str
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None
    details_url: str = ""
    external_id: str = ""
    title: str | None = None
    summary: str | None = None


@dataclass(slots=True)
class Status:
    """One commit status; the newest of a context counts."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: str
    at: datetime


@dataclass(slots=True)
class DeploymentStatus:
    """One status of a deployment; the newest counts."""

    id: int
    state: str
    description: str
    log_url: str
    environment_url: str
    environment: str
    creator: str
    at: datetime


@dataclass(slots=True)
class Deployment:
    """The record that a commit was put somewhere."""

    id: int
    sha: str
    ref: str
    task: str
    environment: str
    payload: Any
    description: str | None
    transient: bool
    production: bool
    creator: str
    created_at: datetime
    updated_at: datetime
    statuses: list[DeploymentStatus] = field(default_factory=list)
    """Oldest first."""


@dataclass(slots=True)
class Release:
    """A release of a tag."""

    id: int
    tag: str
    target: str
    name: str | None
    body: str | None
    draft: bool
    prerelease: bool
    author: str
    created_at: datetime
    published_at: datetime | None


@dataclass(slots=True)
class Records:
    """Everything of one repository that is not in git. Each list is in the order of making."""

    check_runs: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)


@dataclass(slots=True)
class Repository:
    """One repository."""

    id: int
    owner: str
    name: str
    git: Git
    default_branch: str
    created_at: datetime
    records: Records = field(default_factory=Records)
    before: Records | None = None
    """The records as they were before the last write: what a reader that lags behind sees; None: not written yet."""
    refs_before: dict[str, str | None] = field(default_factory=dict)
    """The refs that the last write touched, as they were (None: absent)."""
    lagging: bool = False
    """True in a view that is given to a reader that lags behind."""

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def remember(self) -> None:
        """What stands now is what a reader that lags behind will see, until the next write."""
        self.before = copy.deepcopy(self.records)
        self.refs_before = {}

    def lagged(self) -> Repository:
        """This repository as it was before the last write."""
        return Repository(
            self.id,
            self.owner,
            self.name,
            self.git,
            self.default_branch,
            self.created_at,
            self.before or self.records,
            None,
            self.refs_before,
            lagging=True,
        )

    async def ref(self, name: str) -> str | None:
        if self.lagging and name in self.refs_before:
            return self.refs_before[name]
        return await self.git.ref(name)

    async def refs(self, beginning: str) -> dict[str, str]:
        values: dict[str, str | None] = dict(await self.git.refs(beginning))
        if self.lagging:
            values |= {name: value for name, value in self.refs_before.items() if name.startswith(beginning)}
        return {name: value for name, value in sorted(values.items()) if value}


@dataclass(slots=True)
class App:
    """A registered GitHub App with one installation."""

    id: int
    name: str
    public_key: str
    """PEM."""
    installation: int
    permissions: dict[str, str]
    """What the installation was granted: permission → `read` | `write` | `admin`."""
    created_at: datetime


@dataclass(slots=True)
class Token:
    """What a token may do. Without an app it is a person's and may do anything."""

    text: str = field(repr=False)
    login: str
    app: App | None = None
    repositories: frozenset[int] | None = None
    """Ids; None: all."""
    permissions: dict[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    spent: int = 0
    """Requests counted against the hourly limit."""
    resets_at: datetime | None = None

    def may(self, permission: str, level: str) -> bool:
        if self.app is None:
            return True
        order = ("", "read", "write", "admin")
        return order.index(self.permissions.get(permission, "")) >= order.index(level)

    def sees(self, repository: Repository) -> bool:
        return self.repositories is None or repository.id in self.repositories


class Books:
    """All that the local GitHub knows."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.url = ""
        """Where the API answers, without a slash at the end."""
        self.repositories: dict[str, Repository] = {}
        """By full name in lower case: names do not differ by case."""
        self.apps: dict[int, App] = {}
        self.tokens: dict[str, Token] = {}
        self.limit = 5000  # requests an hour for one installation
        self._ids = itertools.count(4001)
        self._suites: dict[tuple[str, str], int] = {}

    def new_id(self) -> int:
        return next(self._ids)

    def now(self) -> datetime:
        """To the second, as everything GitHub tells."""
        return self.clock.now().replace(microsecond=0)

    def repository(self, full_name: str) -> Repository | None:
        return self.repositories.get(full_name.lower())

    def suite(self, sha: str, app: str) -> int:
        """The one check suite of that app on that commit."""
        return self._suites.setdefault((sha, app), self.new_id())

    def app_named(self, name: str) -> App | None:
        return next((app for app in self.apps.values() if app.name == name), None)


def as_text(value: Mapping[str, Any], name: str, default: str = "") -> str:
    """That field as a string, the default where it is absent or null."""
    found = value.get(name)
    return default if found is None else str(found)
