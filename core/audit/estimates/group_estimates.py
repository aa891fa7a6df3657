"""Estimates of every metric in every group of one grouping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.linearised import linearise_ratio
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.auc_comparisons import auc_estimates
from core.metrics.auc_interval import METHOD as AUC_METHOD
from core.metrics.auc_interval import auc_interval
from core.metrics.catalogue import RATE_METRICS
from core.metrics.comparisons import GroupEstimates
from core.metrics.delong import AucCovariance, group_delong
from core.metrics.estimate import MinimumCounts
from core.metrics.intervals import normal_quantile
from core.metrics.rate_comparisons import group_mean_estimates, group_rate_estimates
from core.metrics.rates import confusion, rate, rate_counts
from core.metrics.score_limits import WilsonLimits

Floats = NDArray[np.float64]
MEAN_METHOD = "score limits of shares, Student's t"
NEEDS = {"tpr": "positives", "fpr": "negatives", "ppv": "selected rows", "npv": "rows not selected"}


@dataclass(frozen=True)
class MetricTable:
    """One metric in the C groups of a grouping.

    value, low, high, se : float64 (C,), NaN where undefined. A value may be defined where it is not
    judged: it is then shown, but takes no part in tests and verdicts.
    judged : bool (C,), enough data to be compared. reason : why not, per group, None where judged.
    covariance : (C, C) where groups share patients, else None.
    trials : float64 (C,), (effective) size of a rate's denominator; freedom : degrees of freedom of se.
    estimates : the pivot that interval and tests are read from, None where there is none of its kind.
    """

    metric: str
    value: Floats
    low: Floats
    high: Floats
    se: Floats
    judged: NDArray[np.bool_]
    reason: tuple[str | None, ...]
    method: str
    covariance: Floats | None = None
    trials: Floats | None = None
    freedom: Floats | None = None
    estimates: GroupEstimates | None = None

    @property
    def judged_values(self) -> Floats:
        """float64 (C,), NaN where the group is not judged: what summaries are made of."""
        return np.where(self.judged, self.value, np.nan)

    @classmethod
    def undefined(cls, metric: str, count: int, reason: str) -> MetricTable:
        nan = np.full(count, np.nan)
        return cls(metric, nan, nan, nan, nan, np.zeros(count, dtype=bool), (reason,) * count, "none")


@dataclass(frozen=True)
class GroupCounts:
    """Rows of each group, all int64 (C,); `patients` equals `n` where no patient repeats.

    true_positives, false_positives : of the decision at the operating point, None without one.
    """

    n: NDArray[np.int64]
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]
    patients: NDArray[np.int64]
    true_positives: NDArray[np.int64] | None = None
    false_positives: NDArray[np.int64] | None = None

    def too_few(self, options: AuditOptions) -> tuple[str | None, ...]:
        """Per group, the reason why it is too small to be judged, or None."""
        least = MinimumCounts(options.min_positives, options.min_negatives)
        reasons = []
        for n, n_pos, n_neg in zip(self.n, self.n_pos, self.n_neg, strict=True):
            reason = least.too_few(int(n_pos), int(n_neg))
            if reason is None and n < options.min_rows:
                reason = f"{n} rows, {options.min_rows} are needed"
            reasons.append(reason)
        return tuple(reasons)


def group_counts(data: Scored, codes: NDArray[np.int64], count: int) -> GroupCounts:
    """Rows, positives and patients of each of `count` groups; `codes` int64 (n,), -1 for rows of no group."""
    inside = codes >= 0
    n = np.bincount(codes[inside], minlength=count)
    n_pos = np.bincount(codes[inside & data.y], minlength=count)
    patients = n
    if data.cluster is not None:
        key = np.unique(data.cluster[inside] * count + codes[inside])
        patients = np.bincount(key % count, minlength=count)
    if data.decision is None:
        return GroupCounts(n, n_pos, n - n_pos, patients)
    chosen = inside & (data.decision == 1)
    hits, alarms = (np.bincount(codes[chosen & own], minlength=count) for own in (data.y, ~data.y))
    return GroupCounts(n, n_pos, n - n_pos, patients, hits, alarms)


def auc_table(data: Scored, codes: NDArray[np.int64], count: int, too_few: tuple[str | None, ...], options: AuditOptions) -> MetricTable:
    """AUC with DeLong's variance and, for groups that are judged, an interval of score type, which covers with few positives too.

    Below the guards DeLong's plain interval stands for the record where its width is not zero.
    """
    result = group_delong(data.y, data.score, codes, count, cluster=data.cluster, weight=data.weight)
    estimates = auc_estimates(result)
    value = result.auc
    se = np.where(np.isfinite(value), result.se, np.nan)
    patients = np.minimum(result.pos.clusters, result.neg.clusters)
    reasons = tuple(_auc_reason(*row) for row in zip(value, too_few, patients, strict=True))
    judged = np.array([why is None for why in reasons], dtype=bool)
    low, high = auc_interval(result, 1 - options.alpha)
    half = normal_quantile(1 - options.alpha) * np.where(se > 0, se, np.nan)
    low = np.where(judged, low, np.maximum(value - half, 0.0))
    high = np.where(judged, high, np.minimum(value + half, 1.0))
    return MetricTable("auc", value, low, high, se, judged, reasons, AUC_METHOD, freedom=_auc_freedom(result), estimates=estimates)


def _auc_reason(value: float, too_few: str | None, patients: int) -> str | None:
    if too_few is not None:
        return too_few
    if not np.isfinite(value):
        return "no positives or no negatives"
    return "all positives or all negatives are one patient's" if patients < 2 else None


def _auc_freedom(result: AucCovariance) -> Floats:
    """Satterthwaite's degrees of freedom of DeLong's variance, float64 (C,) (Brunner and Munzel 2000)."""
    pos, neg = np.nan_to_num(result.pos.variance), np.nan_to_num(result.neg.variance)
    spread = pos**2 / np.maximum(result.pos.clusters - 1, 1) + neg**2 / np.maximum(result.neg.clusters - 1, 1)
    return np.divide((pos + neg) ** 2, spread, out=np.full(pos.shape, np.inf), where=spread > 0)


def rate_tables(
    data: Scored, codes: NDArray[np.int64], count: int, too_few: tuple[str | None, ...], options: AuditOptions, names: tuple[str, ...] = RATE_METRICS
) -> list[MetricTable]:
    """Rates at the operating point with Wilson's interval, on effective sizes where rows are weighted or clustered."""
    if data.decision is None:
        return [MetricTable.undefined(name, count, data.no_decision or "no operating point") for name in names]
    plain = confusion(data.y, data.decision, codes, count)
    table = plain if data.weight is None else confusion(data.y, data.decision, codes, count, data.weight)
    tables = []
    for name in names:
        estimates = group_rate_estimates(data.y, data.decision, codes, count, name, cluster=data.cluster, weight=data.weight)
        value, (_, trials) = rate(table, name), rate_counts(plain, name)
        size = estimates.limits.size if isinstance(estimates.limits, WilsonLimits) else trials
        low, high = estimates.interval(1 - options.alpha)
        with np.errstate(invalid="ignore", divide="ignore"):
            se = np.sqrt(value * (1 - value) / size)
        reasons = tuple(_rate_reason(name, int(k), v, why, options) for k, v, why in zip(trials, estimates.value, too_few, strict=True))
        judged = np.array([why is None for why in reasons])
        method = "Wilson" if data.independent_unweighted else "Wilson, effective size"
        tables.append(
            MetricTable(name, value, low, high, np.where(se > 0, se, np.nan), judged, reasons, method, trials=size, freedom=estimates.df, estimates=estimates)
        )
    return tables


