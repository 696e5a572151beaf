"""What changes for people with this release? Notes from commit titles, pull requests and their labels; pure.

Whatever is read here was written by anybody who may open a pull request. In Markdown it is escaped here, where it is
put together, so that it pings nobody, closes nothing and draws nothing; in replies the edge escapes it, as ever.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from commands.ports import Comparison
from commands.reply import Bold, Code, Line, Link, Mark, Piece, Text
from policy.evidence import Changes, Commit, PullRequest
from policy.model import Sha, Unknown, short

NOTHING = "Nothing user-facing."
CUT_SHORT = "There is more: the list was cut short before it reached us."
LINES_SHOWN = 8
TEXT_MAX = 300
"""Of what one change says of itself: a title may be as long as somebody likes."""
MARKDOWN_MAX = 40_000
"""GitHub takes 65,536 letters for a pull request, of which others say the rest."""


class Group(StrEnum):
    """Under which heading it stands; in the order in which people read them."""

    BREAKING = "Breaking changes"
    SECURITY = "Security"
    FEATURE = "Features"
    FIX = "Fixes"
    PERFORMANCE = "Performance"
    REVERT = "Taken back"
    UNCLASSIFIED = "Unclassified"
    INTERNAL = "Internal"
    """Nobody who uses it notices; such changes are counted, not told."""


# https://www.conventionalcommits.org/en/v1.0.0/ and the usual further types
TYPES: Mapping[str, Group] = {
    "feat": Group.FEATURE,
    "fix": Group.FIX,
    "perf": Group.PERFORMANCE,
    "security": Group.SECURITY,
    "revert": Group.REVERT,
    **dict.fromkeys(("build", "chore", "ci", "docs", "refactor", "style", "test"), Group.INTERNAL),
}
LABELS: Mapping[str, Group] = {
    **dict.fromkeys(("breaking", "breaking-change", "semver:major", "type:breaking"), Group.BREAKING),
    **dict.fromkeys(("security", "type:security"), Group.SECURITY),
    **dict.fromkeys(("feature", "enhancement", "type:feature"), Group.FEATURE),
    **dict.fromkeys(("bug", "bugfix", "fix", "type:fix", "type:bug"), Group.FIX),
    **dict.fromkeys(("performance", "type:performance"), Group.PERFORMANCE),
    **dict.fromkeys(("internal", "no-release-notes", "type:refactor", "type:infra"), Group.INTERNAL),
}
"""What labels people give, letter case aside. Of one with several, the group that is read first holds."""
BACKPORT = "backport"
SAYS_NOTHING = frozenset({"none", "n/a", "na", "nothing", "-", "no", "nothing user-facing"})

_TYPED = re.compile(r"(?P<type>[A-Za-z]+)(?:\((?P<scope>[^()\n]*)\))?(?P<breaks>!)?:\s+(?P<text>\S.*)")
_TICKET = re.compile(r"(?<![A-Za-z0-9-])(?!GH-)[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,9}(?![A-Za-z0-9])")
_NUMBERED = re.compile(r"\s*\(#\d+\)\s*$")
"""What the host puts behind the title of what was squashed."""


@dataclass(frozen=True, slots=True)
class Note:
    """One change as people read it: a pull request, or a commit that came by none."""

    group: Group
    text: str
    scope: str = ""
    tickets: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    """Logins, or names out of a commit."""
    pull_request: int | None = None
    url: str = ""
    """Of the pull request."""
    commit: Sha | None = None
    """Of what came by no pull request."""
    says: str = ""
    """What the pull request itself wants said of it."""
    backport: bool = False
    """It was brought over from another line."""

    def markdown(self) -> str:
        where = f" (#{self.pull_request})" if self.pull_request else f" ({short(self.commit)})" if self.commit else ""
        by = f" by {', '.join(map(escaped, self.authors))}" if self.authors else ""
        tickets = f" \\[{', '.join(map(escaped, self.tickets))}\\]" if self.tickets else ""
        backport = ", a backport" if self.backport else ""
        scope = f"**{escaped(self.scope)}**: " if self.scope else ""
        says = f"\n  {escaped(self.says)}" if self.says else ""
        return f"- {scope}{escaped(self.text)}{tickets}{where}{backport}{by}{says}"

    def line(self) -> Line:
        pieces: list[Piece] = []
        if self.group is Group.BREAKING:
            pieces += [Bold("breaking"), " "]
        pieces.append(f"{self.scope}: {self.text}" if self.scope else self.text)
        if self.tickets:
            pieces.append(f" [{', '.join(self.tickets)}]")
        if self.pull_request:
            number = f"#{self.pull_request}"
            pieces += [" ", Link(self.url, number) if self.url else number]
        elif self.commit:
            pieces += [" ", Code(short(self.commit))]
        if self.backport:
            pieces.append(", a backport")
        if self.authors:
            pieces.append(f" ({', '.join(self.authors)})")
        text: Text = tuple(pieces)
        return Line(Mark.WARNING if self.group is Group.BREAKING else Mark.NOTE, text)


@dataclass(frozen=True, slots=True)
class Notes:
    """What one release brings."""

    notes: tuple[Note, ...]
    """In the order of their groups; within one, the oldest first."""
    complete: bool = True

    @property
    def shown(self) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.group is not Group.INTERNAL)

    @property
    def tickets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ticket for note in self.notes for ticket in note.tickets))

    @property
    def authors(self) -> tuple[str, ...]:
        return tuple(sorted({author for note in self.notes for author in note.authors}, key=str.casefold))

    def markdown(self, level: int = 3) -> str:
        """For a pull request's description or a release: headings of that level, and nothing that was not meant."""
        parts, room, left_out = [], MARKDOWN_MAX, 0
        for group in Group:
            lines = []
            for note in (note for note in self.shown if note.group is group):
                lines.append(note.markdown())
                room -= len(lines[-1])
                if room < 0:
                    left_out += 1
                    lines.pop()
            if lines:
                parts.append("\n".join((f"{'#' * level} {group.value}", "", *lines)))
        internal = len(self.notes) - len(self.shown)
        if left_out:
            parts.append(f"{_counted(left_out)} more that there is no room for.")
        if not parts and self.complete:
            parts.append(NOTHING)
        if internal:
            parts.append(f"{_counted(internal)} that nobody who uses it notices.")
        tickets = f"Tickets: {', '.join(map(escaped, self.tickets))}"
        if self.tickets and len(tickets) <= room:
            parts.append(tickets)
        if not self.complete:
            parts.append(CUT_SHORT)
        return "\n\n".join(parts) + "\n"

    def lines(self, most: int = LINES_SHOWN) -> tuple[Line, ...]:
        """The same in short, for a card: what breaks comes first, and how many are left out is said."""
        shown = self.shown[:most]
        lines = [note.line() for note in shown]
        if not shown and self.complete:
            lines.append(Line(Mark.NOTE, NOTHING))
        if left := len(self.notes) - len(shown):
            lines.append(Line(Mark.NOTE, f"{'and ' if shown else ''}{_counted(left).lower()} besides"))
        if not self.complete:
            lines.append(Line(Mark.NOTE, CUT_SHORT))
        return tuple(lines)


