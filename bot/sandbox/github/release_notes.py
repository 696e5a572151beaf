"""What has changed since the last release? By merged pull requests, as GitHub writes it; stored nowhere."""

from __future__ import annotations

from bot.sandbox.github import pull_life, shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route
from bot.sandbox.github.records import as_text


async def generate(call: Call) -> Answer:
    repository, git = call.repository, call.repository.git
    tag = call.text("tag_name")
    target = await git.commit_of(tag) or await git.commit_of(
        as_text(call.body, "target_commitish", repository.default_branch)
    )
    if target is None:
        raise Refused(
            422, "Validation Failed", [{"resource": "Release", "field": "target_commitish", "code": "invalid"}]
        )
    previous = as_text(call.body, "previous_tag_name") or await _previous(call, tag, target)
    since = await git.commit_of(previous) if previous else None
    if previous and since is None:
        raise Refused(422, "Invalid previous_tag parameter")
    fresh = set(await git.history(target, *([f"^{since}"] if since else [])))
    lines = []
    for pull in repository.records.pulls:
        await pull_life.refresh(call.books, repository, pull)
        if pull.merge_sha in fresh and pull.merged:
            url = f"{shapes.web_url(call.books, repository)}/pull/{pull.number}"
            lines.append(f"* {pull.title} by @{pull.author} in {url}")
    web = shapes.web_url(call.books, repository)
    log = f"{web}/compare/{previous}...{tag}" if previous else f"{web}/commits/{tag}"
    head = ["## What's Changed", *lines, ""] if lines else []
    return Answer(200, {"name": tag, "body": "\n".join([*head, "", f"**Full Changelog**: {log}"]).lstrip("\n")})


async def _previous(call: Call, tag: str, target: str) -> str:
    """The newest published release that the target already holds."""
    git = call.repository.git
    for made in reversed(call.repository.records.releases):
        sha = None if made.draft or made.tag == tag else await git.commit_of(made.tag)
        if sha and sha != target and await git.contains(target, sha):
            return made.tag
    return ""


ROUTES = (Route("POST", "/repos/{owner}/{repo}/releases/generate-notes", generate, "contents"),)
