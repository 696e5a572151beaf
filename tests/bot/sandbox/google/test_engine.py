"""The local Cloud Run through Google's own client: does it do what was recorded of the real one?"""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcAsyncIOTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcAsyncIOTransport
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2, field_mask_pb2

from bot.sandbox.google import GoogleWorld
from tests.bot.google_story import R0, R1, R2, SITE, V1, V2, google, image

PARENT = "projects/acme-prod/locations/europe-west1"
NAME = f"{PARENT}/services/checkout"
BY_NAME = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
State = run_v2.Condition.State


@pytest.fixture
async def world() -> AsyncIterator[GoogleWorld]:
    async with google() as world:
        yield world


@pytest.fixture
async def channel(world: GoogleWorld) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(world.grpc_address) as channel:
        yield channel


@pytest.fixture
def services(channel: grpc.aio.Channel) -> Any:
    return run_v2.ServicesAsyncClient(transport=ServicesGrpcAsyncIOTransport(channel=channel))


@pytest.fixture
def revisions(channel: grpc.aio.Channel) -> Any:
    return run_v2.RevisionsAsyncClient(transport=RevisionsGrpcAsyncIOTransport(channel=channel))


def target(revision: str, percent: int, tag: str = "") -> run_v2.TrafficTarget:
    return run_v2.TrafficTarget(type_=BY_NAME, revision=revision, percent=percent, tag=tag)


async def update(services: Any, *paths: str, validate_only: bool = False, **fields: Any) -> Any:
    """The operation as it was answered at once."""
    request = run_v2.UpdateServiceRequest(
        service=run_v2.Service(name=NAME, **fields),
        update_mask=field_mask_pb2.FieldMask(paths=paths),
        validate_only=validate_only,
    )
    return (await services.update_service(request, retry=None, timeout=10)).operation


async def ended(services: Any, operation: Any) -> Any:
    """The operation once it is done."""
    request = operations_pb2.WaitOperationRequest(name=operation.name, timeout=duration_pb2.Duration(seconds=10))
    return operations_pb2.Operation.FromString(await services.wait_operation(request))


async def test_an_update_is_pending_then_reconciling_then_succeeded(world: GoogleWorld, services: Any) -> None:
    world.engine.reconcile_seconds = 0.2
    operation = await update(services, "template", template=with_image(V2, R2))
    assert not operation.done
    seen: list[Any] = []
    async with asyncio.timeout(120):
        while not seen or seen[-1] != State.CONDITION_SUCCEEDED:
            service = await services.get_service(name=NAME)
            state = service.terminal_condition.state
            assert service.reconciling is (state != State.CONDITION_SUCCEEDED)
            if not seen or seen[-1] != state:
                seen.append(state)
    assert seen[-2:] == [State.CONDITION_RECONCILING, State.CONDITION_SUCCEEDED]
    assert {(one.type_, one.state) for one in service.conditions} == {
        ("RoutesReady", State.CONDITION_SUCCEEDED),
        ("ConfigurationsReady", State.CONDITION_SUCCEEDED),
    }
    assert service.observed_generation == service.generation
    assert service.latest_ready_revision.endswith(R2)


def with_image(digest: str, revision: str = "") -> run_v2.RevisionTemplate:
    return run_v2.RevisionTemplate(revision=revision, containers=[run_v2.Container(image=image(digest))])


async def test_the_operation_still_names_the_revision_before_in_its_metadata(services: Any) -> None:
    operation = await update(services, "template", template=with_image(V2, R2))
    service = run_v2.Service.deserialize(operation.metadata.value)
    assert service.latest_created_revision.endswith(R1)
    assert service.terminal_condition.type_ == "Ready"
    assert service.terminal_condition.state == State.CONDITION_PENDING


async def test_pinned_traffic_stays_where_it_is_when_the_template_changes(world: GoogleWorld, services: Any) -> None:
    await ended(services, await update(services, "template", template=with_image(V2, R2)))
    assert [(line["revision"], line["percent"]) for line in world.snapshot()[SITE]["traffic"]] == [(R1, 100)]


