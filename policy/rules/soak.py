"""Has the candidate served for long enough?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SoakGate
from policy.model import Unknown, short


def soaked(name: str, gate: SoakGate, case: Case) -> Finding:
    """It has had all the traffic there since so long ago, to the second the span that the policy asks for."""
    candidate, serving = case.facts.candidate, case.facts.source_serving
    if isinstance(candidate, Unknown):
        return unknown(name, candidate.why)
    if isinstance(serving, Unknown):
        return unknown(name, serving.why)
    if serving.digest != candidate.digest:
        says = "{} does not serve {}, so it does not soak"
        return unmet(name, says, gate.environment, short(candidate.digest))
    zone = case.policy.zone()
    since, ends = wording.At(serving.since, zone), serving.since + gate.lasts
    served, wanted = wording.For(case.at - serving.since), wording.For(gate.lasts)
    if case.at >= ends:
        return met(name, "{} has served it for {} since {}; {} are required", gate.environment, served, since, wanted)
    remedy = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(ends, zone)}", at=ends)
    says = "{} has served it for {} of {}, since {}"
    return unmet(name, says, gate.environment, served, wanted, since, remedies=(remedy,))
