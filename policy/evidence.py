"""What do machines say of a candidate? Typed answers that the gates look at; what could not be had is `Unknown`.

Every answer belongs to one candidate. Who gathers it says for which commit or digest it holds; a rule that finds it to
be about something else treats it as if there were none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from policy.model import Digest, Human, Sha, Unknown

NOT_GATHERED = Unknown("nobody looked")


class CheckState(StrEnum):
    """A check's newest result; only `PASSED` passes."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Check:
    """The newest result of one check on exactly the candidate's commit."""

    name: str
    state: CheckState
    url: str = ""
    saw: str = ""
    """The host's own word for it: `failure`, `timed_out`."""
    at: datetime | None = None
    """When it finished."""
    attempt: int = 1
    """Which run of it that was."""
    ticket: str = ""
    """Of the flaky test that made it run again, where there is one."""


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """The newest run of a workflow on exactly the candidate."""

    workflow: str
    state: CheckState
    url: str = ""
    saw: str = ""
    at: datetime | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One pull request whose commits are in the range from what serves to the candidate."""

    number: int
    title: str
    labels: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)
    """Section of its template → what it says, trimmed; a section that says nothing is left out."""
    authors: frozenset[str] = frozenset()
    """Logins of whoever opened it, and of its commits' authors."""
    approved_by: frozenset[str] = frozenset()
    """Logins of those whose newest review approves its last commit."""
    owners_missing: tuple[str, ...] = ()
    """Changed paths that no owner approved."""
    failed: tuple[str, ...] = ()
    """Required checks that had not passed when it was merged."""
    head: str = ""
    """Branch it came from."""
    base: str = ""
    """Branch it was merged into."""
    url: str = ""
    """Where people read it."""
    description: str = ""
    """SHA-256 of its description, letter by letter, hex; empty: nobody looked."""
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit in the range."""

    sha: Sha
    title: str
    authors: frozenset[str] = frozenset()
    """Logins of author, committer (but for the host itself) and co-authors; a name where there is no account."""
    pull_request: int | None = None
    parents: int = 1
    picked_from: Sha | None = None
    """The commit of the trunk that it was picked from."""
    verified: bool = False
    """Its signature was verified by the host."""
    breaks: bool = False
    """Its message says that it breaks something."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Changes:
    """Everything between what serves and the candidate."""

    commits: tuple[Commit, ...] = ()
    pull_requests: tuple[PullRequest, ...] = ()
    files: tuple[str, ...] = ()
    branch: str = ""
    """The branch that the candidate's commit was built from."""
    complete: bool = True
    """False where the host cut the list short: then it is not known what else there is."""

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(label for pull_request in self.pull_requests for label in pull_request.labels)


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of the path, as their host protects and holds them."""

    unprotected: Mapping[str, tuple[str, ...]] | Unknown = field(default_factory=dict)
    """Branch → what its protection lacks: `direct push allowed`. A protected one is not in it."""
    behind: tuple[Sha, ...] | Unknown = ()
    """Commits of the target that the source lacks, without earlier promotion merges of this path."""
    strict: bool | Unknown = False
    """The host takes nothing that is behind: then `behind` has those merges, too."""
    merge_commits: tuple[Sha, ...] | Unknown = ()
    """Of the target, that are not on the source."""
    not_on_source: tuple[Sha, ...] | Unknown = ()
    """Commits of the target that the source does not have; the candidate, where the source does not have that."""
    not_picked: tuple[Sha, ...] | Unknown = ()
    """Commits of a release branch after its cut-off that were picked from nowhere."""
    late_features: tuple[str, ...] | Unknown = ()
    """Pull requests with features that a release branch took after its cut-off: `#140`."""
    not_from_production: tuple[Sha, ...] | Unknown = ()
    """Commits of a hotfix that neither production has nor the fix needs."""
    red: tuple[str, ...] | Unknown = ()
    """Required checks that fail on the head of the source."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How the candidate's commit lies to the target branch."""

    ahead: int
    behind: int


@dataclass(frozen=True, slots=True)
class Built:
    """What an environment serves, by every name it has."""

    digest: Digest | None = None
    commit: Sha | None = None
    tree: str | None = None


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """For how long something has served without a trigger firing."""

    candidate_since: datetime | None
    """Since when the candidate's own revision has had all the traffic; None: it has not."""
    environment_since: datetime | None
    """Since when nothing changed there."""
    trouble: str = ""
    """A trigger that fired meanwhile."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number, where it comes from, and since when it holds."""

    value: float
    at: datetime
    url: str = ""


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of one set of probes."""

    failed: tuple[str, ...]
    """`/db/health 503`; empty: all passed."""
    total: int
    at: datetime
    digest: Digest | None = None
    """What served while they ran."""


@dataclass(frozen=True, slots=True)
class Tag:
    """The release tag on the candidate's commit."""

    name: str
    commit: Sha
    annotated: bool = False
    verified: bool = False
    """Its signature was verified by the host."""
    why_not: str = ""
    """The host's word where it was not: `unsigned`."""
    made_by: str = ""
    """`github:app/release-ci`, `github:maya`."""
    first_commit: Sha | None = None
    """Where it pointed when it was first seen; None: it was never seen before."""
    previous: str = ""
    """The tag that serves the target now."""
    breaking: bool = False
    """A change in the range says that it breaks."""
    first_digest: Digest | None = None
    """What it named when it was first seen; None: it was never seen before."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One verified signature, or why there is none."""

    verified: bool
    by: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """Something kept that belongs to one candidate."""

    where: str
    digest: Digest | None = None
    """The artifact it speaks of; None: it speaks of the commit."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attestation:
    """One statement about a digest, verified offline."""

    predicate: str
    digest: Digest
    builder: str
    """The workflow that signed it, with its ref."""
    verified: bool
    """Its signature holds, and it was made for this repository from the candidate's code."""
    why_not: str = ""
    at: datetime | None = None
    hash: str = ""
    """SHA-256 of what was signed."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One open issue."""

    number: int
    title: str
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WayBack:
    """What a rollback of the target would go to."""

    revision: str
    digest: Digest
    ready: bool = True
    retrievable: bool | Unknown = NOT_GATHERED
    """Whether the registry still has its image."""


