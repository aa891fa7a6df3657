"""Files whose names are put together from several columns: subject/study/image, patient_eye."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd

from core.cohort.matching import MEDIA, is_web_address, share_found
from core.cohort.sources import ImageSource
from core.errors import UserError

MOST_COLUMNS = 6
LOOKED_UP = 40
NEEDED = 0.9
"""Share of the rows whose file must be found before a rule is believed."""
SIGNS = ("/", "_", "-", "")


def add_composed_names(table: pd.DataFrame, source: ImageSource) -> pd.DataFrame:
    """The table with a column of file names put together from two or three others, where no single column names the source's files.

    The column is called by its rule (`subject/study/image`). A rule counts when nine in ten rows name
    one file each, and no two of these rows the same.
    """
    if not _has_files(source) or any(_names_files(table[c], source) for c in table.columns):
        return table
    columns = [c for c in table.columns if _may_be_part(table[c])][:MOST_COLUMNS]
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), LOOKED_UP)).astype(int))
    sample = table.iloc[rows]
    for size in (2, 3):
        for chosen in permutations(columns, size):
            for sign in SIGNS:
                names = _joined(sample, chosen, sign)
                if len(set(names)) == len(names) and share_found(source, names)[0] >= NEEDED:
                    return table.assign(**{(sign or "+").join(chosen): pd.Series(_joined(table, chosen, sign), index=table.index, dtype=object)})
    return table


def _has_files(source: ImageSource) -> bool:
    try:
        return any(name.lower().endswith(MEDIA) for name in source.names())
    except UserError:
        return False


def _names_files(values: pd.Series, source: ImageSource) -> bool:
    texts = values.dropna().drop_duplicates().astype(str)
    if len(texts) < 2:
        return False
    if texts.str.lower().str.endswith(MEDIA).mean() > 0.9:
        return True
    some = texts.iloc[np.linspace(0, len(texts) - 1, min(len(texts), LOOKED_UP)).astype(int)].tolist()
    return len(texts) >= 0.5 * len(values) and share_found(source, some)[0] >= 0.5


def _may_be_part(values: pd.Series) -> bool:
    """Short words or whole numbers, without gaps, and more than one of them."""
    if values.isna().any() or values.nunique() < 2:
        return False
    texts = values.drop_duplicates().head(200).astype(str)
    return bool(texts.str.len().max() <= 60 and not texts.str.contains(r"\s|^[-+]?\d*\.\d+$", regex=True).any() and not is_web_address(texts.iloc[0]))


def _joined(table: pd.DataFrame, columns: tuple[str, ...], sign: str) -> list[str]:
    return [sign.join(row) for row in table[list(columns)].astype(str).itertuples(index=False, name=None)]
