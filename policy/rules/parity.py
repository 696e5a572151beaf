"""Have two environments the same shape?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Shape
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import ParityGate
from policy.glob import like
from policy.model import Unknown

SERVICES = "services"


def parity(name: str, gate: ParityGate) -> Judge:
    """What is compared is known and equal, but for differences that were approved."""
    one, other, compared = gate.left, gate.right, frozenset(gate.shape)
    same = met(name, "{} and {} have the same {}", one, other, wording.All(gate.shape))

    def judge(case: Case) -> Finding:
        shapes = case.facts.evidence.shapes
        if type(shapes) is Unknown:
            return unknown(name, "{}", shapes.why)
        left, right = shapes.get(one), shapes.get(other)
        if left is None or right is None:
            return unknown(name, "the shape of {} is not known", one if left is None else other)
        differences = () if left == right else tuple(_differences(gate, left, right))
        if differences:
            return _differ(name, gate, differences, right)
        if unseen := _unseen(compared, left, right):
            return unknown(name, "of neither {} nor {} is known: {}", one, other, wording.All((*unseen,)))
        return same

    return judge


def _differ(name: str, gate: ParityGate, differences: tuple[_Differs | _Only, ...], right: Shape) -> Finding:
    remedy = Remedy(
        RemedyKind.EVIDENCE,
        f"{gate.left} and {gate.right} get the same shape",
        applied=done.seen_of("shapes", gate.left, right),
    )
    says = "{} and {} differ: {}"
    return unmet(name, says, gate.left, gate.right, wording.All(differences), remedies=(remedy,))


def _unseen(compared: frozenset[str], left: Shape, right: Shape) -> set[str]:
    """What should be compared, and nobody looked at on either side."""
    unseen = set(compared)
    for shape in (left, right):
        for key in shape:
            unseen.discard(key[key.rfind(".") + 1 :])
            if not unseen:
                return unseen
    return unseen


class _Differs(NamedTuple):
    """One value that is not the same: `api memory 512Mi≠1Gi`."""

    what: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.what} {self.left}≠{self.right}"


class _Only(NamedTuple):
    """Names that only one side has: `api env key SENTRY_DSN only in prod`."""

    what: str
    names: tuple[str, ...]
    environment: str

    def __str__(self) -> str:
        what = self.what if len(self.names) > 1 else self.what.removesuffix("s")
        return f"{what} {wording.listed(self.names)} only in {self.environment}"


def _differences(gate: ParityGate, left: Shape, right: Shape) -> Iterator[_Differs | _Only]:
    """Everything that is not equal and not approved; of a service that only one side has, no more than that."""
    compared = SERVICES in gate.shape
    alone = set(left.get(SERVICES, "").split()) ^ set(right.get(SERVICES, "").split()) if compared else set()
    for key in dict.fromkeys((*left, *right)):
        service, _, aspect = key.rpartition(".")
        mine, theirs = left.get(key), right.get(key)
        if mine == theirs or aspect not in gate.shape or service in alone or like(key, gate.approved):
            continue
        what = f"{service} {aspect}".strip().replace("_", " ")
        if aspect == SERVICES or aspect.endswith("_keys"):
            names, others = (mine or "").split(), (theirs or "").split()
            yield from _only(gate, key, what, gate.left, names, others)
            yield from _only(gate, key, what, gate.right, others, names)
        else:
            yield _Differs(what, "none" if mine is None else mine, "none" if theirs is None else theirs)


def _only(
    gate: ParityGate, key: str, what: str, environment: str, names: list[str], others: list[str]
) -> Iterator[_Only]:
    only = tuple(name for name in names if name not in others and not like(f"{key}.{name}", gate.approved))
    if only:
        yield _Only(what, only, environment)
