"""Who can tell whether an attestation is true? What is asked of them, and how they answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)
"""What reading JSON of strangers may run into, and looking for something in it."""


class Untrue(Exception):
    """It is not what it says it is; the text is why."""


class Untold(Exception):
    """Whether it is what it says cannot be told here; the text is why."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Its signature holds, and so does the certificate of whoever signed: this is what they say."""

    kind: str
    """Media type of what was signed."""
    said: bytes
    """What was signed, to the byte."""
    issuer: str
    """Who told the authority which workflow that was."""
    builder: str
    """The workflow that signed, with its ref: `https://github.com/acme/x/.github/workflows/build.yml@refs/tags/v3`."""
    repository: str
    """Whose code it built: `https://github.com/acme/checkout`."""
    commit: str
    runner: str
    """`github-hosted`, `self-hosted`."""
    at: datetime


class Verifier(Protocol):
    """Whoever can tell. It is asked in a thread, and needs no network."""

    def vouched(self, bundle: bytes) -> Vouched:
        """What is behind that bundle, JSON; `Untrue` or `Untold` where that is nothing to go by."""
