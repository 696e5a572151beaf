"""Words that go out of use: whoever still says them is told until when they work, and what to say instead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conversation import plays
from tests.world import Town


def version(what: str) -> dict[str, Any]:
    goes = {"what": what, "adopt_until": "2026-11-30", "works_until": "2026-12-31", "instead": "Say stage"}
    return {"version": "2", "effective": "2026-11-01", "summary": "One name", "rationale": "Two", "deprecates": [goes]}


@pytest.mark.requirement("S4-332")
async def test_whoever_says_a_word_that_goes_is_told_until_when_and_what_to_say(town: Town) -> None:
    town.policies.adopt(changes=[version("staging")])
    await plays(
        """
        maya: /release promote checkout staging→prod
        bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
        bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
        bot → maya: `staging` goes: do not begin using it after 2026-11-30; it works until 2026-12-31. Say stage.
        """,
        town,
    )


async def test_nobody_is_told_who_says_another_word_or_only_mentions_it(town: Town) -> None:
    town.policies.adopt(changes=[version("staging")])
    await plays(
        """
        maya: /release promote checkout stage→prod reason:staging is fine
        bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
        bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
        """,
        town,
    )
