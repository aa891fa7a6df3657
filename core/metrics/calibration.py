"""Calibration of probabilities: reliability curve, ECE, a debiased ECE, Brier scores (intercept, slope, O:E: calibration_fit).

Bins are of equal width on [0, 1] and common to all groups; the last bin includes 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from core.metrics import validate
from core.metrics.intervals import wilson
from core.metrics.patient_sums import PatientSums
from core.metrics.rates import effective_sizes
from core.metrics.validate import probabilities

Floats = NDArray[np.float64]

# Bins of every calibration curve and error, wherever one is made.
BINS = 10
# Fewer rows than these make no point of a curve.
LEAST_IN_BIN = 10
HALVINGS = 30


@dataclass(frozen=True)
class Reliability:
    """Bins of every group: (G, B) arrays, NaN in empty bins; edges (B + 1,).

    weight : sums of weights, predicted : mean score, observed : share of positives, low and high : Wilson 95 %;
    size : rows of equal weight and without shared patients that would say as much, 0 in empty bins.
    """

    edges: Floats
    weight: Floats
    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    size: Floats

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Bins that hold enough to be a point of a curve, (G, B): `LEAST_IN_BIN` rows, or what says as much as these."""
        return self.size >= LEAST_IN_BIN


def reliability(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    bins: int = BINS,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> Reliability:
    """Reliability curve of every group on common bins; intervals on effective sizes where samples share patients."""
    positive = validate.labels(y)
    p = probabilities(score, positive.size)
    index, count = validate.groups(group, positive.size, n_groups)
    w = validate.weights(weight, positive.size)
    w = np.ones(positive.size) if w is None else w
    known = index >= 0
    cell = (index * bins + bin_of_score(p, bins))[known]
    shape = (count, bins)
    total, squares, of_p, of_y = (
        np.bincount(cell, values[known], count * bins).astype(np.float64).reshape(shape) for values in (w, w * w, w * p, w * positive)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        effective = total**2 / squares
        predicted, observed = of_p / total, of_y / total
    if cluster is not None:
        bin_of = np.full(positive.size, -1)
        bin_of[known] = cell
        everybody = np.ones(positive.size, dtype=bool)
        sizes = effective_sizes(positive, everybody, bin_of, count * bins, "ppv", cluster=cluster, weight=weight)
        # A bin's few patients may seem to differ by less than their weights allow.
        effective = np.minimum(sizes.reshape(shape), effective)
    size = np.nan_to_num(effective)
    low, high = wilson(observed * effective, size, level)
    return Reliability(np.linspace(0, 1, bins + 1), total, predicted, observed, low, high, size)


def bin_of_score(p: Floats, bins: int) -> NDArray[np.int64]:
    """Bin of every probability (n,), 0 to bins - 1; a score of exactly 1 belongs to the last."""
    return np.minimum((p * bins).astype(np.int64), bins - 1)


def ece(curve: Reliability) -> Floats:
    """Expected calibration error sum_b w_b |observed_b - predicted_b|, (G,) (Naeini et al. 2015)."""
    gap = np.abs(curve.observed - curve.predicted)
    return _weighted(gap, curve.weight)


def debiased_ece(curve: Reliability) -> Floats:
    """ECE less what sampling noise adds, (G,), never below 0; comparable between groups of any size.

    The true error at which the plain ECE would on average be what it is: with the observed gaps scaled by t and the
    noise of every bin added, whose mean absolute value is that of a folded normal, t is found at which both agree. Where
    noise alone would give as much, the error is 0. The noise is that of the predicted share, so that bins of a
    single row count honestly.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(curve.observed - curve.predicted)
        spread = np.sqrt(curve.predicted * (1 - curve.predicted) / curve.size)
    plain = _weighted(gap, curve.weight)
    low, high = np.zeros(plain.shape), np.ones(plain.shape)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_much = _weighted(_folded_mean(middle[:, None] * gap, spread), curve.weight) > plain
        low, high = np.where(too_much, low, middle), np.where(too_much, middle, high)
    # Halving never reaches 0 itself, which is right where noise alone already gives more than was seen.
    return np.where(np.isnan(plain), np.nan, np.where(low > 0, (low + high) / 2, 0.0) * plain)


def _folded_mean(gap: Floats, spread: Floats) -> Floats:
    """Mean of |gap + spread * Z| for standard normal Z, elementwise."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(spread > 0, gap / spread, np.inf)
        folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + gap * (1 - 2 * ndtr(-ratio))
    return np.where(spread > 0, folded, gap)


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
    p = probabilities(score, n)
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    known = index >= 0
    g, pos = index[known], positive[known]
    w = np.ones(g.size) if w is None else w[known]
    square = (p[known] - pos) ** 2
    patients = validate.clusters(cluster, n)
    sums = PatientSums.of(g, None if patients is None else patients[0][known], count)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.bincount(g, w, count)
        mean = np.asarray(np.bincount(g, w * square, count) / total)
        of_pos = np.bincount(g, w * square * pos, count) / np.bincount(g, w * pos, count)
        of_neg = np.bincount(g, w * square * ~pos, count) / np.bincount(g, w * ~pos, count)
        residual = w * (square - mean[g]) / total[g]
        variance = sums.squares(np.asarray(residual, dtype=np.float64)) * sums.correction
    return mean, np.sqrt(variance), (of_pos + of_neg) / 2
