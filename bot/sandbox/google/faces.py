"""Where do Google's own clients knock? One plaintext gRPC server with every service on it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import grpc

from bot.sandbox.google import messages
from bot.sandbox.google.engine import Engine
from bot.sandbox.google.messages import Raw, Refusal
from bot.sandbox.google.metering import Meter
from bot.sandbox.google.vault import Vault


async def serve(engine: Engine, meter: Meter, vault: Vault, port: int) -> tuple[grpc.aio.Server, int]:
    """The server, answering, and its port on the loopback."""
    server = grpc.aio.server()
    generic = grpc.method_handlers_generic_handler
    server.add_generic_rpc_handlers(
        (
            generic(
                "google.cloud.run.v2.Services",
                {
                    "GetService": _unary(engine.get_service, messages.GetServiceRequest),
                    "ListServices": _unary(engine.list_services, messages.ListServicesRequest),
                    "CreateService": _unary(engine.create_service, messages.CreateServiceRequest),
                    "UpdateService": _unary(engine.update_service, messages.UpdateServiceRequest),
                },
            ),
            generic(
                "google.cloud.run.v2.Revisions",
                {
                    "GetRevision": _unary(engine.get_revision, messages.GetRevisionRequest),
                    "ListRevisions": _unary(engine.list_revisions, messages.ListRevisionsRequest),
                },
            ),
            generic(
                "google.longrunning.Operations",
                {
                    "GetOperation": _unary(engine.get_operation, messages.GetOperationRequest),
                    "WaitOperation": _unary(engine.wait_operation, messages.WaitOperationRequest),
                },
            ),
            generic(
                "google.monitoring.v3.MetricService",
                {"ListTimeSeries": _unary(meter.list_time_series, messages.ListTimeSeriesRequest)},
            ),
            generic(
                "google.cloud.secretmanager.v1.SecretManagerService",
                {
                    "AccessSecretVersion": _unary(vault.access_version, messages.AccessSecretVersionRequest),
                    "GetSecretVersion": _unary(vault.get_version, messages.GetSecretVersionRequest),
                },
            ),
        )
    )
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, bound


def _unary(answer: Callable[[Raw], Raw], request: Raw) -> Raw:
    async def handle(message: Raw, context: Raw) -> Raw:
        try:
            reply = answer(message)
            return await reply if inspect.isawaitable(reply) else reply
        except Refusal as refusal:
            await context.abort(refusal.code, refusal.message)

    return grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=request.FromString, response_serializer=_bytes
    )


def _bytes(message: Raw) -> bytes:
    return bytes(message.SerializeToString())
