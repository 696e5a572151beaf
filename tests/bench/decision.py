"""What does a decision cost? The largest policy we have, beside the same in Cedar, in the same run.

The bot reads its facts anew for every decision, so each is taken on facts of its own: none is the very object that was
looked at before. The works take turns, and the median of all single ones counts. Before anything is measured, both
must have come to the same.
"""

from __future__ import annotations

import copy
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle

from bot.cases import case_in
from policy import windows
from policy.decide import decide, decide_again
from policy.facts import Check, CheckState, Facts, Freeze
from policy.finding import Decision
from policy.model import Unknown
from policy.rulebook import rules_for
from tests.bench.cedar import RULES, context, decider
from tests.deploy.cases import read

COPIES = 32
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


def measured(rounds: int = 7, times: int = 200) -> dict[str, dict[str, float]]:
    """State → what was done → median microseconds."""
    works = {name: _decisions(facts, at) for name, (facts, at) in STATES.items()}
    works["a window"] = _window()
    spent: dict[str, dict[str, list[float]]] = {name: {what: [] for what in each} for name, each in works.items()}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, each in works.items():
                for what, work in each.items():
                    spent[name][what] += _timed(work, times)
            gc.collect()
    finally:
        gc.enable()
    return {name: {what: statistics.median(them) for what, them in each.items()} for name, each in spent.items()}


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
        "Cedar, its context made of the facts": lambda: answer(context(QUESTION, next(fresh), ACTIVE, at)),
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


def told(found: dict[str, dict[str, float]]) -> str:
    """The table, with ratios to Cedar and to what we allow ourselves."""
    limits: dict[str, float] = {"ours": QUICK, "ours, advice tried": ADVISED}
    rules = len(rules_for(ACTIVE.policy, QUESTION))
    width = max(len(what) for each in found.values() for what in each) + 2
    lines = [f"{f'{SEED}: a decision by {rules} rules':{width}}        µs  ×Cedar  of the limit"]
    for name, each in found.items():
        cedar = each.get("Cedar, its context made of the facts")
        lines += ["", name]
        for what, took in each.items():
            beside = f"{took / cedar:7.2f}" if cedar else " " * 7
            limit = f"{100 * took / limits[what]:9.0f} % of {limits[what]:.0f} µs" if what in limits else ""
            lines.append(f"  {what:{width}}{took:8.1f} {beside} {limit}".rstrip())
    return "\n".join(lines)


def main() -> None:
    """Prints what was measured."""
    print(told(measured()))


if __name__ == "__main__":
    main()
