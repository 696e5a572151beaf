"""How are deeds named in the books? Ids that repeat where the deed is repeated, and what every entry says of itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime

from commands.operation import Operation
from policy.facts import ExceptionRecord, Freeze
from policy.model import AccountKind, Person

BOT = Person(account="bot:release-bot", human=None, name="release-bot", kind=AccountKind.BOT)
"""Who does what follows from a decision without anybody asking again."""


def _short_hash(text: str) -> str:
    """So long that no two deeds of one company ever share it, and short enough to be read out."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def operation_id(request: str) -> str:
    """The same request makes the same operation."""
    return f"op_{_short_hash(request)}"


def freeze_id(request: str) -> str:
    return f"F-{_short_hash(request)}"


def exception_id(request: str) -> str:
    return f"X-{_short_hash(request)}"


def emergency_id(request: str) -> str:
    return f"E-{_short_hash(request)}"


def operation_under(emergency: str) -> str:
    """The id of the operation that was asked for together with this emergency."""
    return f"op_{emergency.removeprefix('E-')}"


def hold_id(operation: str) -> str:
    return f"H-{_short_hash(operation)}"


def manifest_id(digest: str) -> str:
    """By the hash of the set: the same one has the same name, wherever it goes."""
    return f"M-{digest[:10]}"


def target_of(operation: Operation) -> dict[str, str]:
    """What an entry about this operation is about."""
    target = {"service": operation.question.service, "environment": operation.question.target}
    if operation.question.source:
        target["from"] = operation.question.source
    if operation.plan is not None:
        target |= {
            "digest": operation.plan.digest,
            "revision": operation.plan.revision,
            "plan": operation.plan.hash,
            "policy": operation.plan.policy_hash,
        }
        if operation.plan.manifest:
            target["manifest"] = manifest_id(operation.plan.manifest)
    return target


def hash_of(record: ExceptionRecord | Freeze) -> str:
    """SHA-256 of what was asked for, hex: votes bind to it, so it leaves out what becomes of it later."""
    asked = asdict(record)
    for later in ("used", "granted_by", "granted_at", "revoked_at", "plan", "approved", "lapses_at"):
        asked.pop(later, None)
    if isinstance(record, ExceptionRecord):
        asked |= {"asked_by": record.asked_by.human or record.asked_by.account, "waives": sorted(record.waives)}
    said = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    message = f"{type(value).__name__} in a record"
    raise TypeError(message)
