"""The schema: what fits together, what does not, and what the reference says about it."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from policy.document import Policy, Window
from policy.duration import span
from tests.policy.good import DOCUMENT
from tests.policy.reference import reference

README = Path(__file__).parent.parent.parent / "policy" / "README.md"


def test_the_reference_says_what_the_schema_says() -> None:
    """Where this fails: `python -m tests.policy.reference` prints the part of the README that it should be."""
    assert reference() in README.read_text()


def test_the_windows_of_the_reference_are_windows() -> None:
    block = README.read_text().split("```yaml\n")[1].split("```")[0]
    for window in yaml.load(block, yaml.BaseLoader)["windows"].values():
        for rule in window["deny"]:
            if "month_end" in rule:
                rule["month_end"]["last_business_days"] = int(rule["month_end"]["last_business_days"])
        assert Window.model_validate(window).allow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT6S", timedelta(seconds=6)),
        ("PT10M", timedelta(minutes=10)),
        ("PT24H", timedelta(hours=24)),
        ("P1D", timedelta(days=1)),
        ("P1DT2H", timedelta(days=1, hours=2)),
        ("PT1H30M", timedelta(minutes=90)),
    ],
)
def test_a_span_is_what_it_spells(text: str, expected: timedelta) -> None:
    assert span(text) == expected


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "24h", "P1M", "P1Y", "P1W", "-PT1H", "PT1.5H", "PT1M1H", "P1D2H", 600, None]
)
def test_what_is_no_span_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write a time span"):
        span(text)


def changed(*where: str | int, to: Any) -> dict[str, Any]:
    document: Any = deepcopy(DOCUMENT)
    place = document
    for part in where[:-1]:
        place = place[part]
    place[where[-1]] = to
    found: dict[str, Any] = document
    return found


@pytest.mark.parametrize(
    ("where", "to", "says"),
    [
        (("may", "promote"), ["enginer"], "may.promote: no role 'enginer'; did you mean engineer?"),
        (("roles", "engineer", "members"), ["nobody"], "'nobody' is neither a name under people nor slack:group/S"),
        (("services", "checkout", "cloud_run", "qa"), "p-x/r/s", "no environment 'qa'"),
        (("services", "checkout", "cloud_run", "prod"), "just-a-name", "write project/region/service"),
        (("services", "search", "cloud_run", "stage"), "acme-stage/europe-west1/checkout", "stands twice"),
        (("paths", 1, "from"), "dev", "skips stage; a path leads one rank up"),
        (("paths", 1, "to"), "stage", "leads down or nowhere"),
        (("paths", 1, "to"), "production", "no environment 'production'"),
        (("paths", 1, "approvals"), [], "a path to production needs approvals"),
        (("paths", 1, "approvals"), [{"role": "boss"}], "no role 'boss'"),
        (("paths", 1, "gates", "window"), "nights", "no window 'nights'; windows are office_hours"),
        (("paths", 1, "services"), ["shop"], "no service 'shop'"),
        (("paths", 1, "rollout"), {"steps": [{"percent": 50}]}, "the last one is 100"),
        (("paths", 1, "rollout"), {"steps": [{"percent": 50}, {"percent": 10}, {"percent": 100}]}, "steps rise"),
        (("paths", 1, "model"), "branch_merge", "give environments.stage.branch"),
        (("paths", 1, "rollout"), {"health": {"give_up_after": "PT270S"}}, "numbers come 270 s late"),
        (("environments", "stage", "rank"), 2, "two of them have the rank 2"),
        (("environments", "dev", "aliases"), ["STAGING"], "'staging' stands twice"),
        (("people", "omar", "slack"), "U0MAYA", "U0MAYA is linked to two people"),
        (("people", "omar", "slack"), "omar", "pattern"),
        (("timezone",), "Europe/Berln", "is no IANA time zone"),
        (("windows", "office_hours"), {}, "always open; leave it out"),
        (("windows", "office_hours"), {"allow": []}, "at least 1"),
        (("windows", "office_hours"), {"allow": [{}]}, "exactly one of"),
        (("windows", "office_hours"), {"deny": [{"month_end": {}}]}, "it names no day"),
        (("windows", "office_hours"), {"deny": [{"dates": {"days": ["2026-02-30"]}}]}, "in the calendar"),
        (("windows", "office_hours"), {"deny": [{"dates": {"days": [20261224]}}]}, "write a day like"),
        (
            ("windows", "office_hours"),
            {"deny": [{"interval": {"start": "2026-02-02T00:00", "end": "2026-02-01T00:00"}}]},
            "ends before it starts",
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"interval": {"start": "2026-02-02T00:00Z", "end": "2026-02-03T00:00"}}]},
            "without an offset",
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"weekly": {"days": ["mon"], "start": "24:00", "end": "02:00"}}]},
            "start the next one with",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(where: tuple[str | int, ...], to: Any, says: str) -> None:
    with pytest.raises(ValidationError, match="(?s)" + says.replace("'", ".").replace("(", r"\(")):
        Policy.model_validate(changed(*where, to=to))


def test_giving_up_one_second_after_the_numbers_come_is_allowed() -> None:
    Policy.model_validate(changed("paths", 1, "rollout", to={"health": {"give_up_after": "PT271S"}}))


def test_two_paths_for_the_same_service_are_refused_and_for_different_ones_are_not() -> None:
    document = deepcopy(DOCUMENT)
    document["paths"].append({**document["paths"][1], "services": ["search"]})
    with pytest.raises(ValidationError, match="stands twice for the same service"):
        Policy.model_validate(document)
    document["paths"][1]["services"] = ["checkout"]
    policy = Policy.model_validate(document)
    assert policy.path("search", "stage", "prod") is policy.paths[2]
    assert policy.path("checkout", "stage", "prod") is policy.paths[1]


def test_every_mistake_is_told_at_once() -> None:
    document = changed("may", "promote", to=["enginer"])
    document["paths"][1]["approvals"] = [{"role": "boss"}]
    with pytest.raises(ValidationError, match=r"(?s)enginer.*boss"):
        Policy.model_validate(document)


def test_an_environment_goes_by_its_name_or_alias_in_any_case() -> None:
    policy = Policy.model_validate(DOCUMENT)
    assert [policy.environment_called(word) for word in ("prod", "PROD", "Production", "staging", "stag")] == [
        "prod",
        "prod",
        "prod",
        "stage",
        None,
    ]


def test_a_slack_account_is_one_human_or_nobody() -> None:
    policy = Policy.model_validate(DOCUMENT)
    assert policy.human_with_slack("U0MAYA") == "maya"
    assert policy.human_with_slack("U0NOBODY") is None
