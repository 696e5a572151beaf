"""Is the change window open?"""

from __future__ import annotations

from typing import Final, NamedTuple

from policy import windows
from policy.case import Case
from policy.document import Policy
from policy.facts import Question
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.wording import At

_made: Final = tuple.__new__

WINDOW = "window"


class _Hours(NamedTuple):
    """When a window is open, put into words only where somebody reads it."""

    policy: Policy
    name: str

    def __str__(self) -> str:
        return windows.says(self.policy.window(self.name), self.policy.zone())


def within_window(case: Case) -> Finding:
    """The path's window is open, or it has none."""
    found = case.beforehand(_found)
    if isinstance(found, Finding):
        return found
    name, schedule, hours = found
    is_open, change = schedule.as_of(case.at)
    if is_open:
        if change is None:
            return met(WINDOW, "{} is {}, open", name, hours)
        return met(WINDOW, "{} is {}, open until {}", name, hours, _made(At, (change, schedule.zone)))
    if change is None:
        return unmet(WINDOW, "{} is {}, closed, and no opening is known", name, hours)
    wait = _made(Remedy, (RemedyKind.WAIT, "wait", (), change, None))
    opens = _made(At, (change, schedule.zone))
    return unmet(WINDOW, "{} is {}, closed, next {}", name, hours, opens, remedies=(wait,))


def _found(policy: Policy, question: Question) -> tuple[str, windows.Schedule, _Hours] | Finding:
    """The name of the path's window, when it is open, and that for people to read; or why there is none."""
    path = policy.path(question.service, question.source or "", question.target)
    if path is None:
        return unknown(WINDOW, "without a path it is not known which window applies")
    name = path.gates.window
    if name is None:
        return not_applicable(WINDOW, "{} may start at any time", path.name)
    return name, windows.named(policy, name), _Hours(policy, name)


def rollback_waits_for_no_window(_case: Case) -> Finding:
    return not_applicable(WINDOW, "a rollback does not wait for windows")
