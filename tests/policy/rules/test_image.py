"""Where the image comes from."""

from __future__ import annotations

from typing import Any

import pytest

from policy.finding import Standing
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

ARTIFACTS = "europe-docker.pkg.dev/acme-artifacts/*/*"
APPROVED = gate("image", names=[ARTIFACTS], forbid=["**-prod:*", "**:latest@*"])
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.requirement("S4-083", "S4-091", "S4-092")
@pytest.mark.parametrize(
    ("image", "standing", "reason"),
    [
        (f"europe-docker.pkg.dev/acme-artifacts/acme/api:v1.4.2@{DIGEST}", MET, None),
        ("docker.io/acme/api:v1.4.2", UNMET, f"docker.io/acme/api:v1.4.2 is not called like {ARTIFACTS}"),
        (
            "europe-docker.pkg.dev/acme-artifacts/acme/app-prod:v1.4.2",
            UNMET,
            "europe-docker.pkg.dev/acme-artifacts/acme/app-prod:v1.4.2 is called like **-prod:* or **:latest@*, as no image may be",
        ),
        (f"europe-docker.pkg.dev/acme-artifacts/x/foo:latest@{DIGEST}", UNMET, None),
        ("evil.test/europe-docker.pkg.dev/acme-artifacts/acme/api", UNMET, None),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_it_is_called_as_images_may_be(image: Any, standing: Standing, reason: str | None) -> None:
    finding = judged(APPROVED, seeing(image=image))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason
    assert not finding.remedies, "another image is another candidate"


def test_any_name_will_do_where_only_some_are_forbidden() -> None:
    assert judged(gate("image", forbid=["**-prod:*"]), seeing(image="docker.io/acme/api:v1")).standing is MET
