"""Are there few enough open security findings?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from policy import done, wording
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import AlertsGate
from policy.model import Unknown

Open = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Source → severity → names of what is open."""
NAMED = 8
"""So many are named; more than that nobody reads."""


def alerts(name: str, gate: AlertsGate) -> Judge:
    """Every source answered, and of each severity no more are open than may be; what two sources know is one."""
    sources, severities, dated = gate.sources, tuple(gate.at_most), gate.max_age is not None
    none_open = met(name, "{}", _Few(gate, {}))

    def judge(case: Case) -> Finding:
        evidence = case.facts.evidence
        found = evidence.alerts
        if type(found) is Unknown:
            return unknown(name, "{}", found.why)
        some = False
        for source in sources:
            by_severity = found.get(source)
            if by_severity is None:
                return _silent(name, gate, case, found)
            if not some:
                some = any(map(by_severity.get, severities))
        if dated and stale(evidence.alerts_at, gate, case):
            remedies = _listed_again(gate, case, found, "alerts are listed again, and no more are open than may be")
            return unmet(name, "the list of alerts {}", says_stale(evidence.alerts_at, gate, case), remedies=remedies)
        if not some:
            return none_open
        if surplus := _surplus(gate, found):
            names = tuple(each for one in surplus for each in one.names)
            says = f"{_some_of(names)} {'is' if len(names) == 1 else 'are'} closed"
            return unmet(name, "{}", wording.All(surplus), remedies=_listed_again(gate, case, found, says))
        return met(name, "{}", _Few(gate, found))

    return judge


class _Surplus(NamedTuple):
    """More than may be: `1 high open, 0 allowed: GHSA-7hfw`."""

    severity: str
    names: tuple[str, ...]
    most: int

    def __str__(self) -> str:
        return f"{len(self.names)} {self.severity} open, {self.most} allowed: {_some_of(self.names)}"


class _Few(NamedTuple):
    """No more than may be: `0 critical and 0 high open in dependabot and snyk`."""

    gate: AlertsGate
    found: Open

    def __str__(self) -> str:
        counts = wording.listed(f"{len(_open(self.gate, self.found, each))} {each}" for each in self.gate.at_most)
        return f"{counts} open in {wording.listed(self.gate.sources)}"


def _open(gate: AlertsGate, found: Open, severity: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for source in gate.sources for each in found.get(source, {}).get(severity, ())))


def _surplus(gate: AlertsGate, found: Open) -> tuple[_Surplus, ...]:
    every = (_Surplus(severity, _open(gate, found, severity), most) for severity, most in gate.at_most.items())
    return tuple(each for each in every if len(each.names) > each.most)


def _silent(name: str, gate: AlertsGate, case: Case, found: Open) -> Finding:
    silent = tuple(source for source in gate.sources if source not in found)
    does = wording.listed(silent) + (" answers" if len(silent) == 1 else " answer")
    remedies = _listed_again(gate, case, found, f"{does}, and no more are open than may be")
    return unknown(name, "no answer from {}", wording.All(silent), remedies=remedies)


def _listed_again(gate: AlertsGate, case: Case, found: Open, says: str) -> tuple[Remedy, ...]:
    """Every source is asked anew, and what is too much now is closed by then."""
    closed = {name for each in _surplus(gate, found) for name in each.names}
    left = {
        source: {
            severity: tuple(name for name in names if name not in closed)
            for severity, names in found.get(source, {}).items()
        }
        for source in (*found, *gate.sources)
    }
    return (Remedy(RemedyKind.EVIDENCE, says, applied=done.seen(alerts=left, alerts_at=case.at)),)


def _some_of(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return wording.listed(names if more <= 0 else (*names[:NAMED], f"{more} more"))
