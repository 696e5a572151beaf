"""What was said to the local GitHub in the whole test run, and would the real one have understood it?

Whatever process a local GitHub runs in writes down what is said to it, so nothing that a test starts is left out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bot.github_world import CONTRACT, contract, violations

SHOWN = 20
"""More that is wrong tells nothing new."""


@dataclass(frozen=True)
class Report:
    """What became of looking at all of it."""

    exchanges: int
    documents: int
    """GraphQL documents among them, each counted once."""
    covered: tuple[str, ...]
    """Operations that were answered with what was asked for, `git/get-ref`."""
    missing: tuple[str, ...]
    """Operations of the contract that never were."""
    wrong: tuple[str, ...]
    """What GitHub's published description does not allow, on either side."""

    def lines(self) -> Iterator[str]:
        everything = len(self.covered) + len(self.missing)
        yield (
            f"{self.exchanges} exchanges, {len(self.wrong)} against GitHub's published description; "
            f"{len(self.covered)} of {everything} operations, {self.documents} GraphQL documents"
        )
        areas: defaultdict[str, list[str]] = defaultdict(list)
        for operation in self.covered:
            area, _, name = operation.partition("/")
            areas[area].append(name)
        yield from (f"  {area}: {', '.join(names)}" for area, names in areas.items())
        if 0 < len(self.missing) <= SHOWN:
            yield f"never: {', '.join(self.missing)}"
        yield from self.wrong[:SHOWN]


def report(folder: Path) -> Report | None:
    """Everything in the folder's records, judged; None where nothing was said, or the contract is not at hand."""
    said: Counter[str] = Counter()
    for file in sorted(folder.glob("*.jsonl")):
        said.update(line for line in file.read_text("utf-8").splitlines() if line.endswith("}"))
    if not said or not CONTRACT.exists():
        return None
    covered: set[str] = set()
    documents: set[str] = set()
    wrong: list[str] = []
    for line in said:
        exchange = json.loads(line)
        wrong += violations((exchange,))
        if exchange["path"] == "/graphql":
            documents.add(exchange["request"]["query"])
        elif 200 <= exchange.get("status", 200) < 300:
            operation, _ = contract().match(exchange["method"], exchange["path"].partition("?")[0])
            covered |= {operation["op"]} if operation and "op" in operation else set()
    known = {each["op"] for each in contract().data["ops"]}
    return Report(
        said.total(),
        len(documents),
        tuple(sorted(covered)),
        tuple(sorted(known - covered)),
        tuple(dict.fromkeys(wrong)),
    )
