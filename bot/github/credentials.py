"""As whom do we come to GitHub? Neither form shows its secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NEEDED: Mapping[str, str] = MappingProxyType(
    {
        "metadata": "read",
        "contents": "read",
        "checks": "read",
        "statuses": "read",
        "deployments": "write",
    }
)
"""All that this adapter does; an installation's token is asked for no more."""


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A token that is given as it is."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppKey:
    """A GitHub App and its installation; tokens are minted from it, one for each repository."""

    app_id: str
    """App id or client id."""
    private_key: str = field(repr=False)
    """PEM."""
    installation_id: str
