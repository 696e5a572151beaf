"""Many random relaxations of the local GitHub by the bot's own steps, and deaths in between: what stands afterwards?

Each has a random protection, dies at random calls, and meets other people who change the rules meanwhile. What a dead
process was just sending may arrive seconds later. Afterwards everything is as it was, to the letter; or it is as somebody
else left it, and people were asked.
"""

from __future__ import annotations

import copy
import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.github import GitHubWorld
from bot.sandbox.github.rule_records import Protection
from commands import relax
from commands.errors import Rejected, ReleaseBotError
from commands.ports import EntryPhase, Guard, Lease, Writes
from policy.agreement import Relaxes
from policy.facts import ExceptionRecord
from policy.model import Person
from tests.bot.books import unsettled
from tests.bot.github_world import key_pair, violations
from tests.bot.sandbox.github_place import BREAK_GLASS, PROMOTER, Place
from tests.bot.sandbox.test_github_relaxation import protections_of, shown
from tests.bot.sandbox.test_github_rules import GATE, lets, reviews, rule
from tests.commands.test_crash import Died, Life, Mortal
from tests.conversation import Bot
from tests.world import HandClock, People, Town, story

NUMBER = int(os.environ.get("RELAXATIONS", "20"))
"""As many are played, half of them in each of two tests; 500 take a quarter of an hour."""
LATE = 4.0
"""Seconds: what a dead process sent arrives so much later at most."""
STEPS = 400
RULES: tuple[dict[str, Any], ...] = (
    {"type": "non_fast_forward"},
    {"type": "deletion"},
    {"type": "required_linear_history"},
    {"type": "required_signatures"},
)


