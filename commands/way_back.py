"""What could be gone back to? Revisions that were verified, newest first, as long as they still exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from commands.places import WORKED, known
from commands.ports import Deployment, Revision, Site, World
from policy.facts import KnownGood
from policy.model import Digest, Unknown, short

MIN_VERSION = 7
"""Fewer letters of a digest or commit could name a neighbour."""


def with_theirs(own: Iterable[KnownGood], records: Sequence[Deployment] | Unknown) -> tuple[KnownGood, ...]:
    """What was verified before, newest first, by our own books and by GitHub's."""
    own = tuple(own)
    if isinstance(records, Unknown):
        return own
    named = {entry.revision for entry in own}
    theirs = (
        KnownGood(record.revision, record.digest, record.updated_at, f"GitHub deployment {record.id}", record.commit)
        for record in records
        if record.state in WORKED and record.digest and record.revision and record.revision not in named
    )
    return tuple(sorted((*own, *theirs), key=lambda entry: entry.verified_at, reverse=True))


async def choose(
    world: World, site: Site, good: Sequence[KnownGood], leaving: Digest | None, to: str = "", *, gone: bool = False
) -> KnownGood | Unknown:
    """The newest verified one that still exists, is not what is being left, and is what was named, if anything was.

    `gone`: one of which the revision does not exist any more, to be deployed again from the same image.
    """
    held = {hold.digest for hold in await world.store.holds()}
    wanted = to.lower().removeprefix("sha256:")
    if wanted and len({entry.digest for entry in good if _named(entry, wanted)}) > 1:
        return Unknown(f"{to} names more than one of those that were verified here")
    for entry in good:
        if wanted and not _named(entry, wanted):
            continue
        if entry.digest == leaving or (entry.digest in held and not wanted):
            continue
        found = await known(entry.revision, world.runs.revision(site, entry.revision))
        if gone and found is None:
            return entry
        if not gone and isinstance(found, Revision) and found.digest == entry.digest and found.ready is not False:
            return entry
    listed = ", ".join(list(dict.fromkeys(f"{entry.revision} ({short(entry.digest)})" for entry in good))[:5])
    if wanted:
        return Unknown(f"{to} was never verified here, or is gone; verified were {listed or 'none'}")
    return Unknown(f"no other verified revision is left; verified were {listed or 'none'}")


def _named(entry: KnownGood, wanted: str) -> bool:
    """True for its revision, or for so much of its digest or commit that it names no neighbour."""
    names = (entry.digest.removeprefix("sha256:"), entry.commit or "")
    return wanted == entry.revision.lower() or (
        len(wanted) >= MIN_VERSION and any(name.startswith(wanted) for name in names)
    )
