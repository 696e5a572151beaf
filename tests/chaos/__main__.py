"""Is anything lost, repeated or stale when everything breaks at once?

    python -m tests.chaos                                   the whole of it: PostgreSQL, SQLite, and the control
    python -m tests.chaos --database sqlite --seed 7 --operations 40 --kills 10 --freezes 8
    python -m tests.chaos --control                         only the build without the fence
    python -m tests.chaos --every-await                     one death at each await of promote and rollback

Exit code 0: the runs with the fence are clean, and the one without it is not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from dataclasses import replace
from math import inf
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
os.environ.setdefault("NO_GCE_CHECK", "true")
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # a fork that is about to start PostgreSQL has no business with gRPC

from tests.chaos.every_await import every_await, telling
from tests.chaos.monkey import Wanted
from tests.chaos.run import DATABASES, Asked, Result, as_it_should, run, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES], help="this one only; without the control")
    parser.add_argument("--replicas", type=int, help="3 on PostgreSQL, 1 on SQLite")
    parser.add_argument("--operations", type=int, default=300, help="at least so many (300)")
    parser.add_argument("--kills", type=int, default=150, help="kill -9 (150)")
    parser.add_argument("--freezes", type=int, default=100, help="longer than the lease (100)")
    parser.add_argument("--crashes", type=int, default=5, help="of the database's server (5)")
    parser.add_argument("--faults", type=int, default=300, help="of the local worlds (300)")
    parser.add_argument("--surprises", type=int, default=10, help="freezes of whoever has just decided to write (10)")
    parser.add_argument("--services", type=int, default=16, help="released side by side (16)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lease", type=float, default=2.0, help="seconds (2)")
    parser.add_argument("--control", action="store_true", help="without the fence: only that run")
    parser.add_argument("--etags-ignored", action="store_true", help="the world takes writes with an old etag")
    parser.add_argument("--data", type=Path, help="keep books and logs here; default: a folder that is thrown away")
    parser.add_argument("--every-await", action="store_true", help="only this: die at each await, on SQLite")
    parser.add_argument("--lanes", type=int, default=2, help="so many towns side by side to die in (2)")
    parser.add_argument("--thin", type=int, default=1, help="only each so-manyth of the awaits")
    parser.add_argument("--first", type=int, default=0, help="begin with this one of them")
    parser.add_argument("--minutes", type=float, default=inf, help="end after so long, however many are left")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if given.every_await:
        return _every_await(given)
    results = [_played(asked, given.data) for asked in _runs(given)]
    print(table(results))
    return 0 if all(as_it_should(result) for result in results) else 1


def _every_await(given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        place = given.data or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        how = {"lanes": given.lanes, "thin": given.thin, "first": given.first, "minutes": given.minutes}
        died = asyncio.run(every_await(place, **how))
    print(telling(died))
    return 0 if died.clean else 1


def _runs(given: argparse.Namespace) -> list[Asked]:
    crashes = 0 if given.database == "sqlite" else given.crashes  # a file has no server that could
    surprises = 0 if given.database == "sqlite" else given.surprises  # nobody else would write
    wanted = Wanted(given.kills, given.freezes, crashes, given.faults, surprises)
    on = Asked(
        database=given.database or "postgres",
        replicas=given.replicas or (1 if given.database == "sqlite" else 3),
        operations=given.operations,
        wanted=wanted,
        seed=given.seed,
        services=given.services,
        lease=given.lease,
        etags=not given.etags_ignored,
    )
    if given.control:
        return [replace(on, fenced=False, etags=False)]
    if given.database:
        return [on]
    fewer = Wanted(10, 40, 0, 40, given.surprises)
    return [
        on,
        replace(on, database="sqlite", replicas=1, wanted=replace(wanted, crashes=0, surprises=0)),
        replace(on, operations=60, wanted=fewer, fenced=False, etags=False),
    ]


def _played(asked: Asked, data: Path | None) -> Result:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        place = (data or Path(folder)) / asked.title.replace(" ", "-").replace(",", "")
        place.mkdir(parents=True, exist_ok=True)
        print(f"── {asked.title}", file=sys.stderr, flush=True)
        return asyncio.run(run(asked, place))


if __name__ == "__main__":
    sys.exit(main())
