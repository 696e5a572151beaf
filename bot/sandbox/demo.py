"""How does a day with the bot go? The story, played through the sandbox's own API and printed as a transcript."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from bot.sandbox.supervisor import sandbox

LONGEST = 90.0
"""Seconds that one scene may take before it counts as failed."""

Message = dict[str, Any]


class Wrong(Exception):
    """The story did not go as told."""


class Stage:
    """Where the story is played: says, presses, waits, and prints what everybody can read."""

    def __init__(self, url: str, session: aiohttp.ClientSession, out: Callable[[str], None]) -> None:
        self._url = url
        self._session = session
        self._out = out
        self._printed: dict[str, str] = {}

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        async with self._session.get(self._url + path) as response:
            return await response.json()

    async def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        async with self._session.post(self._url + path, json=body) as response:
            answer: dict[str, Any] = await response.json()
        if not answer.get("ok"):
            raise Wrong(f"{path} {body}: {answer}")
        return answer

    def scene(self, title: str) -> None:
        self._out(f"\n── {title} ".ljust(100, "─"))

    async def say(self, who: str, text: str) -> None:
        self._out(f"\n{who}: {text}")
        await self._post("/api/say", {"as": who, "channel": "releases", "text": text})

    async def press(self, who: str, message: Message, button: str) -> None:
        self._out(f"\n{who}: [{button}]")
        await self._post("/api/press", {"as": who, "message": message["ts"], "button": button})

    async def until(self, what: str, found: Callable[[list[Message]], Message | None]) -> Message:
        """The first message that fits; meanwhile everything new is printed. `Wrong` where none comes in time."""
        async with _within(what):
            while True:
                messages = await self.get("/api/messages?channel=releases")
                for message in messages:
                    self._print(message)
                if (message := found(messages)) is not None:
                    return message
                await asyncio.sleep(0.2)

    async def traffic(self, service: str) -> str:
        world = await self.get("/api/world")
        lines = world["services"][service]["prod"]["traffic"]
        return ", ".join(f"{line['percent']} % {line['revision']}" for line in lines if line["percent"])

    async def world(self, service: str) -> str:
        """Prints what production really does; the revision that has all the traffic."""
        traffic = await self.traffic(service)
        self._out(f"  ⟶ the world: {service} in prod serves {traffic}")
        return traffic

    def _print(self, message: Message) -> None:
        shown = readable(message)
        if message["from"] != "bot" or self._printed.get(message["ts"]) == shown:
            return
        self._printed[message["ts"]] = shown
        where = f" → {message['ephemeral_to']} only" if message.get("ephemeral_to") else ""
        indent = "    " if message.get("thread") else ""
        self._out("\n".join(indent + line for line in f"bot{where}: {shown}".splitlines()))


def _within(what: str) -> Any:  # noqa: ANN401 - a context manager
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def bounded():  # type: ignore[no-untyped-def]  # noqa: ANN202
        try:
            async with asyncio.timeout(LONGEST):
                yield
        except TimeoutError:
            raise Wrong(f"this never came: {what}") from None

    return bounded()


def readable(message: Message) -> str:
    """A message as a terminal shows it: its text, its lines, its buttons."""
    lines = []
    for block in message.get("blocks") or []:
        if block["type"] == "section":
            texts = [block["text"]["text"]] if block.get("text") else []
            texts += [field["text"].replace("\n", ": ") for field in block.get("fields", ())]
            lines += [line for text in texts for line in text.splitlines()]
        elif block["type"] == "context":
            lines.append(" ".join(element.get("text", "") for element in block["elements"]))
    lines = [plain(line) for line in lines] or [message["text"]]
    if message.get("buttons"):
        lines.append(" ".join(f"[{label}]" for label in message["buttons"]))
    return "\n  ".join(lines)


def plain(text: str) -> str:
    """Slack's markup as it reads."""
    text = re.sub(r"<!date\^\d+\^[^|]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<@U0([A-Z]+)>", lambda found: "@" + found[1].lower(), text)
    text = re.sub(r"[*`]", "", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def fits(
    *words: str, button: str = "", thread: bool | None = None, to: str = ""
) -> Callable[[list[Message]], Message | None]:
    """Finds the newest message with these words, and that button."""

    def find(messages: list[Message]) -> Message | None:
        for message in reversed(messages):
            if all(word in readable(message) for word in words) and (not button or button in message["buttons"]):
                if thread is not None and bool(message.get("thread")) is not thread:
                    continue
                if to and message.get("ephemeral_to") != to:
                    continue
                return message
        return None

    return find


async def demo(*, as_json: bool = False) -> int:
    """Plays the story; 0 only if it ends as it should."""
    out: Callable[[str], None] = (lambda _: None) if as_json else lambda line: print(line, flush=True)
    with tempfile.TemporaryDirectory(prefix="release-bot-") as data:
        async with sandbox(Path(data), port=0) as running, aiohttp.ClientSession() as session:
            stage = Stage(running.url, session, out)
            try:
                await _play(stage)
            except Wrong as wrong:
                print(f"The story went wrong: {wrong}", file=sys.stderr)
                return 1
            finally:
                if as_json:
                    print(json.dumps(await stage.get("/api/world")))
            out("\nThe story ended as it should.")
            return 0


async def _play(stage: Stage) -> None:
    good = (await stage.traffic("checkout")).removeprefix("100 % ")
    stage.scene("A good build goes to production, once somebody else has agreed")
    await stage.say("maya", "/release promote checkout stage→prod")
    plan = await stage.until("the plan", fits("Plan for checkout", button="Approve", thread=True))
    await stage.press("maya", plan, "Approve")
    await stage.until("the asker is refused", fits("You asked for it", to="maya"))
    await stage.press("gus", plan, "Approve")
    await stage.until("the guest is refused", fits("guest", to="gus"))
    await stage.press("omar", plan, "Approve")
    live = await stage.until("checkout is live", fits("checkout", "is live", thread=False))
    new = await stage.world("checkout")
    _expect("checkout serves a new revision", new.startswith("100 % ") and good not in new)

    stage.scene("A bad build is taken back by the bot itself")
    before = await stage.traffic("payments")
    await stage.say("maya", "/release promote payments stage→prod")
    plan = await stage.until("the plan", fits("Plan for payments", button="Approve", thread=True))
    await stage.press("omar", plan, "Approve")
    await stage.until("payments was taken back", fits("payments", "was taken back", "requests failed", thread=False))
    _expect("payments serves what it served before", await stage.world("payments") == before)

    stage.scene("An outage in a freeze: back to the last verified good revision")
    await stage.say("ines", "/release freeze start prod until:2h reason:database maintenance")
    await stage.until("the freeze", fits("prod is frozen until"))
    await stage.say("ines", "/release rollback checkout reason:customers cannot pay")
    await stage.until("checkout serves what was good", fits("checkout", "serves again", thread=False))
    _expect("checkout serves the good revision", await stage.world("checkout") == f"100 % {good}")
    await stage.say("maya", "/release promote checkout stage→prod")
    blocked = await stage.until(
        "it is held and frozen", fits("no-hold", "no-freeze", button="Check again", thread=False)
    )
    _expect("nobody can approve it", "Approve" not in blocked["buttons"])

    stage.scene("The gates open again")
    await stage.say("ines", "/release freeze end reason:maintenance is over")
    await stage.until("open", fits("prod is open again"))
    await stage.say("omar", "/release status")
    await stage.until("the status", fits("Status of 3 services", to="omar"))
    await stage.say("omar", "/release log checkout last:8")
    await stage.until("the log", fits("entries about checkout", to="omar"))
    await stage.say("omar", "/release help")
    _expect("the live message kept its story", "100 %" in readable(live))


def _expect(what: str, holds: bool) -> None:  # noqa: FBT001 - it is the sentence's truth
    if not holds:
        raise Wrong(f"this should hold: {what}")
