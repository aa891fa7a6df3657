"""The one reader of users' tables: cohorts, predictions and uploads all come through here."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import UserError
from core.tables import delimited, workbooks
from core.tables.encoding import decode
from core.tables.finding import Finding
from core.tables.numbers import NumberColumn, parse_numbers

MISSING = ("", "NA", "N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "<NA>", "#N/A")
"""Texts read as "no value". "None" and "unknown" are not among them: they may be answers."""
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat")
SUFFIXES = (*TEXT_SUFFIXES, *workbooks.PARQUET, *workbooks.SPREADSHEETS, *workbooks.STATISTICS)
"""Endings of files that are read; text tables also with .gz behind."""
MAX_BYTES = 4 << 30
MAX_UNPACKED = 2 << 30
MAX_RATIO = 300


@dataclass(frozen=True)
class Table:
    """A user's table with n rows.

    columns : name -> text (trimmed, null where there is no value), or numbers as the file stores them.
    header : the names of all columns of the file, kept or not.
    findings : what happened to the file on the way.
    encoding, delimiter, sheet : how it was read; None where that does not apply.
    """

    source: str
    columns: dict[str, pa.ChunkedArray]
    findings: tuple[Finding, ...] = ()
    header: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    _texts: dict[str, pa.ChunkedArray] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def text(self, name: str) -> pa.ChunkedArray:
        """The column as text; stored whole floats lose their ".0", so that 3.0 stays the group "3"."""
        if name not in self._texts:
            self._texts[name] = as_text(self.columns[name])
        return self._texts[name]

    def encoded(self, name: str) -> tuple[NDArray[np.int64], list[str]]:
        """Codes (n,), -1 where missing, into the distinct texts in order of appearance."""
        coded = self.text(name).combine_chunks().dictionary_encode()
        codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        return codes, coded.dictionary.to_pylist()

    def numbers(self, name: str) -> NumberColumn | None:
        """The column as numbers with what was unusual about them; None when it is none (`core.tables.numbers`)."""
        column = self.columns[name]
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            return parse_numbers(pd.Series(column.cast(pa.float64()).to_numpy()), name)
        codes, texts = self.encoded(name)
        return parse_numbers((codes, texts), name)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All columns as Python strings, None where missing."""
        return pd.DataFrame({name: pd.Series(self._objects(name), dtype=object) for name in self.columns})

    def _objects(self, name: str) -> NDArray[np.object_]:
        codes, texts = self.encoded(name)
        return np.array([*texts, None], dtype=object)[codes]


def read(path: str | Path, *, columns: Sequence[str] | None = None, sheet: str | None = None, encoding: str | None = None) -> Table:
    """Read a table, whatever wrote it.

    Parameters
    ----------
    path : CSV, TSV (also compressed as .gz), XLSX, ODS, XLS, Parquet, Stata, SAS or SPSS file.
    columns : only these are kept (names as in the trimmed header); all when None.
    sheet : of a workbook, by its name or its number from 1.
    encoding : of a text file, where it is not recognised.

    Raises
    ------
    UserError
        Naming the file and, where known, row and column, and how to mend it.
    """
    path = Path(path)
    _usable(path)
    suffix = path.suffix.lower()
    if suffix in workbooks.PARQUET:
        kept = None if columns is None else [c for c in columns if c in workbooks.parquet_names(path, path.name)]
        stored = workbooks.read_parquet(path, path.name, kept)
        return _tidy(Table(path.name, {}), list(stored.column_names), list(stored.columns), columns)
    if suffix in workbooks.SPREADSHEETS:
        frame, name, findings = workbooks.read_spreadsheet(path, path.name, sheet)
        return _tidy(Table(path.name, {}, findings, sheet=name), list(map(str, frame.columns)), workbooks.as_arrow(frame), columns)
    if sheet is not None:
        raise UserError(f"{path.name}: only workbooks have sheets; leave --sheet out")
    if suffix in workbooks.STATISTICS:
        frame, findings = workbooks.read_statistics(path, path.name)
        return _tidy(Table(path.name, {}, findings), list(map(str, frame.columns)), workbooks.as_arrow(frame), columns)
    text = decode(_bytes(path), path.name, encoding)
    parsed = delimited.parse(text.utf8.removeprefix(b"\xef\xbb\xbf"), path.name)
    findings = (*((text.finding,) if text.finding else ()), *parsed.findings)
    raw = Table(path.name, {}, findings, encoding=text.encoding, delimiter=parsed.delimiter)
    return _tidy(raw, list(parsed.names), list(parsed.columns), columns)


def of_frame(frame: pd.DataFrame, source: str, columns: Sequence[str] | None = None) -> Table:
    """A pandas DataFrame as the table that a file of it would be; an index is no column. `columns` as in `read`."""
    names = [str(name) for name in frame.columns]
    kept = [place for place, name in enumerate(names) if columns is None or name.strip() in columns]
    return replace(_tidy(Table(source, {}), [names[i] for i in kept], workbooks.as_arrow(frame.iloc[:, kept]), columns), header=tuple(names))


