"""A local GitHub for a test, everything said to it checked against GitHub's published contract where that is at hand."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import graphql
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.sandbox.github import GitHubWorld

CONTRACT = Path(__file__).parents[2] / "../shared/oracles/github"
OURS = Path(__file__).parents[2] / "bot/sandbox/github/schema.graphql"
OFFICIAL = Path(__file__).parent / "sandbox/octokit/node_modules/@octokit/graphql-schema/schema.graphql"
"""Fetched by `make clients`."""
REPOSITORY = "acme/checkout"
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class HandClock:
    """Time that moves when it is told to."""

    def __init__(self, at: datetime = NINE) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **span: float) -> None:
        self.at += timedelta(**span)


@functools.cache
def contract() -> Any:
    spec = importlib.util.spec_from_file_location("conformance", CONTRACT / "conformance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    described = json.loads((CONTRACT / "contract.json").read_text())
    listed = next(each for each in described["ops"] if each["op"] == "apps/list-installations")
    account = listed["resp"]["200"]["json"]["items"]["properties"]["account"]["anyOf"][0]
    account["anyOf"] = account.pop("allOf")  # nobody is a person and an enterprise at once; one alone is told so
    return module.Contract(described)


@functools.cache
def _schema(file: Path) -> graphql.GraphQLSchema:
    return graphql.build_schema(file.read_text("utf-8"), assume_valid=True)


@functools.cache
def _graph_violations(query: str) -> tuple[str, ...]:
    """What in this document our own schema does not know, or GitHub's published one, where that is at hand."""
    try:
        document = graphql.parse(query)
    except graphql.GraphQLError as error:
        return (f"POST /graphql: {error.message}",)
    schemas = [OURS, *([OFFICIAL] if OFFICIAL.exists() else [])]
    wrong = [error for schema in schemas for error in graphql.validate(_schema(schema), document)]
    return tuple(f"POST /graphql: {error.message}" for error in wrong)


def violations(exchanges: Iterable[dict[str, Any]]) -> list[str]:
    """What in these exchanges GitHub's published description does not allow, on either side."""
    if not CONTRACT.exists():
        return []
    found: list[str] = []
    for said in exchanges:
        if said["path"] == "/graphql":
            found += _graph_violations(said["request"]["query"])
            continue
        found += [
            f"{said['method']} {said['path']} -> {said.get('status')}: {one.where}: {one.message}"
            for one in contract().check(said)
            if one.level == "error"
        ]
    return found


@asynccontextmanager
async def github_world(directory: Path, clock: HandClock, *, checked: bool = True) -> AsyncIterator[GitHubWorld]:
    """It has one empty repository; at the end everything said to it is checked, or else nothing of it is kept."""
    async with GitHubWorld(directory, clock) as world:
        await world.create_repository(REPOSITORY)
        with nullcontext() if checked else world.off_the_record():
            yield world
    if checked:
        wrong = violations(world.exchanges)
        assert not wrong, "\n".join(wrong[:5])


@dataclass(frozen=True)
class Said:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return str(self.body["message"])


class Asker:
    """Somebody with a token."""

    def __init__(
        self, session: aiohttp.ClientSession, world: GitHubWorld, token: str | None = None, home: str = ""
    ) -> None:
        self._session, self._world, self._home = session, world, home
        self.token = world.token if token is None else token

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(
            method,
            path if path.startswith("http") else self._world.url + self._under(path),
            json=body,
            allow_redirects=False,
            headers={"Authorization": f"Bearer {self.token}", **named},
        ) as answer:
            told = await answer.json() if answer.content_type == "application/json" and answer.status != 304 else None
            return Said(answer.status, told, {name.lower(): value for name, value in answer.headers.items()})

    def _under(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._home}/{path}".rstrip("/")


@functools.cache
def key_pair() -> tuple[str, str]:
    """A private and its public key, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


needs_contract = pytest.mark.skipif(not CONTRACT.exists(), reason="GitHub's published contract is not at hand")
