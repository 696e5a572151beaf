"""Promotions of every sort, most of them in trouble: freezes, clock changes, lapsing votes, waivers, emergencies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from policy.document import ActivePolicy, Policy
from policy.evidence import Authors, Changes, CheckState, Measured, PullRequest
from policy.facts import (
    EMERGENCY,
    Candidate,
    Check,
    Deed,
    EmergencyRecord,
    ExceptionRecord,
    Facts,
    Freeze,
    Hold,
    Obligation,
    Question,
    Serving,
    Verdict,
)
from policy.model import AccountKind, Human, Person, Place, Unknown
from tests.policy.good import COMMIT, DOCUMENT, NEW, NOW, OLD, OTHER_PLAN, PLAN, person, vote

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

BASES = (NOW, datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 3, 27, 20, tzinfo=UTC))
"""Around which everything happens: an ordinary week, and the two nights on which Berlin changes its clocks."""

OFFICE_HOURS = (NOW, datetime(2026, 10, 26, 9, tzinfo=UTC), datetime(2026, 3, 30, 9, tzinfo=UTC))
"""Soon after these, when people work."""

_GATES: dict[str, dict[str, Any]] = {
    "soaked": {"kind": "soak", "environment": "stage", "lasts": "PT24H", "source": "L47"},
    "lint": {"kind": "checks", "names": ["lint"], "mode": "acknowledge", "source": "L48"},
    "size": {"kind": "number", "report": "size", "op": "<=", "value": 300, "mode": "warn"},
    "scan": {"kind": "checks", "names": ["scan", "secrets"], "waivable": "emergency", "max_age": "P3D"},
    "summary": {"kind": "record", "fields": ["summary"], "waivable": "never"},
    "data": {"kind": "signoff", "role": "tech_lead", "when": {"labels": ["data"]}},
    "ready": {"kind": "checklist", "checklist": "ready"},
    "stated": {"kind": "attest", "statement": "support knows", "by": ["requester", "approver"]},
    "fix": {"kind": "record", "fields": ["cause"]},
}
_RICH: dict[str, Any] = {
    **DOCUMENT,
    "people": {name: {"slack": f"U0{name.upper()}"} for name in ["maya", "omar", "olga", "raj", "ines", "lea"]},
    "may": {
        **DOCUMENT["may"],
        "exception": ["engineer", "release_manager"],
        "emergency": ["engineer", "incident_commander"],
    },
    "windows": {
        **DOCUMENT["windows"],
        "nights": {
            "allow": [
                {"weekly": {"days": ["sat", "sun", "tue"], "start": "22:00", "end": "02:30"}},
                {"interval": {"start": "2026-03-29T02:15", "end": "2026-03-29T05:00"}},
            ],
            "deny": [{"month_end": {"last_days": 1}}],
        },
    },
    "gates": _GATES,
    "checklists": {
        "ready": [
            {"id": "lint", "text": "It is tidy", "by": "gate", "gate": "lint"},
            {"id": "scan", "text": "It was scanned", "by": "gate", "gate": "scan"},
            {"id": "watch", "text": "Somebody watches", "by": "either"},
        ]
    },
    "change_types": {
        "hotfix": {
            "window": "any",
            "waives": ["soaked"],
            "adds": ["fix"],
            "approvals": [{"role": "tech_lead"}],
            "fields": ["ticket"],
        },
        "config": {"approvals": [{"any_of": ["tech_lead", "release_manager"]}], "instead": True, "freeze": "any"},
        "feature": {"emergency_outside_window": True},
    },
    "exceptions": {
        "temporary": {
            "approvals": [{"role": "release_manager"}],
            "waives": ["soaked", "lint", "window", "no-freeze", "data", "ready", "stated"],
            "longest": "P2D",
        },
        "urgent": {
            "approvals": [{"any_of": ["incident_commander", "release_manager"]}],
            "waives": ["scan", "ready"],
            "emergency": True,
            "longest": "PT4H",
            "uses": 1,
            "owes": [{"kind": "review", "says": "it is looked at", "owner": "tech_lead", "within": "P1D"}],
        },
        "lasting": {"approvals": [{"role": "tech_lead"}], "waives": ["fix", "ready"], "longest": None},
    },
    "emergency": {
        "approvals": [{"any_of": ["incident_commander", "release_manager"]}],
        "fields": ["incident"],
        "waives": ["window", "no-freeze", "soaked", "scan", "ready"],
        "owes": [
            {"kind": "review", "says": "it is reviewed", "owner": "tech_lead", "within": "P1D", "by_others": True}
        ],
    },
    "freezes": {
        "approvals": [{"role": "release_manager"}],
        "provisional": "PT1H",
        "override": [{"role": "incident_commander"}],
        "calendar": [
            {
                "name": "month-end",
                "when": [{"month_end": {"last_business_days": 1}}],
                "environments": ["prod"],
                "reason": "the books",
            }
        ],
    },
}


def _active(**changes: Any) -> ActivePolicy:
    to_prod = {
        **DOCUMENT["paths"][1],
        "gates": {"window": "office_hours"},
        "requires": [name for name in _GATES if name != "fix"],
        **changes,
    }
    document = {**_RICH, "paths": [DOCUMENT["paths"][0], to_prod]}
    return ActivePolicy(policy=Policy.model_validate(document), hash="d" * 64)


POLICIES = (
    _active(),
    _active(gates={"window": "nights"}, requires=["soaked", "ready", "lint", "scan"], approval_lasts="PT8H"),
    _active(approvals=[{"role": "release_manager", "count": 2}], gates={}, separation={"authors": "not_alone"}),
)
PLAIN = ActivePolicy(policy=Policy.model_validate(DOCUMENT), hash="f" * 64)

MAYA = person("maya", "engineer")
OMAR = person("omar", "release_manager")
OLGA = person("olga", "release_manager")
RAJ = person("raj", "engineer", "tech_lead")
INES = person("ines", "incident_commander")
PEOPLE = {each.human: each for each in (MAYA, OMAR, OLGA, RAJ, INES) if each.human}
VOTERS: list[Person] = [
    *PEOPLE.values(),
    person("gus", "release_manager", kind=AccountKind.GUEST),
    person("omar"),
    Person("github:7", OMAR.human, "omar-gh", roles=OMAR.roles),
    Person("slack:T0ACME/U9", None, "somebody", roles=OMAR.roles),
]
NAMES = [*_GATES, "window", "no-freeze", "approvals", "may-ask"]


def _around(base: datetime) -> st.SearchStrategy[datetime]:
    return st.integers(-2 * 24 * 60, 5 * 24 * 60).map(lambda minutes: base + minutes * MINUTE)


def _near(at: datetime) -> st.SearchStrategy[datetime]:
    minutes = st.integers(-60, 60) | st.integers(-30 * 60, 10 * 60) | st.integers(-3 * 24 * 60, 3 * 24 * 60)
    return minutes.map(lambda minutes: at + minutes * MINUTE)


def votes(at: datetime) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda vote, confirms: replace(vote, confirms=confirms),
        st.builds(
            vote,
            st.sampled_from(VOTERS),
            st.sampled_from([Verdict.APPROVE, Verdict.APPROVE, Verdict.APPROVE, Verdict.REJECT]),
            _near(at),
            st.sampled_from([PLAN, PLAN, PLAN, OTHER_PLAN]),
            st.just("go"),
            st.none() | _near(at),
        ),
        st.frozensets(st.sampled_from(["lint", "stated", "ready.watch", "fr_1", "scan"]), max_size=3),
    )


def freezes(at: datetime) -> st.SearchStrategy[Freeze]:
    return st.builds(
        lambda number, environment, service, starts, hours, approved, lapses: Freeze(
            f"fr_{number}",
            environment,
            service,
            starts,
            starts + hours * HOUR,
            "quiet",
            "ines",
            approved=approved,
            lapses_at=starts + HOUR if lapses else None,
        ),
        st.integers(1, 3),
        st.sampled_from(["prod", "prod", "stage"]),
        st.sampled_from([None, "checkout", "search"]),
        _near(at),
        st.integers(0, 60),
        st.booleans(),
        st.booleans(),
    )


def exceptions(at: datetime) -> st.SearchStrategy[ExceptionRecord]:
    return st.builds(
        lambda number, kind, waives, service, digest, starts, lasts, granted, by, revoked, used: ExceptionRecord(
            id=f"X-{number}",
            kind=kind,
            waives=waives,
            environment="prod",
            service=service,
            digest=digest,
            asked_by=RAJ,
            asked_at=starts - HOUR,
            starts_at=starts,
            ends_at=None if lasts is None else starts + lasts * HOUR,
            fields={"reason": "it is needed"},
            uses=1,
            used=("op_1",) if used else (),
            granted_by=(by,),
            granted_at=starts - HOUR if granted else None,
            revoked_at=revoked,
        ),
        st.integers(1, 5),
        st.sampled_from(["temporary", "temporary", "urgent", "lasting", "unheard-of"]),
        st.just(frozenset(NAMES)) | st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=5),
        st.sampled_from([None, "checkout", "checkout", "search"]),
        st.sampled_from([None, None, NEW, NEW, OLD]),
        _near(at - 10 * HOUR),
        st.none() | st.integers(0, 48),
        st.sampled_from([True, True, True, True, False]),
        st.sampled_from([OMAR, OLGA, INES, RAJ]),
        st.sampled_from([None, None, None, at, at - HOUR]),
        st.sampled_from([False, False, False, False, True]),
    )


def several(records: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Up to three; no id is given twice."""
    return st.lists(records, max_size=3, unique_by=lambda record: record.id).map(tuple)


