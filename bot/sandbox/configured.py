"""With what must a service run, for a policy to find nothing wrong with it? Made up from what the policy demands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from policy.document import Policy, Settings
from policy.settings import Configured

DOMAIN = "acme.com"
SECRET = "SIGNING_KEY"
NOTHING = Settings()


def configured(policy: Policy, service: str, environment: str) -> Configured:
    """As that environment demands, with the same names of variables and secrets as everywhere."""
    demands = policy.environments[environment].settings or NOTHING
    project = policy.services[service].cloud_run[environment].partition("/")[0]
    values = {
        **dict.fromkeys(_named(policy, lambda each: each.own_values), f"https://{service}.{environment}.{DOMAIN}"),
        **dict.fromkeys(_named(policy, lambda each: each.database_keys), _database(demands, environment)),
        **dict.fromkeys(
            _named(policy, lambda each: each.origin_keys), _like(demands.origins, f"https://{environment}")
        ),
        **dict.fromkeys(_named(policy, lambda each: tuple(each.require)), environment),
        **demands.require,
    }
    account = _like(demands.service_accounts, f"*@{project}.iam.gserviceaccount.com", service.lower())
    instance = _like(demands.databases, "", "main")
    return Configured(
        variables=values,
        secrets={SECRET: f"{_secret(demands, project, environment)}/versions/1"} if _has_secrets(policy) else {},
        account=account,
        databases=(instance,) if ":" in instance else (),
    )


def image(policy: Policy, repository: str, service: str, registry: str) -> str:
    """What an image may be called there, without its digest."""
    for gate in policy.gates.values():
        if gate.kind == "image" and gate.names[0].strip("*"):
            return gate.names[0].partition("@")[0].replace("**", f"{repository.partition('/')[2]}/{service.lower()}")
    return f"{registry}/{repository}/{service.lower()}"


def _named(policy: Policy, keys: Callable[[Settings], tuple[str, ...]]) -> Iterator[str]:
    """Variables that any environment names so; patterns name none."""
    for its in policy.environments.values():
        yield from (key for key in keys(its.settings or NOTHING) if "*" not in key and "?" not in key)


def _database(demands: Settings, environment: str) -> str:
    host = _like(demands.databases, f"db.{environment}.internal", "main")
    return f"postgresql://app@/app?host=/cloudsql/{host}" if ":" in host else host


def _secret(demands: Settings, project: str, environment: str) -> str:
    name = _like(demands.secrets, f"{environment.upper()}_*", SECRET)
    return name if name.startswith("projects/") else f"projects/{project}/secrets/{name}"


def _has_secrets(policy: Policy) -> bool:
    settings = (its.settings or NOTHING for its in policy.environments.values())
    return any(each.secrets or each.forbid_secrets for each in settings)


def _like(patterns: tuple[str, ...], usual: str, word: str = "main") -> str:
    """Something like the first of these, or else like the usual one."""
    pattern = patterns[0] if patterns else usual
    return pattern.replace("**", word).replace("*", word).replace("?", "x")
