"""May this ref move so? Which rules hold for it, who need not keep them, and what they say together."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.github.records import Actor, Books, Repository
from bot.sandbox.github.rule_records import Json, Protection, Ruleset, RuleSuite
from bot.sandbox.github.rules import Move, says


@dataclass(frozen=True, slots=True)
class Set:
    """Rules that hold for a ref, and where they come from."""

    rules: tuple[Json, ...]
    ruleset: Ruleset | None = None
    protection: Protection | None = None

    @property
    def tried_out(self) -> bool:
        return self.ruleset is not None and self.ruleset.enforcement == "evaluate"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that is not kept."""

    rule: str
    says: str
    by: Set


# Which rules hold ---------------------------------------------------------------------------------------------------


def holds_for(ruleset: Ruleset, repository: Repository, ref: str) -> bool:
    """True where that ruleset is about that ref, whether it is enforced or not."""
    if ruleset.target != {"heads": "branch", "tags": "tag"}.get(ref.split("/")[1], ""):
        return False
    names = (ruleset.conditions or {}).get("ref_name") or {}

    def fits(pattern: str) -> bool:
        if pattern == "~ALL":
            return True
        if pattern == "~DEFAULT_BRANCH":
            return ref == f"refs/heads/{repository.default_branch}"
        return _glob(pattern, ref)

    included = any(fits(pattern) for pattern in names.get("include", ()))
    return included and not any(fits(pattern) for pattern in names.get("exclude", ()))


def _glob(pattern: str, name: str) -> bool:
    """As GitHub matches names: `*` stops at a slash, `**` does not."""
    expression = "".join(
        {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece))
        for piece in re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    )
    return re.fullmatch(expression, name) is not None


def protection_of(repository: Repository, branch: str) -> Protection | None:
    """The classic protection that holds for that branch: its own before that of a pattern."""
    found = repository.records.protections
    return found.get(branch) or next(
        (one for one in found.values() if "*" in one.pattern and fnmatch.fnmatchcase(branch, one.pattern)), None
    )


def sets_for(repository: Repository, ref: str) -> list[Set]:
    """All rules about that ref, those that are only tried out included."""
    sets = [
        Set(tuple(one.rules), ruleset=one)
        for one in repository.records.rulesets
        if one.enforcement in {"active", "evaluate"} and holds_for(one, repository, ref)
    ]
    protection = protection_of(repository, ref.removeprefix("refs/heads/")) if ref.startswith("refs/heads/") else None
    if protection is not None:
        sets.append(Set(tuple(in_rules(protection)), protection=protection))
    return sets


def in_rules(protection: Protection) -> Iterable[Json]:
    """Classic protection in the words of rulesets."""
    said = protection.said
    checks, reviews = said.get("required_status_checks"), said.get("required_pull_request_reviews")
    if checks is not None:
        required = [
            {"context": one["context"], **({"integration_id": one["app_id"]} if one.get("app_id") else {})}
            for one in checks["checks"]
        ]
        asked: Json = {"strict_required_status_checks_policy": checks["strict"], "required_status_checks": required}
        yield {"type": "required_status_checks", "parameters": asked}
    if reviews is not None:
        asked = {
            "required_approving_review_count": reviews.get("required_approving_review_count", 1),
            "dismiss_stale_reviews_on_push": reviews.get("dismiss_stale_reviews", False),
            "require_code_owner_review": reviews.get("require_code_owner_reviews", False),
            "require_last_push_approval": reviews.get("require_last_push_approval", False),
            "excused": reviews.get("bypass_pull_request_allowances") or {},
        }
        yield {"type": "pull_request", "parameters": asked}
    if said.get("restrictions") is not None:
        yield {"type": "restrictions", "parameters": said["restrictions"]}
    if said.get("required_linear_history"):
        yield {"type": "required_linear_history"}
    if said.get("lock_branch"):
        yield {"type": "update"}
    if protection.also.get("requiresDeployments"):
        wanted = list(protection.also.get("requiredDeploymentEnvironments", ()))
        yield {"type": "required_deployments", "parameters": {"required_deployment_environments": wanted}}
    if protection.signatures:
        yield {"type": "required_signatures"}
    if not said.get("allow_force_pushes"):
        yield {"type": "non_fast_forward", "parameters": {"excused": protection.also.get("force_pushers", {})}}
    if not said.get("allow_deletions"):
        yield {"type": "deletion"}


