"""How do a question and its facts stand in a file? As canonical JSON, and back again, exactly.

What is not known is `{"unknown": "why"}`, what is not there is null, sets are sorted, instants are UTC. Reading is
strict: a key that is not known, a missing one and a value of another kind are named with their place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from policy.facts import Facts, Question
from policy.model import Unknown

VERSION = 1
INTEGER_MAX = 2**53 - 1  # beyond it JSON readers disagree, https://www.rfc-editor.org/rfc/rfc8785#appendix-D

Where = tuple[str | int, ...]


class Misfit(ValueError):
    """It does not fit; nothing was read."""

    def __init__(self, where: Where, says: str) -> None:
        super().__init__(f"{spelled(where) or 'the whole'}: {says}")
        self.where = where
        self.says = says


def spelled(where: Where) -> str:
    """`facts.votes[1].at`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")


def to_json(question: Question, facts: Facts) -> str:
    """The one way of writing these down; whatever is equal is written the same."""
    whole = {"v": VERSION, "question": plain(Question, question), "facts": plain(Facts, facts)}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # Half a character has no bytes of its own; escaped it survives.
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def from_json(text: str) -> tuple[Question, Facts]:
    """What `to_json` was given; what has a default may be left out. Raises `Misfit`."""
    try:
        whole = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, Misfit) else Misfit((), f"this is not JSON: {error}") from error
    if not isinstance(whole, dict) or set(whole) != {"v", "question", "facts"}:
        raise Misfit((), 'write {"v": 1, "question": {…}, "facts": {…}}')
    if whole["v"] != VERSION or isinstance(whole["v"], bool):
        raise Misfit(("v",), f"write {VERSION}; nothing else is known")
    question: Question = read(Question, whole["question"], ("question",))
    facts: Facts = read(Facts, whole["facts"], ("facts",))
    return question, facts


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise Misfit((), f"{twice!r} stands twice; only one can be meant")
    return found


def _no_number(name: str) -> object:
    raise Misfit((), f"{name} is no JSON")


# What a type is made of ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A dataclass."""

    of: type[Any]
    parts: Mapping[str, Shape]
    needed: frozenset[str]
    """Fields without a default."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A mapping; its keys are words."""

    value: Shape


@dataclass(frozen=True, slots=True)
class Listed:
    """A tuple of any length, or a frozenset."""

    item: Shape
    of: type[Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A word, a number, an instant; `of` may be a `NewType`, so that readers can tell a digest from a name."""

    of: Any


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several, or `Unknown`, or None."""

    options: tuple[Shape, ...]
    unknown: bool
    none: bool


Shape = Record | Keyed | Listed | Leaf | OneOf


@cache
def shape(of: Any) -> Shape:  # noqa: ANN401 (annotations have any shape)
    """What values of that type are made of; TypeError for a type that no file can hold."""
    origin, arguments = get_origin(of), get_args(of)
    if origin in {Union, UnionType}:
        options = tuple(shape(option) for option in arguments if option not in {Unknown, NoneType})
        return OneOf(options, Unknown in arguments, NoneType in arguments)
    if origin is not None and issubclass(origin, Mapping):
        return Keyed(shape(arguments[1]))
    if origin in {tuple, frozenset}:
        return Listed(shape(arguments[0]), origin)
    if isinstance(of, type) and is_dataclass(of):
        hints = get_type_hints(of)
        needed = frozenset(
            each.name for each in fields(of) if each.default is MISSING and each.default_factory is MISSING
        )
        return Record(of, {each.name: shape(hints[each.name]) for each in fields(of)}, needed)
    if isinstance(of, NewType) or of in {str, int, float, bool, datetime} or issubclass(of, Enum):
        return Leaf(of)
    message = f"{of} cannot stand in a file"
    raise TypeError(message)


def tag(of: type[Any]) -> str:
    """What tells one record from another where both may stand: `freeze`, `exception`."""
    return of.__name__.removesuffix("Record").lower()


# Writing ------------------------------------------------------------------------------------------------------------

Writer = Callable[[Any], Any]


def plain(of: Any, value: Any) -> Any:  # noqa: ANN401 (any value of that type)
    """The value as dictionaries, lists, words and numbers."""
    return _writer(of)(value)


@cache
def _writer(of: Any) -> Writer:  # noqa: ANN401 (annotations have any shape)
    return _writes(shape(of))


def _writes(its: Shape) -> Writer:
    match its:
        case Record(parts=parts):
            writers = [(name, _writes(part)) for name, part in parts.items()]
            return lambda value: {name: write(getattr(value, name)) for name, write in writers}
        case Keyed(value=part):
            write = _writes(part)
            return lambda value: {str(key): write(item) for key, item in value.items()}
        case Listed(item=part, of=of):
            write = _writes(part)
            if of is frozenset:
                return lambda value: sorted(write(item) for item in value)
            return lambda value: [write(item) for item in value]
        case OneOf():
            return _writes_one(its)
        case Leaf(of=of):
            if of is datetime:
                return _utc
            if of is float:
                return _number
            return (lambda value: value.value) if isinstance(of, type) and issubclass(of, Enum) else lambda value: value


def _writes_one(its: OneOf) -> Writer:
    if len(its.options) == 1:
        write = _writes(its.options[0])
    else:
        tagged = {option.of: _writes(option) for option in its.options if isinstance(option, Record)}

        def write(value: Any) -> Any:  # noqa: ANN401 (one of the records)
            return {tag(type(value)): tagged[type(value)](value)}

    def written(value: Any) -> Any:  # noqa: ANN401 (one of them)
        if value is None:
            return None
        return {"unknown": value.why} if isinstance(value, Unknown) else write(value)

    return written


def _utc(at: datetime) -> str:
    if at.tzinfo is None:
        message = f"{at} has no zone"
        raise ValueError(message)
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: float) -> int | float | str:
    """Whole where it is, so that 90 and 90.0 are written the same; JSON has no word for what is not finite."""
    if value in {float("inf"), float("-inf")} or value != value:  # noqa: PLR0124 (only what is no number differs from itself)
        return str(value)
    return int(value) if value == int(value) and abs(value) <= INTEGER_MAX else value