def _holds(base: datetime) -> st.SearchStrategy[Hold]:
    place = st.just(Place("checkout", "prod"))
    return st.builds(Hold, st.just("ho_1"), place, st.sampled_from([NEW, OLD]), _around(base), st.just("bad"))


def _owed(base: datetime) -> st.SearchStrategy[Obligation]:
    return st.builds(
        lambda due, service, takers: Obligation(
            "O-1", "review", "E-1", service, "prod", "tech_lead", due, "it is reviewed", takers
        ),
        _around(base),
        st.sampled_from([None, "checkout", "search"]),
        st.frozensets(st.sampled_from([MAYA.human, RAJ.human]).map(lambda h: h or Human("")), max_size=1),
    )


def _changes(labels: frozenset[str]) -> Changes:
    return Changes(pull_requests=(PullRequest(41, "pay", labels),), branch="main")


GONE: st.SearchStrategy[Any] = st.just(Unknown("it does not answer"))


@st.composite
def states(draw: st.DrawFn) -> tuple[ActivePolicy, Question, Facts, datetime]:
    """A policy, a question, facts and an instant. Most of the facts are good, and any may be bad."""
    trouble = draw(st.sampled_from([5, 10, 20, 40]))

    def mostly(good: object, bad: st.SearchStrategy[Any]) -> Any:
        return draw(bad) if draw(st.sampled_from(range(trouble))) == trouble - 1 else good

    era = draw(st.sampled_from(range(len(BASES))))
    base = BASES[era]
    at = draw(_around(base) | st.just(OFFICE_HOURS[era]))
    long_ago = at - 30 * HOUR

    passed = {
        name: Check(name, CheckState.PASSED, at=at - HOUR)
        for name in ("build", "unit-tests", "lint", "scan", "secrets")
    }
    failed = st.sampled_from(sorted(passed)).map(
        lambda name: {**passed, name: Check(name, CheckState.FAILED, at=at - HOUR)}
    )
    old = st.just({**passed, "scan": Check("scan", CheckState.PASSED, at=at - 4 * DAY)})
    none: st.SearchStrategy[Any] = st.just(())
    evidence: dict[str, Any] = {
        "changes": mostly(_changes(frozenset()), GONE | st.just(_changes(frozenset({"data"})))),
        "numbers": mostly({"size": Measured(200, at)}, GONE | st.just({"size": Measured(400, at)})),
    }
    facts = Facts(
        asked_by=mostly(MAYA, st.sampled_from(VOTERS)),
        asked_at=mostly(at - 20 * HOUR, _around(base)),
        plan=mostly(PLAN, st.just("")),
        expires_at=mostly(at + 4 * HOUR, st.none() | _around(base)),
        candidate=mostly(Candidate(NEW, COMMIT), GONE | st.just(Candidate(NEW, Unknown("nobody wrote it down")))),
        source_serving=mostly(
            Serving("new", NEW, long_ago),
            GONE | st.builds(Serving, st.just("some"), st.sampled_from([NEW, OLD]), _around(base)),
        ),
        target_serving=mostly(Serving("old", OLD, long_ago), GONE | st.just(Serving("new", NEW, long_ago))),
        checks=mostly(passed, GONE | failed | failed | old | st.just({})),
        freezes=mostly((), GONE | several(freezes(at))),
        holds=mostly((), GONE | st.lists(_holds(base), max_size=2).map(tuple)),
        votes=(
            *mostly(
                tuple(replace(vote(by, at=at - HOUR), confirms=frozenset({"stated"})) for by in (OMAR, OLGA)), none
            ),
            *mostly((), st.lists(votes(at), max_size=4).map(tuple)),
        ),
        people=mostly(PEOPLE, GONE | st.just({h: p for h, p in PEOPLE.items() if h != OLGA.human})),
        authors=mostly(Authors(frozenset()), GONE | st.just(Authors(frozenset({Human("omar")})))),
        reviewers=frozenset(),
        fields=mostly(
            {"summary": "pay", "ticket": "PAY-1", "cause": "a bug"},
            st.sampled_from([{}, {"summary": " "}, {"summary": "pay"}]),
        ),
        confirmed=mostly(frozenset({"stated", "ready.watch"}), st.just(frozenset())),
        exceptions=mostly(draw(several(exceptions(at))), GONE | none),
        obligations=mostly((), GONE | st.lists(_owed(base), max_size=2).map(tuple)),
    )
    facts = replace(facts, evidence=replace(facts.evidence, **evidence))
    change = mostly("", st.sampled_from(["hotfix", "config", "feature", EMERGENCY, "unheard-of"]))
    if change == EMERGENCY:
        record = EmergencyRecord("E-1", draw(st.sampled_from([{"incident": "I-1"}, {}])), draw(_around(base)))
        facts = replace(facts, emergency=mostly(record, st.none()))
    question = Question(
        Deed.PROMOTE,
        mostly("checkout", st.sampled_from(["search", "nothing"])),
        "prod",
        mostly("stage", st.sampled_from(["dev", None])),
        change,
    )
    return draw(st.sampled_from((*POLICIES, *POLICIES, PLAIN))), question, facts, at
