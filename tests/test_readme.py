"""The README says what is true: its table of words is the catalogue's, its policy is one, its settings exist."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from bot.policy_file import check, read_policy
from bot.sandbox import story
from bot.settings import Settings
from commands.catalogue import CATALOGUE, understand
from commands.fields import unsaid
from commands.intent import RequestException
from commands.resolve import Setting

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table() -> str:
    """What stands between the marks, made from the catalogue."""
    rows = ["| words | what they do |", "|---|---|"]
    for command in CATALOGUE:
        if not command.behind_a_button:
            shape = command.shape.replace("|", "\\|")
            rows.append(f"| `/release {shape}` | {command.does} |")
    buttons = ", ".join(f"`{command.verb[0]}`" for command in CATALOGUE if command.behind_a_button)
    return "\n".join(rows) + f"\n\nBehind buttons: {buttons}."


def test_its_table_of_words_is_the_catalogue() -> None:
    shown = README.split("<!-- commands -->\n")[1].split("\n<!-- /commands -->")[0]
    assert shown == table()


def test_what_a_newcomer_is_to_type_is_understood_and_lacks_nothing() -> None:
    policy = read_policy(story.POLICY).policy
    words = re.findall(r"`/release ([^`]+)`", README.split("## Try it")[1].split("## What you can say")[0])
    meant = [understand(each, Setting(policy, "", datetime.now(UTC))) for each in words]
    (exception,) = [each for each in meant if isinstance(each, RequestException)]
    (kind,) = policy.exceptions.values()
    assert not unsaid(kind.fields, exception.said, "it needs it")


def test_its_policy_is_the_smallest_one_that_stands_in_deploy() -> None:
    shown = README.split("```yaml\n")[1].split("```")[0]
    minimal = (ROOT / "deploy" / "policies" / "minimal.yaml").read_text(encoding="utf-8")
    assert shown == minimal
    assert not check(shown.encode())
    assert len(shown.splitlines()) <= 30


def test_every_setting_and_file_it_names_exists() -> None:
    for name in re.findall(r"`([A-Z][A-Z_]{3,})`", README):
        assert name in {each.name for each in fields(Settings)}, name
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        if not path.startswith("http"):
            assert (ROOT / path).is_file(), path
