"""Are the services configured as their environments demand?"""

from __future__ import annotations

from collections.abc import Mapping

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Settings
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SettingsGate
from policy.model import Unknown


def settings(name: str, gate: SettingsGate) -> Judge:
    """In none of these environments has a service a key that is wrong; keys are named, values never."""
    environments, right = gate.environments, met(name, "nothing is wrong in {}", wording.All(gate.environments))

    def judge(case: Case) -> Finding:
        found = case.facts.evidence.settings
        if type(found) is Unknown:
            return unknown(name, "{}", found.why)
        for environment in environments:
            if found.get(environment, True):
                return _wrong(name, gate, found) or right
        return right

    return judge


def _wrong(name: str, gate: SettingsGate, found: Mapping[str, Settings]) -> Finding | None:
    """What is wrong, or was not looked at; None: nothing."""
    wrong = tuple(
        f"{environment} {service}.{problem}"
        for environment in gate.environments
        for service, problems in found.get(environment, {}).items()
        for problem in problems
    )
    silent = tuple(environment for environment in gate.environments if environment not in found)
    if not wrong and not silent:
        return None
    keys = dict.fromkeys(problem.partition(": ")[0] for problem in wrong)
    mends = [f"{wording.listed(keys)} put right"] if wrong else []
    mends += [f"{wording.listed(silent)} looked at, with nothing wrong"] if silent else []
    right = done.seen(settings={**found, **{environment: {} for environment in gate.environments}})
    remedy = Remedy(RemedyKind.EVIDENCE, wording.listed(mends), applied=right)
    says = wording.All((*wrong, *(f"{environment} was not looked at" for environment in silent)))
    return unmet(name, "{}", says, remedies=(remedy,)) if wrong else unknown(name, "{}", says, remedies=(remedy,))
