"""Does the main job work, end to end? Plays its seven points through the sandbox and looks what became of the world.

    python -m tests.acceptance.story --url http://127.0.0.1:3000

Wants a sandbox that has just opened on its story. Ends with 1 where anything was not as it should be.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time

from tests.acceptance.client import Json, NotInTime, all_of, operation_in, percent, reads, whole
from tests.acceptance.play import ROLLOUT_WITHIN, Play

SATURDAY_NIGHT = "2026-11-28T23:30:00Z"
"""No window is open then."""


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


class Story(Play):
    """One play."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.first = self.box.world()
        self.good = {name: str(whole(self.first, name, "prod")) for name in self.first["services"]}
        self.next = {name: str(whole(self.first, name, "stage")) for name in self.first["services"]}

    # Looking --------------------------------------------------------------------------------------------------------

    def follows(self, service: str, digest: str, over: object) -> list[int]:
        """The shares that the digest really had in prod, in order, until it has `over` for good."""
        seen: list[int] = []
        end = time.monotonic() + ROLLOUT_WITHIN
        while not (seen and seen[-1] == over and len(seen) > 1):
            share = percent(self.box.world(), service, "prod", digest)
            if not seen or seen[-1] != share:
                seen.append(share)
            if time.monotonic() > end:
                raise NotInTime(f"{service} did not come to {over} %; it went {seen}")
            time.sleep(0.05)
        return seen

    # The seven points -----------------------------------------------------------------------------------------------

    def one(self) -> Json:
        root = self.asks("maya", "releases", "/release promote checkout stage→prod")
        self.see(
            "the root message names service and environment", {"checkout", "prod"} <= set(_words(reads(root))), root
        )
        text = self.box.until("a plan", lambda: _if(all_of(self.thread(root)), "✓"), within=20)
        good, new = self.good["checkout"], self.next["checkout"]
        revision = next(
            line["revision"] for line in self.first["services"]["checkout"]["prod"]["traffic"] if line["digest"] == good
        )
        commits = set(re.findall(r"\b[0-9a-f]{40}\b", str(self.first["github"]["acme/checkout"])))
        self.see("the plan shows the digest", short(new) in text, text)
        self.see("the plan shows the commit", any(commit[:7] in text for commit in commits), text)
        self.see("the plan shows from and to", {"stage", "prod"} <= set(_words(text)), text)
        self.see("the plan shows the steps", re.search(r"10.{0,12}50.{0,12}100", text), text)
        self.see("the plan shows where traffic goes back to", revision in text, text)
        self.see("rules are shown that are met", "✓" in text)
        self.see("a rule is shown that is not met: the approval", "✗" in text, text)
        self.see("it says who can approve", "omar" in text.lower() or "U0OMAR" in text, text)
        for button in ("Approve", "Reject", "Cancel"):
            self.see(f"there is a button {button}", any(button in one["buttons"] for one in self.thread(root)))
        return root

    def two(self, root: Json) -> None:
        before = self.box.world()["services"]
        for who, why in (("maya", "asked for it herself"), ("gus", "is a guest")):
            heard = self.presses(who, root, "Approve")
            self.see(f"{who}, who {why}, is refused with a reason, and only {who} reads it", len(heard) > 20, heard)
            public = all_of(self.thread(root))
            self.see(f"nothing of it stands in the thread ({who})", not heard or heard[:60] not in public)
        self.see("nothing was changed by it", _traffic(self.box.world()["services"]) == _traffic(before))
        self.presses("omar", root, "Approve")
        self.box.until(
            "the buttons give way",
            lambda: not any({"Approve", "Reject"} & set(one["buttons"]) for one in self.thread(root)),
            within=5,
        )
        self.see("after omar's approval the buttons have given way", true=True)

    def three(self, root: Json) -> None:
        new = self.next["checkout"]
        shares = self.follows("checkout", new, 100)
        moved = [share for share in shares if share]
        self.see("true traffic went 10 → 50 → 100 %", moved == [10, 50, 100], shares)
        told = self.settles(root, "live")
        self.see("the new revision stood at 0 % first and was smoke-tested", "smoke" in told.lower(), told)
        for step in ("10 %", "50 %", "100 %"):
            self.see(f"the thread tells of {step}", step in told or step.replace(" ", "") in told, told)
        self.see("the thread tells measured requests", re.search(r"\d+ (of \d+ )?requests", told), told)
        self.box.until(
            "nearly all of the last requests were answered by it",
            lambda: self.box.world()["services"]["checkout"]["prod"]["serving"].get(new, 0) > 0.9,
            within=60,
        )
        self.see("what answers users is the new digest", true=True)
        recorded = self.box.world()["github"]["acme/checkout"]["deployments"]
        mine = [one for one in recorded if one["environment"] == "prod" and new in str(one["payload"])]
        self.see("GitHub has one deployment for it", len(mine) == 1, mine)
        self.see("and its newest status is success", mine and mine[0]["statuses"][-1]["state"] == "success", mine)

    def four(self) -> None:
        old, bad = self.good["payments"], self.next["payments"]
        root = self.asks("maya", "payments", "/release promote payments stage→prod")
        self.presses("omar", root, "Approve")
        shares = self.follows("payments", bad, 0)
        self.see("the bad build got 10 % and never more", max(shares) == 10, shares)
        told = self.settles(root, "taken back")
        self.see("all traffic is back where it was", whole(self.box.world(), "payments", "prod") == old)
        self.see("the thread says why, with the numbers", re.search(r"\d+ of \d+ requests failed.*\d ?%", told), told)
        self.see("the bound that was passed is named", re.search(r"allowed 1(\.0)? ?%", told), told)
        recorded = self.box.world()["github"]["acme/payments"]["deployments"]
        states = [
            s["state"]
            for one in recorded
            if bad in str(one["payload"]) and one["environment"] == "prod"
            for s in one["statuses"]
        ]
        self.see("GitHub does not call it a success", states and "success" not in states, states)

    def five(self) -> None:
        good, held = self.good["checkout"], self.next["checkout"]
        self.hears("omar", "releases", "/release freeze start prod until:2h reason:stocktaking")
        began = time.monotonic()
        root = self.asks("ines", "checkout", "/release rollback checkout reason:errors in the basket")
        back = self.box.until("v1", lambda: whole(self.box.world(), "checkout", "prod") == good, within=60)
        self.see(f"the last good revision serves again, in a freeze, after {time.monotonic() - began:.1f} s", back)
        self.settles(root, "serves again")
        blocked = self.asks("maya", "checkout", "/release promote checkout stage→prod")
        text = self.box.until("the hold", lambda: _if(all_of(self.thread(blocked)), "rolled back|hold"), within=20)
        self.see(
            "the build rolled back from is held",
            re.search(r"✗.*\bhold\b|✗.*held|hold.*rolled back", text, re.IGNORECASE | re.DOTALL),
            text,
        )
        self.see("and cannot be approved", not any("Approve" in one["buttons"] for one in self.thread(blocked)), text)
        self.see("what serves has not changed", whole(self.box.world(), "checkout", "prod") == good)
        self.hears("omar", "releases", "/release freeze end prod reason:done")
        lift = self.offering(root, "Lift the hold")
        self.see("who pressed is asked why, in a modal", self.box.press("ines", lift["ts"], "Lift the hold")["ok"])
        view = self.box.until("a modal", lambda: self.box.views("ines"))[-1]
        block = next(one["block_id"] for one in view["blocks"] if one["type"] == "input")
        sent = self.box.submit("ines", view["id"], {block: "the basket was innocent"})
        self.see("the modal is taken", sent["ok"], sent)
        self.offering(blocked, "Approve")
        self.see(f"once the hold on {short(held)} is lifted, the request waits for approval", true=True)
        self.presses("maya", blocked, "Cancel")

    def six(self) -> None:
        told = self.hears("omar", "releases", "/release freeze start prod until:6h reason:quarter end")
        root = self.asks("maya", "checkout", "/release promote checkout stage→prod")
        text = self.box.until("the freeze", lambda: _if(all_of(self.thread(root)), "quarter end"), within=20)
        self.see("a frozen promotion says who froze it", "omar" in text.lower() or "U0OMAR" in text, text)
        self.see("and why", "quarter end" in text)
        self.see("and until when", re.search(r"\d\d:\d\d|<!date", text), text)
        self.see("it cannot be approved", not any("Approve" in one["buttons"] for one in self.thread(root)), text)
        status = self.hears("maya", "releases", "/release status")
        for name in self.first["services"]:
            serves = whole(self.box.world(), name, "prod") or "split"
            self.see(f"status says what {name} serves", name in status and short(serves) in status, status)
        self.see("status says what is frozen", "quarter end" in status, status)
        self.see(
            "status says what is under way",
            operation_in(all_of(self.thread(root))) in status or "blocked" in status,
            status,
        )
        self.hears("omar", "releases", "/release freeze end prod reason:books are closed")
        self.see("the freeze had been told of", "prod" in told, told)
        self.offering(root, "Approve")
        self.see("when the freeze has ended the same request can be approved", true=True)
        self.presses("maya", root, "Cancel")
        log = self.hears("maya", "checkout", "/release log checkout last:60")
        for who in ("maya", "omar", "ines"):
            self.see(f"the log knows what {who} did", who in log.lower() or f"U0{who.upper()}" in log, log)
        help_ = self.hears("maya", "releases", "/release help")
        for word in ("promote", "rollback", "freeze", "status", "why", "log", "help"):
            self.see(f"help lists {word}", word in help_, help_)
        lost = self.hears("maya", "releases", "/release promte checkout stage→prod")
        self.see("an unknown word gets the nearest known one", "promote" in lost, lost)

    def outside_the_window(self) -> None:
        self.box.set_clock(SATURDAY_NIGHT)
        closed = self.asks("maya", "search", "/release promote search stage→prod")
        text = self.box.until("the window", lambda: _if(all_of(self.thread(closed)), "window"), within=20)
        self.see("on Saturday night nothing is promoted", re.search(r"✗[^✓]*window", text), text)
        self.presses("maya", closed, "Cancel")
        before = whole(self.box.world(), "search", "prod")
        began = time.monotonic()
        root = self.asks("ines", "search", "/release rollback search reason:slow")
        now = self.box.until(
            "another digest", lambda: _other(whole(self.box.world(), "search", "prod"), before), within=60
        )
        self.see(f"but a rollback serves after {time.monotonic() - began:.1f} s", true=True)
        recorded = self.first["github"]["acme/search"]["deployments"]
        known = [one for one in recorded if now in str(one["payload"]) and one["statuses"][-1]["state"] == "success"]
        self.see("and what serves was once recorded as good", known, recorded)
        self.settles(root, "serves again")

    def seven(self, demo: str) -> None:
        done = subprocess.run(shlex.split(demo), capture_output=True, text=True, timeout=600, check=False)
        self.see("the demo ends with 0", done.returncode == 0, (done.stdout + done.stderr)[-1500:])
        for part in (
            "/release promote checkout",
            "/release rollback checkout",
            "/release freeze start prod",
            "maya",
            "omar",
        ):
            self.see(f"its transcript has {part!r}", part in done.stdout, done.stdout[-1500:])

    def play(self, demo: str) -> int:
        """Exit code."""
        with self.checks.point("1. The engineer asks for a promotion"):
            root = self.one()
            with self.checks.point("2. Who may approve, and who may not"):
                self.two(root)
            with self.checks.point("3. The rollout"):
                self.three(root)
        with self.checks.point("4. The bad build"):
            self.four()
        with self.checks.point("5. Going back, in a freeze"):
            self.five()
        with self.checks.point("6. Freeze, status, log, help"):
            self.six()
        with self.checks.point("5, once more. Going back outside the window"):
            self.outside_the_window()
        if demo:
            with self.checks.point("7. The demo"):
                self.seven(demo)
        return self.checks.end()


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _if(text: str, pattern: str) -> str:
    return text if re.search(pattern, text, re.IGNORECASE) else ""


def _other(now: str | None, before: str | None) -> str | None:
    return now if now != before else None


def _traffic(services: Json) -> list[object]:
    return [site["traffic"] for environments in services.values() for site in environments.values()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.story", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="where the sandbox's page is")
    parser.add_argument("--demo", default="", help="how the demo is started, to play point 7 too: `release-bot demo`")
    asked = parser.parse_args()
    sys.exit(Story(asked.url).play(asked.demo))
