"""What others change around us is told once, by name, and the next promotion starts from what is really there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.drift_watch import DriftWatch
from commands.drift import NOBODY, Ours, accepted, compared, left, marks, otherwise, sight
from commands.operation import Operation, Phase
from commands.places import At, Seen
from commands.ports import (
    Configuration,
    Deployment,
    Recorded,
    Request,
    Revision,
    Running,
    Share,
    Sight,
    Watched,
)
from policy.facts import Deed, Question
from policy.model import Digest, Human, Person, Place, Sha
from policy.settings import Configured
from tests.bot.books import plan
from tests.conversation import Bot, plays
from tests.world import DAY, HOUR, START, Town, digest, revision_of, site_of

PROD = Place("checkout", "prod")
R0, R1, R2 = (revision_of("checkout", number) for number in range(3))
IMAGES = [f"registry/acme/app@sha256:{letter * 64}" for letter in "abc"]
BASE = Sight({"r-1": 100}, IMAGES[0], {"service account": "1", "variable TIMEOUT": "2"})


# Comparing ----------------------------------------------------------------------------------------------------------


def configuration(**main: Any) -> Configuration:
    return Configuration(Configured(**main), image=IMAGES[0])


def test_marks_tell_a_change_and_not_the_value() -> None:
    before = configuration(variables={"A": "1", "B": "1"}, secrets={"S": "projects/p/secrets/S/versions/1"})
    one = marks(before, "salt")
    assert marks(before, "salt") == one
    assert set(one) == {"variable A", "variable B", "secret S", "service account", "databases"}
    assert one["variable A"] != one["variable B"], "equal values of two variables look alike to nobody"
    assert set(marks(before, "other").values()).isdisjoint(one.values())
    after = replace(before, main=replace(before.main, secrets={"S": "projects/p/secrets/S/versions/2"}))
    assert {name for name, mark in marks(after, "salt").items() if one[name] != mark} == {"secret S"}
    beside = replace(before, beside={"proxy": Configured({"A": "1"})})
    assert set(marks(beside, "salt")) - set(one) == {"variable proxy/A"}


def test_a_place_that_we_do_not_change_is_looked_at_for_what_is_set_there_only() -> None:
    running = Running(
        site_of("checkout"), "1", True, (Share("r-1", 60), Share("r-1", 40, "x"), Share("r-2", 0, "y")), ()
    )
    assert sight(running, configuration(), "s", ours_to_change=True).traffic == {"r-1": 100}
    other = sight(running, configuration(), "s", ours_to_change=False)
    assert (other.traffic, other.image) == ({}, "")
    assert otherwise(BASE, replace(BASE, traffic={}, image="")) == ()


@pytest.mark.parametrize(
    ("now", "names"),
    [
        (BASE, ()),
        (replace(BASE, traffic={"r-2": 100}), ("traffic",)),
        (replace(BASE, traffic={"r-1": 50, "r-2": 50}), ("traffic",)),
        (replace(BASE, image=IMAGES[1]), ("image",)),
        (replace(BASE, image="mirror/app@" + IMAGES[0].partition("@")[2]), ()),
        (replace(BASE, image="registry/acme/app:latest"), ("image", "image by a tag")),
        (replace(BASE, marks={"service account": "1", "variable TIMEOUT": "3"}), ("variable TIMEOUT",)),
        (replace(BASE, marks={"service account": "1"}), ("variable TIMEOUT",)),
        (replace(BASE, marks={**BASE.marks, "secret DB": "9"}), ("secret DB",)),
    ],
)
def test_what_looks_otherwise_is_named(now: Sight, names: tuple[str, ...]) -> None:
    assert otherwise(BASE, now) == names


def looked(before: Watched | None, now: Sight, ours: Ours = NOBODY, hours: int = 0) -> tuple[Watched, tuple[str, ...]]:
    return compared(PROD, before, now, ours, START + hours * HOUR, "salt")


CALM = looked(None, BASE)[0]
ASTRAY = replace(BASE, traffic={"r-2": 100})


def test_a_place_that_was_never_looked_at_is_as_it_is_unless_we_left_it_otherwise() -> None:
    assert looked(None, BASE) == (Watched(PROD, "salt", BASE, BASE), ())
    ours = Ours({"r-1": 100}, "op_1", IMAGES[0], BASE.marks)
    assert looked(None, BASE, ours)[1] == ()
    assert looked(None, ASTRAY, ours)[1] == ("traffic",)
    assert looked(None, replace(BASE, image=IMAGES[1]), ours)[1] == ("image",)
    assert looked(None, replace(BASE, marks={}), ours)[1] == ("service account", "variable TIMEOUT")


def test_a_change_is_new_once_and_stands_until_it_is_undone() -> None:
    first, new = looked(CALM, ASTRAY, hours=1)
    assert (new, first.changed, first.since) == (("traffic",), ("traffic",), START + HOUR)
    second, new = looked(first, ASTRAY, hours=2)
    assert (second, new) == (first, ())
    more, new = looked(first, replace(ASTRAY, marks={}), hours=3)
    assert new == ("service account", "variable TIMEOUT")
    assert more.since == START + HOUR
    back, new = looked(first, BASE, hours=4)
    assert (new, back.changed, back.since) == (("traffic",), (), None)


def test_what_a_release_of_ours_put_there_is_no_change_of_others() -> None:
    released = replace(BASE, traffic={"r-2": 100}, image=IMAGES[1])
    known, new = looked(CALM, released, Ours({"r-2": 100}, "op_2", IMAGES[1], BASE.marks))
    assert (new, known.changed, known.expected, known.operation) == ((), (), released, "op_2")


def test_what_was_changed_before_a_release_is_told_even_where_the_release_took_it_along() -> None:
    changed = {**BASE.marks, "variable TIMEOUT": "7"}
    released = Sight({"r-2": 100}, IMAGES[1], changed)
    known, new = looked(CALM, released, Ours({"r-2": 100}, "op_2", IMAGES[1], changed))
    assert (new, known.changed) == (("variable TIMEOUT",), ())


def test_what_is_changed_right_after_a_release_is_no_part_of_it() -> None:
    released = Sight({"r-2": 100}, IMAGES[1], {**BASE.marks, "variable TIMEOUT": "7"})
    known, new = looked(CALM, released, Ours({"r-2": 100}, "op_2", IMAGES[1], BASE.marks))
    assert (new, known.changed) == (("variable TIMEOUT",), ("variable TIMEOUT",))


def test_a_release_that_went_back_to_what_others_had_put_there_does_not_make_it_ours() -> None:
    astray = looked(CALM, ASTRAY)[0]
    known, new = looked(astray, ASTRAY, Ours({"r-2": 100}, "op_3", IMAGES[2], None))
    assert (new, known.changed) == ((), ("traffic",))


def test_what_others_may_change_is_expected_from_then_on() -> None:
    changed = replace(ASTRAY, marks={})
    ours = Ours({"r-1": 100}, "op_1", IMAGES[0], BASE.marks)
    known = accepted(looked(CALM, changed, ours)[0])
    assert (known.expected, known.changed, known.since, known.salt) == (changed, (), None, "salt")
    assert looked(known, changed, ours) == (known, ())


def test_a_place_that_becomes_ours_to_change_is_taken_as_it_is() -> None:
    theirs = looked(None, replace(BASE, traffic={}, image=""))[0]
    known, new = looked(theirs, BASE)
    assert (new, known.changed, known.expected) == ((), (), BASE)
    assert looked(known, replace(ASTRAY, image=IMAGES[1]))[1] == ("traffic", "image")


@pytest.mark.parametrize(
    ("revision", "state", "minutes", "verified"),
    [
        ("r-1", "success", 0, True),
        ("", "success", 5, True),
        ("r-0", "success", 5, False),
        ("r-1", "success", -1, False),
        ("r-1", "failure", 5, False),
    ],
)
def test_only_the_very_revision_that_was_recorded_as_a_success_is_verified(
    revision: str, state: str, minutes: int, verified: bool
) -> None:
    made = Revision("r-1", IMAGES[0], digest("checkout", 1), True, "", START)
    at = START + timedelta(minutes=minutes)
    record = Deployment(1, "prod", Sha("c" * 40), made.digest, "", state, at, revision)
    share = (Share("r-1", 100),)
    seen = Seen("prod", At(Running(site_of("checkout"), "1", True, share, share), made), (record,))
    assert (seen.verified is not None) is verified


def ended(phase: Phase, **changes: Any) -> Operation:
    maya = Person("slack:T0ACME/U0MAYA", Human("maya"), "maya")
    question = Question(Deed.PROMOTE, "checkout", "prod", "stage")
    return Operation("op_1", question, maya, START, START + DAY, "C0", plan(), phase, **changes)


@pytest.mark.parametrize(
    ("phase", "revision"),
    [
        (Phase.DONE, "checkout-r-3f3f3f3f3f3f"),
        (Phase.WATCHING, "checkout-r-3f3f3f3f3f3f"),
        (Phase.ROLLED_BACK, "checkout-r-a1a1a1a1a1a1"),
        (Phase.FAILED, "checkout-r-a1a1a1a1a1a1"),
        (Phase.CANCELLED, "checkout-r-a1a1a1a1a1a1"),
        (Phase.UNCERTAIN, None),
        (Phase.RUNNING, None),
        (Phase.GOING_BACK, None),
    ],
)
def test_what_an_operation_left_is_known_by_how_it_ended(phase: Phase, revision: str | None) -> None:
    assert left(ended(phase)) == (None if revision is None else {revision: 100})
    assert left(replace(ended(phase), plan=None)) is None


# As people hear it --------------------------------------------------------------------------------------------------


def rename(name: str) -> str:
    return name.replace("-", "_")


def somebody_deploys(town: Town, name: str, made: Digest, environment: str = "prod") -> None:
    """Not us: a revision that no operation made, with all the traffic."""
    site = site_of("checkout", environment)
    town.runs.add(site, name, made, None, town.clock.now())


async def drifts(town: Town) -> list[Recorded]:
    """What the ledger says of it, oldest first."""
    async with Bot(town) as bot:
        return [row for row in reversed(await bot.store.newest(200)) if row.kind == "drift"]


LOOKS = "… it looks around"


@pytest.mark.requirement("D-13", "S3-04", "S1-33", "S4-136")
async def test_a_revision_that_nobody_asked_for_is_told_once_and_shown(town: Town) -> None:
    await plays(LOOKS, town)
    somebody_deploys(town, "checkout-by-hand", digest("checkout", 2))
    page = """
    … it looks around
    bot: Somebody changed checkout in prod around me: traffic and image.
         • It serves 100 % checkout-by-hand now.
         • No release of mine did this; who did, and from where, I cannot tell.
         • The next promotion starts from what is there, and nobody verified that.
    … it looks around
    gus: /release status checkout
    bot → gus: Status of checkout: nothing under way.
         …
         ! checkout in prod: changed around me: traffic and image (seen Tue 24 Nov 2026 09:00 UTC)
    gus: /release log checkout
    bot → gus: The last …
         • #… release-bot: drift changed around → prod (traffic, image)
         …
    """
    await plays(page, town)
    await plays("… it looks around", town)
    (entry,) = await drifts(town)
    assert (entry.what, entry.phase, entry.target) == (
        "changed around",
        "observation",
        {"service": "checkout", "environment": "prod"},
    )
    assert entry.detail["changed"] == ["traffic", "image"]
    assert entry.detail["serving"] == [{"revision": "checkout-by-hand", "percent": 100}]
    assert entry.detail["window"] == {"name": "office_hours", "open": True}


@pytest.mark.requirement("S4-137", "S4-253", "D-12", "D-13")
async def test_what_somebody_sets_by_night_is_told_by_name_and_that_the_window_was_closed(town: Town) -> None:
    site = site_of("checkout")
    usual = Configured({"TIMEOUT": "30", "OLD": "1"}, {"KEY": "projects/p/secrets/K/versions/1"}, "app@acme-prod")
    town.settings.always(site, usual)
    await plays(LOOKS, town)
    town.clock.move(timedelta(hours=13, minutes=10))
    town.settings.somebody_sets(
        site, Configured({"TIMEOUT": "hunter2"}, {"KEY": "projects/p/secrets/K/versions/2"}, "app@acme-stage")
    )
    await plays(
        """
    … it looks around
    bot: Somebody changed checkout in prod around me: secret KEY, service account, variable OLD and variable TIMEOUT.
         ✗ The window office_hours is closed.
         • No release of mine did this; who did, and from where, I cannot tell.
         • The next promotion starts from what is there, and nobody verified that.
    """,
        town,
    )
    (entry,) = await drifts(town)
    assert entry.detail["window"] == {"name": "office_hours", "open": False}
    assert entry.at - START < timedelta(hours=13, minutes=20)
    async with Bot(town) as bot:
        everything = [*await bot.store.newest(100), *await bot.store.watched()]
    assert "hunter2" not in str(everything) + str(town.slack.messages)


async def test_what_is_changed_back_is_told_and_no_longer_shown(town: Town) -> None:
    await plays(LOOKS, town)
    town.runs.somebody_moves(site_of("checkout"), **{rename(R0): 100})
    await plays(LOOKS + "\nbot: Somebody changed checkout in prod around me: traffic.", town)
    town.runs.somebody_moves(site_of("checkout"), **{rename(R1): 100})
    await plays(
        f"""
    … it looks around
    bot: Somebody changed checkout in prod around me: traffic.
         • It serves 100 % {R1} now.
         • No release of mine did this; who did, and from where, I cannot tell.
         • So it is as I left it again.
    gus: /release status checkout
    bot → gus: Status of checkout: nothing under way.
         • checkout in stage: 100 % …
         • checkout in prod: 100 % …
    """,
        town,
    )


async def test_who_wrote_last_is_said_where_cloud_run_says_it(town: Town) -> None:
    await plays(LOOKS, town)
    town.settings.somebody_sets(site_of("checkout"), Configured({"A": "1"}), by="ci@acme.iam")
    await plays(
        """
    … it looks around
    bot: Somebody changed checkout in prod around me: service account, variable A and variable APP_ENV.
         • No release of mine did this; who did, and from where, I cannot tell. Cloud Run names ci@acme.iam as who …
         …
    """,
        town,
    )
    (entry,) = await drifts(town)
    assert entry.private == {"by": "ci@acme.iam"}


async def promoted(town: Town, until: Callable[[], bool] = lambda: False) -> None:
    """Maya asks, Omar agrees, and it goes through, or so far."""
    async with Bot(town) as bot:
        await bot.hears(_request(town, "maya", "promote checkout stage→prod"))
        (operation,) = await bot.store.open_operations()
        assert operation.plan is not None
        await bot.hears(_request(town, "omar", f"approve {operation.id} plan:{operation.plan.hash[:8]}"))
        await bot.rests(until)
        assert not bot.surprises


def _request(town: Town, who: str, words: str) -> Request:
    return Request(words, words, town.people.account(who), "C0RELEASES", at=town.clock.now())


async def test_a_release_of_ours_is_nothing_that_others_changed(town: Town) -> None:
    await plays(LOOKS, town)
    await promoted(town)
    assert town.runs.serving("checkout") == digest("checkout", 2)
    await plays(LOOKS, town)
    assert await drifts(town) == []
    town.runs.somebody_moves(site_of("checkout"), **{rename(R1): 100})
    await plays(LOOKS + "\nbot: Somebody changed checkout in prod around me: traffic.", town)


async def test_what_others_changed_is_ours_once_a_release_started_from_it(town: Town) -> None:
    await plays(LOOKS, town)
    town.settings.somebody_sets(site_of("checkout"), Configured({"A": "1"}))
    await plays(LOOKS + "\nbot: Somebody changed …", town)
    await promoted(town)
    await plays(LOOKS, town)
    async with Bot(town) as bot:
        assert [each.changed for each in await bot.store.watched() if each.place == PROD] == [()]


async def test_a_promotion_after_a_change_starts_from_what_really_serves_and_holds_it_for_nothing_good(
    town: Town,
) -> None:
    await plays(LOOKS, town)
    somebody_deploys(town, "checkout-by-hand", digest("checkout", 1))
    await plays(LOOKS + "\nbot: Somebody changed checkout in prod around me: traffic.", town)
    await promoted(town)
    async with Bot(town) as bot:
        good = [each.revision for each in await bot.store.known_good(PROD)]
        (operation,) = [
            await bot.store.operation(row.operation) for row in await bot.store.newest(50) if row.what == "began"
        ]
    assert operation is not None
    assert operation.plan is not None
    assert operation.plan.from_revision == "checkout-by-hand"
    assert good == [R2], "the digest was verified once, but not as somebody made it anew"


async def test_a_request_that_waits_is_planned_anew_at_once(town: Town) -> None:
    await plays(LOOKS, town)
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: …
    """,
        town,
    )
    town.runs.somebody_moves(site_of("checkout"), **{rename(R0): 100})
    await plays(
        """
    … it looks around
    bot: Somebody changed checkout in prod around me: traffic.
    bot: What would be done has changed: from digest, from revision, from commit. Approvals start again.
    """,
        town,
    )


