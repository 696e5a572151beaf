"""Does a test fail under this change? Tests are collected once; each change is tried in a fork of that process."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest
from _pytest.outcomes import Skipped

from tests.mutants.changes import Change, changes

EXAMPLES = 15
"""For each property that names no number of its own, the same ones each time."""
AT_LEAST, TIMES = 1.0, 10.0
"""A test that takes longer than this many seconds, and so many times as long as it did, never ends: it fails."""
SLOW = 0.1
"""Seconds after which a test comes behind all others about its module, or about none."""
KILLED, SURVIVED, NOT_RUN, BROKEN = "killed", "survived", "not run", "broken"
"""`not run`: no test runs that line. `broken`: it could not be tried."""


@dataclass(frozen=True)
class Row:
    """What became of one change."""

    change: Change
    how: str
    killer: int | None
    tried: int
    """How many tests it was tried with, of …"""
    of: int


class Trying:
    """pytest's loop over tests, replaced by one over changes."""

    def __init__(self, code: Path, wanted: list[str], hands: int, enough: float, kept: Path) -> None:
        self.rows: list[Row] = []
        self.names: list[str] = []
        self._code = code.resolve()
        self._wanted = wanted
        self._hands = hands
        self._enough = enough
        self._kept = kept
        self._tests: dict[tuple[str, int], set[int]] = defaultdict(set)
        """(file, line) → which tests run it."""
        self._took: list[float] = []
        self._killers: dict[tuple[str, str], list[int]] = defaultdict(list)
        """(module, function) → what saw a change there, the last first."""

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutants",
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = session.items
        self.names = [item.nodeid for item in items]
        traced = self._traced(items)
        failing = [name for name in self.names if traced[name]["failed"]]
        print(f"{len(items)} tests, without any change {len(failing)} fail", *failing[:20], sep="\n  ")
        for index, name in enumerate(self.names):
            self._took.append(traced[name]["took"])
            for file, lines in traced[name]["lines"].items() if not traced[name]["failed"] else ():
                for line in lines:
                    self._tests[file, line].add(index)
        todo = [change for path in self._modules() for change in changes(path, self._name(path), self._file(path))]
        print(f"{len(todo)} changes", flush=True)
        last = self._last()
        gc.freeze()
        running: dict[int, tuple[Change, int, int]] = {}
        for number, change in enumerate(todo):
            while len(running) >= self._hands:
                self._reap(running)
            tests = self._order(change, last.get(change.where))
            if not tests:
                self._add(Row(change, NOT_RUN, None, 0, 0))
                continue
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                _ending(partial(self._child, change, items, tests, write))
            os.close(write)
            running[pid] = change, read, len(tests)
            if number % 100 == 99:
                print(f"{number + 1} of {len(todo)}", flush=True)
        while running:
            self._reap(running)
        self._keep({row.change.where: self.names[row.killer] for row in self.rows if row.killer is not None})
        return True

    def _modules(self) -> list[Path]:
        """Those that are wanted, in the order of the words."""
        paths = sorted(self._code.rglob("*.py"))
        named = [path for word in self._wanted for path in paths if f".{word}." in f".{self._name(path)}."]
        return list(dict.fromkeys(named)) if self._wanted else paths

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self._code.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _file(self, path: Path) -> str:
        return str(path.relative_to(self._code))

    # Which lines does each test run, and how long does it take? Asked again only of tests that are not as they were.

    def _traced(self, items: list[pytest.Item]) -> dict[str, Any]:
        """By the name of the test."""
        marks = self._marks(items)
        path = self._kept / "lines.json"
        known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        found = {name: known[name] for name in self.names if known.get(name, {}).get("mark") == marks[name]}
        todo = [index for index, name in enumerate(self.names) if name not in found]
        if todo:
            print(f"looking at what {len(todo)} tests run", flush=True)
            gc.freeze()
            with tempfile.TemporaryDirectory() as folder:
                hands = range(min(self._hands, len(todo)))
                pids = []
                for hand in hands:
                    pid = os.fork()
                    if pid == 0:
                        mine = todo[hand :: len(hands)]
                        _ending(partial(self._look, items, mine, Path(folder) / str(hand)))
                    pids.append(pid)
                for pid in pids:
                    os.waitpid(pid, 0)
                for hand in hands:
                    for name, row in json.loads((Path(folder) / str(hand)).read_text("utf-8")).items():
                        found[name] = row | {"mark": marks[name]}
            self._kept.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found), "utf-8")
        return found

    def _marks(self, items: list[pytest.Item]) -> dict[str, str]:
        """Test → a mark of all the code and of the files that it may use: its own, and those that hold no tests."""
        paths = {item.path for item in items}
        around = {path for one in paths for path in one.parent.glob("*.py") if path not in paths}
        common = hashlib.sha256()
        for path in sorted({*self._code.rglob("*.py"), *(path for path in around if "test_" not in path.name)}):
            common.update(path.read_bytes())
        own = {path: hashlib.sha256(common.digest() + path.read_bytes()).hexdigest() for path in paths}
        return {item.nodeid: own[item.path] for item in items}

    def _look(self, items: list[pytest.Item], todo: list[int], into: Path) -> int:
        here = str(self._code)
        lines: set[tuple[str, int]] = set()

        def line(frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "line":
                lines.add((frame.f_code.co_filename, frame.f_lineno))
            return line

        def call(frame: FrameType, _event: str, _argument: Any) -> Any:
            return line if frame.f_code.co_filename.startswith(here) else None

        found: dict[str, Any] = {}
        remembered = list(_remembered(self._code.name))
        for index in todo:
            for forget in remembered:
                forget()
            lines.clear()
            began = time.process_time()
            sys.settrace(call)
            try:
                passed = _passes(items[index])
            finally:
                sys.settrace(None)
            files: dict[str, list[int]] = defaultdict(list)
            for file, number in sorted(lines):
                files[self._file(Path(file))].append(number)
            found[self.names[index]] = {"took": time.process_time() - began, "failed": not passed, "lines": files}
        into.write_text(json.dumps(found), "utf-8")
        return 0

    # Which tests are asked about a change, and in which order?

    def _order(self, change: Change, last: str | None) -> list[int]:
        """What saw it the last time, what saw one like it, what is about this module; the quickest first."""
        tests: set[int] = set().union(*(self._tests.get((change.file, line), set()) for line in change.lines))
        liked = self._killers[change.module, change.function]
        about = change.module.rpartition(".")[2]
        place = {index: number for number, index in enumerate(liked)}

        def rank(index: int) -> tuple[float, ...]:
            took = self._took[index]
            mine = f"test_{about}" in self.names[index] or about in self.names[index].rpartition("/")[2]
            return (self.names[index] != last, place.get(index, len(liked)), not mine, took > SLOW, took)

        return sorted(tests, key=rank)

    def _last(self) -> dict[str, str]:
        """Change → the test that saw it the last time."""
        path = self._kept / "killers.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def _keep(self, killers: dict[str, str]) -> None:
        self._kept.mkdir(parents=True, exist_ok=True)
        (self._kept / "killers.json").write_text(json.dumps(self._last() | killers, ensure_ascii=False), "utf-8")

    def _reap(self, running: dict[int, tuple[Change, int, int]]) -> None:
        pid, status = os.wait()
        change, read, of = running.pop(pid)
        with os.fdopen(read) as pipe:
            begun = [int(word) for word in pipe.read().split()]
        code = os.waitstatus_to_exitcode(status)
        how = {0: SURVIVED, 3: BROKEN}.get(code, KILLED)
        if not begun:
            how = BROKEN
        killer = begun[-1] if how == KILLED else None
        if killer is not None:
            liked = self._killers[change.module, change.function]
            if killer in liked:
                liked.remove(killer)
            liked.insert(0, killer)
        self._add(Row(change, how, killer, len(begun), of))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        if row.how != KILLED:
            print(f"{row.how} ({row.tried} of {row.of} tests): line {row.change.line}, {row.change.where}", flush=True)

    def _child(self, change: Change, items: list[pytest.Item], tests: list[int], write: int) -> int:
        """0 where every test passed, 1 where one failed; each is written down as it begins."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        put(change, sys.modules[change.module])
        for forget in _remembered(self._code.name):
            forget()
        spent = 0.0
        for index in tests:
            spent += self._took[index]
            if spent > self._enough and index != tests[0]:
                break
            os.write(write, f"{index} ".encode())
            signal.setitimer(signal.ITIMER_PROF, max(AT_LEAST, TIMES * self._took[index]))
            if not _passes(items[index]):
                return 1
        return 0


def put(change: Change, module: ModuleType) -> None:
    """The function is what the change makes of it, wherever it is known already."""
    function = _function(module, change.function)
    path = function.__code__.co_filename
    # Other lines than their own would make no difference: nobody asks a changed function where it stands.
    new = compile(change.tree, path, "exec", dont_inherit=True)
    for part in change.function.split("."):
        new = next(each for each in new.co_consts if isinstance(each, CodeType) and each.co_name == part)
    function.__code__ = new


def _ending(work: Callable[[], int]) -> NoReturn:
    """The process ends here, whatever happens; 3 where that was not foreseen."""
    code = 3
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _passes(item: Any) -> bool:
    """Whether the test does, without any of the report that pytest would make of it."""
    state = item.session._setupstate
    if not item._request:
        item._initrequest()
    try:
        state.setup(item)
        item.runtest()
    except Skipped:
        return True
    except BaseException:
        return False
    finally:
        state.teardown_exact(None)
        item._request = False
        item.funcargs = None
    return True


def _function(module: ModuleType, name: str) -> FunctionType:
    """The function itself, whatever is wrapped around it."""
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    while True:
        ways = (getattr(found, way, None) for way in ("__wrapped__", "__func__", "fget", "func", "wrapped"))
        inner = next(
            (one for one in ways if isinstance(one, FunctionType | staticmethod | classmethod | property)), None
        )
        if inner is None:
            break
        found = inner
    if not isinstance(found, FunctionType):
        raise TypeError(f"{module.__name__}.{name} is no function: {found!r}")
    return found


def _remembered(package: str) -> Iterator[Callable[[], object]]:
    """For each shelf of answers, what empties it."""
    for name, module in list(sys.modules.items()):
        for value in list(vars(module).values()) if name.partition(".")[0] in {package, "tests"} else ():
            if hasattr(value, "cache_clear"):
                yield value.cache_clear
            elif isinstance(value, FunctionType) and hasattr(value, "__wrapped__"):
                for cell in value.__closure__ or ():
                    if isinstance(cell.cell_contents, dict):
                        yield cell.cell_contents.clear
