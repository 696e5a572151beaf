"""What did GitHub answer to this question before? Served again only when it says that it still is so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

MOST = 1_000
MOST_BYTES = 16 * 1024 * 1024

Key = tuple[bytes, str, str]


class Answer(NamedTuple):
    """As it came; nobody changes the bytes."""

    etag: str
    headers: Mapping[str, str]
    body: bytes


class Remembered:
    """The answers used last. Each belongs to one token, form and address: another token may see less."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._bytes = 0

    @staticmethod
    def key(headers: Mapping[str, str], url: str) -> Key:
        return sha256(headers.get("authorization", "").encode()).digest(), headers.get("accept", ""), url

    def get(self, key: Key) -> Answer | None:
        """What it answered last; now the one used last."""
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def keep(self, key: Key, answer: Answer) -> None:
        """This one instead of what was there; those not used for longest go."""
        before = self._answers.pop(key, None)
        self._bytes += len(answer.body) - (len(before.body) if before else 0)
        self._answers[key] = answer
        while len(self._answers) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._answers.popitem(last=False)[1].body)
