"""What is different in this case? Short words, as tables of cases have them, laid over facts in which all is good.

Every fact goes by the name it has in `policy/facts.py` or `policy/evidence.py`. What is said of it changes that part
and leaves the rest: `checks: {lint: failed}`, `numbers: {coverage: 89.99}`; null takes something away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from bot.all_good import (
    BEFORE,
    BEFORE_COMMIT,
    CANDIDATE,
    COMMIT,
    PLAN,
    SAID,
    SERVING,
    SERVING_COMMIT,
    states,
)
from bot.facts_json import (
    Keyed,
    Leaf,
    Listed,
    Misfit,
    OneOf,
    Record,
    Shape,
    Where,
    is_unknown,
    leaf,
    mapping,
    shape,
)
from policy.document import Policy
from policy.duration import span
from policy.evidence import (
    Attestation,
    Authors,
    Built,
    Check,
    Commit,
    Database,
    Document,
    Evidence,
    Flag,
    Issue,
    Measured,
    Probed,
    PullRequest,
    Reached,
    Signature,
    Tag,
    Undisturbed,
    WorkflowRun,
)
from policy.facts import EmergencyRecord, ExceptionRecord, Facts, Freeze, Hold, Obligation, Question, Verdict, Vote
from policy.model import Digest, Human, Person, Sha, Unknown
from policy.required import required

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """What short words are short for."""

    question: Question
    policy: Policy
    at: datetime
    people: Mapping[Human, Person]

    @property
    def zone(self) -> ZoneInfo:
        return self.policy.zone()


def given(facts: Facts, changes: Mapping[str, Any], setting: Setting) -> Facts:
    """The facts with those changes laid over. Raises `Misfit` with the place, which begins with `given`."""
    for key, value in changes.items():
        where: Where = ("given", key)
        if key in _WORDS:
            facts = _WORDS[key](facts, value, where, setting)
        elif key in _EVIDENCE.parts:
            laid = _lay(_EVIDENCE.parts[key], getattr(facts.evidence, key), value, where, setting)
            facts = _with(facts, facts.evidence, key, laid)
        elif key in _FACTS.parts:
            facts = _with(facts, facts, key, _lay(_FACTS.parts[key], getattr(facts, key), value, where, setting))
        else:
            raise Misfit(where, f"is not known here; known are {', '.join(KNOWN)}")
    return facts


# Laying one thing over another --------------------------------------------------------------------------------------


def _lay(its: Shape, current: Any, value: Any, where: Where, setting: Setting) -> Any:  # noqa: ANN401 (any fact)
    match its:
        case OneOf():
            return _lay_one(its, current, value, where, setting)
        case Record(of=of) if of is Person and isinstance(value, str):
            return _somebody(value, where, setting)
        case Record():
            return _record(its, current, value, where, setting)
        case Keyed(value=part):
            kept = dict(current) if isinstance(current, Mapping) else {}
            for key, item in mapping(value, where).items():
                if item is None:
                    kept.pop(key, None)
                else:
                    kept[key] = _lay(part, kept.get(key, _Missing(key)), item, (*where, key), setting)
            return kept
        case Listed(item=part, of=of):
            items = value if isinstance(value, list) else [value]
            return of(_lay(part, None, item, (*where, index), setting) for index, item in enumerate(items))
        case Leaf(of=of):
            return _leaf(of, value, where, setting)


@dataclass(frozen=True, slots=True)
class _Missing:
    """There was none under that key."""

    key: str


def _lay_one(its: OneOf, current: Any, value: Any, where: Where, setting: Setting) -> Any:  # noqa: ANN401 (any fact)
    if value is None and its.none:
        return None
    if its.unknown and is_unknown(value):
        return Unknown(value["unknown"])
    if len(its.options) == 1:
        return _lay(its.options[0], current, value, where, setting)
    said = mapping(value, where)
    for option in its.options:
        if isinstance(option, Record) and option.of is type(current):
            return _record(option, current, said, where, setting)
    raise Misfit(where, "there is none here; what is asked for comes from the words")


def _record(its: Record, current: Any, value: Any, where: Where, setting: Setting) -> Any:  # noqa: ANN401 (any fact)
    """That dataclass, with what is said; the rest as it is, or as one of its kind usually is."""
    short = _SHORT.get(its.of)
    if short is not None and not isinstance(value, Mapping):
        value = {short: value}
    said = {_NAMES.get(its.of, {}).get(key, key): item for key, item in mapping(value, where).items()}
    for key in said:
        if key not in its.parts:
            raise Misfit((*where, key), f"is not known here; known are {', '.join(its.parts)}")
    kept: Values = (
        {name: getattr(current, name) for name in its.parts}
        if isinstance(current, its.of)
        else _usual(its.of, current.key if isinstance(current, _Missing) else "", said, setting)
    )
    for name, item in said.items():
        kept[name] = _lay(its.parts[name], kept.get(name), item, (*where, name), setting)
    for name in sorted(its.needed - kept.keys()):
        raise Misfit((*where, name), "is missing")
    return its.of(**kept)


_SHORT: Mapping[type[Any], str] = {
    Attestation: "predicate",
    Authors: "humans",
    Built: "digest",
    Check: "state",
    Database: "declared",
    Document: "where",
    ExceptionRecord: "waives",
    Flag: "name",
    Freeze: "id",
    Hold: "digest",
    Issue: "title",
    Measured: "value",
    Obligation: "kind",
    Probed: "failed",
    Reached: "state",
    Signature: "verified",
    Tag: "name",
    Undisturbed: "candidate_since",
    WorkflowRun: "state",
}
"""What one word alone says of a record."""

_NAMES: Mapping[type[Any], Mapping[str, str]] = {
    EmergencyRecord: {"until": "ends_at"},
    ExceptionRecord: {"from": "starts_at", "until": "ends_at", "by": "asked_by"},
    Freeze: {"from": "starts_at", "until": "ends_at"},
    Obligation: {"due": "due_at"},
    Vote: {"by": "voter", "withdrawn": "withdrawn_at"},
}
"""What people call some of the fields."""


def _usual(of: type[Any], key: str, said: Mapping[str, Any], setting: Setting) -> Values:
    """What is so of most records of that kind. `key`: under which it stands, where it does."""
    at, question = setting.at, setting.question
    somebody = next(iter(setting.people.values()), None)
    usual: Mapping[type[Any], Values] = {
        Attestation: {"digest": CANDIDATE, "builder": "release-ci", "verified": True},
        Authors: {"humans": frozenset()},
        Check: {"name": key, "at": at},
        Commit: {"sha": COMMIT, "title": "A change"},
        Document: {"digest": CANDIDATE, "at": at},
        EmergencyRecord: {"id": "E-1", "fields": {}, "ends_at": at + timedelta(hours=4)},
        ExceptionRecord: {
            "id": "X-1",
            "kind": _kind(said.get("waives"), setting.policy),
            "waives": frozenset(),
            "environment": question.target,
            "service": question.service,
            "digest": None,
            "asked_by": somebody,
            "asked_at": at - timedelta(hours=2),
            "starts_at": at - timedelta(hours=1),
            "ends_at": at + timedelta(days=1),
            "fields": {"reason": SAID},
            "granted_at": at - timedelta(hours=1),
        },
        Freeze: {
            "id": "F-1",
            "environment": question.target,
            "service": None,
            "starts_at": at - timedelta(hours=1),
            "ends_at": at + timedelta(days=1),
            "reason": SAID,
            "owner": "somebody",
        },
        Hold: {"id": "H-1", "place": question.place, "digest": CANDIDATE, "since": at, "reason": "it was taken back"},
        Issue: {"number": 1, "title": "An issue"},
        Measured: {"at": at},
        Obligation: {
            "id": "O-1",
            "about": "E-0",
            "service": question.service,
            "environment": question.target,
            "owner": "somebody",
            "due_at": at + timedelta(days=1),
            "says": "what was promised",
        },
        Probed: {"total": 1, "at": at, "digest": CANDIDATE},
        PullRequest: {"number": 1, "title": "A change"},
        Reached: {"digest": CANDIDATE, "at": at - timedelta(days=1)},
        Tag: {"commit": COMMIT, "annotated": True, "verified": True, "first_commit": COMMIT},
        Undisturbed: {"candidate_since": None, "environment_since": None},
        Vote: {"verdict": Verdict.APPROVE, "at": at, "plan": PLAN, "reason": SAID},
        WorkflowRun: {"workflow": key, "at": at},
    }
    return dict(usual.get(of, {}))


def _kind(waives: object, policy: Policy) -> str:
    """The first kind of exception that may waive these rules; where there is none, the first."""
    rules = {str(rule) for rule in waives} if isinstance(waives, list) else {str(waives)}
    fitting = (name for name, kind in policy.exceptions.items() if rules <= set(kind.waives))
    return next(fitting, next(iter(policy.exceptions), ""))


# Words --------------------------------------------------------------------------------------------------------------

_DIGESTS = {"candidate": CANDIDATE, "serving": SERVING, "before": BEFORE, "other": Digest(f"sha256:{'d' * 64}")}
_COMMITS = {"candidate": COMMIT, "serving": SERVING_COMMIT, "before": BEFORE_COMMIT, "other": Sha("d" * 40)}


def _leaf(of: Any, value: Any, where: Where, setting: Setting) -> Any:  # noqa: ANN401 (any word or number)
    if of is datetime:
        return instant(value, where, setting.at, setting.zone)
    if of is Digest and isinstance(value, str):
        found = _DIGESTS.get(value) or (value if re.fullmatch(r"sha256:[0-9a-f]{64}", value) else None)
        if found is None:
            raise Misfit(where, f"write {', '.join(_DIGESTS)} or a whole digest, not {value!r}")
        return found
    if of is Sha and isinstance(value, str):
        commit = _COMMITS.get(value) or (value.ljust(40, "0") if re.fullmatch(r"[0-9a-f]{7,40}", value) else None)
        if commit is None:
            raise Misfit(where, f"write {', '.join(_COMMITS)} or seven hex digits of a commit, not {value!r}")
        return commit
    return leaf(of, value, where)


def instant(value: object, where: Where, at: datetime, zone: ZoneInfo) -> datetime:
    """`PT5H` is so long before `at`, `+PT5H` so long after it; a time without an offset is in that zone."""
    if isinstance(value, str) and value.lstrip("+").startswith("P"):
        try:
            length = span(value.lstrip("+"))
        except ValueError as error:
            raise Misfit(where, str(error)) from error
        return at + length if value.startswith("+") else at - length
    return moment(value, where, zone, " (or how long ago: PT5H)")


def moment(value: object, where: Where, zone: ZoneInfo, otherwise: str = "") -> datetime:
    """A time without an offset is in that zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        says = f"write a time like 2026-11-24 10:00, or an instant like 2026-11-24T09:00:00Z{otherwise}"
        raise Misfit(where, f"{says}, not {value!r}")
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _somebody(name: str, where: Where, setting: Setting) -> Person:
    found = setting.people.get(Human(name))
    if found is None:
        raise Misfit(where, f"nobody is called {name!r}; people are {', '.join(setting.people) or 'none'}")
    return found


