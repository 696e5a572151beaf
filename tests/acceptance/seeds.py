"""Does the bot play by the policies that came with the project? A short story for each, through the sandbox.

    python -m tests.acceptance.seeds seed003 --url http://127.0.0.1:3000

Wants a sandbox that has just opened on that policy. Ends with 1 where anything was not as it should be.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.acceptance.client import Json, NotInTime, all_of, reads
from tests.acceptance.people import Graph, People
from tests.acceptance.play import ROLLOUT_WITHIN, Play

SATURDAY = "2026-11-28T10:00:00Z"
THURSDAY = "2026-12-03T10:00:00Z"


class Seed(Play):
    """One play under one policy."""

    def __init__(self, url: str, data: Path | None = None) -> None:
        super().__init__(url)
        self.data = data
        """Where the sandbox keeps its worlds."""

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

    def git(self, repository: str) -> Graph:
        """What git itself says of that repository of the sandbox."""
        if self.data is None:
            raise NotInTime("say with --data where the sandbox keeps its repositories")
        return Graph.of(self.data, repository)

    def serves(self, service: str, environment: str) -> str:
        """The digest that has all the traffic there; empty: none has."""
        traffic = [one for one in self.box.world()["services"][service][environment]["traffic"] if one["percent"]]
        return str(traffic[0]["digest"]) if len(traffic) == 1 else ""

    def in_time(self, root: Json, word: str) -> str:
        """The whole thread, once its root says this; the clock goes faster meanwhile."""

        def says() -> bool:
            self.box.advance_clock("PT20S")
            return word in reads(self.thread(root)[0]).lower()

        self.box.until(f"the root says {word!r}", says, within=ROLLOUT_WITHIN)
        return all_of(self.thread(root))

    def dry_run(self, service: str, road: str) -> str:
        return self.hears("maya", "releases", f"/release promote {service} {road} --plan", about="Dry run of")

    def why(self, service: str, road: str, more: str = "", who: str = "maya") -> str:
        """What the rules say of that promotion, were it asked for now."""
        return self.hears(who, "releases", f"/release why {service} {road} {more}".strip(), about=f"{service} {road}: ")

    def request(self, who: str) -> Json:
        """The newest message that can be approved."""
        return self.told(who, "Approve") | {"channel": "releases", "thread": None}

    def whispered(self, who: str, words: str) -> str:
        """All that this person reads, once these words are among what only they do."""

        def heard() -> str:
            seen = self.box.messages("releases", who=who)
            return _if(all_of([one for one in seen if one.get("ephemeral_to") == who]), words)

        return self.box.until(f"{who} hears {words!r}", heard, within=20)

    def until_it_says(self, words: str) -> str:
        """All that is said in public, once these words are among it."""
        return self.box.until(words, lambda: _if(all_of(self.box.messages("releases")), words), within=30)

    def refused_for(self, text: str, *rules: str) -> None:
        """The text says that exactly these rules are not met."""
        found = re.search(r"rules? not met \(([^)]*)\)", text)
        named = found[1].split(", ") if found else []
        self.see(f"what is missing is {', '.join(rules)}", sorted(named) == sorted(rules), named or text)

    def waits_for(self, text: str, rule: str, until: str) -> None:
        self.see(f"{rule} says when it opens: {until}", until in _after(text, rule), text)


def _line(text: str, rule: str) -> str:
    """What stands behind the mark of that rule; empty: nothing."""
    return next((line for line in text.splitlines() if re.match(rf"[✓✗?–○!] \*{re.escape(rule)}\*", line)), "")


def _mark(text: str, rule: str) -> str:
    return _line(text, rule)[:1]


# The stories --------------------------------------------------------------------------------------------------------


def seed000(play: Seed) -> None:
    """A freeze holds main, and what the release owner lets through it is an exception on record."""
    road = "stage→prod"
    play.opening(
        "web",
        {
            "dev→stage": ("pull_requests", "up_to_date", "backend", "frontend", "static"),
            road: ("stage_deploy", "stage_smoke", "same_tree", "parity", "notes", "separation", "way_back"),
        },
    )
    with play.checks.point("What can be looked up"):
        said = play.why("web", road, "release-notes:soon rollback-plan:revert")
        for gate in ("pull_requests", "up_to_date", "backend", "frontend", "static", "notes", "same_tree"):
            play.see(f"what is known of {gate}", _mark(said, gate) == "✓", said)
        for gate in ("stage_deploy", "stage_smoke", "separation", "parity", "nothing_lost"):
            play.see(f"and of {gate}", _mark(said, gate) == "✓", said)
        play.see("its pull request is not there yet", _mark(said, "notes_in_pull_request") == "✗", said)
    with play.checks.point("A freeze"):
        play.hears("omar", "releases", "/release freeze start prod until:6h reason:stocktaking")
        frozen = play.why("web", road)
        play.see("it holds main", "stocktaking" in _line(frozen, "no-freeze"), frozen)
        play.see("and says what would help: an exception", "freeze_merge" in _after(frozen, "no-freeze"), frozen)
        play.see("a freeze of prod does not hold stage", _mark(play.why("web", "dev→stage"), "no-freeze") == "✓")
    with play.checks.point("What may be let through, and by whom"):
        no = play.hears(
            "raj", "releases", "/release exception request web prod kind:freeze_merge waive:way_back,no-freeze until:4h"
        )
        play.see("a way back is never waived", re.search(r"way_back.*never waived", no), no)
        ask = play.told("raj", "Fill in")
        values = {"waive": "no-freeze", "reference": "INC-7", "freeze": "F-1"}
        sent = play.fills_in("raj", ask, "Fill in", **values, reason="incident", rollback_target="5bcf3c83")
        play.see("what is missing is asked for in a dialog, with reasons to choose from", sent["ok"], sent)
        for who, why in (("raj", "asked for it"), ("gus", "guest"), ("maya", "release owner")):
            play.see(f"{who} cannot grant it", why in play.presses(who, play.request("raj"), "Approve"))
        play.see("and it still holds", _mark(play.why("web", road), "no-freeze") == "✗")
        play.presses("omar", play.request("raj"), "Approve")
        play.until_it_says("is in force")
        through = play.why("web", road)
        play.see("granted, it lets that rule through, and says so", _mark(through, "no-freeze") == "○", through)
        play.see("by its name", re.search(r"X-[0-9a-f]+", _line(through, "no-freeze")), through)
        play.see("other services it does not help", _mark(play.why("api", road), "no-freeze") == "✗")
        owed = play.hears("omar", "releases", "/release exception list", about="I know of")
        play.see("and something is owed for it", re.search(r"O-[0-9a-f]+", owed), owed)
    with play.checks.point("It ends"):
        play.box.advance_clock("PT4H")
        play.see("by itself, to the second", _mark(play.why("web", road), "no-freeze") == "✗")
        play.box.advance_clock("PT3H")
    _merges_forward(play)
    _goes_back(play)


def _merges_forward(play: Seed) -> None:
    """From Dev to stage and from stage to main, each by the one pull request of the pair."""
    people, git = People.of(play.box, "acme/app"), play.git("acme/app")
    with play.checks.point("Dev goes to stage"):
        dev, stage = git.stands("Dev"), git.stands("stage")
        play.see("what would be done is told", "merge commit" in play.dry_run("web", "dev→stage"))
        root = play.asks("maya", "releases", "/release promote web dev→stage")
        told = play.in_time(root, "live")
        merge = git.stands("stage")
        play.see("it is one merge of what Dev stood at", git.parents(merge) == [stage, dev], git.parents(merge))
        play.see("and holds exactly that", git.tree(merge) == git.tree("Dev"), told)
        play.see("the thread says how", f"stage moved from {stage[:7]} to {merge[:7]} by #" in told, told)
        play.see("stage serves what dev does", play.serves("web", "stage") == play.serves("web", "dev"))
        play.see("no pull request is left open", people.open_ones("stage") == [])
    with play.checks.point("Another service of the same repository comes along without another merge"):
        stuck = play.why("api", "stage→prod")
        play.see("first nothing of it goes on", "holds 3 commits that stage does not serve yet" in stuck, stuck)
        root = play.asks("maya", "releases", "/release promote api dev→stage")
        told = play.in_time(root, "live")
        play.see("the branch holds it already", f"stage holds it already, at {merge[:7]}" in told, told)
        play.see("and did not move", git.stands("stage") == merge)
    with play.checks.point("Stage goes to main"):
        main = git.stands("main")
        words = '/release promote web stage→prod release-notes:"faster pages" rollback-plan:"traffic back, then revert"'
        root = play.asks("maya", "releases", words)
        play.offering(root, "Approve")
        (pull,) = people.open_ones("main")
        play.see("its one pull request says what it brings", "Version 4" in pull["body"], pull["body"])
        play.see("and what was said for it", "traffic back, then revert" in pull["body"], pull["body"])
        play.presses("omar", root, "Approve")
        told = play.in_time(root, "live")
        live = git.stands("main")
        play.see("it is one merge of what stage stood at", git.parents(live) == [main, merge], git.parents(live))
        play.see("and holds exactly that", git.tree(live) == git.tree("stage"))
        play.see("prod serves what stage does", play.serves("web", "prod") == play.serves("web", "stage"), told)


BAD = {"web/version.txt": "v5.0.0\n", "web/behaviour.json": '{"fail_every": 1}\n'}
MENDED = {"web/version.txt": "v6.0.0\n", "web/behaviour.json": "{}\n"}


def _goes_back(play: Seed) -> None:
    """A bad one: traffic first, then a revert that people merge; and nothing of it is silently lost afterwards."""
    people, git = People.of(play.box, "acme/app"), play.git("acme/app")
    with play.checks.point("A bad one"):
        people.brings("lea", "feature/faster", "Make it faster", BAD, by="tom")
        stage, served = git.stands("stage"), play.serves("web", "stage")
        root = play.asks("maya", "releases", "/release promote web dev→stage")
        told = play.in_time(root, "stage failed")
        merge = git.stands("stage")
        play.see("it was merged before it was tried", git.parents(merge) == [stage, git.stands("Dev")], told)
        play.see("traffic is where it was", play.serves("web", "stage") == served, told)
        (revert,) = people.open_ones("stage")
        head = revert["head"]["sha"]
        play.see("a pull request takes the merge back", f"pull request #{revert['number']} takes" in told, told)
        play.see("and nothing else", git.tree(head) == git.tree(stage), revert["title"])
        play.see("as git would", f"This reverts commit {merge}" in git.message(head), git.message(head))
        play.see("nobody has merged it", git.stands("stage") == merge)
    with play.checks.point("Reverted, it is not silently lost"):
        back = people.merges("raj", revert["number"])
        play.see("people merge it", git.stands("stage") == back and git.tree(back) == git.tree(stage))
        people.brings("lea", "feature/mended", "Mend it", MENDED, by="tom")
        lost = play.hears("maya", "releases", "/release promote web dev→stage")
        play.see("the next one is refused", f"tage took back {merge[:7]} by {head[:7]}" in lost, lost)
        play.see("with what to do", f"git revert {head}" in lost, lost)
        again = people.reverts_the_revert("lea", "stage", merge, head, by="raj")
        play.see("once that is done stage holds it again", git.tree(again) == git.tree(merge))
        root = play.asks("maya", "releases", "/release promote web dev→stage")
        told = play.in_time(root, "live")
        play.see("and the next one goes", git.parents(git.stands("stage")) == [again, git.stands("Dev")], told)
        play.see("with all of it", git.tree("stage") == git.tree("Dev"), told)
    with play.checks.point("A rollback takes the merge back, too"):
        main, served = git.stands("main"), play.serves("web", "prod")
        root = play.asks("dan", "releases", '/release rollback web prod reason:"pages are empty"')
        told = play.in_time(root, "serves again")
        play.see("traffic went first", play.serves("web", "prod") != served, told)
        (revert,) = people.open_ones("main")
        play.see("and then a pull request", f"pull request #{revert['number']} takes {main[:7]} back" in told, told)
        before = git.parents(main)[0]
        play.see("that takes back exactly the merge", git.tree(revert["head"]["sha"]) == git.tree(before))
        play.see("main is left to people", git.stands("main") == main)


def seed001(play: Seed) -> None:
    """Main is staging, release moves forward to what staging was tested with; an operator agrees."""
    road, git = "staging→prod", play.git("acme/assistant")
    play.opening(
        "api",
        {
            road: (
                *("same_commit", "fast_forward", "release_is_main", "promotion_gate", "staging_probes", "evidence"),
                *("settings", "no_cognition_change", "no_new_storage", "log_entry", "way_back"),
            )
        },
    )
    with play.checks.point("What people state"):
        bare = play.why("api", road)
        play.see("what serves in staging is the very commit", _mark(bare, "same_commit") == "✓", bare)
        play.see("both are configured as they must be", _mark(bare, "settings") == "✓", bare)
        play.see("what must be said is named", "rollout-notes and rollback-plan" in _line(bare, "log_entry"), bare)
        said = play.why("api", road, "rollout-notes:none rollback-plan:revert confirms:no_new_storage")
        play.see("and is met once it is said", _mark(said, "log_entry") == "✓", said)
        play.see("the asker's word is half of it", _line(said, "no_new_storage").count("somebody who agrees"), said)
        play.see("the other statement lacks both", "maya and somebody" in _line(said, "no_cognition_change"), said)
        play.see("any of the operators could agree", "dan, ines or omar" in _after(said, "approvals"), said)
        play.see("the gates ran for that very commit", _mark(said, "promotion_gate") == "✓", said)
        play.see("nobody makes the bot send anything by asking why", _mark(said, "staging_probes") == "?", said)
        would = play.dry_run("api", road)
        main, release = git.stands("main"), git.stands("release")
        moves = f"move release from {release[:7]} to {main[:7]}, without force"
        play.see("what would be done is told", moves in would, would)
    with play.checks.point("Going back is an operator's word"):
        no = play.hears("maya", "releases", "/release rollback api reason:errors")
        play.see("maya may not", "maya is no operator" in no, no)
        before = play.box.world()["services"]["api"]["prod"]["traffic"][0]["digest"]
        root = play.asks("omar", "releases", "/release rollback api reason:errors")
        told = play.settles(root, "serves again")
        now = play.box.world()["services"]["api"]["prod"]["traffic"][0]["digest"]
        play.see("omar may, and what was good before serves", now != before, now)
        good = git.says("rev-parse", f"{release}^")
        play.see("the branch waits for somebody's word", f"release still stands at {release[:7]}" in told, told)
        play.see("and has not moved", git.stands("release") == release)
        back = play.told("ines", "Approve") | {"channel": "releases", "thread": None}
        for who, why in (("omar", "asked for it"), ("maya", "operator")):
            play.see(f"{who} cannot give it", why in play.presses(who, back, "Approve"))
        play.presses("ines", back, "Approve")
        play.until_it_says("where it was good again")
        play.see("with it release stands where it was good", git.stands("release") == good, git.stands("release"))
        play.see("main has all of it", git.says("merge-base", "main", release) == release)
    with play.checks.point("The log"):
        log = play.box.until("two entries", lambda: _twice(git, "branch taken back"), within=30)
        play.see("it says from where to where", f"from `{release}` to `{good}`" in log, log)
        play.see("who asked and who agreed", "omar (U0OMAR, omar-gh)" in log and "ines (U0INES, ines-gh)" in log, log)
        play.see("and why", "Trigger: errors" in log, log)
        changed = git.says("log", "--format=", "--numstat", "main", "--", LOG).split("\n")
        play.see(
            "nothing is ever taken out of it", all(line.split("\t")[1] == "0" for line in changed if line), changed
        )
        play.see("it stands on main", git.stands("main") != main and git.parents(git.stands("main")) != [])
        play.see("release has none of it", LOG not in git.says("ls-tree", "-r", "--name-only", "release"))
        would = play.dry_run("api", road)
        play.see("what is promoted is what staging was tested with", f"from {good[:7]} to {main[:7]}" in would, would)
    with play.checks.point("Forward, by all that the policy asks for"):
        root = play.asks("maya", "releases", STATED)
        play.offering(root, "Approve")
        told = all_of(play.thread(root))
        play.see("staging was probed", "6 of 6 staging probes passed" in told, told)
        play.see("nothing but statuses is told", "POST /api/chat 415, POST /api/chat 200 ×15" in told, told)
        record = f"What staging showed of {main[:7]} is on record as staging_evidence"
        play.see("and what it showed is on record for that commit", record in told, told)
        said = play.why("api", road)
        met = {gate for gate in ("promotion_gate", "staging_probes", "evidence") if _mark(said, gate) == "✓"}
        play.see("whoever asks why reads the same", met == {"promotion_gate", "staging_probes", "evidence"}, said)
        play.presses("omar", root, "Approve")
        told = play.in_time(root, "live")
        play.see("release stands at exactly that commit", git.stands("release") == main, told)
        play.see("prod serves what staging does", play.serves("api", "prod") == play.serves("api", "staging"), told)
    with play.checks.point("Somebody goes around the bot"):
        site = "acme-prod/us-central1/api"
        rival = {"world": "cloud_run", "kind": "rival", "site": site, "does": "deploy"}
        play.box.post("/api/fault", rival)
        told = play.until_it_says("Somebody changed api in prod around me")
        play.see("what was changed is named", "around me: image" in told, told)
        play.see("who did it, nobody pretends to know", "from where, I cannot tell" in told, told)
        status = play.hears("maya", "releases", "/release status")
        play.see("and it is shown", "changed around me: image" in status, status)


LOG = "docs/RELEASE_LOG.md"
STATED = (
    "/release promote api staging→prod rollout-notes:none rollback-plan:revert"
    " confirms:no_new_storage,no_cognition_change"
)
BURST = {"api/behaviour.json": '{"fail_every": 8}\n'}
"""Its pages answer when they are asked one by one; of twenty requests two fail."""
LATE = {"api/behaviour.json": '{"fail_every": 30}\n'}
"""As many requests as staging's probes send are answered well."""