# Who need not keep them ---------------------------------------------------------------------------------------------

_ROLE_IDS = {2: "maintain", 4: "write", 5: "admin"}  # RepositoryRole ids of the predefined roles


def bypass_mode(books: Books, repository: Repository, ruleset: Ruleset, actor: Actor) -> str:
    """`always`, `exempt`, `pull_request`, or empty: that actor must keep these rules."""
    order = ("", "pull_request", "always", "exempt")
    modes = [""]
    for one in ruleset.bypass_actors:
        id, team = one.get("actor_id"), next((t for t in books.teams.values() if t.id == one.get("actor_id")), None)
        named = {
            "Integration": actor.app != 0 and id == actor.app,
            "OrganizationAdmin": not actor.app and actor.role == "admin",
            "RepositoryRole": not actor.app and _ROLE_IDS.get(id or 0) == actor.role,
            "Team": team is not None and actor.login in team.members,
            "User": not actor.app and id == books.person_id(actor.login),
        }
        if named.get(one["actor_type"]):
            modes.append(one.get("bypass_mode") or "always")
    return max(modes, key=order.index)


def _excused(books: Books, repository: Repository, by: Set, rule: Json, move: Move, actor: Actor) -> str:
    """`exempt`, `bypass`, or empty."""
    if by.ruleset is not None:
        mode = bypass_mode(books, repository, by.ruleset, actor)
        if mode == "exempt":
            return "exempt"
        return "bypass" if mode == "always" or (mode == "pull_request" and move.pull is not None) else ""
    if by.protection is None:
        return ""
    for_all = rule["type"] in {"non_fast_forward", "deletion", "update"}
    if not for_all and actor.role == "admin" and not by.protection.said.get("enforce_admins"):
        return "bypass"
    excused = (rule.get("parameters") or {}).get("excused") or {}
    app = books.apps.get(actor.app)
    named = (
        actor.login in excused.get("users", ())
        or actor.teams & set(excused.get("teams", ()))
        or (app is not None and app.slug in excused.get("apps", ()))
    )
    return "bypass" if named else ""


# The judgement ------------------------------------------------------------------------------------------------------


async def judge(
    books: Books, repository: Repository, move: Move, actor: Actor | None
) -> tuple[list[Violation], RuleSuite | None]:
    """What stops that move, and GitHub's record of it where rulesets are about the ref.

    Without an actor: what the rules say, whoever asks.
    """
    stopping: list[Violation] = []
    told: list[Json] = []
    results: dict[bool, set[str]] = {True: set(), False: set()}
    asker = actor or Actor("", 0, "none", frozenset())
    for by in sets_for(repository, move.ref):
        for rule in by.rules:
            excused = _excused(books, repository, by, rule, move, asker) if actor else ""
            if excused == "exempt":
                continue
            said = await says(books, repository, move, asker, rule)
            result = "pass" if not said else "bypass" if excused else "fail"
            results[by.tried_out].add(result)
            if result == "fail" and not by.tried_out:
                stopping += [Violation(rule["type"], one, by) for one in said]
            if by.ruleset is not None:
                told.append(_told(by.ruleset, rule["type"], said))
    if not told or actor is None:
        return stopping, None
    suite = RuleSuite(
        books.new_id(),
        asker.login,
        move.old,
        move.new,
        move.ref,
        books.now(),
        _worst(results[False]) or "pass",
        _worst(results[True]),
        told,
    )
    return stopping, suite


def _told(ruleset: Ruleset, kind: str, says: list[str]) -> Json:
    source: dict[str, Any] = {"type": "ruleset", "id": ruleset.id, "name": ruleset.name}
    result = "fail" if says else "pass"
    told: Json = {"rule_source": source, "enforcement": ruleset.enforcement, "result": result, "rule_type": kind}
    return told | ({"details": " ".join(says)} if says else {"details": None})


def _worst(results: set[str]) -> str | None:
    return next((result for result in ("fail", "bypass", "pass") if result in results), None)


def worded(violations: Iterable[Violation]) -> str:
    """As GitHub words a refusal: rulesets under their heading, classic protection as it is."""
    found = list(violations)
    ruled = dict.fromkeys(one.says for one in found if one.by.ruleset is not None)
    if ruled:
        return "Repository rule violations found\n\n" + "".join(f"{says}\n\n" for says in ruled)
    return " ".join(dict.fromkeys(one.says for one in found))
