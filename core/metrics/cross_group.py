"""Ranking between groups: how often a positive of group a outranks a negative of group b.

The diagonal holds the groups' own AUCs. Off it lies what ES-AUC counts as unfairness although no group
is ranked badly within itself: scores of one group that lie higher than another's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate

Floats = NDArray[np.float64]

# Distinct scores x groups held at once: 8 million float64 are 64 MB.
BLOCK_ELEMENTS = 8_000_000


@dataclass(frozen=True)
class CrossGroup:
    """auc, se : (G, G), positives of the row's group against negatives of the column's; NaN where one is absent.

    se is NaN unless there are two positives and two negatives. n_pos, n_neg : (G,) sample counts.
    """

    auc: Floats
    se: Floats
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]


def cross_group_auc(
    y: ArrayLike, score: ArrayLike, group: ArrayLike, n_groups: int | None = None, weight: ArrayLike | None = None
) -> CrossGroup:
    """Cross-group AUC matrix with DeLong standard errors.

    One sort; then, over slices of the distinct scores, products of positives per score with the shares of
    negatives below. group : (n,) indices, -1 left out.
    """
    positive = validate.labels(y)
    n = positive.size
    index, count = validate.groups(group, n, n_groups)
    values = validate.scores(score, n)
    w = validate.weights(weight, n)
    keep = index >= 0
    pos_here, g = positive[keep], index[keep]
    ww = np.ones(g.size) if w is None else w[keep]
    distinct, level = np.unique(values[keep], return_inverse=True)
    order = np.argsort(level, kind="stable")
    level, pos_here, g, ww = level[order], pos_here[order], g[order], ww[order]
    total_pos = np.bincount(g, ww * pos_here, count)
    total_neg = np.bincount(g, ww * ~pos_here, count)

    sums, first_pos, second_pos, first_neg, second_neg = (np.zeros((count, count)) for _ in range(5))
    neg_before, pos_before = np.zeros(count), np.zeros(count)
    rows = max(1, BLOCK_ELEMENTS // max(count, 1))
    for start in range(0, distinct.size, rows):
        shape = (min(rows, distinct.size - start), count)
        a, b = np.searchsorted(level, [start, start + shape[0]])
        key = (level[a:b] - start) * count + g[a:b]
        here, p = ww[a:b], pos_here[a:b]
        pos, neg, pos2, neg2 = (
            np.bincount(key, v, shape[0] * count).astype(np.float64).reshape(shape)
            for v in (here * p, here * ~p, here**2 * p, here**2 * ~p)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            below = (neg_before + np.cumsum(neg, axis=0) - 0.5 * neg) / total_neg - 0.5
            above = 0.5 - (pos_before + np.cumsum(pos, axis=0) - 0.5 * pos) / total_pos
        below, above = np.nan_to_num(below), np.nan_to_num(above)
        sums += _product(pos, below)
        first_pos += _product(pos2, below)
        second_pos += _product(pos2, below**2)
        first_neg += _product(above, neg2)
        second_neg += _product(above**2, neg2)
        neg_before, pos_before = neg_before + neg.sum(axis=0), pos_before + pos.sum(axis=0)

    n_pos = np.bincount(g[pos_here], minlength=count)
    n_neg = np.bincount(g[~pos_here], minlength=count)
    known = (total_pos[:, None] > 0) & (total_neg[None, :] > 0)
    above_half = np.divide(sums, total_pos[:, None], out=np.full((count, count), np.nan), where=known)
    squares_pos = np.bincount(g, ww**2 * pos_here, count)[:, None]
    squares_neg = np.bincount(g, ww**2 * ~pos_here, count)[None, :]
    spread_pos = second_pos - 2 * above_half * first_pos + above_half**2 * squares_pos
    spread_neg = second_neg - 2 * above_half * first_neg + above_half**2 * squares_neg
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(spread_pos, 0) / total_pos[:, None] ** 2 * (n_pos / (n_pos - 1))[:, None]
        variance += np.maximum(spread_neg, 0) / total_neg[None, :] ** 2 * (n_neg / (n_neg - 1))[None, :]
    enough = known & (n_pos[:, None] > 1) & (n_neg[None, :] > 1)
    return CrossGroup(above_half + 0.5, np.sqrt(np.where(enough, variance, np.nan)), n_pos, n_neg)


def _product(a: Floats, b: Floats) -> Floats:
    """a.T @ b without BLAS, whose rounding depends on its number of threads."""
    return np.einsum("lg,lh->gh", a, b)
