"""Power of the verdicts between groups at planned gaps and numbers of patients.

The same pivot that tests a pair (core.metrics.comparisons) says what it needs. Where one group's estimate is a and another's
b > a, their difference d is significant as soon as d exceeds q sqrt(V_a(u) + V_b(l)), with V the variance at the limits
u = a + q sqrt(V_a(u)) and l = b - q sqrt(V_b(l)): with few positives the variance on the way to 0 is not that at the
estimate. The estimates themselves vary by V_a(a) + V_b(b). So the power is the chance that the estimates lie further
apart than where the pivot meets its critical value, of which the slope is taken along the likeliest way (from the planned
values to equality, each group moving in proportion to its variance). The variance of the pivot's own scale adds
q^2 / (2 df). Pairs of one group with several others share its error: their union is summed over joint normal draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from core.metrics.comparisons import GroupEstimates
from core.metrics.max_statistics import normal_draws, t_quantile
from core.metrics.variance_function import variance_at, variance_table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ITERATIONS = 8
# Times that the precisions are taken at the mean found before.
ROUNDS = 4
DRAWS_LOG2 = 8
# Degrees of freedom from which Student's t is taken for normal.
MANY = 1e6


@dataclass(frozen=True)
class PlannedGroups:
    """Groups whose variances are known for any value in [0, 1].

    value, df : (G,); variance : (G, K) at the true values of
    `variance_function.GRID`, for the patients that there are now.
    """

    value: Floats
    df: Floats
    variance: Floats

    @classmethod
    def of(cls, estimates: GroupEstimates, places: Ints) -> PlannedGroups:
        """Of the estimates `places`: their variance functions read from their limits, V(t) = (distance / q)^2."""
        df = np.where(np.isfinite(estimates.df[places]), estimates.df[places], MANY)
        return cls(estimates.value[places], df, variance_table(estimates)[places])

    def at(self, group: Ints, true: Floats, factor: Floats) -> Floats:
        """Variance of estimates of groups (indices) at true values with `factor` times as many patients; all of one shape."""
        return variance_at(self.variance, group, true) / factor

    def common(self, but: int | None = None) -> float:
        """Precision-weighted mean of the values, without group `but`; precisions are those at the mean itself.

        At its own value a group ranked without fault would have no variance, and its value would be all that counts.
        """
        everyone = np.arange(self.value.size)
        others = everyone != (-1 if but is None else but)
        centre = float(self.value[others].mean())
        for _ in range(ROUNDS):
            weight = 1 / np.maximum(self.at(everyone, np.full(everyone.size, centre), np.ones(everyone.size)), 1e-12)[others]
            centre = float((weight * self.value[others]).sum() / weight.sum())
        return centre

    def unfavourable(self, group: int, centre: float, gap: float) -> float:
        """Which way, -1 or 1, a group off by `gap` from `centre` varies more, among those that stay inside [0, 1]."""
        ways = [way for way in (-1.0, 1.0) if 0 <= centre + way * gap <= 1] or [-1.0 if centre > 0.5 else 1.0]
        return max(ways, key=lambda way: float(self.at(np.array([group]), np.array([centre + way * gap]), np.ones(1))[0]))


def disparity_power(groups: PlannedGroups, group: int, gaps: ArrayLike, factors: ArrayLike, tolerance: float, critical: float) -> Floats:
    """Chance that `group` is called different from some other group, (C,).

    Parameters
    ----------
    gaps : (C,) by how much the group lies off all others, which are alike
    factors : (C, G) how many times the present patients each group has
    tolerance : least observed difference that is called a disparity
    critical : marginal level of a pair's two-sided test (the family's error rate after correction)
    """
    d = np.asarray(gaps, dtype=np.float64)[:, None]
    f = np.asarray(factors, dtype=np.float64)
    others = np.flatnonzero(np.arange(groups.value.size) != group)
    centre = groups.common(group)
    way = groups.unfavourable(group, centre, float(np.median(d)))
    low, high = (centre + way * d, np.full_like(d, centre)) if way < 0 else (np.full_like(d, centre), centre + way * d)
    own, rest = np.full((d.size, others.size), group), np.broadcast_to(others, (d.size, others.size))
    f_own, f_rest = np.broadcast_to(f[:, [group]], own.shape), f[:, others]
    a, b, f_a, f_b = (own, rest, f_own, f_rest) if way < 0 else (rest, own, f_rest, f_own)
    v_a, v_b = groups.at(a, np.broadcast_to(low, a.shape), f_a), groups.at(b, np.broadcast_to(high, a.shape), f_b)
    sd = np.sqrt(v_a + v_b)
    df = (v_a + v_b) ** 2 / (v_a**2 / (groups.df[a] * f_a) + v_b**2 / (groups.df[b] * f_b))
    needed = t_quantile(np.where(df < MANY, df, np.inf), critical / 2)

    def pivot(step: float) -> Floats:
        """Quantile at which the pair's interval reaches 0 when its difference comes out `step` standard deviations smaller."""
        return _pivot(groups, (a, b), (low + step * v_a / sd, high - step * v_b / sd), (f_a, f_b))

    here, closer = pivot(0.0), pivot(1.0)
    slope = np.sqrt(np.square(here - closer) + np.square(needed) / (2 * df))
    margin = np.minimum((here - needed) / np.maximum(slope, 1e-9), (d - tolerance) / sd)
    v_own, v_rest = (v_a, v_b) if way < 0 else (v_b, v_a)
    draws = normal_draws(groups.value.size, DRAWS_LOG2)
    shared, single = draws[:, [group]][:, None], draws[:, others][:, None]
    error = (np.sqrt(v_own) * shared + np.sqrt(v_rest) * single) / sd
    if others.size == 1:
        return np.asarray(ndtr(margin[:, 0]))
    # Of the group's own error the draws are exact only on average: the best supported pair alone has its normal tail.
    union = (error <= margin).any(axis=2).mean(axis=0)
    best = margin.argmax(axis=1)
    rows = np.arange(d.size)
    alone = (error[:, rows, best] <= margin[rows, best]).mean(axis=0)
    return np.asarray(np.clip(ndtr(margin[rows, best]) + union - alone, 0.0, 1.0))


