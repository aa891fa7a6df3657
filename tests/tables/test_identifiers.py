"""Ids that are one in several ways of writing, and columns that only number the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.tables.identifiers import loosely_alike, numbers_rows, same_ids


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


@pytest.mark.parametrize("name", ["序号", "rn", "#", "anything"])
def test_a_shuffled_index_numbers_the_rows(name: str) -> None:
    assert numbers_rows(name, pd.Series(np.random.default_rng(0).permutation(40)).astype(str))
    assert numbers_rows(name, pd.Series([str(1000 + 3 * i) for i in range(40)]))


def test_measured_whole_numbers_are_no_index() -> None:
    assert not numbers_rows("weight", pd.Series([str(50 + (i * 7) % 101) for i in range(40)]))


def test_ids_in_other_notations() -> None:
    assert same_ids(["1,234", "1234", "1.234000e+03"]) == dict.fromkeys(["1,234", "1234", "1.234000e+03"], "1,234")
    assert loosely_alike(["P-0", "p0", "P1"]) == [["P-0", "p0"]]
    assert loosely_alike(["MRN00012", "12", "MRN13"]) == [["MRN00012", "12"]]
    assert loosely_alike(["a1", "a2", "b1"]) == []
