"""Rates at an operating point per group, and the fairness summaries made of them.

A confusion table has a last axis of four cells, ordered true positives, false positives, false
negatives, true negatives; any leading axes (groups, replicates) pass through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.equity import max_gap, min_ratio

Floats = NDArray[np.float64]

TP, FP, FN, TN = range(4)

# Rate -> cells of its numerator and of its denominator.
CELLS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "tpr": ((TP,), (TP, FN)),
    "fpr": ((FP,), (FP, TN)),
    "tnr": ((TN,), (FP, TN)),
    "fnr": ((FN,), (TP, FN)),
    "ppv": ((TP,), (TP, FP)),
    "npv": ((TN,), (FN, TN)),
    "selection_rate": ((TP, FP), (TP, FP, FN, TN)),
    "accuracy": ((TP, TN), (TP, FP, FN, TN)),
    "prevalence": ((TP, FN), (TP, FP, FN, TN)),
}
RATES = tuple(CELLS)
SUMMARIES = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
)


def confusion(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    weight: ArrayLike | None = None,
) -> Floats:
    """Confusion table per group, (G, 4), as sums of weights (counts without weights).

    group : (n,) indices, -1 left out; None for one group, shape (1, 4).
    """
    positive = validate.labels(y)
    selected = validate.labels(prediction)
    if selected.size != positive.size:
        raise ValueError(validate.LENGTHS_DIFFER.format(what="prediction", got=selected.size, expected=positive.size))
    index, count = validate.groups(group, positive.size, n_groups)
    w = validate.weights(weight, positive.size)
    known = index >= 0
    cell = index * 4 + np.where(positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    table = np.bincount(cell[known], None if w is None else w[known], count * 4)
    return table.reshape(count, 4).astype(np.float64)


def rate(table: ArrayLike, name: str) -> Floats:
    """One rate of `RATES` from confusion tables (..., 4); NaN where its denominator is empty."""
    successes, trials = rate_counts(table, name)
    return np.divide(successes, trials, out=np.full(trials.shape, np.nan), where=trials > 0)


def rate_counts(table: ArrayLike, name: str) -> tuple[Floats, Floats]:
    """Numerator and denominator of a rate from confusion tables (..., 4)."""
    cells = np.asarray(table, dtype=np.float64)
    top, bottom = CELLS[name]
    return cells[..., list(top)].sum(axis=-1), cells[..., list(bottom)].sum(axis=-1)


def rates(table: ArrayLike) -> dict[str, Floats]:
    """All rates from confusion tables (..., 4)."""
    return {name: rate(table, name) for name in RATES}


def rate_summaries(table: ArrayLike) -> dict[str, Floats]:
    """Fairness summaries over the groups of confusion tables (..., G, 4), each (...,); names in `SUMMARIES`.

    Differences are max - min and ratios min / max over the groups in which the rate is defined; the
    equalized odds pair takes the worse of TPR and FPR (the larger difference, the smaller ratio)
    and is NaN unless both are defined in two groups. Ratios are NaN where the largest rate is 0.
    """
    selection, tpr, fpr = (rate(table, name) for name in ("selection_rate", "tpr", "fpr"))
    return {
        "demographic_parity_difference": max_gap(selection),
        "demographic_parity_ratio": min_ratio(selection),
        "equalized_odds_difference": np.maximum(max_gap(tpr), max_gap(fpr)),
        "equalized_odds_ratio": np.minimum(min_ratio(tpr), min_ratio(fpr)),
        "equal_opportunity_difference": max_gap(tpr),
        "equal_opportunity_ratio": min_ratio(tpr),
    }


def effective_sizes(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike,
    n_groups: int,
    name: str,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> Floats:
    """Sample size per group, (G,), that an unweighted, unclustered rate with the same variance would have.

    The ratio of p(1-p) to the linearised variance of the rate, residuals summed within patients
    (Rao and Scott 1992). Where that variance is not estimable (a rate of 0 or 1, one patient) the
    number of patients in the denominator is used, or Kish's (1965) size under weights.
    """
    positive, selected = validate.labels(y), validate.labels(prediction)
    n = positive.size
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    w = np.ones(n) if w is None else w
    cell = np.where(positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    top, bottom = CELLS[name]
    inside = np.isin(cell, bottom) & (index >= 0) & (w > 0)
    g, ww, hit = index[inside], w[inside], np.isin(cell, top)[inside].astype(np.float64)
    total = np.bincount(g, ww, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.bincount(g, ww * hit, count) / total
        kish = total**2 / np.bincount(g, ww**2, count)
    patients = validate.clusters(cluster, n)
    unit = np.arange(n)[inside] if patients is None else patients[0][inside]
    pairs, member = np.unique(g * (n + 1) + unit, return_inverse=True)
    owner = pairs // (n + 1)
    residual = np.bincount(member, ww * (hit - p[g])) if g.size else np.zeros(0)
    size = np.bincount(owner, minlength=count).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.bincount(owner, residual**2, count) / total**2 * size / (size - 1)
        effective = p * (1 - p) / variance
    raw = np.bincount(g, minlength=count).astype(np.float64)
    fallback = np.minimum(np.where(np.isfinite(kish), kish, 0.0), size)
    return np.where(np.isfinite(effective) & (variance > 0), np.minimum(effective, raw), fallback)
