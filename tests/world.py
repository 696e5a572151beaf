"""A small true world in memory: what serves, what answers, what GitHub knows, who people are, and what time it is.

It keeps what is true and lets everybody be wrong about it: replies get lost, writes are refused, monitoring falls
silent, somebody else changes traffic. Ask it afterwards what became of production. Our own books are the real ones.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import cache, partial
from pathlib import Path
from typing import Any

from bot.policy_file import read_policy
from commands.errors import Conflict, LostLease, OutcomeUnknown, Rejected, Unavailable
from commands.plan import PlannedProbe
from commands.ports import (
    Change,
    Comparison,
    Configuration,
    Deployment,
    Guard,
    Lease,
    Link,
    Look,
    Opened,
    Point,
    Probed,
    Pull,
    Release,
    Requests,
    Revision,
    Running,
    Settled,
    Share,
    Signal,
    Site,
    World,
    Written,
)
from policy.agreement import Relaxes
from policy.document import ActivePolicy, Policy
from policy.evidence import Attestation, Changes, Commit, Issue, Measured, PullRequest, Repository, Tag, WorkflowRun
from policy.facts import Check, CheckState
from policy.glob import alike
from policy.model import AccountKind, Digest, Human, Person, Sha, Unknown
from policy.settings import Configured
from tests import empty
from tests.branches import Branches

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
"""A Tuesday, 10:00 in Berlin: the window is open until 17:00 there."""
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
STORY = Path(__file__).parents[1] / "deploy" / "policies" / "story.yaml"
LETTERS = {"checkout": "c", "payments": "a", "search": "e"}
"""Digests and commits of a service begin with its letter and the number of the version: `c2c2c2…`."""


def digest(service: str, version: int) -> Digest:
    return Digest("sha256:" + f"{LETTERS[service]}{version}" * 32)


def commit(service: str, version: int) -> Sha:
    return Sha(f"{LETTERS[service]}{version}" * 20)


def revision_of(service: str, version: int) -> str:
    return f"{service}-r-{LETTERS[service]}{version}" + f"{LETTERS[service]}{version}" * 5


def site_of(service: str, environment: str = "prod") -> Site:
    return Site(f"acme-{environment}/europe-west1/{service}")


class HandClock:
    """Stands where it is put."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        self.moved: Callable[[], None] = lambda: None
        """Called after each move."""

    def now(self) -> datetime:
        return self.at

    def move(self, span: timedelta) -> None:
        self.at += span
        self.moved()


# What runs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Behaviour:
    """How the revisions of one digest answer."""

    error_percent: float = 0.0
    """Of real requests; the health page is fine all the same."""
    p99_ms: float = 40.0
    memory_percent: float = 40.0
    cpu_percent: float = 20.0
    healthz: int = 200
    root: int = 200
    starts: bool = True


class Fault(Enum):
    """What may go wrong with a write."""

    NONE = auto()
    """This one goes well."""
    LOST_REPLY = auto()
    """It is carried out, and nobody hears of it."""
    LOST_REQUEST = auto()
    """It never arrives, and nobody hears of that either."""
    REFUSED = auto()
    CONFLICT = auto()
    """Somebody else was faster, but changed nothing that matters."""
    FAILS = auto()
    """It is accepted, and ends badly without changing anything."""
    EMPTY = auto()
    """It is accepted, is said to have ended well, and moved nothing."""
    LATE = auto()
    """Nobody hears of it for `late_by`; then it is carried out, over whatever was written meanwhile."""


@dataclass(frozen=True)
class Write:
    """One write that reached the world."""

    operation: str
    fence: int
    site: Site
    shares: tuple[Share, ...]
    changed: bool
    """It wanted other traffic than was wanted before it, or a revision that did not exist."""
    creates: str = ""


@dataclass
class _Pending:
    handle: str
    done_at: datetime
    ok: bool
    trouble: str
    serving: tuple[Share, ...]


@dataclass
class _Late:
    """A write on its way."""

    at: datetime
    lines: tuple[Share, ...]
    lease: Lease


@dataclass
class _Place:
    site: Site
    revisions: dict[str, Revision]
    serving: tuple[Share, ...]
    wanted: tuple[Share, ...]
    since: list[tuple[datetime, tuple[Share, ...]]]
    """What served from when on, oldest first."""
    version: int = 1
    fence: int = 0
    operation: str = ""
    pending: _Pending | None = None
    late: _Late | None = None


