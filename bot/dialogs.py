"""What does a button ask before it counts, and what do the answers come to? How a dialog looks is `slack_out`'s.

Slack keeps what we must still know between a click and a dialog, and between a dialog and its answer, however often we
were restarted meanwhile. It grants nothing: the words that come of it take the road of typed ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from commands.errors import Rejected
from commands.grammar import WORDS_MAX
from commands.reply import Ask

ANSWER_MAX = 1500
"""Letters of one answer."""


def name_of(key: str) -> str:
    """What people call it where nobody said otherwise: `Rollback plan`."""
    return (key.replace("-", " ") or "text").capitalize()


def one_text(key: str) -> tuple[Ask, ...]:
    """The dialog for one piece of text."""
    return (Ask(key, name_of(key), long=True),)


# With a button ------------------------------------------------------------------------------------------------------


def with_words(says: str, asks: Sequence[Ask], most: int) -> str | None:
    """Words and what is asked for them as one text, with hints and labels only where they fit; None: it is too long."""
    for shown in (asks, [replace(ask, hint="") for ask in asks], [replace(ask, hint="", label="") for ask in asks]):
        text = _json([says, [_lean(ask) for ask in shown]])
        if _units(text) <= most:
            return text
    return None


def words_with(text: str) -> tuple[str, tuple[Ask, ...]]:
    """What `with_words` was given; ValueError where it is none of ours."""
    match json.loads(text):
        case [str(says), [*asks]]:
            return says, tuple(map(_full, asks))
    raise ValueError("not words of ours")


def _lean(ask: Ask) -> list[Any]:
    marks = ("r" if ask.required else "") + ("l" if ask.long else "")
    label = "" if ask.label == name_of(ask.key) else ask.label
    return [ask.key, marks, label, ask.hint, list(ask.choices)]


def _full(lean: object) -> Ask:
    match lean:
        case [str(key), str(marks), str(label), str(hint), [*choices]]:
            return Ask(key, label or name_of(key), hint, "r" in marks, "l" in marks, tuple(map(str, choices)))
    raise ValueError("not a question of ours")


# With a dialog ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asking:
    """What a dialog must still know when it is sent."""

    says: str = ""
    keys: tuple[tuple[str, bool], ...] = ()
    """Each key that is asked for, and whether it must be answered."""
    channel: str = ""
    thread: str = ""
    message: str = ""

    METADATA_MAX = 3000  # https://docs.slack.dev/reference/views/modal-views

    def to_text(self) -> str:
        text = _json([self.says, self.keys, self.channel, self.thread, self.message])
        if _units(text) > self.METADATA_MAX:
            raise Rejected("These words are too long to be asked about in a dialog; type them instead.")
        return text

    @classmethod
    def read(cls, text: str) -> Asking:
        """ValueError where it is none of ours."""
        match json.loads(text):
            case [str(says), [*keys], str(channel), str(thread), str(message)]:
                return cls(says, tuple(map(_key, keys)), channel, thread, message)
        raise ValueError("not a context of ours")

    def unanswered(self, answers: Mapping[str, str]) -> tuple[str, ...]:
        """Keys that must be answered and were not."""
        return tuple(key for key, required in self.keys if required and not answers[key])

    def words(self, answers: Mapping[str, str]) -> str:
        """The words, with each answer behind its key; those that were left empty are left out."""
        # the grammar's quotes know no escapes, so a quote of the person's own becomes a single one
        said = (f'{key}:"{answers[key].replace(chr(34), chr(39))}"' for key, _ in self.keys if answers[key])
        return " ".join((self.says, *said))


def _key(part: object) -> tuple[str, bool]:
    match part:
        case [str(key), bool(required)]:
            return key, required
    raise ValueError("not a key of ours")


def longest_answer(says: str, asks: Sequence[Ask]) -> int:
    """Letters that each answer may have, so that all of them together are words that the grammar still reads."""
    around = len(says) + sum(len(ask.key) + 4 for ask in asks)  # space, colon, two quotes
    return max(1, min(ANSWER_MAX, (WORDS_MAX - around) // max(1, len(asks))))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _units(text: str) -> int:
    """Length as Slack may count it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
