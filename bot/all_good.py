"""What would be known if nothing were in the way? Facts made up from a policy: for tables of cases, and for asking it.

Every gate's evidence is there, fresh and fine, everything that must be said is said, there is something to go back to;
nothing is frozen or held, nothing is owed, and nobody has agreed yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.example import fitting, like
from policy.applies import SEVERITY
from policy.document import Emergency, Policy
from policy.evidence import (
    Ahead,
    Attestation,
    Authors,
    Branches,
    Built,
    Changes,
    Check,
    CheckState,
    Commit,
    Database,
    Document,
    Evidence,
    Measured,
    Probed,
    PullRequest,
    Reached,
    Repository,
    Signature,
    Tag,
    Undisturbed,
    WayBack,
    WorkflowRun,
)
from policy.facts import (
    EMERGENCY,
    Candidate,
    Deed,
    EmergencyRecord,
    ExceptionRecord,
    Facts,
    Freeze,
    KnownGood,
    Question,
    Serving,
)
from policy.gates import (
    AlertsGate,
    AnyGate,
    AttestationGate,
    AttestGate,
    BranchGate,
    ChecklistGate,
    ChecksGate,
    DatabaseGate,
    EvidenceGate,
    ImageGate,
    LostChangesGate,
    NumberGate,
    OrderGate,
    ParityGate,
    ProbeGate,
    PullRequestGate,
    RecordGate,
    RepositoryGate,
    ReviewsGate,
    SettingsGate,
    SignalGate,
    SignatureGate,
    SoakGate,
    TagGate,
    WorkflowGate,
)
from policy.glob import like as is_like
from policy.model import Digest, Human, Person, Sha, Unknown
from policy.required import required

CANDIDATE, SERVING, BEFORE = (Digest(f"sha256:{letter * 64}") for letter in "cab")
"""What would be promoted, what serves the target now, and what served it before."""
COMMIT, SERVING_COMMIT, BEFORE_COMMIT = (Sha(letter * 40) for letter in "cab")
TREE = "e" * 40
PLAN = "f" * 64
DAY = timedelta(days=1)
SAID = "said"

_GROUP = "slack:group/"
_TAGS = ("v1.4.0", "1.4.0", "v1.4", "1.4", "release-1.4.0", "release/1.4.0")
"""One of these usually fits a pattern for release tags."""


def everybody(policy: Policy, groups: Mapping[str, Iterable[str]]) -> dict[Human, Person]:
    """All people of the policy with the roles that they hold. `groups`: who is in which Slack group."""
    return {Human(name): person(policy, name, groups) for name in policy.people}


def person(policy: Policy, name: str, groups: Mapping[str, Iterable[str]]) -> Person:
    """Somebody by name, with the roles that the policy and those groups give them."""
    entry = policy.people[name]
    account = f"slack:{policy.workspace}/{entry.slack}" if entry.slack else f"github:{entry.github}"
    mine = {name, *(f"{_GROUP}{group}" for group, members in groups.items() if name in members)}
    roles = frozenset(role for role, held in policy.roles.items() if mine & set(held.members))
    return Person(account, Human(name), name, roles=roles)


def all_good(
    question: Question,
    policy: Policy,
    at: datetime,
    *,
    asked_by: Person,
    people: Mapping[Human, Person],
    fields: Mapping[str, str],
    wanted: ExceptionRecord | Freeze | None = None,
) -> Facts:
    """The facts of that question with nothing in the way. `fields`: what was said, besides all that must be."""
    facts = Facts(
        asked_by=asked_by,
        asked_at=at,
        plan=PLAN,
        freezes=(),
        holds=(),
        people=people,
        authors=Authors(frozenset()),
        reviewers=frozenset(),
        exceptions=(),
        obligations=(),
        fields=fields,
        wanted=_complete(wanted, policy),
    )
    match question.deed:
        case Deed.PROMOTE:
            return _promotion(facts, question, policy, at)
        case Deed.ROLLBACK:
            return _rollback(facts, question, at)
        case _:
            return facts


def _complete(wanted: ExceptionRecord | Freeze | None, policy: Policy) -> ExceptionRecord | Freeze | None:
    """With all said that must be, and ending as soon as its kind asks for."""
    if isinstance(wanted, ExceptionRecord):
        kind = policy.exceptions[wanted.kind]
        must = dict.fromkeys(kind.fields, SAID) | ({"reason": kind.reasons[0]} if kind.reasons else {})
        ends_at = wanted.starts_at + kind.longest if wanted.ends_at is None and kind.longest else wanted.ends_at
        return replace(wanted, fields={**must, **wanted.fields}, ends_at=ends_at)
    if isinstance(wanted, Freeze):
        must = dict.fromkeys(policy.freezes.fields, SAID)
        return replace(wanted, reason=wanted.reason or SAID, fields={**must, **wanted.fields})
    return None


def _rollback(facts: Facts, question: Question, at: datetime) -> Facts:
    service = question.service
    back = KnownGood(f"{service}-r-before", BEFORE, at - 7 * DAY, "release op_before", BEFORE_COMMIT)
    return replace(
        facts,
        expires_at=at + timedelta(hours=1),
        target_serving=Serving(f"{service}-r-serving", SERVING, at - timedelta(hours=1), SERVING_COMMIT),
        known_good=(back,),
        rollback_to=back,
    )


def _promotion(facts: Facts, question: Question, policy: Policy, at: datetime) -> Facts:
    path = policy.path(question.service, question.source or "", question.target)
    emergency = policy.emergency if question.change == EMERGENCY else None
    gates = required(policy, question).gates
    since = at - _longest(gates.values()) - DAY
    said = dict.fromkeys(_must_say(gates.values(), question, policy, emergency), SAID) | dict(facts.fields)
    return replace(
        facts,
        expires_at=at + (path.request_lasts if path else DAY),
        candidate=Candidate(CANDIDATE, COMMIT),
        source_serving=Serving(f"{question.service}-r-candidate", CANDIDATE, since, COMMIT),
        target_serving=Serving(f"{question.service}-r-serving", SERVING, at - 30 * DAY, SERVING_COMMIT),
        checks={name: Check(name, CheckState.PASSED, at=at) for name in _checks(gates.values())},
        known_good=(KnownGood(f"{question.service}-r-before", BEFORE, at - 60 * DAY, "release op_before"),),
        evidence=_evidence(gates, question, policy, at, since),
        fields=said,
        confirmed=frozenset(states(gates, policy, "requester")),
        emergency=EmergencyRecord("E-1", said, at + emergency.lasts) if emergency is not None else None,
    )


def states(gates: Mapping[str, AnyGate], policy: Policy, who: str) -> Iterator[str]:
    """What the requester or an approver must state: attestations, and items of checklists, by name."""
    for name, gate in gates.items():
        match gate:
            case AttestGate(by=by) if who in by:
                yield name
            case ChecklistGate(checklist=checklist):
                yield from (
                    f"{checklist}.{item.id}" for item in policy.checklists[checklist] if item.by in {who, "either"}
                )


def _must_say(
    gates: Iterable[AnyGate], question: Question, policy: Policy, emergency: Emergency | None
) -> Iterator[str]:
    for gate in gates:
        if isinstance(gate, RecordGate):
            yield from (*gate.only_if, *gate.fields)
        if gate.when is not None and gate.when.severities:
            yield SEVERITY
    if question.change in policy.change_types:
        yield from policy.change_types[question.change].fields
    if emergency is not None:
        yield from emergency.fields


def _longest(gates: Iterable[AnyGate]) -> timedelta:
    return max((gate.lasts for gate in gates if isinstance(gate, SoakGate)), default=timedelta(0))


def _checks(gates: Iterable[AnyGate]) -> Iterator[str]:
    for gate in gates:
        if isinstance(gate, ChecksGate):
            yield from (*gate.names, *gate.optional, *gate.excused)


# Evidence -----------------------------------------------------------------------------------------------------------


def _evidence(
    named: Mapping[str, AnyGate], question: Question, policy: Policy, at: datetime, since: datetime
) -> Evidence:
    gates = tuple(named.values())
    environments = tuple(policy.environments)
    below = [name for name in environments if name != question.target]
    shape = _shape(gates, policy)
    return Evidence(
        workflows={
            gate.workflow: WorkflowRun(gate.workflow, CheckState.PASSED, at=at, inputs=gate.inputs)
            for gate in gates
            if isinstance(gate, WorkflowGate)
        },
        changes=_changes(gates, policy),
        branches=Branches(),
        ahead=Ahead(1, 0),
        built={
            **{name: Built(CANDIDATE, COMMIT, TREE) for name in below},
            question.target: Built(SERVING, SERVING_COMMIT, "a" * 40),
        },
        tree=TREE,
        soaks={name: Undisturbed(since, since) for name in below},
        numbers=_numbers([(gate.report, gate) for gate in gates if isinstance(gate, NumberGate)], at),
        signals=_numbers([(gate.signal, gate) for gate in gates if isinstance(gate, SignalGate)], at),
        alerts={source: {} for gate in gates if isinstance(gate, AlertsGate) for source in gate.sources},
        alerts_at=at,
        probes={
            f"{gate.probes}@{gate.environment}": Probed((), len(policy.probes[gate.probes]), at, CANDIDATE)
            for gate in gates
            if isinstance(gate, ProbeGate) and gate.probes in policy.probes
        },
        settings={name: {} for gate in gates if isinstance(gate, SettingsGate) for name in gate.environments},
        shapes={name: shape for gate in gates if isinstance(gate, ParityGate) for name in (gate.left, gate.right)},
        tag=_tag(gates),
        signatures={
            subject: Signature(verified=True, by=gate.signed_by[0] if gate.signed_by else "release-ci")
            for gate in gates
            if isinstance(gate, SignatureGate)
            for subject in gate.subjects
        },
        documents={
            item: Document(f"evidence/{item}", CANDIDATE, at)
            for gate in gates
            if isinstance(gate, EvidenceGate)
            for item in gate.items
        },
        attestations=tuple(
            Attestation(predicate, CANDIDATE, gate.builders[0], verified=True)
            for gate in gates
            if isinstance(gate, AttestationGate)
            for predicate in gate.predicates
        ),
        issues=(),
        way_back=WayBack(f"{question.service}-r-serving", SERVING, ready=True, retrievable=True),
        database=_database(gates, at),
        flags=(),
        lost={what: () for gate in gates if isinstance(gate, LostChangesGate) for what in gate.look_for},
        manifest=None,
        reached={
            gate.environment: (Reached(CANDIDATE, "verified", since),) for gate in gates if isinstance(gate, OrderGate)
        },
        repository=Repository(),
        promotion=_pull_request(
            2, gates, "promotion", _branch_of(policy, question.source or ""), _branch_of(policy, question.target)
        ),
        image=_image(gates, question.service),
    )


def _branch_of(policy: Policy, environment: str) -> str:
    place = policy.environments.get(environment)
    return (place.branch if place else None) or environment


def _changes(gates: Iterable[AnyGate], policy: Policy) -> Changes:
    """One pull request by somebody else, reviewed and filled in, called and labelled as it must be."""
    gates = tuple(gates)
    names = [name for gate in gates if isinstance(gate, BranchGate) for name in gate.names]
    touched = [like(glob, "a") for gate in gates if isinstance(gate, RepositoryGate) for glob in gate.touched]
    commit = Commit(COMMIT, "A change", frozenset({"author"}), pull_request=1, verified=True)
    reviewed = _pull_request(1, gates, "range", *_road(gates, policy))
    return Changes((commit,), (reviewed,), ("src/a.py", *touched), branch=_branch(names))


def _branch(names: Iterable[str]) -> str:
    """What the candidate's branch is called."""
    names = [name for name in names if "→" not in name]
    if not names or any(re.fullmatch(name, "main") for name in names):
        return "main"
    return fitting(names[0]) or "main"


