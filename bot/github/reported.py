"""Which numbers did CI report of a commit? GitHub has no place for them but what a check says of itself in a line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from bot.github.names import full
from bot.github.reading import CheckRun, CommitStatus, read_all
from policy.evidence import Measured
from policy.model import Sha

if TYPE_CHECKING:
    from bot.github.client import Client

_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:\.\d+)?(?![.,]?\w*\d)")
"""`92.4 %` and `412KB` have one; that of `p95` is part of a name."""


class _Output(BaseModel):
    title: str | None = None


class _Run(CheckRun):
    output: _Output | None = None


class _Status(CommitStatus):
    description: str | None = None


async def numbers(client: Client, repository: str, commit: Sha, reports: Sequence[str]) -> dict[str, Measured]:
    """By report: the one number in the title of the newest run of that name, or in that status's description.

    One is left out that is not finished, says several or none, or is told in two ways.
    """
    at = full(commit)
    listed, told = await asyncio.gather(
        client.pages(repository, f"/commits/{at}/check-runs", "check_runs", filter="latest"),
        client.pages(repository, f"/commits/{at}/status", "statuses"),
    )
    runs, statuses = read_all(_Run, listed), read_all(_Status, told)
    found = {}
    for report in reports:
        said = [*_in_runs(report, runs), *_in_statuses(report, statuses)]
        if said and None not in said and len({one.value for one in said if one}) == 1:
            found[report] = max((one for one in said if one), key=lambda one: one.at)
    return found


def _in_runs(report: str, runs: Sequence[_Run]) -> Iterator[Measured | None]:
    """What each app's newest run of that name says; None: nothing that counts."""
    newest: Mapping[int, _Run] = {
        run.app.id if run.app else 0: run for run in sorted(runs, key=lambda run: run.order) if run.name == report
    }
    for run in newest.values():
        value = _single(run.output.title if run.output else None)
        finished = run.completed_at if run.status == "completed" else None
        url = run.html_url or run.details_url or ""
        yield None if value is None or finished is None else Measured(value, finished, url)


def _in_statuses(report: str, statuses: Sequence[_Status]) -> Iterator[Measured | None]:
    of_it = [one for one in statuses if one.context == report]
    if of_it:
        newest = max(of_it, key=lambda one: (one.updated_at, one.id))
        value = _single(newest.description) if newest.state != "pending" else None
        yield None if value is None else Measured(value, newest.updated_at, newest.target_url or "")


def _single(text: str | None) -> float | None:
    said = _NUMBER.findall(text or "")
    return float(said[0]) if len(said) == 1 else None
