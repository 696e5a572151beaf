"""Which small changes to the policy's code would change what it decides? Each is tried by `python -m tests.mutants`.

Sentences are left alone: what is decided is asked here, not how it is said.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FUTURE = ast.parse("from __future__ import annotations").body[0]
ASIDE = {"decorator_list", "returns", "annotation", "type_params"}

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SWAPPED = {
    "met": "unmet",
    "unmet": "met",
    "unknown": "met",
    "not_applicable": "unmet",
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
}
"""Calls by name."""
STANDINGS = {
    "MET": "UNMET",
    "UNMET": "MET",
    "UNKNOWN": "MET",
    "WAIVED": "UNMET",
    "WARNING": "UNMET",
    "NEVER": "EXCEPTION",
    "EXCEPTION": "NEVER",
    "EMERGENCY": "EXCEPTION",
    "APPROVE": "REJECT",
    "REJECT": "APPROVE",
    "OUT": "MAY_AGREE",
    "NOT_ALONE": "MAY_AGREE",
}
"""Members of enums by name."""


@dataclass(frozen=True)
class Change:
    """One place, changed."""

    module: str
    """`policy.rules.soak`."""
    file: str
    function: str
    """Outermost function it stands in, `Class.method` for methods."""
    line: int
    before: str
    after: str
    lines: range
    """Where it stands: whoever runs the change runs one of these."""
    nth: int
    """Of those that read the same in this function; the first is 1."""
    tree: ast.Module
    """The function with this change, in its class where it has one."""

    @property
    def key(self) -> str:
        """No other of this module has it; the same as long as the function's code is."""
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.function}: {self.before} → {self.after}{again}"

    @property
    def where(self) -> str:
        return f"{self.module}.{self.key}"


def changes(path: Path, module: str, file: str) -> Iterator[Change]:
    """Every one of one module, function by function."""
    tree = ast.parse(path.read_text("utf-8"))
    for function, around in _functions(tree):
        name = f"{around.name}.{function.name}" if around else function.name
        alone = ast.Module([FUTURE, _copy(around, body=[function], decorator_list=[]) if around else function], [])
        seen: Counter[tuple[str, str]] = Counter()
        for node, statement in _parts(function):
            for other in _others(node):
                before, after = _shown(node), _shown(other)
                seen[before, after] += 1
                yield Change(
                    module,
                    file,
                    name,
                    getattr(node, "lineno", statement.lineno),
                    before,
                    after,
                    _header(statement),
                    seen[before, after],
                    _with(alone, node, other),
                )


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.ClassDef | None]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, None
        elif isinstance(node, ast.ClassDef):
            yield from ((inner, node) for inner in node.body if isinstance(inner, ast.FunctionDef))


def _parts(function: ast.FunctionDef) -> Iterator[tuple[ast.AST, ast.stmt]]:
    """Each with the statement that it stands in; not what only annotates or decorates."""

    def inside(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.stmt]]:
        statement = node if isinstance(node, ast.stmt) else statement
        yield node, statement
        for name, value in ast.iter_fields(node):
            if name in ASIDE:
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from inside(each, statement)

    for statement in function.body:
        yield from inside(statement, statement)


def _header(statement: ast.stmt) -> range:
    """The lines of what is asked before anything inside the statement is done."""
    match statement:
        case ast.Match(cases=[first, *_]):
            end = first.pattern.lineno - 1
        case ast.FunctionDef(body=[first, *_]) | ast.If(body=[first, *_]) | ast.For(body=[first, *_]):
            end = first.lineno - 1
        case ast.While(body=[first, *_]) | ast.With(body=[first, *_]) | ast.Try(body=[first, *_]):
            end = first.lineno - 1
        case _:
            end = statement.end_lineno or statement.lineno
    return range(statement.lineno, max(end, statement.lineno) + 1)


def _others(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]):
            yield from (_copy(node, ops=[other()]) for other in COMPARED.get(type(op), ()))
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                for other in COMPARED.get(type(op), ()):
                    yield _copy(node, ops=[*ops[:index], other(), *ops[index + 1 :]])
        case ast.BoolOp(op=op, values=values):
            yield _copy(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for index in range(len(values)):
                rest = [*values[:index], *values[index + 1 :]]
                yield rest[0] if len(rest) == 1 else _copy(node, values=rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in RECKONED and not _text(node):
            yield _copy(node, op=RECKONED[type(op)]())
        case ast.Constant(value=bool() as value):
            yield ast.copy_location(ast.Constant(not value), node)
        case ast.Constant(value=int() as value):
            yield ast.copy_location(ast.Constant(value + 1), node)
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED:
            yield _copy(node, func=ast.copy_location(ast.Name(SWAPPED[name], ast.Load()), node))
        case ast.Attribute(attr=name) if name in STANDINGS:
            yield _copy(node, attr=STANDINGS[name])
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield _copy(node, test=ast.copy_location(ast.UnaryOp(ast.Not(), test), test))
        case ast.comprehension(ifs=[_, *_] as ifs):
            for index in range(len(ifs)):
                yield _copy(node, ifs=[*ifs[:index], *ifs[index + 1 :]])
        case ast.Return(value=ast.Name() as value) if value.id in {"found", "reason"}:
            return
        case ast.Continue() | ast.Break():
            yield ast.copy_location(ast.Pass(), node)


def _text(node: ast.BinOp) -> bool:
    """True for what is put together from words."""
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in (node.left, node.right)
    )


def _copy(node: Any, **fields: object) -> Any:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _with(tree: ast.Module, node: ast.AST, other: ast.AST) -> ast.Module:
    class Put(ast.NodeTransformer):
        def visit(self, seen: ast.AST) -> ast.AST:
            return other if seen is node else self.copied(seen)

        def copied(self, seen: ast.AST) -> Any:
            fields: dict[str, object] = {}
            for name, value in ast.iter_fields(seen):
                if isinstance(value, ast.AST):
                    fields[name] = self.visit(value)
                elif isinstance(value, list):
                    fields[name] = [self.visit(each) if isinstance(each, ast.AST) else each for each in value]
            return _copy(seen, **fields)

    changed = ast.fix_missing_locations(Put().visit(tree))
    assert isinstance(changed, ast.Module)
    return changed


def _shown(node: ast.AST) -> str:
    match node:
        case ast.If(test=test):
            return f"if {ast.unparse(test)}"
        case _:
            return " ".join(ast.unparse(node).split())[:160]
