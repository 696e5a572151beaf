"""Does the house stand as it was drawn? Read from the syntax trees, so that nothing has to be imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT: dict[str, frozenset[str]] = {
    "policy": frozenset({"policy", "pydantic", "pydantic_core"}),
    "commands": frozenset({"commands", "policy"}),
}
"""Besides the standard library. `bot` may import everything but tests."""

WORLDLY = frozenset({"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "time", "urllib"})
"""Modules that a pure package has no business with."""

NAMELESS = frozenset({"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"})


@dataclass(frozen=True)
class Module:
    """One file of the house."""

    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.split(".")[0]


@dataclass(frozen=True)
class Import:
    """One name that a module asks for: `commands.plan.Plan` where it says `from commands.plan import Plan`."""

    by: str
    name: str
    line: int
    relative: bool = False

    @property
    def room(self) -> str:
        return self.name.split(".")[0]


def modules(root: Path) -> list[Module]:
    found = []
    for path in sorted(path for room in ("bot", "commands", "policy") for path in (root / room).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, ast.parse(path.read_text("utf-8"))))
    return found


def imports(module: Module) -> Iterator[Import]:
    """All of them, those inside functions too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(module.name, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(module.name, f"{node.module}.{alias.name}", node.lineno, relative=node.level > 0)


def calls(module: Module) -> Iterator[tuple[str, int]]:
    """Name of what is called, the last part only, and the line."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            yield (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id), node.lineno


def wrong_ways(house: list[Module]) -> list[str]:
    """Imports that point outwards, or are relative."""
    found = []
    for module in house:
        allowed = MAY_IMPORT.get(module.room)
        for one in imports(module):
            if one.relative:
                found.append(f"{module.name}:{one.line} imports relatively")
            elif one.room == "tests" or (
                allowed is not None and one.room not in allowed and one.room not in sys.stdlib_module_names
            ):
                found.append(f"{module.name}:{one.line} imports {one.name}")
    return found


def impurities(house: list[Module]) -> list[str]:
    """What in `policy` looks at a clock, does I/O or waits."""
    found = []
    for module in house:
        if module.room != "policy":
            continue
        found += [f"{module.name}:{one.line} imports {one.name}" for one in imports(module) if one.room in WORLDLY]
        found += [
            f"{module.name}:{line} calls {name}()"
            for name, line in calls(module)
            if name in {"now", "today", "utcnow", "open", "print", "input"}
        ]
        found += [
            f"{module.name}:{node.lineno} is asynchronous"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor)
        ]
    return found


def cycles(house: list[Module]) -> list[str]:
    """Modules that import each other in a round, an import inside a function included."""
    names = {module.name for module in house}

    def module_of(name: str) -> str | None:
        while name and name not in names:
            name = name.rpartition(".")[0]
        return name or None

    graph = {module.name: {module_of(one.name) for one in imports(module)} - {None, module.name} for module in house}
    found, done = [], set()

    def walk(name: str, road: tuple[str, ...]) -> None:
        if name in road:
            found.append(" → ".join((*road[road.index(name) :], name)))
        elif name not in done:
            for other in sorted(filter(None, graph[name])):
                walk(other, (*road, name))
            done.add(name)

    for name in sorted(graph):
        walk(name, ())
    return found


def nameless(house: list[Module]) -> list[str]:
    return [module.name for module in house if NAMELESS & set(module.name.split("."))]


def changes_of_production(house: list[Module]) -> list[str]:
    """Modules that call `deploy` or `shift`, the two methods of `Runs` that change what runs."""
    return sorted(
        {
            module.name
            for module in house
            if not module.name.startswith("bot.sandbox")
            for name, _ in calls(module)
            if name in {"deploy", "shift"}
        }
    )


@pytest.fixture(scope="module")
def house() -> list[Module]:
    return modules(ROOT)


def test_imports_point_inwards(house: list[Module]) -> None:
    assert wrong_ways(house) == []


def test_the_policy_looks_at_no_clock_and_touches_nothing(house: list[Module]) -> None:
    assert impurities(house) == []


def test_no_modules_import_each_other_in_a_round(house: list[Module]) -> None:
    assert cycles(house) == []


def test_every_module_has_a_job_to_be_named_after(house: list[Module]) -> None:
    assert nameless(house) == []


def test_production_is_changed_in_one_module_only(house: list[Module]) -> None:
    assert changes_of_production(house) == ["commands.carry_out"]


def test_every_module_begins_with_a_question_or_a_statement_of_its_job(house: list[Module]) -> None:
    silent = [
        one.name for one in house if one.tree.body and not ast.get_docstring(one.tree) and "versions" not in one.name
    ]
    assert silent == []


class TestAHouseBuiltWrongIsSeen:
    """The checks above would pass over an empty folder too; here they see what they are for."""

    @pytest.fixture
    def wrong(self, tmp_path: Path) -> list[Module]:
        for path, text in {
            "policy/rule.py": "import aiohttp\nfrom commands.plan import Plan\nat = datetime.now()\nasync def f(): pass\n",
            "policy/clock.py": "import time\nfrom . import rule\n",
            "commands/plan.py": "def f():\n    from commands import tell\n",
            "commands/tell.py": "from commands.plan import f\nimport bot.slack_out\n",
            "commands/utils.py": "",
            "bot/web.py": "await runs.shift(site)\nfrom tests.world import world\n",
        }.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text, "utf-8")
        return modules(tmp_path)

    def test_wrong_ways(self, wrong: list[Module]) -> None:
        assert wrong_ways(wrong) == [
            "bot.web:2 imports tests.world.world",
            "commands.tell:2 imports bot.slack_out",
            "policy.clock:2 imports relatively",
            "policy.rule:1 imports aiohttp",
            "policy.rule:2 imports commands.plan.Plan",
        ]

    def test_impurities(self, wrong: list[Module]) -> None:
        assert impurities(wrong) == [
            "policy.clock:1 imports time",
            "policy.rule:3 calls now()",
            "policy.rule:4 is asynchronous",
        ]

    def test_cycles(self, wrong: list[Module]) -> None:
        assert cycles(wrong) == ["commands.plan → commands.tell → commands.plan"]

    def test_names_and_changes_of_production(self, wrong: list[Module]) -> None:
        assert nameless(wrong) == ["commands.utils"]
        assert changes_of_production(wrong) == ["bot.web"]
