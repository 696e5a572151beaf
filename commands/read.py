"""What is meant by these words? One small reader for each command: an intent, or why there is none."""

from __future__ import annotations

import re

from commands import fields
from commands.errors import Misunderstood
from commands.grammar import ARROW, ONLY_PLAN, Said
from commands.intent import (
    Approve,
    DryRun,
    EndFreeze,
    Help,
    ListExceptions,
    ListFreezes,
    Log,
    PortFix,
    Promote,
    PromoteSeveral,
    Reject,
    RequestException,
    RevokeException,
    Rollback,
    RollbackSeveral,
    Settle,
    StartFreeze,
    StartHotfix,
    Status,
    Steer,
    Switched,
    Why,
    Withdraw,
)
from commands.resolve import Setting
from policy.facts import DESPITE

LOG_MAX = 100
_MANIFEST = frozenset({"--manifest", "—manifest", "–manifest"})  # keyboards make a dash of two
PORTING = ("to", "ticket", "reason", "mainline")
_FIX = re.compile(r"#[1-9][0-9]{0,9}|[0-9a-f]{40}")
_OF_ITS_OWN = frozenset({"reason", "type", "confirms"})
"""Keys of a promotion that are not for its record."""
_SHOWN_LENGTH = 8


def promote(said: Said, setting: Setting) -> Promote | PromoteSeveral | DryRun:
    asked = _promotion(said.without(ONLY_PLAN), setting)
    return DryRun(asked) if ONLY_PLAN in said.words else asked


def _promotion(said: Said, setting: Setting) -> Promote | PromoteSeveral:
    arrow = next((n for n, word in enumerate(said.words) if word == ARROW), None)
    if arrow is None:
        arrow = next((n for n, word in enumerate(said.words) if n > 0 and word.lower() == "to"), None)
    if arrow is None or arrow == 0 or arrow + 1 >= len(said.words):
        raise Misunderstood("Say from where to where: `promote checkout stage→prod`.")
    before, after = said.words[: arrow - 1], said.words[arrow + 2 :]
    several = setting.several(before) if before else None
    if several is not None:
        return _set(several[0], (*several[1], *after), said, setting, arrow)
    if len(before) > 1 or len(after) > 1:
        raise Misunderstood(f"I cannot place `{(before[1:] or after[1:])[0]}`; say `promote checkout stage→prod`.")
    service = setting.service(before[0] if before else None)
    source, target = setting.environment(said.words[arrow - 1]), setting.environment(said.words[arrow + 1])
    said.only(*fields.of_promotion(setting.policy, service, source, target))
    return Promote(
        service=service,
        source=source,
        target=target,
        version=after[0] if after else "",
        reason=said.keys.get("reason", ""),
        change=setting.change(said.keys.get("type", "")),
        fields={key: value for key, value in said.keys.items() if key not in _OF_ITS_OWN and value},
        confirms=_names(said.keys.get("confirms", "")),
    )


def _set(services: tuple[str, ...], rest: tuple[str, ...], said: Said, setting: Setting, arrow: int) -> PromoteSeveral:
    if len(rest) > 1 or (rest and not rest[0].upper().startswith("M-")):
        why = "A set goes as it is, so no version of one of its services can be named"
        raise Misunderstood(f"{why}: say only which set it must be, like `M-1a2b3c4d5e`, or nothing.")
    source, target = setting.environment(said.words[arrow - 1]), setting.environment(said.words[arrow + 1])
    keys = (key for each in services for key in fields.of_promotion(setting.policy, each, source, target))
    said.only(*dict.fromkeys((*keys, fields.PLANNED)))
    return PromoteSeveral(
        services=services,
        source=source,
        target=target,
        manifest="".join(rest),
        reason=said.keys.get("reason", ""),
        change=setting.change(said.keys.get("type", "")),
        fields={key: value for key, value in said.keys.items() if key not in _OF_ITS_OWN and value},
        confirms=_names(said.keys.get("confirms", "")),
    )


def _names(text: str) -> frozenset[str]:
    """`a,b` and `a b` alike."""
    return frozenset(text.replace(",", " ").split())


