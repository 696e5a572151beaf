"""What runs in Cloud Run, and how does traffic move? The port `Runs`, over Google's own asynchronous client.

Each write carries a minimal body under a mask: what is read back is never sent, but for the template of a new
revision. The etag is sent and never trusted: whether the v2 API refuses an old one is contradictory in public, so we
compare it ourselves, write our fence with the traffic, and whoever writes reads back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.google_calls import Late, Theirs, code_of, one_line, reading, writing
from commands.errors import Conflict, LostLease, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.ports import Lease, Revision, Running, Settled, Share, Site
from policy.model import digest as as_digest
from policy.model import sha as as_sha

FENCE = "release-bot/fence"
OPERATION = "release-bot/operation"
COMMIT = "release-bot/commit"
TAGS = "release-bot/tags"
"""Annotations of ours; the last one, on the service, lists our tags, `green=revision`: those of others are kept."""

READ_DEADLINE = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Google's own, connected."""

    run: Theirs
    """The library's module."""
    services: Theirs
    revisions: Theirs


class CloudRun:
    """`commands.ports.Runs`. `endpoint` is `host:port` of a plaintext likeness; None means Google."""

    WRITE_DEADLINE = 10.0  # Google answered within 0.3 s where recorded; the client's own default is 15

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        write_deadline: float = WRITE_DEADLINE,
        read_deadline: float = READ_DEADLINE,
    ) -> None:
        self.WRITE_DEADLINE = write_deadline
        self._read_deadline = read_deadline
        self._late = Late(endpoint, _load, _make)

    @property
    def clients(self) -> Late[Clients]:
        """For whoever reads more of the same services."""
        return self._late

    async def warm(self) -> None:
        """The client library is imported and its clients are made, so that the first call need not."""
        await self._late.get()

    async def close(self) -> None:
        clients = self._late.made
        transports = () if clients is None else (clients.services.transport, clients.revisions.transport)
        await self._late.close(*transports)

    # Reading --------------------------------------------------------------------------------------------------------

    async def running(self, site: Site) -> Running:
        return _running(site, await self._service(site))

    async def revision(self, site: Site, name: str) -> Revision | None:
        clients = await self._late.get()
        try:
            with reading(f"Revision {name}"):
                found = await clients.revisions.get_revision(
                    name=f"{resource(site)}/revisions/{name}", timeout=self._read_deadline, retry=None
                )
        except Rejected as error:
            if code_of(error) == "NOT_FOUND":
                return None
            raise
        return _revision(name, found)

    async def settled(self, handle: str) -> Settled | None:
        clients = await self._late.get()
        from google.longrunning import operations_pb2

        try:
            with reading("How the last change went"):
                operation = await clients.services.get_operation(
                    operations_pb2.GetOperationRequest(name=handle), timeout=self._read_deadline, retry=None
                )
        except Rejected as error:
            # Its record is gone, or not ours to read: what became of the write shows in the service alone.
            return Settled(ok=True, trouble=str(error))
        if not operation.done:
            return None
        # the code is here only: the client's own error for a failed operation carries none
        if operation.HasField("error") and operation.error.code:
            trouble = one_line(operation.error.message) or "Cloud Run gives no reason."
            return Settled(ok=False, trouble=trouble)
        return Settled(ok=True)

    async def _service(self, site: Site) -> Theirs:
        clients = await self._late.get()
        with reading(f"What {spoken(site)} serves"):
            return await clients.services.get_service(name=resource(site), timeout=self._read_deadline, retry=None)

    # Writing --------------------------------------------------------------------------------------------------------

    async def deploy(
        self,
        site: Site,
        *,
        seen: Running,
        image: str,
        revision: str,
        container: str | None,
        shares: Sequence[Share],
        commit: str | None,
        lease: Lease,
    ) -> str:
        """The port's promise. A revision of that name that is already there:

        with the same digest, `OutcomeUnknown`: it may be our own earlier attempt, and looking tells;
        with another one, `Rejected`.
        """
        run = (await self._late.get()).run
        current = await self._as_seen(site, seen, lease)
        template = run.RevisionTemplate(current.template)  # a copy: the other one belongs to what was read
        _chosen(template.containers, container, site).image = image
        template.revision = revision
        _stamp(template.annotations, lease, commit)
        body = _body(run, site, current, shares, lease)
        body.template = template
        try:
            return await self._write(site, body, ["template", "traffic", "annotations"], lease)
        except Rejected as error:
            if code_of(error) != "ALREADY_EXISTS":
                raise
            there = await self._there(site, revision)
            if there is not None and image.endswith(f"@{there.digest}"):
                message = (
                    f"Revision {revision} is already there, with the same image: an earlier attempt may have made it."
                )
                raise OutcomeUnknown(message) from error
            message = f"The name {revision} is taken by a revision with another image."
            raise Rejected(message) from error

    async def shift(self, site: Site, *, seen: Running, shares: Sequence[Share], lease: Lease) -> str:
        run = (await self._late.get()).run
        current = await self._as_seen(site, seen, lease)
        return await self._write(site, _body(run, site, current, shares, lease), ["traffic", "annotations"], lease)

    async def _as_seen(self, site: Site, seen: Running, lease: Lease) -> Theirs:
        """The service, which is still as it was seen, and which nobody with a newer fence has written."""
        current = await self._service(site)
        if _fence(current) > lease.fence:
            message = f"A newer operation has taken over {spoken(site)}."
            raise LostLease(message)
        if current.etag != seen.etag:
            message = f"Somebody else changed {spoken(site)} in the meantime; nothing was changed."
            raise Conflict(message)
        return current

    async def _write(self, site: Site, body: Theirs, paths: list[str], lease: Lease) -> str:
        clients = await self._late.get()
        from google.protobuf import field_mask_pb2

        request = clients.run.UpdateServiceRequest(service=body, update_mask=field_mask_pb2.FieldMask(paths=paths))
        if not lease.outlives(0):
            message = f"The right to change {spoken(site)} has run out; nothing was sent."
            raise LostLease(message)
        if not lease.outlives(self.WRITE_DEADLINE):
            message = f"Too little time was left to change {spoken(site)} safely; nothing was sent."
            raise Unavailable(message)
        with writing(f"The change to {spoken(site)}"):
            pending = await clients.services.update_service(request, timeout=self.WRITE_DEADLINE, retry=None)
        return str(pending.operation.name)

    async def _there(self, site: Site, revision: str) -> Revision | None:
        try:
            return await self.revision(site, revision)
        except ReleaseBotError as error:
            message = (
                f"Revision {revision} is already there, and could not be read: an earlier attempt may have made it."
            )
            raise OutcomeUnknown(message) from error


