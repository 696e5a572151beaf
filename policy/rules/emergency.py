"""Is there a record of the emergency, and is it complete?"""

from __future__ import annotations

from dataclasses import replace

from policy import wording
from policy.case import Case
from policy.document import Emergency
from policy.facts import EmergencyRecord, Facts
from policy.finding import Applied, Finding, Remedy, RemedyKind, met, unmet

EMERGENCY_RECORD = "emergency-record"


def emergency_record(case: Case) -> Finding:
    """All is said that must be said before anybody is asked, and it has not ended; each is good for one change only."""
    emergency, record = case.policy.emergency, case.facts.emergency
    if emergency is None:
        return unmet(EMERGENCY_RECORD, "this policy knows no emergencies")
    said = record.fields if record is not None else {}
    missing = tuple(field for field in emergency.fields if not said.get(field, "").strip())
    if missing or record is None:
        says = f"say {wording.listed(f'{field}:' for field in missing)}"
        asker = case.facts.asked_by.human
        applied = _said(emergency, missing, case)
        remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=applied)
        return unmet(EMERGENCY_RECORD, "missing: {}", wording.All(missing), remedies=(remedy,))
    ends = wording.At(record.ends_at, case.zone)
    if case.at >= record.ends_at:
        return unmet(EMERGENCY_RECORD, "{} ended on {}; ask anew, with a record of its own", record.id, ends)
    return met(EMERGENCY_RECORD, "{} is on record and stands until {}", record.id, ends)


def _said(emergency: Emergency, missing: tuple[str, ...], case: Case) -> Applied:
    fields = dict.fromkeys(missing, "said")

    def applied(facts: Facts) -> Facts:
        record = facts.emergency or EmergencyRecord("E-new", {}, case.at + emergency.lasts)
        return replace(facts, emergency=replace(record, fields={**record.fields, **fields}))

    return applied
