"""What does a rule look at? While that stays the same, so does what it finds, and nothing has to be judged again.

Rules are pure: one that looks at the same finds the same. Each says what it looks at (`rulebook.py`), and the tests see
that it looks at nothing else. When advice is tried, only those rules are judged again that look at what it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import fields
from datetime import datetime
from itertools import compress
from operator import attrgetter, is_not
from typing import Any

from policy.case import Case, Result
from policy.evidence import Evidence
from policy.exceptions import waivers
from policy.facts import Facts, Verdict
from policy.votes import Count, counted

AT = "at"
"""The instant."""
COUNTED = "counted"
"""What the votes come to (`votes.counted`), and what that looks at."""
WAIVED = "waived"
"""What is waived (`exceptions.waivers`), and what that looks at."""

_FACTS = tuple(field.name for field in fields(Facts))
_EVIDENCE = tuple(field.name for field in fields(Evidence))
_facts, _evidence = attrgetter(*_FACTS), attrgetter(*_EVIDENCE)

ANYTHING = frozenset({*_FACTS, *_EVIDENCE, AT, COUNTED, WAIVED})
VOTES = frozenset({"asked_at", "asked_by", "authors", "people", "plan", "reviewers", "trigger", "votes", "wanted"})
"""What votes are counted by; where there are some, by the instant too."""
SIGNOFFS = frozenset({"changes", "fields"})
"""What says which sign-offs are asked for."""
WAIVERS = frozenset({"asked_by", "candidate", "emergency", "exceptions", "people", "votes", AT})
"""What says what is waived."""

WORKS: dict[Callable[[Case], Any], AbstractSet[str]] = {
    counted: frozenset({COUNTED}),
    waivers: frozenset({WAIVED}),
}
"""What is worked out once for a case, and by what; whatever else is worked out anew for another."""


def changed(before: Case, after: Case) -> frozenset[str]:
    """What is another thing in the second case, whether or not it says the same, and what follows from that."""
    names: set[str] = {AT} if before.at != after.at else set()
    if before.facts is not after.facts:
        names.update(compress(_FACTS, map(is_not, _facts(before.facts), _facts(after.facts))))
        if "evidence" in names:
            one, other = before.facts.evidence, after.facts.evidence
            names.update(compress(_EVIDENCE, map(is_not, _evidence(one), _evidence(other))))
    if not WAIVERS.isdisjoint(names) and (_may_be_waived(before.facts) or _may_be_waived(after.facts)):
        names.add(WAIVED)
    if (
        not VOTES.isdisjoint(names)
        or not SIGNOFFS.isdisjoint(names)
        or (AT in names and before.facts.votes)
        or (WAIVED in names and _signed_off(before))
    ):
        names.add(COUNTED)
    return frozenset(names)


def _may_be_waived(facts: Facts) -> bool:
    return bool(facts.exceptions) or facts.emergency is not None


def excepted(case: Case) -> frozenset[str]:
    """What is another thing once somebody grants one exception more.

    Who granted one does not also agree: one more may give them back their say, or take away what they said against it.
    """
    against = any(vote.verdict is Verdict.REJECT for vote in case.facts.votes)
    return _EXCEPTED | {COUNTED} if case.barred or against or _signed_off(case) else _EXCEPTED


_EXCEPTED = frozenset({"exceptions", WAIVED})


def _signed_off(case: Case) -> bool:
    """Whether somebody is asked to sign something off: what is waived need not be."""
    count = case.once(counted)
    return isinstance(count, Count) and any(seat.gate for seat in count.table.terms.seats)


class Reread(Case):
    """A case on other facts or at another instant than one before; what stays the same is taken from there."""

    __slots__ = ("_before", "changes")

    def __init__(self, before: Case, facts: Facts, at: datetime) -> None:
        super().__init__(before.question, facts, before.policy, at, before.barred)
        self._before = before
        self.changes = changed(before, self)

    def once(self, work: Callable[[Case], Result]) -> Result:
        looks_at = WORKS.get(work, ANYTHING)
        return self._before.once(work) if looks_at.isdisjoint(self.changes) else super().once(work)
