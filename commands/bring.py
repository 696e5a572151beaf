"""How does a fix come to every branch that must have it? Picked commit by commit, proposed, and owed until merged.

What production serves and another branch lacks is looked for once a promotion ended there, or where somebody asks.
Each branch that lacks it is an operation of its own: it picks the commits on top of that branch, begins a branch with
them, opens a pull request, and looks at it until it is merged. Every write is found where it was made already, so
whoever goes on after a crash repeats it without harm; nothing stands on any branch before all commits were picked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from commands import owed, unasked
from commands.errors import Conflict, Rejected
from commands.explain import texts
from commands.lacks import PORT, holds, lacks, squashed
from commands.notes import escaped, one_line
from commands.operation import Operation, Phase
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Link, Message, Opened, World, Writes, Written
from commands.record import BOT, operation_id
from commands.reply import Code, Line, Mark, Reply
from policy import duty
from policy.document import Hotfix, Policy
from policy.facts import Deed, Obligation
from policy.glob import like
from policy.model import Sha, short
from policy.wording import listed, role

FIX = "fix"
"""Key in what was seen: what is to be brought, and where to."""
AT_ONCE = timedelta(0)
LOOK = timedelta(minutes=5)
"""Between two looks at a pull request; word of GitHub's makes it sooner."""
REMINDS = timedelta(days=1)
"""So often people are told of one that is still open."""
LASTS = timedelta(days=3650)
"""It is looked after until it is merged or settled, not until a day."""
LINES_MAX = 50
"""So many branches get fixes; each is a pull request that somebody reviews, and that is looked at all day."""
CALLED_MAX = 5
"""So many commits are called by their names."""
COMMITS_MAX = 50
"""So many commits are picked for one branch, each with a dozen requests; more than that is no fix."""
TITLE_MAX = 200  # GitHub takes 256 (https://docs.github.com/rest/pulls/pulls#create-a-pull-request)
_WILD = re.compile(r"[*?]")
_LINE = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)$")
_VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.\d+")
_WORD = re.compile(r"[^\s,;:!?()\[\]{}<>\"']+")
_TRAILER = re.compile(r"[A-Za-z0-9-]+: .*|\(cherry picked from commit [0-9a-f]{40}\)")


# What begins it -------------------------------------------------------------------------------------------------------


def after(operation: Operation, plan: Plan, policy: Policy, now: datetime) -> Operation | None:
    """What looks whether this release must go to other branches, too; None: the policy has no hotfixes, or it is not
    known what came."""
    moved = operation.seen.get("branch:0", {}).get("commit")  # where a branch moved, that is what was released
    commit = moved or plan.commit
    if policy.hotfix is None or not plan.production or commit is None or plan.from_commit is None:
        return None
    said = {**operation.fields, **({"reason": operation.reason} if operation.reason else {})}
    typed = policy.hotfix.change is not None and operation.question.change == policy.hotfix.change
    fix = {
        "from": plan.from_commit,
        "commit": commit,
        "typed": typed,
        "thread": operation.id,
        "ticket": ticket_in(policy.hotfix, said.values()),
        "why": said.get("reason", ""),
    }
    return replace(unasked.after(operation, Deed.HOTFIX, now, LASTS), seen={FIX: fix})


def ticket_in(hotfix: Hotfix, words: Any) -> str:  # noqa: ANN401 (any texts)
    """The first ticket that stands in any of these texts, as a word or as part of an address; empty: none does."""
    said = (word.strip(".") for text in words for word in _WORD.findall(text))
    each = (part for word in said for part in (word, *word.split("/")))
    return next((part for part in each if re.fullmatch(hotfix.tickets, part)), "")


