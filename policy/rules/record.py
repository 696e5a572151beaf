"""Did whoever asks say what must be said before anybody is asked to agree?"""

from __future__ import annotations

from collections.abc import Iterable

from policy import done, wording
from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unmet
from policy.gates import RecordGate


def record(name: str, gate: RecordGate, case: Case) -> Finding:
    """None of the fields is empty or blank; `none` is an answer. It may depend on what other fields say."""
    fields = case.facts.fields
    for field, words in gate.only_if.items():
        said = fields.get(field, "").strip()
        if not said:
            return _missing(name, (field,), case)
        if said.casefold() not in map(str.casefold, words):
            return not_applicable(name, "only where {} is {}", field, wording.All(words, "or"))
    for field in gate.fields:
        value = fields.get(field)
        if not value or value.isspace():
            return _missing(name, (each for each in gate.fields if not fields.get(each, "").strip()), case)
    return met(name, "{} said", wording.All(gate.fields))


def _missing(name: str, fields: Iterable[str], case: Case) -> Finding:
    missing, asker = tuple(fields), case.facts.asked_by.human
    says = f"say {wording.listed(f'{field}:' for field in missing)}"
    remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=done.said(*missing))
    return unmet(name, "missing: {}", wording.All(missing), remedies=(remedy,))
