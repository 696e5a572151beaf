"""What do we say about an operation? Replies from its state alone, so that a message never shows more than is true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from commands.operation import Operation, Phase, Step, Wish
from commands.plan import Plan
from commands.ports import Comparison
from commands.reply import Bold, Button, Code, Confirm, Line, Mark, Mention, Piece, Reply, Text, Tone, When
from policy.facts import Deed, Verdict, Vote
from policy.finding import Decision, Finding, Remedy, RemedyKind, Standing
from policy.model import Person, Unknown, short

MARKS = {
    Standing.MET: Mark.YES,
    Standing.UNMET: Mark.NO,
    Standing.UNKNOWN: Mark.UNKNOWN,
    Standing.WAIVED: Mark.WAIVED,
    Standing.NOT_APPLICABLE: Mark.NOT_APPLICABLE,
}
CHANGES_SHOWN = 8
PLAN_SHOWN = 8
"""Hex digits of a plan's hash that a button carries: enough to tell any two plans of one request apart."""


def who(person: Person) -> Mention:
    return Mention(person.account, person.name)


def texts(*pieces: Text) -> Text:
    """One text from several."""
    out: list[Piece] = []
    for piece in pieces:
        out += [piece] if isinstance(piece, str) else piece
    return tuple(out)


def span(length: timedelta) -> str:
    """`2 d 4 h`, `35 min`, `8 s`, `0.4 s`: the two largest units."""
    if length < timedelta(seconds=10):
        return f"{max(0.0, length.total_seconds()):.1f} s"
    seconds = round(length.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown)


def findings(decision: Decision) -> tuple[Line, ...]:
    """One line for each rule, and under an unmet one what would help."""
    lines: list[Line] = []
    for finding in decision.findings:
        lines.append(Line(MARKS[finding.standing], texts((Bold(finding.rule),), f": {finding.reason}")))
        lines += [Line(Mark.NOTE, _remedy(remedy)) for remedy in finding.remedies]
    lines += [Line(Mark.NOTE, note) for note in decision.notes]
    if decision.earliest is not None:
        waits = [any(r.kind is RemedyKind.WAIT for r in finding.remedies) for finding in decision.blockers]
        says = (
            "Waiting alone would do: possible from "
            if all(waits)
            else "Time opens it, the rest is still to do: not before "
        )
        lines.append(Line(Mark.NOTE, (says, When(decision.earliest), ".")))
    return tuple(lines)


def _remedy(remedy: Remedy) -> Text:
    if remedy.kind is RemedyKind.WAIT and remedy.at is not None:
        return (f"{remedy.says}: ", When(remedy.at))
    return remedy.says


def title(operation: Operation) -> str:
    """`checkout 3f2a91cc0011 → prod`."""
    plan = operation.plan
    name = short(plan.digest) if plan else "?"
    arrow = "⟲" if operation.question.deed is Deed.ROLLBACK else "→"
    return f"{operation.question.service} {name} {arrow} {operation.question.target}"


_STATES = {
    Phase.BLOCKED: "is blocked for now",
    Phase.WAITING: "is waiting for approval",
    Phase.RUNNING: "is under way",
    Phase.GOING_BACK: "went bad and is being taken back",
    Phase.DONE: "is live",
    Phase.ROLLED_BACK: "was taken back",
    Phase.FAILED: "failed",
    Phase.REJECTED: "was rejected",
    Phase.CANCELLED: "was cancelled",
    Phase.EXPIRED: "expired",
    Phase.UNCERTAIN: "ended in doubt: somebody has to look",
}


_WISHES = {
    Wish.PAUSE: "is held where it is",
    Wish.ABORT: "is being aborted",
    Wish.CANCEL: "is being aborted",
    Wish.YIELD: "gives way to a rollback",
}


def state(operation: Operation) -> str:
    """A full sentence that makes sense alone."""
    says = _STATES[operation.phase]
    if operation.question.deed is Deed.ROLLBACK:
        says = {Phase.DONE: "serves again", Phase.WAITING: "is about to begin"}.get(operation.phase, says)
    if operation.phase is Phase.RUNNING:
        says = _WISHES.get(operation.wish, says)
    return f"{title(operation)} {says}."


