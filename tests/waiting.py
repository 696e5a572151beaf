"""How long was a processor waited for? On a busy machine that is nobody's own time.

The second field of https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat; nothing where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path


def waited() -> dict[str, float]:
    """By thread of this process and of all those it started: seconds so far in which it was ready and others ran."""
    found = {}
    for pid in _family(os.getpid()):
        for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # a thread that has just ended
                found[str(schedstat)] = int(schedstat.read_text().split()[1]) / 1e9
    return found


def longest(before: Mapping[str, float], now: Mapping[str, float]) -> float:
    """Seconds that the thread which waited longest had to wait meanwhile: what is done one after the other waited at
    least as long."""
    return max((seconds - before.get(thread, 0.0) for thread, seconds in now.items()), default=0.0)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from _family(int(child))
