"""Is the candidate the very thing that serves an environment?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policy import done
from policy.case import Case, Judge
from policy.evidence import Built
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SameGate
from policy.model import Unknown, short


def same_thing(name: str, gate: SameGate) -> Judge:
    """The environment serves the same tree, commit or digest; what either of them is must be known."""
    by, environment = gate.by, gate.environment

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, built = facts.candidate, facts.evidence.built
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if by == "digest":
            wanted: str | Unknown = candidate.digest
        else:
            wanted = candidate.commit if by == "commit" else facts.evidence.tree
        if type(wanted) is Unknown:
            return unknown(name, "{}", wanted.why)
        if type(built) is Unknown:
            return unknown(name, "{}", built.why)
        there = built.get(environment)
        serves: str | None = getattr(there, by) if there else None
        if serves is None:
            return unknown(name, "it is not known which {} {} serves", by, environment)
        if serves == wanted:
            return met(name, "{} serves the same {}, {}", environment, by, short(wanted))
        return _another(name, gate, there or Built(), serves, wanted)

    return judge


def _another(name: str, gate: SameGate, there: Built, serves: str, wanted: str) -> Finding:
    mended: dict[str, Any] = {gate.by: wanted}
    served = done.seen_of("built", gate.environment, replace(there, **mended))
    remedy = Remedy(RemedyKind.EVIDENCE, f"{gate.environment} serves {short(wanted)}", applied=served)
    says = "{} serves {}, and the candidate is another {}, {}"
    return unmet(name, says, gate.environment, short(serves), gate.by, short(wanted), remedies=(remedy,))
