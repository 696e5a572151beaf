"""Deployments and their statuses: https://docs.github.com/rest/deployments. The defaults bite here as they do there."""

from __future__ import annotations

from typing import Any

from bot.sandbox.github import pull_life, shapes, webhooks
from bot.sandbox.github.call import Answer, Call, Refused, Route, invalid, not_found
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import Books, Deployment, DeploymentStatus, Repository, as_text
from bot.sandbox.github.required_checks import newest_statuses
from bot.sandbox.github.rules import Move

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
DESCRIPTION_MAX = 140


async def _caught_up(call: Call, ref: str, sha: str) -> Answer | None:
    """With `auto_merge` a branch behind the default branch is merged and nothing deployed; None: nothing to merge."""
    repository, git = call.repository, call.repository.git
    branch, default = f"refs/heads/{ref}", repository.default_branch
    tip = await git.ref(f"refs/heads/{default}")
    if await git.ref(branch) is None or tip is None or await git.contains(sha, tip):
        return None
    author = pull_life.signature(call.books, call.login)
    merged = await git.merge(sha, tip, f"Merge {default} into {ref}", author, call.books.sign)
    moved = merged and await make(call.books, repository, call.actor, [Move(branch, sha, merged)], status=409)
    if not moved:
        raise Refused(409, f"Conflict merging {default} into {ref}.")
    return Answer(202, {"message": f"Auto-merged {default} into {ref} on deployment."})


def _demand_green(call: Call, sha: str, ref: str) -> None:
    """`required_contexts`: left out, every commit status must be green (check runs are not looked at); []: none."""
    required = None if call.body.get("required_contexts") is None else call.texts("required_contexts")
    states = {status.context: status.state for status in newest_statuses(call.repository.records.statuses, sha)}
    wanted = list(states) if required is None else required
    bad = [context for context in wanted if states.get(context) != "success"]
    if bad:
        errors = [
            {
                "contexts": [{"context": name, "state": states.get(name, "missing")} for name in bad],
                "resource": "Deployment",
                "field": "required_contexts",
                "code": "invalid",
            }
        ]
        raise Refused(409, f"Conflict: Commit status checks failed for {ref}.", errors)


async def create(call: Call) -> Answer:
    repository, ref = call.repository, call.text("ref")
    sha = await repository.git.commit_of(ref)
    if sha is None:
        raise Refused(422, f"No ref found for: {ref}")
    if call.flag("auto_merge", default=True):
        caught_up = await _caught_up(call, ref, sha)
        if caught_up:
            return caught_up
    _demand_green(call, sha, ref)
    environment = as_text(call.body, "environment", "production")
    payload: Any = call.body.get("payload")
    made = Deployment(
        call.books.new_id(),
        sha,
        ref,
        as_text(call.body, "task", "deploy"),
        environment,
        {} if payload is None else payload,
        call.maybe("description"),
        call.flag("transient_environment", default=False),
        call.flag("production_environment", default=environment == "production"),
        call.login,
        call.books.now(),
        call.books.now(),
    )
    repository.records.deployments.append(made)
    return Answer(201, shapes.deployment(call.books, repository, made))


async def list_deployments(call: Call) -> Answer:
    found = call.repository.records.deployments
    for name in ("sha", "ref", "task", "environment"):
        wanted = call.query.get(name, "none")
        if wanted != "none":  # "none" is GitHub's own word for "any"
            found = [made for made in found if getattr(made, name) == wanted]
    return call.page([shapes.deployment(call.books, call.repository, made) for made in reversed(found)])


def _found(call: Call) -> Deployment:
    for made in call.repository.records.deployments:
        if str(made.id) == call.words["id"]:
            return made
    raise not_found()


async def get(call: Call) -> Answer:
    return Answer(200, shapes.deployment(call.books, call.repository, _found(call)))


def add_status(
    books: Books, repository: Repository, made: Deployment, status: DeploymentStatus, *, auto_inactive: bool
) -> None:
    """The status stands; with `auto_inactive` a success retires earlier successes of the same passing environment."""
    made.statuses.append(status)
    made.updated_at = status.at
    if not auto_inactive or status.state != "success":
        return
    for other in repository.records.deployments:
        retired = other is not made and other.environment == made.environment and other.id < made.id
        if (
            retired
            and not other.production
            and not other.transient
            and other.statuses
            and other.statuses[-1].state == "success"
        ):
            other.statuses.append(
                DeploymentStatus(
                    books.new_id(),
                    "inactive",
                    "",
                    "",
                    "",
                    other.environment,
                    status.creator,
                    status.at,
                )
            )
            other.updated_at = status.at


async def create_status(call: Call) -> Answer:
    made, state = _found(call), call.text("state")
    if state not in STATES:
        raise invalid("DeploymentStatus", "state", "custom", "state is not included in the list")
    description = as_text(call.body, "description")
    if len(description) > DESCRIPTION_MAX:
        raise invalid("DeploymentStatus", "description", "custom", "is too long (maximum is 140 characters)")
    status = DeploymentStatus(
        call.books.new_id(),
        state,
        description,
        as_text(call.body, "log_url", as_text(call.body, "target_url")),
        as_text(call.body, "environment_url"),
        as_text(call.body, "environment", made.environment),
        call.login,
        call.books.now(),
    )
    add_status(call.books, call.repository, made, status, auto_inactive=call.flag("auto_inactive", default=True))
    webhooks.deployment_status(call.books, call.repository, made, status)
    return Answer(201, shapes.deployment_status(call.books, call.repository, made, status))


async def list_statuses(call: Call) -> Answer:
    made = _found(call)
    return call.page(
        [shapes.deployment_status(call.books, call.repository, made, status) for status in reversed(made.statuses)]
    )


async def get_status(call: Call) -> Answer:
    made = _found(call)
    for status in made.statuses:
        if str(status.id) == call.words["status"]:
            return Answer(200, shapes.deployment_status(call.books, call.repository, made, status))
    raise not_found()


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("POST", _REPO + "/deployments", create, "deployments"),
    Route("GET", _REPO + "/deployments", list_deployments, "deployments"),
    Route("GET", _REPO + "/deployments/{id}", get, "deployments"),
    Route("POST", _REPO + "/deployments/{id}/statuses", create_status, "deployments"),
    Route("GET", _REPO + "/deployments/{id}/statuses", list_statuses, "deployments"),
    Route("GET", _REPO + "/deployments/{id}/statuses/{status}", get_status, "deployments"),
)
