"""A table as it is read, in whatever format: its columns, and its cells as text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.report.document import TableBlock
from core.report.readable import readable
from core.report.tables import plain

UNDEFINED = "–"


def columns(block: TableBlock) -> list[tuple[str, bool]]:
    """Heading of each column, and whether it holds numbers."""
    frame = block.display
    return [(readable(str(name)), _is_number(frame.iloc[:, place])) for place, name in enumerate(frame.columns)]


def rows(block: TableBlock, most: int) -> Iterator[list[str]]:
    """The first `most` rows, cell by cell."""
    for row in block.display.head(most).itertuples(index=False, name=None):
        yield [cell_text(value) for value in row]


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column)) and not pd.api.types.is_bool_dtype(column)


def cell_text(value: Any) -> str:
    """A cell as text: whole numbers whole, others with four significant digits, undefined as a dash."""
    value = plain(value)
    if value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value.is_integer() and math.fabs(value) < 1e15:
            return str(int(value))
        return f"{value:.4g}"
    return readable(str(value))