async def lines(world: World, hotfix: Hotfix, repository: str, wanted: Sequence[str] = ()) -> dict[str, Sha]:
    """The branches that must have fixes, and where each stands, in the policy's order; with `wanted`, those of them.

    `Rejected` where there are more than anybody means.
    """
    found: dict[str, Sha] = {}
    for pattern in hotfix.ports_to:
        if not _WILD.search(pattern):
            stands = await world.code.head(repository, pattern)
            found |= {} if stands is None else {pattern: stands}
            continue
        refs = await world.code.refs(repository, f"heads/{_WILD.split(pattern)[0]}")
        named = {name.removeprefix("heads/"): stands for name, stands in refs.items()}
        found |= {name: stands for name, stands in sorted(named.items()) if like(name, (pattern,))}
    alive = {
        name: stands
        for name, stands in found.items()
        if not like(name, hotfix.closed) and (not wanted or name in wanted)
    }
    if len(alive) > LINES_MAX:
        where = listed(hotfix.ports_to, "or")
        raise Rejected(f"{len(alive)} branches of {repository} are like {where}; fixes come to {LINES_MAX} at most.")
    return alive


# One look -------------------------------------------------------------------------------------------------------------


async def look(operation: Operation, world: World) -> Writes:
    """One step: which branches lack it, or one of them on its way."""
    policy = world.policies.current().policy
    if policy.hotfix is None or operation.question.service not in policy.services:
        says = "The policy knows no hotfixes any more."
        return Writes(operation=operation.ended(Phase.CANCELLED, says), entries=_left(operation, says))
    if PORT in operation.seen:
        return await _Port(operation, world, policy.hotfix).step()
    try:
        return await _spread(operation, world, policy, policy.hotfix)
    except Rejected as error:  # it would say the same tomorrow
        says = f"Whether other branches lack what this brought cannot be told: {error}"
        told = Message(
            operation.channel, Reply(f"{Mark.NO.value} {says}"), operation=operation.seen[FIX]["thread"], slot="brought"
        )
        return Writes(operation=operation.ended(Phase.FAILED, says), messages=(told,))


async def _spread(operation: Operation, world: World, policy: Policy, hotfix: Hotfix) -> Writes:
    """Each branch that lacks it gets an operation of its own, and something is owed for it."""
    fix, now = operation.seen[FIX], world.clock.now()
    service, place = policy.services[operation.question.service], operation.place
    repository, commit, typed = service.repository, Sha(fix["commit"]), fix["typed"]
    targets = await lines(world, hotfix, repository, fix.get("to", ()))
    came = await _came(world, repository, fix)
    missing: dict[str, list[Link]] = {}
    for name, stands in targets.items():
        alone = await _lacking(world, repository, came, fix, stands)
        if alone:
            missing[name] = alone
    exact = [name for name in hotfix.ports_to if not _WILD.search(name)]
    if not typed and not fix.get("commits") and not missing.keys() & exact:
        missing = {}  # work goes on where it came from: no hotfix
    if not missing:
        return _done(operation, fix)
    tag = await world.code.tag(repository, commit, hotfix.tags, None)
    first = next(iter(missing.values()))
    ticket = fix["ticket"] or ticket_in(
        hotfix, [(await world.code.written(repository, one.commit)).message for one in first]
    )
    about = {"tag": tag.name if tag else "", "ticket": ticket, "why": fix["why"], "thread": fix["thread"]}
    begun = await world.store.timers(place)
    starts, owes = [], []
    for name, alone in missing.items():
        what = f"{_called([one.commit for one in alone])} into {name}"
        if any(one.question.change == what for one in begun):
            continue
        duty_of = duty.of_hotfix(fix["thread"], place, what, now, policy)
        its = {**about, "to": name, "obligation": "" if duty_of is None else duty_of.id, "step": "pick"}
        its["commits"] = [_commit(one, fix) for one in alone]
        port = unasked.begin(Deed.HOTFIX, what, place, operation.channel, now, now + LASTS)
        one_each = operation_id(f"{operation.id} {name}")  # whatever that branch lacks by then
        starts.append((replace(port, id=one_each, seen={PORT: its}), AT_ONCE))
        owes += [] if duty_of is None else [duty_of]
    says = f"{listed(list(missing))} {'lacks' if len(missing) == 1 else 'lack'} what this brought; it is brought there."
    told = Message(operation.channel, Reply(f"{Mark.NOTE.value} {says}"), operation=fix["thread"], slot="brought")
    return Writes(
        operation=operation.ended(Phase.DONE, ""),
        starts=tuple(starts),
        obligations=tuple(owes),
        entries=tuple(owed.entry(one, fix["thread"]) for one in owes),
        messages=(told, *owed.told(operation.channel, fix["thread"], owes)),
    )


