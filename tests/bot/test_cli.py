"""The command line: 0 for yes, 1 for no with the reason, 2 for misused."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from bot import cli

POLICIES = Path(__file__).parents[2] / "deploy" / "policies"
COMMANDS = (
    ["serve"],
    ["sandbox"],
    ["demo"],
    ["policy"],
    ["policy", "check"],
    ["policy", "explain"],
    ["policy", "replay"],
    ["policy", "holidays"],
    ["policy", "schema"],
    ["audit", "verify"],
    ["audit", "export"],
    ["db", "upgrade"],
)


def run(*arguments: str) -> int:
    """Exit code; argparse leaves by an exception where words are missing."""
    try:
        return cli.run(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's, and a directory of its own."""
    for name in ("RELEASE_POLICY", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command, "--help") == 0
    assert "usage: release-bot" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        *([], ["nonsense"], ["policy"], ["policy", "check"], ["policy", "explain", "p.yaml"], ["policy", "replay"]),
        *(["policy", "holidays", "DE"], ["policy", "schema", "more"], ["db"], ["sandbox", "--port", "x"]),
    ],
)
def test_misuse_is_two(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    assert "usage:" in capsys.readouterr().err


STARTS = sorted(path for path in POLICIES.glob("*.yaml") if not path.stem.endswith(".cases"))


@pytest.mark.parametrize("policy", STARTS, ids=lambda path: path.stem)
def test_the_policies_to_start_from_are_policies_and_decide_as_their_cases_say(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("policy", "check", str(policy)) == 0
    assert f"{policy} is a policy" in capsys.readouterr().out
    assert run("policy", "check", str(policy), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["complaints"], found["failed"]) == (True, [], [])
    assert (found["cases"] > 0) is policy.with_suffix(".cases.yaml").exists()


def test_what_is_no_policy_is_one_with_every_line_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (POLICIES / "story.yaml").read_text(encoding="utf-8").replace("rank: 2", "rank: two")
    file = tmp_path / "policy.yaml"
    file.write_text(text.replace("weekly", "weakly"), encoding="utf-8")
    assert run("policy", "check", str(file)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(line.startswith(f"{file}:") for line in lines)
    assert run("policy", "check", str(file), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert all(set(complaint) == {"line", "says"} for complaint in found["complaints"])


def test_a_file_that_is_not_there_is_one_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", "check", "nowhere.yaml") == 1
    assert "nowhere.yaml cannot be read" in capsys.readouterr().err
    assert run("sandbox", "--policy", "nowhere.yaml") == 1
    assert "nowhere.yaml cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "verify", "trail"],
        ["audit", "export"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_is_not_built_yet_says_so(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    assert "is not built yet" in capsys.readouterr().err


def test_serve_without_settings_names_the_first_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve") == 1
    assert capsys.readouterr().err == "RELEASE_POLICY is missing or empty.\n"


def test_the_database_is_brought_up_to_date_and_a_second_time_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "data" / "books.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    file.parent.mkdir()
    assert run("db", "upgrade") == 0
    assert capsys.readouterr().out == "The database is up to date.\n"
    assert run("db", "upgrade", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True}
    connection = sqlite3.connect(file)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()
    assert {"entries", "operations", "outbox"} <= tables