async def test_an_etag_changes_with_a_write_and_not_with_its_end(services: Any) -> None:
    before = (await services.get_service(name=NAME)).etag
    operation = await update(services, "traffic", traffic=[target(R0, 100)])
    written = run_v2.Service.deserialize(operation.metadata.value).etag
    await ended(services, operation)
    assert before != written
    assert (await services.get_service(name=NAME)).etag == written


@pytest.mark.parametrize("enforced", [True, False])
async def test_an_old_etag_counts_only_where_etags_do(world: GoogleWorld, services: Any, enforced: bool) -> None:
    world.inject("etag_enforced" if enforced else "etag_ignored")
    etag = (await services.get_service(name=NAME)).etag
    await ended(services, await update(services, "traffic", traffic=[target(R0, 100)], etag=etag))
    if enforced:
        with pytest.raises(exceptions.Aborted, match="was specified but current version is"):
            await update(services, "traffic", traffic=[target(R1, 100)], etag=etag)
    else:
        await ended(services, await update(services, "traffic", traffic=[target(R1, 100)], etag=etag))
    assert [write.accepted for write in world.writes] == [True, not enforced]


@pytest.mark.parametrize(
    ("paths", "fields", "says"),
    [
        (["traffic"], {"traffic": [target(R0, 50), target(R1, 60)]}, "sum to 100"),
        (["traffic"], {"traffic": [target(R0, 120), target(R1, -20)]}, "between 0 and 100"),
        (["traffic"], {"traffic": [target(R0, 0, "a"), target(R1, 100, "a")]}, "unique"),
        (["traffic"], {"traffic": [target(f"{NAME}/revisions/{R0}", 100)]}, "short name"),
        (["traffic"], {"traffic": [target(R0, 100, "Green!")]}, "not a valid name"),
        (["nonsense"], {}, "Invalid field mask"),
        (["scaling.minInstanceCount"], {}, "Invalid field mask"),
        (["template"], {}, "at least one container"),
        (["template"], {"template": with_image(V2, "payments-1")}, "must be prefixed"),
        (["annotations"], {"annotations": {"run.googleapis.com/x": "1"}}, "reserved"),
        (["annotations"], {"annotations": {"client.knative.dev/x": "1", "serving.knative.dev/y": "1"}}, "reserved"),
    ],
)
async def test_what_is_malformed_is_refused_and_logged(
    world: GoogleWorld, services: Any, paths: list[str], fields: dict[str, Any], says: str
) -> None:
    before = await services.get_service(name=NAME)
    with pytest.raises(exceptions.InvalidArgument, match=says):
        await update(services, *paths, **fields)
    assert await services.get_service(name=NAME) == before
    assert [(write.accepted, write.why) for write in world.writes] == [(False, "INVALID_ARGUMENT")]


async def test_only_what_the_mask_names_changes_and_a_named_field_is_replaced_whole(services: Any) -> None:
    await ended(services, await update(services, "annotations", "description", annotations={"a": "1"}, description="x"))
    await ended(services, await update(services, "annotations", annotations={"b": "2"}, description="unread", uid="me"))
    service = await services.get_service(name=NAME)
    assert dict(service.annotations) == {"b": "2"}
    assert service.description == "x"
    assert service.uid != "me"
    await ended(services, await update(services, "annotations"))
    assert dict((await services.get_service(name=NAME)).annotations) == {}


async def test_a_name_used_again_for_something_else_is_taken(services: Any, revisions: Any) -> None:
    await ended(services, await update(services, "template", template=with_image(V2, R2)))
    with pytest.raises(exceptions.AlreadyExists, match="different configuration already exists"):
        await update(services, "template", template=with_image(V1, R2))
    await ended(services, await update(services, "template", template=with_image(V2, R2)))
    listed = [one.name.rsplit("/", 1)[-1] async for one in await revisions.list_revisions(parent=NAME)]
    assert listed == [R2, R1, R0]


