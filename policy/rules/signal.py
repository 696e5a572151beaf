"""Is a number from monitoring good enough?"""

from __future__ import annotations

from policy import done
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.comparison import Compared, holds, nearest, wanted
from policy.evidence import Measured
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SignalGate
from policy.model import Unknown


def signal(name: str, gate: SignalGate) -> Judge:
    """What monitoring measured compares with its bound as it must; what it does not measure is not known."""
    called, dated = gate.signal, gate.max_age is not None

    def judge(case: Case) -> Finding:
        signals = case.facts.evidence.signals
        if type(signals) is Unknown:
            return unknown(name, "{}", signals.why)
        measured = signals.get(called)
        if measured is None:
            return unknown(name, "monitoring has no {}", called, remedies=_measured(gate, case))
        if dated and stale(measured.at, gate, case):
            says = says_stale(measured.at, gate, case)
            return unmet(name, "{} {}", called, says, remedies=_measured(gate, case))
        if holds(gate, measured.value):
            return met(name, "{}", Compared(gate, measured.value))
        return unmet(name, "{}", Compared(gate, measured.value), remedies=_measured(gate, case))

    return judge


def _measured(gate: SignalGate, case: Case) -> tuple[Remedy, ...]:
    applied = done.seen_of("signals", gate.signal, Measured(nearest(gate), case.at))
    return (Remedy(RemedyKind.EVIDENCE, f"monitoring measures {wanted(gate)}", applied=applied),)
