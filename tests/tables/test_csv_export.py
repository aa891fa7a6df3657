"""No cell of an exported table is a formula, and numbers stay numbers."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from core.tables.csv_export import csv_text, harmless


@pytest.mark.parametrize("cell", ['=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\n=1"])
def test_formulas_are_made_text(cell: str):
    assert harmless(cell) == f"'{cell}"
    (row,) = csv.DictReader(io.StringIO(csv_text(pd.DataFrame({"group": [cell], "n": [-1.5]})), newline=""))
    assert row["group"] == f"'{cell}" and row["n"] == "-1.5"


@pytest.mark.parametrize("cell", ["-1", "+2.5", "-.5", "-1e-5", "F", "60+", "", None, -3.0, "a=b"])
def test_numbers_and_words_stay(cell: object):
    assert harmless(cell) == cell


def test_column_names_are_cells_too():
    assert csv_text(pd.DataFrame({"=1+1": [1]})).splitlines()[0] == "'=1+1"
