"""How many requests did a revision answer, how fast, and on how much? From real answers, told as Monitoring tells it.

Every request that reaches a container counts, smoke requests too: Google's count does not know who asked.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from google.cloud import monitoring_v3

from bot.sandbox.google.faults import Faults
from bot.sandbox.google.messages import Code, ListTimeSeriesResponse, Raw, Refusal, raw
from commands.ports import Clock

COUNT = "run.googleapis.com/request_count"
LATENCIES = "run.googleapis.com/request_latencies"
MEMORY = "run.googleapis.com/container/memory/utilizations"
CPU = "run.googleapis.com/container/cpu/utilizations"
_CLASS, _SERVICE, _REVISION, _LOCATION = (
    "metric.labels.response_code_class",
    "resource.labels.service_name",
    "resource.labels.revision_name",
    "resource.labels.location",
)
_LABELS = (_CLASS, _SERVICE, _REVISION, _LOCATION)
_GROWTH = 1.1
"""Bounds of neighbouring latency buckets, upper over lower: a percentile is known to within a tenth."""
_FINE = 0.001
"""Width of a utilisation bucket: a percentile is known to within a tenth of a per cent."""
_KEPT = 7200
"""Seconds with answers that are remembered for each revision."""
_TERM = re.compile(r'\s*([a-z_.]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:AND\b|$)')
_Aggregation = monitoring_v3.Aggregation
_PERCENTILES = {
    int(_Aggregation.Reducer.REDUCE_PERCENTILE_99): 0.99,
    int(_Aggregation.Reducer.REDUCE_PERCENTILE_95): 0.95,
    int(_Aggregation.Reducer.REDUCE_PERCENTILE_50): 0.50,
}
_TimeSeries = raw(monitoring_v3.TimeSeries)


@dataclass(frozen=True, slots=True)
class Use:
    """What the containers of a revision take of what they may have."""

    memory_percent: float = 40
    cpu_percent: float = 20


@dataclass(slots=True)
class _Second:
    """The answers of one second."""

    use: Use
    """While it gave the last of them."""
    classes: dict[str, int] = field(default_factory=dict)
    """By class, `2xx` to `5xx`."""
    buckets: dict[str, dict[int, int]] = field(default_factory=dict)
    """By class: how many in each latency bucket."""


@dataclass(slots=True)
class _Tally:
    """What falls into one point of one series."""

    count: int = 0
    buckets: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def percentile(self, share: float, bounds: Callable[[int], float]) -> float:
        """What this share of the values stayed under, interpolated inside its bucket, whose lower bound is given."""
        wanted, seen = share * sum(self.buckets.values()), 0
        for index, count in sorted(self.buckets.items()):
            if seen + count >= wanted:
                low, high = bounds(index), bounds(index + 1)
                return low + (high - low) * (wanted - seen) / count
            seen += count
        return 0.0


def _milliseconds(bucket: int) -> float:
    return _GROWTH**bucket


def _share(bucket: int) -> float:
    """The bucket's middle is the value that was set."""
    return (bucket - 0.5) * _FINE


_BOUNDS = {LATENCIES: _milliseconds, MEMORY: _share, CPU: _share}
"""Lower bound of a bucket, of each metric that is a distribution."""


