"""Signatures of tags, images and provenance."""

from __future__ import annotations

from typing import Any

import pytest

from policy.evidence import Signature
from policy.finding import Standing
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

CI = "https://github.com/acme/checkout/.github/workflows/release.yml@refs/heads/main"
BOTH = {"subjects": ["tag", "image"]}
GOOD = {"tag": Signature(verified=True, by=CI), "image": Signature(verified=True, by=CI)}


@pytest.mark.requirement("S4-072", "S4-073", "S4-074")
@pytest.mark.parametrize(
    ("asked", "signatures", "standing", "reason"),
    [
        (BOTH, GOOD, MET, "signatures verified for 9f1c2ab: tag and image"),
        (
            BOTH,
            {**GOOD, "image": Signature(verified=False, why_not="no signature for sha256:aa11")},
            UNMET,
            "signatures for 9f1c2ab: image: not verified (no signature for sha256:aa11)",
        ),
        (
            BOTH,
            {"tag": Signature(verified=False, why_not="unsigned"), "image": Signature(verified=False)},
            UNMET,
            "signatures for 9f1c2ab: tag: not verified (unsigned); image: not verified",
        ),
        (BOTH, {"tag": GOOD["tag"]}, UNKNOWN, "signatures for 9f1c2ab: image: not looked at"),
        ({"subjects": ["provenance"]}, {}, UNKNOWN, "signatures for 9f1c2ab: provenance: not looked at"),
        ({**BOTH, "signed_by": [CI]}, GOOD, MET, None),
        (
            {**BOTH, "signed_by": [CI]},
            {**GOOD, "image": Signature(verified=True, by="mallory")},
            UNMET,
            f"signatures for 9f1c2ab: image: by mallory, not by {CI}",
        ),
        (
            {**BOTH, "signed_by": [CI]},
            {**GOOD, "image": Signature(verified=True)},
            UNMET,
            f"signatures for 9f1c2ab: image: by nobody knows whom, not by {CI}",
        ),
        ({**BOTH, "signed_by": [CI]}, {**GOOD, "image": Signature(verified=False, by=CI)}, UNMET, None),
        (BOTH, GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_each_is_verified_and_by_whom_it_may(
    asked: dict[str, Any], signatures: Any, standing: Standing, reason: str | None
) -> None:
    finding = judged(gate("signature", **asked), seeing(signatures=signatures))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_what_would_help_says_whose_signature() -> None:
    (remedy,) = judged(gate("signature", **BOTH, signed_by=[CI]), seeing(signatures={"tag": GOOD["tag"]})).remedies
    assert remedy.says == f"a verified signature by {CI} of image for 9f1c2ab"
