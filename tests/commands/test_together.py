"""Several services go to production as one candidate: agreed to once, shipped in order, taken back in reverse."""

from __future__ import annotations

import asyncio
import re

import pytest

from commands.ports import Request
from policy.evidence import CheckState, Tag, WorkflowRun
from tests.conversation import _ONCE, Bot, _do
from tests.conversation import plays as compares
from tests.world import DAY, HOUR, Behaviour, Town, commit, digest, revision_of, site_of

ASKS = """
    maya: /release promote shop stage→prod
    bot: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
         Asked by: @maya
         From → to: stage → prod
         Manifest: M-cd184655fa
         ✗ payments a2a2a2a2a2a2: 2 of 14 rules not met (second-person, approvals)
         ✗ checkout c2c2c2c2c2c2: 2 of 14 rules not met (second-person, approvals)
         …
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
         payments: a2a2a2a2a2a2 of a2a2a2a, now a1a1a1a1a1a1: 10 % → 50 % → 100 %
         checkout: c2c2c2c2c2c2 of c2c2c2c, now c1c1c1c1c1c1: 10 % → 50 % → 100 %
         From → to: stage → prod
         Manifest: M-cd184655fa cd184655fa…
         Plan: …
         Policy: …
         ✗ payments: 2 of 14 rules not met (second-person, approvals)
         ✓ 12 rules met: …
         ✗ second-person: somebody other than maya must agree
         • omar can agree
         ✗ approvals: a release manager must agree to plan …
         …
         ✗ checkout: 2 of 14 rules not met (second-person, approvals)
         …
         – Traceability: nothing is asked
         ✗ Review: not yet (payments: second-person; payments: approvals; checkout: second-person; checkout: approvals)
         – Reproducibility: nothing is asked
         – Security: nothing is asked
         ✓ Integration: met
         ✓ Governance: met
    """
AGREED = """
    omar: [Approve]
    bot: @omar approved payments and checkout (M-cd184655fa) → prod. Checking everything again.
    bot → omar: Your approval of payments and checkout (M-cd184655fa) → prod is recorded.
    """
PAYMENTS = """
    bot: payments a2a2a2a2a2a2 → prod is live.
    bot: Plan for payments a2a2a2a2a2a2 → prod: every rule is met
    bot: ✓ payments a2a2a2a2a2a2 → prod: recorded as GitHub deployment 16
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 is deployed at 0 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: smoke test passed: …
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 serves 10 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: 10 %: …
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 serves 50 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: 50 %: …
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 serves 100 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: 100 %: …
    bot: payments a2a2a2a2a2a2 → prod is live. It took …
    """
CHECKOUT = PAYMENTS.replace("payments", "checkout").replace("a2", "c2").replace("deployment 16", "deployment 17")
LIVE = """
    bot: payments and checkout (M-cd184655fa) → prod are live.
         ✓ 1. payments a2a2a2a2a2a2 → prod is live (op_…)
         ✓ 2. checkout c2c2c2c2c2c2 → prod is live (op_…)
         • Each of them serves what was pinned.
    bot now: payments and checkout (M-cd184655fa) → prod are live.
    bot now: payments and checkout (M-cd184655fa) → prod are live.
    """


async def plays(page: str, town: Town, *, heads: bool = True) -> None:
    """As in every conversation; not `heads`: only what people do, whatever is said."""
    deeds = [line.strip() for line in page.splitlines() if re.match(r" {0,4}(?!bot)(\w[\w &]*: |… )", line)]
    await (compares(page, town) if heads else does(deeds, town))


async def does(deeds: list[str], town: Town) -> None:
    async with Bot(town) as bot:
        await bot.rests()
        for deed, following in zip(deeds, [*deeds[1:], ""], strict=True):
            await _do(deed, bot, _ONCE.fullmatch(following))
        assert not bot.surprises, bot.surprises


@pytest.fixture
def shop(town: Town) -> Town:
    """payments ships first, checkout after it; both builds are good."""
    town.runs.behaviours.clear()
    return town


@pytest.mark.requirement("S4-236")
@pytest.mark.parametrize("words", ["shop", "checkout,payments"])
async def test_they_are_agreed_to_once_and_ship_one_after_the_other(shop: Town, words: str) -> None:
    await plays(ASKS.replace("promote shop", f"promote {words}") + AGREED + PAYMENTS + CHECKOUT + LIVE, shop)
    first = list(dict.fromkeys(write.site for write in shop.runs.writes))
    assert first == [site_of("payments"), site_of("checkout")]
    async with Bot(shop) as bot:
        (kept,) = await bot.store.manifests("prod")
        rows = [row for name in ("payments", "checkout") for row in await bot.store.history(name, 50)]
    assert kept.verified_at is not None
    assert {one.service: one.digest for one in kept.manifest.pinned} == {
        service: digest(service, 2) for service in ("payments", "checkout")
    }
    named = {row.target.get("manifest") for row in rows if row.what in {"asked", "began", "done"}}
    assert named == {kept.manifest.id}


