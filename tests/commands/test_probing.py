"""Probes that a path asks for, as they read in the channel: sent while a request waits, once for what serves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from commands import probing
from commands.carry_out import advance
from commands.plan import PlannedProbe
from commands.ports import EntryPhase, Probed, Request, Shown
from tests.conversation import Bot, plays
from tests.world import Behaviour, Town, commit, digest, revision_of, site_of

SETS = {"alive": [{"path": "/healthz"}, {"path": "/", "repeat": 3}]}
PROBES = {"kind": "probe", "probes": "alive", "environment": "stage", "max_age": "PT4H"}
ROLLOUT: dict[str, object] = {"steps": [{"percent": 100, "hold": "PT1S"}], "smoke": [{"path": "/healthz"}]}
ROLLOUT["health"] = {"max_error_percent": 1, "min_requests": 1}
PASSED = "✓ checkout in stage (c2c2c2c2c2c2): 2 of 2 alive probes passed: GET /healthz 200, GET / 200 ×3."
ASKS = "    maya: /release promote checkout stage→prod"
OPEN = f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Approve] [Reject] [Cancel]
         …
         ✓ probed: 2 of 2 alive probes passed in stage
         …
    bot: {PASSED}
"""
FAILED = "1 of 2 failed in stage: /healthz 503 instead of 200"


@pytest.fixture
def town(town: Town) -> Town:
    town.policies.adopt(probes=SETS, gates={"probed": PROBES}, to_prod={"requires": ["probed"], "rollout": ROLLOUT})
    return town


def sent(town: Town, version: int = 2) -> int:
    """So many requests were sent to that revision while it served stage."""
    return sum(count for _, name, count, _ in town.metrics.probed if name == revision_of("checkout", version))


@pytest.mark.requirement("S2-12")
async def test_what_a_path_asks_for_is_sent_once_and_counts_for_all_looks(town: Town) -> None:
    await plays(OPEN, town)
    assert sent(town) == 4
    await plays("… 2 h later", town)
    assert sent(town) == 4, "many looks, and nothing was sent anew"


async def test_asking_why_sends_nothing_and_tells_what_is_known(town: Town) -> None:
    why = """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         {}
         …
    """
    await plays(why.format("? probed: alive did not run in stage on c2c2c2c2c2c2"), town)
    await plays(
        """
    maya: /release promote checkout stage→prod --plan
    bot → maya: Dry run of checkout stage→prod: …
         …
    """,
        town,
    )
    assert sent(town) == 0
    await plays(OPEN + why.format("✓ probed: 2 of 2 alive probes passed in stage"), town)
    assert sent(town) == 4


async def test_a_probe_that_fails_is_named_and_sent_again_when_somebody_says_so(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Check again] [Cancel]
         …
         ✗ probed: {FAILED}
         …
    bot: ✗ checkout in stage (c2c2c2c2c2c2): 1 of 2 alive probes failed: /healthz 503 instead of 200. Check again sends them once more.
    … 1 h later
    """,
        town,
    )
    assert sent(town) == 4, "it failed once, and that stands"
    del town.runs.behaviours[digest("checkout", 2)]
    await plays(
        f"""
    maya: [Check again]
    bot: @maya had it looked at again.
    bot: {PASSED}
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: … [Approve] [Reject] [Cancel]
    … 1 h later
    """,
        town,
    )
    assert sent(town) == 8


async def test_another_build_and_answers_of_yesterday_are_probed_again(town: Town) -> None:
    await plays(OPEN, town)
    town.clock.move(timedelta(hours=4) - timedelta(minutes=10))
    await plays("… 1 min later", town)
    assert sent(town) == 4
    await plays(f"… 20 min later\nbot: {PASSED}", town)
    assert sent(town) == 8, "they counted for four hours"
    town.policies.adopt(probes={"alive": [{"path": "/healthz"}]})
    await plays(
        """
    … 20 min later
    bot: What would be done has changed: policy hash. Approvals start again.
    bot: ✓ checkout in stage (c2c2c2c2c2c2): 1 of 1 alive probes passed: GET /healthz 200.
    """,
        town,
    )
    assert sent(town) == 9, "other questions have no answers yet"
    town.version("checkout", 3, "Mend it", "lea-gh")
    town.deployed("checkout", "stage", 3, ago=timedelta(hours=25))
    await plays(
        """
    … 20 min later
    bot: What would be done has changed: …. Approvals start again.
    bot: ✓ checkout in stage (c3c3c3c3c3c3): 1 of 1 …
    bot now: checkout c3c3c3c3c3c3 → prod is waiting …
    bot now: Plan for checkout c3c3c3c3c3c3 → prod: …
    """,
        town,
    )
    assert (sent(town), sent(town, 3)) == (9, 1)


async def test_the_same_build_as_another_revision_is_probed_again(town: Town) -> None:
    await plays(OPEN, town)
    stage, name = site_of("checkout", "stage"), "checkout-other-settings"
    ago = town.clock.now() - timedelta(hours=25)
    town.runs.add(stage, name, digest("checkout", 2), commit("checkout", 2), ago)
    await plays(f"… 20 min later\nbot: {PASSED}", town)
    assert [one for _, one, *_ in town.metrics.probed].count(name) == 2


async def test_nothing_counts_that_was_answered_while_traffic_moved(town: Town) -> None:
    port, stage = town.probes.probe, site_of("checkout", "stage")

    async def meanwhile(address: str, probe: PlannedProbe) -> Probed:
        shares = {revision_of("checkout", 1).replace("-", "_"): 50, revision_of("checkout", 2).replace("-", "_"): 50}
        town.runs.somebody_moves(stage, **shares)
        return await port(address, probe)

    town.probes.probe = meanwhile  # type: ignore[method-assign]
    await plays(
        f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Check again] [Cancel]
    bot: The alive probes were not sent to stage: what it serves was changed meanwhile.
    """,
        town,
    )
    async with Bot(town) as bot:
        assert await bot.store.shown("checkout") == ()


