from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot import outbox
from bot.outbox import Chat, Outbox, Pace, ShutOut
from bot.store import Standing, Store, Unsent
from commands.errors import OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.ports import Message, Writes
from commands.reply import Reply
from tests.bot.books import MAYA, OTHER, closed, created, fresh, opened, request

pytestmark = pytest.mark.usefixtures("database")

CHECKOUT = "C0CHECKOUT"
RELEASES = "C0RELEASES"


class Busy(Unavailable):
    def __init__(self, retry_after: float) -> None:
        super().__init__("too fast")
        self.retry_after = retry_after


@dataclass
class Said:
    ts: str
    channel: str
    text: str
    thread: str = ""
    only_for: str = ""
    had: list[str] = field(default_factory=list)
    """What it said before it was updated."""


class Talk(Chat):
    """A small true chat: messages stand where they were put, and it can be told to refuse or to be deaf."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.trouble: list[Exception | None] = []
        """Raised by the next calls, one each; None lets one through."""
        self.fixed: set[str] = set()
        """Messages (by ts) that cannot be updated."""
        self.plain_only: set[str] = set()
        """Texts whose blocks are refused."""
        self.away: set[str] = set()
        """Channels that it is not in."""
        self.ways_back: set[str] = set()
        """Requests that can be answered in private even there."""
        self.out = False
        """It answers nothing at all."""

    async def well(self) -> bool:
        return not self.out

    def _trouble(self) -> None:
        if self.trouble and (error := self.trouble.pop(0)) is not None:
            raise error

    async def post(self, channel: str, payload: Mapping[str, Any], thread: str = "") -> str:
        self._trouble()
        if channel in self.away:
            raise ShutOut("not_in_channel")
        if payload["text"] in self.plain_only and "blocks" in payload:
            raise Rejected("invalid_blocks")
        self.said.append(Said(f"{len(self.said)}.0", channel, payload["text"], thread))
        return self.said[-1].ts

    async def update(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        self._trouble()
        message = next(each for each in self.said if each.ts == ts)
        if ts in self.fixed:
            raise Rejected("cant_update_message")
        message.had.append(message.text)
        message.text = payload["text"]

    async def whisper(
        self, channel: str, account: str, payload: Mapping[str, Any], thread: str = "", request: str = ""
    ) -> None:
        self._trouble()
        if channel in self.away and request not in self.ways_back:
            raise Rejected("no way there")
        self.said.append(Said(f"{len(self.said)}.0", channel, payload["text"], thread, account))

    def texts(self, channel: str = CHECKOUT) -> list[str]:
        return [each.text for each in self.said if each.channel == channel]


def say(text: str, channel: str = CHECKOUT, **where: str) -> Message:
    return Message(channel, Reply(text), **where)


async def commit(store: Store, *messages: Message) -> None:
    await store.commit(Writes(messages=messages))


@asynccontextmanager
async def sending(store: Store, talk: Chat, gap: float = 0.0, arrives: float = outbox.ARRIVES) -> AsyncIterator[Outbox]:
    outbox = Outbox(store, talk, gap=gap, arrives=arrives)
    running = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        await outbox.stop()
        await running


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.005)


async def sent(store: Store) -> None:
    """Nothing waits any more."""

    async def empty() -> bool:
        return not await store.channels_to_tell()

    await until(empty)


async def all_sent(store: Store, talk: Chat) -> None:
    async with sending(store, talk):
        await sent(store)


async def test_who_notes_too_late_that_something_was_said_changes_nothing_about_where_it_stands(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        await commit(store, say("root", operation="op_1", slot="root"))
        (message,) = await store.unsent(CHECKOUT)
        await store.sent(message, "1.0")
        await store.sent(message, "2.0")  # by a process that was frozen while it sent it
        assert await store.permalink("op_1") == (CHECKOUT, "1.0")
        standing = await store.slot("op_1", "root")
        assert standing is not None
        assert standing.ts == "1.0"


async def test_messages_are_said_in_the_order_of_commits(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store, sending(store, talk):
        for n in range(12):
            await commit(store, say(f"{n}"), say(f"r{n}", RELEASES))
        await sent(store)
        assert talk.texts() == [f"{n}" for n in range(12)]
        assert talk.texts(RELEASES) == [f"r{n}" for n in range(12)]


async def test_what_was_committed_before_a_crash_is_said_after_it(tmp_path: Path) -> None:
    url, talk = fresh(tmp_path), Talk()
    async with closed(url) as store:
        await commit(store, say("one"))
    async with closed(url) as store:
        await all_sent(store, talk)
        await all_sent(store, talk)
    assert talk.texts() == ["one"]


async def test_an_operation_is_talked_about_in_the_thread_of_its_root(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("the plan", operation="op_1", slot="plan"), say("aside"))
        await commit(store, say("promote", operation="op_1", slot="root"), say("a step", operation="op_1"))
        assert await store.permalink("op_1") == ("", "")
        await all_sent(store, talk)
        assert [(each.text, each.thread) for each in talk.said] == [
            ("promote", ""),
            ("the plan", "0.0"),
            ("aside", ""),
            ("a step", "0.0"),
        ]
        assert await store.permalink("op_1") == (CHECKOUT, "0.0")


async def test_where_there_is_no_root_the_first_message_opens_the_thread(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("one", operation="op_1"), say("two", operation="op_1"))
        await all_sent(store, talk)
        assert [(each.text, each.thread) for each in talk.said] == [("one", ""), ("two", "0.0")]


async def test_a_thread_stays_in_its_channel(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("root", operation="op_1", slot="root"))
        await all_sent(store, talk)
        await commit(store, say("elsewhere", RELEASES, operation="op_1"))
        await all_sent(store, talk)
        assert (talk.said[-1].channel, talk.said[-1].thread) == (RELEASES, "")
        assert await store.permalink("op_1") == (CHECKOUT, "0.0")


async def test_said_again_under_a_slot_it_replaces_what_stands_there(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        for text in ("waiting", "running", "done"):
            await commit(store, say(text, operation="op_1", slot="root"))
            await all_sent(store, talk)
        assert [(each.text, each.had) for each in talk.said] == [("done", ["waiting", "running"])]


async def test_of_a_slot_only_the_newest_state_is_sent_in_the_place_of_the_first(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        for text in ("waiting", "running", "done"):
            await commit(store, say(text, operation="op_1", slot="root"), say(f"told {text}", operation="op_1"))
            await commit(store, say(f"of another, {text}", operation="op_2", slot="root"))
        await all_sent(store, talk)
        assert [(each.text, each.had) for each in talk.said] == [
            ("done", []),
            ("told waiting", []),
            ("of another, done", []),
            ("told running", []),
            ("told done", []),
        ]


async def dies(store: Store) -> None:
    """Whoever spoke did not say that it had ended."""
    dead = "UPDATE speakers SET owner = 'whoever died', lease_until = 0"
    await store._writer.write(lambda books: books.run(dead).rowcount)


async def test_what_a_dead_speaker_sent_and_comes_late_does_not_stand_for_good(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await store.commit(created())
        await commit(store, say("waiting for approval", operation="op_1", slot="root"))
        await all_sent(store, talk)
        await dies(store)
        await commit(store, say("the plan has changed", operation="op_1", slot="root"))
        async with sending(store, talk, arrives=1.0):

            async def says(text: str) -> bool:
                return talk.said[-1].text == text

            await until(lambda: says("the plan has changed"))
            await talk.update(CHECKOUT, talk.said[0].ts, {"text": "approved, checking everything again"})
            await commit(store, say("something else", operation="op_1"))
            await until(lambda: says("something else"))  # which waits for nothing
            await sent(store)
        assert talk.texts() == ["the plan has changed", "something else"]


async def test_what_nobody_confirmed_and_comes_late_does_not_stand_for_good(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await store.commit(created())
        await commit(store, say("waiting for approval", operation="op_1", slot="root"))
        await all_sent(store, talk)
        await commit(store, say("approved, checking everything again", operation="op_1", slot="root"))
        talk.trouble = [OutcomeUnknown("no answer")]
        async with sending(store, talk, arrives=2.0):

            async def tried() -> bool:
                return not talk.trouble

            await until(tried)
            await commit(store, say("the plan has changed", operation="op_1", slot="root"))

            async def says() -> bool:
                return talk.texts() == ["the plan has changed"]

            await until(says)
            await talk.update(CHECKOUT, talk.said[0].ts, {"text": "approved, checking everything again"})
            await sent(store)
        assert talk.texts() == ["the plan has changed"]


async def test_what_nobody_confirmed_before_a_stop_does_not_stand_for_good_either(tmp_path: Path) -> None:
    talk, books = Talk(), fresh(tmp_path)
    async with closed(books) as store:
        await store.commit(created())
        await commit(store, say("waiting for approval", operation="op_1", slot="root"))
        await all_sent(store, talk)
        await commit(store, say("approved, checking everything again", operation="op_1", slot="root"))
        talk.trouble = [OutcomeUnknown("no answer")]
        async with sending(store, talk):

            async def tried() -> bool:
                return not talk.trouble

            await until(tried)
    async with closed(books) as store:
        await commit(store, say("the plan has changed", operation="op_1", slot="root"))
        async with sending(store, talk, arrives=2.0):

            async def says() -> bool:
                return talk.texts() == ["the plan has changed"]

            await until(says)
            await talk.update(CHECKOUT, talk.said[0].ts, {"text": "approved, checking everything again"})
            await sent(store)
    assert talk.texts() == ["the plan has changed"]


async def test_a_newer_state_takes_the_place_of_one_that_was_to_be_said_once_more(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await store.commit(created())
        await commit(store, say("1", operation="op_1", slot="root"))
        await all_sent(store, talk)
        await dies(store)
        async with sending(store, talk, arrives=1.0):
            for text in ("2", "3"):

                async def says(text: str = text) -> bool:
                    return talk.texts() == [text]

                await commit(store, say(text, operation="op_1", slot="root"))
                await until(says)
            await sent(store)
        assert (talk.texts(), talk.said[0].had) == (["3"], ["1", "2", "3"])


async def test_who_was_stopped_and_goes_on_says_nothing_old_where_another_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk()
    async with opened(tmp_path, lease=0.6) as store:
        await store.commit(created())
        await commit(store, say("1", operation="op_1", slot="root"))
        await all_sent(store, talk)
        await commit(store, say("2", operation="op_1", slot="root"))
        looks = store.slot

        async def stopped(operation: str, slot: str) -> Standing | None:
            stands = await looks(operation, slot)
            time.sleep(0.7)  # as SIGSTOP does it: nothing else of the process runs meanwhile
            return stands

        monkeypatch.setattr(store, "slot", stopped)
        await Outbox(store, talk, gap=0.0)._empty(CHECKOUT)
        assert talk.texts() == ["1"]
        assert await store.channels_to_tell() == {CHECKOUT}


async def test_what_cannot_be_updated_is_posted_anew(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("waiting", operation="op_1", slot="root"))
        await all_sent(store, talk)
        talk.fixed.add("0.0")
        await commit(store, say("running", operation="op_1", slot="root"), say("a step", operation="op_1"))
        await all_sent(store, talk)
        assert [(each.text, each.thread) for each in talk.said] == [("waiting", ""), ("running", ""), ("a step", "1.0")]
        await commit(store, say("done", operation="op_1", slot="root"))
        await all_sent(store, talk)
        assert talk.texts() == ["waiting", "done", "a step"]


async def test_only_one_person_sees_what_is_for_them(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("root", operation="op_1", slot="root"))
        await commit(store, say("not you", operation="op_1", only_for=MAYA.account))
        await commit(store, say("nor here", thread="7.7", only_for=MAYA.account))
        await all_sent(store, talk)
        assert [(each.text, each.only_for, each.thread) for each in talk.said] == [
            ("root", "", ""),
            ("not you", MAYA.account, "0.0"),
            ("nor here", MAYA.account, "7.7"),
        ]
        assert await store.permalink("op_1") == (CHECKOUT, "0.0")


async def test_a_whisper_to_somebody_who_is_not_there_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        talk.trouble = [Rejected("user_not_in_channel")]
        await commit(store, say("psst", only_for=MAYA.account), say("to all"))
        await all_sent(store, talk)
        assert talk.texts() == ["to all"]


@pytest.mark.parametrize("error", [Unavailable("no"), OutcomeUnknown("perhaps"), Busy(0.01)])
async def test_what_could_not_be_sent_is_tried_again_and_the_order_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("bot.outbox.FIRST_RETRY", 0.01)
    talk = Talk()
    async with opened(tmp_path) as store:
        talk.trouble = [None, error, error, error]
        await commit(store, say("one"), say("two"), say("three"))
        await all_sent(store, talk)
        assert talk.texts() == ["one", "two", "three"]


async def test_a_channel_waits_as_long_as_it_is_told_and_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.outbox.FIRST_RETRY", 0.0)
    talk = Talk()
    async with opened(tmp_path) as store, sending(store, talk):
        talk.trouble = [Busy(3600)]
        await commit(store, say("stuck"))

        async def stuck() -> bool:
            return not talk.trouble

        await until(stuck)
        await commit(store, say("free", RELEASES))

        async def freed() -> bool:
            return talk.texts(RELEASES) == ["free"]

        await until(freed)
        assert talk.texts() == []


async def test_what_is_refused_is_said_as_plain_text_or_else_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk()
    talk.plain_only.add("fancy")
    url = fresh(tmp_path)

    def blocks(reply: Reply) -> Mapping[str, Any]:
        return {"text": reply.title, "blocks": []}

    ordinary = closed(url)
    async with Store(url, ordinary._clock, blocks) as store:
        await commit(store, say("fancy"), say("next"))
        await all_sent(store, talk)
        assert talk.texts() == ["fancy", "next"]
        talk.trouble = [Rejected("is_archived"), Rejected("is_archived")]
        with caplog.at_level(logging.WARNING, logger="bot.outbox"):
            await commit(store, say("root", operation="op_1", slot="root"), say("a step", operation="op_1"))
            await all_sent(store, talk)
        assert "is_archived" in caplog.text
        assert [(each.text, each.thread) for each in talk.said[2:]] == [("a step", "")]


async def test_a_message_that_always_fails_in_a_way_nobody_foresaw_does_not_stop_its_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.outbox.FIRST_RETRY", 0.001)
    talk = Talk()
    async with opened(tmp_path) as store:
        talk.trouble = [ZeroDivisionError()] * 5
        await commit(store, say("poison"), say("next"))
        await all_sent(store, talk)
        assert talk.texts() == ["next"]


@pytest.mark.parametrize("error", [Unavailable("500"), OutcomeUnknown("perhaps"), Busy(0.0)])
async def test_a_message_that_slack_never_takes_is_given_up_loudly_and_the_others_get_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: ReleaseBotError
) -> None:
    monkeypatch.setattr("bot.outbox.FIRST_RETRY", 0.0)
    talk = Talk()
    async with opened(tmp_path) as store:
        talk.trouble = [error] * outbox.TRIES
        await commit(store, say("poison"), say("next"))
        await all_sent(store, talk)
        assert talk.texts() == ["next"]
        assert [each.levelname for each in caplog.records if "given up" in each.message] == ["ERROR"]
        talk.trouble = [error] * (outbox.TRIES - 1)
        await commit(store, say("hard"), say("easy"))
        await all_sent(store, talk)
        assert talk.texts() == ["next", "hard", "easy"]


async def test_an_outage_loses_no_message_however_long_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.outbox.FIRST_RETRY", 0.0)
    talk = Talk()
    async with opened(tmp_path) as store:
        talk.out = True
        talk.trouble = [Unavailable("500")] * (3 * outbox.TRIES)
        await commit(store, say("first"), say("second"))
        await all_sent(store, talk)
        assert talk.texts() == ["first", "second"]


def test_a_message_is_tried_for_more_than_ten_minutes_and_an_update_for_less() -> None:
    def minutes(tries: int) -> float:
        return sum(outbox.backoff(attempts) for attempts in range(tries - 1)) / 60

    assert 10 < minutes(outbox.TRIES) < 15
    assert 1 < minutes(outbox.UPDATE_TRIES) < 10


async def test_an_update_that_slack_never_takes_is_given_up_sooner_with_what_it_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.outbox.FIRST_RETRY", 0.0)
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("waiting", operation="op_1", slot="root"))
        await all_sent(store, talk)
        talk.trouble = [Unavailable("500")] * outbox.UPDATE_TRIES
        await commit(store, say("running", operation="op_1", slot="root"))
        await commit(store, say("10 %", operation="op_1", slot="root"), say("a step", operation="op_1"))
        await all_sent(store, talk)
        assert talk.texts() == ["waiting", "a step"]
        await commit(store, say("done", operation="op_1", slot="root"))
        await all_sent(store, talk)
        assert [(each.text, each.had) for each in talk.said] == [("done", ["waiting"]), ("a step", [])]


async def test_where_the_newest_state_is_refused_no_older_one_is_said_instead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        talk.trouble = [Rejected("msg_too_long"), Rejected("msg_too_long")]
        await commit(store, say("waiting", operation="op_1", slot="root"), say("done", operation="op_1", slot="root"))
        await commit(store, say("next"))
        await all_sent(store, talk)
        assert talk.texts() == ["next"]


async def asked(store: Store, *ids: str) -> None:
    for id in ids:
        assert await store.take(request(id), MAYA, answered=True)


async def test_who_asked_where_the_bot_is_not_hears_of_it_once_for_each_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk()
    talk.away, talk.ways_back = {CHECKOUT}, {"r1", "r2", "r3"}
    url = fresh(tmp_path)
    async with closed(url) as store:
        await asked(store, "r1", "r2")
        await commit(
            store, say("waiting", operation="op_1", slot="root", request="r1"), say("a step", operation="op_1")
        )
        await commit(store, say("running", operation="op_1", slot="root"), say("frozen", request="r2"))
        await all_sent(store, talk)
        told = (CHECKOUT, outbox.INVITE_ME.title, MAYA.account)
        assert [(each.channel, each.text, each.only_for) for each in talk.said] == [told, told]
    async with closed(url) as store:
        await commit(store, say("done", operation="op_1", slot="root", request="r1"), say("of nobody", request="r3"))
        await all_sent(store, talk)
        assert len(talk.said) == 2
        talk.away.clear()
        await commit(store, say("thawed", request="r2"))
        await all_sent(store, talk)
        assert talk.texts()[2:] == ["thawed"]


async def test_who_asked_hears_of_it_directly_where_there_is_no_other_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk()
    talk.away = {CHECKOUT}
    async with opened(tmp_path) as store:
        await asked(store, "r1")
        await commit(store, say("waiting", operation="op_1", slot="root", request="r1"))
        await all_sent(store, talk)
        [told] = talk.said
        assert (told.channel, told.only_for) == ("", MAYA.account)
        assert told.text == f"<#{CHECKOUT}>: {outbox.INVITE_ME.title}"


async def test_nobody_is_asked_for_an_invitation_where_the_message_itself_was_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await asked(store, "r1")
        talk.trouble = [Rejected("msg_too_long"), Rejected("msg_too_long")]
        await commit(store, say("too long", request="r1"), say("next"))
        await all_sent(store, talk)
        assert talk.texts() == ["next"]


async def test_nothing_of_what_was_said_is_kept_but_where_it_stands(tmp_path: Path) -> None:
    talk = Talk()
    async with opened(tmp_path) as store:
        await commit(store, say("secret reason", operation="op_1", slot="root"))
        await all_sent(store, talk)
        kept = await store._all("SELECT payload, state, ts FROM outbox")
        assert kept == [("", "sent", "0.0")]


async def test_what_is_said_hears_of_each_message(tmp_path: Path) -> None:
    talk, heard = Talk(), list[tuple[str, str]]()

    def hear(message: Unsent, ts: str) -> None:
        heard.append((message.payload["text"], ts))

    async with opened(tmp_path) as store:
        await store.commit(created(digest=OTHER, messages=(say("one"), say("two"))))
        outbox = Outbox(store, talk, gap=0.0, said=hear)
        running = asyncio.create_task(outbox.run())
        await sent(store)
        await outbox.stop()
        await running
        assert heard == [("one", "0.0"), ("two", "1.0")]


def test_a_burst_goes_through_and_then_one_for_each_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("bot.outbox.time.monotonic", lambda: now)
    pace = Pace(gap=1.0, burst=3)
    assert [pace.wait() for _ in range(5)] == [0.0, 0.0, 0.0, 1.0, 2.0]
    now = 103.0
    assert [pace.wait() for _ in range(2)] == [0.0, 1.0]
    now = 200.0
    assert [pace.wait() for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]
