"""What was typed on the command line? `release-bot …` and `python -m bot …` are the same."""

from __future__ import annotations

import sys


def main() -> None:
    """Exit code 0: yes; 1: no, with the reason; 2: misused."""
    from bot.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
