"""How does the bot run below the sandbox? As always, but it dies when the sandbox dies without a word."""

from __future__ import annotations

import ctypes
import signal
import sys

from bot.cli import run

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


def main() -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return run(["serve"])


if __name__ == "__main__":
    sys.exit(main())
