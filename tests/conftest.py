"""What holds for every test: no look around for a cloud machine, a browser where one is asked for, the slow ones first."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.bot.exchanges import Report

# Google's libraries otherwise ask the network whether this is one of Google's machines.
os.environ.setdefault("NO_GCE_CHECK", "true")

SAID = pytest.StashKey[Path]()
JUDGED: pytest.StashKey[Report] = pytest.StashKey()
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> str | None:
    """Where a Chromium is, or None. `CHROMIUM` names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def pytest_configure(config: pytest.Config) -> None:
    """Whatever is said to a local GitHub, by whichever process of this run, is written down in one folder."""
    if not hasattr(config, "workerinput"):
        config.stash[SAID] = folder = Path(tempfile.mkdtemp(prefix="said-to-github-"))
        os.environ["SANDBOX_GITHUB_EXCHANGES"] = str(folder)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """All of it is judged once everybody is done; what GitHub would not have understood fails the run."""
    folder = session.config.stash.get(SAID, None)
    if folder is None or not any(folder.iterdir()):
        return
    from tests.bot.exchanges import report

    found = report(folder)
    if found is not None:
        session.config.stash[JUDGED] = found
        if found.wrong and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was said to the local GitHub, by the operations of the real one."""
    found = config.stash.get(JUDGED, None)
    if found is not None:
        terminalreporter.section("said to GitHub", red=bool(found.wrong))
        for line in found.lines():
            terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = config.stash.get(SAID, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the work, files with slow tests come first: whoever ends last waits least."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
        items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """How long an example of Hypothesis takes is the machine's business."""
    if "hypothesis" in sys.modules:
        from hypothesis import settings

        settings.register_profile("any pace", settings(), deadline=None)
        settings.load_profile("any pace")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a browser its tests are skipped here, but fail in CI: there they must have been seen."""
    if item.get_closest_marker("chromium") is None or browser() is not None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium on this machine, and CI=true wants its tests run", pytrace=False)
    pytest.skip("no Chromium on this machine")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; only for tests marked `chromium`."""
    found = browser()
    if found is None:
        pytest.fail("mark this test with @pytest.mark.chromium")
    return found