async def test_while_something_of_ours_is_moving_nobody_looks(town: Town) -> None:
    await plays(LOOKS, town)
    await promoted(town, lambda: town.runs.traffic("checkout").get(R2, 0) == 10)
    assert town.runs.traffic("checkout") == {R1: 90, R2: 10}
    async with Bot(town) as bot:
        watch = DriftWatch(bot.world)
        await watch.look()
        await watch.look()
    assert await drifts(town) == []


async def test_two_that_look_at_once_tell_it_once(town: Town) -> None:
    await plays(LOOKS, town)
    somebody_deploys(town, "checkout-by-hand", digest("checkout", 2))
    async with Bot(town) as one, Bot(town) as other:
        watches = DriftWatch(one.world), DriftWatch(other.world)
        for _ in range(2):
            await asyncio.gather(*(watch.look() for watch in watches))
    assert len(await drifts(town)) == 1


async def test_one_old_answer_is_no_change(town: Town) -> None:
    await plays(LOOKS, town)
    town.runs.stale.extend([False, True])  # stage is looked at first
    await plays(LOOKS, town)
    assert not town.runs.stale
    assert await drifts(town) == []


async def test_while_somebody_is_changing_it_nothing_is_told(town: Town) -> None:
    await plays(LOOKS, town)
    town.settings.somebody_sets(site_of("checkout"), Configured({"A": "1"}))
    town.runs.somebody_is_busy(site_of("checkout"), timedelta(minutes=2))
    await plays(LOOKS, town)
    town.clock.move(timedelta(minutes=5))
    await plays(LOOKS + "\nbot: Somebody changed checkout in prod around me: …", town)


