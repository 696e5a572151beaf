"""A promotion that moves a branch by a pull request, as it reads in the channel; and its way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from textwrap import dedent
from typing import Any

import pytest

from commands.errors import OutcomeUnknown
from commands.lineage import taken_back, unpromoted
from commands.operation import Wish
from commands.ports import Entry, EntryPhase, Link, Merged, Request, Writes
from commands.record import BOT, hash_of
from policy.facts import KnownGood
from policy.model import Place, Sha
from tests.branches import Lost
from tests.conversation import Bot, plays
from tests.world import HOUR, Behaviour, Town, commit, digest, revision_of, site_of

SERVING, CANDIDATE = commit("checkout", 1), commit("checkout", 2)
BRANCHES = {
    "stage": {"rank": 1, "aliases": ["staging"], "branch": "stage"},
    "prod": {"rank": 2, "production": True, "aliases": ["production"], "branch": "main"},
}
ROLLOUT: dict[str, object] = {"steps": [{"percent": 100, "hold": "PT1S"}], "smoke": [{"path": "/healthz"}]}
ROLLOUT["health"] = {"max_error_percent": 1, "min_requests": 1}
ASKED = """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Approve] [Reject] [Cancel]
    """
APPROVED = """
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """


def merging(town: Town) -> Town:
    """Stage's branch holds what stage serves, main what prod serves."""
    town.github.branches |= {"stage": CANDIDATE, "main": SERVING}
    town.policies.adopt(environments=BRANCHES, to_prod={"model": "branch_merge", "rollout": ROLLOUT})
    return town


@pytest.fixture
def town(town: Town) -> Town:
    return merging(town)


def page(*parts: str) -> str:
    return "".join(map(dedent, parts))


def main(town: Town) -> Sha:
    return town.github.branches["main"]


def holds(town: Town, branch: str) -> str:
    return town.github.moving.tree(town.github.branches[branch])


MERGED = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: main moved from c1c1c1c to … by #51
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    """
LIVE = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over …
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    """


@pytest.mark.requirement("S0-04", "S0-07")
async def test_the_one_pull_request_is_merged_at_the_head_and_what_main_stands_at_is_shipped(town: Town) -> None:
    await plays(page(ASKED, APPROVED, MERGED, LIVE), town)
    merge = town.github.link(main(town))
    assert merge.parents == (SERVING, CANDIDATE)
    assert holds(town, "main") == holds(town, "stage")
    recorded = town.github.records["acme/checkout"][-1].deployment
    assert (recorded.commit, recorded.state, recorded.digest) == (main(town), "success", digest("checkout", 2))
    revisions = town.runs.places[site_of("checkout")].revisions
    assert revisions[revision_of("checkout", 2)].commit == main(town)


BAD = """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Smoke test failed: GET /healthz gave 500, expected 200
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: • checkout c2c2c2c2c2c2 → prod: pull request #52 takes … back from main; somebody has to review and merge it
    bot: checkout c2c2c2c2c2c2 → prod failed. It took … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    """


@pytest.mark.requirement("S4-297")
async def test_a_bad_one_has_its_traffic_back_first_and_then_a_revert_that_people_merge(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=500)
    await plays(page(ASKED, APPROVED, MERGED, BAD), town)
    merge = main(town)
    (revert,) = town.github.moving.opened()
    assert (revert.target, revert.source.startswith("revert/op_")) == ("main", True)
    assert town.github.link(town.github.branches[revert.source]).reverts == (merge,)
    assert holds(town, revert.source) == town.github.moving.tree(SERVING)
    assert town.github.link(merge).parents == (SERVING, CANDIDATE), "nobody but people merges the revert"


