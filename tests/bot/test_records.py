from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from commands.errors import Conflict
from commands.manifest import Manifest, ManifestRecord, Pinned, known_good
from commands.ports import Sight, Taken, Watched, Writes
from policy.facts import ExceptionRecord, Freeze, Obligation, Verdict
from policy.model import Digest, Person, Place, Sha
from tests.bot.books import CHECKOUT, HOUR, MAYA, OMAR, START, created, entry, exception, obligation, opened, vote

pytestmark = pytest.mark.usefixtures("database")

MINUTE = timedelta(minutes=1)
FREEZE = Freeze(
    "F-1",
    "prod",
    None,
    START,
    START + 4 * HOUR,
    "quarter end",
    "Omar Said",
    "books closed",
    approved=False,
    lapses_at=START + HOUR,
    fields={"re-enable-plan": "the “usual” one: ask finance → open"},
)


# Votes --------------------------------------------------------------------------------------------------------------


async def test_what_a_voter_states_besides_is_kept_with_the_vote(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        stated = replace(vote(), confirms=frozenset({"coverage", "go-live.backup"}))
        await store.commit(Writes(votes=(("op_1", stated),)))
        assert await store.votes("op_1") == (stated,)
        taken_back = replace(stated, withdrawn_at=START + HOUR)
        await store.commit(Writes(votes=(("op_1", taken_back),)))
        assert await store.votes("op_1") == (taken_back,)


async def test_who_agrees_again_and_states_more_has_voted_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        first = vote()
        more = replace(first, at=START + MINUTE, confirms=frozenset({"coverage"}))
        await store.commit(Writes(votes=(("op_1", first),)))
        await store.commit(Writes(votes=(("op_1", more),)))
        assert await store.votes("op_1") == (first, more)
        with pytest.raises(Taken):
            await store.commit(Writes(votes=(("op_1", replace(more, at=START + HOUR)),)))


async def test_votes_on_an_exception_or_freeze_are_kept_apart_and_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        approve = replace(vote(), reason="the risk is small", confirms=frozenset({"F-1"}))
        reject = vote(MAYA, Verdict.REJECT)
        await store.commit(Writes(record_votes=(("X-1", approve), ("F-1", approve))))
        await store.commit(Writes(record_votes=(("X-1", reject),)))
        assert await store.record_votes("X-1") == (approve, reject)
        assert await store.record_votes("F-1") == (approve,)
        assert await store.record_votes("X-2") == ()
        back = replace(approve, withdrawn_at=START + HOUR)
        await store.commit(Writes(record_votes=(("X-1", back),)))
        assert await store.record_votes("X-1") == (back, reject)


async def test_the_same_vote_on_a_record_twice_at_once_is_one_vote(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        clicks = (store.commit(Writes(record_votes=(("X-1", vote(at=START + n * MINUTE)),))) for n in range(5))
        ends = await asyncio.gather(*clicks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), *[Taken] * 4]
        assert len(await store.record_votes("X-1")) == 1


async def test_who_counted_votes_that_changed_meanwhile_counts_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(record_votes=(("X-1", vote()),)))
        seen = await store.record_votes("X-1")
        await store.commit(Writes(record_votes=(("X-1", vote(MAYA)),), votes_seen=(("X-1", seen),)))
        with pytest.raises(Taken, match="X-1"):
            await store.commit(Writes(exceptions=(exception(),), votes_seen=(("X-1", seen),)))
        assert await store.exception("X-1") is None
        await store.commit(Writes(exceptions=(exception(),), votes_seen=(("X-1", await store.record_votes("X-1")),)))
        assert await store.exception("X-1") == exception()


# Freezes ------------------------------------------------------------------------------------------------------------


async def test_a_freeze_that_nobody_agreed_to_yet_is_listed_until_it_lapses(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        waits = replace(FREEZE, id="F-2", lapses_at=None)
        await store.commit(Writes(freezes=(FREEZE, waits)))
        assert await store.freezes(START) == (FREEZE, waits)
        assert await store.freezes(START + HOUR - MINUTE) == (FREEZE, waits)
        assert await store.freezes(START + HOUR) == (waits,)
        assert await store.freezes(START + 4 * HOUR) == ()


async def test_a_freeze_that_is_written_again_is_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(freezes=(FREEZE,)))
        agreed = replace(FREEZE, approved=True)
        await store.commit(Writes(freezes=(agreed,)))
        assert await store.freezes(START + HOUR) == (agreed,)
        assert await store.freezes(START + 4 * HOUR) == ()


