"""Hotfixes against the local GitHub: what became of the repository is looked up with git itself."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.github import GitHub, PersonalToken
from commands.bring import FIX
from commands.operation import Operation, Phase
from commands.ports import Request, Writes
from commands.record import BOT
from policy.facts import Deed, Question
from policy.model import Sha
from tests.bot.books import unsettled
from tests.bot.github_world import NINE
from tests.bot.sandbox.github_place import Place
from tests.bot.sandbox.test_github_branches import QUICK, Clone, History, at, branches_of, refs, tree
from tests.commands.test_hotfix import HOTFIX
from tests.conversation import Bot
from tests.world import HOUR, Town, digest, revision_of, site_of, story

pytestmark = pytest.mark.asyncio(loop_scope="module")
HISTORIES = int(os.environ.get("HISTORIES", "6"))
MESSAGES = (
    "Work",
    "Work\n\nIt was wrong.",
    "Work\n\nSigned-off-by: A <a@x>",
    "Work\n\nIt was wrong.\n\nReviewed-by: B <b@x>\nSigned-off-by: A <a@x>",
    "Work\n\nNote: this is prose\nthat goes on.",
    "Work\n\n(cherry picked from commit {elsewhere})",
)


def town_of(place: Place, directory: Path) -> Town:
    """The story, with checkout's code in that repository."""
    town = story(directory)
    code = GitHub(place.session, PersonalToken(place.world.token), town.clock, url=place.world.url, pace=QUICK)
    vars(code)["moving"] = branches_of(place)
    town.github = cast("Any", code)
    policy = town.policies.current().policy
    services = {name: one.model_dump(mode="python") for name, one in policy.services.items()}
    services["checkout"]["repository"] = place.name
    may = {**policy.may.model_dump(), "hotfix": ["engineer"]}
    town.policies.adopt(services=services, hotfix=HOTFIX, may=may)
    return town


async def serves(town: Town, place: Place, environment: str, number: int, commit: Sha) -> None:
    """It went there a day ago, and GitHub knows; all its checks passed."""
    before = town.clock.now() - 26 * HOUR
    image, name = digest("checkout", number), revision_of("checkout", number)
    town.runs.add(site_of("checkout", environment), name, image, commit, before)
    payload = {"digest": image, "revision": name}
    place.world.add_deployment(place.name, commit, environment, payload, "success", before, environment == "prod")
    for check in ("build", "unit-tests"):
        place.world.set_check(place.name, commit, check, "success")


async def says(bot: Bot, who: str, words: str) -> None:
    bot.town.slack.heard += 1
    request = Request(f"r{bot.town.slack.heard}", words, bot.town.people.account(who), "C0RELEASES")
    await bot.hears(request)
    await bot.rests()
    assert not bot.surprises


async def promoted(bot: Bot) -> None:
    await says(bot, "maya", "promote checkout stage→prod reason:ABC-9, totals are wrong")
    (asked,) = await bot.store.open_operations()
    assert asked.plan
    await says(bot, "omar", f"approve {asked.id} plan:{asked.plan.hash[:8]}")


def told(town: Town) -> list[str]:
    return [str(message.now["text"]) for message in town.slack.messages]


async def picked_with(place: Place, branch: str) -> tuple[str, str]:
    """(patch id, message) of its newest commit, by git."""
    shown = place.git("format-patch", "-1", "--stdout", branch)
    clean = place.git("log", "-1", "--format=%B", branch)
    return shown.partition("\n---\n")[2].partition("\n-- \n")[0], clean


