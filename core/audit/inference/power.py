"""What this data could have found: the smallest detectable gap per group, and the patients a stated gap needs.

A verdict of disparity asks for two things: Holm's first step (alpha over the number of pairs), and an
observed difference of at least the tolerance. A true gap d is called with the stated power when
d >= max(c s, tolerance) + z s, with s the standard error of the difference, c the critical value of the
verdict's own test (Student's, with Welch's degrees of freedom) and z the normal quantile of the power.
A group that is worse by d also has a larger standard error (an AUC of .75 varies more than one of .85),
so s is taken at the gap, in the unfavourable direction.

This is an approximation: s is itself an estimate, and the permutation that small groups are tested by asks
for a little more than Student's t. Simulated cohorts at the gap for 80 % were called in 78 to 80 %. So the
quantile is that of `MARGIN` more: a promise of 80 % is planned for 82 %, and kept (`multifair study audit`).
With three groups and more, one that is worse than all others has several pairs to show it, and is called more often.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, comb, hypot, isfinite

import numpy as np
from scipy.special import ndtri, stdtrit

from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.options import AuditOptions
from core.metrics.auc_interval import binormal_component
from core.metrics.catalogue import RATE_METRICS

METRICS = ("auc", "tpr", "fpr", "selection_rate")
MARGIN = 0.02
BISECTIONS = 26


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


@dataclass(frozen=True)
class Pair:
    """A group beside its reference. own : the group's standard error at a gap; other : the reference's."""

    own: Callable[[float], float]
    other: float
    own_freedom: float
    other_freedom: float
    comparisons: int

    def se(self, gap: float) -> float:
        """Standard error of the difference when the group is off by `gap`."""
        return hypot(self.own(gap), self.other)

    def critical(self, gap: float, options: AuditOptions) -> float:
        """Two-sided critical value of Holm's first step."""
        own, other = self.own(gap) ** 2, self.other**2
        spread = own**2 / self.own_freedom + other**2 / self.other_freedom
        tail = options.alpha / (2 * max(self.comparisons, 1))
        return float(-stdtrit((own + other) ** 2 / spread, tail)) if spread > 0 else float(-ndtri(tail))


def power(table: MetricTable, counts: GroupCounts, groups: tuple[str, ...], options: AuditOptions) -> tuple[Power, ...]:
    """Power of every group for one metric."""
    gap, tolerance = options.stated_gap(table.metric), options.tolerance_of(table.metric)
    se = planning_se(table)
    freedom = _freedom(table)
    usable = np.flatnonzero(table.judged & np.isfinite(se) & (se > 0))
    comparisons = comb(int(table.judged.sum()), 2)
    result = []
    for g, name in enumerate(groups):
        others = usable[usable != g]
        if g not in usable or not others.size:
            why = table.reason[g] or ("no other group can be judged" if g in usable else "the standard error is not estimable")
            result.append(Power(name, table.metric, None, None, gap, None, why))
            continue
        r = int(others[np.argmin(se[others])])
        own = spread_at(table.metric, float(table.value[g]), float(se[g]))
        pair = Pair(own, float(se[r]), float(freedom[g]), float(freedom[r]), comparisons)
        more, reason = more_patients(pair, int(counts.patients[g]), gap, tolerance, options)
        result.append(Power(name, table.metric, groups[r], smallest_gap(pair, tolerance, options), gap, more, reason))
    return tuple(result)


def _freedom(table: MetricTable) -> np.ndarray:
    """Degrees of freedom for planning; a rate's are those of its denominator, for counts are no more exact than means."""
    if table.freedom is not None:
        return table.freedom
    return np.full(table.value.shape, np.inf) if table.trials is None else np.maximum(table.trials - 1.0, 1.0)


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


def planned_quantile(options: AuditOptions) -> float:
    """Normal quantile of the power, with the margin that makes it a promise."""
    return float(ndtri(min(options.power + MARGIN, (1 + options.power) / 2)))


def smallest_gap(pair: Pair, tolerance: float, options: AuditOptions) -> float | None:
    """Smallest true gap called with the stated power, None if even the largest possible one is not."""
    z = planned_quantile(options)

    def needed(gap: float) -> float:
        se = pair.se(gap)
        return max(pair.critical(gap, options) * se, tolerance) + z * se

    if not isfinite(needed(1.0)) or needed(1.0) > 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= middle else (middle, high)
    return high


def more_patients(pair: Pair, patients: int, gap: float, tolerance: float, options: AuditOptions) -> tuple[int | None, str | None]:
    """Further patients of the group that `gap` needs, or None with the reason."""
    if gap <= tolerance:
        return None, f"a gap of {gap:g} is within the tolerance of {tolerance:g}: it is no disparity with any number of patients"
    z, c = planned_quantile(options), pair.critical(gap, options)
    allowed = min(gap / (c + z), (gap - tolerance) / z)
    own, other = pair.own(gap), pair.other
    if hypot(own, other) <= allowed:
        return 0, None
    if other >= allowed:
        return None, "the group it is compared with is too small as well: both need more patients"
    return ceil(patients * (own**2 / (allowed**2 - other**2) - 1)), None