def of(changes: Changes | Unknown, comparison: Comparison | Unknown | None = None) -> Notes | Unknown:
    """The notes of these changes; where their pull requests are not known, of the commits of the comparison."""
    if isinstance(changes, Changes):
        return _of_changes(changes)
    if isinstance(comparison, Comparison):
        notes = [
            _of_commit(change.title, (change.author, *change.others), change.commit, breaks=False)
            for change in comparison.changes
        ]
        return Notes(_in_order(notes), complete=comparison.ahead <= len(comparison.changes))
    return changes if comparison is None else comparison


def _of_changes(changes: Changes) -> Notes:
    """One note for each pull request, and one for each commit that came by none and is no merge."""
    pulls = {pull.number: pull for pull in changes.pull_requests}
    by: dict[int, list[Commit]] = {}
    notes: list[Note] = []
    for commit in changes.commits:
        if commit.pull_request in pulls and commit.pull_request is not None:
            by.setdefault(commit.pull_request, []).append(commit)
        elif commit.parents < 2:
            picked = commit.picked_from is not None
            authors = sorted(commit.authors)
            notes.append(_of_commit(commit.title, authors, commit.sha, breaks=commit.breaks, backport=picked))
    told = [_of_pull_request(pull, by.get(number, ())) for number, pull in pulls.items()]
    return Notes(_in_order([*told, *notes]), changes.complete)


