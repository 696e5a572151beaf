"""Our writes that move branches, against the local GitHub: what became of the repository is looked up with git itself."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
import random
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.github import GitHub, GitHubBranches, Pace, PersonalToken
from bot.github.three_way import SCRATCH
from bot.sandbox.github.git import Signature
from commands.errors import Conflict, OutcomeUnknown, Rejected, Unavailable
from commands.ports import Branches, Merged
from policy.model import Sha
from tests.bot.github_world import NINE
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


SAID = hashlib.sha256(b"## Notes\nWork").hexdigest()


async def merged(
    branches: Branches, place: Place, number: int, head: Sha, *, base: Sha | None = None, said: str = SAID
) -> Merged:
    return await branches.merge(
        place.name,
        number,
        head=head,
        base=base or at(place, "main"),
        description=said,
        title="Promote dev",
        message="Operation: op_1",
    )


async def merge(branches: Branches, place: Place, number: int, head: Sha) -> Sha:
    made = await merged(branches, place, number, head)
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
    made = await merged(branches, place, number, head)
    assert at(place, "main") == made.commit
    assert place.git("rev-list", "--parents", "-n1", "main").split() == [made.commit, before, head]
    assert made.parents == (before, head)
    assert made.tree == tree(place, "main") == tree(place, "dev")
    assert place.git("log", "-1", "--format=%B", "main") == "Promote dev\n\nOperation: op_1"
    assert await merged(branches, place, number, head, base=before) == made
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


async def test_what_is_not_as_it_was_agreed_to_is_not_merged(place: Place, branches: Branches) -> None:
    before, head = at(place, "main"), Sha(await place.branch("dev", {"a": "1\n"}))
    number = await propose(branches, place)
    moved = await place.write("main", {"b": "by hand\n"})
    with pytest.raises(Conflict, match="main moved from"):
        await merged(branches, place, number, head, base=before)
    await place.asks()("PATCH", f"pulls/{number}", {"body": "## Notes\nNone"})
    with pytest.raises(Conflict, match="says something else"):
        await merged(branches, place, number, head)
    assert at(place, "main") == moved


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


# What git would make of it ------------------------------------------------------------------------------------------


@dataclass
class History:
    """Two lines that went apart and were merged, and how the files of each stand."""

    place: Place
    chance: random.Random
    number: int
    files: dict[str, dict[str, str]] = field(default_factory=dict)

    def lines(self, count: int = 9) -> str:
        return "".join(f"{self.chance.choice('abcdef')} {self.chance.randrange(4)}\n" for _ in range(count))

    def branch(self, name: str) -> str:
        return f"{name}-{self.number}"

    async def begin(self) -> None:
        self.files["main"] = {name: self.lines() for name in ("f", "g", "src/h")}
        await self.place.world.set_ref(self.place.name, f"refs/heads/{self.branch('main')}", at(self.place, "main"))
        await self._write("main", self.files["main"])
        await self.place.world.set_ref(
            self.place.name, f"refs/heads/{self.branch('dev')}", at(self.place, self.branch("main"))
        )
        self.files["dev"] = dict(self.files["main"])

    async def _write(self, name: str, changes: Mapping[str, str | None]) -> Sha:
        return Sha(await self.place.write(self.branch(name), changes))

    async def work(self, name: str) -> Sha:
        """One commit more: a line changed, a file renamed with or without a change, removed or added."""
        files, changes = self.files[name], dict[str, str | None]()
        path = self.chance.choice(sorted(files))
        match self.chance.randrange(6):
            case 0:
                content = files.pop(path)
                moved = f"{self.chance.choice(('src', 'lib'))}/{path.rsplit('/')[-1]}{self.chance.randrange(3)}"
                files[moved] = content + self.chance.choice(("", "tail\n"))
                changes = {path: None, moved: files[moved]}
            case 1 if len(files) > 2:
                del files[path]
                changes = {path: None}
            case 2:
                changes = {f"new{self.chance.randrange(4)}": self.lines(3)}
            case _:
                kept = files[path].splitlines(keepends=True)
                kept[self.chance.randrange(len(kept))] = self.lines(1)
                changes = {path: "".join(kept)}
        files |= {name: content for name, content in changes.items() if content is not None}
        return await self._write(name, changes)


class Clone:
    """Git's own revert and cherry-pick, in a work tree."""

    def __init__(self, place: Place, directory: Path) -> None:
        self._directory = directory
        subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", place.directory, directory], check=True)

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        named = ("git", "-c", "user.name=t", "-c", "user.email=t@x", "-c", "advice.detachedHead=false", *arguments)
        return subprocess.run(named, cwd=self._directory, capture_output=True, text=True, check=check)

    def does(self, onto: Sha, *words: str) -> str | None:
        """The tree that comes out; None: a conflict."""
        self.git("checkout", "-q", "-f", "--detach", onto)
        done = self.git(*words, check=False)
        made = self.git("write-tree").stdout.strip() if done.returncode == 0 else None
        self.git("reset", "-q", "--hard")
        self.git("clean", "-q", "-f", "-d", "-x")
        return made


