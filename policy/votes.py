"""Whose votes count, and for what? Humans are counted, not accounts; every vote that does not count says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from policy import wording
from policy.case import Case
from policy.document import Policy, Slot
from policy.done import but
from policy.facts import Deed, Facts, Question, Verdict, Vote
from policy.finding import Applied
from policy.model import AccountKind, Human, Person, Unknown, short
from policy.seating import Able, Table, among, matching, not_ours, places_for
from policy.separation import NOBODY, Apart, kept_apart
from policy.terms import Seat, Terms, agreement, seats


class Ignored(NamedTuple):
    """A vote that does not count."""

    vote: Vote
    why: str
    """Goes on after the voter's name: `asked for it, so cannot agree to it`."""


class Filled(NamedTuple):
    """A seat and who fills it."""

    seat: Seat
    vote: Vote
    role: str
    """The role that they fill it with."""
    place: int
    """Which of the seats it is."""


class Count(NamedTuple):
    """What the votes come to at one instant."""

    filled: tuple[Filled, ...]
    open: tuple[Seat, ...]
    rejected: tuple[Vote, ...]
    """By humans who could have agreed; each of them blocks."""
    spare: tuple[Vote, ...]
    """They agree and could fill a seat, but all of theirs are filled."""
    heard: tuple[Vote, ...]
    """They fill no seat, but may let a promotion through a freeze, and agree."""
    ignored: tuple[Ignored, ...]
    lacking: tuple[str, ...]
    """Who must be among those who agree, although every seat is filled."""
    table: Table

    @property
    def complete(self) -> bool:
        """Whether the agreement itself stands; each sign-off says of its own whether it does."""
        open_ones = self.open and any(not seat.gate for seat in self.open)
        return not self.rejected and not self.lacking and not open_ones

    @property
    def agreed(self) -> tuple[Vote, ...]:
        """By everybody who can fill a seat, and agrees."""
        return (*(one.vote for one in self.filled), *self.spare)

    @property
    def confirmed(self) -> frozenset[str]:
        """What those who agree state besides."""
        return _NOTHING.union(*(vote.confirms for vote in self.agreed))

    def of(self, gate: str) -> tuple[tuple[Filled, ...], tuple[Seat, ...]]:
        """The filled and the open seats of one sign-off, or of the agreement itself (empty)."""
        return (
            tuple([one for one in self.filled if one.seat.gate == gate]),
            tuple([seat for seat in self.open if seat.gate == gate]),
        )

    def helpers(self, gate: str | None = None, willing: Able | None = None) -> tuple[Human, ...]:
        """Who could fill an open seat now (of this sign-off), or end a lack, after separation of duties.

        Whoever asks more than once says who is willing (`table.willing()`).
        """
        table, willing = self.table, self.table.willing() if willing is None else willing
        wanted = self._wanted(gate)
        if not table.able:
            return tuple(sorted([human for human, places in willing.items() if not wanted.isdisjoint(places)]))
        now = {human: among(places, wanted) for human, places in table.able.items()}
        much = self._worth(now)
        return tuple(one for one in sorted(willing) if self._worth({**now, one: among(willing[one], wanted)}) > much)

    def lacks_one(self, gate: str = "") -> bool:
        """Whether one seat is all that this sign-off asks for besides, or the agreement itself: whoever could fill it,
        fills all of it."""
        return not self.table.apart.alone and [seat.gate for seat in self.open].count(gate) == 1

    @property
    def relented(self) -> Count:
        """The same, had nobody rejected it."""
        return self._replace(rejected=(), table=self.table._replace(rejecting=frozenset())) if self.rejected else self

    def still(self, gate: str = "", willing: Able | None = None) -> tuple[Human, ...] | None:
        """Who, if they agreed too, would fill all that this sign-off asks for, or the agreement itself (empty).

        None: whoever agreed, it would not be filled.
        """
        table, wanted = self.table, self._wanted(gate)
        willing = table.willing() if willing is None else willing
        able = willing
        if len(wanted) < len(table.terms.seats):
            able = {human: among(places, wanted) for human, places in willing.items()}
        seated = matching(table.order(able, alone=bool(gate)), able, table.terms)
        if len(seated) < len(wanted) or (not gate and table.lacking(seated.values())):
            return None
        return tuple(sorted(set(seated.values()).difference(table.able)))

    def _wanted(self, gate: str | None) -> set[int]:
        """The places of the seats that are filled, and of those that this gate (any) asks for besides."""
        wanted = {place for place, seat in enumerate(self.table.terms.seats) if gate is None or seat.gate == gate}
        wanted.update([one.place for one in self.filled])
        return wanted

    def _worth(self, able: Able) -> tuple[int, int]:
        seated = matching(self.table.order(able), able, self.table.terms)
        return len(seated), -len(self.table.lacking(seated.values()))


