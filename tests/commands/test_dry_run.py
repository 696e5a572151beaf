"""What would be done and what would help, asked without doing anything."""

from __future__ import annotations

import pytest

from tests.conversation import Bot, plays
from tests.world import Town, commit

BRANCHES = {"stage": "stage", "prod": "main"}


def along_branches(town: Town, model: str) -> None:
    """The path to production moves branches instead of images."""
    environments = town.policies.current().policy.model_dump()["environments"]
    for name, branch in BRANCHES.items():
        environments[name]["branch"] = branch
    town.policies.adopt(environments=environments, to_prod={"model": model})


async def nothing_is_kept(town: Town) -> None:
    """But for the words themselves."""
    async with Bot(town) as bot:
        assert await bot.store.open_operations() == ()
        assert {entry.kind for entry in await bot.store.newest(20)} == {"command"}
    assert town.runs.writes == []
    assert town.github.told("checkout") == []


@pytest.mark.requirement("D-18")
@pytest.mark.parametrize("flag", ["--plan", "—plan"])
async def test_a_dry_run_shows_every_rule_and_every_call_and_makes_none(town: Town, flag: str) -> None:
    await plays(
        f"""
    maya: /release promote checkout stage→prod reason:pay in one click {flag}
    bot → maya: Dry run of checkout stage→prod: 2 of 14 rules not met (second-person, approvals). Nothing was done.
         Digest: sha256:c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2
         Commit: c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2
         Now serving: c1c1c1c1c1c1 (checkout-r-c1c1c1c1c1c1)
         From → to: stage → prod
         Steps: 10 % → 50 % → 100 %
         If it goes bad: back to checkout-r-c1c1c1c1c1c1
         Plan: …
         Policy: 000000000000
         ✓ may-ask: maya is engineer
         …
         ✗ second-person: somebody other than maya must agree
         …
         • It could go ahead if omar agrees.
         • This is what would be done, in this order:
         • 1. GitHub acme/checkout: create a deployment of c2c2c2c to prod, in progress
         • 2. Cloud Run acme-prod/europe-west1/checkout: create the revision checkout-r-c2c2c2c2c2c2 from registry/acme/app@sha256:c2c2… at 0 % of the traffic
         • 3. checkout-r-c2c2c2c2c2c2: GET /healthz ×3, expecting 200
         • 4. checkout-r-c2c2c2c2c2c2: GET / ×1, expecting 200
         • 5. Cloud Run acme-prod/europe-west1/checkout: 10 % of the traffic to checkout-r-c2c2c2c2c2c2, 90 % to checkout-r-c1c1c1c1c1c1; it is watched for 6.0 s, and goes on where at most 1 % of at least 20 requests fail
         • 6. Cloud Run acme-prod/europe-west1/checkout: 50 % of the traffic …
         • 7. Cloud Run acme-prod/europe-west1/checkout: 100 % of the traffic to checkout-r-c2c2c2c2c2c2; it is watched …
         • 8. GitHub acme/checkout: the deployment is a success
         • c2c2c2c Do it better (lea-gh)
    """,
        town,
    )
    await nothing_is_kept(town)


