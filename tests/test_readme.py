"""The README says what is true: its table of words is the catalogue's, its policy is one, its settings exist."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from bot.policy_file import check
from bot.settings import Settings
from commands.catalogue import CATALOGUE

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
