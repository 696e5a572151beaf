"""Our adapter and the local GitHub together: what real histories, reviews and rules come to as evidence."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from bot.github import GitHub, Pace, PersonalToken
from bot.github.refusal import Refusal
from commands import cut_off
from commands.errors import OutcomeUnknown
from commands.lineage import merges, reverted, unpromoted
from commands.ports import Look
from policy.model import Sha, Unknown
from tests.bot.sandbox.github_place import Place
from tests.bot.sandbox.test_github_graph import ID, UPDATE
from tests.bot.sandbox.test_github_rules import rule

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def github(place: Place) -> GitHub:
    return GitHub(
        place.session, PersonalToken(place.world.token), place.clock, url=place.world.url, pace=Pace(write_gap=0)
    )


def at(place: Place, name: str) -> Sha:
    return Sha(place.git("rev-parse", name))


async def promoted(place: Place, source: str, target: str) -> Sha:
    """A merge commit of the one branch into the other, as a pull request makes it."""
    opened = await place.pull(source, target)
    merged = await place.asks()("PUT", f"pulls/{opened.body['number']}/merge", {"merge_method": "merge"})
    assert merged.status == 200, merged
    return at(place, target)


async def test_earlier_promotions_do_not_count_as_what_the_source_lacks(place: Place, github: GitHub) -> None:
    await place.branch("dev", {"one.txt": "1\n"})
    first = await promoted(place, "dev", "main")
    await place.write("dev", {"two.txt": "2\n"})
    second = await promoted(place, "dev", "main")
    only = await github.lineage(place.name, at(place, "dev"), at(place, "main"))
    assert [link.commit for link in only] == [first, second]
    assert (unpromoted(only), merges(only)) == ((), (first, second))
    fix = Sha(await place.write("main", {"fix.txt": "in a hurry\n"}))
    assert unpromoted(await github.lineage(place.name, at(place, "dev"), at(place, "main"))) == (fix,)


async def test_what_git_reverted_is_told_until_the_revert_is_reverted(place: Place, github: GitHub) -> None:
    await place.branch("dev", {"feature.txt": "new\n"})
    merge = await promoted(place, "dev", "main")
    tree = place.git("rev-parse", f"{merge}^1^{{tree}}")

    def made(tree: str, message: str) -> Sha:
        commit = place.git("commit-tree", tree, "-p", "main", "-m", message)
        place.git("update-ref", "refs/heads/main", commit)
        return Sha(commit)

    said = f'Revert "Bring dev"\n\nThis reverts commit {merge}, reversing\nchanges made to {merge}.'
    back = made(tree, said)
    await place.write("dev", {"more.txt": "more\n"})
    again = await promoted(place, "dev", "main")
    assert "feature.txt" not in place.git("ls-tree", "--name-only", again).split()  # silently missing
    only = await github.lineage(place.name, at(place, "dev"), again)
    assert reverted(only) == (f'{merge[:7]} (Revert "Bring dev")',)
    made(place.git("rev-parse", f"{again}^{{tree}}"), f"Reapply\n\nThis reverts commit {back}.")
    assert reverted(await github.lineage(place.name, at(place, "dev"), at(place, "main"))) == ()


async def test_thirty_random_histories_lie_to_each_other_as_git_says(place: Place, github: GitHub) -> None:
    chance, root = random.Random(20261121), at(place, "main")
    stream = []
    for number in range(60):
        parents = chance.sample(range(number), k=min(number, chance.choice((1, 1, 2))))
        links = "".join(f"{'from' if not n else 'merge'} :{parent + 1}\n" for n, parent in enumerate(parents))
        stream.append(
            f"commit refs/heads/b{number}\nmark :{number + 1}\ncommitter m <m@x> {number} +0000\ndata 1\nx\n"
            f"{links or f'from {root}' + chr(10)}\n"
        )
    await place.world.repository(place.name).git.run("fast-import", "--quiet", given="".join(stream).encode())
    for _ in range(30):
        base, tip = (at(place, f"b{chance.randrange(60)}") for _ in range(2))
        found = await github.lineage(place.name, base, tip)
        told = place.git("rev-list", "--parents", f"{base}..{tip}").splitlines()
        assert {(link.commit, *link.parents) for link in found} == {tuple(line.split()) for line in told}
        order = [link.commit for link in found]
        for link in found:  # parents stand before their children
            assert all(order.index(parent) < order.index(link.commit) for parent in link.parents if parent in order)
        assert await github.tree(place.name, tip) == place.git("rev-parse", f"{tip}^{{tree}}")


async def test_a_range_is_told_with_the_pull_requests_that_it_came_by(place: Place, github: GitHub) -> None:
    base = at(place, "main")
    await place.branch("feature/x", {"src/x.py": "x\n", "README.md": None})
    merged = await promoted(place, "feature/x", "main")
    bare = Sha(await place.write("main", {"direct.txt": "pushed\n"}))
    found = await github.changes(place.name, base, bare, frozenset(), "main")
    (pull,) = found.pull_requests
    assert (pull.title, pull.head, pull.base) == ("Bring feature/x", "feature/x", "main")
    assert {commit.sha: commit.pull_request for commit in found.commits} == {
        at(place, "feature/x"): pull.number,
        merged: pull.number,
        bare: None,
    }
    assert (sorted(found.files), found.branch, found.complete) == (
        ["README.md", "direct.txt", "src/x.py"],
        "main",
        True,
    )
    assert (await github.changes(place.name, base, bare, frozenset(), "feature/x")).branch == ""


async def test_rulesets_and_protection_of_the_local_github_are_read_alike(place: Place, github: GitHub) -> None:
    assert await github.unprotected(place.name, "main") == (
        "direct push allowed",
        "force push allowed",
        "deletion allowed",
    )
    asks = place.asks()
    body = {
        "required_status_checks": {"strict": False, "checks": [{"context": "lint", "app_id": -1}]},
        "enforce_admins": False,
        "required_pull_request_reviews": {"required_approving_review_count": 1},
        "restrictions": None,
    }
    assert (await asks("PUT", "branches/main/protection", body)).status == 200
    assert await github.unprotected(place.name, "main") == ("administrators may push directly",)
    wanted = {"context": "ci", "integration_id": 15368}
    checks = {"strict_required_status_checks_policy": False, "required_status_checks": [wanted]}
    await rule(place, {"type": "required_status_checks", "parameters": checks})
    head = at(place, "main")
    assert await github.not_passed(place.name, "main", head) == ("ci (no result)", "lint (no result)")
    place.world.set_check(place.name, head, "ci", "success", app="Somebody")
    place.world.set_check(place.name, head, "lint", "failure")
    assert await github.not_passed(place.name, "main", head) == ("ci (no result)", "lint")
    place.world.set_check(place.name, head, "ci", "success")
    place.world.set_check(place.name, head, "lint", "success")
    assert await github.not_passed(place.name, "main", head) == ()


async def test_a_pull_request_that_was_merged_red_is_told(place: Place, github: GitHub) -> None:
    base = at(place, "main")
    await place.branch("dev", {"a": "b"})
    place.world.set_check(place.name, at(place, "dev"), "ci", "failure")
    merged = await promoted(place, "dev", "main")
    wanted = {"strict_required_status_checks_policy": False, "required_status_checks": [{"context": "ci"}]}
    await rule(place, {"type": "required_status_checks", "parameters": wanted})
    (pull,) = (await github.changes(place.name, base, merged, frozenset({Look.CHECKS}), "")).pull_requests
    assert pull.failed == ("ci",)


async def test_the_promotion_is_found_with_what_it_says(place: Place, github: GitHub) -> None:
    await place.branch("dev", {"a": "b"})
    assert await github.promotion(place.name, "dev", "main") is None
    opened = await place.pull("dev", body="## Release notes\n- export\n\n## Rollback plan\n<!-- how -->\n")
    found = await github.promotion(place.name, "dev", "main")
    assert found is not None
    assert (found.number, found.fields) == (opened.body["number"], {"release_notes": "- export"})
    assert await github.head(place.name, "dev") == at(place, "dev")
    assert await github.head(place.name, "Dev") is None


async def test_reviews_and_owners_of_the_local_github_count_as_they_would_there(place: Place, github: GitHub) -> None:
    owned = "* @raj\n/db/ @acme/data\n"
    base = Sha(await place.write("main", {".github/CODEOWNERS": owned}))
    place.world.form_team("acme", "data", ["lea"])
    await place.branch("dev", {"src/x.py": "x\n", "db/x.sql": "x\n"})
    opened = await place.pull("dev")
    number = opened.body["number"]

    async def reviews(login: str, role: str = "write", event: str = "APPROVE") -> None:
        asks = place.asks(place.world.admit(login, role))
        said = await asks("POST", f"pulls/{number}/reviews", {"event": event, "body": "Read"})
        assert said.status == 200, said

    await reviews("lea")
    await place.write("dev", {"src/x.py": "y\n"})  # lea saw something else
    await reviews("raj")
    await reviews("eve", role="read")
    merged = await place.asks()("PUT", f"pulls/{number}/merge", {"merge_method": "squash"})
    assert merged.status == 200, merged
    look = frozenset({Look.REVIEWS, Look.OWNERS})
    (pull,) = (await github.changes(place.name, base, at(place, "main"), look, "")).pull_requests
    assert (pull.approved_by, pull.owners_missing) == (frozenset({"raj"}), ("db/x.sql",))
    await reviews("lea")
    (pull,) = (await github.changes(place.name, base, at(place, "main"), look, "")).pull_requests
    assert (pull.approved_by, pull.owners_missing) == (frozenset({"raj", "lea"}), ())


async def test_a_mutation_of_ours_has_one_winner_and_without_an_answer_is_looked_for(
    place: Place, github: GitHub
) -> None:
    client, old = await github._client(), at(place, "main")
    owner, name = place.name.split("/")
    home = (await client.ask(place.name, ID, {"o": owner, "n": name}))["repository"]["id"]
    rivals = [Sha(await place.branch(f"rival-{n}", {"a": f"{n}"})) for n in range(6)]
    await place.world.set_ref(place.name, "refs/heads/release", old)

    async def moves(before: Sha, after: Sha) -> Any:
        update = {"name": "refs/heads/release", "beforeOid": before, "afterOid": after, "force": False}
        wanted = {"repositoryId": home, "refUpdates": [update]}
        try:
            return await client.change(place.name, UPDATE, {"in": wanted})
        except Refusal:
            return None

    said = await asyncio.gather(*(moves(old, rival) for rival in rivals))
    (winner,) = [rival for rival, answer in zip(rivals, said, strict=True) if answer is not None]
    assert at(place, "release") == winner
    newer = Sha(await place.branch("newer", {"b": "b"}, off=winner))
    place.world.inject("bad_gateway_after", method="POST")
    with pytest.raises(OutcomeUnknown):
        await moves(winner, newer)
    assert await github.head(place.name, "release") == newer  # it had been carried out


# Where branches leave the trunk ---------------------------------------------------------------------------------------


async def test_a_release_branch_is_found_with_what_came_to_it_after_its_cut_off(place: Place, github: GitHub) -> None:
    world: Any = SimpleNamespace(code=github)
    assert await github.trunk(place.name) == "main"
    cut = at(place, "main")
    await place.world.set_ref(place.name, "refs/heads/release/1.8", cut)
    fix = Sha(await place.write("main", {"fix.txt": "fixed\n"}, message="fix: Totals"))
    picked = Sha(
        await place.write(
            "release/1.8", {"fix.txt": "fixed\n"}, message=f"fix: Totals\n\n(cherry picked from commit {fix})"
        )
    )
    own = Sha(await place.write("release/1.8", {"own.txt": "here only\n"}, message="feat: Only here"))
    assert await cut_off.built_from(world, place.name, fix, ("release/*",)) == "main"
    assert await cut_off.built_from(world, place.name, cut, ("release/*",)) == "main"
    assert await cut_off.built_from(world, place.name, own, ()) == "release/1.8"
    assert await cut_off.built_from(world, place.name, picked, ("release/*",)) == "release/1.8"
    assert isinstance(await cut_off.built_from(world, place.name, picked, ()), Unknown)
    found = await cut_off.cut_off(world, place.name, own)
    assert isinstance(found, cut_off.CutOff)
    assert (found.trunk, [link.commit for link in found.after]) == (fix, [picked, own])
    assert await cut_off.not_picked(world, place.name, found) == (own,)
    assert await cut_off.late_features(world, place.name, own, found) == (own[:7],)


async def test_a_hotfix_holds_only_itself_wherever_it_was_merged_since(place: Place, github: GitHub) -> None:
    world: Any = SimpleNamespace(code=github)
    serving = at(place, "main")
    await place.branch("hotfix", {"fix.txt": "one\n"})
    fix = Sha(await place.write("hotfix", {"fix.txt": "two\n"}))
    later = Sha(await place.write("main", {"later.txt": "later\n"}))
    assert await cut_off.not_from_production(world, place.name, fix, serving) == ()
    await promoted(place, "hotfix", "main")
    assert await cut_off.not_from_production(world, place.name, fix, serving) == ()
    await place.branch("hurry", {"hurry.txt": "off main\n"})
    hurry = at(place, "hurry")
    brought = await cut_off.not_from_production(world, place.name, hurry, serving)
    assert not isinstance(brought, Unknown)
    assert {later, fix} < set(brought)
    assert hurry not in brought
    assert isinstance(await cut_off.not_from_production(world, place.name, fix, later), Unknown)
    on_main = Sha(await place.write("main", {"straight.txt": "straight to main\n"}))
    assert await cut_off.not_from_production(world, place.name, on_main, at(place, f"{on_main}^")) == ()
