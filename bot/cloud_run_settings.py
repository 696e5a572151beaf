"""How is what runs in Cloud Run configured? The port `Configurations`, over the same client as `bot/cloud_run.py`.

What values there are leaves here only to be compared. Cloud Run's second API knows no domain mappings and no load
balancers: of a service's own names it tells those it was given itself and those that tokens may be made out to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from bot.cloud_run import OPERATION, CloudRun, resource, spoken
from bot.google_calls import Theirs, code_of, reading
from commands.errors import Rejected
from commands.ports import Configuration, Site
from policy.settings import Configured

READ_DEADLINE = 10.0
"""Seconds."""
INSTANCES = "run.googleapis.com/cloudsql-instances"
"""Where the first version of the API keeps what the second one has as a volume."""
GIVEN_BY_GOOGLE = ".run.app"
"""Names that every service gets; nobody chooses them, so they cannot be anybody else's."""


class CloudRunSettings:
    """`commands.ports.Configurations`, by the clients of `runs`, which closes them."""

    def __init__(self, runs: CloudRun, *, read_deadline: float = READ_DEADLINE) -> None:
        self._runs = runs
        self._read_deadline = read_deadline

    async def configured(self, site: Site, revision: str = "") -> Configuration | None:
        clients = await self._runs.clients.get()
        name = resource(site)
        try:
            with reading(f"How {revision or spoken(site)} is configured"):
                if revision:
                    made = await clients.revisions.get_revision(
                        name=f"{name}/revisions/{revision}", timeout=self._read_deadline, retry=None
                    )
                    return _configuration(site, made, None)
                service = await clients.services.get_service(name=name, timeout=self._read_deadline, retry=None)
                return _configuration(site, service.template, service)
        except Rejected as error:
            if code_of(error) == "NOT_FOUND":
                return None
            raise


def _configuration(site: Site, template: Theirs, service: Theirs | None) -> Configuration:
    """Of a template or revision, which say alike how they are made; with its service, where it has not been yet."""
    containers = tuple(template.containers)
    front = next((each for each in containers if each.ports), containers[0] if containers else None)
    if front is None:
        raise Rejected(f"How {spoken(site)} is configured cannot be read: it has no container.")
    main = _configured(site, front, template)
    return Configuration(
        main=Configured(
            variables=main.variables,
            secrets=main.secrets,
            account=template.service_account,
            databases=tuple(dict.fromkeys(_databases(template))),
            domains=() if service is None else tuple(dict.fromkeys(_domains(service))),
        ),
        beside={
            each.name or f"container {number}": _configured(site, each, template)
            for number, each in enumerate(containers)
            if each is not front
        },
        shape=dict(_shape(template, front, service)),
        image=front.image,
        revision="" if service is None else service.latest_created_revision.rpartition("/")[2],
        operation=template.annotations.get(OPERATION, ""),
        by="" if service is None else service.last_modifier,
    )


def _configured(site: Site, container: Theirs, template: Theirs) -> Configured:
    """Variables and secrets of one container; `Rejected` where it is not clear which of two values counts."""
    variables: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for each in container.env:
        if each.name in variables or each.name in secrets:
            raise Rejected(f"How {spoken(site)} is configured is not clear: {each.name} is set twice.")
        # an empty value and one from a secret look alike through the library's own wrapper
        if type(each).pb(each).WhichOneof("values") == "value_source":
            secret = each.value_source.secret_key_ref
            secrets[each.name] = _secret(site, secret.secret, secret.version)
        else:
            variables[each.name] = each.value
    volumes = {volume.name: volume.secret for volume in template.volumes if "secret" in volume}
    for mount in container.volume_mounts:
        if (volume := volumes.get(mount.name)) is None:
            continue
        if not volume.items:
            secrets[mount.mount_path] = _secret(site, volume.secret, "")
        for item in volume.items:
            secrets[f"{mount.mount_path.rstrip('/')}/{item.path}"] = _secret(site, volume.secret, item.version)
    return Configured(variables=variables, secrets=secrets)


def _secret(site: Site, name: str, version: str) -> str:
    """Its full name, of the site's own project where none is given; without a version it is the newest one."""
    own = name if name.startswith("projects/") else f"projects/{site.partition('/')[0]}/secrets/{name}"
    return f"{own}/versions/{version or 'latest'}"


def _databases(template: Theirs) -> Iterator[str]:
    for volume in template.volumes:
        if "cloud_sql_instance" in volume:
            yield from volume.cloud_sql_instance.instances
    yield from filter(None, map(str.strip, template.annotations.get(INSTANCES, "").split(",")))


def _domains(service: Theirs) -> Iterator[str]:
    """Hosts that were chosen for it: not the one that Google made up."""
    own = _host(service.uri)
    for address in (*service.urls, *service.custom_audiences):
        host = _host(address)
        if host and host != own and not host.endswith(GIVEN_BY_GOOGLE):
            yield host


def _host(address: str) -> str:
    return (urlsplit(address if "//" in address else f"//{address}").hostname or "").casefold()


def _shape(template: Theirs, front: Theirs, service: Theirs | None) -> Iterator[tuple[str, str]]:
    limits: Mapping[str, str] = front.resources.limits
    if memory := limits.get("memory", ""):
        yield "memory", memory
    if cpu := limits.get("cpu", ""):
        yield "cpu", _whole(cpu)
    yield "concurrency", str(template.max_instance_request_concurrency)
    least, most = template.scaling.min_instance_count, template.scaling.max_instance_count
    if service is not None:  # set for all revisions together, it counts besides
        least = max(least, service.scaling.min_instance_count)
        yield "ingress", service.ingress.name.removeprefix("INGRESS_TRAFFIC_").lower().replace("_", "-")
    yield "min_instances", str(least)
    yield "max_instances", str(most)
    if front.ports:
        yield "port", str(front.ports[0].container_port)


def _whole(cpu: str) -> str:
    """`1000m` and `1` are the same."""
    milli = cpu.removesuffix("m")
    if milli == cpu or not milli.isdecimal():
        return cpu
    return f"{int(milli) / 1000:g}"
