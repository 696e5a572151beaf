"""Do the parts of a policy fit together? Every mistake that no part can see by itself, with its place."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, TypeVar, get_args, get_origin

from policy.agreement import ChangeType
from policy.facts import EMERGENCY
from policy.gates import GATES, BranchGate, ChecksGate, Gate, Mode, ParityGate, RecordGate, SettingsGate, Waivable
from policy.part import Part, To
from policy.schema import Document, Model, Path

Where = tuple[str | int, ...]
"""A place in the file: keys and indexes from its root."""
Complaint = tuple[Where, str]
"""Where in the file, and what is wrong there."""

WAIVABLE = ("window", "no-freeze")
"""Built-in rules that exceptions and emergencies may waive."""
IN_SHORT = ("required-checks", "soak")
"""Gates that a path may ask for under its own `gates`, without naming them."""
BY_HOTFIX = "no-hotfix-lost"
"""The gate that every path has once `hotfix` says how hotfixes go."""
CONTROLS = frozenset(
    {"reviews", "checks", "workflow", "signature", "tag", "attestation", "signoff", "pull_request", "lost_changes"}
)
"""Kinds of gates that look whether it was reviewed, passed its checks and is signed: a hotfix waives none of them."""
NEVER_WAIVED = (
    "allowed-path",
    "approvals",
    "change-type",
    "commit-known",
    "database-goes-back",
    "emergency-record",
    "exception-allowed",
    "exception-complete",
    "freeze-complete",
    "known-good-target",
    "may-ask",
    "no-hold",
    "not-expired",
    "nothing-overdue",
    "same-digest",
    "second-person",
    "something-to-promote",
)
"""Built-in rules that nothing lets through: identity, separation of duties, the same digest. No gate is called so."""
OF_PROMOTIONS = frozenset({"type", "confirms"})
OF_EXCEPTIONS = frozenset({"waive", "kind", "from", "until", "digest"})
OF_HOTFIXES = frozenset({"ticket", "to"})
"""Keys that say what is asked for, so nothing that is said under them becomes part of the record."""
OTHER_DEMANDS = ("window", "approvals", "freeze_approvals", "type", "runbook", "dashboard")
"""What an environment may demand besides kinds of gates."""
VERSIONS = ("semver", "calver")
RELEASES = ("on_demand", "train")
REVIEW = "review"
SHOWN = 12
"""So many known names are listed where none is near."""


def complaints(document: Document) -> Iterator[Complaint]:
    """All of them; none: it is a policy."""
    for where, says in _found(document):
        yield where, f"{spelled(document, where)}: {says}"


def _found(document: Document) -> Iterator[Complaint]:
    yield from _nowhere(document)
    yield from _twice(document)
    yield from _twice_in_words(document)
    yield from _deeds(document)
    yield from _gates(document)
    yield from _checklists(document)
    yield from _change_types(document)
    yield from _exceptions(document)
    yield from _freezes(document)
    yield from _rollback(document)
    yield from _hotfix(document)
    for index, path in enumerate(document.paths):
        yield from _path(document, index, path)
    yield from _demands(document)
    yield from _branches(document)
    yield from _conventions(document)
    yield from _changes(document)
    yield from _assumed(document)


# Words that name something elsewhere in the file --------------------------------------------------------------------


def _nowhere(document: Document) -> Iterator[Complaint]:
    """Words that name nothing."""
    known = _known(document)
    for where, word, what in pointers(document):
        if word in known[what]:
            continue
        if what == "rule" and word in NEVER_WAIVED:
            yield where, f"nothing can waive {word!r}{_listing('rules that may be waived', known[what])}"
        else:
            yield where, f"no {what} {word!r}{nearest(word, known[what], _PLURALS[what])}"
    for name, role in document.roles.items():
        for index, member in enumerate(role.members):
            if member not in document.people and not re.fullmatch(r"slack:group/S[A-Z0-9]+", member):
                says = f"{member!r} is neither a name under people nor slack:group/S…"
                yield ("roles", name, "members", index), says + nearest(member, document.people, "people")


_PLURALS = {
    "role": "roles",
    "environment": "environments",
    "service": "services",
    "window": "windows",
    "calendar": "calendars",
    "gate": "gates",
    "rule": "rules that may be waived",
    "set of probes": "sets of probes",
    "checklist": "checklists",
    "change type": "change types",
    "path": "paths",
}


def _known(document: Document) -> Mapping[str, Collection[str]]:
    """What each sort of word may name."""
    return {
        "role": document.roles,
        "environment": document.environments,
        "service": document.services,
        "window": document.windows,
        "calendar": document.calendars,
        "gate": document.gates,
        "rule": [*document.gates, *_in_short(document), *WAIVABLE],
        "set of probes": document.probes,
        "checklist": document.checklists,
        "change type": [*document.change_types, *([EMERGENCY] if document.emergency else [])],
        "path": [path.name for path in document.paths],
    }


def _in_short(document: Document) -> list[str]:
    """Names of the gates that paths ask for without naming them."""
    named = [name for name in IN_SHORT if any(_asks_in_short(path, name) for path in document.paths)]
    return [*named, BY_HOTFIX] if document.hotfix is not None else named


def _asks_in_short(path: Path, name: str) -> bool:
    return bool(path.gates.checks) if name == "required-checks" else path.gates.soak is not None


def pointers(document: Document) -> Iterator[tuple[Where, str, str]]:
    """(place, word, what it names) of every word that names something elsewhere in the file."""
    return _pointers(document, Document, (), ())


def _pointers(
    value: object, annotation: object, marks: Collection[object], where: Where
) -> Iterator[tuple[Where, str, str]]:
    """(place, word, what it names) of every word whose type is marked with `To`."""
    match value:
        case Part():
            for name, field in type(value).model_fields.items():
                place = (*where, field.alias or name)
                yield from _pointers(getattr(value, name), *_unwrapped(field.annotation, field.metadata), place)
        case str():
            yield from ((where, value, mark.what) for mark in marks if isinstance(mark, To))
        case tuple():
            inner = _unwrapped(get_args(annotation)[0])
            for index, item in enumerate(value):
                yield from _pointers(item, *inner, (*where, index))
        case dict():
            keys, values = map(_unwrapped, get_args(annotation))
            for key, item in value.items():
                yield from _pointers(key, *keys, (*where, key))
                yield from _pointers(item, *values, (*where, key))


def _unwrapped(annotation: object, marks: Collection[object] = ()) -> tuple[object, Collection[object]]:
    """The bare type, and what it is marked with; of `X | None`, of X."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        return _unwrapped(annotation, (*marks, *more))
    if type(None) in get_args(annotation):
        return _unwrapped(get_args(annotation)[0], marks)
    return annotation, marks


