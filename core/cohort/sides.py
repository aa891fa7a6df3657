"""Which eye or breast, and which view: columns for what only the names of the files say."""

from __future__ import annotations

import re

import pandas as pd

from core.tables.column_names import tidy

SIDE_IN, VIEW_IN = "side in ", "view in "
"""What a column that was read from the file names of another column begins with."""
SIDES = {"od": "right", "os": "left", "right": "right", "left": "left", "r": "right", "l": "left", "re": "right", "le": "left"}
VIEWS = {
    **dict.fromkeys(("frontal", "front"), "frontal"),
    **{view: view for view in ("lateral", "ap", "pa", "ll", "cc", "mlo", "axial", "coronal", "sagittal", "macula", "disc")},
}
_OF_SIDE = frozenset({"laterality", "image_laterality", "side", "eye", "exam_eye", "eye_side", "which_eye"})
_OF_VIEW = frozenset({"view", "view_position", "viewposition", "projection", "frontal_lateral", "ap_pa"})


def add_sides(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of the side and the view that the names of its files say, where no column of its own does.

    `RET001OD.jpg`, `17_left.png` and `view1_frontal.jpg` say one. Every row must name one, and not all the same.
    """
    there = {tidy(column) for column in table.columns}
    for begin, words, own in ((SIDE_IN, SIDES, _OF_SIDE), (VIEW_IN, VIEWS, _OF_VIEW)):
        if there & own:
            continue
        for column in table.columns:
            found = _said(table[column], words)
            if found is not None:
                table = table.assign(**{f"{begin}{column}": found})
                break
    return table


def _said(names: pd.Series, words: dict[str, str]) -> pd.Series | None:
    """One of the words per row, as the last part of the names says it; None where some row does not, or all say the same."""
    if len(names) < 2 or not isinstance(names.iloc[0], str) or _word(names.iloc[0], words) is None or names.isna().any():
        return None
    found = [_word(str(name), words) for name in names]
    # Two or more sides over names that differ: a column of the words themselves is one of its own.
    if None in found or len(set(found)) < 2 or names.nunique() <= len(set(found)):
        return None
    return pd.Series(found, index=names.index, dtype=object)


def _word(name: str, words: dict[str, str]) -> str | None:
    stem = re.sub(r"\.\w{2,5}$", "", name.replace("\\", "/").rsplit("/", 1)[-1])
    parts = [words[p] for p in re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower()) if p in words]
    return parts[0] if len(set(parts)) == 1 else None
