"""Did those attest to the candidate who may?"""

from __future__ import annotations

from policy import done
from policy.case import Case, Judge
from policy.evidence import Attestation
from policy.facts import Candidate, Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import AttestationGate
from policy.model import Unknown, short


def attested(name: str, gate: AttestationGate) -> Judge:
    """For each predicate there is a verified statement about the candidate's digest by a builder that counts."""
    predicates, builders, listed = gate.predicates, frozenset(gate.builders), ", ".join(gate.predicates)

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, attestations = facts.candidate, facts.evidence.attestations
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(attestations) is Unknown:
            return unknown(name, "{}", attestations.why)
        digest = candidate.digest
        good = [
            one.predicate for one in attestations if one.digest == digest and one.verified and one.builder in builders
        ]
        for predicate in predicates:
            if predicate not in good:
                return _missing(name, gate, candidate, attestations, frozenset(good))
        return met(name, "attested for {}: {}", short(digest), listed)

    return judge


def _missing(
    name: str, gate: AttestationGate, candidate: Candidate, attestations: tuple[Attestation, ...], good: frozenset[str]
) -> Finding:
    """What lacks besides these, and who makes it."""
    missing = tuple(each for each in gate.predicates if each not in good)

    def stated(facts: Facts) -> Facts:
        known = () if type(facts.evidence.attestations) is Unknown else facts.evidence.attestations
        made = (Attestation(each, candidate.digest, gate.builders[0], verified=True) for each in missing)
        return done.seen(attestations=(*known, *made))(facts)

    says = "; ".join(f"{each}: {_seen(each, attestations, gate, candidate)}" for each in missing)
    builders = " or ".join(gate.builders)
    remedy = Remedy(
        RemedyKind.EVIDENCE, f"{builders} attests {', '.join(missing)} for {short(candidate.digest)}", applied=stated
    )
    return unmet(name, "{}", says, remedies=(remedy,))


def _seen(predicate: str, attestations: tuple[Attestation, ...], gate: AttestationGate, candidate: Candidate) -> str:
    """What there is instead, the nearest first."""
    of_it = [each for each in attestations if each.predicate == predicate]
    mine = [each for each in of_it if each.digest == candidate.digest]
    why = next((each.why_not or "it is not verified" for each in mine if not each.verified), "")
    if why:
        return why
    if mine:
        return f"made by {mine[0].builder}, not by {' or '.join(gate.builders)}"
    if of_it:
        return f"about {short(of_it[0].digest)}, not about {short(candidate.digest)}"
    return f"nobody attested it for {short(candidate.digest)}"
