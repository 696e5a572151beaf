"""Who hears what other processes wrote? One thread with a connection of its own; it survives a database's restart.

What is heard is a hint and no more: with all of it lost, the next look comes after the poll.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Self

import psycopg

from bot.dialect import Row
from bot.postgres import Postgres, heard

log = logging.getLogger(__name__)

PROBE = 5.0  # seconds of silence after which the connection is asked whether it still lives
FIRST_RETRY = 0.1  # seconds; doubled with each failure in a row
LAST_RETRY = 5.0  # seconds


class Listener:
    """Hears notifications while it is entered."""

    def __init__(self, sql: Postgres, me: str, hear: Callable[[str], None], missed: Callable[[], None]) -> None:
        """`hear` is called on the event loop with the words of others than `me`; `missed` after each further
        connection, for nobody knows what was said before it."""
        self._sql = sql
        self._me = me
        self._hear = hear
        self._missed = missed
        self._here, self._there = socket.socketpair()
        self._closed = False
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        """It hears from now on, or tries to."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._serve, name="listener", daemon=True).start()
        await self._begun.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        self._there.send(b"x")
        await self._ended.wait()
        self._here.close()
        self._there.close()

    def _serve(self) -> None:
        failures = 0
        first = True
        while not self._closed:
            try:
                with closing(self._sql.listen()) as connection:
                    connection.add_notify_handler(lambda notification: self._heard(notification.payload))
                    self._call(self._begun.set if first else self._missed)
                    if failures:
                        log.info("what others write is heard again")
                    first, failures = False, 0
                    self._listen(connection)
            except (psycopg.Error, OSError) as error:
                if not failures:
                    log.warning("what others write cannot be heard for now: %s", error)
                self._call(self._begun.set)
                first = False
            if not self._closed:
                select.select([self._here], [], [], min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 8)))
                failures += 1
        self._call(self._ended.set)

    def _listen(self, connection: psycopg.Connection[Row]) -> None:
        """Returns when it is closed; raises where the connection is gone."""
        while not self._closed:
            if not select.select([connection.fileno(), self._here.fileno()], [], [], PROBE)[0]:
                connection.execute("SELECT 1")
            for words in heard(connection):
                self._heard(words)

    def _heard(self, words: str) -> None:
        who, _, what = words.partition(" ")
        if who != self._me:
            self._call(lambda: self._hear(what))

    def _call(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(what)