def nearest(word: str, known: Collection[str], plural: str) -> str:
    """`; did you mean engineer?`, or all there are: goes on after what is wrong."""
    by_case = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_case)
    return f"; did you mean {by_case[near[0]]}?" if near else _listing(plural, known)


def _listing(plural: str, known: Collection[str]) -> str:
    shown = ", ".join(list(known)[:SHOWN])
    return f"; {plural} are {shown}{' …' if len(known) > SHOWN else ''}" if known else f"; there are no {plural}"


def spelled(document: Document, where: Where) -> str:
    """The place as people find it: `paths.stage→prod.gates.window`; of a word in a list, the list."""
    if isinstance(where[-1], int) and where[:-1] != ("paths",):
        where = where[:-1]
    words = ""
    for index, part in enumerate(where):
        if where[:index] == ("paths",):
            words += f".{document.paths[int(part)].name}"
        else:
            words += f"[{part}]" if isinstance(part, int) else f".{part}"
    return words.removeprefix(".")


# What stands twice --------------------------------------------------------------------------------------------------


def _twice(document: Document) -> Iterator[Complaint]:
    for rank in _repeated(environment.rank for environment in document.environments.values()):
        yield ("environments",), f"two of them have the rank {rank}"
    spoken = [*document.environments, *(a for e in document.environments.values() for a in e.aliases)]
    for word in _repeated(word.casefold() for word in spoken):
        yield ("environments",), f"the name or alias {word!r} stands twice"
    for account in _repeated(entry.slack for entry in document.people.values() if entry.slack):
        yield ("people",), f"the Slack account {account} is linked to two people"
    for account in _repeated(entry.github.casefold() for entry in document.people.values() if entry.github):
        yield ("people",), f"the GitHub account {account} is linked to two people"
    for site in _repeated(site for service in document.services.values() for site in service.cloud_run.values()):
        yield ("services",), f"{site} stands twice; each place runs in a Cloud Run service of its own"
    for name in _repeated(freeze.name for freeze in document.freezes.calendar):
        yield ("freezes", "calendar"), f"the name {name!r} stands twice"
    lists: dict[Where, list[str]] = {}
    for where, word, _ in pointers(document):
        if isinstance(where[-1], int):
            lists.setdefault(where[:-1], []).append(word)
    for where, words in lists.items():
        for word in _repeated(words):
            yield where, f"{word!r} stands twice"


