"""AUCs of groups as estimates that can be compared, in the score form of auc_interval.py and for patients who repeat.

With r rows a patient two things change. The binormal model says how far single rows spread, not how far a patient's rows
together do, so the scale of both classes' components is free too: c in both r_pos and r_neg, with the standard deviation
log(rows per patient) on the log scale before any data. And where patients have rows of both classes these vary together, so the sum of the
classes' components is stretched or shrunk to the variance of patients' own sums, with the leverage of large patients
(`AucCovariance.inflation`). Degrees of freedom then count the patients that the variance rests on, never all rows.

Size at nominal .05 in 600 to 2,000 cohorts each, AUC .8 to .98: see core.study.audit_size and STATISTICS.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics.auc_interval import LOG_SPREAD, MISFIT, PRIOR, SMALLEST_RATIO, SPREADS, binormal_component
from core.metrics.comparisons import GroupEstimates, correlation
from core.metrics.delong import AucCovariance, group_delong
from core.metrics.score_limits import TabulatedLimits

Floats = NDArray[np.float64]

# Degrees of freedom of a variance that rests on k deviations: FREEDOM * k + 1. Sums over patients are more skewed than placements.
FREEDOM, FREEDOM_CLUSTERED = 2.0, 1.5
SMALLEST_SCALED_RATIO = 1e-4
# How far rows of both classes of one patient may shrink or stretch the variance.
SHARED = (0.02, 2.0)


def group_auc_estimates(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> GroupEstimates:
    """AUC of every group, ready to be compared; the parameters are those of `delong.group_delong`."""
    return auc_estimates(group_delong(y, score, group, n_groups, cluster=cluster, weight=weight))


def auc_estimates(result: AucCovariance) -> GroupEstimates:
    """The AUCs of `group_delong` with their score limits; NaN where a class has fewer than two patients."""
    defined = np.isfinite(result.auc) & (result.pos.clusters > 1) & (result.neg.clusters > 1)
    area = np.where(defined, result.auc, 0.5)
    sizes = (result.pos.effective, result.neg.effective, result.pos.rows, result.neg.rows)
    m, n, rows_pos, rows_neg = (np.where(defined, size, 2.0) for size in sizes)
    r_pos, r_neg = _components(result, area, m, n, rows_pos, rows_neg)
    v_pos, v_neg = r_pos / m, r_neg / n
    own = _stretch(result) * ((1 - 1 / rows_neg) * v_pos + (1 - 1 / rows_pos) * v_neg)

    def variance(t: Floats) -> Floats:
        return t * (1 - t) / (rows_pos * rows_neg)[:, None] + binormal_component(t) * own[:, None]

    value = np.where(defined, result.auc, np.nan)
    df = np.where(defined, _freedom(result, v_pos, v_neg), np.nan)
    shared = correlation(result.covariance) if result.clustered else None
    return GroupEstimates(value, df, TabulatedLimits.of(value, variance), shared, result.influence)


def _components(result: AucCovariance, area: Floats, m: Floats, n: Floats, rows_pos: Floats, rows_neg: Floats) -> tuple[Floats, Floats]:
    """Both classes' components of the variance over the binormal model's, (G,), drawn towards it as in auc_interval.py."""
    model = binormal_component(area)
    usable = (model > 1e-9) & np.isfinite(result.pos.variance) & np.isfinite(result.neg.variance)
    of_pos, of_neg = (np.where(usable, part.variance, 0.0) for part in (result.pos, result.neg))
    finite = np.zeros(area.size)
    scale = np.zeros(area.size)
    if result.clustered:
        scale = np.log(np.maximum(np.maximum(rows_pos / m, rows_neg / n), 1.0))
    else:
        # What finite classes show of each other's chance, t (1 - t) beyond both components.
        left = np.maximum(area * (1 - area) - of_pos * m - of_neg * n, 0.0)
        finite = left / np.maximum(1 - 1 / m - 1 / n, 0.25) / (m * n)
    safe = np.where(usable, model, 1.0)
    seen = [np.where(usable, np.maximum(v - finite, 0.0) * size / safe, 1.0) for v, size in ((of_pos, m), (of_neg, n))]
    k = [np.where(usable, part.informative, 0.0) for part in (result.pos, result.neg)]
    fitted = _fit(area, seen, k, scale)
    r_pos, r_neg = ((own * r + PRIOR * to) / (own + PRIOR) for own, r, to in zip(k, seen, fitted, strict=True))
    return r_pos, r_neg


def _fit(area: Floats, seen: list[Floats], k: list[Floats], scale: Floats) -> tuple[Floats, Floats]:
    """The model's components at the spread (and, where `scale` is above 0, the common scale) that fit best, (G,) each.

    As `auc_interval.fit_spread`; for each spread the best scale has a closed form.
    """
    t = np.clip(area, 1e-6, 1 - 1e-6)[:, None]
    model = binormal_component(t)
    at = [np.log(np.maximum(binormal_component(t, s) / model, SMALLEST_RATIO)) for s in (SPREADS, 1 / SPREADS)]
    floor = np.where(scale > 0, SMALLEST_SCALED_RATIO, SMALLEST_RATIO)
    logs = [np.log(np.maximum(r, floor))[:, None] for r in seen]
    w = [(own / (2 + MISFIT**2 * own))[:, None] for own in k]
    with np.errstate(divide="ignore"):
        prior = (1 / scale**2)[:, None]
    off = [w_class * (log - at_class) for w_class, log, at_class in zip(w, logs, at, strict=True)]
    common = np.where(np.isinf(prior), 0.0, (off[0] + off[1]) / (w[0] + w[1] + np.where(np.isinf(prior), 1.0, prior)))
    loss = np.square(np.log(SPREADS)) / LOG_SPREAD**2 + np.where(np.isinf(prior), 0.0, np.square(common) * np.where(np.isinf(prior), 0.0, prior))
    for w_class, log, at_class in zip(w, logs, at, strict=True):
        loss = loss + w_class * np.square(log - at_class - common)
    best = (np.arange(area.size), loss.argmin(axis=1))
    return np.exp((at[0] + common)[best]), np.exp((at[1] + common)[best])


def _stretch(result: AucCovariance) -> Floats:
    """Variance of patients' own sums over the sum of the classes' parts, (G,); 1 where no patient repeats."""
    if not result.clustered:
        return np.ones(result.auc.size)
    separate = result.pos.variance + result.neg.variance
    ratio = np.divide(np.diagonal(result.covariance), separate, out=np.ones(separate.size), where=separate > 0)
    return np.clip(np.where(np.isfinite(ratio), ratio, 1.0), *SHARED) * result.inflation


def _freedom(result: AucCovariance, v_pos: Floats, v_neg: Floats) -> Floats:
    """Satterthwaite's degrees of freedom from both classes, and no more than the patients allow."""
    per = FREEDOM_CLUSTERED if result.clustered else FREEDOM
    df_pos, df_neg = (per * part.informative + 1 for part in (result.pos, result.neg))
    df = (v_pos + v_neg) ** 2 / (v_pos**2 / df_pos + v_neg**2 / df_neg)
    if not result.clustered:
        return df
    mixed = result.patients < result.pos.clusters + result.neg.clusters
    df = np.where(mixed, np.minimum(df, per * result.informative + 1), df)
    return np.minimum(df, np.maximum(result.patients - np.where(mixed, 1, 2), 1))
