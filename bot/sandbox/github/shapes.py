"""How does GitHub word each of its things in JSON? Every field that the published description requires.

Shapes: https://docs.github.com/rest, API version 2022-11-28.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import urllib.parse
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.sandbox.github.git import Change, Commit, Signature
from bot.sandbox.github.records import (
    App,
    Asset,
    Books,
    CheckRun,
    Deployment,
    DeploymentStatus,
    Release,
    Repository,
    Status,
    number_of,
)
from bot.sandbox.github.signing import Verification, of_commit

Json = dict[str, Any]


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe(at: datetime | None) -> str | None:
    return moment(at) if at else None


def node_id(kind: str, name: object) -> str:
    return base64.b64encode(f"{kind}:{name}".encode()).decode()


def named(node: str) -> tuple[str, str]:
    """Kind and name of what a node id stands for; both empty where it stands for nothing."""
    try:
        kind, _, name = base64.b64decode(node).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return kind, name


def user(books: Books, login: str) -> Json:
    quoted = urllib.parse.quote(login)
    url = f"{books.url}/users/{quoted}"
    lists = ("followers", "subscriptions", "organizations", "repos", "received_events")
    return {
        "login": login,
        "id": number_of(login),
        "node_id": node_id("User", login),
        "gravatar_id": "",
        "avatar_url": f"{books.url}/avatars/{quoted}",
        "url": url,
        "html_url": f"{books.url}/{quoted}",
        **{f"{name}_url": f"{url}/{name}" for name in lists},
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "events_url": f"{url}/events{{/privacy}}",
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def repository_url(books: Books, repository: Repository) -> str:
    return f"{books.url}/repos/{repository.full_name}"


def web_url(books: Books, repository: Repository) -> str:
    return f"{books.url}/{repository.full_name}"


def minimal_repository(books: Books, repository: Repository) -> Json:
    url = repository_url(books, repository)
    plain = (
        "contributors",
        "deployments",
        "downloads",
        "events",
        "forks",
        "hooks",
        "languages",
        "merges",
        "stargazers",
        "subscribers",
        "subscription",
        "tags",
        "teams",
    )
    with_part = {
        "archive": "/{archive_format}{/ref}",
        "assignees": "/assignees{/user}",
        "blobs": "/git/blobs{/sha}",
        "branches": "/branches{/branch}",
        "collaborators": "/collaborators{/collaborator}",
        "comments": "/comments{/number}",
        "commits": "/commits{/sha}",
        "compare": "/compare/{base}...{head}",
        "contents": "/contents/{+path}",
        "git_commits": "/git/commits{/sha}",
        "git_refs": "/git/refs{/sha}",
        "git_tags": "/git/tags{/sha}",
        "issue_comment": "/issues/comments{/number}",
        "issue_events": "/issues/events{/number}",
        "issues": "/issues{/number}",
        "keys": "/keys{/key_id}",
        "labels": "/labels{/name}",
        "milestones": "/milestones{/number}",
        "notifications": "/notifications{?since,all,participating}",
        "pulls": "/pulls{/number}",
        "releases": "/releases{/id}",
        "statuses": "/statuses/{sha}",
        "trees": "/git/trees{/sha}",
    }
    return {
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": True,
        "owner": user(books, repository.owner),
        "html_url": web_url(books, repository),
        "description": None,
        "fork": repository.parent is not None,
        "url": url,
        **{f"{name}_url": f"{url}/{name}" for name in plain},
        **{f"{name}_url": f"{url}{rest}" for name, rest in with_part.items()},
    }


def full_repository(books: Books, repository: Repository) -> Json:
    web = web_url(books, repository)
    created = moment(repository.created_at)
    return minimal_repository(books, repository) | {
        "default_branch": repository.default_branch,
        "archived": False,
        "disabled": False,
        "visibility": "private",
        "clone_url": f"{web}.git",
        "git_url": f"{web}.git",
        "ssh_url": f"{web}.git",
        "svn_url": web,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "size": 0,
        "forks": 0,
        "forks_count": 0,
        "network_count": 0,
        "open_issues": 0,
        "open_issues_count": 0,
        "stargazers_count": 0,
        "subscribers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "has_discussions": False,
        "has_downloads": False,
        "has_issues": True,
        "has_pages": False,
        "has_projects": False,
        "has_wiki": False,
        "created_at": created,
        "updated_at": created,
        "pushed_at": created,
        "allow_merge_commit": "merge" in repository.merge_methods,
        "allow_squash_merge": "squash" in repository.merge_methods,
        "allow_rebase_merge": "rebase" in repository.merge_methods,
    }


def git_ref(books: Books, repository: Repository, name: str, sha: str, kind: str) -> Json:
    url = repository_url(books, repository)
    return {
        "ref": name,
        "node_id": node_id("Ref", name),
        "url": f"{url}/git/{name}",
        "object": {"sha": sha, "type": kind, "url": f"{url}/git/{kind}s/{sha}"},
    }


def signature(made: Signature) -> Json:
    return {"name": made.name, "email": made.email, "date": moment(made.at)}


def verification(found: Verification, at: datetime) -> Json:
    return {
        "verified": found.verified,
        "reason": found.reason,
        "signature": found.signature,
        "payload": found.payload,
        "verified_at": moment(at) if found.verified else None,
    }


def login_of(signature: Signature) -> str | None:
    """The account behind a commit's e-mail address, where it is one that the local GitHub gave out."""
    name, _, domain = signature.email.partition("@")
    return name if domain == "users.noreply.github.example" else None


