"""Is a service configured as its environment demands? Keys are told, and names of resources; values never."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from policy.glob import like
from policy.schema import Settings


@dataclass(frozen=True, slots=True)
class Configured:
    """What one service runs with in one environment."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variable → value, where that stands in plain text; never in a trace."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable or mounted path → secret: `projects/acme-stage/secrets/STAGE_DB_URL`, never what is in it."""
    account: str = ""
    """Service account; empty: the default one."""
    databases: tuple[str, ...] = ()
    """Instances that it is attached to: `acme-stage:europe-west1:main`."""
    domains: tuple[str, ...] = ()
    """Hosts that lead to it."""


NOWHERE: Mapping[str, Configured] = MappingProxyType({})


def wrong(settings: Settings, config: Configured, elsewhere: Mapping[str, Configured] = NOWHERE) -> tuple[str, ...]:
    """Each key that is not as demanded, and why: `DB_HOST: not a database of this environment`.

    `elsewhere` is the same service in the other environments. What comes from a secret cannot be compared, so where a
    value is demanded of it, it is wrong. A demand that says nothing (an empty list) demands nothing.
    """
    return tuple(
        dict.fromkeys(
            (
                *_values(settings, config),
                *_same_as_elsewhere(settings, config, elsewhere),
                *_secrets(settings, config),
                *_accounts(settings, config),
                *_databases(settings, config),
                *_origins(settings, config),
                *_domains(settings, config),
            )
        )
    )


HIDDEN = "comes from a secret, so nobody can tell what it is"


def _values(settings: Settings, config: Configured) -> Iterator[str]:
    for key, value in settings.require.items():
        if config.variables.get(key) != value:
            found = "" if key in config.variables else f", and {HIDDEN if key in config.secrets else 'is not set'}"
            yield f"{key}: must be {value}{found}"
    for key, values in settings.forbid.items():
        if key in config.secrets:
            yield f"{key}: {HIDDEN}"
        elif config.variables.get(key, "").strip().casefold() in {each.casefold() for each in values}:
            yield f"{key}: has a value that is forbidden here"
    patterns = _folded(settings.secret_keys)
    for key in config.variables:
        if like(key.casefold(), patterns):
            yield f"{key}: must come from the secret store"


def _same_as_elsewhere(settings: Settings, config: Configured, elsewhere: Mapping[str, Configured]) -> Iterator[str]:
    for environment, other in elsewhere.items():
        for key, value in config.variables.items():
            if like(key, settings.own_values) and other.variables.get(key) == value:
                yield f"{key}: has the same value in {environment}"
        for key, secret in config.secrets.items():
            if like(key, settings.own_values) and _secret(other.secrets.get(key, "")) == _secret(secret):
                yield f"{key}: is the same secret in {environment}"


# Secrets ------------------------------------------------------------------------------------------------------------

_SECRET = re.compile(r"projects/[^/\s]+/secrets/[\w-]+")


def _secrets(settings: Settings, config: Configured) -> Iterator[str]:
    for key, secret in config.secrets.items():
        if why := _secret_is_wrong(settings, secret):
            yield f"{key}: secret {_secret(secret).rpartition('/')[2]} {why}"
    for key, value in config.variables.items():
        for secret in _SECRET.findall(value):
            if why := _secret_is_wrong(settings, secret):
                yield f"{key}: names a secret that {why}"


def _secret_is_wrong(settings: Settings, secret: str) -> str:
    names = (_secret(secret), _secret(secret).rpartition("/")[2])
    if any(like(name, settings.forbid_secrets) for name in names):
        return "is forbidden here"
    if settings.secrets and not any(like(name, settings.secrets) for name in names):
        return "is none of this environment"
    return ""


def _secret(name: str) -> str:
    """Which secret it is, whatever its version."""
    return name.partition("/versions/")[0]


# Accounts, databases, addresses -------------------------------------------------------------------------------------


def _accounts(settings: Settings, config: Configured) -> Iterator[str]:
    if settings.service_accounts and not like(config.account.casefold(), _folded(settings.service_accounts)):
        yield f"service_account: {config.account or 'the default account'} is none of this environment"


def _databases(settings: Settings, config: Configured) -> Iterator[str]:
    if not settings.databases:
        return
    patterns = _folded(settings.databases)
    for instance in config.databases:
        if not like(instance.casefold(), patterns):
            yield f"database: {instance} is none of this environment"
    for key in _keys(settings.database_keys, config):
        if key in config.secrets:
            yield f"{key}: {HIDDEN}"
        elif not all(like(host, patterns) for host in _database_hosts(config.variables[key]) or ("",)):
            yield f"{key}: not a database of this environment"


def _origins(settings: Settings, config: Configured) -> Iterator[str]:
    patterns = _folded(settings.origins)
    for key in _keys(settings.origin_keys, config):
        if key in config.secrets:
            yield f"{key}: {HIDDEN}"
            continue
        origins = _listed(config.variables[key])
        if any("*" in origin for origin in origins):
            yield f"{key}: lets every origin in"
        elif patterns and not all(like(origin, patterns) for origin in origins):
            yield f"{key}: lets in an origin that is none of this environment"


def _domains(settings: Settings, config: Configured) -> Iterator[str]:
    own, forbidden = _folded(settings.domains), _folded(settings.forbid_domains)
    for domain in config.domains:
        if like(domain.casefold(), forbidden) or (own and not like(domain.casefold(), own)):
            yield f"domain: {domain} is none of this environment"
    for key, value in config.variables.items():
        if any(like(host, forbidden) for host in _hosts_in(value)):
            yield f"{key}: names a host that is forbidden here"


# Reading values -----------------------------------------------------------------------------------------------------

_AUTHORITY = re.compile(r"//([^/?#]*)")
_QUERY = re.compile(r"[?&]host=([^&#]*)")
_KEYWORD = re.compile(r"(?:^|[\s;])(?:host|hostaddr|server|data source)\s*=\s*([^\s;]+)", re.IGNORECASE)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*")


def _database_hosts(value: str) -> tuple[str, ...]:
    """Every host or instance that a URL, a keyword string or a plain address names; none where none can be read."""
    found: list[str] = []
    if "//" in value:
        for authority in _AUTHORITY.findall(value):
            found += authority.rpartition("@")[2].split(",")
        for host in _QUERY.findall(value):
            found += _unquoted(host).split(",")
    elif "=" in value:
        for host in _KEYWORD.findall(value):
            found += host.split(",")
    else:
        found += re.split(r"[,\s]+", value)
    names = (re.sub(r":\d+$", "", _unquoted(host)).removeprefix("/cloudsql/").strip("[]").casefold() for host in found)
    return tuple(name for name in names if name)


def _listed(value: str) -> tuple[str, ...]:
    """The origins that a value lists: as JSON, or with commas or blanks between them."""
    try:
        loaded = json.loads(value)
    except ValueError:
        loaded = None
    words = map(str, loaded) if isinstance(loaded, list) else re.split(r"[,;\s]+", value)
    return tuple(word.strip().rstrip("/").casefold() for word in words if word.strip())


def _hosts_in(value: str) -> set[str]:
    """Everything in it that could be a host."""
    return {host.casefold() for text in (value, _unquoted(value)) for host in _HOST.findall(text)}


def _unquoted(text: str) -> str:
    """With `%2F` written out; hosts have no letters that would take more."""
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), text)


def _keys(patterns: tuple[str, ...], config: Configured) -> Iterator[str]:
    """The variables with such names, wherever their values come from."""
    return (key for key in dict.fromkeys((*config.variables, *config.secrets)) if like(key, patterns))


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)
