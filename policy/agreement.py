"""Who must agree to what, and what lets a change through although a rule says no? As a policy file writes it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from string import Formatter
from typing import Literal, Self

from pydantic import Field, model_validator

from policy.part import (
    ChangeName,
    EnvironmentName,
    GateName,
    Key,
    Lasting,
    Name,
    Part,
    PathName,
    Pattern,
    RoleName,
    RuleName,
    ServiceName,
    Span,
    Text,
    Wall,
    Zone,
)
from policy.timetable import WindowRule


class Slot(Part):
    """So many different humans with this role must agree."""

    role: RoleName | None = Field(default=None, description="A role under `roles`")
    any_of: tuple[RoleName, ...] = Field(default=(), description="Or any one of several roles")
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
    approval_lasts: Lasting = Field(default=timedelta(hours=24), description="A vote counts for so long")
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
        description="A commit by somebody whom `people` does not know, and a range that cannot be read: blocks or not",
    )
    reviewers: Stance = Field(default=Stance.MAY_AGREE, description="Who approved one of its pull requests")


class ChangeType(Part):
    """How changes of one type are treated. People say it as `type:NAME`."""

    window: Literal["path", "any"] = Field(default="path", description="`any`: it waits for no window")
    freeze: Literal["path", "any"] = Field(default="path", description="`any`: it waits for no freeze")
    approvals: tuple[Slot, ...] = Field(default=(), description="Who must agree besides, or instead")
    instead: bool = Field(default=False, description="These approvals take the place of the path's")
    waives: tuple[RuleName, ...] = Field(default=(), description="Gates that it need not meet")
    adds: tuple[GateName, ...] = Field(default=(), description="Gates that it must meet besides")
    fields: tuple[Key, ...] = Field(default=(), description="What whoever asks must say")
    paths: tuple[PathName, ...] = Field(default=(), description="Only on these, `stage→prod`; default: on every path")
    emergency_outside_window: bool = Field(
        default=False, description="Outside the window it needs an emergency, and is told so"
    )
    source: str = Field(default="", description="Where it is written")


class Duty(Part):
    """Something that becomes owed."""

    kind: Name = Field(description="`review`, `remediation`, `post-validation`")
    says: Text = Field(description="What is owed, a sentence without the full stop")
    owner: RoleName = Field(description="A role under `roles`")
    business_days: int | None = Field(default=None, ge=0, le=250, description="Due so many business days later")
    by: Wall = Field(default="17:00", description="At this hour of that business day; `24:00` is its end")
    within: Span | None = Field(default=None, description="Or so long after it began")
    by_others: bool = Field(default=False, description="Nobody who took part can settle it")
    blocks: bool = Field(default=True, description="Overdue, it blocks ordinary production changes of that service")

    @model_validator(mode="after")
    def _one_term(self) -> Self:
        if (self.business_days is None) == (self.within is None):
            message = "a duty is due either after business_days or within a time span"
            raise ValueError(message)
        return self


class Relaxes(StrEnum):
    """What of a branch's protection may be relaxed; people say it as `relax:checks`."""

    CHECKS = "checks"
    UP_TO_DATE = "up_to_date"
    REVIEWS = "reviews"
    ADMINISTRATORS = "administrators"
    """They may merge whatever the rules say."""
    BREAK_GLASS = "break_glass"
    """The same of the App that is kept for that."""
    FORCE_PUSH = "force_push"

    @property
    def says(self) -> str:
        """As something that is asked of whoever changes the branch."""
        return {
            "checks": "checks",
            "up_to_date": "an up-to-date branch",
            "reviews": "reviews",
            "administrators": "anything of administrators",
            "break_glass": "anything of the break-glass App",
            "force_push": "a branch that only goes forward",
        }[self.value]


class Runbook(Part):
    """A file of the repository to which each of these is added, by a pull request of the bot's own."""

    file: Text = Field(description="Its path in the repository: `docs/runbook.md`")
    branch: Text = Field(description="The branch that the pull request goes to")


