"""Exceptions: ask that rules be waived for a time, and take that back. Whether it is granted stands in `grant.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from commands import explain, fields, grant, relax, tell, waived
from commands.asking import Asking
from commands.errors import Misunderstood, Rejected
from commands.explain import texts
from commands.fields import Gap
from commands.grammar import instant, nearest
from commands.intent import RequestException, RevokeException
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import exception_id, hash_of
from commands.reply import Reply
from policy import exceptions
from policy.document import ExceptionKind, Policy
from policy.facts import Deed, ExceptionRecord
from policy.fits import IN_SHORT, NEVER_WAIVED, WAIVABLE
from policy.gates import Waivable
from policy.model import Digest, digest

OWN = frozenset({"waive", "kind", "from", "until", "digest"})
"""Keys that are no fields of the record, but say what it is."""


async def request(intent: RequestException, asking: Asking) -> Writes:
    """What is asked for stands in the channel with its buttons; or what is missing or cannot be was said privately."""
    if not asking.active.policy.exceptions:
        return asking.privately(Reply("This policy knows no exceptions."))
    allowed = await asking.may(Deed.EXCEPTION, intent.service, intent.environment)
    target = {"environment": intent.environment, **({"service": intent.service} if intent.service else {})}
    if not allowed.decision.allowed:
        reply = explain.refused(f"You may not ask for exceptions in {intent.environment}.", allowed.decision)
        return asking.refused("exception", target, reply, allowed)
    form = _Form(intent, asking)
    kind = form.kind_meant()
    if kind is not None and (no := exceptions.why_not_ask(kind, asking.person)):
        reply = Reply(f"You may not ask for that: {no}.")
        return asking.refused("exception", {**target, "needs": ", ".join(kind.asked_by)}, reply)
    record, gaps = form.filled()
    if record is not None and (other := await _relaxed_already(record, asking)) is not None:
        says = f"{other} relaxes {_repository(record, asking.active.policy)} already, or asks to; one does at a time."
        return asking.refused("exception", {**target, "other": other}, Reply(says))
    if record is None:
        words = ("exception", "request", intent.service or "", intent.environment)
        says = f"An exception in {intent.environment} needs a little more."
        reply = fields.ask_for(says, gaps, words, intent.said)
        if form.never:  # whoever tries that, others should be able to see it
            return asking.refused("exception", {**target, "waives": ", ".join(form.never)}, reply)
        return asking.privately(reply)
    decided = await grant.decide_on(record, (), asking)
    hopeless = [finding for finding in decided.decision.blockers if not finding.waits_for_people]
    if hopeless:
        reply = explain.refused(f"Nobody could grant that: {explain.missing(hopeless)}.", decided.decision)
        return asking.refused("exception", target, reply, decided)
    asked = Entry(
        "exception",
        EntryPhase.RECORD,
        "asked",
        asking.person,
        target={**target, "exception": record.id, "plan": record.plan},
        detail=_told(record),
        private=dict(record.fields),
    )
    root = grant.card(record, decided, asking.active.policy, asking.world.clock.now())
    message = Message(asking.request.channel, root, operation=record.id, slot="root", request=asking.request.id)
    return Writes(entries=(decided.kept_in(asked),), exceptions=(record,), messages=(message,))


async def _relaxed_already(record: ExceptionRecord, asking: Asking) -> str | None:
    """The exception that relaxes a branch of the same repository, or asks to; one at a time does."""
    policy = asking.active.policy
    if exceptions.relaxation(record) is None:
        return None
    there = {name for name, service in policy.services.items() if service.repository == _repository(record, policy)}
    for other in await asking.world.store.exceptions(asking.world.clock.now()):
        if exceptions.relaxation(other) is not None and other.service in there and other.id != record.id:
            return other.id
    return None


def _repository(record: ExceptionRecord, policy: Policy) -> str | None:
    service = policy.services.get(record.service or "")
    return None if service is None else service.repository


def _told(record: ExceptionRecord) -> Mapping[str, object]:
    ends = {"until": record.ends_at.isoformat()} if record.ends_at else {}
    return {"kind": record.kind, "waives": sorted(record.waives), "from": record.starts_at.isoformat(), **ends}


class _Form:
    """The words of one request, read field by field."""

    def __init__(self, intent: RequestException, asking: Asking) -> None:
        self.intent, self.asking = intent, asking
        self.said, self.policy, self.now = intent.said, asking.active.policy, asking.world.clock.now()
        self.gaps: dict[str, Gap] = {}
        self.never: list[str] = []
        """Rules that it asks for and nobody ever waives."""

    def filled(self) -> tuple[ExceptionRecord | None, list[Gap]]:
        """The record that they mean, or what is missing before they mean one."""
        relaxes, waiving = self._about()
        waives = self._waives() if waiving else frozenset[str]()
        name, kind = self._kind(waives)
        said = dict(self.said)
        if relaxes and kind is not None:
            said |= self._relaxing(kind)
        starts_at = self._time("from") or self.now
        ends_at, image = self._end(starts_at, kind), self._digest()
        if kind is not None:
            self._fields(name, kind)
        if self.gaps or kind is None:
            return None, list(self.gaps.values())
        record = ExceptionRecord(
            id=exception_id(self.asking.request.id),
            kind=name,
            waives=waives,
            environment=self.intent.environment,
            service=self.intent.service,
            digest=image,
            asked_by=self.asking.person,
            asked_at=self.now,
            starts_at=starts_at,
            ends_at=ends_at,
            fields={key: value for key, value in said.items() if key not in OWN and value.strip()},
            uses=kind.uses,
        )
        return replace(record, plan=hash_of(record)), []

    def _gap(self, key: str, why: str, choices: tuple[str, ...] = ()) -> None:
        self.gaps.setdefault(key, Gap(key, why, choices))

    def kind_meant(self) -> ExceptionKind | None:
        """The kind that was named, or else the only one there is, of those that relax if so; None: it is not clear."""
        kinds, said = self.policy.exceptions, self.said.get("kind", "").casefold()
        named = [kind for name, kind in kinds.items() if name.casefold() == said]
        fitting = [kind for kind in kinds.values() if kind.relaxes or "relax" not in self.said]
        found = named if said else fitting
        return found[0] if len(found) == 1 else None

    def _about(self) -> tuple[bool, bool]:
        """Whether it is about relaxing a branch, and whether it is about waiving rules; neither: its kind must say."""
        meant, said = self.kind_meant(), self.said
        if "relax" in said or "waive" in said:
            return "relax" in said, "waive" in said
        if meant is not None:
            return bool(meant.relaxes), bool(meant.waives)
        return False, not said.get("kind", "")

    def _relaxing(self, kind: ExceptionKind) -> dict[str, str]:
        """What is relaxed of which branch, in the words that are kept."""
        able = tuple(one.value for one in kind.relaxes)
        words = self.said.get("relax", "").replace(",", " ").split() or (able if len(able) == 1 else ())
        if not words:
            self._gap("relax", f"say what: any of {', '.join(able)}")
        for word in sorted(set(words).difference(able)):
            self._gap("relax", f"{word} is not relaxed by that. {nearest(word, able)}")
        environment = self.policy.environments.get(self.intent.environment)
        branch = environment.branch if environment is not None else None
        said = self.said.get("branch", "").strip() or branch
        if branch is None or said != branch:
            has = f"it has the branch {branch}" if branch else "the policy gives it no branch"
            self._gap("branch", f"{self.intent.environment} is what is relaxed, and {has}")
        pull = self.said.get("pr", "").strip().removeprefix("#")
        if pull and not (pull.isascii() and pull.isdecimal()):
            self._gap("pr", "say the number of the pull request")
        return {"relax": " ".join(sorted(set(words))), "branch": branch or "", "pr": pull}

    def _waives(self) -> frozenset[str]:
        named = frozenset(self.said.get("waive", "").replace(",", " ").split())
        able = waivable(self.policy)
        if not named:
            self._gap("waive", f"say which rules: any of {', '.join(able)}")
        for rule in sorted(named.difference(able)):
            never = is_rule(rule, self.policy)
            self.never += [rule] if never else []
            why = f"{rule} is never waived" if never else f"I know no rule {rule}"
            self._gap("waive", f"{why}. {nearest(rule, able)}")
        return named

    def _kind(self, waives: frozenset[str]) -> tuple[str, ExceptionKind | None]:
        kinds, said = self.policy.exceptions, self.said.get("kind", "")
        able, does = list(kinds), ""
        if "relax" in self.said:
            able, does = [name for name, kind in kinds.items() if kind.relaxes], "relaxes"
        elif "waive" in self.said:
            able, does = [name for name, kind in kinds.items() if kind.waives], "waives"
        if said:
            found = next((name for name in kinds if name.casefold() == said.casefold()), None)
            if found is not None and found in able:
                return found, kinds[found]
            says = f"{found} {does} nothing" if found else f"I know no kind {said}"
            self._gap("kind", says, tuple(able if found else kinds))
            return "", None
        fitting = [name for name in able if waives <= set(kinds[name].waives) and does]
        chosen = fitting if len(fitting) == 1 else list(kinds) if len(kinds) == 1 else []
        if not chosen:
            self._gap("kind", "say which kind it is", tuple(fitting or able))
            return "", None
        return chosen[0], kinds[chosen[0]]

    def _time(self, key: str) -> datetime | None:
        if not self.said.get(key, "").strip():
            return None
        try:
            return instant(self.said[key], self.now, self.policy.zone())
        except Misunderstood as error:
            self._gap(key, str(error))
            return None

    def _end(self, starts_at: datetime, kind: ExceptionKind | None) -> datetime | None:
        ends_at, longest = self._time("until"), None if kind is None else kind.longest
        if ends_at is None and (kind is None or longest is not None):
            most = "" if longest is None else f", {tell.span(longest)} at most"
            self._gap("until", f"say when it ends{most}: `18:00`, `2d` or `2026-12-01`")
        elif ends_at is not None and ends_at <= starts_at:
            self._gap("until", "it would end before it begins")
        elif ends_at is not None and longest is not None and ends_at - starts_at > longest:
            self._gap("until", f"it may last {tell.span(longest)} at most")
        return ends_at

    def _digest(self) -> Digest | None:
        text = self.said.get("digest", "").strip()
        try:
            return digest(text) if text else None
        except ValueError:
            self._gap("digest", "that is no whole digest: `sha256:` and 64 letters; leave it out for any candidate")
            return None

    def _fields(self, name: str, kind: ExceptionKind) -> None:
        for gap in fields.unsaid(kind.fields, self.said, f"an exception of kind {name} needs it"):
            self._gap(gap.key, gap.why, kind.reasons if gap.key == "reason" else ())
        reason = self.said.get("reason", "").strip()
        if kind.reasons and reason not in kind.reasons:
            self._gap("reason", f"{reason or 'nothing'} is no reason for {name}", kind.reasons)


def waivable(policy: Policy) -> tuple[str, ...]:
    """Every rule that some kind of exception may waive, in the order of the policy."""
    named = (rule for kind in policy.exceptions.values() for rule in kind.waives)
    return tuple(
        rule for rule in dict.fromkeys(named) if exceptions.waivable(rule, policy) not in {None, Waivable.NEVER}
    )


def is_rule(rule: str, policy: Policy) -> bool:
    return rule in policy.gates or rule in {*IN_SHORT, *WAIVABLE, *NEVER_WAIVED}


async def revoke(intent: RevokeException, asking: Asking) -> Writes:
    """It waives nothing any more, everybody reads by whom, and open requests are looked at again."""
    record, now, person = await find(intent.which, asking), asking.world.clock.now(), asking.person
    if waived.over(record, now):
        raise Rejected(f"That is over: {waived.state(record, now)}.")
    allowed = await asking.may(Deed.EXCEPTION, record.service, record.environment)
    granted = person.human is not None and person.human in {each.human for each in record.granted_by}
    target = waived.target_of(record)
    if not allowed.decision.allowed and not granted:
        reply = explain.refused(f"You may not revoke {record.id}.", allowed.decision)
        return asking.refused("exception", target, reply, allowed)
    revoked = replace(record, revoked_at=now)
    entry = Entry("exception", EntryPhase.RECORD, "revoked", person, target=target, private={"reason": intent.reason})
    said = texts((tell.who(person),), f" revoked {waived.title(record)}: {intent.reason}")
    return Writes(
        entries=(allowed.kept_in(entry),),
        exceptions=(revoked,),
        messages=await grant.said(revoked, said, asking),
        wakes=(*await asking.touched(record.environment, record.service), relax.runs_as(record.id)),
    )


async def find(id: str, asking: Asking) -> ExceptionRecord:
    record = await asking.world.store.exception(f"X-{id[2:]}" if id[:2].casefold() == "x-" else id)
    if record is None:
        raise Rejected(f"I know no exception `{id[:40]}`; `exception list` shows those there are.")
    return record
