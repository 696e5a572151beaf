"""`python -m tests.mutants [word…]`: is there a change to the policy's code that no test sees?

Every change that survives is either killed by a test, or stands in `equivalent.toml` with the reason why nobody could
tell it from the original. Exits 1 where one does neither. Words name modules: `votes`, `rules.soak`, `rules`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.mutants.plugin import KILLED, Row, Trying

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENOUGH = 20.0
"""Seconds of tests that a change is tried with; `--enough inf` tries all that run it."""
EQUIVALENT = "equivalent"

Equal = dict[str, dict[str, str]]
"""Module → change → why nobody could tell it from the original."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only modules with such a name")
    parser.add_argument("--hands", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--enough", type=float, default=ENOUGH, help="seconds of tests for one change; inf for all")
    parser.add_argument("--list", type=Path, help="write each change and what became of it to this file")
    parser.add_argument("--code", type=Path, default=ROOT / "policy", help="the package that is changed")
    parser.add_argument("--tests", type=Path, default=ROOT / "tests" / "policy", help="what should see it")
    parser.add_argument("--equivalent", type=Path, default=HERE / "equivalent.toml")
    parser.add_argument("--kept", type=Path, default=ROOT / ".pytest_cache" / "mutants", help="what was seen before")
    wanted = parser.parse_args()
    trying = Trying(wanted.code, wanted.words, wanted.hands, wanted.enough, wanted.kept)
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", "--assert=plain", "-m", "not slow", str(wanted.tests)], plugins=[trying]
    )
    if not trying.rows:
        return int(status) or 1
    equal: Equal = tomllib.loads(wanted.equivalent.read_text("utf-8"))
    if wanted.list:
        wanted.list.write_text("".join(_line(row, trying.names) for row in trying.rows), "utf-8")
    return _told(trying.rows, equal, trying.names)


def _told(rows: list[Row], equal: Equal, names: list[str]) -> int:
    """1 where a change is neither seen nor said to be equivalent, or is said to be what it is not."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    wrong = []
    for row in rows:
        change = row.change
        said = change.key in equal.get(change.module, {})
        how = EQUIVALENT if said and row.how != KILLED else row.how
        counted[change.module][how] += 1
        if how not in {KILLED, EQUIVALENT}:
            wrong.append(f"{how} ({row.tried} of {row.of} tests): line {change.line}, {change.where}")
        elif said and row.killer is not None:
            wrong.append(f"not equivalent, {names[row.killer]} sees it: line {change.line}, {change.where}")
    there = {(row.change.module, row.change.key) for row in rows}
    wrong += [
        f"there is no such change: {module}.{key}"
        for module in counted
        for key in equal.get(module, {})
        if (module, key) not in there
    ]
    print(*wrong, sep="\n")
    for module, each in sorted(counted.items()):
        print(f"{module}: {_counts(each)}")
    print(_counts(sum(counted.values(), Counter[str]())))
    return 1 if wrong else 0


def _counts(how: Counter[str]) -> str:
    return f"{how.total()} changes: " + ", ".join(f"{number} {name}" for name, number in sorted(how.items()))


def _line(row: Row, names: list[str]) -> str:
    said = {
        "key": row.change.where,
        "line": row.change.line,
        "how": row.how,
        "killer": None if row.killer is None else names[row.killer],
        "tried": row.tried,
        "of": row.of,
    }
    return json.dumps(said, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
