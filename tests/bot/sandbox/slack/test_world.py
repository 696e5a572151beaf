"""What people do in the workspace, what the bot hears of it, and what they see then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import delivery
from bot.sandbox.slack.model import Impossible
from bot.sandbox.slack.world import SlackWorld
from tests.bot.sandbox.standin import APP_TOKEN, BUTTONS, MODAL, SetClock, StandIn, workspace

Running = tuple[SlackWorld, StandIn, AsyncWebClient]


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with workspace(SetClock()) as all_of_it:
        yield all_of_it


def seen(world: SlackWorld, who: str, channel: str = "releases") -> list[tuple[str, str]]:
    return [(world.name_of(m.user), m.text) for m in world.messages(channel, who=who)]


def answering(bot: StandIn, **by_type: Any) -> None:
    """The bot answers each type of payload so; a slash command is `command`."""

    async def answers(payload: dict[str, Any]) -> Any:
        answer = by_type.get(payload.get("type", "command"))
        return await answer(payload) if callable(answer) else answer

    bot.answers = answers


# --- slash commands -------------------------------------------------------------------------------------------------


async def test_a_command_arrives_signed_and_whole_and_its_answer_is_seen_by_one(running: Running) -> None:
    world, bot, _ = running
    answering(bot, command={"text": "there is help"})
    outcome = await world.say(
        "maya", "#releases", "/release promote checkout stage→prod reason:a&b for @omar in #search"
    )
    assert (outcome.ok, outcome.reply) == (True, "there is help")
    assert outcome.ack_ms is not None
    heard = bot.heard[0]
    assert heard.pop("response_url").startswith(world.api_url.replace("/api/", "/response/"))
    assert heard.pop("trigger_id")
    assert heard == {
        "token": "sandbox-verification-token",
        "team_id": "T0ACME",
        "team_domain": "acme",
        "channel_id": "C0RELEASES",
        "channel_name": "releases",
        "user_id": "U0MAYA",
        "user_name": "maya",
        "command": "/release",
        "text": "promote checkout stage→prod reason:a&amp;b for <@U0OMAR|omar> in <#C0SEARCH|search>",
        "api_app_id": "A0RELBOT",
        "is_enterprise_install": "false",
    }
    assert seen(world, "maya") == [("bot", "there is help")]
    assert seen(world, "omar") == []


async def test_an_answer_in_the_channel_shows_the_command_too(running: Running) -> None:
    world, bot, _ = running
    answering(bot, command={"response_type": "in_channel", "text": "all is well"})
    assert (await world.say("maya", "releases", "/release status")).reply is None
    assert seen(world, "omar") == [("maya", "/release status"), ("bot", "all is well")]


async def test_plain_text_and_nothing_are_answers_too(running: Running) -> None:
    world, bot, _ = running
    answering(bot, command="as you wish")
    assert (await world.say("maya", "releases", "/release help")).reply == "as you wish"
    answering(bot)
    assert (await world.say("maya", "releases", "/release help")).reply is None
    assert seen(world, "maya") == [("bot", "as you wish")]


@pytest.mark.parametrize("status", [401, 404, 500, 302])
async def test_a_command_that_is_not_acknowledged_fails_once_and_is_not_repeated(running: Running, status: int) -> None:
    world, bot, _ = running
    answering(bot, command=web.Response(status=status))
    outcome = await world.say("maya", "releases", "/release status")
    assert (outcome.ok, outcome.error) == (False, "dispatch_failed")
    assert seen(world, "maya") == [("slackbot", "/release failed with the error “dispatch_failed” (http_error)")]
    assert len(bot.heard) == 1


async def test_three_seconds_are_over(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    world, bot, _ = running
    enough = asyncio.Event()

    async def late(_: dict[str, Any]) -> None:
        await enough.wait()

    answering(bot, command=late)
    outcome = await world.say("maya", "releases", "/release status")
    enough.set()
    assert (outcome.ok, outcome.error) == (False, "dispatch_failed")
    assert outcome.ack_ms is not None
    assert outcome.ack_ms >= delivery.ACK_WITHIN * 1000 - 50
    assert seen(world, "maya")[0][0] == "slackbot"


async def test_a_bot_that_is_away_is_told_by_slack(running: Running) -> None:
    world, _, _ = running
    world.bind("http://127.0.0.1:9")
    assert (await world.say("maya", "releases", "/release status")).error == "dispatch_failed"


async def test_an_answer_slack_refuses_is_not_shown(running: Running) -> None:
    world, bot, _ = running
    answering(bot, command={"text": "x", "blocks": [{"type": "shout"}]})
    assert (await world.say("maya", "releases", "/release status")).error == "invalid_command_response"


async def test_slack_refuses_commands_in_threads_and_of_others(running: Running) -> None:
    world, bot, client = running
    root = await client.chat_postMessage(channel="C0RELEASES", text="waiting")
    outcome = await world.say("maya", "releases", "/release status", thread=str(root["ts"]))
    assert (outcome.ok, outcome.error) == (False, "in_thread")
    assert outcome.reply == "/release is not supported in threads. Sorry!"
    assert (await world.say("maya", "releases", "/deploy now")).error == "unknown_command"
    assert (await world.say("gus", "checkout", "/release status")).error == "not_in_channel"
    assert bot.heard == []


# --- messages and events --------------------------------------------------------------------------------------------


async def test_a_mention_is_an_event_and_other_words_are_not(running: Running) -> None:
    world, bot, client = running
    root = await client.chat_postMessage(channel="C0RELEASES", text="waiting")
    await world.say("maya", "releases", "just talking <b>")
    await world.say("maya", "releases", "@release-bot why?", thread=str(root["ts"]))
    (heard,) = bot.heard
    assert (heard["type"], heard["authorizations"][0]["user_id"]) == ("event_callback", "U0RELBOT")
    assert heard["event"] | {"client_msg_id": ""} == {
        "type": "app_mention",
        "user": "U0MAYA",
        "text": "<@U0RELBOT> why?",
        "ts": world.messages("releases")[-1].ts,
        "event_ts": world.messages("releases")[-1].ts,
        "channel": "C0RELEASES",
        "thread_ts": root["ts"],
        "team": "T0ACME",
        "client_msg_id": "",
    }
    assert seen(world, "omar")[1] == ("maya", "just talking &lt;b&gt;")


async def test_an_event_is_tried_three_times_more_until_it_is_taken(running: Running) -> None:
    world, bot, _ = running

    async def refuse(_: dict[str, Any]) -> web.Response:
        return web.Response(status=500)

    answering(bot, event_callback=refuse)
    assert (await world.say("maya", "releases", "@release-bot hello")).error == "http_error"
    await bot.heard_of(4)
    assert [h.get("x-slack-retry-num") for h in bot.headers] == [None, "1", "2", "3"]
    assert bot.headers[3]["x-slack-retry-reason"] == "http_error"
    assert len({payload["event_id"] for payload in bot.heard}) == 1


async def test_a_bot_can_ask_not_to_be_told_again(running: Running) -> None:
    world, bot, _ = running
    refusals = [web.Response(status=500), web.Response(status=500, headers={"x-slack-no-retry": "1"})]

    async def refuse(_: dict[str, Any]) -> web.Response:
        return refusals.pop(0)

    answering(bot, event_callback=refuse)
    await world.say("maya", "releases", "@release-bot hello")
    await bot.heard_of(2)
    answering(bot)
    await world.say("maya", "releases", "@release-bot again")
    assert [h.get("x-slack-retry-num") for h in bot.headers] == [None, "1", None]


async def test_an_event_and_a_click_can_come_twice(running: Running) -> None:
    world, bot, client = running
    world.inject("event_twice")
    await world.say("maya", "releases", "@release-bot hello")
    assert bot.heard[0]["event_id"] == bot.heard[1]["event_id"]
    assert bot.headers[1]["x-slack-retry-num"] == "1"
    shown = await client.chat_postMessage(channel="C0RELEASES", text="waiting", blocks=BUTTONS)
    world.inject("click_twice")
    await world.press("omar", str(shown["ts"]), "Approve")
    first, second = bot.heard[2:]
    assert first["actions"][0]["value"] == second["actions"][0]["value"] == "op-1"
    assert first["trigger_id"] != second["trigger_id"]


async def test_changes_of_groups_and_people_are_events(running: Running) -> None:
    world, bot, _ = running
    await world.set_members("S0RELMGR", ["U0LEA"])
    await world.deactivate("omar")
    assert bot.heard[0]["event"]["added_users"] == ["U0LEA"]
    assert bot.heard[0]["event"]["removed_users"] == ["U0OMAR"]
    assert bot.heard[1]["event"]["user"]["deleted"] is True


# --- clicks ---------------------------------------------------------------------------------------------------------


async def test_a_click_says_who_pressed_what_and_where(running: Running) -> None:
    world, bot, client = running
    shown = await client.chat_postMessage(channel="C0RELEASES", text="waiting", blocks=BUTTONS)

    async def tell(payload: dict[str, Any]) -> None:
        await client.chat_postEphemeral(channel="C0RELEASES", user="U0OMAR", text="counted")

    answering(bot, block_actions=tell)
    outcome = await world.press("omar", str(shown["ts"]), "approve")
    assert (outcome.ok, outcome.reply) == (True, "counted")
    (heard,) = bot.heard
    assert heard["user"] == {"id": "U0OMAR", "username": "omar", "name": "omar", "team_id": "T0ACME"}
    assert heard["container"] == {
        "type": "message",
        "message_ts": shown["ts"],
        "channel_id": "C0RELEASES",
        "is_ephemeral": False,
    }
    assert heard["message"]["blocks"][1]["block_id"] == "votes"
    action = heard["actions"][0]
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "votes", "op-1")
    assert heard["response_url"]
    assert heard["trigger_id"]


async def test_only_what_is_on_ones_screen_can_be_pressed(running: Running) -> None:
    world, bot, client = running
    shown = await client.chat_postEphemeral(channel="C0RELEASES", user="U0MAYA", text="sure?", blocks=BUTTONS)
    with pytest.raises(Impossible, match="only maya sees"):
        await world.press("omar", str(shown["message_ts"]), "Approve")
    with pytest.raises(Impossible, match="there is Approve, Reject"):
        await world.press("maya", str(shown["message_ts"]), "Merge")
    elsewhere = await client.chat_postMessage(channel="C0SEARCH", text="waiting", blocks=BUTTONS)
    with pytest.raises(Impossible, match="gus is not in #search"):
        await world.press("gus", str(elsewhere["ts"]), "Approve")
    assert bot.heard == []
    assert (await world.press("maya", str(shown["message_ts"]), "Approve")).ok
    assert bot.heard[0]["container"]["is_ephemeral"] is True
    assert "message" not in bot.heard[0]


async def test_a_click_that_is_not_taken_fails_for_that_person_and_is_not_repeated(running: Running) -> None:
    world, bot, client = running
    shown = await client.chat_postMessage(channel="C0RELEASES", text="waiting", blocks=BUTTONS)
    answering(bot, block_actions=web.Response(status=500))
    assert (await world.press("omar", str(shown["ts"]), "Approve")).error == "dispatch_failed"
    assert seen(world, "maya") == [("bot", "waiting")]
    assert len(bot.heard) == 1


# --- modals ---------------------------------------------------------------------------------------------------------


async def opened(world: SlackWorld, bot: StandIn, client: AsyncWebClient) -> str:
    """Maya clicks Reject and has the modal before her."""

    async def ask(payload: dict[str, Any]) -> None:
        await client.views_open(trigger_id=payload["trigger_id"], view=MODAL)

    answering(bot, block_actions=ask)
    shown = await client.chat_postMessage(channel="C0RELEASES", text="waiting", blocks=BUTTONS)
    assert (await world.press("maya", str(shown["ts"]), "Reject")).ok
    (view,) = world.views("maya")
    return view.id


@pytest.mark.parametrize("key", ["reason", "text", "Why?"])
async def test_what_is_filled_in_arrives_and_the_modal_closes(running: Running, key: str) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    outcome = await world.submit("maya", view, {key: "It is Friday", "until": "Tomorrow"})
    assert outcome.ok
    assert bot.heard[-1]["view"]["state"]["values"] == {
        "reason": {"text": {"type": "plain_text_input", "value": "It is Friday"}},
        "until": {
            "pick": {
                "type": "static_select",
                "selected_option": {"text": {"type": "plain_text", "text": "Tomorrow"}, "value": "P1D"},
            }
        },
    }
    assert world.views("maya") == []


async def test_errors_keep_the_modal_open(running: Running) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    heard = len(bot.heard)
    assert (await world.submit("maya", view, {})).errors == {"reason": "Please complete this required field."}
    assert len(bot.heard) == heard
    answering(bot, view_submission={"response_action": "errors", "errors": {"reason": "Say more."}})
    outcome = await world.submit("maya", view, {"reason": "no"})
    assert (outcome.ok, outcome.errors) == (False, {"reason": "Say more."})
    assert world.views("maya")[0].errors == {"reason": "Say more."}


async def test_errors_for_a_field_that_is_not_there_are_refused(running: Running) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    answering(bot, view_submission={"response_action": "errors", "errors": {"elsewhere": "?"}})
    assert "invalid_errors" in (await world.submit("maya", view, {"reason": "no"})).errors[""]


async def test_a_submission_can_be_answered_with_another_modal_or_by_closing_all(running: Running) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    thanks = {**MODAL, "title": {"type": "plain_text", "text": "Thanks"}}
    answering(bot, view_submission={"response_action": "update", "view": thanks})
    assert (await world.submit("maya", view, {"reason": "no"})).ok
    assert world.views("maya")[0].body["title"]["text"] == "Thanks"
    answering(bot, view_submission={"response_action": "push", "view": MODAL})
    await world.submit("maya", view, {"reason": "no"})
    assert len(world.views("maya")) == 2
    answering(bot, view_submission={"response_action": "clear"})
    await world.submit("maya", world.views("maya")[-1].id, {"reason": "no"})
    assert world.views("maya") == []


async def test_a_submission_that_is_not_taken_keeps_what_was_written(running: Running) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    answering(bot, view_submission=web.Response(status=500))
    outcome = await world.submit("maya", view, {"reason": "no"})
    assert (outcome.ok, outcome.error) == (False, "dispatch_failed")
    assert len(world.views("maya")) == 1


async def test_closing_is_told_where_the_bot_asked_for_it(running: Running) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    heard = len(bot.heard)
    assert (await world.close("maya", view)).ok
    assert len(bot.heard) == heard
    trigger = world.workspace.trigger("U0MAYA", None)
    await client.views_open(trigger_id=trigger, view={**MODAL, "notify_on_close": True})
    await world.close("maya", world.views("maya")[0].id)
    assert bot.heard[-1]["type"] == "view_closed"
    assert world.views("maya") == []


async def test_what_cannot_be_filled_in_is_said(running: Running) -> None:
    world, bot, client = running
    view = await opened(world, bot, client)
    with pytest.raises(Impossible, match="no field 'colour'; it has reason, until"):
        await world.submit("maya", view, {"colour": "red"})
    with pytest.raises(Impossible, match="not offered; there is Tomorrow, Next week"):
        await world.submit("maya", view, {"reason": "no", "until": "Never"})
    with pytest.raises(Impossible, match="omar has no modal"):
        await world.submit("omar", view, {"reason": "no"})


# --- shortcuts and home ---------------------------------------------------------------------------------------------


async def test_shortcuts_carry_what_they_were_used_on(running: Running) -> None:
    world, bot, client = running
    shown = await client.chat_postMessage(channel="C0RELEASES", text="waiting")
    assert (await world.shortcut("maya", "release_from_message", str(shown["ts"]))).ok
    assert (await world.shortcut("maya", "release_new")).ok
    message, anywhere = bot.heard
    assert (message["type"], message["message_ts"], message["message"]["text"]) == (
        "message_action",
        shown["ts"],
        "waiting",
    )
    assert (anywhere["type"], anywhere["callback_id"]) == ("shortcut", "release_new")


async def test_opening_home_lets_the_bot_publish_it(running: Running) -> None:
    world, bot, client = running

    async def publish(payload: dict[str, Any]) -> None:
        await client.views_publish(user_id=payload["event"]["user"], view={"type": "home", "blocks": [BUTTONS[0]]})

    answering(bot, event_callback=publish)
    view = await world.open_home("maya")
    assert view is not None
    assert view.body["blocks"][0]["text"]["text"] == "*checkout* is waiting"
    assert bot.heard[0]["event"]["tab"] == "home"


# --- Socket Mode ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def socketed(running: Running) -> AsyncIterator[tuple[Running, SocketModeClient, list[SocketModeRequest]]]:
    world, _, _ = running
    heard: list[SocketModeRequest] = []
    client = SocketModeClient(APP_TOKEN, web_client=AsyncWebClient(token=APP_TOKEN, base_url=world.api_url))

    async def hear(socket: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        heard.append(request)
        payload = {"text": "over the socket"} if request.type == "slash_commands" else None
        await socket.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

    client.socket_mode_request_listeners.append(hear)
    await client.connect()  # type: ignore[no-untyped-call]
    yield running, client, heard
    await client.disconnect()  # type: ignore[no-untyped-call]
    await client.close()  # type: ignore[no-untyped-call]


async def test_over_socket_mode_everything_comes_as_envelopes(
    socketed: tuple[Running, SocketModeClient, list[SocketModeRequest]],
) -> None:
    (world, bot, client), _, heard = socketed
    assert (await world.say("maya", "releases", "/release status")).reply == "over the socket"
    await world.say("maya", "releases", "@release-bot hello")
    shown = await client.chat_postMessage(channel="C0RELEASES", text="waiting", blocks=BUTTONS)
    assert (await world.press("maya", str(shown["ts"]), "Approve")).ok
    assert [request.type for request in heard] == ["slash_commands", "events_api", "interactive"]
    assert heard[0].payload["text"] == "status"
    assert heard[0].accepts_response_payload is True
    assert bot.heard == []


async def test_a_socket_can_be_asked_to_come_again(
    socketed: tuple[Running, SocketModeClient, list[SocketModeRequest]],
) -> None:
    (world, _, _), client, heard = socketed
    before = client.current_session
    world.inject("socket_refresh")
    async with asyncio.timeout(120):
        while client.current_session is before or client.current_session is None or client.current_session.closed:
            await asyncio.sleep(0.05)
        while (await world.say("maya", "releases", "/release status")).reply != "over the socket":
            await asyncio.sleep(0.05)
    assert heard


async def test_an_envelope_nobody_takes_fails(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "ACK_WITHIN", 0.2)
    world, _, _ = running
    url = (await AsyncWebClient(token=APP_TOKEN, base_url=world.api_url).apps_connections_open(app_token=APP_TOKEN))[
        "url"
    ]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        assert (await world.say("maya", "releases", "/release status")).error == "dispatch_failed"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)
