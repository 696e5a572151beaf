"""What guards branches, changed and put back by our own client against the local GitHub."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.github import AppKey, Pace, PersonalToken, protection
from bot.github.connection import Connection
from bot.github.credentials import NEEDED, Access
from bot.github.relaxation import GitHubProtections
from commands.errors import Rejected, Unavailable
from commands.ports import Guard, Lease
from commands.relax import canonical
from policy.agreement import Relaxes
from tests.bot.github_world import key_pair
from tests.bot.sandbox.github_place import BREAK_GLASS, PROMOTER, Place
from tests.bot.sandbox.test_github_rules import GATE, lets, reviews, rule

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUICK = Pace(write_gap=0, retry_pause=0.01, longest_wait=0.5, read_timeout=60, write_timeout=60)
ALL = tuple(Relaxes)
CLASSIC: dict[str, Any] = {
    "required_status_checks": {
        "strict": True,
        "checks": [
            {"context": "unit", "app_id": 15368},
            {"context": "any", "app_id": -1},
            {"context": "e2e", "app_id": -1},
        ],
    },
    "enforce_admins": True,
    "required_pull_request_reviews": {
        "required_approving_review_count": 2,
        "require_code_owner_reviews": True,
        "dismissal_restrictions": {"users": ["raj"], "teams": []},
        "bypass_pull_request_allowances": {"users": ["omar"], "teams": [], "apps": []},
    },
    "restrictions": {"users": ["omar"], "teams": [], "apps": []},
    "required_linear_history": True,
}


def lease() -> Lease:
    return Lease("op_1", 1, time.monotonic() + 60)


def protections_of(place: Place, *, app: bool = True) -> GitHubProtections:
    """As the App that is kept for it; the other one speaks."""
    spoken = Connection(place.session, PersonalToken(place.world.token), place.clock, place.world.url, QUICK)
    key = AppKey(str(BREAK_GLASS), key_pair()[0], str(BREAK_GLASS + 1000))
    own = Connection(place.session, key, place.clock, place.world.url, QUICK)
    return GitHubProtections(own if app else None, spoken=spoken, break_glass=BREAK_GLASS)


async def shown(place: Place, branch: str = "main") -> str:
    """All that GitHub shows of what guards the branch, whoever asks, but for when it was changed."""
    asks = place.asks()
    classic = await asks("GET", f"branches/{branch}/protection")
    listed = (await asks("GET", "rulesets")).body
    rulesets = [(await asks("GET", f"rulesets/{one['id']}")).body for one in listed]
    hidden = [one.also for one in place.world.repository(place.name).records.protections.values()]
    kept = [{key: value for key, value in one.items() if key != "updated_at"} for one in rulesets]
    return canonical({"classic": classic.body, "rulesets": kept, "hidden": hidden})


async def relaxed(protections: GitHubProtections, place: Place, *what: Relaxes) -> tuple[list[Guard], list[Guard]]:
    """It is relaxed; what was there before, and what is now."""
    guards = await protections.guards(place.name, "main")
    wanted = protections.relaxed(guards, what)
    before = [guard for guard in guards if guard.name in {one.name for one in wanted}]
    for seen, one in zip(before, wanted, strict=True):
        await protections.put(place.name, seen, one, lease())
    now = await protections.again(place.name, "main", before)
    assert [canonical(guard.state) for guard in now] == [canonical(guard.state) for guard in wanted]
    return before, list(now)


async def put_back(protections: GitHubProtections, place: Place, before: list[Guard], now: list[Guard]) -> None:
    for seen, one in zip(now, before, strict=True):
        await protections.put(place.name, seen, one, lease())


CLASSIC_ALL = tuple(one for one in ALL if one is not Relaxes.BREAK_GLASS)


@pytest.mark.parametrize(
    "what", [*((one,) for one in CLASSIC_ALL), CLASSIC_ALL], ids=lambda what: "+".join(one.value for one in what)
)
async def test_classic_protection_is_relaxed_and_put_back_and_nothing_else_is_touched(
    place: Place, what: tuple[Relaxes, ...]
) -> None:
    asks = place.asks()
    assert (await asks("PUT", "branches/main/protection", CLASSIC)).status == 200
    assert (await asks("POST", "branches/main/protection/required_signatures")).status == 200
    place.world.repository(place.name).records.protections["main"].also = {"requiresDeployments": True}
    before, protections = await shown(place), protections_of(place)
    to_the_letter = (await asks("GET", "branches/main/protection")).body
    guards = await relaxed(protections, place, *what)
    assert await shown(place) != before
    await put_back(protections, place, *guards)
    assert await shown(place) == before
    assert (await asks("GET", "branches/main/protection")).body == to_the_letter


@pytest.mark.parametrize("what", ALL, ids=lambda one: one.value)
async def test_a_ruleset_is_relaxed_and_put_back(place: Place, what: Relaxes) -> None:
    strict = {**GATE["parameters"], "strict_required_status_checks_policy": True}
    await rule(
        place,
        {"type": "required_status_checks", "parameters": strict},
        reviews(2, require_code_owner_review=True),
        {"type": "non_fast_forward"},
        bypass=lets(PROMOTER, "pull_request"),
    )
    before, protections = await shown(place), protections_of(place)
    guards = await relaxed(protections, place, what)
    assert await shown(place) != before
    await put_back(protections, place, *guards)
    assert await shown(place) == before


async def test_what_the_organisation_asks_for_is_refused_by_name(place: Place) -> None:
    place.world.rule_from_above(place.name, "everywhere", [{"type": "non_fast_forward"}])
    await rule(place, {"type": "non_fast_forward"}, GATE)
    protections = protections_of(place)
    guards = await protections.guards(place.name, "main")
    with pytest.raises(Rejected, match="of acme asks for a branch that only goes forward as well, and cannot be"):
        protections.relaxed(guards, [Relaxes.FORCE_PUSH])
    assert len(protections.relaxed(guards, [Relaxes.CHECKS])) == 1  # of which the organisation says nothing


async def test_what_is_not_asked_for_cannot_be_relaxed(place: Place) -> None:
    protections = protections_of(place)
    await rule(place, {"type": "non_fast_forward"})
    with pytest.raises(Rejected, match="there is nothing to relax"):
        protections.relaxed(await protections.guards(place.name, "main"), [Relaxes.CHECKS])


async def test_classic_protection_lets_no_app_past(place: Place) -> None:
    await place.asks()("PUT", "branches/main/protection", CLASSIC)
    protections = protections_of(place)
    with pytest.raises(Rejected, match="relax administrators instead"):
        protections.relaxed(await protections.guards(place.name, "main"), [Relaxes.BREAK_GLASS])


async def test_whoever_may_not_see_all_of_it_changes_nothing(place: Place) -> None:
    await rule(place, GATE)
    spoken = Connection(place.session, PersonalToken(place.world.admit("omar")), place.clock, place.world.url, QUICK)
    blind = GitHubProtections(spoken, spoken=spoken)
    with pytest.raises(Rejected, match="does not show who may pass over ruleset"):
        await blind.guards(place.name, "main")
    with pytest.raises(Rejected, match="No App is set up"):
        await protections_of(place, app=False).guards(place.name, "main")


async def test_hidden_classic_protection_is_not_taken_for_none(place: Place) -> None:
    await place.asks()("PUT", "branches/main/protection", CLASSIC)
    spoken = Connection(place.session, PersonalToken(place.world.admit("omar")), place.clock, place.world.url, QUICK)
    with pytest.raises(Rejected):
        await GitHubProtections(spoken, spoken=spoken).guards(place.name, "main")


async def test_a_token_for_it_can_do_nothing_else_and_is_not_the_promoters() -> None:
    assert Access.RELAX.permissions == {"metadata": "read", "administration": "write"}


async def test_a_guard_that_is_gone_is_seen_to_be_gone(place: Place) -> None:
    made = (await rule(place, GATE)).body
    protections = protections_of(place)
    before, now = await relaxed(protections, place, Relaxes.CHECKS)
    await place.asks()("DELETE", f"rulesets/{made['id']}")
    (gone,) = await protections.again(place.name, "main", before)
    assert gone.state is None
    with pytest.raises(Rejected):
        await protections.put(place.name, gone, before[0], lease())
    assert now


async def test_each_version_since_then_is_told(place: Place) -> None:
    made = (await rule(place, GATE)).body
    protections = protections_of(place)
    (guard,) = await protections.guards(place.name, "main")
    newest = await protections.newest(place.name, guard)
    assert newest > 0
    assert await protections.since(place.name, guard, newest) == ()
    before, _ = await relaxed(protections, place, Relaxes.CHECKS)
    body = {**dict(before[0].state or {}), "rules": [{"type": "deletion"}]}
    assert (await place.asks()("PUT", f"rulesets/{made['id']}", body)).status == 200
    first, second = await protections.since(place.name, guard, newest)
    assert [first.state, second.state] != [None, None]
    assert (second.state or {})["rules"] == [{"type": "deletion"}]


async def test_a_pull_request_bears_each_remark_once(place: Place) -> None:
    await place.branch("dev", {"a": "b"})
    number = (await place.pull("dev")).body["number"]
    protections = protections_of(place)
    for text in ("first", "the same again"):
        await protections.remark(place.name, number, "release-bot op_1 relaxed", text, lease())
    (said,) = (await place.asks()("GET", f"issues/{number}/comments")).body
    assert said["body"].startswith("first\n\n<!-- release-bot op_1 relaxed -->")
    found = await protections.pull(place.name, number)
    assert (found.base, found.open, found.merged) == ("main", True, False)


async def test_nothing_is_sent_once_the_lease_is_over(place: Place) -> None:
    await rule(place, GATE)
    protections = protections_of(place)
    guards = await protections.guards(place.name, "main")
    (wanted,) = protections.relaxed(guards, [Relaxes.CHECKS])
    before = await shown(place)
    with pytest.raises(Unavailable, match="nothing was sent"):
        await protections.put(place.name, guards[0], wanted, Lease("op_1", 1, time.monotonic() - 1))
    assert await shown(place) == before


@pytest.mark.parametrize(
    ("mode", "rules", "says"),
    [
        ("", [reviews(), {"type": "non_fast_forward"}, {"type": "deletion"}], ()),
        (
            "pull_request",
            [reviews(), {"type": "non_fast_forward"}, {"type": "deletion"}],
            ("this bot itself may pass",),
        ),
        (
            "always",
            [GATE, reviews(), {"type": "non_fast_forward"}, {"type": "deletion"}],
            ("this bot itself may pass",),
        ),
        ("always", [{"type": "update"}, {"type": "deletion"}], ("force push allowed",)),
    ],
)
async def test_a_branch_of_which_the_promoter_may_break_the_rules_counts_as_unprotected(
    place: Place, mode: str, rules: list[dict[str, Any]], says: tuple[str, ...]
) -> None:
    place.world.register_app(4713, key_pair()[1], 5713, name="Promoter", permissions={**NEEDED})
    await rule(place, *rules, bypass=lets(4713, mode) if mode else [])
    key = AppKey("4713", key_pair()[0], "5713")
    narrow = Connection(place.session, key, place.clock, place.world.url, QUICK)
    found = await protection.lacks(await narrow.client(), place.name, "main")
    assert len(found) == len(says)
    assert all(one.startswith(start) for one, start in zip(found, says, strict=True))
