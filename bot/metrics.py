"""What can operators count? A page of Prometheus text, made when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class _Books(Protocol):
    @property
    def taken(self) -> int: ...

    @property
    def committed(self) -> int: ...


class _Works(Protocol):
    @property
    def failed(self) -> int: ...


class Counted:
    """Counters that the parts keep themselves, written down for Prometheus."""

    def __init__(self, books: _Books, works: _Works) -> None:
        self._books = books
        self._works = works

    def text(self) -> str:
        """https://prometheus.io/docs/instrumenting/exposition_formats/"""
        rows = (
            ("release_bot_requests_taken_total", "counter", "Requests taken down and acknowledged", self._books.taken),
            ("release_bot_commits_total", "counter", "Changes of our own books", self._books.committed),
            (
                "release_bot_failures_total",
                "counter",
                "Requests that failed for a reason nobody foresaw",
                self._works.failed,
            ),
            ("process_resident_memory_bytes", "gauge", "Resident memory", _resident()),
        )
        return "".join(
            f"# HELP {name} {says}.\n# TYPE {name} {kind}\n{name} {value}\n" for name, kind, says, value in rows
        )


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
