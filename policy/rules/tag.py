"""Does the candidate bear a release tag as the policy wants it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from policy import done
from policy.case import Case, Judge
from policy.evidence import Tag
from policy.facts import Candidate
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import TagGate
from policy.model import Unknown, short

Version = tuple[int, int, int]

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
MAJOR, MINOR, PATCH = range(3)
FIRST_TAGS = ("v1.0.0", "1.0.0")
"""What a first release may be called; the one that fits the gate's pattern is suggested."""


def well_tagged(name: str, gate: TagGate) -> Judge:
    """A tag on exactly the candidate's commit, named and made as it must be, that always named just this."""
    troubles_of = _troubles(gate)

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, tag = facts.candidate, facts.evidence.tag
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        if type(candidate.commit) is Unknown:
            return unknown(name, "tags belong to a commit: {}", candidate.commit.why)
        if type(tag) is Unknown:
            return unknown(name, "{}", tag.why)
        if tag is None:
            remedies = _remedies(gate, case, candidate, None)
            return unmet(name, "{} bears no release tag like {}", candidate, gate.pattern, remedies=remedies)
        troubles = troubles_of(tag, case, candidate)
        if not troubles:
            return met(name, "{} is on {}", tag.name, candidate)
        return unmet(name, "{} {}", tag.name, "; it ".join(troubles), remedies=_remedies(gate, case, candidate, tag))

    return judge


def _troubles(gate: TagGate) -> Callable[[Tag, Case, Candidate], list[str]]:
    """What is wrong with a tag, each after its name."""
    pattern, annotated, signed, created_by = gate.pattern, gate.annotated, gate.signed, gate.created_by
    semver, patches = gate.semver, gate.patches

    def troubles(tag: Tag, case: Case, candidate: Candidate) -> list[str]:
        found, commit, digest = [], tag.commit, candidate.digest
        if not _like(pattern, tag.name):
            found.append(f"is not called like {pattern}")
        if commit != candidate.commit:
            found.append(f"is on {short(commit)}, not on {candidate}")
        if tag.first_commit is not None and tag.first_commit != commit:
            found.append(f"was moved: it was first seen on {short(tag.first_commit)} and is on {short(commit)}")
        if tag.first_digest is not None and tag.first_digest != digest:
            found.append(f"already names {short(tag.first_digest)}; {short(digest)} needs a version of its own")
        if annotated and not tag.annotated:
            found.append("is not annotated")
        if signed and not tag.verified:
            found.append(f"has no verified signature ({tag.why_not})" if tag.why_not else "has no verified signature")
        if created_by and tag.made_by not in created_by:
            found.append(f"was made by {tag.made_by or 'nobody knows whom'}, not by {' or '.join(created_by)}")
        is_patch = case.question.change in patches
        if semver or is_patch:
            found += _version_troubles(tag, is_patch=is_patch)
        return found

    return troubles


def _version_troubles(tag: Tag, *, is_patch: bool) -> tuple[str, ...]:
    """At most one thing is wrong with its version."""
    version, before = _version(tag.name), _version(tag.previous)
    if version is None:
        return ("is no version like 1.4.2",)
    if before is None:
        return (f"cannot be compared with {tag.previous}, which serves now",) if tag.previous else ()
    if is_patch:
        if version[:2] != before[:2] or version <= before:
            return (f"does not patch {tag.previous}; expected {_called(before, PATCH, tag.previous)}",)
    elif version <= before:
        return (f"does not come after {tag.previous}, which serves now",)
    elif tag.breaking and version[0] == before[0]:
        return (f"breaks; expected {_called(before, MAJOR, tag.previous)} after {tag.previous}",)
    return ()


@lru_cache(maxsize=4096)
def _like(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name) is not None


@lru_cache(maxsize=4096)
def _version(name: str) -> Version | None:
    found = _VERSION.search(name)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _called(before: Version, place: int, like: str) -> str:
    """The name of the version one step on at that place, spelled like that one."""
    after = (*before[:place], before[place] + 1, *(0 for _ in before[place + 1 :]))
    return _VERSION.sub(".".join(map(str, after)), like, count=1)


def _remedies(gate: TagGate, case: Case, candidate: Candidate, tag: Tag | None) -> tuple[Remedy, ...]:
    """A new tag, for tags are never moved; nothing where no name is known that would fit."""
    name = next((name for name in _names(gate, case, tag) if _like(gate.pattern, name)), None)
    if name is None or type(candidate.commit) is Unknown:
        return ()
    made_by = gate.created_by[0] if gate.created_by else ""
    made = Tag(
        name,
        candidate.commit,
        annotated=True,
        verified=True,
        made_by=made_by,
        previous=tag.previous if tag else "",
        breaking=tag.breaking if tag else False,
    )
    how = "".join(f"{word} " for word, wanted in (("annotated", gate.annotated), ("signed", gate.signed)) if wanted)
    by = f", made by {made_by}" if made_by else ""
    says = f"a new {how}tag like {gate.pattern} is on {candidate.called}{by}"
    return (Remedy(RemedyKind.EVIDENCE, says, applied=done.seen(tag=made)),)


def _names(gate: TagGate, case: Case, tag: Tag | None) -> Iterator[str]:
    """Names that a new tag could have, by the version that serves now."""
    before = _version(tag.previous) if tag else None
    if tag is None or not tag.previous:
        yield from FIRST_TAGS
    elif before is None:
        return
    elif case.question.change in gate.patches:
        yield _called(before, PATCH, tag.previous)
    else:
        yield _called(before, MAJOR if tag.breaking else MINOR, tag.previous)
