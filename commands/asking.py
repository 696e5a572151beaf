"""Who asks, where, under which policy? What every command is handed, and the ways it can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from commands.ports import Entry, EntryPhase, Message, Request, World, Writes
from commands.reply import Reply
from policy.document import ActivePolicy
from policy.finding import Decision
from policy.model import Person


def whisper(request: Request, reply: Reply) -> Message:
    """Only whoever asked sees it, where they asked."""
    return Message(request.channel, reply, thread=request.thread, only_for=request.account, request=request.id)


@dataclass(frozen=True, slots=True)
class Asking:
    """One person saying something."""

    person: Person
    request: Request
    world: World
    active: ActivePolicy

    def channel_of(self, service: str) -> str:
        """Where its requests stand: where it was asked, or else (a dialog opened from nowhere) the service's own."""
        return self.request.channel or self.active.policy.services[service].channel or ""

    def whisper(self, reply: Reply) -> Message:
        return whisper(self.request, reply)

    def privately(self, reply: Reply) -> Writes:
        return Writes(messages=(self.whisper(reply),))

    def refused(
        self, kind: str, target: Mapping[str, str], reply: Reply, decision: Decision | None = None, operation: str = ""
    ) -> Writes:
        """No, privately, and on the record."""
        entry = Entry(kind, EntryPhase.RECORD, "refused", self.person, operation, "", target, decision)
        return Writes(entries=(entry,), messages=(self.whisper(reply),))
