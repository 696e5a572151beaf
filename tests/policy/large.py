"""One promotion under a policy as large as the largest that we know: thirty gates, five kinds of exceptions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from policy.document import ActivePolicy, Policy
from policy.evidence import (
    Authors,
    Branches,
    Built,
    Changes,
    CheckState,
    Commit,
    Database,
    Document,
    Evidence,
    PullRequest,
    Reached,
    Signature,
    Tag,
    WayBack,
)
from policy.facts import Candidate, Check, Deed, Facts, Question, Serving
from policy.model import Human, Person, Sha
from tests.policy.good import COMMIT, HOUR, NEW, NOW, OLD, OLDER, PLAN, person, vote

TEMPLATE = [
    "summary",
    "ticket",
    "risk",
    "change_type",
    "backward_compatibility",
    "data_migration",
    "rollout_plan",
    "rollback_plan",
    "testing_evidence",
    "security_testing",
    "codeowners_impacted",
]
CHECKS = [
    "lint",
    "unit-test",
    "build",
    "integration-test",
    "sast",
    "dependency-license-scan",
    "sbom-generate",
    "secrets-scan",
]
SHAPE = ["services", "env_keys", "secret_keys", "ingress"]
FIELDS = ["ticket", "summary", "risk", "rollback-plan", "release-notes", "known-issues"]

GATES: dict[str, dict[str, Any]] = {
    "staging_verified": {"kind": "order", "environment": "stage", "state": "verified", "source": "L1098"},
    "same_artifact": {"kind": "same", "by": "digest", "environment": "stage", "source": "L397, L1197, L2396"},
    "tag_ok": {
        "kind": "tag",
        "pattern": r"^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$",
        "signed": True,
        "created_by": ["github:app/release-ci"],
        "semver": True,
        "source": "L989-996, L978",
    },
    "signatures": {"kind": "signature", "subjects": ["tag", "image"], "source": "L2745"},
    "attestations": {"kind": "evidence", "items": ["sbom", "provenance", "scan_summary"], "source": "L998, L2734-2736"},
    "range_has_prs": {
        "kind": "branch",
        "require": ["pull_requests_only", "protected", "naming"],
        "names": ["^main$", r"^feature/[A-Z]+-\d+→main$"],
        "source": "L394, L823",
    },
    "reviews": {"kind": "reviews", "at_least": 2, "codeowners": True, "source": "L2098, L2686"},
    "pr_template": {"kind": "pull_request", "fields": TEMPLATE, "source": "L3009-3081"},
    "ci_checks": {"kind": "checks", "names": CHECKS[:4], "max_attempts": 2, "source": "L1134-1141, L1179-1190"},
    "security_checks": {
        "kind": "checks",
        "names": CHECKS[4:7],
        "optional": ["dast"],
        "waivable": "emergency",
        "source": "L1139, L2609",
    },
    "criticals": {
        "kind": "alerts",
        "sources": ["code_scanning", "dependabot"],
        "at_most": {"critical": 0},
        "waivable": "emergency",
        "source": "L563",
    },
    "secrets_scan": {"kind": "checks", "names": CHECKS[7:], "waivable": "emergency", "source": "L1840, L3066"},
    "qa_signoff": {
        "kind": "signoff",
        "role": "qa",
        "when": {"labels": ["risk:high", "customer-impacting", "data-migration"]},
        "source": "L884",
    },
    "security_review": {
        "kind": "signoff",
        "role": "security_reviewer",
        "when": {"labels": ["security-sensitive"], "files": ["auth/**"], "severities": ["sev1"]},
        "applies_to": ["hotfix"],
        "source": "L1488",
    },
    "conventional": {"kind": "pull_request", "titled": "^(feat|fix): ", "mode": "warn", "source": "L857"},
    "no_lost_hotfix": {"kind": "lost_changes", "look_for": ["hotfix", "reverted_promotion"], "source": "L1515"},
    "hotfix_base": {
        "kind": "branch",
        "require": ["cut_from_production"],
        "applies_to": ["hotfix"],
        "source": "L786, L2508",
    },
    "release_branch_clean": {
        "kind": "branch",
        "require": ["cherry_picks_only"],
        "when": {"branches": ["release/*"]},
        "source": "L778, L1333, L1341",
    },
    "blockers": {"kind": "issues", "labels": ["release-blocker"], "source": "L1362"},
    "database": {
        "kind": "database",
        "allows": ["none", "expand", "migrate", "contract"],
        "contract_after": "P7D",
        "source": "L1865-1873, L3012",
    },
    "manifest_set": {"kind": "manifest", "source": "L1732-1737"},
    "flags_declared": {"kind": "flags", "mode": "acknowledge", "source": "L1621, L1971"},
    "parity": {
        "kind": "parity",
        "left": "stage",
        "right": "prod",
        "shape": SHAPE,
        "mode": "warn",
        "source": "L1817",
    },
    "rollback_ready": {"kind": "rollback_ready", "waivable": "emergency", "source": "L1201, L3165"},
    "record_complete": {"kind": "record", "fields": FIELDS, "waivable": "never", "source": "L2995, L2999"},
    "go_no_go": {"kind": "checklist", "checklist": "go_no_go", "source": "L3157-3166"},
    "dev_verified": {"kind": "order", "environment": "dev", "state": "verified", "source": "L1095-1096"},
}
ON_DEV = ("dev_verified", "attestations", "ci_checks", "security_checks")
LATER = ("security_review", "hotfix_base")
"""What only hotfixes must meet, besides."""
ON_STAGE = tuple(name for name in GATES if name not in {*ON_DEV, *LATER})

DOCUMENT: dict[str, Any] = {
    "policy": 1,
    "name": "large",
    "workspace": "T0ACME",
    "timezone": "UTC",
    "people": {
        name: {"slack": f"U0{name.upper()}"}
        for name in ("maya", "raj", "omar", "olga", "rosa", "ines", "sven", "quinn", "vera", "emil")
    },
    "roles": {
        "engineer": {"members": ["maya", "raj"]},
        "release_manager": {"members": ["omar", "olga"]},
        "release_captain": {"members": ["rosa"]},
        "incident_commander": {"members": ["ines"]},
        "service_owner": {"members": ["sven", "raj"]},
        "qa": {"members": ["quinn"]},
        "security_reviewer": {"members": ["vera"]},
        "engineering_manager": {"members": ["emil"]},
    },
    "may": {
        "promote": ["engineer", "release_manager", "release_captain"],
        "rollback": ["incident_commander", "service_owner", "release_manager"],
        "freeze": ["release_manager", "incident_commander"],
        "lift": ["release_manager"],
        "exception": ["engineer", "engineering_manager", "release_manager"],
        "emergency": ["incident_commander", "service_owner", "release_manager", "engineer"],
    },
    "environments": {
        "dev": {"rank": 0},
        "stage": {"rank": 1, "aliases": ["staging"]},
        "prod": {"rank": 2, "production": True, "aliases": ["production"]},
    },
    "services": {
        "api": {
            "repository": "acme/api",
            "cloud_run": {
                "dev": "acme-dev/europe-west1/api",
                "stage": "acme-stage/europe-west1/api",
                "prod": "acme-prod/europe-west1/api",
            },
        }
    },
    "windows": {
        "prod": {"allow": [{"weekly": {"days": ["mon", "tue", "wed", "thu"], "start": "09:00", "end": "16:00"}}]}
    },
    "checklists": {
        "go_no_go": [
            {"id": "tag", "text": "Tag verified", "by": "gate", "gate": "tag_ok"},
            {"id": "digest", "text": "Same digest as in stage", "by": "gate", "gate": "same_artifact"},
            {"id": "checks", "text": "Checks passed", "by": "gate", "gate": "ci_checks"},
            {"id": "documents", "text": "Documents attached", "by": "gate", "gate": "attestations"},
            {"id": "reviews", "text": "Owners approved", "by": "gate", "gate": "reviews"},
            {"id": "rollback", "text": "There is a way back", "by": "gate", "gate": "rollback_ready"},
            {"id": "watched", "text": "Somebody watches", "by": "requester"},
        ]
    },
    "gates": GATES,
    "change_types": {
        "feature": {"fields": ["ticket", "risk"], "emergency_outside_window": True},
        "hotfix": {
            "approvals": [{"role": "release_manager"}],
            "adds": list(LATER),
            "fields": ["rollback-plan"],
            "emergency_outside_window": True,
        },
        "config": {
            "approvals": [{"any_of": ["release_manager", "service_owner"]}],
            "instead": True,
            "waives": ["signatures", "tag_ok"],
            "fields": ["ticket", "rollback-plan"],
        },
        "flag": {"waives": ["signatures", "tag_ok"], "window": "any", "freeze": "any"},
    },
    "freezes": {
        "approvals": [{"any_of": ["release_manager", "service_owner"]}],
        "provisional": "PT1H",
        "fields": ["exit"],
    },
    "exceptions": {
        "temporary": {
            "approvals": [{"any_of": ["release_manager", "service_owner", "security_reviewer"]}],
            "waives": ["reviews", "ci_checks", "qa_signoff", "blockers", "attestations", "signatures", "no-freeze"],
            "fields": ["reason", "scope"],
        },
        "gate_bypass": {
            "approvals": [{"role": "release_manager"}],
            "waives": ["ci_checks"],
            "longest": "P7D",
            "uses": 1,
        },
        "quarantine": {"approvals": [{"role": "service_owner"}], "waives": ["ci_checks"]},
        "permanent": {"approvals": [{"role": "release_manager"}], "waives": ["parity"], "longest": None},
        "emergency_waiver": {
            "approvals": [{"any_of": ["incident_commander", "service_owner", "release_manager"]}],
            "waives": ["security_checks", "criticals", "secrets_scan", "rollback_ready"],
            "longest": "PT4H",
            "emergency": True,
        },
    },
    "emergency": {
        "approvals": [{"any_of": ["incident_commander", "service_owner", "release_manager"]}],
        "waives": ["window", "no-freeze", "go_no_go", "rollback_ready", "criticals"],
        "owes": [
            {
                "kind": "review",
                "says": "the emergency is reviewed",
                "owner": "service_owner",
                "business_days": 1,
                "by_others": True,
            }
        ],
    },
    "paths": [
        {"from": "dev", "to": "stage", "requires": ON_DEV},
        {
            "from": "stage",
            "to": "prod",
            "inherits": "dev→stage",
            "requires": ON_STAGE,
            "gates": {"window": "prod", "soak": "PT24H"},
            "approvals": [{"role": "release_manager"}],
            "approval_lasts": "PT8H",
            "reason": True,
        },
    ],
}
LARGE = ActivePolicy(policy=Policy.model_validate(DOCUMENT), hash="a" * 64)
ORDINARY = Question(Deed.PROMOTE, "api", "prod", "stage", change="feature")

ROLES = {name: role["members"] for name, role in DOCUMENT["roles"].items()}
PEOPLE: dict[Human, Person] = {
    Human(name): person(name, *(role for role, members in ROLES.items() if name in members))
    for name in DOCUMENT["people"]
}
_PULL = PullRequest(
    number=41,
    title="feat: pay by bank",
    labels=frozenset({"feature"}),
    fields=dict.fromkeys(TEMPLATE, "said"),
    authors=frozenset({"maya-gh"}),
    approved_by=frozenset({"raj-gh", "sven-gh"}),
    head="feature/PAY-41",
    base="main",
)
SEEN = Evidence(
    changes=Changes(
        commits=(Commit(COMMIT, "feat: pay by bank", frozenset({"maya-gh"}), 41),),
        pull_requests=(_PULL,),
        files=("pay/bank.py", "pay/test_bank.py"),
        branch="main",
    ),
    branches=Branches(),
    built={"stage": Built(digest=NEW, commit=COMMIT)},
    alerts={"code_scanning": {}, "dependabot": {"low": ("CVE-1",)}},
    alerts_at=NOW - HOUR,
    tag=Tag(
        name="v1.4.3",
        commit=COMMIT,
        annotated=True,
        verified=True,
        made_by="github:app/release-ci",
        first_commit=COMMIT,
        previous="v1.4.2",
    ),
    signatures={each: Signature(verified=True, by="release-ci") for each in ("tag", "image")},
    documents={each: Document(f"https://evidence/{each}", NEW, NOW) for each in ("sbom", "provenance", "scan_summary")},
    issues=(),
    way_back=WayBack("api-r-old", OLD, ready=True, retrievable=True),
    database=Database(declared="none"),
    flags=(),
    lost={"hotfix": (), "reverted_promotion": ()},
    manifest=None,
    reached={
        "dev": (Reached(NEW, "verified", NOW - 96 * HOUR),),
        "stage": (Reached(NEW, "verified", NOW - 48 * HOUR), Reached(OLDER, "verified", NOW - 480 * HOUR)),
    },
    shapes={end: {f"api.{key}": "same" for key in SHAPE} for end in ("stage", "prod")},
)
ALL_WELL = Facts(
    asked_by=PEOPLE[Human("maya")],
    asked_at=NOW - 2 * HOUR,
    plan=PLAN,
    expires_at=NOW + 22 * HOUR,
    candidate=Candidate(NEW, COMMIT),
    source_serving=Serving("api-r-new", NEW, NOW - 48 * HOUR, COMMIT),
    target_serving=Serving("api-r-old", OLD, NOW - 480 * HOUR, Sha("1" * 40)),
    checks={name: Check(name, CheckState.PASSED, at=NOW - HOUR) for name in CHECKS},
    freezes=(),
    holds=(),
    known_good=(),
    votes=(vote(PEOPLE[Human("omar")], at=NOW - HOUR, reason="go"),),
    people=PEOPLE,
    authors=Authors(frozenset({Human("maya")})),
    reviewers=frozenset({Human("raj"), Human("sven")}),
    evidence=SEEN,
    fields=dict.fromkeys(FIELDS, "said"),
    confirmed=frozenset({"go_no_go.watched"}),
    exceptions=(),
    obligations=(),
)
"""maya asked to promote api to prod, omar agreed, and nothing is in the way."""

NIGHT = NOW + timedelta(hours=13)
"""The window is shut, and omar's approval has lapsed."""
