"""What is attested of an artifact? Bundles, kept and handed out as they came: https://docs.github.com/rest/repos/attestations.

As there, nothing is verified here, and since July 2026 a bundle is not in the answer but behind an address of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import Any

from bot.sandbox.github.call import Answer, Call, Refused, Route
from bot.sandbox.github.records import Attestation, Books, Repository

_SHORT = {"provenance": "https://slsa.dev/provenance/", "sbom": "https://spdx.dev/Document"}
PER_PAGE, PER_PAGE_MAX = 30, 100


def read(bundle: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Predicate type and subject digests of the statement in a bundle; both empty where it is none."""
    try:
        payload = bundle["dsseEnvelope"]["payload"]
        statement = json.loads(base64.b64decode(payload))
        digests = tuple(
            f"{kind}:{value}" for subject in statement["subject"] for kind, value in subject["digest"].items()
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        return "", ()
    return str(statement.get("predicateType", "")), digests


def keep(books: Books, repository: Repository, bundle: dict[str, Any], digests: tuple[str, ...] = ()) -> Attestation:
    """It is handed out for each of its subjects (or for those digests instead)."""
    kind, subjects = read(bundle)
    made = Attestation(books.new_id(), bundle, kind, digests or subjects, secrets.token_urlsafe(24))
    repository.records.attestations.append(made)
    return made


async def create(call: Call) -> Answer:
    bundle = call.object("bundle")
    if bundle is None or not read(bundle)[1]:
        raise Refused(422, "Invalid request.\n\nThe bundle holds no statement about a subject.")
    return Answer(201, {"id": keep(call.books, call.repository, bundle).id})


def _page(call: Call, known: list[tuple[Repository, Attestation]]) -> Answer:
    """By cursors, not by page numbers."""
    asked = call.query.get("predicate_type", "")
    if asked:
        kind = _SHORT.get(asked, asked)
        known = [one for one in known if one[1].predicate_type.startswith(kind)]
    known = known[::-1]
    asked_size = call.query.get("per_page", "")
    size = min(int(asked_size), PER_PAGE_MAX) if asked_size.isdecimal() and int(asked_size) else PER_PAGE
    start = next((n + 1 for n, one in enumerate(known) if str(one[1].id) == call.query.get("after")), 0)
    shown = known[start : start + size]
    headers = {}
    if start + size < len(known):
        query = "&".join(f"{name}={value}" for name, value in call.query.items() if name != "after")
        url = f"{call.books.url}{call.path}?{query}{'&' if query else ''}after={shown[-1][1].id}"
        headers["Link"] = f'<{url}>; rel="next"'
    inline = "bundle_inline" in call.faults
    return Answer(
        200,
        {
            "attestations": [
                {
                    "bundle": made.bundle if inline else None,
                    "bundle_url": f"{call.books.url}/bundles/{made.secret}.json.sn",
                    "repository_id": repository.id,
                    "initiator": "user",
                }
                for repository, made in shown
            ]
        },
        headers,
    )


async def of_repository(call: Call) -> Answer:
    digest = call.words["digest"]
    kept = call.repository.records.attestations
    return _page(call, [(call.repository, made) for made in kept if digest in made.digests])


async def of_owner(call: Call) -> Answer:
    owner, digest = call.words["owner_name"], call.words["digest"]
    return _page(
        call,
        [
            (repository, made)
            for repository in call.books.repositories.values()
            if repository.owner == owner and call.token and call.token.sees(repository)
            for made in repository.records.attestations
            if digest in made.digests
        ],
    )


def bundle_at(books: Books, path: str) -> bytes | None:
    """What lies behind a signed address, compressed as there: whoever has the address needs no token."""
    secret = path.removeprefix("/bundles/").removesuffix(".json.sn")
    for repository in books.repositories.values():
        for made in repository.records.attestations:
            if secrets.compare_digest(made.secret, secret):
                return snappy(json.dumps(made.bundle).encode())
    return None


def snappy(data: bytes) -> bytes:
    """A valid Snappy block that compresses nothing: https://github.com/google/snappy/blob/main/format_description.txt."""
    out = bytearray()
    size = len(data)
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    for start in range(0, len(data), 1 << 16):
        piece = data[start : start + (1 << 16)]
        out += bytes((61 << 2,)) + (len(piece) - 1).to_bytes(2, "little") + piece
    return bytes(out)


ROUTES = (
    Route("POST", "/repos/{owner}/{repo}/attestations", create, "attestations"),
    Route("GET", "/repos/{owner}/{repo}/attestations/{digest}", of_repository, "attestations"),
    Route("GET", "/orgs/{owner_name}/attestations/{digest}", of_owner),
    Route("GET", "/users/{owner_name}/attestations/{digest}", of_owner),
)
