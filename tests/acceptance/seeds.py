"""Does the bot play by the policies that came with the project? A short story for each, through the sandbox.

    python -m tests.acceptance.seeds seed003 --url http://127.0.0.1:3000

Wants a sandbox that has just opened on that policy. Ends with 1 where anything was not as it should be.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence

from tests.acceptance.client import all_of
from tests.acceptance.play import Play

SATURDAY = "2026-11-28T10:00:00Z"
THURSDAY = "2026-12-03T10:00:00Z"


class Seed(Play):
    """One play under one policy."""

    def opening(self, service: str, roads: dict[str, Sequence[str]]) -> None:
        """Status, help, and what `why` says of each road: every gate by its name."""
        status = self.hears("maya", "releases", "/release status")
        for name, environments in self.box.world()["services"].items():
            for environment, site in environments.items():
                digest = site["traffic"][0]["digest"].removeprefix("sha256:")[:12]
                self.see(f"status says what {name} serves in {environment}", digest in status, status)
        help_ = self.hears("maya", "releases", "/release help")
        for word in ("promote", "rollback", "freeze", "exception", "status", "why", "log", "help"):
            self.see(f"help lists {word}", word in help_, help_)
        for road, gates in roads.items():
            said = self.why(service, road)
            for gate in gates:
                self.see(f"why {road} tells of {gate}", _line(said, gate), said)

    def why(self, service: str, road: str, more: str = "", who: str = "maya") -> str:
        """What the rules say of that promotion, were it asked for now."""
        return self.hears(who, "releases", f"/release why {service} {road} {more}".strip())

    def refused_for(self, text: str, *rules: str) -> None:
        """The text says that exactly these rules are not met."""
        found = re.search(r"rules? not met \(([^)]*)\)", text)
        named = found[1].split(", ") if found else []
        self.see(f"what is missing is {', '.join(rules)}", sorted(named) == sorted(rules), named or text)

    def waits_for(self, text: str, rule: str, until: str) -> None:
        line = _line(text, rule)
        advice = text[text.find(line) :].split("\n")[1:2] if line else []
        self.see(f"{rule} says when it opens: {until}", until in line + str(advice), text)


def _line(text: str, rule: str) -> str:
    """What stands behind the mark of that rule; empty: nothing."""
    return next((line for line in text.splitlines() if re.match(rf"[✓✗?–○!] \*{re.escape(rule)}\*", line)), "")


def _mark(text: str, rule: str) -> str:
    return _line(text, rule)[:1]


# The stories --------------------------------------------------------------------------------------------------------


def seed002(play: Seed) -> None:
    """One build through dev, stage and prod, in planned windows."""
    play.opening(
        "web",
        {
            "dev→stage": ("ci", "secret_scopes"),
            "stage→prod": ("ci", "validated", "smoke", "integration", "parity", "record", "way_back", "window"),
        },
    )
    with play.checks.point("What can be looked up, and what cannot yet"):
        root = play.asks("maya", "releases", '/release promote web stage→prod summary:"faster pages" notes:"none"')
        text = play.box.until("a plan", lambda: _if(all_of(play.thread(root)), "rules met"), within=20)
        play.refused_for(text, "secret_scopes", "smoke", "integration", "way_back", "second-person", "approvals")
        play.see("the build had passed its checks, and was in stage", {"ci", "validated", "record"} <= _met(text), text)
        play.see("what is only worth a look blocks nothing", _mark(text, "parity") == "!", text)
        play.see("it says who could agree", "ines or omar" in text, text)
        play.presses("maya", root, "Cancel")
    with play.checks.point("A window"):
        play.see("on a Tuesday morning it is open", _mark(play.why("web", "stage→prod"), "window") == "✓")
        play.box.set_clock(THURSDAY)
        closed = play.why("web", "stage→prod")
        play.see("on a Thursday it is closed", _mark(closed, "window") == "✗", closed)
        play.waits_for(closed, "window", "Tue 8 Dec 2026 09:00")
    with play.checks.point("A freeze, by those who may"):
        no = play.hears("maya", "releases", "/release freeze start prod until:6h reason:stocktaking")
        play.see("maya may not, and hears who may", "approver" in no, no)
        play.hears("omar", "releases", "/release freeze start prod until:6h reason:stocktaking")
        frozen = play.why("web", "stage→prod")
        play.see("it is in the way", _mark(frozen, "no-freeze") == "✗" and "stocktaking" in frozen, frozen)
        listed = play.hears("maya", "releases", "/release freeze list")
        play.see("and in the list", "stocktaking" in listed, listed)
        play.hears("omar", "releases", "/release freeze end prod reason:counted")
        play.see("until it ends", _mark(play.why("web", "stage→prod"), "no-freeze") == "✓")


def seed003(play: Seed) -> None:
    """Tuesdays and Wednesdays, hotfixes any time, and nothing at the end of a month."""
    road = "staging→production"
    play.opening(
        "api",
        {
            "development→staging": ("tests", "coverage", "vulnerabilities", "lint", "builds", "architecture"),
            road: ("stable", "staging_tests", "benchmarks", "checklist", "blockers", "notes", "way_back"),
        },
    )
    with play.checks.point("A hotfix"):
        ordinary, hotfix = play.why("api", road), play.why("api", road, 'type:hotfix reason:"the cart is empty"')
        play.see("ordinarily a lead agrees", "lea or raj" in ordinary, ordinary)
        play.see("a day in staging is behind it", _mark(ordinary, "stable") == "✓", ordinary)
        play.see("a hotfix needs no day in staging", _mark(hotfix, "stable") == "–", hotfix)
        play.see("and who is on call agrees", "dan" in _after(hotfix, "approvals"), hotfix)
        more = play.hears("maya", "releases", f"/release promote api {road} type:hotfix")
        play.see("without a reason it is asked for one", "reason:" in more and "notes:" in more, more)
        asked = play.told("maya", "Fill in")
        sent = play.fills_in(
            "maya", asked, "Fill in", reason='the "cart" is empty', notes="fixes the cart\nand no more"
        )
        play.see("what a dialog asks for becomes words", sent["ok"], sent)
        said = play.box.until(
            "the request", lambda: _if(all_of(play.box.messages("releases")), "blocked for now"), within=20
        )
        play.see(
            "and a request that says them", "the 'cart' is empty" in said and "fixes the cart and no" in said, said
        )
    with play.checks.point("Outside the window"):
        play.box.set_clock(THURSDAY)
        closed = play.why("web", road)
        play.see("on a Thursday it is closed", _mark(closed, "window") == "✗", closed)
        play.waits_for(closed, "window", "Tue 8 Dec 2026 09:00")
        play.see("for a hotfix it is not", _mark(play.why("web", road, "type:hotfix"), "window") in "✓–")
    with play.checks.point("The end of the month"):
        play.box.set_clock("2026-11-30T10:00:00Z")
        frozen = play.why("web", road)
        play.see("the calendar's freeze is in the way", "month-end" in _line(frozen, "no-freeze"), frozen)
        play.waits_for(frozen, "no-freeze", "Wed 2 Dec 2026 00:00")
        play.box.set_clock("2026-12-02T08:00:00Z")
        thawed = play.why("web", road)
        play.see("on the second business day it is over", _mark(thawed, "no-freeze") == "✓", thawed)
        play.see("and the window is open", _mark(thawed, "window") == "✓", thawed)


def _after(text: str, rule: str) -> str:
    """That rule's line and the advice below it."""
    line = _line(text, rule)
    at = text.find(line)
    return line + "\n" + "\n".join(text[at:].split("\n")[1:3]) if line else ""


def _met(text: str) -> set[str]:
    found = re.search(r"rules met: (.*)", text)
    return set(found[1].split(", ")) if found else set()


def _if(text: str, pattern: str) -> str:
    return text if re.search(pattern, text, re.IGNORECASE) else ""


STORIES: dict[str, Callable[[Seed], None]] = {
    "seed002": seed002,
    "seed003": seed003,
}


def play(name: str, url: str) -> int:
    """Exit code."""
    seed = Seed(url)
    with seed.checks.point(f"{name}: {STORIES[name].__doc__}"):
        STORIES[name](seed)
    return seed.checks.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.seeds", description=__doc__)
    parser.add_argument("name", choices=STORIES)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="where the sandbox's page is")
    asked = parser.parse_args()
    sys.exit(play(asked.name, asked.url))
