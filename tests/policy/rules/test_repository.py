"""What the repository has, and what the change touches."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from policy.evidence import Changes, Repository
from policy.finding import Standing
from policy.model import Unknown
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

FILES = {"files": ["CODEOWNERS", "SECURITY.md", "RELEASE.md"], "owned": ["services/api/**"]}
NO_COGNITION = {"untouched": ["cognition/**", "**/migrations/**"]}
FRAGMENT = {"touched": ["changelog.d/*"]}


@pytest.mark.requirement("S1-08", "S4-040", "S4-059", "S4-065", "S4-252", "S4-283", "S4-336")
@pytest.mark.parametrize(
    ("asked", "seen", "standing", "reason"),
    [
        (FILES, {"repository": Repository()}, MET, "the repository is as it must be"),
        (FILES, {"repository": Repository(missing=("RELEASE.md",))}, UNMET, "RELEASE.md is missing"),
        (FILES, {"repository": Repository(unowned=("services/api/**",))}, UNMET, "nobody owns services/api/**"),
        (FILES, {"repository": Repository(missing=("docs/audit",), unowned=("docs/**",))}, MET, None),
        ({"files": ["a"]}, {"repository": Repository(missing=("a",))}, UNMET, "a is missing"),
        ({"owned": ["a/**"]}, {"repository": Repository(unowned=("a/**",))}, UNMET, "nobody owns a/**"),
        (FILES, {"repository": GONE}, UNKNOWN, "it does not answer"),
        (NO_COGNITION, {"changes": Changes(files=("api/app.py",))}, MET, None),
        (
            NO_COGNITION,
            {"changes": Changes(files=("api/app.py", "cognition/router.py"))},
            UNMET,
            "the change touches cognition/router.py",
        ),
        (NO_COGNITION, {"changes": Changes(files=("migrations/1.sql",))}, UNMET, "the change touches migrations/1.sql"),
        (
            NO_COGNITION,
            {"changes": Changes(files=("cognition/a", "cognition/b"))},
            UNMET,
            "the change touches cognition/a",
        ),
        (NO_COGNITION, {"changes": Changes(files=("api/app.py",), complete=False)}, UNKNOWN, None),
        (NO_COGNITION, {"changes": Changes(files=("cognition/x",), complete=False)}, UNMET, None),
        (NO_COGNITION, {"changes": GONE}, UNKNOWN, "it does not answer"),
        (
            {**FILES, **NO_COGNITION},
            {"repository": GONE, "changes": Unknown("nor this")},
            UNKNOWN,
            "it does not answer",
        ),
        ({**FILES, **NO_COGNITION}, {"repository": GONE, "changes": Changes()}, UNKNOWN, "it does not answer"),
        (
            {**FILES, **NO_COGNITION},
            {"repository": GONE, "changes": Changes(complete=False)},
            UNKNOWN,
            "it does not answer",
        ),
        (FRAGMENT, {"changes": Changes(files=("changelog.d/12.md",))}, MET, None),
        (FRAGMENT, {"changes": Changes()}, UNMET, "the change touches nothing like changelog.d/*"),
        (FRAGMENT, {"changes": Changes(complete=False)}, UNKNOWN, None),
    ],
)
def test_it_is_as_it_must_be(
    asked: dict[str, Any], seen: dict[str, Any], standing: Standing, reason: str | None
) -> None:
    finding = judged(gate("repository", **asked), seeing(**seen))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_files_can_be_added_and_a_change_cannot_be_taken_back() -> None:
    lacking = Repository(missing=("RELEASE.md",), unowned=("services/api/**",))
    (remedy,) = judged(gate("repository", **FILES), seeing(repository=lacking)).remedies
    assert remedy.says == "mend on the default branch: RELEASE.md is missing and nobody owns services/api/**"
    both = seeing(repository=lacking, changes=Changes(files=("cognition/x",)))
    assert not judged(gate("repository", **FILES, **NO_COGNITION), both).remedies
    unseen = seeing(repository=lacking, changes=GONE)
    assert not judged(gate("repository", **FILES, **NO_COGNITION), unseen).remedies


def test_a_gate_that_asks_for_nothing_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="asks for nothing"):
        gate("repository")
