from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import bot.tables  # noqa: F401  (its tables register themselves)
from bot import migrations
from bot.migrations import guards
from bot.sqlite import path_of
from bot.store import Store
from commands.errors import Rejected
from commands.ports import Writes
from policy.facts import Freeze
from tests.bot.books import CHECKOUT, HOUR, MAYA, OMAR, START, closed, fresh, operation, vote

DATA = Path(__file__).parents[1] / "data"


def statements(path: Path) -> dict[str, str]:
    """What makes each table and index, in one spelling."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
        ).fetchall()
    return {name: " ".join(sorted(re.split(r"[\s,()]+", sql))) for name, sql in rows}


def test_the_migrated_tables_are_those_of_the_models_to_the_letter(tmp_path: Path) -> None:
    migrations.upgrade(f"sqlite:///{tmp_path}/migrated.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path}/modelled.db")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    migrated = statements(tmp_path / "migrated.db")
    migrated.pop("alembic_version")
    assert migrated == statements(tmp_path / "modelled.db")


def test_alembic_sees_no_difference_either(tmp_path: Path) -> None:
    migrations.upgrade(f"sqlite:///{tmp_path}/migrated.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    engine.dispose()


def test_the_newest_version_is_the_one_that_the_program_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_an_upgrade_is_needed_once_and_harmless_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/books.db"
    assert migrations.needs_upgrade(url)
    migrations.upgrade(url)
    assert not migrations.needs_upgrade(url)
    migrations.upgrade(url)
    with closing(sqlite3.connect(path_of(url))) as connection:
        assert migrations.missing_guards(connection) == frozenset()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT size FROM ledger_head").fetchall() == [(0,)]


async def test_books_of_the_first_version_are_brought_up_to_date_with_all_that_is_in_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/books.db"
    with closing(sqlite3.connect(tmp_path / "books.db")) as connection:
        # written by the program of that version: a request, an operation, a vote, a freeze, a hold, what is good
        connection.executescript((DATA / "books_0001.sql").read_text())
        entries = connection.execute("SELECT * FROM entries").fetchall()
    assert migrations.needs_upgrade(url)
    migrations.upgrade(url)
    (tmp_path / "new").mkdir()
    fresh(tmp_path / "new")
    assert statements(tmp_path / "books.db") == statements(tmp_path / "new" / "books.db")
    async with closed(url) as store:
        assert (await store.verify()).ok
        assert await store.operation("op_1") == replace(operation(), wake=1)
        (agreed,) = await store.votes("op_1")
        assert agreed == replace(vote(), reason="looked at it", plan=agreed.plan)
        assert agreed.plan.startswith("f2471d66")
        (freeze,) = await store.freezes(START)
        assert freeze == Freeze("F-1", "prod", None, START, START + 2 * HOUR, "a sale", "Omar Said", "sales end")
        assert freeze.holds(START)
        assert [each.id for each in await store.holds()] == ["H-1"]
        assert [each.revision for each in await store.known_good(CHECKOUT)] == ["checkout-1"]
        await store.commit(Writes(votes=(("op_1", vote(MAYA)),), record_votes=(("F-1", vote()),)))
        assert [each.voter for each in await store.votes("op_1")] == [OMAR, MAYA]
    with closing(sqlite3.connect(tmp_path / "books.db")) as connection:
        assert connection.execute("SELECT * FROM entries").fetchall() == entries


def test_two_upgrades_at_once_wait_for_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/books.db"
    script = f"from bot import migrations; migrations.upgrade({url!r})"
    done: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: done.append(subprocess.run([sys.executable, "-c", script], check=False).returncode)
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [0, 0]
    assert not migrations.needs_upgrade(url)


def test_a_database_newer_than_the_program_is_refused(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(Rejected, match="newer"):
        migrations.needs_upgrade(url)


@pytest.mark.parametrize("url", ["postgresql://h/db", "sqlite:///:memory:", "sqlite://", "books.db", ""])
def test_an_address_that_is_no_sqlite_file_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(Rejected, match="DATABASE_URL"):
        path_of(url)


async def test_a_store_does_not_open_books_that_are_not_up_to_date(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="db upgrade"):
        async with closed(f"sqlite:///{tmp_path}/none.db"):
            pass


@pytest.mark.parametrize("name", sorted(guards.SQLITE))
async def test_a_store_does_not_open_books_without_their_guards(tmp_path: Path, name: str) -> None:
    url = fresh(tmp_path)
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute(f"DROP TRIGGER {name}")
        connection.commit()
    with pytest.raises(Rejected, match=name):
        async with closed(url):
            pass


async def test_a_guard_that_was_weakened_counts_as_gone(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT 1; END")
        connection.commit()
        assert migrations.missing_guards(connection) == {"entries_no_update"}


def test_starting_does_not_wait_for_an_orm() -> None:
    heavy = "{'sqlalchemy', 'sqlmodel', 'alembic', 'aiosqlite'}"
    script = f"import sys, bot.store, bot.controller, bot.outbox, bot.migrations; print({heavy} & sys.modules.keys())"
    seen = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "set()"
    assert Store.__module__ == "bot.store"
