"""Did Slack send this, is it new, and is it well formed? Settled on the raw bytes, before anything is believed."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

BODY_MAX = 256 * 1024
"""Bytes. Ours: the largest payloads that Slack sends (a view with all its state) stay far below."""

SKEW_MAX = 300
"""Seconds.  https://docs.slack.dev/authentication/verifying-requests-from-slack"""

_DEPTH_MAX = 64
_FIELDS_MAX = 64
_REMEMBERED_MAX = 100_000
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def signed(secrets: Sequence[bytes], timestamp: str, raw: bytes, signature: str, now: float) -> bool:
    """True where one of the secrets (two, while they are rotated) signed these very bytes within `SKEW_MAX` of now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now - int(timestamp)) > SKEW_MAX:
        return False
    told = signature.encode("utf-8", "replace")
    basis = b"v0:" + timestamp.encode() + b":" + raw
    # every secret is tried, so that the time taken does not tell which one it was
    return any([hmac.compare_digest(sign(secret, basis), told) for secret in secrets])  # noqa: C419


def sign(secret: bytes, basis: bytes) -> bytes:
    """The signature of `v0:timestamp:body`."""
    return b"v0=" + hmac.new(secret, basis, hashlib.sha256).hexdigest().encode()


class Replays:
    """Remembers what was seen for as long as it could be shown again: until its timestamp is too old."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}
        self._order: deque[tuple[str, str]] = deque()

    def seen(self, timestamp: str, signature: str, now: float) -> bool:
        """True from the second time on."""
        key = (timestamp, signature)
        while self._order and (self._until[self._order[0]] < now or len(self._order) >= _REMEMBERED_MAX):
            del self._until[self._order.popleft()]
        if key in self._until:
            return True
        # a timestamp from the future stays good for longer than five minutes
        self._until[key] = max(now, float(timestamp)) + SKEW_MAX
        self._order.append(key)
        return False


def parse(raw: bytes, content_type: str) -> dict[str, Any]:
    """The one object that the body is; ValueError where it could be read in two ways, or in none."""
    text = raw.decode("utf-8")
    match content_type.split(";", maxsplit=1)[0].strip().lower():
        case "application/json":
            return _object(text)
        case "application/x-www-form-urlencoded":
            form = _form(text)
            if "payload" not in form:
                return dict(form)
            if list(form) != ["payload"]:
                raise ValueError("a payload beside other fields")
            return _object(form["payload"])
    raise ValueError("neither a form nor JSON")


def _form(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    form = dict(pairs)
    if len(form) != len(pairs):
        raise ValueError("a field stands twice")
    return form


def _object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(body, dict):
        raise ValueError("not an object")  # noqa: TRY004 (every refusal of a body is a ValueError)
    if _deep(body):
        raise ValueError("nested too deep")
    if _SURROGATE.search(text):
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text: UnicodeEncodeError
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number without end")
    return number


def _deep(body: object) -> bool:
    level: list[object] = [body]
    for _ in range(_DEPTH_MAX):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
