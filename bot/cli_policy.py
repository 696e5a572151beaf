"""What can be asked of a policy on the command line? Is it one, what would it say, what would it have said?"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commands.errors import Misunderstood

if TYPE_CHECKING:  # a second of imports that `--help` can do without
    from bot.cases import Result
    from bot.lints import Remark
    from bot.strict_yaml import Complaint
    from policy.document import ActivePolicy, Policy
    from policy.facts import Facts, Question


class Misused(Exception):
    """The command was given something that makes no sense: 2."""


def add(parser: argparse.ArgumentParser) -> None:
    """The commands below `policy`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=does, description=does)
        added.set_defaults(run=lambda given: _run(run, given))
        added.add_argument("--json", action="store_true", help="print JSON")
        return added

    check = command("check", "Is FILE a policy, and does it decide the cases beside it as they say?", _check)
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--strict", action="store_true", help="warnings are a no")
    check.add_argument("--against", type=Path, metavar="FILE", help="the policy before (what git holds of this file)")
    check.add_argument("--at", metavar="INSTANT", help="look at calendars and windows as of then (now)")
    explain = command("explain", "What would it say, and why? 0: allowed, 1: not.", _explain)
    explain.add_argument("file", type=Path, metavar="FILE")
    explain.add_argument("words", metavar="WORDS", help='as in the chat: "promote checkout stage→prod"')
    explain.add_argument("--as", dest="person", metavar="PERSON", help="who asks: a name under `people`")
    explain.add_argument("--at", metavar="INSTANT", help="2026-11-24T09:00Z, or local in the policy's zone (now)")
    explain.add_argument("--zone", help="your own time zone (TZ, or else the policy's)")
    explain.add_argument("--facts", type=Path, help="decide on these facts; otherwise all is taken to be well")
    explain.add_argument("--given", metavar="YAML", help='what is not well: "{approved: omar, checks: {lint: failed}}"')
    explain.add_argument(
        "--group", action="append", default=[], metavar="GROUP=NAME,…", help="who is in a Slack group: S0ENG=maya,raj"
    )
    explain.add_argument("--save", type=Path, metavar="FILE", help="keep the decision with its facts, for `replay`")
    replay = command("replay", "What would recorded decisions be under it? 0: the same, 1: not all.", _replay)
    replay.add_argument("file", type=Path, metavar="FILE")
    replay.add_argument("--ledger", metavar="DATABASE_URL", help="where they are recorded (DATABASE_URL, as for serve)")
    replay.add_argument("--last", type=_count, metavar="N", help="only the newest N")
    replay.add_argument("--facts", type=Path, metavar="DIR", help="files that `explain --save` wrote, instead")
    holidays = command("holidays", "Write a calendar's holidays into a file, for people to review and pin.", _holidays)
    holidays.add_argument("calendar", metavar="NAME", help="DE, DE-BE, US-NY, or an exchange: NYSE")
    holidays.add_argument("--years", type=_years, required=True, metavar="A-B", help="2026-2028")
    holidays.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to: holidays/DE-BE.yaml")
    added = "a day that is missing, and its name"
    holidays.add_argument("--add", type=_named_day, action="append", default=[], metavar="DAY=NAME", help=added)
    holidays.add_argument("--remove", type=_day, action="append", default=[], metavar="DAY", help="a day that is none")
    command("schema", "Print the JSON Schema of the policy file, for editors.", _schema)


def _run(run: Callable[[argparse.Namespace], int], given: argparse.Namespace) -> int:
    try:
        return run(given)
    except Misused as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename} cannot be read or written: {error.strerror}.", file=sys.stderr)
        return 1


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of decisions")
    return int(text)


def _years(text: str) -> range:
    found = re.fullmatch(r"([0-9]{4})(?:-([0-9]{4}))?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"write years like 2026-2028, not {text!r}")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"write a day like 2026-12-24, not {text!r}") from error


def _named_day(text: str) -> tuple[date, str]:
    day, equals, name = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"write a day and its name like 2026-12-24=Christmas Eve, not {text!r}")
    return _day(day), name.strip()


