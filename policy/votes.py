"""Whose votes count, and for what? Humans are counted, not accounts; every vote that does not count says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from policy import wording
from policy.document import Path, Slot
from policy.facts import Facts, Verdict, Vote
from policy.model import AccountKind, Human, Person, Unknown, short


@dataclass(frozen=True, slots=True)
class Ignored:
    """A vote that does not count."""

    vote: Vote
    why: str
    """Goes on after the voter's name: `asked for it, so cannot agree to it`."""


@dataclass(frozen=True, slots=True)
class Count:
    """What the votes come to at one instant."""

    filled: tuple[tuple[str, Vote], ...]
    """(role, the vote that fills one slot of it)."""
    open: tuple[str, ...]
    """A role for each slot that nobody fills."""
    rejected: tuple[Vote, ...]
    """By humans who could have agreed; each of them blocks."""
    spare: tuple[Vote, ...]
    """They agree and could fill a slot, but all of theirs are filled."""
    ignored: tuple[Ignored, ...]
    helpers: tuple[Human, ...] = field(default=())
    """Who could fill an open slot now, after separation of duties."""
    reachable: int = 0
    """So many slots would be filled if everybody agreed who may."""

    @property
    def complete(self) -> bool:
        return not self.open and not self.rejected

    @property
    def slots(self) -> int:
        return len(self.filled) + len(self.open)


def counted(facts: Facts, path: Path, at: datetime) -> Count | Unknown:
    """What the votes on this very plan come to; Unknown where it is not known who holds which role now."""
    if isinstance(facts.people, Unknown):
        return facts.people
    return count(
        facts.votes,
        slots=path.approvals,
        plan=facts.plan,
        asked_by=facts.asked_by,
        asked_at=facts.asked_at,
        lasts=path.approval_lasts,
        people=facts.people,
        at=at,
    )


def count(
    votes: Iterable[Vote],
    *,
    slots: Sequence[Slot],
    plan: str,
    asked_by: Person,
    asked_at: datetime,
    lasts: timedelta,
    people: Mapping[Human, Person],
    at: datetime,
    authors: frozenset[Human] = frozenset(),
) -> Count:
    """Counts the votes as they stand at `at`. Their order does not matter.

    A vote is valid from `asked_at` on, while `vote.at <= at < vote.at + lasts`. Of one human's valid votes the last
    counts; of two at the same instant the rejection.
    """
    roles = [slot.roles[0] for slot in slots for _ in range(slot.count)]
    valid: dict[Human, list[Vote]] = {}
    ignored = []
    for vote in votes:
        why = _why_not(vote, plan, asked_by, asked_at, lasts, people, at, authors)
        if why or vote.voter.human is None:
            ignored.append(Ignored(vote, why))
        else:
            valid.setdefault(vote.voter.human, []).append(vote)
    agreeing: dict[Human, Vote] = {}
    rejected = []
    for human, theirs in valid.items():
        *earlier, last = sorted(theirs, key=_order)
        ignored += [Ignored(vote, "voted again later") for vote in earlier]
        if not _common(last.voter, people[human]) & set(roles):
            ignored.append(Ignored(last, _no_slot(last, people[human], roles)))
        elif last.verdict is Verdict.REJECT:
            rejected.append(last)
        else:
            agreeing[human] = last
    able = {human: _common(vote.voter, people[human]) for human, vote in agreeing.items()}
    in_order = sorted(agreeing, key=lambda human: (agreeing[human].at, human))
    seats = _matching(in_order, able, roles)
    could = _could(people, roles, {asked_by.human, *authors}, asked_by.account)
    willing = {**could, **able}
    barred = {*agreeing, *(vote.voter.human for vote in rejected)}
    return Count(
        filled=tuple((roles[seat], agreeing[human]) for seat, human in sorted(seats.items())),
        open=tuple(role for seat, role in enumerate(roles) if seat not in seats),
        rejected=tuple(sorted(rejected, key=_order)),
        spare=tuple(agreeing[human] for human in in_order if human not in seats.values()),
        ignored=tuple(sorted(ignored, key=lambda entry: (*_order(entry.vote), entry.why))),
        helpers=tuple(
            human
            for human in sorted(could)
            if human not in barred
            and len(_matching([*in_order, human], {**able, human: could[human]}, roles)) > len(seats)
        ),
        reachable=len(_matching([*in_order, *sorted(set(willing) - set(in_order))], willing, roles)),
    )


