"""What does each rule find, once warnings, acknowledgements and waivers are reckoned in? Nothing here raises."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Final, NamedTuple, cast

from policy.case import Case, Judge
from policy.document import Policy
from policy.exceptions import doubted, waivers
from policy.facts import Facts, Question
from policy.finding import BLOCKING, Finding, Remedy, RemedyKind, Standing, unknown, written_at
from policy.gates import Mode, Waivable
from policy.model import Human
from policy.reading import ANYTHING, WAIVED, Reread
from policy.rulebook import Rule, Rulebook
from policy.votes import Count, counted, if_confirmed
from policy.wording import All, At, listed


class Judging:
    """The rules of one case, each judged once."""

    __slots__ = (
        "_blockers",
        "_blocking",
        "_findings",
        "_found",
        "anew",
        "case",
        "facts",
        "later",
        "rules",
    )

    def __init__(self, rules: Rulebook, case: Case, facts: Facts) -> None:
        self.rules = rules
        self.case = case
        self.facts = facts
        self.anew: Container[int] = range(len(rules))
        """Places of those that may find something else than they did before."""
        self.later: dict[datetime, Judging] = {}
        """The same at other instants."""
        self._found: list[Finding | None] = [None] * len(rules)
        """By place; None: nobody asked for it yet."""
        self._blocking: list[int] = []
        """The places of those that block, as they were found."""
        self._findings: tuple[Finding, ...] | None = None
        self._blockers: tuple[int, ...] | None = None
        case.judged_by(self._named)

    def findings(self) -> tuple[Finding, ...]:
        """What they find, in their order."""
        if self._findings is None:
            turns = iter(self.rules.turns)
            while not self._found_by_all(turns):
                pass
            self._findings = tuple(cast("list[Finding]", self._found))  # each had its turn
        return self._findings

    def _found_by_all(self, turns: Iterator[tuple[int, Judge]]) -> bool:
        """Whether those whose turn it still was all found something; one that fails ends it, and finds a fault."""
        rules, case, found, blocking, place = self.rules, self.case, self._found, self._blocking, 0
        try:
            for place, judge in turns:
                finding = found[place]
                if finding is None:
                    finding = found[place] = judge(case)
                    if finding[1] is _MET:  # as nearly all of them are
                        continue
                    if finding[1] in BLOCKING:
                        finding = found[place] = _reckoned(rules[place], finding, case)
                if finding[1] in BLOCKING:
                    blocking.append(place)
        except Exception as error:  # noqa: BLE001 (as in `judged`, but for all of them one `try`)
            found[place] = _fault(rules[place], error)
            blocking.append(place)
            return False
        return True

    @property
    def blockers(self) -> tuple[int, ...]:
        """The places of those that block."""
        if self._blockers is None:
            self.findings()
            self._blockers = tuple(sorted(self._blocking)) if self._blocking else ()
        return self._blockers

    def finding(self, place: int) -> Finding:
        """What the rule in that place finds."""
        found = self._found[place]
        if found is None:
            rule = self.rules[place]
            self._found[place] = unknown(rule.requires, "it rests on itself")
            found = self._found[place] = judged(rule, self.case)
        return found

    def done(self) -> None:
        """Nobody asks it any more, nor the same at other instants; all of it goes with what was decided."""
        for then in self.later.values():
            then.done()
        self.later.clear()
        self.case.judged()

    def _named(self, name: str) -> Finding:
        place = self.rules.places.get(name)
        if place is None:
            return unknown(name, "nothing here judges {}", name)
        return self.finding(place)


class Again(Judging):
    """The same on other facts or at another instant: only what looks at something that changed is judged."""

    __slots__ = ("_before", "_places", "_weighed")

    def __init__(self, before: Judging, case: Reread) -> None:
        rules = before.rules
        super().__init__(rules, case, case.facts)
        self._before = before
        looking = rules.looking_at(case.changes)
        self._weighed = _otherwise_waived(before, case).difference(looking) if WAIVED in case.changes else _NOWHERE
        """Places of those that find the same, while something else may be made of it."""
        self._places = looking | rules.resting_on(self._weighed) if self._weighed else looking
        self.anew = self._places

    def findings(self) -> tuple[Finding, ...]:
        if self._findings is None:
            self._findings = tuple([self.finding(place) for place in range(len(self.rules))])
        return self._findings

    @property
    def blockers(self) -> tuple[int, ...]:
        if self._blockers is None:
            places = sorted(self._places.union(self._before.blockers))
            self._blockers = tuple([place for place in places if self.finding(place).standing in BLOCKING])
        return self._blockers

    def finding(self, place: int) -> Finding:
        found = self._found[place]
        if found is None:
            found = self._found[place] = self._judged(place) if place in self._places else self._before.finding(place)
        return found

    def _judged(self, place: int) -> Finding:
        rule = self.rules[place]
        if rule.rests_on or rule.looks_at is ANYTHING:
            self._found[place] = unknown(rule.requires, "it rests on itself")
        elif place in self._weighed and rule.mode is Mode.BLOCK:
            found = self._before.finding(place)
            if found.standing in BLOCKING:
                return judged(rule, self.case, found)
            if found.standing is not Standing.WAIVED:
                return found
        return judged(rule, self.case)


def _otherwise_waived(before: Judging, case: Case) -> frozenset[int]:
    """Places of those that another exception reaches now, or none."""
    was, now = before.case.once(waivers), case.once(waivers)
    names = [name for name in (*was, *now) if was.get(name) != now.get(name)]
    return frozenset([place for name in names for place in before.rules.named.get(name, ())])


_NOWHERE: Final = frozenset[int]()
_MET: Final = Standing.MET


def judge(rules: Rulebook, question: Question, facts: Facts, policy: Policy, at: datetime) -> Judging:
    """All of them to be judged; whose vote is left out for an exception's sake is tried until it is allowed."""
    case = Case(question, facts, policy, at)
    if not facts.exceptions:
        return Judging(rules, case, facts)
    *choices, last = _whom(case)
    for barred in choices:
        judging = Judging(rules, Case(question, facts, policy, at, barred), facts)
        if not judging.blockers:
            return judging
    return Judging(rules, Case(question, facts, policy, at, last) if last else case, facts)


