"""Who is that, right now? Slack's word on accounts and groups, read against the policy in force; it fails closed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, NoReturn, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack_out import error_of, for_reading, translated
from commands.errors import Rejected, Unavailable
from commands.ports import Clock, PolicyInForce
from policy.document import Policy
from policy.model import AccountKind, Human, Person

USER_LASTS = timedelta(seconds=30)
GROUP_LASTS = timedelta(seconds=60)
"""Ours. usergroups.users.list may be asked 20 times a minute (tier 2).  https://docs.slack.dev/apis/web-api/rate-limits"""
MANY = 25
"""Ours: more people than that are looked up in the list of everybody (tier 2, by the page), not one by one (tier 4)."""
PAGE = 1000  # https://docs.slack.dev/reference/methods/users.list#arguments
ANSWER_SECONDS = 5.0

_ACCOUNT = re.compile(r"slack:(?P<team>[TE][A-Z0-9]+)/(?P<user>[A-Z0-9]+)")
_GROUP = "slack:group/"
_NOBODY = frozenset({"no_such_subteam", "subteam_disabled"})
_UNKNOWN_USER = frozenset({"user_not_found", "user_not_visible", "users_not_found"})

T = TypeVar("T")


class _Remembered(Generic[T]):
    """What was fetched lately, by id. However many ask at once, it is fetched once; failures are not remembered."""

    def __init__(self, fetch: Callable[[str], Awaitable[T]], lasts: timedelta, clock: Clock) -> None:
        self._fetch = fetch
        self._lasts = lasts
        self._clock = clock
        self._known: dict[str, tuple[datetime, T]] = {}
        self._under_way: dict[str, asyncio.Task[T]] = {}

    async def get(self, id: str) -> T:
        if (known := self._known.get(id)) is not None:
            age = self._clock.now() - known[0]
            if timedelta(0) <= age < self._lasts:  # a clock that was set back makes nothing younger
                return known[1]
        task = self._under_way.get(id)
        if task is None:
            task = self._under_way[id] = asyncio.ensure_future(self._fetch_and_keep(id))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)  # one asker who gives up must not fail the others

    async def _fetch_and_keep(self, id: str) -> T:
        me, asked_at = asyncio.current_task(), self._clock.now()
        try:
            found = await self._fetch(id)
            if self._under_way.get(id) is me:  # else it was forgotten meanwhile: good for who asked before, no more
                self._known[id] = (asked_at, found)
            return found
        finally:
            if self._under_way.get(id) is me:
                del self._under_way[id]

    def forget(self, id: str) -> None:
        self._known.pop(id, None)
        self._under_way.pop(id, None)


def _looked_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # whoever still waits gets it; if nobody does, there is nobody to tell


