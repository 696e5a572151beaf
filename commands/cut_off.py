"""From which branch does a commit come, and what came to that after it left the trunk?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from commands import lineage
from commands.lacks import holds
from commands.ports import Link, World
from policy.evidence import Changes
from policy.glob import alike
from policy.model import Sha, Unknown, short

_FEATURE = re.compile(r"feat(\([^)]*\))?!?:")  # https://www.conventionalcommits.org/en/v1.0.0/#specification
FEATURE = "type:feature"
"""A pull request with this label brings one, whatever its title says."""


async def built_from(world: World, repository: str, commit: Sha, like: Sequence[str]) -> str | Unknown:
    """The trunk where that holds it; else the one branch that stands at it, or that is called like one of these and
    holds it."""
    trunk = await world.code.trunk(repository)
    stands = await world.code.head(repository, trunk)
    if stands is not None and await holds(world, repository, stands, commit):
        return trunk
    found = await world.code.holding(repository, commit, like)
    wanted = tuple(filter(alike(tuple(like)), found)) or found
    if len(wanted) == 1:
        return wanted[0]
    if not wanted:
        return Unknown(f"no branch is known that {short(commit)} was built from")
    return Unknown(f"{short(commit)} may have been built from {' or '.join(wanted)}")


@dataclass(frozen=True, slots=True)
class CutOff:
    """A line of commits that left the trunk: where that stands, and what the line has that it lacks, oldest first."""

    trunk: Sha
    after: tuple[Link, ...]


async def cut_off(world: World, repository: str, commit: Sha) -> CutOff | Unknown:
    trunk = await world.code.trunk(repository)
    stands = await world.code.head(repository, trunk)
    if stands is None:
        return Unknown(f"there is no branch {trunk} in {repository}")
    return CutOff(stands, await world.code.lineage(repository, stands, commit))


async def not_picked(world: World, repository: str, cut: CutOff) -> tuple[Sha, ...]:
    """What came after the cut-off and was picked from nothing that the trunk holds; merges count that bring more of
    the trunk."""
    own = {link.commit for link in cut.after}
    picked = [link for link in cut.after if link.picked_from is not None and len(link.parents) < 2]
    on_trunk = await asyncio.gather(
        *(holds(world, repository, cut.trunk, link.picked_from) for link in picked if link.picked_from is not None)
    )
    fine = {link.commit for link, there in zip(picked, on_trunk, strict=True) if there}
    fine |= {link.commit for link in cut.after if len(link.parents) > 1 and own.issuperset(link.parents[1:])}
    return tuple(link.commit for link in cut.after if link.commit not in fine)


async def late_features(world: World, repository: str, commit: Sha, cut: CutOff) -> tuple[str, ...] | Unknown:
    """Pull requests that brought features after the cut-off, `#140`; commits that came by none."""
    changes = await world.code.changes(repository, cut.trunk, commit, frozenset(), "")
    found = _features(changes)
    return found if found or changes.complete else Unknown("the list of changes was cut short")


def _features(changes: Changes) -> tuple[str, ...]:
    late = {each.number for each in changes.pull_requests if FEATURE in each.labels or _FEATURE.match(each.title)}
    titled = [each for each in changes.commits if _FEATURE.match(each.title)]
    late |= {each.pull_request for each in titled if each.pull_request is not None}
    alone = [short(each.sha) for each in titled if each.pull_request is None]
    return (*(f"#{number}" for number in sorted(late)), *alone)


async def not_from_production(world: World, repository: str, commit: Sha, serving: Sha) -> tuple[Sha, ...] | Unknown:
    """What the commit has of the trunk and production lacks; not known where it was not begun at what serves there."""
    if not await holds(world, repository, commit, serving):
        return Unknown(f"it was not begun at {short(serving)}, which production serves")
    trunk = await world.code.trunk(repository)
    stands = await world.code.head(repository, trunk)
    if stands is None:
        return Unknown(f"there is no branch {trunk} in {repository}")
    own, beyond = await asyncio.gather(
        world.code.lineage(repository, serving, commit), world.code.lineage(repository, serving, stands)
    )
    return lineage.already_there(own, beyond, commit, stands)