@pytest.mark.parametrize(
    "other",
    [replace(FREEZE, owner="Ines Roth"), replace(FREEZE, environment="stage"), replace(FREEZE, starts_at=START + HOUR)],
)
async def test_a_freeze_never_replaces_another_that_has_the_same_id(tmp_path: Path, other: Freeze) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(freezes=(FREEZE,)))
        with pytest.raises(Conflict, match="Something else is called F-1 already"):
            await store.commit(Writes(freezes=(other,)))
        assert await store.freezes(START) == (FREEZE,)


@pytest.mark.parametrize("other", [exception(asked_by=OMAR), exception(service="search"), exception(uses=9)])
async def test_an_exception_never_replaces_another_that_has_the_same_id(tmp_path: Path, other: ExceptionRecord) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(exceptions=(exception(),)))
        with pytest.raises(Conflict, match="Something else is called X-1 already"):
            await store.commit(Writes(exceptions=(other,)))
        assert await store.exception("X-1") == exception()


async def test_who_writes_a_freeze_again_does_not_undo_what_others_did_meanwhile(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        agreed = replace(FREEZE, approved=True)
        await store.commit(Writes(freezes=(agreed,)))
        with pytest.raises(Taken, match="F-1"):
            await store.commit(Writes(freezes=(FREEZE,)))
        await store.commit(Writes(ended_freezes=(("F-1", START + MINUTE),)))
        with pytest.raises(Taken, match="F-1"):
            await store.commit(Writes(freezes=(agreed,)))
        assert await store.freezes(START + MINUTE) == ()


# Exceptions ---------------------------------------------------------------------------------------------------------


def granted(wanted: ExceptionRecord, by: Person = OMAR) -> ExceptionRecord:
    return replace(wanted, granted_by=(by,), granted_at=START + MINUTE)


async def test_an_exception_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        wanted = exception()
        for_ever = exception("X-2", service=None, digest=None, ends_at=None, uses=None, asked_at=START - HOUR)
        await store.commit(Writes(exceptions=(wanted, for_ever)))
        assert await store.exceptions(START) == (for_ever, wanted)
        assert await store.exception("X-1") == wanted
        assert await store.exception("X-") is None
        lets_through = replace(granted(wanted), used=("op_1",))
        await store.commit(Writes(exceptions=(lets_through,)))
        assert await store.exceptions(START) == (for_ever, lets_through)


async def test_an_exception_is_gone_at_the_very_instant_it_ends_or_is_revoked(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        ends, revoked = exception(), exception("X-2", revoked_at=START + HOUR)
        await store.commit(Writes(exceptions=(ends, revoked)))
        moments = [
            (START + HOUR - timedelta(microseconds=1), ["X-1", "X-2"]),
            (START + HOUR, ["X-1"]),
            (START + 24 * HOUR - timedelta(microseconds=1), ["X-1"]),
            (START + 24 * HOUR, []),
        ]
        for at, ids in moments:
            assert [each.id for each in await store.exceptions(at)] == ids, at
        assert await store.exception("X-2") == revoked, "it can be looked up for ever"


@pytest.mark.parametrize(
    ("stands", "late"),
    [
        (granted(exception()), exception()),
        (replace(granted(exception()), used=("op_1",)), replace(granted(exception()), used=("op_2",))),
        (replace(granted(exception()), revoked_at=START + HOUR), granted(exception())),
        (replace(exception(), revoked_at=START + HOUR), granted(exception())),
    ],
    ids=["a grant", "a use", "a revocation", "a revocation before the grant"],
)
async def test_who_writes_an_exception_late_does_not_undo(
    tmp_path: Path, stands: ExceptionRecord, late: ExceptionRecord
) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(exceptions=(stands,)))
        with pytest.raises(Taken, match="X-1"):
            await store.commit(Writes(exceptions=(late,)))
        assert await store.exception("X-1") == stands


async def test_the_last_use_of_an_exception_is_one_operations(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        once = granted(exception(uses=1))
        await store.commit(Writes(exceptions=(once,)))
        both = (store.commit(Writes(exceptions=(replace(once, used=(f"op_{n}",)),))) for n in range(2))
        assert [type(end) for end in await asyncio.gather(*both, return_exceptions=True)] == [type(None), Taken]
        assert await store.exception("X-1") == replace(once, used=("op_0",))


# What is owed -------------------------------------------------------------------------------------------------------


async def test_what_is_owed_is_listed_until_it_is_settled_soonest_due_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        review, later = obligation(), obligation("O-2", due_at=START + 48 * HOUR)
        everywhere = obligation("O-3", service=None, due_at=START + HOUR)
        others = obligation("O-4", service="search")
        await store.commit(Writes(obligations=(later, review, everywhere, others)))
        assert await store.obligations() == (everywhere, review, others, later)
        assert await store.obligations("checkout") == (everywhere, review, later)
        await store.commit(Writes(obligations=(replace(review, settled_at=START + MINUTE),)))
        assert await store.obligations("checkout") == (everywhere, later)


@pytest.mark.parametrize("late", [obligation(), obligation(settled_at=START + HOUR)], ids=["open", "settled later"])
async def test_what_was_settled_stays_settled_as_it_was(tmp_path: Path, late: Obligation) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(obligations=(obligation(settled_at=START + MINUTE),)))
        with pytest.raises(Taken, match="O-1"):
            await store.commit(Writes(obligations=(late,)))
        assert await store.obligations() == ()


async def test_records_of_one_step_are_all_kept_or_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(Writes(obligations=(obligation(settled_at=START),)))
        with pytest.raises(Taken):
            await store.commit(
                Writes(
                    freezes=(FREEZE,),
                    exceptions=(exception(),),
                    record_votes=(("X-1", vote()),),
                    obligations=(obligation(),),
                )
            )
        assert (await store.freezes(START), await store.exceptions(START), await store.record_votes("X-1")) == (
            (),
            (),
            (),
        )


# How places looked --------------------------------------------------------------------------------------------------


async def test_how_a_place_looked_is_kept_and_replaced_by_whoever_read_the_newest(tmp_path: Path) -> None:
    sight = Sight({"checkout-r-1": 100}, "registry/app@sha256:1", {"variable APP_ENV": "1f2e3d4c"})
    first = Watched(CHECKOUT, "5a17", sight, sight)
    other = replace(sight, traffic={"checkout-r-1": 50, "checkout-r-2": 50})
    async with opened(tmp_path) as store:
        assert await store.watched() == ()
        await store.commit(Writes(watched=(first,)))
        (read,) = await store.watched()
        assert read == replace(first, number=1)
        with pytest.raises(Taken):
            await store.commit(Writes(watched=(first,)))
        changed = replace(read, last=other, changed=("traffic",), since=START + HOUR)
        both = [store.commit(Writes(entries=(entry("seen"),), watched=(changed,))) for _ in range(2)]
        told = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(each).__name__ for each in told) == ["NoneType", "Taken"]
        assert await store.watched() == (replace(changed, number=2),)
        assert len(await store.newest(10)) == 1, "who comes second writes nothing at all"


