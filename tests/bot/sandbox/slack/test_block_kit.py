from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack import block_kit


def text(length: int, kind: str = "plain_text") -> dict[str, Any]:
    return {"type": kind, "text": "x" * length}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "go", "text": text(3), **more}


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "elements": list(elements)}]


def confirm(**more: Any) -> dict[str, Any]:
    return {"title": text(9), "text": text(9), "confirm": text(9), "deny": text(9), **more}


def option(words: int = 5) -> dict[str, Any]:
    return {"text": text(words), "value": "v"}


def section(**more: Any) -> list[dict[str, Any]]:
    return [{"type": "section", "text": text(5, "mrkdwn"), **more}]


def table(rows: int, cells: int = 2) -> list[dict[str, Any]]:
    return [{"type": "table", "rows": [[{"type": "raw_text", "text": "a"}] * cells] * rows}]


def select(**more: Any) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "pick", "options": [option()], **more}


FITS_AND_NOT = [
    ("blocks of a message", [{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
    ("text of a section", section(text=text(3000, "mrkdwn")), section(text=text(3001, "mrkdwn"))),
    ("fields of a section", section(fields=[text(1)] * 10), section(fields=[text(1)] * 11)),
    ("text of a field", section(fields=[text(2000)]), section(fields=[text(2001)])),
    ("a header", [{"type": "header", "text": text(150)}], [{"type": "header", "text": text(151)}]),
    ("a context", [{"type": "context", "elements": [text(1)] * 10}], [{"type": "context", "elements": [text(1)] * 11}]),
    (
        "elements of actions",
        actions(*(button(action_id=f"a{n}") for n in range(25))),
        actions(*(button(action_id=f"a{n}") for n in range(26))),
    ),
    ("label of a button", actions(button(text=text(75))), actions(button(text=text(76)))),
    ("value of a button", actions(button(value="x" * 2000)), actions(button(value="x" * 2001))),
    ("url of a button", actions(button(url="x" * 3000)), actions(button(url="x" * 3001))),
    ("label for readers", actions(button(accessibility_label="x" * 75)), actions(button(accessibility_label="x" * 76))),
    ("style of a button", actions(button(style="danger")), actions(button(style="default"))),
    ("action id", actions(button(action_id="x" * 255)), actions(button(action_id="x" * 256))),
    ("block id", section(block_id="x" * 255), section(block_id="x" * 256)),
    (
        "title of a confirm dialog",
        actions(button(confirm=confirm(title=text(100)))),
        actions(button(confirm=confirm(title=text(101)))),
    ),
    (
        "text of a confirm dialog",
        actions(button(confirm=confirm(text=text(300)))),
        actions(button(confirm=confirm(text=text(301)))),
    ),
    (
        "button of a confirm dialog",
        actions(button(confirm=confirm(deny=text(30)))),
        actions(button(confirm=confirm(deny=text(31)))),
    ),
    ("options", actions(select(options=[option()] * 100)), actions(select(options=[option()] * 101))),
    ("text of an option", actions(select(options=[option(75)])), actions(select(options=[option(76)]))),
    ("rows of a table", table(100), table(101)),
    ("cells of a row", table(2, 20), table(2, 21)),
    ("tables in a message", table(1), table(1) + table(1)),
    ("markdown in all", [{"type": "markdown", "text": "x" * 6000}] * 2, [{"type": "markdown", "text": "x" * 6001}] * 2),
    ("an accessory", section(accessory=button()), section(accessory=button(text=text(76)))),
    ("block ids that differ", section(block_id="a") + section(block_id="b"), section(block_id="a") * 2),
    ("action ids that differ", actions(button(), button(action_id="b")), actions(button(), button())),
]


@pytest.mark.parametrize(("what", "fits", "too_much"), FITS_AND_NOT, ids=[row[0] for row in FITS_AND_NOT])
def test_what_fits_is_taken_and_one_more_is_not(what: str, fits: Any, too_much: Any) -> None:
    assert block_kit.in_message(fits) == []
    assert block_kit.in_message(too_much) != []


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "sections"}],
        [{"type": "section"}],
        ["section"],
        "section",
        [{"type": "section", "text": "bare"}],
        [{"type": "section", "text": text(0)}],
        [{"type": "section", "text": text(1), "colour": "red"}],
        [{"type": "actions", "elements": []}],
        [{"type": "actions", "elements": [{"type": "plain_text_input"}]}],
        [{"type": "header", "text": text(3, "mrkdwn")}],
        [{"type": ["section"]}],
        [{"type": "alert", "text": text(3)}],
    ],
)
def test_what_slack_does_not_know_is_not_taken(blocks: Any) -> None:
    assert block_kit.in_message(blocks) != []


def test_a_problem_points_at_its_place() -> None:
    assert block_kit.in_message(actions(button(), button(action_id="b", text=text(76)))) == [
        "[ERROR] must be less than 76 characters [json-pointer:/blocks/0/elements/1/text/text]"
    ]


def modal(**more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": text(24), "blocks": section(), **more}


INPUT = {"type": "input", "label": text(5), "element": {"type": "plain_text_input", "action_id": "a"}}


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        (modal(), modal(title=text(25))),
        (modal(submit=text(24)), modal(submit=text(25))),
        (modal(close=text(24)), modal(close=text(25))),
        (modal(private_metadata="x" * 3000), modal(private_metadata="x" * 3001)),
        (modal(callback_id="x" * 255), modal(callback_id="x" * 256)),
        (modal(blocks=[{"type": "divider"}] * 100), modal(blocks=[{"type": "divider"}] * 101)),
        (modal(blocks=[INPUT], submit=text(5)), modal(blocks=[INPUT])),
        (modal(blocks=section()), modal(blocks=table(1))),
        ({"type": "home", "blocks": section()}, {"type": "home", "blocks": section(), "title": text(5)}),
        ({"type": "home", "blocks": section()}, {"type": "house", "blocks": section()}),
    ],
)
def test_views_have_limits_of_their_own(fits: Any, too_much: Any) -> None:
    assert block_kit.in_view(fits) == []
    assert block_kit.in_view(too_much) != []


def test_rich_text_is_walked_to_the_last_element() -> None:
    line = {"type": "rich_text_section", "elements": [{"type": "text", "text": "a", "style": {"bold": True}}]}
    listed = {"type": "rich_text_list", "style": "bullet", "elements": [line]}
    assert block_kit.in_message([{"type": "rich_text", "elements": [line, listed]}]) == []
    line["elements"].append({"type": "shout", "text": "a"})  # type: ignore[attr-defined]
    assert len(block_kit.in_message([{"type": "rich_text", "elements": [line, listed]}])) == 2
