"""What is the bot measured against? Bolt as its documentation starts it, and aiohttp with the least that is needed."""

from __future__ import annotations

import hashlib
import hmac
import os
import sys


def bolt() -> None:
    """Bolt's `/release` that does nothing but acknowledge, with all its defaults."""
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    client = AsyncWebClient(token="xoxb-bench", base_url=os.environ["SLACK_API_URL"])
    app = AsyncApp(client=client, token="xoxb-bench", signing_secret=os.environ["SLACK_SIGNING_SECRET"])

    @app.command("/release")
    async def release(ack) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        await ack()

    _serve(app.web_app("/slack/events"))


def raw() -> None:
    """aiohttp that checks the signature and takes the form apart."""
    from urllib.parse import parse_qsl

    from aiohttp import web

    secret = os.environ["SLACK_SIGNING_SECRET"].encode()

    async def release(request: web.Request) -> web.Response:
        body = await request.read()
        basis = b"v0:" + request.headers["X-Slack-Request-Timestamp"].encode() + b":" + body
        mine = "v0=" + hmac.new(secret, basis, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(mine, request.headers["X-Slack-Signature"]):
            return web.Response(status=401)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        return web.Response(status=200 if form["command"] == "/release" else 404)

    app = web.Application()
    app.router.add_post("/slack/events", release)
    _serve(app)


def _serve(app) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from aiohttp import web

    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)


if __name__ == "__main__":
    {"bolt": bolt, "raw": raw}[sys.argv[1]]()
