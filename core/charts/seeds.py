"""Runs of one method that differ in the seed only, taken together: the mean with the range over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

KEYS = ("name", "stat", "epoch", "kind", "modality", "modality_b", "group", "group_b")
"""Columns that say what a row is about; those that a table has are kept apart."""


def over_seeds(frame: pd.DataFrame, method_of: Mapping[str, str]) -> pd.DataFrame:
    """One row per method where `frame` has one per run: `value` is the mean over seeds, `low` and `high` the smallest and largest.

    Parameters
    ----------
    frame : run_id, value, and some of KEYS; what else it holds is that of the first run.
    method_of : run id -> id of the method, which stands in `run_id` afterwards.
    """
    rows = frame[frame["run_id"].isin(list(method_of))].assign(run_id=lambda part: part["run_id"].map(dict(method_of)))
    keys = ["run_id", *(name for name in KEYS if name in rows.columns)]
    grouped = rows.groupby(keys, sort=False, dropna=False)
    first = grouped.first().drop(columns=["value", "low", "high"], errors="ignore")
    spread = grouped["value"].agg(["mean", "min", "max"]).rename(columns={"mean": "value", "min": "low", "max": "high"})
    return first.join(spread).reset_index()


def gaps(frame: pd.DataFrame, method_of: Mapping[str, str]) -> pd.DataFrame:
    """Of each method the smallest and largest gap between groups in a single seed: run_id (the method's), low, high, seeds."""
    known = frame[frame["group"].notna() & frame["value"].notna() & frame["run_id"].isin(list(method_of))]
    # One group has no gap to another.
    known = known[known.groupby("run_id")["value"].transform("size") > 1]
    per_run = known.groupby("run_id")["value"].agg(lambda values: values.max() - values.min())
    table = per_run.rename("gap").reset_index().assign(run_id=lambda part: part["run_id"].map(dict(method_of)))
    return table.groupby("run_id", sort=False)["gap"].agg(low="min", high="max", seeds="size").reset_index()
