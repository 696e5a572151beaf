"""What does GraphQL change in the local GitHub that REST cannot? Refs by compare and swap, reverts, wildcards."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from bot.sandbox.github import graph_reads, pull_life, pulls, shapes, webhooks
from bot.sandbox.github.call import Call
from bot.sandbox.github.files import commit_files
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.graph import Json, Wrong, demand, route
from bot.sandbox.github.graph_protection import changed, ref_of, rule
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import Repository
from bot.sandbox.github.rule_records import Protection
from bot.sandbox.github.rules import Move

_SHA = re.compile(r"[0-9a-f]{40}")


def _done(asked: Json, **also: Any) -> Json:
    return {"clientMutationId": asked.get("clientMutationId"), **also}


def _actor(call: Call, repository: Repository) -> Any:
    app = call.token.app.id if call.token and call.token.app else 0
    return call.books.actor(repository, call.login, app)


# Refs and files -----------------------------------------------------------------------------------------------------


async def update_refs(call: Call, info: Any, *, input: Json) -> Json:
    """All of them move, or none."""
    repository = graph_reads.repository_of(call, input["repositoryId"])
    demand(call, repository, "contents")
    repository.remember()
    git, moves = repository.git, []
    for one in input["refUpdates"]:
        name, after, before = one["name"], one["afterOid"], one.get("beforeOid")
        if not name.startswith("refs/") or not await git.well_named(name):
            raise Wrong("UNPROCESSABLE", f"{name} is not a valid ref name.")
        now = await git.ref(name) or NOTHING
        if before is not None and before != now:
            raise Wrong("STALE_DATA", f"Reference {name} is at {now} but expected {before}")
        if after != NOTHING and (not _SHA.fullmatch(after) or await git.kind(after) is None):
            raise Wrong("UNPROCESSABLE", f"Object {after} does not exist")
        rewinds = NOTHING not in {now, after} and not await git.contains(after, now)
        if rewinds and not one.get("force"):
            raise Wrong("UNPROCESSABLE", f"Update to {name} is not a fast forward")
        moves.append(Move(name, now, after))
    if not await make(call.books, repository, _actor(call, repository), moves):
        raise Wrong("STALE_DATA", "A reference moved meanwhile; nothing was updated")
    return _done(input)


async def create_commit(call: Call, info: Any, *, input: Json) -> Json:
    """The branch has one signed commit more, where it stood as expected."""
    repository, branch = _branch(call, input["branch"])
    demand(call, repository, "contents")
    repository.remember()
    expected, git = input["expectedHeadOid"], repository.git
    tip = await git.ref(f"refs/heads/{branch}")
    if tip is None:
        raise Wrong("NOT_FOUND", f"No such branch in {repository.full_name}: {branch}")
    stale = Wrong("STALE_DATA", f'Expected branch to point to "{expected}" but it did not. Pull and try again.')
    if tip != expected:
        raise stale
    changes = input.get("fileChanges") or {}
    files: dict[str, bytes | None] = {one["path"]: None for one in changes.get("deletions") or ()}
    for path in files:
        if await git.entry(tip, path) is None:
            raise Wrong("UNPROCESSABLE", f"A path was requested for deletion that does not exist: {path}")
    try:
        files |= {one["path"]: base64.b64decode(one["contents"]) for one in changes.get("additions") or ()}
    except binascii.Error:
        raise Wrong("UNPROCESSABLE", "contents is not valid Base64") from None
    message = input["message"]
    text = message["headline"] + (f"\n\n{message['body']}" if message.get("body") else "")
    made = await commit_files(call.books, repository, _actor(call, repository), (branch, tip), files, text)
    if made is None:
        raise stale
    commit = await graph_reads.commit(call, repository, made)
    return _done(input, commit=commit, ref=ref_of(call, repository, f"refs/heads/{branch}") | {"target": commit})


def _branch(call: Call, said: Json) -> tuple[Repository, str]:
    if said.get("id"):
        kind, name = shapes.named(said["id"])
        number, _, ref = name.partition(":")
        if kind == "Ref" and ref.startswith("refs/heads/"):
            found = graph_reads.repository_of(call, shapes.node_id("Repository", number))
            return found, ref.removeprefix("refs/heads/")
    known = call.books.repository(said.get("repositoryNameWithOwner") or "")
    if known is None or (call.token and not call.token.sees(known)) or not said.get("branchName"):
        raise Wrong(
            "NOT_FOUND", f"Could not resolve to a Repository with the name '{said.get('repositoryNameWithOwner')}'."
        )
    return known, str(said["branchName"]).removeprefix("refs/heads/")


# Pull requests ------------------------------------------------------------------------------------------------------


async def revert(call: Call, info: Any, *, input: Json) -> Json:
    """A branch and a pull request that take back what a merged one brought, computed by git."""
    books = call.books
    repository, pull = graph_reads.pull_of(call, input["pullRequestId"])
    demand(call, repository, "pull_requests")
    repository.remember()
    git = repository.git
    if not pull.merged or pull.merge_sha is None:
        raise Wrong("UNPROCESSABLE", "Only merged pull requests can be reverted")
    tip = await git.ref(f"refs/heads/{pull.base}") or pull.merge_sha
    title = input.get("title") or f'Revert "{pull.title}"'
    tree = await git.merged_tree(tip, pull.base_sha, pull.merge_sha)
    if tree is None:
        raise Wrong("UNPROCESSABLE", "This pull request could not be reverted because of conflicts")
    author = pull_life.signature(books, call.login)
    made = await git.commit_tree(
        tree, (tip,), f"{title}\n\nThis reverts commit {pull.merge_sha}.", author, sign=books.sign
    )
    branch = f"revert-{pull.number}-{pull.head}"
    if not await make(books, repository, _actor(call, repository), [Move(f"refs/heads/{branch}", NOTHING, made)]):
        raise Wrong("UNPROCESSABLE", f"A branch named {branch} already exists")
    body = input.get("body") or f"Reverts {repository.full_name}#{pull.number}"
    wish = pulls.Wish(title, body, branch, pull.base, bool(input.get("draft")))
    opened = await pulls.opened(call, repository, wish, made, tip)
    return _done(
        input,
        pullRequest=graph_reads.pull_request(call, repository, pull),
        revertPullRequest=graph_reads.pull_request(call, repository, opened),
    )


async def enqueue(call: Call, info: Any, *, input: Json) -> Json:
    """No queue is played: GitHub's own answer where a branch has none."""
    repository, _pull = graph_reads.pull_of(call, input["pullRequestId"])
    demand(call, repository, "pull_requests")
    raise Wrong("UNPROCESSABLE", "Pull request is not mergeable using a merge queue: no merge queue is enabled")


