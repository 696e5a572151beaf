"""How does a request become an answer? Who asks, what about, may they, and what the limits and tags say."""

from __future__ import annotations

import hashlib
import json
import secrets
import urllib.parse
from datetime import timedelta
from typing import Any

from aiohttp import web

from bot.sandbox.github import apps
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.faults import Fault
from bot.sandbox.github.records import App, Books, Repository, Token
from bot.sandbox.github.routes import ROUTES

VERSIONS = ("2022-11-28", "2026-03-10")
UPLOADS = "/uploads"
"""GitHub itself takes files at a host of their own: https://docs.github.com/rest/releases/assets"""


def canonical(books: Books, raw_path: str) -> str:
    """The path with a repository by its name, where it came by its number."""
    parts = raw_path.split("/")
    if parts[1] != "repositories" or len(parts) < 3:
        return raw_path
    number, mark, query = parts[2].partition("?")
    known = next((one for one in books.repositories.values() if str(one.id) == number), None)
    return "/".join(["", "repos", known.full_name + mark + query, *parts[3:]]) if known else raw_path


async def answer(books: Books, request: web.Request, raw: bytes, fault: Fault | None) -> Answer:
    """What goes back, with its headers; a fault that is played in place of the work has been."""
    headers = {"X-GitHub-Request-Id": secrets.token_hex(8)}
    try:
        headers["X-GitHub-Api-Version-Selected"] = _version(request)
        token, app = apps.let_in(books, request.headers.get("Authorization", ""))
        _play(fault, token, books)
        if token is not None:
            apps.count(books, token)
            apps.demand_pace(books, token, request.method)
        said = await _carried_out(_call(books, request, raw, token, app, fault), token)
        if request.method == "GET" and said.status == 200 and said.raw is None:
            said = _unless_known(request, said)
        if token is not None and said.status == 304:
            token.spent -= 1  # what is known already costs nothing
    except Refused as refused:
        if refused.status == 502:
            return _bad_gateway()
        said = Answer(refused.status, refused.body, dict(refused.headers))
        if request.path == "/graphql" and refused.message.startswith("API rate limit exceeded"):
            spent = {"type": "RATE_LIMITED", "message": refused.message}
            said = Answer(200, {"errors": [spent]}, {"X-RateLimit-Resource": "graphql"})  # GraphQL says it so
        token = books.tokens.get(request.headers.get("Authorization", "").partition(" ")[2])
    limits = apps.limit_headers(books, token) if token is not None else {}
    said.headers = {**headers, **limits, **said.headers}
    return said


def _call(
    books: Books, request: web.Request, raw: bytes, token: Token | None, app: App | None, fault: Fault | None
) -> Call:
    """What was asked, with its repository, where the asker may see it."""
    uploads = request.path.startswith(UPLOADS)
    body = json_of(raw) if raw and not uploads else {}
    if isinstance(body, list) and request.path.endswith("/labels"):
        body = {"labels": body}  # GitHub takes both, and PyGithub sends the bare list
    if not isinstance(body, dict) or not _sayable(body):
        raise Refused(400, "Problems parsing JSON")
    if not _sayable(request.path) or not _sayable(dict(request.query)):
        raise not_found()
    faults = frozenset({fault.kind.name}) if fault else frozenset()
    call = Call(
        books,
        request.method,
        canonical(books, request.rel_url.raw_path.removeprefix(UPLOADS) if uploads else request.rel_url.raw_path),
        dict(request.query),
        {},
        body,
        token,
        app.id if app else 0,
        accept=request.headers.get("Accept", ""),
        faults=faults,
        content=raw if uploads else b"",
        content_type=request.content_type,
    )
    parts = call.path.split("/")
    if parts[1] == "repos" and len(parts) > 3:
        call.found = books.repository(urllib.parse.unquote(f"{parts[2]}/{parts[3]}"))
        _demand_same_name(books, request, token, call.found)
    if call.found is not None:
        if token is not None and not token.sees(call.found):
            call.found = None
        elif "stale_read" in faults:
            call.found = call.found.lagged()
    return call


