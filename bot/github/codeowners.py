"""Who owns a path? CODEOWNERS as GitHub reads it: https://docs.github.com/repositories, "about code owners"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""The first of these that is there counts."""
BYTES_MAX = 3 * 1024 * 1024  # a larger file is not read, same page, "CODEOWNERS file size"

_WORD = re.compile(r"(?:\\.|[^\s\\])+")


@dataclass(frozen=True, slots=True)
class Line:
    """One pattern with its owners; without any, what it matches belongs to nobody."""

    pattern: str
    owners: tuple[str, ...]


def lines(text: str) -> tuple[Line, ...]:
    """In the order of the file. Lines that GitHub skips are left out: those with `!`, `[ ]` or an escaped `#`."""
    found = []
    for line in text.splitlines():
        words = _WORD.findall(line)
        comment = next((place for place, word in enumerate(words) if word.startswith("#")), len(words))
        pattern, owners = (words[0], words[1:comment]) if comment else ("", [])
        if pattern and not pattern.startswith(("!", "\\#")) and not set(pattern) & set("[]"):
            found.append(Line(pattern, tuple(owner.casefold() for owner in owners)))
    return tuple(found)


def owners(file: Sequence[Line], path: str) -> tuple[str, ...]:
    """`@login`, `@organisation/team` or an address, in small letters: any one of them suffices. The last match wins."""
    return next((line.owners for line in reversed(file) if _pattern(line.pattern).fullmatch(path)), ())


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Like gitignore's; but what ends in `/*` is about files right there, and not below."""
    text = re.sub(r"\\(.)", r"\1", text)
    anchored, inner = "/" in text.rstrip("/"), text.strip("/")
    parts = inner.split("/")
    start = "" if anchored and parts[0] != "**" else "(?:.*/)?"
    if parts[0] == "**":
        parts = parts[1:] or ["**"]
    spelled = ""
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            spelled += ".+" if last else "(?:[^/]+/)*"
        else:
            spelled += _segment(part) + ("" if last else "/")
    right_there = len(parts) > 1 and parts[-1] == "*"
    below = "/.*" if text.endswith("/") else "" if right_there else "(?:/.*)?"
    return re.compile(start + spelled + below, re.DOTALL)


def _segment(part: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign)) for sign in re.sub(r"\*+", "*", part))