class SlackPeople:
    """`commands.ports.People` on Slack's users and user groups."""

    def __init__(self, client: AsyncWebClient, policies: PolicyInForce, clock: Clock) -> None:
        self._client = for_reading(client)
        self._policies = policies
        self._users = _Remembered(self._fetch_user, USER_LASTS, clock)
        self._groups = _Remembered(self._fetch_group, GROUP_LASTS, clock)
        self._linked = _Remembered(self._fetch_linked, USER_LASTS, clock)
        """Under the workspace: everybody whom the policy knows."""

    async def person(self, account: str) -> Person:
        """Who that is now. `Rejected`: Slack knows no such account. `Unavailable`: it cannot be told now."""
        found = _ACCOUNT.fullmatch(account)
        if found is None:
            raise Rejected(f"{account[:80]} is no Slack account.")
        policy = self._policies.current().policy
        if found["team"] != policy.workspace and not policy.workspace.startswith("E"):
            return Person(account, None, found["user"], AccountKind.STRANGER)
        return await self._person(account, found["user"], policy)

    async def holders(self, roles: Sequence[str]) -> Mapping[Human, Person]:
        """Everybody with a Slack account who holds one of these roles now: active people of this workspace."""
        policy = self._policies.current().policy
        wanted = {member for role in roles if role in policy.roles for member in policy.roles[role].members}
        slack = {entry.slack: name for name, entry in policy.people.items() if entry.slack}
        members = await self._members(policy)
        users = {user for user, name in slack.items() if name in wanted}
        users |= {user for group in wanted & members.keys() for user in members[group] if user in slack}
        told = await self._linked.get(policy.workspace) if len(users) > MANY else {}
        people = await asyncio.gather(*(self._holder(user, told.get(user), policy) for user in sorted(users)))
        return {
            person.human: person
            for person in people
            if person is not None and person.human is not None and person.roles & set(roles)
        }

    async def _holder(self, user: str, told: dict[str, Any] | None, policy: Policy) -> Person | None:
        try:
            return await self._person(f"slack:{policy.workspace}/{user}", user, policy, told)
        except Rejected:
            return None  # the policy names an account that Slack does not know any more

    async def _person(self, account: str, user: str, policy: Policy, told: dict[str, Any] | None = None) -> Person:
        told = told or await self._users.get(user)
        kind = _kind(user, told, policy.workspace)
        active = told.get("deleted") is False and not told.get("is_invited_user")
        human = policy.human_with_slack(user) if kind is AccountKind.HUMAN else None
        roles = await self._roles(user, human, policy) if active and kind is AccountKind.HUMAN else frozenset[str]()
        return Person(account, human, _name(user, told), kind, active, roles)

    async def _roles(self, user: str, human: Human | None, policy: Policy) -> frozenset[str]:
        mine = {group for group, users in (await self._members(policy)).items() if user in users}
        if human is not None:
            mine.add(human)
        return frozenset(name for name, role in policy.roles.items() if not mine.isdisjoint(role.members))

    async def _members(self, policy: Policy) -> Mapping[str, frozenset[str]]:
        """Who is in each user group that a role names."""
        groups = sorted({m for role in policy.roles.values() for m in role.members if m.startswith(_GROUP)})
        lists = await asyncio.gather(*(self._groups.get(group.removeprefix(_GROUP)) for group in groups))
        return dict(zip(groups, lists, strict=True))

    def forget_user(self, user: str) -> None:
        """Slack told us that this account changed."""
        self._users.forget(user)
        self._linked.forget(self._policies.current().policy.workspace)

    def forget_group(self, group: str) -> None:
        """Slack told us that this group changed."""
        self._groups.forget(group)

    async def _fetch_user(self, user: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._client.users_info(user=user)
            told = answer["user"]
        except SlackApiError as error:
            if error_of(error) in _UNKNOWN_USER:
                raise Rejected("Slack knows no such account.") from error
            _closed(error, "who that is")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
            _closed(error, "who that is")
        if not isinstance(told, dict) or told.get("id") != user:
            raise Unavailable("Slack did not say who that is.")
        return told

    async def _fetch_linked(self, _workspace: str) -> dict[str, dict[str, Any]]:
        """What Slack says of each account that the policy links to somebody."""
        linked = {entry.slack for entry in self._policies.current().policy.people.values()}
        found: dict[str, dict[str, Any]] = {}
        cursor = ""
        try:
            while True:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await self._client.users_list(limit=PAGE, cursor=cursor or None)
                found |= {told["id"]: told for told in answer["members"] if told["id"] in linked}
                cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    return found
        except SlackApiError as error:
            _closed(error, "who people are")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            _closed(error, "who people are")

    async def _fetch_group(self, group: str) -> frozenset[str]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._client.usergroups_users_list(usergroup=group)
            users = answer["users"]
        except SlackApiError as error:
            if error_of(error) in _NOBODY:
                return frozenset()  # a group that is switched off gives nobody a role
            _closed(error, "who is in a user group")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
            _closed(error, "who is in a user group")
        if not isinstance(users, list):
            raise Unavailable("Slack did not say who is in a user group.")
        return frozenset(user for user in users if isinstance(user, str))


def _closed(error: Exception, what: str) -> NoReturn:
    """Not knowing is never a yes, and a missing scope of ours is no answer about anybody."""
    try:
        translated(error, what, repeatable=True)
    except Rejected as refused:
        raise Unavailable(f"Slack did not tell us {what}.") from refused


def _kind(user: str, told: Mapping[str, Any], workspace: str) -> AccountKind:
    at_home = {told.get("team_id")}
    enterprise = told.get("enterprise_user")
    if isinstance(enterprise, dict):
        at_home |= {enterprise.get("enterprise_id")}
    # is_stranger is false for outsiders who share a channel with us, so the workspace is compared as well
    if workspace not in at_home or told.get("is_stranger"):
        return AccountKind.STRANGER
    if user == "USLACKBOT" or any(told.get(flag) for flag in ("is_bot", "is_app_user", "is_workflow_bot")):
        return AccountKind.BOT
    if told.get("is_restricted") or told.get("is_ultra_restricted"):
        return AccountKind.GUEST
    return AccountKind.HUMAN


def _name(user: str, told: Mapping[str, Any]) -> str:
    profile = told.get("profile")
    names = (profile.get("display_name"), profile.get("real_name")) if isinstance(profile, dict) else ()
    return next(
        (n for n in (*names, told.get("real_name"), told.get("name")) if isinstance(n, str) and n.strip()), user
    )
