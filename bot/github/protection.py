"""How does GitHub guard a branch, and which checks does it want? Rulesets and classic protection together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, Field

from bot.github import rollup
from bot.github.credentials import Access
from bot.github.names import full, ref_path
from bot.github.reading import CheckRun, CommitStatus, read, read_all
from bot.github.refusal import Refusal
from commands.errors import Unavailable
from policy.evidence import CheckState
from policy.model import Sha, short

if TYPE_CHECKING:
    from bot.github.client import Client

NONE = frozenset({"Branch not protected", "Required status checks not enabled"})
"""What GitHub says where there is nothing; any other 404 may only mean that we may not see it."""
MOVERS = frozenset({"creation", "update", "deletion"})
"""Rules by which a ruleset says who alone may move a branch."""
RUNS_MAX = 30
"""Pages: of every run that a commit ever had."""


class Required(NamedTuple):
    """A check by its name; with an app, only that app's results count."""

    name: str
    app: int | None


class _Check(BaseModel):
    context: str
    integration_id: int | None = None
    app_id: int | None = None

    def required(self) -> Required:
        app = self.integration_id or self.app_id
        return Required(self.context, app if app and app > 0 else None)  # -1 and null: any app


class _Parameters(BaseModel):
    required_status_checks: list[_Check] = Field(default_factory=list)
    strict_required_status_checks_policy: bool = False
    allowed_merge_methods: list[str] | None = None


class _Rule(BaseModel):
    type: str
    ruleset_id: int | None = None
    parameters: _Parameters | None = None


class _Ruleset(BaseModel):
    name: str
    current_user_can_bypass: str = "never"
    rules: list[_Rule] = Field(default_factory=list)

    @property
    def passed_over(self) -> bool:
        """Whether we may do what it forbids. Where it only says who moves the branch, that it names us is its point."""
        return self.current_user_can_bypass != "never" and not {rule.type for rule in self.rules} <= MOVERS


class _Contexts(BaseModel):
    strict: bool = False
    checks: list[_Check] = Field(default_factory=list)
    contexts: list[str] = Field(default_factory=list)

    def required(self) -> set[Required]:
        known = {check.context for check in self.checks}
        return {check.required() for check in self.checks} | {
            Required(name, None) for name in self.contexts if name not in known
        }


class _Switch(BaseModel):
    enabled: bool = False


class _Home(BaseModel):
    allow_merge_commit: bool | None = None


class _Named(BaseModel):
    login: str = ""
    slug: str = ""


class _Bypass(BaseModel):
    users: list[_Named] = Field(default_factory=list)
    teams: list[_Named] = Field(default_factory=list)
    apps: list[_Named] = Field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.login or one.slug for one in (*self.users, *self.teams, *self.apps))


class _Reviews(BaseModel):
    bypass_pull_request_allowances: _Bypass | None = None


class _Classic(BaseModel):
    required_pull_request_reviews: _Reviews | None = None
    enforce_admins: _Switch = _Switch()
    allow_force_pushes: _Switch = _Switch()
    allow_deletions: _Switch = _Switch()
    lock_branch: _Switch = _Switch()
    required_linear_history: _Switch = _Switch()


async def _rules(client: Client, repository: str, branch: str) -> list[_Rule]:
    """All that are active for the branch, the organisation's among them. Who may bypass them is not told."""
    return read_all(_Rule, await client.pages(repository, f"/rules/branches/{ref_path(branch)}"))


async def _classic(client: Client, repository: str, path: str) -> Mapping[str, Any] | None:
    """What stands there; None: there is no such protection. Where we may not see it, the refusal goes on."""
    try:
        said: Mapping[str, Any] = await client.read(repository, path, Access.PROTECTION)
    except Refusal as refusal:
        if refusal.status == 404 and refusal.said in NONE:
            return None
        raise
    return said


async def lacks(client: Client, repository: str, branch: str) -> tuple[str, ...]:
    """What may be done to the branch that a protected one forbids."""
    rules = await _rules(client, repository, branch)
    kinds = {rule.type for rule in rules}
    pushes = not kinds & {"pull_request", "update"}
    forces, deletes = "non_fast_forward" not in kinds, "deletion" not in kinds
    around: tuple[str, ...] = ()
    if pushes or forces or deletes:
        said = await _classic(client, repository, f"/branches/{ref_path(branch)}/protection")
        if said is not None:
            classic = read(_Classic, said)
            reviews, locked = classic.required_pull_request_reviews, classic.lock_branch.enabled
            if pushes and (reviews is not None or locked):
                pushes = False
                allowed = reviews.bypass_pull_request_allowances if reviews else None
                around = tuple(f"{name} may push directly" for name in (allowed.names if allowed else ()))
                if not classic.enforce_admins.enabled:
                    around = (*around, "administrators may push directly")
            forces, deletes = (
                forces and classic.allow_force_pushes.enabled,
                deletes and classic.allow_deletions.enabled,
            )
    named = (("direct push allowed", pushes), ("force push allowed", forces), ("deletion allowed", deletes))
    return (*(says for says, holds in named if holds), *around, *await _passed_over(client, repository, rules))


