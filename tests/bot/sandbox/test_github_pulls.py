"""Pull requests of the local GitHub, from the wish to the merge commit; git itself says what became of the branches."""

from __future__ import annotations

import asyncio

import pytest

from tests.bot.github_world import Asker
from tests.bot.sandbox.github_place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def said_of(place: Place, number: int = 1) -> tuple[bool | None, str]:
    """What the second read says: the first only sets GitHub thinking."""
    asks = place.asks()
    await asks("GET", f"pulls/{number}")
    shown = (await asks("GET", f"pulls/{number}")).body
    return shown["mergeable"], shown["mergeable_state"]


# Opening ------------------------------------------------------------------------------------------------------------


async def test_a_pull_request_is_opened_found_changed_and_closed(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n", "README.md": "hello you\n"})
    opened = await place.pull("dev", body="Notes")
    assert (opened.status, opened.body["number"], opened.body["head"]["sha"]) == (201, 1, head)
    assert (opened.body["user"]["login"], opened.body["changed_files"], opened.body["commits"]) == ("maya", 2, 1)
    asks = place.asks()
    for query, found in {
        "": 1,
        "head=acme:dev&base=main": 1,
        "base=stage": 0,
        "head=acme:other": 0,
        "state=closed": 0,
    }.items():
        assert (query, len((await asks("GET", f"pulls?{query}")).body)) == (query, found)
    changed = await asks("PATCH", "pulls/1", {"title": "Better", "body": "More notes"})
    assert (changed.body["title"], changed.body["body"]) == ("Better", "More notes")
    files = (await asks("GET", "pulls/1/files")).body
    assert [(one["filename"], one["status"], one["additions"]) for one in files] == [
        ("README.md", "modified", 1),
        ("feature.txt", "added", 1),
    ]
    assert [one["sha"] for one in (await asks("GET", "pulls/1/commits")).body] == [head]
    assert [one["number"] for one in (await asks("GET", f"commits/{head}/pulls")).body] == [1]
    assert (await asks("PATCH", "pulls/1", {"state": "closed"})).body["closed_at"]
    assert (await asks("PATCH", "pulls/1", {"state": "open"})).body["state"] == "open"
    assert (await asks("GET", "pulls/2")).status == 404


async def test_a_pull_request_that_cannot_be_is_refused_in_githubs_words(place: Place) -> None:
    await place.branch("dev", {"feature.txt": "new\n"})
    await place.world.set_ref(place.name, "refs/heads/same", place.git("rev-parse", "main"))
    await place.pull("dev")
    again = await place.pull("dev")
    assert (again.status, again.body["errors"][0]["message"]) == (422, "A pull request already exists for acme:dev.")
    nothing = await place.pull("same")
    assert (nothing.status, nothing.body["errors"][0]["message"]) == (422, "No commits between main and same")
    assert (await place.pull("nowhere")).body["errors"][0]["field"] == "head"
    assert (await place.pull("dev", "nowhere")).body["errors"][0]["field"] == "base"


async def test_a_renamed_file_is_told_with_its_old_name(place: Place) -> None:
    await place.write("main", {"long.txt": "".join(f"line {n}\n" for n in range(40))})
    await place.branch("dev", {"long.txt": None, "moved/long.txt": "".join(f"line {n}\n" for n in range(40)), "z": "z"})
    await place.pull("dev")
    files = (await place.asks()("GET", "pulls/1/files")).body
    assert [(one["filename"], one.get("previous_filename"), one["status"]) for one in files] == [
        ("moved/long.txt", "long.txt", "renamed"),
        ("z", None, "added"),
    ]


# Whether it can be merged -------------------------------------------------------------------------------------------


async def test_whether_it_can_be_merged_is_unknown_until_it_was_thought_about(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    place.world.think_for(3)
    await place.pull("dev")
    seen = [(await place.asks()("GET", "pulls/1")).body["mergeable"] for _ in range(3)]
    place.world.think_for(1)
    assert seen == [None, None, True]
    place.world.inject("mergeable_unknown", times=2)
    asks = place.asks()
    assert (await asks("GET", "pulls/1/files")).status == 200
    shown = [(await asks("GET", "pulls/1")).body for _ in range(3)]
    said = [(one["mergeable"], one["mergeable_state"]) for one in shown]
    assert said == [(None, "unknown"), (None, "unknown"), (True, "clean")]
    shown = (await place.asks()("GET", "pulls/1")).body
    assert shown["mergeable_state"] == "clean"
    assert place.git("log", "-1", "--format=%P", shown["merge_commit_sha"]).split() == [
        place.git("rev-parse", "main"),
        head,
    ]
    await place.write("dev", {"feature.txt": "newer\n"})
    assert (await place.asks()("GET", "pulls/1")).body["mergeable"] is None


async def test_a_conflict_is_dirty_and_cannot_be_merged(place: Place) -> None:
    await place.branch("dev", {"README.md": "one\n"})
    await place.write("main", {"README.md": "two\n"})
    await place.pull("dev")
    before = place.git("for-each-ref")
    assert await said_of(place) == (False, "dirty")
    refused = await place.asks()("PUT", "pulls/1/merge", {})
    assert (refused.status, refused.message) == (405, "Pull Request is not mergeable")
    assert place.git("for-each-ref") == before


async def test_its_state_tells_drafts_and_checks_that_nobody_requires(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    await place.pull("dev", draft=True)
    assert await said_of(place) == (True, "draft")
    refused = await place.asks()("PUT", "pulls/1/merge", {})
    assert (refused.status, refused.message) == (405, "Pull Request is still a draft")
    await place.branch("fix", {"fix.txt": "new\n"})
    await place.pull("fix")
    place.world.set_check(place.name, place.git("rev-parse", "fix"), "lint", "failure")
    assert await said_of(place, 2) == (True, "unstable")
    assert place.git("rev-parse", "dev") == head


# Merging ------------------------------------------------------------------------------------------------------------


async def test_a_merge_has_two_parents_and_the_tree_that_git_makes(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    base = await place.write("main", {"other.txt": "meanwhile\n"})
    await place.pull("dev")
    wrong = await place.asks()("PUT", "pulls/1/merge", {"sha": base})
    assert (wrong.status, wrong.message) == (409, "Head branch was modified. Review and try the merge again.")
    assert (await place.asks()("GET", "pulls/1/merge")).status == 404
    done = await place.asks()(
        "PUT",
        "pulls/1/merge",
        {"sha": head, "merge_method": "merge", "commit_title": "Promote", "commit_message": "Why"},
    )
    assert (done.status, done.body["merged"]) == (200, True)
    merge = done.body["sha"]
    assert place.git("rev-parse", "main") == merge
    assert place.git("log", "-1", "--format=%P|%B", merge) == f"{base} {head}|Promote\n\nWhy"
    assert place.git("rev-parse", f"{merge}^{{tree}}") == place.git("merge-tree", "--write-tree", base, head)
    shown = (await place.asks()("GET", "pulls/1")).body
    assert (shown["merged"], shown["state"], shown["merge_commit_sha"]) == (True, "closed", merge)
    assert (await place.asks()("GET", "pulls/1/merge")).status == 204
    assert (await place.asks()("PUT", "pulls/1/merge", {})).status == 405
    assert [one["sha"] for one in (await place.asks()("GET", "pulls/1/commits")).body] == [head]
    assert [one["number"] for one in (await place.asks()("GET", f"commits/{merge}/pulls")).body] == [1]
    assert (await place.asks()("GET", f"commits/{merge}")).body["commit"]["verification"]["verified"] is True
    assert (await place.asks()("PATCH", "pulls/1", {"state": "open"})).status == 422


async def test_squash_and_rebase_make_the_history_that_git_makes(place: Place) -> None:
    await place.branch("one", {"a.txt": "a\n"})
    await place.write("one", {"b.txt": "b\n"}, "omar", "Second")
    await place.branch("two", {"c.txt": "c\n"})
    await place.write("two", {"d.txt": "d\n"}, "omar", "Fourth")
    base = await place.write("main", {"m.txt": "m\n"})
    await place.pull("one")
    await place.pull("two")
    squashed = (await place.asks()("PUT", "pulls/1/merge", {"merge_method": "squash"})).body["sha"]
    assert place.git("log", "-1", "--format=%P|%s", squashed) == f"{base}|Bring one (#1)"
    rebased = (await place.asks()("PUT", "pulls/2/merge", {"merge_method": "rebase"})).body["sha"]
    assert place.git("log", "--format=%an %s", f"{squashed}..{rebased}") == "omar Fourth\nmaya Work"
    assert place.git("ls-tree", "--name-only", "main").split() == [
        "README.md",
        "a.txt",
        "b.txt",
        "c.txt",
        "d.txt",
        "m.txt",
    ]
    place.world.repository(place.name).merge_methods = ("merge",)
    await place.branch("three", {"e.txt": "e\n"})
    await place.pull("three")
    refused = await place.asks()("PUT", "pulls/3/merge", {"merge_method": "squash"})
    assert (refused.status, refused.message) == (405, "Squash merges are not allowed on this repository.")


async def test_a_base_that_moves_in_between_wins(place: Place) -> None:
    await place.branch("dev", {"feature.txt": "new\n"})
    await place.pull("dev")
    place.world.inject("base_moved")
    lost = await place.asks()("PUT", "pulls/1/merge", {})
    assert (lost.status, lost.message) == (405, "Base branch was modified. Review and try the merge again.")
    assert place.git("log", "-1", "--format=%s", "main") == "Somebody was quicker"
    assert (await place.asks()("PUT", "pulls/1/merge", {})).status == 200


async def test_of_four_rival_merges_into_one_base_each_has_its_own_moment(place: Place) -> None:
    for number in range(4):
        await place.branch(f"rival-{number}", {f"{number}.txt": "new\n"})
        await place.pull(f"rival-{number}")
    answers = await asyncio.gather(*(place.asks()("PUT", f"pulls/{n}/merge", {}) for n in range(1, 5)))
    won = [one for one in answers if one.status == 200]
    assert {one.status for one in answers} <= {200, 405}
    assert won
    assert place.git("rev-list", "--count", "--merges", "main") == str(len(won))


async def test_a_merge_by_hand_closes_the_pull_request(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    await place.pull("dev")
    assert (await place.asks()("PATCH", "git/refs/heads/main", {"sha": head})).status == 200
    shown = (await place.asks()("GET", "pulls/1")).body
    assert (shown["merged"], shown["merge_commit_sha"]) == (True, head)


async def test_a_branch_is_brought_up_to_date_by_a_merge_of_its_base(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    base = await place.write("main", {"other.txt": "meanwhile\n"})
    await place.pull("dev")
    wrong = await place.asks()("PUT", "pulls/1/update-branch", {"expected_head_sha": base})
    assert (wrong.status, wrong.message) == (422, "expected head sha didn't match current head ref.")
    assert (await place.asks()("PUT", "pulls/1/update-branch", {"expected_head_sha": head})).status == 202
    assert place.git("log", "-1", "--format=%P", "dev").split() == [head, base]
    assert (await place.asks()("PUT", "pulls/1/update-branch", {})).status == 422


async def test_a_merge_without_an_answer_is_done_all_the_same(place: Place) -> None:
    await place.branch("dev", {"feature.txt": "new\n"})
    await place.pull("dev")
    place.world.inject("bad_gateway_after", method="PUT")
    assert (await place.asks()("PUT", "pulls/1/merge", {})).status == 502
    assert (await place.asks()("GET", "pulls/1/merge")).status == 204


# Reviews ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def omar(place: Place) -> Asker:
    return place.asks(place.world.admit("omar"))


async def test_reviews_are_given_listed_and_dismissed(place: Place, omar: Asker) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    maya = place.asks(place.world.admit("maya"))
    await place.pull("dev", by=maya)
    own = await maya("POST", "pulls/1/reviews", {"event": "APPROVE"})
    assert (own.status, own.body["errors"]) == (422, ["Can not approve your own pull request"])
    assert (await omar("POST", "pulls/1/reviews", {"event": "REQUEST_CHANGES"})).status == 422
    draft = await omar("POST", "pulls/1/reviews", {"body": "Hm"})
    assert (draft.body["state"], "submitted_at" in draft.body) == ("PENDING", False)
    given = await omar("POST", "pulls/1/reviews", {"event": "APPROVE", "body": "Good", "commit_id": head})
    assert (given.body["state"], given.body["commit_id"]) == ("APPROVED", head)
    assert [one["state"] for one in (await maya("GET", "pulls/1/reviews")).body] == ["APPROVED"]
    path = f"pulls/1/reviews/{given.body['id']}/dismissals"
    assert (await maya("PUT", path, {"message": "No more"})).body["state"] == "DISMISSED"
    assert (await maya("PUT", path, {"message": "No more"})).status == 422


async def test_a_review_is_asked_for_until_it_comes(place: Place, omar: Asker) -> None:
    place.world.form_team("acme", "sre", ["ines"])
    await place.branch("dev", {"feature.txt": "new\n"})
    await place.pull("dev")
    asks = place.asks()
    asked = await asks("POST", "pulls/1/requested_reviewers", {"reviewers": ["omar"], "team_reviewers": ["sre"]})
    assert (asked.status, [one["login"] for one in asked.body["requested_reviewers"]]) == (201, ["omar"])
    assert (await asks("POST", "pulls/1/requested_reviewers", {"reviewers": ["maya"]})).status == 422
    assert (await asks("POST", "pulls/1/requested_reviewers", {"reviewers": ["stranger"]})).status == 422
    await omar("POST", "pulls/1/reviews", {"event": "APPROVE"})
    left = (await asks("GET", "pulls/1/requested_reviewers")).body
    assert (left["users"], [one["slug"] for one in left["teams"]]) == ([], ["sre"])
    await place.asks(place.world.admit("ines"))("POST", "pulls/1/reviews", {"event": "APPROVE"})
    assert (await asks("GET", "pulls/1/requested_reviewers")).body["teams"] == []


async def test_code_owners_of_the_base_are_asked_and_their_file_is_judged(place: Place, omar: Asker) -> None:
    place.world.form_team("acme", "sre", ["ines"])
    owners = "* @omar\ndocs/ @acme/sre\ndocs/free.md\n*.tf @nobody @acme/ghosts\n[a-z] @omar # no\n"
    await place.write("main", {".github/CODEOWNERS": owners})
    await place.branch("dev", {"docs/a.md": "a\n", "docs/free.md": "b\n", "CODEOWNERS": "* @gus\n"})
    opened = await place.pull("dev")
    assert [one["login"] for one in opened.body["requested_reviewers"]] == ["omar"]
    assert [one["slug"] for one in opened.body["requested_teams"]] == ["sre"]
    wrong = (await place.asks()("GET", "codeowners/errors?ref=main")).body["errors"]
    assert [(one["line"], one["kind"]) for one in wrong] == [
        (4, "Unknown owner"),
        (4, "Unknown owner"),
        (5, "Invalid pattern"),
    ]


async def test_who_may_only_read_can_speak_but_not_merge(place: Place) -> None:
    await place.branch("dev", {"feature.txt": "new\n"})
    await place.pull("dev")
    gus, stranger = place.asks(place.world.admit("gus", "read")), place.asks(place.world.admit("eve", "none"))
    assert (await gus("POST", "pulls/1/reviews", {"event": "APPROVE"})).status == 200
    assert (await gus("PUT", "pulls/1/merge", {})).status == 403
    assert (await gus("PATCH", "pulls/1", {"title": "Mine"})).status == 403
    assert (await gus("POST", "issues/1/labels", {"labels": ["mine"]})).status == 403
    assert (await gus("POST", "pulls/1/requested_reviewers", {"reviewers": ["gus"]})).status == 403
    assert (await gus("POST", "issues/1/comments", {"body": "Only saying"})).status == 201
    assert (await stranger("GET", "pulls/1")).status == 404
