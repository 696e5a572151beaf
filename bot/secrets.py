"""What does a secret setting really say? `sm://…` is read from Secret Manager; anything else is what it says."""

from __future__ import annotations

import re

from bot.google_calls import Late, Theirs, reading
from commands.errors import Rejected, Unavailable

DEADLINE = 5.0
"""Seconds: the start of the program waits for it."""
_PLACE = re.compile(r"sm://(projects/[^/\s]+/secrets/([^/\s]+)/versions/([^/\s]+))")


async def resolve(value: str, endpoint: str | None = None) -> str:
    """The secret itself. Errors name the secret and never say what is in it.

    `Rejected` for an address that is none, for `latest` (disabling the newest version would break the next start; a
    number or an alias says what is meant) and for contents that are no single clean line; `Unavailable` where Secret
    Manager cannot be reached or the checksum does not fit. `endpoint` is `host:port` of a plaintext likeness.
    """
    if not value.startswith("sm://"):
        return value
    found = _PLACE.fullmatch(value)
    if found is None:
        message = "A secret's address has the form sm://projects/P/secrets/S/versions/N."
        raise Rejected(message)
    name, secret, version = found.groups()
    if version == "latest":
        message = f"The secret {secret} must be asked for by number or alias, not as latest."
        raise Rejected(message)
    return _text(secret, await _read(secret, name, endpoint))


async def _read(secret: str, name: str, endpoint: str | None) -> bytes:
    late = Late(endpoint, _load, _make)
    try:
        client = await late.get()
        with reading(f"The secret {secret}"):
            answer = await client.access_secret_version(name=name, timeout=DEADLINE, retry=None)
    finally:
        await late.close(*(() if late.made is None else (late.made.transport,)))
    data = bytes(answer.payload.data)
    if "data_crc32c" not in answer.payload or answer.payload.data_crc32c != crc32c(data):
        message = f"The secret {secret} arrived damaged: its checksum does not fit."
        raise Unavailable(message)
    return data


def crc32c(data: bytes) -> int:
    """The CRC-32C of RFC 3720, appendix B.4; bit by bit, for a secret is short."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def _text(secret: str, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:  # its text would show what is in it
        message = f"The secret {secret} is not text."
        raise Rejected(message) from None
    if not text:
        message = f"The secret {secret} is empty."
        raise Rejected(message)
    if text != text.strip():  # nearly always `echo` without -n; a signature made with it fits nothing
        message = f"The secret {secret} begins or ends with white space; store it without."
        raise Rejected(message)
    return text


def _load() -> Theirs:
    from google.cloud import secretmanager_v1

    return secretmanager_v1


def _make(library: Theirs, channel: Theirs, credentials: Theirs) -> Theirs:
    if channel is None:
        return library.SecretManagerServiceAsyncClient(credentials=credentials)
    transport = library.SecretManagerServiceAsyncClient.get_transport_class("grpc_asyncio")
    return library.SecretManagerServiceAsyncClient(transport=transport(channel=channel))
