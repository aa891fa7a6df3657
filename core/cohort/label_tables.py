"""Tables of findings: which other columns answer the same question as the label."""

from __future__ import annotations

import re

import pandas as pd

CHEST = (
    "no finding", "enlarged cardiomediastinum", "cardiomegaly", "lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis",
    "pneumothorax", "pleural effusion",
    "pleural other", "fracture", "support devices", "effusion", "infiltration", "mass", "nodule", "emphysema", "fibrosis", "pleural thickening", "hernia",
)  # fmt: skip
EYE = (
    "diabetic retinopathy", "macular edema", "scar", "nevus", "amd", "vascular occlusion", "hypertensive retinopathy", "drusens", "drusen", "hemorrhage",
    "retinal detachment",
    "myopic fundus", "increased cup disc", "other", "dr icdr", "dr sdrg", "n", "d", "g", "c", "a", "h", "m", "o",
)  # fmt: skip
SKIN = ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc", "unk", "akiec")
FAMILIES = (CHEST, EYE, SKIN)
"""Columns of CheXpert, MIMIC-CXR and NIH; BRSET and ODIR; ISIC and HAM10000, in lower case."""
_MARKS = {"0", "1", "-1", "0.0", "1.0", "-1.0"}


def sibling_findings(table: pd.DataFrame, label: str | None) -> frozenset[str]:
    """Columns that are findings of the same table of labels as `label`, and so no features of a model for it.

    They are when the label is marked 1, 0, -1 (or blank) and they are marked in the same way and at
    least one of all these is uncertain or blank; when they belong to one of the well-known tables; or
    when exactly one of them and the label is marked in every row.
    """
    if label is None or label not in table.columns:
        return frozenset()
    marked = [c for c in table.columns if _is_marked(table[c])]
    if label not in marked:
        return frozenset()
    others = [c for c in marked if c != label]
    known = [c for c in others if any(_plain(c) in family and _plain(label) in family for family in FAMILIES)]
    uncertain = [c for c in others if _uncertain(table[c])] if _uncertain(table[label]) or any(_uncertain(table[c]) for c in others) else []
    return frozenset({*known, *uncertain, *(others if _one_hot(table, marked) else ())})


def _is_marked(values: pd.Series) -> bool:
    present = {str(v) for v in values.unique() if not pd.isna(v)}
    return bool(present) and present <= _MARKS


def _uncertain(values: pd.Series) -> bool:
    return bool(values.dropna().astype(str).isin(["-1", "-1.0"]).any())


def _one_hot(table: pd.DataFrame, columns: list[str]) -> bool:
    if len(columns) < 3:
        return False
    marks = table[columns].apply(pd.to_numeric)
    return bool(((marks.sum(axis=1) == 1) & (marks.min(axis=1) >= 0)).all())


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]+", " ", column.strip().lower())