@dataclass(frozen=True, slots=True)
class Database:
    """What the change does to the database."""

    declared: str = ""
    """`none`, `reversible`, `expand`, `contract` …; empty: nobody declared it."""
    without_down: tuple[str, ...] = ()
    """Migrations that have no way back."""
    roundtrip: CheckState | None = None
    """Whether going down and up again was tried."""
    expanded_at: datetime | None = None
    """When the `expand` step that this `contract` step belongs to was verified."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One feature flag of the release."""

    name: str
    owner: str = ""
    removal: str = ""
    """When it is expected to go."""
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Several services as one candidate."""

    hash: str
    incomplete: tuple[str, ...] = ()
    """Entries that lack something: `web: commit`."""
    tested: str = ""
    """Hash of the set that the integration tests ran against."""
    unmet: tuple[str, ...] = ()
    """What entries lack of their own gates: `web: sast failed`."""
    unreleased: tuple[str, ...] = ()
    """Libraries that dependents wait for."""
    uncoordinated: tuple[str, ...] = ()
    """Libraries that break their dependents, and nobody planned how: `lib 1→2`."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one digest got in one environment."""

    digest: Digest
    state: str
    """`deployed` or `verified`."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Repository:
    """What its default branch holds."""

    missing: tuple[str, ...] = ()
    """Files that are asked for and are not there."""
    unowned: tuple[str, ...] = ()
    """Paths that are asked for and have no owner."""


Settings = Mapping[str, tuple[str, ...]]
"""Service → what is wrong with its configuration, by key and never with a value: `DATABASE_URL: host not allowed`."""

Shape = Mapping[str, str]
"""`api.memory` → `512Mi`; keys of an environment by name only, as `api.env_keys` → `A B C`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that machines said of one candidate on its way along one path."""

    workflows: Mapping[str, WorkflowRun] | Unknown = NOT_GATHERED
    """By file."""
    changes: Changes | Unknown = NOT_GATHERED
    branches: Branches | Unknown = NOT_GATHERED
    ahead: Ahead | Unknown = NOT_GATHERED
    built: Mapping[str, Built] | Unknown = NOT_GATHERED
    """Environment → what it serves."""
    tree: str | Unknown = NOT_GATHERED
    """Of the candidate."""
    soaks: Mapping[str, Undisturbed] | Unknown = NOT_GATHERED
    """By environment."""
    numbers: Mapping[str, Measured] | Unknown = NOT_GATHERED
    """By report."""
    signals: Mapping[str, Measured] | Unknown = NOT_GATHERED
    """By signal."""
    alerts: Mapping[str, Mapping[str, tuple[str, ...]]] | Unknown = NOT_GATHERED
    """Source → severity → names of what is open; a source that did not answer is not in it."""
    alerts_at: datetime | None = None
    probes: Mapping[str, Probed] | Unknown = NOT_GATHERED
    """`set@environment` → what came of it."""
    settings: Mapping[str, Settings] | Unknown = NOT_GATHERED
    """By environment; one without anything wrong has an empty mapping."""
    shapes: Mapping[str, Shape] | Unknown = NOT_GATHERED
    """By environment."""
    tag: Tag | Unknown | None = NOT_GATHERED
    """None: the commit bears none that fits."""
    signatures: Mapping[str, Signature] | Unknown = NOT_GATHERED
    """By subject: `tag`, `image`, `provenance`."""
    documents: Mapping[str, Document] | Unknown = NOT_GATHERED
    """By item: `sbom`."""
    attestations: tuple[Attestation, ...] | Unknown = NOT_GATHERED
    issues: tuple[Issue, ...] | Unknown = NOT_GATHERED
    """Open ones with any of the labels that gates ask for."""
    way_back: WayBack | Unknown | None = NOT_GATHERED
    """None: nothing verified is left."""
    database: Database | Unknown = NOT_GATHERED
    flags: tuple[Flag, ...] | Unknown = NOT_GATHERED
    lost: Mapping[str, tuple[str, ...]] | Unknown = NOT_GATHERED
    """`hotfix`, `reverted_promotion` → what would be lost."""
    manifest: Manifest | Unknown | None = NOT_GATHERED
    """None: it is one service."""
    reached: Mapping[str, tuple[Reached, ...]] | Unknown = NOT_GATHERED
    """Environment → how far digests got there, newest first."""
    repository: Repository | Unknown = NOT_GATHERED
    promotion: PullRequest | Unknown | None = NOT_GATHERED
    """The one pull request that leads from the source's branch to the target's; None: none is open."""
    image: str | Unknown = NOT_GATHERED
    """Of the candidate, as it is deployed: `registry/acme/api:v1.4.2@sha256:…`."""


NOTHING = Evidence()
"""Nobody looked for anything."""


@dataclass(frozen=True, slots=True)
class Authors:
    """Who wrote what lies between what serves and the candidate."""

    humans: frozenset[Human]
    unlinked: frozenset[str] = frozenset()
    """Logins and names that are linked to nobody in the policy, and belong to no bot."""
