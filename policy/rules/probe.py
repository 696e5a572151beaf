"""Did the probes pass against what would be promoted?"""

from __future__ import annotations

from policy import done, wording
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.evidence import Probed
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import ProbeGate
from policy.model import Digest, Unknown, short


def probe(name: str, gate: ProbeGate) -> Judge:
    """Each of the set passed while the environment served exactly the candidate; any other run is none."""
    wanted, environment, dated = gate.probes, gate.environment, gate.max_age is not None
    at_environment = f"{wanted}@{environment}"

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, probes = facts.candidate, facts.evidence.probes
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(probes) is Unknown:
            return unknown(name, "{}", probes.why)
        digest, number = candidate.digest, len(case.policy.probes.get(wanted, ()))
        probed = probes.get(at_environment)
        if probed is None or probed.digest != digest:
            return _not_probed(name, gate, case, digest, probed)
        total = probed.total
        if probed.failed:
            says, failed = "{} of {} failed in {}: {}", (len(probed.failed), total, environment)
            return unmet(name, says, *failed, wording.All(probed.failed), remedies=_pass(gate, case, digest))
        if total < max(number, 1):
            says = "only {} of {} {} probes ran in {}"
            return unknown(name, says, total, number, wanted, environment, remedies=_pass(gate, case, digest))
        if dated and stale(probed.at, gate, case):
            says = says_stale(probed.at, gate, case)
            return unmet(name, "{} in {} {}", wanted, environment, says, remedies=_pass(gate, case, digest))
        return met(name, "{} of {} {} probes passed in {}", total, total, wanted, environment)

    return judge


def _not_probed(name: str, gate: ProbeGate, case: Case, digest: Digest, probed: Probed | None) -> Finding:
    remedies = _pass(gate, case, digest)
    wanted = short(digest)
    if probed is None:
        sent = tuple(one._replace(words=f"{one.says}, sent once a request waits for it") for one in remedies)
        return unknown(name, "{} did not run in {} on {}", gate.probes, gate.environment, wanted, remedies=sent)
    served = short(probed.digest) if probed.digest else "nobody knows what"
    says = "{} ran in {} on {}, not on {}"
    return unknown(name, says, gate.probes, gate.environment, served, wanted, remedies=remedies)


def _pass(gate: ProbeGate, case: Case, digest: Digest) -> tuple[Remedy, ...]:
    total = max(1, len(case.policy.probes.get(gate.probes, ())))
    applied = done.seen_of("probes", f"{gate.probes}@{gate.environment}", Probed((), total, case.at, digest))
    says = f"{gate.probes} passes in {gate.environment} on {short(digest)}"
    return (Remedy(RemedyKind.EVIDENCE, says, applied=applied),)
