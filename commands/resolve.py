"""Which service, which environment is meant? By the policy's names and aliases; never by a guess."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from commands.errors import Misunderstood
from commands.grammar import known, nearest
from policy.facts import EMERGENCY

if TYPE_CHECKING:  # see commands/ports.py
    from policy.document import Policy


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when words were said: what fills in what they leave out."""

    policy: Policy
    channel: str
    now: datetime

    def service(self, word: str | None) -> str:
        """The service called so; without a word the one that the channel is bound to, or the only one."""
        services = self.policy.services
        if word is not None:
            found = next((name for name in services if name.casefold() == word.casefold()), None)
            if found is None:
                raise Misunderstood(f"I know no service `{word[:40]}`. {nearest(word, services)}")
            return found
        bound = [name for name, service in services.items() if service.channel == self.channel]
        if len(bound) == 1:
            return bound[0]
        if len(services) == 1:
            return next(iter(services))
        raise Misunderstood(f"Which service? I know {known(services)}.")

    def environment(self, word: str) -> str:
        found = self.policy.environment_called(word)
        if found is None:
            raise Misunderstood(f"I know no environment `{word[:40]}`. {nearest(word, self.policy.environments)}")
        return found

    def change(self, word: str) -> str:
        """The change type called so; empty for an ordinary change."""
        types = [*self.policy.change_types, *([EMERGENCY] if self.policy.emergency else [])]
        found = next((name for name in types if name.casefold() == word.casefold()), None)
        if word and found is None:
            known = nearest(word, types) if types else "This policy has none."
            raise Misunderstood(f"I know no type of change `{word[:40]}`. {known}")
        return found or ""

    def production(self) -> str:
        """The one production environment, for words that leave it out."""
        found = [name for name, environment in self.policy.environments.items() if environment.production]
        if len(found) != 1:
            raise Misunderstood(f"Which environment? I know {known(self.policy.environments)}.")
        return found[0]

    def several(self, words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The services that the first words name together, in the order in which they ship, and the other words.

        A group by its name, or some of its services with commas between. None: they name one service, or none.
        """
        named = 1
        while named < len(words) and words[named - 1].endswith(","):
            named += 1
        first = [word for word in "".join(words[:named]).split(",") if word]
        groups = self.policy.groups
        whole = next((name for name in groups if [name.casefold()] == [word.casefold() for word in first]), None)
        if whole is not None:
            return groups[whole], words[named:]
        if len(first) < 2:
            return None
        services = {self.service(word) for word in first}
        if len(services) == 1:
            raise Misunderstood(f"That names one service only; say `{services.pop()}` once.")
        for group in groups.values():
            if services <= set(group):
                return tuple(service for service in group if service in services), words[named:]
        says = "The policy does not say in which order they ship"
        raise Misunderstood(f"{says}: name them under `groups`, or ask for one after the other.")

    def is_service(self, word: str) -> bool:
        return word.casefold() in {name.casefold() for name in self.policy.services}
