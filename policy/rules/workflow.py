"""Did the workflow succeed for exactly the candidate?"""

from __future__ import annotations

from typing import Final

from policy import done
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.evidence import CheckState, WorkflowRun
from policy.facts import Candidate
from policy.finding import Finding, Remedy, RemedyKind, Standing, met, unknown
from policy.gates import WorkflowGate
from policy.model import Unknown

PASSED: Final = CheckState.PASSED


def workflow_succeeded(name: str, gate: WorkflowGate) -> Judge:
    """Its newest run for the candidate succeeded, with the inputs that the policy asks for; no run is not known."""
    workflow, inputs, dated = gate.workflow, tuple(gate.inputs.items()), gate.max_age is not None

    def trouble_with(run: WorkflowRun, case: Case) -> str:
        """After the workflow's name; empty: none."""
        for key, wanted in inputs:
            if run.inputs.get(key) != wanted:
                return f"ran without {key}={wanted}"
        if run.state is not PASSED:
            word = "has not finished" if run.state is CheckState.PENDING else "failed"
            return f"{word} ({run.saw})" if run.saw else word
        return says_stale(run.at, gate, case) if dated and stale(run.at, gate, case) else ""

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, runs = facts.candidate, facts.evidence.workflows
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(runs) is Unknown:
            return unknown(name, "{}", runs.why)
        run = runs.get(workflow)
        trouble = "has no result" if run is None else trouble_with(run, case)
        if trouble:
            return _failed(name, gate, trouble, run, case, candidate)
        return met(name, "{} succeeded for {}", workflow, candidate)

    return judge


def _failed(
    name: str, gate: WorkflowGate, trouble: str, run: WorkflowRun | None, case: Case, candidate: Candidate
) -> Finding:
    succeeded = WorkflowRun(gate.workflow, CheckState.PASSED, at=case.at, inputs=gate.inputs)
    with_inputs = " with " + ", ".join(f"{key}={value}" for key, value in gate.inputs.items()) if gate.inputs else ""
    says = f"{gate.workflow} succeeds for {candidate.called}{with_inputs}"
    remedies = (Remedy(RemedyKind.EVIDENCE, says, applied=done.seen_of("workflows", gate.workflow, succeeded)),)
    standing = Standing.UNKNOWN if run is None else Standing.UNMET
    where = f": {run.url}" if run and run.url else ""
    return Finding(name, standing, "{} {} for {}{}", (gate.workflow, trouble, candidate.called, where), remedies)
