"""What is no mistake, and yet somebody should look at it."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest

from policy.document import Policy
from policy.lint import Lint, Weight, lints
from tests.policy.good import NOW

DOCUMENT: dict[str, Any] = {
    "policy": 1,
    "name": "clean",
    "workspace": "T0ACME",
    "timezone": "Europe/Berlin",
    "people": {name: {"slack": f"U0{name.upper()}"} for name in ("maya", "omar", "olga", "raj")},
    "roles": {"engineer": {"members": ["maya", "raj"]}, "release_manager": {"members": ["omar", "olga"]}},
    "may": {"promote": ["engineer", "release_manager"], "rollback": ["engineer"]},
    "environments": {"stage": {"rank": 1}, "prod": {"rank": 2, "production": True}},
    "services": {
        "checkout": {
            "repository": "acme/checkout",
            "cloud_run": {"stage": "acme-stage/europe-west1/checkout", "prod": "acme-prod/europe-west1/checkout"},
        }
    },
    "windows": {"hours": {"allow": [{"weekly": {"days": ["mon", "sun"], "start": "09:00", "end": "17:00"}}]}},
    "paths": [
        {
            "from": "stage",
            "to": "prod",
            "gates": {"checks": ["build"], "window": "hours"},
            "approvals": [{"role": "release_manager"}],
        }
    ],
}
PATH = DOCUMENT["paths"][0]


def document(**changes: Any) -> dict[str, Any]:
    """The clean one with these keys changed; `path__x` changes x of its one path."""
    whole = deepcopy(DOCUMENT)
    for key, value in changes.items():
        if key.startswith("path__"):
            whole["paths"][0][key.removeprefix("path__")] = value
        else:
            whole[key] = value
    return whole


def found(at: datetime = NOW, /, **changes: Any) -> list[Lint]:
    return list(lints(Policy.model_validate(document(**changes)), at))


def said(at: datetime = NOW, /, **changes: Any) -> list[tuple[str, str, str]]:
    """(name, place, what is said) of each."""
    return [(lint.name, ".".join(map(str, lint.where)), lint.says) for lint in found(at, **changes)]


def test_a_clean_policy_gives_nothing_to_look_at() -> None:
    assert found() == []


# Windows, freezes, calendars ------------------------------------------------------------------------------------------


def weekly(**changes: Any) -> dict[str, Any]:
    return {"hours": {"allow": [{"weekly": {"days": ["sun"], "start": "09:00", "end": "17:00", **changes}}]}}


def only(start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "hours": {
            "timezone": "UTC",
            "allow": [{"interval": {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{end:%Y-%m-%dT%H:%M}"}}],
        }
    }


DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("starts", "closed"),
    [(-2 * DAY, True), (-2 * HOUR, True), (-HOUR, False), (400 * DAY, False), (400 * DAY + timedelta(minutes=1), True)],
)
def test_a_window_that_does_not_open_in_400_days(starts: timedelta, closed: bool) -> None:
    opens = NOW + starts
    says = "hours does not open in the next 400 days; nothing can be promoted along it"
    expected = ("no-opening", "paths.0.gates.window", says)
    assert said(windows=only(opens, opens + 2 * HOUR)) == ([expected] if closed else [])


def test_a_window_that_is_open_and_stays_so() -> None:
    assert said(windows=only(NOW - DAY, NOW + 500 * DAY)) == []


def frozen(*rules: Any, name: str = "quiet", **more: Any) -> dict[str, Any]:
    return {"name": name, "when": list(rules), "environments": ["prod"], "reason": "quiet days", **more}


def test_calendar_freezes_that_leave_a_window_no_opening() -> None:
    mondays = {"weekly": {"days": ["mon"], "start": "00:00", "end": "24:00"}}
    sundays = {"weekly": {"days": ["sun"], "start": "00:00", "end": "24:00"}}
    assert said(freezes={"calendar": [frozen(mondays)]}) == []
    assert said(freezes={"calendar": [frozen(mondays, sundays)]}) == [
        ("no-opening", "paths.0", "window and calendar freezes leave checkout no opening in the next 400 days")
    ]
    assert said(freezes={"calendar": [frozen(mondays, sundays, environments=["stage"])]}) == []


EVERY_DAY = {"weekly": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "end": "24:00"}}


def with_docs(**changes: Any) -> dict[str, Any]:
    """The same with another service; the path is for both unless it says otherwise."""
    docs = {
        "repository": "acme/docs",
        "cloud_run": {"stage": "acme-stage/europe-west1/docs", "prod": "acme-prod/europe-west1/docs"},
    }
    return {"services": {**DOCUMENT["services"], "docs": docs}, **changes}


def test_a_freeze_that_never_ends_is_told_once_for_all_it_stops() -> None:
    stops = "leave checkout and docs no opening in the next 400 days"
    always = with_docs(freezes={"calendar": [frozen(EVERY_DAY)]})
    assert [says for _, _, says in said(**always)] == [f"window and calendar freezes {stops}"]
    assert len(said(**{**always, "path__gates": {"checks": ["build"]}, "windows": {}})) == 1
    others = with_docs(freezes={"calendar": [frozen(EVERY_DAY, services=["docs"])]})
    assert "leave docs no opening" in said(**others)[0][2]
    assert [name for name, _, _ in said(**others, path__services=["checkout"])] == ["never-used"]


def test_a_freeze_that_ends_beside_one_that_does_not() -> None:
    ends = {"interval": {"start": "2020-01-01T00:00", "end": "2027-01-01T00:00"}}
    assert len(said(freezes={"calendar": [frozen(ends), frozen(EVERY_DAY, name="always")]})) == 2
    assert said(freezes={"calendar": [frozen(ends)]}) == []
    later = {"interval": {"start": "2020-01-01T00:00", "end": "2028-01-01T00:00"}}
    assert [name for name, _, _ in said(freezes={"calendar": [frozen(later)]})] == ["no-opening"]


SKIPPED = (
    "on 2027-03-28 clocks in Europe/Berlin skip 02:30, so it counts from the jump; choose a time outside the change"
)
TWICE = "on 2027-10-31 clocks in Europe/Berlin show 02:30 twice, and both count; choose a time outside the change"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"start": "02:30"}, [("start", SKIPPED)]),
        ({"start": "01:00", "end": "02:30"}, [("end", SKIPPED)]),
        ({"days": ["sat"], "start": "22:00", "end": "02:30"}, [("end", SKIPPED)]),
        ({"days": ["mon"], "start": "02:30"}, []),
        ({"days": ["sat"], "start": "02:30", "end": "01:59"}, []),
        ({"days": ["sat"], "start": "02:30", "end": "02:30"}, [("end", SKIPPED)]),
        ({"days": ["fri"], "start": "22:00", "end": "02:30"}, []),
        ({"start": "01:59"}, []),
        ({"start": "03:00"}, []),
    ],
    ids=str,
)
def test_a_time_inside_a_clock_change(rule: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    told = [("clock-change", f"windows.hours.allow.0.weekly.{key}", says) for key, says in expected]
    assert said(windows=weekly(**rule)) == told


def test_a_time_that_only_comes_twice() -> None:
    after_the_last_skip = datetime.fromisoformat("2027-04-01T00:00:00+00:00")
    assert [says for _, _, says in said(after_the_last_skip, windows=weekly(start="02:30"))] == [TWICE]


def test_midnight_can_be_what_is_skipped() -> None:
    """In Cairo clocks jump from Thursday's midnight."""
    for rule in ({"days": ["fri"], "start": "00:00"}, {"days": ["thu"], "start": "20:00", "end": "24:00"}):
        window = {"timezone": "Africa/Cairo", "allow": [{"weekly": {"end": "09:00", **rule}}]}
        (says,) = [says for _, _, says in said(windows={"hours": window})]
        assert says.startswith("on 2027-04-30 clocks in Africa/Cairo skip 00:00")


