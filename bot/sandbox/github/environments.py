"""Where a repository deploys to: https://docs.github.com/rest/deployments/environments."""

from __future__ import annotations

from typing import Any

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.records import Environment


def _known(call: Call) -> dict[str, Environment]:
    """Those that were made, and those that something was deployed to."""
    known = dict(call.repository.records.environments)
    for made in call.repository.records.deployments:
        known.setdefault(made.environment, Environment(made.id, made.environment, made.created_at))
    return known


def _shown(call: Call, made: Environment) -> dict[str, Any]:
    quoted = made.name.replace(" ", "%20").replace("/", "%2F")
    log = f"{shapes.web_url(call.books, call.repository)}/deployments/activity_log"
    rules = [{"id": made.id, "node_id": shapes.node_id("Gate", made.id), "type": "wait_timer", "wait_timer": made.wait}]
    return {
        "id": made.id,
        "node_id": shapes.node_id("Environment", made.id),
        "name": made.name,
        "url": f"{shapes.repository_url(call.books, call.repository)}/environments/{quoted}",
        "html_url": f"{log}?environments_filter={quoted}",
        "created_at": shapes.moment(made.at),
        "updated_at": shapes.moment(made.at),
        "protection_rules": rules if made.wait else [],
        "deployment_branch_policy": None,
    }


async def list_all(call: Call) -> Answer:
    return call.page([_shown(call, made) for made in _known(call).values()], "environments")


async def get(call: Call) -> Answer:
    made = _known(call).get(call.words["name"])
    if made is None:
        raise not_found()
    return Answer(200, _shown(call, made))


async def put(call: Call) -> Answer:
    name, known = call.words["name"], call.repository.records.environments
    made = known.setdefault(name, Environment(call.books.new_id(), name, call.books.now()))
    wait = call.body.get("wait_timer") or 0
    if not isinstance(wait, int):
        raise Refused(422, "Invalid request.\n\nwait_timer is not an integer.")
    made.wait = wait
    return Answer(200, _shown(call, made))


_REPO = "/repos/{owner}/{repo}/environments"
ROUTES = (
    Route("GET", _REPO, list_all, "actions"),
    Route("GET", _REPO + "/{name}", get, "actions"),
    Route("PUT", _REPO + "/{name}", put, "administration"),
)
