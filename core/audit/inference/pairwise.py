"""Differences between groups: which pairs are compared, and each as a test with the intervals that belong to it.

Of every metric test and interval are one pivot (core.metrics.comparisons, core.metrics.linear_estimates): at any level
the interval excludes 0 exactly where p is below 1 - level. So whatever level a family asks for, a verdict never
contradicts its interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.audit.estimates.group_estimates import MetricTable
from core.metrics.calibration_comparison import calibration_comparisons
from core.metrics.calibration_fit import calibration_fit
from core.metrics.catalogue import CALIBRATION, RATE_METRICS, lower_is_better
from core.metrics.comparisons import METHOD, PairComparisons, compare_pairs
from core.metrics.estimate import finite_or_none
from core.metrics.linear_estimates import PairDifferences
from core.metrics.multiple_testing import compatible_interval

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Limits = tuple[Floats, Floats]

ESTIMATED = ("auc", *RATE_METRICS, "brier", "net_benefit")
TESTED = (*ESTIMATED, *CALIBRATION)
"""Metrics whose differences between groups are tested."""
MAX_PAIRED_GROUPS = 12
OF_COEFFICIENTS = "jackknife over patients, Welch's t"


@dataclass(frozen=True)
class PairTest:
    """`difference` is group_a - group_b, for `oe_ratio` the logarithm of a's O:E over b's; p is None where the two cannot be compared.

    low, high : the interval of this difference alone. p_adjusted and simultaneous belong together: both are corrected for
    the family that the test belongs to, and the interval excludes 0 exactly where p_adjusted is below alpha.
    """

    metric: str
    group_a: int
    group_b: int
    difference: float
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    p_adjusted: float | None
    method: str
    simultaneous: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class Comparisons:
    """All compared pairs of one metric by one attribute, arrays (T,); NaN where a pair cannot be compared.

    at_p : limits at the levels 1 - p, one p for each pair. shown : bool (T,), the pairs that are listed. joint : what the family's
    joint distribution is read from, None where that is unknown.
    """

    metric: str
    first: Ints
    second: Ints
    difference: Floats
    se: Floats
    p: Floats
    at_p: Callable[[ArrayLike], Limits]
    shown: NDArray[np.bool_]
    method: str
    joint: PairComparisons | None = None

    def tests(self, adjusted: Floats, marginal: float, alpha: float) -> tuple[PairTest, ...]:
        """The listed pairs with their corrected p-values (T,) and the intervals at the level 1 - marginal that belong to these."""
        low, high = self.at_p(np.full(self.p.size, alpha))
        wide = compatible_interval(*self.at_p(np.full(self.p.size, marginal)), self.difference, adjusted < alpha)
        return tuple(
            PairTest(
                self.metric, int(self.first[i]), int(self.second[i]), float(self.difference[i]), finite_or_none(low[i]), finite_or_none(high[i]),
                finite_or_none(self.se[i]), finite_or_none(self.p[i]), finite_or_none(adjusted[i]), self.method,
                (finite_or_none(wide[0][i]), finite_or_none(wide[1][i])),
            )
            for i in np.flatnonzero(self.shown)
        )  # fmt: skip


def comparisons(attribute: AttributeAudit, metric: str) -> Comparisons | None:
    """The compared pairs of one metric by one attribute, as they stand alone; None where no two groups can be compared."""
    table = attribute.tables[metric]
    wanted = attribute.options.reference.get(attribute.name)
    reference = attribute.groups.index(wanted) if wanted in attribute.groups else None
    pairs, shown = compared_pairs(table, reference)
    return _compared(attribute, metric, pairs, shown) if pairs.size else None


def _compared(attribute: AttributeAudit, metric: str, pairs: Ints, shown: NDArray[np.bool_]) -> Comparisons | None:
    if metric in CALIBRATION:
        return _of_coefficients(attribute, metric, pairs, shown)
    estimates = attribute.tables[metric].estimates
    if estimates is None:
        return None
    found = compare_pairs(estimates, pairs)
    return Comparisons(metric, found.first, found.second, found.difference, found.se, found.p, found.interval_at_p, shown, METHOD, found)


def widest_pair(attribute: AttributeAudit, metric: str) -> PairTest | None:
    """Of all pairs of judged groups, listed or not, the one whose own interval reaches furthest from 0; None where none can be compared.

    A pair without an interval reaches furthest of all. It has no corrected p: it serves to show that all groups are alike, which all pairs
    must, so that nothing is to be corrected.
    """
    judged = np.flatnonzero(attribute.tables[metric].judged)
    pairs = np.array(list(combinations(judged.tolist(), 2)), dtype=np.int64).reshape(-1, 2)
    found = _compared(attribute, metric, pairs, np.ones(pairs.shape[0], dtype=bool)) if pairs.size else None
    if found is None:
        return None
    low, high = found.at_p(np.full(found.p.size, attribute.options.alpha))
    i = int(np.argmax(np.nan_to_num(np.maximum(-low, high), nan=np.inf)))
    return PairTest(
        metric,
        int(found.first[i]),
        int(found.second[i]),
        float(found.difference[i]),
        finite_or_none(low[i]),
        finite_or_none(high[i]),
        finite_or_none(found.se[i]),
        None,
        None,
        found.method,
    )


def compared_pairs(table: MetricTable, reference: int | None = None) -> tuple[Ints, NDArray[np.bool_]]:
    """Pairs (T, 2) of judged groups that are compared, and which of them (T,) are listed.

    All pairs up to `MAX_PAIRED_GROUPS` judged groups. Of more groups, of which a list of all pairs would grow with the square,
    each is listed against the `reference` group, or against the best one where there is no reference among the
    judged. The best is found on the same data as the tests: so all pairs are compared, and corrected for, which no
    choice among them can outwit.
    """
    judged = np.flatnonzero(table.judged)
    if reference is not None and reference in judged and judged.size > MAX_PAIRED_GROUPS:
        others = judged[judged != reference]
        return np.stack([others, np.full(others.size, reference)], axis=1), np.ones(others.size, dtype=bool)
    pairs = np.array(list(combinations(judged.tolist(), 2)), dtype=np.int64).reshape(-1, 2)
    if judged.size <= MAX_PAIRED_GROUPS:
        return pairs, np.ones(pairs.shape[0], dtype=bool)
    value = table.value[judged]
    best = judged[np.argmin(value) if lower_is_better(table.metric) else np.argmax(value)]
    return pairs, (pairs == best).any(axis=1)


def _of_coefficients(attribute: AttributeAudit, metric: str, pairs: Ints, shown: NDArray[np.bool_]) -> Comparisons:
    """Calibration compared by the ratio of observed to expected events and by the slope."""
    data = attribute.data
    fit = calibration_fit(data.y, data.score, attribute.grouping.codes, len(attribute.groups), weight=data.weight, cluster=data.cluster)
    compared = calibration_comparisons(fit, pairs)
    found: PairDifferences = compared.log_oe if metric == "oe_ratio" else compared.slope

    def at_p(p: ArrayLike) -> Limits:
        return found.interval(1 - np.asarray(p, dtype=np.float64))

    first, second = found.pairs.T
    return Comparisons(metric, first, second, found.difference, found.se, found.p, at_p, shown, OF_COEFFICIENTS)
