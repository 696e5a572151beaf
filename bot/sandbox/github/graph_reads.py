"""What can be asked of the local GitHub by GraphQL? Repositories, refs, commits, pull requests and their gates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from bot.sandbox.github import pull_life, shapes
from bot.sandbox.github.call import Call
from bot.sandbox.github.git import Commit
from bot.sandbox.github.graph import Json, Wrong, listed, seen
from bot.sandbox.github.graph_protection import ref_of, rule, rules_of
from bot.sandbox.github.judgement import sets_for
from bot.sandbox.github.pull_request import PullRequest, Review
from bot.sandbox.github.records import CheckRun, Repository, Status, number_of
from bot.sandbox.github.required_checks import newest_statuses
from bot.sandbox.github.rules import reviews_missing


def _unresolved(node: str) -> Wrong:
    return Wrong("NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'")


def repository_of(call: Call, node: str) -> Repository:
    kind, name = shapes.named(node)
    for found in call.books.repositories.values():
        if kind == "Repository" and str(found.id) == name and seen(call, found):
            return found
    raise _unresolved(node)


def pull_of(call: Call, node: str) -> tuple[Repository, PullRequest]:
    kind, name = shapes.named(node)
    for repository in call.books.repositories.values():
        for pull in repository.records.pulls:
            if kind == "PullRequest" and str(pull.id) == name and seen(call, repository):
                return repository, pull
    raise _unresolved(node)


# Roots --------------------------------------------------------------------------------------------------------------


async def repository(call: Call, info: Any, *, owner: str, name: str, **_: object) -> Json:
    found = seen(call, call.books.repository(f"{owner}/{name}"))
    if found is None:
        raise Wrong("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    return _repository(call, found)


async def node(call: Call, info: Any, *, id: str) -> Json | None:
    kind, _name = shapes.named(id)
    if kind == "Repository":
        return _repository(call, repository_of(call, id))
    if kind == "PullRequest":
        within, pull = pull_of(call, id)
        await pull_life.refresh(call.books, within, pull)
        return pull_request(call, within, pull)
    for found in call.books.repositories.values():
        for made in found.records.protections.values():
            if seen(call, found) and shapes.node_id("BranchProtectionRule", made.id) == id:
                return rule(call, found, made)
    raise _unresolved(id)


async def nodes(call: Call, info: Any, *, ids: list[str]) -> list[Json | None]:
    return [await node(call, info, id=id) for id in ids]


async def viewer(call: Call, info: Any) -> Json:
    return actor(call, call.login) | {"__typename": "User"}


async def rate_limit(call: Call, info: Any, **_: object) -> Json:
    token, limit = call.token, call.books.limit
    spent = token.spent if token else 0
    reset = token.resets_at if token and token.resets_at else call.books.now()
    return {"cost": 1, "limit": limit, "remaining": max(0, limit - spent), "used": spent, "resetAt": _at(reset)}


ROOTS: Json = {"repository": repository, "node": node, "nodes": nodes, "viewer": viewer, "rateLimit": rate_limit}


# Objects ------------------------------------------------------------------------------------------------------------


def _at(at: datetime | None) -> str | None:
    return shapes.maybe(at)


def _paged(name: str, items: Iterable[Any]) -> Callable[..., Json]:
    """A connection of these, each worded already."""
    known = list(items)
    return lambda info, **page: listed(known, name, **page)


def actor(call: Call, login: str) -> Json:
    return {
        "__typename": "Bot" if login.endswith("[bot]") else "User",
        "id": shapes.node_id("User", login),
        "databaseId": number_of(login),
        "login": login.removesuffix("[bot]"),
        "url": f"{call.books.url}/{login}",
    }


def _repository(call: Call, found: Repository) -> Json:
    async def one_ref(info: Any, *, qualifiedName: str) -> Json | None:
        for name in (
            qualifiedName,
            f"refs/{qualifiedName}",
            f"refs/heads/{qualifiedName}",
            f"refs/tags/{qualifiedName}",
        ):
            if name.startswith("refs/") and await found.ref(name) is not None:
                return _ref(call, found, name)
        return None

    async def refs(info: Any, *, refPrefix: str, query: str = "", **page: Any) -> Json:
        names = [name for name in await found.refs(refPrefix) if query in name]
        return listed([_ref(call, found, name) for name in names], "refs", **page)

    async def one_pull(info: Any, *, number: int) -> Json:
        if not 0 < number <= len(found.records.pulls):
            said = f"Could not resolve to a PullRequest with the number of {number}."
            raise Wrong("NOT_FOUND", said)
        pull = found.records.pulls[number - 1]
        await pull_life.refresh(call.books, found, pull)
        return pull_request(call, found, pull)

    async def pulls(
        info: Any,
        *,
        states: list[str] | None = None,
        baseRefName: str | None = None,
        headRefName: str | None = None,
        **page: Any,
    ) -> Json:
        for pull in found.records.pulls:
            await pull_life.refresh(call.books, found, pull)
        chosen = [
            pull_request(call, found, pull)
            for pull in found.records.pulls
            if (states is None or _state(pull) in states)
            and baseRefName in {None, pull.base}
            and headRefName in {None, pull.head}
        ]
        return listed(chosen, "pullRequests", **page)

    async def thing(info: Any, *, oid: str | None = None, expression: str | None = None) -> Json | None:
        name, _, path = (oid or expression or "").partition(":")
        sha = name if oid and await found.git.kind(name) else await found.git.commit_of(name)
        entry = await found.git.entry(sha, path) if sha and path else None
        return await _object(call, found, entry[1] if path and entry else None if path else sha)

    return {
        "__typename": "Repository",
        "id": shapes.node_id("Repository", found.id),
        "databaseId": found.id,
        "name": found.name,
        "nameWithOwner": found.full_name,
        "url": shapes.web_url(call.books, found),
        "isPrivate": True,
        "isArchived": False,
        "mergeCommitAllowed": "merge" in found.merge_methods,
        "squashMergeAllowed": "squash" in found.merge_methods,
        "rebaseMergeAllowed": "rebase" in found.merge_methods,
        "defaultBranchRef": lambda info: one_ref(info, qualifiedName=f"refs/heads/{found.default_branch}"),
        "ref": one_ref,
        "refs": refs,
        "object": thing,
        "pullRequest": one_pull,
        "pullRequests": pulls,
        "branchProtectionRules": _paged("branchProtectionRules", rules_of(call, found)),
    }


def _ref(call: Call, found: Repository, name: str) -> Json:
    return ref_of(call, found, name) | {"target": lambda info: _target(call, found, name)}


async def _target(call: Call, found: Repository, name: str) -> Json | None:
    return await _object(call, found, await found.ref(name))


async def _object(call: Call, found: Repository, sha: str | None) -> Json | None:
    kind = await found.git.kind(sha) if sha else None
    if sha is None or kind is None:
        return None
    if kind == "commit":
        return await commit(call, found, sha)
    worded: Json = {"__typename": kind.capitalize(), "id": shapes.node_id(kind.capitalize(), sha), "oid": sha}
    if kind == "tag":
        made = await found.git.tag(sha)
        worded |= {"name": made.name, "message": made.message, "target": lambda info: _object(call, found, made.target)}
    if kind == "blob":
        content = await found.git.blob(sha)
        binary = b"\0" in content
        text = None if binary else content.decode(errors="replace")
        worded |= {"byteSize": len(content), "isBinary": binary, "text": text}
    return worded


async def commit(call: Call, found: Repository, sha: str) -> Json:
    (made,) = await found.git.commits(sha)

    async def parents(info: Any, **page: Any) -> Json:
        return listed([await commit(call, found, parent) for parent in made.parents], "parents", **page)

    async def lines(*, added: bool) -> int:
        if not made.parents:
            return 0
        changed = await found.git.changed_files(made.parents[0], sha)
        return sum(file.plus if added else file.minus for file in changed)

    return {
        "__typename": "Commit",
        "id": shapes.node_id("Commit", sha),
        "oid": sha,
        "message": made.message,
        "messageHeadline": made.message.partition("\n")[0],
        "authoredDate": _at(made.author.at),
        "committedDate": _at(made.committer.at),
        "author": _signed(call, made, author=True),
        "committer": _signed(call, made, author=False),
        "url": f"{shapes.web_url(call.books, found)}/commit/{sha}",
        "tree": {"__typename": "Tree", "id": shapes.node_id("Tree", made.tree), "oid": made.tree},
        "parents": parents,
        "additions": lambda info: lines(added=True),
        "deletions": lambda info: lines(added=False),
        "statusCheckRollup": lambda info: _rollup(call, found, sha),
    }


def _signed(call: Call, made: Commit, *, author: bool) -> Json:
    signature = made.author if author else made.committer
    login = shapes.login_of(signature)
    user = actor(call, login) | {"__typename": "User"} if login else None
    return {"name": signature.name, "email": signature.email, "date": _at(signature.at), "user": user}


# Checks -------------------------------------------------------------------------------------------------------------


def _rollup(call: Call, found: Repository, sha: str) -> Json | None:
    """Everything said of that commit: the newest run of each name in each suite, the newest status of each context."""
    runs = list({(run.suite, run.name): run for run in found.records.check_runs if run.sha == sha}.values())
    statuses = newest_statuses(found.records.statuses, sha)
    if not runs and not statuses:
        return None
    contexts = [_run(call, found, run) for run in runs] + [_context(call, found, status) for status in statuses]

    def page(info: Any, **asked: Any) -> Json:
        counts = {"checkRunCount": len(runs), "statusContextCount": len(statuses)}
        return listed(contexts, "contexts", **asked) | counts

    return {
        "__typename": "StatusCheckRollup",
        "id": shapes.node_id("StatusCheckRollup", sha),
        "state": _together(runs, statuses),
        "commit": lambda info: commit(call, found, sha),
        "contexts": page,
    }


def _together(runs: list[CheckRun], statuses: list[Status]) -> str:
    states = {"pending" if run.status != "completed" else run.conclusion for run in runs}
    states |= {status.state for status in statuses}
    if states <= {"success", "neutral", "skipped"}:
        return "SUCCESS"
    return "PENDING" if states <= {"success", "neutral", "skipped", "pending"} else "FAILURE"


def _required(call: Call, found: Repository, context: str, app: int) -> Callable[..., bool]:
    """Whether a rule of the pull request's base wants that check, by that app."""

    def answer(info: Any, *, pullRequestId: str | None = None, pullRequestNumber: int | None = None) -> bool:
        if pullRequestId is not None:
            _, pull = pull_of(call, pullRequestId)
        elif pullRequestNumber is not None and 0 < pullRequestNumber <= len(found.records.pulls):
            pull = found.records.pulls[pullRequestNumber - 1]
        else:
            raise Wrong("UNPROCESSABLE", "pullRequestId or pullRequestNumber is required")
        return any(
            check["context"] == context and check.get("integration_id") in {None, -1, app}
            for by in sets_for(found, f"refs/heads/{pull.base}")
            if not by.tried_out
            for one in by.rules
            if one["type"] == "required_status_checks"
            for check in one["parameters"]["required_status_checks"]
        )

    return answer


