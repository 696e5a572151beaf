"""What becomes of people in a hurry? Double clicks, old messages, two approvers at one instant, twenty typing at once.

    python -m tests.acceptance.impatient --url http://127.0.0.1:3000

Each effect must come once, and each click must be answered. Wants a sandbox that has just opened on its story.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.acceptance.client import Checks, Json, Refused, Sandbox, all_of, operation_in, reads, whole, words_behind

ENGINEERS = ("maya", "raj", "dan", "lea", "tom", "omar")
SLACK_WAITS_MS = 3000  # https://docs.slack.dev/interactivity/implementing-slash-commands
SETTLES_WITHIN = 240.0


def at_once(calls: Sequence[Callable[[], Json]]) -> list[Json]:
    """What each gave; all of them were let go at the same instant. What the sandbox refused stands under `refused`."""
    gate = threading.Barrier(len(calls))

    def go(call: Callable[[], Json]) -> Json:
        gate.wait()
        try:
            return call()
        except Refused as error:
            return {"ok": True, "ack_ms": 0, "refused": str(error)}

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(go, call) for call in calls]]


class Impatience:
    """One play."""

    def __init__(self, url: str) -> None:
        self.box = Sandbox(url.rstrip("/"))
        self.checks = Checks()
        self.see = self.checks.see

    # Looking --------------------------------------------------------------------------------------------------------

    def roots(self, channel: str) -> list[Json]:
        """What the bot said to all, outside threads."""
        return [
            one
            for one in self.box.messages(channel)
            if one["from"] == "bot" and not one.get("ephemeral_to") and one.get("thread") in (None, one["ts"])
        ]

    def private(self, who: str) -> list[Json]:
        channels = ("releases",) if who == "gus" else ("releases", "checkout", "payments", "search")
        return [one for name in channels for one in self.box.messages(name, who=who) if one.get("ephemeral_to") == who]

    def thread(self, root: Json, channel: str) -> list[Json]:
        return [one for one in self.box.messages(channel, thread=root["ts"]) if not one.get("ephemeral_to")]

    def effects(self, operation: str) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
        """What this operation wrote to Cloud Run: the new revision, if any, and the traffic list."""
        return [
            (str(one.get("new_revision") or ""), tuple(sorted((line[0], line[1]) for line in one["traffic"])))
            for one in self.box.writes()
            if one["operation"] == operation
        ]

    def answered(self, what: str, answers: Sequence[Json]) -> None:
        late = [one for one in answers if not one["ok"] or one["ack_ms"] >= SLACK_WAITS_MS]
        slowest = max(one["ack_ms"] for one in answers)
        self.see(
            f"{what}: {len(answers)} of {len(answers)} acknowledged, the slowest after {slowest:.0f} ms", not late, late
        )

    def once(self, operation: str, service: str, digest: str) -> None:
        """The operation came to its end, and each of its effects once."""
        self.box.until(
            f"{service} is live", lambda: whole(self.box.world(), service, "prod") == digest, within=SETTLES_WITHIN
        )
        effects = self.effects(operation)
        made = [revision for revision, _ in effects if revision]
        self.see("one revision was made", len(made) <= 1, effects)
        again = {effect: times for effect, times in Counter(effects).items() if times > 1}
        self.see(f"{len(effects)} writes to Cloud Run, none of them twice", effects and not again, effects)
        recorded = self.box.world()["github"][f"acme/{service}"]["deployments"]
        mine = [one for one in recorded if operation in str(one["payload"])]
        self.see("one deployment in GitHub", len(mine) == 1, mine)
        states = [status["state"] for one in mine for status in one["statuses"]]
        self.see("each of its statuses written once", len(states) == len(set(states)), states)

    # Playing --------------------------------------------------------------------------------------------------------

    def ask(self, service: str) -> tuple[Json, str]:
        """A request that waits for approval: its root, and its id."""
        before = {one["ts"] for one in self.roots(service)}
        self.box.say("maya", service, f"/release promote {service} stage→prod")
        root = self.box.until(
            "a root", lambda: next((one for one in self.roots(service) if one["ts"] not in before), None)
        )
        self.offering(root, service, "Approve")
        return root, operation_in(all_of(self.thread(root, service)))

    def offering(self, root: Json, channel: str, button: str) -> Json:
        return self.box.until(
            f"a button {button}",
            lambda: next((one for one in self.thread(root, channel) if button in one["buttons"]), None),
        )

    def double_clicks_and_two_approvers(self) -> None:
        digest = str(whole(self.box.world(), "checkout", "stage"))
        root, operation = self.ask("checkout")
        offered = [one for one in self.thread(root, "checkout") if "Approve" in one["buttons"]]
        old, words = offered[0], words_behind(offered[0], "Approve")
        clickers = ["omar"] * 4 + ["raj"] * 4 + ["ines"] * 2 + ["maya"] * 2
        heard = {who: len(self.private(who)) for who in set(clickers)}
        answers = at_once(
            [partial(self.box.press, who, offered[n % len(offered)]["ts"], "Approve") for n, who in enumerate(clickers)]
        )
        self.answered("twelve clicks on Approve at one instant, by four people", answers)
        arrived = [who for who, answer in zip(clickers, answers, strict=True) if not answer.get("refused")]
        self.once(operation, "checkout", digest)
        for who in ("maya", "ines", "raj"):
            if who in arrived:
                told = len(self.private(who)) - heard[who]
                self.see(
                    f"{who} was told something, {told} times for {arrived.count(who)} clicks", told or who == "raj"
                )
        told = sum(len(self.private(who)) - heard[who] for who in set(clickers))
        self.see(
            f"{len(arrived)} clicks came to the bot, {told} private answers: all but the deciding ones",
            told >= len(arrived) - 2,
        )
        votes = [one["text"] for one in self.thread(root, "checkout") if " approved checkout" in one["text"]]
        self.see("the thread tells of each approver once", 1 <= len(votes) == len(set(votes)), votes)
        self.old_messages(old, words, operation)

    def old_messages(self, old: Json, words: str, operation: str) -> None:
        """Somebody who looks at an old screen clicks, and says the same in words."""
        before = self.effects(operation)
        heard = len(self.private("omar"))
        try:
            answers = [self.box.press("omar", old["ts"], "Approve") for _ in range(3)]
            self.answered("three clicks on a message that has long changed", answers)
        except Refused as error:
            print(f"  – the page no longer has that button: {str(error)[:120]}")
        said = self.box.say("omar", "checkout", f"@release-bot {words}", old.get("thread") or old["ts"])
        self.see("the words of the old button are taken", said["ok"], said)
        self.box.until("an answer to the old button", lambda: len(self.private("omar")) > heard)
        last = reads(self.private("omar")[-1])
        self.see("and answered with what became of it", len(last) > 20, last)
        self.see("nothing was done again", self.effects(operation) == before, self.effects(operation))

    def twenty_people(self) -> None:
        """Twenty people type at once: a third of them asks for the same thing."""
        digest = str(whole(self.box.world(), "payments", "prod"))
        before, heard = self.roots("payments"), {who: len(self.private(who)) for who in ENGINEERS}
        lines = ["/release promote payments stage→prod", "/release status", "/release log payments"]
        calls = [(ENGINEERS[n % len(ENGINEERS)], lines[n // len(ENGINEERS) % 3]) for n in range(20)]
        answers = at_once([partial(self.box.say, who, "payments", text) for who, text in calls])
        self.answered("twenty people typing at once", answers)
        asked = [who for who, text in calls if "promote" in text]

        def all_told() -> bool:
            told = sum(len(self.private(who)) - heard[who] for who in ENGINEERS)
            return told + len(self.roots("payments")) - len(before) >= len(calls)

        self.box.until("an answer for each of the twenty", all_told)
        new = [one for one in self.roots("payments") if one not in before]
        asking = [one for one in new if "prod" in reads(one) and "payments" in reads(one)]
        self.see(f"{len(asked)} asked for the same promotion: there is one request", len(asking) == 1, all_of(asking))
        self.see("nothing changed before anybody agreed", whole(self.box.world(), "payments", "prod") == digest)
        operation = operation_in(all_of(self.thread(asking[0], "payments")))
        cancel = self.offering(asking[0], "payments", "Cancel")
        asker = next(
            who for who in ENGINEERS if who in reads(asking[0]).lower() or f"U0{who.upper()}" in reads(asking[0])
        )
        answers = at_once([partial(self.box.press, asker, cancel["ts"], "Cancel")] * 4)
        self.answered("four clicks on Cancel at one instant", answers)
        self.box.until("it is cancelled", lambda: "cancelled" in reads(self.thread(asking[0], "payments")[0]))
        self.see("a cancelled request has done nothing", not self.effects(operation), self.effects(operation))

    def play(self) -> int:
        """Exit code."""
        with self.checks.point("1. Double clicks, two approvers at one instant, clicks on old messages"):
            self.double_clicks_and_two_approvers()
        with self.checks.point("2. Twenty people typing at once"):
            self.twenty_people()
        return self.checks.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.impatient", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="where the sandbox's page is")
    sys.exit(Impatience(parser.parse_args().url).play())
