"""What of GitHub's published description does the local GitHub play, and what happens when it is told to fail?"""

from __future__ import annotations

import json
import random
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bot.sandbox.github.git import Git, Signature
from bot.sandbox.github.routes import ROUTES
from tests.bot.github_world import CONTRACT, NINE, needs_contract
from tests.bot.sandbox.github_place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")


@needs_contract
async def test_every_operation_that_the_bot_may_call_is_played() -> None:
    operations = json.loads((CONTRACT / "contract.json").read_text())["ops"]
    played = {
        one["op"]: any(route.match(one["method"], re.sub(r"{\w+}", "5", one["path"])) is not None for route in ROUTES)
        for one in operations
    }
    assert len(played) == 116
    assert [name for name, there in played.items() if not there] == []


# Told to fail -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "happens"),
    [
        ("bad_gateway", False),
        ("bad_gateway_after", True),
        ("dropped", True),
        ("secondary_limit", False),
        ("secondary_limit_silent", False),
        ("too_many_requests", False),
        ("too_many_requests_silent", False),
        ("moved", False),
        ("base_moved", False),
        ("stall", True),
    ],
)
async def test_a_merge_that_goes_wrong_has_happened_or_has_not(place: Place, kind: str, happens: bool) -> None:
    head = await place.branch("dev", {"a": "a"})
    await place.pull("dev")
    place.world.inject(kind, method="PUT", path="/merge", seconds=0)
    try:
        said = await place.asks()("PUT", "pulls/1/merge", {"sha": head})
        assert (said.status == 200) == (kind == "stall")
    except aiohttp.ClientError:
        assert kind == "dropped"
    assert (await place.asks()("GET", "pulls/1")).body["merged"] is happens
    assert (head in place.git("log", "-1", "--format=%P", "main")) is happens


async def test_a_stale_read_shows_pull_requests_and_rules_as_they_were(place: Place) -> None:
    head = await place.branch("dev", {"a": "a"})
    await place.pull("dev")
    asks = place.asks()
    await asks("PUT", "pulls/1/merge", {"sha": head})
    place.world.inject("stale_read", times=2)
    assert [(await asks("GET", "pulls/1")).body["merged"] for _ in range(3)] == [False, False, True]
    await asks("POST", "rulesets", {"name": "r", "enforcement": "active", "rules": [{"type": "deletion"}]})
    place.world.inject("stale_read")
    assert [len((await asks("GET", "rulesets")).body) for _ in range(2)] == [0, 1]


# Git's own ----------------------------------------------------------------------------------------------------------


async def test_reverts_and_picks_of_random_histories_equal_gits_own(tmp_path: Path) -> None:
    """`-m 1` of a merge, and a pick onto another branch: the same tree, or a conflict in both."""
    chances, who = random.Random(31), Signature("t", "t@x", NINE)
    git = await Git.create(tmp_path / "bare.git", "main")
    work = tmp_path / "work"

    def command(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        named = ("git", "-c", "user.name=t", "-c", "user.email=t@x", *arguments)
        return subprocess.run(named, cwd=work, capture_output=True, text=True, check=check)

    def lines() -> str:
        return "".join(f"{chances.choice('abc')}\n" for _ in range(6))

    ends = {"same": 0, "conflict": 0}
    for number in range(12):
        begin = await git.write("main", "Begin", {"f": lines(), "g": lines()}, who)
        await git.run("update-ref", "refs/heads/dev", begin)
        for branch in ("main", "dev", "dev"):
            await git.write(branch, "Work", {chances.choice("fgh"): lines(), f"{branch}-{number}": "x\n"}, who)
        main, dev = await git.ref("refs/heads/main"), await git.ref("refs/heads/dev")
        assert main
        assert dev
        merge = await git.merge(main, dev, "Merge", who)
        if merge is None:
            continue
        await git.run("update-ref", "refs/heads/main", merge)
        later = await git.write("main", "Later", {chances.choice("fgh"): lines()}, who)
        if not work.exists():
            subprocess.run(["git", "clone", "-q", git.directory, work], check=True)
        command("fetch", "-q", "origin")
        for ours, theirs, base, words in (
            (later, f"{merge}^1", merge, ("revert", "--no-commit", "-m", "1", merge)),
            (begin, dev, f"{dev}^", ("cherry-pick", "--no-commit", dev)),
        ):
            command("checkout", "-q", "--detach", ours)
            done = command(*words, check=False)
            wanted = command("write-tree").stdout.strip() if done.returncode == 0 else None
            command("reset", "-q", "--hard")
            assert await git.merged_tree(ours, theirs, base) == wanted, words
            ends["same" if wanted else "conflict"] += 1
    assert min(ends.values()) > 0, ends


# Anything at all ----------------------------------------------------------------------------------------------------


@needs_contract
async def test_nothing_that_is_sent_makes_it_stumble(place: Place) -> None:
    """Six hundred requests of the description's shapes with any values: each is answered, none with a failure of ours."""
    chances, head = random.Random(20261121), await place.branch("dev", {"a": "b"})
    await place.pull("dev")
    operations = json.loads((CONTRACT / "contract.json").read_text())["ops"]
    names = [
        "1",
        "5",
        "main",
        "dev",
        head,
        "x",
        "heads/main",
        "a",
        "..",
        "%00",
        "%0a",
        "main...dev",
        "--all",
        "-1",
        "%FF",
    ]
    values: list[Any] = [None, 1, -1, True, "", "x", "main", "dev", head, [], {}, [1], [None], {"a": 1}, ["x"], 1.5]
    values += ["refs/heads/q", "\ud800", "a\0b", "a\nb", [{}], [[]], {"context": 1}, "2026-11-24T09:00:00Z", "é" * 50]
    stumbled = []
    record = ExitStack()
    record.enter_context(place.world.off_the_record())  # no description has most of what is said now
    for _ in range(600):
        one = chances.choice(operations)
        path = re.sub(r"{\w+}", lambda _: chances.choice(names), one["path"].replace("{owner}/{repo}", place.name))
        if one["query"] and chances.random() < 0.5:
            path += f"?{chances.choice(list(one['query']))}={chances.choice(names)}"
        asked, body = one["body"] or {}, None
        if one["body"] is not None:
            needed = asked.get("required", ())
            wanted = [name for name in asked.get("properties", {}) if name in needed or chances.random() < 0.4]
            body = json.dumps({name: chances.choice(values) for name in wanted})
        async with place.session.request(
            one["method"],
            URL(place.world.url + path, encoded=True),
            data=body,
            headers={"Authorization": f"token {place.world.token}"},
            allow_redirects=False,
        ) as answer:
            if answer.status >= 500:
                stumbled.append(f"{one['method']} {path} {body}")
    record.close()
    assert stumbled == []
