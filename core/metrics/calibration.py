"""Calibration of probabilities: ECE, a debiased ECE, intercept and slope, reliability curve, Brier scores.

Bins are of equal width on [0, 1] and common to all groups; the last bin includes 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr

from core.metrics import validate
from core.metrics.intervals import wilson

Floats = NDArray[np.float64]

SCORES_NOT_PROBABILITIES = "calibration needs scores between 0 and 1"
CLIP = 1e-6
STEPS = 50


@dataclass(frozen=True)
class Reliability:
    """Bins of every group: (G, B) arrays, NaN in empty bins; edges (B + 1,).

    weight : sums of weights, predicted : mean score, observed : share of positives, low and high : Wilson 95 %.
    """

    edges: Floats
    weight: Floats
    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Calibration:
    """Calibration of every group, each (G,), NaN where not estimable.

    ece : expected calibration error; mce : largest bin error; ece_debiased : see `debiased_ece`;
    intercept : calibration in the large (slope held at 1), slope : calibration slope, with standard errors;
    brier : mean squared error, brier_se : its standard error; brier_balanced : mean of the two classes' errors.
    """

    ece: Floats
    mce: Floats
    ece_debiased: Floats
    intercept: Floats
    intercept_se: Floats
    slope: Floats
    slope_se: Floats
    brier: Floats
    brier_se: Floats
    brier_balanced: Floats


def _probabilities(score: ArrayLike, n: int) -> Floats:
    p = validate.scores(score, n)
    if bool(((p < 0) | (p > 1)).any()):
        raise ValueError(SCORES_NOT_PROBABILITIES)
    return p


def reliability(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    bins: int = 10,
    weight: ArrayLike | None = None,
    level: float = 0.95,
) -> Reliability:
    """Reliability curve of every group on common bins."""
    positive = validate.labels(y)
    p = _probabilities(score, positive.size)
    index, count = validate.groups(group, positive.size, n_groups)
    w = validate.weights(weight, positive.size)
    w = np.ones(positive.size) if w is None else w
    known = index >= 0
    cell = (index * bins + np.minimum((p * bins).astype(np.int64), bins - 1))[known]
    shape = (count, bins)
    total, squares, of_p, of_y = (
        np.bincount(cell, values[known], count * bins).astype(np.float64).reshape(shape)
        for values in (w, w * w, w * p, w * positive)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        effective = total**2 / squares
        predicted, observed = of_p / total, of_y / total
    low, high = wilson(observed * effective, np.nan_to_num(effective), level)
    return Reliability(np.linspace(0, 1, bins + 1), total, predicted, observed, low, high)


def ece(curve: Reliability) -> Floats:
    """Expected calibration error sum_b w_b |observed_b - predicted_b|, (G,) (Naeini et al. 2015)."""
    gap = np.abs(curve.observed - curve.predicted)
    return _weighted(gap, curve.weight)


def max_calibration_error(curve: Reliability) -> Floats:
    """Largest error of any non-empty bin, (G,)."""
    gap = np.abs(curve.observed - curve.predicted)
    largest = np.where(np.isfinite(gap), gap, -np.inf).max(axis=1)
    return np.where(np.isfinite(largest), largest, np.nan)


def debiased_ece(curve: Reliability) -> Floats:
    """ECE less the part that sampling noise adds, (G,), never below 0; comparable between groups of any size.

    After Kumar, Liang and Ma (2019): with the observed shares redrawn from a normal around what was
    observed, the plain ECE rises by about as much as noise had raised it already. Their simulated mean
    is here the exact mean of a folded normal. Bins of a single sample have no variance estimate; the
    variance p(1 - p)/n at the predicted share is used for every bin, so that they count honestly.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(curve.observed - curve.predicted)
        spread = np.sqrt(curve.predicted * (1 - curve.predicted) / curve.weight)
        ratio = np.where(spread > 0, gap / spread, np.inf)
        folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + gap * (1 - 2 * ndtr(-ratio))
    folded = np.where(spread > 0, folded, gap)
    corrected = 2 * _weighted(gap, curve.weight) - _weighted(folded, curve.weight)
    return np.maximum(corrected, 0.0)


def _weighted(values: Floats, weight: Floats) -> Floats:
    total = weight.sum(axis=1)
    mean = np.divide(np.nansum(values * weight, axis=1), total, out=np.full(total.shape, np.nan), where=total > 0)
    return mean


