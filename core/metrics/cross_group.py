"""Ranking between groups: how often a positive of group a outranks a negative of group b.

Off the diagonal lies what ES-AUC counts as unfairness although no group is ranked badly within itself: scores of
one group that lie higher than another's. The diagonal, the groups' own AUCs, is `delong.group_delong`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.auc_interval import auc_interval
from core.metrics.delong import AucCovariance, group_delong

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossGroup:
    """auc, low, high : (G, G), positives of the row's group against negatives of the column's; NaN where undefined.

    n_pos, n_neg : (G,) sample counts. patients_pos, patients_neg : (G,), the same where no patient repeats.
    """

    auc: Floats
    low: Floats
    high: Floats
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]
    patients_pos: NDArray[np.int64]
    patients_neg: NDArray[np.int64]


def cross_group_auc(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    level: float = 0.95,
) -> CrossGroup:
    """Cross-group AUC matrix with the interval of `auc_interval`.

    group : (n,) indices, -1 left out. cluster : (n,) patients; a patient's rows may lie on both sides. weight : (n,).
    A row of the matrix is one call of `group_delong`, in which the positives of its group stand before the negatives of every group.
    """
    positive = validate.labels(y)
    index, count = validate.groups(group, positive.size, n_groups)
    values = validate.scores(score, positive.size)
    negatives = np.flatnonzero(~positive & (index >= 0))
    rows = [_row(np.flatnonzero(positive & (index == g)), negatives, index, count, values, cluster, weight) for g in range(count)]
    limits = [auc_interval(row, level) for row in rows]
    auc = np.array([row.auc for row in rows]).reshape(count, count)
    low, high = (np.array([limit[end] for limit in limits]).reshape(count, count) for end in (0, 1))
    n_pos, n_neg = (np.bincount(index[(positive == is_pos) & (index >= 0)], minlength=count) for is_pos in (True, False))
    patients_pos = np.array([row.pos.clusters.max(initial=0) for row in rows], dtype=np.int64)
    patients_neg = np.max([row.neg.clusters for row in rows], axis=0, initial=0).astype(np.int64) if rows else np.zeros(0, dtype=np.int64)
    return CrossGroup(auc, low, high, n_pos, n_neg, patients_pos, patients_neg)


def _row(
    positives: NDArray[np.intp],
    negatives: NDArray[np.intp],
    index: NDArray[np.int64],
    count: int,
    score: Floats,
    cluster: ArrayLike | None,
    weight: ArrayLike | None,
) -> AucCovariance:
    rows = np.concatenate([np.repeat(positives, count), negatives])
    column = np.concatenate([np.tile(np.arange(count), positives.size), index[negatives]])
    label = np.arange(rows.size) < positives.size * count
    patients, weights = (None if part is None else np.asarray(part)[rows] for part in (cluster, weight))
    return group_delong(label, score[rows], column, count, cluster=patients, weight=weights)
