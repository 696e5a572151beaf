"""Are the documents there that belong to exactly the candidate?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policy import done, wording
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.evidence import Document
from policy.facts import Candidate, Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import EvidenceGate
from policy.model import Unknown, short


def documents_there(name: str, gate: EvidenceGate) -> Judge:
    """Each is there and young enough; one that speaks of another artifact is none."""
    items, every, ageless = gate.items, wording.All(gate.items), gate.max_age is None

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, documents = facts.candidate, facts.evidence.documents
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(documents) is Unknown:
            return unknown(name, "{}", documents.why)
        digest, troubles = candidate.digest, {}
        for item in items:
            document = documents.get(item)
            if document is not None and document.digest == digest and ageless:
                continue
            says = _trouble(document, gate, case, candidate)
            if says:
                troubles[item] = says
        return (
            _missing(name, troubles, case, candidate) if troubles else met(name, "there for {}: {}", candidate, every)
        )

    return judge


def _missing(name: str, troubles: Mapping[str, str], case: Case, candidate: Candidate) -> Finding:

    def kept(facts: Facts) -> Facts:
        known: Mapping[str, Document] = {} if type(facts.evidence.documents) is Unknown else facts.evidence.documents
        mended = {item: Document("where it is kept", candidate.digest, case.at) for item in troubles}
        return done.seen(documents=MappingProxyType({**known, **mended}))(facts)

    says = "; ".join(f"{item} {trouble}" for item, trouble in troubles.items())
    remedy = Remedy(RemedyKind.EVIDENCE, f"keep for {candidate.called}: {wording.listed(troubles)}", applied=kept)
    return unmet(name, "{}", says, remedies=(remedy,))


def _trouble(document: Document | None, gate: EvidenceGate, case: Case, candidate: Candidate) -> str:
    """What is wrong with it, after its name; empty: nothing."""
    if document is None:
        return f"is missing for {candidate.called}"
    if document.digest is not None and document.digest != candidate.digest:
        return f"is of {short(document.digest)}, not of {short(candidate.digest)}"
    return says_stale(document.at, gate, case) if stale(document.at, gate, case) else ""
