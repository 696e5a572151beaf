"""Releases of tags: drafted, filled, published last; each found again after a crash, none made twice, no tag made."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.github import PersonalToken
from bot.github.connection import Connection
from bot.github.pace import Pace
from bot.github.releases import GitHubReleases
from bot.sandbox.github import GitHubWorld
from commands.errors import OutcomeUnknown, Rejected
from commands.ports import Release
from policy.model import Sha
from tests.bot.github_world import NINE, REPOSITORY, HandClock, github_world

QUICK = Pace(write_gap=0, retry_pause=0.01, longest_wait=0.5, read_timeout=60, write_timeout=60)
MARK, RECORD = "<!-- release-bot op_1 -->", b'{"digest": "sha256:ab"}'


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def world(tmp_path: Path, clock: HandClock) -> AsyncIterator[GitHubWorld]:
    async with github_world(tmp_path, clock) as world:
        yield world


@pytest.fixture
async def releases(world: GitHubWorld, clock: HandClock) -> AsyncIterator[GitHubReleases]:
    async with aiohttp.ClientSession() as session:
        yield GitHubReleases(Connection(session, PersonalToken(world.token), clock, world.url, QUICK))


@pytest.fixture
async def head(world: GitHubWorld) -> Sha:
    return Sha(await world.commit(REPOSITORY, "main", "Begin", {"README.md": "hello\n"}, "maya", NINE))


async def drafted(releases: GitHubReleases, commit: Sha, tag: str = "v1.0.0") -> Release:
    return await releases.draft(REPOSITORY, tag=tag, commit=commit, title=tag, body="Notes", mark=MARK)


async def made(world: GitHubWorld) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.snapshot())[REPOSITORY]["releases"]
    return found


async def whole(releases: GitHubReleases, commit: Sha, tag: str = "v1.0.0", *, latest: bool = True) -> Release:
    release = await drafted(releases, commit, tag)
    await releases.attach(REPOSITORY, release, "record.json", RECORD)
    return await releases.publish(REPOSITORY, release, commit=commit, latest=latest)


async def test_a_release_is_drafted_filled_and_published_last(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    release = await drafted(releases, head)
    assert (await made(world))[0]["draft"] is True
    await releases.attach(REPOSITORY, release, "record.json", RECORD)
    assert (await releases.publish(REPOSITORY, release, commit=head, latest=True)).public
    (stands,) = await made(world)
    assert (stands["tag"], stands["draft"], stands["latest"]) == ("v1.0.0", False, True)
    assert stands["body"] == f"Notes\n\n{MARK}\n"
    assert stands["assets"] == {"record.json": RECORD.decode()}
    writes = [
        f"{said['method']} {said['path'].rpartition('/')[2]}" for said in world.exchanges if said["method"] != "GET"
    ]
    assert writes == ["POST releases", "POST assets?name=record.json", f"PATCH {release.id}"]


async def test_all_of_it_again_changes_nothing(world: GitHubWorld, releases: GitHubReleases, head: Sha) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    first = await whole(releases, head)
    before = [said for said in world.exchanges if said["method"] != "GET"]
    assert (await whole(releases, head)).id == first.id
    assert [said for said in world.exchanges if said["method"] != "GET"] == before


@pytest.mark.parametrize("fault", ["bad_gateway_after", "dropped"])
async def test_a_write_without_an_answer_is_looked_for_and_not_repeated(
    world: GitHubWorld, releases: GitHubReleases, head: Sha, fault: str
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    world.inject(fault, method="POST", path="/releases$")
    release = await drafted(releases, head)
    world.inject(fault, method="POST", path="/assets")
    await releases.attach(REPOSITORY, release, "record.json", RECORD)
    world.inject(fault, method="PATCH")
    await releases.publish(REPOSITORY, release, commit=head, latest=True)
    (stands,) = await made(world)
    assert (stands["draft"], stands["assets"]) == (False, {"record.json": RECORD.decode()})


async def test_a_file_whose_upload_was_broken_off_is_put_aside_and_sent_again(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    release = await drafted(releases, head)
    world.inject("upload_cut_off", method="POST")
    with pytest.raises(OutcomeUnknown):
        await releases.attach(REPOSITORY, release, "record.json", RECORD)
    await releases.attach(REPOSITORY, release, "record.json", RECORD)
    (stands,) = await made(world)
    assert stands["assets"] == {"record.json": RECORD.decode()}


async def test_a_tag_that_is_missing_is_not_made(world: GitHubWorld, releases: GitHubReleases, head: Sha) -> None:
    with pytest.raises(Rejected, match=r"acme/checkout has no tag v1\.0\.0, and a release of it would make one"):
        await drafted(releases, head)
    assert await made(world) == []
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    release = await drafted(releases, head)
    directory = world.repository(REPOSITORY).git.directory
    subprocess.run(["git", "update-ref", "-d", "refs/tags/v1.0.0"], cwd=directory, check=True)
    with pytest.raises(Rejected, match=r"has no tag v1\.0\.0"):
        await releases.publish(REPOSITORY, release, commit=head, latest=True)
    assert [one["draft"] for one in await made(world)] == [True]
    assert "refs/tags/v1.0.0" not in (await world.snapshot())[REPOSITORY]["refs"]


async def test_a_tag_that_was_moved_meanwhile_is_not_published(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    release = await drafted(releases, head)
    other = await world.commit(REPOSITORY, "main", "Next", {"README.md": "more\n"}, "maya", NINE)
    await world.set_ref(REPOSITORY, "refs/tags/v1.0.0", other)
    with pytest.raises(Rejected, match=f"v1.0.0 of acme/checkout is on {other[:7]} now, not on {head[:7]}"):
        await releases.publish(REPOSITORY, release, commit=head, latest=True)


async def test_what_others_published_is_found_and_only_gets_what_it_lacks(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    theirs = await releases.draft(REPOSITORY, tag="v1.0.0", commit=head, title="One", body="Ours", mark="<!-- ci -->")
    await releases.publish(REPOSITORY, theirs, commit=head, latest=True)
    assert (await whole(releases, head)).id == theirs.id
    (stands,) = await made(world)
    assert (stands["body"], stands["assets"]) == ("Ours\n\n<!-- ci -->\n", {"record.json": RECORD.decode()})


async def test_another_file_of_that_name_is_never_put_aside(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    release = await drafted(releases, head)
    await releases.attach(REPOSITORY, release, "record.json", json.dumps({"other": 1}).encode())
    with pytest.raises(Rejected, match=r"The release of v1\.0\.0 holds another record\.json already"):
        await releases.attach(REPOSITORY, release, "record.json", RECORD)


async def test_an_immutable_release_takes_nothing_afterwards_and_says_so(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    world.make_releases_immutable(REPOSITORY)
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    release = await whole(releases, head)
    await releases.attach(REPOSITORY, release, "record.json", RECORD)
    with pytest.raises(Rejected):
        await releases.attach(REPOSITORY, release, "late.json", RECORD)


async def test_the_latest_is_told_and_an_older_line_leaves_it(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    assert await releases.latest(REPOSITORY) == ""
    for tag, latest in (("v2.0.0", True), ("v1.9.1", False)):
        await world.tag(REPOSITORY, tag, head, "release-ci[bot]", tag, NINE)
        await whole(releases, head, tag, latest=latest)
    assert await releases.latest(REPOSITORY) == "v2.0.0"


async def test_several_drafts_of_others_are_not_chosen_from(
    world: GitHubWorld, releases: GitHubReleases, head: Sha
) -> None:
    await world.tag(REPOSITORY, "v1.0.0", head, "release-ci[bot]", "One", NINE)
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            said = {"tag_name": "v1.0.0", "draft": True}
            headers = {"Authorization": f"Bearer {world.token}"}
            await session.post(f"{world.url}/repos/{REPOSITORY}/releases", json=said, headers=headers)
    with pytest.raises(Rejected, match=r"2 releases of v1\.0\.0 are drafted in acme/checkout"):
        await drafted(releases, head)
