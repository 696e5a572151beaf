"""May the change do to the database what it says that it does?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import CheckState, Database
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import DatabaseGate
from policy.model import Unknown

NONE = "none"
CONTRACT = "contract"
"""Takes away what an `expand` step made superfluous."""


def database(name: str, gate: DatabaseGate) -> Judge:
    """What it does was declared and may be done; its way back was tried; what it takes away has been unused so long."""
    down_required, after = gate.down_required, gate.contract_after
    allowed = {declared: met(name, "it declares: {}", declared) for declared in gate.allows}

    def judge(case: Case) -> Finding:
        change = case.facts.evidence.database
        if type(change) is Unknown:
            return unknown(name, "{}", change.why)
        finding = allowed.get(change.declared)
        if finding is None or (down_required and _no_way_back(change)):
            return _not_so(name, gate, change)
        if change.declared == CONTRACT and after is not None:
            return _cooled(name, after, change, case)
        return finding

    return judge


def _no_way_back(change: Database) -> bool:
    """Whether one lacks, or was not tried; where nothing changes there is nothing to try."""
    return bool(change.without_down) or (change.declared != NONE and change.roundtrip is not CheckState.PASSED)


def _not_so(name: str, gate: DatabaseGate, change: Database) -> Finding:
    """Everything that is wrong, and what would mend it: not what it does, for that is what it does."""
    allowed = wording.listed(gate.allows, "or")
    wrong, mends = [], []
    if not change.declared:
        wrong.append("nobody declared what it does to the database")
        mends.append(f"it is declared: {allowed}")
    elif change.declared not in gate.allows:
        wrong.append(f"it declares {change.declared}, and may be {allowed}")
    if gate.down_required and change.without_down:
        wrong.append(f"no way back from {wording.listed(change.without_down)}")
        mends.append("each migration gets its way back")
    if gate.down_required and change.declared not in {"", NONE} and change.roundtrip is not CheckState.PASSED:
        wrong.append(f"going down and up again {_TRIED[change.roundtrip]}")
        mends.append("going down and up again passes")
    mended = replace(change, declared=_declared(gate, change), without_down=(), roundtrip=CheckState.PASSED)
    remedy = Remedy(RemedyKind.EVIDENCE, wording.listed(mends), applied=done.seen(database=mended))
    return unmet(name, "{}", wording.All(tuple(wrong)), remedies=(remedy,) if mended.declared else ())


_TRIED = {None: "was not tried", CheckState.FAILED: "failed", CheckState.PENDING: "has not finished"}


def _declared(gate: DatabaseGate, change: Database) -> str:
    """What it declares, or could; empty where that is not allowed, or would have to wait besides."""
    could = [each for each in gate.allows if each != CONTRACT or gate.contract_after is None]
    return next((each for each in could if change.declared in {"", each}), "")


def _cooled(name: str, lasts: timedelta, change: Database, case: Case) -> Finding:
    """The step before it was verified so long ago."""
    if change.expanded_at is None:
        return unmet(name, "it takes away, and that its expand step was verified is recorded nowhere")
    ends, gone, wanted = change.expanded_at + lasts, wording.For(case.at - change.expanded_at), wording.For(lasts)
    if case.at >= ends:
        return met(name, "its expand step was verified {} ago; {} are required", gone, wanted)
    remedy = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(ends, case.zone)}", at=ends)
    return unmet(name, "its expand step was verified {} ago of {}", gone, wanted, remedies=(remedy,))
