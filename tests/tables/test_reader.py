"""Tables as people really save them."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from core.cohort.sources import open_source
from core.errors import UserError
from core.tables.numbers import to_number
from core.tables.reader import header, read, read_table


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
        ("id,sex\n1,2\n1,2,3\n", "row 3: 3 fields where the header names 2"),
        (b"\x00\x01\x02\xff\x00", "not a text table"),
        (b"PK\x03\x04\x00\x00\x00\x00", "not a text table: it is a zip file or a workbook"),
        ("id,sex\n1\n", "row 2: 1 fields where the header names 2"),
    ],
)
def test_unusable_tables_are_refused_by_name_and_reason(tmp_path: Path, data: bytes | str, reason: str):
    path = write(tmp_path / "broken.csv", data)
    with pytest.raises(UserError, match=reason) as raised:
        read_table(path)
    assert "broken.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_and_damaged_files_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="there is no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UserError, match="not a readable Parquet"):
        read_table(write(tmp_path / "a.parquet", b"PAR1 nonsense"))


def test_numbers_are_numbers_only_when_all_are():
    assert to_number(pd.Series(["1", None, "2.5"], dtype=object)).tolist()[::2] == [1.0, 2.5]
    assert to_number(pd.Series(["True", "False"], dtype=object)).tolist() == [1.0, 0.0]
    assert to_number(pd.Series(["1", "x"], dtype=object)) is None
    assert to_number(pd.Series(["1", "inf"], dtype=object)) is None
    assert to_number(pd.Series([None, None], dtype=object)) is None


def test_an_index_that_pandas_wrote_along_is_left_out_with_a_word(tmp_path: Path):
    table = read(write(tmp_path / "a.csv", ",id,sex\n0,7,f\n1,8,m\n"))
    assert table.names == ["id", "sex"]
    assert [f.code for f in table.findings] == ["nameless-column"]


def test_row_names_of_r_are_left_out_with_a_word(tmp_path: Path):
    table = read(write(tmp_path / "a.csv", '"id","sex"\n"1","7","f"\n"2","8","m"\n'))
    assert table.frame.to_dict("list") == {"id": ["7", "8"], "sex": ["f", "m"]}
    assert [f.code for f in table.findings] == ["nameless-column"]


def test_empty_columns_without_a_name_are_no_columns(tmp_path: Path):
    assert read(write(tmp_path / "a.csv", "id,sex,\n7,f,\n8,m,\n")).names == ["id", "sex"]


def test_a_space_before_quotes_and_a_line_that_names_the_delimiter(tmp_path: Path):
    assert read_table(write(tmp_path / "a.csv", 'id, note\n1, "a, b"\n')).to_dict("list") == {"id": ["1"], "note": ["a, b"]}
    assert read_table(write(tmp_path / "a.csv", "sep=;\nid;note\n1;a,b\n")).to_dict("list") == {"id": ["1"], "note": ["a,b"]}


def test_compressed_tables_and_their_bombs(tmp_path: Path):
    assert read_table(write(tmp_path / "a.csv.gz", gzip.compress(b"id,sex\n1,f\n"))).to_dict("list") == {"id": ["1"], "sex": ["f"]}
    bomb = write(tmp_path / "b.csv.gz", gzip.compress(b"a,b\n" + b"0" * (80 << 20)))
    with pytest.raises(UserError, match="unpacks to more than"):
        read_table(bomb)
    with pytest.raises(UserError, match="cannot be read"):
        read_table(write(tmp_path / "c.csv.gz", gzip.compress(b"id,sex\n1,f\n")[:-9]))


def workbook(path: Path, **sheets: pd.DataFrame) -> Path:
    """An XLSX file by hand: the standard's fewest parts, with inline texts."""
    import zipfile
    from xml.sax.saxutils import escape

    def cell(value: object) -> str:
        if isinstance(value, (int, float)):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as archive:
        kinds = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
            for i in range(len(names))
        )
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
            f'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>{kinds}</Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        listing = "".join(f'<sheet name="{n}" sheetId="{i + 1}" r:id="r{i}"/>' for i, n in enumerate(names))
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>{listing}</sheets></workbook>')
        links = "".join(f'<Relationship Id="r{i}" Type="{rel}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i in range(len(names)))
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>')
        for i, frame in enumerate(sheets.values()):
            rows = [list(frame.columns), *frame.to_numpy(dtype=object).tolist()]
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            archive.writestr(f"xl/worksheets/sheet{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>')
    return path


def test_workbooks_are_read_and_the_sheet_is_said(tmp_path: Path):
    right = pd.DataFrame({"ID": ["#001", "#002"], "Age": [47, 58], "Pachymetry": [512.5, 530]})
    one = read(workbook(tmp_path / "one.xlsx", right=right))
    assert one.frame.to_dict("list") == {"ID": ["#001", "#002"], "Age": ["47", "58"], "Pachymetry": ["512.5", "530"]}
    assert (one.sheet, one.findings) == ("right", ())
    path = workbook(tmp_path / "two.xlsx", right=right, left=right.assign(Age=[1, 2]))
    first = read(path)
    assert first.sheet == "right" and "'left'" in first.findings[0].message
    for sheet in ("left", "2"):
        assert read(path, sheet=sheet).frame["Age"].tolist() == ["1", "2"]
    with pytest.raises(UserError, match="there is no sheet 'both'; it has: right, left"):
        read(path, sheet="both")
    with pytest.raises(UserError, match="not a readable"):
        read(write(tmp_path / "broken.xlsx", path.read_bytes()[:200]))


def test_statistics_programs(tmp_path: Path):
    frame = pd.DataFrame({"sex": pd.Categorical(["female", "male", None]), "age": [40.0, 50.0, None]})
    frame.to_stata(tmp_path / "a.dta", write_index=False)
    assert read_table(tmp_path / "a.dta").to_dict("list") == {"sex": ["female", "male", None], "age": ["40", "50", None]}
    with pytest.raises(UserError, match="not a readable"):
        read_table(write(tmp_path / "b.sas7bdat", b"nonsense"))


SPSS_AND_SAS = {"id": ["a", "b", "c"], "sex": ["female", "male", "female"], "age": ["40", "51.5", None]}


@pytest.mark.parametrize("ending", ["sav", "zsav", "por", "xpt"])
def test_spss_and_sas_through_the_library(tmp_path: Path, ending: str):
    """A portable file and a transport file of version 8 were refused as damaged."""
    pyreadstat = pytest.importorskip("pyreadstat")
    frame = pd.DataFrame({"id": ["a", "b", "c"], "sex": [1.0, 2.0, 1.0], "age": [40.0, 51.5, None]})
    path, labels = tmp_path / f"t.{ending}", {"sex": {1.0: "female", 2.0: "male"}}
    if ending == "xpt":
        pyreadstat.write_xport(frame, str(path))
    elif ending == "por":
        pyreadstat.write_por(frame, str(path))
    else:
        pyreadstat.write_sav(frame, str(path), variable_value_labels=labels)
    expected = SPSS_AND_SAS if ending.endswith("sav") else SPSS_AND_SAS | {"sex": ["1", "2", "1"]}
    assert {name.lower(): values for name, values in read_table(path).to_dict("list").items()} == expected


@pytest.mark.parametrize(
    ("name", "data", "what"), [("t.sav", b"$FL2", "SPSS files"), ("t.por", b"ASCII", "SPSS"), ("t.xpt", b"HEADER RECORD*******LIBV8", "version 8")]
)
def test_what_to_install_is_said_where_the_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, what: str):
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    with pytest.raises(UserError, match=rf"to read .*{what}.* install the package pyreadstat \(pip install 'multifair-dashboard\[spss\]'\)"):
        read(write(tmp_path / name, data))


def test_only_the_columns_asked_for(tmp_path: Path):
    path = write(tmp_path / "a.csv", "id,sex,age,age\n1,f,3,4\n")
    table = read(path, columns=["sex"])
    assert (table.names, table.header) == (["sex"], ("id", "sex", "age", "age"))
    assert header(path) == ["id", "sex", "age", "age"]
    with pytest.raises(UserError, match="two columns are called 'age'"):
        read(path, columns=["age"])


@pytest.mark.parametrize("sign", ["^", "~", ":", "\x01", "  ", " "])
def test_rare_signs_between_columns(sign: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "\n".join(sign.join(row) for row in (("sex", "y", "score"), ("F", "1", "0.5"), ("M", "0", "0.25"), ("F", "0", "0.1"))) + "\n"
    )
    table = read(tmp_path / "t.csv")
    assert table.names == ["sex", "y", "score"] and table.frame["score"].tolist() == ["0.5", "0.25", "0.1"]


def test_one_column_of_words_stays_one_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("note\nfever at 10:30\nno fever\nrest\n")
    assert read(tmp_path / "t.csv").names == ["note"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_devices_pipes_and_folders_are_no_tables(tmp_path: Path) -> None:
    """None of them is opened: reading a pipe waits for a writer, /dev/zero never ends."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for path, words in ((tmp_path / "pipe.csv", "a device or a pipe"), (Path("/dev/zero"), "a device or a pipe"), (tmp_path / "folder.csv", "is a folder")):
        with pytest.raises(UserError, match=words):
            read(path)
    with pytest.raises(UserError, match="a device or a pipe, not a folder or zip"):
        open_source("/dev/zero")
