"""GraphQL of the local GitHub: what REST cannot see or do, and that it tells the same truth."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Any

import graphql
import pytest

from bot.sandbox.github.graph import schema
from tests.bot.github_world import OFFICIAL
from tests.bot.sandbox.github_place import BREAK_GLASS, PROMOTER, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = "query($o: String!, $n: String!) { repository(owner: $o, name: $n) { id } }"
UPDATE = "mutation($in: UpdateRefsInput!) { updateRefs(input: $in) { clientMutationId } }"
COMMIT = (
    "mutation($in: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $in) { commit { oid } ref { name } } }"
)
REVERT = """mutation($in: RevertPullRequestInput!) { revertPullRequest(input: $in) {
    revertPullRequest { number headRefOid headRefName title isDraft } } }"""
GATE = """query($o: String!, $n: String!, $pr: Int!, $after: String) { repository(owner: $o, name: $n) { pullRequest(number: $pr) {
    number state isDraft mergeable mergeStateStatus reviewDecision headRefOid baseRefName isMergeQueueEnabled
    mergeCommit { oid parents(first: 2) { nodes { oid } } }
    reviews(first: 100) { nodes { state author { login } commit { oid } onBehalfOf(first: 5) { nodes { slug } } } }
    reviewRequests(first: 10) { nodes { asCodeOwner requestedReviewer { ... on User { login } ... on Team { slug } } } }
    commits(last: 1) { nodes { commit { oid statusCheckRollup { state contexts(first: 2, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { __typename
            ... on CheckRun { name status conclusion isRequired(pullRequestNumber: $pr) checkSuite { app { databaseId } } }
            ... on StatusContext { context state isRequired(pullRequestNumber: $pr) } } } } } } } } } }"""
RULES = """query($o: String!, $n: String!) { repository(owner: $o, name: $n) { branchProtectionRules(first: 10) { nodes {
    id pattern requiresDeployments requiredDeploymentEnvironments isAdminEnforced requiredApprovingReviewCount
    requiredStatusChecks { context app { databaseId } } matchingRefs(first: 5) { nodes { name } }
    bypassForcePushAllowances(first: 5) { nodes { actor { ... on App { slug } ... on User { login } } } } } } } }"""
CHANGE = """mutation($in: UpdateBranchProtectionRuleInput!) { updateBranchProtectionRule(input: $in) {
    branchProtectionRule { id pattern isAdminEnforced requiresDeployments } } }"""


def named(place: Place) -> dict[str, Any]:
    owner, name = place.name.split("/")
    return {"o": owner, "n": name}


async def id_of(place: Place) -> str:
    return str((await place.graph(ID, named(place)))["repository"]["id"])


async def moved(place: Place, ref: str, before: str | None, after: str, *, force: bool = False) -> str:
    """Empty where it moved, else what was said."""
    update = {"name": f"refs/heads/{ref}", "afterOid": after, "force": force}
    update |= {"beforeOid": before} if before else {}
    said = await place.graph(UPDATE, {"in": {"repositoryId": await id_of(place), "refUpdates": [update]}})
    return said[0]["message"] if isinstance(said, list) else ""


# Refs ---------------------------------------------------------------------------------------------------------------


async def test_a_ref_moves_only_from_where_it_was_thought_to_be(place: Place) -> None:
    old = place.git("rev-parse", "main")
    new = await place.branch("dev", {"a": "a"})
    await place.world.set_ref(place.name, "refs/heads/release", old)
    assert "expected" in await moved(place, "release", new, new)
    assert await moved(place, "release", old, new) == ""
    assert "not a fast forward" in await moved(place, "release", new, old)
    assert await moved(place, "release", new, old, force=True) == ""
    assert place.git("rev-parse", "release") == old


async def test_several_refs_move_together_or_not_at_all(place: Place) -> None:
    old, new = place.git("rev-parse", "main"), await place.branch("dev", {"a": "a"})
    await place.world.set_ref(place.name, "refs/heads/one", old)
    updates = [
        {"name": "refs/heads/one", "beforeOid": old, "afterOid": new},
        {"name": "refs/heads/two", "beforeOid": new, "afterOid": new},
    ]
    wanted = {"repositoryId": await id_of(place), "refUpdates": updates}
    assert isinstance(await place.graph(UPDATE, {"in": wanted}), list)
    assert place.git("rev-parse", "one") == old
    updates[1]["beforeOid"] = "0" * 40
    assert await place.graph(UPDATE, {"in": wanted}) == {"updateRefs": {"clientMutationId": None}}
    assert (place.git("rev-parse", "one"), place.git("rev-parse", "two")) == (new, new)


async def test_of_eight_rival_moves_from_one_place_exactly_one_wins(place: Place) -> None:
    old = place.git("rev-parse", "main")
    rivals = [await place.branch(f"rival-{n}", {"a": f"{n}"}) for n in range(8)]
    await place.world.set_ref(place.name, "refs/heads/release", old)
    said = await asyncio.gather(*(moved(place, "release", old, rival) for rival in rivals))
    assert sum(one == "" for one in said) == 1
    assert place.git("rev-parse", "release") == rivals[said.index("")]


async def test_rules_hold_for_graphql_too_and_their_bypass(place: Place) -> None:
    new = await place.branch("dev", {"a": "a"})
    actors = [{"actor_id": PROMOTER, "actor_type": "Integration", "bypass_mode": "always"}]
    conditions = {"ref_name": {"include": ["refs/heads/main"], "exclude": []}}
    body = {"name": "A", "enforcement": "active", "conditions": conditions, "bypass_actors": actors}
    await place.asks()("POST", "rulesets", body | {"rules": [{"type": "deletion"}, {"type": "update"}]})
    wanted = {"repositoryId": await id_of(place), "refUpdates": [{"name": "refs/heads/main", "afterOid": new}]}
    (refused,) = await place.graph(UPDATE, {"in": wanted}, await place.app(BREAK_GLASS))
    assert "Cannot update this protected ref." in refused["message"]
    assert "updateRefs" in await place.graph(UPDATE, {"in": wanted}, await place.app(PROMOTER))
    narrow = await place.app(PROMOTER, permissions={"contents": "read"})
    (refused,) = await place.graph(UPDATE, {"in": wanted}, narrow)
    assert refused["type"] == "FORBIDDEN"


async def test_a_commit_lands_only_on_the_head_that_was_expected(place: Place) -> None:
    head = place.git("rev-parse", "main")
    text = base64.b64encode(b"one\n").decode()
    wanted = {
        "branch": {"repositoryNameWithOwner": place.name, "branchName": "main"},
        "message": {"headline": "Log", "body": "op_1"},
        "expectedHeadOid": head,
        "fileChanges": {"additions": [{"path": "docs/LOG.md", "contents": text}], "deletions": [{"path": "README.md"}]},
    }
    made = (await place.graph(COMMIT, {"in": wanted}))["createCommitOnBranch"]
    assert made == {"commit": {"oid": place.git("rev-parse", "main")}, "ref": {"name": "main"}}
    assert place.git("log", "-1", "--format=%P|%B", "main") == f"{head}|Log\n\nop_1"
    assert place.git("ls-tree", "-r", "--name-only", "main") == "docs/LOG.md"
    seen = await place.asks()("GET", "commits/main")
    assert seen.body["commit"]["verification"]["verified"] is True
    (stale,) = await place.graph(COMMIT, {"in": wanted})
    assert (stale["type"], "Pull and try again" in stale["message"]) == ("STALE_DATA", True)


# Pull requests ------------------------------------------------------------------------------------------------------


async def test_everything_that_gates_a_pull_request_is_told_at_once(place: Place) -> None:
    place.world.form_team("acme", "sre", ["ines"])
    await place.write("main", {"CODEOWNERS": "* @acme/sre\n"})
    head = await place.branch("dev", {"a": "a"})
    checks = {"strict": False, "checks": [{"context": "ci", "app_id": 15368}]}
    protection = {"required_status_checks": checks, "enforce_admins": True, "restrictions": None}
    reviews = {"required_approving_review_count": 1, "require_code_owner_reviews": True}
    await place.asks()("PUT", "branches/main/protection", protection | {"required_pull_request_reviews": reviews})
    await place.pull("dev")
    place.world.set_check(place.name, head, "ci", "success", app="Somebody")
    place.world.set_check(place.name, head, "ci", "success")
    await place.asks()("POST", f"statuses/{head}", {"state": "pending", "context": "lint"})

    async def gate(**also: Any) -> Any:
        return (await place.graph(GATE, named(place) | also | {"pr": 1}))["repository"]["pullRequest"]

    place.world.think_for(2)
    unknown = await gate()
    place.world.think_for(1)
    assert (unknown["mergeable"], unknown["mergeStateStatus"]) == ("UNKNOWN", "UNKNOWN")
    first = await gate()
    assert (first["mergeable"], first["mergeStateStatus"], first["reviewDecision"]) == (
        "MERGEABLE",
        "BLOCKED",
        "REVIEW_REQUIRED",
    )
    assert first["reviewRequests"]["nodes"] == [{"asCodeOwner": True, "requestedReviewer": {"slug": "sre"}}]
    rollup = first["commits"]["nodes"][0]["commit"]["statusCheckRollup"]
    rest = (await gate(after=rollup["contexts"]["pageInfo"]["endCursor"]))["commits"]["nodes"][0]["commit"]
    nodes = rollup["contexts"]["nodes"] + rest["statusCheckRollup"]["contexts"]["nodes"]
    assert (rollup["state"], rollup["contexts"]["totalCount"]) == ("PENDING", 3)
    assert [(one.get("name") or one["context"], one["isRequired"]) for one in nodes] == [
        ("ci", False),
        ("ci", True),
        ("lint", False),
    ]
    await place.asks(place.world.admit("ines"))("POST", "pulls/1/reviews", {"event": "APPROVE"})
    await place.asks()("POST", f"statuses/{head}", {"state": "success", "context": "lint"})
    then = await gate()
    assert (then["reviewDecision"], then["mergeStateStatus"]) == ("APPROVED", "CLEAN")
    (review,) = then["reviews"]["nodes"]
    assert (review["author"]["login"], review["onBehalfOf"]["nodes"]) == ("ines", [{"slug": "sre"}])
    merged = (await place.asks()("PUT", "pulls/1/merge", {"sha": head})).body["sha"]
    after = await gate()
    assert (after["state"], after["mergeCommit"]["oid"]) == ("MERGED", merged)
    assert after["mergeCommit"]["parents"]["nodes"][1]["oid"] == head


async def test_no_rule_that_wants_a_review_is_not_an_approval(place: Place) -> None:
    await place.branch("dev", {"a": "a"})
    await place.pull("dev")
    await place.asks(place.world.admit("omar"))("POST", "pulls/1/reviews", {"event": "APPROVE"})
    told = (await place.graph(GATE, named(place) | {"pr": 1}))["repository"]["pullRequest"]
    assert (told["reviewDecision"], told["commits"]["nodes"][0]["commit"]["statusCheckRollup"]) == (None, None)


async def reverted(place: Place, number: int = 1, **also: Any) -> Any:
    node = (await place.asks()("GET", f"pulls/{number}")).body["node_id"]
    said = await place.graph(REVERT, {"in": {"pullRequestId": node, **also}})
    return said if isinstance(said, list) else said["revertPullRequest"]["revertPullRequest"]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
async def test_a_revert_takes_back_exactly_what_the_merge_brought(place: Place, method: str) -> None:
    await place.branch("dev", {"a": "a\n"})
    await place.write("dev", {"b": "b\n"})
    await place.pull("dev")
    assert isinstance(await reverted(place), list)
    await place.asks()("PUT", "pulls/1/merge", {"merge_method": method})
    await place.write("main", {"later": "stays\n"})
    made = await reverted(place, draft=True)
    assert (made["title"], made["headRefName"], made["isDraft"]) == ('Revert "Bring dev"', "revert-1-dev", True)
    assert place.git("ls-tree", "--name-only", made["headRefOid"]).split() == ["README.md", "later"]
    assert place.git("rev-parse", f"{made['headRefOid']}^") == place.git("rev-parse", "main")


async def test_a_revert_that_conflicts_makes_nothing(place: Place) -> None:
    await place.branch("dev", {"README.md": "one\n"})
    await place.pull("dev")
    await place.asks()("PUT", "pulls/1/merge", {})
    await place.write("main", {"README.md": "two\n"})
    before = place.git("for-each-ref")
    (said,) = await reverted(place)
    assert "conflicts" in said["message"]
    assert place.git("for-each-ref") == before


async def test_drafts_begin_and_end_by_graphql_alone(place: Place) -> None:
    await place.branch("dev", {"a": "a"})
    node = (await place.pull("dev", draft=True)).body["node_id"]
    for name, draft in (("markPullRequestReadyForReview", False), ("convertPullRequestToDraft", True)):
        kind = name[0].upper() + name[1:] + "Input"
        query = f"mutation($in: {kind}!) {{ {name}(input: $in) {{ pullRequest {{ isDraft }} }} }}"
        assert (await place.graph(query, {"in": {"pullRequestId": node}}))[name]["pullRequest"]["isDraft"] is draft
        assert (await place.asks()("GET", "pulls/1")).body["draft"] is draft


# Classic protection -------------------------------------------------------------------------------------------------


async def test_protection_of_a_pattern_is_seen_and_changed_by_its_id(place: Place) -> None:
    old = place.git("rev-parse", "main")
    new = await place.branch("dev", {"a": "a"})
    await place.world.set_ref(place.name, "refs/heads/release/1", old)
    create = "mutation($in: CreateBranchProtectionRuleInput!) { createBranchProtectionRule(input: $in) { clientMutationId } }"
    wanted = {"repositoryId": await id_of(place), "pattern": "release/*", "isAdminEnforced": True}
    wanted |= {"requiresDeployments": True, "requiredDeploymentEnvironments": ["stage"]}
    wanted |= {"requiresStatusChecks": True, "requiredStatusCheckContexts": ["ci"], "clientMutationId": "7"}
    assert await place.graph(create, {"in": wanted}) == {"createBranchProtectionRule": {"clientMutationId": "7"}}
    (rule,) = (await place.graph(RULES, named(place)))["repository"]["branchProtectionRules"]["nodes"]
    assert (rule["pattern"], rule["requiredDeploymentEnvironments"]) == ("release/*", ["stage"])
    assert rule["requiredStatusChecks"] == [{"context": "ci", "app": None}]
    assert rule["matchingRefs"]["nodes"] == [{"name": "release/1"}]
    refused = await moved(place, "release/1", old, new)
    assert '"ci" is expected' in refused
    assert "deployment to stage" in refused
    seen = (await place.asks()("GET", "branches/release/1/protection")).body
    assert seen["required_status_checks"]["contexts"] == ["ci"]
    for relaxed in (False, True):
        change = {"branchProtectionRuleId": rule["id"], "isAdminEnforced": relaxed}
        said = (await place.graph(CHANGE, {"in": change}))["updateBranchProtectionRule"]["branchProtectionRule"]
        assert (said["isAdminEnforced"], said["requiresDeployments"]) == (relaxed, True)
    assert (await place.graph(RULES, named(place)))["repository"]["branchProtectionRules"]["nodes"] == [rule]
    assert await place.graph(RULES, named(place), await place.app(PROMOTER)) == {
        "repository": {"branchProtectionRules": {"nodes": []}}
    }


# Manners ------------------------------------------------------------------------------------------------------------


async def test_what_makes_no_sense_is_told_in_errors_with_status_200(place: Place) -> None:
    with place.world.off_the_record():  # the contract would not have it
        await makes_no_sense(place)


async def makes_no_sense(place: Place) -> None:
    for query, message in (
        ('{ repository(owner: "acme", name: "nothing") { id } }', "Could not resolve to a Repository"),
        ("{ nothing }", "Cannot query field"),
        ("{ repository(", "Syntax Error"),
        (f'{{ node(id: "{base64.b64encode(b"Repository:1").decode()}") {{ id }} }}', "Could not resolve to a node"),
        (ID.replace("{ id }", "{ pullRequests { totalCount } }"), "You must provide a `first` or `last`"),
    ):
        said = await place.graph(query, named(place))
        assert message in said[0]["message"]


async def test_a_spent_hour_is_told_in_errors_too_and_changes_nothing(place: Place) -> None:
    old, new = place.git("rev-parse", "main"), await place.branch("dev", {"a": "a"})
    wanted = {"repositoryId": await id_of(place), "refUpdates": [{"name": "refs/heads/main", "afterOid": new}]}
    asks = place.asks(place.world.admit("hasty"))
    place.world.inject("rate_limit_spent", seconds=0)
    (refused,) = await place.graph(UPDATE, {"in": wanted}, asks)
    assert refused["type"] == "RATE_LIMITED"
    assert place.git("rev-parse", "main") == old
    place.world.inject("bad_gateway_after", path="/graphql")
    said = await place.asks()("POST", "/graphql", {"query": UPDATE, "variables": {"in": wanted}})
    assert (said.status, place.git("rev-parse", "main")) == (502, new)


async def test_every_name_of_our_schema_is_one_of_githubs() -> None:
    if not OFFICIAL.exists() and os.environ.get("OCTOKIT_FETCHED") != "true":
        pytest.skip("`make clients` fetches GitHub's published GraphQL schema")
    theirs = graphql.build_schema(OFFICIAL.read_text("utf-8"), assume_valid=True).type_map
    wrong = []
    for name, ours in schema().type_map.items():
        if name.startswith("__"):
            continue
        there = theirs.get(name)
        if type(there) is not type(ours):
            wrong.append(name)
        for field, kind in getattr(ours, "fields", {}).items():
            known = getattr(there, "fields", {}).get(field)
            if known is None or str(known.type) != str(kind.type):
                wrong.append(f"{name}.{field}")
    assert wrong == []
