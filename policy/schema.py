"""Which parts has a policy file? Its shape, key by key; whether the parts fit together is asked in `policy/fits.py`."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from policy.agreement import (
    Agreement,
    ChangeType,
    Duty,
    Emergency,
    ExceptionKind,
    Freezes,
    Hotfix,
    Separation,
    Slot,
)
from policy.gates import AnyGate, Item
from policy.part import (
    Address,
    ChangeName,
    Channel,
    Day,
    Effective,
    EnvironmentName,
    GateName,
    Key,
    Lasting,
    Name,
    Part,
    PathName,
    Pattern,
    ProbesName,
    RoleName,
    ServiceName,
    Span,
    Text,
    WindowName,
    Zone,
)
from policy.timetable import Calendar, Window

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

    promote: tuple[RoleName, ...] = Field(default=(), description="Who may ask for a promotion")
    rollback: tuple[RoleName, ...] = Field(
        default=(), description="Who may roll back; nobody else has to agree, unless `rollback` says so"
    )
    freeze: tuple[RoleName, ...] = Field(default=(), description="Who may start and end a freeze")
    lift: tuple[RoleName, ...] = Field(default=(), description="Who may let a candidate in again that was taken back")
    exception: tuple[RoleName, ...] = Field(default=(), description="Who may ask for an exception, and revoke one")
    emergency: tuple[RoleName, ...] = Field(default=(), description="Who may ask for an emergency change")
    hotfix: tuple[RoleName, ...] = Field(
        default=(), description="Who may begin a hotfix, and have a fix brought to other branches"
    )


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
        default=(),
        description="Kinds of gates, `window` or `approvals` that every path leading here must have; `type`, `runbook` "
        "and `dashboard` of every service; `freeze_approvals`",
    )
    settings: Settings | None = Field(default=None, description="How its services must be configured")


class Service(Part):
    """Something deployed: a repository and one Cloud Run service in each environment."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="GitHub repository, `owner/name`")
    cloud_run: dict[EnvironmentName, str] = Field(
        min_length=1, description="For each environment: `project/region/service`"
    )
    container: str | None = Field(default=None, description="Container that carries the image; default: the only one")
    channel: Channel | None = Field(default=None, description="Slack channel id; there the service may be left out")
    type: Text | None = Field(default=None, description="What it is, as the team classified it: `service`, `library`")
    runbook: Address | None = Field(default=None, description="Where it says how to go back, `https://…`")
    dashboard: Address | None = Field(default=None, description="Where its numbers are shown, `https://…`")

    @model_validator(mode="after")
    def _places(self) -> Self:
        for environment, place in self.cloud_run.items():
            if not re.fullmatch(r"[a-z][a-z0-9-]+/[a-z0-9-]+/[a-z][a-z0-9-]*", place):
                message = f"cloud_run.{environment}: write project/region/service, not {place!r}"
                raise ValueError(message)
        return self


# How a promotion goes -----------------------------------------------------------------------------------------------


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
    min_requests: int | None = Field(default=None, ge=1, description="Instead of the health's for this step")
    probes: ProbesName | None = Field(default=None, description="A set under `probes` that passes before the next step")