async def test_lists_come_in_pages(services: Any, revisions: Any) -> None:
    request = run_v2.ListRevisionsRequest(parent=NAME, page_size=1)
    assert [one.name async for one in await revisions.list_revisions(request)] == [
        f"{NAME}/revisions/{R1}",
        f"{NAME}/revisions/{R0}",
    ]
    assert [one.name async for one in await services.list_services(parent=PARENT)] == [NAME]


async def test_a_service_is_created_with_what_google_fills_in(world: GoogleWorld, services: Any) -> None:
    request = run_v2.CreateServiceRequest(
        parent=PARENT, service_id="search", service=run_v2.Service(template=with_image(V1))
    )
    operation = (await services.create_service(request)).operation
    first = run_v2.Service.deserialize(operation.metadata.value)
    assert (first.terminal_condition.type_, first.terminal_condition.state) == ("", State.CONDITION_PENDING)
    done = await ended(services, operation)
    made = run_v2.Service.deserialize(done.response.value)
    container = made.template.containers[0]
    assert dict(container.resources.limits) == {"memory": "512Mi", "cpu": "1000m"}
    assert container.resources.cpu_idle
    assert (container.ports[0].name, container.ports[0].container_port) == ("http1", 8080)
    assert container.startup_probe.timeout_seconds == 240
    assert made.template.timeout.total_seconds() == 300
    assert made.template.max_instance_request_concurrency == 80
    assert made.template.revision == ""
    assert made.traffic_statuses[0].revision == ""
    assert made.latest_ready_revision.rsplit("/", 1)[-1].startswith("search-00001-")
    with pytest.raises(exceptions.AlreadyExists):
        await services.create_service(request)
    assert world.snapshot()["acme-prod/europe-west1/search"]["traffic"][0]["digest"] == V1


async def test_trying_out_changes_nothing(world: GoogleWorld, services: Any) -> None:
    before = await services.get_service(name=NAME)
    assert (await update(services, "traffic", traffic=[target(R0, 100)], validate_only=True)).done
    with pytest.raises(exceptions.InvalidArgument):
        await update(services, "traffic", traffic=[target(R0, 99)], validate_only=True)
    assert await services.get_service(name=NAME) == before


async def test_of_two_writes_at_once_the_later_one_stays_and_both_report_success(
    world: GoogleWorld, services: Any
) -> None:
    operations = [await update(services, "traffic", traffic=[target(name, 100)]) for name in (R0, R1)]
    results = await asyncio.gather(*(ended(services, operation) for operation in operations))
    assert [result.HasField("error") for result in results] == [False, False]
    assert world.snapshot()[SITE]["traffic"][0]["revision"] == R1
    assert not (await services.get_service(name=NAME)).reconciling


async def test_what_a_client_no_longer_waits_for_still_happens(world: GoogleWorld, services: Any) -> None:
    world.inject("late_write", seconds=1)
    request = run_v2.UpdateServiceRequest(
        service=run_v2.Service(name=NAME, traffic=[target(R0, 100)]),
        update_mask=field_mask_pb2.FieldMask(paths=["traffic"]),
    )
    with pytest.raises(exceptions.DeadlineExceeded):
        await services.update_service(request, retry=None, timeout=0.5)
    async with asyncio.timeout(120):
        while world.snapshot()[SITE]["traffic"][0]["revision"] != R0:
            await services.get_service(name=NAME)
    assert len(world.writes) == 1


def test_every_field_of_ours_is_one_of_google() -> None:
    """The discovery document that ships with Google's other client knows each field of the installed messages."""
    oracle = Path(__file__).parents[4].parent / "shared/oracles/cloud_run/disc_diff.py"
    if not oracle.exists() or importlib.util.find_spec("googleapiclient") is None:
        pytest.skip("the oracle or its data is not here")
    shown = subprocess.run([sys.executable, str(oracle)], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
