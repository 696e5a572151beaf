"""Has it served for long enough, without trouble?"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policy import wording
from policy.case import Case, Judge
from policy.evidence import NOT_GATHERED, Undisturbed
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import SoakGate
from policy.model import Unknown, short


def soaked(name: str, gate: SoakGate) -> Judge:
    """To the second the span that the policy asks for has gone by, and no trigger fired meanwhile.

    It counts since the candidate has had all the traffic there, or since anything at all changed there.
    """
    lasts = gate.lasts

    def judge(case: Case) -> Finding:
        since = _since(name, gate, case)
        if isinstance(since, Finding):
            return since
        ends, lasted = since + lasts, _Lasted(gate, since, case.at, case.zone)
        if case.at >= ends:
            return met(name, "{}", lasted)
        remedy = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(ends, case.zone)}", at=ends)
        return unmet(name, "{}", lasted, remedies=(remedy,))

    return judge


class _Lasted(NamedTuple):
    """For how long, of how long: `stage has served it for 23 h 59 min of 24 h, since Sun 1 Mar 2026 10:00 CET`."""

    gate: SoakGate
    since: datetime
    at: datetime
    zone: ZoneInfo

    def __str__(self) -> str:
        place, wanted = self.gate.environment, wording.lasting(self.gate.lasts)
        what = f"{place} has served it" if self.gate.measure == "candidate" else f"nothing changed in {place}"
        lasted, since = wording.lasting(self.at - self.since), wording.instant(self.since, self.zone)
        if self.at - self.since >= self.gate.lasts:
            return f"{what} for {lasted} since {since}; {wanted} are required"
        return f"{what} for {lasted} of {wanted}, since {since}"


def _since(name: str, gate: SoakGate, case: Case) -> datetime | Finding:
    """Since when it counts, or why it does not."""
    candidate, soaks = case.facts.candidate, case.facts.evidence.soaks
    if type(candidate) is Unknown:
        return unknown(name, "{}", candidate.why)
    if type(soaks) is not Unknown and (soak := soaks.get(gate.environment)) is not None:
        return _undisturbed(name, gate, short(candidate.digest), soak)
    if type(soaks) is Unknown and soaks != NOT_GATHERED:
        return unknown(name, "{}", soaks.why)
    serving = case.facts.source_serving
    if gate.measure != "candidate" or gate.environment != case.question.source:
        return unknown(name, "nobody looked since when {} is as it is", gate.environment)
    if type(serving) is Unknown:
        return unknown(name, "{}", serving.why)
    if serving.digest != candidate.digest:
        return _elsewhere(name, gate, short(candidate.digest))
    return serving.since


def _undisturbed(name: str, gate: SoakGate, digest: str, soak: Undisturbed) -> datetime | Finding:
    if soak.trouble:
        return unmet(name, "{} was in trouble meanwhile: {}", gate.environment, soak.trouble)
    if gate.measure == "candidate":
        return soak.candidate_since or _elsewhere(name, gate, digest)
    if soak.environment_since is None:
        return unknown(name, "since when nothing changed in {} is not known", gate.environment)
    return soak.environment_since


def _elsewhere(name: str, gate: SoakGate, digest: str) -> Finding:
    return unmet(name, "{} does not serve {}, so it does not soak", gate.environment, digest)
