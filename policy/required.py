"""Which gates must a change of this type meet on this path?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from policy.document import ChangeType, Path, Policy
from policy.facts import Question
from policy.gates import AnyGate, ChecksGate, LostChangesGate, Mode, SoakGate
from policy.kept import kept

REQUIRED_CHECKS = "required-checks"
SOAK = "soak"
NO_HOTFIX_LOST = "no-hotfix-lost"


class Required(NamedTuple):
    """The gates of one question, by name, in the order people read them."""

    gates: Mapping[str, AnyGate]
    spared: frozenset[str]
    """Those of them that changes of this type need not meet."""


@kept
def required(policy: Policy, question: Question) -> Required:
    """What earlier paths ask that this one inherits, what it asks in short and by name, what the change type adds."""
    gates: dict[str, AnyGate] = {}
    path = policy.path(question.service, question.source or "", question.target)
    change = policy.change_types.get(question.change)
    if path is not None:
        for asking in _and_before(policy, question.service, path):
            for name, gate in _asked(policy, asking):
                if gates.get(name, gate) != gate:
                    name = f"{name}-{asking.source}-{asking.target}"  # noqa: PLW2901 (both must be met)
                gates[name] = gate
        gates.update({name: policy.gates[name] for name in _added(change)})
        if policy.hotfix is not None and not any(_keeps_hotfixes(gate) for gate in gates.values()):
            gates[NO_HOTFIX_LOST] = LostChangesGate(
                kind="lost_changes", look_for=("hotfix",), source=policy.hotfix.source
            )
    spared = frozenset(gates).intersection(change.waives if change else ())
    return Required(gates, spared)


def _and_before(policy: Policy, service: str, path: Path | None) -> list[Path]:
    """The path and those it inherits from, the earliest first; each inherits from one further up in the file."""
    if path is None or path.inherits is None:
        return [] if path is None else [path]
    source, _, target = path.inherits.partition("→")
    return [*_and_before(policy, service, policy.path(service, source, target)), path]


def _asked(policy: Policy, path: Path) -> Iterator[tuple[str, AnyGate]]:
    if path.gates.checks:
        yield REQUIRED_CHECKS, ChecksGate(kind="checks", names=path.gates.checks)
    if path.gates.soak is not None:
        yield SOAK, SoakGate(kind="soak", environment=path.source, lasts=path.gates.soak)
    for name in path.requires:
        yield name, policy.gates[name]


def _added(change: ChangeType | None) -> tuple[str, ...]:
    return change.adds if change else ()


def _keeps_hotfixes(gate: AnyGate) -> bool:
    """Whether it stops every candidate that lacks one."""
    keeps = isinstance(gate, LostChangesGate) and "hotfix" in gate.look_for
    return keeps and gate.mode is Mode.BLOCK and not gate.applies_to and gate.when is None
