"""Pull requests: https://docs.github.com/rest/pulls/pulls. What git cannot merge, the local GitHub does not merge."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.github import pull_life, pull_shapes, shapes, webhooks
from bot.sandbox.github.call import Answer, Call, Refused, Route, invalid, not_found
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.moves import demand_allowed, make, noticed, somebody_pushes
from bot.sandbox.github.pull_request import PullRequest
from bot.sandbox.github.records import Repository, as_text
from bot.sandbox.github.rules import Move, method_refused

COMMITS_MAX, FILES_MAX = 250, 3000  # https://docs.github.com/rest/pulls/pulls, "List commits", "List … files"


async def found(call: Call) -> PullRequest:
    """The pull request that the path names, as its branches stand now."""
    number = call.words["number"]
    pulls = call.repository.records.pulls
    if not number.isdecimal() or not 0 < int(number) <= len(pulls):
        raise not_found()
    pull = pulls[int(number) - 1]
    await pull_life.refresh(call.books, call.repository, pull)
    return pull


def demand_hand(call: Call, pull: PullRequest) -> None:
    """Who opened it and who may write may change it; whoever only reads may not."""
    person = call.token is not None and call.token.app is None
    if person and call.login != pull.author and not call.books.can_write(call.repository, call.login):
        raise Refused(403, "Resource not accessible by personal access token")


async def _shown(call: Call, pull: PullRequest, status: int = 200) -> Answer:
    books, repository = call.books, call.repository
    could = await pull_life.seen_mergeable(books, repository, pull)
    could = None if "mergeable_unknown" in call.faults else could
    state = await pull_life.merge_state(books, repository, pull, could)
    return Answer(status, await pull_shapes.full(books, repository, pull, could, state))


def _branch(call: Call, name: str) -> str:
    """A branch of this repository; forks are not played."""
    owner, _, branch = call.text(name).rpartition(":")
    if owner and owner.lower() != call.repository.owner.lower():
        raise invalid("PullRequest", name, "invalid")
    return branch


async def create(call: Call) -> Answer:
    repository, git = call.repository, call.repository.git
    head, base, title = _branch(call, "head"), _branch(call, "base"), call.text("title")
    head_sha, base_sha = await git.ref(f"refs/heads/{head}"), await git.ref(f"refs/heads/{base}")
    if head_sha is None or base_sha is None:
        raise invalid("PullRequest", "head" if head_sha is None else "base", "invalid")
    same = await git.contains(base_sha, head_sha)  # from here on nobody else's turn comes before it is open
    if any(one.state == "open" and (one.head, one.base) == (head, base) for one in repository.records.pulls):
        said = f"A pull request already exists for {repository.owner}:{head}."
        raise Refused(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": said}])
    if same:
        said = f"No commits between {base} and {head}"
        raise Refused(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": said}])
    wish = Wish(title, call.maybe("body"), head, base, call.flag("draft", default=False))
    pull = await opened(call, repository, wish, head_sha, base_sha)
    return await _shown(call, pull, 201)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pull request is opened with."""

    title: str
    body: str | None
    head: str
    base: str
    """Branch names."""
    draft: bool


async def opened(call: Call, repository: Repository, wish: Wish, head_sha: str, base_sha: str) -> PullRequest:
    """It is open, code owners are asked."""
    books, now = call.books, call.books.now()
    pull = PullRequest(
        books.new_id(),
        len(repository.records.pulls) + 1,
        wish.title,
        wish.body,
        wish.head,
        wish.base,
        call.login,
        wish.draft,
        now,
        now,
        head_sha,
        base_sha,
        call.login,
    )
    repository.records.pulls.append(pull)
    await pull_life.ask_owners(books, repository, pull)
    await webhooks.pull_request(books, repository, pull, "opened")
    return pull


async def get(call: Call) -> Answer:
    return await _shown(call, await found(call))


