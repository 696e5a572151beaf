"""How does GitHub word pull requests, reviews and teams in JSON? https://docs.github.com/rest/pulls."""

from __future__ import annotations

from bot.sandbox.github import shapes
from bot.sandbox.github.pull_request import PullRequest, Review
from bot.sandbox.github.records import Books, Repository, Team, number_of
from bot.sandbox.github.shapes import Json, moment


def label(books: Books, repository: Repository, name: str) -> Json:
    return {
        "id": number_of(f"label {name}"),
        "node_id": shapes.node_id("Label", name),
        "url": f"{shapes.repository_url(books, repository)}/labels/{name.replace(' ', '%20')}",
        "name": name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


def team(books: Books, made: Team) -> Json:
    url = f"{books.url}/organizations/{number_of(made.organisation)}/team/{made.id}"
    return {
        "id": made.id,
        "node_id": shapes.node_id("Team", made.id),
        "url": url,
        "html_url": f"{books.url}/orgs/{made.organisation}/teams/{made.slug}",
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        "name": made.slug,
        "slug": made.slug,
        "description": None,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "push",
        "type": "organization",
        "parent": None,
    }


def asked_teams(books: Books, repository: Repository, pull: PullRequest) -> list[Json]:
    return [team(books, books.teams[repository.owner, slug]) for slug in pull.asked_teams]


def _side(books: Books, repository: Repository, branch: str, sha: str) -> Json:
    return {
        "label": f"{repository.owner}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": shapes.user(books, repository.owner),
        "repo": shapes.full_repository(books, repository),
    }


def association(books: Books, repository: Repository, login: str) -> str:
    return "COLLABORATOR" if books.can_write(repository, login) else "NONE"


def simple(books: Books, repository: Repository, pull: PullRequest) -> Json:
    """As in lists."""
    home, web = shapes.repository_url(books, repository), f"{shapes.web_url(books, repository)}/pull/{pull.number}"
    url, issue = f"{home}/pulls/{pull.number}", f"{home}/issues/{pull.number}"
    links = {
        "self": url,
        "html": web,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{home}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{home}/statuses/{pull.head_sha}",
    }
    return {
        "url": url,
        "id": pull.id,
        "node_id": shapes.node_id("PullRequest", pull.id),
        "html_url": web,
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "issue_url": issue,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": shapes.user(books, pull.author),
        "body": pull.body,
        "labels": [label(books, repository, name) for name in pull.labels],
        "milestone": None,
        "active_lock_reason": None,
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "closed_at": shapes.maybe(pull.closed_at),
        "merged_at": shapes.maybe(pull.merged_at),
        "merge_commit_sha": pull.merge_sha,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [shapes.user(books, login) for login in pull.asked],
        "requested_teams": asked_teams(books, repository, pull),
        "head": _side(books, repository, pull.head, pull.head_sha),
        "base": _side(books, repository, pull.base, pull.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": association(books, repository, pull.author),
        "auto_merge": None,
        "draft": pull.draft,
    }


async def full(
    books: Books,
    repository: Repository,
    pull: PullRequest,
    could: bool | None,  # noqa: FBT001 - GitHub's own three values
    state: str,
) -> Json:
    """As it is shown alone: with whether it can be merged and how large it is."""
    between = await repository.git.between(pull.base_sha, pull.head_sha)
    changed = await repository.git.changed_files(between.merge_base, pull.head_sha) if between else []
    return simple(books, repository, pull) | {
        "merged": pull.merged,
        "mergeable": could,
        "rebaseable": could,
        "mergeable_state": state,
        "merged_by": shapes.user(books, pull.merged_by) if pull.merged_by else None,
        "comments": len(pull.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": between.ahead if between else 0,
        "additions": sum(file.plus for file in changed),
        "deletions": sum(file.minus for file in changed),
        "changed_files": len(changed),
    }


def review(books: Books, repository: Repository, pull: PullRequest, made: Review) -> Json:
    url = f"{shapes.repository_url(books, repository)}/pulls/{pull.number}"
    web = f"{shapes.web_url(books, repository)}/pull/{pull.number}#pullrequestreview-{made.id}"
    return {
        "id": made.id,
        "node_id": shapes.node_id("PullRequestReview", made.id),
        "user": shapes.user(books, made.login),
        "body": made.body,
        "state": made.state,
        "html_url": web,
        "pull_request_url": url,
        "_links": {"html": {"href": web}, "pull_request": {"href": url}},
        **({"submitted_at": moment(made.at)} if made.at else {}),
        "commit_id": made.commit,
        "author_association": association(books, repository, made.login),
    }
