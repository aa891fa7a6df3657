"""Intersections of attributes as a tree that stops where counts end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.results.rows import OPTIONS, Rows, cached, cohort_of, group_names, rows_of
from core.results.views import auc_rows
from core.store import Store

MOST_BRANCHES = 60
"""A list beyond this is no longer read; the largest branches are kept."""


def intersections(store: Store, run_id: str, attributes: Sequence[str]) -> pd.DataFrame:
    """Groups of the first attribute, inside each those of the second, and so on, with their AUCs.

    A branch ends with its reason where the audit would not judge it. Columns: path, label,
    depth (0-based), value, low, high, n_pos, n_neg, reason; rows in the order of the list.
    """

    def compute() -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, None)
        cohort_id = cohort_of(store, run_id)
        codes = [_codes(store, cohort_id, name, rows) for name in attributes]
        return _branch(rows, codes, 0, "", np.ones(rows.y.size, dtype=bool))

    frame = pd.DataFrame(cached(store, "intersections", [run_id], "|".join(attributes), compute))
    if len(frame) <= MOST_BRANCHES:
        return frame
    size = frame["n_pos"] + frame["n_neg"]
    return frame[size >= size.nlargest(MOST_BRANCHES).iloc[-1]].head(MOST_BRANCHES).reset_index(drop=True)


def _codes(store: Store, cohort_id: str, attribute: str, rows: Rows) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    groups = group_names(store, cohort_id, attribute)
    values = store.attributes(cohort_id, attribute).set_index("sample_id")["value"]
    return groups, np.asarray(pd.Categorical(pd.Series(rows.sample).map(values), categories=list(groups)).codes, dtype=np.int64)


def _branch(rows: Rows, codes: Sequence[tuple[tuple[str, ...], NDArray[np.int64]]], depth: int, path: str, inside: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Depth first; children only of branches that are judged themselves."""
    found: list[dict[str, Any]] = []
    groups, code = codes[depth]
    for index, group in enumerate(groups):
        chosen = inside & (code == index)
        label = f"{path} × {group}" if path else group
        part = rows.take(chosen)
        row = auc_rows(part)[0] if part.y.size else {"value": None, "low": None, "high": None, "n_pos": 0, "n_neg": 0, "reason": f"nobody; {OPTIONS.min_positives} positives are needed"}
        found.append({"path": label, "label": group, "depth": depth, **{name: value for name, value in row.items() if name != "group"}})
        if row["value"] is not None and depth + 1 < len(codes):
            found += _branch(rows, codes, depth + 1, label, chosen)
    return found
