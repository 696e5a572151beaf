"""What did a revision answer, how fast, and on how much? The port `Metrics`, over Google's own asynchronous client.

Numbers come late: a sample is 60 s long and shows up to 180 s after that, so whoever asks ends the window early.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.google_calls import Late, Theirs, reading
from commands.ports import Point, Requests, Signal, Site

READ_DEADLINE = 10.0
"""Seconds."""
_COUNT = "run.googleapis.com/request_count"  # https://cloud.google.com/monitoring/api/metrics_gcp#gcp-run
_LATENCIES = "run.googleapis.com/request_latencies"  # there too; milliseconds
_CLASS = "metric.labels.response_code_class"
_REVISION = "resource.labels.revision_name"
_PERCENTILES = {
    Signal.P99_MS: (_LATENCIES, 1),
    Signal.MEMORY_PERCENT: ("run.googleapis.com/container/memory/utilizations", 100),
    Signal.CPU_PERCENT: ("run.googleapis.com/container/cpu/utilizations", 100),
}
"""Distributions of which we want the p99, with what makes it a number of ours: utilisations are shares of one."""


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
        window = _whole(since, until, resolution)
        if window is None:
            return Requests(total=0, errors=0, p99_ms=None)
        clients, whole = await self._late.get(), window[1] - window[0]  # one period: the whole window
        with reading("The request numbers"):
            found = await self._counts(clients, site, revision, window, whole)
            counts = {answered: count.total() for answered, count in found.items()}
            total = sum(counts.values())
            p99s = await self._p99s(clients, site, revision, window, whole, _LATENCIES) if total else []
        return Requests(total=total, errors=counts.get("5xx", 0), p99_ms=p99s[-1][1] if p99s else None)

    async def series(
        self, site: Site, revision: str, signal: Signal, since: datetime, until: datetime, resolution: timedelta
    ) -> tuple[Point, ...]:
        """The port's promise; a remainder shorter than `resolution` is left out at the beginning."""
        window = _whole(since, until, resolution)
        if window is None:
            return ()
        clients = await self._late.get()
        with reading(f"The numbers of {revision}"):
            if signal is Signal.ERROR_PERCENT:
                return await self._failing(clients, site, revision, window, resolution)
            metric, factor = _PERCENTILES[signal]
            found = await self._p99s(clients, site, revision, window, resolution, metric)
        return tuple(Point(at, value * factor) for at, value in found)

    async def _counts(
        self, clients: _Clients, site: Site, revision: str, window: tuple[datetime, datetime], period: timedelta
    ) -> dict[str, Counter[datetime]]:
        """By class, `2xx` to `5xx`, how many answers in each period, by its end; a class without any is left out."""
        reducer = clients.monitoring.Aggregation.Reducer.REDUCE_SUM
        counts: dict[str, Counter[datetime]] = {}
        async for series in await self._series(clients, site, revision, window, period, _COUNT, reducer, _CLASS):
            answered = counts.setdefault(series.metric.labels["response_code_class"], Counter())
            for point in series.points:
                answered[_ends(point)] += round(_number(point.value))
        return counts

    async def _failing(
        self, clients: _Clients, site: Site, revision: str, window: tuple[datetime, datetime], period: timedelta
    ) -> tuple[Point, ...]:
        counts = await self._counts(clients, site, revision, window, period)
        totals = sum(counts.values(), Counter[datetime]())
        failed = counts.get("5xx", Counter())
        return tuple(Point(at, 100 * failed[at] / total) for at, total in sorted(totals.items()) if total)

    async def _p99s(
        self,
        clients: _Clients,
        site: Site,
        revision: str,
        window: tuple[datetime, datetime],
        period: timedelta,
        metric: str,
    ) -> list[tuple[datetime, float]]:
        """(end of the period, value), oldest first."""
        reducer = clients.monitoring.Aggregation.Reducer.REDUCE_PERCENTILE_99
        asked = await self._series(clients, site, revision, window, period, metric, reducer, _REVISION)
        return sorted([(_ends(point), _number(point.value)) async for series in asked for point in series.points])

    async def _series(
        self,
        clients: _Clients,
        site: Site,
        revision: str,
        window: tuple[datetime, datetime],
        period: timedelta,
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
                alignment_period=period,
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


def _whole(since: datetime, until: datetime, resolution: timedelta) -> tuple[datetime, datetime] | None:
    """The newest whole resolutions of the span; None: it is shorter than one."""
    whole = (until - since) // resolution * resolution
    return (until - whole, until) if whole >= resolution else None


def _ends(point: Theirs) -> datetime:
    """Whole microseconds in UTC: the library's own type carries nanoseconds."""
    return datetime.fromtimestamp(point.interval.end_time.timestamp(), UTC)


def _quoted(value: str) -> str:
    """As a string in a filter: a name that holds quotes must not become more filter."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number(value: Theirs) -> float:
    """An int64 or a double: which one comes depends on the aligner."""
    raw = type(value).pb(value)
    return float(getattr(raw, raw.WhichOneof("value") or "double_value"))
