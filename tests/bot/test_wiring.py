"""The whole bot among the local worlds, in one process: over HTTP and over Socket Mode, in channels and in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.sandbox import story
from bot.sandbox.slack.model import Message
from bot.sandbox.supervisor import Worlds, environment, worlds
from bot.settings import Misconfigured, Settings, read_settings
from bot.slack_out import to_slack
from bot.store import Store
from bot.wiring import Bot, running
from tests.bot.github_world import key_pair
from tests.bot.google_story import google
from tests.postgres import Server

STATUS = ("checkout", "search", "payments")


@asynccontextmanager
async def alive(data: Path, **said: str) -> AsyncIterator[tuple[Worlds, Bot, Settings]]:
    async with worlds(data, rate=0) as there:
        settings = read_settings({**environment(there, data, 0, story.POLICY), **said})
        async with running(settings) as bot:
            there.slack.bind(f"http://127.0.0.1:{bot.port}")
            yield there, bot, settings


async def heard(there: Worlds, fits: Callable[[Message], bool], who: str = "U0MAYA") -> Message:
    """The first message in #releases that fits, once it is there."""
    async with asyncio.timeout(120):
        while True:
            for message in there.slack.messages("releases", who=who):
                if fits(message):
                    return message
            await asyncio.sleep(0.05)


def saying(*words: str) -> Callable[[Message], bool]:
    return lambda message: all(word in message.text for word in words)


async def test_a_command_over_http_is_answered(tmp_path: Path) -> None:
    async with alive(tmp_path) as (there, bot, _):
        assert (await there.slack.say("maya", "releases", "/release promote checkout stage→prod")).ok
        root = await heard(there, saying("checkout", "is waiting for approval"))
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{bot.port}/readyz") as ready:
                assert (ready.status, (await ready.json())["ready"]) == (200, True)
            async with session.get(f"http://127.0.0.1:{bot.port}/metrics") as metrics:
                assert "release_bot_requests_taken_total 1" in await metrics.text()
        plan = await heard(there, saying("Plan for checkout"))
        assert plan.thread == root.ts


async def test_a_webhook_makes_what_waits_be_looked_at_now(tmp_path: Path) -> None:
    async with alive(tmp_path) as (there, bot, _):
        there.github.tell(f"http://127.0.0.1:{bot.port}/github/events")
        assert (await there.slack.say("maya", "releases", "/release promote checkout stage→prod")).ok
        await heard(there, saying("checkout", "is waiting for approval"))
        candidate = max(
            there.github.repository("acme/checkout").records.deployments, key=lambda one: (one.environment, one.id)
        )
        there.github.set_check("acme/checkout", candidate.sha, "unit-tests", "failure")
        await heard(there, saying("checkout", "is blocked"))  # long before the five minutes until the next look
        assert {status for _, status in await there.github.all_told()} == {202}


async def test_a_command_over_socket_mode_is_answered(tmp_path: Path) -> None:
    async with alive(tmp_path, SLACK_APP_TOKEN="xapp-sandbox", SLACK_SIGNING_SECRET="") as (there, _, _):
        there.slack.bind("http://127.0.0.1:9")  # nobody is there: only the socket can bring it
        async with asyncio.timeout(120):
            while not (await there.slack.say("maya", "releases", "/release status")).ok:
                await asyncio.sleep(0.1)
        assert (await heard(there, saying("Status of 3 services"))).ephemeral_to


async def test_in_a_thread_a_mention_does_what_a_command_does(tmp_path: Path) -> None:
    async with alive(tmp_path) as (there, _, _):
        await there.slack.say("maya", "releases", "/release promote checkout stage→prod")
        root = await heard(there, saying("checkout", "is waiting for approval"))
        await there.slack.say("omar", "releases", "@release-bot status checkout", thread=root.ts)
        answer = await heard(there, saying("Status of checkout"), who="U0OMAR")
        assert answer.thread == root.ts


async def test_what_happens_in_github_reaches_the_bot_signed(tmp_path: Path) -> None:
    async with alive(tmp_path) as (there, bot, _):
        repository = next(iter(await there.github.snapshot()))
        there.github.tell(f"http://127.0.0.1:{bot.port}/github/events")
        head = await there.github.commit(repository, "main", "Work", {"a": "b"}, "maya", there.clock.now())
        there.github.set_check(repository, head, "unit-tests", "success")
        assert [status for _, status in await there.github.all_told()] == [202, 202]


async def test_a_second_bot_on_the_same_file_does_not_start(tmp_path: Path) -> None:
    async with alive(tmp_path) as (_, _, settings):
        with pytest.raises(Misconfigured, match="Another bot is running"):
            async with running(replace(settings, PORT="0")):
                raise AssertionError


