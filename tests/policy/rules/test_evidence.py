"""Documents that belong to the candidate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.evidence import Document
from policy.finding import Standing
from tests.policy.good import NEW, NOW, OLD, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
SBOM = gate("evidence", items=["sbom", "provenance"])
HERE = {item: Document(f"https://registry.test/{item}", NEW, NOW) for item in ("sbom", "provenance")}


@pytest.mark.requirement("S1-32", "S1-35", "S4-013", "S4-088", "S4-090")
@pytest.mark.parametrize(
    ("documents", "standing", "reason"),
    [
        (HERE, MET, "there for 9f1c2ab: sbom and provenance"),
        ({**HERE, "sbom": Document("docs/sbom.json")}, MET, "there for 9f1c2ab: sbom and provenance"),
        ({"provenance": HERE["provenance"]}, UNMET, "sbom is missing for 9f1c2ab"),
        ({}, UNMET, "sbom is missing for 9f1c2ab; provenance is missing for 9f1c2ab"),
        (
            {**HERE, "provenance": Document("https://registry.test/p", OLD)},
            UNMET,
            "provenance is of bbbbbbbbbbbb, not of aaaaaaaaaaaa",
        ),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_each_is_there_for_the_candidate(documents: Any, standing: Standing, reason: str) -> None:
    finding = judged(SBOM, seeing(documents=documents))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.parametrize(
    ("at", "standing"), [(NOW - DAY + TICK, MET), (NOW - DAY, UNMET), (NOW - DAY - TICK, UNMET), (None, UNMET)]
)
def test_an_old_document_is_stale(at: Any, standing: Standing) -> None:
    documents = {"scan": Document("https://scan.test/1", NEW, at)}
    assert judged(gate("evidence", items=["scan"], max_age="P1D"), seeing(documents=documents)).standing is standing


def test_without_a_candidate_no_document_is_of_it() -> None:
    assert judged(SBOM, seeing(but(candidate=GONE), documents=HERE)).standing is UNKNOWN