class Runs:
    """Cloud Run, as far as we need it."""

    WRITE_DEADLINE = 5.0

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.places: dict[Site, _Place] = {}
        self.behaviours: dict[Digest, Behaviour] = {}
        self.settles_after = timedelta(seconds=1)
        self.away = False
        """Reads get no answer."""
        self.gone: set[Site] = set()
        """Whoever asks for these is told that there is no such service."""
        self.faults: deque[Fault] = deque()
        """What goes wrong with the next writes, one each."""
        self.late_by = timedelta(seconds=8)
        self.stale: deque[bool] = deque()
        """Whether the next looks at traffic, one each, show what served before."""
        self.writes: list[Write] = []
        self.ended: dict[str, Settled] = {}
        self.witness: Callable[[Write], Awaitable[None]] | None = None
        """Sees each write before it counts."""

    # Telling what is true -------------------------------------------------------------------------------------------

    def add(self, site: Site, name: str, digest: Digest, commit: Sha | None, at: datetime) -> None:
        """A ready revision of some day in the past; it takes all the traffic."""
        made = Revision(name, f"registry/acme/app@{digest}", digest, ready=True, trouble="", created_at=at)
        made = replace(made, commit=commit)
        line = (Share(name, 100),)
        place = self.places.setdefault(site, _Place(site, {}, line, line, []))
        place.revisions[name] = made
        place.serving = place.wanted = line
        place.since.append((at, line))

    def somebody_moves(self, site: Site, **percents: int) -> None:
        """Not us: traffic goes elsewhere. Names of revisions are written with `_` for `-`."""
        place = self._now(site)
        lines = tuple(Share(name.replace("_", "-"), percent) for name, percent in percents.items())
        self._serve(place, lines, self._clock.now())
        place.wanted, place.fence, place.operation = lines, 0, ""
        place.version += 1

    def somebody_is_busy(self, site: Site, span: timedelta) -> None:
        """Not us: another change of the service takes so long, and moves no traffic."""
        place = self._now(site)
        place.pending = _Pending("theirs", self._clock.now() + span, True, "", place.serving)
        place.version += 1

    def on_its_way(self) -> bool:
        """True while a late write has not arrived."""
        return any(self._now(site).late for site in self.places)

    def traffic(self, service: str, environment: str = "prod") -> dict[str, int]:
        """Whole per cent by revision, lines of 0 % left out."""
        return _percents(self._now(site_of(service, environment)).serving)

    def serving(self, service: str, environment: str = "prod") -> Digest | None:
        """The digest that has all the traffic."""
        found = self.traffic(service, environment)
        if len(found) != 1:
            return None
        return self.places[site_of(service, environment)].revisions[next(iter(found))].digest

    def tags(self, service: str, environment: str = "prod") -> dict[str, str]:
        return {s.tag: s.revision for s in self._now(site_of(service, environment)).serving if s.tag}

    def ever_served(self, site: Site) -> list[dict[str, int]]:
        """Every split that was in effect, oldest first."""
        return [_percents(lines) for _, lines in self._now(site).since]

    def _now(self, site: Site) -> _Place:
        place = self.places[site]
        if place.late is not None and self._clock.now() >= place.late.at:
            late, place.late = place.late, None
            place.wanted, place.fence, place.operation = late.lines, late.lease.fence, late.lease.operation
            place.version += 1
            self._serve(place, late.lines, late.at)
        pending = place.pending
        if pending is not None and self._clock.now() >= pending.done_at:
            place.pending = None
            place.version += 1
            self.ended[pending.handle] = Settled(ok=pending.ok, trouble=pending.trouble)
            if pending.ok:
                self._serve(place, pending.serving, pending.done_at)
            for name, revision in place.revisions.items():
                if revision.ready is None:
                    starts = self.behaviours.get(revision.digest, Behaviour()).starts
                    trouble = "" if starts else "The container did not listen on PORT=8080."
                    place.revisions[name] = replace(revision, ready=starts, trouble=trouble)
        return place

    @staticmethod
    def _serve(place: _Place, lines: tuple[Share, ...], at: datetime) -> None:
        place.serving = lines
        place.since.append((at, lines))

    # The port -------------------------------------------------------------------------------------------------------

    async def running(self, site: Site) -> Running:
        self._reachable()
        if site in self.gone:
            raise Rejected("Reading its traffic was refused: it is not there.")
        place = self._now(site)
        old = bool(self.stale) and self.stale.popleft()
        serving = tuple(
            replace(share, address=f"https://{share.tag}---{share.revision}" if share.tag else "")
            for share in (place.since[-2][1] if old else place.serving)
        )
        return Running(
            site,
            str(place.version),
            place.pending is None,
            serving,
            place.wanted,
            place.fence,
            place.operation,
            address=f"https://{max(serving, key=lambda share: share.percent).revision}".replace("//", "//www---"),
        )

    async def revision(self, site: Site, name: str) -> Revision | None:
        self._reachable()
        return self._now(site).revisions.get(name)

    async def deploy(
        self,
        site: Site,
        *,
        seen: Running,
        image: str,
        revision: str,
        container: str | None,
        shares: Sequence[Share],
        commit: Sha | None,
        lease: Lease,
    ) -> str:
        if revision in self.places[site].revisions:
            raise Rejected(f"Revision {revision} is there already.")
        made = Revision(
            revision,
            image,
            Digest(image.rpartition("@")[2]),
            ready=None,
            trouble="",
            created_at=self._clock.now(),
            operation=lease.operation,
            commit=commit,
        )
        return await self._write(site, seen, tuple(shares), lease, made)

    async def shift(self, site: Site, *, seen: Running, shares: Sequence[Share], lease: Lease) -> str:
        return await self._write(site, seen, tuple(shares), lease, None)

    async def settled(self, handle: str) -> Settled | None:
        self._reachable()
        for site in self.places:
            self._now(site)
        return self.ended.get(handle)

    def _reachable(self) -> None:
        if self.away:
            raise Unavailable("Cloud Run does not answer.")

    async def _write(
        self, site: Site, seen: Running, shares: tuple[Share, ...], lease: Lease, made: Revision | None
    ) -> str:
        fault = self.faults.popleft() if self.faults else None
        place = self._now(site)
        if fault is Fault.REFUSED:
            raise Rejected("Permission denied on the service.")
        if place.fence > lease.fence:
            raise LostLease("A newer operation has taken over.")
        if fault is Fault.CONFLICT or seen.etag != str(place.version):
            place.version += 1
            raise Conflict("Somebody else changed the service in the meantime; nothing was changed.")
        if fault is Fault.LOST_REQUEST:
            raise OutcomeUnknown("The change got no answer.")
        if fault is Fault.LATE:
            place.late = _Late(self._clock.now() + self.late_by, shares, lease)
            raise OutcomeUnknown("The change got no answer.")
        changed = made is not None or _percents(place.wanted) != _percents(shares)
        write = Write(lease.operation, lease.fence, site, shares, changed, made.name if made else "")
        if self.witness is not None:
            await self.witness(write)
        self.writes.append(write)
        handle = f"write-{len(self.writes)}"
        if made is not None:
            place.revisions[made.name] = made
        starts = made is None or self.behaviours.get(made.digest, Behaviour()).starts
        trouble = "" if starts else f"Revision {made.name if made else ''} is not ready and cannot serve traffic."
        if fault is Fault.FAILS:
            starts, trouble = False, "internal error"
        serving = place.serving if fault is Fault.EMPTY else shares
        place.pending = _Pending(handle, self._clock.now() + self.settles_after, starts, trouble, serving)
        place.wanted, place.fence, place.operation = shares, lease.fence, lease.operation
        place.version += 1
        if fault is Fault.LOST_REPLY:
            raise OutcomeUnknown("The change got no answer.")
        return handle


