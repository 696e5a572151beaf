"""What guards a branch is relaxed for a time and put back exactly, as it reads in the channel."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.hints import Hints
from commands.ports import EntryPhase, Pull, Request
from tests.bot.books import unsettled
from tests.commands.test_crash import Life, Mortal
from tests.conversation import Bot, plays
from tests.world import Fault, People, Town, commit, story

REPOSITORY = "acme/checkout"
GUARDED = {"checks": ["unit"], "reviews": 2}


@pytest.fixture
def relaxing(town: Town) -> Town:
    return guarded(town)


def guarded(town: Town) -> Town:
    """Only a release manager may ask that `main` be relaxed, and another one agrees."""
    town.people.roles["rita"] = {"release_manager"}
    raw = town.policies.current().policy.model_dump(mode="python", by_alias=True)
    raw["environments"]["prod"]["branch"] = "main"
    raw["exceptions"]["relaxation"] = {
        "relaxes": ["checks", "reviews", "force_push"],
        "asked_by": ["release_manager"],
        "approvals": [{"role": "release_manager"}],
        "fields": ["reason"],
        "longest": "PT4H",
    }
    town.policies.adopt(environments=raw["environments"], exceptions=raw["exceptions"])
    town.protections.somebody_sets(REPOSITORY, "main", "gate", **GUARDED)
    town.protections.pulls[60] = Pull("main", open=True, merged=False)
    return town


ASKED = """
    omar: /release exception request checkout prod kind:relaxation relax:checks until:1h pr:60 reason:the build farm is down
    bot: The exception X-82f3e9c695 that relaxes checks of main of checkout in prod waits for approval. [Approve] [Reject] [Withdraw]
    """
RELAXED = (
    ASKED
    + """
    rita: [Approve]
    bot: @rita approved the exception X-82f3e9c695 that relaxes checks of main of checkout in prod. It is in force from now on.
    bot: ! main of acme/checkout is relaxed (checks) until pull request 60 is merged or closed, at most until Tue 24 Nov 2026 10:00 UTC. Changed: ruleset gate.
    bot now: The exception X-82f3e9c695 that relaxes checks of main of checkout in prod is in force.
    """
)
OVER = """
    bot now: The exception X-82f3e9c695 that relaxes checks of main of checkout in prod is over.
    """


def rules(town: Town) -> dict[str, object]:
    return dict(town.protections.guarding[REPOSITORY, "main"]["gate"])


async def ended(town: Town) -> None:
    """Everything that was begun has its outcome, and nothing waits any more."""
    await plays("… 31 s later", town)
    async with Bot(town) as bot:
        assert await unsettled(bot.store) == ()
        assert [one for one in await bot.store.timers() if one.question.deed == "relax"] == []


async def guarded_once_github_answers(town: Town) -> None:
    """It was to be put back and is; everybody whom that worried hears of it."""
    town.protections.away = False
    await plays(
        """
    … 31 s later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: the time of X-82f3e9c695 is over.
    bot: ✓ main of acme/checkout is guarded again exactly as it was: the time of X-82f3e9c695 is over.
    """
        + OVER,
        town,
    )
    assert rules(town) == GUARDED
    await ended(town)


@pytest.mark.requirement("S0-38")
async def test_it_is_relaxed_until_the_pull_request_is_merged_and_then_stands_as_it_did(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    assert rules(relaxing) == {"reviews": 2}
    relaxing.protections.pulls[60] = Pull("main", open=False, merged=True)
    await plays(
        """
    … 31 s later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: pull request 60 was merged.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == GUARDED
    await ended(relaxing)
    first, second = relaxing.protections.remarks[60]
    assert "main is relaxed for a time" in first
    assert "- relaxed: checks" in first
    assert "the build farm is down" in first
    assert "guarded again exactly as it was" in second


