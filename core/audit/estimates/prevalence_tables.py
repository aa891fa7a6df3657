"""Metrics of every group at the whole audited set's prevalence, beside their own: what of a difference the prevalences make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import net_benefit_rows
from core.audit.estimates.scored import Scored
from core.metrics.prevalence import RATES, STANDARDISED, Standardised, standardise

Ints = NDArray[np.int64]


def standardised_metrics(data: Scored, codes: Ints, count: int, prevalence: float | None = None) -> dict[str, Standardised]:
    """Every metric of `prevalence.STANDARDISED` that this model has, by name, for the groups `codes` (-1: no part).

    Left out are rates without an operating point, net benefit without a threshold in (0, 1), the Brier score of scores that are no
    probabilities, and all where the audited rows hold one class only: there the metric itself is not estimable either.

    Parameters
    ----------
    prevalence : the common one; None: the share of positives (by weight) among all rows of `data`
    """
    rows = np.ones(data.y.size) if data.weight is None else data.weight
    common = float(rows @ data.y / rows.sum()) if prevalence is None else prevalence
    if not 0 < common < 1:
        return {}
    found = {}
    for metric in STANDARDISED:
        value = data.decision if metric in RATES else data.score
        no_benefit = metric == "net_benefit" and (data.no_probability is not None or isinstance(net_benefit_rows(data), str))
        if value is None or no_benefit or (metric == "brier" and data.no_probability is not None):
            continue
        found[metric] = standardise(metric, data.y, value, codes, count, prevalence=common, threshold=data.threshold, weight=data.weight, cluster=data.cluster)
    return found
