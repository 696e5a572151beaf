"""What does the policy file say, and from when on does it decide? Strict YAML in; a policy, or each mistake, out."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto
from pathlib import Path

from bot.complaints import judged
from bot.holiday_file import days_in
from bot.strict_yaml import Complaint, Document
from commands.errors import Rejected
from policy import wording
from policy.document import ActivePolicy, Policy
from policy.timetable import Unreadable

log = logging.getLogger(__name__)

GIT_SECONDS = 5
BEGINS = "policy: 1"
RESTART = "Until then this process must not be started anew with it: put the version before it in place first."
"""Of a version that waits: the one before stands nowhere but in the memory of this process."""


class NoPolicy(Rejected):
    """The file holds no policy that could decide; nothing of it was taken over."""

    def __init__(self, path: Path, complaints: list[Complaint]) -> None:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        super().__init__(f"The policy file {path} cannot be used: {complaints[0]}{more}.")
        self.complaints = tuple(complaints)


class Drafts(Enum):
    """What of a file in a git work tree that says something else than the commit that is checked out?"""

    WELCOME = auto()
    """For playing, and for whoever writes a policy."""
    REFUSED = auto()
    """What decides about production was committed, so that it could be reviewed."""


def read_policy(path: Path, drafts: Drafts = Drafts.WELCOME) -> ActivePolicy:
    """The policy in that file, with the hash of the very bytes it was read from. Raises `NoPolicy`."""
    return _read(path, drafts)[0]


def check(data: bytes, folder: Path | None = None) -> list[Complaint]:
    """Every mistake in these bytes, by line; none: they are a policy.

    `folder`: where they stand, and the files of their calendars; without it such files count as mistakes.
    """
    return policy_in(data, folder)[1]


# What stays in force ------------------------------------------------------------------------------------------------


class Became(StrEnum):
    """What may become of a version of the file."""

    IN_FORCE = "in force"
    WAITING = "waiting"
    """It is a policy, and decides from `effective_at` on; until then the one before does."""
    WITHDRAWN = "withdrawn"
    """It waited, and is not in the file any more."""
    REFUSED = "refused"
    """It is none; the one before stays in force."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What became of one version of the file.

    Whoever writes the ledger hears of each through `PolicyFile.tell`, in order, and writes an entry with `what`, both
    hashes, `effective_at`, and what the version says of itself: its `changes[-1]` (summary, rationale, migration).
    """

    became: Became
    at: datetime
    """When it was seen, by the clock that decisions go by."""
    active: ActivePolicy
    """In force after it."""
    version: ActivePolicy | None
    """The one that it is about; None where it could not be read."""
    effective_at: datetime | None = None
    """With `WAITING`: when it takes over."""
    complaints: tuple[Complaint, ...] = ()
    """With `REFUSED`: why."""

    @property
    def says(self) -> str:
        """A sentence for people."""
        version = self.version
        if version is None:
            more = f" (and {len(self.complaints) - 1} more)" if len(self.complaints) > 1 else ""
            return f"The new policy cannot be used: {self.complaints[0]}{more}. Policy {_short(self.active)} decides."
        changes = version.policy.changes
        why = f" {changes[-1].version}: {changes[-1].summary.rstrip('.')}." if changes else ""
        if self.became is Became.WAITING and self.effective_at is not None:
            since = wording.instant(self.effective_at, version.policy.zone())
            return f"Policy {_short(version)} decides from {since} on.{why} {RESTART}"
        if self.became is Became.WITHDRAWN:
            return f"Policy {_short(version)} waits no longer: it was taken back. Policy {_short(self.active)} decides."
        return f"Policy {_short(version)} decides now.{why}"


def _short(active: ActivePolicy) -> str:
    return active.hash[:12]


@dataclass(frozen=True, slots=True)
class _Waiting:
    version: ActivePolicy
    since: datetime


class PolicyFile:
    """The policy in force: the newest version of one file that could be read, and that decides already."""

    def __init__(
        self,
        path: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        drafts: Drafts = Drafts.WELCOME,
    ) -> None:
        """Raises `NoPolicy`: there is nothing to fall back to yet, neither for a bad version nor for a later one."""
        self._path, self._now, self._drafts = path, now, drafts
        self._waiting: _Waiting | None = None
        self._listeners: list[Callable[[PolicyChange], None]] = []
        self._active, document = _read(path, drafts)
        since = self._active.policy.effective_at
        if since is not None and since > now():
            at = wording.instant(since, self._active.policy.zone())
            line = document.line(("changes", len(self._active.policy.changes) - 1, "effective"))
            says = f"this version decides only from {at} on, and there is none before it; start with the one before"
            raise NoPolicy(path, [Complaint(line, says)])

    def tell(self, listener: Callable[[PolicyChange], None]) -> None:
        """It hears of every change from now on, at once and in order; it must neither block nor raise."""
        self._listeners.append(listener)

    def current(self) -> ActivePolicy:
        """What decides now. A version that waited takes over with the first question after its time."""
        waiting = self._waiting
        if waiting is not None and self._now() >= waiting.since:
            self._take_over(waiting.version)
        return self._active

    @property
    def next_at(self) -> datetime | None:
        """When a version that waits takes over, UTC: somebody should ask for `current()` then."""
        return self._waiting.since if self._waiting is not None else None

    def reload(self) -> PolicyChange | None:
        """What became of what is in the file now; None: it says what it said before."""
        self.current()
        try:
            version, _ = _read(self._path, self._drafts)
        except NoPolicy as error:
            for complaint in error.complaints:
                log.error("policy not taken over from %s, %s", self._path, complaint)  # noqa: TRY400 (the sentence is all there is to know)
            log.error("policy %s stays in force", _short(self._active))  # noqa: TRY400 (the same)
            return self._told(Became.REFUSED, None, complaints=error.complaints)
        if version.hash == (self._waiting.version if self._waiting is not None else self._active).hash:
            return None
        since = version.policy.effective_at
        if version.hash == self._active.hash and self._waiting is not None:
            gone, self._waiting = self._waiting.version, None
            return self._told(Became.WITHDRAWN, gone)
        if since is not None and since > self._now():
            log.warning("policy %s waits until %s. %s", _short(version), since.isoformat(), RESTART)
            self._waiting = _Waiting(version, since)
            return self._told(Became.WAITING, version, effective_at=since)
        return self._take_over(version)

    def _take_over(self, version: ActivePolicy) -> PolicyChange:
        log.warning("policy %s follows %s", _short(version), _short(self._active))
        self._active, self._waiting = version, None
        return self._told(Became.IN_FORCE, version)

    def _told(
        self,
        became: Became,
        version: ActivePolicy | None,
        effective_at: datetime | None = None,
        complaints: tuple[Complaint, ...] = (),
    ) -> PolicyChange:
        change = PolicyChange(became, self._now(), self._active, version, effective_at, complaints)
        for listener in self._listeners:
            listener(change)
        return change


# Reading ------------------------------------------------------------------------------------------------------------


def _read(path: Path, drafts: Drafts) -> tuple[ActivePolicy, Document]:
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise NoPolicy(path, [Complaint(1, f"the file cannot be read: {why}")]) from error
    policy, complaints, document = policy_in(data, path.parent)
    if policy is None or document is None:
        raise NoPolicy(path, complaints)
    commit = _commit_with(path, data)
    if commit is None and drafts is Drafts.REFUSED:
        raise NoPolicy(path, [Complaint(1, "it says something else than the commit that is checked out; commit it")])
    source = f"{path}@{commit[:12]}" if commit else str(path)
    return ActivePolicy(policy=policy, hash=hashlib.sha256(data).hexdigest(), source=source), document


def policy_in(data: bytes, folder: Path | None) -> tuple[Policy | None, list[Complaint], Document | None]:
    """The policy that these bytes say, or each mistake in them; and the document, for its lines."""

    def calendar(file: str, sha256: str) -> Mapping[str, str]:
        if folder is None:
            raise Unreadable("file", "cannot be looked at here; only the days that stand in the policy itself can")
        return days_in(folder / file, sha256)

    return judged(data, Policy, BEGINS, {"calendar": calendar})


def _commit_with(path: Path, data: bytes) -> str | None:
    """The commit that is checked out, where these very bytes stand in it; None: others do, or none.

    Empty where there is no git, and so nothing to hold them against.
    """
    found = _git(path, "rev-parse", "HEAD", f"HEAD:./{path.resolve().name}")
    if found is None:
        return None if _git(path, "rev-parse", "--is-inside-work-tree") is not None else ""
    commit, blob = found.split()
    # git's name for the bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    ours = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return commit if blob == ours else None


def _git(path: Path, *words: str) -> str | None:
    """What git says in the file's folder; None: it has nothing to say."""
    question = ["git", "-C", str(path.resolve().parent), *words]
    try:
        return subprocess.run(question, capture_output=True, timeout=GIT_SECONDS, check=True, text=True).stdout  # noqa: S603 (fixed words and the policy's own path)
    except (OSError, subprocess.SubprocessError):
        return None
