"""What does the local GitHub keep beside git's own objects and refs? Plain records, by repository."""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.sandbox.github.git import Git
from bot.sandbox.github.postman import Postman
from bot.sandbox.github.pull_request import PullRequest
from bot.sandbox.github.rule_records import Protection, Ruleset, RuleSuite

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
"""What a person may do in a repository, least first."""

ACTIONS = 15368  # the id that GitHub Actions has on github.com, as seen in recorded check runs


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
    app: int = 0
    """Id of the app that said it; 0: a person."""


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
class Asset:
    """A file of a release."""

    id: int
    name: str
    label: str
    content_type: str
    content: bytes
    uploader: str
    created_at: datetime
    whole: bool = True
    """False: its upload was broken off; its name is taken all the same."""


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
    assets: list[Asset] = field(default_factory=list)
    latest: int = 0
    """The highest of those published is called the latest one; 0: it never was to be."""
    immutable: bool = False
    """It was published where releases are immutable: neither its files nor its tag change any more."""


@dataclass(slots=True)
class Environment:
    """Somewhere to deploy to."""

    id: int
    name: str
    at: datetime
    wait: int = 0
    """Minutes."""


@dataclass(slots=True)
class WorkflowRun:
    """One run of a workflow file."""

    id: int
    workflow: str
    """The file's name."""
    number: int
    branch: str
    sha: str
    event: str
    by: str
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    conclusion: str | None = None
    attempt: int = 1
    title: str = ""
    """What `run-name` made of it; empty: what the file is called."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a run of a workflow left behind."""

    id: int
    run: int
    name: str
    size: int
    """Bytes."""
    digest: str
    at: datetime


@dataclass(slots=True)
class Attestation:
    """What somebody signed about an artifact."""

    id: int
    bundle: dict[str, Any]
    predicate_type: str
    digests: tuple[str, ...]
    secret: str
    """What the address of the bundle ends with."""


@dataclass(frozen=True, slots=True)
class PackageVersion:
    """One version of a package."""

    id: int
    name: str
    """Of a container: its digest."""
    tags: tuple[str, ...]
    at: datetime
    deleted: bool = False


@dataclass(slots=True)
class Records:
    """Everything of one repository that is not in git. Each list is in the order of making."""

    check_runs: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    immutable_releases: bool = False
    """Whatever is published from now on is immutable."""
    pulls: list[PullRequest] = field(default_factory=list)
    """The one with number n stands at n - 1."""
    attestations: list[Attestation] = field(default_factory=list)
    workflow_runs: list[WorkflowRun] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    environments: dict[str, Environment] = field(default_factory=dict)
    rulesets: list[Ruleset] = field(default_factory=list)
    rule_suites: list[RuleSuite] = field(default_factory=list)
    protections: dict[str, Protection] = field(default_factory=dict)
    """Classic protection by branch name or pattern."""


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
    parent: Repository | None = None
    """What it is a fork of."""
    roles: dict[str, str] = field(default_factory=dict)
    """Login → one of `ROLES`; who is not in it has none."""
    merge_methods: tuple[str, ...] = ("merge", "squash", "rebase")
    """Those that its settings allow."""
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
            self.parent,
            self.roles,
            self.merge_methods,
            refs_before=self.refs_before,
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

    @property
    def slug(self) -> str:
        """Its name as it stands in addresses and logins."""
        return self.name.lower().replace(" ", "-")


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
    points: list[tuple[datetime, int]] = field(default_factory=list)
    """What its requests of the last minute cost."""

    def may(self, permission: str, level: str) -> bool:
        if self.app is None:
            return True
        order = ("", "read", "write", "admin")
        return order.index(self.permissions.get(permission, "")) >= order.index(level)

    def sees(self, repository: Repository) -> bool:
        return self.repositories is None or repository.id in self.repositories


@dataclass(slots=True)
class Team:
    """Some people of an organisation under one name."""

    organisation: str
    slug: str
    members: tuple[str, ...]
    role: str = "write"
    """What its members may do in every repository of the organisation."""

    @property
    def id(self) -> int:
        return number_of(f"team {self.organisation}/{self.slug}")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who wants something."""

    login: str
    app: int
    """The app's id; 0: a person."""
    role: str
    teams: frozenset[str]
    """Slugs."""


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
        self.teams: dict[tuple[str, str], Team] = {}
        """By organisation and slug."""
        self.packages: dict[tuple[str, str, str], list[PackageVersion]] = {}
        """By organisation, type and name; oldest first."""
        self.postman = Postman()
        self.watching: list[Callable[[Repository, str, str], Awaitable[None]]] = []
        """Who is called after each move of a ref, with where it stands now: CI, besides whoever listens to webhooks."""
        self.sign: Callable[[bytes], str] | None = None
        """GitHub's own signature of what it commits for somebody."""
        self.signing_keys: dict[str, str] = {}
        """Public key as in `authorized_keys` → whose it is."""
        self.web_flow = "web-flow"
        """The login whose key signs what GitHub itself commits."""
        self.roles: dict[str, str] = {}
        """Login → what they may do in every repository."""
        self.owner = "release-bot"
        """The login that administers every repository."""
        self.limit = 5000  # requests an hour for one installation
        self.points_a_minute: int | None = None
        """The secondary limit of one token, where it is played: reading costs 1, writing 5."""
        self.renamed: dict[str, Repository] = {}
        """By the full name, in lower case, that a repository had before."""
        self.unknown_reads = 1
        """How often a pull request is read before GitHub says whether it can be merged."""
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

    def app_id(self, name: str) -> int:
        """The id of that app, one that nobody registered included."""
        known = self.app_named(name)
        if known is not None:
            return known.id
        return ACTIONS if name == "GitHub Actions" else number_of(f"app {name}")

    def person_id(self, login: str) -> int:
        return number_of(login)

    def teams_of(self, organisation: str, login: str) -> list[Team]:
        return [team for team in self.teams.values() if team.organisation == organisation and login in team.members]

    def role(self, repository: Repository, login: str) -> str:
        """The most that the person was given there."""
        if login == self.owner:
            return "admin"
        given = [repository.roles.get(login, "none"), self.roles.get(login, "none")]
        given += (team.role for team in self.teams_of(repository.owner, login))
        return max(given, key=ROLES.index)

    def can_write(self, repository: Repository, login: str) -> bool:
        return ROLES.index(self.role(repository, login)) >= ROLES.index("write")

    def actor(self, repository: Repository, login: str, app: int) -> Actor:
        teams = frozenset(team.slug for team in self.teams_of(repository.owner, login))
        return Actor(login, app, "none" if app else self.role(repository, login), teams)


def number_of(name: str) -> int:
    """A stable id for something that is known by its name only."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:3]) + 1


def as_text(value: Mapping[str, Any], name: str, default: str = "") -> str:
    """That field as a string, the default where it is absent or null."""
    found = value.get(name)
    return default if found is None else str(found)
