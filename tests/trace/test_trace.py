"""Do the markers of our tests name requirements that exist?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trace.requirements import Claim, claims, known, later, out_of_scope


def test_there_are_516_requirements_in_20_classes() -> None:
    assert len(known()) == 516
    assert len(set(known().values())) == 20


def test_every_marker_names_a_known_requirement() -> None:
    assert [
        f"{one.test} (line {one.line}): {one.requirement!r}" for one in claims() if one.requirement not in known()
    ] == []


def test_what_is_out_of_scope_is_known_and_shown_by_no_test() -> None:
    shown = {claim.requirement for claim in claims()}
    assert out_of_scope().keys() <= known().keys()
    assert out_of_scope().keys() & shown == set(), "take these out of out_of_scope.toml: a test shows them now"


def test_what_waits_is_known_and_shown_by_no_test() -> None:
    shown = {claim.requirement for claim in claims()}
    assert later().keys() <= known().keys()
    assert later().keys() & shown == set(), "take these out of later.toml: a test shows them now"
    assert later().keys() & out_of_scope().keys() == set()


SETTLED = {
    "POLICY-GATE",
    "APPROVAL",
    "WINDOW",
    "FREEZE",
    "EXCEPTION",
    "EMERGENCY",
    "CONFIG/SECRETS",
    "GOVERNANCE",
    "MANIFEST/MULTI-REPO",
}
"""Classes of which every requirement is shown, or waits for something by name."""


def test_nothing_of_the_policy_is_left_open() -> None:
    accounted = {claim.requirement for claim in claims()} | later().keys() | out_of_scope().keys()
    assert [id for id, kind in known().items() if kind in SETTLED and id not in accounted] == []


def test_markers_are_found_wherever_pytest_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_one.py").write_text(
        """
pytestmark = [pytest.mark.requirement("S0-01"), pytest.mark.slow]

@pytest.mark.requirement("S0-02")
class TestAll:
    @pytest.mark.requirement("S0-03", "S0-04")
    async def test_it(self): ...

@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.requirement("S0-05"))])
def test_other(n): ...

@mark.requirement(WHICH)
def test_third(): ...
""",
        "utf-8",
    )
    file = "tests/test_one.py"
    assert claims(folder) == [
        Claim("S0-01", file, 2),
        Claim("S0-03", f"{file}::TestAll::test_it", 6),
        Claim("S0-04", f"{file}::TestAll::test_it", 6),
        Claim("S0-02", f"{file}::TestAll", 4),
        Claim("S0-05", f"{file}::test_other", 9),
        Claim("", f"{file}::test_third", 12),
    ]


@pytest.mark.parametrize("id", ["S5-01", "S0-99", "D-7", ""])
def test_an_id_that_does_not_exist_is_not_known(id: str) -> None:
    assert id not in known()