_NOTHING: Final = frozenset[str]()
_NONE: Final = frozenset[Human]()
_made: Final = tuple.__new__
"""Of fields in their order: in half the time that a type's own constructor takes."""
_APPROVE: Final = Verdict.APPROVE
_REJECT: Final = Verdict.REJECT
_HUMAN: Final = AccountKind.HUMAN


def counted(case: Case) -> Count | Unknown:
    """What the votes on this very plan come to; Unknown where it is not known who may agree."""
    terms, facts = agreement(case), case.facts
    if type(terms) is Unknown:
        return terms
    people = facts.people
    if type(people) is Unknown:
        if terms.seats:
            return people
        people = {}
    heard = case.beforehand(_heard)
    apart = kept_apart(case) if terms.seats or heard else NOBODY
    if type(apart) is Unknown:
        return apart
    return count(
        facts.votes,
        terms=terms,
        plan=facts.plan,
        asked_by=facts.asked_by,
        asked_at=facts.asked_at,
        people=people,
        at=case.at,
        apart=apart,
        heard=heard,
    )


def _heard(policy: Policy, question: Question) -> frozenset[str]:
    """Roles that may let a promotion through a freeze."""
    override = policy.freezes.override if question.deed is Deed.PROMOTE else ()
    return frozenset(role for slot in override for role in slot.roles)


def count(
    votes: Iterable[Vote],
    *,
    terms: Terms,
    plan: str,
    asked_by: Person,
    asked_at: datetime,
    people: Mapping[Human, Person],
    at: datetime,
    apart: Apart = NOBODY,
    heard: frozenset[str] = frozenset(),
) -> Count:
    """Counts the votes as they stand at `at`. Their order does not matter.

    A vote is valid from `asked_at` on, while `vote.at <= at < vote.at + lasts`. Of one human's valid votes the last
    counts; of two at the same instant the rejection.
    """
    last: dict[Human, Vote] = {}
    ignored: list[Ignored] = []
    rejected: list[Vote] = []
    besides: list[Vote] = []
    agreeing: list[Vote] = []
    seats, out = terms.seats, apart.out
    for vote in votes:
        human = vote.voter.human
        why = _why_not(vote, plan, asked_by, asked_at, terms, people, at, out)
        if why or human is None:
            ignored.append(Ignored(vote, why))
        elif human in last:
            earlier, last[human] = sorted((last[human], vote), key=_order)
            ignored.append(Ignored(earlier, "voted again later"))
        else:
            last[human] = vote
    able: dict[Human, tuple[int, ...]] = {}
    for human, vote in last.items():
        roles = vote.voter.roles & people[human].roles
        places = places_for(seats, roles)
        if places and vote.verdict is _REJECT:
            rejected.append(vote)
        elif places:
            able[human] = places
            agreeing.append(vote)
        elif vote.verdict is _APPROVE and vote.confirms and not heard.isdisjoint(roles):
            besides.append(vote)
        else:
            ignored.append(Ignored(vote, _no_seat(vote, people[human], terms)))
    if len(agreeing) > 1:
        agreeing.sort(key=_order)
        able = {vote.voter.human: able[vote.voter.human] for vote in agreeing if vote.voter.human is not None}
    no = frozenset([vote.voter.human for vote in rejected if vote.voter.human is not None]) if rejected else _NONE
    table = _made(Table, (terms, apart, asked_by, people, able, no))
    seated = matching(table.order(able) if apart.alone else able, able, terms) if able else {}
    there = seated.values()
    spare = () if len(there) == len(agreeing) else tuple([v for v in agreeing if v.voter.human not in there])
    in_order = tuple(sorted(ignored, key=lambda entry: (*_order(entry.vote), entry.why))) if ignored else ()
    filled, left = _taken_and_open(terms.seats, seated, last, people)
    against = _sorted(rejected) if rejected else ()
    through = _sorted(besides) if besides else ()
    lacking = table.lacking(there) if apart.alone else ()
    return _made(Count, (filled, left, against, spare, through, in_order, lacking, table))


