"""What GitHub tells by itself: believed only where it is signed, heard once, and only ever a reason to look."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.github_in import BODY_MAX, HINTS, Deliveries, github_endpoint, sign
from bot.hints import Hints
from bot.web import QUIETLY, web_app
from commands.operation import Phase, road
from commands.ports import Writes
from policy.facts import Deed, Question
from policy.model import Place
from tests.bot.books import START, created, opened
from tests.bot.github_world import NINE, REPOSITORY, HandClock, github_world
from tests.world import Policies

SECRET, OLD = "it is a secret", "it was one before"
PUSH = {"ref": "refs/heads/main", "repository": {"full_name": "acme/checkout"}}

Door = TestClient[web.Request, web.Application]


async def nobody(_: web.Request) -> web.Response:
    return web.Response(status=404)


async def ready() -> dict[str, bool | str]:
    return {"all": True}


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
async def door(heard: list[str]) -> AsyncIterator[Door]:
    app = web_app(nobody, ready, str, github_endpoint([SECRET, OLD], heard.append))
    async with TestClient(TestServer(app, **QUIETLY)) as door:
        yield door


def headers(body: bytes, secret: str = SECRET, **changes: str) -> dict[str, str]:
    said = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": sign(secret.encode(), body).decode(),
    }
    return {name: value for name, value in {**said, **changes}.items() if value}


async def tells(door: Door, body: Any = PUSH, secret: str = SECRET, **changes: str) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    async with door.post("/github/events", data=io.BytesIO(raw), headers=headers(raw, secret, **named)) as answer:
        return answer.status


def test_github_signs_as_its_documentation_says() -> None:
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, "testing the webhook payload"
    said = sign(b"It's a Secret to Everybody", b"Hello, World!")
    assert said == b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


async def test_every_event_that_may_matter_is_heard_and_all_others_are_left_alone(door: Door, heard: list[str]) -> None:
    assert {"push", "pull_request", "check_run", "deployment_status"} <= HINTS
    for number, event in enumerate((*sorted(HINTS), "star", "ping")):
        assert await tells(door, X_GitHub_Event=event, X_GitHub_Delivery=f"d-{number}") == 202
    assert heard == ["acme/checkout"] * len(HINTS)


async def test_what_is_not_signed_is_not_believed(door: Door, heard: list[str]) -> None:
    raw = json.dumps(PUSH).encode()
    good = headers(raw)["X-Hub-Signature-256"]
    for signature in (
        "",
        "sha256=",
        good[:-1],
        good + "0",
        good.upper(),
        "sha1=" + good[7:],
        "é",
        good.replace("=", ""),
    ):
        assert await tells(door, X_Hub_Signature_256=signature) == 401
    assert await tells(door, secret="another") == 401
    assert await tells(door, raw + b" ", X_Hub_Signature_256=good) == 401  # signed were other bytes
    assert heard == []
    assert await tells(door, secret=OLD) == 202  # while one secret is exchanged for the other
    assert heard == ["acme/checkout"]


async def test_a_delivery_that_comes_again_is_heard_once(door: Door, heard: list[str]) -> None:
    for delivery in ("d-1", "d-1", "d-2", "d-1"):
        assert await tells(door, X_GitHub_Delivery=delivery) == 202
    assert heard == ["acme/checkout"] * 2


def test_only_so_many_deliveries_are_remembered() -> None:
    deliveries = Deliveries(most=2)
    assert [deliveries.seen(one) for one in "abab"] == [False, False, True, True]
    assert [deliveries.seen(one) for one in "cab"] == [False, False, False]


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (b"{", {}),
        (b"[]", {}),
        (b'{"repository": {"full_name": 7}}', {}),
        (b'{"repository": 1, "repository": 2}', {}),
        (PUSH, {"X_GitHub_Event": ""}),
        (PUSH, {"X_GitHub_Delivery": ""}),
        (PUSH, {"Content_Type": "text/plain"}),
    ],
)
async def test_what_is_signed_and_not_well_formed_is_refused(
    door: Door, heard: list[str], body: Any, changes: dict[str, str]
) -> None:
    assert await tells(door, body, **changes) == 400
    assert heard == []


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(door: Door, heard: list[str]) -> None:
    large = {**PUSH, "commits": "x" * (400 * 1024)}  # larger than Slack's may be
    assert await tells(door, large) == 202
    assert await tells(door, b"x" * (BODY_MAX + 1)) == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    with suppress(aiohttp.ClientError):  # the rest need not be taken
        async with door.post("/github/events", data=pieces()) as answer:
            assert answer.status == 413
    assert heard == ["acme/checkout"]


async def test_without_a_secret_there_is_no_such_door() -> None:
    async with TestClient(TestServer(web_app(nobody, ready, str))) as door:
        assert await tells(door) == 404
    with pytest.raises(ValueError, match="secret is empty"):
        github_endpoint([" "], print)


async def test_the_local_github_is_understood(tmp_path: Path, heard: list[str]) -> None:
    async with github_world(tmp_path, HandClock()) as world, AsyncExitStack() as stack:
        app = web_app(nobody, ready, str, github_endpoint([world.webhook_secret], heard.append))
        door = await stack.enter_async_context(TestClient(TestServer(app, **QUIETLY)))
        world.tell(str(door.make_url("/github/events")))
        head = await world.commit(REPOSITORY, "main", "Begin", {"README.md": "hello\n"}, "maya", NINE)
        world.set_check(REPOSITORY, head, "unit-tests", "success")
        told = await world.all_told()
    assert told
    assert {status for _, status in told} == {202}
    assert set(heard) == {REPOSITORY}


async def test_a_hint_makes_what_waits_for_that_repository_due_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        later = timedelta(hours=1)
        for id, service in (("op_1", "checkout"), ("op_2", "search")):
            made = created(id, place=Place(service, "prod"), due=later)
            assert made.operation is not None
            assert made.operation.plan is not None
            plan = replace(made.operation.plan, repository=f"acme/{service}")
            await store.commit(replace(made, operation=replace(made.operation, plan=plan)))
        hints = Hints(store, Policies(), gap=0)
        await hints.wake({"acme/nothing"})
        assert await store.claim() is None
        running = asyncio.create_task(hints.run())
        store.changed.clear()
        for name in ("Acme/Checkout", "acme/checkout"):
            hints.heard(name)
        async with asyncio.timeout(60):
            await store.changed.wait()
        running.cancel()
        claimed = await store.claim()
        assert claimed is not None
        assert claimed[0].id == "op_1"
        assert await store.claim() is None


async def test_a_hint_has_the_pull_requests_that_bring_fixes_looked_at(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        made = created("op_1", due=timedelta(minutes=5))
        assert made.operation is not None
        question = Question(Deed.HOTFIX, "checkout", "prod", change="5c1d234 into main")
        brings = replace(made.operation, question=question, plan=None, phase=Phase.WATCHING)
        await store.commit(replace(made, operation=brings))
        await Hints(store, Policies(), gap=0).wake({"acme/payments"})
        assert await store.claim() is None
        await Hints(store, Policies(), gap=0).wake({"acme/checkout"})
        claimed = await store.claim()
        assert claimed is not None
        assert claimed[0].id == "op_1"


async def test_a_hint_makes_nobody_hurry_who_is_changing_a_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        made = created()
        assert made.operation is not None
        assert made.operation.plan is not None
        await store.commit(made)
        claimed = await store.claim()
        assert claimed is not None
        operation, lease = claimed
        begun = operation.begun(START, road(made.operation.plan)[0])
        await store.commit(Writes(operation=begun, takes=begun.place, due=timedelta(seconds=5)), lease)
        await Hints(store, Policies(), gap=0).wake({made.operation.plan.repository})
        assert await store.claim() is None


async def test_the_more_github_tells_the_longer_is_waited_between_two_looks(tmp_path: Path) -> None:
    waited: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) != 6:  # then nothing happens for once
            hints.heard("acme/checkout")
        if len(waited) == 8:
            enough.set()
            await asyncio.Event().wait()

    async with opened(tmp_path) as store:
        hints = Hints(store, Policies(), sleep=sleep)
        running = asyncio.create_task(hints.run())
        hints.heard("acme/checkout")
        async with asyncio.timeout(60):
            while len(waited) < 6:
                await asyncio.sleep(0)
            hints.heard("acme/checkout")
            await enough.wait()
        running.cancel()
    assert waited == [1, 2, 4, 8, 15, 15, 1, 2]
