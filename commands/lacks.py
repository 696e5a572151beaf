"""What does one line of commits lack of another, in every form? Asked of the code's host."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from commands.errors import Rejected
from commands.lineage import shipped_alone
from commands.ports import Link, World
from policy.model import Sha

SQUASHES_MAX = 50
"""So many of the newest are looked up; whoever brings a fix does so soon."""


async def lacks(world: World, repository: str, line: Sha, of: Sha) -> tuple[Link, ...]:
    """What `of` has and `line` has in no form, oldest first.

    Not the commit, none that was picked from it, not the one it was picked from itself, nor any of these squashed.
    """
    shipped, brought = await asyncio.gather(
        world.code.lineage(repository, line, of), world.code.lineage(repository, of, line)
    )
    alone = [
        link
        for link in shipped_alone(shipped, brought)
        if link.picked_from is None or not await _came_from(world, repository, line, link.picked_from)
    ]
    by = await squashed(world, repository, line, brought) if alone else {}
    return tuple(link for link in alone if not {link.commit, link.picked_from} & by.keys())


async def squashed(world: World, repository: str, line: Sha, brought: Sequence[Link]) -> dict[Sha, int]:
    """What the commits of pull requests were picked from, by the number of each: a squash may drop what they said."""
    told = [link.commit for link in brought if len(link.parents) < 2 and link.picked_from is None]
    numbers = dict.fromkeys([await world.code.came_by(repository, commit) for commit in told[-SQUASHES_MAX:]])
    found: dict[Sha, int] = {}
    for number in numbers:
        if number is not None:
            head = (await world.code.opened(repository, number)).head
            own = await world.code.lineage(repository, line, head)
            found |= {origin: number for link in own for origin in (*link.origins, link.picked_from) if origin}
    return found


async def _came_from(world: World, repository: str, line: Sha, origin: Sha) -> bool:
    """Whether it has what somebody wrote that a commit was picked from; what is of elsewhere it has not."""
    try:
        return await holds(world, repository, line, origin)
    except Rejected:
        return False


async def holds(world: World, repository: str, line: Sha, commit: Sha) -> bool:
    """Whether that very commit is in it."""
    return commit not in {link.commit for link in await world.code.lineage(repository, line, commit)}


PORT = "port"
"""Key in what was seen: which commits are brought to which branch, and how far that has come."""


async def brings(world: World, service: str, lost: frozenset[Sha]) -> tuple[str, ...]:
    """The open pull requests of ours that bring some of these to other branches: `#12 into main`."""
    found = []
    for operation in await world.store.timers():
        its = operation.seen.get(PORT)
        if its is None or operation.question.service != service or not its.get("number"):
            continue
        if lost & {one["commit"] for one in its["commits"]}:
            found.append(f"#{its['number']} into {its['to']}")
    return tuple(sorted(found))
