"""What do our own ports know of a candidate besides? Asked only where a gate of its path looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from commands import probing, separated, testimony, way_back
from commands.code_evidence import code_evidence, reviewers_count
from commands.places import WORKED, Seen, known, site_of
from commands.ports import Comparison, World
from policy.document import Policy
from policy.evidence import NOT_GATHERED, Authors, Built, Changes, Evidence, Reached, Undisturbed, WayBack
from policy.facts import Candidate, Question
from policy.model import Human, Place, Unknown

YET = Unknown("nothing here can look that up yet")
_YET: Mapping[str, Any] = {each.name: YET for each in fields(Evidence) if each.default is NOT_GATHERED}
UNSEEN = replace(Evidence(), **_YET)
"""Of all this, nothing can be looked up yet."""


def places(policy: Policy, gates: Mapping[str, Any]) -> frozenset[str]:
    """Environments that these gates look at."""
    kinds = {"same", "order", "soak", "probe"}
    looked_at = frozenset(gate.environment for gate in gates.values() if gate.kind in kinds)
    return looked_at.union(testimony.items(policy, gates.values()).values())


async def evidence(
    world: World,
    policy: Policy,
    question: Question,
    gates: Mapping[str, Any],
    candidate: Candidate | Unknown,
    seen: Mapping[str, Seen],
) -> Evidence:
    """All that these gates look at and that our ports can tell. `seen` holds their places, and source and target."""
    found, kinds = UNSEEN, {gate.kind for gate in gates.values()}
    mine = testimony.items(policy, gates.values())
    theirs = testimony.others(gates, mine)
    found = replace(found, **await code_evidence(world, policy, question, theirs, candidate, seen))
    if mine:
        found = await _with_records(world, question, mine, candidate, seen, found)
    if "probe" in kinds:
        found = replace(found, probes=await probing.probed(world, policy, question.service, gates, seen))
    if "same" in kinds:
        trees = any(gate.kind == "same" and gate.by == "tree" for gate in gates.values())
        compared = [seen[gate.environment] for gate in gates.values() if gate.kind == "same"]
        found = replace(found, built=await _built(world, policy, question, compared, trees=trees))
    if "soak" in kinds:
        soaks = {name: soak for name, one in seen.items() if (soak := _soak(one, candidate)) is not None}
        found = replace(found, soaks=soaks)
    if "order" in kinds:
        asked = {gate.environment for gate in gates.values() if gate.kind == "order"}
        found = replace(found, reached=await _reached(world, question.service, seen, asked))
    if kinds & {"settings", "parity"}:
        found = await _configured(world, policy, question.place, gates, found)
    if "manifest" in kinds:
        found = replace(found, manifest=None)  # of a set, whoever looks at the whole of it knows more
    if "image" in kinds:
        found = replace(found, image=_image(candidate, seen[question.source or ""]))
    if "rollback_ready" in kinds:
        found = replace(found, way_back=await _way_back(world, policy, question, candidate, seen[question.target]))
    return found


async def _with_records(
    world: World,
    question: Question,
    mine: Mapping[str, str],
    candidate: Candidate | Unknown,
    seen: Mapping[str, Seen],
    found: Evidence,
) -> Evidence:
    """With our own records among the documents."""
    theirs = {} if found.documents == YET else found.documents
    kept = await testimony.documents(world, question.service, mine, candidate, seen)
    if isinstance(theirs, Unknown) or isinstance(kept, Unknown):
        return replace(found, documents=theirs if isinstance(theirs, Unknown) else kept)
    return replace(found, documents={**theirs, **kept})


async def _built(
    world: World, policy: Policy, question: Question, asked: Iterable[Seen], *, trees: bool
) -> Mapping[str, Built] | Unknown:
    """What serves there, by the names that are known of it; by its tree where a gate compares that."""
    found: dict[str, Built] = {}
    for seen in asked:
        serving = seen.serving
        if isinstance(serving, Unknown):
            return serving
        tree = None
        if trees and serving.commit is not None:
            repository = policy.services[question.service].repository
            read = await known("what it holds", world.code.tree(repository, serving.commit))
            tree = None if isinstance(read, Unknown) else read
        found[seen.environment] = Built(serving.digest, serving.commit, tree)
    return found


def _soak(seen: Seen, candidate: Candidate | Unknown) -> Undisturbed | None:
    """Since when it serves there. What fires meanwhile, nothing here can see yet."""
    serving = seen.serving
    if isinstance(serving, Unknown) or isinstance(candidate, Unknown):
        return None
    return Undisturbed(serving.since if serving.digest == candidate.digest else None, serving.since)


async def _reached(
    world: World, service: str, seen: Mapping[str, Seen], environments: Iterable[str]
) -> Mapping[str, tuple[Reached, ...]] | Unknown:
    """How far digests got, by our own books and GitHub's: what succeeded there was judged by what it answered."""
    reached: dict[str, tuple[Reached, ...]] = {}
    for environment in environments:
        own = await known("what was verified", world.store.known_good(Place(service, environment)))
        theirs = seen[environment].deployments
        if isinstance(own, Unknown):
            return own
        if isinstance(theirs, Unknown):
            return theirs
        found = [Reached(entry.digest, "verified", entry.verified_at) for entry in own]
        found += [
            Reached(record.digest, "verified" if record.state in WORKED else "deployed", record.updated_at)
            for record in theirs
            if record.digest and record.state in {*WORKED, "in_progress"}
        ]
        reached[environment] = tuple(sorted(found, key=lambda each: each.at, reverse=True))
    return reached


