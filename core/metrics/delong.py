"""Variance of AUCs after DeLong, DeLong and Clarke-Pearson (1988), in O(n log n).

The placements come from one sort (Sun and Xu 2014: midranks suffice). With several samples per patient
placements are summed within patients first (Obuchowski 1997). Sampling weights enter as in a ratio
estimator. Intervals are in auc_interval.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import erfc

from core.metrics import validate
from core.metrics.auc import Placements, placements
from core.metrics.influence_functions import InfluenceFunction
from core.metrics.intervals import normal_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

AUC_UNKNOWN = "an AUC is not estimable"
SAME_RANKING = "the two rankings do not differ"
NO_VARIANCE = "the variance of the difference is not estimable"
# A variance below this is rounding: both rankings are the same or both are perfect.
ZERO_VARIANCE = 1e-15
# One patient may hold all of a class: what would be left without him is not taken for less than this share.
SMALLEST_REST = 0.1


@dataclass(frozen=True)
class ClassPart:
    """What one class (positives or negatives) adds to the variance of each of k AUCs; arrays (k,).

    n : samples, rows : Kish's effective number of them, clusters : patients with a sample of the class, effective :
    Kish's effective number of them (rows and effective are plain numbers without weights), variance : the class's own
    term of the variance, informative : how many of them the variance rests on, (sum d^2)^2 / sum d^4 over their
    deviations d.
    """

    n: Ints
    rows: Floats
    clusters: Ints
    effective: Floats
    variance: Floats
    informative: Floats


@dataclass(frozen=True)
class AucCovariance:
    """AUCs of k models (or groups), (k,), with their covariance, (k, k).

    The covariance is NaN where a class has fewer than two members (or patients). clustered : whether patients may have
    several samples. patients : (k,) that have any. informative : (k,) how many of them the whole variance rests on, as in
    `ClassPart`; where patients have samples of both classes this is less than the classes' sum. inflation : (k,) factor by
    which the variance grows when every patient's sum of deviations is divided by one minus his share of the class, as
    leaving patients out one by one does (CR3, Bell and McCaffrey 2002); 1 where no patient repeats. influence : None for
    several models.
    """

    auc: Floats
    covariance: Floats
    pos: ClassPart
    neg: ClassPart
    patients: Ints
    informative: Floats
    inflation: Floats
    clustered: bool
    influence: InfluenceFunction | None

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


def _correction(count: NDArray[np.int64]) -> Floats:
    """n / (n - 1), NaN below two."""
    c = np.asarray(count, dtype=np.float64)
    return np.divide(c, c - 1, out=np.full(c.shape, np.nan), where=c > 1)


def _kish(weight: Floats, column: Ints, k: int) -> Floats:
    """Effective number of weights per column, (k,): (sum w)^2 / sum w^2."""
    total, squares = np.bincount(column, weight, k), np.bincount(column, weight**2, k)
    return np.divide(total**2, squares, out=np.zeros(k), where=squares > 0)


def _moments(deviation: Floats, column: Ints, k: int) -> tuple[Floats, Floats]:
    """Sum of squares and number of informative deviations per column, (k,) each."""
    squares: Floats = np.bincount(column, deviation**2, k).astype(np.float64)
    fourths = np.bincount(column, deviation**4, k)
    return squares, np.divide(squares**2, fourths, out=np.zeros(k), where=fourths > 0)


@dataclass(frozen=True)
class _Sample:
    """Every sample (of every model) of one covariance, arrays (n,), and how many patients and AUCs there are."""

    pull: Floats
    positive: Bools
    unit: Ints
    column: Ints
    weight: Floats
    n_units: int
    k: int

    def part(self, mask: Bools) -> tuple[ClassPart, _PatientPulls]:
        """One class's part of the variances, and its pulls summed within patients."""
        column, where = self.column[mask], (self.unit[mask], self.column[mask])
        summed = sparse.csr_array((self.pull[mask], where), shape=(self.n_units, self.k))
        held = sparse.csr_array((self.weight[mask], where), shape=(self.n_units, self.k))
        n, clusters = np.bincount(column, minlength=self.k), np.bincount(held.indices, minlength=self.k)
        squares, informative = _moments(summed.data, summed.indices, self.k)
        rows, effective = _kish(self.weight[mask], column, self.k), _kish(held.data, held.indices, self.k)
        part = ClassPart(n, rows, clusters, effective, _correction(clusters) * squares, informative)
        return part, _PatientPulls(summed, held)

    def single(self, mask: Bools) -> ClassPart:
        """The same where every sample is a patient of its own and belongs to one AUC."""
        column = self.column[mask]
        n, rows = np.bincount(column, minlength=self.k), _kish(self.weight[mask], column, self.k)
        squares, informative = _moments(self.pull[mask], column, self.k)
        return ClassPart(n, rows, n, rows, _correction(n) * squares, informative)