def read_table(path: str | Path, *, sheet: str | None = None, encoding: str | None = None) -> pd.DataFrame:
    """`read` as a frame of str with None for missing values."""
    return read(path, sheet=sheet, encoding=encoding).frame


def header(path: str | Path, *, sheet: str | None = None, encoding: str | None = None) -> list[str]:
    """Names of the columns. Raises UserError as `read` does."""
    path = Path(path)
    if path.suffix.lower() in workbooks.PARQUET:
        _usable(path)
        return [name.strip() for name in workbooks.parquet_names(path, path.name)]
    return list(read(path, columns=(), sheet=sheet, encoding=encoding).header)


def is_table(name: str) -> bool:
    """Whether a file's name ends as that of a table that can be read."""
    lowered = name.lower()
    return lowered.endswith(SUFFIXES) or lowered.endswith(tuple(f"{s}.gz" for s in TEXT_SUFFIXES))


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as trimmed text, null where it holds no value; whole numbers without ".0" where all of it is whole numbers."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_boolean(kind):
        return pc.if_else(column, "True", "False")
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
        whole = pc.fill_null(whole, False)
        texts = column.cast(pa.string())
        if pc.any(whole).as_py():
            integers = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(pa.string())
            texts = pc.if_else(whole, integers, texts)
        return texts
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = pa.chunked_array([pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())])
    text = column.cast(pa.string())
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.is_in(text, value_set=pa.array(MISSING)), None, text)
    # Whole numbers get a ".0" from tools that keep a gap beside them: 1 and 1.0 are one group.
    known = text.drop_null()
    if len(known) and pc.any(pc.ends_with(known, ".0")).as_py() and pc.all(pc.match_substring_regex(known, r"^-?[0-9]+(\.0)?$")).as_py():
        return pc.replace_substring_regex(text, r"\.0$", "")
    return text


def no_file(path: Path) -> str:
    """Why a path is no file to read."""
    if path.is_dir():
        return "is a folder, not a file"
    return "is a device or a pipe, not a file; save what comes out of it to a file first" if path.exists() else "there is no such file"


def _usable(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: {no_file(path)}")
    if not is_table(path.name):
        raise UserError(f"{path.name}: not a table; tables end in {', '.join(SUFFIXES)} (or .csv.gz)")
    size = path.stat().st_size
    if size == 0:
        raise UserError(f"{path.name}: the file is empty")
    if size > MAX_BYTES:
        raise UserError(f"{path.name}: larger than {MAX_BYTES >> 30} GiB; cut the table to the columns that are needed")


def _bytes(path: Path) -> bytes:
    try:
        if path.suffix.lower() != ".gz":
            return path.read_bytes()
        limit = min(MAX_UNPACKED, max(MAX_RATIO * path.stat().st_size, 64 << 20))
        with gzip.open(path) as file:
            data = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path.name}: cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})") from None
    if len(data) > limit:
        raise UserError(f"{path.name}: unpacks to more than {limit >> 20} MiB, far more than a table would; unpack it yourself")
    return data


def _tidy(table: Table, names: list[str], columns: list[pa.ChunkedArray], wanted: Sequence[str] | None) -> Table:
    """Named, unrepeated columns with trimmed text; what has no name and says nothing is left out with a word."""
    names = [name.strip() for name in names]
    if not columns or not len(columns[0]):
        raise UserError(f"{table.source}: the table has a header but no rows")
    kept: dict[str, pa.ChunkedArray] = {}
    nameless: list[str] = []
    for place, (name, column) in enumerate(zip(names, columns, strict=True), start=1):
        if not name:
            text = as_text(column)
            if text.null_count == len(text):
                continue
            if place > 1 or not delimited.numbers_rows(text.drop_null()):
                raise UserError(f"{table.source}: column {place} has no name in the header; give it one")
            nameless.append(f"column {place}")
            continue
        if wanted is not None and name not in wanted:
            continue
        if name in kept:
            raise UserError(f"{table.source}: two columns are called '{name}'; rename one")
        stored_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        kept[name] = column if stored_number else as_text(column)
    if table.delimiter == ";":
        kept = {name: _decimal_points(column) for name, column in kept.items()}
    findings = (*table.findings, *((delimited.left_out(nameless),) if nameless else ()))
    return replace(table, columns=kept, findings=findings, header=tuple(name for name in names if name))


def _decimal_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimal commas as points, where every value of the column is a number written so."""
    known = column.drop_null()
    if not pa.types.is_string(column.type) or not pc.any(pc.match_substring_regex(known, r"^[-+]?\d+,\d+$")).as_py():
        return column
    if not pc.all(pc.match_substring_regex(known, r"^[-+]?\d+(,\d+)?([eE][-+]?\d+)?$")).as_py():
        return column
    return pc.replace_substring(column, ",", ".")
