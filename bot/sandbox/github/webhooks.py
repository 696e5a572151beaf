"""What is told of what happens here? The events that GitHub sends: https://docs.github.com/webhooks."""

from __future__ import annotations

from typing import Any

from bot.sandbox.github import pull_shapes, shapes
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.pull_request import PullRequest, Review
from bot.sandbox.github.records import Books, CheckRun, Deployment, DeploymentStatus, Repository, Status
from bot.sandbox.github.rules import Move


def _tell(books: Books, repository: Repository, event: str, login: str, payload: dict[str, Any]) -> None:
    said: dict[str, Any] = {
        **payload,
        "repository": shapes.full_repository(books, repository),
        "sender": shapes.user(books, login),
    }
    app = next(iter(books.apps.values()), None)
    if app is not None:
        said["installation"] = {"id": app.installation}
    books.postman.tell(event, said)


async def pushed(books: Books, repository: Repository, move: Move, login: str) -> None:
    if not books.postman.hooks:
        return
    made, gone = move.old == NOTHING, move.new == NOTHING
    commits = []
    if not gone:
        git = repository.git
        known = [] if made else [f"^{move.old}"]
        shas = (await git.history(move.new, "--max-count=20", *known))[::-1]
        commits = [
            {
                "id": one.sha,
                "tree_id": one.tree,
                "message": one.message,
                "timestamp": one.committer.at.isoformat(),
                "author": {"name": one.author.name, "email": one.author.email},
                "committer": {"name": one.committer.name, "email": one.committer.email},
            }
            for one in await git.commits(*shas)
        ]
    forced = not (made or gone) and not await repository.git.contains(move.new, move.old)
    _tell(
        books,
        repository,
        "push",
        login,
        {
            "ref": move.ref,
            "before": move.old,
            "after": move.new,
            "created": made,
            "deleted": gone,
            "forced": forced,
            "commits": commits,
            "head_commit": commits[-1] if commits else None,
            "pusher": {"name": login},
        },
    )


async def pull_request(books: Books, repository: Repository, pull: PullRequest, action: str, **also: Any) -> None:  # noqa: ANN401 - JSON
    if books.postman.hooks:
        shown = await pull_shapes.full(books, repository, pull, None, "unknown")
        said = {"action": action, "number": pull.number, "pull_request": shown, **also}
        _tell(books, repository, "pull_request", pull.author, said)


def review(books: Books, repository: Repository, pull: PullRequest, made: Review, action: str) -> None:
    if books.postman.hooks:
        shown = pull_shapes.review(books, repository, pull, made)
        about = pull_shapes.simple(books, repository, pull)
        said = {"action": action, "review": shown, "pull_request": about}
        _tell(books, repository, "pull_request_review", made.login, said)


def check_run(books: Books, repository: Repository, run: CheckRun, action: str) -> None:
    if books.postman.hooks:
        said = {"action": action, "check_run": shapes.check_run(books, repository, run)}
        _tell(books, repository, "check_run", f"{shapes.slug(run.app)}[bot]", said)


def status(books: Books, repository: Repository, made: Status) -> None:
    if books.postman.hooks:
        said = shapes.status(books, repository, made) | {"sha": made.sha, "name": repository.full_name, "branches": []}
        _tell(books, repository, "status", made.creator, said)


def deployment_status(books: Books, repository: Repository, made: Deployment, status: DeploymentStatus) -> None:
    if books.postman.hooks:
        said = {
            "action": "created",
            "deployment": shapes.deployment(books, repository, made),
            "deployment_status": shapes.deployment_status(books, repository, made, status),
        }
        _tell(books, repository, "deployment_status", status.creator, said)
