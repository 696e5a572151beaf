"""What lies in a repository that should not? Everything that a look over it finds, whatever anybody promotes. Pure.

What branches are called, where they may go and how commits come to them, the policy's branch gates say; here they are
asked about more than one candidate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from commands.ports import Comparison, Proposed, Unmerged
from policy.document import Policy
from policy.evidence import Changes, PullRequest
from policy.gates import BranchGate, ChecksGate, PullRequestGate
from policy.glob import alike
from policy.model import Sha, short
from policy.rules import branch
from policy.schema import Audit, Path
from policy.wording import listed

STANDING = frozenset({"branches", "protection", "environments", "proposals", "workflows", "tags"})
"""What is so until somebody mends it; the rest happened once."""
_PINNED = re.compile(r"[0-9a-f]{40}|v?\d+(\.\d+)*([.+-][\w.+-]*)?")
"""A commit, or a tag that is called like a version."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is not as the policy wants it."""

    kind: str
    """Of `look_for`."""
    about: str
    """What of it: a branch, a file, `#41`."""
    says: str

    @property
    def key(self) -> str:
        """The same for the same thing, whenever it is looked at."""
        return f"{self.kind} {self.about}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What the policy wants of one repository."""

    audit: Audit
    services: tuple[str, ...]
    """Those whose code lies there."""
    shared: Mapping[str, str]
    """Branch that an environment is deployed from → that environment, lowest rank first."""
    environments: tuple[str, ...]
    """Where those services run."""
    gates: tuple[BranchGate, ...]
    """Of the paths that those services go along, as far as they hold for every change."""
    checks: Mapping[str, tuple[str, ...]]
    """Shared branch → the checks that a path to its environment wants to have passed."""
    owned: bool
    """A gate wants each pull request to be somebody's."""

    @property
    def trunk(self) -> str:
        """Where work is integrated; empty where no environment has a branch."""
        return next(iter(self.shared), "")

    def wants(self, kind: str) -> bool:
        return kind in self.audit.look_for

    def long_lived(self, branches: Iterable[str]) -> tuple[str, ...]:
        """Of these branches those that several people build on."""
        like = alike((*self.audit.protected, *self.audit.released, *self.audit.linear))
        return tuple(name for name in branches if name in self.shared or like(name))


def scopes(policy: Policy) -> dict[str, Scope]:
    """By repository; empty where the policy looks for nothing."""
    if policy.audit is None:
        return {}
    repositories = dict.fromkeys(service.repository for service in policy.services.values())
    return {name: _scope(policy, policy.audit, name) for name in repositories}


def _scope(policy: Policy, audit: Audit, repository: str) -> Scope:
    services = tuple(name for name, its in policy.services.items() if its.repository == repository)
    environments = {name for service in services for name in policy.services[service].cloud_run}
    ranked = sorted(environments, key=lambda name: policy.environments[name].rank)
    paths = [path for path in policy.paths if any(path.serves(service) for service in services)]
    required = dict.fromkeys(name for path in paths for name in path.requires)
    gates = [policy.gates[name] for name in required]
    shared = {its: name for name in ranked if (its := policy.environments[name].branch)}
    return Scope(
        audit,
        services,
        shared,
        tuple(ranked),
        tuple(gate for gate in gates if isinstance(gate, BranchGate) and gate.when is None),
        {its: _checks(policy, [path for path in paths if path.target == name]) for its, name in shared.items()},
        any(isinstance(gate, PullRequestGate) and "assignees" in gate.fields for gate in gates),
    )


def _checks(policy: Policy, paths: Iterable[Path]) -> tuple[str, ...]:
    wanted: dict[str, None] = {}
    for path in paths:
        gates = (policy.gates[name] for name in path.requires)
        named = (gate.names for gate in gates if isinstance(gate, ChecksGate) and gate.when is None)
        wanted |= dict.fromkeys((*path.gates.checks, *(check for names in named for check in names)))
    return tuple(wanted)


# As it lies there ---------------------------------------------------------------------------------------------------


