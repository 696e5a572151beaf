"""How does what shipped become a release of its tag? Drafted with its notes, its record added, published last.

It begins once the promotion is over, and stayed well where it is watched: nothing waits for it, and nothing of it takes
anything back. Each step is found done or done once; what cannot be done is said, with why.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands import notes, tell, unasked
from commands.errors import LostLease, OutcomeUnknown, Rejected, ReleaseBotError
from commands.hand import AT_ONCE
from commands.operation import Effect, Operation, Phase
from commands.places import known
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Look, Message, Release, World, Writes
from commands.record import BOT
from commands.reply import Link, Mark, Piece, Reply
from commands.tags import as_first_seen
from commands.vote import standing
from policy.document import Policy, Publication
from policy.facts import Deed, Verdict
from policy.model import Sha, Unknown, short

LASTS = timedelta(days=30)
"""So long the watch before it may take, at most."""
STILL_WATCHED = timedelta(seconds=30)
TRIES = 12
AGAIN = timedelta(seconds=1)
"""After that it is tried again, and then after twice as long each time: for an hour in all."""
ARRIVES = timedelta(seconds=5)
"""What somebody else sent for it has arrived by then, or been lost with them."""
DRAFT, ATTACH, PUBLISH = "draft", "attach", "publish"
MADE, HELD = "release", "files"
"""Keys in what was seen: the release as it was made, and the file that it holds."""


def rules(policy: Policy, released: Operation) -> Publication | None:
    """How what it shipped is published; None: it is not."""
    question = released.question
    path = policy.path(question.service, question.source or "", question.target)
    return None if path is None else path.release


def after(operation: Operation, plan: Plan, policy: Policy, now: datetime) -> Operation | None:
    """What publishes this release from now on; None: the policy asks for no such thing."""
    if rules(policy, operation) is None:
        return None
    return replace(unasked.after(operation, Deed.PUBLISH, now, LASTS), plan=plan, phase=Phase.RUNNING, since=now)


async def publish(operation: Operation, fence: int, world: World) -> Writes:
    """One step of it."""
    released = await world.store.operation(operation.question.change)
    wants = None if released is None else rules(world.policies.current().policy, released)
    if released is None or released.plan is None or wants is None:
        ended = operation.ended(Phase.CANCELLED, "The policy asks for no release of it any more.")
        return Writes(operation=ended, entries=() if released is None else _left(operation, released, fence))
    not_yet = await _not_yet(operation, released, fence, world)
    if not_yet is not None:
        return not_yet
    step = _next(operation, wants)
    effect = operation.effect
    if effect is None:
        doing = operation.doing(Effect(step, sent_at=world.clock.now(), fence=fence))
        return Writes(operation=doing, entries=(_entry(released, EntryPhase.INTENT, "about to", step),), due=AT_ONCE)
    if effect.fence != fence:
        return _mine(operation, effect, fence, world.clock.now())
    try:
        return await _done(operation, released, released.plan, wants, step, world)
    except LostLease:
        raise
    except ReleaseBotError as error:
        if not isinstance(error, Rejected) and effect.attempts < TRIES:
            sent_at = world.clock.now() if isinstance(error, OutcomeUnknown) else None
            again = operation.doing(replace(effect, attempts=effect.attempts + 1, fence=0, sent_at=sent_at))
            return Writes(operation=again, due=AGAIN * 2**effect.attempts)
        return _given_up(operation, released, step, error)


def _mine(operation: Operation, effect: Effect, fence: int, now: datetime) -> Writes:
    """It is ours to do from now on, or once what whoever had it before may have sent has arrived."""
    sent_at = now if effect.fence else effect.sent_at
    waits = AT_ONCE if sent_at is None else sent_at + ARRIVES - now
    mine = replace(effect, fence=0 if waits > AT_ONCE else fence, sent_at=sent_at)
    return Writes(operation=operation.doing(mine), due=max(AT_ONCE, waits))


async def _not_yet(operation: Operation, released: Operation, fence: int, world: World) -> Writes | None:
    """What is written while it is not sure that it stays, and once it did not; None: it does, as far as is known."""
    watching = await world.store.operation(unasked.runs_as(Deed.WATCH, released.id))
    if watching is not None and not watching.over:
        return Writes(operation=operation, due=STILL_WATCHED)
    stays = watching is None or watching.phase in {Phase.DONE, Phase.CANCELLED}
    held = await world.store.holds(operation.question.service)
    digest = "" if released.plan is None else released.plan.digest
    if stays and not any(hold.digest == digest and hold.place == released.place for hold in held):
        return None
    what = "its release is not published" if MADE in operation.seen else "no release is made of it"
    says = f"{Mark.NOTE.value} {tell.title(released)} was taken back since, so {what}."
    return Writes(
        operation=operation.ended(Phase.CANCELLED, "It was taken back."),
        entries=_left(operation, released, fence),
        messages=(Message(released.channel, Reply(says), operation=released.id, slot=PUBLISH),),
    )


def _left(operation: Operation, released: Operation, fence: int) -> tuple[Entry, ...]:
    """The end of what was intended and is left as it is."""
    effect = operation.effect
    if effect is None:
        return ()
    sent = effect.attempts > 0 or effect.fence not in {0, fence}
    return (_entry(released, EntryPhase.OUTCOME, "unknown" if sent else "not happened", effect.key),)


def _next(operation: Operation, wants: Publication) -> str:
    """The step that it stands before: `draft`, `attach release.json`, `publish`."""
    if MADE not in operation.seen:
        return DRAFT
    return f"{ATTACH} {wants.record}" if wants.record and HELD not in operation.seen else PUBLISH


async def _done(
    operation: Operation, released: Operation, plan: Plan, wants: Publication, step: str, world: World
) -> Writes:
    """The step, taken, and what is written of it."""
    commit, releases = _commit(released), world.releases
    if step == DRAFT:
        tag = await _tag(world, plan, commit, wants.tag, signed=wants.signed)
        made = await releases.draft(
            plan.repository,
            tag=tag,
            commit=commit,
            title=tag,
            body=await _body(world, released, plan, commit),
            mark=_mark(released),
        )
        return _on(operation, released, step, {MADE: _kept(made)})
    made = _made(operation)
    if step != PUBLISH:
        name = step.removeprefix(f"{ATTACH} ")
        await releases.attach(plan.repository, made, name, await _record(world, released, plan, commit, made.tag))
        return _on(operation, released, step, {HELD: name})
    await _tag(world, plan, commit, re.escape(made.tag), signed=wants.signed)
    found = made.public
    if not found:
        newest = newer(made.tag, await releases.latest(plan.repository))
        made = await releases.publish(plan.repository, made, commit=commit, latest=newest)
    what = "was published already" if found else "is published"
    link: Piece = Link(made.url, made.tag) if made.url else made.tag
    told = Reply((f"{Mark.YES.value} {tell.title(released)}: the release ", link, f" {what}"))
    return Writes(
        operation=replace(operation, seen={**operation.seen, MADE: _kept(made)}).ended(Phase.DONE, ""),
        entries=(_entry(released, EntryPhase.OUTCOME, "confirmed", step, _detail(made)),),
        messages=(Message(released.channel, told, operation=released.id, slot=PUBLISH),),
    )


def _on(operation: Operation, released: Operation, step: str, seen: dict[str, Any]) -> Writes:
    on = replace(operation, effect=None, seen={**operation.seen, **seen})
    entry = _entry(released, EntryPhase.OUTCOME, "confirmed", step, _detail(_made(on)))
    return Writes(operation=on, entries=(entry,), due=AT_ONCE)


def _given_up(operation: Operation, released: Operation, step: str, error: ReleaseBotError) -> Writes:
    """What shipped stands; people are told what is missing."""
    happened = "not happened" if isinstance(error, Rejected) else "unknown"
    what = "its release is not finished" if MADE in operation.seen else "no release was made of it"
    says = f"{Mark.NO.value} {tell.title(released)} is live, but {what} ({step}): {error}"
    return Writes(
        operation=operation.ended(Phase.FAILED, str(error)),
        entries=(_entry(released, EntryPhase.OUTCOME, happened, step, {"says": str(error)}),),
        messages=(Message(released.channel, Reply(says), operation=released.id, slot=PUBLISH),),
    )


async def _tag(world: World, plan: Plan, commit: Sha, pattern: str, *, signed: bool) -> str:
    """The name of the tag that is on it now, made as the policy wants it, and that always named this."""
    repository = plan.repository
    found = await world.code.tag(repository, commit, pattern, None)
    tag = await as_first_seen(world, repository, plan.service, commit, pattern, found)
    if isinstance(tag, Unknown):
        raise Rejected(f"{tag.why}.")
    if tag is None:
        raise Rejected(f"{short(commit)} bears no tag like {pattern}, and I make none.")
    if tag.commit != commit or tag.first_commit not in {None, commit}:
        raise Rejected(f"the tag {tag.name} was moved.")
    if not tag.annotated:
        raise Rejected(f"the tag {tag.name} is not annotated.")
    if signed and not tag.verified:
        raise Rejected(f"the signature of the tag {tag.name} was not verified ({tag.why_not or 'there is none'}).")
    return tag.name


def _commit(released: Operation) -> Sha:
    """What was shipped: where its branch moved, the commit that the branch stands at since."""
    landed = released.seen.get("branch:0", {}).get("commit") or (released.plan and released.plan.commit)
    if not landed:
        raise Rejected("its commit is not known.")
    return Sha(landed)


def newer(tag: str, than: str) -> bool:
    """Whether the version in the one name comes after that in the other: an older line is never called the latest."""
    return _numbers(tag) > _numbers(than)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


# What it says ---------------------------------------------------------------------------------------------------------


async def _body(world: World, released: Operation, plan: Plan, commit: Sha) -> str:
    code, repository, base = world.code, plan.repository, plan.from_commit
    told: notes.Notes | Unknown = Unknown("the commit that served before is not recorded")
    if base is not None:
        changes = await known("the changes", code.changes(repository, base, commit, frozenset[Look](), ""))
        comparison = await known("the commits", code.compare(repository, base, commit))
        told = notes.of(changes, comparison)
    said = f"What changed is not known: {notes.escaped(told.why)}.\n" if isinstance(told, Unknown) else told.markdown()
    return "\n".join(
        (
            said,
            "### What shipped",
            "",
            f"- {notes.escaped(plan.service)} in {notes.escaped(plan.target)}: `{plan.digest}`",
            f"- If it has to go back: `{plan.from_digest}`, which served before",
            f"- Recorded as {released.id}, plan {plan.hash[:12]}",
        )
    )


async def _record(world: World, released: Operation, plan: Plan, commit: Sha, tag: str) -> bytes:
    """What shipped, and who agreed: from our books alone, so that it is the same byte by byte each time."""
    votes = standing(await world.store.votes(released.id), plan.hash)
    agreed = sorted(
        ({"by": vote.voter.name, "at": vote.at.isoformat()} for vote in votes if vote.verdict is Verdict.APPROVE),
        key=lambda one: one["at"],
    )
    said = {
        "format": "release-bot release record 1",
        "operation": released.id,
        "service": plan.service,
        "environment": plan.target,
        "from": {"environment": plan.source, "digest": plan.from_digest, "commit": plan.from_commit},
        "repository": plan.repository,
        "tag": tag,
        "commit": commit,
        "digest": plan.digest,
        "image": plan.image,
        "revision": plan.revision,
        "plan": plan.hash,
        "policy": plan.policy_hash,
        "manifest": plan.manifest,
        "type": plan.change,
        "emergency": plan.emergency,
        "asked": {"by": released.asked_by.name, "at": released.asked_at.isoformat()},
        "began_at": released.began_at.isoformat() if released.began_at else None,
        "approvals": agreed,
    }
    return (json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _mark(released: Operation) -> str:
    return f"<!-- release-bot {released.id} -->"


def _kept(made: Release) -> dict[str, Any]:
    return {"id": made.id, "tag": made.tag, "public": made.public, "url": made.url}


def _made(operation: Operation) -> Release:
    kept = operation.seen[MADE]
    return Release(kept["id"], kept["tag"], kept["public"], kept["url"], {})


def _detail(made: Release) -> dict[str, Any]:
    return {"release": made.id, "tag": made.tag, "public": made.public}


def _entry(released: Operation, phase: EntryPhase, what: str, step: str, detail: dict[str, Any] | None = None) -> Entry:
    question = released.question
    target = {"service": question.service, "environment": question.target}
    return Entry("release", phase, what, BOT, released.id, f"release:{step}", target, detail=detail or {})