@dataclass(frozen=True)
class _PatientPulls:
    """One class's pulls and weights summed within patients, (n_units, k) with the same entries."""

    pull: sparse.csr_array
    weight: sparse.csr_array

    @property
    def left_out(self) -> sparse.csr_array:
        """Pulls divided by one minus the patient's share of the class: what leaving him out would change."""
        total = np.bincount(self.weight.indices, self.weight.data, self.weight.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            rest = 1 - np.nan_to_num(self.weight.data / total[self.weight.indices])
        return sparse.csr_array((self.pull.data / np.maximum(rest, SMALLEST_REST), self.pull.indices, self.pull.indptr), shape=self.pull.shape)


def _independent(auc: Floats, sample: _Sample) -> AucCovariance:
    """DeLong's covariance of groups of single samples: diagonal."""
    pos, neg = sample.single(sample.positive), sample.single(~sample.positive)
    _, informative = _moments(sample.pull, sample.column, sample.k)
    variance = pos.variance + neg.variance
    unknown = np.isnan(variance)
    covariance = np.where(unknown[:, None] | unknown, np.nan, np.diag(np.where(unknown, 0.0, variance)))
    return AucCovariance(auc, covariance, pos, neg, pos.n + neg.n, informative, np.ones(auc.size), False, None)


def _covariance(auc: Floats, sample: _Sample, clustered: bool) -> AucCovariance:
    """Obuchowski's covariance; where all samples of a patient are of one class the cross terms vanish and it is DeLong's."""
    k = auc.size
    (pos, of_pos), (neg, of_neg) = sample.part(sample.positive), sample.part(~sample.positive)
    f_pos, f_neg = _correction(pos.clusters), _correction(neg.clusters)
    covariance = (of_pos.pull.T @ of_pos.pull).toarray() * np.sqrt(np.outer(f_pos, f_pos))
    covariance += (of_neg.pull.T @ of_neg.pull).toarray() * np.sqrt(np.outer(f_neg, f_neg))
    if not clustered:
        summed = of_pos.pull + of_neg.pull
        informative = _moments(summed.data, summed.indices, k)[1]
        return AucCovariance(auc, covariance, pos, neg, pos.clusters + neg.clusters, informative, np.ones(k), False, None)
    patients = np.bincount(np.unique(sample.unit * k + sample.column) % k, minlength=k)
    f_any = _correction(patients)
    cross = (of_pos.pull.T @ of_neg.pull).toarray()
    covariance += (cross + cross.T) * np.sqrt(np.outer(f_any, f_any))
    left_out = of_pos.left_out + of_neg.left_out
    squares, informative = _moments(left_out.data, left_out.indices, k)
    plain = np.diagonal(covariance)
    inflation = np.divide(squares, plain, out=np.ones(k), where=plain > 0)
    return AucCovariance(auc, covariance, pos, neg, patients, informative, np.maximum(inflation, 1.0), True, None)


def delong(y: ArrayLike, scores: ArrayLike, *, cluster: ArrayLike | None = None, weight: ArrayLike | None = None) -> AucCovariance:
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
    pull = np.concatenate([_pulls(place, positive, everybody, w) for place in places])
    column, weights = np.repeat(np.arange(k), n), np.ones(n * k) if w is None else np.tile(w, k)
    sample = _Sample(pull, np.tile(positive, k), np.tile(unit, k), column, weights, n_units, k)
    return _covariance(np.array([place.auc[0] for place in places]), sample, patients is not None)


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
    pull, weights = _pulls(place, positive, index, w), np.ones(n) if w is None else w
    inside = index >= 0
    sample = _Sample(pull[inside], positive[inside], unit[inside], index[inside], weights[inside], n_units, count)
    result = _independent(place.auc, sample) if patients is None else _covariance(place.auc, sample, True)
    influence = InfluenceFunction(pull, index, None if patients is None else unit, n_units)
    return replace(result, influence=influence)


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
