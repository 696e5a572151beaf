"""Which gates can a policy name? One schema for each kind; the rule of the same name judges it (`policy/rules/`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from policy.part import (
    ChangeName,
    ChecklistName,
    EnvironmentName,
    GateName,
    Key,
    Name,
    Part,
    Pattern,
    ProbesName,
    RoleName,
    Span,
    Text,
)


class Mode(StrEnum):
    """What a gate that is not met does."""

    BLOCK = "block"
    ACKNOWLEDGE = "acknowledge"
    """Blocks until somebody who approves says that they have seen it."""
    WARN = "warn"
    """Is shown, and blocks nothing."""


class Waivable(StrEnum):
    """What may let a promotion through although the gate is not met."""

    NEVER = "never"
    EXCEPTION = "exception"
    EMERGENCY = "emergency"
    """Only an exception of a kind that is marked `emergency`, or an emergency."""


class When(Part):
    """The gate applies where any of these is true of the change; what is not known may be true."""

    labels: tuple[Text, ...] = Field(default=(), description="A pull request in the range has one of these labels")
    files: tuple[Text, ...] = Field(default=(), description="A file like one of these changed: `auth/**`")
    severities: tuple[Text, ...] = Field(default=(), description="The incident that was named has one of these")
    branches: tuple[Text, ...] = Field(default=(), description="It comes from a branch like one of these: `release/*`")


class Gate(Part):
    """What every gate can say, whatever its kind."""

    mode: Mode = Field(default=Mode.BLOCK, description="What it does where it is not met")
    source: str = Field(default="", description="Where it is written in the policy that people signed: `L47`")
    title: str = Field(default="", description="What people read beside its name")
    applies_to: tuple[ChangeName, ...] = Field(
        default=(), description="Only for these change types; default: every one"
    )
    when: When | None = Field(default=None, description="Only where this is true of the change")
    waivable: Waivable = Field(default=Waivable.EXCEPTION, description="What may waive it")


class DatedGate(Gate):
    """A gate whose evidence has a time."""

    max_age: Span | None = Field(default=None, description="Evidence of that age is stale, and blocks")


Number = Annotated[float, Field(allow_inf_nan=False)]
Op = Literal["<", "<=", ">", ">="]


class ChecksGate(DatedGate):
    """Check runs and statuses that passed on exactly the candidate's commit."""

    kind: Literal["checks"]
    names: tuple[Text, ...] = Field(min_length=1, description="Each of them passed; one that never ran blocks")
    optional: tuple[Text, ...] = Field(default=(), description="Pass where they do not exist, block where they failed")
    excused: dict[Text, Key] = Field(
        default={}, description="So do these, if whoever asks says why in this field: `{dast: no-dast}`"
    )
    max_attempts: int | None = Field(default=None, ge=1, description="Green only after more attempts needs a ticket")


class WorkflowGate(DatedGate):
    """A workflow that succeeded for exactly the candidate."""

    kind: Literal["workflow"]
    workflow: Text = Field(description="Its file: `staging-tests.yml`")
    inputs: dict[str, str] = Field(default={}, description="It ran with these")


class ReviewsGate(Gate):
    """Every pull request in the range was reviewed on its last commit, by others than its authors."""

    kind: Literal["reviews"]
    at_least: int = Field(default=1, ge=0, le=10, description="So many approvals on each")
    codeowners: bool = Field(default=False, description="An owner of each changed path is among them")


class BranchGate(Gate):
    """Facts of the branches that the change came by."""

    kind: Literal["branch"]
    require: tuple[
        Literal[
            "pull_requests_only",
            "up_to_date",
            "protected",
            "no_forbidden_targets",
            "naming",
            "no_merge_commits",
            "on_source",
            "cherry_picks_only",
            "no_late_features",
            "cut_from_production",
            "green",
            "merged_green",
            "signed_commits",
        ],
        ...,
    ] = Field(min_length=1, description="What must be true of them")
    names: tuple[Pattern, ...] = Field(
        default=(), description=r"For `naming`: what branches are called, or where they go: `^feature/[A-Z]+-\d+→main$`"
    )
    forbid: tuple[Text, ...] = Field(default=(), description="For `no_forbidden_targets`: `feature/**→stage`")

    @model_validator(mode="after")
    def _with_names(self) -> Self:
        for word, key in (("naming", "names"), ("no_forbidden_targets", "forbid")):
            if (word in self.require) != bool(getattr(self, key)):
                message = f"{word} and {key} go together: give both or neither"
                raise ValueError(message)
        return self


class FastForwardGate(Gate):
    """The target branch can be moved to the candidate without losing a commit."""

    kind: Literal["fast_forward"]
    waivable: Waivable = Waivable.NEVER


class SameGate(Gate):
    """The candidate is the very thing that serves an environment."""

    kind: Literal["same"]
    by: Literal["tree", "commit", "digest"] = Field(description="What must be equal")
    environment: EnvironmentName = Field(description="Where it must serve")
    waivable: Waivable = Waivable.NEVER