# Reading ------------------------------------------------------------------------------------------------------------


def read(of: Any, value: Any, where: Where = ()) -> Any:  # noqa: ANN401 (of any type, from anything)
    """The value of that type that was written so. Raises `Misfit`."""
    return _read(shape(of), value, where)


def _read(its: Shape, value: Any, where: Where) -> Any:  # noqa: ANN401 (as `read`)
    match its:
        case Record(of=of, parts=parts, needed=needed):
            given = mapping(value, where)
            for key in given:
                if key not in parts:
                    raise Misfit((*where, key), f"is not known here; known are {', '.join(parts)}")
            for key in sorted(needed - given.keys()):
                raise Misfit((*where, key), "is missing")
            return of(**{key: _read(parts[key], item, (*where, key)) for key, item in given.items()})
        case Keyed(value=part):
            return {key: _read(part, item, (*where, key)) for key, item in mapping(value, where).items()}
        case Listed(item=part, of=of):
            if not isinstance(value, list):
                raise Misfit(where, "write a list")
            return of(_read(part, item, (*where, index)) for index, item in enumerate(value))
        case OneOf():
            return _read_one(its, value, where)
        case Leaf(of=of):
            return leaf(of, value, where)


def _read_one(its: OneOf, value: Any, where: Where) -> Any:  # noqa: ANN401 (as `read`)
    if value is None and its.none:
        return None
    if its.unknown and is_unknown(value):
        return Unknown(value["unknown"])
    if len(its.options) == 1:
        return _read(its.options[0], value, where)
    tagged = {tag(option.of): option for option in its.options if isinstance(option, Record)}
    given = mapping(value, where)
    if len(given) != 1 or not given.keys() <= tagged.keys():
        raise Misfit(where, f"write one of {', '.join(tagged)} and what it says")
    name = next(iter(given))
    return _read(tagged[name], given[name], (*where, name))


def is_unknown(value: object) -> bool:
    return isinstance(value, Mapping) and list(value) == ["unknown"] and isinstance(value["unknown"], str)


def mapping(value: object, where: Where) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Misfit(where, "write keys and values")
    return value


def leaf(of: Any, value: Any, where: Where) -> Any:  # noqa: ANN401 (as `read`)
    """A word, number or instant."""
    if of is datetime:
        return _instant(value, where)
    if isinstance(of, type) and issubclass(of, Enum):
        try:
            return of(value)
        except ValueError as error:
            choices = ", ".join(str(choice.value) for choice in of)
            raise Misfit(where, f"write one of {choices}, not {value!r}") from error
    if of is float and isinstance(value, str) and value in {"inf", "-inf", "nan"}:
        return float(value)
    if of is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    kind, write = _KINDS.get(of, (str, "a word"))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Misfit(where, f"write {write}, not {value!r}")
    return value


_KINDS: Mapping[Any, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
}


def _instant(value: object, where: Where) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Misfit(where, f"write an instant like 2026-11-24T09:00:00Z, not {value!r}")
    return at.astimezone(UTC)