def missing_branches(scope: Scope, branches: Iterable[str]) -> Iterator[Found]:
    """Branches are called letter by letter as the policy says."""
    there = list(branches)
    for name, environment in scope.shared.items():
        if name not in there:
            near = _near(name, there)
            found = f" (found {near})" if near else ""
            yield Found("branches", name, f"branch {name} of {environment} not found{found}")


def unprotected(lacking: Mapping[str, tuple[str, ...]]) -> Iterator[Found]:
    """What each branch's protection lacks."""
    for name, lacks in lacking.items():
        for each in lacks:
            yield Found("protection", f"{name}: {each}", f"{name} is not protected: {each}")


def not_required(name: str, wanted: Iterable[str], required: frozenset[str]) -> Iterator[Found]:
    """A check that a path wants is required before anything is merged into the branch, too."""
    for check in wanted:
        if check not in required:
            yield Found("protection", f"{name}: check {check}", f"{name} does not require the check {check}")


def misnamed_environments(scope: Scope, environments: Iterable[str]) -> Iterator[Found]:
    """Where the host knows environments at all, it calls them as the policy does."""
    there = list(environments)
    others = [name for name in there if name not in scope.environments]
    for name in scope.environments:
        if there and name not in there:
            near = _near(name, others)
            found = near or listed(others)
            yield Found("environments", name, f"environment expected {name}, found {found or 'none like it'}")


def moving_parts(uses: Mapping[str, tuple[str, ...]]) -> Iterator[Found]:
    """Workflows take only what does not move under them."""
    for file, parts in uses.items():
        for part in dict.fromkeys(parts):
            if not pinned(part):
                yield Found("workflows", f"{file} {part}", f"{file} uses {part}, which can change under it")


def moved_tags(named: Mapping[str, Sha], now: Mapping[str, Sha | None]) -> Iterator[Found]:
    """A release tag names for ever what it named when it was first seen."""
    for name, first in named.items():
        at, was = now.get(name, first), f"SECURITY: the release tag {name}"
        if at is None:
            yield Found("tags", name, f"{was} is gone; it was on {short(first)}")
        elif at != first:
            where = f"from {short(first)} to {short(at)}"
            yield Found("tags", name, f"{was} was moved {where}; nothing that bears it is promoted")


def pinned(part: str) -> bool:
    """Whether `uses: part` names a commit, a version or an image by digest; what lies in the repository itself is."""
    if part.startswith("./"):
        return True
    if part.startswith("docker://"):
        return "@sha256:" in part
    return bool(_PINNED.fullmatch(part.rpartition("@")[2])) and "@" in part


def proposals(scope: Scope, proposed: Iterable[Proposed]) -> Iterator[Found]:
    """Open ones into long-lived branches: where they may go, from branches called as they must be, somebody's own."""
    for each in proposed:
        pull = each.pull
        if each.merged_at is not None or not scope.long_lived((pull.base,)):
            continue
        wrong = dict.fromkeys(
            says for gate in scope.gates for says in branch.of_proposals(gate, Changes(pull_requests=(pull,)))
        )
        for says in wrong:
            yield Found("proposals", f"#{pull.number} {pull.head}→{pull.base}", f"{says} (open)")
        if scope.owned and not pull.fields.get("assignees") and pull.head not in scope.shared:
            yield Found("proposals", f"#{pull.number} nobody", f"#{pull.number} is assigned to nobody")


# What happened since the last look ----------------------------------------------------------------------------------


def rewritten(name: str, before: Sha, now: Sha, compared: Comparison) -> Iterator[Found]:
    """A branch that others build on only ever goes forward."""
    if compared.behind:
        lost = f"{compared.behind} commit{'s' if compared.behind > 1 else ''}"
        says = f"{name} was moved from {short(before)} to {short(now)} by force, and lost {lost}"
        yield Found("rewrites", name, says)


