"""How is what guards a branch relaxed, and put back as it was? The port `Protections`.

Rulesets are replaced whole by REST. Classic protection is read and changed by GraphQL: REST neither shows all of it nor
takes back what it shows, and there only what differs is sent, so that nothing else is touched.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from bot.github.connection import Connection
from bot.github.credentials import Access
from bot.github.names import part, ref_path
from bot.github.pace import StoodStill
from bot.github.reading import read, read_all
from bot.github.refusal import Refusal
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Guard, Lease, Pull
from policy.agreement import Relaxes

if TYPE_CHECKING:
    from bot.github.client import Client

Json = dict[str, Any]

CLASSIC = "classic"
"""Name of the one guard that is classic protection."""
TAKEN = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")
"""What a ruleset is replaced by: https://docs.github.com/rest/repos/rules, "update a repository ruleset"."""
ADMIN = 5  # the predefined role: https://docs.github.com/rest/repos/rules, `actor_id` of a `RepositoryRole`
ANY_APP = "any"  # https://docs.github.com/graphql/reference/input-objects, `RequiredStatusCheckInput`
VERSIONS_MAX = 20
"""Newest versions of a ruleset that are looked at after a write."""

_SWITCHES = (
    "allowsDeletions",
    "allowsForcePushes",
    "blocksCreations",
    "dismissesStaleReviews",
    "isAdminEnforced",
    "lockAllowsFetchAndMerge",
    "lockBranch",
    "requireLastPushApproval",
    "requiredApprovingReviewCount",
    "requiredDeploymentEnvironments",
    "requiresApprovingReviews",
    "requiresCodeOwnerReviews",
    "requiresCommitSignatures",
    "requiresConversationResolution",
    "requiresDeployments",
    "requiresLinearHistory",
    "requiresStatusChecks",
    "requiresStrictStatusChecks",
    "restrictsPushes",
    "restrictsReviewDismissals",
)
_NAMED = (
    "bypassForcePushAllowances",
    "bypassPullRequestAllowances",
    "pushAllowances",
    "reviewDismissalAllowances",
)
"""Who may do what; we only compare these."""
_ON_CHECKS = frozenset({"requiredStatusChecks", "requiresStrictStatusChecks"})
_WHO = "actor { ... on User { id } ... on Team { id } ... on App { id } }"
_LISTS = " ".join(f"{name}(first: 100) {{ nodes {{ {_WHO} }} pageInfo {{ hasNextPage }} }}" for name in _NAMED)
_READ = (
    "query($owner: String!, $name: String!, $ref: String!) { repository(owner: $owner, name: $name) {"
    " ref(qualifiedName: $ref) { branchProtectionRule {"
    f" id pattern {' '.join(_SWITCHES)} requiredStatusChecks {{ context app {{ id }} }} {_LISTS}"
    " } } } }"
)
_CHANGE = (
    "mutation($in: UpdateBranchProtectionRuleInput!) { updateBranchProtectionRule(input: $in) { clientMutationId } }"
)


class _Rule(BaseModel):
    type: str
    ruleset_id: int
    ruleset_source_type: str = "Repository"
    ruleset_source: str = ""


class _Version(BaseModel):
    version_id: int


class _Comment(BaseModel):
    body: str | None = None


class _Base(BaseModel):
    ref: str


class _Pull(BaseModel):
    state: str
    merged: bool = False
    base: _Base


