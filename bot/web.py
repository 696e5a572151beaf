"""Where is the program reached over HTTP? Slack's door, and what operators look at."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from bot.slack_proof import BODY_MAX

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def web_app(
    endpoint: Handler, ready: Callable[[], Awaitable[dict[str, bool | str]]], metrics: Callable[[], str]
) -> web.Application:
    """POST /slack/events, GET /healthz (the process), /readyz (its parts), /metrics (Prometheus).

    `ready`: by part, True, or False or the reason why not. Run it without an access log, or with one that names no
    bodies: `web.AppRunner(app, access_log=None)`.
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
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", measured)
    return app


async def _anonymous(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall(hdrs.SERVER, None)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
