"""What does a policy file say? Its schema; whoever reads the file hands over plain data and the hash of its bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from policy.gates import AnyGate, Item
from policy.model import Human
from policy.part import Day, Key, LocalTime, Name, Part, Span, Text, Wall, WallStart, Zone

# People -------------------------------------------------------------------------------------------------------------


class PersonEntry(Part):
    """One human and the accounts that are theirs."""

    slack: str | None = Field(default=None, pattern=r"^[UW][A-Z0-9]+$", description="Slack user id, not the name")
    github: str | None = Field(default=None, description="GitHub login")


class Role(Part):
    """Who holds a role."""

    members: tuple[str, ...] = Field(
        min_length=1, description="Humans by their name under `people`, or a Slack user group: `slack:group/S…`"
    )


class Deeds(Part):
    """Which roles may ask for what. A deed without a role may be asked for by nobody."""

    promote: tuple[Name, ...] = Field(default=(), description="Who may ask for a promotion")
    rollback: tuple[Name, ...] = Field(default=(), description="Who may roll back; nobody else has to agree")
    freeze: tuple[Name, ...] = Field(default=(), description="Who may start and end a freeze")
    lift: tuple[Name, ...] = Field(default=(), description="Who may let a candidate in again that was taken back")
    exception: tuple[Name, ...] = Field(default=(), description="Who may ask for an exception, and revoke one")
    emergency: tuple[Name, ...] = Field(default=(), description="Who may ask for an emergency change")


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
    """A wall-clock span on certain days.

    `days` name the day it starts on. `end` before `start` crosses midnight; `end` the same as `start` is 24 hours.
    """

    days: tuple[Weekday, ...] = Field(min_length=1, description="The days it starts on: mon … sun")
    start: WallStart = Field(description='Quoted wall-clock time, `"09:00"`')
    end: Wall = Field(description='Not included any more; before `start` crosses midnight; `"24:00"` ends a day')


class Interval(Part):
    """One span of local time: from the first instant at which the clock shows `start`, to the last before `end`."""

    start: LocalTime = Field(description="Local date and time, `2026-12-19T17:00`")
    end: LocalTime = Field(description="Not included any more")
    name: str = Field(default="", description="What people will read")

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if datetime.fromisoformat(self.end) <= datetime.fromisoformat(self.start):
            message = "it ends before it starts"
            raise ValueError(message)
        return self


class MonthEnd(Part):
    """Days around the turn of a month: so many calendar days, or so many business days and what lies between them.

    Business days are Monday to Friday, less the holidays.
    """

    last_days: int = Field(default=0, ge=0, le=31, description="The last N calendar days of the month")
    first_days: int = Field(default=0, ge=0, le=31, description="The first N calendar days")
    last_business_days: int = Field(default=0, ge=0, le=20, description="From the N-th last business day on")
    first_business_days: int = Field(default=0, ge=0, le=20, description="Up to and including the N-th business day")
    holidays: tuple[Day, ...] = Field(default=(), description="Days that are no business days")
    calendar: Name | None = Field(default=None, description="A calendar under `calendars`: no business days either")
    name: str = Field(default="", description="What people will read")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.last_days or self.first_days or self.last_business_days or self.first_business_days):
            message = "it names no day: give last_days, first_days, last_business_days or first_business_days"
            raise ValueError(message)
        return self


class Calendar(Part):
    """Holidays, written out and reviewed; never worked out at the time of a decision."""

    file: str | None = Field(default=None, description="Where they stand, beside this file: `holidays/DE-BE.yaml`")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of that file's bytes, so that this file names them"
    )
    days: dict[Day, str] = Field(default={}, description="Local days and what they are called; or else `file`")


class Dates(Part):
    """Whole local days."""

    days: tuple[Day, ...] = Field(min_length=1, description="Local days, `2026-12-24`")
    name: str = Field(default="", description="What people will read")


class WindowRule(Part):
    """Exactly one way of naming instants."""

    weekly: Weekly | None = Field(default=None, description="The same hours each week")
    interval: Interval | None = Field(default=None, description="One span of local time")
    dates: Dates | None = Field(default=None, description="Whole days: holidays")
    month_end: MonthEnd | None = Field(default=None, description="Days around the turn of each month")
    holidays: Name | None = Field(default=None, description="Every day of a calendar under `calendars`")

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = (self.weekly, self.interval, self.dates, self.month_end, self.holidays)
        if sum(part is not None for part in ways) != 1:
            message = "a window rule is exactly one of weekly, interval, dates, month_end, holidays"
            raise ValueError(message)
        return self


class Window(Part):
    """When something is open: inside an allow rule (or any time, if there is none) and outside every deny rule."""

    timezone: Zone | None = Field(default=None, description="IANA zone of its wall clock; default: the policy's")
    allow: Annotated[tuple[WindowRule, ...], Field(min_length=1)] | None = Field(
        default=None, description="Open inside any of these; left out: always, but for `deny`"
    )
    deny: tuple[WindowRule, ...] = Field(default=(), description="Closed inside any of these, whatever `allow` says")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.allow is None and not self.deny:
            message = "a window without allow and deny is always open; leave it out"
            raise ValueError(message)
        return self


# What is deployed where ---------------------------------------------------------------------------------------------


class Settings(Part):
    """How the services of an environment must be configured. Values are compared and never shown."""

    require: dict[str, str] = Field(default={}, description="Variable → the value that it must have")
    forbid: dict[str, tuple[str, ...]] = Field(default={}, description="Variable → values that it must not have")
    own_values: tuple[Text, ...] = Field(default=(), description="Variables that differ between environments")
    secrets: tuple[Text, ...] = Field(default=(), description="Every secret's name is like one of these: `STAGE_*`")
    forbid_secrets: tuple[Text, ...] = Field(default=(), description="No secret's name is like one of these")
    service_accounts: tuple[Text, ...] = Field(default=(), description="Services run as accounts like one of these")
    databases: tuple[Text, ...] = Field(default=(), description="Database hosts and instances are like one of these")
    database_keys: tuple[Text, ...] = Field(default=(), description="Variables that name a database host")
    origins: tuple[Text, ...] = Field(default=(), description="Origins that may call it; `*` is none of them")
    origin_keys: tuple[Text, ...] = Field(default=(), description="Variables that list origins")
    domains: tuple[Text, ...] = Field(default=(), description="Every address of its own is like one of these")
    forbid_domains: tuple[Text, ...] = Field(default=(), description="No variable names a host like one of these")
    secret_keys: tuple[Text, ...] = Field(
        default=(), description="Variables whose names are like one of these come from the secret store: `*_TOKEN`"
    )


class Environment(Part):
    """A place in the order of promotion."""

    rank: int = Field(ge=0, description="Its place in the order: a promotion goes one rank up")
    production: bool = Field(default=False, description="A path that leads here needs approvals")
    aliases: tuple[Name, ...] = Field(default=(), description="Other names for it in commands")
    branch: str | None = Field(default=None, description="Branch that it is deployed from, letter by letter")
    demands: tuple[Text, ...] = Field(
        default=(), description="Kinds of gates, or `window`, that every path leading here must have"
    )
    settings: Settings | None = Field(default=None, description="How its services must be configured")


class Service(Part):
    """Something deployed: a repository and one Cloud Run service in each environment."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="GitHub repository, `owner/name`")
    cloud_run: dict[Name, str] = Field(min_length=1, description="For each environment: `project/region/service`")
    container: str | None = Field(default=None, description="Container that carries the image; default: the only one")
    channel: str | None = Field(
        default=None, pattern=r"^[CG][A-Z0-9]+$", description="Slack channel id; there the service may be left out"
    )

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

    role: Name | None = Field(default=None, description="A role under `roles`")
    any_of: tuple[Name, ...] = Field(default=(), description="Or any one of several roles")
    count: int = Field(default=1, ge=1, le=10, description="So many humans, none of them the asker")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.role is None) == (not self.any_of):
            message = "a slot names either role or any_of"
            raise ValueError(message)
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """Holders of any of these can fill it."""
        return self.any_of if self.role is None else (self.role,)