def _taken_and_open(
    seats: Iterable[Seat], seated: Mapping[int, Human], votes: Mapping[Human, Vote], people: Mapping[Human, Person]
) -> tuple[tuple[Filled, ...], tuple[Seat, ...]]:
    """The seats, by whether somebody sits in them."""
    if not seated:
        return (), tuple(seats)
    taken, free = [], []
    for place, seat in enumerate(seats):
        human = seated.get(place)
        if human is None:
            free.append(seat)
        else:
            taken.append(_filled(seat, place, votes[human], people[human]))
    return tuple(taken), tuple(free)


def _sorted(votes: list[Vote]) -> tuple[Vote, ...]:
    """One after the other, however they came."""
    return tuple(sorted(votes, key=_order) if len(votes) > 1 else votes)


def _order(vote: Vote) -> tuple[object, ...]:
    rejects, more = vote.verdict is _REJECT, sorted(vote.confirms)
    return (vote.at, rejects, vote.voter.account, sorted(vote.voter.roles), vote.reason, len(more), more)


def _why_not(
    vote: Vote,
    plan: str,
    asked_by: Person,
    asked_at: datetime,
    terms: Terms,
    people: Mapping[Human, Person],
    at: datetime,
    out: Mapping[Human, str],
) -> str:
    """Why the vote is not valid; empty: it is."""
    voter = vote.voter
    human = voter.human
    if voter.kind is not _HUMAN or not voter.active:
        return not_ours(voter)
    if human is None:
        return "is linked to nobody that the policy knows"
    if human == asked_by.human or voter.account == asked_by.account:
        return "asked for it, so cannot agree to it"
    if human in out:
        return out[human]
    cast, withdrawn_at = vote.at, vote.withdrawn_at
    if vote.plan != plan:
        return f"voted on plan {short(vote.plan)}, and the plan is {short(plan) or 'not known'}"
    if cast < asked_at:
        return "voted before this was asked"
    if cast > at:
        return "has a vote from the future"
    if withdrawn_at is not None and withdrawn_at <= at:
        return "took the vote back"
    if at >= cast + terms.lasts:
        return f"voted more than {wording.lasting(terms.lasts)} ago"
    if terms.reason and vote.verdict is _APPROVE and not vote.reason.strip():
        return "gave no reason"
    now = people.get(human)
    if now is None:
        return "holds none of the roles any more"
    return "" if now.kind is _HUMAN and now.active else not_ours(now)


def _filled(seat: Seat, place: int, vote: Vote, now: Person) -> Filled:
    """The seat with that vote in it, with the first of its roles that they held then and hold now."""
    then_held, now_held = vote.voter.roles, now.roles
    for role in seat.roles:
        if role in then_held and role in now_held:
            break
    return _made(Filled, (seat, vote, role, place))


def _no_seat(vote: Vote, now: Person, terms: Terms) -> str:
    wanted = {role for seat in terms.seats for role in seat.roles}
    names = wording.listed(map(wording.role, sorted(wanted)), "or")
    if not wanted:
        why = "was not asked: nobody must agree"
    elif vote.voter.roles & wanted:
        why = f"is no {names} any more"
    elif now.roles & wanted:
        why = f"was no {names} when voting"
    else:
        why = f"is no {names}"
    return f"{why}; the rejection is a comment" if vote.verdict is Verdict.REJECT else why


