"""The files of holidays: what is written is read back, is the same each time, and shows what somebody put right."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

import pytest

from bot.holiday_file import days_in, text, write
from commands.errors import Rejected
from policy.timetable import Unreadable

BERLIN = """\
calendar: DE-BE
made: holidays {version}, 2026; added 2026-12-24; removed 2026-03-08
days:
  2026-01-01: New Year's Day
  2026-04-03: Good Friday
  2026-04-06: Easter Monday
  2026-05-01: Labor Day
  2026-05-14: Ascension Day
  2026-05-25: Pentecost Monday
  2026-10-03: German Unity Day
  2026-12-24: "Christmas Eve: closed"
  2026-12-25: Christmas Day
  2026-12-26: Second Day of Christmas
"""
EVE, WOMENS_DAY = date(2026, 12, 24), date(2026, 3, 8)


def of_2026(
    calendar: str,
    *,
    add: Mapping[date, str] | None = None,
    remove: Collection[date] = (),
    years: range = range(2026, 2027),
) -> str:
    return text(calendar, years, add=add or {}, remove=remove)


def test_a_calendar_is_written_out_with_what_was_put_right(tmp_path: Path) -> None:
    file = tmp_path / "DE-BE.yaml"
    pinned = write("DE-BE", range(2026, 2027), file, add={EVE: "Christmas Eve: closed"}, remove=[WOMENS_DAY])
    version = file.read_text().split("made: holidays ")[1].split(",")[0]
    assert file.read_text() == BERLIN.format(version=version)
    assert pinned == hashlib.sha256(file.read_bytes()).hexdigest()
    assert days_in(file, pinned)["2026-12-24"] == "Christmas Eve: closed"
    assert "2026-03-08" not in days_in(file, pinned)


def test_the_same_question_gives_the_same_bytes_on_a_machine_of_any_language(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_2026("DE-BE")
    for name in ("LANGUAGE", "LANG", "LC_ALL"):
        monkeypatch.setenv(name, "uk")
    assert of_2026("DE-BE") == before


@pytest.mark.parametrize(
    ("calendar", "day", "name"),
    [
        ("US-NY", "2026-07-03", "Independence Day (observed)"),
        ("NYSE", "2026-04-03", "Good Friday"),
        ("ECB", "2026-05-01", "Labour Day"),
        ("GB-ENG", "2026-08-31", "Late Summer Bank Holiday"),
    ],
)
def test_countries_their_parts_and_exchanges_are_known(calendar: str, day: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "days.yaml"
    assert days_in(file, write(calendar, range(2026, 2029), file))[day] == name
    assert file.read_text().splitlines()[1].endswith(", 2026–2028")


@pytest.mark.parametrize(
    ("calendar", "says"),
    [
        ("DE-XX", "There is no calendar 'DE-XX'; did you mean DE-"),
        ("NYSEE", "There is no calendar 'NYSEE'; did you mean NYSE"),
        ("de-be", "There is no calendar 'de-be'; did you mean DE-BE"),
        ("Germany", "There is no calendar 'Germany'; write one like DE, DE-BE, US-NY or NYSE."),
        ("", "There is no calendar ''; write one like DE, DE-BE, US-NY or NYSE."),
    ],
)
def test_an_unknown_calendar_is_told_its_nearest(calendar: str, says: str) -> None:
    with pytest.raises(Rejected) as caught:
        of_2026(calendar)
    assert str(caught.value).startswith(says)


def test_what_makes_no_sense_to_add_or_remove_is_refused() -> None:
    with pytest.raises(Rejected, match=r"2026-12-24 is no holiday of DE-BE; there is nothing to remove\."):
        of_2026("DE-BE", remove=[EVE])
    with pytest.raises(Rejected, match=r"2026-12-25 is a holiday of DE-BE already: Christmas Day\."):
        of_2026("DE-BE", add={date(2026, 12, 25): "Mine"})
    with pytest.raises(Rejected, match=r"2027-01-02 is in none of the years 2026\."):
        of_2026("DE-BE", add={date(2027, 1, 2): "Mine"})
    with pytest.raises(Rejected, match="Write one to 50 years, like 2026-2028"):
        of_2026("DE-BE", years=range(2026, 2026))
    assert "2026-12-25: Mine" in of_2026("DE-BE", add={date(2026, 12, 25): "Mine"}, remove=[date(2026, 12, 25)])


def test_a_file_of_something_else_is_no_calendar(tmp_path: Path) -> None:
    file = tmp_path / "days.yaml"
    file.write_bytes(b"calendar: DE\nmade: by hand\ndays: [2026-12-25]\n")
    with pytest.raises(Unreadable, match=r"days\.yaml, line 3: days: write keys and values") as caught:
        days_in(file, hashlib.sha256(file.read_bytes()).hexdigest())
    assert caught.value.key == "file"
