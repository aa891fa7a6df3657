"""What the colours of a figure's panels mean: said once above them on a page, in each drawing of its own elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts.figure import Panel
from core.charts.theme import Look


def keyed_panel(draw: Callable[..., Any], what: Sequence[Any], heading: str) -> Panel:
    """A panel of `draw(*what, keyed, look, width)`, with its legend except on a page."""
    return Panel(partial(draw, *what, True), heading, live=partial(draw, *what, False))


def keyed_panels(rows: pd.DataFrame, names: Mapping[str, str], draw: Callable[..., Any], groups: Sequence[str]) -> tuple[Panel, ...]:
    """A keyed panel of `draw(rows of the run, groups, keyed, look, width)` for each run that has rows."""
    own = {run_id: rows[rows["run_id"] == run_id].reset_index(drop=True) for run_id in names}
    return tuple(keyed_panel(draw, (own[run_id], groups), name) for run_id, name in names.items() if len(own[run_id]))


def present_groups(rows: pd.DataFrame, groups: Sequence[str]) -> list[str]:
    """Those of `groups` that `rows` has, in their order."""
    return [g for g in groups if g in set(rows["group"])]


def group_key(present: Sequence[str], groups: Sequence[str], look: Look) -> dict[str, str]:
    """The colours of the groups that are there; `groups` are all of the attribute, which fix the colours."""
    colors = look.group_colors(groups)
    return {group: colors[group] for group in present}
