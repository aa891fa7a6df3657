"""Checks of the data and results that a reader must hear of before believing the numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.grouping import Grouping
from core.audit.estimates.scored import Scored
from core.audit.input.predictions import AuditFinding, Predictions
from core.audit.options import AuditOptions
from core.audit.wording import decimal

LEAK_AUC = 0.999
LEAK_ROWS = 20


def leakage(data: Scored, auc: float, n_pos: int, n_neg: int) -> tuple[AuditFinding, ...]:
    """Scores that are the label itself, or that separate the classes better than medicine allows."""
    if min(n_pos, n_neg) == 0:
        return ()
    values = np.unique(data.score)
    if values.size == 2 and (np.array_equal(data.score == values[1], data.y) or np.array_equal(data.score == values[0], data.y)):
        message = f"{data.model}: the scores are the labels themselves"
        return (AuditFinding("score_is_label", "error", message, data.y.size, "check that the score column is the model's output"),)
    if auc >= LEAK_AUC and min(n_pos, n_neg) >= LEAK_ROWS:
        message = f"{data.model}: an AUC of {decimal(auc, 4)} suggests that the label leaked into the model's inputs"
        return (AuditFinding("perfect_auc", "warning", message, data.y.size, "look for inputs recorded after the diagnosis, or patients in both training and test data"),)
    if auc <= 1 - LEAK_AUC and min(n_pos, n_neg) >= LEAK_ROWS:
        message = f"{data.model}: an AUC of {decimal(auc, 4)} means that the scores point the wrong way"
        return (AuditFinding("inverted_score", "error", message, data.y.size, "use the probability of the positive class"),)
    return ()


def one_class(model: str, n_pos: int, n_neg: int, positive_label: str = "positive") -> tuple[AuditFinding, ...]:
    """All labels are the same: there is nothing to rank."""
    if min(n_pos, n_neg) > 0:
        return ()
    message = f"{model}: there are {n_pos} positives and {n_neg} negatives, so no AUC and not all rates are defined"
    return (AuditFinding("one_class", "error", message, n_pos + n_neg, "check the label column and which value is positive"),)


def group_findings(model: str, grouping: Grouping, tables: Mapping[str, MetricTable], options: AuditOptions) -> tuple[AuditFinding, ...]:
    """Groups that cannot be judged, and groups whose interval is wider than the tolerance."""
    found = []
    auc = tables["auc"]
    size = np.bincount(grouping.codes[grouping.codes >= 0], minlength=len(grouping.groups))
    for g, name in enumerate(grouping.groups):
        why = auc.reason[g]
        if why is not None:
            note = "" if np.isfinite(auc.value[g]) else "; it is left out of ES-AUC and the gap, which flatters both"
            found.append(AuditFinding("not_estimable", "warning", f"{grouping.name} = {name} cannot be judged: {why}{note}", int(size[g]), "more patients of this group"))
            continue
        width = float(auc.high[g] - auc.low[g])
        tolerance = options.tolerance_of("auc")
        if width > tolerance:
            message = f"{model}: the interval of the AUC of {grouping.name} = {name} is {decimal(width)} wide, wider than the tolerance of {decimal(tolerance)}"
            found.append(AuditFinding("wide_interval", "warning", message, int(size[g]), "more patients of this group, or a wider tolerance"))
    if grouping.depth == 1 and len(grouping.groups) < 2:
        found.append(AuditFinding("one_group", "warning", f"{grouping.name} has only one group, so there is nothing to compare", int(size.sum()), "choose another attribute"))
    return tuple(found)


def unused_weights(predictions: Predictions) -> tuple[AuditFinding, ...]:
    """What weights do not reach."""
    if predictions.weights is None:
        return ()
    message = "weights are taken as sampling weights: rows of larger weight stand for more people, and errors grow with how unequal they are"
    return (AuditFinding("weights", "info", message, len(predictions)),)
