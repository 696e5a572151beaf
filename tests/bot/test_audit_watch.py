"""The daily look over a repository, on the local GitHub: what is found is told once, and what is mended is told no more."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partialmethod
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.audit_watch import AuditWatch
from bot.github import GitHub, GitHubRepositories, PersonalToken
from bot.github.client import Client
from bot.policy_file import read_policy
from bot.sandbox.github import GitHubWorld
from commands.errors import Unavailable
from commands.ports import Audited, Recorded, SeenTag, Writes
from policy.document import ActivePolicy
from policy.model import Digest, Sha
from tests.bot.github_world import Asker, violations
from tests.conversation import Bot
from tests.world import DAY, HOUR, Town, story

APP = "acme/app"
POLICIES = Path(__file__).parents[2] / "deploy/policies"


@dataclass
class InForce:
    active: ActivePolicy

    def current(self) -> ActivePolicy:
        return self.active


@dataclass
class Looked:
    """A repository, the bot that looks over it, and people who do things there."""

    town: Town
    github: GitHubWorld
    bot: Bot
    code: GitHub
    repositories: GitHubRepositories
    watch: AuditWatch
    asks: Asker

    async def push(self, branch: str, file: str = "a", *, by: str = "maya", off: str = "", text: str = "x\n") -> str:
        """A commit of their own on that branch, which is made where it has to begin somewhere."""
        if off:
            stands = await self.github.repository(APP).git.ref(f"refs/heads/{off}")
            assert stands
            await self.github.set_ref(APP, f"refs/heads/{branch}", stands)
        return await self.github.commit(APP, branch, f"Change {file}", {file: text}, by, self.town.clock.now())

    async def merge(self, head: str, base: str, method: str = "merge") -> int:
        opened = await self.asks("POST", "pulls", {"title": f"Bring {head}", "head": head, "base": base})
        number = int(opened.body["number"])
        said = await self.asks("PUT", f"pulls/{number}/merge", {"merge_method": method})
        assert said.status == 200, said
        return number

    async def passes(self, span: timedelta) -> None:
        self.town.clock.at += span

    async def looks(self) -> list[str]:
        """What the channel hears of one look."""
        before = len(self.town.slack.messages)
        await self.watch.look()
        await self.bot.says()
        said = [message.now for message in self.town.slack.messages[before:]]
        return [line for reply in said for line in (reply["text"], *(each[2:] for each in reply["body"]))]

    async def rows(self) -> list[tuple[str, str]]:
        found: list[Recorded] = [row for row in await self.bot.store.newest(99) if row.kind == "audit"]
        return [(row.what, says) for row in reversed(found) for says in row.private.values()]


@asynccontextmanager
async def looked(directory: Path, seed: str = "seed000", **audit: Any) -> AsyncIterator[Looked]:
    policy = read_policy(POLICIES / f"{seed}.yaml")
    town = story(directory)
    wanted = {"channel": "C0CHECKOUT", **audit}
    raw = policy.policy.model_dump(mode="python", by_alias=True) | {"audit": wanted}
    policy = policy.model_copy(update={"policy": type(policy.policy).model_validate(raw)})
    async with (
        GitHubWorld(directory / "github", town.clock) as world,
        aiohttp.ClientSession() as session,
        Bot(town) as bot,
    ):
        await world.create_repository(APP)
        code = GitHub(session, PersonalToken(world.token), town.clock, url=world.url)
        repositories = GitHubRepositories(code.connection)
        object.__setattr__(bot.world, "code", code)
        object.__setattr__(bot.world, "policies", InForce(policy))
        asks = Asker(session, world, home=f"/repos/{APP}")
        yield Looked(town, world, bot, code, repositories, AuditWatch(bot.world, repositories), asks)
        wrong = violations(world.exchanges)
        assert not wrong, "\n".join(wrong[:5])


async def usual(place: Looked) -> None:
    """`main`, `stage` and `Dev`, with one commit."""
    await place.push("main", "README.md")
    for branch in ("stage", "Dev"):
        await place.push(branch, "README.md", off="main")


# What is so ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S0-01")
async def test_a_branch_that_is_not_called_letter_by_letter_is_told_once_until_it_is_put_right(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["branches"]) as place:
        await place.push("main")
        await place.push("stage", off="main")
        await place.push("dev", off="main")
        assert await place.looks() == [
            "I looked over acme/app: one thing is not as the policy wants.",
            "branch Dev of dev not found (found dev)",
        ]
        await place.passes(DAY)
        assert await place.looks() == []
        await place.push("Dev", off="dev")
        await place.passes(DAY)
        assert await place.looks() == []
        await place.asks("DELETE", "git/refs/heads/Dev")
        await place.passes(DAY)
        assert (await place.looks())[1:] == ["branch Dev of dev not found (found dev)"]
        says = "branch Dev of dev not found (found dev)"
        assert await place.rows() == [("found", says), ("put right", "branches Dev"), ("found", says)]


@pytest.mark.requirement("S0-10", "S4-030", "S4-115")
async def test_what_a_branch_allows_that_it_must_not_is_found_each_day(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["protection"], protected=["release/*"]) as place:
        await usual(place)
        await place.push("release/1.8", off="main")
        await place.push("feature/x", off="main")
        strict: dict[str, Any] = {
            "required_status_checks": None,
            "required_pull_request_reviews": {},
            "restrictions": None,
        }
        for branch in ("main", "stage", "release/1.8"):
            await place.asks("PUT", f"branches/{branch}/protection", {**strict, "enforce_admins": branch != "stage"})
        rest = {"enforce_admins": True, "allow_deletions": True}
        await place.asks("PUT", "branches/Dev/protection", {**strict, **rest})
        said = [line for line in await place.looks() if "is not protected" in line]
        assert said == ["Dev is not protected: deletion allowed", said[1]]
        assert said[1].startswith("stage is not protected: ")
        assert "admin" in said[1]
        await place.asks("DELETE", "branches/release/1.8/protection")
        await place.passes(DAY)
        assert (await place.looks())[1:] == [
            "release/1.8 is not protected: direct push allowed",
            "release/1.8 is not protected: force push allowed",
            "release/1.8 is not protected: deletion allowed",
        ]


@pytest.mark.requirement("S4-032")
async def test_a_check_that_a_promotion_wants_is_required_before_the_merge_too(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["protection"]) as place:
        await usual(place)
        required = {"strict": False, "checks": [{"context": "backend-tests"}, {"context": "frontend-build"}]}
        rest: dict[str, Any] = {"required_pull_request_reviews": {}, "restrictions": None, "enforce_admins": True}
        for branch in ("Dev", "stage", "main"):
            await place.asks("PUT", f"branches/{branch}/protection", {"required_status_checks": required, **rest})
        says = "stage does not require the check frontend-tests"
        assert says in await place.looks()
        required["checks"] = [{"context": name} for name in ("backend-tests", "frontend-build", "frontend-tests")]
        await place.asks("PUT", "branches/stage/protection", {"required_status_checks": required, **rest})
        await place.passes(DAY)
        assert await place.looks() == []
        assert ("put right", "protection stage: check frontend-tests") in await place.rows()


@pytest.mark.requirement("S2-06")
async def test_environments_are_called_as_the_policy_says_where_github_knows_any(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["environments"]) as place:
        await usual(place)
        assert await place.looks() == []
        for name in ("dev", "stage", "production"):
            await place.asks("PUT", f"environments/{name}", {})
        await place.passes(DAY)
        assert (await place.looks())[1:] == ["environment expected prod, found production"]


@pytest.mark.requirement("S4-094")
async def test_workflows_take_nothing_that_can_change_under_them(tmp_path: Path) -> None:
    pinned = "acme/pipelines/test.yml@" + "ab12" * 10
    text = f"""
