"""What do these words ask of the policy? As the chat would understand them, without a chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commands.catalogue import understand
from commands.errors import Misunderstood
from commands.intent import DryRun, Promote, Rollback, Why
from commands.resolve import Setting
from policy.document import Policy
from policy.facts import Deed, ExceptionRecord, Freeze, Question
from policy.model import Person


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what was said with it."""

    question: Question
    fields: Mapping[str, str] = field(default_factory=dict)
    confirms: frozenset[str] = frozenset()
    wanted: ExceptionRecord | Freeze | None = None


def asked(words: str, person: Person, policy: Policy, at: datetime) -> Asked:
    """What that person asks with them at that instant. Raises `Misunderstood`."""
    intent = understand(words.removeprefix("/release").strip(), Setting(policy, "", at))
    match intent:
        case DryRun(promote=promote) | Why(promote=Promote() as promote):
            return _promotion(promote)
        case Promote():
            return _promotion(intent)
        case Rollback():
            return Asked(Question(Deed.ROLLBACK, intent.service, intent.target))
    raise Misunderstood(f"`{words[:60]}` asks nothing of the policy, {person.name}.")


def _promotion(intent: Promote) -> Asked:
    question = Question(Deed.PROMOTE, intent.service, intent.target, intent.source, intent.change)
    return Asked(question, intent.fields, intent.confirms)
