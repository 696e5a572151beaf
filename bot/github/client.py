"""What happens on the wire? Requests with bounds, each write sent once, library errors turned into ours.

Loaded at the first question, not when the bot starts: the library brings its own stack for signatures.
"""

from __future__ import annotations

import asyncio
import random
import urllib.parse
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from math import inf
from typing import Any, Literal, NoReturn

import aiohttp
import gidgethub
from gidgethub import sansio
from gidgethub.abc import JSON_CONTENT_TYPE
from gidgethub.aiohttp import GitHubAPI
from yarl import URL

from bot.github import names
from bot.github.credentials import Access, AppKey, PersonalToken, redacted
from bot.github.pace import PAGES_MAX, READ_TRIES, SLOTS, Limits, Pace, StoodStill, WriteQueue
from bot.github.refusal import Refusal
from bot.github.remembered import Answer, Remembered
from bot.github.tokens import Tokens
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Clock

API_VERSION = "2022-11-28"
JWT_BACKDATED, JWT_LIFE = 60, 9 * 60  # seconds; at most ten minutes, https://docs.github.com/apps, "generating a JWT"
UNPROVEN = frozenset({408, 499})
"""Refusals that prove nothing: somebody on the way gave up waiting."""
# https://docs.github.com/graphql, "rate limits"; what is refused with one of these was not carried out
REFUSALS = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND", "STALE_DATA", "UNPROCESSABLE", "RATE_LIMITED"})
SPENT, TOO_MANY = "the requests of this hour are spent", "it gets too many requests at once"


class Broken(Exception):
    """A 5xx, whatever its body was."""


