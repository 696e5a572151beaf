"""What did an environment prove of exactly this commit? The bot's own record, for `evidence` gates: `staging_evidence`.

It is written by itself once the environment serves the candidate by a deployment that succeeded, and every gate that
tests it there is met; it says what was seen, with its hash. It belongs to one commit, one digest and the one revision
that served: for anything else there is none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from commands.operation import Operation
from commands.places import WORKED, Seen, known, seen
from commands.ports import Entry, EntryPhase, Message, Shown, World, Writes
from commands.probing import AT_ONCE
from commands.reply import Code, Mark, Reply
from policy.age import stale
from policy.case import Case
from policy.document import Policy
from policy.evidence import Document
from policy.facts import Candidate
from policy.finding import Decision, Standing
from policy.model import Place, Unknown, short
from policy.required import required
from policy.wording import listed

ENDS: Final = "_evidence"
"""An item that is called after an environment and ends so is the bot's own record of what was seen there."""
TESTS: Final = frozenset({"workflow", "checks", "number"})
"""Kinds of gates that test the candidate wherever it runs; probes test it in one environment."""


def environment_of(policy: Policy, item: str) -> str | None:
    """The environment whose record it is; None: it is another document."""
    name = item.removesuffix(ENDS)
    return name if item.endswith(ENDS) and name in policy.environments else None


def items(policy: Policy, gates: Iterable[Any]) -> Mapping[str, str]:
    """Item → environment, of those that these gates ask for."""
    asked = (item for gate in gates if gate.kind == "evidence" for item in gate.items)
    return {item: where for item in asked if (where := environment_of(policy, item)) is not None}


def others(gates: Mapping[str, Any], mine: Mapping[str, str]) -> Mapping[str, Any]:
    """The gates, asking for what others made only."""
    if not mine:
        return gates
    return {
        name: gate.model_copy(update={"items": tuple(item for item in gate.items if item not in mine)})
        if gate.kind == "evidence"
        else gate
        for name, gate in gates.items()
    }


async def documents(
    world: World, service: str, asked: Mapping[str, str], candidate: Candidate | Unknown, at: Mapping[str, Seen]
) -> dict[str, Document] | Unknown:
    """Those that are on record for exactly the candidate: its commit, its digest, and the revision that serves."""
    rows = await known("what is on record", world.store.shown(service))
    if isinstance(rows, Unknown):
        return rows
    if isinstance(candidate, Unknown):
        return candidate
    found: dict[str, Document] = {}
    for row in rows:
        if row.what not in asked or row.place.environment != asked[row.what]:
            continue
        serves = at[row.place.environment].at
        its_own = row.commit is not None and (row.commit, row.digest) == (candidate.commit, candidate.digest)
        if its_own and not isinstance(serves, Unknown) and serves.revision.name == row.revision:
            found[row.what] = Document(f"record sha256:{row.found['sha256']}", row.digest, row.at)
    return found


async def about_to_record(
    operation: Operation, decided: Sequence[tuple[Case, Decision]], world: World
) -> Writes | None:
    """What is written where a record is all that is missing of what was seen somewhere; None: nothing is."""
    for case, decision in decided:
        for item, environment in _missing(case, decision).items():
            found = await _seen_there(world, case, decision, item, environment)
            if found is not None:
                return _recorded(operation, found)
    return None


def _missing(case: Case, decision: Decision) -> dict[str, str]:
    """The records that gates ask for and that are not there, or too old."""
    evidence = case.facts.evidence.documents
    if isinstance(evidence, Unknown):
        return {}
    standing = {finding.rule: finding.standing for finding in decision.findings}
    missing: dict[str, str] = {}
    for name, gate in required(case.policy, case.question).gates.items():
        if gate.kind != "evidence" or standing.get(name) in {None, Standing.MET, Standing.NOT_APPLICABLE}:
            continue
        for item, environment in items(case.policy, [gate]).items():
            document = evidence.get(item)
            if document is None or stale(document.at, gate, case):
                missing[item] = environment
    return missing


async def _seen_there(world: World, case: Case, decision: Decision, item: str, environment: str) -> Shown | None:
    """The record of what was seen there; None where anything of it is not known, or not well."""
    candidate, service = case.facts.candidate, case.question.service
    if isinstance(candidate, Unknown) or isinstance(candidate.commit, Unknown):
        return None
    tested = _tests(case, decision, environment)
    if tested is None:
        return None
    looked = await seen(world, case.policy, service, environment)
    if isinstance(looked.at, Unknown) or looked.at.split or looked.built_from() != candidate.commit:
        return None
    revision = looked.at.revision
    if revision.digest != candidate.digest or isinstance(looked.deployments, Unknown):
        return None
    by = next(one for one in looked.deployments if one.digest == revision.digest and one.state in WORKED)
    said = {
        "service": service,
        "environment": environment,
        "commit": candidate.commit,
        "digest": candidate.digest,
        "revision": revision.name,
        "deployment": by.id,
        "gates": tested,
        **_ran(case),
        "policy": world.policies.current().hash,
        "at": case.at.isoformat(),
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    place = Place(service, environment)
    found = {"sha256": sha256, "text": text, "gates": tested}
    return Shown(place, item, revision.name, revision.digest, candidate.commit, case.at, "", found)


def _tests(case: Case, decision: Decision, environment: str) -> dict[str, str] | None:
    """What each gate that tests it there says; None: one of them is not met, or there is none."""
    tested: dict[str, str] = {}
    findings = {finding.rule: finding for finding in decision.findings}
    for name, gate in required(case.policy, case.question).gates.items():
        there = gate.kind in {"probe", "same"} and gate.environment == environment
        finding = findings.get(name)
        if not (there or gate.kind in TESTS) or finding is None or finding.standing is Standing.NOT_APPLICABLE:
            continue
        if finding.standing is not Standing.MET:
            return None
        tested[name] = finding.reason
    return tested or None


def _ran(case: Case) -> dict[str, Any]:
    """The runs and probes that the gates went by."""
    evidence = case.facts.evidence
    runs = {} if isinstance(evidence.workflows, Unknown) else evidence.workflows
    probes = {} if isinstance(evidence.probes, Unknown) else evidence.probes
    return {
        "workflows": {name: {"url": run.url, "inputs": dict(run.inputs)} for name, run in runs.items()},
        "probes": {name: {"passed": one.total, "at": one.at.isoformat()} for name, one in probes.items()},
    }


def _recorded(operation: Operation, shown: Shown) -> Writes:
    """It stands in the ledger and in the thread; then everything is decided again."""
    entry = Entry.of(
        operation,
        "evidence",
        EntryPhase.RECORD,
        "kept",
        also={"service": shown.place.service, "revision": shown.revision, "digest": shown.digest},
        detail={"item": shown.what, "commit": shown.commit or "", **shown.found},
    )
    says = (
        f"{Mark.YES.value} What {shown.place.environment} showed of ",
        Code(short(shown.commit or "")),
        f" is on record as {shown.what}: {listed(shown.found['gates'])} met; record ",
        Code(shown.found["sha256"][:12]),
        ".",
    )
    told = Message(operation.channel, Reply(says), operation=operation.id)
    return Writes(operation=operation, entries=(entry,), messages=(told,), shown=(shown,), due=AT_ONCE)
