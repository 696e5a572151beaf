"""How can the local GitHub go wrong when told to? Each fault is played on the next request that it fits."""

from __future__ import annotations

import re
from dataclasses import dataclass

READS = ("GET",)
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to go wrong."""

    name: str
    says: str
    methods: tuple[str, ...]
    """Which requests it fits."""
    seconds: float | None = None
    """The `seconds` it goes by unless told otherwise."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("bad_gateway", "answers 502 and does nothing", READS + WRITES),
        Kind("bad_gateway_after", "does it, then answers 502", WRITES),
        Kind("dropped", "does it, then drops the connection without an answer", WRITES),
        Kind("secondary_limit", "answers 403, secondary rate limit, with retry-after: seconds", READS + WRITES, 1),
        Kind("secondary_limit_silent", "answers 403, secondary rate limit, without saying how long", READS + WRITES),
        Kind("too_many_requests", "answers 429 with retry-after: seconds", READS + WRITES, 1),
        Kind("too_many_requests_silent", "answers 429 without saying how long", READS + WRITES),
        Kind(
            "rate_limit_spent",
            "answers 403: the hour's requests are spent; seconds until the next",
            READS + WRITES,
            600,
        ),
        Kind("stall", "does it, then keeps the answer back for seconds", READS + WRITES, 15),
        Kind("stale_read", "answers as things were before the last write", READS),
        Kind("token_expired", "answers 401; an installation's token is expired from then on", READS + WRITES),
        Kind("moved", "answers 301: the repository has another name now", WRITES),
        Kind("mergeable_unknown", "has not found out yet whether a pull request can be merged", READS),
        Kind("duplicate_check_runs", "lists each check run once more: older, opposite, in another suite", READS),
        Kind("bundle_inline", "hands an attestation's bundle out with the list, as before July 2026", READS),
        Kind("upload_cut_off", "keeps an empty file of a release, and answers 502", ("POST",)),
        Kind(
            "base_moved",
            "somebody pushes between the last look of a merge or a file and its write",
            ("PUT",),
        ),
    )
}


_WHERE = {
    "duplicate_check_runs": r"/check-runs$",
    "bundle_inline": r"/attestations/",
    "base_moved": r"/merge$|/contents/",
    "upload_cut_off": r"/assets",
    "mergeable_unknown": r"/pulls/\d+$",
}
"""Kinds that fit some paths only: what is found in these."""


@dataclass(slots=True)
class Fault:
    """One fault that waits for its request."""

    kind: Kind
    times: int
    path: str
    """Only requests whose path contains this."""
    method: str
    """Only this one; empty: every one that the kind fits."""
    seconds: float

    def fits(self, method: str, path: str) -> bool:
        if not re.search(_WHERE.get(self.kind.name, ""), path):
            return False
        wanted = method in self.kind.methods and self.method in {"", method}
        return self.times > 0 and wanted and self.path in path


class Faults:
    """Those that wait, in the order given."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def inject(self, kind: str, times: int = 1, **options: str | float) -> None:
        """The next `times` requests that fit go wrong so. Options: `path` (contained in theirs), `method`, `seconds`.

        ValueError for an unknown kind or option.
        """
        if kind not in KINDS:
            raise ValueError(f"no such fault: {kind}; there are {', '.join(KINDS)}")
        unknown = set(options) - {"path", "method", "seconds"}
        if unknown:
            raise ValueError(f"no such option: {', '.join(sorted(unknown))}; there are path, method and seconds")
        seconds = float(options.get("seconds", KINDS[kind].seconds or 0))
        self._waiting.append(
            Fault(KINDS[kind], times, str(options.get("path", "")), str(options.get("method", "")), seconds)
        )

    def take(self, method: str, path: str) -> Fault | None:
        """The first that fits this request, used up by it."""
        for fault in self._waiting:
            if fault.fits(method, path):
                fault.times -= 1
                self._waiting = [other for other in self._waiting if other.times > 0]
                return fault
        return None

    def clear(self) -> None:
        self._waiting = []


def fault_kinds() -> list[dict[str, str]]:
    """Every kind there is, with a sentence on what it does."""
    return [{"kind": kind.name, "says": kind.says} for kind in KINDS.values()]
