"""Differences between estimates of groups: for each one pivot, of which the test and the interval are two sides.

The limits of a difference a - b at a quantile q join the two estimates' own limits at q (MOVER: Newcombe 1998, Zou and
Donner 2008; with correlation r: Zou 2007):

    low(q)  = d - sqrt(x^2 + y^2 - 2 r x y),   x = a - l_a(q), y = u_b(q) - b,

and high(q) likewise. The test asks at which q the nearer limit reaches 0: p is the two-sided tail of Student's t beyond
it, with Satterthwaite's degrees of freedom from both groups, which count patients. So at every level the interval
excludes 0 exactly when p < 1 - level. Since the groups' limits are of score type, no standard error is ever 0 and
nothing leaves its range.

Nothing is resampled: the same data give the same p, to any depth. Size, coverage and power beside the best valid tests, measured in settings
on which no constant was set: STATISTICS.md, by core.study.audit_pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from core.metrics.influence_functions import InfluenceFunction
from core.metrics.score_limits import ScoreLimits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METHOD = "score limits of both groups joined (MOVER), Student's t"
# Beyond these degrees of freedom Student's t is the normal distribution.
NORMAL = 1e7
SMALLEST_P = float(np.finfo(np.float64).tiny)
STEPS, CONVERGED = 80, 1e-10
SMALLEST_QUANTILE, LARGEST_QUANTILE = 1e-6, 1e4


@dataclass(frozen=True)
class GroupEstimates:
    """One statistic in G groups (or other sets of rows) with its limits; arrays (G,).

    value : NaN where not estimable. df : degrees of freedom of the variance, inf where known. limits : of score type.
    correlation : (G, G) between estimates that share patients, None where all are independent. influence : what
    joint inference is made from, None where unknown.
    """

    value: Floats
    df: Floats
    limits: ScoreLimits
    correlation: Floats | None = None
    influence: InfluenceFunction | None = None

    @property
    def se(self) -> Floats:
        """Half the width of the interval at quantile 1, (G,): the standard error, and above 0 at an edge too."""
        everyone = np.arange(self.value.size)
        below, above = self.limits.distances(np.ones(self.value.size), everyone)
        return np.where(np.isfinite(self.value), (below + above) / 2, np.nan)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Limits (G,), (G,) of each group's own estimate."""
        below, above = self.limits.distances(_quantile(self.df, np.asarray(level)), np.arange(self.value.size))
        return self.value - below, self.value + above


