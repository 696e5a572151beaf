"""The sandbox API: the contract of the design, section 8, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.api import BadRequest, Cast, duration, sandbox_app
from bot.sandbox.slack.world import SlackWorld
from tests.bot.sandbox.standin import BUTTONS, MODAL, SetClock, StandIn, serving, workspace

ROLES = {"maya": ["engineer"], "omar": ["engineer", "release_manager"]}
SERVING = {
    "traffic": [{"revision": "checkout-r-1", "digest": "sha256:1", "percent": 100}],
    "serving": {"sha256:1": 1.0},
}


class Cloud:
    """Stands for the local Google."""

    def __init__(self) -> None:
        self.sites: dict[str, Any] = {"acme-prod/europe-west1/checkout": SERVING}
        self.injected: list[tuple[str, int, dict[str, Any]]] = []

    def snapshot(self) -> dict[str, Any]:
        return dict(self.sites)

    def fault_kinds(self) -> list[dict[str, str]]:
        return [
            {"world": "cloud_run", "kind": "stall", "says": "a call takes long"},
            {"world": "monitoring", "kind": "gap", "says": "points are missing"},
        ]

    def inject(self, kind: str, times: int = 1, **options: Any) -> None:
        if "colour" in options:
            raise ValueError("stall has no option colour")
        self.injected.append((kind, times, options))


class Hub:
    """Stands for the local GitHub."""

    async def snapshot(self) -> dict[str, Any]:
        return {"acme/checkout": {"refs": {"main": "abc"}, "releases": [], "deployments": []}}

    def fault_kinds(self) -> list[dict[str, str]]:
        return [{"kind": "bad_gateway", "says": "502"}]

    def inject(self, kind: str, times: int = 1) -> None: ...


class Place:
    """The sandbox as its users have it."""

    def __init__(self, slack: SlackWorld, bot: StandIn, client: AsyncWebClient, clock: SetClock, url: str) -> None:
        self.slack, self.bot, self.client, self.clock, self.url = slack, bot, client, clock, url
        self.cloud = Cloud()
        self.moved: list[datetime] = []
        self.session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        async with self.session.post(self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def did(self, path: str, **body: Any) -> Any:
        """What came of it; `who` is `as`, which Python keeps for itself."""
        status, answer = await self.post(path, {"as" if key == "who" else key: value for key, value in body.items()})
        assert status == 200, answer
        return answer


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    clock = SetClock()
    async with workspace(clock) as (slack, bot, client):
        here = Place(slack, bot, client, clock, "")
        places = {f"acme-{where}/europe-west1/checkout": ("checkout", where) for where in ("stage", "prod")}
        cast = Cast(roles=ROLES, places=places)
        app = sandbox_app(slack, here.cloud, Hub(), clock, cast, on_clock=here.moved.append)
        async with serving(app) as here.url, aiohttp.ClientSession() as here.session:
            yield here


async def test_people_have_names_and_roles(place: Place) -> None:
    _, people = await place.get("/api/people")
    assert {"id": "omar", "name": "Omar Haddad", "roles": ["engineer", "release_manager"]} in people
    assert {"id": "gus", "name": "Gus Reyes", "roles": []} in people
    assert {person["id"] for person in people} == {"maya", "omar", "raj", "ines", "dan", "lea", "tom", "gus"}


async def test_a_command_is_said_answered_and_read(place: Place) -> None:
    async def answers(payload: dict[str, Any]) -> Any:
        return {"text": f"you said {payload['text']}", "blocks": BUTTONS}

    place.bot.answers = answers
    said = await place.did("/api/say", who="maya", channel="#releases", text="/release status")
    assert said.pop("ack_ms") >= 0
    assert said == {"ok": True, "reply": "you said status"}
    _, messages = await place.get("/api/messages?channel=C0RELEASES")
    (message,) = messages
    assert message.keys() == {"ts", "from", "text", "blocks", "ephemeral_to", "buttons"}
    assert (message["from"], message["ephemeral_to"], message["buttons"]) == ("bot", "maya", ["Approve", "Reject"])
    assert (await place.get("/api/messages?channel=releases&as=omar"))[1] == []
    assert len((await place.get("/api/messages?channel=releases&as=U0MAYA"))[1]) == 1


async def test_a_thread_is_read_by_itself(place: Place) -> None:
    await place.did("/api/say", who="maya", channel="releases", text="one")
    await place.did("/api/say", who="maya", channel="releases", text="two")
    root = (await place.get("/api/messages?channel=releases"))[1][0]["ts"]
    await place.did("/api/say", who="omar", channel="releases", text="to one", thread=root)
    _, thread = await place.get(f"/api/messages?channel=releases&thread={root}")
    assert [(m["from"], m["text"], m.get("thread")) for m in thread] == [
        ("maya", "one", None),
        ("omar", "to one", root),
    ]
    refused = await place.did("/api/say", who="maya", channel="releases", text="/release status", thread=root)
    assert (refused["ok"], refused["reply"]) == (False, "/release is not supported in threads. Sorry!")


async def test_a_button_asks_in_a_modal_that_is_sent(place: Place) -> None:
    async def answers(payload: dict[str, Any]) -> Any:
        if payload["type"] == "block_actions":
            await place.client.views_open(trigger_id=payload["trigger_id"], view=MODAL)
            return None
        if payload["view"]["state"]["values"]["reason"]["text"]["value"] == "no":
            return {"response_action": "errors", "errors": {"reason": "Say more."}}
        return None

    place.bot.answers = answers
    posted = await place.client.chat_postMessage(channel="C0RELEASES", text="waiting", blocks=BUTTONS)
    pressed = await place.did("/api/press", who="omar", message=posted["ts"], button="reject")
    assert pressed["ok"]
    (view,) = (await place.get("/api/views?as=omar"))[1]
    assert (view["title"], view["submit"], view["errors"]) == ("Reject", "Reject", {})
    refused = await place.did("/api/submit", who="omar", view=view["id"], values={"reason": "no"})
    assert (refused["ok"], refused["errors"]) == (False, {"reason": "Say more."})
    assert (await place.did("/api/submit", who="omar", view=view["id"], values={"Why?": "it is Friday"}))["ok"]
    assert (await place.get("/api/views?as=omar"))[1] == []


async def test_home_shows_what_the_bot_published(place: Place) -> None:
    async def answers(payload: dict[str, Any]) -> None:
        home = {"type": "home", "blocks": BUTTONS}
        await place.client.views_publish(user_id=payload["event"]["user"], view=home)

    assert (await place.get("/api/home?as=maya&open=no"))[1] == {"id": None, "blocks": [], "buttons": []}
    place.bot.answers = answers
    assert (await place.get("/api/home?as=maya"))[1]["buttons"] == ["Approve", "Reject"]


async def test_the_world_is_told_by_service_and_environment(place: Place) -> None:
    place.cloud.sites["acme-lab/europe-west1/checkout"] = SERVING
    _, world = await place.get("/api/world")
    assert world == {
        "services": {"checkout": {"prod": SERVING, "acme-lab": SERVING}},
        "github": {"acme/checkout": {"refs": {"main": "abc"}, "releases": [], "deployments": []}},
        "now": "2026-11-24T09:00:00Z",
    }


async def test_the_clock_is_moved_and_set(place: Place) -> None:
    assert (await place.did("/api/clock", advance="PT24H"))["now"] == "2026-11-25T09:00:00Z"
    assert (await place.did("/api/clock", set="2026-11-24T10:30:00+01:00"))["now"] == "2026-11-24T09:30:00Z"
    assert [at.day for at in place.moved] == [25, 24]
    assert place.clock.now() == place.moved[-1]


async def test_faults_are_listed_and_injected(place: Place) -> None:
    _, faults = await place.get("/api/faults")
    assert faults["cloud_run"] == {"stall": "a call takes long"}
    assert faults["monitoring"] == {"gap": "points are missing"}
    assert "ratelimited" in faults["slack"]
    await place.did("/api/fault", world="cloud_run", kind="stall", times=2, seconds=3)
    assert place.cloud.injected == [("stall", 2, {"seconds": 3})]
    await place.did("/api/fault", world="slack", kind="token_revoked")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/say", {"as": "zoe", "channel": "releases", "text": "x"}, "nobody here is called 'zoe'"),
        ("/api/say", {"as": "maya", "channel": "nowhere", "text": "x"}, "no channel 'nowhere'"),
        ("/api/say", {"as": "maya", "channel": "releases", "text": " "}, "nothing to say"),
        ("/api/say", {"as": "maya", "channel": "releases"}, "text: Field required"),
        ("/api/say", {"as": "maya", "channel": "releases", "text": "x", "thread": "1.1"}, "no message '1.1'"),
        ("/api/say", {"as": "maya", "channel": "releases", "text": "x", "tread": "1.1"}, "tread: Extra inputs"),
        ("/api/say", [], "Input should be an object"),
        ("/api/press", {"as": "maya", "message": "1.1", "button": "x"}, "no message and no view '1.1'"),
        ("/api/submit", {"as": "maya", "view": "V1"}, "maya has no modal 'V1'"),
        ("/api/clock", {}, "say either"),
        ("/api/clock", {"advance": "P", "set": "2026-11-24T09:00:00Z"}, "say either"),
        ("/api/clock", {"advance": "one day"}, "not an ISO 8601 duration"),
        ("/api/clock", {"advance": "P1M"}, "not an ISO 8601 duration"),
        ("/api/clock", {"advance": "P999999999999D"}, "too long"),
        ("/api/clock", {"advance": "P99999999D"}, "cannot show"),
        ("/api/clock", {"set": "2026-11-24T09:00:00"}, "no time zone"),
        ("/api/clock", {"set": "noon"}, "not an instant"),
        ("/api/fault", {"world": "mars", "kind": "x"}, "no world 'mars'"),
        ("/api/fault", {"world": "slack", "kind": "flood"}, "slack has no fault 'flood'"),
        ("/api/fault", {"world": "cloud_run", "kind": "gap"}, "cloud_run has no fault 'gap'"),
        ("/api/fault", {"world": "cloud_run", "kind": "stall", "times": 0}, "times:"),
        ("/api/fault", {"world": "cloud_run", "kind": "stall", "colour": 1}, "no option colour"),
        ("/api/fault", {"world": "slack", "kind": "event_twice", "colour": 1}, "no option colour"),
        ("/api/fault", {"world": "slack", "kind": "api_stall", "seconds": "long"}, "could not convert"),
        ("/api/fault", {"world": "github", "kind": "bad_gateway", "colour": 1}, "colour"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_sentence(place: Place, path: str, body: Any, said: str) -> None:
    status, answer = await place.post(path, body)
    assert (status, answer["ok"]) == (400, False)
    assert said in answer["error"]


@pytest.mark.parametrize(
    "path", ["/api/messages", "/api/messages?channel=nowhere", "/api/messages?channel=search&as=gus", "/api/views"]
)
async def test_a_look_at_nothing_is_refused_too(place: Place, path: str) -> None:
    status, answer = await place.get(path)
    assert (status, answer["ok"]) == (400, False)
    assert answer["error"]


async def test_only_this_machine_and_this_page_are_served(place: Place) -> None:
    port = place.url.rpartition(":")[2]
    assert (await place.get("/api/people", Host=f"localhost:{port}"))[0] == 200
    assert (await place.get("/api/people", Host="sandbox.example.com"))[0] == 403
    assert (await place.get("/", Host=f"evil.example:{port}"))[0] == 403
    assert (await place.get("/", Host="[::1"))[0] == 403
    forward = {"advance": "PT1H"}
    assert (await place.post("/api/clock", forward, Origin="https://evil.example"))[0] == 403
    assert (await place.post("/api/clock", forward, Origin="null"))[0] == 403
    assert place.moved == []
    assert (await place.post("/api/clock", forward, Origin=place.url))[0] == 200


async def test_an_unknown_path_is_answered_in_json(place: Place) -> None:
    assert (await place.get("/api/nothing"))[0] == 404
    assert (await place.get("/api/say"))[0] == 405


async def test_the_page_may_load_nothing_from_elsewhere(place: Place) -> None:
    async with place.session.get(place.url) as answer:
        text = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "http://" not in text
    assert "https://" not in text


async def test_who_watches_is_told_where_to_look(place: Place) -> None:
    async with asyncio.timeout(120), place.session.get(f"{place.url}/api/events") as stream:
        assert stream.content_type == "text/event-stream"
        assert await told(stream, "services") == {"checkout": {"prod": SERVING}}
        await place.client.chat_postMessage(channel="C0SEARCH", text="news")
        assert await told(stream, "changed") == {"what": "messages", "where": "C0SEARCH"}
        await place.client.views_publish(user_id="U0MAYA", view={"type": "home", "blocks": BUTTONS})
        assert await told(stream, "changed") == {"what": "home", "where": "maya"}
        await place.did("/api/clock", advance="PT24H")
        assert await told(stream, "clock") == {"now": "2026-11-25T09:00:00Z"}
        place.cloud.sites.clear()
        assert await told(stream, "services") == {}


async def told(stream: aiohttp.ClientResponse, event: str) -> Any:
    """The data of the next event of that name."""
    async for line in stream.content:
        if line == f"event: {event}\n".encode():
            return json.loads((await stream.content.readline()).removeprefix(b"data: "))
    raise AssertionError(f"the stream ended before {event}")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT24H", timedelta(hours=24)),
        ("P1DT30M", timedelta(days=1, minutes=30)),
        ("P2W", timedelta(weeks=2)),
        ("-PT1.5S", timedelta(seconds=-1.5)),
    ],
)
def test_durations_are_read(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "P", "PT", "P1Y", "24H", "PT1H30", "P1DT"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        duration(text)
