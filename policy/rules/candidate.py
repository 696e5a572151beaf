"""Is it the very thing that runs in the source environment, and is it known where it comes from?"""

from __future__ import annotations

from dataclasses import replace

from policy.case import Case
from policy.facts import Candidate, Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.model import Sha, Unknown, short
from policy.rules.expiry import asked_anew

SAME_DIGEST = "same-digest"
SOMETHING_TO_PROMOTE = "something-to-promote"
COMMIT_KNOWN = "commit-known"

SOME_COMMIT = Sha("0" * 40)
"""Stands for one that is not known yet, where a remedy is tried."""


def same_digest(case: Case) -> Finding:
    """The source environment serves the candidate's digest right now: nothing was built anew, nothing slipped in."""
    source, candidate, serving = case.question.source, case.facts.candidate, case.facts.source_serving
    if type(candidate) is Unknown:
        return unknown(SAME_DIGEST, "{}", candidate.why)
    if type(serving) is Unknown:
        return unknown(SAME_DIGEST, "{}", serving.why)
    if candidate.digest == serving.digest:
        return met(SAME_DIGEST, "{} serves {}", source, short(serving.digest))
    served = Candidate(serving.digest, serving.commit or SOME_COMMIT)

    def applied(facts: Facts) -> Facts:
        return asked_anew(case)(replace(facts, candidate=served))

    remedy = Remedy(RemedyKind.EVIDENCE, f"ask again for what {source} serves", applied=applied)
    says, digests = "{} is not what {} serves ({})", (short(candidate.digest), source, short(serving.digest))
    return unmet(SAME_DIGEST, says, *digests, remedies=(remedy,))


def something_to_promote(case: Case) -> Finding:
    """The target environment serves something else."""
    target, candidate, serving = case.question.target, case.facts.candidate, case.facts.target_serving
    if type(candidate) is Unknown:
        return unknown(SOMETHING_TO_PROMOTE, "{}", candidate.why)
    if type(serving) is Unknown:
        return unknown(SOMETHING_TO_PROMOTE, "{}", serving.why)
    if candidate.digest == serving.digest:
        return unmet(SOMETHING_TO_PROMOTE, "{} already serves {}", target, short(serving.digest))
    return met(SOMETHING_TO_PROMOTE, "{} serves {}", target, short(serving.digest))


def commit_known(case: Case) -> Finding:
    """It is recorded which commit the digest was built from."""
    candidate = case.facts.candidate
    if type(candidate) is Unknown:
        return unknown(COMMIT_KNOWN, "{}", candidate.why)
    digest, commit = candidate.digest, candidate.commit
    if type(commit) is Unknown:

        def applied(facts: Facts) -> Facts:
            return replace(facts, candidate=Candidate(digest, SOME_COMMIT))

        says = f"record which commit {short(digest)} was built from"
        remedy = Remedy(RemedyKind.EVIDENCE, says, applied=applied)
        return unknown(COMMIT_KNOWN, "{}", commit.why, remedies=(remedy,))
    return met(COMMIT_KNOWN, "{} was built from {}", short(digest), short(commit))
