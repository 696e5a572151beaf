"""Is this a promotion that the policy knows?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.document import Policy
from policy.facts import Question
from policy.finding import Finding, met, unmet
from policy.wording import All

ALLOWED_PATH = "allowed-path"


def allowed_path(case: Case) -> Finding:
    """There is a path for this service from there to here, and it has a place at both ends."""
    return case.beforehand(_allowed)


def _allowed(policy: Policy, question: Question) -> Finding:
    path = policy.path(question.service, question.source or "", question.target)
    service = policy.services.get(question.service)
    if service is None:
        return unmet(ALLOWED_PATH, "no service {}; there are {}", question.service, All(tuple(policy.services)))
    if path is None:
        return unmet(ALLOWED_PATH, "{}", _no_path(policy, question))
    homeless = [end for end in (path.source, path.target) if end not in service.cloud_run]
    if homeless:
        return unmet(ALLOWED_PATH, "{} has no Cloud Run service in {}", question.service, All(tuple(homeless)))
    return met(ALLOWED_PATH, "{} is a path for {}", path.name, question.service)


def _no_path(policy: Policy, question: Question) -> str:
    name = f"{question.source or 'nowhere'}→{question.target}"
    same = [other for other in policy.paths if other.name == name]
    if same:
        others = wording.listed(word for other in same for word in other.services or ())
        return f"{name} is not for {question.service}; it is for {others}"
    if any((other.target, other.source) == (question.source, question.target) for other in policy.paths):
        return f"{name} leads back, and nothing is promoted backwards; use rollback"
    onwards = [p.target for p in policy.paths if p.source == question.source and p.serves(question.service)]
    return f"no path {name}; allowed from {question.source}: {', '.join(onwards) or 'none'}"
