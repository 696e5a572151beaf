"""What do people state besides, when they agree or ask? In plain sentences, before a button counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from commands.grammar import nearest, spoken
from commands.judged import Decided
from commands.operation import Operation
from commands.ports import Store
from commands.reply import Ask, Button, Confirm, Line, Mark, Tone
from policy.case import Case
from policy.finding import BLOCKING, Standing
from policy.freezes import in_scope, recurring
from policy.gates import Mode
from policy.model import Unknown
from policy.rules.freeze import in_the_way
from policy.terms import agreement
from policy.votes import counted

SHOWN = 8
"""Hex digits of a plan's hash that a button carries: enough to tell any two plans of one request apart."""
WHY = (Ask("reason", "Why do you agree?", "Everybody reads it.", long=True),)


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that a person vouches for."""

    name: str
    """What a vote names: a gate, an item of a checklist, a freeze."""
    says: str
    """A sentence without the full stop."""


def votes(
    id: str, plan: str, about: str, ask: str, what: str, judged: Decided | None = None, *others: Decided
) -> tuple[Button, Button]:
    """Approve and Reject, for exactly this plan, with all that whoever approves states: of `others` in it, too."""
    asked = () if judged is None else (judged, *others)
    stated = tuple({one.name: one for one_of in asked for one in to_agree(one_of)}.values())
    sentences = [what, *(["You state:"] if stated else []), *(f"• {each.says}." for each in stated)]
    approve = Button(
        "Approve",
        approving(id, plan[:SHOWN], [each.name for each in stated]),
        Tone.PRIMARY,
        Confirm(ask, "\n".join(sentences), "Approve"),
        asks=WHY if any(map(says_why, asked)) else None,
        meant_for=f"Approve {about}",
    )
    says = spoken("reject", id, plan=plan[:SHOWN])
    return approve, Button("Reject", says, Tone.DANGER, asks="reason", meant_for=f"Reject {about}")


def approving(id: str, plan: str, confirms: Iterable[str]) -> str:
    """The words of an approval, but for the reason."""
    stated = ",".join(sorted(confirms))
    return spoken("approve", id, plan=plan, **({"confirms": stated} if stated else {}))


def says_why(judged: Decided) -> bool:
    """Whether whoever agrees must give a reason."""
    terms = judged.case.once(agreement)
    return not isinstance(terms, Unknown) and terms.reason


def lines(judged: Decided) -> tuple[Line, ...]:
    """What approving states, for all to read before."""
    return tuple(Line(Mark.NOTE, f"Approving states: {each.says}") for each in to_agree(judged))


def by_the_asker(operation: Operation, judged: Decided | None) -> tuple[Button, ...]:
    """What whoever asked has yet to state, behind one button; it asks for the same again and states it."""
    missing = () if judged is None else to_ask(judged)
    if not missing:
        return ()
    question = operation.question
    says = spoken(
        "promote",
        question.service,
        f"{question.source}→{question.target}",
        **({"type": question.change} if question.change else {}),
        confirms=",".join(each.name for each in missing),
    )
    text = "\n".join(f"• {each.says}." for each in missing)
    return (Button("I state this", says, Tone.PRIMARY, Confirm("Do you state this?", text, "I do")),)


def to_agree(judged: Decided) -> tuple[Statement, ...]:
    """What somebody who approves vouches for."""
    return (*_of_gates(judged, "approver"), *_through_freezes(judged))


def to_ask(judged: Decided) -> tuple[Statement, ...]:
    """What whoever asked must vouch for and has not."""
    stated = judged.facts.confirmed
    return tuple(each for each in _of_gates(judged, "requester") if each.name not in stated)


async def nothing_called(names: frozenset[str], case: Case, store: Store) -> str | None:
    """Which of these names nothing that could be stated in this case bears, and what is near it; None: each is meant.

    A freeze that is over by now is meant, too: it was in the way when the button was made.
    """
    if not names:
        return None
    place = case.question.place
    items = [gate.checklist for gate in case.gates.values() if gate.kind == "checklist"]
    able = [*case.gates, *(f"{each}.{item.id}" for each in items for item in case.policy.checklists[each])]
    yearly = tuple(f"{each.says.name}-" for each in recurring(case.policy, place))
    for name in sorted(names.difference(able)):
        if name.startswith(yearly) or in_scope(filter(None, [await store.freeze(name)]), case.question):
            continue
        declared = [each.id for each in in_scope(await store.freezes(case.at), case.question)]
        known = nearest(name, (*able, *declared)) if able or declared else "Nothing has to be stated."
        return f"Nothing that could be stated here is called `{name[:40]}`. {known}"
    return None


def _of_gates(judged: Decided, who: str) -> Iterator[Statement]:
    found = {finding.rule: finding for finding in judged.decision.findings}
    for name, gate in judged.case.gates.items():
        finding = found.get(name)
        if finding is None or finding.standing is Standing.NOT_APPLICABLE:
            continue
        if gate.kind == "attest":
            if who in gate.by:
                yield Statement(name, gate.statement)
        elif gate.kind == "checklist":
            yield from _items(judged, gate.checklist, who)
        elif gate.mode is Mode.ACKNOWLEDGE and who == "approver" and finding.standing in BLOCKING:
            yield Statement(name, f"I have seen that {gate.title or name} is not met")


def _items(judged: Decided, checklist: str, who: str) -> Iterator[Statement]:
    """Those items that nobody else has ticked."""
    count = judged.case.once(counted)
    ticked = judged.facts.confirmed | (frozenset() if isinstance(count, Unknown) else count.confirmed)
    for item in judged.case.policy.checklists[checklist]:
        if item.by in {who, "either"} and f"{checklist}.{item.id}" not in ticked:
            yield Statement(f"{checklist}.{item.id}", item.text)


def _through_freezes(judged: Decided) -> Iterator[Statement]:
    for freeze in in_the_way(judged.case):
        by = f"by {freeze.owner}" if freeze.owner else "by the calendar"
        yield Statement(freeze.id, f"It goes through the freeze {freeze.id} {by}: {freeze.reason}")
