"""May it happen, all rules together? It never raises: what cannot be judged is unknown, and unknown blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from policy import votes, windows, wording
from policy.case import case
from policy.document import ActivePolicy, Policy
from policy.facts import Deed, Facts, Question, Verdict
from policy.finding import BLOCKING, Decision, Finding, Remedy, RemedyKind, Standing, unknown
from policy.model import Unknown
from policy.rulebook import Rule, rules_for
from policy.rules.approval import APPROVALS, approved
from policy.rules.freeze import in_scope
from policy.rules.window import window_of

TRIES = 1000
"""So many steps from opening to thaw to opening are looked at; more than any calendar has in its horizon."""


def decide(
    question: Question,
    facts: Facts,
    active: ActivePolicy,
    at: datetime,
    rules: tuple[Rule, ...] | None = None,
) -> Decision:
    """All that the rules of this deed find at that instant, and when time alone would open what time closes.

    Nothing is left out and nothing raises; a deed without rules is not allowed.
    """
    policy = active.policy
    rules = rules_for(policy, question) if rules is None else rules
    findings = tuple(_judged(rule, question, facts, policy, at) for rule in rules)
    try:
        earliest = _earliest(rules, question, facts, policy, at)
        findings = tuple(_waiting_until(earliest, finding, policy) for finding in findings)
        notes = tuple(_notes(findings, question, facts, policy, at, earliest))
    except Exception as error:  # noqa: BLE001 (whatever it is, the findings stand; the notes say what is missing)
        earliest, notes = None, (f"when it will open could not be worked out ({type(error).__name__})",)
        findings = tuple(_waiting_until(None, finding, policy) for finding in findings)
    return Decision(findings, at, active.hash, earliest, notes=notes)


def _judged(rule: Rule, question: Question, facts: Facts, policy: Policy, at: datetime) -> Finding:
    try:
        return rule.judge(case(question, facts, policy, at))._replace(source=rule.source)
    except Exception as error:  # noqa: BLE001 (a rule that fails for whatever reason must not let anything through)
        return unknown(rule.requires, f"this could not be judged, for a fault of the bot's ({type(error).__name__})")


def _earliest(
    rules: tuple[Rule, ...], question: Question, facts: Facts, policy: Policy, at: datetime
) -> datetime | None:
    """The first instant at which every rule that turns with time is met, found by judging them again and again.

    Each says not before when it would be met; before the latest of these no instant can do, so it is judged next.
    """
    turning = [rule for rule in rules if rule.turns_with_time]
    instant = at
    for _ in range(TRIES):
        blocking = [
            finding
            for finding in (_judged(rule, question, facts, policy, instant) for rule in turning)
            if finding.standing in BLOCKING
        ]
        if not blocking:
            return instant if instant != at else None
        opens = [_opens(finding) for finding in blocking]
        if any(opening is None or opening <= instant for opening in opens):
            return None
        instant = max(opening for opening in opens if opening is not None)
    return None


def _opens(finding: Finding) -> datetime | None:
    waits = [remedy.at for remedy in finding.remedies if remedy.kind is RemedyKind.WAIT and remedy.at is not None]
    return min(waits, default=None)


def _waiting_until(earliest: datetime | None, finding: Finding, policy: Policy) -> Finding:
    """The finding with its advice to wait put right: until time opens everything, or not at all."""
    others = tuple(remedy for remedy in finding.remedies if remedy.kind is not RemedyKind.WAIT)
    if len(others) == len(finding.remedies):
        return finding
    if earliest is None:
        return finding._replace(remedies=others)
    says = f"wait until {wording.instant(earliest, policy.zone())}"
    return finding._replace(remedies=(Remedy(RemedyKind.WAIT, says, at=earliest), *others))


# Notes --------------------------------------------------------------------------------------------------------------


def _notes(
    findings: tuple[Finding, ...],
    question: Question,
    facts: Facts,
    policy: Policy,
    at: datetime,
    earliest: datetime | None,
) -> Iterator[str]:
    if question.deed is not Deed.PROMOTE:
        return
    path = policy.path(question.service, question.source or "", question.target)
    if path is not None:
        count = votes.counted(case(question, facts, policy, at))
        if not isinstance(count, Unknown):
            for entry in count.ignored:
                kind = "approval" if entry.vote.verdict is Verdict.APPROVE else "rejection"
                yield f"{entry.vote.voter.name}'s {kind} does not count: {entry.vote.voter.name} {entry.why}"
            for vote in count.spare:
                yield f"{vote.voter.name} agrees too; it was not needed"
    if earliest is None:
        yield from _closes(question, facts, policy, at)
        return
    opens = wording.instant(earliest, policy.zone())
    if facts.expires_at is not None and at < facts.expires_at <= earliest:
        ends = wording.instant(facts.expires_at, policy.zone())
        yield f"it could start on {opens}, but this request expires on {ends}: ask again then"
    stands = any(finding.rule == APPROVALS and finding.standing is Standing.MET for finding in findings)
    if stands and approved(case(question, facts, policy, earliest)).standing in BLOCKING:
        yield f"it could start on {opens}, but by then the approvals will have lapsed"


def _closes(question: Question, facts: Facts, policy: Policy, at: datetime) -> Iterator[str]:
    """What will close next that is open now."""
    window = window_of(question, policy)
    if window is not None and windows.is_open(window, policy.zone(), at):
        closes = windows.next_change(window, policy.zone(), at)
        if closes is not None:
            yield f"the window closes {wording.instant(closes, policy.zone(window))}"
    if not isinstance(facts.freezes, Unknown):
        for freeze in in_scope(facts.freezes, question):
            if at < freeze.starts_at < freeze.ends_at:
                yield f"a freeze by {freeze.owner} begins {wording.instant(freeze.starts_at, policy.zone())}"
                break
