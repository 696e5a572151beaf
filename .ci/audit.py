"""Is a known vulnerability in what we are locked to? Asks the first service that knows our packages.

Ends with 1 where one is found. Where no service can be reached it says so and ends with 0: being offline is no fault
of the code, and it must not read like a clean bill of health either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICES = ("osv", "pypi")
GIVE_UP_SECONDS = 180


@dataclass(frozen=True)
class Report:
    """What one service said of one lock."""

    audited: int
    skipped: tuple[str, ...]
    vulnerable: tuple[str, ...]


def ask(service: str, lock: Path) -> Report | str:
    """What the service knows, or why it could not be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    command += ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIVE_UP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {GIVE_UP_SECONDS} s"
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return (done.stderr.strip().splitlines() or ["no answer"])[-1].partition(": Max retries")[0][:160]
    skipped = tuple(one["name"] for one in found if "skip_reason" in one)
    if len(skipped) == len(found):
        return "it knows none of our packages"
    vulnerable = tuple(
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in found
        for flaw in one.get("vulns", ())
    )
    return Report(len(found) - len(skipped), skipped, vulnerable)


def audit(lock: Path) -> bool:
    """True unless a vulnerability is known; says what was asked and answered."""
    for service in SERVICES:
        match ask(service, lock):
            case str(why):
                print(f"{lock}: could not ask {service}: {why}")
            case Report() as report:
                print(f"{lock}: {service} looked at {report.audited} packages", *report.vulnerable, sep="\n  ")
                if report.skipped:
                    print(f"  not looked at: {', '.join(report.skipped)}")
                return not report.vulnerable
    print(f"{lock}: NOT AUDITED, no vulnerability service could be reached from here")
    return True


if __name__ == "__main__":
    answers = [audit(Path(lock)) for lock in sys.argv[1:]]
    sys.exit(0 if all(answers) else 1)
