"""The adapter and the local GitHub together: what became of the world, and what we were told."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.github import AppKey, GitHub, Pace, PersonalToken
from bot.github.reading import CommitRead
from bot.sandbox.github import GitHubWorld
from commands.errors import OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.ports import Code, Deployment
from policy.facts import CheckState
from policy.model import Digest, Sha
from tests.bot.github_world import (
    CONTRACT,
    NINE,
    REPOSITORY,
    HandClock,
    github_world,
    key_pair,
    needs_contract,
    violations,
)

QUICK = Pace(write_gap=0, retry_pause=0.01, longest_wait=0.5, read_timeout=60, write_timeout=60)
HASTY = Pace(write_gap=0, retry_pause=0.01, longest_wait=0.5, read_timeout=0.2, write_timeout=0.2)
DIGEST = Digest("sha256:" + "ab" * 32)
NOWHERE = Sha("0123456789" * 4)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def world(tmp_path: Path, clock: HandClock) -> AsyncIterator[GitHubWorld]:
    async with github_world(tmp_path, clock) as world:
        yield world


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def github(world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock) -> GitHub:
    return GitHub(session, PersonalToken(world.token), clock, url=world.url, pace=QUICK)


@pytest.fixture
async def head(world: GitHubWorld) -> Sha:
    return Sha(await world.commit(REPOSITORY, "main", "Begin", {"README.md": "hello\n"}, "maya", NINE))


def as_app(world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, pace: Pace = QUICK) -> GitHub:
    private, public = key_pair()
    world.register_app(4711, public, 99)
    return GitHub(session, AppKey("4711", private, "99"), clock, url=world.url, pace=pace)


async def record(
    github: Code, commit: Sha, operation: str = "op_1", *, production: bool = True, doubted: bool = False
) -> int:
    return await github.record_deployment(
        REPOSITORY,
        commit=commit,
        environment="prod" if production else "stage",
        production=production,
        operation=operation,
        payload={"digest": DIGEST, "revision": "checkout-r-1"},
        description="Promotion",
        doubted=doubted,
    )


async def recorded(world: GitHubWorld) -> list[dict[str, Any]]:
    deployments: list[dict[str, Any]] = (await world.snapshot())[REPOSITORY]["deployments"]
    return deployments


def writes(world: GitHubWorld) -> list[dict[str, Any]]:
    return [said for said in world.exchanges if said["method"] != "GET" and not said["path"].startswith("/app/")]


# Checks -------------------------------------------------------------------------------------------------------------


async def test_runs_and_statuses_of_exactly_that_commit_are_told_by_name(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    other = await world.commit(REPOSITORY, "main", "Go on", {"a": "b"}, "maya", NINE)
    world.set_check(REPOSITORY, head, "unit-tests", "success")
    world.set_check(REPOSITORY, head, "lint", "failure")
    world.set_check(REPOSITORY, other, "build", "success")
    checks = await github.checks(REPOSITORY, head)
    assert {name: (check.state, check.saw) for name, check in checks.items()} == {
        "unit-tests": (CheckState.PASSED, "success"),
        "lint": (CheckState.FAILED, "failure"),
    }


@pytest.mark.parametrize(
    ("conclusion", "state"),
    [
        ("success", CheckState.PASSED),
        ("neutral", CheckState.PASSED),
        ("skipped", CheckState.PASSED),
        ("failure", CheckState.FAILED),
        ("cancelled", CheckState.FAILED),
        ("timed_out", CheckState.FAILED),
        ("action_required", CheckState.FAILED),
        ("stale", CheckState.FAILED),
        ("startup_failure", CheckState.FAILED),
        (None, CheckState.PENDING),
    ],
)
async def test_only_three_conclusions_pass(
    world: GitHubWorld, github: GitHub, head: Sha, conclusion: str | None, state: CheckState
) -> None:
    world.set_check(REPOSITORY, head, "unit-tests", conclusion)
    assert (await github.checks(REPOSITORY, head))["unit-tests"].state is state


async def test_a_newer_run_that_is_still_going_counts_before_an_older_success(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    world.set_check(REPOSITORY, head, "unit-tests", None, suite="rerun", at=NINE)
    world.set_check(REPOSITORY, head, "unit-tests", "success", at=NINE - timedelta(hours=1))
    assert (await github.checks(REPOSITORY, head))["unit-tests"].state is CheckState.PENDING


async def test_the_newest_run_counts_however_many_suites_repeat_the_name(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    world.set_check(REPOSITORY, head, "unit-tests", "success")
    world.inject("duplicate_check_runs")
    assert (await github.checks(REPOSITORY, head))["unit-tests"].state is CheckState.PASSED
    assert world.exchanges[0]["response"]["total_count"] == 2 or world.exchanges[1]["response"]["total_count"] == 2


async def test_two_apps_with_one_name_must_both_pass(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    world.set_check(REPOSITORY, head, "unit-tests", "failure", app="Somebody")
    world.set_check(REPOSITORY, head, "unit-tests", "success", app="Somebody Else")
    assert (await github.checks(REPOSITORY, head))["unit-tests"].state is CheckState.FAILED


async def test_a_status_and_a_run_of_one_name_must_both_pass(
    world: GitHubWorld, github: GitHub, session: aiohttp.ClientSession, head: Sha
) -> None:
    async def say(state: str) -> None:
        async with session.post(
            f"{world.url}/repos/{REPOSITORY}/statuses/{head}",
            json={"state": state, "context": "unit-tests"},
            headers={"Authorization": f"token {world.token}"},
        ) as response:
            assert response.status == 201

    world.set_check(REPOSITORY, head, "unit-tests", "success")
    for state, told in (("pending", CheckState.PENDING), ("error", CheckState.FAILED), ("success", CheckState.PASSED)):
        await say(state)
        assert (await github.checks(REPOSITORY, head))["unit-tests"].state is told


async def test_every_page_of_checks_is_read(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    for number in range(230):
        world.set_check(REPOSITORY, head, f"check-{number}", "success")
    assert len(await github.checks(REPOSITORY, head)) == 230


async def test_more_checks_than_we_follow_are_refused_not_cut(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    for number in range(1001):
        world.set_check(REPOSITORY, head, f"check-{number}", "success")
    with pytest.raises(Rejected, match="more than 1000"):
        await github.checks(REPOSITORY, head)


async def test_a_commit_or_repository_that_is_not_there_is_named(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    with pytest.raises(Rejected, match=NOWHERE):
        await github.checks(REPOSITORY, NOWHERE)
    with pytest.raises(Rejected, match="no repository acme/nothing"):
        await github.checks("acme/nothing", head)
    with pytest.raises(Rejected, match="no such thing"):
        await github.compare(REPOSITORY, head, NOWHERE)


@pytest.mark.parametrize("name", ["acme/..", "acme/checkout/../../other", "acme", "acme/check out", "../acme/checkout"])
async def test_no_name_leads_out_of_its_repository(world: GitHubWorld, github: GitHub, head: Sha, name: str) -> None:
    with pytest.raises(Rejected):
        await github.checks(name, head)
    assert not world.exchanges


async def test_only_a_full_commit_id_is_sent(world: GitHubWorld, github: GitHub) -> None:
    for name in ("main", "abc1234", "../../secrets"):
        with pytest.raises(Rejected, match="not a full commit"):
            await github.checks(REPOSITORY, Sha(name))
    assert not world.exchanges


# Comparing ----------------------------------------------------------------------------------------------------------


async def test_a_comparison_tells_the_changes_oldest_first(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    await world.set_ref(REPOSITORY, "refs/heads/side", head)
    second = await world.commit(REPOSITORY, "main", "Second\n\nWith more", {"a": "2"}, "maya", NINE)
    third = Sha(await world.commit(REPOSITORY, "main", "Third", {"a": "3"}, "omar", NINE + timedelta(minutes=1)))
    aside = Sha(await world.commit(REPOSITORY, "side", "Aside", {"b": "1"}, "raj", NINE))
    ahead = await github.compare(REPOSITORY, head, third)
    assert (ahead.ahead, ahead.behind) == (2, 0)
    assert [(change.commit, change.title, change.author) for change in ahead.changes] == [
        (second, "Second", "maya"),
        (third, "Third", "omar"),
    ]
    behind, apart, same = [await github.compare(REPOSITORY, third, other) for other in (head, aside, third)]
    assert [(one.ahead, one.behind) for one in (behind, apart, same)] == [(0, 2), (1, 2), (0, 0)]


@pytest.mark.parametrize(
    ("read", "author", "others", "strangers"),
    [
        ({"author": {"login": "maya"}}, "maya", (), ()),
        ({"author": {"login": "maya"}, "committer": {"login": "web-flow"}}, "maya", (), ()),
        ({"author": {"login": "maya"}, "committer": {"login": "omar"}}, "maya", ("omar",), ()),
        ({"author": None, "name": "Maya M."}, "Maya M.", (), ("Maya M.",)),
        ({"author": None, "name": None}, "somebody", (), ("somebody",)),
        # whoever commits may call themselves like the host's own account, and is not it
        ({"author": {"login": "maya"}, "committer": None, "by": "web-flow"}, "maya", ("web-flow",), ("web-flow",)),
        (
            {"author": {"login": "maya"}, "says": "Co-authored-by: Omar <1+omar@users.noreply.github.com>"},
            "maya",
            ("omar",),
            (),
        ),
        ({"author": {"login": "maya"}, "says": "co-authored-by: Raj R. <raj@home>"}, "maya", ("Raj R.",), ("Raj R.",)),
        ({"author": {"login": "maya"}, "says": "Not-co-authored-by: Raj <raj@home>"}, "maya", (), ()),
    ],
)
def test_everybody_who_had_a_hand_in_a_commit_is_read_and_who_has_no_account(
    read: dict[str, Any], author: str, others: tuple[str, ...], strangers: tuple[str, ...]
) -> None:
    git = {"name": read.get("name", "maya")}
    message = f"Do it\n\n{read.get('says', '')}"
    by = {"name": read["by"]} if "by" in read else None
    commit = {"message": message, "author": git, "committer": by}
    made = CommitRead.model_validate(
        {"sha": "a" * 40, "commit": commit, "author": read["author"], "committer": read.get("committer")}
    ).change()
    assert (made.title, made.author, made.others, made.strangers) == ("Do it", author, others, frozenset(strangers))


async def test_a_comparison_of_more_than_the_hosts_cap_still_counts_them_all(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    made = "".join(
        f"commit refs/heads/main\ncommitter maya <maya@x> {number} +0000\ndata 1\nx\n"
        + (f"from {head}\n" if number == 0 else "")
        + "\n"
        for number in range(260)
    )
    await world.repository(REPOSITORY).git.run("fast-import", "--quiet", given=made.encode())
    tip = Sha((await world.snapshot())[REPOSITORY]["refs"]["refs/heads/main"])
    compared = await github.compare(REPOSITORY, head, tip)
    assert (compared.ahead, len(compared.changes)) == (260, 250)


async def test_fifty_random_histories_compare_as_git_says(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    chance = random.Random(20261124)
    git = world.repository(REPOSITORY).git
    stream = []
    for number in range(120):
        parents = chance.sample(range(number), k=min(number, chance.choice((1, 1, 1, 2))))
        links = "".join(f"{'from' if not n else 'merge'} :{parent + 1}\n" for n, parent in enumerate(parents))
        links = links or f"from {head}\n"
        stream.append(
            f"commit refs/heads/b{number}\nmark :{number + 1}\ncommitter maya <maya@x> {number} +0000\ndata 1\nx\n{links}\n"
        )
    await git.run("fast-import", "--quiet", given="".join(stream).encode())
    heads = [Sha(sha) for name, sha in (await git.refs("refs/heads/b")).items()]
    for _ in range(50):
        base, tip = chance.choice(heads), chance.choice(heads)
        compared = await github.compare(REPOSITORY, base, tip)
        only_tip = subprocess.run(
            ["git", "rev-list", f"{base}..{tip}"], cwd=git.directory, check=True, capture_output=True
        )
        only_base = subprocess.run(
            ["git", "rev-list", f"{tip}..{base}"], cwd=git.directory, check=True, capture_output=True
        )
        assert compared.ahead == len(only_tip.stdout.split())
        assert compared.behind == len(only_base.stdout.split())
        assert {change.commit for change in compared.changes} == {sha.decode() for sha in only_tip.stdout.split()}


# Deployments --------------------------------------------------------------------------------------------------------


async def test_deployments_come_newest_first_with_their_newest_status(
    world: GitHubWorld, github: GitHub, head: Sha, clock: HandClock
) -> None:
    ours = {"digest": DIGEST, "revision": "checkout-r-1", "operation": "op_1"}
    first = world.add_deployment(REPOSITORY, head, "prod", ours, "success", NINE, production=True)
    second = world.add_deployment(REPOSITORY, head, "prod", json.dumps(ours), "failure", NINE, production=True)
    third = world.add_deployment(REPOSITORY, head, "prod", "not {json", "", NINE, production=True)
    fourth = world.add_deployment(REPOSITORY, head, "prod", {"digest": 7, "operation": ["x"]}, "success", NINE)
    world.add_deployment(REPOSITORY, head, "stage", ours, "success", NINE)
    clock.advance(minutes=5)
    await github.record_status(REPOSITORY, first, state="inactive", description="Another serves now")
    assert await github.deployments(REPOSITORY, "prod") == (
        Deployment(fourth, "prod", head, None, "", "success", NINE),
        Deployment(third, "prod", head, None, "", "", NINE),
        Deployment(second, "prod", head, DIGEST, "op_1", "failure", NINE, "checkout-r-1"),
        Deployment(first, "prod", head, DIGEST, "op_1", "inactive", NINE + timedelta(minutes=5), "checkout-r-1"),
    )


async def test_the_newest_twenty_deployments_are_told(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    ids = [world.add_deployment(REPOSITORY, head, "prod", {}, "success", NINE) for _ in range(30)]
    assert [one.id for one in await github.deployments(REPOSITORY, "prod")] == ids[:9:-1]


async def test_a_deployment_is_recorded_once_for_each_operation(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    first, again, other = await record(github, head), await record(github, head), await record(github, head, "op_2")
    assert first == again != other
    assert [(one["id"], one["sha"], one["environment"], one["payload"]) for one in await recorded(world)] == [
        (first, head, "prod", {"digest": DIGEST, "revision": "checkout-r-1", "operation": "op_1"}),
        (other, head, "prod", {"digest": DIGEST, "revision": "checkout-r-1", "operation": "op_2"}),
    ]
    (told,) = [one for one in await github.deployments(REPOSITORY, "prod") if one.id == first]
    assert (told.digest, told.operation, told.revision, told.state) == (DIGEST, "op_1", "checkout-r-1", "")


async def test_a_deployment_asks_github_for_the_record_and_nothing_else(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    made = await record(github, head)
    await github.record_status(REPOSITORY, made, state="success", description="It serves")
    staged = await record(github, head, production=False)
    await github.record_status(REPOSITORY, staged, state="success", description="It serves")
    first, status, second, staged_status = (said["request"] for said in writes(world))
    assert first == {
        "ref": head,
        "environment": "prod",
        "production_environment": True,
        "transient_environment": False,
        "auto_merge": False,
        "required_contexts": [],
        "description": "Promotion",
        "payload": {"digest": DIGEST, "revision": "checkout-r-1", "operation": "op_1"},
    }
    assert (second["environment"], second["production_environment"]) == ("stage", False)
    assert status == {"state": "success", "description": "It serves", "auto_inactive": False}
    assert staged_status["auto_inactive"] is False


async def test_twenty_at_once_record_one_deployment(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    assert len(set(await asyncio.gather(*(record(github, head) for _ in range(20))))) == 1
    assert len(await recorded(world)) == 1


async def test_a_red_commit_status_or_a_moved_branch_does_not_stop_the_record(
    world: GitHubWorld, github: GitHub, head: Sha, session: aiohttp.ClientSession
) -> None:
    await world.commit(REPOSITORY, "main", "Go on", {"a": "b"}, "maya", NINE)
    async with session.post(
        f"{world.url}/repos/{REPOSITORY}/statuses/{head}",
        json={"state": "failure"},
        headers={"Authorization": f"Bearer {world.token}"},
    ):
        pass
    before = (await world.snapshot())[REPOSITORY]["refs"]
    assert await record(github, head)
    assert (await world.snapshot())[REPOSITORY]["refs"] == before


async def test_whoever_stood_still_after_a_look_looks_again_before_it_records(
    world: GitHubWorld, github: GitHub, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    now = 0.0
    pace = replace(QUICK, monotonic=lambda: now)
    slow = GitHub(session, PersonalToken(world.token), clock, url=world.url, pace=pace)
    world.inject("stall", method="GET", path="/deployments", seconds=0.5)
    stands_still = asyncio.create_task(record(slow, head))
    while world._faults._waiting:  # until its look was answered, and the answer is on its way
        await asyncio.sleep(0.01)
    now += slow.connection.FRESH + 1
    other = await record(github, head)
    assert await stands_still == other
    assert [made["id"] for made in await recorded(world)] == [other]


async def test_where_every_look_takes_too_long_nothing_is_recorded(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    github.connection.FRESH = 0.0
    with pytest.raises(Unavailable, match="nothing was sent"):
        await record(github, head)
    assert not writes(world)


@pytest.mark.parametrize("fault", ["bad_gateway_after", "dropped"])
async def test_a_deployment_without_an_answer_is_looked_for_not_repeated(
    world: GitHubWorld, github: GitHub, head: Sha, fault: str
) -> None:
    world.inject(fault)
    made = await record(github, head)
    assert [one["id"] for one in await recorded(world)] == [made]
    assert len(writes(world)) == 1


async def test_a_write_that_takes_too_long_is_looked_for_not_repeated(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    github = GitHub(session, PersonalToken(world.token), clock, url=world.url, pace=Pace(0, 0.01, 0.5, 10, 1.5))
    world.inject("stall", method="POST", seconds=60)
    made = await record(github, head)
    assert [one["id"] for one in await recorded(world)] == [made]
    assert len(writes(world)) == 1


async def test_a_deployment_that_cannot_be_found_is_unknown_and_recorded_once_the_next_time(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    world.inject("bad_gateway", method="POST")
    with pytest.raises(OutcomeUnknown):
        await record(github, head)
    assert await recorded(world) == []
    made = await record(github, head)
    assert [one["id"] for one in await recorded(world)] == [made]


async def test_a_look_that_lags_behind_does_not_make_a_second_deployment(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    await record(github, head, "op_0")
    world.inject("dropped")
    world.inject("stale_read", times=4)
    with pytest.raises(OutcomeUnknown):
        await record(github, head)
    world.clear_faults()
    made = await record(github, head)
    assert [one["id"] for one in await recorded(world)][1:] == [made]


async def test_where_it_may_have_been_told_no_single_answer_that_lags_behind_is_believed(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    made = await record(github, head, "op_1")
    world.inject("stale_read", path="/deployments")
    assert await record(github, head, "op_1", doubted=True) == made
    await github.record_status(REPOSITORY, made, state="success", description="")
    world.inject("stale_read", path="/statuses")
    await github.record_status(REPOSITORY, made, state="success", description="", doubted=True)
    ((one),) = await recorded(world)
    assert [status["state"] for status in one["statuses"]] == ["success"]


async def test_a_status_is_written_once(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    made = await record(github, head)
    for state in ("in_progress", "in_progress", "success", "success"):
        await github.record_status(REPOSITORY, made, state=state, description="x" * 200)
    ((one),) = await recorded(world)
    assert [status["state"] for status in one["statuses"]] == ["in_progress", "success"]
    assert len(one["statuses"][0]["description"]) == 140


@pytest.mark.parametrize("fault", ["bad_gateway_after", "dropped"])
async def test_a_status_without_an_answer_is_looked_for_not_repeated(
    world: GitHubWorld, github: GitHub, head: Sha, fault: str
) -> None:
    made = await record(github, head)
    world.inject(fault)
    await github.record_status(REPOSITORY, made, state="success", description="")
    assert [status["state"] for status in (await recorded(world))[0]["statuses"]] == ["success"]


async def test_a_status_that_was_not_written_is_unknown_and_written_the_next_time(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    made = await record(github, head)
    world.inject("bad_gateway", method="POST")
    with pytest.raises(OutcomeUnknown):
        await github.record_status(REPOSITORY, made, state="failure", description="")
    assert (await recorded(world))[0]["statuses"] == []
    await github.record_status(REPOSITORY, made, state="failure", description="")
    assert [status["state"] for status in (await recorded(world))[0]["statuses"]] == ["failure"]


async def test_a_success_leaves_earlier_ones_as_they_are_for_they_may_be_of_other_services(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    for production in (True, False):
        first = await record(github, head, "op_1", production=production)
        await github.record_status(REPOSITORY, first, state="success", description="")
        second = await record(github, head, "op_2", production=production)
        await github.record_status(REPOSITORY, second, state="success", description="")
        states = {one["id"]: one["statuses"][-1]["state"] for one in await recorded(world)}
        assert (states[first], states[second]) == ("success", "success")


async def test_a_status_says_where_it_is_told_of_and_where_it_serves(
    world: GitHubWorld, github: GitHub, head: Sha
) -> None:
    made = await record(github, head)
    log, address = "https://app.slack.com/client/T0ACME/C0RELEASES", "https://checkout.example"
    await github.record_status(REPOSITORY, made, state="success", description="", log=log, address=address)
    status = writes(world)[-1]["request"]
    assert (status["log_url"], status["environment_url"]) == (log, address)


# Trouble ------------------------------------------------------------------------------------------------------------


async def test_a_read_is_tried_three_times(world: GitHubWorld, github: GitHub, head: Sha) -> None:
    world.inject("bad_gateway", times=2)
    assert (await github.compare(REPOSITORY, head, head)).ahead == 0
    world.inject("bad_gateway", times=3)
    with pytest.raises(Unavailable):
        await github.compare(REPOSITORY, head, head)
    assert len(world.exchanges) == 6


async def test_a_read_that_takes_too_long_is_unavailable(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    github = GitHub(session, PersonalToken(world.token), clock, url=world.url, pace=HASTY)
    world.inject("stall", times=3, seconds=60)
    with pytest.raises(Unavailable, match="does not answer"):
        await github.compare(REPOSITORY, head, head)


@pytest.mark.parametrize("fault", ["secondary_limit", "too_many_requests"])
async def test_a_short_limit_is_waited_for_and_a_long_one_is_said(
    world: GitHubWorld, github: GitHub, head: Sha, fault: str
) -> None:
    world.inject(fault, seconds=0)
    assert (await github.compare(REPOSITORY, head, head)).ahead == 0
    world.inject(fault, seconds=30)
    with pytest.raises(Unavailable, match="30 s"):
        await github.compare(REPOSITORY, head, head)
    assert len(world.exchanges) == 3


async def test_a_limit_without_a_time_and_a_spent_hour_are_said(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    for fault, says in (
        ("secondary_limit_silent", r"60 s .*too many requests at once"),
        ("rate_limit_spent", r"600 s .*this hour are spent"),
    ):
        world.inject(fault, seconds=600)
        with pytest.raises(Unavailable, match=says):
            await GitHub(session, PersonalToken(world.token), clock, url=world.url, pace=QUICK).compare(
                REPOSITORY, head, head
            )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("secondary_limit", Unavailable),
        ("secondary_limit_silent", Unavailable),
        ("too_many_requests", Unavailable),
        ("rate_limit_spent", Unavailable),
        ("moved", Rejected),
        ("token_expired", Rejected),
    ],
)
async def test_a_refused_write_changed_nothing_and_was_sent_once(
    world: GitHubWorld, github: GitHub, head: Sha, fault: str, error: type[ReleaseBotError]
) -> None:
    world.inject(fault, method="POST")
    with pytest.raises(error) as caught:
        await record(github, head)
    assert len(writes(world)) == 1
    assert await recorded(world) == []
    assert world.token not in str(caught.value)


async def test_credentials_that_github_does_not_take_are_said_without_being_shown(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    secret = "ghp_not_the_right_one"
    github = GitHub(session, PersonalToken(secret), clock, url=world.url, pace=QUICK)
    with pytest.raises(Rejected, match="credentials") as caught:
        await github.checks(REPOSITORY, head)
    assert secret not in str(caught.value)
    assert secret not in repr(github.connection._credentials)


async def test_nothing_is_sent_to_a_github_that_cannot_be_reached(
    tmp_path: Path, session: aiohttp.ClientSession, clock: HandClock
) -> None:
    async with github_world(tmp_path, clock) as world:
        head = Sha(await world.commit(REPOSITORY, "main", "Begin", {"a": "b"}, "maya", NINE))
        github = GitHub(session, PersonalToken(world.token), clock, url=world.url, pace=QUICK)
        client = await github._client()
    with pytest.raises(Unavailable):
        await github.compare(REPOSITORY, head, head)
    with pytest.raises(Unavailable, match="nothing was sent"):
        await client.write(REPOSITORY, "/deployments", {"ref": head})


@pytest.fixture
async def between(clock: HandClock, session: aiohttp.ClientSession) -> AsyncIterator[Callable[[web.Response], GitHub]]:
    """GitHub as seen through something in between that gives every request this one answer."""
    answers: list[web.Response] = []

    async def answer(_: web.BaseRequest) -> web.Response:
        (one,) = answers
        return web.Response(status=one.status, body=one.body, headers=one.headers)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    def through(one: web.Response) -> GitHub:
        answers[:] = [one]
        return GitHub(session, PersonalToken("x"), clock, url=url, pace=QUICK)

    yield through
    await runner.cleanup()


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=408),
        web.Response(status=499),
        web.Response(status=520, text="<html>"),
        web.Response(status=201, body=b'{"id": 1', content_type="application/json"),
        web.Response(status=504, body=b"{}", content_type="application/json"),
    ],
)
async def test_what_answers_in_githubs_place_proves_nothing_about_a_write(
    between: Callable[[web.Response], GitHub], answer: web.Response
) -> None:
    client = await between(answer)._client()
    with pytest.raises(OutcomeUnknown):
        await client.write(REPOSITORY, "/deployments", {"ref": NOWHERE})


async def test_a_list_that_is_cut_short_or_leads_elsewhere_decides_nothing(
    between: Callable[[web.Response], GitHub],
) -> None:
    body = json.dumps({"total_count": 2, "check_runs": [], "statuses": []}).encode()
    with pytest.raises(Unavailable, match="0 of 2"):
        await between(web.Response(body=body, content_type="application/json")).checks(REPOSITORY, NOWHERE)
    link = {"Link": '<http://elsewhere.example/next>; rel="next"', "Content-Type": "application/json"}
    with pytest.raises(Unavailable, match="another address"):
        await between(web.Response(body=body, headers=link)).checks(REPOSITORY, NOWHERE)
    with pytest.raises(Unavailable, match="understood"):
        await between(web.Response(body=b"{}", content_type="application/json")).compare(REPOSITORY, NOWHERE, NOWHERE)


# As an app ----------------------------------------------------------------------------------------------------------


async def test_an_app_gets_one_token_for_one_repository_with_no_more_than_it_needs(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    await world.create_repository("acme/payments")
    github = as_app(world, session, clock)
    await asyncio.gather(*(github.compare(REPOSITORY, head, head) for _ in range(20)))
    (token,) = world.tokens()
    assert token.repositories == frozenset({world.repository(REPOSITORY).id})
    assert token.permissions == {
        "metadata": "read",
        "contents": "read",
        "checks": "read",
        "statuses": "read",
        "deployments": "write",
    }
    assert await record(github, head)
    assert await github.checks(REPOSITORY, head) == {}
    assert len(world.tokens()) == 1
    assert await github.deployments("acme/payments", "prod") == ()
    assert len(world.tokens()) == 2


async def test_an_apps_token_is_renewed_five_minutes_before_it_ends(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    github = as_app(world, session, clock)
    for minutes, tokens in ((0, 1), (54, 1), (1, 2), (70, 3)):
        clock.advance(minutes=minutes)
        await github.compare(REPOSITORY, head, head)
        assert len(world.tokens()) == tokens


async def test_a_token_that_ran_out_early_is_replaced_for_a_read_and_a_write_is_not_repeated(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    github = as_app(world, session, clock)
    await github.compare(REPOSITORY, head, head)
    world.inject("token_expired")
    await github.compare(REPOSITORY, head, head)
    assert len(world.tokens()) == 2
    made = await record(github, head)
    client = await github._client()
    world.inject("token_expired", path="/statuses")
    with pytest.raises(Unavailable):
        await client.write(REPOSITORY, f"/deployments/{made}/statuses", {"state": "success"})
    await github.record_status(REPOSITORY, made, state="success", description="")
    assert [status["state"] for status in (await recorded(world))[0]["statuses"]] == ["success"]


async def test_an_app_that_is_not_known_or_may_not_is_refused_without_showing_its_key(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: Sha
) -> None:
    private, public = key_pair()
    stranger = AppKey("1234", private, "99")
    with pytest.raises(Rejected, match="no pass"):
        await GitHub(session, stranger, clock, url=world.url, pace=QUICK).compare(REPOSITORY, head, head)
    world.register_app(4711, public, 99, permissions={"metadata": "read", "contents": "read"})
    with pytest.raises(Rejected, match="permissions"):
        await GitHub(session, AppKey("4711", private, "99"), clock, url=world.url, pace=QUICK).compare(
            REPOSITORY, head, head
        )
    with pytest.raises(Rejected, match="private key"):
        await GitHub(session, AppKey("4711", "no key", "99"), clock, url=world.url, pace=QUICK).compare(
            REPOSITORY, head, head
        )
    assert "PRIVATE KEY" not in repr(stranger)


def test_the_library_is_not_loaded_before_the_first_question() -> None:
    heavy = "{'gidgethub', 'cryptography', 'jwt'} & set(sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", f"import sys, bot.github; print({heavy} or 'none')"],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.strip() == "none"


@needs_contract
async def test_the_contract_finds_what_is_wrong() -> None:
    said = {"method": "POST", "path": "/repos/o/r/deployments", "request": {"reff": "x"}, "status": 201, "response": {}}
    assert CONTRACT.exists()
    assert len(violations([said])) > 2
