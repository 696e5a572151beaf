"""Gates by number, a checklist of seven, leads and windows: each case of the table, and which requirement it shows."""

from __future__ import annotations

import pytest

from tests.deploy.cases import decided, found, sentences

SEED = "seed003"


@pytest.mark.parametrize("sentence", sorted(sentences(SEED)))
def test_each_case_comes_out_as_the_table_says(sentence: str) -> None:
    decided(SEED, sentence)


@pytest.mark.requirement("S3-05")
def test_a_neutral_end_is_no_success() -> None:
    decided(SEED, "A neutral end of the last tests is no success")


@pytest.mark.requirement("S3-28", "S3-29")
def test_all_tests_pass_and_not_nearly_all() -> None:
    decided(SEED, "One integration test of 312, and one of 40 end to end, are enough to stop it")
    decided(SEED, "What CI found good goes to staging at any time, and asks nobody")


@pytest.mark.requirement("S3-06")
def test_coverage_is_at_least_90() -> None:
    decided(SEED, "Coverage of 89.99 is less than 90")
    decided(SEED, "Coverage of 90 is not")


@pytest.mark.requirement("S3-07")
def test_an_open_finding_of_high_severity_is_named() -> None:
    decided(SEED, "One open finding of high severity stops it, by name")


@pytest.mark.requirement("S3-08", "S3-10")
def test_lint_and_the_tests_of_the_architecture_are_named() -> None:
    decision = decided(SEED, "Lint, and tests of the architecture, stop it too")
    assert found("lint", decision).reason == "lint failed on ccccccc"
    assert found("architecture", decision).reason == "architecture-tests failed on ccccccc"


@pytest.mark.requirement("S3-09")
def test_every_package_was_built() -> None:
    decision = decided(SEED, "One package without a result is enough to stop it")
    assert "build (worker) has no result" in found("builds", decision).reason


@pytest.mark.requirement("S3-14", "D-16")
def test_a_minute_is_missing_and_the_denial_says_what_where_it_is_written_and_when_it_opens() -> None:
    decision = decided(SEED, "A minute less than a day in staging is less than a day")
    stable = found("stable", decision)
    assert (stable.rule, stable.source) == ("stable", "L47")
    assert "23 h 59 min of 24 h" in stable.reason
    assert [remedy.says for remedy in stable.remedies] == ["wait until Tue 24 Nov 2026 10:01 CET"]


@pytest.mark.requirement("S3-15")
def test_tests_of_staging_ran_for_this_very_commit() -> None:
    decided(SEED, "Tests of staging that ran for another commit are none")
    decided(SEED, "A build with all seven items done goes out on a Tuesday, once a lead agrees")


@pytest.mark.requirement("S3-16")
def test_how_much_slower_it_is_is_shown() -> None:
    decided(SEED, "Nine per cent slower is shown, and right")


@pytest.mark.requirement("S3-17", "S3-54")
def test_what_was_clean_yesterday_is_scanned_again() -> None:
    decided(SEED, "A critical finding of today stops what was clean yesterday")
    decided(SEED, "A scan of yesterday is stale")


@pytest.mark.requirement("S3-18", "S3-44")
def test_migrations_can_be_taken_back() -> None:
    decided(SEED, "A migration that cannot be taken back stops it, and the line of the document is named")
    decided(SEED, "So does one without its way down")


@pytest.mark.requirement("S3-19")
def test_whoever_asks_and_whoever_agrees_say_that_the_flags_are_right() -> None:
    decided(SEED, "Flags that nobody says are right stop it")
    decided(SEED, "Whoever approves says it, too")


@pytest.mark.requirement("S3-20")
def test_what_nobody_measures_is_not_monitored() -> None:
    decided(SEED, "What nobody measures is not monitored")


@pytest.mark.requirement("S3-21")
def test_six_items_of_seven_are_not_all_and_nobody_is_asked_to_agree_before() -> None:
    decision = decided(SEED, "Six items of seven are not all")
    assert not decision.waits_for_people_only
    assert "Monitoring and alerting are verified" in found("checklist", decision).reason


@pytest.mark.requirement("S3-22")
def test_a_lead_agrees_and_not_the_one_who_asks() -> None:
    decided(SEED, "A tech lead who asks cannot agree as well")
    decided(SEED, "A DevOps lead can agree to what the tech lead asks for")
    decided(SEED, "An engineer cannot agree")


@pytest.mark.requirement("S3-23")
def test_an_open_issue_that_blocks_is_named() -> None:
    decided(SEED, "An open issue that blocks is named")


@pytest.mark.requirement("S3-24")
def test_without_release_notes_nothing_goes_out() -> None:
    decided(SEED, "Without release notes nothing goes out")


@pytest.mark.requirement("S3-30")
def test_a_slow_p99_is_seen_by_whoever_agrees() -> None:
    blocked = decided(SEED, "A p99 of 240 ms stops it until somebody who approves has seen it")
    assert "240 ms ≥ 200 ms" in found("p99", blocked).reason
    decided(SEED, "Seen, it is only remarked upon")


@pytest.mark.requirement("S3-31", "S3-32")
def test_a_lighthouse_score_blocks_and_a_large_bundle_is_remarked_upon() -> None:
    decided(SEED, "A Lighthouse score of 89 stops it")
    assert decided(SEED, "A Lighthouse score of 90 does not, and 512 KB are only remarked upon").allowed


@pytest.mark.requirement("S3-33")
def test_a_new_feature_is_reviewed_by_the_tech_lead() -> None:
    decided(SEED, "A new feature needs the tech lead's review besides")
    decided(SEED, "With it, it goes out")
    decided(SEED, "One lead cannot both agree and review")


@pytest.mark.requirement("S3-34", "S3-35", "S3-36")
def test_what_changed_says_who_reviews_it() -> None:
    decided(SEED, "A change of who may log in needs a security engineer")
    decided(SEED, "A change of what people see needs the UX lead, who agrees")
    decided(SEED, "A change of the infrastructure needs an SRE")
    decided(SEED, "Where nobody can tell what changed, every review may be needed")


@pytest.mark.requirement("S3-51")
def test_the_window_closed_while_somebody_was_asked() -> None:
    decided(SEED, "At 16:59:59 it still goes out")
    closed = decided(SEED, "Asked for on a Wednesday at 16:59 and agreed to at 17:01, it waits for Tuesday")
    assert "closed, next Tue 24 Nov 2026 09:00 CET" in found("window", closed).reason


@pytest.mark.requirement("S3-52")
def test_a_hotfix_goes_out_at_any_time_if_whoever_is_on_call_agrees() -> None:
    decided(SEED, "A hotfix goes out on a Saturday at three, without its day in staging, if whoever is on call agrees")
    decided(SEED, "A lead who is not on call cannot agree to a hotfix")


@pytest.mark.requirement("S3-53")
def test_the_calendar_freezes_the_end_of_the_month_and_holidays() -> None:
    frozen = decided(SEED, "The last two business days of a month belong to accounting")
    assert "month-end-2026-03" in found("no-freeze", frozen).reason
    decided(SEED, "A hotfix on Christmas Day waits, too")


@pytest.mark.requirement("D-10")
def test_a_rollback_by_whoever_is_on_call_goes_at_once() -> None:
    decided(SEED, "A rollback by whoever is on call waits for nobody, at night, on Christmas Day")