_Word = Callable[[Facts, Any, Where, Setting], Facts]


def _voted(verdict: Verdict) -> _Word:
    def votes(facts: Facts, value: Any, where: Where, setting: Setting) -> Facts:  # noqa: ANN401 (what was written)
        items = value if isinstance(value, list) else [value]
        cast_now = tuple(_vote(verdict, facts, item, (*where, index), setting) for index, item in enumerate(items))
        return replace(facts, votes=(*facts.votes, *cast_now))

    return votes


def _vote(verdict: Verdict, facts: Facts, value: Any, where: Where, setting: Setting) -> Vote:  # noqa: ANN401 (what was written)
    said = dict(value) if isinstance(value, Mapping) else {"by": value}
    if "by" not in said:
        raise Misfit((*where, "by"), "is missing: say who")
    roles = said.pop("roles", None)
    kept = Vote(
        voter=_somebody(str(said["by"]), (*where, "by"), setting),
        verdict=verdict,
        at=setting.at,
        plan=facts.plan,
        reason=SAID,
        confirms=frozenset(states(required(setting.policy, setting.question).gates, setting.policy, "approver")),
    )
    found = cast("Vote", _record(_VOTE, kept, said, where, setting))
    if roles is None:
        return found
    held: frozenset[str] = _lay(Listed(Leaf(str), frozenset), None, roles, (*where, "roles"), setting)
    return replace(found, voter=replace(found.voter, roles=held))


