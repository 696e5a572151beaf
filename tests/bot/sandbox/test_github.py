"""The local GitHub as anybody sees it over HTTP: git underneath, GitHub's words and habits on top."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from bot.sandbox.github import GitHubWorld, fault_kinds
from tests.bot.github_world import NINE, REPOSITORY, Asker, HandClock, github_world, key_pair

HOME = f"/repos/{REPOSITORY}"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def world(tmp_path: Path, clock: HandClock) -> AsyncIterator[GitHubWorld]:
    async with github_world(tmp_path, clock) as world:
        yield world


@pytest.fixture
async def anything_goes(tmp_path: Path, clock: HandClock) -> AsyncIterator[GitHubWorld]:
    """A world for requests that the contract does not allow."""
    async with github_world(tmp_path, clock, checked=False) as world:
        yield world


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def ask(world: GitHubWorld, session: aiohttp.ClientSession) -> Asker:
    return Asker(session, world)


@pytest.fixture
async def head(world: GitHubWorld) -> str:
    return await world.commit(REPOSITORY, "main", "Begin", {"README.md": "hello\n"}, "maya", NINE)


def signed(clock: HandClock, *, life: int = 540, app: str = "4711") -> str:
    now = int(clock.now().timestamp())
    return jwt.encode({"iat": now - 60, "exp": now + life, "iss": app}, key_pair()[0], algorithm="RS256")


async def app_token(world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, **narrow: Any) -> Asker:
    world.register_app(4711, key_pair()[1], 99)
    given = await Asker(session, world, signed(clock))("POST", "/app/installations/99/access_tokens", narrow or None)
    assert given.status == 201
    return Asker(session, world, given.body["token"])


# Refs ---------------------------------------------------------------------------------------------------------------


async def test_a_ref_is_made_moved_forward_and_deleted(world: GitHubWorld, ask: Asker, head: str) -> None:
    made = await ask("POST", f"{HOME}/git/refs", {"ref": "refs/heads/release/one", "sha": head})
    assert (made.status, made.body["object"]["sha"]) == (201, head)
    again = await ask("POST", f"{HOME}/git/refs", {"ref": "refs/heads/release/one", "sha": head})
    assert (again.status, again.message) == (422, "Reference already exists")
    newer = await world.commit(REPOSITORY, "main", "Go on", {"a": "b"}, "maya", NINE)
    for path in ("heads/release/one", "heads/release%2Fone"):
        moved = await ask("PATCH", f"{HOME}/git/refs/{path}", {"sha": newer, "force": False})
        assert (moved.status, moved.body["object"]["sha"]) == (200, newer)
    back = await ask("PATCH", f"{HOME}/git/refs/heads/release/one", {"sha": head})
    assert (back.status, back.message) == (422, "Update is not a fast forward")
    forced = await ask("PATCH", f"{HOME}/git/refs/heads/release/one", {"sha": head, "force": True})
    assert forced.body["object"]["sha"] == head
    names = [one["ref"] for one in (await ask("GET", f"{HOME}/git/matching-refs/heads/rel")).body]
    assert names == ["refs/heads/release/one"]
    assert (await ask("DELETE", f"{HOME}/git/refs/heads/release/one")).status == 204
    assert (await ask("GET", f"{HOME}/git/ref/heads/release/one")).status == 404
    assert (await world.snapshot())[REPOSITORY]["refs"] == {"refs/heads/main": newer}


@pytest.mark.parametrize(
    ("ref", "sha", "message"),
    [
        ("heads/x", "", "Reference name must start"),
        ("refs/heads/a..b", "", "not a valid ref name"),
        ("refs/heads/x", "0" * 39 + "1", "Object does not exist"),
        ("refs/heads/x", "abc", "exactly 40 characters"),
    ],
)
async def test_a_ref_that_cannot_be_is_refused(ask: Asker, head: str, ref: str, sha: str, message: str) -> None:
    refused = await ask("POST", f"{HOME}/git/refs", {"ref": ref, "sha": sha or head})
    assert refused.status == 422
    assert message in refused.message


async def test_a_tag_shows_what_kind_of_object_it_names(world: GitHubWorld, ask: Asker, head: str) -> None:
    git = world.repository(REPOSITORY).git
    body = f"object {head}\ntype commit\ntag v1\ntagger maya <maya@x> 1 +0000\n\nFirst\n"
    _, tag = await git.run("hash-object", "-t", "tag", "-w", "--stdin", given=body.encode())
    await world.set_ref(REPOSITORY, "refs/tags/v1", tag.strip())
    assert (await ask("GET", f"{HOME}/git/ref/tags/v1")).body["object"]["type"] == "tag"
    assert (await ask("GET", f"{HOME}/commits/v1")).body["sha"] == head


async def test_of_eight_rival_fast_forwards_exactly_one_wins(world: GitHubWorld, ask: Asker, head: str) -> None:
    rivals = []
    for number in range(8):
        await world.set_ref(REPOSITORY, f"refs/heads/rival-{number}", head)
        rivals.append(await world.commit(REPOSITORY, f"rival-{number}", "Me", {"a": str(number)}, "maya", NINE))
    answers = await asyncio.gather(
        *(ask("PATCH", f"{HOME}/git/refs/heads/main", {"sha": sha, "force": False}) for sha in rivals)
    )
    assert sorted(answer.status for answer in answers) == [200] + [422] * 7
    winner = next(answer.body["object"]["sha"] for answer in answers if answer.status == 200)
    assert (await world.snapshot())[REPOSITORY]["refs"]["refs/heads/main"] == winner


async def test_eight_fast_forwards_along_one_line_never_go_back(world: GitHubWorld, ask: Asker, head: str) -> None:
    await world.set_ref(REPOSITORY, "refs/heads/release", head)
    line = [await world.commit(REPOSITORY, "main", "Step", {"a": str(n)}, "maya", NINE) for n in range(8)]
    answers = await asyncio.gather(
        *(ask("PATCH", f"{HOME}/git/refs/heads/release", {"sha": sha, "force": False}) for sha in line)
    )
    moved = [answer.body["object"]["sha"] for answer in answers if answer.status == 200]
    assert moved
    assert {answer.status for answer in answers} <= {200, 422}
    end = (await world.snapshot())[REPOSITORY]["refs"]["refs/heads/release"]
    assert line.index(end) == max(line.index(sha) for sha in moved)
    assert {answer.message for answer in answers if answer.status == 422} <= {
        "Update is not a fast forward",
        "Reference cannot be updated",
    }


# History ------------------------------------------------------------------------------------------------------------


async def test_commits_branches_and_files_are_gits_own(world: GitHubWorld, ask: Asker, head: str) -> None:
    files = {"docs/a note.md": "Grüße\n", "README.md": None}
    tip = await world.commit(REPOSITORY, "main", "Second\n\nBecause", files, "omar", NINE + timedelta(hours=1))
    assert (await ask("GET", HOME)).body["default_branch"] == "main"
    made = (await ask("GET", f"{HOME}/commits/main")).body
    assert (made["sha"], made["author"]["login"], made["commit"]["author"]["date"]) == (
        tip,
        "omar",
        "2026-11-24T10:00:00Z",
    )
    assert {(one["filename"], one["status"]) for one in made["files"]} == {
        ("README.md", "removed"),
        ("docs/a note.md", "added"),
    }
    assert [one["sha"] for one in (await ask("GET", f"{HOME}/commits?sha=main")).body] == [tip, head]
    assert [
        one["sha"] for one in (await ask("GET", f"{HOME}/commits?path=README.md&until=2026-11-24T09:30:00Z")).body
    ] == [head]
    assert (await ask("GET", f"{HOME}/git/commits/{tip}")).body["parents"][0]["sha"] == head
    assert (await ask("GET", f"{HOME}/branches/main")).body["commit"]["sha"] == tip
    assert [one["name"] for one in (await ask("GET", f"{HOME}/branches")).body] == ["main"]
    note = (await ask("GET", f"{HOME}/contents/docs/a%20note.md?ref=main")).body
    assert base64.b64decode(note["content"]).decode() == "Grüße\n"
    for missing in ("contents/README.md", "contents/x?ref=nowhere", "branches/no", "git/commits/" + "1" * 40):
        assert (await ask("GET", f"{HOME}/{missing}")).status == 404
    assert (await ask("GET", f"{HOME}/commits/nowhere")).status == 422


async def test_a_comparison_names_how_two_commits_stand(world: GitHubWorld, ask: Asker, head: str) -> None:
    await world.set_ref(REPOSITORY, "refs/heads/side", head)
    tip = await world.commit(REPOSITORY, "main", "Second", {"a": "b"}, "maya", NINE)
    await world.commit(REPOSITORY, "side", "Aside", {"c": "d"}, "maya", NINE)
    for pair, status in {
        f"{head}...main": "ahead",
        f"main...{head}": "behind",
        "main...side": "diverged",
        "main...main": "identical",
    }.items():
        assert (await ask("GET", f"{HOME}/compare/{pair}")).body["status"] == status
    paged = await ask("GET", f"{HOME}/compare/{head}...{tip}?per_page=1")
    assert [one["sha"] for one in paged.body["commits"]] == [tip]
    assert (await ask("GET", f"{HOME}/compare/{head}...nowhere")).status == 404


async def test_pages_are_followed_by_their_links(world: GitHubWorld, ask: Asker, head: str) -> None:
    made = [world.add_deployment(REPOSITORY, head, "prod", {}, "success", NINE) for _ in range(7)]
    url, seen = f"{HOME}/deployments?environment=prod&per_page=3", []
    while url:
        said = await ask("GET", url)
        seen += [one["id"] for one in said.body]
        following = re.search(r'<([^>]+)>; rel="next"', said.headers.get("link", ""))
        url = following.group(1) if following else ""
    assert seen == made[::-1]
    assert 'rel="first"' in said.headers["link"]


# Checks -------------------------------------------------------------------------------------------------------------


async def test_check_runs_are_written_by_apps_only(
    world: GitHubWorld, ask: Asker, session: aiohttp.ClientSession, clock: HandClock, head: str
) -> None:
    run = {"name": "unit-tests", "head_sha": head}
    assert (await ask("POST", f"{HOME}/check-runs", run)).status == 403
    app = await app_token(world, session, clock)
    made = await app("POST", f"{HOME}/check-runs", run)
    assert (made.status, made.body["status"], made.body["conclusion"]) == (201, "queued", None)
    clock.advance(minutes=3)
    done = await app(
        "PATCH",
        f"{HOME}/check-runs/{made.body['id']}",
        {
            "conclusion": "success",
            "output": {"title": "42 passed", "summary": "All well"},
        },
    )
    assert (done.body["status"], done.body["completed_at"]) == ("completed", "2026-11-24T09:03:00Z")
    assert (await ask("GET", f"{HOME}/check-runs/{made.body['id']}")).body["output"]["title"] == "42 passed"
    await app("POST", f"{HOME}/check-runs", {**run, "status": "in_progress"})
    for kept, count in (("latest", 1), ("all", 2)):
        assert (await ask("GET", f"{HOME}/commits/main/check-runs?filter={kept}")).body["total_count"] == count
    narrowed = await ask("GET", f"{HOME}/commits/main/check-runs?status=completed&check_name=unit-tests&app_id=4711")
    assert narrowed.body["total_count"] == 0  # the newest is still going


async def test_the_newest_status_of_each_context_makes_the_combined_state(ask: Asker, head: str) -> None:
    async def combined() -> str:
        return str((await ask("GET", f"{HOME}/commits/main/status")).body["state"])

    assert await combined() == "pending"
    for context, state, whole in (
        ("a", "success", "success"),
        ("b", "pending", "pending"),
        ("b", "error", "failure"),
        ("b", "success", "success"),
    ):
        await ask("POST", f"{HOME}/statuses/{head}", {"state": state, "context": context})
        assert await combined() == whole
    assert [one["state"] for one in (await ask("GET", f"{HOME}/commits/main/statuses")).body] == [
        "success",
        "error",
        "pending",
        "success",
    ]


# Deployments --------------------------------------------------------------------------------------------------------


async def test_a_deployments_defaults_bite(world: GitHubWorld, ask: Asker, head: str) -> None:
    await world.set_ref(REPOSITORY, "refs/heads/side", head)
    tip = await world.commit(REPOSITORY, "main", "Second", {"a": "b"}, "maya", NINE)
    merged = await ask("POST", f"{HOME}/deployments", {"ref": "side"})
    assert (merged.status, merged.message) == (202, "Auto-merged main into side on deployment.")
    side = (await ask("GET", f"{HOME}/commits/side")).body
    assert [one["sha"] for one in side["parents"]] == [head, tip]
    await ask("POST", f"{HOME}/statuses/{tip}", {"state": "failure", "context": "ci"})
    assert (await ask("POST", f"{HOME}/deployments", {"ref": "main"})).status == 409
    assert (await ask("POST", f"{HOME}/deployments", {"ref": "main", "required_contexts": ["other"]})).status == 409
    made = await ask("POST", f"{HOME}/deployments", {"ref": "main", "required_contexts": []})
    assert (made.status, made.body["environment"], made.body["production_environment"]) == (201, "production", True)
    assert (await ask("POST", f"{HOME}/deployments", {"ref": "nowhere"})).status == 422
    assert len((await world.snapshot())[REPOSITORY]["deployments"]) == 1


async def test_a_merge_that_conflicts_is_told_and_changes_nothing(world: GitHubWorld, ask: Asker, head: str) -> None:
    await world.set_ref(REPOSITORY, "refs/heads/side", head)
    await world.commit(REPOSITORY, "main", "One way", {"README.md": "one\n"}, "maya", NINE)
    await world.commit(REPOSITORY, "side", "Another", {"README.md": "two\n"}, "maya", NINE)
    before = (await world.snapshot())[REPOSITORY]["refs"]
    assert (await ask("POST", f"{HOME}/deployments", {"ref": "side"})).status == 409
    assert (await world.snapshot())[REPOSITORY]["refs"] == before


async def test_deployments_are_found_by_what_they_say(world: GitHubWorld, ask: Asker, head: str) -> None:
    other = await world.commit(REPOSITORY, "main", "Second", {"a": "b"}, "maya", NINE)
    stage = world.add_deployment(REPOSITORY, head, "stage", {"a": 1}, "success", NINE)
    prod = world.add_deployment(REPOSITORY, other, "prod", "text", "", NINE, production=True)
    for query, found in {
        "environment=stage": [stage],
        f"sha={other}": [prod],
        f"ref={head}": [stage],
        "task=other": [],
        "": [prod, stage],
    }.items():
        assert [one["id"] for one in (await ask("GET", f"{HOME}/deployments?{query}")).body] == found
    assert (await ask("GET", f"{HOME}/deployments/{prod}")).body["payload"] == "text"
    status = (await ask("GET", f"{HOME}/deployments/{stage}/statuses")).body[0]["id"]
    assert (await ask("GET", f"{HOME}/deployments/{stage}/statuses/{status}")).body["state"] == "success"
    assert (await ask("GET", f"{HOME}/deployments/1/statuses")).status == 404


async def test_a_success_retires_earlier_successes_of_its_own_passing_environment(
    world: GitHubWorld, ask: Asker, head: str
) -> None:
    ids = {
        name: world.add_deployment(REPOSITORY, head, environment, {}, state, NINE, production=production)
        for name, environment, state, production in (
            ("earlier", "stage", "success", False),
            ("failed", "stage", "failure", False),
            ("production", "stage", "success", True),
            ("elsewhere", "dev", "success", False),
            ("asked", "stage", "", False),
            ("later", "stage", "success", False),
        )
    }
    asked = f"{HOME}/deployments/{ids['asked']}/statuses"
    assert (await ask("POST", asked, {"state": "success", "auto_inactive": False})).status == 201
    assert len(await _states(world)) == 6
    assert "inactive" not in (await _states(world)).values()
    assert (await ask("POST", asked, {"state": "success"})).status == 201
    assert [name for name, id in ids.items() if (await _states(world))[id] == "inactive"] == ["earlier"]


async def _states(world: GitHubWorld) -> dict[int, str]:
    made = (await world.snapshot())[REPOSITORY]["deployments"]
    return {one["id"]: one["statuses"][-1]["state"] for one in made}


# Releases -----------------------------------------------------------------------------------------------------------


async def test_a_release_makes_the_tag_that_is_missing(world: GitHubWorld, ask: Asker, head: str) -> None:
    made = await ask("POST", f"{HOME}/releases", {"tag_name": "v1", "name": "One", "body": "First"})
    assert (made.status, made.body["draft"]) == (201, False)
    await ask("POST", f"{HOME}/releases", {"tag_name": "v2", "draft": True})
    again = await ask("POST", f"{HOME}/releases", {"tag_name": "v1"})
    assert (again.status, again.body["errors"][0]["code"]) == (422, "already_exists")
    assert (await ask("GET", f"{HOME}/releases/tags/v1")).body["id"] == made.body["id"]
    assert (await ask("GET", f"{HOME}/releases/tags/v2")).status == 404
    assert (await ask("GET", f"{HOME}/releases/latest")).body["tag_name"] == "v1"
    assert [one["tag_name"] for one in (await ask("GET", f"{HOME}/releases")).body] == ["v2", "v1"]
    assert (await ask("GET", f"{HOME}/releases/{made.body['id']}")).body["name"] == "One"
    refs = (await world.snapshot())[REPOSITORY]["refs"]
    assert refs == {"refs/heads/main": head, "refs/tags/v1": head}


# Who may come in ----------------------------------------------------------------------------------------------------


async def test_nobody_comes_in_without_a_good_token(world: GitHubWorld, session: aiohttp.ClientSession) -> None:
    for authorization in ("", "Bearer x", f"Basic {world.token}", "token a.b.c", "Bearer"):
        async with session.get(world.url + HOME, headers={"Authorization": authorization}) as answer:
            assert answer.status == 401
    async with session.get(world.url + HOME, headers={"Authorization": f"token {world.token}"}) as answer:
        assert answer.status == 200


async def test_a_token_sees_and_does_what_it_was_narrowed_to(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, head: str
) -> None:
    await world.create_repository("acme/payments")
    narrow = await app_token(world, session, clock, repositories=["checkout"], permissions={"contents": "read"})
    assert (await narrow("GET", f"{HOME}/git/ref/heads/main")).status == 200
    assert (await narrow("GET", "/repos/acme/payments")).status == 404
    for method, path, body in (
        ("POST", "git/refs", {"ref": "refs/heads/x", "sha": head}),
        ("GET", "deployments", None),
        ("GET", "commits/main/status", None),
    ):
        refused = await narrow(method, f"{HOME}/{path}", body)
        assert (refused.status, refused.message) == (403, "Resource not accessible by integration")
    (token,) = world.tokens()
    assert token.text.startswith("ghs_4711_")
    assert len(token.text) > 200
    clock.advance(minutes=60)
    assert (await narrow("GET", HOME)).status == 401


async def test_an_app_speaks_for_itself_by_what_it_signed(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock, ask: Asker
) -> None:
    app = await app_token(world, session, clock)
    itself = Asker(session, world, signed(clock))
    assert (await itself("GET", "/app")).body["id"] == 4711
    assert (await itself("GET", f"{HOME}/installation")).body["id"] == 99
    for bad in (signed(clock, life=700), signed(clock, life=-1), signed(clock, app="1"), signed(clock, app="x")):
        assert (await Asker(session, world, bad)("GET", "/app")).status == 401
    tokens = "/app/installations/{}/access_tokens"
    assert (await itself("POST", tokens.format(98))).status == 404
    for narrow in ({"permissions": {"administration": "write"}}, {"repositories": ["nothing"]}):
        assert (await itself("POST", tokens.format(99), narrow)).status == 422
    assert (await ask("GET", "/app")).status == 401
    assert (await app("DELETE", "/installation/token")).status == 204
    assert (await app("GET", HOME)).status == 401


async def test_a_clock_that_is_moved_ends_tokens_and_signatures(
    world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock
) -> None:
    itself, app = Asker(session, world, signed(clock)), await app_token(world, session, clock)
    clock.advance(hours=24)
    assert (await itself("GET", "/app")).status == 401
    assert (await app("GET", HOME)).status == 401


# Manners ------------------------------------------------------------------------------------------------------------


async def test_what_is_known_already_costs_nothing(world: GitHubWorld, ask: Asker, head: str) -> None:
    first = await ask("GET", f"{HOME}/git/ref/heads/main")
    again = await ask("GET", f"{HOME}/git/ref/heads/main", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, None)
    assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]
    await world.commit(REPOSITORY, "main", "Go on", {"a": "b"}, "maya", NINE)
    assert (await ask("GET", f"{HOME}/git/ref/heads/main", If_None_Match=first.headers["etag"])).status == 200


async def test_the_hours_requests_are_counted(world: GitHubWorld, ask: Asker, clock: HandClock) -> None:
    world._books.limit = 2
    left = [(await ask("GET", HOME)).headers["x-ratelimit-remaining"] for _ in range(2)]
    spent = await ask("GET", HOME)
    assert (left, spent.status, spent.headers["x-ratelimit-remaining"]) == (["1", "0"], 403, "0")
    clock.advance(minutes=60)
    assert (await ask("GET", "/rate_limit")).body["rate"]["remaining"] == 1


async def test_the_version_asked_for_is_the_one_given(ask: Asker) -> None:
    given = await ask("GET", HOME, X_GitHub_Api_Version="2022-11-28")
    assert given.headers["x-github-api-version-selected"] == "2022-11-28"
    assert (await ask("GET", HOME, X_GitHub_Api_Version="2019-01-01")).status == 400


async def test_what_makes_no_sense_is_refused_in_githubs_words(
    anything_goes: GitHubWorld, session: aiohttp.ClientSession
) -> None:
    ask = Asker(session, anything_goes)
    head = await anything_goes.commit(REPOSITORY, "main", "Begin", {"a": "b"}, "maya", NINE)
    for method, path, body, status in (
        ("GET", "/nothing", None, 404),
        ("PUT", HOME, None, 404),
        ("POST", f"{HOME}/git/refs", {"sha": head}, 422),
        ("POST", f"{HOME}/git/refs", [1], 400),
        ("PATCH", f"{HOME}/git/refs/heads/main", {"sha": head, "force": "yes"}, 422),
        ("PATCH", f"{HOME}/git/refs/heads/no", {"sha": head}, 422),
        ("DELETE", f"{HOME}/git/refs/heads/no", None, 422),
        ("POST", f"{HOME}/statuses/{head}", {"state": "fine"}, 422),
        ("POST", f"{HOME}/statuses/{head}", {"state": "success", "description": "x" * 141}, 422),
        ("POST", f"{HOME}/deployments", {"ref": 7}, 422),
        ("POST", f"{HOME}/deployments", {}, 422),
        ("GET", f"{HOME}/compare/main", None, 404),
        ("GET", f"{HOME}/commits/main~1", None, 422),
        ("GET", f"{HOME}/commits/--all", None, 422),
        ("GET", f"{HOME}/contents/../../secrets", None, 404),
    ):
        refused = await ask(method, path, body)
        assert (path, refused.status) == (path, status)
        assert refused.body["documentation_url"]
    async with session.post(
        f"{anything_goes.url}{HOME}/git/refs", data=b"{", headers={"Authorization": f"token {anything_goes.token}"}
    ) as answer:
        assert answer.status == 400


async def test_a_misspelt_field_is_ignored_as_it_is_there(
    anything_goes: GitHubWorld, session: aiohttp.ClientSession
) -> None:
    await anything_goes.commit(REPOSITORY, "main", "Begin", {"a": "b"}, "maya", NINE)
    made = await Asker(session, anything_goes)("POST", f"{HOME}/deployments", {"ref": "main", "enviroment": "stage"})
    assert made.body["environment"] == "production"


# Faults -------------------------------------------------------------------------------------------------------------


async def test_every_kind_of_fault_can_be_played_and_then_is_over(world: GitHubWorld, ask: Asker, head: str) -> None:
    world.set_check(REPOSITORY, head, "unit-tests", "success")
    await ask("POST", f"{HOME}/statuses/{head}", {"state": "success"})
    played = {}
    for kind in [one["kind"] for one in fault_kinds()]:
        world.inject(kind, seconds=0)
        try:
            said = await ask("POST", f"{HOME}/statuses/{head}", {"state": "success", "context": kind})
            played[kind] = said.status
        except aiohttp.ClientError:
            played[kind] = 0
        world.clear_faults()
    assert played == {
        "bad_gateway": 502,
        "bad_gateway_after": 502,
        "dropped": 0,
        "secondary_limit": 403,
        "secondary_limit_silent": 403,
        "too_many_requests": 429,
        "too_many_requests_silent": 429,
        "rate_limit_spent": 403,
        "stall": 201,
        "token_expired": 401,
        "moved": 301,
        "stale_read": 201,
        "mergeable_unknown": 201,
        "duplicate_check_runs": 201,
        "bundle_inline": 201,
        "upload_cut_off": 201,
        "base_moved": 201,
    }
    done = {one["context"] for one in (await ask("GET", f"{HOME}/commits/main/status?per_page=100")).body["statuses"]}
    assert done - {"default"} == {
        "bad_gateway_after",
        "dropped",
        "stall",
        "stale_read",
        "mergeable_unknown",
        "duplicate_check_runs",
        "base_moved",
        "bundle_inline",
        "upload_cut_off",
    }


async def test_a_stale_read_shows_how_things_were_before_the_last_write(
    world: GitHubWorld, ask: Asker, head: str
) -> None:
    newer = await world.commit(REPOSITORY, "main", "Go on", {"a": "b"}, "maya", NINE)
    await ask("POST", f"{HOME}/git/refs", {"ref": "refs/heads/release", "sha": head})
    await ask("PATCH", f"{HOME}/git/refs/heads/release", {"sha": newer})
    world.inject("stale_read")
    seen = [(await ask("GET", f"{HOME}/git/ref/heads/release")).body["object"]["sha"] for _ in range(2)]
    assert seen == [head, newer]
    await ask("POST", f"{HOME}/deployments", {"ref": newer})
    world.inject("stale_read")
    assert [len((await ask("GET", f"{HOME}/deployments")).body) for _ in range(2)] == [0, 1]


async def test_a_fault_waits_for_the_request_it_is_meant_for(world: GitHubWorld, ask: Asker, head: str) -> None:
    world.inject("bad_gateway", path="/deployments", method="GET")
    assert (await ask("GET", HOME)).status == 200
    assert (await ask("GET", f"{HOME}/deployments")).status == 502
    assert (await ask("GET", f"{HOME}/deployments")).status == 200
    with pytest.raises(ValueError, match="no such fault"):
        world.inject("flood")
    with pytest.raises(ValueError, match="no such option"):
        world.inject("stall", colour="red")


async def test_a_world_begun_again_in_the_same_place_begins_empty(tmp_path: Path, clock: HandClock) -> None:
    for _ in range(2):
        async with github_world(tmp_path, clock) as world:
            assert (await world.snapshot())[REPOSITORY] == {"refs": {}, "releases": [], "pulls": [], "deployments": []}
            await world.commit(REPOSITORY, "main", "Begin", {"a": "b"}, "maya", NINE)
