"""How does a person without a browser use the sandbox? Its HTTP interface, with nothing but the standard library.

Knows the contracts (CLI, sandbox API, grammar) and nothing of the program behind them.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

Json = dict[str, Any]
Found = TypeVar("Found")

LOOK_EVERY = 0.1
"""Seconds between two looks."""


class Refused(Exception):
    """The sandbox itself would not do that: nobody could have, with this page."""


class NotInTime(Exception):
    """What should have come did not come."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, by the address of its page."""

    url: str

    def get(self, path: str, **query: str | None) -> Any:
        asked = urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
        return self._send(urllib.request.Request(f"{self.url}{path}" + (f"?{asked}" if asked else "")))

    def post(self, path: str, body: Json) -> Any:
        data = json.dumps(body).encode()
        return self._send(urllib.request.Request(f"{self.url}{path}", data, {"Content-Type": "application/json"}))

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(f"{request.full_url}: {error.code} {error.read().decode(errors='replace')}") from error

    # What people do -------------------------------------------------------------------------------------------------

    def say(self, who: str, channel: str, text: str, thread: str | None = None) -> Json:
        body = {"as": who, "channel": channel, "text": text}
        return dict(self.post("/api/say", body | ({"thread": thread} if thread else {})))

    def press(self, who: str, message: str, button: str) -> Json:
        return dict(self.post("/api/press", {"as": who, "message": message, "button": button}))

    def submit(self, who: str, view: str, values: Json) -> Json:
        return dict(self.post("/api/submit", {"as": who, "view": view, "values": values}))

    # What they see --------------------------------------------------------------------------------------------------

    def messages(self, channel: str, thread: str | None = None, who: str | None = None) -> list[Json]:
        """Oldest first."""
        return list(self.get("/api/messages", channel=channel, thread=thread, **{"as": who}))

    def views(self, who: str) -> list[Json]:
        return list(self.get("/api/views", **{"as": who}))

    def world(self) -> Json:
        """The truth, from the worlds and not from the bot."""
        return dict(self.get("/api/world"))

    def writes(self) -> list[Json]:
        """Every write that Cloud Run accepted, oldest first."""
        return [one for one in self.get("/api/writes") if one.get("accepted", True)]

    # Time -----------------------------------------------------------------------------------------------------------

    def set_clock(self, at: str) -> None:
        self.post("/api/clock", {"set": at})

    def advance_clock(self, by: str) -> None:
        self.post("/api/clock", {"advance": by})

    def until(self, what: str, look: Callable[[], Found | None], within: float = 120) -> Found:
        """What `look` finds, as soon as it finds something. Raises NotInTime after `within` seconds."""
        end = time.monotonic() + within
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > end:
                raise NotInTime(f"{what}: not within {within:.0f} s")
            time.sleep(LOOK_EVERY)


# Reading ------------------------------------------------------------------------------------------------------------


def texts(blocks: object) -> Iterator[str]:
    """Every piece of text in Block Kit, in order."""
    if isinstance(blocks, list):
        for one in blocks:
            yield from texts(one)
    elif isinstance(blocks, dict):
        for key, value in blocks.items():
            if key in {"text", "fallback", "user_id"} and isinstance(value, str):
                yield value
            elif key != "confirm":
                yield from texts(value)


def reads(message: Json) -> str:
    """All that somebody reads in a message."""
    return "\n".join([str(message.get("text", "")), *texts(message.get("blocks", []))])


def all_of(messages: list[Json]) -> str:
    return "\n".join(map(reads, messages))


def words_behind(message: Json, button: str) -> str:
    """The words that a button of this message stands for."""

    def elements(blocks: object) -> Iterator[Json]:
        if isinstance(blocks, list):
            for one in blocks:
                yield from elements(one)
        elif isinstance(blocks, dict):
            if blocks.get("type") == "button":
                yield blocks
            for value in blocks.values():
                yield from elements(value)

    for element in elements(message.get("blocks", [])):
        if element.get("text", {}).get("text") == button:
            return str(element.get("value", ""))
    raise Refused(f"there is no button {button!r}")


def operation_in(text: str) -> str:
    """The first id of an operation in a text."""
    found = re.search(r"\bop_[0-9a-zA-Z]+", text)
    if found is None:
        raise NotInTime("no operation is named")
    return found.group()


def percent(world: Json, service: str, environment: str, digest: str) -> int:
    """Whole per cent of the traffic that goes to this digest."""
    traffic = world["services"][service][environment]["traffic"]
    return sum(line["percent"] for line in traffic if line["digest"] == digest)


def whole(world: Json, service: str, environment: str) -> str | None:
    """The digest that has all the traffic, or None while it is split."""
    shares: dict[str, int] = {}
    for line in world["services"][service][environment]["traffic"]:
        shares[line["digest"]] = shares.get(line["digest"], 0) + line["percent"]
    return next((digest for digest, share in shares.items() if share == 100), None)


# Telling ------------------------------------------------------------------------------------------------------------


class Checks:
    """What was looked at, one line each; remembers whether all was well."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.made = 0

    def see(self, what: str, true: object, saw: object = "") -> bool:
        """Prints ✓ or ✗; `saw` is shown where it is not true."""
        self.made += 1
        if true:
            print(f"  ✓ {what}", flush=True)
        else:
            self.failed.append(what)
            print(f"  ✗ {what}" + (f"\n      saw: {str(saw)[:1500]}" if saw != "" else ""), flush=True)
        return bool(true)

    @contextmanager
    def point(self, title: str) -> Iterator[None]:
        """One chapter: what stops it counts as a failure, and the next one is played all the same."""
        print(f"\n{title}", flush=True)
        try:
            yield
        except (NotInTime, Refused, LookupError, OSError) as error:
            self.see("it could be played to its end", true=False, saw=f"{type(error).__name__}: {error}")

    def end(self) -> int:
        """Exit code, after the last line."""
        if self.failed:
            print(f"\n{len(self.failed)} of {self.made} checks failed:", *self.failed, sep="\n  ✗ ")
            return 1
        print(f"\nAll {self.made} checks passed.")
        return 0
