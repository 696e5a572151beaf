"""What does the local GitHub keep of its rules? Rulesets with their versions, what they judged, classic protection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Version:
    """How a ruleset stood after one change."""

    id: int
    actor: str
    at: datetime
    state: Json


@dataclass(slots=True)
class Ruleset:
    """Rules for some refs, and who need not keep them."""

    id: int
    name: str
    target: str
    enforcement: str
    bypass_actors: list[Json]
    conditions: Json | None
    rules: list[Json]
    created_at: datetime
    updated_at: datetime
    source_type: str = "Repository"
    versions: list[Version] = field(default_factory=list)
    """Oldest first."""


@dataclass(slots=True)
class RuleSuite:
    """What all rules together said of one move of a ref."""

    id: int
    actor: str
    before: str
    after: str
    ref: str
    at: datetime
    result: str
    """`pass`, `fail` or `bypass`."""
    evaluation: str | None
    """The same for rules that are only tried out; None: there are none."""
    rules: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Protection:
    """Classic protection of one branch or pattern, in the words of the request that sets it."""

    id: int
    pattern: str
    said: Json
    """`required_status_checks`, `enforce_admins`, `required_pull_request_reviews`, `restrictions` …"""
    signatures: bool = False
    also: Json = field(default_factory=dict)
    """What only GraphQL can see and set."""
