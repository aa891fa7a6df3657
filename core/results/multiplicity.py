"""Verdicts that were looked for among many runs and attributes, corrected for the whole search.

An audit corrects its p-values within one run and attribute. Whoever then shows the strongest of
R runs times A attributes has looked R * A times, and would find a disparity by chance that much
more often. Here each verdict counts as one test: the permutation test of the gap between the
best and the worst group's AUC, which holds its size in small groups too, where normal tails do
not reach as far as a correction for many tests needs. Holm's (1979) step-down over the verdicts
then keeps the chance of any false `disparity` in the whole search at alpha, however much the runs
resemble each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.audit.inference.verdicts import DISPARITY, NOT_ENOUGH
from core.audit.wording import chance, decimal, interval
from core.metrics.multiple_testing import holm
from core.results.rows import OPTIONS
from core.results.views import gap_null, verdicts
from core.store import Store


def searched(found: pd.DataFrame, alpha: float = OPTIONS.alpha) -> pd.DataFrame:
    """`found` with its disparities corrected for all its rows, each row one verdict that was looked at.

    found : columns verdict, reason, pair (see `core.results.views.verdicts`) and p_gap (see
        `core.results.views.gap_null`; missing where nothing could be tested).
    Adds alone (the verdict before), searched (how many of the verdicts rest on a test) and p_search (Holm
    over those). A disparity that this does not leave becomes "not enough data"; the sentences of all
    disparities are written anew, with p_search.
    """
    table = found.copy()
    if table.empty:
        return table
    p = pd.to_numeric(table["p_gap"], errors="coerce").to_numpy(dtype=np.float64)
    table["alone"] = table["verdict"]
    table["searched"] = int(np.isfinite(p).sum())
    table["p_search"] = holm(p)
    claimed = table["alone"] == DISPARITY
    lost = claimed & ~(table["p_search"] < alpha)
    table["verdict"] = np.where(lost, NOT_ENOUGH, table["alone"])
    table["reason"] = [_reason(row) if claim else row["reason"] for row, claim in zip(table.to_dict("records"), claimed, strict=True)]
    return table


def over_runs(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Verdicts on the group AUCs of several runs by one attribute, corrected for the number of runs."""
    return searched(_looked_at(store, list(run_ids), attribute))


def strongest(store: Store, run_ids: Iterable[str], attributes: Iterable[str]) -> pd.DataFrame:
    """Verdicts on the group AUCs of all runs by all attributes, corrected for the whole search.

    Columns: those of `core.results.views.verdicts`, attribute, and those of `searched`.
    """
    runs = list(run_ids)
    parts = [part for part in (_looked_at(store, runs, attribute) for attribute in attributes) if len(part)]
    return searched(pd.concat(parts, ignore_index=True)) if parts else pd.DataFrame()


def _looked_at(store: Store, run_ids: list[str], attribute: str) -> pd.DataFrame:
    found = verdicts(store, run_ids, attribute)
    if found.empty:
        return found
    null = gap_null(store, run_ids, attribute)
    tested = null.drop_duplicates("run_id").set_index("run_id")["p"] if len(null) else pd.Series(dtype=float)
    return found.assign(attribute=attribute, p_gap=found["run_id"].map(tested))


def _reason(row: Mapping[Any, Any]) -> str:
    """A disparity in one sentence, with the p of the whole search beside the p that it has alone."""
    pair, others = row["pair"], row["searched"] - 1
    said = (
        f"AUC is {decimal(pair['value_high'])} for {pair['group_high']} and {decimal(pair['value_low'])} for {pair['group_low']}: "
        f"a difference of {interval(pair['difference'], pair['low'], pair['high'])}"
    )
    if row["p_search"] < OPTIONS.alpha:
        among = f", even as one of {row['searched']} comparisons searched" if others else ""
        return f"{said}, beyond the tolerance of {decimal(OPTIONS.tolerance)} and not explained by chance{among} (corrected p {chance(row['p_search'])})."
    return f"{said}. Alone it would pass for real (p {chance(pair['p'])}), but as one of {row['searched']} comparisons searched it may be chance (corrected p {chance(row['p_search'])})."
