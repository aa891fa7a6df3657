"""Gradient conflict for readers who are no specialists: what it is, how much there is, what each method does, what the groups get."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from core.charts.seeds import over_seeds
from core.charts.text import decimal, percent
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


def conflict_table(view: View, telemetry: pd.DataFrame, method_of: Mapping[str, str] | None = None) -> None:
    """A row per run, in words; what specialists read is below it.

    method_of : run id -> id of its method in `view`, for a row per method with the mean and the range over its seeds.
    """
    st.markdown(md(WHAT))
    # A table of text wraps; a grid of cells would cut what the methods do. Its cells are Markdown.
    st.table(_rows(view, telemetry, method_of or {run: run for run in view.run_ids}).map(md).set_index("Method"))


def _rows(view: View, telemetry: pd.DataFrame, method_of: Mapping[str, str]) -> pd.DataFrame:
    shares = telemetry[
        (telemetry["name"] == "conflict.fused") & (telemetry["stat"] == "share_negative") & telemetry["value"].notna() & (telemetry["epoch"] >= 0)
    ]
    means = over_seeds(shares.groupby(["run_id", "modality"], sort=False)["value"].mean().reset_index(), method_of)
    groups = pd.DataFrame(columns=["run_id", "group", "value"])
    if view.attribute:
        groups = over_seeds(group_tables.group_performance(view.store, list(method_of), view.attribute), method_of)
    methods = dict(zip(view.runs["run_id"], view.runs["method"], strict=True))
    rows = []
    for run_id, name in view.names.items():
        own = means[means["run_id"] == run_id].sort_values("value", kind="stable")
        known = groups[(groups["run_id"] == run_id) & groups["group"].notna() & groups["value"].notna()].sort_values("value", kind="stable")
        rows.append(
            {
                "Method": name,
                "Steps in conflict": NOTHING if own.empty else f"{_range(own.iloc[-1], percent)}: {own.iloc[-1]['modality']}",
                "More than chance?": "not measured" if own.empty else "yes" if own["value"].max() > UNRELATED else "no",
                "What the method does": cards()[methods[run_id]].summary if methods[run_id] in cards() else NOTHING,
                "Lowest group AUC (test)": NOTHING if known.empty else f"{_range(known.iloc[0], decimal)}: {view.labelled(known).iloc[0]['group']}",
            }
        )
    return pd.DataFrame(rows)


def _range(row: pd.Series, written: Callable[[float], str]) -> str:
    """`47%`, and over seeds `47% (41% to 52%)`."""
    low, high = written(float(row["low"])), written(float(row["high"]))
    return written(float(row["value"])) + ("" if low == high else f" ({low} to {high})")
