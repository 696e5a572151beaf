"""Is a number from monitoring good enough?"""

from __future__ import annotations

from policy import done
from policy.age import says_stale, stale
from policy.case import Case
from policy.comparison import Compared, holds, nearest, wanted
from policy.evidence import Measured
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SignalGate
from policy.model import Unknown


def signal(name: str, gate: SignalGate, case: Case) -> Finding:
    """What monitoring measured compares with its bound as it must; what it does not measure is not known."""
    signals = case.facts.evidence.signals
    if isinstance(signals, Unknown):
        return unknown(name, "{}", signals.why)
    measured = signals.get(gate.signal)
    if measured is None:
        return unknown(name, "monitoring has no {}", gate.signal, remedies=_measured(gate, case))
    if stale(measured.at, gate, case):
        says = says_stale(measured.at, gate, case)
        return unmet(name, "{} {}", gate.signal, says, remedies=_measured(gate, case))
    if holds(gate, measured.value):
        return met(name, "{}", Compared(gate, measured.value))
    return unmet(name, "{}", Compared(gate, measured.value), remedies=_measured(gate, case))


def _measured(gate: SignalGate, case: Case) -> tuple[Remedy, ...]:
    applied = done.seen_of("signals", gate.signal, Measured(nearest(gate), case.at))
    return (Remedy(RemedyKind.EVIDENCE, f"monitoring measures {wanted(gate)}", applied=applied),)
