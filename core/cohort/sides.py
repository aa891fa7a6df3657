"""Which eye or breast, and which view: columns for what only the files say, in their names or in DICOM's tags."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from core.cohort.dicom import HEAD, side_and_view
from core.cohort.sources import ImageSource, Unreadable
from core.errors import UserError
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


DICOM = (".dcm", ".dicom")
LOOKED_AT = 5
"""Files that are looked at before all are: where these say nothing, none is asked."""


def add_sides(table: pd.DataFrame, source: ImageSource | None = None) -> pd.DataFrame:
    """The table with columns of the side and the view that its files say, where no column of its own does.

    `RET001OD.jpg`, `17_left.png` and `view1_frontal.jpg` say one in their names: every row must name one, and not all the same.
    DICOM files of `source` say one in their tags; rows whose file does not are empty.
    """
    there = {tidy(column) for column in table.columns}
    for place, (begin, words, own) in enumerate(((SIDE_IN, SIDES, _OF_SIDE), (VIEW_IN, VIEWS, _OF_VIEW))):
        if there & own:
            continue
        said = next(((c, found) for c in table.columns if (found := _said(table[c], words)) is not None), None)
        if said is None and source is not None and _holds_dicom(source):
            # The column whose values differ most names the files: an age may happen to be a file's number.
            columns = sorted(table.columns, key=lambda c: -table[c].nunique())
            said = next(((c, found) for c in columns if (found := _tagged(table[c], source, place)) is not None), None)
        if said is not None:
            table = table.assign(**{f"{begin}{said[0]}": said[1]})
    return table


def _holds_dicom(source: ImageSource) -> bool:
    try:
        return any(name.lower().endswith(DICOM) for name in source.names())
    except UserError:
        return False


def _tagged(values: pd.Series, source: ImageSource, place: int) -> pd.Series | None:
    """The side (0) or view (1) that the tags of a column's DICOM files say; None where it names no such files, or all say the same."""
    names = _dicom_names(values, source)
    if names is None:
        return None
    some = [name for name in names if name is not None][:LOOKED_AT]
    if all(said[place] is None for said in _tags(source, some)):
        return None
    said = dict(zip(names, _tags(source, names), strict=True))
    found = pd.Series([said[name][place] for name in names], index=values.index, dtype=object)
    return found.where(found.notna(), None) if found.nunique() > 1 else None


def _dicom_names(values: pd.Series, source: ImageSource) -> list[str | None] | None:
    """The DICOM file of each value; None for a column whose first values name none."""
    first = values.head(20 * LOOKED_AT).dropna().head(LOOKED_AT).astype(str)
    if first.empty:
        return None
    if not any((source.resolve(text).name or "").lower().endswith(DICOM) for text in first):
        return None
    known = {text: source.resolve(str(text)).name for text in values.dropna().unique()}
    return [None if pd.isna(text) else name if (name := known[text]) and name.lower().endswith(DICOM) else None for text in values]


def _tags(source: ImageSource, names: Sequence[str | None]) -> list[tuple[str | None, str | None]]:
    """Side and view of each file; both None where there is no file."""

    def look(name: str | None) -> tuple[str | None, str | None]:
        if name is None:
            return None, None
        try:
            return side_and_view(source.head(name, HEAD))
        except Unreadable:
            return None, None

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(look, names))


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
