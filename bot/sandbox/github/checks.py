"""Check runs and commit statuses: https://docs.github.com/rest/checks/runs, /rest/commits/statuses."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.github import shapes, webhooks
from bot.sandbox.github.call import Answer, Call, Refused, Route, invalid, not_found
from bot.sandbox.github.records import CheckRun, Status, as_text
from bot.sandbox.github.required_checks import newest_statuses

CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out")
STATES = ("error", "failure", "pending", "success")
DESCRIPTION_MAX = 140


def _latest(runs: Iterable[CheckRun]) -> list[CheckRun]:
    """The newest of each name in each suite; the same name in two suites stays twice, as on GitHub."""
    return list({(run.suite, run.name): run for run in runs}.values())


def _doubled(call: Call, runs: list[CheckRun]) -> list[CheckRun]:
    """Each run once more, an hour older, in another suite and with the opposite end."""
    older = []
    for run in runs:
        twin = copy.copy(run)
        twin.id, twin.suite = run.id - 1_000, call.books.suite(run.sha, f"{run.app} again")
        twin.status, twin.conclusion = "completed", "failure" if run.conclusion == "success" else "success"
        twin.started_at = (run.started_at or call.books.now()) - timedelta(hours=1)
        twin.completed_at = twin.started_at + timedelta(minutes=1)
        older.append(twin)
    return [*runs, *older]  # the older ones last, where a careless reader keeps them


async def list_runs(call: Call) -> Answer:
    sha = await call.commit(call.words["ref"])
    runs = [run for run in call.repository.records.check_runs if run.sha == sha]
    if call.query.get("filter", "latest") == "latest":
        runs = _latest(runs)
    if "duplicate_check_runs" in call.faults:
        runs = _doubled(call, runs)
    if "check_name" in call.query:
        runs = [run for run in runs if run.name == call.query["check_name"]]
    if "status" in call.query:
        runs = [run for run in runs if run.status == call.query["status"]]
    shown = [shapes.check_run(call.books, call.repository, run) for run in runs]
    if "app_id" in call.query:
        shown = [run for run in shown if str(run["app"]["id"]) == call.query["app_id"]]
    return call.page(shown, "check_runs")


async def list_suites(call: Call) -> Answer:
    """One for each app and commit, told by its runs."""
    sha = await call.commit(call.words["ref"])
    suites: dict[int, list[CheckRun]] = {}
    for run in call.repository.records.check_runs:
        if run.sha == sha and call.query.get("check_name") in {None, run.name}:
            suites.setdefault(run.suite, []).append(run)
    (commit,) = await call.repository.git.commits(sha)
    shown = [shapes.check_suite(call.books, call.repository, commit, _latest(runs)) for runs in suites.values()]
    if "app_id" in call.query:
        shown = [suite for suite in shown if str(suite["app"]["id"]) == call.query["app_id"]]
    return call.page(shown, "check_suites")


def _found(call: Call) -> CheckRun:
    for run in call.repository.records.check_runs:
        if str(run.id) == call.words["id"]:
            return run
    raise not_found()


async def get_run(call: Call) -> Answer:
    return Answer(200, shapes.check_run(call.books, call.repository, _found(call)))


def _moment(call: Call, name: str, default: datetime | None) -> datetime | None:
    text = call.body.get(name)
    if text is None:
        return default
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise Refused(422, f"Invalid request.\n\n{text!r} is not a date-time.") from None


def _fill(call: Call, run: CheckRun) -> None:
    """What the body says, with GitHub's own defaults: a conclusion completes the run."""
    body = call.body
    conclusion = body.get("conclusion")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion", "invalid")
    status = as_text(body, "status", run.status)
    if status == "completed" and conclusion is None and run.conclusion is None:
        raise Refused(422, 'Invalid request.\n\n"conclusion" wasn\'t supplied.')
    run.name = as_text(body, "name", run.name)
    run.started_at = _moment(call, "started_at", run.started_at)
    run.details_url = as_text(body, "details_url", run.details_url)
    run.external_id = as_text(body, "external_id", run.external_id)
    output: dict[str, Any] = call.object("output") or {}
    run.title, run.summary = output.get("title", run.title), output.get("summary", run.summary)
    if conclusion is not None:
        run.status, run.conclusion = "completed", str(conclusion)
        run.completed_at = _moment(call, "completed_at", call.books.now())
    else:
        run.status = status
        if status != "completed":
            run.conclusion = run.completed_at = None


