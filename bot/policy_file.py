"""What does the policy file say, and is it one? Strict YAML in; a policy out, or each mistake with its line."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from pathlib import Path

from bot.complaints import judged
from bot.strict_yaml import Complaint
from commands.errors import Rejected
from policy.document import ActivePolicy, Policy

log = logging.getLogger(__name__)

GIT_SECONDS = 5
BEGINS = "policy: 1"


class NoPolicy(Rejected):
    """The file holds no policy; nothing of it was taken over."""

    def __init__(self, path: Path, complaints: list[Complaint]) -> None:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        super().__init__(f"The policy file {path} cannot be used: {complaints[0]}{more}.")
        self.complaints = tuple(complaints)


def read_policy(path: Path) -> ActivePolicy:
    """The policy in that file, with the hash of the very bytes it was read from. Raises `NoPolicy`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise NoPolicy(path, [Complaint(1, f"the file cannot be read: {why}")]) from error
    policy, complaints, _ = judged(data, Policy, BEGINS)
    if policy is None:
        raise NoPolicy(path, complaints)
    commit = _commit_with(path, data)
    source = f"{path}@{commit[:12]}" if commit else str(path)
    return ActivePolicy(policy=policy, hash=hashlib.sha256(data).hexdigest(), source=source)


def check(data: bytes) -> list[Complaint]:
    """Every mistake in these bytes, by line; none: they are a policy."""
    return judged(data, Policy, BEGINS)[1]


class PolicyFile:
    """The policy in force: the newest version of one file that could be read."""

    def __init__(self, path: Path) -> None:
        """Raises `NoPolicy`: there is nothing to fall back to yet."""
        self._path = path
        self._active = read_policy(path)

    def current(self) -> ActivePolicy:
        return self._active

    def reload(self) -> tuple[Complaint, ...]:
        """The file's policy is in force; or the one before stays so, loudly, and these are the reasons."""
        try:
            active = read_policy(self._path)
        except NoPolicy as error:
            complaints = error.complaints
        else:
            return self._taken_over(active)
        for complaint in complaints:
            log.error("policy not taken over from %s, %s", self._path, complaint)
        log.error("policy %s stays in force", self._active.hash[:12])
        return complaints

    def _taken_over(self, active: ActivePolicy) -> tuple[Complaint, ...]:
        if active.hash != self._active.hash:
            log.warning("policy %s follows %s", active.hash[:12], self._active.hash[:12])
        self._active = active
        return ()


def _commit_with(path: Path, data: bytes) -> str:
    """The commit that is checked out, if these very bytes stand in it; empty where they do not, or there is no git."""
    question = ["git", "-C", str(path.resolve().parent), "rev-parse", "HEAD", f"HEAD:./{path.resolve().name}"]
    try:
        answer = subprocess.run(question, capture_output=True, timeout=GIT_SECONDS, check=True, text=True)  # noqa: S603 (fixed words and the policy's own path)
    except (OSError, subprocess.SubprocessError):
        return ""
    commit, blob = answer.stdout.split()
    # git's name for the bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    ours = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return commit if blob == ours else ""
