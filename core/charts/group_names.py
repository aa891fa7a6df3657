"""Groups as people read them: bands in the order of their edges, numbers with the attribute that they are of."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

BAND = re.compile(r"^\s*(?P<below><=?|\u2264|under |below |up to )?\s*(?P<edge>-?\d+(?:\.\d+)?)(?P<rest>.*)$", re.IGNORECASE)
NUMBER = re.compile(r"^-?\d+(?:\.\d+)?$")
COLUMNS = ("group", "group_b", "positive", "negative", "group_a", "group_low", "group_high")
"""Columns of tables that hold names of groups."""


def group_order(groups: Iterable[str]) -> tuple[str, ...]:
    """`<40, 40-59, 60-74, 75+` and `2, 3, 10` by their numbers; names that are not all numbers or bands by the alphabet."""
    names = sorted(map(str, groups))
    found = [BAND.match(name) for name in names]
    if not all(found):
        return tuple(names)
    places = {name: (float(band["edge"]), 0 if band["below"] else 1, band["rest"]) for name, band in zip(names, found, strict=True) if band}
    return tuple(sorted(names, key=places.__getitem__))


def group_label(attribute: str, group: str) -> str:
    """A bare number says nothing outside its column: `2` of skin_type is `skin type 2`."""
    return f"{attribute.replace('_', ' ')} {group}" if NUMBER.match(group) else group


def labelled(frame: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """`frame` with the groups of one attribute under their labels."""
    names = [name for name in COLUMNS if name in frame.columns]
    return frame.assign(**{name: [group_label(attribute, value) if isinstance(value, str) else value for value in frame[name]] for name in names})
