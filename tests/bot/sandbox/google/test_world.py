"""The local Google as a whole: what users get, what is told of it, and every way it can break."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from bot.monitoring import Monitoring
from bot.sandbox.google import Behaviour, GoogleWorld, TrafficSource
from commands.ports import Share
from tests.bot.google_story import (
    R0,
    R1,
    R2,
    SITE,
    START,
    V0,
    V1,
    V2,
    HandClock,
    deploy,
    done,
    google,
    image,
    lease,
    runs_of,
)


@pytest.fixture
async def world() -> AsyncIterator[GoogleWorld]:
    async with google() as world:
        yield world


async def shifted(world: GoogleWorld, *shares: Share) -> None:
    async with runs_of(world) as runs:
        handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=shares, lease=lease())
        assert (await done(runs, handle)).ok


async def called(world: GoogleWorld, path: str = "/", times: int = 1, base: str = "") -> list[tuple[int, Any]]:
    async with aiohttp.ClientSession() as session:
        answers = []
        for _ in range(times):
            async with session.get((base or world.front(SITE)) + path) as response:
                answers.append((response.status, await response.json(content_type=None) if response.ok else None))
        return answers


async def test_a_revision_answers_and_says_who_it_is(world: GoogleWorld) -> None:
    assert await called(world) == [(200, {"service": SITE, "revision": R1, "digest": V1})]
    assert await called(world, "") == [(200, {"service": SITE, "revision": R1, "digest": V1})]


@pytest.mark.parametrize("percent", [1, 10, 50])
async def test_so_many_per_cent_are_so_many_requests(world: GoogleWorld, percent: int) -> None:
    await shifted(world, Share(R1, 100 - percent), Share(R0, percent))
    answers = Counter(body["revision"] for _, body in await called(world, times=100))
    assert answers == {R1: 100 - percent, R0: percent}


async def test_ten_per_cent_are_five_of_fifty(world: GoogleWorld) -> None:
    await shifted(world, Share(R1, 90), Share(R0, 10))
    assert Counter(body["revision"] for _, body in await called(world, times=50))[R0] == 5


async def test_a_tagged_address_reaches_one_revision_without_traffic(world: GoogleWorld) -> None:
    async with runs_of(world) as runs:
        await done(runs, await deploy(runs))
        (address,) = [share.address for share in (await runs.running(SITE)).serving if share.tag == "green"]
    answers = await called(world, "/healthz", 5, address)
    assert [body["revision"] for _, body in answers] == [R2] * 5
    assert {body["digest"] for _, body in await called(world, times=20)} == {V1}


async def test_an_image_behaves_as_declared(world: GoogleWorld) -> None:
    world.declare(V1, Behaviour(fail_every=4, healthz_status=204))
    assert [status for status, _ in await called(world, times=8)] == [200, 200, 200, 500] * 2
    assert [status for status, _ in await called(world, "/healthz", 8)] == [204] * 8
    assert [status for status, _ in await called(world, times=4)] == [200, 200, 200, 500]


async def test_what_no_container_sees_is_not_there_and_not_counted(world: GoogleWorld) -> None:
    base = world.http_base
    assert [status for status, _ in await called(world, base=f"{base}/front/acme-prod/europe-west1/web")] == [404]
    assert [status for status, _ in await called(world, base=f"{base}/tag/blue/{SITE}")] == [404]
    world.delete_revision(SITE, R1)
    assert [status for status, _ in await called(world)] == [503]
    assert world.meter._seconds == {}


async def test_people_keep_calling_and_who_answered_is_remembered(world: GoogleWorld) -> None:
    source = TrafficSource(world, [SITE], rate=500)
    await source.start()
    async with asyncio.timeout(120):
        while world.snapshot()[SITE]["serving"] != {V1: 1.0}:
            await called(world)
        await shifted(world, Share(R0, 100))
        while world.snapshot()[SITE]["serving"] != {V0: 1.0}:
            await called(world)
    await source.stop()
    assert len(source._answers[SITE]) == 200


async def test_a_bad_image_passes_its_smoke_test_and_shows_in_the_numbers() -> None:
    clock = HandClock()
    async with google(clock) as world, runs_of(world) as runs:
        world.declare(V2, Behaviour(fail_every=4))
        await done(runs, await deploy(runs))
        (address,) = [share.address for share in (await runs.running(SITE)).serving if share.tag == "green"]
        assert [status for status, _ in await called(world, "/healthz", 5, address)] == [200] * 5
        await shifted(world, Share(R1, 90), Share(R2, 10, "green"))
        await called(world, times=80)
        clock.advance(timedelta(minutes=1))
        metrics = Monitoring(world.grpc_address)
        hour = timedelta(hours=1)
        new, old = [await metrics.requests(SITE, name, clock.now() - hour, clock.now(), hour) for name in (R2, R1)]
        await metrics.close()
        assert (new.total, new.errors) == (5 + 8, 2)
        assert (old.total, old.errors) == (72, 0)


async def test_the_snapshot_tells_what_is_in_effect(world: GoogleWorld) -> None:
    await shifted(world, Share(R1, 90), Share(R0, 10, "canary"))
    shown: dict[Any, Any] = dict(world.snapshot())
    assert shown == {
        SITE: {
            "traffic": [
                {"revision": R1, "digest": V1, "percent": 90, "tag": ""},
                {"revision": R0, "digest": V0, "percent": 10, "tag": "canary"},
            ],
            "serving": {},
        }
    }


async def test_a_revision_can_be_from_some_day_in_the_past(world: GoogleWorld) -> None:
    async with runs_of(world) as runs:
        found = await runs.revision(SITE, R0)
    assert found is not None
    assert found.created_at == START - timedelta(days=9)
    with pytest.raises(ValueError, match="already has a revision"):
        world.add_revision(SITE, image(V0), revision=R0)
    with pytest.raises(ValueError, match="there already is"):
        world.create_service(SITE, image(V0))


async def test_a_world_set_up_before_it_starts_has_addresses_afterwards() -> None:
    async with google() as world:
        assert world.engine.records[SITE].service.uri.startswith(world.http_base)


async def test_every_fault_can_be_armed_and_says_what_it_does(world: GoogleWorld) -> None:
    kinds = world.fault_kinds()
    assert len({fault["kind"] for fault in kinds}) == len(kinds) == 24
    for fault in kinds:
        assert fault["says"].endswith(".")
        world.inject(fault["kind"], times=2, site=SITE)
    with pytest.raises(ValueError, match="there is no fault 'earthquake'"):
        world.inject("earthquake")
    with pytest.raises(ValueError, match="has no option minutes"):
        world.inject("late_write", minutes=3)
    with pytest.raises(ValueError, match="code cannot be 'TEAPOT'; it is one of OK, "):
        world.inject("lost_reply", code="TEAPOT")
    with pytest.raises(ValueError, match="does cannot be 'dance'; it is one of shift, split"):
        world.inject("rival", does="dance", when="before")


@pytest.mark.parametrize(
    ("does", "lines"),
    [
        ("shift", [(R0, 100, "")]),
        ("split", [(R1, 70, ""), (R0, 30, "")]),
        ("tag", [(R0, 0, "preview"), (R1, 100, "")]),
        ("latest", [(R1, 100, "")]),
        ("deploy", [(R1, 100, "")]),
        ("broken", [(R1, 100, "")]),
        ("touch", [(R1, 100, "")]),
    ],
)
async def test_somebody_else_does_what_people_do_by_hand(
    world: GoogleWorld, does: str, lines: list[tuple[str, int, str]]
) -> None:
    etag = world.engine.records[SITE].service.etag
    world.inject("rival", does=does, percent=30)
    async with asyncio.timeout(120):
        while world.engine.records[SITE].service.reconciling:
            await called(world)
    shown = world.snapshot()[SITE]["traffic"]
    assert [(line["revision"], line["percent"], line["tag"]) for line in shown] == lines
    assert world.engine.records[SITE].service.etag != etag
    assert [(write.operation, write.fence, write.accepted) for write in world.writes] == [("", 0, True)]
    made = [name for name in world.engine.records[SITE].revisions if name not in (R0, R1)]
    assert len(made) == (does in ("deploy", "broken"))


async def test_every_split_that_was_in_effect_is_remembered(world: GoogleWorld) -> None:
    await shifted(world, Share(R1, 90), Share(R0, 10))
    await shifted(world, Share(R1, 90), Share(R0, 10, "canary"))
    await shifted(world, Share(R0, 100))
    served = world.engine.records[SITE].served
    assert [split for _, split in served] == [{R0: 100}, {R1: 100}, {R1: 90, R0: 10}, {R0: 100}]
    assert [at for at, _ in served] == sorted(at for at, _ in served)


async def test_somebody_may_delete_a_revision(world: GoogleWorld) -> None:
    world.inject("rival", does="delete", revision=R0)
    assert [*world.engine.records[SITE].revisions] == [R1]
    assert world.writes == []


async def test_a_fault_kept_to_one_site_spares_the_others(world: GoogleWorld) -> None:
    world.inject("read_unavailable", site="acme-stage/europe-west1/checkout")
    async with runs_of(world) as runs:
        assert (await runs.running(SITE)).whole == R1


async def test_the_clock_that_is_given_dates_everything() -> None:
    clock = HandClock()
    async with google(clock) as world:
        clock.advance(timedelta(days=30))
        await shifted(world, Share(R0, 100))
        assert world.writes[0].at - START >= timedelta(days=30)
