"""What a new version of a policy lets through that the one before did not: each loosening is named, no tightening is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pydantic import TypeAdapter

from policy.document import Policy
from policy.gates import AnyGate
from policy.lint import Lint
from policy.loosened import loosened, weaker
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
DOCUMENT["probes"] = {**DOCUMENT.get("probes", {}), "pulse": [{"path": "/healthz"}]}
DOCUMENT["paths"][1]["rollout"] = {
    "smoke": [{"path": "/healthz"}],
    "health": {"max_p99": "PT1S"},
    "watch": "PT1H",
    "inconclusive": "back",
    "triggers": {
        "hot": {"signal": "memory_percent", "above": 90, "lasts": "PT5M"},
        "down": {"signal": "probes", "probes": "pulse", "in_a_row": 2},
    },
}
DOCUMENT["paths"][1]["rollback"] = {"approvals": [{"role": "release_manager"}]}
DOCUMENT["rollback"] = {
    **DOCUMENT.get("rollback", {}),
    "approvals": [{"role": "qa"}],
    "reason": True,
    "owes": [{"kind": "review", "says": "it", "owner": "qa", "within": "P1D"}],
}
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
    ("paths/1/rollout/triggers", {}, "paths.1.rollout.triggers", "hot takes nothing back any more"),
    *((f"paths/1/rollout/triggers/hot/{key}", value, "paths.1.rollout.triggers.hot", "it fires later than it did, or only asks")
      for key, value in (("above", 91), ("lasts", "PT6M"), ("min_requests", 2), ("during", "watch"), ("then", "ask"))),
    *((f"paths/1/rollout/triggers/down/{key}", value, "paths.1.rollout.triggers.down", "it fires later than it did, or only asks")
      for key, value in (("in_a_row", 3), ("every", "PT6S"))),
    ("paths/1/rollout/inconclusive", "ask", "paths.1.rollout.inconclusive", "somebody may let through what proves nothing"),
    ("paths/1/rollout/watch", "PT59M", "paths.1.rollout.watch", "what was released is watched for a shorter time"),
    ("paths/1/rollout/watch", None, "paths.1.rollout.watch", "what was released is watched for a shorter time"),
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
    # rollbacks
    ("rollback/approvals", [], "rollback.approvals", "0 must agree now, and 1 had to"),
    ("rollback/reason", False, "rollback", "whoever agrees need not say why any more"),
    ("rollback/owes", [], "rollback.owes", "review is owed afterwards no more"),
    ("paths/1/rollback/approvals", [], f"{PROD}.rollback.approvals", "0 must agree now, and 1 had to"),
    ("paths/1/rollback/approval_lasts", "P3D", f"{PROD}.rollback.approval_lasts", "a vote counts for 72 h now, and 24 h before"),
    ("rollback/database", {"declares": {"contract": "back"}}, "rollback.database.declares", "contract is back now, and was rollout"),
    ("rollback/database", {"declares": {"contract": "forward"}}, "", ""),
    ("rollback/database", {"override": ["qa"]}, "rollback.database.override", "qa may go back over it now"),
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


def test_a_rollback_of_a_path_that_falls_back_to_what_holds_everywhere_or_gets_terms_of_its_own() -> None:
    everywhere = ("rollback", {"approvals": [{"role": "release_manager"}]})
    two = changed(everywhere, ("paths/1/rollback", {"approvals": [{"role": "release_manager", "count": 2}]}))
    as_everywhere = changed(everywhere, ("paths/1/rollback", None))
    none = changed(everywhere, ("paths/1/rollback", {"approvals": []}))
    for old, new, where, says in (
        (two, as_everywhere, ("rollback", "approvals"), "1 must agree now, and 2 had to"),
        (as_everywhere, none, ("paths", 1, "rollback", "approvals"), "0 must agree now, and 1 had to"),
    ):
        (told,) = loosened(old, new, NOW)
        assert (told.where, told.says) == (where, says)
        assert list(loosened(new, old, NOW)) == []


def test_a_trigger_that_fired_at_once_and_has_to_last_now() -> None:
    at_once = changed(("paths/1/rollout/triggers/hot", {"signal": "memory_percent", "above": 90}))
    (told,) = loosened(at_once, OLD, NOW)
    assert told.where == ("paths", 1, "rollout", "triggers", "hot")
    assert list(loosened(OLD, at_once, NOW)) == []


def test_rollbacks_that_stop_being_emergencies_outside_the_window() -> None:
    strict = changed(("rollback/emergency_outside_window", True))
    assert list(loosened(OLD, strict, NOW)) == list(loosened(strict, strict, NOW)) == []
    (told,) = loosened(strict, OLD, NOW)
    assert (told.where, told.says) == (
        ("rollback", "emergency_outside_window"),
        "a rollback outside the window opens no emergency record any more",
    )


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
    elsewhere = changed(("services/search", search), ("paths/1/services", ["api"]))
    assert list(loosened(OLD, elsewhere, NOW)) == []


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


def gate(**says: Any) -> AnyGate:
    return GATE.validate_python(says)


GATE: TypeAdapter[AnyGate] = TypeAdapter(AnyGate)
CHECKS = {"kind": "checks", "names": ["a", "b"], "excused": {"c": "no-c"}}
PULL = {"kind": "pull_request", "fields": ["risk"]}
ALERTS = {"kind": "alerts", "sources": ["x"], "at_most": {"critical": 0, "high": 3}}
DATABASE = {"kind": "database", "allows": ["none"]}
BRANCH = {"kind": "branch", "require": ["naming"], "names": ["^a$"]}
RECORD = {"kind": "record", "fields": ["ticket"]}
RUN = {"kind": "workflow", "workflow": "w.yml", "inputs": {"mode": "staging"}}


@pytest.mark.parametrize(
    ("strict", "loose", "says"),
    [
        ({**CHECKS}, {**CHECKS, "names": ["a"]}, "names is a now, and was a and b"),
        ({**CHECKS}, {**CHECKS, "excused": {"c": "no-c", "d": "no-d"}}, "excused is"),
        ({**CHECKS, "max_age": "P1D"}, {**CHECKS, "max_age": "P2D"}, "max_age is 48 h now, and was 24 h"),
        ({**CHECKS, "max_age": "P1D"}, {**CHECKS}, "max_age is left out now, and was 24 h"),
        ({**CHECKS, "applies_to": ["x", "y"]}, {**CHECKS, "applies_to": ["x"]}, "applies_to leaves out changes"),
        ({**PULL, "titled": "^feat"}, {**PULL}, "titled is left out now, and was ^feat"),
        ({**PULL, "matches": {"t": "P-"}}, {**PULL}, "matches is {} now"),
        ({**PULL, "labelled": []}, {**PULL, "labelled": ["x"]}, "labelled leaves out changes"),
        ({**ALERTS}, {**ALERTS, "at_most": {"critical": 0, "high": 4}}, "at_most is"),
        ({**ALERTS}, {**ALERTS, "at_most": {"critical": 0}}, "at_most is"),
        ({**ALERTS}, {**ALERTS, "sources": ["x", "y"]}, ""),
        ({**DATABASE, "contract_after": "P7D"}, {**DATABASE}, "contract_after is left out now, and was 168 h"),
        ({**DATABASE, "contract_after": "P7D"}, {**DATABASE, "contract_after": "P6D"}, "contract_after is 144 h now"),
        ({**DATABASE, "down_required": True}, {**DATABASE}, "down_required is False now, and was True"),
        ({**DATABASE}, {**DATABASE, "allows": ["none", "expand"]}, "allows is none and expand now, and was none"),
        ({**RUN, "inputs": {"mode": "staging", "x": "y"}}, {**RUN}, "inputs is"),
        ({**BRANCH}, {**BRANCH, "names": ["^a$", "^b$"]}, "names is ^a$ and ^b$ now, and was ^a$"),
        ({"kind": "image", "names": ["a/*"]}, {"kind": "image", "names": ["a/*", "b/*"]}, "names is a/* and b/* now"),
        ({**RECORD}, {**RECORD, "only_if": {"risk": ["high"]}}, "only_if leaves out changes"),
        ({**RECORD, "only_if": {"risk": ["high", "mid"]}}, {**RECORD, "only_if": {"risk": ["high"]}}, "only_if leaves"),
        ({**RECORD, "only_if": {"risk": ["high"]}}, {**RECORD, "only_if": {"risk": ["high"], "x": ["y"]}}, "only_if leaves"),
        (
            {"kind": "parity", "left": "a", "right": "b", "shape": ["x"]},
            {"kind": "parity", "left": "a", "right": "b", "shape": ["x"], "approved": ["api.x"]},
            "approved is api.x now, and was empty",
        ),
    ],
)  # fmt: skip
def test_what_a_gate_asks_no_more(strict: dict[str, Any], loose: dict[str, Any], says: str) -> None:
    if not says:  # more is asked: the other way round
        strict, loose = loose, strict
        assert [line.partition(" ")[0] for line in weaker(gate(**strict), gate(**loose))] == ["sources"]
    else:
        (line,) = weaker(gate(**strict), gate(**loose))
        assert line.startswith(says)
    assert list(weaker(gate(**loose), gate(**strict))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({**CHECKS}, {**CHECKS, "names": ["b", "a"]}),
        ({**CHECKS, "optional": ["x", "y"]}, {**CHECKS, "optional": ["y", "x"]}),
        ({**ALERTS}, {**ALERTS, "at_most": {"high": 3, "critical": 0}}),
        ({**CHECKS, "applies_to": ["x", "y"]}, {**CHECKS, "applies_to": ["y", "x"]}),
    ],
)
def test_another_order_asks_for_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(weaker(gate(**one), gate(**other))) == []
    assert list(weaker(gate(**other), gate(**one))) == []


def test_what_has_no_order_is_told_both_ways() -> None:
    for one, other in (("staging", "prod"), ("prod", "staging")):
        (line,) = weaker(gate(**{**RUN, "inputs": {"mode": one}}), gate(**{**RUN, "inputs": {"mode": other}}))
        assert line == f"inputs is {{'mode': '{other}'}} now, and was {{'mode': '{one}'}}"
    (line,) = weaker(gate(**RUN), gate(**{**RUN, "workflow": "other.yml"}))
    assert line == "workflow is other.yml now, and was w.yml"


def test_seats_are_held_against_each_other_so_that_most_stay() -> None:
    """One may be filled by release managers or qa, one by release managers or security: none becomes wider."""
    before = [{"any_of": ["release_manager", "qa"]}, {"any_of": ["release_manager", "security_reviewer"]}]
    after = [{"any_of": ["release_manager", "qa"]}, {"role": "release_manager"}]
    old, new = changed(("paths/1/approvals", before)), changed(("paths/1/approvals", after))
    assert list(loosened(old, new, NOW)) == []
    assert len(list(loosened(new, old, NOW))) == 1


def test_a_separation_of_its_own_is_held_against_the_policys() -> None:
    strict, loose = {"authors": "out"}, {"authors": "may_agree"}
    old = changed(("separation", loose), ("paths/1/separation", strict))
    new = changed(("separation", loose))
    says = "authors are may_agree now, and were out"
    assert [(lint.where, lint.says) for lint in loosened(old, new, NOW)] == [(("separation", "authors"), says)]
    assert list(loosened(new, old, NOW)) == []


def test_each_service_is_held_against_the_path_that_it_had() -> None:
    """The one had to be reviewed, the other not; now neither has to be."""
    search = {
        "repository": "acme/search",
        "cloud_run": {name: f"acme-{name}/europe-west1/search" for name in ("dev", "stage", "prod")},
    }
    path = {**DOCUMENT["paths"][1], "inherits": None, "gates": {"window": "prod", "checks": ["build"]}, "types": None}
    both = [{**path, "requires": ["reviews"], "services": ["api"]}, {**path, "requires": [], "services": ["search"]}]
    whole: tuple[tuple[str, Any], ...] = (
        ("services/search", search),
        ("environments/prod/demands", []),
        ("checklists", {}),
        ("gates/go_no_go", None),
    )
    loose: tuple[tuple[str, Any], ...] = (("emergency/waives", ["window"]), ("exceptions", {}), ("may/exception", []))
    old = changed(*whole, *loose, ("paths", [DOCUMENT["paths"][0], *both]))
    new = changed(*whole, *loose, ("paths", [DOCUMENT["paths"][0], {**path, "requires": []}]))
    assert [lint.says for lint in loosened(old, new, NOW)] == ["reviews need not be met any more"]
    assert [lint.where for lint in loosened(new, old, NOW)] == []


def test_what_was_never_asked_is_not_missed() -> None:
    silent = changed(("paths/1/reason", False), ("environments/prod/settings", None), ("freezes/override", []))
    assert list(loosened(silent, silent, NOW)) == []
    assert list(loosened(silent, OLD, NOW)) == [
        Lint("loosened", ("freezes", "override"), "something can be let through a freeze now")
    ]


def test_an_environment_that_is_gone_or_new() -> None:
    without = changed(("environments/prod/settings", None), ("environments/prod/demands", []))
    whole = without.model_dump(by_alias=True)
    for place in ("environments", "services"):
        part = whole[place] if place == "environments" else whole[place]["api"]["cloud_run"]
        part.pop("prod")
    whole["paths"] = whole["paths"][:1]
    whole["freezes"]["calendar"], whole["gates"], whole["checklists"] = (
        [],
        {k: v for k, v in whole["gates"].items() if k in LARGE["paths"][0]["requires"]},
        {},
    )
    whole["change_types"], whole["exceptions"], whole["emergency"] = {}, {}, None
    whole["may"] |= {"exception": [], "emergency": []}
    smaller = Policy.model_validate(whole)
    assert "stage→prod is a new way into production for api" in [lint.says for lint in loosened(smaller, OLD, NOW)]
    assert [lint.where[0] for lint in loosened(OLD, smaller, NOW)] == ["freezes"]


def test_an_exception_for_good_and_for_any_reason() -> None:
    kind = LARGE["exceptions"]["gate_bypass"]
    dated = changed(("exceptions/gate_bypass", {**kind, "reasons": ["incident", "legal"]}))
    for_good = changed(("exceptions/gate_bypass", {**kind, "longest": None, "reasons": ["incident"]}))
    anything = changed(("exceptions/gate_bypass", kind))
    assert [lint.says for lint in loosened(dated, for_good, NOW)] == ["it may last for good now, and 168 h before"]
    assert [lint.says for lint in loosened(for_good, dated, NOW)] == ["legal is a reason for it now"]
    assert [lint.says for lint in loosened(dated, anything, NOW)] == ["any reason will do now"]
    assert list(loosened(anything, dated, NOW)) == []


def test_a_window_that_never_changes_any_more_is_held_against_one_that_does() -> None:
    past = {"prod": {"allow": [{"interval": {"start": "2020-01-01T00:00", "end": "2020-01-02T00:00"}}]}}
    shut = changed(("windows", past))
    (told,) = loosened(shut, OLD, NOW)
    assert told.says == "open on Tue 24 Nov 2026 09:00 UTC, when it was closed before"
    assert list(loosened(OLD, shut, NOW)) == []
    assert list(loosened(shut, shut, NOW)) == []


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        (None, ["whoever may promote may promote a set now"]),
        ("release_manager", ["release manager may promote a set now"]),
        ("release_captain", []),
    ],
)
def test_a_set_that_others_may_promote(owner: str | None, says: list[str]) -> None:
    strict = changed(("manifest", {"owner_role": "release_captain"}))
    new = changed(("manifest", {} if owner is None else {"owner_role": owner}))
    assert [told.says for told in loosened(strict, new, NOW)] == says
    assert list(loosened(changed(("manifest", {})), strict, NOW)) == []


def test_hotfixes_that_go_to_fewer_branches_or_nowhere() -> None:
    owes = {"kind": "forward-port", "says": "the hotfix is merged", "owner": "engineer", "business_days": 0}
    strict = changed(("hotfix", {"ports_to": ["main", "release/*"], "owes": owes}))
    for looser, where in (
        (("hotfix", {"ports_to": ["main"], "owes": owes}), ("hotfix", "ports_to")),
        (
            ("hotfix", {"ports_to": ["main", "release/*"], "closed": ["release/1.*"], "owes": owes}),
            ("hotfix", "closed"),
        ),
        (
            ("hotfix", {"ports_to": ["main", "release/*"], "owes": {**owes, "blocks": False}}),
            ("hotfix", "owes", "blocks"),
        ),
        (("hotfix", None), ("hotfix",)),
    ):
        new = changed(looser)
        assert where in {told.where for told in loosened(strict, new, NOW)}
        assert list(loosened(new, strict, NOW)) == []
    lenient = changed(("hotfix", {"owes": {**owes, "blocks": False}}))
    assert list(loosened(lenient, lenient, NOW)) == []
