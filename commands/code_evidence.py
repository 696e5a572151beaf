"""What does the code's host know of a candidate? Asked only where a gate of its path looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from commands import attested, cut_off, lineage, tags
from commands.lacks import brings, lacks
from commands.places import Seen, known
from commands.ports import Link, Look, World
from policy.agreement import Stance
from policy.document import Policy
from policy.evidence import (
    NOT_GATHERED,
    Ahead,
    Attestation,
    Branches,
    Changes,
    Issue,
    Measured,
    PullRequest,
    Repository,
    Signature,
    Tag,
    WorkflowRun,
)
from policy.facts import Candidate, Question
from policy.model import Digest, Sha, Unknown, short
from policy.rules.lost_changes import COMES_BY, HOTFIX

OF_CHANGES = frozenset({"pull_requests_only", "naming", "no_forbidden_targets", "merged_green", "signed_commits"})
"""What a branch gate requires of the range; all else it requires of the branches."""
OF_A_CUT_OFF = frozenset({"cherry_picks_only", "no_late_features"})
OF_THE_TARGET = frozenset({"up_to_date", "no_merge_commits", "on_source"})
ANY_TAG = r".+"


@dataclass(frozen=True, slots=True)
class _Range:
    """Where to look: what is not known of it is the reason why nothing is found."""

    repository: str
    digest: Digest | Unknown
    service: str
    commit: Sha | Unknown
    serving: Sha | Unknown
    source: str | Unknown
    """Branch."""
    target: str | Unknown


async def code_evidence(
    world: World,
    policy: Policy,
    question: Question,
    gates: Mapping[str, Any],
    candidate: Candidate | Unknown,
    seen: Mapping[str, Seen],
) -> dict[str, Any]:
    """By its name in `Evidence`, all that these gates look at there; what could not be had is `Unknown`."""
    serving = seen[question.target].commit
    where = _Range(
        policy.services[question.service].repository,
        candidate if isinstance(candidate, Unknown) else candidate.digest,
        question.service,
        candidate if isinstance(candidate, Unknown) else candidate.commit,
        Unknown("the commit that serves now is not recorded") if serving is None else serving,
        _branch(policy, question.source or ""),
        _branch(policy, question.target),
    )
    if isinstance(where.source, Unknown) and any(map(_of_a_branch, gates.values())):
        where = replace(where, source=await _built_from(world, where, gates.values()))
    asking: dict[str, Awaitable[Any]] = {}
    look = _looks(gates.values()) | ({Look.REVIEWS} if reviewers_count(policy, question) else set())
    if look:
        asking["changes"] = _changes(world, where, look - {None})
    for name, (looks_at_it, ask) in ASKED.items():
        if asks := [gate for gate in gates.values() if looks_at_it(gate)]:
            asking[name] = ask(world, where, asks)
    found = dict(zip(asking, await asyncio.gather(*asking.values()), strict=True))
    found |= _proved(found, gates.values(), where.digest)
    if "alerts" in found:
        found["alerts_at"] = world.clock.now()
    return found


def _proved(found: Mapping[str, Any], gates: Iterable[Any], artifact: Digest | Unknown) -> dict[str, Any]:
    """The documents and signatures that attestations of this artifact tell, beside what else was found of signatures.

    What is stated of another artifact is true, and proves nothing of this one.
    """
    gates = tuple(gates)
    attestations: tuple[Attestation, ...] | Unknown = found.get("attestations", NOT_GATHERED)
    if not isinstance(attestations, Unknown):
        attestations = tuple(one for one in attestations if one.digest == artifact)
    items = dict.fromkeys(item for gate in gates if gate.kind == "evidence" for item in gate.items)
    told: dict[str, Any] = {}
    if items:
        told["documents"] = attested.documents(attestations, tuple(items))
    signed = [gate for gate in gates if gate.kind == "signature"]
    if signed:
        by = attested.signatures(attestations, signed)
        tag: Mapping[str, Signature] | Unknown = found.get("signatures", {})
        if isinstance(by, Unknown) or isinstance(tag, Unknown):
            told["signatures"] = by if isinstance(by, Unknown) else tag
        else:
            told["signatures"] = {**by, **tag}
    return told


def _of_a_branch(gate: Any) -> bool:  # noqa: ANN401 - any kind of gate
    """Whether it matters to the gate which branch the candidate comes from."""
    return gate.kind == "branch" or (gate.when is not None and bool(gate.when.branches))


async def _built_from(world: World, where: _Range, gates: Iterable[Any]) -> str | Unknown:
    """The branch that the candidate comes from, where the policy deploys the source from no certain one."""
    if isinstance(where.commit, Unknown):
        return where.commit
    like = dict.fromkeys(name for gate in gates if gate.when is not None for name in gate.when.branches)
    reading = cut_off.built_from(world, where.repository, where.commit, tuple(like))
    return await known("which branch it was built from", reading)


def _looks(gates: Iterable[Any]) -> frozenset[Look | None]:
    """What is looked at in the range; empty: nothing at all is; None is in it where the list itself is enough."""
    found: set[Look | None] = set()
    for gate in gates:
        when = gate.when
        if when is not None and (when.labels or when.files or when.branches):
            found.add(None)
        match gate.kind:
            case "reviews":
                found |= {Look.REVIEWS, Look.OWNERS} if gate.codeowners else {Look.REVIEWS}
            case "branch" if OF_CHANGES & set(gate.require):
                found.add(Look.CHECKS if "merged_green" in gate.require else None)
            case "pull_request" if gate.of == "range":
                found.add(None)
            case "repository" if gate.touched or gate.untouched:
                found.add(None)
    return frozenset(found)


def reviewers_count(policy: Policy, question: Question) -> bool:
    """Whether it matters to the path who reviewed what it brings."""
    path = policy.path(question.service, question.source or "", question.target)
    return path is not None and (path.separation or policy.separation).reviewers is not Stance.MAY_AGREE


def _branch(policy: Policy, environment: str) -> str | Unknown:
    place = policy.environments.get(environment)
    return (place.branch if place else None) or Unknown(f"the policy names no branch for {environment}")


async def _head(world: World, where: _Range, branch: str | Unknown) -> Sha | Unknown:
    if isinstance(branch, Unknown):
        return branch
    found = await known(f"the branch {branch}", world.code.head(where.repository, branch))
    return Unknown(f"there is no branch {branch} in {where.repository}") if found is None else found


async def _lineage(
    world: World, where: _Range, what: str, base: Sha | Unknown, head: Sha | Unknown
) -> tuple[Link, ...] | Unknown:
    if isinstance(base, Unknown):
        return base
    if isinstance(head, Unknown):
        return head
    return await known(what, world.code.lineage(where.repository, base, head))


async def _changes(world: World, where: _Range, look: frozenset[Any]) -> Changes | Unknown:
    if isinstance(where.commit, Unknown):
        return where.commit
    if isinstance(where.serving, Unknown):
        return where.serving
    branch = "" if isinstance(where.source, Unknown) else where.source
    reading = world.code.changes(where.repository, where.serving, where.commit, look, branch)
    return await known("the changes", reading)


async def _branches(world: World, where: _Range, gates: Sequence[Any]) -> Branches:
    """By requirement, each known or not for itself."""
    required = {word for gate in gates for word in gate.require}
    source, target = await asyncio.gather(_head(world, where, where.source), _head(world, where, where.target))
    nobody = NOT_GATHERED
    only_target: tuple[Link, ...] | Unknown = nobody
    if required & OF_THE_TARGET:
        only_target = await _lineage(world, where, "what only the target has", source, target)
    strict = await _strict(world, where) if "up_to_date" in required else False
    behind = strict if isinstance(strict, Unknown) else _behind(only_target, strict=strict)
    merges = only_target if isinstance(only_target, Unknown) else lineage.merges(only_target)
    picked, late = await _after_cut_off(world, where, required)
    return Branches(
        unprotected=await _unprotected(world, where) if "protected" in required else nobody,
        behind=behind if "up_to_date" in required else nobody,
        strict=strict,
        merge_commits=merges if "no_merge_commits" in required else nobody,
        not_on_source=await _not_on_source(world, where, source, only_target) if "on_source" in required else nobody,
        not_picked=picked,
        late_features=late,
        not_from_production=await _not_from_production(world, where) if "cut_from_production" in required else nobody,
        red=await _red(world, where, source) if "green" in required else nobody,
    )


async def _strict(world: World, where: _Range) -> bool | Unknown:
    if isinstance(where.target, Unknown):
        return where.target
    return await known(f"the protection of {where.target}", world.code.strict(where.repository, where.target))


def _behind(only_target: tuple[Link, ...] | Unknown, *, strict: bool) -> tuple[Sha, ...] | Unknown:
    """What the source lacks of the target; earlier promotions among them where the host counts those."""
    if isinstance(only_target, Unknown):
        return only_target
    return tuple(link.commit for link in only_target) if strict else lineage.unpromoted(only_target)


async def _after_cut_off(
    world: World, where: _Range, required: set[str]
) -> tuple[tuple[Sha, ...] | Unknown, tuple[str, ...] | Unknown]:
    """What came after the branch left the trunk: commits that were picked from nowhere, and features."""
    if not required & OF_A_CUT_OFF:
        return NOT_GATHERED, NOT_GATHERED
    if isinstance(where.commit, Unknown):
        return where.commit, where.commit
    cut = await known("where its branch was cut off", cut_off.cut_off(world, where.repository, where.commit))
    if isinstance(cut, Unknown):
        return cut, cut
    return (
        await known("what was picked", cut_off.not_picked(world, where.repository, cut)),
        await known("what came late", cut_off.late_features(world, where.repository, where.commit, cut)),
    )


async def _not_from_production(world: World, where: _Range) -> tuple[Sha, ...] | Unknown:
    if isinstance(where.commit, Unknown):
        return where.commit
    if isinstance(where.serving, Unknown):
        return where.serving
    reading = cut_off.not_from_production(world, where.repository, where.commit, where.serving)
    return await known("what it was cut from", reading)


async def _unprotected(world: World, where: _Range) -> Mapping[str, tuple[str, ...]] | Unknown:
    found: dict[str, tuple[str, ...]] = {}
    if isinstance(where.source, Unknown):
        return where.source
    for branch in (where.source, where.target):
        if isinstance(branch, Unknown):
            continue  # the target is deployed from no branch
        lacks = await known(f"the protection of {branch}", world.code.unprotected(where.repository, branch))
        if isinstance(lacks, Unknown):
            return lacks
        if lacks:
            found[branch] = lacks
    return found


async def _not_on_source(
    world: World, where: _Range, source: Sha | Unknown, only_target: tuple[Link, ...] | Unknown
) -> tuple[Sha, ...] | Unknown:
    beyond = await _lineage(world, where, "whether the source holds it", source, where.commit)
    if isinstance(where.commit, Unknown):
        return where.commit
    if isinstance(beyond, Unknown):
        return beyond
    if isinstance(only_target, Unknown):
        return only_target
    return (*([where.commit] if beyond else []), *(link.commit for link in only_target))


async def _red(world: World, where: _Range, source: Sha | Unknown) -> tuple[str, ...] | Unknown:
    """What its own branch and the one that it would come to require, and it has not passed."""
    if isinstance(where.source, Unknown):
        return where.source
    if isinstance(source, Unknown):
        return source
    found: dict[str, None] = {}
    for branch in dict.fromkeys((where.source, where.target)):
        if isinstance(branch, Unknown):
            continue  # the target is deployed from no branch
        reading = world.code.not_passed(where.repository, branch, source)
        red = await known(f"the required checks of {branch}", reading)
        if isinstance(red, Unknown):
            return red
        found |= dict.fromkeys(red)
    return tuple(found)


async def _ahead(world: World, where: _Range, _: Sequence[Any]) -> Ahead | Unknown:
    target = await _head(world, where, where.target)
    if isinstance(target, Unknown):
        return target
    if isinstance(where.commit, Unknown):
        return where.commit
    compared = await known("how it lies", world.code.compare(where.repository, target, where.commit))
    return compared if isinstance(compared, Unknown) else Ahead(compared.ahead, compared.behind)


async def _tree(world: World, where: _Range, _: Sequence[Any]) -> str | Unknown:
    if isinstance(where.commit, Unknown):
        return where.commit
    return await known("what the candidate holds", world.code.tree(where.repository, where.commit))


async def _workflows(world: World, where: _Range, gates: Sequence[Any]) -> Mapping[str, WorkflowRun] | Unknown:
    """By file; one that never ran for the candidate is left out."""
    if isinstance(where.commit, Unknown):
        return where.commit
    found: dict[str, WorkflowRun] = {}
    for file in dict.fromkeys(gate.workflow for gate in gates):
        run = await known(f"the runs of {file}", world.code.workflow(where.repository, file, where.commit))
        if isinstance(run, Unknown):
            return run
        if run is not None:
            found[file] = run
    return found


async def _alerts(world: World, where: _Range, gates: Sequence[Any]) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """By source; one that did not answer is left out, which the rule takes for not known."""
    asked = tuple(dict.fromkeys(source for gate in gates for source in gate.sources))
    reading = (known(source, world.code.alerts(where.repository, source)) for source in asked)
    told = zip(asked, await asyncio.gather(*reading), strict=True)
    return {source: found for source, found in told if not isinstance(found, Unknown)}


async def _tag(world: World, where: _Range, gates: Sequence[Any]) -> Tag | Unknown | None:
    if isinstance(where.commit, Unknown):
        return where.commit
    patterns = sorted({gate.pattern for gate in gates})
    if len(patterns) > 1:
        return Unknown(f"gates look for tags of different names: {', '.join(patterns)}")
    serving = None if isinstance(where.serving, Unknown) else where.serving
    found = await known("the tags", world.code.tag(where.repository, where.commit, patterns[0], serving))
    if isinstance(found, Unknown):
        return found
    return await tags.as_first_seen(world, where.repository, where.service, where.commit, patterns[0], found)


async def _attestations(world: World, where: _Range, _: Sequence[Any]) -> tuple[Attestation, ...] | Unknown:
    if isinstance(where.digest, Unknown):
        return where.digest
    reading = world.code.attestations(where.repository, where.digest, where.commit)
    return await known("what is attested of it", reading)


async def _signatures(world: World, where: _Range, _: Sequence[Any]) -> Mapping[str, Signature] | Unknown:
    """That of the tag; what else is signed, attestations tell."""
    if isinstance(where.commit, Unknown):
        return where.commit
    tag = await known("the tags", world.code.tag(where.repository, where.commit, ANY_TAG, None))
    if isinstance(tag, Unknown):
        return tag
    if tag is None:
        return {"tag": Signature(verified=False, why_not="there is no tag")}
    return {"tag": Signature(tag.verified, tag.made_by, tag.why_not)}


async def _numbers(world: World, where: _Range, gates: Sequence[Any]) -> Mapping[str, Measured] | Unknown:
    if isinstance(where.commit, Unknown):
        return where.commit
    reports = tuple(dict.fromkeys(gate.report for gate in gates))
    return await known("what was reported", world.code.numbers(where.repository, where.commit, reports))


async def _issues(world: World, where: _Range, gates: Sequence[Any]) -> tuple[Issue, ...] | Unknown:
    labels = [label for gate in gates for label in gate.labels]
    return await known("the open issues", world.code.issues(where.repository, labels))


async def _kept(world: World, where: _Range, gates: Sequence[Any]) -> Repository | Unknown:
    files = tuple(dict.fromkeys(file for gate in gates for file in gate.files))
    owned = tuple(dict.fromkeys(path for gate in gates for path in gate.owned))
    return await known("what the repository holds", world.code.kept(where.repository, files, owned))


async def _promotion(world: World, where: _Range, _: Sequence[Any]) -> PullRequest | Unknown | None:
    if isinstance(where.source, Unknown):
        return where.source
    if isinstance(where.target, Unknown):
        return where.target
    reading = world.code.promotion(where.repository, where.source, where.target)
    return await known("the pull request of this promotion", reading)


async def _lost(world: World, where: _Range, gates: Sequence[Any]) -> Mapping[str, tuple[str, ...]] | Unknown:
    """What the promotion would lose."""
    look_for = {what for gate in gates for what in gate.look_for}
    found: dict[str, tuple[str, ...]] = {}
    if "hotfix" in look_for:
        hotfixes = await _hotfixes(world, where)
        if isinstance(hotfixes, Unknown):
            return hotfixes
        found[HOTFIX] = tuple(f"{short(link.commit)} ({link.title})" for link in hotfixes)
        lost = frozenset(link.commit for link in hotfixes)
        if lost and (by := await known("what is on its way", brings(world, where.service, lost))):
            found |= {} if isinstance(by, Unknown) else {COMES_BY: by}
    if "reverted_promotion" in look_for:
        target = where.serving if isinstance(where.target, Unknown) else await _head(world, where, where.target)
        own = await _lineage(world, where, "what only the target has", where.commit, target)
        if isinstance(own, Unknown):
            return own
        found["reverted_promotion"] = lineage.reverted(own)
    return found


async def _hotfixes(world: World, where: _Range) -> tuple[Link, ...] | Unknown:
    """What serves and the candidate has in no form: not the commit, none picked from it, not the one it came from."""
    if isinstance(where.serving, Unknown):
        return where.serving
    if isinstance(where.commit, Unknown):
        return where.commit
    return await known("what shipped", lacks(world, where.repository, where.commit, where.serving))


ASKED: Mapping[str, tuple[Callable[[Any], object], Callable[[World, _Range, Sequence[Any]], Awaitable[Any]]]] = {
    "workflows": (lambda gate: gate.kind == "workflow", _workflows),
    "branches": (lambda gate: gate.kind == "branch" and set(gate.require) - OF_CHANGES, _branches),
    "ahead": (lambda gate: gate.kind == "fast_forward", _ahead),
    "tree": (lambda gate: gate.kind == "same" and gate.by == "tree", _tree),
    "alerts": (lambda gate: gate.kind == "alerts", _alerts),
    "tag": (lambda gate: gate.kind == "tag", _tag),
    "signatures": (lambda gate: gate.kind == "signature" and "tag" in gate.subjects, _signatures),
    "attestations": (attested.looked_at, _attestations),
    "numbers": (lambda gate: gate.kind == "number", _numbers),
    "issues": (lambda gate: gate.kind == "issues", _issues),
    "repository": (lambda gate: gate.kind == "repository" and (gate.files or gate.owned), _kept),
    "promotion": (lambda gate: gate.kind == "pull_request" and gate.of == "promotion", _promotion),
    "lost": (lambda gate: gate.kind == "lost_changes", _lost),
}
"""What it is called in `Evidence` → which gates look at it, and how it is asked for."""
