"""Does a test fail under this change? Tests are collected once; each change is tried in a fork of that process."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.changes import Change, changes

POLICY = Path(__file__).parents[2] / "policy"
EXAMPLES = 15
"""For each property, the same ones each time."""
LIMIT = 60
"""Seconds after which a change counts as seen: it never ends."""
ENOUGH = 6.0
"""Seconds of tests, the quickest first, that a change is tried with; `--all` tries all of them."""


class Trying:
    """pytest's loop over tests, replaced by one over changes."""

    def __init__(self, wanted: list[str], hands: int, found: Path, enough: float = ENOUGH) -> None:
        self._wanted = wanted
        self._enough = enough
        self._hands = hands
        self._found = found
        self._tests: dict[tuple[str, int], set[int]] = defaultdict(set)
        """(file, first line of a function) → which tests run it."""
        self._took: dict[int, float] = {}

    def pytest_configure(self) -> None:
        from hypothesis import settings

        settings.register_profile("mutants", max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = session.items
        failing = [item.nodeid for index, item in enumerate(items) if not self._passes(index, item)]
        print(f"without any change {len(failing)} fail", *failing[:20], sep="\n  ")
        todo = [change for path in self._modules() for change in changes(path, _name(path))]
        print(f"{len(items)} tests, {len(todo)} changes", flush=True)
        running: dict[int, Change] = {}
        with self._found.open("w", encoding="utf-8") as out:
            for number, change in enumerate(todo):
                while len(running) >= self._hands:
                    self._reap(running, out)
                pid = os.fork()
                if pid == 0:
                    self._child(change, items)
                running[pid] = change
                if number % 100 == 99:
                    print(f"{number + 1} of {len(todo)}", flush=True)
            while running:
                self._reap(running, out)
        return True

    def _modules(self) -> Iterator[Path]:
        for path in sorted(POLICY.rglob("*.py")):
            if not self._wanted or any(word in _name(path) for word in self._wanted):
                yield path

    def _passes(self, index: int, item: pytest.Item) -> bool:
        here = str(POLICY)

        def trace(frame: FrameType, _event: str, _argument: Any) -> None:
            code = frame.f_code
            if code.co_filename.startswith(here):
                self._tests[code.co_filename, code.co_firstlineno].add(index)

        _forget()
        began = time.monotonic()
        sys.settrace(trace)
        try:
            reports = runtestprotocol(item, nextitem=None, log=False)
        finally:
            sys.settrace(None)
        self._took[index] = time.monotonic() - began
        if any(report.failed for report in reports):
            for tests in self._tests.values():
                tests.discard(index)
            return False
        return True

    def _reap(self, running: dict[int, Change], out: Any) -> None:
        pid, status = os.wait()
        change = running.pop(pid)
        how = {0: "survived", 2: "not run"}.get(os.waitstatus_to_exitcode(status), "killed")
        out.write(json.dumps({"key": change.key, "line": change.line, "how": how}, ensure_ascii=False) + "\n")
        out.flush()

    def _child(self, change: Change, items: list[pytest.Item]) -> None:
        """Ends the process: 0 where every test passed, 1 where one failed, 2 where none runs that function."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        signal.alarm(LIMIT)
        module = sys.modules[change.module]
        functions = list(_functions(module, change.function))
        tests: set[int] = set()
        for function in functions:
            for code in (function.__code__, *_inner(function.__code__)):
                tests |= self._tests.get((code.co_filename, code.co_firstlineno), set())
        if not functions or not tests:
            os._exit(2)
        new = _code(compile(change.tree, functions[0].__code__.co_filename, "exec"), change.function)
        for function in functions:
            function.__code__ = new
        _forget()
        spent = 0.0
        for index in sorted(tests, key=self._took.__getitem__):
            spent += self._took[index]
            if spent > self._enough:
                break
            if any(report.failed for report in runtestprotocol(items[index], nextitem=None, log=False)):
                os._exit(1)
        os._exit(0)


def _name(path: Path) -> str:
    parts = path.relative_to(POLICY.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _functions(module: ModuleType, name: str) -> Iterator[FunctionType]:
    """The function itself, whatever is wrapped around it."""
    found: Any = module
    for part in name.split("."):
        found = vars(found).get(part) if isinstance(found, type) else getattr(found, part, None)
    wrapped = True
    while wrapped:
        wrapped = False
        for way in ("__wrapped__", "__func__", "fget", "func", "wrapped"):
            inner = getattr(found, way, None)
            if isinstance(inner, FunctionType | staticmethod | classmethod | property):
                found, wrapped = inner, True
                break
    if isinstance(found, FunctionType):
        yield found


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)


def _code(module: CodeType, name: str) -> CodeType:
    found = module
    for part in name.split("."):
        found = next(each for each in found.co_consts if isinstance(each, CodeType) and each.co_name == part)
    return found


def _forget() -> None:
    """Nothing is remembered from before."""
    for name, module in list(sys.modules.items()):
        for value in vars(module).values() if name.startswith("policy") else ():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
            elif isinstance(value, FunctionType) and hasattr(value, "__wrapped__"):
                for cell in value.__closure__ or ():
                    if isinstance(cell.cell_contents, dict):
                        cell.cell_contents.clear()
