"""Is the candidate the very thing that serves an environment?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policy import done
from policy.case import Case
from policy.evidence import Built
from policy.facts import Candidate
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SameGate
from policy.model import Unknown, short


def same_thing(name: str, gate: SameGate, case: Case) -> Finding:
    """The environment serves the same tree, commit or digest; what either of them is must be known."""
    candidate, built = case.facts.candidate, case.facts.evidence.built
    if isinstance(candidate, Unknown):
        return unknown(name, "{}", candidate.why)
    wanted = _of(candidate, gate, case)
    if isinstance(wanted, Unknown):
        return unknown(name, "{}", wanted.why)
    if isinstance(built, Unknown):
        return unknown(name, "{}", built.why)
    there = built.get(gate.environment)
    serves = getattr(there, gate.by) if there else None
    if serves is None:
        return unknown(name, "it is not known which {} {} serves", gate.by, gate.environment)
    if serves == wanted:
        return met(name, "{} serves the same {}, {}", gate.environment, gate.by, short(wanted))
    mended: dict[str, Any] = {gate.by: wanted}
    served = done.seen_of("built", gate.environment, replace(there or Built(), **mended))
    remedy = Remedy(RemedyKind.EVIDENCE, f"{gate.environment} serves {short(wanted)}", applied=served)
    says = "{} serves {}, and the candidate is another {}, {}"
    return unmet(name, says, gate.environment, short(serves), gate.by, short(wanted), remedies=(remedy,))


def _of(candidate: Candidate, gate: SameGate, case: Case) -> str | Unknown:
    match gate.by:
        case "digest":
            return candidate.digest
        case "commit":
            return candidate.commit
        case "tree":
            return case.facts.evidence.tree
