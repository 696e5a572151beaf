"""What GitHub's documented answers come to: protection, reviews, owners, tags, alerts, issues, files."""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bot.github import GitHub
from commands.errors import Rejected, ReleaseBotError, Unavailable
from commands.ports import Look
from policy.evidence import CheckState, Issue, PullRequest, Repository, Tag
from policy.model import Sha
from tests.bot.github_host import Heard, Host, Said, github_host, github_of
from tests.bot.github_world import REPOSITORY

BASE, HEAD, OLD = Sha("b" * 40), Sha("a" * 40), Sha("0" * 40)
REFUSED = Said({"message": "Resource not accessible by integration"}, 403)
PROTECTION = "/branches/release/1.8/protection"
RULES = "/rules/branches/release/1.8"
CHECKS = f"{PROTECTION}/required_status_checks"


def missing(message: str) -> Said:
    return Said({"message": message, "status": "404"}, 404)


UNPROTECTED = missing("Branch not protected")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with github_host() as host:
        yield host


@pytest.fixture
async def github(host: Host) -> AsyncIterator[GitHub]:
    async with aiohttp.ClientSession() as session:
        yield github_of(host, session)


# Protection ---------------------------------------------------------------------------------------------------------

ALL_OPEN = ("direct push allowed", "force push allowed", "deletion allowed")
CLASSIC = {
    "required_pull_request_reviews": {"required_approving_review_count": 2},
    "enforce_admins": {"enabled": True},
    "allow_force_pushes": {"enabled": False},
    "allow_deletions": {"enabled": False},
}
ALLOWED = {"users": [{"login": "eve"}], "teams": [{"slug": "ops"}], "apps": []}


@pytest.mark.parametrize(
    ("rules", "classic", "lacks"),
    [
        ([], UNPROTECTED, ALL_OPEN),
        (["pull_request", "non_fast_forward", "deletion"], REFUSED, ()),
        (["update", "non_fast_forward", "deletion"], REFUSED, ()),
        (["pull_request", "deletion"], UNPROTECTED, ("force push allowed",)),
        ([], CLASSIC, ()),
        ([], {**CLASSIC, "required_pull_request_reviews": None}, ("direct push allowed",)),
        ([], {**CLASSIC, "required_pull_request_reviews": None, "lock_branch": {"enabled": True}}, ()),
        ([], {**CLASSIC, "enforce_admins": {"enabled": False}}, ("administrators may push directly",)),
        ([], {**CLASSIC, "allow_force_pushes": {"enabled": True}}, ("force push allowed",)),
        ([], {**CLASSIC, "allow_deletions": {"enabled": True}}, ("deletion allowed",)),
        (["deletion", "non_fast_forward"], {**CLASSIC, "allow_deletions": {"enabled": True}}, ()),
        (["pull_request"], {**CLASSIC, "enforce_admins": {"enabled": False}}, ()),
        (
            [],
            {**CLASSIC, "required_pull_request_reviews": {"bypass_pull_request_allowances": ALLOWED}},
            ("eve may push directly", "ops may push directly"),
        ),
    ],
)
async def test_rulesets_and_classic_protection_guard_a_branch_together(
    host: Host, github: GitHub, rules: list[str], classic: Any, lacks: tuple[str, ...]
) -> None:
    host.answers = {RULES: [{"type": kind} for kind in rules], PROTECTION: classic}
    assert await github.unprotected(REPOSITORY, "release/1.8") == lacks


@pytest.mark.parametrize("answer", [REFUSED, missing("Not Found"), missing("Branch not found")])
async def test_protection_that_we_may_not_see_is_not_taken_for_none(host: Host, github: GitHub, answer: Said) -> None:
    host.answers = {RULES: [], PROTECTION: answer, CHECKS: answer}
    with pytest.raises(Rejected):
        await github.unprotected(REPOSITORY, "release/1.8")
    with pytest.raises(Rejected):
        await github.not_passed(REPOSITORY, "release/1.8", HEAD)


QUEUE = {"type": "merge_queue"}
SQUASHED = {"type": "pull_request", "parameters": {"allowed_merge_methods": ["squash", "rebase"]}}
ANY_WAY = {"type": "pull_request", "parameters": {"allowed_merge_methods": ["merge", "squash"]}}
LINEAR = {**CLASSIC, "required_linear_history": {"enabled": True}}


@pytest.mark.parametrize(
    ("home", "rules", "classic", "says"),
    [
        ({"allow_merge_commit": True}, [ANY_WAY, {"type": "pull_request"}], CLASSIC, ""),
        ({}, [], UNPROTECTED, ""),  # who may not write is not told
        ({"allow_merge_commit": False}, [], UNPROTECTED, f"{REPOSITORY} allows no merge commits; its settings must"),
        ({}, [QUEUE], UNPROTECTED, "release/1.8 is merged by a merge queue, which makes commits of its own"),
        ({}, [SQUASHED], UNPROTECTED, "a rule of release/1.8 allows no merge commits, only squash or rebase"),
        ({}, [{"type": "required_linear_history"}], UNPROTECTED, "a rule wants a linear history of release/1.8"),
        ({}, [], LINEAR, "the protection of release/1.8 wants a linear history"),
    ],
)
async def test_whatever_forbids_merge_commits_is_told_before_anything_is_merged(
    host: Host, github: GitHub, home: dict[str, bool], rules: list[Any], classic: Any, says: str
) -> None:
    host.answers = {"": home, RULES: rules, PROTECTION: classic}
    found = await github.unmergeable(REPOSITORY, "release/1.8")
    assert found.startswith(says) if says else found == ""


