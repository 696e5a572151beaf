"""Which database do the books of a test stand in?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bot import books
from tests.postgres import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One for the whole run."""
    with running(durable=False) as server:
        yield server


@pytest.fixture
def postgres(server: Server) -> Iterator[Server]:
    """Fresh books of this test stand there."""
    with books.on(server):
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Fresh books of this test stand in each, one after the other."""
    if request.param == "postgresql":
        request.getfixturevalue("postgres")
    return str(request.param)
