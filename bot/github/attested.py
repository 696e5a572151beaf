"""What is attested of an artifact, and does it hold? GitHub only keeps bundles; here they are verified."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from bot.github import history, snappy
from bot.github.credentials import Access
from bot.github.names import part
from bot.github.reading import read
from bot.github.refusal import Refusal
from bot.github.verifier import UNREADABLE, Untold, Untrue, Verifier, Vouched
from commands.errors import Rejected
from policy.evidence import Attestation
from policy.model import Digest, Sha, Unknown, digest, sha, short

if TYPE_CHECKING:
    from bot.github.client import Client

BUNDLES_MAX = 100
"""Of one artifact; more nobody makes."""
BYTES_MAX = 16 * 1024 * 1024
IN_TOTO = "application/vnd.in-toto+json"
HOME = "https://github.com/"
ISSUER = "https://token.actions.githubusercontent.com"  # https://docs.github.com/actions, "OpenID Connect reference"
HOSTED = "github-hosted"
NOBODY = "nothing that verifies attestations is installed"


class _Kept(BaseModel):
    bundle: dict[str, Any] | None = None
    bundle_url: str | None = None


class _Page(BaseModel):
    attestations: list[_Kept] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sought:
    """What an attestation must be about."""

    repository: str
    digest: Digest
    commit: Sha | Unknown


class Attested:
    """Attestations, each verified by whoever can: made when first asked for, in a thread."""

    def __init__(self, *makers: Callable[[], Verifier]) -> None:
        self._makers = makers
        self._made: Sequence[Verifier] | None = None

    async def of(
        self, client: Client, repository: str, artifact: Digest, commit: Sha | Unknown
    ) -> tuple[Attestation, ...]:
        """All of that artifact; those are verified that a workflow made from that commit, or one that holds the same.

        `Rejected` where none is, and of some nobody here can tell.
        """
        sought = _Sought(repository, artifact, commit)
        trees: dict[str, bool] = {}
        found, untold = [], ""
        for one in await _kept(client, repository, artifact):
            try:  # one after the other: a hundred of them at once would not fit into memory
                found.append(await self._judged(client, await _bundle(client, one), sought, trees))
            except Untold as why:
                untold = untold or str(why)
        if untold and not any(one.verified for one in found):
            raise Rejected(f"Nobody here can tell whether an attestation is true: {untold}.")
        return tuple(found)

    async def _judged(
        self, client: Client, bundle: bytes | Untrue, sought: _Sought, trees: dict[str, bool]
    ) -> Attestation:
        if isinstance(bundle, Untrue):
            return Attestation("", sought.digest, "", verified=False, why_not=str(bundle))
        try:
            vouched = await asyncio.to_thread(self._vouched, bundle)
        except Untrue as why:
            return Attestation(_claimed(bundle), sought.digest, "", verified=False, why_not=str(why))
        try:
            kind, about = _statement(vouched)
        except Untrue as why:
            return Attestation("", sought.digest, vouched.builder, verified=False, why_not=str(why))
        why_not = _wrong(vouched, sought)
        if not why_not and vouched.commit != sought.commit:
            why_not = await _elsewhere(client, vouched, sought, trees)
        return Attestation(
            kind,
            sought.digest if sought.digest in about else about[0],
            vouched.builder,
            verified=not why_not,
            why_not=why_not,
            at=vouched.at,
            hash=hashlib.sha256(vouched.said).hexdigest(),
        )

    def _vouched(self, bundle: bytes) -> Vouched:
        """By the first who can tell."""
        if self._made is None:
            self._made = [make() for make in self._makers]
        untold = Untold(NOBODY)
        for verifier in self._made:
            try:
                return verifier.vouched(bundle)
            except Untold as why:
                untold = why
        raise untold


def verifying(trusted_root: Path | None = None, another: str = "") -> Attested:
    """By the public log, and what it cannot tell by `another`: `package.module:name` of what makes a `Verifier`."""
    makers: list[Callable[[], Verifier]] = [lambda: _by_public_log(trusted_root)]
    if another:
        makers.append(lambda: _named(another))
    return Attested(*makers)


def _by_public_log(trusted_root: Path | None) -> Verifier:
    try:
        from bot.github.sigstore_verifier import SigstoreVerifier
    except ImportError:
        return _Nobody()
    return SigstoreVerifier(trusted_root)


class _Nobody:
    def vouched(self, _: bytes) -> Vouched:
        raise Untold(NOBODY)


def _named(name: str) -> Verifier:
    module, _, attribute = name.partition(":")
    try:
        made: Verifier = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise Rejected(f"There is no {name} that verifies attestations.") from error
    return made


# Fetching -----------------------------------------------------------------------------------------------------------


async def _kept(client: Client, repository: str, artifact: Digest) -> list[_Kept]:
    """All that GitHub keeps about it."""
    found: list[_Kept] = []
    try:
        async for said in client.each_page(
            repository, f"/attestations/{part(artifact)}", Access.ATTESTATIONS, most=BUNDLES_MAX // 10
        ):
            found += read(_Page, said).attestations
            if len(found) > BUNDLES_MAX:
                raise Rejected(f"{short(artifact)} has more than {BUNDLES_MAX} attestations; a part decides nothing.")
    except Refusal as refusal:
        if refusal.status == 404:
            return []
        raise
    return found


async def _bundle(client: Client, kept: _Kept) -> bytes | Untrue:
    """As it was made: since July 2026 it is kept at an address of its own, packed; before it stood in the list."""
    if not kept.bundle_url:
        return json.dumps(kept.bundle).encode() if kept.bundle else Untrue("GitHub keeps nothing of it")
    packed = await client.elsewhere(kept.bundle_url, BYTES_MAX)
    if packed is None:
        return Untrue(f"it is larger than {BYTES_MAX >> 20} MB")
    try:
        return await asyncio.to_thread(snappy.unpacked, packed, BYTES_MAX)
    except ValueError:
        return Untrue("it is damaged")


# Comparing ----------------------------------------------------------------------------------------------------------


def _statement(vouched: Vouched) -> tuple[str, list[Digest]]:
    """What it states, and about which artifacts."""
    try:
        if vouched.kind != IN_TOTO:
            raise Untrue("it states nothing about an artifact")
        said = json.loads(vouched.said)
        about = [digest(f"sha256:{each['digest']['sha256']}") for each in said["subject"] if "sha256" in each["digest"]]
        kind = str(said["predicateType"])
    except UNREADABLE as error:
        raise Untrue("what it states cannot be read") from error
    if not about:
        raise Untrue("it states nothing about an artifact")
    return kind, about


def _wrong(vouched: Vouched, sought: _Sought) -> str:
    """What is wrong with who made it, but for the commit; empty: nothing."""
    if vouched.issuer != ISSUER:
        return f"{vouched.issuer or 'nobody'} says who made it, not GitHub Actions"
    if vouched.repository.casefold() != f"{HOME}{sought.repository}".casefold():
        return f"it was built from {vouched.repository.removeprefix(HOME) or 'nobody knows what'}"
    if vouched.runner != HOSTED:
        return "it was built on a machine that GitHub does not run"
    return ""


async def _elsewhere(client: Client, vouched: Vouched, sought: _Sought, trees: dict[str, bool]) -> str:
    """Why it matters that it was built from another commit; empty where that holds the same, as a promotion's merge."""
    if isinstance(sought.commit, Unknown):
        return sought.commit.why
    built_from = vouched.commit
    if built_from not in trees:
        try:
            one, other = await asyncio.gather(
                history.tree(client, sought.repository, sha(built_from)),
                history.tree(client, sought.repository, sought.commit),
            )
        except (ValueError, Refusal):
            trees[built_from] = False
        else:
            trees[built_from] = one == other
    if trees[built_from]:
        return ""
    return f"it was built from {built_from[:7] or 'nobody knows what'}, not from {short(sought.commit)}"


def _claimed(bundle: bytes) -> str:
    """What the bundle would state, were it true: only to say which it is."""
    try:
        said: Mapping[str, Any] = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
        return str(said["predicateType"])
    except UNREADABLE:
        return ""