async def list_pulls(call: Call) -> Answer:
    books, repository, query = call.books, call.repository, call.query
    pulls = list(repository.records.pulls)
    for pull in pulls:
        await pull_life.refresh(books, repository, pull)
    state = query.get("state", "open")
    if state != "all":
        pulls = [pull for pull in pulls if pull.state == state]
    if "base" in query:
        pulls = [pull for pull in pulls if pull.base == query["base"]]
    if ":" in query.get("head", ""):  # without an owner GitHub does not filter
        owner, _, branch = query["head"].partition(":")
        pulls = [pull for pull in pulls if (owner.lower(), branch) == (repository.owner.lower(), pull.head)]
    if query.get("sort") == "updated":
        pulls.sort(key=lambda pull: pull.updated_at)
    if query.get("direction", "desc") == "desc":
        pulls.reverse()
    return call.page([pull_shapes.simple(books, repository, pull) for pull in pulls])


async def update(call: Call) -> Answer:
    pull, git = await found(call), call.repository.git
    demand_hand(call, pull)
    state = as_text(call.body, "state", pull.state)
    if state not in {"open", "closed"}:
        raise invalid("PullRequest", "state", "invalid")
    if pull.merged and state == "open":
        said = {"resource": "PullRequest", "code": "custom", "field": "state", "message": "state cannot be changed."}
        raise Refused(422, "Validation Failed", [said])
    base = as_text(call.body, "base", pull.base)
    base_sha = await git.ref(f"refs/heads/{base}")
    if base != pull.base and base_sha is None:
        raise invalid("PullRequest", "base", "invalid")
    edited = "edited" if state == pull.state else "closed" if state == "closed" else "reopened"
    pull.title, pull.body = (
        as_text(call.body, "title", pull.title),
        call.maybe("body") if "body" in call.body else pull.body,
    )
    pull.base, pull.base_sha = base, base_sha or pull.base_sha
    pull.state, pull.updated_at = state, call.books.now()
    pull.closed_at = (pull.closed_at or pull.updated_at) if state == "closed" else None
    await webhooks.pull_request(call.books, call.repository, pull, edited)
    return await _shown(call, pull)


async def list_commits(call: Call) -> Answer:
    pull, git = await found(call), call.repository.git
    between = await git.between(pull.base_sha, pull.head_sha)
    shas = between.commits[:COMMITS_MAX] if between else ()
    answer = call.page(shas)
    answer.body = [shapes.commit(call.books, call.repository, made) for made in await git.commits(*answer.body)]
    return answer


async def list_files(call: Call) -> Answer:
    pull, git = await found(call), call.repository.git
    between = await git.between(pull.base_sha, pull.head_sha)
    changed = await git.changed_files(between.merge_base, pull.head_sha) if between else []
    return call.page([shapes.file(call.books, call.repository, pull.head_sha, file) for file in changed[:FILES_MAX]])


async def is_merged(call: Call) -> Answer:
    if not (await found(call)).merged:
        raise not_found()
    return Answer(204)


# Merging ------------------------------------------------------------------------------------------------------------


async def merge(call: Call) -> Answer:
    """Everything is looked at again, the base last: whoever moves it meanwhile wins."""
    books, repository, git = call.books, call.repository, call.repository.git
    pull, method = await found(call), as_text(call.body, "merge_method", "merge")
    if method not in {"merge", "squash", "rebase"}:
        raise invalid("PullRequest", "merge_method", "invalid")
    wanted = call.body.get("sha")
    if wanted is not None and wanted != pull.head_sha:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    if pull.state != "open":
        raise Refused(405, "Pull Request is not mergeable")
    if pull.draft:
        raise Refused(405, "Pull Request is still a draft")
    if method not in repository.merge_methods:
        raise Refused(405, method_refused(method))
    made = await _merge_commit(call, pull, method)
    move = Move(f"refs/heads/{pull.base}", pull.base_sha, made, pull, method)
    actor = call.actor
    await demand_allowed(books, repository, actor, [move], status=405)
    if "base_moved" in call.faults:
        await somebody_pushes(books, repository, pull.base)
    if not await git.swap(move.ref, made, move.old):
        raise Refused(405, "Base branch was modified. Review and try the merge again.")
    repository.refs_before = {move.ref: move.old}
    await pull_life.merged(books, repository, pull, made, call.login)
    await noticed(books, repository, move, call.login)
    return Answer(200, {"sha": made, "merged": True, "message": "Pull Request successfully merged"})


