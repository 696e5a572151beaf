"""Who may fill which place, and how do as many as can be get one? Each human fills one, and nobody is seated twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import Final, NamedTuple

from policy.model import AccountKind, Human, Person
from policy.separation import Apart
from policy.terms import Seat, Terms

Able = Mapping[Human, tuple[int, ...]]
"""Human → the seats, by their place, that they can fill."""


class Table(NamedTuple):
    """Who may sit where."""

    terms: Terms
    apart: Apart
    asked_by: Person
    people: Mapping[Human, Person]
    able: Able
    """Those who agree, in the order in which they did."""
    rejecting: frozenset[Human]

    def order(self, able: Able, *, alone: bool = False) -> list[Human]:
        """Who takes a seat before whom: those who agree before others.

        First of all come those without whom the others would be alone, unless they may be.
        """
        known, agreed = [*self.able], self.able
        if able is not agreed:
            known += sorted([human for human, places in able.items() if places and human not in agreed])
        if alone or not self.apart.alone:
            return known
        first = self._witnesses(known, able)
        return [*first, *(human for human in known if human not in first)]

    def _witnesses(self, humans: list[Human], able: Able) -> tuple[Human, ...]:
        """The fewest who together had no hand in it in any way; none where there are no such."""
        groups = [group for group, _ in self.apart.alone]
        for human in humans:
            if not any(human in group for group in groups):
                return (human,)
        for one, other in combinations(humans, 2):
            room = len({*able[one], *able[other]}) > 1
            if room and not any(one in group and other in group for group in groups):
                return (one, other)
        return ()

    def lacking(self, seated: Collection[Human]) -> tuple[str, ...]:
        """Who must still be among them; nothing where there is nobody at all."""
        if not seated or not self.apart.alone:
            return ()
        return tuple(lacks for group, lacks in self.apart.alone if group.issuperset(seated))

    def could(self, roles: Iterable[str]) -> list[Human]:
        """Who may agree with any of these roles, and does not reject it."""
        wanted, out, rejecting = frozenset(roles), self.apart.out, self.rejecting
        mine, account = self.asked_by.human, self.asked_by.account
        return sorted(
            [
                human
                for human, person in self.people.items()
                if not wanted.isdisjoint(person.roles)
                and human not in out
                and human not in rejecting
                and human != mine
                and person.account != account
                and person.active
                and person.kind is _HUMAN
            ]
        )

    def willing(self) -> Able:
        """What everybody could fill who may agree, those who do with the roles that they agreed with."""
        seats, people, willing = self.terms.seats, self.people, dict[Human, tuple[int, ...]]()
        for human in self.could([role for seat in seats for role in seat.roles]):
            willing[human] = places_for(seats, people[human].roles)
        willing.update(self.able)
        return willing


def not_ours(person: Person) -> str:
    """Why that person can agree to nothing, after their name; empty: an active human of ours."""
    kind = person.kind
    if kind is _HUMAN:
        return "" if person.active else "is not active any more"
    return _NOT_ONE_OF_US[kind]


_HUMAN: Final = AccountKind.HUMAN
_NOT_ONE_OF_US: Mapping[AccountKind, str] = {
    AccountKind.BOT: "is a bot; only humans agree",
    AccountKind.GUEST: "is a guest",
    AccountKind.STRANGER: "is of another workspace",
}


def places_for(seats: Sequence[Seat], roles: frozenset[str]) -> tuple[int, ...]:
    places = []
    for place, seat in enumerate(seats):
        if not roles.isdisjoint(seat.roles):
            places.append(place)
    return tuple(places)


def among(places: tuple[int, ...], wanted: AbstractSet[int]) -> tuple[int, ...]:
    return tuple([place for place in places if place in wanted])


def matching(humans: Collection[Human], able: Able, terms: Terms) -> dict[int, Human]:
    """As many seats as can be filled, those that must be before others, each human filling one: seat → human.

    Who comes earlier keeps a seat.
    """
    if len(humans) == 1:
        return {places[0]: human for human in humans if (places := able[human])}
    seated: dict[int, Human] = {}
    everything = len(terms.seats)
    must = everything - terms.optional
    for human in humans:
        if len(seated) == must:
            break
        places = able[human]
        if places and places[0] < must and places[0] not in seated:
            seated[places[0]] = human
        else:
            _sits(human, able, seated, must, set())
    if terms.optional:
        for human in humans:
            if human not in seated.values():
                _sits(human, able, seated, everything, set())
    return seated


def _sits(human: Human, able: Able, seated: dict[int, Human], limit: int, tried: set[int]) -> bool:
    """Whether they found a place below the limit that is free, or whose human moves to another."""
    for place in able[human]:
        if place < limit and place not in tried:
            tried.add(place)
            if place not in seated or _sits(seated[place], able, seated, limit, tried):
                seated[place] = human
                return True
    return False