async def _drafted(call: Call, asked: Json, *, draft: bool) -> Json:
    repository, pull = graph_reads.pull_of(call, asked["pullRequestId"])
    demand(call, repository, "pull_requests")
    pull.draft, pull.updated_at = draft, call.books.now()
    await pull_life.ask_owners(call.books, repository, pull)
    action = "converted_to_draft" if draft else "ready_for_review"
    await webhooks.pull_request(call.books, repository, pull, action)
    return _done(asked, pullRequest=graph_reads.pull_request(call, repository, pull))


async def ready(call: Call, info: Any, *, input: Json) -> Json:
    return await _drafted(call, input, draft=False)


async def to_draft(call: Call, info: Any, *, input: Json) -> Json:
    return await _drafted(call, input, draft=True)


# Classic protection -------------------------------------------------------------------------------------------------


def _protection(call: Call, id: str) -> tuple[Repository, Protection]:
    for repository in call.books.repositories.values():
        for made in repository.records.protections.values():
            if shapes.node_id("BranchProtectionRule", made.id) == id:
                return repository, made
    raise Wrong("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'")


async def create_rule(call: Call, info: Any, *, input: Json) -> Json:
    repository = graph_reads.repository_of(call, input["repositoryId"])
    demand(call, repository, "administration")
    if input["pattern"] in repository.records.protections:
        raise Wrong("UNPROCESSABLE", f"Name already protected: {input['pattern']}")
    made = Protection(call.books.new_id(), input["pattern"], {})
    changed(call, repository, made, input)
    return _done(input, branchProtectionRule=rule(call, repository, made))


async def update_rule(call: Call, info: Any, *, input: Json) -> Json:
    repository, made = _protection(call, input["branchProtectionRuleId"])
    changed(call, repository, made, input)
    return _done(input, branchProtectionRule=rule(call, repository, made))


async def delete_rule(call: Call, info: Any, *, input: Json) -> Json:
    repository, made = _protection(call, input["branchProtectionRuleId"])
    demand(call, repository, "administration")
    del repository.records.protections[made.pattern]
    return _done(input)


ROUTES = (
    route(
        graph_reads.ROOTS
        | {
            "updateRefs": update_refs,
            "createCommitOnBranch": create_commit,
            "revertPullRequest": revert,
            "enqueuePullRequest": enqueue,
            "markPullRequestReadyForReview": ready,
            "convertPullRequestToDraft": to_draft,
            "createBranchProtectionRule": create_rule,
            "updateBranchProtectionRule": update_rule,
            "deleteBranchProtectionRule": delete_rule,
        }
    ),
)
