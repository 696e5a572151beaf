"""Runs of workflows: https://docs.github.com/rest/actions. Nobody runs them here; whoever tells the story ends them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.records import Books, Repository, WorkflowRun, number_of

KEPT = timedelta(days=90)  # https://docs.github.com/actions, "Retention period for artifacts": the default


def begin(
    books: Books, repository: Repository, workflow: str, branch: str, sha: str, event: str, by: str
) -> WorkflowRun:
    """A run of that file is queued."""
    now, runs = books.now(), repository.records.workflow_runs
    number = sum(one.workflow == workflow for one in runs) + 1
    made = WorkflowRun(books.new_id(), workflow, number, branch, sha, event, by, now, now)
    runs.append(made)
    return made


def _shown(call: Call, made: WorkflowRun) -> dict[str, Any]:
    home, web = shapes.repository_url(call.books, call.repository), shapes.web_url(call.books, call.repository)
    url, workflow = f"{home}/actions/runs/{made.id}", number_of(f"workflow {made.workflow}")
    links = {"jobs": "jobs", "logs": "logs", "artifacts": "artifacts", "cancel": "cancel", "rerun": "rerun"}
    return {
        "id": made.id,
        "node_id": shapes.node_id("WorkflowRun", made.id),
        "name": made.workflow,
        "display_title": made.title or made.workflow,
        "path": f".github/workflows/{made.workflow}",
        "workflow_id": workflow,
        "workflow_url": f"{home}/actions/workflows/{workflow}",
        "run_number": made.number,
        "run_attempt": made.attempt,
        "event": made.event,
        "status": made.status,
        "conclusion": made.conclusion,
        "head_branch": made.branch,
        "head_sha": made.sha,
        "head_commit": None,
        "actor": shapes.user(call.books, made.by),
        "url": url,
        "html_url": f"{web}/actions/runs/{made.id}",
        **{f"{name}_url": f"{url}/{part}" for name, part in links.items()},
        "check_suite_url": f"{home}/check-suites/{made.id}",
        "pull_requests": [],
        "repository": shapes.minimal_repository(call.books, call.repository),
        "head_repository": shapes.minimal_repository(call.books, call.repository),
        "created_at": shapes.moment(made.created_at),
        "updated_at": shapes.moment(made.updated_at),
    }


async def dispatch(call: Call) -> Answer:
    git, workflow, ref = call.repository.git, call.words["workflow"], call.text("ref")
    sha = await git.commit_of(ref.removeprefix("refs/heads/").removeprefix("refs/tags/"))
    if sha is None:
        raise Refused(422, f"No ref found for: {ref}")
    if await git.entry(sha, f".github/workflows/{workflow}") is None:
        raise not_found()
    made = begin(call.books, call.repository, workflow, ref, sha, "workflow_dispatch", call.login)
    if not call.flag("return_run_details", default=False):
        return Answer(204)
    shown = _shown(call, made)
    return Answer(200, {"workflow_run_id": made.id, "run_url": shown["url"], "html_url": shown["html_url"]})


async def list_runs(call: Call) -> Answer:
    workflow, query = call.words["workflow"], call.query
    found = [
        made
        for made in reversed(call.repository.records.workflow_runs)
        if workflow in {made.workflow, str(number_of(f"workflow {made.workflow}"))}
        and query.get("branch") in {None, made.branch}
        and query.get("head_sha") in {None, made.sha}
        and query.get("event") in {None, made.event}
        and query.get("status") in {None, made.status, made.conclusion}
    ]
    return call.page([_shown(call, made) for made in found], "workflow_runs")


async def rerun_failed(call: Call) -> Answer:
    made = next((one for one in call.repository.records.workflow_runs if str(one.id) == call.words["id"]), None)
    if made is None:
        raise not_found()
    if made.status != "completed" or made.conclusion == "success":
        raise Refused(403, "This workflow run cannot be retried")
    made.status, made.conclusion, made.updated_at = "queued", None, call.books.now()
    made.attempt += 1
    return Answer(201, {})


async def artifacts(call: Call) -> Answer:
    """Newest first; nobody can fetch one here."""
    repository, name = call.repository, call.query.get("name")
    home, runs = shapes.repository_url(call.books, repository), repository.records.workflow_runs
    shown = []
    for made in reversed(repository.records.artifacts):
        run = next(one for one in runs if one.id == made.run)
        url = f"{home}/actions/artifacts/{made.id}"
        shown.append(
            {
                "id": made.id,
                "node_id": shapes.node_id("Artifact", made.id),
                "name": made.name,
                "size_in_bytes": made.size,
                "digest": made.digest,
                "url": url,
                "archive_download_url": f"{url}/zip",
                "expired": made.at + KEPT <= call.books.now(),
                "created_at": shapes.moment(made.at),
                "updated_at": shapes.moment(made.at),
                "expires_at": shapes.moment(made.at + KEPT),
                "workflow_run": {
                    "id": run.id,
                    "repository_id": repository.id,
                    "head_repository_id": repository.id,
                    "head_branch": run.branch,
                    "head_sha": run.sha,
                },
            }
        )
    return call.page([one for one in shown if name in {None, one["name"]}], "artifacts")


_REPO = "/repos/{owner}/{repo}/actions"
ROUTES = (
    Route("GET", _REPO + "/artifacts", artifacts, "actions"),
    Route("POST", _REPO + "/workflows/{workflow}/dispatches", dispatch, "actions"),
    Route("GET", _REPO + "/workflows/{workflow}/runs", list_runs, "actions"),
    Route("POST", _REPO + "/runs/{id}/rerun-failed-jobs", rerun_failed, "actions"),
)
