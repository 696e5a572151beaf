"""Exceptions from asking to their end, as they read in the channel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commands.ports import Request
from tests.conversation import Bot, plays
from tests.world import HOUR, Town, digest

BLOCKED = """
    maya: /release promote search stage→prod
    bot: search e2e2e2e2e2e2 → prod is blocked for now. [Approve] [Reject] [Check again] [Cancel]
    bot: Plan for search e2e2e2e2e2e2 → prod: 3 of 14 rules not met (soak, second-person, approvals) [Approve] [Reject] [Check again] [Cancel]
    """
ASKED = """
    maya: /release exception request search prod waive:soak until:20h reason:the fix cannot wait risk:low
    bot: The exception X-db77fd01af for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
    """
OPENS = """
    bot now: search e2e2e2e2e2e2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for search e2e2e2e2e2e2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
GRANTED = (
    """
    raj: [Approve]
    bot: @raj approved the exception X-db77fd01af for soak of search in prod. It is in force from now on.
    """
    + OPENS
    + """
    bot now: The exception X-db77fd01af for soak of search in prod is in force.
    """
)
SHIPPED = """
    omar: [Approve]
    bot: @omar approved search e2e2e2e2e2e2 → prod. Checking everything again.
    bot → omar: Your approval of search e2e2e2e2e2e2 → prod is recorded.
    bot: ✓ search e2e2e2e2e2e2 → prod: recorded as GitHub deployment 16
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 is deployed at 0 %
    bot: ✓ search e2e2e2e2e2e2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 serves 10 %
    bot: ✓ search e2e2e2e2e2e2 → prod: 10 %: healthy over 20 requests, 0.0 % failed, p99 40 ms
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 serves 50 %
    bot: ✓ search e2e2e2e2e2e2 → prod: 50 %: healthy over 50 requests, 0.0 % failed, p99 40 ms
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 serves 100 %
    bot: ✓ search e2e2e2e2e2e2 → prod: 100 %: healthy over 100 requests, 0.0 % failed, p99 40 ms
    bot: search e2e2e2e2e2e2 → prod is live. It took 28 s.
    bot now: search e2e2e2e2e2e2 → prod is live.
    bot now: Plan for search e2e2e2e2e2e2 → prod: nothing blocks it; waived: soak
         …
         ○ soak: stage has served it for 2 h of 24 h, since Tue 24 Nov 2026 08:00 CET; waived by X-db77fd01af until Wed 25 Nov 2026 06:00 CET
         …
    """


def kinds(town: Town, **more: dict[str, Any]) -> None:
    """Besides the story's own kind of exception there are these."""
    town.policies.adopt(exceptions={**town.policies.current().policy.model_dump()["exceptions"], **more})


@pytest.mark.requirement("S4-315", "S4-317")
async def test_it_is_asked_for_granted_by_another_and_lets_exactly_one_rule_through(town: Town) -> None:
    await plays(
        BLOCKED
        + """
    maya: /release exception request search prod waive:soak until:20h reason:the fix cannot wait risk:low
    bot: The exception X-db77fd01af for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
         Title: Exception: soak for acme/search
         Asked by: @maya
         Kind: early
         Would waive: soak
         Where: search in prod
         From: Tue 24 Nov 2026 09:00 UTC
         Until: Wed 25 Nov 2026 05:00 UTC
         Reason: the fix cannot wait
         Risk: low
         Hash: …
         ✓ may-ask: maya is engineer
         ✓ exception-complete: reason and risk said
         ✓ exception-allowed: early may waive soak until Wed 25 Nov 2026 06:00 CET
         ✗ second-person: somebody other than maya must agree
         • raj can agree
         ✗ approvals: a tech lead must agree to plan …
         • raj can agree
         X-db77fd01af · asked Tue 24 Nov 2026 09:00 UTC
    maya: [Approve]
    bot → maya: You asked for it, so somebody else has to agree.
    omar: [Approve]
    bot → omar: Your vote would not count: it takes a tech lead (raj).
    gus: [Approve]
    bot → gus: A guest or a bot cannot vote on a release.
    """
        + GRANTED
        + SHIPPED
        + """
    bot now: The exception X-db77fd01af for soak of search in prod is in force.
    maya: /release exception list
    bot → maya: I know of 1 exception and no obligation.
         ○ The exception X-db77fd01af for soak of search in prod is in force until Wed 25 Nov 2026 05:00 UTC, asked by maya, uses 1: op_82f3e9c695: the fix cannot wait
    """.replace("    bot now: The exception X-db77fd01af for soak of search in prod is in force.\n", ""),
        town,
    )
    assert town.runs.serving("search") == digest("search", 2)
    async with Bot(town) as bot:
        record = await bot.store.exception("X-db77fd01af")
        entries = await bot.store.newest(100)
    assert record is not None
    assert record.used == ("op_82f3e9c695",)
    began = next(entry for entry in entries if entry.what == "began")
    assert (began.operation, began.detail["exceptions"]) == ("op_82f3e9c695", ["X-db77fd01af"])
    used = next(entry for entry in entries if entry.what == "used")
    assert (used.operation, used.target["exception"]) == ("op_82f3e9c695", "X-db77fd01af")


