"""May this exception be granted at all, and is all said that must be said for it?"""

from __future__ import annotations

from dataclasses import replace

from policy import exceptions, wording
from policy.case import Case
from policy.facts import ExceptionRecord, Facts
from policy.finding import Applied, Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet

EXCEPTION_COMPLETE = "exception-complete"
EXCEPTION_ALLOWED = "exception-allowed"


def exception_complete(case: Case) -> Finding:
    """Nothing is left unsaid that its kind asks for."""
    wanted = _wanted(EXCEPTION_COMPLETE, case)
    if isinstance(wanted, Finding):
        return wanted
    kind = case.policy.exceptions.get(wanted.kind)
    if kind is None:
        return unknown(EXCEPTION_COMPLETE, "there is no kind of exception {}", wanted.kind)
    missing = exceptions.missing(wanted, kind)
    if not missing:
        return met(EXCEPTION_COMPLETE, "{} said", wording.All(kind.fields))
    asker = case.facts.asked_by.human
    says = f"say {wording.listed(f'{field}:' for field in missing)}"
    said = {field: kind.reasons[0] if field == "reason" and kind.reasons else "said" for field in missing}
    remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=_said(wanted, said))
    return unmet(EXCEPTION_COMPLETE, "missing: {}", wording.All(missing), remedies=(remedy,))


def exception_allowed(case: Case) -> Finding:
    """Its kind may waive these rules, there, for so long; some are never waived, and some only by emergency kinds."""
    wanted = _wanted(EXCEPTION_ALLOWED, case)
    if isinstance(wanted, Finding):
        return wanted
    objections = exceptions.objections(wanted, case.policy)
    kind = case.policy.exceptions.get(wanted.kind)
    may_not = exceptions.why_not_ask(kind, case.facts.asked_by) if kind is not None else ""
    objections = (*objections, may_not) if may_not else objections
    if objections:
        return unmet(EXCEPTION_ALLOWED, "; ".join(["{}"] * len(objections)), *objections)
    rules = wording.All(tuple(sorted(wanted.waives)))
    if wanted.ends_at is None:
        return met(EXCEPTION_ALLOWED, "{} may waive {} for good", wanted.kind, rules)
    until = wording.At(wanted.ends_at, case.zone)
    relaxed = exceptions.relaxation(wanted)
    if relaxed is not None:
        what = wording.All(relaxed.what)
        return met(EXCEPTION_ALLOWED, "{} may relax {} of {} until {}", wanted.kind, what, relaxed.branch, until)
    return met(EXCEPTION_ALLOWED, "{} may waive {} until {}", wanted.kind, rules, until)


def _wanted(rule: str, case: Case) -> ExceptionRecord | Finding:
    wanted, kind = case.facts.wanted, case.question.kind
    if wanted is None and not kind:
        return not_applicable(rule, "nothing new would be waived")
    if not isinstance(wanted, ExceptionRecord) or wanted.kind != kind:
        return unknown(rule, "what is asked for is not known")
    return wanted


def _said(wanted: ExceptionRecord, said: dict[str, str]) -> Applied:
    def applied(facts: Facts) -> Facts:
        return replace(facts, wanted=replace(wanted, fields={**wanted.fields, **said}))

    return applied
