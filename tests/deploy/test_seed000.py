"""Branches by pull request, and a freeze that an exception opens: each case of the table, and what it shows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.all_good import everybody
from bot.asked import asked
from policy.facts import Freeze
from policy.model import Human
from policy.settings import Configured, wrong
from tests.deploy.cases import decided, found, read, sentences

SEED = "seed000"


@pytest.mark.parametrize("sentence", sorted(sentences(SEED)))
def test_each_case_comes_out_as_the_table_says(sentence: str) -> None:
    decided(SEED, sentence)


@pytest.mark.requirement("S0-05")
def test_no_way_leads_past_stage() -> None:
    denied = found("allowed-path", decided(SEED, "There is no way from Dev to main"))
    assert denied.reason == "no path dev→prod; allowed from dev: stage"


@pytest.mark.requirement("S0-02", "S0-06", "S0-09")
def test_branches_are_protected_and_features_come_by_dev() -> None:
    decided(SEED, "A branch that takes direct pushes is not protected")
    decided(SEED, "Nor is one that may be pushed by force")
    decided(SEED, "A feature that was merged past Dev stops what it is in")


@pytest.mark.requirement("S0-08")
def test_what_only_main_has_must_come_to_stage_first() -> None:
    behind = found("up_to_date", decided(SEED, "A hotfix that only main has must come to stage first"))
    assert behind.reason == "stage is behind main by 1 commit (c0ffee1) that no promotion merged"


@pytest.mark.requirement("S0-11", "S0-12", "S0-13")
def test_dev_asks_for_tests_builds_and_static_checks() -> None:
    decided(SEED, "Backend tests that failed stop the way to stage")
    decided(SEED, "A frontend build that never ran is not known, and stops it too")
    decided(SEED, "Where no lint is configured none is asked for")
    decided(SEED, "Where it is configured it must pass")


@pytest.mark.requirement("S0-14", "S0-17")
def test_what_was_asked_before_is_asked_again_of_exactly_this_head() -> None:
    decided(SEED, "What Dev asks for is asked for again on the way to main")
    decided(SEED, "A smoke suite that ran on another head has no result for this one")


@pytest.mark.requirement("S0-18")
def test_parity_but_for_what_was_approved() -> None:
    differ = found("parity", decided(SEED, "A key that only production has stops it, and is named"))
    assert differ.reason == "stage and prod differ: api env key SENTRY_DSN only in prod"
    decided(SEED, "A difference that was approved does not")


@pytest.mark.requirement("S0-19")
def test_notes_and_a_plan_for_going_back() -> None:
    decided(SEED, "Release notes that are empty in the pull request are none")
    decided(SEED, "A plan for going back must be said")


@pytest.mark.requirement("S0-21", "S0-22")
def test_a_freeze_holds_main_and_nothing_else_until_the_release_owner_opens_it() -> None:
    frozen = found("no-freeze", decided(SEED, "Until a freeze ends nothing goes to main"))
    assert frozen.reason == "omar froze prod until Mon 2 Mar 2026 00:00 UTC: said (F-7)"
    decided(SEED, "At the instant at which it ends it is over")
    decided(SEED, "It does not hold stage")
    opened = decided(SEED, "An exception that the release owner granted opens it, for others to agree to")
    assert found("no-freeze", opened).by == "X-3"


@pytest.mark.requirement("S0-23", "S0-24")
def test_an_exception_has_one_of_three_reasons_and_a_recorded_way_back() -> None:
    decided(SEED, "A deadline of marketing is no reason for one")
    decided(SEED, "Where to go back to is on record before anybody grants it")
    decided(SEED, "The release owner grants it then")
    decided(SEED, "An exception that was used opens it no more")


@pytest.mark.requirement("S0-33")
def test_no_exception_reaches_the_secrets_of_production() -> None:
    decided(SEED, "No exception lets production's secrets into stage, or lets go out what cannot come back")


STAGE = {"service_account": "api@acme-stage.iam.gserviceaccount.com"}


@pytest.mark.parametrize(
    ("seen", "elsewhere", "says"),
    [
        pytest.param(
            Configured(account="api@acme-stage.iam.gserviceaccount.com", databases=("acme-stage:eu:main",)), {}, []
        ),
        pytest.param(
            Configured({"PUBLIC_URL": "https://app.acme.com"}, account=STAGE["service_account"]),
            {},
            ["PUBLIC_URL: names a host that is forbidden here"],
            marks=pytest.mark.requirement("S0-29"),
        ),
        pytest.param(
            Configured(account=STAGE["service_account"], databases=("acme-prod:eu:main",)),
            {},
            ["database: acme-prod:eu:main is none of this environment"],
            marks=pytest.mark.requirement("S0-30"),
        ),
        pytest.param(
            Configured(account="api@acme-prod.iam.gserviceaccount.com"),
            {},
            ["service_account: api@acme-prod.iam.gserviceaccount.com is none of this environment"],
            marks=pytest.mark.requirement("S0-31"),
        ),
        pytest.param(
            Configured({}, {"DB_URL": "projects/acme-stage/secrets/STAGE_DB_URL"}, STAGE["service_account"]),
            {},
            [],
            marks=pytest.mark.requirement("S0-32"),
        ),
        pytest.param(
            Configured({}, {"DB_URL": "projects/acme-prod/secrets/DB_URL"}, STAGE["service_account"]),
            {},
            ["DB_URL: secret DB_URL is forbidden here"],
            marks=pytest.mark.requirement("S0-33"),
        ),
        pytest.param(
            Configured({"API_BASE": "https://x.test"}, account=STAGE["service_account"]),
            {"prod": Configured({"API_BASE": "https://x.test"})},
            ["API_BASE: has the same value in prod"],
            marks=pytest.mark.requirement("S0-34"),
        ),
    ],
)
def test_stage_has_only_what_is_its_own(seen: Configured, elsewhere: dict[str, Configured], says: list[str]) -> None:
    settings = read(SEED)[0].policy.environments["stage"].settings
    assert settings is not None
    assert list(wrong(settings, seen, elsewhere)) == says


@pytest.mark.requirement("S0-39")
def test_times_without_a_zone_are_utc() -> None:
    policy = read(SEED)[0].policy
    omar = everybody(policy, {})[Human("omar")]
    words = "freeze start prod until:2026-03-01T18:00 reason:close"
    wanted = asked(words, omar, policy, datetime(2026, 2, 28, tzinfo=UTC)).wanted
    assert isinstance(wanted, Freeze)
    assert wanted.ends_at == datetime(2026, 3, 1, 18, tzinfo=UTC)


@pytest.mark.requirement("D-08")
def test_what_was_reverted_is_not_silently_missing() -> None:
    lost = found("nothing_lost", decided(SEED, "What was reverted on main would silently be missing"))
    assert [remedy.says for remedy in lost.remedies] == ["revert the revert in prod first"]
