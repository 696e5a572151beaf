"""Who answers GraphQL? https://docs.github.com/graphql; the schema beside this names the part that is played."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import graphql

from bot.sandbox.github.call import Answer, Call, Handler, Refused, Route
from bot.sandbox.github.records import Repository

FIRST_MAX = 100  # https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
Json = dict[str, Any]


class Wrong(Exception):
    """One entry of `errors`, with GitHub's name for its kind."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@functools.cache
def schema() -> graphql.GraphQLSchema:
    return graphql.build_schema(Path(__file__).with_name("schema.graphql").read_text("utf-8"))


def seen(call: Call, repository: Repository | None) -> Repository | None:
    """The repository, where the asker may see it."""
    token = call.token
    if repository is None or token is None or not token.sees(repository):
        return None
    hidden = token.app is None and call.books.role(repository, token.login) == "none"
    return None if hidden else repository


def demand(call: Call, repository: Repository, permission: str) -> None:
    """The asker may write there."""
    token = call.token
    if token is None:
        raise Wrong("FORBIDDEN", "Resource not accessible by integration")
    if token.app is not None:
        allowed = token.may(permission, "write")
    elif permission == "administration":
        allowed = call.books.role(repository, token.login) == "admin"
    else:
        allowed = call.books.can_write(repository, token.login)
    if not allowed:
        raise Wrong("FORBIDDEN", "Resource not accessible by integration")


def listed(
    items: Sequence[Any],
    name: str,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
) -> Json:
    """A connection: one page of these, with where it ends."""
    if first is None and last is None:
        said = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        raise Wrong("MISSING_PAGINATION_BOUNDARIES", said)
    if not 0 <= (first if first is not None else last or 0) <= FIRST_MAX:
        said = (
            f"Requesting {first or last} records on the `{name}` connection exceeds the `first` limit of 100 records."
        )
        raise Wrong("EXCESSIVE_PAGINATION", said)
    start = int(after) if after else 0
    end = int(before) - 1 if before else len(items)
    if first is not None:
        end = min(end, start + first)
    elif last is not None:
        start = max(start, end - last)
    return {
        "nodes": list(items[start:end]),
        "totalCount": len(items),
        "pageInfo": {
            "startCursor": str(start + 1) if items[start:end] else None,
            "endCursor": str(end) if items[start:end] else None,
            "hasNextPage": end < len(items),
            "hasPreviousPage": start > 0,
        },
    }


def answered(roots: Json) -> Handler:
    """A handler that answers GraphQL from these: name of a root field → function of info, call and its arguments."""

    async def handler(call: Call) -> Answer:
        query = call.text("query")
        try:
            document = graphql.parse(query)
        except graphql.GraphQLSyntaxError as error:
            return Answer(200, {"errors": [{"message": error.message}]})
        wrong = graphql.validate(schema(), document)
        if wrong:
            return Answer(200, {"errors": [_worded(error) for error in wrong]})
        given = {name: functools.partial(_rooted, function, call) for name, function in roots.items()}
        result = graphql.execute(
            schema(),
            document,
            root_value=given,
            variable_values=call.body.get("variables") or {},
            operation_name=call.body.get("operationName"),
        )
        done: graphql.ExecutionResult = result if isinstance(result, graphql.ExecutionResult) else await result
        body: Json = {"data": done.data}
        if done.errors:
            body["errors"] = [_worded(error) for error in done.errors]
        return Answer(200, body, {"X-RateLimit-Resource": "graphql"})

    return handler


def _rooted(function: Any, call: Call, info: Any, **arguments: Any) -> Any:  # noqa: ANN401 - of graphql-core's shapes
    return function(call, info, **arguments)


def _worded(error: graphql.GraphQLError) -> Json:
    said: Json = {"message": error.message}
    cause = error.original_error
    if isinstance(cause, Wrong):
        said["type"] = cause.kind
    elif isinstance(cause, Refused):
        said["type"], said["message"] = "UNPROCESSABLE", cause.message
    elif cause is not None:
        raise cause  # ours, not theirs
    if error.path:
        said["path"] = error.path
    if error.locations:
        said["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    return said


def route(roots: Json) -> Route:
    return Route("POST", "/graphql", answered(roots))
