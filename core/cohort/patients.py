"""Whose row is it? Patients that are named in paths only, and ids that are one patient written in several ways."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.tables import column_names as usual
from core.tables.column_names import tidy

PATH_PATIENT = "patient in "
"""What a column of patients that were read from the paths of another column begins with."""
_NAMED = re.compile(r"^(?:(?:patient|subject|sub|subj|participant|pat|case|person)[-_ ]?[\w-]*\d[\w-]*|p\d{3,})$", re.IGNORECASE)


def add_path_patients(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column of the patients that its paths name, where no column of its own does.

    A folder such as `patient00001`, `sub-01` or `p10000032` counts when every path has one at the
    same depth; of several depths the one with the most different names.
    """
    if any(tidy(column) in usual.PATIENT for column in table.columns):
        return table
    for column in table.columns:
        values = table[column].dropna().astype(str)
        if len(values) < max(2, 0.9 * len(table)) or not values.str.contains(r"[/\\]").mean() > 0.9:
            continue
        found = _patients(values)
        if found is not None:
            return table.assign(**{f"{PATH_PATIENT}{column}": found.reindex(table.index).astype(object).where(found.reindex(table.index).notna(), None)})
    return table


def _patients(paths: pd.Series) -> pd.Series | None:
    parts = paths.str.replace("\\", "/", regex=False).str.split("/")
    folders = parts.map(lambda p: p[:-1])
    depth = int(folders.map(len).min())
    best: pd.Series | None = None
    for level in range(depth):
        names = folders.map(lambda p, level=level: p[level])
        if names.map(lambda n: bool(_NAMED.match(n))).all() and names.nunique() > 1 and (best is None or names.nunique() > best.nunique()):
            best = names
    return best


def same_patients(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Ids in one way of writing: 0007, 7 and 7.0 as the first of them, and words without regard to case."""
    first: dict[str, str] = {}
    one_way = {}
    for value in dict.fromkeys(values):
        key = _plain(str(value))
        one_way[value] = first.setdefault(key, value)
    return np.array([one_way[v] for v in values], dtype=object)


def _plain(value: str) -> str:
    text = value.strip().casefold()
    if re.fullmatch(r"\d+(\.0+)?", text):
        return str(int(text.split(".")[0]))
    return text
