"""What do git's own tools say about one bare repository? Plumbing only, each question one short process."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

NOTHING = "0" * 40
"""Git's own way to say that a ref has no value."""

# The person's own settings must not change what the world does.
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}


class GitFailed(Exception):
    """Git ended with another exit code than those expected."""

    def __init__(self, arguments: Sequence[str], code: int, error: str) -> None:
        super().__init__(f"git {' '.join(arguments)} ended with {code}: {error.strip()[:500]}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Signature:
    """Who wrote or committed, and when."""

    name: str
    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as git keeps it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True, slots=True)
class Between:
    """How two commits stand to each other."""

    ahead: int
    """Commits that only the head has."""
    behind: int
    """Commits that only the base has."""
    merge_base: str
    commits: tuple[str, ...]
    """Those that only the head has, oldest first."""

    @property
    def status(self) -> str:
        if self.ahead and self.behind:
            return "diverged"
        if self.ahead:
            return "ahead"
        return "behind" if self.behind else "identical"


class Git:
    """One bare repository."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._room = asyncio.Semaphore(8)

    @classmethod
    async def create(cls, directory: Path, default_branch: str) -> Git:
        """A new, empty repository stands there; one left over from an earlier world is gone."""
        if directory.exists():
            await asyncio.to_thread(shutil.rmtree, directory)
        await asyncio.to_thread(directory.mkdir, parents=True)
        git = cls(directory)
        await git.run("init", "--quiet", "--bare", f"--initial-branch={default_branch}")
        return git

    async def run(self, *arguments: str, given: bytes = b"", ok: Sequence[int] = (0,)) -> tuple[int, str]:
        """Exit code and standard output; GitFailed for a code that is not in `ok`."""
        async with self._room:
            process = await asyncio.create_subprocess_exec(
                "git",
                *arguments,
                cwd=self.directory,
                env=_ENVIRONMENT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, error = await process.communicate(given)
        code = process.returncode or 0
        if code not in ok:
            raise GitFailed(arguments, code, error.decode(errors="replace"))
        return code, out.decode(errors="surrogateescape")

    # Refs -----------------------------------------------------------------------------------------------------------

    async def refs(self, beginning: str = "refs/") -> dict[str, str]:
        """Value of every ref whose full name begins so, by name."""
        _, out = await self.run("for-each-ref", "--format=%(refname) %(objectname)")
        pairs = (line.split(" ", 1) for line in out.splitlines())
        return {name: value for name, value in pairs if name.startswith(beginning)}

    async def ref(self, name: str) -> str | None:
        """Value of exactly this ref, None where there is none."""
        code, out = await self.run("show-ref", "--verify", "--hash", name, ok=(0, 1, 128))
        return out.strip() if code == 0 else None

    async def kind(self, sha: str) -> str | None:
        """`commit`, `tag`, `tree` or `blob`; None where there is no such object."""
        code, out = await self.run("cat-file", "-t", sha, ok=(0, 128))
        return out.strip() if code == 0 else None

    async def well_named(self, ref: str) -> bool:
        code, _ = await self.run("check-ref-format", ref, ok=(0, 1))
        return code == 0

    async def swap(self, ref: str, new: str, old: str) -> bool:
        """Compare and swap: True where the ref was `old` (NOTHING: absent) and is now `new` (NOTHING: deleted)."""
        arguments = ("-d", ref, old) if new == NOTHING else (ref, new, old)
        code, _ = await self.run("update-ref", *arguments, ok=(0, 1, 128))
        return code == 0

    # History --------------------------------------------------------------------------------------------------------

    async def commit_of(self, name: str) -> str | None:
        """The commit that a branch, a tag, a full ref or a commit id stands for; None where there is none."""
        if not name or name.startswith("-") or ".." in name or any(mark in name for mark in "^~:@{ "):
            return None
        for tried in (f"refs/heads/{name}", f"refs/tags/{name}", name):
            code, out = await self.run(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{tried}^{{commit}}", ok=(0, 1, 128)
            )
            if code == 0:
                return out.split()[-1]
        return None

    async def commits(self, *shas: str) -> list[Commit]:
        """These commits, in the order asked."""
        if not shas:
            return []
        fields = "%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%cn%x1f%ce%x1f%ct%x1f%B"
        _, out = await self.run(
            "log", "-z", "--no-walk=unsorted", f"--format={fields}", "--stdin", given="\n".join(shas).encode()
        )
        found = {commit.sha: commit for commit in map(_commit, out.rstrip("\0").split("\0"))}
        return [found[sha] for sha in shas]

    async def history(self, start: str, *narrow: str) -> list[str]:
        """Commits reachable from `start`, newest first."""
        _, out = await self.run("rev-list", "--date-order", start, *narrow)
        return out.split()

    async def between(self, base: str, head: str) -> Between | None:
        """How head stands to base; None where they share no history."""
        code, merge_base = await self.run("merge-base", base, head, ok=(0, 1))
        if code:
            return None
        _, counts = await self.run("rev-list", "--left-right", "--count", f"{base}...{head}")
        behind, ahead = (int(count) for count in counts.split())
        _, only = await self.run("rev-list", "--reverse", "--topo-order", f"{base}..{head}")
        return Between(ahead, behind, merge_base.strip(), tuple(only.split()))

    async def contains(self, newer: str, older: str) -> bool:
        """True where `older` is `newer` or one of its ancestors: moving from older to newer is a fast forward."""
        code, _ = await self.run("merge-base", "--is-ancestor", older, newer, ok=(0, 1))
        return code == 0

    async def changed_files(self, older: str, newer: str) -> list[tuple[str, str, int, int]]:
        """(path, `added` | `removed` | `modified`, lines added, lines deleted) of each file that differs."""
        (_, numbers), (_, states) = await asyncio.gather(
            self.run("diff-tree", "-r", "-z", "--no-renames", "--numstat", older, newer),
            self.run("diff-tree", "-r", "-z", "--no-renames", "--name-status", older, newer),
        )
        words = states.rstrip("\0").split("\0") if states else []
        status = dict(zip(words[1::2], words[0::2], strict=True))
        known = {"A": "added", "D": "removed"}
        files = []
        for line in filter(None, numbers.split("\0")):
            plus, minus, path = line.split("\t", 2)
            files.append((path, known.get(status[path], "modified"), _lines(plus), _lines(minus)))
        return files

    async def entry(self, commit: str, path: str) -> tuple[str, str] | None:
        """(kind, object id) of what stands at that path, None where nothing does."""
        _, out = await self.run("ls-tree", "-z", commit, "--", path)
        if not out:
            return None
        _mode, kind, sha = out.split("\t", 1)[0].split()
        return kind, sha

    async def blob(self, sha: str) -> bytes:
        _, out = await self.run("cat-file", "blob", sha)
        return out.encode(errors="surrogateescape")

    # Writing --------------------------------------------------------------------------------------------------------

    async def write(
        self,
        branch: str,
        message: str,
        files: Mapping[str, str | None],
        author: Signature,
        merging: Sequence[str] = (),
    ) -> str:
        """A new commit on top of the branch (or its first); a file given as None is removed; the commit's id."""
        tip = await self.ref(f"refs/heads/{branch}")
        who = f"{author.name} <{author.email}> {int(author.at.timestamp())} +0000"
        text = message.encode()
        stream = [
            f"commit refs/heads/{branch}\nmark :1\nauthor {who}\ncommitter {who}\ndata {len(text)}\n".encode(),
            text,
        ]
        stream.append(f"\nfrom {tip}\n".encode() if tip else b"\n")
        stream += [f"merge {parent}\n".encode() for parent in merging]
        for path, content in files.items():
            if content is None:
                stream.append(f'D "{path}"\n'.encode())
                continue
            data = content.encode()
            stream += [f'M 100644 inline "{path}"\ndata {len(data)}\n'.encode(), data, b"\n"]
        stream.append(b"\nget-mark :1\ndone\n")
        _, out = await self.run("fast-import", "--quiet", "--done", given=b"".join(stream))
        return out.strip()

    async def merge(self, ours: str, theirs: str, message: str, author: Signature) -> str | None:
        """A commit with both parents and their merged tree, on no branch yet; None where they conflict."""
        code, out = await self.run("merge-tree", "--write-tree", ours, theirs, ok=(0, 1))
        if code:
            return None
        when = f"{int(author.at.timestamp())} +0000"
        who = f"{author.name} <{author.email}> {when}"
        body = (
            f"tree {out.splitlines()[0]}\nparent {ours}\nparent {theirs}\nauthor {who}\ncommitter {who}\n\n{message}\n"
        )
        _, sha = await self.run("hash-object", "-t", "commit", "-w", "--stdin", given=body.encode())
        return sha.strip()


def _lines(count: str) -> int:
    return 0 if count == "-" else int(count)  # "-": a binary file


def _commit(record: str) -> Commit:
    sha, tree, parents, an, ae, at, cn, ce, ct, message = record.split("\x1f", 9)
    return Commit(
        sha,
        tree,
        tuple(parents.split()),
        Signature(an, ae, datetime.fromtimestamp(int(at), UTC)),
        Signature(cn, ce, datetime.fromtimestamp(int(ct), UTC)),
        message.rstrip("\n"),
    )