def _road(gates: Iterable[AnyGate], policy: Policy) -> tuple[str, str]:
    """The branch that a pull request came from, and the one that it went to."""
    branches = [gate for gate in gates if isinstance(gate, BranchGate)]
    names = [fitting(name) or "" for gate in branches for name in gate.names]
    bases = ["main", *(place.branch for place in policy.environments.values() if place.branch is not None)]
    heads = [name for name in names if "→" not in name and name not in {"", *bases}]
    roads = [name for name in names if "→" in name]
    roads += [f"{head}→{base}" for head in (*heads, "feature/ABC-1-a-change") for base in bases]
    forbidden = tuple(glob for gate in branches for glob in gate.forbid)
    head, _, base = next((road for road in roads if not is_like(road, forbidden)), roads[0]).partition("→")
    return head, base


def _pull_request(number: int, gates: Iterable[AnyGate], of: str, head: str, base: str) -> PullRequest:
    asking = [gate for gate in gates if isinstance(gate, PullRequestGate) and gate.of == of]
    reviews = max((gate.at_least for gate in gates if isinstance(gate, ReviewsGate)), default=0)
    titles = [fitting(gate.titled) for gate in asking if gate.titled is not None]
    return PullRequest(
        number,
        (titles[0] if titles else None) or "A change",
        labels=frozenset(gate.one_of[0] for gate in asking if gate.one_of and not gate.labelled),
        fields={
            **{name: SAID for gate in asking for name in gate.fields},
            **{name: fitting(pattern) or SAID for gate in asking for name, pattern in gate.matches.items()},
        },
        authors=frozenset({"author"}),
        approved_by=frozenset(f"reviewer-{number}" for number in range(1, max(reviews, 1) + 1)),
        head=head,
        base=base,
    )


