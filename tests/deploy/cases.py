"""One case of a policy that is handed out, by its sentence: it comes out as the table beside the policy says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot.cases import BEGINS, Table, beside, case_in, differences
from bot.complaints import judged
from bot.policy_file import read_policy
from policy.decide import decide
from policy.document import ActivePolicy
from policy.finding import Decision, Finding

POLICIES = Path(__file__).parents[2] / "deploy" / "policies"


@cache
def read(seed: str) -> tuple[ActivePolicy, Table]:
    """That policy and its cases."""
    policy = POLICIES / f"{seed}.yaml"
    table, complaints, _ = judged(beside(policy).read_bytes(), Table, BEGINS)
    assert table is not None, complaints
    return read_policy(policy), table


def sentences(seed: str) -> set[str]:
    return {case.case for case in read(seed)[1].cases}


def decided(seed: str, sentence: str) -> Decision:
    """What that policy decides in that case; it is what the table expects."""
    active, table = read(seed)
    (case,) = [case for case in table.cases if case.case == sentence]
    question, facts, at = case_in(table, case, active.policy)
    decision = decide(question, facts, active, at)
    assert list(differences(decision, case.expect, active.policy)) == []
    return decision


def found(rule: str, decision: Decision) -> Finding:
    (finding,) = [finding for finding in decision.findings if finding.rule == rule]
    return finding
