"""What did others change around us? How a place looks, against how we left it: in names, never in values. Pure.

What our own operations put there is no drift; variables, secrets and accounts are never put there by one, so a change
of those always is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from commands.operation import Operation, Phase
from commands.ports import Configuration, Running, Sight, Watched
from policy.facts import Deed
from policy.model import Place
from policy.settings import Configured

TRAFFIC = "traffic"
IMAGE = "image"
BY_TAG = "image by a tag"
"""What the next revision will run can change without anybody changing the place."""
MARK_DIGITS = 8
"""Hex digits of a mark: too few to prove a guess at the value; one change in some four thousand million is missed."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What operations of ours put at a place, as far as it still says which ones they were."""

    traffic: Mapping[str, int] | None = None
    """Where the one that wrote last left it; None: none did, or nobody knows."""
    operation: str = ""
    """Id of the one that made the last new revision."""
    image: str = ""
    """What that runs."""
    marks: Mapping[str, str] | None = None
    """How it was made; None: that cannot be told any more."""


NOBODY = Ours()


def left(operation: Operation | None) -> Mapping[str, int] | None:
    """The traffic that it left where it was carried out; None where nobody knows what became of it."""
    plan = operation.plan if operation is not None else None
    if operation is None or plan is None or operation.phase is Phase.UNCERTAIN or operation.moving:
        return None
    if operation.left is not None:
        return operation.left
    served = operation.phase in {Phase.DONE, Phase.WATCHING}
    return {plan.revision: 100} if served else dict(plan.split) or {plan.from_revision: 100}


def brought(operation: Operation | None) -> str:
    """The image of the new revision that it was to make; empty: none."""
    plan = operation.plan if operation is not None else None
    return plan.image if plan is not None and plan.deed == Deed.PROMOTE else ""


# Looking ------------------------------------------------------------------------------------------------------------


def sight(running: Running, configuration: Configuration, salt: str, *, ours_to_change: bool) -> Sight:
    """How the place looks. Where we change nothing, traffic and image are none of our business."""
    traffic: dict[str, int] = {}
    for share in running.serving if ours_to_change else ():
        if share.percent:
            traffic[share.revision] = traffic.get(share.revision, 0) + share.percent
    return Sight(traffic, configuration.image if ours_to_change else "", marks(configuration, salt))


def marks(configuration: Configuration, salt: str) -> dict[str, str]:
    """A mark for each thing that is set: the same where its value is, and no way back to it."""
    main = configuration.main
    said = {"service account": main.account, "databases": " ".join(sorted(main.databases))}
    said |= dict(_set(main, ""))
    for container, its in configuration.beside.items():
        said |= dict(_set(its, f"{container}/"))
    return {name: _mark(salt, name, value) for name, value in sorted(said.items())}


def _set(configured: Configured, container: str) -> Iterator[tuple[str, str]]:
    yield from ((f"variable {container}{name}", value) for name, value in configured.variables.items())
    yield from ((f"secret {container}{name}", secret) for name, secret in configured.secrets.items())


def _mark(salt: str, name: str, value: str) -> str:
    return hmac.new(salt.encode(), f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:MARK_DIGITS]


# Comparing ----------------------------------------------------------------------------------------------------------


def compared(
    place: Place, before: Watched | None, now: Sight, ours: Ours, at: datetime, salt: str
) -> tuple[Watched, tuple[str, ...]]:
    """How the place is known from now on, and the names of what others changed since it was last looked at."""
    if before is None:
        before = Watched(place, salt, first := _first(now, ours), first, operation=ours.operation)
    expected = before.expected
    back_to_theirs = TRAFFIC in before.changed and before.last.traffic == now.traffic  # where we found it
    moved = ours.traffic == now.traffic and not back_to_theirs
    same = _same_image(now.image, ours.image)
    if moved or not expected.traffic:
        expected = replace(expected, traffic=now.traffic)
    if same or not expected.image:
        expected = replace(expected, image=now.image)
    if same and ours.operation != before.operation and ours.marks is not None:
        expected = replace(expected, marks=ours.marks)
    explained = {name for name, whether in ((TRAFFIC, moved), (IMAGE, same)) if whether}
    new = tuple(name for name in otherwise(before.last, now) if name not in explained)
    changed = otherwise(expected, now)
    known = replace(
        before,
        expected=expected,
        last=now,
        changed=changed,
        since=(before.since or at) if changed else None,
        operation=ours.operation if same else before.operation,
    )
    return known, new


def _first(now: Sight, ours: Ours) -> Sight:
    """How a place should look that was never looked at: as we left it, else as it is."""
    return Sight(
        traffic=now.traffic if ours.traffic is None or not now.traffic else ours.traffic,
        image=ours.image if ours.image and now.image else now.image,
        marks=now.marks if ours.marks is None else ours.marks,
    )


def accepted(known: Watched) -> Watched:
    """The same place, where others may change it so: it should look as it does."""
    return replace(known, expected=known.last, changed=(), since=None)


def otherwise(expected: Sight, now: Sight) -> tuple[str, ...]:
    """What looks otherwise, by name; of traffic and image only where both were looked at."""
    names = [TRAFFIC] if expected.traffic and now.traffic and expected.traffic != now.traffic else []
    if expected.image and now.image and not _same_image(expected.image, now.image) and expected.image != now.image:
        names.append(IMAGE)
    if now.image and not _digest(now.image) and _digest(expected.image):
        names.append(BY_TAG)
    keys = sorted({*expected.marks, *now.marks})
    return (*names, *(key for key in keys if expected.marks.get(key) != now.marks.get(key)))


def _same_image(one: str, other: str) -> bool:
    return bool(_digest(one)) and _digest(one) == _digest(other)


def _digest(image: str) -> str:
    """Empty where it is named by a tag."""
    return image.rpartition("@")[2] if "@sha256:" in image else ""
