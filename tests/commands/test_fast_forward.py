"""A release branch that only moves forward, and back only where people agree, as it reads in the channel."""

from __future__ import annotations

import pytest

from tests.branches import Lost
from tests.commands.test_promote import ON_TO_100
from tests.conversation import Bot, plays
from tests.world import HOUR, Town, commit, digest

GOOD, NEXT, BAD = commit("checkout", 1), commit("checkout", 2), commit("payments", 2)


def forward(town: Town, service: str) -> Town:
    """`main` is what stage runs, `release` is what prod runs."""
    policy = town.policies.current().policy.model_dump(mode="python", by_alias=True)
    environments = policy["environments"]
    environments["stage"]["branch"], environments["prod"]["branch"] = "main", "release"
    town.policies.adopt(environments=environments, to_prod={"model": "fast_forward"})
    town.github.branches |= {"main": commit(service, 2), "release": commit(service, 1)}
    return town


@pytest.fixture
def releasing(town: Town) -> Town:
    return forward(town, "checkout")


ASKED = """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         Branch: c2c2c2c of main → release at c1c1c1c
         …
    """
APPROVED = """
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
RELEASED = (
    ASKED
    + APPROVED
    + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: release moved from c1c1c1c to c2c2c2c
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
    + ON_TO_100
    + """
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    """
)


@pytest.mark.requirement("S1-03")
async def test_release_moves_forward_to_exactly_what_stage_serves_and_traffic_follows(releasing: Town) -> None:
    await plays(RELEASED, releasing)
    assert releasing.github.branches == {"main": NEXT, "release": NEXT}
    assert releasing.runs.serving("checkout") == digest("checkout", 2)


@pytest.mark.requirement("S1-37")
async def test_what_came_to_main_since_is_not_what_is_released(releasing: Town) -> None:
    """The log's own commit, say: main is further than what stage was tested with."""
    releasing.github.moving.somebody_commits("main", "Log the last release")
    await plays(RELEASED, releasing)
    assert releasing.github.branches["release"] == NEXT


@pytest.mark.requirement("S1-04")
async def test_a_release_that_is_not_behind_is_refused(releasing: Town) -> None:
    releasing.github.moving.somebody_commits("release", "By hand")
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot → maya: checkout stage→prod cannot be promoted: 2 of 14 rules not met (second-person, approvals). Not a fast-forward: release has a commit that c2c2c2c lacks.
    """,
        releasing,
    )


async def test_what_stage_serves_and_main_does_not_hold_is_refused(releasing: Town) -> None:
    releasing.github.branches["main"] = GOOD
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot → maya: checkout stage→prod cannot be promoted: 2 of 14 rules not met (second-person, approvals). Stage serves c2c2c2c, which is not on main.
    """,
        releasing,
    )


async def test_where_release_moved_after_people_agreed_it_is_decided_again(releasing: Town) -> None:
    await plays(ASKED, releasing)
    releasing.github.branches["release"] = commit("checkout", 0)
    await plays(
        """
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: What would be done has changed: where release stands. Approvals start again.
    """,
        releasing,
    )
    assert releasing.github.branches["release"] == commit("checkout", 0)


STOPPED_LATE = (
    ASKED
    + APPROVED
    + """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    … once a write is late
    maya: [Abort]
    bot: @maya aborted it: traffic goes back.
    bot: ✗ checkout c2c2c2c2c2c2 → prod: maya aborted it.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: no traffic had moved from checkout-r-c1c1c1c1c1c1
    bot: • checkout c2c2c2c2c2c2 → prod: release still stands at c2c2c2c: op_… takes it back once that is agreed to
    bot: checkout c2c2c2c2c2c2 → prod failed. It took …
    bot: checkout@prod release ⟲ c1c1c1c is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout@prod release ⟲ c1c1c1c: 1 of 2 rules not met (approvals) [Approve] [Reject] [Cancel]
    bot now: checkout c2c2c2c2c2c2 → prod failed.
    """
)


async def test_a_move_that_arrives_after_it_was_stopped_is_taken_back_once_that_is_agreed_to(releasing: Town) -> None:
    releasing.github.moving.faults.append(Lost.LATE)
    await plays(STOPPED_LATE, releasing)
    assert releasing.github.branches["release"] == NEXT


