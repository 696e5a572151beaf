"""What the local GitHub keeps besides git: releases, attestations, remarks, people, environments; and whom it tells."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from bot.sandbox.github.attestations import snappy
from tests.bot.github_world import key_pair
from tests.bot.sandbox.github_place import PROMOTER, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIGEST = "sha256:" + "ab" * 32


async def uploads(place: Place, release: dict[str, Any], name: str, content: bytes) -> tuple[int, dict[str, Any]]:
    """A file as clients send it: its bytes, to the address that the release tells."""
    address = release["upload_url"].partition("{")[0]
    headers = {"Authorization": f"Bearer {place.world.token}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, params={"name": name}, data=content, headers=headers) as response,
    ):
        return response.status, await response.json()


# Releases -----------------------------------------------------------------------------------------------------------


async def test_a_release_is_drafted_published_and_deleted(place: Place) -> None:
    asks, head = place.asks(), place.git("rev-parse", "main")
    draft = (await asks("POST", "releases", {"tag_name": "v1.0.0", "draft": True, "body": "Soon"})).body
    again = (await asks("POST", "releases", {"tag_name": "v1.0.0", "draft": True})).body
    assert place.git("for-each-ref", "refs/tags") == ""
    assert (await asks("GET", "releases/tags/v1.0.0")).status == 404
    published = await asks("PATCH", f"releases/{draft['id']}", {"draft": False, "make_latest": "true", "name": "One"})
    assert (published.body["draft"], published.body["name"], published.body["body"]) == (False, "One", "Soon")
    assert place.git("rev-parse", "v1.0.0") == head
    assert (await asks("GET", "releases/latest")).body["id"] == draft["id"]
    taken = await asks("PATCH", f"releases/{again['id']}", {"draft": False})
    assert (taken.status, taken.body["errors"][0]["code"]) == (422, "already_exists")
    assert (await asks("DELETE", f"releases/{draft['id']}")).status == 204
    assert (await asks("GET", f"releases/{draft['id']}")).status == 404
    assert place.git("rev-parse", "v1.0.0") == head


async def test_files_of_a_release_are_kept_byte_by_byte_and_each_name_is_taken_once(place: Place) -> None:
    asks, content = place.asks(), b'{"digest": "\xc3\xa4"}'
    draft = (await asks("POST", "releases", {"tag_name": "v3.0.0", "draft": True})).body
    status, made = await uploads(place, draft, "record.json", content)
    assert (status, made["state"], made["size"]) == (201, "uploaded", len(content))
    assert made["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    status, again = await uploads(place, draft, "record.json", b"other")
    assert (status, again["errors"][0]["code"]) == (422, "already_exists")
    assert [one["name"] for one in (await asks("GET", f"releases/{draft['id']}")).body["assets"]] == ["record.json"]
    assert (await asks("DELETE", f"releases/assets/{made['id']}")).status == 204
    assert (await uploads(place, draft, "record.json", b"other"))[0] == 201


async def test_the_latest_release_is_the_one_that_was_made_so_last(place: Place) -> None:
    asks = place.asks()
    for tag, latest in (("v4.0.0", "true"), ("v4.1.0", None), ("v3.9.1", "false")):
        said = {"tag_name": tag} if latest is None else {"tag_name": tag, "make_latest": latest}
        await asks("POST", "releases", said)
    assert (await asks("GET", "releases/latest")).body["tag_name"] == "v4.1.0"


async def test_what_is_published_where_releases_are_immutable_never_changes(place: Place) -> None:
    asks = place.asks()
    place.world.make_releases_immutable(place.name)
    draft = (await asks("POST", "releases", {"tag_name": "v5.0.0", "draft": True})).body
    assert (await uploads(place, draft, "record.json", b"{}"))[0] == 201
    published = (await asks("PATCH", f"releases/{draft['id']}", {"draft": False})).body
    assert published["immutable"] is True
    assert (await uploads(place, draft, "late.json", b"{}"))[0] == 422
    assert (await asks("DELETE", f"releases/assets/{published['assets'][0]['id']}")).status == 422
    assert (await asks("PATCH", f"releases/{draft['id']}", {"body": "Said better"})).status == 200


async def test_notes_tell_what_was_merged_since_the_release_before(place: Place) -> None:
    asks = place.asks()
    for number, tag in ((1, "v1"), (2, "v2")):
        await place.branch(f"dev-{number}", {f"{number}": "x"})
        await place.pull(f"dev-{number}")
        await asks("PUT", f"pulls/{number}/merge", {})
        await asks("POST", "releases", {"tag_name": tag})
    url = f"{place.world.url}/{place.name}"
    notes = (await asks("POST", "releases/generate-notes", {"tag_name": "v2", "previous_tag_name": "v1"})).body
    assert notes["body"] == (
        f"## What's Changed\n* Bring dev-2 by @maya in {url}/pull/2\n\n\n**Full Changelog**: {url}/compare/v1...v2"
    )
    assert (await asks("POST", "releases/generate-notes", {"tag_name": "v2"})).body == notes
    first = (await asks("POST", "releases/generate-notes", {"tag_name": "v1"})).body["body"]
    assert ("dev-1" in first, "dev-2" in first) == (True, False)
    assert place.git("tag", "--list").split() == ["v1", "v2"]


# Attestations -------------------------------------------------------------------------------------------------------


def bundle(kind: str = "https://slsa.dev/provenance/v1", digest: str = DIGEST) -> dict[str, Any]:
    name, value = digest.split(":")
    statement = {"predicateType": kind, "subject": [{"name": "image", "digest": {name: value}}], "predicate": {}}
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    envelope = {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": []}
    return {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope}


def unpacked(data: bytes) -> bytes:
    """A Snappy block of literals only, read by its description."""
    size = shift = at = 0
    while True:
        size |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            break
    out = b""
    while at < len(data):
        assert data[at] == 61 << 2
        length = int.from_bytes(data[at + 1 : at + 3], "little") + 1
        out += data[at + 3 : at + 3 + length]
        at += 3 + length
    assert len(out) == size
    return out


async def test_attestations_are_found_by_digest_and_kind_and_their_bundles_elsewhere(place: Place) -> None:
    asks = place.asks()
    assert (await asks("POST", "attestations", {"bundle": bundle()})).status == 201
    place.world.attest(place.name, bundle("https://spdx.dev/Document/v2.3"))
    place.world.attest(place.name, {"mediaType": "x"}, DIGEST)
    for query, found in (("", 3), ("?predicate_type=provenance", 1), ("?predicate_type=sbom", 1), ("?per_page=2", 2)):
        assert (query, len((await asks("GET", f"attestations/{DIGEST}{query}")).body["attestations"])) == (query, found)
    first = await asks("GET", f"attestations/{DIGEST}?per_page=2")
    rest = await asks("GET", first.headers["link"].partition("<")[2].partition(">")[0])
    assert len(rest.body["attestations"]) == 1
    assert (await asks("GET", "attestations/sha256:00")).body == {"attestations": []}
    (one,) = (await asks("GET", f"attestations/{DIGEST}?predicate_type=provenance")).body["attestations"]
    assert one["bundle"] is None
    async with place.session.get(one["bundle_url"]) as answer:
        assert json.loads(unpacked(await answer.read())) == bundle()
    async with place.session.get(one["bundle_url"], headers={"Authorization": f"token {place.world.token}"}) as answer:
        assert answer.status == 400
    async with place.session.get(one["bundle_url"].replace("/bundles/", "/bundles/x")) as answer:
        assert answer.status == 404
    place.world.inject("bundle_inline")
    (one,) = (await asks("GET", f"attestations/{DIGEST}?predicate_type=provenance")).body["attestations"]
    assert one["bundle"] == bundle()
    of_all = await asks("GET", f"/orgs/acme/attestations/{DIGEST}")
    assert len(of_all.body["attestations"]) == 3


async def test_a_bundle_of_any_size_is_packed_so_that_it_can_be_unpacked() -> None:
    for size in (1, 127, 128, 65_536, 65_537, 200_000):
        data = bytes(n % 251 for n in range(size))
        assert unpacked(snappy(data)) == data


# Remarks, people, places --------------------------------------------------------------------------------------------


async def test_remarks_and_labels_stand_on_the_pull_request(place: Place) -> None:
    await place.branch("dev", {"a": "a"})
    await place.pull("dev")
    asks = place.asks()
    made = (await asks("POST", "issues/1/comments", {"body": "Hello <!-- op_1 -->"})).body
    assert (await asks("PATCH", f"issues/comments/{made['id']}", {"body": "Hi"})).body["body"] == "Hi"
    assert [one["body"] for one in (await asks("GET", "issues/1/comments")).body] == ["Hi"]
    assert (await asks("PATCH", "issues/comments/1", {"body": "Hi"})).status == 404
    assert (await asks("POST", "issues/1/comments", {"body": " "})).status == 422
    labels = (await asks("POST", "issues/1/labels", {"labels": ["hotfix", "hotfix"]})).body
    assert [one["name"] for one in labels] == ["hotfix"]
    issue, pull = (await asks("GET", "issues/1")).body, (await asks("GET", "pulls/1")).body
    assert (issue["labels"], issue["comments"], pull["comments"]) == (pull["labels"], 1, 1)


async def test_what_people_may_and_which_teams_they_are_in_is_told(place: Place) -> None:
    place.world.form_team("acme", "leads", ["raj", "ada"], "maintain")
    place.world.admit("gus", "read")
    asks = place.asks()
    told = {}
    for login in ("raj", "gus", "stranger"):
        said = (await asks("GET", f"collaborators/{login}/permission")).body
        told[login] = (said["permission"], said["role_name"], said["user"]["permissions"]["push"])
    assert told == {
        "raj": ("write", "maintain", True),
        "gus": ("read", "read", False),
        "stranger": ("none", "none", False),
    }
    assert (await asks("GET", "/orgs/acme/teams/leads/memberships/raj")).body["state"] == "active"
    assert (await asks("GET", "/orgs/acme/teams/leads/memberships/gus")).status == 404
    assert [one["login"] for one in (await asks("GET", "/orgs/acme/teams/leads/members")).body] == ["raj", "ada"]
    app = await place.app(PROMOTER)
    assert (await app("GET", "/orgs/acme/teams/leads/members")).status == 404


async def test_environments_are_those_made_and_those_deployed_to(place: Place) -> None:
    asks, head = place.asks(), place.git("rev-parse", "main")
    place.world.add_deployment(place.name, head, "stage", {}, "success", place.clock.now())
    assert (await asks("PUT", "environments/prod", {"wait_timer": 30})).body["protection_rules"][0]["wait_timer"] == 30
    assert {one["name"] for one in (await asks("GET", "environments")).body["environments"]} == {"stage", "prod"}
    assert (await asks("GET", "environments/dev")).status == 404


async def test_check_suites_tell_the_runs_of_one_app_together(place: Place) -> None:
    head = place.git("rev-parse", "main")
    for name, conclusion, app in (("a", "success", "CI"), ("b", "failure", "CI"), ("c", None, "Scan")):
        place.world.set_check(place.name, head, name, conclusion, app=app)
    suites = (await place.asks()("GET", f"commits/{head}/check-suites")).body["check_suites"]
    told = [(one["app"]["name"], one["status"], one["conclusion"], one["latest_check_runs_count"]) for one in suites]
    assert told == [("CI", "completed", "failure", 2), ("Scan", "in_progress", None, 1)]


async def test_workflows_are_started_listed_and_tried_again(place: Place) -> None:
    asks, runs = place.asks(), "actions/workflows/tag.yml"
    head = await place.write("main", {".github/workflows/tag.yml": "on: workflow_dispatch\n"})
    assert (await asks("POST", f"{runs}/dispatches", {"ref": "main"})).status == 204
    told = (await asks("POST", f"{runs}/dispatches", {"ref": "main", "return_run_details": True})).body
    assert (await asks("POST", f"{runs}/dispatches", {"ref": "nowhere"})).status == 422
    assert (await asks("POST", "actions/workflows/no.yml/dispatches", {"ref": "main"})).status == 404
    pushed = await place.world.run_workflow(place.name, "tag.yml", "main", "failure")
    listed = (await asks("GET", f"{runs}/runs?head_sha={head}")).body["workflow_runs"]
    assert [(one["event"], one["status"], one["run_number"]) for one in listed] == [
        ("push", "completed", 3),
        ("workflow_dispatch", "queued", 2),
        ("workflow_dispatch", "queued", 1),
    ]
    assert (await asks("POST", f"actions/runs/{pushed}/rerun-failed-jobs")).status == 201
    assert (await asks("POST", f"actions/runs/{pushed}/rerun-failed-jobs")).status == 403
    place.world.end_workflow(place.name, told["workflow_run_id"], "success")
    assert len((await asks("GET", f"{runs}/runs?status=success")).body["workflow_runs"]) == 1


# Whom it tells ------------------------------------------------------------------------------------------------------


async def test_events_are_delivered_signed_and_once(place: Place) -> None:
    heard: list[tuple[str, Any]] = []
    secret = place.world.webhook_secret

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == f"sha256={signed}"
        assert request.headers["X-GitHub-Delivery"]
        heard.append((request.headers["X-GitHub-Event"], json.loads(body)))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place.world.tell(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
    place.world.tell("http://127.0.0.1:9/nobody", "push")
    old = place.git("rev-parse", "main")
    head = await place.branch("dev", {"a": "a"})
    await place.pull("dev")
    place.world.set_check(place.name, head, "ci", "success")
    await place.asks()("POST", f"statuses/{head}", {"state": "success"})
    await place.asks(place.world.admit("omar"))("POST", "pulls/1/reviews", {"event": "APPROVE"})
    await place.asks()("PUT", "pulls/1/merge", {})
    made = (await place.asks()("POST", "deployments", {"ref": "main", "environment": "stage"})).body
    await place.asks()("POST", f"deployments/{made['id']}/statuses", {"state": "success"})
    done = await place.world.all_told()
    place.world._books.postman.hooks.clear()
    await runner.cleanup()
    assert [(event, body.get("action", body.get("ref"))) for event, body in heard] == [
        ("push", "refs/heads/dev"),
        ("pull_request", "opened"),
        ("check_run", "completed"),
        ("status", None),
        ("pull_request_review", "submitted"),
        ("pull_request", "closed"),
        ("push", "refs/heads/main"),
        ("deployment_status", "created"),
    ]
    push = heard[6][1]
    assert (push["before"], push["after"], push["forced"]) == (old, place.git("rev-parse", "main"), False)
    assert {body["repository"]["full_name"] for _, body in heard} == {place.name}
    assert sorted(status for _, status in done) == [0, 0, *[202] * 8]


# Names and pace -----------------------------------------------------------------------------------------------------


async def test_who_asks_for_a_repositorys_old_name_is_sent_on(place: Place) -> None:
    asks, old = place.asks(), place.name
    place.name = f"{old}-moved"
    place.world.rename(old, place.name)
    read = await asks("GET", f"/repos/{old}/branches?per_page=1")
    assert (read.status, read.headers["location"].endswith("/branches?per_page=1")) == (301, True)
    followed = await asks("GET", read.headers["location"])
    assert (followed.status, followed.body[0]["commit"]["sha"]) == (200, place.git("rev-parse", "main"))
    written = await asks(
        "POST", f"/repos/{old}/git/refs", {"ref": "refs/heads/x", "sha": place.git("rev-parse", "main")}
    )
    assert (written.status, written.message) == (301, "Moved Permanently")
    assert place.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert (await asks("GET", f"/repos/{place.name}")).body["full_name"] == place.name


async def test_too_much_in_one_minute_is_told_to_wait(place: Place) -> None:
    asks = place.asks(place.world.admit("hasty"))
    place.world.hurry(11)
    head = place.git("rev-parse", "main")
    seen = [(await asks("POST", f"statuses/{head}", {"state": "success"})).status for _ in range(3)]
    place.clock.advance(seconds=20)
    refused = await asks("GET", "")
    assert (seen, refused.status, refused.headers["retry-after"]) == ([201] * 3, 403, "40")
    place.clock.advance(seconds=40)
    assert (await asks("GET", "")).status == 200
    place.world.hurry(None)


# What else is asked now and then -------------------------------------------------------------------------------------


async def test_an_app_finds_where_it_is_installed(place: Place) -> None:
    now = int(place.clock.now().timestamp())
    claims = {"iat": now - 60, "exp": now + 540, "iss": str(PROMOTER)}
    itself = place.asks(jwt.encode(claims, key_pair()[0], algorithm="RS256"))
    (installed,) = (await itself("GET", "/app/installations")).body
    of_the_organisation = (await itself("GET", "/orgs/acme/installation")).body
    assert installed["id"] == of_the_organisation["id"] == PROMOTER + 1000
    assert installed["app_id"] == PROMOTER
    assert installed["permissions"]["contents"] == "write"


async def test_single_things_are_told_as_the_whole_tells_them(place: Place) -> None:
    asks = place.asks()
    said = await asks("PUT", "environments/stage", {"wait_timer": 30})
    alone = (await asks("GET", "environments/stage")).body
    assert (alone["name"], alone["id"]) == ("stage", said.body["id"])
    assert (await asks("GET", "environments/nothing")).status == 404
    reviews = {"required_approving_review_count": 2, "require_code_owner_reviews": True}
    guarded = {"required_status_checks": None, "enforce_admins": True, "restrictions": None}
    await asks("PUT", "branches/main/protection", {**guarded, "required_pull_request_reviews": reviews})
    alone = (await asks("GET", "branches/main/protection/required_pull_request_reviews")).body
    assert alone["required_approving_review_count"] == 2
    assert alone == (await asks("GET", "branches/main/protection")).body["required_pull_request_reviews"]
    assert (await asks("GET", f"/users/acme/attestations/{'sha256:' + 'cd' * 32}")).body == {"attestations": []}
    assert (await asks("GET", "/meta")).body["verifiable_password_authentication"] is False
