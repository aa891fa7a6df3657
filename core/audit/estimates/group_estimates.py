"""Estimates of every metric in every group of one grouping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from core.audit.estimates.linearised import linearise_ratio
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.auc_interval import auc_interval
from core.metrics.catalogue import RATE_METRICS
from core.metrics.delong import AucCovariance, group_delong
from core.metrics.estimate import MinimumCounts
from core.metrics.intervals import normal_quantile
from core.metrics.rates import confusion, effective_sizes, rate_counts, rate_estimates

Floats = NDArray[np.float64]
NEEDS = {"tpr": "positives", "fpr": "negatives", "ppv": "selected rows", "npv": "rows not selected"}


@dataclass(frozen=True)
class MetricTable:
    """One metric in the C groups of a grouping.

    value, low, high, se : float64 (C,), NaN where undefined. A value may be defined where it is not
    judged: it is then shown, but takes no part in tests and verdicts.
    judged : bool (C,), enough data to be compared. reason : why not, per group, None where judged.
    covariance : (C, C) where groups share patients, else None.
    trials : float64 (C,), (effective) size of a rate's denominator; freedom : degrees of freedom of se.
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
    """Rows of each group, all int64 (C,); `patients` equals `n` where no patient repeats."""

    n: NDArray[np.int64]
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]
    patients: NDArray[np.int64]

    def lacking(self, options: AuditOptions) -> tuple[str | None, ...]:
        """Per group, the reason why it is too small to be judged, or None."""
        least = MinimumCounts(options.min_positives, options.min_negatives)
        reasons = []
        for n, n_pos, n_neg in zip(self.n, self.n_pos, self.n_neg, strict=True):
            reason = least.lacking(int(n_pos), int(n_neg))
            if reason is None and n < options.min_rows:
                reason = f"{n} rows, {options.min_rows} are needed"
            reasons.append(reason)
        return tuple(reasons)


def group_counts(data: Scored, codes: NDArray[np.int64], count: int) -> GroupCounts:
    inside = codes >= 0
    n = np.bincount(codes[inside], minlength=count)
    n_pos = np.bincount(codes[inside & data.y], minlength=count)
    patients = n
    if data.cluster is not None:
        key = np.unique(data.cluster[inside] * count + codes[inside])
        patients = np.bincount(key % count, minlength=count)
    return GroupCounts(n, n_pos, n - n_pos, patients)


def auc_table(data: Scored, codes: NDArray[np.int64], count: int, lacking: tuple[str | None, ...], options: AuditOptions) -> MetricTable:
    """AUC with DeLong's variance and, for groups that are judged, an interval that covers with few positives too.

    Below the guards DeLong's plain interval stands for the record where its width is not zero.
    """
    result = group_delong(data.y, data.score, codes, count, cluster=data.cluster, weight=data.weight)
    value = result.auc
    se = np.where(np.isfinite(value), result.se, np.nan)
    reasons = tuple(_auc_reason(*row) for row in zip(value, lacking, result.pos.clusters, result.neg.clusters, strict=True))
    judged = np.array([why is None for why in reasons], dtype=bool)
    low, high = auc_interval(result, 1 - options.alpha)
    half = normal_quantile(1 - options.alpha) * np.where(se > 0, se, np.nan)
    low = np.where(judged, low, np.maximum(value - half, 0.0))
    high = np.where(judged, high, np.minimum(value + half, 1.0))
    covariance = result.covariance if data.cluster is not None else None
    return MetricTable("auc", value, low, high, se, judged, reasons, "DeLong", covariance, freedom=_auc_freedom(result))


def _auc_reason(value: float, lacking: str | None, patients_pos: int, patients_neg: int) -> str | None:
    if lacking is not None:
        return lacking
    if not np.isfinite(value):
        return "no positives or no negatives"
    return "all positives or all negatives are one patient's" if min(patients_pos, patients_neg) < 2 else None


def _auc_freedom(result: AucCovariance) -> Floats:
    """Satterthwaite's degrees of freedom of DeLong's variance, float64 (C,) (Brunner and Munzel 2000)."""
    pos, neg = np.nan_to_num(result.pos.variance), np.nan_to_num(result.neg.variance)
    spread = pos**2 / np.maximum(result.pos.clusters - 1, 1) + neg**2 / np.maximum(result.neg.clusters - 1, 1)
    return np.divide((pos + neg) ** 2, spread, out=np.full(pos.shape, np.inf), where=spread > 0)


