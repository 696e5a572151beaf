"""Is it the very thing that runs in the source environment, and is it known where it comes from?"""

from __future__ import annotations

from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.model import Unknown, short

SAME_DIGEST = "same-digest"
SOMETHING_TO_PROMOTE = "something-to-promote"
COMMIT_KNOWN = "commit-known"


def same_digest(case: Case) -> Finding:
    """The source environment serves the candidate's digest right now: nothing was built anew, nothing slipped in."""
    question, facts = case.question, case.facts
    if isinstance(facts.candidate, Unknown):
        return unknown(SAME_DIGEST, facts.candidate.why)
    if isinstance(facts.source_serving, Unknown):
        return unknown(SAME_DIGEST, facts.source_serving.why)
    wanted, serves = facts.candidate.digest, facts.source_serving.digest
    if wanted == serves:
        return met(SAME_DIGEST, f"{question.source} serves {short(serves)}")
    remedy = Remedy(RemedyKind.EVIDENCE, f"ask again for what {question.source} serves")
    return unmet(
        SAME_DIGEST, f"{short(wanted)} is not what {question.source} serves ({short(serves)})", remedies=(remedy,)
    )


def something_to_promote(case: Case) -> Finding:
    """The target environment serves something else."""
    question, facts = case.question, case.facts
    if isinstance(facts.candidate, Unknown):
        return unknown(SOMETHING_TO_PROMOTE, facts.candidate.why)
    if isinstance(facts.target_serving, Unknown):
        return unknown(SOMETHING_TO_PROMOTE, facts.target_serving.why)
    serves = facts.target_serving.digest
    if facts.candidate.digest == serves:
        return unmet(SOMETHING_TO_PROMOTE, f"{question.target} already serves {short(serves)}")
    return met(SOMETHING_TO_PROMOTE, f"{question.target} serves {short(serves)}")


def commit_known(case: Case) -> Finding:
    """It is recorded which commit the digest was built from."""
    facts = case.facts
    if isinstance(facts.candidate, Unknown):
        return unknown(COMMIT_KNOWN, facts.candidate.why)
    if isinstance(facts.candidate.commit, Unknown):
        remedy = Remedy(RemedyKind.EVIDENCE, f"record which commit {short(facts.candidate.digest)} was built from")
        return unknown(COMMIT_KNOWN, facts.candidate.commit.why, remedies=(remedy,))
    return met(COMMIT_KNOWN, f"{short(facts.candidate.digest)} was built from {short(facts.candidate.commit)}")