# Sets that went as one ------------------------------------------------------------------------------------------------


def _went(operation: str, digest: str, hours: int) -> ManifestRecord:
    pinned = (
        Pinned("ledger", "acme/ledger", Sha("1" * 40), Digest("sha256:" + "1" * 64), "registry/ledger@sha256:1"),
        Pinned("checkout", "acme/checkout", Sha(digest * 40), Digest("sha256:" + digest * 64), "registry/checkout"),
    )
    tags = {"checkout": {"tag": "v1.2.3", "sbom": "https://example.com/“sbom”"}}
    return ManifestRecord(operation, "prod", Manifest(pinned), tags, START + hours * HOUR)


async def test_a_set_is_kept_as_it_began_and_verified_once(tmp_path: Path) -> None:
    first, second = _went("op_1", "a", 0), _went("op_2", "b", 1)
    async with opened(tmp_path) as store:
        await store.commit(Writes(manifests=(first,)))
        await store.commit(Writes(manifests=(second,)))
        assert await store.manifests("prod") == (second, first), "the newest first"
        assert await store.manifests("stage") == ()
        verified = replace(first, verified_at=START + HOUR)
        await store.commit(Writes(manifests=(verified,)))
        late = replace(verified, verified_at=START + 2 * HOUR)
        await store.commit(Writes(manifests=(late, replace(second, manifest=first.manifest, verified_at=START + HOUR))))
        assert await store.manifests("prod") == (second, verified), "what was verified, and what was pinned, stays so"


def test_a_set_of_which_anything_is_held_is_not_known_as_good() -> None:
    first, second = (replace(_went(f"op_{n}", n, hour), verified_at=START) for hour, n in enumerate("ab"))
    never = _went("op_c", "c", 5)
    assert known_good((never, second, first), ()) == (second, first)
    held = second.manifest.digest("checkout")
    assert held is not None
    assert known_good((never, second, first), [(Place("checkout", "prod"), held)]) == (first,)
    assert known_good((never, second, first), [(Place("checkout", "stage"), held)]) == (second, first)


def test_the_same_set_has_the_same_name_wherever_it_goes() -> None:
    first = _went("op_1", "a", 0).manifest
    assert first.id == f"M-{first.hash[:10]}"
    assert Manifest(first.pinned).hash == first.hash
    assert Manifest(first.pinned[::-1]).hash != first.hash, "in another order it is another candidate"
    assert Manifest((first.pinned[0], replace(first.pinned[1], image="elsewhere"))).hash != first.hash
