from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import pytest

from bot.socket_mode import SocketMode
from commands.errors import Unavailable
from tests.bot.slack_stub import Bench, bench, click, command, event, mention


async def deliver(b: Bench, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    await asyncio.wait_for(b.slack.connected.wait(), 60)
    await b.slack.sockets[-1].send_json(
        {"type": kind, "envelope_id": "e1", "payload": payload, "accepts_response_payload": True}
    )
    return await asyncio.wait_for(b.slack.acks.get(), 60)


async def test_envelopes_take_the_same_road_and_are_acknowledged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        bench() as b,
        aiohttp.ClientSession() as session,
        SocketMode("xapp-1", b.slack_in, session, b.slack.address + "api/") as socket,
    ):
        assert await deliver(b, "slash_commands", dict(command("promote payload-svc stage→prod"))) == {
            "envelope_id": "e1"
        }
        assert b.ear.words == ["promote payload-svc stage→prod"]
        assert await socket.connected()

        answer = await deliver(b, "slash_commands", dict(command("help")))
        assert answer["payload"]["text"] == "I know promote, rollback and status."
        assert await deliver(b, "interactive", click("approve op_1")) == {"envelope_id": "e1"}
        assert await deliver(b, "events_api", event(mention("<@U0RELBOT> status"))) == {"envelope_id": "e1"}
        assert b.ear.words[-2:] == ["approve op_1", "status"]

        b.ear.fault = Unavailable("full")
        answer = await deliver(b, "slash_commands", dict(command("status x")))
        assert "nothing was done" in answer["payload"]["text"]
        b.ear.fault = RuntimeError("boom")
        answer = await deliver(b, "slash_commands", dict(command("status y")))
        assert "Please quote" in answer["payload"]["text"]
        assert await deliver(b, "interactive", {"type": "nonsense"}) == {"envelope_id": "e1"}
    logging.getLogger("bot").info("closed")
    assert "payload-svc" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("bot")
    )


async def test_starting_does_not_wait_for_a_slack_that_is_away() -> None:
    async with (
        bench() as b,
        aiohttp.ClientSession() as session,
        SocketMode("xapp-1", b.slack_in, session, "http://127.0.0.1:1/") as socket,
    ):
        assert not await socket.connected()
