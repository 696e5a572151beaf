"""The policy file: what is read from it, what is refused, and what stays in force."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy_file import Became, Drafts, NoPolicy, PolicyChange, PolicyFile, check, read_policy
from commands.errors import Rejected
from commands.ports import PolicyInForce
from policy.document import Window

POLICIES = Path(__file__).parent.parent.parent / "deploy" / "policies"
MINIMAL = (POLICIES / "minimal.yaml").read_bytes()


def told(text: str | bytes) -> list[str]:
    return [str(complaint) for complaint in check(text.encode() if isinstance(text, str) else text)]


def with_(old: str, new: str) -> list[str]:
    """What is said of the smallest policy with this replaced."""
    text = MINIMAL.decode()
    assert old in text
    return told(text.replace(old, new))


# What is read -------------------------------------------------------------------------------------------------------


HANDED_OUT = sorted(file for file in POLICIES.glob("*.yaml") if not file.name.endswith(".cases.yaml"))


@pytest.mark.parametrize("file", HANDED_OUT, ids=lambda file: str(file.name))
def test_every_policy_that_we_hand_out_is_one(file: Path) -> None:
    assert check(file.read_bytes(), POLICIES) == []


def test_the_smallest_policy_has_at_most_thirty_lines() -> None:
    assert len(MINIMAL.splitlines()) <= 30


def test_a_policy_is_known_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    active = read_policy(file)
    assert active.hash == hashlib.sha256(MINIMAL).hexdigest()
    assert active.source == str(file)
    file.write_bytes(MINIMAL + b"# one remark more\n")
    assert read_policy(file).hash != active.hash


def test_the_storys_policy_says_what_the_story_needs() -> None:
    policy = read_policy(POLICIES / "story.yaml").policy
    path = policy.path("payments", "stage", "prod")
    assert path is not None
    assert [(step.percent, step.hold) for step in path.rollout.steps] == [
        (10, timedelta(seconds=6)),
        (50, timedelta(seconds=6)),
        (100, timedelta(seconds=6)),
    ]
    assert path.gates.checks == ("build", "unit-tests")
    assert (path.gates.soak, path.gates.window) == (timedelta(hours=24), "office_hours")
    assert [(slot.role, slot.count) for slot in path.approvals] == [("release_manager", 1)]
    assert [(probe.path, probe.repeat) for probe in path.rollout.smoke] == [("/healthz", 3), ("/", 1)]
    assert path.rollout.health.max_error_percent == 1
    assert policy.environment_called("production") == "prod"


# Strict YAML --------------------------------------------------------------------------------------------------------


def test_a_key_that_stands_twice_is_named_with_both_lines() -> None:
    assert with_("name: minimal\n", "name: minimal\nname: other\n") == [
        "line 4: 'name' stands twice, first on line 3; only one can be meant"
    ]


@pytest.mark.parametrize("word", ["yes", "on", "True", "y", "1"])
def test_only_true_and_false_are_booleans(word: str) -> None:
    (complaint,) = with_("production: true", f"production: {word}")
    assert complaint.startswith("line 18: environments.prod.production: write true or false, not ")


@pytest.mark.parametrize("word", ['"1"', "01", "0x1", "1_0", "1.0", "1e0", "0o7", "1:00"])
def test_only_decimal_digits_are_whole_numbers(word: str) -> None:
    (complaint,) = with_("stage: {rank: 1}", f"stage: {{rank: {word}}}")
    assert complaint.startswith("line 17: environments.stage.rank: write a whole number, not ")


@pytest.mark.parametrize("word", [".nan", ".inf", "-.inf", "1e400"])
def test_what_is_no_finite_number_is_none(word: str) -> None:
    (complaint,) = with_("to: prod\n", f"to: prod\n    rollout: {{health: {{max_error_percent: {word}}}}}\n")
    assert "max_error_percent: write a number" in complaint


def test_whoever_would_give_up_before_the_numbers_come_is_told_when_they_come() -> None:
    (complaint,) = with_("to: prod\n", "to: prod\n    rollout: {health: {give_up_after: PT270S}}\n")
    assert complaint == (
        "line 28: paths.stage→prod.rollout.health.give_up_after: numbers come 270 s late "
        "(measure: delay and resolution), so give it longer"
    )


def test_times_dates_and_versions_stay_words() -> None:
    window = """
