"""Which processes play the bot? Replicas on one database, each started again whenever it dies."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from bot.sandbox.supervisor import free_port

STARTS_WITHIN = 60.0
REST = 0.1
"""Seconds between a death and the next start."""


class Replica:
    """One of them: a process, or the next one in its place."""

    def __init__(self, name: str, arguments: Sequence[str], settings: Mapping[str, str], data: Path) -> None:
        self.name = name
        self._arguments = [sys.executable, *arguments]
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {**os.environ, **settings, "PORT": str(port)}
        self._data = data
        self._log = data / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.frozen = False
        self.starts = 0
        self._serves = False

    async def run(self) -> None:
        while not self._stopping:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._arguments, env=self._environment, stdout=log, stderr=log, start_new_session=True
                )
            self.starts += 1
            waking = asyncio.create_task(self._wakes())
            await self._process.wait()
            waking.cancel()
            self._serves = self.frozen = False
            await asyncio.sleep(REST)

    async def _wakes(self) -> None:
        await self.ready()
        self._serves = True

    async def ready(self) -> None:
        """It answers that it is."""
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    wait = aiohttp.ClientTimeout(total=2)
                    async with session.get(f"{self.url}/readyz", timeout=wait) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.1)

    @property
    def can_take_over(self) -> bool:
        """It has been ready since its start, and does not stand still."""
        return self._serves and not self.stands_still

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    @property
    def stands_still(self) -> bool:
        """It has been stopped, by whomever."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def send(self, number: signal.Signals) -> bool:
        """True where there was a process to send it to."""
        if self._process is None or self._process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        return True

    async def stop(self) -> None:
        """It ends as it would on Cloud Run, or by force."""
        self._stopping = True
        self.send(signal.SIGCONT)
        if self.send(signal.SIGTERM) and self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), 15)
            except TimeoutError:
                self.send(signal.SIGKILL)


class Fleet:
    """All of them, and what stands before them: people reach any that is not known to be gone."""

    def __init__(self, replicas: Sequence[Replica], chance: random.Random) -> None:
        self.replicas = tuple(replicas)
        self._chance = chance

    def address(self) -> str:
        """Of one that runs, if any does; whether it is frozen nobody knows."""
        running = [replica for replica in self.replicas if replica.pid is not None]
        return self._chance.choice(running or self.replicas).url

    async def ready(self, replicas: Sequence[Replica] | None = None) -> None:
        """Each of them answers that it is. TimeoutError after a minute."""
        async with asyncio.timeout(STARTS_WITHIN):
            for replica in self.replicas if replicas is None else replicas:
                await replica.ready()


@asynccontextmanager
async def fleet(
    arguments: Sequence[str], settings: Sequence[Mapping[str, str]], data: Path, chance: random.Random
) -> AsyncIterator[Fleet]:
    """One for each of the settings, all ready; gone afterwards."""
    replicas = [Replica(f"replica-{number}", arguments, each, data) for number, each in enumerate(settings, 1)]
    tasks = [asyncio.create_task(replica.run(), name=replica.name) for replica in replicas]
    found = Fleet(replicas, chance)
    try:
        await found.ready()
        yield found
    finally:
        await asyncio.gather(*(replica.stop() for replica in replicas))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
