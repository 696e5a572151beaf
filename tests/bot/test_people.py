from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from commands.errors import Rejected, Unavailable
from policy.document import Policy
from policy.model import AccountKind, Human
from tests.bot.slack_stub import MAYA, POLICY, TEAM, Bench, bench, error, user


@pytest_asyncio.fixture
async def b() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


async def test_a_person_is_the_human_behind_the_account_with_the_roles_of_now(b: Bench) -> None:
    maya = await b.people.person(MAYA)
    assert (maya.human, maya.name, maya.kind, maya.active, maya.roles) == (
        Human("maya"),
        "maya",
        AccountKind.HUMAN,
        True,
        frozenset({"engineer"}),
    )
    omar = await b.people.person(f"slack:{TEAM}/U0OMAR")
    assert omar.roles == {"engineer", "release_manager", "tech_lead"}


@pytest.mark.parametrize(
    ("flags", "kind", "active"),
    [
        ({"is_bot": True}, AccountKind.BOT, True),
        ({"is_app_user": True}, AccountKind.BOT, True),
        ({"is_workflow_bot": True}, AccountKind.BOT, True),
        ({"is_restricted": True}, AccountKind.GUEST, True),
        ({"is_ultra_restricted": True}, AccountKind.GUEST, True),
        ({"is_stranger": True}, AccountKind.STRANGER, True),
        ({"team_id": "T0OTHER", "is_stranger": False}, AccountKind.STRANGER, True),
        ({"deleted": True}, AccountKind.HUMAN, False),
        ({"is_invited_user": True}, AccountKind.HUMAN, False),
    ],
)
async def test_bots_guests_strangers_and_the_gone_hold_no_role(
    b: Bench, flags: dict[str, Any], kind: AccountKind, active: bool
) -> None:
    b.slack.users["U0OMAR"] |= flags
    omar = await b.people.person(f"slack:{TEAM}/U0OMAR")
    assert (omar.kind, omar.active, omar.roles) == (kind, active, frozenset())
    assert "omar" not in await b.people.holders(["release_manager"])


async def test_slackbot_is_a_bot_whatever_it_says(b: Bench) -> None:
    b.slack.users["USLACKBOT"] = user("USLACKBOT")
    assert (await b.people.person(f"slack:{TEAM}/USLACKBOT")).kind is AccountKind.BOT


async def test_somebody_of_another_workspace_is_a_stranger_without_asking(b: Bench) -> None:
    assert (await b.people.person("slack:T0OTHER/U0MAYA")).kind is AccountKind.STRANGER
    assert not b.slack.calls


async def test_an_account_that_is_linked_to_nobody_stands_for_no_human(b: Bench) -> None:
    b.slack.users["U0LOOSE"] = user("U0LOOSE")
    loose = await b.people.person(f"slack:{TEAM}/U0LOOSE")
    assert (loose.human, loose.roles) == (None, frozenset({"engineer"}))
    assert set(await b.people.holders(["engineer"])) == {"maya", "omar"}


async def test_holders_are_the_named_and_the_members_of_groups(b: Bench) -> None:
    assert set(await b.people.holders(["release_manager", "tech_lead"])) == {"omar", "raj"}
    assert not await b.people.holders(["no such role"])


CROWD = [f"p{n}" for n in range(250)]


@asynccontextmanager
async def crowded() -> AsyncIterator[Bench]:
    """A policy under which 250 people may approve."""
    policy = POLICY.model_dump(by_alias=True)
    policy["people"] |= {name: {"slack": f"U0{name.upper()}"} for name in CROWD}
    policy["roles"]["approver"] = {"members": CROWD}
    async with bench(Policy.model_validate(policy)) as made:
        made.slack.users |= {f"U0{name.upper()}": user(f"U0{name.upper()}") for name in CROWD}
        yield made


async def test_many_holders_are_looked_up_in_the_list_of_everybody_and_not_one_by_one() -> None:
    async with crowded() as b:
        b.slack.users["U0P7"]["deleted"] = True
        b.slack.users["U0P8"]["is_restricted"] = True
        found = await b.people.holders(["approver", "tech_lead"])
        assert found.keys() == {*CROWD, "raj", "omar"} - {"p7", "p8"}
        assert all("approver" in found[Human(name)].roles for name in set(CROWD) - {"p7", "p8"})
        assert "users.info" not in b.slack.calls
        assert b.slack.calls.count("users.list") == 3, "one for each page"
        await asyncio.gather(*(b.people.holders(["approver"]) for _ in range(20)))
        assert b.slack.calls.count("users.list") == 3