windows:
  hours:
    allow:
      - weekly: {days: [mon], start: 09:00, end: 17:30}
      - interval: {start: 2026-12-19T17:00, end: 2026-12-20T09:00, name: '1.10'}
      - dates: {days: [2026-12-24]}
"""
    assert told(MINIMAL + window.encode()) == []


def test_an_alias_stands_for_what_its_anchor_names() -> None:
    assert (
        with_("promote: [engineer]\n  rollback: [engineer, release_manager]", "promote: &r [engineer]\n  rollback: *r")
        == []
    )


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the file is empty; begin with policy: 1"),
        ("# only a remark\n", "line 1: the file is empty; begin with policy: 1"),
        ("policy: 1\n1: 2\n", 'line 2: a key is a word; write "1", in quotes'),
        ("policy: 1\n? [a]\n: 2\n", "line 2: a key is a word; write no list or mapping"),
        (
            "policy: 1\nname: !!python/name:os.system\n",
            "line 2: the tag !!python/name:os.system is not used here; leave it out",
        ),
        ("policy: 1\nname: !secret x\n", "line 2: the tag !secret is not used here; leave it out"),
        ("policy: !!int one\n", "line 1: 'one' is no int"),
        ("policy: 1\n---\npolicy: 1\n", "line 2: this is not YAML: expected a single document"),
        ("policy: 1\nname: [a\n", "line 3: this is not YAML: a list that begins with [ has no end; write ]"),
        ("policy: 1\n\tname: x\n", "line 2: this is not YAML: a tab stands here; indent with spaces"),
        ("name: *nothing\n", "line 1: this is not YAML: found undefined alias 'nothing'"),
        ("policy: 1\nname: \x07\n", "line 2: here is a character that YAML does not allow; remove it"),
        (b"policy: 1\nname: \xff\n", "line 2: this is not UTF-8; save the file as UTF-8"),
        ("a: &a [*a]\n", "line 1: aliases make this too large or too deep to be a policy"),
        (LAUGHS, "line 1: aliases make this too large or too deep to be a policy"),
        ("a: " + "[" * 5000, "line 1: this is nested too deep to be a policy"),
        ("#" * 1_000_001, "line 1: the file has 1000001 bytes; a policy has at most 1000000"),
        ("[]", "line 1: the file: write keys and values, like {policy: value}"),
        ("just words", "line 1: the file: write keys and values, like {policy: value}"),
    ],
)
def test_what_is_no_document_for_us_is_refused_in_one_sentence(text: str | bytes, says: str) -> None:
    (complaint,) = told(text)
    assert complaint.startswith(says)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(st.characters(codec="utf-8"), max_size=200).map(str.encode))
def test_no_bytes_at_all_make_the_check_fall_over(data: bytes) -> None:
    assert told(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_to_a_good_file_makes_the_check_fall_over(data: st.DataObject) -> None:
    text = (POLICIES / "story.yaml").read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    for complaint in check(text[:start] + data.draw(st.binary(max_size=8)) + text[end:]):
        assert complaint.line >= 1
        assert complaint.says


# What is wrong with it as a policy ----------------------------------------------------------------------------------


class Mistake(NamedTuple):
    """What somebody new to it may well write, and what they are told."""

    instead_of: str
    written: str
    told: str


TEN = {
    "a key is misspelled": Mistake(
        instead_of="    approvals: [{role: release_manager}]",
        written="    aprovals: [{role: release_manager}]",
        told="line 28: paths.stage→prod.aprovals is not known here; did you mean approvals?",
    ),
    "yes is meant as true": Mistake(
        instead_of="production: true",
        written="production: yes",
        told="line 18: environments.prod.production: write true or false, not 'yes'",
    ),
    "a line is indented with a tab": Mistake(
        instead_of="  stage: {rank: 1}",
        written="\tstage: {rank: 1}",
        told="line 17: this is not YAML: a tab stands here; indent with spaces",
    ),
    "a service is written down twice": Mistake(
        instead_of="paths:",
        written="services: {}\npaths:",
        told="line 25: 'services' stands twice, first on line 19; only one can be meant",
    ),
    "a role is misspelled": Mistake(
        instead_of="approvals: [{role: release_manager}]",
        written="approvals: [{role: release_manger}]",
        told="line 28: paths.stage→prod.approvals[0].role: no role 'release_manger'; did you mean release_manager?",
    ),
    "people go by their Slack names": Mistake(
        instead_of="slack: U0MAYA",
        written="slack: '@maya'",
        told="line 6: people.maya.slack: write the Slack user id, which looks like U024BE7LH "
        "(profile, More, Copy member ID), not '@maya'",
    ),
    "nobody has to agree to production": Mistake(
        instead_of="    approvals: [{role: release_manager}]",
        written="    reason: true",
        told="line 26: paths.stage→prod: a path to production needs approvals, for example [{role: release_manager}]",
    ),
    "a path skips an environment": Mistake(
        instead_of="  stage: {rank: 1}\n  prod: {rank: 2, production: true}",
        written="  stage: {rank: 1}\n  preprod: {rank: 2}\n  prod: {rank: 3, production: true}",
        told="line 28: paths.stage→prod.to: skips preprod; a path leads one rank up",
    ),
    "a day is written as 24h": Mistake(
        instead_of="    to: prod",
        written="    to: prod\n    gates: {soak: 24h}",
        told="line 28: paths.stage→prod.gates.soak: write a time span like PT10M, PT24H or P1D; did you mean PT24H?",
    ),
    "a window has another name": Mistake(
        instead_of="    to: prod",
        written="    to: prod\n    gates: {window: office_hours}",
        told="line 28: paths.stage→prod.gates.window: no window 'office_hours'; there are no windows",
    ),
    "a gate is of a kind that does not exist": Mistake(
        instead_of="paths:",
        written="gates:\n  tests: {kind: check, names: [build]}\npaths:",
        told="line 26: gates.tests.kind: no kind 'check'; did you mean checks?",
    ),
    "a time is written without its zero": Mistake(
        instead_of="paths:",
        written="windows:\n  office_hours:\n    allow: [{weekly: {days: [mon], start: 9:00, end: 17:00}}]\npaths:",
        told="line 27: windows.office_hours.allow[0].weekly.start: "
        'write a quoted wall-clock time like "09:00"; "24:00" ends a day; did you mean "09:00"?',
    ),
}
"""Ten and two more, each made in the smallest policy."""


@pytest.mark.parametrize("mistake", [pytest.param(mistake, id=name) for name, mistake in TEN.items()])
def test_typical_mistakes_are_told_with_their_line_and_what_would_be_right(mistake: Mistake) -> None:
    assert with_(mistake.instead_of, mistake.written) == [mistake.told]


PATH = "    to: prod\n"
SAID_OF_GATES = (
    "line 28: paths.stage→prod.gates: write keys and values, like {checks: value}; known are checks, soak, window"
)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "name: minimal",
            "nam: minimal",
            ["line 1: name is missing", "line 3: nam is not known here; did you mean name?"],
        ),
        (
            PATH,
            PATH + "    gates: {zzz: 1}\n",
            ["line 28: paths.stage→prod.gates.zzz is not known here; known are checks, soak, window"],
        ),
        (
            PATH,
            PATH + "    gates: [tests]\n",
            [SAID_OF_GATES],
        ),
        ("members: [omar]", "members: []", ["line 10: roles.release_manager.members: write at least one"]),
        (
            "members: [omar]",
            "members: omar",
            ["line 10: roles.release_manager.members: write a list, like [one, two], not 'omar'"],
        ),
        ("rank: 1", "rank: -1", ["line 17: environments.stage.rank: write 0 or more, not -1"]),
        (
            PATH,
            PATH + "    rollout:\n      smoke:\n        - {path: /, method: PUT}\n",
            ["line 30: paths.stage→prod.rollout.smoke[0].method: write 'GET', 'HEAD', 'POST' or 'OPTIONS', not 'PUT'"],
        ),
        (
            PATH,
            PATH + "    request_lasts: PT0S\n",
            ["line 28: paths.stage→prod.request_lasts: write a time span that is longer than nothing"],
        ),
        (
            "stage: acme-stage/europe",
            "qa: acme-stage/europe",
            ["line 23: services.checkout.cloud_run.qa: no environment 'qa'; environments are stage, prod"],
        ),
        (
            "[engineer, release_manager]",
            "[engineer, boss]",
            ["line 13: may.rollback: no role 'boss'; roles are engineer, release_manager"],
        ),
        ("policy: 1\n", "policy: 2\n", ["line 2: policy: write 1, not 2"]),
    ],
)
def test_other_mistakes_are_told_so_as_well(old: str, new: str, says: list[str]) -> None:
    assert with_(old, new) == says


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ("{names: [build]}", "gates.tests.kind is missing; write one of checks, workflow, reviews, branch, "),
        ("{kind: checks}", "gates.tests.names is missing"),
        ("{kind: checks, names: [a], mode: warning}", "gates.tests.mode: write 'block', 'acknowledge' or 'warn', not "),
        ("{kind: checks, names: [a], nams: [b]}", "gates.tests.nams is not known here; did you mean names?"),
        ("{kind: checks, names: [a], checks: [b]}", "gates.tests.checks is not known here; known are mode, source, "),
        ("{kind: checks, names: a}", "gates.tests.names: write a list, like [one, two], not 'a'"),
        ("{kind: checks, names: [a], when: {label: [b]}}", "gates.tests.when.label is not known here; did you mean l"),
        ("{kind: soak, environment: stag, lasts: PT1H}", "gates.tests.environment: no environment 'stag'; did you me"),
        ("{kind: same, by: sha, environment: stage}", "gates.tests.by: write 'tree', 'commit' or 'digest', not 'sha'"),
        ("{kind: tag, pattern: '('}", "gates.tests.pattern: this is no regular expression: missing )"),
        ("checks", "gates.tests: write keys and values, like {"),
    ],
)
def test_the_place_of_a_mistake_in_a_gate_is_the_one_in_the_file(gate: str, says: str) -> None:
    (complaint,) = with_("paths:", f"gates:\n  tests: {gate}\npaths:")
    assert complaint.startswith(f"line 26: {says}")


def test_several_mistakes_are_told_at_once_by_line() -> None:
    text = MINIMAL.decode().replace("rank: 1", "rank: x").replace("acme/checkout\n", "acme\n").replace("[maya]", "[1]")
    assert told(text) == [
        "line 9: roles.engineer.members[0]: write a word or text, in quotes where it looks like a number, not 1",
        "line 17: environments.stage.rank: write a whole number, not 'x'",
        "line 21: services.checkout.repository: write owner/name, not 'acme'",
    ]


# Calendars ----------------------------------------------------------------------------------------------------------

HOLIDAYS = b"""calendar: DE-BE
made: by hand
days:
  2026-12-25: Christmas Day
  2026-12-26: Boxing Day
