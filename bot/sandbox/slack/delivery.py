"""How does Slack reach the bot? Signed HTTP posts, or envelopes over a WebSocket; three seconds to answer either."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from bot.sandbox.slack.model import Json

ACK_WITHIN = 3.0  # seconds; https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
OK_FROM, OK_TO = 200, 300
SOCKETS_MOST = 10  # https://docs.slack.dev/apis/events-api/using-socket-mode#connections
COMMAND, INTERACTIVE, EVENT = "slash_commands", "interactive", "events_api"
"""The three kinds of delivery, by the name Socket Mode has for them."""


class NotAcked(Exception):
    """The bot did not take it in time; `reason` as in `X-Slack-Retry-Reason`. `final`: it asked not to be retried."""

    def __init__(self, reason: str, ms: float, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ms = ms
        self.final = final


@dataclass(frozen=True, slots=True)
class Ack:
    """The bot took it after `ms` milliseconds and said `body`: an object, or bare text."""

    ms: float
    body: Json | str


class Sockets:
    """The bot's open Socket Mode connections."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._open: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[Json | str]] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def ticket(self) -> str:
        """Lets one connection in, once."""
        ticket = secrets.token_urlsafe(12)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from hello to close."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or len(self._open) >= SOCKETS_MOST:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._open.append(socket)
        try:
            await socket.send_json(self._hello())
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    self._acked(message.data)
        finally:
            if socket in self._open:
                self._open.remove(socket)
        return socket

    async def send(self, kind: str, payload: Json, retry: tuple[int, str] | None) -> Json | str:
        """What the bot acknowledged with. Raises TimeoutError, ConnectionError."""
        if not self._open:
            raise ConnectionError("the bot has no connection")
        envelope: Json = {
            "envelope_id": secrets.token_hex(16),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != EVENT,
        }
        if kind == EVENT:
            number, reason = retry or (0, "")
            envelope |= {"retry_attempt": number, "retry_reason": reason}
        acked: asyncio.Future[Json | str] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = acked
        socket = self._open.pop(0)  # any connection may get it: take turns
        self._open.append(socket)
        try:
            await socket.send_json(envelope)
            return await asyncio.wait_for(acked, ACK_WITHIN)
        finally:
            self._waiting.pop(envelope["envelope_id"], None)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Every connection is told to come again, and gets nothing more."""
        for socket in list(self._open):
            self._open.remove(socket)
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}})
            await socket.close()

    async def close(self) -> None:
        for socket in list(self._open):
            await socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)

    def _acked(self, text: str) -> None:
        try:
            ack = json.loads(text)
        except ValueError:
            return
        if not isinstance(ack, dict):
            return
        waiting = self._waiting.get(str(ack.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(ack.get("payload") or "")

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "connection_info": {"app_id": self._app_id},
            "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
        }


class Delivery:
    """Sends to the bot: through its sockets when there are any, else to `<bot_url>/slack/events`."""

    def __init__(self, signing_secret: str, sockets: Sockets) -> None:
        self._secret = signing_secret.encode()
        self._sockets = sockets
        self._session: aiohttp.ClientSession | None = None
        self.bot_url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Inside, things can be sent."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ACK_WITHIN)) as self._session:
            yield
        self._session = None

    async def send(self, kind: str, payload: Json, retry: tuple[int, str] | None = None) -> Ack:
        """The bot has acknowledged it. `retry`: which attempt and why, for events only. Raises NotAcked."""
        started = time.perf_counter()

        def elapsed() -> float:
            return round((time.perf_counter() - started) * 1000, 1)

        try:
            body = await (
                self._sockets.send(kind, payload, retry) if self._sockets else self._post(kind, payload, retry)
            )
        except TimeoutError as error:
            raise NotAcked("http_timeout", elapsed()) from error
        except (ConnectionError, aiohttp.ClientConnectionError) as error:
            raise NotAcked("connection_failed", elapsed()) from error
        except aiohttp.ClientResponseError as error:
            final = error.headers is not None and error.headers.get("x-slack-no-retry") == "1"
            raise NotAcked("http_error", elapsed(), final=final) from error
        return Ack(elapsed(), body)

    async def _post(self, kind: str, payload: Json, retry: tuple[int, str] | None) -> Json | str:
        if self._session is None or not self.bot_url:
            raise ConnectionError("no bot is bound")
        content_type = "application/x-www-form-urlencoded"
        if kind == COMMAND:
            raw = urlencode(payload)
        elif kind == INTERACTIVE:
            raw = urlencode({"payload": json.dumps(payload)})
        else:
            raw, content_type = json.dumps(payload), "application/json"
        headers = self._signed(raw.encode()) | {"Content-Type": content_type}
        if retry is not None:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        url = f"{self.bot_url}/slack/events"
        async with self._session.post(url, data=raw.encode(), headers=headers, allow_redirects=False) as answer:
            if not OK_FROM <= answer.status < OK_TO:
                answer.raise_for_status()
                raise aiohttp.ClientResponseError(
                    answer.request_info, answer.history, status=answer.status, headers=answer.headers
                )
            text = await answer.text()
            if answer.content_type != "application/json":
                return text
            try:
                body = json.loads(text or '""')
            except ValueError:
                return text
            return body if isinstance(body, dict) else text

    def _signed(self, raw: bytes) -> dict[str, str]:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack, always on the machine's clock."""
        stamp = str(int(time.time()))
        digest = hmac.new(self._secret, b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
        return {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }
