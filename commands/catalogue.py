"""Which words are there? Every command, once; help, parsing and the README's table come from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from commands import read
from commands.errors import Misunderstood
from commands.grammar import Said, known, nearest, take_apart
from commands.intent import Intent
from commands.resolve import Setting


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be said. Nothing outside this list is accepted."""

    verb: tuple[str, ...]
    shape: str
    does: str
    example: str
    """A test parses it."""
    read: Callable[[Said, Setting], Intent]
    behind_a_button: bool = False
    """Left out of the short help: people press it."""
    more: tuple[str, ...] = ()
    """Examples of what else it is for."""

    @property
    def examples(self) -> tuple[str, ...]:
        return (self.example, *self.more)


def _steering(word: str, does: str, keys: str = "", said: str = "") -> Command:
    return Command(
        (word,),
        f"{word} <request>{keys}",
        does,
        f"{word} op_1a2b3c4d5e{said}",
        lambda said, _: read.steer(word, said),
        behind_a_button=True,
    )


CATALOGUE = (
    Command(
        ("promote",),
        "promote [service] <from>→<to> [version] [reason:…] [type:…] [confirms:…] [--plan]",
        "Serve in <to> what <from> serves now, once somebody else has agreed. --plan only says what would be done.",
        "promote checkout stage→prod",
        read.promote,
        more=(
            "promote checkout stage→prod --plan",
            "promote checkout stage→prod type:emergency incident:INC-7 reason:checkout is down",
            "promote checkout stage→prod database:expand",
            "promote payments,checkout stage→prod",
        ),
    ),
    Command(
        ("rollback",),
        "rollback [service] [environment] [to <target>] [reason:…] [incident:…] [despite:database] [flag:<name>=…]",
        "Go back to the last verified good revision at once, whatever is frozen.",
        "rollback checkout reason:errors after the release",
        read.rollback,
        more=(
            "rollback checkout despite:database reason:the old column is still there",
            "rollback checkout flag:new-cart=off link:https://flags.example/new-cart",
            "rollback checkout,payments prod reason:carts are empty",
            "rollback prod to M-1a2b3c4d5e reason:carts are empty",
        ),
    ),
    Command(
        ("freeze", "start"),
        "freeze start [service] <environment> until:… reason:… [from:…] [exit:…]",
        "Block promotions until then.",
        "freeze start prod until:18:00 reason:black friday",
        read.start_freeze,
    ),
    Command(
        ("freeze", "end"),
        "freeze end [freeze or hold] [reason:…]",
        "Open again; also lifts the hold on a build that was rolled back.",
        "freeze end F-1a2b3c reason:all clear",
        read.end_freeze,
    ),
    Command(
        ("freeze", "list"),
        "freeze list",
        "What is frozen or held, by whom, why and until when.",
        "freeze list",
        read.list_freezes,
    ),
    Command(
        ("exception", "request"),
        "exception request [service] <environment> waive:<rule,rule> until:… reason:… [kind:…]",
        "Ask that rules be waived there until then; or, by its kind, that a branch be guarded less (relax:…).",
        "exception request checkout prod waive:soak until:18:00 reason:the fix cannot wait",
        read.request_exception,
    ),
    Command(
        ("exception", "list"),
        "exception list",
        "What is waived or asked to be, and what is owed, by whom, until when.",
        "exception list",
        read.list_exceptions,
    ),
    Command(
        ("exception", "revoke"),
        "exception revoke <exception> reason:…",
        "End a waiver at once.",
        "exception revoke X-1a2b3c reason:the fix is out",
        read.revoke_exception,
    ),
    Command(
        ("exception", "settle"),
        "exception settle <owed> note:…",
        "Say that what was owed is done.",
        "exception settle O-1a2b3c note:reviewed, see INC-7",
        read.settle,
        behind_a_button=True,
    ),
    Command(
        ("hotfix", "start"),
        "hotfix start [service] ticket:… [reason:…]",
        "Make the branch for a fix on top of exactly what production serves.",
        "hotfix start checkout ticket:ABC-9 reason:totals are wrong",
        read.start_hotfix,
    ),
    Command(
        ("hotfix", "port"),
        "hotfix port [service] <#pull request or commit> [to:<branch,branch>] ticket:… reason:… [mainline:…]",
        "Bring a fix to other branches: picked as it is, proposed, and looked after until it is merged.",
        "hotfix port checkout #120 to:release/1.8 ticket:ABC-9 reason:1.8 has the same fault",
        read.port_fix,
    ),
    Command(
        ("status",),
        "status [service]",
        "What serves where, what is under way and what is frozen.",
        "status checkout",
        read.status,
    ),
    Command(
        ("why",),
        "why [service] <from>→<to>",
        "Every rule for that promotion, met or not, and what would help; changes nothing.",
        "why checkout stage→prod",
        read.why,
    ),
    Command(("log",), "log [service] [last:20]", "Who did what, newest first.", "log checkout last:5", read.log),
    Command(("help",), "help [command]", "This list.", "help promote", read.ask_for_help),
    Command(
        ("approve",),
        "approve <request> plan:<hash> [confirms:…] [reason:…]",
        "Agree to exactly that plan; also to an exception or a freeze.",
        "approve op_1a2b3c4d5e plan:3f2a91cc",
        read.approve,
        behind_a_button=True,
    ),
    Command(
        ("reject",),
        "reject <request> reason:…",
        "Say no, for a reason that all can read.",
        "reject op_1a2b3c4d5e reason:wait for the fix",
        read.reject,
        behind_a_button=True,
    ),
    Command(
        ("withdraw",),
        "withdraw <request>",
        "Take your vote back.",
        "withdraw op_1a2b3c4d5e",
        read.withdraw,
        behind_a_button=True,
    ),
    _steering("cancel", "Drop a request that has not begun."),
    _steering("abort", "Stop a rollout and take its traffic back."),
    _steering(
        "leave",
        "End a rollout and leave its traffic as it stands.",
        " reason:…",
        " reason:the next release mends it",
    ),
    _steering("pause", "Hold a rollout where it is."),
    _steering(
        "continue",
        "Answer what is asked about a rollout, on your word: it goes on.",
        " [question:<number>] reason:…",
        " question:1 reason:it is a quiet day",
    ),
    _steering("resume", "Let a held rollout go on, or have a blocked request looked at again."),
)

FIRST_WORDS = tuple(dict.fromkeys(command.verb[0] for command in CATALOGUE))


def find(words: str) -> tuple[Command, Said]:
    """The command these words begin with, and the rest of them. No words at all ask for help."""
    said = take_apart(words)
    if not said.words:
        said = Said(("help",), said.keys)
    first = said.words[0].lower()
    candidates = [command for command in CATALOGUE if command.verb[0] == first]
    if not candidates:
        raise Misunderstood(f"I do not know `{said.words[0][:40]}`. {nearest(said.words[0], FIRST_WORDS)}")
    for command in candidates:
        size = len(command.verb)
        if tuple(word.lower() for word in said.words[:size]) == command.verb:
            return command, Said(said.words[size:], said.keys)
    rest = {word.lower() for word in said.words}
    like = next((command for command in candidates if command.verb[1] in rest), candidates[0])
    seconds = known((command.verb[1] for command in candidates), "or")
    raise Misunderstood(f"`{first}` goes on with {seconds}, like `{like.example}`.")


def understand(words: str, setting: Setting) -> Intent:
    """What is wanted; `Misunderstood`, with the nearest known words, where that cannot be told."""
    command, rest = find(words)
    return command.read(rest, setting)