class Agreement(Part):
    """Who must agree to something that is no promotion."""

    approvals: tuple[Slot, ...] = Field(default=(), description="Who must agree; none: nobody")
    approval_lasts: Span = Field(default=timedelta(hours=24), description="A vote counts for so long")
    reason: bool = Field(default=False, description="Whoever agrees must say why")


class Stance(StrEnum):
    """Whether somebody who had a hand in the change may agree to it."""

    MAY_AGREE = "may_agree"
    NOT_ALONE = "not_alone"
    """Somebody who had none must agree as well."""
    OUT = "out"


class Separation(Part):
    """Who does not count besides whoever asked. No file can let the asker count."""

    authors: Stance = Field(default=Stance.OUT, description="Who wrote part of what would be promoted")
    unknown_authors: Literal["block", "ignore"] = Field(
        default="block",
        description="A commit by somebody whom `people` does not know blocks, or is nobody's; so does a range that cannot be read",
    )
    reviewers: Stance = Field(default=Stance.MAY_AGREE, description="Who approved one of its pull requests")


class ChangeType(Part):
    """How changes of one type are treated. People say it as `type:NAME`."""

    window: Literal["path", "any"] = Field(default="path", description="`any`: it waits for no window")
    freeze: Literal["path", "any"] = Field(default="path", description="`any`: it waits for no freeze")
    approvals: tuple[Slot, ...] = Field(default=(), description="Who must agree besides, or instead")
    instead: bool = Field(default=False, description="These approvals take the place of the path's")
    waives: tuple[Name, ...] = Field(default=(), description="Gates that it need not meet")
    adds: tuple[Name, ...] = Field(default=(), description="Gates that it must meet besides")
    fields: tuple[Key, ...] = Field(default=(), description="What whoever asks must say")
    paths: tuple[Text, ...] = Field(default=(), description="Only on these, `stage→prod`; default: on every path")
    emergency_outside_window: bool = Field(
        default=False, description="Outside the window it needs an emergency, and is told so"
    )
    source: str = Field(default="", description="Where it is written")


