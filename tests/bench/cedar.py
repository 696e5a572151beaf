"""The same decision in Cedar, as a peer: what the host must work out for it, and one `forbid` for each rule.

Cedar knows no time zones, counts nobody and matches no patterns, so the host hands over what came of that. What it
gives back is which rules said no, by their ids: no observed value, no number, nothing that would help.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import cedarpy

from policy import windows
from policy.case import case
from policy.document import ActivePolicy
from policy.evidence import CheckState
from policy.facts import Question
from policy.votes import Count, counted
from tests.policy.large import CHECKS, FIELDS, GATES, TEMPLATE

_CHECKS = {"ci_checks": CHECKS[:4], "security_checks": CHECKS[4:7], "secrets_scan": CHECKS[7:]}
_RULES = {
    "may-ask": 'context.kind == "human" && context.active && context.roles.containsAny(context.may)',
    "allowed-path": "context.path",
    "change-type": 'context.said.containsAll(["ticket", "risk"])',
    "same-digest": "context has candidate && context has source && context.candidate == context.source",
    "something-to-promote": "context has candidate && context has target && context.candidate != context.target",
    "commit-known": "context has commit",
    "dev_verified": 'context.verified.contains("dev")',
    "attestations": 'context.documents.containsAll(["sbom", "provenance", "scan_summary"])',
    **{
        name: " && ".join(f'context.checks has "{each}" && context.checks["{each}"] == "passed"' for each in names)
        for name, names in _CHECKS.items()
    },
    "soak": "context.soaked >= 86400",
    "staging_verified": 'context.verified.contains("stage")',
    "same_artifact": "context has built && context.built == context.candidate",
    "tag_ok": "context has tag && context.tag.named && context.tag.commit == context.commit && context.tag.annotated"
    ' && context.tag.verified && context.tag.by == "github:app/release-ci" && context.tag.later',
    "signatures": 'context.signed.containsAll(["tag", "image"])',
    "range_has_prs": "context.unreviewed == 0 && context.unprotected == 0 && context.misnamed == 0",
    "reviews": "context.approvals >= 2 && context.ownerless == 0",
    "pr_template": f"context.sections.containsAll({list(TEMPLATE)})".replace("'", '"'),
    "criticals": 'context.scanned.containsAll(["code_scanning", "dependabot"]) && context.criticals == 0',
    "qa_signoff": '!context.labels.containsAny(["risk:high", "customer-impacting", "data-migration"]) || context.qa',
    "no_lost_hotfix": "context.lost == 0",
    "release_branch_clean": '!(context.branch like "release/*") || context.unpicked == 0',
    "blockers": "context.blockers == 0",
    "database": '["none", "expand", "migrate", "contract"].contains(context.database)',
    "manifest_set": "!(context has manifest) || context.manifest",
    "flags_declared": "context.undeclared == 0",
    "rollback_ready": "context.ready && context.retrievable",
    "record_complete": f"context.said.containsAll({list(FIELDS)})".replace("'", '"'),
    "go_no_go": 'context.confirmed.contains("go_no_go.watched")',
    "window": "context.open",
    "no-freeze": "context.freezes == 0",
    "no-hold": "context.holds == 0",
    "nothing-overdue": "context.overdue == 0",
    "not-expired": "context.left > 0",
    "second-person": "context.filled >= 1",
    "approvals": "context.filled >= 1 && context.rejected == 0",
}
"""All of our rules but the two that only warn, which Cedar cannot say."""

POLICIES = "permit(principal, action, resource);\n" + "\n".join(
    f'@id("{name}") forbid(principal, action, resource) unless {{ {says} }};' for name, says in _RULES.items()
)


def context(question: Question, facts: Any, active: ActivePolicy, at: datetime) -> dict[str, Any]:
    """What the host works out, with our own functions where Cedar cannot."""
    seen, policy, candidate = facts.evidence, active.policy, facts.candidate
    count = counted(case(question, facts, policy, at))
    pulls, tag = seen.changes.pull_requests, seen.tag
    return {
        "kind": facts.asked_by.kind.value,
        "active": facts.asked_by.active,
        "roles": list(facts.asked_by.roles),
        "may": list(policy.may.promote),
        "path": policy.path(question.service, question.source or "", question.target) is not None,
        "said": [field for field, value in facts.fields.items() if value.strip()],
        "candidate": candidate.digest,
        "commit": candidate.commit,
        "source": facts.source_serving.digest,
        "target": facts.target_serving.digest,
        "verified": [
            place
            for place, reached in seen.reached.items()
            if any(one.digest == candidate.digest and one.state == "verified" for one in reached)
        ],
        "documents": [name for name, document in seen.documents.items() if document.digest == candidate.digest],
        "checks": {name: "passed" if c.state is CheckState.PASSED else "failed" for name, c in facts.checks.items()},
        "soaked": int((at - facts.source_serving.since).total_seconds()),
        "built": seen.built["stage"].digest,
        "tag": {
            "named": re.fullmatch(GATES["tag_ok"]["pattern"], tag.name) is not None,
            "commit": tag.commit,
            "annotated": tag.annotated,
            "verified": tag.verified,
            "by": tag.made_by,
            "later": tag.name > tag.previous,
        },
        "signed": [subject for subject, signature in seen.signatures.items() if signature.verified],
        "unreviewed": sum(commit.pull_request is None for commit in seen.changes.commits),
        "unprotected": len(seen.branches.unprotected),
        "misnamed": sum(re.fullmatch(r"feature/[A-Z]+-\d+", pull.head) is None for pull in pulls),
        "approvals": min(len(pull.approved_by - pull.authors) for pull in pulls),
        "ownerless": sum(len(pull.owners_missing) for pull in pulls),
        "sections": list(set.intersection(*(set(pull.fields) for pull in pulls))),
        "scanned": list(seen.alerts),
        "criticals": sum(len(open_.get("critical", ())) for open_ in seen.alerts.values()),
        "labels": list(seen.changes.labels),
        "qa": False,
        "lost": sum(map(len, seen.lost.values())),
        "branch": seen.changes.branch,
        "unpicked": len(seen.branches.not_picked),
        "blockers": len(seen.issues),
        "database": seen.database.declared,
        "undeclared": sum(not flag.owner for flag in seen.flags),
        "ready": seen.way_back.ready,
        "retrievable": seen.way_back.retrievable is True,
        "confirmed": list(facts.confirmed),
        "open": windows.named(policy, "prod").is_open(at),
        "freezes": sum(freeze.holds(at) for freeze in facts.freezes),
        "holds": sum(hold.digest == candidate.digest for hold in facts.holds),
        "overdue": sum(one.due_at <= at for one in facts.obligations),
        "left": int((facts.expires_at - at).total_seconds()),
        "filled": len(count.filled) if isinstance(count, Count) else 0,
        "rejected": len(count.rejected) if isinstance(count, Count) else 1,
    }


def decider() -> Callable[[dict[str, Any]], list[str]]:
    """Which rules say no to a context, everything that can be parsed beforehand parsed."""
    policies = cedarpy.PolicySet.from_str(POLICIES)
    entities = cedarpy.Entities.from_json_str("[]")

    def decide(context: dict[str, Any]) -> list[str]:
        asked = {
            "principal": 'User::"maya"',
            "action": 'Action::"promote"',
            "resource": 'Place::"api@prod"',
            "context": context,
        }
        answer = cedarpy.is_authorized(asked, policies, entities)
        if answer.diagnostics.errors:
            message = f"Cedar could not judge: {answer.diagnostics.errors}"
            raise ValueError(message)
        names = answer.diagnostics.id_annotations_by_reason
        return [] if answer.allowed else sorted(names[reason] for reason in answer.diagnostics.reasons)

    return decide