def _run(call: Call, found: Repository, run: CheckRun) -> Json:
    app = call.books.app_id(run.app)
    return {
        "__typename": "CheckRun",
        "id": shapes.node_id("CheckRun", run.id),
        "databaseId": run.id,
        "name": run.name,
        "status": run.status.upper(),
        "conclusion": run.conclusion.upper() if run.conclusion else None,
        "startedAt": _at(run.started_at),
        "completedAt": _at(run.completed_at),
        "detailsUrl": run.details_url or None,
        "isRequired": _required(call, found, run.name, app),
        "checkSuite": {
            "id": shapes.node_id("CheckSuite", run.suite),
            "databaseId": run.suite,
            "app": {
                "id": shapes.node_id("App", run.app),
                "databaseId": app,
                "name": run.app,
                "slug": shapes.slug(run.app),
            },
        },
    }


def _context(call: Call, found: Repository, status: Status) -> Json:
    return {
        "__typename": "StatusContext",
        "id": shapes.node_id("StatusContext", status.id),
        "context": status.context,
        "state": status.state.upper(),
        "description": status.description,
        "targetUrl": status.target_url,
        "createdAt": _at(status.at),
        "creator": actor(call, status.creator),
        "isRequired": _required(call, found, status.context, status.app),
    }


# Pull requests ------------------------------------------------------------------------------------------------------


