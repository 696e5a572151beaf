"""What happens on the wire? Requests with bounds, each write sent once, library errors turned into ours.

Loaded at the first question, not when the bot starts: the library brings its own stack for signatures.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from math import inf
from typing import Any, NoReturn

import aiohttp
import gidgethub
import jwt
from gidgethub import sansio
from gidgethub.aiohttp import GitHubAPI

from bot.github.credentials import NEEDED, AppKey, PersonalToken
from bot.github.pace import PAGES_MAX, READ_TRIES, SLOTS, Pace, StoodStill
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Clock

API_VERSION = "2022-11-28"
TOKEN_EARLY = timedelta(minutes=5)
JWT_BACKDATED, JWT_LIFE = 60, 9 * 60  # seconds; at most ten minutes, https://docs.github.com/apps, "generating a JWT"
SECONDARY_PAUSE = 60.0  # where no time is told, https://docs.github.com/rest, "exceeding the rate limit"
UNPROVEN = frozenset({408, 499})
"""Refusals that prove nothing: somebody on the way gave up waiting."""

_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/(?!\.\.?$)[A-Za-z0-9._-]+")


class Broken(Exception):
    """A 5xx, whatever its body was."""


_LOST = (Broken, aiohttp.ClientError, TimeoutError, ValueError)
"""After these a request may or may not have been carried out; ValueError: an answer that cannot be read."""
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Client(GitHubAPI):
    """GitHub's REST API by repository, with our manners and our errors."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, credentials: PersonalToken | AppKey, pace: Pace, clock: Clock
    ) -> None:
        super().__init__(session, "release-bot", base_url=url)
        self._pace, self._clock = pace, clock
        self._tokens: Tokens = Tokens(credentials, clock, self._mint)
        self._slots = asyncio.Semaphore(SLOTS)
        self._queues: defaultdict[str, WriteQueue] = defaultdict(lambda: WriteQueue(pace.write_gap))

    # Asking ---------------------------------------------------------------------------------------------------------

    async def read(self, repository: str, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        """What stands at that path of the repository; `Unavailable` or `Rejected`."""
        data, _ = await self._read(repository, _url(repository, path, query))
        return data

    async def pages(self, repository: str, path: str, key: str = "", **query: str) -> list[Any]:
        """All entries of a list, page by page, under `key` where it stands in an object.

        `Unavailable` where fewer came than were announced, `Rejected` where there are more pages than we follow.
        """
        url: str | None = _url(repository, path, {"per_page": "100", **query})
        found: list[Any] = []
        announced = 0
        for _ in range(PAGES_MAX):
            data, url = await self._read(repository, url or "")
            found += data[key] if key else data
            announced = data["total_count"] if key else len(found)
            if url is None:
                break
            if not url.startswith(self.base_url):  # our token goes nowhere else
                raise Unavailable("GitHub's list goes on at another address; that is not followed.")
        else:
            raise Rejected(
                f"GitHub has more than {PAGES_MAX * 100} entries where {repository} was asked; "
                "a part of them decides nothing."
            )
        if len(found) < announced:
            raise Unavailable(f"GitHub told only {len(found)} of {announced} entries about {repository}.")
        return found

    async def write(self, repository: str, path: str, body: Mapping[str, Any], *, until: float = inf) -> Any:  # noqa: ANN401 - JSON
        """What a POST answered; it is sent once, or after `until`, on the monotonic clock, not at all: `StoodStill`.

        `Rejected`: refused; `Unavailable`: refused for now; `OutcomeUnknown`: it may have been carried out.
        """
        url = _url(repository, path, {})
        token = await self._tokens.token(repository)
        try:
            async with self._queues[repository.lower()]:
                if time.monotonic() > until:
                    raise StoodStill
                data, _, _ = await self._make_request(
                    "POST", url, None, body, sansio.accept_format(), oauth_token=token
                )
        except _NEVER_SENT as error:
            raise Unavailable("GitHub cannot be reached; nothing was sent.") from error
        except gidgethub.HTTPException as error:
            if int(error.status_code) in UNPROVEN:
                raise OutcomeUnknown(f"GitHub gave up on a write to {repository} before it could answer.") from error
            self._refused(error, repository, token)
        except _LOST as error:
            raise OutcomeUnknown(f"GitHub did not say whether a write to {repository} was carried out.") from error
        return data

    async def _read(self, repository: str, url: str) -> tuple[Any, str | None]:
        renewed = False
        while True:
            token = await self._tokens.token(repository)
            try:
                return await self._repeated("GET", url, b"", oauth_token=token)
            except gidgethub.HTTPException as error:
                if int(error.status_code) == 401 and self._tokens.forget(repository, token) and not renewed:
                    renewed = True
                    continue
                if int(error.status_code) == 404:
                    await self._missing(repository, url, token, error)
                self._refused(error, repository, token)

    async def _repeated(
        self,
        method: str,
        url: str,
        data: object,
        *,
        oauth_token: str | None = None,
        app_jwt: str | None = None,
    ) -> tuple[Any, str | None]:
        """Answer and next page of a request that may be repeated; `Unavailable`, or the refusal as it came."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer, more, _ = await self._make_request(
                    method, url, None, data, sansio.accept_format(), jwt=app_jwt, oauth_token=oauth_token
                )
            except gidgethub.HTTPException as error:
                pause = self._told_to_wait(error)
                if pause is None or pause > self._pace.longest_wait or attempt >= READ_TRIES:
                    raise
            except _LOST as error:
                pause = self._pace.retry_pause * 2 ** (attempt - 1)
                if attempt >= READ_TRIES:
                    raise Unavailable("GitHub does not answer.") from error
            else:
                return answer, more
            await self.sleep(pause * (1 + random.random() / 10))  # noqa: S311 - spreads callers, keeps no secret

    # The wire -------------------------------------------------------------------------------------------------------

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        read = method == "GET"
        timeout = aiohttp.ClientTimeout(
            total=self._pace.read_timeout if read else self._pace.write_timeout, sock_connect=5
        )
        async with (
            self._slots,
            self._session.request(
                method,
                url,
                headers={**headers, "x-github-api-version": API_VERSION},
                data=body,
                timeout=timeout,
                allow_redirects=read,  # a POST through a redirect turns into a GET and looks like a success
            ) as response,
        ):
            content = await response.read()
            if response.status >= 500:
                raise Broken(response.status)
            return response.status, response.headers, content

    def _told_to_wait(self, error: gidgethub.HTTPException) -> float | None:
        """Seconds until GitHub wants to hear from us again; None where that is not why it refuses."""
        headers = error.headers or {}
        if int(error.status_code) not in {403, 429}:
            return None
        try:
            if "retry-after" in headers:
                return max(0.0, float(headers["retry-after"]))
            if headers.get("x-ratelimit-remaining") == "0":
                return max(1.0, float(headers["x-ratelimit-reset"]) - self._clock.now().timestamp())
        except (KeyError, ValueError):
            return SECONDARY_PAUSE
        return (
            SECONDARY_PAUSE if int(error.status_code) == 429 or "secondary rate limit" in str(error).lower() else None
        )

    def _refused(self, error: gidgethub.HTTPException, repository: str, token: str) -> NoReturn:
        status, pause = int(error.status_code), self._told_to_wait(error)
        if pause is not None:
            raise Unavailable(f"GitHub asks us to wait {pause:.0f} s before the next request.") from error
        if status == 401:
            if self._tokens.forget(repository, token):
                raise Unavailable("GitHub no longer took our pass; there will be a new one next time.") from error
            raise Rejected("GitHub does not take our credentials.") from error
        if 300 <= status < 400:
            raise Rejected(f"{repository} has moved on GitHub; the policy must name it as it is called now.") from error
        said = " ".join(str(error).split())[:200]
        raise Rejected(f"GitHub refuses a request about {repository}: {said or status}") from error

    async def _missing(self, repository: str, url: str, token: str, error: gidgethub.HTTPException) -> None:
        """Says which is missing, where it is the repository: a 404 may also hide what we may not see."""
        home = _url(repository, "", {})
        if url == home:
            return
        try:
            await self._repeated("GET", home, b"", oauth_token=token)
        except gidgethub.HTTPException:
            raise Rejected(f"GitHub shows us no repository {repository}: missing, or not ours to see.") from error
        raise Rejected(f"{repository} has no such thing on GitHub as was asked for.") from error

    # Tokens ---------------------------------------------------------------------------------------------------------

    async def _mint(self, key: AppKey, repository: str) -> tuple[str, datetime]:
        """A token of the installation for this one repository, and when it ends."""
        now = int(self._clock.now().timestamp())
        claims = {"iat": now - JWT_BACKDATED, "exp": now + JWT_LIFE, "iss": key.app_id}
        try:
            signed = jwt.encode(claims, key.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise Rejected("The GitHub App's private key cannot be used.") from error
        url = f"/app/installations/{urllib.parse.quote(key.installation_id, safe='')}/access_tokens"
        body = {"repositories": [repository.partition("/")[2]], "permissions": dict(NEEDED)}
        try:
            # A token that is lost on the way hurts nobody, so asking for one is repeated like a read.
            given, _ = await self._repeated("POST", url, body, app_jwt=signed)
            return given["token"], datetime.fromisoformat(given["expires_at"])
        except gidgethub.HTTPException as error:
            if self._told_to_wait(error) is not None:
                raise Unavailable("GitHub asks us to wait before it gives out a pass.") from error
            said = " ".join(str(error).split())[:200]
            raise Rejected(f"GitHub gives us no pass for {repository}: {said}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable("GitHub's answer could not be read.") from error


class WriteQueue:
    """One writer at a time, and a gap between the starts of two writes."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._turn = asyncio.Lock()
        self._next = 0.0

    async def __aenter__(self) -> None:
        await self._turn.acquire()
        try:
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))
        except BaseException:
            self._turn.release()
            raise
        self._next = time.monotonic() + self._gap

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()


