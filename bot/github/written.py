"""What do people write in a pull request or a commit, where we know how to read it?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policy.model import Sha

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r"^ {0,3}(?P<level>#{1,6})[ \t]+(?P<title>.+?)[ \t#]*$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[`~]*[ \t]*$", re.DOTALL | re.MULTILINE)
_OPEN_BOX = re.compile(r"^\s*[-*+]\s+\[ \].*$", re.MULTILINE)
# What `git cherry-pick -x` and `git revert` write.
_PICKED = re.compile(r"^\(cherry picked from commit (?P<sha>[0-9a-f]{40})\)[ \t]*$", re.MULTILINE)
_REVERTS = re.compile(r"^This reverts commit (?P<sha>[0-9a-f]{40})\b", re.MULTILINE)
# https://www.conventionalcommits.org/en/v1.0.0/, points 12 and 13
_BREAKING = re.compile(r"\A\w+(\([^)\n]*\))?!:|^BREAKING[ -]CHANGE: ", re.MULTILINE)


def sections(body: str) -> dict[str, str]:
    """Heading → what stands under it, trimmed: `## Rollback plan` is `rollback_plan`.

    What only the template says is nothing: comments, and boxes that nobody ticked. A heading in a block of code is
    none; what stands under a smaller heading belongs to the larger one too.
    """
    text = _COMMENT.sub("", body.replace("\r\n", "\n"))
    code = [found.span() for found in _FENCE.finditer(text)]
    headings = [one for one in _HEADING.finditer(text) if not any(begin <= one.start() < end for begin, end in code)]
    found: dict[str, str] = {}
    for place, one in enumerate(headings):
        others = (each.start() for each in headings[place + 1 :] if len(each["level"]) <= len(one["level"]))
        key = re.sub(r"\W+", "_", one["title"].casefold()).strip("_")
        said = text[one.end() : next(others, len(text))].strip()
        if key and _HEADING.sub("", _OPEN_BOX.sub("", said)).strip():
            found.setdefault(key, said)
    return found


def picked_from(message: str) -> Sha | None:
    """The commit that this one was cherry-picked from; of several the last, which was picked here."""
    found = _PICKED.findall(message)
    return Sha(found[-1]) if found else None


def origins(message: str) -> Iterator[Sha]:
    """All of those: of a squash that of each, of what was picked on those before, too."""
    yield from (Sha(found) for found in _PICKED.findall(message))


def reverts(message: str) -> Iterator[Sha]:
    """The commits that this one takes back."""
    yield from (Sha(found) for found in _REVERTS.findall(message))


def breaks(message: str) -> bool:
    """Whether it says that it breaks something."""
    return _BREAKING.search(message) is not None