def _percents(lines: Sequence[Share]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for share in lines:
        found[share.revision] += share.percent
    return {revision: percent for revision, percent in found.items() if percent}


class Settings:
    """What everything that runs is configured with. A revision stays as it was made."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._now: dict[Site, Configuration] = {}
        self.made: dict[tuple[Site, str], Configuration] = {}
        """How revisions were made, where that is not how the next one will be."""
        self.next: deque[Configured] = deque()
        """With what the next revisions that we make come out, one each, whatever they should have."""
        self.away = False
        self.unreadable: set[Site] = set()
        self.unreadable_once_made: set[Site] = set()
        """What we make there cannot be read."""

    def always(self, site: Site, main: Configured) -> None:
        """Every revision that there is was made with that, and the next one will be."""
        self._now[site] = replace(self._of(site), main=main)
        self.made = {key: value for key, value in self.made.items() if key[0] != site}

    def somebody_sets(self, site: Site, main: Configured | None = None, **changes: Any) -> None:
        """Not us: from the next revision on it runs with that."""
        before = self._of(site)
        for name in self._runs.places[site].revisions:
            self.made.setdefault((site, name), before)
        self._now[site] = replace(before if main is None else replace(before, main=main), **changes)

    def _of(self, site: Site) -> Configuration:
        environment = site.partition("/")[0].removeprefix("acme-")
        account = f"app@acme-{environment}.iam.gserviceaccount.com"
        usual = Configured({"APP_ENV": environment}, {}, account)
        return self._now.get(site, Configuration(usual, shape={"memory": "512Mi"}))

    async def configured(self, site: Site, revision: str = "") -> Configuration | None:
        if self.away or site in self.unreadable:
            raise Unavailable("Cloud Run does not say how it is configured.")
        place = self._runs.places.get(site)
        if place is None or (revision and revision not in place.revisions):
            return None
        name = revision or list(place.revisions)[-1]
        made = place.revisions[name]
        if made.operation and site in self.unreadable_once_made:
            raise Unavailable("Cloud Run does not say how it is configured.")
        if made.operation and self.next and (site, name) not in self.made:
            self.made[site, name] = replace(self._of(site), main=self.next.popleft())
        found = self.made.get((site, name), self._of(site)) if revision else self._of(site)
        return replace(found, image=found.image or made.image, revision=name, operation=made.operation)


class Metrics:
    """Counts what revisions answered: so many requests a second reach each place, and go where its traffic goes."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.per_second: dict[Site, float] = {}
        """20, where nothing else is said."""
        self.away = False
        self.silent = False
        """It answers, and knows of no requests."""
        self._turns: list[tuple[datetime, str, Signal, float]] = []
        self.probed: list[tuple[datetime, str, int, int]] = []
        """When, revision, answers, of which 500 and above: to whoever counts, a probe is a request like any other."""

    def becomes(self, revision: str, signal: Signal, value: float, ago: timedelta = timedelta(0)) -> None:
        """From so long ago on; until then, and where nothing is said, as its digest behaves."""
        self._turns.append((self._runs._clock.now() - ago, revision, signal, value))

    async def requests(
        self, site: Site, revision: str, since: datetime, until: datetime, resolution: timedelta
    ) -> Requests:
        if self.away:
            raise Unavailable("Monitoring does not answer.")
        if self.silent:
            return Requests(0, 0, None)
        total = failed = 0.0
        for begin, end, share in self._pieces(site, revision, since, until):
            answered = round((end - begin).total_seconds() * share * self.per_second.get(site, 20.0), 6)
            total += answered
            failed += answered * self._value(site, revision, Signal.ERROR_PERCENT, begin) / 100
        p99_ms = self._value(site, revision, Signal.P99_MS, until) if int(total) else None
        probed = [counts for at, name, *counts in self.probed if name == revision and since <= at < until]
        asked, refused = sum(counts[0] for counts in probed), sum(counts[1] for counts in probed)
        return Requests(int(total) + asked, round(failed) + refused, p99_ms)

    async def series(
        self, site: Site, revision: str, signal: Signal, since: datetime, until: datetime, resolution: timedelta
    ) -> tuple[Point, ...]:
        if self.away:
            raise Unavailable("Monitoring does not answer.")
        ends = [until - back * resolution for back in range((until - since) // resolution)]
        points = [
            Point(end, await self._over(site, revision, signal, end - resolution, end))
            for end in reversed(ends)
            if not self.silent and [*self._pieces(site, revision, end - resolution, end)]
        ]
        return tuple(points)

    async def _over(self, site: Site, revision: str, signal: Signal, since: datetime, until: datetime) -> float:
        if signal is Signal.ERROR_PERCENT and any(name == revision for _, name, *_ in self.probed):
            return (await self.requests(site, revision, since, until, until - since)).error_percent
        return self._value(site, revision, signal, since)

    def _pieces(
        self, site: Site, revision: str, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, datetime, float]]:
        """(begin, end, share of the traffic): within each nothing changes, and it has some."""
        place = self._runs._now(site)
        cuts = {since, until, *(at for at, _ in place.since), *(at for at, *_ in self._turns)}
        inside = sorted(at for at in cuts if since <= at <= until)
        for begin, end in itertools.pairwise(inside):
            lines = [lines for at, lines in place.since if at <= begin]
            if share := _percents(lines[-1] if lines else ()).get(revision, 0):
                yield begin, end, share / 100

    def _value(self, site: Site, revision: str, signal: Signal, at: datetime) -> float:
        turns = [value for since, name, of, value in self._turns if (name, of) == (revision, signal) and since <= at]
        if turns:
            return turns[-1]
        behaviour = self._runs.behaviours.get(self._runs.places[site].revisions[revision].digest, Behaviour())
        return float(getattr(behaviour, signal.value))


class Probes:
    """Asks the revision behind a tagged address."""

    def __init__(self, runs: Runs, metrics: Metrics) -> None:
        self._runs = runs
        self._metrics = metrics

    async def probe(self, address: str, probe: PlannedProbe) -> Probed:
        name = address.partition("---")[2]
        found = next((p.revisions[name] for p in self._runs.places.values() if name in p.revisions), None)
        if found is None or not found.ready:
            return Probed(ok=False, saw=(0,), slowest_ms=0.0, why="nothing answers there")
        behaviour = self._runs.behaviours.get(found.digest, Behaviour())
        saw = behaviour.healthz if probe.path == "/healthz" else behaviour.root
        counted = (self._runs._clock.now(), name, probe.repeat, probe.repeat if saw >= 500 else 0)
        self._metrics.probed.append(counted)
        return Probed(ok=saw in probe.expect, saw=(saw,) * probe.repeat, slowest_ms=12.0)


class Images:
    """The registry: it has everything, unless somebody tidied up."""

    def __init__(self) -> None:
        self.gone: set[Digest] = set()
        self.away = False

    async def kept(self, image: str) -> bool:
        if self.away:
            raise Unavailable("The registry does not answer.")
        return Digest(image.rpartition("@")[2]) not in self.gone


# Where the code lives -----------------------------------------------------------------------------------------------


@dataclass
class _Record:
    deployment: Deployment
    states: list[str] = field(default_factory=list)
    log: str = ""
    address: str = ""


class GitHub:
    """Commits, checks and deployments."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self.away = False
        self.commits: dict[str, list[Change]] = {}
        self.results: dict[tuple[str, Sha], dict[str, Check]] = {}
        self.records: dict[str, list[_Record]] = {}
        self.silent: set[str] = set()
        """Parts of it that do not answer: `alerts`."""
        self.refusing: set[str] = set()
        """Parts of it that say no, and will tomorrow."""
        self.branches: dict[str, Sha] = {}
        self.links: dict[Sha, Link] = {}
        """Commits that lie otherwise than one after the other."""
        self.titles: dict[Sha, Change] = {}
        self.pull_requests: dict[Sha, PullRequest] = {}
        """By the commits that came by them."""
        self.lacking: dict[str, tuple[str, ...]] = {}
        """Branch → what its protection lacks."""
        self.required: dict[str, tuple[str, ...]] = {}
        """Branch → names of checks."""
        self.moving = Branches(self)
        self.unmerged: dict[str, str] = {}
        """Branch → why it takes no merge commit."""
        self.strictly: set[str] = set()
        """Branches that take nothing that lacks one of their commits."""
        self.open: dict[tuple[str, str], PullRequest] = {}
        self.runs: dict[tuple[str, Sha], WorkflowRun] = {}
        """File and commit → the newest run."""
        self.tags: dict[Sha, Tag] = {}
        self.found: dict[str, dict[str, tuple[str, ...]]] = {}
        """Source of alerts → severity → what is open."""
        self.issue_list: list[Issue] = []
        self.attested: list[Attestation] = []
        self.measured: dict[tuple[Sha, str], Measured] = {}
        """Commit and report → what it said."""
        self.files: set[str] = set()
        self.owned: set[str] = set()
        self.late: list[tuple[datetime, Callable[[], object]]] = []
        """What is on its way, and when it arrives."""

    def add_commit(self, repository: str, change: Change) -> None:
        """Pushed, built, and its checks passed."""
        self.commits.setdefault(repository, []).append(change)
        for name in ("build", "unit-tests"):
            self.check(repository, change.commit, name, CheckState.PASSED)

    def check(self, repository: str, commit: Sha, name: str, state: CheckState, saw: str = "") -> None:
        self.results.setdefault((repository, commit), {})[name] = Check(name, state, "", saw)

    def add_deployment(
        self, repository: str, commit: Sha, environment: str, digest: Digest, revision: str, at: datetime
    ) -> None:
        """One that succeeded on some day in the past."""
        made = Deployment(next(self._numbers), environment, commit, digest, "", "success", at, revision)
        self.records.setdefault(repository, []).append(_Record(made, ["success"]))

    def told(self, service: str, environment: str = "prod") -> list[tuple[str, str]]:
        """(short digest, newest state) of what we recorded, oldest first."""
        return [
            ((record.deployment.digest or "")[7:19], record.deployment.state)
            for record in self.records[f"acme/{service}"]
            if record.deployment.operation and record.deployment.environment == environment
        ]

    def _reachable(self) -> None:
        if self.away:
            raise Unavailable("GitHub does not answer.")
        arrived = [do for at, do in self.late if at <= self._clock.now()]
        self.late = [(at, do) for at, do in self.late if at > self._clock.now()]
        for do in arrived:
            do()

    async def checks(self, repository: str, commit: Sha) -> Mapping[str, Check]:
        self._reachable()
        return dict(self.results.get((repository, commit), {}))

    async def deployments(self, repository: str, environment: str) -> tuple[Deployment, ...]:
        self._reachable()
        found = [record.deployment for record in self.records.get(repository, ())]
        return tuple(deployment for deployment in reversed(found) if deployment.environment == environment)

    async def compare(self, repository: str, base: Sha, head: Sha) -> Comparison:
        self._reachable()
        ahead, behind = self._only(repository, base, head), self._only(repository, head, base)
        every = {change.commit: change for change in self.commits[repository]} | self.titles
        changes = tuple(every[link.commit] for link in ahead if link.commit in every)
        return Comparison(len(ahead), len(behind), changes)

    def link(self, commit: Sha) -> Link:
        return next(links[commit] for links in map(self._links, self.commits) if commit in links)

    def add_link(self, link: Link, change: Change) -> None:
        """A commit that lies otherwise than after the last one, with its checks passed."""
        self.links[link.commit] = link
        self.titles[link.commit] = change
        for repository in self.commits:
            for name in ("build", "unit-tests"):
                self.check(repository, link.commit, name, CheckState.PASSED)

    def only(self, base: Sha, head: Sha) -> list[Link]:
        """What `head` has and `base` lacks, in whichever repository they are."""
        repository = next(name for name in self.commits if head in self._links(name))
        return self._only(repository, base, head)

    def behind(self, head: Sha) -> list[Link]:
        """That commit and all before it, oldest first."""
        known: dict[Sha, Link] = {}

        def walk(commit: Sha) -> None:
            if commit not in known:
                link = self.link(commit)
                for parent in link.parents:
                    walk(parent)
                known[commit] = link

        walk(head)
        return list(known.values())

    def _links(self, repository: str) -> dict[Sha, Link]:
        one_by_one = self.commits.get(repository, [])
        before = [None, *(change.commit for change in one_by_one)]
        return {
            change.commit: Link(change.commit, change.title, (parent,) if parent else ())
            for parent, change in zip(before, one_by_one, strict=False)
        } | self.links

    def _only(self, repository: str, base: Sha, head: Sha) -> list[Link]:
        """What `head` has and `base` lacks, oldest first."""
        links = self._links(repository)
        known: dict[Sha, None] = {}

        def walk(commit: Sha) -> None:
            if commit not in known and commit not in had:
                for parent in links[commit].parents:
                    walk(parent)
                known[commit] = None

        had: dict[Sha, None] = {}
        walk(base)
        had, known = known, {}
        walk(head)
        return [links[commit] for commit in known]

    def _part(self, name: str) -> None:
        self._reachable()
        if name in self.silent:
            raise Unavailable("GitHub does not answer.")
        if name in self.refusing:
            raise Rejected("1200 commits lie between; more are not looked at.")

    async def head(self, repository: str, branch: str) -> Sha | None:
        self._part("branches")
        return self.branches.get(branch)

    async def refs(self, repository: str, beginning: str) -> Mapping[str, Sha]:
        self._part("branches")
        there = {f"heads/{name}": at for name, at in self.branches.items()}
        there |= {f"tags/{tag.name}": at for at, tag in self.tags.items()}
        return {name: at for name, at in there.items() if name.startswith(beginning)}

    async def written(self, repository: str, commit: Sha) -> Written:
        self._part("commits")
        link = self.link(commit)
        told = (change for changes in self.commits.values() for change in changes if change.commit == commit)
        made = self.titles.get(commit) or next(told)
        picked = f"\n\n(cherry picked from commit {link.picked_from})" if link.picked_from else ""
        return Written(commit, f"{made.title}{picked}", made.author, link.parents)

    async def came_by(self, repository: str, commit: Sha) -> int | None:
        self._part("pull requests")
        for pull in self.moving.pulls:
            if pull.merged and commit in {
                link.commit for link in self.only(pull.merged.parents[0], pull.merged.commit)
            }:
                return pull.number
        found = self.pull_requests.get(commit)
        return found.number if found else None

    async def opened(self, repository: str, number: int) -> Opened:
        self._part("pull requests")
        pull = next((pull for pull in self.moving.pulls if pull.number == number), None)
        others = {found.number: found for found in self.pull_requests.values()}
        if pull is None and number in others:
            at = next(commit for commit, found in self.pull_requests.items() if found.number == number)
            found = others[number]
            return Opened(number, found.title, "", found.head, found.base, at, open=False, merged=at)
        if pull is None:
            raise Rejected(f"There is no pull request #{number}.")
        head = pull.merged.parents[1] if pull.merged else self.branches[pull.source]
        merged = pull.merged.commit if pull.merged else None
        is_open = merged is None and not pull.closed
        return Opened(number, pull.title, pull.body, pull.source, pull.target, head, open=is_open, merged=merged)

    async def trunk(self, repository: str) -> str:
        self._part("branches")
        return "main"

    async def holding(self, repository: str, commit: Sha, like: Sequence[str]) -> tuple[str, ...]:
        self._part("branches")
        called = alike(tuple(like))
        return tuple(
            name
            for name, at in self.branches.items()
            if at == commit or (called(name) and not self._only(repository, at, commit))
        )

    async def tree(self, repository: str, commit: Sha) -> str:
        self._part("trees")
        return self.moving.tree(commit)

    async def lineage(self, repository: str, base: Sha, head: Sha) -> tuple[Link, ...]:
        self._part("lineage")
        return tuple(self._only(repository, base, head))

    async def changes(self, repository: str, base: Sha, head: Sha, look: frozenset[Look], branch: str) -> Changes:
        self._part("changes")
        found = self._only(repository, base, head)
        by = {link.commit: self.pull_requests[link.commit] for link in found if link.commit in self.pull_requests}
        commits = tuple(
            Commit(
                link.commit,
                link.title,
                pull_request=by[link.commit].number if link.commit in by else None,
                picked_from=link.picked_from,
            )
            for link in found
        )
        pulls = tuple(
            replace(
                pull,
                approved_by=pull.approved_by if Look.REVIEWS in look else frozenset(),
                owners_missing=pull.owners_missing if Look.OWNERS in look else (),
                failed=pull.failed if Look.CHECKS in look else (),
            )
            for pull in {pull.number: pull for pull in by.values()}.values()
        )
        holds = branch in self.branches and not self._only(repository, self.branches[branch], head)
        return Changes(commits, pulls, (), branch if holds else "")

    async def unprotected(self, repository: str, branch: str) -> tuple[str, ...]:
        self._part("protection")
        return self.lacking.get(branch, ())

    async def not_passed(self, repository: str, branch: str, commit: Sha) -> tuple[str, ...]:
        self._part("protection")
        results = self.results.get((repository, commit), {})
        passed = {name for name, check in results.items() if check.state is CheckState.PASSED}
        return tuple(name for name in self.required.get(branch, ()) if name not in passed)

    async def strict(self, repository: str, branch: str) -> bool:
        self._part("protection")
        return branch in self.strictly

    async def promotion(self, repository: str, source: str, target: str) -> PullRequest | None:
        self._part("pull requests")
        return self.open.get((source, target)) or self.moving.seen(source, target)

    async def unmergeable(self, repository: str, branch: str) -> str:
        self._part("protection")
        return self.unmerged.get(branch, "")

    async def workflow(self, repository: str, file: str, commit: Sha) -> WorkflowRun | None:
        self._part("workflows")
        return self.runs.get((file, commit))

    async def tag(self, repository: str, commit: Sha, pattern: str, serving: Sha | None) -> Tag | None:
        self._part("tags")
        found = self.tags.get(commit)
        return found if found and re.fullmatch(pattern, found.name) else None

    async def tagged(self, repository: str, name: str) -> Tag | None:
        self._part("tags")
        return next((found for found in self.tags.values() if found.name == name), None)

    async def attestations(self, repository: str, digest: Digest, commit: Sha | Unknown) -> tuple[Attestation, ...]:
        self._part("attestations")
        return tuple(self.attested)

    async def alerts(self, repository: str, source: str) -> Mapping[str, tuple[str, ...]]:
        self._part(source)
        return self.found.get(source, {})

    async def numbers(self, repository: str, commit: Sha, reports: Sequence[str]) -> Mapping[str, Measured]:
        self._part("numbers")
        return {name: self.measured[commit, name] for name in reports if (commit, name) in self.measured}

    async def issues(self, repository: str, labels: Sequence[str]) -> tuple[Issue, ...]:
        self._part("issues")
        return tuple(issue for issue in self.issue_list if issue.labels & set(labels))

    async def kept(self, repository: str, files: Sequence[str], owned: Sequence[str]) -> Repository:
        self._part("files")
        missing = tuple(file for file in files if file not in self.files)
        return Repository(missing, tuple(path for path in owned if path not in self.owned))

    async def record_deployment(self, repository: str, **said: Any) -> int:
        self._reachable()
        for record in self.records.get(repository, ()):
            if record.deployment.operation == said["operation"]:
                return record.deployment.id
        return self._record_deployment(repository, **said)

    def _record_deployment(
        self,
        repository: str,
        *,
        commit: Sha,
        environment: str,
        production: bool,
        operation: str,
        payload: Mapping[str, str],
        description: str,
        doubted: bool = False,
    ) -> int:
        made = Deployment(
            next(self._numbers),
            environment,
            commit,
            Digest(payload["digest"]),
            operation,
            "",
            self._clock.now(),
            payload.get("revision", ""),
            payload.get("service", ""),
        )
        self.records.setdefault(repository, []).append(_Record(made))
        return made.id

    async def record_status(
        self,
        repository: str,
        deployment: int,
        *,
        state: str,
        description: str,
        log: str = "",
        address: str = "",
        doubted: bool = False,
    ) -> None:
        self._reachable()
        record = next(record for record in self.records[repository] if record.deployment.id == deployment)
        if record.deployment.state != state:
            self._record_status(repository, deployment, state=state, description=description, log=log, address=address)

    def _record_status(
        self,
        repository: str,
        deployment: int,
        *,
        state: str,
        description: str,
        log: str = "",
        address: str = "",
        doubted: bool = False,
    ) -> None:
        record = next(record for record in self.records[repository] if record.deployment.id == deployment)
        record.states.append(state)
        record.log, record.address = log or record.log, address or record.address
        record.deployment = replace(record.deployment, state=state, updated_at=self._clock.now())

    def on_its_way(self, name: str, *said: Any, **named: Any) -> None:
        """It was sent by somebody who looked and then died, and arrives a few seconds later."""
        at = self._clock.now() + timedelta(seconds=4)
        if name in {"propose", "merge", "move", "begin"}:
            self.late.append((at, partial(self.moving.arrives, name, *said, **named)))
        else:
            self.late.append((at, partial(getattr(self, f"_{name}"), *said, **named)))


# People -------------------------------------------------------------------------------------------------------------


class People:
    """Who holds which role, right now."""

    def __init__(self) -> None:
        self.away = False
        self.roles: dict[str, set[str]] = {
            "maya": {"engineer"},
            "lea": {"engineer"},
            "tom": {"engineer"},
            "omar": {"engineer", "release_manager"},
            "raj": {"engineer", "tech_lead"},
            "ines": {"incident_commander"},
            "dan": {"engineer", "on_call"},
        }
        self.gone: set[str] = set()
        """Slack knows their accounts no more."""
        self.kinds: dict[str, AccountKind] = {"gus": AccountKind.GUEST, "ext": AccountKind.STRANGER}

    @staticmethod
    def account(name: str) -> str:
        return f"slack:T0ACME/U0{name.upper()}"

    def _who(self, name: str) -> Person:
        kind = self.kinds.get(name, AccountKind.HUMAN)
        human = Human(name) if name in self.roles else None
        return Person(self.account(name), human, name, kind, active=True, roles=frozenset(self.roles.get(name, ())))

    async def person(self, account: str) -> Person:
        if self.away:
            raise Unavailable("Slack did not say who that is.")
        name = account.partition("/U0")[2].lower()
        if name in self.gone:
            raise Rejected("Slack knows no such account.")
        return self._who(name)

    async def holders(self, roles: Sequence[str]) -> Mapping[Human, Person]:
        if self.away:
            raise Unavailable("Slack did not say who is in a user group.")
        return {Human(name): self._who(name) for name, held in self.roles.items() if held & set(roles)}


# The policy ---------------------------------------------------------------------------------------------------------


@cache
def _story() -> Policy:
    return read_policy(STORY).policy


@cache
def _unchanged() -> ActivePolicy:
    return ActivePolicy(policy=_story(), hash="0" * 64, source="story.yaml")


_read: dict[tuple[str, str], ActivePolicy] = {}
"""Every policy that a town has had, by its hash and what it says: reading one takes longer than most stories do."""


class Policies:
    """The policy in force: the story's, until it is changed."""

    def __init__(self) -> None:
        self._active = _unchanged()

    def current(self) -> ActivePolicy:
        return self._active

    def change(self, **to_prod: object) -> None:
        """The path to production changes in these keys; the policy has another hash from now on."""
        raw = _story().model_dump(mode="python", by_alias=True)
        raw["paths"] = [{**raw["paths"][0], **to_prod}]
        self._replace(raw)

    def adopt(self, **keys: object) -> None:
        """Whole keys of the policy change; those of the path to production under `to_prod`."""
        raw = self._active.policy.model_dump(mode="python", by_alias=True)
        to_prod = keys.pop("to_prod", {})
        raw["paths"] = [{**raw["paths"][0], **(to_prod if isinstance(to_prod, dict) else {})}]
        self._replace({**raw, **keys})

    def drop(self, service: str) -> None:
        """It is about this service no more."""
        raw = _story().model_dump(mode="python", by_alias=True)
        del raw["services"][service]
        raw["groups"] = {}
        self._replace(raw)

    def _replace(self, raw: Mapping[str, Any]) -> None:
        number = f"{int(self._active.hash[0]) + 1}" * 64
        known = (number, repr(raw))
        if known not in _read:
            _read[known] = ActivePolicy(policy=Policy.model_validate(raw), hash=number, source="story.yaml")
        self._active = _read[known]


# Where people talk --------------------------------------------------------------------------------------------------


@dataclass
class Posted:
    """One message; what it said first and says now."""

    ts: str
    channel: str
    thread: str
    said: list[Mapping[str, Any]]
    only_for: str = ""

    @property
    def now(self) -> Mapping[str, Any]:
        return self.said[-1]


class Slack:
    """What stands in the channels."""

    def __init__(self) -> None:
        self.messages: list[Posted] = []
        self.heard = 0
        """Deeds of people so far: each has a number of its own."""

    async def post(self, channel: str, payload: Mapping[str, Any], thread: str = "") -> str:
        self.messages.append(Posted(f"{len(self.messages) + 1}.0", channel, thread, [payload]))
        return self.messages[-1].ts

    async def update(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        next(message for message in self.messages if message.ts == ts).said.append(payload)

    async def whisper(
        self, channel: str, account: str, payload: Mapping[str, Any], thread: str = "", request: str = ""
    ) -> None:
        ts = f"{len(self.messages) + 1}.0"
        self.messages.append(Posted(ts, channel, thread, [payload], account.partition("/U0")[2].lower()))

    async def well(self) -> bool:
        return True


# All of it ----------------------------------------------------------------------------------------------------------


class Protections:
    """What guards branches: for each, words of `Relaxes` that it asks for, by the name of a ruleset."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.late: list[tuple[datetime, Callable[[], None]]] = []
        """Writes that are still on their way."""
        self.guarding: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self.pulls: dict[int, Pull] = {}
        self.remarks: dict[int, list[str]] = {}
        self.faults: deque[Fault] = deque()
        """What goes wrong with the next writes, one each."""
        self.away = False
        self.hidden = False
        """Nobody may look any more: the App's key is gone."""
        self.ever: list[dict[str, dict[str, Any]]] = []
        """How they stood after each write, ours or not."""

    def somebody_sets(self, repository: str, branch: str, ruleset: str, **asks: Any) -> None:
        """Not us."""
        self.guarding.setdefault((repository, branch), {})[ruleset] = asks
        self.ever.append(deepcopy(self.guarding[repository, branch]))

    def _of(self, repository: str, branch: str) -> dict[str, dict[str, Any]]:
        if self.away:
            raise Unavailable("GitHub does not answer.")
        if self.hidden:
            raise Rejected("No App is set up that may change what guards a branch.")
        for _, arrives in [one for one in self.late if one[0] <= self._clock.now()]:
            arrives()
        self.late = [one for one in self.late if one[0] > self._clock.now()]
        return self.guarding.get((repository, branch), {})

    async def guards(self, repository: str, branch: str) -> tuple[Guard, ...]:
        there = self._of(repository, branch).items()
        return tuple(Guard(f"{branch} {name}", f"ruleset {name}", deepcopy(asks)) for name, asks in there)

    async def again(self, repository: str, branch: str, guards: Sequence[Guard]) -> tuple[Guard, ...]:
        there = {guard.name: guard for guard in await self.guards(repository, branch)}
        return tuple(there.get(guard.name, guard._replace(state=None)) for guard in guards)

    def relaxed(self, guards: Sequence[Guard], what: Iterable[Relaxes]) -> tuple[Guard, ...]:
        words = {one.value for one in what}
        found = [guard for guard in guards if words & (guard.state or {}).keys()]
        if not found:
            raise Rejected(f"Nothing that guards the branch asks for {', '.join(words)}; there is nothing to relax.")
        return tuple(
            guard._replace(state={name: asks for name, asks in (guard.state or {}).items() if name not in words})
            for guard in found
        )

    async def put(self, repository: str, seen: Guard, wanted: Guard, lease: Lease) -> None:
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if fault is Fault.REFUSED:
            raise Rejected("GitHub refuses to change the rules.")
        branch, _, name = wanted.name.partition(" ")
        arrives = partial(self.somebody_sets, repository, branch, name, **dict(wanted.state or {}))
        if fault is Fault.LATE:
            self.late.append((self._clock.now() + timedelta(seconds=8), arrives))
        elif fault is not Fault.LOST_REQUEST:
            arrives()
        if fault in {Fault.LOST_REPLY, Fault.LOST_REQUEST, Fault.LATE}:
            raise OutcomeUnknown("The change got no answer.")

    async def newest(self, repository: str, guard: Guard) -> int:
        return 0

    async def since(self, repository: str, guard: Guard, number: int) -> tuple[Guard, ...]:
        return ()

    async def pull(self, repository: str, number: int) -> Pull:
        if number not in self.pulls:
            raise Rejected(f"There is no pull request {number}.")
        return self.pulls[number]

    async def remark(self, repository: str, number: int, mark: str, text: str, lease: Lease) -> None:
        said = self.remarks.setdefault(number, [])
        if not any(mark in one for one in said):
            said.append(f"{text} {mark}")


@dataclass
class _Made:
    release: Release
    title: str
    body: str
    holds: dict[str, bytes] = field(default_factory=dict)
    latest: bool = False


class Releases:
    """Releases of tags, as GitHub keeps them: no tag is made here."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._numbers = itertools.count(1)
        self.made: list[_Made] = []
        self.away = False
        """It answers nothing."""
        self.loses = 0
        """So many of the next writes are done, and nobody is told."""

    def _reachable(self) -> None:
        if self.away:
            raise Unavailable("GitHub does not answer.")

    def _done(self) -> None:
        if self.loses:
            self.loses -= 1
            raise OutcomeUnknown("GitHub did not say whether a write was carried out.")

    async def _on(self, repository: str, tag: str, commit: Sha) -> None:
        found = await self._github.tagged(repository, tag)
        if found is None or found.commit != commit:
            raise Rejected(f"{tag} is not on {commit[:7]}.")

    async def released(self, repository: str, tag: str, mark: str) -> Release | None:
        self._reachable()
        of_it = [made for made in self.made if made.release.tag == tag]
        chosen = sorted(of_it, key=lambda made: (not made.release.public, mark not in made.body))
        return replace(chosen[0].release, ours=mark in chosen[0].body) if chosen else None

    async def latest(self, repository: str) -> str:
        self._reachable()
        return next((made.release.tag for made in self.made if made.latest), "")

    async def draft(self, repository: str, *, tag: str, commit: Sha, title: str, body: str, mark: str) -> Release:
        found = await self.released(repository, tag, mark)
        if found is not None:
            return found
        await self._on(repository, tag, commit)
        url = f"https://github.com/{repository}/releases/tag/{tag}"
        release = Release(next(self._numbers), tag, public=False, url=url, files={})
        self.made.append(_Made(release, title, f"{body}\n\n{mark}\n"))
        self._done()
        return release

    def _stands(self, release: Release) -> _Made:
        self._reachable()
        return next(made for made in self.made if made.release.id == release.id)

    async def attach(self, repository: str, release: Release, name: str, content: bytes) -> None:
        stands = self._stands(release)
        if stands.holds.setdefault(name, content) != content:
            raise Rejected(f"The release of {release.tag} holds another {name} already.")
        self._done()

    async def publish(self, repository: str, release: Release, *, commit: Sha, latest: bool) -> Release:
        stands = self._stands(release)
        await self._on(repository, release.tag, commit)
        stands.release = replace(stands.release, public=True)
        for made in self.made if latest else ():
            made.latest = made is stands
        self._done()
        return stands.release


class Town:
    """The whole world, and where our own books lie."""

    def __init__(self, directory: Path) -> None:
        self.clock = HandClock()
        self.runs = Runs(self.clock)
        self.settings = Settings(self.runs)
        self.metrics = Metrics(self.runs)
        self.probes = Probes(self.runs, self.metrics)
        self.images = Images()
        self.github = GitHub(self.clock)
        self.people = People()
        self.policies = Policies()
        self.protections = Protections(self.clock)
        self.releases = Releases(self.github)
        self.slack = Slack()
        path = directory / "books.db"
        path.write_bytes(empty.books())
        self.database_url = f"sqlite:///{path}"

    def version(self, service: str, number: int, title: str, author: str) -> None:
        """It was committed and built."""
        self.github.add_commit(f"acme/{service}", Change(commit(service, number), title, author))

    def deployed(self, service: str, environment: str, number: int, ago: timedelta) -> None:
        """It went there so long ago, on its own road, and GitHub knows."""
        at = self.clock.now() - ago
        made, name = digest(service, number), revision_of(service, number)
        self.runs.add(site_of(service, environment), name, made, commit(service, number), at)
        self.github.add_deployment(f"acme/{service}", commit(service, number), environment, made, name, at)

    def ports(self, store: object) -> World:
        return World(
            clock=self.clock,
            people=self.people,
            runs=self.runs,
            configurations=self.settings,
            metrics=self.metrics,
            probes=self.probes,
            images=self.images,
            code=self.github,
            branches=self.github.moving,
            releases=self.releases,
            protections=self.protections,
            store=store,  # type: ignore[arg-type]
            policies=self.policies,
        )


def story(directory: Path) -> Town:
    """Each service serves a good v1, v0 is behind it. Stage has a v2: checkout's is good and soaked, payments' fails
    on every fourth request, search's came two hours ago."""
    town = Town(directory)
    waiting = {"checkout": 26 * HOUR, "payments": 30 * HOUR, "search": 2 * HOUR}
    for service, ago in waiting.items():
        for number, title in enumerate(("Begin", "Go on", "Do it better")):
            town.version(service, number, title, "lea-gh")
        for number in (0, 1):
            for environment in ("stage", "prod"):
                town.deployed(service, environment, number, ago=(20 - 8 * number) * DAY)
        town.deployed(service, "stage", 2, ago=ago)
    town.runs.behaviours[digest("payments", 2)] = Behaviour(error_percent=25)
    return town