BAD_RELEASE = """
    tom: /release promote payments stage→prod
    bot: payments a2a2a2a2a2a2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments a2a2a2a2a2a2 → prod: … [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot: @omar approved payments a2a2a2a2a2a2 → prod. Checking everything again.
    bot → omar: Your approval of payments a2a2a2a2a2a2 → prod is recorded.
    bot: ✓ payments a2a2a2a2a2a2 → prod: release moved from a1a1a1a to a2a2a2a
    bot: ✓ payments a2a2a2a2a2a2 → prod: recorded as GitHub deployment 16
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 is deployed at 0 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: smoke test passed: …
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 serves 10 %
    bot: ✗ payments a2a2a2a2a2a2 → prod: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a1a1a1a1a1a1 (a1a1a1a1a1a1) serves 100 % again
    bot: • payments a2a2a2a2a2a2 → prod: release still stands at a2a2a2a: op_… takes it back once that is agreed to
    bot: payments a2a2a2a2a2a2 → prod was taken back. It took …. [Lift the hold]
    bot: payments@prod release ⟲ a1a1a1a is waiting for approval. [Approve] [Reject] [Cancel]
         …
    bot: Plan for payments@prod release ⟲ a1a1a1a: 1 of 2 rules not met (approvals) [Approve] [Reject] [Cancel]
         …
    bot now: payments a2a2a2a2a2a2 → prod was taken back. [Lift the hold]
    bot now: Plan for payments a2a2a2a2a2a2 → prod: every rule is met
    """


@pytest.mark.requirement("S1-24", "S1-26")
async def test_after_a_bad_release_traffic_goes_back_at_once_and_the_branch_once_that_is_agreed_to(town: Town) -> None:
    town = forward(town, "payments")
    await plays(BAD_RELEASE, town)
    assert town.runs.serving("payments") == digest("payments", 1)
    assert town.github.branches["release"] == BAD, "nobody agreed to that yet"
    await plays(
        """
    tom: [Approve]
    bot → tom: You asked for it, so somebody else has to agree.
    lea: [Approve]
    bot → lea: Your vote would not count: it takes a release manager (omar).
    omar: [Approve]
    bot: @omar approved payments@prod release ⟲ a1a1a1a. Checking everything again.
    bot → omar: Your approval of payments@prod release ⟲ a1a1a1a is recorded.
    bot: payments@prod release ⟲ a1a1a1a is where it was good again. It took …
    bot now: payments@prod release ⟲ a1a1a1a is where it was good again.
    bot now: Plan for payments@prod release ⟲ a1a1a1a: every rule is met
    """,
        town,
    )
    assert town.github.branches["release"] == commit("payments", 1)


@pytest.mark.requirement("S1-05", "S1-29")
async def test_a_rollback_moves_traffic_first_and_the_branch_with_the_word_of_those_who_agree(releasing: Town) -> None:
    await plays(RELEASED, releasing)
    await plays(
        """
    ines: /release rollback checkout reason:errors
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: • checkout c1c1c1c1c1c1 ⟲ prod: release still stands at c2c2c2c: op_… takes it back once that is agreed to
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    bot: checkout@prod release ⟲ c1c1c1c is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout@prod release ⟲ c1c1c1c: 1 of 2 rules not met (approvals) [Approve] [Reject] [Cancel]
         Branch: release
         Goes back from: c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2
         To: c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1
         Serves again: c1c1c1c1c1c1 (checkout-r-c1c1c1c1c1c1)
         …
    omar: [Approve]
    bot: @omar approved checkout@prod release ⟲ c1c1c1c. Checking everything again.
    bot → omar: Your approval of checkout@prod release ⟲ c1c1c1c is recorded.
    bot: checkout@prod release ⟲ c1c1c1c is where it was good again. It took …
    bot now: checkout@prod release ⟲ c1c1c1c is where it was good again.
    bot now: Plan for checkout@prod release ⟲ c1c1c1c: every rule is met
    """,
        releasing,
    )
    assert releasing.github.branches == {"main": NEXT, "release": GOOD}
    assert releasing.runs.serving("checkout") == digest("checkout", 1)


async def test_where_the_branch_has_gone_on_nobody_is_asked_any_more(town: Town) -> None:
    """Somebody moved it back by hand; of two who agree nobody has to."""
    town = forward(town, "payments")
    await plays(BAD_RELEASE, town)
    town.github.branches["release"] = commit("payments", 1)
    await plays(
        """
    omar: [Approve]
    bot: @omar approved payments@prod release ⟲ a1a1a1a. Checking everything again.
    bot → omar: Your approval of payments@prod release ⟲ a1a1a1a is recorded.
    bot: payments@prod release ⟲ a1a1a1a was cancelled.
         • release stands at a1a1a1a already.
    bot now: payments@prod release ⟲ a1a1a1a was cancelled.
    bot now: payments@prod release ⟲ a1a1a1a was cancelled.
    """,
        town,
    )


async def test_what_people_are_to_type_names_a_branch_as_their_shell_takes_it(town: Town) -> None:
    named = "rel;ease"
    town = forward(town, "payments")
    environments = town.policies.current().policy.model_dump(mode="python", by_alias=True)["environments"]
    environments["prod"]["branch"] = named
    town.policies.adopt(environments=environments)
    town.github.branches[named] = town.github.branches.pop("release")
    town.github.moving.forbids = "Cannot force-push to this branch."
    await plays(BAD_RELEASE.replace(" release ", f" {named} "), town)
    await plays(
        f"""
    omar: [Approve]
    bot: @omar approved …
    bot → omar: Your approval …
    bot: • … let it, or do it: git push '--force-with-lease={named}:…' origin '…:{named}'. Nothing was moved; …
    bot now: … is blocked for now. [Check again] [Cancel]
    bot now: … every rule is met [Check again] [Cancel]
    """,
        town,
    )


