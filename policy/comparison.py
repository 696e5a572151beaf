"""Is a number on the right side of its bound?"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import NamedTuple

from policy import wording
from policy.gates import NumberGate, SignalGate

Bounded = NumberGate | SignalGate

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGN = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_OTHER_SIGN = {"<": "≥", "<=": ">", ">": "≤", ">=": "<"}


def holds(gate: Bounded, value: float) -> bool:
    """Whether the very number is on the right side: 90 is at least 90, 89.99 is not; what is no number never is."""
    return _HOLDS[gate.op](value, gate.value) and math.isfinite(value)


def nearest(gate: Bounded) -> float:
    """The number nearest to the bound that is on the right side."""
    if gate.op == ">":
        return math.nextafter(gate.value, math.inf)
    if gate.op == "<":
        return math.nextafter(gate.value, -math.inf)
    return gate.value


class Compared(NamedTuple):
    """What was measured beside the bound, for reading: `coverage 89.99 % < 90 %`."""

    gate: Bounded
    value: float

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return f"{what(self.gate)} is no number"
        sign = (_SIGN if holds(self.gate, self.value) else _OTHER_SIGN)[self.gate.op]
        return (
            f"{what(self.gate)} {_figure(self.value, self.gate.unit)} {sign} {_figure(self.gate.value, self.gate.unit)}"
        )


def wanted(gate: Bounded) -> str:
    """What it must be: `coverage ≥ 90 %`."""
    return f"{what(gate)} {_SIGN[gate.op]} {_figure(gate.value, gate.unit)}"


def what(gate: Bounded) -> str:
    """What is measured: `coverage`, `latency_p99 over 5 min`."""
    if isinstance(gate, NumberGate):
        return gate.report
    return f"{gate.signal} over {wording.lasting(gate.over)}"


def _figure(value: float, unit: str) -> str:
    """Every digit, for 89.99999999999999 is not 90."""
    digits = repr(value).removesuffix(".0")
    return f"{digits} {unit}" if unit else digits