def _order(vote: Vote) -> tuple[datetime, bool, str, list[str], str]:
    return (vote.at, vote.verdict is Verdict.REJECT, vote.voter.account, sorted(vote.voter.roles), vote.reason)


def _why_not(
    vote: Vote,
    plan: str,
    asked_by: Person,
    asked_at: datetime,
    lasts: timedelta,
    people: Mapping[Human, Person],
    at: datetime,
    authors: frozenset[Human],
) -> str:
    """Why the vote is not valid; empty: it is."""
    voter = vote.voter
    not_a_voter = _nobody(voter)
    if not_a_voter:
        return not_a_voter
    human = voter.human
    if human is None:
        return "is linked to nobody that the policy knows"
    if human == asked_by.human or voter.account == asked_by.account:
        return "asked for it, so cannot agree to it"
    if human in authors:
        return "wrote part of it, so cannot agree to it"
    if vote.plan != plan:
        return f"voted on plan {short(vote.plan)}, and the plan is {short(plan) or 'not known'}"
    if vote.at < asked_at:
        return "voted before this was asked"
    if vote.at > at:
        return "has a vote from the future"
    if vote.withdrawn_at is not None and vote.withdrawn_at <= at:
        return "took the vote back"
    if at >= vote.at + lasts:
        return f"voted more than {wording.lasting(lasts)} ago"
    now = people.get(human)
    if now is None:
        return "holds none of the roles any more"
    return _nobody(now)


def _nobody(person: Person) -> str:
    """Why that person can agree to nothing; empty: a human of ours."""
    match person.kind:
        case AccountKind.BOT:
            return "is a bot; only humans agree"
        case AccountKind.GUEST:
            return "is a guest"
        case AccountKind.STRANGER:
            return "is of another workspace"
    return "" if person.active else "is not active any more"


def _common(then: Person, now: Person) -> frozenset[str]:
    """Roles held when voting and now."""
    return then.roles & now.roles


def _no_slot(vote: Vote, now: Person, roles: Sequence[str]) -> str:
    wanted = set(roles)
    names = wording.listed(map(wording.role, sorted(wanted)), "or")
    if vote.voter.roles & wanted:
        why = f"is no {names} any more"
    elif now.roles & wanted:
        why = f"was no {names} when voting"
    else:
        why = f"is no {names}"
    return f"{why}; the rejection is a comment" if vote.verdict is Verdict.REJECT else why


def _could(
    people: Mapping[Human, Person], roles: Sequence[str], barred: set[Human | None], account: str
) -> dict[Human, frozenset[str]]:
    """Who may agree, had they not said anything yet, and for which roles."""
    return {
        human: person.roles
        for human, person in people.items()
        if human not in barred and person.account != account and not _nobody(person) and person.roles & set(roles)
    }


def _matching(humans: Iterable[Human], able: Mapping[Human, frozenset[str]], roles: Sequence[str]) -> dict[int, Human]:
    """As many slots as can be filled, each human filling one: slot → human. Who comes earlier keeps a seat."""
    seats: dict[int, Human] = {}

    def seated(human: Human, tried: set[int]) -> bool:
        for seat, role in enumerate(roles):
            if role in able[human] and seat not in tried:
                tried.add(seat)
                if seat not in seats or seated(seats[seat], tried):
                    seats[seat] = human
                    return True
        return False

    for human in humans:
        seated(human, set())
    return seats


def names(votes: Iterable[Vote]) -> str:
    return wording.listed(vote.voter.name for vote in votes)


def missing(count: Count) -> str:
    """`a release manager`, `2 tech leads and an on call`: the open slots in words."""
    return wording.listed(
        f"{how_many} {wording.role(role)}s" if how_many > 1 else _one(wording.role(role))
        for role, how_many in Counter(count.open).items()
    )


def _one(role: str) -> str:
    return f"an {role}" if role[:1] in "aeiou" else f"a {role}"
