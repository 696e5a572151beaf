"""Does a release tag still name what it named at first sight? Our books remember; a moved one raises an alarm."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from commands.operation import Operation
from commands.places import known
from commands.ports import Entry, EntryPhase, Message, SeenTag, World
from commands.reply import Code, Mark, Reply
from policy.case import Case
from policy.evidence import Tag
from policy.facts import Facts
from policy.model import Sha, Unknown, short

MOVED = "moved_tag"
"""Key in what was seen of an operation: the tag that people were told of, and where it is now."""


async def as_first_seen(
    world: World, repository: str, service: str, commit: Sha, pattern: str, tag: Tag | None
) -> Tag | Unknown | None:
    """The tag with what it named when it was first seen; one that has left this commit since, where it is now."""
    name = "" if tag is None else tag.name
    seen = await known("which tags were seen before", world.store.seen_tags(repository, commit, name))
    if isinstance(seen, Unknown):
        return seen
    if tag is None:
        left = [one.name for one in seen if re.fullmatch(pattern, one.name)]
        found = await known(f"the tag {left[-1]}", world.code.tagged(repository, left[-1])) if left else None
        if found is None or isinstance(found, Unknown):
            return found
        tag = found
    first = next((one for one in seen if one.name == tag.name), None)
    mine = next((one for one in seen if (one.name, one.service) == (tag.name, service)), None)
    return replace(tag, first_commit=first.commit if first else None, first_digest=mine.digest if mine else None)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is written of the tag that a decision looked at."""

    operation: Operation
    tags: tuple[SeenTag, ...] = ()
    entries: tuple[Entry, ...] = ()
    messages: tuple[Message, ...] = ()


def sighted(operation: Operation, facts: Facts, case: Case) -> Sighting:
    """It is remembered at first sight; where it was moved, that is put on record and said in the channel, once."""
    tag, candidate, service = facts.evidence.tag, facts.candidate, operation.question.service
    if not isinstance(tag, Tag) or isinstance(candidate, Unknown):
        return Sighting(operation)
    policy = case.policy
    repository = policy.services[service].repository
    if tag.first_commit is None or tag.first_commit == tag.commit:
        new = tag.first_digest is None and tag.commit == candidate.commit
        first = SeenTag(repository, tag.name, service, tag.commit, candidate.digest, case.at)
        return Sighting(operation, (first,) if new else ())
    where = f"{tag.name} {tag.commit}"
    if operation.seen.get(MOVED) == where:
        return Sighting(operation)
    detail = {"repository": repository, "first": tag.first_commit, "now": tag.commit}
    entry = Entry.of(operation, "tag", EntryPhase.OBSERVATION, "moved", also={"tag": tag.name}, detail=detail)
    alarm = Reply(
        (
            f"{Mark.NO.value} SECURITY: the release tag ",
            Code(tag.name),
            f" of {repository} was moved. It was first seen on ",
            Code(short(tag.first_commit)),
            " and is on ",
            Code(short(tag.commit)),
            f" now. Nothing that bears it is promoted; find out who moved it. {operation.id}",
        )
    )
    channels = dict.fromkeys((operation.channel, *policy.informed(service, operation.question.target)))
    told = tuple(Message(channel, alarm) for channel in channels)
    return Sighting(replace(operation, seen={**operation.seen, MOVED: where}), (), (entry,), told)
