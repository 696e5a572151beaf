"""What does each rule find, once warnings, acknowledgements and waivers are reckoned in? Nothing here raises."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

from policy.case import Case
from policy.document import Policy
from policy.exceptions import doubted, waivers
from policy.facts import Facts, Question
from policy.finding import BLOCKING, Finding, Remedy, RemedyKind, Standing, unknown, written_at
from policy.gates import Mode, Waivable
from policy.model import Human
from policy.reading import AT, Read, Reread, changed
from policy.rulebook import Rule, Rulebook
from policy.votes import Count, counted, if_confirmed
from policy.wording import All, At, listed


class Judging:
    """The rules of one case, each judged once."""

    __slots__ = (
        "_asking",
        "_blockers",
        "_blocking",
        "_earlier",
        "_findings",
        "_found",
        "case",
        "facts",
        "resting",
        "rules",
    )

    def __init__(self, rules: Rulebook, case: Case, facts: Facts) -> None:
        self.rules = rules
        self.case = case
        self.facts = facts
        self.resting: set[int] = set()
        """Places of the rules that asked what others find."""
        self._found: list[Finding] = []
        self._blocking: list[int] = []
        """The places of those of them that block."""
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
            rules, found = self.rules, self._found
            while len(found) < len(rules):
                try:
                    self._find()
                except Exception as error:  # noqa: BLE001 (as in `judged`, but for all of them one `try`)
                    self._blocking.append(len(found))
                    found.append(_fault(rules[len(found)], error))
            self._findings, self._blockers = tuple(found), tuple(self._blocking)
        return self._findings

    def _find(self) -> None:
        """What is left to be found, until one of the rules fails."""
        rules, case, found, earlier = self.rules, self.case, self._found, self._earlier
        for judge in rules.judges[len(found) :]:
            seen = len(found) in earlier
            finding = earlier[len(found)] if seen else judge(case)
            if finding[1] in BLOCKING:
                if not seen:
                    finding = _reckoned(rules[len(found)], finding, case)
                if finding.standing in BLOCKING:
                    self._blocking.append(len(found))
            found.append(finding)

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
            self._earlier[place] = self._judged(place, rule)
            self._asking = before
        return self._earlier[place]

    def _judged(self, _place: int, rule: Rule) -> Finding:
        return judged(rule, self.case)

    def _named(self, name: str) -> Finding:
        found, place = self._found, self.rules.places.get(name)
        self.resting.add(len(found) if self._asking is None else self._asking)
        if place is None:
            return unknown(name, "nothing here judges {}", name)
        return self.finding(place)


class _OneByOne(Judging):
    """Each of its rules may be judged in another way."""

    __slots__ = ()

    def findings(self) -> tuple[Finding, ...]:
        if self._findings is None:
            found, earlier = self._found, self._earlier
            for place, rule in enumerate(self.rules):
                found.append(earlier[place] if place in earlier else self._judged(place, rule))
            self._findings = tuple(found)
        return self._findings


class Reading(_OneByOne):
    """It writes down what each rule reads, so that little has to be judged again, on other facts or at another time."""

    __slots__ = ("_before", "read", "reads")

    def __init__(self, rules: Rulebook, case: Case, before: Reading | None = None) -> None:
        self.read = Read(case)
        self.reads: dict[int, AbstractSet[str]] = {}
        """By place: what the rule there reads."""
        self._before = before
        """The same on the same facts at another instant."""
        if before is not None:
            before.findings()
            self.read.known.update({work: known for work, known in before.read.known.items() if AT not in known[1]})
        super().__init__(rules, self.read, case.facts)

    def finding(self, place: int) -> Finding:
        found = super().finding(place)
        self.read.reads |= self.reads.get(place, _NOTHING)
        return found

    def _judged(self, place: int, rule: Rule) -> Finding:
        before = self._before
        if before is not None and AT not in before.reads[place]:
            self.reads[place] = before.reads[place]
            if place in before.resting:
                self.resting.add(place)
            return before.findings()[place]
        asking, self.read.reads = self.read.reads, set()
        found = judged(rule, self.case)
        self.reads[place], self.read.reads = self.read.reads, asking
        return found


_NOTHING = frozenset[str]()


class Again(_OneByOne):
    """The same at the same instant on other facts: only what reads those that changed is judged."""

    __slots__ = ("_before", "_changes")

    def __init__(self, before: Reading, facts: Facts) -> None:
        self._before = before
        self._changes = changed(before.facts, facts)
        super().__init__(before.rules, Reread(before.read, facts, self._changes), facts)

    def _judged(self, place: int, rule: Rule) -> Finding:
        found = self._before.findings()[place]
        return found if self._before.reads[place].isdisjoint(self._changes) else judged(rule, self.case)


def judge(rules: Rulebook, question: Question, facts: Facts, policy: Policy, at: datetime) -> Judging:
    """All of them to be judged, once."""
    case = Case(question, facts, policy, at)
    if not facts.exceptions:
        return Judging(rules, case, facts)
    return _first_allowed(case, lambda case: Judging(rules, case, case.facts))


def read(rules: Rulebook, question: Question, facts: Facts, policy: Policy, at: datetime) -> Reading:
    """The same, with what each of them reads."""
    return _first_allowed(Case(question, facts, policy, at), partial(Reading, rules))


def later(before: Reading, at: datetime) -> Reading:
    """The same as before at another instant."""
    case = Case(before.case.question, before.facts, before.case.policy, at)
    if _whom(case) == (before.case.barred,):
        return Reading(before.rules, case, before)
    return read(before.rules, case.question, case.facts, case.policy, at)


def again(before: Reading, facts: Facts) -> Judging:
    """The same as before on other facts."""
    case = Case(before.case.question, facts, before.case.policy, before.case.at)
    if _whom(case) == (before.case.barred,):
        return Again(before, facts)
    return judge(before.rules, case.question, facts, case.policy, case.at)


AnyJudging = TypeVar("AnyJudging", bound=Judging)


def _first_allowed(case: Case, made: Callable[[Case], AnyJudging]) -> AnyJudging:
    """Whose vote is left out for an exception's sake is tried until it is allowed."""
    *choices, last = _whom(case)
    for barred in choices:
        judging = made(Case(case.question, case.facts, case.policy, case.at, barred))
        if not judging.blockers:
            return judging
    return made(Case(case.question, case.facts, case.policy, case.at, last) if last else case)


