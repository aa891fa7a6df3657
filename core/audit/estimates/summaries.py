"""Fairness summaries of one attribute as point estimates: ES-AUC, worst group, gaps, ratios.

One rule for all of them: a group whose counts do not suffice for a metric is in no summary of that metric, and is named
with its counts beside every summary that leaves it out, because leaving a group out flatters most summaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.wording import class_counts
from core.metrics.catalogue import CATALOGUE, RATE_SUMMARIES, RATIO_SUMMARIES
from core.metrics.equity import equity, max_gap, min_ratio

ES_AUC_CAVEAT = (
    "ES-AUC falls with the number of groups and counts ranking between groups as unfairness: "
    "read it beside the group AUCs and the gap, and never compare it across attributes."
)
TOO_FEW = "fewer than two groups can be judged"


@dataclass(frozen=True)
class Summary:
    """One number for one attribute, with its interval and what chance alone would give.

    p_null : p of the groups being alike, the same for all summaries of one metric. null_median : the usual value among groups alike of
        these sizes. null_q95 : of a gap, what it reaches in 5 of 100 such cohorts; None for ratios, ES-AUC and worst group, whose p is
        no share of their draws.
    detail : for the worst group its name. excluded : groups that are not judged; left_out : the same in words, with
        their counts, None where there is none.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p_null: float | None = None
    null_median: float | None = None
    null_q95: float | None = None
    reason: str | None = None
    detail: str | None = None
    excluded: tuple[str, ...] = ()
    left_out: str | None = None
    null: tuple[float, ...] = ()


def point_summaries(overall_auc: float, tables: Mapping[str, MetricTable], groups: tuple[str, ...], counts: GroupCounts) -> tuple[Summary, ...]:
    """Every summary without its uncertainty, from the groups that are judged."""
    fair = equity(overall_auc, tables["auc"].judged_values, groups)
    excluded, left_out = fair.excluded, without(fair.excluded, groups, counts)
    reason = fair.reason and (TOO_FEW if fair.max_gap is None else fair.reason)
    result = [
        Summary("es_auc", fair.es_auc, reason=reason, excluded=excluded, left_out=left_out),
        Summary("max_gap", fair.max_gap, reason=reason, excluded=excluded, left_out=left_out),
        Summary(
            "worst_group_auc",
            fair.worst_value,
            reason=reason if fair.worst_value is None else None,
            detail=fair.worst_group,
            excluded=excluded,
            left_out=left_out,
        ),
    ]
    return (*result, *(_of_rates(name, tables, groups, counts) for name in RATE_SUMMARIES))


def _of_rates(name: str, tables: Mapping[str, MetricTable], groups: tuple[str, ...], counts: GroupCounts) -> Summary:
    ratio, metrics = name in RATIO_SUMMARIES, CATALOGUE[name].of
    shown = [tables[metric].judged_values for metric in metrics]
    parts = [float(min_ratio(values) if ratio else max_gap(values)) for values in shown]
    excluded = tuple(group for i, group in enumerate(groups) if any(np.isnan(values[i]) for values in shown))
    left_out = without(excluded, groups, counts)
    if not any(np.isnan(parts)):
        return Summary(name, min(parts) if ratio else max(parts), excluded=excluded, left_out=left_out)
    few = any(int(np.isfinite(values).sum()) < 2 for values in shown)
    why = next((reason for metric in metrics for reason in tables[metric].reason if reason), None)
    return Summary(name, None, reason=(f"{TOO_FEW} ({why})" if why else TOO_FEW) if few else "the largest rate is 0", excluded=excluded, left_out=left_out)


def without(excluded: tuple[str, ...], groups: tuple[str, ...], counts: GroupCounts) -> str | None:
    """The groups that a summary leaves out, with their positives and negatives: `without 1 (8+/3−), 4 (2+/0−)`."""
    if not excluded:
        return None
    place = {name: index for index, name in enumerate(groups)}
    return "without " + ", ".join(f"{name} ({class_counts(int(counts.n_pos[place[name]]), int(counts.n_neg[place[name]]))})" for name in excluded)