def _twice(git: Graph, words: str) -> str:
    """What the log says, once these words and another entry stand in it."""
    if LOG not in git.says("ls-tree", "-r", "--name-only", "main"):
        return ""
    said = git.says("show", f"main:{LOG}")
    return said if words in said and said.count("\n## ") + said.startswith("## ") > 1 else ""


def seed001_forward(play: Seed) -> None:
    """The same in a hurry: release goes forward, staging keeps what its probes find, and the rest goes back."""
    git = play.git("acme/assistant")
    people = People.of(play.box, "acme/assistant")
    with play.checks.point("Forward"):
        main, release = git.stands("main"), git.stands("release")
        root = play.asks("maya", "releases", STATED)
        play.presses("omar", root, "Approve")
        told = play.settles(root, "is live")
        play.see("release stands at exactly that commit", git.stands("release") == main, told)
        play.see("no merge was made", git.says("rev-list", "--merges", "--all") == "")
        play.see("the thread says so", f"release moved from {release[:7]} to {main[:7]}" in told, told)
        play.see("prod serves what staging does", play.serves("api", "prod") == play.serves("api", "staging"), told)
        log = play.box.until("the log", lambda: _logged(git, "promoted"), within=30)
        play.see("the log has it", f"Commit: `{main}`" in log and "Rollout notes: none" in log, log)
        play.see("release has not moved on with the log", git.stands("release") == main)
    with play.checks.point("One that staging's probes find"):
        stuck = people.pushes("maya", "main", "Break it when many come", BURST)
        root = play.asks("maya", "releases", STATED)
        told = play.box.until(
            "what the probes found", lambda: _if(all_of(play.thread(root)), "probes failed"), within=60
        )
        found = "1 of 6 staging probes failed: /api/chat 500 instead of 200 or 429"
        play.see("what came back is named", found in told, told)
        said = play.why("api", "staging→prod")
        play.see("it stops there", _mark(said, "staging_probes") == "✗", said)
        play.see("and nothing is on record for it", f"missing for {stuck[:7]}" in _line(said, "evidence"), said)
        play.presses("maya", root, "Cancel")
    with play.checks.point("A bad one"):
        served, good = play.serves("api", "prod"), git.stands("release")
        bad = people.pushes("maya", "main", "Break it", LATE)
        root = play.asks("maya", "releases", STATED)
        play.presses("omar", root, "Approve")
        told = play.settles(root, "was taken back")
        play.see("release had gone to it", git.stands("release") == bad, told)
        play.see("traffic is where it was", play.serves("api", "prod") == served, told)
        back = play.told("ines", "Approve") | {"channel": "releases", "thread": None}
        play.presses("ines", back, "Approve")
        play.until_it_says("where it was good again")
        play.see("and release is, too", git.stands("release") == good, git.stands("release"))