async def test_a_hotfix_from_its_beginning_until_every_branch_has_it(place: Place, tmp_path: Path) -> None:
    town = town_of(place, tmp_path)
    base = at(place, "main")
    await place.world.tag(place.name, "v1.4.1", base, "maya", "1.4.1", NINE)
    await place.branch("release/1.5", {"VERSION": "1.5\n"})
    await place.write("main", {"later": "1\n"}, message="Go on")
    await serves(town, place, "prod", 5, base)
    async with Bot(town) as bot:
        await says(bot, "maya", "hotfix start checkout ticket:ABC-9 reason:totals are wrong")
        assert at(place, "hotfix/1.4.2-ABC-9") == base
        fix = Sha(
            await place.write("hotfix/1.4.2-ABC-9", {"totals": "right\n"}, by="lea-gh", message="Put the totals right")
        )
        await place.world.tag(place.name, "v1.4.2", fix, "maya", "1.4.2", NINE)
        await serves(town, place, "stage", 6, fix)
        await promoted(bot)
        assert town.runs.serving("checkout") == digest("checkout", 6)

        pulls = {one["base"]["ref"]: one for one in (await place.asks()("GET", "pulls?state=open")).body}
        assert pulls.keys() == {"main", "release/1.5"}
        for target, pull in pulls.items():
            assert [label["name"] for label in pull["labels"]] == ["forward-port"]
            assert place.git("rev-list", "--count", f"{target}..{pull['head']['ref']}") == "1"
            assert (await picked_with(place, pull["head"]["ref"]))[0] == (await picked_with(place, fix))[0]
            message = place.git("log", "-1", "--format=%B", pull["head"]["ref"])
            assert message.startswith(
                f"Put the totals right\n\n(cherry picked from commit {fix})\nCo-authored-by: lea-gh <"
            )
            for word in ("ABC-9", "v1.4.2", fix):
                assert word in pull["body"]

        newer = Sha(await place.write("main", {"later": "2\n"}, by="lea-gh", message="Go further"))
        await serves(town, place, "stage", 7, newer)
        await says(bot, "maya", "why checkout stage→prod")
        lost = [line for line in town.slack.messages[-1].now["body"] if "no-hotfix-lost" in line or "merge #" in line]
        assert lost[0].startswith(f"✗ no-hotfix-lost: the candidate lacks what was shipped as {fix[:7]}")
        assert f"#{pulls['main']['number']} into main" in lost[1]

        for target in ("main", "release/1.5"):
            how = "squash" if target == "main" else "merge"
            body = {"merge_method": how}
            merged = await place.asks()("PUT", f"pulls/{pulls[target]['number']}/merge", body)
            assert merged.status == 200, merged
        town.clock.move(timedelta(minutes=5))
        await bot.rests()
        assert {f"✓ {fix[:7]} came to {target} by #{pull['number']}." for target, pull in pulls.items()} <= {
            *told(town)
        }
        assert await bot.store.obligations("checkout") == ()
        assert [one for one in await bot.store.timers() if one.question.deed is Deed.HOTFIX] == []
        assert await unsettled(bot.store) == ()

        await serves(town, place, "stage", 8, at(place, "main"))
        await says(bot, "maya", "why checkout stage→prod")
        assert "✓ no-hotfix-lost: nothing is lost that shipped before" in town.slack.messages[-1].now["body"]
    assert not [name for name in refs(place) if name.startswith("release-bot/")]


async def test_a_conflict_leaves_nothing_and_its_commands_settle_it(place: Place, tmp_path: Path) -> None:
    """The very commands that people are told are typed in a clone, with the conflict put right by hand."""
    town = town_of(place, tmp_path)
    await place.write("main", {"totals": "wrong\n"}, message="Add totals")
    base = at(place, "main")
    await place.world.tag(place.name, "v1.4.1", base, "maya", "1.4.1", NINE)
    await place.write("main", {"totals": "wrong in another way\n"}, message="Change totals")
    await serves(town, place, "prod", 5, base)
    await place.world.set_ref(place.name, "refs/heads/hotfix/1.4.2-ABC-9", base)
    fix = Sha(
        await place.write("hotfix/1.4.2-ABC-9", {"totals": "right\n"}, by="lea-gh", message="Put the totals right")
    )
    await place.world.tag(place.name, "v1.4.2", fix, "maya", "1.4.2", NINE)
    await serves(town, place, "stage", 6, fix)
    stood = refs(place)
    async with Bot(town) as bot:
        await promoted(bot)
        (message,) = [one for one in town.slack.messages if "cannot be brought to main by itself" in one.now["text"]]
        assert refs(place) == stood
        assert (await place.asks()("GET", "pulls?state=all")).body == []
        commands = [line.removeprefix("• ") for line in message.now["body"]]
        clone = Clone(place, tmp_path / "work")
        assert [line.split()[0] for line in commands] == ["git"] * 5 + ["gh"]
        for line in commands[:2]:
            clone.git(*line.split()[1:])
        assert clone.git(*commands[2].split()[1:], check=False).returncode != 0
        (tmp_path / "work" / "totals").write_text("right in its own way\n")
        clone.git("add", "-A")
        clone.git("-c", "core.editor=true", "cherry-pick", "--continue")
        clone.git(*commands[4].split()[1:])
        source = commands[5].split()[-1]
        pull = await place.asks()(
            "POST", "pulls", {"title": "Totals", "head": source, "base": "main", "body": "For ABC-9 of v1.4.2"}
        )
        town.clock.move(timedelta(minutes=5))
        await bot.rests()
        assert len(await bot.store.obligations("checkout")) == 1
        assert (await place.asks()("PUT", f"pulls/{pull.body['number']}/merge", {})).status == 200
        town.clock.move(timedelta(minutes=5))
        await bot.rests()
        assert f"✓ {fix[:7]} came to main by #{pull.body['number']}." in told(town)
        assert await bot.store.obligations("checkout") == ()


