"""Commits, trees, tags and files of the local GitHub: what the API makes, the git command line reads, and back."""

from __future__ import annotations

import asyncio
import base64
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.sandbox.github import signing
from tests.bot.github_world import NINE, Asker
from tests.bot.sandbox.github_place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="git asks ssh-keygen about signatures")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_a_commit_is_made_of_blobs_and_trees_and_stands_on_no_branch(place: Place) -> None:
    asks, head = place.asks(), place.git("rev-parse", "main")
    blob = (await asks("POST", "git/blobs", {"content": encoded("Grüße\n"), "encoding": "base64"})).body["sha"]
    assert base64.b64decode((await asks("GET", f"git/blobs/{blob}")).body["content"]).decode() == "Grüße\n"
    entries = [
        {"path": "docs/a note.md", "mode": "100644", "type": "blob", "sha": blob},
        {"path": "run.sh", "mode": "100755", "type": "blob", "content": "echo\n"},
        {"path": "README.md", "mode": "100644", "type": "blob", "sha": None},
    ]
    tree = (await asks("POST", "git/trees", {"base_tree": place.git("rev-parse", "main^{tree}"), "tree": entries})).body
    assert place.git("ls-tree", "-r", "--format=%(objectmode) %(path)", tree["sha"]).split("\n") == [
        "100644 docs/a note.md",
        "100755 run.sh",
    ]
    deep = (await asks("GET", f"git/trees/{tree['sha']}?recursive=1")).body["tree"]
    assert [one["path"] for one in deep] == ["docs", "docs/a note.md", "run.sh"]
    made = await asks("POST", "git/commits", {"message": "By hand", "tree": tree["sha"], "parents": [head]})
    assert made.body["verification"]["verified"] is True
    assert place.git("log", "-1", "--format=%P %T %s", made.body["sha"]) == f"{head} {tree['sha']} By hand"
    assert place.git("rev-parse", "main") == head
    own = {"name": "CI", "email": "ci@example.org", "date": "2026-11-24T08:00:00Z"}
    other = await asks("POST", "git/commits", {"message": "x", "tree": tree["sha"], "author": own})
    assert (other.body["verification"]["reason"], other.body["author"]) == ("unsigned", own)
    for wrong in ({"tree": head}, {"tree": tree["sha"], "parents": [blob]}):
        assert (await asks("POST", "git/commits", {"message": "x"} | wrong)).status == 422


async def test_branches_are_merged_or_not_as_git_does(place: Place) -> None:
    asks = place.asks()
    head = await place.branch("dev", {"a": "a\n"})
    base = await place.write("main", {"m": "m\n"})
    await place.branch("clash", {"m": "other\n"}, off="main^")
    merged = await asks("POST", "merges", {"base": "main", "head": "dev", "commit_message": "Together"})
    assert (merged.status, place.git("log", "-1", "--format=%P %s", "main")) == (201, f"{base} {head} Together")
    assert (await asks("POST", "merges", {"base": "main", "head": head})).status == 204
    for base, head, status, message in (
        ("main", "nowhere", 404, "Head does not exist"),
        ("nowhere", "main", 404, "Base does not exist"),
        ("main", "clash", 409, "Merge conflict"),
    ):
        said = await asks("POST", "merges", {"base": base, "head": head})
        assert (said.status, said.message) == (status, message)


async def three_way(asks: Asker, name: str, base: str, ours: str, theirs: str) -> str | None:
    """A merge with a base of one's choice by nothing but REST calls; its tree, None where it conflicts."""

    async def tree_of(sha: str) -> str:
        return str((await asks("GET", f"git/commits/{sha}")).body["tree"]["sha"])

    async def commit(tree: str) -> str:
        return str((await asks("POST", "git/commits", {"message": "x", "tree": tree, "parents": [base]})).body["sha"])

    x, y = await commit(await tree_of(ours)), await commit(await tree_of(theirs))
    assert (await asks("POST", "git/refs", {"ref": f"refs/heads/{name}", "sha": x})).status == 201
    merged = await asks("POST", "merges", {"base": name, "head": y})
    assert (await asks("DELETE", f"git/refs/heads/{name}")).status == 204
    if merged.status == 409:
        return None
    return await tree_of(merged.body["sha"]) if merged.body else await tree_of(ours)


