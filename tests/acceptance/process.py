"""How is a sandbox started and ended? As anybody would, by its command."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.client import Refused, Sandbox
from tests.mortal import with_its_starter

OPENS_WITHIN = 90.0
"""Seconds, on a busy machine."""
ENDS_WITHIN = 20.0


@dataclass(frozen=True)
class Running:
    """A sandbox of our own."""

    box: Sandbox
    data: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return self.data.parent / f"{self.data.name}.log"


def release_bot() -> str:
    """The console script beside this Python, or the one on the PATH."""
    beside = Path(sys.executable).with_name("release-bot")
    found = str(beside) if beside.exists() else shutil.which("release-bot")
    if found is None:
        raise Refused("there is no `release-bot` here: run `make setup`")
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def sandbox(data: Path, *arguments: str) -> Iterator[Running]:
    """A sandbox that has opened on its story; ended afterwards, its bot too."""
    port = free_port()
    command = [release_bot(), "sandbox", "--port", str(port), "--data", str(data), *arguments]
    log = data.parent / f"{data.name}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "GITHUB_"))}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=with_its_starter(signal.SIGTERM),  # noqa: PLW1509 - one system call, which takes no lock
        )
    running = Running(Sandbox(f"http://127.0.0.1:{port}"), data, process)
    try:
        _wait_until_open(running)
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_open(running: Running) -> None:
    """The page answers, and the bot behind it does."""
    end = time.monotonic() + OPENS_WITHIN
    while True:
        if running.process.poll() is not None:
            raise Refused(
                f"the sandbox ended with {running.process.returncode}:\n{running.log.read_text('utf-8')[-3000:]}"
            )
        try:
            somebody = running.box.get("/api/people")[0]["id"]
            if running.box.world()["services"] and running.box.say(somebody, "releases", "/release help")["ok"]:
                return
        except (OSError, Refused, LookupError):
            pass
        if time.monotonic() > end:
            raise Refused(
                f"the sandbox did not open within {OPENS_WITHIN:.0f} s:\n{running.log.read_text('utf-8')[-3000:]}"
            )
        time.sleep(0.1)