# What git would make of it ------------------------------------------------------------------------------------------


class Worded(History):
    """The same, with messages of all sorts."""

    async def _write(self, name: str, changes: Mapping[str, str | None]) -> Sha:
        message = self.chance.choice(MESSAGES).format(elsewhere=f"{self.chance.getrandbits(160):040x}")
        return Sha(await self.place.write(self.branch(name), changes, message=message))


def picks(clone: Clone, place: Place, onto: Sha, commits: list[str]) -> list[tuple[str, str]] | None:
    """(tree, message) of each commit that `git cherry-pick -x` makes, those left out that change nothing; None: a
    conflict."""
    clone.git("fetch", "-q", "origin", check=False)
    clone.git("checkout", "-q", "-f", "--detach", onto)
    made = []
    for commit in commits:
        if clone.git("cherry-pick", "-x", commit, check=False).returncode:
            nothing = not clone.git("status", "--porcelain").stdout
            clone.git("cherry-pick", "--skip" if nothing else "--abort")
            if not nothing:
                return None
            continue
        shown = clone.git("log", "-1", "--format=%T%n%B").stdout.strip()
        made.append((shown[:40], shown[41:]))
    return made


async def test_what_is_brought_is_what_git_picks(place: Place, tmp_path: Path) -> None:
    """Tree for tree, message for message, conflict for conflict; 60 and more with HISTORIES=60."""
    chance, ends = random.Random(1124), Counter[str]()
    clone = Clone(place, tmp_path / "work")
    town = town_of(place, tmp_path)
    async with Bot(town) as bot:
        for number in range(HISTORIES):
            place.clock.advance(minutes=5)  # so many requests are more than an hour allows
            town.clock.move(timedelta(milliseconds=1))
            history = Worded(place, chance, number)
            await history.begin()
            base = at(place, history.branch("main"))
            for _ in range(chance.randrange(4)):
                await history.work("main")
            for _ in range(chance.randrange(1, 4)):
                await history.work("dev")
            fix, target = at(place, history.branch("dev")), history.branch("main")
            hotfix = {**HOTFIX, "ports_to": [target]}
            town.policies.adopt(hotfix=hotfix)
            commits = place.git("rev-list", "--reverse", f"{base}..{fix}").split()
            wanted = picks(clone, place, at(place, target), commits)
            before = refs(place)
            its = {"from": base, "commit": fix, "typed": True, "thread": f"op_{number}", "ticket": "ABC-9", "why": ""}
            operation = Operation(
                id=f"op_{number}",
                question=Question(Deed.HOTFIX, "checkout", "prod", change=f"case {number}"),
                asked_by=BOT,
                asked_at=town.clock.now(),
                expires_at=town.clock.now() + timedelta(days=1),
                channel="C0RELEASES",
                plan=None,
                phase=Phase.WATCHING,
                seen={FIX: its},
            )
            await bot.store.commit(Writes(operation=operation, creates=True, due=timedelta(0)))
            await bot.rests()
            assert not bot.surprises
            new = refs(place) - before
            if not wanted:
                assert new == set(), number
                ends["conflict" if wanted is None else "nothing"] += 1
                continue
            (branch,) = new
            made = []
            for sha in place.git("rev-list", "--reverse", f"{target}..{branch}").split():
                message, _, owner = place.git("log", "-1", "--format=%B", sha).rpartition("\n")
                assert owner == "Co-authored-by: maya <maya@users.noreply.github.com>"
                made.append((tree(place, sha), message))
            assert made == wanted, number
            ends["made"] += 1
        assert await unsettled(bot.store) == ()
    print(f"{HISTORIES} fixes brought: {dict(sorted(ends.items()))}")
    assert ends["made"]


async def test_an_app_that_may_propose_may_label_what_it_proposed(place: Place) -> None:
    await place.branch("dev", {"a": "1\n"})
    number = (await place.pull("dev")).body["number"]
    app = await place.app(permissions={"metadata": "read", "pull_requests": "write"})
    said = await app("POST", f"issues/{number}/labels", {"labels": ["backport", "backport:1.5"]})
    assert said.status == 200, said
    reads = await place.app(permissions={"metadata": "read", "contents": "read"})
    assert (await reads("POST", f"issues/{number}/labels", {"labels": ["other"]})).status == 403