HISTORIES = int(os.environ.get("HISTORIES", "6"))


async def test_reverts_and_picks_of_random_histories_equal_gits_own(
    place: Place, branches: Branches, tmp_path: Path
) -> None:
    """Tree for tree, conflict for conflict, nothing for nothing; 200 and more with HISTORIES=200."""
    chance, clone = random.Random(20261121), Clone(place, tmp_path / "work")
    git, ends = place.world.repository(place.name).git, Counter[str]()
    stood = refs(place)
    for number in range(HISTORIES):
        place.clock.advance(minutes=1)  # so many requests are more than an hour allows
        history = History(place, chance, number)
        await history.begin()
        before = at(place, history.branch("main"))
        worked = [await history.work(name) for name in (*chance.choices(("main", "dev"), k=3), "dev", "main")]
        main, dev = at(place, history.branch("main")), at(place, history.branch("dev"))
        made = await git.merge(main, dev, "Merge", Signature("t", "t@x", NINE))
        merge = Sha(made) if made else None
        tried: list[tuple[str, Sha, Sha, int]] = [
            ("cherry-pick", main, dev, 1),
            ("cherry-pick", before, chance.choice(worked), 1),
            ("revert", main, chance.choice(worked), 1),
        ]
        if merge is not None:
            await place.world.set_ref(place.name, f"refs/heads/{history.branch('main')}", merge)
            later = await history.work("main")
            tried += [
                ("revert", later, merge, 1),
                ("revert", merge, merge, chance.choice((1, 2))),
                ("cherry-pick", merge, dev, 1),
                ("cherry-pick", before, merge, 1),
            ]
        stood |= {history.branch("main"), history.branch("dev")}
        for verb, onto, commit, mainline in tried:
            wanted = clone.does(onto, verb, "--no-commit", "-m", str(mainline), commit)
            call = branches.reverted if verb == "revert" else branches.picked
            asked = call(place.name, onto=onto, commit=commit, mainline=mainline, message=f"{verb} {commit}")
            if wanted is None:
                with pytest.raises(Rejected, match="conflict"):
                    await asked
                ends[f"{verb}: conflict"] += 1
                continue
            found = await asked
            assert (tree(place, found) if found else tree(place, onto)) == wanted, (verb, onto, commit)
            ends[f"{verb}: {'made' if found else 'nothing'}"] += 1
            if found is not None:
                assert place.git("rev-list", "--parents", "-n1", found).split() == [found, onto]
                assert place.git("log", "-1", "--format=%s", found) == f"{verb} {commit}"
        assert refs(place) == stood
    print(f"{HISTORIES} histories: {dict(sorted(ends.items()))}")
    assert len(ends) == 6 or HISTORIES < 25, ends


async def test_where_somebody_died_in_between_the_next_one_clears_up(place: Place, branches: Branches) -> None:
    head, before = Sha(await place.branch("dev", {"a": "1\n"})), at(place, "main")
    old = f"{SCRATCH}{place.clock.now() - timedelta(minutes=16):%Y%m%dT%H%M%SZ}-00ff"
    young = f"{SCRATCH}{place.clock.now() - timedelta(minutes=14):%Y%m%dT%H%M%SZ}-00ff"
    theirs = f"{SCRATCH}of-somebody"
    for name in (old, young, theirs):
        await place.world.set_ref(place.name, f"refs/heads/{name}", before)
    await branches.picked(place.name, onto=before, commit=head, mainline=1, message="Pick")
    assert refs(place) == {"main", "dev", young, theirs}


