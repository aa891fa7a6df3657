"""The datasheet of a cohort: its splits, what each column was taken for, and whose data it is."""

from __future__ import annotations

import pandas as pd

from core.cohort.cohort import Cohort
from core.report.document import TableBlock

SPLITS = ("train", "validation", "test")


def notes(cohort: Cohort) -> tuple[str, ...]:
    """Whose data it is with its known traps, and how the splits came about."""
    made = cohort.manifest.get("splits_made", False)
    how = "made here, by patient, with labels and groups in equal shares" if made else f"those of the column {cohort.roles.split}"
    folds = f" There are {cohort.n_folds} folds of cross-validation." if cohort.n_folds else ""
    known = tuple(f"{f.message[:1].upper()}{f.message[1:]}." for f in cohort.findings if f.code == "known-layout")
    column = cohort.roles.weights
    weighted = (f"Results count every sample by its sampling weight (column {column}); training and its telemetry do not.",) if column else ()
    return (*known, *weighted, f"The splits are {how}; no patient is in two of them.{folds}")


def columns_table(cohort: Cohort) -> TableBlock:
    """What each column was taken for; the reasons quote values and ids of patients, and a report is passed on."""
    columns = pd.DataFrame([[c["column"], c["role"]] for c in cohort.columns], columns=pd.Index(["column", "role"]))
    return TableBlock("cohort_columns", "Columns of the table, and what each was taken for", columns, folded=True)


def split_counts(cohort: Cohort) -> pd.DataFrame:
    """Columns split, samples, patients, positives, share (missing for an empty split)."""
    rows = []
    for split in SPLITS:
        part = cohort.table[cohort.table["split"] == split]
        positives = int((part["y"] > 0).sum())
        rows.append(
            {
                "split": split,
                "samples": len(part),
                "patients": int(part["patient_id"].nunique()),
                "positives": positives,
                "share": positives / len(part) if len(part) else None,
            }
        )
    return pd.DataFrame(rows)
