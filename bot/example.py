"""What might a word look like that fits a pattern? For cases in which all is good, and people need not spell it out."""

from __future__ import annotations

import re

_CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "b": "", "B": "", "A": "", "Z": ""}
_USUAL = "a1A-./: _0"
"""Letters to try where any but some will do."""


def fitting(pattern: str) -> str | None:
    """A short text in which the pattern is found; None: none was thought of."""
    try:
        found, rest = _either(pattern)
    except (IndexError, ValueError):
        return None
    return found if not rest and re.search(pattern, found) else None


def like(glob: str, word: str) -> str:
    """A name like `feature/*`, with that word where anything may stand."""
    return re.sub(r"\*+", word, glob).replace("?", "a")


def _either(text: str) -> tuple[str, str]:
    """The first choice of `a|b`, and what follows them all."""
    first, text = _row(text)
    while text.startswith("|"):
        _, text = _row(text[1:])
    return first, text


def _row(text: str) -> tuple[str, str]:
    made = ""
    while text and text[0] not in "|)":
        part, text = _part(text)
        times, text = _times(text)
        made += part * times
    return made, text


def _part(text: str) -> tuple[str, str]:
    """One piece, and what follows it."""
    head, rest = text[0], text[1:]
    match head:
        case "^" | "$":
            return "", rest
        case ".":
            return "a", rest
        case "\\":
            return _CLASSES.get(rest[0], rest[0]), rest[1:]
        case "[":
            return _of_class(rest)
        case "(":
            found = re.match(r"\?(?::|P<\w+>|i\))", rest)
            if rest.startswith("?") and found is None:
                raise ValueError(text)
            inner, rest = _either(rest[found.end() if found else 0 :])
            return inner, rest[1:]
    return head, rest


def _of_class(text: str) -> tuple[str, str]:
    end = text.index("]", 2 if text[:2] == "^]" else 1)
    its = text[: end + 1]
    for letter in _USUAL + its:
        if re.fullmatch(f"[{its}", letter):
            return letter, text[end + 1 :]
    raise ValueError(text)


def _times(text: str) -> tuple[int, str]:
    found = re.match(r"([?*+]|\{(\d+)(?:,\d*)?\})\??", text)
    if found is None:
        return 1, text
    times = int(found[2]) if found[2] else {"?": 0, "*": 0, "+": 1}[found[1]]
    return times, text[found.end() :]