class ExceptionKind(Agreement):
    """What an exception of this kind may waive or relax, what must be said for it, and who grants it."""

    approvals: tuple[Slot, ...] = Field(min_length=1, description="Who must grant it, none of them the asker")
    asked_by: tuple[RoleName, ...] = Field(
        default=(), description="Only these roles may ask for it; default: all that `may.exception` names"
    )
    waives: tuple[RuleName, ...] = Field(
        default=(), description="Rules that it may waive: gates, `window`, `no-freeze`"
    )
    relaxes: tuple[Relaxes, ...] = Field(
        default=(),
        description="Or what of the protection of an environment's branch may be relaxed while it lasts; it is put"
        " back exactly at its end, or when the pull request `pr:` is merged or closed",
    )
    runbook: Runbook | None = Field(
        default=None, description="Where it is written down once what it relaxed is put back"
    )
    fields: tuple[Key, ...] = Field(default=("reason",), description="What must be said: `reason`, `risk`, `controls`")
    reasons: tuple[Text, ...] = Field(default=(), description="`reason:` is one of these; default: free text")
    longest: Lasting | None = Field(
        default=timedelta(days=30), description="It lasts no longer; `null`: may be permanent"
    )
    uses: int | None = Field(default=None, ge=1, description="So many promotions may rest on it")
    emergency: bool = Field(default=False, description="It may waive what only an emergency may")
    owes: tuple[Duty, ...] = Field(default=(), description="What is owed once it is granted")
    source: str = Field(default="", description="Where it is written")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if bool(self.waives) == bool(self.relaxes):
            message = "a kind of exception either waives rules or relaxes the protection of a branch; name one of both"
            raise ValueError(message)
        if self.runbook is not None and not self.relaxes:
            message = "only what relaxes a branch is written down in a runbook"
            raise ValueError(message)
        if self.relaxes and (self.longest is None or self.uses is not None or self.emergency):
            message = "what relaxes a branch ends by the clock: give `longest`, and neither `uses` nor `emergency`"
            raise ValueError(message)
        return self


class Emergency(Agreement):
    """A production change outside the normal rules: its own record, its own approval, and a review that falls due."""

    approvals: tuple[Slot, ...] = Field(min_length=1, description="Who must agree, none of them the asker")
    fields: tuple[Key, ...] = Field(
        default=("incident", "reason", "rollback-plan"), description="What must be said before anybody is asked"
    )
    waives: tuple[RuleName, ...] = Field(
        default=("window", "no-freeze"), description="Rules that it lets through, each shown"
    )
    lasts: Lasting = Field(default=timedelta(hours=4), description="It begins within so long, or not at all")
    owes: tuple[Duty, ...] = Field(min_length=1, description="What is owed afterwards: a review at least")
    reason: bool = Field(default=True, description="Whoever agrees must say why")
    source: str = Field(default="", description="Where it is written")


class Hotfix(Part):
    """How a fix is made on top of what production serves, and how it comes to the branches that work goes on in."""

    change: ChangeName | None = Field(
        default=None, description="Change type of its promotion; that waives no review, check or signature"
    )
    branch: Text = Field(
        default="hotfix/{version}-{ticket}",
        description="What its branch is called: `{version}` is the next patch after what serves, `{ticket}` said",
    )
    tags: Pattern = Field(
        default=r"^v[0-9]+\.[0-9]+\.[0-9]+$", description="Tags of versions look like that, whole; a regular expression"
    )
    tickets: Pattern = Field(default=r"^[A-Z]+-[0-9]+$", description="Tickets look like that, whole; the same")
    fields: tuple[Key, ...] = Field(default=("reason",), description="What whoever begins one must say")
    ports_to: tuple[Text, ...] = Field(
        default=("main",), min_length=1, description="Branches that must get it, too, by name or pattern: `release/*`"
    )
    closed: tuple[Text, ...] = Field(default=(), description="Branches like these get nothing any more")
    owes: Duty = Field(description="What is owed for each of these branches once it serves production")
    source: str = Field(default="", description="Where it is written")

    @model_validator(mode="after")
    def _called(self) -> Self:
        try:
            parts = [name for _, name, _, _ in Formatter().parse(self.branch) if name is not None]
        except ValueError:
            parts = [""]
        if not parts or not set(parts) <= {"version", "ticket"}:
            message = "branch: write {version} or {ticket}, or both, and no other braces"
            raise ValueError(message)
        return self


class CalendarFreeze(Part):
    """A freeze that comes round by the calendar."""

    name: Name = Field(description="What people read")
    when: tuple[WindowRule, ...] = Field(min_length=1, description="It holds inside any of these")
    environments: tuple[EnvironmentName, ...] = Field(min_length=1, description="Where")
    services: tuple[ServiceName, ...] | None = Field(default=None, description="For these; default: for every one")
    timezone: Zone | None = Field(default=None, description="IANA zone of its wall clock; default: the policy's")
    reason: Text = Field(description="Why")
    source: str = Field(default="", description="Where it is written")


class Freezes(Agreement):
    """How freezes come into force, and what lets a promotion through one."""

    fields: tuple[Key, ...] = Field(
        default=(), description="What must be said besides `until` and `reason`: `exit`, `re-enable-plan`"
    )
    provisional: Lasting | None = Field(
        default=None, description="Until it is approved it holds for so long at most; default: not at all"
    )
    calendar: tuple[CalendarFreeze, ...] = Field(default=(), description="Those that come round by themselves")
    override: tuple[Slot, ...] = Field(
        default=(), description="Whose approval, naming the freeze, lets a promotion through it; default: nobody's"
    )
    override_fields: tuple[Key, ...] = Field(default=(), description="What whoever asks must say for that")
