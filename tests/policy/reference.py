"""The tables of policy/README.md, as the schema has them. `python -m tests.policy.reference` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from policy.document import Policy
from policy.part import Part


def reference() -> str:
    """A heading and a table of keys for each part of the file, in the order in which they are met."""
    return "\n\n".join(
        f"### {place or 'The file'}\n\n{first_line(part)}\n\n{table(part)}"
        for part, place in parts(Policy, "", {}).items()
    )


def parts(part: type[Part], place: str, seen: dict[type[Part], str]) -> dict[type[Part], str]:
    """Each part and where in the file it is met first: `paths[].rollout.steps[]`."""
    if part not in seen:
        seen[part] = f"`{place}`" if place else ""
        for name, field in part.model_fields.items():
            for inner, suffix in inside(field.annotation):
                parts(inner, f"{place}.{field.alias or name}{suffix}".removeprefix("."), seen)
    return seen


def inside(annotation: Any) -> Iterator[tuple[type[Part], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation, ""
    around = {dict: ".NAME", tuple: "[]"}.get(get_origin(annotation), "")
    for argument in get_args(annotation):
        for part, suffix in inside(argument):
            yield part, around + suffix


def first_line(part: type[Part]) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]


def table(part: type[Part]) -> str:
    rows = [
        f"| `{field.alias or name}` | {default(field)} | {says(field)} |" for name, field in part.model_fields.items()
    ]
    return "\n".join(["| key | default | |", "|---|---|---|", *rows])


def says(field: FieldInfo) -> str:
    return str(field.description or "").replace("|", "\\|")


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
