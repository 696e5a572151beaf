"""`release-bot policy …`: 0 for yes, 1 for no with the reason, 2 for misused; and JSON for machines."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bot import cli
from bot.facts_json import to_json
from bot.policy_schema import written
from policy.evidence import Authors
from tests.bot.test_replay import recorded
from tests.policy.good import NOW, PROMOTION, but

STORY = Path(__file__).parents[2] / "deploy" / "policies" / "story.yaml"
PROMOTE = "promote checkout stage→prod"
TUESDAY = "2026-11-24T10:00"
GATHERED = but(exceptions=(), obligations=(), authors=Authors(frozenset()))


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RELEASE_POLICY", "DATABASE_URL", "TZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)


class Terminal:
    """What a command printed, and how it ended."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.out = self.err = ""

    def run(self, *words: str) -> int:
        try:
            code = cli.run(["policy", *words])
        except SystemExit as left:
            code = int(left.code or 0)
        self.out, self.err = self._capture.readouterr()
        return code


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def policy(directory: Path, *changes: tuple[str, str], cases: str = "") -> str:
    """The story's policy with some text changed, and a table beside it."""
    text = STORY.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (directory / "policy.yaml").write_text(text, encoding="utf-8")
    if cases:
        (directory / "policy.cases.yaml").write_text(cases, encoding="utf-8")
    return "policy.yaml"


CASES = f"""\
groups: {{S0ENG: [maya], S0RELMGR: [omar]}}
as: maya
at: {TUESDAY}
when: {PROMOTE}
cases:
  - case: It waits for somebody
    expect: {{unmet: [second-person, approvals]}}
  - case: It goes
    expect: {{allowed: true}}
"""


NOBODY = "but it is unmet: somebody other than maya must agree"
NO_MANAGER = "but it is unmet: a release manager must agree to plan fffffff"


# check ----------------------------------------------------------------------------------------------------------------


def test_check_runs_the_table_and_names_each_case_that_comes_out_otherwise(terminal: Terminal, tmp_path: Path) -> None:
    file = policy(tmp_path, cases=CASES)
    assert terminal.run("check", file) == 1
    assert terminal.out.splitlines() == [
        "policy.cases.yaml:9: It goes: expected it to be allowed, but it is refused",
        f"policy.cases.yaml:9: It goes: expected nothing of second-person, {NOBODY}",
        f"policy.cases.yaml:9: It goes: expected nothing of approvals, {NO_MANAGER}",
        "policy.yaml is a policy; 1 of 2 cases came out otherwise.",
    ]
    assert terminal.run("check", file, "--json") == 1
    found = json.loads(terminal.out)
    assert (found["ok"], found["cases"], found["complaints"]) == (False, 2, [])
    assert {each["line"] for each in found["failed"]} == {9}
    (tmp_path / "policy.cases.yaml").write_text(CASES.partition("  - case: It goes")[0], encoding="utf-8")
    assert terminal.run("check", file) == 0
    assert terminal.out == "policy.yaml is a policy; 1 case came out as said.\n"


def test_check_prints_warnings_and_strict_makes_them_a_no(terminal: Terminal, tmp_path: Path) -> None:
    file = policy(tmp_path, ("[build, unit-tests]", "[build]"))
    assert terminal.run("check", file) == 0
    assert terminal.out == "policy.yaml is a policy.\n"
    assert terminal.run("check", file, "--against", str(STORY)) == 0
    line = (tmp_path / file).read_text(encoding="utf-8").partition("checks: [build]")[0].count("\n")
    says = "paths.stage→prod.gates: required-checks: names is build now, and was build and unit-tests"
    assert terminal.out == f"policy.yaml:{line}: warning: {says} [loosened]\npolicy.yaml is a policy; 1 warning.\n"
    assert terminal.run("check", file, "--against", str(STORY), "--strict") == 1
    assert terminal.run("check", file, "--against", str(STORY), "--strict", "--json") == 1
    assert json.loads(terminal.out)["lints"] == [{"line": line, "name": "loosened", "says": says, "weight": "warning"}]


def test_check_looks_at_calendars_as_of_the_instant_that_is_named(terminal: Terminal, tmp_path: Path) -> None:
    once = "interval: {start: 2027-06-01T09:00, end: 2027-06-02T09:00}"
    week = 'weekly: {days: [mon, tue, wed, thu], start: "09:00", end: "17:00"}'
    file = policy(tmp_path, (week, once), ('weekly: {days: [fri], start: "09:00", end: "13:00"}', once))
    assert terminal.run("check", file, "--strict", "--at", "2027-05-01") == 0
    assert terminal.run("check", file, "--strict", "--at", "2027-07-01") == 1
    assert "does not open in the next 400 days" in terminal.out
    assert terminal.run("check", file, "--at", "later") == 2
    assert terminal.err.startswith("--at: write a time like")


