"""What a new version of a policy lets through that the one before did not: each loosening is named, no tightening is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from policy.document import Policy
from policy.loosened import loosened
from tests.policy.good import NOW
from tests.policy.large import DOCUMENT as LARGE

DOCUMENT: dict[str, Any] = {
    **deepcopy(LARGE),
    "calendars": {},
    "freezes": {
        **LARGE["freezes"],
        "override": [{"role": "release_manager", "count": 2}],
        "calendar": [
            {
                "name": "month-end",
                "when": [{"month_end": {"last_business_days": 2}}],
                "environments": ["prod"],
                "reason": "closing",
            }
        ],
    },
    "environments": {
        **LARGE["environments"],
        "prod": {
            **LARGE["environments"]["prod"],
            "demands": ["checks", "order"],
            "settings": {"require": {"DEBUG": "0"}},
        },
    },
}
DOCUMENT["paths"][1]["approvals"] = [{"role": "release_manager", "count": 2}]
DOCUMENT["paths"][1]["rollout"] = {"smoke": [{"path": "/healthz"}], "health": {"max_p99": "PT1S"}}
PROD = "paths.1"


def changed(*changes: tuple[str, Any]) -> Policy:
    """The policy with these places changed; None takes one out."""
    whole = deepcopy(DOCUMENT)
    for place, value in changes:
        around: Any = whole
        *above, last = [int(part) if part.isdigit() else part for part in place.split("/")]
        for part in above:
            around = around.setdefault(part, {}) if isinstance(around, dict) else around[part]
        if value is None and isinstance(around, dict):
            around.pop(last, None)
        else:
            around[last] = value
    return Policy.model_validate(whole)


OLD = changed()

LOOSER: list[tuple[str, Any, str, str]] = [
    # gates
    ("paths/1/requires", [n for n in LARGE["paths"][1]["requires"] if n not in {"reviews", "go_no_go"}], PROD + ".requires", "reviews need not be met any more"),
    ("gates/reviews/at_least", 1, "gates.reviews", "reviews: at_least is 1 now, and was 2"),
    ("gates/reviews/codeowners", False, "gates.reviews", "reviews: codeowners is False now, and was True"),
    ("gates/blockers/mode", "acknowledge", "gates.blockers", "blockers: mode is acknowledge now, and was block"),
    ("gates/record_complete/waivable", "exception", "gates.record_complete", "waivable is exception now, and was never"),
    ("gates/ci_checks/names", ["lint", "unit-test", "build"], "gates.ci_checks", "ci_checks: names is lint, unit-test and build now"),
    ("gates/ci_checks/optional", ["dast"], "gates.ci_checks", "ci_checks: optional is dast now, and was empty"),
    ("gates/ci_checks/max_attempts", 3, "gates.ci_checks", "ci_checks: max_attempts is 3 now, and was 2"),
    ("gates/ci_checks/max_attempts", None, "gates.ci_checks", "ci_checks: max_attempts is left out now, and was 2"),
    ("gates/criticals/at_most", {"critical": 1}, "gates.criticals", "criticals: at_most is {'critical': 1} now"),
    ("gates/criticals/sources", ["dependabot"], "gates.criticals", "criticals: sources is dependabot now"),
    ("gates/blockers/applies_to", ["hotfix"], "gates.blockers", "blockers: applies_to leaves out changes that had to meet it"),
    ("gates/blockers/when", {"labels": ["x"]}, "gates.blockers", "blockers: when leaves out changes that had to meet it"),
    ("gates/qa_signoff/when", {"labels": ["risk:high"]}, "gates.qa_signoff", "qa_signoff: when leaves out changes that had to meet it"),
    ("gates/tag_ok/signed", False, "gates.tag_ok", "tag_ok: signed is False now, and was True"),
    ("gates/tag_ok/created_by", None, "gates.tag_ok", "tag_ok: created_by is empty now, and was github:app/release-ci"),
    ("gates/tag_ok/pattern", "^v", "gates.tag_ok", "tag_ok: pattern is ^v now, and was"),
    ("gates/same_artifact", {"kind": "fast_forward"}, "gates.same_artifact", "same_artifact: is of the kind fast_forward now, and was same"),
    ("paths/1/gates/soak", "PT23H59M", "paths.1.gates", "soak: lasts is 23 h 59 min now, and was 24 h"),
    # windows
    ("windows/prod/allow/0/weekly/end", "16:01", "windows.prod", "open on Tue 24 Nov 2026 16:00 UTC, when it was closed before"),
    ("windows/prod/allow/0/weekly/days", ["mon", "fri"], "windows.prod", "open on Fri 27 Nov 2026 09:00 UTC"),
    # approvals
    ("paths/1/approvals", [{"role": "release_manager"}], "paths.1.approvals", "1 must agree now, and 2 had to"),
    ("paths/1/approvals", [{"role": "release_manager"}, {"any_of": ["release_manager", "qa"]}], "paths.1.approvals", "no release manager need agree any more where one had to"),
    ("paths/1/approvals", [{"role": "release_manager"}, {"role": "qa"}], "paths.1.approvals", "no release manager need agree any more where one had to"),
    ("paths/1/approval_lasts", "PT8H1S", "paths.1.approval_lasts", "a vote counts for 8 h now, and 8 h before"),
    ("paths/1/request_lasts", "P2D", "paths.1.request_lasts", "a request lasts for 48 h now, and 24 h before"),
    ("paths/1/reason", False, PROD, "whoever agrees need not say why any more"),
    ("separation", {"authors": "not_alone"}, "separation.authors", "authors are not_alone now, and were out"),
    ("separation", {"unknown_authors": "ignore"}, "separation.unknown_authors", "do not block any more"),
    ("paths/1/separation", {"authors": "may_agree"}, "paths.1.separation.authors", "authors are may_agree now, and were out"),
    # rollout
    ("paths/1/rollout/health/max_error_percent", 2, "paths.1.rollout.health.max_error_percent", "2 % of errors are let pass, and 1 % were"),
    ("paths/1/rollout/health/max_p99", "PT2S", "paths.1.rollout.health.max_p99", "slower answers are let pass"),
    ("paths/1/rollout/health/max_p99", None, "paths.1.rollout.health.max_p99", "slower answers are let pass"),
    ("paths/1/rollout/health/min_requests", 99, "paths.1.rollout.health.min_requests", "99 requests prove it well, and 100 were needed"),
    ("paths/1/rollout/steps", [{"percent": 11}, {"percent": 100}], "paths.1.rollout.steps", "it begins with 11 % of the traffic, and began with 10 %"),
    ("paths/1/rollout/smoke", [], "paths.1.rollout.smoke", "/healthz need not answer any more as it had to"),
    # ways around
    ("change_types/quick", {"window": "any", "waives": ["reviews"]}, "change_types.quick", "a new type that need not meet reviews and window"),
    ("change_types/quick", {"instead": True, "approvals": [{"role": "qa"}]}, "change_types.quick", "a new type, with approvals of its own instead of the path's"),
    ("change_types/feature/window", "any", "change_types.feature.window", "it waits for no window any more"),
    ("change_types/feature/waives", ["reviews"], "change_types.feature.waives", "reviews need not be met by it any more"),
    ("change_types/hotfix/adds", ["security_review"], "change_types.hotfix.adds", "hotfix_base need not be met by it any more"),
    ("change_types/feature/fields", ["ticket"], "change_types.feature.fields", "risk need not be said for it any more"),
    ("change_types/hotfix/instead", True, "change_types.hotfix.instead", "its own approvals take the place of the path's"),
    ("change_types/hotfix/approvals", [], "change_types.hotfix.approvals", "0 must agree now, and 1 had to"),
    ("exceptions/quick", {"waives": ["soak"], "approvals": [{"role": "qa"}]}, "exceptions.quick", "a new kind of exception, which may waive soak"),
    ("exceptions/gate_bypass/waives", ["ci_checks", "reviews"], "exceptions.gate_bypass.waives", "it may waive reviews now"),
    ("exceptions/gate_bypass/longest", "P8D", "exceptions.gate_bypass.longest", "it may last for 192 h now, and 168 h before"),
    ("exceptions/gate_bypass/uses", 2, "exceptions.gate_bypass.uses", "more promotions may rest on one"),
    ("exceptions/gate_bypass/uses", None, "exceptions.gate_bypass.uses", "more promotions may rest on one"),
    ("exceptions/gate_bypass/emergency", True, "exceptions.gate_bypass.emergency", "it may waive what only an emergency might"),
    ("exceptions/temporary/fields", ["reason"], "exceptions.temporary.fields", "scope need not be said for it any more"),
    ("emergency/waives", ["window", "no-freeze", "go_no_go", "rollback_ready", "criticals", "soak"], "emergency.waives", "it waives soak now"),
    ("emergency/lasts", "PT5H", "emergency.lasts", "it may begin for 5 h now, and 4 h before"),
    ("emergency/reason", False, "emergency", "whoever agrees need not say why any more"),
    ("emergency/fields", ["incident"], "emergency.fields", "reason and rollback-plan need not be said for it any more"),
    # freezes
    ("freezes/calendar", [], "freezes.calendar", "month-end freezes nothing any more"),
    ("freezes/calendar/0/when", [{"month_end": {"last_business_days": 1}}], "freezes.calendar.0", "it does not hold on Fri 27 Nov 2026 00:00 UTC, when it held before"),
    ("freezes/calendar/0/environments", ["stage"], "freezes.calendar.0.environments", "prod is not frozen any more"),
    ("freezes/calendar/0/services", ["api"], "", ""),
    ("freezes/override", [{"role": "release_manager"}], "freezes.override", "1 must agree now, and 2 had to"),
    # people and places
    ("may/promote", ["engineer", "release_manager", "release_captain", "qa"], "may.promote", "qa may ask for it now"),
    ("may/lift", ["release_manager", "qa"], "may.lift", "qa may ask for it now"),
    ("roles/release_manager/members", ["omar", "olga", "maya"], "roles.release_manager.members", "maya holds it now"),
    ("environments/prod/demands", ["checks"], "environments.prod.demands", "order is not demanded any more"),
    ("environments/prod/settings", {"forbid": {"DEBUG": ["1"]}}, "environments.prod.settings", "look whether as many are"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "where", "says"), LOOSER, ids=[f"{row[0]}={row[1]}"[:60] for row in LOOSER])
def test_a_loosening_is_named_with_its_place_and_its_reverse_is_not(
    place: str, value: Any, where: str, says: str
) -> None:
    new = changed((place, value))
    told = [(".".join(map(str, lint.where)), lint.says) for lint in loosened(OLD, new, NOW)]
    if not says:
        assert told == []
        return
    assert any(where == its and says in words for its, words in told), told
    assert len({its for its, _ in told}) <= 2
    either_way = ("pattern", "same_artifact", "settings", "requires", "days", "quick", "environments/prod/demands")
    if not place.endswith(either_way) and "qa" not in str(value):
        assert list(loosened(new, OLD, NOW)) == []


def test_the_same_policy_loosens_nothing() -> None:
    assert list(loosened(OLD, changed(), NOW)) == []


def test_words_alone_loosen_nothing() -> None:
    new = changed(("gates/reviews/source", "L1"), ("gates/reviews/title", "Reviews"), ("name", "other"))
    assert list(loosened(OLD, new, NOW)) == []


def test_a_new_way_into_production_and_one_that_is_gone() -> None:
    search = {
        "repository": "acme/search",
        "cloud_run": {name: f"acme-{name}/europe-west1/search" for name in ("dev", "stage", "prod")},
    }
    new = changed(("services/search", search))
    told = [(lint.where, lint.says) for lint in loosened(OLD, new, NOW)]
    assert told == [(("paths", 1), "stage→prod is a new way into production for search")]
    assert list(loosened(new, OLD, NOW)) == []


def test_a_window_that_is_given_up_and_a_number_that_falls() -> None:
    loose = changed(("paths/1/gates", {"soak": "PT24H"}))
    told = [lint.says for lint in loosened(OLD, loose, NOW)]
    assert "it waits for no window any more, and waited for prod" in told
    for op, lower, higher in (
        (">=", "80 is enough now, and 90 was needed", ""),
        ("<", "", "90 is enough now, and 80 was needed"),
    ):
        gate = {"kind": "number", "report": "coverage", "op": op, "rationale": "x"}
        more, less = (
            changed(("gates/coverage", {**gate, "value": value}), ("paths/1/requires", [*LARGE["paths"][1]["requires"], "coverage"]))
            for value in (90, 80)
        )  # fmt: skip
        assert [lint.says for lint in loosened(more, less, NOW)] == ([f"coverage: {lower}"] if lower else [])
        assert [lint.says for lint in loosened(less, more, NOW)] == ([f"coverage: {higher}"] if higher else [])


def test_emergencies_that_begin_to_exist() -> None:
    without = changed(("emergency", None), ("may/emergency", []))
    told = [lint.says for lint in loosened(without, OLD, NOW)]
    assert "there are emergencies now; they waive window, no-freeze, go_no_go, rollback_ready and criticals" in told
    assert list(loosened(OLD, without, NOW)) == []


def test_what_was_production_and_is_not() -> None:
    new = changed(("environments/prod/production", False))
    assert [lint.says for lint in loosened(OLD, new, NOW)] == ["prod is production no more"]
