"""Which rules judge what? In the order people read them: those that no policy can leave out, and the path's gates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, Self

from policy.applies import applying, at_most_once, where_it_applies
from policy.case import Case, Judge
from policy.document import Policy
from policy.exceptions import BUILT_IN
from policy.facts import EMERGENCY, Deed, Facts, Question
from policy.finding import Finding, not_applicable
from policy.gates import AnyGate, ChecklistGate, DatedGate, Mode, SignoffGate, Waivable
from policy.kept import kept
from policy.model import Unknown
from policy.reading import ANYTHING, AT, COUNTED, SIGNOFFS, WORKS
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
    goes_back,
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
    looks_at: frozenset[str] = ANYTHING
    """Names of facts and of evidence, and what follows from them (`reading.py`): all that its finding rests on."""
    rests_on: tuple[str, ...] = ()
    """Rules that it asks what they find."""


_TO_BE_SEEN = frozenset({AT, COUNTED})
"""What is looked at where somebody must say that they saw it: they do so at an instant."""


class Rulebook(tuple[Rule, ...]):  # noqa: SLOT001 (a tuple has no room for slots)
    """The rules of one question, in the order people read them."""

    places: Mapping[str, int]
    """Name → where it stands; of two with one name the first."""
    named: Mapping[str, tuple[int, ...]]
    """Name → where all of that name stand."""
    turning: tuple[int, ...]
    """Where those stand that turn with time."""
    turns: tuple[tuple[int, Judge], ...]
    """Where each stands and how it judges, in the order in which they do: first those that ask no others."""
    _looking: dict[AbstractSet[str], frozenset[int]]
    _resting: dict[AbstractSet[int], frozenset[int]]
    _above: Mapping[int, tuple[int, ...]]

    def __new__(cls, rules: Iterable[Rule]) -> Self:
        book = super().__new__(cls, rules)
        book.places = {rule.requires: place for place, rule in reversed(tuple(enumerate(book)))}
        book.turning = tuple(place for place, rule in enumerate(book) if rule.turns_with_time)
        in_turn = sorted(range(len(book)), key=lambda place: bool(book[place].rests_on))
        book.turns = tuple((place, book[place].judge) for place in in_turn)
        named, above = defaultdict[str, tuple[int, ...]](tuple), defaultdict[int, tuple[int, ...]](tuple)
        for place, rule in enumerate(book):
            named[rule.requires] += (place,)
            for name in rule.rests_on:
                if name in book.places:
                    above[book.places[name]] += (place,)
        book.named, book._above = dict(named), above
        book._looking, book._resting = {}, {}
        return book

    def looking_at(self, changes: frozenset[str]) -> frozenset[int]:
        """Where those stand that look at any of these, and those that rest on them."""
        places = self._looking.get(changes)
        if places is None:
            looking = [place for place, rule in enumerate(self) if not rule.looks_at.isdisjoint(changes)]
            if not changes.isdisjoint(_TO_BE_SEEN):
                looking += [place for place, rule in enumerate(self) if rule.mode is Mode.ACKNOWLEDGE]
            places = self._looking[changes] = self.resting_on(frozenset(looking))
        return places

    def resting_on(self, places: frozenset[int]) -> frozenset[int]:
        """These, and where those stand that rest on them."""
        found = self._resting.get(places)
        if found is None:
            found, more = places, places
            while more:
                more = frozenset([above for place in more for above in self._above.get(place, ())]) - found
                found |= more
            self._resting[places] = found
        return found


class Kind(NamedTuple):
    """How gates of one kind are judged."""

    rule: Callable[[str, Any], Judge]
    """(name of the gate, the gate) → its rule; what the policy alone decides is worked out there, once."""
    looks_at: frozenset[str]
    """Whatever the gate says; where it says how old evidence may be, at the instant too."""
    turns_with_time: bool = False


def _at(*names: str) -> frozenset[str]:
    return frozenset(names)


KINDS: Mapping[str, Kind] = {
    "alerts": Kind(alerts.alerts, _at("alerts", "alerts_at", AT)),
    "attest": Kind(attest.attested, _at("confirmed", AT, COUNTED)),
    "attestation": Kind(attestation.attested, _at("candidate", "attestations")),
    "branch": Kind(branch.branches_in_order, _at("branches", "candidate", "changes")),
    "checklist": Kind(checklist.all_done, _at("asked_by", "confirmed")),
    "checks": Kind(checks.required_checks, _at("candidate", "checks", "fields")),
    "database": Kind(database.database, _at("database", AT), turns_with_time=True),
    "evidence": Kind(evidence.documents_there, _at("candidate", "documents")),
    "fast_forward": Kind(fast_forward.is_fast_forward, _at("ahead", "candidate")),
    "flags": Kind(flags.flags, _at("flags")),
    "image": Kind(image.image_allowed, _at("image")),
    "issues": Kind(issues.few_open_issues, _at("issues")),
    "lost_changes": Kind(lost_changes.nothing_lost, _at("lost")),
    "manifest": Kind(manifest.one_tested_set, _at("manifest")),
    "number": Kind(number.number, _at("candidate", "numbers", AT)),
    "order": Kind(order.order, _at("candidate", "reached", AT)),
    "parity": Kind(parity.parity, _at("shapes")),
    "probe": Kind(probe.probe, _at("candidate", "probes", AT)),
    "pull_request": Kind(pull_request.pull_requests_say, _at("changes", "promotion")),
    "record": Kind(record.record, _at("asked_by", "fields")),
    "repository": Kind(repository.repository_in_order, _at("changes", "repository")),
    "reviews": Kind(reviews.everything_reviewed, _at("changes")),
    "rollback_ready": Kind(rollback_ready.rollback_ready, _at("way_back")),
    "same": Kind(same.same_thing, _at("built", "candidate", "tree")),
    "settings": Kind(settings.settings, _at("settings")),
    "signal": Kind(signal.signal, _at("signals", AT)),
    "signature": Kind(signature.signatures_verified, _at("candidate", "signatures")),
    "signoff": Kind(signoff.signed_off, _at(AT, COUNTED)),
    "soak": Kind(soak.soaked, _at("candidate", "soaks", "source_serving", AT), turns_with_time=True),
    "tag": Kind(tag.well_tagged, _at("candidate", "tag")),
    "workflow": Kind(workflow.workflow_succeeded, _at("candidate", "workflows", AT)),
}
"""Every kind of gate (`policy/gates.py`), and the rule that judges it."""

MAY_ASK = Rule(asker.MAY_ASK, asker.may_ask, looks_at=_at("asked_by", "people", "trigger"))
ALLOWED_PATH = Rule(road.ALLOWED_PATH, road.allowed_path, looks_at=_at())
CHANGE_TYPE = Rule(change.CHANGE_TYPE, change.change_type, looks_at=_at("asked_by", "fields"))
EMERGENCY_RECORD = Rule(
    emergency.EMERGENCY_RECORD, emergency.emergency_record, looks_at=_at("asked_by", "emergency", AT)
)
CANDIDATE = (
    Rule(candidate.SAME_DIGEST, candidate.same_digest, looks_at=_at("candidate", "source_serving")),
    Rule(candidate.SOMETHING_TO_PROMOTE, candidate.something_to_promote, looks_at=_at("candidate", "target_serving")),
    Rule(candidate.COMMIT_KNOWN, candidate.commit_known, looks_at=_at("candidate")),
)
WINDOW = Rule(
    window.WINDOW, window.within_window, turns_with_time=True, waivable=BUILT_IN[window.WINDOW], looks_at=_at(AT)
)
NO_FREEZE = Rule(
    freeze.NO_FREEZE,
    freeze.no_freeze,
    turns_with_time=True,
    waivable=BUILT_IN[freeze.NO_FREEZE],
    looks_at=_at("fields", "freezes", "people", AT),
)
NO_HOLD = Rule(hold.NO_HOLD, hold.no_hold, looks_at=_at("candidate", "holds", "people"))
NOTHING_OVERDUE = Rule(
    obligation.NOTHING_OVERDUE, obligation.nothing_overdue, looks_at=_at("obligations", "people", AT)
)
NOT_EXPIRED = Rule(expiry.NOT_EXPIRED, expiry.not_expired, looks_at=_at("expires_at", AT))
AGREED = (
    Rule(approval.SECOND_PERSON, approval.second_person, looks_at=_at(AT, COUNTED)),
    Rule(approval.APPROVALS, approval.approved, looks_at=_at(AT, COUNTED)),
)
WORKS[approval.needed_to_agree] = _at(COUNTED)
OTHERS: Mapping[Deed, tuple[Rule, ...]] = {
    Deed.ROLLBACK: (
        MAY_ASK,
        Rule(
            known_good.KNOWN_GOOD_TARGET,
            known_good.known_good_target,
            looks_at=_at("holds", "people", "rollback_to", "target_serving"),
        ),
        Rule(
            goes_back.DATABASE_GOES_BACK,
            goes_back.database_goes_back,
            looks_at=_at("asked_by", "confirmed", "goes_over", "people", "trigger", "votes"),
        ),
        Rule(window.WINDOW, window.rollback_waits_for_no_window, looks_at=_at()),
        Rule(freeze.NO_FREEZE, freeze.rollback_waits_for_no_freeze, looks_at=_at()),
    ),
    Deed.REWIND: (
        Rule(known_good.KNOWN_GOOD_TARGET, known_good.known_good_commit, looks_at=_at("rollback_to")),
        AGREED[1],  # nobody asked for it: whoever asked for what went bad does not count in any case
    ),
    Deed.FREEZE: (
        MAY_ASK,
        Rule(freeze.FREEZE_COMPLETE, freeze.freeze_complete, looks_at=_at("asked_by", "wanted")),
        *AGREED,
    ),
    Deed.EXCEPTION: (
        MAY_ASK,
        Rule(exception.EXCEPTION_COMPLETE, exception.exception_complete, looks_at=_at("asked_by", "wanted")),
        Rule(exception.EXCEPTION_ALLOWED, exception.exception_allowed, looks_at=_at("asked_by", "wanted")),
        *AGREED,
    ),
    Deed.LIFT: (MAY_ASK,),
    Deed.HOTFIX: (MAY_ASK,),
}


@kept
def rules_for(policy: Policy, question: Question) -> Rulebook:
    """All that judge this question, in reading order; none: nothing of the kind is ever allowed."""
    if question.deed is Deed.PROMOTE:
        return Rulebook(_of_a_promotion(policy, question))
    if question.deed is Deed.ROLLBACK and policy.going_back(question.service, question.target).approvals:
        return Rulebook((*OTHERS[Deed.ROLLBACK], *AGREED))
    return Rulebook(OTHERS.get(question.deed, ()))


def rules_on(policy: Policy, question: Question, facts: Facts) -> Rulebook:
    """The same; what is owed from earlier stops a promotion even where the policy lets nothing be owed any more."""
    book, owed = rules_for(policy, question), facts.obligations
    if not owed or type(owed) is Unknown or question.deed is not Deed.PROMOTE:
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
    if policy.emergency is not None or policy.rollback.owes or any(kind.owes for kind in policy.exceptions.values()):
        yield NOTHING_OVERDUE
    yield NOT_EXPIRED
    yield from AGREED


def _gates(policy: Policy, question: Question) -> Iterator[Rule]:
    asked = required(policy, question)
    for name, gate in asked.gates.items():
        kind = KINDS[gate.kind]
        looks_at, rests_on = _looks_at(kind, gate, policy), _rests_on(gate, policy)
        judge, turns = kind.rule(name, gate), kind.turns_with_time
        rule = Rule(name, judge, turns, gate.waivable, gate.mode, gate.source, looks_at, rests_on)
        if name in asked.spared:
            yield _spared(rule, question.change)
        elif gate.when is not None or gate.applies_to:
            applies = applying(gate, name)
            once = isinstance(gate, SignoffGate)  # who must agree rests on it too
            where = where_it_applies(at_most_once(applies) if once else applies, judge)
            yield rule._replace(judge=where, looks_at=looks_at.union(SIGNOFFS))
        else:
            yield rule


def _looks_at(kind: Kind, gate: AnyGate, policy: Policy) -> frozenset[str]:
    """What a rule of this kind looks at for this gate."""
    looks_at = kind.looks_at
    if isinstance(gate, DatedGate) and gate.max_age is not None:
        looks_at = looks_at.union({AT})
    if isinstance(gate, ChecklistGate) and any(
        item.by in {attest.APPROVER, checklist.EITHER} for item in policy.checklists[gate.checklist]
    ):
        looks_at = looks_at.union({AT, COUNTED})
    return looks_at


def _rests_on(gate: AnyGate, policy: Policy) -> tuple[str, ...]:
    """What other rules it asks."""
    items = policy.checklists[gate.checklist] if isinstance(gate, ChecklistGate) else ()
    return tuple(item.gate for item in items if item.gate)


def _times(policy: Policy, question: Question) -> Iterator[Rule]:
    """The window and the freezes, unless changes of this type wait for none."""
    kind = policy.change_types.get(question.change)
    no_freeze = NO_FREEZE
    if policy.freezes.override:
        no_freeze = no_freeze._replace(looks_at=no_freeze.looks_at.union({COUNTED}))
    for rule, waits in ((WINDOW, kind and kind.window), (no_freeze, kind and kind.freeze)):
        yield _spared(rule, question.change) if waits == "any" else rule


def _spared(rule: Rule, change: str) -> Rule:
    """The type of the change is enough."""
    finding = not_applicable(rule.requires, "a change of type {} need not meet it", change)

    def judge(_case: Case) -> Finding:
        return finding

    return rule._replace(judge=judge, looks_at=frozenset(), rests_on=(), turns_with_time=False)
