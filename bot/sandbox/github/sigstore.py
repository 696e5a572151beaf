"""Who vouches for what a workflow attests? A certificate authority and two logs, made up for one sandbox.

They sign as the public ones do, so what verifies theirs verifies these, given the trusted root that stands for them:
https://github.com/sigstore/protobuf-specs, https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://token.actions.githubusercontent.com"
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
ENDS = datetime(2049, 1, 1, tzinfo=UTC)
CERTIFIED = timedelta(minutes=10)
IN_TOTO = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v1"
SBOM = "https://spdx.dev/Document/v2.3"
_FULCIO = "1.3.6.1.4.1.57264.1."
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_P256 = "PKIX_ECDSA_P256_SHA_256"
_LEAF, _NODE = b"\0", b"\1"


@dataclass(frozen=True, slots=True)
class Workflow:
    """Who signs: a run of a workflow, as its certificate says."""

    builder: str
    """`https://github.com/acme/pipelines/.github/workflows/build.yml@refs/tags/v3`."""
    repository: str
    """`https://github.com/acme/checkout`: whose code it built."""
    commit: str
    issuer: str = ISSUER
    runner: str = "github-hosted"


def statement(digest: str, predicate_type: str, predicate: Mapping[str, Any] | None = None) -> bytes:
    """What says that of the artifact with that digest, `sha256:…`."""
    kind, _, value = digest.partition(":")
    subject = [{"name": "image", "digest": {kind: value}}]
    said = {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate_type}
    return json.dumps({**said, "predicate": dict(predicate or {})}).encode()


class Sigstore:
    """An authority with its logs. Nothing of it outlives this object."""

    def __init__(self) -> None:
        self._authority, self._certified, self._log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self._leaves: list[bytes] = []
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sandbox"),
                x509.NameAttribute(NameOID.COMMON_NAME, "Sandbox certificate authority"),
            ]
        )
        public = self._authority.public_key()
        self._root = (
            x509.CertificateBuilder(name, name, public, x509.random_serial_number(), BEGAN, ENDS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._authority, hashes.SHA256())
        )

    def trusted_root(self) -> str:
        """What whoever trusts this authority and its logs is given, JSON."""
        certificates = [{"rawBytes": _text(self._root.public_bytes(Encoding.DER))}]
        authority = {
            "subject": {"organization": "sandbox", "commonName": "Sandbox certificate authority"},
            "uri": "https://fulcio.sandbox.invalid",
            "certChain": {"certificates": certificates},
            "validFor": {"start": _moment(BEGAN)},
        }
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [_instance("https://rekor.sandbox.invalid", self._log)],
                "certificateAuthorities": [authority],
                "ctlogs": [_instance("https://ctfe.sandbox.invalid", self._certified)],
                "timestampAuthorities": [],
            }
        )

    def attest(self, said: bytes, by: Workflow, at: datetime) -> dict[str, Any]:
        """The bundle in which that workflow signed this statement at that time, as it is logged."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(key.public_key(), by, at)
        kind = IN_TOTO.encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(said), said)
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        envelope = {"payload": _text(said), "payloadType": IN_TOTO, "signatures": [{"sig": _text(signature)}]}
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _text(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(envelope, said, certificate, at)],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
            "dsseEnvelope": envelope,
        }

    def _certificate(self, key: ec.EllipticCurvePublicKey, by: Workflow, at: datetime) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder(
                self._root.subject, x509.Name([]), key, x509.random_serial_number(), at, at + CERTIFIED
            )
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key()), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(by.builder)]),
                critical=True,  # there is no subject
            )
        )
        for number, value in (
            (8, by.issuer),
            (9, by.builder),
            (11, by.runner),
            (12, by.repository),
            (13, by.commit),
        ):
            oid = x509.ObjectIdentifier(f"{_FULCIO}{number}")
            said = value.encode()
            builder = builder.add_extension(
                x509.UnrecognizedExtension(oid, b"\x0c" + _length(len(said)) + said), critical=False
            )
        logged = builder.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes
        promise = _octets(self._promise(logged, at))
        return builder.add_extension(x509.UnrecognizedExtension(_SCTS, promise), critical=False).sign(
            self._authority, hashes.SHA256()
        )

    def _promise(self, logged: bytes, at: datetime) -> bytes:
        """That the certificate is in its log: https://www.rfc-editor.org/rfc/rfc6962#section-3.2."""
        head = b"\0" + _id(self._certified)
        moment = int(at.timestamp() * 1000).to_bytes(8)
        of_it = b"\0\1" + _id(self._authority) + len(logged).to_bytes(3) + logged + b"\0\0"
        signature = self._certified.sign(b"\0\0" + moment + of_it, ec.ECDSA(hashes.SHA256()))
        one = head + moment + b"\0\0" + b"\4\3" + len(signature).to_bytes(2) + signature
        listed = len(one).to_bytes(2) + one
        return len(listed).to_bytes(2) + listed

    def _entry(
        self, envelope: Mapping[str, Any], said: bytes, certificate: x509.Certificate, at: datetime
    ) -> dict[str, Any]:
        """Its row of the log, with the proof that it is there and the log's word for when it came."""
        verifier = _text(certificate.public_bytes(Encoding.PEM))
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(said).hexdigest()},
            "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": verifier}],
        }
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}, sort_keys=True, separators=(",", ":"))
        index = len(self._leaves)
        self._leaves.append(hashlib.sha256(_LEAF + body.encode()).digest())
        root, moment = _top(self._leaves), int(at.timestamp())
        promised = json.dumps(
            {
                "body": _text(body.encode()),
                "integratedTime": moment,
                "logID": _id(self._log).hex(),
                "logIndex": index,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        note = f"sandbox log\n{len(self._leaves)}\n{_text(root)}\n"
        signature = _id(self._log)[:4] + self._log.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        return {
            "logIndex": str(index),
            "logId": {"keyId": _text(_id(self._log))},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(moment),
            "inclusionPromise": {
                "signedEntryTimestamp": _text(self._log.sign(promised.encode(), ec.ECDSA(hashes.SHA256())))
            },
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": _text(root),
                "treeSize": str(len(self._leaves)),
                "hashes": [_text(one) for one in _path(index, self._leaves)],
                "checkpoint": {"envelope": f"{note}\n— sandbox {_text(signature)}\n"},
            },
            "canonicalizedBody": _text(body.encode()),
        }


def _top(leaves: Sequence[bytes]) -> bytes:
    """The hash over all of them: https://www.rfc-editor.org/rfc/rfc6962#section-2.1."""
    if len(leaves) == 1:
        return leaves[0]
    left = _split(len(leaves))
    return hashlib.sha256(_NODE + _top(leaves[:left]) + _top(leaves[left:])).digest()


def _path(index: int, leaves: Sequence[bytes]) -> Iterator[bytes]:
    """What proves that this one is among them, from the bottom up."""
    if len(leaves) == 1:
        return
    left = _split(len(leaves))
    if index < left:
        yield from _path(index, leaves[:left])
        yield _top(leaves[left:])
    else:
        yield from _path(index - left, leaves[left:])
        yield _top(leaves[:left])


def _split(size: int) -> int:
    """The largest power of two below it."""
    return 1 << ((size - 1).bit_length() - 1)


def _instance(url: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    public = _text(_public(key))
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": public, "keyDetails": _P256, "validFor": {"start": _moment(BEGAN)}},
        "logId": {"keyId": _text(_id(key))},
    }


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_public(key)).digest()


def _usage(*of: str) -> x509.KeyUsage:
    kinds = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{kind: kind in of for kind in kinds})


def _octets(value: bytes) -> bytes:
    return b"\x04" + _length(len(value)) + value


def _length(size: int) -> bytes:
    """As DER writes it: https://www.itu.int/rec/T-REC-X.690."""
    if size < 0x80:
        return bytes((size,))
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((0x80 | len(digits),)) + digits


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def built_elsewhere(by: Workflow) -> Workflow:
    """The same on a machine that somebody brought along."""
    return replace(by, runner="self-hosted")
