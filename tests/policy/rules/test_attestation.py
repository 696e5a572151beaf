"""Attestations about the candidate's digest."""

from __future__ import annotations

from typing import Any

import pytest

from policy.evidence import Attestation
from policy.finding import Standing
from tests.policy.good import NEW, OLD
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

SLSA, SPDX = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"
CI = "https://github.com/acme/pipelines/.github/workflows/build.yml@refs/tags/v3"


def attestation(predicate: str = SLSA, digest: Any = NEW, builder: str = CI, **more: Any) -> Attestation:
    return Attestation(predicate, digest, builder, **{"verified": True, **more})


@pytest.mark.requirement("S4-074", "S4-090")
@pytest.mark.parametrize(
    ("attestations", "standing", "reason"),
    [
        ((attestation(),), MET, f"attested for aaaaaaaaaaaa: {SLSA}"),
        ((attestation(digest=OLD), attestation(SPDX), attestation()), MET, None),
        ((), UNMET, f"{SLSA}: nobody attested it for aaaaaaaaaaaa"),
        ((attestation(SPDX),), UNMET, f"{SLSA}: nobody attested it for aaaaaaaaaaaa"),
        ((attestation(digest=OLD),), UNMET, f"{SLSA}: about bbbbbbbbbbbb, not about aaaaaaaaaaaa"),
        ((attestation(builder="mallory"),), UNMET, f"{SLSA}: made by mallory, not by {CI}"),
        ((attestation(verified=False, why_not="the certificate expired"),), UNMET, f"{SLSA}: the certificate expired"),
        ((attestation(verified=False),), UNMET, f"{SLSA}: it is not verified"),
        ((attestation(verified=False), attestation(builder="mallory"), attestation(digest=OLD)), UNMET, None),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_one_statement_about_the_digest_by_a_builder_that_counts(
    attestations: Any, standing: Standing, reason: str | None
) -> None:
    finding = judged(gate("attestation", predicates=[SLSA], builders=[CI]), seeing(attestations=attestations))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_every_predicate_is_asked_for() -> None:
    finding = judged(gate("attestation", predicates=[SLSA, SPDX], builders=[CI]), seeing(attestations=(attestation(),)))
    assert finding.reason == f"{SPDX}: nobody attested it for aaaaaaaaaaaa"
    assert [remedy.says for remedy in finding.remedies] == [f"{CI} attests {SPDX} for aaaaaaaaaaaa"]
