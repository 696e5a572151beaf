"""What does Cloud Run do with a write? Its semantics, in memory.

Shapes and defaults follow Google's published recordings of the v2 API; where those are silent, public reports.
Two things nobody outside knows for sure are switches: whether an old etag is refused, and whether a traffic change
is called failed while the newest revision is broken.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.cloud_run import COMMIT, FENCE, OPERATION
from bot.sandbox.google.faults import Faults
from bot.sandbox.google.messages import (
    BY_NAME,
    CONTAINER_FAILED,
    FAILED,
    INGRESS_ALL,
    LATEST,
    PENDING,
    RECONCILING,
    RESERVE,
    SUCCEEDED,
    Code,
    Condition,
    ListRevisionsResponse,
    ListServicesResponse,
    Operation,
    Raw,
    Refusal,
    Revision,
    Service,
    Timestamp,
    TrafficTargetStatus,
)
from bot.sandbox.google.split import Split
from commands.ports import Clock

# What a masked update may name: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2#service,
# everything there that is not output only.
WRITABLE = (
    "description",
    "labels",
    "annotations",
    "client",
    "client_version",
    "ingress",
    "launch_stage",
    "binary_authorization",
    "template",
    "traffic",
    "scaling",
    "invoker_iam_disabled",
    "default_uri_disabled",
    "iap_enabled",
    "multi_region_settings",
    "custom_audiences",
    "build_config",
)
Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""
SYSTEM_KEYS = ("run.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev", "cloud.googleapis.com")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How every revision of an image answers."""

    fail_every: int = 0
    """500 for every so-manyth request that is not for /healthz; 0: for none."""
    delay_ms: float = 5
    healthz_status: int = 200
    broken: bool = False
    """Its container never starts, so no revision of it becomes ready."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write as it arrived, whatever became of it."""

    at: datetime
    method: str
    site: str
    traffic: tuple[tuple[str, int, str], ...]
    """(revision, per cent, tag) of each line, as sent; an empty revision is the newest one."""
    fence: int
    """0: it carries none."""
    operation: str
    accepted: bool
    why: str = ""
    """The refusal's code; empty where it was accepted."""
    new_revision: str = ""
    """Empty: it made none."""


@dataclass
class Record:
    """One service."""

    site: str
    service: Raw
    before: Raw
    """As it was before its newest write."""
    revisions: dict[str, Raw] = field(default_factory=dict)
    """By short name, oldest first."""
    doomed: set[str] = field(default_factory=set)
    split: Split = field(default_factory=Split)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    pending: int = 0
    served: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)
    """Every split of the traffic that was in effect and since when, oldest first."""
    answered: dict[str, int] = field(default_factory=dict)
    """Requests that each revision has answered, those for /healthz left out."""

    @property
    def newest(self) -> str:
        return next(reversed(self.revisions))


def resource(site: str) -> str:
    """The service's full name, from `project/region/service`."""
    project, region, service = site.split("/")
    return f"projects/{project}/locations/{region}/services/{service}"


def site_of(name: str) -> str:
    """`project/region/service`, from the full name of a service or of something in it."""
    parts = name.split("/")
    if len(parts) < 6 or parts[0::2][:3] != ["projects", "locations", "services"]:
        raise Refusal(Code.INVALID_ARGUMENT, f"'{name}' is not a valid resource name.")
    return "/".join(parts[1:6:2])


