"""Who may come in? Tokens, GitHub Apps and their installations: https://docs.github.com/rest/apps."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.records import App, Books, Token

TOKEN_LIFE = timedelta(hours=1)  # https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
JWT_LIFE_MAX = timedelta(minutes=10)  # https://docs.github.com/apps/creating-github-apps, "Generating a JSON Web Token"


def let_in(books: Books, authorization: str) -> tuple[Token | None, App | None]:
    """Whose token it is, or which app speaks for itself; 401 for anybody else."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() not in {"token", "bearer"} or not text:
        raise Refused(401, "Requires authentication")
    token = books.tokens.get(text)
    if token is not None:
        if token.expires_at is not None and token.expires_at <= books.clock.now():
            raise Refused(401, "Bad credentials")
        return token, None
    if text.count(".") == 2 and not text.startswith("gh"):
        return None, _app_of(books, text)
    raise Refused(401, "Bad credentials")


def _app_of(books: Books, text: str) -> App:
    """The app that signed this JWT, judged by the world's own clock."""
    import jwt

    leave = ("verify_exp", "verify_iat", "verify_nbf", "verify_aud", "verify_iss")
    try:
        issuer = jwt.decode(text, options={"verify_signature": False}).get("iss", "")
        app = books.apps.get(int(issuer))
        if app is None:
            raise Refused(401, "Integration not found")
        claims: dict[str, Any] = jwt.decode(
            text,
            app.public_key,
            algorithms=["RS256"],
            options=dict.fromkeys(leave, False),  # type: ignore[arg-type]
        )
    except (jwt.PyJWTError, TypeError, ValueError):
        raise Refused(401, "A JSON web token could not be decoded") from None
    now = books.clock.now().timestamp()
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or issued > now:
        raise Refused(
            401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if not isinstance(expires, int) or expires <= now:
        raise Refused(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at "
            "which the assertion expires",
        )
    if expires - now > JWT_LIFE_MAX.total_seconds():
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _self(call: Call) -> App:
    app = call.books.apps.get(call.app)
    if app is None:
        raise Refused(401, "A JSON web token could not be decoded")
    return app


async def get_app(call: Call) -> Answer:
    app = _self(call)
    return Answer(200, shapes.app(call.books, app, app.name))


async def list_installations(call: Call) -> Answer:
    app = _self(call)
    owners = sorted({repository.owner for repository in call.books.repositories.values()})
    return call.page([_installation(call, app, owner) for owner in owners[:1]])


async def get_installation(call: Call) -> Answer:
    return Answer(200, _installation(call, _self(call), call.words.get("org") or call.repository.owner))


def _installation(call: Call, app: App, owner: str) -> dict[str, Any]:
    at = shapes.moment(app.created_at)
    url = f"{call.books.url}/app/installations/{app.installation}"
    account = shapes.user(call.books, owner)
    return {
        "id": app.installation,
        "account": account,
        "repository_selection": "all",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{call.books.url}/installation/repositories",
        "html_url": url,
        "app_id": app.id,
        "app_slug": shapes.slug(app.name),
        "target_id": account["id"],
        "target_type": "Organization",
        "permissions": dict(app.permissions),
        "events": [],
        "created_at": at,
        "updated_at": at,
        "single_file_name": None,
        "suspended_at": None,
        "suspended_by": None,
    }


def _chosen(call: Call) -> frozenset[int] | None:
    """Ids of the repositories that the body narrows to; None: all of them."""
    if call.body.get("repositories") is None and call.body.get("repository_ids") is None:
        return None
    names, ids = call.texts("repositories"), call.body.get("repository_ids") or []
    known = {repository.name: repository.id for repository in call.books.repositories.values()}
    chosen = {known.get(name, 0) for name in names} | set(ids)
    if not chosen <= set(known.values()):
        raise Refused(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    return frozenset(chosen)


async def create_token(call: Call) -> Answer:
    app = _self(call)
    if str(app.installation) != call.words["id"]:
        raise not_found()
    permissions = dict(call.object("permissions") or app.permissions)
    order = ("", "read", "write", "admin")
    for name, level in permissions.items():
        if level not in order or order.index(level) > order.index(app.permissions.get(name, "")):
            raise Refused(422, "The permissions requested are not granted to this installation.")
    permissions.setdefault("metadata", "read")
    expires: datetime = call.books.now() + TOKEN_LIFE
    # The long form that GitHub gives out since 2026-04: an app id and something like a JWT.
    parts = (secrets.token_urlsafe(24), secrets.token_urlsafe(120), secrets.token_urlsafe(48))
    text = f"ghs_{app.id}_{'.'.join(parts)}"
    chosen = _chosen(call)
    call.books.tokens[text] = Token(text, f"{shapes.slug(app.name)}[bot]", app, chosen, permissions, expires)
    return Answer(
        201,
        {
            "token": text,
            "expires_at": shapes.moment(expires),
            "permissions": permissions,
            "repository_selection": "all" if chosen is None else "selected",
        },
    )


async def revoke_token(call: Call) -> Answer:
    if call.token is None or call.token.app is None:
        raise Refused(403, "Resource not accessible by personal access token")
    del call.books.tokens[call.token.text]
    return Answer(204)


# The hourly limit ---------------------------------------------------------------------------------------------------


def count(books: Books, token: Token) -> None:
    """One request more on this hour's count; 403 where it is spent."""
    _renew(books, token)
    if token.spent >= books.limit:
        raise Refused(403, f"API rate limit exceeded for {token.login}.")
    token.spent += 1


READING, WRITING = 1, 5  # points: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api


def demand_pace(books: Books, token: Token, method: str) -> None:
    """403 with Retry-After where the last minute's requests cost too much."""
    if books.points_a_minute is None:
        return
    now, minute = books.clock.now(), timedelta(minutes=1)
    token.points = [(at, cost) for at, cost in token.points if now - at < minute]
    if sum(cost for _, cost in token.points) >= books.points_a_minute:
        wait = str(round((token.points[0][0] + minute - now).total_seconds()))
        raise Refused(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            Retry_After=wait,
        )
    token.points.append((now, READING if method == "GET" else WRITING))


def _renew(books: Books, token: Token) -> datetime:
    now = books.now()
    if token.resets_at is None or token.resets_at <= now:
        token.spent, token.resets_at = 0, now + timedelta(hours=1)
    return token.resets_at


def limit_headers(books: Books, token: Token) -> dict[str, str]:
    resets_at = _renew(books, token)
    return {
        "X-RateLimit-Limit": str(books.limit),
        "X-RateLimit-Remaining": str(max(0, books.limit - token.spent)),
        "X-RateLimit-Used": str(token.spent),
        "X-RateLimit-Reset": str(int(resets_at.timestamp())),
        "X-RateLimit-Resource": "core",
    }


async def rate_limit(call: Call) -> Answer:
    token = call.token
    if token is None:
        raise Refused(401, "Requires authentication")
    reset = int(_renew(call.books, token).timestamp())
    left = max(0, call.books.limit - token.spent)
    core = {"limit": call.books.limit, "remaining": left, "reset": reset, "used": token.spent}
    search = {"limit": 30, "remaining": 30, "reset": reset, "used": 0}
    return Answer(200, {"resources": {"core": core, "search": search, "graphql": core}, "rate": core})


async def meta(call: Call) -> Answer:
    """No more than its reader needs: that passwords are not taken."""
    return Answer(200, {"verifiable_password_authentication": False})


ROUTES = (
    Route("GET", "/meta", meta),
    Route("GET", "/app", get_app),
    Route("GET", "/app/installations", list_installations),
    Route("GET", "/repos/{owner}/{repo}/installation", get_installation),
    Route("GET", "/orgs/{org}/installation", get_installation),
    Route("POST", "/app/installations/{id}/access_tokens", create_token),
    Route("DELETE", "/installation/token", revoke_token),
    Route("GET", "/rate_limit", rate_limit),
)
