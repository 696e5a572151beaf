"""Which advice helps, and which sets of it lead through? None is given that was not tried.

What one exception comes to may be sure without that (`relief.waives_no_more`); it is tried with what else it takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from policy.facts import Facts
from policy.finding import BLOCKING, Remedy, RemedyKind
from policy.judge import Judging, again
from policy.relief import Reached, exceptions_for, reached, waives_no_more, within_reach

MOST_WAYS = 3
"""So many sets of remedies are shown."""

MOST_DECISIONS = 60
"""So many times it is decided anew to find them; far more than any but a hopeless question takes."""


class _Option:
    """A remedy, and what it is good for."""

    __slots__ = ("_eased", "_facts", "_state", "_then", "places", "remedy")

    def __init__(
        self, remedy: Remedy, state: State, facts: Facts | None = None, eased: frozenset[int] | None = None
    ) -> None:
        self.remedy = remedy
        self.places: set[int] = set()
        """Of the findings that propose it and that it helps."""
        self._state = state
        self._facts = facts
        self._then: Judging | None = None
        self._eased = eased

    @property
    def facts(self) -> Facts | None:
        """As they would be once somebody did that alone; None: it cannot be tried."""
        if self._facts is None:
            self._facts = _applied(self.remedy, self._state.judging.facts)
        return self._facts

    @property
    def then(self) -> Judging:
        """What would be found then; what is found now, where that cannot be tried."""
        if self._then is None:
            facts, now = self.facts, self._state.judging
            self._then = now if facts is None else again(now, facts)
        return self._then

    @property
    def eased(self) -> frozenset[int]:
        """Places of those that block by themselves and would not any more."""
        if self._eased is None:
            then = self.then
            touched = [place for place in self._state.hard if place in then.anew]
            self._eased = frozenset([place for place in touched if then.finding(place).standing not in BLOCKING])
        return self._eased

    def helps(self, place: int) -> bool:
        """Whether the rule in that place, which blocks, does not any more."""
        if place in self.eased:
            return True
        then = self.then
        return place in self._state.soft and place in then.anew and then.finding(place).standing not in BLOCKING


class State:
    """What blocks at one instant with certain facts, and what would help there."""

    __slots__ = ("_before", "_helped", "_made", "_options", "_reached", "hard", "judging", "soft")

    def __init__(self, judging: Judging, before: State | None = None) -> None:
        blockers, rules = judging.blockers, judging.rules
        self.judging = judging
        self.hard = [place for place in blockers if not rules[place].rests_on]
        """Places of those that block by themselves."""
        self.soft = [place for place in blockers if rules[place].rests_on]
        """Of those that may block only because others do."""
        self._before = before
        """The same at an earlier instant; what does not turn with time is advised there already."""
        self._made: dict[int, _Option] = {}
        self._reached: Reached | None = None
        self._options: tuple[_Option, ...] | None = None
        self._helped: tuple[tuple[int, ...], ...] | None = None

    @property
    def reached(self) -> Reached:
        """Kinds of exceptions that may waive something of what blocks, and where that stands."""
        if self._reached is None:
            self._reached = reached(self.judging)
        return self._reached

    @property
    def options(self) -> tuple[_Option, ...]:
        """All that helps the very finding that proposes it; exceptions come last."""
        if self._options is None:
            found: list[_Option] = []
            alike: dict[str, list[_Option]] = defaultdict(list)
            for place, remedy in self._advice():
                known = alike[remedy.says]
                for option in known:
                    if option.remedy == remedy and option.helps(place):
                        break
                else:
                    option = self.option(remedy, place)
                    if not option.helps(place):
                        continue
                    known.append(option)
                    found.append(option)
                option.places.add(place)
            self._options = tuple(found)
        return self._options

    @property
    def helped(self) -> tuple[tuple[int, ...], ...]:
        """For each rule that blocks by itself, which options help it, by number; nothing where one is hopeless."""
        if self._helped is None:
            found, options = list[tuple[int, ...]](), [*enumerate(self.options)]
            advised = set[int]().union(*(option.places for _, option in options))
            for place in sorted(self.hard, key=advised.__contains__):
                able = tuple([number for number, option in options if place in option.eased])
                if not able:
                    found.clear()
                    break
                found.append(able)
            self._helped = tuple(sorted(found, key=len))
        return self._helped

    def shown(self, place: int) -> tuple[Remedy, ...]:
        """Those that are proposed for this finding, and help it."""
        return tuple([option.remedy for option in self.options if place in option.places])

    def covers(self, size: int) -> Iterator[tuple[_Option, ...]]:
        """Sets of so many that might do it, for together they help whatever blocks."""
        if not self._takes_more_than(size) and (self.helped or not self.hard):
            options = self.options
            most = max(len(option.eased) for option in options) if options else 0
            for numbers in dict.fromkeys(self._covers(frozenset(), size, most)):
                yield tuple([options[number] for number in sorted(numbers)])

    def after(self, cover: tuple[_Option, ...]) -> State | None:
        """What it would be like then; None: that cannot be tried."""
        first, *others = cover
        then = first.then
        for option in others:
            facts = _applied(option.remedy, then.facts)
            if facts is None:
                return None
            then = again(then, facts)
        return State(then)

    def _takes_more_than(self, size: int) -> bool:
        """Whether it is seen that so many options are too few, before all of them are tried.

        What no exception reaches is helped by what the rules propose, or by nothing.
        """
        within, proposed = within_reach(self.judging), self._proposed()
        number, touched = 0, set[int]()
        for place in sorted(self.hard, key=within.__contains__):
            if place not in touched:
                number += 1
                if number > size:
                    return True
                if place in within:
                    break
                for option in proposed:
                    anew = option.then.anew
                    if place in anew:
                        touched.update([each for each in self.hard if each in anew])
        return False

    def _covers(self, chosen: frozenset[int], left: int, most: int) -> Iterator[frozenset[int]]:
        """Choices of just so many more that each rule is helped; no option helps more than `most`.

        What rests on others gets something of its own only where nothing blocks by itself: what helps those may do.
        """
        missing = [group for group in self.helped if chosen.isdisjoint(group)]
        group = missing[0] if missing else None if self.hard else self._besides(chosen)
        if group is None and not left:
            yield chosen
        elif group is not None and left and len(missing) <= left * most:
            for number in group:
                yield from self._covers(chosen | {number}, left - 1, most)

    def _besides(self, chosen: frozenset[int]) -> tuple[int, ...] | None:
        """Which options help a rule that rests on others and that these do not; None: there is no such rule.

        It is not hopeless, even if nothing helps it alone.
        """
        options = self.options
        for place in self.soft:
            if not any(options[number].helps(place) for number in chosen):
                able = tuple([number for number, option in enumerate(options) if option.helps(place)])
                if able:
                    return able
        return None

    def _advice(self) -> Iterator[tuple[int, Remedy]]:
        """All that there is, and for which rule."""
        for place in self.judging.blockers:
            for remedy in self.judging.finding(place).remedies:
                if remedy.kind is not RemedyKind.WAIT:
                    yield place, remedy
        sure = waives_no_more(self.judging)
        for remedy, places in exceptions_for(self.judging, self.reached):
            if sure:
                self._made[id(remedy)] = _Option(remedy, self, eased=frozenset(places).intersection(self.hard))
            for place in places:
                yield place, remedy

    def _proposed(self) -> list[_Option]:
        """What the rules propose."""
        judging = self.judging
        return [
            self.option(remedy, place)
            for place in judging.blockers
            for remedy in judging.finding(place).remedies
            if remedy.kind is not RemedyKind.WAIT
        ]

    def option(self, remedy: Remedy, place: int) -> _Option:
        """The remedy for that place, to be tried once."""
        option = self._made.get(id(remedy))
        if option is None:
            before, facts = self._before, None
            if before is not None and before.judging.finding(place) is self.judging.finding(place):
                facts = before.option(remedy, place).facts
            option = self._made[id(remedy)] = _Option(remedy, self, facts)
        return option


def _applied(remedy: Remedy, facts: Facts) -> Facts | None:
    try:
        return None if remedy.applied is None else remedy.applied(facts)
    except Exception:  # noqa: BLE001 (advice that cannot be tried is not given)
        return None


def ways(now: State, wait: Remedy | None, then: State | None) -> tuple[tuple[Remedy, ...], ...]:
    """The smallest sets that were seen to do it: of what helps now, or of waiting and what helps then."""
    if not now.judging.blockers:
        return ()
    begun: list[tuple[tuple[Remedy, ...], State]] = [((), now)]
    if wait is not None and then is not None:
        begun.append(((wait,), then))
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
                        if {*longer} not in map(set, found):
                            found.append(longer)
                    else:
                        begun.append((longer, after))
                if len(found) >= MOST_WAYS or decisions >= MOST_DECISIONS:
                    return tuple(found[:MOST_WAYS])
        if found:
            return tuple(found)
    return ()
