"""Did the workflow succeed for exactly the candidate?"""

from __future__ import annotations

from policy import done
from policy.age import says_stale, stale
from policy.case import Case
from policy.evidence import CheckState, WorkflowRun
from policy.finding import Finding, Remedy, RemedyKind, Standing, met, unknown
from policy.gates import WorkflowGate
from policy.model import Unknown


def workflow_succeeded(name: str, gate: WorkflowGate, case: Case) -> Finding:
    """Its newest run for the candidate succeeded, with the inputs that the policy asks for; no run is not known."""
    candidate, runs = case.facts.candidate, case.facts.evidence.workflows
    if isinstance(candidate, Unknown):
        return unknown(name, "{}", candidate.why)
    if isinstance(runs, Unknown):
        return unknown(name, "{}", runs.why)
    run = runs.get(gate.workflow)
    trouble = "has no result" if run is None else _trouble(run, gate, case)
    if not trouble:
        return met(name, "{} succeeded for {}", gate.workflow, candidate.called)
    succeeded = WorkflowRun(gate.workflow, CheckState.PASSED, at=case.at, inputs=gate.inputs)
    with_inputs = " with " + ", ".join(f"{key}={value}" for key, value in gate.inputs.items()) if gate.inputs else ""
    says = f"{gate.workflow} succeeds for {candidate.called}{with_inputs}"
    remedies = (Remedy(RemedyKind.EVIDENCE, says, applied=done.seen_of("workflows", gate.workflow, succeeded)),)
    standing = Standing.UNKNOWN if run is None else Standing.UNMET
    where = f": {run.url}" if run and run.url else ""
    return Finding(name, standing, "{} {} for {}{}", (gate.workflow, trouble, candidate.called, where), remedies)


def _trouble(run: WorkflowRun, gate: WorkflowGate, case: Case) -> str:
    """What is wrong with the run, after the workflow's name; empty: nothing."""
    for key, wanted in gate.inputs.items():
        if run.inputs.get(key) != wanted:
            return f"ran without {key}={wanted}"
    if run.state is not CheckState.PASSED:
        word = "has not finished" if run.state is CheckState.PENDING else "failed"
        return f"{word} ({run.saw})" if run.saw else word
    return says_stale(run.at, gate, case) if stale(run.at, gate, case) else ""
