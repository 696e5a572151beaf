"""A small true Slack for the seams: what was posted, whispered, opened and published, and who is who."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.people import SlackPeople
from bot.slack_in import Installed, SlackIn, endpoint
from bot.slack_out import SlackChat, slack_client
from bot.web import QUIETLY, web_app
from commands.ports import Request
from commands.reply import Reply
from policy.document import ActivePolicy, Policy

TEAM, BOT = "T0ACME", "U0RELBOT"
SECRET, OLD_SECRET = "a-signing-secret", "the-one-before"
MAYA = f"slack:{TEAM}/U0MAYA"

POLICY = Policy.model_validate(
    {
        "policy": 1,
        "name": "story",
        "workspace": TEAM,
        "people": {
            "maya": {"slack": "U0MAYA"},
            "omar": {"slack": "U0OMAR"},
            "raj": {"slack": "U0RAJ"},
            "gus": {"slack": "U0GUS"},
            "offline": {"github": "offline-gh"},
        },
        "roles": {
            "engineer": {"members": ["slack:group/S0ENG"]},
            "release_manager": {"members": ["omar", "gus", "offline"]},
            "tech_lead": {"members": ["slack:group/S0TECHLEAD", "omar"]},
        },
        "may": {"promote": ["engineer"]},
        "environments": {"stage": {"rank": 1}, "prod": {"rank": 2}},
        "services": {
            "checkout": {"repository": "acme/checkout", "cloud_run": {"prod": "acme-prod/europe-west1/checkout"}}
        },
        "paths": [{"from": "stage", "to": "prod"}],
    }
)


class InForce:
    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy

    def current(self) -> ActivePolicy:
        return ActivePolicy(policy=self.policy, hash="0" * 64)


@dataclass
class SetClock:
    at: datetime = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Ledger:
    """An ear with a ledger that can be broken or slow."""

    requests: dict[str, tuple[Request, bool]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    takes: int = 0
    fault: Exception | None = None
    stuck: asyncio.Event | None = None
    known: frozenset[str] = frozenset({"promote", "approve", "reject", "status", "rollback"})

    def hear(self, words: str) -> Reply | None:
        self.heard.append(words)
        if words in {"", "help"}:
            return Reply("I know promote, rollback and status.")
        return (
            None if words.split(maxsplit=1)[0] in self.known else Reply(f"I do not know {words.split(maxsplit=1)[0]}.")
        )

    async def take(self, request: Request, answered: bool) -> bool:
        self.takes += 1
        if self.stuck is not None:
            await self.stuck.wait()
        if self.fault is not None:
            raise self.fault
        if request.id in self.requests:
            return False
        self.requests[request.id] = (request, answered)
        return True

    @property
    def words(self) -> list[str]:
        return [request.words for request, _ in self.requests.values()]

    @property
    def only(self) -> Request:
        ((request, _),) = self.requests.values()
        return request


def user(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "team_id": TEAM, "name": id.lower(), "deleted": False, "is_bot": False, **more}


@dataclass
class Slack:
    """What became of the workspace."""

    messages: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    whispers: list[dict[str, Any]] = field(default_factory=list)
    responded: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    absent_from: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)
    faults: dict[str, list[web.Response | asyncio.Event]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    acks: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self.api)
        app.router.add_post("/respond/{key}", self.respond)
        app.router.add_get("/socket", self.socket)
        return app

    async def api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls.append(method)
        if self.faults.get(method):
            match self.faults[method].pop(0):
                case asyncio.Event() as event:
                    await event.wait()
                case fault:
                    return fault
        given = dict(request.query)
        if request.content_type == "application/json":
            given |= await request.json()
        else:
            given |= {key: str(value) for key, value in (await request.post()).items()}
        answer = getattr(self, method.replace(".", "_"))(given)
        return web.json_response({"ok": "error" not in answer, **answer})

    def auth_test(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"team_id": TEAM, "user_id": BOT, "bot_id": "B0RELBOT"}

    def chat_postMessage(self, given: dict[str, Any]) -> dict[str, Any]:
        ts = f"1795510800.{len(self.messages):06}"
        self.messages[given["channel"], ts] = given
        return {"ts": ts}

    def chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        key = (given["channel"], given["ts"])
        if key not in self.messages:
            return {"error": "message_not_found"}
        self.messages[key] = given
        return {"ts": given["ts"]}

    def chat_postEphemeral(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["channel"] in self.absent_from:
            return {"error": "not_in_channel"}
        self.whispers.append(given)
        return {"message_ts": "1.1"}

    def views_open(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["trigger_id"] in self.spent:
            return {"error": "exchanged_trigger_id"}
        self.spent.add(given["trigger_id"])
        view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
        self.views.append({"id": f"V{len(self.views)}", "hash": "1.h", **view})
        return {"view": self.views[-1]}

    def views_publish(self, given: dict[str, Any]) -> dict[str, Any]:
        self.homes[given["user_id"]] = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
        return {}

    def users_info(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.users.get(given["user"])
        return {"user": found} if found else {"error": "user_not_found"}

    def users_list(self, given: dict[str, Any]) -> dict[str, Any]:
        """A hundred on each page, whatever was asked for."""
        begin = int(given.get("cursor") or 0)
        everybody = list(self.users.values())
        more = str(begin + 100) if begin + 100 < len(everybody) else ""
        return {"members": everybody[begin : begin + 100], "response_metadata": {"next_cursor": more}}

    def usergroups_users_list(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.groups.get(given["usergroup"])
        return {"users": found} if found is not None else {"error": "no_such_subteam"}

    def apps_connections_open(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"url": f"{self.address}socket".replace("http://", "ws://")}

    async def respond(self, request: web.Request) -> web.Response:
        self.responded.append(await request.json())
        return web.json_response({"ok": True})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self.connected.set()
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self.acks.put(json.loads(message.data))
        return socket


def error(word: str, status: int = 200, **headers: str) -> web.Response:
    return web.json_response(
        {"ok": False, "error": word}, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def signature(secret: str, timestamp: str, raw: bytes) -> str:
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + raw, hashlib.sha256).hexdigest()


_once = iter(range(10**9))


def command(text: str, user: str = "U0MAYA", **more: str) -> dict[str, str]:
    return {
        "token": "legacy",
        "team_id": TEAM,
        "team_domain": "acme",
        "channel_id": "C0RELEASES",
        "channel_name": "releases",
        "user_id": user,
        "user_name": user.lower(),
        "command": "/release",
        "text": text,
        "api_app_id": "A0RELBOT",
        "response_url": "",
        "trigger_id": f"trigger-{next(_once)}",
        **more,
    }


def click(says: str, user: str = "U0MAYA", *, action_id: str = "", team: str = TEAM, **more: Any) -> dict[str, Any]:
    number = next(_once)
    return {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "acme"},
        "user": {"id": user, "username": user.lower(), "team_id": team},
        "api_app_id": "A0RELBOT",
        "container": {
            "type": "message",
            "message_ts": "1795510800.000001",
            "channel_id": "C0CHECKOUT",
            "is_ephemeral": False,
        },
        "channel": {"id": "C0CHECKOUT", "name": "checkout"},
        "message": {"ts": "1795510800.000001", "text": "checkout is waiting."},
        "trigger_id": f"trigger-{number}",
        "response_url": "",
        "actions": [
            {
                "type": "button",
                "action_id": action_id or says.split(maxsplit=1)[0],
                "block_id": "b",
                "value": says,
                "text": {"type": "plain_text", "text": says.split(maxsplit=1)[0].capitalize()},
                "action_ts": f"1795510801.{number % 10**6:06}",
            }
        ],
        **more,
    }


def submission(view: dict[str, Any], *filled: str, user: str = "U0MAYA") -> dict[str, Any]:
    """The modal sent with these in its inputs, in order."""
    values: dict[str, Any] = {}
    for block, text in zip((block for block in view["blocks"] if block["type"] == "input"), filled, strict=True):
        element = block["element"]
        if element["type"] == "static_select":
            chosen = next((option for option in element["options"] if option["value"] == text), None)
            state = {"type": "static_select", "selected_option": chosen}
        else:
            state = {"type": "plain_text_input", "value": text or None}
        values[block["block_id"]] = {element["action_id"]: state}
    return {
        "type": "view_submission",
        "team": {"id": TEAM},
        "user": {"id": user, "team_id": TEAM},
        "view": {**view, "state": {"values": values}},
    }


def event(inner: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "api_app_id": "A0RELBOT",
        "event_id": f"Ev{next(_once)}",
        "authorizations": [{"team_id": TEAM, "user_id": BOT, "is_bot": True}],
        "event": inner,
        **more,
    }


def mention(text: str, user: str = "U0MAYA", **more: Any) -> dict[str, Any]:
    return {
        "type": "app_mention",
        "user": user,
        "team": TEAM,
        "text": text,
        "ts": "1795510900.000100",
        "channel": "C0CHECKOUT",
        **more,
    }


@dataclass
class Bench:
    """The real app behind real HTTP, with an ear, and a small Slack to talk to."""

    ear: Ledger
    slack: Slack
    slack_in: SlackIn
    chat: SlackChat
    people: SlackPeople
    clock: SetClock
    http: TestClient[web.Request, web.Application]

    async def raw(
        self,
        body: bytes,
        *,
        secret: str = SECRET,
        ts: str = "",
        headers: dict[str, str] | None = None,
        ctype: str = "application/x-www-form-urlencoded",
    ) -> tuple[int, bytes]:
        ts = ts or str(int(time.time()))
        sent = {
            "Content-Type": ctype,
            "X-Slack-Request-Timestamp": ts,
            "X-Slack-Signature": signature(secret, ts, body),
            **(headers or {}),
        }
        async with self.http.post(
            "/slack/events", data=body, headers={k: v for k, v in sent.items() if v != "-"}
        ) as answer:
            return answer.status, await answer.read()

    async def form(self, body: dict[str, str], **more: Any) -> tuple[int, Any]:
        status, answer = await self.raw(urlencode(body).encode(), **more)
        return status, json.loads(answer) if answer else None

    async def interact(self, body: dict[str, Any], **more: Any) -> tuple[int, Any]:
        return await self.form({"payload": json.dumps(body)}, **more)

    async def events(self, body: dict[str, Any], **more: Any) -> tuple[int, Any]:
        status, answer = await self.raw(json.dumps(body).encode(), ctype="application/json", **more)
        return status, json.loads(answer) if answer else None

    async def settled(self) -> None:
        await asyncio.wait_for(self.slack_in.quiet(), 60)


@asynccontextmanager
async def bench(policy: Policy = POLICY, **installed: str) -> AsyncIterator[Bench]:
    slack = Slack(
        users={
            "U0MAYA": user("U0MAYA", profile={"display_name": "maya"}),
            "U0OMAR": user("U0OMAR"),
            "U0RAJ": user("U0RAJ"),
            "U0GUS": user("U0GUS", is_restricted=True),
        },
        groups={"S0ENG": ["U0MAYA", "U0OMAR", "U0LOOSE"], "S0TECHLEAD": ["U0RAJ"]},
    )
    ear, clock = Ledger(), SetClock()

    async def home(account: str) -> Reply:
        return Reply(f"Nothing waits for {account}.")

    async def ready() -> dict[str, bool | str]:
        return {"ledger": True}

    async with TestServer(slack.app()) as server, aiohttp.ClientSession() as session:
        slack.address = str(server.make_url("/"))
        client = slack_client("xoxb-made-up", session, slack.address + "api/")
        chat = SlackChat(client)
        people = SlackPeople(client, InForce(policy), clock)
        slack_in = SlackIn(
            ear=ear,
            chat=chat,
            client=client,
            clock=clock,
            home=home,
            people=people,
            default_channel="C0RELEASES",
            installed=replace(Installed(TEAM, BOT, "B0RELBOT"), **installed),
        )
        app = web_app(endpoint(slack_in, [SECRET, OLD_SECRET]), ready, lambda: "up 1\n")
        served = TestServer(app)
        await served.start_server(**QUIETLY)
        async with TestClient(served) as http:
            yield Bench(ear, slack, slack_in, chat, people, clock, http)
        await slack_in.close()