def _of_pull_request(pull: PullRequest, commits: Sequence[Commit]) -> Note:
    kind, scope, text = _read(pull.title)
    labelled = [LABELS[label.casefold()] for label in pull.labels if label.casefold() in LABELS]
    titles = [_read(commit.title)[0] for commit in commits]
    breaks = Group.BREAKING in {kind, *labelled, *titles} or any(commit.breaks for commit in commits)
    group = Group.BREAKING if breaks else min([*labelled, kind] if labelled else [kind], key=list(Group).index)
    if not breaks and Group.INTERNAL in labelled and Group.SECURITY not in labelled:
        group = Group.INTERNAL  # somebody said so
    says = _cut(one_line(pull.fields.get("release_notes", "")))
    if says.casefold().strip(" .") in SAYS_NOTHING:
        says = ""
    return Note(
        group,
        text,
        scope,
        _tickets(pull.title, pull.fields.get("ticket", ""), *(commit.title for commit in commits)),
        tuple(sorted(one_line(author) for author in pull.authors)),
        pull.number,
        pull.url,
        says=says,
        backport=BACKPORT in map(str.casefold, pull.labels) or any(commit.picked_from for commit in commits),
    )


def _of_commit(title: str, authors: Sequence[str], commit: Sha, *, breaks: bool, backport: bool = False) -> Note:
    kind, scope, text = _read(title)
    group = Group.BREAKING if breaks else kind
    return Note(group, text, scope, _tickets(title), tuple(map(one_line, authors)), commit=commit, backport=backport)


def _read(title: str) -> tuple[Group, str, str]:
    """What kind of change it says it is, of what, and what it does."""
    said = _cut(_NUMBERED.sub("", one_line(title))) or "(no title)"
    found = _TYPED.fullmatch(said)
    group = TYPES.get(found["type"].casefold()) if found else None
    if found is None or group is None:
        return (Group.REVERT if said.startswith('Revert "') else Group.UNCLASSIFIED), "", said
    return (Group.BREAKING if found["breaks"] else group), (found["scope"] or "").strip(), found["text"]


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def _tickets(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ticket for text in texts for ticket in _TICKET.findall(text)))


def _in_order(notes: Iterable[Note]) -> tuple[Note, ...]:
    order = list(Group)
    return tuple(sorted(notes, key=lambda note: order.index(note.group)))


def _counted(number: int) -> str:
    return f"{number} change{'' if number == 1 else 's'}"


# Markdown -----------------------------------------------------------------------------------------------------------

BREAK = "\u200b"
"""Takes no room and is read aloud by nobody, and what it stands in is no name any more."""
_MARKS = re.compile(r"[\\`*_\[\]|~]")
_BEGINS = re.compile(r"^(?P<number>\d{1,9})(?P<dot>[.)])(?=\s|$)|^(?P<mark>[#+=>-])")
_LINKED = re.compile(r"(?<=:)(?=//)|(?<=[wW])(?=\.)|(?<=[@#])|(?<=[gG][hH])(?=-\d)")
"""Where GitHub would see an address, somebody's name, an issue or a commit.
https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls"""
_COMMIT = re.compile(r"[0-9a-fA-F]{6}(?=[0-9a-fA-F])")
"""Seven or more could be the name of a commit."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&dollar;"}
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
"""https://www.unicode.org/reports/tr44/#General_Category_Values: control, format, surrogate, private."""


def one_line(text: str) -> str:
    """The text in one line, without what cannot be seen: nothing in it turns around how the rest is read."""
    seen = (letter for letter in text if letter.isspace() or unicodedata.category(letter) not in UNSEEN)
    return " ".join("".join(seen).split())


def escaped(text: str) -> str:
    """The text in one line of GitHub Markdown, that shows exactly these letters and links, pings and closes nothing."""
    plain = _COMMIT.sub(rf"\g<0>{BREAK}", _LINKED.sub(BREAK, one_line(text)))
    marked = _MARKS.sub(r"\\\g<0>", "".join(_ENTITIES.get(letter, letter) for letter in plain))
    found = _BEGINS.match(marked)
    if found is None:
        return marked
    at = found.start("mark") if found["mark"] else found.start("dot")
    return f"{marked[:at]}\\{marked[at:]}"
