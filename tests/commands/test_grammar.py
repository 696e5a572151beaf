"""Words, taken apart and understood."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.catalogue import CATALOGUE, Command, understand
from commands.errors import Misunderstood
from commands.grammar import _PLAIN, WORDS_MAX, Said, instant, nearest, spoken, take_apart
from commands.intent import (
    Approve,
    DryRun,
    EndFreeze,
    ListExceptions,
    Log,
    Promote,
    Reject,
    RequestException,
    RevokeException,
    Rollback,
    Settle,
    Status,
    Steer,
    Why,
)
from commands.resolve import Setting
from tests.world import START, Policies

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
SETTING = Setting(Policies().current().policy, "C0RELEASES", START)
CHECKOUT = Promote("checkout", "stage", "prod")


@pytest.mark.parametrize("command", CATALOGUE, ids=lambda command: " ".join(command.verb))
def test_every_example_in_the_catalogue_is_understood(command: Command) -> None:
    for example in command.examples:
        understand(example, SETTING)
    assert command.shape.startswith(" ".join(command.verb))


@pytest.mark.parametrize(
    "words",
    [
        "promote checkout stage→prod",
        "promote checkout stage → prod",
        "promote checkout stage->prod",
        "promote checkout stage -> prod",
        "promote checkout stage=>prod",
        "promote checkout stage-&gt;prod",
        "promote checkout stage=&gt; prod",
        "promote checkout stage–>prod",
        "promote checkout stage—>prod",
        "promote checkout stage — prod",
        "promote checkout stage ➡️ prod",
        "promote checkout stage⇒prod",
        "promote checkout stage to prod",
        "promote checkout staging TO production",
        "  PROMOTE\u00a0Checkout   Stage→PROD  ",
        "promote checkout stage\u200b→prod",
    ],
)
def test_every_arrow_means_the_same(words: str) -> None:
    assert understand(words, SETTING) == CHECKOUT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a b", Said(("a", "b"))),
        ("a reason:because of it", Said(("a",), {"reason": "because of it"})),
        ('a reason:"because of it" b', Said(("a", "b"), {"reason": "because of it"})),
        ("a reason:“because of it” b", Said(("a", "b"), {"reason": "because of it"})),
        ("a reason:x until:18:00", Said(("a",), {"reason": "x", "until": "18:00"})),
        ("a until:tomorrow 09:00 reason:x", Said(("a",), {"until": "tomorrow 09:00", "reason": "x"})),
        ("a reason:from a -> b it broke", Said(("a",), {"reason": "from a -> b it broke"})),
        ('a reason:he said "no" twice', Said(("a",), {"reason": "he said no twice"})),
        ("a sha256:0123456789ab", Said(("a", "sha256:0123456789ab"))),
        ("a reason:", Said(("a",), {"reason": ""})),
        ("a→b", Said(("a", "→", "b"))),
        ("", Said(())),
    ],
)
def test_words_and_keys_are_taken_apart(words: str, said: Said) -> None:
    assert take_apart(words) == said


KEY = st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True)


@given(st.dictionaries(KEY, st.text(max_size=30), max_size=4))
def test_what_is_spoken_is_understood_as_it_was_meant(keys: dict[str, str]) -> None:
    """But for quotes and letters that keyboards give for others: these become plain ones."""
    plain = {key: value.translate(_PLAIN).replace('"', "'") for key, value in keys.items()}
    assert take_apart(spoken("promote", "checkout", **keys)) == Said(("promote", "checkout"), plain)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a reason:see https://x.example/1 there", Said(("a",), {"reason": "see https://x.example/1 there"})),
        ("a incident:https://x.example/1", Said(("a",), {"incident": "https://x.example/1"})),
        ("a reason:x --plan", Said(("a", "--plan"), {"reason": "x"})),
        ("a —plan", Said(("a", "--plan"))),
        ('a reason:"the --plan"', Said(("a",), {"reason": "the --plan"})),
        ("a reason:x --planned", Said(("a",), {"reason": "x --planned"})),
    ],
)
def test_addresses_and_the_dry_run_are_told_from_keys_and_reasons(words: str, said: Said) -> None:
    assert take_apart(words) == said


@pytest.mark.parametrize(
    ("words", "intent"),
    [
        ("promote checkout stage→prod --plan", DryRun(CHECKOUT)),
        (
            "promote checkout stage→prod type:EMERGENCY incident:INC-7 confirms:a,b c",
            Promote(
                "checkout", "stage", "prod", "", "", "emergency", {"incident": "INC-7"}, frozenset({"a", "b", "c"})
            ),
        ),
        (
            "exception request checkout prod waive:soak until:2h",
            RequestException("prod", "checkout", {"waive": "soak", "until": "2h"}),
        ),
        ("exception request prod", RequestException("prod", None)),
        ("exception list", ListExceptions()),
        ("exception revoke X-1a2b3c reason:it is over", RevokeException("X-1a2b3c", "it is over")),
        ("exception settle O-1a2b3c note:done", Settle("O-1a2b3c", "done")),
        (
            "approve X-1a2b3c plan:3f2a91cc confirms:F-1 reason:it is right",
            Approve("X-1a2b3c", "3f2a91cc", frozenset({"F-1"}), "it is right"),
        ),
        ("promote checkout stage→prod 3f2a91c reason:x", Promote("checkout", "stage", "prod", "3f2a91c", "x")),
        ("rollback checkout", Rollback("checkout", "prod")),
        ("rollback checkout production", Rollback("checkout", "prod")),
        ("rollback checkout stage to 3f2a91c", Rollback("checkout", "stage", "3f2a91c")),
        ("rollback checkout to 3f2a91c incident:INC-7", Rollback("checkout", "prod", "3f2a91c", "", "INC-7")),
        ("freeze end", EndFreeze()),
        ("freeze end F-1a2b3c reason:all clear", EndFreeze("F-1a2b3c", "all clear")),
        ("status", Status()),
        ("status Checkout", Status("checkout")),
        ("why op_1", Why(operation="op_1")),
        ("why checkout stage→prod", Why(promote=CHECKOUT)),
        ("log checkout", Log("checkout", 20)),
        ("log checkout last:100", Log("checkout", 100)),
        ("approve op_1 plan:3f2a91cc", Approve("op_1", "3f2a91cc")),
        ('reject op_1 plan:3f2a91cc reason:"not now"', Reject("op_1", "3f2a91cc", "not now")),
        ("abort op_1 reason:it smells", Steer("op_1", "abort", "it smells")),
    ],
)
def test_words_become_intents(words: str, intent: object) -> None:
    assert understand(words, SETTING) == intent


PORTING = ": `hotfix port checkout #120 to:release/1.8 ticket:… reason:…`."


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("deploy checkout", "I do not know `deploy`. I know "),
        ("prmote checkout stage→prod", "I do not know `prmote`. Did you mean `promote` or `approve`?"),
        ("promote checkout", "Say from where to where"),
        ("promote →prod", "Say from where to where"),
        ("promote checkout stage→", "Say from where to where"),
        ("promote checkout now stage→prod", "I cannot place `now`"),
        ("promote checkout stage→prod a b", "I cannot place `b`"),
        ("promote checkout stage→prod force:yes", "I do not know `force:` here. I know `reason`, `type`, "),
        ("promote checkout stage→prod reason:a reason:b", "`reason:` stands there twice."),
        ("status reason:x", "I do not know `reason:` here; nothing takes a key here."),
        ("rollback checkout to", "Say what to go back to, and nothing after it"),
        ("rollback checkout to a b", "Say what to go back to, and nothing after it"),
        ("rollback checkout prod now", "I cannot place `now`"),
        ("rollback chekout", "I know no service `chekout`. Did you mean `checkout`?"),
        ("log checkout last:0", "`last:` takes a number from 1 to 100."),
        ("log checkout last:101", "`last:` takes a number from 1 to 100."),
        ("log checkout last:²", "`last:` takes a number from 1 to 100."),
        ("status checkout search", "Name one service"),
        ("rollback checkout --plan", "I know no environment `--plan`."),
        ("exception", "`exception` goes on with `request`, `list`, `revoke` or `settle`, like `exception request "),
        ("exception revoke", "Name one exception"),
        ("exception revoke X-1", "Say why"),
        ("exception settle", "Name one thing that is owed"),
        ("exception settle O-1", "Say what was done"),
        ("freeze", "`freeze` goes on with `start`, `end` or `list`, like `freeze start prod "),
        ("hotfix checkout", "`hotfix` goes on with `start` or `port`, like `hotfix start checkout ticket:ABC-9 "),
        ("hotfix checkout port #120", "`hotfix` goes on with `start` or `port`, like `hotfix port checkout #120 "),
        ("hotfix port", f"Say what to bring elsewhere, a pull request or a whole commit{PORTING}"),
        ("hotfix port checkout", f"Say what to bring elsewhere, a pull request or a whole commit{PORTING}"),
        ("hotfix port checkout 120", f"`120` is neither a pull request like `#120` nor a whole commit{PORTING}"),
        (
            "hotfix port c2c2c2c checkout",
            f"`c2c2c2c` is neither a pull request like `#120` nor a whole commit{PORTING}",
        ),
        ("hotfix port #120 checkout", f"Name one service, and after it what to bring{PORTING}"),
        ("hotfix port checkout search #120", f"Name one service, and after it what to bring{PORTING}"),
        (
            "hotfix port checkout #120 release/1.8",
            f"I cannot place `release/1.8`; branches stand behind `to:`{PORTING}",
        ),
        ("hotfix port #120 to main", f"I cannot place `to`; branches stand behind `to:`{PORTING}"),
        ("hotfix port checkout #120 #121", f"Bring one after the other{PORTING}"),
        ("hotfix port chekout #120", "I know no service `chekout`. Did you mean `checkout`?"),
        ("approve op_1", "An approval names the plan"),
        ("approve op_1 plan:3f2", "An approval names the plan"),
        ("abort", "Say which request: `abort op_1a2b3c4d5e`"),
        ("x" * (WORDS_MAX + 1), "That is too long"),
    ],
)
def test_what_cannot_be_understood_is_answered_with_what_can(words: str, says: str) -> None:
    with pytest.raises(Misunderstood) as raised:
        understand(words, SETTING)
    assert str(raised.value).startswith(says)


def test_the_nearest_words_are_named_or_else_all() -> None:
    assert nearest("prd", ["stage", "prod"]) == "Did you mean `prod`?"
    assert nearest("zzz", ["stage", "prod"]) == "I know `stage` and `prod`."


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("18:00", "2026-11-24T17:00Z"),
        ("09:59", "2026-11-25T08:59Z"),  # passed here a minute ago: tomorrow's
        ("10:00", "2026-11-25T09:00Z"),  # now is not in the future
        ("tomorrow 09:00", "2026-11-25T08:00Z"),
        ("tomorrow", "2026-11-25T23:00Z"),  # to its end
        ("today", "2026-11-24T23:00Z"),
        ("2h", "2026-11-24T11:00Z"),
        ("+90m", "2026-11-24T10:30Z"),
        ("1d12h", "2026-11-25T21:00Z"),
        ("PT2H", "2026-11-24T11:00Z"),
        ("P1D", "2026-11-25T09:00Z"),
        ("2026-11-24 18:00", "2026-11-24T17:00Z"),
        ("2026-11-24T18:00Z", "2026-11-24T18:00Z"),
        ("2026-11-24T18:00-05:00", "2026-11-24T23:00Z"),
        ("2026-11-30 24:00", "2026-11-30T23:00Z"),
        ("2026-12-01", "2026-11-30T23:00Z"),
    ],
)
def test_times_are_read_by_the_wall_clock_of_the_policy(text: str, means: str) -> None:
    assert instant(text, START, BERLIN) == at(means)


@pytest.mark.parametrize(
    ("now", "text", "means"),
    [
        # Clocks in Berlin go forward on 2026-03-29: 02:30 is not there, and means an hour later.
        ("2026-03-28T20:00Z", "tomorrow 02:30", "2026-03-29T01:30Z"),
        ("2026-03-28T20:00Z", "12:00", "2026-03-29T10:00Z"),
        ("2026-03-28T20:00Z", "24h", "2026-03-29T20:00Z"),  # a span is so many hours, whatever clocks do
        # They go back on 2026-10-25: 02:30 is there twice, and means the first.
        ("2026-10-24T20:00Z", "tomorrow 02:30", "2026-10-25T00:30Z"),
        ("2026-10-24T20:00Z", "12:00", "2026-10-25T11:00Z"),
    ],
)
def test_times_are_right_where_clocks_change(now: str, text: str, means: str) -> None:
    assert instant(text, at(now), BERLIN) == at(means)


def test_the_same_words_mean_another_instant_in_another_zone() -> None:
    assert instant("18:00", START, NEW_YORK) == at("2026-11-24T23:00Z")


@pytest.mark.parametrize("text", ["", "soon", "25:00", "24:60", "2026-02-30", "2026-11-24 24:01", "P1M", "PT", "h"])
def test_what_is_no_time_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Misunderstood):
        instant(text, START, BERLIN)


@given(st.text(max_size=80), st.sampled_from([BERLIN, NEW_YORK, UTC]))
def test_any_text_is_a_time_or_is_misunderstood(text: str, zone: ZoneInfo) -> None:
    try:
        found = instant(text, START, zone)
    except Misunderstood:
        return
    assert found.utcoffset() is not None


PIECES = (
    'promote rollback freeze start end status log why to → -> checkout prod stage reason: until: last: plan: " “ '
    "op_1 18:00 99999999999999999999 \u200b &gt; => sha256:abc123"
)
WORDS = st.sampled_from(PIECES.split())


@given(st.lists(WORDS | st.text(max_size=8), max_size=10).map(" ".join))
def test_any_words_are_understood_or_misunderstood(words: str) -> None:
    with suppress(Misunderstood):
        understand(words, SETTING)
