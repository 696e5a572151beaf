"""What have the two databases in common? Connections that take the same SQL, and one answer each where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]
Statement = tuple[str, Mapping[str, Any]]
"""SQL and its values."""


class Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Row | None: ...
    def fetchall(self) -> list[Row]: ...
    def __iter__(self) -> Iterator[Row]: ...


class Connection(Protocol):
    """What both drivers' connections can do. Placeholders are `:name`."""

    @property
    def in_transaction(self) -> bool: ...
    def execute(self, sql: str, values: Mapping[str, Any] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, values: Iterable[Mapping[str, Any]], /) -> object: ...
    def close(self) -> None: ...


class Dialect(Protocol):
    """What is peculiar to one database. Everything else is SQL that both speak."""

    NOW: str
    SKIP_LOCKED: str
    SHARED: bool
    name: str
    """Which one it is, for people; never a password."""

    def connect(self, *, reading: bool) -> Connection: ...
    def begin(self, connection: Connection, reads: str) -> Row | None:
        """Nobody else writes until the transaction ends. What `reads` reads then."""

    def commit(self, connection: Connection, last: Sequence[Statement], words: Sequence[str]) -> None:
        """These few short statements and the COMMIT; then other processes hear the words."""

    def text_of(self, column: str) -> str: ...
    def version(self) -> str | None: ...
    def is_trouble(self, error: BaseException) -> bool: ...
    def undone(self, error: BaseException) -> bool: ...
    def gone(self, connection: Connection) -> bool: ...
