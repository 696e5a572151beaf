"""People clone, fetch and push with git itself, and the rules hold for them as for the API."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bot.sandbox.github_place import BREAK_GLASS, PROMOTER, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")
ENVIRONMENT = {
    **os.environ,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Maya",
    "GIT_AUTHOR_EMAIL": "maya@users.noreply.github.example",
    "GIT_COMMITTER_NAME": "Maya",
    "GIT_COMMITTER_EMAIL": "maya@users.noreply.github.example",
}


@dataclass
class Clone:
    """Somebody's own copy."""

    directory: Path

    async def git(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and all that was said."""
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            cwd=self.directory,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def commit(self, file: str, text: str = "x\n") -> str:
        (self.directory / file).write_text(text)
        assert (await self.git("add", file))[0] == 0
        assert (await self.git("commit", "-qm", f"Change {file}"))[0] == 0
        return (await self.git("rev-parse", "HEAD"))[1].strip()


async def cloned(place: Place, directory: Path, token: str) -> Clone:
    code, said = await Clone(directory).git("clone", "-q", place.world.address(place.name, token), "work")
    assert code == 0, said
    return Clone(directory / "work")


async def test_what_is_pushed_is_there_and_pull_requests_know_of_it(place: Place, tmp_path: Path) -> None:
    work = await cloned(place, tmp_path, place.world.admit("maya"))
    assert (work.directory / "README.md").read_text() == "hello\n"
    await work.git("switch", "-qc", "dev")
    first = await work.commit("a")
    assert (await work.git("push", "-q", "origin", "dev"))[0] == 0
    assert place.git("rev-parse", "dev") == first
    await place.pull("dev")
    large = await work.commit("large", "".join(f"{number}\n" for number in range(400_000)))
    code, said = await work.git("-c", "http.postBuffer=65536", "push", "-q", "origin", "dev")
    assert (code, said) == (0, "")
    shown = (await place.asks()("GET", "pulls/1")).body
    assert shown["head"]["sha"] == large
    theirs = await place.write("main", {"b": "b\n"})
    assert (await work.git("fetch", "-q"))[0] == 0
    assert (await work.git("rev-parse", "origin/main"))[1].strip() == theirs
    await work.git("tag", "-am", "One", "v1", first)
    assert (await work.git("push", "-q", "origin", "v1", ":dev"))[0] == 0
    assert place.git("rev-parse", "v1^{commit}") == first
    assert "dev" not in place.git("branch", "--format=%(refname:short)").split()
    assert (await work.git("fsck"))[0] == 0


async def test_a_protected_branch_takes_no_push_and_one_beside_it_does(place: Place, tmp_path: Path) -> None:
    before = place.git("rev-parse", "main")
    asks = place.asks()
    rules = [{"type": "pull_request", "parameters": PULL_REQUEST}, {"type": "non_fast_forward"}, {"type": "deletion"}]
    named = {"ref_name": {"include": ["refs/heads/main"], "exclude": []}}
    bypass = [{"actor_id": BREAK_GLASS, "actor_type": "Integration", "bypass_mode": "always"}]
    said = await asks(
        "POST",
        "rulesets",
        {"name": "r", "enforcement": "active", "rules": rules, "conditions": named, "bypass_actors": bypass},
    )
    assert said.status == 201, said
    work = await cloned(place, tmp_path, place.world.admit("maya"))
    pushed = await work.commit("a")
    code, told = await work.git("push", "origin", "HEAD:main", "HEAD:refs/heads/side")
    assert code == 1
    assert "remote: error: GH006: Protected branch update failed for refs/heads/main." in told
    assert "remote: error: " in told
    assert "Changes must be made through a pull request." in told
    assert "main (protected branch hook declined)" in told
    assert place.git("rev-parse", "main", "side").split() == [before, pushed]
    for token, lets in (((await place.app(PROMOTER)).token, False), ((await place.app(BREAK_GLASS)).token, True)):
        code, told = await work.git("push", "-q", place.world.address(place.name, token), "HEAD:main")
        assert (code == 0) is lets, told
    assert place.git("rev-parse", "main") == pushed
    for words in (("push", "-qf", "origin", f"{before}:main"), ("push", "-q", "origin", ":main")):
        assert (await work.git(*words))[0] == 1
    assert place.git("rev-parse", "main") == pushed


async def test_of_two_who_push_at_once_one_is_told_to_fetch_first(place: Place, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    both = [await cloned(place, tmp_path / name, place.world.admit(name)) for name in ("one", "two")]
    pushed = [await work.commit(file) for work, file in zip(both, "ab", strict=True)]
    ends = await asyncio.gather(*(work.git("push", "origin", "main") for work in both))
    assert sorted(code for code, _ in ends) == [0, 1]
    won = pushed[[code for code, _ in ends].index(0)]
    assert place.git("rev-parse", "main") == won
    assert place.git("fsck", "--no-dangling") == ""


async def test_who_may_not_read_or_write_does_not(place: Place, tmp_path: Path) -> None:
    reader = await cloned(place, tmp_path, place.world.admit("gus", "read"))
    await reader.commit("a")
    code, told = await reader.git("push", "origin", "main")
    assert code == 128
    assert "403" in told
    for token in ("-", "ghp_nonsense"):
        assert (await reader.git("fetch", place.world.address(place.name, token)))[0] == 128
    nobody = place.world.admit("nobody", "none")
    assert (await reader.git("fetch", place.world.address(place.name, nobody)))[0] == 128
    nowhere = place.world.address("acme/nothing")
    code, told = await reader.git("fetch", nowhere)
    assert code == 128
    assert "not found" in told


PULL_REQUEST = {
    "required_approving_review_count": 0,
    "dismiss_stale_reviews_on_push": False,
    "require_code_owner_review": False,
    "require_last_push_approval": False,
    "required_review_thread_resolution": False,
}
