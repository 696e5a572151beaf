"""Other people's clients ask the local GitHub what they ask the real one: pull requests, checks, deployments, tags."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import github
import pytest

from tests.bot.sandbox.github_place import PROMOTER, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

OCTOKIT = Path(__file__).with_name("octokit")
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
fetched = (OCTOKIT / "node_modules").is_dir()
needs_octokit = pytest.mark.skipif(
    not (fetched and NODE) and os.environ.get("OCTOKIT_FETCHED") != "true", reason="`make clients` fetches Octokit"
)


async def test_pygithub_promotes_by_pull_request_and_records_it(place: Place) -> None:
    await place.branch("dev", {"feature.txt": "new\n"})
    omar, app = place.world.admit("omar"), await place.app(PROMOTER)

    def play() -> tuple[str, str]:
        def client(token: str) -> github.Github:
            return github.Github(
                auth=github.Auth.Token(token),
                base_url=place.world.url,
                retry=0,
                seconds_between_requests=0,
                seconds_between_writes=0,
            )

        repository = client(place.world.token).get_repo(place.name)
        pull = repository.create_pull(base="main", head="dev", title="Promote", body="Notes")
        assert [one.number for one in repository.get_pulls(state="open", head="acme:dev", base="main")] == [1]
        assert [file.filename for file in pull.get_files()] == ["feature.txt"]
        assert [pull.mergeable, repository.get_pull(1).mergeable] == [None, True]
        client(omar).get_repo(place.name).get_pull(1).create_review(body="Good", event="APPROVE")
        assert [(one.user.login, one.state) for one in pull.get_reviews()] == [("omar", "APPROVED")]
        head = repository.get_branch("dev").commit
        client(app.token).get_repo(place.name).create_check_run(
            "unit-tests", head.sha, status="completed", conclusion="success"
        )
        head.create_status("success", context="lint")
        assert [run.conclusion for run in head.get_check_runs()] == ["success"]
        assert head.get_combined_status().state == "success"
        pull.create_issue_comment("Merging <!-- op_1 -->")
        with place.world.off_the_record():  # a bare list: GitHub takes it, its description does not tell
            pull.add_to_labels("release")
        with pytest.raises(github.GithubException) as refused:
            pull.merge(sha="0" * 40)
        assert refused.value.status == 409
        merged = pull.merge(sha=head.sha, merge_method="merge", commit_title="Promote")
        assert repository.get_pull(1).is_merged()
        made = repository.create_deployment(
            merged.sha, environment="prod", payload={"op_id": "op_1"}, auto_merge=False, required_contexts=[]
        )
        made.create_status("success", description="Live")
        assert [
            (one.payload, one.get_statuses()[0].state) for one in repository.get_deployments(environment="prod")
        ] == [({"op_id": "op_1"}, "success")]
        tag = repository.create_git_tag("v1.0.0", "First", merged.sha, "commit")
        repository.create_git_ref("refs/tags/v1.0.0", tag.sha)
        assert repository.get_git_tag(repository.get_git_ref("tags/v1.0.0").object.sha).object.sha == merged.sha
        release = repository.create_git_release("v1.0.0", "One", "First", draft=True)
        assert not release.update_release("One", "First", draft=False).draft
        assert repository.compare("main", "dev").status == "behind"
        written = repository.create_file("docs/LOG.md", "Log", "one\n", branch="main")
        with pytest.raises(github.GithubException) as stale:
            repository.update_file("docs/LOG.md", "Log", "two\n", merged.sha, branch="main")
        assert stale.value.status == 409
        assert repository.get_contents("docs/LOG.md").decoded_content == b"one\n"  # type: ignore[union-attr]
        with place.world.off_the_record():  # a null for each switch that is off: the same
            repository.get_branch("main").edit_protection(strict=True, contexts=["ci"], enforce_admins=True)
        assert repository.get_branch("main").get_required_status_checks().contexts == ["ci"]
        with pytest.raises(github.GithubException) as protected:
            repository.get_git_ref("heads/main").edit(head.sha, force=True)
        assert protected.value.status == 422
        return merged.sha, written["commit"].sha

    merged, written = await asyncio.to_thread(play)
    assert place.git("log", "-1", "--format=%P %s", merged).split()[1:] == [place.git("rev-parse", "dev"), "Promote"]
    assert place.git("rev-parse", "main", "v1.0.0^{commit}").split() == [written, merged]


@needs_octokit
async def test_octokit_promotes_by_pull_request_and_records_it(place: Place) -> None:
    head = await place.branch("dev", {"feature.txt": "new\n"})
    asked = json.dumps({"url": place.world.url, "token": place.world.token, "repository": place.name, "head": head})
    process = await asyncio.create_subprocess_exec(
        NODE or "node", OCTOKIT / "promote.cjs", asked, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    told = json.loads(out)
    assert told == {
        "wrong": 409,
        "merged": place.git("rev-parse", "main"),
        "states": ["success"],
        "tag": "tag",
        "page": 2,
    }
    assert place.git("log", "-1", "--format=%P", "main").split()[1] == head
