"""Remarks and labels of pull requests, which are issues too: https://docs.github.com/rest/issues."""

from __future__ import annotations

from typing import Any

from bot.sandbox.github import pull_shapes, shapes
from bot.sandbox.github.call import Answer, Call, Route, invalid, not_found
from bot.sandbox.github.pull_request import Comment, PullRequest
from bot.sandbox.github.pulls import demand_hand, found


def _comment(call: Call, pull: PullRequest, made: Comment) -> dict[str, Any]:
    home, web = shapes.repository_url(call.books, call.repository), shapes.web_url(call.books, call.repository)
    return {
        "id": made.id,
        "node_id": shapes.node_id("IssueComment", made.id),
        "url": f"{home}/issues/comments/{made.id}",
        "html_url": f"{web}/pull/{pull.number}#issuecomment-{made.id}",
        "issue_url": f"{home}/issues/{pull.number}",
        "body": made.body,
        "user": shapes.user(call.books, made.login),
        "created_at": shapes.moment(made.created_at),
        "updated_at": shapes.moment(made.updated_at),
        "author_association": pull_shapes.association(call.books, call.repository, made.login),
        "performed_via_github_app": None,
    }


_SAME = (
    *("title", "body", "user", "labels", "state", "locked", "assignee", "assignees", "milestone", "number"),
    *("created_at", "updated_at", "closed_at", "author_association", "draft", "active_lock_reason"),
)
"""What an issue says as its pull request does."""


async def get(call: Call) -> Answer:
    """The pull request as an issue."""
    pull = await found(call)
    shown = pull_shapes.simple(call.books, call.repository, pull)
    home, web = shapes.repository_url(call.books, call.repository), shown["html_url"]
    url = f"{home}/issues/{pull.number}"
    return Answer(
        200,
        {name: shown[name] for name in _SAME}
        | {
            "id": pull.id,
            "node_id": shown["node_id"],
            "url": url,
            "repository_url": home,
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": web,
            "comments": len(pull.comments),
            "pull_request": {
                "url": shown["url"],
                "html_url": web,
                "diff_url": shown["diff_url"],
                "patch_url": shown["patch_url"],
                "merged_at": shown["merged_at"],
            },
        },
    )


async def list_comments(call: Call) -> Answer:
    pull = await found(call)
    return call.page([_comment(call, pull, made) for made in pull.comments])


async def comment(call: Call) -> Answer:
    pull, now = await found(call), call.books.now()
    body = call.text("body")
    if not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    made = Comment(call.books.new_id(), call.login, body, now, now)
    pull.comments.append(made)
    return Answer(201, _comment(call, pull, made))


async def update_comment(call: Call) -> Answer:
    for pull in call.repository.records.pulls:
        for made in pull.comments:
            if str(made.id) == call.words["id"]:
                made.body, made.updated_at = call.text("body"), call.books.now()
                return Answer(200, _comment(call, pull, made))
    raise not_found()


async def add_labels(call: Call) -> Answer:
    pull = await found(call)
    demand_hand(call, pull)
    given = call.need("labels")
    names = [one.get("name") if isinstance(one, dict) else one for one in given if isinstance(given, list)]
    for name in names:
        if not isinstance(name, str):
            raise invalid("Label", "name", "invalid")
        if name not in pull.labels:
            pull.labels.append(name)
    return Answer(200, [pull_shapes.label(call.books, call.repository, name) for name in pull.labels])


_REPO = "/repos/{owner}/{repo}/issues"
ROUTES = (
    Route("PATCH", _REPO + "/comments/{id}", update_comment, "issues"),
    Route("GET", _REPO + "/{number}", get, "issues"),
    Route("GET", _REPO + "/{number}/comments", list_comments, "issues"),
    Route("POST", _REPO + "/{number}/comments", comment, "issues"),
    Route("POST", _REPO + "/{number}/labels", add_labels, "issues"),
)
