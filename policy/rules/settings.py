"""Are the services configured as their environments demand?"""

from __future__ import annotations

from policy import done, wording
from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SettingsGate
from policy.model import Unknown


def settings(name: str, gate: SettingsGate, case: Case) -> Finding:
    """In none of these environments has a service a key that is wrong; keys are named, values never."""
    found = case.facts.evidence.settings
    if isinstance(found, Unknown):
        return unknown(name, "{}", found.why)
    for environment in gate.environments:
        if found.get(environment, True):
            break
    else:
        return met(name, "nothing is wrong in {}", wording.All(gate.environments))
    wrong = tuple(
        f"{environment} {service}.{problem}"
        for environment in gate.environments
        for service, problems in found.get(environment, {}).items()
        for problem in problems
    )
    silent = tuple(f"{each} was not looked at" for each in gate.environments if each not in found)
    right = done.seen(settings={**found, **{environment: {} for environment in gate.environments}})
    if wrong:
        remedy = Remedy(RemedyKind.EVIDENCE, "they are put right", applied=right)
        return unmet(name, "{}", wording.All((*wrong, *silent)), remedies=(remedy,))
    if silent:
        remedy = Remedy(RemedyKind.EVIDENCE, "it is looked at, and nothing is wrong", applied=right)
        return unknown(name, "{}", wording.All(silent), remedies=(remedy,))
    return met(name, "nothing is wrong in {}", wording.All(gate.environments))
