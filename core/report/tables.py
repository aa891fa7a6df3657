"""Tables as CSV text and as JSON records: undefined values stay empty or null, never 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.tables import csv_export


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: NaN, NaT and infinities become null; numpy scalars, numbers.

    Raises
    ------
    TypeError
        For what has no JSON form.
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (pd.Timestamp,)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings of column to plain value."""
    columns = [str(name) for name in frame.columns]
    return [{name: plain(value) for name, value in zip(columns, row, strict=True)} for row in frame.itertuples(index=False, name=None)]


def csv_text(frame: pd.DataFrame) -> str:
    """Comma-separated, one header line, `.` as the decimal sign, empty where undefined; no cell is a formula."""
    return csv_export.csv_text(frame)
