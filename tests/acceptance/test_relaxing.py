"""The release owner has `main` relaxed, merges by hand, and it is guarded again: through the sandbox."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import all_of
from tests.acceptance.people import People
from tests.acceptance.play import Play
from tests.acceptance.process import sandbox

POLICY = Path(__file__).parents[2] / "deploy/policies/seed000.yaml"


@pytest.mark.slow
@pytest.mark.requirement("S0-35", "S0-37", "S0-38")
def test_main_is_relaxed_for_one_merge_by_hand_and_guarded_again(tmp_path: Path) -> None:
    with sandbox(tmp_path / "data", "--policy", str(POLICY)) as running:
        play = Play(running.box.url)
        people = People.of(play.box, "acme/app")
        guarded = _guards(people)
        play.see("main asks for checks", guarded["required_status_checks"]["contexts"] != [], guarded)
        people.does("lea", "POST", "/git/refs", {"ref": "refs/heads/by-hand", "sha": people.stands("main")})
        written = {"message": "By hand", "content": "aGVsbG8K", "branch": "by-hand"}
        people.does("lea", "PUT", "/contents/by-hand.txt", written)
        number = people.proposes("lea", "by-hand", "main", "Do it by hand")
        words = "/release exception request web prod relax:checks"
        no = play.hears("maya", "releases", f"{words} until:1h pr:{number} reason:x", about="only release owner")
        play.see("nobody else may ask", "maya is none" in no, no)
        no = play.hears("omar", "releases", f"{words} pr:{number} reason:x", about="needs a little more")
        play.see("it has to end", "say when it ends, 4 h at most" in no, no)
        root = play.asks("omar", "releases", f'{words} until:1h pr:{number} reason:"the build farm is down"')
        play.see("they cannot grant it themselves", "asked for it" in play.presses("omar", root, "Approve"))
        play.presses("ines", root, "Approve")
        play.box.until("it is relaxed", lambda: _contexts(people) == [], within=60)
        status = play.hears("maya", "releases", "/release status", about="Status of")
        play.see("status says so", "checks of main of acme/app: relaxed until" in status, status)
        merged = people.merges("omar", number)
        play.see("main stands at what was merged by hand", people.stands("main") == merged)

        def again() -> bool:
            play.box.advance_clock("PT20S")
            return _guards(people) == guarded

        play.box.until("it is guarded as before", again, within=60)
        why = f"exactly as it was: pull request {number} was merged"
        play.box.until("everybody reads why", lambda: why in all_of(play.thread(root)), within=60)

        def remarks() -> list[str]:
            play.box.advance_clock("PT20S")
            said = people.does("maya", "GET", f"/issues/{number}/comments")
            return [one["body"] for one in said if "guarded again exactly as it was" in one["body"]]

        said = play.box.until("the pull request says so", remarks, within=60)
        play.see("with its reason", "the build farm is down" in said[0], said)

        def proposed() -> list[str]:
            play.box.advance_clock("PT5S")
            return [one["head"]["ref"] for one in people.open_ones("Dev") if "in the runbook" in one["title"]]

        (branch,) = play.box.until("a pull request adds it to the runbook", proposed, within=60)
        found = people.does("maya", "GET", f"/contents/docs/runbook.md?ref={branch}")
        entry = base64.b64decode(found["content"]).decode()
        play.see("with who, what and until when", f"pull request {number} was merged" in entry, entry)
        play.see("asked by one and granted by another", "asked by omar, granted by ines" in entry, entry)
        assert play.checks.end() == 0


def _guards(people: People) -> dict[str, Any]:
    """What everybody may see of it."""
    return dict(people.does("maya", "GET", "/branches/main")["protection"])


def _contexts(people: People) -> list[str]:
    return list(_guards(people)["required_status_checks"]["contexts"])
