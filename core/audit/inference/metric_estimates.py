"""One metric of one model in the groups of a grouping, ready to be compared: what every difference between groups is made from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import RATE_METRICS, net_benefit_rows
from core.audit.estimates.scored import Scored
from core.metrics.auc_comparisons import group_auc_estimates
from core.metrics.comparisons import GroupEstimates
from core.metrics.rate_comparisons import group_mean_estimates, group_rate_estimates

COMPARED = ("auc", *RATE_METRICS, "brier", "net_benefit")
UNKNOWN = "no comparison of groups for {metric!r}; known: {known}"


def metric_estimates(data: Scored, codes: NDArray[np.int64], count: int, metric: str) -> GroupEstimates | None:
    """Estimates (G,) of a metric of `COMPARED`; None where the model has no such metric (no operating point, no probabilities).

    codes : (n,) groups of the rows, -1 for none; count : G
    """
    more: dict[str, Any] = {"cluster": data.cluster, "weight": data.weight}
    if metric == "auc":
        return group_auc_estimates(data.y, data.score, codes, count, **more)
    if metric in RATE_METRICS:
        return None if data.decision is None else group_rate_estimates(data.y, data.decision, codes, count, metric, **more)
    if metric not in COMPARED:
        raise ValueError(UNKNOWN.format(metric=metric, known=", ".join(COMPARED)))
    if data.no_probability:
        return None
    if metric == "brier":
        return group_mean_estimates((data.score - data.y) ** 2, codes, count, stratum=data.y, low=0.0, high=1.0, **more)
    rows = net_benefit_rows(data)
    if isinstance(rows, str):
        return None
    # True positives, false positives, and rows that are not selected.
    kinds = np.where(rows > 0, 1, np.where(rows < 0, 2, 0))
    return group_mean_estimates(rows, codes, count, stratum=kinds, high=1.0, **more)
