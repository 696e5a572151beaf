"""How do we say a decision? Every finding with its reason, what would help, and which of it together would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from commands.reply import Bold, Line, Mark, Piece, Reply, Text, When
from policy.finding import Decision, Finding, Remedy, RemedyKind, Standing
from policy.wording import listed

MARKS = {
    Standing.MET: Mark.YES,
    Standing.UNMET: Mark.NO,
    Standing.UNKNOWN: Mark.UNKNOWN,
    Standing.WAIVED: Mark.WAIVED,
    Standing.WARNING: Mark.WARNING,
    Standing.NOT_APPLICABLE: Mark.NOT_APPLICABLE,
}
WHOLE = 16
"""So many findings are shown one by one; of more, those that are met or do not apply share a line."""
ALIKE = 3
"""So many findings that say the very same share a line."""
WAYS_SHOWN = 3
DOES = {
    "wait": "you wait",
    "say": "you say",
    "ask": "you ask",
    "end": "somebody ends",
    "settle": "somebody settles",
    "lift": "somebody lifts",
    "record": "somebody records",
    "link": "somebody links",
    "keep": "somebody keeps",
    "mend": "somebody mends",
    "merge": "somebody merges",
    "revert": "somebody reverts",
    "write": "somebody writes",
    "close": "somebody closes",
}
"""How advice goes on after an `if`."""
_FOLDED = {Standing.MET: "met", Standing.NOT_APPLICABLE: "do not apply"}
_ALONE = {**_FOLDED, Standing.NOT_APPLICABLE: "does not apply"}


def texts(*pieces: Text) -> Text:
    """One text from several."""
    out: list[Piece] = []
    for piece in pieces:
        out += [piece] if isinstance(piece, str) else piece
    return tuple(out)


def unsaid(why: str, decision: Decision) -> str:
    """The reason as a sentence of its own; empty where some finding says it already."""
    if not why or any(why in finding.reason for finding in decision.blockers):
        return ""
    return f"{why[:1].upper()}{why[1:]}."


def findings(decision: Decision, *, whole: bool = False, shown: int = WHOLE) -> tuple[Line, ...]:
    """What each rule found, and under it what would help; then what would do, and when. `whole`: a line for each."""
    folds = () if whole or len(decision.findings) <= shown else tuple(_FOLDED)
    lines: list[Line] = []
    for standing in folds:
        lines += _folded(standing, [finding for finding in decision.findings if finding.standing is standing])
    lines += _one_by_one([finding for finding in decision.findings if finding.standing not in folds], whole=not folds)
    lines += [Line(Mark.NOTE, note) for note in decision.notes]
    return (*lines, *way_on(decision, whole=whole))


def _one_by_one(shown: Sequence[Finding], *, whole: bool) -> Iterator[Line]:
    """A line for each with its advice; not `whole`, one for all that say the same, and advice but once."""
    alike: dict[tuple[Standing, str], list[Finding]] = {}
    for finding in shown:
        alike.setdefault((finding.standing, "" if whole else finding.reason), []).append(finding)
    advised: set[Remedy] = set()
    for finding in shown:
        same = [finding] if whole else alike[finding.standing, finding.reason]
        if len(same) < ALIKE:
            yield found(finding)
        elif finding is same[0]:
            names = ", ".join(other.rule for other in same)
            yield Line(MARKS[finding.standing], (Bold(f"{len(same)} rules"), f": {finding.reason}: {names}"))
        yield from (Line(Mark.NOTE, _remedy(each)) for each in finding.remedies if whole or each not in advised)
        advised.update(finding.remedies)


def found(finding: Finding) -> Line:
    """`✗ sast: it failed (L1139)`, `○ soak: … waived by X-4`."""
    where = f" ({finding.source})" if finding.source and finding.standing not in _FOLDED else ""
    return Line(MARKS[finding.standing], texts((Bold(finding.rule),), f": {finding.reason}{where}"))


def _folded(standing: Standing, alike: Sequence[Finding]) -> Iterator[Line]:
    """`✓ 18 rules met: …`."""
    if alike:
        says = f"{len(alike)} rules {_FOLDED[standing]}" if len(alike) > 1 else f"1 rule {_ALONE[standing]}"
        yield Line(MARKS[standing], f"{says}: {', '.join(finding.rule for finding in alike)}")


def _remedy(remedy: Remedy) -> Text:
    if remedy.kind is RemedyKind.WAIT and remedy.at is not None:
        return (f"{remedy.says}: ", When(remedy.at))
    return remedy.says


def way_on(decision: Decision, *, whole: bool = False) -> tuple[Line, ...]:
    """Which remedies together would do, and from when on, where time has a part in it.

    One remedy that alone would do stands there already, under what it mends; only the `whole` says it again.
    """
    plain = {remedy for way in decision.ways for remedy in way}
    lines = [Line(Mark.NOTE, way) for way in ways(decision)] if whole or len(plain) > 1 else []
    if decision.earliest is not None:
        waits = [any(r.kind is RemedyKind.WAIT for r in finding.remedies) for finding in decision.blockers]
        says = (
            "Waiting alone would do: possible from "
            if all(waits)
            else "Time opens it, the rest is still to do: not before "
        )
        lines.append(Line(Mark.NOTE, (says, When(decision.earliest), ".")))
    return tuple(lines)


def ways(decision: Decision) -> tuple[str, ...]:
    """`It could go ahead if omar agrees and you wait until …`: each was seen to do."""
    first, *others = decision.ways[:WAYS_SHOWN] or ((),)
    said = [f"It could go ahead if {_together(first)}."] if first else []
    return (*said, *(f"Or if {_together(way)}." for way in others))


def _together(way: Iterable[Remedy]) -> str:
    return listed(dict.fromkeys(map(_clause, way)))


def _clause(remedy: Remedy) -> str:
    """The remedy as a part of a sentence: `omar agrees`, `you wait until …`."""
    says = remedy.says
    if remedy.kind is RemedyKind.APPROVE:
        return says.replace(" can agree", " agrees")
    if remedy.kind is RemedyKind.EXCEPTION and says.endswith(" can grant it"):
        what, _, who = says.removesuffix(" can grant it").rpartition(": ")
        return f"{who} grants {what}"
    verb, _, rest = says.partition(" ")
    return f"{DOES[verb]} {rest}" if verb in DOES else says


def verdict(decision: Decision) -> str:
    if decision.allowed:
        besides = [f"{word}: {', '.join(names)}" for word, names in _let_by(decision) if names]
        return f"nothing blocks it; {'; '.join(besides)}" if besides else "every rule is met"
    missing = [finding.rule for finding in decision.blockers]
    apply = [finding for finding in decision.findings if finding.standing is not Standing.NOT_APPLICABLE]
    return f"{len(missing)} of {len(apply)} rules not met ({', '.join(missing)})"


def _let_by(decision: Decision) -> Iterator[tuple[str, list[str]]]:
    """What is not met and blocks nothing, by why."""
    for word, standing in (("waived", Standing.WAIVED), ("warnings", Standing.WARNING)):
        yield word, [finding.rule for finding in decision.findings if finding.standing is standing]


def missing(blockers: Sequence[Finding]) -> str:
    return "; ".join(f"{finding.rule}: {finding.reason}" for finding in blockers)


def refused(sentence: str, decision: Decision | None = None) -> Reply:
    """No, privately, with the reasons."""
    return Reply(sentence, lines=findings(decision) if decision is not None else ())
