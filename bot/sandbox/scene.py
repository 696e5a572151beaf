"""What must have happened, for any policy to be played? People, channels, builds and deployments, made up for it.

Every environment runs a build that is one newer than what runs above it, and has run it for longer than any gate wants:
so each path has something to promote, and production something to go back to. All is configured as it must be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.sandbox.api import Cast
from bot.sandbox.configured import configured, image
from bot.sandbox.delivery import REGISTRY, Delivery, checks, forwards, merges
from bot.sandbox.github.sigstore import PROVENANCE, SBOM
from bot.sandbox.github.world import GitHubWorld
from bot.sandbox.google.world import GoogleWorld
from bot.sandbox.slack.model import Channel, Group, Person, Team
from bot.sandbox.slack.world import SlackWorld
from commands import attested
from commands.catalogue import CATALOGUE
from commands.ports import Clock
from policy.comparison import nearest
from policy.document import Policy, Service

BEGINS_AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""A Tuesday in office hours, wherever the sandbox is started."""
GUEST = Person("U0GUS", "gus", "Gus Reyes", "guest", "America/Los_Angeles", is_restricted=True)
RELEASES = "C0RELEASES"
_GROUP = "slack:group/"
_MORE = timedelta(hours=2)
_SOAK = timedelta(hours=24)
_KINDS = {"provenance": PROVENANCE, "sbom": SBOM, "scan": "https://in-toto.io/attestation/vulns/v0.1"}
"""What is attested as which item of evidence."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is when the sandbox opens."""

    slack: Callable[[Clock, str, str], SlackWorld]
    """From a clock, the signing secret and the bot's token."""
    tell: Callable[[GoogleWorld, GitHubWorld], Awaitable[None]]
    """It has all happened: commits, checks, deployments, revisions."""
    called: Sequence[str]
    """Sites that people send requests to."""
    cast: Cast
    first: str
    """What to try first, and as whom."""


def scene(policy: Policy) -> Scene:
    """The scene for that policy."""
    groups = _groups(policy)
    roles = {name: roles_of(policy, name, groups) for name, entry in policy.people.items() if entry.slack}
    askers = [name for name, held in roles.items() if {*held} & {*policy.may.promote}]
    say = tuple(_suggestions(policy))
    cast = Cast(
        roles=roles,
        places={site: (name, where) for name, its in policy.services.items() for where, site in its.cloud_run.items()},
        environments=_upwards(policy, policy.environments),
        suggestions=say,
        commands=[(command.example, command.does) for command in CATALOGUE if not command.behind_a_button],
    )

    def slack(clock: Clock, signing_secret: str, bot_token: str) -> SlackWorld:
        return _workspace(policy, groups, roles, askers, clock, signing_secret, bot_token)

    async def tell(google: GoogleWorld, github: GitHubWorld) -> None:
        await _tell(policy, askers, google, github)

    leads_to = {path.target for path in policy.paths}
    called = [site for its in policy.services.values() for where, site in its.cloud_run.items() if where in leads_to]
    return Scene(slack, tell, called, cast, f"You are {_called(next(iter(askers), 'gus'))}. Try: {say[-1]}")


# People -------------------------------------------------------------------------------------------------------------


def _groups(policy: Policy) -> dict[str, list[str]]:
    """Members of each Slack user group that a role names: everybody for the role that promotes first of all, else two.

    The first person is kept out of the small ones, so that there is somebody who asks and others who agree.
    """
    people = [name for name, entry in policy.people.items() if entry.slack]
    others = people[1:] or people
    groups: dict[str, list[str]] = {}
    small = 0
    for role, entry in policy.roles.items():
        for member in entry.members:
            if not member.startswith(_GROUP) or member in groups:
                continue
            if role in policy.may.promote[:1]:
                groups[member] = people
                continue
            groups[member] = [others[(small + n) % len(others)] for n in range(min(2, len(others)))]
            small += 1
    return groups


