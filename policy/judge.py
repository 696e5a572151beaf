"""What does each rule find, once warnings, acknowledgements and waivers are reckoned in? Nothing here raises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from policy.case import Case
from policy.document import Policy
from policy.exceptions import doubted, waivers
from policy.facts import Facts, Question
from policy.finding import BLOCKING, Finding, Remedy, RemedyKind, Standing, unknown, written_at
from policy.gates import Mode, Waivable
from policy.rulebook import Rule
from policy.votes import Count, counted, if_confirmed
from policy.wording import All, At, listed


class Judging:
    """The rules of one case, each judged once, when it is first asked for."""

    __slots__ = ("_blockers", "_found", "_judged", "_places", "case", "resting", "rules")

    def __init__(self, rules: Sequence[Rule], case: Case) -> None:
        self.rules = rules
        self.case = case
        self.resting: set[int] = set()
        """Places of the rules that asked what others find."""
        self._found: list[Finding | None] = [None] * len(rules)
        self._judged = 0
        self._places: dict[str, int] | None = None
        self._blockers: tuple[int, ...] | None = None
        case.judged_by(self._named)

    def findings(self) -> tuple[Finding, ...]:
        """What they find, in their order."""
        found = self._found
        for place, rule in enumerate(self.rules):
            if found[place] is None:
                self._judge(place, rule)
        return tuple(found)  # type: ignore[arg-type] # each of them was just judged

    @property
    def blockers(self) -> tuple[int, ...]:
        """The places of those that block."""
        if self._blockers is None:
            findings = enumerate(self.findings())
            self._blockers = tuple([place for place, finding in findings if finding.standing in BLOCKING])
        return self._blockers

    def finding(self, place: int) -> Finding:
        """What the rule in that place finds."""
        return self._found[place] or self._judge(place, self.rules[place])

    def _named(self, name: str) -> Finding:
        if self._places is None:
            self._places = {rule.requires: place for place, rule in enumerate(self.rules)}
        place, asking = self._places.get(name), self._judged
        self.resting.add(asking)
        finding = unknown(name, "nothing here judges {}", name) if place is None else self.finding(place)
        self._judged = asking
        return finding

    def _judge(self, place: int, rule: Rule) -> Finding:
        self._judged = place
        self._found[place] = unknown(rule.requires, "it rests on itself")
        finding = self._found[place] = judged(rule, self.case)
        return finding


def judge(rules: Sequence[Rule], question: Question, facts: Facts, policy: Policy, at: datetime) -> Judging:
    """All of them to be judged. Whose vote is left out for an exception's sake is tried until it is allowed."""
    case = Case(question, facts, policy, at)
    try:
        whom = doubted(case)
    except Exception:  # noqa: BLE001 (what is wrong with the exceptions, each rule that rests on one will say)
        whom = (frozenset(),)
    for barred in whom[:-1]:
        judging = Judging(rules, Case(question, facts, policy, at, barred))
        if not judging.blockers:
            return judging
    return Judging(rules, Case(question, facts, policy, at, whom[-1]) if whom[-1] else case)


def judged(rule: Rule, case: Case) -> Finding:
    """What the rule finds, and what the policy makes of that; unknown where that cannot be said."""
    try:
        finding = rule.judge(case)
        if finding.standing in BLOCKING and (rule.mode is not Mode.BLOCK or rule.waivable is not Waivable.NEVER):
            finding = _reckoned(rule, finding, case)
    except Exception as error:  # noqa: BLE001 (a rule that fails for whatever reason must not let anything through)
        fault = type(error).__name__
        finding = unknown(rule.requires, "this could not be judged, for a fault of the bot's ({})", fault)
    return written_at(rule.source, finding) if rule.source else finding


def _reckoned(rule: Rule, finding: Finding, case: Case) -> Finding:
    """What becomes of a finding that would block."""
    if rule.mode is Mode.WARN:
        return _let_by(finding, Standing.WARNING)
    count = case.once(counted) if rule.mode is Mode.ACKNOWLEDGE else None
    if isinstance(count, Count) and rule.requires in count.confirmed:
        seen_by = All(tuple(vote.voter.name for vote in count.agreed if rule.requires in vote.confirms))
        return _let_by(finding, Standing.WARNING, "{}; {} saw it", _Reason(finding), seen_by)
    waiver = case.once(waivers).get(rule.requires) if rule.waivable is not Waivable.NEVER else None
    if waiver is not None and (waiver.emergency or rule.waivable is Waivable.EXCEPTION):
        values: tuple[object, ...] = (_Reason(finding), waiver.by)
        if waiver.ends_at is not None:
            values = (*values, At(waiver.ends_at, case.zone))
        says = "{}; waived by {}" + (" until {}" if waiver.ends_at is not None else "")
        return _let_by(finding, Standing.WAIVED, says, *values)._replace(by=waiver.by)
    return _to_be_seen(rule, finding, case, count) if isinstance(count, Count) else finding


class _Reason(NamedTuple):
    """What a finding says, put into words only where somebody reads it."""

    finding: Finding

    def __str__(self) -> str:
        return self.finding.reason


def _let_by(finding: Finding, standing: Standing, says: str = "", *values: object) -> Finding:
    """The finding without what would block; nothing is left to be done about it."""
    if not says:
        says, values = finding.says, finding.values
    return finding._replace(standing=standing, says=says, values=values, remedies=(), waits_for_people=False)


def _to_be_seen(rule: Rule, finding: Finding, case: Case, count: Count) -> Finding:
    """It blocks until somebody who agrees says that they saw it."""
    agreed = tuple(vote.voter.human for vote in count.agreed if vote.voter.human is not None)
    who = (*agreed, *count.helpers())
    remedies = finding.remedies
    if who:
        says = f"{listed(who, 'or')} agrees and says to have seen {rule.requires}"
        remedies = (*remedies, Remedy(RemedyKind.APPROVE, says, who, applied=if_confirmed(case, rule.requires)))
    says = "{}; somebody who agrees must say that they saw it"
    return finding._replace(says=says, values=(_Reason(finding),), remedies=remedies, waits_for_people=True)
