"""Are the tables those that this program knows, and how do they become so?

Telling needs only the raw driver; Alembic (half a second of imports) is loaded where there is something to do.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.migrations import guards
from commands.errors import Rejected

HEAD = "0003"
"""The newest version; a test holds it against `versions/`."""

_SQLITE = ("sqlite:///", "sqlite+aiosqlite:///")


def sqlite_path(database_url: str) -> Path:
    """The file that a `sqlite:///` URL names; `Rejected` for every other URL."""
    for scheme in _SQLITE:
        if database_url.startswith(scheme):
            name = database_url.removeprefix(scheme).partition("?")[0]
            if name and name != ":memory:":
                return Path(name)
    kind = database_url.partition(":")[0]
    raise Rejected(f"DATABASE_URL must be sqlite:///PATH for now, not a {kind or 'missing'} address.")


def needs_upgrade(database_url: str) -> bool:
    """True where `upgrade` has something to do; `Rejected` where the tables are newer than the program."""
    path = sqlite_path(database_url)
    if not path.exists() or path.stat().st_size == 0:
        return True
    with closing(sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return True
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if version is not None and version[0] > HEAD:
        raise Rejected(f"The database is at version {version[0]}, newer than this program's {HEAD}.")
    return version is None or version[0] != HEAD


def upgrade(database_url: str) -> None:
    """The tables are at `HEAD`, with every guard in place. Blocks; two at the same time wait for each other."""
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    path = sqlite_path(database_url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
    # The driver begins no transaction of its own accord, so that ours holds the tables and the version together.
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with engine.begin() as alembic_connection:
            config.attributes["connection"] = alembic_connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def missing_guards(connection: sqlite3.Connection) -> frozenset[str]:
    """Names of the triggers that are not there, or not to the letter as we make them."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    there = dict(rows.fetchall())
    return frozenset(name for name, sql in guards.SQLITE.items() if there.get(name) != sql)