async def test_github_being_away_on_the_way_back_holds_up_nobody_who_wants_traffic_further_back(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=500)
    revisions = town.runs.places[site_of("checkout")].revisions
    old = replace(revisions[revision_of("checkout", 1)], name=revision_of("checkout", 0), digest=digest("checkout", 0))
    revisions[old.name] = old
    good = KnownGood(old.name, old.digest, town.clock.now() - 300 * HOUR, "by hand")

    def goes_back() -> bool:
        return any("Smoke test failed" in message.now["text"] for message in town.slack.messages)

    async with Bot(town) as bot:
        await bot.store.commit(Writes(good=((Place("checkout", "prod"), good),)))
        await hears(bot, ("maya", "promote checkout stage→prod"))
        (operation,) = await bot.store.open_operations()
        plan = "" if operation.plan is None else operation.plan.hash[:8]
        omar = town.people.account("omar")
        await bot.hears(Request("a", f"approve {operation.id} plan:{plan}", omar, "C0RELEASES"))
        await bot.rests(goes_back)
        town.github.away = True
        await hears(bot, ("ines", f"rollback checkout prod to {old.digest[7:19]} reason:worse"))
    said = [message.now["text"] for message in town.slack.messages]
    assert any("serves 100 % again, 2.4 s after it was asked for" in text for text in said), said
    assert any(f"git revert -m 1 {main(town)}" in text for text in said), said


async def test_what_was_reverted_is_not_silently_lost_by_the_next_promotion(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=500)
    await plays(page(ASKED, APPROVED, MERGED, BAD), town)
    branches = town.github.moving
    (revert,) = branches.opened()
    taken_back = branches.somebody_merges(revert.number)
    town.version("checkout", 3, "Mend it", "lea-gh")
    town.deployed("checkout", "stage", 3, ago=30 * HOUR)
    town.github.branches["stage"] = commit("checkout", 3)
    by = town.github.branches[revert.source]
    says = f"main took back … by {by[:7]}, and stage still holds it: merged now, it would silently be missing"
    await plays(
        f"""
        maya: /release promote checkout stage→prod
        bot → maya: checkout stage→prod cannot be promoted: … M{says[1:]}; first revert the revert by a pull request to main (git revert {by}).
        """,
        town,
    )
    town.github.branches["again"] = await branches.reverted(  # type: ignore[assignment]
        "acme/checkout", onto=taken_back, commit=taken_back, mainline=1, message="Reapply it"
    )
    again = await branches.propose("acme/checkout", source="again", target="main", title="Reapply it", body="")
    branches.somebody_merges(again)
    await plays(
        """
        maya: /release promote checkout stage→prod
        bot: checkout c3c3c3c3c3c3 → prod is waiting for approval. [Approve] [Reject] [Cancel]
        bot: Plan for checkout c3c3c3c3c3c3 → prod: … [Approve] [Reject] [Cancel]
        """,
        town,
    )


async def test_why_its_pull_request_cannot_be_opened_is_said(town: Town) -> None:
    town.github.moving.away = True
    await plays(
        """
        maya: /release promote checkout stage→prod
        bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
             …
             • Its pull request is not open yet. GitHub does not answer.
             …
        bot: Plan for checkout c2c2c2c2c2c2 → prod: …
        """,
        town,
    )


async def test_nothing_is_merged_that_stage_does_not_serve(town: Town) -> None:
    branches = town.github.moving
    branches.somebody_commits("stage", "Not built yet")
    await plays(
        """
        maya: /release promote checkout stage→prod
        bot → maya: checkout stage→prod cannot be promoted: … The branch stage holds a commit that stage does not serve yet: stage serves c2c2c2c.
        """,
        town,
    )
    assert branches.pulls == []


async def test_where_merge_commits_are_forbidden_that_is_said_before_anything_is_opened(town: Town) -> None:
    town.github.unmerged["main"] = "a rule wants a linear history of main, which allows no merge commits"
    await plays(
        """
        maya: /release promote checkout stage→prod
        bot → maya: checkout stage→prod cannot be promoted: … A rule wants a linear history of main, which allows no merge commits.
        """,
        town,
    )
    assert town.github.moving.pulls == []


async def test_a_head_that_moves_after_the_approval_needs_another_one(town: Town) -> None:
    branches = town.github.moving

    def pushes() -> None:
        branches.somebody_commits("stage", "Just one thing")

    branches.somebody = pushes
    await plays(
        page(
            ASKED,
            APPROVED,
            """
            bot: • checkout c2c2c2c2c2c2 → prod: stage moved from c2c2c2c to … since #51 was looked at. Nothing was moved; everything is decided again.
            bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
            bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Check again] [Cancel]
            """,
        ),
        town,
    )
    assert main(town) == SERVING
    assert town.runs.serving("checkout") == digest("checkout", 1)


