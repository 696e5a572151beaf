"""Is everything where it belongs, and does nothing tell of one machine? Looks at the tracked files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = {"bot", "commands", "policy", "deploy", "tests"}
FILES = {"Procfile", "pyproject.toml", "README.md", "Makefile", "CHANGELOG.md", "LICENSE"}

TELLTALES = {
    "a path of one machine": re.compile(r"(?<![\w.}/-])/(?:work|root|tmp|opt|home/\w+|Users/\w+)/\w"),
    "a place to fetch packages from": re.compile(
        r"--(?:extra-)?index-url[ =]\S|--find-links[ =]\S|/simple/?(?=[\s\"'])"
        r"|https?://[^\s\"']+\.(?:whl|tgz|tar\.gz)\b"
    ),
    "a private key": re.compile(r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\s*\n?[A-Za-z0-9+/]{40}"),
    "a Slack token": re.compile(r"\bxox[abp]-\d{6,}-\d{6,}-\w{16,}"),
}
CONTAINERS = {"Dockerfile"}
"""Here absolute paths are those of the container."""


def tracked() -> list[Path]:
    """Tracked files that are still there, relative to the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(one) for one in listed.split("\0") if one and (ROOT / one).is_file()]


def misplaced(path: Path) -> bool:
    """True where the top level should not have this."""
    top = path.parts[0]
    if top.startswith(".") or top in FOLDERS:
        return False
    return len(path.parts) > 1 or not (top in FILES or re.fullmatch(r"requirements[\w-]*\.lock", top))


def telltales(path: Path) -> list[str]:
    """What this file tells that it should not."""
    try:
        text = (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return []
    return [
        f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {what}: {found.group()}"
        for what, pattern in TELLTALES.items()
        if not (path.name in CONTAINERS and what == "a path of one machine")
        for found in pattern.finditer(text)
    ]


def main() -> int:
    """0 where all is well, else 1 with every complaint."""
    if not (ROOT / ".git").exists():
        print("no git here: tracked files cannot be told from others, nothing looked at")
        return 0
    files = tracked()
    found = [f"{path}: the top level is fixed, see README" for path in files if misplaced(path)]
    found += [line for path in files if path != Path(__file__).relative_to(ROOT) for line in telltales(path)]
    print(*found or [f"{len(files)} tracked files are where they belong"], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
