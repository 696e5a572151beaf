"""`make bench`: what do an acknowledgement and a start cost, beside Bolt that does nothing and bare aiohttp?

And what does a decision cost, beside the same in Cedar (`tests/bench/decision.py`)? What do our own books cost, as they
grow (`tests/bench/books.py`), and how soon does a rollback reach the traffic (`tests/bench/rollback.py`)?

One run, one machine, everything over loopback: the servers take turns, the median of the rounds counts. The bot
acknowledges only what stands in its ledger on disk, and works on what it took meanwhile; the others do nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sandbox.story import POLICY
from bot.sandbox.supervisor import Worlds, environment, free_port, worlds
from tests.bench import books, decision, rollback
from tests.bench.load import request

CONNECTIONS = 32
WARM_UP = 200
STARTS_WITHIN = 30.0
SETTLES = 4.0
"""Seconds after the first command until it is answered, which takes Google's clients, and all is idle again."""
SERVERS = {
    "raw aiohttp (HMAC, form)": ("-m", "tests.bench.servers", "raw"),
    "Bolt, default, does nothing": ("-m", "tests.bench.servers", "bolt"),
    "Release Bot": ("-m", "bot", "serve"),
}
RAW, BOLT, OURS = SERVERS


@dataclass
class Server:
    """A process that listens."""

    process: asyncio.subprocess.Process
    port: int
    first_ack: float
    """Seconds from the start of the process to the first acknowledged command."""

    def resident(self) -> float:
        """MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Bench:
    """One run over one set of local worlds."""

    def __init__(self, there: Worlds, data: Path, size: int) -> None:
        self.there = there
        self.data = data
        self.size = size
        self.number = 0

    def _settings(self, port: int) -> Mapping[str, str]:
        return environment(self.there, self.data, port, POLICY)

    @asynccontextmanager
    async def server(self, name: str) -> AsyncIterator[Server]:
        """It has acknowledged its first command."""
        port = free_port()
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *SERVERS[name],
            env={**os.environ, **self._settings(port)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                while not await self._acknowledged(port):
                    if process.returncode is not None:
                        message = f"{name} ended with {process.returncode}"
                        raise RuntimeError(message)
                    await asyncio.sleep(0.002)
            yield Server(process, port, time.perf_counter() - began)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def _acknowledged(self, port: int) -> bool:
        """True where a command, to be looked up in Cloud Run, was acknowledged."""
        self.number += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        try:
            writer.write(request(self.there.signing_secret, "status", f"start.{os.getpid()}.{self.number}"))
            return (await reader.readline()).split()[1:2] == [b"200"]
        except OSError:
            return False
        finally:
            writer.close()

    async def load(self, server: Server, text: str, requests: int) -> dict[str, Any]:
        self.number += 1
        asked = {"port": server.port, "secret": self.there.signing_secret, "text": text, "requests": requests}
        asked |= {"connections": CONNECTIONS, "run": f"{os.getpid()}.{self.number}"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(json.dumps(asked).encode())
        measured: dict[str, Any] = json.loads(out)
        if measured["bad"]:
            print(f"  {measured['bad']} of {requests} were not acknowledged ({text})", file=sys.stderr)
        return measured

    def recorded(self) -> tuple[int, int]:
        """Requests taken down in the ledger, and those among them that were answered."""
        with closing(sqlite3.connect(self.data / "release-bot.db", timeout=30)) as books:
            row = books.execute("SELECT count(*), count(answered_at) FROM requests").fetchone()
        return int(row[0]), int(row[1])

    async def throughput(self, name: str, text: str) -> dict[str, Any]:
        """One round: a fresh process, warmed up, then measured."""
        async with self.server(name) as server:
            await asyncio.sleep(SETTLES if name == OURS else 0.5)
            await self.load(server, text, WARM_UP)
            before = self.recorded()[0] if name == OURS else 0
            measured = await self.load(server, text, self.size)
            if name == OURS:
                measured["recorded"] = self.recorded()[0] - before
                if measured["recorded"] != measured["good"]:
                    print(f"  acknowledged {measured['good']}, recorded {measured['recorded']}", file=sys.stderr)
            return measured

    async def start(self, name: str) -> dict[str, float]:
        """One start: time to the first acknowledged command, memory then and once Google was asked and it is idle."""
        async with self.server(name) as server:
            before = server.resident()
            await asyncio.sleep(SETTLES)
            return {"first_ack": server.first_ack, "before": before, "after": server.resident()}


def median(rounds: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(one[key] for one in rounds))


async def bench(rounds: int, size: int) -> dict[str, Any]:
    """Everything that was measured."""
    lines = [(RAW, "status"), (BOLT, "status"), (OURS, "status"), (OURS, "promote checkout stage→prod")]
    speeds: dict[tuple[str, str], list[dict[str, Any]]] = {line: [] for line in lines}
    starts: dict[str, list[dict[str, Any]]] = {name: [] for name in SERVERS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for line in lines:
                data = Path(folder) / f"{number}-{lines.index(line)}"
                data.mkdir()
                async with worlds(data, rate=0) as there:
                    speeds[line].append(await Bench(there, data, size).throughput(*line))
                print(".", end="", file=sys.stderr, flush=True)
        data = Path(folder) / "starts"
        data.mkdir()
        async with worlds(data, rate=0) as there:
            one = Bench(there, data, size)
            first = await one.start(OURS)  # makes the database
            for _ in range(rounds + 2):
                for name in SERVERS:
                    starts[name].append(await one.start(name))
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {
        "speed": {
            " ".join((name, f"/release {text}") if name == OURS else (name,)): {
                key: median(found, key) for key in ("rate", "p50", "p99")
            }
            for (name, text), found in speeds.items()
        },
        "start": {
            name: {key: median(found, key) for key in ("first_ack", "before", "after")}
            for name, found in starts.items()
        },
        "first start": first["first_ack"],
    }


def told(found: dict[str, Any]) -> str:
    """The tables, with ratios to Bolt."""
    speed, start = found["speed"], found["start"]
    bolt, bare = speed[BOLT], start[BOLT]
    width = max(map(len, speed))
    lines = [f"{f'{CONNECTIONS} connections':{width}}  requests/s  ×Bolt   p50 ms  ×Bolt   p99 ms"]
    lines += [
        f"{name:{width}}  {one['rate']:10,.0f}  {one['rate'] / bolt['rate']:5.2f}  {one['p50']:7.2f}  "
        f"{one['p50'] / bolt['p50']:5.2f}  {one['p99']:7.2f}"
        for name, one in speed.items()
    ]
    lines += ["", f"{'start':{width}}  first acknowledged ms  ×Bolt   MiB then  MiB after Google was asked"]
    lines += [
        f"{name:{width}}  {1000 * one['first_ack']:21.0f}  {one['first_ack'] / bare['first_ack']:5.2f}  "
        f"{one['before']:9.1f}  {one['after']:25.1f}"
        for name, one in start.items()
    ]
    lines.append(f"{'Release Bot, database made anew':{width}}  {1000 * found['first start']:21.0f}")
    return "\n".join(lines)


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each server takes its turn")
    parser.add_argument("--requests", type=int, default=4000, help="in each of them")
    parser.add_argument("--json", action="store_true", help="for machines")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--decision", action="store_true", help="only what a decision costs")
    only.add_argument("--books", action="store_true", help="only what our own books cost, and a rollback")
    parser.add_argument("--finished", type=int, default=books.MANY, help="with up to so many finished operations")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    if not (asked.decision or asked.books):
        found |= asyncio.run(bench(asked.rounds, asked.requests))
    if not asked.books:
        found["decision"] = decision.measured()
    if not asked.decision:
        found["books"] = books.measured(asked.finished)
        found["rollback"] = rollback.measured()
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    if "speed" in found:
        print(told(found), end="\n\n")
    if "decision" in found:
        print(decision.told(found["decision"]), end="\n\n")
    if "books" in found:
        print(books.told(found["books"]), end="\n\n")
        print(rollback.told(found["rollback"]))


if __name__ == "__main__":
    main()
