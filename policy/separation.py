"""Whose agreement does not count, or not alone, because they had a hand in what is asked?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from policy import wording
from policy.case import Case
from policy.document import Policy, Stance
from policy.facts import Facts, Question
from policy.model import Human, Unknown


class Apart(NamedTuple):
    """Whose agreement does not count, or not alone."""

    out: Mapping[Human, str] = MappingProxyType({})
    """Human → why: goes on after their name."""
    alone: tuple[tuple[frozenset[Human], str], ...] = ()
    """These, and what is missing where nobody else agrees."""


NOBODY: Final = Apart()
_NONE: Final = frozenset[Human]()
_MAY_AGREE: Final = Stance.MAY_AGREE
_WROTE = "wrote part of it, so cannot agree to it"
_REVIEWED = "approved one of its pull requests, so cannot agree to it"
_GRANTED = "granted an exception that this rests on, so cannot agree to it"


def kept_apart(case: Case) -> Apart | Unknown:
    """Whom separation of duties keeps out of this promotion besides whoever asked."""
    stances = case.beforehand(_stances)
    if stances is None:
        return NOBODY
    authors = _authors(stances, case.facts)
    reviewers = _NONE if stances.reviewers is _MAY_AGREE else case.facts.reviewers
    if type(authors) is Unknown:
        return authors
    if type(reviewers) is Unknown:
        return Unknown(f"who approved its pull requests is not known: {reviewers.why}")
    if not (authors or reviewers or case.barred):
        return NOBODY
    out, alone = dict.fromkeys(case.barred, _GRANTED), []
    for humans, stance, why, lacks in (
        (reviewers, stances.reviewers, _REVIEWED, "one more who reviewed none of its pull requests"),
        (authors, stances.authors, _WROTE, "one more who wrote none of it"),
    ):
        if stance is Stance.OUT:
            out.update(dict.fromkeys(humans, why))
        elif humans:
            alone.append((humans, lacks))
    return Apart(out, tuple(alone))


class _Stances(NamedTuple):
    """What is said of a path."""

    authors: Stance
    reviewers: Stance
    ignoring: bool
    """Whether it does not matter that some authors are not known."""


def _stances(policy: Policy, question: Question) -> _Stances | None:
    path = policy.path(question.service, question.source or "", question.target)
    if path is None:
        return None
    said = path.separation or policy.separation
    return _Stances(said.authors, said.reviewers, said.unknown_authors == "ignore")


def _authors(stances: _Stances, facts: Facts) -> frozenset[Human] | Unknown:
    """Who wrote it, as far as that matters; Unknown where it matters and is not known."""
    if stances.authors is _MAY_AGREE:
        return _NONE
    authors, ignoring = facts.authors, stances.ignoring
    if type(authors) is Unknown:
        if ignoring:
            return _NONE
        return Unknown(f"who wrote it is not known, so neither who may agree to it: {authors.why}")
    if authors.unlinked and not ignoring:
        names = sorted(authors.unlinked)
        are = "is" if len(names) == 1 else "are"
        link = "link them under people, or say unknown_authors: ignore"
        return Unknown(f"{wording.listed(names)} wrote part of it and {are} linked to nobody; {link}")
    return authors.humans