async def _merge_commit(call: Call, pull: PullRequest, method: str) -> str:
    """What the base is to stand at, on no branch yet."""
    git, author = call.repository.git, pull_life.signature(call.books, call.login)
    title = as_text(call.body, "commit_title", _title(call, pull, method))
    message = as_text(call.body, "commit_message", (pull.title if method == "merge" else ""))
    text = f"{title}\n\n{message}".rstrip()
    if method == "merge":
        made = await git.merge(pull.base_sha, pull.head_sha, text, author, call.books.sign)
    elif method == "squash":
        made = await git.squash(pull.base_sha, pull.head_sha, text, author, call.books.sign)
    else:
        made = await git.rebase(pull.base_sha, pull.head_sha, author)
    if made is None:
        raise Refused(405, "Pull Request is not mergeable")
    return made


def _title(call: Call, pull: PullRequest, method: str) -> str:
    if method == "squash":
        return f"{pull.title} (#{pull.number})"
    return f"Merge pull request #{pull.number} from {call.repository.owner}/{pull.head}"


async def update_branch(call: Call) -> Answer:
    """The base is merged into the head: a new head, so that checks and approvals begin again."""
    books, repository = call.books, call.repository
    pull, expected = await found(call), call.body.get("expected_head_sha")
    if expected is not None and expected != pull.head_sha:
        raise Refused(422, "expected head sha didn't match current head ref.")
    if pull.state != "open":
        raise Refused(422, "Cannot update a closed pull request.")
    if await repository.git.contains(pull.head_sha, pull.base_sha):
        raise Refused(422, "There are no new commits on the base branch.")
    text = f"Merge branch '{pull.base}' into {pull.head}"
    author = pull_life.signature(books, call.login)
    made = await repository.git.merge(pull.head_sha, pull.base_sha, text, author, books.sign)
    if made is None:
        raise Refused(422, "merge conflict between base and head")
    move = Move(f"refs/heads/{pull.head}", pull.head_sha, made)
    if not await make(books, repository, call.actor, [move]):
        raise Refused(422, "expected head sha didn't match current head ref.")
    url = f"{shapes.repository_url(books, repository)}/pulls/{pull.number}"
    return Answer(202, {"message": "Updating pull request branch.", "url": url})


async def of_commit(call: Call) -> Answer:
    """Pull requests that brought that commit into the default branch, or that would."""
    git, books, repository = call.repository.git, call.books, call.repository
    sha = await call.commit(call.words["sha"])
    shown = []
    for pull in repository.records.pulls:
        await pull_life.refresh(books, repository, pull)
        between = await git.between(pull.base_sha, pull.head_sha)
        if sha == (pull.merge_sha if pull.merged else NOTHING) or (between and sha in between.commits):
            shown.append(pull_shapes.simple(books, repository, pull))
    return call.page(shown)


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO + "/pulls", list_pulls, "pull_requests"),
    Route("POST", _REPO + "/pulls", create, "pull_requests"),
    Route("GET", _REPO + "/pulls/{number}", get, "pull_requests"),
    Route("PATCH", _REPO + "/pulls/{number}", update, "pull_requests"),
    Route("GET", _REPO + "/pulls/{number}/commits", list_commits, "pull_requests"),
    Route("GET", _REPO + "/pulls/{number}/files", list_files, "pull_requests"),
    Route("GET", _REPO + "/pulls/{number}/merge", is_merged, "pull_requests"),
    Route("PUT", _REPO + "/pulls/{number}/merge", merge, "contents"),
    Route("PUT", _REPO + "/pulls/{number}/update-branch", update_branch, "pull_requests"),
    Route("GET", _REPO + "/commits/{sha}/pulls", of_commit, "pull_requests"),
)