def _twice_in_words(document: Document) -> Iterator[Complaint]:
    """Names that are one and the same in a command."""
    for key, names in (("change_types", document.change_types), ("exceptions", document.exceptions)):
        for word in _repeated(name.casefold() for name in names):
            yield (key,), f"the name {word!r} stands twice, but for small and capital letters"
    freezes = {freeze.name for freeze in document.freezes.calendar}
    for name in document.gates:
        dated = re.fullmatch(r"(.+?)-\d{4}-\d\d(-\d\d)?", name)
        if dated and dated[1] in freezes:
            says = (
                f"so a freeze by the calendar is called while it holds, {dated[1]} and a date; call the gate otherwise"
            )
            yield ("gates", name), says


_Word = TypeVar("_Word", str, int)


def _repeated(words: Iterable[_Word]) -> list[_Word]:
    return [word for word, times in Counter(words).items() if times > 1]


# One part after the other -------------------------------------------------------------------------------------------


def _deeds(document: Document) -> Iterator[Complaint]:
    if document.may.exception and not document.exceptions:
        yield ("may", "exception"), "there is no kind of exception to ask for; name one under exceptions"
    if document.may.emergency and document.emergency is None:
        yield ("may", "emergency"), "there are no emergencies; say how they go under emergency"
    if document.may.hotfix and document.hotfix is None:
        yield ("may", "hotfix"), "there are no hotfixes; say how they go under hotfix"


def _gates(document: Document) -> Iterator[Complaint]:
    for name, gate in document.gates.items():
        here = ("gates", name)
        if name.casefold() in {*NEVER_WAIVED, *WAIVABLE, BY_HOTFIX}:
            yield here, "a built-in rule has this name; call the gate something else"
        if isinstance(gate, RecordGate):
            yield from _unsayable((*here, "fields"), gate.fields, OF_PROMOTIONS)
            yield from _unsayable((*here, "only_if"), gate.only_if, OF_PROMOTIONS)
        if isinstance(gate, ChecksGate):
            yield from _unsayable((*here, "excused"), gate.excused.values(), OF_PROMOTIONS)
        if isinstance(gate, ParityGate) and gate.left == gate.right:
            yield (*here, "right"), f"{gate.right} is compared with itself; name another environment"
        if isinstance(gate, SettingsGate):
            for index, word in enumerate(gate.environments):
                environment = document.environments.get(word)
                if environment is not None and environment.settings is None:
                    yield (
                        (*here, "environments", index),
                        f"{word} demands nothing; say what under environments.{word}.settings",
                    )


def _unsayable(where: Where, keys: Iterable[str], own: Collection[str]) -> Iterator[Complaint]:
    """What could never be said under such a key."""
    for key in keys:
        if key in own:
            yield where, f"`{key}:` says what is asked for, so nothing else can be said with it; call it something else"


def _checklists(document: Document) -> Iterator[Complaint]:
    lists = {name for name, gate in document.gates.items() if gate.kind == "checklist"}
    for name, items in document.checklists.items():
        for word in _repeated(item.id for item in items):
            yield ("checklists", name), f"the id {word!r} stands twice"
        for index, item in enumerate(items):
            here = ("checklists", name, index)
            if (item.by == "gate") != (item.gate is not None):
                yield here, "by: gate and the name of a gate go together: give both or neither"
            if item.gate in lists:
                yield (*here, "gate"), f"{item.gate} is a checklist itself; name a gate that is none"


def _change_types(document: Document) -> Iterator[Complaint]:
    for name, change in document.change_types.items():
        here = ("change_types", name)
        yield from _unsayable((*here, "fields"), change.fields, OF_PROMOTIONS)
        if name.casefold() == EMERGENCY:
            yield here, "an emergency is no change type; say how it goes under emergency"
        if change.instead and not change.approvals:
            yield (*here, "instead"), "nobody would have to agree; give approvals"
        for index, word in enumerate(change.waives):
            place = (*here, "waives", index)
            if word in WAIVABLE:
                key = "window" if word == "window" else "freeze"
                yield place, f"{word!r} is no gate; write {key}: any instead"
            elif word in change.adds:
                yield place, f"{word!r} stands under adds as well; only one can be meant"
            yield from _unwaivable(document, place, word, by_emergency=False)


