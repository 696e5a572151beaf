"""What if the process dies? Right before each call that it makes anywhere, and right after each that changes something.

Each run is the whole story with one death in it. The next process opens the same books and goes on; the people involved
say again what was not taken down, as Slack does. At the end the world must be what it is without a death.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.store import Store
from commands.carry_out import advance
from commands.ports import EntryPhase, Recorded, Request, Writes
from policy.evidence import Tag
from policy.facts import Deed
from tests.bot.books import unsettled
from tests.commands.test_branch_merge import BRANCHES, CANDIDATE, SERVING
from tests.conversation import Bot
from tests.world import Behaviour, People, Town, Write, digest, revision_of, site_of, story

CHANGING: tuple[str, ...] = ("take", "commit", "carry_on", "claim", "give_up", "let_go", "deploy", "shift", "record_")
CHANGING += ("propose", "merge", "reverted", "begin", "move", "append", "draft", "attach", "publish")


EACH = int(os.environ.get("DEATHS", "4"))
"""Of the deaths only each so-manieth is died, which takes minutes as it is; `DEATHS=1` dies them all."""


class Died(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


@dataclass
class Life:
    """Counts the calls of one process, and ends it at one of them."""

    ends_at: int = -1
    """Number of the call; -1: never."""
    after: bool = False
    """Right after that call has had its effect, or right before."""
    calls: list[str] = field(default_factory=list)
    over: bool = False
    leaves: Callable[..., None] = lambda *_, **__: None
    """Told of the call that it ended right before: what was sent arrives nevertheless."""

    def step(self, name: str, number: int, *, after: bool) -> None:
        if self.over or (number, after) == (self.ends_at, self.after):
            self.over = True
            raise Died(name)


class Mortal:
    """A port of which each call may be the last."""

    def __init__(self, port: Any, life: Life) -> None:
        self._port = port
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            number = len(self._life.calls)
            self._life.calls.append(name)
            try:
                self._life.step(name, number, after=False)
            except Died:
                self._life.leaves(name, *arguments, **named)
                raise
            answer = await found(*arguments, **named)
            self._life.step(name, number, after=True)
            return answer

        return call


@dataclass(frozen=True)
class Tale:
    """Who says what, one after another; `{op}` and `{plan}` are of the newest open request."""

    service: str
    said: Sequence[tuple[str, str]]
    bad: str = "payments"
    """Whose build fails."""


PROMOTED = (("maya", "promote {service} stage→prod"), ("omar", "approve {op} plan:{plan}"))
GOOD = Tale("checkout", PROMOTED)
BAD = Tale("payments", PROMOTED)
BACK = Tale("checkout", (("ines", "rollback checkout reason:errors"),))
SEVERAL_BACK = Tale("checkout", (("ines", "rollback shop reason:errors"),))
TOGETHER = (("maya", "promote shop stage→prod"), ("omar", "approve {op} plan:{plan}"))
TOGETHER_AND_BACK = Tale("payments", TOGETHER, bad="checkout")
BACK_IN_BETWEEN = Tale("checkout", (*PROMOTED, ("ines", "rollback checkout")))


async def _says(tale: Tale, index: int, store: Store) -> Request:
    who, words = tale.said[index]
    newest = (await store.open_operations())[-1:]
    for operation in newest:
        plan = operation.plan.hash[:8] if operation.plan else ""
        words = words.replace("{op}", operation.id).replace("{plan}", plan)
    return Request(f"r{index}", words.replace("{service}", tale.service), People.account(who), "C0RELEASES")


async def play(tale: Tale, town: Town, life: Life, *, interrupts: Callable[[Town], bool] | None = None) -> None:
    """The whole tale; where the process dies, another one goes on. `interrupts`: when the last words come."""
    books: list[Store] = []
    gaps: list[str] = []

    async def witness(write: Write) -> None:
        """Sees whether the intent stands in the books before the world changes."""
        open_ones = [entry for entry in await unsettled(books[-1]) if entry.operation == write.operation]
        wanted = {share.revision: share.percent for share in write.shares}
        intended = [{s["revision"]: s["percent"] for s in entry.detail.get("shares", ())} for entry in open_ones]
        if wanted not in intended:
            gaps.append(f"{write} without an intent; there were {intended}")

    town.runs.witness = witness
    index = 0
    said: Request | None = None
    while index < len(tale.said):
        async with Bot(town, partial(Mortal, life=life)) as bot:
            books.append(bot.store)
            try:
                await bot.answers()
                while index < len(tale.said):
                    if said is None:
                        last = index == len(tale.said) - 1
                        await bot.rests((lambda: interrupts(town)) if last and interrupts else lambda: False)
                        said = await _says(tale, index, bot.store)
                    await bot.hears(said)  # said again where the process died: the same deed has the same id
                    index, said = index + 1, None
                await bot.rests()
            except BaseException:
                if not life.over:
                    raise
                town.clock.move(town.runs.settles_after)
                life = Life()
    async with Bot(town) as bot:
        books.append(bot.store)
        await bot.answers()
        await bot.rests()
        while any(one.question.deed is Deed.PUBLISH for one in await bot.store.timers()):  # nothing waits for that
            town.clock.move(timedelta(seconds=5))
            await bot.rests()
        assert not gaps, gaps
        await _audited(town, bot)


async def _audited(town: Town, bot: Bot) -> None:
    """The books are whole, and claim nothing that did not happen."""
    assert await bot.store.open_operations() == ()
    assert await unsettled(bot.store) == ()
    verified = await bot.store.verify()
    assert verified.problems == ()
    entries = await bot.store.newest(10_000)
    for entry in entries:
        if entry.phase is EntryPhase.OUTCOME and entry.what == "confirmed":
            assert _happened(entry, town), entry


def _happened(entry: Recorded, town: Town) -> bool:
    if entry.kind in {"branch", "log"}:
        pulls, told = town.github.moving.pulls, entry.detail
        if any(told.get("commit") in {at.commit for at in made} for made in town.github.commits.values()):
            return True
        return any(pull.number == told.get("pull_request") for pull in pulls) or told["commit"] in town.github.links
    if entry.kind == "release":
        return any(made.release.id == entry.detail["release"] for made in town.releases.made)
    if entry.kind == "deployment":
        records = town.github.records[f"acme/{entry.target['service']}"]
        return any(record.deployment.id == entry.detail["deployment"] for record in records)
    claimed = {line["revision"]: line["percent"] for line in entry.detail["serving"]}
    return claimed in town.runs.ever_served(site_of(entry.target["service"]))


async def became(town: Town) -> dict[str, Any]:
    """What is true in the end, without times."""
    async with Bot(town) as bot:
        entries = await bot.store.newest(10_000)
        ends = {
            e.operation: e.what for e in reversed(entries) if e.kind == "operation" and e.phase is EntryPhase.RECORD
        }
        return {
            "traffic": {s: town.runs.traffic(s) for s in ("checkout", "payments", "search")},
            "tags": {s: town.runs.tags(s) for s in ("checkout", "payments", "search")},
            "revisions": {site: sorted(place.revisions) for site, place in town.runs.places.items()},
            "github": {s: sorted(town.github.told(s)) for s in ("checkout", "payments", "search")},
            "branches": {name: town.github.moving.tree(at) for name, at in sorted(town.github.branches.items())},
            "pulls": [(one.source, one.target, one.merged is not None) for one in town.github.moving.pulls],
            "logged": sorted(line.partition(": ")[2] for line in _headings(town)),
            "releases": [(one.release.tag, one.release.public, sorted(one.holds)) for one in town.releases.made],
            "held": [(hold.place, hold.digest) for hold in await bot.store.holds()],
            "ends": sorted(ends.items()),
        }


def _headings(town: Town) -> list[str]:
    return [line for text in town.github.moving.files.values() for line in text.splitlines() if line.startswith("##")]


async def every_death(
    tale: Tale,
    directory: Path,
    interrupts: Callable[[Town], bool] | None = None,
    begins: Callable[[Path], Town] | None = None,
) -> None:
    begins = begins or _town
    alive, town = Life(), begins(directory / "alive")
    await play(tale, town, alive, interrupts=interrupts)
    expected, splits = await became(town), town.runs.ever_served(site_of(tale.service))
    changes = [write.changed for write in town.runs.writes]
    assert len(alive.calls) > 30
    deaths = [(number, False) for number in range(len(alive.calls))]
    deaths += [(number, True) for number, name in enumerate(alive.calls) if name.startswith(CHANGING)]
    for number, after in deaths[len(tale.said) % EACH :: EACH]:
        town = begins(directory / f"{number}-{after}")
        life = Life(number, after)
        where = f"died {'after' if after else 'before'} call {number}, {alive.calls[number]}"
        try:
            await play(tale, town, life, interrupts=interrupts)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        assert life.over, f"{where}: it never got there"
        assert await became(town) == expected, where
        assert town.runs.ever_served(site_of(tale.service)) == splits, where
        assert [write.changed for write in town.runs.writes if write.changed] == [c for c in changes if c], where


def _town(directory: Path, bad: str = "payments") -> Town:
    directory.mkdir()
    town = story(directory)
    town.runs.behaviours = {digest(bad, 2): town.runs.behaviours[digest("payments", 2)]}
    # A short road, so that every death on it can be died.
    town.policies.change(
        rollout={"steps": [{"percent": 10, "hold": "PT1S"}, {"percent": 100, "hold": "PT1S"}], "smoke": [{"path": "/"}]}
        | {"health": {"max_error_percent": 1, "min_requests": 20}}
    )
    town.metrics.per_second = {site_of(service): 1000.0 for service in ("checkout", "payments")}
    return town


def _merging(directory: Path) -> Town:
    """The same along a path that merges branches."""
    town = _town(directory)
    (path,) = town.policies.current().policy.model_dump(mode="python", by_alias=True)["paths"]
    town.policies.adopt(environments=BRANCHES, to_prod={"model": "branch_merge", "rollout": path["rollout"]})
    town.github.branches |= {"stage": CANDIDATE, "main": SERVING}
    return town


def _merging_badly(directory: Path) -> Town:
    town = _merging(directory)
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    return town


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_merge_of_branches_survives_every_death(tmp_path: Path) -> None:
    await every_death(GOOD, tmp_path, begins=_merging)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_taking_a_merge_back_survives_every_death(tmp_path: Path) -> None:
    await every_death(GOOD, tmp_path, begins=_merging_badly)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_rollback_of_a_merge_survives_every_death(tmp_path: Path) -> None:
    await every_death(
        Tale("checkout", (*PROMOTED, ("ines", "rollback checkout reason:errors"))), tmp_path, begins=_merging
    )


def _forward(directory: Path) -> Town:
    """The same along a path that moves a branch forward, with a log."""
    town = _town(directory)
    (path,) = town.policies.current().policy.model_dump(mode="python", by_alias=True)["paths"]
    log = {"file": "docs/RELEASE_LOG.md", "branch": "main"}
    to_prod = {"model": "fast_forward", "rollout": path["rollout"], "log": log}
    town.policies.adopt(environments=BRANCHES | _RELEASE, to_prod=to_prod)
    town.github.branches |= {"main": CANDIDATE, "release": SERVING}
    return town


_RELEASE = {"stage": BRANCHES["stage"] | {"branch": "main"}, "prod": BRANCHES["prod"] | {"branch": "release"}}


def _forward_badly(directory: Path) -> Town:
    town = _forward(directory)
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    return town


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_branch_that_moves_forward_and_its_log_survive_every_death(tmp_path: Path) -> None:
    await every_death(GOOD, tmp_path, begins=_forward)


@pytest.mark.requirement("D-07", "S1-26")
@pytest.mark.slow
async def test_a_branch_that_goes_back_once_that_is_agreed_to_survives_every_death(tmp_path: Path) -> None:
    agreed = Tale("checkout", (*PROMOTED, ("omar", "approve {op} plan:{plan}")))
    await every_death(agreed, tmp_path, begins=_forward_badly)


def _releasing(directory: Path) -> Town:
    """The same, and a release is made of what shipped."""
    town = _town(directory)
    town.policies.adopt(to_prod={"release": {"tag": r"^v\d+$"}})
    town.github.tags[CANDIDATE] = Tag("v2", CANDIDATE, annotated=True, verified=True)
    return town


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_release_at_github_survives_every_death_and_is_made_once(tmp_path: Path) -> None:
    alive, town = Life(), _releasing(tmp_path / "alive")
    await play(GOOD, town, alive)
    expected = await became(town)
    assert expected["releases"] == [("v2", True, ["release.json"])]
    begins = alive.calls.index("draft") - 12
    deaths = [(number, False) for number in range(begins, len(alive.calls))]
    deaths += [(number, True) for number, _ in deaths if alive.calls[number].startswith(CHANGING)]
    for number, after in deaths:
        town, life = _releasing(tmp_path / f"{number}-{after}"), Life(number, after)
        await play(GOOD, town, life)
        assert life.over
        assert await became(town) == expected, f"died at call {number}, {alive.calls[number]}"


@pytest.mark.requirement("D-07", "S3-25")
@pytest.mark.slow
async def test_a_promotion_survives_every_death(tmp_path: Path) -> None:
    await every_death(GOOD, tmp_path)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_taking_a_bad_build_back_survives_every_death(tmp_path: Path) -> None:
    await every_death(BAD, tmp_path)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_rollback_survives_every_death(tmp_path: Path) -> None:
    await every_death(BACK, tmp_path)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_several_rollbacks_one_after_the_other_survive_every_death(tmp_path: Path) -> None:
    await every_death(SEVERAL_BACK, tmp_path)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
async def test_a_set_of_which_one_goes_bad_survives_every_death(tmp_path: Path) -> None:
    await every_death(TOGETHER_AND_BACK, tmp_path)


def _at_ten(town: Town) -> bool:
    return town.runs.traffic("checkout").get(revision_of("checkout", 2)) == 10


@pytest.mark.requirement("D-06")
@pytest.mark.slow
async def test_a_rollback_that_pre_empts_a_rollout_survives_every_death(tmp_path: Path) -> None:
    await every_death(BACK_IN_BETWEEN, tmp_path, _at_ten)


@pytest.mark.requirement("D-07")
@pytest.mark.parametrize("tale", [GOOD, BACK], ids=["promotion", "rollback"])
async def test_github_hears_once_of_what_arrives_after_the_death_of_whoever_said_it(tale: Tale, tmp_path: Path) -> None:
    alive, town = Life(), _town(tmp_path / "alive")
    await play(tale, town, alive)
    expected = await became(town)
    for number in [number for number, name in enumerate(alive.calls) if name.startswith("record_")]:
        town = _town(tmp_path / str(number))
        await play(tale, town, Life(number, leaves=town.github.on_its_way))
        assert town.github.late == []
        assert await became(town) == expected, alive.calls[number]


@pytest.mark.requirement("D-07")
@pytest.mark.parametrize("bad", [False, True], ids=["merged", "taken back"])
async def test_a_branch_moves_once_of_what_arrives_after_the_death_of_whoever_sent_it(
    bad: bool,
    tmp_path: Path,
) -> None:
    begins = _merging_badly if bad else _merging
    alive, town = Life(), begins(tmp_path / "alive")
    await play(GOOD, town, alive)
    expected = await became(town)
    writes = [number for number, name in enumerate(alive.calls) if name in {"propose", "merge", "begin"}]
    assert len(writes) == (4 if bad else 2)
    for number in writes:
        town = begins(tmp_path / str(number))
        await play(GOOD, town, Life(number, leaves=town.github.on_its_way))
        assert town.github.late == []
        assert await became(town) == expected, alive.calls[number]


@pytest.mark.requirement("D-07")
async def test_whoever_wakes_it_meanwhile_does_not_have_github_hear_it_twice(tmp_path: Path) -> None:
    alive, town = Life(), _town(tmp_path / "alive")
    await play(GOOD, town, alive)
    expected = await became(town)
    town = _town(tmp_path / "woken")
    await _dies(town, Life(alive.calls.index("record_deployment"), leaves=town.github.on_its_way))
    assert town.github.late, "somebody died while telling it"
    async with Bot(town) as bot:
        for _ in range(5):
            (operation,) = await bot.store.open_operations()
            await bot.store.commit(Writes(wakes=(operation.id,)))
            going = await bot.store.claim()
            while going is not None:
                going = await bot.store.carry_on(await advance(*going, bot.world), going[1])
        await bot.rests()
    assert await became(town) == expected


async def _dies(town: Town, life: Life) -> None:
    """A promotion until that death; nobody goes on yet."""
    async with Bot(town, partial(Mortal, life=life)) as bot:
        with suppress(Died):
            await bot.answers()
            for index in range(len(GOOD.said)):
                await bot.rests()
                await bot.hears(await _says(GOOD, index, bot.store))
            await bot.rests()
    assert life.over


async def test_the_tales_end_as_they_should(tmp_path: Path) -> None:
    town = _town(tmp_path / "good")
    await play(GOOD, town, Life())
    assert town.runs.serving("checkout") == digest("checkout", 2)
