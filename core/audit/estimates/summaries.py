"""Fairness summaries of one attribute as point estimates: ES-AUC, worst group, gaps, ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.audit.estimates.group_estimates import MetricTable
from core.metrics.equity import equity, max_gap, min_ratio

# Short names of the command line contract beside the field's own.
RATE_SUMMARIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "dpd": ("difference", ("selection_rate",)),
    "dp_ratio": ("ratio", ("selection_rate",)),
    "deodds": ("difference", ("tpr", "fpr")),
    "eodds_ratio": ("ratio", ("tpr", "fpr")),
    "equal_opportunity_difference": ("difference", ("tpr",)),
    "equal_opportunity_ratio": ("ratio", ("tpr",)),
}
ES_AUC_CAVEAT = (
    "ES-AUC falls with the number of groups and counts ranking between groups as unfairness: "
    "read it beside the group AUCs and the gap, and never compare it across attributes."
)


@dataclass(frozen=True)
class Summary:
    """One number for one attribute, with its bootstrap interval and its permutation null.

    p_null : share of label-preserving shuffles of the groups with as large a value (as small a one
        for ES-AUC); null_median, null_q95 : how large it comes out by chance alone with these group
        sizes (for ES-AUC null_q95 is the 5 % quantile, the unfavourable side).
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
    null: tuple[float, ...] = ()


def point_summaries(overall_auc: float, tables: Mapping[str, MetricTable], groups: tuple[str, ...]) -> tuple[Summary, ...]:
    """Every summary without its uncertainty.

    Groups in which a quantity is undefined are left out of it and named in `excluded`, because
    leaving a one-class group out silently flatters ES-AUC.
    """
    fair = equity(overall_auc, tables["auc"].value, groups)
    left_out = f"without {', '.join(fair.excluded)}, where the AUC is undefined" if fair.excluded else None
    result = [
        Summary("es_auc", fair.es_auc, reason=fair.reason, detail=left_out, excluded=fair.excluded),
        Summary("max_gap", fair.max_gap, reason=fair.reason, detail=left_out, excluded=fair.excluded),
        Summary("worst_group_auc", fair.worst_value, reason=None if fair.worst_value is not None else fair.reason, detail=fair.worst_group, excluded=fair.excluded),
    ]
    for name, (kind, metrics) in RATE_SUMMARIES.items():
        values = [float(max_gap(tables[m].value) if kind == "difference" else min_ratio(tables[m].value)) for m in metrics]
        value = max(values) if kind == "difference" else min(values)
        excluded = tuple(g for i, g in enumerate(groups) if any(np.isnan(tables[m].value[i]) for m in metrics))
        if any(np.isnan(v) for v in values):
            why = next((r for m in metrics for r in tables[m].reason if r), None) if excluded else "the largest rate is 0" if kind == "ratio" else None
            result.append(Summary(name, None, reason=why or "fewer than two groups have this rate", excluded=excluded))
        else:
            result.append(Summary(name, value, excluded=excluded, detail=f"without {', '.join(excluded)}" if excluded else None))
    return tuple(result)
