"""The loop that looks around: it looks again soon where something was seen, and goes on whatever one place does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from google.cloud import run_v2
from google.protobuf import field_mask_pb2

from bot import drift_watch
from bot.cloud_run import resource
from bot.cloud_run_settings import CloudRunSettings
from bot.drift_watch import DriftWatch
from commands.notice import notice
from commands.ports import Watched, World, Writes
from policy.document import Policy
from policy.model import Place
from policy.settings import Configured
from tests.bot.google_story import IMAGE, R0, SITE, google, runs_of
from tests.conversation import Bot
from tests.world import site_of, story

PROD = Place("checkout", "prod")


async def test_what_is_seen_is_told_after_a_second_look_which_comes_soon(tmp_path: Path) -> None:
    town = story(tmp_path)
    async with Bot(town) as bot:
        watch = DriftWatch(bot.world, every=3600, again=0.01)
        await watch.look()
        town.settings.somebody_sets(site_of("checkout"), Configured({"A": "1"}))
        running = asyncio.create_task(watch.run())
        async with asyncio.timeout(60):
            while not [row for row in await bot.store.newest(9) if row.kind == "drift"]:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_one_look_that_saw_something_else_tells_nothing(tmp_path: Path) -> None:
    town = story(tmp_path)
    async with Bot(town) as bot:
        watch = DriftWatch(bot.world)
        await watch.look()
        usual = town.settings.made.copy()
        for value in ("1", "2", "3"):
            town.settings.somebody_sets(site_of("checkout"), Configured({"A": value}))
            await watch.look()
        assert not [row for row in await bot.store.newest(9) if row.kind == "drift"]
        assert usual == {}


async def test_a_place_that_fails_in_a_way_nobody_foresaw_keeps_no_other_from_being_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumbles(world: World, policy: Policy, place: Place, before: Watched | None, salt: str) -> Writes | None:
        if place == PROD:
            raise KeyError(place)
        return await notice(world, policy, place, before, salt)

    monkeypatch.setattr(drift_watch, "notice", stumbles)
    async with Bot(story(tmp_path)) as bot:
        await DriftWatch(bot.world).look()
        seen = {each.place for each in await bot.store.watched()}
    assert len(seen) == 5
    assert PROD not in seen
    assert "failed in a way nobody foresaw" in caplog.text


async def told(bot: Bot, watch: DriftWatch, so_often: int) -> list[str]:
    """What was last told as changed, once it was told so often; looked for again and again."""
    async with asyncio.timeout(60):
        while True:
            await watch.look()
            found = [row for row in await bot.store.newest(20) if row.kind == "drift"]
            if len(found) >= so_often:
                return list(found[0].detail["changed"])
            await asyncio.sleep(0.02)


@pytest.mark.requirement("D-13")
async def test_what_others_change_in_cloud_run_itself_is_seen(tmp_path: Path) -> None:
    async with google() as world, runs_of(world) as runs, Bot(story(tmp_path)) as bot:
        object.__setattr__(bot.world, "runs", runs)
        object.__setattr__(bot.world, "configurations", CloudRunSettings(runs))
        watch = DriftWatch(bot.world)
        await watch.look()
        world.inject("rival", site=SITE, does="shift", revision=R0)
        assert await told(bot, watch, 1) == ["traffic"]
        world.inject("rival", site=SITE, does="deploy")
        assert await told(bot, watch, 2) == ["image"]
        services = (await runs.clients.get()).services
        service = await services.get_service(name=resource(SITE))
        service.template.containers[0].env = [run_v2.EnvVar(name="TIMEOUT", value="hunter2")]
        service.template.containers[0].image = f"{IMAGE}:latest"
        service.template.service_account = "somebody@acme-prod.iam.gserviceaccount.com"
        service.template.revision = ""
        mask = field_mask_pb2.FieldMask(paths=["template"])
        await services.update_service(run_v2.UpdateServiceRequest(service=service, update_mask=mask))
        assert await told(bot, watch, 3) == ["image", "image by a tag", "service account", "variable TIMEOUT"]
        assert "hunter2" not in str([*await bot.store.newest(20), *await bot.store.watched()])


async def test_marks_of_two_places_are_made_with_different_salts(tmp_path: Path) -> None:
    town = story(tmp_path)
    for service in ("checkout", "search"):
        town.settings.always(site_of(service), Configured({"TOKEN": "hunter2"}))
    async with Bot(town) as bot:
        await DriftWatch(bot.world).look()
        marks = [
            each.last.marks["variable TOKEN"]
            for each in await bot.store.watched()
            if each.place.environment == "prod" and each.place.service != "payments"
        ]
    assert len(set(marks)) == 2