def _rate_reason(name: str, trials: int, value: float, too_few: str | None, options: AuditOptions) -> str | None:
    """Each rate is judged by its own denominator; those over all rows by the group's guards too."""
    needed = {"tpr": options.min_positives, "fpr": options.min_negatives}.get(name, options.min_rows)
    if trials < needed:
        return f"{trials} {NEEDS.get(name, 'rows')}, {needed} are needed"
    if not np.isfinite(value):
        return "all rows are one patient's"
    return too_few if name in ("accuracy", "selection_rate") else None


def mean_tables(data: Scored, codes: NDArray[np.int64], count: int, too_few: tuple[str | None, ...], options: AuditOptions) -> list[MetricTable]:
    """Metrics that are means over rows: Brier score and, at a threshold, net benefit."""
    if data.no_probability:
        return [MetricTable.undefined(name, count, data.no_probability) for name in ("brier", "net_benefit")]
    benefit = net_benefit_rows(data)
    tables = [_mean_table("brier", (data.score - data.y) ** 2, data.y.astype(np.int64), data, codes, count, too_few, options)]
    if isinstance(benefit, str):
        return [*tables, MetricTable.undefined("net_benefit", count, benefit)]
    assert data.decision is not None
    kind = np.where(data.decision == 0, 0, np.where(data.y, 1, 2))
    return [*tables, _mean_table("net_benefit", benefit, kind, data, codes, count, too_few, options)]


def _mean_table(
    name: str,
    rows: Floats,
    stratum: NDArray[np.int64],
    data: Scored,
    codes: NDArray[np.int64],
    count: int,
    too_few: tuple[str | None, ...],
    options: AuditOptions,
) -> MetricTable:
    ends = (0.0, 1.0) if name == "brier" else (-np.inf, 1.0)
    estimates = group_mean_estimates(rows, codes, count, stratum=stratum, cluster=data.cluster, weight=data.weight, low=ends[0], high=ends[1])
    low, high = estimates.interval(1 - options.alpha)
    value = linearise_ratio(rows, np.ones(rows.size), codes, count, data.weight).value
    reasons = tuple(
        why if why is not None else None if np.isfinite(v) else "rows of one patient alone" for v, why in zip(estimates.value, too_few, strict=True)
    )
    judged = np.array([why is None for why in reasons])
    return MetricTable(name, value, low, high, estimates.se, judged, reasons, MEAN_METHOD, freedom=estimates.df, estimates=estimates)


def net_benefit_rows(data: Scored) -> Floats | str:
    """Each row's share of TP/n - FP/n * t/(1-t), or the reason why there is none."""
    if data.decision is None:
        return data.no_decision or "no operating point"
    if data.threshold is None or not 0 < data.threshold < 1:
        return "net benefit needs one threshold between 0 and 1, which states the price of a false positive"
    odds = data.threshold / (1 - data.threshold)
    return data.decision.astype(np.float64) * np.where(data.y, 1.0, -odds)