async def test_what_would_be_done_is_done_when_it_is_asked_for_in_earnest(town: Town) -> None:
    """The plan of the dry run is the plan that people then agree to."""
    await plays("maya: /release promote checkout stage→prod --plan\nbot → maya: Dry run of …", town)
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """,
        town,
    )
    dry, _, asked = (message.now["body"] for message in town.slack.messages)
    assert next(line for line in dry if line.startswith("Plan: ")) in asked


async def test_a_dry_run_of_what_cannot_be_planned_says_why(town: Town) -> None:
    await plays(
        """
    maya: /release promote checkout stage→prod c9c9c9c9 --plan
    bot → maya: Dry run of checkout stage→prod: …. Nothing was done.
         …
         ✗ stage serves c2c2c2c2c2c2, not c9c9c9c9; only what it serves can be promoted.
         …
    """,
        town,
    )
    await nothing_is_kept(town)


MERGES = (
    "1. GitHub acme/checkout: open a pull request from stage to main",
    "2. GitHub acme/checkout: merge that pull request with a merge commit, where stage stands at c2c2c2c",
    "3. GitHub acme/checkout: create a deployment of that merge to prod, in progress",
)
MOVES = (
    "1. GitHub acme/checkout: move main from c1c1c1c to c2c2c2c, without force",
    "2. GitHub acme/checkout: create a deployment of c2c2c2c to prod, in progress",
)


@pytest.mark.parametrize(("model", "steps"), [("branch_merge", MERGES), ("fast_forward", MOVES)])
async def test_how_the_branch_would_move_is_told_before_all_else(
    town: Town, model: str, steps: tuple[str, ...]
) -> None:
    along_branches(town, model)
    town.github.branches |= {"stage": commit("checkout", 2), "main": commit("checkout", 1)}
    told = "\n".join(f"         • {step}" for step in steps)
    await plays(
        f"""
    maya: /release promote checkout stage→prod --plan
    bot → maya: Dry run of checkout stage→prod: 2 of 14 rules not met (second-person, approvals). Nothing was done.
         …
{told}
         …
    """,
        town,
    )
    await nothing_is_kept(town)
    assert town.github.moving.pulls == []
    assert town.github.branches["main"] == commit("checkout", 1)


@pytest.mark.parametrize("model", ["branch_merge", "fast_forward"])
async def test_a_branch_that_is_not_there_is_said_to_be_missing(town: Town, model: str) -> None:
    along_branches(town, model)
    await plays(
        """
    maya: /release why checkout stage→prod
    bot → maya: checkout stage→prod: 2 of 14 rules not met (second-person, approvals).
         …
         ✗ There is no branch stage in acme/checkout.
         …
    maya: /release promote checkout stage→prod
    bot → maya: checkout stage→prod cannot be promoted: … There is no branch stage in acme/checkout.
    """,
        town,
    )
    async with Bot(town) as bot:
        assert await bot.store.open_operations() == ()
        assert (await bot.store.newest(1))[0].what == "refused"
    assert town.runs.writes == []


@pytest.mark.requirement("D-16")
async def test_why_says_each_rule_with_its_source_every_way_and_when(town: Town) -> None:
    gates = {"sast": {"kind": "checks", "names": ["sast"], "source": "L1187"}}
    town.policies.adopt(gates=gates, to_prod={"requires": ["sast"]})
    await plays(
        """
    maya: /release why search stage→prod
    bot → maya: search stage→prod: 4 of 15 rules not met (soak, sast, second-person, approvals).
         …
         ✗ soak: stage has served it for 2 h of 24 h, since Tue 24 Nov 2026 08:00 CET
         • wait until Wed 25 Nov 2026 09:00 CET: Wed 25 Nov 2026 08:00 UTC
         • an exception (early) for soak: raj can grant it
         ? sast: sast has no result on e2e2e2e (L1187)
         • sast passes on e2e2e2e
         …
         • It could go ahead if sast passes on e2e2e2e, omar agrees and raj grants an exception (early) for soak.
         • Or if you wait until Wed 25 Nov 2026 09:00 CET, sast passes on e2e2e2e and omar agrees.
         • Time opens it, the rest is still to do: not before Wed 25 Nov 2026 08:00 UTC.
         …
    """,
        town,
    )


async def test_thirty_rules_fit_on_a_card_and_why_shows_them_all(town: Town) -> None:
    names = [f"gate-{number}" for number in range(16)]
    gates = {
        name: {"kind": "checks", "names": ["build"], **({"applies_to": ["hotfix"]} if number > 12 else {})}
        for number, name in enumerate(names)
    }
    town.policies.adopt(gates=gates, change_types={"hotfix": {}}, to_prod={"requires": names})
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 27 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         ✓ 25 rules met: may-ask, allowed-path, …, gate-0, …, not-expired
         – 3 rules do not apply: gate-13, gate-14, gate-15
         ✗ second-person: somebody other than maya must agree
         …
    maya: /release why checkout stage→prod
    bot → maya: checkout stage→prod: 2 of 27 rules not met (second-person, approvals).
         …
         ✓ gate-0: build passed on c2c2c2c
         …
         – gate-15: only changes of the type hotfix need it
         …
    """,
        town,
    )
