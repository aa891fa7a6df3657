"""Interval of ES-AUC, A / (1 + sum_g |A_g - A|), the equity-scaled AUC of Luo et al. (2024).

The sum of absolute deviations is biased upwards, most where all groups are alike, so its resampled percentiles leave out
the truth. But it is the largest of the sums sum_g e_g (A_g - A) over all signs e_g = -1 or 1, and ES-AUC the smallest of
A / (1 + sum_g e_g (A_g - A)). As for every summary that is a maximum (core.metrics.summary_intervals):

    low  = min over the signs of the lower limit of that ratio, for the signs one by one (Fieller's form: u is below the
           limit while A - u (1 + sum) is shown to be positive for all signs);
    high = upper limit of A over 1 + sum_g max(|A_g - A| - reach_g, 0), all limits holding together (Sidak 1967).

Limits of sums join those of the AUCs with their correlations (MOVER, Zou 2007).
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics.comparisons import GroupEstimates
from core.metrics.equity import NO_OVERALL, es_auc
from core.metrics.max_statistics import t_quantile
from core.metrics.summary_intervals import NO_GROUP, ONE_GROUP, SummaryEstimate

Floats = NDArray[np.float64]

# Signs are enumerated for this many groups, those whose side of the overall AUC is least certain.
ENUMERATED = 10
# Share of the error on the upper side that is left to the deviations: they are shown rarely, the AUC's own limit is seen always.
OF_DEVIATIONS = 0.2
BISECTIONS = 30


def es_auc_interval(estimates: GroupEstimates, judged: ArrayLike | None = None, level: float = 0.95, p: float | None = None) -> SummaryEstimate:
    """ES-AUC of the judged groups with its interval.

    Parameters
    ----------
    estimates : AUCs of G groups and, last, of everybody, with their correlation (G + 1, G + 1)
    judged : (G,) bool, groups that enter; all that have a value where None
    p : of the hypothesis that all groups have the same AUC, passed on
    """
    usable = np.isfinite(estimates.value) & np.isfinite(estimates.se)
    if not usable[-1]:
        return SummaryEstimate.missing(NO_OVERALL)
    if judged is not None:
        usable[:-1] &= np.asarray(judged, dtype=bool)
    used = np.flatnonzero(usable)
    if used.size < 3:
        return SummaryEstimate.missing(NO_GROUP if used.size == 1 else ONE_GROUP.format(n=1))
    value = estimates.value[used]
    correlation = np.eye(used.size) if estimates.correlation is None else estimates.correlation[np.ix_(used, used)]
    found = float(es_auc(value[-1], value[:-1]))
    tail = (1 - level) / 2
    below, above = estimates.limits.distances(t_quantile(estimates.df[used], tail), used)
    low = _lower(value, below, above, correlation)
    high = _upper(estimates, used, value, correlation, tail)
    return SummaryEstimate(found, min(max(low, 0.0), found), max(min(high, 1.0), found), p)


def _signs(value: Floats, scale: Floats) -> Floats:
    """(S, G) signs to be looked at; groups beyond those enumerated keep the side on which they are seen."""
    deviation = value[:-1] - value[-1]
    seen = np.where(deviation >= 0, 1.0, -1.0)
    open_ = np.argsort(np.abs(deviation) / scale)[:ENUMERATED]
    flips = np.array(list(product((1.0, -1.0), repeat=open_.size)))
    signs = np.tile(seen, (flips.shape[0], 1))
    signs[:, open_] = flips
    return signs


def _lower(value: Floats, below: Floats, above: Floats, correlation: Floats) -> float:
    signs = _signs(value, np.maximum(below[:-1] + above[:-1], 1e-12))

    def shown(u: float) -> bool:
        """Is A - u (1 + sum) positive for all signs?"""
        coefficient = np.column_stack([-u * signs, 1 + u * signs.sum(axis=1)])
        reach = coefficient * np.where(coefficient > 0, below, above)
        spread = np.sqrt(np.maximum(((reach @ correlation) * reach).sum(axis=1), 0.0))
        return bool((coefficient @ value - u - spread > 0).all())

    low, high = 0.0, float(es_auc(value[-1], value[:-1]))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if shown(middle) else (low, middle)
    return low


def _upper(estimates: GroupEstimates, used: NDArray[np.int64], value: Floats, correlation: Floats, tail: float) -> float:
    groups = used.size - 1
    _, of_overall = estimates.limits.distances(t_quantile(estimates.df[used[-1:]], tail * (1 - OF_DEVIATIONS)), used[-1:])
    each = (1 - (1 - tail * OF_DEVIATIONS) ** (1 / groups)) / 2
    below, above = estimates.limits.distances(t_quantile(estimates.df[used], each), used)
    deviation = value[:-1] - value[-1]
    own, other = np.where(deviation >= 0, below[:-1], above[:-1]), np.where(deviation >= 0, above[-1], below[-1])
    reach = np.sqrt(np.maximum(own**2 + other**2 - 2 * correlation[:-1, -1] * own * other, 0.0))
    return float((value[-1] + of_overall[0]) / (1 + np.maximum(np.abs(deviation) - reach, 0.0).sum()))
