"""Reviews and who is asked for one: https://docs.github.com/rest/pulls/reviews, /rest/pulls/review-requests."""

from __future__ import annotations

from bot.sandbox.github import pull_shapes, shapes, webhooks
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.codeowners import flaws, owners_at
from bot.sandbox.github.pull_request import PullRequest, Review
from bot.sandbox.github.pulls import demand_hand, found
from bot.sandbox.github.records import as_text

_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED", "": "PENDING"}


async def list_reviews(call: Call) -> Answer:
    pull = await found(call)
    shown = [one for one in pull.reviews if one.state != "PENDING" or one.login == call.login]
    return call.page([pull_shapes.review(call.books, call.repository, pull, one) for one in shown])


def _simple(message: str) -> Refused:
    return Refused(422, "Unprocessable Entity", [message])


async def create(call: Call) -> Answer:
    pull, event, body = await found(call), as_text(call.body, "event"), as_text(call.body, "body")
    if event not in _STATES:
        raise _simple(f"{event} is not an event of a review")
    if call.login == pull.author and event in {"APPROVE", "REQUEST_CHANGES"}:
        does = "approve" if event == "APPROVE" else "request changes on"
        raise _simple(f"Can not {does} your own pull request")
    if event in {"REQUEST_CHANGES", "COMMENT"} and not body and not call.body.get("comments"):
        raise _simple("Body cannot be blank")
    commit = as_text(call.body, "commit_id", pull.head_sha)
    if await call.repository.git.kind(commit) != "commit":
        raise _simple(f"No commit found for SHA: {commit}")
    at = call.books.now() if event else None
    made = Review(call.books.new_id(), call.login, _STATES[event], body, commit, at)
    pull.reviews.append(made)
    if event:
        _answered(call, pull)
        webhooks.review(call.books, call.repository, pull, made, "submitted")
    return Answer(200, pull_shapes.review(call.books, call.repository, pull, made))


def _answered(call: Call, pull: PullRequest) -> None:
    """Who has said something is asked no longer, nor are the teams that they speak for."""
    pull.asked = [login for login in pull.asked if login != call.login]
    pull.asked_teams = [slug for slug in pull.asked_teams if slug not in call.actor.teams]


async def dismiss(call: Call) -> Answer:
    pull, message = await found(call), call.text("message")
    demand_hand(call, pull)
    made = next((one for one in pull.reviews if str(one.id) == call.words["review"]), None)
    if made is None:
        raise not_found()
    if made.state not in {"APPROVED", "CHANGES_REQUESTED"}:
        raise _simple(f"Can not dismiss a {made.state.lower()} pull request review")
    made.state, made.body = "DISMISSED", made.body or message
    webhooks.review(call.books, call.repository, pull, made, "dismissed")
    return Answer(200, pull_shapes.review(call.books, call.repository, pull, made))


async def list_asked(call: Call) -> Answer:
    pull = await found(call)
    users = [shapes.user(call.books, login) for login in pull.asked]
    return Answer(200, {"users": users, "teams": pull_shapes.asked_teams(call.books, call.repository, pull)})


async def ask(call: Call) -> Answer:
    pull, repository = await found(call), call.repository
    demand_hand(call, pull)
    logins, slugs = call.texts("reviewers"), call.texts("team_reviewers")
    if pull.author in logins:
        raise Refused(422, "Review cannot be requested from pull request author.")
    known = all((repository.owner, slug) in call.books.teams for slug in slugs)
    if not known or any(call.books.role(repository, login) == "none" for login in logins):
        raise Refused(
            422,
            "Reviews may only be requested from collaborators. One or more of the users or teams you specified is "
            f"not a collaborator of the {repository.full_name} repository.",
        )
    pull.asked += [login for login in logins if login not in pull.asked]
    pull.asked_teams += [slug for slug in slugs if slug not in pull.asked_teams]
    return Answer(201, pull_shapes.simple(call.books, repository, pull))


async def codeowners_errors(call: Call) -> Answer:
    repository = call.repository
    sha = await repository.git.commit_of(call.query.get("ref") or repository.default_branch)
    owners = await owners_at(repository.git, sha) if sha else None
    if owners is None or not owners.place:
        raise not_found()
    return Answer(
        200,
        {
            "errors": [
                {
                    "line": flaw.line.number,
                    "column": flaw.column,
                    "kind": flaw.kind,
                    "source": flaw.line.text,
                    "suggestion": flaw.suggestion,
                    "message": f"{flaw.kind} on line {flaw.line.number}: {flaw.suggestion}",
                    "path": flaw.place,
                }
                for flaw in flaws(call.books, repository, owners)
            ]
        },
    )


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO + "/pulls/{number}/reviews", list_reviews, "pull_requests"),
    Route("POST", _REPO + "/pulls/{number}/reviews", create, "pull_requests"),
    Route("PUT", _REPO + "/pulls/{number}/reviews/{review}/dismissals", dismiss, "pull_requests"),
    Route("GET", _REPO + "/pulls/{number}/requested_reviewers", list_asked, "pull_requests"),
    Route("POST", _REPO + "/pulls/{number}/requested_reviewers", ask, "pull_requests"),
    Route("GET", _REPO + "/codeowners/errors", codeowners_errors, "contents"),
)
