"""What are the things a policy speaks of? Nouns only; nothing here decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, final

from policy.wording import short

__all__ = ["short"]

Human = NewType("Human", str)
"""A human being, by the id that stays the same whatever account is used: the name under `people:`."""

Digest = NewType("Digest", str)
"""An image digest, `sha256:` and 64 lower-case hex digits."""

Sha = NewType("Sha", str)
"""A git commit, 40 lower-case hex digits."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHA = re.compile(r"[0-9a-f]{40}")


def digest(text: str) -> Digest:
    """The digest that `text` spells; ValueError if it spells none."""
    if not _DIGEST.fullmatch(text):
        message = f"not an image digest: {text[:80]}"
        raise ValueError(message)
    return Digest(text)


def sha(text: str) -> Sha:
    """The commit that `text` spells; ValueError if it spells none."""
    if not _SHA.fullmatch(text):
        message = f"not a full commit: {text[:80]}"
        raise ValueError(message)
    return Sha(text)


class AccountKind(StrEnum):
    """Who may stand behind an account; only a `HUMAN` can agree to anything."""

    HUMAN = "human"
    BOT = "bot"
    GUEST = "guest"
    STRANGER = "stranger"
    """Of another workspace (Slack Connect)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at one instant: the account that speaks, the human behind it, the roles held right then."""

    account: str
    """`slack:T0ACME/U0MAYA`, `github:4711`, `cli:root` or `bot:controller`: stable, never a display name."""
    human: Human | None
    """None: the account is linked to nobody."""
    name: str
    """For reading only."""
    kind: AccountKind = AccountKind.HUMAN
    active: bool = True
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One service in one environment: what a lease is held for and what traffic flows to."""

    service: str
    environment: str

    def __str__(self) -> str:
        return f"{self.service}@{self.environment}"


@final
@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, with the reason in one sentence. It never counts as passed.

    `type(fact) is Unknown` tells it, in a third of the time that `isinstance` takes: each rule asks it of each fact.
    """

    why: str
