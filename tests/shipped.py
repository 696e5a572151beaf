"""What is shipped? The wheel of this tree, its policy compiled, unpacked into a folder of whoever asks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHIN = 1800.0
"""Seconds that building it may take, on whatever machine; half a minute is usual."""


def compiler() -> str | None:
    """What compiles C for this Python, or None: that, or the headers, are not here."""
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    return shutil.which(named) if headers.exists() else None


def unpacked(folder: Path, flags: str = "") -> Path:
    """Where it lies now, for whoever puts that first on their path; `flags` go to the compiler."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        env={**os.environ, "HATCH_BUILD_HOOK_ENABLE_CUSTOM": "1", "CFLAGS": flags},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    if done.returncode:
        message = f"the wheel was not built:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "lib")
    return folder / "lib"


def environment(lib: Path) -> dict[str, str]:
    """For a process that runs what was unpacked, and this tree's tests."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(lib), str(ROOT)))}