# Is it one? ---------------------------------------------------------------------------------------------------------


def _check(given: argparse.Namespace) -> int:
    from bot import cases, lints
    from bot.policy_file import policy_in, read_policy

    file: Path = given.file
    if file.name.endswith(cases.ENDING):
        raise Misused(f"{file} holds cases; check the policy beside it, and they are tried as well.")
    policy, complaints, document = policy_in(file.read_bytes(), file.parent)
    table, tried = cases.beside(file), cases.Result(0, 0, ())
    remarks: tuple[Remark, ...] = ()
    if policy is not None and document is not None:
        remarks = lints.remarks(file, policy, document, _at(given.at, policy), given.against)
        if table.exists():
            tried = cases.run(table.read_bytes(), read_policy(file))
    warned = given.strict and any(remark.weight == "warning" for remark in remarks)
    ok = not complaints and not tried.complaints and not warned
    if given.json:
        found: dict[str, Any] = {"ok": ok, "complaints": _listed(complaints), "lints": _listed(remarks)}
        found |= {"cases": tried.cases, "failed": _listed(tried.complaints)}
        print(json.dumps(found, ensure_ascii=False))
        return 0 if ok else 1
    for complaint in complaints:
        print(f"{file}:{complaint.line}: {complaint.says}")
    for remark in remarks:
        print(f"{file}:{remark.line}: {remark.weight}: {remark.says} [{remark.name}]")
    for complaint in tried.complaints:
        print(f"{table}:{complaint.line}: {complaint.says}")
    if policy is not None:
        print(_checked(file, tried, remarks))
    return 0 if ok else 1


def _checked(file: Path, tried: Result, remarks: Sequence[Remark]) -> str:
    from policy.wording import Several

    says = [f"{file} is a policy"]
    if tried.failed:
        says.append(f"{tried.failed} of {Several(tried.cases, 'case')} came out otherwise")
    elif tried.cases:
        says.append(f"{Several(tried.cases, 'case')} came out as said")
    warnings = sum(remark.weight == "warning" for remark in remarks)
    if warnings:
        says.append(str(Several(warnings, "warning")))
    return f"{'; '.join(says)}."


def _listed(found: Iterable[Complaint | Remark]) -> list[dict[str, Any]]:
    return [asdict(each) for each in found]


# What would it say? -------------------------------------------------------------------------------------------------


def _explain(given: argparse.Namespace) -> int:
    from bot import explain
    from bot.policy_file import read_policy
    from bot.replay import saved
    from policy.decide import decide

    active = read_policy(given.file)
    policy = active.policy
    at = _at(given.at, policy)
    clocks = explain.Clocks(policy.zone(), _zone(given.zone, policy))
    words, question, facts, supposing = _asked(given, active, at)
    decision = decide(question, facts, active, at)
    if given.save is not None:
        given.save.write_text(saved(question, facts, decision), encoding="utf-8")
    if given.json:
        print(json.dumps(explain.as_plain(question, decision, active), ensure_ascii=False))
    else:
        print(explain.told(words, question, decision, active, clocks, supposing))
    return 0 if decision.allowed else 1


def _at(text: str | None, policy: Policy) -> datetime:
    from bot.facts_json import Misfit
    from bot.given import moment

    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return moment(text, ("--at",), policy.zone())
    except Misfit as error:
        raise Misused(f"{error}.") from error