class GitHubProtections:
    """What guards branches on GitHub, as somebody who may change it; `None` for whom: nobody may here."""

    def __init__(self, connection: Connection | None, *, spoken: Connection, break_glass: int | None = None) -> None:
        """`connection`: as who may change rules. `spoken`: as who reads and remarks on pull requests.

        `break_glass`: id of the App that may be let past the rules.
        """
        self._connection, self._spoken, self._app = connection, spoken, break_glass

    # Reading --------------------------------------------------------------------------------------------------------

    async def guards(self, repository: str, branch: str) -> tuple[Guard, ...]:
        """All that guards the branch now; `Rejected` where some of it cannot be seen whole."""
        client = await self._client()
        listed = await client.pages(repository, f"/rules/branches/{ref_path(branch)}", access=Access.RELAX)
        rules = read_all(_Rule, listed)
        found: list[Guard] = []
        for id in dict.fromkeys(rule.ruleset_id for rule in rules):
            of_it = [rule for rule in rules if rule.ruleset_id == id]
            if of_it[0].ruleset_source_type == "Repository":
                found.append(await self._ruleset(client, repository, id))
            else:
                kinds = sorted({rule.type for rule in of_it})
                says = f"ruleset {id} of {of_it[0].ruleset_source or 'the organisation'}"
                found.append(Guard(f"ruleset {id}", says, {"rules": [{"type": kind} for kind in kinds]}, ours=False))
        return (*found, *await self._classic(client, repository, branch))

    async def again(self, repository: str, branch: str, guards: Sequence[Guard]) -> tuple[Guard, ...]:
        """The same ones as they stand now, each with its state, or without any where it is gone."""
        client = await self._client()
        found: list[Guard] = []
        for guard in guards:
            if guard.name == CLASSIC:
                now = await self._classic(client, repository, branch)
                found += now or (Guard(CLASSIC, guard.says, None),)
                continue
            try:
                found.append(await self._ruleset(client, repository, _id(guard)))
            except Refusal as refusal:
                if refusal.status != 404:
                    raise
                found.append(Guard(guard.name, guard.says, None))
        return tuple(found)

    async def _ruleset(self, client: Client, repository: str, id: int) -> Guard:
        said = await client.read(repository, f"/rulesets/{id}", Access.RELAX)
        if not isinstance(said, dict) or not {"name", "enforcement", "rules"} <= said.keys():
            raise Unavailable("GitHub's answer could not be understood.")
        if "bypass_actors" not in said:
            raise Rejected(f"GitHub does not show who may pass over ruleset {said['name']}; it is not changed unseen.")
        includes = ((said.get("conditions") or {}).get("ref_name") or {}).get("include") or ()
        for_what = ", ".join(str(one).removeprefix("refs/heads/") for one in includes)
        says = f"ruleset {said['name']}{f' (for {for_what})' if for_what else ''}"
        return Guard(f"ruleset {id}", says, {name: said[name] for name in TAKEN if name in said})

    async def _classic(self, client: Client, repository: str, branch: str) -> tuple[Guard, ...]:
        """The classic protection of the branch; none, where GitHub says so by both of its ways."""
        owner, _, name = repository.partition("/")
        ref_path(branch)
        asked = {"owner": owner, "name": name, "ref": f"refs/heads/{branch}"}
        said = await client.ask(repository, _READ, asked, Access.RELAX)
        ref = (said.get("repository") or {}).get("ref")
        if ref is None:
            raise Rejected(f"{repository} has no branch {branch}.")
        rule = ref.get("branchProtectionRule")
        if rule is not None:
            return (Guard(CLASSIC, f"the protection of {rule['pattern']}", _state_of(rule)),)
        try:
            await client.read(repository, f"/branches/{ref_path(branch)}/protection", Access.RELAX)
        except Refusal as refusal:
            if refusal.status == 404 and refusal.said == "Branch not protected":
                return ()
            raise
        raise Rejected(f"GitHub does not show all of what protects {branch}; it is not changed unseen.")

    async def newest(self, repository: str, guard: Guard) -> int:
        """Number of its newest version; 0 where GitHub keeps none."""
        return max(await self._versions(repository, guard), default=0)

    async def since(self, repository: str, guard: Guard, number: int) -> tuple[Guard, ...]:
        """How it stood in each version after that one, oldest first."""
        client, found = await self._client(), []
        for version in sorted(one for one in await self._versions(repository, guard) if one > number):
            said = await client.read(repository, f"/rulesets/{_id(guard)}/history/{version}", Access.RELAX)
            state = said.get("state") if isinstance(said, dict) else None
            if not isinstance(state, dict):
                raise Unavailable("GitHub's answer could not be understood.")
            kept = {name: state[name] for name in TAKEN if name in state}
            found.append(Guard(guard.name, f"{guard.says}, version {version}", kept))
        return tuple(found)

    async def _versions(self, repository: str, guard: Guard) -> list[int]:
        if guard.name == CLASSIC:
            return []
        client = await self._client()
        try:
            path = f"/rulesets/{_id(guard)}/history"
            said = await client.read(repository, path, Access.RELAX, per_page=str(VERSIONS_MAX))
        except Refusal as refusal:
            if refusal.status == 404:
                return []
            raise
        return [one.version_id for one in read_all(_Version, said)]

    async def pull(self, repository: str, number: int) -> Pull:
        """How that pull request stands."""
        client = await self._spoken.client()
        said = read(_Pull, await client.read(repository, f"/pulls/{number}", Access.PULL_REQUESTS))
        return Pull(said.base.ref, open=said.state == "open", merged=said.merged)

    # Relaxing -------------------------------------------------------------------------------------------------------

    def relaxed(self, guards: Sequence[Guard], what: Iterable[Relaxes]) -> tuple[Guard, ...]:
        """Those of them that have to change for that, as they will stand then; `Rejected` says why it cannot be."""
        now = tuple(guards)
        for one in what:
            asks = [guard for guard in guards if self._without(guard, one) != guard.state]
            if not asks:
                raise Rejected(f"Nothing that guards the branch asks for {one.says}; there is nothing to relax.")
            for guard in asks:
                if not guard.ours:
                    raise Rejected(f"{guard.says} asks for {one.says} as well, and cannot be changed here.")
            now = tuple(guard._replace(state=self._without(guard, one)) for guard in now)
        return tuple(after for guard, after in zip(guards, now, strict=True) if after.state != guard.state)

    def _without(self, guard: Guard, one: Relaxes) -> Json:
        state = copy.deepcopy(dict(guard.state or {}))
        if guard.name == CLASSIC:
            return _classic_without(guard, state, one)
        match one:
            case Relaxes.BREAK_GLASS if self._app is None:
                raise Rejected("No App is set up that could be let past the rules.")
            case Relaxes.BREAK_GLASS:
                _let_past(state, "Integration", self._app)
            case Relaxes.ADMINISTRATORS:
                _let_past(state, "RepositoryRole", ADMIN)
            case Relaxes.CHECKS:
                state["rules"] = [rule for rule in state["rules"] if rule["type"] != "required_status_checks"]
            case Relaxes.FORCE_PUSH:
                state["rules"] = [rule for rule in state["rules"] if rule["type"] != "non_fast_forward"]
            case Relaxes.UP_TO_DATE:
                _loosen(state, "required_status_checks", strict_required_status_checks_policy=False)
            case Relaxes.REVIEWS:
                asked = {"required_approving_review_count": 0, "require_code_owner_review": False}
                _loosen(state, "pull_request", **asked, require_last_push_approval=False)
        return state

    # Writing --------------------------------------------------------------------------------------------------------

    async def put(self, repository: str, seen: Guard, wanted: Guard, lease: Lease) -> None:
        """It stands as wanted, where it stood as seen a moment ago; sent only while the lease holds."""
        client = await self._client()
        if seen.state is None or wanted.state is None:
            raise Rejected(f"{wanted.says} is not there any more, and is not made again.")
        try:
            if wanted.name == CLASSIC:
                change = {"branchProtectionRuleId": seen.state["id"], **_changes(seen.state, wanted.state)}
                await client.change(repository, _CHANGE, {"in": change}, Access.RELAX, until=lease.ends)
            else:
                path, body = f"/rulesets/{_id(wanted)}", dict(wanted.state)
                await client.write(repository, path, body, method="PUT", access=Access.RELAX, until=lease.ends)
        except StoodStill as error:
            raise Unavailable("GitHub answers too slowly for a safe change; nothing was sent.") from error

    async def remark(self, repository: str, number: int, mark: str, text: str, lease: Lease) -> None:
        """The pull request bears one remark with that mark: found, or else made."""
        client = await self._spoken.client()
        path, hidden = f"/issues/{part(str(number))}/comments", f"<!-- {mark} -->"

        async def look() -> bool | None:
            listed = await client.pages(repository, path, access=Access.REMARKS)
            return True if any(hidden in (one.body or "") for one in read_all(_Comment, listed)) else None

        if await look():
            return
        try:
            body = {"body": f"{text}\n\n{hidden}"}
            await client.write(repository, path, body, access=Access.REMARKS, until=lease.ends)
        except OutcomeUnknown as lost:
            await self._spoken.looked(look, lost)
        except StoodStill as error:
            raise Unavailable("GitHub answers so slowly that nothing was sent.") from error

    async def _client(self) -> Client:
        if self._connection is None:
            raise Rejected("No App is set up that may change what guards a branch.")
        return await self._connection.client()


