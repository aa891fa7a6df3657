"""Several seeds as one result: mean and standard deviation per method, and paired differences against a reference."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.errors import UserError
from core.results.compare_runs import paired, variants
from core.results.paired_differences import MEASURES
from core.store import Store

DIFFERENCE = {"value": "difference", "low": "low", "high": "high", "p": "p", "p_adjusted": "p_adjusted", "seeds": "common_seeds"}
"""Columns of `core.results.compare_runs.paired` -> those of `by_method`."""


def by_method(store: Store, runs: pd.DataFrame, summaries: pd.DataFrame, attribute: str, reference: str | None = None, measure: str = "es_auc") -> pd.DataFrame:
    """One row per method, runs that differ in nothing but the seed taken together.

    runs : finished runs of one cohort, as `Store.runs` gives them.
    summaries : one row per run: run_id and the metrics to be averaged, None where not estimable.
    reference : a method, or a variant's name where a method was run with several settings.
    measure : what the paired differences are of: auc, es_auc, worst_group_auc or max_gap.

    Columns: variant, seeds, `<metric>` (mean over the seeds that have it) and `<metric>_sd` (n - 1; missing for
    one seed); with a reference also difference (method - reference, mean over common_seeds, same test
    patients), low, high and p (patients and seeds together, see `core.metrics.seeds_and_patients`),
    p_adjusted (Holm over all pairs of methods). The best mean comes first.

    Raises UserError when the reference or the measure is unknown.
    """
    if measure not in MEASURES:
        raise UserError(f"{measure!r} has no paired differences; choose one of: {', '.join(MEASURES)}")
    named = variants(runs)
    metrics = [name for name in summaries.columns if name != "run_id"]
    values = named[["run_id", "variant"]].merge(summaries, on="run_id")
    values[metrics] = values[metrics].astype("float64")
    grouped = values.groupby("variant", sort=False)
    table = pd.DataFrame({"seeds": grouped.size()})
    for name in metrics:
        table[name], table[f"{name}_sd"] = grouped[name].mean(), grouped[name].std(ddof=1)
    if reference is not None:
        against = paired(store, runs, _variant(named, reference), attribute, measure).set_index("variant")
        table = table.join(against[list(DIFFERENCE)].rename(columns=DIFFERENCE))
        table["common_seeds"] = table["common_seeds"].astype("Int64")
    order = table[measure] * (1 if measure == "max_gap" else -1) if measure in table else pd.Series(np.arange(len(table)), index=table.index)
    return table.loc[order.sort_values(kind="stable", na_position="last").index].reset_index()


def _variant(named: pd.DataFrame, reference: str) -> str:
    """The one variant of that name or method."""
    exact = named.loc[named["variant"] == reference, "variant"]
    fits = list(dict.fromkeys(exact if len(exact) else named.loc[named["method"] == reference, "variant"]))
    if len(fits) == 1:
        return str(fits[0])
    if fits:
        raise UserError(f"{reference!r} was run in several ways: {', '.join(fits)}; name one of these as the reference")
    raise UserError(f"no finished run of {reference!r} to compare with; there are: {', '.join(dict.fromkeys(named['method'])) or 'none'}")
