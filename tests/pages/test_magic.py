"""Streamlit draws every string that stands alone in a page: none does but the module's docstring."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_string_stands_alone(page: Path) -> None:
    later = ast.parse(page.read_text(encoding="utf-8")).body[1:]
    assert [node.lineno for node in later if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)] == []
