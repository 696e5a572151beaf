"""Does a policy decide the cases beside it as they say? `NAME.cases.yaml` beside `NAME.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from bot.all_good import all_good, everybody
from bot.asked import asked
from bot.complaints import judged
from bot.facts_json import Misfit
from bot.given import Setting, given, moment
from bot.strict_yaml import Complaint, Document, Where
from commands.errors import Misunderstood
from policy import wording
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import Facts, Question
from policy.finding import Decision, Finding, Standing
from policy.model import Human, Person
from policy.part import Name, Part, Text

BEGINS = "cases:"
ENDING = ".cases.yaml"
_LISTED = {
    "unmet": Standing.UNMET,
    "unknown": Standing.UNKNOWN,
    "waived": Standing.WAIVED,
    "warning": Standing.WARNING,
}


class Expect(Part):
    """What must come out. The four lists are whole: a rule that is in none of them is met, or not asked."""

    allowed: bool | None = Field(default=None, description="Default: whether nothing is unmet or unknown")
    unmet: tuple[Text, ...] = Field(default=(), description="Rules that are not met")
    unknown: tuple[Text, ...] = Field(default=(), description="Rules that cannot be judged")
    waived: tuple[Text, ...] = Field(default=(), description="Rules that something waives")
    warning: tuple[Text, ...] = Field(default=(), description="Rules that are not met and block nothing")
    earliest: Text | None = Field(default=None, description="When time opens it; `null`: no opening is known")
    closes: Text | None = Field(default=None, description="When what is open closes; `null`: that is not known")
    says: dict[Text, Text] = Field(default={}, description="Rules, and words that stand in what they say")
    ways: tuple[tuple[Text, ...], ...] = Field(
        default=(), description="The smallest sets of remedies by kind: `[[approve], [exception]]`"
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.allowed is None and not self.model_fields_set:
            message = "it expects nothing; write allowed: true, or which rules are unmet"
            raise ValueError(message)
        if self.allowed is False and not (self.unmet or self.unknown):
            message = "say why not: which rules are unmet or unknown"
            raise ValueError(message)
        if self.allowed and (self.unmet or self.unknown):
            message = "what is unmet or unknown is not allowed"
            raise ValueError(message)
        return self


class Case(Part):
    """One question and its answer."""

    case: Text = Field(description="What it shows, a sentence")
    who: Text | None = Field(default=None, alias="as", description="Who asks")
    at: Text | None = Field(default=None, description="When, in the policy's zone or with an offset")
    when: Text | None = Field(default=None, description="What they say, as in the chat")
    given: dict[str, Any] = Field(default={}, description="What is not as good as it could be, or not yet done")
    expect: Expect = Field(description="What must come out")


class Table(Part):
    """The file."""

    groups: dict[Name, tuple[Name, ...]] = Field(default={}, description="Slack groups and who is in them: `S0ENG`")
    who: Text | None = Field(default=None, alias="as", description="Who asks where a case does not say")
    at: Text | None = Field(default=None, description="When, where a case does not say")
    when: Text | None = Field(default=None, description="What they say, where a case does not say")
    given: dict[str, Any] = Field(default={}, description="In every case, before what the case itself gives")
    cases: tuple[Case, ...] = Field(min_length=1, description="In the order people read them")


def beside(policy: Path) -> Path:
    """Where the cases of that policy stand, if it has any."""
    return policy.with_suffix(ENDING)


@dataclass(frozen=True, slots=True)
class Result:
    """How many cases there are, and what is wrong with them."""

    cases: int
    failed: int
    complaints: tuple[Complaint, ...]


def run(data: bytes, active: ActivePolicy) -> Result:
    """Every case, decided; each that comes out otherwise, or makes no sense, has a complaint at its line."""
    table, complaints, document = judged(data, Table, BEGINS)
    if table is None or document is None:
        return Result(0, 0, tuple(complaints))
    found = [tuple(_tried(table, case, ("cases", index), document, active)) for index, case in enumerate(table.cases)]
    return Result(len(found), sum(map(bool, found)), tuple(complaint for wrong in found for complaint in wrong))


def groups_of(data: bytes) -> Mapping[str, Sequence[str]]:
    """Who is in which Slack group, as the table says; nobody where it says nothing, or is none."""
    table, _, _ = judged(data, Table, BEGINS)
    return table.groups if table is not None else {}


def _tried(table: Table, case: Case, where: Where, document: Document, active: ActivePolicy) -> Iterator[Complaint]:
    try:
        question, facts, at = case_in(table, case, active.policy)
        decision = decide(question, facts, active, at)
        for key, says in differences(decision, case.expect, active.policy):
            yield Complaint(document.line((*where, "expect", key)), f"{case.case}: expected {says}")
    except Misfit as error:
        yield Complaint(_line(document, where, error.where), f"{case.case}: {error}")
    except Misunderstood as error:
        yield Complaint(_line(document, where, ("when",)), f"{case.case}: {str(error).rstrip('.')}")


def _line(document: Document, case: Where, place: Where) -> int:
    """Of that place in the case; where the case does not say it, of the same place in the whole table."""
    its = (*case, *place[:2])
    return document.line((*case, *place) if its in document.lines or place[:2] not in document.lines else place)


def case_in(table: Table, case: Case, policy: Policy) -> tuple[Question, Facts, datetime]:
    """The case as a question, its facts and its instant. Raises `Misfit` and `Misunderstood`."""
    at = moment(_said(case.at, table.at, "at"), ("at",), policy.zone())
    people = everybody(policy, table.groups)
    asker = somebody(_said(case.who, table.who, "as"), policy, people)
    words = _said(case.when, table.when, "when")
    return (*supposed(words, asker, people, policy, at, {**table.given, **case.given}), at)


def _said(by_case: str | None, by_table: str | None, word: str) -> str:
    said = by_case or by_table
    if said is None:
        raise Misfit((word,), "is missing: neither the case nor the table says it")
    return said


def supposed(
    words: str,
    asker: Person,
    people: Mapping[Human, Person],
    policy: Policy,
    at: datetime,
    changes: Mapping[str, Any],
) -> tuple[Question, Facts]:
    """What is asked with those words, and facts in which all is well but for those changes."""
    what = asked(words, asker, policy, at)
    facts = all_good(what.question, policy, at, asked_by=asker, people=people, fields=what.fields, wanted=what.wanted)
    facts = replace(facts, confirmed=facts.confirmed | what.confirms)
    return what.question, given(facts, changes, Setting(what.question, policy, at, people))


def somebody(name: str, policy: Policy, people: Mapping[Human, Person]) -> Person:
    """Them, by name; somebody whom the policy does not know is linked to nobody and holds no role."""
    return people.get(Human(name)) or Person(f"slack:{policy.workspace}/U0{name.upper()}", None, name)


def differences(decision: Decision, expect: Expect, policy: Policy) -> Iterator[tuple[str, str]]:
    """Where the decision is another than was expected: (key of `expect`, what it should be and what it is)."""
    allowed = not (expect.unmet or expect.unknown) if expect.allowed is None else expect.allowed
    if decision.allowed is not allowed:
        yield "allowed", "it to be allowed, but it is refused" if allowed else "it to be refused, but it is allowed"
    findings = {each.rule: each for each in decision.findings}
    wanted = {rule: (key, standing) for key, standing in _LISTED.items() for rule in getattr(expect, key)}
    for rule, (key, standing) in wanted.items():
        if rule not in findings or findings[rule].standing is not standing:
            yield key, f"{rule} to be {standing.value}, but {_stands(findings, rule)}"
    for rule, found in findings.items():
        if rule not in wanted and found.standing in _LISTED.values():
            yield "", f"nothing of {rule}, but {_stands(findings, rule)}"
    yield from _times(decision, expect, policy)
    for rule, words in expect.says.items():
        if rule not in findings or words not in f"{findings[rule].reason} ({findings[rule].source})":
            yield "says", f"{rule} to say {words!r}, but {_stands(findings, rule)}"
    if "ways" in expect.model_fields_set:
        ways = sorted(sorted(remedy.kind.value for remedy in way) for way in decision.ways)
        wanted_ways = sorted(map(sorted, expect.ways))
        if ways != wanted_ways:
            yield "ways", f"the ways {wanted_ways}, but they are {ways}"


def _stands(findings: Mapping[str, Finding], rule: str) -> str:
    if rule not in findings:
        return f"no rule here is called so; rules are {', '.join(findings)}"
    found = findings[rule]
    return f"it is {found.standing.value}: {found.reason}{f' ({found.source})' if found.source else ''}"


def _times(decision: Decision, expect: Expect, policy: Policy) -> Iterator[tuple[str, str]]:
    for key in ("earliest", "closes"):
        if key not in expect.model_fields_set:
            continue
        text, found = getattr(expect, key), getattr(decision, key)
        wanted = None if text is None else moment(text, ("expect", key), policy.zone())
        if wanted != found:
            words = [wording.instant(each, policy.zone()) if each else "not known" for each in (wanted, found)]
            yield key, f"{key} to be {words[0]}, but it is {words[1]}"
