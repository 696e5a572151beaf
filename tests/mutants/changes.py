"""Which small changes to the policy's code would change what it decides? Each is tried by `python -m tests.mutants`.

Sentences are left alone: what is decided is asked here, not how it is said.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    function: str
    """Outermost function it stands in, `Class.method` for methods."""
    line: int
    before: str
    after: str
    tree: ast.Module
    """The whole module with this change."""

    @property
    def key(self) -> str:
        """The same as long as the function's code is."""
        return f"{self.module}.{self.function}: {self.before} → {self.after}"


def changes(path: Path, module: str) -> Iterator[Change]:
    """Every one of one module, in the order of its lines."""
    tree = ast.parse(path.read_text("utf-8"))
    for function, name in _functions(tree):
        nodes = [node for node in ast.walk(function) if _decides(node, function)]
        for node in nodes:
            for other in _others(node):
                yield _with(tree, node, other, module, name)


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, node.name
        elif isinstance(node, ast.ClassDef):
            yield from (
                (inner, f"{node.name}.{inner.name}") for inner in node.body if isinstance(inner, ast.FunctionDef)
            )


def _decides(node: ast.AST, function: ast.FunctionDef) -> bool:
    """Not in what only annotates or decorates."""
    aside = [*function.decorator_list, function.args, *([function.returns] if function.returns else [])]
    return not any(node is part for outer in aside for part in ast.walk(outer))


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


def _copy(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _with(tree: ast.Module, node: ast.AST, other: ast.AST, module: str, function: str) -> Change:
    class Put(ast.NodeTransformer):
        def visit(self, seen: ast.AST) -> ast.AST:
            return other if seen is node else self.generic_visit_copy(seen)

        def generic_visit_copy(self, seen: ast.AST) -> ast.AST:
            fields: dict[str, object] = {}
            for name, value in ast.iter_fields(seen):
                if isinstance(value, ast.AST):
                    fields[name] = self.visit(value)
                elif isinstance(value, list):
                    fields[name] = [self.visit(each) if isinstance(each, ast.AST) else each for each in value]
            return _copy(seen, **fields)

    changed = ast.fix_missing_locations(Put().visit(tree))
    assert isinstance(changed, ast.Module)
    before, after = _shown(node), _shown(other)
    return Change(module, function, getattr(node, "lineno", 0) or _line(node), before, after, changed)


def _line(node: ast.AST) -> int:
    return next((part.lineno for part in ast.walk(node) if isinstance(part, ast.expr)), 0)


def _shown(node: ast.AST) -> str:
    match node:
        case ast.If(test=test):
            return f"if {ast.unparse(test)}"
        case _:
            return " ".join(ast.unparse(node).split())[:160]
