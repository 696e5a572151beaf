"""Did whoever asks say what must be said before anybody is asked to agree?"""

from __future__ import annotations

from collections.abc import Iterable

from policy import done, wording
from policy.case import Case, Judge
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unmet
from policy.gates import RecordGate


def record(name: str, gate: RecordGate) -> Judge:
    """None of the fields is empty or blank; `none` is an answer. It may depend on what other fields say."""
    fields, said = gate.fields, met(name, "{} said", wording.All(gate.fields))
    only_if = tuple(
        (
            field,
            frozenset(map(str.casefold, words)),
            not_applicable(name, "only where {} is {}", field, wording.All(words, "or")),
        )
        for field, words in gate.only_if.items()
    )

    def judge(case: Case) -> Finding:
        says = case.facts.fields
        for field, words, elsewhere in only_if:
            value = says.get(field, "").strip()
            if not value:
                return _missing(name, (field,), case)
            if value.casefold() not in words:
                return elsewhere
        for field in fields:
            value = says.get(field, "")
            if not value or value.isspace():
                return _missing(name, (each for each in fields if not says.get(each, "").strip()), case)
        return said

    return judge


def _missing(name: str, fields: Iterable[str], case: Case) -> Finding:
    missing, asker = tuple(fields), case.facts.asked_by.human
    says = f"say {wording.listed(f'{field}:' for field in missing)}"
    remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=done.said(*missing))
    return unmet(name, "missing: {}", wording.All(missing), remedies=(remedy,))
