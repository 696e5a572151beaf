"""Does the candidate bear a release tag as the policy wants it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
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

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, tag = facts.candidate, facts.evidence.tag
        if isinstance(candidate, Unknown):
            return unknown(name, "{}", candidate.why)
        if isinstance(candidate.commit, Unknown):
            return unknown(name, "tags belong to a commit: {}", candidate.commit.why)
        if isinstance(tag, Unknown):
            return unknown(name, "{}", tag.why)
        if tag is None:
            remedies = _remedies(gate, case, candidate, None)
            return unmet(name, "{} bears no release tag like {}", candidate, gate.pattern, remedies=remedies)
        troubles = tuple(_troubles(tag, gate, case, candidate))
        if not troubles:
            return met(name, "{} is on {}", tag.name, candidate)
        return unmet(name, "{} {}", tag.name, "; it ".join(troubles), remedies=_remedies(gate, case, candidate, tag))

    return judge


def _troubles(tag: Tag, gate: TagGate, case: Case, candidate: Candidate) -> Iterator[str]:
    """What is wrong with it, each after its name."""
    if not _like(gate.pattern, tag.name):
        yield f"is not called like {gate.pattern}"
    if tag.commit != candidate.commit:
        yield f"is on {short(tag.commit)}, not on {candidate.called}"
    if tag.first_commit is not None and tag.first_commit != tag.commit:
        yield f"was moved: it was first seen on {short(tag.first_commit)} and is on {short(tag.commit)}"
    if tag.first_digest is not None and tag.first_digest != candidate.digest:
        yield f"already names {short(tag.first_digest)}; {short(candidate.digest)} needs a version of its own"
    if gate.annotated and not tag.annotated:
        yield "is not annotated"
    if gate.signed and not tag.verified:
        yield f"has no verified signature ({tag.why_not})" if tag.why_not else "has no verified signature"
    if gate.created_by and tag.made_by not in gate.created_by:
        yield f"was made by {tag.made_by or 'nobody knows whom'}, not by {' or '.join(gate.created_by)}"
    if gate.semver or case.question.change in gate.patches:
        yield from _version_troubles(tag, gate, case)


def _version_troubles(tag: Tag, gate: TagGate, case: Case) -> Iterator[str]:
    version, before = _version(tag.name), _version(tag.previous)
    if version is None:
        yield "is no version like 1.4.2"
    elif before is None:
        if tag.previous:
            yield f"cannot be compared with {tag.previous}, which serves now"
    elif case.question.change in gate.patches:
        if version[:2] != before[:2] or version <= before:
            yield f"does not patch {tag.previous}; expected {_called(before, PATCH, tag.previous)}"
    elif version <= before:
        yield f"does not come after {tag.previous}, which serves now"
    elif tag.breaking and version[0] == before[0]:
        yield f"breaks; expected {_called(before, MAJOR, tag.previous)} after {tag.previous}"


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
    if name is None or isinstance(candidate.commit, Unknown):
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