def test_one_day_is_looked_at_too() -> None:
    rules = [{"interval": {"start": "2027-03-28T02:30", "end": "2027-10-31T02:30"}}]
    told = said(windows={"hours": {**DOCUMENT["windows"]["hours"], "deny": rules}})
    assert [(place, says) for _, place, says in told] == [
        ("windows.hours.deny.0.interval.start", SKIPPED),
        ("windows.hours.deny.0.interval.end", TWICE),
    ]
    told = said(freezes={"calendar": [frozen(*rules, timezone="UTC")]})
    assert told == []


def test_a_window_that_only_denies_is_looked_at_too() -> None:
    deny = [{"weekly": {"days": ["sun"], "start": "02:30", "end": "09:00"}}]
    assert [(place, says) for _, place, says in said(windows={"hours": {"deny": deny}})] == [
        ("windows.hours.deny.0.weekly.start", SKIPPED)
    ]


def test_a_day_that_is_over_is_looked_at_no_more() -> None:
    rules = [{"interval": {"start": "2027-03-28T02:30", "end": "2027-04-28T02:30"}}]
    changed = {"windows": {"hours": {**DOCUMENT["windows"]["hours"], "deny": rules}}}
    for at, count in (("2027-03-28T00:00:00+00:00", 1), ("2027-03-29T00:00:00+00:00", 0)):
        assert len(said(datetime.fromisoformat(at), **changed)) == count


