"""What does each of GitHub's rules want of a ref that is to move?

https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.sandbox.github import signing
from bot.sandbox.github.codeowners import belongs, owners_at
from bot.sandbox.github.git import NOTHING, Git
from bot.sandbox.github.pull_request import PullRequest
from bot.sandbox.github.records import Actor, Books, Repository
from bot.sandbox.github.required_checks import Required, missing, told
from bot.sandbox.github.rule_records import Json


@dataclass(frozen=True, slots=True)
class Move:
    """A ref that is to stand somewhere else; NOTHING: it is absent."""

    ref: str
    old: str
    new: str
    pull: PullRequest | None = None
    """The pull request that is merged by it."""
    method: str = ""
    """How it is merged."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at."""

    books: Books
    repository: Repository
    move: Move
    actor: Actor
    asked: Json
    """The rule's own parameters."""

    @property
    def git(self) -> Git:
        return self.repository.git

    @property
    def judged(self) -> str:
        """The commit whose checks count."""
        return self.move.pull.head_sha if self.move.pull else self.move.new

    async def fresh(self) -> list[str]:
        """Commits that the ref would gain, newest first."""
        if self.move.new == NOTHING:
            return []
        known = [] if self.move.old == NOTHING else [f"^{self.move.old}"]
        return await self.git.history(self.move.new, *known)


# The rules ----------------------------------------------------------------------------------------------------------


async def _creation(case: Case) -> list[str]:
    return ["Cannot create ref due to creations being restricted."] if case.move.old == NOTHING else []


async def _update(case: Case) -> list[str]:
    return ["Cannot update this protected ref."] if NOTHING not in {case.move.old, case.move.new} else []


async def _deletion(case: Case) -> list[str]:
    return ["Cannot delete this branch"] if case.move.new == NOTHING else []


async def _non_fast_forward(case: Case) -> list[str]:
    move = case.move
    if NOTHING in {move.old, move.new} or await case.git.contains(move.new, move.old):
        return []
    return ["Cannot force-push to this branch"]


async def _linear(case: Case) -> list[str]:
    if case.move.new == NOTHING:
        return []
    known = [] if case.move.old == NOTHING else [f"^{case.move.old}"]
    merges = await case.git.history(case.move.new, "--merges", "--max-count=1", *known)
    return ["This branch must not contain merge commits."] if merges else []


async def _signatures(case: Case) -> list[str]:
    fresh = await case.git.commits(*(await case.fresh()))
    signed = all(signing.of_commit(case.books, made).verified for made in fresh)
    return [] if signed else ["Commits must have verified signatures."]


async def _pull_request(case: Case) -> list[str]:
    if case.move.new == NOTHING:
        return []
    if case.move.pull is None:
        return ["Changes must be made through a pull request."]
    methods = case.asked.get("allowed_merge_methods")
    if methods and case.move.method and case.move.method not in methods:
        return [method_refused(case.move.method)]
    return await reviews_missing(case.books, case.repository, case.move.pull, case.asked)


async def _required_status_checks(case: Case) -> list[str]:
    move, asked = case.move, case.asked
    if move.new == NOTHING or (move.old == NOTHING and asked.get("do_not_enforce_on_create")):
        return []
    required = [
        Required(check["context"], check.get("integration_id")) for check in asked.get("required_status_checks", ())
    ]
    strict = asked.get("strict_required_status_checks_policy")
    if strict and move.pull is not None and not await case.git.contains(case.judged, move.old):
        return ["Head branch is out of date. Review and try the merge again."]
    return told(missing(case.books, case.repository, case.judged, required), len(required))


async def _required_deployments(case: Case) -> list[str]:
    waiting = []
    for environment in case.asked.get("required_deployment_environments", ()):
        made = [
            one
            for one in case.repository.records.deployments
            if one.sha == case.judged and one.environment == environment and one.statuses
        ]
        if not made or made[-1].statuses[-1].state != "success":
            waiting.append(f"Required deployment to {environment} was not successful.")
    return waiting


async def _merge_queue(case: Case) -> list[str]:
    return ["Changes must be made through the merge queue."] if case.move.new != NOTHING else []


async def _commit_message(case: Case) -> list[str]:
    for made in await case.git.commits(*(await case.fresh())):
        if not _fits(case.asked, made.message):
            return [f"Commit message must match a given pattern: {case.asked['pattern']}"]
    return []


