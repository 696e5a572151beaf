"""What workflows leave behind, what is published, what a repository pins, and forks that follow it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.bot.github_world import NINE
from tests.bot.sandbox.github_place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_artifacts_of_runs_are_listed_newest_first_and_by_name(place: Place) -> None:
    run = await place.world.run_workflow(place.name, "ci.yml", "main", "success")
    ids = [place.world.leave_artifact(place.name, run, name, name.encode()) for name in ("image", "sbom", "image")]
    asks = place.asks()
    listed = (await asks("GET", "actions/artifacts?per_page=2")).body
    assert (listed["total_count"], [one["id"] for one in listed["artifacts"]]) == (3, [ids[2], ids[1]])
    (sbom,) = (await asks("GET", "actions/artifacts?name=sbom")).body["artifacts"]
    assert sbom["digest"] == f"sha256:{hashlib.sha256(b'sbom').hexdigest()}"
    assert (sbom["size_in_bytes"], sbom["expired"]) == (4, False)
    assert sbom["workflow_run"]["head_sha"] == place.git("rev-parse", "main")
    place.clock.advance(days=90)
    assert (await asks("GET", "actions/artifacts?name=sbom")).body["artifacts"][0]["expired"]


async def test_versions_of_an_image_carry_their_tags_and_a_tag_moves(place: Place) -> None:
    one, two = ("sha256:" + letter * 64 for letter in "ab")
    package = place.name.partition("/")[2]
    place.world.publish("acme", package, one, "v1", "latest")
    place.world.publish("acme", package, two, "v2", "latest")
    asks = place.asks()
    path = f"/orgs/acme/packages/container/{package}/versions"
    listed = (await asks("GET", path)).body
    assert [(made["name"], made["metadata"]["container"]["tags"]) for made in listed] == [
        (two, ["v2", "latest"]),
        (one, ["v1"]),
    ]
    assert (await asks("GET", f"{path}?state=deleted")).body == []
    assert (await asks("GET", "/orgs/acme/packages/container/nothing/versions")).status == 404
    assert (await asks("GET", path.replace("container", "npm"))).status == 404


async def test_the_bill_of_materials_is_what_the_default_branch_pins(place: Place) -> None:
    lock = "aiohttp==3.14.5 \\\n    --hash=sha256:aa\npsycopg[binary]==3.3.0\n# nothing==1\nloose>=2\n"
    await place.write("main", {"requirements.lock": lock, "notes.txt": "evil==6\n"})
    bill = (await place.asks()("GET", "dependency-graph/sbom")).body["sbom"]
    root, *others = bill["packages"]
    assert root["name"] == place.name
    assert [(one["name"], one["versionInfo"]) for one in others] == [("aiohttp", "3.14.5"), ("psycopg", "3.3.0")]
    assert [one["relationshipType"] for one in bill["relationships"]] == ["DESCRIBES", "DEPENDS_ON", "DEPENDS_ON"]


async def test_a_fork_follows_what_it_came_from(place: Place) -> None:
    fork = f"lea/{place.name.partition('/')[2]}"
    await place.world.fork(place.name, fork)
    theirs, asks = place.world.repository(fork).git, place.asks()

    async def follows(branch: str = "main") -> tuple[int, Any]:
        said = await asks("POST", f"/repos/{fork}/merge-upstream", {"branch": branch})
        return said.status, said.body.get("merge_type")

    assert (await asks("GET", f"/repos/{fork}")).body["fork"] is True
    assert await follows() == (200, "none")
    new = await place.write("main", {"a": "a\n"})
    assert await follows() == (200, "fast-forward")
    assert await theirs.ref("refs/heads/main") == new
    own = await place.world.commit(fork, "main", "Own", {"b": "b\n"}, "lea", NINE)
    newer = await place.write("main", {"c": "c\n"})
    assert await follows() == (200, "merge")
    (merged,) = await theirs.commits(await theirs.ref("refs/heads/main") or "")
    assert list(merged.parents) == [own, newer]
    await place.world.commit(fork, "main", "Own", {"a": "ours\n"}, "lea", NINE)
    await place.write("main", {"a": "theirs\n"})
    assert (await follows())[0] == 409
    assert (await follows("nothing"))[0] == 422
    assert (await asks("POST", "merge-upstream", {"branch": "main"})).status == 422
