from __future__ import annotations

import pytest

from bot.dialogs import ANSWER_MAX, Asking, longest_answer, with_words, words_with
from commands.grammar import WORDS_MAX, take_apart
from commands.reply import Ask

INCIDENT = Ask("incident", "Incident number", "An emergency needs one")
PLAN = Ask("rollback-plan", "Rollback plan", "How to get back", required=False, long=True)
RISK = Ask("risk", "Risk", choices=("low", "high"))
ASKS = (INCIDENT, PLAN, RISK)


def test_words_and_questions_survive_the_way_to_slack_and_back() -> None:
    text = with_words("promote checkout stage→prod", ASKS, 2000)
    assert text is not None
    assert words_with(text) == ("promote checkout stage→prod", ASKS)


@pytest.mark.parametrize(
    ("room", "asks"),
    [
        (176, ASKS),
        (
            175,
            (
                Ask("incident", "Incident number"),
                Ask("rollback-plan", "Rollback plan", required=False, long=True),
                RISK,
            ),
        ),
        (
            139,
            (
                Ask("incident", "Incident number"),
                Ask("rollback-plan", "Rollback plan", required=False, long=True),
                RISK,
            ),
        ),
        (138, (Ask("incident", "Incident"), Ask("rollback-plan", "Rollback plan", required=False, long=True), RISK)),
        (123, None),
    ],
)
def test_where_room_is_short_hints_go_first_then_labels_and_never_words(
    room: int, asks: tuple[Ask, ...] | None
) -> None:
    text = with_words("promote checkout stage→prod", ASKS, room)
    assert (text and words_with(text)) == (asks and ("promote checkout stage→prod", asks))
    assert text is None or len(text) <= room


@pytest.mark.parametrize("text", ["[]", '"x"', '["a",[["k"]]]', '["a","b"]', "{}"])
def test_words_that_are_none_of_ours_are_loud(text: str) -> None:
    with pytest.raises(ValueError, match="of ours"):
        words_with(text)


@pytest.mark.parametrize("text", ["[]", '["a","reason","C1","",""]', '["a",[["k",1]],"C1","",""]', '["a",[],"C1",""]'])
def test_a_context_that_is_none_of_ours_is_loud(text: str) -> None:
    with pytest.raises(ValueError, match="of ours"):
        Asking.read(text)


@pytest.mark.parametrize(
    "typed", ['the "usual" one', "a “quoted” word", "confirms:all", 'end" confirms:"all', "→ prod"]
)
def test_what_is_typed_into_a_field_stays_in_that_field(typed: str) -> None:
    asking = Asking("promote checkout stage→prod", (("reason", True), ("risk", True)))
    said = take_apart(asking.words({"reason": typed.translate({0x201C: '"', 0x201D: '"'}), "risk": "low"}))
    assert set(said.keys) == {"reason", "risk"}
    assert said.words == ("promote", "checkout", "stage", "→", "prod") or said.words[-1] == "stage→prod"
    assert said.keys["risk"] == "low"


@pytest.mark.parametrize(("how_many", "longest"), [(1, ANSWER_MAX), (7, ANSWER_MAX), (9, 1321), (40, 288)])
def test_many_answers_share_the_room_that_words_have(how_many: int, longest: int) -> None:
    asks = tuple(Ask(f"key-{'abcdefghijklmnopqrstuvwxyzabcdefghijklmnop'[at]}-{at}", "") for at in range(how_many))
    assert longest_answer("promote", asks) == longest
    asking = Asking("promote", tuple((ask.key, True) for ask in asks))
    assert len(asking.words({ask.key: "x" * longest for ask in asks})) <= WORDS_MAX