class Meter:
    """Counts by second on the sandbox's clock."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.delay_seconds = 0.5
        """How old an answer must be to be seen."""
        self.strict_alignment = False
        """Refuse alignment periods below 60 s, as Google does."""
        self.count_as = "int64"
        """Or `double`: Google gives either, by aligner."""
        self._clock = clock
        self._faults = faults
        self._seconds: dict[tuple[str, str], dict[int, _Second]] = {}
        self._uses: dict[tuple[str, str], Use] = {}

    def becomes(
        self, site: str, revision: str, *, memory_percent: float | None = None, cpu_percent: float | None = None
    ) -> None:
        """So much its containers take from now on; an empty site or revision means any without a use of its own."""
        use = self.use(site, revision)
        if memory_percent is not None:
            use = replace(use, memory_percent=memory_percent)
        if cpu_percent is not None:
            use = replace(use, cpu_percent=cpu_percent)
        self._uses[site, revision] = use

    def use(self, site: str, revision: str) -> Use:
        """What its containers take now."""
        for key in ((site, revision), ("", revision), (site, ""), ("", "")):
            if key in self._uses:
                return self._uses[key]
        return Use()

    def record(self, site: str, revision: str, status: int, ms: float) -> None:
        """One answer, just given. Containers are measured while they answer: without requests none runs."""
        seconds = self._seconds.setdefault((site, revision), {})
        at = math.floor(self._clock.now().timestamp())
        use = self.use(site, revision)
        second = seconds.setdefault(at, _Second(use))
        second.use = use
        if len(seconds) > _KEPT:
            del seconds[next(iter(seconds))]
        name = f"{status // 100}xx"
        second.classes[name] = second.classes.get(name, 0) + 1
        bucket = math.floor(math.log(max(ms, 0.01), _GROWTH))
        buckets = second.buckets.setdefault(name, {})
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def list_time_series(self, request: Raw) -> Raw:
        if self._faults.take("monitoring_unavailable"):
            raise Refusal(Code.UNAVAILABLE, "The service is currently unavailable.")
        asked = _filter(request.filter)
        project = request.name.removeprefix("projects/")
        period, count_of = self._question(request, asked)
        if self._faults.take("monitoring_silent"):
            return ListTimeSeriesResponse()
        fields = tuple(request.aggregation.group_by_fields)
        if request.aggregation.cross_series_reducer == int(_Aggregation.Reducer.REDUCE_NONE):
            fields = _LABELS
        for name in fields:
            if name.replace(".label.", ".labels.") not in _LABELS:
                raise Refusal(Code.INVALID_ARGUMENT, f"Field aggregation.groupByFields had an invalid value: {name}")
        start, end = _instant(request.interval.start_time), _instant(request.interval.end_time)
        if end <= start:
            raise Refusal(Code.INVALID_ARGUMENT, "Field interval.startTime must be before its end.")
        points: dict[tuple[str, ...], dict[int, _Tally]] = defaultdict(lambda: defaultdict(_Tally))
        for labels, at, count, buckets in self._values(project, asked, start, end):
            behind = math.floor((end - at) / period) if (end - at) % period else math.ceil((end - at) / period) - 1
            if end - (behind + 1) * period < start - 1e-6:
                continue  # not a whole period
            key = tuple(labels[name.replace(".label.", ".labels.")] for name in fields)
            tally = points[key][behind]
            tally.count += count
            for bucket, many in buckets.items():
                tally.buckets[bucket] += many
        return ListTimeSeriesResponse(
            time_series=[
                self._series(asked["metric.type"], fields, key, tallies, end, period, count_of)
                for key, tallies in sorted(points.items())
            ]
        )

    def _question(self, request: Raw, asked: dict[str, str]) -> tuple[float, float | None]:
        """Seconds in a period, and the percentile that is asked for: None where the count is."""
        aggregation = request.aggregation
        if asked.get("resource.type") != "cloud_run_revision" or asked.get("metric.type") not in (COUNT, *_BOUNDS):
            raise Refusal(Code.NOT_FOUND, "Cannot find metric(s) that match the filter.")
        if aggregation.per_series_aligner != int(_Aggregation.Aligner.ALIGN_DELTA):
            raise Refusal(Code.INVALID_ARGUMENT, "This local Monitoring aligns by ALIGN_DELTA only.")
        period = aggregation.alignment_period.ToTimedelta().total_seconds()
        least = 60 if self.strict_alignment else 1
        if period < least:
            raise Refusal(Code.INVALID_ARGUMENT, f"Field aggregation.alignmentPeriod must be at least {least} seconds.")
        reducer = aggregation.cross_series_reducer
        counts = asked["metric.type"] == COUNT
        summed = (int(_Aggregation.Reducer.REDUCE_SUM), int(_Aggregation.Reducer.REDUCE_NONE))
        if counts and reducer in summed:
            return period, None
        if not counts and reducer in _PERCENTILES:
            return period, _PERCENTILES[reducer]
        raise Refusal(Code.INVALID_ARGUMENT, "This local Monitoring cannot reduce this metric that way.")

    def _values(
        self, project: str, asked: dict[str, str], start: float, end: float
    ) -> Iterator[tuple[dict[str, str], int, int, dict[int, int]]]:
        """(labels, second, answers in it, how many values of the metric in each bucket)."""
        visible = self._clock.now().timestamp() - self.delay_seconds
        for (site, revision), seconds in self._seconds.items():
            owner, region, service = site.split("/")
            labels = {_SERVICE: service, _REVISION: revision, _LOCATION: region}
            if owner != project or any(asked.get(name, value) != value for name, value in labels.items()):
                continue
            for at, second in seconds.items():
                if not start <= at < end or at + 1 > visible:
                    continue
                if asked["metric.type"] in (MEMORY, CPU):
                    percent = second.use.memory_percent if asked["metric.type"] == MEMORY else second.use.cpu_percent
                    yield {**labels, _CLASS: ""}, at, 0, {round(percent / 100 / _FINE): 1}
                    continue
                for name, count in second.classes.items():
                    if asked.get(_CLASS, name) == name:
                        yield {**labels, _CLASS: name}, at, count, second.buckets[name]

    def _series(
        self,
        metric: str,
        fields: tuple[str, ...],
        key: tuple[str, ...],
        tallies: dict[int, _Tally],
        end: float,
        period: float,
        share: float | None,
    ) -> Raw:
        series = _TimeSeries()
        series.metric.type, series.resource.type = metric, "cloud_run_revision"
        for name, value in zip(fields, key, strict=True):
            (series.metric if name.startswith("metric") else series.resource).labels[name.rsplit(".", 1)[-1]] = value
        for behind, tally in sorted(tallies.items()):  # newest first
            point = series.points.add()
            point.interval.start_time.FromDatetime(datetime.fromtimestamp(end - (behind + 1) * period, UTC))
            point.interval.end_time.FromDatetime(datetime.fromtimestamp(end - behind * period, UTC))
            if share is not None:
                point.value.double_value = tally.percentile(share, _BOUNDS[metric])
            elif self.count_as == "double":
                point.value.double_value = float(tally.count)
            else:
                point.value.int64_value = tally.count
        return series


def _filter(text: str) -> dict[str, str]:
    """What each field must be, of a filter that only says so, joined by AND."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise Refusal(Code.INVALID_ARGUMENT, f"Could not parse the filter near '{text[at : at + 40]}'.")
        found[term[1].replace(".label.", ".labels.")] = re.sub(r"\\(.)", r"\1", term[2])
        at = term.end()
    return found


def _instant(timestamp: Raw) -> float:
    return float(timestamp.ToDatetime(tzinfo=UTC).timestamp())
