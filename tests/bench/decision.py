"""What does a decision cost? The largest policy we have, beside the same in Cedar, in the same run.

It is measured as it is shipped: the wheel is built with its policy compiled and unpacked into a folder that goes
afterwards. Beside it stands the plain Python that developers run; each in a process of its own. Without a C compiler
there is only that.

The bot reads its facts anew for every decision, so each is taken on facts of its own: none is the very object that was
looked at before. The works take turns. Of each turn the median counts, and of a work's turns the quietest: whatever else
this machine does takes up to twice the time from some of them. The median of all is shown, too. Before anything is
measured, both must have come to the same.
"""

from __future__ import annotations

import copy
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, cycle
from pathlib import Path

from bot.cases import case_in
from policy import windows
from policy.decide import decide, decide_again
from policy.facts import Check, CheckState, Facts, Freeze
from policy.finding import Decision
from policy.model import Unknown
from policy.rulebook import rules_for
from tests.bench.cedar import RULES, context, decider
from tests.deploy.cases import read
from tests.shipped import ROOT, compiler, environment, unpacked

SHIPPED, PLAIN = "as shipped, compiled", "plain Python"
CEDAR = "Cedar, its context made of the facts"
COPIES = 8
"""So many that each is another object than those just looked at, and so few that they stay in the processor's own memory,
as what was read a moment ago does."""
QUICK, ADVISED = 40.0, 500.0
"""Microseconds: what a decision may take without trying any advice, and with."""

SEED, GOOD = "seed004", "A signed build that staging verified goes out on a go"
ACTIVE, _TABLE = read(SEED)
(_CASE,) = (case for case in _TABLE.cases if case.case == GOOD)
QUESTION, ALL_GOOD, NOW = case_in(_TABLE, _CASE, ACTIVE.policy)
NIGHT = NOW + timedelta(hours=10)


def _frozen_at_night() -> Facts:
    passed = {} if isinstance(ALL_GOOD.checks, Unknown) else ALL_GOOD.checks
    ends_at = NIGHT + timedelta(hours=10)
    return replace(
        ALL_GOOD,
        votes=(),
        checks={**passed, "lint": Check("lint", CheckState.FAILED, at=NOW)},
        freezes=(Freeze("fr_1", "prod", None, NIGHT - timedelta(hours=1), ends_at, "the books are closed", "ines"),),
    )


STATES: dict[str, tuple[Facts, datetime]] = {
    "nothing in the way": (ALL_GOOD, NOW),
    "nobody agreed yet": (replace(ALL_GOOD, votes=()), NOW),
    "at night, and nobody agreed yet": (replace(ALL_GOOD, votes=()), NIGHT),
    "at night, frozen, a check failed, and nobody agreed yet": (_frozen_at_night(), NIGHT),
}


def rendered(decision: Decision) -> int:
    """Every word of it, put together."""
    said = [finding.reason for finding in decision.findings]
    said += [remedy.says for way in decision.ways for remedy in way]
    said += [remedy.says for finding in decision.findings for remedy in finding.remedies]
    return len("\n".join((*said, *decision.notes)))


Measured = dict[str, dict[str, tuple[float, float]]]
"""State → what was done → median microseconds of its quietest turn, and of all of them."""


def measured() -> dict[str, Measured]:
    """Of what is shipped, where it can be built here, and of plain Python."""
    found = {}
    if compiler() is not None:
        with tempfile.TemporaryDirectory() as folder:
            found[SHIPPED] = _alone(unpacked(Path(folder)))
    found[PLAIN] = _alone(ROOT)
    return found


def _alone(lib: Path) -> Measured:
    """With the policy that lies there, by a process of its own."""
    command = [sys.executable, "-m", "tests.bench.decision", "--here"]
    said = subprocess.run(command, cwd=lib, env=environment(lib), stdout=subprocess.PIPE, check=True).stdout
    found: Measured = json.loads(said)
    return found


