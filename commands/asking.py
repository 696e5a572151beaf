"""Who asks, where, under which policy? What every command is handed, and the ways it can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from commands.judged import Decided
from commands.places import known
from commands.ports import Entry, EntryPhase, Message, Request, World, Writes
from commands.reply import Reply
from policy.case import Case
from policy.decide import decide
from policy.document import ActivePolicy
from policy.facts import Deed, Facts, Question
from policy.model import Person
from policy.rulebook import MAY_ASK


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
        self, kind: str, target: Mapping[str, str], reply: Reply, decided: Decided | None = None, operation: str = ""
    ) -> Writes:
        """No, privately, and on the record."""
        entry = Entry(kind, EntryPhase.RECORD, "refused", self.person, operation, "", target)
        kept = entry if decided is None else decided.kept_in(entry)
        return Writes(entries=(kept,), messages=(self.whisper(reply),))

    async def may(self, deed: Deed, service: str | None, environment: str) -> Decided:
        """Whether this person may do such a thing there at all, and who else may."""
        now, policy = self.world.clock.now(), self.active.policy
        question = Question(deed, service or "", environment)
        people = await known("who holds which role", self.world.people.holders(tuple(policy.roles)))
        facts = Facts(self.person, now, people=people)
        return Decided(Case(question, facts, policy, now), decide(question, facts, self.active, now, (MAY_ASK,)))

    async def touched(self, environment: str, service: str | None) -> tuple[str, ...]:
        """Open requests for that place, or for every service there: something may open or close the way for them."""
        return tuple(
            operation.id
            for operation in await self.world.store.open_operations()
            if not operation.moving
            and operation.question.target == environment
            and (service is None or service in operation.question.services)
        )