def short_name(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def stamp(at: datetime) -> Raw:
    timestamp = Timestamp()
    timestamp.FromDatetime(at.astimezone(UTC))
    return timestamp


def digest_of(image: str) -> str:
    """The digest an image reference ends with, or empty."""
    found = _DIGEST.search(image)
    return found[1] if found else ""


def _condition(type_: str, state: int, message: str = "", *, reason: int = 0) -> Raw:
    condition = Condition(type_=type_, state=state, message=message)
    if reason:
        condition.revision_reason = reason
    return condition


class Engine:
    """Every service, revision and operation there is."""

    def __init__(self, clock: Clock, faults: Faults, address: Callable[[str, str], str], sleep: Sleep) -> None:
        """`address` makes the HTTP address of a site and tag; an empty tag means its front."""
        self.records: dict[str, Record] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.images: dict[str, str] = {}
        self.removed: set[str] = set()
        """Digests that their registry has no more."""
        """Digest of each image reference by tag."""
        self.writes: list[Write] = []
        self.reconcile_seconds = 0.3
        self.enforce_etag = False
        """One public test of the real v2 API saw old etags accepted, so that is where the switch stands."""
        self.sticky_failure = True
        """A traffic change ends as failed while the newest revision is broken, although the traffic moved."""
        self.lag_seconds = 0.0
        """So long a service is still read as it was before its newest write."""
        self._clock = clock
        self._sleep = sleep
        self._faults = faults
        self._address = address
        self._operations: dict[str, Raw] = {}
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[Raw]] = set()

    # Reading --------------------------------------------------------------------------------------------------------

    def record(self, site: str) -> Record:
        record = self.records.get(site)
        if record is None:
            raise Refusal(Code.NOT_FOUND, f"Resource '{short_name(site)}' of kind 'SERVICE' does not exist.")
        return record

    def get_service(self, request: Raw) -> Raw:
        record = self.record(self._readable(request.name))
        written = record.service.update_time.ToDatetime(tzinfo=UTC)
        lags = self._clock.now() - written < timedelta(seconds=self.lag_seconds)
        return record.before if lags or self._faults.take("stale_read", record.site) else record.service

    def list_services(self, request: Raw) -> Raw:
        self._readable(f"{request.parent}/services/-")
        all_of_them = [
            record.service
            for _, record in sorted(self.records.items())
            if record.service.name.startswith(request.parent + "/")
        ]
        page, token = _page(all_of_them, request)
        return ListServicesResponse(services=page, next_page_token=token)

    def get_revision(self, request: Raw) -> Raw:
        record = self.record(self._readable(request.name))
        revision = record.revisions.get(short_name(request.name))
        if revision is None:
            raise Refusal(Code.NOT_FOUND, f"Resource '{short_name(request.name)}' of kind 'REVISION' does not exist.")
        return revision

    def list_revisions(self, request: Raw) -> Raw:
        record = self.record(self._readable(request.parent))
        page, token = _page(list(reversed(record.revisions.values())), request)
        return ListRevisionsResponse(revisions=page, next_page_token=token)

    def get_operation(self, request: Raw) -> Raw:
        self._fails("poll_unavailable")
        operation = self._operations.get(request.name)
        if operation is None or self._faults.take("poll_forgotten"):
            raise Refusal(Code.NOT_FOUND, f"Operation '{request.name}' does not exist.")
        return operation

    async def wait_operation(self, request: Raw) -> Raw:
        operation = self.get_operation(request)
        seconds = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else 30.0
        try:
            async with asyncio.timeout(seconds):
                await self._done[operation.name].wait()
        except TimeoutError:
            pass  # an answer is no promise that it is done
        return operation

    def _readable(self, name: str) -> str:
        site = site_of(name)
        self._fails("read_unavailable", site)
        return site

    def _fails(self, kind: str, site: str = "", says: str = "The service is currently unavailable.") -> None:
        """An armed fault of this kind is what the call ends with."""
        if fault := self._faults.take(kind, site):
            raise Refusal(getattr(Code, str(fault["code"])), says)

    # Writing --------------------------------------------------------------------------------------------------------

    async def create_service(self, request: Raw) -> Raw:
        return await self._apart(self._create(request))

    async def update_service(self, request: Raw) -> Raw:
        return await self._apart(self._update(request))

    async def close(self) -> None:
        """Nothing goes on any more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _apart(self, work: Coroutine[Raw, Raw, Raw]) -> Raw:
        """Its result; it goes on to its end even when whoever asked has hung up, as a real server's would."""
        return await asyncio.shield(self._spawn(work))

    def _spawn(self, work: Coroutine[Raw, Raw, Raw]) -> asyncio.Task[Raw]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Raw]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the caller may be gone

    async def _create(self, request: Raw) -> Raw:
        site = site_of(f"{request.parent}/services/{request.service_id}")
        self._fails("lost_request", site)
        await self._stall(site)
        try:
            self._allowed(site)
            self._free(site)
            _named(request.service_id)
            created = Service(name=resource(site), uid=str(uuid.uuid4()), ingress=INGRESS_ALL)
            created.create_time.CopyFrom(stamp(self._clock.now()))
            record = Record(site, created, Service())
            operation, revision = self._accept(record, request.service, WRITABLE, first=True)
        except Refusal as refusal:
            self._log("CreateService", site, request.service, refusal=refusal)
            raise
        self._log("CreateService", site, request.service, revision=revision)
        return self._answer(site, operation)

    async def _update(self, request: Raw) -> Raw:
        site = site_of(request.service.name)
        self._fails("lost_request", site)
        await self._stall(site)
        self._meanwhile(site, "before")
        try:
            self._allowed(site)
            record = self.record(site)
            self._fresh(record, request.service.etag)
            paths = tuple(request.update_mask.paths) or WRITABLE
            _known(paths)
            if request.validate_only:
                self._accept(record, request.service, paths, dry=True)
                return Operation(name=f"{_place(site)}/operations/{uuid.uuid4()}", done=True)
            operation, revision = self._accept(record, request.service, paths)
        except Refusal as refusal:
            self._log("UpdateService", site, request.service, refusal=refusal)
            raise
        self._log("UpdateService", site, request.service, revision=revision)
        self._meanwhile(site, "after")
        return self._answer(site, operation)

    async def _stall(self, site: str) -> None:
        if late := self._faults.take("late_write", site):
            await self._sleep(float(late["seconds"]))

    def _allowed(self, site: str) -> None:
        self._fails("write_refused", site, f"'run.services.update' was refused on resource '{resource(site)}'.")

    def _free(self, site: str) -> None:
        if site in self.records:
            raise Refusal(Code.ALREADY_EXISTS, f"Resource '{short_name(site)}' already exists.")

    def _fresh(self, record: Record, etag: str) -> None:
        if self.enforce_etag and etag and etag != record.service.etag:
            newest = _micros(record.service.update_time)
            raise Refusal(
                Code.ABORTED,
                f"Conflict for resource '{short_name(record.site)}': version '{_version(etag)}' was specified "
                f"but current version is '{newest}'.",
            )

    def _answer(self, site: str, operation: Raw) -> Raw:
        self._fails("lost_reply", site, "Connection reset by peer.")
        return operation

    def _log(self, method: str, site: str, body: Raw, *, refusal: Refusal | None = None, revision: str = "") -> None:
        fence = body.annotations.get(FENCE, "0")
        self.writes.append(
            Write(
                at=self._clock.now(),
                method=method,
                site=site,
                traffic=tuple((line.revision, line.percent, line.tag) for line in body.traffic),
                fence=int(fence) if fence.isdigit() else 0,
                operation=body.annotations.get(OPERATION, ""),
                accepted=refusal is None,
                why=refusal.code.name if refusal else "",
                new_revision=revision,
            )
        )

    def _accept(
        self, record: Record, body: Raw, paths: tuple[str, ...], *, first: bool = False, dry: bool = False
    ) -> tuple[Raw, str]:
        """The operation that will carry the write out, and the name of the new revision if it makes one."""
        wanted = Service()
        wanted.CopyFrom(record.service)
        for path in paths:  # a masked field is replaced whole, by nothing too
            wanted.ClearField(path)
            wanted.MergeFrom(_only(body, path))
        _keys_allowed(wanted)
        _fill(wanted)
        revision = self._revision_for(record, wanted)
        self._check_traffic(wanted)
        if dry:
            return Operation(), ""
        record.before.CopyFrom(record.service)
        wanted.generation += 1
        wanted.reconciling = True
        self._touch(wanted)
        wanted.terminal_condition.CopyFrom(_condition("" if first else "Ready", PENDING))
        record.service.CopyFrom(wanted)
        self.records[record.site] = record
        if revision is not None:
            record.revisions[short_name(revision.name)] = revision
            if self._faults.take("revision_fails", record.site):
                record.doomed.add(short_name(revision.name))
        operation = Operation(name=f"{_place(record.site)}/operations/{uuid.uuid4()}")
        operation.metadata.Pack(record.service)  # still names the revision before
        self._operations[operation.name] = operation
        self._done[operation.name] = asyncio.Event()
        slow = self._faults.take("slow_reconcile", record.site)
        seconds = float(slow["seconds"]) if slow else self.reconcile_seconds
        record.pending += 1
        self._spawn(self._reconcile(record, operation, seconds, made=revision is not None))
        answer = Operation()
        answer.CopyFrom(operation)
        return answer, short_name(revision.name) if revision is not None else ""

    def _touch(self, service: Raw) -> None:
        """It is written now; two writes never share an instant, so etags differ."""
        now = self._clock.now()
        last = service.update_time.ToDatetime(tzinfo=UTC)
        if now <= last:
            now = last + timedelta(microseconds=1)
        service.update_time.CopyFrom(stamp(now))
        service.etag = _etag(service)

    # Others ---------------------------------------------------------------------------------------------------------

    def _meanwhile(self, site: str, when: str) -> None:
        if site in self.records and (fault := self._faults.take("rival", site, when=when)):
            self.rival(site, str(fault["does"]), str(fault["revision"]), int(fault["percent"]))

    def rival(self, site: str, does: str, revision: str = "", percent: int = 50) -> None:
        """Somebody who knows nothing of us changes the service, as by hand; our annotations stay as they are.

        `does` is one of `DEEDS`. Without a name, the oldest revision that has no traffic is meant.
        """
        record = self.record(site)
        weights = self.weights(record)
        name = revision or next((one for one in record.revisions if one not in weights), record.newest)
        if does == "delete":
            del record.revisions[name]
            return
        body = Service()
        body.CopyFrom(record.service)
        there = [(line.type_, line.revision, line.percent, line.tag) for line in record.service.traffic]
        idle = [line for line in there if line[3] and not line[2]]
        main = max(weights, key=weights.__getitem__, default=name)
        lines = {
            "shift": [(BY_NAME, name, 100, ""), *idle],
            "split": [(BY_NAME, main, 100 - percent, ""), (BY_NAME, name, percent, ""), *idle],
            "tag": [(BY_NAME, name, 0, "preview"), *(line for line in there if line[3] != "preview")],
            "latest": [(LATEST, "", 100, ""), *idle],
        }
        if does in lines:
            del body.traffic[:]
            for type_, of, much, tag in lines[does]:
                body.traffic.add(type_=type_, revision=of, percent=much, tag=tag)
            paths = ("traffic",)
        elif does in ("deploy", "broken"):
            body.template.revision = f"{short_name(site)}-theirs-{len(record.revisions)}"
            theirs = hashlib.sha256(body.template.revision.encode()).hexdigest()
            front = _ingress(body.template)
            front.image = f"{front.image.partition('@')[0]}@sha256:{theirs}"
            paths = ("template",)
            if does == "broken":
                record.doomed.add(body.template.revision)
        else:
            body.description = f"touched {record.service.generation} times"
            paths = ("description",)
        _, made = self._accept(record, body, paths)
        self._log("UpdateService", site, Service(traffic=body.traffic if paths == ("traffic",) else []), revision=made)

    # Revisions ------------------------------------------------------------------------------------------------------

    def _revision_for(self, record: Record, wanted: Raw) -> Raw | None:
        """The new revision that this template asks for, or None where it asks for one that exists."""
        template, service = wanted.template, short_name(record.site)
        if not template.containers:
            raise Refusal(Code.INVALID_ARGUMENT, "service.template.containers: at least one container is required.")
        if record.revisions and template == record.service.template:
            return None
        name = template.revision
        if name:
            if not name.startswith(f"{service}-"):
                raise Refusal(
                    Code.INVALID_ARGUMENT, f"Revision name '{name}' must be prefixed by the service name '{service}-'."
                )
            _named(name)
        else:
            name = f"{service}-{wanted.generation + 1:05d}-{uuid.uuid4().hex[:3]}"
        made = self.make_revision(record.site, name, template, self._clock.now())
        made.reconciling = True
        made.conditions.add().CopyFrom(_condition("Ready", PENDING))
        there = record.revisions.get(name)
        if there is None:
            return made
        if _configuration(there) == _configuration(made):
            return None
        raise Refusal(Code.ALREADY_EXISTS, f"Revision named '{name}' with different configuration already exists.")

    def make_revision(self, site: str, name: str, template: Raw, created_at: datetime) -> Raw:
        """A revision of this template, with every image by digest. It is not put anywhere."""
        revision = Revision(
            name=f"{resource(site)}/revisions/{name}",
            uid=str(uuid.uuid4()),
            generation=1,
            service=short_name(site),
            service_account=template.service_account,
            max_instance_request_concurrency=template.max_instance_request_concurrency,
            containers=template.containers,
            volumes=template.volumes,
            labels=template.labels,
            annotations=template.annotations,
        )
        revision.timeout.CopyFrom(template.timeout)
        revision.create_time.CopyFrom(stamp(created_at))
        revision.update_time.CopyFrom(revision.create_time)
        revision.etag = _etag(revision)
        for container in revision.containers:
            container.image = self.pinned(container.image)
        return revision

    def pinned(self, image: str) -> str:
        """The same image by digest; a tag that nobody pushed gets one made up from its name."""
        if digest_of(image):
            return image
        digest = self.images.get(image) or "sha256:" + hashlib.sha256(image.encode()).hexdigest()
        repository, colon, tag = image.rpartition(":")
        return f"{repository if colon and '/' not in tag else image}@{digest}"

    def digest(self, record: Record, revision: str) -> str:
        """Of the container that takes requests; empty where there is no such revision."""
        there = record.revisions.get(revision)
        return digest_of(_ingress(there).image) if there is not None else ""

    def behaviour(self, record: Record, revision: str) -> Behaviour:
        return self.behaviours.get(self.digest(record, revision), Behaviour())

    # Carrying out ---------------------------------------------------------------------------------------------------

    async def _reconcile(self, record: Record, operation: Raw, seconds: float, *, made: bool) -> None:
        """One after the other, each towards what is wanted when its turn comes."""
        async with record.turn:
            record.service.terminal_condition.CopyFrom(_condition("Ready", RECONCILING))
            await self._sleep(seconds / 2)
            record.service.latest_created_revision = record.revisions[record.newest].name
            await self._sleep(seconds / 2)
            code, message = self.settle(record, moves=not self._faults.take("empty_success", record.site), made=made)
            record.pending -= 1
            record.service.reconciling = record.pending > 0
            operation.done = True
            if code:
                operation.error.code, operation.error.message = code, message
            else:
                operation.response.Pack(record.service)
            operation.metadata.Pack(record.service)
            self._done[operation.name].set()

    def settle(self, record: Record, *, moves: bool = True, made: bool = True) -> tuple[int, str]:
        """What is wanted is made so as far as it can be; the code and message of what could not, or (0, "")."""
        service = record.service
        for name, revision in record.revisions.items():
            if revision.reconciling:
                self._start(record, name, revision)
        newest = record.revisions[record.newest]
        service.latest_created_revision = newest.name
        unready = _trouble(newest)
        if not unready:
            service.latest_ready_revision = newest.name
        code, message = self._route(record, moves=moves)
        service.observed_generation = service.generation
        del service.conditions[:]
        service.conditions.add().CopyFrom(_condition("RoutesReady", FAILED if code else SUCCEEDED, message))
        service.conditions.add().CopyFrom(_condition("ConfigurationsReady", FAILED if unready else SUCCEEDED, unready))
        worst = message or unready
        service.terminal_condition.CopyFrom(_condition("Ready", FAILED if worst else SUCCEEDED, worst))
        if not code and unready and (made or self.sticky_failure):
            return 9, unready
        return code, message

    def _start(self, record: Record, name: str, revision: Raw) -> None:
        revision.reconciling = False
        revision.observed_generation = revision.generation
        del revision.conditions[:]
        if name in record.doomed or self.behaviour(record, name).broken:
            message = (
                f"Revision '{name}' is not ready and cannot serve traffic. The container failed to start and listen "
                "on the port defined by the PORT=8080 environment variable."
            )
            revision.conditions.add().CopyFrom(_condition("Ready", FAILED, message, reason=CONTAINER_FAILED))
            revision.conditions.add().CopyFrom(_condition("ContainerHealthy", FAILED, message))
        else:
            revision.conditions.add().CopyFrom(_condition("Ready", SUCCEEDED))
            revision.conditions.add().CopyFrom(_condition("ContainerHealthy", SUCCEEDED))

    def _route(self, record: Record, *, moves: bool) -> tuple[int, str]:
        """The traffic flows as wanted, or stays as it was and the reason is returned."""
        for line in record.service.traffic:
            if line.type_ == LATEST:
                continue
            revision = record.revisions.get(line.revision)
            if revision is None:
                return 13, (  # seen in public: terraform-google-modules/terraform-docs-samples#269
                    f"Revision '{line.revision}' does not exist or is deleted. "
                    "Update all traffic to route to currently available revisions."
                )
            if trouble := _trouble(revision):
                return 9, trouble  # 9 since 2025, 13 before: transparency-dev/tesseract#413
        if moves:
            self.show(record)
        return 0, ""

    def show(self, record: Record) -> None:
        """The traffic in effect is the one wanted."""
        service = record.service
        del service.traffic_statuses[:]
        service.uri = self._address(record.site, "")
        service.urls[:] = [service.uri]
        for line in service.traffic:
            status = TrafficTargetStatus(type_=line.type_, percent=line.percent, tag=line.tag)
            if line.type_ != LATEST:  # the newest one is not named, as recorded
                status.revision = line.revision
            if line.tag:
                status.uri = self._address(record.site, line.tag)
            service.traffic_statuses.append(status)
        weights = self.weights(record)
        if not record.served or record.served[-1][1] != weights:
            record.served.append((self._clock.now(), weights))
        for name, revision in record.revisions.items():
            for condition in revision.conditions:
                if condition.type_ == "Ready" and condition.state == SUCCEEDED:
                    condition.revision_reason = 0 if weights.get(name) else RESERVE

    def weights(self, record: Record) -> dict[str, int]:
        """Per cent in effect of each revision that has some."""
        weights: dict[str, int] = {}
        for line in record.service.traffic_statuses:
            name = self.named(record, line)
            if line.percent and name:
                weights[name] = weights.get(name, 0) + line.percent
        return weights

    @staticmethod
    def named(record: Record, line: Raw) -> str:
        """The revision that this line of traffic means now."""
        return short_name(record.service.latest_ready_revision) if line.type_ == LATEST else line.revision

    def _check_traffic(self, wanted: Raw) -> None:
        tags = [line.tag for line in wanted.traffic if line.tag]
        if len(tags) != len(set(tags)):
            raise Refusal(Code.INVALID_ARGUMENT, "service.traffic: tags must be unique.")
        for tag in tags:
            _named(tag)
        if any(not 0 <= line.percent <= 100 for line in wanted.traffic):
            raise Refusal(Code.INVALID_ARGUMENT, "service.traffic: percent must be between 0 and 100.")
        if sum(line.percent for line in wanted.traffic) != 100:
            raise Refusal(Code.INVALID_ARGUMENT, "service.traffic: percents must sum to 100.")
        for line in wanted.traffic:
            if line.type_ == LATEST and line.revision:
                raise Refusal(Code.INVALID_ARGUMENT, "service.traffic: the latest revision is not named.")
            if line.type_ == BY_NAME and (not line.revision or "/" in line.revision):
                raise Refusal(Code.INVALID_ARGUMENT, "service.traffic: a revision is given by its short name.")
            if line.type_ not in (LATEST, BY_NAME):
                raise Refusal(Code.INVALID_ARGUMENT, "service.traffic: type is required.")

    # Seeding --------------------------------------------------------------------------------------------------------

    def seed(
        self,
        site: str,
        image: str,
        revision: str,
        created_at: datetime,
        annotations: dict[str, str],
        commit: str,
        container: str = "",
        *,
        serves: bool,
    ) -> str:
        """A ready revision from some day in the past; the service too where there is none. The revision's name."""
        record = self.records.get(site)
        if record is None:
            service = Service(name=resource(site), uid=str(uuid.uuid4()), ingress=INGRESS_ALL)
            service.create_time.CopyFrom(stamp(created_at))
            record = self.records[site] = Record(site, service, Service())
        service = record.service
        template = service.template
        if not template.containers:
            template.containers.add(name=container)
        template.containers[0].image = image
        template.annotations.clear()
        template.annotations.update(annotations)
        if commit:
            template.annotations[COMMIT] = commit
        _fill(service)
        service.generation += 1
        name = revision or f"{short_name(site)}-{service.generation:05d}-{uuid.uuid4().hex[:3]}"
        if name in record.revisions:
            message = f"{site} already has a revision {name}"
            raise ValueError(message)
        record.revisions[name] = self.make_revision(site, name, template, created_at)
        record.revisions[name].reconciling = True
        if serves:
            del service.traffic[:]
            service.traffic.add(type_=BY_NAME, revision=name, percent=100)
        service.update_time.CopyFrom(stamp(created_at))
        service.etag = _etag(service)
        self.settle(record)
        record.before.CopyFrom(service)
        return name


