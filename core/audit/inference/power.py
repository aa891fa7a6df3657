"""What this data could have found: the smallest detectable gap per group, and the patients that each of two answers needs.

`disparity` asks that a pair's p hold the family's error rate (its marginal level is given) and that the observed
difference be at least the tolerance. `no disparity found` asks that every pair's own interval lie within the tolerance.
Both chances are computed from the pairs' own pivot (core.metrics.planned_power) at the planned gap, prevalence, rows per
patient and sizes; a promise of 80 % is planned for `MARGIN` more, because variances are estimates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, comb

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.options import AuditOptions
from core.metrics.comparisons import GroupEstimates
from core.metrics.planned_power import PlannedGroups, disparity_power, equivalence_power, first_at

Floats = NDArray[np.float64]

METRICS = ("auc", "tpr", "fpr", "selection_rate")
MARGIN = 0.03
GAPS = np.geomspace(0.005, 0.98, 18)
# How many times the present patients are looked at.
FACTORS = np.geomspace(1.0, 1e5, 19)


@dataclass(frozen=True)
class Power:
    """One group and metric beside all other judged groups.

    detectable : smallest gap between this group and the others that would be called a disparity with the stated power, None
        if not even the largest possible one would. gap : the stated gap. more_patients : further patients of this group alone
        (with its present mix of positives and negatives and as many rows each) with which the stated gap would
        be called; 0 if there are enough, None if no number of them would do (`reason` says so). to_show_disparity,
        to_show_none : patients that every group needs at least so that the stated gap of this group would be called,
        or so that groups alike would be said to be so; None if nothing is estimable.
    """

    group: str
    metric: str
    reference: str | None
    detectable: float | None
    gap: float
    more_patients: int | None
    reason: str | None
    to_show_disparity: int | None = None
    to_show_none: int | None = None


def power(
    table: MetricTable,
    estimates: GroupEstimates | None,
    counts: GroupCounts,
    groups: tuple[str, ...],
    options: AuditOptions,
    tolerance: float | None = None,
    critical: float | None = None,
) -> tuple[Power, ...]:
    """Power of every group for one metric.

    Parameters
    ----------
    table : says which groups are judged. estimates : the same groups' values with their limits, None where the metric is undefined
    tolerance : largest accepted difference, that of the options where None
    critical : marginal level of a pair's test in the family that the verdict belongs to; Bonferroni's over the pairs of
        this attribute where None
    """
    tolerance = options.tolerance_of(table.metric) if tolerance is None else tolerance
    gap = 2 * tolerance if options.gap is None else options.gap
    usable = np.zeros(0, dtype=np.int64)
    if estimates is not None:
        usable = np.flatnonzero(table.judged & np.isfinite(estimates.value) & np.isfinite(estimates.se))
    level = options.alpha / max(comb(usable.size, 2), 1) if critical is None else critical
    wanted = min(options.power + MARGIN, (1 + options.power) / 2)
    if estimates is None or usable.size < 2:
        return tuple(Power(name, table.metric, None, None, gap, None, _why(table, usable, g)) for g, name in enumerate(groups))
    plan = PlannedGroups.of(estimates, usable)
    patients = counts.patients[usable].astype(np.float64)
    none = _all_at_least(patients, lambda factors: equivalence_power(plan, factors, tolerance, options.alpha), wanted)
    best = usable[np.argsort(estimates.se[usable])]
    result = []
    for g, name in enumerate(groups):
        if g not in usable:
            result.append(Power(name, table.metric, None, None, gap, None, _why(table, usable, g)))
            continue
        place = int(np.searchsorted(usable, g))
        reference = groups[int(next(r for r in best if r != g))]
        detectable = _detectable(plan, place, tolerance, level, wanted)
        more, both, reason = _patients(plan, place, patients, gap, tolerance, level, wanted)
        result.append(Power(name, table.metric, reference, detectable, gap, more, reason, both, none))
    return tuple(result)


def _why(table: MetricTable, usable: NDArray[np.int64], g: int) -> str:
    return table.reason[g] or ("no other group can be judged" if g in usable else "the standard error is not estimable")


def _detectable(plan: PlannedGroups, place: int, tolerance: float, level: float, wanted: float) -> float | None:
    centre = plan.common(place)
    gaps = GAPS[max(centre, 1 - centre) >= GAPS]
    return first_at(gaps, disparity_power(plan, place, gaps, np.ones((gaps.size, plan.value.size)), tolerance, level), wanted)


def _patients(
    plan: PlannedGroups, place: int, patients: Floats, gap: float, tolerance: float, level: float, wanted: float
) -> tuple[int | None, int | None, str | None]:
    """Further patients of the group alone, patients that every group needs at least, and the reason where there is none."""
    if gap <= tolerance:
        return None, None, f"a gap of {gap:g} is within the tolerance of {tolerance:g}: it is no disparity with any number of patients"
    alone = np.ones((FACTORS.size, plan.value.size))
    alone[:, place] = FACTORS
    gaps = np.full(FACTORS.size, gap)
    factor = first_at(FACTORS, disparity_power(plan, place, gaps, alone, tolerance, level), wanted)
    both = _all_at_least(patients, lambda factors: disparity_power(plan, place, np.full(len(factors), gap), factors, tolerance, level), wanted)
    if factor is None:
        return None, both, "the groups it is compared with are too small as well: both need more patients"
    return (0 if factor <= 1 else ceil(patients[place] * (factor - 1))), both, None


def _all_at_least(patients: Floats, power_with: Callable[[Floats], Floats], wanted: float) -> int | None:
    """Patients that every group needs at least; groups that have more keep them."""
    least = np.geomspace(max(patients.min() / 50, 4.0), patients.max() * FACTORS[-1], 25)
    found = first_at(least, power_with(np.maximum(least[:, None], patients) / patients), wanted)
    return None if found is None else max(ceil(found), ceil(patients.min()) if found <= patients.min() else 0)
