"""Cloud Run through Google's own client, against the local likeness: what became of production?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from bot.cloud_run import CloudRun
from bot.sandbox.google import Behaviour, GoogleWorld
from commands.errors import Conflict, LostLease, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.ports import Lease, Runs, Share, Site
from tests.bot.google_story import (
    COMMIT,
    IMAGE,
    R0,
    R1,
    R2,
    SITE,
    START,
    V0,
    V1,
    V2,
    Freezing,
    HandClock,
    deploy,
    done,
    google,
    image,
    lease,
)
from tests.bot.google_story import runs_of as connected


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def world(clock: HandClock) -> AsyncIterator[GoogleWorld]:
    async with google(clock) as world:
        yield world


@pytest.fixture
async def runs(world: GoogleWorld) -> AsyncIterator[CloudRun]:
    async with connected(world) as runs:
        yield runs


def traffic(world: GoogleWorld) -> list[tuple[str, int, str]]:
    """What is in effect: revision, per cent, tag."""
    return [(line["revision"], line["percent"], line["tag"]) for line in world.snapshot()[SITE]["traffic"]]


def test_it_is_the_port() -> None:
    port: Runs = CloudRun("127.0.0.1:1")
    assert port.WRITE_DEADLINE == 10.0


@pytest.mark.parametrize("module", ["cloud_run", "monitoring", "secrets", "google_calls"])
def test_importing_an_adapter_loads_no_client_library(module: str) -> None:
    look = f"import sys, bot.{module}; print(sorted(m for m in sys.modules if m.split('.')[0] in ('grpc', 'google')))"
    shown = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# Reading ------------------------------------------------------------------------------------------------------------


async def test_a_service_says_what_it_serves(runs: CloudRun) -> None:
    running = await runs.running(SITE)
    assert running.serving == (Share(R1, 100),)
    assert running.wanted == running.serving
    assert running.whole == R1
    assert running.settled
    assert (running.fence, running.operation, running.trouble) == (0, "", "")


async def test_a_revision_tells_image_commit_and_since_when(runs: CloudRun) -> None:
    found = await runs.revision(SITE, R1)
    assert found is not None
    assert found.digest == V1
    assert found.image == image(V1)
    assert found.ready is True
    assert found.commit == COMMIT
    assert found.created_at == START - timedelta(days=2)
    assert type(found.created_at).__name__ == "datetime"


async def test_a_revision_that_is_not_there_is_none(runs: CloudRun) -> None:
    assert await runs.revision(SITE, "checkout-r-nothing") is None


async def test_a_service_that_is_not_there_is_rejected_and_says_so_without_jargon(runs: CloudRun) -> None:
    with pytest.raises(Rejected, match=r"What web in acme-prod serves cannot be read: it is not there") as caught:
        await runs.running(Site("acme-prod/europe-west1/web"))
    for jargon in ("grpc", "google.api_core", "Traceback", "StatusCode"):
        assert jargon not in str(caught.value)


async def test_the_latest_revision_is_named_by_what_it_means(world: GoogleWorld, runs: CloudRun) -> None:
    record = world.engine.records[SITE]
    del record.service.traffic[:]
    record.service.traffic.add(type_=1, percent=100)
    world.engine.settle(record)
    assert record.service.traffic_statuses[0].revision == ""
    running = await runs.running(SITE)
    assert running.serving == (Share(R1, 100),)
    assert running.wanted == (Share(R1, 100),)


async def test_a_tag_may_stand_first_and_still_means_no_traffic(world: GoogleWorld, runs: CloudRun) -> None:
    tag_somebody_elses(world, "preview", R0)
    running = await runs.running(SITE)
    assert running.serving[0].tag == "preview"
    assert running.whole == R1


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN"])
async def test_a_reading_that_fails_is_unavailable_and_the_next_one_works(
    world: GoogleWorld, runs: CloudRun, code: str
) -> None:
    world.inject("read_unavailable", code=code)
    with pytest.raises(Unavailable, match="could not be read just now"):
        await runs.running(SITE)
    assert (await runs.running(SITE)).whole == R1


async def test_nobody_there_is_unavailable() -> None:
    runs = CloudRun("127.0.0.1:9", read_deadline=2)
    try:
        with pytest.raises(Unavailable):
            await runs.running(SITE)
    finally:
        await runs.close()


# A new revision -----------------------------------------------------------------------------------------------------


def tag_somebody_elses(world: GoogleWorld, tag: str, revision: str) -> None:
    """A line of traffic as a preview tool would leave it: first in the list."""
    record = world.engine.records[SITE]
    line = type(record.service.traffic[0])(type_=2, revision=revision, percent=0, tag=tag)
    lines = [line, *record.service.traffic]
    del record.service.traffic[:]
    record.service.traffic.extend(lines)
    world.engine.settle(record)


async def test_a_new_revision_comes_with_a_tag_and_none_of_the_traffic(world: GoogleWorld, runs: CloudRun) -> None:
    settled = await done(runs, await deploy(runs))
    assert settled.ok
    assert traffic(world) == [(R1, 100, ""), (R2, 0, "green")]
    running = await runs.running(SITE)
    assert running.serving[1].address.startswith("http://127.0.0.1:")
    assert (running.fence, running.operation) == (7, "op-1")
    made = await runs.revision(SITE, R2)
    assert made is not None
    assert (made.digest, made.ready, made.operation, made.commit) == (V2, True, "op-1", COMMIT)


async def test_only_the_image_changes(world: GoogleWorld, runs: CloudRun) -> None:
    record = world.engine.records[SITE]
    front = record.service.template.containers[0]
    front.env.add(name="APP_ENV", value="prod")
    front.resources.limits["memory"] = "2Gi"
    record.service.template.service_account = "checkout@acme-prod.iam.gserviceaccount.com"
    record.service.template.annotations["acme/owner"] = "team-checkout"
    before = type(record.service.template)()
    before.CopyFrom(record.service.template)
    await done(runs, await deploy(runs))
    after = record.service.template
    for template in (before, after):
        template.ClearField("revision")
        template.containers[0].image = ""
        for ours in ("commit", "fence", "operation"):
            template.annotations.pop(f"release-bot/{ours}", None)
    assert after == before


async def test_an_image_of_unknown_commit_is_not_said_to_be_of_the_last_one(world: GoogleWorld, runs: CloudRun) -> None:
    await done(runs, await deploy(runs, commit=None))
    made = await runs.revision(SITE, R2)
    assert made is not None
    assert made.commit is None


async def test_of_several_containers_the_named_one_changes(world: GoogleWorld, runs: CloudRun) -> None:
    record = world.engine.records[SITE]
    containers = record.service.template.containers
    containers[0].name = "app"
    containers.add(name="proxy", image="docker.io/envoy@sha256:" + "e" * 64)
    await done(runs, await deploy(runs, container="app"))
    assert [container.image for container in record.service.template.containers] == [
        image(V2),
        "docker.io/envoy@sha256:" + "e" * 64,
    ]
    made = await runs.revision(SITE, R2)
    assert made is not None
    assert made.digest == V2


@pytest.mark.parametrize(
    ("container", "says"), [(None, "2 containers, and none is named"), ("web", "no container web")]
)
async def test_which_container_is_never_guessed(
    world: GoogleWorld, runs: CloudRun, container: str | None, says: str
) -> None:
    record = world.engine.records[SITE]
    record.service.template.containers[0].name = "app"
    record.service.template.containers.add(name="proxy", image="docker.io/envoy")
    with pytest.raises(Rejected, match=says):
        await deploy(runs, container=container)
    assert world.writes == []


async def test_what_others_wrote_beside_us_stays(world: GoogleWorld, runs: CloudRun) -> None:
    record = world.engine.records[SITE]
    record.service.annotations["acme/cost-centre"] = "4711"
    tag_somebody_elses(world, "preview", R0)
    await done(runs, await deploy(runs))
    assert (R0, 0, "preview") in traffic(world)
    await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R2, 100),), lease=lease()))
    assert traffic(world) == [(R2, 100, ""), (R0, 0, "preview")]
    assert record.service.annotations["acme/cost-centre"] == "4711"


async def test_our_own_tag_goes_when_we_no_longer_ask_for_it(world: GoogleWorld, runs: CloudRun) -> None:
    await done(runs, await deploy(runs))
    await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=lease()))
    assert traffic(world) == [(R1, 100, "")]


async def test_our_own_tag_goes_even_where_the_first_write_without_it_came_to_nothing(
    world: GoogleWorld, runs: CloudRun
) -> None:
    await done(runs, await deploy(runs))
    world.inject("empty_success")
    for _ in range(2):
        await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=lease()))
    assert traffic(world) == [(R1, 100, "")]
    tag_somebody_elses(world, "green", R0)
    await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=lease()))
    assert traffic(world) == [(R1, 100, ""), (R0, 0, "green")]


async def test_a_tag_we_ask_for_moves_even_if_it_was_somebody_elses(world: GoogleWorld, runs: CloudRun) -> None:
    tag_somebody_elses(world, "green", R0)
    await done(runs, await deploy(runs))
    assert traffic(world) == [(R1, 100, ""), (R2, 0, "green")]


async def test_a_revision_that_does_not_come_up_fails_in_the_operation_and_moves_nothing(
    world: GoogleWorld, runs: CloudRun
) -> None:
    world.declare(V2, Behaviour(broken=True))
    settled = await done(runs, await deploy(runs))
    assert not settled.ok
    assert "is not ready and cannot serve traffic" in settled.trouble
    made = await runs.revision(SITE, R2)
    assert made is not None
    assert made.ready is False
    assert "failed to start" in made.trouble
    running = await runs.running(SITE)
    assert running.whole == R1
    assert running.trouble
    assert running.wanted != running.serving
    assert running.settled


@pytest.mark.parametrize("sticky", [True, False])
async def test_traffic_can_move_back_while_the_newest_revision_is_broken(
    world: GoogleWorld, runs: CloudRun, sticky: bool
) -> None:
    world.engine.sticky_failure = sticky
    world.inject("revision_fails")
    await done(runs, await deploy(runs))
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    assert (await done(runs, handle)).ok is not sticky
    assert traffic(world) == [(R0, 100, "")]


async def test_the_same_deploy_again_makes_no_second_revision_and_is_looked_at(
    world: GoogleWorld, runs: CloudRun
) -> None:
    await done(runs, await deploy(runs))
    with pytest.raises(OutcomeUnknown, match="earlier attempt"):
        await deploy(runs, lease=lease("op-2", 8))
    assert [write.new_revision for write in world.writes if write.accepted] == [R2]


async def test_a_name_taken_by_another_image_is_rejected(world: GoogleWorld, runs: CloudRun) -> None:
    with pytest.raises(Rejected, match="taken by a revision with another image"):
        await deploy(runs, revision=R0, shares=(Share(R1, 100), Share(R0, 0, "green")))
    assert traffic(world) == [(R1, 100, "")]


# Traffic ------------------------------------------------------------------------------------------------------------


async def test_traffic_goes_up_in_steps_and_each_one_makes_no_revision(world: GoogleWorld, runs: CloudRun) -> None:
    await done(runs, await deploy(runs))
    for percent in (10, 50, 100):
        shares = (Share(R1, 100 - percent), Share(R2, percent, "green"))
        handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=shares, lease=lease())
        assert (await done(runs, handle)).ok
        serving = (await runs.running(SITE)).serving
        assert sum(share.percent for share in serving if share.revision == R2) == percent
    assert [write.new_revision for write in world.writes] == [R2, "", "", ""]
    assert all(write.fence == 7 and write.operation == "op-1" for write in world.writes)


async def test_traffic_to_a_revision_that_is_gone_fails_in_the_operation(world: GoogleWorld, runs: CloudRun) -> None:
    world.delete_revision(SITE, R0)
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    settled = await done(runs, handle)
    assert not settled.ok
    assert "does not exist or is deleted" in settled.trouble
    assert traffic(world) == [(R1, 100, "")]


async def test_a_split_that_does_not_add_up_is_rejected_and_nothing_changes(world: GoogleWorld, runs: CloudRun) -> None:
    seen = await runs.running(SITE)
    with pytest.raises(Rejected, match="sum to 100"):
        await runs.shift(SITE, seen=seen, shares=(Share(R1, 60), Share(R0, 60)), lease=lease())
    assert await runs.running(SITE) == seen


async def test_a_success_that_moved_nothing_shows_when_it_is_read_back(world: GoogleWorld, runs: CloudRun) -> None:
    world.inject("empty_success")
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    assert (await done(runs, handle)).ok
    running = await runs.running(SITE)
    assert running.whole == R1
    assert [share.revision for share in running.wanted] == [R0]


async def test_while_it_goes_on_it_is_neither_settled_nor_failed(world: GoogleWorld, runs: CloudRun) -> None:
    world.inject("slow_reconcile", seconds=3600)
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    assert await runs.settled(handle) is None
    running = await runs.running(SITE)
    assert not running.settled
    assert running.whole == R1
    assert running.fence == 7


PASSING = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "CANCELLED", "ABORTED"]


@pytest.mark.parametrize("code", PASSING)
async def test_a_failed_poll_says_nothing_about_the_write(world: GoogleWorld, runs: CloudRun, code: str) -> None:
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    world.inject("poll_unavailable", code=code)
    with pytest.raises(Unavailable):
        await runs.settled(handle)
    assert (await done(runs, handle)).ok


async def test_a_wait_goes_on_in_another_process_from_the_handle_alone(world: GoogleWorld, runs: CloudRun) -> None:
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    async with connected(world) as another:
        assert (await done(another, handle)).ok


async def test_a_forgotten_handle_means_that_the_service_itself_must_tell(world: GoogleWorld, runs: CloudRun) -> None:
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    world.inject("poll_forgotten")
    settled = await runs.settled(handle)
    assert settled is not None
    assert settled.ok
    assert settled.trouble.startswith("How the last change went cannot be read: it is not there")


async def test_without_the_right_to_ask_after_a_write_the_service_itself_must_tell(
    world: GoogleWorld, runs: CloudRun
) -> None:
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    world.inject("poll_unavailable", code="PERMISSION_DENIED")
    settled = await runs.settled(handle)
    assert settled is not None
    assert settled.ok


# Who may write, and what is true afterwards -------------------------------------------------------------------------


UNCLEAR = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED", "DATA_LOSS"]


@pytest.mark.parametrize("code", UNCLEAR)
async def test_a_write_without_an_answer_is_unknown_and_took_effect_once(
    world: GoogleWorld, runs: CloudRun, code: str
) -> None:
    world.inject("lost_reply", code=code)
    with pytest.raises(OutcomeUnknown, match="no clear answer"):
        await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    running = await runs.running(SITE)
    assert (running.fence, running.operation) == (7, "op-1")
    assert [write.accepted for write in world.writes] == [True]


@pytest.mark.parametrize("code", UNCLEAR)
async def test_a_write_that_never_arrived_is_unknown_too(world: GoogleWorld, runs: CloudRun, code: str) -> None:
    seen = await runs.running(SITE)
    world.inject("lost_request", code=code)
    with pytest.raises(OutcomeUnknown, match="no clear answer"):
        await runs.shift(SITE, seen=seen, shares=(Share(R0, 100),), lease=lease())
    assert await runs.running(SITE) == seen
    assert world.writes == []


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        ("RESOURCE_EXHAUSTED", Unavailable, "Google asks to wait"),
        ("ABORTED", Conflict, "somebody else changed it"),
        ("FAILED_PRECONDITION", Rejected, "its state does not allow it"),
        ("UNAUTHENTICATED", Rejected, "identity was not accepted"),
    ],
)
async def test_what_a_refusal_means_is_told_apart(
    world: GoogleWorld, runs: CloudRun, code: str, error: type[ReleaseBotError], says: str
) -> None:
    seen = await runs.running(SITE)
    world.inject("write_refused", code=code)
    with pytest.raises(error, match=says):
        await runs.shift(SITE, seen=seen, shares=(Share(R0, 100),), lease=lease())
    assert await runs.running(SITE) == seen


async def test_a_write_that_outlasts_its_deadline_is_unknown_and_may_still_arrive(world: GoogleWorld) -> None:
    world.inject("late_write", seconds=1)
    async with connected(world, write_deadline=0.5) as runs:
        seen = await runs.running(SITE)
        with pytest.raises(OutcomeUnknown):
            await runs.shift(SITE, seen=seen, shares=(Share(R0, 100),), lease=lease())
        async with asyncio.timeout(120):
            while (await runs.running(SITE)).whole != R0:
                pass
        assert traffic(world) == [(R0, 100, "")]


async def test_a_refused_write_changes_nothing(world: GoogleWorld, runs: CloudRun) -> None:
    world.inject("write_refused")
    seen = await runs.running(SITE)
    with pytest.raises(Rejected, match="the bot may not do that"):
        await runs.shift(SITE, seen=seen, shares=(Share(R0, 100),), lease=lease())
    assert await runs.running(SITE) == seen
    assert [(write.accepted, write.why) for write in world.writes] == [(False, "PERMISSION_DENIED")]


@pytest.mark.parametrize(
    ("seconds", "error"), [(-1, LostLease), (0.05, Unavailable), (9.5, Unavailable)], ids=["over", "nearly", "short"]
)
async def test_nothing_is_sent_unless_the_lease_outlives_the_call(
    world: GoogleWorld, runs: CloudRun, monkeypatch: pytest.MonkeyPatch, seconds: float, error: type[ReleaseBotError]
) -> None:
    monkeypatch.setattr("commands.ports.time", SimpleNamespace(monotonic=lambda: 0.0))  # only leases go by this one
    held = Lease("op-1", 7, ends=seconds)
    with pytest.raises(error):
        await deploy(runs, lease=held)
    with pytest.raises(error):
        await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=held)
    assert world.writes == []


async def test_a_newer_fence_on_the_service_stops_an_older_writer(world: GoogleWorld, runs: CloudRun) -> None:
    await done(
        runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=lease(fence=9))
    )
    with pytest.raises(LostLease, match="taken over"):
        await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease(fence=8))
    assert traffic(world) == [(R1, 100, "")]


async def test_what_changed_since_it_was_seen_is_not_overwritten(world: GoogleWorld, runs: CloudRun) -> None:
    seen = await runs.running(SITE)
    await done(runs, await runs.shift(SITE, seen=seen, shares=(Share(R0, 100),), lease=lease()))
    with pytest.raises(Conflict, match="Somebody else changed"):
        await runs.shift(SITE, seen=seen, shares=(Share(R1, 100),), lease=lease())
    assert traffic(world) == [(R0, 100, "")]
    assert len(world.writes) == 1


@pytest.mark.parametrize("enforced", [True, False])
async def test_a_write_between_our_look_and_our_write_ends_right_only_where_etags_count(
    world: GoogleWorld, runs: CloudRun, enforced: bool
) -> None:
    """Our look is answered with the state before the last write, as a replica that lags behind would."""
    world.inject("etag_enforced" if enforced else "etag_ignored")
    seen = await runs.running(SITE)
    await done(runs, await runs.shift(SITE, seen=seen, shares=(Share(R0, 100),), lease=lease(fence=8)))
    world.inject("stale_read")
    late = runs.shift(SITE, seen=seen, shares=(Share(R1, 100),), lease=lease(fence=7))
    if enforced:
        with pytest.raises(Conflict):
            await late
        assert traffic(world) == [(R0, 100, "")]
        assert world.writes[-1].why == "ABORTED"
    else:
        await done(runs, await late)
        assert [write.fence for write in world.writes if write.accepted] == [8, 7]  # so the writer must look again


async def test_the_first_call_of_many_at_once_makes_one_client(world: GoogleWorld, runs: CloudRun) -> None:
    found = await asyncio.gather(*(runs.running(SITE) for _ in range(8)))
    assert {running.whole for running in found} == {R1}


async def test_without_an_identity_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    import google.auth.exceptions

    def nobody(**_: object) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("no")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", nobody)
    runs = CloudRun()
    with pytest.raises(Unavailable, match="no Google identity"):
        await runs.running(SITE)
    await runs.close()


async def test_an_image_by_tag_is_known_by_its_digest_on_the_revision(world: GoogleWorld, runs: CloudRun) -> None:
    world.push(f"{IMAGE}:v3", V0)
    name = world.add_revision(SITE, f"{IMAGE}:v3", serves=False)
    found = await runs.revision(SITE, name)
    assert found is not None
    assert found.digest == V0
    assert world.engine.records[SITE].service.template.containers[0].image == f"{IMAGE}:v3"


async def test_seen_is_what_binds_not_what_is_read_again(world: GoogleWorld, runs: CloudRun) -> None:
    seen = replace(await runs.running(SITE), etag='"another"')
    with pytest.raises(Conflict):
        await deploy(runs, seen=seen)
    assert world.writes == []


# Somebody else writes too ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enforced", [True, False])
async def test_somebody_who_writes_between_our_look_and_our_write_is_overwritten_only_where_etags_do_not_count(
    world: GoogleWorld, runs: CloudRun, enforced: bool
) -> None:
    world.inject("etag_enforced" if enforced else "etag_ignored")
    await done(runs, await deploy(runs))
    world.inject("rival", when="before", does="shift", revision=R0)
    ours = runs.shift(
        SITE, seen=await runs.running(SITE), shares=(Share(R1, 90), Share(R2, 10, "green")), lease=lease()
    )
    if enforced:
        with pytest.raises(Conflict):
            await ours
        async with asyncio.timeout(120):
            while not (await runs.running(SITE)).settled:
                pass
        assert traffic(world) == [(R0, 100, ""), (R2, 0, "green")]
    else:
        await done(runs, await ours)
        assert traffic(world) == [(R1, 90, ""), (R2, 10, "green")]
    assert [write.operation for write in world.writes[-2:]] == ["", "op-1"]


async def test_somebody_who_writes_right_after_us_shows_when_it_is_read_back(
    world: GoogleWorld, runs: CloudRun
) -> None:
    world.inject("rival", when="after", does="shift", revision=R1)
    handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
    assert (await done(runs, handle)).ok
    async with asyncio.timeout(120):
        while not (running := await runs.running(SITE)).settled:
            pass
    assert running.whole == R1
    assert [share.revision for share in running.wanted] == [R1]
    assert (running.fence, running.operation) == (
        7,
        "op-1",
    )  # they know nothing of our annotations: these prove nothing


async def test_what_others_say_of_a_service_is_not_undone(world: GoogleWorld, runs: CloudRun) -> None:
    world.inject("rival", when="before", does="touch")
    await done(runs, await deploy(runs))
    assert world.engine.records[SITE].service.description.startswith("touched")


async def test_a_tag_on_the_latest_revision_stays_on_whichever_is_the_latest(
    world: GoogleWorld, runs: CloudRun
) -> None:
    record = world.engine.records[SITE]
    record.service.traffic.insert(0, type(record.service.traffic[0])(type_=1, percent=0, tag="newest"))
    world.engine.settle(record)
    await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease()))
    line = next(line for line in record.service.traffic if line.tag == "newest")
    assert (line.type_, line.revision) == (1, "")


async def test_a_split_is_nobodys_whole(world: GoogleWorld, runs: CloudRun) -> None:
    world.inject("rival", does="split", revision=R0, percent=30)
    async with asyncio.timeout(120):
        while not (running := await runs.running(SITE)).settled:
            pass
    assert running.whole is None
    assert {(share.revision, share.percent) for share in running.serving} == {(R1, 70), (R0, 30)}


async def test_somebody_elses_broken_deployment_is_seen_and_does_not_hold_our_traffic(
    world: GoogleWorld, runs: CloudRun
) -> None:
    world.inject("rival", does="broken")
    async with asyncio.timeout(120):
        while not (running := await runs.running(SITE)).settled:
            pass
    assert running.whole == R1
    assert "failed to start" in running.trouble
    handle = await runs.shift(SITE, seen=running, shares=(Share(R0, 100),), lease=lease())
    assert not (await done(runs, handle)).ok  # so the answer proves nothing; the world does
    assert (await runs.running(SITE)).whole == R0


async def test_a_replica_that_lags_shows_the_past_and_then_the_present(clock: HandClock) -> None:
    async with google(clock) as world, connected(world) as runs:
        world.inject("lagging_reads", seconds=20)
        handle = await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease())
        assert (await done(runs, handle)).ok
        running = await runs.running(SITE)
        assert (running.whole, running.fence, running.settled) == (R1, 0, True)
        clock.advance(timedelta(seconds=20))
        running = await runs.running(SITE)
        assert (running.whole, running.fence) == (R0, 7)


# Frozen writers -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def frozen_at(world: GoogleWorld) -> AsyncIterator[tuple[Freezing, asyncio.Task[str]]]:
    """A writer with fence 7 and a lease of a minute, about to send everything to R0."""
    old = Freezing(world.grpc_address)
    old.freezes = True
    try:
        write = asyncio.create_task(
            old.shift(SITE, seen=await old.running(SITE), shares=(Share(R0, 100),), lease=lease("op-1", 7))
        )
        await old.frozen.wait()
        yield old, write
    finally:
        await old.close()


async def test_whoever_thaws_after_the_lease_is_over_sends_nothing(
    world: GoogleWorld, runs: CloudRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with frozen_at(world) as (old, write):
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 61)
        monkeypatch.setattr("commands.ports.time", later)  # only leases go by this one
        new = lease("op-2", 8, seconds=600)
        await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=new))
        old.thawed.set()
        with pytest.raises(LostLease, match="nothing was sent"):
            await write
    assert traffic(world) == [(R1, 100, "")]
    assert [write.fence for write in world.writes] == [8]


async def test_the_new_fence_kills_what_the_old_owner_has_in_flight_where_etags_count(
    world: GoogleWorld, runs: CloudRun
) -> None:
    """The newer one writes what is there already: its fence alone makes another etag."""
    world.inject("etag_enforced")
    async with frozen_at(world) as (old, write):
        new = lease("op-2", 8)
        await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=new))
        old.thawed.set()
        with pytest.raises(Conflict):
            await write
    assert traffic(world) == [(R1, 100, "")]


async def test_where_etags_do_not_count_a_stale_write_is_seen_by_its_fence_and_written_over(
    world: GoogleWorld, runs: CloudRun
) -> None:
    world.inject("etag_ignored")
    async with frozen_at(world) as (old, write):
        new = lease("op-2", 8)
        await done(runs, await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R1, 100),), lease=new))
        old.thawed.set()
        await done(old, await write)
        seen = await runs.running(SITE)
        assert (seen.whole, seen.fence, seen.operation) == (R0, 7, "op-1")
        await done(runs, await runs.shift(SITE, seen=seen, shares=(Share(R1, 100),), lease=new))
    assert traffic(world) == [(R1, 100, "")]
    with pytest.raises(LostLease):
        await runs.shift(SITE, seen=await runs.running(SITE), shares=(Share(R0, 100),), lease=lease("op-1", 7))