def test_check_is_misused_with_a_table(terminal: Terminal, tmp_path: Path) -> None:
    policy(tmp_path, cases=CASES)
    assert terminal.run("check", "policy.cases.yaml") == 2
    assert terminal.err == "policy.cases.yaml holds cases; check the policy beside it, and they are tried as well.\n"


# explain --------------------------------------------------------------------------------------------------------------


def test_explain_supposes_that_all_is_well_and_says_so(terminal: Terminal) -> None:
    assert terminal.run("explain", str(STORY), "--as", "maya", "--at", TUESDAY, PROMOTE) == 1
    assert "Supposing that all is well" in terminal.out
    assert "nobody has agreed yet" in terminal.out
    assert "Refused: 2 of" in terminal.out
    assert "→ omar can agree" in terminal.out
    assert (
        terminal.run("explain", str(STORY), "--as", "maya", "--at", TUESDAY, PROMOTE, "--given", "{approved: omar}")
        == 0
    )
    assert "\nAllowed.\n" in terminal.out
    assert "But for this: {approved: omar}." in terminal.out


def test_explain_knows_the_groups_of_the_table_and_those_that_are_named(terminal: Terminal, tmp_path: Path) -> None:
    file = policy(tmp_path)
    words = ("explain", file, "--as", "maya", "--at", TUESDAY, PROMOTE, "--given", "{approved: omar}")
    assert terminal.run(*words) == 1
    assert "✗ may-ask" in terminal.out
    assert terminal.run(*words, "--group", "S0ENG=maya,raj", "--group", "slack:group/S0RELMGR=omar") == 0
    assert terminal.run(*words, "--group", "S0ENG") == 2
    assert terminal.err == "--group: write S0ENG=maya,raj, not 'S0ENG'.\n"


