from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from bot.cloud_run import CloudRun
from bot.cloud_run_settings import CloudRunSettings
from bot.github import GitHub, Pace, PersonalToken
from bot.github.attested import verifying
from bot.policy_file import read_policy
from bot.sandbox import story
from bot.sandbox.configured import configured
from bot.sandbox.github.world import GitHubWorld
from bot.sandbox.google.world import GoogleWorld
from bot.sandbox.scene import BEGINS_AT
from bot.sandbox.slack.world import SlackWorld
from bot.sandbox.supervisor import scene_of
from commands.attested import DOCUMENTS, documents, looked_at, signatures
from commands.ports import Configuration, Site
from commands.separated import problems
from policy.document import Path as PolicyPath
from policy.document import Policy, Settings
from policy.glob import like
from policy.model import Unknown, digest, sha
from policy.settings import Configured
from tests.bot.books import Hands
from tests.policy.good import DOCUMENT

pytestmark = pytest.mark.asyncio(loop_scope="module")
POLICIES = sorted(
    path for path in (Path(__file__).parents[3] / "deploy/policies").glob("*.yaml") if ".cases." not in path.name
)


@dataclass
class Played:
    """The worlds as they are when the sandbox opens with that policy."""

    policy: Policy
    slack: SlackWorld
    google: GoogleWorld
    truth: dict[str, Any]
    github: GitHubWorld

    def serving(self, service: str, environment: str) -> str:
        """The digest that serves everything there."""
        (line,) = self.google.snapshot()[self.policy.services[service].cloud_run[environment]]["traffic"]
        assert line["percent"] == 100
        return line["digest"]

    def deployments(self, service: str, environment: str) -> list[dict[str, Any]]:
        """Those that ended well, oldest first."""
        made = self.truth[self.policy.services[service].repository]["deployments"]
        mine = [each for each in made if each["environment"] == environment]
        return [each for each in mine if each["statuses"][-1]["state"] == "success"]

    def walks(self) -> list[tuple[PolicyPath, str]]:
        """Each path with each service that goes along it."""
        return [(path, name) for path in self.policy.paths for name in self.policy.services if path.serves(name)]


@asynccontextmanager
async def played(policy: Path, directory: Path) -> AsyncIterator[Played]:
    clock = Hands(BEGINS_AT)
    scene = scene_of(policy)
    google, github = GoogleWorld(clock), GitHubWorld(directory / "github", clock)
    slack = scene.slack(clock, "secret", "xoxb-x")
    for world in (google, github):
        await world.start()
    try:
        await scene.tell(google, github)
        yield Played(read_policy(policy).policy, slack, google, await github.snapshot(), github)
    finally:
        await google.stop()
        await github.stop()


@pytest_asyncio.fixture(params=POLICIES, ids=lambda path: path.stem, scope="module", loop_scope="module")
async def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    async with played(request.param, tmp_path_factory.mktemp("scene")) as found:
        yield found


async def test_each_path_has_something_to_promote_and_something_to_go_back_to(there: Played) -> None:
    assert there.walks()
    for path, service in there.walks():
        new, old = there.serving(service, path.source), there.serving(service, path.target)
        assert new != old, f"{service} {path.name}"
        site = there.policy.services[service].cloud_run[path.target]
        there_before = {
            there.google.engine.digest(there.google.engine.records[site], name)
            for name in there.google.engine.records[site].revisions
        }
        assert there_before - {old}, f"{service} in {path.target} has nothing before"


async def test_what_could_be_promoted_has_been_there_for_longer_than_any_gate_asks(there: Played) -> None:
    soaks = [path.gates.soak for path in there.policy.paths if path.gates.soak]
    soaks += [gate.lasts for gate in there.policy.gates.values() if gate.kind == "soak"]
    for path, service in there.walks():
        if story.fits(there.policy) and service == "search":
            continue  # the story's own: it has to wait
        made = there.deployments(service, path.source)
        since = max(datetime.fromisoformat(each["statuses"][-1]["at"]) for each in made)
        assert BEGINS_AT - since >= max(soaks, default=timedelta(0)), f"{service} in {path.source}"


