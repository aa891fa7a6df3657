"""Intersections of attributes as a tree that stops where counts end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from core.audit.engine import audit
from core.audit.estimates.grouping import Grouping
from core.audit.result import AttributeAudit, ModelAudit
from core.results.cache import cached_in_store
from core.results.group_tables import estimate_rows
from core.results.predictions import from_run
from core.results.run_audits import OPTIONS
from core.store import Store
from core.tables.crossing import CROSS

MOST_BRANCHES = 60
"""A list beyond this is no longer read; the largest branches are kept."""


def intersections(store: Store, run_id: str, attributes: Sequence[str]) -> pd.DataFrame:
    """Groups of the first attribute, inside each those of the second, and so on, with their AUCs.

    A branch ends with its reason where the audit would not judge it. Columns: path, label,
    depth (0-based), value, low, high, observed, n_pos, n_neg, reason; rows in the order of the list.
    """

    def compute() -> list[dict[str, Any]]:
        model = audit(from_run(store, run_id, attributes, ("test",)), OPTIONS).model()
        levels = [_rows(model, attributes[: depth + 1]) for depth in range(len(attributes))]
        return _branches(levels, [model.attribute(name).groups for name in attributes], ())

    frame = pd.DataFrame(cached_in_store(store, "intersections", [run_id], "|".join(attributes), compute))
    if len(frame) <= MOST_BRANCHES:
        return frame
    size = frame["n_pos"] + frame["n_neg"]
    return frame[size >= size.nlargest(MOST_BRANCHES).iloc[-1]].head(MOST_BRANCHES).reset_index(drop=True)


def _rows(model: ModelAudit, attributes: Sequence[str]) -> dict[tuple[int, ...], dict[str, Any]]:
    """Estimates of every cell of the attributes' cross table, by the cell's group in each attribute."""
    own = [model.attribute(name) for name in attributes]
    codes = np.zeros(model.data.y.size, dtype=np.int64)
    for attribute in own:
        codes = np.where((codes < 0) | (attribute.grouping.codes < 0), -1, codes * len(attribute.groups) + attribute.grouping.codes)
    cells = list(product(*(range(len(attribute.groups)) for attribute in own)))
    names = tuple(CROSS.join(attribute.groups[g] for attribute, g in zip(own, cell, strict=True)) for cell in cells)
    crossed = replace(own[0], grouping=Grouping(CROSS.join(attributes), tuple(attributes), names, codes))
    return dict(zip(cells, _estimates(crossed), strict=True))


def _estimates(attribute: AttributeAudit) -> list[dict[str, Any]]:
    return [
        {"path": row["group"], **{name: value for name, value in row.items() if name != "group"}}
        for row in estimate_rows(attribute.tables["auc"], attribute.counts, attribute.groups)
    ]


def _branches(levels: Sequence[dict[tuple[int, ...], dict[str, Any]]], groups: Sequence[tuple[str, ...]], above: tuple[int, ...]) -> list[dict[str, Any]]:
    """Depth first; children only of branches that are judged themselves."""
    depth = len(above)
    found: list[dict[str, Any]] = []
    for index, group in enumerate(groups[depth]):
        row = levels[depth][*above, index]
        found.append({**row, "label": group, "depth": depth})
        if row["value"] is not None and depth + 1 < len(levels):
            found += _branches(levels, groups, (*above, index))
    return found
