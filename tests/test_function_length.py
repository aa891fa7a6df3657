"""A function that does not fit on a screen hides what it does: none has more than 60 lines, its docstring not counted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST = 60
FILES = [path for room in ("core", "dashboard", "pages", "tests") for path in sorted((ROOT / room).rglob("*.py"))]


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    said = function.body[0]
    documented = isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) and isinstance(said.value.value, str)
    return (function.end_lineno or 0) - function.lineno + 1 - ((said.end_lineno or 0) - said.lineno + 1 if documented else 0)


def long_functions(text: str) -> list[str]:
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [f"{function.name}: {lines(function)}" for function in functions if lines(function) > MOST]


def test_no_function_is_longer() -> None:
    assert {str(path.relative_to(ROOT)): long for path in FILES if (long := long_functions(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(("statements", "found"), [(59, []), (60, ["f: 61"])])
def test_it_counts(statements: int, found: list[str]) -> None:
    assert long_functions('def f():\n    """Said\n    in two lines."""\n' + "    x = 1\n" * statements) == found
