"""What else does GitHub know of a repository: workflows, tags, alerts, issues, files?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from bot.github import codeowners
from bot.github.credentials import Access
from bot.github.history import between
from bot.github.names import file_path, full, part, ref_path
from bot.github.pull_requests import owners_at
from bot.github.reading import Verification, read, read_all
from bot.github.refusal import Refusal
from bot.github.written import breaks
from commands.errors import Rejected
from policy.evidence import CheckState, Issue, Repository, Tag, WorkflowRun
from policy.model import Sha

if TYPE_CHECKING:
    from bot.github.client import Client

NESTED_MAX = 3
"""Tags of tags of tags; deeper nobody means it."""
TAGS_AT_ONCE, TAGS_MAX = 50, 300
"""Looked up from the highest down, each a request, until those that are meant were found."""
_NUMBERS = re.compile(r"\d+")
_INPUT = re.compile(r"(?<!\S)([\w-]+)=(\S+)")
_NO_REPLY = re.compile(r"(?:\d+\+)?(?P<login>[\w-]+)(?P<bot>\[bot\])?@users\.noreply\.github\.com", re.IGNORECASE)

ALERTS = {
    "dependabot": ("/dependabot/alerts", Access.DEPENDABOT),
    "code_scanning": ("/code-scanning/alerts", Access.CODE_SCANNING),
    "secret_scanning": ("/secret-scanning/alerts", Access.SECRET_SCANNING),
}
WORST = "critical"
"""An alert that has no severity, as every leaked secret, counts as the worst."""


class _Object(BaseModel):
    type: str
    sha: str


class _Ref(BaseModel):
    ref: str
    object: _Object


class _Tagger(BaseModel):
    email: str = ""


class _TagObject(BaseModel):
    object: _Object
    tagger: _Tagger | None = None
    verification: Verification | None = None


class _Advisory(BaseModel):
    ghsa_id: str = ""
    severity: str | None = None


class _ScanRule(BaseModel):
    id: str | None = None
    severity: str | None = None
    security_severity_level: str | None = None


class _Alert(BaseModel):
    number: int
    security_advisory: _Advisory | None = None
    rule: _ScanRule | None = None
    secret_type: str | None = None

    @property
    def severity(self) -> str:
        if self.security_advisory is not None:
            return self.security_advisory.severity or WORST
        if self.rule is not None:
            return self.rule.security_severity_level or self.rule.severity or WORST
        return WORST

    @property
    def name(self) -> str:
        if self.security_advisory is not None and self.security_advisory.ghsa_id:
            return self.security_advisory.ghsa_id
        what = (self.rule.id if self.rule is not None else self.secret_type) or "alert"
        return f"{what} #{self.number}"


class _Label(BaseModel):
    name: str = ""


class _Issue(BaseModel):
    number: int
    title: str
    labels: list[_Label | str] = Field(default_factory=list)
    pull_request: object = None


class _Run(BaseModel):
    id: int
    head_sha: str
    status: str | None = None
    conclusion: str | None = None
    html_url: str = ""
    event: str = ""
    display_title: str = ""
    run_started_at: datetime | None = None
    updated_at: datetime

    @property
    def order(self) -> tuple[datetime, int]:
        return self.run_started_at or self.updated_at, self.id

    def seen(self, workflow: str) -> WorkflowRun:
        if self.status != "completed":
            return WorkflowRun(workflow, CheckState.PENDING, self.html_url, self.status or "", inputs=self.inputs)
        state = CheckState.PASSED if self.conclusion == "success" else CheckState.FAILED
        saw = self.conclusion or "no conclusion"
        return WorkflowRun(workflow, state, self.html_url, saw, self.updated_at, self.inputs)

    @property
    def inputs(self) -> dict[str, str]:
        """GitHub tells none, so a workflow that is asked for them says them itself: `run-name: gate MODE=staging`.

        Only where somebody started it: any other run is titled by whoever wrote the commit. What is said twice is not.
        """
        said = _INPUT.findall(self.display_title) if self.event == "workflow_dispatch" else []
        names = [name for name, _ in said]
        return {name: value for name, value in said if names.count(name) == 1}


async def workflow(client: Client, repository: str, file: str, commit: Sha) -> WorkflowRun | None:
    """Its run that was started last on exactly that commit; None: there is no such run, or no such workflow."""
    path, at = f"/actions/workflows/{part(file)}/runs", full(commit)
    try:
        listed = await client.pages(repository, path, "workflow_runs", Access.ACTIONS, head_sha=at)
    except Refusal as refusal:
        if refusal.status == 404:
            return None
        raise
    # where a filter is not understood it is ignored, so it is compared again
    runs = [run for run in read_all(_Run, listed) if run.head_sha == at]
    return max(runs, key=lambda run: run.order).seen(file) if runs else None


async def tag(client: Client, repository: str, commit: Sha, pattern: str, serving: Sha | None) -> Tag | None:
    """The highest tag on the commit that is called like the pattern, with the one on what serves."""
    listed = read_all(_Ref, await client.read(repository, "/git/matching-refs/tags/"))
    refs = [one for one in listed if re.fullmatch(pattern, _name(one))]
    refs.sort(key=lambda one: _height(_name(one)), reverse=True)
    wanted = {full(commit), *([full(serving)] if serving else [])}
    found: dict[str, tuple[_Ref, _TagObject | None]] = {}
    for begin in range(0, len(refs), TAGS_AT_ONCE):
        if begin >= TAGS_MAX:
            raise Rejected(f"{repository} has more than {TAGS_MAX} tags like {pattern}, and not all are looked up.")
        some = refs[begin : begin + TAGS_AT_ONCE]
        ends = await asyncio.gather(*(_end(client, repository, one) for one in some))
        for one, (end, made) in zip(some, ends, strict=True):
            if end in wanted:
                found.setdefault(end, (one, made))
        if found.keys() == wanted:
            break
    if full(commit) not in found:
        return None
    before = found.get(serving or "")
    return replace(
        _tag(*found[full(commit)], commit),
        previous="" if before is None else _name(before[0]),
        breaking=await _breaking(client, repository, serving, commit),
    )


async def tagged(client: Client, repository: str, name: str) -> Tag | None:
    """The tag that is called so letter by letter; None: there is none, or it names no commit."""
    try:
        ref = read(_Ref, await client.read(repository, f"/git/ref/tags/{ref_path(name)}"))
    except Refusal as refusal:
        if refusal.status == 404:
            return None
        raise
    end, made = await _end(client, repository, ref)
    return _tag(ref, made, Sha(end)) if _name(ref) == name and end else None


def _tag(ref: _Ref, made: _TagObject | None, commit: Sha) -> Tag:
    checked = made.verification if made is not None else None
    verified = checked is not None and checked.verified and checked.reason == "valid"
    return Tag(
        _name(ref),
        commit,
        annotated=ref.object.type == "tag",
        verified=verified,
        why_not="" if verified else (checked.reason if checked is not None else "it is not annotated"),
        # whoever tags may call themselves what they like, unless they signed
        made_by=_maker(made.tagger.email) if verified and made is not None and made.tagger is not None else "",
    )


async def _end(client: Client, repository: str, ref: _Ref) -> tuple[str, _TagObject | None]:
    """The commit that the tag comes to, empty where it is none; and its own object, where it is annotated."""
    first: _TagObject | None = None
    at = ref.object
    for _ in range(NESTED_MAX):
        if at.type != "tag":
            break
        made = read(_TagObject, await client.read(repository, f"/git/tags/{part(at.sha)}"))
        first, at = first or made, made.object
    return (at.sha if at.type == "commit" else ""), first


async def _breaking(client: Client, repository: str, serving: Sha | None, commit: Sha) -> bool:
    if serving is None:
        return False
    return any(breaks(one.commit.message) for one in (await between(client, repository, serving, commit)).commits)


def _name(ref: _Ref) -> str:
    return ref.ref.removeprefix("refs/tags/")


def _height(name: str) -> tuple[list[int], str]:
    """`v1.10.0` comes after `v1.9.0`."""
    return [int(number) for number in _NUMBERS.findall(name)], name


def _maker(email: str) -> str:
    found = _NO_REPLY.fullmatch(email)
    if found is None:
        return email
    return f"github:{'app/' if found['bot'] else ''}{found['login']}"


async def alerts(client: Client, repository: str, source: str) -> dict[str, tuple[str, ...]]:
    """Severity → names of what is open there."""
    if source not in ALERTS:
        raise Rejected(f"GitHub has no alerts called {source}.")
    path, access = ALERTS[source]
    found: dict[str, list[str]] = {}
    for one in read_all(_Alert, await client.pages(repository, path, access=access, state="open")):
        found.setdefault(one.severity, []).append(one.name)
    return {severity: tuple(dict.fromkeys(names)) for severity, names in found.items()}


async def issues(client: Client, repository: str, labels: Sequence[str]) -> tuple[Issue, ...]:
    """Open ones with any of the labels; a pull request is none."""
    listed = await asyncio.gather(
        *(
            client.pages(repository, "/issues", access=Access.ISSUES, state="open", labels=label)
            for label in dict.fromkeys(labels)
        )
    )
    each = {one.number: one for page in listed for one in read_all(_Issue, page) if one.pull_request is None}
    return tuple(
        Issue(number, one.title, frozenset(label if isinstance(label, str) else label.name for label in one.labels))
        for number, one in sorted(each.items())
    )


async def kept(client: Client, repository: str, files: Sequence[str], owned: Sequence[str]) -> Repository:
    """What the default branch lacks of these files and owners."""
    there = await asyncio.gather(*(_is_there(client, repository, file) for file in files))
    lines = await owners_at(client, repository, "") if owned else ()
    return Repository(
        missing=tuple(file for file, found in zip(files, there, strict=True) if not found),
        unowned=tuple(path for path in owned if not codeowners.owners(lines, _within(path))),
    )


async def _is_there(client: Client, repository: str, file: str) -> bool:
    try:
        await client.read(repository, f"/contents/{file_path(file.strip('/'))}")
    except Refusal as refusal:
        if refusal.status == 404:
            return False
        raise
    return True


def _within(path: str) -> str:
    """A file that is like this path: `docs/releases/**` owns `docs/releases/any`."""
    return re.sub(r"\*+", "any", path.strip("/") + ("/any" if path.endswith("/") else ""))
