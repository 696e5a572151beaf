"""Is anything lost, repeated or stale when everything breaks at once? A short run of each sort; `make chaos` is long.

Each is a process of its own, as the command is: its worlds, its bots and its database end with it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mortal import with_its_starter

SHORT = "--operations 14 --faults 15 --services 7 --seed 4"


def chaos(data: Path, arguments: str) -> None:
    """It went as it should; with `--control` that means that a stale write was found."""
    command = [sys.executable, "-m", "tests.chaos", "--data", str(data), *arguments.split()]
    ran = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=with_its_starter(signal.SIGKILL),
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr[-3000:]}"
    print(ran.stdout)


@pytest.mark.requirement("D-07")
@pytest.mark.slow
def test_one_process_on_sqlite_loses_and_repeats_nothing(tmp_path: Path) -> None:
    chaos(tmp_path, f"--database sqlite --kills 6 --freezes 4 {SHORT}")


@pytest.mark.requirement("D-07")
@pytest.mark.slow
def test_three_replicas_on_postgresql_lose_and_repeat_nothing(tmp_path: Path) -> None:
    chaos(tmp_path, f"--database postgres --kills 6 --freezes 6 --crashes 1 --surprises 2 {SHORT}")


@pytest.mark.slow
def test_without_the_fence_it_finds_what_the_fence_is_for(tmp_path: Path) -> None:
    few = "--operations 7 --faults 5 --services 7 --seed 4"
    chaos(tmp_path, f"--database postgres --control --kills 1 --freezes 3 --crashes 0 --surprises 2 {few}")


@pytest.mark.requirement("D-07")
@pytest.mark.slow
def test_a_death_at_an_await_of_promote_or_rollback_changes_nothing(tmp_path: Path) -> None:
    chaos(tmp_path, "--every-await --thin 50 --lanes 2")