@pytest.mark.requirement("S4-238")
async def test_the_set_keeps_its_name_and_hash_from_gate_to_gate(shop: Town) -> None:
    policy = shop.policies.current().policy
    environments = {name: one.model_dump(mode="python", by_alias=True) for name, one in policy.environments.items()}
    services = {name: one.model_dump(mode="python", by_alias=True) for name, one in policy.services.items()}
    to_prod = policy.paths[0].model_dump(mode="python", by_alias=True)
    to_stage = {"from": "dev", "to": "stage", "approvals": [{"role": "tech_lead"}], "rollout": to_prod["rollout"]}
    for service in ("payments", "checkout"):
        services[service]["cloud_run"]["dev"] = site_of(service, "dev")
        shop.version(service, 3, "Mend it", "lea-gh")
        shop.deployed(service, "dev", 3, ago=HOUR)
    shop.policies.adopt(environments={"dev": {"rank": 0}, **environments}, services=services, paths=[to_prod, to_stage])
    await plays("maya: /release promote shop dev→stage\n… once: Plan for\nraj: [Approve]", shop, heads=False)
    await plays(
        "… 25 h later\nmaya: /release promote shop stage→prod\n… once: Plan for\nomar: [Approve]", shop, heads=False
    )
    async with Bot(shop) as bot:
        (staged,), (shipped,) = await bot.store.manifests("stage"), await bot.store.manifests("prod")
        began = [row for row in await bot.store.history("checkout", 200) if row.what == "began"]
    assert staged.manifest.hash == shipped.manifest.hash
    assert {row.target["environment"]: row.target["manifest"] for row in began} == {
        "stage": shipped.manifest.id,
        "prod": shipped.manifest.id,
    }
    assert None not in {staged.verified_at, shipped.verified_at}


@pytest.mark.requirement("S4-239")
async def test_any_change_of_one_of_them_is_another_candidate_and_voids_the_approvals(shop: Town) -> None:
    shop.policies.change(approvals=[{"role": "release_manager"}, {"role": "tech_lead"}])
    await plays(
        """
    maya: /release promote shop stage→prod
    … once: Plan for
    omar: [Approve]
    … once: recorded
    """,
        shop,
        heads=False,
    )
    shop.version("checkout", 3, "Mend it", "lea-gh")
    shop.deployed("checkout", "stage", 3, ago=27 * HOUR)
    await plays(
        """
    raj: [Approve] (first seen)
    bot: What would be done has changed: checkout (digest, revision, image, commit). This is another candidate, M-dcf0ea2b65. Approvals start again.
    bot → raj: That button is old: the plan has changed since (… is now …). Look at the newest message in its thread.
    bot now: payments and checkout (M-dcf0ea2b65) → prod are waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for payments and checkout (M-dcf0ea2b65) → prod: … [Approve] [Reject] [Cancel]
    raj: [Approve]
    bot: @raj approved payments and checkout (M-dcf0ea2b65) → prod. Checking everything again.
    bot → raj: Your approval of payments and checkout (M-dcf0ea2b65) → prod is recorded.
    bot now: Plan for payments and checkout (M-dcf0ea2b65) → prod: … [Approve] [Reject] [Cancel]
         …
         ✗ approvals: raj as tech lead agreed to plan …; a release manager must still agree to plan …
         …
    """,
        shop,
    )
    assert shop.runs.writes == []


@pytest.mark.requirement("S4-241", "S4-249")
async def test_one_no_blocks_all_of_them_and_is_named(shop: Town) -> None:
    shop.github.check("acme/checkout", commit("checkout", 2), "unit-tests", CheckState.FAILED, "failure")
    await plays(
        """
    maya: /release promote shop stage→prod
    bot: payments and checkout (M-cd184655fa) → prod are blocked for now. [Check again] [Cancel]
         …
         ✗ payments a2a2a2a2a2a2: 2 of 14 rules not met (second-person, approvals)
         ✗ checkout c2c2c2c2c2c2: 3 of 14 rules not met (required-checks, second-person, approvals)
         …
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Check again] [Cancel]
         …
         ✗ required-checks: build passed and unit-tests failed (failure) on c2c2c2c
         …
         ✗ Integration: not yet (checkout: required-checks)
         ✓ Governance: met
    """,
        shop,
    )
    assert shop.runs.writes == []


