"""The tables of policy/README.md, as the schema has them. `python -m tests.policy.reference` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from policy.document import Policy
from policy.gates import GATES, Gate
from policy.part import Part


def reference() -> str:
    """A heading and a table of keys for each part of the file, in the order in which they are met."""
    return "\n\n".join(
        f"### {place or 'The file'}\n\n{first_line(part)}\n\n{table(part)}".rstrip()
        for part, place in parts(Policy, "", {}).items()
    )


def parts(part: type[Part], place: str, seen: dict[type[Part], str]) -> dict[type[Part], str]:
    """Each part and where in the file it is met first: `paths[].rollout.steps[]`."""
    if part not in seen:
        seen[part] = heading(part, place)
        for name, field in part.model_fields.items():
            for inner, suffix in inside(field.annotation):
                if issubclass(inner, Gate) and Gate not in seen:
                    parts(Gate, "gates.NAME", seen)
                parts(inner, f"{place}.{field.alias or name}{suffix}".removeprefix("."), seen)
    return seen


def heading(part: type[Part], place: str) -> str:
    kind = f" (`kind: {kind_of(part)}`)" if issubclass(part, Gate) and part is not Gate else ""
    return f"`{place}`{kind}" if place else ""


def kind_of(gate: type[Gate]) -> str:
    return str(get_args(gate.model_fields["kind"].annotation)[0])


def inside(annotation: Any) -> Iterator[tuple[type[Part], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation, ""
    around = {dict: ".NAME", tuple: "[]"}.get(get_origin(annotation), "")
    for argument in get_args(annotation):
        for part, suffix in inside(argument):
            yield part, around + suffix


def own(part: type[Part]) -> dict[str, FieldInfo]:
    """Its keys; of a kind of gate those that not every gate has, or has otherwise, its very own ones first."""
    if not issubclass(part, Gate) or part is Gate:
        return dict(part.model_fields)
    common = Gate.model_fields
    beyond = {
        name: field
        for name, field in part.model_fields.items()
        if name != "kind" and (name not in common or field.default != common[name].default)
    }
    return dict(
        sorted(
            beyond.items(),
            key=lambda each: any(each[0] in base.model_fields for base in part.__mro__[1:] if issubclass(base, Part)),
        )
    )


def first_line(part: type[Part]) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]


def table(part: type[Part]) -> str:
    rows = [f"| `{field.alias or name}` | {default(field)} | {says(part, name)} |" for name, field in own(part).items()]
    if part is Gate:
        rows.insert(0, f"| `kind` | must be given | One of {', '.join(f'`{kind}`' for kind in GATES)} |")
    return "\n".join(["| key | default | |", "|---|---|---|", *rows]) if rows else "No keys of its own."


def says(part: type[Part], name: str) -> str:
    """What the field says of itself, or said where it came from; and its choices."""
    bases = (base for base in part.__mro__ if issubclass(base, Part) and name in base.model_fields)
    described = next((said for base in bases if (said := base.model_fields[name].description)), "")
    words = ", ".join(f"`{choice}`" for choice in choices(part.model_fields[name].annotation))
    return (f"{described} ({words})" if words else described).replace("|", "\\|")


def choices(annotation: Any) -> list[str]:
    """The words that may stand there, where only some may."""
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [str(choice) for choice in annotation]
    if get_origin(annotation) is tuple:
        return choices(get_args(annotation)[0])
    return []


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    return "empty" if field.default == "" else f"`{spelled(field.default)}`"


def spelled(value: Any) -> str:
    """A default as it would be written in the file."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case timedelta():
            return iso(value)
        case BaseModel():
            fields = type(value).model_fields
            told = [(name, getattr(value, name)) for name in fields if getattr(value, name) != fields[name].default]
            return "{" + ", ".join(f"{fields[name].alias or name}: {spelled(each)}" for name, each in told) + "}"
        case tuple() | list():
            return "[" + ", ".join(spelled(each) for each in value) + "]"
        case float():
            return f"{value:g}"
    return str(value)


def iso(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("H", 3600), ("M", 60), ("S", 1)):
        if seconds % size == 0:
            return f"PT{seconds // size}{unit}"
    raise AssertionError(span)


if __name__ == "__main__":
    print(reference())
