"""What our own ports tell of a candidate: who wrote it, where it was, what it is, and what could be gone back to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.evidence import UNSEEN, YET, authors
from commands.ports import Change, Comparison
from policy.document import Policy
from policy.evidence import Authors
from policy.model import Human, Sha, Unknown
from tests.conversation import plays
from tests.policy.good import DOCUMENT
from tests.world import Town, digest, site_of

PEOPLE = {"maya": {"slack": "U0MAYA", "github": "maya-gh"}, "raj": {"slack": "U0RAJ", "github": "Raj"}}
POLICY = Policy.model_validate({**DOCUMENT, "people": {**DOCUMENT["people"], **PEOPLE}})


def change(author: str, *others: str, strangers: frozenset[str] = frozenset()) -> Change:
    return Change(Sha("a" * 40), "Do it", author, others, strangers)


@pytest.mark.requirement("D-03")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ((), Authors(frozenset())),
        ((change("maya-gh"),), Authors(frozenset({Human("maya")}))),
        ((change("MAYA-GH"), change("raj")), Authors(frozenset({Human("maya"), Human("raj")}))),
        ((change("somebody", "maya-gh"),), Authors(frozenset({Human("maya")}), frozenset({"somebody"}))),
        ((change("renovate[bot]"),), Authors(frozenset())),
        ((change("renovate[bot]", "maya-gh"),), Authors(frozenset({Human("maya")}))),
        # a commit may say that any name wrote it: without an account the name is nobody's, and no bot's either
        ((change("x[bot]", strangers=frozenset({"x[bot]"})),), Authors(frozenset(), frozenset({"x[bot]"}))),
        ((change("raj", strangers=frozenset({"raj"})),), Authors(frozenset(), frozenset({"raj"}))),
    ],
)
def test_who_wrote_it_are_the_humans_behind_the_accounts(changes: tuple[Change, ...], found: Authors) -> None:
    assert authors(POLICY, Comparison(len(changes), 0, changes)) == found


def test_a_range_that_cannot_be_read_whole_was_written_by_nobody_knows_whom() -> None:
    cut_short = Comparison(251, 0, tuple(change("maya-gh") for _ in range(250)))
    assert authors(POLICY, cut_short) == Unknown("who wrote 1 of 251 commits could not be read")
    away = Unknown("GitHub is away")
    assert authors(POLICY, away) == away


def test_what_nothing_here_can_look_up_is_said_to_be_so() -> None:
    assert UNSEEN.numbers == UNSEEN.flags == UNSEEN.probes == YET
    assert UNSEEN.alerts_at is None


def asks(town: Town, **gate: object) -> None:
    town.policies.adopt(gates={"asked": gate}, to_prod={"requires": ["asked"]})


async def finds(town: Town, line: str) -> None:
    """`why` has this line about the gate."""
    await plays(
        f"""
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         {line}
         …
    """,
        town,
    )


async def test_what_was_never_looked_up_blocks_with_the_reason(town: Town) -> None:
    asks(town, kind="database", allows=["none"])
    await finds(town, "? asked: nothing here can look that up yet")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("success", "✓ asked: c2c2c2c2c2c2 was verified in stage"),
        ("inactive", "✓ asked: c2c2c2c2c2c2 was verified in stage"),
        ("in_progress", "✗ asked: c2c2c2c2c2c2 was deployed in stage, and not verified"),
        ("failure", "✗ asked: c2c2c2c2c2c2 was never in stage"),
        ("", "✗ asked: c2c2c2c2c2c2 was never in stage"),
    ],
)
async def test_how_far_it_got_is_what_its_deployments_came_to(town: Town, state: str, line: str) -> None:
    asks(town, kind="order", environment="stage")
    newest = town.github.records["acme/checkout"][-1]
    assert (newest.deployment.environment, newest.deployment.digest) == ("stage", digest("checkout", 2))
    newest.deployment = replace(newest.deployment, state=state)
    await finds(town, line)


async def test_how_far_it_got_is_not_known_without_github(town: Town) -> None:
    asks(town, kind="order", environment="stage")
    town.github.away = True
    await finds(town, "? asked: GitHub's deployments could not be read: GitHub does not answer.")


async def test_whether_it_is_the_very_thing_is_read_from_what_serves(town: Town) -> None:
    asks(town, kind="same", by="digest", environment="prod")
    await finds(town, "✗ asked: prod serves c1c1c1c1c1c1, and the candidate is another digest, c2c2c2c2c2c2")
    asks(town, kind="same", by="commit", environment="stage")
    await finds(town, "✓ asked: stage serves the same commit, c2c2c2c")


async def test_how_long_it_soaked_counts_for_the_candidate_or_for_the_environment(town: Town) -> None:
    asks(town, kind="soak", environment="stage", lasts="PT24H", measure="environment")
    await finds(town, "✓ asked: nothing changed in stage for 26 h since Mon 23 Nov 2026 08:00 CET; 24 h are required")
    asks(town, kind="soak", environment="prod", lasts="PT24H")
    await finds(town, "✗ asked: prod does not serve c2c2c2c2c2c2, so it does not soak")
    town.runs.somebody_moves(site_of("checkout"), checkout_r_c1c1c1c1c1c1=50, checkout_r_c0c0c0c0c0c0=50)
    await finds(town, "? asked: nobody looked since when prod is as it is")


async def test_a_rollback_would_go_to_what_was_verified_and_still_is_there(town: Town) -> None:
    asks(town, kind="rollback_ready")
    await finds(town, "✓ asked: checkout-r-c1c1c1c1c1c1 is ready to go back to")
    town.images.gone.add(digest("checkout", 1))
    await finds(town, "✗ asked: no rollback target for checkout: the image of checkout-r-c1c1c1c1c1c1 is gone")
    town.images.away = True
    whether = "whether checkout-r-c1c1c1c1c1c1 could still be started is not known"
    await finds(town, f"? asked: {whether}: its image could not be read: The registry does not answer.")
    for record in town.github.records["acme/checkout"]:
        record.deployment = replace(record.deployment, state="failure")
    await finds(town, "✗ asked: no rollback target for checkout: nothing verified is left")
    town.github.away = True
    await finds(town, "? asked: GitHub's deployments could not be read: GitHub does not answer.")


async def test_what_is_held_is_no_way_back(town: Town) -> None:
    asks(town, kind="rollback_ready")
    await plays(
        """
    ines: /release rollback checkout
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: …
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. … [Lift the hold]
    """,
        town,
    )
    await finds(town, "✓ asked: checkout-r-c0c0c0c0c0c0 is ready to go back to")
