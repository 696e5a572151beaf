"""How fast are signed commands acknowledged? Reads what to send as JSON from stdin, prints what was measured as JSON.

A process of its own, over plain keep-alive connections: everything is written and signed beforehand, so that the
measuring costs little beside what is measured. Each request has a trigger id of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import sys
import time
from functools import partial
from typing import Any
from urllib.parse import urlencode

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def request(secret: str, text: str, trigger: str, who: str = "U0MAYA", channel: str = "C0CHECKOUT") -> bytes:
    """One slash command as Slack sends it, signed."""
    form = {
        "token": "bench",
        "team_id": "T0ACME",
        "team_domain": "acme",
        "channel_id": channel,
        "channel_name": "checkout",
        "user_id": who,
        "user_name": "maya",
        "command": "/release",
        "text": text,
        "api_app_id": "A0RELBOT",
        "is_enterprise_install": "false",
        "trigger_id": trigger,
    }
    body = urlencode(form).encode()
    at = str(int(time.time()))
    signature = "v0=" + hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    head = (
        "POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Caller(asyncio.Protocol):
    """One connection: sends the next request when the last one was answered."""

    def __init__(self, requests: list[bytes], measured: list[float], statuses: list[int], done: asyncio.Event) -> None:
        self._requests, self._measured, self._statuses, self._done = requests, measured, statuses, done
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if not self._requests:
            self._done.set()
            self._transport.close()
            return
        one = self._requests.pop()
        self._sent = time.perf_counter()
        self._transport.write(one)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._buffer, 0, end)
        if len(self._buffer) < end + 4 + (int(length[1]) if length else 0):
            return
        self._measured.append(time.perf_counter() - self._sent)
        self._statuses.append(int(self._buffer[9:12]))
        self._buffer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self._statuses.append(0)
        self._done.set()


async def load(asked: dict[str, Any]) -> dict[str, Any]:
    """Requests per second, p50 and p99 in milliseconds, and the statuses seen."""
    run = asked["run"]
    requests = [request(asked["secret"], asked["text"], f"{run}.{n}") for n in range(asked["requests"])]
    measured: list[float] = []
    statuses: list[int] = []
    loop = asyncio.get_running_loop()
    done = [asyncio.Event() for _ in range(asked["connections"])]
    began = time.perf_counter()
    for event in done:
        await loop.create_connection(partial(Caller, requests, measured, statuses, event), "127.0.0.1", asked["port"])
    for event in done:
        await event.wait()
    took = time.perf_counter() - began
    measured.sort()
    return {
        "rate": len(measured) / took,
        "p50": 1000 * measured[len(measured) // 2],
        "p99": 1000 * measured[int(len(measured) * 0.99)],
        "good": statuses.count(200),
        "bad": len(statuses) - statuses.count(200),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(json.load(sys.stdin)))))