def _load() -> Theirs:
    from google.cloud import run_v2
    from google.longrunning import operations_pb2  # noqa: F401 - these two now, so that no first call waits for them
    from google.protobuf import field_mask_pb2  # noqa: F401

    return run_v2


def _make(run: Theirs, channel: Theirs, credentials: Theirs) -> Clients:
    from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcAsyncIOTransport
    from google.cloud.run_v2.services.services.transports import ServicesGrpcAsyncIOTransport

    if channel is None:
        return Clients(
            run,
            run.ServicesAsyncClient(credentials=credentials),
            run.RevisionsAsyncClient(credentials=credentials),
        )
    return Clients(
        run,
        run.ServicesAsyncClient(transport=ServicesGrpcAsyncIOTransport(channel=channel)),
        run.RevisionsAsyncClient(transport=RevisionsGrpcAsyncIOTransport(channel=channel)),
    )


# Names ----------------------------------------------------------------------------------------------------------------


def resource(site: Site) -> str:
    project, region, service = site.split("/")
    return f"projects/{project}/locations/{region}/services/{service}"


def spoken(site: Site) -> str:
    project, _, service = site.split("/")
    return f"{service} in {project}"


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


# From theirs to ours --------------------------------------------------------------------------------------------------


def _running(site: Site, service: Theirs) -> Running:
    newest = _short(service.latest_ready_revision)
    terminal = service.terminal_condition
    failed = terminal.state == type(terminal).State.CONDITION_FAILED
    return Running(
        site=site,
        etag=service.etag,
        settled=not service.reconciling and service.observed_generation == service.generation,
        # a target for the latest revision does not name it, neither wanted nor in effect
        serving=tuple(
            Share(_short(line.revision) or newest, line.percent, line.tag, line.uri)
            for line in service.traffic_statuses
        ),
        wanted=tuple(Share(_short(line.revision) or newest, line.percent, line.tag) for line in service.traffic),
        fence=_fence(service),
        operation=service.annotations.get(OPERATION, ""),
        trouble=(one_line(terminal.message) or "Cloud Run gives no reason.") if failed else "",
        address=service.uri,
    )


