"""Over what do we speak with GitHub? One client for all who ask, made at the first question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import aiohttp

from bot.github.credentials import AppKey, PersonalToken
from bot.github.pace import Pace
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Clock

if TYPE_CHECKING:
    from bot.github.client import Client

LOOKS = 3
"""After a write without an answer, how often we look: what was written may show a moment later."""

_Found = TypeVar("_Found")


class Connection:
    """GitHub, over one shared session that somebody else closes."""

    FRESH = 5.0  # seconds, half a lease: nobody else can have taken over since a look that is no older

    def __init__(
        self, session: aiohttp.ClientSession, credentials: PersonalToken | AppKey, clock: Clock, url: str, pace: Pace
    ) -> None:
        self._session, self._credentials, self.clock = session, credentials, clock
        self._url, self.pace = url.rstrip("/"), pace
        self._loaded: Client | None = None
        self._loading = asyncio.Lock()

    async def client(self) -> Client:
        """The client; its library is imported at the first question, in a thread."""
        async with self._loading:
            if self._loaded is None:
                kind = await asyncio.to_thread(_client_class)
                self._loaded = kind(self._session, self._url, self._credentials, self.pace, self.clock)
            return self._loaded

    async def looked(self, look: Callable[[], Awaitable[_Found | None]], lost: OutcomeUnknown) -> _Found:
        """What a write without an answer left behind; `lost` again where that still cannot be told."""
        for attempt in range(LOOKS):
            try:
                found = await look()
            except (Rejected, Unavailable):
                found = None
            if found is not None:
                return found
            if attempt + 1 < LOOKS:
                await self.pace.sleep(self.pace.retry_pause * 2**attempt)
        raise lost


def _client_class() -> type[Client]:
    from bot.github.client import Client

    return Client
