"""Is this strict YAML, and on which line does each value stand?

Strict means: no key twice, only `true` and `false` are booleans, only decimal digits are numbers, and times, dates and
versions stay the words they are. Anchors and aliases work; merge keys, tags and a second document do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Where = tuple[str | int, ...]
"""A place in the document: keys and indexes from its root."""

SIZE_MAX = 1_000_000
"""Bytes. The longest policy that we know of has 35,000."""
VALUES_MAX = 100_000
DEPTH_MAX = 40
"""More can only be aliases that multiply each other, or go round in circles."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One mistake."""

    line: int
    """From 1."""
    says: str
    """What is wrong and what would be right, without a full stop."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.says}"


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


_MEANS = {
    "'\\t'": "a tab stands here; indent with spaces",
    "expected <block end>": "the indentation does not fit what stands above",
    "mapping values are not allowed": "a colon too many, or too much indentation; put text with colons in quotes",
    "expected ',' or ']'": "a list that begins with [ has no end; write ]",
    "expected ',' or '}'": "what begins with { has no end; write }",
}
"""What the parser says of the most common mistakes, and what people would say."""


class Stop(Exception):
    """The document is not worth reading on."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(str(complaint))
        self.complaint = complaint


class Document:
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
            raise Stop(Complaint(line, "aliases make this too large or too deep to be a policy"))
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
        raise Stop(Complaint(1, f"the file has {len(data)} bytes; a policy has at most {SIZE_MAX}"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Stop(Complaint(line, "this is not UTF-8; save the file as UTF-8")) from error
    try:
        loader = _Strict(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        means = next((says for sign, says in _MEANS.items() if sign in what), what)
        raise Stop(Complaint(mark.line + 1 if mark else 1, f"this is not YAML: {means}")) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Stop(Complaint(line, "here is a character that YAML does not allow; remove it")) from error
    except RecursionError as error:
        raise Stop(Complaint(1, "this is nested too deep to be a policy")) from error
