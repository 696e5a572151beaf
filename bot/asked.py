"""What do these words ask of the policy? As the chat would understand them, without a chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commands.catalogue import understand
from commands.errors import Misunderstood
from commands.grammar import instant, known
from commands.intent import (
    DryRun,
    EndFreeze,
    Promote,
    RequestException,
    RevokeException,
    Rollback,
    StartFreeze,
    Why,
)
from commands.resolve import Setting
from policy.document import Policy
from policy.facts import Deed, ExceptionRecord, Freeze, Question
from policy.model import Person, digest

OWN = frozenset({"waive", "kind", "from", "until", "digest", "reason", "exit"})
"""Keys that say what a record is, and are no fields of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what was said with it."""

    question: Question
    fields: Mapping[str, str] = field(default_factory=dict)
    confirms: frozenset[str] = frozenset()
    wanted: ExceptionRecord | Freeze | None = None
    """What would come into force; what was not said of it is left empty."""


def asked(words: str, person: Person, policy: Policy, at: datetime) -> Asked:
    """What that person asks with them at that instant. Raises `Misunderstood`."""
    setting = Setting(policy, "", at)
    intent = understand(words.removeprefix("/release").strip(), setting)
    match intent:
        case DryRun(promote=Promote() as promote) | Why(promote=Promote() as promote):
            return _promotion(promote)
        case Promote():
            return _promotion(intent)
        case Rollback():
            return Asked(Question(Deed.ROLLBACK, intent.service, intent.target))
        case StartFreeze():
            return _freeze(intent, person, policy, at)
        case EndFreeze():
            deed = Deed.LIFT if intent.which[:2].upper() == "H-" else Deed.FREEZE
            return Asked(Question(deed, "", policy.environment_called(intent.which) or setting.production()))
        case RequestException():
            return _exception(intent, person, policy, at)
        case RevokeException():
            return Asked(Question(Deed.EXCEPTION, "", setting.production()))
    raise Misunderstood(f"`{words[:60]}` asks nothing of the policy, {person.name}.")


def _promotion(intent: Promote) -> Asked:
    question = Question(Deed.PROMOTE, intent.service, intent.target, intent.source, intent.change)
    return Asked(question, intent.fields, intent.confirms)


def _freeze(intent: StartFreeze, person: Person, policy: Policy, at: datetime) -> Asked:
    said = intent.said
    if not said.get("until"):
        raise Misunderstood("Say when it ends: `until:18:00`.")
    starts_at = instant(said["from"], at, policy.zone()) if said.get("from") else at
    waits, provisional = bool(policy.freezes.approvals), policy.freezes.provisional
    freeze = Freeze(
        id="F-1",
        environment=intent.environment,
        service=intent.service,
        starts_at=starts_at,
        ends_at=instant(said["until"], at, policy.zone()),
        reason=said.get("reason", ""),
        owner=person.name,
        exit_criteria=said.get("exit", ""),
        approved=not waits,
        lapses_at=starts_at + provisional if waits and provisional is not None else None,
        fields=_others(said),
    )
    return Asked(Question(Deed.FREEZE, intent.service or "", intent.environment), wanted=freeze)


def _exception(intent: RequestException, person: Person, policy: Policy, at: datetime) -> Asked:
    said, waives = intent.said, frozenset(intent.said.get("waive", "").replace(",", " ").split())
    relaxes = "relax" in said
    if not waives and not relaxes:
        raise Misunderstood("Say which rules: `waive:soak`.")
    kind = _kind(said.get("kind", ""), waives, policy, relaxes=relaxes)
    environment = policy.environments.get(intent.environment)
    branch = {"branch": environment.branch or ""} if relaxes and environment is not None else {}
    starts_at = instant(said["from"], at, policy.zone()) if said.get("from") else at
    try:
        image = digest(said["digest"]) if said.get("digest") else None
    except ValueError as error:
        raise Misunderstood("That is no whole digest.") from error
    record = ExceptionRecord(
        id="X-1",
        kind=kind,
        waives=waives,
        environment=intent.environment,
        service=intent.service,
        digest=image,
        asked_by=person,
        asked_at=at,
        starts_at=starts_at,
        ends_at=instant(said["until"], at, policy.zone()) if said.get("until") else None,
        fields={**branch, **_others(said), **({"reason": said["reason"]} if "reason" in said else {})},
        uses=policy.exceptions[kind].uses,
    )
    return Asked(Question(Deed.EXCEPTION, intent.service or "", intent.environment, kind=kind), wanted=record)


def _kind(named: str, waives: frozenset[str], policy: Policy, *, relaxes: bool) -> str:
    """The kind that was named, or else the only one that may waive these rules or relax, or the only one there is."""
    kinds = policy.exceptions
    fitting = [name for name, kind in kinds.items() if waives <= set(kind.waives) and bool(kind.relaxes) == relaxes]
    chosen = [name for name in kinds if name.casefold() == named.casefold()] if named else fitting or list(kinds)
    if len(chosen) != 1:
        raise Misunderstood(f"Say which kind it is: `kind:…`; there are {known(kinds)}.")
    return chosen[0]


def _others(said: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in said.items() if key not in OWN and value.strip()}
