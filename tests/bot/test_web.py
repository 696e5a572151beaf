from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.web import web_app


async def test_operators_see_what_is_not_ready() -> None:
    parts: dict[str, bool | str] = {"database": True, "ledger": True}

    async def ready() -> dict[str, bool | str]:
        if "broken" in parts:
            raise RuntimeError("boom")
        return parts

    async def slack(_: web.Request) -> web.Response:
        return web.Response(text="slack")

    app = web_app(slack, ready, lambda: "up 1\n")
    async with TestClient(TestServer(app)) as http:
        answer = await http.get("/healthz")
        assert (answer.status, await answer.text()) == (200, "ok\n")
        assert "Server" not in answer.headers
        answer = await http.get("/readyz")
        assert (answer.status, await answer.json()) == (200, {"ready": True, "parts": parts})
        parts["ledger"] = "the disk is full"
        answer = await http.get("/readyz")
        assert (answer.status, (await answer.json())["parts"]["ledger"]) == (503, "the disk is full")
        parts["broken"] = True
        answer = await http.get("/readyz")
        assert answer.status == 503
        assert "boom" not in await answer.text()
        answer = await http.get("/metrics")
        assert (await answer.text(), answer.headers["Content-Type"]) == (
            "up 1\n",
            "text/plain; version=0.0.4; charset=utf-8",
        )
        assert await (await http.post("/slack/events")).text() == "slack"
        for method, path, status in (("GET", "/slack/events", 405), ("GET", "/", 404), ("POST", "/healthz", 405)):
            answer = await http.request(method, path)
            assert answer.status == status
            assert "Server" not in answer.headers