@pytest.mark.parametrize("moved", ["main", "the description"])
async def test_what_else_they_agreed_to_is_looked_at_right_before_the_merge(town: Town, moved: str) -> None:
    branches = town.github.moving

    def changes() -> None:
        if moved == "main":
            branches.somebody_commits("main", "By hand")
        else:
            branches.opened()[0].body += "\nAnd one thing more."

    branches.somebody = changes
    why = (
        "main moved from c1c1c1c to … meanwhile"
        if moved == "main"
        else "#51 says something else than when it was looked at"
    )
    await plays(
        page(
            ASKED,
            APPROVED,
            f"""
            bot: • checkout c2c2c2c2c2c2 → prod: {why}. Nothing was moved; everything is decided again.
            bot: What would be done has changed: …. Approvals start again.
            """,
        ),
        town,
    )
    assert town.github.moving.opened()
    assert town.runs.serving("checkout") == digest("checkout", 1)


async def test_a_base_that_moves_has_everything_decided_again_and_nobody_agrees_to_what_they_did_not_see(
    town: Town,
) -> None:
    branches = town.github.moving
    branches.faults += [Lost.NOTHING, Lost.BASE]
    await plays(page(ASKED, APPROVED, AGAIN, MERGED, LIVE), town)


AGAIN = """
    bot: • checkout c2c2c2c2c2c2 → prod: main moved just when #51 was to be merged; nothing was. Nothing was moved; everything is decided again.
    """


async def test_what_let_it_begin_once_lets_it_begin_again(town: Town) -> None:
    town.github.branches |= {"stage": commit("search", 2), "main": commit("search", 1)}
    once = {"waives": ["soak"], "uses": 1, "approvals": [{"role": "tech_lead"}]}
    town.policies.adopt(exceptions={"early": once})
    town.github.moving.faults += [Lost.NOTHING, Lost.BASE]
    async with Bot(town) as bot:
        says = [
            ("maya", "exception request search prod waive:soak until:20h reason:hurry"),
            ("raj", "approve {exception} plan:{asked}"),
            ("maya", "promote search stage→prod"),
            ("omar", "approve {op} plan:{plan}"),
        ]
        for number, (who, words) in enumerate(says):
            asked = next(iter(await bot.store.exceptions(town.clock.now())), None)
            newest = next(iter(await bot.store.open_operations()), None)
            plan = newest.plan.hash[:8] if newest is not None and newest.plan is not None else ""
            named = {"exception": asked.id if asked else "", "asked": hash_of(asked)[:8] if asked else ""}
            said = words.format(**named, plan=plan, op=newest.id if newest else "")
            await bot.hears(Request(f"r{number}", said, town.people.account(who), "C0RELEASES"))
            await bot.rests()
        assert town.runs.serving("search") == digest("search", 2)
        (used,) = await bot.store.exceptions(town.clock.now())
        assert len(used.used) == 1


async def test_what_was_paused_and_is_decided_again_gets_the_pull_request_that_it_lacks(town: Town) -> None:
    branches = town.github.moving
    async with Bot(town) as bot:
        await hears(bot, ("maya", "promote checkout stage→prod"))
        branches.faults += [Lost.REQUEST, Lost.BASE]
        (operation,) = await bot.store.open_operations()
        plan = "" if operation.plan is None else operation.plan.hash[:8]
        omar = town.people.account("omar")
        await bot.hears(Request("a", f"approve {operation.id} plan:{plan}", omar, "C0RELEASES"))
        await bot.rests(lambda: len(branches.faults) == 1)
        branches.pulls[0].closed = True
        await hears(bot, ("omar", f"pause {operation.id}"))
        town.clock.move(timedelta(seconds=10))
        await bot.rests()
    assert [pull.number for pull in branches.opened()] == [52]