async def test_what_cannot_be_read_is_looked_at_later(town: Town) -> None:
    town.settings.unreadable.add(site_of("checkout"))
    await plays(LOOKS, town)
    async with Bot(town) as bot:
        assert PROD not in {each.place for each in await bot.store.watched()}
        assert Place("search", "prod") in {each.place for each in await bot.store.watched()}


async def test_where_no_promotion_leads_traffic_is_others_business_and_settings_are_not(town: Town) -> None:
    await plays(LOOKS, town)
    somebody_deploys(town, "checkout-next", digest("checkout", 0), "stage")
    await plays(LOOKS, town)
    assert await drifts(town) == []
    town.settings.somebody_sets(
        site_of("checkout", "stage"), Configured({"A": "1"}, {}, "app@acme-stage.iam.gserviceaccount.com")
    )
    await plays(LOOKS + "\nbot: Somebody changed checkout in stage around me: variable A and variable APP_ENV.", town)


async def test_a_place_that_the_policy_moves_elsewhere_is_looked_at_for_the_first_time(town: Town) -> None:
    await plays(LOOKS, town)
    services = town.policies.current().policy.model_dump(mode="python", by_alias=True)["services"]
    elsewhere = site_of("checkout-v2")
    for number in (0, 1):
        town.runs.add(elsewhere, f"checkout-v2-{number}", digest("checkout", number), None, START)
    cloud_run = {**services["checkout"]["cloud_run"], "prod": elsewhere}
    town.policies.adopt(services={**services, "checkout": {**services["checkout"], "cloud_run": cloud_run}})
    await plays(LOOKS, town)
    assert await drifts(town) == []
    town.runs.somebody_moves(elsewhere, checkout_v2_0=100)
    await plays(LOOKS + "\nbot: Somebody changed checkout in prod around me: traffic.", town)


