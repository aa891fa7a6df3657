"""Whose row is it? Patients that are named in paths only, and ids that are one patient written in several ways."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.tables import column_names as usual
from core.tables.column_names import tidy
from core.tables.identifiers import same_ids

PATH_PATIENT = "patient in "
"""What a column of patients that were read from the paths of another column begins with."""
_NAMED = re.compile(r"^(?:(?:patient|subject|sub|subj|participant|pat|case|person)[-_ ]?[\w-]*\d[\w-]*|p\d{3,})$", re.IGNORECASE)


def add_path_patients(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column of the patients that its paths name, where no column of its own does.

    A folder such as `patient00001`, `sub-01` or `p10000032` counts when every path has one at the
    same depth; of several depths the one with the most different names. Ids that end in a side
    (`RET001OD`, `RET001OS`) name the patient in front of it.
    """
    if any(usual.names_patient(column) for column in table.columns):
        return table
    for column in table.columns:
        values = table[column].dropna()
        # One value in ten may lack a folder: of the first fifty, a column of paths has some.
        if len(values) < max(2, 0.9 * len(table)) or not any(sign in str(v) for v in values.iloc[:50] for sign in "/\\"):
            continue
        values = values.astype(str)
        if not values.str.contains(r"[/\\]").mean() > 0.9:
            continue
        found = _patients(values)
        if found is not None:
            return _with(table, column, found)
    for column in table.columns:
        values = table[column]
        named = tidy(column) in usual.SAMPLE
        if not len(values) or not isinstance(values.iloc[0], str) or values.isna().any():
            continue
        sided = bool(_DIGIT_THEN_SIDE.search(values.iloc[0])) and values.nunique() > 0.9 * len(values)
        if not (named or sided or _FIRST.match(_last_part(values.iloc[0]))):
            continue
        found = _named_first(values)
        if found is None and (named or sided):
            found = persons_of_sides(values)
        if found is not None:
            return _with(table, column, found)
    return table


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _named_first(names: pd.Series) -> pd.Series | None:
    """The patients that file names begin with (`Pat12_scan1.png`, `sub-03_ses-1`), where every name has one and some share it."""
    last = names.str.replace("\\", "/", regex=False).str.rsplit("/", n=1).str[-1]
    found = last.str.extract(_FIRST)[0]
    if found.isna().any() or not 2 <= found.nunique() < len(found):
        return None
    return found


def shared_beginnings(names: pd.Series) -> pd.Series | None:
    """What names begin with before their last number or word, where many share it (`00000013_005.png`): perhaps the patients. None for others."""
    stems = names.drop_duplicates().str.replace("\\", "/", regex=False).str.rsplit("/", n=1).str[-1].str.replace(r"\.\w{2,5}$", "", regex=True)
    begin = stems.str.extract(r"^(.*\d[^-_ .]*)[-_ .]+[^-_ .]+$")[0]
    if begin.isna().any() or not 0.02 * len(begin) < begin.nunique() <= 0.8 * len(begin) or begin.nunique() < 5:
        return None
    return begin


def shared_folders(paths: pd.Series) -> pd.Series | None:
    """The folders with a number in their names that several paths share (`000/eye1/img.png`): perhaps the patients. None for others."""
    parts = paths.drop_duplicates().str.replace("\\", "/", regex=False).str.split("/")
    depth = int(parts.map(len).min()) - 1
    found = [parts.str[level] for level in range(max(depth, 0))]
    many = [f for f in found if 5 <= f.nunique() <= 0.8 * len(f) and f.nunique() > 0.02 * len(f) and f.str.contains(r"\d").mean() > 0.9]
    return max(many, key=lambda f: f.nunique(), default=None)


_CODE = re.compile(r"[A-Za-z]{0,12}[-_]?\d{2,}|[0-9a-f]{6,}(?:-[0-9a-f]+)*|[A-Za-z]+[-_]?\d+[A-Za-z]?", re.IGNORECASE)


def looks_like_patients(values: pd.Series, rows: int) -> bool:
    """Whether words such as `IP_0012` or hashes stand on a few rows each: ids of something that several rows share."""
    n = values.nunique()
    if len(values) < 0.9 * rows or not max(10, 0.02 * rows) < n <= 0.8 * len(values) or values.value_counts().iloc[0] > 0.1 * rows:
        return False
    some = values.drop_duplicates().head(200)
    return bool(some.map(lambda v: _CODE.fullmatch(v) is not None and any(c.isalpha() for c in v)).mean() > 0.9)


def _with(table: pd.DataFrame, column: str, patients: pd.Series) -> pd.DataFrame:
    filled = patients.reindex(table.index).astype(object)
    return table.assign(**{f"{PATH_PATIENT}{column}": filled.where(filled.notna(), None)})


def persons_of_sides(names: pd.Series) -> pd.Series | None:
    """The patients of ids that end in an eye, side or visit (`RET001OD`, `17_left`, `17-V2`); None where these do not come in pairs."""
    plain = names.str.replace(r"\.\w{2,5}$", "", regex=True)
    for pattern in (_SIDE, _VISIT):
        if not len(plain) or pattern.search(plain.iloc[0]) is None:
            continue
        parts = plain.str.extract(pattern)
        if not parts[0].isna().any() and parts[1].str.lower().nunique() > 1 and parts[0].nunique() <= 0.8 * len(parts):
            return parts[0]
    return None


_FIRST = re.compile(r"^((?:patient|patients|subject|sub|subj|participant|pat|case|person|proband|paciente|p)[-_ ]?\d+)(?=[-_ .]|$)", re.IGNORECASE)
_VISIT = re.compile(
    r"^(.+?)[-_ ]((?:v|visit|ses|session|t|tp|exam|fu|visite|besuch|m|mo|month|w|wk|week|d|day|y|yr|year|scan)[-_ ]?\d+|bl|baseline|fu|pre|post)$",
    re.IGNORECASE,
)
_DIGIT_THEN_SIDE = re.compile(
    r"\d[-_ ]?(?:od|os|left|right|l|r|re|le)(?:\.\w{2,5})?$"
    r"|\d[-_ ]+(?:(?:v|visit|ses|session|t|tp|fu|m|month|w|week|d|day|y|year)[-_ ]?\d+|bl|baseline|pre|post)(?:\.\w{2,5})?$",
    re.IGNORECASE,
)
"""A number and then a side or visit: an id of a part of a patient, whatever its column is called."""
_SIDE = re.compile(r"^(.+?)[-_ ]?(od|os|left|right|l|r|re|le)$", re.IGNORECASE)


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
    codes, uniques = pd.factorize(values, use_na_sentinel=True)
    known = same_ids([str(v) for v in uniques])
    return np.array([*(known[str(v)] for v in uniques), None], dtype=object)[codes]