def test_a_zone_that_never_changes_is_never_warned_of() -> None:
    assert said(timezone="Asia/Kolkata", windows=weekly(start="02:30")) == []


@pytest.mark.parametrize(("days", "ends"), [(89, True), (90, False)])
def test_a_calendar_that_ends_within_90_days(days: int, ends: bool) -> None:
    last = (NOW + days * DAY).date()
    deny = {**DOCUMENT["windows"]["hours"], "deny": [{"holidays": "DE-BE"}]}
    told = said(windows={"hours": deny}, calendars={"DE-BE": {"days": {"2026-01-01": "New Year", str(last): "last"}}})
    says = f"its last day is {last}; write the next years (`release-bot policy holidays`) and have them reviewed"
    assert told == ([("calendar-ends", "calendars.DE-BE", says)] if ends else [])


def test_calendar_freezes_that_hold_together() -> None:
    ends = {"month_end": {"last_business_days": 2}}
    december = {"interval": {"start": "2026-12-19T17:00", "end": "2027-01-04T09:00"}}
    two = [frozen(ends, name="month-end"), frozen(december, name="year-end")]
    assert said(freezes={"calendar": two}) == [
        (
            "freezes-overlap",
            "freezes.calendar.1",
            "holds together with month-end, on Wed 30 Dec 2026 00:00 CET for the first time; one of them can go, or end earlier",
        )
    ]
    two[1] = frozen({"interval": {"start": "2026-12-19T17:00", "end": "2026-12-30T00:00"}}, name="year-end")
    assert said(freezes={"calendar": two}) == []
    two[1] = frozen(december, name="year-end", environments=["stage"])
    assert said(freezes={"calendar": two}) == []


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (None, None, True),
        (["checkout"], None, True),
        (None, ["checkout"], True),
        (["checkout"], ["checkout", "docs"], True),
        (["checkout"], ["docs"], False),
    ],
)
def test_freezes_of_other_services_do_not_overlap(
    one: list[str] | None, other: list[str] | None, overlap: bool
) -> None:
    days = {"interval": {"start": "2026-12-19T17:00", "end": "2027-01-04T09:00"}}
    two = [frozen(days, name=name, services=services) for name, services in (("a", one), ("b", other))]
    told = said(**with_docs(freezes={"calendar": two}))
    assert [name for name, _, _ in told] == (["freezes-overlap"] if overlap else [])


def test_freezes_that_follow_upon_each_other_do_not_overlap() -> None:
    first = {"weekly": {"days": ["mon"], "start": "09:00", "end": "12:00"}}
    second = {"weekly": {"days": ["mon"], "start": "12:00", "end": "13:00"}}
    never = {"interval": {"start": "2020-01-01T00:00", "end": "2020-01-02T00:00"}}
    for rules in ((first, second), (first, never), (never, first)):
        two = [frozen(rule, name=name) for rule, name in zip(rules, "ab", strict=True)]
        assert said(freezes={"calendar": two}) == []


# People -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("managers", "count", "says"),
    [
        (["omar"], 1, "somebody must agree (release manager); where omar asks, too few others are left; give these roles to more people"),
        (["omar", "olga"], 1, None),
        (["omar", "olga"], 2, "2 different people must agree (release manager); where olga or omar asks, too few others are left; give these roles to more people"),
        (["omar", "olga"], 3, "3 different people must agree (release manager), and the file lists too few: 1 more must hold these roles"),
        (["omar", "slack:group/S0REL"], 5, None),
    ],
)  # fmt: skip
def test_more_must_agree_than_there_are(managers: list[str], count: int, says: str | None) -> None:
    roles = {**DOCUMENT["roles"], "release_manager": {"members": managers}}
    told = said(roles=roles, path__approvals=[{"role": "release_manager", "count": count}])
    assert told == ([("quorum", "paths.0.approvals", says)] if says else [])