class Trigger(Part):
    """What takes a release back by itself, or asks people whether to."""

    signal: Literal["error_percent", "p99_ms", "memory_percent", "cpu_percent", "probes"] = Field(
        description="Which number of the new revision, or whether its probes pass"
    )
    above: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="More than this is too much; for every signal but probes"
    )
    lasts: Span | None = Field(default=None, description="Too much for so long without a break; default: once will do")
    min_requests: int = Field(default=1, ge=1, description="Fewer say nothing of errors and of how fast it answers")
    probes: ProbesName | None = Field(default=None, description="A set under `probes`; for the signal probes")
    in_a_row: int = Field(default=1, ge=1, le=20, description="So many failures of the probes, one after another")
    every: Span = Field(default=timedelta(seconds=5), description="The probes are asked so often")
    during: Literal["rollout", "watch", "both"] = Field(
        default="both", description="While traffic moves, in the watch after it, or both"
    )
    then: Literal["back", "ask"] = Field(default="back", description="Its traffic goes back, or somebody is asked")
    alert: str = Field(default="", description="The alert of the monitoring that says the same")
    source: str = Field(default="", description="Where the policy that people signed asks for it")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.signal == "probes" and self.probes is None:
            message = "probes: name a set under `probes`"
            raise ValueError(message)
        if self.signal != "probes" and self.above is None:
            message = f"above: how much {self.signal} is too much"
            raise ValueError(message)
        return self


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

    style: Literal["canary", "blue_green"] = Field(
        default="canary", description="In steps; or all at once, after the smoke test, beside what serves"
    )
    steps: tuple[Step, ...] = Field(
        default=(Step(percent=10), Step(percent=50), Step(percent=100)), description="Rising, and the last is 100"
    )
    smoke: tuple[Probe, ...] = Field(default=(), description="Asked of the new revision before it gets traffic")
    health: Health = Field(default=Health(), description="Judged after each step")
    triggers: dict[Name, Trigger] = Field(default={}, description="What takes it back by itself, by name")
    watch: Span | None = Field(default=None, description="After 100 % the triggers go on for so long")
    inconclusive: Literal["ask", "back"] = Field(
        default="ask", description="Too few requests for too long: somebody is asked, or it is taken back"
    )
    deploy_within: Span = Field(default=timedelta(minutes=10), description="Ready within this, or taken back")
    held_at_most: Span = Field(
        default=timedelta(days=1), description="Held for longer between two steps: people are asked, again and again"
    )

    @model_validator(mode="after")
    def _rises_to_all(self) -> Self:
        if self.style == "blue_green" and "steps" not in self.model_fields_set:
            self.__dict__["steps"] = (Step(percent=100),)
        percents = [step.percent for step in self.steps]
        if not percents or percents[-1] != 100 or percents != sorted(set(percents)):
            message = "rollout steps rise, and the last one is 100"
            raise ValueError(message)
        if self.style == "blue_green" and len(percents) > 1:
            message = "a blue_green rollout has one step, of 100"
            raise ValueError(message)
        return self


class Backwards(Part):
    """How far a rollback may go over a release that changed the database, by what the release declared."""

    said: Key = Field(default="database", description="Whoever promotes says it under this key: `database:expand`")
    declares: dict[Text, Literal["back", "rollout", "forward"]] = Field(
        default={
            "none": "back",
            "reversible": "back",
            "expand": "back",
            "migrate": "back",
            "contract": "rollout",
            "irreversible": "forward",
            "other": "forward",
        },
        min_length=1,
        description="What may be declared. `back`: anybody may go back over it; `rollout`: only while its rollout is "
        "under way, for then both work; `forward`: nobody, and a rollout that goes bad asks people",
    )
    override: tuple[RoleName, ...] = Field(
        default=(), description="Who may go back over it all the same, saying why; default: nobody"
    )


class Rollback(Agreement):
    """How a rollback goes. Traffic returns first; whatever else there is to do comes after it."""

    approvals: tuple[Slot, ...] = Field(
        default=(), description="Who must agree where somebody asks for one; none: it begins at once"
    )
    order: tuple[Literal["flag", "traffic", "redeploy", "revert"], ...] = Field(
        default=("traffic", "redeploy"),
        min_length=1,
        description="Ways back: the bot returns traffic, or deploys again what is gone; it names the others to people",
    )
    reasons: tuple[Text, ...] = Field(default=(), description="One of these must be given; default: any words will do")
    fields: tuple[Name, ...] = Field(default=(), description="What else whoever asks must say")
    within: Span = Field(default=timedelta(minutes=2), description="Restored later than this: said, and recorded")
    recovered: ProbesName | None = Field(
        default=None, description="A set under `probes` that passes before recovery is declared"
    )
    informs: tuple[Channel, ...] = Field(default=(), description="Slack channel ids that hear of each one")
    informs_first: bool = Field(default=False, description="They hear of it before it begins; default: once it is over")
    owes: tuple[Duty, ...] = Field(default=(), description="What is owed once one has begun: a review")
    emergency_outside_window: bool = Field(
        default=False, description="Outside the window it opens an emergency record by itself, and owes what that owes"
    )
    database: Backwards = Field(default=Backwards(), description="What a release does to the database")


class PathGates(Part):
    """What must be true of the candidate, in short; `requires` says the rest."""

    checks: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Check runs and statuses that passed on exactly its commit"
    )
    soak: Span | None = Field(default=None, description="It has served the source environment for so long")
    window: WindowName | None = Field(default=None, description="A window under `windows`, open when it starts")


class Model(StrEnum):
    ARTIFACT = "artifact"
    FAST_FORWARD = "fast_forward"
    BRANCH_MERGE = "branch_merge"


