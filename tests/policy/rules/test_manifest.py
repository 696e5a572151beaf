"""Several services as one set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.evidence import Manifest
from policy.finding import Standing
from tests.policy.rules.judging import GONE, MET, NA, UNKNOWN, UNMET, gate, judged, seeing

H1, H2 = "1a" * 32, "2b" * 32
GOOD = Manifest(H2, tested=H2)


@pytest.mark.requirement("S4-235", "S4-237", "S4-240", "S4-241", "S4-246")
@pytest.mark.parametrize(
    ("manifest", "standing", "reason"),
    [
        (GOOD, MET, "manifest 2b2b2b2 was tested as it is"),
        (None, NA, "it is one service, not a set of several"),
        (
            replace(GOOD, incomplete=("web: commit",)),
            UNMET,
            "the manifest lacks web: commit; complete, it is another candidate",
        ),
        (
            replace(GOOD, tested=H1),
            UNMET,
            "the integration tests ran against 1a1a1a1, and the manifest is 2b2b2b2",
        ),
        (replace(GOOD, tested=""), UNMET, "the integration tests did not run, and the manifest is 2b2b2b2"),
        (replace(GOOD, unmet=("web: sast failed",)), UNMET, "web: sast failed"),
        (
            replace(GOOD, unreleased=("lib v2.0.0",)),
            UNMET,
            "lib v2.0.0 is not released yet, and others wait for it",
        ),
        (
            replace(GOOD, uncoordinated=("lib 1→2",)),
            UNMET,
            "lib 1→2 breaks those who depend on it, and nobody says how they go together",
        ),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_it_is_one_tested_set(manifest: Any, standing: Standing, reason: str) -> None:
    finding = judged(gate("manifest"), seeing(manifest=manifest))
    assert (finding.standing, finding.reason) == (standing, reason)


def test_what_is_to_be_done_is_said_at_once_and_a_changed_set_is_another_candidate() -> None:
    bad = Manifest(H2, unmet=("web: sast failed",), unreleased=("lib v2.0.0",), uncoordinated=("lib 1→2",))
    (remedy,) = judged(gate("manifest"), seeing(manifest=bad)).remedies
    assert remedy.says == (
        "every entry meets its own gates; release lib v2.0.0 first; link a plan for lib 1→2; "
        "the integration tests pass against 2b2b2b2"
    )
    assert not judged(gate("manifest"), seeing(manifest=replace(bad, incomplete=("web: commit",)))).remedies
