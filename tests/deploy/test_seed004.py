"""The whole of release governance: each case of the table, and which requirement it shows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.all_good import everybody
from bot.asked import asked
from bot.policy_file import check
from commands.errors import Misunderstood
from policy.duty import due_at
from policy.facts import EMERGENCY
from policy.model import Human
from tests.deploy.cases import POLICIES, decided, found, read, sentences

SEED = "seed004"


@pytest.mark.parametrize("sentence", sorted(sentences(SEED)))
def test_each_case_comes_out_as_the_table_says(sentence: str) -> None:
    decided(SEED, sentence)


SHOWN = [
    # who
    pytest.param("A role that was taken away before the click counts no more", marks=pytest.mark.requirement("S4-002")),
    pytest.param("Somebody with no role asks for nothing", marks=pytest.mark.requirement("S4-009")),
    pytest.param("A go without a reason is none", marks=pytest.mark.requirement("S4-121")),
    pytest.param("Who wrote part of it does not say go", marks=pytest.mark.requirement("S4-122", "S4-126")),
    pytest.param("Who reviewed part of it does not say go alone", marks=pytest.mark.requirement("S4-123", "S4-124")),
    pytest.param("Somebody who reviewed none of it says go besides", marks=pytest.mark.requirement("S4-123")),
    pytest.param(
        "A release manager who asks needs the other one, even in an emergency", marks=pytest.mark.requirement("S4-161")
    ),
    pytest.param("An engineer agrees to no emergency", marks=pytest.mark.requirement("S4-156")),
    pytest.param("High risk asks for QA, and for its reasons", marks=pytest.mark.requirement("S4-060", "S4-284")),
    pytest.param("A hotfix that touches the login is looked at by security", marks=pytest.mark.requirement("S4-173")),
    # when
    pytest.param("A hotfix outside the window needs an emergency", marks=pytest.mark.requirement("S4-178")),
    pytest.param(
        "What it needs to be on record is said before anybody is asked", marks=pytest.mark.requirement("S4-151")
    ),
    pytest.param("A freeze that nobody agreed to holds for an hour", marks=pytest.mark.requirement("S4-150")),
    pytest.param("It lapses to the second", marks=pytest.mark.requirement("S4-150")),
    pytest.param("A freeze of one service leaves the others alone", marks=pytest.mark.requirement("S4-145")),
    pytest.param("A freeze says how it ends and how things go on", marks=pytest.mark.requirement("S4-143")),
    # what
    pytest.param("Nothing goes from dev to prod", marks=pytest.mark.requirement("S4-127")),
    pytest.param("Another digest than the one in staging is another build", marks=pytest.mark.requirement("S4-081")),
    pytest.param(
        "What was deployed in staging and not verified goes no further", marks=pytest.mark.requirement("S4-104")
    ),
    pytest.param("What was never verified in dev does not reach staging", marks=pytest.mark.requirement("S4-096")),
    pytest.param("An image without a signature does not reach staging", marks=pytest.mark.requirement("S4-073")),
    pytest.param("A tag that a person made is none", marks=pytest.mark.requirement("S4-069")),
    pytest.param("A lightweight tag is none", marks=pytest.mark.requirement("S4-068")),
    pytest.param("A tag that was moved is none", marks=pytest.mark.requirement("S4-070")),
    pytest.param("A version that named another digest is used up", marks=pytest.mark.requirement("S4-075", "S4-095")),
    pytest.param("Two numbers are no version", marks=pytest.mark.requirement("S4-066")),
    pytest.param("A hotfix raises only the last number", marks=pytest.mark.requirement("S4-067")),
    pytest.param(
        "What breaks raises the first, and says how to live with it", marks=pytest.mark.requirement("S4-078", "S4-245")
    ),
    pytest.param("Without a bill of materials nothing goes out", marks=pytest.mark.requirement("S4-088")),
    pytest.param("Provenance of another build is none", marks=pytest.mark.requirement("S4-090")),
    pytest.param("An image from elsewhere is not ours", marks=pytest.mark.requirement("S4-091")),
    pytest.param("A build for one environment alone is not promoted", marks=pytest.mark.requirement("S4-083")),
    # how it came about
    pytest.param(
        "A commit that came by no pull request was not reviewed", marks=pytest.mark.requirement("S4-014", "S4-044")
    ),
    pytest.param(
        "One review is not two, and what the template asks for is asked of each",
        marks=pytest.mark.requirement("S4-031", "S4-054", "S4-203"),
    ),
    pytest.param("A check that is green on the fourth attempt needs a ticket", marks=pytest.mark.requirement("S4-109")),
    pytest.param("A scan that is missing is not known", marks=pytest.mark.requirement("S4-097")),
    pytest.param("GitHub that does not answer lets nothing through", marks=pytest.mark.requirement("S4-013")),
    pytest.param("One critical finding stops it", marks=pytest.mark.requirement("S4-100")),
    pytest.param("A hotfix that was cut from main is none", marks=pytest.mark.requirement("S4-166")),
    pytest.param("What lacks a hotfix that shipped would lose it", marks=pytest.mark.requirement("S4-182")),
    pytest.param(
        "A release branch takes no features after its cut-off, and runs its regression again",
        marks=pytest.mark.requirement("S4-189", "S4-192", "S4-201"),
    ),
    pytest.param("While main is red nothing is promoted", marks=pytest.mark.requirement("S4-041")),
    pytest.param("An open blocker stops it by number", marks=pytest.mark.requirement("S4-204")),
    pytest.param("A set of several services must be tested as that set", marks=pytest.mark.requirement("S4-237")),
    pytest.param("A column is dropped only a week after nothing reads it", marks=pytest.mark.requirement("S4-260")),
    pytest.param(
        "A file that must be there stops it where it is missing", marks=pytest.mark.requirement("S4-040", "S4-065")
    ),
    pytest.param(
        "Difference between the environments, and commits without a signature, are shown",
        marks=pytest.mark.requirement("S4-043", "S4-134"),
    ),
    pytest.param(
        "A flag without an owner must have been seen by whoever says go",
        marks=pytest.mark.requirement("S4-219", "S4-316"),
    ),
    pytest.param("Seen, it is a warning", marks=pytest.mark.requirement("S4-316")),
    pytest.param("Without a way back nothing goes out", marks=pytest.mark.requirement("S4-106")),
    pytest.param("Risk and rollback are written before, not after", marks=pytest.mark.requirement("S4-011")),
    pytest.param("Which change it is for must be said", marks=pytest.mark.requirement("S4-280")),
    # exceptions
    pytest.param("A waiver for an emergency does", marks=pytest.mark.requirement("S4-099")),
    pytest.param(
        "It also lets through what cannot run while the platform is down", marks=pytest.mark.requirement("S4-159")
    ),
    pytest.param("In the second in which it ends it lets nothing through", marks=pytest.mark.requirement("S4-318")),
    pytest.param("The day after it blocks again", marks=pytest.mark.requirement("S4-077")),
    pytest.param("A scan is waived only in an emergency", marks=pytest.mark.requirement("S4-112")),
    pytest.param("A release manager grants no broken glass", marks=pytest.mark.requirement("S4-162")),
    pytest.param("The manager on call does", marks=pytest.mark.requirement("S4-162")),
    pytest.param("It says how likely it is to go wrong", marks=pytest.mark.requirement("S4-320")),
    pytest.param("A bypass says by when it is put right", marks=pytest.mark.requirement("S4-111")),
    pytest.param("A quarantine of a test ends", marks=pytest.mark.requirement("S4-108")),
    pytest.param("A waiver without other controls is none", marks=pytest.mark.requirement("S4-171")),
    pytest.param("Nor is one without somebody who takes the risk", marks=pytest.mark.requirement("S4-174")),
    pytest.param("A permanent one says when it will be looked at again", marks=pytest.mark.requirement("S4-319")),
    pytest.param("Whoever asks for one does not grant it", marks=pytest.mark.requirement("S4-322")),
]
"""Cases in which the decision alone is what a requirement asks for."""


@pytest.mark.parametrize("sentence", SHOWN)
def test_what_the_document_asks_for_is_decided_so(sentence: str) -> None:
    decided(SEED, sentence)


@pytest.mark.requirement("S4-142")
def test_the_window_is_named_where_it_is_open() -> None:
    decision = decided(SEED, "A signed build that staging verified goes out on a go")
    assert found("window", decision).reason == "prod is Mon–Thu 09:00–16:00 (UTC), open until Tue 3 Mar 2026 16:00 UTC"


@pytest.mark.requirement("S4-079")
def test_the_checklist_names_the_item_that_is_open() -> None:
    decision = decided(SEED, "Without a bill of materials nothing goes out")
    assert found("go_no_go", decision).reason == (
        "1 of 7 items are not done: SBOM and provenance are linked (evidence: sbom is missing for ccccccc)"
    )


@pytest.mark.requirement("S4-177")
def test_a_hotfix_that_staging_never_saw_needs_an_emergency_exception() -> None:
    decided(SEED, "What was deployed in staging and not verified goes no further")
    broken = decided(SEED, "The glass is broken for what staging never saw, on a Sunday")
    assert found("verified_in_staging", broken).by == "X-9"
    gate = read(SEED)[0].policy.gates["verified_in_staging"]
    assert gate.waivable == EMERGENCY


@pytest.mark.requirement("S4-259")
def test_a_destructive_change_needs_one_more_who_agrees() -> None:
    decided(SEED, "Dropping it otherwise needs an exception")
    decided(SEED, "One more who agrees grants it")


@pytest.mark.requirement("S4-007")
def test_an_environment_that_nobody_knows_is_refused() -> None:
    policy = read(SEED)[0].policy
    maya = everybody(policy, {})[Human("maya")]
    with pytest.raises(Misunderstood, match="prod-eu"):
        asked("promote api staging→prod-eu", maya, policy, datetime(2026, 3, 3, tzinfo=UTC))


@pytest.mark.requirement("S4-154")
def test_a_review_of_friday_is_due_on_monday_at_five() -> None:
    policy = read(SEED)[0].policy
    assert policy.emergency is not None
    (review,) = policy.emergency.owes
    assert due_at(review, datetime(2026, 3, 6, 11, tzinfo=UTC), policy) == datetime(2026, 3, 9, 17, tzinfo=UTC)


LACKS = [
    pytest.param("    gates: {window: prod}\n", "", "prod demands a window", marks=pytest.mark.requirement("S4-128")),
    pytest.param(
        "    approvals: [{role: release_manager}]            # L3096, L1199\n",
        "",
        "a path to production needs approvals",
        marks=pytest.mark.requirement("S4-128"),
    ),
    pytest.param(
        "      - signatures\n      - attestation\n",
        "      - attestation\n",
        "of the kind signature",
        marks=pytest.mark.requirement("S4-128"),
    ),
    pytest.param(
        "      - evidence\n      - branches\n",
        "      - branches\n",
        "of the kind evidence",
        marks=pytest.mark.requirement("S4-128"),
    ),
    pytest.param(
        "    requires: [verified_in_dev, as_in_dev, image, image_signature, evidence, ci_checks, security_checks]\n",
        "    requires: []\n",
        "staging demands a gate",
        marks=pytest.mark.requirement("S4-113", "S4-128"),
    ),
    pytest.param(
        "  approvals: [{any_of: [release_manager, service_owner]}]\n  reason: true\n  fields: [scope",
        "  fields: [scope",
        "prod demands that somebody agrees to freezes",
        marks=pytest.mark.requirement("S4-149"),
    ),
    pytest.param(
        "    dashboard: https://dashboards.acme.com/api\n",
        "",
        "prod demands that each service there has one",
        marks=pytest.mark.requirement("S4-266"),
    ),
    pytest.param(
        "    runbook: https://runbooks.acme.com/api\n",
        "",
        "prod demands that each service there has one",
        marks=pytest.mark.requirement("S4-231"),
    ),
]


@pytest.mark.parametrize(("line", "instead", "says"), LACKS)
def test_a_file_without_what_must_be_is_no_policy(line: str, instead: str, says: str) -> None:
    text = (POLICIES / f"{SEED}.yaml").read_text("utf-8")
    assert line in text
    complaints = check(text.replace(line, instead).encode())
    assert any(says in complaint.says for complaint in complaints), complaints


def test_as_it_is_it_is_one() -> None:
    assert check((POLICIES / f"{SEED}.yaml").read_bytes()) == []
