"""Limits of the difference of one estimate under two models on the same patients.

With correlation r the two errors have a share r in common, which moves both estimates the same way, and a share 1 - r each
of their own. So the lower limit of a - b at a quantile is

    d - sqrt((1 - r) (x^2 + y^2) + r (x - z)^2),   x = a - l_a,  y = u_b - b,  z = b - l_b,

and the upper one likewise. For symmetric limits this is the MOVER with a correlation (Zou 2007), which in the asymmetric
case sets the lower limit of one against the upper limit of the other for what they share too, and is several times too
wide where two models rank nearly alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics.comparisons import GroupEstimates, PairComparisons, compare_pairs
from core.metrics.score_limits import ScoreLimits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class DifferenceLimits:
    """Limits of differences first - second of estimates, and of one more that is 0 and known.

    limits : of the estimates; first, second : (T,) their indices; correlation : (T,), 0 and up.
    """

    limits: ScoreLimits
    first: Ints
    second: Ints
    correlation: Floats

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        below, above = np.zeros(index.size), np.zeros(index.size)
        known = index == self.first.size
        at, q = index[~known], quantile[~known]
        below_a, above_a = self.limits.distances(q, self.first[at])
        below_b, above_b = self.limits.distances(q, self.second[at])
        r = self.correlation[at]
        below[~known] = np.sqrt((1 - r) * (below_a**2 + above_b**2) + r * (below_a - below_b) ** 2)
        above[~known] = np.sqrt((1 - r) * (above_a**2 + below_b**2) + r * (above_a - above_b) ** 2)
        return below, above


def compare_models(estimates: GroupEstimates, first: Ints, second: Ints) -> PairComparisons:
    """Differences first - second (T,) of estimates under two models, by index, as comparisons with 0."""
    assert estimates.correlation is not None
    r = np.maximum(estimates.correlation[first, second], 0.0)
    difference = estimates.value[first] - estimates.value[second]
    own, other = estimates.se[first] ** 2, estimates.se[second] ** 2
    spread = own**2 / estimates.df[first] + other**2 / estimates.df[second]
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(spread > 0, (own + other) ** 2 / spread, np.where(np.isnan(spread), np.nan, np.inf))
    limits = DifferenceLimits(estimates.limits, first, second, r)
    with_zero = GroupEstimates(np.append(difference, 0.0), np.append(df, np.inf), limits)
    return compare_pairs(with_zero, np.column_stack([np.arange(first.size), np.full(first.size, first.size)]))
