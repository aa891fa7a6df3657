"""Interval and test of the calibration error (ECE), which hold also where the model is calibrated.

The plain ECE adds up the noise of every bin and never averages it out, so its distribution is worked out from the noise
itself, as parametric tests do: labels drawn from a recalibrated risk in the score distribution that the group has. In bin b
with mean predicted risk P the risk is P + t d, with d the gap by logistic recalibration (the observed one where that is not
estimable) and t >= 0: t = 0 is a calibrated model, and the true error grows with t. Mean and variance of the plain ECE at every t
are exact sums over binomial bins, with effective sizes for weights and patients; a gamma distribution has them.

The interval holds the true errors at which the plain ECE would not be surprising (Neyman's construction). At 0 only large values
surprise, so that it leaves 0 out exactly when the test of calibration is significant; as that test's power grows, the tails
come to count the same. Groups are compared by joining their intervals (MOVER), which reaches from 0 where both are
calibrated: such groups are called different only where one of them is called miscalibrated. Whether two errors are within a
tolerance of each other is not claimed anywhere: verdicts rest on O:E and slope (`calibration_comparison`).

Coverage of the 95 % interval in 1,000 cohorts each (python -m tests.benchmarks.measure_calibration; patients at prevalence, spread
of the logits; true error): calibrated 350 at .02 .957; 180 at .07, 1.3 .964; 70 at .4, .8 .982; 150 of 2 rows with log-normal weights .944;
2,500 at .03 .948; 9 patients of 4 rows .963. Miscalibrated 900 at .12, 1.8 (.033) .939; 250 at .3, 1.2 (.044) .965; 35 patients
of 5 rows (.090) .937. Calibrated groups called different at 5 %: 2,000 at .04 against 120 at .45, 2.2 .027; 350 at .03 against
350 at .03, .6 .014; 45 at .4 against 700 at .15, 1.6 .034; 7 patients of 4 rows against 50 of 2 .012; weights .016.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, gammainc, gammaincc, gammainccinv

from core.metrics import validate
from core.metrics.calibration import BINS, Reliability, bin_of_score, debiased_ece, ece, reliability
from core.metrics.calibration_fit import recalibrated_risk
from core.metrics.intervals import difference_interval
from core.metrics.linear_estimates import all_pairs
from core.metrics.patient_sums import PatientSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Points of the grid of true errors, and how many standard deviations of the noise it reaches beyond the plain error.
GRID = 65
REACH = 8.0
TINY = 1e-12
# The tails of the gamma distribution are an approximation: smaller p-values than this are not told apart.
SMALLEST_P = 1e-8
HALVINGS = 40


@dataclass(frozen=True)
class CalibrationErrors:
    """Calibration errors of G groups, each (G,) or over a grid of T true errors (G, T), NaN for groups without rows.

    plain, debiased : the ECE as usually stated, and less the noise; grid : true errors from 0; shape, scale : the gamma distribution of
    the plain error at each.
    """

    plain: Floats
    debiased: Floats
    grid: Floats
    shape: Floats
    scale: Floats

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (G,) of the true error at one confidence level, or at a level for each group; they contain `debiased`."""
        wanted = np.asarray(level, dtype=np.float64)
        if not bool(((wanted > 0) & (wanted < 1)).all()):
            raise ValueError("confidence levels must lie between 0 and 1")
        return self._limits(np.broadcast_to(1 - wanted, self.plain.shape)[:, None])

    def _limits(self, alpha: Floats) -> tuple[Floats, Floats]:
        """At error rates (G, 1)."""
        with np.errstate(invalid="ignore"):
            below, above = (tail(self.shape, self.plain[:, None] / self.scale) for tail in (gammainc, gammaincc))
            critical = self.scale[:, :1] * gammainccinv(self.shape[:, :1], alpha)
            power = gammaincc(self.shape, critical / self.scale)
            lower_tail = alpha / 2 * np.clip((power - alpha) / (1 - alpha), 0, 1)
            low = _crossing(self.grid, above - (alpha - lower_tail))
            high = _crossing(self.grid, lower_tail - below)
            return np.minimum(low, self.debiased), np.maximum(high, self.debiased)

    def take(self, groups: Ints) -> CalibrationErrors:
        """The same of some groups, in this order."""
        return CalibrationErrors(*(part[groups] for part in (self.plain, self.debiased, self.grid, self.shape, self.scale)))

    def differences(self, pairs: ArrayLike | None = None) -> CalibrationErrorDifferences:
        """Differences of pairs of groups, (T, 2) indices; None: of every two groups."""
        index = all_pairs(self.plain.size) if pairs is None else np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
        return CalibrationErrorDifferences(index, self.take(index[:, 0]), self.take(index[:, 1]))


