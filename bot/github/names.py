"""How is something of GitHub's named in an address? So that no name leads out of its repository."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from commands.errors import Rejected
from policy.model import Sha, sha

_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/(?!\.\.?$)[A-Za-z0-9._-]+")
# https://git-scm.com/docs/git-check-ref-format
_REF = re.compile(
    r"(?!.*(\.\.|//|@\{|\\|[\x00-\x20~^:?*\[\x7f]))(?!/)(?!.*(/|\.lock|\.)$)(?!.*(/\.|\.lock/))[^-.].*", re.DOTALL
)


def url(repository: str, path: str, query: Mapping[str, str]) -> str:
    """The address below that repository."""
    if not _REPOSITORY.fullmatch(repository):
        raise Rejected(f"{repository[:80]} is not the name of a repository.")
    return f"/repos/{repository}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")


def part(text: str) -> str:
    """The text as one part of a path, whatever is in it."""
    if text in {"", ".", ".."}:
        raise Rejected(f"{text!r} is not the name of anything on GitHub.")
    return urllib.parse.quote(text, safe="")


def ref_path(name: str) -> str:
    """A branch's or tag's name as parts of a path; the slashes in it stay."""
    if not _REF.fullmatch(name):
        raise Rejected(f"{name[:80]} is not the name of a branch or tag.")
    return "/".join(map(part, name.split("/")))


def file_path(name: str) -> str:
    """A file's name as parts of a path."""
    return "/".join(map(part, name.split("/")))


def full(commit: Sha) -> str:
    """A branch or a short commit could mean something else tomorrow: only the full id is sent."""
    try:
        return sha(commit)
    except ValueError as error:
        raise Rejected(f"{commit[:80]} is not a full commit id.") from error
