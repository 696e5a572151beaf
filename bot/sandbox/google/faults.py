"""How can the local Google fail, stall and lie? Each way by name, armed for so many times."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TypedDict

import grpc

Option = float | str
"""Seconds or per cent, or the site, revision or secret that a fault is kept to."""


class FaultKind(TypedDict):
    world: str
    """`cloud_run`, `monitoring` or `secrets`."""
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class _Kind:
    world: str
    says: str
    options: dict[str, Option] = field(default_factory=dict)


DEEDS = ("shift", "split", "tag", "latest", "deploy", "broken", "delete", "touch")
"""What somebody else may do to a service."""
_CHOICES = {"code": tuple(grpc.StatusCode.__members__), "does": DEEDS, "when": ("now", "before", "after")}
_UNAVAILABLE: dict[str, Option] = {"code": "UNAVAILABLE"}
_KINDS = {
    "read_unavailable": _Kind(
        "cloud_run", "Reading a service or revision fails once, with UNAVAILABLE or the named code.", _UNAVAILABLE
    ),
    "stale_read": _Kind("cloud_run", "Reading a service shows it as it was before its newest write."),
    "lagging_reads": _Kind("cloud_run", "From now on a write is seen only so many seconds later.", {"seconds": 3.0}),
    "lost_reply": _Kind(
        "cloud_run", "A write takes effect, but whoever sent it only sees UNAVAILABLE, or the named code.", _UNAVAILABLE
    ),
    "lost_request": _Kind(
        "cloud_run",
        "A write never arrives, and whoever sent it only sees UNAVAILABLE, or the named code.",
        _UNAVAILABLE,
    ),
    "write_refused": _Kind(
        "cloud_run",
        "A write is refused, with PERMISSION_DENIED or the named code, and nothing changes.",
        {"code": "PERMISSION_DENIED"},
    ),
    "late_write": _Kind("cloud_run", "A write stalls for so many seconds before it takes effect.", {"seconds": 20.0}),
    "poll_unavailable": _Kind(
        "cloud_run", "Asking how an operation goes fails once, with UNAVAILABLE or the named code.", _UNAVAILABLE
    ),
    "poll_forgotten": _Kind("cloud_run", "Asking how an operation goes brings that it is not known, though it is."),
    "slow_reconcile": _Kind("cloud_run", "The next write takes so many seconds to be carried out.", {"seconds": 5.0}),
    "revision_fails": _Kind("cloud_run", "The next new revision never becomes ready."),
    "empty_success": _Kind("cloud_run", "The next operation reports success, but the traffic stays where it was."),
    "etag_enforced": _Kind("cloud_run", "From now on a write with an old etag is refused."),
    "etag_ignored": _Kind("cloud_run", "From now on a write with an old etag is accepted."),
    "failure_sticks": _Kind(
        "cloud_run", "From now on traffic changes end as failed, though they are made, while the newest revision fails."
    ),
    "failure_passes": _Kind("cloud_run", "From now on a failed newest revision does not spoil traffic changes."),
    "rival": _Kind(
        "cloud_run",
        "Somebody else changes a service, `when`: now, or right before or after our next write. What it `does`: shift "
        "(all to the revision), split (per cent to it), tag (a preview of it, first in the list), latest, deploy, "
        "broken (a deploy that never becomes ready), delete (the revision) or touch (the etag alone).",
        {"when": "now", "does": "shift", "revision": "", "percent": 50.0},
    ),
    "monitoring_unavailable": _Kind("monitoring", "Asking for numbers fails once with UNAVAILABLE."),
    "monitoring_silent": _Kind("monitoring", "Asking for numbers brings none."),
    "memory_at": _Kind(
        "monitoring",
        "From now on containers take so many per cent of their memory.",
        {"percent": 93.0, "revision": ""},
    ),
    "cpu_at": _Kind(
        "monitoring",
        "From now on containers take so many per cent of their processor time.",
        {"percent": 85.0, "revision": ""},
    ),
    "secret_disabled": _Kind("secrets", "Reading a secret is refused as if its version were disabled."),
    "secret_unavailable": _Kind("secrets", "Reading a secret fails once with UNAVAILABLE."),
    "secret_damaged": _Kind("secrets", "A secret arrives with a checksum that does not fit."),
}
_EVERYWHERE: dict[str, Option] = {"site": ""}


class Faults:
    """Those armed and not used up yet."""

    def __init__(self) -> None:
        self._armed: dict[str, deque[dict[str, Option]]] = {}

    @staticmethod
    def kinds() -> list[FaultKind]:
        return [FaultKind(world=one.world, kind=kind, says=one.says) for kind, one in _KINDS.items()]

    def arm(self, kind: str, times: int, options: dict[str, Option]) -> dict[str, Option]:
        """The next `times` chances for this kind go wrong, with these options; ValueError for what is not known."""
        if kind not in _KINDS:
            message = f"there is no fault {kind!r}; there are {', '.join(_KINDS)}"
            raise ValueError(message)
        for option, choices in _CHOICES.items():
            if option in options and options[option] not in choices:
                message = f"{option} cannot be {options[option]!r}; it is one of {', '.join(choices)}"
                raise ValueError(message)
        known = {**_KINDS[kind].options, **_EVERYWHERE}
        if strange := options.keys() - known.keys():
            message = f"{kind} has no option {', '.join(sorted(strange))}; it has {', '.join(known)}"
            raise ValueError(message)
        self._armed.setdefault(kind, deque()).extend({**known, **options} for _ in range(times))
        return {**known, **options}

    def take(self, kind: str, site: str = "", **given: Option) -> dict[str, Option] | None:
        """The options of one armed fault of this kind, with these among them, now used up; None: all goes well."""
        waiting = self._armed.get(kind)
        if not waiting:
            return None
        for options in waiting:
            if options["site"] in ("", site) and options.items() >= given.items():
                waiting.remove(options)
                return options
        return None

    def clear(self) -> None:
        self._armed.clear()