@dataclass
class OnItsWay:
    """The port, through which what a dead process was sending arrives after its death."""

    port: Any
    clock: HandClock
    chance: random.Random
    late: list[tuple[datetime, Any]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def leaves(self, name: str, *said: Any, **named: Any) -> None:
        if name == "put" and self.chance.random() < 0.7:
            at = self.clock.now() + timedelta(seconds=self.chance.uniform(0, LATE))
            self.late.append((at, partial(self.port.put, *said, **named)))

    async def arrives(self) -> None:
        due = [send for at, send in self.late if at <= self.clock.now()]
        self.late = [(at, send) for at, send in self.late if at > self.clock.now()]
        for send in due:
            with suppress(ReleaseBotError):
                await send()


@dataclass
class AtOneCall(Life):
    """It dies at a random call, most often right before or after it changes what guards the branch."""

    def __init__(self, leaves: Any, chance: random.Random) -> None:
        super().__init__(chance.randint(0, 40), chance.random() < 0.5, leaves=leaves)
        self.name = chance.choice(("put", "put", "commit", "again", "carry_on", ""))

    def step(self, name: str, number: int, *, after: bool) -> None:
        here = (
            (name == self.name and after == self.after) if self.name else (number, after) == (self.ends_at, self.after)
        )
        if self.over or here:
            self.over = True
            raise Died(name)


def _mortal(port: Any, life: Life) -> Any:
    return port if isinstance(port, Mortal) else Mortal(port, life)


# What guards a branch ------------------------------------------------------------------------------------------------


async def guarded(place: Place, chance: random.Random) -> None:
    """A random protection of `main`: rulesets, classic protection, or both; some of it for other branches too."""
    records = place.world.repository(place.name).records
    records.rulesets.clear()
    records.protections.clear()
    kinds = chance.choice(("rulesets", "classic", "both"))
    if kinds != "classic":
        for _ in range(chance.randint(1, 2)):
            await _ruleset(place, chance)
    if kinds != "rulesets":
        await _classic(place, chance)
    if chance.random() < 0.2:
        place.world.rule_from_above(place.name, "everywhere", [{"type": "deletion"}])


async def _ruleset(place: Place, chance: random.Random) -> None:
    rules = [one for one in RULES if chance.random() < 0.5]
    if chance.random() < 0.8:
        checks: list[dict[str, Any]] = [{"context": f"check {number}"} for number in range(chance.randint(1, 3))]
        for check in checks:
            check.update({"integration_id": 15368} if chance.random() < 0.5 else {})
        strict = chance.random() < 0.5
        parameters = {**GATE["parameters"], "required_status_checks": checks}
        rules.append({**GATE, "parameters": {**parameters, "strict_required_status_checks_policy": strict}})
    if chance.random() < 0.8:
        rules.append(reviews(chance.randint(0, 4), require_code_owner_review=chance.random() < 0.5))
    chance.shuffle(rules)
    bypass = chance.choice(([], lets(BREAK_GLASS, "pull_request"), lets(PROMOTER)))
    on = chance.choice(("refs/heads/main", "~DEFAULT_BRANCH", "~ALL", "refs/heads/m*"))
    made = await rule(place, *(rules or [RULES[0]]), on=on, bypass=bypass)
    assert made.status == 201, made


async def _classic(place: Place, chance: random.Random) -> None:
    asks = place.asks()

    def some() -> list[str]:
        return [one for one in ("omar", "raj", "maya") if chance.random() < 0.4]

    checks = [{"context": f"c{number}", "app_id": chance.choice((-1, 15368))} for number in range(chance.randint(0, 3))]
    reviewed: dict[str, Any] = {
        "required_approving_review_count": chance.randint(0, 6),
        "dismiss_stale_reviews": chance.random() < 0.5,
        "require_code_owner_reviews": chance.random() < 0.5,
        "require_last_push_approval": chance.random() < 0.5,
    }
    if chance.random() < 0.4:
        reviewed["dismissal_restrictions"] = {"users": some(), "teams": []}
    if chance.random() < 0.4:
        reviewed["bypass_pull_request_allowances"] = {"users": some(), "teams": [], "apps": []}
    body: dict[str, Any] = {
        "required_status_checks": {"strict": chance.random() < 0.5, "checks": checks}
        if chance.random() < 0.7
        else None,
        "required_pull_request_reviews": reviewed if chance.random() < 0.7 else None,
        "restrictions": {"users": some(), "teams": [], "apps": []} if chance.random() < 0.4 else None,
        "enforce_admins": chance.random() < 0.5,
    }
    for name in ("required_linear_history", "allow_force_pushes", "allow_deletions", "lock_branch"):
        body[name] = chance.random() < 0.3
    assert (await asks("PUT", "branches/main/protection", body)).status == 200
    kept: dict[str, Protection] = place.world.repository(place.name).records.protections
    if chance.random() < 0.5:
        await asks("POST", "branches/main/protection/required_signatures")
    kept["main"].also = {"requiresDeployments": True, "requiredDeploymentEnvironments": ["stage"]}
    if chance.random() < 0.3:  # it is that of a pattern, which REST can only see
        kept["main"].pattern = "ma*"
        kept["ma*"] = kept.pop("main")


async def somebody_changes(place: Place, chance: random.Random) -> None:
    """Not us: one of the rules is another from now on."""
    asks, records = place.asks(), place.world.repository(place.name).records
    ours = [one for one in records.rulesets if one.source_type == "Repository"]
    if ours and (not records.protections or chance.random() < 0.5):
        made = chance.choice(ours)
        body = {
            "name": f"{made.name} of ours",
            "bypass_actors": made.bypass_actors,
            "rules": [*made.rules, *_one_more()],
        }
        assert (await asks("PUT", f"rulesets/{made.id}", body)).status == 200
    else:
        (made_,) = records.protections.values()
        made_.said["required_conversation_resolution"] = True


def _one_more() -> list[dict[str, Any]]:
    return [{"type": "branch_name_pattern", "parameters": {"operator": "starts_with", "pattern": "m"}}]


# One relaxation ------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What came of it, to be counted."""

    relaxed: int = 0
    deaths: int = 0
    late: int = 0
    changed: int = 0
    asked: int = 0


async def one(number: int, place: Place, town: Town, chance: random.Random, told: Told) -> None:
    """It is relaxed, and stands as it did afterwards."""
    protections = protections_of(place)
    wanted: tuple[Guard, ...] = ()
    while not wanted:
        await guarded(place, chance)
        what = tuple(chance.sample(list(Relaxes), chance.randint(1, 3)))
        try:
            wanted = protections.relaxed(await protections.guards(place.name, "main"), what)
        except Rejected:
            continue
    records = place.world.repository(place.name).records
    before, kept = await shown(place), copy.deepcopy((records.rulesets, records.protections))
    record = await begun(number, town, what)
    way = OnItsWay(protections, town.clock, chance)
    disturbs, deaths, changed = chance.random() < 0.25, chance.randint(0, 3), ""
    alarms, put_right = 0, False
    while True:  # one process after the other
        life = AtOneCall(way.leaves, chance) if deaths > 0 else Life()
        town.protections = Mortal(way, life)  # type: ignore[assignment]
        async with Bot(town, partial(_mortal, life=life)) as bot:
            for _ in range(STEPS):
                try:
                    await bot.rests()
                except Died:
                    break
                operation = await bot.store.operation(relax.runs_as(record.id))
                assert operation is not None
                if operation.over:
                    break
                if disturbs and relax.RELAXED in operation.seen and not changed:
                    await somebody_changes(place, chance)
                    changed, disturbs = await shown(place), False
                    told.changed += 1
                alarms += bool(await bot.store.obligations())
                if alarms > 3:  # somebody puts it right
                    assert changed or put_right, f"nobody but us changed anything: {operation.seen.get(relax.WHY)}"
                    records.rulesets, records.protections = copy.deepcopy(kept)
                    changed, put_right = "", True
                wait = await bot.store.next_due()
                town.clock.move(timedelta(seconds=max(0.05, min(2.0 if way.late else 31.0, wait or 0.0))))
                await way.arrives()
            else:
                raise AssertionError(f"it never ends: {operation}")
            assert not bot.surprises, bot.surprises
        if not life.over:
            break
        deaths -= 1
        told.deaths += 1
        told.late += len(way.late)
        town.clock.move(timedelta(seconds=chance.choice((0.1, 1, 40, 300))))
        await way.arrives()
    assert operation is not None
    told.asked += alarms > 0
    told.relaxed += relax.RELAXED in operation.seen
    if not changed:
        assert await shown(place) == before, (number, what)
        return
    # what somebody else changed was none of what we had relaxed, and is there still
    assert await only_theirs(place, kept, changed), (number, what)


async def only_theirs(place: Place, kept: Any, changed: str) -> bool:
    """Whether it stands as it did, but for what somebody else added."""
    now = await shown(place)
    records = place.world.repository(place.name).records
    theirs = (records.rulesets, records.protections)
    records.rulesets, records.protections = copy.deepcopy(kept)
    for one_, other in zip(records.rulesets, theirs[0], strict=True):
        if other.name.endswith(" of ours"):
            one_.name, one_.rules = f"{one_.name} of ours", [*one_.rules, *_one_more()]
    for mine, their in zip(records.protections.values(), theirs[1].values(), strict=True):
        if their.said.get("required_conversation_resolution"):
            mine.said["required_conversation_resolution"] = True
    expected = await shown(place)
    records.rulesets, records.protections = theirs
    return now == expected and bool(changed)


async def begun(number: int, town: Town, what: tuple[Relaxes, ...]) -> ExceptionRecord:
    """An exception that relaxes for some minutes, granted."""
    now, omar = town.clock.now(), Person(People.account("omar"), None, "omar")
    record = ExceptionRecord(
        id=f"X-{number}",
        kind="relaxation",
        waives=frozenset(),
        environment="prod",
        service="checkout",
        digest=None,
        asked_by=omar,
        asked_at=now,
        starts_at=now,
        ends_at=now + timedelta(minutes=2),
        fields={"relax": " ".join(one.value for one in what), "branch": "main", "reason": "x"},
        granted_by=(omar,),
        granted_at=now,
    )
    starts = relax.begins(record, town.policies.current().policy, "C0RELEASES", now)
    assert starts is not None
    async with Bot(town) as bot:
        await bot.store.commit(Writes(exceptions=(record,), starts=(starts,)))
    return record


@pytest.mark.requirement("S0-38")
@pytest.mark.parametrize("half", [0, 1])
async def test_what_guards_a_branch_stands_as_it_did_after_every_relaxation(half: int, tmp_path: Path) -> None:
    town = story(tmp_path)
    raw = town.policies.current().policy.model_dump(mode="python", by_alias=True)
    raw["environments"]["prod"]["branch"] = "main"
    raw["exceptions"]["relaxation"] = {
        "relaxes": [one.value for one in Relaxes],
        "approvals": [{"role": "release_manager"}],
        "longest": "PT4H",
    }
    told = Told()
    async with GitHubWorld(tmp_path / "github", town.clock) as world, aiohttp.ClientSession() as session:
        registered(world)
        place = await begin(world, session, town)
        raw["services"]["checkout"]["repository"] = place.name
        town.policies.adopt(environments=raw["environments"], exceptions=raw["exceptions"], services=raw["services"])
        for number in range(NUMBER // 2):
            await one(number, place, town, random.Random(f"{half} {number}"), told)
            wrong = violations(world.exchanges)
            assert not wrong, wrong[:3]
            world.exchanges.clear()
    async with Bot(town) as bot:
        assert await unsettled(bot.store) == ()
        assert (await bot.store.verify()).problems == ()
        outcomes = [one for one in await bot.store.newest(100_000) if one.phase is EntryPhase.OUTCOME]
    assert outcomes
    print(f"\n{NUMBER // 2} relaxations, 0 differences: {told}")
    assert told.relaxed > NUMBER // 4


def registered(world: GitHubWorld) -> None:
    """Both Apps: the one that promotes, and the one that is kept to relax."""
    for app, name in ((PROMOTER, "Release Bot"), (BREAK_GLASS, "Break Glass")):
        permissions = {"metadata": "read", "administration": "write"}
        world.register_app(app, key_pair()[1], app + 1000, name=name, permissions=permissions)


async def begin(world: GitHubWorld, session: aiohttp.ClientSession, town: Town) -> Place:
    return await Place.begin(world, session, town.clock)  # type: ignore[arg-type]


async def test_two_who_change_one_ruleset_in_the_same_moment_are_both_seen(tmp_path: Path) -> None:
    """GitHub takes a ruleset without a condition: what came between our look and our write is found in its history."""
    town = story(tmp_path)
    async with GitHubWorld(tmp_path / "github", town.clock) as world, aiohttp.ClientSession() as session:
        registered(world)
        place = await begin(world, session, town)
        raw = town.policies.current().policy.model_dump(mode="python", by_alias=True)
        raw["environments"]["prod"]["branch"] = "main"
        raw["services"]["checkout"]["repository"] = place.name
        raw["exceptions"]["relaxation"] = {
            "relaxes": ["checks"], "approvals": [{"role": "release_manager"}], "longest": "PT4H"
        }  # fmt: skip
        town.policies.adopt(environments=raw["environments"], exceptions=raw["exceptions"], services=raw["services"])
        await rule(place, GATE, RULES[0])
        before = await shown(place)
        protections = protections_of(place)

        class InBetween:
            """Somebody changes it between our look and our first write."""

            came = False

            def __getattr__(self, name: str) -> Any:
                return getattr(protections, name)

            async def put(self, repository: str, seen: Guard, wanted: Guard, lease: Lease) -> None:
                if not self.came:
                    self.came = True
                    await somebody_changes(place, random.Random(1))
                await protections.put(repository, seen, wanted, lease)

        town.protections = InBetween()  # type: ignore[assignment]
        await begun(1, town, (Relaxes.CHECKS,))
        async with Bot(town) as bot:
            for _ in range(10):
                await bot.rests()
                town.clock.move(timedelta(seconds=40))
            (settled,) = [one for one in await bot.store.newest(100) if one.detail.get("overwritten")]
        assert await shown(place) == before
        assert "Somebody else changed it in the same moment" in town.slack.messages[-1].now["text"] or any(
            "Somebody else changed it in the same moment" in message.now["text"] for message in town.slack.messages
        )
        assert settled.phase is EntryPhase.OUTCOME