async def test_whether_a_branch_takes_merge_commits_is_not_known_where_we_may_not_see(
    host: Host, github: GitHub
) -> None:
    host.answers = {"": {}, RULES: [], PROTECTION: REFUSED}
    with pytest.raises(Rejected):
        await github.unmergeable(REPOSITORY, "release/1.8")


def wanted_by_rules(*checks: tuple[str, int | None]) -> dict[str, Any]:
    named = [{"context": name, **({"integration_id": app} if app else {})} for name, app in checks]
    return {"type": "required_status_checks", "parameters": {"required_status_checks": named}}


def run(name: str, conclusion: str | None, *, app: int = 1, id: int = 1, at: int = 9) -> dict[str, Any]:
    times = {"started_at": f"2026-11-24T{at:02}:00:00Z", "completed_at": f"2026-11-24T{at:02}:10:00Z"}
    status = "completed" if conclusion else "in_progress"
    return {"id": id, "name": name, "status": status, "conclusion": conclusion, "app": {"id": app}, **times}


def status(name: str, state: str, *, at: int = 9) -> dict[str, Any]:
    return {"id": at, "context": name, "state": state, "target_url": None, "updated_at": f"2026-11-24T{at:02}:00:00Z"}


def rollup(runs: Sequence[dict[str, Any]], statuses: Sequence[dict[str, Any]], more: str = "") -> dict[str, Any]:
    """The same checks, as the other API tells them."""
    nodes: list[dict[str, Any]] = [
        {
            "databaseId": one["id"],
            "name": one["name"],
            "status": one["status"].upper(),
            "conclusion": one["conclusion"].upper() if one["conclusion"] else None,
            "startedAt": one["started_at"],
            "completedAt": one["completed_at"],
            "checkSuite": {"app": {"databaseId": one["app"]["id"]}},
        }
        for one in runs
    ]
    nodes += [
        {"context": one["context"], "state": one["state"].upper(), "createdAt": one["updated_at"]} for one in statuses
    ]
    contexts = {"pageInfo": {"hasNextPage": bool(more), "endCursor": more or None}, "nodes": nodes}
    return {"data": {"repository": {"object": {"statusCheckRollup": {"contexts": contexts}}}}}


def results(*runs: dict[str, Any], statuses: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "/graphql": rollup(runs, statuses),
        f"/commits/{HEAD}/check-runs": {"total_count": len(runs), "check_runs": list(runs)},
        f"/commits/{HEAD}/status": {"total_count": len(statuses), "statuses": list(statuses)},
        f"/commits/{HEAD}/statuses": list(statuses),
    }


PASSED, FAILED = run("ci", "success"), run("ci", "failure")


@pytest.mark.parametrize(
    "other",
    [
        rollup([FAILED], []),
        rollup([], []),
        rollup([PASSED], [status("ci", "failure")]),
        {"data": {"repository": {"object": {"statusCheckRollup": None}}}},
    ],
)
async def test_where_the_two_answers_of_github_differ_neither_is_believed(
    host: Host, github: GitHub, other: dict[str, Any]
) -> None:
    host.answers = {RULES: [wanted_by_rules(("ci", None))], CHECKS: UNPROTECTED, **results(PASSED), "/graphql": other}
    with pytest.raises(Unavailable, match=r"GitHub gives two answers about ci on aaaaaaa\."):
        await github.not_passed(REPOSITORY, "release/1.8", HEAD)


async def test_the_other_answer_is_followed_to_its_end(host: Host, github: GitHub) -> None:
    told = {RULES: [wanted_by_rules(("ci", None), ("lint", None))], CHECKS: UNPROTECTED}
    told |= results(PASSED, run("lint", "success", id=2))

    def answers(heard: Heard) -> Said:
        if heard.path != "/graphql":
            path = heard.path.removeprefix("/repos/acme/checkout").partition("?")[0]
            found = told.get(path, {"id": 17})
            return found if isinstance(found, Said) else Said(found)
        if heard.body["variables"]["after"] is None:
            return Said(rollup([PASSED], [], more="next"))
        assert heard.body["variables"]["after"] == "next"
        return Said(rollup([run("lint", "success", id=2)], []))

    host.answers = answers
    assert await github.not_passed(REPOSITORY, "release/1.8", HEAD) == ()


@pytest.mark.parametrize(
    ("rules", "classic", "strict"),
    [
        ([], UNPROTECTED, False),
        ([wanted_by_rules(("ci", None))], UNPROTECTED, False),
        ([], {"strict": True, "checks": [], "contexts": []}, True),
        ([], {"strict": False, "checks": [], "contexts": []}, False),
        (
            [
                {
                    "type": "required_status_checks",
                    "parameters": {"required_status_checks": [], "strict_required_status_checks_policy": True},
                }
            ],
            REFUSED,
            True,
        ),
    ],
)
async def test_a_branch_may_want_all_that_comes_to_it_to_hold_all_that_it_has(
    host: Host, github: GitHub, rules: list[Any], classic: Any, strict: bool
) -> None:
    host.answers = {RULES: rules, CHECKS: classic}
    assert await github.strict(REPOSITORY, "release/1.8") is strict


