"""What can be said? From the catalogue."""

from __future__ import annotations

from commands.catalogue import CATALOGUE, FIRST_WORDS
from commands.grammar import nearest
from commands.reply import Code, Line, Mark, Reply


def help_about(topic: str = "") -> Reply:
    """Every command that people type, or all there is to one of them."""
    if not topic:
        shown = [command for command in CATALOGUE if not command.behind_a_button]
        lines = tuple(Line(Mark.NOTE, (Code(f"/release {command.shape}"), f" {command.does}")) for command in shown)
        return Reply(
            "This is what I understand.",
            lines=lines,
            footer="In a thread mention me instead, slash commands do not work there. help <command> shows an example.",
        )
    found = [command for command in CATALOGUE if command.verb[0] == topic]
    if not found:
        return Reply(f"I do not know `{topic[:40]}`. {nearest(topic, FIRST_WORDS)}")
    lines = tuple(
        line
        for command in found
        for line in (
            Line(Mark.NOTE, (Code(f"/release {command.shape}"), f" {command.does}")),
            *(Line(Mark.NOTE, ("For example ", Code(f"/release {example}"))) for example in command.examples),
        )
    )
    return Reply(f"This is how to say {topic}.", lines=lines)