class Log(Part):
    """A file of the repository to which each promotion and rollback is added; nothing is ever taken out of it."""

    file: Text = Field(description="Its path in the repository: `docs/RELEASE_LOG.md`")
    branch: Text = Field(description="The branch that it stands on; none that a release is judged by")

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        if any(part in {"", ".", ".."} for part in file.split("/")):
            message = "a path inside the repository, without . and .."
            raise ValueError(message)
        return file


class Publication(Part):
    """A GitHub release of what was promoted, made once it has stayed well."""

    tag: Pattern = Field(description=r"What its tag is called; it is there already, annotated: `^v\d+\.\d+\.\d+$`")
    signed: bool = Field(default=True, description="The tag's signature was verified")
    record: str = Field(
        default="release.json",
        pattern=r"^[\w.-]*$",
        description="The file with its record: what shipped, and who agreed; empty: none",
    )


class Path(Part):
    """An allowed promotion."""

    source: EnvironmentName = Field(alias="from", description="Environment the candidate comes from")
    target: EnvironmentName = Field(alias="to", description="Environment of the next rank")
    model: Model = Field(default=Model.ARTIFACT, description="What is promoted: the same digest, commit or tree")
    services: tuple[ServiceName, ...] | None = Field(default=None, description="For these services; default: every one")
    gates: PathGates = Field(default=PathGates(), description="What must be true of the candidate, in short")
    requires: tuple[GateName, ...] = Field(default=(), description="Gates under `gates`, in the order people read them")
    inherits: PathName | None = Field(default=None, description="Gates of an earlier path as well: `dev→stage`")
    types: tuple[ChangeName, ...] | None = Field(
        default=None, description="Only these change types; default: every one"
    )
    approvals: tuple[Slot, ...] = Field(default=(), description="Who must agree; production needs somebody")
    reason: bool = Field(default=False, description="Whoever agrees must say why")
    separation: Separation | None = Field(default=None, description="Instead of the policy's")
    approval_lasts: Lasting = Field(default=timedelta(hours=24), description="A vote counts for so long")
    informs: tuple[Channel, ...] = Field(default=(), description="Slack channel ids: they hear how each one ended")
    request_lasts: Lasting = Field(default=timedelta(hours=24), description="Not begun for so long: expired")
    rollback: Agreement | None = Field(
        default=None,
        description="Who must agree to going back there; default: whom the policy's own `rollback` names",
    )
    rollout: Rollout = Field(default=Rollout(), description="How traffic moves")
    release: Publication | None = Field(
        default=None, description="A GitHub release is made of it once it has stayed well; default: none is"
    )
    log: Log | None = Field(
        default=None, description="Where each promotion and rollback is written down; default: nowhere"
    )

    @property
    def name(self) -> str:
        return f"{self.source}→{self.target}"

    def serves(self, service: str) -> bool:
        """Whether this service goes along it."""
        return self.services is None or service in self.services


# The whole ----------------------------------------------------------------------------------------------------------


class Deprecation(Part):
    """Something that goes: people who still use it are told."""

    what: Text = Field(description="The word: an alias of an environment, a change type, a kind of exception")
    adopt_until: Day = Field(description="Last day to begin using it")
    works_until: Day = Field(description="Last day on which it works")
    instead: Text = Field(description="What to do instead")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.works_until < self.adopt_until:
            message = "works_until comes before adopt_until"
            raise ValueError(message)
        return self


class Change(Part):
    """One version of this file, for people who live by it."""

    version: Text = Field(description="Which")
    effective: Effective = Field(description="From when on it decides, in the policy's zone")
    summary: Text = Field(description="What changed")
    rationale: Text = Field(description="Why")
    migration: str = Field(default="", description="What people must do")
    deprecates: tuple[Deprecation, ...] = Field(default=(), description="What goes")


class Together(Part):
    """How several services go as one candidate: a manifest that pins each of them."""

    owner_role: RoleName | None = Field(
        default=None, description="Only who holds this role promotes a set; default: whoever may promote"
    )
    if_one_fails: Literal["back", "stay"] = Field(
        default="back", description="Those of the set that have shipped go back, too, in reverse; or stay as they are"
    )
    depends_on: dict[ServiceName, tuple[ServiceName, ...]] = Field(
        default={}, description="Which services need which: these ship first, and what breaks has a plan"
    )
    source: str = Field(default="", description="Where the policy that people signed asks for it")


class Convention(Part):
    """Something that a team settles once, and that no gate can see."""

    uses: Text = Field(
        description="versions: `semver`, `calver`; commits: `conventional`; releases: `on_demand`, `train`"
    )
    record: str = Field(default="", description="Where it is written why, and how it maps, if it is not the usual")
    source: str = Field(default="", description="Where the policy that people signed asks for it")


