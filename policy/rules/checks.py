"""Did every required check pass on exactly the candidate's commit?"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from policy import wording
from policy.case import Case
from policy.evidence import Check, CheckState
from policy.facts import Facts
from policy.finding import Applied, Finding, Remedy, RemedyKind, Standing, met, unknown
from policy.gates import ChecksGate
from policy.model import Unknown, short


def required_checks(name: str, gate: ChecksGate, case: Case) -> Finding:
    """Each of them passed; one that never ran is not known, and blocks like one that failed."""
    candidate, checks = case.facts.candidate, case.facts.checks
    if isinstance(candidate, Unknown):
        return unknown(name, candidate.why)
    if isinstance(candidate.commit, Unknown):
        return unknown(name, f"checks belong to a commit: {candidate.commit.why}")
    if isinstance(checks, Unknown):
        return unknown(name, checks.why)
    commit = short(candidate.commit)
    seen, bad, missing = [], [], []
    for wanted in gate.names:
        check = checks.get(wanted)
        if check is None:
            missing.append(wanted)
            seen.append(f"{wanted} has no result")
        elif check.state is CheckState.PASSED:
            seen.append(f"{wanted} passed")
        else:
            bad.append(wanted)
            word = "has not finished" if check.state is CheckState.PENDING else "failed"
            seen.append(f"{wanted} {word}" + (f" ({check.saw})" if check.saw else ""))
    says = "{} on {}"
    if not bad and not missing:
        return met(name, says, wording.All(tuple(seen)), commit)
    remedies = tuple(
        Remedy(RemedyKind.EVIDENCE, f"{wanted} passes on {commit}", applied=_passed(wanted))
        for wanted in (*bad, *missing)
    )
    standing = Standing.UNMET if bad else Standing.UNKNOWN
    return Finding(name, standing, says, (wording.All(tuple(seen)), commit), remedies)


def _passed(wanted: str) -> Applied:
    def applied(facts: Facts) -> Facts:
        known = {} if isinstance(facts.checks, Unknown) else facts.checks
        passed = MappingProxyType({**known, wanted: Check(wanted, CheckState.PASSED)})
        return replace(facts, checks=passed)

    return applied