_LOST = (Broken, aiohttp.ClientError, TimeoutError, ValueError)
"""After these a request may or may not have been carried out; ValueError: an answer that cannot be read."""
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Client(GitHubAPI):
    """GitHub's REST and GraphQL API by repository, with our manners and our errors."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, credentials: PersonalToken | AppKey, pace: Pace, clock: Clock
    ) -> None:
        super().__init__(session, "release-bot", base_url=url)
        self._pace, self._clock = pace, clock
        self._tokens: Tokens = Tokens(credentials, clock, self._mint)
        self._slots = asyncio.Semaphore(SLOTS)
        self._queues: defaultdict[str, WriteQueue] = defaultdict(lambda: WriteQueue(pace))
        self._limits = Limits(pace)
        self._remembered = Remembered()
        self._ids: dict[str, int] = {}
        """Repository → its id when it was first seen; passes are for that one, whatever is called so later."""

    # Asking ---------------------------------------------------------------------------------------------------------

    async def read(self, repository: str, path: str, access: Access = Access.CODE, **query: str) -> Any:  # noqa: ANN401 - JSON
        """What stands at that path of the repository; `Unavailable` or `Rejected`."""
        data, _ = await self._read(repository, names.url(repository, path, query), access)
        return data

    async def outside(self, repository: str, url: str, access: Access) -> Any:  # noqa: ANN401 - JSON
        """What stands at an address that is in no repository, as one who may work with this one."""
        data, _ = await self._read(repository, url, access)
        return data

    async def pages(
        self,
        repository: str,
        path: str,
        /,
        key: str = "",
        access: Access = Access.CODE,
        *,
        most: int = PAGES_MAX,
        **query: str,
    ) -> list[Any]:
        """All entries of a list, page by page, under `key` where it stands in an object.

        `Unavailable` where fewer came than were announced, `Rejected` where there are more pages than we follow.
        """
        found: list[Any] = []
        announced = 0
        async for data in self.each_page(repository, path, access, most=most, **query):
            try:
                found += data[key] if key else data
                announced = int(data["total_count"]) if key else len(found)
            except (KeyError, TypeError, ValueError) as error:
                raise Unavailable("GitHub's answer could not be understood.") from error
        if len(found) < announced:
            raise Unavailable(f"GitHub told only {len(found)} of {announced} entries about {repository}.")
        return found

    async def each_page(
        self, repository: str, path: str, /, access: Access = Access.CODE, *, most: int = PAGES_MAX, **query: str
    ) -> AsyncIterator[Any]:
        """Page by page as they come; `Rejected` where there are more than we follow."""
        url: str | None = names.url(repository, path, {"per_page": "100", **query})
        for _ in range(most):
            data, url = await self._read(repository, url or "", access)
            yield data
            if url is None:
                return
            if not url.startswith(f"{self.base_url.removesuffix('/')}/"):  # our token goes nowhere else
                raise Unavailable("GitHub's list goes on at another address; that is not followed.")
        raise Rejected(
            f"GitHub has more than {most * 100} entries where {repository} was asked; a part of them decides nothing."
        )

    async def ask(
        self, repository: str, query: str, variables: Mapping[str, Any], access: Access = Access.CODE
    ) -> Mapping[str, Any]:
        """What a GraphQL query answered, whole; `Unavailable` or `Rejected` where any part of it is missing."""
        token = await self._tokens.token(repository, access)
        body = {"query": query, "variables": variables}
        try:
            said, _ = await self._repeated("POST", self._graphql_url, body, oauth_token=token)
        except gidgethub.HTTPException as error:
            self._refused(error, repository, access, token)
        return self._whole(said, repository)

    async def elsewhere(self, url: str, most: int) -> bytes | None:
        """What lies at an address outside of the API that GitHub gave us, asked without our pass; None: it is larger.

        `Unavailable` where it cannot be had.
        """
        ours = url.startswith(f"{self.base_url.removesuffix('/')}/")  # the local GitHub keeps everything in one place
        if not ours and not url.startswith("https://"):
            raise Unavailable("GitHub keeps it where it cannot be fetched safely.")
        timeout = aiohttp.ClientTimeout(total=self._pace.read_timeout, sock_connect=5)
        for attempt in range(READ_TRIES):
            if attempt:
                await self._pace.sleep(self._pace.retry_pause * 2 ** (attempt - 1))
            try:
                async with (
                    self._slots,
                    self._session.get(URL(url, encoded=True), timeout=timeout, allow_redirects=False) as response,
                ):
                    if response.status >= 500:
                        continue
                    if response.status != 200:
                        break
                    found = bytearray()
                    async for piece in response.content.iter_chunked(1 << 16):
                        found += piece
                        if len(found) > most:
                            return None
                    return bytes(found)
            except (aiohttp.ClientError, TimeoutError):
                continue
            except ValueError:  # it is no address
                break
        raise Unavailable("What GitHub keeps elsewhere cannot be fetched.")

    # Writing --------------------------------------------------------------------------------------------------------

    async def write(
        self,
        repository: str,
        path: str,
        body: Mapping[str, Any],
        *,
        method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST",
        access: Access = Access.CODE,
        until: float = inf,
    ) -> Any:  # noqa: ANN401 - JSON
        """What it answered; it is sent once, or after `until`, on the monotonic clock, not at all: `StoodStill`.

        `Rejected`: refused; `Unavailable`: refused for now; `OutcomeUnknown`: it may have been carried out.
        """
        return await self._sent(repository, method, names.url(repository, path, {}), body, access, until)

    async def upload(
        self, repository: str, address: str, name: str, content: bytes, kind: str, *, until: float = inf
    ) -> Any:  # noqa: ANN401 - JSON
        """A file is sent to the address that GitHub told for files of a release; as any other write otherwise."""
        where, ours = URL(address.partition("{")[0]), URL(self.base_url)
        hosts = {ours.host, *(["uploads.github.com"] if ours.host == "api.github.com" else [])}
        if where.host not in hosts or where.scheme != ours.scheme:  # our token goes nowhere else
            raise Unavailable("GitHub wants files at another address; nothing was sent there.")
        url = str(where.with_query(name=name))
        return await self._sent(repository, "POST", url, content, Access.BRANCHES, until, kind)

    async def change(
        self,
        repository: str,
        mutation: str,
        variables: Mapping[str, Any],
        access: Access = Access.CODE,
        *,
        until: float = inf,
    ) -> Mapping[str, Any]:
        """What a GraphQL mutation answered; sent like any other write.

        `OutcomeUnknown` also where it answers with a complaint that does not say that nothing was done.
        """
        body = {"query": mutation, "variables": variables}
        said = await self._sent(repository, "POST", self._graphql_url, body, access, until)
        kinds = {one.get("type") for one in _complaints(said)}
        if kinds - REFUSALS or (not kinds and not _has_data(said)):
            raise OutcomeUnknown(f"GitHub did not say whether a change to {repository} was carried out.")
        return self._whole(said, repository)

    async def _sent(
        self,
        repository: str,
        method: str,
        url: str,
        body: Mapping[str, Any] | bytes,
        access: Access,
        until: float,
        kind: str = JSON_CONTENT_TYPE,
    ) -> Any:  # noqa: ANN401 - JSON
        token = await self._tokens.token(repository, access)
        try:
            async with self._queues[repository.lower()]:
                await self._allowed(url)
                if self._pace.monotonic() > until:
                    raise StoodStill
                data, _, _ = await self._make_request(
                    method, url, None, body, sansio.accept_format(), oauth_token=token, content_type=kind
                )
        except _NEVER_SENT as error:
            raise Unavailable("GitHub cannot be reached; nothing was sent.") from error
        except gidgethub.HTTPException as error:
            if int(error.status_code) in UNPROVEN:
                raise OutcomeUnknown(f"GitHub gave up on a write to {repository} before it could answer.") from error
            self._refused(error, repository, access, token)
        except _LOST as error:
            raise OutcomeUnknown(f"GitHub did not say whether a write to {repository} was carried out.") from error
        return data

    # Reading --------------------------------------------------------------------------------------------------------

    async def _read(self, repository: str, url: str, access: Access) -> tuple[Any, str | None]:
        renewed = False
        while True:
            token = await self._tokens.token(repository, access)
            try:
                return await self._repeated("GET", url, b"", oauth_token=token)
            except gidgethub.HTTPException as error:
                if int(error.status_code) == 401 and self._tokens.forget(repository, access, token) and not renewed:
                    renewed = True
                    continue
                if int(error.status_code) == 404:
                    await self._missing(repository, url, token, error)
                self._refused(error, repository, access, token)

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
            await self._allowed(url)
            try:
                answer, more, _ = await self._make_request(
                    method, url, None, data, sansio.accept_format(), jwt=app_jwt, oauth_token=oauth_token
                )
            except gidgethub.HTTPException as error:
                if not _limited(error) or attempt >= READ_TRIES:
                    raise
                if self._limits.left(_resource(url))[0] > self._pace.longest_wait:
                    raise
            except _LOST as error:
                if attempt >= READ_TRIES:
                    raise Unavailable("GitHub does not answer.") from error
                pause = self._pace.retry_pause * 2 ** (attempt - 1)
                await self._pace.sleep(pause * (1 + random.random() / 10))  # noqa: S311 - spreads callers
            else:
                return answer, more

    async def _allowed(self, url: str) -> None:
        """GitHub wants to hear from us again; `Unavailable` with the reason where that takes too long."""
        for _ in range(READ_TRIES):
            left, why = self._limits.left(_resource(url))
            if left == 0:
                return
            if left > self._pace.longest_wait:
                raise Unavailable(_wait(left, why))
            await self._pace.sleep(left)
        raise Unavailable("GitHub asks us again and again to wait; nothing was sent.")

    # The wire -------------------------------------------------------------------------------------------------------

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        read = method == "GET"
        timeout = aiohttp.ClientTimeout(
            total=self._pace.read_timeout if read else self._pace.write_timeout, sock_connect=5
        )
        key = self._remembered.key(headers, url)
        known = self._remembered.get(key) if read else None
        said = {**headers, "x-github-api-version": API_VERSION, **({"if-none-match": known.etag} if known else {})}
        async with (
            self._slots,
            self._session.request(
                method,
                URL(url, encoded=True),  # letter by letter as it was built: nothing decodes a name once more
                headers=said,
                data=body,
                timeout=timeout,
                # A POST through a redirect turns into a GET and looks like a success; and what is read of a repository
                # that moved would let something begin that cannot be recorded there.
                allow_redirects=False,
                middlewares=() if read else (_only_once(),),
            ) as response,
        ):
            content = await response.read()
            self._heed(response.status, response.headers, content, url)
            if response.status >= 500:
                raise Broken(response.status)
            if response.status == 304 and known is not None:
                return 200, known.headers, known.body
            if read and response.status == 200 and (etag := response.headers.get("etag")):
                headers = {name.lower(): value for name, value in response.headers.items()}
                self._remembered.keep(key, Answer(etag, headers, content))
            return response.status, response.headers, content

    def _heed(self, status: int, headers: Mapping[str, str], content: bytes, url: str) -> None:
        """What this answer says of the next requests: https://docs.github.com/rest, "exceeding the rate limit"."""
        resource, refused = _resource(url), status in {403, 429}
        try:
            if refused and "retry-after" in headers:
                self._limits.told(resource, max(0.0, float(headers["retry-after"])), TOO_MANY)
            elif headers.get("x-ratelimit-remaining") == "0":
                left = float(headers["x-ratelimit-reset"]) - self._clock.now().timestamp()
                self._limits.told(resource, max(1.0, left) if refused else max(0.0, left), SPENT)
            elif refused and (status == 429 or b"secondary rate limit" in content.lower()):
                self._limits.told_nothing(resource, TOO_MANY)
            elif status < 400:
                self._limits.served()
        except (KeyError, ValueError):
            self._limits.told_nothing(resource, TOO_MANY)

    def _refused(self, error: gidgethub.HTTPException, repository: str, access: Access, token: str) -> NoReturn:
        status, said = int(error.status_code), _said(error)
        if _limited(error):
            raise Unavailable(_wait(*self._limits.left("core"))) from error
        if status == 401:
            if self._tokens.forget(repository, access, token):
                raise Unavailable("GitHub no longer took our pass; there will be a new one next time.") from error
            raise Rejected("GitHub does not take our credentials.") from error
        if 300 <= status < 400:
            raise Refusal(_moved(repository), status, said) from error
        raise Refusal(f"GitHub refuses a request about {repository}: {said or status}", status, said) from error

    async def _missing(self, repository: str, url: str, token: str, error: gidgethub.HTTPException) -> None:
        """Says which is missing, where it is the repository: a 404 may also hide what we may not see."""
        home = names.url(repository, "", {})
        if url == home:
            return
        try:
            await self._repeated("GET", home, b"", oauth_token=token)
        except gidgethub.HTTPException:
            raise Rejected(f"GitHub shows us no repository {repository}: missing, or not ours to see.") from error
        raise Refusal(f"{repository} has no such thing on GitHub as was asked for.", 404, _said(error)) from error

    # GraphQL --------------------------------------------------------------------------------------------------------

    @property
    def _graphql_url(self) -> str:
        """Beside `/api/v3` where the host is an enterprise's own, else below the address of the API."""
        return self.base_url.removesuffix("/").removesuffix("/v3") + "/graphql"

    def _whole(self, said: Any, repository: str) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
        """The data, where nothing is missing from it."""
        complaints = _complaints(said)
        kinds = {one.get("type") for one in complaints}
        if "RATE_LIMITED" in kinds:
            self._limits.told_nothing("graphql", SPENT)
            raise Unavailable(_wait(*self._limits.left("graphql")))
        told = "; ".join(str(one.get("message", "")) for one in complaints)
        if complaints and kinds <= REFUSALS:
            told = redacted(told)[:200]
            raise Refusal(f"GitHub refuses a request about {repository}: {told}", 422, told)
        if complaints or not _has_data(said):
            raise Unavailable(f"GitHub's answer about {repository} is not whole.")
        data: Mapping[str, Any] = said["data"]
        return data

    # Tokens ---------------------------------------------------------------------------------------------------------

    async def _mint(self, key: AppKey, repository: str, access: Access) -> tuple[str, datetime]:
        """A token of the installation for this one repository and purpose, and when it ends."""
        now = int(self._clock.now().timestamp())
        signed = key.signed(iat=now - JWT_BACKDATED, exp=now + JWT_LIFE, iss=key.app_id)
        names.url(repository, "", {})
        url = f"/app/installations/{urllib.parse.quote(key.installation_id, safe='')}/access_tokens"
        known = self._ids.get(repository.lower())
        which = {"repository_ids": [known]} if known else {"repositories": [repository.partition("/")[2]]}
        try:
            # A token that is lost on the way hurts nobody, so asking for one is repeated like a read.
            given, _ = await self._repeated("POST", url, {**which, "permissions": access.permissions}, app_jwt=signed)
            token, ends_at = str(given["token"]), datetime.fromisoformat(given["expires_at"])
        except gidgethub.HTTPException as error:
            if _limited(error):
                raise Unavailable(_wait(*self._limits.left("core"))) from error
            raise Rejected(f"GitHub gives us no pass for {repository}: {_said(error)}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable("GitHub's answer could not be read.") from error
        if known is None:
            await self._learn(repository, token)
        return token, ends_at

    async def _learn(self, repository: str, token: str) -> None:
        """The repository's id is known, if GitHub shows it; whoever asks next is told what is wrong otherwise."""
        try:
            home, _ = await self._repeated("GET", names.url(repository, "", {}), b"", oauth_token=token)
        except gidgethub.HTTPException:
            return
        if isinstance(home, dict) and isinstance(home.get("id"), int):
            self._ids.setdefault(repository.lower(), home["id"])


def _only_once() -> aiohttp.ClientMiddlewareType:
    """The session itself sends a PUT or DELETE again where the connection breaks; with this it does not."""
    sent = False

    async def send(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal sent
        if sent:
            raise aiohttp.ServerDisconnectedError
        sent = True
        return await handler(request)

    return send


def _resource(url: str) -> str:
    """What is counted apart: https://docs.github.com/rest/rate-limit."""
    return "graphql" if url.endswith("/graphql") else "core"


def _limited(error: gidgethub.HTTPException) -> bool:
    """Whether it refuses only because of how much was asked."""
    headers, status = error.headers or {}, int(error.status_code)
    if status == 429:
        return True
    spent = headers.get("x-ratelimit-remaining") == "0" or "secondary rate limit" in str(error).lower()
    return status == 403 and ("retry-after" in headers or spent)


def _said(error: gidgethub.HTTPException) -> str:
    return redacted(" ".join(str(error).split()))[:200]


def _wait(seconds: float, why: str) -> str:
    reason = f": {why}" if why else ""
    return f"GitHub asks us to wait {max(1.0, seconds):.0f} s before the next request{reason}."


def _moved(repository: str) -> str:
    return f"{repository} has moved on GitHub; the policy must name it as it is called now."


def _has_data(said: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(said, dict) and isinstance(said.get("data"), dict)


def _complaints(said: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - JSON
    """What a GraphQL answer says went wrong."""
    found = said.get("errors") if isinstance(said, dict) else None
    return [one if isinstance(one, dict) else {} for one in found] if isinstance(found, list) else []
