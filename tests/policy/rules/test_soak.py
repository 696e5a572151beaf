"""A soak: to the second, of the candidate or of the whole environment, and without trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policy.document import Policy
from policy.evidence import Undisturbed
from policy.facts import Facts, Serving
from policy.finding import RemedyKind
from tests.policy.good import DOCUMENT, HOUR, NEW, NOW, OLD, PROMOTION, SECOND, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

A_DAY = gate("soak", environment="stage", lasts="PT24H", source="L47")
ALL_OF_IT = gate("soak", environment="stage", lasts="PT24H", measure="environment")
IN_UTC = Policy.model_validate({**DOCUMENT, "timezone": "UTC"})


def soaked(
    candidate: timedelta | None = None, environment: timedelta | None = None, trouble: str = "", place: str = "stage"
) -> Facts:
    """The candidate, and whatever else is there, has been as it is for so long."""
    since = [None if lasted is None else NOW - lasted for lasted in (candidate, environment)]
    return seeing(but(source_serving=GONE), soaks={place: Undisturbed(since[0], since[1], trouble)})


@pytest.mark.requirement("S3-14")
@pytest.mark.parametrize(
    ("at", "standing"),
    [
        (datetime(2026, 3, 2, 9, 59, tzinfo=UTC), UNMET),
        (datetime(2026, 3, 2, 9, 59, 59, tzinfo=UTC), UNMET),
        (datetime(2026, 3, 2, 10, 0, tzinfo=UTC), MET),
    ],
)
def test_stable_for_24_hours_means_all_of_them(at: datetime, standing: str) -> None:
    serving = Serving("s-11", NEW, datetime(2026, 3, 1, 10, tzinfo=UTC))
    finding = judged(A_DAY, but(source_serving=serving), policy=IN_UTC, at=at)
    assert finding.standing == standing
    if at.minute == 59 and not at.second:
        assert finding.reason == "stage has served it for 23 h 59 min of 24 h, since Sun 1 Mar 2026 10:00 UTC"
        (remedy,) = finding.remedies
        assert (remedy.kind, remedy.says) == (RemedyKind.WAIT, "wait until Mon 2 Mar 2026 10:00 UTC")
        assert remedy.at == datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lasted", "standing", "reason"),
    [
        (24 * HOUR - SECOND, UNMET, "stage has served it for 23 h 59 min of 24 h, since Mon 23 Nov 2026 10:00:01 CET"),
        (24 * HOUR, MET, "stage has served it for 24 h since Mon 23 Nov 2026 10:00 CET; 24 h are required"),
        (None, UNMET, "stage does not serve aaaaaaaaaaaa, so it does not soak"),
    ],
)
def test_what_was_watched_counts_before_what_serves_now(lasted: timedelta | None, standing: str, reason: str) -> None:
    finding = judged(A_DAY, soaked(candidate=lasted, environment=90 * HOUR))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.parametrize(
    ("lasted", "standing", "reason"),
    [
        (
            24 * HOUR - SECOND,
            UNMET,
            "nothing changed in stage for 23 h 59 min of 24 h, since Mon 23 Nov 2026 10:00:01 CET",
        ),
        (24 * HOUR, MET, "nothing changed in stage for 24 h since Mon 23 Nov 2026 10:00 CET; 24 h are required"),
        (None, UNKNOWN, "since when nothing changed in stage is not known"),
    ],
)
def test_an_environment_that_must_rest_as_a_whole(lasted: timedelta | None, standing: str, reason: str) -> None:
    finding = judged(ALL_OF_IT, soaked(candidate=90 * HOUR, environment=lasted))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.parametrize("wanted", [A_DAY, ALL_OF_IT])
def test_a_trigger_that_fired_meanwhile_spoils_it_and_waiting_does_not_help(wanted: object) -> None:
    finding = judged(wanted, soaked(90 * HOUR, 90 * HOUR, trouble="error rate 1.2 % for 5 min"))  # type: ignore[arg-type]
    assert (finding.standing, finding.remedies) == (UNMET, ())
    assert finding.reason == "stage was in trouble meanwhile: error rate 1.2 % for 5 min"


def test_the_remedy_is_the_very_second_at_which_it_is_met() -> None:
    for wanted, facts in ((A_DAY, soaked(candidate=HOUR)), (ALL_OF_IT, soaked(environment=HOUR))):
        (remedy,) = judged(wanted, facts).remedies
        assert remedy.at is not None
        assert judged(wanted, facts, at=remedy.at).standing == MET
        assert judged(wanted, facts, at=remedy.at - SECOND).standing == UNMET


@pytest.mark.parametrize(
    ("facts", "standing", "reason"),
    [
        (but(candidate=GONE), UNKNOWN, "it does not answer"),
        (but(source_serving=GONE), UNKNOWN, "it does not answer"),
        (but(source_serving=Serving("s-9", OLD, NOW - 90 * HOUR)), UNMET, "stage does not serve aaaaaaaaaaaa, so it does not soak"),
        (seeing(soaks=GONE), UNKNOWN, "it does not answer"),
        (seeing(soaks={"dev": Undisturbed(NOW - 90 * HOUR, None)}), MET, "stage has served it for 48 h since Sun 22 Nov 2026 10:00 CET; 24 h are required"),
    ],
)  # fmt: skip
def test_without_a_watch_what_serves_the_source_counts(facts: Facts, standing: str, reason: str) -> None:
    finding = judged(A_DAY, facts)
    assert (finding.standing, finding.reason) == (standing, reason)


def test_elsewhere_nothing_counts_that_nobody_watched() -> None:
    in_dev = gate("soak", environment="dev", lasts="PT1H")
    assert judged(in_dev, but()).reason == "nobody looked since when dev is as it is"
    assert judged(ALL_OF_IT, but()).standing == UNKNOWN
    assert judged(in_dev, soaked(candidate=HOUR, place="dev")).standing == MET
    assert judged(in_dev, but(), question=replace(PROMOTION, source="dev", target="stage")).standing == MET
