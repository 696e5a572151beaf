"""When does time alone open what it closes, and when does it close what is open?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from policy import freezes, windows, wording
from policy.case import Case
from policy.exceptions import waivers
from policy.finding import BLOCKING, Finding
from policy.judge import Judging, later
from policy.model import Unknown
from policy.reading import COUNTED
from policy.rules.emergency import EMERGENCY_RECORD
from policy.rules.expiry import NOT_EXPIRED
from policy.rules.freeze import NO_FREEZE
from policy.rules.obligation import NOTHING_OVERDUE
from policy.rules.window import WINDOW
from policy.terms import agreement

TRIES = 1000
"""So many steps from opening to thaw to opening are looked at; more than any calendar has in its horizon."""


def opening(judging: Judging) -> datetime | None:
    """The first instant at which every rule that turns with time is met; None: it is so now, or nobody knows one.

    Each says not before when it would be met; before the latest of these no instant can do, so it is judged next.
    """
    then = judging
    for _ in range(TRIES):
        findings = (then.finding(place) for place in then.rules.turning)
        blocking = [finding for finding in findings if finding.standing in BLOCKING]
        instant = then.case.at
        if not blocking:
            return instant if then is not judging else None
        opens = [_not_before(finding, then.case) for finding in blocking]
        if None in opens:
            return None
        then = later(judging, max(opening for opening in opens if opening is not None))
    return None


def _not_before(finding: Finding, case: Case) -> datetime | None:
    """No earlier is it met or waived; None: not by waiting."""
    opens = [remedy.at for remedy in finding.remedies if remedy.at is not None]
    exceptions = case.facts.exceptions
    if type(exceptions) is not Unknown:
        opens += [x.starts_at for x in exceptions if finding.rule in x.waives and x.starts_at > case.at]
    return min(opens, default=None)


# When it closes -------------------------------------------------------------------------------------------------------


def closing(judging: Judging) -> tuple[datetime, str] | None:
    """What closes next of what is open now, and when; nothing where something is closed that time alone opens."""
    if any(judging.rules[place].turns_with_time for place in judging.blockers):
        return None
    open_now = [place for place in range(len(judging.rules)) if place not in judging.blockers]
    for at, says, rules in sorted(_closings(judging)):
        if at > judging.case.at:
            then = later(judging, at)
            if any(then.finding(p).standing in BLOCKING for p in open_now if judging.rules[p].requires in rules):
                return at, f"{says} {wording.instant(at, judging.case.zone)}"
    return None


Closing = tuple[datetime, str, frozenset[str]]
"""When something may close, what that is, and which rules would say so."""


def _closings(judging: Judging) -> Iterator[Closing]:
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
    for one in () if type(facts.obligations) is Unknown else facts.obligations:
        yield one.due_at, f"{one.says} ({one.id}) falls due", frozenset((NOTHING_OVERDUE,))
    for rule, waiver in case.once(waivers).items():
        if waiver.ends_at is not None:
            yield waiver.ends_at, f"{waiver.by} ends", frozenset((rule,))
    yield from _lapsing(judging)


def _freezing(case: Case) -> Iterator[tuple[datetime, str]]:
    """Freezes that are coming."""
    declared = () if type(case.facts.freezes) is Unknown else case.facts.freezes
    for freeze in freezes.in_scope(declared, case.question):
        yield freeze.starts_at, f"a freeze by {freeze.owner} begins"
    for recurring in freezes.recurring(case.policy, case.question.place):
        begins = None if recurring.schedule.is_open(case.at) else recurring.schedule.next_change(case.at)
        if begins is not None:
            yield begins, f"the freeze {recurring.says.name} begins"


def _lapsing(judging: Judging) -> Iterator[Closing]:
    """Votes that stop to count, and what rests on them."""
    terms, votes = agreement(judging.case), judging.facts.votes
    if votes and type(terms) is not Unknown:
        counting = judging.rules.looking_at(_COUNTING)
        resting = frozenset([judging.rules[place].requires for place in counting])
        for vote in votes:
            yield vote.at + terms.lasts, "the approvals lapse", resting


_COUNTING = frozenset({COUNTED})