def test_explain_tells_times_in_the_readers_zone_too(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("explain", str(STORY), "--as", "maya", "--at", "2026-11-28 10:00", PROMOTE)
    assert terminal.run(*words, "--zone", "America/New_York") == 1
    opens = "Time opens it on Mon 30 Nov 2026 09:00 CET = Mon 30 Nov 2026 03:00 EST."
    assert opens in terminal.out
    monkeypatch.setenv("TZ", "America/New_York")
    assert terminal.run(*words) == 1
    assert opens in terminal.out
    monkeypatch.setenv("TZ", ":/etc/localtime")
    assert terminal.run(*words) == 1
    assert "Time opens it on Mon 30 Nov 2026 09:00 CET.\n" in terminal.out
    assert terminal.run(*words, "--zone", "Mars/Olympus") == 2
    assert terminal.err == "--zone: 'Mars/Olympus' is no IANA time zone; write one like Europe/Berlin.\n"


def test_explain_works_for_a_rollback(terminal: Terminal) -> None:
    words = ("explain", str(STORY), "--at", "2026-11-28 03:00", "rollback checkout prod reason:errors")
    assert terminal.run(*words, "--as", "dan", "--given", "{freezes: F-7}") == 0
    assert terminal.run(*words, "--as", "maya") == 1
    assert "✗ may-ask" in terminal.out


def test_explain_prints_the_whole_decision_as_json(terminal: Terminal) -> None:
    assert terminal.run("explain", str(STORY), "--as", "maya", "--at", TUESDAY, PROMOTE, "--json") == 1
    found = json.loads(terminal.out)
    assert found["policy"]["sha256"] == hashlib.sha256(STORY.read_bytes()).hexdigest()
    assert found["question"]["service"] == "checkout"
    assert [each["rule"] for each in found["findings"] if each["standing"] == "unmet"] == ["second-person", "approvals"]
    assert found["helpers"] == ["omar"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", TUESDAY, PROMOTE), "Say who asks: --as maya."),
        (("--as", "maya", "promote checkout"), "Say from where to where"),
        (("--as", "maya", "status"), "`status` asks nothing of the policy, maya."),
        (("--as", "maya", "--given", "{approved: bob}", PROMOTE), "given.approved[0].by: nobody is called 'bob'"),
        (("--as", "maya", "--given", "{", PROMOTE), "--given: this is not YAML"),
        (("--as", "maya", "--given", "[]", PROMOTE), "--given: write keys and values, like {approved: omar}."),
        (("--as", "maya", "--at", "noon", PROMOTE), "--at: write a time like"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_explain_is_misused(terminal: Terminal, words: tuple[str, ...], says: str) -> None:
    assert terminal.run("explain", str(STORY), *words) == 2
    assert terminal.err.startswith(says)
    assert terminal.out == ""


def test_explain_says_that_the_policy_knows_nobody_of_that_name(terminal: Terminal) -> None:
    assert terminal.run("explain", str(STORY), "--as", "mya", "--at", TUESDAY, PROMOTE) == 1
    assert "The policy knows nobody called mya." in " ".join(terminal.out.split())


def test_explain_decides_on_facts_that_were_written_down(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(to_json(PROMOTION, GATHERED), encoding="utf-8")
    words = ("explain", str(STORY), "--facts", "facts.json")
    assert terminal.run(*words, "--as", "maya", "--at", NOW.isoformat(), PROMOTE) == 0
    assert "Supposing" not in terminal.out
    assert terminal.run(*words, "--at", NOW.isoformat(), "promote search stage→prod") == 2
    assert terminal.err == "facts.json holds what maya asked, and that was something else.\n"
    assert terminal.run(*words, "--as", "omar", PROMOTE) == 2
    (tmp_path / "facts.json").write_text("{}", encoding="utf-8")
    assert terminal.run(*words, PROMOTE) == 2
    assert terminal.err.startswith("facts.json: the whole: write")
    (tmp_path / "facts.json").unlink()
    assert terminal.run(*words, PROMOTE) == 1
    assert terminal.err == "facts.json cannot be read or written: No such file or directory.\n"


def test_a_policy_that_is_none_is_a_no(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("policy: 2\n", encoding="utf-8")
    assert terminal.run("explain", "none.yaml", "--as", "maya", PROMOTE) == 1
    assert "cannot be used: line 1" in terminal.err
    assert terminal.run("replay", "none.yaml", "--facts", ".") == 1


# replay ---------------------------------------------------------------------------------------------------------------


def test_replay_of_what_explain_saved(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    for number, given in enumerate(("{approved: omar}", "{serving: {stage: PT12H}}")):
        words = ("explain", str(STORY), "--as", "maya", "--at", TUESDAY, PROMOTE, "--given", given)
        terminal.run(*words, "--save", f"saved/{number}.json")
    assert terminal.run("replay", str(STORY), "--facts", "saved") == 0
    assert "2 decisions taken again under" in terminal.out
    assert "none would differ" in terminal.out
    file = policy(tmp_path, ("soak: PT24H", "soak: P3D"))
    assert terminal.run("replay", file, "--facts", "saved") == 1
    assert "0.json, 2026-11-24 09:00:00Z, maya: promote checkout stage→prod: allowed then, refused now" in terminal.out
    assert terminal.run("replay", file, "--facts", "saved", "--last", "1", "--json") == 0
    assert json.loads(terminal.out)["decisions"] == 1
    assert terminal.run("replay", file, "--facts", "saved", "--ledger", "sqlite:///x.db") == 2
    assert terminal.run("replay", file, "--facts", "nowhere") == 1
    assert terminal.run("replay", file, "--facts", "saved", "--last", "0") == 2


async def test_replay_of_the_ledger(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await recorded(tmp_path)
    assert terminal.run("replay", str(STORY), "--ledger", url, "--json") == 1
    found = json.loads(terminal.out)
    assert (found["ok"], found["decisions"]) == (False, 4)
    assert {each["policy_sha256"] for each in found["differences"]} == {"f" * 64}
    monkeypatch.setenv("DATABASE_URL", url)
    assert terminal.run("replay", str(STORY), "--last", "1") == 0
    assert "1 decision taken again" in terminal.out
    monkeypatch.delenv("DATABASE_URL")
    assert terminal.run("replay", str(STORY)) == 1
    assert terminal.err.startswith("There is no database at ")


# holidays, schema -----------------------------------------------------------------------------------------------------


def test_holidays_are_written_for_review_and_their_hash_is_told(terminal: Terminal, tmp_path: Path) -> None:
    words = ("holidays", "DE-BE", "--years", "2026-2027", "--out", "DE-BE.yaml")
    assert terminal.run(*words, "--add", "2026-12-24=Christmas Eve", "--remove", "2026-03-08") == 0
    data = (tmp_path / "DE-BE.yaml").read_bytes()
    assert f"DE-BE: {{file: DE-BE.yaml, sha256: {hashlib.sha256(data).hexdigest()}}}" in terminal.out
    assert b"2026-12-24: Christmas Eve" in data
    assert b"2026-03-08:" not in data
    assert b"2027-" in data
    assert b"2028-" not in data
    assert terminal.run(*words, "--json") == 0
    assert set(json.loads(terminal.out)) == {"file", "sha256"}
    assert terminal.run("holidays", "DE-XX", "--years", "2026", "--out", "x.yaml") == 1
    assert "There is no calendar 'DE-XX'" in terminal.err


@pytest.mark.parametrize(
    "words", [("--years", "26"), ("--years", "2026", "--add", "2026-12-24"), ("--years", "2026", "--remove", "soon")]
)
def test_holidays_are_misused(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert terminal.run("holidays", "DE-BE", "--out", "x.yaml", *words) == 2


def test_the_schema_is_printed(terminal: Terminal) -> None:
    assert terminal.run("schema") == 0
    assert terminal.out == written()
