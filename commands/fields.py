"""What can be said besides, and what must be? Keys of promotions, freezes, exceptions; how the missing are asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands.grammar import spoken
from commands.reply import Ask, Button, Code, Line, Mark, Reply, Tone
from policy.facts import EMERGENCY, Deed, Question
from policy.finding import Decision, Standing

if TYPE_CHECKING:  # see commands/ports.py
    from policy.case import Case
    from policy.document import Policy
    from policy.gates import RecordGate

PLANNED = "coordination-plan"
"""Of a set in which one breaks those that need it: a link to how they go together."""
SAYS_MAX = 2000  # UTF-16 units in a button's words: bot/slack_out.py leaves out a button that has more
PROMOTION = ("reason", "type", "confirms", "incident")
ROLLBACK = ("reason", "incident", "despite", "leaves", "flag", "config", "by", "link")
FREEZE = ("from", "until", "reason", "exit")
EXCEPTION = ("waive", "kind", "from", "until", "digest", "reason")
RELAXATION = ("relax", "branch", "pr")
SHORT = frozenset({*RELAXATION, "waive", "kind", "from", "until", "digest", "incident", "ticket", "type", "owner"})
"""Keys that one line is enough for."""


# Which there are ----------------------------------------------------------------------------------------------------


def of_promotion(policy: Policy, service: str, source: str, target: str) -> tuple[str, ...]:
    """Every key that a promotion along this path can bear, whatever its type."""
    kinds = policy.change_types
    asked = [key for name in ("", *kinds) for key in _recorded(policy, service, source, target, name)]
    asked += [key for kind in kinds.values() for key in kind.fields]
    asked += policy.emergency.fields if policy.emergency else ()
    return _each((*PROMOTION, policy.rollback.database.said, *asked, *policy.freezes.override_fields))


def of_rollback(policy: Policy) -> tuple[str, ...]:
    return _each((*ROLLBACK, *kept_of_rollback(policy)))


def kept_of_rollback(policy: Policy) -> tuple[str, ...]:
    """What else can be said for one, and is kept with it: what the policy asks for, and what its emergency does."""
    rules = policy.rollback
    recorded = policy.emergency.fields if policy.emergency is not None and rules.emergency_outside_window else ()
    return _each((*rules.fields, *(key for key in recorded if key not in ROLLBACK)))


def of_freeze(policy: Policy) -> tuple[str, ...]:
    return _each((*FREEZE, *policy.freezes.fields))


def of_exception(policy: Policy) -> tuple[str, ...]:
    kinds = policy.exceptions.values()
    relaxes = RELAXATION if any(kind.relaxes for kind in kinds) else ()
    return _each((*EXCEPTION, *relaxes, *(key for kind in kinds for key in kind.fields)))


def of_hotfix(policy: Policy) -> tuple[str, ...]:
    return _each(("ticket", "reason", *(() if policy.hotfix is None else policy.hotfix.fields)))


def _recorded(policy: Policy, service: str, source: str, target: str, change: str) -> list[str]:
    from policy.required import required  # noqa: PLC0415 (pydantic, which taking down words can do without)

    gates = required(policy, Question(Deed.PROMOTE, service, target, source, change)).gates.values()
    keys = [key for gate in gates if gate.kind == "record" for key in (*gate.only_if, *gate.fields)]
    return [*keys, *(["severity"] if any(gate.when and gate.when.severities for gate in gates) else [])]


def _each(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))


# Which are missing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not said, or not so that it makes sense."""

    key: str
    why: str
    """Goes on after the key: `an emergency needs it`."""
    choices: tuple[str, ...] = ()
    """One of these, where it is not free text."""


def unsaid(wanted: Iterable[str], said: Mapping[str, str], why: str) -> list[Gap]:
    """A gap for each key that was left out or left blank."""
    return [Gap(key, why) for key in wanted if not said.get(key, "").strip()]


def of_a_rollback(policy: Policy, reason: str, said: Mapping[str, str]) -> list[Gap]:
    """What the policy wants said of one and was not."""
    rules = policy.rollback
    gaps = unsaid(rules.fields, said, "a rollback needs it here")
    if rules.reasons and reason not in rules.reasons:
        gaps.insert(0, Gap("reason", "a rollback has one of these reasons here", rules.reasons))
    return gaps


def of_change(case: Case, decision: Decision) -> tuple[Gap, ...]:
    """What this promotion's type and gates want said and nobody said."""
    policy, said = case.policy, case.facts.fields
    gaps: list[Gap] = []
    if case.question.change == EMERGENCY and policy.emergency is not None:
        gaps += unsaid(policy.emergency.fields, said, "an emergency needs it")
    if case.change is not None:
        gaps += unsaid(case.change.fields, said, f"a change of type {case.question.change} needs it")
    declares = policy.rollback.database
    if (said.get(declares.said) or next(iter(declares.declares))).strip().casefold() not in declares.declares:
        gaps.append(Gap(declares.said, "what it does to the database is", tuple(declares.declares)))
    unmet = {finding.rule for finding in decision.findings if finding.standing is Standing.UNMET}
    for name, gate in case.gates.items():
        if gate.kind == "record" and name in unmet:
            gaps += unsaid(_recorded_in(gate, said), said, f"{name} asks for it")
    return tuple({gap.key: gap for gap in reversed(gaps)}.values())[::-1]


def _recorded_in(gate: RecordGate, said: Mapping[str, str]) -> Iterable[str]:
    """What it wants said, given what was said: first that which the rest depends on."""
    unsure = [key for key in gate.only_if if not said.get(key, "").strip()]
    return unsure or gate.fields


# How they are asked -------------------------------------------------------------------------------------------------


def ask_for(what: str, gaps: Sequence[Gap], words: Sequence[str], said: Mapping[str, str]) -> Reply:
    """`what` and each gap with its reason; a dialog that asks for exactly these, and how to say it in words."""
    wrong = {gap.key for gap in gaps}
    begun = spoken(*words, **{key: value for key, value in said.items() if key not in wrong and value.strip()})
    fill_in = Button("Fill in", begun, Tone.PRIMARY, asks=tuple(map(ask, gaps)))
    missing = " ".join(f"{gap.key}:…" for gap in gaps)
    lines = tuple(Line(Mark.NO, (Code(f"{gap.key}:"), f" {gap.why}{_one_of(gap)}")) for gap in gaps)
    if not _fits(begun, gaps):
        says = "What you said is too long for a dialog. Say all of it once more, shorter or in one piece, and in it "
        return Reply(what, lines=lines, footer=(says, Code(missing)))
    return Reply(what, lines=lines, buttons=(fill_in,), footer=("Or say ", Code(f"/release {begun} {missing}")))


def _fits(begun: str, gaps: Sequence[Gap]) -> bool:
    """Whether one button bears these words and all that it asks for, written as bot/dialogs.py does, but for hints."""
    borne = [begun, [[gap.key, "rl", "", "", gap.choices] for gap in gaps]]
    text = json.dumps(borne, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 <= SAYS_MAX


def _one_of(gap: Gap) -> str:
    return f": one of {', '.join(gap.choices)}" if gap.choices else ""


def ask(gap: Gap) -> Ask:
    name = gap.key.replace("-", " ").capitalize()
    return Ask(gap.key, name, f"{gap.why[:1].upper()}{gap.why[1:]}", long=gap.key not in SHORT, choices=gap.choices)
