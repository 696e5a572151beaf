"""The wheel that is shipped decides with a compiled policy. To the letter it says what the plain one says."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from bot.cases import case_in
from policy.evidence import Evidence
from policy.facts import Facts
from policy.model import Unknown
from tests.deploy.cases import read
from tests.deploy.told import COMPILED, State, allowed, lines
from tests.policy.states import states
from tests.shipped import ROOT, compiler, environment, unpacked

SEEDS = ("story", "seed000", "seed001", "seed002", "seed003", "seed004")
RANDOM = 300
TABLES_AND_VECTORS = ("tests/deploy/test_seed0*.py", "tests/policy/test_windows.py", "tests/policy/test_votes.py")
COMPILED_TESTS = """
import sys, policy.decide, pytest
sys.exit(policy.decide.__file__.endswith(".py") or pytest.main(sys.argv[1:]))
"""
"""Whatever pytest puts on the path, the policy that it tests is there already."""


@pytest.mark.slow
def test_what_is_compiled_says_what_the_plain_policy_says(tmp_path: Path) -> None:
    if compiler() is None and os.environ.get("CI") == "true":
        pytest.fail("no C compiler on this machine, and CI=true wants what is shipped seen")
    if compiler() is None:
        pytest.skip("no C compiler on this machine")
    assert not COMPILED
    lib = unpacked(tmp_path, "-O0")
    assert not [*ROOT.glob("policy/**/*.so"), *ROOT.glob("*.so")]

    tables = [str(path) for pattern in TABLES_AND_VECTORS for path in sorted(ROOT.glob(pattern))]
    options = ("-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "-o", f"pythonpath={lib}")
    tested = subprocess.run(
        [sys.executable, "-c", COMPILED_TESTS, *options, *tables],
        cwd=lib,
        env=environment(lib),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr

    likely, nonsense = [*_cases(), *_at_random(), *_not_known()], _nonsense()
    told = subprocess.run(
        [sys.executable, "-m", "tests.deploy.told"],
        cwd=lib,
        env=environment(lib),
        input=pickle.dumps([*likely, *nonsense]),
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode()
    compiled = told.stdout.decode().splitlines()
    for state, ours, theirs in zip(likely, lines(likely), compiled[: len(likely)], strict=True):
        assert theirs == ours, state
    for state, ours, theirs in zip(nonsense, lines(nonsense), compiled[len(likely) :], strict=True):
        assert allowed(ours) or not allowed(theirs), state


def _cases() -> Iterator[State]:
    """Every case of every table."""
    for seed in SEEDS:
        active, table = read(seed)
        for case in table.cases:
            yield active, *case_in(table, case, active.policy)


def _at_random() -> list[State]:
    """So many states, the same each time."""
    found: list[State] = []

    @settings(
        max_examples=RANDOM,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(states())
    def draw(state: State) -> None:
        found.append(state)

    draw()
    return found


def _not_known() -> list[State]:
    """The best case of the largest policy, but one thing after the other is not known."""
    return [state for state, may_be in _without(Unknown("it does not answer")) if may_be]


def _nonsense() -> list[State]:
    """The same, but there is nothing where there must be something, or something that cannot be there."""
    return [state for missing in (Unknown("what?"), None, 7) for state, may_be in _without(missing) if not may_be]


def _without(missing: Any) -> Iterator[tuple[State, bool]]:
    """With that in place of each fact and each piece of evidence, and whether it may be there."""
    active, table = read("seed004")
    good = next(case for case in table.cases if case.case == "A signed build that staging verified goes out on a go")
    question, facts, at = case_in(table, good, active.policy)
    word = type(missing).__name__.removesuffix("Type")
    for field in fields(Facts):
        yield (active, question, replace(facts, **{field.name: missing}), at), word in str(field.type)
    for field in fields(Evidence):
        without = replace(facts.evidence, **{field.name: missing})
        yield (active, question, replace(facts, evidence=without), at), word in str(field.type)