# In GitHub's words --------------------------------------------------------------------------------------------------


def _id(guard: Guard) -> int:
    return int(guard.name.removeprefix("ruleset "))


def _let_past(state: Json, kind: str, id: int | None) -> None:
    """That actor may merge by pull request whatever the rules say; whoever may already is left as they are."""
    if any(one.get("actor_type") == kind and one.get("actor_id") == id for one in state.get("bypass_actors", ())):
        return
    actor = {"actor_id": id, "actor_type": kind, "bypass_mode": "pull_request"}
    state["bypass_actors"] = [*state.get("bypass_actors", ()), actor]


def _loosen(state: Json, kind: str, **asked: object) -> None:
    """The rules of that kind ask for no more than that, where they ask for it at all."""
    for rule in state["rules"]:
        parameters = rule.get("parameters") or {}
        for name in asked.keys() & parameters.keys() if rule["type"] == kind else ():
            parameters[name] = asked[name]


def _classic_without(guard: Guard, state: Json, one: Relaxes) -> Json:
    reviews = {"requiredApprovingReviewCount": 0, "requiresCodeOwnerReviews": False, "requireLastPushApproval": False}
    match one:
        case Relaxes.BREAK_GLASS:
            raise Rejected(f"{guard.says} can let no App past its checks; relax administrators instead.")
        case Relaxes.ADMINISTRATORS:
            state["isAdminEnforced"] = False
        case Relaxes.CHECKS if state["requiresStatusChecks"]:
            state |= {"requiresStatusChecks": False, "requiresStrictStatusChecks": False, "requiredStatusChecks": []}
        case Relaxes.UP_TO_DATE:
            state["requiresStrictStatusChecks"] = False
        case Relaxes.FORCE_PUSH:
            state["allowsForcePushes"] = True
        case Relaxes.REVIEWS if state["requiresApprovingReviews"]:
            state |= reviews
    return state


