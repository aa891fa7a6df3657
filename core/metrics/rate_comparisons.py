"""Rates and means of groups as estimates that can be compared; with weights or repeated patients, too.

A rate has Wilson's limits. Independent unweighted rows have their number as its size and the normal quantile: the
difference is Newcombe's (1998) hybrid score interval. Otherwise the size is the effective one (Rao and Scott 1992): rows
over the design effect, the variance of patients' summed residuals over p (1 - p) / n. Residuals are
divided by one minus the patient's share of the weight (CR3, Bell and McCaffrey 2002), and the design effect is drawn towards its largest
sensible value, rows over Kish's (1965) number of patients, as if PRIOR patients had shown that: so a rate of 0 or 1, which shows
nothing about it, counts patients. Degrees of freedom count the patients that the variance rests on.

A mean has Student's limits on the same residuals, cut at the bounds of what is averaged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from core.metrics import validate
from core.metrics.comparisons import GroupEstimates, correlation
from core.metrics.influence_functions import InfluenceFunction, joint_covariance
from core.metrics.rates import CELLS, FN, FP, TN, TP
from core.metrics.score_limits import LinearLimits, ScoreLimits, ShareLimits, WilsonLimits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR = 2.0
# Degrees of freedom of a variance that rests on k patients' sums, or on k rows: this times k, and 1.
FREEDOM, FREEDOM_SINGLE = 1.5, 2.0
# Rows as many as this at the mean of all groups are added to a stratum's mean: a group may have none of it.
FEW = 2.0
# n / (n - 1) of the total is not taken for variance within strata.
ROUNDING = 0.02
# A variance below this share of the squared mean is rounding.
NO_VARIATION = 1e-24
SMALLEST_REST = 0.1


class RatioMoments:
    """Sum of w * hit over sum of w in every group, with the moments of patients' residuals; arrays (G,).

    value, total : the ratio and its denominator. n : rows. patients : patients (rows, where none repeats). kish : their
    effective number. variance : of the ratio. informative : how many patients it rests on.
    """

    def __init__(self, hit: Floats, column: Ints, count: int, cluster: tuple[Ints, int] | None, weight: Floats | None) -> None:
        w = np.ones(column.size) if weight is None else weight
        inside = (column >= 0) & (w > 0)
        g, own = column[inside], w[inside]
        self.n = np.bincount(g, minlength=count)
        self.total = np.bincount(g, own, count)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.value = np.bincount(g, own * hit[inside], count) / self.total
            residual = np.zeros(column.size)
            residual[inside] = own * (hit[inside] - self.value[g]) / self.total[g]
        self.unit: Ints | None = None if cluster is None else cluster[0]
        self.n_units = column.size if cluster is None else cluster[1]
        if cluster is None:
            sums, share, owner = residual[inside], own / self.total[g], g
        else:
            where, shape = (cluster[0][inside], g), (cluster[1], count)
            summed = sparse.csr_array((residual[inside], where), shape=shape)
            held = sparse.csr_array((own, where), shape=shape)
            sums, share, owner = summed.data, held.data / self.total[held.indices], held.indices
        self.patients = np.bincount(owner, minlength=count)
        squares = np.bincount(owner, share**2, count)
        self.kish = np.divide(1.0, squares, out=np.zeros(count), where=squares > 0)
        plain = cluster is None and weight is None
        left_out = sums / np.maximum(1 - share, SMALLEST_REST) if not plain else sums * np.sqrt(_bessel(self.patients))[owner]
        second, fourth = np.bincount(owner, left_out**2, count), np.bincount(owner, left_out**4, count)
        self.variance = np.where(self.patients > 1, second, np.nan)
        self.informative = np.divide(second**2, fourth, out=np.zeros(count), where=fourth > 0)
        scale = np.ones(count) if cluster is not None else np.sqrt(_bessel(self.patients))
        self.influence = InfluenceFunction(residual * np.where(inside, scale[np.maximum(column, 0)], 0.0), column, self.unit, self.n_units)

    def correlation(self) -> Floats | None:
        return None if self.unit is None else correlation(joint_covariance([self.influence], [self.value.size]))


def _bessel(count: Ints) -> Floats:
    """n / (n - 1), 1 for a single one."""
    return np.where(count > 1, count / np.maximum(count - 1.0, 1.0), 1.0)


def group_rate_estimates(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike,
    n_groups: int | None,
    name: str,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> GroupEstimates:
    """A rate of `rates.CELLS` in every group, ready to be compared.

    Parameters
    ----------
    y, prediction : (n,) 0/1
    group : (n,) indices, -1 left out
    cluster, weight : (n,) patients, sampling weights
    """
    positive, selected = validate.labels(y), validate.labels(prediction)
    index, count = validate.groups(group, positive.size, n_groups)
    cell = np.where(positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    top, bottom = (np.isin(np.arange(4), cells)[cell] for cells in CELLS[name])
    w, patients = validate.weights(weight, positive.size), validate.clusters(cluster, positive.size)
    ratio = RatioMoments(top.astype(np.float64), np.where(bottom, index, -1), count, patients, w)
    if patients is None and w is None:
        df = np.where(ratio.n > 0, np.inf, np.nan)
        return GroupEstimates(ratio.value, df, WilsonLimits(ratio.value, ratio.n.astype(np.float64)), None, ratio.influence)
    value = np.where(ratio.patients > 1, ratio.value, np.nan)
    size = _effective_size(ratio)
    most = np.maximum(np.minimum(ratio.patients, ratio.kish) - 1.0, 1.0)
    df = most if patients is None else np.minimum(FREEDOM * ratio.informative + 1, most)
    return GroupEstimates(value, np.where(np.isfinite(value), df, np.nan), WilsonLimits(value, size), ratio.correlation(), ratio.influence)


def _effective_size(ratio: RatioMoments) -> Floats:
    """Independent rows with the same variance of the rate, (G,); no more than there are rows."""
    p, n = ratio.value, np.maximum(ratio.n, 1)
    binomial = p * (1 - p) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.where(binomial > 0, ratio.variance / binomial, 0.0)
        most = n / ratio.kish
    k = np.where(binomial > 0, ratio.informative, 0.0)
    return n / np.maximum((k * np.nan_to_num(seen) + PRIOR * most ** (1 / (1 + k))) / (k + PRIOR), 1.0)


def group_mean_estimates(
    values: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    stratum: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    low: float = -np.inf,
    high: float = np.inf,
) -> GroupEstimates:
    """Mean of (n,) values in every group, ready to be compared; NaN where patients do not vary.

    Parameters
    ----------
    values : (n,)
    stratum : (n,) 0, 1 or 2, kinds of rows whose values lie apart and of which a group may hold few or none: the label for
        the Brier score; true positive, false positive and the rest (0) for the net benefit. The mean is then a sum of
        shares times the strata's means, and the shares have Wilson's limits. None for Student's limits alone.
    low, high : bounds of the values, where they have any
    group, n_groups, cluster, weight : as in `group_rate_estimates`
    """
    rows = np.asarray(values, dtype=np.float64)
    index, count = validate.groups(group, rows.size, n_groups)
    w, patients = validate.weights(weight, rows.size), validate.clusters(cluster, rows.size)
    ratio = RatioMoments(rows, index, count, patients, w)
    per, most = FREEDOM if patients is not None else FREEDOM_SINGLE, np.maximum(ratio.patients - 1.0, 1.0)
    df = np.minimum(per * ratio.informative + 1, most)
    if stratum is None:
        value = np.where(ratio.variance > NO_VARIATION * np.square(ratio.value), ratio.value, np.nan)
        limits: ScoreLimits = LinearLimits(value, np.sqrt(ratio.variance), low, high)
        return GroupEstimates(value, np.where(np.isfinite(value), df, np.nan), limits, ratio.correlation(), ratio.influence)
    value = np.where(ratio.patients > 1, ratio.value, np.nan)
    limits = _stratified(ratio, rows, index, np.asarray(stratum, dtype=np.int64), patients, w)
    if patients is None and w is None:
        # Shares of independent rows have no variance to estimate: only what varies within strata has.
        shares = np.square(limits.share_se())
        within = np.square(limits.within)
        df = np.divide(np.square(shares + within) * df, np.square(within), out=np.full(count, np.inf), where=within > 0)
    limits = replace(limits, low=low, high=high)
    return GroupEstimates(value, np.where(np.isfinite(value), df, np.nan), limits, ratio.correlation(), ratio.influence)


def _stratified(ratio: RatioMoments, rows: Floats, index: Ints, stratum: Ints, patients: tuple[Ints, int] | None, weight: Floats | None) -> ShareLimits:
    """Limits of a mean as a sum of shares of strata times how far their means lie from that of stratum 0."""
    count, kinds = ratio.value.size, max(int(stratum.max(initial=0)) + 1, 2)
    w = np.ones(rows.size) if weight is None else weight
    inside = index >= 0
    cell = index[inside] * kinds + stratum[inside]
    held = np.bincount(cell, w[inside], count * kinds).reshape(count, kinds)
    total = np.bincount(cell, (w * rows)[inside], count * kinds).reshape(count, kinds)
    n = np.bincount(cell, minlength=count * kinds).reshape(count, kinds)
    with np.errstate(invalid="ignore", divide="ignore"):
        overall = np.nan_to_num(total.sum(axis=0) / held.sum(axis=0))
        means = np.nan_to_num(total / held)
    drawn = (n * means + FEW * overall) / (n + FEW)
    shares = []
    for kind in range(1, kinds):
        share = RatioMoments((stratum == kind).astype(np.float64), index, count, patients, weight)
        size = share.n.astype(np.float64) if patients is None and weight is None else _effective_size(share)
        shares.append((drawn[:, kind] - drawn[:, 0], WilsonLimits(share.value, size)))
    limits = ShareLimits(ratio.value, tuple(shares), np.zeros(count), np.ones(count))
    observed = replace(limits, shares=tuple((means[:, k + 1] - means[:, 0], own) for k, (_, own) in enumerate(shares)))
    of_shares = np.square(observed.share_se())
    remaining = ratio.variance - of_shares
    scale = np.ones(count)
    if patients is not None:
        # Rows of one patient that offset each other: drawn towards 1 as design effects are towards their largest value.
        seen = np.minimum(np.divide(ratio.variance, of_shares, out=np.ones(count), where=of_shares > 0), 1.0)
        scale = np.sqrt((ratio.informative * seen + PRIOR) / (ratio.informative + PRIOR))
    # What is left by rounding where nothing varies within strata.
    return replace(limits, within=np.sqrt(np.where(remaining > ROUNDING * ratio.variance, remaining, 0.0)), scale=scale)


def class_mean_variance(
    values: Floats, positive: NDArray[np.bool_], group: Ints, count: int, *, cluster: ArrayLike | None = None, weight: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Variance (G,) of the mean of both classes' means of (n,) values, and its degrees of freedom (G,), from patients of each class.

    Satterthwaite's degrees of freedom of the two classes' variances; where patients have rows of both classes, no more than the patients less one.
    """
    w, patients = validate.weights(weight, values.size), validate.clusters(cluster, values.size)
    column = np.where(group >= 0, group + count * positive, -1)
    ratio = RatioMoments(values, column, 2 * count, patients, w)
    own = np.nan_to_num(ratio.variance)
    per = FREEDOM_SINGLE if patients is None else FREEDOM
    df = np.minimum(per * ratio.informative + 1, np.maximum(ratio.patients - 1.0, 1.0))
    (neg, pos), (df_neg, df_pos) = np.split(own, 2), np.split(df, 2)
    spread = neg**2 / df_neg + pos**2 / df_pos
    freedom = np.divide((neg + pos) ** 2, spread, out=np.ones(count), where=spread > 0)
    shared, together = ratio.correlation(), neg + pos
    if shared is not None and ratio.unit is not None:
        both = np.arange(count)
        together = together + 2 * shared[both, both + count] * np.sqrt(neg * pos)
        everyone = np.bincount(np.unique(ratio.unit[group >= 0] * count + group[group >= 0]) % count, minlength=count)
        freedom = np.minimum(freedom, np.maximum(everyone - 1.0, 1.0))
    known = np.isfinite(ratio.variance).reshape(2, count).all(axis=0)
    return np.where(known, np.maximum(together, 0.0) / 4, np.nan), freedom