async def _name(case: Case) -> list[str]:
    name = case.move.ref.split("/", 2)[2]
    fits = case.move.old != NOTHING or _fits(case.asked, name)
    return [] if fits else [f"Name must match a given pattern: {case.asked['pattern']}"]


def _fits(asked: Json, text: str) -> bool:
    pattern = asked.get("pattern", "")
    found = {
        "starts_with": text.startswith(pattern),
        "ends_with": text.endswith(pattern),
        "contains": pattern in text,
    }.get(asked.get("operator", ""))
    if found is None:
        found = re.search(pattern, text) is not None
    return found != bool(asked.get("negate"))


async def _allowed_pushers(case: Case) -> list[str]:
    """Classic protection only: nobody else may push or merge."""
    asked, actor = case.asked, case.actor
    app = case.books.apps.get(actor.app)
    allowed = (
        actor.login in asked.get("users", ())
        or actor.teams & set(asked.get("teams", ()))
        or (app is not None and app.slug in asked.get("apps", ()))
    )
    return [] if allowed or case.move.new == NOTHING else ["You're not authorized to push to this branch."]


_RULES: dict[str, Callable[[Case], Awaitable[list[str]]]] = {
    "creation": _creation,
    "update": _update,
    "deletion": _deletion,
    "non_fast_forward": _non_fast_forward,
    "required_linear_history": _linear,
    "required_signatures": _signatures,
    "pull_request": _pull_request,
    "required_status_checks": _required_status_checks,
    "required_deployments": _required_deployments,
    "merge_queue": _merge_queue,
    "commit_message_pattern": _commit_message,
    "branch_name_pattern": _name,
    "tag_name_pattern": _name,
    "restrictions": _allowed_pushers,
}


def method_refused(method: str) -> str:
    word = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}[method]
    return f"{word} are not allowed on this repository."


# Reviews ------------------------------------------------------------------------------------------------------------


async def reviews_missing(books: Books, repository: Repository, pull: PullRequest, asked: Json) -> list[str]:
    """What a pull request still lacks under these parameters of a `pull_request` rule."""
    said = {
        login: review
        for login, review in pull.decisive().items()
        if login != pull.author and books.can_write(repository, login)
    }
    agreeing = {login for login, review in said.items() if review.state == "APPROVED"}
    lacks = []
    wanted = asked.get("required_approving_review_count", 0)
    if any(review.state == "CHANGES_REQUESTED" for review in said.values()) and wanted:
        lacks.append("Changes have been requested by reviewers with write access.")
    if len(agreeing) < wanted:
        noun = "approving review is" if wanted == 1 else "approving reviews are"
        lacks.append(f"At least {wanted} {noun} required by reviewers with write access.")
    if asked.get("require_last_push_approval"):
        late = {login for login in agreeing - {pull.pushed_by} if said[login].commit == pull.head_sha}
        if not late:
            lacks.append("New changes require approval from someone other than the last pusher.")
    if asked.get("require_code_owner_review"):
        lacks += [
            f"Waiting on code owner review from {' or '.join(owners)}."
            for owners in await owners_wanted(repository, pull)
            if not any(belongs(books, owner, login) for owner in owners for login in agreeing)
        ]
    return lacks


async def owners_wanted(repository: Repository, pull: PullRequest) -> list[tuple[str, ...]]:
    """Each set of owners, by the base's CODEOWNERS, of what the pull request changes."""
    git = repository.git
    owners = await owners_at(git, pull.base_sha)
    between = await git.between(pull.base_sha, pull.head_sha) if owners.lines else None
    if between is None:
        return []
    changed = await git.changed_files(between.merge_base, pull.head_sha)
    return owners.needed(path for change in changed for path in (change.path, change.before) if path)


# All of them -------------------------------------------------------------------------------------------------------


async def says(books: Books, repository: Repository, move: Move, actor: Actor, rule: Json) -> list[str]:
    """Why that move does not keep that rule; nothing where it does."""
    kind, parameters = rule["type"], rule.get("parameters") or {}
    if kind not in _RULES:
        return [f"The rule {kind} has not passed."]  # a workflow, a scan: nobody here makes it pass
    return await _RULES[kind](Case(books, repository, move, actor, parameters))
