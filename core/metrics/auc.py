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
from core.metrics.ranking import blocks

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

    b = blocks(positive, values, groups, count, weights)
    pos_above = b.weight_pos[b.group] - b.pos_below - b.pos
    with np.errstate(invalid="ignore", divide="ignore"):
        of_positive = (b.neg_below + 0.5 * b.neg) / b.weight_neg[b.group]
        of_negative = (pos_above + 0.5 * b.pos) / b.weight_pos[b.group]
        area = np.bincount(b.group, np.where(b.pos > 0, b.pos * of_positive, 0.0), count) / b.weight_pos
    # Sums of weights are rounded: a perfect ranking can come out a hair above 1.
    area = np.clip(area, 0.0, 1.0)
    result = np.full(n, np.nan)
    result[b.order] = np.where(positive[b.order], np.repeat(of_positive, b.length), np.repeat(of_negative, b.length))
    return Placements(
        value=result,
        auc=np.where((b.weight_pos > 0) & (b.weight_neg > 0), area, np.nan),
        n_pos=b.n_pos,
        n_neg=b.n_neg,
        weight_pos=b.weight_pos,
        weight_neg=b.weight_neg,
    )


def auc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve, ties counting half; NaN when a class is absent.

    >>> auc([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.1])
    0.875
    """
    return float(placements(y, score, weight=weight).auc[0])


def group_aucs(y: ArrayLike, score: ArrayLike, group: ArrayLike, n_groups: int | None = None, weight: ArrayLike | None = None) -> Floats:
    """AUC within each group, shape (G,), NaN where a group lacks a class; one sort for all groups."""
    return placements(y, score, group, n_groups, weight).auc