@pytest.mark.parametrize("fault", [*WITHOUT_AN_ANSWER, "bad_gateway"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/git/commits"), ("POST", "/git/refs"), ("POST", "/merges"), ("DELETE", "/git/refs/")]
)
async def test_an_answer_that_is_lost_on_the_way_leaves_nothing_behind(
    place: Place, branches: Branches, fault: str, method: str, path: str
) -> None:
    head, before = Sha(await place.branch("dev", {"a": "1\n"})), at(place, "main")
    place.world.inject(fault, method=method, path=path)
    try:
        made = await branches.picked(place.name, onto=before, commit=head, mainline=1, message="Pick")
    except Unavailable:
        assert (fault, path) in {("bad_gateway", "/git/refs"), ("bad_gateway", "/merges")}
        made = await branches.picked(place.name, onto=before, commit=head, mainline=1, message="Pick")
    assert made is not None
    assert tree(place, made) == tree(place, head)
    assert refs(place) == {"main", "dev"}


async def test_what_changes_a_workflow_is_left_to_people(place: Place, branches: Branches) -> None:
    await place.write("main", {".github/CODEOWNERS": "* @maya\n", ".github/workflows/ci.yml": "on: push\n"})
    before = at(place, "main")
    owners = Sha(await place.branch("owners", {".github/CODEOWNERS": "* @omar\n"}))
    flow = Sha(await place.branch("flow", {".github/workflows/ci.yml": "on: pull_request\n"}))
    assert await branches.picked(place.name, onto=before, commit=owners, mainline=1, message="Pick")
    with pytest.raises(Rejected, match=r"\.github/workflows, which the bot may not"):
        await branches.picked(place.name, onto=before, commit=flow, mainline=1, message="Pick")


async def test_a_parent_that_a_commit_lacks_is_said(place: Place, branches: Branches) -> None:
    head = at(place, "main")
    with pytest.raises(Rejected, match="has no parent number 1"):
        await branches.reverted(place.name, onto=head, commit=head, mainline=1, message="Back")


# The log ------------------------------------------------------------------------------------------------------------

LOG = "docs/RELEASE_LOG.md"


async def add(branches: Branches, place: Place, number: int) -> Sha:
    return await branches.append(
        place.name, "main", LOG, text=f"- op_{number} v1.{number}\n", mark=f"op_{number} ", title=f"Log op_{number}"
    )


def log(place: Place) -> str:
    return place.git("show", f"main:{LOG}")


def deletions(place: Place) -> int:
    told = place.git("log", "--format=", "--numstat", "main", "--", LOG)
    return sum(int(line.split("\t")[1]) for line in told.splitlines() if line)


async def test_a_line_is_added_once_and_found_by_its_mark(place: Place, branches: Branches) -> None:
    first = await add(branches, place, 1)
    assert at(place, "main") == first
    second = await add(branches, place, 2)
    await place.write("main", {"other": "1\n"})
    assert (await add(branches, place, 1), await add(branches, place, 2)) == (first, second)
    assert log(place) == "- op_1 v1.1\n- op_2 v1.2"
    assert deletions(place) == 0


@pytest.mark.parametrize("fault", [*WITHOUT_AN_ANSWER, "bad_gateway"])
async def test_a_line_without_an_answer_stands_there_once(place: Place, branches: Branches, fault: str) -> None:
    await add(branches, place, 1)
    place.world.inject(fault, method="POST", path="/graphql")
    assert await add(branches, place, 2) == at(place, "main")
    assert log(place) == "- op_1 v1.1\n- op_2 v1.2"
    assert place.git("rev-list", "--count", "main", "--", LOG) == "2"


async def test_many_who_add_at_once_lose_nothing(place: Place) -> None:
    patient = dataclasses.replace(QUICK, retry_pause=0)

    async def insist(number: int) -> None:
        while True:
            with contextlib.suppress(Conflict):
                await add(branches_of(place, patient), place, number)
                return

    await asyncio.gather(*(insist(number) for number in range(6)))
    assert sorted(log(place).splitlines()) == [f"- op_{number} v1.{number}" for number in range(6)]
    assert deletions(place) == 0


async def test_a_last_line_that_somebody_left_open_is_not_written_over(place: Place, branches: Branches) -> None:
    await place.write("main", {LOG: "- by hand"})
    before = at(place, "main")
    with pytest.raises(Rejected, match="does not end with a line break"):
        await add(branches, place, 1)
    assert at(place, "main") == before
    with pytest.raises(Rejected, match="no branch nowhere"):
        await branches.append(place.name, "nowhere", LOG, text="x\n", mark="x", title="x")
