"""What is wrong with a document, and what would be right? Its mistakes as the schema sees them, each with its line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.strict_yaml import Complaint, Document, Stop, Where

Model = TypeVar("Model", bound=BaseModel)


def judged(data: bytes, model: type[Model], what: str) -> tuple[Model | None, list[Complaint], Document | None]:
    """What these bytes say, by that schema, with the document; or every mistake in them by line.

    `what`: how one would begin such a file, said where there is nothing in it.
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
        return model.model_validate_json(json.dumps(document.value), strict=True), [], document
    except ValidationError as error:
        errors = error.errors()
        wrong = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}
        # A list whose items are all wrong is reported as too short as well.
        real = [details for details in errors if details["type"] != "too_short" or details["loc"] not in wrong]
        found = {complaint for details in real for complaint in _complaints(details, document, model)}
        return None, sorted(found, key=lambda complaint: (complaint.line, complaint.says)), document


def _complaints(error: ErrorDetails, document: Document, model: type[BaseModel]) -> Iterator[Complaint]:
    where = tuple(part for part in error["loc"] if part != "[key]")
    context = error.get("ctx", {})
    if error["type"] == "does_not_fit":
        for place, says in context["complaints"]:
            yield Complaint(document.line(tuple(place)), says)
        return
    name = _spelled(where) or "the file"
    line = document.line(where)
    match error["type"]:
        case "missing":
            yield Complaint(line, f"{name} is missing")
        case "extra_forbidden":
            yield Complaint(line, f"{name} is not known here{_nearest(where, model)}")
        case "value_error":
            yield Complaint(line, f"{name}: {context['error']}")
        case _:
            yield Complaint(line, f"{name}: {_right(error, context)}")


_WRITE = {
    "string_type": "write a word or text, in quotes where it looks like a number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "bool_type": "write true or false",
    "tuple_type": "write a list, like [one, two]",
    "dict_type": "write keys and values, like {key: value}",
    "model_type": "write keys and values, like {key: value}",
    "too_short": "leave it out or write at least one",
    "finite_number": "write a number",
}

_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$": "write a name of letters, digits, dot, dash and underline, at most 63",
    r"^[UW][A-Z0-9]+$": "write a Slack user id like U024BE7LH, not a name",
    r"^[TE][A-Z0-9]+$": "write a Slack workspace id like T024BE7LD",
    r"^[CG][A-Z0-9]+$": "write a Slack channel id like C024BE91L, not #name",
    r"^[\w.-]+/[\w.-]+$": "write owner/name",
    r"^/": "write a path that begins with /",
}


def _right(error: ErrorDetails, context: Mapping[str, Any]) -> str:
    """What would be right there."""
    saw = error["input"]
    shown = f", not {saw!r}" if isinstance(saw, str | int | float) and error["loc"] else ""
    match error["type"]:
        case "string_pattern_mismatch":
            return f"{_PATTERNS.get(context['pattern'], 'write it like ' + context['pattern'])}{shown}"
        case "string_too_short":
            return "write at least one letter"
        case "literal_error" | "enum":
            return f"write {context['expected']}{shown}"
        case "greater_than_equal":
            return f"write {context['ge']:g} or more{shown}"
        case "less_than_equal":
            return f"write {context['le']:g} or less{shown}"
    return f"{_WRITE.get(error['type'], error['msg'])}{shown}"


def _spelled(where: Where) -> str:
    """`paths[1].gates.soak`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")


def _nearest(where: Where, model: type[BaseModel]) -> str:
    """The known keys nearest to the last one, or all there are."""
    known = _keys(where[:-1], model)
    near = difflib.get_close_matches(str(where[-1]), known, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""


def _keys(where: Where, model: type[BaseModel]) -> list[str]:
    """The keys that the schema has at that place."""
    shape: Any = model
    for part in where:
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            fields = {field.alias or name: field.annotation for name, field in shape.model_fields.items()}
            shape = fields.get(str(part))
        else:
            shape = get_args(shape)[-1 if isinstance(part, str) else 0] if get_args(shape) else None
        shape = _model_in(shape)
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return [field.alias or name for name, field in shape.model_fields.items()]
    return []


def _model_in(shape: Any) -> Any:  # noqa: ANN401 (annotations have any shape)
    """`Window` of `Window | None`; a list of them stays as it is."""
    options = [option for option in get_args(shape) if option is not type(None)]
    if type(None) in get_args(shape) and options:
        return _model_in(options[0])
    if hasattr(shape, "__metadata__"):
        return _model_in(get_args(shape)[0])
    return shape
