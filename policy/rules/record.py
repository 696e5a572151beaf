"""Did whoever asks say what must be said before anybody is asked to agree?"""

from __future__ import annotations

from policy import done, wording
from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, unmet
from policy.gates import RecordGate


def record(name: str, gate: RecordGate, case: Case) -> Finding:
    """None of the fields is empty or blank; `none` is an answer."""
    fields = case.facts.fields
    for field in gate.fields:
        said = fields.get(field)
        if not said or said.isspace():
            break
    else:
        return met(name, "{} said", wording.All(gate.fields))
    missing = tuple(field for field in gate.fields if not fields.get(field, "").strip())
    asker = case.facts.asked_by.human
    says = f"say {wording.listed(f'{field}:' for field in missing)}"
    remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=done.said(*missing))
    return unmet(name, "missing: {}", wording.All(missing), remedies=(remedy,))