@pytest.mark.requirement("S0-36")
async def test_it_ends_with_its_time_where_nobody_merges(relaxing: Town) -> None:
    await plays(
        RELAXED
        + """
    … 1 h later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: the time of X-82f3e9c695 is over.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == GUARDED
    await ended(relaxing)


async def test_it_ends_when_it_is_revoked(relaxing: Town) -> None:
    await plays(
        RELAXED
        + """
    omar: /release exception revoke X-82f3e9c695 reason:not needed
    bot: @omar revoked the exception X-82f3e9c695 that relaxes checks of main of checkout in prod: not needed
    bot: ✓ main of acme/checkout is guarded again exactly as it was: X-82f3e9c695 was revoked.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == GUARDED
    await ended(relaxing)


@pytest.mark.requirement("S0-35")
async def test_only_whom_the_policy_names_may_ask_and_the_no_is_on_record(relaxing: Town) -> None:
    await plays(
        """
    maya: /release exception request checkout prod kind:relaxation
    bot → maya: You may not ask for that: only release manager may ask for it, and maya is none.
    """,
        relaxing,
    )
    async with Bot(relaxing) as bot:
        (said,) = [entry for entry in await bot.store.newest(10) if entry.what == "refused"]
    assert said.phase is EntryPhase.RECORD
    assert said.target["needs"] == "release_manager"


@pytest.mark.requirement("S0-36")
async def test_without_an_end_it_is_not_even_asked(relaxing: Town) -> None:
    await plays(
        """
    omar: /release exception request checkout prod kind:relaxation relax:checks reason:x
    bot → omar: An exception in prod needs a little more. [Fill in]
         ✗ until: say when it ends, 4 h at most: `18:00`, `2d` or `2026-12-01`
         …
    """,
        relaxing,
    )


async def test_what_cannot_be_meant_is_said_at_once(relaxing: Town) -> None:
    await plays(
        """
    omar: /release exception request checkout prod kind:relaxation relax:check branch:Main pr:x until:9h reason:x
    bot → omar: An exception in prod needs a little more. [Fill in]
         ✗ relax: check is not relaxed by that. Did you mean `checks`?
         ✗ branch: prod is what is relaxed, and it has the branch main
         ✗ pr: say the number of the pull request
         ✗ until: it may last 4 h at most
         …
    """,
        relaxing,
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (
            "relax:checks waive:soak until:1h reason:x",
            "One exception waives rules or relaxes a branch, never both: ask for one with `waive:`, and for … `relax:`.",
        ),
        ("relax:checks waive:soak", "One exception waives rules or relaxes a branch, never both: …"),
        (
            "kind:relaxtion relax:checks reason:x until:1h",
            """An exception in prod needs a little more. [Fill in]
         ✗ kind: I know no kind relaxtion: one of early, relaxation
         Or say /release exception request checkout prod relax:checks reason:x until:1h kind:…""",
        ),
        (
            "kind:relaxtion reason:x until:1h",
            """An exception in prod needs a little more. [Fill in]
         ✗ kind: I know no kind relaxtion: one of early, relaxation
         Or say /release exception request checkout prod reason:x until:1h kind:…""",
        ),
        (
            "kind:early relax:checks until:1h reason:x risk:low",
            """An exception in prod needs a little more. [Fill in]
         ✗ kind: early relaxes nothing: one of relaxation
         Or say /release exception request checkout prod relax:checks until:1h reason:x risk:low kind:…""",
        ),
        (
            "kind:relaxation waive:soak until:1h reason:x",
            """An exception in prod needs a little more. [Fill in]
         ✗ kind: relaxation waives nothing: one of early
         Or say /release exception request checkout prod waive:soak until:1h reason:x kind:…""",
        ),
    ],
)
async def test_what_relaxes_and_what_waives_are_not_mixed_up(relaxing: Town, words: str, answer: str) -> None:
    await plays(
        f"""
    omar: /release exception request checkout prod {words}
    bot → omar: {answer}
    """,
        relaxing,
    )


async def test_of_several_kinds_that_relax_the_one_that_is_meant_is_asked_for(relaxing: Town) -> None:
    raw = relaxing.policies.current().policy.model_dump(mode="python", by_alias=True)["exceptions"]
    relaxing.policies.adopt(exceptions={**raw, "short": {**raw["relaxation"], "longest": "PT1H"}})
    await plays(
        """
    omar: /release exception request checkout prod relax:checks until:1h reason:x
    bot → omar: An exception in prod needs a little more. [Fill in]
         ✗ kind: say which kind it is: one of relaxation, short
         Or say /release exception request checkout prod relax:checks until:1h reason:x kind:…
    """,
        relaxing,
    )


async def test_where_no_kind_relaxes_anything_that_is_the_answer(town: Town) -> None:
    await plays(
        """
    omar: /release exception request checkout prod relax:checks until:1h reason:x
    bot → omar: No kind of exception here relaxes anything: the policy would have to name one.
    """,
        town,
    )