@pytest.mark.requirement("S4-235")
async def test_a_set_that_does_not_pin_every_commit_is_no_candidate(shop: Town) -> None:
    shop.github.records["acme/checkout"].clear()
    await plays(
        """
    maya: /release promote shop stage→prod
    bot → maya: payments and checkout stage→prod cannot be promoted together: the manifest lacks checkout: commit.
    """,
        shop,
    )


@pytest.mark.requirement("S4-236")
@pytest.mark.parametrize("words", ["shop stage→prod sha256:c2c2c2c2", "payments,checkout stage→prod checkout=c2c2c2c2"])
async def test_no_version_of_one_of_them_can_be_named(shop: Town, words: str) -> None:
    await plays(
        f"""
    maya: /release promote {words}
    bot → maya: A set goes as it is, so no version of one of its services can be named: say only which set it must be, like `M-1a2b3c4d5e`, or nothing.
    """,
        shop,
    )


async def test_the_set_that_is_meant_can_be_named(shop: Town) -> None:
    await plays(
        """
    maya: /release promote shop stage→prod M-0000000000
    bot → maya: stage serves M-cd184655fa (payments a2a2a2a2a2a2, checkout c2c2c2c2c2c2), not M-0000000000.
    """
        + ASKS.replace("stage→prod\n", "stage→prod M-cd184655fa\n"),
        shop,
    )


@pytest.mark.requirement("S4-250")
async def test_only_its_owner_promotes_a_set(shop: Town) -> None:
    shop.policies.adopt(manifest={"owner_role": "release_manager"})
    await plays(
        """
    maya: /release promote shop stage→prod
    bot → maya: payments and checkout stage→prod cannot be promoted together: only who is release manager promotes a set, and maya is not.
    omar: /release promote shop stage→prod
    bot: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
    """,
        shop,
    )


THIS_SET = "cd184655faf9c4670be8fc82182ec9c04a0723abd8e425feb764a04255b0035b"
"""Hash of the set that stage serves."""


def _tests_ran(town: Town, on: str, manifest: str) -> None:
    ran = WorkflowRun("integration-tests.yml", CheckState.PASSED, inputs={"manifest_sha256": manifest})
    town.github.runs[("integration-tests.yml", commit(on, 2))] = ran


@pytest.mark.requirement("S4-237")
async def test_the_integration_tests_must_have_run_on_exactly_this_set(shop: Town) -> None:
    shop.policies.adopt(gates={"as-a-set": {"kind": "manifest"}}, to_prod={"requires": ["as-a-set"]})
    _tests_ran(shop, "payments", "1" * 64)
    await plays(
        """
    maya: /release promote shop stage→prod
    bot: payments and checkout (M-cd184655fa) → prod are blocked for now. [Check again] [Cancel]
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Check again] [Cancel]
         …
         ✗ as-a-set: the integration tests ran against 1111111, and the manifest is cd18465
         …
    """,
        shop,
    )
    _tests_ran(shop, "payments", THIS_SET)
    await plays(
        """
    maya: [Check again]
    bot: @maya had it looked at again.
    bot now: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
    """
        + AGREED
        + PAYMENTS
        + CHECKOUT
        + LIVE,
        shop,
    )


def _checkout_needs(town: Town, service: str, *versions: str) -> None:
    """What a set breaks is looked at, the tests of this one ran, and the builds of that service have these tags."""
    town.policies.adopt(
        gates={"as-a-set": {"kind": "manifest"}},
        to_prod={"requires": ["as-a-set"]},
        manifest={"depends_on": {"checkout": [service]}},
    )
    _tests_ran(town, "checkout", THIS_SET)
    for number, version in enumerate(versions, 1):
        town.github.tags[commit(service, number)] = Tag(version, commit(service, number))


@pytest.mark.requirement("S4-246")
async def test_what_breaks_those_that_need_it_goes_only_with_a_plan(shop: Town) -> None:
    _checkout_needs(shop, "payments", "v1.9.0", "v2.0.0")
    await plays(
        """
    maya: /release promote shop stage→prod
    bot → maya: payments and checkout stage→prod needs a little more. [Fill in]
         ✗ coordination-plan: payments 1→2 breaks those that need it, so link how they go together
         …
    maya: [Fill in] coordination-plan:"https://wiki.example/v2"
    bot: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
         Asked by: @maya
         From → to: stage → prod
         Manifest: M-cd184655fa
         Coordination plan: https://wiki.example/v2
         …
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
    """,
        shop,
    )