async def test_two_bots_on_one_postgresql_are_one_bot_to_people(tmp_path: Path, server: Server) -> None:
    url = server.empty()  # both find no tables, and bring them up to date
    try:
        async with worlds(tmp_path, rate=0) as there, AsyncExitStack() as stack:
            said = environment(there, tmp_path, 0, story.POLICY) | {"DATABASE_URL": url}
            settings = read_settings(said)
            bots = await asyncio.gather(*(stack.enter_async_context(running(settings)) for _ in range(2)))
            for n in range(6):
                there.slack.bind(f"http://127.0.0.1:{bots[n % 2].port}")
                assert (await there.slack.say("maya", "releases", f"/release status {STATUS[n % 3]}")).ok
            there.slack.bind(f"http://127.0.0.1:{bots[1].port}")
            await there.slack.say("maya", "releases", "/release promote checkout stage→prod")
            await heard(there, saying("checkout", "is waiting for approval"))
            async with asyncio.timeout(120):
                while (
                    len(
                        told := [
                            each for each in there.slack.messages("releases", who="U0MAYA") if "Status of" in each.text
                        ]
                    )
                    < 6
                ):
                    await asyncio.sleep(0.05)
            async with Store(url, SystemClock(), to_slack) as books:
                entries = await books.newest(200)
                assert (await books.verify()).ok
            assert len(told) == 6
            assert [each.what for each in entries if each.kind == "policy"] == ["in force"]
            assert len([each for each in entries if each.kind == "start"]) == 2
    finally:
        server.drop(url)


def alone(data: Path, **said: str) -> Settings:
    """Settings under which nobody else is there: enough for what is looked at before anybody is spoken to."""
    nobody = {"CLOUD_RUN_ENDPOINT": "127.0.0.1:9", "MONITORING_ENDPOINT": "127.0.0.1:9", "PORT": "0"}
    least = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "shh", "SLACK_API_URL": "http://127.0.0.1:9/"}
    files = {"RELEASE_POLICY": str(story.POLICY), "DATABASE_URL": f"sqlite:///{data / 'release-bot.db'}"}
    return read_settings({**nobody, **least, **files, **said})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("GITHUB_PRIVATE_KEY", {"GITHUB_APP_ID": "7", "GITHUB_INSTALLATION_ID": "8"}),
        (
            "GITHUB_BREAK_GLASS_PRIVATE_KEY",
            {"GITHUB_TOKEN": "t", "GITHUB_BREAK_GLASS_APP_ID": "7", "GITHUB_BREAK_GLASS_INSTALLATION_ID": "8"},
        ),
    ],
)
@pytest.mark.parametrize("key", ["hunter2", key_pair()[1], key_pair()[0][:600]], ids=["junk", "public", "cut off"])
async def test_a_private_key_that_is_none_stops_the_start_and_is_not_shown(
    tmp_path: Path, name: str, said: dict[str, str], key: str
) -> None:
    async with google() as world:
        kept = f"sm://{world.put_secret('projects/acme-bot/secrets/app-key', key.strip())}"
        for given in (key, kept):
            settings = alone(tmp_path, SECRET_MANAGER_ENDPOINT=world.grpc_address, **said, **{name: given})
            with pytest.raises(Misconfigured) as raised:
                async with running(settings):
                    raise AssertionError
            assert (
                str(raised.value)
                == f"{name} is no private key of a GitHub App: give the whole PEM file that GitHub made."
            )


async def test_where_the_upgrade_dies_without_a_word_the_start_says_what_shows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(Misconfigured) as raised:
        async with running(alone(tmp_path, GITHUB_TOKEN="t")):
            raise AssertionError
    says = "The database cannot be brought up to date: that ended with code -9 and without a word."
    assert str(raised.value) == f"{says} `release-bot db upgrade` does it by hand."


async def test_a_policy_that_is_none_stops_the_start_with_its_first_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "policy.yaml"
    broken.write_text("policy: 1\nname: x\n")
    with pytest.raises(Exception, match=r"policy\.yaml"):
        async with alive(tmp_path, RELEASE_POLICY=str(broken)):
            raise AssertionError


async def test_a_secret_may_be_named_instead_of_given(tmp_path: Path) -> None:
    async with worlds(tmp_path, rate=0) as there:
        name = there.google.put_secret("projects/acme-bot/secrets/slack-token", "xoxb-sandbox")
        said = environment(there, tmp_path, 0, story.POLICY)
        async with running(read_settings({**said, "SLACK_BOT_TOKEN": f"sm://{name}"})) as bot:
            there.slack.bind(f"http://127.0.0.1:{bot.port}")
            await there.slack.say("maya", "releases", "/release status")
            await heard(there, saying("Status of 3 services"))


async def test_what_was_taken_down_before_a_stop_is_answered_after_the_start(tmp_path: Path) -> None:
    async with worlds(tmp_path, rate=0) as there:
        settings = read_settings(environment(there, tmp_path, 0, story.POLICY))
        there.slack.inject("api_error", times=1000)  # what is said cannot be posted for now
        async with running(settings) as bot:
            there.slack.bind(f"http://127.0.0.1:{bot.port}")
            assert (await there.slack.say("maya", "releases", "/release promote checkout stage→prod")).ok
        there.slack._faults.clear()
        async with running(settings):
            await heard(there, saying("checkout", "is waiting for approval"))
