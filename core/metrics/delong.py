"""Variance of AUCs after DeLong, DeLong and Clarke-Pearson (1988), in O(n log n).

The placements come from one sort (Sun and Xu 2014: midranks suffice). With several samples per patient
placements are summed within patients first (Obuchowski 1997). Sampling weights enter as in a ratio
estimator. Intervals are in auc_interval.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import erfc

from core.metrics import validate
from core.metrics.auc import Placements, placements
from core.metrics.intervals import normal_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

AUC_UNKNOWN = "an AUC is not estimable"
SAME_RANKING = "the two rankings do not differ"
NO_VARIANCE = "the variance of the difference is not estimable"
# A variance below this is rounding: both rankings are the same or both are perfect.
ZERO_VARIANCE = 1e-15


@dataclass(frozen=True)
class ClassPart:
    """What one class (positives or negatives) adds to the variance of each of k AUCs; arrays (k,).

    n : samples, clusters : patients with a sample of the class, effective : Kish's effective number of them
    (their number, without weights), variance : the class's own term of the variance, informative : how many
    of them the variance rests on, (sum d^2)^2 / sum d^4 over their deviations d.
    """

    n: Ints
    clusters: Ints
    effective: Floats
    variance: Floats
    informative: Floats


@dataclass(frozen=True)
class AucCovariance:
    """AUCs of k models (or groups), (k,), with their covariance, (k, k).

    The covariance is NaN where a class has fewer than two members (or patients).
    """

    auc: Floats
    covariance: Floats
    pos: ClassPart
    neg: ClassPart

    @property
    def se(self) -> Floats:
        """Standard errors, (k,)."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))

    @property
    def n_pos(self) -> Ints:
        return self.pos.n

    @property
    def n_neg(self) -> Ints:
        return self.neg.n


@dataclass(frozen=True)
class Difference:
    """A difference a - b with its test; None where not estimable, `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    z: float | None
    p: float | None
    reason: str | None
    method: str


def _pulls(place: Placements, positive: Bools, index: Ints, w: Floats | None) -> Floats:
    """Each sample's pull on its AUC, (n,): weight * (placement - AUC) / weight of its class; 0 where undefined."""
    share = np.where(positive, place.weight_pos[index], place.weight_neg[index])
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = (place.value - place.auc[index]) / share
    pull = np.where((index >= 0) & np.isfinite(pull), pull, 0.0)
    return pull if w is None else pull * w


def _correction(count: NDArray) -> Floats:
    """n / (n - 1), NaN below two."""
    c = np.asarray(count, dtype=np.float64)
    return np.divide(c, c - 1, out=np.full(c.shape, np.nan), where=c > 1)


def _class_part(pulls: sparse.csr_array, presence: sparse.csr_array, n: Ints) -> ClassPart:
    """Moments of pulls summed within patients, (patients, k); presence holds their weights, zeros included."""
    k = pulls.shape[1]
    clusters = np.bincount(presence.indices, minlength=k)
    squares = np.bincount(pulls.indices, pulls.data**2, k)
    fourths = np.bincount(pulls.indices, pulls.data**4, k)
    weights = np.bincount(presence.indices, presence.data, k)
    weights_squared = np.bincount(presence.indices, presence.data**2, k)
    effective = np.divide(weights**2, weights_squared, out=np.zeros(k), where=weights_squared > 0)
    informative = np.divide(squares**2, fourths, out=np.zeros(k), where=fourths > 0)
    return ClassPart(n, clusters, effective, _correction(clusters) * squares, informative)


