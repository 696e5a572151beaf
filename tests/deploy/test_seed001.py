"""Fast-forwards to what staging was tested with: each case of the table, and which requirement it shows."""

from __future__ import annotations

import pytest

from policy.settings import Configured, wrong
from tests.deploy.cases import decided, found, read, sentences

SEED = "seed001"


@pytest.mark.parametrize("sentence", sorted(sentences(SEED)))
def test_each_case_comes_out_as_the_table_says(sentence: str) -> None:
    decided(SEED, sentence)


@pytest.mark.requirement("S1-01", "S1-02", "S1-25")
def test_release_holds_nothing_but_what_main_holds() -> None:
    decided(SEED, "What is on release and not on main makes it another branch")
    decided(SEED, "What staging serves must be on main")
    decided(SEED, "A merge into release is none of main's")


@pytest.mark.requirement("S1-04")
def test_release_only_moves_forward() -> None:
    decided(SEED, "A commit that holds everything of release is a fast-forward")
    stuck = found("fast_forward", decided(SEED, "One that lacks a commit of release is none"))
    assert "release has 1 commit that ccccccc lacks" in stuck.reason


@pytest.mark.requirement("S1-16", "S1-32")
def test_nothing_changes_between_the_test_and_production_and_the_evidence_is_logged() -> None:
    decided(SEED, "One last fix is not what staging was tested with")
    decided(SEED, "Gates that passed and were not logged do not count")


@pytest.mark.requirement("S1-17")
def test_the_gates_ran_for_staging_within_a_day() -> None:
    decided(SEED, "The gates ran for another environment")
    decided(SEED, "The gates ran a day ago, to the second")
    decided(SEED, "A second less is still good")


@pytest.mark.requirement("S1-18", "S1-20")
def test_probes_that_failed_on_staging_are_named() -> None:
    decided(SEED, "A database that does not answer on staging stops it")
    decided(SEED, "A wrong content type that is let in stops it")
    decided(SEED, "Probes of another build say nothing of this one")


@pytest.mark.requirement("S1-22")
def test_probes_send_nothing_but_hi() -> None:
    policy = read(SEED)[0].policy
    bodies = {probe.body for probe in (*policy.probes["staging"], *policy.paths[0].rollout.smoke)}
    assert bodies == {None, "hi", '{"message": "hi"}'}


@pytest.mark.requirement("S1-23")
def test_production_is_asked_the_same_but_for_the_burst() -> None:
    policy = read(SEED)[0].policy
    smoke, staging = policy.paths[0].rollout.smoke, policy.probes["staging"]
    assert smoke == tuple(probe for probe in staging if probe.repeat == 1)
    assert [(probe.path, probe.expect) for probe in smoke] == [
        ("/health", (200,)),
        ("/db/health", (200,)),
        ("/auth/whoami", (200,)),
        ("/api/chat", (200,)),
        ("/api/chat", (415,)),
    ]
    assert [(probe.repeat, probe.expect) for probe in staging if probe.repeat > 1] == [(15, (200, 429))]


@pytest.mark.requirement("S1-08", "S1-09")
def test_what_no_machine_can_see_is_stated_by_both_and_what_it_can_see_is_refused() -> None:
    decided(SEED, "A change of cognition is refused and named")
    decided(SEED, "An operator who agrees without stating what no machine can see leaves it open")
    decided(SEED, "So does whoever asks")
    decided(SEED, "What comes with a migration is stated to store nothing new, or it does not go")


@pytest.mark.parametrize(
    ("environment", "seen", "says"),
    [
        pytest.param("prod", {"APP_ENV": "production", "DEBUG_ERRORS": "0"}, []),
        pytest.param(
            "prod",
            {"APP_ENV": "staging", "DEBUG_ERRORS": "0"},
            ["APP_ENV: must be production"],
            marks=pytest.mark.requirement("S1-11"),
        ),
        pytest.param(
            "staging",
            {"APP_ENV": "staging", "DEBUG_ERRORS": "1"},
            ["DEBUG_ERRORS: must be 0"],
            marks=pytest.mark.requirement("S1-12"),
        ),
        pytest.param(
            "staging",
            {"APP_ENV": "staging"},
            ["DEBUG_ERRORS: must be 0, and is not set"],
            marks=pytest.mark.requirement("S1-12"),
        ),
        pytest.param(
            "prod",
            {"APP_ENV": "production", "DEBUG_ERRORS": "0", "CORS_ORIGINS": "*"},
            ["CORS_ORIGINS: lets every origin in"],
            marks=pytest.mark.requirement("S1-13"),
        ),
        pytest.param(
            "prod",
            {"APP_ENV": "production", "DEBUG_ERRORS": "0", "DATABASE_HOST": "db.staging.internal"},
            [
                "DATABASE_HOST: not a database of this environment",
                "DATABASE_HOST: names a host that is forbidden here",
            ],
            marks=pytest.mark.requirement("S1-14"),
        ),
    ],
)
def test_each_environment_is_what_it_says_that_it_is(environment: str, seen: dict[str, str], says: list[str]) -> None:
    settings = read(SEED)[0].policy.environments[environment].settings
    assert settings is not None
    assert list(wrong(settings, Configured(seen))) == says


@pytest.mark.requirement("D-09")
def test_what_was_rolled_back_is_not_promoted_again() -> None:
    decided(SEED, "What was rolled back is not promoted again")