def _done(operation: Operation, fix: Mapping[str, Any]) -> Writes:
    """Nobody lacks it; only who asked is told."""
    says = Reply(f"{Mark.YES.value} No branch lacks it: nothing is to be done.")
    told = (Message(operation.channel, says, operation=fix["thread"], slot="brought"),) if fix.get("commits") else ()
    return Writes(operation=operation.ended(Phase.DONE, ""), messages=told)


async def _came(world: World, repository: str, fix: Mapping[str, Any]) -> tuple[Link, ...]:
    """The commits in question, oldest first: those that were named, or all that the release brought."""
    if named := fix.get("commits"):
        found = [await world.code.written(repository, Sha(one["commit"])) for one in named]
        return tuple(Link(one.commit, one.message.partition("\n")[0], one.parents) for one in found)
    return await world.code.lineage(repository, Sha(fix["from"]), Sha(fix["commit"]))


async def _lacking(
    world: World, repository: str, came: Sequence[Link], fix: Mapping[str, Any], line: Sha
) -> list[Link]:
    """Those of them that this line has in no form. A merge brings something of its own only where somebody named it."""
    if not fix.get("commits"):
        alone = {link.commit for link in await lacks(world, repository, line, Sha(fix["commit"]))}
        return [link for link in came if link.commit in alone]
    return [link for link in came if not await _there(world, repository, line, link)]


async def _there(world: World, repository: str, line: Sha, link: Link) -> bool:
    """Whether that one commit is in the line, in whatever form."""
    if await holds(world, repository, line, link.commit):
        return True
    if len(link.parents) < 2:
        return link.commit not in {one.commit for one in await lacks(world, repository, line, link.commit)}
    brought = await world.code.lineage(repository, link.commit, line)
    return any(link.commit in {one.picked_from, *one.origins} for one in brought)


def _called(commits: Sequence[Sha]) -> str:
    """`5c1d234 and 77aa812`, `12 commits up to 5c1d234`."""
    many = len(commits) > CALLED_MAX
    return f"{len(commits)} commits up to {short(commits[-1])}" if many else listed(list(map(short, commits)))


def _commit(link: Link, fix: Mapping[str, Any]) -> dict[str, Any]:
    """As it is kept: which parent its change is counted from is said of a merge."""
    said = {one["commit"]: one["mainline"] for one in fix.get("commits", ())}
    merge = len(link.parents) > 1
    return {
        "commit": link.commit,
        "title": one_line(link.title)[:TITLE_MAX],
        "mainline": said.get(link.commit, 1),
        "merge": merge,
    }


# One branch -----------------------------------------------------------------------------------------------------------


