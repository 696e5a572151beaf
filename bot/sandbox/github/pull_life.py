"""What becomes of a pull request as branches move? Stale reviews, whether it can be merged, and why it may not."""

from __future__ import annotations

import asyncio

from bot.sandbox.github import webhooks
from bot.sandbox.github.codeowners import can_own
from bot.sandbox.github.git import Git, Signature
from bot.sandbox.github.judgement import judge, sets_for
from bot.sandbox.github.pull_request import PullRequest
from bot.sandbox.github.records import Books, Repository
from bot.sandbox.github.required_checks import newest_runs, newest_statuses
from bot.sandbox.github.rules import Move, owners_wanted


def signature(books: Books, login: str) -> Signature:
    """As GitHub signs for an account."""
    return Signature(login, f"{login}@users.noreply.github.example", books.now())


async def refresh(books: Books, repository: Repository, pull: PullRequest, pusher: str = "") -> None:
    """The pull request stands where its branches stand; merged where its base has all of it now."""
    if pull.state != "open" or repository.lagging:
        return
    head, base = await asyncio.gather(
        repository.git.ref(f"refs/heads/{pull.head}"), repository.git.ref(f"refs/heads/{pull.base}")
    )
    base = base or pull.base_sha
    if head is not None and head != pull.head_sha:
        before, pull.head_sha = pull.head_sha, head
        pull.pushed_by = pusher or await _author(repository.git, head)
        pull.updated_at = books.now()
        _dismiss_stale(repository, pull)
        await ask_owners(books, repository, pull)
        await webhooks.pull_request(books, repository, pull, "synchronize", before=before, after=head)
    if await repository.git.contains(base, pull.head_sha):
        await merged(books, repository, pull, base, pusher or pull.pushed_by)
    else:
        pull.base_sha = base


async def merged(books: Books, repository: Repository, pull: PullRequest, sha: str, login: str) -> None:
    """It is closed, brought into its base by that commit."""
    pull.state, pull.merge_sha, pull.merged_by = "closed", sha, login
    pull.merged_at = pull.closed_at = pull.updated_at = books.now()
    await webhooks.pull_request(books, repository, pull, "closed")


async def _author(git: Git, sha: str) -> str:
    (made,) = await git.commits(sha)
    return made.author.email.partition("@")[0]


def _asked(repository: Repository, branch: str) -> list[dict[str, object]]:
    """The parameters of every `pull_request` rule that is enforced there."""
    return [
        rule.get("parameters") or {}
        for by in sets_for(repository, f"refs/heads/{branch}")
        if not by.tried_out
        for rule in by.rules
        if rule["type"] == "pull_request"
    ]


def _dismiss_stale(repository: Repository, pull: PullRequest) -> None:
    """Where a rule says so, approvals of what was there before count no longer."""
    if any(asked.get("dismiss_stale_reviews_on_push") for asked in _asked(repository, pull.base)):
        for review in pull.reviews:
            if review.state == "APPROVED" and review.commit != pull.head_sha:
                review.state = "DISMISSED"


async def ask_owners(books: Books, repository: Repository, pull: PullRequest) -> None:
    """Everybody whom the base's CODEOWNERS names for what changes is asked, drafts left alone."""
    if pull.draft:
        return
    for owners in await owners_wanted(repository, pull):
        for owner in owners:
            name = owner.rpartition("/")[2]
            asked = pull.asked_teams if "/" in owner else pull.asked
            if name not in asked and name != pull.author and can_own(books, repository, owner):
                asked.append(name)
                pull.asked_as_owners.add(name)


async def try_merge(books: Books, repository: Repository, pull: PullRequest) -> bool:
    """Whether git can merge it as its branches stand; the trial commit is kept as its `merge_sha`."""
    await refresh(books, repository, pull)
    if pull.tried != (pull.base_sha, pull.head_sha):
        message = f"Merge {pull.head_sha} into {pull.base_sha}"
        trial = await repository.git.merge(pull.base_sha, pull.head_sha, message, signature(books, pull.author))
        pull.tried, pull.reads = (pull.base_sha, pull.head_sha), 0
        pull.mergeable, pull.merge_sha = trial is not None, trial
    return bool(pull.mergeable)


async def seen_mergeable(books: Books, repository: Repository, pull: PullRequest) -> bool | None:
    """As one more read of it shows: the first ones only set GitHub thinking."""
    if pull.state != "open":
        return None
    could = await try_merge(books, repository, pull)
    pull.reads += 1
    return could if pull.reads > books.unknown_reads else None


async def merge_state(books: Books, repository: Repository, pull: PullRequest, could: bool | None) -> str:  # noqa: FBT001
    """GitHub's `mergeable_state`: about the rules, not about who asks."""
    if could is None:
        return "unknown"
    if not could:
        return "dirty"
    if pull.draft:
        return "draft"
    move = Move(f"refs/heads/{pull.base}", pull.base_sha, pull.merge_sha or pull.head_sha, pull)
    stopping, _ = await judge(books, repository, move, None)
    says = {one.says for one in stopping}
    if says:
        return "behind" if all(one.startswith("Head branch is out of date") for one in says) else "blocked"
    runs = newest_runs(repository, pull.head_sha)
    statuses = newest_statuses(repository.records.statuses, pull.head_sha)
    good = {run.conclusion for run in runs} <= {"success", "neutral", "skipped"}
    return "clean" if good and {status.state for status in statuses} <= {"success"} else "unstable"
