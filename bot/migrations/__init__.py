"""Are the tables those that this program knows, and how do they become so?

Telling needs only the raw driver; Alembic (half a second of imports) is loaded where there is something to do.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bot.database import dialect
from bot.dialect import Connection
from bot.migrations import guards
from bot.sqlite import path_of
from commands.errors import Rejected

if TYPE_CHECKING:
    import sqlalchemy as sa

HEAD = "0010"
"""The newest version; a test holds it against `versions/`."""
PATIENCE = 5.0  # seconds to wait for the database


def needs_upgrade(database_url: str) -> bool:
    """True where `upgrade` has something to do; `Rejected` where the tables are newer than the program."""
    version = dialect(database_url, PATIENCE).version()
    if version is not None and version > HEAD:
        raise Rejected(f"The database is at version {version}, newer than this program's {HEAD}.")
    return version != HEAD


def upgrade(database_url: str) -> None:
    """The tables are at `HEAD`, with every guard in place. Blocks; two at the same time wait for each other."""
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    engine = _postgres(database_url) if database_url.startswith("postgres") else _sqlite(path_of(database_url))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with engine.begin() as alembic_connection:
            config.attributes["connection"] = alembic_connection
            command.upgrade(config, "head")
    except sa.exc.OperationalError as error:
        raise Rejected(f"The database cannot be reached or written: {error.orig}") from error
    finally:
        engine.dispose()


def _sqlite(path: Path) -> sa.Engine:
    import sqlalchemy as sa

    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
    # The driver begins no transaction of its own accord, so that ours holds the tables and the version together.
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _postgres(database_url: str) -> sa.Engine:
    """Nobody else upgrades, and nobody writes, until the transaction ends."""
    import psycopg
    import sqlalchemy as sa

    from bot.postgres import WRITERS, address_of

    address = address_of(database_url)
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(address))
    lock = f"SELECT pg_advisory_xact_lock({WRITERS})"
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(lock))
    return engine


def missing_guards(connection: Connection) -> frozenset[str]:
    """Names of the triggers that are not there, or not to the letter as we make them."""
    if isinstance(connection, sqlite3.Connection):
        return guards.missing_in_sqlite(connection)
    return guards.missing_in_postgres(connection)