def _sayable(value: Any, name: str = "") -> bool:  # noqa: ANN401 - JSON
    """No text in it that neither a name nor a message can hold; what is in a file may be anything."""
    if isinstance(value, str):
        whole = "\0" not in value or name in {"content", "contents"}
        return whole and not any("\ud800" <= mark <= "\udfff" for mark in value)
    if isinstance(value, dict):
        return all(_sayable(one, str(key)) and _sayable(str(key)) for key, one in value.items())
    return not isinstance(value, list) or all(_sayable(one, name) for one in value)


def _demand_same_name(books: Books, request: web.Request, token: Token | None, found: Repository | None) -> None:
    """301 to the repository by its number where it has another name now; whoever writes there is sent on as well."""
    parts = request.rel_url.raw_path.split("/")
    moved = books.renamed.get(f"{parts[2]}/{parts[3]}".lower()) if found is None else None
    if moved is not None and (token is None or token.sees(moved)):
        rest, query = "".join(f"/{part}" for part in parts[4:]), request.rel_url.raw_query_string
        there = f"{books.url}/repositories/{moved.id}{rest}{'?' if query else ''}{query}"
        raise Refused(301, "Moved Permanently", Location=there)


async def _carried_out(call: Call, token: Token | None) -> Answer:
    for route in ROUTES:
        words = route.match(call.method, call.path)
        if words is None:
            continue
        call.words = words
        if "repo" in words and call.found is None:
            raise not_found()
        if "repo" in words:
            _demand_permission(call, route)
        if call.found is not None and call.method != "GET":
            call.found.remember()
        return await route.handler(call)
    raise not_found()


def _demand_permission(call: Call, route: Route) -> None:
    """403 or 404, as GitHub says it, where the token or the person behind it may not."""
    token, reading = call.token, call.method == "GET"
    if token is None:
        return
    if token.app is not None:
        # of a pull request either will do: https://docs.github.com/rest/issues/labels
        able = ("issues", "pull_requests") if route.permission == "issues" else (route.permission,)
        if not any(token.may(one, "read" if reading else "write") for one in able):
            raise Refused(403, "Resource not accessible by integration")
        return
    role = call.books.role(call.repository, token.login)
    talking = reading or route.permission in {"pull_requests", "issues"}
    if role == "none" or (route.permission == "administration" and role != "admin"):
        raise not_found()
    if not talking and not call.books.can_write(call.repository, token.login):
        raise Refused(403, "Resource not accessible by personal access token")


def _version(request: web.Request) -> str:
    version = request.headers.get("X-GitHub-Api-Version", VERSIONS[0])
    if version not in VERSIONS:
        raise Refused(400, f"The API version {version} is not supported.")
    return version


def _play(fault: Fault | None, token: Token | None, books: Books) -> None:
    """The faults that answer in place of the work."""
    secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    seconds = str(round(fault.seconds)) if fault else ""
    match fault.kind.name if fault else "":
        case "bad_gateway":
            raise Refused(502, "")
        case "moved":
            raise Refused(301, "Moved Permanently", Location=f"{books.url}/repositories/4001")
        case "secondary_limit":
            raise Refused(403, secondary, Retry_After=seconds)
        case "secondary_limit_silent":
            raise Refused(403, secondary)
        case "too_many_requests":
            raise Refused(429, secondary, Retry_After=seconds)
        case "too_many_requests_silent":
            raise Refused(429, secondary)
        case "rate_limit_spent" if token is not None and fault is not None:
            token.spent, token.resets_at = books.limit, books.now() + timedelta(seconds=fault.seconds)
            raise Refused(403, f"API rate limit exceeded for {token.login}.")
        case "token_expired":
            if token is not None and token.app is not None:
                token.expires_at = books.clock.now()
            raise Refused(401, "Bad credentials")


def _bad_gateway() -> Answer:
    return Answer(502)


def _unless_known(request: web.Request, answer: Answer) -> Answer:
    """304 without a body where the asker holds the same already."""
    tag = f'W/"{hashlib.sha256(json.dumps(answer.body, sort_keys=True).encode()).hexdigest()}"'
    known = {one.strip() for one in request.headers.get("If-None-Match", "").split(",")}
    headers = {**answer.headers, "ETag": tag}
    return Answer(304, None, headers) if tag in known else Answer(200, answer.body, headers)


def json_of(raw: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
