"""What does a policy file say? Its schema; whoever reads the file hands over plain data and the hash of its bytes."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from policy.model import Human

_SPAN = re.compile(r"P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def span(text: object) -> object:
    """The time span that `PT10M`, `P1D` or `PT1H30M` spells; months and years have no fixed length and are refused."""
    if isinstance(text, timedelta):
        return text
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        message = "write a time span like PT10M, PT24H or P1D"
        raise ValueError(message)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _zone(name: str) -> str:
    if name not in available_timezones():
        message = f"{name!r} is no IANA time zone; write one like Europe/Berlin"
        raise ValueError(message)
    return name


def _wall(text: object) -> object:
    if isinstance(text, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
        return text
    message = 'write a quoted wall-clock time like "09:00"; "24:00" ends a day'
    raise ValueError(message)


Span = Annotated[timedelta, BeforeValidator(span)]
Zone = Annotated[str, AfterValidator(_zone)]
Wall = Annotated[str, BeforeValidator(_wall)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Percent = Annotated[int, Field(ge=0, le=100)]


class Part(BaseModel):
    """A part of the file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


# People -------------------------------------------------------------------------------------------------------------


class PersonEntry(Part):
    """One human and the accounts that are theirs."""

    slack: str | None = Field(default=None, pattern=r"^[UW][A-Z0-9]+$", description="Slack user id, not the name")
    github: str | None = Field(default=None, description="GitHub login")


class Role(Part):
    """Who holds a role: humans by name, or everybody in a Slack user group (`slack:group/S…`)."""

    members: tuple[str, ...] = Field(min_length=1)


class Deeds(Part):
    """Which roles may ask for what. A deed without a role may be asked for by nobody."""

    promote: tuple[Name, ...] = ()
    rollback: tuple[Name, ...] = ()
    freeze: tuple[Name, ...] = ()
    lift: tuple[Name, ...] = ()


# Windows ------------------------------------------------------------------------------------------------------------


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Weekly(Part):
    """A wall-clock span on certain days; `end` before `start` crosses midnight, and `days` name the day it starts on."""

    days: tuple[Weekday, ...] = Field(min_length=1)
    start: Wall
    end: Wall


class Interval(Part):
    """One span of local time, with a name people will read."""

    start: str
    end: str
    name: str = ""


class MonthEnd(Part):
    """Days around the turn of a month, calendar days or business days (Monday to Friday, less the holidays)."""

    last_days: int = Field(default=0, ge=0, le=31)
    first_days: int = Field(default=0, ge=0, le=31)
    last_business_days: int = Field(default=0, ge=0, le=23)
    first_business_days: int = Field(default=0, ge=0, le=23)
    holidays: tuple[date, ...] = ()
    name: str = ""


class Dates(Part):
    """Whole local days."""

    days: tuple[date, ...] = Field(min_length=1)
    name: str = ""


class WindowRule(Part):
    """Exactly one way of naming instants."""

    weekly: Weekly | None = None
    interval: Interval | None = None
    dates: Dates | None = None
    month_end: MonthEnd | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(part is not None for part in (self.weekly, self.interval, self.dates, self.month_end)) != 1:
            message = "a window rule is exactly one of weekly, interval, dates, month_end"
            raise ValueError(message)
        return self


class Window(Part):
    """When something is open: inside an allow rule (or any time, if there is none) and outside every deny rule."""

    timezone: Zone | None = Field(default=None, description="Default: the policy's")
    allow: tuple[WindowRule, ...] | None = None
    deny: tuple[WindowRule, ...] = ()


# What is deployed where ---------------------------------------------------------------------------------------------


class Environment(Part):
    """A place in the order of promotion."""

    rank: int = Field(ge=0)
    production: bool = False
    aliases: tuple[Name, ...] = ()


