"""What holds for every test: no look around for a cloud machine, a browser where one is asked for, the slow ones first."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

# Google's libraries otherwise ask the network whether this is one of Google's machines.
os.environ.setdefault("NO_GCE_CHECK", "true")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> str | None:
    """Where a Chromium is, or None. `CHROMIUM` names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


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
