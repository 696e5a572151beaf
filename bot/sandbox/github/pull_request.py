"""What does the local GitHub keep of a pull request and its reviews? Plain records; git holds the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Review:
    """What somebody said about a pull request."""

    id: int
    login: str
    state: str
    """`APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED` or `PENDING`."""
    body: str
    commit: str
    at: datetime | None
    """None: not submitted yet."""


@dataclass(slots=True)
class Comment:
    """A remark on a pull request."""

    id: int
    login: str
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class PullRequest:
    """A wish to bring one branch into another."""

    id: int
    number: int
    title: str
    body: str | None
    head: str
    """Branch names, in this repository."""
    base: str
    author: str
    draft: bool
    created_at: datetime
    updated_at: datetime
    head_sha: str
    """As seen last; a branch that is gone stays at its last commit."""
    base_sha: str
    pushed_by: str
    """Who moved the head last."""
    state: str = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str = ""
    merge_sha: str | None = None
    """The commit that brought it into its base; while it is open, GitHub's trial of that."""
    asked: list[str] = field(default_factory=list)
    """Logins whose review was asked for and has not come yet."""
    asked_teams: list[str] = field(default_factory=list)
    """Slugs."""
    asked_as_owners: set[str] = field(default_factory=set)
    """Those of both lists who were asked because CODEOWNERS names them."""
    labels: list[str] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    tried: tuple[str, str] = ("", "")
    """The head and base that `mergeable` is about."""
    reads: int = 0
    """How often it was read since then."""
    mergeable: bool | None = None

    @property
    def merged(self) -> bool:
        return self.merged_at is not None

    def decisive(self) -> dict[str, Review]:
        """By login, the last review that says yes, no, or was taken back; remarks change nothing."""
        return {
            review.login: review
            for review in self.reviews
            if review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}
        }
