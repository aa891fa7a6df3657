"""CSV for spreadsheets: text from outside must not become a formula there."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

FORMULA = re.compile(r"^\s*[=+\-@]|^\t")
NUMBER = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?\s*$")


def harmless(value: Any) -> Any:
    """The cell with an apostrophe in front where a spreadsheet would run it; numbers, also as text, stay as they are.

    Spreadsheets take a cell that begins with =, +, - or @ (or with a tab or line end before it) for a
    formula, whatever quotation marks surround it (OWASP, CSV injection).
    """
    if not isinstance(value, str):
        return value
    # A bare carriage return would end the row for some programs.
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if FORMULA.match(text) and not NUMBER.match(text) else text


def csv_text(frame: pd.DataFrame, **options: Any) -> str:
    """The frame as CSV text without its index; `options` as `DataFrame.to_csv` takes them."""
    safe = frame.rename(columns=harmless)
    for place in range(safe.shape[1]):
        column = safe.iloc[:, place]
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)):
            safe.isetitem(place, column.map(harmless).to_numpy(dtype=object))
    return str(safe.to_csv(**{"index": False, "lineterminator": "\n", **options}))
