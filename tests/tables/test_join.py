"""Several tables of the same patients as one: beside each other by an id, or below each other."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.errors import UserError
from core.tables import read
from core.tables.join import join_files, left_join
from core.tables.reader import of_frame


def table(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_columns_of_another_table_stand_beside_by_id(tmp_path: Path) -> None:
    left = table(tmp_path, "scans.csv", "scan,pid,age\na,1,40\nb,2,50\nc,2,51\nd,3,60\n")
    right = table(tmp_path, "patients.csv", "pid,sex,age\n1.0,F,41\n2.0,M,52\n")
    joined = join_files(read(left), [f"{right}:pid"])
    assert joined.table.frame.to_dict("list") == {
        "scan": ["a", "b", "c", "d"], "pid": ["1", "2", "2", "3"], "age": ["40", "50", "51", "60"], "sex": ["F", "M", "M", None],
        "age (patients)": ["41", "52", "52", None],
    }  # fmt: skip
    assert {(f.code, f.rows) for f in joined.findings} == {("joined-twice", 4), ("no-partner", 1)}
    assert joined.stacked_by is None


def test_what_differs_between_the_rows_of_one_id_is_no_fact_of_it(tmp_path: Path) -> None:
    left = table(tmp_path, "scans.csv", "scan,pid,sex\na,1,F\nb,2,M\nc,3,F\nd,4,M\n")
    stays = "pid,stay,race,sex\n1,10,A,F\n1,11,A,F\n2,12,B,M\n2,13,C,M\n3,14,A,F\n3,15,A,F\n"
    joined = join_files(read(left), [f"{table(tmp_path, 'stays.v1.csv', stays)}:pid"])
    assert joined.table.frame.to_dict("list") == {
        "scan": ["a", "b", "c", "d"], "pid": ["1", "2", "3", "4"], "sex": ["F", "M", "F", "M"], "race": ["A", None, "A", None],
    }  # fmt: skip
    assert [(f.code, f.rows) for f in joined.table.findings] == [("joined-varies", 0), ("joined-varies", 1)]
    assert [f.code for f in joined.findings] == ["no-partner"], "a second sex that says the same is not there twice"


def test_a_table_with_the_same_columns_stands_below(tmp_path: Path) -> None:
    right = table(tmp_path, "od.csv", "ID,age\n#1,40\n#2,50\n")
    left = table(tmp_path, "os.csv", "ID,age\n#1,40\n#2,50\n")
    joined = join_files(read(right), [f"{left}:ID"])
    assert joined.table.frame.to_dict("list") == {"ID": ["#1", "#2", "#1", "#2"], "age": ["40", "50", "40", "50"], "table": ["od", "od", "os", "os"]}
    assert joined.stacked_by == "ID" and [f.code for f in joined.findings] == ["tables-stacked"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other.csv", "write FILE:ID"),
        (":id", "write FILE:ID"),
        ("other.csv:nope", "has no column 'nope'"),
        ("none.csv:id", "no such file"),
        ("twice.csv:id", "several rows that differ in 'sex'"),
        ("foreign.csv:id", "none of the ids"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, "other.csv", "id,sex\n1,F\n")
    table(tmp_path, "twice.csv", "id,sex\n1,F\n1,M\n")
    table(tmp_path, "foreign.csv", "id,sex\nx,F\n")
    with pytest.raises(UserError, match=message):
        join_files(read(table(tmp_path, "t.csv", "id,age\n1,40\n")), [text])


def test_ids_that_are_written_otherwise_are_joined_and_said_where_one_only_can_be_meant(tmp_path: Path) -> None:
    here = of_frame(pd.DataFrame({"pid": ["0007", "8", "P1", "0009", "x"], "y": [0, 1, 0, 1, 0]}), "here")
    there = of_frame(pd.DataFrame({"pid": ["7", "8", "p1", "9", "09"], "sex": ["F", "M", "F", "M", "F"]}), "there")
    found, unmatched = left_join(here, there, "pid")
    assert found.text("sex").to_pylist() == ["F", "M", "F", None, None] and unmatched == 2
    assert [f.code for f in found.findings] == ["joined-loosely"] and "0007 = 7" in found.findings[0].message
    twice = of_frame(pd.DataFrame({"pid": ["7", "007"], "y": [0, 1]}), "here")
    assert left_join(twice, there, "pid")[0].text("sex").to_pylist() == ["F", None], "the one that is written so keeps it"
