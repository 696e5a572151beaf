"""Do the lock files say what pyproject.toml asks for?

Resolves anew with the locked versions preferred, and compares names and versions. Where nothing can be resolved
(offline), it still holds each requirement of pyproject.toml against its pin.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<marker> ;[^\\\n]*)?", re.MULTILINE)

SHIPPED = ("--extra", "attestations")
LOCKS = {"requirements.lock": SHIPPED, "requirements-dev.lock": (*SHIPPED, "--extra", "dev")}
"""Lock file: what else is told to uv, as in the Makefile."""


def pins(lock: Path) -> dict[str, str]:
    """Name: version and marker."""
    found = PIN.finditer(lock.read_text("utf-8"))
    return {canonicalize_name(one["name"]): one["version"] + (one["marker"] or "").rstrip() for one in found}


def resolved(lock: Path, extra: tuple[str, ...]) -> dict[str, str] | str:
    """What uv would lock now, or the end of what it said instead."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(lock, folder))
        command = [
            "uv",
            "pip",
            "compile",
            "pyproject.toml",
            *extra,
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
        ]
        command += ["--no-annotate", "--no-emit-index-url", "--output-file", str(copy)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return pins(copy) if done.returncode == 0 else done.stderr.strip()


def asked_for(extra: tuple[str, ...]) -> list[Requirement]:
    """The requirements of pyproject.toml itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + [line for name in extra[1::2] for line in project["optional-dependencies"][name]]
    return [Requirement(line) for line in lines]


def complaints(name: str, extra: tuple[str, ...]) -> list[str]:
    """What is wrong with one lock file."""
    lock = ROOT / name
    locked = pins(lock)
    versions = {package: pin.split(" ")[0] for package, pin in locked.items()}
    found = [
        f"{name}: pyproject.toml asks for {one}, locked is {versions.get(canonicalize_name(one.name), 'nothing')}"
        for one in asked_for(extra)
        if not one.specifier.contains(versions.get(canonicalize_name(one.name), ""), prereleases=True)
    ]
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text("utf-8"))
    found += [f"{name}: no hash for {one.split()[0]}" for one in blocks if PIN.match(one) and "--hash=" not in one]
    match resolved(lock, extra):
        case str(why) if "No solution found" in why:
            found.append(f"{name}: {why}")
        case str(why):
            print(
                f"{name}: not resolved anew ({(why.splitlines() or ['no reason given'])[-1][:160]}); pins compared only"
            )
        case now:
            changed = sorted(one for one in locked.keys() | now.keys() if locked.get(one) != now.get(one))
            found += [f"{name}: {one} is {locked.get(one)}, would be {now.get(one)}" for one in changed]
    return found


def main() -> int:
    """0 where the locks hold, else 1 with every complaint."""
    found = [one for name, extra in LOCKS.items() for one in complaints(name, extra)]
    small, large = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements-dev.lock")
    found += [
        f"{one} differs: {small[one]} when it runs, {large.get(one)} in development"
        for one in sorted(small)
        if large.get(one, "").split(" ")[0] != small[one].split(" ")[0]
    ]
    for when in ("setup", "build"):
        early = pins(ROOT / f"requirements-{when}.lock")
        found += [f"{one} differs: {early[one]} at {when}" for one in early if large.get(one, early[one]) != early[one]]
    print(*found or ["the locks match pyproject.toml"], sep="\n")
    if found:
        print("run `make lock`, read the difference and commit it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
