"""How does a fix begin on top of what production serves, and who has one brought elsewhere?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands import bring, explain, fields, tell
from commands.asking import Asking
from commands.bring import AT_ONCE, COMMITS_MAX, FIX, LASTS
from commands.errors import Conflict, Rejected, Unavailable
from commands.explain import texts
from commands.fields import Gap
from commands.intent import PortFix, StartHotfix
from commands.operation import Operation, Phase
from commands.places import known, seen
from commands.ports import Entry, EntryPhase, Message, World, Writes
from commands.record import operation_id
from commands.reply import Bold, Code, Line, Mark, Reply, Text, When
from policy.document import Hotfix
from policy.facts import Deed, Question
from policy.model import Sha, Unknown, short
from policy.wording import listed

BEGIN = "begin"
"""Key in what was seen: which branch is to be made, where, and for what."""
_VERSION = re.compile(r"(?P<before>\D*)(?P<line>\d+\.\d+)\.(?P<patch>\d+)")


async def ask(intent: StartHotfix | PortFix, asking: Asking) -> Writes:
    """Begin one, or bring one elsewhere."""
    match intent:
        case StartHotfix():
            return await start(intent, asking)
        case PortFix():
            return await port(intent, asking)


async def start(intent: StartHotfix, asking: Asking) -> Writes:
    """The branch is about to be made at what production serves; or why it cannot be was said privately."""
    world, policy, rules = asking.world, asking.active.policy, asking.active.policy.hotfix
    target = {"service": intent.service, "environment": intent.target}
    if rules is None:
        return asking.privately(Reply("This policy knows no hotfixes: it says nothing under `hotfix`."))
    may = await asking.may(Deed.HOTFIX, intent.service, intent.target)
    if not may.decision.allowed:
        reply = explain.refused("You may not begin a hotfix.", may.decision)
        return asking.refused("hotfix", target, reply, may)
    gaps = _gaps(rules, intent)
    if gaps:
        about = f"A hotfix of {intent.service} needs a little more."
        return asking.privately(fields.ask_for(about, gaps, ("hotfix", "start", intent.service), intent.said))
    try:
        its = await _branch(world, asking, rules, intent)
    except Rejected as error:
        return asking.refused("hotfix", target, Reply(f"No hotfix was begun: {error}"))
    what = its["version"] or its["branch"]  # of a version there is one: the books refuse a second at the same moment
    question = Question(Deed.HOTFIX, intent.service, intent.target, change=f"begin {what}")
    if any(one.question == question for one in await world.store.timers(question.place)):
        return asking.privately(Reply(f"A hotfix of {intent.service} is being made already: {what}."))
    now = world.clock.now()
    operation = Operation(
        id=operation_id(asking.request.id),
        question=question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=now + timedelta(hours=1),
        channel=asking.channel_of(intent.service),
        plan=None,
        phase=Phase.WATCHING,
        reason=intent.said.get("reason", ""),
        fields={key: value for key, value in intent.said.items() if key != "reason" and value},
        seen={BEGIN: {**its, "repository": policy.services[intent.service].repository}},
    )
    said = dict(intent.said)
    entry = Entry.of(operation, "hotfix", EntryPhase.RECORD, "asked", also=_about(its), private=said, by=asking.person)
    root = replace(_root(operation), request=asking.request.id)
    return Writes(operation=operation, creates=True, entries=(may.kept_in(entry),), messages=(root,), due=AT_ONCE)


def _gaps(rules: Hotfix, intent: StartHotfix) -> list[Gap]:
    gaps = fields.unsaid([key for key in rules.fields if key != "ticket"], intent.said, "a hotfix needs it")
    ticket = intent.said.get("ticket", "").strip()
    if not ticket:
        gaps.insert(0, Gap("ticket", "a hotfix needs one: its branch is called by it"))
    elif not re.fullmatch(rules.tickets, ticket):
        gaps.insert(0, Gap("ticket", f"`{ticket[:40]}` does not look like a ticket here ({rules.tickets})"))
    return gaps


async def _branch(world: World, asking: Asking, rules: Hotfix, intent: StartHotfix) -> dict[str, str]:
    """What it will be called, and where it begins. `Rejected`: there can be no such branch."""
    policy = asking.active.policy
    repository, ticket = policy.services[intent.service].repository, intent.said["ticket"].strip()
    at = await seen(world, policy, intent.service, intent.target)
    serving = at.serving
    if isinstance(serving, Unknown):
        raise Rejected(f"it is not known what {intent.target} serves: {serving.why}.")
    if serving.commit is None:
        raise Rejected(f"nobody recorded from which commit {intent.target} serves {short(serving.digest)}.")
    found = await known("its tags", world.code.tag(repository, serving.commit, rules.tags, None))
    if isinstance(found, Unknown):
        raise Rejected(f"{found.why}.")
    tag = "" if found is None else found.name
    version = ""
    if "{version}" in rules.branch:
        if not tag:
            says = f"{intent.target} serves {short(serving.commit)}, which bears no tag like {rules.tags}"
            raise Rejected(f"{says}, so the next version is not known. Tag it first.")
        version = await _next(world, repository, tag)
    branch = rules.branch.format(version=version, ticket=ticket)
    await _free(world, repository, rules, branch, version, serving.commit)
    return {"branch": branch, "at": serving.commit, "tag": tag, "version": version, "ticket": ticket}


async def _next(world: World, repository: str, tag: str) -> str:
    """The first patch after that version that nobody tagged: `1.4.3`."""
    version = _VERSION.fullmatch(tag)
    if version is None:
        raise Rejected(f"{tag} has no version with three numbers, so the next one is not known.")
    line, patch = version["line"], int(version["patch"])
    tags = await world.code.refs(repository, f"tags/{version['before']}{line}.")
    taken = {name.removeprefix("tags/") for name in tags}
    while f"{version['before']}{line}.{patch}" in taken or patch == int(version["patch"]):
        patch += 1
    return f"{line}.{patch}"


async def _free(world: World, repository: str, rules: Hotfix, branch: str, version: str, at: Sha) -> None:
    """Nobody works on that version already, and the branch is not there, or stands right where it would be made."""
    beginning = rules.branch.partition("{ticket}")[0].format(version=version)
    there = await world.code.refs(repository, f"heads/{beginning}")
    names = {name.removeprefix("heads/"): stands for name, stands in there.items()}
    if (stands := names.pop(branch, at)) != at:
        raise Rejected(f"{branch} is there already and stands at {short(stands)}, not at {short(at)}. Go on with it.")
    if version and "{version}" in rules.branch.partition("{ticket}")[0] and names:
        says = f"{listed(sorted(names))} {'is' if len(names) == 1 else 'are'} there already for {version}"
        raise Rejected(f"{says}. Go on there, or remove it if nobody needs it.")


async def look(operation: Operation, world: World) -> Writes:
    """One step of whatever it is."""
    return await _begin(operation, world) if BEGIN in operation.seen else await bring.look(operation, world)


async def _begin(operation: Operation, world: World) -> Writes:
    """The branch is there, and its card says how to go on; the intent stands in the books before it is made."""
    its: dict[str, Any] = operation.seen[BEGIN]
    detail = {"branch": its["branch"], "commit": its["at"], "tag": its["tag"]}
    if not its.get("intended"):
        intent = Entry.of(operation, "hotfix", EntryPhase.INTENT, "about to", BEGIN, also=_about(its), detail=detail)
        intended = replace(operation, seen={BEGIN: {**its, "intended": True}})
        return Writes(operation=intended, entries=(intent,), due=AT_ONCE)
    try:
        await _still(operation, world)
        await world.branches.begin(its["repository"], its["branch"], Sha(its["at"]))
    except (Conflict, Rejected) as error:
        ended = operation.ended(Phase.FAILED, str(error))
        what = "not happened"
    else:
        ended, what = operation.ended(Phase.DONE, ""), "confirmed"
    outcome = Entry.of(operation, "hotfix", EntryPhase.OUTCOME, what, BEGIN, also=_about(its), detail=detail)
    return Writes(operation=ended, entries=(outcome,), messages=(_root(ended),))


async def _still(operation: Operation, world: World) -> None:
    """It is there, or may be made as it was asked for: much may have happened while GitHub was away. `Rejected`: no."""
    its, question, policy = operation.seen[BEGIN], operation.question, world.policies.current().policy
    repository, branch, at = its["repository"], its["branch"], Sha(its["at"])
    if await world.code.head(repository, branch) == at:
        return
    if policy.hotfix is None or question.service not in policy.services:
        raise Rejected("The policy knows no hotfixes of it any more.")
    serving = (await seen(world, policy, question.service, question.target)).serving
    if isinstance(serving, Unknown):
        raise Unavailable(f"It is not known what {question.target} serves: {serving.why}.")
    if serving.commit != at:
        raise Rejected(f"{question.target} does not serve {short(at)} any more. Ask again.")
    await _free(world, repository, policy.hotfix, branch, its["version"], at)


def _about(its: Mapping[str, str]) -> dict[str, str]:
    return {"branch": its["branch"], "ticket": its["ticket"]}


def _root(operation: Operation) -> Message:
    its, service = operation.seen[BEGIN], operation.question.service
    states = {Phase.DONE: "is there", Phase.FAILED: "could not be made"}
    told: list[tuple[str, Text]] = [
        ("Asked by", (tell.who(operation.asked_by),)),
        (
            "From",
            (
                f"{its['tag']}, " if its["tag"] else "",
                Code(short(its["at"])),
                f", what {operation.question.target} serves",
            ),
        ),
        *([("Next version", (Bold(its["version"]),))] if its["version"] else []),
        ("Ticket", its["ticket"]),
        *([("Reason", operation.reason)] if operation.reason else []),
        *((tell.name(key), value) for key, value in operation.fields.items() if key != "ticket"),
    ]
    lines = [Line(Mark.NO, operation.note)] if operation.note else []
    if operation.phase is Phase.DONE:
        lines += [
            Line(Mark.NOTE, (Code(f"git fetch origin && git switch {shlex.quote(its['branch'])}"),)),
            Line(Mark.NOTE, "Put the fix there by a pull request: it waives no review and no check"),
        ]
    card = Reply(
        title=f"Hotfix of {service}: {its['branch']} {states.get(operation.phase, 'is being made')}.",
        fields=tuple(told),
        lines=tuple(lines),
        footer=texts((f"{operation.id} · asked ", When(operation.asked_at))),
    )
    return Message(operation.channel, card, operation=operation.id, slot="root")


# Elsewhere, too -------------------------------------------------------------------------------------------------------


async def port(intent: PortFix, asking: Asking) -> Writes:
    """The branches that lack it are looked for, and it is brought there; or why not was said privately."""
    world, policy, rules = asking.world, asking.active.policy, asking.active.policy.hotfix
    target = {"service": intent.service, "environment": intent.target, "what": intent.what}
    if rules is None:
        return asking.privately(Reply("This policy knows no hotfixes: it says nothing under `hotfix`."))
    may = await asking.may(Deed.HOTFIX, intent.service, intent.target)
    if not may.decision.allowed:
        reply = explain.refused("You may not have a fix brought elsewhere.", may.decision)
        return asking.refused("hotfix", target, reply, may)
    gaps = _porting_gaps(rules, intent)
    if gaps:
        words = ("hotfix", "port", intent.service, intent.what)
        about = f"To bring {intent.what[:12]} to other branches a little more is needed."
        return asking.privately(fields.ask_for(about, gaps, words, intent.said))
    repository = policy.services[intent.service].repository
    try:
        commits = await _named(world, repository, intent)
        able = await bring.lines(world, rules, repository, intent.to)
        _able(intent.to, able, rules)
    except Rejected as error:
        return asking.refused("hotfix", target, Reply(f"Nothing was begun: {error}"))
    now, id = world.clock.now(), operation_id(asking.request.id)
    fix = {
        "commit": commits[-1]["commit"],
        "commits": commits,
        "to": list(able),
        "typed": True,
        "thread": id,
        "ticket": intent.said["ticket"].strip(),
        "why": intent.said["reason"],
    }
    what = f"port {intent.what} to {' '.join(able)}"
    operation = Operation(
        id=id,
        question=Question(Deed.HOTFIX, intent.service, intent.target, change=what),
        asked_by=asking.person,
        asked_at=now,
        expires_at=now + LASTS,
        channel=asking.channel_of(intent.service),
        plan=None,
        phase=Phase.WATCHING,
        reason=intent.said["reason"],
        seen={FIX: fix},
    )
    entry = Entry.of(
        operation,
        "hotfix",
        EntryPhase.RECORD,
        "asked",
        also={"what": intent.what, "ticket": fix["ticket"]},
        detail={"commits": [one["commit"] for one in commits], "to": list(able)},
        private={"reason": operation.reason},
        by=asking.person,
    )
    title = f"{intent.service}: {intent.what[:12]} to {listed(able)}."
    root = replace(_porting(operation, title, fix["ticket"]), request=asking.request.id)
    return Writes(operation=operation, creates=True, entries=(may.kept_in(entry),), messages=(root,), due=AT_ONCE)


def _porting(operation: Operation, title: str, ticket: str) -> Message:
    """Its card."""
    asked_by = ("Asked by", (tell.who(operation.asked_by),))
    card = Reply(
        title=title,
        fields=(asked_by, ("Ticket", ticket), ("Reason", operation.reason)),
        footer=texts((f"{operation.id} · asked ", When(operation.asked_at))),
    )
    return Message(operation.channel, card, operation=operation.id, slot="root")


def _able(wanted: Iterable[str], able: Container[str], rules: Hotfix) -> None:
    """Each is there, and gets fixes."""
    unable = [name for name in wanted if name not in able]
    if unable:
        where = listed(rules.ports_to, "or")
        raise Rejected(f"{listed(unable)} is no branch there that gets fixes; those are like {where}.")


def _porting_gaps(rules: Hotfix, intent: PortFix) -> list[Gap]:
    gaps = fields.unsaid(("reason",), intent.said, "whoever reviews it must know why")
    ticket = intent.said.get("ticket", "").strip()
    if not re.fullmatch(rules.tickets, ticket):
        gaps.insert(0, Gap("ticket", f"it is followed up by one, and one looks like {rules.tickets}"))
    return gaps


async def _named(world: World, repository: str, intent: PortFix) -> list[dict[str, Any]]:
    """The commits that are meant, oldest first, each with the parent from which its change is counted."""
    if not intent.what.startswith("#"):
        made = await world.code.written(repository, Sha(intent.what))
        if len(made.parents) > 1 and not intent.mainline:
            raise Rejected(
                f"{short(made.commit)} is a merge: say `mainline:1` for what it brought to its first parent."
            )
        if intent.mainline > len(made.parents):
            raise Rejected(f"{short(made.commit)} has no parent number {intent.mainline}.")
        return [{"commit": made.commit, "mainline": intent.mainline or 1}]
    number = int(intent.what[1:])
    pull = await world.code.opened(repository, number)
    if pull.merged is None:
        raise Rejected(f"#{number} is not merged, so there is nothing to pick yet.")
    made = await world.code.written(repository, pull.merged)
    if len(made.parents) > 1:
        return [{"commit": made.commit, "mainline": 1}]
    found = [made.commit]  # of a rebase one for each of its commits, the last of which is told
    while len(made.parents) == 1:
        made = await world.code.written(repository, made.parents[0])
        if await world.code.came_by(repository, made.commit) != number:
            break
        if len(found) == COMMITS_MAX:
            raise Rejected(
                f"#{number} brought more than {COMMITS_MAX} commits; bring it by hand, or name them one by one."
            )
        found.append(made.commit)
    return [{"commit": commit, "mainline": 1} for commit in reversed(found)]
