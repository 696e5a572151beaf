"""The local GitHub: one small server on real bare git repositories; it can be seeded, broken and looked at."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import os
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TextIO

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.sandbox.github import attestations, forks, git_http, moves, releases, serving, signing, webhooks, workflows
from bot.sandbox.github.call import Answer
from bot.sandbox.github.faults import Faults, fault_kinds
from bot.sandbox.github.git import NOTHING, Git, Signature
from bot.sandbox.github.postman import Hook
from bot.sandbox.github.pull_request import PullRequest
from bot.sandbox.github.records import (
    App,
    Artifact,
    Books,
    CheckRun,
    Clock,
    Deployment,
    DeploymentStatus,
    PackageVersion,
    Repository,
    Team,
    Token,
)
from bot.sandbox.github.rule_records import Protection, Ruleset
from bot.sandbox.github.rules import Move
from bot.sandbox.github.sigstore import Sigstore, Workflow, statement

EXCHANGES_KEPT = 20_000
RECORDED = "SANDBOX_GITHUB_EXCHANGES"
"""Names a folder: whoever wants to judge what is said finds it there, too, a line of JSON for each exchange."""
GRANTED = {
    "metadata": "read",
    "contents": "write",
    "checks": "write",
    "statuses": "write",
    "deployments": "write",
    "pull_requests": "write",
    "issues": "write",
}


class GitHubWorld:
    """The local GitHub. Repositories lie in `directory`; everything else lives as long as this object.

    `clock` is anything with `now()`: records, token lives and limits go by it.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._books = Books(clock)
        self._faults = Faults()
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self._postman: asyncio.Task[None] | None = None
        self.token = f"ghp_{secrets.token_hex(18)}"
        """A person's token that may do anything here."""
        self._books.tokens[self.token] = Token(self.token, self._books.owner)
        self.sigstore = Sigstore()
        """Whoever trusts its root believes what is attested here."""
        self.webhook_secret = secrets.token_hex(16)
        """What deliveries are signed with."""
        own = Ed25519PrivateKey.generate()
        self._books.signing_keys[signing.public_key(own)] = self._books.web_flow
        self._books.sign = functools.partial(signing.sign, own)
        self.exchanges: deque[dict[str, Any]] = deque(maxlen=EXCHANGES_KEPT)
        """What was said, in order: method, path, request, status, response; the last two absent where no JSON came."""
        self._record: TextIO | None = None

    # Life -----------------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        """It answers at `url`, on the loopback only."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._stopping.clear()
        if folder := os.environ.get(RECORDED):
            self._record = (Path(folder) / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl").open("w", buffering=1)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._postman = asyncio.create_task(self._deliver())
        chosen = self._runner.addresses[0][1]
        self._books.url = f"http://127.0.0.1:{chosen}"

    async def stop(self) -> None:
        self._stopping.set()
        if self._postman is not None:
            self._postman.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._postman
            self._postman = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._record is not None:
            self._record.close()
            self._record = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _deliver(self) -> None:
        async with aiohttp.ClientSession() as session:
            await self._books.postman.walk(session)

    @property
    def url(self) -> str:
        """Where the API answers, without a slash at the end."""
        return self._books.url

    @contextlib.contextmanager
    def off_the_record(self) -> Iterator[None]:
        """What is said meanwhile is not kept: nonsense on purpose, which nobody should judge by a description."""
        kept, record = self.exchanges, self._record
        self.exchanges, self._record = deque(maxlen=0), None
        try:
            yield
        finally:
            self.exchanges, self._record = kept, record

    # Faults ---------------------------------------------------------------------------------------------------------

    def fault_kinds(self) -> list[dict[str, str]]:
        """`kind` and what it `says`, of each fault there is."""
        return fault_kinds()

    def inject(self, kind: str, times: int = 1, **options: str | float) -> None:
        """The next `times` requests that fit go wrong so; ValueError for an unknown kind. See `faults.inject`."""
        self._faults.inject(kind, times, **options)

    def clear_faults(self) -> None:
        self._faults.clear()

    # Seeding --------------------------------------------------------------------------------------------------------

    async def create_repository(self, full_name: str, default_branch: str = "main") -> None:
        """An empty repository of that `owner/name`; one left on disk by an earlier world is gone."""
        owner, name = full_name.split("/")
        git = await Git.create(self._directory / owner / f"{name}.git", default_branch)
        repository = Repository(self._books.new_id(), owner, name, git, default_branch, self._books.now())
        self._books.repositories[full_name.lower()] = repository

    async def fork(self, full_name: str, new_name: str) -> None:
        """A copy of it, as it is in git, is there under that `owner/name` and can follow it."""
        owner, name = new_name.split("/")
        directory = self._directory / owner / f"{name}.git"
        made = await forks.copied(self._books, self.repository(full_name), directory, owner, name)
        self._books.repositories[new_name.lower()] = made

    def rename(self, full_name: str, new_name: str) -> None:
        """The repository has the other full name; whoever asks for the old one is sent on."""
        found = self._books.repositories.pop(full_name.lower())
        found.owner, found.name = new_name.split("/")
        self._books.repositories[new_name.lower()] = found
        self._books.renamed[full_name.lower()] = found

    def make_releases_immutable(self, repository: str) -> None:
        """Whatever is published there from now on never changes again."""
        self._books.repositories[repository.lower()].records.immutable_releases = True

    def hurry(self, points_a_minute: int | None) -> None:
        """The secondary limit of one token; None: none, as in the beginning."""
        self._books.points_a_minute = points_a_minute

    async def commit(
        self,
        repository: str,
        branch: str,
        message: str,
        files: Mapping[str, str | None],
        author: str,
        at: datetime,
        *,
        merging: Sequence[str] = (),
    ) -> str:
        """A new commit on that branch by that GitHub login; files given as None are removed; its id.

        With `merging` it has these commits as further parents.
        """
        signature = Signature(author, f"{author}@users.noreply.github.example", at)
        found, ref = self.repository(repository), f"refs/heads/{branch}"
        before = await found.git.ref(ref)
        made = await found.git.write(branch, message, files, signature, merging)
        await moves.noticed(self._books, found, Move(ref, before or NOTHING, made), author)
        return made

    def now(self) -> datetime:
        return self._books.now()

    async def head(self, repository: str, branch: str) -> str | None:
        """Where that branch stands; None: there is none."""
        return await self.repository(repository).git.ref(f"refs/heads/{branch}")

    async def holds(self, repository: str, commit: str, path: str) -> str:
        """What stands at that path, by the id of its object; empty: nothing."""
        found = await self.repository(repository).git.entry(commit, path)
        return "" if found is None else found[1]

    async def file(self, repository: str, commit: str, path: str) -> str | None:
        """What that file holds there; None: there is none."""
        git = self.repository(repository).git
        found = await git.entry(commit, path)
        return None if found is None else (await git.blob(found[1])).decode()

    async def tag(
        self,
        repository: str,
        name: str,
        sha: str,
        tagger: str,
        message: str,
        at: datetime,
        key: Ed25519PrivateKey | None = None,
    ) -> str:
        """An annotated tag of that commit by that login, signed where a key is given; the tag's object id."""
        who = Signature(tagger, f"{tagger}@users.noreply.github.example", at)
        text = f"object {sha}\ntype commit\ntag {name}\ntagger {who}\n\n{message}\n"
        text += signing.sign(key, text.encode()) if key else ""
        made = await self.repository(repository).git.write_object("tag", text.encode())
        await self.set_ref(repository, f"refs/tags/{name}", made)
        return made

    async def set_ref(self, repository: str, ref: str, sha: str) -> None:
        """The full ref stands there, whatever it was."""
        await self.repository(repository).git.run("update-ref", ref, sha)

    def set_check(
        self,
        repository: str,
        sha: str,
        name: str,
        conclusion: str | None,
        app: str = "GitHub Actions",
        *,
        at: datetime | None = None,
        suite: str = "",
        title: str | None = None,
    ) -> int:
        """A new run of that check; None: it is still running. `suite` names another suite than the app's first."""
        now = at or self._books.now()
        run = CheckRun(
            self._books.new_id(),
            self._books.suite(sha, f"{app} {suite}"),
            app,
            name,
            sha,
            "completed" if conclusion else "in_progress",
            conclusion,
            now,
            now if conclusion else None,
            title=title,
        )
        found = self.repository(repository)
        found.records.check_runs.append(run)
        webhooks.check_run(self._books, found, run, "completed" if conclusion else "created")
        return run.id

    def add_deployment(
        self,
        repository: str,
        sha: str,
        environment: str,
        payload: Any,  # noqa: ANN401 - JSON
        state: str,
        at: datetime,
        production: bool = False,  # noqa: FBT001, FBT002 - GitHub's own flag
    ) -> int:
        """A deployment with one status of that state (empty: none yet), both made `at`; its id."""
        books, found = self._books, self.repository(repository)
        made = Deployment(
            books.new_id(),
            sha,
            sha,
            "deploy",
            environment,
            payload,
            None,
            transient=False,
            production=production,
            creator="release-bot",
            created_at=at,
            updated_at=at,
        )
        if state:
            made.statuses.append(DeploymentStatus(books.new_id(), state, "", "", "", environment, "release-bot", at))
        found.records.deployments.append(made)
        return made.id

    def add_pull_request(
        self,
        repository: str,
        title: str,
        ends: tuple[str, str],
        author: str,
        commits: tuple[str, str, str],
        at: datetime,
    ) -> int:
        """One that was merged then. `ends`: source and target; `commits`: its head, its base, what it became."""
        found, (source, target), (head, base, made) = self.repository(repository), ends, commits
        number = len(found.records.pulls) + 1
        pull = PullRequest(
            self._books.new_id(),
            number,
            title,
            "",
            source,
            target,
            author,
            draft=False,
            created_at=at,
            updated_at=at,
            head_sha=head,
            base_sha=base,
            pushed_by=author,
        )
        pull.state, pull.merge_sha, pull.merged_by = "closed", made, author
        pull.merged_at = pull.closed_at = at
        found.records.pulls.append(pull)
        return number

    def protect(self, repository: str, branch: str, checks: Sequence[str]) -> None:
        """That branch moves only by pull requests that passed these checks, for administrators too."""
        required = {"strict": False, "checks": [{"context": name, "app_id": None} for name in checks]}
        said = {
            "required_status_checks": required if checks else None,
            "required_pull_request_reviews": {"required_approving_review_count": 0},
            "enforce_admins": True,
            "restrictions": None,
            "allow_force_pushes": False,
            "allow_deletions": False,
        }
        made = Protection(self._books.new_id(), branch, said)
        self.repository(repository).records.protections[branch] = made

    def watch(self, moved: Callable[[str, str, str], Awaitable[None]]) -> None:
        """That is called after each move of a branch: repository, branch, where it stands now."""

        async def told(repository: Repository, branch: str, stands: str) -> None:
            await moved(repository.full_name, branch, stands)

        self._books.watching.append(told)

    def tokens_of(self) -> dict[str, str]:
        """Login → a token of that person; the newest, where there are several."""
        return {token.login: token.text for token in self._books.tokens.values() if token.app is None}

    def register_app(
        self,
        app_id: int,
        public_key_pem: str,
        installation_id: int,
        *,
        name: str = "Release Bot",
        permissions: Mapping[str, str] | None = None,
    ) -> None:
        """That app exists and is installed on every repository, with these permissions."""
        granted = dict(GRANTED if permissions is None else permissions)
        self._books.apps[app_id] = App(app_id, name, public_key_pem, installation_id, granted, self._books.now())

    def admit(self, login: str, role: str = "write", *, repository: str = "") -> str:
        """That person has this role (everywhere, or in one repository), and a token of their own: this one."""
        roles = self.repository(repository).roles if repository else self._books.roles
        roles[login] = role
        token = f"ghp_{secrets.token_hex(18)}"
        self._books.tokens[token] = Token(token, login)
        return token

    def form_team(self, organisation: str, slug: str, members: Sequence[str], role: str = "write") -> int:
        """The team exists with these members; its id."""
        team = Team(organisation, slug, tuple(members), role)
        self._books.teams[organisation, slug] = team
        return team.id

    def know_key(self, login: str, public_key: str) -> None:
        """What that OpenSSH key (as in `authorized_keys`) signs is verified as theirs."""
        self._books.signing_keys[" ".join(public_key.split()[:2])] = login

    def rule_from_above(
        self, repository: str, name: str, rules: Sequence[dict[str, Any]], include: Sequence[str] = ("~DEFAULT_BRANCH",)
    ) -> int:
        """The organisation has this active ruleset, which the repository cannot change; its id."""
        conditions = {"ref_name": {"include": list(include), "exclude": []}}
        id, now = self._books.new_id(), self._books.now()
        made = Ruleset(id, name, "branch", "active", [], conditions, list(rules), now, now, "Organization")
        self.repository(repository).records.rulesets.append(made)
        return id

    async def run_workflow(
        self, repository: str, workflow: str, branch: str, conclusion: str = "", by: str = "", title: str = ""
    ) -> int:
        """A run of that workflow file, begun by a push, or with a title by somebody who chose its inputs; its id.

        It goes on where no conclusion is given.
        """
        found, books = self.repository(repository), self._books
        sha = await found.git.commit_of(branch) or NOTHING
        event = "workflow_dispatch" if title else "push"
        made = workflows.begin(books, found, workflow, branch, sha, event, by or books.owner)
        made.title = title
        if conclusion:
            self.end_workflow(repository, made.id, conclusion)
        return made.id

    def leave_artifact(self, repository: str, run: int, name: str, content: bytes) -> int:
        """That run of a workflow left it behind; its id."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        made = Artifact(self._books.new_id(), run, name, len(content), digest, self._books.now())
        self.repository(repository).records.artifacts.append(made)
        return made.id

    def publish(self, organisation: str, name: str, digest: str, *tags: str) -> int:
        """That image lies in the organisation's registry; its version's id. A tag names only one of them."""
        known = self._books.packages.setdefault((organisation, "container", name), [])
        known[:] = [replace(one, tags=tuple(tag for tag in one.tags if tag not in tags)) for one in known]
        known.append(PackageVersion(self._books.new_id(), digest, tags, self._books.now()))
        return known[-1].id

    def end_workflow(self, repository: str, run: int, conclusion: str) -> None:
        """That run has ended so."""
        made = next(one for one in self.repository(repository).records.workflow_runs if one.id == run)
        made.status, made.conclusion, made.updated_at = "completed", conclusion, self._books.now()

    def attest(self, repository: str, bundle: Mapping[str, Any], digest: str = "") -> int:
        """That bundle is handed out for its subjects, or for that digest instead; its id."""
        found = self.repository(repository)
        return attestations.keep(self._books, found, dict(bundle), (digest,) if digest else ()).id

    def vouch(
        self, repository: str, digest: str, commit: str, builder: str, kinds: Sequence[str], at: datetime
    ) -> None:
        """That workflow built that artifact from that commit, and stated something of each of these kinds about it."""
        by = Workflow(builder, f"https://github.com/{repository}", commit)
        for kind in kinds:
            self.attest(repository, self.sigstore.attest(statement(digest, kind), by, at))

    def tell(self, url: str, *events: str) -> None:
        """Events (all, where none are named) are delivered there, signed with `webhook_secret`."""
        self._books.postman.hooks.append(Hook(url, self.webhook_secret, frozenset(events)))

    async def all_told(self) -> list[tuple[str, int]]:
        """Every delivery was tried; id and status of each (0: no answer), oldest first."""
        await self._books.postman.waiting.join()
        return list(self._books.postman.done)

    def think_for(self, reads: int) -> None:
        """So many reads of a pull request find its mergeability unknown."""
        self._books.unknown_reads = reads

    # Looking --------------------------------------------------------------------------------------------------------

    def repository(self, full_name: str) -> Repository:
        """The repository itself; KeyError where there is none."""
        return self._books.repositories[full_name.lower()]

    def address(self, full_name: str, token: str = "") -> str:
        """Where git finds that repository, with a token of somebody's or one that may do anything."""
        return f"{self.url.replace('://', f'://x-access-token:{token or self.token}@')}/{full_name}.git"

    async def snapshot(self) -> dict[str, Any]:
        """The truth, by repository: refs, releases, pull requests and deployments with their statuses, oldest first."""
        return {found.full_name: await _seen(found) for found in self._books.repositories.values()}

    def tokens(self) -> list[Token]:
        """Every token given out to an installation, oldest first."""
        return [token for token in self._books.tokens.values() if token.app is not None]

    # Serving --------------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if request.path.startswith("/bundles/"):
            return self._bundle(request)
        if git_http.is_git(request.path):
            return await git_http.answer(self._books, request, raw)
        path = serving.canonical(self._books, request.raw_path.removeprefix(serving.UPLOADS))
        exchange: dict[str, Any] = {"method": request.method, "path": path, "request": serving.json_of(raw)}
        self.exchanges.append(exchange)
        record = self._record
        try:
            return await self._answered(request, raw, exchange)
        finally:
            if record is not None and not record.closed:
                record.write(json.dumps(exchange) + "\n")

    async def _answered(self, request: web.Request, raw: bytes, exchange: dict[str, Any]) -> web.StreamResponse:
        fault = self._faults.take(request.method, request.path)
        answer = await serving.answer(self._books, request, raw, fault)
        kind = fault.kind.name if fault else ""
        if kind == "dropped" and request.transport is not None:
            request.transport.abort()
            return web.Response()
        if kind == "stall" and fault is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), fault.seconds)
        if kind == "bad_gateway_after":
            answer = Answer(502)
        if answer.raw is None:
            exchange["status"], exchange["response"] = answer.status, answer.body
        headers = {"X-GitHub-Media-Type": "github.v3; format=json", **answer.headers}
        if answer.status == 502:
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        if answer.raw is not None:
            return web.Response(body=answer.raw, headers=headers, content_type="application/octet-stream")
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        return web.json_response(answer.body, status=answer.status, headers=headers)

    def _bundle(self, request: web.Request) -> web.Response:
        """No part of the API: a store that knows its own addresses, and refuses whoever shows it a token."""
        content = attestations.bundle_at(self._books, request.path)
        if content is None or "Authorization" in request.headers:
            return web.Response(status=404 if content is None else 400)
        return web.Response(body=content, content_type="application/x-snappy")


async def _seen(repository: Repository) -> dict[str, Any]:
    records = repository.records
    return {
        "refs": await repository.git.refs(),
        "releases": [
            {
                "id": made.id,
                "tag": made.tag,
                "name": made.name,
                "body": made.body,
                "draft": made.draft,
                "latest": made is releases.newest(repository),
                "assets": {asset.name: asset.content.decode(errors="replace") for asset in made.assets},
            }
            for made in records.releases
        ],
        "pulls": [
            {
                "number": pull.number,
                "title": pull.title,
                "head": pull.head,
                "base": pull.base,
                "state": "merged" if pull.merged else pull.state,
                "head_sha": pull.head_sha,
                "merge_sha": pull.merge_sha if pull.merged else None,
            }
            for pull in records.pulls
        ],
        "deployments": [
            {
                "id": made.id,
                "sha": made.sha,
                "environment": made.environment,
                "payload": made.payload,
                "statuses": [
                    {"state": status.state, "description": status.description, "at": status.at.isoformat()}
                    for status in made.statuses
                ],
            }
            for made in records.deployments
        ],
    }
