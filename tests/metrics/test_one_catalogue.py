"""The catalogue is the only table of metrics' names and directions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.metrics.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
FILES = sorted(p for room in ("core", "dashboard", "pages") for p in (ROOT / room).rglob("*.py") if p.name != "catalogue.py")
FEWEST = 2
"""One metric alone is a case, two are a table."""


def tables(code: str) -> Iterator[str]:
    """What in the code gives metrics a name again, or sets some of them apart by a set."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Dict):
            pairs = [(k.value, v.value) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant) and isinstance(v, ast.Constant)]
            named = [key for key, value in pairs if key in CATALOGUE and value in (CATALOGUE[key].title, CATALOGUE[key].short)]
            if len(named) >= FEWEST:
                yield f"line {node.lineno}: names of {', '.join(named)}"
        elif isinstance(node, ast.Set):
            members = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            if len(members) >= FEWEST and all(member in CATALOGUE for member in members):
                yield f"line {node.lineno}: a set of {', '.join(map(str, members))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_file_holds_a_table_of_metrics(path: Path) -> None:
    found = list(tables(path.read_text(encoding="utf-8")))
    assert not found, f"{path.relative_to(ROOT)}, {'; '.join(found)}: read core.metrics.catalogue (title, short, better)"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('LOWER = frozenset({"fpr", "brier", "ece"})', True),
        ('HEADINGS = {"auc": "AUC", "max_gap": "gap"}', True),
        ('SHOWN = ("auc", "tpr")', False),
        ('PLACES = {"auc": 3, "tpr": 2}', False),
    ],
)
def test_a_table_is_found_and_a_choice_is_not(code: str, found: bool) -> None:
    assert bool(list(tables(code))) is found


def test_ranges_are_those_of_the_definitions() -> None:
    """Shares and areas lie between 0 and 1, differences of shares too, everything else where its formula says."""
    shares = {name: metric.bounds for name, metric in CATALOGUE.items() if metric.bounds not in ((None, None), (0.0, None), (None, 1.0))}
    assert {"auc", "tpr", "fpr", "ppv", "brier", "es_auc", "max_gap", "dpd", "dp_ratio"} <= shares.keys()
    assert set(shares.values()) == {(0.0, 1.0)}