def _image(gates: Iterable[AnyGate], service: str) -> str:
    names = next((gate.names for gate in gates if isinstance(gate, ImageGate)), ("*",))
    return like(names[0], f"{service}@{CANDIDATE}")


_Compared = NumberGate | SignalGate


def _numbers(gates: Iterable[tuple[str, _Compared]], at: datetime) -> dict[str, Measured]:
    """For each report a number that every gate on it lets pass, where there is one."""
    named: dict[str, list[_Compared]] = {}
    for report, gate in gates:
        named.setdefault(report, []).append(gate)
    return {report: Measured(_between(bounds), at) for report, bounds in named.items()}


def _between(gates: Iterable[_Compared]) -> float:
    least = [gate.value + (_little(gate.value) if gate.op == ">" else 0) for gate in gates if gate.op in {">", ">="}]
    most = [gate.value - (_little(gate.value) if gate.op == "<" else 0) for gate in gates if gate.op in {"<", "<="}]
    if least and most:
        return (max(least) + min(most)) / 2
    return max(least) if least else min(most)


def _little(value: float) -> float:
    return abs(value) / 100 or 1


def _shape(gates: Iterable[AnyGate], policy: Policy) -> dict[str, str]:
    parts = {part for gate in gates if isinstance(gate, ParityGate) for part in gate.shape}
    return {f"{service}.{part}": "same" for service in policy.services for part in sorted(parts)}


def _tag(gates: Iterable[AnyGate]) -> Tag | Unknown | None:
    for gate in gates:
        if isinstance(gate, TagGate):
            usual = (each for each in _TAGS if re.search(gate.pattern, each))
            name = next(usual, None) or fitting(gate.pattern)
            if name is None:
                return Unknown(f"no example of a tag like {gate.pattern} was thought of; write one in the case")
            maker = gate.created_by[0] if gate.created_by else "github:app/release-ci"
            return Tag(name, COMMIT, annotated=True, verified=True, made_by=maker, first_commit=COMMIT)
    return None


def _database(gates: Iterable[AnyGate], at: datetime) -> Database:
    for gate in gates:
        if isinstance(gate, DatabaseGate):
            after = gate.contract_after or timedelta(0)
            return Database(gate.allows[0], (), CheckState.PASSED, at - after - DAY)
    return Database("none")
