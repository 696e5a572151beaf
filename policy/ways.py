"""Which advice helps, and which sets of it lead through? None is given that was not tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.facts import Facts
from policy.finding import BLOCKING, Applied, Remedy, RemedyKind
from policy.judge import Judging, Reading, again
from policy.relief import exceptions_for

MOST_WAYS = 3
"""So many sets of remedies are shown."""

MOST_DECISIONS = 60
"""So many times it is decided anew to find them; far more than any but a hopeless question takes."""


class _Option:
    """A remedy, and what it is good for."""

    __slots__ = ("_state", "_tried", "facts", "places", "remedy")

    def __init__(self, remedy: Remedy, state: State, facts: Facts) -> None:
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


class State:
    """What blocks at one instant with certain facts, and what would help there."""

    __slots__ = ("_before", "_earlier", "_helped", "_options", "judging")

    def __init__(self, judging: Judging, before: Reading, earlier: State | None = None) -> None:
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
            most = max(sum(number in able for able in self.helped) for number in range(len(self.options)))
            for numbers in dict.fromkeys(map(frozenset, _covers(self.helped, (), size, most))):
                yield tuple([self.options[number] for number in sorted(numbers)])

    def after(self, cover: tuple[_Option, ...]) -> State | None:
        """What it would be like then; None: that cannot be tried."""
        first, *others = cover
        facts = _applied([option.remedy.applied for option in others if option.remedy.applied], first.facts)
        return None if facts is None else State(self.on(facts), self._before)

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


def _covers(
    helped: Sequence[tuple[int, ...]], chosen: tuple[int, ...], left: int, most: int
) -> Iterator[tuple[int, ...]]:
    """Choices of just so many more numbers that every group holds one; no number is in more than `most` groups."""
    missing = [group for group in helped if not any(number in group for number in chosen)]
    if not missing and not left:
        yield chosen
    elif missing and len(missing) <= left * most:
        for number in missing[0]:
            yield from _covers(missing, (*chosen, number), left - 1, most)


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
                        found.append(longer)
                    else:
                        begun.append((longer, after))
                if len(found) >= MOST_WAYS or decisions >= MOST_DECISIONS:
                    return tuple(found[:MOST_WAYS])
        if found:
            return tuple(found)
    return ()
