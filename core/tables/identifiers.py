"""Ids of patients: one patient written in several ways, and columns that only number the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.tables.column_names import tidy

_INDEX_NAMES = re.compile(r"unnamed(: ?\d+)?|index|level 0|x1?|v1|row ?(nr|no|num|number|names?|id)?|(row)?names|nr|no")


def same_ids(ids: Sequence[str]) -> dict[str, str]:
    """Each id -> the first one that is the same in another way of writing: 0007, 7 and 7.0; P1 and p1."""
    first: dict[str, str] = {}
    return {value: first.setdefault(_plain(value), value) for value in dict.fromkeys(ids)}


def _plain(value: str) -> str:
    text = value.strip().casefold()
    return str(int(text.split(".")[0])) if re.fullmatch(r"\d+(\.0+)?", text) else text


def numbers_rows(column: str, values: pd.Series) -> bool:
    """Whether a column only counts the rows: 0, 1, 2, ... or 1, 2, 3, ..., or an index under one of its usual names."""
    if values.nunique() < len(values) or not values.astype(str).str.fullmatch(r"\d+(\.0)?").all():
        return False
    numbers = pd.to_numeric(values).to_numpy()
    in_order = len(numbers) > 2 and bool(np.all(np.diff(numbers) == 1)) and numbers[0] in (0, 1)
    return in_order or bool(_INDEX_NAMES.fullmatch(tidy(column).replace("_", " ").strip()) or re.match(r"Unnamed: ?\d|\.\.\.1$", column))