@pytest.mark.requirement("S4-318", "S4-108")
async def test_what_is_missing_is_named_and_asked_for_and_nothing_else(town: Town) -> None:
    await plays(
        """
    maya: /release exception request search prod
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ waive: say which rules: any of soak, window
         ✗ until: say when it ends, 2 d at most: `18:00`, `2d` or `2026-12-01`
         ✗ reason: an exception of kind early needs it
         ✗ risk: an exception of kind early needs it
         Or say /release exception request search prod waive:… until:… reason:… risk:…
    maya: /release exception request search prod waive:soak
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ until: say when it ends, 2 d at most: `18:00`, `2d` or `2026-12-01`
         ✗ reason: an exception of kind early needs it
         ✗ risk: an exception of kind early needs it
         Or say /release exception request search prod waive:soak until:… reason:… risk:…
    maya: /release exception request search prod waive:soak until:20h risk:" "
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ reason: an exception of kind early needs it
         ✗ risk: an exception of kind early needs it
         Or say /release exception request search prod waive:soak until:20h reason:… risk:…
    maya: [Fill in] reason:"the fix cannot wait" risk:"low"
    bot: The exception X-a2ec8adac7 for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
    """,
        town,
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("waive:sok", "waive: I know no rule sok. Did you mean `soak`?"),
        ("waive:approvals", "waive: approvals is never waived. I know `soak` and `window`."),
        ("kind:late waive:soak", "kind: I know no kind late: one of early"),
        ("waive:soak until:yesterday", "until: `yesterday` is no time I understand; write …"),
        ("waive:soak until:0h", "until: it would end before it begins"),
        ("waive:soak until:2026-11-23", "until: it would end before it begins"),
        ("waive:soak until:49h", "until: it may last 2 d at most"),
        ("waive:soak from:soon until:2h", "from: `soon` is no time I understand; write …"),
        ("waive:soak digest:sha256:c2c2", "digest: that is no whole digest: …"),
    ],
)
async def test_what_makes_no_sense_is_asked_for_again_with_the_reason(town: Town, words: str, answer: str) -> None:
    await plays(
        f"""
    maya: /release exception request prod {words}
    bot → maya: An exception in prod needs a little more. [Fill in]
         …
         ✗ {answer}
         …
    """,
        town,
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("waive:soak", "Say where: `exception request checkout prod waive:soak until:18:00 reason:…`."),
        ("a b c waive:soak", "Say where: `exception request checkout prod waive:soak until:18:00 reason:…`."),
        ("prd waive:soak", "I know no environment `prd`. Did you mean `prod`?"),
        ("prod waives:soak", "I do not know `waives:` here. Did you mean `waive` or `digest`?"),
    ],
)
async def test_words_that_mean_no_exception_are_answered_with_those_that_do(
    town: Town, words: str, answer: str
) -> None:
    await plays(
        f"""
    maya: /release exception request {words}
    bot → maya: {answer}
    """,
        town,
    )


