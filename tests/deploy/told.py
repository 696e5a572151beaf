"""What do these states come to, word by word? Reads them pickled, and writes for each a line of JSON."""

from __future__ import annotations

import json
import pickle
import re
import sys
from collections.abc import Iterable
from datetime import datetime

import policy.decide
from policy.decide import decide, decide_again
from policy.document import ActivePolicy
from policy.facts import Facts, Question
from policy.finding import Decision, Finding, Remedy

State = tuple[ActivePolicy, Question, Facts, datetime]
COMPILED = not policy.decide.__file__.endswith(".py")

_OUR_FAULT = re.compile(r"(?<=fault of the bot's) \(\w+\)")
"""What a rule stumbles over has another name in compiled code; that it stumbles is the same."""


def told(state: State) -> str:
    """All that people could read of what is decided, with advice and without."""
    active, question, facts, at = state
    both = [_told(decide(question, facts, active, at)), _told(decide_again(question, facts, active, at))]
    return _OUR_FAULT.sub("", json.dumps(both, ensure_ascii=False, default=str))


def _told(decision: Decision) -> list[object]:
    findings = [_found(finding) for finding in decision.findings]
    ways = [[_advised(remedy) for remedy in way] for way in decision.ways]
    rest = decision.at, decision.policy_hash, decision.earliest, decision.closes, decision.notes
    return [decision.allowed, decision.waits_for_people_only, findings, ways, *rest]


def _found(finding: Finding) -> list[object]:
    advice = [_advised(remedy) for remedy in finding.remedies]
    return [
        finding.rule,
        finding.standing,
        finding.reason,
        advice,
        finding.waits_for_people,
        finding.source,
        finding.by,
    ]


def _advised(remedy: Remedy) -> list[object]:
    return [remedy.kind, remedy.says, remedy.who, remedy.at]


def allowed(line: str) -> bool:
    """Whether that line lets it through, with advice or without."""
    return any(first for first, *_ in json.loads(line))


def lines(states: Iterable[State]) -> list[str]:
    return [told(state) for state in states]


def main() -> None:
    """Nothing where it is the plain policy that would answer."""
    if not COMPILED:
        sys.exit(f"not compiled: {policy.decide.__file__}")
    for line in lines(pickle.load(sys.stdin.buffer)):
        print(line)


if __name__ == "__main__":
    main()
