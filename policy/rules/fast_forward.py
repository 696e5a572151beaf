"""Can the target branch be moved to the candidate without losing a commit?"""

from __future__ import annotations

from policy import wording
from policy.case import Case, Judge
from policy.finding import Finding, met, unknown, unmet
from policy.gates import FastForwardGate
from policy.model import Unknown


def is_fast_forward(name: str, _: FastForwardGate) -> Judge:
    """The candidate holds every commit of the target. Where it does not, only another candidate helps."""

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, lies = facts.candidate, facts.evidence.ahead
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(lies) is Unknown:
            return unknown(name, "{}", lies.why)
        place = case.policy.environments.get(case.question.target)
        target = place.branch if place and place.branch else case.question.target
        if lies.behind:
            says = "not a fast-forward: {} has {} that {} lacks; promote a commit that holds them"
            return unmet(name, says, target, wording.Several(lies.behind, "commit"), candidate)
        says = "{} is {} ahead of {} and lacks none"
        return met(name, says, candidate, wording.Several(lies.ahead, "commit"), target)

    return judge