def test_one_human_fills_one_seat_and_moves_up_where_that_helps() -> None:
    roles = {**DOCUMENT["roles"], "lead": {"members": ["olga"]}}
    asks = {"may": {"promote": ["engineer"]}, "roles": roles}
    assert said(**asks, path__approvals=[{"role": "release_manager"}, {"role": "lead"}]) == []
    (told,) = said(**asks, path__approvals=[{"role": "release_manager", "count": 2}, {"role": "lead"}])
    assert told[2].startswith("3 different people must agree (release manager and lead), and the file lists too few: 1")


def test_signoffs_exceptions_emergencies_and_freezes_need_people_too() -> None:
    """maya is the only reviewer: where she asks, nobody signs off."""
    roles = {**DOCUMENT["roles"], "security": {"members": ["maya"]}}
    told = said(
        roles=roles,
        may={**DOCUMENT["may"], "exception": ["engineer"], "freeze": ["security"], "emergency": ["engineer"]},
        gates={"reviewed": {"kind": "signoff", "role": "security"}},
        path__requires=["reviewed"],
        exceptions={"early": {"waives": ["window"], "approvals": [{"role": "security"}]}},
        freezes={"approvals": [{"role": "security"}]},
        rollback={"approvals": [{"role": "engineer", "count": 2}]},
        path__rollback={"approvals": [{"role": "security"}, {"role": "engineer"}]},
        emergency={
            "approvals": [{"role": "engineer"}],
            "owes": [{"kind": "review", "says": "it", "owner": "engineer", "business_days": 1, "by_others": True}],
        },
    )
    assert {place: says.partition(", too few")[0] for name, place, says in told if name == "quorum"} == {
        "paths.0.approvals": "2 different people must agree (release manager and security); where maya asks",
        "exceptions.early.approvals": "somebody must agree (security); where maya asks",
        "freezes.approvals": "somebody must agree (security); where maya asks",
        "rollback.approvals": "2 different people must agree (engineer); where maya or raj asks",
        "paths.0.rollback.approvals": "2 different people must agree (security and engineer); where maya or raj asks",
        "emergency.approvals": "2 different people must agree (engineer and security); where maya or raj asks",
    }


def test_whoever_may_ask_for_a_kind_of_exception_is_who_its_approvals_must_be_other_than() -> None:
    """omar alone grants it, and may ask for exceptions, but not for one of that kind."""
    kind: dict[str, Any] = {"waives": ["window"], "approvals": [{"role": "release_manager"}]}
    asks = {"may": {**DOCUMENT["may"], "exception": ["release_manager"]}}
    roles = {**DOCUMENT["roles"], "release_manager": {"members": ["omar"]}}
    (told, *_) = [where for _, where, _ in said(roles=roles, **asks, exceptions={"early": kind}) if "early" in where]
    assert told == "exceptions.early.approvals"
    kind["asked_by"] = ["engineer"]
    assert not [where for _, where, _ in said(roles=roles, **asks, exceptions={"early": kind}) if "early" in where]


def test_each_type_has_its_own_who_must_agree() -> None:
    """Only omar is a lead. A type's own approvals come besides the path's, or instead of them."""
    roles = {**DOCUMENT["roles"], "lead": {"members": ["omar"]}}
    own: dict[str, Any] = {"approvals": [{"role": "lead"}]}
    beside = said(roles=roles, change_types={"quick": own})
    says = "2 different people must agree (release manager and lead); where olga or omar asks, too few others are left"
    assert beside == [("quorum", "change_types.quick.approvals", f"{says}; give these roles to more people")]
    instead = said(roles=roles, change_types={"quick": {**own, "instead": True}})
    says = "somebody must agree (lead); where omar asks, too few others are left"
    assert instead == [("quorum", "change_types.quick.approvals", f"{says}; give these roles to more people")]


