"""Tables whose numbers are written as everywhere else: .842, −.048, 12 345. They sort by the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.text import count, decimal, missing

NOTHING = "—"
SMALL = 0.0005
"""Below it three decimals would say zero."""
MOST_OPEN = 40
"""Rows that a table shows without scrolling inside it."""


def full_table(frame: Any, alt: str, pinned: str | None = None, **more: Any) -> None:
    """A table as high as its rows; beyond MOST_OPEN of them it scrolls inside.

    frame : a DataFrame or a Styler. pinned : the column that stays when a narrow screen scrolls the others sideways.
    """
    rows = len(getattr(frame, "data", frame))
    if pinned is not None:
        more["column_config"] = {**more.get("column_config", {}), pinned: st.column_config.Column(pinned=True)}
    st.dataframe(frame, hide_index=True, width="stretch", height="content" if rows <= MOST_OPEN else "auto", placeholder=NOTHING, alt=alt, **more)


def numbers(frame: pd.DataFrame, written: Mapping[str, Callable[[Any], str]] | None = None) -> Any:
    """`frame` as a Styler for `st.dataframe`: whole numbers with thin spaces, others with three decimals.

    written : columns whose numbers are written in another way, such as shares in percent.
    """
    formats: dict[str, Any] = dict(written or {})
    for name in frame.columns:
        column = frame[name]
        if name in formats or pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
            continue
        known = column.dropna().to_numpy(dtype=np.float64)
        formats[str(name)] = (
            _whole if pd.api.types.is_integer_dtype(column) or (bool((known == np.round(known)).all()) and known.size and np.abs(known).max() > 1) else _number
        )
    return frame.style.format(formats, na_rep=NOTHING)


def _whole(value: float) -> str:
    return NOTHING if missing(value) else count(value)


def _number(value: float) -> str:
    if missing(value):
        return NOTHING
    value = float(value)
    return f"{value:.1e}".replace("-", "\u2212") if 0 < abs(value) < SMALL else decimal(value)