@pytest.mark.requirement("S4-240")
async def test_what_breaks_ships_before_those_that_need_it(shop: Town) -> None:
    _checkout_needs(shop, "search", "v1.0.0", "v2.0.0")
    await plays(
        """
    maya: /release promote shop stage→prod
    bot: payments and checkout (M-cd184655fa) → prod are blocked for now. [Check again] [Cancel]
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Check again] [Cancel]
         …
         ✗ as-a-set: search 1→2 is not released yet, and others wait for it
         …
    """,
        shop,
    )
    shop.deployed("search", "prod", 2, ago=HOUR)
    await plays(
        """
    maya: [Check again]
    bot: @maya had it looked at again.
    bot now: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
    """,
        shop,
    )


def test_a_group_ships_what_others_need_first(shop: Town) -> None:
    with pytest.raises(ValueError, match="payments needs checkout, which ships after it"):
        shop.policies.adopt(manifest={"depends_on": {"payments": ["checkout"]}})


async def test_what_serves_already_is_part_of_the_set_and_stays_as_it_is(shop: Town) -> None:
    shop.deployed("payments", "prod", 2, ago=2 * DAY)
    await plays(
        """
    maya: /release promote shop stage→prod
    bot: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
         …
         ✓ payments a2a2a2a2a2a2: serves there already
         ✗ checkout c2c2c2c2c2c2: 2 of 14 rules not met (second-person, approvals)
         …
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
         payments: a2a2a2a2a2a2 of a2a2a2a, serves there already
         …
    """
        + AGREED
        + CHECKOUT
        + LIVE.replace("→ prod is live (op_…)", "serves there already", 1),
        shop,
    )
    assert {write.site for write in shop.runs.writes} == {site_of("checkout")}


@pytest.mark.requirement("S4-248")
async def test_of_one_repository_only_the_component_that_changed_is_promoted(shop: Town) -> None:
    policy, hub = shop.policies.current().policy, shop.github
    services = {name: one.model_dump(mode="python", by_alias=True) for name, one in policy.services.items()}
    for service in ("payments", "checkout"):
        services[service]["repository"] = "acme/shop"
        hub.commits.setdefault("acme/shop", []).extend(hub.commits.pop(f"acme/{service}"))
        hub.records.setdefault("acme/shop", []).extend(hub.records.pop(f"acme/{service}"))
        found = {at: checks for (at_, at), checks in hub.results.items() if at_ == f"acme/{service}"}
        hub.results |= {("acme/shop", at): checks for at, checks in found.items()}
    shop.policies.adopt(services=services)
    shop.runs.add(
        site_of("payments"), revision_of("payments", 2), digest("payments", 2), commit("payments", 2), shop.clock.now()
    )
    await plays(
        """
    maya: /release promote shop stage→prod
    … once: Plan for
    omar: [Approve]
    """,
        shop,
        heads=False,
    )
    assert {write.site for write in shop.runs.writes} == {site_of("checkout")}
    assert shop.runs.serving("checkout") == digest("checkout", 2)
    ours = [record.deployment for record in hub.records["acme/shop"] if record.deployment.operation]
    assert [record.digest for record in ours] == [digest("checkout", 2)]


@pytest.mark.requirement("S4-244")
async def test_a_consumer_that_has_not_confirmed_is_a_warning(shop: Town) -> None:
    jobs = {"kind": "signoff", "role": "on_call", "mode": "warn", "title": "word that jobs reads the new schema"}
    shop.policies.adopt(gates={"jobs-migrated": jobs}, to_prod={"requires": ["jobs-migrated"]})
    await plays(
        """
    maya: /release promote shop stage→prod database:contract
    bot: payments and checkout (M-cd184655fa) → prod are waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
         payments: a2a2a2a2a2a2 of a2a2a2a, now a1a1a1a1a1a1: 10 % → 50 % → 100 %, database contract
         …
         ! jobs-migrated: word that jobs reads the new schema is missing: an on call must agree
         …
    dan: [Approve]
    bot: @dan approved payments and checkout (M-cd184655fa) → prod. Checking everything again.
    bot → dan: Your approval of payments and checkout (M-cd184655fa) → prod is recorded.
    bot now: Plan for payments and checkout (M-cd184655fa) → prod: … [Approve] [Reject] [Cancel]
         …
         ✓ 14 rules met: …jobs-migrated…
         …
    """,
        shop,
    )


async def test_a_freeze_of_one_of_them_in_the_midst_holds_it_until_it_ends(shop: Town) -> None:
    await plays(
        ASKS
        + """
    omar: [Approve]
    … once: payments-r-a2a2a2a2a2a2 serves 100 %
    omar: /release freeze start checkout prod until:12:00 reason:the till is being counted
    … once: is blocked
    """,
        shop,
        heads=False,
    )
    assert shop.runs.serving("payments") == digest("payments", 2)
    assert shop.runs.serving("checkout") == digest("checkout", 1)
    await plays("omar: /release freeze end", shop, heads=False)
    assert shop.runs.serving("checkout") == digest("checkout", 2)