def _page(rows: list[Raw], request: Raw) -> tuple[list[Raw], str]:
    start = int(request.page_token or 0)
    end = start + (request.page_size or 100)
    return rows[start:end], str(end) if end < len(rows) else ""


def _known(paths: tuple[str, ...]) -> None:
    for path in paths:  # the real mask reaches deeper; nothing here may lean on how
        if path not in WRITABLE:
            raise Refusal(Code.INVALID_ARGUMENT, f"Invalid field mask path '{path}'.")


def _only(body: Raw, path: str) -> Raw:
    """A service with nothing but this field."""
    kept = Service()
    kept.CopyFrom(body)
    for descriptor, _ in body.ListFields():
        if descriptor.name != path:
            kept.ClearField(descriptor.name)
    return kept


def _fill(service: Raw) -> None:
    """What Google fills in where nothing was said, as recorded."""
    template = service.template
    if not template.HasField("timeout"):
        template.timeout.seconds = 300
    template.max_instance_request_concurrency = template.max_instance_request_concurrency or 80
    for container in template.containers:
        for resource_name, amount in (("memory", "512Mi"), ("cpu", "1000m")):
            if resource_name not in container.resources.limits:
                container.resources.limits[resource_name] = amount
    if template.containers:
        front = _ingress(template)
        if not front.ports:
            front.resources.cpu_idle = True
            front.ports.add(name="http1", container_port=8080)
        if not front.HasField("startup_probe"):
            probe = front.startup_probe
            probe.timeout_seconds, probe.period_seconds, probe.failure_threshold = 240, 240, 1
            probe.tcp_socket.port = front.ports[0].container_port
    if not service.traffic:
        service.traffic.add(type_=LATEST, percent=100)