class ExceptionKind(Agreement):
    """What an exception of this kind may waive, what must be said for it, and who grants it."""

    approvals: tuple[Slot, ...] = Field(min_length=1, description="Who must grant it, none of them the asker")
    waives: tuple[Name, ...] = Field(min_length=1, description="Rules that it may waive: gates, `window`, `no-freeze`")
    fields: tuple[Key, ...] = Field(default=("reason",), description="What must be said: `reason`, `risk`, `controls`")
    reasons: tuple[Text, ...] = Field(default=(), description="`reason:` is one of these; default: free text")
    longest: Span | None = Field(default=timedelta(days=30), description="It lasts no longer; `null`: may be permanent")
    uses: int | None = Field(default=None, ge=1, description="So many promotions may rest on it")
    emergency: bool = Field(default=False, description="It may waive what only an emergency may")
    owes: tuple[Duty, ...] = Field(default=(), description="What is owed once it is granted")
    source: str = Field(default="", description="Where it is written")


class Duty(Part):
    """Something that becomes owed."""

    kind: Name = Field(description="`review`, `remediation`, `post-validation`")
    says: Text = Field(description="What is owed, a sentence without the full stop")
    owner: Name = Field(description="A role under `roles`")
    business_days: int | None = Field(default=None, ge=0, le=250, description="Due at the end of so many business days")
    within: Span | None = Field(default=None, description="Or so long after it began")
    by_others: bool = Field(default=False, description="Nobody who took part can settle it")
    blocks: bool = Field(default=True, description="Overdue, it blocks ordinary production changes of that service")

    @model_validator(mode="after")
    def _one_term(self) -> Self:
        if (self.business_days is None) == (self.within is None):
            message = "a duty is due either after business_days or within a time span"
            raise ValueError(message)
        return self


