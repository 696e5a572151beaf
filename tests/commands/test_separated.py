"""Is what runs configured as its environment demands? Looked at with each decision, and at what was really made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.errors import Unavailable
from commands.ports import Configuration, Request
from commands.separated import still_separate
from policy.model import Place
from policy.settings import Configured
from tests.conversation import Bot, plays
from tests.world import Town, Write, revision_of, site_of

SECRET = "postgres://app:hunter2@db.prod.internal/app"
STAGE, PROD = (
    Configured(
        {
            "APP_ENV": environment,
            "DB_HOST": f"db.{environment}.internal",
            "API_BASE": f"https://{environment}.acme.com",
        },
        {"TOKEN": f"projects/acme-{environment}/secrets/{environment.upper()}_TOKEN/versions/3"},
        f"app@acme-{environment}.iam.gserviceaccount.com",
    )
    for environment in ("stage", "prod")
)
DEMANDS: dict[str, dict[str, Any]] = {
    environment: {
        "require": {"APP_ENV": environment},
        "databases": [f"db.{environment}.internal"],
        "database_keys": ["DB_HOST"],
        "secrets": [f"projects/acme-{environment}/secrets/*"],
        "service_accounts": [f"*@acme-{environment}.iam.gserviceaccount.com"],
    }
    for environment in ("stage", "prod")
}
HERE = Place("checkout", "prod")


def demanding(town: Town, mode: str = "block", of: tuple[str, ...] = ("stage", "prod"), **more: Any) -> None:
    """Stage and prod demand settings, and every service has them; a gate looks at those `of` these."""
    environments = {
        "stage": {"rank": 1, "settings": {**DEMANDS["stage"], **more}},
        "prod": {"rank": 2, "production": True, "settings": {**DEMANDS["prod"], **more}},
    }
    gate = {"kind": "settings", "environments": [*of], "mode": mode}
    town.policies.adopt(environments=environments, gates={"apart": gate}, to_prod={"requires": ["apart"]})
    for service in ("checkout", "payments", "search"):
        for environment, config in (("stage", STAGE), ("prod", PROD)):
            town.settings.always(site_of(service, environment), config)


async def finds(town: Town, line: str) -> None:
    """`why` has this line about the gate."""
    await plays(
        f"""
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         {line}
         …
    """,
        town,
    )


def but(config: Configured, **variables: str) -> Configured:
    return replace(config, variables={**config.variables, **variables})


# Before -------------------------------------------------------------------------------------------------------------


async def test_with_everything_as_demanded_nothing_is_wrong(town: Town) -> None:
    demanding(town, own_values=["API_BASE", "TOKEN"])
    await finds(town, "✓ apart: nothing is wrong in stage and prod")


@pytest.mark.requirement("S1-11", "S0-31", "S0-32")
@pytest.mark.parametrize(
    ("config", "says"),
    [
        (but(PROD, APP_ENV="stage"), "APP_ENV: must be prod"),
        (but(PROD, DB_HOST="db.stage.internal"), "DB_HOST: not a database of this environment"),
        (replace(PROD, account=""), "service_account: the default account is none of this environment"),
        (replace(PROD, secrets=STAGE.secrets), "TOKEN: secret STAGE_TOKEN is none of this environment"),
        (replace(PROD, databases=("acme-stage:eu:main",)), "database: acme-stage:eu:main is none of this environment"),
    ],
)
async def test_what_the_next_revision_would_have_wrong_is_named_by_its_key(
    town: Town, config: Configured, says: str
) -> None:
    demanding(town)
    town.settings.somebody_sets(site_of("checkout"), config)
    await finds(town, f"✗ apart: prod checkout.{says}")


async def test_every_service_of_an_environment_is_looked_at(town: Town) -> None:
    demanding(town)
    town.settings.somebody_sets(site_of("payments"), but(PROD, APP_ENV="stage"))
    await finds(town, "✗ apart: prod payments.APP_ENV: must be prod")


async def test_what_serves_elsewhere_counts_too_and_what_a_promotion_puts_right_does_not(town: Town) -> None:
    demanding(town)
    for environment, good in (("stage", STAGE), ("prod", PROD)):
        site = site_of("checkout", environment)
        town.settings.always(site, but(good, APP_ENV="test"))
        town.settings.somebody_sets(site, good)
        town.runs.add(
            site,
            "checkout-next",
            town.runs.places[site].revisions[revision_of("checkout", 1)].digest,
            None,
            town.clock.now(),
        )
        town.runs.somebody_moves(site, **{revision_of("checkout", 1).replace("-", "_"): 100})
    served = f"(in {revision_of('checkout', 1)}, which serves)"
    await finds(town, f"✗ apart: stage checkout.APP_ENV: must be stage {served}")


@pytest.mark.requirement("S0-34", "D-12")
async def test_values_that_must_be_an_environments_own_are_compared_and_not_shown(town: Town) -> None:
    demanding(town, own_values=["API_BASE", "TOKEN"])
    town.settings.somebody_sets(site_of("checkout"), but(PROD, API_BASE=STAGE.variables["API_BASE"]))
    await finds(town, "✗ apart: stage checkout.API_BASE: has the same value in prod and prod checkout.API_BASE: has …")


async def test_values_are_compared_with_environments_that_the_gate_does_not_look_at(town: Town) -> None:
    demanding(town, of=("prod",), own_values=["API_BASE"])
    await finds(town, "✓ apart: nothing is wrong in prod")
    town.settings.somebody_sets(site_of("checkout", "stage"), but(STAGE, API_BASE=PROD.variables["API_BASE"]))
    await finds(town, "✗ apart: prod checkout.API_BASE: has the same value in stage")


async def test_a_container_beside_must_have_nothing_wrong_and_need_not_have_what_is_required(town: Town) -> None:
    demanding(town)
    beside = Configured({"DB_HOST": "db.stage.internal"})
    town.settings.somebody_sets(site_of("checkout"), PROD, beside={"proxy": beside})
    await finds(town, "✗ apart: prod checkout.proxy.DB_HOST: not a database of this environment")
    town.settings.somebody_sets(site_of("checkout"), PROD, beside={"proxy": but(beside, DB_HOST="db.prod.internal")})
    await finds(town, "✓ apart: nothing is wrong in stage and prod")


async def test_what_cannot_be_read_blocks_with_the_reason_and_hides_nothing_that_is_wrong(town: Town) -> None:
    demanding(town)
    town.settings.away = True
    why = "Cloud Run does not say how it is configured."
    await finds(town, f"? apart: how checkout in stage is configured could not be read: {why}")
    town.settings.away = False
    town.settings.somebody_sets(site_of("checkout"), but(PROD, APP_ENV="stage"))
    town.settings.unreadable.add(site_of("search", "stage"))
    await finds(town, "✗ apart: prod checkout.APP_ENV: must be prod and stage was not looked at")


@pytest.mark.requirement("S0-18", "S4-134")
async def test_two_environments_are_compared_by_names_and_sizes(town: Town) -> None:
    demanding(town)
    gate = {
        "kind": "parity",
        "left": "stage",
        "right": "prod",
        "shape": ["services", "env_keys", "secret_keys", "memory"],
    }
    town.policies.adopt(gates={"apart": gate})
    await finds(town, "✓ apart: stage and prod have the same services, env_keys, secret_keys and memory")
    shape = {"memory": "1Gi"}
    town.settings.somebody_sets(site_of("checkout"), but(PROD, SENTRY_DSN="https://x"), shape=shape)
    await finds(
        town, "✗ apart: stage and prod differ: checkout memory 512Mi≠1Gi and checkout env key SENTRY_DSN only in prod"
    )
    town.settings.away = True
    await finds(town, "? apart: how checkout in stage is configured could not be read: …")


@pytest.mark.requirement("S4-091")
async def test_an_image_is_judged_by_what_it_is_called_where_it_serves(town: Town) -> None:
    town.policies.adopt(
        gates={"apart": {"kind": "image", "names": ["registry/acme/**"]}}, to_prod={"requires": ["apart"]}
    )
    await finds(town, "✓ apart: registry/acme/app@sha256:c2c2… may be promoted")
    town.policies.adopt(gates={"apart": {"kind": "image", "names": ["registry/other/**"]}})
    await finds(town, "✗ apart: registry/acme/app@sha256:c2c2… is not called like registry/other/**")
    town.runs.away = True
    await finds(town, "? apart: …")


# After --------------------------------------------------------------------------------------------------------------


async def after(town: Town, made: Configured | None = None, **beside: Configured) -> str | None:
    """What is said of the revision that serves, had it been made so."""
    site, policy = site_of("checkout"), town.policies.current().policy
    if made is not None:
        town.settings.made[site, revision_of("checkout", 1)] = Configuration(made, beside)
    async with Bot(town) as bot:
        return await still_separate(bot.world, policy, HERE, revision_of("checkout", 1))


async def test_a_revision_that_was_made_as_demanded_may_serve(town: Town) -> None:
    demanding(town)
    assert await after(town) is None


async def test_a_revision_that_was_made_otherwise_may_not_and_its_values_are_not_told(town: Town) -> None:
    demanding(town, database_keys=["DB_HOST", "DB_URL"])
    said = await after(town, but(replace(PROD, secrets=STAGE.secrets), DB_URL=SECRET, APP_ENV="stage"))
    name = revision_of("checkout", 1)
    assert said == (
        f"{name} is not configured as prod demands: APP_ENV: must be prod; "
        "TOKEN: secret STAGE_TOKEN is none of this environment"
    )
    assert "hunter2" not in str(await after(town, but(PROD, DB_URL=SECRET.replace("prod", "stage"))))


async def test_what_runs_beside_it_must_be_right_too(town: Town) -> None:
    demanding(town)
    assert "proxy.DB_HOST: not a" in str(await after(town, PROD, proxy=Configured({"DB_HOST": "db.stage.internal"})))


async def test_values_of_its_own_are_compared_with_the_other_environments(town: Town) -> None:
    demanding(town, own_values=["API_BASE"])
    assert await after(town, PROD) is None
    said = await after(town, but(PROD, API_BASE=STAGE.variables["API_BASE"]))
    assert said is not None
    assert said.endswith("API_BASE: has the same value in stage")


async def test_a_revision_that_is_gone_cannot_be_told_to_be_right(town: Town) -> None:
    demanding(town)
    async with Bot(town) as bot:
        said = await still_separate(bot.world, town.policies.current().policy, HERE, "checkout-gone")
    assert said == "checkout-gone is gone, so nobody can tell how it is configured"


async def test_without_an_answer_it_is_not_known_and_nothing_is_made_up(town: Town) -> None:
    demanding(town)
    town.settings.away = True
    with pytest.raises(Unavailable):
        await after(town)


async def test_where_no_path_blocks_on_it_nothing_is_asked(town: Town) -> None:
    town.settings.away = True
    assert await after(town) is None
    demanding(town, mode="warn")
    assert await after(town) is None


@pytest.mark.requirement("S1-15")
async def test_a_new_revision_that_came_out_otherwise_gets_no_traffic(town: Town) -> None:
    demanding(town)
    town.settings.next.append(replace(PROD, secrets=STAGE.secrets))
    await released(town)
    assert town.runs.ever_served(site_of("checkout"))[-1] == {revision_of("checkout", 1): 100}
    assert all(revision_of("checkout", 2) not in split for split in town.runs.ever_served(site_of("checkout")))
    said = [message.now["text"] for message in town.slack.messages]
    wrong = "TOKEN: secret STAGE_TOKEN is none of this environment"
    name = revision_of("checkout", 2)
    assert f"✗ checkout c2c2c2c2c2c2 → prod: {name} is not configured as prod demands: {wrong}" in said
    assert await observed(town) == [("not separate", f"{name} is not configured as prod demands: {wrong}")]
    async with Bot(town) as bot:
        assert await bot.store.holds() == (), "it is not the candidate's fault"


async def test_what_serves_in_the_end_is_looked_at_again_and_that_is_on_record(town: Town) -> None:
    demanding(town)
    await released(town)
    assert town.runs.traffic("checkout") == {revision_of("checkout", 2): 100}
    assert await observed(town) == [("separate", "")]


async def test_what_is_no_longer_as_it_must_be_in_the_end_is_said(town: Town) -> None:
    demanding(town, own_values=["API_BASE"])
    stage = site_of("checkout", "stage")

    async def somebody_meanwhile(write: Write) -> None:
        if write.shares[0].percent == 50:
            town.settings.somebody_sets(stage, but(STAGE, API_BASE=PROD.variables["API_BASE"]))

    town.runs.witness = somebody_meanwhile
    await released(town)
    wrong = "checkout-r-c2c2c2c2c2c2 is not configured as prod demands: API_BASE: has the same value in stage"
    assert await observed(town) == [("not separate", wrong)]
    assert any(wrong in str(message.now) for message in town.slack.messages)


async def test_without_an_answer_about_its_settings_a_new_revision_gets_no_traffic(town: Town) -> None:
    demanding(town)
    rollout = town.policies.current().policy.paths[0].rollout.model_dump(mode="python")
    town.policies.adopt(to_prod={"rollout": rollout | {"deploy_within": timedelta(seconds=20)}})
    town.settings.unreadable_once_made.add(site_of("checkout"))
    await released(town)
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 100}
    assert any("cannot be told" in message.now["text"] for message in town.slack.messages)


async def test_where_nothing_is_demanded_nothing_is_recorded(town: Town) -> None:
    await released(town)
    assert town.runs.traffic("checkout") == {revision_of("checkout", 2): 100}
    assert await observed(town) == []


async def released(town: Town) -> None:
    """Maya asks, Omar agrees, and it goes where it can."""
    async with Bot(town) as bot:
        await bot.hears(request(town, "maya", "promote checkout stage→prod"))
        (operation,) = await bot.store.open_operations()
        assert operation.plan is not None
        await bot.hears(request(town, "omar", f"approve {operation.id} plan:{operation.plan.hash[:8]}"))
        await bot.rests()
        assert not bot.surprises


def request(town: Town, who: str, words: str) -> Request:
    return Request(words, words, town.people.account(who), "C0RELEASES", at=town.clock.now())


async def observed(town: Town) -> list[tuple[str, str]]:
    """What the ledger says of it."""
    async with Bot(town) as bot:
        rows = reversed(await bot.store.newest(200))
    return [(row.what, row.detail.get("says", "")) for row in rows if "separate" in row.what]