def _unknown(facts: Facts, value: Any, where: Where, _: Setting) -> Facts:  # noqa: ANN401 (what was written)
    """`[checks, changes]`, or why: `{checks: GitHub is away}`."""
    said = value if isinstance(value, Mapping) else dict.fromkeys(value if isinstance(value, list) else [value])
    for key, why in said.items():
        unknown = Unknown(str(why) if why is not None else f"{str(key).replace('_', ' ')} could not be read")
        for part, around in ((_FACTS, facts), (_EVIDENCE, facts.evidence)):
            its = part.parts.get(str(key))
            if its is not None and _may_be_unknown(its):
                facts = _with(facts, around, str(key), unknown)
                break
        else:
            may = [name for part in (_FACTS, _EVIDENCE) for name, its in part.parts.items() if _may_be_unknown(its)]
            raise Misfit((*where, str(key)), f"is nothing that may be unknown; that are {', '.join(may)}")
    return facts


def _with(facts: Facts, around: Facts | Evidence, key: str, value: Any) -> Facts:  # noqa: ANN401 (any fact)
    if isinstance(around, Evidence):
        return replace(facts, evidence=replace(around, **{key: value}))
    return replace(facts, **{key: value})


def _may_be_unknown(its: Shape) -> bool:
    return isinstance(its, OneOf) and its.unknown


