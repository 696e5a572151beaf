"""Change types, what must be said and stated for a change, and what people let by knowingly."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conversation import Bot, plays
from tests.world import HOUR, Town

ON_ITS_WAY = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: ALLOWED
    … once: serves 10 %
    """


def on_its_way(allowed: str = "every rule is met") -> str:
    return ON_ITS_WAY.replace("ALLOWED", allowed)


@pytest.mark.requirement("S3-52")
async def test_a_hotfix_waits_for_no_window_but_for_whoever_is_on_call(town: Town) -> None:
    hotfix = {"window": "any", "approvals": [{"role": "on_call"}], "instead": True, "fields": ["ticket"]}
    town.policies.adopt(change_types={"hotfix": hotfix})
    town.clock.move(4 * 24 * HOUR - 6 * HOUR)  # Saturday, 04:00 in Berlin
    await plays(
        """
    maya: /release promote checkout stage→prod type:hotfix
    bot → maya: checkout stage→prod needs a little more. [Fill in]
         ✗ ticket: a change of type hotfix needs it
         Or say /release promote checkout stage→prod type:hotfix ticket:…
    maya: [Fill in] ticket:"T-1"
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         …
         Type: hotfix
         Ticket: T-1
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         – window: …
         …
    raj: [Approve]
    bot → raj: Your vote would not count: it takes an on call (dan).
    omar: [Approve]
    bot → omar: Your vote would not count: it takes an on call (dan).
    dan: [Approve]
    bot: @dan approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → dan: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
        + on_its_way(),
        town,
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("type:hotfx", "I know no type of change `hotfx`. Did you mean `hotfix`?"),
        ("tickt:T-1", "I do not know `tickt:` here. Did you mean `ticket`?"),
        ("incidnt:I-1", "I do not know `incidnt:` here. Did you mean `incident`?"),
        ("ticket:T-1 ticket:T-2", "`ticket:` stands there twice."),
    ],
)
async def test_what_is_misspelt_is_answered_with_the_nearest(town: Town, words: str, answer: str) -> None:
    town.policies.adopt(change_types={"hotfix": {"fields": ["ticket"]}})
    await plays(
        f"""
    maya: /release promote checkout stage→prod {words}
    bot → maya: {answer}
    """,
        town,
    )


@pytest.mark.requirement("S2-15")
async def test_a_summary_that_is_asked_for_is_said_before_anybody_is_asked_to_agree(town: Town) -> None:
    gates: dict[str, Any] = {
        "summary": {"kind": "record", "fields": ["summary"]},
        "risky": {"kind": "record", "fields": ["rollback-plan"], "only_if": {"risk": ["high"]}},
    }
    town.policies.adopt(gates=gates, to_prod={"requires": ["summary", "risky"]})
    await plays(
        """
    maya: /release promote checkout stage→prod summary:" "
    bot → maya: checkout stage→prod needs a little more. [Fill in]
         ✗ summary: summary asks for it
         ✗ risk: risky asks for it
         Or say /release promote checkout stage→prod summary:… risk:…
    maya: [Fill in] summary:"pay in one click" risk:"High"
    bot → maya: checkout stage→prod needs a little more. [Fill in]
         ✗ rollback-plan: risky asks for it
         Or say /release promote checkout stage→prod summary:"pay in one click" risk:High rollback-plan:…
    maya: [Fill in] rollback-plan:"back to v1"
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         …
         Summary: pay in one click
         Risk: High
         Rollback plan: back to v1
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 16 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """,
        town,
    )
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
        asked = next(entry for entry in await bot.store.newest(20) if entry.what == "asked" and entry.operation)
    assert operation.plan is not None
    assert operation.plan.fields == {"summary": "pay in one click", "risk": "High", "rollback-plan": "back to v1"}
    assert asked.private["summary"] == "pay in one click"


async def test_an_approval_agrees_to_the_words_that_were_said_and_to_no_others(town: Town) -> None:
    """The same build, asked for with another summary, is another plan."""
    town.policies.adopt(gates={"summary": {"kind": "record", "fields": ["summary"]}}, to_prod={"requires": ["summary"]})
    plans = []
    for summary in ("pay in one click", "pay in two clicks"):
        await plays(
            f"""
    maya: /release promote checkout stage→prod summary:{summary}
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 15 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    maya: [Cancel]
    bot: @maya cancelled it.
    bot: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    """,
            town,
        )
        async with Bot(town) as bot:
            asked = next(entry for entry in await bot.store.newest(20) if entry.what == "asked" and entry.operation)
        plans.append(asked.target["plan"])
    assert plans[0] != plans[1]


STATED = {
    "no-storage": {
        "kind": "attest",
        "statement": "no new storage",
        "by": ["requester", "approver"],
        "source": "L15",
    }
}


@pytest.mark.requirement("S4-316")
async def test_what_people_must_have_seen_or_state_is_in_the_buttons_words_and_sentences(town: Town) -> None:
    dast = {"kind": "checks", "names": ["dast"], "mode": "acknowledge", "title": "the dynamic scan"}
    town.policies.adopt(gates={**STATED, "dast": dast}, to_prod={"requires": ["no-storage", "dast"]})
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [I state this] [Check again] [Cancel]
         …
         ✗ no-storage: maya and somebody who agrees must state: no new storage (L15)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 4 of 16 rules not met (no-storage, dast, second-person, approvals) [I state this] [Check again] [Cancel]
    lea: [I state this]
    bot → lea: maya asked for checkout stage→prod of c2c2c2c2c2c2 already: op_82f3e9c695 is waiting for no-storage, dast and approval.
    maya: [I state this]
    bot: @maya states no-storage for checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         …
         • Approving states: no new storage
         • Approving states: I have seen that the dynamic scan is not met
         op_82f3e9c695 · asked Tue 24 Nov 2026 09:00 UTC
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 4 of 16 rules not met (no-storage, dast, second-person, approvals) [Approve] [Reject] [Cancel]
    maya: [I state this] (first seen)
    bot → maya: You have stated that already: op_82f3e9c695 is waiting for no-storage, dast and approval.
    maya: [Approve]
    bot → maya: You asked for it, so somebody else has to agree.
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. They state dast, no-storage. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
        + on_its_way("nothing blocks it; warnings: dast"),
        town,
    )
    says = [button for message in town.slack.messages for version in message.said for button in version["buttons"]]
    approving = {words for label, words, _ in says if label == "Approve"}
    assert all("confirms:dast,no-storage" in words for words in approving)


async def test_nobody_states_what_nothing_here_is_called(town: Town) -> None:
    town.policies.adopt(gates=STATED, to_prod={"requires": ["no-storage"]})
    await plays(
        """
    maya: /release promote checkout stage→prod confirms:no-storag
    bot → maya: Nothing that could be stated here is called `no-storag`. Did you mean `no-storage`?
    maya: /release promote checkout stage→prod confirms:no-storage reason:it is time
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 15 rules not met (no-storage, second-person, approvals) [Approve] [Reject] [Cancel]
    maya: /release promote checkout stage→prod confirms:no-storage reason:now or never
    bot → maya: maya asked for checkout stage→prod of c2c2c2c2c2c2 already: op_db77fd01af is waiting for no-storage and approval. Its reason stays as before; cancel it to ask in other words.
    """,
        town,
    )
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
    plan = operation.plan.hash[:8] if operation.plan else ""
    await plays(
        f"""
    omar: /release approve op_db77fd01af plan:{plan} confirms:zzz
    bot → omar: Nothing that could be stated here is called `zzz`. I know `required-checks`, `soak` and `no-storage`.
    """,
        town,
    )


async def test_who_states_more_in_other_words_hears_that_these_change_nothing(town: Town) -> None:
    town.policies.adopt(gates=STATED, to_prod={"requires": ["no-storage"]})
    await plays(
        """
    maya: /release promote checkout stage→prod reason:it is time
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [I state this] [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 15 rules not met (no-storage, second-person, approvals) [I state this] [Check again] [Cancel]
    maya: /release promote checkout stage→prod confirms:no-storage reason:now or never
    bot: @maya states no-storage for checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → maya: op_82f3e9c695 is open. Its reason stays as before; cancel it to ask in other words.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 15 rules not met (no-storage, second-person, approvals) [Approve] [Reject] [Cancel]
    """,
        town,
    )


async def test_an_approval_that_states_too_little_is_completed_by_the_same_person(town: Town) -> None:
    dast = {"kind": "checks", "names": ["dast"], "mode": "acknowledge"}
    town.policies.adopt(gates={**STATED, "dast": dast}, to_prod={"requires": ["no-storage", "dast"]})
    await plays(
        """
    maya: /release promote checkout stage→prod confirms:no-storage
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 4 of 16 rules not met (no-storage, dast, second-person, approvals) [Approve] [Reject] [Cancel]
    """,
        town,
    )
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
    plan = operation.plan.hash[:8] if operation.plan else ""
    await plays(
        f"""
    omar: /release approve op_82f3e9c695 plan:{plan} confirms:dast
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. They state dast. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 16 rules not met (no-storage) [Approve] [Reject] [Cancel]
    omar: /release approve op_82f3e9c695 plan:{plan} confirms:dast
    bot → omar: You have approved checkout c2c2c2c2c2c2 → prod already.
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. They state dast, no-storage. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
        + on_its_way("nothing blocks it; warnings: dast"),
        town,
    )


@pytest.mark.requirement("S3-21")
async def test_without_the_last_item_of_a_checklist_there_is_no_approve_button_and_it_is_named(town: Town) -> None:
    items = [
        {"id": "1", "text": "the checks passed", "by": "gate", "gate": "ci"},
        {"id": "2", "text": "on-call was told", "by": "requester"},
        {"id": "3", "text": "the risk is accepted", "by": "approver"},
    ]
    town.policies.adopt(
        checklists={"go": items},
        gates={"ci": {"kind": "checks", "names": ["build"]}, "go-no-go": {"kind": "checklist", "checklist": "go"}},
        to_prod={"requires": ["ci", "go-no-go"]},
    )
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [I state this] [Check again] [Cancel]
         …
         ✗ go-no-go: 2 of 3 items are not done: on-call was told (whoever asked states go.2); the risk is accepted (somebody who agrees states go.3)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 16 rules not met (go-no-go, second-person, approvals) [I state this] [Check again] [Cancel]
    maya: [I state this]
    bot: @maya states go.2 for checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         …
         • Approving states: the risk is accepted
         …
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 16 rules not met (go-no-go, second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. They state go.3. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
        + on_its_way(),
        town,
    )


@pytest.mark.requirement("S4-122", "S4-172")
async def test_who_wrote_part_of_it_cannot_agree_to_it(town: Town) -> None:
    town.people.roles["lea"].add("release_manager")
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         ✗ approvals: a release manager must agree to plan …
         • omar can agree
         …
    lea: [Approve]
    bot → lea: You wrote part of it, so somebody who did not has to agree.
    """,
        town,
    )
    assert town.runs.writes == []


@pytest.mark.requirement("S3-22")
async def test_any_of_several_roles_may_agree_and_never_whoever_asked(town: Town) -> None:
    town.policies.adopt(to_prod={"approvals": [{"any_of": ["tech_lead", "release_manager"]}]})
    town.people.roles["tom"].add("tech_lead")
    await plays(
        """
    tom: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    tom: [Approve]
    bot → tom: You asked for it, so somebody else has to agree.
    raj: [Approve]
    bot: @raj approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → raj: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    """
        + on_its_way(),
        town,
    )