@dataclass(frozen=True)
class CalibrationErrorDifferences:
    """Differences a - b of the debiased errors of T pairs of groups, whose members lie row by row in `a` and `b`."""

    pairs: Ints
    a: CalibrationErrors
    b: CalibrationErrors

    @property
    def difference(self) -> Floats:
        return self.a.debiased - self.b.debiased

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (T,) at one confidence level, or at a level for each pair."""
        (low_a, high_a), (low_b, high_b) = self.a.interval(level), self.b.interval(level)
        return difference_interval(self.a.debiased, low_a, high_a, self.b.debiased, low_b, high_b)

    @property
    def p(self) -> Floats:
        """P-value (T,) of no difference: the error rate at which the interval first reaches 0, found by halving its logarithm."""
        smallest, largest = np.full(self.pairs.shape[0], np.log(SMALLEST_P)), np.zeros(self.pairs.shape[0])
        d = self.difference
        for _ in range(HALVINGS):
            middle = (smallest + largest) / 2
            alpha = np.exp(middle)[:, None]
            (low_a, high_a), (low_b, high_b) = self.a._limits(alpha), self.b._limits(alpha)
            low, high = difference_interval(self.a.debiased, low_a, high_a, self.b.debiased, low_b, high_b)
            reached = np.where(d > 0, low <= 0, high >= 0)
            smallest, largest = np.where(reached, middle, smallest), np.where(reached, largest, middle)
        return np.where(np.isfinite(d), np.exp(largest), np.nan)


def calibration_error_intervals(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    bins: int = BINS,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> CalibrationErrors:
    """Plain and debiased ECE of every group with intervals.

    Parameters
    ----------
    y : (n,) labels 0 or 1; score : (n,) predicted probabilities
    group : (n,) group indices, -1 left out; None for one group
    bins : equal-width bins of [0, 1]
    weight : (n,) sampling weights; cluster : (n,) patient of each row, None when each row is its own

    Raises
    ------
    ValueError : for labels that are not binary and scores outside [0, 1].
    """
    curve = reliability(y, score, group, n_groups, bins=bins, weight=weight, cluster=cluster)
    plain, debiased = ece(curve), debiased_ece(curve)
    positive = validate.labels(y)
    p = validate.probabilities(score, positive.size)
    index, count = validate.groups(group, positive.size, n_groups)
    w = validate.weights(weight, positive.size)
    rows = np.where(index >= 0, 1.0 if w is None else w, 0.0)
    direction = _Direction.of(curve, recalibrated_risk(positive, p, index, count, weight=weight) - p, rows, index, bin_of_score(p, bins))
    extra = _SharedNoise.of(positive, rows, index, p, curve, direction, cluster)
    grid, shape, scale = _distributions(curve, plain, direction, extra)
    return CalibrationErrors(plain, debiased, grid, shape, scale)


@dataclass(frozen=True)
class _Direction:
    """Where miscalibration grows: gap (G, B) of every bin, and the variance (G,) of the rows' gaps, signed by their bin."""

    gap: Floats
    spread: Floats

    @classmethod
    def of(cls, curve: Reliability, moved: Floats, rows: Floats, index: Ints, bucket: Ints) -> _Direction:
        """From what recalibration adds to the risk of each row, (n,), NaN where it is not estimable."""
        count, bins = curve.weight.shape
        use = (rows > 0) & np.isfinite(moved)
        cell = index[use] * bins + bucket[use]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(cell, rows[use] * moved[use], count * bins) / np.bincount(cell, rows[use], count * bins)
        observed = np.nan_to_num(curve.observed - curve.predicted)
        gap = np.where(np.isfinite(mean), mean, observed.ravel()).reshape(count, bins)
        signed = np.sign(gap).ravel()[cell] * moved[use]
        total = np.maximum(np.bincount(index[use], rows[use], count), TINY)
        first, second = (np.bincount(index[use], rows[use] * power, count) / total for power in (signed, signed**2))
        return cls(gap, np.maximum(second - first**2, 0.0))


@dataclass(frozen=True)
class _SharedNoise:
    """How many times larger the variance of the plain ECE is because patients have rows in several bins, (G,).

    calibrated : where no bin is off, so that noise counts with either sign; miscalibrated : where noise counts with the sign of its bin.
    """

    calibrated: Floats
    miscalibrated: Floats

    @classmethod
    def of(
        cls, positive: NDArray[np.bool_], rows: Floats, index: Ints, p: Floats, curve: Reliability, direction: _Direction, cluster: ArrayLike | None
    ) -> _SharedNoise:
        """From the residuals of every patient in every bin.

        The covariance of |X| and |Y|, X and Y normal with correlation r, is (r asin r + sqrt(1 - r^2) - 1) 2 / pi times both standard
        deviations. A correlation seen in C patients is squared off by 1 / C on average, half of which is taken off again.
        """
        count, bins = curve.weight.shape
        patients = validate.clusters(cluster, positive.size)
        if patients is None:
            return cls(np.ones(count), np.ones(count))
        use = rows > 0
        place = bin_of_score(p[use], bins)
        residual = rows[use] * (positive[use] - curve.observed.ravel()[index[use] * bins + place])
        found = PatientSums.of(index[use], patients[0][use], count)
        table = np.bincount(found.member * bins + place, residual, found.owner.size * bins).reshape(-1, bins)
        sign = np.sign(direction.gap)
        alike, signed = np.ones(count), np.ones(count)
        for g in range(count):
            own = table[found.owner == g]
            covariance = own.T @ own
            sd = np.sqrt(np.diagonal(covariance))
            within = float(np.square(sd).sum())
            if not within > 0:
                continue
            both = np.outer(sd, sd)
            r = np.clip(np.divide(covariance, both, out=np.zeros_like(both), where=both > 0), -1.0, 1.0)
            shared = r * np.arcsin(r) + np.sqrt(1 - np.square(r)) - 1 - 0.5 / own.shape[0]
            np.fill_diagonal(shared, 0.0)
            alike[g] = 1 + max(float((both * shared).sum()), 0.0) / (within * (np.pi / 2 - 1))
            signed[g] = max(float(sign[g] @ covariance @ sign[g]) / within, 1.0)
        # Both are estimated from C patients: Student's t is wider than the normal by (C - 1) / (C - 3) in variance.
        few = (found.patients - 1) / np.maximum(found.patients - 3, 1)
        return cls(alike * few, signed * few)