def brier(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Brier score, its standard error and the balanced Brier score of every group, each (G,).

    The balanced score is the mean of the classes' own mean squared errors, so that groups that differ in
    prevalence can be compared. The standard error sums residuals within patients.
    """
    positive = validate.labels(y)
    n = positive.size
    p = _probabilities(score, n)
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    known = index >= 0
    g, pos = index[known], positive[known]
    w = np.ones(g.size) if w is None else w[known]
    square = (p[known] - pos) ** 2
    patients = validate.clusters(cluster, n)
    unit = np.arange(g.size) if patients is None else patients[0][known]
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.bincount(g, w, count)
        mean = np.asarray(np.bincount(g, w * square, count) / total)
        of_pos = np.bincount(g, w * square * pos, count) / np.bincount(g, w * pos, count)
        of_neg = np.bincount(g, w * square * ~pos, count) / np.bincount(g, w * ~pos, count)
        residual = w * (square - mean[g]) / total[g]
        if patients is None:
            owner, summed = g, np.asarray(residual, dtype=np.float64)
        else:
            pairs, member = np.unique(g * (n + 1) + unit, return_inverse=True)
            owner, summed = pairs // (n + 1), np.asarray(np.bincount(member, residual), dtype=np.float64)
        units = np.bincount(owner, minlength=count)
        variance = np.bincount(owner, summed**2, count) * units / (units - 1)
    return mean, np.sqrt(variance), (of_pos + of_neg) / 2


def intercept_and_slope(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    weight: ArrayLike | None = None,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Calibration in the large and slope of every group with standard errors: intercept, se, slope, se, each (G,).

    Logistic regressions of the label on logit(score) (Cox 1958; Van Calster et al. 2019): the intercept with
    the slope held at 1, the slope with a free intercept. All groups are fitted at once by Newton's
    method. NaN where a class is absent, the scores are constant or separate the classes. Scores are
    clipped to [1e-6, 1 - 1e-6].
    """
    positive = validate.labels(y)
    n = positive.size
    p = _probabilities(score, n)
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    known = index >= 0
    g, target = index[known], positive[known].astype(np.float64)
    w = np.ones(g.size) if w is None else w[known]
    x = logit(np.clip(p[known], CLIP, 1 - CLIP))
    a, a_var = _newton_intercept(x, target, g, count, w)
    b, b_var = _newton_slope(x, target, g, count, w)
    with np.errstate(invalid="ignore"):
        return a, np.sqrt(a_var), b, np.sqrt(b_var)


def _newton_intercept(x: Floats, y: Floats, g: NDArray[np.int64], count: int, w: Floats) -> tuple[Floats, Floats]:
    both = (np.bincount(g, w * y, count) > 0) & (np.bincount(g, w * (1 - y), count) > 0)
    a = np.zeros(count)
    information = np.full(count, np.nan)
    for _ in range(STEPS):
        fitted = expit(x + a[g])
        information = np.bincount(g, w * fitted * (1 - fitted), count).astype(np.float64)
        score = np.bincount(g, w * (y - fitted), count)
        step = np.divide(score, information, out=np.zeros(count), where=both & (information > 0))
        a += np.clip(step, -3, 3)
        if bool((np.abs(step) < 1e-9).all()):
            break
    with np.errstate(divide="ignore"):
        return np.where(both, a, np.nan), np.where(both, 1 / information, np.nan)


def _newton_slope(x: Floats, y: Floats, g: NDArray[np.int64], count: int, w: Floats) -> tuple[Floats, Floats]:
    a, b = np.zeros(count), np.ones(count)
    active = (np.bincount(g, w * y, count) > 0) & (np.bincount(g, w * (1 - y), count) > 0)
    converged = np.zeros(count, dtype=bool)
    variance = np.full(count, np.nan)
    for _ in range(STEPS):
        fitted = expit(a[g] + b[g] * x)
        v = w * fitted * (1 - fitted)
        residual = w * (y - fitted)
        i0, i1, i2 = np.bincount(g, v, count), np.bincount(g, v * x, count), np.bincount(g, v * x * x, count)
        s0, s1 = np.bincount(g, residual, count), np.bincount(g, residual * x, count)
        determinant = i0 * i2 - i1 * i1
        # A vanishing determinant means constant scores, or separated classes with weights gone to 0.
        active &= determinant > 1e-10 * np.maximum(i0 * i2, 1e-300)
        safe = np.where(active, determinant, 1.0)
        step_a = np.where(active & ~converged, (i2 * s0 - i1 * s1) / safe, 0.0)
        step_b = np.where(active & ~converged, (i0 * s1 - i1 * s0) / safe, 0.0)
        a, b = a + np.clip(step_a, -3, 3), b + np.clip(step_b, -3, 3)
        variance = np.where(active, i0 / safe, np.nan)
        converged = np.maximum(np.abs(step_a), np.abs(step_b)) < 1e-8
        if bool((converged | ~active).all()):
            break
    # Separated classes let the slope grow without end: Newton never settles, or settles with no information left.
    good = active & converged & (variance * b**-2 < 1e4)
    return np.where(good, b, np.nan), np.where(good, variance, np.nan)


def calibration(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    bins: int = 10,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> Calibration:
    """Everything about calibration, per group. Raises ValueError unless all scores lie in [0, 1]."""
    curve = reliability(y, score, group, n_groups, bins=bins, weight=weight)
    intercept, intercept_se, slope, slope_se = intercept_and_slope(y, score, group, n_groups, weight=weight)
    mean, se, balanced = brier(y, score, group, n_groups, weight=weight, cluster=cluster)
    return Calibration(
        ece(curve), max_calibration_error(curve), debiased_ece(curve),
        intercept, intercept_se, slope, slope_se, mean, se, balanced,
    )  # fmt: skip
