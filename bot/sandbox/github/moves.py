"""How does a ref come to stand elsewhere? Judged by the rules, swapped by git, noticed by pull requests."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox.github import pull_life, webhooks
from bot.sandbox.github.call import Refused
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.judgement import judge, worded
from bot.sandbox.github.records import Actor, Books, Repository
from bot.sandbox.github.rules import Move


async def demand_allowed(
    books: Books, repository: Repository, actor: Actor, moves: Sequence[Move], *, status: int = 422
) -> None:
    """The rules let that actor make all these moves; otherwise it is refused with that status."""
    stopping = []
    for one in moves:
        violations, suite = await judge(books, repository, one, actor)
        stopping += violations
        if suite is not None:
            repository.records.rule_suites.append(suite)
    if stopping:
        raise Refused(status, worded(stopping))


async def make(books: Books, repository: Repository, actor: Actor, moves: Sequence[Move], *, status: int = 422) -> bool:
    """All refs stand where they should; False: one of them was not where it was thought to be, and none moved.

    Refused with that status where the rules do not let that actor.
    """
    await demand_allowed(books, repository, actor, moves, status=status)
    if not await repository.git.swap_all([(one.ref, one.new, one.old) for one in moves]):
        return False
    repository.refs_before = {one.ref: None if one.old == NOTHING else one.old for one in moves}
    for one in moves:
        await noticed(books, repository, one, actor.login)
    return True


async def noticed(books: Books, repository: Repository, move: Move, login: str) -> None:
    """Pull requests know of the move, and whoever listens was told."""
    await webhooks.pushed(books, repository, move, login)
    if not move.ref.startswith("refs/heads/"):
        return
    branch = move.ref.removeprefix("refs/heads/")
    for pull in repository.records.pulls:
        if pull.state == "open" and pull is not move.pull and branch in {pull.head, pull.base}:
            await pull_life.refresh(books, repository, pull, login)
    if move.new != NOTHING:
        for watch in books.watching:
            await watch(repository, branch, move.new)


async def somebody_pushes(books: Books, repository: Repository, branch: str) -> None:
    """The branch has one commit more, by nobody who asked here."""
    files = {"quicker.md": f"{books.new_id()}\n"}
    somebody = pull_life.signature(books, "somebody")
    await repository.git.write(branch, "Somebody was quicker", files, somebody)