def _state_of(rule: Mapping[str, Any]) -> Json:
    """All that GraphQL says of it; what hangs on a switch that is off is nothing."""
    state: Json = {"id": rule["id"], "pattern": rule["pattern"], **{name: rule[name] for name in _SWITCHES}}
    state["requiredDeploymentEnvironments"] = list(rule["requiredDeploymentEnvironments"] or ())
    checks = rule["requiredStatusChecks"] or ()  # in their order, in which they are put back
    state["requiredStatusChecks"] = [{"context": one["context"], "app": (one["app"] or {}).get("id")} for one in checks]
    if not state["requiresStatusChecks"]:
        state |= {"requiresStrictStatusChecks": False, "requiredStatusChecks": []}
    for name in _NAMED:
        if rule[name]["pageInfo"]["hasNextPage"]:
            raise Rejected(f"The protection of {rule['pattern']} names more people than are looked at.")
        state[name] = sorted(str((one["actor"] or {}).get("id", "")) for one in rule[name]["nodes"])
    return state


def _changes(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """What must be said to come from the one to the other, and no more."""
    changed = {name: wanted[name] for name in wanted if wanted[name] != seen.get(name)}
    if changed.keys() & {"id", "pattern", *_NAMED}:
        raise Rejected(f"The protection of {wanted['pattern']} differs in what is never changed here.")
    if not wanted["requiresStatusChecks"]:  # what hangs on that switch goes with it
        return {name: said for name, said in changed.items() if name not in _ON_CHECKS}
    if "requiredStatusChecks" in changed:
        checks = [{"context": one["context"], "appId": one["app"] or ANY_APP} for one in wanted["requiredStatusChecks"]]
        changed |= {"requiredStatusChecks": checks}
    return changed
