"""Gradient conflict for readers who are no specialists: what it is, how much there is, what each method does, what the groups get."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.charts.text import decimal, missing, percent
from core.methods.source import cards
from core.results import group_tables
from core.results.answers import UNRELATED
from dashboard.escape import md
from dashboard.number_table import NOTHING
from dashboard.selection_bar import View

WHAT = (
    "A training step changes the network in the direction that helps most on average. A modality's own direction may agree with it or work "
    "against it: that is a conflict. "
    "Directions that have nothing to do with each other disagree in half of all steps, so only more than half is more than chance."
)


def conflict_table(view: View, telemetry: pd.DataFrame) -> None:
    """A row per run, in words; what specialists read is below it."""
    st.markdown(md(WHAT))
    # A table of text wraps; a grid of cells would cut what the methods do. Its cells are Markdown.
    st.table(_rows(view, telemetry).map(md).set_index("Method"))


def _rows(view: View, telemetry: pd.DataFrame) -> pd.DataFrame:
    shares = telemetry[
        (telemetry["name"] == "conflict.fused") & (telemetry["stat"] == "share_negative") & telemetry["value"].notna() & (telemetry["epoch"] >= 0)
    ]
    means = shares.groupby(["run_id", "modality"], sort=False)["value"].mean()
    groups = group_tables.group_performance(view.store, view.run_ids, view.attribute) if view.attribute else pd.DataFrame(columns=["run_id", "group", "value"])
    methods = dict(zip(view.runs["run_id"], view.runs["method"], strict=True))
    rows = []
    for run_id, name in view.names.items():
        own = means[means.index.get_level_values(0) == run_id]
        known = groups[(groups["run_id"] == run_id) & groups["group"].notna() & groups["value"].notna()].sort_values("value")
        rows.append(
            {
                "Method": name,
                "Steps in conflict": _conflict(own),
                "More than chance?": "not measured" if own.empty else "yes" if own.max() > UNRELATED else "no",
                "What the method does": cards()[methods[run_id]].summary if methods[run_id] in cards() else NOTHING,
                "Lowest group AUC (test)": NOTHING if known.empty else f"{decimal(known.iloc[0]['value'])} ({view.labelled(known).iloc[0]['group']})",
            }
        )
    return pd.DataFrame(rows)


def _conflict(shares: pd.Series) -> str:
    """`47% (clinical)`: the modality that is against the average most often."""
    if shares.empty or missing(float(shares.max())):
        return NOTHING
    return f"{percent(shares.max())} ({shares.index.get_level_values(1)[int(shares.to_numpy().argmax())]})"