@pytest.mark.requirement("S0-23")
async def test_a_reason_that_is_none_of_those_the_policy_takes_is_refused_with_all_that_it_takes(town: Town) -> None:
    merge = {
        "waives": ["no-freeze"],
        "fields": ["reason", "reference", "rollback-target"],
        "reasons": ["incident", "legal", "regulatory"],
        "approvals": [{"role": "release_manager"}],
    }
    kinds(town, merge=merge)
    await plays(
        """
    maya: /release exception request prod waive:no-freeze until:2h reason:marketing deadline reference:M-1 rollback-target:v1
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ reason: marketing deadline is no reason for merge: one of incident, legal, regulatory
         Or say /release exception request prod waive:no-freeze until:2h reference:M-1 rollback-target:v1 reason:…
    maya: [Fill in] reason:"legal"
    bot: The exception X-db77fd01af for no-freeze in prod waits for approval. [Approve] [Reject] [Withdraw]
         Title: Exception: no-freeze for every service
         …
    """,
        town,
    )


@pytest.mark.requirement("S4-112")
async def test_what_only_an_emergency_may_waive_no_ordinary_exception_does(town: Town) -> None:
    gates = {"sast": {"kind": "checks", "names": ["sast"], "waivable": "emergency"}}
    usual = {"waives": ["soak"], "approvals": [{"role": "release_manager"}]}
    urgent = {"waives": ["sast"], "emergency": True, "approvals": [{"role": "incident_commander"}]}
    town.policies.adopt(gates=gates, exceptions={"usual": usual, "urgent": urgent}, to_prod={"requires": ["sast"]})
    await plays(
        """
    maya: /release exception request prod waive:sast until:2h reason:the scanner is away kind:usual
    bot → maya: Nobody could grant that: exception-allowed: sast needs an emergency exception (urgent).
         …
         ✗ exception-allowed: sast needs an emergency exception (urgent)
         …
    maya: /release exception request prod waive:sast until:2h reason:the scanner is away
    bot: The exception X-db77fd01af for sast in prod waits for approval. [Approve] [Reject] [Withdraw]
         …
         Kind: urgent
         …
    """,
        town,
    )


async def test_which_kind_it_is_is_asked_where_several_would_do(town: Town) -> None:
    kinds(town, late={"waives": ["window", "no-freeze"], "approvals": [{"role": "release_manager"}]})
    await plays(
        """
    maya: /release exception request prod waive:window until:2h reason:x
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ kind: say which kind it is: one of early, late
         Or say /release exception request prod waive:window until:2h reason:x kind:…
    maya: [Fill in] kind:"late"
    bot: The exception X-db77fd01af for window in prod waits for approval. [Approve] [Reject] [Withdraw]
         …
         Kind: late
         …
    maya: /release exception request prod waive:soak,window until:2h reason:x risk:low
    bot: The exception X-e49d63b2a8 for soak and window in prod waits for approval. [Approve] [Reject] [Withdraw]
         …
         Kind: early
         …
    """,
        town,
    )


async def test_only_some_may_ask_and_only_where_the_policy_knows_exceptions(town: Town) -> None:
    await plays(
        """
    ines: /release exception request prod waive:soak
    bot → ines: You may not ask for exceptions in prod.
         ✗ may-ask: ines is no engineer, release manager or tech lead
         • somebody who is engineer, release manager or tech lead asks: …
    ines: /release exception list
    bot → ines: Nothing is waived or owed.
    """,
        town,
    )
    may = {**town.policies.current().policy.model_dump()["may"], "exception": []}
    town.policies.adopt(may=may, exceptions={})
    await plays(
        """
    maya: /release exception request prod waive:soak
    bot → maya: This policy knows no exceptions.
    """,
        town,
    )


async def test_a_rejection_by_somebody_who_could_grant_it_ends_it(town: Town) -> None:
    await plays(
        BLOCKED
        + ASKED
        + """
    omar: [Reject] no
    bot → omar: Your vote would not count: it takes a tech lead (raj).
    raj: [Reject] let it soak
    bot: @raj rejected the exception X-db77fd01af for soak of search in prod: let it soak
    bot now: The exception X-db77fd01af for soak of search in prod was not granted.
    raj: /release approve X-db77fd01af plan:00000000
    bot → raj: That is decided already: the exception X-db77fd01af for soak of search in prod was not granted.
    raj: /release exception list
    bot → raj: Nothing is waived or owed.
    """,
        town,
    )


