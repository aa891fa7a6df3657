"""Differences between groups, each with an interval and a test, corrected for their number.

Rates are compared by the studentized permutation test of core.metrics.rate_tests (normal, on effective sizes, where
rows are weighted or clustered); everything else by the ratio of the difference to its standard error against
Student's t with Welch's degrees of freedom, which the AUCs of small groups leave for a permutation test
(core.audit.inference.summary_uncertainty). Intervals join the two groups' own intervals (MOVER), so they stay inside what is possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
from scipy.special import stdtr

from core.audit.estimates.group_estimates import MetricTable
from core.metrics.catalogue import RATE_METRICS, lower_is_better
from core.metrics.estimate import finite_or_none
from core.metrics.intervals import difference_interval
from core.metrics.rate_tests import pairwise_rates

PERMUTED = "studentized permutation"
TESTED = ("auc", *RATE_METRICS, "brier", "net_benefit")
MAX_PAIRED_GROUPS = 12


@dataclass(frozen=True)
class PairTest:
    """`difference` is group_a - group_b; p is None where the two cannot be compared.

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


def pairwise(
    table: MetricTable, permuted: Mapping[tuple[int, int], float] | None = None, reference: int | None = None
) -> tuple[tuple[PairTest, ...], int]:
    """Tests between the judged groups of `compared_pairs`, not yet corrected, and how many comparisons they stand for.

    permuted : p-values that replace ours, by pair.
    """
    pairs, comparisons = compared_pairs(table, reference)
    given = permuted or {}
    tests = (replace(t, p=given[t.group_a, t.group_b], method=PERMUTED) if (t.group_a, t.group_b) in given else t for t in compare_pairs(table, pairs))
    return tuple(tests), comparisons


def compared_pairs(table: MetricTable, reference: int | None = None) -> tuple[list[tuple[int, int]], int]:
    """Pairs of judged groups to compare, and the number of comparisons that the correction must count.

    All pairs up to `MAX_PAIRED_GROUPS` judged groups. With more, output and noise would grow with their square, so
    each group is set against the `reference` group, or against the best one where there is no reference among the
    judged. The best is found on the same data as the tests: the correction counts all pairs, as if all had been
    tested, which no choice among them can outwit.
    """
    judged = np.flatnonzero(table.judged).tolist()
    if len(judged) <= MAX_PAIRED_GROUPS:
        pairs = list(combinations(judged, 2))
        return pairs, len(pairs)
    if reference in judged:
        return [(g, reference) for g in judged if g != reference], len(judged) - 1
    sign = -1 if lower_is_better(table.metric) else 1
    best = max(judged, key=lambda g: sign * table.value[g])
    return [(g, best) for g in judged if g != best], comb(len(judged), 2)


def compare_pairs(table: MetricTable, pairs: Sequence[tuple[int, int]]) -> list[PairTest]:
    """Differences of pairs of groups with their intervals and p-values, not yet corrected."""
    if not pairs:
        return []
    if table.metric in RATE_METRICS and table.trials is not None:
        return _compare_rates(table, pairs)
    result = []
    for a, b in pairs:
        low, high = difference_interval(table.value[a], table.low[a], table.high[a], table.value[b], table.low[b], table.high[b])
        se, p = _welch(table, a, b)
        method = "DeLong, Welch" if table.metric == "auc" else "Welch"
        result.append(PairTest(table.metric, a, b, float(table.value[a] - table.value[b]), finite_or_none(float(low)), finite_or_none(float(high)), finite_or_none(se), finite_or_none(p), None, method))
    return result


def _compare_rates(table: MetricTable, pairs: Sequence[tuple[int, int]]) -> list[PairTest]:
    """All pairs at once: the permutation distribution is summed as one array."""
    assert table.trials is not None
    a, b = np.array(pairs, dtype=np.int64).T
    low, high = difference_interval(table.value[a], table.low[a], table.high[a], table.value[b], table.low[b], table.high[b])
    se = np.hypot(table.se[a], table.se[b])
    counts = np.nan_to_num(table.value * table.trials)
    if table.method == "Wilson":
        p, method = pairwise_rates(np.rint(counts), table.trials, pairs).p, PERMUTED
    else:
        p, method = pairwise_rates(counts, table.trials, pairs, effective=table.trials).p, "normal, effective sizes"
    difference = table.value[a] - table.value[b]
    return [
        PairTest(table.metric, int(a[i]), int(b[i]), float(difference[i]), finite_or_none(low[i]), finite_or_none(high[i]), finite_or_none(se[i]), finite_or_none(p[i]), None, method)
        for i in range(len(pairs))
    ]


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

