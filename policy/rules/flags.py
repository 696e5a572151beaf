"""Has every feature flag of the release somebody who will take it away again?"""

from __future__ import annotations

from functools import cache

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Flag
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import FlagsGate
from policy.model import Unknown


def flags(name: str, _: FlagsGate) -> Judge:
    """Each is declared with its owner, its ticket, and when it is expected to go."""
    whole = cache(lambda number: met(name, "{} flags, each with owner, ticket and removal date", number))

    def judge(case: Case) -> Finding:
        declared = case.facts.evidence.flags
        if type(declared) is Unknown:
            return unknown(name, "{}", declared.why)
        for flag in declared:
            if not (flag.owner and flag.ticket and flag.removal):
                return _undeclared(name, declared)
        return whole(len(declared))

    return judge


def _undeclared(name: str, declared: tuple[Flag, ...]) -> Finding:
    """What of them is not said."""
    lacking = tuple(f"{flag.name} has no {wording.listed(_lacks(flag), 'or')}" for flag in declared if _lacks(flag))
    whole = tuple(Flag(flag.name, owner="said", removal="said", ticket="said") for flag in declared)
    remedy = Remedy(RemedyKind.EVIDENCE, "the flags are declared whole", applied=done.seen(flags=whole))
    return unmet(name, "{}", wording.All(lacking), remedies=(remedy,))


def _lacks(flag: Flag) -> tuple[str, ...]:
    parts = (("owner", flag.owner), ("ticket", flag.ticket), ("removal date", flag.removal))
    return tuple(part for part, said in parts if not said)
