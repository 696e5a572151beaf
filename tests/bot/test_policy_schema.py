"""The schema for editors: it is the one that is published, it accepts what is a policy, and it sees what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bot.policy_schema import schema, written
from bot.strict_yaml import Document
from tests.bot.test_policy_file import HANDED_OUT, MINIMAL, POLICIES

VALIDATOR = Draft202012Validator(schema())


def test_what_is_published_is_what_the_code_says() -> None:
    """Where this fails: `python -m bot.policy_schema > deploy/policies/policy.schema.json`."""
    assert (POLICIES / "policy.schema.json").read_text(encoding="utf-8") == written()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", HANDED_OUT, ids=lambda file: str(file.name))
def test_it_accepts_every_policy_that_we_hand_out(file: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(Document(file.read_bytes()).value)] == []


def put(*where: str | int, to: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for part in where[:-1]:
            document = document[part]
        document[where[-1]] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("aproval", to=[]),
        put("environments", "prod", "production", to="yes"),
        put("paths", 0, "gates", to={"soak": "24h"}),
        put("paths", 0, "gates", to=["tests"]),
        put("gates", to={"tests": {"kind": "check", "names": ["build"]}}),
        put("gates", to={"tests": {"kind": "checks", "nams": ["build"]}}),
        put("gates", to={"a name with blanks": {"kind": "manifest"}}),
        put("windows", to={"hours": {"allow": [{"weekly": {"days": ["mon"], "start": "9:00", "end": "17:00"}}]}}),
        put("calendars", to={"DE": {"days": {"Christmas": "2026-12-25"}}}),
        put("people", "maya", "slack", to="@maya"),
    ],
)
def test_it_sees_a_misspelled_key_or_value_while_it_is_typed(change: Callable[[Any], None]) -> None:
    document = Document(MINIMAL).value
    assert VALIDATOR.is_valid(document)
    change(document)
    assert not VALIDATOR.is_valid(document)
