"""What in a policy file should somebody look at, and on which lines? Also against the version before."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.policy_file import GIT_SECONDS, policy_in, read_policy
from bot.strict_yaml import Document
from policy.document import Policy
from policy.fits import spelled
from policy.lint import Lint, Weight, lints
from policy.loosened import loosened


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to look at, with its line."""

    line: int
    name: str
    says: str
    weight: str
    """`warning` or `note`."""


def remarks(
    file: Path, policy: Policy, document: Document, at: datetime, against: Path | None = None
) -> tuple[Remark, ...]:
    """All there are, by line. `against`: the policy before; by default what git holds of this file."""
    found = list(lints(policy, at))
    compared, note = _before(file, against)
    if compared is not None:
        found += loosened(compared, policy, at)
    if note:
        found.append(Lint("not-compared", (), note, Weight.NOTE))
    told = [
        Remark(document.line(lint.where), lint.name, _says(policy, lint), lint.weight.name.lower()) for lint in found
    ]
    return tuple(sorted(told, key=lambda remark: remark.line))


def _says(policy: Policy, lint: Lint) -> str:
    return f"{spelled(policy, lint.where)}: {lint.says}" if lint.where else lint.says


def _before(file: Path, against: Path | None) -> tuple[Policy | None, str]:
    """The policy before, and why there is none to compare with, where that should be said."""
    if against is not None:
        return read_policy(against).policy, ""
    data = file.read_bytes()
    for revision in ("HEAD", "HEAD~"):
        earlier = _committed(file, revision)
        if earlier is None:
            return None, ""
        if earlier != data:
            policy, _, _ = policy_in(earlier, file.parent)
            note = f"what {revision} holds of it is no policy to this program, so nobody can tell what was loosened"
            return policy, "" if policy is not None else note
    return None, ""


def _committed(file: Path, revision: str) -> bytes | None:
    """What git holds of that file there; None: nothing, or there is no git."""
    question = ["git", "-C", str(file.resolve().parent), "show", f"{revision}:./{file.resolve().name}"]
    try:
        return subprocess.run(question, capture_output=True, timeout=GIT_SECONDS, check=True).stdout  # noqa: S603 (fixed words and the policy's own path)
    except (OSError, subprocess.SubprocessError):
        return None