Mint = Callable[[AppKey, str], Awaitable[tuple[str, datetime]]]


class Tokens:
    """The token for each repository; many who ask at once cause one minting."""

    def __init__(self, credentials: PersonalToken | AppKey, clock: Clock, mint: Mint) -> None:
        self._credentials, self._clock, self._mint = credentials, clock, mint
        self._held: dict[str, tuple[str, datetime]] = {}
        self._minting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def __repr__(self) -> str:
        return f"Tokens(of {self._credentials!r}, for {sorted(self._held)})"

    async def token(self, repository: str) -> str:
        """One that lives for some minutes yet."""
        match self._credentials:
            case PersonalToken(text):
                return text
            case AppKey() as key:
                async with self._minting[repository]:
                    held = self._held.get(repository)
                    if held is None or held[1] - TOKEN_EARLY <= self._clock.now():
                        held = self._held[repository] = await self._mint(key, repository)
                    return held[0]

    def forget(self, repository: str, token: str) -> bool:
        """That token was refused; True where another can be had."""
        if isinstance(self._credentials, PersonalToken):
            return False
        held = self._held.get(repository)
        if held is not None and held[0] == token:
            del self._held[repository]
        return True


def _url(repository: str, path: str, query: Mapping[str, str]) -> str:
    """The address below that repository; nothing in a name can lead out of it."""
    if not _REPOSITORY.fullmatch(repository):
        raise Rejected(f"{repository[:80]} is not the name of a repository.")
    return f"/repos/{repository}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
