"""What would help, when does it open, and what else should people know? Advice is given only once it was tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from policy.judge import Judging, Reading, again, read
from policy.model import AccountKind, Human, Person, Unknown
from policy.rulebook import Rule
from policy.rules.approval import APPROVALS
from policy.rules.emergency import EMERGENCY_RECORD
from policy.rules.freeze import NO_FREEZE
from policy.rules.obligation import NOTHING_OVERDUE
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


def explain(judging: Reading) -> Explanation:
    """All of that, for a case whose rules are judged."""
    now, case = _State(judging, judging), judging.case
    earliest = opening(judging)
    wait, later = None, None
    if earliest is not None:
        wait = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(earliest, case.zone)}", at=earliest)
        then = read(judging.rules, case.question, judging.facts, case.policy, earliest)
        later = _State(then, then)
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
    case, facts = judging.case, judging.facts
    later = Case(case.question, facts, case.policy, at)
    *_, barred = doubted(later)
    later = Case(case.question, facts, case.policy, at, barred) if barred else later
    return Judging(judging.rules, later, facts)


# What would help ------------------------------------------------------------------------------------------------------


class _Option:
    """A remedy, tried on its own."""

    __slots__ = ("_tried", "applied", "places", "remedy")

    def __init__(self, remedy: Remedy, applied: Applied, tried: Judging) -> None:
        self.remedy = remedy
        self.applied = applied
        self.places: set[int] = set()
        """Of the findings that propose it and that it helps."""
        self._tried = tried

    def helps(self, place: int) -> bool:
        """Whether the rule in that place does not block any more."""
        return self._tried.finding(place).standing not in BLOCKING


class _State:
    """What blocks at one instant with certain facts, and what would help there."""

    __slots__ = ("_before", "_helped", "_options", "judging")

    def __init__(self, judging: Judging, before: Reading) -> None:
        self.judging = judging
        self._before = before
        """The same with perhaps other facts, read rule by rule."""
        self._options: tuple[_Option, ...] | None = None
        self._helped: Mapping[int, tuple[int, ...]] | None = None

    @property
    def options(self) -> tuple[_Option, ...]:
        """What helps the very finding that proposes it; exceptions come last."""
        if self._options is None:
            found: list[_Option] = []
            for place, remedy in self._proposed():
                known = next((option for option in found if option.remedy == remedy and option.helps(place)), None)
                option = known or self._tried(remedy)
                if option is not None and (known or option.helps(place)):
                    option.places.add(place)
                    if known is None:
                        found.append(option)
            self._options = tuple(found)
        return self._options

    @property
    def helped(self) -> Mapping[int, tuple[int, ...]]:
        """Place of what blocks → the numbers of the options that help it; nothing at all where something is hopeless.

        What rests on other findings is not hopeless, even if nothing helps it alone.
        """
        if self._helped is None:
            helped = {}
            judging, options = self.judging, self.options
            for place in sorted(judging.blockers, key=lambda place: any(place in option.places for option in options)):
                able = tuple([number for number, option in enumerate(options) if option.helps(place)])
                if able:
                    helped[place] = able
                elif place not in judging.resting:
                    helped = {}
                    break
            self._helped = helped
        return self._helped

    def shown(self, place: int) -> tuple[Remedy, ...]:
        """Those that are proposed for this finding, and help it."""
        return tuple(option.remedy for option in self.options if place in option.places)

    def covers(self, size: int) -> Iterator[tuple[_Option, ...]]:
        """Sets of so many that might do it, for together they help whatever blocks."""
        seen = set()
        for cover in _covers(self.helped, len(self.options), frozenset(self.helped), size):
            if cover not in seen:
                seen.add(cover)
                yield tuple(option for number, option in enumerate(self.options) if number in cover)

    def after(self, cover: tuple[_Option, ...]) -> _State | None:
        """What it would be like then; None: that cannot be tried."""
        facts = _applied([option.applied for option in cover], self.judging.facts)
        return None if facts is None else _State(again(self._before, facts), self._before)

    def _proposed(self) -> Iterator[tuple[int, Remedy]]:
        for place in self.judging.blockers:
            for remedy in self.judging.finding(place).remedies:
                if remedy.kind is not RemedyKind.WAIT:
                    yield place, remedy
        for remedy, places in exceptions_for(self.judging):
            for place in places:
                yield place, remedy

    def _tried(self, remedy: Remedy) -> _Option | None:
        facts = None if remedy.applied is None else _applied([remedy.applied], self.judging.facts)
        if facts is None or remedy.applied is None:
            return None
        return _Option(remedy, remedy.applied, again(self._before, facts))


def _applied(remedies: Sequence[Applied], facts: Facts) -> Facts | None:
    try:
        for applied in remedies:
            facts = applied(facts)
    except Exception:  # noqa: BLE001 (advice that cannot be tried is not given)
        return None
    return facts


def _covers(
    helped: Mapping[int, tuple[int, ...]], options: int, wanted: frozenset[int], size: int
) -> Iterator[frozenset[int]]:
    """Sets of so many numbers of options that together help all that is wanted."""
    reach = [sum(number in helped[place] for place in wanted) for number in range(options)]
    if not wanted or size * max(reach, default=0) < len(wanted):
        return
    hardest = min(wanted, key=lambda place: (len(helped[place]), place))
    for number in helped[hardest]:
        rest = frozenset(place for place in wanted if number not in helped[place])
        if size == 1 and not rest:
            yield frozenset((number,))
        elif size > 1 and rest:
            for others in _covers(helped, options, rest, size - 1):
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


def exceptions_for(judging: Judging) -> Iterator[tuple[Remedy, tuple[int, ...]]]:
    """One for each kind that may waive something of what blocks and that somebody can grant, and what it waives."""
    case = judging.case
    for name, places in _reached(judging):
        asking = case.once(_asking_for).get(name)
        if asking is not None:
            rules = tuple(judging.rules[place].requires for place in places)
            asks = "" if asking.asked_by.human == case.facts.asked_by.human else f"{asking.asked_by.name} asks for it, "
            grants = f"{wording.listed(asking.able, 'or')} can grant it"
            says = f"an exception ({name}) for {wording.listed(rules)}: {asks}{grants}"
            applied = _granted(case, name, rules, asking)
            yield Remedy(RemedyKind.EXCEPTION, says, asking.able, applied=applied), places


def _reached(judging: Judging) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each kind of exception that may waive something of what blocks, and where that stands."""
    if judging.case.question.deed is Deed.PROMOTE and not isinstance(judging.facts.exceptions, Unknown):
        for name, kind in judging.case.policy.exceptions.items():
            places = tuple(place for place in judging.blockers if _reaches(kind, judging.rules[place]))
            if places:
                yield name, places