class Service(Part):
    """Something deployed: a repository and one Cloud Run service in each environment."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    cloud_run: dict[Name, str] = Field(description="environment: project/region/service")
    container: str | None = Field(default=None, description="Container that carries the image; default: the only one")
    channel: str | None = Field(default=None, pattern=r"^[CG][A-Z0-9]+$", description="Slack channel id bound to it")

    @model_validator(mode="after")
    def _places(self) -> Self:
        for environment, place in self.cloud_run.items():
            if not re.fullmatch(r"[a-z][a-z0-9-]+/[a-z0-9-]+/[a-z][a-z0-9-]*", place):
                message = f"cloud_run.{environment}: write project/region/service, not {place!r}"
                raise ValueError(message)
        return self


# Paths --------------------------------------------------------------------------------------------------------------


class Slot(Part):
    """So many different humans with this role must agree."""

    role: Name
    count: int = Field(default=1, ge=1, le=10)


class Probe(Part):
    """One HTTP request and what must come back."""

    path: str = Field(pattern=r"^/")
    method: Literal["GET", "HEAD", "POST"] = "GET"
    expect: tuple[int, ...] = (200,)
    repeat: int = Field(default=1, ge=1, le=50)
    within: Span = timedelta(seconds=5)


class Step(Part):
    """So much traffic, watched for so long before it is judged."""

    percent: int = Field(ge=1, le=100)
    hold: Span = timedelta(minutes=3)


class Health(Part):
    """When is the new revision well? Counted over the requests it really answered since the traffic moved."""

    max_error_percent: float = Field(default=1.0, ge=0, le=100)
    max_p99: Span | None = None
    min_requests: int = Field(default=100, ge=1)
    give_up_after: Span = timedelta(minutes=30)
    """Too few requests for this long: taken back."""


class Measure(Part):
    """How late the monitoring is. Defaults: request metrics are sampled each 60 s and seen up to 180 s later."""

    delay: Span = timedelta(seconds=210)
    resolution: Span = timedelta(seconds=60)


class Rollout(Part):
    """How traffic moves."""

    steps: tuple[Step, ...] = (Step(percent=10), Step(percent=50), Step(percent=100))
    smoke: tuple[Probe, ...] = ()
    health: Health = Health()
    deploy_within: Span = timedelta(minutes=10)

    @model_validator(mode="after")
    def _rises_to_all(self) -> Self:
        percents = [step.percent for step in self.steps]
        if not percents or percents[-1] != 100 or percents != sorted(set(percents)):
            message = "rollout steps rise, and the last one is 100"
            raise ValueError(message)
        return self


class Gates(Part):
    """What must be true of the candidate."""

    checks: tuple[str, ...] = ()
    soak: Span | None = None
    window: Name | None = None


class Model(StrEnum):
    ARTIFACT = "artifact"
    FAST_FORWARD = "fast_forward"
    BRANCH_MERGE = "branch_merge"


class Path(Part):
    """An allowed promotion."""

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    model: Literal[Model.ARTIFACT] = Model.ARTIFACT
    services: tuple[Name, ...] | None = Field(default=None, description="Default: every service")
    gates: Gates = Gates()
    approvals: tuple[Slot, ...] = ()
    approval_lasts: Span = timedelta(hours=24)
    request_lasts: Span = timedelta(hours=24)
    rollout: Rollout = Rollout()


class Policy(Part):
    """The whole file."""

    policy: Literal[1]
    name: str
    workspace: str = Field(pattern=r"^[TE][A-Z0-9]+$", description="Slack workspace id; nobody else's word counts")
    timezone: Zone = "UTC"
    people: dict[Name, PersonEntry] = {}
    roles: dict[Name, Role]
    may: Deeds
    environments: dict[Name, Environment] = Field(min_length=1)
    services: dict[Name, Service] = Field(min_length=1)
    windows: dict[Name, Window] = {}
    paths: tuple[Path, ...] = Field(min_length=1)
    measure: Measure = Measure()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for complaint in self._complaints():
            raise ValueError(complaint)
        return self

    def _complaints(self) -> list[str]:
        found = [
            f"may.{deed}: no role {role!r}; roles are {', '.join(self.roles)}"
            for deed, roles in self.may
            for role in roles
            if role not in self.roles
        ]
        for name, role in self.roles.items():
            found += [
                f"roles.{name}: {member!r} is neither a name under people: nor slack:group/S…"
                for member in role.members
                if member not in self.people and not re.fullmatch(r"slack:group/S[A-Z0-9]+", member)
            ]
        for name, service in self.services.items():
            found += [
                f"services.{name}.cloud_run: no environment {environment!r}"
                for environment in service.cloud_run
                if environment not in self.environments
            ]
        for path in self.paths:
            found += self._path_complaints(path)
        ranks = [environment.rank for environment in self.environments.values()]
        if len(set(ranks)) != len(ranks):
            found.append("environments: two of them have the same rank")
        spoken = [*self.environments, *(a for e in self.environments.values() for a in e.aliases)]
        if len({word.casefold() for word in spoken}) != len(spoken):
            found.append("environments: a name or alias stands twice")
        linked = [entry.slack for entry in self.people.values() if entry.slack]
        if len(set(linked)) != len(linked):
            found.append("people: one Slack account is linked to two people")
        return found

    def _path_complaints(self, path: Path) -> list[str]:
        name = f"paths.{path.source}→{path.target}"
        missing = [word for word in (path.source, path.target) if word not in self.environments]
        if missing:
            return [f"{name}: no environment {missing[0]!r}"]
        source, target = self.environments[path.source], self.environments[path.target]
        found = []
        if source.rank >= target.rank:
            found.append(f"{name}: leads down or nowhere; a path leads to a higher rank")
        if any(source.rank < other.rank < target.rank for other in self.environments.values()):
            found.append(f"{name}: skips an environment in between")
        if target.production and not path.approvals:
            found.append(f"{name}: a path to production needs approvals")
        if path.gates.window is not None and path.gates.window not in self.windows:
            found.append(f"{name}.gates.window: no window {path.gates.window!r}")
        found += [f"{name}.approvals: no role {slot.role!r}" for slot in path.approvals if slot.role not in self.roles]
        found += [
            f"{name}.services: no service {service!r}"
            for service in path.services or ()
            if service not in self.services
        ]
        return found

    def path(self, service: str, source: str, target: str) -> Path | None:
        """The path along which this service may be promoted so, if there is one."""
        for path in self.paths:
            if (path.source, path.target) == (source, target) and (path.services is None or service in path.services):
                return path
        return None

    def environment_called(self, word: str) -> str | None:
        """The environment with this name or alias, whatever its case."""
        for name, environment in self.environments.items():
            if word.casefold() in {name.casefold(), *(alias.casefold() for alias in environment.aliases)}:
                return name
        return None

    def human_with_slack(self, user: str) -> Human | None:
        """Whose Slack account that is; None where it is linked to nobody."""
        for name, entry in self.people.items():
            if entry.slack == user:
                return Human(name)
        return None

    def zone(self, window: Window | None = None) -> ZoneInfo:
        return ZoneInfo(window.timezone if window is not None and window.timezone else self.timezone)


class ActivePolicy(BaseModel):
    """A policy in force: what it says, and the hash of the very bytes that said it."""

    model_config = ConfigDict(frozen=True)

    policy: Policy
    hash: str
    """SHA-256 of the file's bytes, hex."""
    source: str = ""
    """File, and commit where known; for reading."""


def wall_time(text: str) -> tuple[time, bool]:
    """The time of day, and whether it is the end of the day (`24:00`)."""
    if text == "24:00":
        return time(0), True
    hours, minutes = text.split(":")
    return time(int(hours), int(minutes)), False