async def test_who_agrees_again_has_it_decided_again(town: Town) -> None:
    await plays(BLOCKED + ASKED, town)
    engineer = town.people.roles.pop("maya")
    await plays(
        """
    raj: [Approve]
    bot: @raj approved the exception X-db77fd01af for soak of search in prod.
    raj: [Approve]
    bot → raj: You have approved the exception X-db77fd01af for soak of search in prod already; what it still takes:
         ✗ may-ask: maya's account is linked to nobody that the policy knows
         …
    """,
        town,
    )
    town.people.roles["maya"] = engineer
    await plays(
        """
    raj: [Approve]
    bot: @raj had the exception X-db77fd01af for soak of search in prod looked at again: those who agreed are enough by now. It is in force from now on.
    """
        + OPENS
        + """
    bot now: The exception X-db77fd01af for soak of search in prod is in force.
    """,
        town,
    )


async def test_whoever_asked_withdraws_it_and_others_their_votes(town: Town) -> None:
    two = {"waives": ["soak"], "approvals": [{"role": "tech_lead"}, {"role": "release_manager"}]}
    town.policies.adopt(exceptions={"early": two})
    await plays(
        BLOCKED
        + """
    maya: /release exception request search prod waive:soak until:20h reason:the fix cannot wait
    bot: The exception X-db77fd01af for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
    raj: [Approve]
    bot: @raj approved the exception X-db77fd01af for soak of search in prod.
    raj: [Approve]
    bot → raj: You have approved the exception X-db77fd01af for soak of search in prod already; what it still takes:
         ✗ approvals: raj as tech lead agreed to plan …; a release manager must still agree to plan …
         • omar can agree
         …
    raj: [Withdraw]
    bot: @raj withdrew their vote on the exception X-db77fd01af for soak of search in prod.
    raj: [Withdraw]
    bot → raj: You have no vote on the exception X-db77fd01af for soak of search in prod.
    omar: [Approve]
    bot: @omar approved the exception X-db77fd01af for soak of search in prod.
    maya: [Withdraw]
    bot: @maya withdrew the exception X-db77fd01af for soak of search in prod.
    bot now: The exception X-db77fd01af for soak of search in prod was not granted.
    raj: /release withdraw X-db77fd01af
    bot → raj: That is decided already: the exception X-db77fd01af for soak of search in prod was not granted.
    """,
        town,
    )


async def test_two_who_grant_it_at_once_bring_it_into_force(town: Town) -> None:
    two = {"waives": ["soak"], "approvals": [{"role": "tech_lead"}, {"role": "release_manager"}]}
    town.policies.adopt(exceptions={"early": two})
    await plays(
        """
    maya: /release exception request search prod waive:soak until:20h reason:the fix cannot wait
    bot: The exception X-82f3e9c695 for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
    raj & omar: [Approve]
    bot: @… approved the exception X-82f3e9c695 for soak of search in prod.
    bot: @… approved the exception X-82f3e9c695 for soak of search in prod. It is in force from now on.
    bot now: The exception X-82f3e9c695 for soak of search in prod is in force.
         …
         Granted by: raj and omar
         …
    """,
        town,
    )


async def test_an_old_button_and_another_hash_grant_nothing(town: Town) -> None:
    await plays(
        ASKED.replace("X-db77fd01af", "X-82f3e9c695")
        + """
    raj: /release approve X-82f3e9c695 plan:0000000000
    bot → raj: That is not what is asked: its hash is …, not 0000000000.
    raj: /release approve X-000000 plan:0000000000
    bot → raj: I know no exception `X-000000`; `exception list` shows those there are.
    … 1 d later
    raj: [Approve]
    bot → raj: That is decided already: the exception X-82f3e9c695 for soak of search in prod has expired.
    bot now: The exception X-82f3e9c695 for soak of search in prod has expired.
    """,
        town,
    )