class _Port:
    """One branch on its way to have the fix, for one step."""

    def __init__(self, operation: Operation, world: World, hotfix: Hotfix) -> None:
        self.operation, self.world, self.hotfix = operation, world, hotfix
        self.its: dict[str, Any] = operation.seen[PORT]
        self.policy, self.now = world.policies.current().policy, world.clock.now()
        self.repository = self.policy.services[operation.question.service].repository

    async def step(self) -> Writes:
        duties = await self.world.store.obligations(self.operation.question.service)
        owes = next((one for one in duties if one.id == self.its["obligation"]), None)
        if owes is None and self.its["obligation"]:
            return self._over(None, "Somebody settled it.", "settled by somebody")
        try:
            return await self._goes(owes)
        except Rejected as error:  # it may be settled in another way
            return self._complains(f"GitHub does not go on with it: {str(error).rstrip('.')}")

    async def _goes(self, owes: Obligation | None) -> Writes:
        match self.its["step"]:
            case "pick":
                return await self._pick(owes)
            case "begin":
                return await self._begin()
            case "propose":
                return await self._propose()
            case "label":
                return await self._label()
            case _:
                return await self._watch(owes)

    # What is written ------------------------------------------------------------------------------------------------

    def _goes_on(self, *, due: timedelta = AT_ONCE, told: Reply | None = None, slot: str = "", **its: Any) -> Writes:  # noqa: ANN401 (whatever is kept)
        seen = {**self.operation.seen, PORT: {**self.its, **its}}
        messages = () if told is None else (self._said(told, slot),)
        return Writes(operation=replace(self.operation, seen=seen), messages=messages, due=due)

    def _said(self, reply: Reply, slot: str) -> Message:
        return Message(self.operation.channel, reply, operation=self.its["thread"], slot=f"{self.operation.id}:{slot}")

    def _entry(self, phase: EntryPhase, what: str, **detail: Any) -> Entry:  # noqa: ANN401 (plain JSON)
        return _entry(self.operation, phase, what, **detail)

    # Its steps ------------------------------------------------------------------------------------------------------

    async def _pick(self, owes: Obligation | None) -> Writes:
        """The next commit is picked on top of those before; the intent stands in the books before the first is."""
        its = self.its
        if not its.get("onto"):
            stands = await self.world.code.head(self.repository, its["to"])
            if stands is None:
                return self._over(owes, f"There is no branch {its['to']} any more.", "no branch", settles=True)
            intent = self._entry(
                EntryPhase.INTENT, "about to", commits=[one["commit"] for one in its["commits"]], onto=stands
            )
            return replace(self._goes_on(onto=stands, picked=[], branch=self._branch()), entries=(intent,))
        done = len(its["picked"])
        if len(its["commits"]) > COMMITS_MAX:
            return self._by_hand(f"more than {COMMITS_MAX} commits are not picked one by one")
        if done == len(its["commits"]):
            if its["onto"] == self._tip():
                return self._not_needed(owes)
            return self._goes_on(step="begin")
        one = its["commits"][done]
        written = await self.world.code.written(self.repository, Sha(one["commit"]))
        try:
            made = await self.world.branches.picked(
                self.repository,
                onto=self._tip(),
                commit=written.commit,
                mainline=one["mainline"],
                message=message_of(written),
            )
        except Rejected as error:
            return self._by_hand(str(error))
        return self._goes_on(picked=[*its["picked"], made])

    def _tip(self) -> Sha:
        made = [sha for sha in self.its["picked"] if sha is not None]
        return Sha(made[-1] if made else self.its["onto"])

    def _not_needed(self, owes: Obligation | None) -> Writes:
        says = f"{self._what()} would change nothing in {self.its['to']}: it is there already."
        return self._over(owes, says, "there already", settles=True)

    async def _begin(self) -> Writes:
        """The branch is there, with all of it."""
        try:
            await self.world.branches.begin(self.repository, self.its["branch"], self._tip())
        except Conflict as error:
            other = f"forward-port/{self.operation.id}/{self.its['to']}"
            return self._by_hand(str(error)) if self.its["branch"] == other else self._goes_on(branch=other)
        except Rejected as error:
            return self._by_hand(str(error))
        return self._goes_on(step="propose")

    async def _propose(self) -> Writes:
        """The pull request is open."""
        its = self.its
        numbers = {await self.world.code.came_by(self.repository, Sha(one["commit"])) for one in its["commits"]}
        pulls = sorted(number for number in numbers if number is not None)
        try:
            number = await self.world.branches.propose(
                self.repository,
                source=its["branch"],
                target=its["to"],
                title=self._title(),
                body=self._body(pulls),
            )
        except Rejected as error:
            return self._by_hand(str(error))
        return self._goes_on(step="label", number=number, pulls=pulls)

    async def _label(self) -> Writes:
        """It bears its labels, and people read that it is open."""
        its, labels = self.its, self._labels()
        without = ""
        try:
            await self.world.branches.label(self.repository, its["number"], labels)
        except Rejected as error:
            without = f" It bears no labels: {error}"
        outcome = self._entry(
            EntryPhase.OUTCOME,
            "confirmed",
            pull_request=its["number"],
            branch=its["branch"],
            originals=its["pulls"],
            commits=[one["commit"] for one in its["commits"]],
            ticket=its["ticket"],
        )
        says = f"{Mark.YES.value} #{its['number']} brings {self._what()} to {its['to']}, from {its['branch']}.{without}"
        told = Reply(says, lines=(Line(Mark.NOTE, "It is owed until that is merged."),) if its["obligation"] else ())
        goes_on = self._goes_on(step="watch", reminded=self.now.isoformat(), told=told, slot="open", due=LOOK)
        return replace(goes_on, entries=(outcome,))

    def _by_hand(self, why: str) -> Writes:
        """No pull request brings it; whoever owes it reads exactly what to do."""
        its = self.its
        left = f"{its['branch']} holds it already." if self._begun else "Nothing was left there."
        outcome = self._entry(EntryPhase.OUTCOME, "not happened", says=why)
        lines = tuple(Line(Mark.NOTE, (Code(line),)) for line in self.commands())
        wants = [word for word in (its["ticket"], its["tag"]) if word]
        describe = f" Name {listed(wants)} in its description." if wants else ""
        whose = f" That is for {role(self.hotfix.owes.owner)}." if its["obligation"] else ""
        told = Reply(
            f"{Mark.NO.value} {self._what()} cannot be brought to {its['to']} by itself: {why.rstrip('.')}. "
            f"{left}{whose}{describe}",
            lines=lines,
        )
        goes_on = self._goes_on(step="watch", reminded=self.now.isoformat(), told=told, slot="by hand", due=LOOK)
        return replace(goes_on, entries=(outcome,))

    @property
    def _begun(self) -> bool:
        """Whether its branch stands with all of it, and only the pull request is missing."""
        return bool(self.its["step"] == "propose")

    def commands(self) -> tuple[str, ...]:
        """What a person types who does it by hand; whoever may push a branch has named it, so names are quoted."""
        its = self.its
        branch, to, from_ = map(shlex.quote, (its["branch"], its["to"], f"origin/{its['to']}"))
        picks = [
            " ".join(("git cherry-pick -x", *([f"-m {one['mainline']}"] if one["merge"] else []), one["commit"]))
            for one in its["commits"]
        ]
        begin = (
            "git fetch origin",
            f"git switch -c {branch} {from_}",
            *picks,
            "git add -A && git cherry-pick --continue  # after each conflict that you have put right",
            f"git push origin {branch}",
        )
        return (*(() if self._begun else begin), f"gh pr create --base {to} --head {branch}")

    # Until it is merged ---------------------------------------------------------------------------------------------

    async def _watch(self, owes: Obligation | None) -> Writes:
        """Settled once it is merged, by whomever and however it came; until then people are told of it each day."""
        its = self.its
        if like(its["to"], self.hotfix.closed):
            return self._over(owes, f"{its['to']} gets no fixes any more.", "closed", settles=True)
        pull = await self.world.code.opened(self.repository, its["number"]) if its.get("number") else None
        if pull is not None and pull.merged is not None and pull.target == its["to"] and await self._ours(pull):
            return self._came(owes, pull)
        stands = await self.world.code.head(self.repository, its["to"])
        if stands is None:
            return self._over(owes, f"There is no branch {its['to']} any more.", "no branch", settles=True)
        by = None if stands == its.get("looked") else await self._came_otherwise(stands)
        if by is not None:
            return self._came(owes, by) if by else self._complains(f"it came to {its['to']} by no pull request")
        self.its = {**its, "looked": stands}  # looked through again only once it moved
        if pull is not None and not pull.open and pull.merged is None:
            return self._complains(f"#{pull.number} was closed and not merged; open it again, or bring it otherwise")
        return self._reminds()

    async def _ours(self, pull: Opened) -> bool:
        """Whether what was merged still holds what we picked."""
        return await holds(self.world, self.repository, pull.head, self._tip())

    async def _came_otherwise(self, stands: Sha) -> Opened | Literal[False] | None:
        """The pull request by which others brought it; False: they brought it by none; None: it is not there."""
        commits = [Sha(one["commit"]) for one in self.its["commits"]]
        written = [await self.world.code.written(self.repository, commit) for commit in commits]
        came = [Link(one.commit, "", one.parents) for one in written]
        if not all([await _there(self.world, self.repository, stands, link) for link in came]):
            return None
        brought = await self.world.code.lineage(self.repository, commits[-1], stands)
        linked = [link for link in brought if {link.picked_from, *link.origins} & set(commits)]
        by = {} if linked else await squashed(self.world, self.repository, stands, brought)
        number = next((by[commit] for commit in commits if commit in by), None)
        if number is None:
            number = await self.world.code.came_by(self.repository, linked[-1].commit if linked else commits[-1])
        return False if number is None else await self.world.code.opened(self.repository, number)

    def _came(self, owes: Obligation | None, pull: Opened) -> Writes:
        """It is there, and its pull request says what it is for."""
        lacking = [word for word in (self.its["ticket"], self.its["tag"]) if word and not _names(pull, word)]
        if lacking:
            return self._complains(f"#{pull.number} is merged, but does not name {listed(lacking)} in its description")
        says = f"{self._what()} came to {self.its['to']} by #{pull.number}."
        return self._over(owes, says, "merged", settles=True, pull_request=pull.number)

    def _complains(self, why: str) -> Writes:
        """Said once, and then with each day's reminder."""
        if self.its.get("why_not") == why:
            return self._reminds()
        told = Reply(f"{Mark.NO.value} {self._what()} is not settled for {self.its['to']}: {why}.")
        return self._goes_on(why_not=why, told=told, slot=f"why:{why}", due=LOOK)

    def _reminds(self) -> Writes:
        its = self.its
        since = self.now - datetime.fromisoformat(its.get("reminded") or self.operation.asked_at.isoformat())
        if since < REMINDS:
            return self._goes_on(due=min(LOOK, REMINDS - since))
        how = f"#{its['number']} is open" if its.get("number") else "it is to be done by hand"
        why = f"; {its['why_not']}" if its.get("why_not") else ""
        told = Reply(f"{Mark.NOTE.value} {its['to']} still lacks {self._what()}: {how}{why}.")
        return self._goes_on(reminded=self.now.isoformat(), told=told, slot=f"day:{self.now:%Y-%m-%d}", due=LOOK)

    # The end --------------------------------------------------------------------------------------------------------

    def _settled(self, owes: Obligation | None) -> tuple[Entry, ...]:
        if owes is None:
            return ()
        return (Entry("obligation", EntryPhase.RECORD, "settled", BOT, self.operation.id, "", owed.target_of(owes)),)

    def _over(self, owes: Obligation | None, says: str, what: str, *, settles: bool = False, **detail: Any) -> Writes:  # noqa: ANN401 (plain JSON)
        entries = (*_left(self.operation, what), self._entry(EntryPhase.OBSERVATION, what, **detail))
        settled = (replace(owes, settled_at=self.now),) if owes is not None and settles else ()
        told = self._said(Reply(f"{Mark.YES.value} {says}"), "over")
        return Writes(
            operation=self.operation.ended(Phase.DONE, says),
            entries=(*entries, *(self._settled(owes) if settles else ())),
            obligations=settled,
            messages=(told,),
        )

    # In words -------------------------------------------------------------------------------------------------------

    def _what(self) -> str:
        return _called([one["commit"] for one in self.its["commits"]])

    def _backport(self) -> str:
        """`1.6`, where it goes to an older line than that it was made for; empty: it goes forward."""
        line, made_for = _LINE.search(self.its["to"]), _VERSION.search(self.its["tag"])
        if line is None:
            return ""
        ours = (int(made_for["major"]), int(made_for["minor"])) if made_for else None
        theirs = (int(line["major"]), int(line["minor"]))
        return line[0] if ours is None or theirs < ours else ""

    def _branch(self) -> str:
        line, ticket = self._backport(), self.its["ticket"]
        if line and ticket:
            return f"backport/{ticket}-to-{line}"
        return f"{'backport' if line else 'forward-port'}/{self.operation.id}/{self.its['to']}"

    def _labels(self) -> tuple[str, ...]:
        line = self._backport()
        return ("backport", f"backport:{line}") if line else ("forward-port",)

    def _title(self) -> str:
        its, more = self.its, len(self.its["commits"]) - 1
        of = its["tag"] or short(its["commits"][-1]["commit"])
        about = f" ({its['ticket']})" if its["ticket"] and its["ticket"] not in its["commits"][0]["title"] else ""
        where = f"{f' and {more} more' if more else ''} ({of} into {its['to']})"[:TITLE_MAX]
        return f"{its['commits'][0]['title']}{about}"[: TITLE_MAX - len(where)] + where

    def _body(self, pulls: Sequence[int]) -> str:
        """What a reviewer should know, under headings that gates can read; a squash keeps where it is from."""
        its = self.its
        originals = [f"- #{number}" for number in pulls]
        originals += [f"- {one['commit']} {escaped(one['title'])}" for one in its["commits"]]
        parts = {
            "Why": escaped(its["why"]) or "It serves production, and must not be lost here.",
            "Original": "\n".join(originals),
            "Ticket": _plainly(its["ticket"]) or "none was named",
            "Release": _plainly(its["tag"]) or "it bears no version tag",
            "Divergence": "None: each commit was picked without a conflict.",
            "Picked from": "\n".join(f"(cherry picked from commit {one['commit']})" for one in its["commits"]),
        }
        return "\n\n".join(f"## {name}\n{said}" for name, said in parts.items())


