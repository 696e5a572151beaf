"""What is answered without changing anything, and what is not understood."""

from __future__ import annotations

import pytest

from tests.commands.test_promote import ASKED, AT_10, LIVE, ON_TO_100
from tests.conversation import plays
from tests.world import Behaviour, Town, digest


async def test_status_shows_what_serves_what_is_under_way_and_what_is_frozen(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start payments prod until:18:00 reason:audit
    bot: ❄ payments in prod is frozen until Tue 24 Nov 2026 17:00 UTC by @omar: audit
    """
        + AT_10.replace("deployment 16", "deployment …")
        + """
    maya: [Pause]
    bot: @maya paused it: traffic stays as it is.
    bot now: checkout c2c2c2c2c2c2 → prod is held where it is. [Resume] [Abort]
    lea: /release status
    bot → lea: Status of 3 services: 1 under way or waiting, frozen.
         • checkout in stage: 100 % checkout-r-c2c2c2c2c2c2 (c2c2c2c2c2c2)
         • checkout in prod: 90 % checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1), 10 % checkout-r-c2c2c2c2c2c2 (c2c2c2c2c2c2)
         • payments in stage: 100 % payments-r-a2a2a2a2a2a2 (a2a2a2a2a2a2)
         • payments in prod: 100 % payments-r-a1a1a1a1a1a1 (a1a1a1a1a1a1)
         • search in stage: 100 % search-r-e2e2e2e2e2e2 (e2e2e2e2e2e2)
         • search in prod: 100 % search-r-e1e1e1e1e1e1 (e1e1e1e1e1e1)
         • op_… checkout c2c2c2c2c2c2 → prod: watching 10 % of traffic, asked by maya
         ✗ ❄ payments in prod frozen until Tue 24 Nov 2026 17:00 UTC by omar: audit (F-82f3e9c695)
    lea: /release status search
    bot → lea: Status of search: nothing under way.
         • search in stage: 100 % search-r-e2e2e2e2e2e2 (e2e2e2e2e2e2)
         • search in prod: 100 % search-r-e1e1e1e1e1e1 (e1e1e1e1e1e1)
    """,
        town,
    )


@pytest.mark.requirement("D-04")
async def test_status_says_what_it_does_not_know(town: Town) -> None:
    town.runs.away = True
    await plays(
        """
    gus: /release status search
    bot → gus: Status of search: nothing under way.
         • search in stage: unknown: it could not be read: Cloud Run does not answer.
         • search in prod: unknown: it could not be read: Cloud Run does not answer.
    """,
        town,
    )


async def test_why_judges_every_rule_and_changes_nothing(town: Town) -> None:
    await plays(
        """
    lea: /release why search stage→prod
    bot → lea: search stage→prod: 3 of 14 rules not met (soak, second-person, approvals).
         ✓ may-ask: lea is engineer
         ✓ allowed-path: stage→prod is a path for search
         ✓ same-digest: stage serves e2e2e2e2e2e2
         ✓ something-to-promote: prod serves e1e1e1e1e1e1
         ✓ commit-known: e2e2e2e2e2e2 was built from e2e2e2e
         ✓ required-checks: build passed and unit-tests passed on e2e2e2e
         ✗ soak: stage has served it for 2 h of 24 h, since Tue 24 Nov 2026 08:00 CET
         • wait until Wed 25 Nov 2026 09:00 CET: Wed 25 Nov 2026 08:00 UTC
         …
    ines: /release why checkout stage→prod
    bot → ines: checkout stage→prod: 3 of 14 rules not met (may-ask, second-person, approvals).
    lea: /release status
    bot → lea: Status of 3 services: nothing under way.
    """,
        town,
    )


async def test_why_tells_how_a_request_stands_and_how_it_went(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=10)
    await plays(
        ASKED
        + """
    lea: /release why op_82f3e9c695
    bot → lea: checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals).
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    bot: ✗ checkout c2c2c2c2c2c2 → prod: 2 of 20 requests failed at 10 % of traffic: 10.0 %, allowed 1 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took 15 s. [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod was taken back. [Lift the hold]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    lea: /release why op_82f3
    bot → lea: checkout c2c2c2c2c2c2 → prod was taken back.
         • 2 of 20 requests failed at 10 % of traffic: 10.0 %, allowed 1 %
         ✓ recorded as GitHub deployment 16
         ✓ checkout-r-c2c2c2c2c2c2 is deployed at 0 %
         ✓ smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
         ✓ checkout-r-c2c2c2c2c2c2 serves 10 %
         ✗ 2 of 20 requests failed at 10 % of traffic: 10.0 %, allowed 1 %
         ✓ checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    lea: /release why op_nope
    bot → lea: I know no request `op_nope`; look at `status` for those that are open.
    """,
        town,
    )


async def test_the_log_tells_who_did_what_newest_first(town: Town) -> None:
    await plays(
        AT_10
        + """
    … 1 s later
    """
        + ON_TO_100
        + LIVE
        + """
    lea: /release log search
    bot → lea: Nothing is recorded about search.
    lea: /release log checkout last:3
    bot → lea: The last 3 entries about checkout.
         • #… Tue 24 Nov 2026 09:00 UTC release-bot: operation done op_82f3e9c695 c2c2c2c2c2c2 → prod
         • #… Tue 24 Nov 2026 09:00 UTC release-bot: deployment confirmed op_82f3e9c695 c2c2c2c2c2c2 → prod
         • #… Tue 24 Nov 2026 09:00 UTC release-bot: deployment about to op_82f3e9c695 c2c2c2c2c2c2 → prod
    lea: /release log checkout last:100
    bot → lea: The last … entries about checkout.
         …
         • #… Tue 24 Nov 2026 09:00 UTC release-bot: operation began op_82f3e9c695 c2c2c2c2c2c2 → prod
         …
         • #… Tue 24 Nov 2026 09:00 UTC omar: vote approve op_82f3e9c695 c2c2c2c2c2c2 → prod
         …
         • #… Tue 24 Nov 2026 09:00 UTC maya: operation asked op_82f3e9c695 c2c2c2c2c2c2 → prod
    """,
        town,
    )


async def test_refusals_are_on_the_record_too(town: Town) -> None:
    await plays(
        ASKED
        + """
    raj: [Approve]
    bot → raj: Your vote would not count: it takes a release manager (omar).
    ines: /release promote checkout stage→prod
    bot → ines: checkout stage→prod cannot be promoted: 3 of 14 rules not met (may-ask, second-person, approvals).
    lea: /release log checkout last:2
    bot → lea: The last 2 entries about checkout.
         • #… ines: operation refused → prod
         • #… raj: vote refused op_82f3e9c695 c2c2c2c2c2c2 → prod
    """,
        town,
    )


async def test_help_comes_from_the_catalogue(town: Town) -> None:
    await plays(
        """
    gus: /release
    bot → gus: This is what I understand.
         • /release promote [service] <from>→<to> [version] [reason:…] [type:…] [confirms:…] [--plan] Serve in <to> what <from> serves now, once somebody else has agreed. --plan only says what would be done.
         • /release rollback [service] [environment] [to <target>] [reason:…] [incident:…] Go back to the last verified good revision at once, whatever is frozen.
         • /release freeze start [service] <environment> until:… reason:… [from:…] [exit:…] Block promotions until then.
         • /release freeze end [freeze or hold] [reason:…] Open again; also lifts the hold on a build that was rolled back.
         • /release freeze list What is frozen or held, by whom, why and until when.
         • /release exception request [service] <environment> waive:<rule,rule> until:… reason:… [kind:…] Ask that rules be waived there until then; or, by its kind, that a branch be guarded less (relax:…).
         • /release exception list What is waived or asked to be, and what is owed, by whom, until when.
         • /release exception revoke <exception> reason:… End a waiver at once.
         • /release hotfix start …
         • /release hotfix port …
         • /release status [service] What serves where, what is under way and what is frozen.
         • /release why [service] <from>→<to> Every rule for that promotion, met or not, and what would help; changes nothing.
         • /release log [service] [last:20] Who did what, newest first.
         • /release help [command] This list.
         In a thread mention me instead, slash commands do not work there. help <command> shows an example.
    maya: /release help rollback
    bot → maya: This is how to say rollback.
         • /release rollback [service] [environment] [to <target>] [reason:…] [incident:…] [despite:database] [flag:<name>=…] Go back to the last verified good revision at once, whatever is frozen.
         • For example /release rollback checkout reason:errors after the release
         • For example /release rollback checkout despite:database reason:the old column is still there
         • For example /release rollback checkout flag:new-cart=off link:https://flags.example/new-cart
         • For example /release rollback checkout,payments prod reason:carts are empty
         • For example /release rollback prod to M-1a2b3c4d5e reason:carts are empty
    maya: /release help banana
    bot → maya: I do not know `banana`. I know …
    """,
        town,
    )


@pytest.mark.requirement("S4-004", "S4-081")
async def test_what_is_not_understood_is_never_guessed(town: Town) -> None:
    await plays(
        """
    maya: /release promot checkout stage→prod
    bot → maya: I do not know `promot`. Did you mean `promote`?
    maya: /release sh -c reboot
    bot → maya: I do not know `sh`. …
    maya: /release promote checkout stage→prd
    bot → maya: I know no environment `prd`. Did you mean `prod`?
    maya: /release promote chekout stage→prod
    bot → maya: I know no service `chekout`. Did you mean `checkout`?
    maya: /release promote stage→prod
    bot → maya: Which service? I know `checkout`, `payments` and `search`.
    maya: /release freeze thaw
    bot → maya: `freeze` goes on with `start`, `end` or `list`, like `freeze start prod until:18:00 reason:black friday`.
    maya: /release promote checkout prod→stage
    bot → maya: checkout prod→stage cannot be promoted: 4 of 11 rules not met (allowed-path, window, second-person, approvals). There is no such path.
    maya: /release promote checkout stage→prod c9c9c9c9
    bot → maya: checkout stage→prod cannot be promoted: 8 of 14 rules not met (…).
         …
         ? same-digest: stage serves c2c2c2c2c2c2, not c9c9c9c9; only what it serves can be promoted
         …
    maya: /release approve op_none
    bot → maya: An approval names the plan that you looked at: `approve op_1a2b3c4d5e plan:3f2a91cc`.
    omar: /release reject op_none
    bot → omar: Say why: `reject op_1a2b3c4d5e reason:…`.
    maya: /release abort op_none
    bot → maya: I know no request `op_none`; look at `status` for those that are open.
    ext: /release status
    bot → ext: I answer only people of this workspace.
    lea: /release status
    bot → lea: Status of 3 services: nothing under way.
    """,
        town,
    )


async def test_the_channel_says_which_service_is_meant(town: Town) -> None:
    await plays(
        """
    maya in #payments: /release promote stage -> prod
    bot: payments a2a2a2a2a2a2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments a2a2a2a2a2a2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    ines in #search: /release rollback
    bot: search e0e0e0e0e0e0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for search e0e0e0e0e0e0 ⟲ prod: every rule is met
    bot: ✓ search e0e0e0e0e0e0 ⟲ prod: search-r-e0e0e0e0e0e0 (e0e0e0e0e0e0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ search e0e0e0e0e0e0 ⟲ prod: recorded as GitHub deployment 16
    bot: search e0e0e0e0e0e0 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        town,
    )


async def test_who_cannot_be_looked_up_is_told_that_nothing_was_done(town: Town) -> None:
    town.people.away = True
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot → maya: Slack did not say who that is. Nothing was done; say it again in a moment.
    """,
        town,
    )
