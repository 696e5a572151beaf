"""Which rules judge what? In the order people read them: those that no policy can leave out, and the path's gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from policy.applies import Applies, applying
from policy.case import Case, Judge
from policy.document import Policy
from policy.exceptions import BUILT_IN
from policy.facts import EMERGENCY, Deed, Facts, Question
from policy.finding import Finding, not_applicable, unknown
from policy.gates import AnyGate, Mode, SignoffGate, Waivable
from policy.kept import kept
from policy.model import Unknown
from policy.required import required
from policy.rules import (
    alerts,
    approval,
    asker,
    attest,
    attestation,
    branch,
    candidate,
    change,
    checklist,
    checks,
    database,
    emergency,
    evidence,
    exception,
    expiry,
    fast_forward,
    flags,
    freeze,
    hold,
    image,
    issues,
    known_good,
    lost_changes,
    manifest,
    number,
    obligation,
    order,
    parity,
    probe,
    pull_request,
    record,
    repository,
    reviews,
    road,
    rollback_ready,
    same,
    settings,
    signal,
    signature,
    signoff,
    soak,
    tag,
    window,
    workflow,
)


class Rule(NamedTuple):
    """One requirement."""

    requires: str
    """Its name, the same that its findings bear."""
    judge: Judge
    turns_with_time: bool = False
    """True where waiting alone can turn it from unmet to met."""
    waivable: Waivable = Waivable.NEVER
    mode: Mode = Mode.BLOCK
    source: str = ""


class Rulebook(tuple[Rule, ...]):  # noqa: SLOT001 (a tuple has no room for slots)
    """The rules of one question, in the order people read them."""

    places: Mapping[str, int]
    """Name → where it stands; of two with one name the first."""
    turning: tuple[int, ...]
    """Where those stand that turn with time."""
    judges: tuple[Judge, ...]
    """What each of them asks."""

    def __new__(cls, rules: Iterable[Rule]) -> Self:
        book = super().__new__(cls, rules)
        book.places = {rule.requires: place for place, rule in reversed(tuple(enumerate(book)))}
        book.turning = tuple(place for place, rule in enumerate(book) if rule.turns_with_time)
        book.judges = tuple(rule.judge for rule in book)
        return book


class Kind(NamedTuple):
    """How gates of one kind are judged."""

    rule: Callable[[str, Any], Judge]
    """(name of the gate, the gate) → its rule; what the policy alone decides is worked out there, once."""
    turns_with_time: bool = False


KINDS: Mapping[str, Kind] = {
    "alerts": Kind(alerts.alerts),
    "attest": Kind(attest.attested),
    "attestation": Kind(attestation.attested),
    "branch": Kind(branch.branches_in_order),
    "checklist": Kind(checklist.all_done),
    "checks": Kind(checks.required_checks),
    "database": Kind(database.database, turns_with_time=True),
    "evidence": Kind(evidence.documents_there),
    "fast_forward": Kind(fast_forward.is_fast_forward),
    "flags": Kind(flags.flags),
    "image": Kind(image.image_allowed),
    "issues": Kind(issues.few_open_issues),
    "lost_changes": Kind(lost_changes.nothing_lost),
    "manifest": Kind(manifest.one_tested_set),
    "number": Kind(number.number),
    "order": Kind(order.order),
    "parity": Kind(parity.parity),
    "probe": Kind(probe.probe),
    "pull_request": Kind(pull_request.pull_requests_say),
    "record": Kind(record.record),
    "repository": Kind(repository.repository_in_order),
    "reviews": Kind(reviews.everything_reviewed),
    "rollback_ready": Kind(rollback_ready.rollback_ready),
    "same": Kind(same.same_thing),
    "settings": Kind(settings.settings),
    "signal": Kind(signal.signal),
    "signature": Kind(signature.signatures_verified),
    "signoff": Kind(signoff.signed_off),
    "soak": Kind(soak.soaked, turns_with_time=True),
    "tag": Kind(tag.well_tagged),
    "workflow": Kind(workflow.workflow_succeeded),
}
"""Every kind of gate (`policy/gates.py`), and the rule that judges it."""

MAY_ASK = Rule(asker.MAY_ASK, asker.may_ask)
ALLOWED_PATH = Rule(road.ALLOWED_PATH, road.allowed_path)
CHANGE_TYPE = Rule(change.CHANGE_TYPE, change.change_type)
EMERGENCY_RECORD = Rule(emergency.EMERGENCY_RECORD, emergency.emergency_record)
CANDIDATE = (
    Rule(candidate.SAME_DIGEST, candidate.same_digest),
    Rule(candidate.SOMETHING_TO_PROMOTE, candidate.something_to_promote),
    Rule(candidate.COMMIT_KNOWN, candidate.commit_known),
)
WINDOW = Rule(window.WINDOW, window.within_window, turns_with_time=True, waivable=BUILT_IN[window.WINDOW])
NO_FREEZE = Rule(freeze.NO_FREEZE, freeze.no_freeze, turns_with_time=True, waivable=BUILT_IN[freeze.NO_FREEZE])
NO_HOLD = Rule(hold.NO_HOLD, hold.no_hold)
NOTHING_OVERDUE = Rule(obligation.NOTHING_OVERDUE, obligation.nothing_overdue)
NOT_EXPIRED = Rule(expiry.NOT_EXPIRED, expiry.not_expired)
AGREED = (
    Rule(approval.SECOND_PERSON, approval.second_person),
    Rule(approval.APPROVALS, approval.approved),
)
OTHERS: Mapping[Deed, tuple[Rule, ...]] = {
    Deed.ROLLBACK: (
        MAY_ASK,
        Rule(known_good.KNOWN_GOOD_TARGET, known_good.known_good_target),
        Rule(window.WINDOW, window.rollback_waits_for_no_window),
        Rule(freeze.NO_FREEZE, freeze.rollback_waits_for_no_freeze),
    ),
    Deed.FREEZE: (MAY_ASK, Rule(freeze.FREEZE_COMPLETE, freeze.freeze_complete), *AGREED),
    Deed.EXCEPTION: (
        MAY_ASK,
        Rule(exception.EXCEPTION_COMPLETE, exception.exception_complete),
        Rule(exception.EXCEPTION_ALLOWED, exception.exception_allowed),
        *AGREED,
    ),
    Deed.LIFT: (MAY_ASK,),
}


@kept
def rules_for(policy: Policy, question: Question) -> Rulebook:
    """All that judge this question, in reading order; none: nothing of the kind is ever allowed."""
    if question.deed is Deed.PROMOTE:
        return Rulebook(_of_a_promotion(policy, question))
    return Rulebook(OTHERS.get(question.deed, ()))


def rules_on(policy: Policy, question: Question, facts: Facts) -> Rulebook:
    """The same; what is owed from earlier stops a promotion even where the policy lets nothing be owed any more."""
    book, owed = rules_for(policy, question), facts.obligations
    if not owed or isinstance(owed, Unknown) or question.deed is not Deed.PROMOTE:
        return book
    if NOTHING_OVERDUE.requires in book.places:
        return book
    last = book.places[NOT_EXPIRED.requires]
    return Rulebook((*book[:last], NOTHING_OVERDUE, *book[last:]))


def _of_a_promotion(policy: Policy, question: Question) -> Iterator[Rule]:
    path = policy.path(question.service, question.source or "", question.target)
    yield MAY_ASK
    yield ALLOWED_PATH
    if question.change or (path is not None and path.types is not None):
        yield CHANGE_TYPE
    if question.change == EMERGENCY:
        yield EMERGENCY_RECORD
    yield from CANDIDATE
    yield from _gates(policy, question)
    yield from _times(policy, question)
    yield NO_HOLD
    if policy.emergency is not None or any(kind.owes for kind in policy.exceptions.values()):
        yield NOTHING_OVERDUE
    yield NOT_EXPIRED
    yield from AGREED


def _gates(policy: Policy, question: Question) -> Iterator[Rule]:
    asked = required(policy, question)
    for name, gate in asked.gates.items():
        kind = KINDS.get(gate.kind, _NOBODY)
        rule = Rule(name, kind.rule(name, gate), kind.turns_with_time, gate.waivable, gate.mode, gate.source)
        if name in asked.spared:
            yield rule._replace(judge=_spared(name, question.change), turns_with_time=False)
        elif gate.when is not None or gate.applies_to:
            applies = applying(gate, name)
            once = isinstance(gate, SignoffGate)  # who must agree rests on it too
            yield rule._replace(judge=_where_it_applies(_once(applies) if once else applies, rule.judge))
        else:
            yield rule


def _times(policy: Policy, question: Question) -> Iterator[Rule]:
    """The window and the freezes, unless changes of this type wait for none."""
    kind = policy.change_types.get(question.change)
    for rule, waits in ((WINDOW, kind and kind.window), (NO_FREEZE, kind and kind.freeze)):
        if waits == "any":
            yield rule._replace(judge=_spared(rule.requires, question.change), turns_with_time=False)
        else:
            yield rule


def _spared(name: str, change: str) -> Judge:
    """The type of the change is enough."""
    finding = not_applicable(name, "a change of type {} need not meet it", change)

    def judge(_case: Case) -> Finding:
        return finding

    return judge


def _where_it_applies(applies: Applies, judge: Judge) -> Judge:
    def judged(case: Case) -> Finding:
        finding = applies(case)
        return judge(case) if finding is None else finding

    return judged


def _once(applies: Applies) -> Applies:
    return lambda case: case.once(applies)


def _unjudged(name: str, gate: AnyGate) -> Judge:
    return lambda _: unknown(name, "nothing here judges gates of the kind {}", gate.kind)


_NOBODY = Kind(_unjudged)
