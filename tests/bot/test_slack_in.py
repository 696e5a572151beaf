from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from bot import slack_in
from bot.slack_in import plain_letters, words_of
from bot.slack_out import to_slack
from commands.errors import Unavailable
from commands.grammar import take_apart
from commands.reply import Ask, Button, Reply
from tests.bot.slack_stub import (
    BOT,
    MAYA,
    OLD_SECRET,
    TEAM,
    Bench,
    bench,
    click,
    command,
    error,
    event,
    mention,
    submission,
)

GOOD = "promote checkout stage→prod"


@pytest_asyncio.fixture
async def b() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


# Words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("promote checkout stage→prod", "promote checkout stage→prod"),
        ("promote checkout stage-&gt;prod", "promote checkout stage->prod"),
        ("promote checkout stage–&gt;prod", "promote checkout stage->prod"),
        ("promote\u00a0checkout\u200b stage=&gt;prod", "promote checkout stage=>prod"),
        ("freeze start reason:“too risky”", 'freeze start reason:"too risky"'),
        ("status ‘x’", "status 'x'"),
        ("ask <@U1|nina> or <@U2>", "ask @U1 or @U2"),
        ("in <#C1|general>", "in #C1"),
        ("see <https://x.example/a|the page> <https://y.example>", "see the page https://y.example"),
        ("<!subteam^S1|@leads> <!channel> <!here|here>", "@S1 channel here"),
        ("a &amp;lt; b", "a &lt; b"),
        ("`status checkout`", "status checkout"),
        ("status\n\n  checkout\x00\x07", "status checkout"),
        ("status check\u202eout\ufeff", "status checkout"),
        ("stage – prod", "stage – prod"),
    ],
)
def test_what_people_type_becomes_plain_words(typed: str, words: str) -> None:
    assert words_of(typed) == words


def test_ampersands_are_unescaped_exactly_once() -> None:
    assert words_of("&amp;amp;") == "&amp;"
    assert plain_letters("&lt;") == "&lt;"


# Proof --------------------------------------------------------------------------------------------------------------


async def test_a_command_is_taken_down_before_it_is_acknowledged(b: Bench) -> None:
    assert await b.form(command("promote checkout stage-&gt;prod")) == (200, None)
    request = b.ear.only
    assert (request.words, request.account, request.channel, request.via) == (
        "promote checkout stage->prod",
        MAYA,
        "C0RELEASES",
        "command",
    )
    assert request.at == b.clock.at
    assert not b.slack.calls


@pytest.mark.parametrize("secret", [OLD_SECRET, "a-signing-secret"])
async def test_both_secrets_count_while_they_are_rotated(b: Bench, secret: str) -> None:
    assert (await b.form(command(GOOD), secret=secret))[0] == 200
    assert b.ear.words == [GOOD]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "-"},
        {"X-Slack-Request-Timestamp": "-"},
        {"X-Slack-Request-Timestamp": "not a number"},
        {"X-Slack-Request-Timestamp": "1" * 400},
        {"X-Slack-Request-Timestamp": "-5"},
        {"X-Slack-Request-Timestamp": "٣٣٣"},
        {"X-Slack-Signature": "v0=ünïcödé"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": "1795510800"},
    ],
)
async def test_what_slack_did_not_sign_gets_a_constant_401(b: Bench, headers: dict[str, str]) -> None:
    for body in (
        urlencode(command(GOOD)).encode(),
        b"payload={oops",
        b"[1]",
        b"null",
        b"\xff\xfe",
        b"ssl_check=1",
        b'{"type":"url_verification"}',
    ):
        for ctype in ("application/json", "application/x-www-form-urlencoded"):
            assert await b.raw(body, headers=headers, ctype=ctype) == (401, b"")
    assert not b.ear.heard
    assert not b.ear.takes


@pytest.mark.parametrize(("skew", "status"), [(-301, 401), (301 + 5, 401), (-290, 200), (290, 200)])
async def test_timestamps_count_within_five_minutes(b: Bench, skew: int, status: int) -> None:
    assert (await b.form(command(GOOD), ts=str(int(time.time()) + skew)))[0] == status


async def test_a_replay_is_answered_but_has_no_second_effect(b: Bench) -> None:
    raw, ts = urlencode(command(GOOD)).encode(), str(int(time.time()))
    assert (await b.raw(raw, ts=ts))[0] == 200
    assert await b.raw(raw, ts=ts) == (200, b"")
    assert b.ear.takes == 1


