"""What do these words say? Tokens and keys; which words there are stands in `commands/catalogue.py`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from commands.errors import Misunderstood
from policy.duration import span

ARROW = "→"
WORDS_MAX = 12_000
"""Letters: an exception with all that a strict policy wants said for it, and as much again."""
ONLY_PLAN = "--plan"
"""Do nothing, say what would be done."""

_ARROWS = re.compile(r"\s*(?:→|⇒|➡️?|(?:-|=|–|—)(?:>|&gt;)|(?<=\s)[–—](?=\s))\s*")
_TOKEN = re.compile(
    r'(?P<key>[a-z][a-z-]*):(?!//)(?:"(?P<quoted>[^"]*)"|(?P<bare>\S*))|"(?P<string>[^"]*)"|(?P<word>\S+)'
)
_KEY = re.compile(r"(?<!\S)(?!sha256:)[a-z][a-z-]*:(?!//)")
_BARE = re.compile(r'(?!//)[^\s"]+')
_ONLY_PLAN = re.compile(r"(?:--|—|–)plan")  # keyboards make a dash of two
_DIGEST = re.compile(r"sha256:[0-9a-f]{6,64}")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SHORT_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?")

_PLAIN = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u200b": None, "\u2060": None}
)


@dataclass(frozen=True, slots=True)
class Said:
    """Words, taken apart: what stands by itself, and what stands behind a key."""

    words: tuple[str, ...]
    keys: Mapping[str, str] = field(default_factory=dict)

    def only(self, *keys: str) -> Said:
        """Itself, where no other keys were used."""
        for key in self.keys:
            if key not in keys:
                others = f". {nearest(key, keys)}" if keys else "; nothing takes a key here."
                raise Misunderstood(f"I do not know `{key}:` here{others}")
        return self

    def without(self, *words: str) -> Said:
        """The same, less those words."""
        return Said(tuple(word for word in self.words if word not in words), self.keys)


def take_apart(text: str) -> Said:
    """The words and keys in it. A key's value goes on to the next key, so that a reason needs no quotes."""
    if len(text) > WORDS_MAX:
        raise Misunderstood(f"That is too long: at most {WORDS_MAX} letters.")
    text = text.translate(_PLAIN)
    first_key = _KEY.search(text)
    end = first_key.start() if first_key else len(text)
    text = (_ARROWS.sub(f" {ARROW} ", text[:end]) + text[end:]).strip()  # what people give as a reason stays as it is
    words: list[str] = []
    keys: dict[str, str] = {}
    open_key: str | None = None
    for found in _TOKEN.finditer(text):
        key = found["key"]
        if key is not None and not _DIGEST.fullmatch(found[0]):
            if key in keys:
                raise Misunderstood(f"`{key}:` stands there twice.")
            keys[key] = found["quoted"] if found["quoted"] is not None else found["bare"]
            open_key = None if found["quoted"] is not None else key
        elif found["word"] and _ONLY_PLAN.fullmatch(found["word"]):
            words.append(ONLY_PLAN)
        elif open_key is not None:
            keys[open_key] = f"{keys[open_key]} {found['string'] or found[0]}".strip()
        else:
            words.append(found["string"] if found["string"] is not None else found[0])
    return Said(tuple(words), keys)


def spoken(*words: str, **keys: str) -> str:
    """These words, and keys with their values, as somebody would type them."""
    said = (f"{key}:{value if _BARE.fullmatch(value) else _quoted(value)}" for key, value in keys.items())
    return " ".join([*(word for word in words if word), *said])


def _quoted(text: str) -> str:
    inner = text.replace('"', "'")
    return f'"{inner}"'


def known(words: Iterable[str], last: str = "and") -> str:
    """`a`, `b` and `c`."""
    listed = [f"`{word}`" for word in words]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} {last} {listed[-1]}" if listed else "none"


def nearest(word: str, choices: Iterable[str]) -> str:
    """A sentence with the nearest known words; never a guess that is acted on."""
    all_choices = list(choices)
    near = difflib.get_close_matches(word.lower(), [choice.lower() for choice in all_choices], n=3, cutoff=0.5)
    return f"Did you mean {known(near, 'or')}?" if near else f"I know {known(all_choices)}."


def instant(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The instant that `18:00`, `tomorrow 09:00`, `2h`, `PT2H`, `2026-11-24 18:00` or an ISO time means, aware UTC.

    Wall-clock times without a zone are in `zone`; a bare time of day that has passed is tomorrow's.
    """
    text = text.strip().rstrip(".")
    try:
        return _instant(text, now, zone)
    except OverflowError as error:
        raise Misunderstood(f"`{text[:40]}` is too far away.") from error


def _instant(text: str, now: datetime, zone: tzinfo) -> datetime:
    local = now.astimezone(zone)
    short = _SHORT_SPAN.fullmatch(text.removeprefix("+"))
    if text and short and any(short.groups()):
        days, hours, minutes = (int(part or 0) for part in short.groups())
        return (now + timedelta(days=days, hours=hours, minutes=minutes)).replace(microsecond=0)
    if text.upper().startswith("P"):
        try:
            return (now + span(text.upper())).replace(microsecond=0)
        except ValueError as error:
            raise Misunderstood(f"`{text}` is no time span; write one like `PT2H` or `2h`.") from error
    day, _, clock = text.partition(" ")
    if day in {"today", "tomorrow"}:
        moved = local.date() + timedelta(days=day == "tomorrow")
        text = f"{moved.isoformat()} {clock or '24:00'}"
    elif found := _CLOCK.fullmatch(text):
        at = local.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        at = at if at > local else (at + timedelta(days=1))
        return at.astimezone(UTC)
    try:
        if text.endswith("24:00"):
            at = datetime.fromisoformat(text[:-5].strip(" T")) + timedelta(days=1)
        else:
            at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misunderstood(
            f"`{text}` is no time I understand; write `18:00`, `2h`, `tomorrow 09:00` or `2026-11-24T18:00Z`."
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
