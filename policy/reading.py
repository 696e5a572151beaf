"""What did a rule look at? While that stays the same, so does what it finds, and nothing has to be judged again.

Rules are pure: one that reads the same takes the same way. So it is enough to write down once what each reads; when
advice is tried, only those rules are asked again that read what it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, cast

from policy.case import Case, Result
from policy.evidence import Evidence
from policy.facts import Facts

Reads = frozenset[str]
"""Names of facts and of evidence."""

_FACTS = tuple(field.name for field in fields(Facts))
_EVIDENCE = tuple(field.name for field in fields(Evidence))
_ALL = frozenset({*_FACTS, *_EVIDENCE})
_facts, _evidence = attrgetter(*_FACTS), attrgetter(*_EVIDENCE)


def changed(before: Facts, after: Facts) -> Reads:
    """What is another thing than before, whether or not it says the same."""
    names = [n for n, one, other in zip(_FACTS, _facts(before), _facts(after), strict=True) if one is not other]
    if before.evidence is not after.evidence:
        both = zip(_EVIDENCE, _evidence(before.evidence), _evidence(after.evidence), strict=True)
        names += [n for n, one, other in both if one is not other]
    return frozenset(names)


class Read(Case):
    """A case that writes down what is read of its facts."""

    __slots__ = ("known", "reads")

    def __init__(self, case: Case) -> None:
        self.reads: set[str] = set()
        """What was read since somebody put an empty set here."""
        self.known: dict[Callable[[Case], Any], tuple[Any, Reads]] = {}
        """What was worked out once, and what that read."""
        super().__init__(case.question, cast("Facts", _Seen(case.facts, self)), case.policy, case.at, case.barred)

    def once(self, work: Callable[[Case], Result]) -> Result:
        """As of any case; whoever asks reads what the work read."""
        if work not in self.known:
            asking, self.reads = self.reads, set()
            try:
                self.known[work] = work(self), frozenset(self.reads)
            finally:
                self.reads |= asking
        result, reads = self.known[work]
        self.reads |= reads
        return cast("Result", result)


class _Seen:
    """Facts or evidence under the eyes of a case."""

    __slots__ = ("_by", "_seen")

    def __init__(self, seen: object, by: Read) -> None:
        self._seen = seen
        self._by = by

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the facts hold)
        if name == "evidence":
            return _Seen(getattr(self._seen, name), self._by)
        if name in _ALL:
            self._by.reads.add(name)
        else:
            self._by.reads |= _ALL
        return getattr(self._seen, name)


class Reread(Case):
    """A case that differs from one that was read in certain facts only."""

    __slots__ = ("_before", "changed")

    def __init__(self, before: Read, facts: Facts, changed: Reads) -> None:
        super().__init__(before.question, facts, before.policy, before.at, before.barred)
        self._before = before
        self.changed = changed

    def once(self, work: Callable[[Case], Result]) -> Result:
        """As of any case; what read nothing that changed is taken from before."""
        known = self._before.known.get(work)
        return cast("Result", known[0]) if known and known[1].isdisjoint(self.changed) else super().once(work)
