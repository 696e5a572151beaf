"""How decisions are put into words."""

from __future__ import annotations

import pytest

from commands.explain import WAYS_SHOWN, WHOLE, findings, found, verdict, ways
from commands.reply import Line, Mark, plain
from policy.finding import Decision, Finding, Remedy, RemedyKind, Standing, met, not_applicable, unknown, unmet
from tests.policy.good import NOW

AGREE = Remedy(RemedyKind.APPROVE, "omar can agree", ("omar",))
WAIT = Remedy(RemedyKind.WAIT, "wait until 13:00", at=NOW)


def decision(*findings: Finding, ways: tuple[tuple[Remedy, ...], ...] = ()) -> Decision:
    return Decision(findings, NOW, "f" * 64, ways=ways)


def said(lines: tuple[Line, ...]) -> list[str]:
    return [f"{line.mark.value} {plain(line.text)}" for line in lines]


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (met("a", "yes"), "✓ a: yes"),
        (unmet("a", "no {}", 7), "✗ a: no 7"),
        (unmet("a", "no")._replace(source="L47"), "✗ a: no (L47)"),
        (unknown("a", "who knows")._replace(source="L47"), "? a: who knows (L47)"),
        (met("a", "yes")._replace(source="L47"), "✓ a: yes"),
        (not_applicable("a", "not here")._replace(source="L47"), "– a: not here"),
        (Finding("a", Standing.WAIVED, "no; waived by X-4", by="X-4"), "○ a: no; waived by X-4"),
        (Finding("a", Standing.WARNING, "no; omar saw it"), "! a: no; omar saw it"),
    ],
)
def test_each_finding_is_a_line_with_its_mark_and_what_is_not_met_with_its_source(finding: Finding, line: str) -> None:
    assert said((found(finding),)) == [line]


@pytest.mark.parametrize(
    ("remedy", "clause"),
    [
        (AGREE, "omar agrees"),
        (WAIT, "you wait until 13:00"),
        (
            Remedy(RemedyKind.APPROVE, "omar or raj can agree, 2 of them are needed"),
            "omar or raj agrees, 2 of them are needed",
        ),
        (Remedy(RemedyKind.APPROVE, "raj withdraws the rejection"), "raj withdraws the rejection"),
        (
            Remedy(RemedyKind.EXCEPTION, "an exception (early) for soak: raj can grant it"),
            "raj grants an exception (early) for soak",
        ),
        (Remedy(RemedyKind.SAY, "say risk:"), "you say risk:"),
        (Remedy(RemedyKind.LIFT, "end the freeze F-1 (ines may)"), "somebody ends the freeze F-1 (ines may)"),
        (Remedy(RemedyKind.SETTLE, "settle O-1 (omar may)"), "somebody settles O-1 (omar may)"),
        (Remedy(RemedyKind.EVIDENCE, "sast passes on c2c2c2c"), "sast passes on c2c2c2c"),
    ],
)
def test_each_remedy_goes_on_after_an_if(remedy: Remedy, clause: str) -> None:
    assert ways(decision(unmet("a", "no"), ways=((remedy,),))) == (f"It could go ahead if {clause}.",)


def test_ways_are_told_smallest_first_and_only_so_many() -> None:
    asked = decision(unmet("a", "no"), ways=((AGREE,), (AGREE, WAIT), (WAIT,), (AGREE,)))
    assert ways(asked) == (
        "It could go ahead if omar agrees.",
        "Or if omar agrees and you wait until 13:00.",
        "Or if you wait until 13:00.",
    )
    assert WAYS_SHOWN == 3
    assert ways(decision(unmet("a", "no"))) == ()


def test_one_remedy_that_stands_there_already_is_not_said_again_on_a_card() -> None:
    alone = decision(unmet("a", "no", remedies=(AGREE,)), ways=((AGREE,),))
    assert said(findings(alone)) == ["✗ a: no", "• omar can agree"]
    assert said(findings(alone, whole=True)) == ["✗ a: no", "• omar can agree", "• It could go ahead if omar agrees."]


def test_many_rules_are_folded_but_for_those_that_somebody_must_read() -> None:
    many = [met(f"rule-{number}", "yes") for number in range(WHOLE - 1)]
    few = decision(*many, unmet("last", "no"))
    assert len(findings(few)) == WHOLE
    more = decision(*many, not_applicable("other", "not here"), unmet("last", "no"))
    lines = findings(more)
    assert [line.mark for line in lines] == [Mark.YES, Mark.NOT_APPLICABLE, Mark.NO]
    assert said(lines)[0].startswith(f"✓ {WHOLE - 1} rules met: rule-0, rule-1, ")
    assert said(lines)[1:] == ["– 1 rule does not apply: other", "✗ last: no"]
    assert len(findings(more, whole=True)) == WHOLE + 1


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ((met("a", ""),), "every rule is met"),
        ((met("a", ""), not_applicable("b", "")), "every rule is met"),
        ((met("a", ""), Finding("b", Standing.WAIVED, "")), "nothing blocks it; waived: b"),
        (
            (Finding("a", Standing.WARNING, ""), Finding("b", Standing.WAIVED, "")),
            "nothing blocks it; waived: b; warnings: a",
        ),
        ((met("a", ""), unmet("b", ""), not_applicable("c", "")), "1 of 2 rules not met (b)"),
        ((unknown("a", ""), unmet("b", "")), "2 of 2 rules not met (a, b)"),
    ],
)
def test_a_verdict_counts_what_applies_and_hides_nothing_that_was_let_by(found: tuple[Finding, ...], says: str) -> None:
    assert verdict(decision(*found)) == says
