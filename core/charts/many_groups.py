"""Attributes with more groups than a chart can show: the worst, the best, and those that a reader asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

MOST_COLOURS = 8
"""Groups that colours, or the cells of a matrix, still tell apart."""
MOST_ROWS = 20
"""Rows of a forest plot that are read without scrolling far."""


def drawn_groups(groups: Sequence[str], values: Mapping[str, float], most: int, searched: Collection[str] = ()) -> tuple[str, ...]:
    """Those of `groups` that a chart draws, in their order: all of them where they are few, else the lowest and the highest half of `most`.

    Parameters
    ----------
    values : group -> what they are ranked by; groups without one are drawn only where there is room, or when searched for.
    searched : groups that are drawn whatever their value.
    """
    if len(groups) <= most:
        return tuple(groups)
    ranked = sorted((group for group in groups if group in values), key=lambda group: values[group])
    half = most // 2
    chosen = {*ranked[:half], *ranked[-half:]}
    chosen |= set([group for group in groups if group not in chosen][: max(0, most - len(chosen))]) | set(searched)
    return tuple(group for group in groups if group in chosen)


def ranking(frame: pd.DataFrame) -> dict[str, float]:
    """Mean `value` of each group over runs or models, of those that have one."""
    known = frame[frame["group"].notna() & frame["value"].notna()]
    return {str(group): float(value) for group, value in known.groupby("group", sort=False)["value"].mean().items()}


def said(drawn: int, of: int) -> str:
    """What a note says of the groups that are not drawn; empty where all are."""
    return "" if drawn >= of else f" Drawn: {drawn} of {of} groups, those with the lowest and the highest value and those searched for; the table has all."