async def test_what_changes_in_the_midst_is_not_shipped_and_what_shipped_goes_back(shop: Town) -> None:
    await plays(ASKS + "omar: [Approve]\n… once: payments-r-a2a2a2a2a2a2 serves 100 %\n", shop, heads=False)
    shop.version("checkout", 3, "Mend it", "lea-gh")
    shop.deployed("checkout", "stage", 3, ago=27 * HOUR)
    await plays("… 5 s later", shop, heads=False)
    assert shop.runs.serving("checkout") == digest("checkout", 1)
    assert shop.runs.serving("payments") == digest("payments", 1)
    said = [line for message in shop.slack.messages for line in message.now["body"]]
    assert any("It is not what was agreed to any more: digest" in line for line in said)


async def test_the_whole_is_aborted_and_what_shipped_goes_back(shop: Town) -> None:
    await plays(
        ASKS
        + """
    omar: [Approve]
    … once: checkout-r-c2c2c2c2c2c2 serves 10 %
    tom: [Abort] (first seen)
    … once: You may not abort this: maya may
    ines: /release rollback shop
    … once: ships them as one right now; abort it, and what shipped goes back.
    ines: [Abort] (first seen)
    dan: [Abort] (first seen)
    """,
        shop,
        heads=False,
    )
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 1)
    said = [message.now["text"] for message in shop.slack.messages]
    assert "payments and checkout (M-cd184655fa) → prod were cancelled." in said
    assert any(text.startswith("That is over: payments and checkout (M-cd184655fa)") for text in said)


async def test_the_words_of_the_impatient_do_nothing_twice(shop: Town) -> None:
    await plays(
        ASKS
        + """
    tom: /release promote payments,checkout stage→prod
    bot → tom: maya asked for payments and checkout (M-cd184655fa) → prod already: op_… is waiting for second-person and approval.
    maya: [Approve]
    bot → maya: You asked for it, so somebody else has to agree.
    """,
        shop,
        heads=False,
    )
    await plays("omar & omar: [Approve]", shop, heads=False)
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 2)
        assert len(shop.github.told(service)) == 1


@pytest.mark.requirement("S4-236")
async def test_none_of_them_goes_alone_while_the_set_is_open(shop: Town) -> None:
    await plays(
        ASKS
        + """
    tom: /release promote checkout stage→prod
    bot → tom: checkout stage→prod of c2c2c2c2c2c2 goes as part of payments and checkout (M-cd184655fa) → prod: op_….
    """,
        shop,
    )


async def test_of_two_sets_that_overlap_and_were_asked_for_in_the_same_instant_one_ships(shop: Town) -> None:
    shop.policies.adopt(groups={"shop": ["payments", "checkout"], "all": ["payments", "search", "checkout"]})
    shop.deployed("search", "stage", 2, ago=30 * HOUR)
    accounts = [shop.people.account(name) for name in ("maya", "tom", "omar")]
    async with Bot(shop) as bot:
        await bot.hears(
            Request("r100", "promote shop stage→prod", accounts[0], "C0RELEASES"),
            Request("r101", "promote all stage→prod", accounts[1], "C0RELEASES"),
        )
        for number, whole in enumerate(await bot.store.open_operations()):
            assert whole.plan is not None
            words = f"approve {whole.id} plan:{whole.plan.hash[:8]}"
            await bot.hears(Request(f"r20{number}", words, accounts[2], "C0RELEASES"))
        await bot.rests()
        assert await bot.store.open_operations() == ()
    assert shop.runs.serving("search") == digest("search", 1)
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 2)
        assert len(shop.github.told(service)) == 1
    said = [line for message in shop.slack.messages for line in message.now["body"]]
    assert any(
        re.fullmatch(r"• maya promotes payments meanwhile, op_\w+. payments was not begun.", line) for line in said
    )


async def test_nothing_ships_beside_what_somebody_took_back_meanwhile(shop: Town) -> None:
    await plays(
        ASKS
        + """
    omar: [Approve]
    … once: payments-r-a2a2a2a2a2a2 serves 100 %
    omar: /release freeze start checkout prod until:12:00 reason:the till is being counted
    … once: checkout c2c2c2c2c2c2 → prod is blocked
    ines: /release rollback payments prod reason:refunds fail
    omar: /release freeze end
    """,
        shop,
        heads=False,
    )
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 1)
    (told,) = [m.now for m in shop.slack.messages if m.now["text"].startswith("checkout c2c2c2c2c2c2 → prod failed")][
        :1
    ]
    assert any("payments serves a1a1a1a1a1a1 by now, not a2a2a2a2a2a2." in line for line in told["body"])


