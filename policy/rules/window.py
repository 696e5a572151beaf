"""Is the change window open?"""

from __future__ import annotations

from policy import windows, wording
from policy.case import Case
from policy.document import Policy, Window
from policy.facts import Question
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet

WINDOW = "window"


def within_window(case: Case) -> Finding:
    """The path's window is open, or it has none."""
    policy, at = case.policy, case.at
    path = case.path
    if path is None:
        return unknown(WINDOW, "without a path it is not known which window applies")
    window = policy.windows.get(path.gates.window) if path.gates.window else None
    if window is None:
        return not_applicable(WINDOW, f"{path.name} may start at any time")
    zone = policy.zone()
    says = f"{path.gates.window} is {windows.says(window, zone)}"
    change = windows.next_change(window, zone, at)
    if windows.is_open(window, zone, at):
        until = f", open until {wording.instant(change, policy.zone(window))}" if change else ", open"
        return met(WINDOW, says + until)
    if change is None:
        return unmet(WINDOW, f"{says}, closed, and no opening is known")
    opens = wording.instant(change, policy.zone(window))
    return unmet(
        WINDOW, f"{says}, closed, next {opens}", remedies=(Remedy(RemedyKind.WAIT, f"wait until {opens}", at=change),)
    )


def rollback_waits_for_no_window(_case: Case) -> Finding:
    return not_applicable(WINDOW, "a rollback does not wait for windows")


def window_of(question: Question, policy: Policy) -> Window | None:
    """The window that the question is judged by."""
    path = policy.path(question.service, question.source or "", question.target)
    return policy.windows.get(path.gates.window) if path and path.gates.window else None
