"""Did somebody with that very role sign it off?"""

from __future__ import annotations

from typing import NamedTuple

from policy import votes, wording
from policy.case import Case, Judge
from policy.evidence import Changes
from policy.finding import Finding, met, unknown, unmet
from policy.gates import SignoffGate, When
from policy.glob import like
from policy.model import Unknown
from policy.rules.approval import agreeing
from policy.votes import counted


def signed_off(name: str, gate: SignoffGate) -> Judge:
    """A seat of its own is filled: one more person agrees, and nobody fills two."""
    role = wording.role(gate.role)

    def judge(case: Case) -> Finding:
        count = case.once(counted)
        if type(count) is Unknown:
            return unknown(name, "{}", count.why)
        filled, missing = count.of(name)
        if filled:
            return met(name, "{} signed it off as {}", filled[0].vote.voter.name, role)
        if not missing:
            return unknown(name, "nobody was asked to sign it off")
        values = (gate.title or "a sign-off", votes.missing(missing), _Because(gate.when, case))
        remedies = agreeing(case, count, name)
        says = "{} is missing: {} must agree{}" + ("" if remedies else "; and that cannot come: nobody else may")
        return unmet(name, says, *values, remedies=remedies, waits_for_people=True)

    return judge


class _Because(NamedTuple):
    """What of the change asks for it: ` for #31, auth/session.py`; nothing where every change does."""

    when: When | None
    case: Case

    def __str__(self) -> str:
        changes = self.case.facts.evidence.changes
        found = _found(self.when, changes) if self.when is not None and isinstance(changes, Changes) else []
        return f" for {wording.listed(found)}" if found else ""


def _found(when: When, changes: Changes) -> list[str]:
    labels = {label.casefold() for label in when.labels}
    labelled = [one for one in changes.pull_requests if labels.intersection(map(str.casefold, one.labels))]
    files = [file for file in changes.files if like(file, when.files)]
    return [*(f"#{one.number}" for one in labelled), *files[:MOST_FILES]]


MOST_FILES = 3
"""So many are named; who signs it off looks at the change itself."""
