"""One gate before facts with nothing wrong but what a test says; every remedy that it names is tried at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from policy.case import case
from policy.document import Policy
from policy.evidence import NOTHING
from policy.facts import Facts, Question
from policy.finding import BLOCKING, Finding, RemedyKind, Standing
from policy.gates import AnyGate
from policy.model import Unknown
from policy.rulebook import KINDS
from tests.policy.good import ALL_GOOD, NOW, POLICY, PROMOTION

MET, UNMET, UNKNOWN, NA = Standing.MET, Standing.UNMET, Standing.UNKNOWN, Standing.NOT_APPLICABLE
GONE = Unknown("it does not answer")
GATES: TypeAdapter[AnyGate] = TypeAdapter(AnyGate)
NAME = "the-gate"


def gate(kind: str, **says: Any) -> AnyGate:
    return GATES.validate_python({"kind": kind, **says})


def seeing(facts: Facts = ALL_GOOD, **evidence: Any) -> Facts:
    """The facts with this evidence, and no other."""
    return replace(facts, evidence=replace(NOTHING, **evidence))


def judged(
    wanted: AnyGate, facts: Facts, question: Question = PROMOTION, policy: Policy = POLICY, at: datetime = NOW
) -> Finding:
    """What the gate's rule finds; and each remedy that can be tried was seen to help."""
    finding: Finding = KINDS[wanted.kind].rule(NAME, wanted)(case(question, facts, policy, at))
    assert finding.rule == NAME
    assert finding.says.count("{}") == len(finding.values), "one place for each value"
    assert "{" not in finding.says.replace("{}", ""), "what comes from outside is a value"
    assert not finding.says.endswith(".")
    assert isinstance(finding.reason, str), "it can be put into words"
    for remedy in finding.remedies:
        assert (remedy.kind is RemedyKind.WAIT) == (remedy.applied is None)
        if remedy.applied is not None:
            helped = judged(wanted, remedy.applied(facts), question, policy, at)
            assert helped.standing not in BLOCKING, f"{remedy.says}: {helped.reason}"
    return finding
