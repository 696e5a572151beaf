"""What else should people know of a decision: what would help, when it opens or closes, whose vote did not count?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from policy import wording
from policy.facts import Verdict
from policy.finding import Finding, Remedy, RemedyKind, Standing, written_at
from policy.judge import Judging, later
from policy.model import Unknown
from policy.opening import closing, opening
from policy.relief import beyond_reach
from policy.rules.approval import APPROVALS
from policy.rules.window import WINDOW
from policy.votes import Count, counted
from policy.ways import State, ways


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
    case, earliest = judging.case, opening(judging)
    now = State(judging)
    wait, then = None, None
    if earliest is not None:
        wait = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(earliest, case.zone)}", at=earliest)
        then = State(later(judging, earliest), now)
    closes, why = closing(judging) or (None, "")
    notes = [*_votes(judging), *_chances(now)]
    if why:
        notes.append(why)
    if then is not None:
        notes += _too_late(judging, then.judging)
    return Explanation(_advised(now, wait, then), earliest, closes, tuple(notes), ways(now, wait, then))


def _advised(now: State, wait: Remedy | None, then: State | None) -> tuple[Finding, ...]:
    """The findings, each with where its rule is written, and the advice that stood the trial; to wait comes first."""
    rules = now.judging.rules
    findings = [written_at(rule.source, finding) for rule, finding in zip(rules, now.judging.findings(), strict=True)]
    for place in now.judging.blockers:
        shown = now.shown(place)
        if wait is not None and then is not None and place not in then.judging.blockers:
            shown = (wait, *shown)
        findings[place] = findings[place]._replace(remedies=shown)
    return tuple(findings)


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


def _chances(now: State) -> Iterator[str]:
    """Other roads, and those that nobody can take."""
    judging = now.judging
    policy, change = judging.case.policy, judging.case.change
    blocking = {judging.rules[place].requires for place in judging.blockers}
    if change is not None and change.emergency_outside_window and WINDOW in blocking and policy.emergency is not None:
        fields = wording.listed(policy.emergency.fields)
        yield f"outside the window it can be asked for as an emergency, with {fields}"
    if type(judging.facts.people) is not Unknown:
        for kind, rules in beyond_reach(judging, now.reached):
            would_do = f"an exception ({kind}) would do for {wording.listed(rules)}"
            yield f"{would_do}, but nobody is there to ask for it and to grant it"


def _too_late(judging: Judging, then: Judging) -> Iterator[str]:
    """What will not stand any more when it opens."""
    facts, zone, opens = judging.case.facts, judging.case.zone, then.case.at
    start = f"it could start on {wording.instant(opens, zone)}"
    if facts.expires_at is not None and judging.case.at < facts.expires_at <= opens:
        yield f"{start}, but this request expires on {wording.instant(facts.expires_at, zone)}: ask again then"
    place = judging.rules.places.get(APPROVALS)
    if place is not None and judging.finding(place).standing is Standing.MET and place in then.blockers:
        yield f"{start}, but by then the approvals will have lapsed"
