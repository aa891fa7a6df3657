"""AUCs of groups as estimates that can be compared: DeLong's variance in score form, degrees of freedom from patients.

DeLong's variance fails for few positives and for AUCs near 1: the few misranked positives decide it, and at AUC 1 it is
zero. So limits are of score type (all areas t with (A - t)^2 <= q^2 V(t), as Newcombe 2006), and V is DeLong's variance
drawn towards that of a binormal model:

    V(t) = t(1 - t) / (M N) + c h(t) [(1 - 1/N) r_pos / m + (1 - 1/M) r_neg / n],   h(t) = P(t) - t^2,

at t drawn some way towards A (`_informed`): where much is misranked the variance at A is known, and a score test that
takes it at the null alone misses small groups that rank well. There are m patients with positives and n with negatives, M positive and N negative rows (Kish's
effective numbers under weights).
P(t) is the chance that two positives both outrank a negative under the equal-variance binormal model (by symmetry also that
one positive outranks two negatives). r_pos is the positives' component of the variance over h(A), r_neg the negatives'.

1. Of single rows, the observed variance of the positives' placements is their component plus what the finite number of
   negatives adds; that part, known from t(1 - t), is taken off (likewise for the negatives).
2. The model's ratio s of standard deviations is fitted to both observed components (core.metrics.binormal), and r_pos and
   r_neg are drawn towards its values, as if PRIOR further samples had shown these.
3. With several rows a patient the components' common scale is fitted too: single rows say nothing about how far a patient's
   rows together spread. And c, 1 otherwise, stretches or shrinks the sum to the variance of patients' own sums, which differs where
   patients have rows of both classes, with the leverage of large patients (`AucCovariance.inflation`).

The constants were set on independent cohorts of two groups (10 to 700 positives, AUC .75 to .98, equal and unequal prevalence and
spread, one to thirty rows a patient): both tails of the test of equal AUCs near 2.5 % at a power close to that of
the best test that holds its size there. The quantile is Student's, with Satterthwaite's degrees of freedom from FREEDOM k + 1 per class, k being the number of
samples
(patients) that its variance rests on. For large samples this is DeLong's variance and the normal quantile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics.binormal import binormal_component, fit_components
from core.metrics.comparisons import GroupEstimates, correlation
from core.metrics.delong import AucCovariance, group_delong
from core.metrics.score_limits import TabulatedLimits

Floats = NDArray[np.float64]

PRIOR = 6.0
# Share of the way from a true value to the estimate at which its variance is taken, and at how many informative samples half of it.
KNOWN, HALFWAY = 0.6, 6.0
# Degrees of freedom of a variance that rests on k deviations: FREEDOM * k + 1.
FREEDOM = 2.0
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


def auc_estimates(result: AucCovariance, known: float = KNOWN) -> GroupEstimates:
    """The AUCs of `group_delong` with their score limits; NaN where a class has fewer than two patients.

    known : how far towards an estimate its variance is taken at most: KNOWN for differences, whose two skewed errors partly cancel,
        0 for an estimate's own interval.
    """
    defined = np.isfinite(result.auc) & (result.pos.clusters > 1) & (result.neg.clusters > 1)
    area = np.where(defined, result.auc, 0.5)
    sizes = (result.pos.effective, result.neg.effective, result.pos.rows, result.neg.rows)
    m, n, rows_pos, rows_neg = (np.where(defined, size, 2.0) for size in sizes)
    r_pos, r_neg = _components(result, area, m, n, rows_pos, rows_neg)
    v_pos, v_neg = r_pos / m, r_neg / n
    near = known * _informed(result, v_pos, v_neg)[:, None]
    own = _stretch(result) * ((1 - 1 / rows_neg) * v_pos + (1 - 1 / rows_pos) * v_neg)

    def variance(t: Floats) -> Floats:
        t = near * area[:, None] + (1 - near) * t
        return t * (1 - t) / (rows_pos * rows_neg)[:, None] + binormal_component(t) * own[:, None]

    value = np.where(defined, result.auc, np.nan)
    df = np.where(defined, _freedom(result, v_pos, v_neg), np.nan)
    shared = correlation(result.covariance) if result.clustered else None
    return GroupEstimates(value, df, TabulatedLimits.of(value, variance), shared, result.influence)


def _components(result: AucCovariance, area: Floats, m: Floats, n: Floats, rows_pos: Floats, rows_neg: Floats) -> tuple[Floats, Floats]:
    """Both classes' components of the variance over the binormal model's, (G,), drawn towards it."""
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
    fitted = fit_components(area, seen, k, scale, (m, n))
    r_pos, r_neg = ((own * r + PRIOR * to) / (own + PRIOR) for own, r, to in zip(k, seen, fitted, strict=True))
    return r_pos, r_neg


def _stretch(result: AucCovariance) -> Floats:
    """Variance of patients' own sums over the sum of the classes' parts, (G,); 1 where no patient repeats.

    C / (C - 2) more for C patients: what they show of their spread is drawn towards a model's, which is not known from so few of them, so that
    without it 6 patients of 30 rows against 60 rejected 8 % at a nominal 5 %, and 5 % with it.
    """
    if not result.clustered:
        return np.ones(result.auc.size)
    separate = result.pos.variance + result.neg.variance
    ratio = np.divide(np.diagonal(result.covariance), separate, out=np.ones(separate.size), where=separate > 0)
    few = result.patients / np.maximum(result.patients - 2.0, 1.0)
    return np.clip(np.where(np.isfinite(ratio), ratio, 1.0), *SHARED) * result.inflation * few


def _informed(result: AucCovariance, v_pos: Floats, v_neg: Floats) -> Floats:
    """How much the observed variance says, (G,): 0 where nothing is misranked, near 1 where much is."""
    spread = sum(v**2 / np.maximum(part.informative, 1e-9) for v, part in ((v_pos, result.pos), (v_neg, result.neg)))
    k = (v_pos + v_neg) ** 2 / spread
    return np.asarray(k / (k + HALFWAY))


def _freedom(result: AucCovariance, v_pos: Floats, v_neg: Floats) -> Floats:
    """Satterthwaite's degrees of freedom from both classes, and no more than the patients allow."""
    df_pos, df_neg = (FREEDOM * part.informative + 1 for part in (result.pos, result.neg))
    df = (v_pos + v_neg) ** 2 / (v_pos**2 / df_pos + v_neg**2 / df_neg)
    if not result.clustered:
        return df
    mixed = result.patients < result.pos.clusters + result.neg.clusters
    df = np.where(mixed, np.minimum(df, FREEDOM * result.informative + 1), df)
    return np.minimum(df, np.maximum(result.patients - np.where(mixed, 1, 2), 1))
