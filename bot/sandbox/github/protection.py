"""Classic branch protection: https://docs.github.com/rest/branches/branch-protection.

What is read and what is written have different shapes there, and so they have here.
"""

from __future__ import annotations

import copy
from typing import Any

from bot.sandbox.github import pull_shapes, shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route
from bot.sandbox.github.judgement import protection_of
from bot.sandbox.github.rule_records import Json, Protection

SWITCHES = (
    "required_linear_history",
    "allow_force_pushes",
    "allow_deletions",
    "block_creations",
    "required_conversation_resolution",
    "lock_branch",
    "allow_fork_syncing",
)
REVIEW_SWITCHES = ("dismiss_stale_reviews", "require_code_owner_reviews", "require_last_push_approval")


async def _branch(call: Call) -> str:
    branch = call.words["branch"]
    if await call.repository.ref(f"refs/heads/{branch}") is None:
        raise Refused(404, "Branch not found")
    return branch


async def _found(call: Call) -> Protection:
    """The protection of the branch; that of a pattern is seen here, and changed only by GraphQL."""
    made = protection_of(call.repository, await _branch(call))
    if made is None:
        raise Refused(404, "Branch not protected")
    return made


# Shapes -------------------------------------------------------------------------------------------------------------


def _url(call: Call, part: str = "") -> str:
    url = f"{shapes.repository_url(call.books, call.repository)}/branches/{call.words['branch']}/protection"
    return f"{url}/{part}" if part else url


def _named(call: Call, said: Json) -> Json:
    """Logins and slugs, each as the whole thing it stands for."""
    books = call.books
    apps = [app for slug in said.get("apps") or () for app in books.apps.values() if app.slug == slug]
    return {
        "users": [shapes.user(books, login) for login in said.get("users") or ()],
        "teams": [
            pull_shapes.team(books, books.teams[call.repository.owner, slug])
            for slug in said.get("teams") or ()
            if (call.repository.owner, slug) in books.teams
        ],
        "apps": [shapes.app(books, app, app.name) for app in apps],
    }


def _checks(call: Call, said: Json) -> Json:
    url = _url(call, "required_status_checks")
    return {
        "url": url,
        "strict": said["strict"],
        "contexts": [one["context"] for one in said["checks"]],
        "contexts_url": f"{url}/contexts",
        "checks": copy.deepcopy(said["checks"]),
    }


def _reviews(call: Call, said: Json) -> Json:
    url = _url(call, "required_pull_request_reviews")
    shown: Json = {
        "url": url,
        **{name: said.get(name, False) for name in REVIEW_SWITCHES},
        "required_approving_review_count": said.get("required_approving_review_count", 1),
    }
    if said.get("dismissal_restrictions"):
        place = _url(call, "dismissal_restrictions")
        links = {"url": place, "users_url": f"{place}/users", "teams_url": f"{place}/teams"}
        shown["dismissal_restrictions"] = links | _named(call, said["dismissal_restrictions"])
    if said.get("bypass_pull_request_allowances"):
        shown["bypass_pull_request_allowances"] = _named(call, said["bypass_pull_request_allowances"])
    return shown


def _restrictions(call: Call, said: Json) -> Json:
    url = _url(call, "restrictions")
    links = {f"{name}_url": f"{url}/{name}" for name in ("users", "teams", "apps")}
    return {"url": url} | links | _named(call, said)


def _switch(call: Call, name: str, enabled: object) -> Json:
    return {"url": _url(call, name), "enabled": bool(enabled)}


def _whole(call: Call, made: Protection) -> Json:
    said = made.said
    shown: Json = {
        "url": _url(call),
        "required_signatures": _switch(call, "required_signatures", made.signatures),
        "enforce_admins": _switch(call, "enforce_admins", said.get("enforce_admins")),
        **{name: {"enabled": bool(said.get(name))} for name in SWITCHES},
    }
    if said.get("required_status_checks") is not None:
        shown["required_status_checks"] = _checks(call, said["required_status_checks"])
    if said.get("required_pull_request_reviews") is not None:
        shown["required_pull_request_reviews"] = _reviews(call, said["required_pull_request_reviews"])
    if said.get("restrictions") is not None:
        shown["restrictions"] = _restrictions(call, said["restrictions"])
    return shown


# The whole ----------------------------------------------------------------------------------------------------------


async def get(call: Call) -> Answer:
    return Answer(200, _whole(call, await _found(call)))


def _wanted_checks(call: Call, given: Json, before: Json | None = None) -> Json:
    """An app left out is the one that reported the check last; -1 is any."""
    checks: Any = given.get("checks") or [{"context": context, "app_id": -1} for context in given.get("contexts") or ()]
    if not all(isinstance(one, dict) and isinstance(one.get("context"), str) for one in checks):
        raise Refused(422, "Invalid request.\n\nNo checks are named.")
    if before is not None and "checks" not in given and "contexts" not in given:
        checks = before["checks"]
    kept = []
    for one in checks:
        app = one["app_id"] if "app_id" in one else _reporter(call, one["context"])
        kept.append({"context": one["context"], "app_id": None if app == -1 else app})
    strict = given.get("strict", before["strict"] if before else False)
    return {"strict": bool(strict), "checks": kept}