@pytest.mark.requirement("S1-26")
async def test_a_vote_counts_for_where_the_branch_stood_and_for_nothing_else(town: Town) -> None:
    town = forward(town, "payments")
    await plays(BAD_RELEASE, town)
    moved = town.github.moving.somebody_commits("release", "By hand")
    await plays(
        """
    omar: [Approve]
    bot: @omar approved payments@prod release ⟲ a1a1a1a. Checking everything again.
    bot → omar: Your approval of payments@prod release ⟲ a1a1a1a is recorded.
    bot: What would be done has changed: where release stands. Approvals start again.
    """,
        town,
    )
    assert town.github.branches["release"] == moved


async def test_where_github_forbids_it_people_hear_what_would_let_it(town: Town) -> None:
    town = forward(town, "payments")
    await plays(BAD_RELEASE, town)
    town.github.moving.forbids = "Repository rule violations found: Cannot force-push to this branch."
    await plays(
        """
    omar: [Approve]
    bot: @omar approved payments@prod release ⟲ a1a1a1a. Checking everything again.
    bot → omar: Your approval of payments@prod release ⟲ a1a1a1a is recorded.
    bot: • payments@prod release ⟲ a1a1a1a: Repository rule violations found: Cannot force-push to this branch. Whoever may change the rules of release can let it, or do it: git push --force-with-lease=release:… origin …:release. Nothing was moved; everything is decided again.
    bot now: payments@prod release ⟲ a1a1a1a is blocked for now. [Check again] [Cancel]
         …
         • Repository rule violations found: …
         …
    bot now: Plan for payments@prod release ⟲ a1a1a1a: every rule is met [Check again] [Cancel]
    """,
        town,
    )
    assert town.github.branches["release"] == BAD
    town.github.moving.forbids = ""
    await plays(
        """
    omar: [Check again]
    bot: @omar had it looked at again.
    bot: payments@prod release ⟲ a1a1a1a is where it was good again. It took …
    bot now: payments@prod release ⟲ a1a1a1a is where it was good again.
    bot now: Plan for payments@prod release ⟲ a1a1a1a: every rule is met
    """,
        town,
    )
    assert town.github.branches["release"] == commit("payments", 1)


async def test_no_rollback_waits_for_a_branch_that_goes_back(town: Town) -> None:
    town = forward(town, "payments")
    await plays(BAD_RELEASE, town)
    town.github.moving.faults.append(Lost.LATE)
    await plays(
        """
    omar: [Approve]
    bot: @omar approved payments@prod release ⟲ a1a1a1a. Checking everything again.
    bot → omar: Your approval of payments@prod release ⟲ a1a1a1a is recorded.
    bot now: payments@prod release ⟲ a1a1a1a is under way.
    bot now: Plan for payments@prod release ⟲ a1a1a1a: every rule is met
    … once a write is late
    ines: /release rollback payments
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for payments a0a0a0a0a0a0 ⟲ prod: every rule is met
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: payments-r-a0a0a0a0a0a0 (a0a0a0a0a0a0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: recorded as GitHub deployment 17
    bot: • payments a0a0a0a0a0a0 ⟲ prod: release still stands at a2a2a2a: op_… takes it back once that is agreed to
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    bot: payments@prod release ⟲ a0a0a0a is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments@prod release ⟲ a0a0a0a: 1 of 2 rules not met (approvals) [Approve] [Reject] [Cancel]
    bot: payments@prod release ⟲ a1a1a1a is where it was good again. It took …
    bot now: payments@prod release ⟲ a1a1a1a is where it was good again.
    """,
        town,
    )


async def test_two_bad_releases_leave_one_branch_to_take_back(town: Town) -> None:
    town = forward(town, "payments")
    await plays(BAD_RELEASE, town)
    town.version("payments", 3, "Mend it", "lea-gh")
    town.deployed("payments", "stage", 3, ago=30 * HOUR)
    town.github.branches["main"] = commit("payments", 3)
    town.runs.behaviours[digest("payments", 3)] = town.runs.behaviours[digest("payments", 2)]
    async with Bot(town) as bot:
        (waits,) = await bot.store.open_operations()
    again = (
        BAD_RELEASE.partition("    bot: payments@prod")[0].replace("a2", "a3").replace("from a1a1a1a", "from a2a2a2a")
    )
    await plays(
        again.replace("deployment 16", "deployment 18").replace("op_…", waits.id)
        + """
    bot: What would be done has changed: where release stands. Approvals start again.
    bot now: payments a3a3a3a3a3a3 → prod was taken back. [Lift the hold]
    bot now: Plan for payments a3a3a3a3a3a3 → prod: every rule is met
    """,
        town,
    )