# What would help ------------------------------------------------------------------------------------------------------


def who_could_fill(count: Count, slots: Iterable[Slot], favouring: Iterable[Human] = ()) -> tuple[Human, ...] | None:
    """So few humans as it takes for these slots, these before others; None: there are not enough who may agree."""
    table, terms = count.table, Terms(seats(slots), timedelta())
    could = table.could(role for seat in terms.seats for role in seat.roles)
    first = [human for human in favouring if human in could]
    able = {human: places_for(terms.seats, table.people[human].roles) for human in (*first, *could)}
    seated = matching(able, able, terms)
    return tuple(sorted(seated.values())) if len(seated) == len(terms.seats) else None


def filling(cast: Iterable[Vote], slots: Iterable[Slot], people: Mapping[Human, Person]) -> tuple[Filled, ...] | None:
    """The seats for these slots, each with one of these votes that count; None where some stay empty."""
    terms = Terms(seats(slots), timedelta())
    votes = {vote.voter.human: vote for vote in cast if vote.voter.human is not None}
    able = {human: places_for(terms.seats, vote.voter.roles & people[human].roles) for human, vote in votes.items()}
    seated = matching(able, able, terms)
    if len(seated) < len(terms.seats):
        return None
    return tuple(
        _filled(seat, place, votes[seated[place]], people[seated[place]]) for place, seat in enumerate(terms.seats)
    )


def if_agreed(case: Case, gate: str = "") -> Applied:
    """The facts, once nobody rejects it and everybody agreed who is still needed for that sign-off, or for the rest."""

    def applied(facts: Facts) -> Facts:
        now = case.once(counted) if facts is case.facts else counted(case.on(facts))
        if type(now) is Unknown:
            return facts
        if now.rejected and not gate:
            against = now.rejected
            facts = replace(facts, votes=tuple(_back(v, case.at) if v in against else v for v in facts.votes))
            now = counted(case.on(facts))
        return facts if type(now) is Unknown else agreed_by(facts, now.still(gate) or (), case.at)

    return applied


def if_confirmed(case: Case, *names: str) -> Applied:
    """The facts, once somebody who agrees states all of these."""

    def applied(facts: Facts) -> Facts:
        now = counted(case.on(facts))
        if type(now) is Unknown:
            return facts
        who = tuple(now.table.able) or now.helpers()
        return agreed_by(facts, who[:1], case.at, *names)

    return applied


def agreed_by(facts: Facts, humans: Iterable[Human], at: datetime, *confirming: str) -> Facts:
    """The facts, once these agree as well, saying why."""
    people = {} if type(facts.people) is Unknown else facts.people
    stated = frozenset(confirming)

    def all_of(human: Human) -> frozenset[str]:
        theirs = (v for v in facts.votes if v.voter.human == human and v.verdict is Verdict.APPROVE)
        return stated.union(*(vote.confirms for vote in theirs if vote.plan == facts.plan))

    votes = (Vote(people[human], Verdict.APPROVE, at, facts.plan, "agreed", confirms=all_of(human)) for human in humans)
    return but(facts, votes=(*facts.votes, *votes))


def _back(vote: Vote, at: datetime) -> Vote:
    return replace(vote, withdrawn_at=at)


# In words -------------------------------------------------------------------------------------------------------------


def names(votes: Iterable[Vote]) -> str:
    return wording.listed(vote.voter.name for vote in votes)


def missing(seats: Iterable[Seat]) -> str:
    """`a release manager`, `2 tech leads and an on call`: open seats in words."""
    return wording.listed(_so_many(number, seat) for seat, number in Counter(seats).items())


def _so_many(number: int, seat: Seat) -> str:
    if number == 1:
        return f"{'an' if seat.called[:1] in 'aeiou' else 'a'} {seat.called}"
    return f"{number} {seat.called}s" if len(seat.roles) == 1 else f"{number} who are {seat.called}"
