"""Does the search for changes that no test sees find them, and only them?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.mutants.changes import changes

ROOT = Path(__file__).parents[2]

CODE = """
from functools import lru_cache


@lru_cache
def grown(age: int) -> bool:
    return age >= 18


def fee(age: int, member: bool) -> int:
    if member and grown(age):
        return 0
    return 5


def never() -> bool:
    return True


class Door:
    def opens(self, people: list[int]) -> bool:
        return all(grown(age) for age in people)

    def ends(self, most: int) -> int:
        count = 0
        while count < most:
            count = count + 1
        return count
"""
TESTS = """
import pytest
from hypothesis import given, strategies

from example.shop import Door, fee, grown


@pytest.mark.parametrize(("age", "wanted"), [(17, False), (19, True)])
def test_grown(age: int, wanted: bool) -> None:
    assert grown(age) is wanted


def test_members_pay_nothing() -> None:
    assert fee(20, member=True) == 0
    assert fee(20, member=False) == 5


def test_a_door_opens_to_all_or_none() -> None:
    assert Door().opens([20, 30])
    assert not Door().opens([20, 3])


@given(strategies.integers(0, 9))
def test_it_ends(most: int) -> None:
    assert Door().ends(most) == most


def test_that_fails_anyhow() -> None:
    assert grown(18) is grown(3)
"""


def example(folder: Path) -> Path:
    (folder / "example").mkdir()
    (folder / "example" / "__init__.py").write_text("")
    (folder / "example" / "shop.py").write_text(CODE)
    (folder / "shows").mkdir()
    (folder / "shows" / "test_shop.py").write_text(TESTS)
    return folder


def tried(folder: Path, equivalent: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "equivalent.toml").write_text(equivalent)
    places = {"code": "example", "tests": "shows", "equivalent": "equivalent.toml", "kept": "kept", "list": "found"}
    words = [word for name, value in places.items() for word in (f"--{name}", str(folder / value))]
    return subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--hands", "1", *words],
        cwd=ROOT,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def found(folder: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in (folder / "found").read_text().splitlines()]
    return {row["key"].removeprefix("example.shop."): row["how"] for row in rows}


def test_what_tests_see_is_killed_and_what_none_sees_survives(tmp_path: Path) -> None:
    ran = tried(example(tmp_path))
    assert found(tmp_path) == {
        "grown: age >= 18 → age > 18": "survived",
        "grown: age >= 18 → age < 18": "killed",
        "grown: 18 → 19": "survived",
        "fee: member and grown(age) → member or grown(age)": "killed",
        "fee: member and grown(age) → grown(age)": "killed",
        "fee: member and grown(age) → member": "survived",
        "fee: 0 → 1": "killed",
        "fee: 5 → 6": "killed",
        "never: True → False": "not run",
        "Door.opens: all((grown(age) for age in people)) → any((grown(age) for age in people))": "killed",
        "Door.ends: 0 → 1": "killed",
        "Door.ends: count < most → count <= most": "killed",
        "Door.ends: count < most → count >= most": "killed",
        "Door.ends: count + 1 → count - 1": "killed",
        "Door.ends: 1 → 2": "killed",
    }
    assert ran.returncode == 1
    assert "without any change 1 fail" in ran.stdout
    assert "survived (4 of 4 tests): line 7, example.shop.grown: 18 → 19" in ran.stdout
    assert ran.stdout.endswith("15 changes: 11 killed, 1 not run, 3 survived\n")


def test_what_is_said_to_be_equivalent_is_tried_all_the_same(tmp_path: Path) -> None:
    equivalent = """
        ["example.shop"]
        "grown: age >= 18 → age > 18" = "said"
        "grown: 18 → 19" = "said"
        "fee: member and grown(age) → member" = "said"
        "never: True → False" = "said"
    """
    assert tried(example(tmp_path), equivalent).returncode == 0
    ran = tried(tmp_path, equivalent + '"fee: 5 → 6" = "said"\n"fee: 7 → 8" = "said"')
    assert ran.returncode == 1
    assert "test_members_pay_nothing sees it: line 13, example.shop.fee: 5 → 6" in ran.stdout
    assert "there is no such change: example.shop.fee: 7 → 8" in ran.stdout


def test_a_key_stays_as_long_as_its_function_does_and_belongs_to_one_change(tmp_path: Path) -> None:
    def keys(code: str) -> list[str]:
        (tmp_path / "shop.py").write_text(code)
        return [change.key for change in changes(tmp_path / "shop.py", "shop", "shop.py")]

    twice = "def both(a: int) -> bool:\n    return a > 0 or (a < -1 and a > 0)\n"
    first = keys(twice)
    assert len(set(first)) == len(first)
    assert "both: a > 0 → a >= 0 (2)" in first
    assert keys("import os\n\n\ndef other() -> int:\n    return 1\n\n\n" + twice)[1:] == first
