"""What is wrong with a document, and what would be right? Its mistakes as the schema sees them, each with its line."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bot.strict_yaml import Complaint, Document, Stop, Where

Model = TypeVar("Model", bound=BaseModel)


def judged(
    data: bytes, model: type[Model], what: str, context: Mapping[str, Any] | None = None
) -> tuple[Model | None, list[Complaint], Document | None]:
    """What these bytes say, by that schema, with the document; or every mistake in them by line.

    `what`: how one would begin such a file, said where there is nothing in it. `context`: for the schema's validators.
    """
    try:
        document = Document(data)
    except Stop as stop:
        return None, [stop.complaint], None
    if document.complaints:
        return None, sorted(document.complaints, key=lambda complaint: complaint.line), document
    if document.value is None:
        return None, [Complaint(1, f"the file is empty; begin with {what}")], document
    try:
        # JSON, because there strictness is about types alone: a list is a tuple, a word may name a choice.
        return model.model_validate_json(json.dumps(document.value), strict=True, context=context), [], document
    except ValidationError as error:
        errors = error.errors()
        wrong = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}
        # A list whose items are all wrong is reported as too short as well.
        real = [details for details in errors if details["type"] != "too_short" or details["loc"] not in wrong]
        found = {complaint for details in real for complaint in _complaints(details, document, model)}
        return None, sorted(found, key=lambda complaint: (complaint.line, complaint.says)), document


def _complaints(error: ErrorDetails, document: Document, model: type[BaseModel]) -> Iterator[Complaint]:
    context = error.get("ctx", {})
    if error["type"] == "does_not_fit":
        for place, says in context["complaints"]:
            yield Complaint(document.line(tuple(place)), says)
        return
    where, known = _placed(error["loc"], model)
    match error["type"]:
        case "missing":
            says = "is missing"
        case "extra_forbidden":
            says = f"is not known here{_nearest(str(where[-1]), known)}"
        case "value_error":
            says = f": {context['error']}"
        case "misplaced":
            where, says = (*where, context["key"]), f": {context['says']}"
        case "union_tag_not_found":
            where, says = (*where, _named(context)), f"is missing; write one of {', '.join(known)}"
        case "union_tag_invalid":
            where, says = (*where, _named(context)), f": no {_named(context)} {context['tag']!r}"
            says += _nearest(context["tag"], known)
        case _:
            says = f": {_right(error, context, known)}"
    name = _spelled(where, document.value) or "the file"
    yield Complaint(document.line(where), f"{name}{'' if says.startswith(':') else ' '}{says}")


def _named(context: Mapping[str, Any]) -> str:
    """The key that tells the alternatives apart: `kind`."""
    return str(context["discriminator"]).strip("'")


_WRITE = {
    "string_type": "write a word or text, in quotes where it looks like a number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "bool_type": "write true or false",
    "tuple_type": "write a list, like [one, two]",
    "too_short": "write at least one",
    "finite_number": "write a number",
}

_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$": "write a name of letters, digits, dot, dash and underline, at most 63",
    r"^[a-z][a-z-]{0,30}$": "write a word of small letters and dashes, at most 31",
    r"^[UW][A-Z0-9]+$": "write the Slack user id, which looks like U024BE7LH (profile, More, Copy member ID)",
    r"^[TE][A-Z0-9]+$": "write a Slack workspace id like T024BE7LD",
    r"^[CG][A-Z0-9]+$": "write the Slack channel id, which looks like C024BE91L (at the end of the channel's details)",
    r"^[\w.-]+/[\w.-]+$": "write owner/name",
    r"^[0-9a-f]{64}$": "write 64 hexadecimal digits",
    r"^https://\S+$": "write an address that begins with https://",
    r"^/": "write a path that begins with /",
}


def _right(error: ErrorDetails, context: Mapping[str, Any], known: list[str]) -> str:
    """What would be right there."""
    saw = error["input"]
    shown = f", not {saw!r}" if isinstance(saw, str | int | float) and error["loc"] else ""
    match error["type"]:
        case "string_pattern_mismatch":
            return f"{_PATTERNS.get(context['pattern'], 'write it like ' + context['pattern'])}{shown}"
        case "string_too_short":
            return "write at least one letter"
        case "literal_error" | "enum":
            near = difflib.get_close_matches(str(saw), re.findall(r"'([^']+)'", context["expected"]), 1)
            return f"write {context['expected']}{shown}{f'; did you mean {near[0]}?' if near else ''}"
        case "greater_than_equal":
            return f"write {context['ge']:g} or more{shown}"
        case "less_than_equal":
            return f"write {context['le']:g} or less{shown}"
        case "dict_type" | "model_type":
            keys = f"; known are {', '.join(known)}" if known else ""
            return f"write keys and values, like {{{known[0] if known else 'key'}: value}}{shown}{keys}"
    return f"{_WRITE.get(error['type'], error['msg'])}{shown}"


def _spelled(where: Where, value: Any) -> str:  # noqa: ANN401 (plain data of any shape)
    """`paths.stage→prod.approvals[0].role`: what goes from somewhere to somewhere is called so."""
    words = ""
    for part in where:
        try:
            value = value[part]
        except (LookupError, TypeError):
            value = None
        ends = [value.get(end) for end in ("from", "to")] if isinstance(part, int) and isinstance(value, dict) else []
        named = [str(end) for end in ends if isinstance(end, str)]
        if len(named) == 2:
            words += f".{'→'.join(named)}"
        else:
            words += f"[{part}]" if isinstance(part, int) else f".{part}"
    return words.removeprefix(".")


def _nearest(word: str, known: list[str]) -> str:
    """The known words nearest to that one, or all there are: goes on after what is wrong."""
    near = difflib.get_close_matches(word, known, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""


def _placed(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[Where, list[str]]:
    """The place in the document that pydantic means, and the keys that it may have; of an unknown place, those around.

    Where there are alternatives, pydantic's places have a step more: the one that it tried.
    """
    where: list[int | str] = []
    shape, around = _bare(model), _bare(model)
    for part in loc:
        if part == "[key]":
            continue
        if isinstance(shape, dict):
            shape = _bare(shape.get(str(part)))
            continue
        where.append(part)
        around = shape
        if _is_model(shape):
            fields = {field.alias or name: field for name, field in shape.model_fields.items()}
            field = fields.get(str(part))
            shape = _bare(field.annotation, field.discriminator) if field is not None else None
        else:
            inner = get_args(shape)
            shape = _bare(inner[-1 if isinstance(part, str) else 0]) if inner else None
    return tuple(where), _keys_of(around if shape is None else shape)


def _is_model(shape: object) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)


def _keys_of(shape: Any) -> list[str]:  # noqa: ANN401 (annotations have any shape)
    if isinstance(shape, dict):
        return list(shape)
    return [field.alias or name for name, field in shape.model_fields.items()] if _is_model(shape) else []


def _bare(shape: Any, discriminator: object = None) -> Any:  # noqa: ANN401 (annotations have any shape)
    """`Window` of `Window | None`; of alternatives that a key tells apart, a dictionary by what it says."""
    while get_origin(shape) is Annotated:
        shape, *marks = get_args(shape)
        discriminator = next((m.discriminator for m in marks if isinstance(m, FieldInfo)), None) or discriminator
    if get_origin(shape) in {Union, UnionType}:
        options = [option for option in get_args(shape) if option is not type(None)]
        if isinstance(discriminator, str):
            tag = discriminator
            return {str(get_args(each.model_fields[tag].annotation)[0]): each for each in options}
        return _bare(options[0])
    return shape