class Emergency(Agreement):
    """A production change outside the normal rules: its own record, its own approval, and a review that falls due."""

    approvals: tuple[Slot, ...] = Field(min_length=1, description="Who must agree, none of them the asker")
    fields: tuple[Key, ...] = Field(
        default=("incident", "reason", "rollback-plan"), description="What must be said before anybody is asked"
    )
    waives: tuple[Name, ...] = Field(
        default=("window", "no-freeze"), description="Rules that it lets through, each shown"
    )
    lasts: Span = Field(default=timedelta(hours=4), description="It begins within so long, or not at all")
    owes: tuple[Duty, ...] = Field(min_length=1, description="What is owed afterwards: a review at least")
    reason: bool = Field(default=True, description="Whoever agrees must say why")
    source: str = Field(default="", description="Where it is written")


class CalendarFreeze(Part):
    """A freeze that comes round by the calendar."""

    name: Name = Field(description="What people read")
    when: tuple[WindowRule, ...] = Field(min_length=1, description="It holds inside any of these")
    environments: tuple[Name, ...] = Field(min_length=1, description="Where")
    services: tuple[Name, ...] | None = Field(default=None, description="For these; default: for every one")
    timezone: Zone | None = Field(default=None, description="IANA zone of its wall clock; default: the policy's")
    reason: Text = Field(description="Why")
    source: str = Field(default="", description="Where it is written")


class Freezes(Agreement):
    """How freezes come into force, and what lets a promotion through one."""

    fields: tuple[Key, ...] = Field(
        default=(), description="What must be said besides `until` and `reason`: `exit`, `re-enable-plan`"
    )
    provisional: Span | None = Field(
        default=None, description="Until it is approved it holds for so long at most; default: not at all"
    )
    calendar: tuple[CalendarFreeze, ...] = Field(default=(), description="Those that come round by themselves")
    override: tuple[Slot, ...] = Field(
        default=(), description="Whose approval, naming the freeze, lets a promotion through it; default: nobody's"
    )
    override_fields: tuple[Key, ...] = Field(default=(), description="What whoever asks must say for that")


class Change(Part):
    """One version of this file, for people who live by it."""

    version: Text = Field(description="Which")
    effective: LocalTime | Day = Field(description="From when on it decides, in the policy's zone")
    summary: Text = Field(description="What changed")
    rationale: str = Field(default="", description="Why")
    migration: str = Field(default="", description="What people must do")
    deprecates: str = Field(default="", description="What goes, until when it works, and what to do instead")


class Unenforced(Part):
    """A rule that no machine can hold people to, and what is done instead."""

    rule: Text = Field(description="What it says")
    why: Text = Field(description="Why nothing here enforces it")
    instead: Text = Field(description="What is done instead, and by whom")
    source: str = Field(default="", description="Where it is written")


class Probe(Part):
    """One HTTP request and what must come back."""

    path: str = Field(pattern=r"^/", description="Path and query, from `/`")
    method: Literal["GET", "HEAD", "POST", "OPTIONS"] = Field(default="GET", description="HTTP method")
    body: str | None = Field(default=None, description="Sent as it stands here; never anything that people typed")
    content_type: str = Field(default="application/json", description="Of the body")
    expect: tuple[int, ...] = Field(default=(200,), min_length=1, description="Any of these statuses is right")
    repeat: int = Field(default=1, ge=1, le=50, description="So many times, each of them right")
    within: Span = Field(default=timedelta(seconds=5), description="Each answer comes within this")


