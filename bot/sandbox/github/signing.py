"""Is a commit or tag signed, and by whom? Signatures made by OpenSSH keys, written and checked as `ssh-keygen` does.

Format: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
"""

from __future__ import annotations

import base64
import hashlib
import textwrap
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.sandbox.github.git import Commit, Git
from bot.sandbox.github.records import Books

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_KIND = b"ssh-ed25519"


@dataclass(frozen=True, slots=True)
class Verification:
    """What GitHub says of a signature."""

    reason: str
    """`valid`, `unsigned`, `unknown_key`, `bad_email`, `invalid`, `unknown_signature_type`."""
    signature: str | None = None
    payload: str | None = None
    login: str = ""
    """Whose key it was."""

    @property
    def verified(self) -> bool:
        return self.reason == "valid"


def _packed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _unpacked(data: bytes, count: int) -> list[bytes]:
    parts = []
    for _ in range(count):
        size = int.from_bytes(data[:4])
        parts.append(data[4 : 4 + size])
        data = data[4 + size :]
    return parts


def public_key(key: Ed25519PrivateKey) -> str:
    """As it stands in `authorized_keys`."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"ssh-ed25519 {base64.b64encode(_packed(_KIND, raw)).decode()}"


def sign(key: Ed25519PrivateKey, payload: bytes) -> str:
    """An armoured signature of that object, as `git commit -S` with an SSH key puts there."""
    public = base64.b64decode(public_key(key).split()[1])
    said = _packed(b"git", b"", b"sha512", hashlib.sha512(payload).digest())
    signature = _packed(_KIND, key.sign(b"SSHSIG" + said))
    blob = b"SSHSIG" + (1).to_bytes(4) + _packed(public, b"git", b"", b"sha512", signature)
    lines = textwrap.wrap(base64.b64encode(blob).decode(), 70)
    return "\n".join([BEGIN, *lines, END]) + "\n"


def _signer(armoured: str, payload: bytes) -> str | None:
    """The public key that made it, as in `authorized_keys`; None where it is no good signature of that."""
    try:
        blob = base64.b64decode("".join(armoured.strip().splitlines()[1:-1]))
        public, space, _, algorithm, signature = _unpacked(blob[10:], 5)
        said = _packed(space, b"", algorithm, hashlib.new(algorithm.decode(), payload).digest())
        Ed25519PublicKey.from_public_bytes(_unpacked(public, 2)[1]).verify(_unpacked(signature, 2)[1], b"SSHSIG" + said)
    except (ValueError, IndexError, InvalidSignature):
        return None
    return f"ssh-ed25519 {base64.b64encode(public).decode()}"


def _verified(books: Books, signature: str, payload: bytes, email: str) -> Verification:
    text = payload.decode(errors="replace")
    if not signature.startswith(BEGIN):
        return Verification("unknown_signature_type", signature, text)
    key = _signer(signature, payload)
    if key is None:
        return Verification("invalid", signature, text)
    login = books.signing_keys.get(key)
    if login is None:
        return Verification("unknown_key", signature, text)
    good = email.partition("@")[0] == login or login == books.web_flow
    return Verification("valid" if good else "bad_email", signature, text, login)


def of_commit(books: Books, made: Commit) -> Verification:
    """What its `gpgsig` proves."""
    head, _, message = made.raw.partition("\n\n")
    kept, signed = [], []
    inside = False
    for line in head.split("\n"):
        inside = line.startswith("gpgsig ") or (inside and line.startswith(" "))
        if inside:
            signed.append(line.removeprefix("gpgsig").removeprefix(" "))
        else:
            kept.append(line)
    if not signed:
        return Verification("unsigned")
    payload = ("\n".join(kept) + "\n\n" + message).encode(errors="surrogateescape")
    return _verified(books, "\n".join(signed) + "\n", payload, made.committer.email)


async def of_tag(books: Books, git: Git, sha: str) -> Verification:
    """What the signature below its message proves."""
    text = (await git.read_object("tag", sha)).decode(errors="surrogateescape")
    payload, mark, rest = text.partition(BEGIN)
    if not mark:
        return Verification("unsigned")
    email = payload.partition("\ntagger ")[2].partition("<")[2].partition(">")[0]
    return _verified(books, mark + rest, payload.encode(errors="surrogateescape"), email)