"""
PINNED = hashlib.sha256(HOLIDAYS).hexdigest()


def with_calendar(folder: Path, calendar: str, holidays: bytes = HOLIDAYS) -> Path:
    """A policy whose window is closed on the days of that calendar; where `holidays` stand in the file beside it."""
    (folder / "holidays").mkdir(exist_ok=True)
    (folder / "holidays" / "DE-BE.yaml").write_bytes(holidays)
    file = folder / "policy.yaml"
    window = "windows:\n  working_days: {deny: [{holidays: DE}, {month_end: {last_business_days: 2, calendar: DE}}]}\n"
    file.write_bytes(MINIMAL + f"calendars:\n  DE: {calendar}\n{window}".encode())
    return file


CLOSED = Window.model_validate(
    {
        "deny": [
            {
                "dates": {
                    "days": ["2026-12-25", "2026-12-26"],
                    "called": ["Christmas Day", "Boxing Day"],
                    "name": "holidays (DE)",
                }
            },
            {"month_end": {"last_business_days": 2, "holidays": ["2026-12-25", "2026-12-26"]}},
        ]
    }
)


def test_the_days_of_a_calendar_come_from_the_file_that_the_policy_pins(tmp_path: Path) -> None:
    file = with_calendar(tmp_path, f"{{file: holidays/DE-BE.yaml, sha256: {PINNED}}}")
    policy = read_policy(file).policy
    assert policy.window("working_days") == CLOSED
    assert check(file.read_bytes(), tmp_path) == []


def test_the_days_of_a_calendar_may_stand_in_the_policy_itself(tmp_path: Path) -> None:
    file = with_calendar(tmp_path, "{days: {2026-12-25: Christmas Day, 2026-12-26: Boxing Day}}")
    assert read_policy(file).policy.window("working_days") == CLOSED


def test_a_calendar_that_is_another_file_by_now_is_refused_with_the_hash_that_it_has(tmp_path: Path) -> None:
    longer = HOLIDAYS + b"  2026-12-31: A day off\n"
    file = with_calendar(tmp_path, f"{{file: holidays/DE-BE.yaml, sha256: {PINNED}}}", longer)
    with pytest.raises(NoPolicy) as caught:
        read_policy(file)
    (complaint,) = caught.value.complaints
    assert str(complaint) == (
        "line 30: calendars.DE.sha256: DE-BE.yaml is not that file: its SHA-256 is "
        f"{hashlib.sha256(longer).hexdigest()}; look at what is in it, and write that"
    )


@pytest.mark.parametrize(
    ("calendar", "says"),
    [
        ("{}", "DE: it has no days; give days, or file and sha256"),
        ("{days: {}}", "DE: it has no days; give days, or file and sha256"),
        (f"{{sha256: {PINNED}}}", "DE.sha256: is of a file; name it under file"),
        ("{file: holidays/DE-BE.yaml}", "DE.sha256: is missing; whoever reviews the file writes its SHA-256 here"),
        (
            f"{{file: holidays/DE-BE.yaml, sha256: {PINNED}, days: {{2026-12-25: Christmas Day}}}}",
            "DE.days: the days stand in its file; give either file and sha256, or days",
        ),
        (
            f"{{file: ../DE-BE.yaml, sha256: {PINNED}}}",
            "DE.file: write the name of a file beside the policy or below, not '../DE-BE.yaml'",
        ),
        (
            f"{{file: holidays/../../x, sha256: {PINNED}}}",
            "DE.file: write the name of a file beside the policy or below, not 'holidays/../../x'",
        ),
        (
            f"{{file: /etc/passwd, sha256: {PINNED}}}",
            "DE.file: write the name of a file beside the policy or below, not '/etc/passwd'",
        ),
        (f"{{file: holidays/FR.yaml, sha256: {PINNED}}}", "DE.file: FR.yaml cannot be read: No such file or directory"),
        ("{days: {2026-02-30: A day}}", "DE.days.2026-02-30: write a day like 2026-12-24, one that is in the calendar"),
    ],
)
def test_a_calendar_that_is_not_whole_is_refused(tmp_path: Path, calendar: str, says: str) -> None:
    with pytest.raises(NoPolicy) as caught:
        read_policy(with_calendar(tmp_path, calendar))
    assert [complaint.says for complaint in caught.value.complaints] == [f"calendars.{says}"]


def test_a_calendar_is_read_as_strictly_as_the_policy(tmp_path: Path) -> None:
    twice = HOLIDAYS + b"  2026-12-26: Second Day of Christmas\n"
    pinned = hashlib.sha256(twice).hexdigest()
    with pytest.raises(NoPolicy) as caught:
        read_policy(with_calendar(tmp_path, f"{{file: holidays/DE-BE.yaml, sha256: {pinned}}}", twice))
    assert [complaint.says for complaint in caught.value.complaints] == [
        "calendars.DE.file: DE-BE.yaml, line 6: '2026-12-26' stands twice, first on line 5; only one can be meant"
    ]


def test_bytes_from_nowhere_have_no_calendar_beside_them(tmp_path: Path) -> None:
    file = with_calendar(tmp_path, f"{{file: holidays/DE-BE.yaml, sha256: {PINNED}}}")
    assert told(file.read_bytes()) == [
        "line 30: calendars.DE.file: cannot be looked at here; only the days that stand in the policy itself can"
    ]


# What stays in force ------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(NoPolicy, match=r"The policy file .*gone\.yaml cannot be used: .*No such file") as caught:
        read_policy(tmp_path / "gone.yaml")
    assert isinstance(caught.value, Rejected)


def test_a_bad_file_names_its_first_mistake_and_how_many_more(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("policy: 1\n")
    with pytest.raises(NoPolicy, match=r"line 1: environments is missing \(and 6 more\)\.$"):
        PolicyFile(file)


def test_a_new_version_that_cannot_be_read_leaves_the_old_one_in_force_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    policies = PolicyFile(file)
    heard: list[PolicyChange] = []
    policies.tell(heard.append)
    before = policies.current()
    file.write_bytes(MINIMAL.replace(b"rank: 1", b"rank: one"))
    with caplog.at_level(logging.ERROR):
        change = policies.reload()
    assert change is not None
    assert heard == [change]
    assert (change.became, change.active, change.version) == (Became.REFUSED, before, None)
    assert change.says == (
        "The new policy cannot be used: line 17: environments.stage.rank: write a whole number, not 'one'. "
        f"Policy {before.hash[:12]} decides."
    )
    assert policies.current() is before
    assert "environments.stage.rank: write a whole number" in caplog.text
    assert f"policy {before.hash[:12]} stays in force" in caplog.text
    file.unlink()
    change = policies.reload()
    assert change is not None
    assert "the file cannot be read: No such file or directory" in change.says
    assert policies.current() is before


def test_a_new_version_that_can_be_read_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    policies: PolicyInForce = PolicyFile(file)
    assert isinstance(policies, PolicyFile)
    assert policies.reload() is None
    file.write_bytes(MINIMAL.replace(b"name: minimal", b"name: newer"))
    change = policies.reload()
    assert change is not None
    assert change.became is Became.IN_FORCE
    assert change.version is policies.current()
    assert change.says == f"Policy {policies.current().hash[:12]} decides now."
    assert policies.current().policy.name == "newer"
    assert policies.reload() is None


# From when on -------------------------------------------------------------------------------------------------------

APRIL = b"""timezone: Europe/Berlin
changes:
  - {version: "1", effective: 2026-01-01, summary: First, rationale: There was none}
  - {version: "2", effective: 2026-04-01, summary: Two people for production., rationale: An audit asked for it}