def _covariance(
    auc: Floats,
    n_pos: Ints,
    n_neg: Ints,
    pull: Floats,
    positive: Bools,
    unit: Ints,
    n_units: int,
    column: Ints,
    weight: Floats,
    clustered: bool,
) -> AucCovariance:
    """Obuchowski's covariance; without clusters the cross terms vanish and it is DeLong's."""
    shape = (n_units, auc.size)

    def spread(mask: Bools, values: Floats) -> sparse.csr_array:
        return sparse.csr_array((values[mask], (unit[mask], column[mask])), shape=shape)

    known = column >= 0
    of_pos, of_neg = spread(known & positive, pull), spread(known & ~positive, pull)
    with_pos, with_neg = spread(known & positive, weight), spread(known & ~positive, weight)
    pos, neg = _class_part(of_pos, with_pos, n_pos), _class_part(of_neg, with_neg, n_neg)
    f_pos, f_neg = _correction(pos.clusters), _correction(neg.clusters)
    covariance = (of_pos.T @ of_pos).toarray() * np.sqrt(np.outer(f_pos, f_pos))
    covariance += (of_neg.T @ of_neg).toarray() * np.sqrt(np.outer(f_neg, f_neg))
    if clustered:
        f_any = _correction(np.bincount((with_pos + with_neg).indices, minlength=auc.size))
        cross = (of_pos.T @ of_neg).toarray()
        covariance += (cross + cross.T) * np.sqrt(np.outer(f_any, f_any))
    return AucCovariance(auc, covariance, pos, neg)


def delong(
    y: ArrayLike, scores: ArrayLike, *, cluster: ArrayLike | None = None, weight: ArrayLike | None = None
) -> AucCovariance:
    """AUCs of several models on the same samples with their covariance.

    Parameters
    ----------
    y : (n,) labels 0/1
    scores : (n,) or (k, n) scores of one or k models
    cluster : (n,) patient of each sample, any values; None when each sample is its own patient
    weight : (n,) sampling weights

    Examples
    --------
    >>> result = delong([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    >>> round(float(result.auc[0]), 4), round(float(result.se[0]), 4)
    (0.8889, 0.1571)
    """
    positive = validate.labels(y)
    n = positive.size
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    k, w = rows.shape[0], validate.weights(weight, n)
    everybody = np.zeros(n, dtype=np.int64)
    places = [placements(positive, row, weight=w) for row in rows]
    patients = validate.clusters(cluster, n)
    unit, n_units = (np.arange(n), n) if patients is None else patients
    return _covariance(
        np.array([place.auc[0] for place in places]),
        np.full(k, places[0].n_pos[0]),
        np.full(k, places[0].n_neg[0]),
        np.concatenate([_pulls(place, positive, everybody, w) for place in places]),
        np.tile(positive, k),
        np.tile(unit, k),
        n_units,
        np.repeat(np.arange(k), n),
        np.ones(n * k) if w is None else np.tile(w, k),
        patients is not None,
    )


def group_delong(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> AucCovariance:
    """AUC within each group with the covariance between groups, all groups at once.

    group : (n,) indices, -1 for missing. Groups covary only where a patient has samples in several.
    The other parameters are those of `delong`; k is the number of groups.
    """
    positive = validate.labels(y)
    n = positive.size
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    place = placements(positive, score, index, count, w)
    patients = validate.clusters(cluster, n)
    unit, n_units = (np.arange(n), n) if patients is None else patients
    return _covariance(
        place.auc,
        place.n_pos,
        place.n_neg,
        _pulls(place, positive, index, w),
        positive,
        unit,
        n_units,
        index,
        np.ones(n) if w is None else w,
        patients is not None,
    )


def difference(result: AucCovariance, a: int = 0, b: int = 1, level: float = 0.95) -> Difference:
    """Test of AUC a = AUC b with their covariance: two models on the same patients, or two groups.

    The value comes without a test where its variance is undefined or zero.
    """
    value = float(result.auc[a] - result.auc[b])
    if not np.isfinite(value):
        return Difference(None, None, None, None, None, None, AUC_UNKNOWN, "delong")
    c = result.covariance
    variance = float(c[a, a] + c[b, b] - c[a, b] - c[b, a])
    if not variance > ZERO_VARIANCE:
        same = value == 0 and np.isfinite(variance)
        return Difference(value, None, None, None, None, None, SAME_RANKING if same else NO_VARIANCE, "delong")
    se = variance**0.5
    z, half = value / se, normal_quantile(level) * se
    p = float(erfc(abs(z) / 2**0.5))
    return Difference(value, max(-1.0, value - half), min(1.0, value + half), se, z, p, None, "delong")
