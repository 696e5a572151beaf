"""What time is it? The machine's clock; in the sandbox, one that can be moved for every process at once."""

from __future__ import annotations

import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class MovableClock:
    """The machine's clock and an offset in seconds, in a small file that every process sees which opened it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("<d", 0.0))
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """Seconds since the epoch, by this clock."""
        (offset,) = struct.unpack("<d", self._offset[:8])
        return time.time() + float(offset)

    def set(self, at: datetime) -> None:
        """From now on it is `at`, and time goes on from there."""
        self._offset[:8] = struct.pack("<d", at.timestamp() - time.time())
