"""How does a process end with whoever started it, even if that one is killed?"""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from functools import partial

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def with_its_starter(how: signal.Signals) -> Callable[[], None] | None:
    """To be called in the new process, between its fork and its program. It counts from the thread that starts it."""
    return None if _libc is None else partial(_libc.prctl, PR_SET_PDEATHSIG, how)
