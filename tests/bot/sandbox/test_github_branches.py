"""Our writes that move branches, against the local GitHub: what became of the repository is looked up with git itself."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from bot.github import GitHub, GitHubBranches, Pace, PersonalToken
from commands.errors import Conflict, OutcomeUnknown, Rejected
from commands.ports import Branches
from policy.model import Sha
from tests.bot.sandbox.github_place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUICK = Pace(write_gap=0, retry_pause=0.01, longest_wait=0.5, read_timeout=60, write_timeout=60)
WITHOUT_AN_ANSWER = ("dropped", "bad_gateway_after")
NOWHERE = Sha("0123456789" * 4)


def branches_of(place: Place, pace: Pace = QUICK) -> GitHubBranches:
    connection = GitHub(
        place.session, PersonalToken(place.world.token), place.clock, url=place.world.url, pace=pace
    ).connection
    return GitHubBranches(connection)


@pytest_asyncio.fixture(loop_scope="module")
async def branches(place: Place) -> Branches:
    return branches_of(place)


def at(place: Place, name: str) -> Sha:
    return Sha(place.git("rev-parse", name))


def refs(place: Place) -> set[str]:
    return set(place.git("for-each-ref", "--format=%(refname:short)").split())


def tree(place: Place, name: str) -> str:
    return place.git("rev-parse", f"{name}^{{tree}}")


def writes(place: Place, path: str) -> int:
    return sum(
        one["method"] != "GET"
        and one["path"].endswith(path)
        and "mutation" in str(one["request"].get("query", "mutation"))
        for one in place.world.exchanges
    )


async def propose(branches: Branches, place: Place, source: str = "dev") -> int:
    return await branches.propose(place.name, source=source, target="main", title="Promote dev", body="## Notes\nWork")


async def merge(branches: Branches, place: Place, number: int, head: Sha) -> Sha:
    made = await branches.merge(place.name, number, head=head, title="Promote dev (#1)", message="op_1")
    assert made.tree == tree(place, made.commit)
    return made.commit


# Pull requests ------------------------------------------------------------------------------------------------------


async def test_one_pull_request_is_opened_and_found_again_as_it_is(place: Place, branches: Branches) -> None:
    await place.branch("dev", {"a": "1\n"})
    number = await propose(branches, place)
    assert await branches.propose(place.name, source="dev", target="main", title="Other", body="Other") == number
    (pull,) = (await place.asks()("GET", "pulls")).body
    assert (pull["number"], pull["title"], pull["body"]) == (number, "Promote dev", "## Notes\nWork")


@pytest.mark.parametrize("fault", WITHOUT_AN_ANSWER)
async def test_a_pull_request_without_an_answer_is_looked_for_not_opened_again(
    place: Place, branches: Branches, fault: str
) -> None:
    await place.branch("dev", {"a": "1\n"})
    place.world.inject(fault, method="POST", path="/pulls")
    assert await propose(branches, place) == 1
    assert len((await place.asks()("GET", "pulls?state=all")).body) == 1


async def test_eight_who_propose_at_once_open_one_pull_request(place: Place) -> None:
    await place.branch("dev", {"a": "1\n"})
    numbers = await asyncio.gather(*(propose(branches_of(place), place) for _ in range(8)))
    assert set(numbers) == {1}


async def test_where_nothing_lies_between_nothing_is_opened(place: Place, branches: Branches) -> None:
    await place.world.set_ref(place.name, "refs/heads/dev", at(place, "main"))
    with pytest.raises(Rejected, match=r"main of .* has all that dev has already"):
        await propose(branches, place)
    with pytest.raises(Rejected, match="no branch nowhere"):
        await propose(branches, place, "nowhere")
    assert (await place.asks()("GET", "pulls?state=all")).body == []


# Merging ------------------------------------------------------------------------------------------------------------


async def test_a_pull_request_is_merged_by_a_merge_commit_at_exactly_that_head(
    place: Place, branches: Branches
) -> None:
    before, head = at(place, "main"), Sha(await place.branch("dev", {"a": "1\n"}))
    number = await propose(branches, place)
    made = await branches.merge(place.name, number, head=head, title="Promote dev", message="Operation: op_1")
    assert at(place, "main") == made.commit
    assert place.git("rev-list", "--parents", "-n1", "main").split() == [made.commit, before, head]
    assert made.parents == (before, head)
    assert made.tree == tree(place, "main") == tree(place, "dev")
    assert place.git("log", "-1", "--format=%B", "main") == "Promote dev\n\nOperation: op_1"
    assert await branches.merge(place.name, number, head=head, title="Promote dev", message="Operation: op_1") == made
    assert at(place, "main") == made.commit


@pytest.mark.parametrize("fault", WITHOUT_AN_ANSWER)
async def test_a_merge_without_an_answer_is_looked_for_not_repeated(
    place: Place, branches: Branches, fault: str
) -> None:
    head = Sha(await place.branch("dev", {"a": "1\n"}))
    number = await propose(branches, place)
    place.world.inject(fault, method="PUT")
    assert await merge(branches, place, number, head) == at(place, "main")
    assert writes(place, "/merge") == 1


async def test_a_merge_that_did_not_happen_is_unknown_and_made_the_next_time(place: Place, branches: Branches) -> None:
    head = Sha(await place.branch("dev", {"a": "1\n"}))
    number, before = await propose(branches, place), at(place, "main")
    place.world.inject("bad_gateway", method="PUT")
    with pytest.raises(OutcomeUnknown):
        await merge(branches, place, number, head)
    assert at(place, "main") == before
    assert await merge(branches, place, number, head) == at(place, "main")


async def test_a_head_that_moved_since_it_was_agreed_to_is_not_merged(place: Place, branches: Branches) -> None:
    head, before = Sha(await place.branch("dev", {"a": "1\n"})), at(place, "main")
    number = await propose(branches, place)
    await place.write("dev", {"a": "sneaked in\n"})
    with pytest.raises(Conflict, match="dev moved from"):
        await merge(branches, place, number, head)
    assert at(place, "main") == before


async def test_a_base_that_moves_in_the_last_moment_is_told_apart_from_a_refusal(
    place: Place, branches: Branches
) -> None:
    head = Sha(await place.branch("dev", {"a": "1\n"}))
    number = await propose(branches, place)
    place.world.inject("base_moved")
    with pytest.raises(Conflict, match="main moved just when"):
        await merge(branches, place, number, head)
    assert "a" not in place.git("ls-tree", "--name-only", "main").split()


async def test_a_conflict_a_draft_and_a_closed_pull_request_are_said(place: Place, branches: Branches) -> None:
    head = Sha(await place.branch("dev", {"README.md": "ours\n"}))
    number = await propose(branches, place)
    await place.write("main", {"README.md": "theirs\n"})
    with pytest.raises(Rejected, match="conflicts with main: somebody must merge main into dev"):
        await merge(branches, place, number, head)
    await place.asks()("PATCH", f"pulls/{number}", {"state": "closed"})
    with pytest.raises(Rejected, match="closed without being merged"):
        await merge(branches, place, number, head)
    other = Sha(await place.branch("next", {"b": "1\n"}))
    draft = (await place.pull("next", draft=True)).body["number"]
    with pytest.raises(Rejected, match="draft"):
        await merge(branches, place, draft, other)


async def test_what_somebody_squashed_is_not_taken_for_our_merge(place: Place, branches: Branches) -> None:
    head = Sha(await place.branch("dev", {"a": "1\n"}))
    number = await propose(branches, place)
    assert (await place.asks()("PUT", f"pulls/{number}/merge", {"merge_method": "squash"})).status == 200
    with pytest.raises(Rejected, match=r"not .* by a merge commit"):
        await merge(branches, place, number, head)


# Moving -------------------------------------------------------------------------------------------------------------


async def three(place: Place) -> tuple[Sha, Sha, Sha]:
    """`release` stands at the first of three commits of `main`."""
    first = at(place, "main")
    second, third = [Sha(await place.write("main", {"n": f"{number}\n"})) for number in (2, 3)]
    await place.world.set_ref(place.name, "refs/heads/release", first)
    return first, second, third


async def test_a_branch_moves_forward_to_exactly_that_commit(place: Place, branches: Branches) -> None:
    first, second, _ = await three(place)
    await branches.move(place.name, "release", seen=first, to=second)
    assert at(place, "release") == second
    await branches.move(place.name, "release", seen=first, to=second)  # found there
    assert place.git("rev-list", "--merges", "release") == ""


async def test_of_eight_who_move_it_forward_at_once_exactly_one_wins(place: Place) -> None:
    first, *_ = await three(place)
    ends = []
    for number in range(8):
        await place.world.set_ref(place.name, f"refs/heads/way-{number}", first)
        ends.append(Sha(await place.write(f"way-{number}", {"n": f"{number}\n"})))

    async def move(to: Sha) -> bool:
        try:
            await branches_of(place).move(place.name, "release", seen=first, to=to)
        except Conflict:
            return False
        return True

    won = [end for end, wins in zip(ends, await asyncio.gather(*map(move, ends)), strict=True) if wins]
    assert won == [at(place, "release")]


async def test_a_later_release_is_not_jumped_over_by_who_saw_an_earlier_one(place: Place, branches: Branches) -> None:
    first, second, third = await three(place)
    await branches.move(place.name, "release", seen=first, to=second)
    with pytest.raises(Conflict, match="release moved from"):
        await branches.move(place.name, "release", seen=first, to=third)
    assert at(place, "release") == second


async def test_it_goes_back_only_where_that_is_asked_for(place: Place, branches: Branches) -> None:
    first, second, third = await three(place)
    await branches.move(place.name, "release", seen=first, to=third)
    with pytest.raises(Rejected, match="does not come after"):
        await branches.move(place.name, "release", seen=third, to=second)
    aside = Sha(await place.branch("aside", {"x": "1\n"}, off=first))
    with pytest.raises(Rejected, match="does not come after"):
        await branches.move(place.name, "release", seen=third, to=aside)
    assert at(place, "release") == third
    await branches.move(place.name, "release", seen=third, to=second, back=True)
    assert at(place, "release") == second


@pytest.mark.parametrize("fault", WITHOUT_AN_ANSWER)
async def test_a_move_without_an_answer_is_looked_for_not_repeated(
    place: Place, branches: Branches, fault: str
) -> None:
    first, second, _ = await three(place)
    place.world.inject(fault, method="POST", path="/graphql")
    await branches.move(place.name, "release", seen=first, to=second)
    assert at(place, "release") == second
    assert writes(place, "/graphql") == 1


async def test_a_move_that_did_not_happen_is_unknown_and_made_the_next_time(place: Place, branches: Branches) -> None:
    first, second, _ = await three(place)
    place.world.inject("bad_gateway", method="POST", path="/graphql")
    with pytest.raises(OutcomeUnknown):
        await branches.move(place.name, "release", seen=first, to=second)
    assert at(place, "release") == first
    await branches.move(place.name, "release", seen=first, to=second)
    assert at(place, "release") == second


async def test_a_rule_that_forbids_it_is_said_in_githubs_words(place: Place, branches: Branches) -> None:
    first, second, third = await three(place)
    await place.asks()(
        "POST",
        "rulesets",
        {
            "name": "No way back",
            "enforcement": "active",
            "conditions": {"ref_name": {"include": ["refs/heads/release"], "exclude": []}},
            "rules": [{"type": "non_fast_forward"}],
        },
    )
    await branches.move(place.name, "release", seen=first, to=third)
    with pytest.raises(Rejected, match=r"[Rr]ule violations"):
        await branches.move(place.name, "release", seen=third, to=second, back=True)
    assert at(place, "release") == third


async def test_a_branch_begins_where_it_should_or_is_found_there(place: Place, branches: Branches) -> None:
    first, second, _ = await three(place)
    for _ in range(2):
        await branches.begin(place.name, "hotfix/1.2.4", first)
    assert at(place, "hotfix/1.2.4") == first
    with pytest.raises(Conflict, match="already, at"):
        await branches.begin(place.name, "hotfix/1.2.4", second)
    for fault in WITHOUT_AN_ANSWER:
        place.world.inject(fault, method="POST", path="/git/refs")
        await branches.begin(place.name, f"hotfix/{fault}", second)
        assert at(place, f"hotfix/{fault}") == second
    with pytest.raises(Rejected):
        await branches.begin(place.name, "hotfix/none", NOWHERE)
    with pytest.raises(Rejected, match="not the name of a branch"):
        await branches.begin(place.name, "../../other", first)
