"""Is there something verified to go back to, should it go wrong?"""

from __future__ import annotations

from dataclasses import replace

from policy import done
from policy.case import Case, Judge
from policy.evidence import WayBack
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import RollbackReadyGate
from policy.model import Unknown


def rollback_ready(name: str, _: RollbackReadyGate) -> Judge:
    """The revision that a rollback would go to was verified, is ready, and its image can still be had."""

    def judge(case: Case) -> Finding:
        back = case.facts.evidence.way_back
        if type(back) is Unknown:
            return unknown(name, "{}", back.why)
        if back is None:
            return unmet(name, "no rollback target for {}: nothing verified is left", case.question.service)
        if back.ready and back.retrievable is True:
            return met(name, "{} is ready to go back to", back.revision)
        return _not_ready(name, back, case)

    return judge


def _not_ready(name: str, back: WayBack, case: Case) -> Finding:
    again = done.seen(way_back=replace(back, ready=True, retrievable=True))
    if not back.ready:
        remedy = Remedy(RemedyKind.EVIDENCE, f"{back.revision} is ready, and its image can be had", applied=again)
        says = "no rollback target for {}: {} is not ready"
        return unmet(name, says, case.question.service, back.revision, remedies=(remedy,))
    if type(back.retrievable) is Unknown:
        says = "whether {} could still be started is not known: {}"
        return unknown(name, says, back.revision, back.retrievable.why)
    remedy = Remedy(RemedyKind.EVIDENCE, f"the image of {back.revision} can be had again", applied=again)
    says = "no rollback target for {}: the image of {} is gone"
    return unmet(name, says, case.question.service, back.revision, remedies=(remedy,))
