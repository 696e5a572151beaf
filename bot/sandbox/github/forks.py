"""Copies of a repository that follow it: https://docs.github.com/rest/branches/branches#sync-a-fork-branch-with-the-upstream-repository."""

from __future__ import annotations

from pathlib import Path

from bot.sandbox.github import pull_life
from bot.sandbox.github.call import Answer, Call, Refused, Route
from bot.sandbox.github.git import Git
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import Books, Repository
from bot.sandbox.github.rules import Move


async def copied(books: Books, parent: Repository, directory: Path, owner: str, name: str) -> Repository:
    """A repository with all that the other one holds in git, and nothing else of it."""
    git = await Git.create(directory, parent.default_branch)
    made = Repository(books.new_id(), owner, name, git, parent.default_branch, books.now(), parent=parent)
    everything = (f"+refs/{kind}/*:refs/{kind}/*" for kind in ("heads", "tags"))
    await git.run("fetch", "--quiet", str(parent.git.directory), *everything)
    return made


async def merge_upstream(call: Call) -> Answer:
    """The branch has what its namesake in the parent has: moved forward, or by a merge; 409 where they conflict."""
    repository, branch = call.repository, call.text("branch")
    parent = repository.parent
    theirs = await parent.git.ref(f"refs/heads/{branch}") if parent is not None else None
    ours = await repository.git.ref(f"refs/heads/{branch}")
    if parent is None or theirs is None or ours is None:
        raise Refused(422, "This branch is not set up to follow an upstream branch.")
    await repository.git.run("fetch", "--quiet", str(parent.git.directory), f"refs/heads/{branch}")
    upstream = f"{parent.owner}:{branch}"
    if await repository.git.contains(ours, theirs):
        message = f"This branch is not behind the upstream {upstream}."
        return Answer(200, {"message": message, "merge_type": "none", "base_branch": upstream})
    new, kind, did = theirs, "fast-forward", "fast-forwarded"
    if not await repository.git.contains(theirs, ours):
        words = f"Merge branch '{branch}' of {parent.full_name} into {branch}"
        who = pull_life.signature(call.books, call.login)
        made = await repository.git.merge(ours, theirs, words, who, call.books.sign)
        if made is None:
            raise Refused(409, "There are merge conflicts")
        new, kind, did = made, "merge", "merged"
    if not await make(call.books, repository, call.actor, [Move(f"refs/heads/{branch}", ours, new)]):
        raise Refused(409, "The branch was moved meanwhile")
    message = f"Successfully fetched and {did} from upstream {upstream}."
    return Answer(200, {"message": message, "merge_type": kind, "base_branch": upstream})


ROUTES = (Route("POST", "/repos/{owner}/{repo}/merge-upstream", merge_upstream, "contents"),)