def here(rounds: int = 25, times: int = 100) -> Measured:
    """With the policy of this very process."""
    works = {name: _decisions(facts, at) for name, (facts, at) in STATES.items()}
    works["a window"] = _window()
    spent: dict[str, dict[str, list[list[float]]]] = {name: {what: [] for what in each} for name, each in works.items()}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, each in works.items():
                for what, work in each.items():
                    spent[name][what].append(_timed(work, times))
            gc.collect()
    finally:
        gc.enable()
    return {name: {what: _medians(turns) for what, turns in each.items()} for name, each in spent.items()}


def _medians(turns: list[list[float]]) -> tuple[float, float]:
    return min(map(statistics.median, turns)), statistics.median(chain.from_iterable(turns))


def _decisions(facts: Facts, at: datetime) -> dict[str, Callable[[], object]]:
    fresh = cycle([copy.deepcopy(facts) for _ in range(COPIES)])
    ready, answer = context(QUESTION, facts, ACTIVE, at), decider()
    blockers = {finding.rule for finding in decide(QUESTION, facts, ACTIVE, at).blockers}
    if set(answer(ready)) != blockers & RULES.keys() - {"go_no_go"}:  # which Cedar cannot let rest on other rules
        message = f"Cedar says {answer(ready)}, and we say {sorted(blockers)}"
        raise ValueError(message)

    def again() -> Decision:
        return decide_again(QUESTION, next(fresh), ACTIVE, at)

    def advised() -> Decision:
        return decide(QUESTION, next(fresh), ACTIVE, at)

    return {
        "ours": again,
        "ours, advice tried": advised,
        "ours, advice tried, every word of it": lambda: rendered(advised()),
        "Cedar, its context ready": partial(answer, ready),
        CEDAR: lambda: answer(context(QUESTION, next(fresh), ACTIVE, at)),
    }


def _window() -> dict[str, Callable[[], object]]:
    window, zone = windows.named(ACTIVE.policy, "prod"), ACTIVE.policy.zone()
    moments = cycle(NOW + timedelta(minutes=37 * number) for number in range(9999))
    return {
        "is it open": lambda: window.is_open(NOW),
        "when does that change": lambda: window.next_change(NOW),
        "the same, never asked before": lambda: windows.schedule(ACTIVE.policy.window("prod"), zone).next_change(
            next(moments)
        ),
    }


def _timed(work: Callable[[], object], times: int) -> list[float]:
    clock, found = time.perf_counter, []
    for _ in range(times):
        began = clock()
        work()
        found.append(1e6 * (clock() - began))
    return found


def told(found: dict[str, Measured]) -> str:
    """The table, with ratios to Cedar and to what we allow ourselves of what is shipped."""
    limits: dict[str, float] = {"ours": QUICK, "ours, advice tried": ADVISED}
    rules = len(rules_for(ACTIVE.policy, QUESTION))
    first, *others = found
    width = max(len(what) for each in found[first].values() for what in each) + 2
    title = f"{SEED}: a decision by {rules} rules"
    lines = [
        f"{title:{width}}{first:>22} µs (all)  ×Cedar{''.join(f'{other:>16} µs' for other in others)}  of the limit"
    ]
    if SHIPPED not in found:
        lines.append("no C compiler here: what is shipped was not measured")
    for name, each in found[first].items():
        cedar, _ = each.get(CEDAR, (0.0, 0.0))
        lines += ["", name]
        for what, (took, of_all) in each.items():
            beside = f"{took / cedar:7.2f}" if cedar else " " * 7
            more = "".join(f"{found[other][name][what][0]:19.1f}" for other in others)
            limit = f"{100 * took / limits[what]:7.0f} % of {limits[what]:.0f} µs" if what in limits else ""
            lines.append(f"  {what:{width - 2}}{took:25.1f} {f'({of_all:.1f})':>7}{beside}{more}  {limit}".rstrip())
    return "\n".join(lines)


def main() -> None:
    """Prints what was measured: for people, or of this very process for the one that started it."""
    if sys.argv[1:] == ["--here"]:
        print(json.dumps(here()))
    else:
        print(f"{os.cpu_count()} cores, wanted by {os.getloadavg()[0]:.1f} processes\n\n{told(measured())}")


if __name__ == "__main__":
    main()
