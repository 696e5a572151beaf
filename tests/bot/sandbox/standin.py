"""A stand-in bot: checks signatures with Slack's own verifier, writes down what it hears, answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.world import SlackWorld, acme

SECRET = "a-signing-secret"
TOKEN = "xoxb-standin"
APP_TOKEN = "xapp-standin"
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
BUTTONS: list[dict[str, Any]] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*checkout* is waiting"}},
    {
        "type": "actions",
        "block_id": "votes",
        "elements": [
            {
                "type": "button",
                "action_id": "approve",
                "text": {"type": "plain_text", "text": "Approve"},
                "value": "op-1",
            },
            {
                "type": "button",
                "action_id": "reject",
                "text": {"type": "plain_text", "text": "Reject"},
                "style": "danger",
            },
        ],
    },
]
MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "rejecting",
    "title": {"type": "plain_text", "text": "Reject"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "close": {"type": "plain_text", "text": "Not yet"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Why?"},
            "element": {"type": "plain_text_input", "action_id": "text", "multiline": True},
        },
        {
            "type": "input",
            "block_id": "until",
            "optional": True,
            "label": {"type": "plain_text", "text": "Until"},
            "element": {
                "type": "static_select",
                "action_id": "pick",
                "options": [
                    {"text": {"type": "plain_text", "text": "Tomorrow"}, "value": "P1D"},
                    {"text": {"type": "plain_text", "text": "Next week"}, "value": "P1W"},
                ],
            },
        },
    ],
}

Answer = Callable[[dict[str, Any]], Awaitable[Any]]


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at

    def advance(self, span: timedelta) -> None:
        self._at += span


class StandIn:
    """What it heard stands in `heard`, with the headers in `headers`; `answers` says what it does about it."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: Answer = self._nothing
        self.news = asyncio.Event()
        self._verifier = SignatureVerifier(SECRET)

    async def _nothing(self, payload: dict[str, Any]) -> Any:
        return None

    async def hear(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if not self._verifier.is_valid_request(raw, dict(request.headers)):
            return web.Response(status=401)
        if request.content_type == "application/json":
            payload = json.loads(raw)
        else:
            payload = dict(parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True))
            payload = json.loads(payload["payload"]) if "payload" in payload else payload
        self.heard.append(payload)
        self.headers.append({key.lower(): value for key, value in request.headers.items()})
        self.news.set()
        answer = await self.answers(payload)
        if isinstance(answer, web.Response):
            return answer
        if answer is None:
            return web.Response()
        return web.Response(text=answer) if isinstance(answer, str) else web.json_response(answer)

    async def heard_of(self, count: int) -> None:
        """Returns when it heard that much."""
        async with asyncio.timeout(120):
            while len(self.heard) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The URL, on loopback."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def workspace(clock: SetClock) -> AsyncIterator[tuple[SlackWorld, StandIn, AsyncWebClient]]:
    """The workspace of the story, a stand-in bot bound to it, and the client the bot uses."""
    bot = StandIn()
    app = web.Application()
    app.router.add_post("/slack/events", bot.hear)
    world = acme(clock, signing_secret=SECRET, bot_token=TOKEN, app_token=APP_TOKEN, event_retries=(0.0, 0.0, 0.0))
    async with serving(app) as url:
        await world.start()
        try:
            world.bind(url)
            yield world, bot, AsyncWebClient(token=TOKEN, base_url=world.api_url, timeout=10)
        finally:
            await world.stop()