def _serving(facts: Facts, value: Any, where: Where, setting: Setting) -> Facts:  # noqa: ANN401 (what was written)
    """`{stage: PT23H59M}`: since when it has served what it serves; `{prod: candidate}`: what it serves."""
    for environment, said in mapping(value, where).items():
        place = (*where, environment)
        if environment not in setting.policy.environments:
            raise Misfit(place, f"is no environment; environments are {', '.join(setting.policy.environments)}")
        digest = _leaf(Digest, said, place, setting) if isinstance(said, str) and said in _DIGESTS else None
        since = None if digest else instant(said, place, setting.at, setting.zone)
        facts = _serves(facts, environment, digest, since, setting.question)
    return facts


def _serves(facts: Facts, environment: str, digest: Digest | None, since: datetime | None, question: Question) -> Facts:
    for field, its in (("source_serving", question.source), ("target_serving", question.target)):
        now = getattr(facts, field)
        if environment == its and not isinstance(now, Unknown):
            facts = replace(facts, **{field: replace(now, digest=digest or now.digest, since=since or now.since)})
    found, soaks, built = facts.evidence, facts.evidence.soaks, facts.evidence.built
    if since is not None and not isinstance(soaks, Unknown):
        found = replace(found, soaks={**soaks, environment: Undisturbed(since, since)})
    if digest is not None and not isinstance(built, Unknown):
        commit = next((_COMMITS[word] for word, each in _DIGESTS.items() if each == digest), None)
        found = replace(found, built={**built, environment: Built(digest, commit, str(commit))})
    return replace(facts, evidence=found)


def _asked(facts: Facts, value: Any, where: Where, setting: Setting) -> Facts:  # noqa: ANN401 (what was written)
    """When it was asked: `PT3H` is so long ago. The request still lasts as long as it would have."""
    asked_at = instant(value, where, setting.at, setting.zone)
    expires_at = None if facts.expires_at is None else facts.expires_at - (facts.asked_at - asked_at)
    return replace(facts, asked_at=asked_at, expires_at=expires_at)


def _people(facts: Facts, value: Any, where: Where, setting: Setting) -> Facts:  # noqa: ANN401 (what was written)
    """`{omar: [engineer]}`: the roles that they hold now; `{omar: {active: false}}`; null: they hold none any more."""
    if isinstance(facts.people, Unknown):
        raise Misfit(where, "is unknown here")
    people = dict(facts.people)
    for name, said in mapping(value, where).items():
        place = (*where, name)
        if said is None:
            people.pop(Human(name), None)
            continue
        usual = Person(f"slack:{setting.policy.workspace}/U0{name.upper()}", Human(name), name)
        changed = said if isinstance(said, Mapping) else {"roles": said}
        person = cast("Person", _record(_PERSON, people.get(Human(name), usual), changed, place, setting))
        people[Human(name)] = person
        if facts.asked_by.human == name:
            facts = replace(facts, asked_by=person)
    return replace(facts, people=people)


def _change(field: str) -> _Word:
    """`labels: [risk:high]`, `files: [auth/login.py]`, `branch: release/1.4`: of the one pull request there is."""

    def changed(facts: Facts, value: Any, where: Where, setting: Setting) -> Facts:  # noqa: ANN401 (what was written)
        changes = facts.evidence.changes
        if isinstance(changes, Unknown):
            raise Misfit(where, "the changes are unknown here")
        if field == "labels":
            labels: Iterable[str] = _lay(Listed(Leaf(str), frozenset), None, value, where, setting)
            first, *rest = changes.pull_requests
            changes = replace(changes, pull_requests=(replace(first, labels=frozenset(labels)), *rest))
        elif field == "files":
            changes = replace(changes, files=_lay(Listed(Leaf(str), tuple), None, value, where, setting))
        else:
            changes = replace(changes, branch=_leaf(str, value, where, setting))
        return replace(facts, evidence=replace(facts.evidence, changes=changes))

    return changed


_WORDS: Mapping[str, _Word] = {
    "approved": _voted(Verdict.APPROVE),
    "asked": _asked,
    "branch": _change("branch"),
    "files": _change("files"),
    "labels": _change("labels"),
    "people": _people,
    "rejected": _voted(Verdict.REJECT),
    "serving": _serving,
    "unknown": _unknown,
}


def _record_of(of: Any) -> Record:  # noqa: ANN401 (a dataclass)
    found = shape(of)
    if not isinstance(found, Record):
        raise TypeError(of)
    return found


_FACTS, _EVIDENCE, _VOTE, _PERSON = map(_record_of, (Facts, Evidence, Vote, Person))
KNOWN = tuple(dict.fromkeys((*_WORDS, *_FACTS.parts, *_EVIDENCE.parts)))
"""Every key that `given` knows."""
