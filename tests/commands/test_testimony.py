"""The bot's own record of what an environment showed: for exactly one commit, and on record before anything is promoted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from commands.ports import EntryPhase, Recorded
from policy.evidence import CheckState, WorkflowRun
from policy.model import Sha
from tests.conversation import Bot, plays
from tests.world import Behaviour, Town, commit, digest, revision_of, site_of

GATES = {
    "gate_run": {"kind": "workflow", "workflow": "gate.yml", "inputs": {"MODE": "staging"}},
    "probed": {"kind": "probe", "probes": "alive", "environment": "stage"},
    "same_commit": {"kind": "same", "by": "commit", "environment": "stage"},
    "evidence": {"kind": "evidence", "items": ["stage_evidence"]},
}
ROLLOUT: dict[str, object] = {"steps": [{"percent": 100, "hold": "PT1S"}], "smoke": [{"path": "/healthz"}]}
ROLLOUT["health"] = {"max_error_percent": 1, "min_requests": 1}
ASKS = "    maya: /release promote checkout stage→prod"
PROBED = "✓ checkout in stage (c2c2c2c2c2c2): 1 of 1 alive probes passed: GET /healthz 200."
ON_RECORD = "✓ What stage showed of c2c2c2c is on record as stage_evidence: required-checks, gate_run, probed and same_commit met; record …."
MISSING = "stage_evidence is missing for c2c2c2c"


def ran(town: Town, version: int, state: CheckState = CheckState.PASSED) -> None:
    """The workflow's newest run on that commit ended so."""
    inputs = {"MODE": "staging"}
    run = WorkflowRun("gate.yml", state, url="https://ci/881", saw=state.value, at=town.clock.now(), inputs=inputs)
    town.github.runs["gate.yml", commit("checkout", version)] = run


@pytest.fixture
def town(town: Town) -> Town:
    town.policies.adopt(
        probes={"alive": [{"path": "/healthz"}]},
        gates=GATES,
        to_prod={"requires": list(GATES), "rollout": ROLLOUT},
    )
    ran(town, 2)
    return town


async def records(town: Town) -> list[Recorded]:
    async with Bot(town) as bot:
        return [row for row in await bot.store.history("checkout", 200) if row.kind == "evidence"]


ALL_WELL = f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Approve] [Reject] [Cancel]
         …
         ✓ 16 rules met: … gate_run, probed, same_commit, evidence, …
         …
    bot: {PROBED}
    bot: {ON_RECORD}
"""


@pytest.mark.requirement("S1-35")
async def test_what_stage_showed_of_the_commit_is_on_record_before_it_is_promoted(town: Town) -> None:
    await plays(ALL_WELL, town)
    (row,) = await records(town)
    assert row.phase is EntryPhase.RECORD
    said = json.loads(row.detail["text"])
    assert row.detail["sha256"] == hashlib.sha256(row.detail["text"].encode()).hexdigest()
    assert (said["commit"], said["digest"]) == (commit("checkout", 2), digest("checkout", 2))
    assert (said["environment"], said["revision"]) == ("stage", revision_of("checkout", 2))
    assert said["workflows"] == {"gate.yml": {"url": "https://ci/881", "inputs": {"MODE": "staging"}}}
    assert said["probes"]["alive@stage"]["passed"] == 1
    assert set(said["gates"]) == {"required-checks", "gate_run", "probed", "same_commit"}
    async with Bot(town) as bot:
        began = [row for row in await bot.store.history("checkout", 200) if row.what == "began"]
    assert began == [], "it is on record before anything begins"


@pytest.mark.requirement("S1-32")
async def test_there_is_no_record_until_everything_that_tests_it_is_met(town: Town) -> None:
    ran(town, 2, CheckState.FAILED)
    blocked = f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Check again] [Cancel]
         …
         ✗ gate_run: gate.yml failed (failed) for c2c2c2c: https://ci/881
         …
         ✗ evidence: {MISSING}
         …
    bot: {PROBED}
    """
    await plays(blocked, town)
    assert await records(town) == []
    ran(town, 2)
    await plays(
        f"""
    maya: [Check again]
    bot: @maya had it looked at again.
    bot: {ON_RECORD}
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: … [Approve] [Reject] [Cancel]
    """,
        town,
    )
    assert len(await records(town)) == 1


async def test_probes_that_fail_leave_no_record(town: Town) -> None:
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Check again] [Cancel]
         …
         ✗ evidence: {MISSING}
         …
    bot: ✗ checkout in stage (c2c2c2c2c2c2): 1 of 1 alive probes failed: …
    """,
        town,
    )
    assert await records(town) == []


@pytest.mark.requirement("S1-16")
async def test_the_record_of_one_commit_is_none_of_another(town: Town) -> None:
    await plays(ALL_WELL, town)
    town.version("checkout", 3, "One last fix", "lea-gh")
    town.deployed("checkout", "stage", 3, ago=timedelta(hours=25))
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ✗ evidence: stage_evidence is missing for c3c3c3c
         …
    """,
        town,
    )
    assert len(await records(town)) == 1


async def test_the_same_image_built_from_another_commit_has_no_record(town: Town) -> None:
    await plays(ALL_WELL, town)
    stage, other = site_of("checkout", "stage"), commit("checkout", 1)
    place = town.runs.places[stage]
    place.revisions[revision_of("checkout", 2)] = replace(place.revisions[revision_of("checkout", 2)], commit=other)
    for record in town.github.records["acme/checkout"]:
        if record.deployment.digest == digest("checkout", 2):
            record.deployment = replace(record.deployment, commit=Sha(other))
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ✗ evidence: stage_evidence is missing for c1c1c1c
         …
    """,
        town,
    )


async def test_the_same_build_as_another_revision_needs_a_record_of_its_own(town: Town) -> None:
    await plays(ALL_WELL, town)
    ago = town.clock.now() - timedelta(hours=25)
    town.runs.add(
        site_of("checkout", "stage"), "checkout-other-settings", digest("checkout", 2), commit("checkout", 2), ago
    )
    await plays(
        f"""
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ✗ evidence: {MISSING}
         …
    """,
        town,
    )
    await plays(f"… 20 min later\nbot: {PROBED}\nbot: {ON_RECORD}", town)
    assert [row.target["revision"] for row in await records(town)] == [
        "checkout-other-settings",
        revision_of("checkout", 2),
    ]


async def test_where_its_deployment_there_is_not_recorded_as_a_success_nothing_is_put_on_record(town: Town) -> None:
    for record in town.github.records["acme/checkout"]:
        if record.deployment.digest == digest("checkout", 2):
            record.deployment = replace(record.deployment, state="failure")
    await plays(
        f"""
{ASKS}
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Check again] [Cancel]
         …
    bot: {PROBED}
    """,
        town,
    )
    assert await records(town) == []