def test_a_type_that_is_spared_a_signoff_needs_nobody_for_it() -> None:
    """maya is the only one who signs off, and may ask as well."""
    roles = {**DOCUMENT["roles"], "security": {"members": ["maya"]}}
    gates = {"reviewed": {"kind": "signoff", "role": "security"}}
    types = {"quick": {}, "spared": {"waives": ["reviewed"]}}
    path = {"roles": roles, "gates": gates, "change_types": types, "path__requires": ["reviewed"]}
    assert [name for name, _, _ in said(**path, path__types=["quick", "spared"])] == ["quorum"]
    assert [name for name, _, _ in said(**path, path__types=["spared"])] == ["never-used", "never-used"]


def test_emergencies_are_looked_at_only_where_a_path_takes_them() -> None:
    roles = {**DOCUMENT["roles"], "security": {"members": ["maya"]}}
    emergency = {
        "approvals": [{"role": "security"}],
        "owes": [{"kind": "review", "says": "it", "owner": "engineer", "business_days": 1, "by_others": True}],
    }
    urgent = {"roles": roles, "may": {**DOCUMENT["may"], "emergency": ["engineer"]}, "emergency": emergency}
    assert [where for _, where, _ in said(**urgent)] == ["emergency.approvals"]
    assert said(**urgent, change_types={"quick": {}}, path__types=["quick"]) == []


def test_what_is_so_of_several_services_is_told_once() -> None:
    roles = {**DOCUMENT["roles"], "release_manager": {"members": ["omar"]}}
    assert len(said(**with_docs(roles=roles))) == 1
    assert len(said(**with_docs(roles=roles, change_types={"quick": {}}))) == 1