@dataclass(frozen=True)
class PairComparisons:
    """Differences first - second of T pairs of estimates, arrays (T,); NaN where one of the two is not estimable.

    se : half the width of the interval at quantile 1 on the side of 0, never 0. statistic : quantile at which the interval
    reaches 0, with the sign of the difference. df : its degrees of freedom. p : two-sided, above 0.
    """

    estimates: GroupEstimates
    first: Ints
    second: Ints
    difference: Floats
    se: Floats
    statistic: Floats
    df: Floats
    p: Floats

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (T,), (T,) at one level or at a level for each pair: without 0 exactly where p < 1 - level."""
        quantile = _quantile(self.df, np.broadcast_to(np.asarray(level, dtype=np.float64), self.df.shape))
        below, above = _reach(self.estimates, self.first, self.second, quantile)
        return self.difference - below, self.difference + above

    def interval_at_p(self, p: ArrayLike) -> tuple[Floats, Floats]:
        """`interval` at the level 1 - p, without what that subtraction would round off when p is small."""
        alpha = np.broadcast_to(np.asarray(p, dtype=np.float64), self.df.shape)
        below, above = _reach(self.estimates, self.first, self.second, _upper_quantile(self.df, alpha / 2))
        return self.difference - below, self.difference + above


def compare_pairs(estimates: GroupEstimates, pairs: ArrayLike) -> PairComparisons:
    """Compare pairs (T, 2) of estimates by index.

    Returns
    -------
    PairComparisons : in the order of the pairs; a pair of which one estimate is NaN is NaN throughout.
    """
    first, second = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    difference = estimates.value[first] - estimates.value[second]

    def towards_zero(quantile: Floats) -> Floats:
        below, above = _reach(estimates, first, second, quantile)
        return np.where(difference >= 0, below, above)

    se = towards_zero(np.ones(difference.size))
    df = _freedom(estimates, first, second, difference)
    statistic = _solve(towards_zero, np.abs(difference), se)
    p = 2 * np.where(df >= NORMAL, ndtr(-statistic), stdtr(np.minimum(df, NORMAL), -statistic))
    known = np.isfinite(difference) & ~np.isnan(df) & (se > 0)
    blank = [np.where(known, v, np.nan) for v in (se, np.copysign(statistic, difference), df, np.clip(p, SMALLEST_P, 1.0))]
    return PairComparisons(estimates, first, second, difference, *blank)


def correlation(covariance: Floats) -> Floats:
    """(G, G) correlations of a covariance; 0 with an estimate that has no variance of its own."""
    sd = np.sqrt(np.maximum(np.nan_to_num(np.diagonal(covariance)), 0.0))
    scale = np.outer(sd, sd)
    result = np.divide(covariance, scale, out=np.zeros_like(scale), where=(scale > 0) & np.isfinite(covariance))
    np.fill_diagonal(result, 1.0)
    return np.clip(result, -1.0, 1.0)


def _quantile(df: Floats, level: Floats) -> Floats:
    return _upper_quantile(df, (1 - level) / 2)


def _upper_quantile(df: Floats, tail: Floats) -> Floats:
    """Quantile that is exceeded with probability `tail`."""
    t = -stdtrit(np.minimum(np.nan_to_num(df, nan=1.0, posinf=NORMAL), NORMAL), tail)
    return np.where(df >= NORMAL, -ndtri(tail), t)


def _own(estimates: GroupEstimates, first: Ints, second: Ints, quantile: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    below, above = estimates.limits.distances(np.concatenate([quantile, quantile]), np.concatenate([first, second]))
    n = first.size
    return below[:n], above[:n], below[n:], above[n:]


def _reach(estimates: GroupEstimates, first: Ints, second: Ints, quantile: Floats) -> tuple[Floats, Floats]:
    """How far the limits of the differences lie from them at quantiles (T,)."""
    below_a, above_a, below_b, above_b = _own(estimates, first, second, quantile)
    shared = 0.0 if estimates.correlation is None else 2 * estimates.correlation[first, second]
    below = np.sqrt(np.maximum(below_a**2 + above_b**2 - shared * below_a * above_b, 0.0))
    above = np.sqrt(np.maximum(above_a**2 + below_b**2 - shared * above_a * below_b, 0.0))
    return below, above


def _freedom(estimates: GroupEstimates, first: Ints, second: Ints, difference: Floats) -> Floats:
    """Satterthwaite's degrees of freedom, each group's variance taken on the side of 0."""
    below_a, above_a, below_b, above_b = _own(estimates, first, second, np.ones(first.size))
    own, other = np.where(difference >= 0, below_a, above_a) ** 2, np.where(difference >= 0, above_b, below_b) ** 2
    spread = own**2 / estimates.df[first] + other**2 / estimates.df[second]
    return np.divide((own + other) ** 2, spread, out=np.full(spread.shape, np.inf), where=spread > 0)


def _solve(reach: Callable[[Floats], Floats], target: Floats, se: Floats) -> Floats:
    """Quantiles (T,) at which `reach`, rising, equals `target`: secants on logarithms, where it is nearly straight, kept bracketed."""
    low, high = np.full(target.shape, np.log(SMALLEST_QUANTILE)), np.full(target.shape, np.log(LARGEST_QUANTILE))
    slope = np.ones(target.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        goal = np.log(target)
        at = np.clip(goal - np.log(se), low, high)
        miss = np.log(reach(np.exp(at))) - goal
        for step in range(STEPS):
            under = miss < 0
            low, high = np.where(under, at, low), np.where(under, high, at)
            following = at - miss / slope
            inside = (following > low) & (following < high) & (step % 8 < 7)
            following = np.where(inside, following, (low + high) / 2)
            found = np.log(reach(np.exp(following))) - goal
            secant = (found - miss) / (following - at)
            slope = np.where((secant > 0) & np.isfinite(secant), secant, slope)
            at, miss = following, found
            if bool(np.all((np.abs(miss) < CONVERGED) | (high - low < CONVERGED) | ~np.isfinite(miss))):
                break
    return np.where(target > 0, np.exp(at), 0.0)