def _fence(service: Theirs) -> int:
    text = service.annotations.get(FENCE, "")
    return int(text) if text.isdecimal() else 0


def _revision(name: str, found: Theirs) -> Revision:
    containers = tuple(found.containers)
    front = next((container for container in containers if container.ports), containers[0] if containers else None)
    image = front.image if front is not None else ""
    try:
        digest = as_digest(image.rpartition("@")[2])
    except ValueError as error:
        message = f"Revision {name} does not say by digest what it runs."
        raise Rejected(message) from error
    ready, trouble = _ready(found)
    commit = found.annotations.get(COMMIT, "")
    return Revision(
        name=name,
        image=image,
        digest=digest,
        ready=ready,
        trouble=trouble,
        created_at=datetime.fromtimestamp(found.create_time.timestamp(), UTC),
        operation=found.annotations.get(OPERATION, ""),
        commit=as_sha(commit) if _is_sha(commit) else None,
    )


def _ready(found: Theirs) -> tuple[bool | None, str]:
    """From the revision's own condition: the service's latest ready one is not reliable without traffic."""
    for condition in found.conditions:
        if condition.type_ == "Ready":
            states = type(condition).State
            if condition.state == states.CONDITION_SUCCEEDED:
                return True, ""
            if condition.state == states.CONDITION_FAILED:
                return False, one_line(condition.message) or "Cloud Run gives no reason."
    return None, ""


def _is_sha(text: str) -> bool:
    try:
        as_sha(text)
    except ValueError:
        return False
    return True


# From ours to theirs --------------------------------------------------------------------------------------------------


def _body(run: Theirs, site: Site, current: Theirs, shares: Sequence[Share], lease: Lease) -> Theirs:
    """Name, etag, the whole traffic list and the annotations: those of others are kept."""
    by_name = run.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    ours_before = set(current.annotations.get(TAGS, "").split())
    given = {share.tag: f"{share.tag}={share.revision}" for share in shares if share.tag}
    tagged = [line for line in current.traffic_statuses if line.tag and line.tag not in given]
    ours = {f"{line.tag}={line.revision}" for line in tagged} & ours_before
    # what is in effect, not what was wanted: a split that failed once must not come back
    kept = [
        run.TrafficTarget(type_=line.type_, revision=line.revision, percent=0, tag=line.tag)
        for line in tagged
        if f"{line.tag}={line.revision}" not in ours
    ]
    annotations = dict(current.annotations)
    # one that is dropped stays ours until it is seen to be gone: this write may come to nothing
    annotations[TAGS] = " ".join(sorted({*given.values(), *ours}))
    _stamp(annotations, lease, None)
    return run.Service(
        name=resource(site),
        etag=current.etag,
        annotations=annotations,
        traffic=[
            *(
                run.TrafficTarget(type_=by_name, revision=share.revision, percent=share.percent, tag=share.tag)
                for share in shares
            ),
            *kept,
        ],
    )


def _stamp(annotations: Theirs, lease: Lease, commit: str | None) -> None:
    annotations[FENCE] = str(lease.fence)
    annotations[OPERATION] = lease.operation
    if commit is not None:
        annotations[COMMIT] = commit
    else:
        annotations.pop(COMMIT, None)  # it spoke of an earlier image


def _chosen(containers: Theirs, name: str | None, site: Site) -> Theirs:
    """The container whose image changes: the named one, or the only one."""
    fitting = [container for container in containers if name is None or container.name == name]
    if len(fitting) == 1:
        return fitting[0]
    which = f"no container {name}" if name is not None else f"{len(fitting)} containers, and none is named"
    message = f"{spoken(site)} has {which}, so it is not clear which image to replace."
    raise Rejected(message)
