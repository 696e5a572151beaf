"""What is true afterwards? Four errors, sorted by that; a rule that says no is a `Decision` and no error."""

from __future__ import annotations


class ReleaseBotError(Exception):
    """Its text is one sentence fit for Slack: no secret, no stack, no library's name."""


class Misunderstood(ReleaseBotError):
    """Nothing was tried: the person rephrases."""


class Unavailable(ReleaseBotError):
    """Nothing changed: trying again is safe."""


class Rejected(ReleaseBotError):
    """Nothing changed: trying again says the same."""


class OutcomeUnknown(ReleaseBotError):
    """It may have changed: look, and never repeat blindly."""


class LostLease(ReleaseBotError):
    """Somebody newer owns this operation; whoever hears it stops and touches nothing."""


class Conflict(Rejected):
    """Nothing changed, because somebody else was faster: read again and decide anew."""
