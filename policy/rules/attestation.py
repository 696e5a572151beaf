"""Did those attest to the candidate who may?"""

from __future__ import annotations

from policy import done
from policy.case import Case
from policy.evidence import Attestation
from policy.facts import Candidate, Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import AttestationGate
from policy.model import Unknown, short


def attested(name: str, gate: AttestationGate, case: Case) -> Finding:
    """For each predicate there is a verified statement about the candidate's digest by a builder that counts."""
    candidate, attestations = case.facts.candidate, case.facts.evidence.attestations
    if isinstance(candidate, Unknown):
        return unknown(name, "{}", candidate.why)
    if isinstance(attestations, Unknown):
        return unknown(name, "{}", attestations.why)
    missing = tuple(
        each for each in gate.predicates if not any(_holds(one, each, gate, candidate) for one in attestations)
    )
    if not missing:
        return met(name, "attested for {}: {}", short(candidate.digest), ", ".join(gate.predicates))

    def stated(facts: Facts) -> Facts:
        known = () if isinstance(facts.evidence.attestations, Unknown) else facts.evidence.attestations
        made = (Attestation(each, candidate.digest, gate.builders[0], verified=True) for each in missing)
        return done.seen(attestations=(*known, *made))(facts)

    says = "; ".join(f"{each}: {_seen(each, attestations, gate, candidate)}" for each in missing)
    builders = " or ".join(gate.builders)
    remedy = Remedy(
        RemedyKind.EVIDENCE, f"{builders} attests {', '.join(missing)} for {short(candidate.digest)}", applied=stated
    )
    return unmet(name, "{}", says, remedies=(remedy,))


def _holds(attestation: Attestation, predicate: str, gate: AttestationGate, candidate: Candidate) -> bool:
    return (
        attestation.predicate == predicate
        and attestation.digest == candidate.digest
        and attestation.verified
        and attestation.builder in gate.builders
    )


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
