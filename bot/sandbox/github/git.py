"""What do git's own tools say about one bare repository? Plumbing only, each question one short process."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
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

    def __str__(self) -> str:
        """As git writes it."""
        return f"{self.name} <{self.email}> {int(self.at.timestamp())} +0000"


_NOBODY = Signature("nobody", "nobody@github.example", datetime(2020, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as git keeps it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    raw: str
    """The whole object."""


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree."""

    path: str
    mode: str
    kind: str
    sha: str
    size: int | None
    """Bytes of a file."""


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag."""

    name: str
    target: str
    kind: str
    """Of the target."""
    tagger: Signature
    message: str
    """With its signature, where it has one."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one file between two commits."""

    path: str
    status: str
    """`added`, `removed`, `modified` or `renamed`."""
    plus: int
    minus: int
    """Lines."""
    blob: str | None
    """What stands there now."""
    before: str = ""
    """Its name before it was renamed."""


_STATUS = {"A": "added", "D": "removed", "R": "renamed", "C": "copied"}


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

    async def run(
        self, *arguments: str, given: bytes = b"", ok: Sequence[int] = (0,), index: str = ""
    ) -> tuple[int, str]:
        """Exit code and standard output; GitFailed for a code that is not in `ok`."""
        async with self._room:
            process = await asyncio.create_subprocess_exec(
                "git",
                *arguments,
                cwd=self.directory,
                env=_ENVIRONMENT | ({"GIT_INDEX_FILE": index} if index else {}),
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
        if sha.startswith("-"):
            return None
        code, out = await self.run("cat-file", "-t", sha, ok=(0, 128))
        return out.strip() if code == 0 else None

    async def well_named(self, ref: str) -> bool:
        code, _ = await self.run("check-ref-format", ref, ok=(0, 1))
        return code == 0

    async def swap(self, ref: str, new: str, old: str) -> bool:
        """Compare and swap: True where the ref was `old` (NOTHING: absent) and is now `new` (NOTHING: deleted)."""
        return await self.swap_all([(ref, new, old)])

    async def swap_all(self, swaps: Sequence[tuple[str, str, str]]) -> bool:
        """The same for several refs (ref, new, old), all or none."""
        lines = [
            f"delete {ref}\0{old}\0" if new == NOTHING else f"update {ref}\0{new}\0{old}\0" for ref, new, old in swaps
        ]
        code, _ = await self.run("update-ref", "-z", "--stdin", given="".join(lines).encode(), ok=(0, 1, 128))
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
        _, out = await self.run("cat-file", "--batch", given="\n".join(shas).encode())
        data, found = out.encode(errors="surrogateescape"), []
        while data:
            line, _, data = data.partition(b"\n")
            sha, _, size = line.decode().split(" ")
            found.append(_commit(sha, data[: int(size)].decode(errors="surrogateescape")))
            data = data[int(size) + 1 :]
        return found

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

    async def changed_files(self, older: str, newer: str) -> list[Change]:
        """Each file that differs, a moved one once."""
        (_, numbers), (_, states) = await asyncio.gather(
            self.run("diff-tree", "-r", "-z", "--find-renames", "--numstat", older, newer),
            self.run("diff-tree", "-r", "-z", "--find-renames", "--raw", "--no-abbrev", older, newer),
        )
        words, lines, changes = iter(states.split("\0")), iter(numbers.split("\0")), []
        for header in words:
            if not header:
                continue
            _, _, _, blob, letter = header.split(" ")
            path, before = next(words), ""
            if letter[0] in "RC":
                before, path = path, next(words)
            plus, minus, rest = next(lines).split("\t", 2)
            if not rest:  # a moved file: both names follow, each for itself
                next(lines), next(lines)
            status = _STATUS.get(letter[0], "modified")
            changes.append(Change(path, status, _lines(plus), _lines(minus), None if letter == "D" else blob, before))
        return changes

    async def entry(self, commit: str, path: str) -> tuple[str, str] | None:
        """(kind, object id) of what stands at that path, None where nothing does."""
        _, out = await self.run("ls-tree", "-z", commit, "--", path)
        if not out:
            return None
        _mode, kind, sha = out.split("\t", 1)[0].split()
        return kind, sha

    async def mode(self, commit: str, path: str) -> str | None:
        """The file mode of what stands at that path."""
        _, out = await self.run("ls-tree", "-z", commit, "--", path)
        return out.split(" ", 1)[0] if out else None

    async def entries(self, tree: str, *, deep: bool) -> list[Entry]:
        """What lies in a tree, with all below it where `deep`."""
        _, out = await self.run("ls-tree", "-z", "-l", *(["-r", "-t"] if deep else []), tree)
        found = []
        for line in filter(None, out.split("\0")):
            head, path = line.split("\t", 1)
            mode, kind, sha, size = head.split()
            found.append(Entry(path, mode, kind, sha, None if size == "-" else int(size)))
        return found

    async def tag(self, sha: str) -> Tag:
        head, _, message = (await self.read_object("tag", sha)).decode(errors="replace").partition("\n\n")
        said = dict(line.partition(" ")[::2] for line in head.split("\n"))
        return Tag(said["tag"], said["object"], said["type"], _signature(said["tagger"]), message.rstrip("\n"))

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
        text = message.encode()
        stream = [
            f"commit refs/heads/{branch}\nmark :1\nauthor {author}\ncommitter {author}\n".encode(),
            f"data {len(text)}\n".encode(),
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

    async def tree_of(self, commit: str) -> str:
        _, out = await self.run("rev-parse", "--verify", f"{commit}^{{tree}}")
        return out.strip()

    async def merged_tree(self, ours: str, theirs: str, base: str = "") -> str | None:
        """The tree that git's own three-way merge makes, None where they conflict. `base`: instead of their own."""
        if base:
            # git 2.39 knows no --merge-base: three commits that nobody keeps have the wanted one.
            below = await self.commit_tree(await self.tree_of(base), (), "base", _NOBODY)
            ours = await self.commit_tree(await self.tree_of(ours), (below,), "ours", _NOBODY)
            theirs = await self.commit_tree(await self.tree_of(theirs), (below,), "theirs", _NOBODY)
        code, out = await self.run("merge-tree", "--write-tree", "--allow-unrelated-histories", ours, theirs, ok=(0, 1))
        return None if code else out.splitlines()[0]

    async def tree_with(self, base: str | None, changes: Mapping[str, tuple[str, str] | None]) -> str:
        """That tree with these paths changed to (mode, object id), or without them where None."""
        index = self.directory / f"index-{uuid.uuid4()}"
        try:
            if base:
                await self.run("read-tree", base, index=str(index))
            lines = [
                f"0 {NOTHING}\t{path}" if change is None else f"{change[0]} {change[1]}\t{path}"
                for path, change in changes.items()
            ]
            files = [line for line in lines if not line.startswith("040000 ")]
            given = "".join(f"{line}\0" for line in files).encode()
            await self.run("update-index", "-z", "--index-info", given=given, index=str(index))
            for path, change in changes.items():
                if change is not None and change[0] == "040000":
                    await self.run("read-tree", f"--prefix={path}/", change[1], index=str(index))
            _, out = await self.run("write-tree", index=str(index))
        finally:
            index.unlink(missing_ok=True)
        return out.strip()

    async def commit_tree(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: Signature,
        committer: Signature | None = None,
        sign: Callable[[bytes], str] | None = None,
    ) -> str:
        """A commit of that tree, on no branch yet; with `sign` it carries that signature of itself."""
        head = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        head += [f"author {author}", f"committer {committer or author}"]
        text = f"\n\n{message}" + ("" if message.endswith("\n") else "\n")
        if sign is not None:
            signature = sign(("\n".join(head) + text).encode())
            head.append("gpgsig " + signature.strip().replace("\n", "\n "))
        return await self.write_object("commit", ("\n".join(head) + text).encode())

    async def write_object(self, kind: str, content: bytes) -> str:
        _, sha = await self.run("hash-object", "-t", kind, "-w", "--stdin", given=content)
        return sha.strip()

    async def read_object(self, kind: str, sha: str) -> bytes:
        _, out = await self.run("cat-file", kind, sha)
        return out.encode(errors="surrogateescape")

    async def merge(
        self,
        ours: str,
        theirs: str,
        message: str,
        author: Signature,
        sign: Callable[[bytes], str] | None = None,
    ) -> str | None:
        """A commit with both parents and their merged tree, on no branch yet; None where they conflict."""
        tree = await self.merged_tree(ours, theirs)
        return tree and await self.commit_tree(tree, (ours, theirs), message, author, sign=sign)

    async def squash(
        self,
        ours: str,
        theirs: str,
        message: str,
        author: Signature,
        sign: Callable[[bytes], str] | None = None,
    ) -> str | None:
        """All of theirs as one commit on ours; None where they conflict."""
        tree = await self.merged_tree(ours, theirs)
        return tree and await self.commit_tree(tree, (ours,), message, author, sign=sign)

    async def rebase(self, ours: str, theirs: str, committer: Signature) -> str | None:
        """Each commit that only theirs has, picked onto ours in order, merges left out; None where one conflicts."""
        _, out = await self.run("rev-list", "--reverse", "--topo-order", "--no-merges", f"{ours}..{theirs}")
        for made in await self.commits(*out.split()):
            tree = await self.merged_tree(ours, made.sha, made.parents[0] if made.parents else made.sha)
            if tree is None:
                return None
            ours = await self.commit_tree(tree, (ours,), made.message, made.author, committer)
        return ours


def _lines(count: str) -> int:
    return 0 if count == "-" else int(count)  # "-": a binary file


def _commit(sha: str, raw: str) -> Commit:
    head, _, message = raw.partition("\n\n")
    lines = [line.partition(" ")[::2] for line in head.split("\n")]
    said = dict(reversed(lines))
    parents = tuple(value for name, value in lines if name == "parent")
    author, committer = _signature(said["author"]), _signature(said["committer"])
    return Commit(sha, said["tree"], parents, author, committer, message.rstrip("\n"), raw)


def _signature(text: str) -> Signature:
    name, _, rest = text.partition(" <")
    email, _, when = rest.rpartition("> ")
    return Signature(name, email, datetime.fromtimestamp(int(when.split(" ")[0]), UTC))
