"""What happened before the sandbox opens? Three services, their builds in stage and production, who may what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.sandbox.api import Cast
from bot.sandbox.delivery import REGISTRY
from bot.sandbox.github.world import GitHubWorld
from bot.sandbox.google.engine import Behaviour
from bot.sandbox.google.world import GoogleWorld
from bot.sandbox.scene import BEGINS_AT, Scene, admit, roles_of
from bot.sandbox.slack.world import SlackWorld, acme
from commands.catalogue import CATALOGUE
from commands.ports import Clock
from policy.document import Policy

POLICY = Path(__file__).parents[2] / "deploy" / "policies" / "story.yaml"
CHECKS = ("build", "unit-tests")
ENVIRONMENTS = ("stage", "prod")
BAD = Behaviour(fail_every=4)
"""Answers 500 to every fourth request that is not /healthz: a smoke test passes, real traffic does not."""
SUGGESTIONS = (
    "/release help",
    "/release status",
    "/release promote checkout stage→prod",
    "/release promote payments stage→prod",
    "/release why search stage→prod",
    "/release rollback checkout",
    "/release freeze start prod until:2h reason:database maintenance",
)


@dataclass(frozen=True, slots=True)
class Build:
    """One version of one service, from commit to image."""

    version: str
    title: str
    author: str
    age: timedelta
    """How long before the sandbox opens it was deployed."""
    behaviour: Behaviour = Behaviour()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Tale:
    """What there is of one service: two good releases in production, and a build waiting in stage."""

    service: str
    old: Build
    live: Build
    waiting: Build


DAY = timedelta(days=1)
TALES = (
    Tale(
        "checkout",
        Build("v1.7.0", "Take gift cards", "tom-gh", 21 * DAY),
        Build("v1.8.0", "Show delivery dates", "lea-gh", 9 * DAY),
        Build("v1.9.0", "Pay in one click", "maya-gh", 26 * timedelta(hours=1)),
    ),
    Tale(
        "payments",
        Build("v3.1.0", "Accept SEPA mandates", "lea-gh", 30 * DAY),
        Build("v3.2.0", "Round to the currency's unit", "tom-gh", 12 * DAY),
        Build("v3.3.0", "Cache exchange rates", "tom-gh", 30 * timedelta(hours=1), BAD),
    ),
    Tale(
        "search",
        Build("v0.9.1", "Index product variants", "maya-gh", 17 * DAY),
        Build("v0.9.2", "Forgive typing errors", "lea-gh", 6 * DAY),
        Build("v1.0.0", "Rank by what people buy", "lea-gh", timedelta(hours=2)),
    ),
)


def digest_of(service: str, build: Build) -> str:
    return "sha256:" + hashlib.sha256(f"{service} {build.version}".encode()).hexdigest()


def image_of(service: str, build: Build) -> str:
    return f"{REGISTRY}/acme/{service}/app@{digest_of(service, build)}"


def site_of(service: str, environment: str) -> str:
    return f"acme-{environment}/europe-west1/{service}"


def fits(policy: Policy) -> bool:
    """Whether the story can be told of that policy: its people, and its services where they run."""
    sites = {site for service in policy.services.values() for site in service.cloud_run.values()}
    told = {site_of(tale.service, environment) for tale in TALES for environment in ENVIRONMENTS}
    return told <= sites and {"maya", "omar", "ines"} <= policy.people.keys()


def scene(policy: Policy) -> Scene:
    """The story, among the people of that policy."""

    def slack(clock: Clock, signing_secret: str, bot_token: str) -> SlackWorld:
        return acme(clock, signing_secret=signing_secret, bot_token=bot_token)

    async def told(google: GoogleWorld, github: GitHubWorld) -> None:
        await tell(google, github)
        admit(policy, github)

    cast = Cast(
        roles={name: roles_of(policy, name, GROUPS) for name in policy.people},
        places={
            site_of(tale.service, environment): (tale.service, environment)
            for tale in TALES
            for environment in ENVIRONMENTS
        },
        environments=ENVIRONMENTS,
        suggestions=SUGGESTIONS,
        commands=[(command.example, command.does) for command in CATALOGUE if not command.behind_a_button],
    )
    called = [site_of(tale.service, "prod") for tale in TALES]
    return Scene(slack, told, called, cast, "You are Maya. Try: /release promote checkout stage→prod")


async def tell(google: GoogleWorld, github: GitHubWorld) -> None:
    """It has all happened: commits, checks, deployments, revisions."""
    for tale in TALES:
        repository = f"acme/{tale.service}"
        await github.create_repository(repository)
        for build in (tale.old, tale.live, tale.waiting):
            at = BEGINS_AT - build.age
            commit = await _commits(github, repository, tale.service, build, at)
            digest = digest_of(tale.service, build)
            google.declare(digest, build.behaviour)
            revision = f"{tale.service}-r-{digest[7:19]}"
            google.add_revision(
                site_of(tale.service, "stage"),
                image_of(tale.service, build),
                revision=revision,
                created_at=at,
                commit=commit,
            )
            github.add_deployment(
                repository,
                commit,
                "stage",
                {"digest": digest, "revision": revision},
                "success",
                at + timedelta(minutes=2),
            )
            if build is tale.waiting:
                continue
            shipped = at + 2 * DAY
            google.add_revision(
                site_of(tale.service, "prod"),
                image_of(tale.service, build),
                revision=revision,
                created_at=shipped,
                commit=commit,
            )
            github.add_deployment(
                repository,
                commit,
                "prod",
                {"digest": digest, "revision": revision},
                "success",
                shipped + timedelta(minutes=12),
                production=True,
            )


async def _commits(github: GitHubWorld, repository: str, service: str, build: Build, at: datetime) -> str:
    """A small change before it, then the one that was built; its id."""
    await github.commit(
        repository,
        "main",
        f"Tidy up before {build.version}",
        {f"{service}/notes.md": f"Towards {build.version}\n"},
        build.author,
        at - timedelta(hours=3),
    )
    commit = await github.commit(
        repository,
        "main",
        f"{build.title} ({build.version})",
        {f"{service}/version.txt": f"{build.version}\n"},
        build.author,
        at - timedelta(hours=1),
    )
    for check in CHECKS:
        github.set_check(repository, commit, check, "success", at=at - timedelta(minutes=40))
    return commit


GROUPS = {
    "slack:group/S0ENG": ("maya", "raj", "dan", "lea", "tom", "omar"),
    "slack:group/S0RELMGR": ("omar",),
    "slack:group/S0TECHLEAD": ("raj",),
    "slack:group/S0INCIDENT": ("ines",),
    "slack:group/S0ONCALL": ("dan",),
}