def rollback(said: Said, setting: Setting) -> Rollback | RollbackSeveral | Switched:
    said.only(*fields.of_rollback(setting.policy))
    spoken = tuple("to" if word in _MANIFEST else word for word in said.words)
    manifest = spoken[-1] if spoken[-2:-1] == ("to",) and spoken[-1].upper().startswith("M-") else ""
    several = setting.several(spoken[:-2] if manifest else spoken)
    if several is not None or manifest:
        return _several(*(several or ((), spoken[:-2])), said, setting, manifest)
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
    target = setting.environment(environment) if environment else setting.production()
    if "flag" in said.keys or "config" in said.keys:
        if to or "despite" in said.keys:
            raise Misunderstood("Say either what was switched, or what to go back to; nothing goes back with a flag.")
        return _switched(said, setting, setting.service(service), target)
    if {"by", "link"} & said.keys.keys() - set(fields.kept_of_rollback(setting.policy)):
        raise Misunderstood(
            "`by:` and `link:` say who switched a flag, and where: `rollback checkout flag:new-cart=off`."
        )
    return Rollback(
        service=setting.service(service),
        target=target,
        to=to,
        reason=said.keys.get("reason", ""),
        incident=said.keys.get("incident", ""),
        despite=_despite(said.keys.get("despite", "")),
        leaves=_names(said.keys.get("leaves", "")),
        fields={key: said.keys[key] for key in fields.kept_of_rollback(setting.policy) if key in said.keys},
    )


def _several(
    services: tuple[str, ...], rest: tuple[str, ...], said: Said, setting: Setting, manifest: str
) -> RollbackSeveral:
    if len(rest) > 1 and manifest:
        raise Misunderstood(f"A set goes back as a whole: `rollback prod to {manifest[:40]}`.")
    if len(rest) > 1:
        raise Misunderstood(f"I cannot place `{rest[1]}`; several services each go to their last verified good one.")
    if {"flag", "config", "by", "link"} & said.keys.keys() - set(fields.kept_of_rollback(setting.policy)):
        raise Misunderstood("Record what was switched for one service after the other.")
    return RollbackSeveral(
        services=services,
        target=setting.environment(rest[0]) if rest else setting.production(),
        to=manifest,
        reason=said.keys.get("reason", ""),
        incident=said.keys.get("incident", ""),
        despite=_despite(said.keys.get("despite", "")),
        leaves=_names(said.keys.get("leaves", "")),
        fields={key: said.keys[key] for key in fields.kept_of_rollback(setting.policy) if key in said.keys},
    )


def _switched(said: Said, setting: Setting, service: str, target: str) -> Switched:
    what = "flag" if "flag" in said.keys else "config"
    if "flag" in said.keys and "config" in said.keys:
        raise Misunderstood("Record one thing after the other: a `flag:` or a `config:`.")
    name, equals, value = said.keys[what].partition("=")
    if what == "flag" and not (name and value and " " not in said.keys[what]):
        raise Misunderstood("Say which flag is how now: `rollback checkout flag:new-cart=off`.")
    if what == "config" and (equals or not name or " " in name):
        raise Misunderstood("Say only what was changed, not to what: `rollback checkout config:CART_TIMEOUT`.")
    return Switched(
        service=service,
        target=target,
        what=what,
        name=name,
        value=value,
        by=said.keys.get("by", ""),
        link=said.keys.get("link", ""),
        reason=said.keys.get("reason", ""),
        incident=said.keys.get("incident", ""),
        fields={key: said.keys[key] for key in fields.kept_of_rollback(setting.policy) if key in said.keys},
    )


def _despite(text: str) -> frozenset[str]:
    found = _names(text.casefold())
    for word in found - {DESPITE}:
        raise Misunderstood(f"`despite:` knows only `{DESPITE}`, not `{word[:40]}`.")
    return found


def start_freeze(said: Said, setting: Setting) -> StartFreeze:
    said.only(*fields.of_freeze(setting.policy))
    service, environment = _where(said, setting, "Say what to freeze: `freeze start prod until:18:00 reason:…`.")
    return StartFreeze(environment, service, said.keys)


def _where(said: Said, setting: Setting, otherwise: str) -> tuple[str | None, str]:
    """The service, if one was named, and the environment."""
    if not said.words or len(said.words) > 2:
        raise Misunderstood(otherwise)
    service = setting.service(said.words[0]) if len(said.words) > 1 else None
    return service, setting.environment(said.words[-1])


def end_freeze(said: Said, _setting: Setting) -> EndFreeze:
    said.only("reason")
    if len(said.words) > 1:
        raise Misunderstood("Name one freeze or hold: `freeze end F-1a2b3c`.")
    return EndFreeze(said.words[0] if said.words else "", said.keys.get("reason", ""))


def list_freezes(said: Said, _setting: Setting) -> ListFreezes:
    said.only()
    return ListFreezes()


def request_exception(said: Said, setting: Setting) -> RequestException:
    kinds = setting.policy.exceptions.values()
    if "relax" in said.keys and not any(kind.relaxes for kind in kinds):
        raise Misunderstood("No kind of exception here relaxes anything: the policy would have to name one.")
    if {"relax", "waive"} <= said.keys.keys():
        raise Misunderstood(
            "One exception waives rules or relaxes a branch, never both: ask for one with `waive:`, and for another"
            " with `relax:`."
        )
    said.only(*fields.of_exception(setting.policy))
    otherwise = "Say where: `exception request checkout prod waive:soak until:18:00 reason:…`."
    service, environment = _where(said, setting, otherwise)
    return RequestException(environment, service, said.keys)