@pytest.mark.parametrize(
    ("rules", "classic", "said", "left"),
    [
        ([], missing("Required status checks not enabled"), results(), ()),
        ([wanted_by_rules(("ci", None))], UNPROTECTED, results(), ("ci (no result)",)),
        ([wanted_by_rules(("ci", None))], UNPROTECTED, results(run("ci", "success")), ()),
        ([wanted_by_rules(("ci", None))], UNPROTECTED, results(run("ci", "stale")), ("ci",)),
        ([wanted_by_rules(("ci", None))], UNPROTECTED, results(run("ci", None)), ("ci (not finished)",)),
        # the newest of a name and app, whatever its suite; one that goes on counts before an older success
        (
            [wanted_by_rules(("ci", None))],
            UNPROTECTED,
            results(run("ci", "failure", id=1), run("ci", "success", id=2, at=10)),
            (),
        ),
        (
            [wanted_by_rules(("ci", None))],
            UNPROTECTED,
            results(run("ci", None, id=2, at=10), run("ci", "success", id=1)),
            ("ci (not finished)",),
        ),
        # only that app counts; without one, all that report it
        ([wanted_by_rules(("ci", 7))], UNPROTECTED, results(run("ci", "success")), ("ci (no result)",)),
        (
            [wanted_by_rules(("ci", 7))],
            UNPROTECTED,
            results(run("ci", "success", app=7), run("ci", "failure", app=1)),
            (),
        ),
        (
            [wanted_by_rules(("ci", None))],
            UNPROTECTED,
            results(run("ci", "success", app=7), run("ci", "failure", app=1)),
            ("ci",),
        ),
        # a status of the name counts besides
        (
            [wanted_by_rules(("ci", None))],
            UNPROTECTED,
            results(run("ci", "success"), statuses=(status("ci", "error"),)),
            ("ci",),
        ),
        ([wanted_by_rules(("ci", 7))], UNPROTECTED, results(statuses=(status("ci", "success"),)), ("ci (no result)",)),
        # what both want is wanted
        (
            [wanted_by_rules(("ci", None)), {"type": "deletion"}],
            {"checks": [{"context": "sast", "app_id": -1}, {"context": "lint", "app_id": 7}], "contexts": ["old"]},
            results(run("ci", "success"), run("sast", "neutral", app=3), run("lint", "success")),
            ("lint (no result)", "old (no result)"),
        ),
        # the old list names again what the new one binds to an app
        (
            [],
            {"checks": [{"context": "lint", "app_id": 7}], "contexts": ["lint"]},
            results(run("lint", "success", app=7), run("lint", "failure", app=1)),
            (),
        ),
    ],
)
async def test_required_is_what_rulesets_or_classic_protection_want_and_none_reported_is_not_passed(
    host: Host, github: GitHub, rules: list[Any], classic: Any, said: dict[str, Any], left: tuple[str, ...]
) -> None:
    host.answers = {RULES: rules, CHECKS: classic, **said}
    assert await github.not_passed(REPOSITORY, "release/1.8", HEAD) == left


# Pull requests ------------------------------------------------------------------------------------------------------


def pull(**also: Any) -> dict[str, Any]:
    return {
        "number": 41,
        "title": "feat: export",
        "body": "## Risk\nlow\n## Rollback plan\n<!-- how -->",
        "user": {"login": "maya"},
        "labels": [{"name": "risk:low"}],
        "milestone": {"title": "1.8"},
        "assignees": [{"login": "omar"}],
        "head": {"ref": "feature/x", "sha": HEAD},
        "base": {"ref": "release/1.8", "sha": BASE},
        "state": "closed",
        "merged_at": "2026-11-24T09:30:00Z",
        **also,
    }


def commit(sha: str, login: str, message: str = "Work", parents: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "sha": sha,
        "commit": {
            "message": message,
            "author": {"name": login},
            "verification": {"verified": True, "reason": "valid"},
        },
        "author": {"login": login},
        "parents": [{"sha": one} for one in parents],
    }


def compared(*commits: dict[str, Any], files: tuple[str, ...] = (), total: int | None = None) -> dict[str, Any]:
    return {
        "total_commits": len(commits) if total is None else total,
        "commits": list(commits),
        "files": [{"filename": name} for name in files],
    }


def review(login: str, state: str, *, on: str = HEAD, kind: str = "User") -> dict[str, Any]:
    return {"id": 1, "state": state, "user": {"login": login, "type": kind}, "commit_id": on}


def may(*logins: str, **others: str) -> dict[str, Any]:
    roles = {**dict.fromkeys(logins, "write"), **others}
    return {f"/collaborators/{login}/permission": {"permission": role} for login, role in roles.items()}


