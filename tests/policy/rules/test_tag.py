"""Release tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.evidence import Tag
from policy.facts import Candidate
from policy.finding import Standing
from policy.model import Sha
from tests.policy.good import COMMIT, NEW, OLD, PROMOTION, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

PATTERN = r"^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"
RELEASE = gate(
    "tag", pattern=PATTERN, signed=True, created_by=["github:app/release-ci"], semver=True, patches=["hotfix", "patch"]
)
OTHER = Sha("ab34" + "0" * 36)
GOOD = Tag("v1.5.0", COMMIT, annotated=True, verified=True, made_by="github:app/release-ci", previous="v1.4.2")


@pytest.mark.requirement(
    "S4-019", "S4-066", "S4-068", "S4-069", "S4-070", "S4-071", "S4-072", "S4-075", "S4-080", "S4-095"
)
@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (None, f"9f1c2ab bears no release tag like {PATTERN}"),
        ({"name": "v1.4"}, f"v1.4 is not called like {PATTERN}; it is no version like 1.4.2"),
        ({"name": "v1.5.0-rc1"}, f"v1.5.0-rc1 is not called like {PATTERN}"),
        ({"name": "v1.5.0\n"}, f"v1.5.0\n is not called like {PATTERN}"),
        ({"annotated": False}, "v1.5.0 is not annotated"),
        ({"made_by": "github:maya-gh"}, "v1.5.0 was made by github:maya-gh, not by github:app/release-ci"),
        ({"made_by": ""}, "v1.5.0 was made by nobody knows whom, not by github:app/release-ci"),
        (
            {"commit": OTHER, "first_commit": COMMIT},
            "v1.5.0 is on ab34000, not on 9f1c2ab; it was moved: it was first seen on 9f1c2ab and is on ab34000",
        ),
        ({"first_commit": OTHER}, "v1.5.0 was moved: it was first seen on ab34000 and is on 9f1c2ab"),
        ({"commit": OTHER}, "v1.5.0 is on ab34000, not on 9f1c2ab"),
        ({"verified": False, "why_not": "unsigned"}, "v1.5.0 has no verified signature (unsigned)"),
        (
            {"first_digest": OLD},
            "v1.5.0 already names bbbbbbbbbbbb; aaaaaaaaaaaa needs a version of its own",
        ),
    ],
)
def test_a_tag_that_is_not_as_it_must_be_blocks(tag: dict[str, Any] | None, reason: str) -> None:
    seen = None if tag is None else replace(GOOD, **tag)
    finding = judged(RELEASE, seeing(tag=seen))
    assert (finding.standing, finding.reason) == (UNMET, reason)


@pytest.mark.parametrize(
    "tag", [GOOD, replace(GOOD, first_commit=COMMIT, first_digest=NEW), replace(GOOD, previous="")]
)
def test_a_good_tag_is_enough(tag: Tag) -> None:
    finding = judged(RELEASE, seeing(tag=tag))
    assert (finding.standing, finding.reason) == (MET, "v1.5.0 is on 9f1c2ab")


def test_what_the_policy_does_not_ask_for_is_not_looked_at() -> None:
    plain = gate("tag", pattern="^v.*$", annotated=False)
    tag = Tag("v1", COMMIT, made_by="github:maya-gh", previous="v9")
    assert judged(plain, seeing(tag=tag)).standing is MET


def test_an_unknown_tag_blocks() -> None:
    assert judged(RELEASE, seeing(tag=GONE)).standing is UNKNOWN
    assert judged(RELEASE, seeing(but(candidate=Candidate(NEW, GONE)), tag=GOOD)).standing is UNKNOWN


@pytest.mark.requirement("S4-067", "S4-078", "S4-167")
@pytest.mark.parametrize(
    ("change", "name", "breaking", "standing", "reason"),
    [
        ("", "v1.5.0", False, MET, None),
        ("", "v1.4.3", False, MET, None),
        ("", "v1.4.2", False, UNMET, "v1.4.2 does not come after v1.4.2, which serves now"),
        ("", "v1.4.1", False, UNMET, "v1.4.1 does not come after v1.4.2, which serves now"),
        ("", "v1.10.0", False, MET, None),
        ("", "v1.5.0", True, UNMET, "v1.5.0 breaks; expected v2.0.0 after v1.4.2"),
        ("", "v2.0.0", True, MET, None),
        ("hotfix", "v1.4.3", False, MET, None),
        ("hotfix", "v1.4.4", False, MET, None),
        ("hotfix", "v1.4.2", False, UNMET, "v1.4.2 does not patch v1.4.2; expected v1.4.3"),
        ("hotfix", "v1.5.0", False, UNMET, "v1.5.0 does not patch v1.4.2; expected v1.4.3"),
        ("hotfix", "v2.4.3", False, UNMET, "v2.4.3 does not patch v1.4.2; expected v1.4.3"),
        ("patch", "v1.5.0", False, UNMET, None),
        ("feature", "v1.5.0", False, MET, None),
    ],
)
def test_the_version_says_what_sort_of_change_it_is(
    change: str, name: str, breaking: bool, standing: Standing, reason: str | None
) -> None:
    tag = replace(GOOD, name=name, breaking=breaking)
    finding = judged(RELEASE, seeing(tag=tag), replace(PROMOTION, change=change))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_what_patches_is_a_patch_though_the_gate_asks_no_order_of_others() -> None:
    patching = gate("tag", pattern="^v.*$", annotated=False, patches=["hotfix"])
    tag = replace(GOOD, name="v2.0.0")
    assert judged(patching, seeing(tag=tag), replace(PROMOTION, change="hotfix")).standing is UNMET
    assert judged(patching, seeing(tag=replace(tag, name="v1.0.0"))).standing is MET


def test_the_first_version_in_a_name_is_the_one_that_goes_on() -> None:
    dated = gate("tag", pattern="^v.*$", patches=["hotfix"])
    tag = replace(GOOD, name="v2.0.0", previous="v1.4.2-of-2026.11.3")
    finding = judged(dated, seeing(tag=tag), replace(PROMOTION, change="hotfix"))
    assert finding.reason.endswith("expected v1.4.3-of-2026.11.3")


def test_the_first_tag_of_all_can_be_made_anew_too() -> None:
    (remedy,) = judged(RELEASE, seeing(tag=replace(GOOD, verified=False, previous=""))).remedies
    assert remedy.says.startswith("a new annotated signed tag like ")


def test_a_version_that_cannot_be_compared_blocks() -> None:
    finding = judged(RELEASE, seeing(tag=replace(GOOD, previous="2026-11")))
    assert (finding.standing, finding.remedies) == (UNMET, ())
    assert finding.reason == "v1.5.0 cannot be compared with 2026-11, which serves now"


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        (None, "v1.0.0"),
        (replace(GOOD, verified=False), "v1.5.0"),
        (replace(GOOD, name="v1.5.0", breaking=True), "v2.0.0"),
    ],
)
def test_what_helps_is_a_new_tag_because_tags_are_never_moved(tag: Tag | None, says: str) -> None:
    facts = seeing(tag=tag)
    (remedy,) = judged(RELEASE, facts).remedies
    assert remedy.says == f"a new annotated signed tag like {PATTERN} is on 9f1c2ab, made by github:app/release-ci"
    assert remedy.applied is not None
    made = remedy.applied(facts).evidence.tag
    assert isinstance(made, Tag)
    assert made.name == says


def test_where_no_name_is_known_that_would_fit_nothing_is_suggested() -> None:
    assert not judged(gate("tag", pattern="^release-[a-f]+$"), seeing(tag=None)).remedies


def test_nothing_is_suggested_that_the_policy_does_not_ask_for() -> None:
    (remedy,) = judged(gate("tag", pattern="^v.*$", annotated=False), seeing(tag=None)).remedies
    assert remedy.says == "a new tag like ^v.*$ is on 9f1c2ab"
