"""Has the candidate been through an environment before?"""

from __future__ import annotations

from policy import done
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.evidence import Reached
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import OrderGate
from policy.model import Digest, Unknown, short

VERIFIED = "verified"


def order(name: str, gate: OrderGate) -> Judge:
    """The very digest got as far there as it must; what was verified was deployed too."""
    environment, far_enough, dated = gate.environment, (gate.state, VERIFIED), gate.max_age is not None

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, reached = facts.candidate, facts.evidence.reached
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(reached) is Unknown:
            return unknown(name, "{}", reached.why)
        there = reached.get(environment)
        if there is None:
            return unknown(name, "nobody looked what {} had", environment)
        digest, best = candidate.digest, None
        for one in there:
            if one.digest == digest:
                best = one
                if one.state in far_enough:
                    break
        else:
            says = "{} was never in {}" if best is None else "{} was deployed in {}, and not verified"
            return unmet(name, says, short(digest), environment, remedies=_goes_there(gate, digest, there, case))
        if dated and stale(best.at, gate, case):
            says = says_stale(best.at, gate, case)
            what = f"that {short(digest)} was {gate.state} in {environment}"
            return unmet(name, "{} {}", what, says, remedies=_goes_there(gate, digest, there, case))
        return met(name, "{} was {} in {}", short(digest), best.state, environment)

    return judge


def _goes_there(gate: OrderGate, digest: Digest, before: tuple[Reached, ...], case: Case) -> tuple[Remedy, ...]:
    there = (Reached(digest, gate.state, case.at), *before)
    applied = done.seen_of("reached", gate.environment, there)
    return (Remedy(RemedyKind.EVIDENCE, f"{short(digest)} is {gate.state} in {gate.environment}", applied=applied),)