async def test_after_five_times_somebody_has_to_look(town: Town) -> None:
    town.github.moving.faults += [Lost.NOTHING, *[Lost.BASE] * 6]
    await plays(
        page(
            ASKED,
            APPROVED,
            AGAIN * 5,
            """
            bot: ✗ checkout c2c2c2c2c2c2 → prod: It was decided again 5 times, and each time: main moved just when #51 was to be merged; nothing was.
            bot: ✓ checkout c2c2c2c2c2c2 → prod: no traffic had moved from checkout-r-c1c1c1c1c1c1
            bot: checkout c2c2c2c2c2c2 → prod failed. It took 0.0 s.
            bot now: checkout c2c2c2c2c2c2 → prod failed.
            bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
            """,
        ),
        town,
    )
    assert main(town) == SERVING


@pytest.mark.parametrize("lost", [Lost.REPLY, Lost.REQUEST])
async def test_what_got_no_answer_is_looked_for_and_done_once(town: Town, lost: Lost) -> None:
    town.github.moving.faults += [lost, Lost.NOTHING, lost]
    await plays(page(ASKED, APPROVED, MERGED, LIVE), town)
    assert len(town.github.moving.pulls) == 1
    assert town.github.link(main(town)).parents == (SERVING, CANDIDATE)


@pytest.mark.parametrize("stops", ["maya: [Abort]", "ines: /release rollback checkout"])
async def test_a_merge_that_arrives_after_it_was_stopped_is_taken_back(town: Town, stops: str) -> None:
    town.github.moving.faults += [Lost.NOTHING, Lost.LATE]
    rolls_back = "rollback" in stops
    await plays(
        page(
            ASKED,
            APPROVED,
            f"""
            bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
            bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
            … once a write is late
            {stops}
            """,
            NOTHING_TO_ROLL_BACK if rolls_back else "bot: @maya aborted it: traffic goes back.\n",
            """
            bot: ✗ checkout c2c2c2c2c2c2 → prod: …
            bot: ✓ checkout c2c2c2c2c2c2 → prod: no traffic had moved from checkout-r-c1c1c1c1c1c1
            bot: • checkout c2c2c2c2c2c2 → prod: pull request #52 takes … back from main; somebody has to review and merge it
            bot: checkout c2c2c2c2c2c2 → prod failed. It took …
            """,
            "bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.\n" if rolls_back else "",
            "bot now: checkout c2c2c2c2c2c2 → prod failed.\n",
        ),
        town,
    )
    (revert,) = town.github.moving.opened()
    assert town.github.link(town.github.branches[revert.source]).reverts == (main(town),)


NOTHING_TO_ROLL_BACK = """
    bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
    bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
    """


@pytest.mark.requirement("S0-26")
async def test_a_rollback_of_what_was_merged_takes_the_merge_back_after_traffic(town: Town) -> None:
    await plays(page(ASKED, APPROVED, MERGED, LIVE), town)
    merge = main(town)
    await plays(
        """
        ines: /release rollback checkout reason:errors
        bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
        bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
        bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, …
        bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
        bot: • checkout c1c1c1c1c1c1 ⟲ prod: pull request #52 takes … back from main; somebody has to review and merge it
        bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took … [Lift the hold]
        """,
        town,
    )
    (revert,) = town.github.moving.opened()
    assert town.github.link(town.github.branches[revert.source]).reverts == (merge,)


async def test_what_is_taken_back_twice_has_one_pull_request_for_it(town: Town) -> None:
    async with Bot(town) as bot:
        await hears(bot, ("maya", "promote checkout stage→prod"), ("omar", "approve {op} plan:{plan}"))
        await hears(bot, ("ines", "rollback checkout reason:errors"), ("ines", "freeze end {hold} reason:mended"))
        await hears(bot, ("maya", "promote checkout stage→prod"), ("omar", "approve {op} plan:{plan}"))
        await hears(bot, ("ines", "rollback checkout reason:errors"))
    (revert,) = town.github.moving.opened()
    merge = main(town)
    says = f"pull request #{revert.number} takes {merge[:7]} back from main already"
    assert town.slack.messages[-2].now["text"] == f"• checkout c1c1c1c1c1c1 ⟲ prod: {says}"


