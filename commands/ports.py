"""What do we need from the world? In our words; `bot/` translates. Adapters raise only `commands.errors`.

Reads raise `Unavailable` (or `Rejected` where asking again says the same). Writes raise `Rejected` where the other
side refused and so nothing changed, `Unavailable` where it put us off or was never reached, and `OutcomeUnknown` for
everything else: a timeout proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NewType, Protocol

from commands.manifest import ManifestRecord
from commands.operation import Operation, Wish
from commands.plan import PlannedProbe
from commands.record import BOT, target_of
from commands.reply import Reply
from policy.evidence import Attestation, Changes, Issue, Measured, PullRequest, Repository, Tag, WorkflowRun
from policy.facts import Check, ExceptionRecord, Facts, Freeze, Hold, KnownGood, Obligation, Question, Vote
from policy.finding import Decision
from policy.model import Digest, Human, Person, Place, Sha, Unknown

if TYPE_CHECKING:  # 150 ms of pydantic that hearing and taking down words can do without
    from policy.agreement import Relaxes
    from policy.document import ActivePolicy
    from policy.settings import Configured

# Time ---------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC: the time that windows, soaks, holds and records go by."""


# What runs ----------------------------------------------------------------------------------------------------------

Site = NewType("Site", str)
"""Where a place runs: `project/region/service`."""


@dataclass(frozen=True, slots=True)
class Share:
    """One line of a traffic list."""

    revision: str
    percent: int
    tag: str = ""
    address: str = ""
    """Where the tag answers, `https://…`; empty unless tagged and read back."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a site serves and what it was last told to serve."""

    site: Site
    etag: str
    settled: bool
    """False while the last write is still being carried out."""
    serving: tuple[Share, ...]
    """In effect now; 0 % lines included."""
    wanted: tuple[Share, ...]
    """As last written; equals `serving` once settled, unless the write failed."""
    fence: int = 0
    """Number that the last write carried; 0: none of ours."""
    operation: str = ""
    """Id of the operation that wrote last; empty: none of ours."""
    trouble: str = ""
    """Why the site says that it is not ready; empty: it is."""
    address: str = ""
    """Where people reach it, `https://…`; empty: not known."""

    @property
    def whole(self) -> str | None:
        """The revision that has all the traffic, or None while it is split."""
        takers = [share.revision for share in self.serving if share.percent > 0]
        return takers[0] if len(takers) == 1 else None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision, as created; it never changes."""

    name: str
    image: str
    """Full reference by digest."""
    digest: Digest
    ready: bool | None
    """None: not settled yet."""
    trouble: str
    created_at: datetime
    operation: str = ""
    """Id of the operation that created it, if it was one of ours."""
    commit: Sha | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """How a write ended, as the platform tells it. Not proof of what is served: read back."""

    ok: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to carry one operation on, until it runs out."""

    operation: str
    fence: int
    ends: float
    """On this process's monotonic clock, seconds."""

    def outlives(self, seconds: float) -> bool:
        """True where a call that takes at most so long ends while the lease still holds."""
        return time.monotonic() + seconds < self.ends


class Runs(Protocol):
    """Cloud Run."""

    WRITE_DEADLINE: float
    """Seconds after which a write call has ended one way or the other."""

    async def running(self, site: Site) -> Running: ...

    async def revision(self, site: Site, name: str) -> Revision | None:
        """None: there is none of that name."""

    async def deploy(
        self,
        site: Site,
        *,
        seen: Running,
        image: str,
        revision: str,
        container: str | None,
        shares: Sequence[Share],
        commit: Sha | None,
        lease: Lease,
    ) -> str:
        """Start creating `revision` from the site's own template with only the image changed, together with the
        whole traffic list; the handle to ask after. The write carries the lease's operation and fence."""

    async def shift(self, site: Site, *, seen: Running, shares: Sequence[Share], lease: Lease) -> str:
        """Start writing the whole traffic list and nothing else; the handle to ask after."""

    async def settled(self, handle: str) -> Settled | None:
        """How that write ended, or None while it goes on. `Unavailable` says nothing about the write."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a site's next revision will be made, or how one of its revisions was."""

    main: Configured
    """Of the container that takes requests; service account, databases and domains of all of it."""
    beside: Mapping[str, Configured] = field(default_factory=dict)
    """Of the other containers, by name: variables and secrets."""
    shape: Mapping[str, str] = field(default_factory=dict)
    """`memory` → `512Mi`, `ingress` → `internal`: nothing secret, and nothing that is there by name."""
    image: str = ""
    """As it is written there: by digest, or by a tag."""
    revision: str = ""
    """The newest revision made so; empty: none is."""
    operation: str = ""
    """Id of the operation that last brought a new image; empty: none of ours."""
    by: str = ""
    """Account that wrote it last, as Cloud Run tells it; empty: it does not."""