def ranged(*pulls: dict[str, Any], **also: Any) -> dict[str, Any]:
    """One commit from OLD to HEAD, by these pull requests."""
    return {
        f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya"), files=("src/x.py",)),
        f"/commits/{HEAD}/pulls": list(pulls),
        "/pulls/41/commits": [commit(HEAD, "maya", "Work\n\nCo-authored-by: Lea <1+lea@users.noreply.github.com>")],
        "/pulls/41/reviews": [],
        "/pulls/41/files": [{"filename": "src/x.py"}],
        **also,
    }


async def only_pull(github: GitHub, *look: Look) -> PullRequest:
    (found,) = (await github.changes(REPOSITORY, OLD, HEAD, frozenset(look), "")).pull_requests
    return found


@pytest.mark.requirement("S4-056")
async def test_a_pull_request_tells_what_stands_in_it(host: Host, github: GitHub) -> None:
    host.answers = ranged(pull())
    found = await only_pull(github)
    assert len(found.description) == 64
    assert replace(found, description="") == PullRequest(
        41,
        "feat: export",
        labels=frozenset({"risk:low"}),
        fields={"risk": "low", "milestone": "1.8", "assignees": "omar"},
        authors=frozenset({"maya"}),
        head="feature/x",
        base="release/1.8",
    )
    host.answers = ranged(pull(body=None, milestone=None, assignees=[]))
    assert (await only_pull(github)).fields == {}


async def test_a_commit_came_by_what_was_merged_first_and_by_nothing_that_is_open(host: Host, github: GitHub) -> None:
    host.answers = ranged(
        pull(number=52, merged_at="2026-11-24T12:00:00Z"), pull(), pull(number=7, merged_at=None, state="open")
    )
    found = await github.changes(REPOSITORY, OLD, HEAD, frozenset(), "")
    assert [one.pull_request for one in found.commits] == [41]
    host.answers = ranged(pull(merged_at=None, state="open"))
    found = await github.changes(REPOSITORY, OLD, HEAD, frozenset(), "")
    assert ([one.pull_request for one in found.commits], found.pull_requests) == ([None], ())


@pytest.mark.requirement("S4-037")
@pytest.mark.parametrize(
    ("reviews", "approved_by"),
    [
        ([], ()),
        ([review("raj", "APPROVED")], ("raj",)),
        ([review("raj", "APPROVED", on=BASE)], ()),  # of an older state of it
        ([review("raj", "APPROVED"), review("raj", "COMMENTED"), review("raj", "PENDING")], ("raj",)),
        ([review("raj", "APPROVED"), review("raj", "CHANGES_REQUESTED")], ()),
        ([review("raj", "CHANGES_REQUESTED"), review("raj", "APPROVED")], ("raj",)),
        ([review("raj", "APPROVED"), review("raj", "DISMISSED")], ()),
        ([review("raj", "APPROVED", on=BASE), review("raj", "APPROVED")], ("raj",)),
        ([review("raj", "APPROVED"), review("raj", "APPROVED", on=BASE)], ()),
        ([review("Maya", "APPROVED")], ()),  # its own author
        ([review("x[bot]", "APPROVED", kind="Bot")], ()),
        ([review("eve", "APPROVED"), review("ada", "APPROVED")], ("ada",)),  # who only reads agrees to nothing
        ([{**review("raj", "APPROVED"), "user": None}], ()),
    ],
)
async def test_only_the_newest_review_of_the_last_commit_by_others_who_may_write_counts(
    host: Host, github: GitHub, reviews: list[Any], approved_by: tuple[str, ...]
) -> None:
    host.answers = ranged(pull(), **{"/pulls/41/reviews": reviews}, **may("raj", "x[bot]", eve="read", ada="admin"))
    found = await only_pull(github, Look.REVIEWS)
    assert (found.approved_by, found.authors) == (frozenset(approved_by), frozenset({"maya", "lea"}))


async def test_who_may_write_is_not_known_where_we_may_not_see_it(host: Host, github: GitHub) -> None:
    reviewed = {"/pulls/41/reviews": [review("raj", "APPROVED")], "/collaborators/raj/permission": REFUSED}
    host.answers = ranged(pull(), **reviewed)
    with pytest.raises(Rejected, match="not accessible"):
        await only_pull(github, Look.REVIEWS)


def file(text: str) -> dict[str, Any]:
    return {"type": "file", "encoding": "base64", "content": base64.encodebytes(text.encode()).decode(), "sha": "f"}


OWNED = {
    f"/contents/CODEOWNERS?ref={BASE}": file("* @raj\n/db/ @acme/data dba@acme.example\n/docs/\n/old/ @nobody\n"),
    f"/codeowners/errors?ref={BASE}": {"errors": []},
    "/pulls/41/files": [
        {"filename": "src/x.py"},
        {"filename": "docs/a.md"},
        {"filename": "db/x.sql", "previous_filename": "old/x.sql"},
    ],
}


