"""What becomes of a release whose bot is killed? Kills it with SIGKILL at random instants, and audits the books.

    python -m tests.acceptance.kill --kills 50 --seed 1

Starts a sandbox of its own, promotes, approves and rolls back in it, and kills the bot meanwhile; the sandbox starts it
again by itself. Afterwards compares the ledger with what Cloud Run and GitHub really took: no effect without an earlier
intent, no outcome claimed that did not happen, no effect twice, every operation settled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.acceptance.client import Json, NotInTime, Refused, Sandbox, whole
from tests.acceptance.process import Running, sandbox

BACK_WITHIN = 60.0
"""Seconds until a killed bot answers again."""
SETTLES_WITHIN = 180.0
SERVICE = "checkout"


@dataclass
class Kill:
    """One SIGKILL."""

    during: str
    after: float
    """Seconds since the deed began."""
    down: float
    """Seconds until the bot was back."""


@dataclass
class Audit:
    """What the books say beside what the worlds took."""

    effects: int = 0
    without_intent: list[str] = field(default_factory=list)
    not_happened: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    intents: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        return not (self.without_intent or self.not_happened or self.repeated or self.unsettled)


# Killing ------------------------------------------------------------------------------------------------------------


class Killer:
    """Plays one service through its life, again and again, and kills the bot while it works."""

    def __init__(self, running: Running, seed: int) -> None:
        self.running = running
        self.box: Sandbox = running.box
        self.chance = random.Random(seed)
        self.kills: list[Kill] = []

    def pid(self) -> int | None:
        """The bot's process, or None while there is none."""
        try:
            pid = int((self.running.data / "bot.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def kill(self, during: str, began: float) -> None:
        """Now; returns when another one answers."""
        pid = self.box.until("a bot to kill", self.pid, within=BACK_WITHIN)
        os.kill(pid, signal.SIGKILL)
        at = time.monotonic()
        self.box.until("another bot", lambda: self.pid() not in {None, pid}, within=BACK_WITHIN)
        self.box.until("its answer", lambda: self.tell("maya", "/release help"), within=BACK_WITHIN)
        self.kills.append(Kill(during, at - began, time.monotonic() - at))

    def tell(self, who: str, text: str) -> bool:
        """True where it was acknowledged."""
        try:
            return bool(self.box.say(who, SERVICE, text)["ok"])
        except Refused:
            return False

    @contextmanager
    def killing(self, during: str, times: int, longest: float) -> Iterator[None]:
        """The bot is killed so often, most within `longest` seconds after the deed begins, and is back at the end.

        Half of the instants are anywhere; the others follow within 40 ms on a new line in the ledger, where intents
        wait for their effects and effects for their outcomes.
        """
        began = time.monotonic()
        moments = sorted(self.chance.uniform(0, longest) for _ in range(times))
        trouble: list[BaseException] = []

        def go() -> None:
            try:
                for moment in moments:
                    time.sleep(max(0.0, began + moment - time.monotonic()))
                    if self.chance.random() < 0.5:
                        self.await_a_line(longest)
                        time.sleep(self.chance.uniform(0, 0.04))
                    self.kill(during, began)
            except (NotInTime, Refused, OSError, sqlite3.Error) as error:
                trouble.append(error)

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if trouble:
            raise trouble[0]

    def await_a_line(self, longest: float) -> None:
        """The ledger has a new line, or `longest` seconds have passed."""
        end = time.monotonic() + longest
        query = "SELECT max(seq) FROM entries"
        with closing(open_books(self.running.data)) as books:
            known = books.execute(query).fetchone()
            while books.execute(query).fetchone() == known and time.monotonic() < end:
                time.sleep(0.002)

    # One life -------------------------------------------------------------------------------------------------------

    def life(self, kills: int) -> int:
        """Promote, approve, ship, roll back, lift the hold; how often the bot was killed meanwhile."""
        before = len(self.kills)
        stage, old = (str(whole(self.box.world(), SERVICE, where)) for where in ("stage", "prod"))
        part = [kills // 3 + (kills % 3 > n) for n in (1, 0, 2)]
        with self.killing("promote", part[0], 0.6):
            self.insist("maya", f"/release promote {SERVICE} stage→prod", lambda: self.offered("Approve"))
        with self.killing("approve", part[1], 12):
            self.insist_click("omar", "Approve", lambda: not self.offered("Approve"))
            self.box.until("it is live", lambda: whole(self.box.world(), SERVICE, "prod") == stage, SETTLES_WITHIN)
        self.quiet()
        with self.killing("rollback", part[2], 2):
            self.insist(
                "ines",
                f"/release rollback {SERVICE} reason:practice",
                lambda: whole(self.box.world(), SERVICE, "prod") == old,
            )
        self.quiet()
        self.insist("ines", "/release freeze list", lambda: True)
        hold = self.box.until("the hold", self.hold)
        self.insist("ines", f"/release freeze end {hold} reason:practice", lambda: not self.open_holds())
        return len(self.kills) - before

    def insist(self, who: str, text: str, done: Callable[[], object]) -> None:
        """Says it, and again where it was not acknowledged, as a person would; until it is done."""
        self.box.until(text, lambda: self.tell(who, text), BACK_WITHIN)
        self.box.until(f"the effect of {text}", done, SETTLES_WITHIN)

    def insist_click(self, who: str, button: str, done: Callable[[], object]) -> None:
        def click() -> bool:
            offered = self.offered(button)
            if offered is None:
                return True
            try:
                return bool(self.box.press(who, offered["ts"], button)["ok"])
            except Refused:
                return True  # the button has gone: somebody's click has counted

        self.box.until(f"a click on {button}", click, BACK_WITHIN)
        self.box.until(f"the effect of {button}", done, SETTLES_WITHIN)

    def offered(self, button: str) -> Json | None:
        """The newest message that has this button."""
        return next((one for one in reversed(self.box.messages(SERVICE)) if button in one["buttons"]), None)

    def quiet(self) -> None:
        """Nothing is under way any more."""
        self.box.until("all is settled", lambda: not open_operations(self.running.data), SETTLES_WITHIN)

    def hold(self) -> str | None:
        return next(iter(self.open_holds()), None)

    def open_holds(self) -> list[str]:
        return [row[0] for row in rows(self.running.data, "SELECT id FROM holds WHERE lifted_at IS NULL")]


# Auditing -----------------------------------------------------------------------------------------------------------


def open_books(data: Path) -> sqlite3.Connection:
    """For reading only."""
    return sqlite3.connect(f"file:{data / 'release-bot.db'}?mode=ro", uri=True, timeout=30, check_same_thread=False)


def rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(open_books(data)) as books:
        return list(books.execute(query))


def open_operations(data: Path) -> list[str]:
    """Those that may still change something."""
    return [f"{id} is {phase}" for id, phase in rows(data, "SELECT id, phase FROM operations WHERE over = 0")]


def ledger(data: Path) -> list[Json]:
    """Every entry, in order."""
    return [json.loads(body) for (body,) in rows(data, "SELECT body FROM entries ORDER BY seq")]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shares(lines: list[Any]) -> tuple[tuple[str, int], ...]:
    """A traffic list without what has no traffic and without tags, in order of revisions."""
    pairs = [(line["revision"], line["percent"]) if isinstance(line, dict) else (line[0], line[1]) for line in lines]
    merged: Counter[str] = Counter()
    for revision, percent in pairs:
        merged[revision] += percent
    return tuple(sorted((revision, percent) for revision, percent in merged.items() if percent))


def audit(entries: list[Json], writes: list[Json], world: Json, phases: dict[str, str]) -> Audit:
    """Compares what was written down with what was done."""
    seen = Audit(operations=Counter(phases.values()))
    # Without an effect it is the whole operation's: that it began.
    intents = [one for one in entries if one["phase"] == "intent" and "effect" in one]
    outcomes = [one for one in entries if one["phase"] == "outcome" and "effect" in one]
    seen.intents, seen.outcomes = len(intents), Counter(one["what"] for one in outcomes)
    ours = [one for one in writes if one["operation"]]
    _cloud_run(seen, ours, intents, outcomes)
    _github(seen, world, intents)
    for number, count in Counter((one["op"], one["effect"]["key"]) for one in intents).items():
        settled = [one for one in outcomes if (one.get("op"), one.get("effect", {}).get("key")) == number]
        if len(settled) != count:
            seen.unsettled.append(f"{number[0]} {number[1]}: {count} intents, {len(settled)} outcomes")
    _ends(seen, ours, entries, phases)
    return seen


def _cloud_run(seen: Audit, writes: list[Json], intents: list[Json], outcomes: list[Json]) -> None:
    def means(intent: Json) -> tuple[tuple[str, int], ...]:
        return shares(intent.get("detail", {}).get("shares", []))

    seen.effects += len(writes)
    for write in writes:
        earlier = [
            one
            for one in intents
            if one["op"] == write["operation"]
            and one["kind"] in {"deploy", "traffic"}
            and means(one) == shares(write["traffic"])
            and instant(one["time"]) <= instant(write["at"])
        ]
        if not earlier:
            seen.without_intent.append(f"{write['operation']}: {write['site']} {write['traffic']} at {write['at']}")
    for one in outcomes:
        if one["what"] != "confirmed" or one["kind"] not in {"deploy", "traffic"}:
            continue
        intent = next(i for i in intents if (i["op"], i["effect"]) == (one["op"], one["effect"]))
        done = [
            write
            for write in writes
            if write["operation"] == one["op"]
            and shares(write["traffic"]) == means(intent)
            and instant(write["at"]) <= instant(one["time"])
        ]
        if not done:
            seen.not_happened.append(f"{one['op']} {one['effect']['key']} at {one['time']}")
    for operation in {write["operation"] for write in writes}:
        states = [
            (shares(write["traffic"]), write.get("new_revision") or "")
            for write in writes
            if write["operation"] == operation
        ]
        kept = [state for n, state in enumerate(states) if n == 0 or state[0] != states[n - 1][0] or state[1]]
        for state, times in Counter(kept).items():
            # The way back may lead through a state of the way there; each has an intent of its own.
            keys = {one["effect"]["key"] for one in intents if one["op"] == operation and means(one) == state[0]}
            if times > max(1, len(keys)):
                seen.repeated.append(f"{operation}: {state} {times} times")


def _github(seen: Audit, world: Json, intents: list[Json]) -> None:
    recorded: Counter[str] = Counter()
    for repository in world["github"].values():
        for made in repository["deployments"]:
            payload = made["payload"] if isinstance(made["payload"], dict) else json.loads(made["payload"] or "{}")
            operation = str(payload.get("operation", ""))
            if not operation.startswith("op_"):
                continue
            recorded[operation] += 1
            seen.effects += 1 + len(made["statuses"])
            if not any(one["op"] == operation and one["kind"] == "deployment" for one in intents):
                seen.without_intent.append(f"{operation}: GitHub deployment {made['id']}")
            states = [status["state"] for status in made["statuses"]]
            if len(states) != len(set(states)):
                seen.repeated.append(f"{operation}: GitHub deployment {made['id']} went {states}")
    seen.repeated += [f"{one}: {count} GitHub deployments" for one, count in recorded.items() if count > 1]


def _ends(seen: Audit, writes: list[Json], entries: list[Json], phases: dict[str, str]) -> None:
    for operation, phase in phases.items():
        if phase in {"running", "going back", "blocked", "waiting", "uncertain"}:
            seen.unsettled.append(f"{operation} is {phase}")
        if phase != "done":
            continue
        revision = next(
            (
                one["target"]["revision"]
                for one in entries
                if one.get("op") == operation and "revision" in one.get("target", {})
            ),
            "",
        )
        last = [shares(one["traffic"]) for one in writes if one["operation"] == operation][-1:]
        if last != [((revision, 100),)]:
            seen.not_happened.append(f"{operation} says done with {revision}, last written was {last}")


# Telling ------------------------------------------------------------------------------------------------------------


def table(kills: list[Kill], found: Audit) -> str:
    lines = [f"{'killed during':16} kills  seconds into it   seconds down"]
    for during in dict.fromkeys(kill.during for kill in kills):
        some = [kill for kill in kills if kill.during == during]
        into, down = sorted(kill.after for kill in some), sorted(kill.down for kill in some)
        lines.append(f"{during:16} {len(some):5}  {into[0]:6.2f} … {into[-1]:6.2f}   {down[0]:5.2f} … {down[-1]:5.2f}")
    lines += [
        "",
        f"operations: {', '.join(f'{count} {phase}' for phase, count in found.operations.items())}",
        f"{found.effects} effects, {found.intents} intents, outcomes: "
        + ", ".join(f"{count} {what}" for what, count in found.outcomes.items()),
        "",
    ]
    for title, wrong in (
        ("effects without an earlier intent", found.without_intent),
        ("outcomes claimed that did not happen", found.not_happened),
        ("effects repeated", found.repeated),
        ("operations or intents not settled", found.unsettled),
    ):
        lines += [f"{'✗' if wrong else '✓'} {len(wrong):4} {title}", *(f"       {one}" for one in wrong[:20])]
    return "\n".join(lines)


def run(kills: int, seed: int, data: Path) -> tuple[list[Kill], Audit]:
    """Starts, kills, audits."""
    with sandbox(data) as running:
        killer = Killer(running, seed)
        while len(killer.kills) < kills:
            killer.life(min(5, kills - len(killer.kills)))
            print(f"killed {len(killer.kills)} of {kills} times", flush=True)
        killer.quiet()
        phases = dict(rows(data, "SELECT id, phase FROM operations"))
        return killer.kills, audit(ledger(data), running.box.writes(), running.box.world(), phases)


def main() -> int:
    """Exit code: 0 where the books are clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="keep the books here; default: a folder that is thrown away")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made, found = run(asked.kills, asked.seed, asked.data or Path(folder) / "data")
    print(table(made, found))
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