"""
MIDNIGHT = datetime(2026, 3, 31, 22, tzinfo=UTC)
"""The first of April begins in Berlin."""


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 20, 9, tzinfo=UTC))


@pytest.fixture
def waiting(tmp_path: Path, clock: Clock) -> PolicyFile:
    """A policy in force, and a version beside it that decides only from the first of April on."""
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    policies = PolicyFile(file, clock.now)
    file.write_bytes(MINIMAL + APRIL)
    return policies


@pytest.mark.requirement("S4-330")
@pytest.mark.parametrize(
    ("at", "decides"),
    [
        (MIDNIGHT - timedelta(seconds=1), "before"),
        (MIDNIGHT, "after"),
        (MIDNIGHT + timedelta(seconds=1), "after"),
    ],
)
def test_until_its_day_in_the_policys_zone_the_version_before_decides(
    waiting: PolicyFile, clock: Clock, at: datetime, decides: str
) -> None:
    before = waiting.current()
    change = waiting.reload()
    assert change is not None
    assert (change.became, change.active, change.effective_at) == (Became.WAITING, before, MIDNIGHT)
    assert change.version is not None
    assert change.says == (
        f"Policy {change.version.hash[:12]} decides from Wed 1 Apr 2026 00:00 CEST on. 2: Two people for production."
        " Until then this process must not be started anew with it: put the version before it in place first."
    )
    assert waiting.next_at == MIDNIGHT
    clock.at = at
    assert waiting.current() is (before if decides == "before" else change.version)


def test_whoever_listens_hears_that_it_waits_and_then_that_it_decides(
    waiting: PolicyFile, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[PolicyChange] = []
    waiting.tell(heard.append)
    waiting.reload()
    assert "put the version before it in place first" in caplog.text
    assert waiting.reload() is None
    clock.at = MIDNIGHT
    waiting.current()
    waiting.current()
    assert [(change.became, change.at) for change in heard] == [
        (Became.WAITING, datetime(2026, 3, 20, 9, tzinfo=UTC)),
        (Became.IN_FORCE, MIDNIGHT),
    ]
    assert heard[1].active is heard[1].version
    assert waiting.next_at is None


def test_a_version_that_waits_and_is_taken_back_never_decides(
    waiting: PolicyFile, clock: Clock, tmp_path: Path
) -> None:
    before = waiting.current()
    waiting.reload()
    (tmp_path / "policy.yaml").write_bytes(MINIMAL)
    change = waiting.reload()
    assert change is not None
    assert (change.became, change.active) == (Became.WITHDRAWN, before)
    clock.at = MIDNIGHT
    assert waiting.current() is before


def test_a_version_that_cannot_be_read_leaves_the_one_that_waits_where_it_is(
    waiting: PolicyFile, clock: Clock, tmp_path: Path
) -> None:
    first = waiting.reload()
    (tmp_path / "policy.yaml").write_bytes(b"policy: 2")
    second = waiting.reload()
    assert first is not None
    assert second is not None
    assert second.became is Became.REFUSED
    clock.at = MIDNIGHT
    assert waiting.current() is first.version


def test_a_newer_version_takes_the_place_of_the_one_that_waits(
    waiting: PolicyFile, clock: Clock, tmp_path: Path
) -> None:
    waiting.reload()
    (tmp_path / "policy.yaml").write_bytes(MINIMAL + APRIL.replace(b"2026-04-01", b"2026-05-01T09:00"))
    waiting.reload()
    assert waiting.next_at == datetime(2026, 5, 1, 7, tzinfo=UTC)
    clock.at = MIDNIGHT
    assert waiting.current().policy.changes == ()


def test_a_version_of_tomorrow_alone_is_no_policy_to_start_with(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL + APRIL)
    with pytest.raises(NoPolicy) as caught:
        PolicyFile(file, clock.now)
    assert str(caught.value) == (
        f"The policy file {file} cannot be used: line 32: this version decides only from Wed 1 Apr 2026 00:00 CEST on, "
        "and there is none before it; start with the one before."
    )
    clock.at = MIDNIGHT
    assert PolicyFile(file, clock.now).current().policy.changes[-1].version == "2"


# What was committed -------------------------------------------------------------------------------------------------


def committed(folder: Path) -> Path:
    """A policy in a git work tree, as it stands in the commit that is checked out."""
    file = folder / "policy.yaml"
    file.write_bytes(MINIMAL)
    as_somebody = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "policy.yaml"], [*as_somebody, "commit", "-q", "-m", "policy"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return file


def test_bytes_that_stand_in_a_commit_name_it(tmp_path: Path) -> None:
    file = committed(tmp_path)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert read_policy(file).source == f"{file}@{head[:12]}"
    file.write_bytes(MINIMAL + b"# not committed\n")
    assert read_policy(file).source == str(file)


@pytest.mark.requirement("S4-329")
def test_in_production_a_file_that_differs_from_its_commit_decides_nothing(tmp_path: Path) -> None:
    file = committed(tmp_path)
    policies = PolicyFile(file, drafts=Drafts.REFUSED)
    before = policies.current()
    file.write_bytes(MINIMAL.replace(b"release_manager}]", b"engineer}]"))
    change = policies.reload()
    assert change is not None
    assert (change.became, policies.current()) == (Became.REFUSED, before)
    with pytest.raises(NoPolicy, match="it says something else than the commit that is checked out; commit it"):
        PolicyFile(file, drafts=Drafts.REFUSED)
    assert PolicyFile(file, drafts=Drafts.WELCOME).current().hash != before.hash


def test_in_production_a_file_that_was_never_committed_decides_nothing_where_there_is_git(tmp_path: Path) -> None:
    other = committed(tmp_path).with_name("other.yaml")
    other.write_bytes(MINIMAL)
    with pytest.raises(NoPolicy, match="commit it"):
        PolicyFile(other, drafts=Drafts.REFUSED)


def test_where_there_is_no_git_there_is_nothing_to_hold_a_file_against(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    assert PolicyFile(file, drafts=Drafts.REFUSED).current().source == str(file)
