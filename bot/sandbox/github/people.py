"""Who may do what, and who belongs to which team? https://docs.github.com/rest/collaborators, /rest/teams/members."""

from __future__ import annotations

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Route, not_found
from bot.sandbox.github.records import ROLES, Team

# What older callers know: https://docs.github.com/rest/collaborators, "Get repository permissions for a user"
_LEGACY = {"triage": "read", "maintain": "write"}


async def permission(call: Call) -> Answer:
    login = call.words["login"]
    role = call.books.role(call.repository, login)
    at_least = ROLES.index(role)
    named = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    may = {name: at_least >= ROLES.index(needs) for name, needs in named.items()}
    user = shapes.user(call.books, login) | {"permissions": may, "role_name": role}
    return Answer(200, {"permission": _LEGACY.get(role, role), "role_name": role, "user": user})


def _team(call: Call) -> Team:
    team = call.books.teams.get((call.words["org"], call.words["slug"]))
    if team is None or call.token is None or (call.token.app is not None and not call.token.may("members", "read")):
        raise not_found()
    return team


async def membership(call: Call) -> Answer:
    team, login = _team(call), call.words["login"]
    if login not in team.members:
        raise not_found()
    url = f"{call.books.url}/orgs/{team.organisation}/teams/{team.slug}/memberships/{login}"
    return Answer(200, {"state": "active", "role": "member", "url": url})


async def members(call: Call) -> Answer:
    return call.page([shapes.user(call.books, login) for login in _team(call).members])


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission", permission),
    Route("GET", "/orgs/{org}/teams/{slug}/memberships/{login}", membership),
    Route("GET", "/orgs/{org}/teams/{slug}/members", members),
)