async def test_without_a_channel_those_hear_it_who_asked_for_the_last_change(town: Town) -> None:
    services = town.policies.current().policy.model_dump(mode="python", by_alias=True)["services"]
    town.policies.adopt(
        services={name: {**its, "channel": None} for name, its in services.items()}, to_prod={"informs": ()}
    )
    await plays(LOOKS, town)
    town.runs.somebody_moves(site_of("checkout"), **{rename(R0): 100})
    await plays(LOOKS, town)
    assert len(await drifts(town)) == 1, "nobody hears it, and it stands in the books"
    await promoted(town)
    await plays(LOOKS, town)
    before = len(town.slack.messages)
    there = town.runs.places[site_of("checkout")]
    stamp = there.operation
    town.runs.somebody_moves(site_of("checkout"), **{rename(R0): 100})
    there.operation = stamp  # as most clients do: they keep what they do not know
    await plays(LOOKS + "\nbot: Somebody changed checkout in prod around me: traffic.", town)
    assert [message.channel for message in town.slack.messages[before:]] == ["C0RELEASES"]


@pytest.mark.parametrize(
    ("environment", "version", "minutes", "told"),
    [("stage", 3, 60, False), ("stage", 3, 61, True), ("stage", 0, 1, True), ("prod", 3, 1, True)],
)
async def test_what_another_road_deployed_and_recorded_is_told_in_production_only(
    town: Town, environment: str, version: int, minutes: int, told: bool
) -> None:
    await plays(LOOKS, town)
    site, now = site_of("checkout", environment), town.clock.now()
    town.settings.somebody_sets(site, Configured({"VERSION": "3"}))
    somebody_deploys(town, "checkout-next", digest("checkout", 3), environment)
    made = digest("checkout", version)
    at = now - timedelta(minutes=minutes)
    town.github.add_deployment("acme/checkout", Sha("c" * 40), environment, made, "checkout-next", at)
    await plays(LOOKS + (f"\nbot: Somebody changed checkout in {environment} around me: …" if told else ""), town)
    await plays(LOOKS, town)
    async with Bot(town) as bot:
        (known,) = [each for each in await bot.store.watched() if each.place == Place("checkout", environment)]
    assert bool(known.changed) is told
