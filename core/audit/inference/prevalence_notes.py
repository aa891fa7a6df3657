"""What a difference between groups owes to their prevalences: PPV, selection rate and the like move with these by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.audit.inference.pairwise import PairTest
from core.audit.wording import decimal, digits_of, interval
from core.metrics.prevalence import STANDARDISED, StandardisedDifferences, standardise

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit


def standardised_difference(attribute: AttributeAudit, metric: str, pair: PairTest) -> tuple[float, StandardisedDifferences] | None:
    """(common prevalence, the pair's difference at it); None for metrics that do not move with the prevalence."""
    data = attribute.data
    if metric not in STANDARDISED or (metric != "brier" and data.decision is None):
        return None
    if not 0 < data.y.mean() < 1:
        return None
    value = np.asarray(data.score if metric == "brier" else data.decision)
    threshold = data.threshold if metric == "net_benefit" else None
    found = standardise(metric, data.y, value, attribute.grouping.codes, len(attribute.groups), threshold=threshold, weight=data.weight, cluster=data.cluster)
    return found.prevalence, found.differences([(pair.group_a, pair.group_b)])


def prevalence_note(attribute: AttributeAudit, metric: str, pair: PairTest, bound: float) -> str:
    """A sentence that says what of the pair's difference the prevalences make; empty where they have no part in the metric."""
    found = standardised_difference(attribute, metric, pair)
    if found is None:
        return ""
    prevalence, differences = found
    at = differences.standardised
    low, high = at.interval(1 - attribute.options.alpha)
    sign = 1 if pair.difference > 0 else -1
    lower, upper = sorted((sign * float(low[0]), sign * float(high[0])))
    value = sign * float(at.difference[0])
    common = f"at a common prevalence of {decimal(prevalence)} it is {interval(value, lower, upper, digits_of(value, lower, upper), signed=True)}"
    verdict = differences.verdicts(bound, attribute.options.alpha)[0]
    if verdict == "explained":
        return f" The groups' different prevalences alone make such a difference: {common}."
    if verdict == "remains" and sign * float(at.difference[0]) < 0:
        return f" At equal prevalences the difference goes the other way: {common}."
    if verdict == "remains":
        return f" Different prevalences do not account for it: {common}."
    return f" How much of it the groups' different prevalences make is open: {common}."