def _account(books: Books, signature: Signature) -> Json | None:
    login = login_of(signature)
    return user(books, login) if login else None


def commit(books: Books, repository: Repository, made: Commit) -> Json:
    url, web = repository_url(books, repository), web_url(books, repository)
    return {
        "sha": made.sha,
        "node_id": node_id("Commit", made.sha),
        "url": f"{url}/commits/{made.sha}",
        "html_url": f"{web}/commit/{made.sha}",
        "comments_url": f"{url}/commits/{made.sha}/comments",
        "commit": {
            "author": signature(made.author),
            "committer": signature(made.committer),
            "message": made.message,
            "tree": {"sha": made.tree, "url": f"{url}/git/trees/{made.tree}"},
            "url": f"{url}/git/commits/{made.sha}",
            "comment_count": 0,
            "verification": verification(of_commit(books, made), made.committer.at),
        },
        "author": _account(books, made.author),
        "committer": _account(books, made.committer),
        "parents": [
            {"sha": sha, "url": f"{url}/commits/{sha}", "html_url": f"{web}/commit/{sha}"} for sha in made.parents
        ],
    }


def git_commit(books: Books, repository: Repository, made: Commit) -> Json:
    url, web = repository_url(books, repository), web_url(books, repository)
    return {
        "sha": made.sha,
        "node_id": node_id("Commit", made.sha),
        "url": f"{url}/git/commits/{made.sha}",
        "html_url": f"{web}/commit/{made.sha}",
        "author": signature(made.author),
        "committer": signature(made.committer),
        "message": made.message,
        "tree": {"sha": made.tree, "url": f"{url}/git/trees/{made.tree}"},
        "parents": [
            {"sha": sha, "url": f"{url}/git/commits/{sha}", "html_url": f"{web}/commit/{sha}"} for sha in made.parents
        ],
        "verification": verification(of_commit(books, made), made.committer.at),
    }


def file(books: Books, repository: Repository, sha: str, changed: Change) -> Json:
    quoted = urllib.parse.quote(changed.path)
    web = web_url(books, repository)
    return {
        "sha": changed.blob,
        "filename": changed.path,
        "status": changed.status,
        "additions": changed.plus,
        "deletions": changed.minus,
        "changes": changed.plus + changed.minus,
        "blob_url": f"{web}/blob/{sha}/{quoted}",
        "raw_url": f"{web}/raw/{sha}/{quoted}",
        "contents_url": f"{repository_url(books, repository)}/contents/{quoted}?ref={sha}",
        **({"previous_filename": changed.before} if changed.before else {}),
    }


def slug(name: str) -> str:
    """An app's name as it stands in addresses and logins."""
    return name.lower().replace(" ", "-")


def app(books: Books, registered: App | None, name: str) -> Json:
    at = moment(registered.created_at if registered else books.now())
    at_home = f"{books.url}/apps/{slug(name)}"
    return {
        "id": books.app_id(name),
        "slug": slug(name),
        "node_id": node_id("App", name),
        "owner": user(books, "acme"),
        "name": name,
        "description": "",
        "external_url": at_home,
        "html_url": at_home,
        "created_at": at,
        "updated_at": at,
        "permissions": dict(registered.permissions) if registered else {"checks": "write", "metadata": "read"},
        "events": [],
    }


def check_run(books: Books, repository: Repository, run: CheckRun) -> Json:
    url = f"{repository_url(books, repository)}/check-runs/{run.id}"
    web = f"{web_url(books, repository)}/runs/{run.id}"
    return {
        "id": run.id,
        "node_id": node_id("CheckRun", run.id),
        "name": run.name,
        "head_sha": run.sha,
        "url": url,
        "html_url": web,
        "details_url": run.details_url or web,
        "external_id": run.external_id,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": maybe(run.started_at),
        "completed_at": maybe(run.completed_at),
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": None,
            "annotations_count": 0,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": run.suite},
        "app": app(books, books.app_named(run.app), run.app),
        "pull_requests": [],
    }