async def test_a_body_that_is_too_large_is_not_read(b: Bench) -> None:
    assert (await b.raw(b"text=" + b"x" * 300_000))[0] == 413
    assert not b.ear.heard


@pytest.mark.parametrize(
    ("body", "ctype"),
    [
        (b"payload={oops", "application/x-www-form-urlencoded"),
        (b"payload=[1]", "application/x-www-form-urlencoded"),
        (b"payload={}&payload={}", "application/x-www-form-urlencoded"),
        (b"payload={}&command=/release", "application/x-www-form-urlencoded"),
        (b"command=/release&command=/other", "application/x-www-form-urlencoded"),
        (b"text=%ff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % i for i in range(65)), "application/x-www-form-urlencoded"),
        (b"null", "application/json"),
        (b'{"a":NaN}', "application/json"),
        (b'{"a":1e999}', "application/json"),
        (b'{"a":1,"a":2}', "application/json"),
        (b'{"a":"\\ud800"}', "application/json"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json"),
        (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "application/json"),
        (b'{"a":' + b"9" * 5000 + b"}", "application/json"),
        (b"\xff", "application/json"),
        (b"{}", "text/plain"),
        (b"<a/>", "multipart/form-data"),
    ],
)
async def test_what_is_signed_but_not_well_formed_gets_400(b: Bench, body: bytes, ctype: str) -> None:
    assert await b.raw(body, ctype=ctype) == (400, b"")
    assert not b.ear.takes


@pytest.mark.parametrize("text", ["promote payload-svc stage→prod", "status payload=x"])
async def test_the_word_payload_may_stand_anywhere(b: Bench, text: str) -> None:
    assert (await b.form(command(text, channel_name="payload-team", user_name="payload")))[0] == 200
    assert b.ear.words == [text]


async def test_slacks_own_questions_are_answered(b: Bench) -> None:
    assert await b.events({"type": "url_verification", "challenge": "c&<>"}) == (200, {"challenge": "c&<>"})
    assert await b.form({"ssl_check": "1", "token": "t"}) == (200, None)
    assert not b.ear.heard


async def test_a_rate_limit_of_events_is_logged(b: Bench, caplog: pytest.LogCaptureFixture) -> None:
    assert await b.events({"type": "app_rate_limited", "team_id": TEAM, "minute_rate_limited": 1518467820}) == (
        200,
        None,
    )
    assert "app_rate_limited" in caplog.text


@pytest.mark.parametrize(
    "headers",
    [{"X-Slack-Bolt-Lazy-Only": "1"}, {"X-Slack-Bolt-Lazy-Function-Name": "x", "X-Slack-Bolt-Lazy-Only": "1"}],
)
async def test_headers_that_nobody_signed_change_nothing(b: Bench, headers: dict[str, str]) -> None:
    assert await b.form(command(GOOD), headers=headers) == (200, None)
    assert b.ear.words == [GOOD]


@pytest.mark.parametrize("secrets", [[], [""], ["good", " "]])
def test_without_a_secret_there_is_no_start(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="signing secret is empty"):
        slack_in.endpoint(None, secrets)  # type: ignore[arg-type]


# The acknowledgement ------------------------------------------------------------------------------------------------


async def test_half_a_character_in_words_is_made_whole(b: Bench) -> None:
    """What comes through a socket was parsed by Slack's library, which lets it through."""
    answer = await b.slack_in.answer(dict(command("reject op_1 reason:no \ud83d way")))
    assert answer.status == 200
    assert b.ear.only.words == "reject op_1 reason:no \ufffd way"


async def test_fifty_commands_at_once_ask_slack_nothing(b: Bench) -> None:
    answers = await asyncio.gather(*(b.form(command(f"status s{n}")) for n in range(50)))
    assert {status for status, _ in answers} == {200}
    assert len(b.ear.requests) == 50
    assert not b.slack.calls


async def test_what_can_be_said_at_once_stands_in_the_answer(b: Bench) -> None:
    status, answer = await b.form(command("help"))
    assert status == 200
    assert answer["response_type"] == "ephemeral"
    assert answer["text"] == "I know promote, rollback and status."
    assert [answered for _, answered in b.ear.requests.values()] == [True]


async def test_a_ledger_that_cannot_be_written_is_told(b: Bench) -> None:
    b.ear.fault = Unavailable("The disk is full.")
    status, answer = await b.form(command(GOOD))
    assert (status, answer["text"]) == (200, "The audit ledger cannot be written, nothing was done.")


async def test_a_ledger_that_hangs_is_told_in_time(b: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_in, "TAKE_SECONDS", 0.05)
    b.ear.stuck = asyncio.Event()
    status, answer = await b.form(command(GOOD))
    assert (status, answer["text"]) == (200, "The audit ledger cannot be written, nothing was done.")
    assert not b.ear.requests


async def test_a_bug_gives_the_person_a_number_to_quote_and_the_log_a_traceback(
    b: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    b.ear.fault = RuntimeError("boom in trigger-secret at https://hooks.example/secret")
    status, answer = await b.form(
        command("promote wordsofmine", trigger_id="trigger-secret", response_url="https://hooks.example/secret")
    )
    assert status == 200
    assert answer["response_type"] == "ephemeral"
    number = answer["text"].rstrip(".").rpartition(" ")[2]
    assert f"stumbled {number}" in caplog.text
    assert "Traceback" in caplog.text
    assert "in take" in caplog.text
    for secret in ("hooks.example", "trigger-secret", "wordsofmine"):
        assert secret not in caplog.text


@pytest.mark.parametrize("kind", ["click", "mention", "submission"])
async def test_a_bug_behind_anything_else_is_whispered(b: Bench, kind: str) -> None:
    b.ear.fault = RuntimeError("boom")
    match kind:
        case "click":
            assert await b.interact(click("approve op_1")) == (200, None)
        case "mention":
            assert await b.events(event(mention(f"<@{BOT}> {GOOD}"))) == (200, None)
        case _:
            await b.interact(click("reject op_1", action_id="reject?reason"))
            status, answer = await b.interact(submission(b.slack.views[0], "bad"))
            assert (status, answer["response_action"]) == (200, "update")
            return
    await b.settled()
    assert "Please quote" in b.slack.whispers[0]["text"]


async def test_a_slow_slack_does_not_hold_an_acknowledgement_up(b: Bench) -> None:
    b.slack.faults["chat.postEphemeral"] = [asyncio.Event()]
    assert await asyncio.wait_for(b.interact(click("dance op_1")), 60) == (200, None)
    assert b.ear.words == ["dance op_1"]


@pytest.mark.parametrize(
    "body",
    [
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": "x", "team": "y", "user": 3},
        {"type": "view_submission", "view": {"callback_id": "asked", "private_metadata": "no"}},
        {"type": "view_submission"},
        {"type": "view_submission", "view": {"callback_id": "somebody-else's"}},
        {"type": "view_closed", "view": {"callback_id": "asked"}},
        {"type": "shortcut"},
        {"type": "shortcut", "callback_id": "unknown", "user": {"id": "U0MAYA"}},
        {"type": "message_action", "callback_id": "unknown", "user": {"id": "U0MAYA"}, "channel": {"id": "C0X"}},
        {"type": "block_suggestion", "action_id": "x"},
        {"type": "dialog_submission", "callback_id": "x"},
        {"type": "interactive_message", "callback_id": "x"},
        {"type": "event_callback"},
        {"type": "event_callback", "event": "x"},
        {"type": "event_callback", "event": {"type": 5}},
        {"type": "event_callback", "event": {"type": "message", "text": "x"}},
        {"type": "event_callback", "event": {"type": "app_uninstalled"}},
        {"type": "function_executed"},
        {"type": ["x"]},
        {},
    ],
)
async def test_nothing_that_slack_signed_is_met_with_an_error(b: Bench, body: dict[str, Any]) -> None:
    for send in (b.interact, b.events):
        assert (await send(body))[0] == 200
    await b.settled()
    assert not b.ear.requests


async def test_another_command_gets_help(b: Bench) -> None:
    status, answer = await b.form(command("x", command="/deploy"))
    assert (status, answer["text"]) == (200, "I know promote, rollback and status.")
    assert not b.ear.requests


# Who may speak ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "team", "said"), [("U0EVE", "T0OTHER", "members of this workspace"), (BOT, TEAM, "Only people")]
)
async def test_strangers_and_bots_are_refused_privately_and_recorded(b: Bench, user: str, team: str, said: str) -> None:
    assert await b.interact(click("approve op_1", user, team=team)) == (200, None)
    await b.settled()
    ((request, answered),) = b.ear.requests.values()
    assert answered is True
    assert request.account == f"slack:{team}/{user}"
    assert said in b.slack.whispers[0]["text"]
    assert not b.ear.heard


async def test_a_stranger_opens_no_dialog(b: Bench) -> None:
    await b.interact(click("reject op_1", "U0EVE", team="T0OTHER", action_id="reject?reason"))
    await b.settled()
    assert not b.slack.views
    assert len(b.ear.requests) == 1


async def test_a_bot_that_mentions_us_is_recorded_and_starts_nothing(b: Bench) -> None:
    await b.events(event(mention(f"<@{BOT}> {GOOD}", user="", bot_id="B0OTHER")))
    assert [answered for _, answered in b.ear.requests.values()] == [True]


async def test_names_are_nobodys_identity(b: Bench) -> None:
    await b.form(command(GOOD, "U0GUS", user_name="maya"))
    assert b.ear.only.account == f"slack:{TEAM}/U0GUS"


# Repetitions --------------------------------------------------------------------------------------------------------


async def test_an_event_delivered_three_times_is_one_request(b: Bench) -> None:
    body = event(mention(f"<@{BOT}> {GOOD}"))
    for number, retry in enumerate(({}, {"X-Slack-Retry-Num": "1"}, {"X-Slack-Retry-Num": "2"})):
        assert (await b.events(body, headers=retry, ts=str(int(time.time()) - number)))[0] == 200
    assert b.ear.takes == 3
    assert b.ear.words == [GOOD]


async def test_one_click_delivered_twice_at_once_is_one_request(b: Bench) -> None:
    body, now = click("approve op_1"), int(time.time())
    await asyncio.gather(b.interact(body, ts=str(now)), b.interact(body, ts=str(now - 1)))
    assert b.ear.words == ["approve op_1"]


async def test_a_repetition_is_not_answered_again(b: Bench) -> None:
    body, now = event(mention(f"<@{BOT}> dance")), int(time.time())
    for number in range(3):
        assert await b.events(body, ts=str(now - number)) == (200, None)
    await b.settled()
    assert [whisper["text"] for whisper in b.slack.whispers] == ["I do not know dance."]


async def test_two_clicks_are_two_requests(b: Bench) -> None:
    await b.interact(click("approve op_1"))
    await b.interact(click("approve op_1"))
    assert b.ear.words == ["approve op_1", "approve op_1"]


# Buttons, modals, shortcuts, mentions, home -------------------------------------------------------------------------


async def test_a_button_says_its_words(b: Bench) -> None:
    await b.interact(
        click(
            "approve op_1 plan:3f2a91cc",
            thread=None,
            message={"ts": "1795510800.000001", "thread_ts": "1795510700.000001"},
        )
    )
    request = b.ear.only
    assert (request.words, request.via, request.channel) == ("approve op_1 plan:3f2a91cc", "button", "C0CHECKOUT")
    assert (request.message, request.thread) == ("1795510800.000001", "1795510700.000001")


async def test_a_button_on_the_root_message_was_not_said_in_its_thread(b: Bench) -> None:
    await b.interact(click("approve op_1", message={"ts": "1795510800.000001", "thread_ts": "1795510800.000001"}))
    assert b.ear.only.thread == ""


async def test_a_link_button_is_only_acknowledged(b: Bench) -> None:
    body = click("link", action_id="link")
    body["actions"][0] |= {"value": "", "url": "https://x.example"}
    assert await b.interact(body) == (200, None)
    await b.settled()
    assert not b.ear.heard
    assert not b.slack.whispers


async def test_an_action_without_words_gets_help(b: Bench) -> None:
    body = click("x")
    body["actions"][0]["value"] = ""
    await b.interact(body)
    await b.settled()
    assert b.slack.whispers[0]["text"] == "I know promote, rollback and status."


async def test_a_button_that_asks_opens_a_modal_whose_text_joins_the_words(b: Bench) -> None:
    assert await b.interact(click("reject op_1 plan:3f2a91cc", action_id="reject?reason#2")) == (200, None)
    await b.settled()
    assert not b.ear.takes
    (view,) = b.slack.views
    assert await b.interact(submission(view, 'too “risky”\nfor "Friday" ')) == (200, None)
    request = b.ear.only
    assert request.words == "reject op_1 plan:3f2a91cc reason:\"too 'risky' for 'Friday'\""
    assert (request.via, request.channel, request.message) == ("modal", "C0CHECKOUT", "1795510800.000001")


async def test_an_empty_reason_is_asked_for_in_the_modal(b: Bench) -> None:
    await b.interact(click("reject op_1", action_id="reject?reason"))
    await b.settled()
    for empty in ("", " \n\u200b"):
        _, answer = await b.interact(submission(b.slack.views[0], empty), ts="")
        assert answer == {"response_action": "errors", "errors": {"reason": "Please write something here."}}
    assert not b.ear.takes


SEVERAL = (
    Ask("incident", "Incident"),
    Ask("rollback-plan", "Rollback plan", long=True),
    Ask("risk", "Risk", required=False, choices=("low – as usual", "high")),
)


async def several(b: Bench) -> dict[str, Any]:
    """The dialog that a button with several questions opened."""
    button = Button("Fill in", "promote checkout stage→prod type:emergency", asks=SEVERAL)
    (element,) = to_slack(Reply("Look.", buttons=(button,)))["blocks"][-1]["elements"]
    body = click(element["value"], action_id=element["action_id"])
    body["actions"][0] |= element
    await b.interact(body)
    await b.settled()
    (view,) = b.slack.views
    return view


async def test_a_button_that_asks_for_several_things_opens_one_dialog_whose_answers_join_the_words(b: Bench) -> None:
    view = await several(b)
    assert view["title"]["text"] == "Fill in"
    assert [block["label"]["text"] for block in view["blocks"][1:]] == ["Incident", "Rollback plan", "Risk"]
    plan = 'Back to "3f2a"\nat once confirms:all'
    assert await b.interact(submission(view, "INC-7 ", plan, "low – as usual")) == (200, None)
    assert b.ear.only.words == (
        'promote checkout stage→prod type:emergency incident:"INC-7"'
        ' rollback-plan:"Back to \'3f2a\' at once confirms:all" risk:"low – as usual"'
    )
    assert take_apart(b.ear.only.words).keys == {
        "type": "emergency",
        "incident": "INC-7",
        "rollback-plan": "Back to '3f2a' at once confirms:all",
        "risk": "low – as usual",
    }


async def test_what_need_not_be_answered_is_left_out_and_the_rest_is_asked_for_field_by_field(b: Bench) -> None:
    view = await several(b)
    _, answer = await b.interact(submission(view, " \u200b", "", ""))
    wanted = "Please write something here."
    assert answer == {"response_action": "errors", "errors": {"incident": wanted, "rollback-plan": wanted}}
    assert not b.ear.takes
    await b.interact(submission(view, "INC-7", "back", ""))
    assert b.ear.only.words.endswith('incident:"INC-7" rollback-plan:"back"')


async def test_one_modal_sent_twice_is_one_request_and_a_corrected_one_is_another(b: Bench) -> None:
    await b.interact(click("reject op_1", action_id="reject?reason"))
    await b.settled()
    now = int(time.time())
    for number, text in enumerate(("bad", "bad", "worse")):
        await b.interact(submission(b.slack.views[0], text), ts=str(now - number))
    assert b.ear.words == ['reject op_1 reason:"bad"', 'reject op_1 reason:"worse"']


async def test_a_modal_keeps_what_was_written_where_the_ledger_fails(b: Bench) -> None:
    await b.interact(click("reject op_1", action_id="reject?reason"))
    await b.settled()
    b.ear.fault = Unavailable("The disk is full.")
    _, answer = await b.interact(submission(b.slack.views[0], "bad"))
    assert answer["response_action"] == "errors"
    assert "nothing was done" in answer["errors"]["reason"]


@pytest.mark.parametrize(
    "word", ["trigger_expired", "trigger_exchanged", "expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"]
)
async def test_a_late_click_is_told_to_click_again(b: Bench, word: str) -> None:
    b.slack.faults["views.open"] = [error(word)]
    assert await b.interact(click("reject op_1", action_id="reject?reason")) == (200, None)
    await b.settled()
    assert "click again" in b.slack.whispers[0]["text"]
    assert b.slack.whispers[0]["user"] == "U0MAYA"


async def test_a_dialog_that_hangs_does_not_hold_the_acknowledgement(b: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_in, "OPEN_SECONDS", 0.05)
    hanging = asyncio.Event()
    b.slack.faults["views.open"] = [hanging]
    assert await asyncio.wait_for(b.interact(click("reject op_1", action_id="reject?reason")), 60) == (200, None)
    hanging.set()
    await b.settled()
    assert len(b.slack.views) == 1


async def test_the_message_shortcut_asks_for_words_in_that_thread(b: Bench) -> None:
    body = {
        "type": "message_action", "callback_id": "release_from_message", "trigger_id": "t-1", "team": {"id": TEAM},
        "user": {"id": "U0MAYA", "team_id": TEAM}, "channel": {"id": "C0CHECKOUT"}, "message_ts": "1795510800.000007",
        "message": {"ts": "1795510800.000007", "text": "<@U1> deploy?"}, "response_url": "",
    }  # fmt: skip
    assert await b.interact(body) == (200, None)
    await b.settled()
    (view,) = b.slack.views
    assert view["blocks"][0]["element"]["initial_value"] == "status"
    assert await b.interact(submission(view, "status checkout")) == (200, None)
    request = b.ear.only
    assert (request.words, request.via) == ("status checkout", "shortcut")
    assert (request.channel, request.thread) == ("C0CHECKOUT", "1795510800.000007")


async def test_the_global_shortcut_speaks_in_the_default_channel_and_answers_in_the_modal(b: Bench) -> None:
    body = {
        "type": "shortcut",
        "callback_id": "release_new",
        "trigger_id": "t-2",
        "team": {"id": TEAM},
        "user": {"id": "U0MAYA", "team_id": TEAM},
    }
    await b.interact(body)
    await b.settled()
    _, answer = await b.interact(submission(b.slack.views[0], "/release help"))
    assert b.ear.only.channel == "C0RELEASES"
    assert b.ear.only.words == "help"
    assert answer["response_action"] == "update"
    assert "I know promote" in json.dumps(answer)


async def test_a_mention_in_a_thread_is_words_in_that_thread(b: Bench) -> None:
    text = f"<@{BOT}> promote checkout stage-&gt;prod"
    assert await b.events(event(mention(text, thread_ts="1795510800.000002"))) == (200, None)
    request = b.ear.only
    assert (request.words, request.via, request.thread) == (
        "promote checkout stage->prod",
        "mention",
        "1795510800.000002",
    )


async def test_a_mention_that_is_not_understood_is_answered_in_its_thread_privately(b: Bench) -> None:
    await b.events(event(mention(f"<@{BOT}> dance", thread_ts="1795510800.000002")))
    await b.settled()
    (whisper,) = b.slack.whispers
    assert (whisper["text"], whisper["user"], whisper["thread_ts"]) == (
        "I do not know dance.",
        "U0MAYA",
        "1795510800.000002",
    )


async def test_app_home_shows_what_it_was_given(b: Bench) -> None:
    assert await b.events(event({"type": "app_home_opened", "user": "U0MAYA", "tab": "home"})) == (200, None)
    await b.settled()
    assert f"Nothing waits for {MAYA}." in json.dumps(b.slack.homes["U0MAYA"])
    await b.events(event({"type": "app_home_opened", "user": "U0OMAR", "tab": "messages"}))
    await b.settled()
    assert "U0OMAR" not in b.slack.homes


async def test_where_the_bot_is_not_in_the_channel_the_way_back_of_the_request_is_used(b: Bench) -> None:
    b.slack.absent_from = {"C0CHECKOUT"}
    for _ in range(2):
        await b.interact(click("dance", response_url=f"{b.slack.address}respond/1"))
    await b.settled()
    assert [said["text"] for said in b.slack.responded] == ["I do not know dance."] * 2


async def test_changes_of_people_and_groups_are_forgotten_at_once(b: Bench) -> None:
    assert (await b.people.person(MAYA)).roles == {"engineer"}
    b.slack.groups["S0ENG"] = []
    await b.events(event({"type": "subteam_members_changed", "subteam_id": "S0ENG"}))
    assert (await b.people.person(MAYA)).roles == set()
    b.slack.users["U0MAYA"]["deleted"] = True
    await b.events(event({"type": "user_change", "user": {"id": "U0MAYA"}}))
    assert (await b.people.person(MAYA)).active is False


async def test_no_log_line_carries_what_people_wrote_or_how_to_reach_them(
    b: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)
    secret = {"response_url": "https://hooks.example/secret", "trigger_id": "trigger-secret"}
    await b.form(command("promote wordsofmine", **secret))
    await b.form(command("dance wordsofmine", **secret), secret="wrong")
    await b.interact({**click("dance wordsofmine"), **secret})
    await b.interact({"type": "unknown", "text": "wordsofmine", **secret})
    await b.settled()
    for word in ("wordsofmine", "hooks.example", "trigger-secret", "a-signing-secret", "xoxb"):
        assert word not in caplog.text
