"""What does each rule find, once warnings, acknowledgements and waivers are reckoned in? Nothing here raises."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from policy.case import Case
from policy.document import Policy
from policy.exceptions import doubted, waivers
from policy.facts import Facts, Question
from policy.finding import BLOCKING, Finding, Remedy, RemedyKind, Standing, unknown, written_at
from policy.gates import Mode, Waivable
from policy.rulebook import Rule, Rulebook
from policy.votes import Count, counted, if_confirmed
from policy.wording import All, At, listed


class Judging:
    """The rules of one case, each judged once."""

    __slots__ = ("_asking", "_blockers", "_earlier", "_findings", "_found", "case", "resting", "rules")

    def __init__(self, rules: Rulebook, case: Case) -> None:
        self.rules = rules
        self.case = case
        self.resting: set[int] = set()
        """Places of the rules that asked what others find."""
        self._found: list[Finding] = []
        self._earlier: dict[int, Finding] = {}
        """By place: those that were asked for before it was their turn."""
        self._asking: int | None = None
        """The place of the one among them that is being judged."""
        self._findings: tuple[Finding, ...] | None = None
        self._blockers: tuple[int, ...] | None = None
        case.judged_by(self._named)

    def findings(self) -> tuple[Finding, ...]:
        """What they find, in their order."""
        if self._findings is None:
            found, earlier, case = self._found, self._earlier, self.case
            for place, rule in enumerate(self.rules):
                found.append(earlier[place] if earlier and place in earlier else judged(rule, case))
            self._findings = tuple(found)
        return self._findings

    @property
    def blockers(self) -> tuple[int, ...]:
        """The places of those that block."""
        if self._blockers is None:
            findings = enumerate(self.findings())
            self._blockers = tuple([place for place, finding in findings if finding.standing in BLOCKING])
        return self._blockers

    def finding(self, place: int) -> Finding:
        """What the rule in that place finds."""
        if place < len(self._found):
            return self._found[place]
        if place not in self._earlier:
            rule, before = self.rules[place], self._asking
            self._earlier[place] = unknown(rule.requires, "it rests on itself")
            self._asking = place
            self._earlier[place] = judged(rule, self.case)
            self._asking = before
        return self._earlier[place]

    def _named(self, name: str) -> Finding:
        self.resting.add(len(self._found) if self._asking is None else self._asking)
        place = self.rules.places.get(name)
        return unknown(name, "nothing here judges {}", name) if place is None else self.finding(place)


def judge(rules: Rulebook, question: Question, facts: Facts, policy: Policy, at: datetime) -> Judging:
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
    """What the rule finds, and what the policy makes of that; unknown where that cannot be said.

    What does not simply pass says where its rule is written; to say it of all takes a tenth of the time.
    """
    try:
        finding = rule.judge(case)
        if finding.standing not in BLOCKING:
            return finding
        if rule.mode is not Mode.BLOCK or rule.waivable is not Waivable.NEVER:
            finding = _reckoned(rule, finding, case)
    except Exception as error:  # noqa: BLE001 (a rule that fails for whatever reason must not let anything through)
        fault = type(error).__name__
        finding = unknown(rule.requires, "this could not be judged, for a fault of the bot's ({})", fault)
    return written_at(rule.source, finding)


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