class SoakGate(Gate):
    """It has served for so long, and nothing went wrong meanwhile."""

    kind: Literal["soak"]
    environment: EnvironmentName = Field(description="Where it serves")
    lasts: Span = Field(description="So long")
    measure: Literal["candidate", "environment"] = Field(
        default="candidate", description="Counts the candidate's own time, or the time since anything changed there"
    )


class NumberGate(DatedGate):
    """A number from a report on the candidate's commit."""

    kind: Literal["number"]
    report: Text = Field(description="Its name: `coverage`")
    op: Op = Field(description="How it must compare")
    value: Number = Field(description="With this")
    unit: str = Field(default="", description="For reading: `%`")
    rationale: str = Field(default="", description="Why this number")


class SignalGate(DatedGate):
    """A number from monitoring."""

    kind: Literal["signal"]
    signal: Text = Field(description="Its name: `latency_p99`")
    op: Op = Field(description="How it must compare")
    value: Number = Field(description="With this")
    unit: str = Field(default="", description="For reading: `ms`")
    over: Span = Field(default=timedelta(minutes=5), description="Measured over so long")


class AlertsGate(DatedGate):
    """Open security findings on the candidate."""

    kind: Literal["alerts"]
    sources: tuple[Text, ...] = Field(min_length=1, description="Each of them answered: `dependabot`, `code_scanning`")
    at_most: dict[Name, int] = Field(min_length=1, description="So many open of each severity")


class ProbeGate(DatedGate):
    """A set of probes that passed against an environment that serves the candidate."""

    kind: Literal["probe"]
    probes: ProbesName = Field(description="A set under `probes`")
    environment: EnvironmentName = Field(description="Where they are sent")


class SettingsGate(Gate):
    """Services are configured as their environment demands (`environments.NAME.settings`)."""

    kind: Literal["settings"]
    environments: tuple[EnvironmentName, ...] = Field(min_length=1, description="These")
    waivable: Waivable = Waivable.NEVER


class ParityGate(Gate):
    """Two environments have the same shape, but for differences that were approved."""

    kind: Literal["parity"]
    left: EnvironmentName = Field(description="Environment")
    right: EnvironmentName = Field(description="Environment")
    shape: tuple[Text, ...] = Field(min_length=1, description="What is compared: `env_keys`, `memory`, `services`")
    approved: tuple[Text, ...] = Field(default=(), description="Differences that are right: `api.min_instances`")


class TagGate(Gate):
    """The candidate bears a release tag, made as the policy wants it, on the commit that was built."""

    kind: Literal["tag"]
    pattern: Pattern = Field(description=r"What its name looks like: `^v\d+\.\d+\.\d+$`")
    annotated: bool = Field(default=True, description="It is an object of its own, with a message")
    signed: bool = Field(default=False, description="Its signature was verified")
    created_by: tuple[Text, ...] = Field(default=(), description="Only these made it: `github:app/release-ci`")
    semver: bool = Field(
        default=False, description="Its version comes after the one that serves; breaking raises the first number"
    )
    patches: tuple[ChangeName, ...] = Field(
        default=(), description="Change types that raise only the last number: `hotfix`"
    )


class SignatureGate(Gate):
    """Signatures that were verified."""

    kind: Literal["signature"]
    subjects: tuple[Literal["tag", "image", "provenance"], ...] = Field(min_length=1, description="Of these")
    signed_by: tuple[Text, ...] = Field(default=(), description="By one of these identities; default: any known one")


class EvidenceGate(DatedGate):
    """Documents that belong to exactly the candidate."""

    kind: Literal["evidence"]
    items: tuple[Text, ...] = Field(
        min_length=1,
        description="Each is there: `sbom`, `provenance`, `scan`, the bot's record of an environment: `stage_evidence`",
    )


class AttestationGate(Gate):
    """Attestations about the candidate's digest, verified against who may have made them."""

    kind: Literal["attestation"]
    predicates: tuple[Text, ...] = Field(min_length=1, description="`https://slsa.dev/provenance/v1`")
    builders: tuple[Text, ...] = Field(min_length=1, description="Only these identities count")


class RecordGate(Gate):
    """What whoever asks must say before anybody is asked to agree."""

    kind: Literal["record"]
    fields: tuple[Key, ...] = Field(min_length=1, description="None of them is empty: `summary`, `rollback-plan`")
    only_if: dict[Key, tuple[Text, ...]] = Field(
        default={}, description="Only where each of these is one of its words: `{risk: [high]}`; unsaid, it is missing"
    )


class ChecklistGate(Gate):
    """Every item of a list is done."""

    kind: Literal["checklist"]
    checklist: ChecklistName = Field(description="A list under `checklists`")


class SignoffGate(Gate):
    """One more person agrees, with a role of their own. Nobody fills two places."""

    kind: Literal["signoff"]
    role: RoleName = Field(description="A role under `roles`")


class IssuesGate(Gate):
    """Open issues that stand in the way."""

    kind: Literal["issues"]
    labels: tuple[Text, ...] = Field(min_length=1, description="With any of these labels")
    at_most: int = Field(default=0, ge=0, description="So many may be open")


