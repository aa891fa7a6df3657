"""Reading a user's table as text, whatever wrote it.

Every value stays the text that the file holds (so that "01" is not 1); what a
column means is decided by its role.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import UserError

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>", "#N/A")
"""Texts read as "no value". "None" and "unknown" are not among them: they may be answers."""
MAX_BYTES = 4 << 30
_DELIMITERS = ",;\t|"


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV, TSV or Parquet file as a frame of str with None for missing values.

    Raises UserError naming the file and, where known, the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES >> 30} GiB; cut the table to the columns that are needed")
    frame = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _delimited(path)
    return _tidy(frame, path)


def to_number(values: pd.Series) -> pd.Series | None:
    """The column as float64 when every value that is there is a finite number, else None.

    True/false and yes/no count as 1 and 0.
    """
    there = values.dropna().astype(str)
    if there.empty:
        return None
    lowered = there.str.lower()
    words = {"true": "1", "false": "0", "yes": "1", "no": "0"}
    if lowered.isin(list(words)).all():
        there = lowered.map(words)
    numbers = pd.to_numeric(there, errors="coerce").astype("float64")
    if not np.isfinite(numbers.to_numpy()).all():
        return None
    return numbers.reindex(values.index)


def _decode(raw: bytes, path: Path) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        # Spreadsheets on Windows still write cp1252; latin-1 would accept anything, binaries included.
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise UserError(f"{path}: not a text table; save it as CSV in UTF-8, or as Parquet")


def _delimiter(text: str, path: Path) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    # Read by the rules of quoting: a comma inside a quoted name must not pass for a delimiter.
    fields = {d: len(next(csv.reader(io.StringIO(text), delimiter=d), [])) for d in _DELIMITERS}
    return max(fields, key=lambda d: fields[d])


def _delimited(path: Path) -> pd.DataFrame:
    text = _decode(path.read_bytes(), path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty")
    delimiter = _delimiter(text, path)
    try:
        frame = pd.read_csv(io.StringIO(text), sep=delimiter, dtype=str, header=None, keep_default_na=False, na_filter=False, skip_blank_lines=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise UserError(f"{path}: rows do not fit the header ({' '.join(str(error).split())}); every row must have as many values as the header has names") from error
    frame.columns = pd.Index([str(v).strip() for v in frame.iloc[0]])
    frame = frame.iloc[1:].reset_index(drop=True)
    if delimiter == ";":
        for position in range(frame.shape[1]):
            values = frame.iloc[:, position]
            if values.str.fullmatch(r"\s*-?\d+,\d+\s*").any() and values.str.fullmatch(r"\s*(-?\d+(,\d+)?)?\s*").all():
                frame.isetitem(position, values.str.replace(",", ".", regex=False).to_numpy())
    return frame


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not through a data set: a folder name such as "split=train" must not become a column.
        frame = pq.ParquetFile(path).read().to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
    return pd.DataFrame({str(c): _as_text(frame[c]) for c in frame.columns}) if frame.columns.is_unique else frame


def _as_text(values: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(values):
        return values.map(lambda v: None if pd.isna(v) else str(bool(v)))
    if pd.api.types.is_numeric_dtype(values):
        # Integers with gaps arrive as floats: 3.0 must stay the group "3".
        return values.map(lambda v: None if pd.isna(v) else repr(int(v)) if float(v).is_integer() else repr(float(v)))
    return values.map(lambda v: None if v is None or v is pd.NaT or (isinstance(v, float) and np.isnan(v)) else str(v))


def _tidy(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    columns = [str(c).strip() for c in frame.columns]
    for column in columns:
        if columns.count(column) > 1:
            raise UserError(f"{path}: two columns are called {column!r}; rename one")
        if not column:
            raise UserError(f"{path}: column {columns.index(column) + 1} has no name in the header")
    if not len(frame):
        raise UserError(f"{path}: the table has a header but no rows")
    tidy = {}
    for column, original in zip(columns, frame.columns, strict=True):
        values = [v.strip() if isinstance(v, str) else None for v in frame[original].astype("object")]
        tidy[column] = pd.Series([None if v in MISSING else v for v in values], dtype="object")
    return pd.DataFrame(tidy)