def _ingress(template: Raw) -> Raw:
    """The container that takes requests: the one with a port, else the first."""
    return next((container for container in template.containers if container.ports), template.containers[0])


def _configuration(revision: Raw) -> Raw:
    """What makes two revisions of one name the same."""
    kept = Revision()
    kept.CopyFrom(revision)
    for moving in (
        "uid",
        "generation",
        "create_time",
        "update_time",
        "etag",
        "reconciling",
        "conditions",
        "observed_generation",
    ):
        kept.ClearField(moving)
    return kept


def _trouble(revision: Raw) -> str:
    """Why this revision can serve nothing; empty: it can."""
    for condition in revision.conditions:
        if condition.type_ == "Ready" and condition.state == FAILED:
            return str(condition.message)
    return ""


def _keys_allowed(service: Raw) -> None:
    for keys in (service.annotations, service.labels, service.template.annotations, service.template.labels):
        for key in keys:
            if key.split("/")[0].endswith(SYSTEM_KEYS):
                raise Refusal(Code.INVALID_ARGUMENT, f"'{key}' is reserved and cannot be set.")


def _named(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refusal(Code.INVALID_ARGUMENT, f"'{name}' is not a valid name.")


def _place(site: str) -> str:
    return resource(site).rsplit("/services/", 1)[0]


def _etag(message: Raw) -> str:
    """Of a service or revision: instant of its last write and name, as decoded from the recordings."""
    instant = base64.b64encode(message.update_time.SerializeToString()).decode()
    return f'"{instant}/{base64.b64encode(message.name.encode()).decode()}"'


def _version(etag: str) -> str:
    try:
        instant = Timestamp.FromString(base64.b64decode(etag.strip('"').split("/")[0], validate=True))
    except Exception:  # noqa: BLE001 - whatever was sent is no version of ours
        return etag
    return _micros(instant)


def _micros(instant: Raw) -> str:
    return str(instant.ToMicroseconds())
