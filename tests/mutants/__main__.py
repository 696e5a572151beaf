"""`python -m tests.mutants [word…]`: is there a change to the policy's code that no test sees?

Every change that survives is either killed by a test, or stands in `equivalent.toml` with the reason why nobody could
tell it from the original. Exits 1 where one does neither. Words name modules: `votes`, `rules.soak`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.plugin import ENOUGH, Trying

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only modules with such a name")
    parser.add_argument("--hands", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--all", action="store_true", help="try every test of a change, however long they take")
    parser.add_argument("--list", type=Path, help="write each change and what became of it to this file")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.jsonl"
        trying = Trying(wanted.words, wanted.hands, found, math.inf if wanted.all else ENOUGH)
        status = pytest.main(
            ["-q", "-p", "no:cacheprovider", "--assert=plain", "--tb=no", "-m", "not slow", "tests/policy"],
            plugins=[trying],
        )
        if not found.exists():
            return int(status) or 1
        if wanted.list:
            wanted.list.write_text(found.read_text("utf-8"), "utf-8")
        rows = [json.loads(line) for line in found.read_text("utf-8").splitlines()]
    equal = tomllib.loads((HERE / "equivalent.toml").read_text("utf-8"))
    left = [row for row in rows if row["how"] != "killed" and row["key"] not in equal]
    for row in left:
        print(f"{row['how']}: line {row['line']}, {row['key']}")
    counted = Counter("equivalent" if row["key"] in equal and row["how"] != "killed" else row["how"] for row in rows)
    print(f"{len(rows)} changes: " + ", ".join(f"{number} {how}" for how, number in sorted(counted.items())))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