def _pivot(groups: PlannedGroups, pair: tuple[Ints, Ints], value: tuple[Floats, Floats], factor: tuple[Floats, Floats]) -> Floats:
    (a, b), (low, high), (f_a, f_b) = pair, value, factor
    low, high = np.broadcast_to(low, a.shape), np.broadcast_to(high, a.shape)
    apart = high - low
    reach_a, reach_b = apart / 2, apart / 2
    quantile = np.zeros(a.shape)
    for _ in range(ITERATIONS):
        v_a, v_b = groups.at(a, low + reach_a, f_a), groups.at(b, high - reach_b, f_b)
        quantile = apart / np.sqrt(v_a + v_b)
        reach_a, reach_b = np.abs(quantile) * np.sqrt(v_a), np.abs(quantile) * np.sqrt(v_b)
    return quantile


def equivalence_power(groups: PlannedGroups, factors: ArrayLike, tolerance: float, alpha: float = 0.05) -> Floats:
    """Chance that the intervals of all pairs lie within the tolerance where all groups are alike, (C,).

    factors : (C, G) how many times the present patients each group has. alpha : 1 - level of the pairs' own intervals.
    """
    f = np.asarray(factors, dtype=np.float64)
    count = groups.value.size
    every = np.broadcast_to(np.arange(count), f.shape)
    v = groups.at(every, np.full(f.shape, groups.common()), f)
    first, second = np.array(list(combinations(range(count), 2)), dtype=np.int64).T
    total = v[:, first] + v[:, second]
    df = total**2 / (v[:, first] ** 2 / (groups.df * f)[:, first] + v[:, second] ** 2 / (groups.df * f)[:, second])
    room = tolerance - t_quantile(np.where(df < MANY, df, np.inf), alpha / 2) * np.sqrt(total)
    if count == 2:
        return np.asarray(np.maximum(2 * ndtr(room[:, 0] / np.sqrt(total[:, 0])) - 1, 0.0))
    error = normal_draws(count, DRAWS_LOG2)[:, None] * np.sqrt(v)
    return np.asarray((np.abs(error[:, :, first] - error[:, :, second]) <= room).all(axis=2).mean(axis=0))


def first_at(x: Floats, power: Floats, wanted: float) -> float | None:
    """Where a power that rises along ascending `x` (> 0) first is as `wanted`, by interpolation on normal deviates; None if nowhere."""
    reached = np.flatnonzero(power >= wanted)
    if not reached.size:
        return None
    i = int(reached[0])
    if i == 0:
        return float(x[0])
    z = ndtri(np.clip(power[i - 1 : i + 1], 1e-6, 1 - 1e-6))
    part = (ndtri(wanted) - z[0]) / (z[1] - z[0])
    return float(np.exp(np.log(x[i - 1]) + part * (np.log(x[i]) - np.log(x[i - 1]))))
