"""Did GitHub send this, is it new, and whose repository is it about? What it says is a hint and decides nothing.

Polling finds the same later: whatever is lost here, sent twice or out of order changes only when somebody looks.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from bot.slack_proof import parse

log = logging.getLogger(__name__)

BODY_MAX = 1024 * 1024
"""Bytes. GitHub sends up to 25 MB; a push so large is found by polling."""
READ_SECONDS = 10.0
REMEMBERED_MAX = 10_000
"""Deliveries: GitHub's own list of what can be sent again goes three days back, but a repetition costs one look."""
# https://docs.github.com/webhooks/webhook-events-and-payloads; all others may be sent and are left alone
HINTS = frozenset({"push", "pull_request", "pull_request_review", "check_run", "status", "deployment_status"})


def signed(secrets: Sequence[bytes], raw: bytes, signature: str) -> bool:
    """True where one of the secrets (two, while they are rotated) signed these very bytes.

    https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    """
    told = signature.encode("utf-8", "replace")
    # every secret is tried, so that the time taken does not tell which one it was
    return any([hmac.compare_digest(sign(secret, raw), told) for secret in secrets])  # noqa: C419


def sign(secret: bytes, raw: bytes) -> bytes:
    return b"sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest().encode()


class Deliveries:
    """Remembers the last ones by their ids."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._seen: OrderedDict[str, None] = OrderedDict()

    def seen(self, delivery: str) -> bool:
        """True from the second time on."""
        if delivery in self._seen:
            return True
        self._seen[delivery] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return False


def github_endpoint(
    secrets: Sequence[str], hear: Callable[[str], None]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of POST /github/events: `hear` is told each repository that something happened in."""
    if not secrets or not all(secret.strip() for secret in secrets):
        raise ValueError("The GitHub webhook secret is empty.")
    keys = [secret.strip().encode() for secret in secrets]
    deliveries = Deliveries()

    async def post(request: web.Request) -> web.StreamResponse:
        raw = await _body(request)
        if isinstance(raw, int):
            return web.Response(status=raw)
        signatures = request.headers.getall("X-Hub-Signature-256", [])
        if len(signatures) != 1 or not signed(keys, raw, signatures[0]):
            log.info("refused: not signed by GitHub (%d bytes)", len(raw))
            return web.Response(status=401)
        event, delivery = request.headers.get("X-GitHub-Event", ""), request.headers.get("X-GitHub-Delivery", "")
        repository = _repository(raw, request.headers.get("Content-Type", ""))
        if not event or not delivery or repository is None:
            log.info("refused: signed, but not well formed (%d bytes)", len(raw))
            return web.Response(status=400)
        if event in HINTS and repository and not deliveries.seen(delivery):
            log.info("heard of %s in %s (%s)", event, repository, delivery)
            hear(repository)
        return web.Response(status=202)

    return post


def _repository(raw: bytes, content_type: str) -> str | None:
    """Its `owner/name`; empty where it is about none, None where it cannot be read."""
    try:
        said = parse(raw, content_type).get("repository")
    except ValueError:
        return None
    name = said.get("full_name", "") if isinstance(said, dict) else ""
    return name if isinstance(name, str) else None


async def _body(request: web.Request) -> bytes | int:
    """The raw bytes, or the status that says why there are none."""
    raw = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.content.iter_any():  # with a bound of its own, wider than that of other doors
                raw += chunk
                if len(raw) > BODY_MAX:
                    return 413
    except TimeoutError:
        return 408
    except OSError:
        return 400
    return bytes(raw)