@pytest.mark.requirement("S4-318")
async def test_it_is_over_to_the_second(town: Town) -> None:
    until = "until:2026-11-24T10:00Z"
    await plays(BLOCKED + ASKED.replace("until:20h", until) + GRANTED, town)
    town.clock.at = town.clock.at.replace(hour=9, minute=59, second=59, microsecond=0)
    await plays(
        """
    maya: /release why search stage→prod
    bot → maya: search stage→prod: 2 of 14 rules not met (second-person, approvals).
    """,
        town,
    )
    town.clock.move(timedelta(seconds=1) - timedelta(milliseconds=2))  # the next words are said at 10:00:00 sharp
    await plays(
        """
    maya: /release why search stage→prod
    bot → maya: search stage→prod: 3 of 14 rules not met (soak, second-person, approvals).
    bot: The exception X-db77fd01af for soak of search in prod ended: nothing is waived by it any more.
    bot now: search e2e2e2e2e2e2 → prod is blocked for now. [Approve] [Reject] [Check again] [Cancel]
    bot now: Plan for search e2e2e2e2e2e2 → prod: 3 of 14 rules not met (soak, second-person, approvals) [Approve] [Reject] [Check again] [Cancel]
    bot now: The exception X-db77fd01af for soak of search in prod has expired.
    maya: /release exception list
    bot → maya: Nothing is waived or owed.
    """,
        town,
    )
    assert town.runs.writes == []


@pytest.mark.requirement("S4-321")
async def test_it_is_revoked_at_once_by_those_who_may_and_its_id_is_never_given_again(town: Town) -> None:
    await plays(
        BLOCKED
        + ASKED
        + GRANTED
        + """
    ines: /release exception revoke X-db77fd01af reason:I do not like it
    bot → ines: You may not revoke X-db77fd01af.
         …
    raj: /release exception revoke X-db77fd01af
    bot → raj: Say why: `exception revoke X-1a2b3c reason:…`.
    raj: /release exception revoke X-db77fd01af reason:the fix is out
    bot: @raj revoked the exception X-db77fd01af for soak of search in prod: the fix is out
    bot now: search e2e2e2e2e2e2 → prod is blocked for now. [Approve] [Reject] [Check again] [Cancel]
    bot now: Plan for search e2e2e2e2e2e2 → prod: 3 of 14 rules not met (soak, second-person, approvals) [Approve] [Reject] [Check again] [Cancel]
    bot now: The exception X-db77fd01af for soak of search in prod was revoked.
    raj: /release exception revoke X-db77fd01af reason:the fix is out
    bot → raj: That is over: the exception X-db77fd01af for soak of search in prod was revoked.
    raj: /release exception revoke X-1 reason:x
    bot → raj: I know no exception `X-1`; `exception list` shows those there are.
    maya: /release exception request search prod waive:soak until:20h reason:once more risk:low
    bot: The exception X-794d9d1a30 for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
    """,
        town,
    )


async def test_so_many_promotions_may_rest_on_it_and_no_more(town: Town) -> None:
    once = {"waives": ["soak"], "uses": 1, "approvals": [{"role": "tech_lead"}]}
    town.policies.adopt(exceptions={"early": once})
    town.version("search", 3, "Once more", "tom-gh")
    await plays(
        BLOCKED
        + """
    maya: /release exception request prod waive:soak until:20h reason:both cannot wait
    bot: The exception X-db77fd01af for soak in prod waits for approval. [Approve] [Reject] [Withdraw]
    raj: [Approve]
    bot: @raj approved the exception X-db77fd01af for soak in prod. It is in force from now on.
    """
        + OPENS
        + """
    bot now: The exception X-db77fd01af for soak in prod is in force.
         …
         Uses: 0 of 1
         …
    """
        + SHIPPED
        + """
    bot now: The exception X-db77fd01af for soak in prod is used up.
         …
         Uses: 1 of 1: op_82f3e9c695
         …
    """,
        town,
    )
    town.deployed("search", "stage", 3, ago=HOUR)
    await plays(
        """
    maya: /release why search stage→prod
    bot → maya: search stage→prod: 3 of 14 rules not met (soak, second-person, approvals).
    """,
        town,
    )


