"""Runs of one method that differ in the seed only, taken together: the mean with the range over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

KEYS = ("name", "stat", "epoch", "kind", "metric", "modality", "modality_b", "group", "group_b")
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


OF_SEEDS = "Dots: means over seeds; lines: from the lowest to the highest seed."
"""What a chart of `over_seeds` says of its marks."""


def nulls_over_seeds(frame: pd.DataFrame, method_of: Mapping[str, str]) -> pd.DataFrame:
    """Gaps by chance of one method's seeds together: each method's histogram is the mean of those of its seeds.

    Parameters
    ----------
    frame : run_id, left, right, share, observed, p, q95, draws, as `core.results.group_tables.gap_null` gives it.
    method_of : run id -> id of the method, which stands in `run_id` afterwards.

    Returns
    -------
    The same columns: `observed` and `q95` are means over seeds, `draws` their sum, `p` is missing (no seed's own p is the
    method's); and observed_low, observed_high (smallest and largest over seeds), each (the gaps of the seeds, in order), seeds.
    """
    rows = frame[frame["run_id"].isin(list(method_of))].assign(method=lambda part: part["run_id"].map(dict(method_of)))
    if rows.empty:
        return frame[:0].assign(observed_low=[], observed_high=[], each=[], seeds=[])
    heads = rows.drop_duplicates("run_id").groupby("method", sort=False)
    told = heads.agg(
        observed=("observed", "mean"), q95=("q95", "mean"), draws=("draws", "sum"), observed_low=("observed", "min"), observed_high=("observed", "max"),
        each=("observed", list), seeds=("run_id", "size"),
    )  # fmt: skip
    # Bins are multiples of one width, so those of different seeds are the same; a seed whose gaps end earlier has none there.
    bins = rows.assign(place=rows["left"].round(6)).groupby(["method", "place"], sort=True)
    share = bins.agg(left=("left", "first"), right=("right", "first"), share=("share", "sum")).reset_index()
    found = share.merge(told, left_on="method", right_index=True).drop(columns="place")
    return found.assign(share=found["share"] / found["seeds"], p=float("nan")).rename(columns={"method": "run_id"})


def gaps(frame: pd.DataFrame, method_of: Mapping[str, str]) -> pd.DataFrame:
    """Of each method the smallest and largest gap between groups in a single seed: run_id (the method's), low, high, seeds."""
    known = frame[frame["group"].notna() & frame["value"].notna() & frame["run_id"].isin(list(method_of))]
    # One group has no gap to another.
    known = known[known.groupby("run_id")["value"].transform("size") > 1]
    per_run = known.groupby("run_id")["value"].agg(lambda values: values.max() - values.min())
    table = per_run.rename("gap").reset_index().assign(run_id=lambda part: part["run_id"].map(dict(method_of)))
    return table.groupby("run_id", sort=False)["gap"].agg(low="min", high="max", seeds="size").reset_index()
