"""Tables as people really save them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.cohort.tables import read_table, to_number
from core.errors import UserError


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", "id,sex\n01,Jürgen\n2,\n"),
        ("a.csv", "id,sex\r\n01,Jürgen\r\n2,NA\r\n"),
        ("a.csv", b"\xef\xbb\xbf" + "id,sex\n01,Jürgen\n2,nan\n".encode()),
        ("a.csv", "id;sex\n01;Jürgen\n2;\n"),
        ("a.csv", "id|sex\n01|Jürgen\n2|\n"),
        ("a.tsv", "id\tsex\n01\tJürgen\n2\t\n"),
        ("a.txt", "id\tsex\n01\tJürgen\n2\t\n"),
        ("a.csv", "id,sex\n01,Jürgen\n2,\n".encode("utf-16")),
        ("a.csv", "id,sex\n01,Jürgen\n2,\n".encode("cp1252")),
        ("a.csv", 'id,sex\n"01"," Jürgen "\n2,""\n\n'),
    ],
)
def test_reads_what_spreadsheets_write(tmp_path: Path, name: str, data: bytes | str):
    table = read_table(write(tmp_path / name, data))
    assert table.to_dict("list") == {"id": ["01", "2"], "sex": ["Jürgen", None]}


def test_decimal_commas_belong_to_semicolon_tables(tmp_path: Path):
    table = read_table(write(tmp_path / "a.csv", "id;mm;note\n1;3,5;a,b\n2;4;c\n"))
    assert table["mm"].tolist() == ["3.5", "4"]
    assert table["note"].tolist() == ["a,b", "c"]


def test_a_comma_in_a_quoted_header_is_no_delimiter(tmp_path: Path):
    assert list(read_table(write(tmp_path / "a.csv", '"id, number";sex\n1;f\n')).columns) == ["id, number", "sex"]


def test_parquet_keeps_integers_with_gaps_whole(tmp_path: Path):
    pd.DataFrame({"skin": [3.0, None, 4.0], "mm": [3.5, 4.0, None], "flag": [True, False, None], "name": ["a", None, "NA"]}).to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table["skin"].tolist() == ["3", None, "4"]
    assert table["mm"].tolist() == ["3.5", "4", None]
    assert table["flag"].tolist() == ["True", "False", None]
    assert table["name"].tolist() == ["a", None, None]


def test_words_that_may_be_answers_are_kept(tmp_path: Path):
    assert read_table(write(tmp_path / "a.csv", "id,use\n1,None\n2,unknown\n"))["use"].tolist() == ["None", "unknown"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("id,sex\n", "no rows"),
        ("id,id\n1,2\n", "two columns are called 'id'"),
        ("id,\n1,2\n", "column 2 has no name"),
        ("id,sex\n1,2\n1,2,3\n", "do not fit the header"),
        (b"\x00\x01\x02\xff\x00", "not a text table"),
        (b"PK\x03\x04\x00\x00\x00\x00", "not a text table"),
    ],
)
def test_unusable_tables_are_refused_by_name_and_reason(tmp_path: Path, data: bytes | str, reason: str):
    path = write(tmp_path / "broken.csv", data)
    with pytest.raises(UserError, match=reason) as raised:
        read_table(path)
    assert "broken.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_and_damaged_files_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UserError, match="not a readable Parquet"):
        read_table(write(tmp_path / "a.parquet", b"PAR1 nonsense"))


def test_numbers_are_numbers_only_when_all_are():
    assert to_number(pd.Series(["1", None, "2.5"], dtype=object)).tolist()[::2] == [1.0, 2.5]
    assert to_number(pd.Series(["True", "False"], dtype=object)).tolist() == [1.0, 0.0]
    assert to_number(pd.Series(["1", "x"], dtype=object)) is None
    assert to_number(pd.Series(["1", "inf"], dtype=object)) is None
    assert to_number(pd.Series([None, None], dtype=object)) is None
