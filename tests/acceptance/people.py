"""What do people do on GitHub besides the bot? They write, open pull requests, review and merge, each with their token."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.client import Sandbox


@dataclass(frozen=True)
class People:
    """Everybody who has an account there, in one repository."""

    url: str
    tokens: dict[str, str]
    repository: str

    @classmethod
    def of(cls, box: Sandbox, repository: str) -> People:
        said = box.get("/api/github")
        return cls(said["url"], said["tokens"], repository)

    def does(self, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What GitHub answers to that person."""
        headers = {"Authorization": f"token {self.tokens[f'{who}-gh']}", "Accept": "application/vnd.github+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/repos/{self.repository}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error

    def stands(self, branch: str) -> str:
        return str(self.does("maya", "GET", f"/git/ref/heads/{branch}")["object"]["sha"])

    def writes(self, who: str, branch: str, title: str, files: dict[str, str]) -> None:
        """A branch of their own, from Dev, with these files."""
        self.does(who, "POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": self.stands("Dev")})
        self.pushes(who, branch, title, files)

    def pushes(self, who: str, branch: str, title: str, files: dict[str, str]) -> str:
        """Where that branch stands with these files, a commit for each."""
        for path, text in files.items():
            body = {"message": title, "content": base64.b64encode(text.encode()).decode(), "branch": branch}
            there = self.does(who, "GET", f"/contents/{path.partition('/')[0]}?ref={branch}")
            before = next((one["sha"] for one in there if one["path"] == path), None)
            self.does(who, "PUT", f"/contents/{path}", body | ({"sha": before} if before else {}))
        return self.stands(branch)

    def proposes(self, who: str, branch: str, to: str, title: str) -> int:
        return int(self.does(who, "POST", "/pulls", {"title": title, "head": branch, "base": to})["number"])

    def merges(self, who: str, number: int) -> str:
        """Reviewed by them, and merged with a merge commit."""
        head = self.does(who, "GET", f"/pulls/{number}")["head"]["sha"]
        self.does(who, "POST", f"/pulls/{number}/reviews", {"event": "APPROVE", "commit_id": head})
        return str(self.does(who, "PUT", f"/pulls/{number}/merge", {"merge_method": "merge", "sha": head})["sha"])

    def brings(self, who: str, branch: str, title: str, files: dict[str, str], by: str) -> str:
        """Where Dev stands once that was written by one and merged by another."""
        self.writes(who, branch, title, files)
        return self.merges(by, self.proposes(who, branch, "Dev", title))

    def reverts_the_revert(self, who: str, to: str, merge: str, revert: str, by: str) -> str:
        """Where that branch stands once it holds again what the merge had brought, as `git revert` of the revert would."""
        tree = self.does(who, "GET", f"/git/commits/{merge}")["tree"]["sha"]
        stands = self.stands(to)
        message = f"Reapply it\n\nThis reverts commit {revert}."
        made = self.does(who, "POST", "/git/commits", {"message": message, "tree": tree, "parents": [stands]})["sha"]
        self.does(who, "POST", "/git/refs", {"ref": "refs/heads/reapply", "sha": made})
        return self.merges(by, self.proposes(who, "reapply", to, "Reapply it"))

    def open_ones(self, to: str) -> list[dict[str, Any]]:
        return list(self.does("maya", "GET", f"/pulls?state=open&base={to}"))


@dataclass(frozen=True)
class Graph:
    """What git itself says of a bare repository."""

    directory: Path

    @classmethod
    def of(cls, data: Path, repository: str) -> Graph:
        return cls(data / "github" / f"{repository}.git")

    def says(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.directory), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def stands(self, branch: str) -> str:
        return self.says("rev-parse", f"refs/heads/{branch}")

    def parents(self, commit: str) -> list[str]:
        return self.says("rev-list", "--parents", "-n", "1", commit).split()[1:]

    def tree(self, commit: str) -> str:
        return self.says("rev-parse", f"{commit}^{{tree}}")

    def message(self, commit: str) -> str:
        return self.says("log", "-1", "--format=%B", commit)
