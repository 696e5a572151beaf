"""The schema: what fits together, what does not, and what the reference says about it."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.strict_yaml import Document as Source
from commands.grammar import instant
from policy import wording
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.duration import span
from policy.facts import EMERGENCY, Deed, Question
from policy.finding import Standing
from policy.fits import IN_SHORT, NEVER_WAIVED, WAIVABLE, nearest
from policy.gates import GATES, Waivable
from policy.required import required
from policy.rulebook import KINDS, OTHERS, rules_for
from policy.timetable import Dates, Unreadable
from tests.policy.good import ALL_GOOD, DOCUMENT
from tests.policy.reference import reference

POLICIES = Path(__file__).parents[2] / "deploy" / "policies"
README = Path(__file__).parent.parent.parent / "policy" / "README.md"


def test_the_reference_says_what_the_schema_says() -> None:
    """Where this fails: `python -m tests.policy.reference` prints the part of the README that it should be."""
    assert reference() in README.read_text(encoding="utf-8")


def test_the_guide_builds_a_policy_step_by_step() -> None:
    """Each of its blocks, laid over the smallest policy and the blocks before, makes a policy."""
    document: dict[str, Any] = Source((POLICIES / "minimal.yaml").read_bytes()).value
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    steps = [block for block in blocks if not block.startswith("groups:")]
    assert len(steps) > 8
    for block in steps:
        document = laid_over(document, Source(block.encode()).value)
        assert told(document) == [], block
    examples = {f"example_{kind}": example for kind, example in gates_of_the_guide().items()}
    assert told(laid_over(document, {"gates": examples})) == []


def test_the_guide_has_an_example_of_every_kind_of_gate() -> None:
    assert {kind: example["kind"] for kind, example in gates_of_the_guide().items()} == {kind: kind for kind in GATES}


def gates_of_the_guide() -> dict[str, Any]:
    """Kind → its example in the table."""
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| `(\{kind: .*\})` \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return {kind: Source(example.encode()).value for kind, example in rows}


def laid_over(document: Any, more: Any) -> Any:
    """Keys are added, and looked into where both have them; anything else is replaced."""
    if not isinstance(document, dict) or not isinstance(more, dict):
        return more
    return {**document, **{key: laid_over(document.get(key), value) for key, value in more.items()}}


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


@pytest.mark.parametrize(
    ("text", "meant"),
    [("24h", "PT24H"), ("10 min", "PT10M"), ("5 minutes", "PT5M"), ("30s", "PT30S"), ("2 days", "P2D"), ("1d", "P1D")],
)
def test_a_span_in_everyday_words_is_told_how_it_is_written(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"P1D; did you mean {meant}\?$"):
        span(text)


@pytest.mark.parametrize("text", ["1 month", "a day", "24", 24])
def test_nobody_guesses_what_else_may_be_meant(text: object) -> None:
    with pytest.raises(ValueError, match=r"or P1D$"):
        span(text)


def changed(*where: str | int, to: Any, document: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """The document with what stands there replaced, or added."""
    copy: Any = deepcopy(document)
    place = copy
    for part in where[:-1]:
        place = place[part]
    place[where[-1]] = to
    found: dict[str, Any] = copy
    return found


def told(document: dict[str, Any]) -> list[str]:
    """What is wrong with it; nothing: it is a policy."""
    try:
        Policy.model_validate(document)
    except ValidationError as error:
        return [says for each in error.errors() for says in _said(each)]
    return []


def _said(error: Any) -> list[str]:
    if error["type"] == "does_not_fit":
        return [says for _, says in error["ctx"]["complaints"]]
    return [f"{'.'.join(map(str, error['loc']))}: {error['msg']}"]


@pytest.mark.parametrize(
    ("where", "to", "says"),
    [
        (("may", "promote"), ["enginer"], "may.promote: no role 'enginer'; did you mean engineer?"),
        (
            ("roles", "engineer", "members"),
            ["mia"],
            (
                "roles.engineer.members: 'mia' is neither a name under people nor slack:group/S…; "
                "people are maya, omar, olga, raj, ines, lea"
            ),
        ),
        (
            ("services", "checkout", "cloud_run", "qa"),
            "acme-qa/europe-west1/checkout",
            "services.checkout.cloud_run.qa: no environment 'qa'; environments are dev, stage, prod",
        ),
        (
            ("services", "search", "cloud_run", "stage"),
            "acme-stage/europe-west1/checkout",
            (
                "services: acme-stage/europe-west1/checkout stands twice; "
                "each place runs in a Cloud Run service of its own"
            ),
        ),
        (("paths", 1, "from"), "dev", "paths.dev→prod.to: skips stage; a path leads one rank up"),
        (("paths", 1, "to"), "stage", "paths.stage→stage.to: leads down or nowhere; a path leads to a higher rank"),
        (("paths", 1, "to"), "prot", "paths.stage→prot.to: no environment 'prot'; did you mean prod?"),
        (
            ("paths", 1, "approvals"),
            [],
            "paths.stage→prod: a path to production needs approvals, for example [{role: release_manager}]",
        ),
        (
            ("paths", 1, "approvals"),
            [{"role": "boss"}],
            (
                "paths.stage→prod.approvals[0].role: no role 'boss'; "
                "roles are engineer, release_manager, tech_lead, incident_commander"
            ),
        ),
        (
            ("paths", 1, "approvals"),
            [{"any_of": ["tech_lead", "tech_led"]}],
            "paths.stage→prod.approvals[0].any_of: no role 'tech_led'; did you mean tech_lead?",
        ),
        (
            ("paths", 1, "approvals"),
            [{"any_of": ["tech_lead", "tech_lead"]}],
            "paths.stage→prod.approvals[0].any_of: 'tech_lead' stands twice",
        ),
        (
            ("paths", 1, "gates", "window"),
            "office_hour",
            "paths.stage→prod.gates.window: no window 'office_hour'; did you mean office_hours?",
        ),
        (
            ("paths", 1, "services"),
            ["shop"],
            "paths.stage→prod.services: no service 'shop'; services are checkout, search",
        ),
        (
            ("paths", 1, "rollout"),
            {"health": {"give_up_after": "PT270S"}},
            (
                "paths.stage→prod.rollout.health.give_up_after: numbers come 270 s late (measure: delay and resolution), "
                "so give it longer"
            ),
        ),
        (("environments", "qa"), {"rank": 1}, "environments: two of them have the rank 1"),
        (("environments", "dev", "aliases"), ["STAGING"], "environments: the name or alias 'staging' stands twice"),
        (("people", "omar", "slack"), "U0MAYA", "people: the Slack account U0MAYA is linked to two people"),
    ],
)
def test_what_does_not_fit_together_is_refused(where: tuple[str | int, ...], to: Any, says: str) -> None:
    assert told(changed(*where, to=to)) == [says]


@pytest.mark.parametrize(
    ("where", "to", "says"),
    [
        (("services", "checkout", "cloud_run", "prod"), "just-a-name", "write project/region/service"),
        (("paths", 1, "rollout"), {"steps": [{"percent": 50}]}, "the last one is 100"),
        (("paths", 1, "rollout"), {"steps": [{"percent": 50}, {"percent": 10}, {"percent": 100}]}, "steps rise"),
        (("paths", 1, "rollout"), {"steps": []}, "the last one is 100"),
        (
            ("paths", 1, "rollout"),
            {"style": "blue_green", "steps": [{"percent": 50}, {"percent": 100}]},
            "a blue_green rollout has one step, of 100",
        ),
        (
            ("paths", 1, "rollout"),
            {"triggers": {"slow": {"signal": "p99_ms"}}},
            "above: how much p99_ms is too much",
        ),
        (("paths", 1, "rollout"), {"triggers": {"dead": {"signal": "probes"}}}, "probes: name a set"),
        (("paths", 1, "approvals"), [{}], "a slot names either role or any_of"),
        (("paths", 1, "approvals"), [{"role": "tech_lead", "any_of": ["tech_lead"]}], "names either role or any_of"),
        (("paths", 1, "approval_lasts"), "PT0S", "longer than nothing"),
        (("people", "omar", "slack"), "omar", "pattern"),
        (("timezone",), "Europe/Berln", "is no IANA time zone"),
        (
            ("changes",),
            [{"version": "1", "effective": "tomorrow", "summary": "a", "rationale": "b"}],
            "write a day like",
        ),
        (("windows", "office_hours"), {}, "always open; leave it out"),
        (("windows", "office_hours"), {"allow": []}, "at least 1"),
        (("windows", "office_hours"), {"allow": [{}]}, "exactly one of"),
        (("windows", "office_hours"), {"deny": [{"month_end": {}}]}, "it names no day"),
        (("windows", "office_hours"), {"deny": [{"dates": {"days": ["2026-02-30"]}}]}, "in the calendar"),
        (("windows", "office_hours"), {"deny": [{"dates": {"days": [20261224]}}]}, "write a day like"),
        (("windows", "office_hours"), {"deny": [{"dates": {"days": ["20261224"]}}]}, "write a day like"),
        (
            ("windows", "office_hours"),
            {"deny": [{"dates": {"days": [datetime(2026, 12, 24, tzinfo=UTC)]}}]},
            "write a day like",
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"dates": {"days": ["2026-12-24"], "called": ["a", "b"]}}]},
            "one name for each of the days",
        ),
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
            {"deny": [{"interval": {"start": "2026-02-02T00:00", "end": "2026-02-02T00:00"}}]},
            "ends before it starts",
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"interval": {"start": 20260202, "end": "2026-02-02T00:00"}}]},
            "write a local date and time",
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"weekly": {"days": ["mon"], "start": "24:00", "end": "02:00"}}]},
            "start the next one with",
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"weekly": {"days": ["mon"], "start": "9:00", "end": "10:00"}}]},
            'did you mean "09:00"?',
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"weekly": {"days": ["mon"], "start": 900, "end": "10:00"}}]},
            'like "09:00"; "24:00" ends a day',
        ),
        (
            ("windows", "office_hours"),
            {"deny": [{"weekly": {"days": ["mon"], "start": "nine", "end": "10:00"}}]},
            'like "09:00"; "24:00" ends a day',
        ),
    ],
)
def test_what_makes_no_sense_by_itself_is_refused(where: tuple[str | int, ...], to: Any, says: str) -> None:
    found = told(changed(*where, to=to))
    assert any(says in each for each in found), found


@pytest.mark.parametrize("turn", ["last_days", "first_days", "last_business_days", "first_business_days"])
def test_the_turn_of_a_month_may_be_said_in_each_of_four_ways(turn: str) -> None:
    assert told(changed("windows", "office_hours", to={"deny": [{"month_end": {turn: 1}}]})) == []


@pytest.mark.parametrize(
    ("rollout", "steps"),
    [
        ({}, [(10, 3), (50, 3), (100, 3)]),
        ({"style": "blue_green"}, [(100, 3)]),
        ({"style": "blue_green", "steps": [{"percent": 100, "hold": "PT9M"}]}, [(100, 9)]),
        ({"style": "canary", "steps": [{"percent": 100, "hold": "PT9M"}]}, [(100, 9)]),
    ],
)
def test_blue_and_green_change_places_at_once_unless_it_is_said_how(
    rollout: dict[str, Any], steps: list[tuple[int, int]]
) -> None:
    path = Policy.model_validate(changed("paths", 1, "rollout", to=rollout)).paths[1]
    assert [(step.percent, step.hold // timedelta(minutes=1)) for step in path.rollout.steps] == steps


@pytest.mark.parametrize("trigger", [{"signal": "error_percent", "above": 0}, {"signal": "probes", "probes": "alive"}])
def test_a_trigger_says_how_much_is_too_much_or_which_probes_must_pass(trigger: dict[str, Any]) -> None:
    assert told(changed("paths", 1, "rollout", to={"triggers": {"it": trigger}}, document=RICH)) == []


# A policy with every part --------------------------------------------------------------------------------------------

REVIEW = {
    "kind": "review",
    "says": "Look at it together",
    "owner": "tech_lead",
    "by_others": True,
    "business_days": 5,
}
RICH: dict[str, Any] = DOCUMENT | {
    "calendars": {"DE": {"days": {"2026-12-25": "Christmas Day", "2026-12-26": "Boxing Day"}}},
    "windows": DOCUMENT["windows"]
    | {
        "working_days": {
            "timezone": "Europe/London",
            "deny": [{"holidays": "DE"}, {"month_end": {"last_business_days": 2, "calendar": "DE"}}],
        }
    },
    "environments": {
        "dev": {"rank": 0, "branch": "Dev"},
        "stage": {"rank": 1, "branch": "stage", "settings": {"require": {"APP_ENV": "staging"}}},
        "prod": {"rank": 2, "branch": "main", "production": True},
    },
    "gates": {
        "tests": {"kind": "checks", "names": ["unit"]},
        "scan": {"kind": "alerts", "sources": ["code_scanning"], "at_most": {"critical": 0}, "waivable": "emergency"},
        "signed": {"kind": "signature", "subjects": ["image"], "waivable": "never"},
        "alive": {"kind": "probe", "probes": "alive", "environment": "stage"},
        "apart": {"kind": "settings", "environments": ["stage"]},
        "alike": {"kind": "parity", "left": "stage", "right": "prod", "shape": ["memory"]},
        "ready": {"kind": "checklist", "checklist": "ready"},
        "lead": {"kind": "signoff", "role": "tech_lead", "applies_to": ["hotfix"]},
        "version": {"kind": "tag", "pattern": "^v", "patches": ["hotfix"]},
    },
    "probes": {"alive": [{"path": "/healthz"}]},
    "checklists": {"ready": [{"id": "tested", "text": "It was tested", "by": "gate", "gate": "tests"}]},
    "change_types": {
        "hotfix": {
            "window": "any",
            "waives": ["soak"],
            "adds": ["lead"],
            "approvals": [{"role": "tech_lead"}],
            "instead": True,
            "paths": ["stage->prod"],
        }
    },
    "freezes": {
        "approvals": [{"role": "release_manager"}],
        "provisional": "PT1H",
        "fields": ["exit"],
        "override": [{"role": "release_manager"}],
        "override_fields": ["incident"],
        "calendar": [
            {
                "name": "month-end",
                "when": [{"month_end": {"last_business_days": 2, "calendar": "DE"}}],
                "environments": ["prod"],
                "services": ["checkout"],
                "reason": "The books are closed",
            }
        ],
    },
    "exceptions": {
        "early": {"waives": ["soak", "window", "tests"], "approvals": [{"role": "tech_lead"}]},
        "urgent": {"waives": ["scan", "no-freeze"], "approvals": [{"role": "tech_lead"}], "emergency": True},
    },
    "emergency": {"approvals": [{"role": "incident_commander"}], "waives": ["window", "scan"], "owes": [REVIEW]},
    "may": DOCUMENT["may"] | {"exception": ["engineer"], "emergency": ["engineer"]},
    "paths": [
        {"from": "dev", "to": "stage", "services": ["checkout"], "requires": ["tests", "alive"]},
        DOCUMENT["paths"][1]
        | {
            "services": ["checkout"],
            "inherits": "dev→stage",
            "requires": ["scan", "signed", "apart", "alike", "ready"],
            "model": "branch_merge",
            "types": ["hotfix", "emergency"],
        },
    ],
    "conventions": {"versions": {"uses": "calver", "record": "docs/versions.md", "source": "L1025"}},
    "trains": {
        "payments": {
            "cadence": "every second Tuesday",
            "cutoff": "Monday 12:00",
            "stabilization": "PT24H",
            "attendees": ["release_manager"],
            "window": "office_hours",
        }
    },
    "changes": [
        {"version": "1", "effective": "2026-01-01", "summary": "First", "rationale": "There was none"},
        {
            "version": "2",
            "effective": "2026-01-01T09:00",
            "summary": "Second",
            "rationale": "An audit asked for it",
            "deprecates": [
                {
                    "what": "staging",
                    "adopt_until": "2026-02-01",
                    "works_until": "2026-03-01",
                    "instead": "Say stage",
                }
            ],
        },
    ],
    "assumed": {"windows.office_hours": "the hours", "paths.stage→prod.gates.soak": "a day", "paths[0].rollout": "all"},
}


def test_a_policy_may_have_every_part() -> None:
    assert told(RICH) == []


UNSAYABLE: list[tuple[tuple[str, ...], Any, str, str]] = [
    *(
        (("exceptions", "early", "fields"), ["reason", key], "exceptions.early.fields", key)
        for key in ("waive", "kind", "from", "until", "digest")
    ),
    *(
        row
        for key in ("type", "confirms")
        for row in (
            (("change_types", "hotfix", "fields"), ["reason", key], "change_types.hotfix.fields", key),
            (("emergency", "fields"), ["incident", "reason", key], "emergency.fields", key),
            (("freezes", "override_fields"), [key], "freezes.override_fields", key),
            (("gates", "notes"), {"kind": "record", "fields": ["reason", key]}, "gates.notes.fields", key),
            (
                ("gates", "notes"),
                {"kind": "record", "fields": ["risk"], "only_if": {key: ["high"]}},
                "gates.notes.only_if",
                key,
            ),
            (
                ("gates", "notes"),
                {"kind": "checks", "names": ["dast"], "excused": {"dast": key}},
                "gates.notes.excused",
                key,
            ),
        )
    ),
]
"""Keys that say what is asked for, and where something else was to be said with them."""
NAMES = "tests, scan, signed, alive, apart, alike, ready, lead, version"


@pytest.mark.parametrize(
    ("where", "to", "says"),
    [
        # words that name something elsewhere
        (("gates", "alive", "probes"), "alife", "gates.alive.probes: no set of probes 'alife'; did you mean alive?"),
        (("gates", "alive", "environment"), "prd", "gates.alive.environment: no environment 'prd'; did you mean prod?"),
        (
            ("gates", "apart", "environments"),
            ["stag"],
            "gates.apart.environments: no environment 'stag'; did you mean ",
        ),
        (("gates", "alike", "left"), "qa", "gates.alike.left: no environment 'qa'; environments are dev, stage, prod"),
        (("gates", "ready", "checklist"), "x", "gates.ready.checklist: no checklist 'x'; checklists are ready"),
        (("gates", "lead", "role"), "boss", "gates.lead.role: no role 'boss'; roles are engineer, release_manager, "),
        (("gates", "lead", "applies_to"), ["hotfx"], "gates.lead.applies_to: no change type 'hotfx'; did you mean hot"),
        (
            ("gates", "version", "patches"),
            ["x"],
            "gates.version.patches: no change type 'x'; change types are hotfix, ",
        ),
        (("checklists", "ready", 0, "gate"), "test", "checklists.ready[0].gate: no gate 'test'; did you mean tests?"),
        (("change_types", "hotfix", "adds"), ["x"], f"change_types.hotfix.adds: no gate 'x'; gates are {NAMES}"),
        (("change_types", "hotfix", "waives"), ["x"], "change_types.hotfix.waives: no rule 'x'; rules that may be wai"),
        (("change_types", "hotfix", "paths"), ["dev→prod"], "change_types.hotfix.paths: no path 'dev→prod'; did you m"),
        (
            ("change_types", "hotfix", "approvals"),
            [{"role": "x"}],
            "change_types.hotfix.approvals[0].role: no role 'x'",
        ),
        (("exceptions", "early", "waives"), ["sok"], "exceptions.early.waives: no rule 'sok'; did you mean soak?"),
        (("exceptions", "early", "approvals"), [{"role": "x"}], "exceptions.early.approvals[0].role: no role 'x'; rol"),
        (("exceptions", "early", "owes"), [REVIEW | {"owner": "x"}], "exceptions.early.owes[0].owner: no role 'x'; ro"),
        (("emergency", "waives"), ["widow"], "emergency.waives: no rule 'widow'; did you mean window?"),
        (("emergency", "owes"), [REVIEW | {"owner": "x"}], "emergency.owes[0].owner: no role 'x'; roles are engineer"),
        (("freezes", "approvals"), [{"role": "x"}], "freezes.approvals[0].role: no role 'x'; roles are engineer, "),
        (("freezes", "override"), [{"role": "x"}], "freezes.override[0].role: no role 'x'; roles are engineer, "),
        (("freezes", "calendar", 0, "environments"), ["x"], "freezes.calendar[0].environments: no environment 'x'; "),
        (("freezes", "calendar", 0, "services"), ["x"], "freezes.calendar[0].services: no service 'x'; services are "),
        (("freezes", "calendar", 0, "when"), [{"holidays": "FR"}], "freezes.calendar[0].when[0].holidays: no calenda"),
        (("windows", "working_days", "deny"), [{"holidays": "FR"}], "windows.working_days.deny[0].holidays: no calen"),
        (
            ("windows", "working_days", "deny"),
            [{"month_end": {"last_days": 1, "calendar": "DEE"}}],
            "windows.working_days.deny[0].month_end.calendar: no calendar 'DEE'; did you mean DE?",
        ),
        (("paths", 1, "requires"), ["scann"], "paths.stage→prod.requires: no gate 'scann'; did you mean scan?"),
        (("paths", 1, "requires"), ["approvals"], "paths.stage→prod.requires: no gate 'approvals'; gates are tests, "),
        (("paths", 1, "types"), ["hotfixes"], "paths.stage→prod.types: no change type 'hotfixes'; did you mean hotfix"),
        (("paths", 1, "inherits"), "dev→stag", "paths.stage→prod.inherits: no path 'dev→stag'; did you mean dev→stage"),
        (("trains", "payments", "window"), "x", "trains.payments.window: no window 'x'; windows are office_hours, wor"),
        (("trains", "payments", "attendees"), ["x"], "trains.payments.attendees: no role 'x'; roles are engineer, "),
        (("may", "emergency"), ["x"], "may.emergency: no role 'x'; roles are engineer, release_manager, "),
        (("may", "exception"), ["engineer", "engineer"], "may.exception: 'engineer' stands twice"),
        (("paths", 1, "requires"), ["scan", "scan"], "paths.stage→prod.requires: 'scan' stands twice"),
        # what must never be waived, and what only an emergency may
        (
            ("exceptions", "early", "waives"),
            ["signed"],
            "exceptions.early.waives: nothing can waive 'signed': it is waivable: never",
        ),
        (
            ("exceptions", "early", "waives"),
            ["scan"],
            (
                "exceptions.early.waives: only an emergency, or an exception with emergency: true, can waive 'scan': "
                "it is waivable: emergency"
            ),
        ),
        (("emergency", "waives"), ["signed"], "emergency.waives: nothing can waive 'signed': it is waivable: never"),
        (("change_types", "hotfix", "waives"), ["signed"], "change_types.hotfix.waives: nothing can waive 'signed': "),
        (("change_types", "hotfix", "waives"), ["scan"], "change_types.hotfix.waives: only an emergency, or an excep"),
        (
            ("change_types", "hotfix", "waives"),
            ["window"],
            "change_types.hotfix.waives: 'window' is no gate; write window: any instead",
        ),
        (
            ("change_types", "hotfix", "waives"),
            ["no-freeze"],
            "change_types.hotfix.waives: 'no-freeze' is no gate; write freeze: any instead",
        ),
        (("change_types", "hotfix", "waives"), ["lead"], "change_types.hotfix.waives: 'lead' stands under adds as we"),
        # one part after the other
        (("change_types", "emergency"), {}, "change_types.emergency: an emergency is no change type; say how it goes"),
        (("change_types", "hotfix", "approvals"), [], "change_types.hotfix.instead: nobody would have to agree; give"),
        (("gates", "window"), {"kind": "manifest"}, "gates.window: a built-in rule has this name; call the gate some"),
        (("gates", "Window"), {"kind": "manifest"}, "gates.Window: a built-in rule has this name; call the gate some"),
        (("change_types", "Emergency"), {}, "change_types.Emergency: an emergency is no change type; say how it goes"),
        (("change_types", "Hotfix"), {}, "change_types: the name 'hotfix' stands twice, but for small and capital "),
        (
            ("exceptions", "Early"),
            RICH["exceptions"]["early"],
            "exceptions: the name 'early' stands twice, but for small and capital letters",
        ),
        *((place, to, f"{spelled}: `{key}:` says what is asked for") for place, to, spelled, key in UNSAYABLE),
        (("gates", "alike", "right"), "stage", "gates.alike.right: stage is compared with itself; name another envir"),
        (
            ("gates", "apart", "environments"),
            ["prod"],
            "gates.apart.environments: prod demands nothing; say what under environments.prod.settings",
        ),
        (("checklists", "ready", 0, "by"), "either", "checklists.ready: by: gate and the name of a gate go together: "),
        (("checklists", "ready", 0, "gate"), "ready", "checklists.ready[0].gate: ready is a checklist itself; name a "),
        (
            ("checklists", "ready"),
            [{"id": "a", "text": "A"}, {"id": "a", "text": "B"}],
            "checklists.ready: the id 'a' stands twice",
        ),
        (("exceptions", "early", "fields"), ["risk"], ""),
        (("emergency", "fields"), ["reason"], "emergency.fields: an emergency names its incident; add incident"),
        (
            ("emergency", "owes"),
            [REVIEW | {"kind": "remediation"}],
            "emergency.owes: somebody who took no part reviews it afterwards; owe {kind: review, by_others: true, …}",
        ),
        (
            ("emergency", "owes"),
            [REVIEW | {"by_others": False}],
            "emergency.owes: somebody who took no part reviews it afterwards; owe {kind: review, by_others: true, …}",
        ),
        (("freezes", "fields"), ["exit", "until"], "freezes.fields: 'until' must always be said; leave it out"),
        (("freezes", "approvals"), [], "freezes.provisional: nobody has to agree to a freeze, so each holds at once; "),
        (("freezes", "override"), [], "freezes.override_fields: nobody can let anything through a freeze; give overr"),
        (
            ("freezes", "calendar"),
            [RICH["freezes"]["calendar"][0]] * 2,
            "freezes.calendar: the name 'month-end' stands twice",
        ),
        *(
            (
                ("gates", f"month-end-{date}"),
                {"kind": "manifest"},
                f"gates.month-end-{date}: so a freeze by the calendar is called while it holds, month-end and a date",
            )
            for date in ("2026-03", "2026-03-31")
        ),
        (("gates", "month-end"), {"kind": "manifest"}, ""),
        (("gates", "quarter-end-2026-03"), {"kind": "manifest"}, ""),
        # paths
        (("paths", 1, "from"), "dev", "paths.dev→prod.inherits: dev→stage ends in stage, and this path begins in dev"),
        (("paths", 0, "inherits"), "dev→stage", "paths.dev→stage.inherits: dev→stage ends in stage, and this path be"),
        (
            ("paths", 1, "services"),
            ["checkout", "search"],
            "paths.stage→prod.inherits: dev→stage is not for search; name services, or let it be for them too",
        ),
        (
            ("paths", 1, "rollout"),
            {"health": {"max_error_percent": 100}},
            (
                "paths.stage→prod.rollout.health.max_error_percent: no number of errors would take it back; "
                "give max_error_percent or max_p99"
            ),
        ),
        (
            ("environments", "prod"),
            {"rank": 2, "production": True},
            "paths.stage→prod.model: branch_merge moves branches; give environments.prod.branch",
        ),
        # branches, conventions, versions, remarks
        (
            ("environments", "prod", "branch"),
            "stage/next",
            "environments.stage.branch: git cannot hold 'stage' beside 'stage/next'; call one of them something else",
        ),
        (
            ("gates", "tests", "when"),
            {"branches": ["main/*"]},
            "environments.prod.branch: git cannot hold 'main' beside 'main/*'; call one of them something else",
        ),
        (
            ("gates", "tests"),
            {"kind": "branch", "require": ["naming"], "names": [r"^main\/\d+→stage$"]},
            r"environments.prod.branch: git cannot hold 'main' beside 'main/\\d+'; call one of them something else",
        ),
        (("conventions", "versions", "uses"), "semvar", "conventions.versions.uses: no 'semvar'; did you mean semver?"),
        (("conventions", "releases"), {"uses": "tran"}, "conventions.releases.uses: no 'tran'; did you mean train?"),
        (("changes", 1, "version"), "1", "changes: the version '1' stands twice"),
        (
            ("changes", 1, "effective"),
            "2025-12-31",
            "changes[1].effective: earlier than 2026-01-01 of the version before; the newest stands last",
        ),
        (
            ("assumed", "windows.office_hour"),
            "when?",
            (
                "assumed.windows.office_hour: there is no such place; "
                "write one like windows.office_hours or paths.stage→prod"
            ),
        ),
        (("assumed", "windows.working_days.allow"), "none", "assumed.windows.working_days.allow: there is no such pl"),
    ],
)
def test_every_part_has_its_place_among_the_others(where: tuple[str | int, ...], to: Any, says: str) -> None:
    found = told(changed(*where, to=to, document=RICH))
    if not says:
        assert found == []
    else:
        assert any(each.startswith(says) for each in found), found


@pytest.mark.parametrize(
    ("where", "to"),
    [
        (("exceptions", "early", "waives"), ["second-person"]),
        (("exceptions", "early", "waives"), ["approvals"]),
        (("exceptions", "early", "waives"), ["same-digest"]),
        (("exceptions", "early", "waives"), ["may-ask"]),
        (("exceptions", "urgent", "waives"), ["no-hold"]),
        (("emergency", "waives"), ["second-person"]),
        (("emergency", "waives"), ["emergency-record"]),
        (("emergency", "waives"), ["not-expired"]),
    ],
)
def test_no_file_lets_go_of_identity_separation_of_duties_or_the_same_digest(where: tuple[str, ...], to: Any) -> None:
    (says,) = told(changed(*where, to=to, document=RICH))
    assert f"nothing can waive {to[0]!r}; rules that may be waived are tests, " in says


def test_what_may_be_waived_is_what_the_rulebook_says() -> None:
    promotion = rules_for(Policy.model_validate(RICH), Question(Deed.PROMOTE, "checkout", "prod", "stage", EMERGENCY))
    rules = {rule for book in (promotion, *OTHERS.values()) for rule in book if rule.requires not in RICH["gates"]}
    may = {rule.requires for rule in rules if rule.waivable is not Waivable.NEVER}
    assert may - set(IN_SHORT) == set(WAIVABLE)
    assert {rule.requires for rule in rules} - may <= set(NEVER_WAIVED)


def test_every_kind_of_gate_has_a_rule_that_judges_it() -> None:
    assert GATES.keys() == KINDS.keys()


def test_whoever_may_ask_for_something_must_find_it_in_the_file() -> None:
    bare = {key: value for key, value in RICH.items() if key not in {"exceptions", "emergency"}}
    bare["paths"] = [RICH["paths"][0], {**RICH["paths"][1], "types": ["hotfix"]}]
    assert told(bare) == [
        "may.exception: there is no kind of exception to ask for; name one under exceptions",
        "may.emergency: there are no emergencies; say how they go under emergency",
    ]


def test_an_exception_that_lists_its_reasons_asks_for_one() -> None:
    early = {**RICH["exceptions"]["early"], "reasons": ["incident", "legal"], "fields": ["risk"]}
    says = "exceptions.early.reasons: nobody is asked for a reason; name it under fields"
    assert told(changed("exceptions", "early", to=early, document=RICH)) == [says]
    assert told(changed("exceptions", "early", to=early | {"fields": ["reason", "risk"]}, document=RICH)) == []


def test_a_path_inherits_only_from_one_that_stands_above_it() -> None:
    document = deepcopy(RICH)
    document["paths"].reverse()
    del document["assumed"]["paths[0].rollout"]
    assert told(document) == [
        "paths.stage→prod.inherits: dev→stage stands further down; a path inherits from one above it"
    ]


def test_a_gate_has_no_name_that_the_path_asks_for_in_short() -> None:
    document = changed("gates", to={"soak": {"kind": "soak", "environment": "stage", "lasts": "PT1H"}})
    document["paths"][1]["requires"] = ["soak"]
    assert told(document) == [
        "paths.stage→prod.requires: the gate 'soak' has the name of what gates asks for in short; ask once"
    ]
    del document["paths"][1]["gates"]["soak"]
    assert told(document) == []


# What environments demand -------------------------------------------------------------------------------------------

GOVERNANCE: dict[str, Any] = Source((POLICIES / "seed004.yaml").read_bytes()).value
"""Whole governance: production demands a window, approvals, gates of some kinds, a runbook and more."""
TO_PROD = 1


def under_governance(*where: str | int, to: Any = None) -> list[str]:
    """What is wrong with it once that is changed; left out where `to` is None."""
    document = changed(*where, to=to, document=GOVERNANCE)
    if to is None:
        place: Any = document
        for part in where[:-1]:
            place = place[part]
        del place[where[-1]]
    return told(document)


def without(kind: str) -> list[str]:
    """The gates of the path to production, but for those of that kind."""
    return [name for name in GOVERNANCE["paths"][TO_PROD]["requires"] if GOVERNANCE["gates"][name]["kind"] != kind]


def test_the_governance_policy_meets_its_own_demands() -> None:
    assert told(GOVERNANCE) == []


@pytest.mark.requirement("S4-128")
def test_a_path_to_production_without_what_production_demands_is_refused() -> None:
    window = "paths.staging→prod.gates.window: prod demands a window; name one under windows"
    assert under_governance("paths", TO_PROD, "gates") == [window]
    assert "paths.staging→prod.approvals: prod demands approvals; say who must agree" in under_governance(
        "paths", TO_PROD, "approvals"
    )
    for kind in ("signature", "evidence"):
        says = f"paths.staging→prod.requires: prod demands a gate of the kind {kind} that always blocks; require one"
        assert under_governance("paths", TO_PROD, "requires", to=without(kind)) == [says]


@pytest.mark.requirement("S4-113")
def test_a_path_to_production_without_gates_is_refused() -> None:
    found = under_governance("paths", TO_PROD, "requires", to=[])
    assert [says.split("kind ")[1].split(" ")[0] for says in found] == [
        "signature",
        "evidence",
        "same",
        "checks",
        "reviews",
    ]


@pytest.mark.parametrize(
    "gate",
    [{"mode": "warn"}, {"applies_to": ["emergency"]}, {"when": {"labels": ["risk:high"]}}],
)
def test_a_gate_that_does_not_always_block_is_not_what_is_demanded(gate: dict[str, Any]) -> None:
    (name,) = set(GOVERNANCE["paths"][TO_PROD]["requires"]) - set(without("signature"))
    (says,) = under_governance("gates", name, to={**GOVERNANCE["gates"][name], **gate})
    assert says.endswith("prod demands a gate of the kind signature that always blocks; require one")


def test_a_change_type_cannot_do_without_what_is_demanded() -> None:
    (name,) = set(GOVERNANCE["paths"][TO_PROD]["requires"]) - set(without("reviews"))
    assert under_governance("change_types", "quick", to={"waives": [name]}) == [
        "change_types.quick.waives: prod demands a gate of the kind reviews, and this leaves none"
    ]
    assert under_governance("change_types", "quick", to={"window": "any"}) == [
        "change_types.quick.window: prod demands a window; leave this out"
    ]
    assert under_governance("change_types", "quick", to={"window": "any", "paths": ["dev→staging"]}) == []
    assert len(under_governance("change_types", "quick", to={"window": "any", "paths": ["staging→prod"]})) == 1


@pytest.mark.parametrize(("types", "complaints"), [(["quick"], 1), (["slow"], 0)])
def test_a_change_type_that_does_not_go_along_a_path_may_be_anything(types: list[str], complaints: int) -> None:
    document = changed("change_types", "quick", to={"window": "any"}, document=GOVERNANCE)
    document["change_types"]["slow"] = {}
    document["paths"][TO_PROD]["types"] = types
    assert len(told(document)) == complaints


def test_a_soak_in_short_is_a_soak_that_is_demanded() -> None:
    demands = changed("environments", "prod", "demands", to=["soak", "checks"])
    assert told(demands) == []
    del demands["paths"][1]["gates"]["soak"]
    assert told(demands) == [
        "paths.stage→prod.requires: prod demands a gate of the kind soak that always blocks; require one"
    ]


def test_a_gate_that_does_not_exist_is_not_what_is_demanded() -> None:
    demands = changed("environments", "prod", "demands", to=["manifest"])
    demands["paths"][1]["requires"] = ["together"]
    assert told(demands) == [
        "paths.stage→prod.requires: no gate 'together'; there are no gates",
        "paths.stage→prod.requires: prod demands a gate of the kind manifest that always blocks; require one",
    ]


@pytest.mark.requirement("S4-149")
def test_how_freezes_are_approved_is_written_down_where_that_is_demanded() -> None:
    assert "freezes.approvals: prod demands that somebody agrees to freezes; say who" in under_governance(
        "freezes", "approvals"
    )


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("runbook", marks=pytest.mark.requirement("S4-231")),
        pytest.param("dashboard", marks=pytest.mark.requirement("S4-266")),
    ],
)
def test_what_every_service_in_production_must_have_is_asked_for(word: str) -> None:
    assert under_governance("services", "api", word) == [
        f"services.api.{word}: prod demands that each service there has one; write it"
    ]


@pytest.mark.requirement("S4-334")
def test_a_service_that_nobody_classified_is_not_promoted_where_that_is_demanded() -> None:
    classified = changed("environments", "prod", "demands", to=["type"], document=RICH)
    assert told(classified) == ["services.checkout.type: prod demands that each service there has one; write it"]
    assert told(changed("services", "checkout", "type", to="service", document=classified)) == []


def test_a_demand_that_is_none_is_told_its_nearest() -> None:
    demands = changed("environments", "prod", "demands", to=["checkz"], document=RICH)
    assert told(demands) == ["environments.prod.demands: no demand 'checkz'; did you mean checks?"]


@pytest.mark.requirement("S4-226")
@pytest.mark.parametrize(
    ("health", "refused"),
    [
        ({"max_error_percent": 100}, True),
        ({"max_error_percent": 99.9}, False),
        ({"max_error_percent": 100, "max_p99": "PT1S"}, False),
    ],
)
def test_a_path_to_production_that_nothing_would_take_back_is_refused(health: dict[str, Any], refused: bool) -> None:
    found = under_governance("paths", TO_PROD, "rollout", "health", to=health)
    assert ("no number of errors would take it back" in "".join(found)) is refused
    assert under_governance("paths", 0, "rollout", to={"health": health}) == []


@pytest.mark.requirement("S4-076")
def test_calver_without_a_record_of_why_is_refused_with_the_line_that_asks_for_it() -> None:
    calver = {"uses": "calver", "source": "L1025"}
    assert under_governance("conventions", "versions", to=calver) == [
        "conventions.versions.record: calver needs a record of why, and of what its numbers mean (L1025); name it"
    ]
    assert under_governance("conventions", "versions", to=calver | {"record": "docs/versions.md"}) == []


@pytest.mark.requirement("S4-208")
@pytest.mark.parametrize("field", ["cadence", "cutoff", "stabilization", "attendees", "window"])
def test_a_train_says_all_five_things(field: str) -> None:
    train = {key: value for key, value in RICH["trains"]["payments"].items() if key != field}
    assert told(changed("trains", "payments", to=train, document=RICH)) == [f"trains.payments.{field}: Field required"]


def test_whoever_releases_by_train_says_when_it_leaves() -> None:
    by_train = changed("conventions", "releases", to={"uses": "train"}, document=RICH)
    assert told(by_train) == []
    assert told({**by_train, "trains": {}}) == [
        "conventions.releases.uses: there is no train; say when it leaves under trains"
    ]


# What is looked up --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "says"),
    [
        (0, "; there are no gates"),
        (12, "; gates are a, b, c, d, e, f, g, h, i, j, k, l"),
        (13, "; gates are a, b, c, d, e, f, g, h, i, j, k, l …"),
    ],
)
def test_where_none_is_near_a_dozen_known_names_are_listed(count: int, says: str) -> None:
    assert nearest("unheard-of", "abcdefghijklm"[:count], "gates") == says


def test_a_name_that_is_near_is_all_that_is_said() -> None:
    assert nearest("TEST", ["tests", "text", "test"], "gates") == "; did you mean test?"


def test_people_may_have_no_account() -> None:
    document = changed("people", "lea", to={})
    document["people"]["ines"] = {}
    assert told(document) == []


def test_a_path_that_begins_nowhere_is_told_only_that() -> None:
    assert told(changed("paths", 1, "from", to="stag")) == [
        "paths.stag→prod.from: no environment 'stag'; did you mean stage?"
    ]


def test_what_nobody_asks_for_in_short_cannot_be_waived() -> None:
    document = deepcopy(RICH)
    del document["paths"][1]["gates"]["soak"], document["assumed"]["paths.stage→prod.gates.soak"]
    assert told(document) == [
        f"{place}.waives: no rule 'soak'; rules that may be waived are "
        "tests, scan, signed, alive, apart, alike, ready, lead, version, required-checks, window, no-freeze"
        for place in ("change_types.hotfix", "exceptions.early")
    ]


def inheriting(*paths: dict[str, Any]) -> list[str]:
    """What is wrong with a path to production that inherits from dev→stage, below those paths."""
    document = deepcopy(DOCUMENT)
    document["environments"]["after"] = {"rank": 3}
    to_prod = {**document["paths"][1], "inherits": "dev→stage", "services": ["checkout", "search"]}
    document["paths"] = [*paths, to_prod]
    return told(document)


UP, ON = {"from": "dev", "to": "stage"}, {"from": "prod", "to": "after"}


def test_every_service_of_a_path_has_something_to_inherit() -> None:
    assert inheriting(UP) == []
    assert inheriting({**UP, "services": ["checkout"]}, {**UP, "services": ["search"]}) == []
    assert inheriting({**UP, "services": ["checkout"]}, ON) == [
        "paths.stage→prod.inherits: dev→stage is not for search; name services, or let it be for them too"
    ]
    assert inheriting(ON) == ["paths.stage→prod.inherits: no path 'dev→stage'; paths are prod→after, stage→prod"]


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


def test_a_github_account_is_one_human_or_nobody() -> None:
    policy = Policy.model_validate(changed("people", "maya", "github", to="Maya-GH"))
    assert policy.human_with_github("maya-gh") == "maya"
    assert policy.human_with_github("nobody") is None


def test_a_window_is_handed_out_with_its_holidays_written_out_once() -> None:
    policy = Policy.model_validate(RICH)
    window = policy.window("working_days")
    holidays, turn = window.deny
    assert window is policy.window("working_days")
    assert window.timezone == "Europe/London"
    assert holidays.dates is not None
    assert holidays.dates.days == (date(2026, 12, 25), date(2026, 12, 26))
    assert [holidays.dates.calls(date(2026, 12, day)) for day in (24, 25, 26)] == [
        "holidays (DE)",
        "Christmas Day",
        "Boxing Day",
    ]
    assert turn.month_end is not None
    assert (turn.month_end.holidays, turn.month_end.calendar) == (holidays.dates.days, None)


def test_a_freeze_of_the_calendar_is_a_window_that_is_open_while_it_holds() -> None:
    policy = Policy.model_validate(RICH)
    freeze = policy.calendar_freeze(0)
    assert freeze is policy.calendar_freeze(0)
    assert freeze.allow is not None
    assert freeze.allow[0].month_end is not None
    assert freeze.allow[0].month_end.holidays == (date(2026, 12, 25), date(2026, 12, 26))
    assert freeze.deny == ()


@pytest.mark.requirement("S0-39")
def test_the_times_of_a_policy_are_utc_unless_it_says_otherwise() -> None:
    said = {key: value for key, value in DOCUMENT.items() if key != "timezone"}
    policy = Policy.model_validate(said)
    at = datetime(2026, 2, 1, tzinfo=UTC)
    assert instant("2026-03-01 18:00", at, policy.zone()) == datetime(2026, 3, 1, 18, tzinfo=UTC)
    assert wording.instant(datetime(2026, 3, 1, 18, tzinfo=UTC), policy.zone()) == "Sun 1 Mar 2026 18:00 UTC"


def test_a_channel_hears_of_every_path_that_leads_there_once() -> None:
    document = deepcopy(DOCUMENT)
    document["paths"][0]["informs"] = ["C0DEV"]
    document["paths"][1] |= {"services": ["checkout"], "informs": ["C0ALL", "C0CHECKOUT"]}
    document["paths"].append(document["paths"][1] | {"services": ["search"], "informs": ["C0ALL"]})
    policy = Policy.model_validate(document)
    assert policy.informed("checkout", "prod") == ("C0ALL", "C0CHECKOUT")
    assert policy.informed("search", "prod") == ("C0ALL",)
    assert policy.informed("search", "stage") == ()


@pytest.mark.parametrize("start", ["nine", "99:00", 900])
def test_what_is_no_time_is_told_what_one_looks_like_and_nothing_is_guessed(start: object) -> None:
    rule = {"weekly": {"days": ["mon"], "start": start, "end": "10:00"}}
    found = told(changed("windows", "office_hours", to={"deny": [rule]}))
    assert all(says.endswith('write a quoted wall-clock time like "09:00"; "24:00" ends a day') for says in found)


@pytest.mark.parametrize(
    ("zone", "effective", "at"),
    [
        ("UTC", "2026-04-01", datetime(2026, 4, 1, tzinfo=UTC)),
        ("Europe/Berlin", "2026-04-01", datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("Europe/Berlin", "2026-04-01T09:00", datetime(2026, 4, 1, 7, tzinfo=UTC)),
        ("Europe/Berlin", "2026-04-01 09:00", datetime(2026, 4, 1, 7, tzinfo=UTC)),
    ],
)
def test_a_version_decides_from_the_local_day_or_time_that_it_says(zone: str, effective: str, at: datetime) -> None:
    change = {"version": "1", "effective": effective, "summary": "First", "rationale": "There was none"}
    policy = Policy.model_validate({**DOCUMENT, "timezone": zone, "changes": [change]})
    assert policy.effective_at == at
    assert Policy.model_validate(DOCUMENT).effective_at is None


def test_two_versions_may_begin_at_the_same_time() -> None:
    assert told(changed("changes", 1, "effective", to="2026-01-01", document=RICH)) == []


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ("probes.alive[0].expect[0]", True),
        ("probes.alive[0].expect[1]", False),
        ("paths.stage→prod.approvals[0].role", True),
        ("paths[1].approvals[0].role", True),
        ("paths.dev→prod", False),
        ("roles.engineer.members[2]", True),
        ("people.maya.github", False),
    ],
)
def test_what_is_assumed_stands_somewhere_in_the_file(place: str, there: bool) -> None:
    assert (told({**RICH, "assumed": {place: "why"}}) == []) is there


PINNED = "0" * 64


def reading(calendar: dict[str, Any], reader: Any = None) -> list[str]:
    """What is wrong with a calendar, where somebody knows how to read its file."""
    document = changed("calendars", to={"DE": calendar})
    try:
        Policy.model_validate(document, context=None if reader is None else {"calendar": reader})
    except ValidationError as error:
        return [each["msg"] for each in error.errors()]
    return []


def by_hand(file: str, sha256: str) -> dict[str, str]:
    if sha256 != PINNED:
        raise Unreadable("sha256", f"{file} is another one")
    return {"2026-12-25": "Christmas Day"}


@pytest.mark.parametrize(
    ("calendar", "says"),
    [
        ({"file": "holidays/DE.yaml", "sha256": PINNED}, []),
        ({"days": {"2026-12-25": "Christmas Day"}}, []),
        ({"file": "DE.yaml", "sha256": "1" * 64}, ["sha256: DE.yaml is another one"]),
        ({"file": "DE.yaml"}, ["sha256: is missing; whoever reviews the file writes its SHA-256 here"]),
        ({"sha256": PINNED, "days": {"2026-12-25": "Christmas Day"}}, ["sha256: is of a file; name it under file"]),
        (
            {"file": "DE.yaml", "sha256": PINNED, "days": {"2026-12-25": "Christmas Day"}},
            ["days: the days stand in its file; give either file and sha256, or days"],
        ),
        (
            {"file": "/DE.yaml", "sha256": PINNED},
            ["file: write the name of a file beside the policy or below, not '/DE.yaml'"],
        ),
        (
            {"file": "../DE.yaml", "sha256": PINNED},
            ["file: write the name of a file beside the policy or below, not '../DE.yaml'"],
        ),
        ({"file": 5, "sha256": PINNED}, ["file: write the name of a file beside the policy or below, not 5"]),
        ({}, ["Value error, it has no days; give days, or file and sha256"]),
    ],
)
def test_the_days_of_a_calendar_stand_there_or_in_the_file_that_is_pinned(
    calendar: dict[str, Any], says: list[str]
) -> None:
    assert reading(calendar, by_hand) == says


def test_a_calendar_in_a_file_that_nobody_can_read_is_refused() -> None:
    assert reading({"file": "DE.yaml", "sha256": PINNED}) == [
        "file: cannot be looked at here; only the days that stand in the policy itself can"
    ]
    for what in ("christmas", 5):
        (says,) = reading(what)  # type: ignore[arg-type]
        assert "valid dictionary" in says


@pytest.mark.parametrize(
    ("called", "name", "expected"),
    [
        ((), "holidays", "holidays"),
        (("Christmas Day", ""), "holidays", "Christmas Day"),
        (("", ""), "closed", "closed"),
    ],
)
def test_a_day_is_called_by_its_own_name_or_else_by_the_rules(
    called: tuple[str, ...], name: str, expected: str
) -> None:
    dates = Dates(days=(date(2026, 12, 25), date(2026, 12, 26)), called=called, name=name)
    assert dates.calls(date(2026, 12, 25)) == expected
    assert dates.calls(date(2026, 12, 27)) == name


def test_what_goes_says_until_when_and_what_to_do_instead() -> None:
    policy = Policy.model_validate(RICH)
    gone = policy.deprecation("Staging")
    assert gone is not None
    assert (gone.adopt_until, gone.works_until, gone.instead) == (date(2026, 2, 1), date(2026, 3, 1), "Say stage")
    assert policy.deprecation("stage") is None
    lacks = {"what": "staging", "adopt_until": "2026-02-01", "works_until": "2026-03-01"}
    assert told(changed("changes", 1, "deprecates", to=[lacks], document=RICH)) == [
        "changes.1.deprecates.0.instead: Field required"
    ]
    same_day = {**lacks, "instead": "Say stage", "works_until": "2026-02-01"}
    assert told(changed("changes", 1, "deprecates", to=[same_day], document=RICH)) == []
    backwards = {**lacks, "instead": "Say stage", "works_until": "2026-01-31"}
    (says,) = told(changed("changes", 1, "deprecates", to=[backwards], document=RICH))
    assert "works_until comes before adopt_until" in says


@pytest.mark.requirement("S4-337")
def test_tools_may_go_by_a_lighter_path_that_has_no_window_and_keeps_its_reviews() -> None:
    document = deepcopy(DOCUMENT)
    document["gates"] = {"reviewed": {"kind": "reviews"}, "signed": {"kind": "signature", "subjects": ["image"]}}
    document["paths"][1]["services"] = ["checkout"]
    light = {"from": "stage", "to": "prod", "services": ["search"], "approvals": [{"role": "release_manager"}]}
    document["paths"].append({**light, "requires": ["reviewed", "signed"]})
    active = ActivePolicy(policy=Policy.model_validate(document), hash="f" * 64)
    sunday = datetime(2026, 11, 22, 9, tzinfo=UTC)
    found = {
        service: {
            finding.rule: finding.standing
            for finding in decide(Question(Deed.PROMOTE, service, "prod", "stage"), ALL_GOOD, active, sunday).findings
        }
        for service in ("checkout", "search")
    }
    assert found["checkout"]["window"] is Standing.UNMET
    assert found["search"]["window"] is Standing.NOT_APPLICABLE
    assert (found["search"]["reviewed"], found["search"]["signed"]) == (Standing.UNKNOWN, Standing.UNKNOWN)


# Hotfixes -----------------------------------------------------------------------------------------------------------

HOTFIX: dict[str, Any] = {
    "change": "hotfix",
    "owes": {"kind": "forward-port", "says": "the hotfix is merged", "owner": "engineer", "business_days": 0},
}


@pytest.mark.requirement("S4-168")
def test_a_hotfix_waives_no_review_check_or_signature() -> None:
    for gate in ("tests", "signed", "lead", "required-checks"):
        document = {**deepcopy(RICH), "hotfix": HOTFIX}
        document["change_types"]["hotfix"]["waives"] = [gate]
        says = f"change_types.hotfix.waives: a hotfix waives no control, and {gate!r} is one; leave it out"
        assert says in told(document)
    document["change_types"]["hotfix"]["waives"] = ["soak", "alive"]
    assert told(document) == []
    assert told({**RICH, "hotfix": {"owes": HOTFIX["owes"]}}) == []


def test_a_group_ships_what_others_need_before_them() -> None:
    needs = {"groups": {"shop": ["checkout", "search"]}, "manifest": {"depends_on": {"checkout": ["search"]}}}
    says = "groups.shop: checkout needs search, which ships after it; turn them round"
    assert says in told({**RICH, **needs})
    assert says not in told({**RICH, **needs, "groups": {"shop": ["search", "checkout"]}})


def test_a_hotfixs_branch_is_called_by_its_version_and_ticket_and_nothing_else() -> None:
    for branch in ("hotfix", "hotfix/{who}", "hotfix/{version", "hotfix/{}"):
        assert told({**RICH, "hotfix": {**HOTFIX, "branch": branch}})
    for branch in ("hotfix/{ticket}", "{version}-{ticket}-hotfix"):
        assert told({**RICH, "hotfix": {**HOTFIX, "branch": branch}}) == []


def test_whoever_may_begin_a_hotfix_must_find_how() -> None:
    may = {**RICH["may"], "hotfix": ["engineer"]}
    assert told({**RICH, "may": may}) == ["may.hotfix: there are no hotfixes; say how they go under hotfix"]


def test_with_hotfixes_every_path_looks_that_none_is_lost() -> None:
    policy = Policy.model_validate({**RICH, "hotfix": HOTFIX})
    for path in policy.paths:
        gate = required(policy, Question(Deed.PROMOTE, "checkout", path.target, path.source)).gates["no-hotfix-lost"]
        assert gate.kind == "lost_changes"
    kept = {"kind": "lost_changes", "look_for": ["hotfix"]}
    for own, asked_twice in (
        (kept, False),
        ({**kept, "mode": "warn"}, True),
        ({**kept, "applies_to": ["hotfix"]}, True),
        ({**kept, "when": {"labels": ["risk:high"]}}, True),
        ({**kept, "look_for": ["reverted_promotion"]}, True),
    ):
        document = {**deepcopy(RICH), "hotfix": HOTFIX}
        document["gates"]["kept"] = own
        document["paths"][1]["requires"] = [*document["paths"][1].get("requires", []), "kept"]
        policy = Policy.model_validate(document)
        names = required(policy, Question(Deed.PROMOTE, "checkout", "prod", "stage")).gates
        assert ("no-hotfix-lost" in names) == asked_twice
