"""How is Google called? Clients made late and off the event loop, and what their errors mean for the world.

Nothing here imports a client library until somebody needs one: together they cost 270 ms and 41 MiB at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeAlias, TypeVar

from commands.errors import Conflict, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable

Clients = TypeVar("Clients")

Theirs: TypeAlias = Any
"""Something of a client library's: its classes are made at run time and carry no types."""

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SAID_MAX = 300
"""Characters of Google's own words that go into a sentence of ours."""

_WORDS = {
    "INVALID_ARGUMENT": "it calls the request invalid",
    "NOT_FOUND": "it is not there",
    "ALREADY_EXISTS": "it is already there",
    "PERMISSION_DENIED": "the bot may not do that",
    "UNAUTHENTICATED": "the bot's identity was not accepted",
    "FAILED_PRECONDITION": "its state does not allow it",
    "OUT_OF_RANGE": "it calls the request invalid",
    "UNIMPLEMENTED": "it cannot do that",
}
"""Refusals: what they are answered to has had no effect, and asking again says the same."""


class Late(Generic[Clients]):
    """Clients that are made when they are first needed, once, with what is slow about it in a thread."""

    def __init__(
        self, endpoint: str | None, load: Callable[[], Theirs], make: Callable[[Theirs, Theirs, Theirs], Clients]
    ) -> None:
        """`load` imports, in a thread. `make(loaded, channel, credentials)` runs in the loop: the channel is there
        where an endpoint is (`host:port`, plaintext), the credentials otherwise."""
        self._endpoint = endpoint or None
        self._load = load
        self._make = make
        self._lock = asyncio.Lock()
        self._clients: Clients | None = None
        self._channel: Theirs = None

    async def get(self) -> Clients:
        """`Unavailable` where there is no identity to call with."""
        async with self._lock:
            if self._clients is None:
                loaded, credentials = await asyncio.to_thread(self._prepare)
                if self._endpoint is not None:
                    import grpc

                    self._channel = grpc.aio.insecure_channel(self._endpoint)
                self._clients = self._make(loaded, self._channel, credentials)
            return self._clients

    def _prepare(self) -> tuple[Theirs, Theirs]:
        loaded = self._load()
        if self._endpoint is not None:
            return loaded, None
        import google.auth
        import google.auth.exceptions

        try:
            credentials, _ = google.auth.default(scopes=[_SCOPE])
        except google.auth.exceptions.GoogleAuthError as error:
            message = "The bot has no Google identity to work with."
            raise Unavailable(message) from error
        return loaded, credentials

    async def close(self, *transports: Theirs) -> None:
        """Nothing stays open: what `get` opened, and these."""
        if self._channel is not None:
            await self._channel.close()
        elif self._clients is not None:
            for transport in transports:
                await transport.close()
        self._clients = self._channel = None

    @property
    def made(self) -> Clients | None:
        return self._clients


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Errors inside become `Unavailable`, or `Rejected` where asking again says the same.

    `what` begins the sentence: "The traffic of checkout".
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        code, said = _code(error), _said(error)
        if code in _WORDS:
            message = f"{what} cannot be read: {_WORDS[code]}{said}."
            raise Rejected(message) from error
        message = f"{what} could not be read just now."
        raise Unavailable(message) from error


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Errors inside become `Rejected` or `Conflict` where nothing changed for sure, `Unavailable` where Google asks us
    to come back later, else `OutcomeUnknown`.

    `what` begins the sentence: "The change to checkout".
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise _written(what, _code(error), _said(error)) from error


def _written(what: str, code: str, said: str) -> ReleaseBotError:
    if code in _WORDS:
        return Rejected(f"{what} was refused: {_WORDS[code]}{said}.")
    if code == "ABORTED":
        return Conflict(f"{what} was refused: somebody else changed it in the meantime.")
    if code == "RESOURCE_EXHAUSTED":
        return Unavailable(f"{what} was put off: Google asks to wait.")
    return OutcomeUnknown(f"{what} was sent, and no clear answer came back.")


def code_of(error: BaseException) -> str:
    """The status a call ended with, by name, of an error that `reading` or `writing` translated; empty: none."""
    return _code(error.__cause__) if error.__cause__ is not None else ""


def one_line(text: str) -> str:
    """Google's words on one line, without links, cut where they get long."""
    words = " ".join(word for word in text.split() if "://" not in word)
    return words if len(words) <= _SAID_MAX else words[: _SAID_MAX - 1] + "…"


def _code(error: BaseException) -> str:
    code = getattr(error, "grpc_status_code", None)
    return str(code.name) if code is not None else ""


def _said(error: BaseException) -> str:
    message = one_line(str(getattr(error, "message", "") or "")).rstrip(".")
    return f" ({message})" if message else ""
