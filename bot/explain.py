"""How is a decision told on a terminal? Every rule with its reason, where it is written, and all that would help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from textwrap import wrap
from typing import Any, NamedTuple

from bot.facts_json import plain
from policy import wording
from policy.document import ActivePolicy
from policy.facts import Question
from policy.finding import Decision, Finding, Remedy, Standing
from policy.rulebook import rules_for

MARKS = {
    Standing.MET: "✓",
    Standing.UNMET: "✗",
    Standing.UNKNOWN: "?",
    Standing.WAIVED: "○",
    Standing.WARNING: "!",
    Standing.NOT_APPLICABLE: "–",
}
WIDTH = 100


class Clocks(NamedTuple):
    """The policy's zone, and the reader's."""

    policy: tzinfo
    reader: tzinfo

    def both(self, at: datetime) -> str:
        """`Tue 24 Nov 2026 10:00 CET`, and what the reader's clock shows then, where it shows something else."""
        ours, theirs = wording.instant(at, self.policy), wording.instant(at, self.reader)
        return ours if ours == theirs else f"{ours} = {theirs}"

    def in_text(self, text: str) -> str:
        """The text, with the same after every instant in it that is told in the policy's zone."""
        return _INSTANT.sub(lambda found: self._found(found[0]), text)

    def _found(self, told: str) -> str:
        words = told.rpartition(" ")[0]
        wall = datetime.strptime(words, "%a %d %b %Y %H:%M:%S" if words.count(":") > 1 else "%a %d %b %Y %H:%M")  # noqa: DTZ007 (the zone comes next)
        for fold in (0, 1):
            at = wall.replace(tzinfo=self.policy, fold=fold)
            if wording.instant(at, self.policy) == told:
                return self.both(at)
        return told


_INSTANT = re.compile(r"\b[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)? (?:[A-Z]{2,5}|[+-]\d{2,4})\b")
"""As `wording.instant` writes one."""


def told(
    words: str, question: Question, decision: Decision, active: ActivePolicy, clocks: Clocks, supposing: str
) -> str:
    """The whole decision for people to read. `supposing`: what was taken for granted; empty where nothing was."""
    lines = [
        words,
        f"  on {clocks.both(decision.at)}, under {active.source or 'the policy'}, sha256 {active.hash[:12]}",
    ]
    if supposing:
        lines += wrap(supposing, WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines += ["", _verdict(decision), ""]
    for finding in decision.findings:
        lines += _finding(finding, clocks)
    turning = {rule.requires for rule in rules_for(active.policy, question) if rule.turns_with_time}
    never = decision.earliest is None and any(finding.rule in turning for finding in decision.blockers)
    lines += ["", *_after(decision, clocks), *(["No opening is known that time would bring."] if never else [])]
    return "\n".join(lines).rstrip()


def _verdict(decision: Decision) -> str:
    if decision.allowed:
        return "Allowed."
    if not decision.findings:
        return "Refused: no rule of the policy speaks of this."
    missing = [finding.rule for finding in decision.blockers]
    are = "is" if len(missing) == 1 else "are"
    return f"Refused: {len(missing)} of {len(decision.findings)} rules {are} not met ({', '.join(missing)})."


def _finding(finding: Finding, clocks: Clocks) -> Iterator[str]:
    source = f"  [{finding.source}]" if finding.source else ""
    says = f"{MARKS[finding.standing]} {finding.rule}: {clocks.in_text(finding.reason)}{source}"
    yield from wrap(says, WIDTH, subsequent_indent="    ")
    for remedy in finding.remedies:
        says = f"→ {clocks.in_text(remedy.says)}"
        yield from wrap(says, WIDTH, initial_indent="    ", subsequent_indent="      ")


def _after(decision: Decision, clocks: Clocks) -> Iterator[str]:
    if decision.ways:
        yield "Any of these would do:" if len(decision.ways) > 1 else "This would do:"
        for number, way in enumerate(decision.ways, 1):
            says = f"{number}. {'; and '.join(clocks.in_text(remedy.says) for remedy in way)}"
            yield from wrap(says, WIDTH, initial_indent="  ", subsequent_indent="     ")
    if decision.earliest is not None:
        yield f"Time opens it on {clocks.both(decision.earliest)}."
    if not decision.allowed:
        able = helpers(decision)
        yield f"Who can help now: {wording.listed(able)}." if able else "Nobody can help now."
    for note in decision.notes:
        yield from wrap(clocks.in_text(note), WIDTH, initial_indent="• ", subsequent_indent="  ")


def helpers(decision: Decision) -> tuple[str, ...]:
    """Whoever can do something about it, by name."""
    return tuple(sorted({who for finding in decision.findings for remedy in finding.remedies for who in remedy.who}))


def as_plain(question: Question, decision: Decision, active: ActivePolicy) -> dict[str, Any]:
    """The whole decision for machines."""
    return {
        "allowed": decision.allowed,
        "question": plain(Question, question),
        "at": _iso(decision.at),
        "policy": {"sha256": active.hash, "source": active.source},
        "findings": [
            {
                "rule": finding.rule,
                "standing": finding.standing.value,
                "reason": finding.reason,
                "source": finding.source,
                "by": finding.by,
                "remedies": [_remedy_plain(remedy) for remedy in finding.remedies],
            }
            for finding in decision.findings
        ],
        "earliest": _iso(decision.earliest),
        "closes": _iso(decision.closes),
        "ways": [[_remedy_plain(remedy) for remedy in way] for way in decision.ways],
        "helpers": list(helpers(decision)),
        "notes": list(decision.notes),
    }


def _remedy_plain(remedy: Remedy) -> dict[str, Any]:
    return {"kind": remedy.kind.value, "says": remedy.says, "who": list(remedy.who), "at": _iso(remedy.at)}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else str(plain(datetime, at))
