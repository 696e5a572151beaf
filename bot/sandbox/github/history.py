"""Repositories, commits, branches and comparisons, answered from git itself."""

from __future__ import annotations

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.judgement import protection_of, sets_for
from bot.sandbox.github.records import Repository

COMPARED_MAX = 250  # commits without paging, https://docs.github.com/rest/commits/commits#compare-two-commits
FILES_MAX = 300  # same page


async def repository(call: Call) -> Answer:
    return Answer(200, shapes.full_repository(call.books, call.repository))


async def get_commit(call: Call) -> Answer:
    books, repository, git = call.books, call.repository, call.repository.git
    (made,) = await git.commits(await call.commit(call.words["ref"]))
    body = shapes.commit(books, repository, made)
    if made.parents:
        changed = await git.changed_files(made.parents[0], made.sha)
        plus, minus = sum(file.plus for file in changed), sum(file.minus for file in changed)
        body["stats"] = {"additions": plus, "deletions": minus, "total": plus + minus}
        body["files"] = [shapes.file(books, repository, made.sha, file) for file in changed[:FILES_MAX]]
    return Answer(200, body)


async def list_commits(call: Call) -> Answer:
    git = call.repository.git
    start = await git.commit_of(call.query.get("sha") or call.repository.default_branch)
    if start is None:
        raise not_found()
    narrow = [f"--{name}={call.query[name]}" for name in ("since", "until", "author") if name in call.query]
    if "path" in call.query:
        narrow += ["--", call.query["path"]]
    answer = call.page(await git.history(start, *narrow))
    answer.body = [shapes.commit(call.books, call.repository, made) for made in await git.commits(*answer.body)]
    return answer


async def compare(call: Call) -> Answer:
    books, repository, git = call.books, call.repository, call.repository.git
    names = call.words["basehead"].split("...", 1)
    if len(names) != 2:
        raise not_found()
    base, head = [await git.commit_of(name) for name in names]
    between = await git.between(base, head) if base and head else None
    if base is None or head is None or between is None:
        raise not_found()
    url, web = shapes.repository_url(books, repository), shapes.web_url(books, repository)
    headers = {}
    if "page" in call.query or "per_page" in call.query:
        paged = call.page(between.commits)
        shown, headers = paged.body, paged.headers
    else:
        shown = between.commits[-COMPARED_MAX:]
    base_commit, merge_base, *commits = await git.commits(base, between.merge_base, *shown)
    files = await git.changed_files(between.merge_base, head) if call.query.get("page", "1") == "1" else []
    basehead, permalink = f"{names[0]}...{names[1]}", f"{base[:12]}...{head[:12]}"
    return Answer(
        200,
        {
            "url": f"{url}/compare/{basehead}",
            "html_url": f"{web}/compare/{basehead}",
            "permalink_url": f"{web}/compare/{permalink}",
            "diff_url": f"{web}/compare/{basehead}.diff",
            "patch_url": f"{web}/compare/{basehead}.patch",
            "base_commit": shapes.commit(books, repository, base_commit),
            "merge_base_commit": shapes.commit(books, repository, merge_base),
            "status": between.status,
            "ahead_by": between.ahead,
            "behind_by": between.behind,
            "total_commits": between.ahead,
            "commits": [shapes.commit(books, repository, made) for made in commits],
            "files": [shapes.file(books, repository, head, file) for file in files[:FILES_MAX]],
        },
        headers,
    )


def _protected(repository: Repository, ref: str) -> bool:
    return any(not by.tried_out for by in sets_for(repository, ref))


async def list_branches(call: Call) -> Answer:
    url = shapes.repository_url(call.books, call.repository)
    heads = await call.repository.refs("refs/heads/")
    return call.page(
        [
            {
                "name": name.removeprefix("refs/heads/"),
                "commit": {"sha": sha, "url": f"{url}/commits/{sha}"},
                "protected": _protected(call.repository, name),
            }
            for name, sha in heads.items()
        ]
    )


async def get_branch(call: Call) -> Answer:
    name = call.words["branch"]
    sha = await call.repository.ref(f"refs/heads/{name}")
    if sha is None:
        raise Refused(404, "Branch not found")
    (made,) = await call.repository.git.commits(sha)
    url = f"{shapes.repository_url(call.books, call.repository)}/branches/{name}"
    made_so = protection_of(call.repository, name)
    required = ((made_so.said.get("required_status_checks") or {}) if made_so else {}).get("checks", [])
    return Answer(
        200,
        {
            "name": name,
            "commit": shapes.commit(call.books, call.repository, made),
            "protected": _protected(call.repository, f"refs/heads/{name}"),
            "_links": {"self": url, "html": f"{shapes.web_url(call.books, call.repository)}/tree/{name}"},
            "protection": {
                "enabled": made_so is not None,
                "required_status_checks": {
                    "enforcement_level": "non_admins" if required else "off",
                    "contexts": [one["context"] for one in required],
                    "checks": required,
                },
            },
            "protection_url": f"{url}/protection",
        },
    )


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO, repository),
    Route("GET", _REPO + "/compare/{basehead+}", compare, "contents"),
    Route("GET", _REPO + "/branches", list_branches, "contents"),
    Route("GET", _REPO + "/branches/{branch+}", get_branch, "contents"),
    Route("GET", _REPO + "/commits", list_commits, "contents"),
    # Last: a ref may hold slashes, so everything else under /commits/ is looked at first.
    Route("GET", _REPO + "/commits/{ref+}", get_commit, "contents"),
)
