"""What would help, when does it open, and what else should people know? Advice is given only once it was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from policy import freezes, windows, wording
from policy.case import Case
from policy.document import ExceptionKind
from policy.exceptions import doubted, waivers
from policy.facts import Deed, ExceptionRecord, Facts, Question, Verdict
from policy.finding import BLOCKING, Applied, Finding, Remedy, RemedyKind, Standing, written_at
from policy.gates import Waivable
from policy.judge import Judging, judge
from policy.model import AccountKind, Human, Person, Unknown
from policy.rulebook import Rule
from policy.rules.approval import APPROVALS
from policy.rules.freeze import NO_FREEZE
from policy.rules.window import WINDOW
from policy.votes import Count, agreement, counted

TRIES = 1000
"""So many steps from opening to thaw to opening are looked at; more than any calendar has in its horizon."""

MOST_WAYS = 3
"""So many sets of remedies are shown."""

MOST_DECISIONS = 60
"""So many times it is decided anew to find them; far more than any but a hopeless question takes."""


class Explanation(NamedTuple):
    """What is added to the findings."""

    findings: tuple[Finding, ...]
    """With the advice that stood the trial, and no other."""
    earliest: datetime | None
    closes: datetime | None
    notes: tuple[str, ...]
    ways: tuple[tuple[Remedy, ...], ...]


def explain(judging: Judging) -> Explanation:
    """All of that, for a case whose rules are judged."""
    now, case = _State(judging), judging.case
    earliest = opening(judging)
    wait, later = None, None
    if earliest is not None:
        wait = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(earliest, case.zone)}", at=earliest)
        later = _State(judge(judging.rules, case.question, case.facts, case.policy, earliest))
    closes, why = _closes(judging) or (None, "")
    notes = (*_votes(judging), *_chances(judging), *([why] if why else []))
    if later is not None:
        notes = (*notes, *_too_late(judging, later.judging))
    return Explanation(_advised(now, wait, later), earliest, closes, notes, _ways(now, wait, later))


def _advised(now: _State, wait: Remedy | None, later: _State | None) -> tuple[Finding, ...]:
    """The findings, each with where its rule is written, and the advice that stood the trial; to wait comes first."""
    rules = now.judging.rules
    findings = [written_at(rule.source, finding) for rule, finding in zip(rules, now.judging.findings(), strict=True)]
    for place in now.judging.blockers:
        shown = now.shown(place)
        if wait is not None and later is not None and place not in later.judging.blockers:
            shown = (wait, *shown)
        if findings[place].remedies or shown:
            findings[place] = findings[place]._replace(remedies=shown)
    return tuple(findings)


# When it opens --------------------------------------------------------------------------------------------------------


def opening(judging: Judging) -> datetime | None:
    """The first instant at which every rule that turns with time is met; None: it is so now, or nobody knows one.

    Each says not before when it would be met; before the latest of these no instant can do, so it is judged next.
    """
    began = judging.case.at
    for _ in range(TRIES):
        findings = (judging.finding(place) for place in judging.rules.turning)
        blocking = [finding for finding in findings if finding.standing in BLOCKING]
        instant = judging.case.at
        if not blocking:
            return instant if instant != began else None
        opens = [_not_before(finding, judging.case) for finding in blocking]
        if any(opening is None or opening <= instant for opening in opens):
            return None
        judging = _turned(judging, max(opening for opening in opens if opening is not None))
    return None


def _not_before(finding: Finding, case: Case) -> datetime | None:
    """No earlier is it met or waived; None: not by waiting."""
    opens = [remedy.at for remedy in finding.remedies if remedy.kind is RemedyKind.WAIT and remedy.at is not None]
    exceptions = case.facts.exceptions
    if exceptions and not isinstance(exceptions, Unknown):
        opens += [x.starts_at for x in exceptions if finding.rule in x.waives and x.starts_at > case.at]
    return min(opens, default=None)


def _turned(judging: Judging, at: datetime) -> Judging:
    """The same at another instant, for rules that turn with time: whoever granted an exception agrees to nothing."""
    case = judging.case
    later = Case(case.question, case.facts, case.policy, at)
    *_, barred = doubted(later)
    return Judging(judging.rules, Case(case.question, case.facts, case.policy, at, barred) if barred else later)


# What would help ------------------------------------------------------------------------------------------------------


class _Option(NamedTuple):
    """A remedy that was tried on its own."""

    remedy: Remedy
    applied: Applied
    helps: frozenset[int]
    """Places of the rules that do not block any more."""


class _State:
    """What blocks at one instant with certain facts, and what would help there."""

    __slots__ = ("_options", "judging")

    def __init__(self, judging: Judging) -> None:
        self.judging = judging
        self._options: tuple[_Option, ...] | None = None

    @property
    def options(self) -> tuple[_Option, ...]:
        """What helps the very finding that proposes it; exceptions come last."""
        if self._options is None:
            found: list[_Option] = []
            for place, remedy in self._proposed():
                if not any(option.remedy == remedy and place in option.helps for option in found):
                    option = self._tried(remedy)
                    if option is not None and place in option.helps:
                        found.append(option)
            self._options = tuple(found)
        return self._options

    def shown(self, place: int) -> tuple[Remedy, ...]:
        """Those that are proposed for this finding, and help it."""
        proposed = self.judging.finding(place).remedies
        return tuple(
            option.remedy
            for option in self.options
            if place in option.helps and (option.remedy in proposed or option.remedy.kind is RemedyKind.EXCEPTION)
        )

    def covers(self, size: int) -> Iterator[tuple[_Option, ...]]:
        """Sets of so many that might do it: they help whatever blocks, but for what rests on other findings."""
        judging, options = self.judging, self.options
        helped = frozenset[int]().union(*(option.helps for option in options))
        if helped.union(judging.resting).issuperset(judging.blockers):
            seen = set()
            for cover in _covers(options, helped, size):
                if cover not in seen:
                    seen.add(cover)
                    yield tuple(option for place, option in enumerate(options) if place in cover)

    def after(self, cover: tuple[_Option, ...]) -> _State | None:
        """What it would be like then; None: that cannot be tried."""
        case = self.judging.case
        facts = _applied([option.applied for option in cover], case.facts)
        return None if facts is None else _State(judge(self.judging.rules, case.question, facts, case.policy, case.at))

    def _proposed(self) -> Iterator[tuple[int, Remedy]]:
        for place in self.judging.blockers:
            for remedy in self.judging.finding(place).remedies:
                if remedy.kind is not RemedyKind.WAIT:
                    yield place, remedy
        for remedy, places in _exceptions(self.judging):
            for place in places:
                yield place, remedy

    def _tried(self, remedy: Remedy) -> _Option | None:
        case, rules, blockers = self.judging.case, self.judging.rules, self.judging.blockers
        facts = None if remedy.applied is None else _applied([remedy.applied], case.facts)
        if facts is None or remedy.applied is None:
            return None
        after = judge(rules, case.question, facts, case.policy, case.at)
        helps = [place for place in blockers if after.finding(place).standing not in BLOCKING]
        return _Option(remedy, remedy.applied, frozenset(helps))


def _applied(remedies: Sequence[Applied], facts: Facts) -> Facts | None:
    try:
        for applied in remedies:
            facts = applied(facts)
    except Exception:  # noqa: BLE001 (advice that cannot be tried is not given)
        return None
    return facts


def _covers(options: Sequence[_Option], wanted: frozenset[int], size: int) -> Iterator[frozenset[int]]:
    """Sets of so many places among the options that together help all that is wanted."""
    if not wanted or size * max(len(option.helps) for option in options) < len(wanted):
        return
    able = {place: [n for n, option in enumerate(options) if place in option.helps] for place in wanted}
    hardest = min(wanted, key=lambda place: (len(able[place]), place))
    for number in able[hardest]:
        rest = wanted - options[number].helps
        if size == 1 and not rest:
            yield frozenset((number,))
        elif size > 1 and rest:
            for others in _covers(options, rest, size - 1):
                yield others | {number}


def _ways(now: _State, wait: Remedy | None, later: _State | None) -> tuple[tuple[Remedy, ...], ...]:
    """The smallest sets that were seen to do it: of what helps now, or of waiting and what helps then."""
    if not now.judging.blockers:
        return ()
    begun: list[tuple[tuple[Remedy, ...], _State]] = [((), now)]
    if wait is not None and later is not None:
        begun.append(((wait,), later))
    decisions = 0
    for size in range(1, len(now.judging.rules) + 1):
        found = [way for way, state in begun if len(way) == size and not state.judging.blockers]
        for way, state in tuple(begun):
            for cover in state.covers(size - len(way)) if len(way) < size else ():
                decisions += 1
                after = state.after(cover)
                if after is not None:
                    longer = (*way, *(option.remedy for option in cover))
                    if not after.judging.blockers:
                        found.append(longer)
                    else:
                        begun.append((longer, after))
                if len(found) >= MOST_WAYS or decisions >= MOST_DECISIONS:
                    return tuple(found[:MOST_WAYS])
        if found:
            return tuple(found)
    return ()


# Exceptions -----------------------------------------------------------------------------------------------------------


def _exceptions(judging: Judging) -> Iterator[tuple[Remedy, tuple[int, ...]]]:
    """One for each kind that may waive something of what blocks and that somebody can grant, and what it waives."""
    case = judging.case
    facts, policy = case.facts, case.policy
    if case.question.deed is not Deed.PROMOTE or isinstance(facts.exceptions, Unknown):
        return
    for name, kind in policy.exceptions.items():
        places = tuple(place for place in judging.blockers if _reaches(kind, judging.rules[place]))
        asking = _asking(case, name) if places else None
        if asking is not None:
            rules = tuple(judging.rules[place].requires for place in places)
            asks = "" if asking.asked_by is facts.asked_by else f"{asking.asked_by.name} asks for it, "
            grants = f"{wording.listed(asking.able, 'or')} can grant it"
            says = f"an exception ({name}) for {wording.listed(rules)}: {asks}{grants}"
            applied = _granted(case, name, kind, rules, asking.asked_by)
            yield Remedy(RemedyKind.EXCEPTION, says, asking.able, applied=applied), places


def _reaches(kind: ExceptionKind, rule: Rule) -> bool:
    may = rule.waivable is Waivable.EXCEPTION or (rule.waivable is Waivable.EMERGENCY and kind.emergency)
    return may and rule.requires in kind.waives


class _Asking(NamedTuple):
    """Who could ask for an exception, and who could grant it."""

    asked_by: Person
    able: tuple[Human, ...]


def _asking(case: Case, kind: str) -> _Asking | None:
    """None: nobody who may ask finds somebody who may grant it."""
    people, asked_by, roles = case.facts.people, case.facts.asked_by, case.policy.may.exception
    if isinstance(people, Unknown):
        return None
    others = (people[human] for human in sorted(people) if human != asked_by.human)
    for person in (asked_by, *others):
        if person.human is not None and _may(person, roles):
            count = counted(_granting(case, kind, person, frozenset()))
            if isinstance(count, Count) and count.still() is not None:
                return _Asking(person, count.helpers())
    return None


def _may(person: Person, roles: tuple[str, ...]) -> bool:
    return person.active and person.kind is AccountKind.HUMAN and not person.roles.isdisjoint(roles)


def _granting(case: Case, kind: str, asked_by: Person, without: frozenset[Human | None]) -> Case:
    """The case of that exception before anybody agreed; whoever asked for the promotion has no say in it."""
    question = Question(Deed.EXCEPTION, case.question.service, case.question.target, kind=kind)
    people = {} if isinstance(case.facts.people, Unknown) else case.facts.people
    out = without | {case.facts.asked_by.human}
    able = {human: person for human, person in people.items() if human not in out}
    return Case(question, Facts(asked_by, case.at, people=able), case.policy, case.at)


def _granted(case: Case, name: str, kind: ExceptionKind, rules: tuple[str, ...], asked_by: Person) -> Applied:
    """Granted to begin at once, by people who do not also agree to the promotion where there are such."""

    def applied(facts: Facts) -> Facts:
        then = Case(case.question, facts, case.policy, case.at)
        agreeing = frozenset(vote.voter.human for vote in facts.votes if vote.verdict is Verdict.APPROVE)
        counts = (
            counted(_granting(then, name, asked_by, without)) for without in (agreeing, frozenset[Human | None]())
        )
        granters = next((count.still() for count in counts if isinstance(count, Count) and count.still()), None)
        if not granters or isinstance(facts.people, Unknown):
            return facts
        record = ExceptionRecord(
            id="X-?",
            kind=name,
            waives=frozenset(rules),
            environment=case.question.target,
            service=case.question.service,
            digest=None if isinstance(facts.candidate, Unknown) else facts.candidate.digest,
            asked_by=asked_by,
            asked_at=case.at,
            starts_at=case.at,
            ends_at=None if kind.longest is None else case.at + kind.longest,
            fields=dict.fromkeys(kind.fields, "said"),
            uses=kind.uses,
            granted_by=tuple(facts.people[human] for human in granters),
            granted_at=case.at,
        )
        known = () if isinstance(facts.exceptions, Unknown) else facts.exceptions
        return replace(facts, exceptions=(*known, record))

    return applied


# Notes ----------------------------------------------------------------------------------------------------------------


def _votes(judging: Judging) -> Iterator[str]:
    """Each vote that fills no seat, and why."""
    count = judging.case.once(counted)
    if isinstance(count, Count):
        for entry in count.ignored:
            name = entry.vote.voter.name
            kind = "approval" if entry.vote.verdict is Verdict.APPROVE else "rejection"
            yield f"{name}'s {kind} does not count: {name} {entry.why}"
        for vote in count.spare:
            yield f"{vote.voter.name} agrees too; it was not needed"


def _chances(judging: Judging) -> Iterator[str]:
    """Other roads, and those that nobody can take."""
    case = judging.case
    policy, change = case.policy, case.change
    blocking = {judging.rules[place].requires: place for place in judging.blockers}
    if change is not None and change.emergency_outside_window and WINDOW in blocking and policy.emergency is not None:
        fields = wording.listed(policy.emergency.fields)
        yield f"outside the window it can be asked for as an emergency, with {fields}"
    if case.question.deed is Deed.PROMOTE and not isinstance(case.facts.people, Unknown):
        for name, kind in policy.exceptions.items():
            reached = [rule for rule, place in blocking.items() if _reaches(kind, judging.rules[place])]
            if reached and _asking(case, name) is None:
                rules = wording.listed(reached)
                yield f"an exception ({name}) would do for {rules}, but nobody is there to ask for it and to grant it"


def _closes(judging: Judging) -> tuple[datetime, str] | None:
    """What closes next of what is open now, and when; nothing where something is closed that time alone opens."""
    if any(judging.rules[place].turns_with_time for place in judging.blockers):
        return None
    found = [(at, order, says) for order, (at, says) in enumerate(_closing(judging)) if at > judging.case.at]
    if not found:
        return None
    at, _, says = min(found)
    return at, f"{says} {wording.instant(at, judging.case.zone)}"


def _closing(judging: Judging) -> Iterator[tuple[datetime, str]]:
    """All that is open and will close, whatever comes first."""
    case, findings = judging.case, judging.findings()
    met = {finding.rule for finding in findings if finding.standing is Standing.MET}
    if WINDOW in met and case.path is not None and case.path.gates.window is not None:
        change = windows.named(case.policy, case.path.gates.window).next_change(case.at)
        if change is not None:
            yield change, "the window closes"
    if NO_FREEZE in met:
        yield from _freezing(case)
    for finding in findings:
        waiver = case.once(waivers).get(finding.rule) if finding.standing is Standing.WAIVED else None
        if waiver is not None and waiver.ends_at is not None:
            yield waiver.ends_at, f"{waiver.by} ends"
    lapse = _lapse(case) if APPROVALS in met else None
    if lapse is not None:
        yield lapse, "the approvals lapse"
    if case.facts.expires_at is not None:
        yield case.facts.expires_at, "the request expires"


def _freezing(case: Case) -> Iterator[tuple[datetime, str]]:
    """Freezes that are coming."""
    declared = () if isinstance(case.facts.freezes, Unknown) else case.facts.freezes
    for freeze in freezes.in_scope(declared, case.question):
        if freeze.starts_at > case.at and freeze.holds(freeze.starts_at):
            yield freeze.starts_at, f"a freeze by {freeze.owner} begins"
    for recurring in freezes.recurring(case.policy, case.question.place):
        begins = None if recurring.schedule.is_open(case.at) else recurring.schedule.next_change(case.at)
        if begins is not None:
            yield begins, f"the freeze {recurring.says.name} begins"


def _lapse(case: Case) -> datetime | None:
    """The first instant at which the votes do not suffice any more, if nobody does anything."""
    count, terms = case.once(counted), agreement(case)
    if isinstance(count, Count) and not isinstance(terms, Unknown):
        for at in sorted({vote.at + terms.lasts for vote in count.agreed}):
            then = counted(Case(case.question, case.facts, case.policy, at, case.barred))
            if isinstance(then, Unknown) or not then.complete:
                return at
    return None


def _too_late(judging: Judging, later: Judging) -> Iterator[str]:
    """What will not stand any more when it opens."""
    facts, zone, opens = judging.case.facts, judging.case.zone, later.case.at
    start = f"it could start on {wording.instant(opens, zone)}"
    if facts.expires_at is not None and judging.case.at < facts.expires_at <= opens:
        yield f"{start}, but this request expires on {wording.instant(facts.expires_at, zone)}: ask again then"
    for place, rule in enumerate(judging.rules):
        if rule.requires == APPROVALS and judging.finding(place).standing is Standing.MET and place in later.blockers:
            yield f"{start}, but by then the approvals will have lapsed"