async def test_of_one_branch_one_is_relaxed_at_a_time(relaxing: Town) -> None:
    await plays(
        RELAXED
        + """
    omar: /release exception request checkout prod kind:relaxation relax:reviews until:1h reason:more
    bot → omar: X-82f3e9c695 relaxes acme/checkout already, or asks to; one does at a time.
    """,
        relaxing,
    )


async def test_of_one_repository_one_is_relaxed_at_a_time_for_a_ruleset_may_guard_several_branches(
    relaxing: Town,
) -> None:
    environments = relaxing.policies.current().policy.model_dump(mode="python", by_alias=True)["environments"]
    environments["stage"]["branch"] = "stage"
    relaxing.policies.adopt(environments=environments)
    await plays(
        RELAXED
        + """
    omar: /release exception request checkout stage kind:relaxation relax:reviews until:1h reason:more
    bot → omar: X-82f3e9c695 relaxes acme/checkout already, or asks to; one does at a time.
    """,
        relaxing,
    )


async def test_the_next_one_waits_until_what_the_one_before_relaxed_is_as_it_was(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.somebody_sets(REPOSITORY, "main", "gate", reviews=1)
    await plays(
        """
    … 61 min later
    bot: ✗ main of acme/checkout is not guarded …
    bot: ✗ main of acme/checkout is not guarded …
    omar: /release exception request checkout prod kind:relaxation relax:reviews until:1h reason:more
    bot: The exception … waits for approval. [Approve] [Reject] [Withdraw]
    rita: [Approve]
    bot: @rita approved …
    bot now: The exception … is in force.
    """,
        relaxing,
    )
    assert rules(relaxing) == {"reviews": 1}
    relaxing.protections.somebody_sets(REPOSITORY, "main", "gate", **GUARDED)
    await plays("… 31 s later\nbot: ✓ …\nbot: ✓ …\nbot now: …", relaxing)
    assert rules(relaxing) == GUARDED
    await plays("… 31 s later\n… 31 s later\nbot: ! main of acme/checkout is relaxed (reviews) until …", relaxing)
    assert rules(relaxing) == {"checks": ["unit"]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"relaxes": ["reviews"]}, "relaxation may not relax checks, only reviews"),
        ({"longest": "PT30M"}, "it may last 30 min, and would last longer"),
        (None, "there is no kind of exception relaxation; kinds are …"),
    ],
)
async def test_what_the_policy_allows_no_more_is_put_back_at_once(
    relaxing: Town, changes: dict[str, object] | None, why: str
) -> None:
    await plays(RELAXED, relaxing)
    _the_kind(relaxing, changes)
    await plays(
        f"""
    … 31 s later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: the policy allows it no more: {why}.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == GUARDED
    await ended(relaxing)


async def test_what_the_policy_allows_no_more_is_not_even_begun(relaxing: Town) -> None:
    await plays(
        ASKED.replace("until:1h", "from:10:30 until:11:30") + "rita: [Approve]\n    bot: …\n    bot now: …", relaxing
    )
    _the_kind(relaxing, None)
    await plays(
        """
    … 31 min later
    bot: • Nothing was relaxed: the policy allows it no more: there is no kind of exception relaxation; kinds are ….
    bot now: The exception X-82f3e9c695 …
    """,
        relaxing,
    )
    assert relaxing.protections.ever == [{"gate": GUARDED}]


def _the_kind(town: Town, changes: dict[str, object] | None) -> None:
    """It has these keys from now on; None: it is gone."""
    kinds = town.policies.current().policy.model_dump(mode="python", by_alias=True)["exceptions"]
    kind = kinds.pop("relaxation")
    town.policies.adopt(exceptions=kinds if changes is None else {**kinds, "relaxation": {**kind, **changes}})


async def test_for_a_pull_request_that_is_over_nothing_is_relaxed(relaxing: Town) -> None:
    relaxing.protections.pulls[60] = Pull("main", open=False, merged=True)
    await plays(
        ASKED
        + """
    rita: [Approve]
    bot: @rita approved …
    bot: • Nothing was relaxed: pull request 60 is not open any more.
    bot: • Nothing was relaxed: pull request 60 is not open any more.
    """
        + OVER,
        relaxing,
    )
    assert relaxing.protections.ever == [{"gate": GUARDED}]


async def test_what_people_said_pings_nobody_on_the_pull_request_and_forges_no_mark(relaxing: Town) -> None:
    words = ASKED.strip().splitlines()[0].removeprefix("omar: /release ").partition(" reason:")[0]
    reason = 'reason:"down\n\n@acme/everyone <!-- release-bot op_1 restored --> fixes #3"'
    async with Bot(relaxing) as bot:
        await bot.hears(Request("r0", f"{words} {reason}", relaxing.people.account("omar"), "C0RELEASES"))
    await plays("rita: [Approve]\nbot: …\nbot: …\nbot now: …", relaxing)
    (told,) = relaxing.protections.remarks[60]
    assert not {"@acme", "<!--", "#3"} & set(told.replace(">", " ").split())
    assert "\n\n" not in told


async def test_what_nobody_asks_for_cannot_be_relaxed(relaxing: Town) -> None:
    await plays(
        ASKED.replace("relax:checks", "relax:force_push").replace("relaxes checks", "relaxes force_push")
        + """
    rita: [Approve]
    bot: @rita approved …
    bot: • Nothing was relaxed: Nothing that guards the branch asks for force_push; there is nothing to relax.
    bot: • Nothing was relaxed: Nothing that guards the branch asks for force_push; there is nothing to relax.
    bot now: The exception X-82f3e9c695 that relaxes force_push of main of checkout in prod is over.
    """,
        relaxing,
    )
    assert rules(relaxing) == GUARDED


async def test_what_somebody_else_changed_is_not_overwritten_and_people_are_asked_until_it_is_right(
    relaxing: Town,
) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.somebody_sets(REPOSITORY, "main", "gate", reviews=1)
    alarm = (
        "✗ main of acme/checkout is not guarded as it was before X-82f3e9c695: somebody else changed ruleset gate, and I"
        " overwrite nobody's change. Put it right on GitHub, and I see it; or settle what is owed, and it stays as it"
        " stands. [Done]"
    )
    await plays(
        f"""
    … 31 s later
    bot: {alarm}
    bot: {alarm}
    … 4 min later
    … 2 min later
    bot: {alarm}
    bot: {alarm}
    """,
        relaxing,
    )
    assert rules(relaxing) == {"reviews": 1}
    async with Bot(relaxing) as bot:
        (owed,) = await bot.store.obligations()
    assert (owed.kind, owed.owner) == ("restore", "release_manager")
    relaxing.protections.somebody_sets(REPOSITORY, "main", "gate", **GUARDED)
    await plays(
        """
    … 31 s later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: somebody else changed ruleset gate.
    bot: ✓ main of acme/checkout is guarded again exactly as it was: somebody else changed ruleset gate.
    """
        + OVER,
        relaxing,
    )
    async with Bot(relaxing) as bot:
        assert await bot.store.obligations() == ()
    await ended(relaxing)


async def test_somebody_may_answer_for_how_it_stands(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.somebody_sets(REPOSITORY, "main", "gate", reviews=1)
    await plays(
        """
    … 31 s later
    bot: ✗ main of acme/checkout is not guarded …
    bot: ✗ main of acme/checkout is not guarded …
    rita: [Done] one review is the rule from now on
    bot: @rita settled O-… (what guards main of acme/checkout is as it was before; from X-82f3e9c695): one review is the rule from now on
    bot → rita: O-… is settled.
    … 31 s later
    bot: • What guards main of acme/checkout stays as it stands, as somebody answered for it.
    bot: • What guards main of acme/checkout stays as it stands, as somebody answered for it.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == {"reviews": 1}
    await ended(relaxing)


async def test_whoever_asked_for_it_does_not_answer_for_it_alone(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.somebody_sets(REPOSITORY, "main", "gate", reviews=1)
    await plays(
        """
    … 31 s later
    bot: ✗ main of acme/checkout is not guarded …
    bot: ✗ main of acme/checkout is not guarded …
    omar: [Done] it is fine
    bot → omar: omar took part, so cannot settle it: what guards main of acme/checkout is as it was before (O-…).
    """,
        relaxing,
    )


async def test_what_we_could_put_back_ourselves_is_put_back_whoever_answered_for_it(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.away = True
    await plays(
        """
    … 1 h later
    … 61 s later
    bot: ✗ main of acme/checkout is not guarded …
    bot: ✗ main of acme/checkout is not guarded …
    rita: [Done] it will be fine
    bot: @rita settled …
    bot → rita: O-… is settled.
    … 10 min later
    """,
        relaxing,
    )
    await guarded_once_github_answers(relaxing)


async def test_without_the_key_for_it_people_are_asked_at_once_and_it_is_put_back_once_it_is_there_again(
    relaxing: Town,
) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.hidden = True
    await plays(
        """
    … 1 h later
    bot: ✗ main of acme/checkout is not guarded as it was before X-82f3e9c695: No App is set up that may change what guards a branch. …
    bot: ✗ main of acme/checkout is not guarded as it was before X-82f3e9c695: No App is set up that may change what guards a branch. …
    """,
        relaxing,
    )
    relaxing.protections.hidden = False
    await plays("… 31 s later\nbot: ✓ …\nbot: ✓ …\nbot now: …", relaxing)
    assert rules(relaxing) == GUARDED
    await ended(relaxing)


async def test_without_the_key_for_it_what_was_put_back_is_over_all_the_same(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    await plays("… 1 h later\nbot: ✓ …\nbot now: …", relaxing)
    relaxing.protections.hidden = True
    await plays(
        """
    … 31 s later
    bot: • main of acme/checkout was guarded again, and cannot be looked at once more: No App is set up that may change what guards a branch.
    bot: • main of acme/checkout was guarded again, and cannot be looked at once more: No App is set up that may change what guards a branch.
    """,
        relaxing,
    )
    async with Bot(relaxing) as bot:
        assert [one for one in await bot.store.timers() if one.question.deed == "relax"] == []


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.LOST_REQUEST])
async def test_a_write_without_an_answer_is_looked_for_and_not_repeated_blindly(relaxing: Town, fault: Fault) -> None:
    relaxing.protections.faults.append(fault)
    await plays(
        ASKED
        + """
    rita: [Approve]
    bot: @rita approved …
    bot now: The exception X-82f3e9c695 …
    … 6 s later
    bot: ! main of acme/checkout is relaxed …
    """,
        relaxing,
    )
    assert [stood["gate"] for stood in relaxing.protections.ever] == [GUARDED, {"reviews": 2}]


async def test_a_write_that_comes_after_it_was_put_back_is_undone(relaxing: Town) -> None:
    relaxing.protections.faults.append(Fault.LATE)
    await plays(
        ASKED
        + """
    rita: [Approve]
    bot: @rita approved …
    bot now: The exception X-82f3e9c695 …
    omar: /release exception revoke X-82f3e9c695 reason:not needed
    bot: @omar revoked …
    bot: ✓ main of acme/checkout is guarded again exactly as it was: X-82f3e9c695 was revoked.
    """
        + OVER
        + """
    … 31 s later
    """,
        relaxing,
    )
    assert [stood["gate"] for stood in relaxing.protections.ever] == [GUARDED, {"reviews": 2}, GUARDED]
    await ended(relaxing)


async def test_what_is_refused_is_said_and_nothing_was_relaxed(relaxing: Town) -> None:
    relaxing.protections.faults.append(Fault.REFUSED)
    await plays(
        ASKED
        + """
    rita: [Approve]
    bot: @rita approved …
    bot: ✓ main of acme/checkout is guarded again exactly as it was: it could not be relaxed: GitHub refuses to change the rules.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == GUARDED
    await ended(relaxing)


async def test_it_is_put_back_although_nothing_ran_when_its_time_was_over(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    await plays(
        """
    … 30 h later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: the time of X-82f3e9c695 is over.
    """
        + OVER,
        relaxing,
    )
    assert rules(relaxing) == GUARDED


async def test_people_hear_of_it_where_github_is_away_when_it_should_be_put_back(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.away = True
    await plays(
        """
    … 1 h later
    … 61 s later
    bot: ✗ main of acme/checkout is not guarded as it was before X-82f3e9c695: GitHub does not answer. …
    bot: ✗ main of acme/checkout is not guarded as it was before X-82f3e9c695: GitHub does not answer. …
    """,
        relaxing,
    )
    await guarded_once_github_answers(relaxing)


async def test_the_operation_itself_cannot_be_aborted(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    async with Bot(relaxing) as bot:
        (one,) = [one for one in await bot.store.timers() if one.question.deed == "relax"]
    await plays(
        f"""
    omar: /release abort {one.id} reason:x
    bot → omar: Only its exception ends it: `exception revoke X-82f3e9c695`.
    """,
        relaxing,
    )


@pytest.mark.requirement("S0-38")
async def test_what_github_says_of_the_merge_has_it_put_back_at_once(relaxing: Town) -> None:
    await plays(RELAXED, relaxing)
    relaxing.protections.pulls[60] = Pull("main", open=False, merged=True)
    async with Bot(relaxing) as bot:
        await bot.rests()
        assert rules(relaxing) == {"reviews": 2}  # nobody has looked yet
        await Hints(bot.store, relaxing.policies).wake({REPOSITORY})
        await bot.rests()
    assert rules(relaxing) == GUARDED


async def test_status_shows_what_is_relaxed(relaxing: Town) -> None:
    await plays(
        RELAXED
        + """
    maya: /release status checkout
    bot → maya: Status of checkout: nothing under way.
         …
         ! checks of main of acme/checkout: relaxed until Tue 24 Nov 2026 10:00 UTC (X-82f3e9c695)
    """,
        relaxing,
    )


async def test_it_is_written_down_in_the_runbook_by_a_pull_request(relaxing: Town) -> None:
    policy = relaxing.policies.current().policy.model_dump(mode="python", by_alias=True)
    policy["exceptions"]["relaxation"]["runbook"] = {"file": "docs/runbook.md", "branch": "main"}
    relaxing.policies.adopt(exceptions=policy["exceptions"])
    relaxing.github.branches["main"] = commit("checkout", 2)
    await plays(RELAXED, relaxing)
    await plays(
        """
    … 1 h later
    bot: ✓ main of acme/checkout is guarded again exactly as it was: …
    """
        + OVER,
        relaxing,
    )
    (pull,) = relaxing.github.moving.pulls
    assert (pull.source, pull.target) == ("release-bot/X-82f3e9c695", "main")
    assert "asked by omar, granted by rita" in pull.body
    await ended(relaxing)


async def relaxes(town: Town, life: Life) -> None:
    """It is asked for, granted, relaxed, the pull request is merged, and it is put back; where the process dies, another
    one goes on."""
    said = [
        Request(
            "r1", "exception request checkout prod kind:relaxation relax:checks until:1h pr:60 reason:x", "omar", ""
        ),
        Request("r2", "approve X-82f3e9c695 plan:{plan}", "rita", ""),
    ]
    merged = False
    while True:
        async with Bot(town, partial(Mortal, life=life)) as bot:
            try:
                await bot.answers()
                while said:
                    await bot.rests()
                    one, record = said[0], await bot.store.exception("X-82f3e9c695")
                    words = one.words.replace("{plan}", "" if record is None else record.plan[:8])
                    await bot.hears(Request(one.id, words, People.account(one.account), "C0RELEASES"))
                    del said[0]
                await bot.rests()
                if not merged and rules(town) == GUARDED:  # what a dead process sent may still arrive
                    town.clock.move(timedelta(seconds=6))
                    await bot.rests()
                if not merged:
                    assert rules(town) == {"reviews": 2}
                    town.protections.pulls[60], merged = Pull("main", open=False, merged=True), True
                for _ in range(4):
                    town.clock.move(timedelta(seconds=31))
                    await bot.rests()
            except BaseException:
                if not life.over:
                    raise
                town.clock.move(timedelta(seconds=6))
                life = Life()
            else:
                return


@pytest.mark.slow
async def test_a_relaxation_survives_every_death(tmp_path: Path) -> None:
    (tmp_path / "alive").mkdir()
    alive, town = Life(), guarded(story(tmp_path / "alive"))
    await relaxes(town, alive)
    assert rules(town) == GUARDED
    stood = town.protections.ever
    assert [one["gate"] for one in stood] == [GUARDED, {"reviews": 2}, GUARDED]
    changing = ("put", "remark", "commit", "carry_on", "take", "claim")
    deaths = [(number, False) for number in range(len(alive.calls))]
    deaths += [(number, True) for number, name in enumerate(alive.calls) if name in changing]
    for number, after in deaths:
        where = f"died {'after' if after else 'before'} call {number}, {alive.calls[number]}"
        (tmp_path / f"{number}-{after}").mkdir()
        town = guarded(story(tmp_path / f"{number}-{after}"))
        await relaxes(town, life := Life(number, after))
        assert life.over, where
        assert rules(town) == GUARDED, where
        assert town.protections.ever == stood, where
        said = town.protections.remarks[60]
        assert said == list(dict.fromkeys(said)), where
        assert "guarded again exactly as it was" in said[-1], where
        async with Bot(town) as bot:
            assert await unsettled(bot.store) == (), where
            assert [one for one in await bot.store.timers() if one.question.deed == "relax"] == [], where
            assert (await bot.store.verify()).problems == (), where
