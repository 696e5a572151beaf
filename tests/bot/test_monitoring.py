"""Request numbers through Google's own client: do they say what the revisions really answered?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from bot.monitoring import Monitoring
from bot.sandbox.google import Behaviour, GoogleWorld
from commands.errors import Rejected, Unavailable
from commands.ports import Metrics, Point, Requests, Signal, Site
from tests.bot.google_story import R0, R1, SITE, START, V1, HandClock, google

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def world(clock: HandClock) -> AsyncIterator[GoogleWorld]:
    async with google(clock) as world:
        yield world


@pytest.fixture
async def metrics(world: GoogleWorld) -> AsyncIterator[Monitoring]:
    metrics = Monitoring(world.grpc_address)
    try:
        yield metrics
    finally:
        await metrics.close()


async def called(world: GoogleWorld, times: int) -> list[int]:
    """That many requests to the front; their statuses."""
    async with aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(times):
            async with session.get(world.front(SITE) + "/buy") as response:
                statuses.append(response.status)
        return statuses


async def asked(metrics: Metrics, clock: HandClock, revision: str = R1, resolution: timedelta = SECOND) -> Requests:
    """Everything there is, a minute later: nothing is too fresh to be seen."""
    clock.advance(timedelta(minutes=1))
    return await metrics.requests(SITE, revision, START - timedelta(minutes=1), clock.now(), resolution)


async def test_what_was_answered_is_what_is_counted(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    world.declare(V1, Behaviour(fail_every=4))
    assert (await called(world, 20)).count(500) == 5
    seen = await asked(metrics, clock)
    assert (seen.total, seen.errors) == (20, 5)
    assert seen.error_percent == 25


@pytest.mark.parametrize("count_as", ["int64", "double"])
async def test_numbers_come_whole_or_with_a_point(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock, count_as: str
) -> None:
    world.meter.count_as = count_as
    await called(world, 3)
    assert (await asked(metrics, clock)).total == 3


async def test_slow_answers_show_in_the_p99(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    for ms in [20.0] * 90 + [900.0] * 10:
        world.meter.record(SITE, R1, 200, ms)
    seen = await asked(metrics, clock)
    assert seen.p99_ms == pytest.approx(900, rel=0.1)


async def test_a_delay_is_a_delay(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    world.declare(V1, Behaviour(delay_ms=60))
    await called(world, 3)
    seen = await asked(metrics, clock)
    assert seen.p99_ms is not None
    assert seen.p99_ms >= 55


async def test_without_requests_there_is_no_number_and_no_error(metrics: Monitoring, clock: HandClock) -> None:
    assert await asked(metrics, clock) == Requests(0, 0, None)


async def test_one_revision_is_not_another(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    await called(world, 3)
    assert (await asked(metrics, clock, R0)).total == 0


async def test_what_is_too_fresh_is_not_seen_yet(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    world.meter.delay_seconds = 180
    await called(world, 3)
    assert (await asked(metrics, clock)).total == 0
    clock.advance(timedelta(minutes=3))
    assert (await asked(metrics, clock)).total == 3


async def test_the_window_is_closed_at_its_start_and_open_at_its_end(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    for _ in range(3):
        world.meter.record(SITE, R1, 200, 5)
        clock.advance(10 * SECOND)
    begin = START.replace(microsecond=0)
    found = [
        (await metrics.requests(SITE, R1, begin + a * SECOND, begin + b * SECOND, SECOND)).total
        for a, b in ((0, 10), (10, 20), (20, 25), (0, 25), (1, 10))
    ]
    assert found == [1, 1, 1, 3, 0]


async def test_a_rest_shorter_than_the_resolution_is_left_out(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    world.meter.strict_alignment = True
    world.meter.record(SITE, R1, 200, 5)
    clock.advance(timedelta(seconds=61))
    world.meter.record(SITE, R1, 200, 5)
    clock.advance(timedelta(seconds=30))
    end = START + timedelta(seconds=90)
    seen = await metrics.requests(SITE, R1, START, end, timedelta(seconds=60))
    assert seen.total == 1
    assert await metrics.requests(SITE, R1, START, START + 59 * SECOND, timedelta(seconds=60)) == Requests(0, 0, None)


async def test_google_refuses_periods_below_a_minute(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    world.meter.strict_alignment = True
    with pytest.raises(Rejected, match="60 seconds"):
        await metrics.requests(SITE, R1, START, START + 5 * SECOND, SECOND)


async def test_a_name_with_quotes_stays_a_name(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    await called(world, 3)
    nasty = f'x" OR resource.labels.revision_name = "{R1}'
    assert (await asked(metrics, clock, nasty)).total == 0
    world.meter.record(SITE, 'back\\slash"', 200, 5)
    assert (await asked(metrics, clock, 'back\\slash"')).total == 1


async def test_an_outage_is_unavailable_and_silence_is_no_data(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    await called(world, 3)
    world.inject("monitoring_unavailable")
    with pytest.raises(Unavailable, match="request numbers could not be read"):
        await asked(metrics, clock)
    world.inject("monitoring_silent")
    assert (await asked(metrics, clock)).total == 0
    assert (await asked(metrics, clock)).total == 3


async def test_many_may_ask_at_once(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    await called(world, 3)
    clock.advance(timedelta(minutes=1))
    questions = (metrics.requests(SITE, R1, START - SECOND, clock.now(), SECOND) for _ in range(5))
    assert {seen.total for seen in await asyncio.gather(*questions)} == {3}


async def test_another_project_has_its_own_numbers(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    await called(world, 3)
    clock.advance(timedelta(minutes=1))
    stage = Site(SITE.replace("prod", "stage"))
    assert (await metrics.requests(stage, R1, START, clock.now(), SECOND)).total == 0


# Over time ------------------------------------------------------------------------------------------------------------


MINUTE = timedelta(minutes=1)


async def minutes(world: GoogleWorld, clock: HandClock, *answers: tuple[int, ...]) -> None:
    """One minute after the other, each with these answers; the next one begins when this returns."""
    for statuses in answers:
        for status in statuses:
            world.meter.record(SITE, R1, status, 100 if status == 200 else 900)
        clock.advance(MINUTE)


async def watched(metrics: Metrics, clock: HandClock, signal: Signal, span: int, *, revision: str = R1) -> list[Point]:
    """The newest whole minutes, so many; what is too fresh to be seen left out."""
    until = clock.now() - timedelta(seconds=5)
    return [*await metrics.series(SITE, revision, signal, until - span * MINUTE, until, MINUTE)]


async def test_errors_come_minute_by_minute_and_a_silent_minute_has_no_point(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    await minutes(world, clock, (200, 200), (200, 500, 500, 500), (), (500,), (404, 200))
    clock.advance(timedelta(seconds=3))
    found = await watched(metrics, clock, Signal.ERROR_PERCENT, 5)
    assert [point.value for point in found] == [0, 75, 100, 0]
    ends = [round((found[-1].at - point.at) / MINUTE) for point in found]
    assert ends == [4, 3, 1, 0]
    assert all(type(point.at).__name__ == "datetime" for point in found)


async def test_the_end_of_a_series_is_the_end_that_was_asked_for(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    world.meter.record(SITE, R1, 200, 5)
    clock.advance(timedelta(seconds=90))
    until = START + timedelta(seconds=60)
    assert await metrics.series(SITE, R1, Signal.ERROR_PERCENT, START - 2 * MINUTE, until, MINUTE) == (Point(until, 0),)
    assert await metrics.series(SITE, R1, Signal.ERROR_PERCENT, START, until, 2 * MINUTE) == ()


async def test_how_slow_it_was_minute_by_minute(world: GoogleWorld, metrics: Monitoring, clock: HandClock) -> None:
    await minutes(world, clock, (200,) * 100, (500,) * 100)
    clock.advance(timedelta(seconds=3))
    slow = await watched(metrics, clock, Signal.P99_MS, 2)
    assert [point.value for point in slow] == [pytest.approx(100, rel=0.1), pytest.approx(900, rel=0.1)]


@pytest.mark.parametrize(
    ("signal", "kind", "percent"), [(Signal.MEMORY_PERCENT, "memory_at", 93), (Signal.CPU_PERCENT, "cpu_at", 85)]
)
async def test_what_containers_take_is_seen_from_the_minute_it_changed(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock, signal: Signal, kind: str, percent: int
) -> None:
    await minutes(world, clock, (200,))
    world.inject(kind, site=SITE, revision=R1, percent=percent)
    await minutes(world, clock, (200, 200), ())
    clock.advance(timedelta(seconds=3))
    found = [point.value for point in await watched(metrics, clock, signal, 3)]
    assert found == [
        pytest.approx(40 if signal is Signal.MEMORY_PERCENT else 20, abs=0.1),
        pytest.approx(percent, abs=0.1),
    ]
    assert await watched(metrics, clock, signal, 3, revision=R0) == []


async def test_of_a_share_of_the_readings_the_fullest_counts(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    for second in range(60):
        world.meter.becomes(SITE, R1, memory_percent=95 if second == 30 else 50)
        world.meter.record(SITE, R1, 200, 5)
        clock.advance(SECOND)
    clock.advance(timedelta(seconds=3))
    (found,) = await watched(metrics, clock, Signal.MEMORY_PERCENT, 1)
    assert found.value == pytest.approx(95, abs=0.1)


async def test_a_use_is_kept_to_whom_it_is_set_for(world: GoogleWorld) -> None:
    world.inject("memory_at", percent=70)
    world.inject("memory_at", percent=80, revision=R1)
    world.inject("memory_at", percent=90, site=SITE, revision=R1)
    world.inject("cpu_at", percent=60, site=SITE)
    elsewhere = SITE.replace("prod", "stage")
    uses = [world.meter.use(site, name).memory_percent for site in (SITE, elsewhere) for name in (R1, R0)]
    assert uses == [90, 70, 80, 70]
    assert world.meter.use(SITE, R0).cpu_percent == 60


async def test_an_outage_is_no_silence_over_time_either(
    world: GoogleWorld, metrics: Monitoring, clock: HandClock
) -> None:
    world.inject("monitoring_unavailable")
    with pytest.raises(Unavailable, match=f"The numbers of {R1} could not be read just now"):
        await watched(metrics, clock, Signal.CPU_PERCENT, 3)