@pytest.mark.parametrize(
    ("approved", "member", "missing_owners"),
    [
        ((), "active", ("src/x.py", "db/x.sql", "old/x.sql")),
        (("RAJ",), "active", ("old/x.sql",)),
        (("RAJ",), "pending", ("db/x.sql", "old/x.sql")),
        (("RAJ", "nobody"), "active", ()),
        (("eve",), "active", ("src/x.py", "db/x.sql", "old/x.sql")),
    ],
)
async def test_each_path_needs_one_of_its_owners_as_its_base_names_them(
    host: Host, github: GitHub, approved: tuple[str, ...], member: str, missing_owners: tuple[str, ...]
) -> None:
    team = {"/orgs/acme/teams/data/memberships/RAJ": {"state": member}}
    reviews = {"/pulls/41/reviews": [review(login, "APPROVED") for login in approved]}
    host.answers = ranged(pull(), **OWNED, **reviews, **team, **may("RAJ", "nobody", eve="read"))
    assert (await only_pull(github, Look.REVIEWS, Look.OWNERS)).owners_missing == missing_owners


async def test_owners_that_github_finds_wrong_or_that_are_too_many_to_see_decide_nothing(
    host: Host, github: GitHub
) -> None:
    wrong = {f"/codeowners/errors?ref={BASE}": {"errors": [{"line": 1}]}}
    host.answers = ranged(pull(), **{**OWNED, **wrong})
    with pytest.raises(Rejected, match="CODEOWNERS has lines that GitHub does not understand"):
        await only_pull(github, Look.OWNERS)
    team = {"/orgs/acme/teams/data/memberships/raj": REFUSED, "/pulls/41/reviews": [review("raj", "APPROVED")]}
    host.answers = ranged(pull(), **{**OWNED, **team}, **may("raj"))
    with pytest.raises(Rejected, match="not accessible"):
        await only_pull(github, Look.OWNERS)
    host.answers = {
        f"/contents/CODEOWNERS?ref={BASE}": {"encoding": "none", "sha": "f", "content": ""},
        **ranged(pull()),
    }
    with pytest.raises(Rejected):
        await only_pull(github, Look.OWNERS, Look.REVIEWS)


async def test_what_had_not_passed_when_it_was_merged_is_told_whatever_passed_later(host: Host, github: GitHub) -> None:
    names = ("ci", "sast", "lint", "dast")
    required = {RULES: [wanted_by_rules(*((name, None) for name in names))], CHECKS: UNPROTECTED}
    statuses = (status("dast", "success", at=8), status("dast", "failure", at=10))
    before = run("ci", "success", at=8)
    late = (run("sast", "success", at=10), {**run("lint", "success", at=9), "completed_at": "2026-11-24T09:31:00Z"})
    host.answers = ranged(
        pull(), **required, **results(before, run("ci", "failure", id=2, at=11), *late, statuses=statuses)
    )
    assert (await only_pull(github, Look.CHECKS)).failed == ("lint (not finished)", "sast (no result)")


