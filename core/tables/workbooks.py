"""Tables kept in files of other programs: spreadsheets, Parquet, Stata, SAS, SPSS."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import UserError, option
from core.tables.finding import Finding, listed

SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
STATISTICS = (".dta", ".sas7bdat", ".xpt", ".sav", ".zsav", ".por")
PARQUET = (".parquet", ".pq")
MAX_UNPACKED = 1 << 30
"""Bytes that a workbook may unpack to."""
MAX_RATIO = 200
MOST_HEADER_ROWS = 3
"""Rows below the first row of names that may go on with the header."""


def read_parquet(path: Path, source: str, columns: list[str] | None) -> pa.Table:
    """The table as stored. Raises UserError."""
    try:
        # Not through a data set: a folder name such as "split=train" must not become a column.
        file = pq.ParquetFile(path)
        table = file.read(columns=columns, use_pandas_metadata=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{source}: not a readable Parquet file ({_first_line(error)})") from None
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    return table.drop_columns(index) if index else table


def parquet_names(path: Path, source: str) -> list[str]:
    """Column names, without reading the rows. Raises UserError."""
    try:
        return [name for name in pq.read_schema(path).names if not name.startswith("__index_level_")]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{source}: not a readable Parquet file ({_first_line(error)})") from None


def read_spreadsheet(path: Path, source: str, sheet: str | None) -> tuple[pd.DataFrame, str, tuple[Finding, ...]]:
    """The chosen sheet as written (text, numbers, dates), its name, and a finding where others were passed over.

    `sheet`: its name, or its number from 1; when None the only one that holds a table, else the first of them is read and the others are named.
    Raises UserError.
    """
    _refuse_bomb(path, source)
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            chosen = _chosen(names, sheet, source)
            filled = {name: frame for name in chosen if (frame := _sheet(book, name)) is not None}
    except UserError:
        raise
    except ImportError:
        raise UserError(f"{source}: to read spreadsheets install the package python-calamine, or save the sheet as CSV") from None
    except Exception as error:  # noqa: BLE001 - the library raises errors of its own for every kind of damage
        raise UserError(f"{source}: not a readable spreadsheet ({_first_line(error)}); save the sheet as CSV") from None
    if not filled:
        raise UserError(f"{source}: {'the sheet ' + repr(sheet) + ' is' if sheet else 'its sheets are'} empty")
    name, frame = next(iter(filled.items()))
    others = [other for other in filled if other != name]
    if not others:
        return frame, name, ()
    return (
        frame,
        name,
        (
            Finding(
                "sheet-chosen",
                "warning",
                f"the workbook has several sheets; '{name}' is read, not {listed(others)}",
                0,
                f"Choose another with {option('--sheet', others[0])}.",
            ),
        ),
    )


def sheet_names(path: Path) -> list[str]:
    """Names of a workbook's sheets. Raises UserError."""
    _refuse_bomb(path, path.name)
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            return [str(name) for name in book.sheet_names]
    except Exception as error:  # noqa: BLE001 - the library raises errors of its own for every kind of damage
        raise UserError(f"{path.name}: not a readable spreadsheet ({_first_line(error)}); save the sheet as CSV") from None


def _chosen(names: list[str], sheet: str | None, source: str) -> list[str]:
    if sheet is None:
        return names
    if sheet in names:
        return [sheet]
    if sheet.isdigit() and 1 <= int(sheet) <= len(names):
        return [names[int(sheet) - 1]]
    raise UserError(f"{source}: there is no sheet '{sheet}'; it has: {', '.join(names)}")


def _sheet(book: pd.ExcelFile, name: str) -> pd.DataFrame | None:
    """The cells below the first row that names at least two columns; None for an empty sheet or a mere text."""
    cells: pd.DataFrame = pd.read_excel(book, sheet_name=name, header=None, dtype=object)
    cells = cells.dropna(how="all").dropna(how="all", axis=1)
    if not len(cells):
        return None
    # Titles above a table fill one cell; the header is the first row that fills most.
    filled = cells.notna().sum(axis=1).to_numpy()
    start = int((filled >= max(1, 0.6 * filled.max())).argmax())
    texts = [["" if pd.isna(v) else _cell_text(v) for v in row] for row in cells.iloc[max(0, start - 1) : start + 1 + MOST_HEADER_ROWS].itertuples(index=False)]
    above, names, below = (texts[0] if start else []), texts[min(start, 1)], texts[min(start, 1) + 1 :]
    further = 0
    while further < len(below) and _continues(names, below[further], cells.iloc[start + 1 + further]):
        names, further = _one_header(names, below[further]), further + 1
    if above and len({n for n in names if n}) < sum(n != "" for n in names):
        names = _one_header(above, names)
    frame = cells.iloc[start + 1 + further :].reset_index(drop=True)
    frame.columns = pd.Index(names)
    return frame


