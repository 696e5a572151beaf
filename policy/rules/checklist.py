"""Is every item of the list done?"""

from __future__ import annotations

from typing import Final, NamedTuple

from policy import wording
from policy.case import Case, Judge
from policy.document import Policy
from policy.facts import Question
from policy.finding import BLOCKING, Finding, Standing, met, unknown
from policy.gates import ChecklistGate, Item
from policy.model import Unknown
from policy.rules.attest import APPROVER, REQUESTER, stating
from policy.votes import counted

GATE, EITHER = "gate", "either"
_MET: Final = Standing.MET


def all_done(name: str, gate: ChecklistGate) -> Judge:
    """Each item is ticked: by the gate that it names, as that stands in this very case, or by the people it names.

    People tick `CHECKLIST.ITEM`. What a gate ticks, people cannot.
    """

    def listed(policy: Policy, _: Question) -> _List:
        items = policy.checklists[gate.checklist]
        ticks = tuple(_Tick(item, item.by == GATE, item.gate or "", f"{gate.checklist}.{item.id}") for item in items)
        by_people = any(item.by in {APPROVER, EITHER} for item in items)
        return _List(ticks, by_people, met(name, "all {} items are done", len(items)))

    def judge(case: Case) -> Finding:
        ticks, by_people, done = case.beforehand(listed)
        count = case.once(counted) if by_people else None
        agreed = _NOTHING if count is None or type(count) is Unknown else count.confirmed
        undone: list[_Undone] = []
        finding_of, stated = case.finding, case.facts.confirmed
        for item, by_gate, named, tick in ticks:
            if by_gate:
                finding = finding_of(named)
                if finding[1] is not _MET and finding[1] in BLOCKING:
                    undone.append(_Undone(item, tick, finding))
            elif not _ticked(item, tick, stated, agreed):
                if type(count) is Unknown and item.by == APPROVER:
                    return unknown(name, "{}", count.why)
                undone.append(_Undone(item, tick))
        return _left(name, undone, len(ticks), case) if undone else done

    return judge


class _Tick(NamedTuple):
    """An item, and what ticks it."""

    item: Item
    by_gate: bool
    gate: str
    """Which, if one does."""
    said: str
    """What people say to tick it."""


class _List(NamedTuple):
    """A checklist, as the policy has it."""

    ticks: tuple[_Tick, ...]
    by_people: bool
    """Whether somebody who agrees may tick some of them."""
    done: Finding


_NOTHING: Final = frozenset[str]()


def _left(name: str, undone: list[_Undone], number: int, case: Case) -> Finding:
    """What of so many items is not done, and what would help."""
    people = [one for one in undone if one.finding is None]
    unsure = all(one.finding is not None and one.finding.standing is Standing.UNKNOWN for one in undone)
    asked = tuple(one.tick for one in people if one.item.by != APPROVER)
    by_them = tuple(one.tick for one in people if one.item.by == APPROVER)
    what = wording.listed(one.item.text for one in people)
    remedies = stating(case, asked, by_them, f"this is done: {what}") if people else ()
    says = "{} of {} items are not done: " + "; ".join(["{}"] * len(undone))
    standing = Standing.UNKNOWN if unsure else Standing.UNMET
    waits = bool(remedies) and not asked and len(people) == len(undone)
    return Finding(name, standing, says, (len(undone), number, *undone), remedies, waits)


def _ticked(item: Item, tick: str, stated: frozenset[str], agreed: frozenset[str]) -> bool:
    return (tick in stated and item.by != APPROVER) or (tick in agreed and item.by != REQUESTER)


class _Undone(NamedTuple):
    """An item that is not done, and why or who ticks it."""

    item: Item
    tick: str
    finding: Finding | None = None
    """What its gate found."""

    def __str__(self) -> str:
        if self.finding is not None:
            return f"{self.item.text} ({self.finding.rule}: {self.finding.reason})"
        whose = {REQUESTER: "whoever asked", APPROVER: "somebody who agrees"}
        return (
            f"{self.item.text} ({whose.get(self.item.by, 'whoever asked, or somebody who agrees,')} states {self.tick})"
        )
