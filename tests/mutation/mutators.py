"""Small changes of a function's syntax tree, each of which a test should notice.

What is not changed, because no test should: annotations, texts, what an error says, `strict=` and the like, the suppression of
floating point warnings, and constants of a module that say how finely or how long is computed (see `COMPUTING`).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
# A sum or a product without its second part.
REMOVED = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)
OPPOSITES = {
    "minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor",
    "argmin": "argmax", "argmax": "argmin", "sorted": "reversed", "zeros": "ones", "ones": "zeros",
}  # fmt: skip
# Keywords and calls that change no result, or only what a person reads.
SILENT_KEYWORDS = {"strict", "dtype", "copy", "minlength", "invalid", "divide", "over", "under", "n_groups"}
SILENT_CALLS = {"errstate", "cast", "AuditFinding", "UserError", "ValueError", "NewType", "dataclass", "field"}
# Module constants that say how finely or how long is computed, and below what a number is rounding.
COMPUTING = {
    "GRID", "REACH", "TINY", "HALVINGS", "STEPS", "CONVERGED", "NORMAL", "LEVELS", "QUANTILES", "SPREADS", "EDGE", "AT_EDGE", "FLOOR", "ROUNDING",
    "NO_VARIATION", "ZERO_VARIANCE", "SMALLEST_QUANTILE", "LARGEST_QUANTILE", "SMALLEST_P", "LOG_GRID", "DRAWS", "POINTS", "NODES", "CHUNK", "BLOCK",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change. place : line of the function (0 outside of any) that holds it. number : among the changes of its file."""

    file: str
    number: int
    kind: str
    line: int
    place: int
    before: str
    after: str
    name: str
    tree: ast.Module
    old: ast.expr | None = None
    new: ast.expr | None = None

    @property
    def key(self) -> str:
        """The same as long as the changed expression stays the same in its function, `name`."""
        return f"{self.file} {self.name} {self.kind}: {self.before} -> {self.after}"

    def changed(self) -> ast.Module:
        """The file's tree with the change; the original stays as it is."""
        assert self.old is not None and self.new is not None
        memo: dict[int, object] = {id(self.old): ast.copy_location(copy.deepcopy(self.new), self.old)}
        return ast.fix_missing_locations(copy.deepcopy(self.tree, memo))


def mutants(file: str, source: str) -> list[Mutant]:
    """Every change of one file, in the order of its text."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    for node, place, name in _sites(tree):
        for kind, new in _changes(node):
            found.append(Mutant(file, len(found), kind, node.lineno, place, ast.unparse(node), ast.unparse(new), name, tree, node, new))
    return found


def _sites(tree: ast.Module) -> Iterator[tuple[ast.expr, int, str]]:
    """Expressions that may be changed, with the first line and the name of the function that holds them."""

    def walk(node: ast.AST, place: int, inside: str) -> Iterator[tuple[ast.expr, int, str]]:
        if _silent(node):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and place == 0:
            place, inside = min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.name
        if isinstance(node, ast.expr):
            yield node, place, inside
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from walk(child, place, inside)

    yield from walk(tree, 0, "")


def _silent(node: ast.AST) -> bool:
    """Raises, asserts, imports, texts and the computing constants of a module."""
    if isinstance(node, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.keyword):
        return node.arg in SILENT_KEYWORDS
    if isinstance(node, ast.Call):
        return _name(node.func) in SILENT_CALLS
    if isinstance(node, ast.Subscript):
        return _name(node.value) in {"NDArray", "Literal", "Mapping", "Callable", "tuple", "dict", "list"}
    if isinstance(node, ast.Assign):
        names = {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        return bool(names & COMPUTING)
    return False


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _changes(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Compare(ops=[op], left=left, comparators=right):
            for other in COMPARISONS.get(type(op), ()):
                yield "comparison", ast.Compare(left, [other()], right)
        case ast.BinOp(left=left, op=op, right=right):
            if isinstance(left, ast.Constant) and isinstance(left.value, str):
                return
            if type(op) in OPERATORS:
                yield "arithmetic", ast.BinOp(left, OPERATORS[type(op)](), right)
            if isinstance(op, REMOVED):
                yield "removed term", left
        case ast.BoolOp(op=op, values=values):
            yield "logic", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert(), operand=operand) if not isinstance(operand, ast.Constant):
            yield "removed sign", operand
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "swapped arguments", ast.IfExp(test, orelse, body)
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", ast.Constant(value + 1 if isinstance(value, int) else value * 2 if value else 1.0)
        case ast.Call():
            yield from _calls(node)


def _differ(one: ast.expr, other: ast.expr) -> bool:
    """Whether it is a change to give one in place of the other."""
    return not any(isinstance(a, ast.Starred | ast.Constant) for a in (one, other)) and ast.dump(one) != ast.dump(other)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = _name(node.func)
    if name in OPPOSITES:
        func = copy.deepcopy(node.func)
        if isinstance(func, ast.Attribute):
            func.attr = OPPOSITES[name]
        elif isinstance(func, ast.Name):
            func.id = OPPOSITES[name]
        yield "opposite", ast.Call(func, node.args, node.keywords)
        return
    if name == "where" and len(node.args) == 3:
        yield "swapped arguments", ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], node.keywords)
    elif len(node.args) >= 2 and name not in ("isinstance", "hypot") and _differ(*node.args[:2]):
        yield "swapped arguments", ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