def _zone(name: str | None, policy: Policy) -> ZoneInfo:
    try:
        return ZoneInfo(name or os.environ.get("TZ") or policy.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        if name is None:
            return policy.zone()
        raise Misused(f"--zone: {name!r} is no IANA time zone; write one like Europe/Berlin.") from error


def _asked(given: argparse.Namespace, active: ActivePolicy, at: datetime) -> tuple[str, Question, Facts, str]:
    """The words, what they ask, what is known, and what was only supposed."""
    from bot.asked import asked
    from bot.facts_json import Misfit, from_json

    if given.facts is not None:
        try:
            question, facts = from_json(given.facts.read_text(encoding="utf-8"))
        except (Misfit, UnicodeDecodeError) as error:
            raise Misused(f"{given.facts}: {error}.") from error
        try:
            said = asked(given.words, facts.asked_by, active.policy, at).question
        except Misunderstood as error:
            raise Misused(str(error)) from error
        if said != question or given.person not in {None, facts.asked_by.human, facts.asked_by.name}:
            raise Misused(f"{given.facts} holds what {facts.asked_by.name} asked, and that was something else.")
        return f"{facts.asked_by.name}: {given.words}", question, facts, ""
    if given.person is None:
        raise Misused("Say who asks: --as maya.")
    return _supposed(given, active, at)


def _supposed(given: argparse.Namespace, active: ActivePolicy, at: datetime) -> tuple[str, Question, Facts, str]:
    from bot import cases
    from bot.all_good import everybody
    from bot.facts_json import Misfit

    policy = active.policy
    people = everybody(policy, _groups(given.group, given.file))
    asker = cases.somebody(given.person, policy, people)
    try:
        question, facts = cases.supposed(given.words, asker, people, policy, at, _given(given.given))
    except (Misunderstood, Misfit) as error:
        raise Misused(str(error)) from error
    supposing = (
        "Supposing that all is well: every gate has fresh evidence that is fine, nothing is frozen, held or owed"
    )
    agreed = "" if facts.votes else "; nobody has agreed yet"
    but = f". But for this: {given.given}" if given.given else ""
    who = "" if asker.human else f" The policy knows nobody called {asker.name}."
    return f"{given.person}: {given.words}", question, facts, f"{supposing}{agreed}{but}.{who}"


def _groups(said: Sequence[str], file: Path) -> Mapping[str, Sequence[str]]:
    """Who is in which Slack group: as was said, and as the table beside the policy says."""
    from bot import cases

    table = cases.beside(file)
    groups = dict(cases.groups_of(table.read_bytes())) if table.exists() else {}
    for each in said:
        name, equals, members = each.partition("=")
        if not equals:
            raise Misused(f"--group: write S0ENG=maya,raj, not {each!r}.")
        groups[name.removeprefix("slack:group/")] = tuple(members.split(","))
    return groups


def _given(text: str | None) -> Mapping[str, Any]:
    from bot.strict_yaml import Document, Stop

    if text is None:
        return {}
    try:
        document = Document(text.encode())
    except Stop as stop:
        raise Misused(f"--given: {stop.complaint.says}.") from stop
    if document.complaints or not isinstance(document.value, dict):
        says = document.complaints[0].says if document.complaints else "write keys and values, like {approved: omar}"
        raise Misused(f"--given: {says}.")
    return document.value


# What would it have said? -------------------------------------------------------------------------------------------


def _replay(given: argparse.Namespace) -> int:
    from bot import replay
    from bot.policy_file import read_policy
    from bot.settings import default_database

    active = read_policy(given.file)
    if given.facts is not None:
        if given.ledger is not None:
            raise Misused("Say either --ledger or --facts.")
        books = replay.in_files(given.facts)
        books = books if given.last is None else replace(books, decided=books.decided[-given.last :])
    else:
        books = replay.in_ledger(given.ledger or os.environ.get("DATABASE_URL") or default_database(), given.last)
    replayed = replay.replay(books, active)
    if given.json:
        print(json.dumps(replay.as_plain(replayed), ensure_ascii=False))
    else:
        print("\n".join(replay.told(replayed)))
    return 0 if replayed.same else 1


# What goes with it --------------------------------------------------------------------------------------------------


def _holidays(given: argparse.Namespace) -> int:
    from bot.holiday_file import write

    pinned = write(given.calendar, given.years, given.out, add=dict(given.add), remove=given.remove)
    if given.json:
        print(json.dumps({"file": str(given.out), "sha256": pinned}))
    else:
        print(f"{given.out} is written. Have it reviewed, and pin it under calendars:")
        print(f"  {given.calendar}: {{file: {given.out}, sha256: {pinned}}}")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from bot.policy_schema import written

    print(written(), end="")
    return 0
