"""What was asked, and how does GitHub word its answers? One call, one answer, the shared manners of all routes."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.github.records import Actor, Books, Repository, Token

DOCUMENTATION = "https://docs.github.com/rest"
PER_PAGE, PER_PAGE_MAX = 30, 100  # https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api


class Refused(Exception):
    """GitHub says no; the body is worded as GitHub words it."""

    def __init__(self, status: int, message: str, errors: Sequence[Any] = (), **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, list(errors)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "documentation_url": DOCUMENTATION, "status": str(self.status)}
        return body | {"errors": self.errors} if self.errors else body


def not_found() -> Refused:
    return Refused(404, "Not Found")


def invalid(resource: str, field_name: str, code: str, message: str = "") -> Refused:
    """422 with one entry in `errors`."""
    error = {"resource": resource, "field": field_name, "code": code}
    return Refused(422, "Validation Failed", [error | {"message": message} if message else error])


@dataclass(slots=True)
class Answer:
    """What goes back."""

    status: int
    body: Any = None
    """JSON; None: no body."""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Bytes, where those were asked for instead of JSON."""


@dataclass(slots=True)
class Call:
    """One request, already let in."""

    books: Books
    method: str
    path: str
    """As it came, still quoted, without the query."""
    query: Mapping[str, str]
    words: Mapping[str, str]
    """The variable parts of the path."""
    body: dict[str, Any]
    """Empty where bytes came."""
    token: Token | None
    """None only for an app that speaks for itself."""
    app: int = 0
    """Id of the app that speaks for itself."""
    found: Repository | None = None
    accept: str = ""
    """The header of that name."""
    faults: frozenset[str] = frozenset()
    """Kinds of faults that the route itself must play."""
    content: bytes = b""
    """What was uploaded."""
    content_type: str = ""

    @property
    def repository(self) -> Repository:
        if self.found is None:
            raise not_found()
        return self.found

    @property
    def wants_raw(self) -> bool:
        return "vnd.github" in self.accept and ".raw" in self.accept.replace("+json", "")

    @property
    def login(self) -> str:
        return self.token.login if self.token else "app"

    @property
    def actor(self) -> Actor:
        """Who asks, as the rules see them."""
        app = self.token.app.id if self.token and self.token.app else self.app
        return self.books.actor(self.repository, self.login, app)

    def administers_in(self, repository: Repository) -> bool:
        """True for whoever may see and change the rules."""
        if self.token is not None and self.token.app is not None:
            return self.token.may("administration", "write")
        return self.token is not None and self.books.role(repository, self.login) == "admin"

    def need(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """That field of the body; 422 where it is missing."""
        if self.body.get(name) is None:
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return self.body[name]

    def text(self, name: str) -> str:
        """That field of the body, which must be a string; 422 otherwise."""
        value = self.need(name)
        if not isinstance(value, str):
            raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    def maybe(self, name: str) -> str | None:
        """That field of the body, a string where it is given; 422 otherwise."""
        return None if self.body.get(name) is None else self.text(name)

    def object(self, name: str) -> dict[str, Any] | None:
        """That field of the body, an object where it is given; 422 otherwise."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, dict):
            raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not an object.")
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """That field of the body, a list of objects; empty where it is absent, 422 where it is something else."""
        return self._list(name, dict, "an object")

    def texts(self, name: str) -> list[str]:
        """The same of strings."""
        return self._list(name, str, "a string")

    def _list(self, name: str, kind: type[Any], word: str) -> list[Any]:
        value = self.body.get(name)
        if value is None:
            return []
        wrong = [value] if not isinstance(value, list) else [one for one in value if not isinstance(one, kind)]
        if wrong:
            raise Refused(422, f"Invalid request.\n\nFor 'items', {wrong[0]!r} is not {word}.")
        return list(value)

    def flag(self, name: str, default: bool) -> bool:  # noqa: FBT001 - a value, not a switch
        """That field of the body, which must be a JSON boolean where it is given."""
        value = self.body.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a boolean.")
        return value

    async def commit(self, name: str) -> str:
        """The commit that the name stands for; 422 in GitHub's words where there is none."""
        sha = await self.repository.git.commit_of(name)
        if sha is None:
            raise Refused(422, f"No commit found for SHA: {name}")
        return sha

    def page(self, items: Sequence[Any], key: str = "", **also: Any) -> Answer:  # noqa: ANN401 - JSON
        """One page of these, with the Link header; under `key` with `total_count` where a key is given."""
        size = _number(self.query.get("per_page"), PER_PAGE, PER_PAGE_MAX)
        number = _number(self.query.get("page"), 1, 1 << 30)
        last = max(1, -(-len(items) // size))
        shown = list(items[(number - 1) * size : number * size])
        steps: dict[str, int] = {}
        if number > 1:
            steps |= {"prev": min(number - 1, last), "first": 1}
        if number < last:
            steps |= {"next": number + 1, "last": last}
        links = (f'<{self._page_url(page)}>; rel="{rel}"' for rel, page in steps.items())
        headers = {"Link": ", ".join(links)} if steps else {}
        return Answer(200, {"total_count": len(items), key: shown} | also if key else shown, headers)

    def _page_url(self, page: int) -> str:
        query = urllib.parse.urlencode({**self.query, "page": str(page)})
        return f"{self.books.url}{self.path}?{query}"


def _number(text: str | None, default: int, most: int) -> int:
    return min(int(text), most) if text and text.isdecimal() and int(text) > 0 else default


Handler = Callable[[Call], Awaitable[Answer]]


class Route:
    """One line of the API: `{name}` stands for one part of the path, `{name+}` for one or more."""

    def __init__(self, method: str, shape: str, handler: Handler, needs: str = "metadata") -> None:
        self.method, self.shape, self.handler = method, shape, handler
        self.permission = needs
        """Of the token; reading needs `read`, everything else `write`."""
        pieces = re.split(r"(\{\w+\+?\})", shape)
        self._pattern = re.compile("".join(_piece(piece) for piece in pieces))

    def match(self, method: str, raw_path: str) -> dict[str, str] | None:
        """The variable parts, unquoted; None where it is another route."""
        found = self._pattern.fullmatch(raw_path) if method == self.method else None
        return {name: urllib.parse.unquote(value) for name, value in found.groupdict().items()} if found else None


def _piece(piece: str) -> str:
    if not piece.startswith("{"):
        return re.escape(piece)
    name = piece.strip("{+}")
    return f"(?P<{name}>.+)" if piece.endswith("+}") else f"(?P<{name}>[^/]+)"
