"""As whom do we come to GitHub, and for what? Neither form shows its secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from commands.errors import Rejected

_SECRET = re.compile(r"gh[a-z]_[\w.-]{10,}|github_pat_\w{10,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Access(Enum):
    """What a token is for: it is asked for these permissions and no more, for one repository.

    Where an installation was not granted those of one, that is refused, and the others go on.
    """

    CODE = (("contents", "read"), ("checks", "read"), ("statuses", "read"), ("deployments", "write"))
    BRANCHES = (("contents", "write"),)
    """Moves branches, merges, makes commits, and releases of tags; never more than a branch's rules let it."""
    PROPOSALS = (("contents", "read"), ("pull_requests", "write"))
    PULL_REQUESTS = (("contents", "read"), ("pull_requests", "read"))
    PROTECTION = (("administration", "read"),)
    """Classic protection of branches is shown to nobody else; rulesets are, to anybody who reads."""
    TEAMS = (("members", "read"),)
    ISSUES = (("issues", "read"),)
    ACTIONS = (("actions", "read"),)
    ATTESTATIONS = (("attestations", "read"),)
    DEPENDABOT = (("vulnerability_alerts", "read"),)
    CODE_SCANNING = (("security_events", "read"),)
    SECRET_SCANNING = (("secret_scanning_alerts", "read"),)
    REMARKS = (("issues", "write"), ("pull_requests", "write"))
    RELAX = (("administration", "write"),)
    """Only of the break-glass App: it changes what guards a branch, for as long as an exception says."""

    @property
    def permissions(self) -> dict[str, str]:
        return {"metadata": "read", **dict(self.value)}


NEEDED = dict(sorted(pair for access in Access if access is not Access.RELAX for pair in access.permissions.items()))
"""All that this adapter does, for people who create the App: of each the most, as `write` comes after `read`."""


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A token that is given as it is."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppKey:
    """A GitHub App and its installation; tokens are minted from it, one for each repository and purpose."""

    app_id: str
    """App id or client id."""
    private_key: str = field(repr=False)
    """PEM."""
    installation_id: str

    def signed(self, **claims: str | int) -> str:
        """These claims, as GitHub takes them from an App; `Rejected` where its private key is none."""
        import jwt

        try:
            return jwt.encode(claims, self.private_key, algorithm="RS256")
        except (ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:  # a public key has no way to sign
            raise Rejected("The GitHub App's private key cannot be used.") from error


def redacted(text: str) -> str:
    """The text without tokens of GitHub's, of any kind and length: `ghs_…` may be as long as a JWT."""
    return _SECRET.sub("[token]", text)