def _reaches(kind: ExceptionKind, rule: Rule) -> bool:
    may = rule.waivable is Waivable.EXCEPTION or (rule.waivable is Waivable.EMERGENCY and kind.emergency)
    return may and rule.requires in kind.waives


class _Asking(NamedTuple):
    """Who could ask for an exception of some kind, and who could grant it."""

    asked_by: Person
    able: tuple[Human, ...]
    granting: tuple[Human, ...]
    """So many of them as it takes."""


def _asking_for(case: Case) -> Mapping[str, _Asking]:
    """By kind; none where nobody who may ask finds enough others who may grant it."""
    people, asked_by, roles = case.facts.people, case.facts.asked_by, case.policy.may.exception
    if isinstance(people, Unknown):
        return {}
    others = [people[human] for human in sorted(people) if human != asked_by.human]
    able = [person for person in (asked_by, *others) if person.human is not None and _may(person, roles)]
    found = {}
    for kind in case.policy.exceptions:
        asking = next((asking for person in able if (asking := _granters(case, kind, person))), None)
        if asking is not None:
            found[kind] = asking
    return found


def _may(person: Person, roles: tuple[str, ...]) -> bool:
    return person.active and person.kind is AccountKind.HUMAN and not person.roles.isdisjoint(roles)


def _granters(case: Case, kind: str, asked_by: Person, *without: Human) -> _Asking | None:
    """Who could grant it to that person: neither they nor whoever asks for the promotion, nor those left out."""
    people = {} if isinstance(case.facts.people, Unknown) else case.facts.people
    out = {*without, case.facts.asked_by.human}
    able = {human: person for human, person in people.items() if human not in out}
    question = Question(Deed.EXCEPTION, case.question.service, case.question.target, kind=kind)
    count = counted(Case(question, Facts(asked_by, case.at, people=able), case.policy, case.at))
    still = count.still() if isinstance(count, Count) else None
    return _Asking(asked_by, count.helpers(), still) if isinstance(count, Count) and still else None


def _granted(case: Case, name: str, rules: tuple[str, ...], asking: _Asking) -> Applied:
    """Granted to begin at once, by people who do not also agree to the promotion where there are such."""
    kind, at = case.policy.exceptions[name], case.at

    def applied(facts: Facts) -> Facts:
        agreeing = {vote.voter.human for vote in facts.votes if vote.verdict is Verdict.APPROVE}
        granting = asking.granting
        if not agreeing.isdisjoint(granting):
            others = _granters(case, name, asking.asked_by, *filter(None, agreeing))
            granting = granting if others is None else others.granting
        people = {} if isinstance(facts.people, Unknown) else facts.people
        record = ExceptionRecord(
            id="X-?",
            kind=name,
            waives=frozenset(rules),
            environment=case.question.target,
            service=case.question.service,
            digest=None if isinstance(facts.candidate, Unknown) else facts.candidate.digest,
            asked_by=asking.asked_by,
            asked_at=at,
            starts_at=at,
            ends_at=None if kind.longest is None else at + kind.longest,
            fields=dict.fromkeys(kind.fields, "said"),
            uses=kind.uses,
            granted_by=tuple(people[human] for human in granting if human in people),
            granted_at=at,
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
    blocking = {judging.rules[place].requires for place in judging.blockers}
    if change is not None and change.emergency_outside_window and WINDOW in blocking and policy.emergency is not None:
        fields = wording.listed(policy.emergency.fields)
        yield f"outside the window it can be asked for as an emergency, with {fields}"
    if not isinstance(judging.facts.people, Unknown):
        for name, places in _reached(judging):
            if name not in case.once(_asking_for):
                rules = wording.listed(judging.rules[place].requires for place in places)
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
    if EMERGENCY_RECORD in met and case.facts.emergency is not None:
        yield case.facts.emergency.ends_at, f"{case.facts.emergency.id} ends"
    if NOTHING_OVERDUE in met and not isinstance(case.facts.obligations, Unknown):
        for one in case.facts.obligations:
            if one.blocks and one.service in {None, case.question.service}:
                yield one.due_at, f"{one.says} ({one.id}) falls due"
    lapse = _lapse(judging) if APPROVALS in met else None
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


def _lapse(judging: Judging) -> datetime | None:
    """The first instant at which the votes do not suffice any more, if nobody does anything."""
    case = judging.case
    count, terms = case.once(counted), agreement(case)
    if isinstance(count, Count) and not isinstance(terms, Unknown):
        for at in sorted({vote.at + terms.lasts for vote in count.agreed}):
            then = counted(Case(case.question, judging.facts, case.policy, at, case.barred))
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
