"""How do we say an exception: what would be waived, where, for how long, why, and how it stands?"""

from __future__ import annotations

from datetime import datetime

from commands import tell
from commands.explain import texts
from commands.reply import Code, Line, Mark, Reply, Text, When
from policy import exceptions
from policy.document import Policy
from policy.exceptions import relaxation
from policy.facts import ExceptionRecord
from policy.wording import listed


def target_of(record: ExceptionRecord) -> dict[str, str]:
    """What an entry about it is about."""
    target = {"environment": record.environment, "exception": record.id, "plan": record.plan}
    return {**target, **({"service": record.service} if record.service else {})}


def title(record: ExceptionRecord) -> str:
    """`the exception X-4 for soak of checkout in prod`."""
    relaxed = relaxation(record)
    if relaxed is not None:
        return f"the exception {record.id} that relaxes {listed(relaxed.what)} of {relaxed.branch} {where(record)}"
    return f"the exception {record.id} for {listed(sorted(record.waives))} {where(record)}"


def where(record: ExceptionRecord) -> str:
    return f"of {record.service} in {record.environment}" if record.service else f"in {record.environment}"


def over(record: ExceptionRecord, now: datetime) -> bool:
    """Whether nothing can be done about it any more."""
    revoked = record.revoked_at is not None and record.revoked_at <= now
    return revoked or (record.ends_at is not None and record.ends_at <= now)


def state(record: ExceptionRecord, now: datetime) -> str:
    """A sentence that makes sense alone, without the full stop."""
    name = title(record)
    if record.revoked_at is not None and record.revoked_at <= now:
        was = "is over" if relaxation(record) is not None else "was revoked"
        return f"{name} {was}" if record.granted_at else f"{name} was not granted"
    if record.ends_at is not None and record.ends_at <= now:
        return f"{name} has expired"
    if record.granted_at is None:
        return f"{name} waits for approval"
    if record.uses is not None and len(record.used) >= record.uses:
        return f"{name} is used up"
    return f"{name} is in force" if record.starts_at <= now else f"{name} is granted, and yet to begin"


def card(record: ExceptionRecord, policy: Policy, now: datetime) -> Reply:
    """What is asked for, letter by letter, with the hash that votes bind to."""
    says = state(record, now)
    until: Text = (When(record.ends_at),) if record.ends_at else "for good"
    return Reply(
        f"{says[:1].upper()}{says[1:]}.",
        fields=(
            ("Title", exceptions.title(record, policy)),
            ("Asked by", (tell.who(record.asked_by),)),
            ("Kind", record.kind),
            *(
                [("Would waive" if record.granted_at is None else "Waives", ", ".join(sorted(record.waives)))]
                if record.waives
                else []
            ),
            ("Where", f"{record.service} in {record.environment}" if record.service else record.environment),
            *([("Candidate", (Code(record.digest),))] if record.digest else []),
            ("From", (When(record.starts_at),)),
            ("Until", until),
            *((tell.name(key), value) for key, value in record.fields.items()),
            *([("Granted by", listed(each.name for each in record.granted_by))] if record.granted_by else []),
            *([("Uses", _uses(record))] if record.uses or record.used else []),
            ("Hash", (Code(record.plan[:12]),)),
        ),
        footer=(f"{record.id} · asked ", When(record.asked_at)),
    )


def _uses(record: ExceptionRecord) -> str:
    by = f": {', '.join(record.used)}" if record.used else ""
    return f"{len(record.used)}{f' of {record.uses}' if record.uses else ''}{by}"


def line(record: ExceptionRecord, now: datetime) -> Line:
    """One line of a list."""
    mark = Mark.WAIVED if record.holds(now) else Mark.NOTE
    until: Text = (" until ", When(record.ends_at)) if record.ends_at else " for good"
    uses = f", uses {_uses(record)}" if record.uses or record.used else ""
    reason = f": {record.fields['reason']}" if record.fields.get("reason") else ""
    says = state(record, now)
    return Line(mark, texts(f"{says[:1].upper()}{says[1:]}", until, f", asked by {record.asked_by.name}{uses}{reason}"))
