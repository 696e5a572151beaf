"""Is what runs configured as its environment demands, and are environments of one shape? Before a change, and after.

Values are compared here and go no further: what is found names keys and resources only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from commands.places import known, site_of
from commands.ports import Configuration, Site, World
from policy.document import Policy, Settings
from policy.evidence import Settings as Wrong
from policy.evidence import Shape
from policy.facts import Deed, Question
from policy.gates import Mode, SettingsGate
from policy.model import Place, Unknown
from policy.required import required
from policy.settings import Configured, wrong

_Asked = tuple[str, str]
"""Service and environment."""


@dataclass(frozen=True, slots=True)
class Found:
    """How one place is configured."""

    next: Configuration
    """What its next revision will be made from."""
    serving: Mapping[str, Configuration]
    """What serves there and was made otherwise, by revision."""


Everywhere = Mapping[_Asked, Found | Unknown | None]
"""None: nothing runs there."""


async def everywhere(world: World, policy: Policy, environments: Iterable[str]) -> Everywhere:
    """How every service is configured in these environments, read side by side."""
    asked = [(service, environment) for environment in dict.fromkeys(environments) for service in policy.services]
    found = await asyncio.gather(*(_found(world, policy, *one) for one in asked))
    return dict(zip(asked, found, strict=True))


async def _found(world: World, policy: Policy, service: str, environment: str) -> Found | Unknown | None:
    site = site_of(policy, service, environment)
    if isinstance(site, Unknown):
        return None
    return await known(f"how {service} in {environment} is configured", _at(world, site))


async def _at(world: World, site: Site) -> Found | None:
    newest = await world.configurations.configured(site)
    if newest is None:
        return None
    running = await world.runs.running(site)
    names = dict.fromkeys(share.revision for share in running.serving if share.percent)
    if running.settled:
        names.pop(newest.revision, None)  # made as the next one will be
    made = await asyncio.gather(*(world.configurations.configured(site, name) for name in names))
    return Found(newest, {name: one for name, one in zip(names, made, strict=True) if one is not None})


# Before -------------------------------------------------------------------------------------------------------------


def looks_at(policy: Policy, environments: Iterable[str]) -> frozenset[str]:
    """What must be read for the settings of these: all others too, where values must differ between environments."""
    asked = frozenset(environments)
    demands = (policy.environments[name].settings for name in asked)
    return frozenset(policy.environments) if any(each and each.own_values for each in demands) else asked


def settings(
    policy: Policy, found: Everywhere, environments: Iterable[str], target: Place
) -> Mapping[str, Wrong] | Unknown:
    """What is wrong with each service in these environments.

    At the target only the next revision counts, for that is what a promotion makes: so it can put right what serves
    there. Everywhere else what serves counts too. Where nothing is seen to be wrong, what could not be read is the
    answer.
    """
    seen: dict[str, Wrong] = {}
    unread: list[Unknown] = []
    for environment in dict.fromkeys(environments):
        here = {service: each for (service, where), each in found.items() if where == environment}
        needed = looks_at(policy, (environment,))
        missing = [each for (_, where), each in found.items() if where in needed and isinstance(each, Unknown)]
        unread += missing
        problems = {
            service: tuple(_problems(policy, found, Place(service, environment), each, target))
            for service, each in here.items()
            if isinstance(each, Found)
        }
        bad = {service: each for service, each in problems.items() if each}
        if bad or not missing:
            seen[environment] = bad
    return unread[0] if unread and not any(seen.values()) else seen


def _problems(policy: Policy, found: Everywhere, place: Place, here: Found, target: Place) -> Iterator[str]:
    demands = policy.environments[place.environment].settings
    if demands is None:
        return
    others = {
        where: each.next.main
        for (service, where), each in found.items()
        if service == place.service and where != place.environment and isinstance(each, Found)
    }
    told = list(problems(demands, here.next, others))
    yield from told
    for revision, made in here.serving.items() if place != target else ():
        for problem in problems(demands, made, others):
            if problem not in told:
                yield f"{problem} (in {revision}, which serves)"


def problems(demands: Settings, made: Configuration, elsewhere: Mapping[str, Configured]) -> Iterator[str]:
    """Each key that is not as demanded, and why; of a container beside the one that takes requests, with its name.

    Those run as the same account, and need not have what is required: they must only have nothing that is wrong.
    """
    yield from wrong(demands, made.main, elsewhere)
    beside = demands.model_copy(update={"require": {}, "service_accounts": ()})
    for name, container in made.beside.items():
        yield from (f"{name}.{problem}" for problem in wrong(beside, container, elsewhere))


def shapes(found: Everywhere, environments: Iterable[str]) -> Mapping[str, Shape] | Unknown:
    """What each of these environments looks like: of its services what they are given, of variables names alone."""
    seen: dict[str, Shape] = {}
    for environment in dict.fromkeys(environments):
        here = {service: each for (service, where), each in found.items() if where == environment}
        unread = next((each for each in here.values() if isinstance(each, Unknown)), None)
        if unread is not None:
            return unread
        there = {service: each.next for service, each in here.items() if isinstance(each, Found)}
        shape = {"services": " ".join(sorted(there))}
        for service, made in there.items():
            shape |= {f"{service}.{aspect}": value for aspect, value in made.shape.items()}
            shape[f"{service}.env_keys"] = _names(made, "variables")
            shape[f"{service}.secret_keys"] = _names(made, "secrets")
        seen[environment] = shape
    return seen


def _names(made: Configuration, of: str) -> str:
    names = [*getattr(made.main, of)]
    names += [f"{container}/{name}" for container, its in made.beside.items() for name in getattr(its, of)]
    return " ".join(sorted(names))


# After --------------------------------------------------------------------------------------------------------------


async def still_separate(world: World, policy: Policy, place: Place, revision: str) -> str | None:
    """Why this revision, as it was made, may not serve that place; None: it may.

    `Unavailable` or `Rejected` where it cannot be told. Asks nothing where no path there demands it.
    """
    site, demands = site_of(policy, place.service, place.environment), demanded(policy, place)
    if demands is None or isinstance(site, Unknown):
        return None
    made = await world.configurations.configured(site, revision)
    if made is None:
        return f"{revision} is gone, so nobody can tell how it is configured"
    others: dict[str, Configured] = {}
    for environment in policy.environments if demands.own_values else ():
        other = site_of(policy, place.service, environment)
        if environment == place.environment or isinstance(other, Unknown):
            continue
        theirs = await world.configurations.configured(other)
        if theirs is not None:
            others[environment] = theirs.main
    found = tuple(dict.fromkeys(problems(demands, made, others)))
    if not found:
        return None
    return f"{revision} is not configured as {place.environment} demands: {'; '.join(found)}"


def demanded(policy: Policy, place: Place) -> Settings | None:
    """What the place's environment demands, where some path that leads there blocks on it."""
    for path in policy.paths:
        if path.target != place.environment or not path.serves(place.service):
            continue
        question = Question(Deed.PROMOTE, place.service, place.environment, path.source)
        for gate in required(policy, question).gates.values():
            if not isinstance(gate, SettingsGate) or gate.mode is not Mode.BLOCK:
                continue
            if place.environment in gate.environments:
                return policy.environments[place.environment].settings
    return None