def _app(call: Call) -> str:
    if call.token is None or call.token.app is None:
        raise Refused(403, "You must authenticate via a GitHub App.")
    return call.token.app.name


async def create_run(call: Call) -> Answer:
    app, now = _app(call), call.books.now()
    sha = await call.commit(call.text("head_sha"))
    run = CheckRun(
        call.books.new_id(), call.books.suite(sha, app), app, call.text("name"), sha, "queued", None, now, None
    )
    _fill(call, run)
    call.repository.records.check_runs.append(run)
    webhooks.check_run(call.books, call.repository, run, "completed" if run.conclusion else "created")
    return Answer(201, shapes.check_run(call.books, call.repository, run))


async def update_run(call: Call) -> Answer:
    app, run = _app(call), _found(call)
    if run.app != app:
        raise Refused(403, "Invalid app_id.")
    _fill(call, run)
    webhooks.check_run(call.books, call.repository, run, "completed" if run.conclusion else "created")
    return Answer(200, shapes.check_run(call.books, call.repository, run))


# Commit statuses ----------------------------------------------------------------------------------------------------


def combined_state(statuses: Iterable[Status]) -> str:
    states = {status.state for status in statuses}
    if states & {"failure", "error"}:
        return "failure"
    return "success" if states == {"success"} else "pending"  # pending too where there are none at all


async def list_statuses(call: Call) -> Answer:
    sha = await call.commit(call.words["ref"])
    found = [status for status in reversed(call.repository.records.statuses) if status.sha == sha]
    return call.page([shapes.status(call.books, call.repository, status) for status in found])


async def combined(call: Call) -> Answer:
    sha = await call.commit(call.words["ref"])
    newest = newest_statuses(call.repository.records.statuses, sha)
    url = shapes.repository_url(call.books, call.repository)
    return call.page(
        [shapes.simple_status(call.books, call.repository, status) for status in newest],
        "statuses",
        state=combined_state(newest),
        sha=sha,
        repository=shapes.minimal_repository(call.books, call.repository),
        commit_url=f"{url}/commits/{sha}",
        url=f"{url}/commits/{sha}/status",
    )


async def create_status(call: Call) -> Answer:
    sha = await call.commit(call.words["sha"])
    state = call.text("state")
    if state not in STATES:
        raise invalid("Status", "state", "custom", "state is not included in the list")
    description = call.maybe("description")
    if description is not None and len(description) > DESCRIPTION_MAX:
        raise invalid("Status", "description", "custom", "description is too long (maximum is 140 characters)")
    status = Status(
        call.books.new_id(),
        sha,
        as_text(call.body, "context", "default"),
        state,
        description,
        call.maybe("target_url"),
        call.login,
        call.books.now(),
        call.token.app.id if call.token and call.token.app else 0,
    )
    call.repository.records.statuses.append(status)
    webhooks.status(call.books, call.repository, status)
    return Answer(201, shapes.status(call.books, call.repository, status))


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO + "/commits/{ref+}/check-runs", list_runs, "checks"),
    Route("GET", _REPO + "/commits/{ref+}/check-suites", list_suites, "checks"),
    Route("GET", _REPO + "/commits/{ref+}/status", combined, "statuses"),
    Route("GET", _REPO + "/commits/{ref+}/statuses", list_statuses, "statuses"),
    Route("POST", _REPO + "/statuses/{sha}", create_status, "statuses"),
    Route("POST", _REPO + "/check-runs", create_run, "checks"),
    Route("GET", _REPO + "/check-runs/{id}", get_run, "checks"),
    Route("PATCH", _REPO + "/check-runs/{id}", update_run, "checks"),
)