class Configurations(Protocol):
    """How what runs is configured. Values come along to be compared; nothing says or keeps them."""

    async def configured(self, site: Site, revision: str = "") -> Configuration | None:
        """How that revision was made; without a name, how the next one will be. None: there is none such."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What a revision answered in a span of time."""

    total: int
    errors: int
    """Answers of 500 and above."""
    p99_ms: float | None
    """None: not enough data."""

    @property
    def error_percent(self) -> float:
        return 100 * self.errors / self.total if self.total else 0.0


class Signal(StrEnum):
    """What a revision can be watched by."""

    ERROR_PERCENT = "error_percent"
    """Of its answers, those of 500 and above."""
    P99_MS = "p99_ms"
    MEMORY_PERCENT = "memory_percent"
    """Of what its containers may have, the p99 over them."""
    CPU_PERCENT = "cpu_percent"
    """The same of processor time."""


class Point(NamedTuple):
    """One value of a signal, over one resolution."""

    at: datetime
    """The end of the span that it is about."""
    value: float


class Metrics(Protocol):
    """Monitoring."""

    async def requests(
        self, site: Site, revision: str, since: datetime, until: datetime, resolution: timedelta
    ) -> Requests:
        """Requests that a revision answered in [since, until), whole multiples of `resolution` long."""

    async def series(
        self, site: Site, revision: str, signal: Signal, since: datetime, until: datetime, resolution: timedelta
    ) -> tuple[Point, ...]:
        """Its values over [since, until), oldest first; the spans end at `until` and are `resolution` long each.

        A span without data has no point: nothing was answered, or no container ran.
        """


@dataclass(frozen=True, slots=True)
class Probed:
    """What came back from a smoke request."""

    ok: bool
    saw: tuple[int, ...]
    """Status of each repetition; 0 where nothing came."""
    slowest_ms: float
    why: str = ""


class Probes(Protocol):
    async def probe(self, address: str, probe: PlannedProbe) -> Probed:
        """Never raises: what goes wrong is what was seen. No body is kept."""


class Images(Protocol):
    """Where images are kept."""

    async def kept(self, image: str) -> bool:
        """Whether that image, named in full and by its digest, can still be had."""


# Where the code lives -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deployment:
    """GitHub's record that a commit was put somewhere."""

    id: int
    environment: str
    commit: Sha
    digest: Digest | None
    """From its payload; None where it names none."""
    operation: str
    """From its payload; empty where it is none of ours."""
    state: str
    """Newest status, `success`, `failure`, `in_progress` …; empty: none yet."""
    updated_at: datetime
    revision: str = ""
    service: str = ""
    """From its payload; empty: of whichever the repository holds."""