def root(operation: Operation, decision: Decision | None = None) -> Reply:
    """The one message of a request that stands in the channel."""
    plan = operation.plan
    fields: list[tuple[str, Text]] = [("Asked by", (who(operation.asked_by),)), ("Service", operation.question.service)]
    if plan is not None:
        fields.append(("From → to", _from_to(operation)))
        fields.append(("Digest", (Code(short(plan.digest)),)))
    if operation.reason:
        fields.append(("Reason", operation.reason))
    lines = [] if not operation.note else [Line(Mark.NOTE, operation.note)]
    if decision is not None and operation.phase is Phase.BLOCKED:
        lines += [line for line in findings(decision) if line.mark in {Mark.NO, Mark.UNKNOWN}]
    if operation.moving or operation.over:
        lines += list(progress(operation))
    return Reply(
        title=state(operation),
        fields=tuple(fields),
        lines=tuple(lines),
        buttons=buttons(operation),
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )


def _from_to(operation: Operation) -> Text:
    question = operation.question
    return f"{question.source} → {question.target}" if question.source else f"back in {question.target}"


def buttons(operation: Operation) -> tuple[Button, ...]:
    """What can be pressed in this state; in an end, nothing."""
    plan, id = operation.plan, operation.id
    name = title(operation)
    abort = Button(
        "Abort",
        f"abort {id}",
        Tone.DANGER,
        Confirm("Abort this release?", f"Traffic of {operation.place} goes back to what served before.", "Abort"),
        meant_for=f"Abort {name}",
    )
    match operation.phase:
        case Phase.WAITING if plan is not None and plan.deed == "promote":
            approve = Button(
                "Approve",
                f"approve {id} plan:{plan.hash[:PLAN_SHOWN]}",
                Tone.PRIMARY,
                Confirm(
                    "Ship this?",
                    f"{plan.service} {short(plan.digest)} goes to {plan.target}: {_steps(plan)}.",
                    "Approve",
                ),
                meant_for=f"Approve {name}",
            )
            reject = Button(
                "Reject",
                f"reject {id} plan:{plan.hash[:PLAN_SHOWN]}",
                Tone.DANGER,
                asks="reason",
                meant_for=f"Reject {name}",
            )
            return (approve, reject, Button("Cancel", f"cancel {id}", meant_for=f"Cancel {name}"))
        case Phase.BLOCKED:
            return (
                Button("Check again", f"resume {id}", meant_for=f"Check {name} again"),
                Button("Cancel", f"cancel {id}", meant_for=f"Cancel {name}"),
            )
        case Phase.RUNNING if plan is not None and plan.deed == "promote" and operation.wish is Wish.PAUSE:
            return (Button("Resume", f"resume {id}", Tone.PRIMARY, meant_for=f"Resume {name}"), abort)
        case Phase.RUNNING if plan is not None and plan.deed == "promote" and operation.wish is Wish.RUN:
            return (Button("Pause", f"pause {id}", meant_for=f"Pause {name}"), abort)
        case Phase.DONE | Phase.ROLLED_BACK | Phase.FAILED if hold := operation.seen.get("hold"):
            return (Button("Lift the hold", f"freeze end {hold}", meant_for=f"Lift the hold of {name}", asks="reason"),)
        case _:
            return ()


def _steps(plan: Plan) -> str:
    return " → ".join(f"{step.percent} %" for step in plan.steps)


def _described(operation: Operation) -> tuple[tuple[str, Text], ...]:
    planned = operation.plan
    if planned is None:
        return ()
    forward: tuple[tuple[str, Text], ...] = (
        ("Steps", _steps(planned)),
        ("If it goes bad", ("back to ", Code(planned.from_revision))),
    )
    return (
        ("Digest", (Code(planned.digest),)),
        ("Commit", (Code(planned.commit or "not known"),)),
        ("Now serving", (Code(f"{short(planned.from_digest)} ({planned.from_revision})"),)),
        ("From → to", _from_to(operation)),
        *(forward if planned.deed == Deed.PROMOTE else ()),
        ("Plan", (Code(planned.hash[:12]),)),
        ("Policy", (Code(planned.policy_hash[:12]),)),
    )


