"""One promotion with nothing wrong, and the policy that judges it: each test changes one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from policy.document import ActivePolicy, Policy
from policy.evidence import Authors
from policy.facts import Candidate, Check, CheckState, Deed, Facts, KnownGood, Question, Serving, Verdict, Vote
from policy.model import AccountKind, Digest, Human, Person, Sha

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)  # a Tuesday, 10:00 in Berlin
PLAN = "3f2a91c" + "0" * 57
OTHER_PLAN = "91cc000" + "0" * 57
COMMIT = Sha("9f1c2ab" + "0" * 33)
NEW, OLD, OLDER = (Digest(f"sha256:{letter * 64}") for letter in "abc")

DOCUMENT: dict[str, Any] = {
    "policy": 1,
    "name": "tests",
    "workspace": "T0ACME",
    "timezone": "Europe/Berlin",
    "people": {name: {"slack": f"U0{name.upper()}"} for name in ("maya", "omar", "olga", "raj", "ines", "lea")},
    "roles": {
        "engineer": {"members": ["maya", "raj", "lea"]},
        "release_manager": {"members": ["omar", "olga"]},
        "tech_lead": {"members": ["raj"]},
        "incident_commander": {"members": ["ines"]},
    },
    "may": {
        "promote": ["engineer", "release_manager"],
        "rollback": ["incident_commander"],
        "freeze": ["release_manager"],
        "lift": ["release_manager"],
    },
    "environments": {
        "dev": {"rank": 0},
        "stage": {"rank": 1, "aliases": ["staging"]},
        "prod": {"rank": 2, "production": True, "aliases": ["production"]},
    },
    "services": {
        "checkout": {
            "repository": "acme/checkout",
            "cloud_run": {
                "dev": "acme-dev/europe-west1/checkout",
                "stage": "acme-stage/europe-west1/checkout",
                "prod": "acme-prod/europe-west1/checkout",
            },
        },
        "search": {"repository": "acme/search", "cloud_run": {"stage": "acme-stage/europe-west1/search"}},
    },
    "windows": {
        "office_hours": {
            "allow": [
                {"weekly": {"days": ["mon", "tue", "wed", "thu"], "start": "09:00", "end": "17:00"}},
                {"weekly": {"days": ["fri"], "start": "09:00", "end": "13:00"}},
            ]
        }
    },
    "paths": [
        {"from": "dev", "to": "stage", "services": ["checkout"]},
        {
            "from": "stage",
            "to": "prod",
            "gates": {"checks": ["build", "unit-tests"], "soak": "PT24H", "window": "office_hours"},
            "approvals": [{"role": "release_manager"}],
        },
    ],
}


def policy_with(**changes: Any) -> ActivePolicy:
    """The policy with the keys of its path to production changed."""
    to_prod = {**DOCUMENT["paths"][1], **changes}
    return ActivePolicy(
        policy=Policy.model_validate({**DOCUMENT, "paths": [DOCUMENT["paths"][0], to_prod]}), hash="f" * 64
    )


ACTIVE = policy_with()
POLICY = ACTIVE.policy
PROMOTION = Question(Deed.PROMOTE, "checkout", "prod", "stage")
ROLLBACK = Question(Deed.ROLLBACK, "checkout", "prod")


def person(name: str, *roles: str, kind: AccountKind = AccountKind.HUMAN, active: bool = True) -> Person:
    return Person(f"slack:T0ACME/U0{name.upper()}", Human(name), name, kind, active, frozenset(roles))


MAYA = person("maya", "engineer")
OMAR = person("omar", "release_manager")
OLGA = person("olga", "release_manager")
RAJ = person("raj", "engineer", "tech_lead")
INES = person("ines", "incident_commander")
EVERYBODY = MappingProxyType({each.human: each for each in (MAYA, OMAR, OLGA, RAJ, INES) if each.human})


def vote(
    voter: Person,
    verdict: Verdict = Verdict.APPROVE,
    at: datetime = NOW - HOUR,
    plan: str = PLAN,
    reason: str = "",
    withdrawn_at: datetime | None = None,
) -> Vote:
    return Vote(voter, verdict, at, plan, reason, withdrawn_at)


ALL_GOOD = Facts(
    asked_by=MAYA,
    asked_at=NOW - 2 * HOUR,
    plan=PLAN,
    expires_at=NOW + 22 * HOUR,
    candidate=Candidate(NEW, COMMIT),
    source_serving=Serving("checkout-r-new", NEW, NOW - 48 * HOUR, COMMIT),
    target_serving=Serving("checkout-r-old", OLD, NOW - 96 * HOUR),
    checks=MappingProxyType({name: Check(name, CheckState.PASSED) for name in ("build", "unit-tests")}),
    freezes=(),
    holds=(),
    known_good=(),
    votes=(vote(OMAR),),
    people=EVERYBODY,
    authors=Authors(frozenset()),
)
"""maya asked to promote checkout to prod, omar agreed, and nothing is in the way."""

GOOD_ROLLBACK = Facts(
    asked_by=INES,
    asked_at=NOW,
    target_serving=Serving("checkout-r-new", NEW, NOW - HOUR),
    rollback_to=KnownGood("checkout-r-old", OLD, NOW - 24 * HOUR, "release op_1"),
    holds=(),
)
"""ines asks to roll checkout back to what was verified yesterday."""


def but(facts: Facts = ALL_GOOD, **changes: Any) -> Facts:
    """The facts with one thing changed."""
    return replace(facts, **changes)