async def test_reverts_and_cherry_picks_by_rest_equal_gits_own(place: Place, tmp_path: Path) -> None:
    chances = random.Random(7)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", place.directory, clone], check=True)

    def git(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        named = ("-c", "user.name=t", "-c", "user.email=t@x", *arguments)
        return subprocess.run(["git", *named], cwd=clone, capture_output=True, text=True, check=ok)

    for number in range(6):
        lines = [chances.choice("abcdef") for _ in range(8)]
        await place.write("main", {"f.txt": "\n".join(lines) + "\n", f"{number}.txt": "new\n"})
    git("pull", "-q")
    asks = place.asks()
    tip, commits = place.git("rev-parse", "main"), place.git("rev-list", "main", "--max-count=6").split()
    for number, commit in enumerate(commits):
        for base, theirs, command in ((commit, f"{commit}^", "revert"), (f"{commit}^", commit, "cherry-pick")):
            git("checkout", "-q", "--detach", tip if command == "revert" else f"{tip}~3")
            ours = git("rev-parse", "HEAD").stdout.strip()
            done = git(command, "--no-commit", commit, ok=False)
            wanted = git("write-tree").stdout.strip() if done.returncode == 0 else None
            git("reset", "-q", "--hard")
            shas = [place.git("rev-parse", name) for name in (base, theirs)]
            assert await three_way(asks, f"tmp-{number}", shas[0], ours, shas[1]) == wanted, (command, commit)


async def test_a_file_is_written_where_its_sha_fits(place: Place) -> None:
    asks, log = place.asks(), "contents/docs/LOG.md"
    first = await asks("PUT", log, {"message": "Begin the log", "content": encoded("one\n"), "branch": "main"})
    assert (first.status, first.body["commit"]["verification"]["verified"]) == (201, True)
    sha = first.body["content"]["sha"]
    missing = await asks("PUT", log, {"message": "x", "content": encoded("two\n")})
    assert (missing.status, '"sha" wasn\'t supplied' in missing.message) == (422, True)
    second = await asks("PUT", log, {"message": "Go on", "content": encoded("one\ntwo\n"), "sha": sha})
    assert second.status == 200
    stale = await asks("PUT", log, {"message": "x", "content": encoded("three\n"), "sha": sha})
    assert (stale.status, stale.message) == (409, f"docs/LOG.md does not match {sha}")
    nowhere = await asks("PUT", log, {"message": "x", "content": "eA==", "branch": "nowhere"})
    assert (nowhere.status, nowhere.message) == (404, "Branch nowhere not found")
    assert place.git("show", "main:docs/LOG.md") == "one\ntwo"
    assert place.git("log", "-1", "--format=%s|%H", "main") == f"Go on|{second.body['commit']['sha']}"
    assert [one["name"] for one in (await asks("GET", "contents/docs")).body] == ["LOG.md"]


async def test_of_rival_writes_to_one_branch_none_is_lost(place: Place) -> None:
    asks = place.asks()
    answers = await asyncio.gather(
        *(asks("PUT", f"contents/{n}.md", {"message": f"{n}", "content": encoded(f"{n}\n")}) for n in range(6))
    )
    assert {one.status for one in answers} <= {201, 409}
    assert all("but expected" in one.message for one in answers if one.status == 409)
    written = {one.body["content"]["path"] for one in answers if one.status == 201}
    assert set(place.git("ls-tree", "--name-only", "main").split()) == written | {"README.md"}


async def test_a_branch_that_moves_while_a_file_is_written_wins(place: Place) -> None:
    place.world.inject("base_moved")
    before = place.git("rev-parse", "main")
    lost = await place.asks()("PUT", "contents/a.md", {"message": "x", "content": "eA=="})
    now = place.git("rev-parse", "main")
    assert (lost.status, lost.message) == (409, f"main is at {now} but expected {before}")
    assert place.git("log", "-1", "--format=%s", "main") == "Somebody was quicker"


async def test_a_large_file_is_given_only_raw(place: Place) -> None:
    text = "x" * 1_100_000
    await place.write("main", {"large.txt": text})
    told = (await place.asks()("GET", "contents/large.txt")).body
    assert (told["content"], told["encoding"], told["size"]) == ("", "none", 1_100_000)
    async with place.session.get(
        f"{place.world.url}/repos/{place.name}/contents/large.txt",
        headers={"Authorization": f"token {place.world.token}", "Accept": "application/vnd.github.raw+json"},
    ) as answer:
        assert await answer.text() == text


async def test_rules_hold_for_files_and_merges_too(place: Place) -> None:
    asks, head = place.asks(), place.git("rev-parse", "main")
    await place.branch("dev", {"a": "a\n"})
    review = {"dismiss_stale_reviews_on_push": False, "require_code_owner_review": False}
    review |= {"require_last_push_approval": False, "required_review_thread_resolution": False}
    rules = [{"type": "pull_request", "parameters": review | {"required_approving_review_count": 0}}]
    named = {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}
    await asks("POST", "rulesets", {"name": "r", "enforcement": "active", "conditions": named, "rules": rules})
    for method, path, body in (
        ("PUT", "contents/x.md", {"message": "x", "content": "eA=="}),
        ("POST", "merges", {"base": "main", "head": "dev"}),
    ):
        refused = await asks(method, path, body)
        assert (refused.status, "Changes must be made through a pull request." in refused.message) == (409, True)
    assert place.git("rev-parse", "main") == head


async def test_refs_move_together_or_none_of_them(place: Place) -> None:
    git, old = place.world.repository(place.name).git, place.git("rev-parse", "main")
    new = await place.branch("dev", {"a": "a"})
    assert not await git.swap_all([("refs/heads/main", new, old), ("refs/heads/dev", old, old)])
    assert (place.git("rev-parse", "main"), place.git("rev-parse", "dev")) == (old, new)
    assert await git.swap_all([("refs/heads/main", new, old), ("refs/heads/dev", old, new)])
    assert (place.git("rev-parse", "main"), place.git("rev-parse", "dev")) == (new, old)


# Tags ---------------------------------------------------------------------------------------------------------------


async def test_a_tag_is_verified_by_whose_key_signed_it(place: Place) -> None:
    ours, foreign, head = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), place.git("rev-parse", "main")
    place.world.know_key("ci", signing.public_key(ours))
    seen = {}
    for name, tagger, key in (
        ("v1", "ci", ours),
        ("v2", "maya", ours),
        ("v3", "ci", foreign),
        ("v4", "ci", None),
    ):
        made = await place.world.tag(place.name, name, head, tagger, f"Release {name}", NINE, key)
        tag = (await place.asks()("GET", f"git/tags/{made}")).body
        assert (tag["object"], tag["tag"]) == (tag["object"] | {"sha": head, "type": "commit"}, name)
        seen[name] = (tag["verification"]["verified"], tag["verification"]["reason"])
    assert seen == {
        "v1": (True, "valid"),
        "v2": (False, "bad_email"),
        "v3": (False, "unknown_key"),
        "v4": (False, "unsigned"),
    }
    sha = place.git("rev-parse", "refs/tags/v1")
    forged = place.git("cat-file", "tag", sha).replace("Release v1", "Release v9") + "\n"
    git = place.world.repository(place.name).git
    tag = (await place.asks()("GET", f"git/tags/{await git.write_object('tag', forged.encode())}")).body
    assert tag["verification"]["reason"] == "invalid"


