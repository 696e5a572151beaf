"""What do books look like in which nothing stands yet?"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from bot import migrations


@cache
def books() -> bytes:
    """A file of SQLite's with up-to-date tables."""
    with tempfile.TemporaryDirectory(prefix="books-") as directory:
        path = Path(directory) / "books.db"
        migrations.upgrade(f"sqlite:///{path}")
        return path.read_bytes()