def _whom(case: Case) -> tuple[frozenset[Human], ...]:
    """Whose votes may have to be left out, to be tried one after the other."""
    try:
        return doubted(case)
    except Exception:  # noqa: BLE001 (what is wrong with the exceptions, each rule that rests on one will say)
        return (frozenset(),)


def judged(rule: Rule, case: Case) -> Finding:
    """What the rule finds, and what the policy makes of that; unknown where that cannot be said.

    What does not simply pass says where its rule is written; to say it of all takes a tenth of the time.
    """
    try:
        finding = rule.judge(case)
        return _reckoned(rule, finding, case) if finding.standing in BLOCKING else finding
    except Exception as error:  # noqa: BLE001 (a rule that fails for whatever reason must not let anything through)
        return _fault(rule, error)


def _fault(rule: Rule, error: Exception) -> Finding:
    says = "this could not be judged, for a fault of the bot's ({})"
    return written_at(rule.source, unknown(rule.requires, says, type(error).__name__))


def _reckoned(rule: Rule, finding: Finding, case: Case) -> Finding:
    """What becomes of a finding that would block, with where its rule is written."""
    return written_at(rule.source, _let_through(rule, finding, case))


def _let_through(rule: Rule, finding: Finding, case: Case) -> Finding:
    """The same, or what it is where the rule only warns, somebody saw it, or it is waived."""
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