def plan(operation: Operation, decision: Decision, comparison: Comparison | Unknown | None = None) -> Reply:
    """What exactly would be done, every rule for it, and who can say yes."""
    lines = [*findings(decision), *changes(comparison)]
    return Reply(
        title=f"Plan for {title(operation)}: {verdict(decision)}",
        fields=_described(operation),
        lines=tuple(lines),
        buttons=() if operation.moving else buttons(operation),
    )


def closed(operation: Operation) -> Reply:
    """In place of the plan, once it can no longer be agreed to."""
    return Reply(state(operation), fields=_described(operation))


def verdict(decision: Decision) -> str:
    if decision.allowed:
        return "every rule is met"
    missing = [finding.rule for finding in decision.blockers]
    return f"{len(missing)} of {len(decision.findings)} rules not met ({', '.join(missing)})"


def changes(comparison: Comparison | Unknown | None) -> tuple[Line, ...]:
    """The commits between what serves and what would."""
    if comparison is None:
        return ()
    if isinstance(comparison, Unknown):
        return (Line(Mark.NOTE, f"Changes: {comparison.why}"),)
    if not comparison.changes:
        return (
            Line(Mark.NOTE, f"Changes: {comparison.ahead} commits ahead, {comparison.behind} behind what serves now"),
        )
    newest = comparison.changes[::-1][:CHANGES_SHOWN]
    lines = [Line(Mark.NOTE, (Code(short(change.commit)), f" {change.title} ({change.author})")) for change in newest]
    if comparison.ahead > len(newest):
        lines.append(Line(Mark.NOTE, f"and {comparison.ahead - len(newest)} commits before that"))
    return tuple(lines)


def progress(operation: Operation) -> tuple[Line, ...]:
    """What was done and measured so far, a line for each step."""
    return tuple(
        Line(Mark(seen["mark"]), seen["says"]) for key, seen in operation.seen.items() if isinstance(seen, dict)
    )


def step(operation: Operation, key: str) -> Reply:
    """One step, said in the thread when it has been taken."""
    seen = operation.seen[key]
    return Reply(f"{seen['mark']} {title(operation)}: {seen['says']}")


def ended(operation: Operation, at: datetime) -> Reply:
    """How it ended, in the thread."""
    took = f" It took {span(at - operation.began_at)}." if operation.began_at else ""
    return Reply(
        f"{state(operation)}{took}",
        lines=tuple([Line(Mark.NOTE, operation.note)] if operation.note else []),
        buttons=buttons(operation),
    )


def voted(operation: Operation, vote: Vote) -> Reply:
    """What a vote was, for all to see."""
    if vote.verdict is Verdict.APPROVE:
        return Reply(texts((who(vote.voter),), f" approved {title(operation)}. Checking everything again."))
    return Reply(texts((who(vote.voter),), f" rejected {title(operation)}: {vote.reason}"))


def checking(operation: Operation, voter: Person) -> Reply:
    """In place of the buttons, the moment somebody agreed."""
    return Reply(
        f"⏳ {title(operation)}: approved by {voter.name}, checking everything again.",
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )


def refused(sentence: str, decision: Decision | None = None, title: str = "") -> Reply:
    """No, privately, with the reasons."""
    return Reply(f"{title}{sentence}", lines=findings(decision) if decision is not None else ())


def count(number: int, thing: str) -> str:
    """`1 freeze`, `2 freezes`, `no freeze`."""
    return f"{number or 'no'} {thing}{'s' if number > 1 else ''}"


def missing(blockers: Sequence[Finding]) -> str:
    return "; ".join(f"{finding.rule}: {finding.reason}" for finding in blockers)


def doing(operation: Operation) -> str:
    """What is being done right now, for `status`."""
    planned = operation.plan
    if operation.phase is Phase.GOING_BACK:
        return "taking traffic back"
    if not operation.moving or planned is None:
        return operation.phase.value
    moment = operation.moment
    percent = planned.steps[moment.index].percent if moment.step in {Step.SHIFT, Step.JUDGE} else 0
    match moment.step:
        case Step.SHIFT:
            return f"moving {percent} % of traffic"
        case Step.JUDGE:
            return f"watching {percent} % of traffic"
        case other:
            return other.value
