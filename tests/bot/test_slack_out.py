from __future__ import annotations

import asyncio
import html
import json
import logging
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.dialogs import ANSWER_MAX, Asking
from bot.outbox import ShutOut
from bot.sandbox.slack.block_kit import in_view
from bot.slack_out import (
    BLOCKS_MAX,
    ActionId,
    Busy,
    Late,
    SlackChat,
    WaysBack,
    asking_view,
    cut,
    graphemes,
    home_view,
    mrkdwn,
    said_view,
    size,
    slack_client,
    to_slack,
    whole,
    words_view,
)
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.grammar import WORDS_MAX
from commands.reply import Ask, Bold, Button, Code, Confirm, Line, Link, Mark, Mention, Reply, Text, Tone, When
from tests.bot.slack_stub import MAYA, Slack, error

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOSTILE = [
    "<!channel>", "<!here>x&y", "a<@U012AB3CD>", "<https://evil.example|checkout>", "<#C1|x>", "&lt;!channel&gt;", "<!subteam^S1>",
    "x" * 4000, "e" + "\u0301" * 3500, "👩‍👩‍👧‍👦" * 600, "🇩🇪" * 2000, "&" * 3000, "*_~`>", "a\n> b", "\ud800", "```", "`<!here>`", "", " ",
    "https://evil.example", "@channel #general", "<!date^0^{_}|*>", "a|b>c<d",
]  # fmt: skip

