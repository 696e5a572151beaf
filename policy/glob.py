"""Is a name like a pattern? `*` stands for anything within one part, `**` across `/`, `?` for one letter.

Everything else stands for itself. `**/` also stands for nothing, so `**/migrations/**` finds `migrations/1.sql` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

_PARTS = re.compile(r"(?:(?<=/)|^)\*\*/|\*\*|\*|\?")
_MEANS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def like(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether the whole name is like one of them, letter by letter."""
    return _expression(patterns).fullmatch(name) is not None


def alike(patterns: tuple[str, ...]) -> Callable[[str], object | None]:
    """What tells of a whole name whether it is like one of them: None where it is not."""
    return _expression(patterns).fullmatch


def first_like(names: Iterable[str], patterns: tuple[str, ...]) -> str | None:
    """The first of the names that is like one of them."""
    matches = _expression(patterns).fullmatch
    return next((name for name in names if matches(name)), None)


@lru_cache(maxsize=1024)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_meaning, patterns)) if patterns else r"(?!)", re.DOTALL)


def _meaning(pattern: str) -> str:
    between = map(re.escape, _PARTS.split(pattern))
    means = (_MEANS[part] for part in _PARTS.findall(pattern))
    return "".join(part for pair in zip(between, (*means, ""), strict=True) for part in pair)