async def test_a_list_that_is_at_githubs_cap_is_not_taken_for_whole(host: Host, github: GitHub) -> None:
    many = ranged(pull(), **{f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya"), files=("x",) * 300)})
    host.answers = many
    assert not (await github.changes(REPOSITORY, OLD, HEAD, frozenset(), "")).complete
    host.answers = many | {f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya"), files=("x",) * 299)}
    assert (await github.changes(REPOSITORY, OLD, HEAD, frozenset(), "")).complete
    host.answers = many | {f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya"), total=2)}
    assert not (await github.changes(REPOSITORY, OLD, HEAD, frozenset(), "")).complete
    with pytest.raises(Unavailable, match="1 of 2 commits"):
        await github.lineage(REPOSITORY, OLD, HEAD)
    host.answers = many | {f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya"), total=1001)}
    with pytest.raises(Rejected, match="1001 commits lie between"):
        await github.lineage(REPOSITORY, OLD, HEAD)
    host.answers = ranged(pull(), **{"/pulls/41/commits": [commit(HEAD, "maya")] * 250})
    with pytest.raises(Rejected, match="#41 has 250 commits or more"):
        await only_pull(github, Look.REVIEWS)
    host.answers = ranged(pull(), **{"/pulls/41/files": [{"filename": "x"}] * 3000})
    with pytest.raises(Rejected, match="#41 touches 3000 files or more"):
        await only_pull(github, Look.OWNERS)


async def test_the_promotion_is_the_one_open_pull_request_between_exactly_these_branches(
    host: Host, github: GitHub
) -> None:
    listed = [pull(head={"ref": "dev", "sha": HEAD}, base={"ref": "stage", "sha": BASE}), pull(number=42)]

    def answer(heard: Heard) -> Said:
        assert "head=acme%3Adev" in heard.path
        return Said(listed)

    host.answers = answer
    found = await github.promotion(REPOSITORY, "dev", "stage")
    assert found is not None
    assert (found.number, found.fields["risk"]) == (41, "low")
    assert await github.promotion(REPOSITORY, "dev", "main") is None
    listed *= 2
    with pytest.raises(Rejected, match="2 pull requests are open from dev to stage"):
        await github.promotion(REPOSITORY, "dev", "stage")


# Branches -----------------------------------------------------------------------------------------------------------


async def test_a_branch_is_meant_letter_by_letter(host: Host, github: GitHub) -> None:
    host.answers = {
        "/git/ref/heads/Dev": {"ref": "refs/heads/Dev", "object": {"sha": HEAD, "type": "commit"}},
        "/git/ref/heads/dev": {"ref": "refs/heads/Dev", "object": {"sha": HEAD, "type": "commit"}},
    }
    assert await github.head(REPOSITORY, "Dev") == HEAD
    assert await github.head(REPOSITORY, "dev") is None
    assert await github.head(REPOSITORY, "stage") is None
    with pytest.raises(Rejected):
        await github.head(REPOSITORY, "../../../other/repo")


# Workflows ----------------------------------------------------------------------------------------------------------


def workflow_run(id: int, conclusion: str | None, *, at: int = 9, on: str = HEAD) -> dict[str, Any]:
    started, ended = f"2026-11-24T{at:02}:00:00Z", f"2026-11-24T{at:02}:20:00Z"
    status = "completed" if conclusion else "queued"
    said = {"id": id, "head_sha": on, "status": status, "conclusion": conclusion, "html_url": f"run {id}"}
    return {**said, "run_started_at": started, "updated_at": ended}


@pytest.mark.parametrize(
    ("runs", "seen"),
    [
        ([], None),
        ([workflow_run(1, "success", on=OLD)], None),
        ([workflow_run(1, "success")], (CheckState.PASSED, "success", "run 1")),
        ([workflow_run(1, "skipped")], (CheckState.FAILED, "skipped", "run 1")),
        ([workflow_run(1, "success", at=10), workflow_run(2, "failure")], (CheckState.PASSED, "success", "run 1")),
        ([workflow_run(1, "success"), workflow_run(2, None, at=10)], (CheckState.PENDING, "queued", "run 2")),
    ],
)
async def test_of_a_workflow_the_run_that_was_started_last_counts(
    host: Host, github: GitHub, runs: list[Any], seen: tuple[CheckState, str, str] | None
) -> None:
    host.answers = {"/actions/workflows/tests.yml/runs": {"total_count": len(runs), "workflow_runs": runs}}
    found = await github.workflow(REPOSITORY, "tests.yml", HEAD)
    assert (found and (found.state, found.saw, found.url)) == seen
    assert await github.workflow(REPOSITORY, "others.yml", HEAD) is None
    host.answers = {"/actions/workflows/tests.yml/runs": REFUSED}
    with pytest.raises(Rejected):
        await github.workflow(REPOSITORY, "tests.yml", HEAD)


@pytest.mark.parametrize(
    ("event", "title", "inputs"),
    [
        ("workflow_dispatch", "gate MODE=staging on x-y=1", {"MODE": "staging", "x-y": "1"}),
        ("workflow_dispatch", "Promotion gate", {}),
        ("workflow_dispatch", "gate MODE=prod of MODE=staging", {}),
        ("push", "Say MODE=staging", {}),  # a commit's message, by whoever wrote it
    ],
)
async def test_what_a_workflow_was_asked_for_is_what_its_own_title_says(
    host: Host, github: GitHub, event: str, title: str, inputs: dict[str, str]
) -> None:
    run = {**workflow_run(1, "success"), "event": event, "display_title": title}
    host.answers = {"/actions/workflows/gate.yml/runs": {"total_count": 1, "workflow_runs": [run]}}
    found = await github.workflow(REPOSITORY, "gate.yml", HEAD)
    assert found is not None
    assert found.inputs == inputs


# Tags ---------------------------------------------------------------------------------------------------------------


def ref(name: str, sha: str, kind: str = "tag") -> dict[str, Any]:
    return {"ref": f"refs/tags/{name}", "object": {"type": kind, "sha": sha}}


def tag_object(sha: str, reason: str = "valid", *, by: str = "9+release-ci[bot]@users.noreply.github.com") -> Any:
    checked = {"verified": reason == "valid", "reason": reason}
    return {"object": {"type": "commit", "sha": sha}, "tagger": {"email": by}, "verification": checked}


def untrusted(reason: str) -> Any:
    """Verified, and yet not valid."""
    return {**tag_object(HEAD), "verification": {"verified": True, "reason": reason}}


SIGNED = {
    "/git/matching-refs/tags/": [ref("v1.9.0", "1"), ref("v1.10.0", "2"), ref("v1.8.0", "3"), ref("nightly", "4")],
    "/git/tags/1": tag_object(HEAD),
    "/git/tags/2": tag_object(HEAD),
    "/git/tags/3": tag_object(OLD),
    f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya", "feat: new")),
}


async def test_the_highest_tag_on_the_commit_is_told_with_who_signed_it_and_what_serves(
    host: Host, github: GitHub
) -> None:
    host.answers = SIGNED
    assert await github.tag(REPOSITORY, HEAD, r"v[\d.]+", OLD) == Tag(
        "v1.10.0", HEAD, annotated=True, verified=True, made_by="github:app/release-ci", previous="v1.8.0"
    )
    assert await github.tag(REPOSITORY, BASE, r"v[\d.]+", None) is None
    assert await github.tag(REPOSITORY, HEAD, r"v2.*", None) is None


async def test_of_very_many_tags_the_highest_are_looked_up_until_those_that_are_meant_are_found(
    host: Host, github: GitHub
) -> None:
    names = [f"v1.{number}.0" for number in range(400)]
    host.answers = {
        **{f"/git/tags/{name}": tag_object(BASE) for name in names},
        "/git/matching-refs/tags/": [ref(name, name) for name in names],
        "/git/tags/v1.399.0": tag_object(HEAD),
        "/git/tags/v1.398.0": tag_object(OLD),
        f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya", "feat: new")),
    }
    found = await github.tag(REPOSITORY, HEAD, r"v[\d.]+", OLD)
    assert found is not None
    assert (found.name, found.previous) == ("v1.399.0", "v1.398.0")
    assert sum("/git/tags/" in heard.path for heard in host.heard) <= 50
    host.answers["/git/tags/v1.399.0"] = tag_object(BASE)
    with pytest.raises(Rejected, match="more than 300 tags"):  # it may be one of the others
        await github.tag(REPOSITORY, HEAD, r"v[\d.]+", OLD)


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"/git/tags/2": tag_object(HEAD, "unsigned")}, {"verified": False, "why_not": "unsigned", "made_by": ""}),
        ({"/git/tags/2": tag_object(HEAD, "gpgverify_unavailable")}, {"why_not": "gpgverify_unavailable"}),
        ({"/git/tags/2": tag_object(HEAD, by="7+maya@users.noreply.github.com")}, {"made_by": "github:maya"}),
        ({"/git/tags/2": tag_object(HEAD, by="maya@acme.example")}, {"made_by": "maya@acme.example"}),
        (
            {"/git/matching-refs/tags/": [ref("v1.10.0", HEAD, "commit")]},
            {"annotated": False, "verified": False, "why_not": "it is not annotated", "made_by": "", "previous": ""},
        ),
        ({"/git/tags/2": untrusted("expired_key")}, {"verified": False, "why_not": "expired_key"}),
        (  # a tag of a tag, unsigned
            {
                "/git/tags/2": {**tag_object(HEAD), "object": {"type": "tag", "sha": "9"}},
                "/git/tags/9": tag_object(HEAD, "unsigned"),
            },
            {"annotated": True, "verified": True},
        ),
        (
            {f"/compare/{OLD}...{HEAD}": compared(commit(HEAD, "maya", "feat!: new"))},
            {"breaking": True},
        ),
    ],
)
async def test_a_tag_is_seen_as_it_was_made(
    host: Host, github: GitHub, changed: dict[str, Any], seen: dict[str, Any]
) -> None:
    host.answers = {**SIGNED, **changed}
    found = await github.tag(REPOSITORY, HEAD, r"v[\d.]+", OLD)
    assert found is not None
    assert found.name == "v1.10.0"
    assert {name: getattr(found, name) for name in seen} == seen


# Alerts, issues, files ----------------------------------------------------------------------------------------------


async def test_open_alerts_are_told_by_severity_and_one_without_counts_as_the_worst(host: Host, github: GitHub) -> None:
    host.answers = {
        "/dependabot/alerts": [
            {"number": 1, "security_advisory": {"ghsa_id": "GHSA-1", "severity": "high"}},
            {"number": 2, "security_advisory": {"ghsa_id": "GHSA-1", "severity": "high"}},
            {"number": 3, "security_advisory": {"ghsa_id": "", "severity": None}},
        ],
        "/code-scanning/alerts": [
            {"number": 4, "rule": {"id": "sqli", "security_severity_level": "critical", "severity": "error"}},
            {"number": 5, "rule": {"id": "style", "security_severity_level": None, "severity": "note"}},
        ],
        "/secret-scanning/alerts": [{"number": 6, "secret_type": "aws_key"}],
    }
    assert await github.alerts(REPOSITORY, "dependabot") == {"high": ("GHSA-1",), "critical": ("alert #3",)}
    assert await github.alerts(REPOSITORY, "code_scanning") == {"critical": ("sqli #4",), "note": ("style #5",)}
    assert await github.alerts(REPOSITORY, "secret_scanning") == {"critical": ("aws_key #6",)}
    assert all("state=open" in heard.path for heard in host.heard)


@pytest.mark.parametrize("answer", [REFUSED, missing("no analysis found"), Said({"message": "disabled"}, 451)])
async def test_alerts_that_are_not_shown_are_not_taken_for_none(host: Host, github: GitHub, answer: Said) -> None:
    host.answers = {"/code-scanning/alerts": answer}
    for source in ("code_scanning", "snyk"):
        with pytest.raises(Rejected):
            await github.alerts(REPOSITORY, source)


async def test_issues_with_any_of_the_labels_are_told_once_and_pull_requests_are_none(
    host: Host, github: GitHub
) -> None:
    def issue(number: int, *labels: str, **also: Any) -> dict[str, Any]:
        return {"number": number, "title": f"No. {number}", "labels": [{"name": label} for label in labels], **also}

    host.answers = {
        "/issues?per_page=100&state=open&labels=blocker": [issue(2, "blocker", "sev 1"), issue(1, "blocker")],
        "/issues?per_page=100&state=open&labels=sev+1": [
            issue(2, "blocker", "sev 1"),
            issue(3, "sev 1", pull_request={"url": "x"}),
        ],
    }
    assert await github.issues(REPOSITORY, ["blocker", "sev 1", "blocker"]) == (
        Issue(1, "No. 1", frozenset({"blocker"})),
        Issue(2, "No. 2", frozenset({"blocker", "sev 1"})),
    )


async def test_files_and_owners_that_the_default_branch_lacks_are_named(host: Host, github: GitHub) -> None:
    host.answers = {
        "/contents/SECURITY.md": file("x"),
        "/contents/docs/audit": [{"type": "file", "name": "x"}],
        "/contents/.github/CODEOWNERS": file("/docs/releases/ @acme/release\n"),
        "/codeowners/errors": {"errors": []},
    }
    files, owned = ["SECURITY.md", "docs/audit/", "RELEASE.md"], ["docs/releases/", "docs/releases/**", "src/**"]
    assert await github.kept(REPOSITORY, files, owned) == Repository(("RELEASE.md",), ("src/**",))
    host.answers = {"/contents/SECURITY.md": REFUSED}
    with pytest.raises(Rejected):
        await github.kept(REPOSITORY, ["SECURITY.md"], [])


# Whatever it answers ------------------------------------------------------------------------------------------------

EVERYTHING = {
    **ranged(pull(), **OWNED, **{"/pulls/41/reviews": [review("raj", "APPROVED")]}, **may("raj")),
    **results(run("ci", "success"), statuses=(status("ci", "success"),)),
    **SIGNED,
    "/orgs/acme/teams/data/memberships/raj": {"state": "active"},
    RULES: [wanted_by_rules(("ci", None))],
    CHECKS: {"checks": [{"context": "sast", "app_id": -1}], "contexts": ["old"]},
    PROTECTION: CLASSIC,
    "/pulls": [pull()],
    "/git/ref/heads/main": {"ref": "refs/heads/main", "object": {"sha": HEAD, "type": "commit"}},
    f"/git/commits/{HEAD}": {"sha": HEAD, "tree": {"sha": "7"}},
    f"/compare/{HEAD}...{HEAD}": compared(),
    "/dependabot/alerts": [{"number": 1, "security_advisory": {"ghsa_id": "GHSA-1", "severity": "high"}}],
    "/code-scanning/alerts": [{"number": 4, "rule": {"id": "sqli", "severity": "error"}}],
    "/issues": [{"number": 1, "title": "x", "labels": [{"name": "blocker"}]}],
    "/actions/workflows/t.yml/runs": {"total_count": 1, "workflow_runs": [workflow_run(1, "success")]},
    "/contents/SECURITY.md": file("x"),
    "/contents/.github/CODEOWNERS": file("* @raj\n"),
    "/codeowners/errors": {"errors": []},
}
ODD: tuple[Any, ...] = (None, [], {}, 7, -1, "x", "", True, [None], [7], {"a": 1})


def spots(said: Any) -> list[tuple[Any, Any]]:
    """Everywhere in it that something stands."""
    keys = said if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ()
    return [(said, key) for key in keys] + [spot for key in keys for spot in spots(said[key])]


async def test_whatever_github_answers_only_our_own_errors_come(host: Host, github: GitHub) -> None:
    chance = random.Random(20261121)
    asks: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: github.changes(REPOSITORY, OLD, HEAD, frozenset(Look), "main"),
        lambda: github.lineage(REPOSITORY, OLD, HEAD),
        lambda: github.unprotected(REPOSITORY, "release/1.8"),
        lambda: github.not_passed(REPOSITORY, "release/1.8", HEAD),
        lambda: github.promotion(REPOSITORY, "feature/x", "release/1.8"),
        lambda: github.tag(REPOSITORY, HEAD, r"v.*", OLD),
        lambda: github.alerts(REPOSITORY, "dependabot"),
        lambda: github.alerts(REPOSITORY, "code_scanning"),
        lambda: github.issues(REPOSITORY, ["blocker"]),
        lambda: github.kept(REPOSITORY, ["SECURITY.md"], ["src/"]),
        lambda: github.workflow(REPOSITORY, "t.yml", HEAD),
        lambda: github.tree(REPOSITORY, HEAD),
    )
    host.answers = EVERYTHING
    for ask in asks:
        await ask()
    for _ in range(40):
        odd = copy.deepcopy(EVERYTHING)
        inside, key = chance.choice(spots(odd[chance.choice(list(odd))]) or [(odd, "/issues")])
        inside[key] = chance.choice(ODD)
        host.answers = odd
        for ask in asks:
            with suppress(ReleaseBotError):
                await ask()


# Deployments --------------------------------------------------------------------------------------------------------


async def test_a_deployment_that_github_answered_with_a_merge_is_refused(host: Host, github: GitHub) -> None:
    def answer(heard: Heard) -> Said:
        merged = {"message": "Auto-merged main into topic on deployment."}
        return Said(merged, 202) if heard.method == "POST" else Said([])

    host.answers = answer
    with pytest.raises(Rejected, match=r"GitHub recorded no deployment: Auto-merged main into topic on deployment\."):
        await github.record_deployment(
            "acme/checkout",
            commit=Sha("a" * 40),
            environment="prod",
            production=True,
            operation="op_1",
            payload={},
            description="",
        )
    assert [heard.method for heard in host.heard].count("POST") == 1
