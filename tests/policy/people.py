"""A policy in which everything about people is asked: sign-offs, exceptions, emergencies, freezes, what is owed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from policy.case import Case, case
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import EMERGENCY, Deed, EmergencyRecord, ExceptionRecord, Facts, Freeze, Question
from policy.finding import Decision, Finding
from policy.model import Person
from tests.policy.good import ALL_GOOD, DOCUMENT, HOUR, MAYA, NOW, OMAR, PROMOTION, person

DAY = 24 * HOUR
TICK = timedelta(microseconds=1)

LEA = person("lea", "engineer")
SAM = person("sam", "security_engineer")
QUINN = person("quinn", "qa")
DANA = person("dana", "on_call", "release_owner")
EVERYBODY = MappingProxyType(
    {
        each.human: each
        for each in (
            MAYA,
            LEA,
            SAM,
            QUINN,
            DANA,
            OMAR,
            person("olga", "release_manager"),
            person("raj", "engineer", "tech_lead"),
            person("ines", "incident_commander"),
        )
        if each.human
    }
)

PEOPLE: dict[str, Any] = {
    **DOCUMENT,
    "people": {name: {"slack": f"U0{name.upper()}"} for name in EVERYBODY},
    "roles": {
        **DOCUMENT["roles"],
        "security_engineer": {"members": ["sam"]},
        "qa": {"members": ["quinn"]},
        "on_call": {"members": ["dana"]},
        "release_owner": {"members": ["dana"]},
    },
    "may": {
        **DOCUMENT["may"],
        "exception": ["engineer", "release_manager"],
        "emergency": ["engineer", "incident_commander"],
        "freeze": ["release_manager", "incident_commander"],
    },
    "gates": {
        "sast": {"kind": "checks", "names": ["sast"], "waivable": "emergency"},
        "unit": {"kind": "checks", "names": ["build"], "source": "1.21.3.1"},
        "same-image": {"kind": "same", "by": "digest", "environment": "stage"},
    },
    "exceptions": {
        "temporary": {
            "waives": ["unit", "soak", "window", "no-freeze"],
            "fields": ["reason", "risk", "controls", "remediation"],
            "longest": "P30D",
            "approvals": [{"any_of": ["release_manager", "tech_lead"]}],
            "reason": True,
            "owes": [
                {"kind": "remediation", "says": "put right what was waived", "owner": "engineer", "within": "P7D"}
            ],
        },
        "permanent": {
            "waives": ["unit"],
            "fields": ["reason", "reconsider-at"],
            "longest": None,
            "approvals": [{"role": "release_manager"}],
        },
        "outage": {
            "waives": ["unit", "sast"],
            "emergency": True,
            "approvals": [{"role": "incident_commander"}],
            "uses": 1,
        },
        "merge": {
            "waives": ["no-freeze"],
            "fields": ["reason", "rollback-target"],
            "reasons": ["incident", "legal", "regulatory"],
            "approvals": [{"role": "release_manager"}],
        },
    },
    "emergency": {
        "approvals": [{"any_of": ["incident_commander", "release_manager"]}],
        "fields": ["incident", "reason", "scope", "rollback-plan", "follow-ups"],
        "waives": ["window", "no-freeze", "soak", "sast"],
        "lasts": "PT4H",
        "owes": [
            {
                "kind": "review",
                "says": "review the emergency",
                "owner": "release_manager",
                "business_days": 1,
                "by_others": True,
            },
            {"kind": "validation", "says": "attach a run of unit-tests", "owner": "engineer", "within": "P1D"},
        ],
    },
    "change_types": {
        "hotfix": {"fields": ["incident"], "approvals": [{"role": "on_call"}], "instead": True},
        "config": {"approvals": [{"role": "on_call"}], "paths": ["stage→prod"]},
    },
}


def policy(path: dict[str, Any] | None = None, **changes: Any) -> ActivePolicy:
    """That policy with keys changed; `path` changes its path to production."""
    document = {**PEOPLE, **changes}
    paths = document["paths"]
    document["paths"] = [paths[0], {**paths[1], **(path or {})}]
    return ActivePolicy(policy=Policy.model_validate(document), hash="e" * 64)


ACTIVE = policy()
MAY_NOT = {deed: roles for deed, roles in PEOPLE["may"].items() if deed != "emergency"}
CALM = policy(emergency=None, may=MAY_NOT)
"""The same without emergencies."""

FINE: Facts = replace(ALL_GOOD, people=EVERYBODY, exceptions=(), obligations=())
"""maya asked, omar agreed, and everybody is there."""


def at(question: Question = PROMOTION, facts: Facts = FINE, active: ActivePolicy = ACTIVE) -> Case:
    return case(question, facts, active.policy, NOW)


def decided(question: Question = PROMOTION, facts: Facts = FINE, active: ActivePolicy = ACTIVE) -> Decision:
    return decide(question, facts, active, NOW)


def found(rule: str, decision: Decision) -> Finding:
    (finding,) = [finding for finding in decision.findings if finding.rule == rule]
    return finding


def exception(**changes: Any) -> ExceptionRecord:
    """A temporary exception for `unit`, asked for by maya and granted by raj an hour ago."""
    raj: Person = EVERYBODY["raj"]  # type: ignore[index] # a human is a name
    record = ExceptionRecord(
        id="X-4",
        kind="temporary",
        waives=frozenset({"unit"}),
        environment="prod",
        service="checkout",
        digest=None,
        asked_by=MAYA,
        asked_at=NOW - 2 * HOUR,
        starts_at=NOW - 2 * HOUR,
        ends_at=NOW + DAY,
        fields=MappingProxyType(dict.fromkeys(("reason", "risk", "controls", "remediation"), "said")),
        granted_by=(raj,),
        granted_at=NOW - HOUR,
    )
    return replace(record, **changes)


def wanted(**changes: Any) -> ExceptionRecord:
    """The same while nobody has granted it."""
    return exception(**{"granted_by": (), "granted_at": None, **changes})


SAID = MappingProxyType(
    {
        "incident": "INC-7",
        "reason": "checkout is down",
        "scope": "checkout in prod",
        "rollback-plan": "back to the last one",
        "follow-ups": "find out why",
    }
)


def emergency(**changes: Any) -> EmergencyRecord:
    return replace(EmergencyRecord("E-1", SAID, NOW + 4 * HOUR), **changes)


URGENT = replace(PROMOTION, change=EMERGENCY)
ASKING = Question(Deed.EXCEPTION, "checkout", "prod", kind="temporary")
FREEZING = Question(Deed.FREEZE, "checkout", "prod")


def freeze(**changes: Any) -> Freeze:
    """A freeze of prod by ines, from an hour ago for three hours."""
    record = Freeze("F-7", "prod", None, NOW - HOUR, NOW + 2 * HOUR, "month end", "ines", "the books are closed")
    return replace(record, **changes)