async def test_what_was_seen_stands_in_the_ledger_without_a_word_of_what_was_answered(town: Town) -> None:
    await plays(OPEN, town)
    async with Bot(town) as bot:
        (row,) = [row for row in await bot.store.history("checkout", 50) if row.what == "probed"]
    assert row.phase is EntryPhase.OBSERVATION
    assert (row.target["revision"], row.target["digest"]) == (revision_of("checkout", 2), digest("checkout", 2))
    assert row.detail["commit"] == commit("checkout", 2)
    assert (row.detail["failed"], row.detail["total"]) == ([], 2)
    assert row.detail["answers"] == [
        {"probe": "GET /healthz", "saw": [200], "slowest_ms": 12},
        {"probe": "GET /", "saw": [200, 200, 200], "slowest_ms": 12},
    ]


async def test_a_network_that_stalls_holds_nobody_up(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "WITHIN", timedelta(milliseconds=50))

    async def stalls(address: str, probe: PlannedProbe) -> Probed:
        await asyncio.Event().wait()
        raise AssertionError(address, probe)

    town.probes.probe = stalls  # type: ignore[method-assign]
    await plays(
        f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Check again] [Cancel]
         …
         ✗ probed: 2 of 2 failed in stage: /healthz no answer instead of 200 and / no answer instead of 200
         …
    bot: ✗ checkout in stage (c2c2c2c2c2c2): 2 of 2 alive probes failed: …
    """,
        town,
    )


def asks(words: str) -> Request:
    return Request("r1", words, "slack:T0ACME/U0MAYA", "C0RELEASES")


async def test_of_several_that_go_as_one_each_is_probed_where_its_path_asks(town: Town) -> None:
    async with Bot(town) as bot:
        await bot.hears(asks("promote checkout,payments stage→prod"))
        await bot.rests()
        kept = {
            row.place.service: (row.digest, row.found["failed"]) for name in SHIPS for row in await shown(bot, name)
        }
    assert kept == {name: (digest(name, 2), []) for name in SHIPS}


async def test_a_process_that_dies_before_it_sends_leaves_it_to_the_next(town: Town) -> None:
    async with Bot(town) as bot:
        await bot.hears(asks("promote checkout stage→prod"))
        first = await bot.store.claim()
        assert first is not None
        await bot.store.commit(await advance(*first, bot.world), first[1])
        (operation,) = await bot.store.open_operations()
        assert probing.is_about_to_send(operation)
        assert sent(town) == 0
    town.clock.move(timedelta(minutes=2))
    async with Bot(town) as bot:
        await bot.rests()
        assert len(await shown(bot, "checkout")) == 1
    assert sent(town) == 4


SHIPS = ("checkout", "payments")


async def shown(bot: Bot, service: str) -> tuple[Shown, ...]:
    return await bot.store.shown(service)
