"""Did every required check pass on exactly the candidate's commit?"""

from __future__ import annotations

from datetime import datetime

from policy import wording
from policy.document import Policy
from policy.facts import CheckState, Facts, Question
from policy.finding import Finding, Remedy, RemedyKind, Standing, met, not_applicable, unknown
from policy.model import Unknown, short

REQUIRED_CHECKS = "required-checks"


def required_checks(question: Question, facts: Facts, policy: Policy, _at: datetime) -> Finding:
    """Each of them passed; one that never ran is not known, and blocks like one that failed."""
    path = policy.path(question.service, question.source or "", question.target)
    if path is None:
        return unknown(REQUIRED_CHECKS, "without a path it is not known which checks are required")
    if not path.gates.checks:
        return not_applicable(REQUIRED_CHECKS, f"{path.name} requires no checks")
    if isinstance(facts.candidate, Unknown):
        return unknown(REQUIRED_CHECKS, facts.candidate.why)
    if isinstance(facts.candidate.commit, Unknown):
        return unknown(REQUIRED_CHECKS, f"checks belong to a commit: {facts.candidate.commit.why}")
    if isinstance(facts.checks, Unknown):
        return unknown(REQUIRED_CHECKS, facts.checks.why)
    commit = short(facts.candidate.commit)
    seen, bad, missing = [], [], []
    for name in path.gates.checks:
        check = facts.checks.get(name)
        if check is None:
            missing.append(name)
            seen.append(f"{name} has no result")
        elif check.state is CheckState.PASSED:
            seen.append(f"{name} passed")
        else:
            bad.append(name)
            word = "has not finished" if check.state is CheckState.PENDING else "failed"
            seen.append(f"{name} {word}" + (f" ({check.saw})" if check.saw else ""))
    reason = f"{wording.listed(seen)} on {commit}"
    if not bad and not missing:
        return met(REQUIRED_CHECKS, reason)
    remedies = tuple(Remedy(RemedyKind.EVIDENCE, f"{name} passes on {commit}") for name in (*bad, *missing))
    return Finding(REQUIRED_CHECKS, Standing.UNMET if bad else Standing.UNKNOWN, reason, remedies)
