"""A release tag names one commit for ever: one that was moved stops what bears it, and everybody hears of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.evidence import Tag
from policy.model import Sha
from tests.conversation import plays
from tests.world import Town, commit, digest, site_of

CANDIDATE, ELSEWHERE = commit("checkout", 2), Sha("ab34" + "0" * 36)
V2 = Tag("v2", CANDIDATE, annotated=True, verified=True)


@pytest.fixture
def tagged(town: Town) -> Town:
    """A path that asks for a tag, and the tag on what is in stage."""
    gate = {"kind": "tag", "pattern": r"^v\d+$"}
    town.policies.adopt(gates={"tagged": gate}, to_prod={"requires": ["tagged"]})
    town.github.tags[CANDIDATE] = V2
    return town


ASKED = """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 15 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         ✓ tagged: v2 is on c2c2c2c
         …
    """


@pytest.mark.requirement("S4-070")
async def test_a_tag_that_is_moved_between_approval_and_change_stops_it_and_raises_an_alarm_once(tagged: Town) -> None:
    await plays(ASKED, tagged)
    tagged.github.tags = {ELSEWHERE: replace(V2, commit=ELSEWHERE)}
    await plays(
        """
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: ✗ SECURITY: the release tag v2 of acme/checkout was moved. It was first seen on c2c2c2c and is on ab34000 now. Nothing that bears it is promoted; find out who moved it. op_…
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 15 rules not met (tagged) [Check again] [Cancel]
         …
         ✗ tagged: v2 is on ab34000, not on c2c2c2c; it was moved: it was first seen on c2c2c2c and is on ab34000
         …
    … 10 min later
    """,
        tagged,
    )
    assert tagged.runs.serving("checkout") == digest("checkout", 1)


async def test_a_tag_that_names_what_it_always_named_raises_nothing(
    tagged: Town,
) -> None:
    await plays(ASKED, tagged)
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ✓ tagged: v2 is on c2c2c2c
         …
    """,
        tagged,
    )


async def test_a_build_made_again_from_the_same_commit_needs_a_version_of_its_own(tagged: Town) -> None:
    await plays(ASKED, tagged)
    rebuilt = digest("checkout", 9)
    now, name = tagged.clock.now(), "checkout-00009-new"
    tagged.runs.add(site_of("checkout", "stage"), name, rebuilt, CANDIDATE, now)
    tagged.github.add_deployment("acme/checkout", CANDIDATE, "stage", rebuilt, name, now)
    tagged.runs.somebody_moves(site_of("checkout", "stage"), **{name: 100})
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ✗ tagged: v2 already names c2c2c2c2c2c2; c9c9c9c9c9c9 needs a version of its own
         …
    """,
        tagged,
    )
