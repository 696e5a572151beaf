"""What does the policy file say, and is it one? Strict YAML in; a policy out, or each mistake with its line.

Strict means: no key twice, only `true` and `false` are booleans, only decimal digits are numbers, and times, dates and
versions stay the words they are. Anchors and aliases work; merge keys, tags and a second document do not.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from commands.errors import Rejected
from policy.document import ActivePolicy, Policy

log = logging.getLogger(__name__)

Where = tuple[str | int, ...]
"""A place in the document: keys and indexes from its root."""

SIZE_MAX = 1_000_000
"""Bytes. The longest policy that we know of has 35,000."""
VALUES_MAX = 100_000
DEPTH_MAX = 40
"""More can only be aliases that multiply each other, or go round in circles."""
GIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Complaint:
    """One mistake."""

    line: int
    """From 1."""
    says: str
    """What is wrong and what would be right, without a full stop."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.says}"


class NoPolicy(Rejected):
    """The file holds no policy; nothing of it was taken over."""

    def __init__(self, path: Path, complaints: list[Complaint]) -> None:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        super().__init__(f"The policy file {path} cannot be used: {complaints[0]}{more}.")
        self.complaints = tuple(complaints)


def read_policy(path: Path) -> ActivePolicy:
    """The policy in that file, with the hash of the very bytes it was read from. Raises `NoPolicy`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise NoPolicy(path, [Complaint(1, f"the file cannot be read: {why}")]) from error
    policy, complaints = _judged(data)
    if policy is None:
        raise NoPolicy(path, complaints)
    commit = _commit_with(path, data)
    source = f"{path}@{commit[:12]}" if commit else str(path)
    return ActivePolicy(policy=policy, hash=hashlib.sha256(data).hexdigest(), source=source)


def check(data: bytes) -> list[Complaint]:
    """Every mistake in these bytes, by line; none: they are a policy."""
    return _judged(data)[1]


class PolicyFile:
    """The policy in force: the newest version of one file that could be read."""

    def __init__(self, path: Path) -> None:
        """Raises `NoPolicy`: there is nothing to fall back to yet."""
        self._path = path
        self._active = read_policy(path)

    def current(self) -> ActivePolicy:
        return self._active

    def reload(self) -> tuple[Complaint, ...]:
        """The file's policy is in force; or the one before stays so, loudly, and these are the reasons."""
        try:
            active = read_policy(self._path)
        except NoPolicy as error:
            complaints = error.complaints
        else:
            return self._taken_over(active)
        for complaint in complaints:
            log.error("policy not taken over from %s, %s", self._path, complaint)
        log.error("policy %s stays in force", self._active.hash[:12])
        return complaints

    def _taken_over(self, active: ActivePolicy) -> tuple[Complaint, ...]:
        if active.hash != self._active.hash:
            log.warning("policy %s follows %s", active.hash[:12], self._active.hash[:12])
        self._active = active
        return ()


def _commit_with(path: Path, data: bytes) -> str:
    """The commit that is checked out, if these very bytes stand in it; empty where they do not, or there is no git."""
    question = ["git", "-C", str(path.resolve().parent), "rev-parse", "HEAD", f"HEAD:./{path.resolve().name}"]
    try:
        answer = subprocess.run(question, capture_output=True, timeout=GIT_SECONDS, check=True, text=True)  # noqa: S603 (fixed words and the policy's own path)
    except (OSError, subprocess.SubprocessError):
        return ""
    commit, blob = answer.stdout.split()
    # git's name for the bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    ours = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return commit if blob == ours else ""


# YAML ---------------------------------------------------------------------------------------------------------------


class _Strict(yaml.SafeLoader):
    """Knows null, two booleans and decimal numbers; all other words are strings."""


_Strict.yaml_implicit_resolvers = {}

_TAG = "tag:yaml.org,2002:"
for _name, _spelling, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+", list("-0123456789")),
):
    _Strict.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_spelling})$"), _first)

_SCALARS: Mapping[str, Callable[[str], Any]] = {
    f"{_TAG}str": str,
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": {"true": True, "false": False}.__getitem__,
    f"{_TAG}int": int,
    f"{_TAG}float": float,
}