async def test_the_api_makes_tags_that_nobody_signed_and_no_ref(place: Place) -> None:
    head = place.git("rev-parse", "main")
    body = {"tag": "v1", "message": "One", "object": head, "type": "commit"}
    made = await place.asks()("POST", "git/tags", body)
    assert (made.status, made.body["verification"]["reason"]) == (201, "unsigned")
    assert place.git("cat-file", "-t", made.body["sha"]) == "tag"
    assert place.git("for-each-ref", "refs/tags") == ""
    assert (await place.asks()("POST", "git/tags", body | {"object": "0" * 40})).status == 422


@needs_ssh_keygen
async def test_git_and_the_local_github_agree_about_signatures(place: Place, tmp_path: Path) -> None:
    key, head = Ed25519PrivateKey.generate(), place.git("rev-parse", "main")
    private = tmp_path / "key"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    private.chmod(0o600)
    public = signing.public_key(key)
    Path(f"{private}.pub").write_text(public + "\n")
    (tmp_path / "allowed").write_text(f"* {public}\n")
    place.world.know_key("ci", public)
    ours = await place.world.tag(place.name, "ours", head, "ci", "By us", NINE, key)
    named = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={tmp_path}/allowed"]
    place.git(*named, "verify-tag", ours)
    mail = ["-c", "user.name=ci", "-c", "user.email=ci@x", "-c", f"user.signingkey={private}"]
    place.git(*named, *mail, "tag", "-s", "-m", "By git", "theirs", head)
    theirs = (await place.asks()("GET", f"git/tags/{place.git('rev-parse', 'theirs')}")).body
    assert theirs["verification"]["reason"] == "valid"
