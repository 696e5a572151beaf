"""What people read of a release, as it stands in GitHub and in Slack."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.slack_out import mrkdwn
from commands import notes, ports
from commands.notes import Notes
from commands.reply import plain
from policy.evidence import Changes, Commit, PullRequest
from policy.model import Unknown, sha
from tests.conversation import plays
from tests.world import Town, commit

OF = {number: sha(f"{number:040x}") for number in range(100, 110)}


def changes(*pulls: PullRequest, commits: tuple[Commit, ...] = (), complete: bool = True) -> Changes:
    return Changes(commits, pulls, complete=complete)


def pull(number: int, title: str, *labels: str, **more: object) -> PullRequest:
    made = PullRequest(number, title, frozenset(labels), authors=frozenset({"maya"}))
    return replace(made, **more)  # type: ignore[arg-type]


def told(found: Changes) -> Notes:
    made = notes.of(found)
    assert isinstance(made, Notes)
    return made


def test_what_breaks_comes_first_then_features_then_fixes_and_labels_say_where_a_title_does_not() -> None:
    found = changes(
        pull(11, "fix(pay): Round to the cent", fields={"ticket": "PAY-7, see PAY-9"}),
        pull(12, "feat(export): CSV (#12)", fields={"release_notes": "Invoices can be\nexported.\n"}),
        pull(13, "Quicker search", "enhancement", authors=frozenset({"omar", "maya"})),
        pull(14, "chore: bump"),
        pull(15, "feat!: Drop the old API ABC-1"),
        pull(16, "update stuff"),
        commits=(
            Commit(OF[100], "feat: by hand", frozenset({"raj"})),
            Commit(OF[101], "Merge branch 'main'", parents=2),
            Commit(OF[102], "round", pull_request=11, breaks=False),
        ),
    )
    assert told(found).markdown() == (
        "### Breaking changes\n\n"
        "- Drop the old API ABC-1 \\[ABC-1\\] (#15) by maya\n\n"
        "### Features\n\n"
        "- **export**: CSV (#12) by maya\n"
        "  Invoices can be exported.\n"
        "- Quicker search (#13) by maya, omar\n"
        f"- by hand ({OF[100][:7]}) by raj\n\n"
        "### Fixes\n\n"
        "- **pay**: Round to the cent \\[PAY-7, PAY-9\\] (#11) by maya\n\n"
        "### Unclassified\n\n"
        "- update stuff (#16) by maya\n\n"
        "1 change that nobody who uses it notices.\n\n"
        "Tickets: ABC-1, PAY-7, PAY-9\n"
    )


def test_a_pull_request_breaks_where_any_of_its_commits_says_so() -> None:
    found = changes(pull(11, "feat: One thing"), commits=(Commit(OF[100], "feat: one", pull_request=11, breaks=True),))
    assert told(found).markdown().startswith("### Breaking changes\n\n- One thing (#11)")


@pytest.mark.parametrize(
    ("title", "labels", "heading"),
    [
        ("fix: x", ("breaking-change",), "Breaking changes"),
        ("chore: x", ("Security",), "Security"),
        ("feat: x", ("no-release-notes",), ""),
        ("docs: x", (), ""),
        ("perf: x", (), "Performance"),
        ('Revert "feat: x"', (), "Taken back"),
        ("wip: x", (), "Unclassified"),
        ("fix:x", (), "Unclassified"),
    ],
)
def test_where_a_change_stands_is_said_by_its_title_and_its_labels(
    title: str, labels: tuple[str, ...], heading: str
) -> None:
    said = told(changes(pull(11, title, *labels))).markdown()
    assert re.findall("^### (.*)$", said, re.MULTILINE) == ([heading] if heading else [])


def test_a_release_that_nobody_notices_says_so() -> None:
    said = told(changes(pull(11, "ci: faster"), pull(12, "docs: typo"))).markdown()
    assert said == "Nothing user-facing.\n\n2 changes that nobody who uses it notices.\n"
    assert told(changes()).markdown() == "Nothing user-facing.\n"


def test_a_list_that_was_cut_short_claims_nothing() -> None:
    said = told(changes(complete=False))
    assert said.markdown() == f"{notes.CUT_SHORT}\n"
    assert [plain(line.text) for line in said.lines()] == [notes.CUT_SHORT]


def test_however_much_there_is_it_fits_into_a_pull_request_and_what_is_left_out_is_counted() -> None:
    many = [pull(number, f"fix: {'x' * 100} {number}") for number in range(1, 1001)]
    said = told(changes(*many, pull(1001, "feat: " + "y" * 70_000))).markdown()
    assert len(said) < 65_536  # https://github.com/orgs/community/discussions/27190
    shown = sum(line.startswith("- ") for line in said.splitlines())
    assert said.startswith(f"### Features\n\n- {'y' * 200}")
    assert said.endswith(f"\n\n{1001 - shown} changes more that there is no room for.\n")
    assert "Nothing" not in told(changes(pull(1, "fix: x", fields={"ticket": "ABC-1 " * 9_000}))).markdown()


def test_without_pull_requests_the_commits_are_told_and_what_is_not_known_stays_unknown() -> None:
    change = ports.Change(OF[100], "fix: x", "maya", ("raj",))
    found = notes.of(Unknown("nobody looked"), ports.Comparison(2, 0, (change,)))
    assert isinstance(found, Notes)
    assert not found.complete
    assert found.markdown().startswith(f"### Fixes\n\n- x ({OF[100][:7]}) by maya, raj\n")
    assert notes.of(Unknown("nobody looked"), Unknown("GitHub is away")) == Unknown("GitHub is away")
    assert notes.of(Unknown("nobody looked")) == Unknown("nobody looked")


def test_a_card_shows_the_weightiest_and_counts_the_rest() -> None:
    found = told(
        changes(
            *(pull(number, f"fix: {number}") for number in range(20, 30)),
            pull(31, "feat(api)!: New", url="https://github.com/acme/api/pull/31"),
        )
    )
    lines = [mrkdwn(line.text) for line in found.lines(3)]
    assert lines == [
        "*breaking* api: New <https://github.com/acme/api/pull/31|#31> (maya)",
        "20 #20 (maya)",
        "21 #21 (maya)",
        "and 8 changes besides",
    ]


def test_what_was_brought_over_from_another_line_is_told_apart() -> None:
    picked = Commit(OF[101], "fix: b", frozenset({"raj"}), picked_from=OF[102])
    said = told(changes(pull(11, "fix: a", "backport"), commits=(picked,)))
    assert said.markdown() == f"### Fixes\n\n- a (#11), a backport by maya\n- b ({OF[101][:7]}), a backport by raj\n"
    assert [plain(line.text) for line in said.lines()] == ["a #11, a backport (maya)", "b 0000000, a backport (raj)"]


HOSTILE = (
    "feat: @acme/everyone closes #5 <img src=x> [click](https://evil.example) www.evil.example `x` *y* |z| "
    "acme/api#7 GH-8 $x$ &#64;team deadbeefcafe01 # h"
)


def test_words_of_others_ping_nobody_and_close_draw_and_link_nothing() -> None:
    said = told(changes(pull(11, HOSTILE, authors=frozenset({"evil@team"})))).markdown()
    assert "\n- @\u200bacme/everyone closes #\u200b5 &lt;img src=x&gt; \\[click\\](https:\u200b//evil.example) " in said
    assert " w" + "ww\u200b.evil.example \\`x\\` \\*y\\* \\|z\\| acme/api#\u200b7 GH\u200b-8 &dollar;x&dollar; " in said
    assert "&amp;#\u200b64;team deadbe\u200befcafe\u200b01 #\u200b h (#11) by evil@\u200bteam\n" in said
    slack = " ".join(
        mrkdwn(line.text) for line in told(changes(pull(11, "fix: <!channel> <@U0OMAR> & <http://x|y>"))).lines()
    )
    assert slack == "&lt;!channel&gt; &lt;@U0OMAR&gt; &amp; &lt;http://x|y&gt; #11 (maya)"


@pytest.mark.parametrize("begins", ["# h", "- x", "+ x", "> q", "1. x", "12) x", "=== x", "---"])
def test_words_of_others_begin_no_heading_and_no_list(begins: str) -> None:
    escaped = notes.escaped(begins)
    assert escaped != begins
    assert escaped.replace("\\", "").replace("&gt;", ">").replace("\u200b", "") == begins


@given(some.text(max_size=60))
def test_no_text_leaves_its_line_or_names_anybody(text: str) -> None:
    escaped = notes.escaped(text)
    assert len(escaped.splitlines()) <= 1
    assert not re.search(r"[@#]\w|(?<!\\)[`*_\[\]|~]|[<>]|://|[0-9a-fA-F]{7}", escaped)


def test_text_that_turns_around_how_the_rest_is_read_is_left_out() -> None:
    assert notes.escaped("safe\u202egnp.exe\u200b\x07\tx") == "safegnp.exe x"


async def test_the_plan_tells_what_changes_by_pull_requests_where_those_were_looked_at(town: Town) -> None:
    gate = {"kind": "reviews", "at_least": 0}
    town.policies.adopt(gates={"reviewed": gate}, to_prod={"requires": ["reviewed"]})
    town.github.pull_requests[commit("checkout", 2)] = pull(12, "feat(pay)!: One click PAY-7", "risk:low")
    await plays(
        """
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         ! breaking pay: One click PAY-7 [PAY-7] #12 (maya)
    """,
        town,
    )