LIMITS = {
    ("button", "text"): 75, ("confirm", "title"): 100, ("confirm", "text"): 300, ("confirm", "confirm"): 30, ("confirm", "deny"): 30,
    ("modal", "title"): 24, ("modal", "submit"): 24, ("modal", "close"): 24, ("input", "label"): 2000, ("input", "hint"): 2000,
}  # fmt: skip
OURS = re.compile(
    r"<@[UW][A-Z0-9]+>|<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[\w :]+UTC>|<https://ours\.example/[^<>|]*\|[^<>|]+>"
)
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def texts(part: Any, owner: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every text object with what it belongs to."""
    if isinstance(part, list):
        for inner in part:
            yield from texts(inner, owner)
    elif isinstance(part, dict):
        for key, value in part.items():
            kind = "confirm" if {"confirm", "deny"} <= part.keys() else str(part.get("type", ""))
            if isinstance(value, dict) and value.get("type") in {"mrkdwn", "plain_text"}:
                yield kind, key, value
            elif key == "fields" or (key == "elements" and kind == "context"):
                for found in value:
                    yield kind, key, found
            else:
                yield from texts(value, kind)


def walk(blocks: list[dict[str, Any]], most: int = BLOCKS_MAX) -> None:
    """Everything that Slack would refuse, nested parts too."""
    assert 1 <= len(blocks) <= most
    seen: set[str] = set()
    primaries = 0
    for block in blocks:
        json.dumps(block, ensure_ascii=False).encode()
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
        assert size(block.get("block_id", "")) <= 255
        match block["type"]:
            case "section":
                assert ("text" in block) != ("fields" in block)
                assert len(block.get("fields", [])) <= 10
            case "actions":
                assert 1 <= len(block["elements"]) <= 25
                for element in block["elements"]:
                    assert 1 <= size(element["action_id"]) <= 255
                    assert element["action_id"] not in seen
                    seen.add(element["action_id"])
                    assert 1 <= size(element["value"]) <= 2000
                    assert size(element.get("accessibility_label", "")) <= 75
                    primaries += element.get("style") == "primary"
            case "context":
                assert 1 <= len(block["elements"]) <= 10
            case kind:
                assert kind == "input"
    assert primaries <= 1
    for owner, key, text in texts(blocks):
        limit = LIMITS.get((owner, key), 2000 if key == "fields" else 3000)
        assert 1 <= size(text["text"]) <= limit, (owner, key)
        assert text["text"].strip()
        if text["type"] == "mrkdwn":
            assert text["verbatim"] is True
            harmless(text["text"])


def harmless(markup: str) -> None:
    """No bracket that we did not build, no ampersand that is not an entity of ours, none of them cut in two."""
    rest = OURS.sub("", markup)
    assert "<" not in rest
    assert ">" not in rest
    assert "&" not in ENTITY.sub("", OURS.sub("", markup))


foreign = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=120), st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join)
)
piece = st.one_of(
    foreign,
    st.just(When(AT)),
    st.builds(Mention, st.one_of(st.just(MAYA), foreign), foreign),
    st.builds(Code, foreign),
    st.builds(Bold, foreign),
    st.builds(
        Link, st.one_of(st.just("https://ours.example/a?b=1&c=2"), foreign.filter(lambda t: "http" not in t)), foreign
    ),
)
text = st.one_of(foreign, st.lists(piece, max_size=4).map(tuple))
confirm = st.builds(Confirm, foreign, foreign, foreign, foreign)
button = st.builds(
    Button,
    foreign,
    st.one_of(st.just("approve op_1"), foreign),
    st.sampled_from(Tone),
    st.none() | confirm,
    st.sampled_from([None, "reason"]),
    foreign,
)
reply = st.builds(
    Reply,
    text,
    st.lists(st.tuples(foreign, text), max_size=12).map(tuple),
    st.lists(st.builds(Line, st.sampled_from(Mark), text), max_size=40).map(tuple),
    st.lists(button, max_size=30).map(tuple),
    text,
    st.lists(st.lists(foreign, min_size=1, max_size=4).map(tuple), max_size=12).map(tuple),
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(reply)
def test_no_foreign_text_gets_a_mention_a_broadcast_or_a_link_through(said: Reply) -> None:
    payload = to_slack(said)
    assert payload["text"].strip()
    assert size(payload["text"]) <= 4000
    harmless(payload["text"])
    walk(payload["blocks"])
    walk(home_view(said)["blocks"], 100)
    walk(said_view(said)["blocks"], 100)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_are_harmless_in_every_place(hostile: str) -> None:
    walk(
        to_slack(
            Reply(
                hostile, ((hostile, hostile),) * 60, (Line(Mark.YES, (hostile, Code(hostile), Bold(hostile))),) * 30,
                (Button(hostile, f"approve {hostile[:100]}", Tone.PRIMARY, Confirm(hostile, hostile, hostile, hostile), "reason", hostile),) * 60,
                hostile, ((hostile, hostile),) * 30,
            )
        )["blocks"]
    )  # fmt: skip


@given(st.one_of(foreign, st.text()), st.integers(2, 200))
@settings(deadline=None)
def test_cutting_keeps_whole_letters_and_stays_within_bounds(words: str, most: int) -> None:
    done = cut(words, most)
    assert size(done) <= most
    words = whole(words)  # half a surrogate pair cannot be sent
    if done != words:
        parts, kept = list(graphemes(words)), list(graphemes(done[:-1]))
        assert kept == parts[: len(kept)]
    assert size(mrkdwn(words, most)) <= most
    harmless(mrkdwn(words, most))


@pytest.mark.parametrize(
    "letter", ["e\u0301", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "❤️", "🏴\U000e0067\U000e0062\U000e007f", "한", "\r\n"]
)
def test_letters_of_several_parts_are_never_cut_apart(letter: str) -> None:
    assert list(graphemes(letter * 3)) == [letter] * 3


def test_text_is_escaped_once() -> None:
    assert mrkdwn("a&b <!channel> &amp;") == "a&amp;b &lt;!channel&gt; &amp;amp;"


def test_an_entity_is_never_cut_in_two() -> None:
    for most in range(2, 12):
        harmless(mrkdwn("&" * 10, most))


def test_what_we_build_ourselves_means_something() -> None:
    said: Text = (
        Mention(MAYA, "maya"),
        " at ",
        When(AT),
        " ",
        Code("a`b"),
        " ",
        Bold("x*y"),
        " ",
        Link("https://ours.example/a?b&c", "diff|1"),
    )
    assert mrkdwn(said) == (
        "<@U0MAYA> at <!date^1795510800^{date_short_pretty} at {time}|Tue 24 Nov 2026 09:00 UTC> `a\u02cbb` *x\u2217y* <https://ours.example/a?b&amp;c|diff¦1>"
    )
    assert mrkdwn((Mention("cli:root", "root"), Link("javascript:alert(1)", "x"))) == "@rootx"


@given(st.text())
@settings(deadline=None)
def test_a_quoted_word_of_a_command_that_is_shown_stays_one_word(name: str) -> None:
    shown = mrkdwn((Code(f"git switch {shlex.quote(name)}"),))[1:-1]
    assert len(shlex.split(html.unescape(shown))) == 3


def test_the_notification_is_a_full_sentence_in_plain_words() -> None:
    payload = to_slack(Reply((Mention(MAYA, "maya"), " asks for <b>.")))
    assert payload["text"] == "@maya asks for &lt;b&gt;."


def test_a_message_reads_from_its_title_down_to_its_buttons() -> None:
    payload = to_slack(
        Reply(
            "checkout 3f2a91c → prod is waiting.",
            (("From", "stage"),),
            (Line(Mark.YES, "soaked for 24 h"), Line(Mark.NO, "a second person")),
            (
                Button(
                    "Approve",
                    "approve op_1",
                    Tone.PRIMARY,
                    Confirm("Sure?", "To prod.", "Approve"),
                    meant_for="Approve checkout to prod",
                ),
                Button("Reject", "reject op_1", Tone.DANGER, asks="reason"),
                Button("Approve all", "approve op_2"),
            ),
            "asked just now",
            (("service", "percent"), ("checkout", "10")),
        )
    )
    assert [block["type"] for block in payload["blocks"]] == [
        "section",
        "section",
        "section",
        "section",
        "context",
        "actions",
    ]
    assert payload["blocks"][2]["text"]["text"] == "✓ soaked for 24 h\n✗ a second person"
    assert payload["blocks"][3]["text"]["text"] == "```\nservice   percent\ncheckout  10\n```"
    approve, reject, third = payload["blocks"][5]["elements"]
    assert (approve["action_id"], approve["value"], approve["style"]) == ("approve", "approve op_1", "primary")
    assert approve["accessibility_label"] == "Approve checkout to prod"
    assert approve["confirm"]["confirm"]["text"] == "Approve"
    assert (reject["action_id"], reject["style"], third["action_id"]) == ("reject?reason", "danger", "approve#2")
    assert ActionId.read("reject?reason#3") == ActionId("reject", "reason")


def test_long_lists_are_cut_with_a_count_of_what_is_left_out() -> None:
    lines = tuple(Line(Mark.NOTE, f"{n} " + "x" * 900) for n in range(300))
    blocks = to_slack(Reply("Much happened.", lines=lines, buttons=(Button("Go on", "status"),)))["blocks"]
    walk(blocks)
    assert blocks[-1]["type"] == "actions"
    last = blocks[-2]["text"]["text"]
    shown = sum(block["text"]["text"].count("• ") for block in blocks[1:-1])
    assert last.endswith(f"… and {300 - shown} more lines")


def test_a_button_with_words_too_long_to_be_said_whole_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    blocks = to_slack(Reply("Look.", buttons=(Button("A", "approve " + "x" * 2000), Button("B", "status"))))["blocks"]
    assert [element["value"] for element in blocks[-1]["elements"]] == ["status"]
    assert "left out" in caplog.text


ask = st.builds(
    Ask,
    st.just("key"),
    foreign,
    foreign,
    st.booleans(),
    st.booleans(),
    st.lists(foreign, max_size=4, unique=True).map(tuple),
)
asks = st.lists(ask, min_size=1, max_size=9).map(
    lambda them: tuple(replace(ask, key=f"key-{'abcdefghi'[at]}") for at, ask in enumerate(them))
)


@given(foreign, foreign.filter(lambda t: len(t) < 1500), asks)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_views_keep_within_their_limits(label: str, says: str, asks: tuple[Ask, ...]) -> None:
    asking = Asking(f"reject {says}", tuple((ask.key, ask.required) for ask in asks), "C1", "1.1", "1.2")
    try:
        views = [asking_view(asking, asks, label), words_view(asking, "status")]
    except (Rejected, UnicodeEncodeError):
        return
    for view in views:
        View(**view).validate_json()
        assert in_view(view) == []
        walk(view["blocks"], 100)
        assert Asking.read(view["private_metadata"]) == asking
        for owner, key, found in texts(view):
            assert size(found["text"]) <= LIMITS.get((owner, key), 3000)
    inputs = [block for block in views[0]["blocks"] if block["type"] == "input"]
    assert [block["block_id"] for block in inputs] == [ask.key for ask in asks]
    assert [not block.get("optional") for block in inputs] == [ask.required for ask in asks]
    longest = {block["block_id"]: "x" * block["element"].get("max_length", 150) for block in inputs}
    assert len(asking.words(longest)) <= WORDS_MAX, "however much is written, the words can still be read"


@given(foreign, asks)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_button_that_asks_for_several_things_carries_its_words_and_at_least_their_keys(
    says: str, asks: tuple[Ask, ...]
) -> None:
    blocks = to_slack(Reply("Look.", buttons=(Button("Fill in", f"promote {says}", asks=asks),)))["blocks"]
    walk(blocks)
    for element in (element for block in blocks if block["type"] == "actions" for element in block["elements"]):
        name = ActionId.read(element["action_id"])
        assert name == ActionId("promote", "*")
        words, carried = name.question(element["value"])
        assert words == whole(f"promote {says}")
        assert [(ask.key, ask.required, ask.long) for ask in carried] == [(a.key, a.required, a.long) for a in asks]


def test_a_dialog_shows_one_line_several_lines_and_choices() -> None:
    asks = (
        Ask("incident", "Incident", "An `emergency` needs one"),
        Ask("rollback-plan", "Rollback plan", long=True, required=False),
        Ask("reason", "Reason", choices=("known flake", "x" * 100)),
        Ask("risk", "Risk", "How bad?", choices=("low", "y" * 151)),
    )
    keys = tuple((ask.key, ask.required) for ask in asks)
    _, incident, plan, reason, risk = asking_view(Asking("promote", keys), asks, "Emergency change")["blocks"]
    assert incident["element"] == {
        "type": "plain_text_input",
        "action_id": "text",
        "multiline": False,
        "max_length": ANSWER_MAX,
        "focus_on_load": True,
    }
    assert incident["hint"]["text"] == "An emergency needs one", "hints are plain text"
    assert (plan["element"]["multiline"], plan["element"]["focus_on_load"], plan["optional"]) == (True, False, True)
    assert [option["value"] for option in reason["element"]["options"]] == ["known flake", "x" * 100]
    assert reason["element"]["options"][1]["text"]["text"] == "x" * 74 + "…"
    assert risk["element"]["type"] == "plain_text_input", "a choice that Slack cannot carry whole is typed"
    assert risk["hint"]["text"] == f"How bad? One of: low, {'y' * 151}"


# The way there ------------------------------------------------------------------------------------------------------


class Post:
    def __init__(self, slack: Slack, chat: SlackChat, session: aiohttp.ClientSession) -> None:
        self.slack, self.chat, self.session = slack, chat, session


@pytest_asyncio.fixture
async def p() -> AsyncIterator[Post]:
    slack = Slack()
    timeout = aiohttp.ClientTimeout(total=60)
    async with TestServer(slack.app()) as server, aiohttp.ClientSession(timeout=timeout) as session:
        slack.address = str(server.make_url("/"))
        yield Post(slack, SlackChat(slack_client("xoxb", session, slack.address + "api/")), session)


SAID = to_slack(Reply("checkout is waiting."))


async def test_a_message_is_posted_in_its_thread_without_previews(p: Post) -> None:
    ts = await p.chat.post("C1", SAID, thread="1.5")
    posted = p.slack.messages["C1", ts]
    assert (posted["text"], posted["thread_ts"]) == ("checkout is waiting.", "1.5")
    assert posted["unfurl_links"] is False
    assert posted["unfurl_media"] is False
    await p.chat.update("C1", ts, to_slack(Reply("checkout is live.")))
    assert p.slack.messages["C1", ts]["text"] == "checkout is live."


async def test_what_slack_refuses_changed_nothing(p: Post) -> None:
    with pytest.raises(Rejected, match="message_not_found"):
        await p.chat.update("C1", "9.9", SAID)
    p.slack.faults["chat.postMessage"] = [error("is_archived")]
    with pytest.raises(Rejected, match="is_archived"):
        await p.chat.post("C1", SAID)


@pytest.mark.parametrize("word", ["ratelimited", "rate_limited"])
async def test_a_rate_limit_says_how_long_to_wait(p: Post, word: str) -> None:
    p.slack.faults["chat.postMessage"] = [error(word, 429, Retry_After="30")]
    with pytest.raises(Busy) as told:
        await p.chat.post("C1", SAID)
    assert told.value.retry_after == 30
    assert isinstance(told.value, Unavailable)
    assert not p.slack.messages


async def test_a_brief_rate_limit_is_waited_for(p: Post) -> None:
    p.slack.faults["chat.postMessage"] = [error("ratelimited", 429, Retry_After="0")]
    await p.chat.post("C1", SAID)
    assert len(p.slack.messages) == 1


async def test_a_post_without_an_answer_is_unknown_and_not_sent_again(p: Post) -> None:
    p.slack.faults["chat.postMessage"] = [asyncio.Event()]
    with pytest.raises(OutcomeUnknown):
        await p.chat.post("C1", SAID)
    assert p.slack.calls == ["chat.postMessage"]


@pytest.mark.parametrize(
    "answer",
    [
        error("internal_error"),
        error("fatal_error"),
        error("x", 503),
        aiohttp.web.Response(text="<html>", status=502, content_type="text/html"),
        aiohttp.web.Response(text="{", content_type="application/json"),
    ],
)
async def test_a_failing_slack_leaves_it_unknown_whether_something_was_said(
    p: Post, answer: aiohttp.web.Response
) -> None:
    twin = aiohttp.web.Response(body=answer.body, status=answer.status, headers=answer.headers)
    p.slack.faults = {"chat.postMessage": [answer], "chat.update": [twin]}
    with pytest.raises(OutcomeUnknown):
        await p.chat.post("C1", SAID)
    with pytest.raises(OutcomeUnknown):  # it may still arrive, over what is said next
        await p.chat.update("C1", "1.1", SAID)


async def test_a_slack_that_cannot_be_reached_changed_nothing(p: Post) -> None:
    chat = SlackChat(slack_client("xoxb", p.session, "http://127.0.0.1:1/"))
    with pytest.raises(Unavailable):
        await chat.post("C1", SAID)


async def test_a_dialog_that_came_too_late_is_told_apart(p: Post) -> None:
    p.slack.faults["views.open"] = [error("expired_trigger_id")]
    with pytest.raises(Late):
        await p.chat.open("t", {"type": "modal"})


async def test_the_private_way_back_is_used_five_times_at_most(p: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    p.slack.absent_from = {"C1"}
    p.chat.ways_back.remember("r1", f"{p.slack.address}respond/secretkey")
    for _ in range(5):
        await p.chat.whisper("C1", MAYA, SAID, request="r1")
    with pytest.raises(Rejected):
        await p.chat.whisper("C1", MAYA, SAID, request="r1")
    assert len(p.slack.responded) == 5
    assert p.slack.responded[0]["replace_original"] is False
    assert not p.slack.whispers


@pytest.mark.parametrize("word", ["not_in_channel", "channel_not_found", "is_archived"])
async def test_a_channel_that_we_are_shut_out_of_is_told_apart_and_the_way_back_still_goes(p: Post, word: str) -> None:
    refused = {"ok": False, "error": word}
    p.slack.faults["chat.postMessage"] = [web.json_response(refused)]
    with pytest.raises(ShutOut, match=word):
        await p.chat.post("C1", SAID)
    p.slack.faults["chat.postEphemeral"] = [web.json_response(refused)]
    p.chat.ways_back.remember("r1", f"{p.slack.address}respond/secretkey")
    await p.chat.whisper("C1", MAYA, SAID, request="r1")
    assert len(p.slack.responded) == 1


async def test_without_a_channel_a_whisper_is_a_direct_message(p: Post) -> None:
    await p.chat.whisper("", MAYA, SAID, thread="1.5", request="r1")
    [((channel, _), said)] = p.slack.messages.items()
    assert (channel, said["text"]) == ("U0MAYA", "checkout is waiting.")
    assert "thread_ts" not in said
    p.slack.faults["chat.postMessage"] = [web.json_response({"ok": False, "error": "messages_tab_disabled"})]
    with pytest.raises(Rejected, match="messages_tab_disabled"):
        await p.chat.whisper("", MAYA, SAID)
    p.slack.faults["chat.postMessage"] = [web.Response(status=500)]
    with pytest.raises(Unavailable):
        await p.chat.whisper("", MAYA, SAID)


def test_a_way_back_ends_after_half_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    ways, now = WaysBack(), 100.0
    monkeypatch.setattr("bot.slack_out.time.monotonic", lambda: now)
    ways.remember("r", "https://x")
    assert ways.use("r") == "https://x"
    now += 30 * 60
    assert ways.use("r") is None


async def test_calls_share_one_session_and_leave_it_open(p: Post) -> None:
    await asyncio.gather(*(p.chat.post("C1", SAID) for _ in range(20)))
    assert not p.session.closed
    assert len(p.slack.messages) == 20
