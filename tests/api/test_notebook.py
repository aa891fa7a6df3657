"""The worked notebook runs, cell by cell, and what it shows is text, a table and a chart."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.cohort.sample import sample_folder

NOTEBOOK = sample_folder().parent / "worked_example.ipynb"


@pytest.fixture(scope="module")
def shown() -> list[Any]:
    """What each code cell ends with, as a notebook would show it."""
    space: dict[str, Any] = {}
    found = []
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, "kept without results, which would go stale"
            *before, last = ast.parse("".join(cell["source"])).body
            exec(compile(ast.Module(before, []), cell["id"], "exec"), space)
            assert isinstance(last, ast.Expr)
            found.append(eval(compile(ast.Expression(last.value), cell["id"], "eval"), space))
    return found


def test_results_show_as_text_table_and_chart(shown: list[Any]) -> None:
    results = [one._repr_html_() for one in shown if hasattr(one, "headline")]
    assert len(results) == 3
    for html in results:
        assert "<strong>" in html and "<table" in html and 'role="img"' in html and "<svg" in html


def test_tables_charts_and_files_are_there(shown: list[Any]) -> None:
    assert [type(one).__name__ for one in shown if isinstance(one, pd.DataFrame)] == ["DataFrame"] * 2
    charts = [one.to_dict() for one in shown if hasattr(one, "to_dict") and hasattr(one, "save")]
    assert len(charts) == 2 and all("$schema" in chart for chart in charts)
    assert [path.name for path in shown[-1]] == ["audit.html", "audit.tex", "audit.json"] and all(path.stat().st_size for path in shown[-1])


def test_it_is_a_notebook_of_the_current_form() -> None:
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5) and set(book) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    assert Path(NOTEBOOK).read_bytes().endswith(b"\n")
