"""How can Slack fail? The kinds, and those that are due."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

KINDS = {
    "api_error": "the next API call is answered with 500 and is not carried out (method=)",
    "api_stall": "the next API call is answered late (seconds=10, method=)",
    "ratelimited": "the next API call is answered with 429 and Retry-After (seconds=1, method=)",
    "lost_reply": "the next call of chat.* is carried out, but the connection drops before the answer (method=)",
    "token_revoked": "the next API call finds the bot token revoked (method=)",
    "trigger_expired": "the next modal comes too late (error=expired_trigger_id)",
    "event_twice": "the next event is delivered twice, the second time as a retry",
    "click_twice": "the next click is a double click",
    "socket_refresh": "every Socket Mode connection is asked to reconnect, at once",
}
OPTIONS = {
    "api_error": {"method"},
    "api_stall": {"method", "seconds"},
    "ratelimited": {"method", "seconds"},
    "lost_reply": {"method"},
    "token_revoked": {"method"},
    "trigger_expired": {"method", "error"},
}
METHODS = {"lost_reply": "chat.*", "trigger_expired": "views.*"}
"""Which methods a fault hits when it was not told: everything, but for these."""


@dataclass(slots=True)
class Fault:
    """One failure that will happen `left` more times."""

    kind: str
    left: int
    options: dict[str, object] = field(default_factory=dict)

    def number(self, name: str, otherwise: float) -> float:
        value = self.options.get(name, otherwise)
        return float(value) if isinstance(value, int | float | str) else otherwise

    def word(self, name: str, otherwise: str) -> str:
        return str(self.options.get(name, otherwise))


class Faults:
    """Those waiting to happen, oldest first."""

    def __init__(self) -> None:
        self._due: list[Fault] = []

    def add(self, kind: str, times: int, options: dict[str, object]) -> None:
        """Raises ValueError, with a sentence, for what cannot be injected."""
        if kind not in KINDS:
            raise ValueError(f"Slack has no fault {kind!r}; there are {', '.join(KINDS)}")
        if times < 1:
            raise ValueError("times must be at least 1")
        known = OPTIONS.get(kind, set())
        if strange := options.keys() - known:
            raise ValueError(f"{kind} has no option {', '.join(sorted(strange))}; it has {', '.join(known) or 'none'}")
        Fault(kind, times, options).number("seconds", 0)
        self._due.append(Fault(kind, times, options))

    def take(self, kind: str, method: str = "") -> Fault | None:
        """The fault of this kind that happens now (to this API method), which uses it up once."""
        for fault in self._due:
            wanted = fault.word("method", METHODS.get(kind, "*"))
            if fault.kind == kind and (not method or fnmatchcase(method, wanted)):
                fault.left -= 1
                if not fault.left:
                    self._due.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._due.clear()