class Step(Part):
    """So much traffic, watched for so long before it is judged."""

    percent: int = Field(ge=1, le=100, description="Whole per cent of the traffic")
    hold: Span = Field(default=timedelta(minutes=3), description="Watched so long")


class Health(Part):
    """When is the new revision well? Counted over the requests it really answered since the traffic moved."""

    max_error_percent: float = Field(
        default=1.0, ge=0, le=100, allow_inf_nan=False, description="More answers of 500 and above are too many"
    )
    max_p99: Span | None = Field(default=None, description="99 of 100 answers come within this; default: not looked at")
    min_requests: int = Field(default=100, ge=1, description="Fewer prove nothing: wait for more")
    give_up_after: Span = Field(default=timedelta(minutes=30), description="Too few requests for so long: taken back")


class Measure(Part):
    """How late the monitoring is. The defaults are those of Google's request metrics.

    Sampled each 60 s and visible up to 180 s later (https://cloud.google.com/monitoring/api/metrics_gcp).
    """

    delay: Span = Field(default=timedelta(seconds=210), description="After so long everything has been seen")
    resolution: Span = Field(default=timedelta(seconds=60), description="One point of measurement")


class Rollout(Part):
    """How traffic moves."""

    steps: tuple[Step, ...] = Field(
        default=(Step(percent=10), Step(percent=50), Step(percent=100)), description="Rising, and the last is 100"
    )
    smoke: tuple[Probe, ...] = Field(default=(), description="Asked of the new revision before it gets traffic")
    health: Health = Field(default=Health(), description="Judged after each step")
    deploy_within: Span = Field(default=timedelta(minutes=10), description="Ready within this, or taken back")

    @model_validator(mode="after")
    def _rises_to_all(self) -> Self:
        percents = [step.percent for step in self.steps]
        if not percents or percents[-1] != 100 or percents != sorted(set(percents)):
            message = "rollout steps rise, and the last one is 100"
            raise ValueError(message)
        return self


class PathGates(Part):
    """What must be true of the candidate, in short; `requires` says the rest."""

    checks: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Check runs and statuses that passed on exactly its commit"
    )
    soak: Span | None = Field(default=None, description="It has served the source environment for so long")
    window: Name | None = Field(default=None, description="A window under `windows`, open when it starts")


class Model(StrEnum):
    ARTIFACT = "artifact"
    FAST_FORWARD = "fast_forward"
    BRANCH_MERGE = "branch_merge"


class Path(Part):
    """An allowed promotion."""

    source: Name = Field(alias="from", description="Environment the candidate comes from")
    target: Name = Field(alias="to", description="Environment of the next rank")
    model: Model = Field(default=Model.ARTIFACT, description="What is promoted: the same digest, commit or tree")
    services: tuple[Name, ...] | None = Field(default=None, description="For these services; default: every one")
    gates: PathGates = Field(default=PathGates(), description="What must be true of the candidate, in short")
    requires: tuple[Name, ...] = Field(default=(), description="Gates under `gates`, in the order people read them")
    inherits: Text | None = Field(default=None, description="Gates of an earlier path as well: `dev→stage`")
    types: tuple[Name, ...] | None = Field(default=None, description="Only these change types; default: every one")
    approvals: tuple[Slot, ...] = Field(default=(), description="Who must agree; production needs somebody")
    reason: bool = Field(default=False, description="Whoever agrees must say why")
    separation: Separation | None = Field(default=None, description="Instead of the policy's")
    approval_lasts: Span = Field(default=timedelta(hours=24), description="A vote counts for so long")
    request_lasts: Span = Field(default=timedelta(hours=24), description="Not begun for so long: expired")
    rollout: Rollout = Field(default=Rollout(), description="How traffic moves")

    @property
    def name(self) -> str:
        return f"{self.source}→{self.target}"

    def serves(self, service: str) -> bool:
        """Whether this service goes along it."""
        return self.services is None or service in self.services


Complaint = tuple[tuple[str | int, ...], str]
"""Where in the file, and what is wrong there."""