class _Stop(Exception):
    """The document is not worth reading on."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(str(complaint))
        self.complaint = complaint


class _Document:
    """A YAML document as plain data, with the line of each value and what is wrong with it as YAML."""

    def __init__(self, data: bytes) -> None:
        self.lines: dict[Where, int] = {(): 1}
        self.complaints: list[Complaint] = []
        self._values = 0
        self.value = self._read(_composed(data), (), 0)

    def line(self, where: Where) -> int:
        """Of that place, or of the nearest one around it that is in the file."""
        while where not in self.lines:
            where = where[:-1]
        return self.lines[where]

    def _read(self, node: yaml.Node | None, where: Where, depth: int) -> Any:  # noqa: ANN401 (plain data of any shape)
        if node is None:
            return None
        self._values += 1
        line = node.start_mark.line + 1
        if self._values > VALUES_MAX or depth > DEPTH_MAX:
            raise _Stop(Complaint(line, "aliases make this too large or too deep to be a policy"))
        self.lines.setdefault(where, line)
        match node:
            case yaml.MappingNode(tag=tag) if tag == f"{_TAG}map":
                return {key: self._read(value, (*where, key), depth + 1) for key, value in self._entries(node, where)}
            case yaml.SequenceNode(tag=tag) if tag == f"{_TAG}seq":
                return [self._read(value, (*where, index), depth + 1) for index, value in enumerate(node.value)]
            case yaml.ScalarNode(tag=tag, value=text) if tag in _SCALARS:
                try:
                    return _SCALARS[tag](text)
                except (ValueError, KeyError):
                    self.complaints.append(Complaint(line, f"{text!r} is no {tag.removeprefix(_TAG)}"))
                    return None
        tag = node.tag.replace(_TAG, "!!")
        self.complaints.append(Complaint(line, f"the tag {tag} is not used here; leave it out"))
        return None

    def _entries(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[str, yaml.Node]]:
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_TAG}str":
                says = f'"{key.value}", in quotes' if isinstance(key, yaml.ScalarNode) else "no list or mapping"
                self.complaints.append(Complaint(line, f"a key is a word; write {says}"))
            elif key.value in first:
                says = f"{key.value!r} stands twice, first on line {first[key.value]}; only one can be meant"
                self.complaints.append(Complaint(line, says))
            else:
                first[key.value] = line
                self.lines[*where, key.value] = line
                yield key.value, value


def _composed(data: bytes) -> yaml.Node | None:
    if len(data) > SIZE_MAX:
        raise _Stop(Complaint(1, f"the file has {len(data)} bytes; a policy has at most {SIZE_MAX}"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Stop(Complaint(line, "this is not UTF-8; save the file as UTF-8")) from error
    try:
        loader = _Strict(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise _Stop(Complaint(mark.line + 1 if mark else 1, f"this is not YAML: {what}")) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Stop(Complaint(line, "here is a character that YAML does not allow; remove it")) from error
    except RecursionError as error:
        raise _Stop(Complaint(1, "this is nested too deep to be a policy")) from error


# What is wrong with it as a policy ----------------------------------------------------------------------------------


def _judged(data: bytes) -> tuple[Policy | None, list[Complaint]]:
    try:
        document = _Document(data)
    except _Stop as stop:
        return None, [stop.complaint]
    if document.complaints:
        return None, sorted(document.complaints, key=lambda complaint: complaint.line)
    if document.value is None:
        return None, [Complaint(1, "the file is empty; begin with policy: 1")]
    try:
        # JSON, because there strictness is about types alone: a list is a tuple, a word may name a choice.
        return Policy.model_validate_json(json.dumps(document.value), strict=True), []
    except ValidationError as error:
        errors = error.errors()
        wrong = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}
        # A list whose items are all wrong is reported as too short as well.
        real = [details for details in errors if details["type"] != "too_short" or details["loc"] not in wrong]
        found = {complaint for details in real for complaint in _complaints(details, document)}
        return None, sorted(found, key=lambda complaint: (complaint.line, complaint.says))


def _complaints(error: ErrorDetails, document: _Document) -> Iterator[Complaint]:
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
            yield Complaint(line, f"{name} is not known here{_nearest(where)}")
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


def _nearest(where: Where) -> str:
    """The known keys nearest to the last one, or all there are."""
    known = _keys(where[:-1])
    near = difflib.get_close_matches(str(where[-1]), known, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""


def _keys(where: Where) -> list[str]:
    """The keys that the schema has at that place."""
    shape: Any = Policy
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
