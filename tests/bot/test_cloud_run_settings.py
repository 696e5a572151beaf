"""How what runs is configured, through Google's own client against the local likeness."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.cloud import run_v2

from bot.cloud_run_settings import CloudRunSettings
from bot.sandbox.google import GoogleWorld
from commands.errors import Rejected, Unavailable
from commands.ports import Configurations, Site
from policy.settings import Configured
from tests.bot.google_story import R1, R2, SITE, V1, deploy, done, google, image, runs_of

Raw = Any


@pytest.fixture
async def world() -> AsyncIterator[GoogleWorld]:
    async with google() as world:
        yield world


@pytest.fixture
async def settings(world: GoogleWorld) -> AsyncIterator[Configurations]:
    async with runs_of(world) as runs:
        yield CloudRunSettings(runs)


def template(world: GoogleWorld) -> Raw:
    return world.engine.records[SITE].service.template


def front(world: GoogleWorld) -> Raw:
    return template(world).containers[0]


async def found(settings: Configurations, revision: str = "") -> Configured:
    configuration = await settings.configured(SITE, revision)
    assert configuration is not None
    return configuration.main


def test_importing_it_loads_no_client_library() -> None:
    look = (
        "import sys, bot.cloud_run_settings; print([m for m in sys.modules if m.split('.')[0] in ('grpc', 'google')])"
    )
    shown = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


async def test_a_variable_is_its_value_and_a_secret_its_full_name(world: GoogleWorld, settings: Configurations) -> None:
    env = front(world).env
    env.add(name="APP_ENV", value="prod")
    env.add(name="EMPTY", value="")
    for name, secret, version in (
        ("DB_URL", "PROD_DB_URL", "7"),
        ("OTHER", "projects/acme-shared/secrets/KEY", "2"),
        ("NEWEST", "PROD_KEY", "latest"),
    ):
        reference = env.add(name=name).value_source.secret_key_ref
        reference.secret, reference.version = secret, version
    main = await found(settings)
    assert main.variables == {"APP_ENV": "prod", "EMPTY": ""}
    assert main.secrets == {
        "DB_URL": "projects/acme-prod/secrets/PROD_DB_URL/versions/7",
        "OTHER": "projects/acme-shared/secrets/KEY/versions/2",
        "NEWEST": "projects/acme-prod/secrets/PROD_KEY/versions/latest",
    }


async def test_a_mounted_secret_is_found_under_its_path(world: GoogleWorld, settings: Configurations) -> None:
    template(world).volumes.add(name="whole").secret.secret = "CERT"
    part = template(world).volumes.add(name="part").secret
    part.secret = "KEYS"
    part.items.add(path="a.pem", version="3")
    front(world).volume_mounts.add(name="whole", mount_path="/cert")
    front(world).volume_mounts.add(name="part", mount_path="/keys/")
    assert (await found(settings)).secrets == {
        "/cert": "projects/acme-prod/secrets/CERT/versions/latest",
        "/keys/a.pem": "projects/acme-prod/secrets/KEYS/versions/3",
    }


async def test_account_and_databases_are_told(world: GoogleWorld, settings: Configurations) -> None:
    assert (await found(settings)).account == ""
    template(world).service_account = "api@acme-prod.iam.gserviceaccount.com"
    template(world).volumes.add(name="sql").cloud_sql_instance.instances.append("acme-prod:europe-west1:main")
    template(world).annotations["run.googleapis.com/cloudsql-instances"] = "acme-prod:europe-west1:old, "
    main = await found(settings)
    assert main.account == "api@acme-prod.iam.gserviceaccount.com"
    assert main.databases == ("acme-prod:europe-west1:main", "acme-prod:europe-west1:old")


async def test_hosts_that_somebody_chose_are_told_and_those_of_google_are_not(
    world: GoogleWorld, settings: Configurations
) -> None:
    assert (await found(settings)).domains == ()
    service = world.engine.records[SITE].service
    service.urls.extend(["https://checkout-123.europe-west1.run.app", "https://Pay.acme.com:443/"])
    service.custom_audiences.extend(["https://pay.acme.com", "tokens.acme.com"])
    assert (await found(settings)).domains == ("pay.acme.com", "tokens.acme.com")


async def test_containers_beside_the_one_that_takes_requests_are_told_apart(
    world: GoogleWorld, settings: Configurations
) -> None:
    beside = template(world).containers.add(name="proxy", image="registry/proxy:1")
    beside.env.add(name="APP_ENV", value="stage")
    front(world).env.add(name="APP_ENV", value="prod")
    configuration = await settings.configured(SITE)
    assert configuration is not None
    assert configuration.main.variables == {"APP_ENV": "prod"}
    assert {name: each.variables for name, each in configuration.beside.items()} == {"proxy": {"APP_ENV": "stage"}}
    assert configuration.image == image(V1)


async def test_what_it_looks_like_is_told_with_googles_defaults(world: GoogleWorld, settings: Configurations) -> None:
    configuration = await settings.configured(SITE)
    assert configuration is not None
    usual = {"memory": "512Mi", "cpu": "1", "concurrency": "80", "port": "8080", "ingress": "all"}
    assert configuration.shape == usual | {"min_instances": "0", "max_instances": "0"}
    template(world).scaling.min_instance_count = 1
    template(world).scaling.max_instance_count = 9
    world.engine.records[SITE].service.scaling.min_instance_count = 2
    world.engine.records[SITE].service.ingress = run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER
    front(world).resources.limits["cpu"] = "1500m"
    configuration = await settings.configured(SITE)
    assert configuration is not None
    assert configuration.shape == usual | {
        "cpu": "1.5",
        "ingress": "internal-load-balancer",
        "min_instances": "2",
        "max_instances": "9",
    }


async def test_a_revision_stays_as_it_was_made(world: GoogleWorld) -> None:
    async with runs_of(world) as runs:
        settings = CloudRunSettings(runs)
        front(world).env.add(name="APP_ENV", value="prod")
        await done(runs, await deploy(runs))
        front(world).env[0].value = "stage"
        assert (await found(settings, R1)).variables == {}
        assert (await found(settings, R2)).variables == {"APP_ENV": "prod"}
        newest = await settings.configured(SITE)
        assert newest is not None
        assert (newest.main.variables, newest.revision, newest.operation) == ({"APP_ENV": "stage"}, R2, "op-1")


async def test_what_is_not_there_is_none(settings: Configurations) -> None:
    assert await settings.configured(SITE, "checkout-r-nothing") is None
    assert await settings.configured(Site("acme-prod/europe-west1/nothing")) is None


async def test_what_cannot_be_read_is_said_to_be_so(world: GoogleWorld, settings: Configurations) -> None:
    world.inject("read_unavailable", 2)
    with pytest.raises(Unavailable, match=r"How checkout in acme-prod is configured could not be read just now\."):
        await settings.configured(SITE)
    with pytest.raises(Unavailable, match=rf"How {R1} is configured could not be read just now\."):
        await settings.configured(SITE, R1)


@pytest.mark.requirement("D-12")
async def test_no_value_is_in_a_trace(world: GoogleWorld, settings: Configurations) -> None:
    front(world).env.add(name="PASSWORD", value="hunter2")
    assert "hunter2" not in repr(await settings.configured(SITE))
    front(world).env.add(name="PASSWORD", value="hunter3")
    with pytest.raises(Rejected, match="PASSWORD is set twice") as caught:
        await settings.configured(SITE)
    assert "hunter" not in str(caught.value)