def cut(scope: Scope, name: str, not_passed: tuple[str, ...]) -> Iterator[Found]:
    """A new release branch begins at a commit that passed what the trunk requires."""
    if not_passed:
        says = f"{name} was cut from a commit of {scope.trunk} that has not passed {listed(not_passed)}"
        yield Found("pushes", f"{name}: cut", says)


def pushed(scope: Scope, name: str, changes: Changes) -> Iterator[Found]:
    """What came to a branch came as the gates want it."""
    says = dict.fromkeys(says for gate in scope.gates for says in branch.of_the_range(gate, changes))
    says |= dict.fromkeys(
        says
        for gate in scope.gates
        for says in branch.of_proposals(gate, Changes(pull_requests=tuple(_into(changes, name))))
    )
    for each in says:
        yield Found("pushes", f"{name}: {each}", f"{name}: {each}")


def _into(changes: Changes, name: str) -> Iterator[PullRequest]:
    yield from (pull for pull in changes.pull_requests if pull.base == name)


def merged_by_commit(scope: Scope, name: str, changes: Changes) -> Iterator[Found]:
    """Branches of which the policy wants a straight line get no merge commits."""
    if not alike(scope.audit.linear)(name):
        return
    for commit in changes.commits:
        if commit.parents > 1:
            by = f" by #{commit.pull_request}" if commit.pull_request is not None else ""
            who = f" ({listed(sorted(commit.authors))})" if commit.authors else ""
            yield Found("merges", commit.sha, f"{name} got the merge commit {short(commit.sha)}{by}{who}")


# What lies about ----------------------------------------------------------------------------------------------------


def too_old(scope: Scope, at: datetime, name: str, unmerged: Unmerged, proposed: Iterable[Proposed]) -> Iterator[Found]:
    """A short-lived branch that has work which is not integrated yet, for longer than that may take."""
    if unmerged.since is None or at - unmerged.since <= timedelta(days=scope.audit.short_lived_days):
        return
    pull = next((each.pull for each in proposed if each.pull.head == name and each.merged_at is None), None)
    owner = listed(sorted(pull.authors)) if pull is not None and pull.authors else unmerged.by or "nobody known"
    by = f"#{pull.number} by {owner}" if pull is not None else f"by {owner}"
    yield Found("short_lived", name, f"{name} left {scope.trunk} {(at - unmerged.since).days} days ago ({by})")


def not_deleted(
    scope: Scope, at: datetime, branches: Mapping[str, Sha], proposed: Iterable[Proposed]
) -> Iterator[Found]:
    """A branch that was merged as it stands, and is still there."""
    left = timedelta(days=scope.audit.left_days)
    keep = set(scope.long_lived(branches))
    newest = {each.pull.head: each for each in sorted(proposed, key=lambda each: each.pull.number)}
    for name, each in newest.items():
        if name in keep or each.merged_at is None or branches.get(name) != each.commit:
            continue
        if at - each.merged_at > left:
            says = f"{name} was merged by #{each.pull.number} {(at - each.merged_at).days} days ago and is still there"
            yield Found("merged", name, says)


def not_closed(
    scope: Scope, at: datetime, branches: Mapping[str, Sha], live: Mapping[Sha, datetime]
) -> Iterator[Found]:
    """A release branch that is still there long after production got what it stands at. `live`: commit → since when."""
    like = alike(scope.audit.released)
    for name, commit in branches.items():
        since = live.get(commit) if like(name) and name not in scope.shared else None
        if since is not None and at - since > timedelta(days=scope.audit.released_days):
            says = f"{name} went to production {(at - since).days} days ago and is still there"
            yield Found("released", name, f"{says}: carry its fixes to {scope.trunk or 'the trunk'}, then delete it")


def _near(name: str, others: list[str]) -> str:
    """The one that somebody may have meant; empty: none."""
    folded = {other.casefold(): other for other in others}
    if (same := folded.get(name.casefold())) is not None:
        return same
    longer = [other for other in others if other.casefold().startswith(name.casefold())]
    return next(iter(longer or get_close_matches(name, others, n=1)), "")
