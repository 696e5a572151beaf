"""A release of its tag follows what shipped: with its notes and its record, published last, and once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from commands import publish
from policy.evidence import PullRequest, Tag
from policy.model import Sha
from tests.bot.books import unsettled
from tests.commands.test_deployments import LIVE
from tests.commands.test_promote import APPROVED, ASKED
from tests.commands.test_rollback import BACK_PLAN, BACK_STEPS
from tests.conversation import Bot, plays
from tests.world import Town, commit, digest

CANDIDATE = commit("checkout", 2)
V2 = Tag("v2.0.0", CANDIDATE, annotated=True, verified=True)
SHIPPED = (ASKED + APPROVED + LIVE).replace("bot now: checkout", "bot now: checkout", 1)
PUBLISHED = "    bot: ✓ checkout c2c2c2c2c2c2 → prod: the release v2.0.0 is published\n"


@pytest.fixture
def releasing(town: Town) -> Town:
    """A path that makes a release of what went along it."""
    town.policies.adopt(to_prod={"release": {"tag": r"^v\d+\.\d+\.\d+$"}})
    town.github.tags[CANDIDATE] = V2
    town.github.pull_requests[CANDIDATE] = PullRequest(12, "feat: Pay in one click", authors=frozenset({"lea-gh"}))
    return town


def page(*said: str) -> str:
    """The whole promotion, and what is said right after it is live."""
    head, live, rest = SHIPPED.partition("    bot now: checkout c2c2c2c2c2c2 → prod is live.")
    return f"{head}{''.join(said)}{live}{rest.rstrip()}\n"


async def test_what_shipped_becomes_a_release_with_its_notes_and_its_record(releasing: Town) -> None:
    await plays(page(PUBLISHED), releasing)
    (made,) = releasing.releases.made
    assert (made.release.tag, made.release.public, made.latest) == ("v2.0.0", True, True)
    assert made.body.startswith("### Features\n\n- Pay in one click (#12) by lea-gh\n")
    assert f"- checkout in prod: `{digest('checkout', 2)}`\n" in made.body
    record = json.loads(made.holds["release.json"])
    assert (record["tag"], record["commit"], record["digest"]) == ("v2.0.0", CANDIDATE, digest("checkout", 2))
    assert (record["asked"]["by"], [one["by"] for one in record["approvals"]]) == ("maya", ["omar"])
    assert record["from"]["digest"] == digest("checkout", 1)


async def test_without_a_word_in_the_policy_no_release_is_made(town: Town) -> None:
    town.github.tags[CANDIDATE] = V2
    await plays(page(), town)
    assert town.releases.made == []


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        (None, "c2c2c2c bears no tag like ^v\\d+\\.\\d+\\.\\d+$, and I make none."),
        ({"annotated": False}, "the tag v2.0.0 is not annotated."),
        ({"verified": False, "why_not": "unsigned"}, "the signature of the tag v2.0.0 was not verified (unsigned)."),
    ],
)
async def test_a_tag_that_is_missing_or_not_made_as_it_must_be_leaves_what_shipped_as_it_is(
    releasing: Town, tag: dict[str, object] | None, why: str
) -> None:
    if tag is None:
        releasing.github.tags.clear()
    else:
        releasing.github.tags[CANDIDATE] = replace(V2, **tag)  # type: ignore[arg-type]
    says = f"    bot: ✗ checkout c2c2c2c2c2c2 → prod is live, but no release was made of it (draft): {why}\n"
    await plays(page(says), releasing)
    assert releasing.releases.made == []
    assert releasing.runs.serving("checkout") == digest("checkout", 2)


async def test_a_release_that_others_published_gets_its_record_and_nothing_else(releasing: Town) -> None:
    theirs = await releasing.releases.draft(
        "acme/checkout", tag="v2.0.0", commit=CANDIDATE, title="Two", body="Ours", mark="<!-- ci -->"
    )
    await releasing.releases.publish("acme/checkout", theirs, commit=CANDIDATE, latest=True)
    await plays(page(PUBLISHED.replace("is published", "was published already")), releasing)
    (made,) = releasing.releases.made
    assert (made.title, made.body, list(made.holds)) == ("Two", "Ours\n\n<!-- ci -->\n", ["release.json"])


async def test_answers_that_are_lost_make_nothing_twice(releasing: Town) -> None:
    releasing.releases.loses = 3
    await plays(page() + "    … 10 s later\n" * 3 + PUBLISHED, releasing)
    (made,) = releasing.releases.made
    assert (made.release.public, list(made.holds)) == (True, ["release.json"])


async def test_github_away_holds_nothing_up_and_it_is_made_later(releasing: Town) -> None:
    releasing.releases.away = True
    await plays(page(), releasing)
    assert releasing.runs.serving("checkout") == digest("checkout", 2)
    releasing.releases.away = False
    await plays("    … 30 min later\n" + PUBLISHED, releasing)
    assert [made.release.public for made in releasing.releases.made] == [True]


async def test_a_fix_of_an_older_line_is_not_called_the_latest(releasing: Town) -> None:
    other = Sha("d" * 40)
    releasing.github.tags[other] = Tag("v2.1.0", other, annotated=True, verified=True)
    newer = await releasing.releases.draft(
        "acme/checkout", tag="v2.1.0", commit=other, title="", body="", mark="<!-- ci -->"
    )
    await releasing.releases.publish("acme/checkout", newer, commit=other, latest=True)
    await plays(page(PUBLISHED), releasing)
    assert await releasing.releases.latest("acme/checkout") == "v2.1.0"


@pytest.mark.parametrize(
    ("tag", "than", "after"),
    [("v1.10.0", "v1.9.9", True), ("v1.9.9", "v1.10.0", False), ("v1.0.0", "", True), ("v1.0.0", "v1.0.0", False)],
)
def test_versions_are_compared_number_by_number(tag: str, than: str, after: bool) -> None:
    assert publish.newer(tag, than) is after


async def test_what_is_watched_is_published_once_it_stayed_well(releasing: Town) -> None:
    rollout = {"watch": "PT1H", "triggers": {"errors": {"signal": "error_percent", "above": 5, "during": "watch"}}}
    releasing.policies.adopt(to_prod={"release": {"tag": "^v.*$"}, "rollout": rollout})
    await plays(page().replace("smoke test passed: …", "no smoke test is asked for"), releasing)
    assert releasing.releases.made == []
    await plays(
        "    … 61 min later\n"
        "    bot: ✓ checkout-r-c2c2c2c2c2c2 stayed well for 1 h … after it had all the traffic.\n" + PUBLISHED,
        releasing,
    )


async def test_what_is_taken_back_while_github_is_away_is_not_published(releasing: Town) -> None:
    releasing.releases.away = True
    await plays(page(), releasing)
    await plays(
        """
    ines: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
         …
    """
        + BACK_PLAN
        + BACK_STEPS
        + "bot: • checkout c2c2c2c2c2c2 → prod was taken back since, so no release is made of it.\n",
        releasing,
    )
    releasing.releases.away = False
    await plays("… 30 min later", releasing)
    assert releasing.releases.made == []
    async with Bot(releasing) as bot:
        assert await unsettled(bot.store) == ()


async def test_what_the_policy_asks_for_no_more_leaves_no_intent_without_an_end(releasing: Town) -> None:
    releasing.releases.away = True
    await plays(page(), releasing)
    releasing.policies.adopt(to_prod={"release": None})
    await plays("… 30 min later", releasing)
    async with Bot(releasing) as bot:
        assert await unsettled(bot.store) == ()


async def test_a_file_that_others_put_there_leaves_it_unfinished(releasing: Town) -> None:
    theirs = await releasing.releases.draft(
        "acme/checkout", tag="v2.0.0", commit=CANDIDATE, title="Two", body="Ours", mark="<!-- ci -->"
    )
    await releasing.releases.attach("acme/checkout", theirs, "release.json", b"theirs")
    why = "its release is not finished (attach release.json): The release of v2.0.0 holds another release.json already."
    await plays(page(f"    bot: ✗ checkout c2c2c2c2c2c2 → prod is live, but {why}\n"), releasing)