def later(before: Judging, at: datetime) -> Judging:
    """The same as before at another instant."""
    if at not in before.later:
        before.later[at] = _but(before, before.facts, at)
    return before.later[at]


def again(before: Judging, facts: Facts) -> Judging:
    """The same as before on other facts."""
    return _but(before, facts, before.case.at)


def _but(before: Judging, facts: Facts, at: datetime) -> Judging:
    case = Reread(before.case, facts, at)
    if _whom(case) == (case.barred,):
        return Again(before, case)
    return judge(before.rules, case.question, facts, case.policy, at)


def _whom(case: Case) -> tuple[frozenset[Human], ...]:
    """Whose votes may have to be left out, to be tried one after the other."""
    try:
        return doubted(case)
    except Exception:  # noqa: BLE001 (what is wrong with the exceptions, each rule that rests on one will say)
        return (frozenset(),)


def judged(rule: Rule, case: Case, found: Finding | None = None) -> Finding:
    """What the rule finds, or found before, and what the policy makes of that; unknown where that cannot be said.

    What does not simply pass says where its rule is written; to say it of all takes a tenth of the time.
    """
    try:
        finding = rule.judge(case) if found is None else found
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
        return _let_by(finding, Standing.WARNING, finding.says, finding.values)
    count = case.once(counted) if rule.mode is Mode.ACKNOWLEDGE else None
    if isinstance(count, Count) and rule.requires in count.confirmed:
        seen_by = All(tuple(vote.voter.name for vote in count.agreed if rule.requires in vote.confirms))
        return _let_by(finding, Standing.WARNING, "{}; {} saw it", (_Reason(finding), seen_by))
    waiver = case.once(waivers).get(rule.requires) if rule.waivable is not Waivable.NEVER else None
    if waiver is not None and (waiver.emergency or rule.waivable is Waivable.EXCEPTION):
        values: tuple[object, ...] = (_Reason(finding), waiver.by)
        if waiver.ends_at is not None:
            values = (*values, At(waiver.ends_at, case.zone))
        says = "{}; waived by {}" + (" until {}" if waiver.ends_at is not None else "")
        return _let_by(finding, Standing.WAIVED, says, values, waiver.by)
    return _to_be_seen(rule, finding, case, count) if isinstance(count, Count) else finding


class _Reason(NamedTuple):
    """What a finding says, put into words only where somebody reads it."""

    finding: Finding

    def __str__(self) -> str:
        return self.finding.reason


def _let_by(finding: Finding, standing: Standing, says: str, values: tuple[object, ...], by: str = "") -> Finding:
    """The finding without what would block; nothing is left to be done about it."""
    return tuple.__new__(Finding, (finding.rule, standing, says, values, (), False, finding.source, by))


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
