"""What can be asked of a policy on the command line? Is it one, what would it say, what would it have said?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.strict_yaml import Complaint


def check(given: argparse.Namespace) -> int:
    from bot import cases, policy_file

    file: Path = given.file
    table = cases.beside(file)
    try:
        complaints = policy_file.check(file.read_bytes())
        told = table.read_bytes() if table.exists() and not complaints else None
    except OSError as error:
        return _no(f"{error.filename} cannot be read: {error.strerror}.")
    result = cases.Result(0, ()) if told is None else cases.run(told, policy_file.read_policy(file))
    ok = not complaints and not result.complaints
    if given.json:
        listed = {"complaints": _listed(complaints), "cases": result.cases, "failed": _listed(result.complaints)}
        print(json.dumps({"ok": ok, **listed}, ensure_ascii=False))
        return 0 if ok else 1
    for where, found in ((file, complaints), (table, result.complaints)):
        for complaint in found:
            print(f"{where}:{complaint.line}: {complaint.says}")
    if ok:
        print(f"{file} is a policy{f', and decides {result.cases} cases as they say' if result.cases else ''}.")
    return 0 if ok else 1


def _listed(complaints: Iterable[Complaint]) -> list[dict[str, Any]]:
    return [asdict(complaint) for complaint in complaints]


def _no(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1
