"""What this data could have found: the smallest detectable gap per group, and the patients a stated gap needs.

A verdict of disparity asks for two things: Holm's first step (alpha over the number of pairs), and an
observed difference of at least the tolerance. A true gap d is called with the stated power when
d >= max(c s, tolerance) + z s, with s the standard error of the difference, c the critical value and z
the normal quantile of the power.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, comb, hypot, isfinite

import numpy as np
from scipy.special import ndtri

from core.audit.estimates import RATE_METRICS, GroupCounts, MetricTable
from core.audit.options import AuditOptions

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
        detectable = smallest_gap(hypot(se[g], se[r]), pairs, tolerance, options)
        more, reason = _more_patients(float(se[g]), float(se[r]), int(counts.patients[g]), pairs, gap, tolerance, options)
        result.append(Power(name, table.metric, groups[r], detectable, gap, more, reason))
    return tuple(result)


def planning_se(table: MetricTable) -> np.ndarray:
    """Standard errors for planning: a rate of 0 or 1 gets that of half an event more, not 0."""
    if table.metric not in RATE_METRICS or table.trials is None:
        return table.se
    with np.errstate(invalid="ignore", divide="ignore"):
        shrunk = (table.value * table.trials + 0.5) / (table.trials + 1)
        return np.asarray(np.sqrt(shrunk * (1 - shrunk) / table.trials))


def smallest_gap(se: float, pairs: int, tolerance: float, options: AuditOptions) -> float | None:
    """Smallest true gap called with the stated power, given the standard error of the difference."""
    gap = max(critical(pairs, options) * se, tolerance) + float(ndtri(options.power)) * se
    # Differences of areas and rates cannot exceed 1.
    return gap if isfinite(gap) and gap <= 1 else None


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