async def test_who_is_gone_is_gone_from_the_list_as_soon_as_slack_says_so_or_half_a_minute_later() -> None:
    async with crowded() as b:
        assert "p7" in await b.people.holders(["approver"])
        b.slack.users["U0P7"]["deleted"] = b.slack.users["U0P8"]["deleted"] = True
        b.people.forget_user("U0P7")
        assert not {"p7", "p8"} & (await b.people.holders(["approver"])).keys()
        b.slack.users["U0P9"]["deleted"] = True
        b.clock.at += timedelta(seconds=29)
        assert "p9" in await b.people.holders(["approver"])
        b.clock.at += timedelta(seconds=1)
        assert "p9" not in await b.people.holders(["approver"])


async def test_a_list_that_cannot_be_had_is_no_list_of_nobody() -> None:
    async with crowded() as b:
        b.slack.faults["users.list"] = [error("missing_scope"), error("missing_scope")]
        with pytest.raises(Unavailable):
            await b.people.holders(["approver"])


async def test_a_group_that_is_switched_off_or_empty_means_nobody(b: Bench) -> None:
    b.slack.groups["S0ENG"] = []
    b.slack.faults["usergroups.users.list"] = [error("subteam_disabled")]
    assert not await b.people.holders(["engineer"])


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
@pytest.mark.parametrize("word", ["missing_scope", "internal_error", "invalid_auth"])
async def test_not_knowing_is_never_a_yes(b: Bench, method: str, word: str) -> None:
    b.slack.faults[method] = [error(word), error(word)]
    with pytest.raises(Unavailable):
        await b.people.person(MAYA)
    b.slack.faults[method] = [error(word), error(word)]
    with pytest.raises(Unavailable):
        await b.people.holders(["engineer"])


async def test_a_failing_server_is_asked_once_more(b: Bench) -> None:
    b.slack.faults["users.info"] = [error("x", 503)]
    assert (await b.people.person(MAYA)).human == "maya"


async def test_an_answer_about_somebody_else_counts_for_nobody(b: Bench) -> None:
    b.slack.users["U0MAYA"] = user("U0OMAR")
    with pytest.raises(Unavailable):
        await b.people.person(MAYA)


async def test_an_unknown_account_is_rejected_and_holds_nothing(b: Bench) -> None:
    del b.slack.users["U0OMAR"]
    with pytest.raises(Rejected):
        await b.people.person(f"slack:{TEAM}/U0OMAR")
    with pytest.raises(Rejected):
        await b.people.person("cli:root")
    assert set(await b.people.holders(["engineer"])) == {"maya"}


async def test_however_many_ask_at_once_slack_is_asked_once(b: Bench) -> None:
    await asyncio.gather(*(b.people.person(MAYA) for _ in range(50)))
    assert sorted(b.slack.calls) == ["usergroups.users.list", "usergroups.users.list", "users.info"]


async def test_a_role_that_was_taken_away_is_gone_within_a_minute(b: Bench) -> None:
    assert (await b.people.person(MAYA)).roles == {"engineer"}
    b.slack.groups["S0ENG"] = []
    b.clock.at += timedelta(seconds=59)
    assert (await b.people.person(MAYA)).roles == {"engineer"}
    b.clock.at += timedelta(seconds=1)
    assert (await b.people.person(MAYA)).roles == set()


async def test_a_clock_that_was_set_back_keeps_nothing_alive(b: Bench) -> None:
    await b.people.person(MAYA)
    b.slack.groups["S0ENG"] = []
    b.clock.at -= timedelta(days=1)
    assert (await b.people.person(MAYA)).roles == set()


async def test_what_was_forgotten_while_it_was_fetched_is_not_remembered(b: Bench) -> None:
    slow = asyncio.Event()
    b.slack.faults["users.info"] = [slow]
    first = asyncio.ensure_future(b.people.person(MAYA))
    while "users.info" not in b.slack.calls:
        await asyncio.sleep(0)
    b.people.forget_user("U0MAYA")
    slow.set()
    assert (await first).active is True
    b.slack.users["U0MAYA"]["deleted"] = True
    assert (await b.people.person(MAYA)).active is False


async def test_one_asker_who_gives_up_does_not_fail_the_others(b: Bench) -> None:
    slow = asyncio.Event()
    b.slack.faults["users.info"] = [slow]
    one, other = (asyncio.ensure_future(b.people.person(MAYA)) for _ in range(2))
    while "users.info" not in b.slack.calls:
        await asyncio.sleep(0)
    one.cancel()
    slow.set()
    assert (await other).human == "maya"
    assert one.cancelled()
