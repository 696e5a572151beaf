"""What the code's host tells of a candidate: asked where a gate looks at it, and not known where it does not answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.lineage import merges, reverted, shipped_alone, unpromoted
from commands.ports import Link
from policy.evidence import Attestation, Issue, Measured, PullRequest, Tag, WorkflowRun
from policy.facts import CheckState
from policy.model import Sha
from tests.conversation import plays
from tests.world import Town, commit, digest

REPOSITORY = "acme/checkout"
SERVING, CANDIDATE = commit("checkout", 1), commit("checkout", 2)
BRANCHES = {
    "stage": {"rank": 1, "aliases": ["staging"], "branch": "main"},
    "prod": {"rank": 2, "production": True, "aliases": ["production"], "branch": "release"},
}
AWAY = "could not be read: GitHub does not answer."


def sha(letter: str) -> Sha:
    return Sha(letter * 40)


@pytest.fixture
def branched(town: Town) -> Town:
    """`main` stands at the candidate, `release` at what serves."""
    town.github.branches |= {"main": CANDIDATE, "release": SERVING}
    return town


def asks(town: Town, **gate: object) -> None:
    town.policies.adopt(gates={"asked": gate}, to_prod={"requires": ["asked"]}, environments=BRANCHES)


async def finds(town: Town, line: str) -> None:
    """`why` has this line about the gate."""
    await plays(
        f"""
    gus: /release why checkout stage→prod
    bot → gus: checkout stage→prod: …
         …
         {line}
         …
    """,
        town,
    )


# In conversation ----------------------------------------------------------------------------------------------------


async def test_what_no_gate_looks_at_is_not_asked_for(branched: Town) -> None:
    everything = {"branches", "trees", "lineage", "changes", "protection", "pull requests", "tags", "issues", "files"}
    branched.github.silent = everything
    asks(branched, kind="fast_forward")
    await finds(branched, f"? asked: the branch release {AWAY}")
    branched.github.silent = everything - {"branches"}
    await finds(branched, "✓ asked: c2c2c2c is 1 commit ahead of release and lacks none")


async def test_a_target_that_has_commits_of_its_own_cannot_be_moved_forward(branched: Town) -> None:
    branched.github.links[sha("f")] = Link(sha("f"), "Fix in a hurry", (SERVING,))
    branched.github.branches["release"] = sha("f")
    asks(branched, kind="fast_forward")
    await finds(
        branched,
        "✗ asked: not a fast-forward: release has 1 commit that c2c2c2c lacks; promote a commit that holds them",
    )
    asks(branched, kind="branch", require=["on_source"])
    await finds(branched, "✗ asked: release holds 1 commit (fffffff) that main lacks")
    del branched.github.branches["release"]
    await finds(branched, "? asked: there is no branch release in acme/checkout")


async def test_a_branch_that_the_policy_does_not_name_is_not_guessed(town: Town) -> None:
    town.policies.adopt(gates={"asked": {"kind": "fast_forward"}}, to_prod={"requires": ["asked"]})
    await finds(town, "? asked: the policy names no branch for prod")


async def test_earlier_promotions_leave_the_source_up_to_date_and_other_merges_do_not(branched: Town) -> None:
    asks(branched, kind="branch", require=["up_to_date"])
    promoted = Link(sha("a"), "Merge main", (commit("checkout", 0), SERVING))
    branched.github.links[sha("a")] = promoted
    branched.github.branches["release"] = sha("a")
    await finds(branched, "✓ asked: seen on the branches: up to date")
    branched.github.links[sha("b")] = Link(sha("b"), "Fix", (sha("a"),))
    branched.github.links[sha("d")] = Link(sha("d"), "Merge fix", (sha("a"), sha("b")))
    branched.github.branches["release"] = sha("d")
    await finds(branched, "✗ asked: main is behind release by 2 commits (bbbbbbb, ddddddd) that no promotion merged")
    asks(branched, kind="branch", require=["no_merge_commits"])
    await finds(branched, "✗ asked: release holds merges that main lacks: 2 commits (aaaaaaa, ddddddd)")
    branched.github.silent = {"lineage"}
    await finds(branched, f"? asked: what only the target has {AWAY}")


async def test_a_target_that_takes_nothing_that_is_behind_counts_earlier_promotions_too(branched: Town) -> None:
    asks(branched, kind="branch", require=["up_to_date"])
    branched.github.links[sha("a")] = Link(sha("a"), "Merge main", (commit("checkout", 0), SERVING))
    branched.github.branches["release"] = sha("a")
    await finds(branched, "✓ asked: seen on the branches: up to date")
    branched.github.strictly.add("release")
    await finds(
        branched, "✗ asked: main is behind release by 1 commit (aaaaaaa) and its protection takes nothing that is"
    )
    branched.github.silent = {"protection"}
    await finds(branched, f"? asked: the protection of release {AWAY}")


async def test_a_candidate_that_is_not_on_the_source_is_named(branched: Town) -> None:
    branched.github.branches["main"] = SERVING
    asks(branched, kind="branch", require=["on_source"])
    await finds(branched, "✗ asked: main does not hold the candidate, c2c2c2c")


async def test_branches_that_are_open_to_everybody_are_named_and_one_that_cannot_be_seen_is_not_known(
    branched: Town,
) -> None:
    asks(branched, kind="branch", require=["protected"])
    await finds(branched, "✓ asked: seen on the branches: protected")
    branched.github.lacking["release"] = ("direct push allowed", "force push allowed")
    await finds(branched, "✗ asked: release is not protected: direct push allowed, force push allowed")
    branched.github.silent = {"protection"}
    await finds(branched, f"? asked: the protection of main {AWAY}")


async def test_required_checks_that_have_not_passed_on_the_head_of_the_source_are_named(branched: Town) -> None:
    branched.github.required["main"] = ("build", "lint")
    branched.github.check(REPOSITORY, CANDIDATE, "lint", CheckState.FAILED)
    asks(branched, kind="branch", require=["green"])
    await finds(branched, "✗ asked: lint fails on the head of main")
    branched.github.check(REPOSITORY, CANDIDATE, "lint", CheckState.PASSED)
    await finds(branched, "✓ asked: seen on the branches: green")
    branched.github.required["release"] = ("e2e",)
    await finds(branched, "✗ asked: e2e fails on the head of main")


RELEASES = {"kind": "branch", "require": ["cherry_picks_only"], "when": {"branches": ["release/*"]}}


@pytest.fixture
def released(town: Town) -> Town:
    """`release/1.8` left `main` at what serves; the candidate is picked on top of it, and `main` went on."""
    town.github.links |= {
        sha("a"): Link(sha("a"), "fix: Totals", (SERVING,)),
        CANDIDATE: Link(CANDIDATE, "fix: Totals", (SERVING,), picked_from=sha("a")),
    }
    town.github.branches |= {"main": sha("a"), "release/1.8": CANDIDATE}
    return town


def asks_of_any_branch(town: Town, **gate: object) -> None:
    """The policy deploys no environment from a certain branch."""
    town.policies.adopt(gates={"asked": gate}, to_prod={"requires": ["asked"]})


@pytest.mark.requirement("S4-192")
async def test_after_its_cut_off_a_release_branch_takes_only_what_was_picked_from_the_trunk(released: Town) -> None:
    asks_of_any_branch(released, **RELEASES)
    await finds(released, "✓ asked: seen on the branches: cherry picks only")
    released.github.links[CANDIDATE] = Link(CANDIDATE, "fix: Totals", (SERVING,), picked_from=sha("b"))
    released.github.links[sha("b")] = Link(sha("b"), "On nobody's branch", (SERVING,))
    await finds(released, "✗ asked: taken after the cut-off without a cherry-pick: 1 commit (c2c2c2c)")
    released.github.links[CANDIDATE] = Link(CANDIDATE, "fix: Totals", (SERVING,))
    await finds(released, "✗ asked: taken after the cut-off without a cherry-pick: 1 commit (c2c2c2c)")
    released.github.silent = {"lineage"}
    await finds(released, "? asked: whether it applies is not known: nobody knows which branch it was built from")


async def test_a_merge_that_brings_more_of_the_trunk_is_no_cherry_pick(released: Town) -> None:
    picked = Link(sha("c"), "fix: Totals", (SERVING,), picked_from=sha("a"))
    more = Link(sha("d"), "feat: Export", (sha("a"),))
    released.github.links |= {sha("c"): picked, sha("d"): more}
    released.github.branches["main"] = sha("d")
    asks_of_any_branch(released, **RELEASES)
    released.github.links[CANDIDATE] = Link(CANDIDATE, "Merge backport", (SERVING, sha("c")))
    await finds(released, "✓ asked: seen on the branches: cherry picks only")
    released.github.links[CANDIDATE] = Link(CANDIDATE, "Merge main", (sha("c"), sha("d")))
    await finds(released, "✗ asked: taken after the cut-off without a cherry-pick: 1 commit (c2c2c2c)")


@pytest.mark.requirement("S4-189")
async def test_after_its_cut_off_a_release_branch_takes_no_features(released: Town) -> None:
    asks_of_any_branch(released, **{**RELEASES, "require": ["no_late_features"]})
    await finds(released, "✓ asked: seen on the branches: no late features")
    backport = PullRequest(140, "Backport of totals", base="release/1.8")
    released.github.pull_requests[CANDIDATE] = backport
    await finds(released, "✓ asked: seen on the branches: no late features")
    released.github.pull_requests[CANDIDATE] = replace(backport, labels=frozenset({"type:feature"}))
    await finds(released, "✗ asked: features taken after the cut-off: #140")
    released.github.pull_requests[CANDIDATE] = replace(backport, title="feat(cart): export")
    await finds(released, "✗ asked: features taken after the cut-off: #140")
    del released.github.pull_requests[CANDIDATE]
    released.github.links[CANDIDATE] = replace(released.github.links[CANDIDATE], title="feat!: Export")
    await finds(released, "✗ asked: features taken after the cut-off: c2c2c2c")
    released.github.silent = {"changes"}
    await finds(released, f"? asked: whether it applies is not known: the changes {AWAY}")


async def test_what_is_on_the_trunk_came_by_no_release_branch(released: Town) -> None:
    released.github.branches["main"] = CANDIDATE
    asks_of_any_branch(released, **RELEASES)
    await finds(released, "– asked: it applies to changes with a branch like release/*")


async def test_what_several_branches_hold_may_come_from_each(released: Town) -> None:
    released.github.branches["release/1.9"] = CANDIDATE
    asks_of_any_branch(released, **RELEASES)
    await finds(released, "? asked: whether it applies is not known: nobody knows which branch it was built from")
    asks_of_any_branch(released, kind="branch", require=["green"])
    await finds(released, "? asked: c2c2c2c may have been built from release/1.8 or release/1.9")
    released.github.branches = {"main": sha("a")}
    await finds(released, "? asked: no branch is known that c2c2c2c was built from")


async def test_only_the_branch_that_it_comes_from_must_be_guarded_where_the_target_has_none(released: Town) -> None:
    asks_of_any_branch(released, kind="branch", require=["protected"])
    await finds(released, "✓ asked: seen on the branches: protected")
    released.github.lacking["release/1.8"] = ("direct push allowed",)
    await finds(released, "✗ asked: release/1.8 is not protected: direct push allowed")


async def test_a_hotfix_brings_nothing_of_the_trunk_that_production_lacks(released: Town) -> None:
    asks_of_any_branch(released, kind="branch", require=["cut_from_production"])
    await finds(released, "✓ asked: seen on the branches: cut from production")
    released.github.links[CANDIDATE] = Link(CANDIDATE, "fix: Totals", (sha("a"),))
    await finds(released, "✗ asked: it holds 1 commit (aaaaaaa) that production lacks and the fix does not need")
    released.github.links[CANDIDATE] = Link(CANDIDATE, "fix: Totals", (commit("checkout", 0),))
    released.github.links[commit("checkout", 0)] = Link(commit("checkout", 0), "Before", ())
    await finds(released, "? asked: it was not begun at c1c1c1c, which production serves")


async def test_every_pull_request_in_the_range_is_looked_at_as_far_as_gates_ask(branched: Town) -> None:
    pull = PullRequest(
        41,
        "Export",
        authors=frozenset({"maya-gh"}),
        approved_by=frozenset({"raj"}),
        owners_missing=("db/x.sql",),
        failed=("sast",),
        head="feature/x",
        base="release",
        fields={"risk": "low"},
    )
    branched.github.pull_requests[CANDIDATE] = pull
    asks(branched, kind="reviews")
    await finds(branched, "✓ asked: 1 pull request, each with 1 approval or more")
    asks(branched, kind="reviews", codeowners=True)
    await finds(branched, "✗ asked: no owner of db/x.sql approved #41")
    asks(branched, kind="branch", require=["merged_green"])
    await finds(branched, "✗ asked: #41 was merged although sast had not passed")
    asks(branched, kind="branch", require=["no_forbidden_targets"], forbid=["feature/**→release"])
    await finds(branched, "✗ asked: #41 went where it must not: feature/x→release")
    asks(branched, kind="pull_request", fields=["risk", "rollback_plan"])
    await finds(branched, "✗ asked: #41 does not say rollback plan")
    branched.github.silent = {"changes"}
    await finds(branched, f"? asked: the changes {AWAY}")


@pytest.mark.requirement("S4-056")
async def test_a_change_without_somebody_assigned_blocks_where_the_policy_asks_for_one(branched: Town) -> None:
    asks(branched, kind="pull_request", fields=["assignees"])
    pull = PullRequest(15, "Export")
    branched.github.pull_requests[CANDIDATE] = pull
    await finds(branched, "✗ asked: #15 does not say assignees")
    branched.github.pull_requests[CANDIDATE] = replace(pull, fields={"assignees": "omar"})
    await finds(branched, "✓ asked: 1 pull request looked at, and nothing lacks")


async def test_what_came_by_no_pull_request_was_not_reviewed(branched: Town) -> None:
    asks(branched, kind="reviews")
    await finds(branched, "✗ asked: c2c2c2c came by no pull request, so nobody reviewed it")


async def test_who_reviewed_it_agrees_to_nothing_where_the_policy_says_so(branched: Town) -> None:
    branched.policies.adopt(to_prod={"separation": {"reviewers": "out"}}, environments=BRANCHES)
    branched.github.pull_requests[CANDIDATE] = PullRequest(41, "Export", approved_by=frozenset({"OMAR", "stranger"}))
    await plays(
        """
    raj: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. … [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Cancel]
         …
         ✗ approvals: a release manager must agree to plan …; and that cannot come: nobody else may
         …
    """,
        branched,
    )


async def test_reviewers_that_cannot_be_read_let_nobody_agree(branched: Town) -> None:
    branched.policies.adopt(to_prod={"separation": {"reviewers": "out"}}, environments=BRANCHES)
    branched.github.silent = {"changes"}
    await finds(branched, f"? approvals: who approved its pull requests is not known: the changes {AWAY}")


async def test_the_pull_request_that_promotes_is_the_open_one_between_the_branches(branched: Town) -> None:
    asks(branched, kind="pull_request", of="promotion", fields=["rollback_plan"])
    await finds(branched, "✗ asked: no pull request leads from stage to prod")
    branched.github.open["main", "release"] = PullRequest(52, "Promote", fields={"rollback_plan": "Revert it."})
    await finds(branched, "✓ asked: 1 pull request looked at, and nothing lacks")
    branched.github.silent = {"pull requests"}
    await finds(branched, f"? asked: the pull request of this promotion {AWAY}")


async def test_the_tag_on_the_candidate_is_looked_at_and_its_signature(branched: Town) -> None:
    asks(branched, kind="tag", pattern=r"v\d+")
    await finds(branched, r"✗ asked: c2c2c2c bears no release tag like v\d+")
    tag = Tag("v2", CANDIDATE, annotated=True, why_not="unsigned")
    branched.github.tags[CANDIDATE] = tag
    await finds(branched, "✓ asked: v2 is on c2c2c2c")
    asks(branched, kind="signature", subjects=["tag"])
    await finds(branched, "✗ asked: signatures for c2c2c2c: tag: not verified (unsigned)")
    branched.github.tags[CANDIDATE] = replace(tag, verified=True, made_by="github:app/release-ci")
    await finds(branched, "✓ asked: signatures verified for c2c2c2c: tag")
    asks(branched, kind="signature", subjects=["tag", "image"])
    await finds(branched, "✗ asked: signatures for c2c2c2c: image: not verified (unsigned)")
    branched.github.silent = {"tags"}
    await finds(branched, f"? asked: the tags {AWAY}")


BUILDER = "https://github.com/acme/pipelines/.github/workflows/build.yml@refs/tags/v3"
SLSA, SPDX = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document/v2.3"


def attested(town: Town, predicate: str, why_not: str = "", builder: str = BUILDER, build: int = 2) -> None:
    town.github.attested.append(
        Attestation(
            predicate,
            digest("checkout", build),
            builder,
            verified=not why_not,
            why_not=why_not,
            at=town.clock.now(),
            hash="ab" * 32,
        )
    )


@pytest.mark.requirement("S4-090", "S4-073")
async def test_what_is_attested_of_the_candidate_is_told_to_whichever_gate_asks(branched: Town) -> None:
    asks(branched, kind="attestation", predicates=[SLSA], builders=[BUILDER])
    await finds(branched, f"✗ asked: {SLSA}: nobody attested it for …")
    attested(branched, SLSA, "it was built from acme/other")
    await finds(branched, f"✗ asked: {SLSA}: it was built from acme/other")
    attested(branched, SLSA, builder="https://github.com/acme/checkout/.github/workflows/mine.yml@refs/heads/main")
    await finds(branched, f"✗ asked: {SLSA}: it was built from acme/other")
    asks(branched, kind="signature", subjects=["image", "provenance"], signed_by=[BUILDER])
    await finds(branched, "✗ asked: signatures for c2c2c2c: image: by https://github.com/acme/checkout/… not by …")
    attested(branched, SLSA)
    await finds(branched, "✓ asked: signatures verified for c2c2c2c: image and provenance")
    asks(branched, kind="attestation", predicates=[SLSA], builders=[BUILDER])
    await finds(branched, f"✓ asked: attested for …: {SLSA}")
    branched.github.silent = {"attestations"}
    await finds(branched, "? asked: what is attested of it could not be read: GitHub does not answer.")
    asks(branched, kind="signature", subjects=["image", "tag"])
    await finds(branched, "? asked: what is attested of it could not be read: GitHub does not answer.")


async def test_what_is_attested_of_another_artifact_proves_nothing_of_this_one(branched: Town) -> None:
    attested(branched, SLSA, build=1)
    asks(branched, kind="signature", subjects=["image"])
    await finds(branched, "✗ asked: signatures for c2c2c2c: image: not verified (unsigned)")
    asks(branched, kind="evidence", items=["provenance"])
    await finds(branched, "✗ asked: provenance is missing for c2c2c2c")
    attested(branched, SLSA)
    await finds(branched, "✓ asked: there for c2c2c2c: provenance")


async def test_of_several_documents_the_newest_counts(branched: Town) -> None:
    attested(branched, SPDX)
    branched.clock.move(timedelta(hours=2))
    attested(branched, SPDX)
    asks(branched, kind="evidence", items=["sbom"], max_age="PT1H")
    await finds(branched, "✓ asked: there for c2c2c2c: sbom")


@pytest.mark.requirement("S4-088")
async def test_documents_are_there_where_they_were_attested_and_some_nobody_can_look_for(branched: Town) -> None:
    asks(branched, kind="evidence", items=["sbom", "provenance"])
    attested(branched, SLSA)
    await finds(branched, "✗ asked: sbom is missing for c2c2c2c")
    attested(branched, SPDX, "its signature does not hold")
    await finds(branched, "✗ asked: sbom is missing for c2c2c2c")
    attested(branched, SPDX)
    await finds(branched, "✓ asked: there for c2c2c2c: sbom and provenance")
    asks(branched, kind="evidence", items=["sbom", "provenance"], max_age="PT1H")
    branched.clock.move(timedelta(hours=2))
    await finds(branched, "✗ asked: sbom …")
    asks(branched, kind="evidence", items=["sbom", "photograph"])
    await finds(branched, "? asked: nothing here can look for photograph yet")


async def test_a_source_of_alerts_that_does_not_answer_is_not_known(branched: Town) -> None:
    asks(branched, kind="alerts", sources=["dependabot", "code_scanning"], at_most={"high": 0})
    await finds(branched, "✓ asked: 0 high open in dependabot and code_scanning")
    branched.github.found["dependabot"] = {"high": ("GHSA-7hfw",), "low": ("GHSA-1",)}
    await finds(branched, "✗ asked: 1 high open, 0 allowed: GHSA-7hfw")
    branched.github.silent = {"code_scanning"}
    await finds(branched, "? asked: no answer from code_scanning")


async def test_a_workflow_counts_by_its_newest_run_on_exactly_the_candidate(branched: Town) -> None:
    asks(branched, kind="workflow", workflow="staging-tests.yml")
    branched.github.runs["staging-tests.yml", SERVING] = WorkflowRun("staging-tests.yml", CheckState.PASSED)
    await finds(branched, "? asked: staging-tests.yml has no result for c2c2c2c")
    branched.github.runs["staging-tests.yml", CANDIDATE] = WorkflowRun("staging-tests.yml", CheckState.PASSED)
    await finds(branched, "✓ asked: staging-tests.yml succeeded for c2c2c2c")
    branched.github.silent = {"workflows"}
    await finds(branched, f"? asked: the runs of staging-tests.yml {AWAY}")


async def test_open_issues_and_files_that_are_missing_are_named(branched: Town) -> None:
    asks(branched, kind="issues", labels=["blocker"])
    await finds(branched, "✓ asked: 0 open issues labelled blocker, and 0 may be")
    branched.github.issue_list.append(Issue(9, "Payments fail", frozenset({"blocker"})))
    await finds(branched, "✗ asked: 1 open issue labelled blocker, and 0 may be: #9 Payments fail")
    asks(branched, kind="repository", files=["SECURITY.md"], owned=["docs/releases/"])
    branched.github.files = {"SECURITY.md"}
    await finds(branched, "✗ asked: nobody owns docs/releases/")


async def test_the_same_tree_is_compared_by_what_both_hold(branched: Town) -> None:
    asks(branched, kind="same", by="tree", environment="stage")
    await finds(branched, "✓ asked: stage serves the same tree, tree of")
    asks(branched, kind="same", by="tree", environment="prod")
    branched.github.silent = {"trees"}
    await finds(branched, f"? asked: what the candidate holds {AWAY}")


async def test_a_hotfix_that_serves_and_is_nowhere_in_the_candidate_would_be_lost(branched: Town) -> None:
    asks(branched, kind="lost_changes", look_for=["hotfix", "reverted_promotion"])
    await finds(branched, "✓ asked: nothing is lost that shipped before")
    older = commit("checkout", 0)
    branched.github.links[SERVING] = Link(SERVING, "Fix the till", (older,))
    branched.github.links[CANDIDATE] = Link(CANDIDATE, "Next", (older,))
    await finds(
        branched,
        "✗ asked: the candidate lacks what was shipped as c1c1c1c (Fix the till); promote one that has it",
    )
    branched.github.links[SERVING] = Link(SERVING, "Fix the till", (older,), picked_from=sha("e"))
    branched.github.links[sha("e")] = Link(sha("e"), "Fix the till", (CANDIDATE,))
    await finds(
        branched, "✗ asked: the candidate lacks what was shipped as c1c1c1c (Fix the till); promote one that has it"
    )
    branched.github.links[sha("e")] = Link(sha("e"), "Fix the till", (older,))
    branched.github.links[CANDIDATE] = Link(CANDIDATE, "Next", (sha("e"),))
    await finds(branched, "✓ asked: nothing is lost that shipped before")


async def test_what_was_promoted_and_reverted_would_silently_be_missing(branched: Town) -> None:
    asks(branched, kind="lost_changes", look_for=["reverted_promotion"])
    promoted, back = sha("a"), sha("b")
    branched.github.links[promoted] = Link(promoted, "Merge main", (commit("checkout", 0), SERVING))
    branched.github.links[back] = Link(back, 'Revert "Merge main"', (promoted,), reverts=(promoted,))
    branched.github.branches["release"] = back
    await finds(
        branched,
        '✗ asked: aaaaaaa (Revert "Merge main") would be missing, because an earlier promotion of it was reverted',
    )
    again = sha("d")
    branched.github.links[again] = Link(again, 'Reapply "Merge main"', (back,), reverts=(back,))
    branched.github.branches["release"] = again
    await finds(branched, "✓ asked: nothing is lost that shipped before")


# Lines of commits ---------------------------------------------------------------------------------------------------

A, B, C, D, SOURCE = sha("a"), sha("b"), sha("c"), sha("d"), sha("5")


def test_only_merges_of_the_source_are_promotions() -> None:
    line = (
        Link(A, "Merge main", (sha("0"), SOURCE)),
        Link(B, "Fix", (A,)),
        Link(C, "Merge fix", (A, B)),
        Link(D, "Merge three", (C, SOURCE, sha("6"))),
    )
    assert unpromoted(line) == (B, C, D)
    assert merges(line) == (A, C, D)
    assert unpromoted(()) == merges(()) == ()


def test_what_was_picked_either_way_and_what_was_taken_back_is_not_lost() -> None:
    fix = Link(A, "Fix", (sha("0"),))
    assert shipped_alone((fix,), ()) == shipped_alone((fix,), (Link(B, "Other", (SOURCE,)),)) == (fix,)
    assert shipped_alone((fix,), (Link(B, "Fix", (SOURCE,), picked_from=A),)) == ()
    assert shipped_alone((replace(fix, picked_from=B),), (Link(B, "Fix", (SOURCE,)),)) == ()
    squashed = Link(B, "Both", (SOURCE,), picked_from=C, origins=(A, C))
    assert shipped_alone((fix, Link(C, "And more", (A,))), (squashed,)) == ()
    undoes = Link(C, "Revert what was there before", (SOURCE,), reverts=(D,))
    assert shipped_alone((undoes,), ()) == (undoes,)
    assert shipped_alone((fix, Link(C, "Revert", (A,), reverts=(A,))), ()) == ()
    assert shipped_alone((Link(A, "Merge", (sha("0"), SOURCE)),), ()) == ()


def test_a_revert_of_what_only_the_target_ever_had_loses_nothing() -> None:
    fix, back = Link(A, "Fix", (sha("0"),)), Link(B, "Revert Fix", (A,), reverts=(A,))
    assert reverted((fix, back)) == ()
    assert reverted((replace(back, reverts=(SOURCE,)),)) == ("5555555 (Revert Fix)",)
    twice = Link(D, "Revert it again", (C,), reverts=(SOURCE,))
    assert reverted((replace(back, reverts=(SOURCE,)), Link(C, "Reapply", (B,), reverts=(B,)), twice)) == (
        "5555555 (Revert it again)",
    )


async def test_a_number_is_what_was_reported_of_exactly_the_candidate(branched: Town) -> None:
    asks(branched, kind="number", report="coverage", op=">=", value=90, unit="%")
    await finds(branched, "? asked: nobody reported coverage for c2c2c2c")
    branched.github.measured[SERVING, "coverage"] = Measured(99, branched.clock.now())
    await finds(branched, "? asked: nobody reported coverage for c2c2c2c")
    branched.github.measured[CANDIDATE, "coverage"] = Measured(89.9, branched.clock.now())
    await finds(branched, "✗ asked: coverage 89.9 % < 90 %")
    branched.github.measured[CANDIDATE, "coverage"] = Measured(90, branched.clock.now())
    await finds(branched, "✓ asked: coverage 90 % ≥ 90 %")
    branched.github.silent = {"numbers"}
    await finds(branched, f"? asked: what was reported {AWAY}")
