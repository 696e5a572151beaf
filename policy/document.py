"""What does a policy file say? Whoever reads the file hands over plain data and the hash of its bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from policy.agreement import (
    Agreement,
    CalendarFreeze,
    ChangeType,
    Duty,
    Emergency,
    ExceptionKind,
    Freezes,
    Hotfix,
    Separation,
    Slot,
    Stance,
)
from policy.fits import complaints
from policy.model import Human
from policy.schema import (
    Backwards,
    Change,
    Convention,
    Deeds,
    Deprecation,
    Document,
    Environment,
    Health,
    Log,
    Measure,
    Model,
    Path,
    PathGates,
    PersonEntry,
    Probe,
    Publication,
    Role,
    Rollback,
    Rollout,
    Service,
    Settings,
    Step,
    Train,
    Trigger,
    Unenforced,
)
from policy.timetable import (
    Calendar,
    Dates,
    Interval,
    MonthEnd,
    Weekday,
    Weekly,
    Window,
    WindowRule,
    with_calendars,
)

__all__ = [
    "ActivePolicy",
    "Agreement",
    "Backwards",
    "Calendar",
    "CalendarFreeze",
    "Change",
    "ChangeType",
    "Convention",
    "Dates",
    "Deeds",
    "Deprecation",
    "Duty",
    "Emergency",
    "Environment",
    "ExceptionKind",
    "Freezes",
    "Health",
    "Hotfix",
    "Interval",
    "Log",
    "Measure",
    "Model",
    "MonthEnd",
    "Path",
    "PathGates",
    "PersonEntry",
    "Policy",
    "Probe",
    "Publication",
    "Role",
    "Rollback",
    "Rollout",
    "Separation",
    "Service",
    "Settings",
    "Slot",
    "Stance",
    "Step",
    "Train",
    "Trigger",
    "Unenforced",
    "Weekday",
    "Weekly",
    "Window",
    "WindowRule",
]


class Policy(Document):
    """The whole file, and it fits together."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        found = list(complaints(self))
        if found:
            message = "; ".join(says for _, says in found)
            raise PydanticCustomError("does_not_fit", "{message}", {"message": message, "complaints": found})
        return self

    def path(self, service: str, source: str, target: str) -> Path | None:
        """The path along which this service may be promoted so, if there is one."""
        for path in self.paths:
            if (path.source, path.target) == (source, target) and path.serves(service):
                return path
        return None

    def going_back(self, service: str, target: str) -> Agreement:
        """Who must agree where somebody asks for a rollback of that place."""
        for path in self.paths:
            if path.target == target and path.rollback is not None and path.serves(service):
                return path.rollback
        return self.rollback

    def informed(self, service: str, target: str) -> tuple[str, ...]:
        """Channels that hear how a change of that place ended."""
        paths = (path for path in self.paths if path.target == target and path.serves(service))
        return tuple(dict.fromkeys(channel for path in paths for channel in path.informs))

    def environment_called(self, word: str) -> str | None:
        """The environment with this name or alias, whatever its case."""
        for name, environment in self.environments.items():
            if word.casefold() in {name.casefold(), *(alias.casefold() for alias in environment.aliases)}:
                return name
        return None

    def human_with_slack(self, user: str) -> Human | None:
        """Whose Slack account that is; None where it is linked to nobody."""
        for name, entry in self.people.items():
            if entry.slack == user:
                return Human(name)
        return None

    def human_with_github(self, login: str) -> Human | None:
        """Whose GitHub account that is, whatever its case; None where it is linked to nobody."""
        for name, entry in self.people.items():
            if entry.github is not None and entry.github.casefold() == login.casefold():
                return Human(name)
        return None

    @property
    def effective_at(self) -> datetime | None:
        """From when on its newest version decides, UTC; None: it says nothing of that, and decides at once."""
        if not self.changes:
            return None
        local = datetime.fromisoformat(self.changes[-1].effective)
        return local.replace(tzinfo=self.zone()).astimezone(UTC)

    def deprecation(self, word: str) -> Deprecation | None:
        """What is said of a word that goes, by the newest version that says something; None: it stays."""
        for change in reversed(self.changes):
            for one in change.deprecates:
                if one.what.casefold() == word.casefold():
                    return one
        return None

    def window(self, name: str) -> Window:
        """The window of that name with its calendars written out; the same object each time."""
        return self._windows[name]

    def calendar_freeze(self, index: int) -> Window:
        """When `freezes.calendar[index]` holds, as a window that is open then; the same object each time."""
        return self._calendar_freezes[index]

    def zone(self, window: Window | None = None) -> ZoneInfo:
        """The zone of the window's wall clock, or the policy's own."""
        return _zone(window.timezone if window is not None and window.timezone else self.timezone)

    @cached_property
    def _windows(self) -> dict[str, Window]:
        return {name: with_calendars(window, self.calendars) for name, window in self.windows.items()}

    @cached_property
    def _calendar_freezes(self) -> tuple[Window, ...]:
        return tuple(
            with_calendars(Window(timezone=freeze.timezone, allow=freeze.when), self.calendars)
            for freeze in self.freezes.calendar
        )


_zone = cache(ZoneInfo)


class ActivePolicy(BaseModel):
    """A policy in force: what it says, and the hash of the very bytes that said it."""

    model_config = ConfigDict(frozen=True)

    policy: Policy
    hash: str
    """SHA-256 of the file's bytes, hex."""
    source: str = ""
    """File, and commit where known; for reading."""
