"""What did a revision answer, and how fast? The port `Metrics`, over Google's own asynchronous client.

Numbers come late: a sample is 60 s long and shows up to 180 s after that, so whoever asks ends the window early.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.google_calls import Late, Theirs, reading
from commands.ports import Requests, Site

READ_DEADLINE = 10.0
"""Seconds."""
_COUNT = "run.googleapis.com/request_count"  # https://cloud.google.com/monitoring/api/metrics_gcp#gcp-run
_LATENCIES = "run.googleapis.com/request_latencies"  # there too; milliseconds


@dataclass(frozen=True, slots=True)
class _Clients:
    monitoring: Theirs
    """The library's module."""
    metrics: Theirs


class Monitoring:
    """`commands.ports.Metrics`. `endpoint` is `host:port` of a plaintext likeness; None means Google."""

    def __init__(self, endpoint: str | None = None, *, read_deadline: float = READ_DEADLINE) -> None:
        self._read_deadline = read_deadline
        self._late = Late(endpoint, _load, _make)

    async def warm(self) -> None:
        """The client library is imported and its client is made, so that the first call need not."""
        await self._late.get()

    async def close(self) -> None:
        clients = self._late.made
        await self._late.close(*(() if clients is None else (clients.metrics.transport,)))

    async def requests(
        self, site: Site, revision: str, since: datetime, until: datetime, resolution: timedelta
    ) -> Requests:
        """The port's promise; a remainder shorter than `resolution` (whole seconds, Google wants 60) is left out at
        the beginning. A revision nobody has heard of answered nothing."""
        whole = (until - since) // resolution * resolution
        if whole < resolution:
            return Requests(total=0, errors=0, p99_ms=None)
        window = (until - whole, until)
        clients = await self._late.get()
        with reading("The request numbers"):
            counts = await self._counts(clients, site, revision, window)
            total = sum(counts.values())
            p99_ms = await self._p99(clients, site, revision, window) if total else None
        return Requests(total=total, errors=counts.get("5xx", 0), p99_ms=p99_ms)

    async def _counts(
        self, clients: _Clients, site: Site, revision: str, window: tuple[datetime, datetime]
    ) -> dict[str, int]:
        """By class, `2xx` to `5xx`; a class without answers is left out."""
        reducer = clients.monitoring.Aggregation.Reducer.REDUCE_SUM
        counts: dict[str, int] = {}
        async for series in await self._series(
            clients, site, revision, window, _COUNT, reducer, "metric.labels.response_code_class"
        ):
            answered = series.metric.labels["response_code_class"]
            counts[answered] = counts.get(answered, 0) + round(sum(_number(point.value) for point in series.points))
        return counts

    async def _p99(
        self, clients: _Clients, site: Site, revision: str, window: tuple[datetime, datetime]
    ) -> float | None:
        reducer = clients.monitoring.Aggregation.Reducer.REDUCE_PERCENTILE_99
        async for series in await self._series(
            clients, site, revision, window, _LATENCIES, reducer, "resource.labels.revision_name"
        ):
            for point in series.points:  # one: the period is the window
                return _number(point.value)
        return None

    async def _series(
        self,
        clients: _Clients,
        site: Site,
        revision: str,
        window: tuple[datetime, datetime],
        metric: str,
        reducer: Theirs,
        group_by: str,
    ) -> Theirs:
        project, region, service = site.split("/")
        library = clients.monitoring
        request = library.ListTimeSeriesRequest(
            name=f"projects/{project}",
            filter=" AND ".join(
                f"{name} = {_quoted(value)}"
                for name, value in (
                    ("metric.type", metric),
                    ("resource.type", "cloud_run_revision"),
                    ("resource.labels.service_name", service),
                    ("resource.labels.revision_name", revision),
                    ("resource.labels.location", region),
                )
            ),
            interval=library.TimeInterval(start_time=window[0], end_time=window[1]),
            aggregation=library.Aggregation(
                alignment_period=window[1] - window[0],
                per_series_aligner=library.Aggregation.Aligner.ALIGN_DELTA,
                cross_series_reducer=reducer,
                group_by_fields=[group_by],
            ),
        )
        return await clients.metrics.list_time_series(request, timeout=self._read_deadline, retry=None)


def _load() -> Theirs:
    from google.cloud import monitoring_v3

    return monitoring_v3


def _make(monitoring: Theirs, channel: Theirs, credentials: Theirs) -> _Clients:
    if channel is None:
        return _Clients(monitoring, monitoring.MetricServiceAsyncClient(credentials=credentials))
    transport = monitoring.MetricServiceAsyncClient.get_transport_class("grpc_asyncio")
    return _Clients(monitoring, monitoring.MetricServiceAsyncClient(transport=transport(channel=channel)))


def _quoted(value: str) -> str:
    """As a string in a filter: a name that holds quotes must not become more filter."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number(value: Theirs) -> float:
    """An int64 or a double: which one comes depends on the aligner."""
    raw = type(value).pb(value)
    return float(getattr(raw, raw.WhichOneof("value") or "double_value"))
