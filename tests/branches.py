"""Branches that move, over the commits of the small true world: what each commit holds follows from how it was made.

A commit holds what its parent holds and itself. A merge, a revert and a cherry-pick hold what three sides give, as in
git: what theirs changed since the base is done to ours. Two that touch the same file (`clashing`) conflict.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from commands.errors import Conflict, OutcomeUnknown, Rejected, Unavailable
from commands.ports import Change, Link, Merged
from policy.evidence import PullRequest
from policy.model import Sha

if TYPE_CHECKING:
    from tests.world import GitHub


class Lost(Enum):
    """What may go wrong with a write."""

    NOTHING = auto()
    REPLY = auto()
    """It is carried out, and nobody hears of it."""
    REQUEST = auto()
    """It never arrives, and nobody hears of that either."""
    LATE = auto()
    """It arrives a few seconds later, and nobody hears of it."""
    BASE = auto()
    """Somebody moved the base just now."""


@dataclass
class Pull:
    """One pull request."""

    number: int
    source: str
    target: str
    title: str
    body: str
    merged: Merged | None = None
    closed: bool = False
    labels: set[str] = field(default_factory=set)


class Branches:
    """The part of GitHub that moves branches."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self.pulls: list[Pull] = []
        self.faults: deque[Lost] = deque()
        """What goes wrong with the next writes, one each."""
        self.clashing: list[frozenset[Sha]] = []
        """Commits of which no two can be merged or taken back over each other."""
        self.away = False
        self.files: dict[str, str] = {}
        """What was added to each."""
        self.forbids = ""
        """Why its rules let no branch go back; empty: they do."""
        self.takes_none = ""
        """Why no pull request can be opened; empty: it can."""
        self.somebody: Callable[[], None] | None = None
        """What somebody else does right before the next merge."""

    # What is true ----------------------------------------------------------------------------------------------------

    def holds(self, commit: Sha) -> frozenset[str]:
        """Everything that is in that commit."""
        link = self._github.link(commit)
        if len(link.parents) == 2:
            ours, theirs = link.parents
            return self._three(self.base(ours, theirs), ours, theirs)
        parent = self.holds(link.parents[0]) if link.parents else frozenset()
        for sha in link.reverts:
            taken = self._github.link(sha).parents[0]
            return _sides(self.holds(sha), parent, self.holds(taken))
        return parent | {link.picked_from or commit}

    def tree(self, commit: Sha) -> str:
        return f"tree of {_hash(' '.join(sorted(self.holds(commit))))}"

    def base(self, one: Sha, other: Sha) -> Sha | None:
        """The newest that both have."""
        mine = [link.commit for link in self._github.behind(one)]
        theirs = {link.commit for link in self._github.behind(other)}
        return next((sha for sha in reversed(mine) if sha in theirs), None)

    def _three(self, base: Sha | None, ours: Sha, theirs: Sha) -> frozenset[str]:
        return _sides(self.holds(base) if base else frozenset(), self.holds(ours), self.holds(theirs))

    # Others ----------------------------------------------------------------------------------------------------------

    def somebody_commits(self, branch: str, title: str, *, reverts: Iterable[Sha] = ()) -> Sha:
        """Not us: the branch has one commit more, built and checked."""
        made = self._made(title, (self._github.branches[branch],), reverts=tuple(reverts))
        self._github.branches[branch] = made
        return made

    def somebody_merges(self, number: int) -> Sha:
        """Not us: that pull request is merged."""
        return self._merge(self._pull(number), self._pull(number).title).commit

    def opened(self) -> list[Pull]:
        return [pull for pull in self.pulls if pull.merged is None and not pull.closed]

    # The port --------------------------------------------------------------------------------------------------------

    async def propose(self, repository: str, *, source: str, target: str, title: str, body: str) -> int:
        fault = self._fault()
        for pull in self.opened():
            if (pull.source, pull.target) == (source, target):
                return pull.number
        if self.takes_none:
            raise Rejected(self.takes_none)
        stands, to = self._github.branches.get(source), self._github.branches.get(target)
        if stands is None or to is None or not self._github.only(to, stands):
            raise Rejected(f"{target} has all that {source} has already.")
        if fault is Lost.REQUEST:
            raise OutcomeUnknown("GitHub gave no answer.")
        number = self._propose(source, target, title, body)
        if fault is Lost.REPLY:
            raise OutcomeUnknown("GitHub gave no answer.")
        return number

    def _propose(self, source: str, target: str, title: str, body: str) -> int:
        self.pulls.append(Pull(len(self.pulls) + 51, source, target, title, body))
        return self.pulls[-1].number

    async def label(self, repository: str, number: int, labels: Sequence[str]) -> None:
        self._reachable()
        self._pull(number).labels |= set(labels)

    async def merge(
        self, repository: str, number: int, *, head: Sha, base: Sha, description: str, title: str, message: str
    ) -> Merged:
        if self.somebody is not None:
            doing, self.somebody = self.somebody, None
            doing()
        fault, pull = self._fault(), self._pull(number)
        if pull.merged is not None:
            return pull.merged
        stands = self._github.branches[pull.source]
        if stands != head:
            raise Conflict(f"{pull.source} moved from {head[:7]} to {stands[:7]} since #{number} was looked at.")
        if _sha256(pull.body) != description:
            raise Conflict(f"#{number} says something else than when it was looked at.")
        if (at := self._github.branches[pull.target]) != base:
            raise Conflict(f"{pull.target} moved from {base[:7]} to {at[:7]} meanwhile.")
        if fault is Lost.BASE:
            raise Conflict(f"{pull.target} moved just when #{number} was to be merged; nothing was.")
        if fault is Lost.LATE:
            self._github.on_its_way("merge", repository, number, head=head, title=title)
        if fault in {Lost.LATE, Lost.REQUEST}:
            raise OutcomeUnknown("GitHub gave no answer.")
        merged = self._merge(pull, title)
        if fault is Lost.REPLY:
            raise OutcomeUnknown("GitHub gave no answer.")
        return merged

    def _merge(self, pull: Pull, title: str) -> Merged:
        if pull.merged is not None:
            return pull.merged
        ours, theirs = self._github.branches[pull.target], self._github.branches[pull.source]
        self._demand_no_clash(ours, theirs)
        made = self._made(title, (ours, theirs))
        self._github.branches[pull.target] = made
        pull.merged = Merged(made, (ours, theirs), self.tree(made))
        return pull.merged

    async def move(self, repository: str, branch: str, *, seen: Sha, to: Sha, back: bool = False) -> None:
        fault, stands = self._fault(), self._github.branches[branch]
        if stands == to:
            return
        if stands != seen:
            raise Conflict(f"{branch} moved from {seen[:7]} to {stands[:7]} meanwhile.")
        if self._github.only(to, stands) and not back:
            raise Rejected(f"{to[:7]} does not come after {seen[:7]}, where {branch} stands.")
        if back and self.forbids:
            raise Rejected(self.forbids)
        if fault is Lost.LATE:
            self._github.on_its_way("move", repository, branch, seen=seen, to=to)
        if fault not in {Lost.REQUEST, Lost.LATE}:
            self._github.branches[branch] = to
        if fault in {Lost.REPLY, Lost.REQUEST, Lost.LATE}:
            raise OutcomeUnknown("GitHub gave no answer.")

    async def begin(self, repository: str, branch: str, at: Sha) -> None:
        fault, stands = self._fault(), self._github.branches.get(branch)
        if stands not in {None, at}:
            raise Conflict(f"There is a branch {branch} already.")
        if fault is not Lost.REQUEST:
            self._github.branches[branch] = at
        if fault in {Lost.REPLY, Lost.REQUEST}:
            raise OutcomeUnknown("GitHub gave no answer.")

    async def reverted(self, repository: str, *, onto: Sha, commit: Sha, mainline: int, message: str) -> Sha | None:
        self._reachable()
        self._demand_no_clash(onto, commit)
        taken = self._github.link(commit).parents[mainline - 1]
        after = _sides(self.holds(commit), self.holds(onto), self.holds(taken))
        if after == self.holds(onto):
            return None
        return self._made(message.partition("\n")[0], (onto,), reverts=(commit,))

    async def picked(self, repository: str, *, onto: Sha, commit: Sha, mainline: int, message: str) -> Sha | None:
        self._reachable()
        self._demand_no_clash(onto, commit)
        if commit in self.holds(onto):
            return None
        return self._made(message.partition("\n")[0], (onto,), picked_from=commit)

    async def append(self, repository: str, branch: str, path: str, *, text: str, mark: str, title: str) -> Sha:
        fault = self._fault()
        if self.forbids:
            raise Rejected(self.forbids)
        behind = self._github.behind(self._github.branches[branch])
        found = next((link.commit for link in behind if mark in link.title), None)
        if found is None and fault is not Lost.REQUEST:
            self.files[path] = self.files.get(path, "") + text
            found = self.somebody_commits(branch, f"{title} {mark}")
        if found is None or fault in {Lost.REPLY, Lost.REQUEST}:
            raise OutcomeUnknown("GitHub gave no answer.")
        return found

    # ------------------------------------------------------------------------------------------------------------------

    def _reachable(self) -> None:
        self._github._reachable()
        if self.away:
            raise Unavailable("GitHub does not answer.")

    def _fault(self) -> Lost:
        self._reachable()
        return self.faults.popleft() if self.faults else Lost.NOTHING

    def _pull(self, number: int) -> Pull:
        return next(pull for pull in self.pulls if pull.number == number)

    def seen(self, source: str, target: str) -> PullRequest | None:
        """The open one, as who reads it sees it."""
        from bot.github.written import sections

        for pull in self.opened():
            if (pull.source, pull.target) == (source, target):
                fields = sections(pull.body)
                return PullRequest(pull.number, pull.title, fields=fields, description=_sha256(pull.body))
        return None

    def _made(
        self, title: str, parents: tuple[Sha, ...], *, reverts: tuple[Sha, ...] = (), picked_from: Sha | None = None
    ) -> Sha:
        made = Sha(_hash(f"{title} {parents} {len(self._github.links)}"))
        link = replace(Link(made, title, parents), reverts=reverts, picked_from=picked_from)
        self._github.add_link(link, Change(made, title, "lea-gh"))
        return made

    def _demand_no_clash(self, ours: Sha, theirs: Sha) -> None:
        for clash in self.clashing:
            if len(clash & (self.holds(ours) | self.holds(theirs))) > 1:
                raise Rejected("it conflicts.")

    def arrives(self, name: str, _: str, *what: Any, **said: Any) -> None:
        """A write that somebody sent before they died is carried out, where GitHub would still do it."""
        if name == "merge":
            pull = self._pull(*what)
            if pull.merged is None and self._github.branches[pull.source] == said["head"]:
                self._merge(pull, said["title"])
        elif name == "move" and self._github.branches[what[0]] == said["seen"]:
            self._github.branches[what[0]] = said["to"]
        elif name == "begin":
            self._github.branches.setdefault(*what)
        elif name == "propose" and not self.seen(said["source"], said["target"]):
            stands, to = self._github.branches[said["source"]], self._github.branches[said["target"]]
            if self._github.only(to, stands):
                self._propose(said["source"], said["target"], said["title"], said["body"])


def _sides(base: frozenset[str], ours: frozenset[str], theirs: frozenset[str]) -> frozenset[str]:
    return (ours | (theirs - base)) - (base - theirs)


def _hash(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
