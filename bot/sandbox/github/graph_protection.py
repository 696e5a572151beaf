"""Classic protection as GraphQL sees it: all of it, wildcards and what REST never shows included."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Call
from bot.sandbox.github.graph import Json, Wrong, demand, listed
from bot.sandbox.github.judgement import protection_of
from bot.sandbox.github.records import Repository, number_of
from bot.sandbox.github.rule_records import Protection

# Names in GraphQL → where the same stands in the request that sets it by REST.
_SWITCHES = {
    "allowsDeletions": "allow_deletions",
    "allowsForcePushes": "allow_force_pushes",
    "blocksCreations": "block_creations",
    "isAdminEnforced": "enforce_admins",
    "lockAllowsFetchAndMerge": "allow_fork_syncing",
    "lockBranch": "lock_branch",
    "requiresConversationResolution": "required_conversation_resolution",
    "requiresLinearHistory": "required_linear_history",
}
_REVIEW_SWITCHES = {
    "dismissesStaleReviews": "dismiss_stale_reviews",
    "requireLastPushApproval": "require_last_push_approval",
    "requiresCodeOwnerReviews": "require_code_owner_reviews",
}


def ref_of(call: Call, found: Repository, name: str) -> Json:
    prefix = "/".join(name.split("/")[:2]) + "/"
    made = protection_of(found, name.removeprefix("refs/heads/")) if name.startswith("refs/heads/") else None
    return {
        "__typename": "Ref",
        "id": shapes.node_id("Ref", f"{found.id}:{name}"),
        "name": name.removeprefix(prefix),
        "prefix": prefix,
        "branchProtectionRule": rule(call, found, made) if made is not None and call.administers_in(found) else None,
    }


def rules_of(call: Call, found: Repository) -> list[Json]:
    if not call.administers_in(found):
        return []
    return [rule(call, found, made) for made in found.records.protections.values()]


def rule(call: Call, found: Repository, made: Protection) -> Json:
    said, also = made.said, made.also
    checks, reviews = said.get("required_status_checks"), said.get("required_pull_request_reviews")
    excused = (reviews or {}).get("bypass_pull_request_allowances") or {}
    required = checks["checks"] if checks else []

    async def matching(info: Any, *, query: str = "", **page: Any) -> Json:
        names = [
            name
            for name in await found.refs("refs/heads/")
            if fnmatch.fnmatchcase(name.removeprefix("refs/heads/"), made.pattern) and query in name
        ]
        return listed([ref_of(call, found, name) for name in names], "matchingRefs", **page)

    return {
        "__typename": "BranchProtectionRule",
        "id": shapes.node_id("BranchProtectionRule", made.id),
        "databaseId": made.id,
        "pattern": made.pattern,
        "matchingRefs": matching,
        **{name: bool(said.get(rest)) for name, rest in _SWITCHES.items()},
        **{name: bool((reviews or {}).get(rest)) for name, rest in _REVIEW_SWITCHES.items()},
        "requiresApprovingReviews": reviews is not None,
        "requiredApprovingReviewCount": reviews.get("required_approving_review_count", 1)
        if reviews is not None
        else None,
        "requiresCommitSignatures": made.signatures,
        "requiresStatusChecks": checks is not None,
        "requiresStrictStatusChecks": bool(checks and checks["strict"]),
        "requiredStatusCheckContexts": [one["context"] for one in required],
        "requiredStatusChecks": [
            {"context": one["context"], "app": _app(call, one["app_id"]) if one.get("app_id") else None}
            for one in required
        ],
        "requiresDeployments": bool(also.get("requiresDeployments")),
        "requiredDeploymentEnvironments": list(also.get("requiredDeploymentEnvironments", ())),
        "restrictsPushes": said.get("restrictions") is not None,
        "restrictsReviewDismissals": (reviews or {}).get("dismissal_restrictions") is not None,
        "pushAllowances": _allowed(call, found, "pushAllowances", said.get("restrictions") or {}),
        "bypassPullRequestAllowances": _allowed(call, found, "bypassPullRequestAllowances", excused),
        "reviewDismissalAllowances": _allowed(
            call, found, "reviewDismissalAllowances", (reviews or {}).get("dismissal_restrictions") or {}
        ),
        "bypassForcePushAllowances": _allowed(call, found, "bypassForcePushAllowances", also.get("force_pushers", {})),
    }


def _app(call: Call, id: int) -> Json:
    registered = call.books.apps.get(id)
    name = registered.name if registered else "GitHub Actions"
    worded = {"__typename": "App", "id": shapes.node_id("AppId", id), "databaseId": id, "name": name}
    return worded | {"slug": shapes.slug(name)}


def _allowed(call: Call, found: Repository, name: str, said: Json) -> Callable[..., Json]:
    """A connection of those whom `users`, `teams` and `apps` name."""
    actors: list[Json] = []
    for login in said.get("users") or ():
        user = {"__typename": "User", "id": shapes.node_id("User", login), "login": login}
        actors.append(user | {"databaseId": number_of(login), "url": f"{call.books.url}/{login}"})
    for slug in said.get("teams") or ():
        team = {"__typename": "Team", "id": shapes.node_id("TeamSlug", slug), "name": slug, "slug": slug}
        actors.append(team | {"databaseId": number_of(slug), "combinedSlug": f"{found.owner}/{slug}"})
    actors += [
        _app(call, app.id) for slug in said.get("apps") or () for app in call.books.apps.values() if app.slug == slug
    ]
    nodes = [{"id": shapes.node_id(name, one["id"]), "actor": one} for one in actors]
    return lambda info, **page: listed(nodes, name, **page)


# Changing -----------------------------------------------------------------------------------------------------------


def changed(call: Call, found: Repository, made: Protection, asked: Json) -> None:
    """What was asked for stands; what was left out stays."""
    demand(call, found, "administration")
    said, also = copy.deepcopy(made.said), copy.deepcopy(made.also)
    for name, rest in _SWITCHES.items():
        if asked.get(name) is not None:
            said[rest] = asked[name]
    _change_reviews(call, said, asked)
    _change_checks(call, said, asked)
    if asked.get("restrictsPushes") is not None or asked.get("pushActorIds") is not None:
        wanted = asked.get("restrictsPushes", said.get("restrictions") is not None)
        now = said.get("restrictions") or {"users": [], "teams": [], "apps": []}
        ids = asked.get("pushActorIds")
        said["restrictions"] = None if not wanted else now if ids is None else _who(call, ids)
    if asked.get("bypassForcePushActorIds") is not None:
        also["force_pushers"] = _who(call, asked["bypassForcePushActorIds"])
    for name in ("requiresDeployments", "requiredDeploymentEnvironments"):
        if asked.get(name) is not None:
            also[name] = asked[name]
    made.said, made.also = said, also
    made.signatures = (
        made.signatures if asked.get("requiresCommitSignatures") is None else asked["requiresCommitSignatures"]
    )
    pattern = asked.get("pattern") or made.pattern
    kept = found.records.protections
    if pattern != made.pattern and pattern in kept:
        raise Wrong("UNPROCESSABLE", f"Name already protected: {pattern}")
    kept.pop(made.pattern, None)
    made.pattern = pattern
    kept[pattern] = made


def _change_reviews(call: Call, said: Json, asked: Json) -> None:
    if asked.get("requiresApprovingReviews") is False:
        said["required_pull_request_reviews"] = None
        return
    names = {**_REVIEW_SWITCHES, "requiredApprovingReviewCount": "required_approving_review_count"}
    given = {rest: asked[name] for name, rest in names.items() if asked.get(name) is not None}
    if asked.get("bypassPullRequestActorIds") is not None:
        given["bypass_pull_request_allowances"] = _who(call, asked["bypassPullRequestActorIds"])
    if asked.get("reviewDismissalActorIds") is not None:
        given["dismissal_restrictions"] = _who(call, asked["reviewDismissalActorIds"])
    now = said.get("required_pull_request_reviews")
    if now is not None or asked.get("requiresApprovingReviews"):
        said["required_pull_request_reviews"] = (now or {}) | given


def _change_checks(call: Call, said: Json, asked: Json) -> None:
    if asked.get("requiresStatusChecks") is False:
        said["required_status_checks"] = None
        return
    now = said.get("required_status_checks")
    if now is None and not asked.get("requiresStatusChecks"):
        return
    now = now or {"strict": False, "checks": []}
    if asked.get("requiresStrictStatusChecks") is not None:
        now["strict"] = asked["requiresStrictStatusChecks"]
    if asked.get("requiredStatusChecks") is not None:
        now["checks"] = [{"context": one["context"], "app_id": _app_id(one)} for one in asked["requiredStatusChecks"]]
    elif asked.get("requiredStatusCheckContexts") is not None:
        now["checks"] = [{"context": name, "app_id": None} for name in asked["requiredStatusCheckContexts"]]
    said["required_status_checks"] = now


def _app_id(check: Json) -> int | None:
    id = check.get("appId")
    if id in {None, "any"}:
        return None
    _kind, name = shapes.named(str(id))
    return int(name)


def _who(call: Call, ids: Iterable[str]) -> Json:
    """The actors behind node ids, by login and slug."""
    found: Json = {"users": [], "teams": [], "apps": []}
    for id in ids:
        kind, name = shapes.named(id)
        if kind == "User":
            found["users"].append(name)
        elif kind == "TeamSlug":
            found["teams"].append(name)
        elif kind == "Team":
            found["teams"] += [team.slug for team in call.books.teams.values() if str(team.id) == name]
        elif kind == "AppId" and int(name) in call.books.apps:
            found["apps"].append(call.books.apps[int(name)].slug)
        elif kind == "App":
            found["apps"].append(shapes.slug(name))
        else:
            raise Wrong("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'")
    return found