async def test_going_back_to_what_came_later_takes_nothing_back(town: Town) -> None:
    async with Bot(town) as bot:
        await hears(bot, ("maya", "promote checkout stage→prod"), ("omar", "approve {op} plan:{plan}"))
        earlier = main(town)
        town.version("checkout", 3, "Do more", "lea-gh")
        town.deployed("checkout", "stage", 3, ago=30 * HOUR)
        town.github.branches["stage"] = commit("checkout", 3)
        await hears(bot, ("maya", "promote checkout stage→prod"), ("omar", "approve {op} plan:{plan}"))
        later = main(town)
        await hears(bot, ("ines", "rollback checkout reason:errors"), ("ines", "freeze end {hold} reason:mended"))
        await hears(bot, ("ines", "rollback checkout prod to c3c3c3c3c3c3 reason:mended"))
    (revert,) = town.github.moving.opened()
    assert town.github.link(town.github.branches[revert.source]).reverts == (later,)
    says = f"{later[:7]} holds {earlier[:7]}: nothing is to be taken back from main"
    assert town.slack.messages[-2].now["text"] == f"• checkout c3c3c3c3c3c3 ⟲ prod: {says}"


async def hears(bot: Bot, *said: tuple[str, str]) -> None:
    """One after the other, each once all rests."""
    for who, words in said:
        newest, held = (await bot.store.open_operations())[-1:], (await bot.store.holds())[-1:]
        named = {"hold": held[0].id} if held else {}
        for operation in newest:
            named |= {"op": operation.id, "plan": operation.plan.hash[:8] if operation.plan else ""}
        bot.town.slack.heard += 1
        request = Request(f"h{bot.town.slack.heard}", words.format(**named), bot.town.people.account(who), "C0RELEASES")
        await bot.hears(request)
        await bot.rests()


@pytest.mark.parametrize("stops", [False, True])
async def test_what_another_service_of_the_repository_merged_just_then_is_not_taken_back(
    town: Town, stops: bool
) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=500)
    branches = town.github.moving
    merge = branches.merge

    async def beaten(*what: Any, **said: Any) -> Merged:
        if branches.pulls[0].merged is None:
            at = branches.somebody_merges(51)
            target = {"service": "checkout", "environment": "prod"}
            entry = Entry("branch", EntryPhase.OUTCOME, "confirmed", BOT, "op_other", "branch:0", target)
            await bot.store.commit(Writes(entries=(replace(entry, detail={"branch": "main", "commit": at}),)))
            if stops:
                (operation,) = await bot.store.open_operations()
                await bot.store.commit(Writes(wishes=((operation.id, Wish.ABORT),)))
                raise OutcomeUnknown("It was cut off.")
        return await merge(*what, **said)

    branches.merge = beaten  # type: ignore[method-assign]
    async with Bot(town) as bot:
        await hears(bot, ("maya", "promote checkout stage→prod"), ("omar", "approve {op} plan:{plan}"))
    assert branches.opened() == []
    said = [message.now["text"] for message in town.slack.messages]
    assert any("by op_other" in text for text in said), said
    assert town.runs.serving("checkout") == digest("checkout", 1)


async def test_a_conflict_leaves_traffic_back_and_says_what_to_type(town: Town) -> None:
    await plays(page(ASKED, APPROVED, MERGED, LIVE), town)
    merge = main(town)
    later = town.github.moving.somebody_commits("main", "On top of it")
    town.github.moving.clashing.append(frozenset({later, CANDIDATE}))
    await plays(
        f"""
        ines: /release rollback checkout reason:errors
        bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
        bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
        bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, …
        bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
        bot: ✗ checkout c1c1c1c1c1c1 ⟲ prod: {merge[:7]} was not taken back from main: it conflicts. By hand, then a pull request: git fetch origin && git switch -c revert/op_… origin/main && git revert -m 1 {merge} && git push -u origin revert/op_…
        bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took … [Lift the hold]
        """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)


