"""What this data could have found: the smallest detectable gap per group, and the patients a stated gap needs.

A verdict of disparity asks for two things: Holm's first step (alpha over the number of pairs), and an
observed difference of at least the tolerance. A true gap d is called with the stated power when
d >= max(c s, tolerance) + z s, with s the standard error of the difference, c the critical value and z
the normal quantile of the power. A group that is worse by d also has a larger standard error (an AUC of
.75 varies more than one of .85), so s is taken at the gap, in the unfavourable direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, comb, hypot, isfinite

import numpy as np
from scipy.special import ndtri

from core.audit.estimates import RATE_METRICS, GroupCounts, MetricTable
from core.audit.options import AuditOptions
from core.metrics.auc_interval import binormal_component

METRICS = ("auc", "tpr", "fpr", "selection_rate")


@dataclass(frozen=True)
class Power:
    """One group and metric against the best-known other group.

    detectable : smallest gap that would be called a disparity with the stated power, None if not estimable.
    gap : the stated gap. more_patients : further patients of this group that it needs, with its present
        mix of positives and negatives and as many rows each; 0 if there are enough, None if no number of them would do
        (then `reason` says so) or nothing is estimable.
    """

    group: str
    metric: str
    reference: str | None
    detectable: float | None
    gap: float
    more_patients: int | None
    reason: str | None


def power(table: MetricTable, counts: GroupCounts, groups: tuple[str, ...], options: AuditOptions) -> tuple[Power, ...]:
    """Power of every group for one metric."""
    gap, tolerance = options.stated_gap(table.metric), options.tolerance_of(table.metric)
    se = planning_se(table)
    usable = np.flatnonzero(table.judged & np.isfinite(se) & (se > 0))
    pairs = comb(int(table.judged.sum()), 2)
    result = []
    for g, name in enumerate(groups):
        others = usable[usable != g]
        if g not in usable or not others.size:
            why = table.reason[g] or ("no other group can be judged" if g in usable else "the standard error is not estimable")
            result.append(Power(name, table.metric, None, None, gap, None, why))
            continue
        r = int(others[np.argmin(se[others])])
        own, other = spread_at(table.metric, float(table.value[g]), float(se[g])), float(se[r])
        detectable = smallest_gap(own, other, pairs, tolerance, options)
        more, reason = _more_patients(own(gap), other, int(counts.patients[g]), pairs, gap, tolerance, options)
        result.append(Power(name, table.metric, groups[r], detectable, gap, more, reason))
    return tuple(result)


def planning_se(table: MetricTable) -> np.ndarray:
    """Standard errors for planning: a rate of 0 or 1 gets that of half an event more, not 0."""
    if table.metric not in RATE_METRICS or table.trials is None:
        return table.se
    with np.errstate(invalid="ignore", divide="ignore"):
        shrunk = (table.value * table.trials + 0.5) / (table.trials + 1)
        return np.asarray(np.sqrt(shrunk * (1 - shrunk) / table.trials))


def spread_at(metric: str, value: float, se: float) -> Callable[[float], float]:
    """Standard error of a group's estimate as a function of the gap by which it would be off, the worse way."""
    here = float(_variance(metric, value))

    def at(gap: float) -> float:
        moved = max(float(_variance(metric, min(max(value + step, 0.0), 1.0))) for step in (-gap, 0.0, gap))
        return se * (moved / here) ** 0.5 if here > 1e-9 else se

    return at


def _variance(metric: str, value: float) -> float:
    return float(binormal_component(value)) if metric == "auc" else value * (1 - value)


def smallest_gap(own: Callable[[float], float], other: float, pairs: int, tolerance: float, options: AuditOptions) -> float | None:
    """Smallest true gap called with the stated power, None if even the largest possible one is not."""
    c, z = critical(pairs, options), float(ndtri(options.power))

    def needed(gap: float) -> float:
        se = hypot(own(gap), other)
        return max(c * se, tolerance) + z * se

    if not isfinite(needed(1.0)) or needed(1.0) > 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= middle else (middle, high)
    return high


def critical(pairs: int, options: AuditOptions) -> float:
    """Two-sided critical value of Holm's first step."""
    return float(-ndtri(options.alpha / (2 * max(pairs, 1))))


def _more_patients(own: float, other: float, patients: int, pairs: int, gap: float, tolerance: float, options: AuditOptions) -> tuple[int | None, str | None]:
    z, c = float(ndtri(options.power)), critical(pairs, options)
    if gap <= tolerance:
        return None, f"a gap of {gap:g} is within the tolerance of {tolerance:g}: it is no disparity with any number of patients"
    allowed = min(gap / (c + z), (gap - tolerance) / z if z > 0 else np.inf)
    if hypot(own, other) <= allowed:
        return 0, None
    if other >= allowed:
        return None, "the group it is compared with is too small as well: both need more patients"
    return ceil(patients * (own**2 / (allowed**2 - other**2) - 1)), None
