"""Average precision, and the area under the precision-recall-gain curve, per group.

Average precision rises with prevalence and so must not be compared between groups that differ in it. The
area under the precision-recall-gain curve (Flach and Kull 2015) can be: 0 is always answering positive.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.ranking import Blocks, blocks

Floats = NDArray[np.float64]


def _selected(y: ArrayLike, score: ArrayLike, group: ArrayLike | None, n_groups: int | None, weight: ArrayLike | None) -> tuple[Blocks, Floats, Floats]:
    """Blocks of equal scores, and the true and false positives when all from a block upwards are selected."""
    positive = validate.labels(y)
    n = positive.size
    index, count = validate.groups(group, n, n_groups)
    b = blocks(positive, validate.scores(score, n), index, count, validate.weights(weight, n))
    return b, b.weight_pos[b.group] - b.pos_below, b.weight_neg[b.group] - b.neg_below


def average_precision(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    weight: ArrayLike | None = None,
) -> Floats:
    """Sum over thresholds of (rise in recall) * precision, (G,); NaN where a group lacks positives or negatives."""
    b, tp, fp = _selected(y, score, group, n_groups, weight)
    gain = np.divide(b.pos * tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    return _by_group(gain, b, b.weight_pos)


def auprg(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    weight: ArrayLike | None = None,
) -> Floats:
    """Area under the precision-recall-gain curve for recall gain from 0 to 1, (G,); NaN where a class is absent."""
    b, tp, fp = _selected(y, score, group, n_groups, weight)
    area = _gain_segments(tp - b.pos, tp, fp - b.neg, fp, b.weight_pos[b.group], b.weight_neg[b.group])
    return _by_group(area, b, np.ones_like(b.weight_pos))


def _by_group(terms: Floats, b: Blocks, divisor: Floats) -> Floats:
    total = np.bincount(b.group, terms, b.weight_pos.size)
    known = (b.weight_pos > 0) & (b.weight_neg > 0)
    return np.divide(total, divisor, out=np.full(known.shape, np.nan), where=known)


def _gain_segments(tp0: Floats, tp1: Floats, fp0: Floats, fp1: Floats, pos: Floats, neg: Floats) -> Floats:
    """Area under each step of the gain curve, from (tp0, fp0) to (tp1, fp1), right of recall gain 0.

    With k = prevalence odds, recall gain is 1 - k * missed / tp and precision gain 1 - k * fp / tp: a step
    is straight in them, so trapezoids are exact. Recall gain is 0 where recall equals the prevalence.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = pos / neg
        start = np.maximum(tp0, pos * pos / (pos + neg))
        rise = np.where(tp1 > tp0, (fp1 - fp0) / (tp1 - tp0), 0.0)
        fp_start = fp0 + (start - tp0) * rise
        width = odds * pos * (1 / start - 1 / tp1)
        height = 1 - odds * (fp_start / start + fp1 / tp1) / 2
        area = width * height
    return np.where((tp1 > start) & (tp1 > tp0) & (neg > 0), area, 0.0)


def table_average_precision(pos: Floats, neg: Floats) -> Floats:
    """Average precision (...,) of counts per rising score level (..., K), for `bootstrap.bootstrap_statistic`."""
    tp, fp = _from_above(pos), _from_above(neg)
    total = tp[..., 0]
    gain = np.divide(pos * tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0).sum(axis=-1)
    known = (total > 0) & (fp[..., 0] > 0)
    return np.divide(gain, total, out=np.full(total.shape, np.nan), where=known)


def table_auprg(pos: Floats, neg: Floats) -> Floats:
    """AUPRG (...,) of counts per rising score level (..., K), for `bootstrap.bootstrap_statistic`."""
    tp, fp = _from_above(pos), _from_above(neg)
    total_pos, total_neg = tp[..., :1], fp[..., :1]
    area = _gain_segments(tp - pos, tp, fp - neg, fp, total_pos, total_neg).sum(axis=-1)
    return np.where((total_pos > 0)[..., 0] & (total_neg > 0)[..., 0], area, np.nan)


def _from_above(counts: Floats) -> Floats:
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