async def _configured(
    world: World, policy: Policy, target: Place, gates: Mapping[str, Any], found: Evidence
) -> Evidence:
    """With what is wrong with settings, and what environments look like."""
    demanding = [gate for gate in gates.values() if gate.kind == "settings"]
    asked = dict.fromkeys(environment for gate in demanding for environment in gate.environments)
    compared = [side for gate in gates.values() if gate.kind == "parity" for side in (gate.left, gate.right)]
    everywhere = await separated.everywhere(world, policy, {*separated.looks_at(policy, asked), *compared})
    if asked:
        found = replace(found, settings=separated.settings(policy, everywhere, asked, target))
    if compared:
        found = replace(found, shapes=separated.shapes(everywhere, compared))
    return found


def _image(candidate: Candidate | Unknown, source: Seen) -> str | Unknown:
    """As it serves the source: by digest."""
    if isinstance(candidate, Unknown):
        return candidate
    return source.at if isinstance(source.at, Unknown) else source.at.revision.image


async def _way_back(
    world: World, policy: Policy, question: Question, candidate: Candidate | Unknown, target: Seen
) -> WayBack | Unknown | None:
    """What a rollback would go to, were the candidate serving: by our own books and GitHub's."""
    site = site_of(policy, question.service, question.target)
    own = await known("what was verified before", world.store.known_good(question.place))
    if isinstance(site, Unknown) or isinstance(own, Unknown) or isinstance(candidate, Unknown):
        return next(each for each in (site, own, candidate) if isinstance(each, Unknown))
    good = way_back.with_theirs(own, target.deployments)
    chosen = await known("what could be gone back to", way_back.choose(world, site, good, candidate.digest))
    if isinstance(chosen, Unknown):
        return None if not isinstance(target.deployments, Unknown) else target.deployments
    revision = await known(chosen.revision, world.runs.revision(site, chosen.revision))
    if revision is None or isinstance(revision, Unknown):
        return revision
    kept = await known("its image", world.images.kept(revision.image))
    return WayBack(chosen.revision, chosen.digest, ready=revision.ready is True, retrievable=kept)


def reviewers(policy: Policy, question: Question, changes: Changes | Unknown) -> frozenset[Human] | Unknown:
    """Who approved a pull request of the range, as the policy knows them. Whom it does not know agrees to nothing."""
    if not reviewers_count(policy, question):
        return YET
    if isinstance(changes, Unknown):
        return changes
    if not changes.complete:
        return Unknown("the list of changes was cut short")
    linked = _linked(policy)
    approved = {login.casefold() for pull_request in changes.pull_requests for login in pull_request.approved_by}
    return frozenset(linked[login] for login in approved if login in linked)


def authors(policy: Policy, comparison: Comparison | Unknown) -> Authors | Unknown:
    """Who wrote what lies between, as the policy knows them. What a bot wrote is nobody's."""
    if isinstance(comparison, Unknown):
        return comparison
    if comparison.ahead > len(comparison.changes):
        unread = comparison.ahead - len(comparison.changes)
        return Unknown(f"who wrote {unread} of {comparison.ahead} commits could not be read")
    linked = _linked(policy)
    humans, unlinked = set(), set()
    for change in comparison.changes:
        for name in (change.author, *change.others):
            known_as = None if name in change.strangers else linked.get(name.casefold())
            if known_as is not None:
                humans.add(known_as)
            elif name in change.strangers or not name.endswith("[bot]"):  # no human can have such an account
                unlinked.add(name)
    return Authors(frozenset(humans), frozenset(unlinked))


def _linked(policy: Policy) -> dict[str, Human]:
    """GitHub login, in small letters → who that is."""
    return {entry.github.casefold(): Human(name) for name, entry in policy.people.items() if entry.github}
