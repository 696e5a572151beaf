"""How would the facts look, once somebody did what a remedy says?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policy.facts import Facts
from policy.finding import Applied
from policy.model import Unknown


def seen(**found: Any) -> Applied:  # noqa: ANN401 (whatever the evidence holds)
    """This was found out: `seen(way_back=…)`."""

    def applied(facts: Facts) -> Facts:
        return replace(facts, evidence=replace(facts.evidence, **found))

    return applied


def seen_of(kind: str, name: str, found: Any) -> Applied:  # noqa: ANN401 (whatever the evidence holds)
    """This was found out of one of many: `seen_of("numbers", "coverage", …)`."""

    def applied(facts: Facts) -> Facts:
        known = getattr(facts.evidence, kind)
        others = {} if isinstance(known, Unknown) else known
        return seen(**{kind: {**others, name: found}})(facts)

    return applied


def said(*fields: str) -> Applied:
    """Whoever asked said something under each of these."""

    def applied(facts: Facts) -> Facts:
        return replace(facts, fields={**facts.fields, **dict.fromkeys(fields, "said")})

    return applied