async def test_the_commit_that_waits_passed_every_check_that_a_gate_names(there: Played) -> None:
    named = {name for path in there.policy.paths for name in path.gates.checks}
    named |= {
        name for gate in there.policy.gates.values() if gate.kind == "checks" for name in (*gate.names, *gate.excused)
    }
    for path, service in there.walks():
        waiting = there.serving(service, path.source)
        (commit,) = {
            each["sha"] for each in there.deployments(service, path.source) if each["payload"]["digest"] == waiting
        }
        runs = there.github.repository(there.policy.services[service].repository).records.check_runs
        assert named <= {run.name for run in runs if run.sha == commit and run.conclusion == "success"}


async def test_what_gates_want_to_be_attested_of_what_waits_is_and_holds(there: Played, tmp_path: Path) -> None:
    gates = [gate for gate in there.policy.gates.values() if looked_at(gate)]
    root = tmp_path / "root.json"
    root.write_text(there.github.sigstore.trusted_root())
    async with aiohttp.ClientSession() as session:
        github = GitHub(
            session,
            PersonalToken(there.github.token),
            Hands(BEGINS_AT),
            url=there.github.url,
            pace=Pace(write_gap=0),
            attested=verifying(root),
        )
        for path, service in there.walks():
            repository, waiting = there.policy.services[service].repository, there.serving(service, path.source)
            commit = next(
                each["sha"] for each in there.deployments(service, path.source) if each["payload"]["digest"] == waiting
            )
            found = await github.attestations(repository, digest(waiting), sha(commit))
            assert all(one.verified for one in found), found
            for gate in gates:
                if gate.kind == "attestation":
                    assert {(kind, gate.builders[0]) for kind in gate.predicates} <= {
                        (one.predicate, one.builder) for one in found
                    }
                if gate.kind == "evidence":
                    told = documents(found, [item for item in gate.items if item in DOCUMENTS])
                    assert not isinstance(told, Unknown)
                    assert set(told) == DOCUMENTS.keys() & set(gate.items)
                if gate.kind == "signature":
                    signed = signatures(found, [gate])
                    assert not isinstance(signed, Unknown)
                    assert all(one.verified for one in signed.values())


async def test_branches_of_environments_stand_at_what_serves_there(there: Played) -> None:
    for path, service in there.walks():
        branch = there.policy.environments[path.target].branch
        shared = [name for name, its in there.policy.environments.items() if its.branch == branch]
        if branch and len(shared) == 1:
            refs = there.truth[there.policy.services[service].repository]["refs"]
            digest = there.serving(service, path.target)
            (commit,) = {
                each["sha"] for each in there.deployments(service, path.target) if each["payload"]["digest"] == digest
            }
            assert refs[f"refs/heads/{branch}"] == commit


async def test_everybody_with_an_account_is_there_with_their_groups_and_channels_and_a_guest(there: Played) -> None:
    workspace = there.slack.workspace
    assert there.slack.team.id == there.policy.workspace
    for name, entry in there.policy.people.items():
        if entry.slack:
            assert workspace.person(name).id == entry.slack
    assert workspace.person("gus").is_restricted
    for role in there.policy.roles.values():
        for member in role.members:
            if member.startswith("slack:group/"):
                assert workspace.groups[member.removeprefix("slack:group/")].members
    for service in there.policy.services.values():
        if service.channel:
            assert there.slack.team.bot_user in workspace.channel(service.channel).members
    assert "U0GUS" in workspace.channel("releases").members


async def test_everybody_with_a_github_login_may_review_and_nobody_else(there: Played) -> None:
    books = there.github._books
    for service in there.policy.services.values():
        found = there.github.repository(service.repository)
        assert all(books.can_write(found, person.github) for person in there.policy.people.values() if person.github)
        assert not books.can_write(found, "stranger")


