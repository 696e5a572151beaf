"""Where is the program reached over HTTP? Slack's door, GitHub's beside it, and what operators look at."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import hdrs, web

from bot.slack_proof import BODY_MAX

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def web_app(
    endpoint: Handler,
    ready: Callable[[], Awaitable[Mapping[str, bool | str]]],
    metrics: Callable[[], str],
    github: Handler | None = None,
) -> web.Application:
    """POST /slack/events, GET /healthz (the process), /readyz (its parts), /metrics (Prometheus).

    `ready`: by part, True, or False or the reason why not. POST /github/events is there with `github` only. Run it
    with `runner`.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        try:
            parts = await ready()
        except Exception:
            log.exception("readiness could not be told")
            parts = {"readiness": "could not be told"}
        good = bool(parts) and all(part is True for part in parts.values())
        return web.json_response({"ready": good, "parts": parts}, status=200 if good else 503)

    async def measured(_: web.Request) -> web.Response:
        # https://prometheus.io/docs/instrumenting/exposition_formats/
        return web.Response(
            body=metrics().encode(), headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"}
        )

    app = web.Application(client_max_size=BODY_MAX)
    app.on_response_prepare.append(_anonymous)
    app.router.add_post("/slack/events", endpoint)
    if github is not None:
        app.router.add_post("/github/events", github)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", measured)
    return app


async def _anonymous(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall(hdrs.SERVER, None)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")


QUIETLY: dict[str, Any] = {"access_log": None, "auto_decompress": False}
"""How a server has to be run: no log of requests, and bodies stay the bytes that came. Signatures are over those, and a
body that claims to be compressed and is not would otherwise break off the connection with a traceback."""


def runner(app: web.Application, *, shutdown_timeout: float = 5.0) -> web.AppRunner:
    """What serves it; signals are the caller's business."""
    return web.AppRunner(app, handle_signals=False, shutdown_timeout=shutdown_timeout, **QUIETLY)