def _exceptions(document: Document) -> Iterator[Complaint]:
    for name, kind in document.exceptions.items():
        here = ("exceptions", name)
        for index, word in enumerate(kind.waives):
            yield from _unwaivable(document, (*here, "waives", index), word, by_emergency=kind.emergency)
        yield from _unsayable((*here, "fields"), kind.fields, OF_EXCEPTIONS)
        if kind.reasons and "reason" not in kind.fields:
            yield (*here, "reasons"), "nobody is asked for a reason; name it under fields"
    emergency = document.emergency
    if emergency is None:
        return
    for index, word in enumerate(emergency.waives):
        yield from _unwaivable(document, (EMERGENCY, "waives", index), word, by_emergency=True)
    yield from _unsayable((EMERGENCY, "fields"), emergency.fields, OF_PROMOTIONS)
    if "incident" not in emergency.fields:
        yield (EMERGENCY, "fields"), "an emergency names its incident; add incident"
    if not any(duty.kind == REVIEW and duty.by_others for duty in emergency.owes):
        says = "somebody who took no part reviews it afterwards; owe {kind: review, by_others: true, …}"
        yield (EMERGENCY, "owes"), says


def _unwaivable(document: Document, where: Where, word: str, *, by_emergency: bool) -> Iterator[Complaint]:
    gate = document.gates.get(word)
    if gate is None:
        return
    if gate.waivable is Waivable.NEVER:
        yield where, f"nothing can waive {word!r}: it is waivable: never"
    elif gate.waivable is Waivable.EMERGENCY and not by_emergency:
        says = f"only an emergency, or an exception with emergency: true, can waive {word!r}: it is waivable: emergency"
        yield where, says


def _rollback(document: Document) -> Iterator[Complaint]:
    spoken = {word.casefold() for word in (*document.services, *document.environments)}
    for name in document.groups:
        if name.casefold() in spoken:
            yield ("groups", name), "a service or an environment has this name; call the group something else"
    for name, services in document.groups.items():
        for at, service in enumerate(services):
            for needed in document.manifest.depends_on.get(service, ()):
                if needed in services[at + 1 :]:
                    yield ("groups", name), f"{service} needs {needed}, which ships after it; turn them round"
    yield from _unsayable(("rollback", "database", "said"), (document.rollback.database.said,), OF_PROMOTIONS)
    if document.rollback.emergency_outside_window and document.emergency is None:
        yield ("rollback", "emergency_outside_window"), "there are no emergencies; say how they go under emergency"


def _hotfix(document: Document) -> Iterator[Complaint]:
    """A hotfix is quicker, not less: what it must pass, it must pass."""
    hotfix = document.hotfix
    if hotfix is None:
        return
    yield from _unsayable(("hotfix", "fields"), hotfix.fields, OF_HOTFIXES)
    name = hotfix.change or ""
    change = document.change_types.get(name)
    for index, word in enumerate(() if change is None else change.waives):
        gate = document.gates.get(word)
        if word in {"required-checks", BY_HOTFIX} or (gate is not None and gate.kind in CONTROLS):
            place = ("change_types", name, "waives", index)
            yield place, f"a hotfix waives no control, and {word!r} is one; leave it out"


def _freezes(document: Document) -> Iterator[Complaint]:
    freezes = document.freezes
    for index, word in enumerate(freezes.fields):
        if word in {"until", "reason"}:
            yield ("freezes", "fields", index), f"{word!r} must always be said; leave it out"
    yield from _unsayable(("freezes", "override_fields"), freezes.override_fields, OF_PROMOTIONS)
    if freezes.provisional is not None and not freezes.approvals:
        yield ("freezes", "provisional"), "nobody has to agree to a freeze, so each holds at once; give approvals"
    if freezes.override_fields and not freezes.override:
        yield ("freezes", "override_fields"), "nobody can let anything through a freeze; give override"


# Paths --------------------------------------------------------------------------------------------------------------


