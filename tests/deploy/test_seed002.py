"""One artifact through dev, stage and prod: each case of the table, and which requirement it shows."""

from __future__ import annotations

import pytest

from policy.settings import Configured, wrong
from tests.deploy.cases import decided, found, read, sentences

SEED = "seed002"


@pytest.mark.parametrize("sentence", sorted(sentences(SEED)))
def test_each_case_comes_out_as_the_table_says(sentence: str) -> None:
    decided(SEED, sentence)


@pytest.mark.requirement("S2-03")
def test_a_difference_between_stage_and_prod_is_a_warning_on_the_card() -> None:
    decision = decided(SEED, "A difference in memory is shown and stops nothing")
    assert decision.allowed
    assert "memory 512Mi≠1Gi" in found("parity", decision).reason


@pytest.mark.requirement("S2-05")
def test_what_was_never_in_stage_is_not_validated_there() -> None:
    decided(SEED, "What was never in stage is not validated there")
    decided(SEED, "What was deployed in stage and not verified is not validated either")
    decided(SEED, "Without a human's word nothing goes out, and theirs is all that is missing")


@pytest.mark.requirement("S2-07")
def test_stage_references_no_secret_of_production() -> None:
    settings = read(SEED)[0].policy.environments["stage"].settings
    assert settings is not None
    assert wrong(settings, Configured(secrets={"DB_URL": "STAGE_DB_URL"})) == ()
    (says,) = wrong(settings, Configured(secrets={"DB_URL": "PROD_DB_URL"}))
    blocked = decided(SEED, "A secret of production in stage stops it, and is named")
    assert says in found("secret_scopes", blocked).reason


@pytest.mark.requirement("S2-09")
def test_documentation_that_does_not_build_is_named() -> None:
    decided(SEED, "Documentation that does not build stops the way to stage")


@pytest.mark.requirement("S2-11")
def test_what_dev_serves_is_promoted_and_nothing_else() -> None:
    decided(SEED, "What dev serves now is something else than what was named")


@pytest.mark.requirement("S2-14")
def test_nobody_clicked_for_eight_hours() -> None:
    decided(SEED, "A request that nobody agreed to in eight hours is over")


@pytest.mark.requirement("S2-21")
def test_only_a_human_other_than_the_asker_agrees() -> None:
    for sentence in ("A bot is not that human", "Whoever asks is not that human"):
        assert found("approvals", decided(SEED, sentence)).reason == "an approver must agree to plan fffffff"


@pytest.mark.requirement("S2-22")
def test_checks_of_stage_are_read_again_when_it_starts() -> None:
    decided(SEED, "Smoke that turned red in stage after everything was agreed stops it")
    decided(SEED, "Integration that failed in stage stops it")


@pytest.mark.requirement("S2-25")
def test_stage_waits_for_no_window() -> None:
    rules = {
        finding.rule: finding for finding in decided(SEED, "stage waits for no window, on a Sunday at three").findings
    }
    assert rules["window"].standing == "not applicable"


@pytest.mark.requirement("S2-26")
def test_a_window_ends_before_its_last_minute_and_says_when_it_opens_next() -> None:
    decided(SEED, "One second earlier it is still open")
    closed = decided(SEED, "The window is closed at its very end, and opens a week later")
    assert found("window", closed).reason == "planned is Tue 09:00–12:00 (UTC), closed, next Tue 1 Dec 2026 09:00 UTC"


@pytest.mark.requirement("S2-27")
def test_without_a_way_back_nothing_goes_out() -> None:
    decided(SEED, "Without a way back nothing goes out")
    decided(SEED, "A way back whose image is gone is none")
