"""Tables beside a policy: a case begins with all being well, says what differs, and what must come out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from bot.all_good import all_good, everybody
from bot.cases import beside, groups_of, run
from bot.given import KNOWN, Setting, given
from bot.policy_file import read_policy
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import EMERGENCY, Deed, Question
from policy.rulebook import KINDS, rules_for
from tests.policy.good import ACTIVE, DOCUMENT, NOW
from tests.policy.large import LARGE, ORDINARY

POLICIES = Path(__file__).parents[2] / "deploy" / "policies"
FILES = sorted(path for path in POLICIES.glob("*.yaml") if not path.stem.endswith(".cases"))
OF_TIME = {"window", "no-freeze"}

REST = ActivePolicy(
    policy=Policy.model_validate(
        {
            **DOCUMENT,
            "name": "the rest",
            "environments": {
                **DOCUMENT["environments"],
                "prod": {**DOCUMENT["environments"]["prod"], "settings": {"require": {"DEBUG": "0"}}},
            },
            "probes": {"smoke": [{"path": "/db/health"}]},
            "gates": {
                "suite": {"kind": "workflow", "workflow": "suite.yml", "inputs": {"mode": "staging"}},
                "ahead": {"kind": "fast_forward"},
                "coverage": {"kind": "number", "report": "coverage", "op": ">=", "value": 90, "max_age": "P7D"},
                "bundle": {"kind": "number", "report": "bundle", "op": "<", "value": 500},
                "latency": {"kind": "signal", "signal": "latency_p99", "op": "<", "value": 500},
                "answers": {"kind": "probe", "probes": "smoke", "environment": "stage"},
                "configured": {"kind": "settings", "environments": ["prod"]},
                "built_by_us": {
                    "kind": "attestation",
                    "predicates": ["https://slsa.dev/provenance/v1"],
                    "builders": ["ci"],
                },
                "no_new_storage": {
                    "kind": "attest",
                    "statement": "nothing new is stored",
                    "by": ["requester", "approver"],
                },
                "files": {"kind": "repository", "files": ["SECURITY.md"], "touched": ["changelog.d/*"]},
                "registry": {"kind": "image", "names": ["eu.gcr.io/acme/*"]},
                "titled": {"kind": "pull_request", "titled": "^(feat|fix): ", "matches": {"ticket": "PAY-[0-9]+"}},
                "labelled": {"kind": "pull_request", "one_of": ["risk:low", "risk:high"]},
            },
            "paths": [
                DOCUMENT["paths"][0],
                {
                    **DOCUMENT["paths"][1],
                    "gates": {},
                    "requires": [
                        *("suite", "ahead", "coverage", "bundle", "latency", "answers", "configured", "built_by_us"),
                        *("no_new_storage", "files", "registry", "titled", "labelled"),
                    ],
                },
            ],
        }
    ),
    hash="e" * 64,
)
"""Every kind of gate that the large policy does not have."""

HEAD = """\
as: maya
at: 2026-11-24 10:00
when: promote api stage→prod type:feature
given: {approved: omar}
cases:
"""


def complaints(cases: str, active: ActivePolicy = LARGE, head: str = HEAD) -> list[str]:
    """What is said of that table."""
    return [str(complaint) for complaint in run((head + indent(dedent(cases), "  ")).encode(), active).complaints]


def questions(active: ActivePolicy) -> list[Question]:
    policy = active.policy
    return [
        Question(Deed.PROMOTE, service, path.target, path.source, change)
        for path in policy.paths
        for service, entry in policy.services.items()
        if path.serves(service) and {path.source, path.target} <= entry.cloud_run.keys()
        for change in ("", *policy.change_types, *([EMERGENCY] if policy.emergency else []))
        if path.types is None or change in path.types
        if change not in policy.change_types or path.name in (policy.change_types[change].paths or [path.name])
    ]


@pytest.mark.parametrize(
    "active", [LARGE, REST, ACTIVE, *map(read_policy, FILES)], ids=lambda active: active.policy.name
)
def test_with_all_being_well_only_people_and_time_are_missing(active: ActivePolicy) -> None:
    policy = active.policy
    table = beside(POLICIES / f"{Path(active.source.partition('@')[0]).stem}.yaml")
    people = everybody(policy, groups_of(table.read_bytes()) if table.exists() else {})
    assert questions(active)
    for question in questions(active):
        may = policy.may.emergency if question.change == EMERGENCY else policy.may.promote
        asker = next(person for person in people.values() if person.roles & set(may))
        others = [name for name in people if name != asker.human]
        facts = all_good(question, policy, NOW, asked_by=asker, people=people, fields={})
        facts = given(facts, {"approved": others}, Setting(question, policy, NOW, people))
        decision = decide(question, facts, active, NOW)
        assert {finding.rule for finding in decision.blockers} <= OF_TIME, decision.blockers


def test_every_kind_of_gate_is_thought_of() -> None:
    kinds = {gate.kind for active in (LARGE, REST) for gate in active.policy.gates.values()}
    assert KINDS.keys() <= {*kinds, "soak"}


GIVEN = {
    "nothing": ("{}", ""),
    "a check that failed": ("{checks: {lint: failed}}", "unmet: [ci_checks, go_no_go]"),
    "a check that never ran": ("{checks: {sast: null}}", "unknown: [security_checks]"),
    "a check that ran too often": ("{checks: {build: {state: passed, attempt: 3}}}", "unmet: [ci_checks, go_no_go]"),
    "as often as it may": ("{checks: {build: {state: passed, attempt: 2}}}", ""),
    "an optional check that never ran": ("{checks: {dast: null}}", ""),
    "an optional check that failed": ("{checks: {dast: failed}}", "unmet: [security_checks]"),
    "served too short": ("{serving: {stage: PT23H59M59S}}", "unmet: [soak]"),
    "served long enough": ("{serving: {stage: PT24H}}", ""),
    "what serves already": ("{serving: {prod: candidate}}", "unmet: [something-to-promote]"),
    "another thing in stage": ("{built: {stage: other}}", "unmet: [same_artifact, go_no_go]"),
    "an open alert": ("{alerts: {dependabot: {critical: [CVE-1]}}}", "unmet: [criticals]"),
    "a source that did not answer": ("{alerts: {dependabot: null}}", "unknown: [criticals]"),
    "no tag": ("{tag: null}", "unmet: [tag_ok, go_no_go]"),
    "a tag of another form": ("{tag: {name: release-1}}", "unmet: [tag_ok, go_no_go]"),
    "an unsigned image": ("{signatures: {image: false}}", "unmet: [signatures]"),
    "a document that is not there": ("{documents: {sbom: null}}", "unmet: [attestations, go_no_go]"),
    "a document of something else": (
        "{documents: {sbom: {where: x, digest: other}}}",
        "unmet: [attestations, go_no_go]",
    ),
    "an open blocker": (
        "{issues: [{number: 7, title: It hangs, labels: [release-blocker]}]}",
        "unmet: [blockers]",
    ),
    "nothing to go back to": ("{way_back: null}", "unmet: [rollback_ready, go_no_go]"),
    "an image that is gone": ("{way_back: {retrievable: false}}", "unmet: [rollback_ready, go_no_go]"),
    "a database change of another sort": ("{database: other}", "unmet: [database]"),
    "a contract step too early": ("{database: {declared: contract, expanded_at: P6D}}", "unmet: [database]"),
    "in time": ("{database: {declared: contract, expanded_at: P7D}}", ""),
    "a change that would be lost": ("{lost: {hotfix: [v1.4.1]}}", "unmet: [no_lost_hotfix]"),
    "another shape": ("{shapes: {prod: {api.ingress: internal}}}", "warning: [parity]"),
    "no way from dev": ("{reached: {dev: []}}", "unmet: [dev_verified]"),
    "only deployed in stage": ("{reached: {stage: deployed}}", "unmet: [staging_verified]"),
    "a branch with a commit of its own": ("{branch: release/1.4}", "unmet: [range_has_prs]"),
    "an unprotected branch": (
        "{branches: {unprotected: {main: [direct push allowed]}}}",
        "unmet: [range_has_prs]",
    ),
    "a label that wants a sign-off": ("{labels: risk:high}", "unmet: [qa_signoff]"),
    "the sign-off": ("{labels: risk:high, approved: [omar, quinn]}", ""),
    "a field that was not said": ("{fields: {ticket: null}}", "unmet: [change-type, record_complete]"),
    "another that was": ("{fields: {extra: words}}", ""),
    "nothing ticked": ("{confirmed: []}", "unmet: [go_no_go]"),
    "an approval of another plan": ("{approved: {by: omar, plan: other}}", "unmet: [second-person, approvals]"),
    "one that lapsed": (
        "{asked: PT9H, approved: {by: omar, at: PT8H}}",
        "unmet: [second-person, approvals]",
    ),
    "one that just has not": ("{asked: PT9H, approved: {by: omar, at: PT7H59M59S}}", ""),
    "one that was taken back": (
        "{approved: {by: omar, withdrawn: PT0S}}",
        "unmet: [second-person, approvals]",
    ),
    "one without a reason": ('{approved: {by: omar, reason: ""}}', "unmet: [second-person, approvals]"),
    "a rejection": ("{rejected: olga}", "unmet: [approvals]"),
    "one by somebody who was none when voting": (
        "{approved: {by: omar, roles: [engineer]}}",
        "unmet: [second-person, approvals]",
    ),
    "one by somebody who is none any more": (
        "{people: {omar: [engineer]}}",
        "unmet: [second-person, approvals]",
    ),
    "one by somebody who left": ("{people: {omar: {active: false}}}", "unmet: [second-person, approvals]"),
    "an author": ("{authors: omar}", "unmet: [second-person, approvals]"),
    "a freeze": ("{freezes: F-7}", "unmet: [no-freeze]"),
    "one that is over": ("{freezes: {from: P2D, until: P1D}}", ""),
    "one of another service": ("{freezes: {service: search}}", ""),
    "a hold": ("{holds: candidate}", "unmet: [no-hold]"),
    "something overdue": ("{obligations: {kind: review, due: PT0S}}", "unmet: [nothing-overdue]"),
    "something owed": ("{obligations: {kind: review, due: +PT1S}}", ""),
    "an exception": ("{checks: {lint: failed}, exceptions: {kind: gate_bypass, waives: [ci_checks]}}", "waived: [ci_checks]"),
    "an exception of the kind that may": ("{way_back: null, exceptions: [rollback_ready]}", "waived: [rollback_ready]"),
    "one that is over ": (
        "{checks: {lint: failed}, exceptions: {kind: gate_bypass, waives: [ci_checks], until: PT0S}}",
        "unmet: [ci_checks, go_no_go]",
    ),
    "an expired request": ("{asked: PT24H, approved: {by: omar, at: PT1H}}", "unmet: [not-expired]"),
    "what nobody looked up": ("{unknown: [checks, tag]}", "unknown: [ci_checks, security_checks, secrets_scan, tag_ok, go_no_go]"),
    "nobody knows who is who": ("{unknown: {people: Slack is away}}", "unknown: [second-person, approvals]"),
}  # fmt: skip


REST_GIVEN = {
    "nothing": ("{}", ""),
    "a run that failed": ("{workflows: {suite.yml: failed}}", "unmet: [suite]"),
    "one with other inputs": ("{workflows: {suite.yml: {inputs: {mode: prod}}}}", "unmet: [suite]"),
    "a commit that the target has alone": ("{ahead: {behind: 1}}", "unmet: [ahead]"),
    "a number just under": ("{numbers: {coverage: 89.99}}", "unmet: [coverage]"),
    "a number just right": ("{numbers: {coverage: 90}}", ""),
    "another just over": ("{numbers: {bundle: 500}}", "unmet: [bundle]"),
    "a number that is too old": ("{numbers: {coverage: {at: P7D}}}", "unmet: [coverage]"),
    "a report that is not there": ("{numbers: {coverage: null}}", "unknown: [coverage]"),
    "a signal": ("{signals: {latency_p99: 501}}", "unmet: [latency]"),
    "a probe that failed": ("{probes: {smoke@stage: [/db/health 503]}}", "unmet: [answers]"),
    "probes of something else": ("{probes: {smoke@stage: {digest: other}}}", "unknown: [answers]"),
    "a setting": ('{settings: {prod: {checkout: ["DEBUG: must be 0"]}}}', "unmet: [configured]"),
    "another builder": ("{attestations: [{predicate: https://slsa.dev/provenance/v1, builder: laptop}]}", "unmet: [built_by_us]"),
    "nobody stated it": ("{confirmed: []}", "unmet: [no_new_storage]"),
    "the approver did not state it": ("{approved: {by: omar, confirms: []}}", "unmet: [no_new_storage]"),
    "a file that is not there": ("{repository: {missing: [SECURITY.md]}}", "unmet: [files]"),
    "a file that was not touched": ("{files: [src/a.py]}", "unmet: [files]"),
    "another registry": ("{image: docker.io/acme/api}", "unmet: [registry]"),
    "both labels": ("{labels: [risk:low, risk:high]}", "unmet: [labelled]"),
}  # fmt: skip


@pytest.mark.parametrize("name", REST_GIVEN)
def test_the_same_of_the_other_kinds(name: str) -> None:
    changes, expect = REST_GIVEN[name]
    table = f"- {{case: {name}, given: {changes}, expect: {{{expect or 'allowed: true'}}}}}"
    head = HEAD.replace("api", "checkout").replace(" type:feature", "")
    assert complaints(table, REST, head) == []


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_and_nothing_else_differs(name: str) -> None:
    changes, expect = GIVEN[name]
    table = f"- {{case: {name}, given: {changes}, expect: {{{expect or 'allowed: true'}}}}}"
    assert complaints(table) == []


def test_a_case_that_comes_out_otherwise_is_named_with_what_was_expected_and_found() -> None:
    assert complaints(
        """
        - case: It may go
          given: {checks: {lint: failed}}
          expect: {allowed: true}
        - case: It may not
          expect: {unmet: [soak]}
        - case: It waits for Monday
          at: 2026-11-26 17:00
          expect:
            unmet: [window]
            earliest: 2026-11-30 08:00
        - case: It speaks of other numbers
          given: {serving: {stage: PT23H}}
          expect:
            unmet: [soak]
            says: {soak: 23 h 59 min}
        - case: No such rule
          expect: {unknown: [soaked]}
        - case: Another way
          given: {approved: []}
          expect:
            unmet: [second-person, approvals]
            ways: [[wait]]
        """
    ) == [
        "line 9: It may go: expected it to be allowed, but it is refused",
        f"line 9: It may go: expected nothing of ci_checks, but it is unmet: {FAILED} (L1134-1141, L1179-1190)",
        f"line 9: It may go: expected nothing of go_no_go, but it is unmet: {UNDONE} (L3157-3166)",
        "line 11: It may not: expected it to be refused, but it is allowed",
        f"line 11: It may not: expected soak to be unmet, but it is met: {SOAKED}",
        "line 16: It waits for Monday: expected earliest to be Mon 30 Nov 2026 08:00 UTC, but it is Mon 30 Nov 2026 09:00 UTC",
        f"line 21: It speaks of other numbers: expected soak to say '23 h 59 min', but it is unmet: {SOAKING}",
        "line 23: No such rule: expected it to be refused, but it is allowed",
        f"line 23: No such rule: expected soaked to be unknown, but no rule here is called so; rules are {RULES}",
        "line 28: Another way: expected the ways [['wait']], but they are [['approve']]",
    ]


FAILED = "lint failed, unit-test passed, build passed and integration-test passed on ccccccc"
UNDONE = f"1 of 7 items are not done: Checks passed (ci_checks: {FAILED})"
SOAKED = "stage has served it for 48 h since Sun 22 Nov 2026 10:00 UTC; 24 h are required"
SOAKING = "stage has served it for 23 h of 24 h, since Mon 23 Nov 2026 11:00 UTC"
RULES = ", ".join(rule.requires for rule in rules_for(LARGE.policy, ORDINARY))


@pytest.mark.requirement("D-16")
def test_what_is_said_names_the_place_in_the_document_and_the_numbers() -> None:
    assert (
        complaints(
            """
        - case: The documents are missing
          given: {documents: {sbom: null}}
          expect:
            unmet: [attestations, go_no_go]
            says: {attestations: "(L998, L2734-2736)"}
        - case: A few minutes too early
          given: {serving: {stage: PT23H59M}}
          expect:
            unmet: [soak]
            says: {soak: 23 h 59 min of 24 h}
            earliest: 2026-11-24 10:01
            ways: [[wait]]
        """
        )
        == []
    )


MISTAKES = {
    "a fact that is none": ("given: {chekcs: {}}", "given.chekcs: is not known here; known are"),
    "a part that is none": ("given: {checks: {lint: {stat: failed}}}", "given.checks.lint.stat: is not known here"),
    "a word that is none": (
        "given: {checks: {lint: red}}",
        "given.checks.lint.state: write one of passed, failed, pending, not 'red'",
    ),
    "nobody": ("given: {approved: bob}", "given.approved[0].by: nobody is called 'bob'; people are maya, raj"),
    "a vote by nobody": ("given: {approved: {at: PT1H}}", "given.approved[0].by: is missing: say who"),
    "no time": ("given: {asked: soon}", "given.asked: write a time like 2026-11-24 10:00"),
    "no span": ("given: {asked: PT}", "given.asked: write a time span like PT10M, PT24H or P1D"),
    "no digest": ("given: {holds: [abc]}", "given.holds[0].digest: write candidate, serving, before, other"),
    "no commit": ("given: {branches: {behind: [xyz]}}", "given.branches.behind[0]: write candidate, serving"),
    "no environment": ("given: {serving: {qa: PT1H}}", "given.serving.qa: is no environment"),
    "nothing to be unknown": ("given: {unknown: [fields]}", "given.unknown.fields: is nothing that may be unknown"),
    "no number": ("given: {numbers: {coverage: high}}", "given.numbers.coverage.value: write a number, not 'high'"),
    "words that are none": ("when: promote api", "Say from where to where"),
    "words that ask nothing": ("when: status", "`status` asks nothing of the policy"),
    "a time that is none": ("at: tomorrow", "at: write a time like 2026-11-24 10:00"),
    "a span for a time": ("at: PT5H", "at: write a time like 2026-11-24 10:00"),
    "a label where nothing is known": ("given: {unknown: [changes], labels: [x]}", "the changes are unknown here"),
    "something that is not asked for": ("given: {wanted: {id: F-1}}", "given.wanted: there is none here"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_case_that_makes_no_sense_is_named_with_its_line(name: str) -> None:
    line, says = MISTAKES[name]
    (complaint,) = complaints(f"- case: {name}\n  expect: {{allowed: true}}\n  {line}\n")
    assert complaint.startswith("line 8: ")
    assert f"{name}: " in complaint
    assert says in complaint


def test_a_mistake_in_what_all_cases_share_is_named_there() -> None:
    head = HEAD.replace("{approved: omar}", "{approved: bob}").replace("10:00", "10 o'clock")
    found = complaints("- {case: a, expect: {allowed: true}}", head=head)
    assert [line.partition(" time")[0] for line in found] == ["line 2: a: at: write a"]
    found = complaints("- {case: a, expect: {allowed: true}}", head=HEAD.replace("{approved: omar}", "{approved: bob}"))
    assert [line.partition(": a")[0] for line in found] == ["line 4"]


@pytest.mark.parametrize(
    ("cases", "says"),
    [
        ("- {case: a}", "line 6: cases[0].expect is missing"),
        ("- {case: a, expect: {}}", "it expects nothing"),
        ("- {case: a, expect: {allowed: false}}", "say why not"),
        ("- {case: a, expect: {allowed: true, unmet: [soak]}}", "what is unmet or unknown is not allowed"),
        ("- {case: a, expect: {unmett: [soak]}}", "cases[0].expect.unmett is not known here; did you mean unmet?"),
        ("- {case: a, expct: {}}", "cases[0].expct is not known here; did you mean expect?"),
    ],
)
def test_a_table_that_is_none_says_so(cases: str, says: str) -> None:
    assert any(says in complaint for complaint in complaints(cases))


def test_a_case_must_say_who_when_and_what_unless_the_table_does() -> None:
    for key in ("as", "at", "when"):
        head = "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith(f"{key}:"))
        (complaint,) = complaints("- {case: a, expect: {allowed: true}}", head=head)
        assert complaint == f"line 5: a: {key}: is missing: neither the case nor the table says it"


def test_the_readme_names_every_word_that_is_no_fact_by_its_own_name() -> None:
    text = (Path(__file__).parents[2] / "policy" / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Tables of cases")[2]
    for word in ("approved", "rejected", "serving", "asked", "labels", "files", "branch", "people", "unknown"):
        assert word in KNOWN
        assert f"`{word}" in section


RECORDS = {
    "a freeze holds once somebody agrees": (
        "omar",
        "freeze start prod until:18:00 reason:it hurts exit:it does not",
        "{approved: sven}",
        "allowed: true",
    ),
    "not before": ("omar", "freeze start prod until:18:00 reason:it hurts exit:ok", "{approved: []}", "unmet: [second-person, approvals]"),
    "everybody must hear why": ("omar", "freeze start prod until:18:00", '{approved: sven, wanted: {reason: ""}}', "unmet: [freeze-complete]"),
    "and what ends it": ("omar", "freeze start prod until:18:00", "{approved: sven, wanted: {fields: {exit: null}}}", "unmet: [freeze-complete]"),
    "an engineer freezes nothing": ("maya", "freeze start prod until:18:00", "{approved: sven}", "unmet: [may-ask]"),
    "nobody agrees to its end": ("omar", "freeze end prod", "{approved: []}", "allowed: true"),
    "an engineer ends none": ("maya", "freeze end F-7", "{approved: []}", "unmet: [may-ask]"),
    "a hold is lifted": ("omar", "freeze end H-7", "{approved: []}", "allowed: true"),
    "by those who may": ("ines", "freeze end H-7", "{approved: []}", "unmet: [may-ask]"),
    "an exception is granted": (
        "maya",
        "exception request api prod waive:ci_checks kind:gate_bypass until:2d reason:flaky",
        "{approved: omar}",
        "allowed: true",
    ),
    "by others than whoever asks": (
        "omar",
        "exception request api prod waive:ci_checks kind:gate_bypass until:2d reason:flaky",
        "{approved: omar}",
        "unmet: [second-person, approvals]",
    ),
    "for so long as its kind says": (
        "maya",
        "exception request api prod waive:ci_checks kind:gate_bypass until:P8D",
        "{approved: omar}",
        "unmet: [exception-allowed]",
    ),
    "with all that must be said": (
        "maya",
        "exception request api prod waive:blockers until:2d",
        "{approved: omar, wanted: {fields: {scope: null}}}",
        "unmet: [exception-complete]",
    ),
    "it ends as soon as it may": ("maya", "exception request api prod waive:ci_checks kind:gate_bypass", "{approved: omar}", "allowed: true"),
    "an exception is revoked": ("maya", "exception revoke X-1 reason:done", "{approved: []}", "allowed: true"),
    "an emergency": (
        "maya",
        "promote api stage→prod type:emergency incident:INC-7",
        "{approved: ines, freezes: F-7, way_back: null}",
        "waived: [no-freeze, rollback_ready]",
    ),
    "its record": (
        "maya",
        "promote api stage→prod type:emergency",
        "{approved: ines, emergency: {until: PT0S}, freezes: F-7}",
        "unmet: [emergency-record, no-freeze]",
    ),
    "a rollback": ("ines", "rollback api prod", "{approved: [], freezes: F-7}", "allowed: true"),
    "to nothing": ("ines", "rollback api prod", "{approved: [], rollback_to: {unknown: none is left}}", "unknown: [known-good-target]"),
    "a dry run": ("maya", "promote api stage→prod type:feature --plan", "{}", "allowed: true"),
    "what the slash command says": ("maya", "/release why api stage→prod", "{}", "allowed: true"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_every_word_that_asks_something_can_be_a_case(name: str) -> None:
    who, words, changes, expect = RECORDS[name]
    table = f"- {{case: {name}, as: {who}, when: '{words}', given: {changes}, expect: {{{expect}}}}}"
    assert complaints(table) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("freeze start prod reason:x", "Say when it ends"),
        ("exception request api prod until:2d", "Say which rules"),
        ("exception request api prod waive:ci_checks until:2d", "Say which kind it is: `kind:…`; there are `temporary`, `gate_bypass`"),
        ("exception request api prod waive:parity digest:abc", "That is no whole digest"),
        ("exception settle O-1 note:done", "asks nothing of the policy"),
    ],
)  # fmt: skip
def test_words_that_leave_out_too_much(words: str, says: str) -> None:
    (complaint,) = complaints(f"- {{case: a, when: '{words}', expect: {{allowed: true}}}}")
    assert complaint.startswith("line 6: a: ")
    assert says in complaint
