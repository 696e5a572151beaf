"""Which branch would move with a promotion, from where to where, and what stands in its way?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from commands import lineage
from commands.places import known
from commands.plan import Plan, PlannedBranch
from commands.ports import World
from policy.document import Model, Path, Policy
from policy.facts import Candidate, Question
from policy.model import Place, Sha, Unknown, short
from policy.wording import listed

NOT_OPEN = "its pull request is not open yet"


@dataclass(frozen=True, slots=True)
class Way:
    """How the branch of one path would go."""

    branch: PlannedBranch | Unknown | None
    """None: no branch moves along this path. Unknown: it cannot go, and asking again soon says the same."""
    not_yet: str = ""
    """What it waits for before it may move, a sentence without its end; empty: nothing."""


NO_WAY = Way(None)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The two branches of a path, and where they stand."""

    repository: str
    source: str
    target: str
    head: Sha
    base: Sha


async def way(
    world: World, policy: Policy, question: Question, path: Path | None, candidate: Candidate | Unknown
) -> Way:
    """What would move, read now."""
    if path is None or path.model is Model.ARTIFACT:
        return NO_WAY
    if isinstance(candidate, Unknown):
        return Way(candidate)
    if isinstance(candidate.commit, Unknown):
        return Way(candidate.commit)
    ends = await _ends(world, policy, question)
    if isinstance(ends, Unknown):
        return Way(ends)
    if path.model is Model.FAST_FORWARD:
        return await _forward(world, ends, question, candidate.commit)
    return await _merge(world, ends, question, candidate.commit)


async def _ends(world: World, policy: Policy, question: Question) -> _Ends | Unknown:
    repository, stand = policy.services[question.service].repository, []
    names = [policy.environments[name].branch for name in (question.source or "", question.target)]
    for name, environment in zip(names, (question.source, question.target), strict=True):
        if name is None:
            return Unknown(f"the policy names no branch for {environment}")
        at = await known(f"the branch {name}", world.code.head(repository, name))
        if isinstance(at, Unknown):
            return at
        if at is None:
            return Unknown(f"there is no branch {name} in {repository}")
        stand.append((name, at))
    (source, head), (target, base) = stand
    return _Ends(repository, source, target, head, base)


async def _forward(world: World, ends: _Ends, question: Question, commit: Sha) -> Way:
    """To exactly the commit that the source environment serves: the source branch holds it, the target is behind it."""
    code, repository = world.code, ends.repository
    lies, holds = await asyncio.gather(
        known(f"how {short(commit)} lies to {ends.target}", code.compare(repository, ends.base, commit)),
        known(f"whether {ends.source} holds {short(commit)}", code.compare(repository, commit, ends.head)),
    )
    if isinstance(lies, Unknown) or isinstance(holds, Unknown):
        return Way(lies if isinstance(lies, Unknown) else holds if isinstance(holds, Unknown) else None)
    if holds.behind:
        return Way(Unknown(f"{question.source} serves {short(commit)}, which is not on {ends.source}"))
    if lies.behind:
        lacks = "a commit" if lies.behind == 1 else f"{lies.behind} commits"
        return Way(Unknown(f"not a fast-forward: {ends.target} has {lacks} that {short(commit)} lacks"))
    return Way(PlannedBranch(ends.source, ends.target, commit, ends.base, held=not lies.ahead))


def path_forward(policy: Policy, place: Place) -> Path | None:
    """The path by which a branch moves forward to that place."""
    paths = (path for path in policy.paths if path.target == place.environment and path.serves(place.service))
    return next((path for path in paths if path.model is Model.FAST_FORWARD), None)


def behind(policy: Policy, place: Place, leaving: Sha | None, to: Sha | None) -> PlannedBranch | None:
    """Of a rollback: the branch that only moves forward, which is left where it was; None: there is none such."""
    path, target = path_forward(policy, place), policy.environments[place.environment].branch
    source = None if path is None else policy.environments[path.source].branch
    if source is None or target is None or leaving is None or to is None:
        return None
    return PlannedBranch(source, target, leaving, to)


