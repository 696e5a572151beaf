"""Which commands has the command line? Each ends with 0 for yes, 1 for no with the reason, 2 for misused."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bot import cli_policy
from commands.errors import ReleaseBotError

Run = Callable[[argparse.Namespace], int]
NOT_BUILT = "is not built yet; it comes with a later release."


def run(arguments: Sequence[str]) -> int:
    """What the command said, as an exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        return int(given.run(given))
    except ReleaseBotError as error:
        return _no(str(error))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="release-bot", description="Releases in a chat thread.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, does: str, run: Run | None) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=does, description=does)
        added.set_defaults(run=run)
        return added

    command("serve", "Run the bot; its settings come from the environment.", _serve)
    sandbox = command(
        "sandbox", "Play: local Slack, GitHub and Cloud Run with a web page, and the bot among them.", _sandbox
    )
    sandbox.add_argument("--port", type=int, default=3000, help="port of the page and its API (3000)")
    sandbox.add_argument("--policy", type=Path, help="policy file (the story's)")
    sandbox.add_argument("--data", type=Path, default=Path(".sandbox"), help="data directory, begun anew (.sandbox)")
    demo = command("demo", "Play the story without a browser and print it; 0 only if it ends right.", _demo)
    demo.add_argument("--json", action="store_true", help="print what became of the world as JSON")
    cli_policy.add(command("policy", "Check a policy, or ask it.", None))
    _audit(command("audit", "Prove the audit trail.", None))
    database = command("db", "Care for the database.", None).add_subparsers(required=True, metavar="COMMAND")
    upgrade = database.add_parser("upgrade", help="bring the tables up to date")
    upgrade.add_argument("--json", action="store_true")
    upgrade.set_defaults(run=_upgrade)
    return parser


def _audit(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser("verify", help="is this trail whole?")
    verify.add_argument("path", type=Path)
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(run=_not_built("audit verify"))
    export = commands.add_parser("export", help="write evidence that can be verified offline")
    export.add_argument("rest", nargs="*")
    export.add_argument("--json", action="store_true")
    export.set_defaults(run=_not_built("audit export"))


def _serve(_: argparse.Namespace) -> int:
    from bot.settings import Misconfigured, read_settings
    from bot.wiring import serve

    try:
        asyncio.run(serve(read_settings()))
    except Misconfigured as error:
        return _no(str(error))
    return 0


def _sandbox(given: argparse.Namespace) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read when gRPC is loaded; it chatters about forks
    from bot.sandbox.story import POLICY
    from bot.sandbox.supervisor import play

    policy = (given.policy or POLICY).absolute()
    if (code := _readable(policy)) != 0:
        return code
    logging.getLogger().setLevel(logging.WARNING)
    try:
        asyncio.run(play(given.data.absolute(), given.port, policy))
    except OSError as error:
        return _no(f"The sandbox cannot open port {given.port}: {error.strerror}.")
    return 0


def _demo(given: argparse.Namespace) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from bot.sandbox.demo import demo

    logging.getLogger().setLevel(logging.WARNING)
    return asyncio.run(demo(as_json=given.json))


def _readable(policy: Path) -> int:
    from bot.policy_file import check

    try:
        complaints = check(policy.read_bytes(), policy.parent)
    except OSError as error:
        return _no(f"{policy} cannot be read: {error.strerror}.")
    for complaint in complaints:
        print(f"{policy}:{complaint.line}: {complaint.says}", file=sys.stderr)
    return 1 if complaints else 0


def _upgrade(given: argparse.Namespace) -> int:
    from bot import migrations
    from bot.settings import default_database

    url = os.environ.get("DATABASE_URL") or default_database()
    migrations.upgrade(url)
    print(json.dumps({"ok": True}) if given.json else "The database is up to date.")
    return 0


def _not_built(name: str) -> Run:
    def run(_: argparse.Namespace) -> int:
        print(f"`{name}` {NOT_BUILT}", file=sys.stderr)
        return 2

    return run


def _no(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1
