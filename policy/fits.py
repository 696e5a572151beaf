"""Do the parts of a policy fit together? Every mistake that no part can see by itself, with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from policy.schema import Document, Path

Where = tuple[str | int, ...]
"""A place in the file: keys and indexes from its root."""
Complaint = tuple[Where, str]
"""Where in the file, and what is wrong there."""


def complaints(document: Document) -> Iterator[Complaint]:
    """All of them; none: it is a policy."""
    yield from _unknown_roles(document)
    yield from _unknown_environments(document)
    yield from _what_stands_twice(document)
    for index, path in enumerate(document.paths):
        yield from _path_complaints(document, index, path)


def _unknown_roles(document: Document) -> Iterator[Complaint]:
    known = ", ".join(document.roles) or "none"
    for deed, roles in document.may:
        for role in roles:
            if role not in document.roles:
                yield ("may", deed), f"may.{deed}: no role {role!r}; roles are {known}"
    for name, role in document.roles.items():
        for index, member in enumerate(role.members):
            if member not in document.people and not re.fullmatch(r"slack:group/S[A-Z0-9]+", member):
                says = f"roles.{name}: {member!r} is neither a name under people nor slack:group/S…"
                yield ("roles", name, "members", index), says


def _unknown_environments(document: Document) -> Iterator[Complaint]:
    known = ", ".join(document.environments)
    for name, service in document.services.items():
        for environment in service.cloud_run:
            if environment not in document.environments:
                says = f"services.{name}.cloud_run: no environment {environment!r}; environments are {known}"
                yield ("services", name, "cloud_run", environment), says


def _what_stands_twice(document: Document) -> Iterator[Complaint]:
    ranks = [environment.rank for environment in document.environments.values()]
    for rank in _repeated(ranks):
        yield ("environments",), f"environments: two of them have the rank {rank}"
    spoken = [*document.environments, *(a for e in document.environments.values() for a in e.aliases)]
    for word in _repeated(word.casefold() for word in spoken):
        yield ("environments",), f"environments: the name or alias {word!r} stands twice"
    for account in _repeated(entry.slack for entry in document.people.values() if entry.slack):
        yield ("people",), f"people: the Slack account {account} is linked to two people"
    for account in _repeated(entry.github.casefold() for entry in document.people.values() if entry.github):
        yield ("people",), f"people: the GitHub account {account} is linked to two people"
    for site in _repeated(site for service in document.services.values() for site in service.cloud_run.values()):
        yield ("services",), f"services: {site} stands twice; each place runs in a Cloud Run service of its own"


def _path_complaints(document: Document, index: int, path: Path) -> Iterator[Complaint]:
    name, here = f"paths.{path.name}", ("paths", index)
    missing = [(key, word) for key, word in (("from", path.source), ("to", path.target)) if not _is(document, word)]
    for key, word in missing:
        yield (*here, key), f"{name}: no environment {word!r}; environments are {', '.join(document.environments)}"
    if not missing:
        yield from _order_complaints(document, here, path)
    for other in document.paths[:index]:
        if other.name == path.name and any(other.serves(word) and path.serves(word) for word in document.services):
            yield here, f"{name}: stands twice for the same service"
    if path.gates.window is not None and path.gates.window not in document.windows:
        says = f"no window {path.gates.window!r}; windows are {', '.join(document.windows) or 'none'}"
        yield (*here, "gates", "window"), f"{name}.gates.window: {says}"
    late = document.measure.delay + document.measure.resolution
    if path.rollout.health.give_up_after <= late:
        says = f"numbers come {int(late.total_seconds())} s late (measure: delay and resolution), so give it longer"
        yield (*here, "rollout", "health", "give_up_after"), f"{name}.rollout.health.give_up_after: {says}"
    for place, slot in enumerate(path.approvals):
        for role in slot.roles:
            if role not in document.roles:
                says = f"no role {role!r}; roles are {', '.join(document.roles)}"
                yield (*here, "approvals", place), f"{name}.approvals: {says}"
    for place, service in enumerate(path.services or ()):
        if service not in document.services:
            says = f"no service {service!r}; services are {', '.join(document.services)}"
            yield (*here, "services", place), f"{name}.services: {says}"


def _is(document: Document, word: str) -> bool:
    return word in document.environments


def _order_complaints(document: Document, here: tuple[str | int, ...], path: Path) -> Iterator[Complaint]:
    source, target = document.environments[path.source], document.environments[path.target]
    name = f"paths.{path.name}"
    if source.rank >= target.rank:
        yield (*here, "to"), f"{name}: leads down or nowhere; a path leads to a higher rank"
    between = [word for word, other in document.environments.items() if source.rank < other.rank < target.rank]
    if between:
        yield (*here, "to"), f"{name}: skips {', '.join(between)}; a path leads one rank up"
    if target.production and not path.approvals:
        yield here, f"{name}: a path to production needs approvals, for example [{{role: release_manager}}]"


_Word = TypeVar("_Word", str, int)


def _repeated(words: Iterable[_Word]) -> list[_Word]:
    return [word for word, times in Counter(words).items() if times > 1]
