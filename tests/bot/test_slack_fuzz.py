"""Two thousand requests that Slack would never send, signed and not: a seeded run, the same everywhere."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from bot import slack_in
from tests.bot.slack_stub import BOT, SECRET, Bench, bench, click, command, event, mention, signature

REQUESTS = 2000
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
JUNK: list[Any] = [
    None, True, False, 0, -1, 2**70, 1.5, "", " ", "x" * 5000, [], {}, [[]], {"a": {}}, ["x"], "\u0000", "\ud83d", "🇩🇪\u202e", "<!channel>",
    "null", "NaN", "../../etc", "promote checkout stage→prod", "U0MAYA", "1795510800.000001", "event_callback", "view_submission",
    "message_action", "block_actions", "shortcut", {"id": ["U0MAYA"]}, {"id": "U0MAYA"}, [{"type": "button", "value": "approve op_1"}],
]  # fmt: skip
SLACK_HEADERS = [
    "X-Slack-Signature", "X-Slack-Request-Timestamp", "X-Slack-Retry-Num", "X-Slack-Bolt-Lazy-Only", "X-Slack-Bolt-Lazy-Function-Name",
    "Content-Encoding", "X-Forwarded-For",
]  # fmt: skip
CTYPES = [
    FORM,
    JSON,
    FORM + "; charset=utf-16",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
    ";",
    "application/JSON;x=y",
    "a/b" * 50,
]


def seeds() -> list[dict[str, Any]]:
    view = {
        "id": "V1", "hash": "1.h", "type": "modal", "callback_id": "asked", "private_metadata": '["reject op_1","reason","C1","",""]',
        "state": {"values": {"reason": {"text": {"type": "plain_text_input", "value": "too risky"}}}}, "blocks": [],
    }  # fmt: skip
    who = {
        "user": {"id": "U0MAYA", "team_id": "T0ACME"},
        "team": {"id": "T0ACME"},
        "trigger_id": "t.1",
        "response_url": "",
    }
    return [
        dict(command("promote payload-svc stage→prod")),
        click("approve op_1 plan:3f2a91cc"),
        click("reject op_1", action_id="reject?reason"),
        {"type": "view_submission", "view": view, **who},
        {"type": "view_closed", "view": view, **who},
        {
            "type": "message_action",
            "callback_id": "release_from_message",
            "message_ts": "1795510800.000001",
            "channel": {"id": "C1"},
            **who,
        },
        {"type": "shortcut", "callback_id": "release_new", **who},
        {"type": "block_suggestion", "action_id": "x", "block_id": "y", "value": "z", **who},
        event(mention(f"<@{BOT}> status checkout")),
        event({"type": "app_home_opened", "user": "U0MAYA", "tab": "home"}),
        event({"type": "user_change", "user": {"id": "U0MAYA"}}),
        event({"type": "subteam_members_changed", "subteam_id": "S0ENG"}),
        {"type": "url_verification", "challenge": "c"},
        {"type": "app_rate_limited", "minute_rate_limited": 1},
    ]


def spoiled(body: Any, chance: random.Random) -> Any:
    """The body with some of its parts gone, doubled, of another type, or far too deep."""
    body = copy.deepcopy(body)
    for _ in range(chance.randint(0, 4)):
        places: list[tuple[Any, Any]] = []
        waiting = [body]
        while waiting:
            part = waiting.pop()
            inner = (
                list(part.items())
                if isinstance(part, dict)
                else list(enumerate(part))
                if isinstance(part, list)
                else []
            )
            places += [(part, key) for key, _ in inner]
            waiting += [value for _, value in inner]
        if not places:
            break
        part, key = chance.choice(places)
        match chance.randrange(5):
            case 0:
                del part[key]
            case 1 if isinstance(part, dict):
                part[str(chance.choice([*JUNK[13:], "payload", "command", "ssl_check", "type", "event"]))] = (
                    chance.choice(JUNK)
                )
            case 2:
                deep: Any = chance.choice(JUNK)
                for _ in range(chance.choice([3, 62, 200])):
                    deep = {"a": deep} if chance.random() < 0.5 else [deep]
                part[key] = deep
            case _:
                part[key] = copy.deepcopy(chance.choice(JUNK))
    return body


def bytes_of(body: Any, chance: random.Random) -> tuple[bytes, str]:
    style = chance.randrange(4)
    if isinstance(body, dict) and "command" in body and style != 1:
        raw, ctype = (
            urlencode(
                {k: v if isinstance(v, str) else json.dumps(v) for k, v in body.items()}, errors="replace"
            ).encode(),
            FORM,
        )
    elif style in {0, 1}:
        raw, ctype = json.dumps(body).encode(), JSON
    else:
        raw, ctype = urlencode({"payload": json.dumps(body)}).encode(), FORM
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(5):
            case 0:
                raw = raw[:at]
            case 1:
                raw = raw[:at] + chance.randbytes(chance.randint(1, 8)) + raw[at:]
            case 2:
                raw = raw[:at] + raw[at + 1 :]
            case 3:
                raw += b"&" + raw[: chance.randint(0, 80)]
            case _:
                raw = (
                    raw[:at]
                    + chance.choice([b"%ff", b"%u0041", b"&payload=", b"\x00", b"{", b"]", b"NaN", b"\xf0\x9f"])
                    + raw[at:]
                )
    return raw, ctype if chance.random() < 0.9 else chance.choice(CTYPES)


def headers_of(raw: bytes, ctype: str, chance: random.Random, now: int, *, good: bool) -> dict[str, str]:
    ts = str(now + chance.randint(-200, 200))
    headers = {"Content-Type": ctype, "X-Slack-Request-Timestamp": ts, "X-Slack-Signature": signature(SECRET, ts, raw)}
    if good:
        for name in chance.sample(SLACK_HEADERS[2:5], chance.randint(0, 2)):
            headers[name] = chance.choice(["1", "true", "x", "üñ"])
        return headers
    match chance.randrange(6):
        case 0:
            del headers[chance.choice(SLACK_HEADERS[:2])]
        case 1:
            headers["X-Slack-Request-Timestamp"] = chance.choice(
                ["", "x", "-1", "9" * 20, "1.5", "٣", str(now - 400), str(now + 400), f"+{now}"]
            )
        case 2:
            headers["X-Slack-Signature"] = chance.choice(
                ["", "v0=", "v1=" + "0" * 64, "v0=" + "0" * 64, "ü", headers["X-Slack-Signature"][:-1]]
            )
        case 3:
            headers["X-Slack-Signature"] = signature("another secret", ts, raw)
        case 4:
            headers["X-Slack-Signature"] = headers["X-Slack-Signature"].upper()
        case _:
            headers["X-Slack-Signature"] = signature(SECRET, str(now + 1000), raw)
            if chance.random() < 0.3:
                headers["Content-Encoding"] = chance.choice(["gzip", "deflate", "br", "x"])
    return headers


async def run(b: Bench, chance: random.Random, *, good: bool) -> dict[int, int]:
    statuses: dict[int, int] = {}
    now, samples = int(time.time()), seeds()
    for _ in range(REQUESTS // 2):
        raw, ctype = bytes_of(spoiled(chance.choice(samples), chance), chance)
        async with b.http.post(
            "/slack/events", data=raw, headers=headers_of(raw, ctype, chance, now, good=good)
        ) as answer:
            assert answer.status < 500, (raw, answer.status)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            if answer.status != 200:
                assert not await answer.read() or answer.status == 400
    return statuses


async def test_no_mutant_is_answered_with_an_error_of_ours_and_none_is_heard_unsigned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slack_in, "OPEN_SECONDS", 0.0)
    async with bench() as b:
        unsigned = await run(b, random.Random(20261124), good=False)
        assert not b.ear.heard
        assert not b.ear.takes
        assert 200 not in unsigned
        good = await run(b, random.Random(4711), good=True)
        await asyncio.wait_for(b.slack_in.quiet(), 60)
        assert good[200] > 300
        assert good[400] > 50
        assert set(good) <= {200, 400, 413}
        assert len(b.ear.heard) > 50
        # what was taken down is fit for a database and for the books
        for request, _ in b.ear.requests.values():
            assert "\x00" not in request.words
            request.words.encode()
            assert request.account.startswith("slack:")
