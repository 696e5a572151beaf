"""The Web API, as Slack's own client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.model import Impossible
from bot.sandbox.slack.world import SlackWorld
from tests.bot.sandbox.standin import APP_TOKEN, BUTTONS, MODAL, SetClock, StandIn, workspace

HERE = "C0RELEASES"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def running(clock: SetClock) -> AsyncIterator[tuple[SlackWorld, StandIn, AsyncWebClient]]:
    async with workspace(clock) as all_of_it:
        yield all_of_it


@pytest.fixture
def world(running: tuple[SlackWorld, StandIn, AsyncWebClient]) -> SlackWorld:
    return running[0]


@pytest.fixture
def bot(running: tuple[SlackWorld, StandIn, AsyncWebClient]) -> StandIn:
    return running[1]


@pytest.fixture
def client(running: tuple[SlackWorld, StandIn, AsyncWebClient]) -> AsyncWebClient:
    return running[2]


def code(error: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(error.value.response["error"])


def texts(world: SlackWorld, who: str | None = None) -> list[str]:
    return [message.text for message in world.messages("releases", who=who)]


async def test_the_bot_learns_who_it_is(client: AsyncWebClient) -> None:
    me = await client.auth_test()
    assert (me["team_id"], me["user_id"], me["bot_id"]) == ("T0ACME", "U0RELBOT", "B0RELBOT")


async def test_a_message_is_posted_answered_in_its_thread_changed_and_deleted(
    world: SlackWorld, client: AsyncWebClient
) -> None:
    root = await client.chat_postMessage(channel=HERE, text="checkout is waiting", blocks=BUTTONS)
    reply = await client.chat_postMessage(channel=HERE, text="1 %", thread_ts=root["ts"])
    nested = await client.chat_postMessage(channel=HERE, text="10 %", thread_ts=reply["ts"])
    assert [m.thread for m in world.messages("releases")] == [None, root["ts"], root["ts"]]
    assert nested["message"]["thread_ts"] == root["ts"]
    await client.chat_update(channel=HERE, ts=str(root["ts"]), text="checkout is live")
    assert world.messages("releases")[0].blocks == []
    await client.chat_delete(channel=HERE, ts=str(nested["ts"]))
    assert texts(world) == ["checkout is live", "1 %"]


async def test_what_is_posted_to_a_person_stands_in_their_direct_messages(
    world: SlackWorld, client: AsyncWebClient
) -> None:
    assert world.messages("@maya") == []
    posted = await client.chat_postMessage(channel="U0MAYA", text="only you")
    assert posted["channel"] == "D0MAYA"
    for where in ("@maya", "D0MAYA"):
        assert [(m.text, m.ephemeral_to) for m in world.messages(where, who="maya")] == [("only you", None)]
    with pytest.raises(Impossible, match="gus is not in"):
        world.messages("@maya", who="gus")
    with pytest.raises(SlackApiError) as nobody:
        await client.chat_postMessage(channel="U0NOBODY", text="hello?")
    assert code(nobody) == "channel_not_found"


async def test_no_two_messages_have_the_same_ts_even_when_the_clock_stands_or_goes_back(
    world: SlackWorld, client: AsyncWebClient, clock: SetClock
) -> None:
    for _ in range(5):
        await client.chat_postMessage(channel=HERE, text="again")
        clock.advance(timedelta(minutes=-1))
    stamps = [m.ts for m in world.messages("releases")]
    assert stamps == sorted(set(stamps))
    assert stamps[0] == "1795510800.000000"


async def test_the_bot_writes_only_where_it_is(world: SlackWorld, client: AsyncWebClient) -> None:
    world.workspace.channel("search").members.discard("U0RELBOT")
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(channel="C0SEARCH", text="hello")
    assert code(error) == "not_in_channel"
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(channel="C0NOWHERE", text="hello")
    assert code(error) == "channel_not_found"


async def test_only_its_own_messages_can_be_changed(world: SlackWorld, client: AsyncWebClient) -> None:
    await world.say("maya", "#releases", "mine")
    with pytest.raises(SlackApiError) as error:
        await client.chat_update(channel=HERE, ts=world.messages("releases")[0].ts, text="not mine")
    assert code(error) == "cant_update_message"
    with pytest.raises(SlackApiError) as error:
        await client.chat_update(channel=HERE, ts="1.000001", text="nothing")
    assert code(error) == "message_not_found"
    assert texts(world) == ["mine"]


async def test_an_ephemeral_is_seen_by_one_and_cannot_be_updated(world: SlackWorld, client: AsyncWebClient) -> None:
    shown = await client.chat_postEphemeral(channel=HERE, user="U0MAYA", text="only you")
    assert texts(world, "maya") == texts(world) == ["only you"]
    assert texts(world, "omar") == []
    with pytest.raises(SlackApiError) as error:
        await client.chat_update(channel=HERE, ts=str(shown["message_ts"]), text="all of you")
    assert code(error) == "message_not_found"
    with pytest.raises(SlackApiError) as error:
        await client.chat_postEphemeral(channel="C0SEARCH", user="U0GUS", text="a guest elsewhere")
    assert code(error) == "user_not_in_channel"


async def test_bad_blocks_are_refused_with_their_place(world: SlackWorld, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(
            channel=HERE, text="x", blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
        )
    assert code(error) == "invalid_blocks"
    assert "/blocks/0/text/text" in error.value.response["response_metadata"]["messages"][0]
    assert texts(world) == []
    with pytest.raises(SlackApiError) as error:
        await client.api_call("chat.postMessage", json={"channel": HERE, "text": ""})
    assert code(error) == "no_text"


async def test_a_form_is_understood_as_well_as_json(world: SlackWorld, client: AsyncWebClient) -> None:
    await client.api_call(
        "chat.postMessage", data={"channel": HERE, "text": "as a form", "blocks": '[{"type":"divider"}]'}
    )
    assert world.messages("releases")[0].blocks[0]["type"] == "divider"
    with pytest.raises(SlackApiError) as error:
        await client.api_call("chat.postMessage", data={"channel": HERE, "blocks": "[{"})
    assert code(error) == "invalid_json"


async def test_people_and_groups_are_told(world: SlackWorld, client: AsyncWebClient) -> None:
    gus = (await client.users_info(user="U0GUS", include_locale=True))["user"]
    assert (gus["is_restricted"], gus["team_id"], gus["deleted"], gus["locale"]) == (True, "T0ACME", False, "en-GB")
    assert (await client.usergroups_users_list(usergroup="S0RELMGR"))["users"] == ["U0OMAR"]
    await world.set_members("S0RELMGR", [])
    assert (await client.usergroups_users_list(usergroup="S0RELMGR"))["users"] == []
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert {group["handle"] for group in groups} >= {"engineers", "on-call"}
    with pytest.raises(SlackApiError) as error:
        await client.usergroups_users_list(usergroup="S0NOBODY")
    assert code(error) == "no_such_subteam"
    with pytest.raises(SlackApiError) as error:
        await client.users_info(user="U0NOBODY")
    assert code(error) == "user_not_found"


async def test_channels_are_told_page_by_page(client: AsyncWebClient) -> None:
    names: list[str] = []
    async for page in await client.conversations_list(limit=3):
        names += [channel["name"] for channel in page["channels"]]
    assert names == ["releases", "checkout", "payments", "search"]
    assert (await client.conversations_info(channel="C0SEARCH"))["channel"]["is_ext_shared"] is False
    assert "U0GUS" not in (await client.conversations_members(channel="C0SEARCH"))["members"]


async def test_tokens_are_checked(world: SlackWorld, client: AsyncWebClient) -> None:
    for token, said in (("xoxb-other", "invalid_auth"), (APP_TOKEN, "not_allowed_token_type")):
        with pytest.raises(SlackApiError) as error:
            await AsyncWebClient(token=token, base_url=world.api_url).auth_test()
        assert code(error) == said
    with pytest.raises(SlackApiError) as error:
        await AsyncWebClient(base_url=world.api_url).auth_test()
    assert code(error) == "not_authed"
    with pytest.raises(SlackApiError) as error:
        await client.api_call("chat.shout")
    assert code(error) == "unknown_method"


# --- modals and home ------------------------------------------------------------------------------------------------


async def test_a_trigger_opens_one_modal_within_three_seconds(world: SlackWorld, client: AsyncWebClient) -> None:
    trigger = world.workspace.trigger("U0MAYA", "C0RELEASES")
    view = (await client.views_open(trigger_id=trigger, view=MODAL))["view"]
    assert [v.id for v in world.views("maya")] == [view["id"]]
    with pytest.raises(SlackApiError) as error:
        await client.views_open(trigger_id=trigger, view=MODAL)
    assert code(error) == "exchanged_trigger_id"
    with pytest.raises(SlackApiError) as error:
        await client.views_open(trigger_id="1.2.3", view=MODAL)
    assert code(error) == "invalid_trigger_id"


async def test_a_trigger_is_too_old_after_three_seconds(clock: SetClock) -> None:
    now = 100.0
    world = SlackWorld(clock, signing_secret="s", bot_token="xoxb", monotonic=lambda: now)
    await world.start()
    try:
        client = AsyncWebClient(token="xoxb", base_url=world.api_url)
        trigger = world.workspace.trigger("U0MAYA", None)
        now += 3.01
        with pytest.raises(SlackApiError) as error:
            await client.views_open(trigger_id=trigger, view=MODAL)
        assert code(error) == "expired_trigger_id"
    finally:
        await world.stop()


async def test_a_modal_is_updated_by_id_and_hash(world: SlackWorld, client: AsyncWebClient) -> None:
    view = (await client.views_open(trigger_id=world.workspace.trigger("U0MAYA", None), view=MODAL))["view"]
    changed = {**MODAL, "title": {"type": "plain_text", "text": "Really?"}}
    await client.views_update(view_id=view["id"], hash=view["hash"], view=changed)
    assert world.views("maya")[0].body["title"]["text"] == "Really?"
    with pytest.raises(SlackApiError) as error:
        await client.views_update(view_id=view["id"], hash=view["hash"], view=MODAL)
    assert code(error) == "hash_conflict"
    with pytest.raises(SlackApiError) as error:
        await client.views_update(view_id="V0NONE", view=MODAL)
    assert code(error) == "not_found"


async def test_modals_stand_three_deep(world: SlackWorld, client: AsyncWebClient) -> None:
    top = (await client.views_open(trigger_id=world.workspace.trigger("U0MAYA", None), view=MODAL))["view"]
    for _ in range(2):
        trigger = world.workspace.trigger("U0MAYA", None, top["id"])
        top = (await client.views_push(trigger_id=trigger, view=MODAL))["view"]
    assert len(world.views("maya")) == 3
    with pytest.raises(SlackApiError) as error:
        await client.views_push(trigger_id=world.workspace.trigger("U0MAYA", None, top["id"]), view=MODAL)
    assert code(error) == "push_limit_reached"


async def test_home_is_published_for_one_person(world: SlackWorld, client: AsyncWebClient) -> None:
    await client.views_publish(user_id="U0MAYA", view={"type": "home", "blocks": [{"type": "divider"}]})
    assert world.workspace.homes.keys() == {"U0MAYA"}
    with pytest.raises(SlackApiError) as error:
        await client.views_publish(user_id="U0MAYA", view=MODAL)
    assert code(error) == "invalid_arguments"


# --- response URLs --------------------------------------------------------------------------------------------------


async def respond(world: SlackWorld, name: str, answer: dict[str, object]) -> tuple[int, dict[str, object]]:
    url = world.api_url.replace("/api/", f"/response/{name}")
    async with aiohttp.ClientSession() as session, session.post(url, json=answer) as response:
        return response.status, await response.json()


async def test_a_response_url_works_five_times_and_half_an_hour(world: SlackWorld, clock: SetClock) -> None:
    name = world.workspace.response_url("U0MAYA", "C0RELEASES")
    for number in range(5):
        assert (await respond(world, name, {"text": f"{number}"}))[0] == 200
    assert await respond(world, name, {"text": "6"}) == (404, {"ok": False, "error": "used_url"})
    assert texts(world, "maya") == ["0", "1", "2", "3", "4"]
    assert texts(world, "omar") == []
    name = world.workspace.response_url("U0MAYA", "C0RELEASES")
    clock.advance(timedelta(minutes=30))
    assert (await respond(world, name, {"text": "late"}))[1]["error"] == "expired_url"


async def test_a_response_url_replaces_and_deletes_what_was_clicked(world: SlackWorld, client: AsyncWebClient) -> None:
    shown = await client.chat_postEphemeral(channel=HERE, user="U0MAYA", text="sure?", blocks=BUTTONS)
    name = world.workspace.response_url("U0MAYA", "C0RELEASES", str(shown["message_ts"]))
    await respond(world, name, {"replace_original": True, "text": "done"})
    assert texts(world, "maya") == ["done"]
    await respond(world, name, {"delete_original": True})
    assert texts(world, "maya") == []
    await respond(world, name, {"response_type": "in_channel", "text": "everybody"})
    assert texts(world, "omar") == ["everybody"]


# --- faults ---------------------------------------------------------------------------------------------------------


async def test_a_lost_reply_leaves_the_post_in_the_channel(world: SlackWorld, client: AsyncWebClient) -> None:
    client.retry_handlers = []
    world.inject("lost_reply")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=HERE, text="was it said?")
    assert texts(world) == ["was it said?"]
    await client.auth_test()


async def test_a_500_leaves_nothing(world: SlackWorld, client: AsyncWebClient) -> None:
    world.inject("api_error", times=2, method="chat.*")
    await client.auth_test()
    for _ in range(2):
        with pytest.raises(SlackApiError) as error:
            await client.chat_postMessage(channel=HERE, text="lost")
        assert error.value.response.status_code == 500
    await client.chat_postMessage(channel=HERE, text="said")
    assert texts(world) == ["said"]


async def test_too_many_calls_are_told_when_to_come_again(world: SlackWorld, client: AsyncWebClient) -> None:
    world.inject("ratelimited", seconds=7)
    with pytest.raises(SlackApiError) as error:
        await client.auth_test()
    assert (error.value.response.status_code, error.value.response.headers["Retry-After"]) == (429, "7")


async def test_a_stalled_call_outlives_the_patience_of_its_caller(world: SlackWorld) -> None:
    hurried = AsyncWebClient(token="xoxb-standin", base_url=world.api_url, timeout=1)
    hurried.retry_handlers = []
    world.inject("api_stall", seconds=30)
    with pytest.raises(asyncio.TimeoutError):
        await hurried.auth_test()


async def test_a_revoked_token_and_a_late_trigger_are_told(world: SlackWorld, client: AsyncWebClient) -> None:
    world.inject("token_revoked")
    with pytest.raises(SlackApiError) as error:
        await client.auth_test()
    assert code(error) == "token_revoked"
    world.inject("trigger_expired", error="trigger_expired")
    with pytest.raises(SlackApiError) as error:
        await client.views_open(trigger_id=world.workspace.trigger("U0MAYA", None), view=MODAL)
    assert code(error) == "trigger_expired"


async def test_a_fault_that_does_not_exist_is_refused(world: SlackWorld) -> None:
    with pytest.raises(ValueError, match="no fault 'flood'"):
        world.inject("flood")
    with pytest.raises(ValueError, match="at least 1"):
        world.inject("api_error", times=0)
