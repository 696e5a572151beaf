"""Whose review does a path need? https://docs.github.com/repositories, "About code owners": the last match wins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.sandbox.github.git import Git
from bot.sandbox.github.records import Books, Repository

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""The first that is there counts."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that names owners; none of them: whatever stood above no longer holds for its paths."""

    number: int
    pattern: str
    owners: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one line, which then counts for nothing."""

    line: Line
    column: int
    kind: str
    suggestion: str
    place: str


@dataclass(frozen=True, slots=True)
class Owners:
    """The file as it stood in one commit."""

    place: str
    lines: tuple[Line, ...]

    def of(self, path: str) -> tuple[str, ...]:
        """Logins and `organisation/team`s, any one of whom suffices."""
        for line in reversed(self.lines):
            if _matches(line.pattern, path):
                return line.owners
        return ()

    def needed(self, paths: Iterable[str]) -> list[tuple[str, ...]]:
        """Each set of owners that must agree."""
        return list(dict.fromkeys(owners for path in paths if (owners := self.of(path))))


async def owners_at(git: Git, commit: str) -> Owners:
    """What CODEOWNERS says there; nothing where there is no such file."""
    for place in PLACES:
        entry = await git.entry(commit, place)
        if entry is not None and entry[0] == "blob":
            text = (await git.blob(entry[1])).decode(errors="replace")
            return Owners(place, tuple(_lines(text)))
    return Owners("", ())


def _lines(text: str) -> Iterable[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            yield Line(number, words[0], tuple(owner.removeprefix("@") for owner in words[1:]), line)


def _matches(pattern: str, path: str) -> bool:
    anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/") if pattern != "/" else ""
    if not body:
        return True
    pieces = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", body)
    known = {"**/": "(?:.+/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(known.get(piece, re.escape(piece)) for piece in pieces)
    begin = "" if anchored else "(?:.*/)?"
    # A folder owns all below it; `docs/*` only what lies directly in it.
    end = "/.+" if pattern.endswith("/") else "" if body.endswith("/*") else "(?:/.*)?"
    return re.fullmatch(begin + expression + end, path) is not None


def flaws(books: Books, repository: Repository, owners: Owners) -> list[Flaw]:
    """Lines that GitHub would complain about: patterns it does not take, owners who may not write."""
    found = []
    for line in owners.lines:
        if line.pattern.startswith("!") or "[" in line.pattern:
            found.append(Flaw(line, 1, "Invalid pattern", "Did you mean another pattern?", owners.place))
        for owner in line.owners:
            if not can_own(books, repository, owner):
                column = line.text.index(owner) + 1
                said = f"make sure {owner} exists and has write access to the repository"
                found.append(Flaw(line, column, "Unknown owner", said, owners.place))
    return found


def can_own(books: Books, repository: Repository, owner: str) -> bool:
    """True for a person and a team that may write there."""
    if "/" not in owner:
        return books.can_write(repository, owner)
    organisation, _, slug = owner.partition("/")
    team = books.teams.get((organisation, slug))
    return team is not None and team.role in {"write", "maintain", "admin"}


def belongs(books: Books, owner: str, login: str) -> bool:
    """True where that login is the owner, or in the owning team."""
    organisation, _, slug = owner.partition("/")
    team = books.teams.get((organisation, slug))
    return owner == login or (team is not None and login in team.members)
