"""Were the signatures verified?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Signature
from policy.facts import Candidate, Facts
from policy.finding import Finding, Remedy, RemedyKind, Standing, met, unknown
from policy.gates import SignatureGate
from policy.model import Unknown

NOBODY_LOOKED = "not looked at"


def signatures_verified(name: str, gate: SignatureGate) -> Judge:
    """Each subject bears a verified signature by somebody who may sign; one that nobody looked at is not known."""
    subjects, every, signed_by = gate.subjects, wording.All(gate.subjects), gate.signed_by

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, signatures = facts.candidate, facts.evidence.signatures
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(signatures) is Unknown:
            return unknown(name, "{}", signatures.why)
        troubles: dict[str, str] = {}
        for each in subjects:
            signature = signatures.get(each)
            if signature is None or not signature.verified or (signed_by and signature.by not in signed_by):
                troubles[each] = _trouble(signature, gate)
        if troubles:
            return _unverified(name, gate, troubles, candidate)
        return met(name, "signatures verified for {}: {}", candidate, every)

    return judge


def _unverified(name: str, gate: SignatureGate, troubles: Mapping[str, str], candidate: Candidate) -> Finding:
    def signed(facts: Facts) -> Facts:
        known = {} if type(facts.evidence.signatures) is Unknown else facts.evidence.signatures
        by = gate.signed_by[0] if gate.signed_by else ""
        mended = {subject: Signature(verified=True, by=by) for subject in troubles}
        return done.seen(signatures=MappingProxyType({**known, **mended}))(facts)

    by = f" by {' or '.join(gate.signed_by)}" if gate.signed_by else ""
    says = f"a verified signature{by} of {wording.listed(troubles)} for {candidate.called}"
    standing = Standing.UNKNOWN if set(troubles.values()) == {NOBODY_LOOKED} else Standing.UNMET
    seen = "; ".join(f"{subject}: {trouble}" for subject, trouble in troubles.items())
    remedies = (Remedy(RemedyKind.EVIDENCE, says, applied=signed),)
    return Finding(name, standing, "signatures for {}: {}", (candidate.called, seen), remedies)


def _trouble(signature: Signature | None, gate: SignatureGate) -> str:
    """What is wrong with it, after its subject."""
    if signature is None:
        return NOBODY_LOOKED
    if not signature.verified:
        return f"not verified ({signature.why_not})" if signature.why_not else "not verified"
    return f"by {signature.by or 'nobody knows whom'}, not by {' or '.join(gate.signed_by)}"