def _path(document: Document, index: int, path: Path) -> Iterator[Complaint]:
    here: Where = ("paths", index)
    source, target = document.environments.get(path.source), document.environments.get(path.target)
    if source is not None and target is not None:
        if source.rank >= target.rank:
            yield (*here, "to"), "leads down or nowhere; a path leads to a higher rank"
        between = [word for word, other in document.environments.items() if source.rank < other.rank < target.rank]
        if between:
            yield (*here, "to"), f"skips {', '.join(between)}; a path leads one rank up"
        for word, environment in ((path.source, source), (path.target, target)):
            if path.model is not Model.ARTIFACT and environment.branch is None:
                yield (*here, "model"), f"{path.model.value} moves branches; give environments.{word}.branch"
    if target is not None and target.production:
        yield from _to_production(here, path)
    for other in document.paths[:index]:
        if other.name == path.name and any(other.serves(word) and path.serves(word) for word in document.services):
            yield here, "stands twice for the same service"
    late = document.measure.delay + document.measure.resolution
    if path.rollout.health.give_up_after <= late:
        says = f"numbers come {int(late.total_seconds())} s late (measure: delay and resolution), so give it longer"
        yield (*here, "rollout", "health", "give_up_after"), says
    for name in IN_SHORT:
        if name in path.requires and _asks_in_short(path, name):
            yield (*here, "requires"), f"the gate {name!r} has the name of what gates asks for in short; ask once"
    yield from _inheritance(document, index, path)


def _to_production(here: Where, path: Path) -> Iterator[Complaint]:
    if not path.approvals:
        yield here, "a path to production needs approvals, for example [{role: release_manager}]"
    health = path.rollout.health
    if health.max_error_percent >= 100 and health.max_p99 is None:
        says = "no number of errors would take it back; give max_error_percent or max_p99"
        yield (*here, "rollout", "health", "max_error_percent"), says


def _inheritance(document: Document, index: int, path: Path) -> Iterator[Complaint]:
    place: Where = ("paths", index, "inherits")
    named = [other for other in document.paths if other.name == path.inherits]
    if not named:
        return  # nothing is inherited, or it was said that there is no such path
    if named[0].target != path.source:
        yield place, f"{path.inherits} ends in {named[0].target}, and this path begins in {path.source}"
        return
    above = [other for other in document.paths[:index] if other.name == path.inherits]
    orphans = [word for word in document.services if path.serves(word) and not any(p.serves(word) for p in above)]
    if not above:
        yield place, f"{path.inherits} stands further down; a path inherits from one above it"
    elif orphans:
        yield place, f"{path.inherits} is not for {', '.join(orphans)}; name services, or let it be for them too"


# What environments demand -------------------------------------------------------------------------------------------


def _demands(document: Document) -> Iterator[Complaint]:
    for name, environment in document.environments.items():
        for index, word in enumerate(environment.demands):
            place: Where = ("environments", name, "demands", index)
            if word in GATES or word in {"window", "approvals"}:
                yield from _demanded_of_paths(document, name, word)
            elif word == "freeze_approvals":
                if not document.freezes.approvals:
                    yield ("freezes", "approvals"), f"{name} demands that somebody agrees to freezes; say who"
            elif word in OTHER_DEMANDS:
                for service, entry in document.services.items():
                    if name in entry.cloud_run and getattr(entry, word) is None:
                        yield ("services", service, word), f"{name} demands that each service there has one; write it"
            else:
                yield place, f"no demand {word!r}{nearest(word, [*OTHER_DEMANDS, *GATES], 'demands')}"


def _demanded_of_paths(document: Document, environment: str, word: str) -> Iterator[Complaint]:
    for index, path in enumerate(document.paths):
        if path.target != environment:
            continue
        here = ("paths", index)
        if word == "window":
            if path.gates.window is None:
                yield (*here, "gates", "window"), f"{environment} demands a window; name one under windows"
            for name, change in _changes_along(document, path):
                if change.window == "any":
                    yield ("change_types", name, "window"), f"{environment} demands a window; leave this out"
        elif word == "approvals":
            if not path.approvals:
                yield (*here, "approvals"), f"{environment} demands approvals; say who must agree"
        else:
            meeting = {name for name, gate in _unconditional(document, path) if gate == word}
            if not meeting:
                says = f"{environment} demands a gate of the kind {word} that always blocks; require one"
                yield (*here, "requires"), says
            for name, change in _changes_along(document, path):
                if meeting and meeting <= set(change.waives):
                    says = f"{environment} demands a gate of the kind {word}, and this leaves none"
                    yield ("change_types", name, "waives"), says


