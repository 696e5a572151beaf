"""What `policy explain` prints: the whole decision, with every instant in the policy's zone and in the reader's."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.explain import Clocks, as_plain, told
from policy.decide import decide
from policy.document import Window
from policy.facts import Deed, Freeze, Question
from tests.policy.good import ACTIVE, HOUR, NOW, PROMOTION, but, policy_with

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
FREEZE = Freeze("F-7", "prod", None, NOW - HOUR, NOW + 30 * HOUR, "black friday", "omar")


def explained(clocks: Clocks, supposing: str = "", **changes: Any) -> str:
    decision = decide(PROMOTION, but(**changes), ACTIVE, NOW)
    return told("maya: promote checkout stage→prod", PROMOTION, decision, ACTIVE, clocks, supposing)


def page(text: str) -> str:
    return dedent(text).strip()


def test_what_is_allowed_and_until_when() -> None:
    assert explained(Clocks(BERLIN, BERLIN), "Supposing that all is well.") == page(
        """
        maya: promote checkout stage→prod
          on Tue 24 Nov 2026 10:00 CET, under the policy, sha256 ffffffffffff
          Supposing that all is well.

        Allowed.

        ✓ may-ask: maya is engineer
        ✓ allowed-path: stage→prod is a path for checkout
        ✓ same-digest: stage serves aaaaaaaaaaaa
        ✓ something-to-promote: prod serves bbbbbbbbbbbb
        ✓ commit-known: aaaaaaaaaaaa was built from 9f1c2ab
        ✓ required-checks: build passed and unit-tests passed on 9f1c2ab
        ✓ soak: stage has served it for 48 h since Sun 22 Nov 2026 10:00 CET; 24 h are required
        ✓ window: office_hours is Mon–Thu 09:00–17:00 and Fri 09:00–13:00 (Europe/Berlin), open until Tue 24
            Nov 2026 17:00 CET
        ✓ no-freeze: nothing freezes checkout@prod
        ✓ no-hold: aaaaaaaaaaaa was not taken back from prod
        ✓ not-expired: the request stands until Wed 25 Nov 2026 08:00 CET
        ✓ second-person: omar agreed; maya asked
        ✓ approvals: omar as release manager agreed to plan 3f2a91c

        • the window closes Tue 24 Nov 2026 17:00 CET
        """
    )


@pytest.mark.requirement("D-16")
def test_what_is_refused_who_can_help_and_when_it_opens_in_both_zones() -> None:
    head, _, rest = explained(Clocks(BERLIN, NEW_YORK), votes=(), freezes=(FREEZE,)).partition("✗ no-freeze")
    assert head.splitlines()[1:4] == [
        "  on Tue 24 Nov 2026 10:00 CET = Tue 24 Nov 2026 04:00 EST, under the policy, sha256 ffffffffffff",
        "",
        "Refused: 3 of 13 rules are not met (no-freeze, second-person, approvals).",
    ]
    assert [line for line in f"✗ no-freeze{rest}".splitlines() if not line.startswith("✓")] == page(
        """
        ✗ no-freeze: omar froze prod until Wed 25 Nov 2026 16:00 CET = Wed 25 Nov 2026 10:00 EST: black
            friday (F-7)
            → wait until Wed 25 Nov 2026 16:00 CET = Wed 25 Nov 2026 10:00 EST
            → end the freeze F-7 (olga or omar may)
        ✗ second-person: somebody other than maya must agree
            → olga or omar can agree
        ✗ approvals: a release manager must agree to plan 3f2a91c
            → olga or omar can agree

        This would do:
          1. end the freeze F-7 (olga or omar may); and olga or omar can agree
        Time opens it on Wed 25 Nov 2026 16:00 CET = Wed 25 Nov 2026 10:00 EST.
        Who can help now: olga and omar.
        • it could start on Wed 25 Nov 2026 16:00 CET = Wed 25 Nov 2026 10:00 EST, but this request expires
          on Wed 25 Nov 2026 08:00 CET = Wed 25 Nov 2026 02:00 EST: ask again then
        """
    ).splitlines()


def test_what_no_rule_speaks_of() -> None:
    asked = Question(Deed.EXCEPTION, "checkout", "prod", kind="none")
    decision = decide(asked, but(expires_at=None), ACTIVE, NOW, rules=())
    text = told("maya: something", asked, decision, ACTIVE, Clocks(BERLIN, BERLIN), "")
    assert text.splitlines()[3:] == [
        "Refused: no rule of the policy speaks of this.",
        "",
        "",
        "Nobody can help now.",
    ]


def test_a_window_that_never_opens_is_said_to_have_no_known_opening() -> None:
    assert "No opening is known" not in explained(Clocks(BERLIN, BERLIN), votes=())
    closed = policy_with(gates={"window": "office_hours"}).policy.model_copy(update={"windows": {"office_hours": GONE}})
    decision = decide(PROMOTION, but(), ACTIVE.model_copy(update={"policy": closed}), NOW)
    text = told(
        "maya: x", PROMOTION, decision, ACTIVE.model_copy(update={"policy": closed}), Clocks(BERLIN, BERLIN), ""
    )
    assert text.endswith("No opening is known that time would bring.")


GONE = Window.model_validate({"allow": [{"interval": {"start": "2020-01-01T00:00", "end": "2020-01-02T00:00"}}]})


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("from Sun 25 Oct 2026 02:30 CEST on", "from Sun 25 Oct 2026 02:30 CEST = Sat 24 Oct 2026 20:30 EDT on"),
        ("from Sun 25 Oct 2026 02:30 CET on", "from Sun 25 Oct 2026 02:30 CET = Sat 24 Oct 2026 21:30 EDT on"),
        ("Tue 24 Nov 2026 10:00:01 CET", "Tue 24 Nov 2026 10:00:01 CET = Tue 24 Nov 2026 04:00:01 EST"),
        ("Tue 24 Nov 2026 10:00 UTC", "Tue 24 Nov 2026 10:00 UTC"),
        ("Tue 4 Nov 2026 10:00 CET", "Tue 4 Nov 2026 10:00 CET"),
        ("on 24 Nov", "on 24 Nov"),
    ],
)
def test_every_instant_in_the_policys_zone_is_told_in_the_readers_too(text: str, both: str) -> None:
    """Both copies of a repeated hour are told apart; what is in another zone, or no day at all, stays as it is."""
    assert Clocks(BERLIN, NEW_YORK).in_text(text) == both
    assert Clocks(BERLIN, BERLIN).in_text(text) == text


def test_the_whole_decision_for_machines() -> None:
    decision = decide(PROMOTION, but(votes=(), freezes=(FREEZE,)), ACTIVE, NOW)
    whole = json.loads(json.dumps(as_plain(PROMOTION, decision, ACTIVE)))
    assert whole["allowed"] is False
    assert whole["at"] == "2026-11-24T09:00:00Z"
    assert whole["earliest"] == "2026-11-25T15:00:00Z"
    assert whole["helpers"] == ["olga", "omar"]
    assert [each["rule"] for each in whole["findings"]] == [finding.rule for finding in decision.findings]
    frozen = next(each for each in whole["findings"] if each["rule"] == "no-freeze")
    assert frozen["remedies"][0] == {
        "kind": "wait",
        "says": "wait until Wed 25 Nov 2026 16:00 CET",
        "who": [],
        "at": "2026-11-25T15:00:00Z",
    }
    assert [[remedy["kind"] for remedy in way] for way in whole["ways"]] == [["lift", "approve"]]
