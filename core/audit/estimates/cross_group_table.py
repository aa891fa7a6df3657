"""Ranking between the groups of one grouping, held to the guards of the audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.cross_group import CrossGroup, cross_group_auc
from core.metrics.estimate import MinimumCounts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossGroupTable:
    """Row: whose positives; column: whose negatives. The diagonal is the table of the groups' own AUCs.

    value, low, high : float64 (C, C), NaN where not estimable. n_pos, n_neg : int64 (C,). reason : why not, per cell.
    """

    value: Floats
    low: Floats
    high: Floats
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]
    reason: tuple[tuple[str | None, ...], ...]


def cross_group_table(data: Scored, codes: NDArray[np.int64], own: MetricTable, options: AuditOptions) -> CrossGroupTable:
    """`own` : the AUC within each group."""
    count = own.value.size
    found = cross_group_auc(data.y, data.score, codes, count, cluster=data.cluster, weight=data.weight, level=1 - options.alpha)
    reason = tuple(tuple(own.reason[i] if i == j else _why_undefined(found, i, j, options) for j in range(count)) for i in range(count))
    known = np.array([[why is None for why in row] for row in reason], dtype=bool).reshape(count, count)
    value, low, high = (_with_diagonal(cells, diagonal, known) for cells, diagonal in ((found.auc, own.value), (found.low, own.low), (found.high, own.high)))
    return CrossGroupTable(value, low, high, found.n_pos, found.n_neg, reason)


def _with_diagonal(cells: Floats, diagonal: Floats, known: NDArray[np.bool_]) -> Floats:
    full = cells.copy()
    np.fill_diagonal(full, diagonal)
    return np.where(known, full, np.nan)


def _why_undefined(found: CrossGroup, i: int, j: int, options: AuditOptions) -> str | None:
    least = MinimumCounts(options.min_positives, options.min_negatives)
    few = least.too_few(int(found.n_pos[i]), int(found.n_neg[j]))
    if few is None and min(found.patients_pos[i], found.patients_neg[j]) < 2:
        few = "all positives or all negatives are one patient's"
    return few or (None if np.isfinite(found.auc[i, j]) else "no positives or no negatives")
