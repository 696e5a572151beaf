"""What a look over a repository makes of what it sees: boundaries, and what counts as pinned."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.policy_file import read_policy
from commands.audit import (
    Scope,
    merged_by_commit,
    misnamed_environments,
    missing_branches,
    not_closed,
    not_deleted,
    pinned,
    proposals,
    scopes,
    too_old,
)
from commands.ports import Proposed, Unmerged
from policy.document import Policy
from policy.evidence import Changes, Commit, PullRequest
from policy.model import Sha
from tests.world import DAY, START

APP = "acme/app"
A, B = Sha("a" * 40), Sha("b" * 40)
SECOND = timedelta(seconds=1)
POLICY = read_policy(Path(__file__).parents[2] / "deploy/policies/seed000.yaml").policy


def scope(gates: dict[str, Any] | None = None, **audit: Any) -> Scope:
    """Of seed 000's repository; gates besides its own are required of every path."""
    raw = POLICY.model_dump(mode="python", by_alias=True) | {"audit": audit}
    raw["gates"] = {**raw["gates"], **(gates or {})}
    raw["paths"] = [{**path, "requires": [*path["requires"], *(gates or ())]} for path in raw["paths"]]
    return scopes(Policy.model_validate(raw))[APP]


def proposed(number: int, head: str, base: str, **also: Any) -> Proposed:
    merged_at = also.pop("merged_at", None)
    return Proposed(PullRequest(number, "Bring it", head=head, base=base, **also), A, merged_at)


@pytest.mark.parametrize(
    ("part", "whether"),
    [
        ("acme/build.yml@main", False),
        ("acme/build.yml@release", False),
        ("acme/build.yml@v1-beta", True),
        ("actions/checkout@v5", True),
        ("actions/checkout@5.0.1", True),
        ("actions/checkout@" + "0f" * 20, True),
        ("actions/checkout@0f0f0f0f", False),
        ("actions/checkout", False),
        ("./own", True),
        ("docker://alpine@sha256:" + "0f" * 32, True),
        ("docker://alpine:3.20", False),
    ],
)
def test_only_commits_versions_digests_and_what_is_its_own_are_pinned(part: str, whether: bool) -> None:
    assert pinned(part) is whether


def test_the_scope_is_what_the_policy_says_of_that_repository() -> None:
    assert scopes(POLICY.model_copy(update={"audit": None})) == {}
    found = scope()
    assert list(found.shared.items()) == [("Dev", "dev"), ("stage", "stage"), ("main", "prod")]
    assert (found.trunk, found.services) == ("Dev", ("api", "web"))
    assert found.checks["Dev"] == ()
    assert "backend-tests" in found.checks["stage"]
    assert not found.owned


def test_a_name_that_is_near_is_named() -> None:
    says = [each.says for each in missing_branches(scope(), ["dev", "Stage", "trunk"])]
    assert says == [
        "branch Dev of dev not found (found dev)",
        "branch stage of stage not found (found Stage)",
        "branch main of prod not found",
    ]
    there = ["dev", "staging", "Production", "other"]
    assert [each.says for each in misnamed_environments(scope(), there)] == [
        "environment expected stage, found staging",
        "environment expected prod, found Production",
    ]
    assert list(misnamed_environments(scope(), [])) == []
    assert list(misnamed_environments(scope(), ["dev", "stage", "prod", "preview"])) == []


def test_a_pull_request_is_somebodys_where_a_gate_asks_for_that() -> None:
    nobodys, hers = proposed(7, "feature/x", "Dev"), proposed(8, "feature/y", "Dev", fields={"assignees": "lea"})
    promotion, elsewhere = proposed(9, "stage", "main"), proposed(10, "feature/z", "other")
    every = (nobodys, hers, promotion, elsewhere)
    assert list(proposals(scope(), every)) == []
    gate = {"somebody": {"kind": "pull_request", "fields": ["assignees"]}}
    assert [each.says for each in proposals(scope(gate), every)] == ["#7 is assigned to nobody"]


def test_a_branch_is_old_only_after_the_days_that_it_has() -> None:
    for age, listed in ((14 * DAY, 0), (14 * DAY + SECOND, 1)):
        found = too_old(scope(), START, "feature/x", Unmerged(2, START - age, "lea"), ())
        assert len(list(found)) == listed
    assert list(too_old(scope(), START, "feature/x", Unmerged(0), ())) == []


def test_a_merged_branch_is_left_only_where_it_stands_as_it_was_merged() -> None:
    week = START - 7 * DAY
    for at, stands, head, listed in (
        (week, A, "feature/x", 0),
        (week - SECOND, A, "feature/x", 1),
        (week - SECOND, B, "feature/x", 0),
        (week - SECOND, A, "stage", 0),
    ):
        found = not_deleted(scope(), START, {head: stands}, [proposed(7, head, "main", merged_at=at)])
        assert len(list(found)) == listed
    again = [proposed(7, "feature/x", "Dev", merged_at=week - DAY), proposed(8, "feature/x", "Dev")]
    assert list(not_deleted(scope(), START, {"feature/x": A}, again)) == []


def test_a_release_branch_is_open_too_long_counted_from_production() -> None:
    for age, name, listed in (
        (30 * DAY, "release/1.8", 0),
        (30 * DAY + SECOND, "release/1.8", 1),
        (90 * DAY, "main", 0),
        (90 * DAY, "feature/x", 0),
    ):
        assert len(list(not_closed(scope(), START, {name: A}, {A: START - age}))) == listed
    assert list(not_closed(scope(), START, {"release/1.8": A}, {B: START - 90 * DAY})) == []


def test_a_merge_commit_is_told_with_whose_it_is_where_the_line_is_to_be_straight() -> None:
    changes = Changes((Commit(A, "Work"), Commit(B, "Merge", frozenset({"lea"}), pull_request=13, parents=2)))
    assert list(merged_by_commit(scope(), "main", changes)) == []
    (found,) = merged_by_commit(scope(linear=["main"]), "main", changes)
    assert found.says == "main got the merge commit bbbbbbb by #13 (lea)"
    assert list(merged_by_commit(scope(linear=["main"]), "release/1.8", changes)) == []
