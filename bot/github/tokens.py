"""With which token is a request sent? One for each repository and purpose, given out again until it nears its end."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.github.credentials import Access, AppKey, PersonalToken
from commands.ports import Clock

EARLY = timedelta(minutes=5)

Mint = Callable[[AppKey, str, Access], Awaitable[tuple[str, datetime]]]


class Tokens:
    """Many who ask at once cause one minting."""

    def __init__(self, credentials: PersonalToken | AppKey, clock: Clock, mint: Mint) -> None:
        self._credentials, self._clock, self._mint = credentials, clock, mint
        self._held: dict[tuple[str, Access], tuple[str, datetime]] = {}
        self._minting: defaultdict[tuple[str, Access], asyncio.Lock] = defaultdict(asyncio.Lock)

    def __repr__(self) -> str:
        return f"Tokens(of {self._credentials!r}, for {sorted(name for name, _ in self._held)})"

    async def token(self, repository: str, access: Access) -> str:
        """One that lives for some minutes yet."""
        match self._credentials:
            case PersonalToken(text):
                return text
            case AppKey() as key:
                what = (repository.lower(), access)
                async with self._minting[what]:
                    held = self._held.get(what)
                    if held is None or held[1] - EARLY <= self._clock.now():
                        held = self._held[what] = await self._mint(key, repository, access)
                    return held[0]

    def forget(self, repository: str, access: Access, token: str) -> bool:
        """That token was refused; True where another can be had."""
        if isinstance(self._credentials, PersonalToken):
            return False
        what = (repository.lower(), access)
        held = self._held.get(what)
        if held is not None and held[0] == token:
            del self._held[what]
        return True
