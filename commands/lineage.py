"""What do two lines of commits lack of each other, and what would be lost? Told from their commits alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from commands.ports import Link
from policy.model import Sha, short


def unpromoted(only_target: Sequence[Link]) -> tuple[Sha, ...]:
    """Of the commits that the target has and the source lacks, those that no promotion made.

    A promotion merges the source into the target: its second parent is on the source, so it is not among these. A
    revert that was taken back is nothing together with what took it back, and so is the merge that brought either.
    """
    own = {link.commit: link for link in only_target}
    nothing: set[Sha] = set()
    undone = _undone(only_target, own)
    for link in only_target:
        merged = _brought(link, own)
        reverts_reverts = link.reverts and all(
            one in own and own[one].reverts for sha in link.reverts for one in _with_brought(sha, own)
        )
        if (link.reverts and link.commit in undone) or reverts_reverts or (merged and merged <= nothing):
            nothing.add(link.commit)
    return tuple(link.commit for link in only_target if not _promotes(link, set(own)) and link.commit not in nothing)


def merges(only_target: Sequence[Link]) -> tuple[Sha, ...]:
    return tuple(link.commit for link in only_target if len(link.parents) > 1)


def shipped_alone(shipped: Sequence[Link], brought: Sequence[Link]) -> tuple[Link, ...]:
    """Of the commits that shipped and the candidate lacks, those that nothing brought there was picked from.

    Merges bring nothing of their own; what was taken back, and what takes it back, are nothing together. What takes
    back something older is a fix like any other. What was picked and then taken back there was not picked.
    """
    own, taken_back = {link.commit for link in shipped}, {sha for link in shipped for sha in link.reverts}
    gone = _undone(brought, {link.commit: link for link in brought})
    stayed = [link for link in brought if link.commit not in gone]
    there = {link.commit for link in stayed} | {link.picked_from for link in stayed if link.picked_from}
    there |= {origin for link in stayed for origin in link.origins}
    return tuple(
        link
        for link in shipped
        if len(link.parents) < 2
        and not (link.reverts and own.issuperset(link.reverts))
        and not {link.commit, link.picked_from} & there
        and link.commit not in taken_back
    )


class TakenBack(NamedTuple):
    """One commit, and the revert of it that stands."""

    commit: Sha
    by: Sha
    title: str
    """Of the revert."""


def taken_back(only_target: Sequence[Link]) -> tuple[TakenBack, ...]:
    """What the target took back and the source still holds: merged again, it would silently be missing.

    A revert that was itself taken back counts no more; nor does one of a commit that only the target ever had.
    """
    own = {link.commit: link for link in only_target}
    return tuple(
        TakenBack(sha, link.commit, link.title)
        for link in _live(only_target)
        for sha in link.reverts
        if sha not in own or _promotes(own[sha], set(own))
    )


def reverted(only_target: Sequence[Link]) -> tuple[str, ...]:
    """The same in words."""
    return tuple(f"{short(each.commit)} ({each.title})" for each in taken_back(only_target))


def already_there(own: Sequence[Link], beyond: Sequence[Link], commit: Sha, trunk: Sha) -> tuple[Sha, ...]:
    """Of the line's own commits, those that the trunk held before the line came back to it, if it ever did.

    `own` is what the line has since some commit, `beyond` what the trunk has since then. The trunk goes along first
    parents: what it holds now, less what came with the merge that brought the line, or with the line's last commit.
    """
    links = {link.commit: link for link in beyond}
    before: Sha | None = trunk
    while before is not None and commit in _held(links, before):
        before = next(iter(links[before].parents), None)
    there = _held(links, before) if before is not None else set()
    return tuple(link.commit for link in own if link.commit in there)


def _held(links: Mapping[Sha, Link], commit: Sha) -> set[Sha]:
    """Of these, what that one holds."""
    held: set[Sha] = set()
    walk = [commit]
    while walk:
        one = walk.pop()
        if one in links and one not in held:
            held.add(one)
            walk += links[one].parents
    return held


def _live(links: Sequence[Link]) -> Iterator[Link]:
    """The reverts that no later one took back, newest first."""
    own, undone = {link.commit: link for link in links}, set[Sha]()
    for link in reversed(links):
        if link.reverts and link.commit not in undone:
            undone.update(one for sha in link.reverts for one in (sha, *_with_brought(sha, own)))
            yield link


def _undone(links: Sequence[Link], own: Mapping[Sha, Link]) -> set[Sha]:
    """What the reverts that stand took back, and what that had brought."""
    return {one for link in _live(links) for sha in link.reverts for one in (sha, *_with_brought(sha, own))}


def _with_brought(sha: Sha, own: Mapping[Sha, Link]) -> set[Sha]:
    """What is taken back with that commit: of a merge what it brought, else itself."""
    return (_brought(own[sha], own) if sha in own else set()) or {sha}


def _brought(link: Link, own: Mapping[Sha, Link]) -> set[Sha]:
    """What came to the target by this merge, besides itself; empty: it is no merge of what only the target has."""
    if len(link.parents) != 2 or link.parents[1] not in own:
        return set()
    return _reached(link.parents[1], own) - _reached(link.parents[0], own)


def _reached(sha: Sha, own: Mapping[Sha, Link]) -> set[Sha]:
    """That commit and those before it, of these."""
    found: set[Sha] = set()
    ahead = [sha]
    while ahead:
        one = ahead.pop()
        if one in own and one not in found:
            found.add(one)
            ahead += own[one].parents
    return found


def _promotes(link: Link, own: set[Sha]) -> bool:
    return len(link.parents) == 2 and link.parents[1] not in own