def rate_tables(
    data: Scored, codes: NDArray[np.int64], count: int, lacking: tuple[str | None, ...], options: AuditOptions, names: tuple[str, ...] = RATE_METRICS
) -> list[MetricTable]:
    """Rates at the operating point with Wilson's interval, on effective sizes where rows are weighted or clustered."""
    if data.decision is None:
        return [MetricTable.undefined(name, count, data.no_decision or "no operating point") for name in names]
    table = confusion(data.y, data.decision, codes, count, data.weight)
    plain = table if data.weight is None else confusion(data.y, data.decision, codes, count)
    tables = []
    for name in names:
        effective = None if data.simple else effective_sizes(data.y, data.decision, codes, count, name, cluster=data.cluster, weight=data.weight)
        estimates = rate_estimates(table, name, minimum=MinimumCounts(2, 2, 1), effective=effective, counts=plain, level=1 - options.alpha)
        value, low, high, se = (_column(estimates, field) for field in ("value", "low", "high", "se"))
        _, trials = rate_counts(plain, name)
        reasons = tuple(_rate_reason(name, int(k), why, options) for k, why in zip(trials, lacking, strict=True))
        judged = np.array([why is None for why in reasons])
        size = trials if effective is None else effective
        tables.append(MetricTable(name, value, low, high, se, judged, reasons, "Wilson" if effective is None else "Wilson, effective size", None, size))
    return tables


def _column(estimates: tuple[object, ...], field: str) -> Floats:
    return np.array([np.nan if getattr(e, field) is None else getattr(e, field) for e in estimates], dtype=np.float64)


def _rate_reason(name: str, trials: int, lacking: str | None, options: AuditOptions) -> str | None:
    """Each rate is judged by its own denominator; those over all rows by the group's guards too."""
    needed = {"tpr": options.min_positives, "fpr": options.min_negatives}.get(name, options.min_rows)
    if trials < needed:
        return f"{trials} {NEEDS.get(name, 'rows')}, {needed} are needed"
    return lacking if name in ("accuracy", "selection_rate") else None


def mean_tables(data: Scored, codes: NDArray[np.int64], count: int, lacking: tuple[str | None, ...], options: AuditOptions) -> list[MetricTable]:
    """Metrics that are means over rows: Brier score and, at a threshold, net benefit."""
    if data.no_probability:
        return [MetricTable.undefined(name, count, data.no_probability) for name in ("brier", "net_benefit")]
    rows: Mapping[str, Floats | str] = {
        "brier": (data.score - data.y) ** 2,
        "net_benefit": net_benefit_rows(data),
    }
    tables = []
    for name, row in rows.items():
        if isinstance(row, str):
            tables.append(MetricTable.undefined(name, count, row))
            continue
        linear = linearise_ratio(row, np.ones(row.size), codes, count, data.weight, data.cluster)
        covariance = linear.covariance
        se = np.where(np.isfinite(linear.value), np.sqrt(np.diag(covariance)), np.nan)
        se = np.where(se > 0, se, np.nan)
        counts = group_counts(data, codes, count)
        freedom = np.maximum(counts.patients - 1.0, 1.0)
        half = stdtrit(freedom, 1 - options.alpha / 2) * se
        low = linear.value - half
        reasons = tuple(why if why is not None else None if np.isfinite(v) else "no rows" for v, why in zip(linear.value, lacking, strict=True))
        tables.append(
            MetricTable(
                name,
                linear.value,
                np.maximum(low, 0.0) if name == "brier" else low,
                linear.value + half,
                se,
                np.array([why is None for why in reasons]),
                reasons,
                "Student's t",
                covariance if data.cluster is not None else None,
                freedom=freedom,
            )
        )
    return tables


def net_benefit_rows(data: Scored) -> Floats | str:
    """Each row's share of TP/n - FP/n * t/(1-t), or the reason why there is none."""
    if data.decision is None:
        return data.no_decision or "no operating point"
    if data.threshold is None or not 0 < data.threshold < 1:
        return "net benefit needs one threshold between 0 and 1, which states the price of a false positive"
    odds = data.threshold / (1 - data.threshold)
    return data.decision.astype(np.float64) * np.where(data.y, 1.0, -odds)
