"""Tables whose groups are written as people read them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from core.tables.group_names import group_label, group_order

__all__ = ["group_label", "group_order", "labelled", "labelled_rows"]

COLUMNS = ("group", "group_b", "positive", "negative", "group_a", "group_low", "group_high", "reference")
"""Columns of tables that hold names of groups."""


def labelled(frame: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """`frame` with the groups of one attribute under their labels."""
    return _renamed(frame, [attribute] * len(frame))


def labelled_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The same where each row names its own `attribute`."""
    return _renamed(frame, map(str, frame["attribute"]))


def _renamed(frame: pd.DataFrame, attributes: Iterable[str]) -> pd.DataFrame:
    own = list(attributes)
    names = [name for name in COLUMNS if name in frame.columns]
    return frame.assign(
        **{
            name: [group_label(attribute, value) if isinstance(value, str) else value for attribute, value in zip(own, frame[name], strict=True)]
            for name in names
        }
    )