def _logged(git: Graph, words: str) -> str:
    there = LOG in git.says("ls-tree", "-r", "--name-only", "main")
    said = git.says("show", f"main:{LOG}") if there else ""
    return said if words in said else ""


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
        text = play.box.until("its probes", lambda: _if(all_of(play.thread(root)), "smoke probes passed"), within=30)
        play.see("stage was probed", "1 of 1 smoke probes passed: GET /health 200 ×3" in text, text)
        text = play.box.until("a plan", lambda: _if(all_of(play.thread(root)), "rules met: .*smoke"), within=30)
        play.refused_for(text, "integration", "second-person", "approvals")
        play.see("the build had passed its checks, and was in stage", {"ci", "validated", "record"} <= _met(text), text)
        play.see(
            "secrets are where they belong, and prod is like stage", {"secret_scopes", "parity"} <= _met(text), text
        )
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
        listed = play.hears("maya", "releases", "/release freeze list", about="I know of")
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
        play.see("ordinarily a lead agrees", "lea, omar or raj" in ordinary, ordinary)
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
        said = play.until_it_says("blocked for now")
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
    lines = text.splitlines()
    at = next((n for n, line in enumerate(lines) if line and line == _line(text, rule)), len(lines))
    return "\n".join([*lines[at : at + 1], *itertools.takewhile(lambda line: line.startswith("• "), lines[at + 1 :])])


