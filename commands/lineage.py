"""What do two lines of commits lack of each other, and what would be lost? Told from their commits alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commands.ports import Link
from policy.model import Sha, short


def unpromoted(only_target: Sequence[Link]) -> tuple[Sha, ...]:
    """Of the commits that the target has and the source lacks, those that no promotion made.

    A promotion merges the source into the target: its second parent is on the source, so it is not among these.
    """
    own = {link.commit for link in only_target}
    return tuple(link.commit for link in only_target if not _promotes(link, own))


def merges(only_target: Sequence[Link]) -> tuple[Sha, ...]:
    return tuple(link.commit for link in only_target if len(link.parents) > 1)


def shipped_alone(shipped: Sequence[Link], brought: Sequence[Link]) -> tuple[Link, ...]:
    """Of the commits that shipped and the candidate lacks, those that nothing brought there was picked from.

    Merges bring nothing of their own; what was taken back, and what takes it back, are nothing together.
    """
    taken_back = {sha for link in shipped for sha in link.reverts}
    there = {link.commit for link in brought} | {link.picked_from for link in brought if link.picked_from}
    return tuple(
        link
        for link in shipped
        if len(link.parents) < 2
        and not link.reverts
        and not {link.commit, link.picked_from} & there
        and link.commit not in taken_back
    )


def reverted(only_target: Sequence[Link]) -> tuple[str, ...]:
    """What the target took back and the source still holds: merged again, it would silently be missing.

    A revert that was itself taken back counts no more; nor does one of a commit that only the target ever had.
    """
    own = {link.commit: link for link in only_target}
    return tuple(
        f"{short(sha)} ({link.title})"
        for link in _live(only_target)
        for sha in link.reverts
        if sha not in own or _promotes(own[sha], set(own))
    )


def _live(links: Sequence[Link]) -> Iterator[Link]:
    """The reverts that no later one took back, newest first."""
    undone: set[Sha] = set()
    for link in reversed(links):
        if link.reverts and link.commit not in undone:
            undone |= set(link.reverts)
            yield link


def _promotes(link: Link, own: set[Sha]) -> bool:
    return len(link.parents) == 2 and link.parents[1] not in own