def roles_of(policy: Policy, name: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The roles that this person holds."""
    return [
        role
        for role, entry in policy.roles.items()
        if name in entry.members or any(name in groups.get(member, ()) for member in entry.members)
    ]


def _workspace(
    policy: Policy,
    groups: Mapping[str, Sequence[str]],
    roles: Mapping[str, Sequence[str]],
    askers: Sequence[str],
    clock: Clock,
    signing_secret: str,
    bot_token: str,
) -> SlackWorld:
    world = SlackWorld(
        clock, signing_secret=signing_secret, bot_token=bot_token, team=Team(id=policy.workspace, name=policy.name)
    )
    users = {name: entry.slack for name, entry in policy.people.items() if entry.slack}
    for name in sorted(users, key=lambda name: name not in askers[:1]):  # the page opens as whoever comes first
        title = (roles[name] or ["nobody in particular"])[0].replace("_", " ")
        world.workspace.add(Person(users[name], name, _called(name), title, policy.timezone))
    if GUEST.handle not in users and GUEST.id not in users.values():
        world.workspace.add(GUEST)
    for group, members in groups.items():
        id = group.removeprefix(_GROUP)
        world.workspace.add(Group(id, id.lower(), id, [users[name] for name in members]))
    staff = {*users.values(), world.team.bot_user}
    world.workspace.add(Channel(RELEASES, "releases", {*staff, GUEST.id}, topic="What goes where, and who said so"))
    for name, service in policy.services.items():
        if service.channel and service.channel not in world.workspace.channels:
            world.workspace.add(Channel(service.channel, name.lower(), set(staff)))
    return world


def _called(name: str) -> str:
    """`maya` as people write it."""
    return name.replace("_", " ").replace(".", " ").title()


def _suggestions(policy: Policy) -> Iterator[str]:
    yield "/release help"
    yield "/release status"
    yield "/release freeze list"
    for path in policy.paths:
        service = next(name for name in policy.services if path.serves(name))
        yield f"/release why {service} {path.name}"
    for path in policy.paths:
        service = next(name for name in policy.services if path.serves(name))
        yield f"/release promote {service} {path.name}"


# Builds -------------------------------------------------------------------------------------------------------------


def _upwards(policy: Policy, environments: Mapping[str, object]) -> list[str]:
    """In the order of promotion."""
    return sorted(environments, key=lambda name: policy.environments[name].rank)


def _step(policy: Policy) -> timedelta:
    """How long each build stays where it is before the next one comes: longer than any gate asks."""
    soaks = [path.gates.soak for path in policy.paths if path.gates.soak is not None]
    soaks += [gate.lasts for gate in policy.gates.values() if gate.kind == "soak"]
    return max(soaks, default=_SOAK) + _MORE


def admit(policy: Policy, github: GitHubWorld) -> None:
    """Whoever the policy knows by a GitHub login may write in every repository there."""
    for person in policy.people.values():
        if person.github:
            github.admit(person.github)


async def _tell(policy: Policy, askers: Sequence[str], google: GoogleWorld, github: GitHubWorld) -> None:
    author = next((login for name in askers if (login := policy.people[name].github)), "somebody")
    repositories: dict[str, dict[str, Service]] = {}
    for name, service in policy.services.items():
        repositories.setdefault(service.repository, {})[name] = service
    for repository, services in repositories.items():
        await _history(policy, repository, services, author, google, github)
    admit(policy, github)
    for name, service in policy.services.items():
        for where, site in service.cloud_run.items():
            google.configure(site, configured(policy, name, where))


async def _history(
    policy: Policy,
    repository: str,
    services: Mapping[str, Service],
    author: str,
    google: GoogleWorld,
    github: GitHubWorld,
) -> None:
    """One commit for each build, everything built from it, and how far it got."""
    upwards = _upwards(policy, {where: None for its in services.values() for where in its.cloud_run})
    branches = {where: policy.environments[where].branch or "" for where in upwards}
    trunk = next(filter(None, branches.values()), "main")
    await github.create_repository(repository, trunk)
    step, builds = _step(policy), len(upwards) + 1
    delivery = Delivery(policy, repository, services, google, github)
    merging = _Merging(repository, author, github) if merges(policy) else None
    for build in range(builds):
        begins = BEGINS_AT - step * (builds - build)
        files: dict[str, str | None] = {f"{name}/version.txt": f"v{build + 1}.0.0\n" for name in services}
        title, written_at = f"Version {build + 1}", begins - timedelta(hours=1)
        if merging is not None and build:
            commit = await merging.brought(trunk, title, files, written_at)
        else:
            commit = await github.commit(repository, trunk, title, files, author, written_at)
            if forwards(policy):
                await delivery.judged(trunk, commit)
        _through_ci(policy, repository, {name: _digest(name, build) for name in services}, commit, begins, github)
        # the newest has come to the lowest environment only, the one before it to the next one too, and so on
        for level, where in enumerate(upwards[: builds - build]):
            at = begins + step * level
            if merging is not None and build and level and branches[where]:
                below = branches[upwards[level - 1]]
                commit = await merging.promoted(below, branches[where], commit, files, at - timedelta(minutes=5))
                await delivery.judged(branches[where], commit)
            for name, service in services.items():
                if where in service.cloud_run:
                    _deploy(policy, name, where, build, at, repository, commit, google, github)
            if branches[where] and branches[where] != trunk:
                await github.set_ref(repository, f"refs/heads/{branches[where]}", commit)
    if merging is not None:
        for branch in filter(None, branches.values()):
            github.protect(repository, branch, checks(policy))
    if merges(policy) or forwards(policy):
        delivery.begin()


@dataclass(frozen=True, slots=True)
class _Merging:
    """How commits came to branches that are merged: each by a pull request, and a merge commit."""

    repository: str
    author: str
    github: GitHubWorld

    async def brought(self, trunk: str, title: str, files: Mapping[str, str | None], at: datetime) -> str:
        """What the trunk stands at once that was written on a branch of its own and merged."""
        branch = f"feature/{title.lower().replace(' ', '-')}"
        base = (await self.github.head(self.repository, trunk)) or ""
        await self.github.set_ref(self.repository, f"refs/heads/{branch}", base)
        head = await self.github.commit(self.repository, branch, title, files, self.author, at)
        return await self._merged(title, branch, trunk, (head, base), files, at)

    async def promoted(self, below: str, branch: str, head: str, files: Mapping[str, str | None], at: datetime) -> str:
        """What the branch stands at once that commit of the branch below it was merged."""
        base = (await self.github.head(self.repository, branch)) or ""
        return await self._merged(f"Promote {below} to {branch}", below, branch, (head, base), files, at)

    async def _merged(
        self, title: str, source: str, target: str, ends: tuple[str, str], files: Mapping[str, str | None], at: datetime
    ) -> str:
        head, base = ends
        message = f"{title}\n\nMerge {source} into {target}"
        made = await self.github.commit(self.repository, target, message, files, self.author, at, merging=[head])
        self.github.add_pull_request(self.repository, title, (source, target), self.author, (head, base, made), at)
        return made


def _through_ci(
    policy: Policy, repository: str, digests: Mapping[str, str], commit: str, begins: datetime, github: GitHubWorld
) -> None:
    """Every check passed there, every report says what is wanted, and what was built of it is attested."""
    at = begins - timedelta(minutes=40)
    for check in checks(policy):
        github.set_check(repository, commit, check, "success", at=at)
    for gate in policy.gates.values():
        if gate.kind == "number":
            says = f"{nearest(gate):g} {gate.unit}".strip()
            github.set_check(repository, commit, gate.report, "success", at=at, title=says)
    attesting = _attesting(policy, repository)
    for digest in digests.values():
        github.vouch(repository, digest, commit, attesting.builder, attesting.kinds, begins - timedelta(minutes=20))


@dataclass(frozen=True, slots=True)
class _Attesting:
    """What gates want to be attested of each build, and the workflow whose word they take."""

    kinds: Sequence[str]
    builder: str


def _attesting(policy: Policy, repository: str) -> _Attesting:
    kinds: dict[str, None] = {}
    builders: list[str] = []
    for gate in policy.gates.values():
        if not attested.looked_at(gate):
            continue
        if gate.kind == "attestation":
            kinds |= dict.fromkeys(gate.predicates)
            builders += gate.builders
        elif gate.kind == "evidence":
            kinds |= dict.fromkeys(_KINDS[item] for item in gate.items if item in _KINDS)
        elif gate.kind == "signature":
            kinds[PROVENANCE] = None
            builders += [one for one in gate.signed_by if one.startswith("https://")]
    own = f"https://github.com/{repository}/.github/workflows/release.yml@refs/heads/main"
    return _Attesting(tuple(kinds), builders[0] if builders else own)


def _digest(name: str, build: int) -> str:
    return "sha256:" + hashlib.sha256(f"{name} {build}".encode()).hexdigest()


def _deploy(
    policy: Policy,
    name: str,
    where: str,
    build: int,
    at: datetime,
    repository: str,
    commit: str,
    google: GoogleWorld,
    github: GitHubWorld,
) -> None:
    service = policy.services[name]
    site = service.cloud_run[where]
    digest = _digest(name, build)
    revision = f"{site.rpartition('/')[2]}-r-{digest[7:19]}"
    google.add_revision(
        site,
        f"{image(policy, repository, name, REGISTRY)}@{digest}",
        revision=revision,
        created_at=at,
        commit=commit,
        container=service.container or "",
    )
    github.add_deployment(
        repository,
        commit,
        where,
        {"digest": digest, "revision": revision},
        "success",
        at + timedelta(minutes=2),
        production=policy.environments[where].production,
    )