def _distributions(curve: Reliability, plain: Floats, direction: _Direction, shared: _SharedNoise) -> tuple[Floats, Floats, Floats]:
    """Grid of true errors, and shape and scale of the plain error's gamma distribution at each, (G, T)."""
    filled = curve.weight > 0
    total = curve.weight.sum(axis=1, keepdims=True)
    share = np.divide(curve.weight, total, out=np.zeros_like(curve.weight), where=total > 0)
    predicted = np.where(filled, curve.predicted, 0.0)
    size = np.where(filled, np.maximum(curve.size, 1.0), 1.0)
    length = (share * np.abs(direction.gap)).sum(axis=1)
    noise = np.sqrt((share**2 * predicted * (1 - predicted) / size).sum(axis=1))
    reach = np.divide(plain + REACH * noise, length, out=np.zeros_like(plain), where=length > 0)
    t = reach[:, None] * np.linspace(0, 1, GRID) ** 2
    centre, part = predicted[:, None, :], share[:, None, :]
    risk = np.clip(centre + t[:, :, None] * direction.gap[:, None, :], 0.0, 1.0)
    bin_mean, bin_variance = binomial_distance(size[:, None, :], risk, centre)
    error = (part * np.abs(risk - centre)).sum(axis=2)
    mean = np.maximum((part * bin_mean).sum(axis=2), TINY)
    variance = (part**2 * bin_variance).sum(axis=2)
    # Patients shared between bins matter more, the more the bins err in one direction together.
    off = np.minimum(error / mean, 1.0)
    variance *= shared.calibrated[:, None] * (1 - off) + shared.miscalibrated[:, None] * off
    variance += t**2 * (direction.spread / np.maximum(curve.size.sum(axis=1), 1.0))[:, None]
    variance = np.maximum(variance, TINY * mean**2)
    nothing = np.where(total > 0, 0.0, np.nan)
    return error + nothing, mean**2 / variance + nothing, variance / mean + nothing


def binomial_distance(n: Floats, risk: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of |K / n - centre| for a binomial K of `n` trials (not necessarily whole) with chance `risk`, elementwise."""
    c = n * centre
    k = np.floor(c + 1e-9)
    short = c * _binomial_cdf(k, n, risk) - n * risk * _binomial_cdf(k - 1, n - 1, risk)
    mean = np.maximum(n * risk - c + 2 * short, np.abs(n * risk - c))
    variance = np.maximum(n * risk * (1 - risk) + (n * risk - c) ** 2 - mean**2, 0.0)
    return mean / n, variance / n**2


def _binomial_cdf(k: Floats, n: Floats, p: Floats) -> Floats:
    """P(K <= k) by the incomplete beta function, for n that need not be whole."""
    k, n, p = np.broadcast_arrays(k, n, p)
    inside = (k >= 0) & (k < n)
    value = betainc(np.where(inside, n - k, 1.0), np.where(inside, k + 1, 1.0), 1 - p)
    return np.where(k < 0, 0.0, np.where(k >= n, 1.0, value))


def _crossing(x: Floats, f: Floats) -> Floats:
    """Where f (G, T), which rises, first reaches 0 on the grid x, (G,); an end of the grid where it does not cross."""
    f = np.maximum.accumulate(f, axis=1)
    rows, last = np.arange(x.shape[0]), x.shape[1] - 1
    crossed = (f >= 0).any(axis=1)
    after = np.where(crossed, (f >= 0).argmax(axis=1), last)
    before = np.maximum(after - 1, 0)
    rise = f[rows, after] - f[rows, before]
    share = np.divide(-f[rows, before], rise, out=np.ones_like(rise), where=rise > 0)
    between = x[rows, before] + np.clip(share, 0, 1) * (x[rows, after] - x[rows, before])
    return np.where(after == 0, x[:, 0], np.where(crossed, between, x[:, last]))