class RollbackReadyGate(Gate):
    """There is something verified to go back to: it is ready, and its image can still be had."""

    kind: Literal["rollback_ready"]


class DatabaseGate(Gate):
    """What the change does to the database was declared, and may be done now."""

    kind: Literal["database"]
    allows: tuple[Text, ...] = Field(min_length=1, description="Declarations that may pass: `none`, `reversible`")
    down_required: bool = Field(default=False, description="Each migration has its way back, and that was tried")
    contract_after: Span | None = Field(
        default=None, description="A `contract` step only so long after its `expand` step was verified"
    )


class FlagsGate(Gate):
    """The feature flags of the release are declared, and have owners."""

    kind: Literal["flags"]


class ImageGate(Gate):
    """The candidate's image comes from where images may come from."""

    kind: Literal["image"]
    names: tuple[Text, ...] = Field(default=("**",), description="It is called like one of these: `eu.gcr.io/acme/*`")
    forbid: tuple[Text, ...] = Field(default=(), description="It is not called like any of these: `**-prod:*`")


class PullRequestGate(Gate):
    """Pull requests say what their template asks for."""

    kind: Literal["pull_request"]
    of: Literal["range", "promotion"] = Field(
        default="range", description="Every one in the range, or the one that promotes"
    )
    labelled: tuple[Text, ...] = Field(default=(), description="Only those with one of these labels; default: all")
    fields: tuple[Text, ...] = Field(default=(), description="Sections that are not empty: `risk`, `rollback_plan`")
    matches: dict[Text, Pattern] = Field(default={}, description="Sections, and what each looks like: `{ticket: PAY-}`")
    titled: Pattern | None = Field(default=None, description="What its title looks like: `^(feat|fix): `")
    one_of: tuple[Text, ...] = Field(default=(), description="It has exactly one of these labels: `risk:low`")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not (self.fields or self.matches or self.titled or self.one_of):
            message = "it asks for nothing: give fields, matches, titled or one_of"
            raise ValueError(message)
        return self


class AttestGate(Gate):
    """People state something that no machine can see."""

    kind: Literal["attest"]
    statement: Text = Field(description="What they state, a full sentence without the full stop")
    by: tuple[Literal["requester", "approver"], ...] = Field(min_length=1, description="Who")


class LostChangesGate(Gate):
    """Nothing that already shipped would be lost."""

    kind: Literal["lost_changes"]
    look_for: tuple[Literal["hotfix", "reverted_promotion"], ...] = Field(min_length=1, description="What")


class ManifestGate(Gate):
    """Several services go as one pinned set, and it was tested as that set."""

    kind: Literal["manifest"]
    workflow: Text = Field(
        default="integration-tests.yml",
        description="What tests the set: its newest run on a pinned commit names the set, as `manifest_sha256=…`",
    )


class OrderGate(DatedGate):
    """The candidate has been through an environment before."""

    kind: Literal["order"]
    environment: EnvironmentName = Field(description="Which")
    state: Literal["deployed", "verified"] = Field(default="verified", description="How far it got there")


class RepositoryGate(Gate):
    """The repository has the files that it must, and its paths have owners."""

    kind: Literal["repository"]
    files: tuple[Text, ...] = Field(default=(), description="These exist: `SECURITY.md`")
    owned: tuple[Text, ...] = Field(default=(), description="CODEOWNERS covers paths like these")
    touched: tuple[Text, ...] = Field(default=(), description="The change touches a file like each: `changelog.d/*`")
    untouched: tuple[Text, ...] = Field(default=(), description="The change touches no file like these")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not (self.files or self.owned or self.touched or self.untouched):
            message = "it asks for nothing: give files, owned, touched or untouched"
            raise ValueError(message)
        return self


AnyGate = Annotated[
    ChecksGate
    | WorkflowGate
    | ReviewsGate
    | BranchGate
    | FastForwardGate
    | SameGate
    | SoakGate
    | NumberGate
    | SignalGate
    | AlertsGate
    | ProbeGate
    | SettingsGate
    | ParityGate
    | TagGate
    | SignatureGate
    | EvidenceGate
    | AttestationGate
    | RecordGate
    | ChecklistGate
    | SignoffGate
    | IssuesGate
    | RollbackReadyGate
    | DatabaseGate
    | FlagsGate
    | ImageGate
    | PullRequestGate
    | AttestGate
    | LostChangesGate
    | ManifestGate
    | OrderGate
    | RepositoryGate,
    Field(discriminator="kind"),
]


class Item(Part):
    """One line of a checklist."""

    id: Name = Field(description="What it is called in commands")
    text: Text = Field(description="What must be done")
    by: Literal["gate", "requester", "approver", "either"] = Field(default="either", description="Who ticks it")
    gate: GateName | None = Field(default=None, description="With `by: gate`: ticked where this gate is met")
    source: str = Field(default="", description="Where it is written")


GATES: Mapping[str, type[Gate]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(get_args(AnyGate)[0])
}
"""Every kind, by its name; the rule's module has the same name."""