def _met(text: str) -> set[str]:
    found = re.search(r"rules met: (.*)", text)
    return set(found[1].split(", ")) if found else set()


def _if(text: str, pattern: str) -> str:
    return text if re.search(pattern, text, re.IGNORECASE) else ""


def seed004(play: Seed) -> None:
    """All of release governance: freezes by two, emergencies on record, exceptions that are granted, owed for and end."""
    road = "staging→prod"
    play.opening(
        "api",
        {
            "dev→staging": ("verified_in_dev", "as_in_dev", "image", "evidence", "ci_checks", "security_checks"),
            road: (
                *("verified_in_staging", "as_in_staging", "tag", "signatures", "attestation", "branches", "reviews"),
                *("ci_checks", "criticals", "qa_signoff", "blockers", "database", "flags", "record", "go_no_go"),
            ),
        },
    )
    with play.checks.point("What runs, and how"):
        below = play.why("api", "dev→staging")
        play.see("the image comes from where it may", _mark(below, "image") == "✓", below)
        play.see("provenance, SBOM and scan of it are attested", _mark(below, "evidence") == "✓", below)
        play.see("and its signature is verified", _mark(below, "image_signature") == "✓", below)
        play.see("by the workflow that may", _mark(play.why("api", road), "attestation") == "✓", below)
        play.see("prod is like staging", _mark(play.why("api", road), "parity") == "✓")
    with play.checks.point("A freeze by two"):
        more = "scope:all exit:books_closed re-enable-plan:omar_ends_it"
        play.hears("omar", "releases", f"/release freeze start prod until:6h reason:stocktaking {more}")
        freeze = play.request("omar")
        play.see("until somebody agrees it holds", "stocktaking" in _line(play.why("api", road), "no-freeze"))
        play.fills_in("omar", freeze, "Approve", reason="I want it")
        play.whispered("omar", "You asked for it")
        play.fills_in("raj", freeze, "Approve", reason="agreed in the meeting")
        play.until_it_says("is in force")
        play.box.advance_clock("PT2H")
        play.see("agreed to, it goes on", _mark(play.why("api", road), "no-freeze") == "✗")
        play.hears("omar", "releases", "/release freeze end prod reason:counted")
        play.hears("omar", "releases", f"/release freeze start prod until:6h reason:doubts {more}")
        play.see("another holds, for now", "doubts" in _line(play.why("api", road), "no-freeze"))
        play.box.advance_clock("PT61M")
        play.see("and is over when nobody agrees within an hour", _mark(play.why("api", road), "no-freeze") == "✓")
    with play.checks.point("An exception"):
        play.hears("maya", "releases", "/release exception request api prod waive:blockers,record until:4h")
        more = play.whispered("maya", "record.*never waived")
        play.see("what must be on record is never waived", "blockers" not in _line(more, "record"), more)
        play.hears("maya", "releases", "/release exception request api prod waive:blockers until:4h")
        asked = dict.fromkeys(("owner", "scope", "impact", "likelihood", "consequences"), "it is written down")
        asked |= dict.fromkeys(("policy_reference", "controls", "containment", "remediation", "evidence"), "so much")
        sent = play.fills_in("maya", play.told("maya", "Fill in"), "Fill in", **asked)
        play.see("ten things are asked for in one dialog", sent["ok"], sent)
        play.until_it_says("exception X-[0-9a-f]+ .* waits for approval")
        exception = play.request("raj")
        play.see("nothing is let through yet", _mark(play.why("api", road), "blockers") == "?")
        play.fills_in("maya", exception, "Approve", reason="please")
        play.whispered("maya", "You asked for it")
        play.fills_in("raj", exception, "Approve", reason="the blocker is a typo")
        play.until_it_says("the blocker is a typo")
        through = play.why("api", road)
        play.see("granted, it lets that rule through", _mark(through, "blockers") == "○", through)
        play.see("and no other", _mark(through, "reviews") == "✗", through)
        name = re.search(r"X-[0-9a-f]+", _line(through, "blockers"))
        play.see("what lets it through is named", name, through)
        owed = play.hears("raj", "releases", "/release exception list", about="I know of")
        play.see("and something is owed for it", "what was waived holds again" in owed, owed)
        play.hears("omar", "releases", f"/release exception revoke {name[0] if name else ''} reason:fixed")
        play.see("revoked, it lets nothing through", _mark(play.why("api", road), "blockers") == "?")
    with play.checks.point("An emergency"):
        play.box.set_clock(SATURDAY)
        closed = play.why("api", road, "type:feature")
        play.see("on a Saturday it is closed", _mark(closed, "window") == "✗", closed)
        play.see(
            "and needs an emergency, with all that it asks for", "as an emergency, with incident" in closed, closed
        )
        no = play.why("api", road, "type:emergency incident:INC-1 reason:down")
        play.see("an engineer cannot ask for one", _mark(no, "may-ask") == "✗", no)
        play.hears("dan", "releases", f"/release promote api {road} type:emergency incident:INC-1 reason:down")
        said = {"ticket": "OPS-1", "summary": "orders", "known_issues": "none", "release_notes": "none", "risk": "low"}
        said |= {"scope": "api", "rollback_plan": "back", "follow_up_actions": "look", "impact_of_waiting": "no orders"}
        sent = play.fills_in("dan", play.told("dan", "Fill in"), "Fill in", **said, classification="availability")
        play.see("who is on call says all that it needs", sent["ok"], sent)
        text = play.until_it_says("EMERGENCY.*blocked for now")
        play.see("the window is let through, by name", re.search(r"○ \*window\*.*E-[0-9a-f]+", text), text)
        play.see("until it ends by itself", re.search(r"E-[0-9a-f]+ lets nothing through after", text), text)
        play.see("what GitHub lacks is not", re.search(r"✗ .*\bsignatures\b", text), text)


STORIES: dict[str, Callable[[Seed], None]] = {
    "seed000": seed000,
    "seed001": seed001,
    "seed002": seed002,
    "seed003": seed003,
    "seed004": seed004,
}


def play(name: str, url: str, data: Path | None = None) -> int:
    """Exit code."""
    seed = Seed(url, data)
    with seed.checks.point(f"{name}: {STORIES[name].__doc__}"):
        STORIES[name](seed)
    return seed.checks.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.seeds", description=__doc__)
    parser.add_argument("name", choices=STORIES)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="where the sandbox's page is")
    parser.add_argument("--data", type=Path, help="where it keeps its worlds")
    asked = parser.parse_args()
    sys.exit(play(asked.name, asked.url, asked.data))
