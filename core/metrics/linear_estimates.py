"""Estimates of G groups that behave like sums over independent patients, their intervals, tests and differences.

Every estimate comes with the pull of each patient on it (its influence). The variance is the sum of squared pulls, and
groups that share patients are correlated through the products of these. Student's t with degrees of freedom from the
number of patients takes the place of the normal distribution, and Welch's of two groups' for their difference. An
interval and a p-value are made from the same statistic: the interval at any level leaves 0 out exactly when p is below
1 - level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PairDifferences:
    """Differences a - b of T pairs of groups, each (T,), NaN where not estimable.

    pairs : int64 (T, 2) group indices a, b; difference : on the estimate's own scale; se : its standard error (never 0);
    df : Welch's degrees of freedom; reason : why there is no test, None where there is one.
    """

    pairs: Ints
    difference: Floats
    se: Floats
    df: Floats
    reason: tuple[str | None, ...]

    @property
    def p(self) -> Floats:
        """Two-sided p-value of no difference, (T,)."""
        return p_value(self.difference, self.se, self.df)

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (T,) at one confidence level, or at a level for each pair, (T,)."""
        return limits(self.difference, self.se, self.df, level)

    def p_within(self, bound: ArrayLike) -> Floats:
        """P-value of equivalence, (T,): small where the difference is shown to lie within -bound to bound.

        Two one-sided tests (Schuirmann 1987): below alpha exactly when `interval(1 - 2 * alpha)` lies inside the bound.
        """
        b = np.asarray(bound, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return np.asarray(stdtr(self.df, -(b - np.abs(self.difference)) / self.se), dtype=np.float64)

    def p_beyond(self, bound: ArrayLike) -> Floats:
        """P-value, (T,), of the difference lying within -bound to bound: small where it is shown to exceed the bound."""
        b = np.asarray(bound, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.minimum(2 * stdtr(self.df, (b - np.abs(self.difference)) / self.se), 1.0), dtype=np.float64)


@dataclass(frozen=True)
class LinearEstimates:
    """One quantity in G groups.

    Attributes
    ----------
    value : (G,) estimates, NaN where not estimable
    variance : (G,) variances, NaN where not estimable
    df : (G,) degrees of freedom of the variances
    reason : why a group has no estimate, None where it has one
    covariance : (G, G) where groups share patients, else None
    """

    value: Floats
    variance: Floats
    df: Floats
    reason: tuple[str | None, ...]
    covariance: Floats | None = None

    @property
    def se(self) -> Floats:
        return np.sqrt(self.variance)

    def p(self, null: float) -> Floats:
        """Two-sided p-value (G,) of the value being `null`."""
        return p_value(self.value - null, self.se, self.df)

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (G,) at one confidence level, or at a level for each group, (G,)."""
        return limits(self.value, self.se, self.df, level)

    def differences(self, pairs: ArrayLike | None = None) -> PairDifferences:
        """Differences of pairs of groups, (T, 2) indices; None: of every two groups."""
        index = all_pairs(self.value.size) if pairs is None else np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
        a, b = index.T
        own = self.variance
        variance = own[a] + own[b] - (0.0 if self.covariance is None else 2 * self.covariance[a, b])
        with np.errstate(invalid="ignore", divide="ignore"):
            df = (own[a] + own[b]) ** 2 / (own[a] ** 2 / self.df[a] + own[b] ** 2 / self.df[b])
            se = np.sqrt(np.where(variance > 0, variance, np.nan))
        reason = tuple(self.reason[i] or self.reason[j] for i, j in index)
        return PairDifferences(index, self.value[a] - self.value[b], se, df, reason)


def all_pairs(count: int) -> Ints:
    """Every two of `count` groups, (T, 2)."""
    return np.array(list(combinations(range(count), 2)), dtype=np.int64).reshape(-1, 2)


def p_value(distance: Floats, se: Floats, df: Floats) -> Floats:
    """Two-sided p of a distance over its standard error against Student's t, elementwise."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * stdtr(df, -np.abs(distance) / se), dtype=np.float64)


def limits(value: Floats, se: Floats, df: Floats, level: ArrayLike) -> tuple[Floats, Floats]:
    """Student's t limits, elementwise. Raises ValueError for a level outside (0, 1)."""
    wanted = np.asarray(level, dtype=np.float64)
    if not bool(((wanted > 0) & (wanted < 1)).all()):
        raise ValueError("confidence levels must lie between 0 and 1")
    half = stdtrit(df, 0.5 + wanted / 2) * se
    return value - half, value + half


def from_pulls(
    value: Floats, pull: Floats, owner: Ints, patient: Ints | None, df: Floats, reason: Sequence[str | None], extra: Floats | None = None
) -> LinearEstimates:
    """Estimates from the pull of each patient on its group's value.

    Parameters
    ----------
    value : (G,) estimates, NaN where not estimable
    pull : (k,) pull of each patient-in-group; owner : (k,) its group
    patient : (k,) who it is, where patients may be in several groups; None: every patient is in one
    df : (G,) degrees of freedom
    reason : per group, why there is no estimate
    extra : (G,) variance to add to that of the pulls
    """
    count = value.size
    known = np.array([why is None for why in reason], dtype=bool) & np.isfinite(value)
    safe = np.where(known[owner], pull, 0.0)
    variance = np.bincount(owner, safe**2, count) + (0.0 if extra is None else extra)
    known &= variance > 0
    covariance = None
    if patient is not None:
        size = int(patient.max(initial=-1)) + 1
        sums = sparse.csr_array((safe, (patient, owner)), shape=(size, count))
        covariance = np.asarray((sums.T @ sums).toarray(), dtype=np.float64)
    why = tuple(r if r is not None else None if k else "no variation to estimate an error from" for r, k in zip(reason, known, strict=True))
    return LinearEstimates(np.where(known, value, np.nan), np.where(known, variance, np.nan), df, why, covariance)