def _continues(names: list[str], row: list[str], cells: pd.Series) -> bool:
    """Whether a row goes on with the header: all of it texts that name nameless columns, repeat a name, or divide what one name stands over."""
    fills = [place for place, text in enumerate(row) if text and not names[place]]
    spans = {place for place in range(len(names) - 1) if names[place] and not names[place + 1] and row[place + 1]}
    words = all(isinstance(cells.iloc[place], str) for place, text in enumerate(row) if text)
    return bool(fills) and words and all(not text or not names[place] or text == names[place] or place in spans for place, text in enumerate(row))


def _one_header(upper: list[str], lower: list[str]) -> list[str]:
    """Two header rows as one: the lower name, with the upper one before it where the lower is not the only one of its kind."""
    names, over = [], ""
    for top, low in zip(upper, lower, strict=True):
        over = top or (over if low else "")
        alone = low == over or not over or lower.count(low) == 1
        names.append(top if not low else low if alone else f"{over} {low}")
    return names


def _refuse_bomb(path: Path, source: str) -> None:
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UserError(f"{source}: not a readable workbook ({_first_line(error)})") from None
    if total > MAX_UNPACKED or total > max(MAX_RATIO * path.stat().st_size, 64 << 20):
        raise UserError(f"{source}: unpacks to {total >> 20} MiB, far more than a table would; save the sheet as CSV")


def read_statistics(path: Path, source: str) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """A Stata, SAS or SPSS file; coded values under their labels where the file has labels. Raises UserError."""
    suffix = path.suffix.lower()
    readers: dict[str, Callable[[], Any]] = {
        ".dta": lambda: pd.read_stata(path, convert_categoricals=True),
        ".sas7bdat": lambda: pd.read_sas(path, format="sas7bdat", encoding="infer"),
        ".xpt": lambda: _read_with_pyreadstat("read_xport", path) if _is_xport_8(path) else pd.read_sas(path, format="xport", encoding="utf-8"),
        ".por": lambda: _read_with_pyreadstat("read_por", path, apply_value_formats=True),
        ".sav": lambda: pd.read_spss(path),
        ".zsav": lambda: pd.read_spss(path),
    }
    try:
        frame = readers[suffix]()
    except ImportError:
        what = "SAS transport files of version 8" if suffix == ".xpt" else "SPSS files"
        raise UserError(
            f"{source}: to read {what} install the package pyreadstat (pip install 'multifair-dashboard[spss]'), or save the table as CSV"
        ) from None
    except Exception as error:  # noqa: BLE001 - damaged files fail in these readers in every way
        raise UserError(f"{source}: not a readable {suffix} file ({_first_line(error)}); save the table as CSV") from None
    coded = [str(c) for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)]
    finding = Finding(
        "value-labels",
        "info",
        f"values are read under the labels that the file gives them in {listed(coded)}",
        len(frame),
        "Export without labels if the codes themselves are wanted.",
        tuple(coded),
    )
    return frame, (finding,) if coded else ()


def _is_xport_8(path: Path) -> bool:
    """Whether a SAS transport file is of version 8, which pandas does not read."""
    with path.open("rb") as file:
        return b"LIBV8" in file.read(80)


def _read_with_pyreadstat(reader: str, path: Path, **options: Any) -> pd.DataFrame:
    pyreadstat = importlib.import_module("pyreadstat")
    frame: pd.DataFrame = getattr(pyreadstat, reader)(str(path), **options)[0]
    return frame


def as_arrow(frame: pd.DataFrame) -> list[pa.ChunkedArray]:
    """Each column as numbers where all of it is, else as text with null where there is nothing."""
    return [_column(frame.iloc[:, place]) for place in range(frame.shape[1])]


def _column(values: pd.Series) -> pa.ChunkedArray:
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return pa.chunked_array([pa.array(values, from_pandas=True)])
    texts = [None if _nothing(v) else _cell_text(v) for v in values]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _nothing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and value != value)


def _cell_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    text = str(value)
    return text.removesuffix(" 00:00:00").strip()


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
