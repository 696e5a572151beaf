"""Would something be lost that already shipped?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from policy import done, wording
from policy.case import Case, Judge
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import LostChangesGate
from policy.model import Unknown

HOTFIX = "hotfix"
COMES_BY = "comes_by"
"""The pull requests that bring hotfixes to where candidates come from: `#12 into main`."""
CALLED = {
    HOTFIX: "the candidate lacks what was shipped as {}; promote one that has it",
    "reverted_promotion": "{} would be missing, because an earlier promotion of it was reverted",
}


def nothing_lost(name: str, gate: LostChangesGate) -> Judge:
    """Every hotfix that shipped is in the candidate, and no revert would silently take out what is promoted again."""
    look_for, nothing = gate.look_for, met(name, "nothing is lost that shipped before")

    def judge(case: Case) -> Finding:
        lost = case.facts.evidence.lost
        if type(lost) is Unknown:
            return unknown(name, "{}", lost.why)
        for what in look_for:
            found = lost.get(what)
            if found or found is None:
                return _lost(name, gate, case, lost)
        return nothing

    return judge


def _lost(name: str, gate: LostChangesGate, case: Case, lost: Mapping[str, tuple[str, ...]]) -> Finding:
    """What would be, or where nobody looked."""
    would_lose = {what: lost[what] for what in gate.look_for if lost.get(what)}
    unseen = [what for what in gate.look_for if what not in lost]
    if would_lose:
        says = "; ".join(CALLED[what].format(wording.listed(lost)) for what, lost in would_lose.items())
        brings = lost.get(COMES_BY, ())
        mendable = not unseen and (HOTFIX not in would_lose or bool(brings))
        return unmet(name, "{}", says, remedies=tuple(_remedies(case, would_lose, brings)) if mendable else ())
    return unknown(name, "nobody looked for a lost {}", unseen[0].replace("_", " "))


def _remedies(case: Case, would_lose: Iterable[str], brings: tuple[str, ...]) -> Iterator[Remedy]:
    """One for each sort of thing that would be lost."""
    for what in would_lose:
        says = f"revert the revert in {case.question.target} first"
        if what == HOTFIX:
            says = f"merge {wording.listed(brings)} for the next candidate"
        yield Remedy(RemedyKind.EVIDENCE, says, applied=done.seen_of("lost", what, ()))