@pytest.mark.requirement("S4-242")
async def test_what_cannot_go_back_is_told_for_each_of_them(shop: Town) -> None:
    shop.policies.adopt(rollback={"order": ["traffic"]})
    shop.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(
        ASKS
        + """
    omar: [Approve]
    … once: checkout-r-c2c2c2c2c2c2 serves 10 %
    """,
        shop,
        heads=False,
    )
    for number in (0, 1):
        del shop.runs.places[site_of("payments")].revisions[revision_of("payments", number)]
    await plays("… 5 s later", shop, heads=False)
    assert shop.runs.serving("checkout") == digest("checkout", 1)
    told = [m.now for m in shop.slack.messages if m.now["text"].endswith("(M-cd184655fa) → prod failed.")][-1]
    assert any(line.startswith("✗ 1. payments a2a2a2a2a2a2 had shipped: it is still there") for line in told["body"])
    assert any("Not all is back: payments cannot go back: " in line for line in told["body"])


async def test_who_votes_on_one_of_them_is_sent_to_the_whole(shop: Town) -> None:
    await plays(
        ASKS
        + """
    omar: [Approve]
    … once: payments-r-a2a2a2a2a2a2 serves 100 %
    omar: /release freeze start checkout prod until:12:00 reason:the till is being counted
    … once: checkout c2c2c2c2c2c2 → prod is blocked
    """,
        shop,
        heads=False,
    )
    async with Bot(shop) as bot:
        (one,) = [each for each in await bot.store.open_operations() if each.of_a_set]
    assert one.plan is not None
    await plays(
        f"""
    raj: /release approve {one.id} plan:{one.plan.hash[:8]}
    bot → raj: It ships as part of op_…: people agree to the whole, and vote there.
    raj: /release reject {one.id} reason:no
    bot → raj: It ships as part of op_…: people agree to the whole, and vote there.
    """,
        shop,
    )


async def test_another_policy_in_the_midst_judges_what_is_left_and_takes_nothing_back(shop: Town) -> None:
    await plays(ASKS + "omar: [Approve]\n… once: payments-r-a2a2a2a2a2a2 serves 100 %\n", shop, heads=False)
    shop.policies.adopt(name="another")
    await plays("    … 5 s later", shop, heads=False)
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 2)


def leaves(service: str, town: Town) -> None:
    """The policy is about it no more."""
    policy = town.policies.current().policy.model_dump(mode="python", by_alias=True)
    del policy["services"][service]
    town.policies.adopt(services=policy["services"], groups={})


async def test_one_that_left_the_policy_in_the_midst_is_not_shipped_and_what_shipped_goes_back(shop: Town) -> None:
    await plays(ASKS + "omar: [Approve]\n… once: payments-r-a2a2a2a2a2a2 serves 100 %\n", shop, heads=False)
    leaves("checkout", shop)
    await plays("… 5 s later\n… 25 h later", shop, heads=False)
    assert shop.runs.serving("checkout") == digest("checkout", 1)
    assert shop.runs.serving("payments") == digest("payments", 1)


async def test_one_that_shipped_and_left_the_policy_stays_and_people_are_told(shop: Town) -> None:
    await plays(ASKS + "omar: [Approve]\n… once: payments-r-a2a2a2a2a2a2 serves 100 %\n", shop, heads=False)
    leaves("payments", shop)
    await plays("… 5 s later", shop, heads=False)
    assert shop.runs.serving("checkout") == digest("checkout", 1)
    told = [m.now for m in shop.slack.messages if m.now["text"].endswith("(M-cd184655fa) → prod failed.")][-1]
    assert any("The policy knows no service payments any more." in line for line in told["body"])
    assert any("Not all is back: payments cannot go back: " in line for line in told["body"])


async def test_each_path_keeps_its_own_approvers(shop: Town) -> None:
    """payments needs a tech lead besides; whoever may agree to one of them only does not agree to the other."""
    path = shop.policies.current().policy.paths[0].model_dump(mode="python", by_alias=True)
    strict = {**path, "services": ["payments"], "approvals": [{"role": "tech_lead"}]}
    shop.policies.adopt(paths=[{**path, "services": ["checkout", "search"]}, strict])
    await plays(
        """
    maya: /release promote shop stage→prod
    … once: Plan for
    omar: [Approve]
    """,
        shop,
        heads=False,
    )
    assert shop.runs.writes == []
    await plays("raj: [Approve]", shop, heads=False)
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 2)


