"""What stands in the way of a set? Each of them judged for itself, and all of that as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands import explain, tell
from commands.judged import Judged
from commands.plan import Plan
from commands.reply import Bold, Line, Mark, Text
from policy.finding import BLOCKING, Standing
from policy.model import Unknown, short

GROUPS: dict[str, tuple[str, ...]] = {
    "Traceability": ("tag", "pull_request", "branch", "record", "issues", "repository"),
    "Review": ("reviews", "signoff", "attest", "checklist"),
    "Reproducibility": ("same", "image", "attestation", "fast_forward", "order", "parity"),
    "Security": ("alerts", "signature", "evidence"),
    "Integration": ("checks", "workflow", "manifest", "number", "signal", "probe", "soak", "settings"),
    "Governance": (),
}
"""What a set is looked at for: kinds of gates. Whatever is in none of them governs."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Each of them judged for itself, and what would be done with all."""

    judged: tuple[Judged, ...]
    """In the order in which they ship."""
    plan: Plan | Unknown

    @property
    def shipping(self) -> tuple[Judged, ...]:
        """Those that would ship: the others serve already what they are pinned to."""
        return tuple(one for one in self.judged if would_ship(one))

    @property
    def allowed(self) -> bool:
        return not isinstance(self.plan, Unknown) and all(one.decision.allowed for one in self.shipping)


def would_ship(judged: Judged) -> bool:
    """Whether anything would change: it may serve there already."""
    candidate, serving = judged.facts.candidate, judged.facts.target_serving
    if isinstance(candidate, Unknown) or isinstance(serving, Unknown):
        return True
    return candidate.digest != serving.digest


def verdicts(judged: Sequence[Judged]) -> str:
    return "; ".join(f"{one.question.service}: {explain.verdict(one.decision)}" for one in judged)


def verdict(looked: Looked) -> str:
    if isinstance(looked.plan, Unknown):
        return looked.plan.why
    no = [one for one in looked.shipping if not one.decision.allowed]
    return verdicts(no) if no else "every rule is met for each of them"


def under_its_name(judged: Judged, lines: Sequence[Line]) -> tuple[Line, ...]:
    """These lines, with how it stands before them."""
    service: Text = (Bold(judged.question.service), f": {explain.verdict(judged.decision)}")
    if not would_ship(judged):
        return (Line(Mark.NOT_APPLICABLE, (Bold(judged.question.service), ": serves there already")),)
    return (Line(Mark.YES if judged.decision.allowed else Mark.NO, service), *lines)


def findings(looked: Looked, *, whole: bool = False) -> tuple[Line, ...]:
    """Of each, and then of all by what they are looked at for."""
    shown = explain.WHOLE if whole else 0
    lines = [
        line
        for one in looked.judged
        for line in under_its_name(one, explain.findings(one.decision, whole=whole, shown=shown))
    ]
    return (*lines, *_groups(looked))


def _groups(looked: Looked) -> tuple[Line, ...]:
    """What a set is looked at for, one line each: what of it is not met, and for which service."""
    lines = []
    for name in GROUPS:
        red = [
            f"{one.question.service}: {found.rule}"
            for one in looked.shipping
            for found in one.decision.findings
            if found.standing in BLOCKING and _group(found.rule, one) == name
        ]
        open_ones = [
            found
            for one in looked.shipping
            for found in one.decision.findings
            if found.standing is not Standing.NOT_APPLICABLE and _group(found.rule, one) == name
        ]
        says = f"not yet ({'; '.join(red)})" if red else "met" if open_ones else "nothing is asked"
        mark = Mark.NO if red else Mark.YES if open_ones else Mark.NOT_APPLICABLE
        lines.append(Line(mark, f"{name}: {says}"))
    return tuple(lines)


def _group(rule: str, judged: Judged) -> str:
    if rule in tell.AGREEING:
        return "Review"
    gate = judged.case.gates.get(rule)
    kind = "" if gate is None else gate.kind
    kind = "checks" if rule == "required-checks" else kind
    return next((name for name, kinds in GROUPS.items() if kind in kinds), "Governance")


def in_short(judged: Judged) -> Text:
    candidate = judged.facts.candidate
    name = "" if isinstance(candidate, Unknown) else f" {short(candidate.digest)}"
    says = explain.verdict(judged.decision) if would_ship(judged) else "serves there already"
    return (Bold(judged.question.service), f"{name}: {says}")
