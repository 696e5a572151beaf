"""How many states does each property see? `POLICY_STATES=10000` shows so many to each of them."""

from __future__ import annotations

import os

from hypothesis import settings


def over(usual: int) -> settings:
    """So many of them, whatever time they take, unless `POLICY_STATES` says another number."""
    return settings(max_examples=int(os.environ.get("POLICY_STATES", usual)), deadline=None)
