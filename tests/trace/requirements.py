"""Which requirements are shown by which tests? Read from the tests' syntax trees, so that nothing has to run."""

from __future__ import annotations

import ast
import csv
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent


@dataclass(frozen=True)
class Claim:
    """One marker: this test says that it shows this requirement."""

    requirement: str
    """Its id; empty where the marker holds anything but literal ids."""
    test: str
    """`tests/policy/test_freeze.py::test_a_freeze_blocks`; the file alone where the whole of it is marked."""
    line: int


@dataclass(frozen=True)
class OutOfScope:
    """Why no bot can meet a requirement."""

    why: str
    ours: str
    """What of it is still ours to do; empty where nothing is."""


@dataclass(frozen=True)
class Later:
    """Why a requirement cannot be shown yet."""

    needs: str
    """What has to be built first."""
    why: str
    """What of it that will give us."""


def known() -> dict[str, str]:
    """Class of each requirement, by id, in the order of our notes."""
    with (HERE / "requirements.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["class"] for row in csv.DictReader(file)}


def out_of_scope() -> dict[str, OutOfScope]:
    with (HERE / "out_of_scope.toml").open("rb") as file:
        return {id: OutOfScope(**said) for id, said in tomllib.load(file).items()}


def later() -> dict[str, Later]:
    """Requirements that wait for something that is not built yet: the same reason for many of them."""
    with (HERE / "later.toml").open("rb") as file:
        reasons = tomllib.load(file)
    return {id: Later(needs, said["why"]) for needs, said in reasons.items() for id in said["ids"]}


@cache
def claims(folder: Path = TESTS) -> list[Claim]:
    """Every marker in the tests of a folder."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        name = path.relative_to(folder.parent).as_posix()
        found += list(_claims(ast.parse(path.read_text("utf-8")), name))
    return found


def _marks(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and called.attr == "requirement"
        and ast.unparse(called.value).endswith("mark")
    )


def _claims(node: ast.AST, test: str) -> Iterator[Claim]:
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        where = f"{test}::{child.name}" if named else test  # type: ignore[attr-defined]
        if isinstance(child, ast.Call) and _marks(child.func):
            ids = [one.value if isinstance(one, ast.Constant) else "" for one in child.args] or [""]
            yield from (Claim(str(one), where, child.lineno) for one in ids)
        yield from _claims(child, where)