def _reporter(call: Call, context: str) -> int | None:
    runs = [run for run in call.repository.records.check_runs if run.name == context]
    return call.books.app_id(runs[-1].app) if runs else None


async def put(call: Call) -> Answer:
    """Everything is replaced: what is left out is off."""
    branch = await _branch(call)
    said: Json = {name: call.flag(name, default=False) for name in SWITCHES}
    for name in ("required_status_checks", "enforce_admins", "required_pull_request_reviews", "restrictions"):
        if name not in call.body:
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
    checks = call.object("required_status_checks")
    said["required_status_checks"] = None if checks is None else _wanted_checks(call, checks)
    said["enforce_admins"] = call.flag("enforce_admins", default=False)
    said["required_pull_request_reviews"] = copy.deepcopy(call.object("required_pull_request_reviews"))
    said["restrictions"] = copy.deepcopy(call.object("restrictions"))
    if said["required_pull_request_reviews"] is not None:
        _demand_count(said["required_pull_request_reviews"])
    kept = call.repository.records.protections
    made = kept.get(branch) or Protection(call.books.new_id(), branch, {})
    made.said = said
    kept[branch] = made
    return Answer(200, _whole(call, made))


def _demand_count(reviews: Json) -> None:
    if not 0 <= reviews.get("required_approving_review_count", 1) <= 6:
        raise Refused(422, "Required approving review count must be between 0 and 6.")


async def delete(call: Call) -> Answer:
    made = await _found(call)
    del call.repository.records.protections[made.pattern]
    return Answer(204)


# Its parts ----------------------------------------------------------------------------------------------------------


async def get_checks(call: Call) -> Answer:
    said = (await _found(call)).said.get("required_status_checks")
    if said is None:
        raise Refused(404, "Required status checks not enabled")
    return Answer(200, _checks(call, said))


async def patch_checks(call: Call) -> Answer:
    made = await _found(call)
    before = made.said.get("required_status_checks")
    if before is None:
        raise Refused(404, "Required status checks not enabled")
    made.said["required_status_checks"] = _wanted_checks(call, call.body, before)
    return await get_checks(call)


async def delete_checks(call: Call) -> Answer:
    (await _found(call)).said["required_status_checks"] = None
    return Answer(204)


async def get_reviews(call: Call) -> Answer:
    said = (await _found(call)).said.get("required_pull_request_reviews")
    if said is None:
        raise Refused(404, "Pull request reviews protection is not enabled")
    return Answer(200, _reviews(call, said))


async def patch_reviews(call: Call) -> Answer:
    made = await _found(call)
    wanted = {**(made.said.get("required_pull_request_reviews") or {}), **copy.deepcopy(call.body)}
    _demand_count(wanted)
    made.said["required_pull_request_reviews"] = wanted
    return await get_reviews(call)


async def delete_reviews(call: Call) -> Answer:
    (await _found(call)).said["required_pull_request_reviews"] = None
    return Answer(204)


async def get_restrictions(call: Call) -> Answer:
    said = (await _found(call)).said.get("restrictions")
    if said is None:
        raise Refused(404, "Push restrictions not enabled")
    return Answer(200, _restrictions(call, said))


async def delete_restrictions(call: Call) -> Answer:
    (await _found(call)).said["restrictions"] = None
    return Answer(204)


async def get_admins(call: Call) -> Answer:
    return Answer(200, _switch(call, "enforce_admins", (await _found(call)).said.get("enforce_admins")))


async def set_admins(call: Call) -> Answer:
    (await _found(call)).said["enforce_admins"] = True
    return await get_admins(call)


async def delete_admins(call: Call) -> Answer:
    (await _found(call)).said["enforce_admins"] = False
    return Answer(204)


async def get_signatures(call: Call) -> Answer:
    return Answer(200, _switch(call, "required_signatures", (await _found(call)).signatures))


async def set_signatures(call: Call) -> Answer:
    (await _found(call)).signatures = True
    return await get_signatures(call)


async def delete_signatures(call: Call) -> Answer:
    (await _found(call)).signatures = False
    return Answer(204)


_HERE = "/repos/{owner}/{repo}/branches/{branch+}/protection"
_HANDLERS = {
    "/required_status_checks": {"GET": get_checks, "PATCH": patch_checks, "DELETE": delete_checks},
    "/required_pull_request_reviews": {"GET": get_reviews, "PATCH": patch_reviews, "DELETE": delete_reviews},
    "/restrictions": {"GET": get_restrictions, "DELETE": delete_restrictions},
    "/enforce_admins": {"GET": get_admins, "POST": set_admins, "DELETE": delete_admins},
    "/required_signatures": {"GET": get_signatures, "POST": set_signatures, "DELETE": delete_signatures},
    "": {"GET": get, "PUT": put, "DELETE": delete},
}
ROUTES = tuple(
    Route(method, _HERE + part, handler, "administration")
    for part, handlers in _HANDLERS.items()
    for method, handler in handlers.items()
)