def _changes_along(document: Document, path: Path) -> Iterator[tuple[str, ChangeType]]:
    """The change types that may go along a path."""
    for name, change in document.change_types.items():
        if (not change.paths or path.name in change.paths) and (path.types is None or name in path.types):
            yield name, change


def _unconditional(document: Document, path: Path) -> Iterator[tuple[str, str]]:
    """(name, kind) of every gate on a path, inherited ones too, that stops whatever does not meet it."""
    if path.gates.checks:
        yield "required-checks", "checks"
    if path.gates.soak is not None:
        yield "soak", "soak"
    for name in path.requires:
        gate = document.gates.get(name)
        if gate is not None and gate.mode is not Mode.WARN and not gate.applies_to and gate.when is None:
            yield name, gate.kind
    above = document.paths[: document.paths.index(path)]
    for other in above:
        if other.name == path.inherits:
            yield from _unconditional(document, other)


# Branches, versions, remarks ----------------------------------------------------------------------------------------


def _branches(document: Document) -> Iterator[Complaint]:
    """Git cannot hold `release` beside `release/1.4`: the one is a file where the other needs a folder."""
    named = [
        (("environments", name, "branch"), environment.branch)
        for name, environment in document.environments.items()
        if environment.branch is not None
    ]
    for where, branch in named:
        for other in sorted({branch for _, branch in named} | set(_patterns(document.gates.values()))):
            if other.startswith(f"{branch}/"):
                yield where, f"git cannot hold {branch!r} beside {other!r}; call one of them something else"


def _patterns(gates: Iterable[Gate]) -> Iterator[str]:
    for gate in gates:
        yield from gate.when.branches if gate.when is not None else ()
        if isinstance(gate, BranchGate):
            for pattern in (*gate.names, *gate.forbid):
                yield from pattern.removeprefix("^").replace("\\/", "/").split("→")


def _conventions(document: Document) -> Iterator[Complaint]:
    versions, releases = document.conventions.get("versions"), document.conventions.get("releases")
    if versions is not None:
        if versions.uses not in VERSIONS:
            yield ("conventions", "versions", "uses"), f"no {versions.uses!r}{nearest(versions.uses, VERSIONS, 'ways')}"
        if versions.uses == "calver" and not versions.record:
            says = f"calver needs a record of why, and of what its numbers mean{_in(versions.source)}; name it"
            yield ("conventions", "versions", "record"), says
    if releases is not None:
        if releases.uses not in RELEASES:
            yield ("conventions", "releases", "uses"), f"no {releases.uses!r}{nearest(releases.uses, RELEASES, 'ways')}"
        if releases.uses == "train" and not document.trains:
            yield ("conventions", "releases", "uses"), "there is no train; say when it leaves under trains"


def _in(source: str) -> str:
    return f" ({source})" if source else ""


def _changes(document: Document) -> Iterator[Complaint]:
    changes = document.changes
    for version in _repeated(change.version for change in changes):
        yield ("changes",), f"the version {version!r} stands twice"
    for index in range(1, len(changes)):
        if changes[index].effective < changes[index - 1].effective:
            says = f"earlier than {changes[index - 1].effective} of the version before; the newest stands last"
            yield ("changes", index, "effective"), says


def _assumed(document: Document) -> Iterator[Complaint]:
    whole = document.model_dump(by_alias=True)
    for place in document.assumed:
        if not _stands(place, whole):
            yield ("assumed", place), "there is no such place; write one like windows.office_hours or paths.stage→prod"


def _stands(place: str, value: object) -> bool:
    """Whether that place is in what was said. Names may contain dots, so each way of reading it is tried."""
    if not place:
        return value is not None
    return any(
        _stands(place[len(name) :].removeprefix("."), inner)
        for name, inner in _inside(value)
        if place == name or place.startswith((f"{name}.", f"{name}["))
    )


def _inside(value: object) -> Iterator[tuple[str, object]]:
    match value:
        case dict():
            yield from ((str(key), inner) for key, inner in value.items())
        case tuple():
            for index, inner in enumerate(value):
                yield f"[{index}]", inner
                if isinstance(inner, dict) and "from" in inner:
                    yield f"{inner['from']}→{inner['to']}", inner
