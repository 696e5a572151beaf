"""Does an attestation hold, by certificate and public log? Told offline, from a trusted root that was given before.

Loaded at the first question, in a thread: the library is an extra, and brings 50 MB along.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)
from sigstore.errors import CertValidationError, Error
from sigstore.models import Bundle, IncompatibleEntry, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.trustroot import v1 as trusted

from bot.github.verifier import UNREADABLE, Untold, Untrue, Vouched
from commands.errors import Rejected

log = logging.getLogger(__name__)

PINNED = "https://tuf-repo-cdn.sigstore.dev"
"""Whose root the library carries along: the public instance's, as it was when the lock file was made."""
# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_FULCIO = "1.3.6.1.4.1.57264.1."
ISSUER, RUNNER, REPOSITORY, COMMIT = (ObjectIdentifier(f"{_FULCIO}{number}") for number in (8, 11, 12, 13))


class SigstoreVerifier:
    """It goes by the trusted roots in that file, one or several, each on a line; by the pinned one without a file."""

    def __init__(self, trusted_root: Path | None) -> None:
        try:
            self._verifiers = _verifiers(_pinned() if trusted_root is None else trusted_root.read_bytes())
        except (OSError, ValueError, Error) as error:
            raise Rejected("The trusted root for attestations cannot be read.") from error

    def vouched(self, bundle: bytes) -> Vouched:
        """What is behind it; `Untrue` where no trusted root bears it out."""
        try:
            read = Bundle.from_json(bundle)
        except IncompatibleEntry as error:
            raise Untold("it is of a newer kind than can be verified here") from error
        except (Error, ValueError) as error:
            if _unlogged(bundle):
                raise Untold("it is in no public log, as those of private repositories") from error
            raise Untrue("it cannot be read") from error
        if not self._verifiers:
            raise Untold("the trusted root has no log to go by")
        told: Error | None = None
        for verifier in self._verifiers:
            seen = _Seen()
            try:
                kind, said = verifier.verify_dsse(read, seen)
            except Error as error:  # an envelope without a signature is no VerificationError
                told = told if told is not None and isinstance(error, CertValidationError) else error
                continue
            return seen.vouched(kind, said)
        log.info("an attestation does not hold: %s", told)
        if isinstance(told, CertValidationError):
            raise Untrue("nobody trusted vouches for who signed it") from told
        raise Untrue("its signature does not hold") from told


class _Seen:
    """Who signed, as the certificate says that is being verified; whether that is right, others decide."""

    def __init__(self) -> None:
        self._certificate: Certificate | None = None

    def verify(self, cert: Certificate) -> None:
        """The certificate, whose chain was verified, is known. Part of the library's contract."""
        self._certificate = cert

    def vouched(self, kind: str, said: bytes) -> Vouched:
        cert = self._certificate
        if cert is None:
            raise Untrue("it names no signer")
        names = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
        workflows = names.get_values_for_type(UniformResourceIdentifier)
        if len(workflows) != 1:
            raise Untrue("it names no workflow that signed")
        return Vouched(
            kind,
            said,
            _word(cert, ISSUER),
            workflows[0],
            _word(cert, REPOSITORY),
            _word(cert, COMMIT),
            _word(cert, RUNNER),
            cert.not_valid_before_utc,  # certificates live for minutes, made for the one signature
        )


def _word(cert: Certificate, oid: ObjectIdentifier) -> str:
    """What it says there; empty where it does not."""
    try:
        found = cert.extensions.get_extension_for_oid(oid).value
    except ExtensionNotFound:
        return ""
    if not isinstance(found, UnrecognizedExtension):
        return ""
    try:
        return asn1.decode_der(str, found.value)
    except ValueError:
        return ""


def _verifiers(text: bytes) -> Sequence[Verifier]:
    """One for each trusted root; one without a log can bear out nothing and is left out."""
    whole = json.loads(text) if text.count(b'"mediaType"') == 1 else None
    lines = [text] if whole is not None else [line for line in text.splitlines() if line.strip()]
    roots = [TrustedRoot(trusted.TrustedRoot.from_json(line)) for line in lines]
    return [Verifier(trusted_root=root) for root in roots if root._inner.tlogs]  # noqa: SLF001 - says no other way


def _pinned() -> bytes:
    return resources.files("sigstore._store").joinpath(quote(PINNED, safe=""), "trusted_root.json").read_bytes()


def _unlogged(bundle: bytes) -> bool:
    """Whether it has the word of a time stamp, and of no log."""
    try:
        material = json.loads(bundle)["verificationMaterial"]
        stamped = material["timestampVerificationData"]["rfc3161Timestamps"]
    except UNREADABLE:
        return False
    return bool(stamped) and not material.get("tlogEntries")
