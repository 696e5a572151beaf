"""A promotion from the question to the end, as it reads in the channel."""

from __future__ import annotations

from datetime import timedelta

import pytest

from commands.ports import Request
from policy.facts import CheckState
from tests.conversation import Bot, plays
from tests.world import HOUR, Behaviour, Fault, Town, commit, digest, revision_of, site_of

ASKED = """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
APPROVED = """
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
STARTED = (
    ASKED
    + APPROVED
    + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    """
)
SERVES_10 = (
    STARTED
    + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
)
AT_10 = (
    SERVES_10
    + """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    … once: serves 10 %
    """
)
ON_TO_100 = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over … requests, 0.0 % failed, p99 40 ms
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 50 %: healthy over 50 requests, 0.0 % failed, p99 40 ms
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over 100 requests, 0.0 % failed, p99 40 ms
    """
LIVE = """
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    """
PLAN_SETTLED = """
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    """
TAKEN_BACK = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took …
    bot now: checkout c2c2c2c2c2c2 → prod was taken back.
    """


@pytest.mark.requirement("S4-005", "S4-027")
async def test_a_second_person_lets_it_through(town: Town) -> None:
    await plays(
        """
        maya: /release promote checkout stage→prod reason:pay in one click
        bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
             Asked by: @maya
             Service: checkout
             From → to: stage → prod
             Digest: c2c2c2c2c2c2
             Reason: pay in one click
             op_82f3e9c695 · asked Tue 24 Nov 2026 09:00 UTC
        bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
             Digest: sha256:c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2
             Commit: c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2
             Now serving: c1c1c1c1c1c1 (checkout-r-c1c1c1c1c1c1)
             From → to: stage → prod
             Steps: 10 % → 50 % → 100 %
             If it goes bad: back to checkout-r-c1c1c1c1c1c1
             Plan: …
             Policy: 000000000000
             ✓ may-ask: maya is engineer
             ✓ allowed-path: stage→prod is a path for checkout
             ✓ same-digest: stage serves c2c2c2c2c2c2
             ✓ something-to-promote: prod serves c1c1c1c1c1c1
             ✓ commit-known: c2c2c2c2c2c2 was built from c2c2c2c
             ✓ required-checks: build passed and unit-tests passed on c2c2c2c
             ✓ soak: stage has served it for 26 h since Mon 23 Nov 2026 08:00 CET; 24 h are required
             ✓ window: office_hours is Mon–Thu 09:00–17:00 and Fri 09:00–13:00 (Europe/Berlin), open until Tue 24 Nov 2026 17:00 CET
             ✓ no-freeze: nothing freezes checkout@prod
             ✓ no-hold: c2c2c2c2c2c2 was not taken back from prod
             ✓ nothing-overdue: nothing is owed
             ✓ not-expired: the request stands until Wed 25 Nov 2026 10:00…
             ✗ second-person: somebody other than maya must agree
             • omar can agree
             ✗ approvals: a release manager must agree to plan …
             • omar can agree
             • the window closes Tue 24 Nov 2026 17:00 CET
             • c2c2c2c Do it better (lea-gh)
        maya: [Approve]
        bot → maya: You asked for it, so somebody else has to agree.
        gus: [Approve]
        bot → gus: A guest or a bot cannot vote on a release.
        raj: [Approve]
        bot → raj: Your vote would not count: it takes a release manager (omar).
        omar: [Approve]
        bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
        bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
        bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
        bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
        bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
        bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
        bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over 20 requests, 0.0 % failed, p99 40 ms
        bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
        bot: ✓ checkout c2c2c2c2c2c2 → prod: 50 %: healthy over 50 requests, 0.0 % failed, p99 40 ms
        bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
        bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over 100 requests, 0.0 % failed, p99 40 ms
        bot: checkout c2c2c2c2c2c2 → prod is live. It took 28 s.
        bot now: checkout c2c2c2c2c2c2 → prod is live.
             …
             ✓ checkout-r-c2c2c2c2c2c2 serves 100 %
             ✓ 100 %: healthy over 100 requests, 0.0 % failed, p99 40 ms
             op_82f3e9c695 · asked Tue 24 Nov 2026 09:00 UTC
        bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
             …
             ✓ second-person: omar agreed; maya asked
             ✓ approvals: omar as release manager agreed to plan …
             …
        """,
        town,
    )
    old, new = revision_of("checkout", 1), revision_of("checkout", 2)
    assert town.runs.serving("checkout") == digest("checkout", 2)
    splits = town.runs.ever_served(site_of("checkout"))[2:]
    assert splits == [{old: 100}, {old: 90, new: 10}, {old: 50, new: 50}, {new: 100}]
    assert town.github.told("checkout") == [("c2c2c2c2c2c2", "success")]
    async with Bot(town) as bot:
        began = next(entry for entry in await bot.store.newest(100) if entry.what == "began")
    assert began.detail == {"window": "office_hours"}


@pytest.mark.requirement("S4-001")
async def test_somebody_whom_the_policy_does_not_know_is_refused_on_the_record(town: Town) -> None:
    await plays(
        """
        nina: /release promote checkout stage→prod
        bot → nina: checkout stage→prod cannot be promoted: …
             …
             ✗ may-ask: nina's account is linked to nobody that the policy knows
             …
        """,
        town,
    )
    async with Bot(town) as bot:
        (refused,) = [entry for entry in await bot.store.newest(10) if entry.what == "refused"]
    assert (refused.kind, refused.actor) == ("operation", "slack:T0ACME/U0NINA")


@pytest.mark.requirement("S4-129")
async def test_a_role_holder_who_may_agree_can_say_no_and_others_cannot(town: Town) -> None:
    await plays(
        ASKED
        + """
    raj: [Reject] I do not like it
    bot → raj: Your vote would not count: it takes a release manager (omar).
    omar: [Reject] wait for the fix
    bot: @omar rejected checkout c2c2c2c2c2c2 → prod: wait for the fix
    bot → omar: Your rejection of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: checkout c2c2c2c2c2c2 → prod was rejected.
         • omar rejected it: wait for the fix
    bot now: checkout c2c2c2c2c2c2 → prod was rejected.
    bot now: checkout c2c2c2c2c2c2 → prod was rejected.
    omar: [Approve]
    bot → omar: That is decided already: checkout c2c2c2c2c2c2 → prod was rejected.
    """,
        town,
    )
    assert town.runs.writes == []


async def test_whoever_asked_can_drop_it_and_a_bystander_cannot(town: Town) -> None:
    await plays(
        ASKED
        + """
    lea: [Cancel]
    bot → lea: You may not cancel this: maya may, who asked, and so may approvers and whoever may roll back.
    maya: [Cancel]
    bot: @maya cancelled it.
    bot: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    maya: [Cancel]
    bot → maya: That is over: checkout c2c2c2c2c2c2 → prod was cancelled.
    omar: [Approve]
    bot → omar: That is decided already: checkout c2c2c2c2c2c2 → prod was cancelled.
    """,
        town,
    )
    assert town.runs.writes == []


async def test_a_vote_can_be_taken_back_and_given_again_until_it_begins(town: Town) -> None:
    town.policies.change(approvals=[{"role": "release_manager"}, {"role": "tech_lead"}])
    await plays(
        ASKED
        + APPROVED
        + """
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (approvals) [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot → omar: You have approved checkout c2c2c2c2c2c2 → prod already.
    omar: /release withdraw op_82f3e9c695
    bot: @omar withdrew their vote on checkout c2c2c2c2c2c2 → prod.
    bot → omar: Your vote is withdrawn.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    raj: [Approve]
    bot: @raj approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → raj: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (approvals) [Approve] [Reject] [Cancel]
    lea: /release withdraw op_82f3e9c695
    bot → lea: You have no vote on checkout c2c2c2c2c2c2 → prod.
    """,
        town,
    )
    assert town.runs.writes == []
    await plays(
        APPROVED
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED
        + """
    omar: /release withdraw op_82f3e9c695
    bot → omar: Too late to withdraw: checkout c2c2c2c2c2c2 → prod is live.
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 2)


async def test_the_buttons_come_back_after_a_vote_that_changes_no_finding(town: Town) -> None:
    """Of three slots the second vote changes neither rule, and there is still somebody to ask."""
    town.people.roles["tom"].add("release_manager")
    town.people.roles["dan"].add("release_manager")
    town.policies.change(approvals=[{"role": "release_manager", "count": 3}])
    await plays(
        ASKED
        + APPROVED
        + """
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (approvals) [Approve] [Reject] [Cancel]
    tom: [Approve]
    bot: @tom approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → tom: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """,
        town,
    )
    assert "Approve" in {label for message in town.slack.messages[:2] for label, _, _ in message.now["buttons"]}


async def test_two_who_agree_at_once_ship_it_once(town: Town) -> None:
    town.people.roles["tom"].add("release_manager")
    await plays(
        ASKED
        + """
    omar & tom: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: @tom approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → tom: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED,
        town,
    )
    assert len(town.runs.writes) == 4


@pytest.mark.requirement("D-05")
async def test_a_double_click_counts_once(town: Town) -> None:
    await plays(
        ASKED
        + """
    omar & omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot → omar: You have approved checkout c2c2c2c2c2c2 → prod already.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED,
        town,
    )
    assert len(town.runs.writes) == 4


async def test_the_same_wish_is_kept_once_however_many_say_it(town: Town) -> None:
    await plays(
        ASKED
        + """
    maya: /release promote checkout stage→prod
    bot → maya: maya asked for checkout stage→prod of c2c2c2c2c2c2 already: op_82f3e9c695 is waiting for approval.
    raj: /release promote checkout staging to production
    bot → raj: maya asked for checkout stage→prod of c2c2c2c2c2c2 already: op_82f3e9c695 is waiting for approval.
    maya & tom in #payments: /release promote stage→prod
    bot: payments a2a2a2a2a2a2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments a2a2a2a2a2a2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    bot → tom: maya asked for payments stage→prod of a2a2a2a2a2a2 already: op_… is waiting for approval.
    """,
        town,
    )


# Steering -----------------------------------------------------------------------------------------------------------


async def test_a_rollout_can_be_held_and_let_go_on(town: Town) -> None:
    await plays(
        AT_10
        + """
    maya: [Pause]
    bot: @maya paused it: traffic stays as it is.
    bot now: checkout c2c2c2c2c2c2 → prod is held where it is. [Resume] [Abort]
    maya: [Pause]
    bot → maya: It is paused already.
    … 1 h later
    """,
        town,
    )
    assert town.runs.traffic("checkout")[revision_of("checkout", 2)] == 10
    await plays(
        """
    maya: [Resume]
    bot: @maya resumed it.
    """
        + ON_TO_100
        + LIVE,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 2)


async def test_an_abort_in_the_middle_takes_the_traffic_back_and_holds_nothing(town: Town) -> None:
    await plays(
        AT_10
        + """
    maya: /release cancel op_82f3e9c695
    bot → maya: It has begun: `abort op_82f3e9c695` takes its traffic back.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over 20 requests, 0.0 % failed, p99 40 ms
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    … once: serves 50 %
    maya: [Abort]
    bot: @maya aborted it: traffic goes back.
    bot: ✗ checkout c2c2c2c2c2c2 → prod: maya aborted it.
    """
        + TAKEN_BACK
        + """
    maya: [Abort]
    bot → maya: That is over: checkout c2c2c2c2c2c2 → prod was taken back.
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 100}
    assert town.github.told("checkout") == [("c2c2c2c2c2c2", "failure")]
    await plays(
        """
        ines: /release freeze list
        bot → ines: Nothing is frozen or held.
        """,
        town,
    )


# Going bad ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("D-09")
async def test_a_build_that_fails_at_ten_per_cent_is_taken_back_with_its_numbers_and_held(town: Town) -> None:
    await plays(
        """
        tom: /release promote payments stage→prod
        bot: payments a2a2a2a2a2a2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
        bot: Plan for payments a2a2a2a2a2a2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
        omar: [Approve]
        bot: @omar approved payments a2a2a2a2a2a2 → prod. Checking everything again.
        bot → omar: Your approval of payments a2a2a2a2a2a2 → prod is recorded.
        bot: ✓ payments a2a2a2a2a2a2 → prod: recorded as GitHub deployment 16
        bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 is deployed at 0 %
        bot: ✓ payments a2a2a2a2a2a2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
        bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 serves 10 %
        bot: ✗ payments a2a2a2a2a2a2 → prod: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %
        bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a1a1a1a1a1a1 (a1a1a1a1a1a1) serves 100 % again
        bot: payments a2a2a2a2a2a2 → prod was taken back. It took 15 s. [Lift the hold]
             • 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %
        bot now: payments a2a2a2a2a2a2 → prod was taken back. [Lift the hold]
        bot now: Plan for payments a2a2a2a2a2a2 → prod: every rule is met
        tom: /release promote payments stage→prod
        bot: payments a2a2a2a2a2a2 → prod is blocked for now. [Check again] [Cancel]
             …
             ✗ no-hold: a2a2a2a2a2a2 was taken back from prod on Tue 24 Nov 2026 10:00:13… CET: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 % (H-dc2a5b878f)
             …
        bot: Plan for payments a2a2a2a2a2a2 → prod: 3 of 14 rules not met (no-hold, second-person, approvals) [Check again] [Cancel]
        lea: [Lift the hold]
        bot → lea: You may not lift H-dc2a5b878f.
             ✗ may-ask: lea is no release manager or incident commander
             • somebody who is release manager or incident commander asks: ines or omar
        omar: [Lift the hold] it was the database
        bot: @omar lifted the hold H-dc2a5b878f on payments a2a2a2a2a2a2: it was the database
        bot now: payments a2a2a2a2a2a2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
        bot now: Plan for payments a2a2a2a2a2a2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
        """,
        town,
    )
    old, new = revision_of("payments", 1), revision_of("payments", 2)
    assert town.runs.ever_served(site_of("payments"))[2:] == [{old: 100}, {old: 90, new: 10}, {old: 100}]
    assert town.github.told("payments") == [("a2a2a2a2a2a2", "failure")]


@pytest.mark.requirement("S3-27")
@pytest.mark.parametrize(("errors", "ends"), [(1.0, "is live"), (1.1, "was taken back")])
async def test_one_per_cent_of_errors_is_allowed_and_no_more(town: Town, errors: float, ends: str) -> None:
    town.metrics.per_second[site_of("checkout")] = 10_000
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=errors)
    async with Bot(town) as bot:
        for who, words in (("maya", "promote checkout stage→prod"), ("omar", "approve {op} plan:{plan}")):
            for operation in await bot.store.open_operations():
                words = words.format(op=operation.id, plan=operation.plan.hash[:8] if operation.plan else "")  # noqa: PLW2901
            await bot.hears(Request(f"r-{who}", words, town.people.account(who), "C0RELEASES"))
            await bot.rests()
    assert ends in town.slack.messages[0].now["text"]


async def test_a_failed_smoke_test_gives_it_no_traffic_and_holds_it(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(root=503)
    await plays(
        STARTED
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Smoke test failed: GET / gave 503, expected 200
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took 2.4 s. [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    """
        + PLAN_SETTLED,
        town,
    )
    assert all(split == {revision_of("checkout", 1): 100} for split in town.runs.ever_served(site_of("checkout"))[1:])
    assert town.runs.tags("checkout") == {}, "nobody reaches the bad one by its tag any more"


async def test_a_revision_that_does_not_come_up_is_held_with_the_platforms_reason(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(starts=False)
    await plays(
        STARTED
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 does not come up: The container did not listen on PORT=8080.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took 2.4 s. [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    """
        + PLAN_SETTLED,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 100}


async def test_too_few_requests_are_no_proof_of_health(town: Town) -> None:
    town.metrics.per_second[site_of("checkout")] = 0.1
    await plays(
        SERVES_10
        + """
    bot: • checkout c2c2c2c2c2c2 → prod: Not judged within 2 min 6 s at 10 %: only 1 of 20 requests. Unknown is not healthy. Shall it go on? [Go on] [Abort]
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Not judged within 4 min 6 s at 10 %: only 2 of 20 requests. Unknown is not healthy. Nobody answered for 2 min.
    """
        + TAKEN_BACK
        + PLAN_SETTLED,
        town,
    )


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize(
    ("away", "why"),
    [(True, "its numbers cannot be had: Monitoring does not answer"), (False, "only 0 of 20 requests")],
)
async def test_without_monitoring_it_is_taken_back_and_not_held(town: Town, away: bool, why: str) -> None:
    town.metrics.away, town.metrics.silent = away, not away
    await plays(
        SERVES_10
        + f"""
    bot: • checkout c2c2c2c2c2c2 → prod: Not judged within 2 min 6 s at 10 %: {why}. Unknown is not healthy. Shall it go on? [Go on] [Abort]
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Not judged within 4 min 6 s at 10 %: {why}. Unknown is not healthy. Nobody answered for 2 min.
    """
        + TAKEN_BACK
        + PLAN_SETTLED,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 100}


# What may change in between -----------------------------------------------------------------------------------------


@pytest.mark.requirement("D-01")
async def test_an_old_button_does_not_approve_what_it_did_not_show(town: Town) -> None:
    """What serves prod changes after the plan was shown: votes on the old plan stop counting."""
    await plays(ASKED, town)
    town.version("checkout", 3, "Hurry", "tom")
    town.deployed("checkout", "prod", 3, ago=timedelta(0))
    await plays(
        APPROVED
        + """
    bot: What would be done has changed: from digest, from revision, from commit. Approvals start again.
    omar: [Approve] (first seen)
    bot → omar: That button is old: the plan has changed since (… is now …). Look at the newest message in its thread.
    """,
        town,
    )
    assert town.runs.writes == []
    await plays(
        APPROVED
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 17
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED,
        town,
    )


@pytest.mark.requirement("D-01")
async def test_another_build_in_stage_needs_agreement_of_its_own(town: Town) -> None:
    await plays(ASKED, town)
    town.version("checkout", 3, "Hurry", "tom")
    town.deployed("checkout", "stage", 3, ago=timedelta(0))
    await plays(
        APPROVED
        + """
    bot: What would be done has changed: digest, revision, image, commit. Approvals start again.
    bot now: checkout c3c3c3c3c3c3 → prod is blocked for now. [Approve] [Reject] [Check again] [Cancel]
    bot now: Plan for checkout c3c3c3c3c3c3 → prod: 3 of 14 rules not met (soak, second-person, approvals) [Approve] [Reject] [Check again] [Cancel]
    """,
        town,
    )
    assert town.runs.writes == []


@pytest.mark.requirement("D-01")
async def test_a_request_for_a_named_version_never_becomes_one_for_another(town: Town) -> None:
    await plays(ASKED.replace("stage→prod\n", "stage→prod c2c2c2c2\n"), town)
    town.version("checkout", 3, "Hurry", "tom")
    town.deployed("checkout", "stage", 3, ago=25 * HOUR)
    await plays(
        APPROVED
        + """
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ? same-digest: stage serves c3c3c3c3c3c3, not c2c2c2c2; only what it serves can be promoted
         …
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 8 of 14 rules not met (same-digest, …) [Check again] [Cancel]
    """,
        town,
    )
    assert town.runs.writes == []


async def test_a_service_that_the_policy_drops_blocks_its_open_request_and_why_says_so(town: Town) -> None:
    await plays(ASKED, town)
    town.policies.drop("checkout")
    await plays(
        """
    … 5 min later
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ allowed-path: no service checkout; there are payments and search
         …
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 11 of 14 rules not met (allowed-path, …) [Check again] [Cancel]
    lea: /release why op_82f3e9c695
    bot → lea: checkout c2c2c2c2c2c2 → prod: 11 of 14 rules not met (allowed-path, …).
         …
         ✗ allowed-path: no service checkout; there are payments and search
         …
    """,
        town,
    )


@pytest.mark.requirement("D-01", "S1-38")
async def test_another_policy_voids_the_approvals(town: Town) -> None:
    await plays(ASKED, town)
    town.policies.change(approvals=[{"role": "release_manager"}, {"role": "tech_lead"}])
    await plays(
        APPROVED
        + """
    bot: What would be done has changed: policy hash. Approvals start again.
    """,
        town,
    )
    assert town.runs.writes == []


@pytest.mark.requirement("D-02")
async def test_a_freeze_between_approval_and_begin_is_heeded_and_its_end_too(town: Town) -> None:
    town.policies.change(approvals=[{"role": "release_manager"}, {"role": "tech_lead"}])
    await plays(
        ASKED
        + APPROVED
        + """
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (approvals) [Approve] [Reject] [Cancel]
    ines: /release freeze start checkout prod until:1h reason:incident
    bot: ❄ checkout in prod is frozen until Tue 24 Nov 2026 10:00 UTC by @ines: incident
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (no-freeze, approvals) [Check again] [Cancel]
    raj: [Approve]
    bot: @raj approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → raj: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (no-freeze) [Check again] [Cancel]
    """,
        town,
    )
    assert town.runs.writes == []
    await plays(
        """
    … 1 h later
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: checkout in prod is open again: the freeze F-e49d63b2a8 by ines ended.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED,
        town,
    )


async def test_a_request_that_nobody_agrees_to_expires(town: Town) -> None:
    await plays(
        ASKED
        + """
    … 23 h later
    … 1 h later
    bot: checkout c2c2c2c2c2c2 → prod expired.
    bot now: checkout c2c2c2c2c2c2 → prod expired.
    bot now: checkout c2c2c2c2c2c2 → prod expired.
    omar: [Approve]
    bot → omar: That is decided already: checkout c2c2c2c2c2c2 → prod expired.
    """,
        town,
    )


async def test_a_role_that_is_gone_when_it_would_begin_counts_no_more(town: Town) -> None:
    town.policies.change(approvals=[{"role": "release_manager"}, {"role": "tech_lead"}])
    await plays(
        ASKED
        + APPROVED
        + """
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (approvals) [Approve] [Reject] [Cancel]
    """,
        town,
    )
    town.people.roles["omar"].discard("release_manager")
    await plays(
        """
    raj: [Approve]
    bot: @raj approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → raj: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """,
        town,
    )
    assert town.runs.writes == []


# GitHub -------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("D-04")
async def test_without_github_nothing_begins_and_an_approval_is_not_lost(town: Town) -> None:
    await plays(ASKED, town)
    town.github.away = True
    await plays(
        APPROVED
        + """
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ? commit-known: GitHub's deployments could not be read: GitHub does not answer.
         ? required-checks: checks belong to a commit: GitHub's deployments could not be read: GitHub does not answer.
         …
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 4 of 14 rules not met (commit-known, required-checks, second-person, approvals) [Check again] [Cancel]
    """,
        town,
    )
    assert town.runs.writes == []
    town.github.away = False
    await plays(
        """
    … 1 min later
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED,
        town,
    )


async def test_a_github_that_went_away_in_the_middle_stops_no_rollout(town: Town) -> None:
    await plays(AT_10, town)
    town.github.away = True
    await plays(
        """
    … 1 s later
    """
        + ON_TO_100
        + """
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
         • GitHub could not be told how it ended: GitHub does not answer.
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 2)


@pytest.mark.requirement("S4-039")
@pytest.mark.parametrize("saw", [CheckState.FAILED, CheckState.PENDING])
async def test_a_check_that_has_not_passed_blocks(town: Town, saw: CheckState) -> None:
    town.github.check("acme/checkout", commit("checkout", 2), "build", saw)
    await plays(
        """
        maya: /release promote checkout stage→prod
        bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
        bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (required-checks, second-person, approvals) [Check again] [Cancel]
        """,
        town,
    )


async def test_what_has_not_soaked_is_kept_and_opens_by_itself(town: Town) -> None:
    await plays(
        """
        maya: /release promote search stage→prod
        bot: search e2e2e2e2e2e2 → prod is blocked for now. [Approve] [Reject] [Check again] [Cancel]
             …
             ✗ soak: stage has served it for 2 h of 24 h, since Tue 24 Nov 2026 08:00 CET
             …
        bot: Plan for search e2e2e2e2e2e2 → prod: 3 of 14 rules not met (soak, second-person, approvals) [Approve] [Reject] [Check again] [Cancel]
             …
             • Time opens it, the rest is still to do: not before Wed 25 Nov 2026 08:00 UTC.
             …
        … 23 h later
        bot now: search e2e2e2e2e2e2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
        bot now: Plan for search e2e2e2e2e2e2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
        """,
        town,
    )


# Writes that go wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.LOST_REQUEST, Fault.CONFLICT])
@pytest.mark.parametrize("at", range(4))
async def test_a_write_without_an_answer_is_looked_at_not_repeated(town: Town, fault: Fault, at: int) -> None:
    town.runs.faults.extend([Fault.NONE] * at + [fault])
    await plays(SERVES_10 + ON_TO_100 + LIVE + PLAN_SETTLED, town)
    assert [write.changed for write in town.runs.writes] == [True] * 4


async def test_a_refused_write_ends_it_before_any_traffic_moved(town: Town) -> None:
    town.runs.faults.append(Fault.REFUSED)
    await plays(
        STARTED
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Permission denied on the service.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: no traffic had moved from checkout-r-c1c1c1c1c1c1
    bot: checkout c2c2c2c2c2c2 → prod failed. It took …
    bot now: checkout c2c2c2c2c2c2 → prod failed.
    """
        + PLAN_SETTLED,
        town,
    )
    assert town.runs.writes == []


async def test_where_the_way_back_is_refused_too_somebody_is_told_to_look(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=50)
    town.runs.faults.extend([Fault.NONE, Fault.NONE, Fault.REFUSED])
    await plays(
        SERVES_10
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: 10 of 20 requests failed at 10 % of traffic: 50.0 %, allowed 1 %
    bot: checkout c2c2c2c2c2c2 → prod ended in doubt: somebody has to look. It took …
         • Permission denied on the service. Look at acme-prod/europe-west1/checkout: it should serve checkout-r-c1c1c1c1c1c1.
    bot now: checkout c2c2c2c2c2c2 → prod ended in doubt: somebody has to look.
    """
        + PLAN_SETTLED,
        town,
    )


@pytest.mark.parametrize("at", range(4))
async def test_what_the_platform_took_on_and_did_not_do_is_never_said_to_be_done(town: Town, at: int) -> None:
    town.runs.faults.extend([Fault.NONE] * at + [Fault.FAILS])
    done = (
        """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    """,
        """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy …
    """,
        """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 50 %: healthy …
    """,
    )
    word = "was taken back" if at else "failed"
    await plays(
        STARTED
        + "".join(done[:at])
        + f"""
    bot: ✗ checkout c2c2c2c2c2c2 → prod: The platform refused: internal error
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod {word}. It took …
    bot now: checkout c2c2c2c2c2c2 → prod {word}.
    """
        + PLAN_SETTLED,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 100}


async def test_a_build_whose_hold_was_lifted_ships_with_the_revision_that_is_there_already(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(root=503)
    await plays(
        STARTED
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Smoke test failed: GET / gave 503, expected 200
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    """
        + PLAN_SETTLED
        + """
    omar: [Lift the hold] its database was away
    bot: @omar lifted the hold H-… on checkout c2c2c2c2c2c2: its database was away
    """,
        town,
    )
    town.runs.behaviours.clear()
    await plays(SERVES_10.replace("deployment 16", "deployment 17") + ON_TO_100 + LIVE + PLAN_SETTLED, town)
    assert town.runs.serving("checkout") == digest("checkout", 2)
    assert [write.creates for write in town.runs.writes if write.creates] == ["checkout-r-c2c2c2c2c2c2"]


async def test_a_build_that_never_came_up_ships_with_a_second_revision_once_its_hold_is_lifted(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(starts=False)
    await plays(
        STARTED
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 does not come up: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    """
        + PLAN_SETTLED
        + """
    omar: [Lift the hold] its secret was missing
    bot: @omar lifted the hold H-… on checkout c2c2c2c2c2c2: its secret was missing
    """,
        town,
    )
    town.runs.behaviours.clear()
    again = (SERVES_10.replace("deployment 16", "deployment 17") + ON_TO_100).replace(
        "checkout-r-c2c2c2c2c2c2", "checkout-r-c2c2c2c2c2c2-2"
    )
    await plays(again + LIVE + PLAN_SETTLED, town)
    assert town.runs.serving("checkout") == digest("checkout", 2)
    made = [write.creates for write in town.runs.writes if write.creates]
    assert made == ["checkout-r-c2c2c2c2c2c2", "checkout-r-c2c2c2c2c2c2-2"]


STAKEHOLDERS = "C0STAKEHOLDERS"


@pytest.mark.requirement("S4-333")
async def test_those_who_are_to_be_informed_hear_how_it_ended_and_nothing_else(town: Town) -> None:
    town.policies.change(informs=[STAKEHOLDERS])
    await plays(
        SERVES_10
        + ON_TO_100
        + """
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
    bot: checkout c2c2c2c2c2c2 → prod is live.
         op_82f3e9c695 · asked by @maya
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    """
        + PLAN_SETTLED,
        town,
    )
    (told,) = [message for message in town.slack.messages if message.channel == STAKEHOLDERS]
    assert not told.thread
