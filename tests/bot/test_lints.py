"""Each lint has its line in the file; what loosens production is found against what git holds of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.lints import Remark, remarks
from bot.policy_file import policy_in
from tests.policy.good import NOW

STORY = Path(__file__).parents[2] / "deploy" / "policies" / "story.yaml"
TWO = "    approvals: [{role: release_manager, count: 2}]\n"
ONE = "    approvals: [{role: release_manager}]\n"


def git(directory: Path, *words: str) -> None:
    names = ["-c", "user.name=maya", "-c", "user.email=maya@acme.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(directory), *names, *words], check=True, capture_output=True)


def looked_at(file: Path, against: Path | None = None) -> list[Remark]:
    policy, complaints, document = policy_in(file.read_bytes(), file.parent)
    assert policy is not None, complaints
    assert document is not None
    return list(remarks(file, policy, document, NOW, against))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy in a git repository, committed once, where two must agree."""
    path = tmp_path / "policies" / "policy.yaml"
    path.parent.mkdir()
    text = STORY.read_text(encoding="utf-8")
    assert ONE in text
    path.write_text(text.replace(ONE, TWO), encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two must agree")
    return path


def loosen(file: Path) -> int:
    """One is enough; the line where that stands."""
    text = file.read_text(encoding="utf-8").replace(TWO, ONE)
    file.write_text(text, encoding="utf-8")
    return text[: text.index(ONE)].count("\n") + 1


LOOSE = "paths.stage→prod.approvals: 1 must agree now, and 2 had to"


def test_a_change_that_is_not_committed_is_held_against_the_commit(file: Path) -> None:
    assert looked_at(file) == []
    line = loosen(file)
    assert looked_at(file) == [Remark(line, "loosened", LOOSE, "warning")]


def test_a_change_that_is_committed_is_held_against_the_commit_before(file: Path, tmp_path: Path) -> None:
    line = loosen(file)
    git(tmp_path, "commit", "-qam", "one is enough")
    assert looked_at(file) == [Remark(line, "loosened", LOOSE, "warning")]
    (tmp_path / "other").write_text("x", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "something else")
    assert looked_at(file) == []


def test_a_file_to_hold_it_against_comes_before_git(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "before.yaml"
    other.write_bytes(file.read_bytes())
    line = loosen(file)
    git(tmp_path, "commit", "-qam", "one is enough")
    git(tmp_path, "commit", "-qm", "nothing", "--allow-empty")
    assert looked_at(file, other) == [Remark(line, "loosened", LOOSE, "warning")]
    assert looked_at(file, file) == []


def test_what_was_no_policy_before_cannot_be_compared_and_that_is_said(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text("policy: 0\n", encoding="utf-8")
    git(tmp_path, "commit", "-qam", "an older format")
    file.write_text(text, encoding="utf-8")
    (told,) = looked_at(file)
    assert (told.line, told.name, told.weight) == (1, "not-compared", "note")
    assert told.says.startswith("what HEAD holds of it is no policy to this program")


def test_without_git_there_is_nothing_to_hold_it_against(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(STORY.read_bytes())
    assert looked_at(path) == []


def test_lints_stand_at_the_lines_that_they_speak_of(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    text = STORY.read_text(encoding="utf-8")
    text = text.replace('start: "09:00", end: "17:00"', 'start: "02:30", end: "17:00"').replace("[mon,", "[sun, mon,")
    path.write_text(f"{text}\nassumed: {{timezone: nobody said}}\n", encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    told = {remark.name: lines[remark.line - 1].strip() for remark in looked_at(path)}
    assert told == {
        "clock-change": '- weekly: {days: [sun, mon, tue, wed, thu], start: "02:30", end: "17:00"}',
        "assumed": "assumed: {timezone: nobody said}",
    }
