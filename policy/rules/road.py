"""Is this a promotion that the policy knows?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.finding import Finding, met, unmet

ALLOWED_PATH = "allowed-path"


def allowed_path(case: Case) -> Finding:
    """There is a path for this service from there to here, and it has a place at both ends."""
    question, policy = case.question, case.policy
    service = policy.services.get(question.service)
    if service is None:
        known = wording.listed(policy.services)
        return unmet(ALLOWED_PATH, f"no service {question.service}; there are {known}")
    name = f"{question.source or 'nowhere'}→{question.target}"
    path = case.path
    if path is None:
        same = [other for other in policy.paths if other.name == name]
        if same:
            others = wording.listed(word for other in same for word in other.services or ())
            return unmet(ALLOWED_PATH, f"{name} is not for {question.service}; it is for {others}")
        onwards = [p.target for p in policy.paths if p.source == question.source and p.serves(question.service)]
        return unmet(ALLOWED_PATH, f"no path {name}; allowed from {question.source}: {', '.join(onwards) or 'none'}")
    homeless = [end for end in (path.source, path.target) if end not in service.cloud_run]
    if homeless:
        return unmet(ALLOWED_PATH, f"{question.service} has no Cloud Run service in {wording.listed(homeless)}")
    return met(ALLOWED_PATH, f"{name} is a path for {question.service}")