def _state(pull: PullRequest) -> str:
    return "MERGED" if pull.merged else pull.state.upper()


def pull_request(call: Call, found: Repository, pull: PullRequest) -> Json:
    thought: list[asyncio.Task[bool | None]] = []

    async def could() -> bool | None:
        """The same for every field of one answer, which counts as one read."""
        if not thought:
            thought.append(asyncio.create_task(pull_life.seen_mergeable(call.books, found, pull)))
        return await thought[0]

    async def mergeable(info: Any) -> str:
        return {None: "UNKNOWN", True: "MERGEABLE", False: "CONFLICTING"}[await could()]

    async def merge_state(info: Any) -> str:
        return (await pull_life.merge_state(call.books, found, pull, await could())).upper()

    async def commits(info: Any, **page: Any) -> Json:
        between = await found.git.between(pull.base_sha, pull.head_sha)
        shas = between.commits if between else ()
        shown = [
            {"id": shapes.node_id("PullRequestCommit", f"{pull.id}:{sha}"), "commit": _later(call, found, sha)}
            for sha in shas
        ]
        return listed(shown, "commits", **page)

    reviews = [_review(call, found, review) for review in pull.reviews if review.state != "PENDING"]
    merge = None if pull.merge_sha is None else _later(call, found, pull.merge_sha)
    return {
        "__typename": "PullRequest",
        "id": shapes.node_id("PullRequest", pull.id),
        "databaseId": pull.id,
        "number": pull.number,
        "title": pull.title,
        "body": pull.body or "",
        "state": _state(pull),
        "closed": pull.state == "closed",
        "merged": pull.merged,
        "isDraft": pull.draft,
        "url": f"{shapes.web_url(call.books, found)}/pull/{pull.number}",
        "author": actor(call, pull.author),
        "mergedBy": actor(call, pull.merged_by) if pull.merged_by else None,
        "createdAt": _at(pull.created_at),
        "updatedAt": _at(pull.updated_at),
        "mergedAt": _at(pull.merged_at),
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base,
        "baseRefOid": pull.base_sha,
        "mergeCommit": merge if pull.merged else None,
        "potentialMergeCommit": None if pull.merged else merge,
        "mergeable": mergeable,
        "mergeStateStatus": merge_state,
        "isMergeQueueEnabled": _queued(found, pull.base),
        "isInMergeQueue": False,
        "reviewDecision": lambda info: _decision(call, found, pull),
        "reviews": _paged("reviews", reviews),
        "latestOpinionatedReviews": _opinions(call, found, pull),
        "reviewRequests": _paged("reviewRequests", _asked(call, found, pull)),
        "labels": _paged("labels", ({"id": shapes.node_id("Label", name), "name": name} for name in pull.labels)),
        "commits": commits,
        "statusCheckRollup": lambda info: _rollup(call, found, pull.head_sha),
    }


