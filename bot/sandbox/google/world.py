"""What does Google look like from here? Cloud Run, Monitoring and Secret Manager in one process, on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

import grpc

from bot.sandbox.google import faces
from bot.sandbox.google.engine import Behaviour, Engine, Sleep, Write
from bot.sandbox.google.faults import FaultKind, Faults, Option
from bot.sandbox.google.fronts import Fronts
from bot.sandbox.google.metering import Meter
from bot.sandbox.google.traffic import TrafficSource
from bot.sandbox.google.vault import Vault
from commands.ports import Clock
from policy.settings import Configured


class Line(TypedDict):
    """One line of traffic in effect."""

    revision: str
    digest: str
    percent: int
    tag: str


class Site(TypedDict):
    traffic: list[Line]
    serving: dict[str, float]
    """Share, 0 to 1, of each digest in the last answers; empty where nobody calls."""


class GoogleWorld:
    """Plaintext gRPC for the clients, HTTP for the revisions. Times are those of the clock it is given."""

    def __init__(self, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        """`sleep` is how it waits where something takes time."""
        self.faults = Faults()
        self.engine = Engine(clock, self.faults, self._address, sleep)
        self.meter = Meter(clock, self.faults)
        self.vault = Vault(self.faults)
        self.sources: list[TrafficSource] = []
        self.grpc_address = ""
        """`host:port`; empty until it is started."""
        self.http_base = ""
        """`http://host:port`; empty until it is started."""
        self._clock = clock
        self._fronts = Fronts(self.engine, self.meter)
        self._server: grpc.aio.Server | None = None

    async def start(self, grpc_port: int = 0, http_port: int = 0) -> None:
        """It answers on both; 0 means any free port."""
        self.http_base = f"http://127.0.0.1:{await self._fronts.start(http_port)}"
        for record in self.engine.records.values():
            self.engine.show(record)
        self._server, port = await faces.serve(self.engine, self.meter, self.vault, grpc_port)
        self.grpc_address = f"127.0.0.1:{port}"

    async def stop(self) -> None:
        for source in self.sources:
            await source.stop()
        if self._server is not None:
            await self._server.stop(grace=0)
            self._server = None
        await self.engine.close()
        await self._fronts.stop()

    # Setting it up --------------------------------------------------------------------------------------------------

    def declare(self, digest: str, behaviour: Behaviour) -> None:
        """So every revision of this image answers, from now on; without it, promptly and well."""
        self.engine.behaviours[digest] = behaviour

    def push(self, image: str, digest: str) -> None:
        """`registry/name:tag` means this digest from now on."""
        self.engine.images[image] = digest

    def create_service(
        self,
        site: str,
        image: str,
        *,
        revision: str = "",
        created_at: datetime | None = None,
        commit: str = "",
        annotations: dict[str, str] | None = None,
    ) -> str:
        """A service with one ready revision that serves everything; the revision's short name."""
        if site in self.engine.records:
            message = f"there already is a {site}"
            raise ValueError(message)
        return self.add_revision(
            site, image, revision=revision, created_at=created_at, commit=commit, annotations=annotations
        )

    def add_revision(
        self,
        site: str,
        image: str,
        *,
        revision: str = "",
        created_at: datetime | None = None,
        commit: str = "",
        annotations: dict[str, str] | None = None,
        container: str = "",
        serves: bool = True,
    ) -> str:
        """One more ready revision, as if deployed on some day in the past: oldest first. Its short name.

        It takes all the traffic, or with `serves=False` none.
        """
        at = created_at or self._clock.now()
        return self.engine.seed(site, image, revision, at, annotations or {}, commit, container, serves=serves)

    def configure(self, site: str, configured: Configured) -> None:
        """The service runs with that, and so does each of its revisions, as if it had never been otherwise.

        A secret is given with its version: `projects/P/secrets/S/versions/7`.
        """
        record = self.engine.records[site]
        for made in (record.service.template, *record.revisions.values()):
            made.service_account = configured.account
            front = next((each for each in made.containers if each.ports), made.containers[0])
            del front.env[:], made.volumes[:]
            for name, value in configured.variables.items():
                front.env.add(name=name, value=value)
            for name, secret in configured.secrets.items():
                reference = front.env.add(name=name).value_source.secret_key_ref
                reference.secret, _, reference.version = secret.partition("/versions/")
            if configured.databases:
                made.volumes.add(name="databases").cloud_sql_instance.instances.extend(configured.databases)
        record.before.CopyFrom(record.service)

    def delete_revision(self, site: str, revision: str) -> None:
        """It is gone, as old ones are when there are too many."""
        del self.engine.records[site].revisions[revision]

    def put_secret(self, secret: str, value: str, *, alias: str = "") -> str:
        """Of `projects/P/secrets/S` a new version; its full name."""
        return f"{secret}/versions/{self.vault.put(secret, value.encode(), alias=alias)}"

    # Breaking it ----------------------------------------------------------------------------------------------------

    @staticmethod
    def fault_kinds() -> list[FaultKind]:
        return Faults.kinds()

    def inject(self, kind: str, times: int = 1, **options: Option) -> None:
        """The next `times` chances for this go wrong. ValueError for an unknown kind or option.

        Options: `site` keeps it to one site, `revision` to one revision; `seconds` says how long a stall is, `code`
        what a call ends with. Those that begin with "from now on" are switches, and stay as they are put.
        """
        at_once = kind in _AT_ONCE or (kind == "rival" and options.get("when", "now") == "now")
        given = self.faults.arm(kind, 0 if at_once else times, options)
        if kind in _AT_ONCE:
            _AT_ONCE[kind](self, given)
        elif at_once:
            for site in [str(given["site"])] if given["site"] else [*self.engine.records]:
                self.engine.rival(site, str(given["does"]), str(given["revision"]), int(given["percent"]))

    # Looking at it --------------------------------------------------------------------------------------------------

    @property
    def writes(self) -> list[Write]:
        """Every write that arrived, accepted or not, oldest first."""
        return self.engine.writes

    def front(self, site: str) -> str:
        """The address where a site answers its users."""
        return self._address(site, "")

    def snapshot(self) -> dict[str, Site]:
        """The truth of each site: traffic in effect, and who answered the last requests."""
        return {
            site: Site(
                traffic=[
                    Line(
                        revision=(name := self.engine.named(record, line)),
                        digest=self.engine.digest(record, name),
                        percent=line.percent,
                        tag=line.tag,
                    )
                    for line in record.service.traffic_statuses
                ],
                serving=next((share for source in self.sources if (share := source.serving(site))), {}),
            )
            for site, record in sorted(self.engine.records.items())
        }

    def _address(self, site: str, tag: str) -> str:
        where = f"tag/{tag}" if tag else "front"
        return f"{self.http_base}/{where}/{site}"


_AT_ONCE: dict[str, Callable[[GoogleWorld, dict[str, Option]], None]] = {
    "etag_enforced": lambda world, _: setattr(world.engine, "enforce_etag", True),
    "etag_ignored": lambda world, _: setattr(world.engine, "enforce_etag", False),
    "failure_sticks": lambda world, _: setattr(world.engine, "sticky_failure", True),
    "failure_passes": lambda world, _: setattr(world.engine, "sticky_failure", False),
    "lagging_reads": lambda world, given: setattr(world.engine, "lag_seconds", float(given["seconds"])),
    "memory_at": lambda world, given: world.meter.becomes(
        str(given["site"]), str(given["revision"]), memory_percent=float(given["percent"])
    ),
    "cpu_at": lambda world, given: world.meter.becomes(
        str(given["site"]), str(given["revision"]), cpu_percent=float(given["percent"])
    ),
}
