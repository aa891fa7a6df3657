"""The runs of a cohort that have ended, and deleting some of them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.charts.text import plural
from dashboard.escape import md
from dashboard.number_table import full_table
from dashboard.run_selection import named
from dashboard.selection_bar import View
from dashboard.trash import delete_button

ENDED = ("done", "failed", "cancelled")


def finished_runs(view: View) -> None:
    """A folded list; what is picked from it can be deleted."""
    runs = view.store.runs(view.cohort_id, status=ENDED)
    if runs.empty:
        return
    ended = named(runs)
    names = {row["run_id"]: row["name"] + ("" if row["status"] == "done" else f" ({row['status']})") for row in ended.to_dict("records")}
    with st.expander(f"{plural(len(names), 'run')} of this cohort", icon=":material/list:", key="finished-runs"):
        picked = st.multiselect("Runs to delete", list(names), key="pick-runs", format_func=names.__getitem__, placeholder="Choose runs")
        if picked:
            what = names[picked[0]] if len(picked) == 1 else plural(len(picked), "run")
            delete_button(
                "run",
                picked,
                what,
                "With their predictions and curves." if len(picked) > 1 else "With its predictions and curves.",
                key="picked-runs",
                label=f"Delete {md(what)}",
            )
        full_table(_table(ended), "Runs of this cohort that have ended")


def _table(ended: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Run": ended["label"], "Seed": ended["seed"], "Trained for": ended["attribute"].fillna("—"), "Budget": ended["preset"].fillna("own"),
            "State": ended["status"],
            "Ended": ended["finished"].dt.strftime("%Y-%m-%d %H:%M"),
        }
    )  # fmt: skip