async def _merge(world: World, ends: _Ends, question: Question, commit: Sha) -> Way:
    """By a merge commit of the source's head, which holds exactly what the source environment serves."""
    code, repository = world.code, ends.repository
    held, serves, own, brings = await asyncio.gather(
        known(f"what {ends.source} holds", code.tree(repository, ends.head)),
        known("what the candidate holds", code.tree(repository, commit)),
        known(f"what only {ends.target} has", code.lineage(repository, ends.head, ends.base)),
        known(f"what {ends.source} brings", code.compare(repository, ends.base, ends.head)),
    )
    if isinstance(held, Unknown):
        return Way(held)
    if isinstance(serves, Unknown):
        return Way(serves)
    if isinstance(own, Unknown):
        return Way(own)
    if isinstance(brings, Unknown):
        return Way(brings)
    if held != serves:
        return Way(await _unlike(world, ends, question, commit))
    gone = lineage.taken_back(own)
    if gone:
        return Way(Unknown(_silently_lost(ends, gone)))
    branch = PlannedBranch(ends.source, ends.target, ends.head, ends.base)
    if not brings.ahead:
        return await _already_there(world, branch, repository, held)
    return await _by_pull_request(world, branch, repository)


async def _unlike(world: World, ends: _Ends, question: Question, commit: Sha) -> Unknown:
    """In what the branch differs from what its environment serves."""
    serves = f"{question.source} serves {short(commit)}"
    lies = await known("how it lies", world.code.compare(ends.repository, commit, ends.head))
    if isinstance(lies, Unknown):
        return lies
    if not lies.ahead:
        return Unknown(f"{serves}, which the branch {ends.source} does not hold: it stands at {short(ends.head)}")
    commits = "a commit" if lies.ahead == 1 else f"{lies.ahead} commits"
    return Unknown(f"the branch {ends.source} holds {commits} that {question.source} does not serve yet: {serves}")


def _silently_lost(ends: _Ends, gone: tuple[lineage.TakenBack, ...]) -> str:
    what = listed([f"{short(each.commit)} by {short(each.by)}" for each in gone])
    return (
        f"{ends.target} took back {what}, and {ends.source} still holds it: merged now, it would silently be missing;"
        f" first revert the revert by a pull request to {ends.target} (git revert {gone[0].by})"
    )


async def _already_there(world: World, branch: PlannedBranch, repository: str, held: str | Unknown) -> Way:
    """Nothing is left to merge: another service of the same repository brought it, or somebody did."""
    there = await known(f"what {branch.target} holds", world.code.tree(repository, branch.base))
    if isinstance(there, Unknown):
        return Way(there)
    if there != held:
        return Way(Unknown(f"{branch.target} has all commits of {branch.source} and holds something else all the same"))
    return Way(PlannedBranch(branch.source, branch.target, branch.head, branch.base, held=True))


async def _by_pull_request(world: World, branch: PlannedBranch, repository: str) -> Way:
    code = world.code
    forbids, lacks, found = await asyncio.gather(
        known(f"whether {branch.target} takes merge commits", code.unmergeable(repository, branch.target)),
        known(f"the required checks of {branch.target}", code.not_passed(repository, branch.target, branch.head)),
        known("its pull request", code.promotion(repository, branch.source, branch.target)),
    )
    if isinstance(forbids, Unknown) or forbids:
        return Way(forbids if isinstance(forbids, Unknown) else Unknown(forbids))
    if isinstance(lacks, Unknown) or isinstance(found, Unknown):
        return Way(lacks if isinstance(lacks, Unknown) else found if isinstance(found, Unknown) else None)
    if found is None:
        return Way(branch, NOT_OPEN)
    waits = f"#{found.number} is still a draft" if found.draft else ""
    if lacks:
        waits = f"{branch.target} requires checks that {short(branch.head)} has not passed: {', '.join(lacks)}"
    planned = PlannedBranch(
        branch.source,
        branch.target,
        branch.head,
        branch.base,
        found.number,
        found.description,
        found.url,
    )
    return Way(planned, waits)


def to_be_opened(plan: Plan | None) -> bool:
    """True where its pull request is what is missing."""
    branch = None if plan is None else plan.branch
    merges = plan is not None and plan.model == Model.BRANCH_MERGE and plan.deed == "promote"
    return merges and branch is not None and branch.pull_request is None and not branch.held


async def brought(world: World, operation: str) -> PlannedBranch | None:
    """Of a rollback: the merge by which that release came to the target's branch; None: none that we know of."""
    release = await world.store.operation(operation) if operation else None
    if release is None or release.plan is None or release.plan.branch is None:
        return None
    seen, branch = release.seen.get("branch:0", {}), release.plan.branch
    if "base" not in seen or release.plan.model != Model.BRANCH_MERGE:
        return None
    return PlannedBranch(branch.source, branch.target, Sha(seen["commit"]), Sha(seen["base"]), branch.pull_request)
