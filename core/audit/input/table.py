"""Read the needed columns of a CSV or Parquet file as text or numbers, and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from core.audit.input.column_roles import Mapping, check_columns
from core.errors import UserError

MISSING_TEXTS = ["", "NA", "N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "<NA>"]
PARQUET_SUFFIXES = (".parquet", ".pq")
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
FIRST_ROW = 2  # the header is row 1 of the file, so the first data row is row 2


def header(path: Path) -> list[str]:
    """Column names of a table file, without reading it."""
    _exists(path)
    if path.name.lower().endswith(PARQUET_SUFFIXES):
        try:
            return list(pq.read_schema(path).names)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path.name}: not a readable Parquet file ({_first_line(error)})") from None
    return _csv_header(path)[0]


def read_columns(path: Path, mapping: Mapping) -> pa.Table:
    """Columns named by `mapping`. CSV columns come as text, Parquet columns as stored.

    Raises
    ------
    UserError : for a missing file or column, torn rows (with their row), or another encoding than UTF-8.
    """
    return read_named(path, mapping.columns)


def read_named(path: Path, columns: Sequence[str]) -> pa.Table:
    """The same for columns by name."""
    names = header(path)
    check_columns(columns, names, path.name)
    repeated = sorted({name for name in columns if names.count(name) > 1})
    if repeated:
        raise UserError(f"{path.name}: there are several columns named '{repeated[0]}'; rename them")
    if path.name.lower().endswith(PARQUET_SUFFIXES):
        try:
            return pq.read_table(path, columns=list(columns))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise UserError(f"{path.name}: not a readable Parquet file ({_first_line(error)})") from None
    return _read_csv(path, columns)


def _exists(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if not path.name.lower().endswith(PARQUET_SUFFIXES + TEXT_SUFFIXES):
        raise UserError(f"{path.name}: predictions come as .csv, .tsv or .parquet")
    if path.stat().st_size == 0:
        raise UserError(f"{path.name}: the file is empty")


def _csv_header(path: Path) -> tuple[list[str], str]:
    """Names and delimiter, from the first line."""
    import gzip

    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file:
            first = file.readline(1_000_000)
    except UnicodeDecodeError:
        raise UserError(f"{path.name}: the file is not UTF-8 text; save it as CSV UTF-8") from None
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({_first_line(error)})") from None
    if not first.strip():
        raise UserError(f"{path.name}: the first line is empty; it must name the columns")
    delimiter = max((",", ";", "\t"), key=first.count)
    return next(csv.reader([first], delimiter=delimiter)), delimiter


def _read_csv(path: Path, columns: Sequence[str]) -> pa.Table:
    names, delimiter = _csv_header(path)
    torn: list[str] = []

    def refuse(row: pacsv.InvalidRow) -> str:
        number = "" if row.number is None else f" row {row.number}:"
        torn.append(f"{path.name}:{number} {row.actual_columns} fields where the header names {row.expected_columns}; mend or quote that row")
        return "error"

    try:
        return pacsv.read_csv(
            path,
            # One thread: row numbers in messages are only known then.
            read_options=pacsv.ReadOptions(use_threads=False),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                include_columns=list(columns),
                null_values=MISSING_TEXTS,
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        if torn:
            raise UserError(torn[0]) from None
        message = _first_line(error)
        remedy = "save it as CSV UTF-8" if "UTF8" in message else "check that it is a table with a header"
        raise UserError(f"{path.name}: not a readable CSV file ({message}); {remedy}") from None


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as text; whole floats lose their '.0', so 1 and 1.0 are the same group."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        if pc.all(pc.equal(pc.floor(column), column)).as_py():
            return column.cast(pa.int64()).cast(pa.string())
    text = column.cast(pa.string())
    text = pc.utf8_trim_whitespace(text)
    known = text.drop_null()
    # A whole-number column with gaps is written with ".0" by other tools.
    if len(known) and pc.any(pc.ends_with(known, ".0")).as_py() and pc.all(pc.match_substring_regex(known, r"^-?[0-9]+(\.0)?$")).as_py():
        text = pc.replace_substring_regex(text, r"\.0$", "")
    return pc.if_else(pc.equal(text, ""), None, text)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
