"""What does Slack's Web API answer? The methods a bot calls, on top of the workspace, and their failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.model import Channel, Json, Person, SlackError, View
from bot.sandbox.slack.workspace import TEXT_MAX, Workspace

PAGE = 200
"""Entries in one answer of a list method that was not told a limit."""

Method = Callable[[Json], Json]


class WebApi:
    """Answers `POST|GET <base>/api/<method>` and `POST <base>/response/<secret>`.

    `socket_url` gives a new single-use WebSocket URL, for `apps.connections.open`.
    """

    def __init__(
        self, workspace: Workspace, faults: Faults, bot_token: str, app_token: str, socket_url: Callable[[], str]
    ) -> None:
        self._workspace = workspace
        self._faults = faults
        self._bot_token = bot_token
        self._app_token = app_token
        self._socket_url = socket_url
        self._methods: dict[str, Method] = {
            "api.test": lambda _: {},
            "apps.connections.open": lambda _: {"url": self._socket_url()},
            "auth.test": self._auth_test,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "conversations.info": self._conversation,
            "conversations.list": self._conversations,
            "conversations.members": self._conversation_members,
            "conversations.open": self._open_direct,
            "usergroups.list": self._groups,
            "usergroups.users.list": self._group_members,
            "users.info": self._user,
            "users.list": self._users,
            "views.open": self._views_open,
            "views.publish": self._views_publish,
            "views.push": self._views_push,
            "views.update": self._views_update,
        }

    # --- over HTTP --------------------------------------------------------------------------------------------------

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One API call."""
        method = request.match_info["method"]
        try:
            arguments = await _arguments(request)
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_json"})
        token = str(arguments.pop("token", "") or "")
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = credentials.strip()
        failed = await self._failure(method)
        if failed is not None:
            return failed
        answer = self._answer(method, token, arguments)
        if self._faults.take("lost_reply", method):
            return _drop(request)
        return web.json_response(answer)

    async def respond(self, request: web.Request) -> web.Response:
        """Something posted to a response URL."""
        try:
            answer = json.loads(await request.text())
            if not isinstance(answer, dict):
                return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
            self._workspace.respond(request.match_info["name"], answer)
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        except SlackError as error:
            return web.json_response(_refusal(error), status=404 if error.code.endswith("_url") else 400)
        return web.json_response({"ok": True})

    async def _failure(self, method: str) -> web.Response | None:
        stall = self._faults.take("api_stall", method)
        if stall is not None:
            await asyncio.sleep(stall.number("seconds", 10))
        if self._faults.take("api_error", method):
            return web.json_response({"ok": False, "error": "internal_error"}, status=500)
        limited = self._faults.take("ratelimited", method)
        if limited is not None:
            after = str(int(limited.number("seconds", 1)))
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": after})
        if self._faults.take("token_revoked", method):
            return web.json_response({"ok": False, "error": "token_revoked"})
        expired = self._faults.take("trigger_expired", method)
        if expired is not None:
            return web.json_response({"ok": False, "error": expired.word("error", "expired_trigger_id")})
        return None

    def _answer(self, method: str, token: str, arguments: Json) -> Json:
        try:
            self._check(method, token)
            return {"ok": True, **self._methods[method](arguments)}
        except SlackError as error:
            return _refusal(error)

    def _check(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if method not in self._methods:
            raise SlackError("unknown_method", req_method=method)
        if token not in (self._bot_token, self._app_token):
            raise SlackError("invalid_auth")
        wanted = self._app_token if method == "apps.connections.open" else self._bot_token
        if token != wanted:
            raise SlackError("not_allowed_token_type")

    # --- methods ----------------------------------------------------------------------------------------------------

    def _auth_test(self, _: Json) -> Json:
        team = self._workspace.team
        return {
            "url": f"https://{team.domain}.slack.com/",
            "team": team.name,
            "team_id": team.id,
            "user": team.bot_name,
            "user_id": team.bot_user,
            "bot_id": team.bot_id,
            "is_enterprise_install": False,
        }

    def _post_message(self, arguments: Json) -> Json:
        channel = self._workspace.channel_for_bot(arguments.get("channel"))
        text = str(arguments.get("text") or "")
        metadata = arguments.get("metadata")
        message = self._workspace.write(
            channel,
            self._workspace.team.bot_user,
            text,
            arguments.get("blocks"),
            thread=arguments.get("thread_ts"),
            metadata=metadata if isinstance(metadata, dict) else None,
            broadcast=_true(arguments.get("reply_broadcast")),
        )
        shown: Json = {"channel": channel.id, "ts": message.ts, "message": message.as_json(self._workspace.team)}
        if len(text) > TEXT_MAX:
            shown["warning"] = "message_truncated"
        return shown

    def _update(self, arguments: Json) -> Json:
        channel = self._workspace.channel_for_bot(arguments.get("channel"))
        message = self._workspace.rewrite(channel, arguments.get("ts"), arguments.get("text"), arguments.get("blocks"))
        if isinstance(arguments.get("metadata"), dict):
            message.metadata = arguments["metadata"]
        return {
            "channel": channel.id,
            "ts": message.ts,
            "text": message.text,
            "message": message.as_json(self._workspace.team),
        }

    def _post_ephemeral(self, arguments: Json) -> Json:
        channel = self._workspace.channel_for_bot(arguments.get("channel"))
        user = arguments.get("user")
        if user not in channel.members:
            raise SlackError("user_not_in_channel")
        message = self._workspace.write(
            channel,
            self._workspace.team.bot_user,
            str(arguments.get("text") or ""),
            arguments.get("blocks"),
            thread=arguments.get("thread_ts"),
            ephemeral_to=user,
        )
        return {"message_ts": message.ts}

    def _delete(self, arguments: Json) -> Json:
        channel = self._workspace.channel_for_bot(arguments.get("channel"))
        self._workspace.delete(channel, arguments.get("ts"))
        return {"channel": channel.id, "ts": arguments.get("ts")}

    def _open_direct(self, arguments: Json) -> Json:
        users = str(arguments.get("users") or "")
        if users not in self._workspace.people:
            raise SlackError("user_not_found")
        return {"channel": {"id": self._workspace.direct(users).id}}

    def _conversation(self, arguments: Json) -> Json:
        return {"channel": self._channel(arguments).as_json(self._workspace.team.bot_user)}

    def _conversations(self, arguments: Json) -> Json:
        bot = self._workspace.team.bot_user
        kinds = str(arguments.get("types") or "public_channel").split(",")
        shown = [
            channel.as_json(bot)
            for channel in self._workspace.channels.values()
            if ("im" if channel.is_direct else "public_channel") in kinds
            and not (channel.is_archived and _true(arguments.get("exclude_archived")))
        ]
        return _page("channels", shown, arguments)

    def _conversation_members(self, arguments: Json) -> Json:
        return _page("members", sorted(self._channel(arguments).members), arguments)

    def _channel(self, arguments: Json) -> Channel:
        channel = self._workspace.channels.get(str(arguments.get("channel")))
        if channel is None:
            raise SlackError("channel_not_found")
        return channel

    def _user(self, arguments: Json) -> Json:
        person = self._workspace.people.get(str(arguments.get("user")))
        if person is None:
            raise SlackError("user_not_found")
        return {"user": self._shown(person, arguments)}

    def _users(self, arguments: Json) -> Json:
        return _page("members", [self._shown(p, arguments) for p in self._workspace.people.values()], arguments)

    def _shown(self, person: Person, arguments: Json) -> Json:
        locale = {"locale": "en-GB"} if _true(arguments.get("include_locale")) else {}
        return person.as_json(self._workspace.team) | locale

    def _groups(self, arguments: Json) -> Json:
        shown = []
        for group in self._workspace.groups.values():
            if group.disabled and not _true(arguments.get("include_disabled")):
                continue
            users = {"users": list(group.members)} if _true(arguments.get("include_users")) else {}
            shown.append(group.as_json(self._workspace.team) | users)
        return {"usergroups": shown}

    def _group_members(self, arguments: Json) -> Json:
        group = self._workspace.groups.get(str(arguments.get("usergroup")))
        if group is None or (group.disabled and not _true(arguments.get("include_disabled"))):
            raise SlackError("no_such_subteam")
        return {"users": list(group.members)}

    def _views_open(self, arguments: Json) -> Json:
        return self._seen(self._workspace.open_view(self._workspace.spend(_trigger(arguments)), arguments.get("view")))

    def _views_push(self, arguments: Json) -> Json:
        return self._seen(self._workspace.push_view(self._workspace.spend(_trigger(arguments)), arguments.get("view")))

    def _views_update(self, arguments: Json) -> Json:
        identity, external = arguments.get("view_id"), arguments.get("external_id")

        def found(view: View) -> bool:
            return view.id == identity if identity else bool(external) and view.body.get("external_id") == external

        return self._seen(self._workspace.update_view(found, arguments.get("view"), arguments.get("hash")))

    def _views_publish(self, arguments: Json) -> Json:
        user, view = arguments.get("user_id"), arguments.get("view")
        return self._seen(self._workspace.publish(user, view, arguments.get("hash")))

    def _seen(self, view: View) -> Json:
        return {"view": view.as_json(self._workspace.team)}


async def _arguments(request: web.Request) -> Json:
    """Query, then body, form or JSON; parts that are JSON in a form are parsed. Raises ValueError."""
    arguments: Json = dict(request.query)
    if request.content_type == "application/json":
        body = json.loads(await request.text() or "{}")
        if not isinstance(body, dict):
            raise ValueError("not an object")
        return arguments | body
    arguments |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    for key in ("blocks", "view", "metadata", "attachments"):
        if isinstance(arguments.get(key), str):
            arguments[key] = json.loads(arguments[key])
    return arguments


def _trigger(arguments: Json) -> object:
    return arguments.get("trigger_id") or arguments.get("interactivity_pointer")


def _true(value: object) -> bool:
    return value in (True, "true", "True", "1", 1)


def _page(name: str, entries: list[Json] | list[str], arguments: Json) -> Json:
    try:
        start, limit = int(arguments.get("cursor") or 0), int(arguments.get("limit") or PAGE)
    except ValueError as error:
        raise SlackError("invalid_cursor") from error
    end = start + max(limit, 1)
    return {
        name: entries[start:end],
        "response_metadata": {"next_cursor": str(end) if end < len(entries) else ""},
    }


def _refusal(error: SlackError) -> Json:
    details: Json = {"response_metadata": {"messages": list(error.messages)}} if error.messages else {}
    return {"ok": False, "error": error.code, **error.extra, **details}


def _drop(request: web.Request) -> web.Response:
    """The connection goes away without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