jobs:
  build:
    uses: acme/pipelines/build.yml@main  # a branch
    steps:
      - uses: actions/checkout@v5
      - uses: "acme/lint@v1.2.3"
      - uses: ./own/action
      - uses: docker://alpine:3.20
  test: {{}}
    uses: '{pinned}'
"""
    async with looked(tmp_path, look_for=["workflows"]) as place:
        await usual(place)
        assert await place.looks() == []
        await place.push("main", ".github/workflows/ci.yml", text=text)
        await place.push("main", ".github/workflows/notes.txt", text="uses: x@main\n")
        await place.passes(DAY)
        assert (await place.looks())[1:] == [
            ".github/workflows/ci.yml uses acme/pipelines/build.yml@main, which can change under it",
            ".github/workflows/ci.yml uses docker://alpine:3.20, which can change under it",
        ]


@pytest.mark.requirement("S0-06")
async def test_an_open_pull_request_that_goes_where_it_must_not_is_told(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["proposals"]) as place:
        await usual(place)
        for head, base in (("feature/größer", "main"), ("feature/y", "Dev")):
            await place.push(head, head, off="main")
            await place.asks("POST", "pulls", {"title": "Bring it", "head": head, "base": base})
        assert (await place.looks())[1:] == ["#1 went where it must not: feature/größer→main (open)"]


# What happened ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S0-02", "S4-036")
async def test_what_came_to_a_shared_branch_by_no_pull_request_or_by_force_is_told(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["pushes", "rewrites"]) as place:
        await usual(place)
        assert await place.looks() == []
        await place.push("feature/x", "x", off="Dev")
        number = await place.merge("feature/x", "Dev")
        await place.passes(DAY)
        assert await place.looks() == []
        old = (await place.github.repository(APP).git.ref("refs/heads/main")) or ""
        pushed = await place.push("main", "hasty")
        await place.passes(DAY)
        assert (await place.looks())[1:] == [f"main: {pushed[:7]} came by no pull request"]
        await place.github.set_ref(APP, "refs/heads/main", old)
        place.watch.heard("Acme/App")
        assert (await place.looks())[1:] == [
            f"main was moved from {pushed[:7]} to {old[:7]} by force, and lost 1 commit"
        ]
        place.watch.heard(APP)
        assert await place.looks() == []
        assert number == 1


@pytest.mark.requirement("S4-033", "S4-034", "S4-035")
async def test_merge_commits_are_told_only_where_the_policy_wants_none(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["merges"], linear=["main"]) as place:
        await usual(place)
        await place.push("release/1.8", "README.md", off="main")
        await place.looks()
        await place.push("feature/a", "a", off="main")
        await place.push("feature/b", "b", off="main")
        await place.push("feature/c", "c", off="release/1.8")
        await place.merge("feature/a", "main", "squash")
        number = await place.merge("feature/b", "main")
        await place.merge("feature/c", "release/1.8")
        merged = (await place.github.repository(APP).git.ref("refs/heads/main")) or ""
        await place.passes(DAY)
        (_, says) = await place.looks()
        assert says.startswith(f"main got the merge commit {merged[:7]} by #{number} (")


@pytest.mark.requirement("S4-190")
async def test_a_release_branch_that_was_cut_from_a_red_commit_is_told(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["pushes"]) as place:
        await usual(place)
        required = {"strict": False, "checks": [{"context": "ci"}, {"context": "lint"}]}
        rest: dict[str, Any] = {"required_pull_request_reviews": None, "restrictions": None, "enforce_admins": True}
        await place.asks("PUT", "branches/Dev/protection", {"required_status_checks": required, **rest})
        assert await place.looks() == []
        red = await place.github.repository(APP).git.ref("refs/heads/Dev") or ""
        for name, conclusion in (("ci", "failure"), ("lint", "success")):
            place.github.set_check(APP, red, name, conclusion)
        await place.github.set_ref(APP, "refs/heads/release/1.8", red)
        await place.passes(DAY)
        assert (await place.looks())[1:] == ["release/1.8 was cut from a commit of Dev that has not passed ci"]
        place.github.set_check(APP, red, "ci", "success")
        await place.github.set_ref(APP, "refs/heads/release/1.9", red)
        await place.passes(DAY)
        assert await place.looks() == []


async def test_what_could_not_be_read_is_told_and_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with looked(tmp_path, look_for=["branches", "pushes", "environments"]) as place:
        await usual(place)
        await place.asks("PUT", "environments/production", {})
        first = await place.looks()
        assert len(first) == 4
        pushed = await place.push("main", "hasty")

        async def away(*_: object, **__: object) -> Any:
            raise Unavailable("GitHub does not answer.")

        with monkeypatch.context() as patched:
            patched.setattr(place.code, "changes", away)
            patched.setattr(place.repositories, "environments", away)
            await place.passes(DAY)
            said = await place.looks()
            assert sorted(said[1:]) == [
                "the environments could not be read: GitHub does not answer.",
                "what came to main could not be read: GitHub does not answer.",
            ]
        await place.passes(DAY)
        assert (await place.looks())[1:] == [f"main: {pushed[:7]} came by no pull request"]


# What lies about ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S0-03", "S4-052")
async def test_branches_that_live_too_long_are_listed_each_week_with_whose_they_are(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["short_lived"]) as place:
        await usual(place)
        await place.push("feature/pay", "pay", off="Dev", by="lea-gh")
        await place.push("feature/other", "other", off="Dev", by="raj-gh")
        await place.push("chore/deps", "deps", off="Dev")
        lea = Asker(place.asks._session, place.github, place.github.admit("lea-gh"), home=f"/repos/{APP}")
        opened = await lea("POST", "pulls", {"title": "Pay", "head": "feature/pay", "base": "Dev"})
        assert opened.status == 201
        assert await place.looks() == []
        await place.passes(21 * DAY)
        await place.push("feature/new", "new", off="Dev")
        listed = [
            "What lies about in acme/app",
            "feature/other left Dev 21 days ago (by raj-gh)",
            "feature/pay left Dev 21 days ago (#1 by lea-gh)",
        ]
        assert await place.looks() == listed
        await place.passes(DAY)
        assert await place.looks() == []
        await place.passes(6 * DAY)
        assert len(await place.looks()) == 3


@pytest.mark.requirement("S4-053", "S4-205")
async def test_branches_that_were_merged_or_released_and_are_still_there_are_listed(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["merged", "released"]) as place:
        await usual(place)
        await place.push("feature/a", "a", off="Dev")
        await place.push("feature/b", "b", off="Dev")
        await place.merge("feature/a", "Dev")
        await place.merge("feature/b", "Dev")
        released = await place.push("release/1.8", "r", off="main")
        await place.push("release/1.9", "other", off="main")
        now = place.town.clock.now()
        place.github.add_deployment(APP, released, "prod", {}, "success", now, True)
        await place.looks()
        await place.asks("DELETE", "git/refs/heads/feature/b")
        await place.passes(8 * DAY)
        assert await place.looks() == [
            "What lies about in acme/app",
            "feature/a was merged by #1 8 days ago and is still there",
        ]
        await place.passes(23 * DAY)
        assert (await place.looks())[-1] == (
            "release/1.8 went to production 31 days ago and is still there: carry its fixes to Dev, then delete it"
        )


# Who looks ----------------------------------------------------------------------------------------------------------


async def test_of_two_who_look_at_once_one_tells(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["branches"]) as place:
        await place.push("main")
        known = Audited(APP, place.town.clock.now() - DAY, {"main": Sha("0" * 40)})
        other = AuditWatch(place.bot.world, place.repositories)
        await asyncio.gather(place.watch.look(), other.look())
        assert [row[0] for row in await place.rows()] == ["found", "found"], "stage and Dev, each once"
        assert (await place.bot.store.audited())[0].number == 1
        assert known.number == 0


async def test_it_is_looked_at_once_a_day_and_not_at_all_where_the_policy_asks_for_nothing(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["branches"]) as place:
        await usual(place)
        for span, looks in ((0 * HOUR, 1), (23 * HOUR, 1), (HOUR, 2), (HOUR, 2)):
            await place.passes(span)
            await place.looks()
            assert (await place.bot.store.audited())[0].number == looks
    (tmp_path / "other").mkdir()
    bare = read_policy(POLICIES / "minimal.yaml")
    async with looked(tmp_path / "other") as place:
        object.__setattr__(place.bot.world, "policies", InForce(bare))
        assert await place.looks() == []
        assert not place.github.exchanges


@pytest.mark.requirement("S4-070")
async def test_a_release_tag_that_was_moved_or_is_gone_is_an_alarm(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["tags"]) as place:
        await usual(place)
        first, other = Sha(await place.push("main")), await place.push("main", "b")
        for name in ("v1.4.1", "v1.4.2"):
            await place.github.tag(APP, name, first, "release-ci[bot]", name, place.town.clock.now())
            seen = SeenTag(APP, name, "app", first, Digest("sha256:" + "ab" * 32), place.town.clock.now())
            await place.bot.store.commit(Writes(tags=(seen,)))
        assert await place.looks() == []
        await place.github.set_ref(APP, "refs/tags/v1.4.2", other)
        directory = place.github.repository(APP).git.directory
        subprocess.run(["git", "update-ref", "-d", "refs/tags/v1.4.1"], cwd=directory, check=True)
        await place.passes(DAY)
        assert await place.looks() == [
            "I looked over acme/app: 2 things are not as the policy wants.",
            f"SECURITY: the release tag v1.4.1 is gone; it was on {first[:7]}",
            f"SECURITY: the release tag v1.4.2 was moved from {first[:7]} to {other[:7]}; nothing that bears it is promoted",
        ]


# What GitHub does not tell ------------------------------------------------------------------------------------------


async def test_a_repository_that_is_gone_is_told_once_and_asked_for_once_a_day(tmp_path: Path) -> None:
    async with looked(tmp_path, look_for=["branches", "rewrites"]) as place:
        await usual(place)
        await place.asks("DELETE", "git/refs/heads/Dev")
        found = "branch Dev of dev not found"
        assert (await place.looks())[1:] == [found]
        there = place.github._books.repositories  # no story deletes one
        kept = there.pop(APP)
        await place.passes(DAY)
        assert await place.looks() == [
            "I looked over acme/app: not all of it could be read.",
            "the branches could not be read: GitHub shows us no repository acme/app: missing, or not ours to see.",
        ]
        asked = len(place.github.exchanges)
        await place.passes(HOUR)
        again = AuditWatch(place.bot.world, place.repositories)
        await again.look()
        assert len(place.github.exchanges) == asked, "another process asks no more than this one"
        await place.passes(DAY)
        assert await place.looks() == []
        there[APP] = kept
        await place.passes(DAY)
        assert await place.looks() == []
        assert await place.rows() == [("found", found)]


async def test_a_branch_that_was_rewritten_is_told_once_though_what_came_to_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with looked(tmp_path, look_for=["rewrites", "pushes"]) as place:
        await usual(place)
        await place.looks()
        stands = await place.github.repository(APP).git.ref("refs/heads/main")
        assert stands
        lost = await place.push("main", "lost")
        await place.passes(DAY)
        assert (await place.looks())[1:] == [f"main: {lost[:7]} came by no pull request"]
        await place.github.set_ref(APP, "refs/heads/main", stands)

        async def away(*_: object, **__: object) -> Any:
            raise Unavailable("GitHub does not answer.")

        with monkeypatch.context() as patched:
            patched.setattr(place.code, "changes", away)
            await place.passes(DAY)
            assert "by force" in " ".join(await place.looks())
            await place.passes(DAY)
            assert await place.looks() == []
            place.watch.heard(APP)
            assert await place.looks() == []
        await place.passes(DAY)
        assert await place.looks() == []


async def test_a_repository_with_thousands_of_branches_is_looked_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.survey.COMPARED", 3)
    async with looked(tmp_path, look_for=["branches", "short_lived"], short_lived=["feature/**"]) as place:
        await usual(place)
        git = place.github.repository(APP).git
        stands = await git.ref("refs/heads/main")
        made = (f"create refs/heads/feature/{number} {stands}\n" for number in range(1100))
        await git.run("update-ref", "--stdin", given="".join(made).encode())
        assert await place.looks() == [
            "I looked over acme/app: not all of it could be read.",
            "1100 branches are short-lived ones; I look at the first 3 by name",
        ]


async def test_of_very_many_closed_pull_requests_the_newest_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.github.repositories.PULLS_MAX", 1)
    monkeypatch.setattr(Client, "each_page", partialmethod(Client.each_page, per_page="1"))
    async with looked(tmp_path, look_for=["branches", "merged"]) as place:
        await usual(place)
        await place.push("left", off="main")
        for _ in range(2):
            opened = await place.asks("POST", "pulls", {"title": "Left", "head": "left", "base": "main"})
            await place.asks("PATCH", f"pulls/{opened.body['number']}", {"state": "closed"})
        assert await place.looks() == []
