"""Who is in a cohort: positives and negatives by group, and by split."""

from __future__ import annotations

import pandas as pd

from core.cohort.cohort import Cohort

SPLITS = ("train", "validation", "test")


def group_counts(cohort: Cohort, attribute: str) -> pd.DataFrame:
    """Columns group (None where missing), n_pos, n_neg; all splits together."""
    values = cohort.table[attribute].astype(object).where(cohort.table[attribute].notna(), None)
    grouped = pd.DataFrame({"group": values, "y": cohort.positive}).groupby("group", dropna=False)["y"].agg(["sum", "size"]).reset_index()
    return pd.DataFrame({"group": grouped["group"], "n_pos": grouped["sum"].astype(int), "n_neg": (grouped["size"] - grouped["sum"]).astype(int)})


def split_table(cohort: Cohort) -> pd.DataFrame:
    """Columns split, attribute, group (both None for everybody of the split), n, n_patients, n_pos, n_neg.

    A row per split, and per split, attribute and group; group None beside an attribute: rows without a value of it.
    """
    frame = pd.DataFrame({"split": cohort.table["split"], "patient": cohort.table["patient_id"], "y": cohort.positive})
    rows = []
    for split in (name for name in SPLITS if (frame["split"] == name).any()):
        part = frame[frame["split"] == split]
        rows.append([split, None, None, *_counts(part)])
        for attribute in cohort.roles.attributes:
            values = cohort.table.loc[part.index, attribute]
            rows += [[split, attribute, group, *_counts(part[values == group])] for group in sorted(values.dropna().unique())]
            if values.isna().any():
                rows.append([split, attribute, None, *_counts(part[values.isna()])])
    return pd.DataFrame(rows, columns=pd.Index(["split", "attribute", "group", "n", "n_patients", "n_pos", "n_neg"]))


def _counts(part: pd.DataFrame) -> list[int]:
    positive = int(part["y"].sum())
    return [len(part), int(part["patient"].nunique()), positive, len(part) - positive]
