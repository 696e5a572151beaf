"""The rules of the local GitHub: what they stop, whom they let through, and how they are read and written."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.bot.github_world import Asker, Said
from tests.bot.sandbox.github_place import BREAK_GLASS, PROMOTER, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATE: dict[str, Any] = {
    "type": "required_status_checks",
    "parameters": {
        "strict_required_status_checks_policy": False,
        "required_status_checks": [{"context": "ci", "integration_id": 15368}],
    },
}


def reviews(count: int = 1, **also: Any) -> dict[str, Any]:
    asked = {
        "required_approving_review_count": count,
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    }
    return {"type": "pull_request", "parameters": asked | also}


async def rule(
    place: Place,
    *rules: dict[str, Any],
    on: str = "refs/heads/main",
    bypass: list[dict[str, Any]] | None = None,
    **also: Any,
) -> Said:
    body = {
        "name": f"rules {len(place.world.repository(place.name).records.rulesets)}",
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [on], "exclude": []}},
        "rules": list(rules),
        "bypass_actors": bypass or [],
    }
    return await place.asks()("POST", "rulesets", body | also)


def lets(app: int, mode: str = "always") -> list[dict[str, Any]]:
    return [{"actor_id": app, "actor_type": "Integration", "bypass_mode": mode}]


async def moved(asks: Asker, sha: str, ref: str = "main", *, force: bool = False) -> tuple[int, str]:
    said = await asks("PATCH", f"git/refs/heads/{ref}", {"sha": sha, "force": force})
    return said.status, said.body.get("message", "")


async def merged(asks: Asker, number: int = 1) -> tuple[int, str]:
    said = await asks("PUT", f"pulls/{number}/merge", {})
    return said.status, said.message


async def given(place: Place, login: str, event: str = "APPROVE") -> None:
    said = await place.asks(place.world.admit(login))("POST", "pulls/1/reviews", {"event": event, "body": "Read"})
    assert said.status == 200


# What each rule stops -----------------------------------------------------------------------------------------------


async def test_a_branch_that_may_not_move_be_deleted_or_be_made_does_not(place: Place) -> None:
    head = place.git("rev-parse", "main")
    newer = await place.branch("dev", {"a": "b"})
    await rule(place, {"type": "update", "parameters": {"update_allows_fetch_and_merge": False}}, {"type": "deletion"})
    excepted = {"ref_name": {"include": ["refs/heads/release/**"], "exclude": ["refs/heads/release/free/*"]}}
    await rule(place, {"type": "creation"}, conditions=excepted)
    asks = place.asks()
    assert await moved(asks, newer) == (
        422,
        "Repository rule violations found\n\nCannot update this protected ref.\n\n",
    )
    assert "Cannot delete this branch" in (await asks("DELETE", "git/refs/heads/main")).message
    for name, status in (("release/1/a", 422), ("release/free/a", 201), ("other", 201)):
        assert (await asks("POST", "git/refs", {"ref": f"refs/heads/{name}", "sha": head})).status == status
    assert place.git("rev-parse", "main") == head


async def test_history_that_would_be_rewritten_or_merged_is_stopped(place: Place) -> None:
    first = place.git("rev-parse", "main")
    second = await place.write("main", {"a": "a"})
    await place.branch("dev", {"b": "b"}, off=first)
    merge = await place.world.commit(place.name, "dev", "Merge", {}, "maya", place.clock.now(), merging=[second])
    await rule(place, {"type": "non_fast_forward"}, {"type": "required_linear_history"})
    asks = place.asks()
    assert "Cannot force-push to this branch" in (await moved(asks, first, force=True))[1]
    assert "must not contain merge commits" in (await moved(asks, merge))[1]
    assert place.git("rev-parse", "main") == second


async def test_a_required_check_counts_by_name_app_and_newest_run(place: Place) -> None:
    head = await place.branch("dev", {"a": "b"})
    await rule(place, GATE)
    await place.pull("dev")
    asks = place.asks()
    for app, conclusion, says in (
        ("", "", "is expected"),
        ("Somebody", "success", "is expected"),
        ("GitHub Actions", "failure", "is failing"),
        ("GitHub Actions", None, "is in progress"),
    ):
        if app:
            place.world.set_check(place.name, head, "ci", conclusion or None, app=app)
        for refused in (await moved(asks, head), await merged(asks)):
            assert f'Required status check "ci" {says}.' in refused[1]
    await asks("GET", "pulls/1")
    assert (await asks("GET", "pulls/1")).body["mergeable_state"] == "blocked"
    place.world.set_check(place.name, head, "ci", "success")
    assert (await merged(asks))[0] == 200


async def test_many_missing_checks_are_counted(place: Place) -> None:
    head = await place.branch("dev", {"a": "b"})
    checks = [{"context": name} for name in ("one", "two", "three")]
    await rule(
        place, {"type": "required_status_checks", "parameters": GATE["parameters"] | {"required_status_checks": checks}}
    )
    asks = place.asks()
    assert "3 of 3 required status checks are expected." in (await moved(asks, head))[1]
    place.world.set_check(place.name, head, "one", "success")
    await asks("POST", f"statuses/{head}", {"state": "failure", "context": "two"})
    assert "2 of 3 required status checks have not succeeded: 1 expected and 1 failing." in (await moved(asks, head))[1]
    await asks("POST", f"statuses/{head}", {"state": "failure", "context": "one"})  # beside the run that passed
    assert "3 of 3 required status checks have not succeeded: 1 expected and 2 failing." in (await moved(asks, head))[1]


async def test_a_branch_behind_its_base_must_be_brought_up_to_date_and_checked_again(place: Place) -> None:
    head = await place.branch("dev", {"a": "b"})
    await place.write("main", {"m": "m"})
    strict = copy.deepcopy(GATE)
    strict["parameters"]["strict_required_status_checks_policy"] = True
    await rule(place, strict)
    await place.pull("dev")
    place.world.set_check(place.name, head, "ci", "success")
    asks = place.asks()
    assert "out of date" in (await merged(asks))[1]
    await asks("GET", "pulls/1")
    assert (await asks("GET", "pulls/1")).body["mergeable_state"] == "behind"
    assert (await asks("PUT", "pulls/1/update-branch", {})).status == 202
    assert '"ci" is expected' in (await merged(asks))[1]
    place.world.set_check(place.name, place.git("rev-parse", "dev"), "ci", "success")
    assert (await merged(asks))[0] == 200


async def test_approvals_count_from_writers_who_are_not_the_author_and_are_lost_by_a_push(place: Place) -> None:
    await place.branch("dev", {"a": "b"})
    await rule(place, reviews(1, dismiss_stale_reviews_on_push=True, require_last_push_approval=True))
    await place.pull("dev")
    asks = place.asks()
    assert "Changes must be made through a pull request." in (await moved(asks, place.git("rev-parse", "dev")))[1]
    assert "At least 1 approving review is required" in (await merged(asks))[1]
    gus = place.asks(place.world.admit("gus", "read"))
    await gus("POST", "pulls/1/reviews", {"event": "APPROVE"})
    assert "At least 1 approving review is required" in (await merged(asks))[1]
    await given(place, "omar")
    await place.write("dev", {"a": "c"}, by="omar")
    assert "At least 1 approving review is required" in (await merged(asks))[1]
    assert {one["state"] for one in (await asks("GET", "pulls/1/reviews")).body} == {"DISMISSED"}
    await given(place, "omar")
    assert "someone other than the last pusher" in (await merged(asks))[1]
    await given(place, "raj", "REQUEST_CHANGES")
    assert "Changes have been requested" in (await merged(asks))[1]
    await given(place, "raj")
    assert (await merged(asks))[0] == 200


async def test_code_owners_of_what_changes_must_agree(place: Place) -> None:
    place.world.form_team("acme", "sre", ["ines"])
    await place.write("main", {"CODEOWNERS": "infra/ @acme/sre\n"})
    await place.branch("dev", {"infra/a.tf": "b"})
    await rule(place, reviews(1, require_code_owner_review=True))
    await place.pull("dev")
    await given(place, "omar")
    assert "Waiting on code owner review from acme/sre." in (await merged(place.asks()))[1]
    await given(place, "ines")
    assert (await merged(place.asks()))[0] == 200


async def test_a_rule_allows_some_ways_of_merging_and_a_queue_none(place: Place) -> None:
    await place.branch("dev", {"a": "b"})
    await rule(place, reviews(0, allowed_merge_methods=["squash"]))
    await place.pull("dev")
    assert "Merge commits are not allowed" in (await merged(place.asks()))[1]
    queue = {"check_response_timeout_minutes": 1, "grouping_strategy": "ALLGREEN", "max_entries_to_build": 1}
    queue |= {"max_entries_to_merge": 1, "merge_method": "SQUASH", "min_entries_to_merge": 1}
    await rule(place, {"type": "merge_queue", "parameters": queue | {"min_entries_to_merge_wait_minutes": 1}})
    assert "Changes must be made through the merge queue." in (await merged(place.asks()))[1]


async def test_only_signed_commits_pass_where_signatures_are_required(place: Place) -> None:
    await place.branch("dev", {"a": "b"})
    await rule(place, {"type": "required_signatures"})
    await place.pull("dev")
    assert "Commits must have verified signatures." in (await merged(place.asks()))[1]
    await place.world.set_ref(place.name, "refs/heads/signed", place.git("rev-parse", "main"))
    by_github = {"message": "Signed", "content": "eA==", "branch": "signed"}
    assert (await place.asks()("PUT", "contents/a.md", by_github)).status == 201
    await place.pull("signed")
    assert (await merged(place.asks(), 2))[0] == 200


async def test_tags_have_rules_of_their_own(place: Place) -> None:
    head = place.git("rev-parse", "main")
    pattern = {"operator": "regex", "pattern": r"^v\d+\.\d+\.\d+$"}
    await rule(
        place, {"type": "tag_name_pattern", "parameters": pattern}, {"type": "deletion"}, on="~ALL", target="tag"
    )
    asks = place.asks()
    assert "Name must match" in (await asks("POST", "git/refs", {"ref": "refs/tags/one", "sha": head})).message
    assert (await asks("POST", "git/refs", {"ref": "refs/tags/v1.0.0", "sha": head})).status == 201
    assert (await asks("DELETE", "git/refs/tags/v1.0.0")).status == 422
    assert (await asks("POST", "git/refs", {"ref": "refs/heads/one", "sha": head})).status == 201


async def test_what_a_ruleset_only_tries_out_stops_nobody_and_is_told(place: Place) -> None:
    head = await place.branch("dev", {"a": "b"})
    await rule(place, GATE, enforcement="evaluate")
    await rule(place, {"type": "deletion"}, enforcement="disabled")
    assert await moved(place.asks(), head) == (200, "")
    (suite,) = (await place.asks()("GET", "rulesets/rule-suites?ref=refs/heads/main")).body
    assert (suite["result"], suite["evaluation_result"], suite["after_sha"]) == ("pass", "fail", head)
    assert (await place.asks()("GET", "rules/branches/main")).body == []


# Who is let through -------------------------------------------------------------------------------------------------


async def test_an_app_bypasses_the_ruleset_that_names_it_and_no_other(place: Place) -> None:
    head = await place.branch("release-candidate", {"a": "b"})
    await place.world.set_ref(place.name, "refs/heads/release", place.git("rev-parse", "main"))
    await rule(place, {"type": "deletion"}, {"type": "update"}, on="refs/heads/release", bypass=lets(PROMOTER))
    await rule(place, {"type": "non_fast_forward"}, GATE, on="refs/heads/release")
    promoter, other = await place.app(PROMOTER), await place.app(BREAK_GLASS)
    assert "Cannot update" in (await moved(other, head, "release"))[1]
    assert '"ci" is expected' in (await moved(promoter, head, "release"))[1]
    place.world.set_check(place.name, head, "ci", "success")
    assert await moved(promoter, head, "release") == (200, "")
    back = place.git("rev-parse", "main")
    assert "Cannot force-push" in (await moved(promoter, back, "release", force=True))[1]
    results = [one["result"] for one in (await place.asks()("GET", "rulesets/rule-suites?ref=refs/heads/release")).body]
    assert results == ["fail", "bypass", "fail", "fail"]
    assert len({one["actor_name"] for one in (await place.asks()("GET", "rulesets/rule-suites")).body}) == 2


@pytest.mark.parametrize(
    ("mode", "direct", "merge", "told"),
    [
        ("always", 200, 200, "always"),
        ("pull_request", 422, 200, "pull_requests_only"),
        ("exempt", 200, 200, "exempt"),
        ("", 422, 405, "never"),
    ],
)
async def test_a_bypass_reaches_as_far_as_its_mode(place: Place, mode: str, direct: int, merge: int, told: str) -> None:
    await place.branch("dev", {"a": "b"})
    other = await place.branch("other", {"c": "d"})
    made = await rule(place, GATE, bypass=lets(BREAK_GLASS, mode) if mode else [])
    await place.pull("dev")
    app = await place.app(BREAK_GLASS)
    seen = (await app("GET", f"rulesets/{made.body['id']}")).body
    assert (seen["current_user_can_bypass"], "bypass_actors" in seen) == (told, True)
    unaware = (await (await place.app(PROMOTER))("GET", f"rulesets/{made.body['id']}")).body
    assert (unaware["current_user_can_bypass"], "bypass_actors" in unaware) == ("never", False)
    assert (await merged(app))[0] == merge
    await place.world.set_ref(place.name, "refs/heads/main", place.git("rev-parse", "other^"))
    assert (await moved(app, other))[0] == direct
    suites = (await place.asks()("GET", "rulesets/rule-suites?rule_suite_result=bypass")).body
    assert len(suites) == (0 if mode in {"exempt", ""} else 1 if mode == "pull_request" else 2)
    if suites:
        evaluated = (await place.asks()("GET", f"rulesets/rule-suites/{suites[0]['id']}")).body["rule_evaluations"]
        assert [(one["rule_type"], one["result"]) for one in evaluated] == [("required_status_checks", "fail")]


async def test_roles_and_teams_bypass_too(place: Place) -> None:
    team = place.world.form_team("acme", "leads", ["raj"])
    await rule(place, {"type": "update"}, bypass=[{"actor_id": team, "actor_type": "Team", "bypass_mode": "always"}])
    await rule(
        place, {"type": "deletion"}, bypass=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
    )
    newer = await place.branch("dev", {"a": "b"})
    assert (await moved(place.asks(place.world.admit("omar")), newer))[0] == 422
    assert (await moved(place.asks(place.world.admit("raj")), newer))[0] == 200
    assert (await place.asks(place.world.admit("omar"))("DELETE", "git/refs/heads/main")).status == 422
    assert (await place.asks(place.world.admit("ada", "admin"))("DELETE", "git/refs/heads/main")).status == 204


# Rulesets as records ------------------------------------------------------------------------------------------------


async def test_a_ruleset_is_replaced_and_each_version_kept(place: Place) -> None:
    asks = place.asks()
    made = (await rule(place, GATE, reviews(2))).body
    path = f"rulesets/{made['id']}"
    whole = {name: made[name] for name in ("name", "target", "enforcement", "conditions", "rules")}
    relaxed = (await asks("PUT", path, whole | {"bypass_actors": lets(BREAK_GLASS, "pull_request")})).body
    assert relaxed["bypass_actors"] == lets(BREAK_GLASS, "pull_request")
    restored = (await asks("PUT", path, whole | {"bypass_actors": made["bypass_actors"]})).body
    assert restored == made | {"updated_at": restored["updated_at"]}
    versions = (await asks("GET", f"{path}/history")).body
    states = [(await asks("GET", f"{path}/history/{one['version_id']}")).body["state"] for one in versions]
    assert [len(state["bypass_actors"]) for state in states] == [0, 1, 0]
    assert (await asks("PUT", path, {"name": "other"})).body["bypass_actors"] == []
    assert [one["name"] for one in (await asks("GET", "rulesets")).body] == ["other"]
    assert (await asks("DELETE", path)).status == 204
    assert (await asks("GET", path)).status == 404


async def test_the_organisations_rules_hold_and_cannot_be_changed_here(place: Place) -> None:
    above = place.world.rule_from_above(place.name, "everywhere", [{"type": "deletion"}])
    await rule(place, {"type": "non_fast_forward"})
    asks = place.asks()
    held = (await asks("GET", "rules/branches/main")).body
    assert [(one["type"], one["ruleset_source_type"], one["ruleset_source"]) for one in held] == [
        ("deletion", "Organization", "acme"),
        ("non_fast_forward", "Repository", place.name),
    ]
    assert len((await asks("GET", "rulesets?includes_parents=false")).body) == 1
    assert "bypass_actors" not in (await asks("GET", f"rulesets/{above}")).body
    assert (await asks("PUT", f"rulesets/{above}", {"enforcement": "disabled"})).status == 404
    assert (await asks("DELETE", f"rulesets/{above}")).status == 404
    assert (await asks("GET", "branches/main")).body["protected"] is True


async def test_who_may_not_change_rules_does_not(place: Place) -> None:
    made = (await rule(place, GATE)).body
    promoter, omar = await place.app(PROMOTER), place.asks(place.world.admit("omar"))
    assert (await promoter("PUT", f"rulesets/{made['id']}", {"enforcement": "disabled"})).status == 403
    assert (await omar("PUT", f"rulesets/{made['id']}", {"enforcement": "disabled"})).status == 404
    assert (await omar("GET", f"rulesets/{made['id']}")).body["current_user_can_bypass"] == "never"
    unknown = await rule(place, bypass=lets(99))
    assert unknown.status == 422


# Classic protection -------------------------------------------------------------------------------------------------

OPEN = {
    "required_status_checks": None,
    "enforce_admins": False,
    "required_pull_request_reviews": None,
    "restrictions": None,
}


async def protect(place: Place, **also: Any) -> Said:
    return await place.asks()("PUT", "branches/main/protection", OPEN | also)


async def test_classic_protection_is_read_in_another_shape_than_it_is_written(place: Place) -> None:
    asks = place.asks()
    assert (await asks("GET", "branches/main/protection")).message == "Branch not protected"
    assert (await asks("GET", "branches/nowhere/protection")).message == "Branch not found"
    place.world.form_team("acme", "sre", ["ines"])
    place.world.set_check(place.name, place.git("rev-parse", "main"), "pinned", "success", app="Release Bot")
    checks = [{"context": "any", "app_id": -1}, {"context": "pinned"}, {"context": "nobody"}]
    people = {"users": ["omar"], "teams": ["sre"], "apps": ["release-bot"]}
    put = await protect(
        place,
        required_status_checks={"strict": True, "checks": checks},
        enforce_admins=True,
        required_pull_request_reviews={"required_approving_review_count": 2, "dismissal_restrictions": people},
        restrictions=people,
        allow_force_pushes=True,
    )
    shown = (await asks("GET", "branches/main/protection")).body
    assert (put.status, put.body) == (200, shown)
    assert shown["required_status_checks"]["checks"] == [
        {"context": "any", "app_id": None},
        {"context": "pinned", "app_id": PROMOTER},
        {"context": "nobody", "app_id": None},
    ]
    assert (shown["enforce_admins"]["enabled"], shown["allow_force_pushes"]) == (True, {"enabled": True})
    restrictions = (await asks("GET", "branches/main/protection/restrictions")).body
    assert [
        [one[name] for one in restrictions[kind]]
        for kind, name in (("users", "login"), ("teams", "slug"), ("apps", "slug"))
    ] == [
        ["omar"],
        ["sre"],
        ["release-bot"],
    ]
    assert (await asks("GET", "branches/main")).body["protection"]["required_status_checks"]["contexts"] == [
        "any",
        "pinned",
        "nobody",
    ]


async def test_parts_of_classic_protection_are_changed_alone(place: Place) -> None:
    asks, here = place.asks(), "branches/main/protection"
    await protect(place)
    for part, message in (
        ("required_status_checks", "Required status checks not enabled"),
        ("restrictions", "Push restrictions not enabled"),
    ):
        assert (await asks("GET", f"{here}/{part}")).message == message
    for part in ("enforce_admins", "required_signatures"):
        assert (await asks("POST", f"{here}/{part}")).body["enabled"] is True
        assert (await asks("GET", f"{here}/{part}")).body["enabled"] is True
        assert (await asks("DELETE", f"{here}/{part}")).status == 204
        assert (await asks("GET", f"{here}/{part}")).body["enabled"] is False
    changed = await asks("PATCH", f"{here}/required_pull_request_reviews", {"required_approving_review_count": 3})
    assert changed.body["required_approving_review_count"] == 3
    assert (await asks("DELETE", f"{here}/required_pull_request_reviews")).status == 204
    await protect(place, required_status_checks={"strict": False, "contexts": ["ci"]})
    assert (await asks("PATCH", f"{here}/required_status_checks", {"strict": True})).body["contexts"] == ["ci"]
    assert (await asks("DELETE", f"{here}/required_status_checks")).status == 204
    assert (await asks("DELETE", here)).status == 204
    assert (await asks("GET", here)).status == 404


async def test_classic_protection_holds_administrators_only_where_it_says_so(place: Place) -> None:
    newer = await place.branch("dev", {"a": "b"})
    gate = {"strict": False, "checks": [{"context": "ci", "app_id": -1}]}
    await protect(
        place,
        required_status_checks=gate,
        required_pull_request_reviews={},
        restrictions={"users": ["omar"], "teams": []},
    )
    omar, raj = place.asks(place.world.admit("omar")), place.asks(place.world.admit("raj"))
    assert await moved(omar, newer) == (
        422,
        'Required status check "ci" is expected. Changes must be made through a pull request.',
    )
    assert "not authorized to push" in (await moved(raj, newer))[1]
    assert await moved(place.asks(), newer) == (200, "")
    older = place.git("rev-parse", "main^")
    assert await moved(place.asks(), older, force=True) == (422, "Cannot force-push to this branch")
    await place.asks()("POST", "branches/main/protection/enforce_admins")
    newest = await place.write("dev", {"a": "c"})
    assert (await moved(place.asks(), newest))[0] == 422


async def test_who_is_excused_from_pull_requests_pushes_without_one(place: Place) -> None:
    newer = await place.branch("dev", {"a": "b"})
    excused = {"users": [], "teams": [], "apps": ["release-bot"]}
    await protect(place, required_pull_request_reviews={"bypass_pull_request_allowances": excused})
    assert (await moved(await place.app(BREAK_GLASS), newer))[0] == 422
    assert (await moved(await place.app(PROMOTER), newer))[0] == 200