def _entry(operation: Operation, phase: EntryPhase, what: str, **detail: Any) -> Entry:  # noqa: ANN401 (plain JSON)
    about = {"branch": operation.seen[PORT]["to"]}
    return Entry.of(operation, "port", phase, what, "port", also=about, detail=detail)


def _left(operation: Operation, says: str) -> tuple[Entry, ...]:
    """The end of what was intended for a branch and is left in the middle."""
    its = operation.seen.get(PORT, {})
    if not its.get("onto") or its["step"] == "watch":
        return ()
    happened = "not happened" if its["step"] == "pick" else "unknown"
    return (_entry(operation, EntryPhase.OUTCOME, happened, says=says),)


def _names(pull: Opened, word: str) -> bool:
    """Whether it speaks of that, and not of `ABC-99` where `ABC-9` is meant."""
    found = re.search(rf"(?<![\w-]){re.escape(word)}(?![.-]?\w)", f"{pull.title}\n{pull.body}")
    return found is not None


def _plainly(word: str) -> str:
    """A name that somebody else chose, as it is where it does nothing in a description."""
    return word if re.fullmatch(r"[\w./-]*", word) else escaped(word)


def message_of(written: Written) -> str:
    """Its own words and where it was picked from, as git writes it; and whose it is, for we commit it."""
    said = written.message.rstrip()
    last = said.rpartition("\n\n")[2].splitlines() if "\n\n" in said else []
    gap = "\n" if last and all(_TRAILER.fullmatch(line) for line in last) else "\n\n"
    name = re.sub(r"[<>\r\n]", "", written.author)
    address = f"{name}@users.noreply.github.com" if written.account else ""
    return f"{said}{gap}(cherry picked from commit {written.commit})\nCo-authored-by: {name} <{address}>"


def line(operation: Operation) -> Line:
    """For `status`."""
    its = operation.seen.get(PORT)
    if its is None:
        return Line(Mark.NOTE, f"{operation.place}: which branches lack a fix is being looked at")
    how = f"#{its['number']} is open" if its.get("number") else "on its way" if its["step"] != "watch" else "by hand"
    return Line(Mark.NOTE, texts(f"{operation.place}: {operation.question.change}, {how}"))