def _later(call: Call, found: Repository, sha: str) -> Callable[..., Any]:
    return lambda info: commit(call, found, sha)


def _queued(found: Repository, branch: str) -> bool:
    sets = sets_for(found, f"refs/heads/{branch}")
    return any(one["type"] == "merge_queue" for by in sets if not by.tried_out for one in by.rules)


async def _decision(call: Call, found: Repository, pull: PullRequest) -> str | None:
    """None: no rule wants a review, which is not the same as approved."""
    asked = [
        one.get("parameters") or {}
        for by in sets_for(found, f"refs/heads/{pull.base}")
        if not by.tried_out
        for one in by.rules
        if one["type"] == "pull_request"
    ]
    wanted = [
        one for one in asked if one.get("required_approving_review_count") or one.get("require_code_owner_review")
    ]
    said = {review.state for login, review in pull.decisive().items() if call.books.can_write(found, login)}
    if "CHANGES_REQUESTED" in said:
        return "CHANGES_REQUESTED"
    if not wanted:
        return None
    lacks = [lack for one in wanted for lack in await reviews_missing(call.books, found, pull, one)]
    return "REVIEW_REQUIRED" if lacks else "APPROVED"


def _review(call: Call, found: Repository, review: Review) -> Json:
    teams = [
        {
            "__typename": "Team",
            "id": shapes.node_id("Team", team.id),
            "databaseId": team.id,
            "name": team.slug,
            "slug": team.slug,
            "combinedSlug": f"{team.organisation}/{team.slug}",
        }
        for team in call.books.teams_of(found.owner, review.login)
    ]
    return {
        "id": shapes.node_id("PullRequestReview", review.id),
        "databaseId": review.id,
        "author": actor(call, review.login),
        "body": review.body,
        "state": review.state,
        "submittedAt": _at(review.at),
        "commit": _later(call, found, review.commit),
        "onBehalfOf": _paged("onBehalfOf", teams),
    }


def _opinions(call: Call, found: Repository, pull: PullRequest) -> Callable[..., Json]:
    def answer(info: Any, *, writersOnly: bool = False, **page: Any) -> Json:
        chosen = [
            _review(call, found, review)
            for login, review in pull.decisive().items()
            if not writersOnly or call.books.can_write(found, login)
        ]
        return listed(chosen, "latestOpinionatedReviews", **page)

    return answer


def _asked(call: Call, found: Repository, pull: PullRequest) -> Iterable[Json]:
    for name in [*pull.asked, *pull.asked_teams]:
        team = call.books.teams.get((found.owner, name)) if name in pull.asked_teams else None
        who: Json = actor(call, name) | {"__typename": "User"}
        if team is not None:
            combined = f"{team.organisation}/{team.slug}"
            who = {"__typename": "Team", "id": shapes.node_id("Team", team.id), "name": name, "slug": name}
            who |= {"combinedSlug": combined, "databaseId": team.id}
        yield {
            "id": shapes.node_id("ReviewRequest", f"{pull.id}:{name}"),
            "asCodeOwner": name in pull.asked_as_owners,
            "requestedReviewer": who,
        }
