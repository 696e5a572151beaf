"""At which awaits can the bot die? It counts them as they come, and kills itself at the one that it was told.

Started as `python -m tests.chaos.awaits`, this process loads the bot once and forks one for each line on its input; a
forked bot is as fresh as one just started, and opens its door 1.5 s sooner. Each watches every task of its loop: an
await that suspends in our own code is known by the lines that lead to it and by what is being worked on. `ARM` names a
file that is read at SIGUSR2: what to die at from now on, or nothing, to only write down which awaits there are.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Coroutine, Generator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from tests.chaos.bot import PR_SET_PDEATHSIG, shorten

ROOT = Path(__file__).parents[2]
OURS = (str(ROOT / "bot") + os.sep, str(ROOT / "commands") + os.sep)
NUMBERS = re.compile(r"[0-9a-f]{6,}")


class Watch:
    """What has been awaited since it was armed, and where the end is to come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[str] = set()
        self._end = ""
        self._armed = False

    def arm(self) -> None:
        """As the file says: an await to die at, or none."""
        self._end = (self._folder / "arm").read_text("utf-8")
        self._known.clear()
        (self._folder / "armed").write_text(self._end, "utf-8")
        self._armed = True

    def passes(self, coroutine: object, when: str) -> None:
        """A task suspends (`when` is `at`), or what it waited for has come and it has not yet seen it (`after`)."""
        if not self._armed:
            return
        name = _name(coroutine)
        if not name:
            return
        name = f"{when} {name}"
        if name in self._known:
            return
        self._known.add(name)
        if self._end:
            if name == self._end:
                os.kill(os.getpid(), signal.SIGKILL)
        else:
            with (self._folder / "awaits").open("a", encoding="utf-8") as file:
                file.write(name + "\n")


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine of which each suspension is seen."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], watch: Watch) -> None:
        self._coroutine = coroutine
        self._watch = watch
        self._begun = False

    def send(self, value: Any) -> Any:
        if self._begun:
            self._watch.passes(self._coroutine, "after")
        self._begun = True
        answer = self._coroutine.send(value)
        self._watch.passes(self._coroutine, "at")
        return answer

    def throw(self, error: Any, value: Any = None, traceback: TracebackType | None = None, /) -> Any:
        del value, traceback
        answer = self._coroutine.throw(error)
        self._watch.passes(self._coroutine, "at")
        return answer

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


def _frames(coroutine: Any) -> list[FrameType]:
    """From the task's own down to where it waits."""
    found = []
    while coroutine is not None:
        frame = next(
            (frame for name in ("cr_frame", "gi_frame", "ag_frame") if (frame := getattr(coroutine, name, None))), None
        )
        if frame is not None:
            found.append(frame)
        coroutine = next(
            (on for name in ("cr_await", "gi_yieldfrom", "ag_await") if (on := getattr(coroutine, name, None))), None
        )
    return found


def _name(coroutine: Any) -> str:
    """Our own lines, and what they work on; empty where none of ours waits, or only for something to do."""
    frames = _frames(coroutine)
    lines = [
        f"{Path(frame.f_code.co_filename).relative_to(ROOT)}:{frame.f_lineno}"
        for frame in frames
        if frame.f_code.co_filename.startswith(OURS)
    ]
    about = next(filter(None, map(_about, frames)), "")
    return f"{' > '.join(lines)}{about}" if lines else ""


def _about(frame: FrameType) -> str:
    """Where its operation stands, which message it sends or which request it answers."""
    if not frame.f_code.co_filename.startswith(OURS):
        return ""
    given: dict[str, Any] = frame.f_locals
    operation: Any
    message: Any
    request: Any
    operation, message, request = given.get("operation"), given.get("message"), given.get("request")
    if hasattr(operation, "moment"):
        effect = "" if operation.effect is None else ", sent" if operation.effect.handle else ", intended"
        return f" ({operation.phase} {operation.moment.key}{effect})"
    if hasattr(message, "slot"):
        return f" (message {NUMBERS.sub('…', message.slot) or 'without a slot'})"
    if hasattr(request, "words"):
        return f" (request {request.words.partition(' ')[0]})"
    return ""


def fork(told: dict[str, Any]) -> int:
    """The number of a new process that is a bot with these settings."""
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(log, number)
    os.close(0)
    os.environ.update(told["settings"])
    try:
        asyncio.run(_bot(Path(told["folder"])))
    finally:
        os._exit(1)


async def _bot(folder: Path) -> None:
    from bot.settings import read_settings
    from bot.wiring import serve

    watch = Watch(folder)
    loop = asyncio.get_running_loop()

    def task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
        watched: Any = Watched(coroutine, watch) if asyncio.iscoroutine(coroutine) else coroutine
        return asyncio.Task(watched, loop=loop, **named)

    loop.set_task_factory(task)
    loop.add_signal_handler(signal.SIGUSR2, watch.arm)
    await serve(read_settings())


def main() -> int:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here: whoever asked looks whether they live
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from google.cloud import monitoring_v3, run_v2  # noqa: F401  (so that no fork has to)

    for line in sys.stdin:
        told = json.loads(line)
        if told.get("lease"):
            shorten(told["lease"])
        print(fork(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
