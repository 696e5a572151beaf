"""What GitHub shows of a release: where it is told of, where it serves, and what it took the place of."""

from __future__ import annotations

from dataclasses import replace

from tests.commands.test_promote import APPROVED, ASKED
from tests.conversation import plays
from tests.world import HOUR, Town, commit, digest, revision_of, site_of

LIVE = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 50 %: healthy over …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over …
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    """


def shown(town: Town) -> dict[str, str]:
    """By short digest, what GitHub shows of each deployment to prod."""
    return {
        (record.deployment.digest or "")[7:9]: record.deployment.state
        for record in town.github.records["acme/checkout"]
        if record.deployment.environment == "prod"
    }


async def test_what_served_before_is_inactive_and_the_new_one_says_where_to_look(town: Town) -> None:
    await plays(ASKED + APPROVED + LIVE, town)
    assert shown(town) == {"c0": "success", "c1": "inactive", "c2": "success"}
    made = town.github.records["acme/checkout"][-1]
    assert made.log.startswith("https://app.slack.com/client/T0ACME/C0RELEASES/thread/C0RELEASES-")
    assert made.address == (await town.runs.running(site_of("checkout", "prod"))).address


async def test_what_another_service_of_the_repository_shows_is_left_as_it_is(town: Town) -> None:
    services = town.policies.current().policy.model_dump(mode="python", by_alias=True)["services"]
    services["payments"]["repository"] = services["checkout"]["repository"]
    town.policies.adopt(services=services)
    await plays(ASKED + APPROVED + LIVE, town)
    assert shown(town) == {"c0": "success", "c1": "success", "c2": "success"}


async def test_what_serves_below_and_is_not_what_github_shows_there_is_not_promoted(town: Town) -> None:
    now = town.clock.now() - HOUR
    other = digest("checkout", 9)
    town.github.add_deployment("acme/checkout", commit("checkout", 1), "stage", other, revision_of("checkout", 9), now)
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ? commit-known: what GitHub shows as deployed to stage is c9c9c9c9c9c9, and c2c2c2c2c2c2 serves there
         …
    """,
        town,
    )
    town.github.records["acme/checkout"][-1].deployment = replace(
        town.github.records["acme/checkout"][-1].deployment, state="failure"
    )
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ✓ commit-known: c2c2c2c2c2c2 was built from c2c2c2c
         …
    """,
        town,
    )
