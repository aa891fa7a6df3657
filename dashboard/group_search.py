"""The search among many groups: a page opens with the worst and the best, and shows whom a reader asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.charts.many_groups import MOST_COLOURS, drawn_groups
from core.tables.group_names import group_label
from dashboard.selection_bar import View


def group_search(groups: Sequence[str], most: int, key: str, labels: Mapping[str, str] | None = None) -> list[str]:
    """The groups that the reader wants to see; nothing is drawn where a chart shows all of them. The link names them."""
    if len(groups) <= most:
        return []
    names = labels or {}
    return st.multiselect(
        f"Search among {len(groups)} groups",
        list(groups),
        key=key,
        bind="query-params",
        format_func=lambda group: names.get(group, group),
        max_selections=MOST_COLOURS,
        placeholder="The lowest and the highest are shown",
        help=f"Charts with a colour or a cell for each group show at most {MOST_COLOURS}: those chosen here, else the lowest and the highest.",
        width=420,
    )


def colored_groups(groups: Sequence[str], values: Mapping[str, float], searched: Sequence[str]) -> tuple[str, ...]:
    """The groups of charts in which each has a colour: those chosen, else the lowest and the highest."""
    if searched and len(groups) > MOST_COLOURS:
        return tuple(group for group in groups if group in searched)
    return drawn_groups(groups, values, MOST_COLOURS)


def searched_view(view: View, values: Mapping[str, float]) -> tuple[View, list[str]]:
    """The view whose charts by group show the chosen groups; and the labels of the chosen ones. `values`: group -> AUC."""
    labels = {group: group_label(view.attribute or "", group) for group in view.groups}
    chosen = group_search(view.groups, MOST_COLOURS, f"groups-of-{view.attribute}", labels)
    return replace(view, shown=colored_groups(view.groups, values, chosen)), [labels[group] for group in chosen]