async def test_why_and_a_dry_run_tell_all_of_it_and_keep_nothing(shop: Town) -> None:
    await plays(
        """
    tom: /release why shop stage→prod
    bot → tom: payments and checkout stage→prod: payments: 2 of 14 rules not met (second-person, approvals); checkout: 2 of 14 rules not met (second-person, approvals).
         ✗ payments: …
         …
    tom: /release promote shop stage→prod --plan
    bot → tom: Dry run of payments and checkout stage→prod: … Nothing was done.
         payments: a2a2a2a2a2a2 of a2a2a2a, now a1a1a1a1a1a1: 10 % → 50 % → 100 %
         …
         • 1. GitHub acme/payments: create a deployment of a2a2a2a to prod, in progress
         …
    """,
        shop,
    )
    async with Bot(shop) as bot:
        assert await bot.store.open_operations() == ()


BACK = """
    bot: payments a1a1a1a1a1a1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for payments a1a1a1a1a1a1 ⟲ prod: every rule is met
    bot: ✓ payments a1a1a1a1a1a1 ⟲ prod: payments-r-a1a1a1a1a1a1 (a1a1a1a1a1a1) serves 100 % again, …
    bot: ✓ payments a1a1a1a1a1a1 ⟲ prod: recorded as GitHub deployment 18
    bot: payments a1a1a1a1a1a1 ⟲ prod serves again. It took … [Lift the hold]
    bot: payments ⟲ prod serve again.
         ✓ 1. payments a1a1a1a1a1a1 ⟲ prod serves again (op_…)
         …
    """
TAKEN_BACK = """
    bot: payments and checkout (M-cd184655fa) → prod were taken back.
         ✓ 1. payments a2a2a2a2a2a2 had shipped: payments a1a1a1a1a1a1 ⟲ prod serves again (op_…)
         ✗ 2. checkout c2c2c2c2c2c2 → prod was taken back (op_…)
         • checkout c2c2c2c2c2c2 → prod was taken back. 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %. What had shipped is back.
    bot now: payments and checkout (M-cd184655fa) → prod were taken back.
    bot now: payments and checkout (M-cd184655fa) → prod were taken back.
    """
CHECKOUT_FAILS = """
    bot: checkout c2c2c2c2c2c2 → prod was taken back. [Lift the hold]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 17
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    bot: ✗ checkout c2c2c2c2c2c2 → prod: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took … [Lift the hold]
    """


async def test_what_shipped_goes_back_where_the_next_one_goes_bad(shop: Town) -> None:
    shop.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(
        ASKS
        + AGREED
        + PAYMENTS
        + CHECKOUT_FAILS
        + """
    bot: checkout c2c2c2c2c2c2 → prod was taken back. 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %. payments shipped before and goes back, too.
    bot: payments ⟲ prod serve again.
         Asked by: @release-bot
         Reason: another one of payments and checkout (M-cd184655fa) → prod went bad
         …
    """
        + BACK
        + TAKEN_BACK,
        shop,
    )
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 1)
    async with Bot(shop) as bot:
        (kept,) = await bot.store.manifests("prod")
    assert kept.verified_at is None


async def test_what_shipped_stays_where_the_policy_says_so(shop: Town) -> None:
    shop.policies.adopt(manifest={"if_one_fails": "stay"})
    shop.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(
        ASKS
        + AGREED
        + PAYMENTS
        + CHECKOUT_FAILS
        + """
    bot: payments and checkout (M-cd184655fa) → prod failed.
         ✓ 1. payments a2a2a2a2a2a2 → prod is live (op_…)
         ✗ 2. checkout c2c2c2c2c2c2 → prod was taken back (op_…)
         • checkout c2c2c2c2c2c2 → prod was taken back. 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %. payments shipped before.
    bot now: payments and checkout (M-cd184655fa) → prod failed.
    bot now: payments and checkout (M-cd184655fa) → prod failed.
    """,
        shop,
    )
    assert shop.runs.serving("payments") == digest("payments", 2)


