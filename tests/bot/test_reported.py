"""Numbers that CI reports of a commit: read from what a check says of itself in a line, and only where that is certain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from bot.github import GitHub
from policy.evidence import Measured
from policy.model import Sha
from tests.bot.github_host import Host, github_host, github_of
from tests.bot.github_world import REPOSITORY

HEAD = Sha("a" * 40)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with github_host() as host:
        yield host


@pytest.fixture
async def github(host: Host) -> AsyncIterator[GitHub]:
    async with aiohttp.ClientSession() as session:
        yield github_of(host, session)


def run(
    title: str | None, *, name: str = "coverage", at: int = 9, app: int = 1, finished: bool = True
) -> dict[str, Any]:
    times = {"started_at": f"2026-11-24T{at:02}:00:00Z", "completed_at": f"2026-11-24T{at:02}:10:00Z"}
    if not finished:
        times["completed_at"] = None  # type: ignore[assignment]
    state = {"status": "completed", "conclusion": "failure"} if finished else {"status": "queued", "conclusion": None}
    return {"id": at, "name": name, "app": {"id": app}, "output": {"title": title}, **state, **times}


def status(description: str | None, *, state: str = "success", at: int = 9) -> dict[str, Any]:
    said = {"id": at, "context": "coverage", "state": state, "description": description, "target_url": "https://ci/1"}
    return {**said, "updated_at": f"2026-11-24T{at:02}:30:00Z"}


def told(runs: list[dict[str, Any]], statuses: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        f"/commits/{HEAD}/check-runs": {"total_count": len(runs), "check_runs": runs},
        f"/commits/{HEAD}/status": {"total_count": len(statuses), "statuses": statuses},
    }


@pytest.mark.parametrize(
    ("runs", "statuses", "value"),
    [
        ([], [], None),
        ([run("92.4 %")], [], 92.4),
        ([run("Coverage: 92%")], [], 92),
        ([run("-3.5 % against main")], [], -3.5),
        ([run("412KB")], [], 412),
        ([run("p95 is 4 % slower")], [], 4),
        ([run("92.4 % (was 91 %)")], [], None),
        ([run("1,024 KB")], [], None),
        ([run("v1.2.3")], [], None),
        ([run("good")], [], None),
        ([run(None)], [], None),
        ([run("92 %", name="other")], [], None),
        ([run("92 %", finished=False)], [], None),
        # the newest of each app; what goes on counts before what was
        ([run("80 %", at=9), run("92 %", at=10)], [], 92),
        ([run("92 %", at=10), run("80 %", at=9)], [], 92),
        ([run("92 %", at=9), run("93 %", at=10, finished=False)], [], None),
        ([run("92 %", app=1), run("80 %", app=2)], [], None),
        ([run("92 %", app=1), run("92.0", app=2)], [], 92),
        ([], [status("92.4% of lines")], 92.4),
        ([], [status("92.4%", state="failure")], 92.4),
        ([], [status("92.4%", state="pending")], None),
        ([], [status("80%", at=8), status("92%", at=9)], 92),
        ([], [status(None)], None),
        ([run("92 %")], [status("92%")], 92),
        ([run("92 %")], [status("80%")], None),
        ([run("92 %")], [status("none")], None),
    ],
)
async def test_a_number_counts_where_it_is_said_once_and_for_certain(
    host: Host, github: GitHub, runs: list[Any], statuses: list[Any], value: float | None
) -> None:
    host.answers = told(runs, statuses)
    found = await github.numbers(REPOSITORY, HEAD, ["coverage"])
    assert (found["coverage"].value if "coverage" in found else None) == value


async def test_it_is_as_old_as_what_said_it(host: Host, github: GitHub) -> None:
    host.answers = told([run("90 %", name="lighthouse", at=7)], [status("92.4%")])
    assert await github.numbers(REPOSITORY, HEAD, ["coverage", "lighthouse"]) == {
        "coverage": Measured(92.4, datetime(2026, 11, 24, 9, 30, tzinfo=UTC), "https://ci/1"),
        "lighthouse": Measured(90, datetime(2026, 11, 24, 7, 10, tzinfo=UTC)),
    }
