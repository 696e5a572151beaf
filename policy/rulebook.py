"""Which rules judge what? In the order people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from policy.document import Policy
from policy.facts import Deed, Facts, Question
from policy.finding import Finding
from policy.rules import approval, asker, candidate, checks, expiry, freeze, hold, known_good, road, soak, window

Judge = Callable[[Question, Facts, Policy, datetime], Finding]


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement."""

    requires: str
    """Its name, the same that its findings bear."""
    judge: Judge
    turns_with_time: bool = False
    """True where waiting alone can turn it from unmet to met."""


MAY_ASK = Rule(asker.MAY_ASK, asker.may_ask)

RULEBOOK: Mapping[Deed, tuple[Rule, ...]] = {
    Deed.PROMOTE: (
        MAY_ASK,
        Rule(road.ALLOWED_PATH, road.allowed_path),
        Rule(candidate.SAME_DIGEST, candidate.same_digest),
        Rule(candidate.SOMETHING_TO_PROMOTE, candidate.something_to_promote),
        Rule(candidate.COMMIT_KNOWN, candidate.commit_known),
        Rule(checks.REQUIRED_CHECKS, checks.required_checks),
        Rule(soak.SOAK, soak.soaked, turns_with_time=True),
        Rule(window.WINDOW, window.within_window, turns_with_time=True),
        Rule(freeze.NO_FREEZE, freeze.no_freeze, turns_with_time=True),
        Rule(hold.NO_HOLD, hold.no_hold),
        Rule(expiry.NOT_EXPIRED, expiry.not_expired),
        Rule(approval.SECOND_PERSON, approval.second_person),
        Rule(approval.APPROVALS, approval.approved),
    ),
    Deed.ROLLBACK: (
        MAY_ASK,
        Rule(known_good.KNOWN_GOOD_TARGET, known_good.known_good_target),
        Rule(window.WINDOW, window.rollback_waits_for_no_window),
        Rule(freeze.NO_FREEZE, freeze.rollback_waits_for_no_freeze),
    ),
    Deed.FREEZE: (MAY_ASK,),
    Deed.LIFT: (MAY_ASK,),
}
