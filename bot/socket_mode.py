"""How do we hear Slack without an address of our own? A WebSocket that we open; the payloads take the same road."""

from __future__ import annotations

import asyncio
import logging
import re
from types import TracebackType
from typing import Self

import aiohttp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack_in import SlackIn

log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"(wss?|https?)://\S+")
_SORRY = "Something went wrong here; nothing was done."


class _NoAddresses(logging.Filter):
    """The socket's address has a ticket in it: whoever reads it can listen in our place."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _ADDRESS.sub(r"\1://…", record.getMessage()), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


class SocketMode:
    """Connected while it is entered; it reconnects by itself. Envelopes come in no particular order."""

    def __init__(self, app_token: str, slack: SlackIn, session: aiohttp.ClientSession, base_url: str = "") -> None:
        self._slack = slack
        self._token = app_token
        self._web = AsyncWebClient(
            token=app_token, base_url=base_url or AsyncWebClient.BASE_URL, session=session, timeout=10
        )
        self._client: SocketModeClient | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        quiet = logging.getLogger("bot.slack_socket")
        quiet.setLevel(logging.WARNING)  # at DEBUG the SDK writes whole payloads
        if not quiet.filters:
            quiet.addFilter(_NoAddresses())
        self._client = SocketModeClient(app_token=self._token, web_client=self._web, logger=quiet)
        self._client.socket_mode_request_listeners.append(self._on_envelope)
        # it tries until Slack can be reached; starting up does not wait for that
        self._connecting = asyncio.ensure_future(self._client.connect())  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]

    async def connected(self) -> bool:
        """For /readyz."""
        return self._client is not None and await self._client.is_connected()

    async def _on_envelope(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        payload = dict(request.payload or {})
        answer = await self._slack.answer(payload)
        body = answer.body
        if answer.status != 200:
            body = {"response_type": "ephemeral", "text": _SORRY} if "command" in payload else None
        try:
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=body))
        except (aiohttp.ClientError, ConnectionError, RuntimeError, OSError) as error:
            # it stands in the ledger; what follows from it is told in the channel
            log.warning("an envelope could not be acknowledged (%s)", type(error).__name__)
