"""What is meant by these words? One small reader for each command: an intent, or why there is none."""

from __future__ import annotations

from commands.errors import Misunderstood
from commands.grammar import ARROW, Said, instant
from commands.intent import (
    Approve,
    EndFreeze,
    Help,
    ListFreezes,
    Log,
    Promote,
    Reject,
    Rollback,
    StartFreeze,
    Status,
    Steer,
    Why,
    Withdraw,
)
from commands.resolve import Setting

LOG_MAX = 100
_SHOWN_LENGTH = 8


def promote(said: Said, setting: Setting) -> Promote:
    said.only("reason")
    arrow = next((n for n, word in enumerate(said.words) if word == ARROW), None)
    if arrow is None:
        arrow = next((n for n, word in enumerate(said.words) if n > 0 and word.lower() == "to"), None)
    if arrow is None or arrow == 0 or arrow + 1 >= len(said.words):
        raise Misunderstood("Say from where to where: `promote checkout stage→prod`.")
    before, after = said.words[: arrow - 1], said.words[arrow + 2 :]
    if len(before) > 1 or len(after) > 1:
        raise Misunderstood(f"I cannot place `{(before[1:] or after[1:])[0]}`; say `promote checkout stage→prod`.")
    return Promote(
        service=setting.service(before[0] if before else None),
        source=setting.environment(said.words[arrow - 1]),
        target=setting.environment(said.words[arrow + 1]),
        version=after[0] if after else "",
        reason=said.keys.get("reason", ""),
    )


def rollback(said: Said, setting: Setting) -> Rollback:
    said.only("reason", "incident")
    words = list(said.words)
    to = ""
    if "to" in words:
        at = words.index("to")
        if at + 2 != len(words):
            raise Misunderstood("Say what to go back to, and nothing after it: `rollback checkout prod to 3f2a91cc`.")
        to = words[at + 1]
        words = words[:at]
    service = words.pop(0) if words and (setting.is_service(words[0]) or len(words) > 1) else None
    environment = words.pop(0) if words else None
    if words:
        raise Misunderstood(f"I cannot place `{words[0]}`; say `rollback checkout prod`.")
    if environment is not None and service is None and setting.policy.environment_called(environment) is None:
        service, environment = environment, None
    return Rollback(
        service=setting.service(service),
        target=setting.environment(environment) if environment else setting.production(),
        to=to,
        reason=said.keys.get("reason", ""),
        incident=said.keys.get("incident", ""),
    )


def start_freeze(said: Said, setting: Setting) -> StartFreeze:
    said.only("from", "until", "reason", "exit")
    if not said.words or len(said.words) > 2:
        raise Misunderstood("Say what to freeze: `freeze start prod until:18:00 reason:…`.")
    service = setting.service(said.words[0]) if len(said.words) > 1 else None
    environment = setting.environment(said.words[-1])
    for key, example in (("until", "until:18:00"), ("reason", "reason:black friday")):
        if not said.keys.get(key):
            raise Misunderstood(f"A freeze needs `{key}:`, for example `{example}`.")
    zone = setting.policy.zone()
    starts_at = instant(said.keys["from"], setting.now, zone) if "from" in said.keys else None
    ends_at = instant(said.keys["until"], setting.now, zone)
    if ends_at <= (starts_at or setting.now):
        raise Misunderstood("That freeze would end before it starts.")
    return StartFreeze(environment, service, starts_at, ends_at, said.keys["reason"], said.keys.get("exit", ""))


def end_freeze(said: Said, _setting: Setting) -> EndFreeze:
    said.only("reason")
    if len(said.words) > 1:
        raise Misunderstood("Name one freeze or hold: `freeze end F-1a2b3c`.")
    return EndFreeze(said.words[0] if said.words else "", said.keys.get("reason", ""))


def list_freezes(said: Said, _setting: Setting) -> ListFreezes:
    said.only()
    return ListFreezes()


def _operation(said: Said, word: str) -> str:
    if len(said.words) != 1:
        raise Misunderstood(f"Say which request: `{word} op_1a2b3c4d5e`; the buttons in its thread do that for you.")
    return said.words[0]


def approve(said: Said, _setting: Setting) -> Approve:
    said.only("plan")
    operation = _operation(said, "approve")
    if len(said.keys.get("plan", "")) < _SHOWN_LENGTH:
        raise Misunderstood("An approval names the plan that you looked at: `approve op_1a2b3c4d5e plan:3f2a91cc`.")
    return Approve(operation, said.keys["plan"])


def reject(said: Said, _setting: Setting) -> Reject:
    said.only("plan", "reason")
    operation = _operation(said, "reject")
    if not said.keys.get("reason"):
        raise Misunderstood("Say why: `reject op_1a2b3c4d5e reason:…`.")
    return Reject(operation, said.keys.get("plan", ""), said.keys["reason"])


def withdraw(said: Said, _setting: Setting) -> Withdraw:
    said.only()
    return Withdraw(_operation(said, "withdraw"))


def steer(word: str, said: Said) -> Steer:
    said.only("reason")
    return Steer(_operation(said, word), word, said.keys.get("reason", ""))


def status(said: Said, setting: Setting) -> Status:
    said.only()
    if len(said.words) > 1:
        raise Misunderstood("Name one service: `status checkout`.")
    return Status(setting.service(said.words[0]) if said.words else None)


def why(said: Said, setting: Setting) -> Why:
    if len(said.words) == 1 and said.words[0].startswith("op_"):
        said.only()
        return Why(operation=said.words[0])
    return Why(promote=promote(said, setting))


def log(said: Said, setting: Setting) -> Log:
    said.only("last")
    if len(said.words) > 1:
        raise Misunderstood("Name one service: `log checkout`.")
    last = said.keys.get("last", "20")
    if not (last.isascii() and last.isdigit() and 1 <= int(last) <= LOG_MAX):
        raise Misunderstood(f"`last:` takes a number from 1 to {LOG_MAX}.")
    return Log(setting.service(said.words[0] if said.words else None), int(last))


def ask_for_help(said: Said, _setting: Setting) -> Help:
    return Help(said.words[0].lower() if said.words else "")