async def test_what_people_are_to_type_names_a_branch_as_their_shell_takes_it(town: Town) -> None:
    named = "ma;in"
    environments = town.policies.current().policy.model_dump(mode="python", by_alias=True)["environments"]
    environments["prod"]["branch"] = named
    town.policies.adopt(environments=environments)
    town.github.branches[named] = main(town)
    await plays(page(ASKED, APPROVED, MERGED, LIVE).replace(" main ", f" {named} "), town)
    later = town.github.moving.somebody_commits(named, "On top of it")
    town.github.moving.clashing.append(frozenset({later, CANDIDATE}))
    await plays(
        f"""
        ines: /release rollback checkout reason:errors
        bot: … serves again. [Lift the hold]
        bot: Plan for …
        bot: ✓ … serves 100 % again, …
        bot: ✓ … recorded as GitHub deployment 17
        bot: ✗ … git fetch origin && git switch -c revert/op_… 'origin/{named}' && git revert … && git push -u origin revert/op_…
        bot: … serves again. It took … [Lift the hold]
        """,
        town,
    )


async def test_what_another_service_brought_is_shipped_without_another_merge(town: Town) -> None:
    branches = town.github.moving
    number = await branches.propose("acme/checkout", source="stage", target="main", title="By hand", body="")
    by_hand = branches.somebody_merges(number)
    await plays(
        page(
            ASKED,
            APPROVED,
            f"""
            bot: ✓ checkout c2c2c2c2c2c2 → prod: main holds it already, at {by_hand[:7]}
            bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
            bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
            """,
            LIVE,
        ),
        town,
    )
    assert main(town) == by_hand


async def test_the_words_of_the_pull_request_are_part_of_what_people_agree_to(town: Town) -> None:
    await plays(ASKED, town)
    (pull,) = town.github.moving.opened()
    assert "## Release notes" in pull.body
    assert "Do it better" in pull.body
    assert "## Rollback plan" in pull.body
    assert revision_of("checkout", 1) in pull.body
    pull.body += "\nAnd one thing more."
    await plays(
        """
        omar: [Approve]
        bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
        bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
        bot: What would be done has changed: what #51 says. Approvals start again.
        """,
        town,
    )
    assert main(town) == SERVING
    async with Bot(town) as bot:
        intents = [one for one in await bot.store.newest(100) if one.kind == "branch"]
    assert [(one.phase, one.what) for one in reversed(intents)] == [
        (EntryPhase.INTENT, "about to"),
        (EntryPhase.OUTCOME, "confirmed"),
    ]


def lines(*links: Link) -> tuple[Link, ...]:
    """What only the target has, after a promotion M of X on the source."""
    return (Link(M, "Promote", (BEFORE, X)), *links)


X, BEFORE, M, R, RR, MR, MRR, FIX = (Sha(letter * 40) for letter in "0123456789ab"[:8])
REVERT = Link(R, "Revert it", (M,), reverts=(M,))
MERGED_REVERT = Link(MR, "Merge revert", (M, R))
REAPPLY = Link(RR, "Reapply it", (MR,), reverts=(R,))
REAPPLY_MERGE = Link(RR, "Reapply it", (MR,), reverts=(MR,))
MERGED_REAPPLY = Link(MRR, "Merge it", (MR, RR))


@pytest.mark.parametrize(
    ("own", "behind", "lost"),
    [
        (lines(), (), ()),
        (lines(REVERT), (R,), (M,)),
        (lines(REVERT, MERGED_REVERT), (R, MR), (M,)),
        (lines(REVERT, MERGED_REVERT, REAPPLY, MERGED_REAPPLY), (), ()),
        (lines(REVERT, MERGED_REVERT, REAPPLY_MERGE, MERGED_REAPPLY), (), ()),
        (lines(REVERT, MERGED_REVERT, REAPPLY, MERGED_REAPPLY, Link(FIX, "Fix", (MRR,))), (FIX,), ()),
        (lines(Link(FIX, "Fix", (M,)), Link(R, "Revert the fix", (FIX,), reverts=(FIX,))), (FIX, R), ()),
    ],
    ids=["a promotion", "reverted", "by a merge", "reapplied", "the merge reapplied", "and a fix", "a fix reverted"],
)
def test_a_revert_that_was_taken_back_is_nothing_together_with_what_took_it_back(
    own: tuple[Link, ...], behind: tuple[Sha, ...], lost: tuple[Sha, ...]
) -> None:
    assert unpromoted(own) == behind
    assert tuple(each.commit for each in taken_back(own)) == lost
