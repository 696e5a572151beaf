"""Rulesets and what they judged: https://docs.github.com/rest/repos/rules, /rest/repos/rule-suites."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.judgement import bypass_mode, holds_for
from bot.sandbox.github.records import as_text, number_of
from bot.sandbox.github.rule_records import Json, Ruleset, RuleSuite, Version

TARGETS, ENFORCEMENTS = ("branch", "tag", "push"), ("disabled", "active", "evaluate")
ACTORS = ("Integration", "OrganizationAdmin", "RepositoryRole", "Team", "DeployKey", "User")
PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}


def _found(call: Call) -> Ruleset:
    for made in call.repository.records.rulesets:
        if str(made.id) == call.words["id"]:
            return made
    raise not_found()


def _source(call: Call, made: Ruleset) -> str:
    return call.repository.full_name if made.source_type == "Repository" else call.repository.owner


def _brief(call: Call, made: Ruleset) -> Json:
    """As in lists: neither rules nor conditions nor who bypasses."""
    url = f"{shapes.repository_url(call.books, call.repository)}/rulesets/{made.id}"
    return {
        "id": made.id,
        "name": made.name,
        "target": made.target,
        "source_type": made.source_type,
        "source": _source(call, made),
        "enforcement": made.enforcement,
        "node_id": shapes.node_id("RepositoryRuleset", made.id),
        "_links": {
            "self": {"href": url},
            "html": {"href": f"{shapes.web_url(call.books, call.repository)}/rules/{made.id}"},
        },
        "created_at": shapes.moment(made.created_at),
        "updated_at": shapes.moment(made.updated_at),
    }


def _whole(call: Call, made: Ruleset) -> Json:
    """As it is shown alone; who bypasses is told only to whoever may change it."""
    mode = bypass_mode(call.books, call.repository, made, call.actor)
    shown = _brief(call, made) | {
        "rules": copy.deepcopy(made.rules),
        "current_user_can_bypass": {"": "never", "pull_request": "pull_requests_only"}.get(mode, mode),
    }
    if made.conditions is not None:
        shown["conditions"] = copy.deepcopy(made.conditions)
    if call.administers_in(call.repository) and made.source_type == "Repository":
        shown["bypass_actors"] = copy.deepcopy(made.bypass_actors)
    return shown


async def list_rulesets(call: Call) -> Answer:
    found = list(call.repository.records.rulesets)
    if call.query.get("includes_parents", "true") == "false":
        found = [made for made in found if made.source_type == "Repository"]
    if "targets" in call.query:
        found = [made for made in found if made.target in call.query["targets"].split(",")]
    return call.page([_brief(call, made) for made in found])


async def get(call: Call) -> Answer:
    return Answer(200, _whole(call, _found(call)))


# Changing -----------------------------------------------------------------------------------------------------------


def _invalid(message: str) -> Refused:
    return Refused(422, "Validation Failed", [{"resource": "Ruleset", "code": "custom", "message": message}])


def _chosen(value: str, known: tuple[str, ...], name: str) -> str:
    if value not in known:
        raise _invalid(f"Invalid property /{name}: `{value}` is not a possible value")
    return value


def _actors(call: Call) -> list[Json]:
    """Left out, they are none: sources disagree whether they stay, and none is what hurts a careless caller."""
    if "bypass_actors" in call.body and call.body["bypass_actors"] is None:
        raise Refused(422, "Invalid request.\n\nInvalid property /bypass_actors: data cannot be null.")
    actors = []
    for given in call.objects("bypass_actors"):
        kind = _chosen(str(given.get("actor_type")), ACTORS, "bypass_actors")
        id = given.get("actor_id")
        if kind == "Integration" and id not in call.books.apps:
            raise _invalid("Actor GitHub App must be installed on the organization or repository")
        actors.append({"actor_id": id, "actor_type": kind, "bypass_mode": given.get("bypass_mode") or "always"})
    return actors


def _rules(call: Call, before: list[Json]) -> list[Json]:
    rules = copy.deepcopy(call.objects("rules") if "rules" in call.body else before)
    for rule in rules:
        if not isinstance(rule.get("type"), str) or not isinstance(rule.get("parameters", {}), dict):
            raise _invalid("Invalid rule")
        if rule["type"] == "pull_request":
            asked = rule.setdefault("parameters", {})
            for name in (
                "dismiss_stale_reviews_on_push",
                "require_code_owner_review",
                "require_last_push_approval",
                "required_review_thread_resolution",
            ):
                asked.setdefault(name, False)
            asked.setdefault("required_approving_review_count", 0)
            asked.setdefault("allowed_merge_methods", ["merge", "squash", "rebase"])
        if rule["type"] == "required_status_checks":
            asked = rule.setdefault("parameters", {})
            asked.setdefault("required_status_checks", [])
            asked.setdefault("strict_required_status_checks_policy", False)
            asked.setdefault("do_not_enforce_on_create", False)
    return rules


def _conditions(call: Call, before: Json | None) -> Json | None:
    given = copy.deepcopy(call.object("conditions") if "conditions" in call.body else before)
    if given and isinstance(given.get("ref_name"), dict):
        given["ref_name"] = {"exclude": [], "include": []} | given["ref_name"]
    return given


def _kept(call: Call, made: Ruleset) -> None:
    """One more version of its history."""
    state = {
        "id": made.id,
        "name": made.name,
        "target": made.target,
        "source_type": made.source_type,
        "source": _source(call, made),
        "enforcement": made.enforcement,
        "bypass_actors": made.bypass_actors,
        "conditions": made.conditions,
        "rules": made.rules,
    }
    made.versions.append(Version(call.books.new_id(), call.login, call.books.now(), copy.deepcopy(state)))


async def create(call: Call) -> Answer:
    name, now = call.text("name"), call.books.now()
    if any(other.name == name for other in call.repository.records.rulesets):
        raise _invalid("Name must be unique")
    made = Ruleset(
        call.books.new_id(),
        name,
        _chosen(as_text(call.body, "target", "branch"), TARGETS, "target"),
        _chosen(call.text("enforcement"), ENFORCEMENTS, "enforcement"),
        _actors(call),
        _conditions(call, {"ref_name": {"exclude": [], "include": []}}),
        _rules(call, []),
        now,
        now,
    )
    call.repository.records.rulesets.append(made)
    _kept(call, made)
    return Answer(201, _whole(call, made))


async def update(call: Call) -> Answer:
    made = _found(call)
    if made.source_type != "Repository":
        raise not_found()
    actors, rules, conditions = _actors(call), _rules(call, made.rules), _conditions(call, made.conditions)
    made.enforcement = _chosen(as_text(call.body, "enforcement", made.enforcement), ENFORCEMENTS, "enforcement")
    made.target = _chosen(as_text(call.body, "target", made.target), TARGETS, "target")
    made.name = as_text(call.body, "name", made.name)
    made.bypass_actors, made.rules, made.conditions = actors, rules, conditions
    made.updated_at = call.books.now()
    _kept(call, made)
    return Answer(200, _whole(call, made))


async def delete(call: Call) -> Answer:
    made = _found(call)
    if made.source_type != "Repository":
        raise not_found()
    call.repository.records.rulesets.remove(made)
    return Answer(204)


# History ------------------------------------------------------------------------------------------------------------


def _version(call: Call, made: Version) -> Json:
    actor = {"id": number_of(made.actor), "type": "Bot" if made.actor.endswith("[bot]") else "User"}
    return {"version_id": made.id, "actor": actor, "updated_at": shapes.moment(made.at)}


async def history(call: Call) -> Answer:
    return call.page([_version(call, made) for made in reversed(_found(call).versions)])


async def version(call: Call) -> Answer:
    for made in _found(call).versions:
        if str(made.id) == call.words["version"]:
            return Answer(200, _version(call, made) | {"state": made.state})
    raise not_found()


# What holds, and what was judged ------------------------------------------------------------------------------------


async def of_branch(call: Call) -> Answer:
    """The rules that are enforced there, each with where it comes from; not who bypasses them."""
    ref = f"refs/heads/{call.words['branch']}"
    found = [
        copy.deepcopy(rule)
        | {"ruleset_source_type": made.source_type, "ruleset_source": _source(call, made), "ruleset_id": made.id}
        for made in call.repository.records.rulesets
        if made.enforcement == "active" and holds_for(made, call.repository, ref)
        for rule in made.rules
    ]
    return call.page(found)


def _suite(call: Call, made: RuleSuite) -> Json:
    return {
        "id": made.id,
        "actor_id": number_of(made.actor),
        "actor_name": made.actor,
        "before_sha": made.before,
        "after_sha": made.after,
        "ref": made.ref,
        "repository_id": call.repository.id,
        "repository_name": call.repository.name,
        "pushed_at": shapes.moment(made.at),
        "result": made.result,
        **({"evaluation_result": made.evaluation} if made.evaluation else {}),
    }


async def suites(call: Call) -> Answer:
    since = call.books.now() - PERIODS.get(call.query.get("time_period", "day"), PERIODS["day"])
    query: dict[str, Any] = dict(call.query)
    found = [
        made
        for made in reversed(call.repository.records.rule_suites)
        if made.at >= since
        and query.get("ref") in {None, made.ref, made.ref.split("/", 2)[2]}
        and query.get("actor_name") in {None, made.actor}
        and query.get("rule_suite_result", "all") in {"all", made.result}
    ]
    return call.page([_suite(call, made) for made in found])


async def suite(call: Call) -> Answer:
    for made in call.repository.records.rule_suites:
        if str(made.id) == call.words["id"]:
            return Answer(200, _suite(call, made) | {"rule_evaluations": made.rules})
    raise not_found()


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO + "/rules/branches/{branch+}", of_branch),
    Route("GET", _REPO + "/rulesets/rule-suites", suites, "administration"),
    Route("GET", _REPO + "/rulesets/rule-suites/{id}", suite, "administration"),
    Route("GET", _REPO + "/rulesets", list_rulesets),
    Route("POST", _REPO + "/rulesets", create, "administration"),
    Route("GET", _REPO + "/rulesets/{id}", get),
    Route("PUT", _REPO + "/rulesets/{id}", update, "administration"),
    Route("DELETE", _REPO + "/rulesets/{id}", delete, "administration"),
    Route("GET", _REPO + "/rulesets/{id}/history", history, "administration"),
    Route("GET", _REPO + "/rulesets/{id}/history/{version}", version, "administration"),
)
