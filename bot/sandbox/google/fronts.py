"""What answers when somebody calls a service? Real HTTP: a front that splits traffic, and an address for each tag."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from bot.sandbox.google.engine import Engine, Record
from bot.sandbox.google.messages import SUCCEEDED
from bot.sandbox.google.metering import Meter


class Fronts:
    """`/front/{project}/{region}/{service}/…` and `/tag/{tag}/{project}/{region}/{service}/…`."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._engine = engine
        self._meter = meter
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> int:
        """The port it answers on."""
        app = web.Application()
        app.router.add_route("*", "/front/{project}/{region}/{service}{rest:(/.*)?}", self._front)
        app.router.add_route("*", "/tag/{tag}/{project}/{region}/{service}{rest:(/.*)?}", self._tagged)
        app.router.add_head("/v2/{name:.+}/manifests/{digest}", self._image)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _image(self, request: web.Request) -> web.Response:
        """As a registry says whether it has that image: everything that ever ran, unless somebody removed it."""
        digest, engine = request.match_info["digest"], self._engine
        ran = (
            one for record in engine.records.values() for made in record.revisions.values() for one in made.containers
        )
        there = digest not in engine.removed and any(one.image.endswith(f"@{digest}") for one in ran)
        return web.Response(status=200 if there or digest in engine.images.values() else 404)

    async def _front(self, request: web.Request) -> web.Response:
        record = self._record(request)
        record.split.weigh(self._engine.weights(record))
        return await self._answer(request, record, record.split.next())

    async def _tagged(self, request: web.Request) -> web.Response:
        record = self._record(request)
        tag = request.match_info["tag"]
        for line in record.service.traffic_statuses:
            if line.tag == tag:
                return await self._answer(request, record, self._engine.named(record, line))
        raise web.HTTPNotFound(text=f"nothing of {record.site} is tagged {tag}")

    def _record(self, request: web.Request) -> Record:
        info = request.match_info
        record = self._engine.records.get(f"{info['project']}/{info['region']}/{info['service']}")
        if record is None:
            raise web.HTTPNotFound(text="there is no such service")
        return record

    async def _answer(self, request: web.Request, record: Record, name: str | None) -> web.Response:
        revision = record.revisions.get(name or "")
        if name is None or revision is None or not _ready(revision):
            # no container saw it, so it is not counted either
            raise web.HTTPServiceUnavailable(text="no revision can answer")
        began = time.perf_counter()
        behaviour = self._engine.behaviour(record, name)
        if behaviour.delay_ms:
            await asyncio.sleep(behaviour.delay_ms / 1000)
        status = 200
        if request.match_info["rest"] == "/healthz":
            status = behaviour.healthz_status
        else:
            record.answered[name] = turn = record.answered.get(name, 0) + 1
            if behaviour.fail_every and turn % behaviour.fail_every == 0:
                status = 500
            elif request.method == "POST" and request.content_type != "application/json":
                status = 415  # every image here understands JSON and nothing else
        self._meter.record(record.site, name, status, 1000 * (time.perf_counter() - began))
        answer = {"service": record.site, "revision": name, "digest": self._engine.digest(record, name)}
        return web.json_response(answer, status=status)


def _ready(revision: object) -> bool:
    return any(
        condition.type_ == "Ready" and condition.state == SUCCEEDED for condition in getattr(revision, "conditions", ())
    )
