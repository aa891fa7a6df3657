"""Ids that are one in several ways of writing, and columns that only number the rows."""

from __future__ import annotations

import pandas as pd
import pytest

from core.tables.identifiers import numbers_rows, same_ids


def test_one_id_in_several_ways_of_writing():
    assert same_ids(["0007", "7", "7.0", "8", "P1", "p1", "P01"]) == {
        "0007": "0007",
        "7": "0007",
        "7.0": "0007",
        "8": "8",
        "P1": "P1",
        "p1": "P1",
        "P01": "P01",
    }


@pytest.mark.parametrize(
    ("column", "values", "numbers"),
    [
        ("whatever", ["0", "1", "2", "3"], True),
        ("whatever", ["1", "2", "3"], True),
        ("Unnamed: 0", ["3", "0", "2"], True),
        ("X", ["5", "9", "7"], True),
        ("age", ["3", "0", "2"], False),
        ("age", ["1", "2", "2"], False),
        ("whatever", ["1", "2", "x"], False),
    ],
)
def test_columns_that_number_the_rows(column: str, values: list[str], numbers: bool):
    assert numbers_rows(column, pd.Series(values, dtype=object)) == numbers
