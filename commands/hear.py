"""What can be said at once? Help, and that these words are none; everything else is work."""

from __future__ import annotations

from commands.catalogue import find
from commands.errors import Misunderstood
from commands.help import help_about
from commands.reply import Reply


def hear(words: str) -> Reply | None:
    """What can be said at once, without a look at the world: help, or that these words are none. None: work follows."""
    try:
        command, said = find(words)
    except Misunderstood as error:
        return Reply(str(error))
    return help_about(said.words[0].lower() if said.words else "") if command.verb == ("help",) else None
