"""The same decision in Cedar, as a peer: what the host must work out for it, and one `forbid` for each rule.

Cedar knows no time zones, counts nobody and matches no patterns, so the host hands over what came of that, with our own
functions. What it gives back is which rules said no: no observed value, no number, and nothing that would help.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import cedarpy

from policy import windows
from policy.case import case
from policy.document import ActivePolicy
from policy.evidence import CheckState
from policy.facts import Question
from policy.glob import like
from policy.votes import Count, counted

_PASSED = 'context.checks has "{0}" && context.checks["{0}"] == "passed"'
_TEMPLATE = (
    '["summary", "risk", "compatibility", "data_migration", "rollout_plan", "rollback_plan", "testing_evidence"]'
)
RULES: Mapping[str, str] = {
    "may-ask": 'context.kind == "human" && context.active && context.roles.containsAny(context.may)',
    "allowed-path": "context.path",
    "change-type": 'context.type == "feature"',
    "same-digest": "context.candidate == context.source",
    "something-to-promote": "context.candidate != context.target",
    "commit-known": "context has commit",
    "verified_in_staging": 'context.verified.contains("staging")',
    "as_in_staging": "context.built == context.candidate",
    "image": "context.image",
    "tag": "context.tag.named && context.tag.commit == context.commit && context.tag.annotated && context.tag.verified"
    ' && context.tag.by == "github:app/release-ci" && context.tag.first == context.commit && context.tag.later',
    "signatures": 'context.signed.containsAll(["tag", "image"])',
    "evidence": 'context.documents.containsAll(["sbom", "provenance", "scan"])',
    "branches": "context.bare == 0 && context.unprotected == 0 && context.misnamed == 0 && context.merged_red == 0"
    " && context.red == 0",
    "reviews": "context.approvals >= 2 && context.ownerless == 0",
    "template": f"context.sections.containsAll({_TEMPLATE}) && context.patterned",
    "risk_label": "context.risk_labels == 1",
    "backports": '!context.labels.contains("backport")'
    ' || context.sections.containsAll(["original_pr", "original_shas", "rationale"])',
    "repository": "context.missing == 0 && context.unowned == 0",
    "ci_checks": " && ".join(map(_PASSED.format, ("lint", "unit-test", "build", "integration-test")))
    + " && context.attempts <= 2",
    "security_checks": " && ".join(map(_PASSED.format, ("sast", "dependency-license-scan", "sbom-generate")))
    + f' && ({_PASSED.format("dast")} || context.said.contains("no-dast"))',
    "secrets_scan": _PASSED.format("secrets-scan"),
    "criticals": 'context.scanned.containsAll(["code_scanning", "dependabot"]) && context.criticals == 0',
    "qa_signoff": '!context.labels.containsAny(["risk:high", "customer-impacting", "data-migration"]) || context.qa',
    "release_branch": '!(context.branch like "release/*") || (context.unpicked == 0 && context.late == 0)',
    "regression": '!(context.branch like "release/*") || context.regression',
    "nothing_lost": "context.lost == 0",
    "blockers": "context.blockers == 0",
    "manifest": "!(context has manifest) || context.manifest",
    "database": '["none", "expand", "migrate", "contract"].contains(context.database)',
    "flags": 'context.undeclared == 0 || context.seen.contains("flags")',
    "way_back": "context.ready && context.retrievable",
    "record": "context.said.containsAll("
    '["ticket", "summary", "risk", "rollback-plan", "release-notes", "known-issues"])',
    "risk_rationale": 'context.risk != "high" || context.said.contains("risk-rationale")',
    "breaking": '!context.labels.contains("type:breaking")'
    ' || context.said.containsAll(["migration-guide", "deprecation-until", "coordination-plan"])',
    "go_no_go": 'context.confirmed.contains("go_no_go.monitoring")',
    "window": "context.open",
    "no-freeze": "context.freezes == 0",
    "no-hold": "context.holds == 0",
    "nothing-overdue": "context.overdue == 0",
    "not-expired": "context.left > 0",
    "second-person": "context.filled >= 1",
    "approvals": "context.filled >= 1 && context.rejected == 0",
}
"""All of our rules but those that only warn, which Cedar cannot say."""

POLICIES = "permit(principal, action, resource);\n" + "\n".join(
    f'@id("{name}") forbid(principal, action, resource) unless {{ {says} }};' for name, says in RULES.items()
)


def context(question: Question, facts: Any, active: ActivePolicy, at: datetime) -> dict[str, Any]:
    """What the host works out."""
    seen, policy, candidate, tag = facts.evidence, active.policy, facts.candidate, facts.evidence.tag
    count = counted(case(question, facts, policy, at))
    pulls, gates = seen.changes.pull_requests, dict[str, Any](policy.gates)
    return {
        "kind": facts.asked_by.kind.value,
        "active": facts.asked_by.active,
        "roles": list(facts.asked_by.roles),
        "may": list(policy.may.promote),
        "path": policy.path(question.service, question.source or "", question.target) is not None,
        "type": question.change,
        "said": [field for field, value in facts.fields.items() if value.strip()],
        "risk": facts.fields.get("risk", ""),
        "candidate": candidate.digest,
        "commit": candidate.commit,
        "source": facts.source_serving.digest,
        "target": facts.target_serving.digest,
        "verified": [
            place
            for place, reached in seen.reached.items()
            if any(one.digest == candidate.digest and one.state == "verified" for one in reached)
        ],
        "built": seen.built["staging"].digest,
        "image": like(seen.image, gates["image"].names) and not like(seen.image, gates["image"].forbid),
        "documents": [name for name, document in seen.documents.items() if document.digest == candidate.digest],
        "checks": {name: "passed" if c.state is CheckState.PASSED else "failed" for name, c in facts.checks.items()},
        "attempts": max(check.attempt for check in facts.checks.values()),
        "tag": {
            "named": re.fullmatch(gates["tag"].pattern, tag.name) is not None,
            "commit": tag.commit,
            "first": tag.first_commit,
            "annotated": tag.annotated,
            "verified": tag.verified,
            "by": tag.made_by,
            "later": tag.name > tag.previous,
        },
        "signed": [subject for subject, signature in seen.signatures.items() if signature.verified],
        "bare": sum(commit.pull_request is None for commit in seen.changes.commits),
        "unprotected": len(seen.branches.unprotected),
        "misnamed": sum(
            not any(re.fullmatch(name, f"{pull.head}→{pull.base}") for name in gates["branches"].names)
            for pull in pulls
        ),
        "merged_red": sum(bool(pull.failed) for pull in pulls),
        "red": len(seen.branches.red),
        "approvals": min(len(pull.approved_by - pull.authors) for pull in pulls),
        "ownerless": sum(len(pull.owners_missing) for pull in pulls),
        "sections": list(set.intersection(*(set(pull.fields) for pull in pulls))),
        "patterned": all(
            re.search(pattern, pull.fields.get(field, ""))
            for pull in pulls
            for field, pattern in gates["template"].matches.items()
        ),
        "risk_labels": max(len(pull.labels & {"risk:low", "risk:medium", "risk:high"}) for pull in pulls),
        "missing": len(seen.repository.missing),
        "unowned": len(seen.repository.unowned),
        "scanned": list(seen.alerts),
        "criticals": sum(len(found.get("critical", ())) for found in seen.alerts.values()),
        "labels": list(seen.changes.labels),
        "qa": False,
        "branch": seen.changes.branch,
        "unpicked": len(seen.branches.not_picked),
        "late": len(seen.branches.late_features),
        "regression": seen.workflows["regression.yml"].state is CheckState.PASSED,
        "lost": sum(map(len, seen.lost.values())),
        "blockers": len(seen.issues),
        "database": seen.database.declared,
        "undeclared": sum(not flag.owner for flag in seen.flags),
        "seen": list(count.confirmed) if isinstance(count, Count) else [],
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
