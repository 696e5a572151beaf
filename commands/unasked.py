"""What does the bot begin without being asked? What follows from what stands in the books, once for each of these."""

from __future__ import annotations

from datetime import datetime, timedelta

from commands.operation import Operation, Phase
from commands.record import BOT, operation_id
from policy.facts import Deed, Question
from policy.model import Place


def runs_as(deed: Deed, about: str) -> str:
    """The id of what follows: the same each time, so that it begins once."""
    return operation_id(f"{deed} {about}")


def begin(deed: Deed, about: str, place: Place, channel: str, now: datetime, until: datetime) -> Operation:
    """It only waits and looks: where it does more, or has a plan, whoever begins it says so.

    `about`: id of an operation, a freeze, an exception or of what is owed; or what it is, in words.
    """
    return Operation(
        id=runs_as(deed, about),
        question=Question(deed, place.service, place.environment, change=about),
        asked_by=BOT,
        asked_at=now,
        expires_at=until,
        channel=channel,
        plan=None,
        phase=Phase.WATCHING,
    )


def after(operation: Operation, deed: Deed, now: datetime, lasts: timedelta) -> Operation:
    """The same, about what that operation did and where it is told."""
    return begin(deed, operation.id, operation.place, operation.channel, now, now + lasts)
