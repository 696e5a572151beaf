"""Is all that is said to a local GitHub written down, and is it told which of GitHub's operations that was?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.github.world import RECORDED, GitHubWorld
from tests.bot.exchanges import report
from tests.bot.github_world import REPOSITORY, Asker, HandClock, needs_contract


def test_this_very_run_writes_it_down() -> None:
    assert Path(os.environ[RECORDED]).is_dir()


@needs_contract
async def test_what_was_said_is_told_by_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RECORDED, str(tmp_path))
    async with GitHubWorld(tmp_path / "github", HandClock()) as world, aiohttp.ClientSession() as session:
        await world.create_repository(REPOSITORY)
        asks = Asker(session, world, home=f"/repos/{REPOSITORY}")
        await asks("GET", "")
        await asks("GET", "")
        await asks("GET", "git/ref/heads/nothing")
        world.inject("bad_gateway_after", path="/labels")
        await asks("POST", "issues/1/labels", {"labels": ["x"]})
        await asks("POST", "/graphql", {"query": "{ rateLimit { remaining } }"})
        with world.off_the_record():
            await asks("GET", "nonsense")
        found = report(tmp_path)
    assert found is not None
    assert (found.exchanges, found.documents, found.wrong) == (5, 1, ())
    assert found.covered == ("repos/get",)
    assert "git/get-ref" in found.missing
    assert next(found.lines()).startswith("5 exchanges, 0 against")


@needs_contract
@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (
            {"method": "GET", "path": "/repos/a/b", "request": None, "status": 200, "response": {}},
            "is a required property",
        ),
        ({"method": "PUT", "path": "/repos/a/b/pulls/1/merge", "request": {"expected_sha": "0"}}, "request/expected"),
        ({"method": "GET", "path": "/repos/a/b/nonsense", "request": None}, "no documented operation"),
        ({"method": "POST", "path": "/graphql", "request": {"query": "{ nothing }"}}, "Cannot query field 'nothing'"),
        ({"method": "POST", "path": "/graphql", "request": {"query": "{ nothing"}}, "Syntax Error"),
    ],
)
def test_what_github_would_not_have_understood_is_named(said: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "1-a.jsonl").write_text(json.dumps(said) + '\n{"method": "GET", "pa', "utf-8")
    found = report(tmp_path)
    assert found is not None
    assert found.exchanges == 1
    assert any(complaint in line for line in found.wrong), found.wrong
    assert any(complaint in line for line in found.lines())
