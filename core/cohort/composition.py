"""Who is in a cohort: positives and negatives by group."""

from __future__ import annotations

import pandas as pd

from core.cohort.cohort import Cohort


def group_counts(cohort: Cohort, attribute: str) -> pd.DataFrame:
    """Columns group (None where missing), n_pos, n_neg; all splits together."""
    values = cohort.table[attribute].astype(object).where(cohort.table[attribute].notna(), None)
    grouped = pd.DataFrame({"group": values, "y": cohort.positive}).groupby("group", dropna=False)["y"].agg(["sum", "size"]).reset_index()
    return pd.DataFrame({"group": grouped["group"], "n_pos": grouped["sum"].astype(int), "n_neg": (grouped["size"] - grouped["sum"]).astype(int)})
