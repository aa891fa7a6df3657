"""Area under the ROC curve, overall and for all groups from one sort.

The AUC is the chance that a positive outranks a negative, ties counting half (Hanley and McNeil
1982). Here every sample gets its placement: the share of the other class, within its own group,
that it ranks correctly. Means of placements are AUCs and their variances are DeLong's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Placements:
    """Placements of all samples within their groups.

    value : (n,) share of the other class ranked correctly; NaN for a missing group or where the
        group lacks the other class.
    auc : (G,) AUC per group, NaN where a group lacks a class.
    n_pos, n_neg : (G,) sample counts.
    weight_pos, weight_neg : (G,) sums of weights (the counts when there are none).
    """

    value: Floats
    auc: Floats
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]
    weight_pos: Floats
    weight_neg: Floats


def placements(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    weight: ArrayLike | None = None,
) -> Placements:
    """Placements and AUCs of all groups in O(n log n), from one sort of the scores.

    Parameters
    ----------
    y, score : (n,) labels 0/1 and scores (higher means more likely positive)
    group : (n,) indices 0..n_groups-1, -1 for missing (left out); None for one group
    weight : (n,) non-negative sample weights; integer weights equal repetition

    Raises
    ------
    ValueError
        On labels other than 0/1, scores that are not finite, or lengths that differ.
    """
    positive = validate.labels(y)
    n = positive.size
    values = validate.scores(score, n)
    groups, count = validate.groups(group, n, n_groups)
    weights = validate.weights(weight, n)

    order = np.argsort(values, kind="stable")
    if count > 1 or group is not None:
        # A second, linear-time stable pass keeps the score order within each group.
        narrow = groups[order].astype(np.int16 if count < 2**15 else np.int64)
        order = order[np.argsort(narrow, kind="stable")]
        order = order[int((groups == -1).sum()) :]
    g, s, p = groups[order], values[order], positive[order]
    w = np.ones(order.size) if weights is None else weights[order]
    w_pos = np.where(p, w, 0.0)
    w_neg = np.where(p, 0.0, w)
    weight_pos = np.bincount(g, w_pos, count).astype(np.float64)
    weight_neg = np.bincount(g, w_neg, count).astype(np.float64)

    result = np.full(n, np.nan)
    if order.size:
        starts = np.flatnonzero(np.r_[True, (s[1:] != s[:-1]) | (g[1:] != g[:-1])])
        lengths = np.diff(np.r_[starts, order.size])
        pos_tied, neg_tied = np.add.reduceat(w_pos, starts), np.add.reduceat(w_neg, starts)
        block_group = g[starts]
        first = np.r_[True, block_group[1:] != block_group[:-1]]
        neg_below = _within(np.cumsum(neg_tied) - neg_tied, first)
        pos_below = _within(np.cumsum(pos_tied) - pos_tied, first)
        pos_above = weight_pos[block_group] - pos_below - pos_tied
        with np.errstate(invalid="ignore", divide="ignore"):
            of_positive = (neg_below + 0.5 * neg_tied) / weight_neg[block_group]
            of_negative = (pos_above + 0.5 * pos_tied) / weight_pos[block_group]
        result[order] = np.where(p, np.repeat(of_positive, lengths), np.repeat(of_negative, lengths))
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.bincount(g, np.where(p, w * result[order], 0.0), count) / weight_pos
    return Placements(
        value=result,
        auc=np.where((weight_pos > 0) & (weight_neg > 0), area, np.nan),
        n_pos=np.bincount(g[p], minlength=count),
        n_neg=np.bincount(g[~p], minlength=count),
        weight_pos=weight_pos,
        weight_neg=weight_neg,
    )


def _within(running: Floats, first: NDArray[np.bool_]) -> Floats:
    """A running sum restarted at every group's first block."""
    offsets = running[first]
    return running - offsets[np.cumsum(first) - 1]


def auc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve, ties counting half; NaN when a class is absent.

    >>> auc([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.1])
    0.875
    """
    return float(placements(y, score, weight=weight).auc[0])


def group_aucs(
    y: ArrayLike, score: ArrayLike, group: ArrayLike, n_groups: int | None = None, weight: ArrayLike | None = None
) -> Floats:
    """AUC within each group, shape (G,), NaN where a group lacks a class; one sort for all groups."""
    return placements(y, score, group, n_groups, weight).auc
