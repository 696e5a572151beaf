"""What do we say? Values; how they look in Slack is a detail of `bot/slack_out.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Tone(StrEnum):
    """How a button weighs; at most one `PRIMARY` in a message."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Confirm:
    """Asked before a button counts."""

    title: str
    text: str
    yes: str
    no: str = "Not yet"


@dataclass(frozen=True, slots=True)
class Ask:
    """One field of a modal. What is typed there becomes `key:"…"` behind the button's words."""

    key: str
    label: str
    hint: str = ""
    required: bool = True
    long: bool = False
    """Room for several lines."""
    choices: tuple[str, ...] = ()
    """One of these, instead of free text."""


@dataclass(frozen=True, slots=True)
class Button:
    """A shortcut for words."""

    label: str
    says: str
    """The words it stands for, without `/release`: `approve op_01H… plan:3f2a91cc`. The first word is its action id."""
    tone: Tone = Tone.PLAIN
    confirm: Confirm | None = None
    asks: str | tuple[Ask, ...] | None = None
    """Opens a modal first: for one piece of text under this key (`reason`), or for several fields."""
    meant_for: str = ""
    """For screen readers, where labels repeat: `Approve checkout 3f2a91cc to prod`."""


class Mark(StrEnum):
    """What stands before a line; always with words, never colour alone."""

    YES = "✓"
    NO = "✗"
    UNKNOWN = "?"
    NOT_APPLICABLE = "–"
    WAIVED = "○"
    WARNING = "!"
    NOTE = "•"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list."""

    mark: Mark
    text: Text


@dataclass(frozen=True, slots=True)
class When:
    """An instant, shown in the reader's own time zone."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody, by account (`slack:T0ACME/U0MAYA`), with the name for where mentions do not work."""

    account: str
    name: str


@dataclass(frozen=True, slots=True)
class Code:
    """Shown letter by letter: a digest, a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Bold:
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link that we built ourselves."""

    url: str
    text: str


Piece = str | When | Mention | Code | Bold | Link
Text = str | tuple[Piece, ...]
"""Words from outside stand in it as they are; escaping happens once, at the edge."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One message."""

    title: Text
    """A full sentence that makes sense alone: it is also the notification."""
    fields: tuple[tuple[str, Text], ...] = ()
    lines: tuple[Line, ...] = ()
    buttons: tuple[Button, ...] = ()
    footer: Text = ""
    table: tuple[tuple[str, ...], ...] = field(default=())
    """First row: headings."""


def plain(text: Text) -> str:
    """The text as one string, for terminals, transcripts and notifications."""
    if isinstance(text, str):
        return text
    return "".join(_plain(piece) for piece in text)


def _plain(piece: Piece) -> str:
    match piece:
        case str():
            return piece
        case When(at):
            return at.strftime("%a %d %b %Y %H:%M UTC")
        case Mention(_, name):
            return f"@{name}"
        case Link(_, text) | Code(text) | Bold(text):
            return text
