"""What would help, when does it open, and what else should people know? Advice is given only once it was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from policy import freezes, windows, wording
from policy.case import Case
from policy.document import ExceptionKind, Slot
from policy.exceptions import doubted, waivers
from policy.facts import Deed, ExceptionRecord, Facts, Verdict
from policy.finding import BLOCKING, Applied, Finding, Remedy, RemedyKind, Standing, written_at
from policy.gates import Waivable
from policy.judge import Judging, Reading, again
from policy.judge import later as judged_later
from policy.model import Human, Person, Unknown
from policy.rulebook import Rule
from policy.rules.approval import APPROVALS
from policy.rules.emergency import EMERGENCY_RECORD
from policy.rules.expiry import NOT_EXPIRED
from policy.rules.freeze import NO_FREEZE
from policy.rules.obligation import NOTHING_OVERDUE
from policy.rules.window import WINDOW
from policy.seating import not_ours
from policy.terms import Terms, agreement, seats
from policy.votes import Count, count, counted, who_could_fill

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
        at_that_time = judged_later(judging, earliest)
        later = _State(at_that_time, at_that_time, now)
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
    """A remedy, and what it is good for."""

    __slots__ = ("_state", "_tried", "facts", "places", "remedy")

    def __init__(self, remedy: Remedy, state: _State, facts: Facts) -> None:
        self.remedy = remedy
        self.facts = facts
        """As they would be once somebody did that alone."""
        self.places: set[int] = set()
        """Of the findings that propose it and that it helps."""
        self._state = state
        self._tried: Judging | None = None

    def helps(self, place: int) -> bool:
        """Whether the rule in that place does not block any more."""
        if self._tried is None:
            self._tried = self._state.on(self.facts)
        return self._tried.finding(place).standing not in BLOCKING


class _State:
    """What blocks at one instant with certain facts, and what would help there."""

    __slots__ = ("_before", "_earlier", "_helped", "_options", "judging")

    def __init__(self, judging: Judging, before: Reading, earlier: _State | None = None) -> None:
        self.judging = judging
        self._before = before
        """The same with perhaps other facts, read rule by rule."""
        self._earlier = earlier
        """The same at an earlier instant; what does not turn with time is advised there already."""
        self._options: tuple[_Option, ...] | None = None
        self._helped: tuple[tuple[int, ...], ...] | None = None

    @property
    def options(self) -> tuple[_Option, ...]:
        """What helps the very finding that proposes it; exceptions come last."""
        if self._options is None:
            found: list[_Option] = []
            for place, remedy in self._proposed():
                known = next((option for option in found if option.remedy == remedy and option.helps(place)), None)
                option = known or self._option(remedy, place)
                if option is not None and (known or option.helps(place)):
                    option.places.add(place)
                    if known is None:
                        found.append(option)
            self._options = tuple(found)
        return self._options

    @property
    def helped(self) -> tuple[tuple[int, ...], ...]:
        """For each rule that blocks, which options help it, by their number; nothing where one is hopeless.

        What rests on other findings is not hopeless, even if nothing helps it alone.
        """
        if self._helped is None:
            found, judging, options = [], self.judging, self.options
            hard = sorted(judging.blockers, key=lambda place: any(place in option.places for option in options))
            for place in hard:
                able = tuple([number for number, option in enumerate(options) if option.helps(place)])
                if able:
                    found.append(able)
                elif place not in judging.resting:
                    found = []
                    break
            self._helped = tuple(sorted(found, key=len))
        return self._helped

    def shown(self, place: int) -> tuple[Remedy, ...]:
        """Those that are proposed for this finding, and help it."""
        return tuple(option.remedy for option in self.options if place in option.places)

    def covers(self, size: int) -> Iterator[tuple[_Option, ...]]:
        """Sets of so many that might do it, for together they help whatever blocks."""
        if self.helped:
            for numbers in dict.fromkeys(map(frozenset, _covers(self.helped, (), size))):
                yield tuple([self.options[number] for number in sorted(numbers)])

    def after(self, cover: tuple[_Option, ...]) -> _State | None:
        """What it would be like then; None: that cannot be tried."""
        first, *others = cover
        facts = _applied([option.remedy.applied for option in others if option.remedy.applied], first.facts)
        return None if facts is None else _State(self.on(facts), self._before)

    def _proposed(self) -> Iterator[tuple[int, Remedy]]:
        for place in self.judging.blockers:
            for remedy in self.judging.finding(place).remedies:
                if remedy.kind is not RemedyKind.WAIT:
                    yield place, remedy
        for remedy, places in exceptions_for(self.judging):
            for place in places:
                yield place, remedy

    def on(self, facts: Facts) -> Judging:
        return again(self._before, facts)

    def _option(self, remedy: Remedy, place: int) -> _Option | None:
        """Ready to be tried; None: it cannot be."""
        earlier = self._earlier
        if earlier is not None and earlier.judging.finding(place) is self.judging.finding(place):
            facts = next((option.facts for option in earlier.options if option.remedy is remedy), None)
            if facts is not None:
                return _Option(remedy, self, facts)
        facts = None if remedy.applied is None else _applied([remedy.applied], self.judging.facts)
        return None if facts is None else _Option(remedy, self, facts)


def _applied(remedies: Sequence[Applied], facts: Facts) -> Facts | None:
    try:
        for applied in remedies:
            facts = applied(facts)
    except Exception:  # noqa: BLE001 (advice that cannot be tried is not given)
        return None
    return facts


def _covers(helped: Sequence[tuple[int, ...]], chosen: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """Choices of so many numbers, of which each group holds one at least, and none is chosen in vain."""
    missing = [group for group in helped if not any(number in group for number in chosen)]
    if not missing:
        if size == 0:
            yield chosen
    elif size > 0:
        for number in missing[0]:
            yield from _covers(missing, (*chosen, number), size - 1)


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
        asking = case.once(_Askings).of(name)
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
    slots: tuple[Slot, ...]
    nobody_agreed: Count
    """On such an exception, so far."""

    def granting(self, besides: AbstractSet[Human | None] = frozenset()) -> tuple[Human, ...]:
        """As few of them as it takes, others than these where there are such."""
        others = [human for human in self.able if human not in besides]
        return who_could_fill(self.nobody_agreed, self.slots, others) or ()


class _Askings:
    """For each kind of exception, who could ask for it and who could grant it."""

    __slots__ = ("_asked_by", "_found", "_people", "_policy")

    def __init__(self, case: Case) -> None:
        self._policy = case.policy
        self._asked_by = case.facts.asked_by
        self._people = case.facts.people
        self._found: dict[str, _Asking | None] = {}

    def of(self, kind: str) -> _Asking | None:
        """None: nobody who may ask finds enough others who may grant it."""
        if kind not in self._found:
            able = (self._with(kind, person) for person in self._who_may_ask())
            self._found[kind] = next((asking for asking in able if asking.granting()), None)
        return self._found[kind]

    def _who_may_ask(self) -> Iterator[Person]:
        roles, mine = self._policy.may.exception, self._asked_by
        people = {} if isinstance(self._people, Unknown) else self._people
        for person in (mine, *(people[human] for human in sorted(people) if human != mine.human)):
            if person.human is not None and not not_ours(person) and not person.roles.isdisjoint(roles):
                yield person

    def _with(self, kind: str, asked_by: Person) -> _Asking:
        """Neither they nor whoever asks for the promotion have a say in it."""
        slots = self._policy.exceptions[kind].approvals
        people = {} if isinstance(self._people, Unknown) else self._people
        others = {human: person for human, person in people.items() if human != self._asked_by.human}
        terms = Terms(seats(slots), timedelta())
        nobody = count((), terms=terms, plan="", asked_by=asked_by, asked_at=_EVER, people=others, at=_EVER)
        return _Asking(
            asked_by, tuple(nobody.table.could(role for slot in slots for role in slot.roles)), slots, nobody
        )


_EVER = datetime.max.replace(tzinfo=UTC)
"""Nobody voted on what nobody asked for, so the instant does not matter."""


def _granted(case: Case, name: str, rules: tuple[str, ...], asking: _Asking) -> Applied:
    """Granted to begin at once, by people who do not also agree to the promotion where there are such."""
    kind, at = case.policy.exceptions[name], case.at

    def applied(facts: Facts) -> Facts:
        agreeing = {vote.voter.human for vote in facts.votes if vote.verdict is Verdict.APPROVE}
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
            granted_by=tuple(people[human] for human in asking.granting(agreeing) if human in people),
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
            if case.once(_Askings).of(name) is None:
                rules = wording.listed(judging.rules[place].requires for place in places)
                yield f"an exception ({name}) would do for {rules}, but nobody is there to ask for it and to grant it"


def _closes(judging: Reading) -> tuple[datetime, str] | None:
    """What closes next of what is open now, and when; nothing where something is closed that time alone opens."""
    if any(judging.rules[place].turns_with_time for place in judging.blockers):
        return None
    open_now = [place for place in range(len(judging.rules)) if place not in judging.blockers]
    for at, says, rules in sorted(_closing(judging)):
        if at > judging.case.at:
            then = judged_later(judging, at)
            if any(then.finding(p).standing in BLOCKING for p in open_now if judging.rules[p].requires in rules):
                return at, f"{says} {wording.instant(at, judging.case.zone)}"
    return None


Closing = tuple[datetime, str, frozenset[str]]
"""When something may close, what that is, and which rules would say so."""


def _closing(judging: Reading) -> Iterator[Closing]:
    case, facts = judging.case, judging.facts
    if case.path is not None and case.path.gates.window is not None:
        change = windows.named(case.policy, case.path.gates.window).next_change(case.at)
        if change is not None:
            yield change, "the window closes", frozenset((WINDOW,))
    for at, says in _freezing(case):
        yield at, says, frozenset((NO_FREEZE,))
    if facts.expires_at is not None:
        yield facts.expires_at, "the request expires", frozenset((NOT_EXPIRED,))
    if facts.emergency is not None:
        yield facts.emergency.ends_at, f"{facts.emergency.id} ends", frozenset((EMERGENCY_RECORD,))
    for one in () if isinstance(facts.obligations, Unknown) else facts.obligations:
        yield one.due_at, f"{one.says} ({one.id}) falls due", frozenset((NOTHING_OVERDUE,))
    waived = {finding.rule: finding.by for finding in judging.findings() if finding.standing is Standing.WAIVED}
    for rule, waiver in case.once(waivers).items() if waived else ():
        if rule in waived and waiver.ends_at is not None:
            yield waiver.ends_at, f"{waived[rule]} ends", frozenset((rule,))
    yield from _lapsing(judging)


def _freezing(case: Case) -> Iterator[tuple[datetime, str]]:
    """Freezes that are coming."""
    declared = () if isinstance(case.facts.freezes, Unknown) else case.facts.freezes
    for freeze in freezes.in_scope(declared, case.question):
        yield freeze.starts_at, f"a freeze by {freeze.owner} begins"
    for recurring in freezes.recurring(case.policy, case.question.place):
        begins = None if recurring.schedule.is_open(case.at) else recurring.schedule.next_change(case.at)
        if begins is not None:
            yield begins, f"the freeze {recurring.says.name} begins"


def _lapsing(judging: Reading) -> Iterator[Closing]:
    """Votes that stop to count, and what rests on them."""
    terms, votes = agreement(judging.case), judging.facts.votes
    if votes and not isinstance(terms, Unknown):
        resting = frozenset(rule.requires for p, rule in enumerate(judging.rules) if "votes" in judging.reads[p])
        for vote in votes:
            yield vote.at + terms.lasts, "the approvals lapse", resting


def _too_late(judging: Judging, later: Judging) -> Iterator[str]:
    """What will not stand any more when it opens."""
    facts, zone, opens = judging.case.facts, judging.case.zone, later.case.at
    start = f"it could start on {wording.instant(opens, zone)}"
    if facts.expires_at is not None and judging.case.at < facts.expires_at <= opens:
        yield f"{start}, but this request expires on {wording.instant(facts.expires_at, zone)}: ask again then"
    for place, rule in enumerate(judging.rules):
        if rule.requires == APPROVALS and judging.finding(place).standing is Standing.MET and place in later.blockers:
            yield f"{start}, but by then the approvals will have lapsed"
