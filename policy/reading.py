"""What did a rule look at? While that stays the same, so does what it finds, and nothing has to be judged again.

Rules are pure: one that reads the same takes the same way. So it is enough to write down once what each reads; when
advice is tried, only those rules are asked again that read what it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import fields
from operator import attrgetter
from typing import Any, cast

from policy.case import Case, Result
from policy.evidence import Evidence
from policy.facts import Facts

AT = "at"

_FACTS = tuple(field.name for field in fields(Facts))
_EVIDENCE = tuple(field.name for field in fields(Evidence))
_ALL = frozenset({*_FACTS, *_EVIDENCE})
_facts, _evidence = attrgetter(*_FACTS), attrgetter(*_EVIDENCE)


def changed(before: Facts, after: Facts) -> frozenset[str]:
    """Names of facts and of evidence that are another thing than before, whether or not it says the same."""
    names = [n for n, one, other in zip(_FACTS, _facts(before), _facts(after), strict=True) if one is not other]
    if before.evidence is not after.evidence:
        both = zip(_EVIDENCE, _evidence(before.evidence), _evidence(after.evidence), strict=True)
        names += [n for n, one, other in both if one is not other]
    return frozenset(names)


class Read(Case):
    """A case that writes down what is read of it: its instant, its facts, and their evidence."""

    __slots__ = ("_instant", "known", "reads")

    def __init__(self, case: Case) -> None:
        self.reads: set[str] = set()
        """What was read since somebody put an empty set here."""
        self.known: dict[Callable[[Case], Any], tuple[Any, AbstractSet[str]]] = {}
        """What was worked out once, and what that read."""
        self._instant = case.at
        super().__init__(case.question, cast("Facts", _Seen(case.facts, self)), case.policy, case.at, case.barred)
        del self.at  # so that it is asked for below

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (only `at` is ever missing)
        if name != AT:
            raise AttributeError(name)
        self.reads.add(AT)
        return self._instant

    def once(self, work: Callable[[Case], Result]) -> Result:
        """As of any case; whoever asks reads what the work read."""
        known = self.known.get(work)
        if known is None:
            asking, self.reads = self.reads, set()
            try:
                known = self.known[work] = work(self), self.reads
            finally:
                self.reads = asking
        self.reads |= known[1]
        return cast("Result", known[0])


class _Seen:
    """Facts under the eyes of a case."""

    __slots__ = ("_by", "_facts", "evidence")

    def __init__(self, facts: Facts, by: Read) -> None:
        self._facts = facts
        self._by = by
        self.evidence = _SeenEvidence(facts.evidence, by)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the facts hold)
        if name in _ALL:
            self._by.reads.add(name)
        else:
            self._by.reads |= _ALL
        return getattr(self._facts, name)


class _SeenEvidence:
    __slots__ = ("_by", "_evidence")

    def __init__(self, evidence: Evidence, by: Read) -> None:
        self._evidence = evidence
        self._by = by

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the evidence holds)
        self._by.reads.add(name)
        return getattr(self._evidence, name)


class Reread(Case):
    """A case that differs from one that was read in certain facts only."""

    __slots__ = ("_before", "_changes")

    def __init__(self, before: Read, facts: Facts, changes: frozenset[str]) -> None:
        super().__init__(before.question, facts, before.policy, before.at, before.barred)
        self._before = before
        self._changes = changes

    def once(self, work: Callable[[Case], Result]) -> Result:
        """As of any case; what read nothing that changed is taken from before."""
        known = self._before.known.get(work)
        return cast("Result", known[0]) if known and known[1].isdisjoint(self._changes) else super().once(work)
