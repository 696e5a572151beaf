"""What do attestations prove? Documents and signatures of an artifact, told from what was verified."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from policy.evidence import Attestation, Document, Signature
from policy.model import Unknown

PROVENANCE = ("https://slsa.dev/provenance/",)
DOCUMENTS: Mapping[str, tuple[str, ...]] = {
    "provenance": PROVENANCE,
    "sbom": ("https://spdx.dev/Document", "https://cyclonedx.org/bom"),
    "scan": ("https://in-toto.io/attestation/vulns", "https://cosign.sigstore.dev/attestation/vuln/"),
}
"""Item → how the types of statements begin that are one. https://github.com/in-toto/attestation/tree/main/spec"""
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "provenance": PROVENANCE,
    "image": (*PROVENANCE, "https://sigstore.dev/cosign/sign/"),
}
"""What is signed → the statements whose signature is one of it: provenance binds an image's digest to its builder."""


EVER = datetime.min.replace(tzinfo=UTC)


def looked_at(gate: Any) -> bool:  # noqa: ANN401 - any kind of gate
    """Whether attestations tell what the gate looks at."""
    match gate.kind:
        case "attestation":
            return True
        case "evidence":
            return bool(DOCUMENTS.keys() & set(gate.items))
        case "signature":
            return bool(SUBJECTS.keys() & set(gate.subjects))
    return False


def documents(attestations: tuple[Attestation, ...] | Unknown, items: Collection[str]) -> dict[str, Document] | Unknown:
    """By item, the newest that was verified of it; one that nobody attested is left out."""
    unasked = sorted(set(items) - DOCUMENTS.keys())
    if unasked:
        return Unknown(f"nothing here can look for {', '.join(unasked)} yet")
    if isinstance(attestations, Unknown):
        return attestations
    found = {}
    for item in items:
        good = [one for one in attestations if one.verified and one.predicate.startswith(DOCUMENTS[item])]
        if good:
            newest = max(good, key=lambda one: one.at or EVER)
            found[item] = Document(f"statement sha256:{newest.hash}", newest.digest, newest.at)
    return found


def signatures(attestations: tuple[Attestation, ...] | Unknown, gates: Iterable[Any]) -> dict[str, Signature] | Unknown:
    """Of image and provenance, as far as these gates ask."""
    gates = tuple(gates)
    subjects = SUBJECTS.keys() & {subject for gate in gates for subject in gate.subjects}
    if isinstance(attestations, Unknown):
        return attestations if subjects else {}
    allowed = [set(gate.signed_by) for gate in gates if gate.signed_by]
    return {subject: _signature(attestations, SUBJECTS[subject], allowed) for subject in sorted(subjects)}


def _signature(
    attestations: Sequence[Attestation], kinds: tuple[str, ...], allowed: Sequence[Collection[str]]
) -> Signature:
    """Of several the one that most of those who ask would take."""
    of_it = [one for one in attestations if one.predicate.startswith(kinds)]
    good = [one for one in of_it if one.verified]
    if good:
        best = max(good, key=lambda one: sum(one.builder in each for each in allowed))
        return Signature(verified=True, by=best.builder)
    return Signature(verified=False, why_not=next((one.why_not for one in of_it if one.why_not), "unsigned"))