async def test_a_policy_with_other_names_containers_channels_and_groups_is_played_too(tmp_path: Path) -> None:
    document = DOCUMENT | {
        "workspace": "T0OTHER",
        "roles": DOCUMENT["roles"] | {"release_manager": {"members": ["slack:group/S0RM"]}},
        "environments": {
            "dev": {"rank": 0, "branch": "develop"},
            "stage": {"rank": 1, "branch": "main"},
            "prod": {"rank": 2, "production": True, "branch": "release"},
        },
        "services": {
            "checkout": {
                "repository": "other/mono",
                "channel": "C0PAY",
                "container": "app",
                "cloud_run": {
                    "dev": "other-dev/us-central1/pay-dev",
                    "stage": "other-stage/us-central1/pay",
                    "prod": "other-prod/us-east1/pay",
                },
            },
            "search": {"repository": "other/mono", "cloud_run": {"stage": "other-stage/us-central1/find"}},
        },
    }
    policy = tmp_path / "other.yaml"
    policy.write_text(json.dumps(document), "utf-8")
    async with played(policy, tmp_path) as there:
        assert there.slack.workspace.channel("C0PAY").name == "checkout"
        assert len(there.slack.workspace.groups["S0RM"].members) == 2
        assert "U0MAYA" not in there.slack.workspace.groups["S0RM"].members, "somebody asks and others agree"
        record = there.google.engine.records["other-prod/us-east1/pay"]
        assert record.service.template.containers[0].name == "app"
        assert record.newest.startswith("pay-r-")
        assert {"refs/heads/develop", "refs/heads/main", "refs/heads/release"} <= there.truth["other/mono"][
            "refs"
        ].keys()
        assert [there.serving("checkout", where) for where in ("dev", "stage", "prod")] != [
            there.serving("checkout", "dev")
        ] * 3
        assert scene_of(policy).cast.places["other-dev/us-central1/pay-dev"] == ("checkout", "dev")


async def test_the_story_stays_the_story_for_whoever_changes_only_its_rules(tmp_path: Path) -> None:
    text = story.POLICY.read_text("utf-8")
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace("PT24H", "PT1H"), "utf-8")
    assert scene_of(changed).first == scene_of(story.POLICY).first
    assert scene_of(changed).cast.suggestions == story.SUGGESTIONS


async def test_everything_is_configured_as_its_environment_demands_and_called_as_it_may_be(there: Played) -> None:
    policy, runs = there.policy, CloudRun(there.google.grpc_address)
    settings = CloudRunSettings(runs)
    found: dict[tuple[str, str], Configuration] = {}
    for name, service in policy.services.items():
        for where, site in service.cloud_run.items():
            (share,) = (await runs.running(Site(site))).serving
            next_one, serving = (
                await settings.configured(Site(site)),
                await settings.configured(Site(site), share.revision),
            )
            assert next_one is not None
            assert serving is not None
            assert serving.main == replace(next_one.main, domains=())
            found[name, where] = next_one
    for (name, where), made in found.items():
        others = {other: each.main for (its, other), each in found.items() if its == name and other != where}
        assert [*problems(policy.environments[where].settings or Settings(), made, others)] == []
        for gate in policy.gates.values():
            assert gate.kind != "image" or (like(made.image, gate.names) and not like(made.image, gate.forbid))
    shapes = {
        name: {
            (*made.shape.items(), *made.main.variables, *made.main.secrets)
            for (its, _), made in found.items()
            if its == name
        }
        for name in policy.services
    }
    assert all(len(alike) == 1 for alike in shapes.values()), shapes
    await runs.close()


async def test_what_is_demanded_is_found_where_it_is_demanded() -> None:
    seed = read_policy(next(path for path in POLICIES if path.stem == "seed000")).policy
    assert configured(seed, "api", "stage") == Configured(
        {
            "API_BASE": "https://api.stage.acme.com",
            "PUBLIC_URL": "https://api.stage.acme.com",
            "DATABASE_URL": "postgresql://app@/app?host=/cloudsql/acme-stage:main",
        },
        {"SIGNING_KEY": "projects/acme-stage/secrets/SIGNING_KEY/versions/1"},
        "api@acme-stage.iam.gserviceaccount.com",
        ("acme-stage:main",),
    )