def check_suite(books: Books, repository: Repository, made: Commit, runs: Sequence[CheckRun]) -> Json:
    """Of these runs, which share a suite."""
    first = runs[0]
    url = f"{repository_url(books, repository)}/check-suites/{first.suite}"
    done = all(run.status == "completed" for run in runs)
    worst = ("failure", "timed_out", "cancelled", "action_required", "startup_failure", "stale", "success")
    ends = {run.conclusion for run in runs}
    at = maybe(max((run.started_at for run in runs if run.started_at), default=books.now()))
    return {
        "id": first.suite,
        "node_id": node_id("CheckSuite", first.suite),
        "head_branch": None,
        "head_sha": made.sha,
        "status": "completed" if done else "in_progress",
        "conclusion": next((end for end in worst if end in ends), "neutral") if done else None,
        "url": url,
        "before": None,
        "after": made.sha,
        "pull_requests": [],
        "app": app(books, books.app_named(first.app), first.app),
        "repository": minimal_repository(books, repository),
        "created_at": at,
        "updated_at": at,
        "head_commit": {
            "id": made.sha,
            "tree_id": made.tree,
            "message": made.message,
            "timestamp": made.author.at.isoformat(),
            "author": {"name": made.author.name, "email": made.author.email},
            "committer": {"name": made.committer.name, "email": made.committer.email},
        },
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
    }


def simple_status(books: Books, repository: Repository, status: Status) -> Json:
    return {
        "id": status.id,
        "node_id": node_id("StatusContext", status.id),
        "context": status.context,
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "avatar_url": f"{books.url}/avatars/{urllib.parse.quote(status.creator)}",
        "url": f"{repository_url(books, repository)}/statuses/{status.sha}",
        "created_at": moment(status.at),
        "updated_at": moment(status.at),
    }


def status(books: Books, repository: Repository, made: Status) -> Json:
    return simple_status(books, repository, made) | {"creator": user(books, made.creator)}


def deployment(books: Books, repository: Repository, made: Deployment) -> Json:
    url = repository_url(books, repository)
    return {
        "id": made.id,
        "node_id": node_id("Deployment", made.id),
        "url": f"{url}/deployments/{made.id}",
        "statuses_url": f"{url}/deployments/{made.id}/statuses",
        "repository_url": url,
        "sha": made.sha,
        "ref": made.ref,
        "task": made.task,
        "payload": made.payload,
        "environment": made.environment,
        "original_environment": made.environment,
        "description": made.description,
        "creator": user(books, made.creator),
        "created_at": moment(made.created_at),
        "updated_at": moment(made.updated_at),
        "transient_environment": made.transient,
        "production_environment": made.production,
    }


def deployment_status(books: Books, repository: Repository, made: Deployment, status: DeploymentStatus) -> Json:
    url = repository_url(books, repository)
    links = {"log_url": status.log_url, "environment_url": status.environment_url}
    return {
        "id": status.id,
        "node_id": node_id("DeploymentStatus", status.id),
        "state": status.state,
        "url": f"{url}/deployments/{made.id}/statuses/{status.id}",
        "deployment_url": f"{url}/deployments/{made.id}",
        "repository_url": url,
        "creator": user(books, status.creator),
        "description": status.description,
        "environment": status.environment,
        "target_url": status.log_url or f"{web_url(books, repository)}/deployments/{made.id}",
        **{name: value for name, value in links.items() if value},
        "created_at": moment(status.at),
        "updated_at": moment(status.at),
    }


def asset(books: Books, repository: Repository, of: Release, made: Asset) -> Json:
    return {
        "url": f"{repository_url(books, repository)}/releases/assets/{made.id}",
        "browser_download_url": f"{web_url(books, repository)}/releases/download/{of.tag}/{made.name}",
        "id": made.id,
        "node_id": node_id("ReleaseAsset", made.id),
        "name": made.name,
        "label": made.label,
        "state": "uploaded" if made.whole else "open",
        "content_type": made.content_type,
        "size": len(made.content),
        "digest": f"sha256:{hashlib.sha256(made.content).hexdigest()}" if made.whole else None,
        "download_count": 0,
        "created_at": moment(made.created_at),
        "updated_at": moment(made.created_at),
        "uploader": user(books, made.uploader),
    }


def release(books: Books, repository: Repository, made: Release) -> Json:
    url, web = f"{repository_url(books, repository)}/releases/{made.id}", web_url(books, repository)
    archive = f"{repository_url(books, repository)}/{{}}/{made.tag}"
    return {
        "id": made.id,
        "node_id": node_id("Release", made.id),
        "url": url,
        "html_url": f"{web}/releases/tag/{made.tag}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url.replace('/repos/', '/uploads/repos/', 1)}/assets{{?name,label}}",
        "assets": [asset(books, repository, made, one) for one in made.assets],
        "tarball_url": archive.format("tarball"),
        "zipball_url": archive.format("zipball"),
        "tag_name": made.tag,
        "target_commitish": made.target,
        "name": made.name,
        "body": made.body,
        "draft": made.draft,
        "prerelease": made.prerelease,
        "immutable": made.immutable,
        "author": user(books, made.author),
        "created_at": moment(made.created_at),
        "published_at": maybe(made.published_at),
    }
