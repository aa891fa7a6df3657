"""Ids of patients: one patient written in several ways, and columns that only number the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.tables.column_names import tidy

_INDEX_NAMES = re.compile(
    r"unnamed(: ?\d+)?|index|idx|level 0|x1?|v1|rn|row ?(nr|no|num|number|names?|id)?|(row)?names|(s|sr|sl|seq)? ?(nr|no|num)|lfd ?(nr)?|laufende ?(nr|"
    r"nummer)|obs( ?(id|no|nr))?|observation|record( ?(no|nr))?"
    r"|serial( ?(no|number))?|sequence|seq|zeile(nnummer)?|ligne|fila|linha|riga|n|num(ero|éro|mer)?|序号|编号|番号|行号|번호|№"
)


_COUNT = re.compile(r"\d+(\.0)?")


def same_ids(ids: Sequence[str]) -> dict[str, str]:
    """Each id -> the first one that is the same in another way of writing: 0007, 7 and 7.0; P1 and p1."""
    first: dict[str, str] = {}
    return {value: first.setdefault(one_form(value), value) for value in dict.fromkeys(ids)}


_GROUPED = re.compile(r"\d{1,3}(,\d{3})+")
_POWER = re.compile(r"\d\.\d+e\+?\d{1,2}")
_NUMBER = re.compile(r"\d+(\.0+)?")


def one_form(value: str) -> str:
    """An id in one way of writing: 0007, 7 and 7.0; P1 and p1."""
    text = value.strip().casefold()
    if not text[:1].isdigit():
        return text
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if _POWER.fullmatch(text) and float(text).is_integer():
        text = str(int(float(text)))
    # By its digits: Python reads no number of 5,000.
    return (text.partition(".")[0].lstrip("0") or "0") if _NUMBER.fullmatch(text) else text


_ANY_DIGIT = str.maketrans("123456789", "000000000")


def loosely_alike(ids: Sequence[str]) -> list[list[str]]:
    """Ids that differ only in signs between letters and numbers or in zeros in front of these (`P-0`, `p0`, `P 00`): probably one, and not taken as one."""
    # Ids of one form (P0001, P0002, ...) differ in their numbers, which are written alike.
    if len({value.translate(_ANY_DIGIT) for value in ids}) <= 1:
        return []
    found: dict[str, list[str]] = {}
    prefixes = {re.sub(r"\d+$", "", v.casefold()).strip(" -_") for v in ids}
    # MRN00012 beside 12: numbers with and without one word in front of them.
    bare = len(prefixes) == 2 and "" in prefixes and all(p.isalpha() for p in prefixes if p)
    for value in dict.fromkeys(ids):
        parts = re.findall(r"\d+" if bare else r"[^\W\d_]+|\d+", value.casefold())
        found.setdefault("|".join(str(int(p)) if p.isdecimal() else p for p in parts), []).append(value)
    return [several for key, several in found.items() if key and len({one_form(v) for v in several}) > 1]


def numbers_rows(column: str, values: pd.Series) -> bool:
    """Whether a column only counts the rows: 0, 1, 2, ... or 1, 2, 3, ..., or an index under one of its usual names."""
    if not len(values) or not _COUNT.fullmatch(str(values.iloc[0])) or values.nunique() < len(values):
        return False
    if not all(_COUNT.fullmatch(str(value)) for value in values):
        return False
    numbers = pd.to_numeric(values).to_numpy()
    steps = np.diff(numbers)
    # 0, 1, 2, ... and 1000, 1003, 1006, ... in the order of the table, or each number from 0 or 1 on once in any order.
    in_order = len(numbers) > 2 and bool(np.all(steps == steps[0])) and (numbers[0] in (0, 1) or len(numbers) > 10)
    in_order |= len(numbers) > 10 and numbers.min() in (0, 1) and int(numbers.max() - numbers.min()) == len(numbers) - 1
    return bool(in_order) or bool(_INDEX_NAMES.fullmatch(tidy(column).replace("_", " ").strip()) or re.match(r"Unnamed: ?\d|\.\.\.1$|^[#№]$", column.strip()))