async def test_what_it_owes_is_told_in_its_thread_and_settled_there(town: Town) -> None:
    duty = {
        "kind": "remediation",
        "says": "scan it after all",
        "owner": "tech_lead",
        "within": "PT2H",
        "by_others": True,
    }
    town.people.roles["tom"].add("tech_lead")
    early = {"waives": ["soak"], "owes": [duty], "approvals": [{"role": "tech_lead"}]}
    town.policies.adopt(exceptions={"early": early})
    await plays(
        """
    maya: /release exception request search prod waive:soak until:20h reason:the fix cannot wait
    bot: The exception X-82f3e9c695 for soak of search in prod waits for approval. [Approve] [Reject] [Withdraw]
    raj: [Approve]
    bot: @raj approved the exception X-82f3e9c695 for soak of search in prod. It is in force from now on.
    bot: Owed from now on: scan it after all (O-f2f2611c11, from X-82f3e9c695), by tech lead, until Tue 24 Nov 2026 11:00 UTC [Done]
    bot now: The exception X-82f3e9c695 for soak of search in prod is in force.
    raj: [Done] I scanned it
    bot → raj: raj took part, so cannot settle it: scan it after all (O-f2f2611c11).
    tom: [Done] nothing was found
    bot → tom: O-f2f2611c11 is settled.
    bot now: @tom settled O-f2f2611c11 (scan it after all; from X-82f3e9c695): nothing was found
    """,
        town,
    )


async def test_words_said_twice_ask_once(town: Town) -> None:
    words = "exception request search prod waive:soak until:20h reason:x risk:low"
    asked = Request("same", words, town.people.account("maya"), "C0RELEASES", at=town.clock.now())
    async with Bot(town) as bot:
        await bot.hears(asked)
        await bot.hears(asked)
        assert len(await bot.store.exceptions(town.clock.now())) == 1
    assert len(town.slack.messages) == 1


async def test_a_permanent_one_is_asked_for_without_an_end(town: Town) -> None:
    fields = ["why-not-feasible", "controls", "reconsider-at"]
    kinds(
        town, permanent={"waives": ["window"], "longest": None, "fields": fields, "approvals": [{"role": "tech_lead"}]}
    )
    await plays(
        """
    maya: /release exception request search prod waive:window kind:permanent why-not-feasible:x controls:y
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ reconsider-at: an exception of kind permanent needs it
         …
    maya: [Fill in] reconsider-at:"next audit"
    bot: The exception X-db77fd01af for window of search in prod waits for approval. [Approve] [Reject] [Withdraw]
         …
         Until: for good
         …
    """,
        town,
    )


@pytest.mark.parametrize("rule", ["second-person", "no-hold", "required-checks"])
async def test_who_asks_to_waive_what_is_never_waived_is_refused_on_the_record(town: Town, rule: str) -> None:
    await plays(
        f"""
    maya: /release exception request search prod waive:{rule} until:2h reason:x risk:low
    bot → maya: An exception in prod needs a little more. [Fill in]
         ✗ waive: {rule} is never waived. …
         …
    """,
        town,
    )
    async with Bot(town) as bot:
        (refused,) = [each for each in await bot.store.newest(9) if each.kind == "exception"]
    assert (refused.what, refused.target["waives"]) == ("refused", rule)


@pytest.mark.parametrize("letter", ["a", "😀", "\\"])
async def test_what_is_too_long_for_a_dialog_says_what_is_missing_in_words(town: Town, letter: str) -> None:
    """Emojis count twice in a button, and a backslash is written as two."""
    fits, too_long = (letter * (count // (1 if letter == "a" else 2)) for count in (1800, 2000))
    await plays(
        f"""
    maya: /release exception request search prod waive:soak until:20h reason:{fits}
    bot → maya: An exception in prod needs a little more. [Fill in]
    maya: /release exception request search prod waive:soak until:20h reason:{too_long}
    bot → maya: An exception in prod needs a little more.
         ✗ risk: an exception of kind early needs it
         What you said is too long for a dialog. Say all of it once more, shorter or in one piece, and in it risk:…
    """,
        town,
    )
