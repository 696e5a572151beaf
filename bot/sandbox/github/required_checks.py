"""Which required checks has a commit not passed? https://docs.github.com/rest/checks, commit statuses included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.sandbox.github.records import Books, CheckRun, Repository, Status

PASSING = frozenset({"success", "neutral", "skipped"})


@dataclass(frozen=True, slots=True)
class Required:
    """A check by its name; with an app only that app's runs count (GitHub writes "any" as null or -1)."""

    context: str
    app: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A required check that has not passed."""

    context: str
    state: str
    """`expected` (never reported), `pending` or `failing`."""


def newest_statuses(statuses: Iterable[Status], sha: str) -> list[Status]:
    """The newest of each context on that commit."""
    return list({status.context: status for status in statuses if status.sha == sha}.values())


def newest_runs(repository: Repository, sha: str) -> list[CheckRun]:
    """The newest of each name and app on that commit, whatever its suite."""
    runs = sorted(
        (run for run in repository.records.check_runs if run.sha == sha),
        key=lambda run: (run.started_at.timestamp() if run.started_at else 0, run.id),
    )
    return list({(run.name, run.app): run for run in runs}.values())


def missing(books: Books, repository: Repository, sha: str, required: Iterable[Required]) -> list[Missing]:
    """Those that have not passed on that commit."""
    runs, statuses = newest_runs(repository, sha), newest_statuses(repository.records.statuses, sha)
    found = []
    for one in required:
        state = _state(books, one, runs, statuses)
        if state != "passed":
            found.append(Missing(one.context, state))
    return found


def _state(books: Books, required: Required, runs: Sequence[CheckRun], statuses: Sequence[Status]) -> str:
    any_app = required.app in {None, -1}
    ends = [
        "pending" if run.status != "completed" else "passed" if run.conclusion in PASSING else "failing"
        for run in runs
        if run.name == required.context and (any_app or books.app_id(run.app) == required.app)
    ]
    ends += [
        {"success": "passed", "pending": "pending"}.get(status.state, "failing")
        for status in statuses
        if status.context == required.context and (any_app or status.app == required.app)
    ]
    return next((end for end in ("failing", "pending", "passed") if end in ends), "expected")


def told(missing: Sequence[Missing], of: int) -> list[str]:
    """The one sentence that GitHub says of them."""
    if not missing:
        return []
    if len(missing) == 1 and of == 1:
        end = {"expected": "expected", "pending": "in progress", "failing": "failing"}[missing[0].state]
        return [f'Required status check "{missing[0].context}" is {end}.']
    counts = {state: sum(one.state == state for one in missing) for state in ("expected", "pending", "failing")}
    if counts["expected"] == len(missing):
        return [f"{len(missing)} of {of} required status checks are expected."]
    parts = " and ".join(f"{count} {state}" for state, count in counts.items() if count)
    return [f"{len(missing)} of {of} required status checks have not succeeded: {parts}."]
