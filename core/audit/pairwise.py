"""Differences between groups, each with an interval and a test, corrected for their number.

Rates of independent rows are compared by the pooled score test with Campbell's (2007) N - 1
correction; everything else by the ratio of the difference to its standard error against Student's
t with Welch's degrees of freedom. Intervals join the two groups' own intervals (MOVER), so they
stay inside what is possible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtr, stdtr

from core.audit.estimates import RATE_METRICS, MetricTable
from core.metrics.corrections import adjust
from core.metrics.intervals import difference_interval

TESTED = ("auc", *RATE_METRICS, "brier", "net_benefit")


@dataclass(frozen=True)
class PairTest:
    """`difference` is group_a - group_b; p is None where the two cannot be compared."""

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
    p_holm: float | None = None


def pairwise(table: MetricTable, correction: str) -> tuple[PairTest, ...]:
    """Tests between every two judged groups, corrected within this metric."""
    judged = np.flatnonzero(table.judged)
    return correct([compare_groups(table, int(a), int(b)) for a, b in combinations(judged, 2)], correction)


def correct(tests: list[PairTest], correction: str) -> tuple[PairTest, ...]:
    """The same tests with adjusted p-values; `p_holm` feeds the verdicts whatever the correction."""
    p = np.array([np.nan if test.p is None else test.p for test in tests])
    adjusted, strict = adjust(p, correction), adjust(p, "holm")
    return tuple(replace(test, p_adjusted=_or_none(a), p_holm=_or_none(h)) for test, a, h in zip(tests, adjusted, strict, strict=True))


def compare_groups(table: MetricTable, a: int, b: int) -> PairTest:
    """One difference with its interval and p-value."""
    difference = float(table.value[a] - table.value[b])
    low, high = difference_interval(table.value[a], table.low[a], table.high[a], table.value[b], table.low[b], table.high[b])
    if table.metric in RATE_METRICS and table.trials is not None:
        se, p = _score_test(table, a, b)
        method = "score test" if table.method == "Wilson" else "score test on effective sizes"
    else:
        se, p = _welch(table, a, b)
        method = "DeLong, Welch" if table.metric == "auc" else "Welch"
    return PairTest(table.metric, a, b, difference, _or_none(float(low)), _or_none(float(high)), _or_none(se), _or_none(p), None, method)


def _score_test(table: MetricTable, a: int, b: int) -> tuple[float, float]:
    assert table.trials is not None
    m, n = float(table.trials[a]), float(table.trials[b])
    total = m + n
    pooled = (table.value[a] * m + table.value[b] * n) / total
    variance = pooled * (1 - pooled) * (1 / m + 1 / n) * total / max(total - 1, 1)
    difference = table.value[a] - table.value[b]
    if not variance > 0:
        return np.nan, 1.0
    se = float(np.sqrt(variance))
    return se, float(2 * ndtr(-abs(difference) / se))


def _welch(table: MetricTable, a: int, b: int) -> tuple[float, float]:
    own = table.se[[a, b]] ** 2
    shared = 0.0 if table.covariance is None else float(table.covariance[a, b])
    variance = float(own.sum() - 2 * shared)
    difference = float(table.value[a] - table.value[b])
    if not variance > 0:
        # Both groups are ranked without a fault: nothing to tell apart, but no evidence either.
        return np.nan, 1.0 if difference == 0 else np.nan
    freedom = np.inf if table.freedom is None else own.sum() ** 2 / (own**2 / table.freedom[[a, b]]).sum()
    return float(np.sqrt(variance)), float(2 * stdtr(min(freedom, 1e9), -abs(difference) / np.sqrt(variance)))


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
