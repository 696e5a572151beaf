"""How does the bot run under chaos? As always; only its lease is shorter, so that a freeze can outlast it.

    python -m tests.chaos.bot --lease 2

`--shared` lets several processes work with one SQLite file. `--unfenced` takes every guard against late writers out of
this process (the fence and the news of it, the etag, the compare-and-set, the end of its lease): the build that the
chaos run must find guilty.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import bot.interior  # noqa: F401  (loads all that is changed below)
from bot import cloud_run, controller, database, store, wiring
from bot.cli import run
from bot.github.connection import Connection
from commands import ports
from commands.ports import Site

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
FENCED = (" AND fence = :fence", " AND owner = :me")
"""What makes a write of ours conditional on nobody newer having claimed the operation."""


def shorten(lease: float) -> None:
    """A lease of so many seconds, and writes that end well within it."""
    wiring.LEASE_SECONDS = lease
    sys.modules["bot.interior"].__dict__["WRITE_SECONDS"] = lease / 2
    Connection.FRESH = lease / 2
    late = timedelta(seconds=4 * lease)
    for name, module in list(sys.modules.items()):
        if name.startswith("commands.") and isinstance(getattr(module, "LATE", None), timedelta):
            module.__dict__["LATE"] = late


def share() -> None:
    """SQLite with several processes: nobody claims to be alone, and nobody takes the leases of others."""

    async def nobody(_: store.Store) -> None:
        return

    changed: Any = wiring
    changed._alone = lambda _: io.StringIO()
    store.Store.take_over = nobody  # type: ignore[method-assign, assignment]


class Stopping:
    """Google's client, in a process that stops right before the write that moves so many per cent, if a file says so.

    The right to write has been looked at for the last time by then.
    """

    def __init__(self, services: Any, order: Path) -> None:
        self._services = services
        self._order = order

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)

    def update_service(self, request: Any, **named: Any) -> Any:
        with suppress(OSError, ValueError):  # no order, or one that is just being written
            percent = int(self._order.read_text())
            if percent in {line.percent for line in request.service.traffic}:
                self._order.unlink()  # whoever takes the order away is the one that stops
                os.kill(os.getpid(), signal.SIGSTOP)
        return self._services.update_service(request, **named)


def standing(order: Path, pid: int) -> Path:
    """The file that says at which site, and with which fence, that process stands still."""
    return order.with_name(f"{order.name} {pid}")


def stop_once_decided(order: Path) -> None:
    """This process stops once it has decided to move so many per cent, if a file says so: its last look at its right
    to do so is still to come. The file beside the order lies there until that write has ended one way or the other.
    """
    plain = cloud_run.CloudRun.shift

    async def shift(self: cloud_run.CloudRun, site: Site, *, seen: Any, shares: Any, lease: ports.Lease) -> str:
        stands: Path | None = None
        with suppress(OSError, ValueError):  # no order, or one that is just being written
            if int(order.read_text()) in {share.percent for share in shares}:
                # Whoever takes the order away is the one that stops.
                stands = order.rename(standing(order, os.getpid()))
                stands.write_text(f"{site} {lease.fence}")
                os.kill(os.getpid(), signal.SIGSTOP)
        try:
            return await plain(self, site, seen=seen, shares=shares, lease=lease)
        finally:
            if stands is not None:
                stands.unlink(missing_ok=True)

    cloud_run.CloudRun.shift = shift  # type: ignore[method-assign]


def stop_before_write(order: Path) -> None:
    """This process does as `Stopping` says."""
    changed: Any = cloud_run
    make = changed._make
    changed._make = lambda *given: replace(clients := make(*given), services=Stopping(clients.services, order))


def unfence() -> None:
    """Whoever claimed an operation once goes on writing, whoever has claimed it since."""

    ports.Lease.outlives = lambda *_: True  # type: ignore[method-assign]

    async def as_it_is(self: cloud_run.CloudRun, site: Any, seen: Any, lease: Any) -> Any:
        del seen, lease
        return await self._service(site)

    cloud_run.CloudRun._as_seen = as_it_is  # type: ignore[method-assign]
    changed: Any = cloud_run
    changed._fence = lambda _: 0  # nobody ever sees a newer one

    async def beats_on(self: controller.Controller, lease: ports.Lease) -> None:
        while True:
            lease = await self._renewed(lease)

    # No step is cut off: not when its lease has ended, nor when somebody tells of a newer claim, nor by a claim of its own.
    controller.Controller._beat = beats_on  # type: ignore[method-assign]
    controller.Controller._fenced = lambda *_: None  # type: ignore[method-assign]
    controller.Controller._cut_off = lambda *_: []  # type: ignore[method-assign]
    plain = database.Transaction.run

    def unconditional(self: database.Transaction, sql: str, values: Mapping[str, Any] | None = None) -> Any:
        for condition in FENCED:
            sql = sql.replace(condition, "")
        return plain(self, sql, values)

    database.Transaction.run = unconditional  # type: ignore[method-assign]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.bot", description=__doc__)
    parser.add_argument("--lease", type=float, default=2.0)
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--unfenced", action="store_true")
    parser.add_argument("--stops", type=Path, help="file with a percentage: stop right before that write")
    parser.add_argument("--decides", type=Path, help="file with a percentage: stop once that is decided")
    asked = parser.parse_args()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    shorten(asked.lease)
    if asked.shared:
        share()
    if asked.stops:
        stop_before_write(asked.stops)
    if asked.decides:
        stop_once_decided(asked.decides)
    if asked.unfenced:
        unfence()
    return run(["serve"])


if __name__ == "__main__":
    sys.exit(main())
