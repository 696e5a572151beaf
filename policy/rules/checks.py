"""Did every required check pass on exactly the candidate's commit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from policy import done, wording
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.evidence import Check, CheckState
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import ChecksGate
from policy.model import Unknown, short

_made: Final = tuple.__new__
PASSED: Final = CheckState.PASSED
NEVER_RAN = "has no result"
UNEXCUSED = "has no result, and nobody said why"
ANY_TICKET = "a ticket"


def required_checks(name: str, gate: ChecksGate) -> Judge:
    """Each of them passed; one that never ran is not known, and blocks like one that failed.

    A pass after more attempts than the gate allows is chance, unless a ticket says what makes it run again.
    """
    may_lack, ageless = (*gate.optional, *gate.excused), gate.max_age is None
    looked_at, all_passed = (*gate.names, *may_lack), _Passed(gate.names, ())

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, checks = facts.candidate, facts.checks
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(candidate.commit) is Unknown:
            return unknown(name, "checks belong to a commit: {}", candidate.commit.why)
        if type(checks) is Unknown:
            return unknown(name, "{}", checks.why)
        troubles: dict[str, str] = {}
        passed = all_passed
        for each in looked_at:
            check = checks.get(each)
            if check is None:
                passed = _Passed(gate.names, tuple(each for each in may_lack if each not in checks))
            elif check.state is PASSED and check.attempt == 1 and ageless:
                continue
            says = _trouble(each, gate, check, case)
            if says:
                troubles[each] = says
        if troubles:
            return _failed(name, gate, troubles, checks, case, short(candidate.commit))
        return met(name, "{} on {}", passed, candidate)

    return judge


def _failed(
    name: str, gate: ChecksGate, troubles: Mapping[str, str], checks: Mapping[str, Check], case: Case, commit: str
) -> Finding:
    found = unknown if set(troubles.values()) == {NEVER_RAN} else unmet
    remedies = _remedies(troubles, gate, checks, case, commit)
    return found(name, "{} on {}", _Each(gate.names, troubles), commit, remedies=remedies)


class _Each(NamedTuple):
    """How each of them went; what is not among the troubles passed."""

    names: tuple[str, ...]
    troubles: Mapping[str, str]

    def __str__(self) -> str:
        each = dict.fromkeys((*self.names, *self.troubles))
        return wording.listed(f"{name} {self.troubles.get(name, 'passed')}" for name in each)


class _Passed(NamedTuple):
    names: tuple[str, ...]
    lacking: tuple[str, ...]

    def __str__(self) -> str:
        passed = (f"{name} passed" for name in self.names)
        return wording.listed((*passed, *(f"{name} is not configured" for name in self.lacking)))


class _Wanted(NamedTuple):
    """What they would have to come to."""

    others: tuple[str, ...]
    by_chance: tuple[str, ...]
    commit: str

    def __str__(self) -> str:
        wanted = []
        if self.others:
            pass_on = f"{'passes' if len(self.others) == 1 else 'pass'} on {self.commit}"
            wanted.append(f"{wording.listed(self.others)} {pass_on}")
        if self.by_chance:
            wanted.append(f"a ticket says what makes {wording.listed(self.by_chance)} run again")
        return "; ".join(wanted)


def _trouble(name: str, gate: ChecksGate, check: Check | None, case: Case) -> str:
    """What is wrong with it, after its name; empty: nothing."""
    if check is None:
        return _lacking(name, gate, case)
    if check.state is not PASSED:
        word = "has not finished" if check.state is CheckState.PENDING else "failed"
        return f"{word} ({check.saw})" if check.saw else word
    if _by_chance(check, gate):
        return f"passed on attempt {check.attempt}, more than {gate.max_attempts}, and no ticket says why"
    if stale(check.at, gate, case):
        return says_stale(check.at, gate, case)
    return ""


def _lacking(name: str, gate: ChecksGate, case: Case) -> str:
    if name in gate.names:
        return NEVER_RAN
    field = gate.excused.get(name)
    return UNEXCUSED if field and not case.facts.fields.get(field) else ""


def _by_chance(check: Check, gate: ChecksGate) -> bool:
    if check.state is not PASSED or check.ticket:
        return False
    return gate.max_attempts is not None and check.attempt > gate.max_attempts


def _remedies(
    troubles: Mapping[str, str], gate: ChecksGate, checks: Mapping[str, Check], case: Case, commit: str
) -> tuple[Remedy, ...]:
    """To let them pass, or to link a ticket where that is what is missing; or to say why there is none."""
    by_chance = [name for name in troubles if name in checks and _by_chance(checks[name], gate)]
    others = [name for name in troubles if name not in by_chance]

    def passed(facts: Facts) -> Facts:
        known = {} if type(facts.checks) is Unknown else facts.checks
        mended = {name: Check(name, CheckState.PASSED, at=case.at) for name in others}
        ticketed = {name: replace(checks[name], ticket=ANY_TICKET, at=case.at) for name in by_chance}
        return done.but(facts, checks=MappingProxyType({**known, **mended, **ticketed}))

    def said(facts: Facts) -> Facts:
        excuses = {gate.excused[name]: "it does not apply" for name in troubles}
        return replace(facts, fields=MappingProxyType({**facts.fields, **excuses}))

    wanted = _Wanted(tuple(others), tuple(by_chance), commit)
    remedies = (_made(Remedy, (RemedyKind.EVIDENCE, wanted, (), None, passed)),)
    if set(troubles.values()) != {UNEXCUSED}:
        return remedies
    fields = wording.listed(f"{gate.excused[name]}:" for name in troubles)
    return (
        *remedies,
        Remedy(RemedyKind.SAY, f"say why {wording.listed(troubles)} does not apply ({fields})", applied=said),
    )