class Policy(Part):
    """The whole file."""

    policy: Literal[1] = Field(description="Version of this format")
    name: str = Field(description="What people call it")
    workspace: str = Field(pattern=r"^[TE][A-Z0-9]+$", description="Slack workspace id; nobody else's word counts")
    timezone: Zone = Field(default="UTC", description="IANA zone of windows and of times that are shown")
    people: dict[Name, PersonEntry] = Field(default={}, description="Humans by name, and their accounts")
    roles: dict[Name, Role] = Field(description="Who holds which role")
    may: Deeds = Field(description="Which roles may ask for what")
    environments: dict[Name, Environment] = Field(min_length=1, description="By name, exactly as written in commands")
    services: dict[Name, Service] = Field(min_length=1, description="By name")
    calendars: dict[Name, Calendar] = Field(default={}, description="Holidays by name; windows point to them")
    windows: dict[Name, Window] = Field(default={}, description="By name; a path points to one")
    gates: dict[Name, AnyGate] = Field(default={}, description="By name; a path requires them")
    probes: dict[Name, Annotated[tuple[Probe, ...], Field(min_length=1)]] = Field(
        default={}, description="Sets of probes by name; gates point to them"
    )
    checklists: dict[Name, Annotated[tuple[Item, ...], Field(min_length=1)]] = Field(
        default={}, description="By name; gates point to them"
    )
    separation: Separation = Field(default=Separation(), description="Who does not count besides whoever asked")
    change_types: dict[Name, ChangeType] = Field(default={}, description="By name; people say `type:NAME`")
    freezes: Freezes = Field(default=Freezes(), description="How freezes come into force")
    exceptions: dict[Name, ExceptionKind] = Field(default={}, description="Kinds of exceptions by name")
    emergency: Emergency | None = Field(default=None, description="How emergencies go; default: there are none")
    paths: tuple[Path, ...] = Field(min_length=1, description="Every promotion there is; no other is allowed")
    measure: Measure = Field(default=Measure(), description="How late the monitoring is")
    document: str = Field(default="", description="The policy that people signed; `source` gives places in it")
    changes: tuple[Change, ...] = Field(default=(), description="Versions of this file, newest last")
    assumed: dict[Text, Text] = Field(
        default={}, description="Places in this file that somebody assumed and the team must confirm, and what of them"
    )
    unenforced: tuple[Unenforced, ...] = Field(default=(), description="Rules that nothing here can enforce")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        complaints = [
            *self._unknown_roles(),
            *self._unknown_environments(),
            *self._what_stands_twice(),
            *(complaint for index, path in enumerate(self.paths) for complaint in self._path_complaints(index, path)),
        ]
        if complaints:
            message = "; ".join(says for _, says in complaints)
            raise PydanticCustomError("does_not_fit", "{message}", {"message": message, "complaints": complaints})
        return self

    def _unknown_roles(self) -> Iterator[Complaint]:
        known = ", ".join(self.roles) or "none"
        for deed, roles in self.may:
            for role in roles:
                if role not in self.roles:
                    yield ("may", deed), f"may.{deed}: no role {role!r}; roles are {known}"
        for name, role in self.roles.items():
            for index, member in enumerate(role.members):
                if member not in self.people and not re.fullmatch(r"slack:group/S[A-Z0-9]+", member):
                    says = f"roles.{name}: {member!r} is neither a name under people nor slack:group/S…"
                    yield ("roles", name, "members", index), says

    def _unknown_environments(self) -> Iterator[Complaint]:
        known = ", ".join(self.environments)
        for name, service in self.services.items():
            for environment in service.cloud_run:
                if environment not in self.environments:
                    says = f"services.{name}.cloud_run: no environment {environment!r}; environments are {known}"
                    yield ("services", name, "cloud_run", environment), says

    def _what_stands_twice(self) -> Iterator[Complaint]:
        ranks = [environment.rank for environment in self.environments.values()]
        for rank in _repeated(ranks):
            yield ("environments",), f"environments: two of them have the rank {rank}"
        spoken = [*self.environments, *(a for e in self.environments.values() for a in e.aliases)]
        for word in _repeated(word.casefold() for word in spoken):
            yield ("environments",), f"environments: the name or alias {word!r} stands twice"
        for account in _repeated(entry.slack for entry in self.people.values() if entry.slack):
            yield ("people",), f"people: the Slack account {account} is linked to two people"
        for account in _repeated(entry.github.casefold() for entry in self.people.values() if entry.github):
            yield ("people",), f"people: the GitHub account {account} is linked to two people"
        for site in _repeated(site for service in self.services.values() for site in service.cloud_run.values()):
            yield ("services",), f"services: {site} stands twice; each place runs in a Cloud Run service of its own"

    def _path_complaints(self, index: int, path: Path) -> Iterator[Complaint]:
        name, here = f"paths.{path.name}", ("paths", index)
        missing = [(key, word) for key, word in (("from", path.source), ("to", path.target)) if not self._is(word)]
        for key, word in missing:
            yield (*here, key), f"{name}: no environment {word!r}; environments are {', '.join(self.environments)}"
        if not missing:
            yield from self._order_complaints(here, path)
        for other in self.paths[:index]:
            if other.name == path.name and any(other.serves(word) and path.serves(word) for word in self.services):
                yield here, f"{name}: stands twice for the same service"
        if path.gates.window is not None and path.gates.window not in self.windows:
            says = f"no window {path.gates.window!r}; windows are {', '.join(self.windows) or 'none'}"
            yield (*here, "gates", "window"), f"{name}.gates.window: {says}"
        late = self.measure.delay + self.measure.resolution
        if path.rollout.health.give_up_after <= late:
            says = f"numbers come {int(late.total_seconds())} s late (measure: delay and resolution), so give it longer"
            yield (*here, "rollout", "health", "give_up_after"), f"{name}.rollout.health.give_up_after: {says}"
        for place, slot in enumerate(path.approvals):
            for role in slot.roles:
                if role not in self.roles:
                    says = f"no role {role!r}; roles are {', '.join(self.roles)}"
                    yield (*here, "approvals", place), f"{name}.approvals: {says}"
        for place, service in enumerate(path.services or ()):
            if service not in self.services:
                says = f"no service {service!r}; services are {', '.join(self.services)}"
                yield (*here, "services", place), f"{name}.services: {says}"

    def _is(self, word: str) -> bool:
        return word in self.environments

    def _order_complaints(self, here: tuple[str | int, ...], path: Path) -> Iterator[Complaint]:
        source, target = self.environments[path.source], self.environments[path.target]
        name = f"paths.{path.name}"
        if source.rank >= target.rank:
            yield (*here, "to"), f"{name}: leads down or nowhere; a path leads to a higher rank"
        between = [word for word, other in self.environments.items() if source.rank < other.rank < target.rank]
        if between:
            yield (*here, "to"), f"{name}: skips {', '.join(between)}; a path leads one rank up"
        if target.production and not path.approvals:
            yield here, f"{name}: a path to production needs approvals, for example [{{role: release_manager}}]"

    def path(self, service: str, source: str, target: str) -> Path | None:
        """The path along which this service may be promoted so, if there is one."""
        for path in self.paths:
            if (path.source, path.target) == (source, target) and path.serves(service):
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


def _repeated(words: Any) -> list[Any]:  # noqa: ANN401 (any hashable words)
    return [word for word, times in Counter(words).items() if times > 1]


class ActivePolicy(BaseModel):
    """A policy in force: what it says, and the hash of the very bytes that said it."""

    model_config = ConfigDict(frozen=True)

    policy: Policy
    hash: str
    """SHA-256 of the file's bytes, hex."""
    source: str = ""
    """File, and commit where known; for reading."""
