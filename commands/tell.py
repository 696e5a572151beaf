"""What do we say about an operation? Replies from its state alone, so that a message never shows more than is true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from commands import confirm, explain, fields, notes
from commands.explain import texts
from commands.grammar import ARROW, spoken
from commands.judged import Judged
from commands.operation import Operation, Phase, Step, Wish
from commands.plan import Plan, PlannedStep
from commands.ports import Comparison
from commands.record import manifest_id
from commands.reply import Button, Code, Confirm, Line, Link, Mark, Mention, Reply, Text, Tone, When
from policy import wording
from policy.document import Model
from policy.evidence import NOT_GATHERED, Changes
from policy.facts import EMERGENCY, Deed, Verdict, Vote
from policy.finding import Decision, Standing
from policy.model import Person, Unknown, short
from policy.rulebook import rules_for
from policy.rules.approval import APPROVALS, SECOND_PERSON
from policy.rules.freeze import NO_FREEZE
from policy.rules.window import WINDOW
from policy.wording import listed

CHANGES_SHOWN = 8
WAITS = "waits"
"""Key in what was seen: what a request waits for."""
FORWARD = "forward"
"""Key in what was seen: at which step something went bad that does not go back by itself."""
AGREED = "agreed_at"
"""Key in what was seen: when all had agreed to a rollback that others must agree to."""
ASKED = "asked"
"""Key in what was seen: what somebody is asked about the step under way."""
NUMBERS = "numbers"
"""What people are asked about: too few numbers came. Where a trigger asks, it is `trigger:` and its name."""
HELD = "held"
"""The same: it has been held for long. Also a key in what was seen: since when, why, and when people are asked next."""
AGREEING = frozenset({SECOND_PERSON, APPROVALS})
"""What a request that waits for approval lacks anyway."""


class Doubt(NamedTuple):
    """One question about a step under way. Only an answer to this very one lets it go on."""

    id: str
    about: str
    why: str
    at: datetime


def who(person: Person) -> Mention:
    return Mention(person.account, person.name)


def span(length: timedelta) -> str:
    """`2 d 4 h`, `35 min`, `8 s`, `0.4 s`: the two largest units."""
    if length < timedelta(seconds=10):
        return f"{max(0.0, length.total_seconds()):.1f} s"
    seconds = round(length.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown)


def waits_for_people(operation: Operation) -> bool:
    """Whether it is a rollback that others must agree to and have not."""
    waiting = operation.phase in {Phase.WAITING, Phase.BLOCKED}
    return waiting and operation.question.deed is Deed.ROLLBACK and bool(operation.seen.get(WAITS))


def title(operation: Operation) -> str:
    """`checkout 3f2a91cc0011 → prod`; of several, `payments and checkout (M-1a2b3c4d5e) → prod`."""
    plan = operation.plan
    several = operation.question.services
    if plan is not None and plan.parts:
        return f"{listed(several)} ({manifest_id(plan.manifest)}) → {operation.question.target}"
    if plan is None and operation.question.deed is Deed.ROLLBACK:
        return f"{listed(several)} ⟲ {operation.question.target}"
    if plan is not None and plan.deed == Deed.REWIND and plan.branch is not None:
        return f"{operation.place} {plan.branch.target} ⟲ {short(plan.branch.head)}"
    name = short(plan.digest) if plan else "?"
    arrow = "⟲" if operation.question.deed is Deed.ROLLBACK else "→"
    return f"{operation.question.service} {name} {arrow} {operation.question.target}"


_STATES = {
    Phase.BLOCKED: "is blocked for now",
    Phase.WAITING: "is waiting for approval",
    Phase.RUNNING: "is under way",
    Phase.GOING_BACK: "went bad and is being taken back",
    Phase.WATCHING: "is live and watched for a while",
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
    Wish.LEAVE: "is being ended with its traffic as it stands",
}


def state(operation: Operation) -> str:
    """A full sentence that makes sense alone."""
    says = _STATES[operation.phase]
    if operation.question.deed is Deed.ROLLBACK:
        begins = says if waits_for_people(operation) else "is about to begin"
        in_turn = {Phase.WAITING: begins, Phase.WATCHING: "go back one after the other", Phase.DONE: "serves again"}
        says = in_turn.get(operation.phase, says)
    if operation.question.deed is Deed.REWIND:
        says = {Phase.DONE: "is where it was good again"}.get(operation.phase, says)
    if operation.of_a_set and operation.phase is Phase.WAITING:
        says = "is about to begin"
    if operation.plan is not None and operation.plan.parts:
        many = {
            Phase.WATCHING: "ship one after the other",
            Phase.DONE: "are live",
            Phase.BLOCKED: "are blocked for now",
        }
        many |= {Phase.WAITING: "are waiting for approval", Phase.REJECTED: "were rejected"}
        many |= {Phase.CANCELLED: "were cancelled", Phase.ROLLED_BACK: "were taken back"}
        says = many.get(operation.phase, says)
    if operation.phase is Phase.CANCELLED and operation.left is not None:
        says = "was ended with its traffic as it stands"
    if operation.phase is Phase.RUNNING:
        says = _WISHES.get(operation.wish, says)
    urgent = "EMERGENCY: " if operation.question.change == EMERGENCY else ""
    return f"{urgent}{title(operation)} {says}."


def root(operation: Operation, judged: Judged | None = None) -> Reply:
    """The one message of a request that stands in the channel."""
    plan, question = operation.plan, operation.question
    fields: list[tuple[str, Text]] = [("Asked by", (who(operation.asked_by),)), ("Service", question.service)]
    if plan is not None:
        fields.append(("From → to", _from_to(operation)))
        fields.append(("Digest", (Code(short(plan.digest)),)))
    if question.change:
        fields.append(("Type", question.change))
    if operation.emergency is not None and question.deed is Deed.ROLLBACK:
        fields.append(("Emergency", f"{operation.emergency.id}: it is outside the window"))
    if operation.reason:
        fields.append(("Reason", operation.reason))
    fields += [(name(key), value) for key, value in operation.fields.items()]
    lines = [] if not operation.note else [Line(Mark.NOTE, operation.note)]
    if judged is not None:
        lines += emergency(judged)
        blocked = operation.phase is Phase.BLOCKED
        lines += [explain.found(one) for one in judged.decision.blockers if blocked or one.rule not in AGREEING]
        lines += explain.way_on(judged.decision) if blocked else ()
        lines += confirm.lines(judged) if operation.phase is Phase.WAITING else ()
    if operation.moving or operation.over:
        lines += list(progress(operation))
    return Reply(
        title=state(operation),
        fields=tuple(fields),
        lines=tuple(lines),
        buttons=buttons(operation, judged),
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )


def name(key: str) -> str:
    """A key as people read it: `Rollback plan`."""
    return key.replace("-", " ").capitalize()


def emergency(judged: Judged) -> tuple[Line, ...]:
    """What it lets through, and what waiting would mean, so that people can weigh the two."""
    if judged.otherwise is None:
        return ()
    record = judged.facts.emergency
    through = [f for f in judged.decision.findings if f.standing is Standing.WAIVED and record and f.by == record.id]
    waiting: Text = "It could not wait for anything: no opening is known."
    if judged.otherwise.earliest is not None:
        left = span(judged.otherwise.earliest - judged.case.at)
        waiting = (
            f"Without the emergency it could wait: the next opening is in {left}, ",
            When(judged.otherwise.earliest),
        )
    elif not through:
        waiting = "It goes through nothing that is closed: an ordinary promotion would do."
    ends = (Line(Mark.NOTE, (f"{record.id} lets nothing through after ", When(record.ends_at))),) if record else ()
    return (*map(explain.found, through), Line(Mark.NOTE, waiting), *ends)


def _from_to(operation: Operation) -> Text:
    question, plan = operation.question, operation.plan
    if plan is not None and plan.deed == Deed.REWIND and plan.branch is not None:
        return f"{short(plan.branch.base)} → {short(plan.branch.head)}"
    return f"{question.source} → {question.target}" if question.source else f"back in {question.target}"


def buttons(operation: Operation, judged: Judged | None = None) -> tuple[Button, ...]:
    """What can be pressed in this state; in an end, nothing."""
    plan, id = operation.plan, operation.id
    name = title(operation)
    if operation.of_a_set and operation.phase in {Phase.WAITING, Phase.BLOCKED}:  # people agree to the whole
        return (Button("Check again", f"resume {id}", meant_for=f"Check {name} again"),)
    cancel = Button("Cancel", f"cancel {id}", meant_for=f"Cancel {name}")
    abort = Button(
        "Abort",
        f"abort {id}",
        Tone.DANGER,
        Confirm("Abort this release?", f"Traffic of {operation.place} goes back to what served before.", "Abort"),
        meant_for=f"Abort {name}",
    )
    all_the_same = replace(abort, label="Abort all the same", confirm=None, asks="reason")
    match operation.phase:
        case Phase.WAITING if plan is not None and plan.deed == "promote":
            ship = f"{plan.service} {short(plan.digest)} goes to {plan.target}: {_steps(plan)}."
            ask = "Ship this as an emergency?" if plan.emergency else "Ship this?"
            return (*confirm.votes(id, plan.hash, name, ask, ship, judged), cancel)
        case Phase.WAITING if plan is not None and waits_for_people(operation):
            back = f"{plan.revision} ({short(plan.digest)}) serves {operation.place} again, not {plan.from_revision}."
            return (*confirm.votes(id, plan.hash, name, "Go back to this?", back, judged), cancel)
        case Phase.WAITING if plan is not None and plan.deed == Deed.REWIND and (branch := plan.branch) is not None:
            back = f"{branch.target} of {plan.repository} goes back from {short(branch.base)} to {short(branch.head)}."
            return (*confirm.votes(id, plan.hash, name, "Take the branch back?", back, judged), cancel)
        case Phase.BLOCKED:
            again = Button("Check again", f"resume {id}", meant_for=f"Check {name} again")
            votes = _ahead_of_time(operation, judged)
            return (*votes, *confirm.by_the_asker(operation, judged), again, *_emergency(operation, judged), cancel)
        case Phase.RUNNING if operation.wish is Wish.PAUSE and FORWARD in operation.seen:
            leave = Button("Leave it so", f"leave {id}", meant_for=f"Leave {name} as it stands", asks="reason")
            return (Button("Resume", f"resume {id}", meant_for=f"Resume {name}"), leave, all_the_same)
        case Phase.RUNNING if plan is not None and plan.deed == "promote" and operation.wish is Wish.PAUSE:
            return (Button("Resume", f"resume {id}", Tone.PRIMARY, meant_for=f"Resume {name}"), abort)
        case Phase.RUNNING if (
            plan is not None and plan.deed == "promote" and operation.wish is Wish.RUN and (doubt := asked(operation))
        ):
            label = "Wait on" if doubt.about == HELD else "Go on"
            says = f"continue {id} question:{doubt.id}"
            return (Button(label, says, meant_for=f"{label} with {name}", asks="reason"), abort)
        case Phase.RUNNING if plan is not None and plan.deed == "promote" and operation.wish is Wish.RUN:
            return (Button("Pause", f"pause {id}", meant_for=f"Pause {name}"), abort)
        case Phase.DONE | Phase.ROLLED_BACK | Phase.FAILED | Phase.CANCELLED if hold := operation.seen.get("hold"):
            return (Button("Lift the hold", f"freeze end {hold}", meant_for=f"Lift the hold of {name}", asks="reason"),)
        case _:
            return ()


def _ahead_of_time(operation: Operation, judged: Judged | None) -> tuple[Button, ...]:
    """Where time alone opens the rest, people may agree before: it begins by itself when all is open.

    A freeze is somebody's no for now: nobody is asked to agree against it, though who does is heard.
    """
    plan = operation.plan
    if judged is None or plan is None or judged.decision.earliest is None:
        return ()
    rules = rules_for(judged.case.policy, judged.question)
    turning = {rules[place].requires for place in rules.turning} - {NO_FREEZE}
    blocking = {finding.rule for finding in judged.decision.blockers}
    if not blocking & AGREEING or not blocking - AGREEING <= turning:
        return ()
    opens = wording.instant(judged.decision.earliest, judged.case.zone)
    ship = f"{plan.service} {short(plan.digest)} goes to {plan.target} on {opens}: {_steps(plan)}."
    return confirm.votes(operation.id, plan.hash, title(operation), "Ship this when it opens?", ship, judged)


def _emergency(operation: Operation, judged: Judged | None) -> tuple[Button, ...]:
    """The way on where the window is closed, and an emergency would do: one, with all that must be said for it."""
    rules = None if judged is None else judged.case.policy.emergency
    question = operation.question
    if judged is None or rules is None or question.change == EMERGENCY:
        return ()
    closed = {finding.rule for finding in judged.decision.blockers} - AGREEING
    if WINDOW not in closed or not closed <= set(rules.waives):
        return ()
    says = spoken("promote", question.service, f"{question.source}{ARROW}{question.target}", type=EMERGENCY)
    gaps = fields.unsaid(rules.fields, {}, "an emergency needs it")
    asks = tuple(map(fields.ask, gaps))
    return (Button("Emergency", says, Tone.DANGER, asks=asks, meant_for=f"Emergency: {title(operation)}"),)


def _steps(plan: Plan) -> str:
    return " → ".join(f"{step.percent} %" for step in plan.steps)


def _described(operation: Operation) -> tuple[tuple[str, Text], ...]:
    return () if operation.plan is None else described(operation.plan)


def described(planned: Plan) -> tuple[tuple[str, Text], ...]:
    """The plan, part by part."""
    if planned.parts:
        return (
            *((part.service, _versions(part)) for part in planned.parts),
            ("From → to", f"{planned.source} → {planned.target}"),
            ("Manifest", (Code(f"{manifest_id(planned.manifest)} {planned.manifest}"),)),
            ("Plan", (Code(planned.hash[:12]),)),
            ("Policy", (Code(planned.policy_hash[:12]),)),
        )
    if planned.deed == Deed.REWIND and planned.branch is not None:
        return (
            ("Branch", planned.branch.target),
            ("Goes back from", (Code(planned.branch.base),)),
            ("To", (Code(planned.branch.head),)),
            ("Serves again", (Code(f"{short(planned.digest)} ({planned.revision})"),)),
            ("Plan", (Code(planned.hash[:12]),)),
            ("Policy", (Code(planned.policy_hash[:12]),)),
        )
    forward: tuple[tuple[str, Text], ...] = (
        ("Steps", _steps(planned)),
        ("If it goes bad", ("back to ", Code(planned.from_revision))),
    )
    return (
        ("Digest", (Code(planned.digest),)),
        ("Commit", (Code(planned.commit or "not known"),)),
        ("Now serving", (Code(f"{short(planned.from_digest)} ({planned.from_revision})"),)),
        *((("Left split", (Code(standing(planned.split)),)),) if planned.split else ()),
        ("From → to", f"{planned.source} → {planned.target}" if planned.source else f"back in {planned.target}"),
        *((("Database", planned.database),) if planned.database else ()),
        *_branch(planned),
        *(forward if planned.deed == Deed.PROMOTE else ()),
        ("Plan", (Code(planned.hash[:12]),)),
        ("Policy", (Code(planned.policy_hash[:12]),)),
    )


def _branch(planned: Plan) -> tuple[tuple[str, Text], ...]:
    """Where its branches stand, and by which pull request they come together."""
    branch = planned.branch
    if branch is None:
        return ()
    if planned.deed == Deed.ROLLBACK and planned.model == Model.FAST_FORWARD:
        goes = f" goes back from {branch.target} after traffic, once that is agreed to"
        return (("Branch", (Code(short(branch.head)), goes)),)
    if planned.deed == Deed.ROLLBACK:
        return (("Branch", (Code(short(branch.head)), f" is taken back from {branch.target} by a pull request")),)
    ends = (Code(short(branch.head)), f" of {branch.source} → {branch.target} at ", Code(short(branch.base)))
    if branch.held:
        return (("Branch", (f"{branch.target} holds ", Code(short(branch.head)), f" of {branch.source} already")),)
    if branch.pull_request is None:
        return (("Branch", ends),)
    number = f"#{branch.pull_request}"
    link = Link(branch.url, number) if branch.url else number
    return (("Branch", ends), ("Pull request", (link, f", description {branch.description[:12]}")))


def _versions(part: Plan) -> Text:
    """`a2a2a2a2a2a2 of a2a2a2a, now a1a1a1a1a1a1: 10 % → 100 %`."""
    pinned = (Code(short(part.digest)), " of ", Code(short(part.commit or "?")))
    if part.digest == part.from_digest:
        return (*pinned, ", serves there already")
    database = f", database {part.database}" if part.database else ""
    return (*pinned, ", now ", Code(short(part.from_digest)), f": {_steps(part)}{database}")


def plan(operation: Operation, judged: Judged) -> Reply:
    """What exactly would be done, every rule for it, and who can say yes."""
    decision = judged.decision
    stated = () if operation.moving else confirm.lines(judged)
    return Reply(
        title=f"Plan for {title(operation)}: {explain.verdict(decision)}",
        fields=_described(operation),
        lines=(
            *explain.findings(decision),
            *stated,
            *changes(judged.gathered.comparison, judged.facts.evidence.changes),
        ),
        buttons=() if operation.moving else buttons(operation, judged),
    )


def steps(planned: Plan) -> tuple[str, ...]:
    """What would be done, call by call and in order, each a sentence without the full stop."""
    github, run = f"GitHub {planned.repository}", f"Cloud Run {planned.site}"
    commit, revision = short(planned.commit or "?"), planned.revision
    if planned.branch is not None and not planned.branch.held and planned.model == Model.BRANCH_MERGE:
        commit = "that merge"
    health = planned.health
    judged = ""
    if health is not None:
        slow = f", 99 of 100 answers within {health.max_p99_ms:.0f} ms" if health.max_p99_ms is not None else ""
        bounds = f"at most {health.max_error_percent:g} % of at least {health.min_requests} requests fail{slow}"
        judged = f", and goes on where {bounds}"
    return (
        *_moved(planned, github),
        f"{github}: create a deployment of {commit} to {planned.target}, in progress",
        f"{run}: create the revision {revision} from {planned.image} at 0 % of the traffic",
        *(f"{revision}: {p.method} {p.path} ×{p.repeat}, expecting {_any(p.expect)}" for p in planned.smoke),
        *(_shift(planned, step, run, judged) for step in planned.steps),
        f"{github}: the deployment is a success",
    )


def _any(statuses: Sequence[int]) -> str:
    return " or ".join(map(str, statuses))


def _shift(planned: Plan, step: PlannedStep, run: str, judged: str) -> str:
    rest = f", {100 - step.percent} % to {planned.from_revision}" if step.percent < 100 else ""
    watched = f"; it is watched for {span(timedelta(seconds=step.hold_seconds))}{judged}"
    return f"{run}: {step.percent} % of the traffic to {planned.revision}{rest}{watched}"


def _moved(planned: Plan, github: str) -> tuple[str, ...]:
    """How its branch gets there, before anything else."""
    branch = planned.branch
    if branch is None or branch.held:
        return ()
    base, head = short(branch.base), short(branch.head)
    if planned.model == Model.FAST_FORWARD:
        return (f"{github}: move {branch.target} from {base} to {head}, without force",)
    number = f"#{branch.pull_request}" if branch.pull_request else "that pull request"
    opened = () if branch.pull_request else (f"{github}: open a pull request from {branch.source} to {branch.target}",)
    return (*opened, f"{github}: merge {number} with a merge commit, where {branch.source} stands at {head}")


def closed(operation: Operation) -> Reply:
    """In place of the plan, once it can no longer be agreed to."""
    return Reply(state(operation), fields=_described(operation))


def standing(split: Iterable[tuple[str, int]]) -> str:
    """`90 % checkout-r-1, 10 % checkout-r-2`."""
    return ", ".join(f"{percent} % {revision}" for revision, percent in split)


def changes(comparison: Comparison | Unknown | None, brought: Changes | Unknown = NOT_GATHERED) -> tuple[Line, ...]:
    """What lies between what serves and what would: by pull requests where those were looked at, else by commits."""
    if isinstance(brought, Changes) and brought.pull_requests:
        told = notes.of(brought)
        return () if isinstance(told, Unknown) else told.lines(CHANGES_SHOWN)
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
        Line(Mark(seen["mark"]), seen["says"])
        for seen in operation.seen.values()
        if isinstance(seen, dict) and "mark" in seen
    )


def asked(operation: Operation) -> Doubt | None:
    """What somebody is asked about the step under way; None: nothing."""
    asks = operation.seen.get(ASKED)
    judging = operation.phase is Phase.RUNNING and operation.moment.step is Step.JUDGE
    if not judging or asks is None or asks["index"] != operation.moment.index:
        return None
    at = datetime.fromisoformat(asks["at"])
    return Doubt(str(asks.get("id", "0")), str(asks.get("about", NUMBERS)), str(asks["why"]), at)


def asks(operation: Operation) -> Reply:
    """What its numbers do not decide, for people to decide."""
    doubt = asked(operation)
    why, what = ("", "go on") if doubt is None else (doubt.why, "wait on" if doubt.about == HELD else "go on")
    return Reply(f"{Mark.NOTE.value} {title(operation)}: {why} Shall it {what}?", buttons=buttons(operation))


def held_since(operation: Operation) -> datetime | None:
    """Since when no other step may be opened; None: it is not held."""
    held = operation.seen.get(HELD)
    judging = operation.phase is Phase.RUNNING and operation.moment.step is Step.JUDGE
    if not judging or held is None or held["index"] != operation.moment.index:
        return None
    return datetime.fromisoformat(held["since"])


def only_forward(operation: Operation) -> Reply:
    """What went bad, why nothing goes back by itself, and what people can do."""
    declares = "" if operation.plan is None else operation.plan.database
    says = (
        f"It declared {declares}: what served before works no more with the database as it is now, so nothing goes back"
    )
    return Reply(
        f"{Mark.NO.value} {title(operation)}: {operation.note}",
        lines=(Line(Mark.NO, f"{says} by itself. It is held where it is; somebody has to say what becomes of it."),),
        buttons=buttons(operation),
    )


def decided_again(operation: Operation, why: str) -> Reply:
    """That nothing moved, and why everything is looked at once more."""
    return Reply(
        f"{Mark.NOTE.value} {title(operation)}: {why.rstrip('.')}. Nothing was moved; everything is decided again."
    )


def held(operation: Operation) -> Reply:
    """Why no other step is opened, and that it is watched meanwhile."""
    return Reply(f"{Mark.NOTE.value} {title(operation)}: {operation.note}. What serves is watched meanwhile.")


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


def result(operation: Operation) -> Reply:
    """How it ended, for those who only want to know that."""
    notes = [Line(Mark.NOTE, operation.note)] if operation.note else []
    return Reply(state(operation), lines=tuple(notes), footer=(f"{operation.id} · asked by ", who(operation.asked_by)))


def voted(operation: Operation, vote: Vote) -> Reply:
    """What a vote was, for all to see."""
    if vote.verdict is Verdict.APPROVE:
        because = f": {vote.reason}" if vote.reason else ""
        states = f" They state {', '.join(sorted(vote.confirms))}." if vote.confirms else ""
        says = f" approved {title(operation)}{because}.{states} Checking everything again."
        return Reply(texts((who(vote.voter),), says))
    return Reply(texts((who(vote.voter),), f" rejected {title(operation)}: {vote.reason}"))


def checking(operation: Operation, voter: Person) -> Reply:
    """In place of the buttons, the moment somebody agreed."""
    return Reply(
        f"⏳ {title(operation)}: approved by {voter.name}, checking everything again.",
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )


def count(number: int, thing: str) -> str:
    """`1 freeze`, `2 freezes`, `no freeze`."""
    return f"{number or 'no'} {thing}{'s' if number > 1 else ''}"


def waits(decision: Decision) -> str:
    """`waiting for approval`; `waiting for window and soak`."""
    blocking = dict.fromkeys("approval" if f.rule in AGREEING else f.rule for f in decision.blockers)
    return f"waiting for {listed(blocking)}" if blocking else ""


def doing(operation: Operation) -> str:
    """What is being done right now, for `status`."""
    planned = operation.plan
    if operation.phase is Phase.GOING_BACK:
        return "taking traffic back"
    if not operation.moving or planned is None:
        return str(operation.seen.get(WAITS) or operation.phase.value).rstrip(".")
    moment = operation.moment
    percent = planned.steps[moment.index].percent if moment.step in {Step.SHIFT, Step.JUDGE} else 0
    match moment.step:
        case Step.SHIFT:
            return f"moving {percent} % of traffic"
        case Step.JUDGE:
            return f"{'held at' if held_since(operation) else 'watching'} {percent} % of traffic"
        case other:
            return other.value