@pytest.mark.requirement("S4-242")
@pytest.mark.parametrize(
    "words", ["rollback shop", "rollback prod to {first}", "rollback shop prod --manifest {first}"]
)
async def test_a_set_goes_back_to_the_one_before_it_as_a_whole(shop: Town, words: str) -> None:
    await plays(ASKS + AGREED + PAYMENTS + CHECKOUT + LIVE, shop)
    approved = "… once: Plan for\nomar: [Approve]"
    for number, services in ((3, ("payments",)), (4, ("payments", "checkout"))):  # first one alone, then both as a set
        for service in services:
            shop.version(service, number, "Mend it", "lea-gh")
            shop.deployed(service, "stage", number, ago=25 * HOUR)
        await plays(f"maya: /release promote {','.join(services)} stage→prod\n{approved}", shop, heads=False)
    async with Bot(shop) as bot:
        second, first = await bot.store.manifests("prod")
    assert (second.manifest.digest("payments"), first.manifest.id) == (digest("payments", 4), "M-cd184655fa")
    await plays(
        f"""
    ines: /release {words.format(first=first.manifest.id)}
    bot: checkout and payments ⟲ prod serve again.
         Asked by: @ines
         Back to: M-cd184655fa
         ✓ 1. checkout c2c2c2c2c2c2 ⟲ prod serves again (op_…)
         ✓ 2. payments a2a2a2a2a2a2 ⟲ prod serves again (op_…)
         • Each of them serves again.
         …
    bot: checkout c2c2c2c2c2c2 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c2c2c2c2c2c2 ⟲ prod: every rule is met
    bot: ✓ checkout c2c2c2c2c2c2 ⟲ prod: checkout-r-c2c2c2c2c2c2 (c2c2c2c2c2c2) serves 100 % again, …
    bot: ✓ checkout c2c2c2c2c2c2 ⟲ prod: recorded as GitHub deployment …
    bot: checkout c2c2c2c2c2c2 ⟲ prod serves again. It took … [Lift the hold]
    bot: payments a2a2a2a2a2a2 ⟲ prod serves again. [Lift the hold]
    bot: Plan for payments a2a2a2a2a2a2 ⟲ prod: every rule is met
    bot: ✓ payments a2a2a2a2a2a2 ⟲ prod: payments-r-a2a2a2a2a2a2 (a2a2a2a2a2a2) serves 100 % again, …
    bot: ✓ payments a2a2a2a2a2a2 ⟲ prod: recorded as GitHub deployment …
    bot: payments a2a2a2a2a2a2 ⟲ prod serves again. It took … [Lift the hold]
    bot: checkout and payments ⟲ prod serve again.
         …
    """,
        shop,
    )
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 2)


async def test_a_set_that_nobody_knows_is_answered_with_those_that_were_well(shop: Town) -> None:
    asks = """
    ines: /release rollback prod to M-123
    bot → ines: {}
    """
    none = "No set was ever verified as a whole in prod; roll back each service by itself."
    await plays(asks.format(none), shop)
    await plays(ASKS + "omar: [Approve]", shop, heads=False)
    pinned = "payments a2a2a2a2a2a2, checkout c2c2c2c2c2c2"
    known = f"M-123 is no set that was verified as a whole in prod; these were: M-cd184655fa ({pinned})."
    await plays(asks.format(known), shop)


async def test_a_set_does_not_come_back_once_one_of_it_left_the_policy(shop: Town) -> None:
    await plays(ASKS + "omar: [Approve]", shop, heads=False)
    leaves("checkout", shop)
    await plays(
        """
    ines: /release rollback prod to M-cd184655fa
    bot → ines: M-cd184655fa pins checkout, of which the policy knows nothing any more.
    """,
        shop,
    )


@pytest.mark.parametrize("words", ["promote checkout,checkout stage→prod", "rollback Checkout,checkout prod"])
async def test_one_alone_is_no_set_however_often_it_is_named(shop: Town, words: str) -> None:
    await plays(
        f"""
    maya: /release {words}
    bot → maya: That names one service only; say `checkout` once.
    """,
        shop,
    )


async def test_status_and_log_name_the_set(shop: Town) -> None:
    await plays(ASKS + AGREED + PAYMENTS + CHECKOUT + LIVE, shop)
    await plays(
        """
    tom: /release status checkout
    bot → tom: Status of checkout: nothing under way.
         …
         • M-cd184655fa (payments a2a2a2a2a2a2, checkout c2c2c2c2c2c2) went to prod as one, and was well Tue 24 Nov 2026 09:00 UTC
    tom: /release log payments last:5
    bot → tom: The last 5 entries about payments.
         … operation done op_… a2a2a2a2a2a2 → prod M-cd184655fa
         …
    """,
        shop,
    )


async def test_two_processes_ship_it_once(shop: Town) -> None:
    await plays("    maya: /release promote shop stage→prod", shop, heads=False)
    async with Bot(shop) as one, Bot(shop) as other:
        (whole,) = await one.store.open_operations()
        assert whole.plan is not None
        words = f"approve {whole.id} plan:{whole.plan.hash[:8]}"
        await one.hears(Request("r100", words, shop.people.account("omar"), "C0RELEASES"))
        while await one.store.open_operations():
            await asyncio.gather(one.rests(), other.rests())
        await asyncio.gather(one.says(), other.says())
        assert one.surprises == other.surprises == []
    for service in ("payments", "checkout"):
        assert shop.runs.serving(service) == digest(service, 2)
        assert shop.github.told(service) == [(digest(service, 2)[7:19], "success")]
    said = [message.now["text"] for message in shop.slack.messages if not message.only_for]
    assert len([text for text in said if text.startswith("Plan for checkout")]) == 1