class Train(Part):
    """Releases that leave at set times."""

    cadence: Text = Field(description="How often: `every second Tuesday`")
    cutoff: Text = Field(description="After this nothing gets on: `Monday 12:00`")
    stabilization: Span = Field(description="Between cutoff and departure")
    attendees: tuple[RoleName, ...] = Field(min_length=1, description="Who takes part in the go or no-go")
    window: WindowName = Field(description="The window in which it leaves")


class Audit(Part):
    """What is looked for in each repository again and again, whatever anybody promotes."""

    look_for: tuple[
        Literal[
            "branches",
            "protection",
            "pushes",
            "rewrites",
            "merges",
            "proposals",
            "environments",
            "workflows",
            "tags",
            "short_lived",
            "merged",
            "released",
        ],
        ...,
    ] = Field(
        default=(
            "branches",
            "protection",
            "pushes",
            "rewrites",
            "merges",
            "proposals",
            "environments",
            "workflows",
            "tags",
            "short_lived",
            "merged",
            "released",
        ),
        min_length=1,
        description="Branches that are called otherwise, or not protected; what was pushed, rewritten or merged "
        "against the branch gates; pull requests that go where they must not, or are nobody's; environments that are "
        "called otherwise; workflows that take moving parts; release tags that were moved; and what is listed: "
        "branches that live too long, were merged, or were released",
    )
    every: Span = Field(default=timedelta(days=1), description="Looked at so often; what is found is told once")
    list_every: Span = Field(default=timedelta(days=7), description="What lies about is listed so often")
    channel: Channel | None = Field(
        default=None, description="Slack channel id that hears of it; default: the services' own"
    )
    protected: tuple[Text, ...] = Field(
        default=(), description="Branches that are protected, besides those of environments: `release/*`"
    )
    linear: tuple[Text, ...] = Field(default=(), description="Branches that take no merge commits: `main`")
    short_lived: tuple[Text, ...] = Field(
        default=("feature/*",), description="Branches that are integrated within `short_lived_days`"
    )
    short_lived_days: int = Field(default=14, ge=1, description="Older than so many days: listed")
    left_days: int = Field(default=7, ge=1, description="Merged, and not deleted for so many days: listed")
    released: tuple[Text, ...] = Field(
        default=("release/*",), description="Branches that are closed once they are in production"
    )
    released_days: int = Field(default=30, ge=1, description="There so many days after that: listed")


class Unenforced(Part):
    """A rule that no machine can hold people to, and what is done instead."""

    rule: Text = Field(description="What it says")
    why: Text = Field(description="Why nothing here enforces it")
    instead: Text = Field(description="What is done instead, and by whom")
    verified: Day | None = Field(default=None, description="The last day on which somebody saw that it is done")
    every: Lasting | None = Field(default=None, description="After so long somebody must look again")
    source: str = Field(default="", description="Where it is written")


class Document(Part):
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
    groups: dict[Name, Annotated[tuple[ServiceName, ...], Field(min_length=2)]] = Field(
        default={},
        description="Services that ship together, in the order in which they do; they go back in the reverse",
    )
    manifest: Together = Field(default=Together(), description="How services that ship together are promoted as one")
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
    hotfix: Hotfix | None = Field(default=None, description="How hotfixes go; default: there are none")
    paths: tuple[Path, ...] = Field(min_length=1, description="Every promotion there is; no other is allowed")
    rollback: Rollback = Field(default=Rollback(), description="How rollbacks go")
    measure: Measure = Field(default=Measure(), description="How late the monitoring is")
    conventions: dict[Literal["versions", "commits", "tickets", "releases"], Convention] = Field(
        default={}, description="What the team settled: how versions are numbered, commits written, releases timed"
    )
    trains: dict[Name, Train] = Field(default={}, description="Release trains by name")
    audit: Audit | None = Field(
        default=None, description="What is looked for in the repositories each day; default: nothing"
    )
    document: str = Field(default="", description="The policy that people signed; `source` gives places in it")
    changes: tuple[Change, ...] = Field(default=(), description="Versions of this file, newest last")
    assumed: dict[Text, Text] = Field(
        default={}, description="Places in this file that somebody assumed and the team must confirm, and what of them"
    )
    unenforced: tuple[Unenforced, ...] = Field(default=(), description="Rules that nothing here can enforce")
