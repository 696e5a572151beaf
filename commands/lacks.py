"""What does one line of commits lack of another, in every form? Asked of the code's host."""

from __future__ import annotations

import asyncio

from commands.lineage import shipped_alone
from commands.ports import Link, World
from policy.model import Sha


async def lacks(world: World, repository: str, line: Sha, of: Sha) -> tuple[Link, ...]:
    """What `of` has and `line` has in no form, oldest first: not the commit, none that was picked from it, not the
    one it was picked from itself."""
    shipped, brought = await asyncio.gather(
        world.code.lineage(repository, line, of), world.code.lineage(repository, of, line)
    )
    return tuple(
        [
            link
            for link in shipped_alone(shipped, brought)
            if link.picked_from is None or not await holds(world, repository, line, link.picked_from)
        ]
    )


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
