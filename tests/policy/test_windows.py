"""Windows: the 1,600 vectors, brute force over other zones, and the words."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.timetable import Calendar, Window, with_calendars
from policy.windows import SPELLS, Schedule, named, says, schedule
from tests.policy.good import POLICY
from tests.policy.over import over

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "windows.json").read_text())
ELSEWHERE = ZoneInfo("Pacific/Auckland")
"""The policy's own zone, which no window of the vectors may fall back to."""


def translated(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule of the vectors in our words."""
    name = rule.get("name", "")
    match rule["type"]:
        case "weekly":
            return {"weekly": {key: rule[key] for key in ("days", "start", "end")}}
        case "interval":
            return {"interval": {"start": rule["start"], "end": rule["end"], "name": name}}
        case "dates":
            return {"dates": {"days": rule["dates"], "name": name}}
        case "month_end":
            return {"month_end": {"last_days": rule["last_days"], "first_days": rule["first_days"], "name": name}}
        case "month_end_business":
            return {
                "month_end": {
                    "last_business_days": rule["last"],
                    "first_business_days": rule["first"],
                    "holidays": rule["holidays"],
                    "name": name,
                }
            }
    raise AssertionError(rule)


@cache
def schedules() -> dict[str, Window]:
    return {
        each["id"]: window(
            each["tz"],
            None if each["allow"] is None else [translated(rule) for rule in each["allow"]],
            [translated(rule) for rule in each["deny"]],
        )
        for each in VECTORS["schedules"]
    }


def ready(it: Window) -> Schedule:
    return schedule(it, ELSEWHERE)


def window(zone: str, allow: list[Any] | None = None, deny: list[Any] | None = None) -> Window:
    return Window.model_validate({"timezone": zone, "allow": allow, "deny": deny or []})


def weekly(days: str, start: str, end: str) -> dict[str, Any]:
    return {"weekly": {"days": days.split(), "start": start, "end": end}}


def changes(it: Schedule, after: datetime, count: int) -> list[datetime]:
    """The next so many."""
    found = [after]
    while len(found) <= count:
        change = it.next_change(found[-1])
        assert change is not None
        found.append(change)
    return found[1:]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.requirement("D-17")
@pytest.mark.parametrize("name", [each["id"] for each in VECTORS["schedules"]])
def test_every_vector_is_open_and_changes_exactly_when_brute_force_says(name: str) -> None:
    cases = [case for case in VECTORS["cases"] if case["schedule"] == name]
    assert cases
    it = ready(schedules()[name])
    wrong = []
    for case in cases:
        at = moment(case["at"])
        opened = it.is_open(at)
        change = it.next_change(at)
        expected = case["next_change"]
        late_enough = change is None or change >= moment(case["next_change_searched_until"])
        right = change == moment(expected) if expected else late_enough
        if [opened, it.is_open(at)] != [case["open"]] * 2 or not right:
            wrong.append((case, change))
    assert not wrong


def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS["cases"]) == 1600


ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Sydney",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Havana",
    "Asia/Kathmandu",
    "UTC",
]
RULES = [
    weekly("mon tue wed thu fri", "09:00", "17:00"),
    weekly("thu", "23:30", "00:30"),
    weekly("sat", "22:00", "02:15"),
    weekly("sun", "01:15", "02:45"),
    weekly("fri sun", "00:00", "24:00"),
    weekly("sun", "02:30", "02:30"),
    weekly("sun", "00:30", "00:45"),
    {"dates": {"days": ["2026-04-24", "2026-10-29", "2026-10-30", "2026-11-01"]}},
    {"month_end": {"last_days": 2, "first_days": 1}},
    {"month_end": {"last_business_days": 1, "first_business_days": 2, "holidays": ["2026-04-30", "2026-10-30"]}},
    {"interval": {"start": "2026-10-25T02:15", "end": "2026-10-25T02:45"}},
    {"interval": {"start": "2026-03-29T01:15", "end": "2026-04-24T00:30"}},
]
TRANSITIONS = [
    datetime(2026, 3, 8, 0, tzinfo=UTC),
    datetime(2026, 3, 28, 12, tzinfo=UTC),
    datetime(2026, 4, 4, 0, tzinfo=UTC),
    datetime(2026, 4, 23, 12, tzinfo=UTC),
    datetime(2026, 10, 3, 0, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2026, 10, 29, 12, tzinfo=UTC),
    datetime(2026, 11, 1, 0, tzinfo=UTC),
    datetime(2026, 12, 30, 18, tzinfo=UTC),
]


@over(60)
@given(
    zone=st.sampled_from(ZONES),
    allow=st.none() | st.lists(st.sampled_from(RULES), min_size=1, max_size=3),
    deny=st.lists(st.sampled_from(RULES), min_size=1, max_size=2),
    around=st.sampled_from(TRANSITIONS),
    minutes=st.integers(0, 36 * 60),
)
def test_the_next_change_is_the_one_found_by_stepping_through_the_minutes(
    zone: str, allow: list[Any] | None, deny: list[Any], around: datetime, minutes: int
) -> None:
    it, at = ready(window(zone, allow, deny)), around + timedelta(minutes=minutes)
    was = it.is_open(at)
    stepped = (at + timedelta(minutes=step) for step in range(1, 30 * 60))
    expected = next((instant for instant in stepped if it.is_open(instant) is not was), None)
    found = it.next_change(at)
    if expected is None:
        assert found is None or found >= at + timedelta(minutes=30 * 60)
    else:
        assert found == expected


@over(60)
@given(
    zone=st.sampled_from(ZONES),
    allow=st.none() | st.lists(st.sampled_from(RULES), min_size=1, max_size=3),
    deny=st.lists(st.sampled_from(RULES), min_size=1, max_size=2),
    around=st.sampled_from(TRANSITIONS),
    asked=st.lists(st.tuples(st.integers(0, 96 * 60), st.sampled_from([0, 30, 400])), min_size=2, max_size=12),
)
def test_what_it_remembers_changes_no_answer(
    zone: str, allow: list[Any] | None, deny: list[Any], around: datetime, asked: list[tuple[int, int]]
) -> None:
    it = window(zone, allow, deny)
    remembers = ready(it)
    for minutes, days in asked:
        at, horizon = around + timedelta(minutes=minutes), timedelta(days=days)
        assert remembers.next_change(at, horizon) == ready(it).next_change(at, horizon)
        assert remembers.is_open(at) is ready(it).is_open(at)


def test_a_window_that_was_asked_answers_in_microseconds() -> None:
    it, at = ready(OFFICE), moment("2026-11-24T10:00:00Z")
    assert it.next_change(at)
    began = time.process_time()
    for _ in range(1000):
        assert it.is_open(at)
        it.next_change(at)
    assert (time.process_time() - began) / 1000 < 100e-6  # 1 µs where nothing else runs


OFFICE = window("Europe/Berlin", [weekly("mon tue wed thu", "09:00", "17:00"), weekly("fri", "09:00", "13:00")])


@pytest.mark.requirement("S2-26", "D-17")
@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-24T07:59:59.999999Z", False),
        ("2026-11-24T08:00:00Z", True),
        ("2026-11-24T15:59:59.999999Z", True),
        ("2026-11-24T16:00:00Z", False),
        ("2026-11-27T11:59:59Z", True),
        ("2026-11-27T12:00:00Z", False),
        ("2026-03-31T06:59:59Z", False),  # summer time: an hour earlier
        ("2026-03-31T07:00:00Z", True),
    ],
)
def test_the_first_instant_is_open_and_the_last_is_closed(at: str, expected: bool) -> None:
    assert ready(OFFICE).is_open(moment(at)) is expected


@pytest.mark.parametrize(
    ("start", "end", "first", "over"),
    [
        ("2025-10-26T01:00", "2025-10-26T02:00", "2025-10-25T23:00:00Z", "2025-10-26T00:00:00Z"),
        ("2025-10-26T02:00", "2025-10-26T02:30", "2025-10-26T00:00:00Z", "2025-10-26T01:30:00Z"),
        ("2025-10-26T02:30", "2025-10-26T03:00", "2025-10-26T00:30:00Z", "2025-10-26T02:00:00Z"),
        ("2026-03-29T01:00", "2026-03-29T02:00", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
        ("2026-03-29T01:00", "2026-03-29T02:30", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
        ("2026-03-29T02:30", "2026-03-29T03:30", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"),
    ],
)
def test_a_span_covers_both_copies_of_an_hour_and_begins_and_ends_at_the_jump(
    start: str, end: str, first: str, over: str
) -> None:
    it = window("Europe/Berlin", [{"interval": {"start": start, "end": end}}])
    tick = timedelta(microseconds=1)
    at = moment(first), moment(over)
    assert [ready(it).is_open(each) for each in (at[0] - tick, at[0], at[1] - tick, at[1])] == [
        False,
        True,
        True,
        False,
    ]
    assert ready(it).next_change(at[0] - timedelta(hours=1)) == at[0]
    assert ready(it).next_change(at[0]) == at[1]


def test_where_the_clock_falls_back_over_midnight_the_evening_before_comes_again() -> None:
    it = window("America/St_Johns", [weekly("sat", "23:00", "23:30")])
    sunday = moment("2010-11-07T02:30:30Z")  # 00:00:30 there; half a minute later it is 23:01 on Saturday again
    assert ready(it).next_change(sunday) == moment("2010-11-07T02:31:00Z")
    assert ready(it).next_change(moment("2010-11-07T02:31:00Z")) == moment("2010-11-07T03:00:00Z")


def test_where_sunday_begins_twice_its_first_minute_is_told_to_whoever_looks_no_further() -> None:
    it = window("America/St_Johns", [weekly("sun", "00:00", "01:00")])
    before, opens = moment("2010-11-07T02:00:00Z"), moment("2010-11-07T02:30:00Z")
    assert ready(it).next_change(before, timedelta(minutes=45)) == opens  # until Saturday 23:15, once more
    assert ready(it).next_change(opens) == moment("2010-11-07T02:31:00Z")
    assert ready(it).next_change(moment("2010-11-07T02:31:00Z")) == moment("2010-11-07T03:30:00Z")


def test_within_a_span_it_closes_whenever_that_is_denied_each_week() -> None:
    moving = {"interval": {"start": "2026-11-02T00:00", "end": "2026-11-30T00:00"}}
    it = ready(window("UTC", [moving], [weekly("mon tue wed", "09:00", "17:00")]))
    told = [f"{at:%a %H}" for at in changes(it, moment("2026-11-09T08:00:00Z"), 6)]
    assert told == ["Mon 09", "Mon 17", "Tue 09", "Tue 17", "Wed 09", "Wed 17"]


def test_the_same_hours_each_day_open_each_day_whatever_else_is_open_once() -> None:
    party = {"interval": {"start": "2026-12-19T12:00", "end": "2026-12-19T20:00"}}
    it = ready(window("UTC", [weekly("mon tue wed", "09:00", "17:00"), party]))
    assert it.next_change(moment("2026-11-23T17:00:00Z")) == moment("2026-11-24T09:00:00Z")
    assert it.next_change(moment("2026-11-24T17:00:00Z")) == moment("2026-11-25T09:00:00Z")


def test_a_window_that_never_opens_again_says_so() -> None:
    past = window("UTC", [{"interval": {"start": "2026-02-01T00:00", "end": "2026-02-02T00:00"}}])
    after = moment("2026-03-01T00:00:00Z")
    assert not ready(past).is_open(after)
    assert ready(past).next_change(after) is None


def test_a_change_beyond_the_horizon_is_none_until_somebody_looks_further() -> None:
    later = ready(window("UTC", [{"interval": {"start": "2027-02-01T00:00", "end": "2027-02-02T00:00"}}]))
    at = moment("2026-03-01T00:00:00Z")
    assert later.next_change(at, timedelta(days=300)) is None
    assert later.next_change(at) == moment("2027-02-01T00:00:00Z")
    assert later.next_change(at, timedelta(days=300)) is None


def test_a_change_at_the_horizon_is_told_however_near_that_is() -> None:
    it, at, opens = ready(OFFICE), moment("2026-11-24T07:30:00Z"), moment("2026-11-24T08:00:00Z")
    tick = timedelta(microseconds=1)
    assert [it.next_change(at, opens - at + tick * more) for more in (-1, 0, 0, -1)] == [None, opens, opens, None]


def test_it_remembers_what_was_asked_last_and_no_more_however_often_it_is_asked() -> None:
    it = ready(OFFICE)
    asked = [moment("2026-11-03T10:00:00Z") + timedelta(weeks=week) for week in range(2 * SPELLS)]
    for at in asked:
        assert it.next_change(at, timedelta(hours=1)) is None
        assert it.next_change(at, timedelta(hours=2)) is None
        assert it.next_change(at) == at.replace(hour=16)
    assert [spell.since for spell in it.spells] == asked[: -SPELLS - 1 : -1]
    remembered = it.spells
    assert it.next_change(asked[-1]) == it.next_change(asked[-1] + timedelta(hours=1))
    assert it.spells is remembered


HOLIDAYS = {"DE-BE": Calendar.model_validate({"days": {"2026-12-24": "Christmas Eve", "2026-12-30": "off"}})}


def test_the_days_of_a_calendar_are_whole_local_days() -> None:
    it = ready(with_calendars(window("Europe/Berlin", None, [{"holidays": "DE-BE"}]), HOLIDAYS))
    tick = timedelta(microseconds=1)
    begins, over = moment("2026-12-23T23:00:00Z"), moment("2026-12-24T23:00:00Z")
    assert [it.is_open(at) for at in (begins - tick, begins, over - tick, over)] == [True, False, False, True]
    assert it.next_change(over) == moment("2026-12-29T23:00:00Z")


@pytest.mark.parametrize(("calendar", "closes"), [("DE-BE", "2026-12-28T23:00:00Z"), (None, "2026-12-29T23:00:00Z")])
def test_business_days_at_the_turn_of_a_month_leave_a_calendars_days_out(calendar: str | None, closes: str) -> None:
    turn = {"month_end": {"last_business_days": 2, "calendar": calendar}}
    it = ready(with_calendars(window("Europe/Berlin", None, [turn]), HOLIDAYS))
    assert it.next_change(moment("2026-12-10T00:00:00Z")) == moment(closes)


@pytest.mark.parametrize("rule", [{"holidays": "FR"}, {"month_end": {"last_business_days": 1, "calendar": "FR"}}])
def test_a_calendar_that_nobody_wrote_out_is_no_calendar_without_days(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not written out"):
        ready(window("UTC", None, [rule]))


def test_a_policys_window_is_made_ready_once_for_each_policy() -> None:
    other = POLICY.model_copy()
    assert named(POLICY, "office_hours") is named(POLICY, "office_hours")
    assert named(POLICY, "office_hours") is not named(other, "office_hours")


def test_a_window_without_a_zone_uses_the_policys() -> None:
    it = Window.model_validate({"allow": [weekly("tue", "09:00", "10:00")]})
    assert schedule(it, ZoneInfo("Asia/Tokyo")).is_open(moment("2026-11-24T00:30:00Z"))
    assert not schedule(it, ZoneInfo("UTC")).is_open(moment("2026-11-24T00:30:00Z"))


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        (OFFICE, "Mon–Thu 09:00–17:00 and Fri 09:00–13:00 (Europe/Berlin)"),
        (
            window("UTC", None, [weekly("mon wed", "16:00", "24:00"), {"month_end": {"last_days": 2}}]),
            "always, but not Mon, Wed 16:00–24:00 or the last 2 days of a month (UTC)",
        ),
        (
            window("UTC", [{"interval": {"start": "2026-02-01T00:00", "end": "2026-02-02T00:00", "name": "move"}}]),
            "move, 2026-02-01 00:00 to 2026-02-02 00:00 (UTC)",
        ),
        (window("UTC", None, [{"dates": {"days": ["2026-12-24"]}}]), "always, but not 2026-12-24 (UTC)"),
        (
            window("UTC", None, [{"month_end": {"last_days": 2, "name": "the books are closed"}}]),
            "always, but not the books are closed (UTC)",
        ),
        (
            window(
                "UTC",
                [
                    weekly("thu tue wed", "09:00", "10:00"),
                    weekly("mon wed fri", "12:00", "13:00"),
                    weekly("sat sun", "14:00", "15:00"),
                ],
            ),
            "Tue–Thu 09:00–10:00, Mon, Wed, Fri 12:00–13:00 and Sat, Sun 14:00–15:00 (UTC)",
        ),
        (
            with_calendars(window("UTC", None, [{"holidays": "DE-BE"}]), HOLIDAYS),
            "always, but not holidays (DE-BE) (UTC)",
        ),
    ],
)
def test_a_window_says_in_words_when_it_is_open(it: Window, expected: str) -> None:
    assert says(it, ELSEWHERE) == expected


@pytest.mark.parametrize("first", [0, 1])
def test_one_day_of_a_calendar_that_nobody_wrote_out_is_enough_to_know_nothing(first: int) -> None:
    rules = [{"holidays": "FR"}, weekly("sat", "00:00", "24:00")]
    with pytest.raises(ValueError, match="not written out"):
        ready(window("UTC", None, rules if first else rules[::-1]))


def test_a_window_until_midnight_ends_with_its_day() -> None:
    it = ready(window("UTC", [weekly("tue", "18:00", "00:00")]))
    tick, midnight = timedelta(microseconds=1), moment("2026-11-25T00:00:00Z")
    assert it.is_open(midnight - tick)
    assert not it.is_open(midnight)
    assert it.next_change(midnight) == moment("2026-12-01T18:00:00Z")


def test_hours_that_overlap_touch_or_lie_within_each_other_are_one() -> None:
    hours = [("08:00", "18:00"), ("09:00", "10:00"), ("17:00", "19:00"), ("19:00", "20:00"), ("22:00", "23:00")]
    it = ready(window("UTC", [weekly("tue", *each) for each in hours]))
    midnight = moment("2026-11-24T00:00:00Z")
    found = changes(it, midnight, 4)
    assert [f"{each:%H}" for each in found] == ["08", "20", "22", "23"]
    assert [it.is_open(each) for each in (midnight, *found)] == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("turn", "month", "days"),
    [
        ({"last_days": 1}, 12, {31}),
        ({"last_days": 1}, 11, {30}),
        ({"last_days": 1}, 2, {28}),
        ({"first_days": 2}, 12, {1, 2}),
        ({"last_business_days": 1}, 10, {30, 31}),
        ({"last_business_days": 1}, 12, {31}),
        ({"last_business_days": 20}, 2, set(range(2, 29))),
        ({"last_business_days": 19}, 2, set(range(3, 29))),
        ({"first_business_days": 1}, 11, {1, 2}),
        ({"first_business_days": 20}, 2, set(range(1, 28))),
        ({"first_business_days": 19}, 2, set(range(1, 27))),
        ({"last_business_days": 20, "calendar": "DE-BE"}, 2, set(range(1, 29))),
        ({"first_business_days": 20, "calendar": "DE-BE"}, 2, set(range(1, 29))),
    ],
)
def test_which_days_are_the_turn_of_a_month(turn: dict[str, Any], month: int, days: set[int]) -> None:
    one_off = {"DE-BE": Calendar.model_validate({"days": {"2026-02-11": "off"}})}
    it = ready(with_calendars(window("UTC", None, [{"month_end": turn}]), one_off))
    length = {2: 28, 10: 31, 11: 30, 12: 31}[month]
    closed = {day for day in range(1, length + 1) if not it.is_open(datetime(2026, month, day, 12, tzinfo=UTC))}
    assert closed == days


def test_a_window_that_ends_at_the_minute_at_which_it_begins_is_open_for_a_day() -> None:
    it = ready(window("UTC", [weekly("tue", "09:00", "09:00")]))
    tick, opens, closes = timedelta(microseconds=1), moment("2026-11-24T09:00:00Z"), moment("2026-11-25T09:00:00Z")
    assert [it.is_open(at) for at in (opens - tick, opens, closes - tick, closes)] == [False, True, True, False]
