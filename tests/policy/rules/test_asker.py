"""Who may ask where nobody does: a trigger of the policy, for what it is there for and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.case import case
from policy.document import Policy
from policy.facts import TOGETHER, Question
from policy.finding import Standing
from policy.rules.asker import may_ask
from tests.policy.good import DOCUMENT, NOW, PROMOTION, ROLLBACK, but

TRIGGERS = {
    "hot": {"signal": "memory_percent", "above": 90},
    "warm": {"signal": "memory_percent", "above": 80, "then": "ask"},
}
TO_PROD = {**DOCUMENT["paths"][1], "rollout": {"triggers": TRIGGERS}}
POLICY = Policy.model_validate({**DOCUMENT, "paths": [DOCUMENT["paths"][0], TO_PROD]})


@pytest.mark.parametrize(
    ("question", "trigger", "standing"),
    [
        (ROLLBACK, "hot", Standing.MET),
        (ROLLBACK, "warm", Standing.UNMET),
        (ROLLBACK, "cold", Standing.UNMET),
        (PROMOTION, "hot", Standing.UNMET),
        (ROLLBACK, TOGETHER, Standing.MET),
        (PROMOTION, TOGETHER, Standing.UNMET),
        (replace(ROLLBACK, target="stage"), "hot", Standing.UNMET),
    ],
    ids=[
        "takes back",
        "only asks",
        "is none",
        "promotes nothing",
        "another of the set went bad",
        "a set promotes nothing by itself",
        "belongs to another place",
    ],
)
def test_only_a_trigger_that_takes_back_asks_by_itself(question: Question, trigger: str, standing: Standing) -> None:
    assert may_ask(case(question, but(trigger=trigger), POLICY, NOW)).standing is standing


def test_where_those_that_shipped_stay_nothing_of_a_set_goes_back_by_itself() -> None:
    stays = Policy.model_validate({**DOCUMENT, "manifest": {"if_one_fails": "stay"}})
    finding = may_ask(case(ROLLBACK, but(trigger=TOGETHER), stays, NOW))
    assert (finding.standing, finding.reason) == (
        Standing.UNMET,
        "the policy has no trigger ships-together that takes it back",
    )


def test_a_trigger_asks_for_nothing_of_services_whose_path_has_no_such_trigger() -> None:
    hot = {**TO_PROD, "services": ["checkout"]}
    calm = {**DOCUMENT["paths"][1], "services": ["search"]}
    both = Policy.model_validate({**DOCUMENT, "paths": [DOCUMENT["paths"][0], hot, calm]})
    for service, standing in (("checkout", Standing.MET), ("search", Standing.UNMET)):
        question = replace(ROLLBACK, service=service)
        assert may_ask(case(question, but(trigger="hot"), both, NOW)).standing is standing