async def _passed_over(client: Client, repository: str, rules: Iterable[_Rule]) -> tuple[str, ...]:
    """The rulesets that would not stop us: the host merges for us what is red, so nobody else's word would count."""
    ids = dict.fromkeys(rule.ruleset_id for rule in rules if rule.ruleset_id is not None)
    found = [read(_Ruleset, await client.read(repository, f"/rulesets/{id}")) for id in ids]
    return tuple(f"this bot itself may pass over ruleset {one.name}" for one in found if one.passed_over)


async def unmergeable(client: Client, repository: str, branch: str) -> str:
    """Why the branch takes no merge commit by a pull request from us; empty: nothing is known that forbids it."""
    home = read(_Home, await client.read(repository, ""))  # the setting is told only to those who may write
    if home.allow_merge_commit is False:
        return f"{repository} allows no merge commits; its settings must, under pull requests"
    for rule in await _rules(client, repository, branch):
        methods = rule.parameters.allowed_merge_methods if rule.parameters else None
        if rule.type == "merge_queue":
            return f"{branch} is merged by a merge queue, which makes commits of its own; a rule must let it go"
        if rule.type == "required_linear_history":
            return f"a rule wants a linear history of {branch}, which allows no merge commits"
        if rule.type == "pull_request" and methods is not None and "merge" not in methods:
            return f"a rule of {branch} allows no merge commits, only {' or '.join(methods)}"
    said = await _classic(client, repository, f"/branches/{ref_path(branch)}/protection")
    if said is not None and read(_Classic, said).required_linear_history.enabled:
        return f"the protection of {branch} wants a linear history, which allows no merge commits"
    return ""


async def required(client: Client, repository: str, branch: str) -> frozenset[Required]:
    """Every check that rulesets or classic protection want on the branch."""
    wanted = {
        check.required()
        for rule in await _rules(client, repository, branch)
        if rule.type == "required_status_checks" and rule.parameters
        for check in rule.parameters.required_status_checks
    }
    classic = await _classic(client, repository, f"/branches/{ref_path(branch)}/protection/required_status_checks")
    return frozenset(wanted | (read(_Contexts, classic).required() if classic is not None else set()))


async def strict(client: Client, repository: str, branch: str) -> bool:
    """Whether the branch takes nothing that lacks one of its commits."""
    if any(
        rule.type == "required_status_checks"
        and rule.parameters
        and rule.parameters.strict_required_status_checks_policy
        for rule in await _rules(client, repository, branch)
    ):
        return True
    classic = await _classic(client, repository, f"/branches/{ref_path(branch)}/protection/required_status_checks")
    return classic is not None and read(_Contexts, classic).strict


async def agreed(client: Client, repository: str, wanted: frozenset[Required], commit: Sha) -> tuple[str, ...]:
    """Those that the commit has not passed; `Unavailable` where GitHub's two APIs do not say the same of it."""
    if not wanted:
        return ()
    one, (runs, statuses) = await asyncio.gather(
        not_passed(client, repository, wanted, commit), rollup.rolled_up(client, repository, commit)
    )
    other = tuple(sorted(says for each in wanted if (says := _short_of(each, runs, statuses, None))))
    if one != other:
        differ = " and ".join(sorted({says.partition(" (")[0] for says in {*one} ^ {*other}}))
        raise Unavailable(f"GitHub gives two answers about {differ} on {short(commit)}.")
    return one


async def not_passed(
    client: Client, repository: str, wanted: frozenset[Required], commit: Sha, by: datetime | None = None
) -> tuple[str, ...]:
    """Those that the commit has not passed, or by that time had not; one that never ran is among them."""
    if not wanted:
        return ()
    at = full(commit)
    runs = read_all(
        CheckRun,
        await client.pages(
            repository, f"/commits/{at}/check-runs", "check_runs", most=RUNS_MAX, filter="all" if by else "latest"
        ),
    )
    path = f"/commits/{at}/statuses" if by else f"/commits/{at}/status"
    told = await client.pages(repository, path, "" if by else "statuses", most=RUNS_MAX)
    statuses = read_all(CommitStatus, told)
    if by is not None:
        runs = [run for run in runs if run.started_at is not None and run.started_at <= by]
        statuses = [status for status in statuses if status.updated_at <= by]
    return tuple(sorted(says for one in wanted if (says := _short_of(one, runs, statuses, by))))


def _short_of(wanted: Required, runs: list[CheckRun], statuses: list[CommitStatus], by: datetime | None) -> str:
    """Its name, with what it lacks where it did not fail; empty: it passed. Run and status of one name both count."""
    newest = {
        run.app.id if run.app else 0: run
        for run in sorted(runs, key=lambda run: run.order)
        if run.name == wanted.name and (wanted.app is None or (run.app is not None and run.app.id == wanted.app))
    }
    states = [
        CheckState.PENDING if by and (run.completed_at is None or run.completed_at > by) else run.check().state
        for run in newest.values()
    ]
    if wanted.app is None:  # a status does not say which app made it
        of_name = [status for status in statuses if status.context == wanted.name]
        if of_name:
            states.append(max(of_name, key=lambda one: (one.updated_at, one.id)).check().state)
    if not states:
        return f"{wanted.name} (no result)"
    if CheckState.FAILED in states:
        return wanted.name
    return f"{wanted.name} (not finished)" if CheckState.PENDING in states else ""
