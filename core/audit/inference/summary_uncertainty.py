"""Uncertainty of the fairness summaries of one attribute: interval, p and what chance alone would give.

One construction for all of them (core.metrics.summary_intervals): from the pairs of judged groups, without replicates.
Everything is made from the groups' estimates with their correlation; so it costs about as much as these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.scored import Scored
from core.audit.estimates.summaries import Summary
from core.metrics.catalogue import RATE_SUMMARIES
from core.metrics.equity_scaled_interval import es_auc_interval
from core.metrics.joint_estimates import joint_aucs, joint_rates, selected
from core.metrics.rates import SUMMARIES
from core.metrics.summary_intervals import Family, SummaryEstimate, largest_difference, smallest_ratio, smallest_value
from core.metrics.summary_nulls import ChanceNull, auc_nulls, rate_nulls

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RATES = ("tpr", "fpr", "selection_rate")
FAMILIES = {"demographic_parity": ("selection_rate",), "equalized_odds": ("tpr", "fpr"), "equal_opportunity": ("tpr",)}


@dataclass(frozen=True)
class SummaryUncertainty:
    """Estimate with interval and null of every summary, by the names of the audit's document."""

    estimates: Mapping[str, SummaryEstimate]
    nulls: Mapping[str, ChanceNull]


def summary_uncertainty(data: Scored, codes: Ints, count: int, judged: Mapping[str, ArrayLike], level: float = 0.95) -> SummaryUncertainty:
    """All summaries of one attribute.

    Parameters
    ----------
    codes : (n,) group of each row, -1 for none
    judged : (C,) bool per metric ("auc", "tpr", "fpr", "selection_rate"): the groups that enter its summaries
    """
    if count < 1 or not (codes >= 0).any():
        return SummaryUncertainty({}, {})
    estimates, nulls = _of_aucs(data, codes, count, judged["auc"], level)
    if data.decision is not None:
        more = _of_rates(data, codes, count, {name: np.asarray(judged[name], dtype=bool) for name in RATES}, level)
        estimates, nulls = estimates | more[0], nulls | more[1]
    return SummaryUncertainty(estimates, nulls)


def _of_aucs(data: Scored, codes: Ints, count: int, judged: ArrayLike, level: float) -> tuple[dict[str, SummaryEstimate], dict[str, ChanceNull]]:
    joint = joint_aucs(data.y, data.score, codes, count, cluster=data.cluster, weight=data.weight)
    groups = selected(joint, np.arange(count))
    family = Family.of(groups, judged)
    drawn = auc_nulls(joint, family, judged)
    estimates = {
        "es_auc": es_auc_interval(joint, judged, level, family.p),
        "max_gap": largest_difference(family, level),
        "worst_group_auc": replace(smallest_value(groups, judged, level), p=family.p),
    }
    return estimates, {name: drawn[key] for name, key in zip(estimates, ("es_auc", "max_gap", "worst_group"), strict=True) if key in drawn}


def _of_rates(
    data: Scored, codes: Ints, count: int, judged: Mapping[str, NDArray[np.bool_]], level: float
) -> tuple[dict[str, SummaryEstimate], dict[str, ChanceNull]]:
    assert data.decision is not None
    joint = joint_rates(data.y, data.decision, codes, RATES, count, cluster=data.cluster, weight=data.weight)
    place = {name: np.arange(count) + i * count for i, name in enumerate(RATES)}
    families = {
        title: Family.of(
            selected(joint, np.concatenate([place[name] for name in names])),
            np.concatenate([judged[name] for name in names]),
            blocks=len(names),
        )
        for title, names in FAMILIES.items()
    }
    estimates = {}
    for title, family in families.items():
        estimates[f"{title}_difference"] = largest_difference(family, level)
        estimates[f"{title}_ratio"] = smallest_ratio(family, level)
    drawn = rate_nulls({name: selected(joint, own) for name, own in place.items()}, families, judged)
    short = dict(zip(SUMMARIES, RATE_SUMMARIES, strict=True))
    return {short[name]: found for name, found in estimates.items()}, {short[name]: test for name, test in drawn.items()}


def with_uncertainty(summaries: tuple[Summary, ...], found: SummaryUncertainty) -> tuple[Summary, ...]:
    """The point summaries with their intervals and nulls."""
    return tuple(_with(summary, found.estimates.get(summary.metric), found.nulls.get(summary.metric)) for summary in summaries)


def _with(summary: Summary, estimate: SummaryEstimate | None, null: ChanceNull | None) -> Summary:
    if estimate is None or estimate.value is None or summary.value is None:
        return summary
    summary = replace(summary, low=estimate.low, high=estimate.high)
    if null is None or null.value is None or null.p is None:
        return summary
    known = null.null[np.isfinite(null.null)]
    return replace(summary, p_null=null.p, null_median=null.null_median, null_q95=null.null_q95, null=tuple(known.tolist()))


def judged_of(tables: Mapping[str, MetricTable]) -> dict[str, NDArray[np.bool_]]:
    """The groups that enter the summaries of each metric, (C,) bool."""
    return {name: np.asarray(tables[name].judged) for name in ("auc", *RATES)}
