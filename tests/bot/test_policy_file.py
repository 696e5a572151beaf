"""The policy file: what is read from it, what is refused, and what stays in force."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy_file import NoPolicy, PolicyFile, check, read_policy
from commands.errors import Rejected
from commands.ports import PolicyInForce
from policy.decide import decide
from policy.facts import Candidate, Check, CheckState, Deed, Facts, Question, Serving, Verdict, Vote
from policy.model import Digest, Human, Person, Sha

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


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: str(file.name))
def test_every_policy_that_we_hand_out_is_one(file: Path) -> None:
    assert told(file.read_bytes()) == []


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


STORY_NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(("soaked", "allowed"), [(timedelta(hours=24), True), (timedelta(hours=2), False)])
def test_the_story_plays_under_its_policy(soaked: timedelta, allowed: bool) -> None:
    active = read_policy(POLICIES / "story.yaml")
    maya = Person("slack:T0ACME/U0MAYA", Human("maya"), "maya", roles=frozenset({"engineer"}))
    omar = Person("slack:T0ACME/U0OMAR", Human("omar"), "omar", roles=frozenset({"engineer", "release_manager"}))
    new, old, commit = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64), Sha("c" * 40)
    facts = Facts(
        asked_by=maya,
        asked_at=STORY_NOW,
        plan="d" * 64,
        candidate=Candidate(new, commit),
        source_serving=Serving("new", new, STORY_NOW - soaked),
        target_serving=Serving("old", old, STORY_NOW - timedelta(days=9)),
        checks={name: Check(name, CheckState.PASSED) for name in ("build", "unit-tests")},
        freezes=(),
        holds=(),
        votes=(Vote(omar, Verdict.APPROVE, STORY_NOW, "d" * 64),),
        people={Human("omar"): omar},
    )
    decision = decide(Question(Deed.PROMOTE, "checkout", "prod", "stage"), facts, active, STORY_NOW)
    assert decision.allowed is allowed


def test_bytes_that_stand_in_a_commit_name_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    as_somebody = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "policy.yaml"], [*as_somebody, "commit", "-q", "-m", "policy"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert read_policy(file).source == f"{file}@{head[:12]}"
    file.write_bytes(MINIMAL + b"# not committed\n")
    assert read_policy(file).source == str(file)


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
        ("policy: 1\nname: [a\n", "line 3: this is not YAML: while parsing a flow sequence expected ',' or ']'"),
        ("policy: 1\n\tname: x\n", "line 2: this is not YAML: while scanning for the next token"),
        ("name: *nothing\n", "line 1: this is not YAML: found undefined alias 'nothing'"),
        ("policy: 1\nname: \x07\n", "line 2: here is a character that YAML does not allow; remove it"),
        (b"policy: 1\nname: \xff\n", "line 2: this is not UTF-8; save the file as UTF-8"),
        ("a: &a [*a]\n", "line 1: aliases make this too large or too deep to be a policy"),
        (LAUGHS, "line 1: aliases make this too large or too deep to be a policy"),
        ("a: " + "[" * 5000, "line 1: this is nested too deep to be a policy"),
        ("#" * 1_000_001, "line 1: the file has 1000001 bytes; a policy has at most 1000000"),
        ("[]", "line 1: the file: write keys and values, like {key: value}"),
        ("just words", "line 1: the file: write keys and values, like {key: value}"),
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


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "name: minimal",
            "nam: minimal",
            ["line 1: name is missing", "line 3: nam is not known here; did you mean name?"],
        ),
        ("approvals:", "aprovals:", ["line 28: paths[0].aprovals is not known here; did you mean approvals?"]),
        (
            "    to: prod",
            "    to: prod\n    gates: {zzz: 1}",
            ["line 28: paths[0].gates.zzz is not known here; known are checks, soak, window"],
        ),
        (
            "{slack: U0MAYA}",
            "{slack: '@maya'}",
            ["line 6: people.maya.slack: write a Slack user id like U024BE7LH, not a name, not '@maya'"],
        ),
        (
            "members: [omar]",
            "members: []",
            ["line 10: roles.release_manager.members: leave it out or write at least one"],
        ),
        (
            "members: [omar]",
            "members: omar",
            ["line 10: roles.release_manager.members: write a list, like [one, two], not 'omar'"],
        ),
        ("rank: 1", "rank: -1", ["line 17: environments.stage.rank: write 0 or more, not -1"]),
        (
            "    to: prod",
            "    to: prod\n    gates: {soak: 24h}",
            ["line 28: paths[0].gates.soak: write a time span like PT10M, PT24H or P1D"],
        ),
        (
            "    to: prod",
            "    to: prod\n    rollout:\n      smoke:\n        - {path: /, method: PUT}",
            ["line 30: paths[0].rollout.smoke[0].method: write 'GET', 'HEAD' or 'POST', not 'PUT'"],
        ),
        (
            "stage: acme-stage/europe",
            "qa: acme-stage/europe",
            ["line 23: services.checkout.cloud_run: no environment 'qa'; environments are stage, prod"],
        ),
        (
            "[engineer, release_manager]",
            "[engineer, boss]",
            ["line 13: may.rollback: no role 'boss'; roles are engineer, release_manager"],
        ),
        ("policy: 1\n", "policy: 2\n", ["line 2: policy: write 1, not 2"]),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(old: str, new: str, says: list[str]) -> None:
    found = with_(old, new)
    assert set(says) <= set(found)


def test_several_mistakes_are_told_at_once_by_line() -> None:
    text = MINIMAL.decode().replace("rank: 1", "rank: x").replace("acme/checkout\n", "acme\n").replace("[maya]", "[1]")
    assert told(text) == [
        "line 9: roles.engineer.members[0]: write a word or text, in quotes where it looks like a number, not 1",
        "line 17: environments.stage.rank: write a whole number, not 'x'",
        "line 21: services.checkout.repository: write owner/name, not 'acme'",
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
    before = policies.current()
    file.write_bytes(MINIMAL.replace(b"Europe", b"").replace(b"rank: 1", b"rank: one"))
    with caplog.at_level(logging.ERROR):
        complaints = policies.reload()
    assert [complaint.line for complaint in complaints] == [17]
    assert policies.current() is before
    assert "environments.stage.rank: write a whole number" in caplog.text
    assert f"policy {before.hash[:12]} stays in force" in caplog.text
    file.unlink()
    assert policies.reload()
    assert policies.current() is before


def test_a_new_version_that_can_be_read_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(MINIMAL)
    policies: PolicyInForce = PolicyFile(file)
    file.write_bytes(MINIMAL.replace(b"name: minimal", b"name: newer"))
    assert isinstance(policies, PolicyFile)
    assert policies.reload() == ()
    assert policies.current().policy.name == "newer"