# What does nothing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("roles.qa", {"roles": {**DOCUMENT["roles"], "qa": {"members": ["raj"]}}}),
        ("windows.nights", {"windows": {**DOCUMENT["windows"], "nights": DOCUMENT["windows"]["hours"]}}),
        ("calendars.DE-BE", {"calendars": {"DE-BE": {"days": {"2030-01-01": "New Year"}}}}),
        ("probes.smoke", {"probes": {"smoke": [{"path": "/"}]}}),
        ("checklists.go", {"checklists": {"go": [{"id": "a", "text": "A"}]}}),
        ("gates.lint", {"gates": {"lint": {"kind": "checks", "names": ["lint"]}}}),
        ("change_types.hotfix", {"change_types": {"hotfix": {}}, "path__types": []}),
        ("environments.dev", {"environments": {**DOCUMENT["environments"], "dev": {"rank": 0}}}),
        (
            "services.docs",
            {
                "services": {
                    **DOCUMENT["services"],
                    "docs": {"repository": "acme/docs", "cloud_run": {"stage": "acme-stage/europe-west1/docs"}},
                }
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_never_used(place: str, changes: dict[str, Any]) -> None:
    assert [(name, where) for name, where, _ in said(**changes)] == [("never-used", place)]


def test_a_type_that_no_path_admits_is_told_with_its_paths() -> None:
    types = {"quick": {"paths": ["stage→prod"]}}
    assert said(change_types=types) == []
    says = "no path (stage→prod) admits this type; name it under the path's types"
    assert said(change_types=types, path__types=[]) == [("never-used", "change_types.quick", says)]
    says = "no path admits this type; name it under the path's types"
    assert said(change_types={"quick": {}}, path__types=[]) == [("never-used", "change_types.quick", says)]


def with_dev(*paths: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same with an environment below, and a service that is only there and in stage."""
    services = deepcopy(DOCUMENT["services"])
    services["checkout"]["cloud_run"]["dev"] = "acme-dev/europe-west1/checkout"
    run = {"dev": "acme-dev/europe-west1/docs", "stage": "acme-stage/europe-west1/docs"}
    services["docs"] = {"repository": "acme/docs", "cloud_run": run}
    environments = {**DOCUMENT["environments"], "dev": {"rank": 0}}
    return {"environments": environments, "services": services, "paths": list(paths), **changes}


def test_a_service_needs_one_path_from_one_of_its_environments_to_another() -> None:
    up = {"from": "dev", "to": "stage"}
    assert said(**with_dev(up, PATH)) == []
    told = said(**with_dev({**up, "services": ["checkout"]}, PATH))
    assert [(name, where) for name, where, _ in told] == [("never-used", "services.docs")]


def test_a_gate_for_a_type_that_goes_along_another_path_is_never_used() -> None:
    gates = {"base": {"kind": "checks", "names": ["base"], "applies_to": ["early"]}}
    for paths, used in ((["dev→stage"], False), (["stage→prod"], True), ([], True)):
        changed = with_dev(
            {"from": "dev", "to": "stage"},
            {**PATH, "requires": ["base"]},
            gates=gates,
            change_types={"early": {"paths": paths}},
        )
        assert [where for _, where, _ in said(**changed)] == ([] if used else ["gates.base"])


def test_a_gate_for_types_that_never_come_by_is_never_used() -> None:
    gates = {"base": {"kind": "checks", "names": ["base"], "applies_to": ["hotfix"]}}
    types = {"change_types": {"feature": {}, "hotfix": {}}, "gates": gates, "path__requires": ["base"]}
    assert said(**types) == []
    assert [(name, where) for name, where, _ in said(**types, path__types=["feature"])] == [
        ("never-used", "gates.base"),
        ("never-used", "change_types.hotfix"),
    ]
    spared = {"feature": {}, "hotfix": {"waives": ["base"]}}
    assert [where for _, where, _ in said(**{**types, "change_types": spared})] == ["gates.base"]


def test_an_exception_for_what_nobody_must_meet() -> None:
    kind = {"early": {"waives": ["window", "required-checks", "soak"], "approvals": [{"role": "release_manager"}]}}
    path: dict[str, Any] = {"exceptions": kind, "path__gates": {"checks": ["build"], "soak": "PT1H", "window": "hours"}}
    assert said(**path) == []
    gates = {"lint": {"kind": "checks", "names": ["lint"]}}
    kind["early"]["waives"] = ["window", "lint"]
    assert [where for _, where, _ in said(exceptions=kind, gates=gates)] == ["gates.lint", "exceptions.early.waives.1"]


def test_an_item_that_nothing_ticks() -> None:
    changes = {
        "gates": {"list": {"kind": "checklist", "checklist": "go"}, "lint": {"kind": "checks", "names": ["lint"]}},
        "checklists": {"go": [{"id": "a", "text": "A"}, {"id": "b", "text": "B", "by": "gate", "gate": "lint"}]},
    }
    assert said(**changes, path__requires=["list", "lint"]) == []
    assert said(**changes, path__requires=["list"])[1:] == [
        (
            "never-ticked",
            "checklists.go.1.gate",
            "stage→prod does not require lint, so nothing ticks this there; require it too",
        )
    ]


# What lacks a word --------------------------------------------------------------------------------------------------


def test_production_without_a_single_gate() -> None:
    assert [(name, where) for name, where, _ in said(path__gates={"window": "hours"})] == [("no-gate", "paths.0")]
    assert said(path__gates={"soak": "PT1H", "window": "hours"}) == []
    gates = {"base": {"kind": "checks", "names": ["base"]}}
    each = [
        {**PATH, "gates": gates, "services": [name]} for name, gates in (("checkout", {}), ("docs", {"checks": ["a"]}))
    ]
    assert [(name, where) for name, where, _ in said(**with_docs(paths=each, windows={}))] == [("no-gate", "paths.0")]
    only_some = {"gates": gates, "change_types": {"quick": {"adds": ["base"]}}, "path__gates": {"window": "hours"}}
    assert [(name, where) for name, where, _ in said(**only_some)] == [("no-gate", "paths.0")]


def test_a_path_that_no_number_of_errors_takes_back() -> None:
    """To production that is an error already."""
    lower = {"rank": 0}
    environments = {**DOCUMENT["environments"], "dev": lower}
    services = deepcopy(DOCUMENT["services"])
    services["checkout"]["cloud_run"]["dev"] = "acme-dev/europe-west1/checkout"
    path = {"from": "dev", "to": "stage", "rollout": {"health": {"max_error_percent": 100}}}
    told = said(environments=environments, services=services, paths=[path, PATH])
    assert [(name, where) for name, where, _ in told] == [("no-bounds", "paths.0.rollout.health")]
    path["rollout"]["health"]["max_p99"] = "PT1S"  # type: ignore[index]
    assert said(environments=environments, services=services, paths=[path, PATH]) == []


@pytest.mark.requirement("S4-118")
def test_a_number_that_nobody_explains() -> None:
    gate = {"kind": "number", "report": "coverage", "op": ">=", "value": 80, "unit": "%", "source": "L562"}
    told = said(gates={"coverage": gate}, path__requires=["coverage"])
    assert told == [
        ("no-rationale", "gates.coverage", "nobody wrote why coverage must be >= 80%; add rationale (L562)")
    ]
    assert said(gates={"coverage": {**gate, "rationale": "what we had in May"}}, path__requires=["coverage"]) == []


@pytest.mark.parametrize(
    ("name", "usual", "other", "source"),
    [
        pytest.param("tickets", "[A-Z]+-[0-9]+", "[0-9]+", "L3233", marks=pytest.mark.requirement("S4-051")),
        pytest.param("commits", "conventional", "labels", "L1992", marks=pytest.mark.requirement("S4-055")),
    ],
)
def test_a_convention_of_ones_own_without_a_record(name: str, usual: str, other: str, source: str) -> None:
    assert said(conventions={name: {"uses": usual}}) == []
    assert said(conventions={name: {"uses": other, "source": source, "record": "docs/adr/7.md"}}) == []
    (told,) = said(conventions={name: {"uses": other, "source": source}})
    assert told[:2] == ("no-record", f"conventions.{name}")
    assert source in told[2]


@pytest.mark.requirement("S4-234")
def test_nobody_wrote_how_releases_leave() -> None:
    assert [(name, where) for name, where, _ in said(document="policy.md")] == [("no-record", "document")]
    assert said(document="policy.md", conventions={"releases": {"uses": "on_demand"}}) == []


def test_what_was_assumed_is_listed() -> None:
    told = found(assumed={"windows.hours": "the hours"})
    assert told == [
        Lint(
            "assumed",
            ("assumed", "windows.hours"),
            "the hours; somebody assumed it, the team must confirm it",
            Weight.NOTE,
        )
    ]


@pytest.mark.requirement("S4-116")
def test_what_nothing_enforces_is_listed_and_falls_due() -> None:
    rule = {
        "rule": "main can be released at all times",
        "why": "it is a state of the code",
        "instead": "red main blocks",
    }
    (told,) = found(unenforced=[rule])
    assert told.weight is Weight.NOTE
    assert told.says == (
        "nothing here enforces 'main can be released at all times': it is a state of the code; instead: red main blocks"
    )
    for days, due in ((90, False), (91, True), (95, True)):
        seen = {**rule, "verified": str((NOW - days * DAY).date()), "every": "P90D"}
        late = [lint.says for lint in found(unenforced=[seen]) if lint.name == "verify-again"]
        says = f"was last verified {days} days ago, and must be every 90 days; look, and write the day"
        assert late == ([f"'main can be released at all times' {says}"] if due else [])
    (never,) = [lint for lint in found(unenforced=[{**rule, "every": "P90D"}]) if lint.name == "verify-again"]
    assert "was last verified never" in never.says
    assert never.weight is Weight.WARNING


def test_a_log_that_would_move_a_release_past_what_was_tested() -> None:
    branches = {
        "stage": {"rank": 1, "branch": "main"},
        "prod": {"rank": 2, "production": True, "branch": "release"},
    }

    def logs(branch: str, model: str) -> list[tuple[str, str, str]]:
        log = {"file": "docs/RELEASE_LOG.md", "branch": branch}
        told = said(environments=branches, path__model=model, path__log=log)
        return [one for one in told if one[0] == "log-on-release"]

    assert logs("main", "fast_forward") == logs("log", "branch_merge") == []
    ((_, where, says),) = logs("release", "fast_forward")
    assert where == "paths.0.log.branch"
    assert says == "each line in it would move prod's own branch past what was tested; keep it on another branch"
    assert len(logs("main", "branch_merge")) == len(logs("release", "branch_merge")) == 1


@pytest.mark.parametrize("file", ["/etc/passwd", "../other/log.md", "docs//log.md", "."])
def test_a_log_lies_inside_the_repository(file: str) -> None:
    with pytest.raises(ValueError, match="inside the repository"):
        found(path__log={"file": file, "branch": "main"})