def list_exceptions(said: Said, _setting: Setting) -> ListExceptions:
    said.only()
    return ListExceptions()


def revoke_exception(said: Said, _setting: Setting) -> RevokeException:
    said.only("reason")
    if len(said.words) != 1:
        raise Misunderstood("Name one exception: `exception revoke X-1a2b3c reason:…`.")
    if not said.keys.get("reason"):
        raise Misunderstood("Say why: `exception revoke X-1a2b3c reason:…`.")
    return RevokeException(said.words[0], said.keys["reason"])


def settle(said: Said, _setting: Setting) -> Settle:
    said.only("note")
    if len(said.words) != 1:
        raise Misunderstood("Name one thing that is owed: `exception settle O-1a2b3c note:…`.")
    if not said.keys.get("note"):
        raise Misunderstood("Say what was done: `exception settle O-1a2b3c note:…`.")
    return Settle(said.words[0], said.keys["note"])


def start_hotfix(said: Said, setting: Setting) -> StartHotfix:
    said.only(*fields.of_hotfix(setting.policy))
    if len(said.words) > 1:
        raise Misunderstood("Name one service: `hotfix start checkout ticket:ABC-9 reason:…`.")
    service = setting.service(said.words[0] if said.words else None)
    return StartHotfix(service, setting.production(), said.keys)


def port_fix(said: Said, setting: Setting) -> PortFix:
    said.only(*PORTING)
    what = said.words[-1].lower() if said.words else ""
    if len(said.words) > 2 or not _FIX.fullmatch(what):
        says = _no_fix(said.words, setting)
        raise Misunderstood(f"{says}: `hotfix port checkout #120 to:release/1.8 ticket:… reason:…`.")
    service = setting.service(said.words[0] if len(said.words) > 1 else None)
    mainline = said.keys.get("mainline", "")
    if mainline not in {"", "1", "2"}:
        raise Misunderstood("`mainline:` is 1 or 2: the parent of the merge from which its change is counted.")
    to = tuple(dict.fromkeys(said.keys.get("to", "").replace(",", " ").split()))
    return PortFix(service, setting.production(), what, to, int(mainline or 0), said.keys)


def _no_fix(words: tuple[str, ...], setting: Setting) -> str:
    """What is wrong with these words, that should be a service, or none, and a fix."""
    fixes = [word for word in words if _FIX.fullmatch(word.lower())]
    strange = [word for word in words if word not in fixes and not setting.is_service(word)]
    if not fixes and strange:
        return f"`{strange[-1][:48]}` is neither a pull request like `#120` nor a whole commit"
    if not fixes:
        return "Say what to bring elsewhere, a pull request or a whole commit"
    if strange:
        return f"I cannot place `{strange[0][:48]}`; branches stand behind `to:`"
    return "Bring one after the other" if len(fixes) > 1 else "Name one service, and after it what to bring"


def _operation(said: Said, word: str) -> str:
    if len(said.words) != 1:
        raise Misunderstood(f"Say which request: `{word} op_1a2b3c4d5e`; the buttons in its thread do that for you.")
    return said.words[0]


def approve(said: Said, _setting: Setting) -> Approve:
    said.only("plan", "confirms", "reason")
    operation = _operation(said, "approve")
    if len(said.keys.get("plan", "")) < _SHOWN_LENGTH:
        raise Misunderstood("An approval names the plan that you looked at: `approve op_1a2b3c4d5e plan:3f2a91cc`.")
    return Approve(operation, said.keys["plan"], _names(said.keys.get("confirms", "")), said.keys.get("reason", ""))


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
    said.only("reason", *(["question"] if word == "continue" else []))
    reason = said.keys.get("reason", "")
    if word == "continue" and not reason.strip():
        raise Misunderstood("Say why it may go on: `continue op_1a2b3c4d5e reason:it is a quiet day`.")
    if word == "leave" and not reason.strip():
        raise Misunderstood(
            "Say why its traffic stays as it is: `leave op_1a2b3c4d5e reason:the next release mends it`."
        )
    return Steer(_operation(said, word), word, reason, said.keys.get("question", ""))


def status(said: Said, setting: Setting) -> Status:
    said.only()
    if len(said.words) > 1:
        raise Misunderstood("Name one service: `status checkout`.")
    return Status(setting.service(said.words[0]) if said.words else None)


def why(said: Said, setting: Setting) -> Why:
    if len(said.words) == 1 and said.words[0].startswith("op_"):
        said.only()
        return Why(operation=said.words[0])
    return Why(promote=_promotion(said, setting))


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