@dataclass(frozen=True, slots=True)
class Change:
    """One commit between two."""

    commit: Sha
    title: str
    author: str
    """GitHub login, or the name in the commit where there is no account."""
    others: tuple[str, ...] = ()
    """Who else had a hand in it, the same way: co-authors, and the committer where that is not GitHub itself."""
    strangers: frozenset[str] = frozenset()
    """Those of them that are only names in the commit: whoever wrote it could call themselves so."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """From what serves to the candidate."""

    ahead: int
    behind: int
    changes: tuple[Change, ...]
    """Oldest first; at most 250 (the host's cap), so `ahead` may be larger."""


@dataclass(frozen=True, slots=True)
class Link:
    """One commit in a line of history, with what ties it to others."""

    commit: Sha
    title: str
    parents: tuple[Sha, ...]
    picked_from: Sha | None = None
    reverts: tuple[Sha, ...] = ()
    origins: tuple[Sha, ...] = ()
    """All that it says it was picked from, where several were squashed or it was picked on; the last is above."""


@dataclass(frozen=True, slots=True)
class Written:
    """One commit, with all that it says."""

    commit: Sha
    message: str
    author: str
    """Login, or the name in the commit."""
    parents: tuple[Sha, ...]
    account: bool = True
    """False: the author is only a name in it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A pull request that somebody opened, as it stands now."""

    number: int
    title: str
    body: str
    source: str
    target: str
    head: Sha
    open: bool
    merged: Sha | None
    """What it was merged as; None: it was not."""


class Look(StrEnum):
    """What to look at in the pull requests of a range, besides what each says."""

    REVIEWS = "reviews"
    OWNERS = "owners"
    CHECKS = "checks"


class Code(Protocol):
    """GitHub."""

    async def checks(self, repository: str, commit: Sha) -> Mapping[str, Check]:
        """Newest result of each check run and commit status on exactly that commit, by name."""

    async def deployments(self, repository: str, environment: str) -> tuple[Deployment, ...]:
        """The newest hundred or fewer, newest first."""

    async def compare(self, repository: str, base: Sha, head: Sha) -> Comparison: ...

    async def head(self, repository: str, branch: str) -> Sha | None:
        """Where that branch stands, called so letter by letter; None: there is none."""

    async def refs(self, repository: str, beginning: str) -> Mapping[str, Sha]:
        """Every branch (`heads/release/…`) or tag (`tags/v1.4.…`) whose name begins so, by that name. Where a tag is
        an object of its own, its id and not its commit's."""

    async def written(self, repository: str, commit: Sha) -> Written: ...

    async def came_by(self, repository: str, commit: Sha) -> int | None:
        """The number of the merged pull request that it first came by; None: it came by none."""

    async def opened(self, repository: str, number: int) -> Opened: ...

    async def trunk(self, repository: str) -> str:
        """The branch that work comes together in: the repository's default one."""

    async def holding(self, repository: str, commit: Sha, like: Sequence[str]) -> tuple[str, ...]:
        """The branches that stand at that commit, and of those that are called like one of these all that hold it."""

    async def tree(self, repository: str, commit: Sha) -> str:
        """What the commit holds, by the id of its tree."""

    async def lineage(self, repository: str, base: Sha, head: Sha) -> tuple[Link, ...]:
        """Every commit that `head` has and `base` lacks, oldest first; `Rejected` where they are too many."""

    async def changes(self, repository: str, base: Sha, head: Sha, look: frozenset[Look], branch: str) -> Changes:
        """What came between, with the pull requests that it came by; `branch` where that holds `head`."""

    async def unprotected(self, repository: str, branch: str) -> tuple[str, ...]:
        """What the branch's protection lacks: `direct push allowed`. Empty: nothing."""

    async def not_passed(self, repository: str, branch: str, commit: Sha) -> tuple[str, ...]:
        """The checks that the branch requires and that commit has not passed; one that never ran is among them."""

    async def unmergeable(self, repository: str, branch: str) -> str:
        """Why that branch takes no merge commit from us, one sentence; empty: nothing is known that forbids it."""

    async def strict(self, repository: str, branch: str) -> bool:
        """Whether the host lets nothing come to that branch that lacks one of its commits."""

    async def promotion(self, repository: str, source: str, target: str) -> PullRequest | None:
        """The open pull request from the one branch to the other."""

    async def workflow(self, repository: str, file: str, commit: Sha) -> WorkflowRun | None:
        """The run of that workflow that was started last on exactly that commit; None: it never ran there."""

    async def tag(self, repository: str, commit: Sha, pattern: str, serving: Sha | None) -> Tag | None:
        """The highest tag on that commit that is called like the pattern; None: it bears none."""

    async def tagged(self, repository: str, name: str) -> Tag | None:
        """That tag, wherever it is now; None: there is none of that name, or it names no commit."""

    async def attestations(self, repository: str, digest: Digest, commit: Sha | Unknown) -> tuple[Attestation, ...]:
        """What is attested of that artifact; those are verified that GitHub's own machines made from that repository's
        commit, or from one that holds the same. `Rejected` where none is, and of some nobody can tell."""

    async def alerts(self, repository: str, source: str) -> Mapping[str, tuple[str, ...]]:
        """Severity → names of what is open: of `dependabot`, `code_scanning` or `secret_scanning`."""

    async def numbers(self, repository: str, commit: Sha, reports: Sequence[str]) -> Mapping[str, Measured]:
        """By report, what was reported of exactly that commit; one is left out that says no certain number."""

    async def issues(self, repository: str, labels: Sequence[str]) -> tuple[Issue, ...]:
        """The open ones with any of these labels."""

    async def kept(self, repository: str, files: Sequence[str], owned: Sequence[str]) -> Repository:
        """Which of these files the default branch lacks, and which of these paths nobody owns there."""

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
        """The id of the one deployment with this operation id: found, or else created.

        `doubted`: it may have been created already, so one answer that knows nothing of it is not believed.
        """

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
        """That deployment's newest status is `state`; nothing is written where it already is. `doubted`: as above.

        `log`: where it is told how it goes; `address`: where people reach what was deployed. No other is touched."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a branch got by a merge."""

    commit: Sha
    parents: tuple[Sha, ...]
    """Where the branch stood, and what came to it."""
    tree: str


class Branches(Protocol):
    """What of GitHub moves branches and opens pull requests. Every write has a condition, or is found already made.

    `Conflict`: a branch stands elsewhere than was seen, so nothing was moved; read again and decide anew.
    """

    async def propose(self, repository: str, *, source: str, target: str, title: str, body: str) -> int:
        """The number of the one open pull request from the one branch to the other: found as it is, or else opened.

        `Rejected` where there is nothing between them."""

    async def label(self, repository: str, number: int, labels: Sequence[str]) -> None:
        """That pull request has these labels, besides those it had."""

    async def merge(
        self, repository: str, number: int, *, head: Sha, base: Sha, description: str, title: str, message: str
    ) -> Merged:
        """That pull request is merged with a merge commit, at exactly that head; found merged, what became of it.

        `Conflict` also where its target stood elsewhere, or it said something else, right before. `description`:
        SHA-256 of that, hex."""

    async def move(self, repository: str, branch: str, *, seen: Sha, to: Sha, back: bool = False) -> None:
        """The branch stands at `to`: moved forward from where it was seen, or found there.

        `back`: it may lose commits."""

    async def begin(self, repository: str, branch: str, at: Sha) -> None:
        """That branch is there and stands at that commit: made, or found so."""

    async def reverted(self, repository: str, *, onto: Sha, commit: Sha, mainline: int, message: str) -> Sha | None:
        """A commit on top of `onto` that takes back what `commit` brought to its parent of that number, counted from
        1, as git would; it stands on no branch yet. None: there is nothing to take back. `Rejected`: a conflict."""

    async def picked(self, repository: str, *, onto: Sha, commit: Sha, mainline: int, message: str) -> Sha | None:
        """A commit on top of `onto` that brings what `commit` did, as git would; the rest as above."""

    async def append(self, repository: str, branch: str, path: str, *, text: str, mark: str, title: str) -> Sha:
        """The commit by which that file of that branch ends with this text; found there where it holds the mark."""


class Guard(NamedTuple):
    """One of the things that guard a branch: a ruleset, or its classic protection."""

    name: str
    """Tells it from the others of the branch."""
    says: str
    """`ruleset main (for main, release/*)`."""
    state: Mapping[str, Any] | None
    """All of it, plain JSON, as it can be put back; None: it is gone."""
    ours: bool = True
    """False: it belongs to the organisation, and cannot be changed from here."""


class Pull(NamedTuple):
    """How a pull request stands."""

    base: str
    open: bool
    merged: bool


class Protections(Protocol):
    """What of GitHub changes what guards a branch. It takes no condition, so whoever calls `put` has just looked."""

    async def guards(self, repository: str, branch: str) -> tuple[Guard, ...]:
        """All that guards the branch now; `Rejected` where some of it cannot be seen whole."""

    async def again(self, repository: str, branch: str, guards: Sequence[Guard]) -> tuple[Guard, ...]:
        """The same ones as they stand now."""

    def relaxed(self, guards: Sequence[Guard], what: Iterable[Relaxes]) -> tuple[Guard, ...]:
        """Those of them that have to change for that, as they will stand then; `Rejected` says why it cannot be."""

    async def put(self, repository: str, seen: Guard, wanted: Guard, lease: Lease) -> None:
        """It stands as wanted, where it stood as seen a moment ago; sent only while the lease holds."""

    async def newest(self, repository: str, guard: Guard) -> int:
        """Number of its newest version; 0 where GitHub keeps none."""

    async def since(self, repository: str, guard: Guard, number: int) -> tuple[Guard, ...]:
        """How it stood in each version after that one, oldest first."""

    async def pull(self, repository: str, number: int) -> Pull: ...

    async def remark(self, repository: str, number: int, mark: str, text: str, lease: Lease) -> None:
        """The pull request bears one remark with that mark: found, or else made."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A pull request as it lies in a repository, whoever asked for it."""

    pull: PullRequest
    commit: Sha
    """Head of it."""
    merged_at: datetime | None = None
    """None: it is open."""


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What a branch has that another lacks."""

    commits: int
    since: datetime | None = None
    """When the oldest of it was committed; None: there is nothing."""
    by: str = ""
    """Who made the newest of it: GitHub login, or the name in the commit."""


class Repositories(Protocol):
    """What lies in a repository, besides what somebody wants promoted."""

    async def branches(self, repository: str) -> Mapping[str, Sha]:
        """Every branch, and where it stands."""

    async def environments(self, repository: str) -> tuple[str, ...]:
        """What the host calls the places that the repository is deployed to."""

    async def proposals(self, repository: str, since: datetime) -> tuple[Proposed, ...]:
        """The open ones, and those merged since then."""

    async def required(self, repository: str, branch: str) -> frozenset[str]:
        """The checks that the branch requires before anything is merged, by name."""

    async def unmerged(self, repository: str, base: Sha, head: Sha) -> Unmerged: ...

    async def uses(self, repository: str) -> Mapping[str, tuple[str, ...]]:
        """File of a workflow on the default branch → the actions and workflows that it takes from elsewhere."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a tag at GitHub, as it stands."""

    id: int
    tag: str
    public: bool
    """False: a draft, which only we and people who may write see."""
    url: str
    files: Mapping[str, str]
    """Name → digest of what it holds; empty where its upload was cut off."""
    ours: bool = True
    """It bears the mark that was asked for."""


class Releases(Protocol):
    """What of GitHub makes releases of tags. A tag is never made: where it is missing, that is refused."""

    async def released(self, repository: str, tag: str, mark: str) -> Release | None:
        """The public one of that tag, else the draft with that mark, else the only draft; None: there is none."""

    async def latest(self, repository: str) -> str:
        """The tag of the release that GitHub calls the latest; empty: there is none."""

    async def draft(self, repository: str, *, tag: str, commit: Sha, title: str, body: str, mark: str) -> Release:
        """As `released`; else one is drafted, for a tag that is on exactly that commit, with the mark in its body."""

    async def attach(self, repository: str, release: Release, name: str, content: bytes) -> None:
        """It holds that file: found with the same content, or else uploaded. `Rejected`: another is there."""

    async def publish(self, repository: str, release: Release, *, commit: Sha, latest: bool) -> Release:
        """It is public, its tag still on that commit, and nobody may change what it holds; found so, or made so."""


# People -------------------------------------------------------------------------------------------------------------


class People(Protocol):
    async def person(self, account: str) -> Person:
        """Who that is right now, with roles under the policy in force. Fails closed: raises where it cannot be told."""

    async def holders(self, roles: Sequence[str]) -> Mapping[Human, Person]:
        """Everybody who holds one of these roles now."""


# Records ------------------------------------------------------------------------------------------------------------


class EntryPhase(StrEnum):
    REQUEST = "request"
    """Somebody asked; stands on disk before they are told that it was heard."""
    INTENT = "intent"
    """Committed before the world is changed."""
    OUTCOME = "outcome"
    """What became of an intent, by asking the world."""
    OBSERVATION = "observation"
    RECORD = "record"
    """A change of our own books: a vote, a freeze, a hold, an end."""
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger before it has a place in it."""

    kind: str
    """`command`, `vote`, `operation`, `deploy`, `traffic`, `deployment`, `freeze`, `hold`, `policy`, `start`."""
    phase: EntryPhase
    what: str
    """One word or two: `asked`, `approve`, `began`, `confirmed`, `not happened`."""
    actor: Person
    operation: str = ""
    effect: str = ""
    """The effect's key, where there is one: an outcome names the intent it settles."""
    target: Mapping[str, str] = field(default_factory=dict)
    """service, environment, digest, plan, revision, freeze …: never free text."""
    decision: Decision | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON without floats: numbers measured, handles, hashes of evidence."""
    private: Mapping[str, str] = field(default_factory=dict)
    """Free text and names of people. Only a salted commitment enters the ledger; the clear text can be erased."""
    question: Question | None = None
    """With a decision: what was asked. With `facts` it can be decided again, years later."""
    facts: Facts | None = None
    """What the decision looked at; kept like `private`."""

    @classmethod
    def of(
        cls,
        operation: Operation,
        kind: str,
        phase: EntryPhase,
        what: str,
        effect: str = "",
        *,
        also: Mapping[str, str] = {},
        detail: Mapping[str, Any] = {},
        private: Mapping[str, str] = {},
        by: Person = BOT,
    ) -> Entry:
        """What became of this operation. `also`: what it is about, too, or what stands instead of what is usual."""
        target = {**target_of(operation), **also}
        return cls(kind, phase, what, by, operation.id, effect, target, detail=detail, private=private)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of the ledger, for reading."""

    seq: int
    at: datetime
    kind: str
    phase: EntryPhase
    what: str
    actor: str
    """Account."""
    actor_name: str
    operation: str
    target: Mapping[str, str]
    detail: Mapping[str, Any]
    private: Mapping[str, str]
    """What has not been erased."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How a place looked at one instant. No value is in it, only marks that tell whether one is still the same."""

    traffic: Mapping[str, int]
    """Revision → whole per cent, those without any left out."""
    image: str
    """Of the next revision, as it is written there."""
    marks: Mapping[str, str]
    """`variable DB_HOST`, `secret DB_URL`, `service account`, `databases` → mark."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a place that others may change: how it should look, and how it looked last."""

    place: Place
    salt: str
    """Marks of this place are made with it."""
    expected: Sight
    """As our last operation left it, or as it was first seen."""
    last: Sight
    changed: tuple[str, ...] = ()
    """What looks otherwise than expected, by name: `traffic`, `variable DB_HOST`."""
    since: datetime | None = None
    """When it was first seen otherwise; None: it is as expected."""
    operation: str = ""
    """Id of the operation whose revision is expected; empty: none of ours."""
    site: str = ""
    """Where it ran when it was looked at: elsewhere it is looked at for the first time."""
    number: int = 0
    """How often it was written down."""


@dataclass(frozen=True, slots=True)
class SeenTag:
    """What a release tag named when it was first seen: it never names anything else."""

    repository: str
    name: str
    service: str
    commit: Sha
    digest: Digest
    """What of that service was built from it."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What an environment was seen to do while it served exactly one revision. The newest look of its kind stands."""

    place: Place
    what: str
    """`probes:staging`, `staging_evidence`."""
    revision: str
    digest: Digest
    commit: Sha | None
    """None: nobody knew what it was built from."""
    at: datetime
    asked: str = ""
    """Hash of what was asked of it: the answers to other questions are none."""
    found: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON values."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What is known of a repository since it was last looked over."""

    repository: str
    at: datetime
    """When that was."""
    heads: Mapping[str, Sha] = field(default_factory=dict)
    """Where the shared branches stood then."""
    told: tuple[str, ...] = ()
    """What was found, by its key, and is still so: it is not told again."""
    listed_at: datetime | None = None
    """When what is left lying about was last listed."""
    number: int = 0
    """How often it was written down."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be said, sent in order once it is committed."""

    channel: str
    reply: Reply
    operation: str = ""
    """In this operation's thread; it opens one where there is none yet."""
    slot: str = ""
    """With an operation: said under the same slot again, it replaces what stands there. `root` opens the thread."""
    thread: str = ""
    """In the thread of this message (its ts); only without an operation."""
    only_for: str = ""
    """Account: only that person sees it."""
    request: str = ""
    """The request that it answers, for the private way back."""
    phase: str = ""
    """With an operation: left unsaid where it is in another phase by the time this is committed, or what is wished of
    it with this comes too late."""


@dataclass(frozen=True, slots=True)
class Request:
    """Words somebody said, as taken down."""

    id: str
    """The same for a repetition of the same deed: trigger id, event id or click."""
    words: str
    account: str
    """`slack:T0ACME/U0MAYA`."""
    channel: str
    thread: str = ""
    """ts of the thread it was said in, or empty."""
    message: str = ""
    """ts of the message whose button was pressed, or empty."""
    via: Literal["command", "mention", "button", "modal", "shortcut", "cli"] = "command"
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Writes:
    """What one step changes in our own books: all of it in one transaction, or nothing."""

    entries: tuple[Entry, ...] = ()
    messages: tuple[Message, ...] = ()
    operation: Operation | None = None
    """Its new state. New ones are inserted; for the others a lease must be shown."""
    creates: bool = False
    starts: tuple[tuple[Operation, timedelta], ...] = ()
    """(operation, look at it so much later): new ones besides. Of one that is there already, nothing is written."""
    due: timedelta | None = None
    """With an operation: look at it again so much later; None: only when something happens."""
    takes: Place | None = None
    """With an operation: it becomes the one that may change this place; `Taken` if another is."""
    leaves: Place | None = None
    votes: tuple[tuple[str, Vote], ...] = ()
    """(operation, vote): the operation is woken. A voter's earlier vote stands until the new one; both are kept."""
    wishes: tuple[tuple[str, Wish], ...] = ()
    """(operation, wish): takes a new fence, so that whoever runs it is stopped, and wakes it."""
    wakes: tuple[str, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    ended_freezes: tuple[tuple[str, datetime], ...] = ()
    holds: tuple[Hold, ...] = ()
    lifted_holds: tuple[tuple[str, datetime], ...] = ()
    exceptions: tuple[ExceptionRecord, ...] = ()
    """Written as they are now: new ones, and those that were granted, used or revoked."""
    obligations: tuple[Obligation, ...] = ()
    """The same: new ones, and those that were settled."""
    record_votes: tuple[tuple[str, Vote], ...] = ()
    """(freeze or exception, vote)."""
    votes_seen: tuple[tuple[str, tuple[Vote, ...]], ...] = ()
    """(freeze or exception, the votes on it that were looked at): `Taken` where there are others by now."""
    good: tuple[tuple[Place, KnownGood], ...] = ()
    manifests: tuple[ManifestRecord, ...] = ()
    """The same of sets of services: one that begins, and when all of it was verified."""
    watched: tuple[Watched, ...] = ()
    """How these places look now: `Taken` where somebody else wrote one down since it was read."""
    tags: tuple[SeenTag, ...] = ()
    """Release tags that were looked at; of those that were seen before, nothing is written."""
    audited: tuple[Audited, ...] = ()
    """What is known of these repositories now: `Taken` where somebody else wrote one down since it was read."""
    shown: tuple[Shown, ...] = ()
    answers: str = ""
    """Id of the request that this answers: it is done with, and if it was already, nothing at all is written."""


class Taken(Exception):
    """Another operation is in the way; it carries that operation's id."""

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation


class Store(Protocol):
    """Our own books. Every method raises `Unavailable` where they cannot be read or written."""

    async def commit(self, writes: Writes, lease: Lease | None = None) -> None:
        """All of it is on disk. `LostLease`: a newer claim exists; `Taken`: another operation is in the way."""

    async def operation(self, id: str) -> Operation | None:
        """By id, or by any beginning of it that is unique."""

    async def open_operations(self, place: Place | None = None) -> tuple[Operation, ...]:
        """Those that somebody asked for and that are not over, oldest first."""

    async def timers(self, place: Place | None = None) -> tuple[Operation, ...]:
        """Those that nobody asked for and that are not over: they wait for a time, or watch."""

    async def holder(self, place: Place) -> str:
        """Id of the operation that may change this place, or empty."""

    async def votes(self, operation: str) -> tuple[Vote, ...]: ...

    async def freezes(self, at: datetime) -> tuple[Freeze, ...]:
        """Those not yet over at that instant, by start; those that nobody agreed to yet among them."""

    async def freeze(self, id: str) -> Freeze | None:
        """By its whole id, whatever became of it; one that was ended early ends when it was."""

    async def exceptions(self, at: datetime) -> tuple[ExceptionRecord, ...]:
        """Those neither ended nor revoked at that instant, by the time they were asked for, granted or not."""

    async def exception(self, id: str) -> ExceptionRecord | None:
        """By its whole id, whatever became of it."""

    async def obligations(self, service: str | None = None) -> tuple[Obligation, ...]:
        """Those that nobody settled, soonest due first; of one service with those that are owed for every one."""

    async def record_votes(self, record: str) -> tuple[Vote, ...]:
        """On one freeze or exception, as they were cast."""

    async def holds(self, service: str | None = None) -> tuple[Hold, ...]:
        """Those not lifted."""

    async def known_good(self, place: Place) -> tuple[KnownGood, ...]:
        """Newest first, one for each revision."""

    async def manifests(self, environment: str) -> tuple[ManifestRecord, ...]:
        """Newest first: sets of several services that went there, or began to."""

    async def watched(self) -> tuple[Watched, ...]:
        """Every place that was ever looked at, as it was last written down."""

    async def shown(self, service: str) -> tuple[Shown, ...]:
        """What was seen of it in each environment, the newest of its kind."""

    async def seen_tags(self, repository: str, commit: Sha, name: str = "") -> tuple[SeenTag, ...]:
        """Those that were first seen on that commit, and that of this name, by every service; oldest first."""

    async def audited(self) -> tuple[Audited, ...]:
        """Every repository that was ever looked over, as it was last written down."""

    async def newest_tags(self, repository: str, limit: int) -> tuple[SeenTag, ...]:
        """So many of those that were seen last for the first time, newest first."""

    async def history(self, service: str, limit: int) -> tuple[Recorded, ...]:
        """Newest first."""

    async def permalink(self, operation: str) -> tuple[str, str]:
        """Channel and ts of its root message; empty strings while it is unsent."""


class PolicyInForce(Protocol):
    def current(self) -> ActivePolicy: ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, handed in."""

    clock: Clock
    people: People
    runs: Runs
    configurations: Configurations
    metrics: Metrics
    probes: Probes
    images: Images
    code: Code
    branches: Branches
    releases: Releases
    protections: Protections
    store: Store
    policies: PolicyInForce
